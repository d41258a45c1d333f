//! Walks an object along its tables and collects findings.

use super::path::Path;
use super::shape::{Class, Property, TypeSpec};
use super::{Report, ValidateOptions, domain, meta, observable, rules, spec_of};
use crate::document::Value;
use crate::id::{is_type_name, parse_id};
use crate::scan::Kind;

pub(super) struct Checker<'d, 'a, 'o> {
    pub(super) root: Value<'d, 'a>,
    pub(super) options: &'o ValidateOptions,
    pub(super) report: Report,
    /// How many of the findings only warn.
    pub(super) warnings: usize,
    /// How many selectors were looked at.
    pub(super) selectors: usize,
    /// Whether the object says that its values were made harmless, and so ill-formed, on purpose.
    pub(super) defanged: bool,
    /// Whether the checker is inside a property that the standard does not define.
    pub(super) carried: bool,
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
        Self {
            root,
            options,
            report: Report::default(),
            warnings: 0,
            selectors: 0,
            defanged: false,
            carried: false,
        }
    }

    pub(super) fn into_report(self) -> Report {
        self.report
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
}

/// What properties outside the tables mean.
pub(super) struct Custom {
    /// Whether their names should show that they are custom.
    judged: bool,
    class: Class,
}
