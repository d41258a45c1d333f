//! The envelope: the resource that objects travel in (TAXII 2.1 §3).
//!
//! ```json
//! {"more":true,"next":"opaque","objects":[{"type":"indicator","id":"…"},…]}
//! ```
//!
//! A server that keeps objects as bytes need not parse them to send them: it writes
//! [`envelope_prefix`], the objects joined by commas, and [`ENVELOPE_SUFFIX`]. An empty result
//! leaves `objects` out: [`EMPTY_ENVELOPE`]. A receiver reads an [`Envelope`], whose objects are slices
//! of the body, byte for byte as they were sent.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use crate::resource::Custom;

/// What stands after the objects of a page.
pub const ENVELOPE_SUFFIX: &[u8] = b"]}";

/// A page without objects.
pub const EMPTY_ENVELOPE: &[u8] = b"{\"more\":false}";

/// What stands before the objects of a page.
///
/// `next` without `more` is never written: it would promise what is not there.
#[must_use]
pub fn envelope_prefix(more: bool, next: Option<&str>) -> Vec<u8> {
    let text = match next.filter(|_| more) {
        Some(next) => format!("{{\"more\":true,\"next\":{},\"objects\":[", Value::from(next)),
        None => format!("{{\"more\":{more},\"objects\":["),
    };
    text.into_bytes()
}

/// An envelope as received: the objects are slices of the body.
#[derive(Clone, Debug, Default)]
pub struct Envelope<'a> {
    /// Whether there are more objects; absent means no.
    pub more: bool,
    /// Where they begin, opaque.
    pub next: Option<String>,
    /// The objects, each as it stood in the body.
    pub objects: Vec<&'a RawValue>,
    /// Properties beginning with `x_` (interop 3.15.1). Others that are not in the standard are passed over.
    pub custom: Custom,
}

impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

// By hand, because a flattened map would copy every object before it is a slice.
struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a TAXII envelope")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut more, mut next, mut objects) = (None, None, None);
        let mut custom = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let is_twice = match key.as_str() {
                "more" => more.replace(map.next_value::<bool>()?).is_some(),
                "next" => next.replace(map.next_value::<Option<String>>()?).is_some(),
                "objects" => objects.replace(map.next_value::<Vec<&RawValue>>()?).is_some(),
                key if key.starts_with("x_") => custom.insert(key.to_owned(), map.next_value()?).is_some(),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if is_twice {
                return Err(A::Error::custom(format_args!("property `{key}` occurs twice")));
            }
        }
        Ok(Envelope {
            more: more.unwrap_or_default(),
            next: next.flatten(),
            objects: objects.unwrap_or_default(),
            custom,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(more: bool, next: Option<&str>, objects: &[&str]) -> String {
        let mut bytes = envelope_prefix(more, next);
        bytes.extend_from_slice(objects.join(",").as_bytes());
        bytes.extend_from_slice(ENVELOPE_SUFFIX);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn pages_are_spliced() {
        let cases = [
            (page(true, Some("a\"b"), &["{}", "1"]), r#"{"more":true,"next":"a\"b","objects":[{},1]}"#),
            (page(true, None, &["{}"]), r#"{"more":true,"objects":[{}]}"#),
            (page(false, Some("unused"), &["{}"]), r#"{"more":false,"objects":[{}]}"#),
        ];
        for (written, want) in cases {
            assert_eq!(written, want);
        }
    }

    #[test]
    fn objects_keep_their_bytes() {
        let objects = ["{ \"b\" : 1.0,\"a\":\"\\u00e9\" }", "{\"n\":[1e400]}"];
        let body = page(true, Some("n"), &objects);
        let envelope: Envelope<'_> = serde_json::from_str(&body).unwrap();
        let read: Vec<&str> = envelope.objects.iter().map(|raw| raw.get()).collect();
        assert_eq!(read, objects);
        assert_eq!((envelope.more, envelope.next.as_deref()), (true, Some("n")));
    }

    #[test]
    fn envelopes_of_others_are_read() {
        let empty: Envelope<'_> = serde_json::from_slice(EMPTY_ENVELOPE).unwrap();
        assert!(!empty.more && empty.objects.is_empty());
        let custom: Envelope<'_> =
            serde_json::from_str(r#"{"x_a":{"k":[1]},"id":"ignored","next":null,"objects":[]}"#).unwrap();
        assert_eq!(custom.custom["x_a"]["k"][0], 1);
        assert_eq!((custom.custom.len(), custom.next), (1, None));
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        let cases = [
            "[]",
            "{",
            "null",
            r#"{"more":1}"#,
            r#"{"objects":{}}"#,
            r#"{"objects":[}"#,
            r#"{"objects":[],"objects":[]}"#,
            r#"{"more":true,"more":true}"#,
        ];
        for text in cases {
            assert!(serde_json::from_str::<Envelope<'_>>(text).is_err(), "{text}");
        }
    }
}
