//! Every form in which people keep indicators, written by hand, through the public door.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::time::Duration;

use intake::{Item, Limits, Options, Summary};
use proptest::prelude::*;

fn options() -> Options {
    Options::new("identity--f690c992-8e7d-4b9a-9303-3312616c0220", "2026-01-10T00:00:00Z").unwrap()
}

fn with_limits(limits: Limits) -> Options {
    let mut options = options();
    options.limits = limits;
    options
}

/// What one input gave: objects with their places, refusals with reason and place.
#[derive(Debug, PartialEq)]
struct Outcome {
    objects: Vec<(String, Vec<u8>)>,
    refused: Vec<(String, String, String)>,
    summary: Summary,
}

impl Outcome {
    fn patterns(&self) -> Vec<String> {
        let pattern = |bytes: &[u8]| {
            let object: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            object["pattern"].as_str().unwrap_or_default().to_owned()
        };
        self.objects.iter().map(|(_, bytes)| pattern(bytes)).collect()
    }

    fn reasons(&self) -> Vec<&str> {
        self.refused.iter().map(|(_, reason, _)| reason.as_str()).collect()
    }
}

fn read_with(bytes: &[u8], options: &Options) -> Outcome {
    let (mut objects, mut refused) = (Vec::new(), Vec::new());
    let summary = intake::read_reader("in", bytes, options, &mut |item| {
        match item {
            Item::Object { bytes, place } => objects.push((place.to_string(), bytes)),
            Item::Refused { place, reason, message } => {
                refused.push((place.to_string(), reason.to_string(), message));
            }
            Item::FileDone { .. } => {}
        }
        ControlFlow::Continue(())
    });
    Outcome { objects, refused, summary }
}

fn read(bytes: impl AsRef<[u8]>) -> Outcome {
    read_with(bytes.as_ref(), &options())
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

const ONE: &str = r#"{"type":"tool","spec_version":"2.1","id":"tool--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",  "created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"a"}"#;
const OLD: &str = r#"{"type":"tool","id":"tool--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","created":"2016-01-01T00:00:00.000Z","modified":"2016-01-01T00:00:00.000Z","name":"a","labels":["remote-access"]}"#;
const SCO: &str =
    r#"{"type":"domain-name","id":"domain-name--ecb120bf-2694-4902-a737-62b74539a41b","value":"a.example"}"#;

#[test]
fn stix_is_handed_on_byte_for_byte_from_every_wrapper() {
    let cases = [
        (ONE.to_owned(), vec![("in", ONE)]),
        (format!(" \u{feff}{ONE}").trim_start().to_owned(), vec![("in", ONE)]),
        (format!("[{ONE} , {SCO}]"), vec![("in:object 0", ONE), ("in:object 1", SCO)]),
        (format!("{{\"more\":true,\"objects\":[{ONE}\n]}}"), vec![("in:object 0", ONE)]),
        (
            format!("{{\"type\":\"bundle\",\"id\":\"b\",\"objects\":[{SCO},{ONE}]}}"),
            vec![("in:object 0", SCO), ("in:object 1", ONE)],
        ),
        (format!("{ONE}\n\n{SCO}\r\n"), vec![("in:line 1", ONE), ("in:line 3", SCO)]),
        (format!("{{\"objects\":[{ONE}]}}\n{SCO}"), vec![("in:line 1:object 0", ONE), ("in:line 2", SCO)]),
        ("{\"type\":\"bundle\",\"id\":\"b\"}".to_owned(), vec![]),
    ];
    for (text, want) in cases {
        let outcome = read(&text);
        let want: Vec<_> =
            want.into_iter().map(|(place, bytes)| (place.to_owned(), bytes.as_bytes().to_vec())).collect();
        assert_eq!(outcome.objects, want, "{text}");
        assert_eq!(outcome.reasons(), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn a_bad_record_is_refused_and_its_neighbours_are_not() {
    let cases = [
        (format!("[{ONE},17,{SCO}]"), 2, vec!["not-an-object"]),
        (format!("{{\"objects\":[{ONE},null,{{\"type\":\"a\"}}]}}"), 1, vec!["not-an-object", "bad-object"]),
        (format!("{ONE}\n{{\"type\":\n{SCO}"), 2, vec!["bad-json"]),
        (format!("[{ONE}"), 0, vec!["bad-json"]),
        (
            format!("{{\"type\":\"bundle\",\"spec_version\":\"2.0\",\"objects\":[{OLD},{ONE}]}}"),
            1,
            vec!["stix-2.0"],
        ),
        (OLD.to_owned(), 0, vec!["stix-2.0"]),
        ("{\"iocs\":[1]}".to_owned(), 0, vec!["unknown-json"]),
        ("{\"objects\":{}}".to_owned(), 0, vec!["bad-json"]),
        ("[[[[[[[[\"evil.example\"]]]]]]]]".to_owned(), 0, vec!["limit"]),
        ("{\"type\":\"a\",\"type\":\"b\"}".to_owned(), 0, vec!["bad-json"]),
        ("a\0b".to_owned(), 0, vec!["not-text"]),
        (String::new(), 0, vec![]),
    ];
    for (text, objects, reasons) in cases {
        let outcome = read(&text);
        assert_eq!(outcome.objects.len(), objects, "{text}");
        assert_eq!(outcome.reasons(), reasons, "{text}");
    }
    assert!(read(OLD).refused[0].2.contains("--convert-2.0"));
    assert!(read("{\"iocs\":[1]}").refused[0].2.contains("`iocs`"));
}

#[test]
fn old_objects_are_converted_on_request() {
    let mut options = options();
    options.convert_2_0 = true;
    let nested = r#"{"type":"observed-data","id":"observed-data--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","created":"2016-01-01T00:00:00.000Z","objects":{}}"#;
    let bundle = format!("{{\"type\":\"bundle\",\"spec_version\":\"2.0\",\"objects\":[{OLD},{nested}]}}");
    let outcome = read_with(bundle.as_bytes(), &options);
    let object: serde_json::Value = serde_json::from_slice(&outcome.objects[0].1).unwrap();
    assert_eq!(object["spec_version"], "2.1");
    assert_eq!(object["tool_types"], serde_json::json!(["remote-access"]));
    assert_eq!(outcome.reasons(), ["stix-2.0"]);
    assert_eq!(outcome.refused[0].0, "in:object 1");
}

#[test]
fn lists_are_read_in_their_dialects() {
    let tab = "198.51.100.7\t10\n";
    let cases: [(&str, &[&str], usize); 15] = [
        ("# comment\n\nevil.example # why\n", &["[domain-name:value = 'evil.example']"], 0),
        ("! c\n; c\n// c\n||evil.example^\n", &["[domain-name:value = 'evil.example']"], 0),
        ("hxxp://evil[.]example/a#b\r\n", &["[url:value = 'http://evil.example/a#b']"], 0),
        (
            "127.0.0.1 localhost evil.example\n::1 ip6-localhost\n",
            &["[domain-name:value = 'evil.example']"],
            0,
        ),
        (
            "0.0.0.0 evil.example other.exe\n",
            &["[domain-name:value = 'evil.example']", "[domain-name:value = 'other.exe']"],
            0,
        ),
        ("0.0.0.0 0.0.0.0\n", &[], 0),
        (tab, &["[ipv4-addr:value = '198.51.100.7']"], 0),
        (
            "198.51.100.7 443\n",
            &["[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = \
               '198.51.100.7' AND network-traffic:dst_port = 443]"],
            0,
        ),
        ("198.51.100.0/24 ; SBL1\n", &["[ipv4-addr:value ISSUBSET '198.51.100.0/24']"], 0),
        (
            "41898dae353a85c04282979c44448beb *invoice.exe\n",
            &["[file:hashes.MD5 = '41898dae353a85c04282979c44448beb']"],
            0,
        ),
        ("nobody[@]evil.example\n", &["[email-addr:value = 'nobody@evil.example']"], 0),
        ("evil.example is a bad place\n", &[], 1),
        ("read_me.txt\ncom.serv.services\n\"evil.example\"\n", &["[domain-name:value = 'evil.example']"], 2),
        ("[\"evil.example\", \"no\"]", &["[domain-name:value = 'evil.example']"], 1),
        (
            "[2001:db8::1]:443\n",
            &["[network-traffic:dst_ref.type = 'ipv6-addr' AND network-traffic:dst_ref.value = \
               '2001:db8::1' AND network-traffic:dst_port = 443]"],
            0,
        ),
    ];
    for (text, patterns, refused) in cases {
        let outcome = read(text);
        assert_eq!(outcome.patterns(), patterns, "{text}");
        assert_eq!(outcome.refused.len(), refused, "{text}");
        assert!(outcome.reasons().iter().all(|reason| *reason == "unclassified"), "{text}");
    }
    let places: Vec<_> =
        read("# a\nnothing\n\nno\n").refused.into_iter().map(|(place, _, _)| place).collect();
    assert_eq!(places, ["in:line 2", "in:line 4"]);
}

#[test]
fn tables_are_read_by_their_header() {
    let sha = "f761dea56b7d4a0ad40e55632da2e6e2de322d1cae3b117d1d27ea0b33461234";
    let with_hash = format!("SHA256,Package Name,App\n{sha},com.topspy,1TopSpy\n");
    let hash_pattern = format!("[file:hashes.'SHA-256' = '{sha}']");
    let domain = "[domain-name:value = 'evil.example']";
    let cases: [(&str, &[&str], &[&str]); 12] = [
        ("type,indicator,app\ndomain,evil.example,Spy\n", &[domain], &[]),
        ("\u{feff}value;comment\r\nevil.example;\"a;b\"\r\n", &[domain], &[]),
        ("# c\nkind\tvalue\ndomain\tevil.example\ntext\t\"odd\n", &[domain], &["unsupported-type `text`"]),
        ("kind,value\nother,evil.example\n", &[domain], &[]),
        ("kind,value\nother,(a|b).pw\n", &[], &["unclassified"]),
        ("kind,value\nipv4,evil.example\n", &[], &["bad-value"]),
        (
            "domain_name,ip_address\n\"evil.example\",\"198.51.100.7\"\n",
            &[domain, "[ipv4-addr:value = '198.51.100.7']"],
            &[],
        ),
        (&with_hash, &[&hash_pattern], &[]),
        ("tlp,value\namber,evil.example\npuce,evil.example\n", &[domain], &["unknown-marking"]),
        ("2026-01-01,evil.example,why\n", &[domain], &[]),
        ("Group ID,Group name\n64,drives\n", &[], &["unclassified", "unclassified"]),
        ("value,comment\n,nothing\n", &[], &["unclassified"]),
    ];
    for (text, patterns, reasons) in cases {
        let outcome = read(text);
        assert_eq!(outcome.patterns(), patterns, "{text}");
        assert_eq!(outcome.reasons(), reasons, "{text}");
    }
    let outcome = read("value,tlp,tags,description\nevil.example,TLP:RED,\"a, b\",gate\n");
    let object: serde_json::Value = serde_json::from_slice(&outcome.objects[0].1).unwrap();
    assert_eq!(object["labels"], serde_json::json!(["a", "b"]));
    assert_eq!(object["description"], "gate");
    let red = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1";
    assert_eq!(object["object_marking_refs"], serde_json::json!([red]));
    assert_eq!(outcome.objects[0].0, "in:line 2");
}

#[test]
fn a_comma_in_a_url_does_not_make_a_table() {
    let cases: [(&str, &[&str]); 4] = [
        (
            "http://evil.example/a,b\nhttp://evil.example/c\n",
            &["http://evil.example/a,b", "http://evil.example/c"],
        ),
        ("http://evil.example/a,b\n", &["http://evil.example/a,b"]),
        (
            "http://evil.example/a,phishing\nhttp://evil.example/c,malware\n",
            &["http://evil.example/a", "http://evil.example/c"],
        ),
        (
            "1;http://evil.example/a,b\nhttp://evil.example/c # why\n",
            &["http://evil.example/a,b", "http://evil.example/c"],
        ),
    ];
    for (text, urls) in cases {
        let want: Vec<_> = urls.iter().map(|url| format!("[url:value = '{url}']")).collect();
        assert_eq!(read(text).patterns(), want, "{text}");
    }
}

#[test]
fn an_open_quote_costs_one_row() {
    let mut text = "value,comment\na.example,\"open\n".to_owned();
    for at in 0..5_000 {
        writeln!(text, "b{at}.example,fine").unwrap();
    }
    let outcome = read(&text);
    assert_eq!(outcome.reasons(), ["limit"]);
    assert_eq!(outcome.refused[0].0, "in:line 2");
    assert_eq!(outcome.objects.len(), 5_000);
    assert_eq!(outcome.objects[0].0, "in:line 3");
    assert_eq!(outcome.objects[4_999].0, "in:line 5002");
}

#[test]
fn containers_are_told_by_their_content() {
    let list = b"evil.example\n";
    let other = gz(b"other.example\n");
    let archive = tar(&[("a/one.txt", list), ("b.json", ONE.as_bytes()), ("c.gz", &other)]);
    let members = ["in:a/one.txt:line 1", "in:b.json", "in:c.gz:line 1"];
    let cases = [
        (gz(list), vec!["in:line 1"]),
        (xz(list), vec!["in:line 1"]),
        (zst(list), vec!["in:line 1"]),
        ([gz(b"other.example\n"), gz(list)].concat(), vec!["in:line 1", "in:line 2"]),
        (archive.clone(), members.to_vec()),
        (gz(&archive), members.to_vec()),
        (xz(&archive), members.to_vec()),
        (zst(&archive), members.to_vec()),
    ];
    for (bytes, want) in cases {
        let outcome = read(&bytes);
        let places: Vec<_> = outcome.objects.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places, want);
        assert_eq!(outcome.refused, []);
    }
    let utf16: Vec<u8> = "\u{feff}evil.example\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&utf16).patterns(), ["[domain-name:value = 'evil.example']"]);
}

#[test]
fn a_container_beyond_a_limit_is_refused_by_the_limits_name() {
    let zeros = vec![b'a'; 100_000];
    let list = b"evil.example\n".as_slice();
    let base = Limits::default();
    let total = with_limits(Limits { decompressed_max_bytes: 99_999, ..base });
    let member = with_limits(Limits { member_max_bytes: 99_999, ..base });
    let count = with_limits(Limits { member_count_max: 1, ..base });
    let memory = with_limits(Limits { decompressor_max_bytes: 4_096, ..base });
    let cases = [
        (gz(&zeros), &total, "decompressed_max_bytes"),
        (xz(&zeros), &total, "decompressed_max_bytes"),
        (zst(&zeros), &total, "decompressed_max_bytes"),
        (gz(&tar(&[("a", &zeros)])), &total, "decompressed_max_bytes"),
        (gz(&zeros), &member, "member_max_bytes"),
        (zeros.clone(), &member, "member_max_bytes"),
        (tar(&[("a", list), ("b", list)]), &count, "member_count_max"),
        (tar(&[("a", &tar(&[("b", list)]))]), &count, "archive in an archive"),
        (gz(&gz(list)), &count, "compressed twice"),
        (tar(&[(&"long/".repeat(300_000), list)]), &count, "headers_max_bytes"),
    ];
    for (bytes, options, want) in cases {
        let outcome = read_with(&bytes, options);
        assert!(outcome.refused.iter().any(|(_, _, message)| message.contains(want)), "{want}: {outcome:?}");
    }
    let outcome = read_with(&xz(list), &memory);
    assert_eq!((outcome.objects.len(), outcome.reasons()), (0, vec!["unreadable"]));
    // On the limit is within it.
    let exact = with_limits(Limits { member_max_bytes: 13, decompressed_max_bytes: 13, ..base });
    assert_eq!(read_with(&gz(list), &exact).objects.len(), 1);
}

#[test]
fn a_member_that_is_too_large_does_not_hide_the_next() {
    let options = with_limits(Limits { member_max_bytes: 20, ..Limits::default() });
    let bytes = xz(&tar(&[
        ("big", &b"a".repeat(3_000_000)),
        ("cut.gz", &gz(b"evil.example")[..20]),
        ("next", b"evil.example\n"),
    ]));
    let outcome = read_with(&bytes, &options);
    assert_eq!(outcome.reasons(), ["limit", "unreadable"]);
    assert_eq!(outcome.objects.len(), 1);
    assert_eq!(outcome.objects[0].0, "in:next:line 1");
}

#[test]
fn containers_that_are_not_read_say_so() {
    for (bytes, want) in [(b"PK\x03\x04 rest".as_slice(), "zip"), (b"BZh91AY", "bzip2"), (b"Rar!\x1a", "rar")]
    {
        let outcome = read(bytes);
        assert_eq!(outcome.reasons(), ["not-text"]);
        assert!(outcome.refused[0].2.contains(want), "{outcome:?}");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_and_another_creator_another_identifier() {
    let text = "Evil.example\nhxxp://evil.example/a\n";
    let first = read(text);
    assert_eq!(first, read(text));
    let respelt = read("evil.EXAMPLE.\n");
    let id = |bytes: &[u8]| stix::Head::parse(bytes).unwrap().id.to_string();
    assert_eq!(id(&first.objects[0].1), id(&respelt.objects[0].1));
    let other =
        Options::new("identity--11111111-8e7d-4b9a-9303-3312616c0220", "2026-01-10T00:00:00Z").unwrap();
    assert_ne!(id(&first.objects[0].1), id(&read_with(text.as_bytes(), &other).objects[0].1));
}

#[test]
fn a_value_that_stands_twice_is_one_indicator() {
    let text = "value,tags\nevil.example,a\nEVIL.example,b\n";
    let outcome = read(text);
    assert_eq!((outcome.objects.len(), outcome.reasons()), (1, vec!["duplicate"]));
    assert_eq!(outcome.refused[0].0, "in:line 3");
    let forgetful = with_limits(Limits { remembered_max: 0, ..Limits::default() });
    assert_eq!(read_with(text.as_bytes(), &forgetful).objects.len(), 2);
    // What is STIX already is not ours to judge.
    assert_eq!(read(format!("[{ONE},{ONE}]")).objects.len(), 2);
}

#[test]
fn choices_show_in_the_indicators() {
    let mut options =
        options().with_marking("tlp:amber").unwrap().first_created("2025-01-01T00:00:00Z").unwrap();
    options.valid_for = Some(Duration::from_hours(48));
    options.labels = vec!["feed".to_owned()];
    let outcome = read_with(b"evil.example\n", &options);
    let object: serde_json::Value = serde_json::from_slice(&outcome.objects[0].1).unwrap();
    assert_eq!(object["created"], "2025-01-01T00:00:00.000Z");
    assert_eq!(object["modified"], "2026-01-10T00:00:00.000Z");
    assert_eq!(object["valid_until"], "2026-01-12T00:00:00.000Z");
    assert_eq!(object["labels"], serde_json::json!(["feed"]));
    // A table's own marking closes further, and never opens.
    for (tlp, want) in [
        ("red", "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"),
        ("clear", "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"),
    ] {
        let outcome = read_with(format!("tlp,value\n{tlp},evil.example\n").as_bytes(), &options);
        let object: serde_json::Value = serde_json::from_slice(&outcome.objects[0].1).unwrap();
        assert_eq!(object["object_marking_refs"], serde_json::json!([want]));
    }
}

#[test]
fn the_receiver_may_stop() {
    let mut seen = 0;
    let summary = intake::read_reader("in", b"a.example\nb.example\n".as_slice(), &options(), &mut |_| {
        seen += 1;
        ControlFlow::Break(())
    });
    assert_eq!((seen, summary.stopped), (1, true));
}

#[test]
fn a_directory_is_read_in_order_and_links_are_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
    std::fs::create_dir(directory.path().join("b")).unwrap();
    write("c.txt", b"c.example\n");
    write("b/inner.txt", b"b.example\n");
    write("a.bin", &[0, 1, 2]);
    #[cfg(unix)]
    std::os::unix::fs::symlink("c.txt", directory.path().join("d.txt")).unwrap();
    let (mut objects, mut refused, mut done) = (Vec::new(), Vec::new(), 0);
    let summary = intake::read(directory.path(), &options(), &mut |item| {
        match item {
            Item::Object { place, .. } => objects.push(place.to_string()),
            Item::Refused { reason, .. } => refused.push(reason.code()),
            Item::FileDone { bytes, .. } => done += bytes,
        }
        ControlFlow::Continue(())
    });
    let name = |end: &str| format!("{}:line 1", directory.path().join(end).display());
    assert_eq!(objects, [name("b/inner.txt"), name("c.txt")]);
    assert_eq!(refused, ["not-text", "not-a-file"]);
    assert_eq!(done, intake::bytes_on_disk(directory.path()).unwrap());
    assert_eq!((summary.unwrap().files, done), (3, 23));
    assert!(
        intake::read(&directory.path().join("absent"), &options(), &mut |_| ControlFlow::Continue(()))
            .is_err()
    );
}

fn packed(form: u8, bytes: &[u8]) -> Vec<u8> {
    match form {
        0 => gz(bytes),
        1 => xz(bytes),
        2 => zst(bytes),
        3 => tar(&[("a", bytes)]),
        _ => bytes.to_vec(),
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        form in 0_u8..5,
        cut in any::<prop::sample::Index>(),
        flipped in any::<u8>(),
    ) {
        let mut bytes = packed(form, &bytes);
        if !bytes.is_empty() {
            let at = cut.index(bytes.len());
            bytes[at] ^= flipped;
        }
        let outcome = read(&bytes);
        prop_assert_eq!(outcome.summary.objects, outcome.objects.len() as u64);
        prop_assert_eq!(outcome.summary.refused_count(), outcome.refused.len() as u64);
    }

    #[test]
    fn any_text_is_read_or_refused(
        text in "([\\PC]{0,12}|[\\[\\]{}\":,;\t\n #|/]{1,3}|value|type|Event|Attribute|objects|198\\.51|evil\\.example|null|true){0,40}",
    ) {
        let outcome = read(&text);
        for (_, bytes) in &outcome.objects {
            prop_assert!(stix::Head::parse(bytes).is_ok());
        }
    }
}
