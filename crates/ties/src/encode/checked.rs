//! A batch that was read once: every table, every statement and every body in it is what it has to be.
//!
//! Reading and taking in are two halves of about the same size, and the first needs nothing that the registry knows. So
//! whoever loads very many batches reads the next one on one processor while another takes this one in.

use std::borrow::Cow;

use model::Timestamp;

use super::{Batch, DecodeError, Keys, Reader, check_body, take_source};
use crate::Source;

/// A batch of statements, read and checked, that a [`Registry`](crate::Registry) takes in.
#[derive(Debug)]
pub struct CheckedBatch<'b> {
    // INVARIANT: every span lies within the bytes, at the ends of what was read as a text or a body.
    bytes: Cow<'b, [u8]>,
    pub(crate) entities: Vec<Span>,
    pub(crate) ties: Vec<Span>,
    pub(crate) lists: Vec<Span>,
    pub(crate) sources: Vec<Source>,
    /// The identifiers of the statements, one each.
    pub(crate) names: Vec<Span>,
    pub(crate) lines: Vec<CheckedLine>,
}

/// Where something stands in a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: usize,
    end: usize,
}

/// A statement of a batch. Its numbers lie within the batch's tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckedLine {
    pub(crate) recorded: Timestamp,
    pub(crate) source: usize,
    pub(crate) keys: Keys<usize>,
    /// The statement that a retraction is of; empty otherwise.
    pub(crate) of: Span,
    pub(crate) body: Span,
}

impl<'b> CheckedBatch<'b> {
    /// Reads a batch, and checks all of it.
    ///
    /// # Errors
    ///
    /// Refuses bytes that are no batch, and names the place.
    pub fn read(bytes: impl Into<Cow<'b, [u8]>>) -> Result<Self, DecodeError> {
        let bytes = bytes.into();
        let mut batch = Batch::open(&bytes)?;
        let start = bytes.as_ptr().addr();
        let span = |part: &[u8]| {
            // What was read lies in the bytes; nothing may lie anywhere.
            let start = part.as_ptr().addr().checked_sub(start).filter(|_| !part.is_empty()).unwrap_or(0);
            Span { start, end: start + part.len() }
        };
        let all = |texts: &[&str]| texts.iter().map(|text| span(text.as_bytes())).collect::<Vec<Span>>();
        let (entities, ties) = (all(&batch.entities), all(&batch.ties));
        let (lists, names) = (all(&batch.lists), all(&batch.names));
        let mut sources = Vec::with_capacity(batch.sources.len());
        for source in &batch.sources {
            sources.push(take_source(&mut Reader::new(source))?);
        }
        // Every statement has a name, and all of these were read.
        let mut lines = Vec::with_capacity(names.len());
        while let Some(line) = batch.next_line()? {
            check_body(line.keys.tag(), line.body)
                .map_err(|error| DecodeError { at: line.body_at + error.at, flaw: error.flaw })?;
            let (recorded, source, keys) = (line.recorded, line.source, line.keys);
            let (of, body) = (span(line.of.as_bytes()), span(line.body));
            lines.push(CheckedLine { recorded, source, keys, of, body });
        }
        Ok(Self { bytes, entities, ties, lists, sources, names, lines })
    }

    /// How many statements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        &self.bytes[span.start..span.end]
    }

    pub(crate) fn text(&self, span: Span) -> &str {
        std::str::from_utf8(self.bytes(span)).expect("a text was read as one")
    }
}
