//! The patterns of public feeds: all of them are read, and nearly all are look-ups.
//!
//! The data is not part of the repository. Where the folder is absent the tests say so and end.

#![expect(clippy::unwrap_used, reason = "data that cannot be read fails the test, as it should")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stix_pattern::{
    BUDGET, ComparisonExpression, Equality, Instant, Literal, Observation, ObservationExpression, Pattern,
    Step, Verdict, Wanted,
};

fn data(what: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/stix").join(what);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there", path.display());
    None
}

fn unpacked(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).unwrap();
    liblzma::read::XzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Reads one pattern, checks its canonical text, and counts what was noticed.
fn read(text: &str, counts: &mut BTreeMap<&'static str, usize>) {
    let pattern = Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let again = Pattern::parse(&pattern.to_string()).unwrap();
    assert_eq!(again, pattern, "{text}");
    assert!(!again.findings().iter().any(|finding| finding.matter.is_normalised()), "{text}");
    let simple = pattern.simple();
    let single = simple.as_ref().is_some_and(|simple| simple.single().is_some());
    let normalised = pattern.findings().iter().any(|finding| finding.matter.is_normalised());
    let noticed = pattern.findings().iter().any(|finding| !finding.matter.is_normalised());
    let compiled = pattern.compile();
    assert_eq!(compiled.evaluate(&[], BUDGET), Verdict::NoMatch, "{text}");
    let plain = stix_pattern::plain(text);
    if let Some(plain) = plain {
        let equality = simple.as_ref().and_then(|simple| simple.single()).unwrap();
        let is_same = equality.object_type == plain.object_type && equality.property == plain.property;
        assert!(is_same && equality.wanted.text() == Some(plain.value), "{text}");
        assert_eq!(pattern.findings(), [], "{text}");
    }
    for (name, is) in [
        ("patterns", true),
        ("plain", plain.is_some()),
        ("single", single),
        ("simple", simple.is_some()),
        ("needles", pattern.needles().is_some()),
        ("evaluated, for no look-up will do", simple.is_none()),
        ("several observations", !compiled.is_single()),
        ("cannot be evaluated", !compiled.limitations().is_empty()),
        ("findings", !pattern.findings().is_empty()),
        ("normalised", normalised),
        ("noticed", noticed),
    ] {
        *counts.entry(name).or_default() += usize::from(is);
    }
}

#[test]
fn every_published_pattern_is_read() {
    let Some(path) = data("patterns/real-world-patterns.jsonl.xz") else { return };
    let mut counts = BTreeMap::new();
    for line in String::from_utf8(unpacked(&path)).unwrap().lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        read(entry["pattern"].as_str().unwrap(), &mut counts);
    }
    eprintln!("{counts:?}");
    assert!(counts["patterns"] > 14_000);
    // 98.65 % are one equality.
    assert!(counts["single"] * 10_000 >= counts["patterns"] * 9_860, "{counts:?}");
    assert!(counts["simple"] > counts["single"]);
    // Those are read without a parser.
    assert!(counts["plain"] * 100 >= counts["patterns"] * 90, "{counts:?}");
    // `sha256`, ports and certificates' dates as texts; and those are a small part.
    assert!((100..500).contains(&counts["normalised"]), "{counts:?}");
}

#[test]
fn every_indicator_of_public_bundles_is_read() {
    let mut total = 0;
    for name in
        ["bundles/amnesty-investigations", "bundles/oasis-json-schemas-examples", "misp/misp-stix-tests"]
    {
        let mut counts = BTreeMap::new();
        let Some(path) = data(&format!("{name}.tar.xz")) else { return };
        let bytes = unpacked(&path);
        let mut archive = tar::Archive::new(bytes.as_slice());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().into_owned();
            if !path.extension().is_some_and(|extension| extension == "json" || extension == "stix2") {
                continue;
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            // Beside the bundles lie events of MISP.
            let bundle: Value = serde_json::from_slice(&bytes).unwrap();
            for object in bundle["objects"].as_array().into_iter().flatten() {
                let is_stix = object["pattern_type"].as_str().is_none_or(|language| language == "stix");
                if let (Some("indicator"), Some(pattern), true) =
                    (object["type"].as_str(), object["pattern"].as_str(), is_stix)
                {
                    read(pattern, &mut counts);
                }
            }
        }
        eprintln!("{name}: {counts:?}");
        total += counts["patterns"];
        assert_eq!(counts["cannot be evaluated"], 0, "{name}: {counts:?}");
    }
    assert!(total > 4_000, "{total}");
}

/// A value with this one where the path leads; what is referred to on the way becomes an object of its own.
fn leading_to(steps: &[Step], under: &str, value: &Value, made: &mut Vec<Value>) -> Value {
    let refers = under.ends_with("_ref") || under.ends_with("_refs");
    match steps {
        [] => value.clone(),
        [Step::Key(key), rest @ ..] => {
            let inner = leading_to(rest, key, value, made);
            let mut object = json!({ key.as_str(): inner });
            if refers {
                let id = format!("made--{}", made.len());
                object["type"] = json!("made");
                object["id"] = json!(id);
                made.push(object);
                return json!(id);
            }
            object
        }
        [Step::Any | Step::Index(_), rest @ ..] => json!([leading_to(rest, under, value, made)]),
    }
}

/// What is in either of two values.
fn merged(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            for (key, value) in other {
                let before = one.remove(&key);
                one.insert(key, before.map_or(value.clone(), |before| merged(before, value)));
            }
            Value::Object(one)
        }
        // The next element of a list, so that comparisons of any element each have theirs.
        (Value::Array(mut one), Value::Array(other)) => {
            one.extend(other);
            Value::Array(one)
        }
        (_, other) => other,
    }
}

fn json_of(literal: &Literal) -> Value {
    match literal {
        Literal::Text(text) => json!(text),
        Literal::Integer(number) => json!(number),
        Literal::Float(number) => json!(number),
        Literal::Boolean(value) => json!(value),
        Literal::Timestamp(timestamp) => json!(timestamp.to_string()),
        Literal::Binary(_) | Literal::Hex(_) => panic!("no published pattern has bytes"),
    }
}

/// An observation of what the equalities say, each value passed through `bent`.
fn observation(equalities: &[Equality<'_>], bent: impl Fn(Value) -> Value) -> Observation {
    let mut made = Vec::new();
    let mut object = json!({"type": equalities[0].object_type});
    for equality in equalities {
        let Wanted::Value(literal) = equality.wanted else { panic!("no published pattern has ranges") };
        // The path by its canonical text.
        let alone =
            Pattern::parse(&format!("[EXISTS {}:{}]", equality.object_type, equality.property)).unwrap();
        let ObservationExpression::Observation(ComparisonExpression::Comparison(comparison)) = alone.root()
        else {
            panic!("{alone}")
        };
        let value = bent(json_of(literal));
        object = merged(object, leading_to(&comparison.path.steps, "", &value, &mut made));
    }
    made.push(object);
    Observation::at(Instant::from_unix(0, 0), &made)
}

#[test]
fn published_patterns_match_what_they_say_and_nothing_else() {
    let Some(path) = data("patterns/real-world-patterns.jsonl.xz") else { return };
    let mut matched = 0;
    let mut contradictory = BTreeSet::new();
    for line in String::from_utf8(unpacked(&path)).unwrap().lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let pattern = Pattern::parse(entry["pattern"].as_str().unwrap()).unwrap();
        let compiled = pattern.compile();
        assert_eq!(compiled.limitations(), [], "{pattern}");
        assert_eq!(compiled.evaluate(&[], BUDGET), Verdict::NoMatch, "{pattern}");
        let Some(simple) = pattern.simple() else { continue };
        for alternative in &simple.alternatives {
            // Another value in every place, of the same type.
            let bend = |value: Value| match &value {
                Value::String(text) => json!(format!("{text}x")),
                Value::Number(number) => json!(number.as_i64().unwrap_or(0) + 1),
                Value::Bool(value) => json!(!value),
                Value::Null | Value::Array(_) | Value::Object(_) => value,
            };
            assert_eq!(
                compiled.evaluate([&observation(alternative, bend)], BUDGET),
                Verdict::NoMatch,
                "{pattern}"
            );
            match compiled.evaluate([&observation(alternative, |value| value)], BUDGET) {
                Verdict::Match => matched += 1,
                Verdict::NoMatch => {
                    contradictory.insert(pattern.to_string());
                }
                Verdict::Undecided(why) => panic!("{pattern}: {why}"),
            }
        }
    }
    // A few ask that one property have two values at once.
    let twice = |text: &String| text.contains(" AND ");
    assert!(contradictory.len() < 12 && contradictory.iter().all(twice), "{contradictory:#?}");
    assert!(matched > 14_000, "{matched}");
}
