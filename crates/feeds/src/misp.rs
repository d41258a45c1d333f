//! A feed of MISP: `manifest.json` names the events, each event is a file, `hashes.csv` lets an instance see whether it has a value.
//!
//! All entries are one event. Its identifier and those of its attributes are made from the content (RFC 9562 §5.5), so that the next file changes the
//! same event.

use matcher::{Algorithm, Key};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::entry::{Action, Feed, File, Output, Plain, Reason, Writing, word};
use crate::names;

/// MISP's type and category of a value, and the value in its spelling.
fn attribute(key: &Key) -> Option<(&'static str, &'static str, String)> {
    const NETWORK: &str = "Network activity";
    const PAYLOAD: &str = "Payload delivery";
    Some(match key {
        Key::Name(name, _) => ("domain", NETWORK, name.as_str().to_owned()),
        Key::Prefix(_) => ("ip-dst", NETWORK, key.to_string()),
        Key::Endpoint(address, port) => ("ip-dst|port", NETWORK, format!("{address}|{port}")),
        Key::Digest(digest) => {
            let kind = match digest.algorithm() {
                Algorithm::Md5 => "md5",
                Algorithm::Sha1 => "sha1",
                Algorithm::Sha224 => "sha224",
                Algorithm::Sha256 => "sha256",
                Algorithm::Sha384 => "sha384",
                Algorithm::Sha512 => "sha512",
                Algorithm::Sha3_256 => "sha3-256",
                Algorithm::Sha3_512 => "sha3-512",
            };
            (kind, PAYLOAD, key.to_string())
        }
        Key::Email(text) => ("email-src", PAYLOAD, text.as_str().to_owned()),
        Key::Url(text) => ("url", NETWORK, text.as_str().to_owned()),
        Key::FileName(text) => ("filename", PAYLOAD, text.as_str().to_owned()),
        Key::Subject(text) => ("email-subject", PAYLOAD, text.as_str().to_owned()),
        Key::Text(_) => return None,
    })
}

pub(crate) fn write(feed: &Feed<'_>, writing: Writing<'_>) -> Output {
    let takes = |plain: &Plain<'_>| attribute(plain.key).map(|_| ()).ok_or(Reason::Kind);
    let mut writing = names::once(writing.distinct().keep(takes));
    writing.report.narrowed = names::wide(&writing);
    let name = word(feed.name);
    let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("urn:ringfence:feed:{name}").as_bytes());
    let newest = writing
        .entries
        .iter()
        .map(|plain| plain.entry.valid_from)
        .max()
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let date = newest.to_offset(time::UtcOffset::UTC).date().to_string();
    let stamp = newest.unix_timestamp().to_string();
    let organisation = json!({ "name": name, "uuid": Uuid::new_v5(&space, b"organisation").to_string() });
    let attributes: Vec<Value> = writing.entries.iter().filter_map(|plain| value(&space, plain)).collect();
    let head = json!({
        "Orgc": organisation, "Tag": [], "info": format!("Indicators of {name}"), "date": date, "analysis": 2,
        "threat_level_id": 2, "timestamp": stamp,
    });
    let mut event = head.clone();
    event["uuid"] = json!(space.to_string());
    event["published"] = json!(true);
    event["publish_timestamp"] = json!(stamp);
    event["Attribute"] = Value::Array(attributes);
    let mut manifest = serde_json::Map::new();
    manifest.insert(space.to_string(), head);
    let hashes = writing.entries.iter().filter_map(|plain| {
        let (_, _, value) = attribute(plain.key)?;
        // MISP asks by MD5 here; nothing rests on its strength.
        Some(format!("{},{space}\n", hex::encode(Md5::digest(value.as_bytes()))))
    });
    let hashes: String = hashes.collect();
    let file = |name: String, bytes: Vec<u8>| File { name, bytes };
    let files = vec![
        file(format!("{space}.json"), json!({ "Event": event }).to_string().into_bytes()),
        file("hashes.csv".to_owned(), hashes.into_bytes()),
        file("manifest.json".to_owned(), Value::Object(manifest).to_string().into_bytes()),
    ];
    writing.into_output(files)
}

fn value(space: &Uuid, plain: &Plain<'_>) -> Option<Value> {
    let (kind, category, value) = attribute(plain.key)?;
    let entry = &plain.entry;
    let mut shown = json!({
        "uuid": Uuid::new_v5(space, format!("{kind}:{value}").as_bytes()).to_string(),
        "type": kind, "category": category, "value": value, "to_ids": entry.action == Action::Block,
        "comment": word(entry.reference), "timestamp": entry.valid_from.unix_timestamp().to_string(),
        "Tag": [{ "name": format!("ringfence:category=\"{}\"", word(entry.category)) }],
    });
    if let Some(until) = entry.valid_until {
        shown["last_seen"] = json!(crate::entry::instant(until));
    }
    Some(shown)
}
