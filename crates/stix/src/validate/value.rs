//! Judges one value by its shape.

use super::checker::Checker;
use super::path::Path;
use super::shape::{INTEGER_MAX, Shape, TEXTS};
use super::{forms, rules};
use crate::document::{Text, Value};
use crate::id::parse_id;
use crate::scan::Kind;
use crate::selector::{parse_selector, resolve, within_budget};
use crate::timestamp::StixTimestamp;
use crate::vocabulary::{self, Vocabulary};

impl<'d, 'a> Checker<'d, 'a, '_> {
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
        self.selectors += 1;
        if !within_budget(self.root, self.selectors) {
            let message = format_args!("too many selectors for an object of this size");
            return self.must(path, "selector-limit", "7.2.3", message);
        }
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

fn shortened(text: &str) -> &str {
    text.get(..40).unwrap_or(text)
}
