//! One JSON object as a flat tape over its own bytes.
//!
//! A [`Document`] is read in one pass. It holds no strings and no maps: one small entry a value, in
//! the order of the text, each with the span of its bytes and with the index behind its subtree. So
//! `{"a":[1,2],"b":3}` has five entries: the object, the array (behind whose subtree stands `b`'s
//! value), `1`, `2`, `3`. A [`Value`] is a position on the tape; text is borrowed from the bytes
//! unless JSON escapes force a copy.
//!
//! A key that occurs twice in one object is refused wherever it stands, however it is escaped:
//! parsers differ on which one counts, and an exchange must not release what it did not judge.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::limits::Limits;
use crate::scan::{self, Fault, JsonError, JsonFault, Kind, Sink};

/// A text that is borrowed unless JSON escapes forced a copy.
pub type Text<'a> = Cow<'a, str>;

/// Above so many keys an object's keys are sorted to find duplicates; below, compared.
const COMPARED_KEYS_MAX: u32 = 64;

/// A parsed JSON value over borrowed bytes.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    text: &'a str,
    nodes: Vec<Node>,
}

/// One value of the tape.
#[derive(Clone, Copy, Debug)]
struct Node {
    start: u32,
    end: u32,
    key_start: u32,
    key_end: u32,
    /// Index of the first node behind this one's subtree.
    next: u32,
    kind: Kind,
    key_escaped: bool,
}

impl<'a> Document<'a> {
    /// Parses exactly one JSON value, with space around it allowed.
    ///
    /// # Errors
    ///
    /// Fails for what is not JSON, for a duplicate key, and beyond the limits.
    pub fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Self, JsonError> {
        Self::parse_unlocated(bytes, limits).map_err(|fault| fault.locate(bytes))
    }

    fn parse_unlocated(bytes: &'a [u8], limits: &Limits) -> Result<Self, Fault> {
        if bytes.len() > limits.object_size_max_bytes || u32::try_from(bytes.len()).is_err() {
            return Err(Fault::new(JsonFault::TooLarge, 0));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Fault::new(JsonFault::NotUtf8, error.valid_up_to()))?;
        let nodes = Vec::with_capacity(bytes.len() / 32 + 16);
        let mut tape = Tape { text, nodes, open: SmallVec::new(), key: (0, 0, false) };
        let start = scan::skip_space(bytes, 0);
        let end = scan::walk(bytes, start, limits.nesting_max, &mut tape)?;
        let rest = scan::skip_space(bytes, end);
        if rest != bytes.len() {
            return Err(Fault::new(JsonFault::TrailingText, rest));
        }
        Ok(Self { text, nodes: tape.nodes })
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Value<'_, 'a> {
        Value { document: self, index: 0 }
    }
}

/// A position on the tape of a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct Value<'d, 'a> {
    document: &'d Document<'a>,
    index: u32,
}

impl<'d, 'a> Value<'d, 'a> {
    fn node(&self) -> &'d Node {
        // INVARIANT: an index is 0, or the successor of a node inside a container; `walk` ends
        // only with a complete value on the tape.
        &self.document.nodes[self.index as usize]
    }

    /// What the value is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.node().kind
    }

    /// The value's bytes as received.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        let node = self.node();
        &self.document.text[node.start as usize..node.end as usize]
    }

    /// Where the value's bytes stand in the document.
    #[must_use]
    pub fn span(&self) -> std::ops::Range<usize> {
        let node = self.node();
        node.start as usize..node.end as usize
    }

    /// The text of a string.
    #[must_use]
    pub fn text(&self) -> Option<Text<'a>> {
        let raw = self.raw();
        match self.kind() {
            Kind::String => Some(Cow::Borrowed(&raw[1..raw.len() - 1])),
            Kind::EscapedString => Some(Cow::Owned(scan::unescape(&raw[1..raw.len() - 1]))),
            Kind::Null
            | Kind::True
            | Kind::False
            | Kind::Integer
            | Kind::Float
            | Kind::Array
            | Kind::Object => None,
        }
    }

    /// The members of an object, in the order of the text; none for anything else.
    pub fn members(&self) -> impl Iterator<Item = (Text<'a>, Value<'d, 'a>)> + use<'d, 'a> {
        let document = self.document;
        let range = self.children(Kind::Object);
        range.map(move |value| {
            let node = value.node();
            let key = &document.text[node.key_start as usize..node.key_end as usize];
            (if node.key_escaped { Cow::Owned(scan::unescape(key)) } else { Cow::Borrowed(key) }, value)
        })
    }

    /// The elements of an array, in order; none for anything else.
    pub fn elements(&self) -> impl Iterator<Item = Value<'d, 'a>> + use<'d, 'a> {
        self.children(Kind::Array)
    }

    /// The member of an object under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value<'d, 'a>> {
        self.members().find_map(|(name, value)| (name == key).then_some(value))
    }

    /// How many values there are in it, itself included.
    pub(crate) fn size(&self) -> usize {
        (self.node().next - self.index) as usize
    }

    fn children(&self, kind: Kind) -> Children<'d, 'a> {
        let node = self.node();
        let end = if node.kind == kind { node.next } else { self.index + 1 };
        Children { document: self.document, next: self.index + 1, end }
    }
}

struct Children<'d, 'a> {
    document: &'d Document<'a>,
    next: u32,
    end: u32,
}

impl<'d, 'a> Iterator for Children<'d, 'a> {
    type Item = Value<'d, 'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let value = Value { document: self.document, index: self.next };
        self.next = value.node().next;
        Some(value)
    }
}

/// The sink that writes the tape.
struct Tape<'a> {
    text: &'a str,
    nodes: Vec<Node>,
    open: SmallVec<[Open; 16]>,
    key: (u32, u32, bool),
}

/// A container that is still open.
#[derive(Clone, Copy)]
struct Open {
    index: u32,
    keys: u32,
    /// One bit a key seen, by a hash: a clear bit proves that a key is new.
    seen: u64,
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "positions and counts are below the text's length, which `parse` holds below 2^32"
)]
impl Tape<'_> {
    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        let (key_start, key_end, key_escaped) = std::mem::take(&mut self.key);
        let next = self.nodes.len() as u32 + 1;
        self.nodes.push(Node {
            start: start as u32,
            end: end as u32,
            key_start,
            key_end,
            next,
            kind,
            key_escaped,
        });
    }

    fn name(&self, start: u32, end: u32, escaped: bool) -> Text<'_> {
        let key = &self.text[start as usize..end as usize];
        if escaped { Cow::Owned(scan::unescape(key)) } else { Cow::Borrowed(key) }
    }

    /// Whether an open object holds this key already, looked up among its direct members.
    fn holds(&self, object: u32, name: &str) -> bool {
        let mut index = object as usize + 1;
        while let Some(node) = self.nodes.get(index) {
            if self.name(node.key_start, node.key_end, node.key_escaped) == name {
                return true;
            }
            index = node.next as usize;
        }
        false
    }

    /// The second one of two equal keys of a closed object, if there are such.
    fn duplicate(&self, object: u32) -> Option<usize> {
        let mut keys = Vec::new();
        let mut index = object as usize + 1;
        while let Some(node) = self.nodes.get(index) {
            keys.push((self.name(node.key_start, node.key_end, node.key_escaped), node.key_start));
            index = node.next as usize;
        }
        keys.sort_unstable();
        keys.windows(2).find_map(|pair| match pair {
            [first, second] if first.0 == second.0 => Some(second.1 as usize),
            _ => None,
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "positions and counts are below the text's length, which `parse` holds below 2^32"
)]
impl Sink for Tape<'_> {
    fn open(&mut self, kind: Kind, start: usize) {
        let index = self.nodes.len() as u32;
        self.push(kind, start, start);
        self.open.push(Open { index, keys: 0, seen: 0 });
    }

    fn close(&mut self, end: usize) -> Result<(), Fault> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        if open.keys > COMPARED_KEYS_MAX
            && let Some(at) = self.duplicate(open.index)
        {
            return Err(Fault::new(JsonFault::DuplicateKey, at));
        }
        let next = self.nodes.len() as u32;
        let node = &mut self.nodes[open.index as usize];
        node.end = end as u32;
        node.next = next;
        Ok(())
    }

    #[inline]
    fn key(&mut self, start: usize, end: usize, escaped: bool) -> Result<(), Fault> {
        self.key = (start as u32, end as u32, escaped);
        let Some(mut open) = self.open.last().copied() else { return Ok(()) };
        open.keys += 1;
        if open.keys <= COMPARED_KEYS_MAX {
            let name = self.name(start as u32, end as u32, escaped);
            let bit = 1_u64 << (hash(name.as_bytes()) & 63);
            if open.seen & bit != 0 && self.holds(open.index, &name) {
                return Err(Fault::new(JsonFault::DuplicateKey, start));
            }
            open.seen |= bit;
        }
        if let Some(last) = self.open.last_mut() {
            *last = open;
        }
        Ok(())
    }

    #[inline]
    fn scalar(&mut self, kind: Kind, start: usize, end: usize) {
        self.push(kind, start, end);
    }
}

/// Spreads the keys of one object over 64 bits; equal keys must agree, unequal ones may.
#[inline]
fn hash(key: &[u8]) -> u64 {
    let word = |chunk: Option<&[u8; 8]>| chunk.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let (head, tail) = if key.len() >= 8 {
        (word(key.first_chunk()), word(key.last_chunk()))
    } else {
        (key.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)), 0)
    };
    (head ^ tail.rotate_left(23) ^ key.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Document<'_>, JsonFault> {
        Document::parse(text.as_bytes(), &Limits::default()).map_err(|error| error.fault)
    }

    #[test]
    fn values_are_reached_by_key_and_order() {
        let text = r#"{"a":[1,{"b":"x\ny"}],"c\u0064":null}"#;
        let document = parse(text).expect("well formed");
        let root = document.root();
        let keys: Vec<_> = root.members().map(|(key, _)| key).collect();
        assert_eq!(keys, ["a", "cd"]);
        let list: Vec<_> = root.get("a").expect("a").elements().map(|value| value.raw()).collect();
        assert_eq!(list, ["1", r#"{"b":"x\ny"}"#]);
        let inner = root.get("a").and_then(|a| a.elements().nth(1)).and_then(|o| o.get("b"));
        assert_eq!(inner.and_then(|b| b.text()).as_deref(), Some("x\ny"));
        assert_eq!(root.get("cd").map(|value| value.kind()), Some(Kind::Null));
        assert!(root.get("b").is_none(), "a nested key is not a member of the root");
    }

    #[test]
    fn a_duplicate_key_is_refused_at_any_depth_in_any_spelling() {
        let many = |last: &str| {
            let keys: Vec<_> = (0..100).map(|n| format!("\"key{n}\":{n}")).collect();
            format!("{{{},\"{last}\":0}}", keys.join(","))
        };
        let cases = [
            (r#"{"a":1,"b":2}"#.to_owned(), true),
            (r#"{"a":1,"a":2}"#.to_owned(), false),
            (r#"{"id":1,"\u0069d":2}"#.to_owned(), false),
            (r#"{"a":{"a":1},"b":[{"c":1},{"c":1}]}"#.to_owned(), true),
            (r#"{"a":[[{"x":{"c":1,"d":1,"c":1}}]]}"#.to_owned(), false),
            (many("key100"), true),
            (many("key7"), false),
            (many("\\u006bey99"), false),
        ];
        for (text, unique) in cases {
            let want = if unique { Ok(()) } else { Err(JsonFault::DuplicateKey) };
            assert_eq!(parse(&text).map(|_| ()), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Document::parse(&bytes, &Limits::default());
        }

        #[test]
        fn unique_keys_are_never_taken_for_duplicates(
            keys in proptest::collection::btree_set("[a-c_]{1,12}", 0..90),
        ) {
            let members: Vec<_> = keys.iter().map(|key| format!("\"{key}\":0")).collect();
            let text = format!("{{{}}}", members.join(","));
            let document = parse(&text).expect("all keys differ");
            prop_assert_eq!(document.root().members().count(), keys.len());
        }
    }
}
