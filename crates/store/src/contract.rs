//! The suite that every store must pass.
//!
//! A store names itself once, and gets every test of the contract:
//!
//! ```text
//! struct InMemory(MemoryStore);
//!
//! impl store::contract::Subject for InMemory { ... }
//!
//! store::store_contract!(|| Box::new(InMemory(MemoryStore::new())));
//! ```
//!
//! Each function is one promise of [`Store`], [`Transaction`] and [`Snapshot`]; its name is the promise. They speak to
//! the traits alone, and each begins with an empty store.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "these are tests: a promise that is not kept is a panic, as in any other test"
)]

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use model::{Action, Caller, CollectionId, CredentialId, Epoch, LabelId, Principal, Role, Timestamp};
use programme::Programme;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy};
use proptest::sample::subsequence;
use proptest::test_runner::{Config, TestRunner};
use release::{Grants, Policy, View};
use sha2::{Digest, Sha256};

use crate::{
    CommitNo, CommitRow, Departure, HeadRecord, Horizon, Mark, Position, Record, Run, Segment, SegmentId,
    Snapshot, Store, StoredEntry, Transaction,
};

/// A store under test.
pub trait Subject {
    /// The store.
    fn store(&self) -> &dyn Store;

    /// Closes the store and opens it again; `false` if it forgets with the process.
    fn reopen(&mut self) -> bool;
}

/// Makes an empty store.
pub type Make<'a> = &'a dyn Fn() -> Box<dyn Subject>;

/// Runs the whole contract as tests of the module in which it stands. The argument makes an empty store.
#[macro_export]
macro_rules! store_contract {
    ($make:expr) => {
        $crate::store_contract! { @each $make;
            an_uncommitted_write_is_never_seen,
            a_dropped_transaction_leaves_nothing,
            snapshots_do_not_move,
            the_horizon_is_what_was_committed,
            segments_and_commits_are_found_as_a_model_finds_them,
            every_body_comes_back_byte_for_byte,
            an_id_is_found_wherever_its_index_is,
            the_last_mark_of_an_object_counts,
            a_label_remembers_that_something_left_it,
            an_erased_body_is_gone_for_every_later_reader,
            a_rare_label_reads_the_same_along_it_and_across_the_commits,
            a_stored_body_is_compared_and_given_back_to_the_writer,
            references_lead_to_those_who_refer,
            records_are_listed_in_the_order_of_their_keys,
            ledger_entries_come_in_turn_only,
            tiles_are_kept,
            the_inventory_counts_what_is_there,
            readers_beside_a_writer_see_whole_commits,
            what_was_committed_is_there_when_opened_again,
        }
    };
    (@each $make:expr; $($promise:ident,)*) => {
        $(
            #[test]
            fn $promise() {
                $crate::contract::$promise(&$make);
            }
        )*
    };
}

/// A view for reading in tests. Stores do not look into it; they only want to see one.
#[must_use]
pub fn view() -> View {
    view_with(Grants::default())
}

/// A view with these grants.
#[must_use]
pub fn view_with(grants: Grants) -> View {
    let programme = Programme::from_files(&programme::template()).expect("the template programme is sound");
    let policy = Policy::new(Arc::new(programme)).expect("the template programme's policies are sound");
    let caller = Caller {
        principal: Principal::Role(Role::Operator),
        credential: CredentialId::from_bits(1),
        actions: BTreeSet::from([Action::Read]),
        collections: None,
    };
    policy.view(caller, Epoch::default(), Arc::new(grants))
}

/// Makes a segment of objects: each an id, a version and a body.
#[must_use]
pub fn segment(
    id: SegmentId,
    collection: CollectionId,
    at: Timestamp,
    objects: impl IntoIterator<Item = (String, String, Vec<u8>)>,
) -> Segment {
    let (mut heads, mut ends, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
    for (id, version, body) in objects {
        if !bodies.is_empty() {
            bodies.push(b',');
        }
        bodies.extend(body);
        ends.push(u32::try_from(bodies.len()).expect("a test's bodies are short"));
        heads.push(HeadRecord { id, version, revoked: false });
    }
    let digest = Sha256::digest(&bodies).into();
    Segment { id, collection, at, heads, ends, bodies, digest }
}

fn collection(number: u8) -> CollectionId {
    format!("00000000-0000-4000-8000-0000000000{number:02x}")
        .parse()
        .expect("this is how a collection is spelled")
}

fn label(number: u32) -> LabelId {
    LabelId::new(number)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn object(id: &str) -> (String, String, Vec<u8>) {
    let body = format!(r#"{{"id":"{id}","name":"ünï"}}"#);
    (id.to_owned(), "2016-01-01T00:00:00Z".to_owned(), body.into_bytes())
}

fn objects(ids: &[&str]) -> Vec<(String, String, Vec<u8>)> {
    ids.iter().map(|id| object(id)).collect()
}

fn record(kind: &str, key: &str, value: &str) -> Record {
    Record { kind: kind.to_owned(), key: key.to_owned(), value: value.as_bytes().to_vec() }
}

fn entry(index: u64) -> StoredEntry {
    StoredEntry {
        index,
        salt: [u8::try_from(index % 251).unwrap_or(0); 32],
        body: format!("entry {index}").into(),
    }
}

/// Appends one commit to collection `number` at `second`: labels, each with the ids of its objects.
fn append(tx: &mut dyn Transaction, number: u8, second: i64, labels: &[(u32, &[&str])]) -> CommitNo {
    let commit = tx.next_commit();
    tx.set_last(at(second));
    let segments = labels.iter().map(|(number_of_label, ids)| {
        let id = SegmentId { label: label(*number_of_label), commit };
        segment(id, collection(number), at(second), objects(ids))
    });
    tx.append(segments.collect()).unwrap();
    commit
}

/// The same in a transaction of its own.
fn publish(store: &dyn Store, number: u8, second: i64, labels: &[(u32, &[&str])]) -> CommitNo {
    let mut tx = store.begin().unwrap();
    let commit = append(tx.as_mut(), number, second, labels);
    tx.commit().unwrap();
    commit
}

fn place(number_of_label: u32, commit: CommitNo, index: u32) -> Position {
    Position { segment: SegmentId { label: label(number_of_label), commit }, index }
}

fn body_at(snapshot: &dyn Snapshot, view: &View, position: Position) -> Vec<u8> {
    let run = snapshot.run(view, position.segment).unwrap().unwrap();
    let mut body = Vec::new();
    snapshot.read(view, &run, position.index, 1, &mut body).unwrap();
    body
}

fn tend(store: &dyn Store) {
    while store.tend().unwrap() {}
}

fn all_runs(snapshot: &dyn Snapshot, view: &View, number: u32) -> Vec<Run> {
    snapshot.runs(view, label(number), CommitNo(0), usize::MAX).unwrap()
}

/// Everything that a transaction can write.
fn write_a_bit_of_everything(tx: &mut dyn Transaction) {
    let commit = append(tx, 1, 10, &[(3, &["a--1"])]);
    tx.mark(Mark { position: place(3, commit, 0), left: Some((at(11), Departure::Relabelled)) }).unwrap();
    tx.refer("a--2", place(3, commit, 0)).unwrap();
    tx.put(record("member", "m", "x")).unwrap();
    tx.append_entry(entry(0)).unwrap();
    tx.put_tile(0, 0, b"tile").unwrap();
    tx.set_epoch(Epoch::new(4));
}

fn assert_nothing_is_there(store: &dyn Store, view: &View) {
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.horizon(), Horizon::default());
    assert_eq!(snapshot.commits(view, collection(1), Timestamp::MIN, 10).unwrap(), []);
    assert_eq!(snapshot.commit_before(view, collection(1), Timestamp::MAX).unwrap(), None);
    assert_eq!(all_runs(snapshot.as_ref(), view, 3), []);
    assert!(snapshot.find(view, "a--1").unwrap().is_empty());
    assert!(!snapshot.was_relabelled(view, label(3)).unwrap());
    assert_eq!(snapshot.get("member", "m").unwrap(), None);
    assert_eq!(snapshot.list("member", "").unwrap(), []);
    assert_eq!(snapshot.entries(0, 10).unwrap(), []);
    assert_eq!(snapshot.tile(0, 0).unwrap(), None);
    assert_eq!(snapshot.inventory().unwrap(), crate::Inventory::default());
}

/// What a transaction wrote is seen by nobody else until it is committed, and then all of it.
pub fn an_uncommitted_write_is_never_seen(make: Make<'_>) {
    let (subject, view) = (make(), view());
    let store = subject.store();
    let mut tx = store.begin().unwrap();
    write_a_bit_of_everything(tx.as_mut());
    assert_nothing_is_there(store, &view);
    let horizon = tx.commit().unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.horizon(), horizon);
    let want = Horizon { last: at(10), commit: CommitNo(1), epoch: Epoch::new(4), entries: 1 };
    assert_eq!(horizon, want);
    assert_eq!(snapshot.commits(&view, collection(1), Timestamp::MIN, 10).unwrap().len(), 1);
    assert_eq!(snapshot.find(&view, "a--1").unwrap().len(), 1);
    assert!(snapshot.was_relabelled(&view, label(3)).unwrap());
    assert_eq!(snapshot.get("member", "m").unwrap().as_deref(), Some(b"x".as_slice()));
    assert_eq!(snapshot.entries(0, 10).unwrap(), [entry(0)]);
    assert_eq!(snapshot.tile(0, 0).unwrap().as_deref(), Some(b"tile".as_slice()));
}

/// A transaction that is dropped never was; the next one takes its numbers.
pub fn a_dropped_transaction_leaves_nothing(make: Make<'_>) {
    let (subject, view) = (make(), view());
    let store = subject.store();
    for _ in 0..2 {
        let mut tx = store.begin().unwrap();
        write_a_bit_of_everything(tx.as_mut());
        drop(tx);
        assert_nothing_is_there(store, &view);
    }
    let tx = store.begin().unwrap();
    assert_eq!(tx.horizon(), Horizon::default());
    assert!(tx.find("a--1").unwrap().is_empty());
    assert!(tx.referrers("a--2").unwrap().is_empty());
    drop(tx);
    assert_eq!(publish(store, 1, 5, &[(3, &["b--1", "b--2"])]), CommitNo(1));
    let snapshot = store.snapshot().unwrap();
    assert_eq!(body_at(snapshot.as_ref(), &view, place(3, CommitNo(1), 1)), object("b--2").2);
    assert!(snapshot.find(&view, "a--1").unwrap().is_empty());
}

/// A snapshot shows what was there when it was taken, whatever is written, marked, erased or tended afterwards.
pub fn snapshots_do_not_move(make: Make<'_>) {
    let (subject, view) = (make(), view());
    let store = subject.store();
    let commit = publish(store, 1, 10, &[(0, &["a--1", "a--2"])]);
    let mut tx = store.begin().unwrap();
    tx.put(record("k", "a", "old")).unwrap();
    tx.commit().unwrap();

    let before = store.snapshot().unwrap();
    let horizon = before.horizon();
    let mut tx = store.begin().unwrap();
    append(tx.as_mut(), 1, 20, &[(0, &["a--1"])]);
    tx.put(record("k", "a", "new")).unwrap();
    tx.put(record("k", "b", "new")).unwrap();
    tx.append_entry(entry(0)).unwrap();
    tx.mark(Mark { position: place(0, commit, 1), left: Some((at(20), Departure::Gone)) }).unwrap();
    tx.erase(place(0, commit, 1)).unwrap();
    tx.commit().unwrap();
    for round in 0..3 {
        assert_eq!(before.horizon(), horizon, "round {round}");
        assert_eq!(all_runs(before.as_ref(), &view, 0).len(), 1, "round {round}");
        assert!(!all_runs(before.as_ref(), &view, 0)[0].marked, "round {round}");
        assert_eq!(before.commits(&view, collection(1), at(0), 10).unwrap().len(), 1, "round {round}");
        assert_eq!(before.find(&view, "a--1").unwrap().len(), 1, "round {round}");
        assert_eq!(before.find(&view, "a--2").unwrap()[0].left, None, "round {round}");
        assert_eq!(body_at(before.as_ref(), &view, place(0, commit, 1)), object("a--2").2, "round {round}");
        assert_eq!(before.get("k", "a").unwrap().as_deref(), Some(b"old".as_slice()), "round {round}");
        assert_eq!(before.list("k", "").unwrap().len(), 1, "round {round}");
        assert_eq!(before.entries(0, 10).unwrap(), [], "round {round}");
        assert_eq!(before.inventory().unwrap().objects, 2, "round {round}");
        tend(store);
        publish(store, 1, 30 + round, &[(0, &["a--1", "a--2"])]);
    }
    drop(before);
    let after = store.snapshot().unwrap();
    assert_eq!(after.find(&view, "a--1").unwrap().len(), 5);
    assert_eq!(after.find(&view, "a--2").unwrap()[0].left, Some((at(20), Departure::Gone)));
    assert_eq!(after.get("k", "a").unwrap().as_deref(), Some(b"new".as_slice()));
}

/// Commits are numbered from 1 without gaps, and an instant that was used up stays used up.
pub fn the_horizon_is_what_was_committed(make: Make<'_>) {
    let subject = make();
    let store = subject.store();
    assert_eq!(store.snapshot().unwrap().horizon(), Horizon::default());
    let mut tx = store.begin().unwrap();
    assert_eq!((tx.next_commit(), tx.next_commit()), (CommitNo(1), CommitNo(2)));
    tx.set_last(at(100));
    tx.set_last(at(50));
    assert_eq!(tx.horizon(), Horizon { last: at(100), commit: CommitNo(2), ..Horizon::default() });
    let horizon = tx.commit().unwrap();
    assert_eq!(store.snapshot().unwrap().horizon(), horizon);

    let mut tx = store.begin().unwrap();
    assert_eq!(tx.horizon(), horizon);
    tx.set_last(at(70));
    tx.set_epoch(Epoch::new(9));
    assert_eq!(tx.next_commit(), CommitNo(3));
    let want = Horizon { last: at(100), commit: CommitNo(3), epoch: Epoch::new(9), entries: 0 };
    assert_eq!(tx.commit().unwrap(), want);
    assert_eq!(store.begin().unwrap().horizon(), want);
}

/// One commit of the model: its collection, and how many objects it brings of which labels.
type Planned = (u8, Vec<(u32, u32)>);

fn planned_commits() -> impl Strategy<Value = Vec<Planned>> {
    let labels = subsequence((0..5_u32).collect::<Vec<_>>(), 1..=5);
    let commit = labels.prop_flat_map(|labels| {
        let counts = vec(1..5_u32, labels.len());
        (Just(labels), counts, 0..3_u8).prop_map(|(labels, counts, collection)| {
            // A label is of one collection; so the collections' labels are set apart.
            let labels =
                labels.iter().zip(counts).map(|(label, count)| (u32::from(collection) * 5 + label, count));
            (collection, labels.collect())
        })
    });
    vec(commit, 0..40)
}

/// Segments by label, commit and number, and commits by collection and instant, against lists.
pub fn segments_and_commits_are_found_as_a_model_finds_them(make: Make<'_>) {
    let view = view();
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&planned_commits(), |plan| {
            let subject = make();
            write_plan(subject.store(), &plan);
            let snapshot = subject.store().snapshot().unwrap();
            for number in 0..15 {
                agrees_on_label(snapshot.as_ref(), &view, &plan, number);
            }
            for number in 0..3 {
                agrees_on_collection(snapshot.as_ref(), &view, &plan, number);
            }
            Ok(())
        })
        .unwrap();
}

/// Commit number n stands at instant 10 n; several go into one transaction.
fn write_plan(store: &dyn Store, plan: &[Planned]) {
    for (group, commits) in plan.chunks(3).enumerate() {
        let mut tx = store.begin().unwrap();
        for (index, (number, labels)) in commits.iter().enumerate() {
            let nth = i64::try_from(group * 3 + index + 1).unwrap();
            let ids: Vec<Vec<String>> = labels
                .iter()
                .map(|(label, count)| (0..*count).map(|n| format!("x--{nth}-{label}-{n}")).collect())
                .collect();
            let ids: Vec<Vec<&str>> =
                ids.iter().map(|ids| ids.iter().map(String::as_str).collect()).collect();
            let labels: Vec<(u32, &[&str])> =
                labels.iter().zip(&ids).map(|((label, _), ids)| (*label, ids.as_slice())).collect();
            append(tx.as_mut(), *number, nth * 10, &labels);
        }
        tx.commit().unwrap();
    }
}

fn agrees_on_label(snapshot: &dyn Snapshot, view: &View, plan: &[Planned], number: u32) {
    // commit, before, count
    let mut want: Vec<(u64, u64, u32)> = Vec::new();
    let mut total = 0;
    for (nth, (_, labels)) in (1..).zip(plan) {
        if let Some((_, count)) = labels.iter().find(|(label, _)| *label == number) {
            want.push((nth, total, *count));
            total += u64::from(*count);
        }
    }
    let told = |run: &Run| {
        assert_eq!(run.at, at(i64::try_from(run.id.commit.0).unwrap() * 10));
        assert!(!run.marked);
        (run.id.commit.0, run.before, run.count)
    };
    let last = u64::try_from(plan.len()).unwrap();
    for from in [0, 1, last / 2, last, last + 1, u64::MAX] {
        for limit in [0, 1, 3, usize::MAX] {
            let runs = snapshot.runs(view, label(number), CommitNo(from), limit).unwrap();
            let want = want.iter().filter(|run| run.0 >= from).take(limit).copied();
            assert_eq!(runs.iter().map(told).collect::<Vec<_>>(), want.collect::<Vec<_>>(), "from {from}");
        }
    }
    for ordinal in (0..total + 2).chain([u64::MAX]) {
        let run = snapshot.run_at(view, label(number), ordinal).unwrap();
        let want = want.iter().find(|run| (run.1..run.1 + u64::from(run.2)).contains(&ordinal));
        assert_eq!(run.as_ref().map(told).as_ref(), want, "object {ordinal} of label {number}");
    }
    // Backwards as well, because a store may read ahead.
    for ordinal in (0..total).rev().step_by(2) {
        let run = snapshot.run_at(view, label(number), ordinal).unwrap().unwrap();
        assert!((run.before..run.before + u64::from(run.count)).contains(&ordinal), "object {ordinal}");
    }
    for commit in (0..last + 2).chain([u64::MAX]) {
        let count = snapshot.count_before(view, label(number), CommitNo(commit)).unwrap();
        let want: u64 = want.iter().filter(|run| run.0 < commit).map(|run| u64::from(run.2)).sum();
        assert_eq!(count, want, "before commit {commit}");
        let id = SegmentId { label: label(number), commit: CommitNo(commit) };
        let found = snapshot.run(view, id).unwrap().map(|run| run.id.commit.0);
        assert_eq!(found, plan_has(plan, number, commit).then_some(commit), "segment {id}");
    }
}

fn plan_has(plan: &[Planned], number: u32, commit: u64) -> bool {
    let planned = commit.checked_sub(1).and_then(|index| plan.get(usize::try_from(index).ok()?));
    planned.is_some_and(|(_, labels)| labels.iter().any(|(label, _)| *label == number))
}

fn agrees_on_collection(snapshot: &dyn Snapshot, view: &View, plan: &[Planned], number: u8) {
    let rows: Vec<CommitRow> = (1..)
        .zip(plan)
        .filter(|(_, (of, _))| *of == number)
        .map(|(nth, (_, labels))| CommitRow {
            no: CommitNo(nth),
            at: at(i64::try_from(nth).unwrap() * 10),
            labels: labels.iter().map(|(number, count)| (label(*number), *count)).collect(),
        })
        .collect();
    for second in (0..i64::try_from(plan.len()).unwrap() * 10 + 20).step_by(5) {
        for limit in [1, 4, usize::MAX] {
            let found = snapshot.commits(view, collection(number), at(second), limit).unwrap();
            let want: Vec<CommitRow> =
                rows.iter().filter(|row| row.at >= at(second)).take(limit).cloned().collect();
            assert_eq!(found, want, "from {second}");
        }
        let found = snapshot.commit_before(view, collection(number), at(second)).unwrap();
        let want = rows.iter().rfind(|row| row.at <= at(second)).map(|row| (row.no, row.at));
        assert_eq!(found, want, "at or before {second}");
    }
    assert_eq!(snapshot.commit_before(view, collection(99), Timestamp::MAX).unwrap(), None);
    assert_eq!(snapshot.commits(view, collection(99), Timestamp::MIN, 10).unwrap(), []);
}

/// Any range of the objects of a segment is read as it was written, joined by commas, behind what `out` held.
pub fn every_body_comes_back_byte_for_byte(make: Make<'_>) {
    let (subject, view) = (make(), view());
    let store = subject.store();
    let bodies: Vec<Vec<u8>> = vec![
        b"{}".to_vec(),
        "{\"a\":\"\u{fc}\u{1f512}, [ ]\"}".as_bytes().to_vec(),
        b"{ \"spaces\" :  1 }\n".to_vec(),
        vec![b'x'; 70_000],
        b"{\"last\":true}".to_vec(),
    ];
    let with_bodies = |ids: &str| -> Vec<(String, String, Vec<u8>)> {
        (0..).zip(&bodies).map(|(n, body)| (format!("{ids}--{n}"), String::new(), body.clone())).collect()
    };
    let mut tx = store.begin().unwrap();
    for second in 1..4 {
        let commit = tx.next_commit();
        let segments = (0..3).map(|number| {
            let id = SegmentId { label: label(number), commit };
            segment(id, collection(0), at(second), with_bodies(&format!("{number}-{second}")))
        });
        tx.append(segments.collect()).unwrap();
    }
    tx.commit().unwrap();
    let snapshot = store.snapshot().unwrap();
    for number in 0..3 {
        for run in all_runs(snapshot.as_ref(), &view, number) {
            let heads = snapshot.heads(&view, &run).unwrap();
            assert_eq!(heads.record(4).unwrap().id, format!("{number}-{}--4", run.id.commit.0));
            assert_eq!(snapshot.names(run.id).unwrap(), Some(heads));
            for Range { start, end } in (0..5).flat_map(|from| (from + 1..6).map(move |to| from..to)) {
                let mut out = b"before".to_vec();
                let count = u32::try_from(end - start).unwrap();
                snapshot.read(&view, &run, u32::try_from(start).unwrap(), count, &mut out).unwrap();
                let want = [b"before".to_vec(), bodies[start..end].join(&b',')].concat();
                assert!(out == want, "objects {start}..{end} of segment {}", run.id);
            }
        }
    }
    let missing = SegmentId { label: label(0), commit: CommitNo(9) };
    assert_eq!(snapshot.names(missing).unwrap(), None);
}

/// All copies of an id, in the order of arrival: those of the transaction itself, new ones, and tended ones.
pub fn an_id_is_found_wherever_its_index_is(make: Make<'_>) {
    let (mut subject, view) = (make(), view());
    let places = |copies: &[crate::Copy]| -> Vec<(CollectionId, Position, String)> {
        copies.iter().map(|copy| (copy.collection, copy.position(), copy.head.id.clone())).collect()
    };
    let of = |number, position, id: &str| (collection(number), position, id.to_owned());
    let store = subject.store();
    let first = publish(store, 1, 10, &[(4, &["a--1", "a--2"]), (7, &["a--1"])]);
    tend(store);
    let second = publish(store, 2, 20, &[(2, &["a--3", "a--1"])]);

    let mut tx = store.begin().unwrap();
    let third = append(tx.as_mut(), 1, 30, &[(4, &["a--1"])]);
    let old = [
        of(1, place(4, first, 0), "a--1"),
        of(1, place(7, first, 0), "a--1"),
        of(2, place(2, second, 1), "a--1"),
    ];
    let all = [old.as_slice(), &[of(1, place(4, third, 0), "a--1")]].concat();
    assert_eq!(places(&tx.find("a--1").unwrap()), all);
    assert_eq!(places(&store.snapshot().unwrap().find(&view, "a--1").unwrap()), old);
    tx.commit().unwrap();
    for round in 0..3 {
        let store = subject.store();
        let snapshot = store.snapshot().unwrap();
        assert_eq!(places(&snapshot.find(&view, "a--1").unwrap()), all, "round {round}");
        assert_eq!(places(&store.begin().unwrap().find("a--1").unwrap()), all, "round {round}");
        for absent in ["a--4", "a--", "a--11", ""] {
            assert!(snapshot.find(&view, absent).unwrap().is_empty(), "round {round}: `{absent}`");
        }
        drop(snapshot);
        tend(store);
        if round == 1 && !subject.reopen() {
            break;
        }
    }
}

/// A mark replaces the one before it; a segment says whether it has any.
pub fn the_last_mark_of_an_object_counts(make: Make<'_>) {
    let (subject, view) = (make(), view());
    let store = subject.store();
    let commit = publish(store, 1, 10, &[(0, &["a--1", "a--2", "a--3"]), (1, &["b--1"])]);
    let mark = |index, left| Mark { position: place(0, commit, index), left };
    let gone = Some((at(20), Departure::Gone));
    let mut tx = store.begin().unwrap();
    tx.mark(mark(2, None)).unwrap();
    tx.mark(mark(0, None)).unwrap();
    assert!(tx.find("a--1").unwrap()[0].run.marked);
    tx.commit().unwrap();
    let mut tx = store.begin().unwrap();
    tx.mark(mark(2, gone)).unwrap();
    assert_eq!(tx.find("a--3").unwrap()[0].left, gone);
    tx.commit().unwrap();

    let snapshot = store.snapshot().unwrap();
    let [marked, other] = [0, 1].map(|number| all_runs(snapshot.as_ref(), &view, number)[0]);
    assert!(marked.marked && !other.marked);
    assert_eq!(snapshot.marks(&view, &marked).unwrap(), [mark(0, None), mark(2, gone)]);
    assert_eq!(snapshot.marks(&view, &other).unwrap(), []);
    let left = |id| snapshot.find(&view, id).unwrap()[0].left;
    assert_eq!([left("a--1"), left("a--2"), left("a--3"), left("b--1")], [None, None, gone, None]);
}

/// Whether an object ever went from this label to another.
pub fn a_label_remembers_that_something_left_it(make: Make<'_>) {
    let (subject, view) = (make(), view());
    let store = subject.store();
    let commit = publish(store, 1, 10, &[(0, &["a--1"]), (1, &["a--2"]), (2, &["a--3"])]);
    let mut tx = store.begin().unwrap();
    tx.mark(Mark { position: place(0, commit, 0), left: Some((at(20), Departure::Relabelled)) }).unwrap();
    tx.mark(Mark { position: place(1, commit, 0), left: Some((at(20), Departure::Gone)) }).unwrap();
    tx.mark(Mark { position: place(2, commit, 0), left: None }).unwrap();
    tx.commit().unwrap();
    let snapshot = store.snapshot().unwrap();
    let relabelled = [0, 1, 2, 3].map(|number| snapshot.was_relabelled(&view, label(number)).unwrap());
    assert_eq!(relabelled, [true, false, false, false]);
}

/// What was erased reads as blanks, for the transaction that did it and for everyone after it; its neighbours stay.
pub fn an_erased_body_is_gone_for_every_later_reader(make: Make<'_>) {
    let (mut subject, view) = (make(), view());
    let ids = ["a--1", "a--2", "a--3"];
    let commit = publish(subject.store(), 1, 10, &[(0, &ids), (1, &ids)]);
    let want = |number: u32, erased: &[u32]| -> Vec<u8> {
        let bodies: Vec<Vec<u8>> = (0..)
            .zip(ids)
            .map(|(index, id)| {
                let body = object(id).2;
                let is_erased = number == 0 && erased.contains(&index);
                if is_erased { vec![b' '; body.len()] } else { body }
            })
            .collect();
        bodies.join(&b',')
    };
    let reads = |store: &dyn Store, erased: &[u32]| {
        let snapshot = store.snapshot().unwrap();
        for number in 0..2 {
            let run = all_runs(snapshot.as_ref(), &view, number)[0];
            let (mut whole, mut one) = (Vec::new(), Vec::new());
            snapshot.read(&view, &run, 0, 3, &mut whole).unwrap();
            assert_eq!(String::from_utf8_lossy(&whole), String::from_utf8_lossy(&want(number, erased)));
            snapshot.read(&view, &run, 1, 1, &mut one).unwrap();
            assert_eq!(one.trim_ascii().is_empty(), number == 0 && erased.contains(&1));
        }
    };
    let before = subject.store().snapshot().unwrap();
    let mut tx = subject.store().begin().unwrap();
    let position = place(0, commit, 1);
    tx.mark(Mark { position, left: Some((at(20), Departure::Gone)) }).unwrap();
    tx.erase(position).unwrap();
    let copy = &tx.find("a--2").unwrap()[0];
    assert!(!tx.is_same(copy, &object("a--2").2).unwrap());
    tx.commit().unwrap();
    reads(subject.store(), &[1]); // while an older snapshot is open
    assert_eq!(body_at(before.as_ref(), &view, position), object("a--2").2);
    drop(before);
    tend(subject.store());
    reads(subject.store(), &[1]);

    let mut tx = subject.store().begin().unwrap();
    tx.erase(position).unwrap();
    tx.erase(place(0, commit, 2)).unwrap();
    drop(tx);
    reads(subject.store(), &[1]);
    let mut tx = subject.store().begin().unwrap();
    tx.erase(place(0, commit, 0)).unwrap();
    tx.erase(place(0, commit, 1)).unwrap();
    tx.commit().unwrap();
    reads(subject.store(), &[0, 1]);
    subject.reopen();
    if subject.store().snapshot().unwrap().horizon().commit == commit {
        reads(subject.store(), &[0, 1]);
    }
}

/// A label that gets a small object in a large commit now and then: whoever follows it, walks the commits, counts or looks
/// up ids gets the same bytes, over restarts, given-up transactions and erasures.
pub fn a_rare_label_reads_the_same_along_it_and_across_the_commits(make: Make<'_>) {
    const COMMITS: u32 = 40;
    let (mut subject, view) = (make(), view());
    let id = |number: u32| format!("rare--{number}");
    let body = |number: u32, of: &str| -> Vec<u8> {
        let length = if of == "rare" { 700 + number as usize * 40 } else { 9_000 };
        of.bytes().chain(number.to_string().bytes()).cycle().take(length).collect()
    };
    let append = |tx: &mut dyn Transaction, number: u32| {
        let commit = tx.next_commit();
        let second = at(i64::from(number));
        tx.set_last(second);
        let of = |label_no: u32, id: String, of: &str| {
            let id_of = SegmentId { label: label(label_no), commit };
            segment(id_of, collection(1), second, [(id, String::new(), body(number, of))])
        };
        let common = of(0, format!("common--{number}"), "common");
        tx.append(vec![common, of(1, id(number), "rare")]).unwrap();
        commit
    };
    let mut erased = BTreeSet::new();
    for number in 0..COMMITS {
        if number % 9 == 5 {
            let mut given_up = subject.store().begin().unwrap();
            append(given_up.as_mut(), COMMITS);
            drop(given_up);
        }
        let mut tx = subject.store().begin().unwrap();
        let commit = append(tx.as_mut(), number);
        assert!(tx.is_same(&tx.find(&id(number)).unwrap()[0], &body(number, "rare")).unwrap());
        if number % 10 == 7 {
            let position = place(1, CommitNo(commit.0 - u64::from(number / 10)), 0);
            tx.mark(Mark { position, left: Some((at(i64::from(number)), Departure::Gone)) }).unwrap();
            tx.erase(position).unwrap();
            erased.insert(position.segment.commit);
        }
        tx.commit().unwrap();
        if number % 13 == 11 && !subject.reopen() {
            assert_eq!(subject.store().snapshot().unwrap().horizon().commit, commit);
        }
    }
    for _ in 0..2 {
        let snapshot = subject.store().snapshot().unwrap();
        let read = |run: &Run| {
            let mut out = Vec::new();
            snapshot.read(&view, run, 0, 1, &mut out).unwrap();
            out
        };
        let along: Vec<Vec<u8>> = all_runs(snapshot.as_ref(), &view, 1).iter().map(read).collect();
        assert_eq!(along.len(), COMMITS as usize);
        let rows = snapshot.commits(&view, collection(1), Timestamp::MIN, usize::MAX).unwrap();
        for ((number, row), along) in (0..).zip(&rows).zip(along) {
            let mut want = body(number, "rare");
            if erased.contains(&row.no) {
                want.fill(b' ');
            }
            assert!(along == want, "along the label, object {number}");
            for (of, want) in [(0, body(number, "common")), (1, want)] {
                let run = snapshot.run(&view, place(of, row.no, 0).segment).unwrap().unwrap();
                assert!(read(&run) == want, "across the commits, object {number} of label {of}");
                let run = snapshot.run_at(&view, label(of), u64::from(number)).unwrap().unwrap();
                assert!(read(&run) == want, "by its number, object {number} of label {of}");
            }
            let found = &snapshot.find(&view, &id(number)).unwrap()[0];
            assert_eq!(read(&found.run).first() == Some(&b' '), erased.contains(&row.no), "object {number}");
        }
        drop(snapshot);
        tend(subject.store());
        subject.reopen();
    }
}

/// The writer compares a body with a stored one, and takes one out for re-labelling.
pub fn a_stored_body_is_compared_and_given_back_to_the_writer(make: Make<'_>) {
    let subject = make();
    let store = subject.store();
    publish(store, 1, 10, &[(0, &["a--1", "a--2"])]);
    let mut tx = store.begin().unwrap();
    append(tx.as_mut(), 1, 20, &[(0, &["a--3"])]);
    for id in ["a--1", "a--2", "a--3"] {
        let copies = tx.find(id).unwrap();
        let body = object(id).2;
        assert_eq!(copies.len(), 1);
        assert!(tx.is_same(&copies[0], &body).unwrap(), "{id}");
        assert!(!tx.is_same(&copies[0], &body[1..]).unwrap(), "{id}");
        assert!(!tx.is_same(&copies[0], &object("a--x").2).unwrap(), "{id}");
        assert_eq!(tx.body_for_relabelling(&copies[0]).unwrap(), body);
    }
}

/// Who refers to an id is found, in the order of arrival and once, whether the id itself is there or not.
pub fn references_lead_to_those_who_refer(make: Make<'_>) {
    let (mut subject, target) = (make(), "a--absent");
    let commit = publish(subject.store(), 1, 10, &[(0, &["r--1", "r--2"]), (1, &["r--3"])]);
    let ids = |tx: &dyn Transaction, id: &str| -> Vec<String> {
        tx.referrers(id).unwrap().into_iter().map(|copy| copy.head.id).collect()
    };
    let mut tx = subject.store().begin().unwrap();
    tx.refer(target, place(1, commit, 0)).unwrap();
    tx.refer(target, place(0, commit, 1)).unwrap();
    tx.refer(target, place(0, commit, 1)).unwrap();
    tx.refer("a--other", place(0, commit, 0)).unwrap();
    let later = append(tx.as_mut(), 1, 20, &[(0, &["r--4"])]);
    tx.refer(target, place(0, later, 0)).unwrap();
    assert_eq!(ids(tx.as_ref(), target), ["r--2", "r--3", "r--4"]);
    tx.commit().unwrap();
    subject.reopen();
    let tx = subject.store().begin().unwrap();
    if tx.horizon().commit == later {
        assert_eq!(ids(tx.as_ref(), target), ["r--2", "r--3", "r--4"]);
        assert_eq!(ids(tx.as_ref(), "a--other"), ["r--1"]);
        assert_eq!(ids(tx.as_ref(), "r--1"), [""; 0]);
    }
}

/// Records are listed by kind and prefix, in the byte order of their keys, each as it was last written.
pub fn records_are_listed_in_the_order_of_their_keys(make: Make<'_>) {
    let subject = make();
    let store = subject.store();
    let mut tx = store.begin().unwrap();
    for (kind, key) in [
        ("b", "x/2"),
        ("b", "x/10"),
        ("b", "x"),
        ("b", "x/\u{fc}"),
        ("b", "X/1"),
        ("b", "x0"),
        ("a", "x/3"),
        ("bb", "x/4"),
        ("b", "x/%"),
    ] {
        tx.put(record(kind, key, "old")).unwrap();
    }
    tx.put(record("b", "x/2", "new")).unwrap();
    tx.remove("b", "x").unwrap();
    tx.remove("b", "never there").unwrap();
    tx.commit().unwrap();
    let snapshot = store.snapshot().unwrap();
    let keys = |kind: &str, prefix: &str| -> Vec<String> {
        snapshot.list(kind, prefix).unwrap().into_iter().map(|record| record.key).collect()
    };
    assert_eq!(keys("b", "x/"), ["x/%", "x/10", "x/2", "x/\u{fc}"]);
    let after = |after: &str, limit| -> Vec<String> {
        let records = snapshot.list_after("b", "x/", after, limit).unwrap();
        records.into_iter().map(|record| record.key).collect()
    };
    assert_eq!(after("", 9), keys("b", "x/"));
    assert_eq!(after("x/10", 9), ["x/2", "x/\u{fc}"]);
    assert_eq!(after("x/11", 1), ["x/2"]);
    assert_eq!(after("x/10", 0), [""; 0]);
    assert_eq!(after("x/\u{fc}", 9), [""; 0]);
    assert_eq!(after("y", 9), [""; 0]);
    assert_eq!(keys("b", ""), ["X/1", "x/%", "x/10", "x/2", "x/\u{fc}", "x0"]);
    assert_eq!(keys("b", "x/1"), ["x/10"]);
    assert_eq!(keys("b", "y"), [""; 0]);
    assert_eq!(keys("a", ""), ["x/3"]);
    assert_eq!(keys("", ""), [""; 0]);
    for (kind, last) in [("a", Some("x/3")), ("b", Some("x0")), ("bb", Some("x/4")), ("", None), ("c", None)]
    {
        assert_eq!(snapshot.last_key(kind).unwrap().as_deref(), last, "{kind}");
    }
    assert_eq!(snapshot.list("b", "x/2").unwrap(), [record("b", "x/2", "new")]);
    assert_eq!(snapshot.get("b", "x").unwrap(), None);
    assert_eq!(snapshot.get("b", "x/10").unwrap().as_deref(), Some(b"old".as_slice()));
    drop(snapshot);
    let mut tx = store.begin().unwrap();
    tx.remove("b", "x/2").unwrap();
    tx.commit().unwrap();
    assert_eq!(store.snapshot().unwrap().get("b", "x/2").unwrap(), None);
}

/// The ledger grows at its end and nowhere else; an entry out of turn spoils nothing.
pub fn ledger_entries_come_in_turn_only(make: Make<'_>) {
    let subject = make();
    let store = subject.store();
    let mut tx = store.begin().unwrap();
    assert!(tx.append_entry(entry(1)).is_err());
    tx.append_entry(entry(0)).unwrap();
    assert!(tx.append_entry(entry(0)).is_err());
    tx.append_entry(entry(1)).unwrap();
    assert_eq!(tx.commit().unwrap().entries, 2);
    let mut tx = store.begin().unwrap();
    for index in 2..10 {
        tx.append_entry(entry(index)).unwrap();
    }
    tx.commit().unwrap();
    let snapshot = store.snapshot().unwrap();
    let cases = [(0, 3, 0..3), (8, 100, 8..10), (10, 5, 0..0), (u64::MAX, 5, 0..0), (4, 0, 0..0)];
    for (from, limit, want) in cases {
        let want: Vec<StoredEntry> = want.map(entry).collect();
        assert_eq!(snapshot.entries(from, limit).unwrap(), want, "{limit} from {from}");
    }
}

/// A tile is found under its level and number.
pub fn tiles_are_kept(make: Make<'_>) {
    let subject = make();
    let store = subject.store();
    let tile = |level: u8, index: u64| vec![level ^ u8::try_from(index % 256).unwrap_or(0); 8_192];
    let mut tx = store.begin().unwrap();
    for (level, index) in [(0, 0), (0, 1), (1, 0), (0, 300)] {
        tx.put_tile(level, index, &tile(level, index)).unwrap();
    }
    tx.commit().unwrap();
    let snapshot = store.snapshot().unwrap();
    for (level, index, kept) in
        [(0, 0, true), (0, 1, true), (1, 0, true), (0, 300, true), (1, 1, false), (2, 0, false)]
    {
        let want = kept.then(|| tile(level, index));
        assert_eq!(snapshot.tile(level, index).unwrap(), want, "{level}/{index}");
    }
    assert_eq!(snapshot.tile(0, u64::MAX).unwrap(), None);
}

/// Objects without those that left, segments, entries, bytes.
pub fn the_inventory_counts_what_is_there(make: Make<'_>) {
    let subject = make();
    let store = subject.store();
    let commit = publish(store, 1, 10, &[(0, &["a--1", "a--2"]), (1, &["a--3"])]);
    let bytes = |ids: &[&str]| ids.iter().map(|id| u64::try_from(object(id).2.len()).unwrap()).sum::<u64>();
    let want = crate::Inventory {
        objects: 3,
        segments: 2,
        entries: 0,
        body_bytes: bytes(&["a--1", "a--2", "a--3"]) + 1,
    };
    assert_eq!(store.snapshot().unwrap().inventory().unwrap(), want);
    let mut tx = store.begin().unwrap();
    append(tx.as_mut(), 2, 20, &[(0, &["a--1"])]);
    tx.mark(Mark { position: place(0, commit, 0), left: None }).unwrap();
    tx.mark(Mark { position: place(0, commit, 0), left: Some((at(20), Departure::Relabelled)) }).unwrap();
    tx.mark(Mark { position: place(0, commit, 0), left: Some((at(20), Departure::Relabelled)) }).unwrap();
    tx.mark(Mark { position: place(1, commit, 0), left: Some((at(20), Departure::Gone)) }).unwrap();
    tx.append_entry(entry(0)).unwrap();
    tx.commit().unwrap();
    let want = crate::Inventory {
        objects: 2,
        segments: 3,
        entries: 1,
        body_bytes: want.body_bytes + bytes(&["a--1"]),
    };
    assert_eq!(store.snapshot().unwrap().inventory().unwrap(), want);
}

/// Readers that run beside a writer see each commit whole or not at all, ids and bodies included.
pub fn readers_beside_a_writer_see_whole_commits(make: Make<'_>) {
    const COMMITS: u64 = 300;
    let (subject, view) = (make(), view());
    let (store, done) = (subject.store(), AtomicBool::new(false));
    let reads = || {
        let (mut rounds, mut last) = (0, 0);
        while !done.load(Ordering::Acquire) || rounds == 0 {
            let snapshot = store.snapshot().unwrap();
            let commit = snapshot.horizon().commit;
            assert!(commit.0 >= last, "a later snapshot shows less");
            last = commit.0;
            for number in 0..2 {
                assert_eq!(all_runs(snapshot.as_ref(), &view, number).len() as u64, commit.0);
            }
            let key = commit.0.to_string();
            let recorded = snapshot.get("last", "commit").unwrap();
            assert_eq!(recorded.unwrap_or(b"0".to_vec()), key.as_bytes());
            if commit.0 > 0 {
                let copies = snapshot.find(&view, &format!("x--{key}")).unwrap();
                let found: Vec<Position> = copies.iter().map(crate::Copy::position).collect();
                assert_eq!(found, [place(0, commit, 0), place(1, commit, 0)]);
                assert_eq!(snapshot.find(&view, "x--1").unwrap().len(), 2);
                assert_eq!(body_at(snapshot.as_ref(), &view, found[1]), object(&format!("x--{key}")).2);
            }
            assert!(snapshot.find(&view, &format!("x--{}", commit.0 + 1)).unwrap().is_empty());
            rounds += 1;
        }
    };
    thread::scope(|scope| {
        let readers = [scope.spawn(reads), scope.spawn(reads)];
        for number in 1..=COMMITS {
            let mut tx = store.begin().unwrap();
            let id = format!("x--{number}");
            append(tx.as_mut(), 1, i64::try_from(number).unwrap(), &[(0, &[&id]), (1, &[&id])]);
            tx.put(record("last", "commit", &number.to_string())).unwrap();
            tx.commit().unwrap();
            if number % 7 == 0 {
                store.tend().unwrap();
            }
        }
        done.store(true, Ordering::Release);
        for reader in readers {
            reader.join().unwrap();
        }
    });
    assert_eq!(store.snapshot().unwrap().horizon().commit, CommitNo(COMMITS));
}

/// A durable store that is closed and opened again holds everything, before and after its index is tended.
pub fn what_was_committed_is_there_when_opened_again(make: Make<'_>) {
    let (mut subject, view) = (make(), view());
    let mut tx = subject.store().begin().unwrap();
    write_a_bit_of_everything(tx.as_mut());
    tx.commit().unwrap();
    for round in 0..4 {
        let mut tx = subject.store().begin().unwrap();
        let second = 20 + round;
        append(tx.as_mut(), 1, second, &[(3, &["a--1", "a--3"]), (5, &["a--3"])]);
        let horizon = tx.commit().unwrap();
        let inventory = subject.store().snapshot().unwrap().inventory().unwrap();
        if round % 2 == 1 {
            tend(subject.store());
        }
        drop(subject.store().begin().unwrap());
        if !subject.reopen() {
            return;
        }
        let snapshot = subject.store().snapshot().unwrap();
        assert_eq!(snapshot.horizon(), horizon, "round {round}");
        assert_eq!(snapshot.inventory().unwrap(), inventory, "round {round}");
        let commits = usize::try_from(horizon.commit.0).unwrap();
        assert_eq!(
            snapshot.commits(&view, collection(1), at(0), 100).unwrap().len(),
            commits,
            "round {round}"
        );
        assert_eq!(snapshot.find(&view, "a--1").unwrap().len(), commits, "round {round}");
        assert_eq!(snapshot.find(&view, "a--3").unwrap().len(), (commits - 1) * 2, "round {round}");
        assert_eq!(
            body_at(snapshot.as_ref(), &view, place(3, horizon.commit, 1)),
            object("a--3").2,
            "round {round}"
        );
        assert_eq!(
            body_at(snapshot.as_ref(), &view, place(3, CommitNo(1), 0)),
            object("a--1").2,
            "round {round}"
        );
        let mark = Mark { position: place(3, CommitNo(1), 0), left: Some((at(11), Departure::Relabelled)) };
        let first = snapshot.run(&view, mark.position.segment).unwrap().unwrap();
        assert_eq!(snapshot.marks(&view, &first).unwrap(), [mark], "round {round}");
        assert!(snapshot.was_relabelled(&view, label(3)).unwrap(), "round {round}");
        assert_eq!(snapshot.list("member", "").unwrap(), [record("member", "m", "x")], "round {round}");
        assert_eq!(snapshot.entries(0, 9).unwrap(), [entry(0)], "round {round}");
        assert_eq!(snapshot.tile(0, 0).unwrap().as_deref(), Some(b"tile".as_slice()), "round {round}");
        drop(snapshot);
        let tx = subject.store().begin().unwrap();
        assert_eq!(tx.horizon(), horizon, "round {round}");
        assert_eq!(tx.referrers("a--2").unwrap().len(), 1, "round {round}");
    }
}
