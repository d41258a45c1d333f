//! Markings, extensions, translations, and what is not STIX 2.1 at all.

use super::checker::Checker;
use super::path::Path;
use super::shape::{Class, TypeSpec};
use crate::document::Value;
use crate::id::parse_id;
use crate::markings::{self, Marking};
use crate::scan::Kind;

/// Adds the one finding of an object of STIX 2.0, and tells whether there was reason to.
pub(super) fn refuses_stix_2_0(checker: &mut Checker<'_, '_, '_>, type_name: &str, class: Class) -> bool {
    let version = checker.root.get("spec_version").and_then(|value| value.text());
    let embedded = type_name == "observed-data" && checker.root.get("objects").is_some();
    let old = match version.as_deref() {
        Some("2.0") => true,
        Some(_) => false,
        None => class != Class::Observable && checker.root.get("spec_version").is_none(),
    };
    if embedded {
        let message = format_args!(
            "`objects` holds observables as STIX 2.0 did: give each its own object and list them in `object_refs`"
        );
        checker.must(&Path::ROOT.key("objects"), "stix-2.0", "4.14", message);
    } else if old {
        let message = format_args!(
            "this is STIX 2.0, which has no `spec_version`: convert it to 2.1, or set `spec_version` to `2.1` if it is"
        );
        checker.must(&Path::ROOT.key("spec_version"), "stix-2.0", "3.2", message);
    }
    embedded || old
}

/// §7.3: extensions are named by their definition, by the standard, or (deprecated) by anyone.
pub(super) fn extensions<'d, 'a>(
    checker: &mut Checker<'d, 'a, '_>,
    path: &Path<'_>,
    value: Value<'d, 'a>,
    spec: Option<&'static TypeSpec>,
) {
    if value.kind() != Kind::Object {
        return checker.wrong_type(path, value, "a dictionary of extensions", "3.2");
    }
    let mut empty = true;
    for (key, extension) in value.members() {
        empty = false;
        let path = path.key(&key);
        let known = spec.and_then(|spec| spec.extensions.iter().find(|known| known.name == key));
        if extension.kind() != Kind::Object {
            checker.wrong_type(&path, extension, "an object", "7.3");
        } else if extension.members().next().is_none() {
            checker.must(&path, "empty-dictionary", "7.3", format_args!("an extension must not be empty"));
        } else if let Some(known) = known {
            checker.members(&path, extension, [known.properties, &[]], known.section, None);
        } else if key.starts_with("extension-definition--") {
            defined_extension(checker, &path, &key, extension);
        } else {
            checker.dictionary_key(&path, &key);
            let message = format_args!("an extension should be named by an `extension-definition`");
            checker.should(&path, "custom-extension", "11.3", message);
            checker.anything(&path, extension);
        }
    }
    if empty {
        checker.must(
            path,
            "empty-dictionary",
            "3.2",
            format_args!("`extensions` must not be empty: leave it out"),
        );
    }
}

fn defined_extension<'d, 'a>(
    checker: &mut Checker<'d, 'a, '_>,
    path: &Path<'_>,
    key: &str,
    extension: Value<'d, 'a>,
) {
    if let Err(error) = parse_id(key) {
        let message = format_args!("`{key}` is no identifier: {error}");
        checker.must(path, "invalid-identifier", "2.9", message);
    }
    match extension.get("extension_type").map(|value| value.text()) {
        Some(Some(kind)) if Checker::is_extension_type(&kind) => {}
        Some(_) => {
            let message = format_args!("`extension_type` must be a term of `extension-type-enum`");
            checker.must(&path.key("extension_type"), "invalid-enum", "10.5", message);
        }
        None => {
            let message = format_args!("`extension_type` is required");
            checker.must(&path.key("extension_type"), "required-property", "7.3", message);
        }
    }
    checker.anything(path, extension);
    if let Some(form) = markings::extension_form(key) {
        for finding in markings::extension_findings(form, extension) {
            let path = path.pointer_below(&finding.pointer);
            checker.must(&path, finding.code, "7.2.1", format_args!("{}", finding.message));
        }
        if let Some(acs) = markings::acs_of(form, extension) {
            for warning in acs.warnings() {
                let path = path.pointer_below(&warning.pointer);
                checker.should(&path, warning.code, "7.2.1", format_args!("{}", warning.message));
            }
        }
    }
}

/// §7.2.1: a marking definition says what it means in a `definition`, or in an extension.
pub(super) fn marking_definition(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>) {
    let root = checker.root;
    let kind = root.get("definition_type").and_then(|value| value.text());
    let definition = root.get("definition");
    match (&kind, definition) {
        (None, None) => {
            if root.get("extensions").is_none() {
                let message =
                    format_args!("`definition_type` and `definition`, or `extensions`, must be there");
                checker.must(path, "at-least-one", "7.2.1", message);
            }
        }
        (Some(_), None) | (None, Some(_)) => {
            let message = format_args!("`definition_type` and `definition` must come together");
            checker.must(path, "dependent-property", "7.2.1", message);
        }
        (Some(kind), Some(definition)) => {
            let at = path.key("definition");
            if definition.kind() == Kind::Object {
                match &**kind {
                    "tlp" => tlp_1(checker, path, definition),
                    "statement" => {
                        if definition.get("statement").and_then(|value| value.text()).is_none() {
                            let message = format_args!("`statement` is required, and a string");
                            checker.must(&at.key("statement"), "required-property", "7.2.1", message);
                        }
                    }
                    _ => checker.anything(&at, definition),
                }
            } else {
                checker.wrong_type(&at, definition, "an object", "7.2.1");
            }
        }
    }
    circular(checker, path);
    let published = root.get("id").and_then(|value| value.text()).and_then(|id| markings::known(&id));
    if published.is_some_and(|published| published != Marking::of(root)) && kind.as_deref() != Some("tlp") {
        let message = format_args!("this identifier is published, and stands for something else");
        checker.must(&path.key("id"), "published-marking", "7.2.1", message);
    }
}

/// §7.2: a marking does not mark itself.
fn circular(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>) {
    let root = checker.root;
    let id = root.get("id").and_then(|value| value.text());
    let own = |value: Value<'_, '_>| value.text().is_some() && value.text() == id;
    let object = root.get("object_marking_refs").is_some_and(|refs| refs.elements().any(own));
    let granular = root.get("granular_markings").is_some_and(|markings| {
        markings.elements().any(|marking| marking.get("marking_ref").is_some_and(own))
    });
    for (found, key) in [(object, "object_marking_refs"), (granular, "granular_markings")] {
        if found {
            let message = format_args!("a marking definition must not mark itself");
            checker.must(&path.key(key), "circular-marking", "7.2", message);
        }
    }
}

/// §7.2.1: only the four TLP markings of the standard exist, word for word.
fn tlp_1<'d, 'a>(checker: &mut Checker<'d, 'a, '_>, path: &Path<'_>, definition: Value<'d, 'a>) {
    let root = checker.root;
    let text = |key: &str| root.get(key).and_then(|value| value.text());
    let word = definition.get("tlp").and_then(|value| value.text()).unwrap_or_default();
    let Some((id, name)) = markings::tlp_1_definition(&word) else {
        let message = format_args!("`{word}` is no level of TLP 1: white, green, amber or red");
        return checker.must(&path.key("definition"), "tlp-definition", "7.2.1", message);
    };
    if text("id").as_deref() != Some(id) {
        let message = format_args!("TLP `{word}` is `{id}` and no other object");
        checker.must(&path.key("id"), "tlp-definition", "7.2.1", message);
    }
    if text("created").as_deref() != Some(markings::TLP_1_CREATED) {
        let message = format_args!("a TLP marking was created at {}", markings::TLP_1_CREATED);
        checker.must(&path.key("created"), "tlp-definition", "7.2.1", message);
    }
    match text("name") {
        Some(given) if given == name => {}
        Some(_) => {
            checker.must(&path.key("name"), "tlp-definition", "7.2.1", format_args!("its name is `{name}`"));
        }
        None => {
            checker.should(
                &path.key("name"),
                "tlp-definition",
                "7.2.1",
                format_args!("its name is `{name}`"),
            );
        }
    }
    if definition.members().count() > 1 {
        let message = format_args!("a TLP definition holds `tlp` and nothing else");
        checker.must(&path.key("definition"), "tlp-definition", "7.2.1", message);
    }
}

/// §7.3: only an extension of the top level lists the properties that it adds there.
pub(super) fn extension_definition(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>) {
    let root = checker.root;
    if root.get("created_by_ref").is_none() {
        let message = format_args!("`created_by_ref` is required of an extension definition");
        checker.must(&path.key("created_by_ref"), "required-property", "7.3", message);
    }
    let top_level = root.get("extension_types").is_some_and(|types| {
        types.elements().any(|kind| kind.text().as_deref() == Some("toplevel-property-extension"))
    });
    if root.get("extension_properties").is_some() && !top_level {
        let message = format_args!("`extension_properties` belongs to `toplevel-property-extension` only");
        checker.must(&path.key("extension_properties"), "dependent-property", "7.3", message);
    }
}

/// §7.1: translations are filed by language.
pub(super) fn language_content(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>) {
    let Some(contents) = checker.root.get("contents") else { return };
    for (language, _) in contents.members() {
        let path = path.key("contents");
        super::forms::check(checker, &path.key(&language), super::shape::Form::Language, &language, "7.1");
    }
}
