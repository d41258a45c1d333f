//! A stream with a view of what comes next.

use std::io::{self, Read};

/// How much of the beginning decides what it is.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;

/// So much more than wanted is read at most.
const AHEAD_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that were read and not consumed yet, and those behind them.
pub(crate) struct Source<'r> {
    reader: Box<dyn Read + 'r>,
    buffer: Vec<u8>,
    /// What lies before is consumed.
    at: usize,
    consumed: u64,
    is_ended: bool,
    error: Option<io::Error>,
}

impl<'r> Source<'r> {
    pub(crate) fn new(reader: Box<dyn Read + 'r>) -> Self {
        let mut source =
            Self { reader, buffer: Vec::new(), at: 0, consumed: 0, is_ended: false, error: None };
        source.want(HEAD_BYTES);
        source
    }

    /// The beginning, as much as decides.
    pub(crate) fn head(&self) -> &[u8] {
        &self.left()[..self.left().len().min(HEAD_BYTES)]
    }

    /// What was read and not consumed.
    pub(crate) fn left(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Reads until so many bytes are there, or the stream ends; gives what is there, which may be more. An error ends the
    /// stream.
    pub(crate) fn want(&mut self, bytes: usize) -> &[u8] {
        if self.buffer.len() - self.at < bytes && !self.is_ended {
            self.buffer.drain(..self.at);
            self.at = 0;
            let mut filled = self.buffer.len();
            // Ahead of what is wanted, so that little by little is not moved each time; and in steps, so that a lying length
            // does not take the memory before the bytes are there.
            let goal = bytes.saturating_add(bytes.min(AHEAD_BYTES_MAX)).max(HEAD_BYTES);
            while filled < goal && !self.is_ended {
                self.buffer.resize(filled + HEAD_BYTES, 0);
                match self.reader.read(&mut self.buffer[filled..]) {
                    Ok(0) => self.is_ended = true,
                    Ok(read) => filled += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.error = Some(error);
                        self.is_ended = true;
                    }
                }
            }
            self.buffer.truncate(filled);
        }
        self.left()
    }

    /// So many bytes, if there are.
    pub(crate) fn exactly(&mut self, bytes: usize) -> Option<&[u8]> {
        self.want(bytes).get(..bytes)
    }

    /// Goes on behind so many of the bytes that are there.
    pub(crate) fn consume(&mut self, bytes: usize) {
        let bytes = bytes.min(self.buffer.len() - self.at);
        self.at += bytes;
        self.consumed += bytes as u64;
    }

    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    pub(crate) fn into_error(self) -> Option<io::Error> {
        self.error
    }
}
