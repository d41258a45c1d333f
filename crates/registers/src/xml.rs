//! XML read record by record, in bounded memory.
//!
//! A register's file is a long list of elements of a few names. [`Records`] hands out each as a [`Node`] and forgets
//! it. It does not validate: what cannot be read makes a fault of the record that it is in, and reading goes on with
//! the next start of a record. Only what cannot be passed over ends it: markup that is never closed, or longer than a
//! record may be. Entities of a document's own are not expanded, so a small file stays small.

use std::io::{self, BufRead, Read};

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Error, Reader};

use crate::reading::{RECORD_BYTES_MAX, Reading, Reason};
use crate::tree::{DEPTH_MAX, NODES_MAX, Node, local};

/// The elements of the given names, one after the other.
pub(crate) struct Records<'w, R: BufRead> {
    /// INVARIANT: always there; taken out only to begin anew with what is left of it.
    reader: Option<Reader<Metered<R>>>,
    /// Where `reader` began.
    begun_at: u64,
    /// Whether it was said that there is no text where no record is.
    blamed: bool,
    wanted: &'w [&'w str],
    buffer: Vec<u8>,
    open: Option<Open>,
    /// An empty record that came where another was not closed.
    waiting: Option<Result<Node, Fault>>,
    done: bool,
}

/// Why a record, or the rest of the file, could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    /// Where, in bytes from the beginning.
    pub(crate) offset: u64,
    /// Whether nothing more can be read.
    pub(crate) fatal: bool,
}

/// A record under construction.
struct Open {
    /// From the record itself to the innermost element that is open. INVARIANT: never empty, at most [`DEPTH_MAX`].
    path: Vec<Node>,
    nodes: usize,
    bytes: usize,
    fault: Option<(Reason, String)>,
}

impl<'w, R: BufRead> Records<'w, R> {
    /// Reads the elements called `wanted`, wherever they are. They do not contain each other.
    pub(crate) fn new(reader: R, wanted: &'w [&'w str]) -> Self {
        let reader = Some(begun(Metered { reader, left: RECORD_BYTES_MAX }));
        Self {
            reader,
            begun_at: 0,
            blamed: false,
            wanted,
            buffer: Vec::new(),
            open: None,
            waiting: None,
            done: false,
        }
    }

    fn offset(&self) -> u64 {
        self.begun_at + self.reader.as_ref().map_or(0, Reader::buffer_position)
    }

    fn fault(&self, reason: Reason, message: impl Into<String>, fatal: bool) -> Fault {
        Fault { reason, message: message.into(), offset: self.offset(), fatal }
    }

    fn close(&mut self) -> Option<Result<Node, Fault>> {
        let mut open = self.open.take()?;
        match open.fault {
            Some((reason, message)) => Some(Err(self.fault(reason, message, false))),
            None => Some(Ok(open.path.swap_remove(0))),
        }
    }

    fn start(&mut self, name: &str, tag: &BytesStart<'_>, is_empty: bool) -> Option<Result<Node, Fault>> {
        if self.wanted.contains(&name) {
            let before =
                self.open.as_mut().map(|open| open.blame(Reason::Malformed, "its element is not closed"));
            let before = before.and_then(|()| self.close());
            let mut node = Node::named(name);
            let (mut nodes, mut bytes) = (1, name.len());
            let fault = attributes(tag, &mut node, &mut nodes, &mut bytes).err();
            self.open = Some(Open { path: vec![node], nodes, bytes, fault });
            let this = if is_empty { self.close() } else { None };
            if before.is_none() {
                return this;
            }
            self.waiting = this;
            return before;
        }
        if let Some(open) = self.open.as_mut().filter(|open| open.fault.is_none()) {
            open.start(name, tag, is_empty);
        }
        None
    }

    fn end(&mut self, name: &str) -> Option<Result<Node, Fault>> {
        let open = self.open.as_mut()?;
        let is_record = open.path[0].name == name;
        if is_record {
            if open.path.len() > 1 {
                open.blame(Reason::Malformed, "elements inside it are not closed");
            }
            return self.close();
        }
        if open.fault.is_none() {
            open.end(name);
        }
        None
    }

    fn failed(&mut self, error: &Error, before: u64) -> Option<Result<Node, Fault>> {
        let passed = self.offset() > before;
        match error {
            Error::IllFormed(_) | Error::InvalidAttr(_) | Error::Escape(_) if passed => {
                self.blame(&error.to_string())
            }
            Error::Encoding(_) if passed => {
                // The reader gives up for good on bytes that are no UTF-8; what follows them may be read all the same.
                self.begun_at = self.offset();
                self.reader = self.reader.take().map(|reader| begun(reader.into_inner()));
                self.blame("it is not encoded in UTF-8")
            }
            Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.done = true;
                Some(Err(self.fault(Reason::TooLong, error.to_string(), true)))
            }
            Error::Io(_)
            | Error::Syntax(_)
            | Error::IllFormed(_)
            | Error::InvalidAttr(_)
            | Error::Encoding(_)
            | Error::Escape(_)
            | Error::Namespace(_) => {
                self.done = true;
                Some(Err(self.fault(Reason::Unreadable, error.to_string(), true)))
            }
        }
    }

    /// Blames the record that is open; outside of records the first fault stands for all.
    fn blame(&mut self, message: &str) -> Option<Result<Node, Fault>> {
        if let Some(open) = &mut self.open {
            open.blame(Reason::Malformed, message);
            return None;
        }
        let first = !std::mem::replace(&mut self.blamed, true);
        first.then(|| Err(self.fault(Reason::Malformed, message, false)))
    }

    /// Reads one piece of markup or text. A record that ended with it is given.
    fn step(&mut self) -> Option<Result<Node, Fault>> {
        let before = self.offset();
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let reader = self.reader.as_mut()?;
        reader.get_mut().left = RECORD_BYTES_MAX;
        let outcome = match reader.read_event_into(&mut buffer) {
            Err(error) => self.failed(&error, before),
            Ok(Event::Start(tag)) => self.start(local(tag.name().into_inner()), &tag, false),
            Ok(Event::Empty(tag)) => self.start(local(tag.name().into_inner()), &tag, true),
            Ok(Event::End(tag)) => self.end(local(tag.name().into_inner())),
            Ok(Event::Text(text)) => self.text(&text),
            Ok(Event::CData(text)) => self.text(&text),
            Ok(Event::GeneralRef(name)) => self.text(&reference(&name)),
            Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => None,
            Ok(Event::Eof) => {
                self.done = true;
                let cut = self.open.is_some();
                self.open = None;
                cut.then(|| Err(self.fault(Reason::Unreadable, "the file ends inside a record", true)))
            }
        };
        self.buffer = buffer;
        outcome
    }

    fn text(&mut self, text: &str) -> Option<Result<Node, Fault>> {
        if let Some(open) = self.open.as_mut().filter(|open| open.fault.is_none()) {
            open.text(text);
        }
        None
    }
}

impl<R: BufRead> Iterator for Records<'_, R> {
    type Item = Result<Node, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(waiting) = self.waiting.take() {
            return Some(waiting);
        }
        while !self.done {
            if let Some(outcome) = self.step() {
                return Some(outcome);
            }
        }
        None
    }
}

fn begun<R: BufRead>(reader: R) -> Reader<R> {
    let mut reader = Reader::from_reader(reader);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.expand_empty_elements = false;
    reader
}

impl Open {
    fn blame(&mut self, reason: Reason, message: &str) {
        if self.fault.is_none() {
            self.fault = Some((reason, message.to_owned()));
            // What was read of it is of no use any more.
            self.path.truncate(1);
            self.path[0].inside.clear();
        }
    }

    fn start(&mut self, name: &str, tag: &BytesStart<'_>, is_empty: bool) {
        let mut node = Node::named(name);
        self.nodes += 1;
        self.bytes += name.len();
        if let Err((reason, message)) = attributes(tag, &mut node, &mut self.nodes, &mut self.bytes) {
            return self.blame(reason, &message);
        }
        if self.nodes > NODES_MAX || self.bytes > RECORD_BYTES_MAX || self.path.len() >= DEPTH_MAX {
            return self
                .blame(Reason::TooLong, "it has more elements, text or levels than a record may have");
        }
        match self.path.last_mut() {
            Some(outer) if is_empty => outer.inside.push(node),
            Some(_) | None => self.path.push(node),
        }
    }

    fn end(&mut self, name: &str) {
        if self.path.last().is_some_and(|node| node.name == name) && self.path.len() > 1 {
            if let (Some(node), Some(outer)) = (self.path.pop(), self.path.last_mut()) {
                outer.inside.push(node);
            }
        } else {
            self.blame(Reason::Malformed, "an element in it is closed that is not open");
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes += text.len();
        if self.bytes > RECORD_BYTES_MAX {
            return self.blame(Reason::TooLong, "it has more text than a record may have");
        }
        if let Some(node) = self.path.last_mut() {
            node.text.push_str(text);
        }
    }
}

impl Reading<'_> {
    /// Reads each element called as one of `wanted` and hands it over with its place; those called as one of `aside`
    /// too, but they do not count as records.
    pub(crate) fn each_xml(
        &mut self,
        reader: impl BufRead,
        wanted: &[&str],
        aside: &[&str],
        mut each: impl FnMut(&mut Self, &str, Node),
    ) {
        let all: Vec<&str> = wanted.iter().chain(aside).copied().collect();
        let mut number = 0_u64;
        for outcome in Records::new(reader, &all) {
            match outcome {
                Ok(node) if aside.contains(&node.name.as_str()) => each(self, "head", node),
                Ok(node) => {
                    number += 1;
                    self.record();
                    each(self, &format!("element {number}"), node);
                }
                Err(fault) => {
                    let place = format!("element {}, before byte {}", number + 1, fault.offset);
                    if fault.fatal {
                        self.stop(&place, &fault.message);
                    } else {
                        number += 1;
                        self.record();
                        self.refuse(&place, fault.reason, &fault.message);
                    }
                }
            }
        }
    }
}

/// Takes a tag's attributes as nodes, except the declarations of namespaces.
fn attributes(
    tag: &BytesStart<'_>,
    into: &mut Node,
    nodes: &mut usize,
    bytes: &mut usize,
) -> Result<(), (Reason, String)> {
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| (Reason::Malformed, error.to_string()))?;
        let key = attribute.key.into_inner();
        if key == "xmlns" || key.starts_with("xmlns:") {
            continue;
        }
        *nodes += 1;
        *bytes += attribute.value.len() + key.len();
        if *nodes > NODES_MAX {
            return Err((Reason::TooLong, "it has more attributes than a record may have".to_owned()));
        }
        let text = quick_xml::escape::unescape(&attribute.value)
            .map_or_else(|_| attribute.value.clone().into_owned(), std::borrow::Cow::into_owned);
        into.inside.push(Node { name: local(key).to_owned(), text, inside: Vec::new() });
    }
    Ok(())
}

/// What a reference stands for: a character, one of the five of XML, else itself as it is written.
fn reference(name: &BytesRef<'_>) -> String {
    if let Ok(Some(c)) = name.resolve_char_ref() {
        return c.to_string();
    }
    let name: &str = name;
    quick_xml::escape::resolve_xml_entity(name).map_or_else(|| format!("&{name};"), str::to_owned)
}

/// A reader that fails when one piece of markup or text takes more than is left.
struct Metered<R> {
    reader: R,
    left: usize,
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let taken = available.len().min(out.len());
        out[..taken].copy_from_slice(&available[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let available = self.reader.fill_buf()?;
        if self.left == 0 && !available.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a tag, text or comment is longer than 16 MiB",
            ));
        }
        Ok(&available[..available.len().min(self.left)])
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount);
        self.reader.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<Node, Fault>> {
        Records::new(text.as_bytes(), &["r"]).collect()
    }

    /// What each record has under `a`, or its fault.
    fn shown(text: &str) -> Vec<String> {
        let show = |outcome| match outcome {
            Ok(node) => Node::get(&node, &["a"]).unwrap_or("-").to_owned(),
            Err(fault) => format!("{}{}", Fault::code(&fault), if fault.fatal { "!" } else { "" }),
        };
        read(text).into_iter().map(show).collect()
    }

    impl Fault {
        fn code(&self) -> &'static str {
            self.reason.code()
        }
    }

    #[test]
    fn a_bad_record_does_not_stop_the_next() {
        let cases: &[(&str, &[&str])] = &[
            ("<x><r><a>1</a></r><p:r><q:a>2</q:a></p:r></x>", &["1", "2"]),
            ("<x><r a='1 &amp; 2'/><r/></x>", &["1 & 2", "-"]),
            ("<x><r><a>&lt;&#65;&unknown;<![CDATA[<b>]]><!-- c --></a></r></x>", &["<A&unknown;<b>"]),
            ("<x><r><a>1</b></r><r><a>2</a></r></x>", &["malformed", "2"]),
            ("<x><r><a>1</r><r><a>2</a></r></x>", &["malformed", "2"]),
            ("<x><r><a>1</a><r><a>2</a></r></x>", &["malformed", "2"]),
            ("<x><r><a>1</a><r a='2'/><r a='3'/></x>", &["malformed", "2", "3"]),
            ("<x></r></y><r><a>2</a></r>", &["2"]),
            ("<x><r><a>1</a></r><r><a>2", &["1", "unreadable!"]),
            ("<x><r><a>1</a></r><r><a>2</a></r><!-- ", &["1", "2", "unreadable!"]),
            ("", &[]),
            ("no markup at all", &[]),
        ];
        for (text, want) in cases {
            assert_eq!(shown(text), *want, "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_spoil_their_record_only() {
        let text = b"<x><r><a>\xff\xfe</a></r><r><a>2</a></r></x>";
        let found: Vec<_> = Records::new(text.as_slice(), &["r"]).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].as_ref().unwrap_err().reason, Reason::Malformed);
        assert_eq!(found[1].as_ref().unwrap().get(&["a"]), Some("2"));
        let utf_16: Vec<u8> = "<x><r/><r/></x>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let text = [[0xff, 0xfe].as_slice(), &utf_16].concat();
        let found: Vec<_> = Records::new(text.as_slice(), &["r"]).collect();
        assert!(found[0].as_ref().is_err_and(|fault| fault.reason == Reason::Malformed), "{found:?}");
    }

    #[test]
    fn a_record_has_limits() {
        let deep = format!("<r>{}{}</r><r a='2'/>", "<b>".repeat(100_000), "</b>".repeat(100_000));
        assert_eq!(shown(&deep), ["too-long", "2"]);
        let wide = format!("<r>{}</r><r a='2'/>", "<b/>".repeat(NODES_MAX + 1));
        assert_eq!(shown(&wide), ["too-long", "2"]);
        let long = format!("<r>{}</r><r a='2'/>", "<b>0123456789</b>".repeat(RECORD_BYTES_MAX / 10));
        assert_eq!(shown(&long), ["too-long", "2"]);
        let endless = format!("<r a='1'/><r><a>{}", "x".repeat(RECORD_BYTES_MAX + 1));
        assert_eq!(shown(&endless), ["1", "too-long!"]);
    }

    #[test]
    fn entities_of_the_document_stay_what_they_are() {
        let text =
            r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x><r><a>&b;</a></r></x>"#;
        assert_eq!(shown(text), ["&b;"]);
    }
}
