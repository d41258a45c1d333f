//! Taking parts out of an object. The first line has the selectors, the rest is the object.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stix::{ValidateOptions, derive, validate};

const CREATOR: &str = "identity--b3f1c9d2-4a75-4c1e-9a37-6f0d2c85e101";

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (Ok(line), object) = (std::str::from_utf8(&data[..end]), &data[end + 1..]) else { return };
    let selectors: Vec<&str> = line.split_whitespace().collect();
    // Some identifiers are withheld and some are not, by a rule that any input can meet.
    let withheld = |id: &str| id.ends_with(['0', '1', '2', '3']);
    let Ok(derived) = derive(object, &selectors, &withheld, CREATOR) else { return };
    let options = ValidateOptions { warnings: false, ..ValidateOptions::default() };
    assert!(validate(&derived, &options).is_accepted(), "what is derived is valid");
    let again = derive(object, &selectors, &withheld, CREATOR);
    assert_eq!(again.as_ref(), Ok(&derived), "the same removal gives the same object");
    let before = stix::Head::parse(object).expect("what something was derived from has a head");
    let after = stix::Head::parse(&derived).expect("a valid object has a head");
    assert_ne!(before.id, after.id, "never other bytes under the same id");
});
