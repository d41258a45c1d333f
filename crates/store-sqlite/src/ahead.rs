//! Reading ahead for a reader of many small segments.
//!
//! A page may be made of hundreds of segments of one object each. They lie side by side: in the order of commits, or a
//! label's on the shelves of module `near`; and a reader that merges several labels goes along several such streams
//! in turn. Each is read in pieces of some length instead of object by object.

use std::cell::RefCell;

use store::StoreError;

use crate::bodies::BodyFiles;
use crate::doing::Doing;

/// How many bytes are read at once: as many as a label's shelf has, and not so many that what they cost matters when
/// the reader needs a tenth of them.
const AHEAD: usize = 16 * 1024;
/// A read does not go on with a stream if it is longer than this, or begins further than this behind the last one.
const STEP_MAX: u32 = 16 * 1024;
/// How many streams are followed at once: as many as a page merges labels. With [`AHEAD`] that is 1 MiB at most.
const STREAMS_MAX: usize = 64;

/// What was read ahead for one reader.
#[derive(Debug, Default)]
pub(crate) struct ReadAhead(RefCell<Streams>);

#[derive(Debug, Default)]
struct Streams {
    streams: Vec<Stream>,
    /// The stream that was followed last; the next read mostly belongs to it or to the one behind it.
    last: usize,
}

#[derive(Debug, Default)]
struct Stream {
    file: u32,
    /// Where the last read ended.
    end: u64,
    /// INVARIANT: these are bytes of `file`, from `offset` on.
    bytes: Vec<u8>,
    offset: u64,
}

impl ReadAhead {
    /// Does what [`BodyFiles::read`] does.
    pub(crate) fn read(
        &self,
        bodies: &BodyFiles,
        file: u32,
        offset: u64,
        length: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        if length > STEP_MAX {
            return bodies.read(file, offset, length, out);
        }
        let end = offset + u64::from(length);
        let mut streams = self.0.borrow_mut();
        let Some(stream) = streams.at(file, offset) else {
            streams.begin(file, end);
            return bodies.read(file, offset, length, out);
        };
        stream.end = end;
        if stream.held(offset, end).is_none() {
            stream.offset = offset;
            bodies.read_ahead(file, offset, AHEAD, &mut stream.bytes).doing("reading bodies")?;
        }
        match stream.held(offset, end) {
            Some(held) => out.extend_from_slice(held),
            None => bodies.read(file, offset, length, out)?,
        }
        Ok(())
    }
}

impl Streams {
    /// The stream that a read from `offset` on would go on with.
    fn at(&mut self, file: u32, offset: u64) -> Option<&mut Stream> {
        let (before, after) = self.streams.split_at(self.last);
        let goes_on = |stream: &Stream| {
            stream.file == file && (stream.end..=stream.end + u64::from(STEP_MAX)).contains(&offset)
        };
        let found = match after.iter().position(goes_on) {
            Some(found) => self.last + found,
            None => before.iter().position(goes_on)?,
        };
        self.last = found;
        Some(&mut self.streams[found])
    }

    /// Begins a stream with a read that ended at `end`, in the place of the one that stands behind the last if there are
    /// too many.
    fn begin(&mut self, file: u32, end: u64) {
        if self.streams.len() < STREAMS_MAX {
            self.last = self.streams.len();
            self.streams.push(Stream { file, end, ..Stream::default() });
            return;
        }
        self.last = (self.last + 1) % STREAMS_MAX;
        let stream = &mut self.streams[self.last];
        stream.bytes.clear();
        (stream.file, stream.end, stream.offset) = (file, end, 0);
    }
}

impl Stream {
    /// The bytes from `offset` to `end`, if they were read ahead.
    fn held(&self, offset: u64, end: u64) -> Option<&[u8]> {
        let from = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        let to = usize::try_from(end.checked_sub(self.offset)?).ok()?;
        self.bytes.get(from..to)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::bodies::Mode;
    use crate::faults::Faults;

    const LENGTH: u32 = 300_000;

    /// Two files of bytes that tell where they are.
    fn files(dir: &Path) -> BodyFiles {
        let bodies = BodyFiles::new(dir, Mode::Write, Faults::default());
        bodies.cut(2, 0).unwrap();
        for file in 1..=2_u8 {
            let byte = |at: u32| at.wrapping_mul(2_654_435_761).to_le_bytes()[usize::from(file)];
            let bytes: Vec<u8> = (0..LENGTH).map(byte).collect();
            bodies.append(u32::from(file), 0, [bytes.as_slice()].into_iter()).unwrap();
        }
        bodies
    }

    #[test]
    fn streams_are_told_apart_and_each_is_read_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let (bodies, ahead) = (files(dir.path()), ReadAhead::default());
        let (mut out, mut want) = (Vec::new(), Vec::new());
        for number in 0..10_u32 {
            for (file, from) in [(1, 0), (1, 100_000), (2, 0)] {
                let offset = u64::from(from + number * 1_100);
                ahead.read(&bodies, file, offset, 1_000, &mut out).unwrap();
                bodies.read(file, offset, 1_000, &mut want).unwrap();
            }
        }
        assert!(out == want);
        let streams = ahead.0.borrow();
        let begun: Vec<(u32, u64)> =
            streams.streams.iter().map(|stream| (stream.file, stream.offset)).collect();
        // The first read of each stream is for itself; the second fetched all that came after.
        assert_eq!(begun, [(1, 1_100), (1, 101_100), (2, 1_100)]);
    }

    #[test]
    fn what_is_missing_is_damage_and_is_never_made_up() {
        let dir = tempfile::tempdir().unwrap();
        let (bodies, ahead) = (files(dir.path()), ReadAhead::default());
        let (end, mut out) = (u64::from(LENGTH), Vec::new());
        ahead.read(&bodies, 1, end - 2_000, 1_000, &mut out).unwrap();
        let beyond = ahead.read(&bodies, 1, end - 1_000, 1_001, &mut out).unwrap_err();
        assert!(matches!(beyond, StoreError::Damaged(_)), "{beyond}");
        assert_eq!(out.len(), 1_000);
        assert!(ahead.read(&bodies, 3, 0, 1, &mut out).is_err());
        ahead.read(&bodies, 1, end - 1_000, 1_000, &mut out).unwrap();
        assert_eq!(out.len(), 2_000);
    }

    proptest! {
        #[test]
        fn any_reads_give_what_lies_there(
            reads in prop::collection::vec((1..=2_u32, 0..LENGTH, 0..40_000_u32, 1..5_u32), 1..200),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (bodies, ahead) = (files(dir.path()), ReadAhead::default());
            for (file, offset, length, times) in reads {
                let length = (length / times).min((LENGTH - offset) / times);
                for time in 0..times {
                    let (mut read, mut want) = (vec![7], vec![7]);
                    let offset = u64::from(offset + time * length);
                    ahead.read(&bodies, file, offset, length, &mut read).unwrap();
                    bodies.read(file, offset, length, &mut want).unwrap();
                    prop_assert!(read == want, "{length} bytes of {file} from {offset} on");
                }
            }
        }
    }
}
