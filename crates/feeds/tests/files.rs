//! What each form says of the same entries, and what it does not.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test, as it should")]

use std::collections::BTreeSet;

use feeds::{Action, Entry, Feed, Format, Item, Output, Reader, Reason, Rpz, Rule, write};
use matcher::{BlindKey, Blinded, Key, Scope};
use proptest::prelude::*;
use time::OffsetDateTime;

fn name(text: &str, scope: Scope) -> Key {
    Key::name(text, scope).unwrap()
}

fn keys() -> Vec<Key> {
    vec![
        name("p.example.com", Scope::Subdomains),
        name("x.deep.mid.p.example.com", Scope::Exact),
        name("exact.example.com", Scope::Exact),
        name("below.exact.example.com", Scope::Exact),
        name("bücher.example.net", Scope::Subdomains),
        name("evil.test", Scope::Exact),
        name("zip", Scope::Subdomains),
        Key::parse_prefix("192.0.2.0/24").unwrap(),
        Key::parse_prefix("192.0.2.128/25").unwrap(),
        Key::parse_prefix("198.51.100.7").unwrap(),
        Key::parse_prefix("2001:db8::/32").unwrap(),
        Key::parse_prefix("2001:db8::1").unwrap(),
        Key::parse_prefix("0.0.0.0/0").unwrap(),
        Key::parse_endpoint("203.0.113.9:8443").unwrap(),
        Key::parse_endpoint("[2001:db8::9]:53").unwrap(),
        Key::hash("MD5", "d41d8cd98f00b204e9800998ecf8427e").unwrap(),
        Key::hash("SHA-1", "da39a3ee5e6b4b0d3255bfef95601890afd80709").unwrap(),
        Key::hash("SHA-256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855").unwrap(),
        Key::email("bad.man@mail.example.com").unwrap(),
        Key::url("http://host.example.com/a,'b'?x=1").unwrap(),
        Key::file_name("in'voice\\.exe").unwrap(),
        Key::subject("=your \"invoice\", now").unwrap(),
        Key::text("cmd /c calc").unwrap(),
    ]
}

fn entry(key: &Key) -> Entry<'_> {
    Entry {
        item: Item::Plain(key),
        reference: "r-1 \"; \\",
        category: "malware",
        action: Action::Block,
        valid_from: OffsetDateTime::from_unix_timestamp(1_795_000_000).unwrap(),
        valid_until: None,
        confidence: Some(70),
    }
}

fn feed() -> Feed<'static> {
    Feed { name: "jcsp", revision: 42, until: None }
}

fn zone(rule: Rule, reader: Reader) -> Rpz {
    Rpz { zone: "block.rpz.local".to_owned(), rule, ttl_seconds: 60, reader }
}

fn text(output: &Output, file: usize) -> &str {
    std::str::from_utf8(&output.files[file].bytes).unwrap()
}

fn made(format: &Format, keys: &[Key]) -> Output {
    write(format, &feed(), keys.iter().map(entry))
}

fn count(output: &Output, reason: Reason) -> usize {
    output.report.rejected.get(&reason).map_or(0, |rejected| rejected.count)
}

#[test]
fn a_zone_has_no_name_below_another_and_gets_it_back() {
    let mut keys = keys();
    let format = Format::Rpz(zone(Rule::NxDomain, Reader::Unbound));
    let output = made(&format, &keys);
    let text_of = text(&output, 0);
    assert!(text_of.contains("\np.example.com CNAME . ; r-1_____\n*.p.example.com CNAME . ;"), "{text_of}");
    assert!(text_of.contains("60\n@ IN NS localhost.") && text_of.contains(" 42 300 "), "{text_of}");
    assert!(
        !text_of.contains("x.deep.mid") && !text_of.contains("evil.test") && !text_of.contains("zip"),
        "{text_of}"
    );
    // An exact name hides nothing below it.
    assert!(text_of.contains("\nbelow.exact.example.com ") && !text_of.contains("*.exact."), "{text_of}");
    assert_eq!(output.report.written, 4);
    let reasons = [(Reason::Subsumed, 1), (Reason::SpecialUse, 1), (Reason::TopLevel, 1), (Reason::Kind, 16)];
    for (reason, want) in reasons {
        assert_eq!(count(&output, reason), want, "{reason:?}");
    }
    assert_eq!(output.report.rejected[&Reason::Subsumed].examples, ["r-1_____"]);
    keys.remove(0);
    assert!(
        text(&made(&format, &keys), 0).contains("\nx.deep.mid.p.example.com CNAME"),
        "the name above has gone"
    );
    let any = made(&Format::Rpz(zone(Rule::NoData, Reader::Any)), &keys);
    assert!(text(&any, 0).contains("\nevil.test CNAME *. ;"));
}

#[test]
fn a_name_that_does_not_fit_under_the_zone_is_counted() {
    let zone_bytes = "block.rpz.local".len();
    for (length, written, narrowed) in
        [(252 - zone_bytes, 1, 1), (250 - zone_bytes, 1, 0), (253 - zone_bytes, 0, 0)]
    {
        // Labels of one letter with dots between, and a longer one that makes the length odd or even.
        let short = "a.".repeat((length - 2) / 2);
        let key = name(&format!("{short}{}", "z".repeat(length - short.len())), Scope::Subdomains);
        let output = made(&Format::Rpz(zone(Rule::NxDomain, Reader::Any)), &[key]);
        assert_eq!((output.report.written, output.report.narrowed), (written, narrowed), "{length}");
        assert_eq!(count(&output, Reason::TooLong), 1 - written);
    }
}

#[test]
fn lists_have_what_they_can_hold() {
    let keys = keys();
    let cases = [
        (
            Format::Squid,
            ".p.example.com\nexact.example.com\nbelow.exact.example.com\n.xn--bcher-kva.example.net\nevil.test\n",
        ),
        (Format::Addresses, "192.0.2.0/24\n192.0.2.128/25\n198.51.100.7\n2001:db8::/32\n2001:db8::1\n"),
        (Format::Urls, "http://host.example.com/a,'b'?x=1\n"),
        (
            Format::Hashes,
            "d41d8cd98f00b204e9800998ecf8427e\nda39a3ee5e6b4b0d3255bfef95601890afd80709\n\
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
        ),
    ];
    for (format, want) in cases {
        let output = made(&format, &keys);
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(lines(text(&output, 0)), lines(want), "{format:?}");
        let rejected: usize = output.report.rejected.values().map(|rejected| rejected.count).sum();
        assert_eq!(output.report.written + rejected, keys.len(), "each is written or counted");
    }
    let hosts = made(&Format::Hosts(vec!["0.0.0.0".parse().unwrap(), "::".parse().unwrap()]), &keys);
    assert!(text(&hosts, 0).contains("0.0.0.0 p.example.com\n:: p.example.com\n"));
    assert_eq!((hosts.report.written, hosts.report.narrowed), (6, 2));
    let csv = made(&Format::Csv, &keys);
    assert_eq!(csv.report.written, keys.len());
    assert!(
        text(&csv, 0).contains("\nname,p.example.com,subdomains,r-1_____,malware,block,2026-11-18T"),
        "{}",
        text(&csv, 0)
    );
    assert!(text(&csv, 0).contains("\nsubject,\"'=your \"\"invoice\"\", now\",,"), "{}", text(&csv, 0));
    let zeek = made(&Format::Zeek, &keys);
    assert!(text(&zeek, 0).contains("\n192.0.2.0/24\tIntel::SUBNET\tjcsp\tr-1_____\n"));
    assert!(text(&zeek, 0).contains("\nhost.example.com/a,'b'?x=1\tIntel::URL\t"));
    assert!(
        text(&zeek, 0)
            .lines()
            .all(|line| line.split('\t').count() == if line.starts_with('#') { 5 } else { 4 })
    );
    assert_eq!(count(&zeek, Reason::Character), 1);
}

#[test]
fn suricata_gets_sets_in_lower_case_within_its_limit() {
    let many: Vec<Key> = (0..300_000).map(|i| name(&format!("n{i}.example.com"), Scope::Exact)).collect();
    let output = made(&Format::Suricata { first_sid: 7_000_001 }, &many);
    let rules = text(&output, output.files.len() - 1);
    assert_eq!(output.files.last().unwrap().name, "ringfence.rules", "what it loads is put in place before");
    assert_eq!(rules.matches("hashsize 262144").count(), 3);
    assert_eq!(rules.matches("to_lowercase; dataset").count(), 3);
    assert_eq!(rules.matches("sid:70000").count(), 3);
    assert!(
        text(&output, 0).lines().any(|line| line == "bjAuZXhhbXBsZS5jb20="),
        "`n0.example.com` in base64"
    );
}

#[test]
fn the_bundle_and_the_event_are_read_by_others() {
    let keys = keys();
    let bundle: serde_json::Value = serde_json::from_str(text(&made(&Format::Stix, &keys), 0)).unwrap();
    let patterns: BTreeSet<&str> = bundle["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["pattern"].as_str().unwrap())
        .collect();
    assert!(patterns.contains(r"[file:name = 'in\'voice\\.exe']"), "{patterns:?}");
    assert!(patterns.contains("[domain-name:value = 'p.example.com']"));
    assert_eq!(bundle["objects"][0]["confidence"], 70);
    let output = made(&Format::Misp, &keys);
    let event: serde_json::Value = serde_json::from_str(text(&output, 0)).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(text(&output, 2)).unwrap();
    let id = event["Event"]["uuid"].as_str().unwrap();
    assert_eq!(output.files[0].name, format!("{id}.json"));
    assert_eq!(manifest[id]["Orgc"]["name"], "jcsp");
    let attributes = event["Event"]["Attribute"].as_array().unwrap();
    assert!(attributes.iter().any(|a| a["type"] == "ip-dst|port" && a["value"] == "203.0.113.9|8443"));
    assert_eq!(attributes.len(), text(&output, 1).lines().count());
    // `printf %s d41d8cd98f00b204e9800998ecf8427e | md5sum`
    assert!(text(&output, 1).contains("74be16979710d4c4e7c6647856088456,"), "{}", text(&output, 1));
    let empty = made(&Format::Stix, &[]);
    assert!(!text(&empty, 0).contains("objects"));
}

fn formats() -> Vec<Format> {
    vec![
        Format::Rpz(zone(Rule::NxDomain, Reader::Unbound)),
        Format::RpzIp(zone(Rule::Addresses(vec!["192.0.2.1".parse().unwrap()]), Reader::Any)),
        Format::Hosts(vec!["0.0.0.0".parse().unwrap()]),
        Format::Names,
        Format::Addresses,
        Format::Urls,
        Format::Hashes,
        Format::Csv,
        Format::Suricata { first_sid: 1 },
        Format::Zeek,
        Format::Squid,
        Format::Nftables { table: "guard".to_owned() },
        Format::Misp,
        Format::Stix,
    ]
}

#[test]
fn what_is_blinded_stands_in_no_file_and_is_counted() {
    let key = BlindKey::new(&[1; 32]);
    let blinded: Vec<Blinded> = keys().iter().map(|plain| key.blind(plain)).collect();
    let plain = keys();
    for format in formats() {
        let entries = blinded.iter().map(|value| Entry { item: Item::Blinded(value), ..entry(&plain[0]) });
        let output = write(&format, &feed(), entries);
        assert_eq!(
            (output.report.written, count(&output, Reason::Blinded)),
            (0, blinded.len()),
            "{format:?}"
        );
        let empty = write(&format, &feed(), []);
        assert_eq!(output.files, empty.files, "{format:?}");
    }
}

#[test]
fn what_is_monitored_is_not_blocked() {
    let keys = keys();
    for format in formats() {
        let entries = keys.iter().map(|key| Entry { action: Action::Monitor, ..entry(key) });
        let output = write(&format, &feed(), entries);
        let blocks = matches!(
            format,
            Format::Rpz(_)
                | Format::RpzIp(_)
                | Format::Hosts(_)
                | Format::Squid
                | Format::Nftables { .. }
                | Format::Names
                | Format::Addresses
                | Format::Urls
                | Format::Hashes
        );
        assert_eq!(output.report.written == 0, blocks, "{format:?}");
        assert_eq!(count(&output, Reason::Monitored), if blocks { keys.len() } else { 0 }, "{format:?}");
    }
}

proptest! {
    #[test]
    fn the_order_of_entries_makes_no_difference_and_each_is_accounted_for(
        chosen in prop::collection::vec((0usize..23, 0u8..3, any::<bool>()), 0..60).prop_flat_map(|entries| (Just(entries.clone()), Just(entries).prop_shuffle())),
    ) {
        let keys = keys();
        let references = ["a", "b", "c\n\t\"'"];
        let made = |chosen: &[(usize, u8, bool)], format: &Format| {
            let entries = chosen.iter().map(|(key, reference, is_blocked)| Entry {
                reference: references[usize::from(*reference)],
                action: if *is_blocked { Action::Block } else { Action::Monitor },
                ..entry(&keys[*key])
            });
            write(format, &feed(), entries)
        };
        for format in formats() {
            let (one, other) = (made(&chosen.0, &format), made(&chosen.1, &format));
            prop_assert_eq!(&one.files, &other.files, "{:?}", format);
            let rejected: usize = one.report.rejected.values().map(|rejected| rejected.count).sum();
            prop_assert_eq!(one.report.written + rejected, chosen.0.len(), "{:?}", format);
        }
    }
}
