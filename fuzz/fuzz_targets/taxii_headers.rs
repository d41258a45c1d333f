//! `Accept`, `Content-Type` and `Authorization`, and the encoding of a path's parts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taxii::{Credentials, accepts, challenges, content_type_ok, decode_component, encode_component};

fuzz_target!(|text: &str| {
    drop((accepts(Some(text)), content_type_ok(Some(text))));
    let widened = format!("{},{text}", taxii::MEDIA_TYPE);
    assert!(accepts(Some(&widened)).is_ok(), "one range that fits is enough");
    if let Ok(Some(credentials)) = Credentials::parse(Some(text)) {
        let header = credentials.header_value();
        let again = Credentials::parse(Some(header.expose())).ok().flatten();
        let same = again.is_some_and(|again| again.header_value().expose() == header.expose());
        assert!(same, "what was read is written back");
    }
    assert_eq!(decode_component(&encode_component(text)).as_deref(), Some(text));
    drop(decode_component(text));
    for challenge in challenges(text) {
        assert!(challenge.chars().all(|c| !c.is_control()), "a header has one line");
    }
});
