//! JSON values one after the other, out of a file of any size.
//!
//! Registers publish JSON in four shapes, and the same register in several of them: one value on each line, one array
//! of values, values simply following each other, and an array inside a wrapper (`{"records": [..]}`). [`Elements`]
//! tells which it is by the first bytes, and cuts out one value at a time without understanding it: only quotes and
//! brackets count. So a value that is broken inside is handed out as it is, and the next one starts where it should:
//!
//! ```text
//! [ {"a": 1}, {"a": nope}, {"a": [2}, {"a": 3} ]      four elements; the second and the third do not parse
//! ```

use std::io::{self, BufRead, Chain, Cursor, ErrorKind, Read as _};

use serde::de::{DeserializeOwned, IgnoredAny};

use super::{RECORD_BYTES_MAX, Reading, Reason};

/// The longest key of a wrapper that is compared.
const KEY_BYTES_MAX: usize = 256;

/// One value.
pub(crate) struct Element<'e> {
    /// Which one, from 1.
    pub(crate) number: u64,
    /// On which line it starts, from 1.
    pub(crate) line: u64,
    /// The value; cut off if it is `too_long`.
    pub(crate) bytes: &'e [u8],
    /// Whether it is longer than [`RECORD_BYTES_MAX`].
    pub(crate) too_long: bool,
    /// Whether the file ended inside it.
    pub(crate) unfinished: bool,
}

/// The shape of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A value on each line.
    Lines,
    /// Values, or arrays of values.
    Values,
}

/// Where in a file of [`Shape::Values`] we are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Top,
    /// Within a wrapper, between its keys.
    Wrapper,
    /// Within the array.
    Array,
}

/// The values of a file.
pub(crate) struct Elements<R: BufRead> {
    reader: PutBack<PutBack<R>>,
    shape: Shape,
    level: Level,
    wrapped: bool,
    within: &'static [&'static str],
    value: Vec<u8>,
    number: u64,
    line: u64,
}

impl<R: BufRead> Elements<R> {
    /// Begins. A top-level object that has one of the keys `within` is a wrapper: its elements are those of the array
    /// under that key. With no such keys, an object is an element.
    pub(crate) fn new(reader: R, within: &'static [&'static str]) -> io::Result<Self> {
        let mut reader = without_mark(reader)?;
        let mut head = Vec::new();
        let shape = shape(&mut reader, &mut head, within)?;
        let reader = Cursor::new(head).chain(reader);
        Ok(Self {
            reader,
            shape,
            level: Level::Top,
            wrapped: false,
            within,
            value: Vec::new(),
            number: 0,
            line: 1,
        })
    }

    /// The next value; `None` at the end of the file.
    pub(crate) fn next(&mut self) -> io::Result<Option<Element<'_>>> {
        self.value.clear();
        match self.shape {
            Shape::Lines => self.next_line(),
            Shape::Values => self.next_value(),
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Element<'_>>> {
        loop {
            self.value.clear();
            let line = self.line;
            let end = take_line(&mut self.reader, &mut self.value)?;
            if end == LineEnd::Nothing {
                return Ok(None);
            }
            self.line += 1;
            let too_long = end == LineEnd::TooLong;
            if too_long || !self.value.trim_ascii().is_empty() {
                self.number += 1;
                let bytes = self.value.trim_ascii();
                return Ok(Some(Element { number: self.number, line, bytes, too_long, unfinished: false }));
            }
        }
    }

    fn next_value(&mut self) -> io::Result<Option<Element<'_>>> {
        loop {
            let Some(byte) = self.peek_sign()? else { return Ok(None) };
            match (self.level, byte) {
                (_, b',') | (Level::Top | Level::Wrapper, b']') | (Level::Top | Level::Array, b'}') => {
                    self.skip_byte();
                }
                (Level::Top, b'[') => {
                    self.skip_byte();
                    self.level = Level::Array;
                }
                (Level::Top, b'{') if !self.within.is_empty() => {
                    self.skip_byte();
                    (self.level, self.wrapped) = (Level::Wrapper, true);
                }
                (Level::Array, b']') => {
                    self.skip_byte();
                    self.level = if self.wrapped { Level::Wrapper } else { Level::Top };
                }
                (Level::Wrapper, b'}') => {
                    self.skip_byte();
                    (self.level, self.wrapped) = (Level::Top, false);
                }
                (Level::Wrapper, _) => self.wrapper_key()?,
                (Level::Top | Level::Array, _) => break,
            }
        }
        let line = self.line;
        let cut = self.cut(RECORD_BYTES_MAX)?;
        self.number += 1;
        let (too_long, unfinished) = (cut == Cut::TooLong, cut == Cut::Unfinished);
        Ok(Some(Element { number: self.number, line, bytes: &self.value, too_long, unfinished }))
    }

    /// Reads one key of a wrapper, and its value unless it is the array that is looked for.
    fn wrapper_key(&mut self) -> io::Result<()> {
        self.value.clear();
        self.cut(KEY_BYTES_MAX)?;
        let key: Option<String> = serde_json::from_slice(&self.value).ok();
        self.value.clear();
        if self.peek_sign()? != Some(b':') {
            return Ok(());
        }
        self.skip_byte();
        let wanted = key.is_some_and(|key| self.within.contains(&key.as_str()));
        match self.peek_sign()? {
            Some(b'[') if wanted => {
                self.skip_byte();
                self.level = Level::Array;
            }
            Some(b',' | b'}') | None => {}
            Some(_) => {
                self.cut(0)?;
                self.value.clear();
            }
        }
        Ok(())
    }

    /// The next byte that is no white space, still unread.
    fn peek_sign(&mut self) -> io::Result<Option<u8>> {
        loop {
            let buffer = fill(&mut self.reader)?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let blank = buffer.iter().take_while(|b| b.is_ascii_whitespace()).count();
            self.line += count_lines(&buffer[..blank]);
            let sign = buffer.get(blank).copied();
            self.reader.consume(blank);
            if sign.is_some() {
                return Ok(sign);
            }
        }
    }

    fn skip_byte(&mut self) {
        self.reader.consume(1);
    }

    /// Cuts out one value, of which it keeps at most `max` bytes.
    fn cut(&mut self, max: usize) -> io::Result<Cut> {
        let mut scan = Scan::default();
        let mut too_long = false;
        loop {
            let buffer = fill(&mut self.reader)?;
            if buffer.is_empty() {
                return Ok(Cut::Unfinished);
            }
            let mut end = None;
            for (at, byte) in buffer.iter().enumerate() {
                match scan.step(*byte) {
                    Step::More => {}
                    Step::Last => {
                        end = Some(at + 1);
                        break;
                    }
                    Step::Before => {
                        end = Some(at);
                        break;
                    }
                }
            }
            let taken = end.unwrap_or(buffer.len());
            too_long |= self.value.len() + taken > max;
            if !too_long {
                self.value.extend_from_slice(&buffer[..taken]);
            }
            self.line += count_lines(&buffer[..taken]);
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(if too_long { Cut::TooLong } else { Cut::Whole });
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Whole,
    TooLong,
    Unfinished,
}

/// Finds the end of a value by its quotes and brackets.
#[derive(Default)]
struct Scan {
    /// The brackets that are open, as the signs that close them.
    open: Vec<u8>,
    in_text: bool,
    escaped: bool,
    begun: bool,
}

enum Step {
    More,
    /// The byte ends the value.
    Last,
    /// The value ended before the byte.
    Before,
}

impl Scan {
    fn step(&mut self, byte: u8) -> Step {
        let first = !std::mem::replace(&mut self.begun, true);
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                // No JSON text has a raw line break: the quote was forgotten.
                b'"' | b'\n' => {
                    self.in_text = false;
                    if self.open.is_empty() {
                        return Step::Last;
                    }
                }
                _ => {}
            }
            return Step::More;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' if first || !self.open.is_empty() => self.open.push(b'}'),
            b'[' if first || !self.open.is_empty() => self.open.push(b']'),
            b'}' | b']' => {
                // A bracket that was forgotten is closed by the next one outside it.
                match self.open.iter().rposition(|close| *close == byte) {
                    Some(at) => self.open.truncate(at),
                    None if first => return Step::Last,
                    None => return Step::Before,
                }
                if self.open.is_empty() {
                    return Step::Last;
                }
            }
            b',' | b':' | b'{' | b'[' if self.open.is_empty() && !first => return Step::Before,
            _ if self.open.is_empty() && byte.is_ascii_whitespace() => return Step::Before,
            _ => {}
        }
        Step::More
    }
}

/// Tells the shape, and leaves in `head` what it had to read for that.
fn shape(reader: &mut impl BufRead, head: &mut Vec<u8>, within: &[&str]) -> io::Result<Shape> {
    loop {
        let buffer = fill(reader)?;
        let Some(first) = buffer.iter().find(|b| !b.is_ascii_whitespace()).copied() else {
            let length = buffer.len();
            if length == 0 {
                return Ok(Shape::Values);
            }
            // Only line breaks are kept: they count, and a file of blanks must not fill the memory.
            head.extend(
                buffer.iter().filter(|b| **b == b'\n').take(RECORD_BYTES_MAX.saturating_sub(head.len())),
            );
            reader.consume(length);
            continue;
        };
        if first == b'[' || !within.is_empty() {
            return Ok(Shape::Values);
        }
        let blank = head.len();
        if take_line(reader, head)? == LineEnd::TooLong {
            // What was kept of it will not parse, and be refused; the next line begins anew.
            head.push(b'\n');
            return Ok(Shape::Lines);
        }
        let leading = head[blank..].trim_ascii().is_empty();
        if leading {
            continue;
        }
        let is_value = serde_json::from_slice::<IgnoredAny>(head[blank..].trim_ascii()).is_ok();
        let next_begins = fill(reader)?.first() == Some(&b'{');
        return Ok(if is_value || next_begins { Shape::Lines } else { Shape::Values });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    /// The file was at its end.
    Nothing,
    /// A line, with its line break if it has one.
    Line,
    /// A line of which only a part was kept.
    TooLong,
}

/// Appends a line. Of one that is too long, only a part is kept.
fn take_line(reader: &mut impl BufRead, out: &mut Vec<u8>) -> io::Result<LineEnd> {
    let begin = out.len();
    let mut too_long = false;
    let mut any = false;
    loop {
        let buffer = fill(reader)?;
        if buffer.is_empty() {
            return Ok(match (any, too_long) {
                (false, _) => LineEnd::Nothing,
                (true, false) => LineEnd::Line,
                (true, true) => LineEnd::TooLong,
            });
        }
        any = true;
        let end = buffer.iter().position(|b| *b == b'\n').map(|at| at + 1);
        let taken = end.unwrap_or(buffer.len());
        too_long |= out.len() - begin + taken > RECORD_BYTES_MAX;
        if !too_long {
            out.extend_from_slice(&buffer[..taken]);
        }
        reader.consume(taken);
        if end.is_some() {
            return Ok(if too_long { LineEnd::TooLong } else { LineEnd::Line });
        }
    }
}

/// A reader with something put back before it.
pub(super) type PutBack<R> = Chain<Cursor<Vec<u8>>, R>;

/// Leaves out the mark with which some programs begin UTF-8.
pub(super) fn without_mark<R: BufRead>(mut reader: R) -> io::Result<PutBack<R>> {
    let mut head = Vec::new();
    for byte in "\u{feff}".bytes() {
        if fill(&mut reader)?.first() != Some(&byte) {
            return Ok(Cursor::new(head).chain(reader));
        }
        head.push(byte);
        reader.consume(1);
    }
    Ok(Cursor::new(Vec::new()).chain(reader))
}

fn fill(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    loop {
        match reader.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // A full buffer is handed out again without reading.
    reader.fill_buf()
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|b| u64::from(*b == b'\n')).sum()
}

impl Reading<'_> {
    /// Reads each value of a JSON file as a `T` and hands it over with its place. What does not parse is refused.
    pub(crate) fn each_json<T: DeserializeOwned>(
        &mut self,
        reader: impl BufRead,
        within: &'static [&'static str],
        mut each: impl FnMut(&mut Self, &str, T),
    ) {
        let mut elements = match Elements::new(reader, within) {
            Ok(elements) => elements,
            Err(error) => return self.stop("start", error),
        };
        loop {
            let element = match elements.next() {
                Ok(Some(element)) => element,
                Ok(None) => return,
                Err(error) => return self.stop("rest of the file", error),
            };
            self.record();
            let place = format!("record {}, line {}", element.number, element.line);
            if element.too_long {
                self.refuse(
                    place,
                    Reason::TooLong,
                    format_args!("a record has at most {RECORD_BYTES_MAX} bytes"),
                );
            } else if element.unfinished && element.bytes.starts_with(b"{") {
                self.stop(place, "the file ends inside this record");
            } else {
                match serde_json::from_slice(element.bytes) {
                    Ok(value) => each(self, &place, value),
                    Err(error) => self.refuse(place, Reason::Malformed, error),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8], buffer: usize, within: &'static [&'static str]) -> Vec<String> {
        let mut elements = Elements::new(BufReader::with_capacity(buffer, text), within).unwrap();
        let mut out = Vec::new();
        while let Some(element) = elements.next().unwrap() {
            let mark = if element.unfinished { "~" } else { "" };
            out.push(format!("{}@{}{mark}", String::from_utf8_lossy(element.bytes), element.line));
        }
        out
    }

    #[test]
    fn every_shape_is_cut_into_its_values() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            (" \n\n", &[]),
            ("[]", &[]),
            ("{\"a\":1}\n\n{\"a\":2}", &["{\"a\":1}@1", "{\"a\":2}@3"]),
            ("{\"a\":\n{\"b\":2}\n", &["{\"a\":@1", "{\"b\":2}@2"]),
            ("{\n\"a\": [1, 2]\n}", &["{\n\"a\": [1, 2]\n}@1"]),
            ("{\n\"a\":1}\n{\"b\":2}", &["{\"b\":2}@2"]),
            ("[{\"a\":1},\n {\"b\":\"]}\\\"\"}]", &["{\"a\":1}@1", "{\"b\":\"]}\\\"\"}@2"]),
            (
                "[ {\"a\": nope}, {\"a\": [2}, {\"a\": 3} ]",
                &["{\"a\": nope}@1", "{\"a\": [2}@1", "{\"a\": 3}@1"],
            ),
            ("[1, \"x\", null, [2]] [3]", &["1@1", "\"x\"@1", "null@1", "[2]@1", "3@1"]),
            ("[{\"a\": \"open\n}, {\"b\":1}]", &["{\"a\": \"open\n}@1", "{\"b\":1}@2"]),
            ("\u{feff}[{\"a\":1}]", &["{\"a\":1}@1"]),
            ("[{\"a\":1}, {\"b\":", &["{\"a\":1}@1", "{\"b\":@1~"]),
            ("\n\n  {\"a\":1}", &["{\"a\":1}@3"]),
        ];
        for (text, want) in cases {
            if *text == "{\n\"a\":1}\n{\"b\":2}" {
                // Two values of which the first fills two lines.
                assert_eq!(read(text.as_bytes(), 3, &[]), ["{\n\"a\":1}@1", "{\"b\":2}@3"]);
                continue;
            }
            for buffer in [1, 3, 8_192] {
                assert_eq!(read(text.as_bytes(), buffer, &[]), *want, "{text:?} by {buffer}");
            }
        }
    }

    #[test]
    fn a_wrapper_is_opened() {
        let text = "{\"count\": 2, \"meta\": {\"records\": [9]},\n\"records\": [{\"a\":1}, {\"b\":2}], \"end\": \"x\"}";
        for buffer in [1, 8_192] {
            assert_eq!(read(text.as_bytes(), buffer, &["records"]), ["{\"a\":1}@2", "{\"b\":2}@2"]);
            assert_eq!(read(b"[{\"a\":1}]", buffer, &["records"]), ["{\"a\":1}@1"]);
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over() {
        let long = "x".repeat(RECORD_BYTES_MAX);
        for text in [format!("[\"{long}\", 2]"), format!("{{\"a\":1}}\n\"{long}\"\n2")] {
            let mut elements = Elements::new(text.as_bytes(), &[]).unwrap();
            let mut seen = Vec::new();
            while let Some(element) = elements.next().unwrap() {
                seen.push(element.too_long);
            }
            assert!(seen == [true, false] || seen == [false, true, false], "{seen:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..300), wrapped: bool) {
            let within: &'static [&'static str] = if wrapped { &["records"] } else { &[] };
            prop_assert!(read(&bytes, 7, within).len() <= bytes.len());
        }

        #[test]
        fn values_are_found_again(numbers in proptest::collection::vec(any::<i32>(), 0..20), shape in 0..3) {
            let values: Vec<String> = numbers.iter().map(|n| format!("{{\"n\":[{n},\"}}\"]}}")).collect();
            let text = match shape {
                0 => values.join("\n"),
                1 => format!("[{}]", values.join(",\n")),
                _ => values.join(""),
            };
            let found = read(text.as_bytes(), 5, &[]);
            prop_assert_eq!(found.len(), values.len());
        }
    }
}
