//! Cutting what a client sends into the bytes of single objects.
//!
//! Objects arrive in four wrappers: a TAXII envelope (`{"more":false,"objects":[...]}`, TAXII 2.1
//! §3.7), a bundle (STIX 2.1 §8), a bare list, or alone. [`split`] finds where each object begins
//! and ends without building anything from it, so that the exact bytes can be kept. The whole input
//! is checked against the JSON grammar on the way; what the objects *say* is looked at later, object
//! by object, and one bad object does not spoil its neighbours.

use std::borrow::Cow;

use thiserror::Error;

use crate::limits::Limits;
use crate::scan::{self, Deaf, Fault, JsonError, JsonFault};

/// What the objects came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapper {
    /// A TAXII envelope: an object with neither `type` nor `id`.
    Envelope,
    /// An object of type `bundle`.
    Bundle,
    /// A bare list.
    List,
    /// Nothing: one object alone.
    Single,
}

/// The objects of one input, each as the bytes that were received.
#[derive(Clone, Debug)]
pub struct Objects<'a> {
    wrapper: Wrapper,
    slices: Vec<&'a [u8]>,
    spec_version: Option<Cow<'a, str>>,
    more: bool,
}

impl<'a> Objects<'a> {
    /// What the objects came in.
    #[must_use]
    pub fn wrapper(&self) -> Wrapper {
        self.wrapper
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slices.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// The bytes of each object, in the order received, without space around them.
    pub fn iter(&self) -> std::iter::Copied<std::slice::Iter<'_, &'a [u8]>> {
        self.slices.iter().copied()
    }

    /// An envelope's `more`: its sender has further objects.
    #[must_use]
    pub fn more(&self) -> bool {
        self.more
    }

    /// Whether the bundle calls itself STIX 2.0. In 2.1 a bundle has no `spec_version` (§8.1).
    #[must_use]
    pub fn declares_stix_2_0(&self) -> bool {
        self.wrapper == Wrapper::Bundle && self.spec_version.as_deref() == Some("2.0")
    }
}

impl<'o, 'a> IntoIterator for &'o Objects<'a> {
    type Item = &'a [u8];
    type IntoIter = std::iter::Copied<std::slice::Iter<'o, &'a [u8]>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for Objects<'a> {
    type Item = &'a [u8];
    type IntoIter = std::vec::IntoIter<&'a [u8]>;

    fn into_iter(self) -> Self::IntoIter {
        self.slices.into_iter()
    }
}

/// Why an input could not be cut into objects.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SplitError {
    /// The input is not JSON, or nested too deeply.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// More objects than the limit allows.
    #[error("more than {max} objects in one input")]
    TooManyObjects {
        /// The limit.
        max: usize,
    },
    /// An object larger than the limit allows.
    #[error("object {index} has {size} bytes, more than the limit of {max}")]
    ObjectTooLarge {
        /// Which one, from 0.
        index: usize,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A list element, or the input itself, that is not an object.
    #[error("element {index} is not an object")]
    NotAnObject {
        /// Which one, from 0.
        index: usize,
    },
    /// `objects` of a wrapper is something other than a list.
    #[error("`objects` is not a list")]
    ObjectsNotAList,
}

/// Cuts an input into its objects.
///
/// # Errors
///
/// Fails for what is not well-formed JSON as a whole, and beyond the limits.
pub fn split<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Objects<'a>, SplitError> {
    let located = |fault: Fault| SplitError::Json(fault.locate(bytes));
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(located(Fault::new(JsonFault::NotUtf8, error.valid_up_to())));
    }
    // RFC 8259 §8.1: a byte order mark may be ignored.
    let start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let start = scan::skip_space(bytes, start);
    let splitter = Splitter { bytes, limits };
    let (objects, end) = match bytes.get(start) {
        Some(b'[') => {
            let mut slices = Vec::new();
            let end = splitter.list(start, limits.nesting_max, &mut slices)?;
            (Objects { wrapper: Wrapper::List, slices, spec_version: None, more: false }, end)
        }
        Some(b'{') => splitter.wrapper(start)?,
        None => return Err(located(Fault::new(JsonFault::UnexpectedEnd, start))),
        Some(_) => {
            scan::walk(bytes, start, limits.nesting_max, &mut Deaf).map_err(located)?;
            return Err(SplitError::NotAnObject { index: 0 });
        }
    };
    let rest = scan::skip_space(bytes, end);
    if rest != bytes.len() {
        return Err(located(Fault::new(JsonFault::TrailingText, rest)));
    }
    Ok(objects)
}

struct Splitter<'a, 'l> {
    bytes: &'a [u8],
    limits: &'l Limits,
}

impl<'a> Splitter<'a, '_> {
    fn located(&self, fault: JsonFault, at: usize) -> SplitError {
        self.lift(Fault::new(fault, at))
    }

    fn lift(&self, fault: Fault) -> SplitError {
        SplitError::Json(fault.locate(self.bytes))
    }

    fn value(&self, at: usize) -> Result<usize, SplitError> {
        scan::walk(self.bytes, at, self.limits.nesting_max, &mut Deaf).map_err(|fault| self.lift(fault))
    }

    fn next(&self, at: usize) -> Result<(u8, usize), SplitError> {
        let at = scan::skip_space(self.bytes, at);
        scan::byte(self.bytes, at).map(|byte| (byte, at)).map_err(|fault| self.lift(fault))
    }

    /// Reads the outermost object. Only at its end is it known whether it wraps others: what has a
    /// `type` other than `bundle`, or an `id` and no `type`, is itself the object.
    fn wrapper(&self, start: usize) -> Result<(Objects<'a>, usize), SplitError> {
        let mut slices = Vec::new();
        let mut wraps: Result<(), SplitError> = Ok(());
        let (mut kind, mut spec_version, mut has_id, mut more) = (None, None, false, false);
        let mut seen: [bool; 5] = [false; 5];
        let (first, mut at) = self.next(start + 1)?;
        if first == b'}' {
            let envelope = Objects { wrapper: Wrapper::Envelope, slices, spec_version: None, more };
            return Ok((envelope, at + 1));
        }
        loop {
            let (key_end, escaped) = scan::quoted(self.bytes, at).map_err(|fault| self.lift(fault))?;
            let key = self.string(at, key_end, escaped);
            let value = scan::colon(self.bytes, key_end).map_err(|fault| self.lift(fault))?;
            let known =
                ["type", "id", "objects", "more", "spec_version"].iter().position(|name| *name == key);
            if let Some(twice) = known.and_then(|known| seen.get_mut(known))
                && std::mem::replace(twice, true)
            {
                return Err(self.located(JsonFault::DuplicateKey, at + 1));
            }
            let end = match self.bytes.get(value) {
                Some(b'[') if key == "objects" => {
                    let (end, result) = self.objects(value, &mut slices)?;
                    wraps = result;
                    end
                }
                Some(_) | None => {
                    let end = self.value(value)?;
                    match &*key {
                        "type" => kind = self.scalar_text(value, end),
                        "spec_version" => spec_version = self.scalar_text(value, end),
                        "id" => has_id = true,
                        "more" => more = self.bytes.get(value..end) == Some(b"true"),
                        "objects" => wraps = Err(SplitError::ObjectsNotAList),
                        _ => {}
                    }
                    end
                }
            };
            let (byte, behind) = self.next(end)?;
            match byte {
                b',' => at = scan::skip_space(self.bytes, behind + 1),
                b'}' => {
                    at = behind + 1;
                    break;
                }
                _ => return Err(self.located(JsonFault::UnexpectedCharacter, behind)),
            }
        }
        let wrapper = match kind.as_deref() {
            Some("bundle") => Wrapper::Bundle,
            None if !has_id => Wrapper::Envelope,
            Some(_) | None => Wrapper::Single,
        };
        if wrapper == Wrapper::Single {
            slices.clear();
            self.keep(start, at, &mut slices)?;
        } else {
            wraps?;
        }
        Ok((Objects { wrapper, slices, spec_version, more }, at))
    }

    /// Reads `objects`. Its JSON must be well formed whatever it belongs to; that its elements
    /// are objects only matters if it turns out to be a wrapper's.
    fn objects(
        &self,
        at: usize,
        slices: &mut Vec<&'a [u8]>,
    ) -> Result<(usize, Result<(), SplitError>), SplitError> {
        match self.list(at, self.limits.nesting_max.saturating_sub(1), slices) {
            Ok(end) => Ok((end, Ok(()))),
            Err(error @ SplitError::Json(_)) => Err(error),
            Err(error) => self.value(at).map(|end| (end, Err(error))),
        }
    }

    fn list(
        &self,
        start: usize,
        nesting_max: usize,
        slices: &mut Vec<&'a [u8]>,
    ) -> Result<usize, SplitError> {
        let (first, mut at) = self.next(start + 1)?;
        if nesting_max == 0 {
            return Err(self.located(JsonFault::TooDeep, start));
        }
        if first == b']' {
            return Ok(at + 1);
        }
        loop {
            // The nesting of an object counts from itself, so that a limit means the same in
            // every wrapper.
            let end = self.value(at)?;
            self.keep(at, end, slices)?;
            let (byte, behind) = self.next(end)?;
            match byte {
                b',' => at = scan::skip_space(self.bytes, behind + 1),
                b']' => return Ok(behind + 1),
                _ => return Err(self.located(JsonFault::UnexpectedCharacter, behind)),
            }
        }
    }

    fn keep(&self, start: usize, end: usize, slices: &mut Vec<&'a [u8]>) -> Result<(), SplitError> {
        let (index, size) = (slices.len(), end - start);
        if self.bytes.get(start) != Some(&b'{') {
            return Err(SplitError::NotAnObject { index });
        }
        if size > self.limits.object_size_max_bytes {
            return Err(SplitError::ObjectTooLarge { index, size, max: self.limits.object_size_max_bytes });
        }
        if index >= self.limits.object_count_max {
            return Err(SplitError::TooManyObjects { max: self.limits.object_count_max });
        }
        slices.push(&self.bytes[start..end]);
        Ok(())
    }

    fn scalar_text(&self, start: usize, end: usize) -> Option<Cow<'a, str>> {
        let raw = self.bytes.get(start..end)?;
        raw.starts_with(b"\"").then(|| self.string(start, end, raw.contains(&b'\\')))
    }

    /// The text between two quotes that were already read.
    fn string(&self, start: usize, end: usize, escaped: bool) -> Cow<'a, str> {
        let text = std::str::from_utf8(&self.bytes[start + 1..end - 1]).unwrap_or_default();
        if escaped { Cow::Owned(scan::unescape(text)) } else { Cow::Borrowed(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &str) -> Result<(Wrapper, Vec<String>), SplitError> {
        let objects = split(text.as_bytes(), &Limits::default())?;
        let texts = objects.iter().map(|object| String::from_utf8_lossy(object).into_owned()).collect();
        Ok((objects.wrapper(), texts))
    }

    #[test]
    fn each_wrapper_gives_the_exact_bytes_of_its_objects() {
        let one = "{ \"id\":\t\"x\",\"n\":1.0 }";
        let two = r#"{"type":"a","objects":[1,2],"k":{"objects":[]}}"#;
        let cases = [
            (format!(r#"{{"more":true,"objects":[ {one} , {two}]}}"#), Wrapper::Envelope, vec![one, two]),
            (format!(r#" {{"objects":[{two}],"id":"b","type":"bundle"}} "#), Wrapper::Bundle, vec![two]),
            (format!("\u{feff}[{one},\n{two}\n]"), Wrapper::List, vec![one, two]),
            (format!("\n{one}\n"), Wrapper::Single, vec![one]),
            (two.to_owned(), Wrapper::Single, vec![two]),
            ("{}".to_owned(), Wrapper::Envelope, vec![]),
            (r#"{"type":"bundle","id":"b"}"#.to_owned(), Wrapper::Bundle, vec![]),
            (r#"{"\u006fbjects":[{}]}"#.to_owned(), Wrapper::Envelope, vec!["{}"]),
            ("[]".to_owned(), Wrapper::List, vec![]),
        ];
        for (text, wrapper, want) in cases {
            let (got, objects) = cut(&text).expect("well formed");
            assert_eq!(got, wrapper, "{text}");
            assert_eq!(objects, want, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_list_of_objects_is_refused() {
        let fault = |text: &str| match cut(text) {
            Err(SplitError::Json(error)) => Some((error.fault, error.offset)),
            Ok(_) | Err(_) => None,
        };
        assert_eq!(fault(""), Some((JsonFault::UnexpectedEnd, 0)));
        assert_eq!(fault("[{}"), Some((JsonFault::UnexpectedEnd, 3)));
        assert_eq!(fault("[{} {}]"), Some((JsonFault::UnexpectedCharacter, 4)));
        assert_eq!(fault("{} x"), Some((JsonFault::TrailingText, 3)));
        assert_eq!(fault(r#"{"objects":[],"objects":[]}"#), Some((JsonFault::DuplicateKey, 15)));
        assert_eq!(cut("[{},1]"), Err(SplitError::NotAnObject { index: 1 }));
        assert_eq!(cut("true"), Err(SplitError::NotAnObject { index: 0 }));
        assert_eq!(cut(r#"{"objects":{}}"#), Err(SplitError::ObjectsNotAList));
        assert!(matches!(
            split(b"[{\"a\":\"\xff\"}]", &Limits::default()),
            Err(SplitError::Json(JsonError { fault: JsonFault::NotUtf8, offset: 7, .. }))
        ));
    }

    #[test]
    fn limits_hold_on_both_sides() {
        let limits = Limits { nesting_max: 3, object_size_max_bytes: 7, object_count_max: 2 };
        let cut = |text: &str| split(text.as_bytes(), &limits).map(|objects| objects.len());
        assert_eq!(cut("[{},{}]"), Ok(2));
        assert_eq!(cut("[{},{},{}]"), Err(SplitError::TooManyObjects { max: 2 }));
        assert_eq!(cut("[{\"a\":1}]"), Ok(1));
        assert_eq!(cut("[{\"a\":12}]"), Err(SplitError::ObjectTooLarge { index: 0, size: 8, max: 7 }));
        assert!(matches!(cut(r#"[{"":[[[]]]}]"#), Err(SplitError::Json(e)) if e.fault == JsonFault::TooDeep));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = split(&bytes, &Limits::default());
        }

        #[test]
        fn any_wrapper_like_text_is_parsed_or_refused(
            text in r#"(\{|\[|\}|\]|,|:|"objects"|"type"|"bundle"|"id"|"more"|true|1| ){0,24}"#,
        ) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            let ours = split(text.as_bytes(), &Limits::default());
            prop_assert!(theirs || ours.is_err(), "{}", text);
        }
    }
}
