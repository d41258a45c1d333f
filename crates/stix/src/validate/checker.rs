//! Walks an object along its tables and collects findings.

use std::fmt::{self, Write as _};

use super::shape::{Class, INTEGER_MAX, Property, Shape, TEXTS, TypeSpec};
use super::{Finding, Report, Severity, ValidateOptions, domain, forms, meta, observable, rules, spec_of};
use crate::document::{Text, Value};
use crate::id::{is_type_name, parse_id};
use crate::scan::Kind;
use crate::selector::{parse_selector, resolve};
use crate::timestamp::StixTimestamp;
use crate::vocabulary::{self, Vocabulary};

/// Where the checker stands, as a chain of steps back to the root; it is only written out when
/// there is a finding.
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Key(&'p str),
    Index(usize),
    /// A pointer that is already written, from here on.
    Pointer(&'p str),
}

impl<'p> Path<'p> {
    pub(super) const ROOT: Path<'static> = Path { parent: None, step: Step::Index(0) };

    pub(super) fn key(&'p self, key: &'p str) -> Path<'p> {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    pub(super) fn index(&'p self, index: usize) -> Path<'p> {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    pub(super) fn pointer_below(&'p self, pointer: &'p str) -> Path<'p> {
        Path { parent: Some(self), step: Step::Pointer(pointer) }
    }

    /// RFC 6901: `~` and `/` inside a key are written `~0` and `~1`.
    fn pointer(&self, out: &mut String) {
        let Some(parent) = self.parent else { return };
        parent.pointer(out);
        match self.step {
            Step::Key(key) => {
                out.push('/');
                out.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Step::Index(index) => {
                let _ = write!(out, "/{index}");
            }
            Step::Pointer(pointer) => out.push_str(pointer),
        }
    }
}

pub(super) struct Checker<'d, 'a, 'o> {
    pub(super) root: Value<'d, 'a>,
    options: &'o ValidateOptions,
    report: Report,
    /// Whether the object says that its values were made harmless, and so ill-formed, on purpose.
    pub(super) defanged: bool,
    /// Whether the checker is inside a property that the standard does not define.
    carried: bool,
}

/// The common properties of a class.
pub(super) fn common_of(class: Class) -> &'static [Property] {
    match class {
        Class::Versioned => domain::COMMON,
        Class::Observable => observable::COMMON,
        Class::Marking => domain::MARKING_COMMON,
    }
}

impl<'d, 'a, 'o> Checker<'d, 'a, 'o> {
    pub(super) fn new(root: Value<'d, 'a>, options: &'o ValidateOptions) -> Self {
        Self { root, options, report: Report::default(), defanged: false, carried: false }
    }

    pub(super) fn into_report(self) -> Report {
        self.report
    }

    pub(super) fn must(
        &mut self,
        path: &Path<'_>,
        code: &'static str,
        section: &'static str,
        message: fmt::Arguments<'_>,
    ) {
        self.add(Severity::Must, path, code, section, message);
    }

    pub(super) fn should(
        &mut self,
        path: &Path<'_>,
        code: &'static str,
        section: &'static str,
        message: fmt::Arguments<'_>,
    ) {
        if self.options.warnings {
            self.add(Severity::Should, path, code, section, message);
        }
    }

    #[cold]
    fn add(
        &mut self,
        severity: Severity,
        path: &Path<'_>,
        code: &'static str,
        section: &'static str,
        message: fmt::Arguments<'_>,
    ) {
        if self.report.findings.len() >= self.options.findings_max {
            // A refusal is never lost to a page of warnings before it.
            let warning = self.report.findings.iter().rposition(|f| f.severity == Severity::Should);
            self.report.truncated = true;
            match warning {
                Some(at) if severity == Severity::Must => drop(self.report.findings.remove(at)),
                Some(_) | None => return,
            }
        }
        let mut pointer = String::new();
        path.pointer(&mut pointer);
        let message = message.to_string();
        self.report.findings.push(Finding { severity, code, pointer, section, message });
    }

    /// Judges the object as a whole.
    pub(super) fn document(&mut self, path: &Path<'_>) {
        let root = self.root;
        if root.kind() != Kind::Object {
            return self.must(path, "not-an-object", "3.1", format_args!("not a JSON object"));
        }
        let Some(type_name) = root.get("type").and_then(|value| value.text()) else {
            let at = path.key("type");
            return self.must(
                &at,
                "required-property",
                "3.2",
                format_args!("`type` is missing or no string"),
            );
        };
        if type_name == "bundle" {
            let message = format_args!("a bundle is a wrapper and no object: hand in what is in it");
            return self.must(path, "bundle", "8", message);
        }
        self.defanged = root.get("defanged").is_some_and(|value| value.kind() == Kind::True);
        let spec = spec_of(&type_name);
        let class = spec.map_or_else(|| self.class_of_custom(), |spec| spec.class);
        if meta::refuses_stix_2_0(self, &type_name, class) {
            return;
        }
        self.type_name(path, &type_name, spec);
        self.id(path, &type_name);
        let tables = [common_of(class), spec.map_or(&[][..], |spec| spec.properties)];
        let section = spec.map_or("3.2", |spec| spec.section);
        let custom = Custom { judged: spec.is_some() && !self.extends_top_level(), class };
        self.members(path, root, tables, section, Some(&custom));
        if let Some(extensions) = root.get("extensions") {
            meta::extensions(self, &path.key("extensions"), extensions, spec);
        }
        if let Some(spec) = spec {
            rules::object(self, path, spec);
        }
        if class == Class::Versioned {
            rules::order(self, path, "created", "modified", rules::Order::NotBefore, "3.6");
        }
    }

    /// §11.2: whether a type of someone's own has versions is only told by what it carries, or by
    /// its extension (§7.3).
    fn class_of_custom(&self) -> Class {
        let declared = |kind: &str| {
            let extensions = self.root.get("extensions");
            extensions.is_some_and(|extensions| {
                extensions.members().any(|(_, extension)| {
                    extension.get("extension_type").and_then(|value| value.text()).as_deref() == Some(kind)
                })
            })
        };
        let versioned =
            ["created", "modified", "spec_version"].iter().any(|key| self.root.get(key).is_some());
        if declared("new-sco") || !(versioned || declared("new-sdo") || declared("new-sro")) {
            Class::Observable
        } else {
            Class::Versioned
        }
    }

    /// Whether an extension adds properties at the top level, whose names are its own affair (§7.3).
    fn extends_top_level(&self) -> bool {
        let extensions = self.root.get("extensions");
        extensions.is_some_and(|extensions| {
            extensions.members().any(|(_, extension)| {
                let kind = extension.get("extension_type").and_then(|value| value.text());
                kind.as_deref() == Some("toplevel-property-extension")
            })
        })
    }

    fn type_name(&mut self, path: &Path<'_>, name: &str, spec: Option<&TypeSpec>) {
        if spec.is_some() {
            return;
        }
        let path = path.key("type");
        if !is_type_name(name) || name.len() < 3 || name.contains("--") {
            let message =
                format_args!("`{name}` cannot name a type: 3 to 250 of a-z, 0-9 and single hyphens");
            self.must(&path, "type-name", "11.2", message);
        } else if !name.starts_with("x-") && self.root.get("extensions").is_none() {
            let message = format_args!("a type of one's own should start with `x-` or have an extension");
            self.should(&path, "custom-type-prefix", "11.2", message);
        }
    }

    fn id(&mut self, path: &Path<'_>, type_name: &str) {
        let path = path.key("id");
        let Some(value) = self.root.get("id") else { return };
        let Some(id) = self.string(&path, value, "2.9") else { return };
        match parse_id(&id) {
            Err(error) => {
                self.must(
                    &path,
                    "invalid-identifier",
                    "2.9",
                    format_args!("`{id}` is no identifier: {error}"),
                );
            }
            Ok(parts) if parts.type_name != type_name => {
                let message = format_args!("`{id}` does not begin with the object's type `{type_name}`");
                self.must(&path, "id-type-mismatch", "2.9", message);
            }
            Ok(parts) if parts.uuid.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                self.should(&path, "uuid-case", "2.9", format_args!("a UUID should be in lower case"));
            }
            Ok(_) => {}
        }
    }

    /// Judges the members of an object along its tables; what is in none of them is custom.
    pub(super) fn members(
        &mut self,
        path: &Path<'_>,
        object: Value<'d, 'a>,
        tables: [&'static [Property]; 2],
        section: &'static str,
        custom: Option<&Custom>,
    ) {
        // One bit a property of each table; no table has more than 64.
        let mut seen = [0_u64; 2];
        for (key, value) in object.members() {
            let found = tables.iter().enumerate().find_map(|(table, properties)| {
                let at = properties.iter().position(|property| property.name == key)?;
                Some((table, at, properties.get(at)?))
            });
            let path = path.key(&key);
            match found {
                Some((table, at, property)) => {
                    seen[table] |= 1 << (at & 63);
                    let section = if table == 0 && custom.is_some() { "3.2" } else { section };
                    self.shape(&path, value, property.shape, section);
                }
                None => self.custom_property(&path, &key, value, custom),
            }
        }
        for (table, properties) in tables.iter().enumerate() {
            for (at, property) in properties.iter().enumerate() {
                if property.required && seen[table] & (1 << (at & 63)) == 0 {
                    let section = if table == 0 && custom.is_some() { "3.2" } else { section };
                    let message = format_args!("`{}` is required", property.name);
                    self.must(&path.key(property.name), "required-property", section, message);
                }
            }
        }
    }

    /// §11.1: a property that the standard does not define is carried; its name has a form.
    fn custom_property(&mut self, path: &Path<'_>, key: &str, value: Value<'d, 'a>, custom: Option<&Custom>) {
        let in_alphabet = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if !(3..=250).contains(&key.len()) || !key.bytes().all(in_alphabet) {
            let message = format_args!("`{key}` cannot name a property: 3 to 250 of a-z, 0-9 and `_`");
            self.must(path, "property-name", "3.1", message);
        } else if let Some(custom) = custom.filter(|custom| custom.judged) {
            if common_of(Class::Versioned).iter().any(|property| property.name == key) {
                let what = match custom.class {
                    Class::Observable => "a cyber-observable",
                    Class::Marking => "a marking definition",
                    Class::Versioned => "this type",
                };
                let message = format_args!("`{key}` does not apply to {what}");
                self.should(path, "property-not-applicable", "3.2", message);
            } else if !key.starts_with("x_") {
                let message =
                    format_args!("a property of one's own should start with `x_` or be in an extension");
                self.should(path, "custom-property-prefix", "11.1", message);
            }
        }
        self.carried = true;
        self.anything(path, value);
        self.carried = false;
    }

    /// What holds of every value, known or not: it says something. Inside a property that the
    /// standard does not define, which is carried as it is, that is a warning.
    pub(super) fn anything(&mut self, path: &Path<'_>, value: Value<'d, 'a>) {
        match value.kind() {
            Kind::Null => {
                self.void(path, "null-value", "2", format_args!("null is not allowed: leave it out"));
            }
            Kind::Array => {
                let mut empty = true;
                for (index, element) in value.elements().enumerate() {
                    empty = false;
                    self.anything(&path.index(index), element);
                }
                if empty {
                    self.void(
                        path,
                        "empty-list",
                        "2.12",
                        format_args!("a list must not be empty: leave it out"),
                    );
                }
            }
            Kind::Object => {
                for (key, member) in value.members() {
                    self.anything(&path.key(&key), member);
                }
            }
            Kind::True | Kind::False | Kind::Integer | Kind::Float | Kind::String | Kind::EscapedString => {}
        }
    }

    fn void(
        &mut self,
        path: &Path<'_>,
        code: &'static str,
        section: &'static str,
        message: fmt::Arguments<'_>,
    ) {
        if self.carried {
            self.should(path, code, section, message);
        } else {
            self.must(path, code, section, message);
        }
    }

    pub(super) fn shape(
        &mut self,
        path: &Path<'_>,
        value: Value<'d, 'a>,
        shape: Shape,
        section: &'static str,
    ) {
        if value.kind() == Kind::Null {
            return self.anything(path, value);
        }
        match shape {
            Shape::Apart => {}
            Shape::Any => self.anything(path, value),
            Shape::Text => {
                self.string(path, value, "2.15");
            }
            Shape::Filled => {
                if self.string(path, value, "2.15").is_some_and(|text| text.is_empty()) {
                    self.should(path, "empty-string", section, format_args!("it should not be empty"));
                }
            }
            Shape::Form(form) => {
                if let Some(text) = self.string(path, value, section) {
                    forms::check(self, path, form, &text, section);
                }
            }
            Shape::Term(vocabulary) => self.term(path, value, vocabulary),
            Shape::Boolean => {
                if !matches!(value.kind(), Kind::True | Kind::False) {
                    self.wrong_type(path, value, "a boolean", "2.2");
                }
            }
            Shape::Integer(min, max) => self.integer(path, value, min, max, section),
            Shape::Number(min, max) => self.number(path, value, min, max, section),
            Shape::Time => {
                self.time(path, value);
            }
            Shape::VersionTime => {
                // §3.2: to the millisecond; more digits are as good.
                if let Some(text) = self.time(path, value)
                    && text.len() < "2016-01-20T12:31:12.123Z".len()
                {
                    let message = format_args!("`{text}` must have at least three digits of a second");
                    self.must(path, "timestamp-precision", section, message);
                }
            }
            Shape::Ref(targets) => {
                let Some(id) = self.string(path, value, "2.9") else { return };
                match parse_id(&id) {
                    Err(error) => {
                        let message = format_args!("`{id}` is no identifier: {error}");
                        self.must(path, "invalid-identifier", "2.9", message);
                    }
                    Ok(parts) if !targets.allow(parts.type_name) => {
                        let message = format_args!(
                            "it refers to `{}`, but must refer to {}",
                            parts.type_name,
                            targets.describe()
                        );
                        self.must(path, "reference-target", section, message);
                    }
                    Ok(_) => {}
                }
            }
            Shape::List(element) => {
                if value.kind() != Kind::Array {
                    return self.wrong_type(path, value, "a list", "2.12");
                }
                let mut empty = true;
                for (index, item) in value.elements().enumerate() {
                    empty = false;
                    self.shape(&path.index(index), item, *element, section);
                }
                if empty {
                    self.must(
                        path,
                        "empty-list",
                        "2.12",
                        format_args!("a list must not be empty: leave it out"),
                    );
                }
            }
            Shape::Dictionary(element) => self.dictionary(path, value, *element, section),
            Shape::TextOrTexts if value.kind() == Kind::Array => self.shape(path, value, TEXTS, section),
            Shape::TextOrTexts => self.shape(path, value, Shape::Text, section),
            Shape::Hashes => forms::hashes(self, path, value),
            Shape::Object(section, properties) => {
                if value.kind() != Kind::Object {
                    return self.wrong_type(path, value, "an object", section);
                }
                self.members(path, value, [properties, &[]], section, None);
                rules::nested(self, path, value, section);
            }
        }
    }

    fn dictionary(&mut self, path: &Path<'_>, value: Value<'d, 'a>, element: Shape, section: &'static str) {
        if value.kind() != Kind::Object {
            return self.wrong_type(path, value, "a dictionary", "2.3");
        }
        let mut empty = true;
        for (key, member) in value.members() {
            empty = false;
            let path = path.key(&key);
            self.dictionary_key(&path, &key);
            self.shape(&path, member, element, section);
        }
        if empty {
            let message = format_args!("a dictionary must not be empty: leave it out");
            self.must(path, "empty-dictionary", "2.3", message);
        }
    }

    pub(super) fn dictionary_key(&mut self, path: &Path<'_>, key: &str) {
        let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !(1..=250).contains(&key.len()) || !key.bytes().all(in_alphabet) {
            let message =
                format_args!("`{key}` is no key of a dictionary: 1 to 250 of letters, digits, `-` and `_`");
            self.must(path, "dictionary-key", "2.3", message);
        }
    }

    pub(super) fn string(
        &mut self,
        path: &Path<'_>,
        value: Value<'d, 'a>,
        section: &'static str,
    ) -> Option<Text<'a>> {
        let text = value.text();
        if text.is_none() {
            self.wrong_type(path, value, "a string", section);
        }
        text
    }

    pub(super) fn wrong_type(
        &mut self,
        path: &Path<'_>,
        value: Value<'d, 'a>,
        expected: &str,
        section: &'static str,
    ) {
        if value.kind() == Kind::Null {
            return self.anything(path, value);
        }
        self.must(path, "wrong-type", section, format_args!("it must be {expected}"));
    }

    fn term(&mut self, path: &Path<'_>, value: Value<'d, 'a>, vocabulary: &'static Vocabulary) {
        let section = if vocabulary.closed { "2.4" } else { "2.14" };
        let Some(text) = self.string(path, value, section) else { return };
        if vocabulary.terms.contains(&&*text) {
            return;
        }
        if vocabulary.closed {
            let message =
                format_args!("`{text}` is not in `{}`: {}", vocabulary.name, vocabulary.terms.join(", "));
            self.must(path, "invalid-enum", vocabulary.section, message);
        } else {
            let message = format_args!("`{text}` is not in `{}`", vocabulary.name);
            self.should(path, "open-vocabulary", vocabulary.section, message);
        }
    }

    fn integer(&mut self, path: &Path<'_>, value: Value<'d, 'a>, min: i64, max: i64, section: &'static str) {
        if value.kind() != Kind::Integer {
            return self.wrong_type(path, value, "an integer", "2.10");
        }
        match value.raw().parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => {}
            Ok(_) | Err(_) => {
                let section = if max == INTEGER_MAX { "2.10" } else { section };
                let message = format_args!("{} is not from {min} to {max}", shortened(value.raw()));
                self.must(path, "out-of-range", section, message);
            }
        }
    }

    fn number(&mut self, path: &Path<'_>, value: Value<'d, 'a>, min: f64, max: f64, section: &'static str) {
        if !matches!(value.kind(), Kind::Integer | Kind::Float) {
            return self.wrong_type(path, value, "a number", "2.6");
        }
        let number = value.raw().parse::<f64>().unwrap_or(f64::NAN);
        if !(min..=max).contains(&number) {
            let message = format_args!("{} is not from {min} to {max}", shortened(value.raw()));
            self.must(path, "out-of-range", section, message);
        }
    }

    fn time(&mut self, path: &Path<'_>, value: Value<'d, 'a>) -> Option<Text<'a>> {
        let text = self.string(path, value, "2.16")?;
        if let Err(error) = StixTimestamp::parse(&text) {
            self.must(path, "invalid-timestamp", "2.16", format_args!("{error}"));
            return None;
        }
        Some(text)
    }

    /// §7.2.3.1: a selector has a form, and what it selects is there.
    pub(super) fn selector(&mut self, path: &Path<'_>, text: &str) {
        match parse_selector(text) {
            Err(error) => {
                let message = format_args!("`{text}` is no selector: {error}");
                self.must(path, "selector-syntax", "7.2.3", message);
            }
            Ok(steps) if resolve(self.root, &steps).is_none() => {
                let message = format_args!("`{text}` selects nothing that is in the object");
                self.must(path, "selector-unresolved", "7.2.3", message);
            }
            Ok(_) => {}
        }
    }

    /// Whether a term is in a vocabulary, for rules that hang on one.
    pub(super) fn is_extension_type(text: &str) -> bool {
        vocabulary::EXTENSION_TYPE.terms.contains(&text)
    }
}

/// What properties outside the tables mean.
pub(super) struct Custom {
    /// Whether their names should show that they are custom.
    judged: bool,
    class: Class,
}

fn shortened(text: &str) -> &str {
    text.get(..40).unwrap_or(text)
}
