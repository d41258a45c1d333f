//! Reads through packings, and through UTF-16.
//!
//! What unpacks is read as a stream, so a bomb takes no memory, only time; the ratio ends it.

use std::cell::Cell;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;
use liblzma::stream::Stream;

use crate::Limits;
use crate::place::Reason;

/// The largest window of zstd that is granted: 128 MiB, as its own tool does without being told.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// What xz may take.
const XZ_MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;
const MAGIC_BYTES: usize = 6;

type Bytes<'r> = Box<dyn Read + 'r>;

/// The bytes below all packings.
pub(crate) fn unpacked<'r>(reader: Bytes<'r>, limits: &Limits) -> Bytes<'r> {
    let packed = Rc::new(Cell::new(0));
    let mut reader: Bytes<'r> = Box::new(Counted { reader, bytes: Rc::clone(&packed) });
    let mut depth = 0;
    loop {
        let mut magic = [0; MAGIC_BYTES];
        let mut filled = 0;
        let mut failed = None;
        while filled < MAGIC_BYTES {
            match reader.read(&mut magic[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let head = io::Cursor::new(magic[..filled].to_vec());
        if let Some(error) = failed {
            return Box::new(head.chain(Failing(Some(error))));
        }
        let packing = packing_of(&magic[..filled]);
        if packing.is_some() && depth == limits.packings_max {
            return Box::new(Failing(Some(bomb("it lies in too many packings"))));
        }
        let whole: Bytes<'r> = Box::new(head.chain(reader));
        reader = match packing {
            None => return utf8(whole, &magic[..filled]),
            Some(Packing::Gzip) => Box::new(MultiGzDecoder::new(BufReader::new(whole))),
            Some(Packing::Zstd) => match zstd(whole) {
                Ok(decoder) => decoder,
                Err(error) => return Box::new(Failing(Some(error))),
            },
            Some(Packing::Xz) => {
                match Stream::new_auto_decoder(XZ_MEMORY_BYTES_MAX, liblzma::stream::CONCATENATED) {
                    Ok(stream) => Box::new(XzDecoder::new_stream(BufReader::new(whole), stream)),
                    Err(error) => return Box::new(Failing(Some(error.into()))),
                }
            }
        };
        depth += 1;
        reader = Box::new(Rated {
            reader,
            packed: Rc::clone(&packed),
            bytes: 0,
            ratio_max: limits.ratio_max,
            from: limits.ratio_from_bytes,
        });
    }
}

fn zstd(whole: Bytes<'_>) -> io::Result<Bytes<'_>> {
    let mut decoder = zstd::stream::read::Decoder::new(whole)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(Box::new(decoder))
}

#[derive(Clone, Copy)]
enum Packing {
    Gzip,
    Zstd,
    Xz,
}

fn packing_of(magic: &[u8]) -> Option<Packing> {
    match magic {
        // Deflate is the only method that gzip has.
        [0x1f, 0x8b, 8, ..] => Some(Packing::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Packing::Zstd),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Some(Packing::Xz),
        _ => None,
    }
}

/// What an error while reading means.
pub(crate) fn reason_of(error: &io::Error) -> Reason {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Bomb>());
    if inner.is_some() {
        return Reason::Bomb;
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "what decoders say; all else is the disk's")]
    match error.kind() {
        io::ErrorKind::InvalidData
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::Other => Reason::Packing,
        _ => Reason::Io,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Bomb(&'static str);

fn bomb(why: &'static str) -> io::Error {
    io::Error::other(Bomb(why))
}

/// Gives one error, and then the end.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

struct Counted<'r> {
    reader: Bytes<'r>,
    bytes: Rc<Cell<u64>>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes.set(self.bytes.get() + read as u64);
        Ok(read)
    }
}

/// Ends what unpacks to too much.
struct Rated<'r> {
    reader: Bytes<'r>,
    packed: Rc<Cell<u64>>,
    bytes: u64,
    ratio_max: u64,
    from: u64,
}

impl Read for Rated<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes += read as u64;
        if self.bytes > self.from && self.bytes / self.ratio_max > self.packed.get() {
            return Err(bomb("it unpacks to far more than a file of its size could hold"));
        }
        Ok(read)
    }
}

/// Text in UTF-16 with its mark, as UTF-8; everything else as it is.
fn utf8<'r>(reader: Bytes<'r>, head: &[u8]) -> Bytes<'r> {
    match head {
        [0xff, 0xfe, ..] => Box::new(Utf16::new(reader, u16::from_le_bytes)),
        [0xfe, 0xff, ..] => Box::new(Utf16::new(reader, u16::from_be_bytes)),
        _ => reader,
    }
}

struct Utf16<'r> {
    reader: BufReader<Bytes<'r>>,
    unit: fn([u8; 2]) -> u16,
    /// The first half of a pair.
    high: Option<u16>,
    ready: Vec<u8>,
    at: usize,
}

impl<'r> Utf16<'r> {
    fn new(reader: Bytes<'r>, unit: fn([u8; 2]) -> u16) -> Self {
        Self { reader: BufReader::new(reader), unit, high: None, ready: Vec::new(), at: 0 }
    }

    fn push(&mut self, unit: u16) {
        let high = self.high.take();
        let units = high.into_iter().chain([unit]);
        if high.is_none() && (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
            return;
        }
        for decoded in char::decode_utf16(units) {
            let c = decoded.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.ready.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

impl Read for Utf16<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.ready.len() {
            self.ready.clear();
            self.at = 0;
            let mut packed = vec![0; 16 * 1024];
            let mut filled = 0;
            // At least one unit, and only whole ones.
            while filled == 0 || filled % 2 == 1 {
                let read = self.reader.read(&mut packed[filled..])?;
                if read == 0 {
                    break;
                }
                filled += read;
            }
            for pair in packed[..filled].as_chunks::<2>().0 {
                self.push((self.unit)(*pair));
            }
            // The text ends in the middle of a pair.
            if filled < 2 && self.high.take().is_some() {
                self.ready.extend("\u{fffd}".as_bytes());
            }
        }
        let ready = &self.ready[self.at..];
        let given = ready.len().min(buffer.len());
        buffer[..given].copy_from_slice(&ready[..given]);
        self.at += given;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read_all(bytes: &[u8], limits: &Limits) -> (Vec<u8>, Option<Reason>) {
        let mut all = Vec::new();
        let read = unpacked(Box::new(bytes), limits).read_to_end(&mut all);
        (all, read.err().map(|error| reason_of(&error)))
    }

    #[test]
    fn packings_are_read_through() {
        let text = b"one line\nand another\n".as_slice();
        let limits = Limits::default();
        let xz = {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        };
        let two_members = [gzip(&text[..9]), gzip(&text[9..])].concat();
        let twice = zstd::encode_all(gzip(text).as_slice(), 1).unwrap();
        let utf16: Vec<u8> =
            [0xfeff].into_iter().chain("one \u{1f600}\n".encode_utf16()).flat_map(u16::to_le_bytes).collect();
        for (bytes, want) in [
            (text.to_vec(), text),
            (gzip(text), text),
            (two_members, text),
            (xz, text),
            (twice, text),
            (utf16, "\u{feff}one \u{1f600}\n".as_bytes()),
            (Vec::new(), b""),
        ] {
            assert_eq!(read_all(&bytes, &limits), (want.to_vec(), None));
        }
    }

    #[test]
    fn what_breaks_off_or_bursts_is_told_and_the_beginning_stands() {
        let limits = Limits { ratio_from_bytes: 1 << 20, ratio_max: 100, ..Limits::default() };
        let packed = gzip(&vec![b'a'; 8 << 20]);
        let (all, reason) = read_all(&packed, &limits);
        assert_eq!(reason, Some(Reason::Bomb));
        assert!(all.len() >= 1 << 19 && all.len() < 2 << 20, "{}", all.len());
        let text = (0..10_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_string()).collect::<String>();
        let packed = gzip(text.as_bytes());
        let (all, reason) = read_all(&packed[..packed.len() / 2], &limits);
        assert_eq!(reason, Some(Reason::Packing));
        assert!(!all.is_empty() && text.as_bytes().starts_with(&all));
        let nested = (0..6).fold(b"x".to_vec(), |inner, _| gzip(&inner));
        assert_eq!(read_all(&nested, &limits), (Vec::new(), Some(Reason::Bomb)));
    }
}
