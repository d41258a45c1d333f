//! The contract, and what is particular to a directory.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use model::{CollectionId, LabelId, Timestamp};
use store::contract::{Subject, segment, view};
use store::{
    CommitError, CommitNo, Departure, Mark, Position, Record, SegmentId, Store, StoreError, StoredEntry,
    Transaction,
};
use tempfile::TempDir;

use crate::bodies::file_name;
use crate::faults::{Faults, Step, When};
use crate::keys::{COMMITS_MAX, LABELS_MAX};
use crate::near::{COPIES_MAX, SHELF};
use crate::open::{SqliteStore, Tuning};
use crate::{restore, verify};

/// A store in a directory of its own. When it is done with, the directory has to be sound.
struct InDirectory {
    store: Option<SqliteStore>,
    dir: TempDir,
    tuning: Tuning,
}

impl InDirectory {
    fn new(tuning: Tuning) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open_with(dir.path(), tuning.clone()).unwrap();
        Self { store: Some(store), dir, tuning }
    }

    fn sqlite(&self) -> &SqliteStore {
        self.store.as_ref().unwrap()
    }

    fn close(&mut self) {
        self.store = None;
    }

    fn body_file(&self, number: u32) -> PathBuf {
        self.dir.path().join("bodies").join(file_name(number))
    }
}

impl Subject for InDirectory {
    fn store(&self) -> &dyn Store {
        self.sqlite()
    }

    fn reopen(&mut self) -> bool {
        self.close();
        self.store = Some(SqliteStore::open_with(self.dir.path(), self.tuning.clone()).unwrap());
        true
    }
}

impl Drop for InDirectory {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.close();
            assert_eq!(verify(self.dir.path()).unwrap().problems, [""; 0]);
        }
    }
}

mod as_it_is {
    use super::*;

    store::store_contract!(|| -> Box<dyn Subject> { Box::new(InDirectory::new(Tuning::default())) });
}

/// Limits so small that files roll and ids are moved in every test.
mod with_small_limits {
    use super::*;

    store::store_contract!(|| -> Box<dyn Subject> { Box::new(InDirectory::new(small())) });
}

/// Every small segment but the first of a label has a copy.
mod with_copies {
    use super::*;

    store::store_contract!(|| -> Box<dyn Subject> { Box::new(InDirectory::new(copying())) });
}

fn small() -> Tuning {
    Tuning { file_size_max: 100, recent_max: 3, slice: 2, far: 0, ..Tuning::default() }
}

fn copying() -> Tuning {
    Tuning { far: 0, ..Tuning::default() }
}

fn collection() -> CollectionId {
    "00000000-0000-4000-8000-000000000001".parse().unwrap()
}

fn body(id: &str) -> Vec<u8> {
    format!(r#"{{"id":"{id}"}}"#).into_bytes()
}

fn append(tx: &mut dyn Transaction, ids: &[&str]) -> Result<SegmentId, StoreError> {
    let commit = tx.next_commit();
    let (id, at) =
        (SegmentId { label: LabelId::new(1), commit }, Timestamp::from_micros(commit.0.cast_signed()));
    let objects = ids.iter().map(|id| ((*id).to_owned(), String::new(), body(id)));
    tx.append(vec![segment(id, collection(), at, objects)])?;
    Ok(id)
}

fn publish(store: &dyn Store, ids: &[&str]) -> Result<SegmentId, CommitError> {
    let mut tx = store.begin().map_err(CommitError::NotApplied)?;
    let id = append(tx.as_mut(), ids).map_err(CommitError::NotApplied)?;
    let entries = tx.horizon().entries;
    let entry = StoredEntry { index: entries, salt: [7; 32], body: b"entry".to_vec() };
    tx.append_entry(entry).map_err(CommitError::NotApplied)?;
    tx.commit()?;
    Ok(id)
}

/// The bodies of an id's copies.
fn found(store: &dyn Store, id: &str) -> Vec<Vec<u8>> {
    let (snapshot, view) = (store.snapshot().unwrap(), view());
    let copies = snapshot.find(&view, id).unwrap();
    let read = |copy: &store::Copy| {
        let mut out = Vec::new();
        snapshot.read(&view, &copy.run, copy.index, 1, &mut out).unwrap();
        out
    };
    copies.iter().map(read).collect()
}

/// A hook that fails once, when it is armed for the step.
#[derive(Clone, Default)]
struct Trap(Arc<Mutex<Option<(Step, When, ErrorKind)>>>);

impl Trap {
    fn arm(&self, step: Step, when: When, kind: ErrorKind) {
        *self.0.lock().unwrap() = Some((step, when, kind));
    }

    fn is_sprung(&self) -> bool {
        self.0.lock().unwrap().is_none()
    }

    fn faults(&self) -> Faults {
        let trap = self.clone();
        Faults::new(move |step, when| {
            let mut armed = trap.0.lock().unwrap();
            match *armed {
                Some((at, side, kind)) if (at, side) == (step, when) => {
                    *armed = None;
                    Err(io::Error::from(kind))
                }
                Some(_) | None => Ok(()),
            }
        })
    }
}

#[test]
fn a_commit_survives_every_fault() {
    let cases = [
        // step         fails     known to be undone  there after a restart
        (Step::Append, When::Before, true, false),
        (Step::Append, When::After, true, false),
        (Step::Flush, When::Before, true, false),
        (Step::Flush, When::After, true, false),
        (Step::Commit, When::Before, false, false),
        (Step::Commit, When::After, false, true),
    ];
    for (limits, (step, when, is_undone, is_there)) in
        [Tuning::default(), small(), copying()].iter().flat_map(|limits| cases.map(|case| (limits, case)))
    {
        let trap = Trap::default();
        let mut subject = InDirectory::new(Tuning { faults: trap.faults(), ..limits.clone() });
        for ids in [["a--1", "a--2"], ["a--3", "a--4"]] {
            publish(subject.store(), &ids).unwrap();
        }
        trap.arm(step, when, ErrorKind::StorageFull);
        let failed = publish(subject.store(), &["b--1", "a--1"]).unwrap_err();
        assert!(trap.is_sprung(), "{step:?} {when:?}");
        assert_eq!(matches!(failed, CommitError::NotApplied(_)), is_undone, "{step:?} {when:?}: {failed}");
        if is_undone {
            assert_eq!(found(subject.store(), "b--1").len(), 0, "{step:?} {when:?}");
            let next = publish(subject.store(), &["c--1", "a--1"]).unwrap();
            assert_eq!(next.commit, CommitNo(3), "{step:?} {when:?}");
        } else {
            // Whatever readers see now, nothing may be built on it.
            assert!(found(subject.store(), "a--1").len() <= 2, "{step:?} {when:?}");
            assert!(subject.store().begin().is_err(), "{step:?} {when:?}");
            assert!(subject.store().tend().is_err(), "{step:?} {when:?}");
        }
        subject.reopen();
        assert_eq!(found(subject.store(), "b--1").len(), usize::from(is_there), "{step:?} {when:?}");
        let want = vec![body("a--1"); if is_undone || is_there { 2 } else { 1 }];
        assert_eq!(found(subject.store(), "a--1"), want, "{step:?} {when:?}");
        publish(subject.store(), &["d--1"]).unwrap();
        assert_eq!(found(subject.store(), "d--1"), [body("d--1")], "{step:?} {when:?}");
    }
}

#[test]
fn a_full_disk_under_the_database_applies_nothing() {
    let mut subject = InDirectory::new(Tuning::default());
    publish(subject.store(), &["a--1"]).unwrap();
    let limit = |pages: u32| {
        let writer = subject.sqlite().writer().unwrap();
        writer.connection.pragma_update(None, "max_page_count", pages).unwrap();
    };
    limit(1); // which means: as many as there are
    let mut tx = subject.store().begin().unwrap();
    append(tx.as_mut(), &["a--2"]).unwrap();
    let big = Record { kind: "k".to_owned(), key: "k".to_owned(), value: vec![1; 1 << 20] };
    assert!(tx.put(big).is_err());
    // Its owner may not notice; still nothing of it may land.
    assert!(tx.put(Record { kind: "k".to_owned(), key: "small".to_owned(), value: Vec::new() }).is_err());
    assert!(matches!(tx.commit(), Err(CommitError::NotApplied(_))));
    assert_eq!(subject.store().snapshot().unwrap().get("k", "small").unwrap(), None);
    assert_eq!(found(subject.store(), "a--2").len(), 0);
    limit(u32::MAX);
    publish(subject.store(), &["a--2"]).unwrap();
    subject.reopen();
    assert_eq!(found(subject.store(), "a--2"), [body("a--2")]);
}

/// How often a body lies in the first body file.
fn copies_in_file(subject: &InDirectory, id: &str) -> usize {
    let (bytes, body) = (fs::read(subject.body_file(1)).unwrap(), body(id));
    bytes.windows(body.len()).filter(|window| *window == body).count()
}

#[test]
fn an_erased_body_leaves_its_file_as_soon_as_nobody_older_reads() {
    for (limits, copies) in [(Tuning::default(), 1), (copying(), 2)] {
        let trap = Trap::default();
        let mut subject = InDirectory::new(Tuning { faults: trap.faults(), ..limits });
        let erase = |subject: &InDirectory, segment: SegmentId, index: u32| {
            let position = Position { segment, index };
            let mut tx = subject.store().begin().unwrap();
            tx.mark(Mark { position, left: Some((Timestamp::EPOCH, Departure::Gone)) }).unwrap();
            tx.erase(position).unwrap();
            tx.commit().unwrap();
        };
        publish(subject.store(), &["b--0"]).unwrap();
        let of = publish(subject.store(), &["a--0", "a--1", "a--2", "a--3"]).unwrap();
        assert_eq!(copies_in_file(&subject, "a--0"), copies);
        erase(&subject, of, 0);
        assert_eq!(copies_in_file(&subject, "a--0"), 0);

        let older = subject.store().snapshot().unwrap();
        erase(&subject, of, 1);
        assert_eq!(copies_in_file(&subject, "a--1"), copies);
        let newer = subject.store().snapshot().unwrap();
        drop(older);
        subject.store().tend().unwrap();
        assert_eq!(copies_in_file(&subject, "a--1"), 0);
        drop(newer);

        for when in [When::Before, When::After] {
            let held = subject.store().snapshot().unwrap();
            erase(&subject, of, 2);
            drop(held);
            trap.arm(Step::Erase, when, ErrorKind::Other);
            assert!(subject.store().tend().is_err());
            assert!(trap.is_sprung());
            assert!(!found(subject.store(), "a--2")[0].contains(&b'a'));
        }
        let held = subject.store().snapshot().unwrap();
        erase(&subject, of, 3);
        drop(held);
        assert_eq!(copies_in_file(&subject, "a--3"), copies);
        subject.reopen(); // as after a crash
        for id in ["a--2", "a--3"] {
            assert_eq!(copies_in_file(&subject, id), 0, "{id}");
        }
    }
}

/// Commits of a large segment of label 0 and a small one of label 1. Returns the bodies of the small ones.
fn publish_sparsely(subject: &mut InDirectory, commits: u32) -> Vec<Vec<u8>> {
    let object = |kind: &str, number: u32, length: usize| {
        let id = format!("{kind}--{number}");
        let body: Vec<u8> = id.bytes().cycle().take(length).collect();
        (id, String::new(), body)
    };
    let mut bodies = Vec::new();
    for number in 0..commits {
        if number == commits / 2 {
            subject.reopen();
        }
        let mut tx = subject.store().begin().unwrap();
        let commit = tx.next_commit();
        let of = |label: u32, object: (String, String, Vec<u8>)| {
            let id = SegmentId { label: LabelId::new(label), commit };
            segment(id, collection(), Timestamp::from_micros(commit.0.cast_signed()), [object])
        };
        let small = object("small", number, 1_000);
        bodies.push(small.2.clone());
        tx.append(vec![of(0, object("large", number, 8_000)), of(1, small)]).unwrap();
        tx.commit().unwrap();
    }
    bodies
}

#[test]
fn small_segments_of_a_rare_label_lie_together_and_large_ones_are_written_once() {
    const COMMITS: u32 = 50;
    let mut subject = InDirectory::new(Tuning::default());
    let bodies = publish_sparsely(&mut subject, COMMITS);
    let (snapshot, view) = (subject.store().snapshot().unwrap(), view());
    let runs = |label: u32| snapshot.runs(&view, LabelId::new(label), CommitNo(0), usize::MAX).unwrap();
    for (run, body) in runs(1).iter().zip(&bodies) {
        let mut read = Vec::new();
        snapshot.read(&view, run, 0, 1, &mut read).unwrap();
        assert!(read == *body, "{}", run.id);
    }
    let shelves: BTreeSet<u64> = runs(1).iter().skip(1).map(|run| run.place.offset / SHELF).collect();
    let on_a_shelf = usize::try_from(SHELF / 1_000).unwrap();
    assert_eq!(shelves.len(), bodies.len().div_ceil(on_a_shelf), "a restart goes on with the same shelf");
    let copied: i64 = (subject.sqlite().writer().unwrap().connection)
        .query_row("SELECT count(*) FROM segments WHERE near IS NOT NULL AND length > 4096", (), |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(copied, 0);
}

#[test]
fn a_commit_of_very_many_small_segments_is_written_once() {
    let subject = InDirectory::new(copying());
    let copied = || -> u32 {
        (subject.sqlite().writer().unwrap().connection)
            .query_row("SELECT count(near) FROM segments", (), |row| row.get(0))
            .unwrap()
    };
    let most = u32::try_from(COPIES_MAX).unwrap();
    // The first commit of the labels has nothing to lie beside.
    for (labels, copies) in [(most + 1, 0), (most, most), (most + 1, most)] {
        let mut tx = subject.store().begin().unwrap();
        let commit = tx.next_commit();
        let of = |label: u32| {
            let id = SegmentId { label: LabelId::new(label), commit };
            let name = format!("a--{label}");
            let at = Timestamp::from_micros(commit.0.cast_signed());
            segment(id, collection(), at, [(name.clone(), String::new(), body(&name))])
        };
        tx.append((0..labels).map(of).collect()).unwrap();
        tx.commit().unwrap();
        assert_eq!(copied(), copies, "{labels} labels");
    }
}

#[test]
fn what_a_crash_left_behind_is_cut_off() {
    let mut subject = InDirectory::new(Tuning::default());
    publish(subject.store(), &["a--1"]).unwrap();
    subject.close();
    let length = fs::metadata(subject.body_file(1)).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(subject.body_file(1)).unwrap();
    file.write_all_at(b"garbage", length).unwrap();
    fs::write(subject.body_file(2), b"garbage").unwrap();
    subject.reopen();
    assert_eq!(fs::metadata(subject.body_file(1)).unwrap().len(), length);
    assert!(!subject.body_file(2).exists());
    publish(subject.store(), &["a--1"]).unwrap();
    assert_eq!(found(subject.store(), "a--1"), [body("a--1"), body("a--1")]);
}

#[test]
fn a_body_file_that_lacks_bytes_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    publish(&SqliteStore::open(dir.path()).unwrap(), &["a--1", "a--2"]).unwrap();
    let path = dir.path().join("bodies").join(file_name(1));
    let length = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 1).unwrap();
    assert!(matches!(SqliteStore::open(dir.path()), Err(StoreError::Damaged(_))));
    assert!(!verify(dir.path()).unwrap().is_sound());
}

#[test]
fn any_changed_byte_is_found() {
    for (limits, has_copy) in [(Tuning::default(), false), (copying(), true)] {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open_with(dir.path(), limits).unwrap();
        publish(&store, &["a--1", "a--2"]).unwrap();
        publish(&store, &["a--3"]).unwrap();
        while store.tend().unwrap() {}
        drop(store);
        assert!(verify(dir.path()).unwrap().is_sound());
        let path = dir.path().join("bodies").join(file_name(1));
        let sound = fs::read(&path).unwrap();
        let shelf = usize::try_from(SHELF).unwrap();
        let bytes = if has_copy { shelf..shelf + body("a--3").len() } else { 0..sound.len() };
        for at in bytes {
            let mut damaged = sound.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert!(!verify(dir.path()).unwrap().is_sound(), "byte {at}");
        }
    }
}

#[test]
fn everything_in_the_directory_is_for_its_owner_alone() {
    let other = tempfile::tempdir().unwrap();
    let (data, backup, restored) =
        (other.path().join("data"), other.path().join("backup"), other.path().join("restored"));
    let store = SqliteStore::open(&data).unwrap();
    publish(&store, &["a--1"]).unwrap();
    store.backup(&backup).unwrap();
    restore(&backup, &restored).unwrap();
    let mut seen = 0;
    let mut ways = vec![data, backup, restored];
    while let Some(path) = ways.pop() {
        let found = fs::metadata(&path).unwrap();
        let want = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(found.permissions().mode() & 0o777, want, "{}", path.display());
        seen += 1;
        if found.is_dir() {
            ways.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    // Of each: the directory, the database, the folder of bodies and a file in it, the lock; and the open one's log.
    assert!(seen >= 3 * 5 + 2, "{seen}");
    drop(store);
}

#[test]
fn only_one_process_writes_and_no_reader_opens_it_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    assert!(SqliteStore::open_read_only(dir.path()).is_err());
    let store = SqliteStore::open(dir.path()).unwrap();
    publish(&store, &["a--1"]).unwrap();
    assert!(matches!(SqliteStore::open(dir.path()), Err(StoreError::InUse(_))));
    assert!(matches!(SqliteStore::open_read_only(dir.path()), Err(StoreError::InUse(_))));
    assert!(matches!(verify(dir.path()), Err(StoreError::InUse(_))));
    drop(store);
    let readers = [0, 1].map(|_| SqliteStore::open_read_only(dir.path()).unwrap());
    for reader in &readers {
        assert_eq!(found(reader, "a--1"), [body("a--1")]);
        assert!(reader.begin().is_err());
    }
    assert!(matches!(SqliteStore::open(dir.path()), Err(StoreError::InUse(_))));
    drop(readers);
    SqliteStore::open(dir.path()).unwrap();
}

#[test]
fn a_store_of_a_newer_program_or_from_before_the_first_release_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    store.writer().unwrap().connection.pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    for refused in [SqliteStore::open(dir.path()), SqliteStore::open_read_only(dir.path())] {
        assert!(matches!(refused, Err(StoreError::TooNew { found: 99, .. })));
    }
    let database = rusqlite::Connection::open(dir.path().join("hub.db")).unwrap();
    database.pragma_update(None, "user_version", 1).unwrap();
    drop(database);
    for refused in [SqliteStore::open(dir.path()), SqliteStore::open_read_only(dir.path())] {
        assert!(matches!(refused, Err(StoreError::TooOld { found: 1, .. })));
    }
    assert!(matches!(verify(dir.path()), Err(StoreError::TooOld { .. })));
}

#[test]
fn what_is_no_commit_is_refused_and_cannot_be_committed() {
    let subject = InDirectory::new(Tuning::default());
    let objects = || [("a--1".to_owned(), String::new(), body("a--1"))];
    let id = |label, commit| SegmentId { label: LabelId::new(label), commit: CommitNo(commit) };
    let made = |id| segment(id, collection(), Timestamp::EPOCH, objects());
    let mut without_ends = made(id(1, 1));
    without_ends.ends.clear();
    let mut too_long = made(id(1, 1));
    too_long.heads[0].version = "x".repeat(256);
    let cases = [
        ("a label beyond the limit", vec![made(id(LABELS_MAX, 1))]),
        ("a commit beyond the limit", vec![made(id(1, COMMITS_MAX))]),
        ("labels out of order", vec![made(id(2, 1)), made(id(1, 1))]),
        ("two commits", vec![made(id(1, 1)), made(id(2, 2))]),
        ("no objects", vec![segment(id(1, 1), collection(), Timestamp::EPOCH, [])]),
        ("no ends", vec![without_ends]),
        ("a version that is too long", vec![too_long]),
    ];
    for (what, segments) in cases {
        let mut tx = subject.store().begin().unwrap();
        tx.append(segments).expect_err(what);
        assert!(matches!(tx.commit(), Err(CommitError::NotApplied(_))), "{what}");
    }
    assert_eq!(found(subject.store(), "a--1").len(), 0);
}

#[test]
fn a_backup_that_is_taken_while_the_hub_writes_is_restored() {
    let mut subject = InDirectory::new(small());
    let other = tempfile::tempdir().unwrap();
    let at = |name: &str| other.path().join(name);
    let store = subject.sqlite();
    let first = publish(store, &["a--1", "a--2"]).unwrap();
    let (written, backups) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while backups.load(Ordering::Acquire) < 3 {
                let number = written.fetch_add(1, Ordering::AcqRel);
                let segment = publish(store, &[&format!("x--{number}"), "a--1"]).unwrap();
                if number % 3 == 0 {
                    let mut tx = store.begin().unwrap();
                    tx.mark(Mark {
                        position: Position { segment, index: 0 },
                        left: Some((Timestamp::EPOCH, Departure::Gone)),
                    })
                    .unwrap();
                    tx.erase(Position { segment, index: 0 }).unwrap();
                    tx.commit().unwrap();
                }
                store.tend().unwrap();
            }
        });
        for number in 0..3 {
            let before = written.load(Ordering::Acquire);
            while written.load(Ordering::Acquire) < before + 3 {
                std::thread::yield_now();
            }
            let report = store.backup(at(&format!("b{number}"))).unwrap();
            assert!(report.objects > 2 && report.bytes > 0);
            backups.fetch_add(1, Ordering::AcqRel);
        }
    });
    assert!(store.backup(at("b0")).is_err(), "a backup is not overwritten");
    for number in 0..3 {
        let (backup, restored) = (at(&format!("b{number}")), at(&format!("r{number}")));
        let report = restore(&backup, &restored).unwrap();
        assert!(report.is_sound(), "{report:?}");
        let store = SqliteStore::open(&restored).unwrap();
        assert_eq!(found(&store, "a--2"), [body("a--2")]);
        let copies = found(&store, "a--1");
        assert_eq!(copies.len() as u64, store.snapshot().unwrap().horizon().commit.0);
        assert!(copies.iter().all(|copy| *copy == body("a--1")));
        assert_eq!(publish(&store, &["y--1"]).unwrap().commit.0, copies.len() as u64 + 1);
        drop(store);
        assert_eq!(verify(&restored).unwrap().problems, [""; 0]);
    }
    let bodies = at("b0").join("bodies").join(file_name(1));
    let mut damaged = fs::read(&bodies).unwrap();
    damaged[3] ^= 1;
    fs::write(&bodies, damaged).unwrap();
    assert!(matches!(restore(at("b0"), at("r9")), Err(StoreError::Damaged(_))));
    assert_eq!(first.commit, CommitNo(1));
    subject.close();
}

#[test]
fn snapshots_beyond_the_first_few_share_connections() {
    let subject = InDirectory::new(Tuning::default());
    publish(subject.store(), &["a--1"]).unwrap();
    for _ in 0..3 {
        let open: Vec<_> = (0..20).map(|_| subject.store().snapshot().unwrap()).collect();
        assert!(open.iter().all(|snapshot| snapshot.horizon().commit == CommitNo(1)));
    }
}
