//! Names: how often a proposal is right, beside a peer's frozen scores, and what it costs to find.
//!
//! The labelled pairs ship with nomenklatura (MIT), with the scores of `OpenSanctions`' logic-v2 for them. The file of scores
//! is an older edition of the pairs than the one without; both are measured, and the peer on the rows that it scored. The
//! pairs are halved by a hash of the two names: the weights and tables of `matching` were chosen while looking at the
//! seen half. The same bearers are in both halves, under other misspellings, so the halves are no strangers.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use matching::{Index, Kind, Name, PROPOSED, Subject, compare};

use crate::process::own_cpu;
use crate::report::{self, Bound, Report, Row};
use crate::units::{float, median, millis, per_second, short};

/// `OpenSanctions`' logic-v2 reaches this with its own threshold, on its own file.
const F1_MIN: f64 = 0.79;
const PEER_PROPOSED: f64 = 0.7;
const ROUNDS: u32 = 500;
const FILINGS: u32 = 10;

/// Measures names alone, and writes their part of the table.
pub(crate) fn run() -> Result<ExitCode> {
    let begun = Instant::now();
    let setting = "Labelled pairs of names, and the names of a public sanctions list; one thread.".to_owned();
    let mut report = Report::new("Names", "cargo run --release -p bench -- names".to_owned(), setting);
    report.add("F1 of proposals", quality());
    report.add("names compared", comparing());
    report.add("names found in an index", finding());
    report::write(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("RESULTS.md"),
        &report.markdown(begun.elapsed().as_secs()),
    )?;
    Ok(if report.rows.iter().any(Row::is_short) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn data(name: &str) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/ties").join(name);
    ensure!(path.exists(), "{} is absent", path.display());
    Ok(path)
}

struct Pair {
    subjects: [Subject; 2],
    is_match: bool,
    is_seen: bool,
    /// What the peer said, where the file has that.
    peer: Option<f64>,
}

fn pairs(file: &str) -> Result<Vec<Pair>> {
    let mut rows = csv::Reader::from_path(data(&format!("names/{file}"))?)?;
    let columns = rows.headers()?.clone();
    let column = |name: &str| columns.iter().position(|column| column == name);
    let wanted = |name: &str| column(name).with_context(|| format!("{file} has no column `{name}`"));
    let (schema, one, other) = (wanted("schema")?, wanted("name1")?, wanted("name2")?);
    let (is_match, score) = (wanted("is_match")?, column("score"));
    let mut pairs = Vec::new();
    for row in rows.records() {
        let row = row?;
        let kind = if &row[schema] == "Person" { Kind::Person } else { Kind::Organisation };
        pairs.push(Pair {
            subjects: [Name::parse(&row[one], kind)?.into(), Name::parse(&row[other], kind)?.into()],
            is_match: &row[is_match] == "true",
            is_seen: is_seen(&row[one], &row[other]),
            peer: score.map(|score| row[score].parse()).transpose()?,
        });
    }
    Ok(pairs)
}

/// FNV-1a over both names, the lesser first: an even one was looked at.
fn is_seen(one: &str, other: &str) -> bool {
    let (one, other) = if one <= other { (one, other) } else { (other, one) };
    let bytes = one.bytes().chain([0]).chain(other.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 32)).is_multiple_of(2)
}

#[derive(Default)]
struct Tally {
    found: u32,
    false_alarms: u32,
    missed: u32,
}

impl Tally {
    fn count(&mut self, is_match: bool, is_proposed: bool) {
        match (is_match, is_proposed) {
            (true, true) => self.found += 1,
            (false, true) => self.false_alarms += 1,
            (true, false) => self.missed += 1,
            (false, false) => {}
        }
    }

    fn f1(&self) -> f64 {
        f64::from(2 * self.found) / f64::from((2 * self.found + self.false_alarms + self.missed).max(1))
    }

    fn told(&self) -> String {
        let Self { found, false_alarms, missed } = self;
        format!("{:.3} ({found} found, {false_alarms} false alarms, {missed} missed)", self.f1())
    }
}

fn quality() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let halves = [("all", &[true, false][..]), ("seen half", &[true]), ("unseen half", &[false])];
    for (file, edition) in [
        ("name_bench_logicv2_frozen.csv", "the peer's edition"),
        ("name_bench_cases.csv", "the later edition"),
    ] {
        let pairs = pairs(file)?;
        for (half, seen) in halves {
            let (mut ours, mut peer) = (Tally::default(), Tally::default());
            let (mut count, mut is_scored) = (0, false);
            for pair in pairs.iter().filter(|pair| seen.contains(&pair.is_seen)) {
                let [one, other] = &pair.subjects;
                ours.count(pair.is_match, compare(one, other).score >= PROPOSED);
                if let Some(score) = pair.peer {
                    peer.count(pair.is_match, score >= PEER_PROPOSED);
                    is_scored = true;
                }
                count += 1;
            }
            let beside = if is_scored { format!("logic-v2: {}", peer.told()) } else { String::new() };
            let measure = format!("F1 of proposals, {edition}, {half}: {count} pairs");
            let bound = Bound::AtLeast(if is_scored { F1_MIN.max(peer.f1()) } else { F1_MIN });
            rows.push(Row::told(&measure, ours.told(), beside).judged(ours.f1(), bound, None));
        }
    }
    Ok(rows)
}

fn comparing() -> Result<Vec<Row>> {
    let pairs = pairs("name_bench_cases.csv")?;
    let begun = own_cpu()?;
    let mut proposed = 0_u64;
    for _ in 0..ROUNDS {
        for Pair { subjects: [one, other], .. } in &pairs {
            proposed += u64::from(compare(one, other).score >= PROPOSED);
        }
    }
    let took = own_cpu()?.saturating_sub(begun);
    ensure!(proposed > 0, "nothing was proposed");
    let rate = per_second(u64::try_from(pairs.len())? * u64::from(ROUNDS), took);
    Ok(vec![Row::told("names compared, with reasons, pairs a CPU-s", format!("{} /s", short(rate)), "")])
}

/// Files a whole list with the right-hand names, and asks for the left-hand ones.
fn finding() -> Result<Vec<Row>> {
    let pairs = pairs("name_bench_cases.csv")?;
    let mut subjects: Vec<Subject> = pairs.iter().map(|pair| pair.subjects[1].clone()).collect();
    for (file, name, kind) in [("ofac_csl/sdn.csv", 1, Some(2)), ("ofac_csl/alt.csv", 3, None)] {
        let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(data(file)?)?;
        for row in rows.byte_records() {
            let row = row?;
            let text = |at: usize| String::from_utf8_lossy(row.get(at).unwrap_or_default());
            let kind = match kind.map(text).as_deref().map(str::trim) {
                Some("individual") => Kind::Person,
                Some(_) => Kind::Organisation,
                None => Kind::Unknown,
            };
            subjects.extend(Name::parse(&text(name), kind).ok().map(Subject::from));
        }
    }
    let begun = own_cpu()?;
    let mut index = Index::new();
    for _ in 0..FILINGS {
        index = Index::new();
        for (key, subject) in (0_u32..).zip(&subjects) {
            index.insert(key, subject.clone());
        }
    }
    let took = own_cpu()?.saturating_sub(begun);
    let filed = per_second(u64::try_from(subjects.len())? * u64::from(FILINGS), took);
    let (mut reached, mut proposed) = (0_u64, 0_u64);
    let mut times: Vec<Duration> = Vec::new();
    for (key, Pair { subjects: [one, other], .. }) in (0_u32..).zip(&pairs) {
        let begun = Instant::now();
        let proposals = index.propose(one, usize::MAX);
        times.push(begun.elapsed());
        if compare(one, other).score >= PROPOSED {
            proposed += 1;
            reached += u64::from(proposals.iter().any(|proposal| proposal.key == key));
        }
    }
    let middle = median(&mut times).unwrap_or_default();
    let slow = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
    let count = short(float(u64::try_from(subjects.len())?));
    Ok(vec![
        Row::told(&format!("names filed in an index, {count} of them"), format!("{} /s", short(filed)), ""),
        Row::told(
            &format!(
                "proposals that the index of {count} names reaches, of those that comparing all would give"
            ),
            format!("{reached} of {proposed}"),
            "",
        )
        .judged(float(reached) / float(proposed.max(1)), Bound::AtLeast(0.95), None),
        Row::told(
            &format!("one name against {count}"),
            format!("p50 {}, p99 {}", millis(middle), millis(slow)),
            "",
        ),
    ])
}
