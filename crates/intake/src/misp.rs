//! MISP events.
//!
//! An event is a report: an `info` line, a date, tags, and attributes, some of them grouped in objects.
//! An attribute is a typed value, and its flag `to_ids` says that the author means it for detection;
//! the others are context (the analyst's own mail address, the legitimate site that was copied), and an
//! indicator made of one of those blocks the innocent. So they are refused unless asked for.
//!
//! Each attribute becomes one indicator:
//!
//! | MISP | STIX |
//! |---|---|
//! | type and value | `pattern` ([`Kind`]) |
//! | event's and attribute's UUID, creator | `id` |
//! | event's `info`, attribute's `comment` | `name`, `description` |
//! | attribute's `timestamp`, else the event's | `modified` |
//! | event's `date`, or `modified` if that is earlier | `created`, which has to stay when the attribute is edited |
//! | attribute's `first_seen`, else `modified` | `valid_from` |
//! | tags `tlp:*` and `pap:*` of both, the most closed level of each | `object_marking_refs` |
//! | other tags of both | `labels` |
//!
//! MISP writes numbers as strings, strings as numbers and lists as `null`, depending on its version, so
//! every property is read as what it turns out to be.

use std::borrow::Cow;
use std::ops::ControlFlow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::indicator::Parts;
use crate::kind::Kind;
use crate::marking::{self, Marking, Tag};
use crate::options::Moment;
use crate::place::{Place, Reason, shown};
use crate::run::Run;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow)]
    uuid: Option<&'a RawValue>,
    #[serde(borrow)]
    info: Option<&'a RawValue>,
    #[serde(borrow)]
    date: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, rename = "Tag")]
    tags: Option<&'a RawValue>,
    #[serde(borrow, rename = "Attribute")]
    attributes: Option<&'a RawValue>,
    #[serde(borrow, rename = "Object")]
    objects: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    deleted: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "Attribute")]
    attributes: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow, rename = "type")]
    type_name: &'a RawValue,
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow, default)]
    uuid: Option<&'a RawValue>,
    #[serde(borrow, default)]
    to_ids: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    first_seen: Option<&'a RawValue>,
    #[serde(borrow, default)]
    comment: Option<&'a RawValue>,
    #[serde(borrow, default)]
    deleted: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "Tag")]
    tags: Option<&'a RawValue>,
    /// A search for attributes puts the event into each of them.
    #[serde(borrow, default, rename = "Event")]
    event: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct TagEntry<'a> {
    #[serde(borrow)]
    name: &'a RawValue,
}

/// What an event says of all its attributes.
#[derive(Clone, Default)]
struct Context<'a> {
    uuid: String,
    info: Cow<'a, str>,
    date: Option<Moment>,
    timestamp: Option<Moment>,
    tags: Tags<'a>,
}

#[derive(Clone, Default)]
struct Tags<'a> {
    levels: Vec<Marking>,
    labels: Vec<Cow<'a, str>>,
    /// A sharing tag that is not known.
    unknown: Option<Cow<'a, str>>,
}

/// Reads one event, or the answer to a search, which has attributes only.
pub(crate) fn event(run: &mut Run<'_>, place: &Place, text: &str) -> ControlFlow<()> {
    let event: Event<'_> = match serde_json::from_str(text) {
        Ok(event) => event,
        Err(error) => return run.refuse(place, Reason::BadJson, error.to_string()),
    };
    let context = Context::of(&event, &run.options.markings);
    attributes(run, place, event.attributes, &context)?;
    for (index, raw) in list(run, place, "Object", event.objects)?.into_iter().enumerate() {
        let place = place.below(format_args!("Object/{index}"));
        match serde_json::from_str::<Object<'_>>(raw.get()) {
            Ok(object) if is_true(object.deleted) => {
                run.refuse(&place, Reason::Deleted, "its author deleted the object".to_owned())?;
            }
            Ok(object) => attributes(run, &place, object.attributes, &context)?,
            Err(error) => run.refuse(&place, Reason::BadJson, error.to_string())?,
        }
    }
    ControlFlow::Continue(())
}

/// A list that may be absent, or a single object; what is neither is refused.
fn list<'a>(
    run: &mut Run<'_>,
    place: &Place,
    key: &str,
    raw: Option<&'a RawValue>,
) -> ControlFlow<(), Vec<&'a RawValue>> {
    let Some(raw) = raw else { return ControlFlow::Continue(Vec::new()) };
    // A search for objects gives each of them a wrapper of its own.
    if raw.get().starts_with('{') {
        return ControlFlow::Continue(vec![raw]);
    }
    if let Ok(list) = serde_json::from_str(raw.get()) {
        return ControlFlow::Continue(list);
    }
    run.refuse(&place.below(key), Reason::BadJson, format!("`{key}` is no list"))?;
    ControlFlow::Continue(Vec::new())
}

fn attributes(
    run: &mut Run<'_>,
    place: &Place,
    raw: Option<&RawValue>,
    context: &Context<'_>,
) -> ControlFlow<()> {
    for (index, raw) in list(run, place, "Attribute", raw)?.into_iter().enumerate() {
        let place = place.below(format_args!("Attribute/{index}"));
        match serde_json::from_str::<Attribute<'_>>(raw.get()) {
            Ok(attribute) => self::attribute(run, place, &attribute, context)?,
            Err(error) => run.refuse(&place, Reason::BadJson, error.to_string())?,
        }
    }
    ControlFlow::Continue(())
}

fn attribute(
    run: &mut Run<'_>,
    place: Place,
    attribute: &Attribute<'_>,
    context: &Context<'_>,
) -> ControlFlow<()> {
    let type_name = loose(Some(attribute.type_name));
    if is_true(attribute.deleted) {
        return run.refuse(&place, Reason::Deleted, "its author deleted the attribute".to_owned());
    }
    if !(run.options.all_attributes || is_true(attribute.to_ids)) {
        let message = "`to_ids` is not set; take it with --all-attributes".to_owned();
        return run.refuse(&place, Reason::NotForDetection, message);
    }
    let Some(kind) = Kind::of_name(&type_name) else {
        let message = format!("no indicator is made of a `{}`", shown(&type_name));
        return run.refuse(&place, Reason::UnsupportedType(type_name.into_owned()), message);
    };
    let own_event = attribute.event.and_then(|raw| serde_json::from_str::<Event<'_>>(raw.get()).ok());
    let context = match &own_event {
        Some(event) => Cow::Owned(Context::of(event, &context.tags.levels)),
        None => Cow::Borrowed(context),
    };
    let mut tags = context.tags.clone();
    tags.read(attribute.tags);
    if let Some(tag) = tags.unknown {
        let message = format!("sharing tag `{}` is not known", shown(&tag));
        return run.refuse(&place, Reason::UnknownMarking, message);
    }
    let value = loose(Some(attribute.value));
    let Some(pattern) = kind.pattern(&value) else {
        let message = format!("`{}` is no {}", shown(&value), shown(&type_name));
        return run.refuse(&place, Reason::BadValue, message);
    };
    let own_uuid = loose(attribute.uuid).to_ascii_lowercase();
    let uuid = if own_uuid.is_empty() {
        run.derived_uuid(&["misp", &context.uuid, &type_name, &value])
    } else {
        run.derived_uuid(&["misp", &context.uuid, &own_uuid])
    };
    if run.is_repeated(uuid) {
        return run.refuse_repeated(&place, &value);
    }
    let options = run.options;
    let modified =
        Moment::from_epoch(&loose(attribute.timestamp)).or(context.timestamp).unwrap_or(options.now);
    let created = context.date.unwrap_or(options.created).min(modified);
    let valid_from = Moment::parse(&loose(attribute.first_seen)).unwrap_or(modified);
    let labels: Vec<&str> =
        options.labels.iter().map(String::as_str).chain(tags.labels.iter().map(Cow::as_ref)).collect();
    let markings: Vec<&str> = tags
        .levels
        .iter()
        .map(|level| level.id())
        .chain(options.other_markings.iter().map(String::as_str))
        .collect();
    let bytes = Parts {
        uuid,
        created_by_ref: &options.creator,
        created: &created.text(),
        modified: &modified.text(),
        name: &context.info,
        description: &loose(attribute.comment),
        pattern: &pattern,
        pattern_type: kind.pattern_type(),
        valid_from: &valid_from.text(),
        valid_until: &options.until(valid_from).map(Moment::text).unwrap_or_default(),
        labels: &labels,
        markings: &markings,
    }
    .bytes();
    run.object(bytes, place)
}

impl<'a> Context<'a> {
    fn of(event: &Event<'a>, levels: &[Marking]) -> Self {
        let mut tags = Tags { levels: levels.to_vec(), ..Tags::default() };
        tags.read(event.tags);
        Self {
            uuid: loose(event.uuid).to_ascii_lowercase(),
            info: loose(event.info),
            date: Moment::parse_day(&loose(event.date)),
            timestamp: Moment::from_epoch(&loose(event.timestamp)),
            tags,
        }
    }
}

impl<'a> Tags<'a> {
    /// Adds a list of tags. A list that cannot be read might have held a sharing level.
    fn read(&mut self, raw: Option<&'a RawValue>) {
        let Some(raw) = raw else { return };
        let Ok(entries) = serde_json::from_str::<Vec<TagEntry<'a>>>(raw.get()) else {
            self.unknown = Some(Cow::Borrowed("Tag"));
            return;
        };
        for entry in entries {
            let name = loose(Some(entry.name));
            match marking::of_tag(&name) {
                Tag::Marking(level) => marking::add(&mut self.levels, level),
                Tag::Unknown => self.unknown = Some(name),
                Tag::Label => self.labels.push(name),
            }
        }
    }
}

/// A property as text: a string's content, the digits of a number, nothing for `null` or absence.
fn loose(raw: Option<&RawValue>) -> Cow<'_, str> {
    let text = raw.map_or("", RawValue::get);
    match text.as_bytes() {
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => Cow::Borrowed(&text[1..text.len() - 1]),
        [b'"', ..] => Cow::Owned(serde_json::from_str(text).unwrap_or_default()),
        [b'{' | b'[' | b'n', ..] => Cow::Borrowed(""),
        _ => Cow::Borrowed(text),
    }
}

fn is_true(raw: Option<&RawValue>) -> bool {
    matches!(&*loose(raw), "true" | "1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Item, Options};

    const EVENT: &str = r#"{"Event": {"uuid": "13CB1207-0674-4a54-a999-df5ff8e35c1a", "info": "A \"quoted\" event",
        "date": "2024-05-07", "timestamp": "1715684400", "Tag": [{"name": "tlp:green"}, {"name": "botnet"}],
        "Attribute": [
          {"uuid": "a1", "type": "domain", "value": "Evil.example", "to_ids": true, "timestamp": "1715103640",
           "comment": "gate", "first_seen": "2024-01-01T01:00:00+01:00", "Tag": [{"name": "tlp:amber"}]},
          {"uuid": "a2", "type": "ip-dst|port", "value": "198.51.100.7|443", "to_ids": "1", "timestamp": 1},
          {"uuid": "a3", "type": "domain", "value": "good.example", "to_ids": false},
          {"uuid": "a4", "type": "btc", "value": "1B8Q", "to_ids": true},
          {"uuid": "a5", "type": "md5", "value": "short", "to_ids": true},
          {"uuid": "a6", "type": "domain", "value": "gone.example", "to_ids": true, "deleted": true},
          {"uuid": "a7", "type": "domain", "value": "odd.example", "to_ids": true, "Tag": [{"name": "tlp:puce"}]},
          17, {"type": "domain"}],
        "Object": [{"name": "file", "Attribute": [
          {"type": "sha1", "value": "36E6671BC4397F475A350905D9A649A5ADE97BB2", "to_ids": true}]},
          {"name": "file", "deleted": true, "Attribute": []}]}}"#;

    fn read(text: &str, options: &Options) -> (Vec<serde_json::Value>, Vec<(String, String)>) {
        let (mut objects, mut refused) = (Vec::new(), Vec::new());
        let _ = crate::read_reader("event.json", text.as_bytes(), options, &mut |item| {
            match item {
                Item::Object { bytes, .. } => objects.push(serde_json::from_slice(&bytes).unwrap()),
                Item::Refused { place, reason, .. } => refused.push((place.to_string(), reason.to_string())),
                Item::FileDone { .. } => {}
            }
            ControlFlow::Continue(())
        });
        (objects, refused)
    }

    fn options() -> Options {
        Options::new("identity--f690c992-8e7d-4b9a-9303-3312616c0220", "2026-01-10T00:00:00Z").unwrap()
    }

    #[test]
    fn attributes_become_indicators() {
        let (objects, refused) = read(EVENT, &options());
        let first = &objects[0];
        assert_eq!(first["pattern"], "[domain-name:value = 'evil.example']");
        assert_eq!(first["name"], "A \"quoted\" event");
        assert_eq!(first["description"], "gate");
        assert_eq!(first["created"], "2024-05-07T00:00:00.000Z");
        assert_eq!(first["modified"], "2024-05-07T17:40:40.000Z");
        assert_eq!(first["valid_from"], "2024-01-01T00:00:00.000Z");
        assert_eq!(first["labels"], serde_json::json!(["botnet"]));
        let amber = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421";
        assert_eq!(first["object_marking_refs"], serde_json::json!([amber]));
        // An attribute older than its event's date was created no later than it was modified.
        assert_eq!(objects[1]["created"], "1970-01-01T00:00:01.000Z");
        assert_eq!(objects[2]["modified"], "2024-05-14T11:00:00.000Z");
        assert_eq!(objects.len(), 3);
        let want = [
            ("/Event/Attribute/2", "not-for-detection"),
            ("/Event/Attribute/3", "unsupported-type `btc`"),
            ("/Event/Attribute/4", "bad-value"),
            ("/Event/Attribute/5", "deleted"),
            ("/Event/Attribute/6", "unknown-marking"),
            ("/Event/Attribute/7", "bad-json"),
            ("/Event/Attribute/8", "bad-json"),
            ("/Event/Object/1", "deleted"),
        ];
        let want: Vec<_> =
            want.map(|(place, reason)| (format!("event.json:{place}"), reason.to_owned())).to_vec();
        assert_eq!(refused, want);
    }

    #[test]
    fn an_edited_attribute_keeps_its_identifier_and_its_creation() {
        let (before, _) = read(EVENT, &options());
        let (after, _) = read(&EVENT.replace("1715103640", "1715200000"), &options());
        assert_eq!(before[0]["id"], after[0]["id"]);
        assert_eq!(before[0]["created"], after[0]["created"]);
        assert_ne!(before[0]["modified"], after[0]["modified"]);
    }

    #[test]
    fn events_come_in_many_wrappers() {
        let (want, _) = read(EVENT, &options());
        let inner = EVENT.strip_prefix("{\"Event\":").unwrap().strip_suffix('}').unwrap();
        for text in [
            format!("[{EVENT}]"),
            format!("{{\"response\": [{EVENT}]}}"),
            format!("{{\"response\": {EVENT}}}"),
            inner.to_owned(),
            format!("{}\n", EVENT.replace('\n', " ")),
        ] {
            assert_eq!(read(&text, &options()).0, want, "{}", &text[..20]);
        }
    }

    #[test]
    fn a_search_for_attributes_names_the_event_in_each() {
        let text = r#"{"response": {"Attribute": [{"uuid": "a1", "type": "domain", "value": "evil.example",
            "to_ids": true, "timestamp": "1715103640", "Event": {"uuid": "e1", "info": "one"}}]}}"#;
        let (objects, refused) = read(text, &options());
        assert_eq!((objects[0]["name"].as_str(), refused.len()), (Some("one"), 0));
        let (other, _) = read(&text.replace("e1", "e2"), &options());
        assert_ne!(objects[0]["id"], other[0]["id"]);
    }

    #[test]
    fn a_search_for_objects_wraps_each() {
        let text = r#"{"response": [{"Object": {"name": "file", "Attribute": [{"type": "domain",
            "value": "evil.example", "to_ids": true}]}}, {"Object": 7}]}"#;
        let (objects, refused) = read(text, &options());
        assert_eq!(objects[0]["pattern"], "[domain-name:value = 'evil.example']");
        assert_eq!(refused, [("event.json:/response/1/Object".to_owned(), "bad-json".to_owned())]);
    }

    #[test]
    fn context_is_taken_on_request() {
        let options = Options { all_attributes: true, ..options() };
        let (objects, _) = read(EVENT, &options);
        assert_eq!(objects[2]["pattern"], "[domain-name:value = 'good.example']");
    }
}
