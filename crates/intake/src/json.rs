//! Text, and what kind of text it is; then STIX in its wrappers.
//!
//! JSON shows by its first sign. A file with several values is JSON lines, each line read for itself.
//! Within JSON the keys tell: `Event` and `response` are MISP's, `objects` belongs to a bundle (STIX 2.1
//! §8) or an envelope (TAXII 2.1 §3.7), anything else with a `type` is an object alone. Only the shell is
//! looked at; what is inside is cut out as it stands.

use std::ops::ControlFlow;

use memchr::memchr;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::place::{Place, Reason, shown};
use crate::run::{Remarks, Run};
use crate::{list, misp, value};

/// How deep wrappers may hold wrappers: a list of responses of lists of events is three.
const WRAPPERS_MAX: usize = 6;

/// Most keys that the refusal of an unknown document names.
const KEYS_SHOWN: usize = 5;

/// The keys by which a document is known.
#[derive(Deserialize)]
struct Shell<'a> {
    #[serde(borrow, default, rename = "type")]
    type_name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    spec_version: Option<&'a RawValue>,
    #[serde(borrow, default)]
    objects: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "Event")]
    event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "Attribute")]
    attribute: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "Object")]
    object: Option<&'a RawValue>,
}

/// Which version of STIX a wrapper says that it holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Declared {
    Nothing,
    Stix20,
}

/// Reads the content of one file.
pub(crate) fn content(run: &mut Run<'_>, place: &Place, bytes: Vec<u8>) -> ControlFlow<()> {
    let text = match decode(bytes) {
        Ok(text) => text,
        Err(reason) => return run.refuse(place, Reason::NotText, reason.to_owned()),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if !looks_like_json(text) {
        return list::read(run, place, text);
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => document(run, place, value.get(), WRAPPERS_MAX),
        Err(error) => {
            let (first, rest) = text.trim_start().split_once('\n').unwrap_or((text, ""));
            let several = !rest.trim().is_empty() && serde_json::from_str::<&RawValue>(first).is_ok();
            if several {
                lines(run, place, text)
            } else {
                run.refuse(place, Reason::BadJson, error.to_string())
            }
        }
    }
}

/// Text in UTF-8, or in UTF-16 with its mark, as spreadsheets write it.
///
/// A list may hold a stray byte in somebody's name, which costs that line, not the file.
fn decode(bytes: Vec<u8>) -> Result<String, &'static str> {
    let wide = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => Some((rest, u16::from_le_bytes as fn([u8; 2]) -> u16)),
        [0xfe, 0xff, rest @ ..] => Some((rest, u16::from_be_bytes as fn([u8; 2]) -> u16)),
        _ => None,
    };
    if let Some((rest, join)) = wide {
        let units = rest.chunks_exact(2).map(|pair| join([pair[0], pair[1]]));
        return char::decode_utf16(units).collect::<Result<_, _>>().map_err(|_| "not well-formed UTF-16");
    }
    if memchr(0, &bytes).is_some() {
        return Err("binary data");
    }
    String::from_utf8(bytes).or_else(|error| {
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        if looks_like_json(&text) { Err("JSON that is not UTF-8") } else { Ok(text) }
    })
}

/// Whether a text begins as JSON does. A list may begin with a bracket too: `[2001:db8::1]:443`.
fn looks_like_json(text: &str) -> bool {
    let mut signs = text.trim_start_matches('\u{feff}').chars().filter(|c| !c.is_ascii_whitespace());
    match signs.next() {
        Some('{') => true,
        Some('[') => matches!(signs.next(), Some('{' | '[' | ']' | '"')),
        Some(_) | None => false,
    }
}

/// Reads JSON lines. A bad line is one refusal.
fn lines(run: &mut Run<'_>, place: &Place, text: &str) -> ControlFlow<()> {
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let place = place.line(number);
        match serde_json::from_str::<&RawValue>(line) {
            Ok(value) => document(run, &place, value.get(), WRAPPERS_MAX)?,
            Err(error) => run.refuse(&place, Reason::BadJson, error.to_string())?,
        }
    }
    ControlFlow::Continue(())
}

/// Reads one well-formed JSON value, whatever it is.
fn document(run: &mut Run<'_>, place: &Place, text: &str, wrappers_left: usize) -> ControlFlow<()> {
    let Some(wrappers_left) = wrappers_left.checked_sub(1) else {
        let message = format!("more than {WRAPPERS_MAX} wrappers around each other");
        return run.refuse(place, Reason::Limit, message);
    };
    match text.as_bytes().first() {
        Some(b'{') => {}
        Some(b'[') => return elements(run, place, text, wrappers_left),
        Some(b'"') => return string(run, place, text),
        Some(_) | None => {
            return run.refuse(place, Reason::NotAnObject, format!("`{}` is no object", shown(text)));
        }
    }
    let shell: Shell<'_> = match serde_json::from_str(text) {
        Ok(shell) => shell,
        Err(error) => return run.refuse(place, Reason::BadJson, error.to_string()),
    };
    let is_bundle = shell.type_name.is_some_and(|name| name.get() == "\"bundle\"");
    let is_envelope = shell.type_name.is_none() && shell.id.is_none();
    if let Some(event) = shell.event.filter(|_| shell.type_name.is_none()) {
        misp::event(run, &place.below("Event"), event.get())
    } else if let Some(response) = shell.response.filter(|_| is_envelope) {
        document(run, &place.below("response"), response.get(), wrappers_left)
    } else if let Some(objects) = shell.objects.filter(|_| is_bundle || is_envelope) {
        let stix_2_0 = is_bundle && shell.spec_version.is_some_and(|version| version.get() == "\"2.0\"");
        self::objects(run, place, objects.get(), if stix_2_0 { Declared::Stix20 } else { Declared::Nothing })
    } else if is_bundle {
        // A bundle without objects is well formed (§8.1).
        ControlFlow::Continue(())
    } else if shell.type_name.is_none() && (shell.attribute.is_some() || shell.object.is_some()) {
        misp::event(run, place, text)
    } else if shell.type_name.is_some() || shell.id.is_some() {
        object(run, place.clone(), text, Declared::Nothing)
    } else {
        run.refuse(place, Reason::UnknownJson, format!("neither STIX nor MISP: it has {}", keys(text)))
    }
}

/// The first keys of an object, for a message.
fn keys(text: &str) -> String {
    let map: serde_json::Map<_, _> = serde_json::from_str(text).unwrap_or_default();
    let named: Vec<_> = map.keys().take(KEYS_SHOWN).map(|key| format!("`{}`", shown(key))).collect();
    if named.is_empty() { "no keys".to_owned() } else { named.join(", ") }
}

/// Reads a bare list.
fn elements(run: &mut Run<'_>, place: &Place, text: &str, wrappers_left: usize) -> ControlFlow<()> {
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(elements) => {
            for (index, element) in elements.into_iter().enumerate() {
                let starts = element.get().as_bytes().first();
                let inner = if starts == Some(&b'[') { place.below(index) } else { place.object(index) };
                document(run, &inner, element.get(), wrappers_left)?;
            }
            ControlFlow::Continue(())
        }
        Err(error) => run.refuse(place, Reason::BadJson, error.to_string()),
    }
}

/// Reads the list of a bundle or an envelope.
fn objects(run: &mut Run<'_>, place: &Place, text: &str, declared: Declared) -> ControlFlow<()> {
    let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(text) else {
        return run.refuse(place, Reason::BadJson, "`objects` is no list".to_owned());
    };
    for (index, element) in elements.into_iter().enumerate() {
        object(run, place.object(index), element.get(), declared)?;
    }
    ControlFlow::Continue(())
}

/// Hands on one STIX object as it stands.
fn object(run: &mut Run<'_>, place: Place, text: &str, declared: Declared) -> ControlFlow<()> {
    if !text.starts_with('{') {
        return run.refuse(&place, Reason::NotAnObject, format!("`{}` is no object", shown(text)));
    }
    let max = run.options.limits.object_max_bytes;
    if text.len() > max {
        return run.refuse(&place, Reason::Limit, format!("larger than object_max_bytes ({max})"));
    }
    let head = match stix::Head::parse(text.as_bytes()) {
        Ok(head) => head,
        Err(error) => return run.refuse(&place, Reason::BadObject, error.to_string()),
    };
    // STIX 2.1 §3.2: only an observable may leave `spec_version` out, and it has no `created`.
    let is_2_0 = match head.spec_version.as_deref() {
        Some(version) => version == "2.0",
        None => declared == Declared::Stix20 || (head.created.is_some() && !head.is_observable()),
    };
    if !is_2_0 {
        return run.object(text.as_bytes().to_vec(), place);
    }
    stix_2_0(run, place, text)
}

/// Converts a STIX 2.0 object if that was asked for.
fn stix_2_0(run: &mut Run<'_>, place: Place, text: &str) -> ControlFlow<()> {
    if !run.options.convert_2_0 {
        let message = "a STIX 2.0 object; convert it with --convert-2.0".to_owned();
        return run.refuse(&place, Reason::Stix20, message);
    }
    match stix::convert_2_0(text.as_bytes()) {
        Ok(bytes) => run.object(bytes, place),
        Err(error) => run.refuse(&place, Reason::Stix20, error.to_string()),
    }
}

/// Reads a string in a list: one value of a plain list that somebody wrote as JSON.
fn string(run: &mut Run<'_>, place: &Place, text: &str) -> ControlFlow<()> {
    let text: String = serde_json::from_str(text).unwrap_or_default();
    let armed = value::refang(text.trim());
    match value::classify(&armed) {
        Some(kind) => run.value(kind, &armed, &Remarks::default(), place.clone()),
        None => list::unclassified(run, place, &text),
    }
}
