//! Who gets what from the primary, and what of it: asked with `dig`, which signs as other people's secondaries do.

#![expect(clippy::unwrap_used, reason = "a step that cannot be taken fails the test, as it should")]

mod support;

use std::sync::Arc;

use peers::resolver::{KEY, SECRET_BASE64};
use peers::{dig, free_port, has};
use sinkhole::rpz::{Access, MemoryContent, Reject, Rule, Triggers, ZoneSpec};
use support::{LOOPBACK, Primary, exact, name, safe, whole};

fn scene(folder: &std::path::Path, unsigned: bool) -> (Primary, Arc<MemoryContent>) {
    let content = Arc::new(MemoryContent::default());
    content.insert(&whole("bad.example.com", safe()).entry());
    content.insert(&exact("none.example.org", Rule::NxDomain).entry());
    let unsigned = if unsigned { vec![LOOPBACK] } else { Vec::new() };
    let access = Access { keys: vec![name(KEY)], unsigned, ..Access::default() };
    let spec = ZoneSpec { access, ..ZoneSpec::new(name("block.guard"), Triggers::Names) };
    (Primary::start(folder, free_port(), &[(spec, Arc::clone(&content))]), content)
}

#[test]
fn only_who_signs_is_answered() {
    if !has("who signs", &["dig"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (primary, _content) = scene(folder.path(), false);
    let good = format!("hmac-sha256:{KEY}:{SECRET_BASE64}");
    let other_name = format!("hmac-sha256:other.guard:{SECRET_BASE64}");
    let other_algorithm = format!("hmac-sha512:{KEY}:{SECRET_BASE64}");
    let other_secret = format!("hmac-sha256:{KEY}:YW5vdGhlciBzZWNyZXQsIGFzIGxvbmc=");
    let cases: [(&str, Option<&str>, &str); 5] = [
        ("no key", None, "REFUSED"),
        ("the right key", Some(&good), "NOERROR"),
        ("another name", Some(&other_name), "BADKEY"),
        ("another algorithm", Some(&other_algorithm), "BADKEY"),
        ("another secret", Some(&other_secret), "BADSIG"),
    ];
    for (what, key, want) in cases {
        for transport in ["+notcp", "+tcp"] {
            let mut arguments = vec!["SOA", "block.guard", transport];
            arguments.extend(key.map(|key| ["-y", key]).into_iter().flatten());
            let said = dig(primary.port, &arguments);
            assert!(said.contains(want), "{what}, {transport}: {said}");
            assert_eq!(said.contains("hostmaster"), want == "NOERROR", "{what}: {said}");
        }
        let mut arguments = vec!["AXFR", "block.guard"];
        arguments.extend(key.map(|key| ["-y", key]).into_iter().flatten());
        let said = dig(primary.port, &arguments);
        assert_eq!(said.contains("bad.example.com"), want == "NOERROR", "{what}: {said}");
    }
    let counts = primary.counts();
    assert_eq!((counts.axfr, counts.refused), (1, 12));
    // One answer for zones that are not there and zones that are.
    let said = dig(primary.port, &["SOA", "nothing.guard", "-y", &good]);
    assert!(said.contains("REFUSED"), "{said}");
}

#[test]
fn a_transfer_has_each_entry_once_and_nothing_below_another() {
    if !has("the entries of a transfer", &["dig"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (primary, content) = scene(folder.path(), true);
    primary.change("block.guard", &content, &[exact("deep.bad.example.com", safe())], &[]);
    assert_eq!(primary.publisher.zones()[0].rejected.get(&Reject::Subsumed), Some(&1));
    let records = |said: &str| {
        let mut lines: Vec<String> = said
            .lines()
            .filter(|line| !line.starts_with(';') && !line.is_empty() && !line.contains("\tSOA\t"))
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        lines.sort();
        lines
    };
    let all = records(&dig(primary.port, &["AXFR", "block.guard"]));
    let want = [
        "*.bad.example.com.block.guard. 30 IN A 192.0.2.80",
        "*.bad.example.com.block.guard. 30 IN AAAA 2001:db8::80",
        "bad.example.com.block.guard. 30 IN A 192.0.2.80",
        "bad.example.com.block.guard. 30 IN AAAA 2001:db8::80",
        "bad.example.com.block.guard. 30 IN TXT \"ref-15\"",
        "block.guard. 30 IN NS localhost.",
        "none.example.org._ref.block.guard. 30 IN TXT \"ref-16\"",
        "none.example.org.block.guard. 30 IN CNAME .",
    ];
    assert_eq!(all, want);
    assert_eq!(records(&dig(primary.port, &["TXT", "bad.example.com.block.guard"])), [want[4]]);
    assert!(dig(primary.port, &["TXT", "deep.bad.example.com.block.guard"]).contains("NXDOMAIN"));
    assert!(dig(primary.port, &["MX", "bad.example.com.block.guard"]).contains("NOERROR"));

    // The parent goes: what lay below it comes, in the same step.
    let before = primary.publisher.zones()[0].serial;
    primary.change("block.guard", &content, &[], &[whole("bad.example.com", safe())]);
    let changes = records(&dig(primary.port, &[&format!("IXFR={before}"), "block.guard"]));
    assert_eq!(changes.len(), 8, "{changes:#?}");
    let deep = changes.iter().filter(|line| line.starts_with("deep.bad.example.com.")).count();
    assert_eq!(deep, 3, "A, AAAA, TXT come; five records go: {changes:#?}");
    let now = primary.publisher.zones()[0].serial;
    let nothing = dig(primary.port, &[&format!("IXFR={now}"), "block.guard"]);
    assert_eq!(nothing.matches("\tSOA\t").count(), 1, "{nothing}");
    let over_udp = dig(primary.port, &[&format!("IXFR={before}"), "+notcp", "block.guard"]);
    assert_eq!(over_udp.matches("\tSOA\t").count(), 1, "{over_udp}");
    let long_ago = records(&dig(primary.port, &["IXFR=5", "block.guard"]));
    assert_eq!(long_ago.len(), 6, "the whole zone: {long_ago:#?}");
    assert_eq!(primary.counts().ixfr_whole, 1);
}

#[test]
fn a_hundred_thousand_names_come_in_many_messages() {
    if !has("a large transfer", &["dig"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (primary, content) = scene(folder.path(), true);
    let many: Vec<_> = (0..100_000).map(|number| whole(&format!("n{number}.example.net"), safe())).collect();
    primary.change("block.guard", &content, &many, &[]);
    let good = format!("hmac-sha256:{KEY}:{SECRET_BASE64}");
    let said = dig(primary.port, &["AXFR", "block.guard", "-y", &good, "+stats", "+time=60"]);
    assert!(said.contains("XFR size: 500010 records (messages "), "{}", &said[said.len() - 300..]);
}
