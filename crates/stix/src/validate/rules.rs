//! What relates one property of an object to another.

use super::checker::Checker;
use super::path::Path;
use super::shape::{Class, TypeSpec};
use super::{meta, relationships};
use crate::document::Value;
use crate::id::parse_id;
use crate::scan::Kind;
use crate::sco_id;
use crate::timestamp::StixTimestamp;
use crate::vocabulary::OBSERVABLES;

/// How the second of two times relates to the first.
#[derive(Clone, Copy)]
pub(super) enum Order {
    /// The same or later.
    NotBefore,
    /// Later.
    After,
}

/// The rules of one type.
pub(super) fn object(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>, spec: &TypeSpec) {
    let section = spec.section;
    match spec.name {
        "campaign" | "infrastructure" | "intrusion-set" | "threat-actor" | "sighting" => {
            order(checker, path, "first_seen", "last_seen", Order::NotBefore, section);
        }
        "indicator" => order(checker, path, "valid_from", "valid_until", Order::After, section),
        "malware" => malware(checker, path, section),
        "malware-analysis" => any_of(checker, path, &["result", "analysis_sco_refs"], section),
        "location" => location(checker, path, section),
        "observed-data" => observed_data(checker, path, section),
        "relationship" => {
            order(checker, path, "start_time", "stop_time", Order::After, section);
            relationships::suggested(checker, path);
        }
        "marking-definition" => meta::marking_definition(checker, path),
        "extension-definition" => meta::extension_definition(checker, path),
        "language-content" => meta::language_content(checker, path),
        "artifact" => artifact(checker, path, section),
        "email-message" => email_message(checker, path, section),
        "file" => any_of(checker, path, &["hashes", "name"], section),
        "network-traffic" => network_traffic(checker, path, section),
        "process" | "user-account" | "x509-certificate" | "windows-registry-key" => {
            let own: Vec<_> = spec.properties.iter().map(|property| property.name).collect();
            let extended = checker.root.get("extensions").is_some();
            if !extended && !own.iter().any(|name| checker.root.get(name).is_some()) {
                let message = format_args!("at least one property of the type must be there");
                checker.must(path, "at-least-one", section, message);
            }
        }
        _ => {}
    }
    if spec.class == Class::Observable {
        random_id(checker, path);
    }
}

/// §3.4: an observable to whose identifier nothing contributes has a random one.
fn random_id(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>) {
    let Some(id) = checker.root.get("id").and_then(|value| value.text()) else { return };
    let random = |uuid: &str| uuid.as_bytes().get(14) == Some(&b'4');
    if parse_id(&id).is_ok_and(|parts| !random(parts.uuid)) && sco_id::has_random_id(checker.root) {
        let message = format_args!("an object without contributing properties must have a UUIDv4");
        checker.must(&path.key("id"), "uuid-version", "3.4", message);
    }
}

/// The rules of objects inside objects, by the section that defines them.
pub(super) fn nested<'d, 'a>(
    checker: &mut Checker<'d, 'a, '_>,
    path: &Path<'_>,
    value: Value<'d, 'a>,
    section: &'static str,
) {
    let has = |key: &str| value.get(key).is_some();
    match section {
        "2.5" if !(has("description") || has("url") || has("external_id")) => {
            let message = format_args!("one of `description`, `url` and `external_id` must be there");
            checker.must(path, "at-least-one", section, message);
        }
        "7.2.3" if has("marking_ref") == has("lang") => {
            let message = format_args!("exactly one of `marking_ref` and `lang` must be there");
            checker.must(path, "exactly-one", section, message);
        }
        "6.6.2" if !(has("body") || has("body_raw_ref")) => {
            let message = format_args!("one of `body` and `body_raw_ref` must be there");
            checker.must(path, "at-least-one", section, message);
        }
        "6.17.2" if !(has("name") || has("data") || has("data_type")) => {
            let message = format_args!("one of `name`, `data` and `data_type` must be there");
            checker.must(path, "at-least-one", section, message);
        }
        _ => {}
    }
}

/// Judges the order of two times. A time that is missing or ill-formed is not judged here.
pub(super) fn order(
    checker: &mut Checker<'_, '_, '_>,
    path: &Path<'_>,
    first: &str,
    second: &str,
    order: Order,
    section: &'static str,
) {
    let root = checker.root;
    let text = |key: &str| root.get(key).and_then(|value| value.text());
    let (Some(first_text), Some(second_text)) = (text(first), text(second)) else { return };
    let time = |text: &str| StixTimestamp::parse(text).ok();
    if first_text == second_text && matches!(order, Order::NotBefore) {
        return;
    }
    let (Some(one), Some(two)) = (time(&first_text), time(&second_text)) else { return };
    let (holds, words) = match order {
        Order::NotBefore => (two >= one, "not be before"),
        Order::After => (two > one, "be later than"),
    };
    if !holds {
        let message = format_args!("`{second}` must {words} `{first}`");
        checker.must(&path.key(second), "time-order", section, message);
    }
}

fn any_of(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>, names: &[&str], section: &'static str) {
    if !names.iter().any(|name| checker.root.get(name).is_some()) {
        let message = format_args!("at least one of `{}` must be there", names.join("`, `"));
        checker.must(path, "at-least-one", section, message);
    }
}

fn malware(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>, section: &'static str) {
    order(checker, path, "first_seen", "last_seen", Order::NotBefore, section);
    let is_family = checker.root.get("is_family").is_some_and(|value| value.kind() == Kind::True);
    if is_family && checker.root.get("name").is_none() {
        let message = format_args!("a malware family must have a `name`");
        checker.must(&path.key("name"), "required-property", section, message);
    }
}

fn location(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>, section: &'static str) {
    let root = checker.root;
    let has = |key: &str| root.get(key).is_some();
    let (latitude, longitude) = (has("latitude"), has("longitude"));
    if latitude != longitude {
        let message = format_args!("`latitude` and `longitude` must come together");
        checker.must(path, "dependent-property", section, message);
    }
    if has("precision") && !(latitude && longitude) {
        let message = format_args!("`precision` must come with `latitude` and `longitude`");
        checker.must(&path.key("precision"), "dependent-property", section, message);
    }
    if !(has("region") || has("country") || (latitude && longitude)) {
        let message = format_args!("`region`, `country`, or `latitude` with `longitude` must be there");
        checker.must(path, "at-least-one", section, message);
    }
}

fn observed_data(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>, section: &'static str) {
    order(checker, path, "first_observed", "last_observed", Order::NotBefore, section);
    let Some(refs) = checker.root.get("object_refs") else {
        let message = format_args!("`object_refs` is required");
        return checker.must(&path.key("object_refs"), "required-property", section, message);
    };
    let observable = |value: Value<'_, '_>| {
        value.text().is_some_and(|id| {
            parse_id(&id).is_ok_and(|parts| {
                OBSERVABLES.contains(&parts.type_name) || super::spec_of(parts.type_name).is_none()
            })
        })
    };
    if refs.kind() == Kind::Array && !refs.elements().any(observable) {
        let message = format_args!("at least one reference must be to a cyber-observable");
        checker.must(&path.key("object_refs"), "reference-target", section, message);
    }
}

fn artifact(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>, section: &'static str) {
    let root = checker.root;
    let has = |key: &str| root.get(key).is_some();
    if has("payload_bin") == has("url") {
        let message = format_args!("exactly one of `payload_bin` and `url` must be there");
        checker.must(path, "exactly-one", section, message);
    }
    if has("url") && !has("hashes") {
        let message = format_args!("an artifact with `url` must have `hashes`");
        checker.must(&path.key("hashes"), "dependent-property", section, message);
    }
    if has("decryption_key") && !has("encryption_algorithm") {
        let message = format_args!("`decryption_key` must come with `encryption_algorithm`");
        checker.must(&path.key("decryption_key"), "dependent-property", section, message);
    }
}

fn email_message(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>, section: &'static str) {
    let root = checker.root;
    let multipart = root.get("is_multipart").map(|value| value.kind());
    let refused = match multipart {
        Some(Kind::True) => "body",
        Some(Kind::False) => "body_multipart",
        Some(
            Kind::Null
            | Kind::Integer
            | Kind::Float
            | Kind::String
            | Kind::EscapedString
            | Kind::Array
            | Kind::Object,
        )
        | None => return,
    };
    if root.get(refused).is_some() {
        let message = format_args!("`{refused}` contradicts `is_multipart`");
        checker.must(&path.key(refused), "multipart", section, message);
    }
}

fn network_traffic(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>, section: &'static str) {
    any_of(checker, path, &["src_ref", "dst_ref"], section);
    order(checker, path, "start", "end", Order::NotBefore, section);
    let root = checker.root;
    let active = root.get("is_active").is_some_and(|value| value.kind() == Kind::True);
    if active && root.get("end").is_some() {
        let message = format_args!("traffic that `is_active` must not have an `end`");
        checker.must(&path.key("end"), "dependent-property", section, message);
    }
    let Some(protocols) = root.get("protocols") else { return };
    for (index, protocol) in protocols.elements().enumerate() {
        if protocol.text().is_some_and(|text| text.bytes().any(|byte| byte.is_ascii_uppercase())) {
            let message = format_args!("a protocol should be written in lower case");
            checker.should(&path.key("protocols").index(index), "protocol-case", section, message);
        }
    }
}
