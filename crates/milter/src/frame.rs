//! Frames: a length, a letter, a payload.

use std::ops::Range;

use thiserror::Error;

/// Why a stream holds no more frames. Nothing after it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// A frame has to hold its letter.
    #[error("a frame of no bytes")]
    Empty,
    /// A frame longer than this side is willing to hold.
    #[error("a frame of {size} bytes, more than {max}")]
    TooLarge {
        /// What the frame says of itself.
        size: u32,
        /// The limit.
        max: usize,
    },
}

/// Cuts a stream of bytes into frames.
///
/// It holds at most one frame more than what was fed last, if every frame is taken before the next bytes are fed.
#[derive(Debug)]
pub struct Frames {
    buffer: Vec<u8>,
    begin: usize,
    frame_bytes_max: usize,
}

impl Frames {
    /// An empty stream that refuses longer frames.
    #[must_use]
    pub fn new(frame_bytes_max: usize) -> Self {
        Self { buffer: Vec::new(), begin: 0, frame_bytes_max }
    }

    /// Takes what came.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.begin);
        self.begin = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame's letter and payload, if it is here whole.
    ///
    /// # Errors
    ///
    /// Fails for good when the stream is not one of frames.
    pub fn take(&mut self) -> Result<Option<(u8, &[u8])>, FrameError> {
        Ok(self.advance()?.map(|(letter, payload)| (letter, &self.buffer[payload])))
    }

    /// As [`take`](Self::take), for callers that look at more than one frame before they give one out.
    pub(crate) fn advance(&mut self) -> Result<Option<(u8, Range<usize>)>, FrameError> {
        let Some((head, rest)) = self.buffer[self.begin..].split_first_chunk::<4>() else { return Ok(None) };
        let size = u32::from_be_bytes(*head);
        let wanted = usize::try_from(size).unwrap_or(usize::MAX);
        if wanted == 0 {
            return Err(FrameError::Empty);
        }
        if wanted > self.frame_bytes_max {
            return Err(FrameError::TooLarge { size, max: self.frame_bytes_max });
        }
        if rest.len() < wanted {
            return Ok(None);
        }
        let letter = rest[0];
        let payload = self.begin + 5..self.begin + 4 + wanted;
        self.begin = payload.end;
        Ok(Some((letter, payload)))
    }

    /// The bytes of a frame that was taken last.
    pub(crate) fn bytes(&self, payload: Range<usize>) -> &[u8] {
        &self.buffer[payload]
    }
}

/// Writes a frame whose payload `fill` appends.
///
/// # Panics
///
/// Panics if the payload is longer than a frame can say, 4 GiB.
pub fn write_frame(out: &mut Vec<u8>, letter: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend_from_slice(&[0; 4]);
    out.push(letter);
    fill(out);
    let size = u32::try_from(out.len() - begin - 4).expect("nobody builds a frame of 4 GiB");
    out[begin..begin + 4].copy_from_slice(&size.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(frames: &mut Frames) -> Result<Vec<(u8, Vec<u8>)>, FrameError> {
        let mut seen = Vec::new();
        while let Some((letter, payload)) = frames.take()? {
            seen.push((letter, payload.to_vec()));
        }
        Ok(seen)
    }

    #[test]
    fn frames_are_the_same_however_the_stream_was_cut() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, b'H', |out| out.extend_from_slice(b"mail.example\0"));
        write_frame(&mut bytes, b'N', |_| ());
        write_frame(&mut bytes, b'B', |out| out.resize(out.len() + 5_000, b'x'));
        for step in [1, 2, 3, 5, 7, 4_096, bytes.len()] {
            let mut frames = Frames::new(8_192);
            let mut seen = Vec::new();
            for piece in bytes.chunks(step) {
                frames.feed(piece);
                seen.extend(all(&mut frames).unwrap());
            }
            let sizes: Vec<_> = seen.iter().map(|(letter, payload)| (*letter, payload.len())).collect();
            assert_eq!(sizes, [(b'H', 13), (b'N', 0), (b'B', 5_000)], "in steps of {step}");
        }
    }

    #[test]
    fn a_length_that_lies_is_refused_before_its_bytes_come() {
        let cases = [
            ([0, 0, 0, 0], Err(FrameError::Empty)),
            ([0, 0, 0x20, 1], Err(FrameError::TooLarge { size: 8_193, max: 8_192 })),
            ([0xff; 4], Err(FrameError::TooLarge { size: u32::MAX, max: 8_192 })),
            ([0, 0, 0x20, 0], Ok(Vec::new())), // the longest there may be; it only has not come yet
        ];
        for (head, want) in cases {
            let mut frames = Frames::new(8_192);
            frames.feed(&head);
            assert_eq!(all(&mut frames), want, "{head:?}");
        }
    }
}
