//! What a text has of what is listed, and what it only seems to have.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test, as it should")]

use std::net::IpAddr;

use matcher::{Algorithm, BlindKey, Blinded, Context, Key, Kind, Matcher, Met, Scope};
use proptest::prelude::*;

const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";
const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What is listed, by slot.
fn keys() -> Vec<Key> {
    vec![
        Key::name("evil.example", Scope::Subdomains).unwrap(),
        Key::name("exact.example", Scope::Exact).unwrap(),
        Key::name("bücher.example", Scope::Subdomains).unwrap(),
        Key::parse_prefix("192.0.2.0/24").unwrap(),
        Key::parse_endpoint("198.51.100.7:8443").unwrap(),
        Key::parse_prefix("2001:db8::/32").unwrap(),
        Key::hash("MD5", MD5).unwrap(),
        Key::hash("SHA-256", SHA256).unwrap(),
        Key::email("bad.man@mail.example").unwrap(),
        Key::url("https://good.example/bad/Page?x=1").unwrap(),
        Key::text("Your account was SUSPENDED").unwrap(),
        Key::text("cmd.exe /c calc").unwrap(),
        Key::text("日本").unwrap(),
        Key::parse_endpoint("[2001:db9::1]:53").unwrap(),
        Key::url("http://198.51.100.9/x").unwrap(),
    ]
}

fn matcher() -> Matcher {
    let mut matcher = Matcher::new([5; 32]);
    for (slot, key) in (0..).zip(keys()) {
        assert!(matcher.insert(&key, slot));
    }
    matcher
}

fn met(matcher: &Matcher, text: &[u8]) -> Vec<Met> {
    let mut met = Vec::new();
    matcher.scan(text, |found| met.push(found));
    met
}

fn slots(matcher: &Matcher, text: &[u8]) -> Vec<u32> {
    let mut slots: Vec<u32> = met(matcher, text).into_iter().map(|found| found.slot).collect();
    slots.sort_unstable();
    slots
}

#[test]
fn a_text_has_what_stands_in_it_and_nothing_within_longer_words() {
    let matcher = matcher();
    let cases: &[(&str, &[u32])] = &[
        // Names
        ("evil.example", &[0]),
        ("See www.Evil.EXAMPLE.", &[0]),
        ("evil.example, exact.example; (evil.example)", &[0, 0, 1]),
        ("notevil.example evil.example.org evil.examples", &[]),
        ("www.exact.example", &[]),
        ("bücher.example und www.BÜCHER.example", &[2, 2]),
        ("xn--bcher-kva.example", &[2]),
        ("evil.example...then more", &[0]),
        ("**evil.example** _evil.example_ -evil.example-", &[0, 0, 0]),
        ("“evil.example”", &[0]),
        ("…evil.example…", &[0]),
        ("訪問evil.exampleしてください", &[0]),
        ("evil.example=x,evil.example", &[0, 0]),
        ("q=%2Fevil.example%2F", &[0]),
        // Defanged
        ("evil[.]example evil(.)example evil{.}example", &[0, 0, 0]),
        ("evil[dot]example www[DOT]evil(dot)example", &[0, 0]),
        ("www[.]evil.example www.evil[.]example", &[0, 0]),
        ("evil\\.example", &[0]),
        ("[.] [dot] (dot) evil[.] example", &[]),
        ("not-evil[.]example", &[]),
        // Addresses
        ("from 192.0.2.77 and 192[.]0[.]2[.]78", &[3, 3]),
        ("192.0.3.77 1192.0.2.77 192.0.2.777 1.192.0.2.7", &[]),
        ("198.51.100.7:8443 198.51.100.7:8444 198.51.100.7", &[4]),
        ("198.51.100.7[:]8443", &[4]),
        ("[2001:db8::7] 2001:DB8:1:2:3:4:5:6. at 12:30:45", &[5, 5]),
        ("[2001:db9::1]:53 2001:db9::1", &[13]),
        ("::ffff:192.0.2.1", &[3]),
        ("x2001:db8::7 2001:db8::7g", &[]),
        // E-mail
        ("Bad.Man@Mail.Example", &[8]),
        ("<mailto:bad.man@mail.example>", &[8]),
        ("to='bad.man@mail.example'", &[8]),
        ("bad.man[@]mail[.]example bad.man[at]mail.example", &[8]),
        ("very.bad.man@mail.example bad.man@mail.example.org", &[]),
        ("evil.example@good.example", &[]),
        ("someone@sub.evil.example", &[0]),
        // URLs
        ("https://good.example/bad/Page?x=1", &[9]),
        ("hxxps://GOOD[.]example:443/a/../bad/Page?x=1#top.", &[9]),
        ("(https://good.example/bad/Page?x=1).", &[9]),
        ("https[:]//good.example/bad/Page?x=1", &[9]),
        ("good.example/bad/Page?x=1", &[9]),
        ("https://good.example/bad/page?x=1", &[]),
        ("http://evil.example/x http://u:p@evil.example:8080/y", &[0, 0]),
        ("http://evil.example@good.example/", &[]),
        ("http://good.example/?to=evil.example", &[0]),
        ("http://192.0.2.1/ http://3221225985/", &[3, 3]),
        ("http://198.51.100.9/x http://0xC6.0x33.0x64.9/x", &[14, 14]),
        ("http://[2001:db8::1]/ https://198.51.100.7:8443/", &[4, 5]),
        ("https://r.example/?u=https://good.example/bad/Page?x=1", &[9]),
        ("http://evil.example: http://evil.example!", &[0, 0]),
        ("href=\"hxxp://evil[.]example\"", &[0]),
        // Hashes
        (MD5, &[6]),
        (&format!("md5={},sha256={SHA256}", MD5.to_uppercase()), &[6, 7]),
        (&format!("{MD5}0 0{MD5} x{MD5} {MD5}z"), &[]),
        // Strings
        ("YOUR   account\n was suspended!", &[10]),
        ("your account was suspendedly", &[]),
        ("your account, was suspended", &[]),
        ("> cmd.exe  /C  CALC", &[11]),
        ("cmd.exe c calc", &[]),
        ("新日本語", &[12]),
    ];
    for (text, want) in cases {
        assert_eq!(slots(&matcher, text.as_bytes()), *want, "{text}");
        let inside = format!("lorem ipsum {text} dolor");
        assert_eq!(slots(&matcher, inside.as_bytes()), *want, "{inside}");
    }
}

#[test]
fn what_is_met_has_its_place_and_its_context() {
    let matcher = matcher();
    let text = "a www.evil.example b@evil.example http://evil.example/evil.example/";
    let found: Vec<(&str, Kind, Context)> = met(&matcher, text.as_bytes())
        .into_iter()
        .map(|met| (&text[met.span], met.kind, met.context))
        .collect();
    let want = [
        ("www.evil.example", Kind::Name, Context::Text),
        ("evil.example", Kind::Name, Context::Email),
        ("evil.example", Kind::Name, Context::Url),
        ("evil.example", Kind::Name, Context::UrlRest),
    ];
    assert_eq!(found, want);
}

#[test]
fn bytes_that_are_no_utf8_end_what_stands_before_them() {
    let matcher = matcher();
    for around in [&b"\xff"[..], b"\xc3", b"\xe2\x80", b"\0"] {
        let text = [around, b"evil.example", around].concat();
        assert_eq!(slots(&matcher, &text), [0], "{around:x?}");
    }
}

#[test]
fn what_is_blinded_is_met_as_what_is_plain() {
    let key = BlindKey::new(b"an example of a key of 32 bytes.");
    let mut blind = Matcher::new([6; 32]);
    let set = blind.add_blind_set(key.clone());
    let blinded: Vec<Blinded> = keys().iter().map(|plain| key.blind(plain)).collect();
    for (slot, value) in (0..).zip(&blinded) {
        assert_eq!(value.to_string().parse::<Blinded>().as_ref(), Ok(value));
        assert!(blind.insert_blinded(set, value, slot));
        assert!(!blind.insert_blinded(set, value, slot));
    }
    let plain = matcher();
    let texts = [
        "www.evil.example exact.example www.exact.example bücher.example 192.0.2.7 198.51.100.7:8443 2001:db8::1",
        "bad.man@mail.example https://good.example/bad/Page?x=1 your account was suspended, cmd.exe /c calc [2001:db9::1]:53",
        SHA256,
    ];
    for text in texts {
        assert_eq!(slots(&blind, text.as_bytes()), slots(&plain, text.as_bytes()), "{text}");
    }
    let address: IpAddr = "192.0.2.9".parse().unwrap();
    let mut seen = Vec::new();
    blind.address(address, |slot| seen.push(slot));
    blind.hash(Algorithm::Md5, &hex(MD5), |slot| seen.push(slot));
    blind.exact_text(Kind::Email, "Bad.Man@mail.example", |slot| seen.push(slot));
    assert_eq!(seen, [3, 6, 8]);
    // Another member's key recognises nothing of it.
    let mut other = Matcher::new([6; 32]);
    let set_of_other =
        other.add_blind_set(BlindKey::new(b"another example, also of 32 bytes"[..32].try_into().unwrap()));
    for (slot, value) in (0..).zip(&blinded) {
        other.insert_blinded(set_of_other, value, slot);
    }
    assert_eq!(slots(&other, texts.join(" ").as_bytes()), [0; 0]);
    for (slot, value) in (0..).zip(&blinded) {
        assert!(blind.remove_blinded(set, value, slot));
    }
    assert_eq!(slots(&blind, texts.join(" ").as_bytes()), [0; 0]);
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn the_blinded_form_is_what_its_description_says() {
    // HMAC-SHA-256 of the kind's two bytes and the canonical value, cut to sixteen bytes; computed elsewhere too.
    let key = BlindKey::new(&[0; 32]);
    let blinded = key.blind(&Key::name("Evil.Example", Scope::Subdomains).unwrap());
    assert_eq!(blinded.to_string(), VECTOR);
    let exact = key.blind(&Key::name("evil.example", Scope::Exact).unwrap());
    assert_eq!(exact.to_string().rsplit(':').next(), VECTOR.rsplit(':').next());
    assert!(!format!("{key:?}{blinded:?}").contains("evil"));
    for text in [
        "",
        "name:00",
        "name.exact:00",
        "prefix4.33:00000000000000000000000000000000",
        "text.0:00000000000000000000000000000000",
    ] {
        assert!(text.parse::<Blinded>().is_err(), "{text}");
    }
}

const VECTOR: &str = "name.subdomains:4f54e4e0ebbc6ba063b9bbc9996e5e84";

proptest! {
    #[test]
    fn any_text_is_scanned_and_spans_are_of_it(
        pieces in prop::collection::vec(
            prop_oneof![
                Just("evil"), Just("example"), Just("."), Just("@"), Just(":"), Just("://"), Just("http"), Just("[.]"), Just("[dot]"),
                Just("("), Just(")"), Just("]"), Just("["), Just("192.0.2.1"), Just("2001:db8::"), Just("ü"), Just("日"), Just(" "),
                Just("/"), Just("\\"), Just("-"), Just("_"), Just("%2"), Just("your account"), Just("d41d8cd98f00b204e9800998ecf8427e"),
            ],
            0..60,
        ),
        noise in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let matcher = matcher();
        let mut text = pieces.concat().into_bytes();
        text.splice(text.len() / 2..text.len() / 2, noise);
        for found in met(&matcher, &text) {
            prop_assert!(found.span.start < found.span.end && found.span.end <= text.len());
        }
    }

    #[test]
    fn a_listed_name_between_delimiters_is_always_met(
        before in "[ -~]{0,30}", after in "[ -~]{0,30}", name in "([a-z]{1,5}\\.){0,2}evil\\.example",
    ) {
        let matcher = matcher();
        let text = format!("{before} {name} {after}");
        let start = before.len() + 1;
        let found = met(&matcher, text.as_bytes());
        prop_assert!(
            found.iter().any(|met| met.slot == 0 && met.span == (start..start + name.len())), "{} {:?}", text, found
        );
    }
}

#[test]
fn hostile_texts_take_as_long_as_others() {
    let matcher = matcher();
    // A scanner that goes back from each mark would need minutes for one of them.
    let units = [
        ".",
        "@",
        ":",
        "a.",
        "a@",
        "a:",
        "[.]",
        "(.",
        "\\.",
        "[dot]",
        "dot]",
        "a[.]",
        "http://",
        "a.b@",
        "::",
        "1:",
        "f",
        "-.",
        "ü.",
        "日.",
        "%2F.",
        "your ",
        "a@a.",
        "http://a.",
        ".com/",
        "192.0.2.",
        "a.com/",
    ];
    for unit in units {
        let text = unit.repeat(300_000 / unit.len());
        let mut count = 0;
        matcher.scan(text.as_bytes(), |_| count += 1);
        assert!(count <= text.len());
    }
}
