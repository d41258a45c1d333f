//! Text of mails, and what people write when they list something.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matcher::{BlindKey, Key, Kind, Matcher, Scope};

fuzz_target!(|bytes: &[u8]| {
    let mut matcher = Matcher::new([7; 32]);
    let set = matcher.add_blind_set(BlindKey::new(&[1; 32]));
    let fixed = [
        Key::name("evil.example", Scope::Subdomains),
        Key::parse_prefix("192.0.2.0/24"),
        Key::parse_prefix("2001:db8::/32"),
        Key::email("bad@evil.example"),
        Key::url("http://evil.example/x"),
        Key::hash("MD5", "d41d8cd98f00b204e9800998ecf8427e"),
        Key::text("a b"),
    ];
    for key in fixed.into_iter().flatten() {
        assert!(matcher.insert(&key, 0));
    }
    // What the text itself names is listed too: read, written, read the same, and found where it stands.
    let text = String::from_utf8_lossy(bytes);
    let mut keys = Vec::new();
    for (slot, line) in (1u32..).zip(text.lines().take(20)) {
        let doors = [
            Key::name(line, Scope::Exact),
            Key::parse_prefix(line),
            Key::parse_endpoint(line),
            Key::email(line),
            Key::url(line),
            Key::file_name(line),
            Key::subject(line),
            Key::text(line),
        ];
        for key in doors.into_iter().flatten() {
            let blinded = BlindKey::new(&[1; 32]).blind(&key);
            assert_eq!(blinded.to_string().parse(), Ok(blinded));
            if matcher.insert(&key, slot) {
                keys.push((key, slot));
            }
            matcher.insert_blinded(set, &blinded, slot);
        }
    }
    let mut met = 0;
    matcher.scan(bytes, |found| {
        assert!(found.span.start < found.span.end && found.span.end <= bytes.len(), "{found:?}");
        assert!(!matches!(found.kind, Kind::FileName | Kind::Subject));
        met += 1;
    });
    for (key, slot) in keys {
        let mut is_found = false;
        matcher.exact(&key, |other| is_found |= other == slot);
        assert!(is_found, "{key:?}");
        assert!(matcher.remove(&key, slot), "{key:?}");
    }
    let mut left = 0;
    matcher.scan(bytes, |_| left += 1);
    assert!(left <= met, "what is not listed is not met");
});
