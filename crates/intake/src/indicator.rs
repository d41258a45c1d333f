//! Writing an indicator (STIX 2.1 §4.7) as bytes.
//!
//! Properties stand in one fixed order and absent ones are left out, so the same parts always give
//! the same bytes. An importer writes millions of these; none of them passes through a tree.

/// The parts of an indicator. Empty lists and texts are left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts<'a> {
    pub(crate) uuid: uuid::Uuid,
    pub(crate) created_by_ref: &'a str,
    pub(crate) created: &'a str,
    pub(crate) modified: &'a str,
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    pub(crate) pattern: &'a str,
    pub(crate) pattern_type: &'a str,
    pub(crate) valid_from: &'a str,
    pub(crate) valid_until: &'a str,
    pub(crate) labels: &'a [&'a str],
    pub(crate) markings: &'a [&'a str],
}

impl Parts<'_> {
    /// The indicator.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512 + self.pattern.len() + self.description.len());
        out.extend_from_slice(br#"{"type":"indicator","spec_version":"2.1","id":"indicator--"#);
        let mut buffer = uuid::Uuid::encode_buffer();
        out.extend_from_slice(self.uuid.hyphenated().encode_lower(&mut buffer).as_bytes());
        out.push(b'"');
        property(&mut out, "created_by_ref", self.created_by_ref);
        property(&mut out, "created", self.created);
        property(&mut out, "modified", self.modified);
        property(&mut out, "name", self.name);
        property(&mut out, "description", self.description);
        property(&mut out, "pattern", self.pattern);
        property(&mut out, "pattern_type", self.pattern_type);
        property(&mut out, "valid_from", self.valid_from);
        property(&mut out, "valid_until", self.valid_until);
        list(&mut out, "labels", self.labels);
        list(&mut out, "object_marking_refs", self.markings);
        out.push(b'}');
        out
    }
}

fn property(out: &mut Vec<u8>, key: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    string(out, value);
}

/// A list; what stands in it twice is written once.
fn list(out: &mut Vec<u8>, key: &str, values: &[&str]) {
    let mut first = true;
    for (at, value) in values.iter().enumerate() {
        if value.is_empty() || values.iter().take(at).any(|earlier| earlier == value) {
            continue;
        }
        if first {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":[");
        } else {
            out.push(b',');
        }
        first = false;
        string(out, value);
    }
    if !first {
        out.push(b']');
    }
}

/// A JSON string with only the escapes that RFC 8259 §7 demands.
fn string(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    let bytes = value.as_bytes();
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if !matches!(byte, b'"' | b'\\' | 0..=0x1f) {
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn absent_parts_are_left_out_and_repeated_labels_written_once() {
        let parts = Parts {
            created_by_ref: "identity--f690c992-8e7d-4b9a-9303-3312616c0220",
            created: "2026-01-10T00:00:00.000Z",
            modified: "2026-01-10T00:00:00.000Z",
            pattern: "[domain-name:value = 'a.example']",
            pattern_type: "stix",
            valid_from: "2026-01-10T00:00:00.000Z",
            labels: &["one", "two", "one", ""],
            ..Parts::default()
        };
        let want = "{\"type\":\"indicator\",\"spec_version\":\"2.1\",\
            \"id\":\"indicator--00000000-0000-0000-0000-000000000000\",\
            \"created_by_ref\":\"identity--f690c992-8e7d-4b9a-9303-3312616c0220\",\
            \"created\":\"2026-01-10T00:00:00.000Z\",\"modified\":\"2026-01-10T00:00:00.000Z\",\
            \"pattern\":\"[domain-name:value = 'a.example']\",\"pattern_type\":\"stix\",\
            \"valid_from\":\"2026-01-10T00:00:00.000Z\",\"labels\":[\"one\",\"two\"]}";
        assert_eq!(String::from_utf8(parts.bytes()).unwrap(), want);
    }

    proptest! {
        #[test]
        fn any_text_survives_the_writing(text in any::<String>()) {
            let mut out = Vec::new();
            string(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
