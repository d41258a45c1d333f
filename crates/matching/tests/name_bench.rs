//! The labelled name pairs that ship with nomenklatura (MIT), if they lie beside the project; skipped aloud otherwise.
//!
//! The pairs are halved by a hash of the two names. The tables and weights of this crate were chosen while looking at the
//! `seen` half; the other half tells what they are worth elsewhere. The halves are no strangers: the same bearers are in
//! both, under other misspellings.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::path::{Path, PathBuf};

use matching::{Kind, Name, PROPOSED, compare};

#[derive(Clone, Copy, Default)]
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

    fn f1(self) -> f64 {
        f64::from(2 * self.found) / f64::from(2 * self.found + self.false_alarms + self.missed)
    }

    fn told(self) -> String {
        let Self { found, false_alarms, missed } = self;
        format!("F1 {:.3} ({found} found, {false_alarms} false alarms, {missed} missed)", self.f1())
    }
}

struct Pair {
    is_person: bool,
    names: [String; 2],
    is_match: bool,
    /// What the peer said of it, where the file has that.
    peer: Option<f64>,
}

impl Pair {
    /// FNV-1a over both names, the lesser first.
    fn is_seen(&self) -> bool {
        let mut names = self.names.clone();
        names.sort();
        let hash = names.join("\0").bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        (hash ^ (hash >> 32)).is_multiple_of(2)
    }

    fn is_proposed(&self) -> bool {
        let kind = if self.is_person { Kind::Person } else { Kind::Organisation };
        let [one, other] = self.names.each_ref().map(|name| Name::parse(name, kind).unwrap().into());
        compare(&one, &other).score >= PROPOSED
    }
}

fn pairs(file: &str) -> Option<Vec<Pair>> {
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/ties/names").join(file);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    let mut rows = csv::Reader::from_path(path).unwrap();
    let columns = rows.headers().unwrap().clone();
    let column = |name: &str| columns.iter().position(|column| column == name);
    let [schema, name1, name2, is_match] =
        ["schema", "name1", "name2", "is_match"].map(|name| column(name).unwrap());
    let score = column("score");
    let pairs = rows.records().map(|row| {
        let row = row.unwrap();
        Pair {
            is_person: &row[schema] == "Person",
            names: [row[name1].to_owned(), row[name2].to_owned()],
            is_match: &row[is_match] == "true",
            peer: score.map(|score| row[score].parse().unwrap()),
        }
    });
    Some(pairs.collect())
}

#[test]
fn proposals_beat_the_frozen_peer_on_both_halves() {
    for file in ["name_bench_cases.csv", "name_bench_logicv2_frozen.csv"] {
        let Some(pairs) = pairs(file) else { continue };
        for (half, seen) in [("seen", &[true][..]), ("unseen", &[false]), ("all", &[true, false])] {
            let (mut ours, mut peer) = (Tally::default(), Tally::default());
            for pair in pairs.iter().filter(|pair| seen.contains(&pair.is_seen())) {
                ours.count(pair.is_match, pair.is_proposed());
                if let Some(score) = pair.peer {
                    peer.count(pair.is_match, score >= 0.7);
                }
            }
            eprintln!("{file}, {half}: {}; peer {}", ours.told(), peer.told());
            assert!(ours.f1() > 0.79, "{file}, {half}: {}", ours.told());
            assert!(peer.f1().is_nan() || ours.f1() > peer.f1(), "{file}, {half}: {}", peer.told());
        }
    }
}
