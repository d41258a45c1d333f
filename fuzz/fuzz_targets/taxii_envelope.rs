//! An envelope, read by the client's reader and by the hub's: where both accept it, they see the same objects.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stix::{Limits, Wrapper, split};
use taxii::Envelope;

fuzz_target!(|data: &[u8]| {
    let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(data) else { return };
    let whole = data.as_ptr_range();
    for object in &envelope.objects {
        let part = object.get().as_bytes().as_ptr_range();
        assert!(whole.start <= part.start && part.end <= whole.end, "an object is a slice of the body");
    }
    let Ok(objects) = split(data, &Limits::default()) else { return };
    if objects.wrapper() == Wrapper::Envelope {
        let theirs: Vec<&[u8]> = envelope.objects.iter().map(|object| object.get().as_bytes()).collect();
        assert_eq!(objects.iter().collect::<Vec<_>>(), theirs);
        assert_eq!(objects.more(), envelope.more);
    }
});
