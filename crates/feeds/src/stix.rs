//! A bundle of STIX 2.1 indicators.
//!
//! An indicator's identifier is made from its pattern and its reference, so that the same entry is the same object in the next file. A pattern is one equality, which
//! every reader knows; a name with all below it has no such pattern and is the name alone.

use matcher::{Algorithm, Key};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::entry::{Feed, File, Output, Plain, Reason, Writing, instant, word};
use crate::names;

fn pattern(key: &Key) -> Option<String> {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    Some(match key {
        Key::Name(name, _) => format!("[domain-name:value = {}]", quoted(name.as_str())),
        Key::Prefix(prefix) => {
            let kind = if prefix.network().is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
            format!("[{kind}:value = '{prefix}']")
        }
        Key::Endpoint(address, port) => {
            let kind = if address.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
            format!(
                "[network-traffic:dst_ref.type = '{kind}' AND network-traffic:dst_ref.value = '{address}' AND \
                 network-traffic:dst_port = {port}]"
            )
        }
        Key::Digest(digest) => match digest.algorithm() {
            // STIX 2.1 §10.7 has a word for these; the others have none.
            Algorithm::Sha224 | Algorithm::Sha384 => return None,
            Algorithm::Md5 => format!("[file:hashes.MD5 = '{key}']"),
            algorithm @ (Algorithm::Sha1
            | Algorithm::Sha256
            | Algorithm::Sha512
            | Algorithm::Sha3_256
            | Algorithm::Sha3_512) => format!("[file:hashes.'{}' = '{key}']", algorithm.name()),
        },
        Key::Email(text) => format!("[email-addr:value = {}]", quoted(text.as_str())),
        Key::Url(text) => format!("[url:value = {}]", quoted(text.as_str())),
        Key::FileName(text) => format!("[file:name = {}]", quoted(text.as_str())),
        Key::Subject(text) => format!("[email-message:subject = {}]", quoted(text.as_str())),
        Key::Text(_) => return None,
    })
}

pub(crate) fn write(feed: &Feed<'_>, writing: Writing<'_>) -> Output {
    let takes = |plain: &Plain<'_>| pattern(plain.key).map(|_| ()).ok_or(Reason::Kind);
    let mut writing = names::once(writing.distinct().keep(takes));
    writing.report.narrowed = names::wide(&writing);
    let name = word(feed.name);
    let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("urn:ringfence:feed:{name}").as_bytes());
    let objects: Vec<Value> =
        writing.entries.iter().filter_map(|plain| indicator(&space, &name, plain)).collect();
    // A bundle without objects has no list of them (STIX 2.1 §8.1, §3.1).
    let id = format!("bundle--{}", Uuid::new_v5(&space, format!("bundle {}", feed.revision).as_bytes()));
    let mut bundle = json!({ "type": "bundle", "id": id });
    if !objects.is_empty() {
        bundle["objects"] = Value::Array(objects);
    }
    let file = File { name: "bundle.json".to_owned(), bytes: bundle.to_string().into_bytes() };
    writing.into_output(vec![file])
}

fn indicator(space: &Uuid, name: &str, plain: &Plain<'_>) -> Option<Value> {
    let entry = &plain.entry;
    let (pattern, reference, since) = (pattern(plain.key)?, word(entry.reference), instant(entry.valid_from));
    let id = format!("indicator--{}", Uuid::new_v5(space, format!("{pattern} {reference}").as_bytes()));
    let mut object = json!({
        "type": "indicator", "spec_version": "2.1", "id": id, "created": since, "modified": since,
        "pattern": pattern, "pattern_type": "stix", "pattern_version": "2.1", "valid_from": since,
        "labels": [word(entry.category)],
        "external_references": [{ "source_name": name, "external_id": reference }],
    });
    // §4.7: later than `valid_from`.
    if let Some(until) = entry.valid_until.filter(|until| *until > entry.valid_from) {
        object["valid_until"] = json!(instant(until));
    }
    if let Some(confidence) = entry.confidence.filter(|confidence| *confidence <= 100) {
        object["confidence"] = json!(confidence);
    }
    Some(object)
}
