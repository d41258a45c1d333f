//! Single comparisons, beside the reference matcher: published patterns on observations that fit them, and on others.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use stix_pattern::{BUDGET, Compiled, Instant, Observation, Pattern, Verdict};
use uuid::Uuid;

use super::matcher::timed;
use super::names::folder;
use crate::report::{Bound, Row};
use crate::ties::peers::answer;
use crate::units::{per_second, short};

/// How many patterns: more than fit into the processor's nearest cache.
const PATTERNS: usize = 2_000;
const ROUNDS: u64 = 1_000;
/// What the issue asks for, a second.
const RATE: f64 = 10e6;

#[derive(Deserialize)]
struct Published {
    pattern: String,
}

/// What the reference matcher's program says.
#[derive(Deserialize)]
struct Reference {
    version: String,
    rate: f64,
    matched: u64,
}

/// A pattern with an observation that fits it.
struct Case {
    text: String,
    compiled: Compiled,
    object: Value,
    observed: Observation,
}

pub(super) fn measure(home: &Path, names: &[String]) -> Result<Vec<Row>> {
    let cases = cases(names)?;
    let mut matched = 0;
    let took = timed(|| {
        for _ in 0..ROUNDS {
            matched = 0;
            for (at, case) in cases.iter().enumerate() {
                for other in [case, &cases[(at + 1) % cases.len()]] {
                    let verdict = black_box(&case.compiled).evaluate([&other.observed], BUDGET);
                    matched += u64::from(verdict == Verdict::Match);
                }
            }
        }
    })?;
    let rate = per_second(ROUNDS * 2 * u64::try_from(cases.len())?, took);
    let reference = reference(home, &cases);
    if let Ok(reference) = &reference {
        ensure!(
            reference.matched == matched,
            "{matched} pairs match, {} by the reference",
            reference.matched
        );
    }
    let beside = match reference {
        Ok(Reference { version, rate: theirs, .. }) => {
            format!("{version}: {} /s, {} times slower", short(theirs), short(rate / theirs))
        }
        Err(why) => format!("stix2-matcher: not measured ({why:#})"),
    };
    let ours = format!("{} /s; {matched} of {} pairs match", short(rate), 2 * cases.len());
    let row = Row::told("pattern evaluation, single comparison, a CPU-s", ours, beside);
    Ok(vec![row.judged(rate, Bound::AtLeast(RATE), None)])
}

fn reference(home: &Path, cases: &[Case]) -> Result<Reference> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("work/matcher/bin/python");
    ensure!(python.exists(), "run bench/setup.sh");
    let mut lines = String::new();
    for case in cases {
        let line = json!({"pattern": case.text, "objects": [case.object]});
        let _ = writeln!(lines, "{line}");
    }
    let file = home.join("patterns.jsonl");
    fs::write(&file, lines)?;
    answer("stix2-matcher", Command::new(python).arg(here.join("peers/guard/stix2_matcher.py")).arg(file))
}

/// Published patterns, as far as they are one equality of what an object of theirs is easily made for; then names.
fn cases(names: &[String]) -> Result<Vec<Case>> {
    let path = folder().join("../patterns/real-world-patterns.jsonl.xz");
    let mut cases = Vec::new();
    if path.exists() {
        for line in BufReader::new(liblzma::read::XzDecoder::new(File::open(path)?)).lines() {
            let published: Published = serde_json::from_str(&line?)?;
            cases.extend(case(&published.pattern));
            if cases.len() == PATTERNS {
                break;
            }
        }
    }
    let made = names.iter().filter_map(|name| case(&format!("[domain-name:value = '{name}']")));
    cases.extend(made.take(PATTERNS - cases.len()));
    ensure!(cases.len() == PATTERNS, "there are only {} patterns", cases.len());
    Ok(cases)
}

fn case(text: &str) -> Option<Case> {
    let pattern = Pattern::parse(text).ok()?;
    let simple = pattern.simple()?;
    let equality = simple.single()?;
    let (kind, value) = (equality.object_type, equality.wanted.text()?);
    let id = format!("{kind}--{}", Uuid::new_v5(&Uuid::NAMESPACE_URL, text.as_bytes()));
    let mut object = json!({"type": kind, "spec_version": "2.1", "id": id});
    match equality.property.strip_prefix("hashes.") {
        Some(algorithm) => object["hashes"] = json!({algorithm.trim_matches('\''): value}),
        None if matches!(equality.property.as_str(), "value" | "name") => {
            object[&*equality.property] = json!(value);
        }
        None => return None,
    }
    let observed = Observation::at(Instant::from_unix(0, 0), [&object]);
    Some(Case { text: pattern.to_string(), compiled: pattern.compile(), object, observed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_fits_its_own_pattern_and_no_other() {
        let cases: Vec<Case> =
            ["[domain-name:value = 'a.example']", "[file:hashes.md5 = 'd41d8cd98f00b204e9800998ecf8427e']"]
                .into_iter()
                .filter_map(case)
                .collect();
        assert_eq!(cases.len(), 2);
        for (one, other) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let verdict = cases[one].compiled.evaluate([&cases[other].observed], BUDGET);
            assert_eq!(verdict == Verdict::Match, one == other, "{one} {other}");
        }
        assert!(case("[a:b = 'c' AND a:d = 'e']").is_none());
    }
}
