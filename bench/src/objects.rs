//! The objects that are measured with: indicators of 1 kB, no two alike.

use std::fmt::Write as _;

/// `SplitMix64`: the same numbers in every run, one for each input.
fn mixed(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The id of the indicator with this number: spread over all ids, as random ones are.
pub(crate) fn id(number: u64) -> String {
    let (high, low) = (mixed(number), mixed(!number));
    format!(
        "indicator--{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        high & 0xffff,
        low >> 52,
        low & 0xfff,
        (low >> 12) & 0xffff_ffff_ffff
    )
}

/// The version of every object here.
pub(crate) const VERSION: &str = "2026-01-01T00:00:00.000Z";

/// The indicator with this number.
pub(crate) fn indicator(number: u64) -> String {
    const SEEN: &str = "Seen in mail to procurement offices, with a password-protected archive attached. ";
    let mut text = String::with_capacity(1_100);
    let _ = write!(
        text,
        "{{\"type\":\"indicator\",\"spec_version\":\"2.1\",\"id\":\"{}\",\
         \"created_by_ref\":\"identity--f431f809-377b-45e0-aa1c-6a4751cae5ff\",\
         \"created\":\"{VERSION}\",\"modified\":\"{VERSION}\",\
         \"indicator_types\":[\"malicious-activity\"],\"name\":\"Delivery host {number}\",\
         \"description\":\"{}\",\"pattern\":\"[domain-name:value = 'host{number}.example']\",\
         \"pattern_type\":\"stix\",\"valid_from\":\"2026-01-01T00:00:00Z\",\
         \"labels\":[\"campaign-7\",\"phishing\"],\"confidence\":70,\
         \"external_references\":[{{\"source_name\":\"report\",\"external_id\":\"R-{:016x}\"}}],\
         \"object_marking_refs\":[\"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da\"]}}",
        id(number),
        SEEN.repeat(4),
        mixed(number),
    );
    text
}

/// An envelope of the indicators from `first` on, with further properties of its own, each ending in a comma.
pub(crate) fn envelope(first: u64, count: u64, properties: &str) -> Vec<u8> {
    let mut text = String::with_capacity(usize::try_from(count).unwrap_or(0) * 1_100 + 100);
    let _ = write!(text, "{{{properties}\"objects\":[");
    for number in first..first + count {
        if number > first {
            text.push(',');
        }
        text.push_str(&indicator(number));
    }
    text.push_str("]}");
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use stix::{Limits, ValidateOptions, split, validate};

    use super::*;

    #[test]
    fn the_objects_are_of_the_size_that_is_claimed_and_valid() {
        let bytes = envelope(0, 1_000, "\"x\":1,");
        let limits = Limits::default();
        let objects = split(&bytes, &limits).unwrap();
        assert_eq!(objects.len(), 1_000);
        for object in &objects {
            assert!((950..1_150).contains(&object.len()), "{} bytes", object.len());
            assert_eq!(validate(object, &ValidateOptions::default()).musts().count(), 0);
        }
        let ids: BTreeSet<String> = (0..1_000).map(id).collect();
        assert_eq!(ids.len(), 1_000);
    }
}
