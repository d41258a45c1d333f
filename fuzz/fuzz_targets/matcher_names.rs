//! Names of DNS messages, and the same names as text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matcher::{Key, Matcher, Scope};

fuzz_target!(|wire: &[u8]| {
    let mut matcher = Matcher::new([7; 32]);
    for (slot, (name, scope)) in
        (0..).zip([("a.b", Scope::Subdomains), ("b", Scope::Exact), ("x.a.b", Scope::Exact)])
    {
        assert!(matcher.insert(&Key::name(name, scope).expect("a name"), slot));
    }
    let mut of_wire = Vec::new();
    matcher.names_wire(wire, |hit| of_wire.push(hit));
    // By a plain reading, which fails for what is no name.
    let mut labels = Vec::new();
    let mut rest = wire;
    let text = loop {
        let Some((length, after)) = rest.split_first() else { break None };
        let length = usize::from(*length);
        if length == 0 {
            break Some(labels.join("."));
        }
        if length > 63 || after.len() < length {
            break None;
        }
        let Ok(label) = std::str::from_utf8(&after[..length]) else { break None };
        labels.push(label.to_owned());
        rest = &after[length..];
    };
    let plain = text.filter(|text| text.len() <= 253 && labels.iter().all(|label| !label.contains('.')));
    let Some(text) = plain.filter(|text| text.is_ascii()) else { return };
    let mut of_text = Vec::new();
    matcher.names(&text, |hit| of_text.push(hit));
    assert_eq!(of_wire, of_text, "{text:?}");
});
