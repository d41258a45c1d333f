//! Names beside a plain reading of what is listed, and the lists that people use.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test, as it should")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use matcher::{Change, Key, Matcher, Scope, Shared};
use proptest::prelude::*;

type Model = BTreeSet<(String, Scope, u32)>;

fn reaches(listed: &str, scope: Scope, name: &str) -> bool {
    name == listed || scope == Scope::Subdomains && name.ends_with(&format!(".{listed}"))
}

fn hits(matcher: &Matcher, name: &str) -> Vec<(u32, Scope)> {
    let mut hits = Vec::new();
    matcher.names(name, |hit| hits.push((hit.slot, hit.scope)));
    hits.sort_unstable();
    hits
}

fn wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.') {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}

fn wire_hits(matcher: &Matcher, wire: &[u8]) -> Vec<(u32, Scope)> {
    let mut hits = Vec::new();
    matcher.names_wire(wire, |hit| hits.push((hit.slot, hit.scope)));
    hits.sort_unstable();
    hits
}

fn names() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]{1,2}|xn--a-1|com|abcdefgh", 1..5).prop_map(|labels| labels.join("."))
}

fn scopes() -> impl Strategy<Value = Scope> {
    prop_oneof![Just(Scope::Exact), Just(Scope::Subdomains)]
}

proptest! {
    #[test]
    fn names_are_found_as_by_a_plain_reading(
        steps in prop::collection::vec((prop::bool::weighted(0.7), names(), scopes(), 0u32..3), 0..60),
        asked in prop::collection::vec(names(), 1..20),
        parents in prop::collection::vec(names(), 0..12),
        odd in any::<bool>(),
    ) {
        let mut matcher = Matcher::new([5; 32]);
        let mut model = Model::new();
        for (is_insertion, name, scope, slot) in steps {
            let key = Key::name(&name, scope).unwrap();
            let entry = (name, scope, slot);
            if is_insertion {
                prop_assert_eq!(matcher.insert(&key, slot), model.insert(entry));
            } else {
                prop_assert_eq!(matcher.remove(&key, slot), model.remove(&entry));
            }
        }
        let counts = |slot: u32| !odd || slot % 2 == 1;
        let hides = |parent: &str, scope: Scope, slot: u32, name: &str| {
            scope == Scope::Subdomains && counts(slot) && parent != name && reaches(parent, scope, name)
        };
        for name in &asked {
            let mut want: Vec<(u32, Scope)> =
                model.iter().filter(|(listed, scope, _)| reaches(listed, *scope, name)).map(|(_, s, n)| (*n, *s)).collect();
            want.sort_unstable();
            prop_assert_eq!(hits(&matcher, name), want.clone());
            prop_assert_eq!(hits(&matcher, &format!("{}.", name.to_uppercase())), want.clone());
            prop_assert_eq!(wire_hits(&matcher, &wire(&name.to_uppercase())), want);
            let want = model.iter().any(|(parent, scope, slot)| hides(parent, *scope, *slot, name));
            prop_assert_eq!(matcher.is_subsumed(name, counts), want);
        }
        let parents: Vec<&str> = parents.iter().map(String::as_str).collect();
        let mut below = BTreeSet::new();
        matcher.below(&parents, |name| assert!(below.insert(name.to_owned())));
        let is_below = |name: &str| parents.iter().any(|parent| name.ends_with(&format!(".{parent}")));
        let want: BTreeSet<String> = model.iter().map(|(name, ..)| name.clone()).filter(|name| is_below(name)).collect();
        prop_assert_eq!(&below, &want);

        // What the zone has: nothing that is hidden, and everything else.
        let is_hidden = |name: &str| model.iter().any(|(parent, scope, slot)| hides(parent, *scope, *slot, name));
        let zone: BTreeSet<&str> =
            model.iter().filter(|(name, _, slot)| counts(*slot) && !is_hidden(name)).map(|(name, ..)| name.as_str()).collect();
        let list = matcher.name_list(counts);
        let written: Vec<&str> = list.unsubsumed().map(|listed| listed.name).collect();
        prop_assert_eq!(written.iter().copied().collect::<BTreeSet<_>>(), zone.clone());
        prop_assert_eq!(written.len(), zone.len(), "each once");
        let mut restored = BTreeSet::new();
        matcher.restored(&parents, counts, |name| { restored.insert(name.to_owned()); });
        let want: BTreeSet<String> = zone.iter().filter(|name| is_below(name)).map(|name| (*name).to_owned()).collect();
        prop_assert_eq!(restored, want);

        // The order is the same under another secret.
        let mut other = Matcher::new([6; 32]);
        for (name, scope, slot) in model.iter().rev() {
            other.insert(&Key::name(name, *scope).unwrap(), *slot);
        }
        let other = other.name_list(counts);
        prop_assert!(list.iter().eq(other.iter()));
    }

    #[test]
    fn any_bytes_are_a_name_or_none(bytes in prop::collection::vec(prop_oneof![0u8..5, any::<u8>()], 0..300)) {
        let mut matcher = Matcher::new([5; 32]);
        matcher.insert(&Key::name("a.b", Scope::Subdomains).unwrap(), 1);
        let mut made = bytes.clone();
        wire_hits(&matcher, &made);
        made.extend(wire("a.b"));
        wire_hits(&matcher, &made);
    }
}

#[test]
fn hostile_names_on_the_wire_have_no_hits() {
    let mut matcher = Matcher::new([5; 32]);
    matcher.insert(&Key::name("a.b", Scope::Subdomains).unwrap(), 1);
    let long = |labels: usize| {
        let mut wire = Vec::new();
        (0..labels).for_each(|_| wire.extend_from_slice(b"\x01x"));
        wire.extend_from_slice(b"\x01a\x01b\x00");
        wire
    };
    let cases: [(&str, Vec<u8>, usize); 11] = [
        ("the name", b"\x01a\x01b\x00".to_vec(), 1),
        ("in capitals, with a message behind", b"\x01A\x01B\x00\x00\x01\x00\x01".to_vec(), 1),
        ("as long as a name may be", long(125), 1),
        ("too long", long(126), 0),
        ("a dot within a label", b"\x03a.b\x00".to_vec(), 0),
        ("a dot within a label before", b"\x03x.y\x01a\x01b\x00".to_vec(), 1),
        ("the root", b"\x00".to_vec(), 0),
        ("nothing", Vec::new(), 0),
        ("no end", b"\x01a\x01b".to_vec(), 0),
        ("a length that lies", b"\x01a\x05b\x00".to_vec(), 0),
        ("a pointer", b"\x01a\xc0\x00".to_vec(), 0),
    ];
    for (what, wire, want) in cases {
        assert_eq!(wire_hits(&matcher, &wire).len(), want, "{what}");
    }
}

#[test]
fn readers_see_changes_that_are_applied() {
    let shared = Shared::new(Matcher::new([5; 32]));
    let key = |i: u32| Key::name(&format!("n{i}.example"), Scope::Exact).unwrap();
    assert_eq!(shared.apply((0..1000).map(|i| Change::Insert(key(i), i))), 1000);
    assert_eq!(shared.apply((0..1000).map(|i| Change::Insert(key(i), i))), 0);
    assert_eq!(shared.apply((0..999).map(|i| Change::Remove(key(i), i))), 999);
    assert_eq!(hits(&shared.read(), "n999.example"), [(999, Scope::Exact)]);
    assert_eq!(
        shared.name_list(|_| true).iter().map(|listed| listed.name).collect::<Vec<_>>(),
        ["n999.example"]
    );
}

/// The names of a list of 1.85 million trails, as anybody publishes them; `None` if the data is not there.
fn trails() -> Option<Vec<String>> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/stix/lists/maltrail-trails.tsv.xz");
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    let mut text = String::new();
    liblzma::read::XzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let names = text.lines().skip(1).filter_map(|line| {
        let mut fields = line.split('\t');
        (fields.next()? == "domain").then(|| fields.next().unwrap_or_default().to_owned())
    });
    Some(names.collect())
}

#[test]
fn a_published_list_is_read_kept_found_and_removed() {
    let Some(trails) = trails() else { return };
    let (mut keys, mut refused) = (Vec::new(), BTreeMap::new());
    for name in &trails {
        match Key::name(name, Scope::Subdomains) {
            Ok(key) => keys.push(key),
            Err(error) => *refused.entry(error.why).or_insert(0) += 1,
        }
    }
    let refusals: usize = refused.values().sum();
    assert!(
        keys.len() > 1_000_000 && refusals * 1000 < trails.len(),
        "{} read, refused: {refused:?}",
        keys.len()
    );
    keys.sort_unstable();
    keys.dedup();
    let distinct = keys;
    let mut matcher = Matcher::new([5; 32]);
    for (slot, key) in (0..).zip(&distinct) {
        assert!(matcher.insert(key, slot));
    }
    let extent = matcher.extent();
    assert_eq!(extent.names, distinct.len());
    assert!(extent.names_bytes / extent.names <= 60, "{} bytes a name", extent.names_bytes / extent.names);
    for (slot, key) in (0..).zip(&distinct).step_by(7) {
        let Key::Name(name, _) = key else { panic!("{key}") };
        let found = hits(&matcher, &format!("www.{}", name.as_str()));
        assert!(found.contains(&(slot, Scope::Subdomains)), "{key}");
    }
    // By a plain pass over sorted names: which have a listed parent?
    let plain =
        |key: &Key| if let Key::Name(name, _) = key { name.as_str().to_owned() } else { String::new() };
    let all: BTreeSet<String> = distinct.iter().map(|key| plain(key)).collect();
    let list = matcher.name_list(|_| true);
    let written = list.unsubsumed().count();
    let hidden =
        all.iter().filter(|name| name.match_indices('.').any(|(dot, _)| all.contains(&name[dot + 1..])));
    assert_eq!(distinct.len() - written, hidden.count());
    for (slot, key) in (0..).zip(&distinct) {
        assert!(matcher.remove(key, slot), "{key}");
    }
    assert_eq!(matcher.extent().names, 0);
    assert!(matcher.extent().names_bytes < 2_000_000, "{:?}", matcher.extent());
}
