//! How a table describes a type: its properties, and what each may hold.

use crate::vocabulary::{OBSERVABLES, Vocabulary};

/// A type of the standard.
pub(super) struct TypeSpec {
    pub(super) name: &'static str,
    pub(super) class: Class,
    /// The section of STIX 2.1 that defines it.
    pub(super) section: &'static str,
    /// Its own properties; those of its class come on top.
    pub(super) properties: &'static [Property],
    /// The extensions that the standard itself defines for it.
    pub(super) extensions: &'static [ExtensionSpec],
}

/// What kind of object a type makes, which decides its common properties (§3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A domain object, a relationship object, or a meta object with versions.
    Versioned,
    /// A cyber-observable.
    Observable,
    /// A marking definition.
    Marking,
}

/// An extension that the standard defines, such as `archive-ext`.
pub(super) struct ExtensionSpec {
    pub(super) name: &'static str,
    pub(super) section: &'static str,
    pub(super) properties: &'static [Property],
}

/// A property that the standard defines.
pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) shape: Shape,
}

pub(super) const fn req(name: &'static str, shape: Shape) -> Property {
    Property { name, required: true, shape }
}

pub(super) const fn opt(name: &'static str, shape: Shape) -> Property {
    Property { name, required: false, shape }
}

/// What a property may hold.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Any string.
    Text,
    /// A string that should say something.
    Filled,
    /// A string of a special form.
    Form(Form),
    /// A term of a vocabulary.
    Term(&'static Vocabulary),
    Boolean,
    /// A whole number within bounds.
    Integer(i64, i64),
    /// A number within bounds.
    Number(f64, f64),
    /// A timestamp; the versioning ones have at least milliseconds.
    Time,
    VersionTime,
    /// An identifier of a type that is allowed here.
    Ref(Targets),
    /// A list with at least one element.
    List(&'static Shape),
    /// A dictionary whose values all have one shape.
    Dictionary(&'static Shape),
    /// A string, or a list of strings.
    TextOrTexts,
    Hashes,
    /// An object with known properties.
    Object(&'static str, &'static [Property]),
    /// `type`, `id`, `extensions`: looked at apart.
    Apart,
    /// Anything that is not null or empty.
    Any,
}

/// Forms of strings.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Hex,
    Binary,
    Url,
    Domain,
    EmailAddress,
    Ipv4,
    Ipv6,
    Mac,
    Cpe,
    Pattern,
    Charset,
    Language,
    Mime,
    RelationshipType,
    RegistryKey,
    Selector,
    SpecVersion,
}

/// Types that a reference may name.
#[derive(Clone, Copy)]
pub(super) enum Targets {
    Any,
    Only(&'static [&'static str]),
    Not(&'static [&'static str]),
    /// An observable of the standard, or a type that is not of the standard.
    Observable,
}

impl Targets {
    pub(super) fn allow(self, type_name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(names) => names.contains(&type_name),
            Self::Not(names) => !names.contains(&type_name),
            Self::Observable => OBSERVABLES.contains(&type_name) || super::spec_of(type_name).is_none(),
        }
    }

    /// The allowed types in words.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Any => "any type".to_owned(),
            Self::Only(names) => names.join(" or "),
            Self::Not(names) => format!("anything but {}", names.join(", ")),
            Self::Observable => "a cyber-observable".to_owned(),
        }
    }
}

pub(super) const TEXTS: Shape = Shape::List(&Shape::Text);
pub(super) const ANY_REFS: Shape = Shape::List(&Shape::Ref(Targets::Any));
pub(super) const INTEGER: Shape = Shape::Integer(-INTEGER_MAX, INTEGER_MAX);
pub(super) const SIZE: Shape = Shape::Integer(0, INTEGER_MAX);
/// STIX 2.1 §2.10: whole numbers have 54 bits with their sign.
pub(super) const INTEGER_MAX: i64 = (1 << 53) - 1;
