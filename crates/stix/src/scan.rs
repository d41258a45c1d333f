//! The JSON grammar (RFC 8259), walked once over bytes and told to a [`Sink`].
//!
//! Everything in this crate that reads JSON reads it through [`walk`], so there is one opinion on
//! what is well formed: `split` walks with a sink that keeps nothing, [`Document`](crate::Document)
//! with one that keeps a tape. The walk holds its own stack, one byte a level, and refuses what is
//! nested deeper than the caller allows: no input can exhaust the thread's stack.
//!
//! Beyond the grammar one rule of I-JSON (RFC 7493 §2.1) is kept: an escape that is half of a
//! surrogate pair is refused, because no string of Unicode holds it.

use smallvec::SmallVec;
use thiserror::Error;

/// No limit that a caller names can exceed this depth: walkers of the finished tape recurse.
pub(crate) const NESTING_CEILING: usize = 512;

/// Why bytes are not the JSON that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JsonFault {
    /// The bytes are not UTF-8.
    #[error("not valid UTF-8")]
    NotUtf8,
    /// The bytes end inside a value.
    #[error("unexpected end of input")]
    UnexpectedEnd,
    /// A byte that the grammar does not allow here.
    #[error("unexpected character")]
    UnexpectedCharacter,
    /// Something other than `null`, `true` or `false` in letters.
    #[error("unknown literal")]
    BadLiteral,
    /// A number that RFC 8259 §6 does not allow.
    #[error("malformed number")]
    BadNumber,
    /// An escape that RFC 8259 §7 does not allow.
    #[error("malformed escape in a string")]
    BadEscape,
    /// An escaped half of a surrogate pair.
    #[error("escaped surrogate without its other half")]
    LoneSurrogate,
    /// An unescaped control character in a string.
    #[error("unescaped control character in a string")]
    ControlCharacter,
    /// Deeper nesting than the limit allows.
    #[error("nested too deeply")]
    TooDeep,
    /// More than one value.
    #[error("unexpected text after the value")]
    TrailingText,
    /// The same key twice in one object.
    #[error("duplicate key in an object")]
    DuplicateKey,
    /// More bytes than can be addressed (4 GiB).
    #[error("too large")]
    TooLarge,
}

/// A fault and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{fault} at line {line}, column {column} (byte {offset})")]
pub struct JsonError {
    /// What is wrong.
    pub fault: JsonFault,
    /// Bytes before the fault, from the start of what was handed in.
    pub offset: usize,
    /// Line of the fault, from 1.
    pub line: usize,
    /// Column of the fault in bytes, from 1.
    pub column: usize,
}

/// A fault that has not been located yet: counting lines is left to the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) fault: JsonFault,
    pub(crate) at: usize,
}

impl Fault {
    pub(crate) fn new(fault: JsonFault, at: usize) -> Self {
        Self { fault, at }
    }

    /// Counts lines and columns up to the fault.
    pub(crate) fn locate(self, bytes: &[u8]) -> JsonError {
        let before = &bytes[..self.at.min(bytes.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        JsonError { fault: self.fault, offset: self.at, line, column: before.len() - line_start + 1 }
    }
}

/// What a value is, as far as the grammar tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true`.
    True,
    /// `false`.
    False,
    /// A number without fraction or exponent.
    Integer,
    /// Any other number.
    Float,
    /// A string without escapes.
    String,
    /// A string with escapes.
    EscapedString,
    /// `[...]`.
    Array,
    /// `{...}`.
    Object,
}

/// What hears the walk.
pub(crate) trait Sink {
    /// A container opens at `start`.
    fn open(&mut self, kind: Kind, start: usize);
    /// The innermost container closed; `end` is behind its bracket.
    fn close(&mut self, end: usize) -> Result<(), Fault>;
    /// A key of the innermost object, without its quotes.
    fn key(&mut self, start: usize, end: usize, escaped: bool) -> Result<(), Fault>;
    /// A scalar; strings with their quotes.
    fn scalar(&mut self, kind: Kind, start: usize, end: usize);
}

/// Hears nothing: for walks that only look for a value's end.
pub(crate) struct Deaf;

impl Sink for Deaf {
    fn open(&mut self, _: Kind, _: usize) {}
    fn close(&mut self, _: usize) -> Result<(), Fault> {
        Ok(())
    }
    fn key(&mut self, _: usize, _: usize, _: bool) -> Result<(), Fault> {
        Ok(())
    }
    fn scalar(&mut self, _: Kind, _: usize, _: usize) {}
}

/// Walks one value that starts at `start` and gives the position behind it.
pub(crate) fn walk<S: Sink>(
    bytes: &[u8],
    start: usize,
    nesting_max: usize,
    sink: &mut S,
) -> Result<usize, Fault> {
    let nesting_max = nesting_max.min(NESTING_CEILING);
    let mut open: SmallVec<[u8; 64]> = SmallVec::new();
    let mut at = start;
    loop {
        at = match byte(bytes, at)? {
            b'"' => {
                let (end, escaped) = string(bytes, at)?;
                sink.scalar(if escaped { Kind::EscapedString } else { Kind::String }, at, end);
                end
            }
            bracket @ (b'{' | b'[') => {
                if open.len() >= nesting_max {
                    return Err(Fault::new(JsonFault::TooDeep, at));
                }
                sink.open(if bracket == b'{' { Kind::Object } else { Kind::Array }, at);
                let inside = skip_space(bytes, at + 1);
                // `{` and `[` are two code points before `}` and `]`.
                if byte(bytes, inside)? == bracket + 2 {
                    sink.close(inside + 1)?;
                    inside + 1
                } else {
                    open.push(bracket);
                    at = if bracket == b'{' { key(bytes, inside, sink)? } else { inside };
                    continue;
                }
            }
            b't' => literal(bytes, at, b"true", Kind::True, sink)?,
            b'f' => literal(bytes, at, b"false", Kind::False, sink)?,
            b'n' => literal(bytes, at, b"null", Kind::Null, sink)?,
            b'-' | b'0'..=b'9' => {
                let (end, kind) = number(bytes, at)?;
                sink.scalar(kind, at, end);
                end
            }
            _ => return Err(Fault::new(JsonFault::UnexpectedCharacter, at)),
        };
        // A value ended: close what closes, until a comma asks for the next one.
        loop {
            let Some(bracket) = open.last().copied() else { return Ok(at) };
            at = skip_space(bytes, at);
            let next = byte(bytes, at)?;
            if next == b',' {
                at = skip_space(bytes, at + 1);
                if bracket == b'{' {
                    at = key(bytes, at, sink)?;
                }
                break;
            }
            if next != bracket + 2 {
                return Err(Fault::new(JsonFault::UnexpectedCharacter, at));
            }
            open.pop();
            at += 1;
            sink.close(at)?;
        }
    }
}

/// Reads `"key" :` and gives the position of the value behind it.
fn key<S: Sink>(bytes: &[u8], at: usize, sink: &mut S) -> Result<usize, Fault> {
    let (end, escaped) = quoted(bytes, at)?;
    sink.key(at + 1, end - 1, escaped)?;
    colon(bytes, end)
}

/// Reads a string where nothing else may stand.
pub(crate) fn quoted(bytes: &[u8], at: usize) -> Result<(usize, bool), Fault> {
    if byte(bytes, at)? != b'"' {
        return Err(Fault::new(JsonFault::UnexpectedCharacter, at));
    }
    string(bytes, at)
}

/// Skips a colon and the space around it.
pub(crate) fn colon(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    let at = skip_space(bytes, at);
    if byte(bytes, at)? != b':' {
        return Err(Fault::new(JsonFault::UnexpectedCharacter, at));
    }
    Ok(skip_space(bytes, at + 1))
}

/// The byte at a position, or the fault that there is none.
#[inline]
pub(crate) fn byte(bytes: &[u8], at: usize) -> Result<u8, Fault> {
    bytes.get(at).copied().ok_or(Fault { fault: JsonFault::UnexpectedEnd, at })
}

/// Skips the four space characters of RFC 8259 §2.
#[inline]
pub(crate) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks the high bit of each byte that is a quote, a backslash or a control character. Marks above
/// the lowest one may be wrong (a borrow runs upwards), the lowest never is.
#[inline]
fn special(word: u64) -> u64 {
    let quote = word ^ (ONES * 0x22);
    let backslash = word ^ (ONES * 0x5c);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    ((quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash) | control) & HIGH
}

/// Reads a string from its opening quote; gives the position behind the closing one.
#[inline]
fn string(bytes: &[u8], start: usize) -> Result<(usize, bool), Fault> {
    let mut at = start + 1;
    let mut escaped = false;
    loop {
        while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let marks = special(u64::from_le_bytes(*chunk));
            if marks != 0 {
                at += marks.trailing_zeros() as usize / 8;
                break;
            }
            at += 8;
        }
        match byte(bytes, at)? {
            b'"' => return Ok((at + 1, escaped)),
            b'\\' => {
                at = escape(bytes, at)?;
                escaped = true;
            }
            0x00..=0x1f => return Err(Fault::new(JsonFault::ControlCharacter, at)),
            _ => at += 1,
        }
    }
}

/// Checks one escape (a pair of them for a surrogate pair) and gives the position behind it.
fn escape(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    match byte(bytes, at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
        b'u' => match hex4(bytes, at + 2)? {
            0xd800..=0xdbff => {
                let lone = Fault::new(JsonFault::LoneSurrogate, at);
                if bytes.get(at + 6..at + 8) != Some(b"\\u") {
                    return Err(lone);
                }
                match hex4(bytes, at + 8)? {
                    0xdc00..=0xdfff => Ok(at + 12),
                    _ => Err(lone),
                }
            }
            0xdc00..=0xdfff => Err(Fault::new(JsonFault::LoneSurrogate, at)),
            _ => Ok(at + 6),
        },
        _ => Err(Fault::new(JsonFault::BadEscape, at)),
    }
}

fn hex4(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    let mut value = 0;
    for offset in at..at + 4 {
        let digit = (byte(bytes, offset)? as char).to_digit(16);
        value = value * 16 + digit.ok_or(Fault { fault: JsonFault::BadEscape, at: offset })?;
    }
    Ok(value)
}

/// The text of a string whose escapes were checked by [`walk`].
pub(crate) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = text[at..].find('\\') {
        out.push_str(&text[at..at + found]);
        at += found;
        let mut length = 2;
        out.push(match bytes.get(at + 1) {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let high = hex4(bytes, at + 2).unwrap_or(0xfffd);
                length = 6;
                let code = if (0xd800..0xdc00).contains(&high) {
                    length = 12;
                    let low = hex4(bytes, at + 8).unwrap_or(0xdc00);
                    0x1_0000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff)
                } else {
                    high
                };
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            Some(plain) => char::from(*plain),
            None => char::REPLACEMENT_CHARACTER,
        });
        at = (at + length).min(text.len());
    }
    out.push_str(&text[at..]);
    out
}

fn literal<S: Sink>(bytes: &[u8], at: usize, word: &[u8], kind: Kind, sink: &mut S) -> Result<usize, Fault> {
    let end = at + word.len();
    if bytes.get(at..end) != Some(word) {
        return Err(Fault::new(JsonFault::BadLiteral, at));
    }
    sink.scalar(kind, at, end);
    Ok(end)
}

/// RFC 8259 §6: no leading zeros, digits on both sides of the point.
fn number(bytes: &[u8], start: usize) -> Result<(usize, Kind), Fault> {
    let bad = |at| Fault::new(JsonFault::BadNumber, at);
    let digits = |mut at: usize| {
        let from = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if at == from { Err(bad(at)) } else { Ok(at) }
    };
    let mut kind = Kind::Integer;
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        kind = Kind::Float;
        at = digits(at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        kind = Kind::Float;
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = digits(at + 1 + sign)?;
    }
    if bytes.get(at).is_some_and(u8::is_ascii_digit) {
        return Err(bad(at));
    }
    Ok((at, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(text: &[u8], nesting_max: usize) -> Result<(), JsonFault> {
        if std::str::from_utf8(text).is_err() {
            return Err(JsonFault::NotUtf8);
        }
        let start = skip_space(text, 0);
        let end = walk(text, start, nesting_max, &mut Deaf).map_err(|fault| fault.fault)?;
        if skip_space(text, end) == text.len() { Ok(()) } else { Err(JsonFault::TrailingText) }
    }

    #[test]
    fn the_grammar_is_rfc_8259() {
        use JsonFault::*;
        let cases: &[(&str, Result<(), JsonFault>)] = &[
            (r#"{"a":[1,2.5e-3,true,false,null,"x"],"b":{}}"#, Ok(())),
            (" [ ] ", Ok(())),
            ("-0.0E+1", Ok(())),
            ("01", Err(BadNumber)),
            ("1.", Err(BadNumber)),
            (".5", Err(UnexpectedCharacter)),
            ("-", Err(BadNumber)),
            ("1e", Err(BadNumber)),
            ("[1,]", Err(UnexpectedCharacter)),
            ("{\"a\":1,}", Err(UnexpectedCharacter)),
            ("{\"a\" 1}", Err(UnexpectedCharacter)),
            ("{a:1}", Err(UnexpectedCharacter)),
            ("[1}", Err(UnexpectedCharacter)),
            ("{\"a\":1]", Err(UnexpectedCharacter)),
            ("tru", Err(BadLiteral)),
            ("NaN", Err(UnexpectedCharacter)),
            ("\"\\u12G4\"", Err(BadEscape)),
            ("\"\\x\"", Err(BadEscape)),
            ("\"\\ud800\"", Err(LoneSurrogate)),
            ("\"\\ud83d\\ude00\"", Ok(())),
            ("\"\\udc00\"", Err(LoneSurrogate)),
            ("\"a\nb\"", Err(ControlCharacter)),
            ("\"long enough for a word, then\u{1}\"", Err(ControlCharacter)),
            ("\"open", Err(UnexpectedEnd)),
            ("", Err(UnexpectedEnd)),
            ("[", Err(UnexpectedEnd)),
            ("1 2", Err(TrailingText)),
        ];
        for (text, want) in cases {
            assert_eq!(whole(text.as_bytes(), 100), *want, "{text}");
        }
    }

    #[test]
    fn nesting_is_refused_one_level_above_its_limit() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(whole(nested(100).as_bytes(), 100), Ok(()));
        assert_eq!(whole(nested(101).as_bytes(), 100), Err(JsonFault::TooDeep));
        let ceiling = NESTING_CEILING;
        assert_eq!(whole(nested(ceiling + 1).as_bytes(), usize::MAX), Err(JsonFault::TooDeep));
        assert_eq!(whole("[".repeat(1_000_000).as_bytes(), 100), Err(JsonFault::TooDeep));
    }

    #[test]
    fn a_fault_is_located_by_line_and_column() {
        let text = b"{\n  \"a\": 1,\n  \"b\": x\n}";
        let error = walk(text, 0, 100, &mut Deaf).expect_err("`x` is no value").locate(text);
        assert_eq!((error.offset, error.line, error.column), (19, 3, 8));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = whole(&bytes, 100);
        }

        #[test]
        fn json_like_text_is_judged_as_serde_json_judges_it(
            text in r#"[\[\]{}",:0-9eE.\-+truefalsn \\u"ab\n]{0,24}"#,
        ) {
            // serde_json refuses numbers beyond f64; none fits into 24 characters but by exponent.
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let overflow = theirs.as_ref().err().is_some_and(|error| error.to_string().contains("out of range"));
            prop_assume!(!overflow);
            prop_assert_eq!(whole(text.as_bytes(), 100).is_ok(), theirs.is_ok(), "{}", text);
        }

        #[test]
        fn unescaping_reads_what_serde_json_reads(text in any::<String>()) {
            let quoted = serde_json::to_string(&text).expect("a string is always written");
            let escapes: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(unescape(&quoted[1..quoted.len() - 1]), text.clone());
            prop_assert_eq!(unescape(&escapes.concat()), text);
        }
    }
}
