//! Derived objects: what is left of an object for a reader who may not see all of it.
//!
//! Only its creator may change a STIX object (§3.5, §3.6). So nobody can hand out an object with a
//! part missing under the object's own identifier: two readers would hold different bytes of one
//! version and could not know it. What can be handed out is *another* object, made by whoever
//! removes the part, and saying so. [`derive()`] makes it:
//!
//! - Its **identifier** is a `UUIDv5` in [`DERIVED_NAMESPACE`] over the original's identifier, what was
//!   removed (selectors and references, sorted) and who removed it. The same removal gives the same
//!   identifier and the same bytes every time, another removal another identifier. It does
//!   not tell the original's: that would be 122 random bits to guess.
//! - Its **creator** is who removed the part. `created` and `modified` are the original's, so that a new
//!   version of the original is a new version of the derived object, and a revocation revokes it.
//! - The **derivation** is stated in an entry of `external_references`. A relationship `derived-from`
//!   would be the standard's own word (§3.7), but it names the original, and a reader who sees that
//!   name in two places learns what was withheld where. The entry names nobody.
//! - **Granular markings** that select removed content go with it; the others stay, their list indexes
//!   moved. Object markings always stay.
//! - **References** to withheld objects go, under whatever name: a property whole, a list element by
//!   element, and in a list of objects each one that has a `_ref` to what is withheld.
//!
//! A list or dictionary that becomes empty goes too. If what is left is not valid STIX 2.1, for instance
//! because a relationship lost an end, there is no derived object and the original stays in as a whole.
//!
//! Observables have neither creator nor versions nor references in STIX 2.1. Their derived objects keep
//! that form; the identifier is still of this namespace, never one that the standard computes from
//! the content, because that one may be the original's.

use std::collections::BTreeSet;

use thiserror::Error;
use uuid::Uuid;

use crate::canonical::write_string;
use crate::document::{Document, Value};
use crate::head::{Head, HeadError};
use crate::id::parse_id;
use crate::limits::Limits;
use crate::scan::{JsonError, Kind};
use crate::sco_id::{ScoId, is_observable_type, sco_id};
use crate::selector::{SelectorError, Step, parse_selector, resolve, within_budget};
use crate::validate::{Finding, ValidateOptions, validate};

/// The namespace of identifiers of derived objects. It is this crate's own.
pub const DERIVED_NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_2b1c_3c5e_4a57_9a0e_5d1f_0b8c_7e42);

/// `source_name` of the external reference that states a derivation.
pub const DERIVED_SOURCE_NAME: &str = "derived-object";

/// Why there is no derived object.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeriveError {
    /// The original is not JSON, or a key occurs twice.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// The original's head cannot be read.
    #[error("{0}")]
    Head(#[from] HeadError),
    /// What should be removed is not a selector.
    #[error("{0}")]
    Selector(#[from] SelectorError),
    /// What should be removed is not there.
    #[error("`{selector}` selects nothing that is in the object")]
    Unresolved {
        /// The selector.
        selector: String,
    },
    /// A property that every object shows cannot be removed.
    #[error("`{property}` cannot be removed from an object")]
    Indispensable {
        /// Its name.
        property: &'static str,
    },
    /// Markings and definitions are what they are: a part of one means something else.
    #[error("nothing is derived from a `{type_name}`")]
    NotDerivable {
        /// The object's type.
        type_name: String,
    },
    /// More selectors than can be followed in an object of this size.
    #[error("too many selectors for an object of this size")]
    TooManySelectors,
    /// What is left is not valid STIX 2.1.
    #[error("what is left is not valid: {}: {}", first.pointer, first.message)]
    WouldBeInvalid {
        /// The first thing that is wrong.
        first: Box<Finding>,
    },
}

/// Makes the object that is left when some content and some references are removed.
///
/// `withheld` tells which identifiers the reader may not see; `creator` is the `identity` of who
/// removes. Removing nothing is allowed and gives a derived object too: whether one is needed is for
/// the caller to know.
///
/// # Errors
///
/// Fails if the original cannot be read, if a selector leads nowhere, and if what is left is invalid.
pub fn derive(
    bytes: &[u8],
    selectors_to_drop: &[&str],
    withheld: &dyn Fn(&str) -> bool,
    creator: &str,
) -> Result<Vec<u8>, DeriveError> {
    let document = Document::parse(bytes, &Limits::default())?;
    let head = Head::of(&document)?;
    if matches!(&*head.type_, "marking-definition" | "extension-definition" | "bundle") {
        return Err(DeriveError::NotDerivable { type_name: head.type_.into_owned() });
    }
    let root = document.root();
    let own: usize = head.granular_markings.iter().map(|marking| marking.selectors.len()).sum();
    // Those of the markings are followed twice: for what is left before an index, and beyond.
    if !within_budget(root, selectors_to_drop.len() + 2 * own) {
        return Err(DeriveError::TooManySelectors);
    }
    let mut removal = Removal { withheld, gone: BTreeSet::new(), references: BTreeSet::new() };
    for selector in selectors_to_drop {
        let steps = parse_selector(selector)?;
        indispensable(&steps)?;
        let Some(value) = resolve(root, &steps) else {
            return Err(DeriveError::Unresolved { selector: (*selector).to_owned() });
        };
        removal.gone.insert(value.span().start);
    }
    for (key, value) in root.members() {
        // The creator is replaced; markings are never taken off.
        if !matches!(&*key, "id" | "created_by_ref" | "object_marking_refs" | "granular_markings") {
            removal.member(&key, value);
        }
    }
    let uuid = derived_uuid(&head, selectors_to_drop, &removal.references, creator);
    let id = format!("{}--{uuid}", head.type_);
    let observable = is_observable_type(&head.type_);
    let mut writer = Writer { removal: &removal, id, creator, observable };
    let mut derived = writer.object(root, head.created_by_ref.is_some());
    if sco_id(&derived) == Ok(ScoId::Random) {
        // §3.4 wants a version 4 here: the same bits, under that number.
        let uuid = uuid::Builder::from_random_bytes(uuid.into_bytes()).into_uuid();
        writer.id = format!("{}--{uuid}", head.type_);
        derived = writer.object(root, head.created_by_ref.is_some());
    }
    let report = validate(&derived, &ValidateOptions { warnings: false, ..ValidateOptions::default() });
    match report.findings.into_iter().next() {
        Some(first) => Err(DeriveError::WouldBeInvalid { first: Box::new(first) }),
        None => Ok(derived),
    }
}

/// `id` and `created_by_ref` are replaced, so a reader who may not see them does not. The version is
/// kept, and the type is in the identifier.
fn indispensable(steps: &[Step<'_>]) -> Result<(), DeriveError> {
    let kept = ["type", "spec_version", "created", "modified", "object_marking_refs", "granular_markings"];
    match steps.first() {
        Some(Step::Key(key)) => match kept.iter().find(|name| *name == key) {
            Some(property) => Err(DeriveError::Indispensable { property }),
            None => Ok(()),
        },
        Some(Step::Index(_)) | None => Ok(()),
    }
}

fn derived_uuid(head: &Head<'_>, selectors: &[&str], references: &BTreeSet<String>, creator: &str) -> Uuid {
    let selectors: BTreeSet<_> = selectors.iter().copied().collect();
    let mut name = String::from("[");
    write_string(&head.id, &mut name);
    name.push(',');
    write_string(creator, &mut name);
    // Strings only, in a fixed frame: no two removals have one name.
    for list in [selectors, references.iter().map(String::as_str).collect()] {
        name.push_str(",[");
        for (index, text) in list.into_iter().enumerate() {
            if index > 0 {
                name.push(',');
            }
            write_string(text, &mut name);
        }
        name.push(']');
    }
    name.push(']');
    Uuid::new_v5(&DERIVED_NAMESPACE, name.as_bytes())
}

/// What goes, by where its bytes start.
struct Removal<'w> {
    withheld: &'w dyn Fn(&str) -> bool,
    gone: BTreeSet<usize>,
    /// The withheld references that were there.
    references: BTreeSet<String>,
}

impl Removal<'_> {
    fn is_gone(&self, value: Value<'_, '_>) -> bool {
        self.gone.contains(&value.span().start)
    }

    /// Marks what goes at and below a property; tells whether its owner referred to what is withheld.
    fn member(&mut self, key: &str, value: Value<'_, '_>) -> bool {
        let lost = self.reference(value) && key.ends_with("_ref");
        self.below(value);
        lost
    }

    /// Marks a value that is the identifier of what is withheld, whatever its property is called.
    fn reference(&mut self, value: Value<'_, '_>) -> bool {
        match value.text() {
            Some(id) if parse_id(&id).is_ok() && (self.withheld)(&id) => {
                self.references.insert(id.into_owned());
                self.gone.insert(value.span().start);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Marks what goes inside a container, and the container if nothing of it is left.
    fn below(&mut self, value: Value<'_, '_>) {
        let mut left = 0;
        let mut lost = 0;
        match value.kind() {
            Kind::Array => {
                for element in value.elements() {
                    if element.kind() == Kind::Object && self.members(element) {
                        self.gone.insert(element.span().start);
                    } else {
                        self.reference(element);
                        self.below(element);
                    }
                    *(if self.is_gone(element) { &mut lost } else { &mut left }) += 1;
                }
            }
            Kind::Object => {
                self.members(value);
                for (_, member) in value.members() {
                    *(if self.is_gone(member) { &mut lost } else { &mut left }) += 1;
                }
            }
            Kind::Null
            | Kind::True
            | Kind::False
            | Kind::Integer
            | Kind::Float
            | Kind::String
            | Kind::EscapedString => {}
        }
        if lost > 0 && left == 0 {
            self.gone.insert(value.span().start);
        }
    }

    /// Marks what goes below an object's members; tells whether one referred to what is withheld.
    fn members(&mut self, object: Value<'_, '_>) -> bool {
        let mut lost = false;
        for (key, member) in object.members() {
            lost |= self.member(&key, member);
        }
        lost
    }
}

struct Writer<'r, 'w> {
    removal: &'r Removal<'w>,
    id: String,
    creator: &'r str,
    observable: bool,
}

impl Writer<'_, '_> {
    /// Writes the derived object, its properties in the order of the original.
    fn object(&self, root: Value<'_, '_>, has_creator: bool) -> Vec<u8> {
        let mut out = String::from("{");
        let mut stated = false;
        for (key, value) in root.members() {
            match &*key {
                "id" => {
                    property(&mut out, "id", &self.id);
                    if !has_creator && !self.observable {
                        property(&mut out, "created_by_ref", self.creator);
                    }
                }
                "created_by_ref" if !self.observable => {
                    property(&mut out, "created_by_ref", self.creator);
                }
                "created_by_ref" => {}
                "granular_markings" => self.granular_markings(&mut out, root, value),
                "external_references" if !self.observable && value.kind() == Kind::Array => {
                    stated = true;
                    self.references(&mut out, Some(value).filter(|value| !self.removal.is_gone(*value)));
                }
                _ if self.removal.is_gone(value) => {}
                _ => {
                    key_of(&mut out, &key);
                    self.value(&mut out, value);
                }
            }
        }
        if !stated && !self.observable {
            self.references(&mut out, None);
        }
        out.push('}');
        out.into_bytes()
    }

    fn value(&self, out: &mut String, value: Value<'_, '_>) {
        let span = value.span();
        if self.removal.gone.range(span).next().is_none() {
            out.push_str(value.raw());
            return;
        }
        match value.kind() {
            Kind::Array => {
                out.push('[');
                for element in value.elements().filter(|element| !self.removal.is_gone(*element)) {
                    comma(out, '[');
                    self.value(out, element);
                }
                out.push(']');
            }
            Kind::Object => {
                out.push('{');
                for (key, member) in value.members().filter(|(_, member)| !self.removal.is_gone(*member)) {
                    key_of(out, &key);
                    self.value(out, member);
                }
                out.push('}');
            }
            Kind::Null
            | Kind::True
            | Kind::False
            | Kind::Integer
            | Kind::Float
            | Kind::String
            | Kind::EscapedString => out.push_str(value.raw()),
        }
    }

    /// Writes `external_references` with the statement of the derivation behind what is left.
    fn references(&self, out: &mut String, left: Option<Value<'_, '_>>) {
        key_of(out, "external_references");
        out.push('[');
        for element in left.into_iter().flat_map(|list| list.elements()) {
            if !self.removal.is_gone(element) {
                comma(out, '[');
                self.value(out, element);
            }
        }
        comma(out, '[');
        out.push_str("{\"source_name\":");
        write_string(DERIVED_SOURCE_NAME, out);
        out.push_str(
            ",\"description\":\"This object was made by its creator from another producer's object, \
             of which parts were removed.\"}]",
        );
    }

    /// Writes the granular markings of what is left.
    fn granular_markings(&self, out: &mut String, root: Value<'_, '_>, markings: Value<'_, '_>) {
        let mut entries = Vec::new();
        for entry in markings.elements() {
            let selectors: Vec<_> = entry
                .get("selectors")
                .into_iter()
                .flat_map(|list| list.elements())
                .filter_map(|selector| self.moved(root, &selector.text()?))
                .collect();
            if selectors.is_empty() {
                continue;
            }
            let mut text = String::from("{");
            for (key, value) in entry.members() {
                key_of(&mut text, &key);
                if key == "selectors" {
                    text.push('[');
                    for selector in &selectors {
                        comma(&mut text, '[');
                        write_string(selector, &mut text);
                    }
                    text.push(']');
                } else {
                    text.push_str(value.raw());
                }
            }
            text.push('}');
            entries.push(text);
        }
        if !entries.is_empty() {
            key_of(out, "granular_markings");
            out.push('[');
            out.push_str(&entries.join(","));
            out.push(']');
        }
    }

    /// A selector as it reads in the derived object; none if what it selects is gone.
    fn moved(&self, root: Value<'_, '_>, selector: &str) -> Option<String> {
        let mut value = root;
        let mut moved = Vec::new();
        for step in parse_selector(selector).ok()? {
            match step {
                Step::Key(key) => {
                    value = value.get(key)?;
                    moved.push(key.to_owned());
                }
                Step::Index(index) => {
                    let before = value.elements().take(index).filter(|e| !self.removal.is_gone(*e)).count();
                    value = value.elements().nth(index)?;
                    moved.push(format!("[{before}]"));
                }
            }
            let replaced = moved.len() == 1 && matches!(moved[0].as_str(), "id" | "created_by_ref");
            if self.removal.is_gone(value) && !replaced {
                return None;
            }
        }
        // Observables lose a creator that they should not have had.
        (!self.observable || moved.first().map(String::as_str) != Some("created_by_ref"))
            .then(|| moved.join("."))
    }
}

fn comma(out: &mut String, open: char) {
    if !out.ends_with(open) {
        out.push(',');
    }
}

fn property(out: &mut String, key: &str, text: &str) {
    key_of(out, key);
    write_string(text, out);
}

fn key_of(out: &mut String, key: &str) {
    comma(out, '{');
    write_string(key, out);
    out.push(':');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CREATOR: &str = "identity--11111111-1111-4111-8111-111111111111";
    const SECRET: &str = "malware--22222222-2222-4222-8222-222222222222";
    const REPORT: &str = r#"{"type":"report","spec_version":"2.1",
        "id":"report--84e4d88f-44ea-4bcd-bbf3-b2c1c320bcb3",
        "created":"2015-12-21T19:59:11.000Z","modified":"2016-12-21T19:59:11.1234567Z",
        "created_by_ref":"identity--33333333-3333-4333-8333-333333333333",
        "name":"n","description":"secret","published":"2016-01-20T17:00:00Z","labels":["a","b","c"],
        "object_refs":["indicator--44444444-4444-4444-8444-444444444444",
                       "malware--22222222-2222-4222-8222-222222222222"],
        "object_marking_refs":["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"],
        "granular_markings":[
            {"marking_ref":"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
             "selectors":["description","labels.[0]"]},
            {"lang":"en","selectors":["labels.[2]","name","description"]}]}"#;

    fn nobody(_: &str) -> bool {
        false
    }

    fn derived(drop: &[&str], withheld: &dyn Fn(&str) -> bool) -> serde_json::Value {
        let bytes = derive(REPORT.as_bytes(), drop, withheld, CREATOR).expect("a derived object");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    #[test]
    fn what_was_removed_is_gone_and_the_rest_is_there() {
        let object = derived(&["description", "labels.[0]"], &|id| id == SECRET);
        let text = object.to_string();
        assert!(
            !text.contains("secret") && !text.contains("22222222") && !text.contains("84e4d88f"),
            "{text}"
        );
        assert_eq!(object["created_by_ref"], CREATOR);
        assert_eq!(object["created"], "2015-12-21T19:59:11.000Z");
        assert_eq!(object["modified"], "2016-12-21T19:59:11.1234567Z");
        assert_eq!(object["labels"], serde_json::json!(["b", "c"]));
        assert_eq!(object["object_refs"].as_array().map(Vec::len), Some(1));
        assert_eq!(object["object_marking_refs"].as_array().map(Vec::len), Some(1));
        // The entry about removed content is gone; the index of the other has moved.
        let markings = serde_json::json!([{ "lang": "en", "selectors": ["labels.[1]", "name"] }]);
        assert_eq!(object["granular_markings"], markings);
        assert_eq!(object["external_references"][0]["source_name"], DERIVED_SOURCE_NAME);
    }

    #[test]
    fn the_same_removal_gives_the_same_bytes_and_another_one_another_identifier() {
        let id = |drop: &[&str], withheld: &dyn Fn(&str) -> bool| {
            derived(drop, withheld)["id"].as_str().unwrap_or_default().to_owned()
        };
        let one = derive(REPORT.as_bytes(), &["labels.[0]", "description"], &nobody, CREATOR);
        let two = derive(REPORT.as_bytes(), &["description", "labels.[0]"], &nobody, CREATOR);
        assert_eq!(one, two, "the order of the selectors is no part of it");
        let ids: BTreeSet<_> = [
            id(&[], &nobody),
            id(&["description"], &nobody),
            id(&["labels"], &nobody),
            id(&["description", "labels"], &nobody),
            id(&["description"], &|id| id == SECRET),
        ]
        .into();
        assert_eq!(ids.len(), 5);
        assert!(ids.iter().all(|id| id.starts_with("report--")));
        // A later version of the original is a later version of the derived object.
        let later = REPORT.replace("19:59:11.1234567Z", "19:59:12.000Z");
        let later = derive(later.as_bytes(), &["description"], &nobody, CREATOR).expect("derived");
        let later: serde_json::Value = serde_json::from_slice(&later).expect("JSON");
        assert_eq!(later["id"], derived(&["description"], &nobody)["id"]);
        assert_eq!(later["modified"], "2016-12-21T19:59:12.000Z");
    }

    #[test]
    fn an_object_that_would_be_invalid_stays_in() {
        let relationship = r#"{"type":"relationship","spec_version":"2.1",
            "id":"relationship--84e4d88f-44ea-4bcd-bbf3-b2c1c320bcb3",
            "created":"2015-12-21T19:59:11.000Z","modified":"2015-12-21T19:59:11.000Z",
            "relationship_type":"indicates","source_ref":"indicator--44444444-4444-4444-8444-444444444444",
            "target_ref":"malware--22222222-2222-4222-8222-222222222222"}"#;
        let refused = derive(relationship.as_bytes(), &[], &|id| id == SECRET, CREATOR);
        assert!(
            matches!(&refused, Err(DeriveError::WouldBeInvalid { first }) if first.pointer == "/target_ref")
        );
        let refused = |drop: &str| derive(REPORT.as_bytes(), &[drop], &nobody, CREATOR).expect_err(drop);
        assert!(matches!(refused("name"), DeriveError::WouldBeInvalid { .. }));
        assert!(matches!(refused("published"), DeriveError::WouldBeInvalid { .. }));
        assert!(matches!(refused("modified"), DeriveError::Indispensable { .. }));
        assert!(matches!(refused("labels.[7]"), DeriveError::Unresolved { .. }));
        assert!(matches!(refused("labels..x"), DeriveError::Selector(_)));
        let all = derive(REPORT.as_bytes(), &[], &|id| !id.starts_with("identity"), CREATOR);
        assert!(
            matches!(&all, Err(DeriveError::WouldBeInvalid { first }) if first.pointer == "/object_refs")
        );
    }

    #[test]
    fn an_element_about_a_withheld_object_goes_whole() {
        let text = REPORT.replace(
            "\"name\":\"n\"",
            r#""name":"n","x_about":"malware--22222222-2222-4222-8222-222222222222","x_contents":[{"object_ref":"malware--22222222-2222-4222-8222-222222222222","n":1},
               {"object_ref":"indicator--44444444-4444-4444-8444-444444444444","n":2}]"#,
        );
        let bytes = derive(text.as_bytes(), &[], &|id| id == SECRET, CREATOR).expect("derived");
        let object: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(object["x_contents"].as_array().map(Vec::len), Some(1));
        assert_eq!(object["x_contents"][0]["n"], 2);
        assert!(object.get("x_about").is_none(), "an identifier is a reference under any name");
    }

    #[test]
    fn an_observable_keeps_its_form() {
        let file =
            r#"{"type":"file","id":"file--fb0419a8-f09c-57f8-be64-71a80417591c","name":"a.exe","size":7}"#;
        let bytes = derive(file.as_bytes(), &["size"], &nobody, CREATOR).expect("derived");
        let object: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        assert!(object.get("created_by_ref").is_none() && object.get("external_references").is_none());
        assert_eq!(object["name"], "a.exe");
        assert_ne!(object["id"], "file--fb0419a8-f09c-57f8-be64-71a80417591c");
        let process =
            r#"{"type":"process","id":"process--f52a906a-0dfc-40bd-92f1-e7778ead38a9","pid":7,"cwd":"/"}"#;
        let bytes = derive(process.as_bytes(), &["cwd"], &nobody, CREATOR).expect("derived");
        assert!(!String::from_utf8_lossy(&bytes).contains("cwd"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_derived_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..100), selector in ".{0,12}",
        ) {
            let _ = derive(&bytes, &[&selector], &nobody, CREATOR);
        }

        #[test]
        fn what_is_derived_is_valid_and_without_what_was_removed(
            drop in proptest::sample::subsequence(
                vec!["description", "labels", "labels.[0]", "labels.[1]", "labels.[2]", "object_refs.[0]"], 0..6),
            withhold in any::<bool>(),
        ) {
            if let Ok(bytes) = derive(REPORT.as_bytes(), &drop, &|id| withhold && id == SECRET, CREATOR) {
                let report = validate(&bytes, &ValidateOptions::default());
                prop_assert!(report.is_accepted(), "{:?}", report);
                let text = String::from_utf8(bytes).expect("text");
                prop_assert!(!withhold || !text.contains(SECRET));
                prop_assert!(!drop.contains(&"description") || !text.contains("secret"));
            }
        }
    }
}
