//! The evaluator against the definition, tried in every way.
//!
//! The second evaluator here shares nothing with the crate but the parsed pattern. It reads objects as JSON, makes every
//! set of observations that each part of a pattern can have, and asks of each set whether instants can be chosen for
//! it, from a grid. It is slow, and short.

#![expect(clippy::wildcard_enum_match_arm, reason = "the definition names what compares; all else does not")]

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use stix_pattern::{
    BUDGET, Comparison, ComparisonExpression, Equality, Instant, Literal, Observation, ObservationExpression,
    Operator, Pattern, Qualifier, Step, Verdict, Wanted,
};

/// A sequence of numbers that is the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).expect("31 bits") % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn often(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

// ---- what is generated ----

const TEXTS: &[&str] = &[
    "a",
    "ab",
    "b",
    "ba",
    "\u{103}",
    "e\u{301}",
    "\u{e9}",
    "10.0.0.1",
    "10.0.0.0/8",
    "2020-01-01T00:00:01Z",
];
const KEYS: &[&str] = &["n", "s", "list", "map", "x_ref", "x_refs", "y_bin", "y_hex"];

fn literal(chance: &mut Chance) -> String {
    match chance.below(12) {
        0..=2 => format!("{}", chance.below(3)),
        3 => "1.5".to_owned(),
        4 => "1.0".to_owned(),
        5 => chance.one(&["true", "false"]).to_owned(),
        6 => "t'2020-01-01T00:00:01Z'".to_owned(),
        7 => chance.one(&["b'YQ=='", "h'6162'", "h'e9'"]).to_owned(),
        _ => format!("'{}'", chance.one(TEXTS)),
    }
}

fn path(chance: &mut Chance) -> String {
    let mut path = format!("{}:{}", chance.one(&["x-a", "x-a", "x-b"]), chance.one(KEYS));
    for _ in 0..chance.below(4) {
        let step = match chance.below(5) {
            0 | 1 => "[*]".to_owned(),
            2 => format!("[{}]", chance.one(&["0", "1", "-1"])),
            _ => format!(".{}", chance.one(KEYS)),
        };
        path.push_str(&step);
    }
    path
}

fn comparison(chance: &mut Chance) -> String {
    let path = if chance.often(50) { format!("x-a:{}", chance.one(&["n", "s"])) } else { path(chance) };
    let not = if chance.often(20) { "NOT " } else { "" };
    let text = chance.one(TEXTS);
    match chance.below(16) {
        0 => format!("{not}EXISTS {path}"),
        1 => format!("{path} {not}LIKE '{}'", chance.one(&["%", "a%", "_", "%b", "\u{e9}", "%a%b%", "__"])),
        2 => format!("{path} {not}MATCHES '{}'", chance.one(&["^a", "b$", "a.*b", "\u{e9}", ""])),
        3 => format!("{path} {not}ISSUBSET '{}'", chance.one(&["10.0.0.0/8", "10.0.0.1", text])),
        4 => format!("{path} {not}ISSUPERSET '{}'", chance.one(&["10.0.0.0/16", "10.0.0.1", text])),
        5 | 6 => {
            let values: Vec<String> = (0..chance.below(4)).map(|_| literal(chance)).collect();
            format!("{path} {not}IN ({})", values.join(", "))
        }
        7..=10 => format!("{path} {not}{} {}", chance.one(&["<", "<=", ">", ">="]), literal(chance)),
        11 => format!("{path} {not}!= {}", literal(chance)),
        _ => format!("{path} {not}= {}", literal(chance)),
    }
}

fn comparisons(chance: &mut Chance, depth: usize) -> String {
    if depth == 0 || chance.often(50) {
        return comparison(chance);
    }
    let word = chance.one(&[" AND ", " OR "]);
    let members: Vec<String> =
        (0..2 + chance.below(2)).map(|_| format!("({})", comparisons(chance, depth - 1))).collect();
    members.join(word)
}

fn timestamp(second: usize) -> String {
    format!("2020-01-01T00:00:{second:02}Z")
}

/// An observation expression whose every part is about the small numbers that objects have as `n`.
fn observations(chance: &mut Chance, depth: usize) -> String {
    let inner = if depth == 0 || chance.often(30) {
        match chance.below(4) {
            0 => "[x-a:n >= 0]".to_owned(),
            1 => format!("[x-a:n != {}]", chance.below(3)),
            2 => format!("[x-a:n = {0} OR x-a:s = 'a']", chance.below(3)),
            _ => format!("[x-a:n = {}]", chance.below(3)),
        }
    } else {
        let word = chance.one(&[" AND ", " OR ", " FOLLOWEDBY ", " FOLLOWEDBY "]);
        let members: Vec<String> =
            (0..2 + chance.below(2)).map(|_| format!("({})", observations(chance, depth - 1))).collect();
        format!("({})", members.join(word))
    };
    let qualifier = match chance.below(9) {
        0 | 1 => format!(" WITHIN {} SECONDS", chance.one(&["0.5", "1", "2", "3"])),
        2 => " REPEATS 2 TIMES".to_owned(),
        3 => format!(" REPEATS {} TIMES WITHIN {} SECONDS", chance.one(&[2, 3]), chance.below(3)),
        4 => {
            let start = chance.below(6);
            format!(" START t'{}' STOP t'{}'", timestamp(start), timestamp(start + chance.below(5)))
        }
        _ => String::new(),
    };
    inner + &qualifier
}

fn value(chance: &mut Chance, key: &str, depth: usize, ids: usize) -> Value {
    match (key, chance.below(10)) {
        ("y_bin", 0..=7) => json!(chance.one(&["YQ==", "YWI=", "6Q==", "!"])),
        ("y_hex", 0..=7) => json!(chance.one(&["61", "6162", "e9", "x"])),
        ("x_ref", 0..=7) => json!(chance.below(ids + 1).to_string()),
        ("x_refs", 0..=7) => (0..chance.below(3)).map(|_| json!(chance.below(ids + 1).to_string())).collect(),
        ("list", 0..=7) if depth > 0 => {
            (0..chance.below(3)).map(|_| value(chance, "", depth - 1, ids)).collect()
        }
        ("map", 0..=7) if depth > 0 => properties(chance, depth - 1, ids).into(),
        ("n", 0..=7) | (_, 0..=2) => json!(chance.below(3)),
        ("s", 0..=7) | (_, 3..=5) => json!(chance.one(TEXTS)),
        (_, 6) => json!(1.5),
        (_, 7) => json!(chance.often(50)),
        (_, 8) => json!(1.0),
        _ => Value::Null,
    }
}

fn properties(chance: &mut Chance, depth: usize, ids: usize) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in KEYS {
        if chance.often(60) {
            properties.insert((*key).to_owned(), value(chance, key, depth, ids));
        }
    }
    properties
}

/// Objects that refer to each other by their places.
fn objects(chance: &mut Chance, at_most: usize) -> Vec<Value> {
    let ids = 1 + chance.below(at_most);
    let one = |id: usize, chance: &mut Chance| {
        let mut properties = properties(chance, 2, ids);
        properties.insert("type".to_owned(), json!(chance.one(&["x-a", "x-a", "x-b"])));
        properties.insert("id".to_owned(), json!(id.to_string()));
        Value::Object(properties)
    };
    (0..ids).map(|id| one(id, chance)).collect()
}

// ---- the definition, for one observation ----

/// A value as a comparison sees it, which depends on the key that it stands under.
#[derive(Clone)]
struct Seen<'a> {
    value: &'a Value,
    key: &'a str,
}

fn bytes_of(seen: &Seen<'_>) -> Option<Vec<u8>> {
    let text = seen.value.as_str()?;
    // The generator's own few.
    match (seen.key, text) {
        ("y_bin", "YQ==") | ("y_hex", "61") => Some(b"a".to_vec()),
        ("y_bin", "YWI=") | ("y_hex", "6162") => Some(b"ab".to_vec()),
        ("y_bin", "6Q==") | ("y_hex", "e9") => Some(vec![0xe9]),
        _ => None,
    }
}

/// Whatever the path leads to.
fn reached<'a>(from: Vec<Seen<'a>>, steps: &'a [Step], all: &'a [Value]) -> Vec<Seen<'a>> {
    let mut found = from;
    for step in steps {
        let mut next = Vec::new();
        for seen in &found {
            match step {
                Step::Key(key) => {
                    let refers = seen.key.ends_with("_ref") || seen.key.ends_with("_refs");
                    let target = match seen.value {
                        Value::String(id) if refers => all.iter().find(|object| object["id"] == **id),
                        Value::Object(_) => Some(seen.value),
                        _ => None,
                    };
                    next.extend(target.and_then(|t| t.get(key)).map(|value| Seen { value, key }));
                }
                Step::Index(index) => {
                    let elements = seen.value.as_array().map(Vec::as_slice).unwrap_or_default();
                    let element = usize::try_from(*index).ok().and_then(|index| elements.get(index));
                    next.extend(element.map(|value| Seen { value, key: seen.key }));
                }
                Step::Any => {
                    let elements = seen.value.as_array().map(Vec::as_slice).unwrap_or_default();
                    next.extend(elements.iter().map(|value| Seen { value, key: seen.key }));
                }
            }
        }
        found = next;
    }
    found
}

fn latin(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

fn ordering(seen: &Seen<'_>, literal: &Literal) -> Option<Ordering> {
    if let Some(bytes) = bytes_of(seen) {
        return match literal {
            Literal::Binary(wanted) | Literal::Hex(wanted) => Some(bytes.cmp(wanted)),
            Literal::Text(text) => Some(bytes.cmp(&latin(text)?)),
            _ => None,
        };
    }
    match (seen.value, literal) {
        (Value::Number(number), Literal::Integer(wanted)) => {
            number.as_f64()?.partial_cmp(&f64::from(i32::try_from(*wanted).ok()?))
        }
        (Value::Number(number), Literal::Float(wanted)) => number.as_f64()?.partial_cmp(wanted),
        (Value::String(text), Literal::Text(wanted)) => Some(text.chars().cmp(wanted.chars())),
        (Value::String(text), Literal::Binary(wanted) | Literal::Hex(wanted)) => {
            Some(latin(text)?.cmp(wanted))
        }
        // There is one timestamp among the texts, and the literal is the same.
        (Value::String(text), Literal::Timestamp(_)) => {
            (text == "2020-01-01T00:00:01Z").then_some(Ordering::Equal)
        }
        _ => None,
    }
}

fn equal(seen: &Seen<'_>, literal: &Literal) -> bool {
    match (seen.value, literal) {
        (Value::Bool(value), Literal::Boolean(wanted)) => value == wanted,
        _ => ordering(seen, literal) == Some(Ordering::Equal),
    }
}

/// A text as LIKE and MATCHES see it.
fn composed(seen: &Seen<'_>) -> Option<Vec<char>> {
    if let Some(bytes) = bytes_of(seen) {
        return Some(bytes.into_iter().map(char::from).collect());
    }
    Some(seen.value.as_str()?.replace("e\u{301}", "\u{e9}").chars().collect())
}

fn like(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skipped| like(rest, &text[skipped..])),
        ['_', rest @ ..] => !text.is_empty() && like(rest, &text[1..]),
        [c, rest @ ..] => text.first() == Some(c) && like(rest, &text[1..]),
    }
}

/// First and last address, for the few ranges that are generated.
fn range(text: &str) -> Option<(u32, u32)> {
    match text {
        "10.0.0.1" => Some((0x0a00_0001, 0x0a00_0001)),
        "10.0.0.0/8" => Some((0x0a00_0000, 0x0aff_ffff)),
        "10.0.0.0/16" => Some((0x0a00_0000, 0x0a00_ffff)),
        _ => None,
    }
}

fn inside(inner: Option<(u32, u32)>, outer: Option<(u32, u32)>) -> bool {
    matches!((inner, outer), (Some(inner), Some(outer)) if outer.0 <= inner.0 && inner.1 <= outer.1)
}

fn asked(operator: &Operator, seen: &Seen<'_>) -> bool {
    let is =
        |literal, wanted: &[Ordering]| ordering(seen, literal).is_some_and(|found| wanted.contains(&found));
    let plain = || if bytes_of(seen).is_some() { None } else { seen.value.as_str() };
    match operator {
        Operator::Equal(literal) => equal(seen, literal),
        Operator::NotEqual(literal) => !equal(seen, literal),
        Operator::Less(literal) => is(literal, &[Ordering::Less]),
        Operator::LessOrEqual(literal) => is(literal, &[Ordering::Less, Ordering::Equal]),
        Operator::Greater(literal) => is(literal, &[Ordering::Greater]),
        Operator::GreaterOrEqual(literal) => is(literal, &[Ordering::Greater, Ordering::Equal]),
        Operator::In(literals) => literals.iter().any(|literal| equal(seen, literal)),
        Operator::Like(pattern) => {
            let pattern: Vec<char> = pattern.chars().collect();
            composed(seen).is_some_and(|text| like(&pattern, &text))
        }
        Operator::Matches(regex) => composed(seen).is_some_and(|text| {
            let text: String = text.into_iter().collect();
            match regex.as_str() {
                "^a" => text.starts_with('a'),
                "b$" => text.ends_with('b'),
                "a.*b" => text.find('a').is_some_and(|at| text[at..].contains('b')),
                "" => true,
                letter => text.contains(letter),
            }
        }),
        Operator::IsSubset(wanted) => inside(plain().and_then(range), range(wanted)),
        Operator::IsSuperset(wanted) => inside(range(wanted), plain().and_then(range)),
        Operator::Exists => true,
    }
}

fn compared(comparison: &Comparison, object: &Value, all: &[Value]) -> bool {
    if object["type"] != *comparison.path.object_type {
        return false;
    }
    let found = reached(vec![Seen { value: object, key: "" }], &comparison.path.steps, all);
    if comparison.operator == Operator::Exists {
        return found.is_empty() == comparison.negated;
    }
    found.iter().any(|seen| asked(&comparison.operator, seen) != comparison.negated)
}

fn satisfied(expression: &ComparisonExpression, object: &Value, all: &[Value]) -> bool {
    match expression {
        ComparisonExpression::Comparison(comparison) => compared(comparison, object, all),
        ComparisonExpression::And(members) => members.iter().all(|member| satisfied(member, object, all)),
        ComparisonExpression::Or(members) => members.iter().any(|member| satisfied(member, object, all)),
    }
}

// ---- the definition, for several ----

/// Several observations, with first and last in quarters of a second, each copy for itself.
struct World {
    copies: Vec<(usize, i64, i64)>,
    objects: Vec<Vec<Value>>,
}

type Used = BTreeSet<usize>;

/// Where instants may lie: quarters of a second, from before everything to after everything.
const GRID: std::ops::Range<i64> = -20..80;

impl World {
    fn touches(&self, copy: usize, from: i64, to: i64) -> bool {
        let (_, first, last) = self.copies[copy];
        (first..=last).any(|instant| (from..=to).contains(&instant))
    }

    /// Every set of copies that satisfies the expression.
    fn uses(&self, expression: &ObservationExpression) -> BTreeSet<Used> {
        match expression {
            ObservationExpression::Observation(inside) => {
                let fits = |copy: &usize| {
                    let objects = &self.objects[self.copies[*copy].0];
                    objects.iter().any(|object| satisfied(inside, object, objects))
                };
                (0..self.copies.len()).filter(fits).map(|copy| Used::from([copy])).collect()
            }
            ObservationExpression::Or(members) => {
                members.iter().flat_map(|member| self.uses(member)).collect()
            }
            ObservationExpression::And(members) => self.joined(members, |_, _| true),
            ObservationExpression::FollowedBy(members) => self.joined(members, |before, after| {
                GRID.into_iter().any(|instant| {
                    before.iter().all(|copy| self.touches(*copy, GRID.start, instant))
                        && after.iter().all(|copy| self.touches(*copy, instant, GRID.end))
                })
            }),
            ObservationExpression::Qualified { inner, qualifiers } => {
                qualifiers.iter().fold(self.uses(inner), |found, qualifier| self.qualified(found, qualifier))
            }
        }
    }

    fn joined(
        &self,
        members: &[ObservationExpression],
        may: impl Fn(&Used, &Used) -> bool,
    ) -> BTreeSet<Used> {
        let mut found = BTreeSet::from([Used::new()]);
        for member in members {
            let these = self.uses(member);
            let pairs = found.iter().flat_map(|before| these.iter().map(move |after| (before, after)));
            let pairs = pairs.filter(|(before, after)| before.is_disjoint(after) && may(before, after));
            found = pairs.map(|(before, after)| before | after).collect();
        }
        found
    }

    fn qualified(&self, found: BTreeSet<Used>, qualifier: &Qualifier) -> BTreeSet<Used> {
        match qualifier {
            Qualifier::Repeats(times) => {
                let mut all = BTreeSet::from([Used::new()]);
                for _ in 0..*times {
                    let pairs = all.iter().flat_map(|before| found.iter().map(move |after| (before, after)));
                    let next = pairs.filter(|(b, a)| b.is_disjoint(a)).map(|(b, a)| b | a).collect();
                    all = next;
                }
                all
            }
            Qualifier::Within(seconds) => {
                let quarters = i64::try_from(seconds.nanos() / 250_000_000).expect("short");
                let fits = |used: &Used| {
                    GRID.into_iter()
                        .any(|from| used.iter().all(|copy| self.touches(*copy, from, from + quarters)))
                };
                found.into_iter().filter(fits).collect()
            }
            Qualifier::StartStop { start, stop } => {
                let quarter = |instant: Instant| {
                    let nanos = instant.nanos() - Instant::parse(&timestamp(0)).expect("a timestamp").nanos();
                    i64::try_from(nanos / 250_000_000).expect("near")
                };
                let (start, stop) = (quarter(start.instant()), quarter(stop.instant()));
                let fits = |used: &Used| used.iter().all(|copy| self.touches(*copy, start, stop - 1));
                found.into_iter().filter(fits).collect()
            }
        }
    }
}

fn verdict(pattern: &Pattern, observations: &[Observation]) -> bool {
    match pattern.compile().evaluate(observations, BUDGET) {
        Verdict::Match => true,
        Verdict::NoMatch => false,
        Verdict::Undecided(why) => panic!("{pattern}: {why}"),
    }
}

/// Where a pattern matches, one of its needles holds.
fn check_needles(pattern: &Pattern, observations: &[Observation]) {
    let Some(needles) = pattern.needles() else { return };
    let holds = |needle: &Equality<'_>| {
        let (kind, property) = (needle.object_type, &needle.property);
        let text = match needle.wanted {
            Wanted::Value(value) => format!("[{kind}:{property} = {value}]"),
            Wanted::Within(range) => format!("[{kind}:{property} ISSUBSET '{range}']"),
        };
        verdict(&parsed(&text), observations)
    };
    assert!(needles.iter().any(holds), "{pattern} matches without its needles");
}

fn parsed(text: &str) -> Pattern {
    let pattern = Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(Pattern::parse(&pattern.to_string()).as_ref(), Ok(&pattern), "{text}");
    pattern
}

#[test]
fn comparisons_are_what_brute_force_finds() {
    let mut chance = Chance(1);
    let mut matched = 0;
    let start = Instant::from_unix(0, 0);
    for _ in 0..60_000 {
        let text = format!("[{}]", comparisons(&mut chance, 2));
        let pattern = parsed(&text);
        let ObservationExpression::Observation(inside) = pattern.root() else { panic!("{text}") };
        let objects = objects(&mut chance, 3);
        let want = objects.iter().any(|object| satisfied(inside, object, &objects));
        let observation = Observation::at(start, &objects);
        let observations = [observation];
        assert_eq!(verdict(&pattern, &observations), want, "{text} on {}", json!(objects));
        if want {
            check_needles(&pattern, &observations);
        }
        matched += usize::from(want);
    }
    assert!((6_000..54_000).contains(&matched), "{matched} of 60000 match: the question is too easy");
}

#[test]
fn assignments_are_what_brute_force_finds() {
    let mut chance = Chance(2);
    let (mut matched, mut dropped) = (0, 0);
    let zero = Instant::parse(&timestamp(0)).expect("a timestamp");
    for _ in 0..40_000 {
        let text = observations(&mut chance, 2);
        let pattern = parsed(&text);
        let mut world = World { copies: Vec::new(), objects: Vec::new() };
        let mut prepared = Vec::new();
        for at in 0..=chance.below(5) {
            let object = json!({"type": "x-a", "n": chance.below(3), "s": chance.one(TEXTS)});
            let first = i64::try_from(chance.below(8)).expect("small");
            let last =
                first + if chance.often(60) { 0 } else { i64::try_from(chance.below(4)).expect("small") };
            let count = if chance.often(80) { 1 } else { 2 };
            let instant = |second| {
                Instant::from_unix(i64::try_from(zero.nanos() / 1_000_000_000).expect("near") + second, 0)
            };
            prepared.push(Observation::new(instant(first), instant(last), count, [("0", &object)]));
            world.objects.push(vec![object]);
            for _ in 0..count {
                world.copies.push((at, first * 4, last * 4));
            }
        }
        let want = !world.uses(pattern.root()).is_empty();
        assert_eq!(verdict(&pattern, &prepared), want, "{text} on {:?} {:?}", world.copies, world.objects);
        if want {
            check_needles(&pattern, &prepared);
        }
        // Whoever keeps only what concerns the pattern misses nothing.
        let compiled = pattern.compile();
        let kept = prepared.iter().filter(|observation| compiled.concerns(observation, BUDGET));
        let kept: Vec<Observation> = kept.cloned().collect();
        assert_eq!(verdict(&pattern, &kept), want, "{text} on what concerns it");
        dropped += prepared.len() - kept.len();
        assert!(!want || compiled.observations_min() <= world.copies.len() as u64, "{text}");
        matched += usize::from(want);
    }
    assert!(dropped > 10_000, "{dropped}: everything concerns every pattern");
    assert!((4_000..36_000).contains(&matched), "{matched} of 40000 match: the question is too easy");
}
