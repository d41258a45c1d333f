//! A process that is killed at any moment loses nothing that it acknowledged, and leaves nothing half done.
//!
//! The test starts itself a second time as a writer. The writer commits batch after batch and prints the number of each
//! when it is acknowledged; it is killed in the middle of that, the directory is checked, and the next writer goes on
//! where this one stopped.

#![expect(clippy::unwrap_used, reason = "the whole file is one test")]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use model::{CollectionId, LabelId, Timestamp};
use release::View;
use store::contract::{segment, view};
use store::{Departure, Mark, Position, Record, SegmentId, Snapshot, Store, StoredEntry};
use store_sqlite::{SqliteStore, verify};

const WRITES_TO: &str = "CRASH_WRITES_TO";
const ROUNDS: u64 = 40;
/// How many objects of each label a batch has: a few small ones, which get a copy beside others of their label, because
/// the large ones of the other label lie between.
const OBJECTS: [u32; 2] = [3, 20];
/// What the bodies of each label have at least, in bytes.
const PADDING: [u64; 2] = [0, 250];
/// A batch erases the first object of the batch so many before it.
const ERASES_BACK: u64 = 3;

fn collection() -> CollectionId {
    "00000000-0000-4000-8000-000000000001".parse().unwrap()
}

fn id(batch: u64, label: u32, index: u32) -> String {
    format!("indicator--{batch}-{label}-{index}")
}

fn body(batch: u64, label: u32, index: u32) -> Vec<u8> {
    let padding = "x".repeat(usize::try_from(PADDING[label as usize] + batch % 700).unwrap());
    format!(r#"{{"id":"{}","p":"{padding}"}}"#, id(batch, label, index)).into_bytes()
}

fn position(batch: u64, label: u32, index: u32) -> Position {
    let commit = store::CommitNo(batch);
    Position { segment: SegmentId { label: LabelId::new(label), commit }, index }
}

/// Writes batches until it is killed. A batch's number is that of its commit.
fn write(dir: &Path) {
    let store = SqliteStore::open(dir).unwrap();
    loop {
        let mut tx = store.begin().unwrap();
        let commit = tx.next_commit();
        let at = Timestamp::from_micros(commit.0.cast_signed() * 1_000);
        tx.set_last(at);
        let segments = (0..2).map(|label| {
            let objects = (0..OBJECTS[label as usize])
                .map(|n| (id(commit.0, label, n), String::new(), body(commit.0, label, n)));
            segment(position(commit.0, label, 0).segment, collection(), at, objects)
        });
        tx.append(segments.collect()).unwrap();
        let entry = StoredEntry { index: commit.0 - 1, salt: [1; 32], body: commit.0.to_le_bytes().to_vec() };
        tx.append_entry(entry).unwrap();
        let value = commit.0.to_string().into_bytes();
        tx.put(Record { kind: "batch".to_owned(), key: "last".to_owned(), value }).unwrap();
        if commit.0 > ERASES_BACK {
            let position = position(commit.0 - ERASES_BACK, 0, 0);
            tx.mark(Mark { position, left: Some((at, Departure::Gone)) }).unwrap();
            tx.erase(position).unwrap();
        }
        tx.commit().unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {}", commit.0).unwrap();
        out.flush().unwrap();
        if commit.0.is_multiple_of(5) {
            store.tend().unwrap();
        }
    }
}

/// Kills a writer some time after its first acknowledgement; returns the last number that it acknowledged.
fn kill_a_writer(dir: &Path, after: Duration) -> u64 {
    let mut writer = Command::new(env::current_exe().unwrap())
        .args(["--exact", "nothing_acknowledged_is_lost_and_nothing_is_half_there", "--nocapture"])
        .env(WRITES_TO, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let number =
        |line: &str| line.rsplit_once("acknowledged ").map(|(_, number)| number.parse::<u64>().unwrap());
    let mut last =
        lines.by_ref().find_map(|line| number(&line.unwrap())).expect("the writer acknowledged nothing");
    let started = Instant::now();
    while started.elapsed() < after {
        std::hint::spin_loop();
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    // What it had printed is still in the pipe. The last line may be cut short.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    if let Some((cut, whole)) = rest.split_last() {
        last = whole.iter().filter_map(|line| number(line)).fold(last, u64::max);
        let is_next = |found: &u64| *found == last + 1;
        last = number(cut).filter(is_next).unwrap_or(last);
    }
    last
}

/// Every batch up to the last is whole; returns the number of the last.
fn check(dir: &Path, view: &View) -> u64 {
    let report = verify(dir).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    let store = SqliteStore::open(dir).unwrap();
    let snapshot = store.snapshot().unwrap();
    let batches = snapshot.horizon().commit.0;
    assert_eq!(snapshot.horizon().entries, batches);
    assert_eq!(snapshot.get("batch", "last").unwrap(), Some(batches.to_string().into_bytes()));
    assert_eq!(snapshot.entries(0, usize::MAX).unwrap().len() as u64, batches);
    let rows = snapshot.commits(view, collection(), Timestamp::MIN, usize::MAX).unwrap();
    assert_eq!(rows.len() as u64, batches);
    for batch in 1..=batches {
        for label in 0..2 {
            check_segment(
                snapshot.as_ref(),
                view,
                batch,
                label,
                batch + ERASES_BACK <= batches && label == 0,
            );
        }
    }
    batches
}

fn check_segment(snapshot: &dyn Snapshot, view: &View, batch: u64, label: u32, is_first_erased: bool) {
    let count = OBJECTS[label as usize];
    let mut bodies: Vec<Vec<u8>> = (0..count).map(|index| body(batch, label, index)).collect();
    if is_first_erased {
        bodies[0].fill(b' ');
    }
    let segment = position(batch, label, 0).segment;
    let across = snapshot.run(view, segment).unwrap().unwrap();
    let along = snapshot.runs(view, segment.label, segment.commit, 1).unwrap()[0];
    for run in [across, along] {
        assert_eq!((run.id, run.count, run.before), (segment, count, (batch - 1) * u64::from(count)));
        let mut read = Vec::new();
        snapshot.read(view, &run, 0, count, &mut read).unwrap();
        assert!(read == bodies.join(&b','), "batch {batch}, label {label}");
    }
    let last = count - 1;
    let copies = snapshot.find(view, &id(batch, label, last)).unwrap();
    assert_eq!(copies.iter().map(store::Copy::position).collect::<Vec<_>>(), [position(batch, label, last)]);
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_half_there() {
    if let Some(dir) = env::var_os(WRITES_TO) {
        write(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let (view, mut total) = (view(), 0);
    for round in 0..ROUNDS {
        // Up to 8 ms in steps that do not fit into one another: within a commit, between two, at a checkpoint.
        let after = Duration::from_micros(round * 1_777 % 8_000);
        let acknowledged = kill_a_writer(dir.path(), after);
        let found = check(dir.path(), &view);
        assert!(found >= acknowledged, "round {round}: {acknowledged} acknowledged, {found} there");
        assert!(found <= acknowledged + 1, "round {round}: {acknowledged} acknowledged, {found} there");
        assert!(found > total, "round {round}: nothing was written");
        total = found;
    }
    eprintln!("{ROUNDS} kills, {total} batches");
}
