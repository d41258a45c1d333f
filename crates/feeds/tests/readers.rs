//! The programs that the files are for read them.
//!
//! A program that is not installed is skipped by name; with `RINGFENCE_REQUIRE_PEERS=1` that is a failure.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test, as it should")]

use std::fs;
use std::path::Path;
use std::process::Output;

use feeds::{Action, Entry, Feed, Format, Item, Reader, Rpz, Rule, write};
use matcher::{Key, Scope};
use peers::{has, program};
use tempfile::TempDir;
use time::OffsetDateTime;

/// Everything that a feed may bring, with what readers have stumbled over.
fn keys() -> Vec<Key> {
    let name = |text: &str, scope| Key::name(text, scope).unwrap();
    let mut keys = vec![
        name("p.example.com", Scope::Subdomains),
        name("p.example.com", Scope::Exact),
        name("x.deep.mid.p.example.com", Scope::Subdomains),
        name("_odd-.label_.example.com", Scope::Subdomains),
        name("EXACT.Example.com", Scope::Exact),
        name("below.exact.example.com", Scope::Subdomains),
        name("bücher.example.net", Scope::Subdomains),
        name("evil.onion", Scope::Exact),
        name("com", Scope::Subdomains),
        name(&format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61)), Scope::Subdomains),
        name(&format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(40)), Scope::Subdomains),
        Key::parse_prefix("0.0.0.0/0").unwrap(),
        Key::parse_prefix("192.0.2.0/24").unwrap(),
        Key::parse_prefix("192.0.2.128/25").unwrap(),
        Key::parse_prefix("192.0.2.129").unwrap(),
        Key::parse_prefix("2001:db8::/32").unwrap(),
        Key::parse_prefix("2001:db8:0:1::/64").unwrap(),
        Key::parse_prefix("2001:db8::1").unwrap(),
        Key::parse_endpoint("203.0.113.9:8443").unwrap(),
        Key::parse_endpoint("[2001:db8::9]:53").unwrap(),
        Key::hash("MD5", "d41d8cd98f00b204e9800998ecf8427e").unwrap(),
        Key::hash("SHA-1", "da39a3ee5e6b4b0d3255bfef95601890afd80709").unwrap(),
        Key::hash("SHA-256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855").unwrap(),
        Key::email("bad.man@mail.example.com").unwrap(),
        Key::url("http://host.example.com/a;b?x=\"1\"").unwrap(),
        Key::subject("$(reboot); \"now\"").unwrap(),
    ];
    keys.extend((0..2_000).map(|i| name(&format!("n{i}.m{}.example.org", i % 7), Scope::Subdomains)));
    keys
}

/// Writes a form's files into a folder of its own.
fn put(format: &Format, keys: &[Key]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let entries = keys.iter().map(|key| Entry {
        item: Item::Plain(key),
        reference: "r-1\"; drop\n\\",
        category: "mal ware",
        action: Action::Block,
        valid_from: OffsetDateTime::UNIX_EPOCH,
        valid_until: None,
        confidence: None,
    });
    let until = Some(OffsetDateTime::from_unix_timestamp(1_795_000_000).unwrap());
    let output = write(format, &Feed { name: "the programme", revision: 7, until }, entries);
    assert!(keys.is_empty() || output.report.written > 0, "{format:?}: {}", output.report);
    for file in output.files {
        feeds::replace(&folder.path().join(file.name), &file.bytes).unwrap();
    }
    folder
}

fn run(name: &str, arguments: &[&str], folder: &Path) -> Output {
    program(name).args(arguments).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn zones() -> Vec<Format> {
    let address = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    let rules = [Rule::NxDomain, Rule::NoData, Rule::Passthru, Rule::Addresses(address)];
    let zone = |rule| Rpz { zone: "block.rpz".to_owned(), rule, ttl_seconds: 60, reader: Reader::Unbound };
    rules.into_iter().flat_map(|rule| [Format::Rpz(zone(rule.clone())), Format::RpzIp(zone(rule))]).collect()
}

#[test]
fn bind_reads_the_zones() {
    if !has("a reader of our files", &["named-checkzone"]) {
        return;
    }
    for keys in [keys(), Vec::new()] {
        for format in zones() {
            let folder = put(&format, &keys);
            let output =
                run("named-checkzone", &["-k", "ignore", "block.rpz", "block.rpz.zone"], folder.path());
            assert!(
                output.status.success() && said(&output).contains("loaded serial 7"),
                "{format:?}: {}",
                said(&output)
            );
        }
    }
}

#[test]
fn bind_reads_the_zones_as_policy() {
    if !has("a reader of our files", &["named-checkconf"]) {
        return;
    }
    for format in zones() {
        let folder = put(&format, &keys());
        let text = "options { directory \".\"; response-policy { zone \"block.rpz\"; }; };\n\
                    zone \"block.rpz\" { type primary; file \"block.rpz.zone\"; };\n";
        fs::write(folder.path().join("named.conf"), text).unwrap();
        let output = run("named-checkconf", &["-z", "named.conf"], folder.path());
        assert!(output.status.success(), "{format:?}: {}", said(&output));
    }
}

#[test]
fn unbound_reads_the_zones() {
    if !has("a reader of our files", &["unbound-checkconf"]) {
        return;
    }
    for keys in [keys(), Vec::new()] {
        for format in zones() {
            let folder = put(&format, &keys);
            let text = format!(
                "server:\n  module-config: \"respip validator iterator\"\n  chroot: \"\"\n  username: \"\"\n  directory: \"{0}\"\n\
                 rpz:\n  name: \"block.rpz\"\n  zonefile: \"{0}/block.rpz.zone\"\n",
                folder.path().display()
            );
            fs::write(folder.path().join("unbound.conf"), text).unwrap();
            let output = run("unbound-checkconf", &["unbound.conf"], folder.path());
            assert!(
                output.status.success() && said(&output).contains("no errors"),
                "{format:?}: {}",
                said(&output)
            );
            assert!(
                !said(&output).contains("error:") && !said(&output).contains("warning:"),
                "{}",
                said(&output)
            );
        }
    }
}

#[test]
fn suricata_reads_the_rules_and_the_sets() {
    if !has("a reader of our files", &["suricata"]) {
        return;
    }
    for keys in [keys(), Vec::new()] {
        let folder = put(&Format::Suricata { first_sid: 7_000_001 }, &keys);
        let arguments = ["-T", "-v", "-S", "ringfence.rules", "-l", "."];
        let output = run("suricata", &arguments, folder.path());
        let said = said(&output);
        assert!(output.status.success(), "{said}");
        if !keys.is_empty() {
            assert!(said.contains("8 rules successfully loaded, 0 rules failed"), "{said}");
        }
    }
}

#[test]
fn squid_reads_the_list() {
    if !has("a reader of our files", &["squid"]) {
        return;
    }
    let folder = put(&Format::Squid, &keys());
    let text = format!(
        "acl listed dstdomain \"{0}/squid-dstdomain.txt\"\nhttp_access deny listed\nhttp_port 127.0.0.1:3129\npid_filename none\n\
         cache_effective_user root\ncoredump_dir {0}\n",
        folder.path().display()
    );
    fs::write(folder.path().join("squid.conf"), text).unwrap();
    let output = run("squid", &["-k", "parse", "-f", "squid.conf"], folder.path());
    let said = said(&output);
    assert!(output.status.success() && !said.contains("ERROR") && !said.contains("is a subdomain"), "{said}");
}

#[test]
fn nft_reads_the_sets() {
    if !has("a reader of our files", &["nft"]) {
        return;
    }
    for keys in [keys(), Vec::new()] {
        let folder = put(&Format::Nftables { table: "9 odd name;".to_owned() }, &keys);
        let mut output = run("nft", &["-c", "-f", "ringfence.nft"], folder.path());
        if said(&output).contains("Operation not permitted") {
            // In a network of its own everybody may.
            output = run("unshare", &["-rn", "nft", "-c", "-f", "ringfence.nft"], folder.path());
        }
        assert!(output.status.success(), "{}", said(&output));
    }
}
