//! Measures the store alone: durable ingest, pages and look-ups, beside the same rows in plain tables of the database.
//!
//! ```text
//! cargo run --release -p store-sqlite --example ingest -- [objects] [directory] [part of a measurement's name]
//! ```
//!
//! Objects have 1,000 bytes and come in commits of 1,000. What is timed is the store's part: from `begin` to the
//! durable `commit`, with and without the look-up of each new id that finds duplicates. Hashing the bodies is the
//! caller's. The directory is where the data lies meanwhile; it should be on the disk that is to be measured.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use model::{CollectionId, LabelId, Principal, Role, Timestamp};
use release::{Audience, Demands, Grants, Label, LabelFacts, View};
use rusqlite::Connection;
use store::contract::{segment, view_with};
use store::timeline::{BlockCache, Page, Query, VersionChoice, page};
use store::{CommitNo, Segment, SegmentId, Store};
use store_sqlite::SqliteStore;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const COMMIT: usize = 1_000;
const BODY: usize = 1_000;
const PAGES: usize = 200;

/// `SplitMix64`: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn object(&mut self) -> (String, String, Vec<u8>) {
        let (high, low) = (self.next(), self.next());
        let id = format!(
            "indicator--{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            high & 0xffff,
            low >> 52,
            low & 0xfff,
            low >> 16
        );
        let version = "2016-01-01T00:00:00.000Z".to_owned();
        let mut body = format!(r#"{{"type":"indicator","id":"{id}","modified":"{version}","pad":""#);
        body.extend(std::iter::repeat_n('x', (BODY - 2).saturating_sub(body.len())));
        body.push_str("\"}");
        (id, version, body.into_bytes())
    }
}

/// How the objects of a commit are spread over labels.
#[derive(Clone, Copy)]
enum Spread {
    /// Evenly at random over so many.
    Labels(u64),
    /// One object of each commit has label 1, the rest label 0.
    OneInAThousand,
    /// One object a commit, all of label 0.
    Single,
}

impl Spread {
    fn label(self, numbers: &mut Numbers, index: usize) -> u32 {
        match self {
            Self::Labels(count) => u32::try_from(numbers.below(count)).unwrap_or(0),
            Self::OneInAThousand => u32::from(index == 500),
            Self::Single => 0,
        }
    }

    fn labels(self) -> u32 {
        match self {
            Self::Labels(count) => u32::try_from(count).unwrap_or(u32::MAX),
            Self::OneInAThousand => 2,
            Self::Single => 1,
        }
    }

    fn commit(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Labels(_) | Self::OneInAThousand => COMMIT,
        }
    }
}

fn collection() -> Outcome<CollectionId> {
    Ok("00000000-0000-4000-8000-000000000001".parse()?)
}

fn at(commit: u64) -> Timestamp {
    Timestamp::from_micros(commit.cast_signed() * 1_000_000)
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let objects: usize = arguments.first().map_or(Ok(1_000_000), |text| text.parse())?;
    let root = arguments.get(1).map_or_else(env::temp_dir, PathBuf::from).join("store-sqlite-ingest");
    println!("{objects} objects of {BODY} bytes, commits of {COMMIT}, in {}", root.display());
    let only = arguments.get(2).map_or("", String::as_str);
    if "plain tables".contains(only) {
        plain(&root.join("plain"), objects)?;
    }
    for (name, spread, objects, finds) in [
        ("1 label", Spread::Labels(1), objects, false),
        ("1 label, each id looked up", Spread::Labels(1), objects, true),
        ("10 labels", Spread::Labels(10), objects, false),
        ("0.1 % of them in a label of its own", Spread::OneInAThousand, objects, false),
        ("only that 0.1 %, in commits of 1", Spread::Single, objects / 1_000, false),
        ("10,000 labels", Spread::Labels(10_000), objects / 10, false),
        ("10 labels, as many objects", Spread::Labels(10), objects / 10, false),
    ] {
        if name.contains(only) {
            store(&root, name, spread, objects, finds)?;
        }
    }
    fs::remove_dir_all(&root)?;
    Ok(())
}

fn store(root: &Path, name: &str, spread: Spread, objects: usize, finds: bool) -> Outcome<()> {
    // A directory for each, removed at the end: a disk that is busy discarding deleted files flushes slowly.
    let dir = &root.join(name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
    clear(dir)?;
    let store = SqliteStore::open(dir)?;
    let (mut numbers, mut taken, mut worst) = (Numbers(7), Duration::ZERO, Duration::ZERO);
    let mut ids = Vec::new();
    for number in 1..=objects / spread.commit() {
        let commit = CommitNo(u64::try_from(number)?);
        let segments = segments(&mut numbers, spread, commit)?;
        ids.extend(segments.first().map(|segment| segment.heads[0].id.clone()));
        let started = Instant::now();
        let mut tx = store.begin()?;
        tx.next_commit();
        if finds {
            for head in segments.iter().flat_map(|segment| &segment.heads) {
                assert!(tx.find(&head.id)?.is_empty(), "random ids do not repeat");
            }
        }
        tx.append(segments)?;
        tx.set_last(at(commit.0));
        tx.commit()?;
        taken += started.elapsed();
        worst = worst.max(started.elapsed());
    }
    println!("\n{name}");
    rate("  ingest", objects, taken);
    println!(
        "  slowest commit {worst:.1?}, resident {} MB, database {} MB",
        resident()?,
        megabytes(&dir.join("hub.db"))?
    );
    let started = Instant::now();
    while store.tend()? {}
    println!("  indexing what was left took {:.0?}", started.elapsed());
    read(&store, spread, objects)?;
    find(&store, &ids, &mut numbers)?;
    drop(store);
    let started = Instant::now();
    drop(SqliteStore::open(dir)?);
    println!("  opening took {:.1?}", started.elapsed());
    Ok(())
}

fn segments(numbers: &mut Numbers, spread: Spread, commit: CommitNo) -> Outcome<Vec<Segment>> {
    let mut objects: Vec<(u32, _)> =
        (0..spread.commit()).map(|index| (spread.label(numbers, index), numbers.object())).collect();
    objects.sort_by_key(|(label, _)| *label);
    let labels: BTreeSet<u32> = objects.iter().map(|(label, _)| *label).collect();
    let mut objects = objects.into_iter().peekable();
    let mut segments = Vec::with_capacity(labels.len());
    for label in labels {
        let of_label =
            std::iter::from_fn(|| objects.next_if(|(other, _)| *other == label).map(|(_, object)| object));
        let id = SegmentId { label: LabelId::new(label), commit };
        segments.push(segment(id, collection()?, at(commit.0), of_label));
    }
    Ok(segments)
}

/// A reader to whom these labels are open, and what it asks with.
struct Reader {
    view: View,
    labels: Vec<LabelId>,
    facts: Vec<LabelFacts>,
}

impl Reader {
    fn new(count: u32, is_open: impl Fn(u32) -> bool) -> Outcome<Self> {
        let label = |number: u32| -> Outcome<LabelFacts> {
            let label = Label {
                collection: collection()?,
                tier: "open".parse()?,
                demands: Demands { tlp: Some(if is_open(number) { 0 } else { 4 }), ..Demands::default() },
                creator: Principal::Role(Role::Operator),
                audience: Audience::Everyone,
                release_at: None,
                release_until: None,
                ends: BTreeSet::new(),
                unless: None,
            };
            Ok(LabelFacts { label: std::sync::Arc::new(label), created: at(0) })
        };
        let facts = (0..count).map(label).collect::<Outcome<Vec<_>>>()?;
        let mut grants = Grants::default();
        grants.judge_new(&facts, |label| label.demands.tlp == Some(0));
        Ok(Self { view: view_with(grants), labels: (0..count).map(LabelId::new).collect(), facts })
    }

    /// Takes one page in a snapshot of its own; returns it with its bytes.
    fn page(
        &self,
        store: &SqliteStore,
        after: Option<Timestamp>,
        cache: &BlockCache,
    ) -> Outcome<(Page, Vec<u8>)> {
        let versions = VersionChoice::last();
        let query = Query {
            collection: collection()?,
            labels: &self.labels,
            facts: &self.facts,
            after,
            horizon: Timestamp::MAX,
            now: Timestamp::MAX.plus_micros(-1),
            limit: COMMIT,
            bytes_max: usize::MAX,
            scan_bytes_max: usize::MAX,
            versions: &versions,
            sieve: None,
        };
        let snapshot = store.snapshot()?;
        let page = page(snapshot.as_ref(), &self.view, &query, cache)?;
        let mut bytes = Vec::with_capacity(page.count * (BODY + 1));
        page.read(snapshot.as_ref(), &self.view, &mut bytes)?;
        Ok((page, bytes))
    }
}

fn read(store: &SqliteStore, spread: Spread, objects: usize) -> Outcome<()> {
    let cache = BlockCache::default();
    let commits = u64::try_from(objects / spread.commit())?;
    let all = Reader::new(spread.labels(), |_| true)?;
    let mut numbers = Numbers(11);
    // A cursor in the middle of a commit, so that most pages are of two.
    let mut cursor = || at(numbers.below(commits.max(2) * 9 / 10) + 1).plus_micros(777);
    let first = pages(store, &all, || None, &cache)?;
    println!("  page from the start: {}", first.0);
    let deep = pages(store, &all, || Some(cursor()), &cache)?;
    println!("  page from a random cursor: {}", deep.0);
    if matches!(spread, Spread::OneInAThousand) {
        let few = Reader::new(spread.labels(), |label| label == 1)?;
        println!("  page for who may read 0.1 %: {}", pages(store, &few, || None, &cache)?.0);
    }
    Ok(())
}

fn pages(
    store: &SqliteStore,
    reader: &Reader,
    mut after: impl FnMut() -> Option<Timestamp>,
    cache: &BlockCache,
) -> Outcome<(String, usize)> {
    let (mut taken, mut objects, mut bytes) = (Duration::ZERO, 0, 0);
    for _ in 0..PAGES {
        let after = after();
        let started = Instant::now();
        let (page, read) = reader.page(store, after, cache)?;
        taken += started.elapsed();
        objects += page.count;
        bytes += read.len();
    }
    let per_second = |count: usize| rounded(count, taken);
    let each = taken / u32::try_from(PAGES)?;
    let told = format!(
        "{each:.1?} ({} objects each, {} objects/s, {} MB/s)",
        objects / PAGES,
        per_second(objects),
        per_second(bytes) / 1_000_000
    );
    Ok((told, objects))
}

fn find(store: &SqliteStore, ids: &[String], numbers: &mut Numbers) -> Outcome<()> {
    let reader = Reader::new(1, |_| true)?;
    let snapshot = store.snapshot()?;
    let started = Instant::now();
    let mut found = 0;
    for _ in 0..COMMIT {
        let index = usize::try_from(numbers.below(u64::try_from(ids.len())?))?;
        found += snapshot.find(&reader.view, &ids[index])?.len();
    }
    assert_eq!(found, COMMIT);
    rate("  look-up of a random id", COMMIT, started.elapsed());
    Ok(())
}

/// The same rows in a table with an index on ids and one on collection and date.
fn plain(dir: &Path, objects: usize) -> Outcome<()> {
    clear(dir)?;
    let connection = Connection::open(dir.join("plain.db"))?;
    connection.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -24576;
         CREATE TABLE objects (pos INTEGER PRIMARY KEY, id TEXT, version TEXT, added INTEGER, collection INTEGER, body BLOB);
         CREATE INDEX by_id ON objects (id);
         CREATE INDEX by_date ON objects (collection, added);",
    )?;
    let (mut numbers, mut taken) = (Numbers(7), Duration::ZERO);
    for number in 1..=objects / COMMIT {
        let rows: Vec<_> = (0..COMMIT).map(|_| numbers.object()).collect();
        let started = Instant::now();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut insert = connection.prepare_cached(
            "INSERT INTO objects (id, version, added, collection, body) VALUES (?, ?, ?, 1, ?)",
        )?;
        for (id, version, body) in &rows {
            insert.execute((id, version, i64::try_from(number)?, body))?;
        }
        connection.execute_batch("COMMIT")?;
        taken += started.elapsed();
    }
    println!("\nplain tables");
    rate("  ingest", objects, taken);
    Ok(())
}

fn clear(dir: &Path) -> Outcome<()> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    Ok(fs::create_dir_all(dir)?)
}

fn rate(what: &str, count: usize, taken: Duration) {
    println!("{what}: {} /s", rounded(count, taken));
}

fn rounded(count: usize, taken: Duration) -> u128 {
    u128::try_from(count).unwrap_or(0) * 1_000_000_000 / taken.as_nanos().max(1)
}

fn megabytes(path: &Path) -> Outcome<u64> {
    Ok(fs::metadata(path)?.len() / 1_000_000)
}

/// Resident memory in MB, as the kernel tells it.
fn resident() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1_000)
}
