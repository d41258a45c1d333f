//! Compression and archives, told by their first bytes.
//!
//! A container is hostile until it is read: a few kilobytes can claim to hold terabytes. So nothing that
//! a header says is believed. What comes out is counted as it comes, against the [`Limits`], and what
//! goes beyond is refused with the limit's name. Containers nest once: a compressed archive of
//! compressed files is read, an archive in an archive is not.
//!
//! [`Limits`]: crate::Limits

use std::cell::Cell;
use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;
use std::rc::Rc;

use crate::place::{Place, Reason};
use crate::run::Run;

/// Enough to see the mark of a tar archive, which stands at byte 257 of the first header.
const HEAD_BYTES: usize = 512;

/// Most bytes that the headers between two members of an archive may take. 1 MiB: long names and
/// extended attributes take kilobytes.
const HEADERS_MAX_BYTES: u64 = 1 << 20;

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Gzip,
    Xz,
    Zstd,
    Tar,
    /// A container that is not read, with what it is called.
    Foreign(&'static str),
    Plain,
}

fn form(head: &[u8]) -> Form {
    match head {
        [0x1f, 0x8b, ..] => Form::Gzip,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Form::Xz,
        // A frame, or a skippable frame in front of one (RFC 8878 §3.1).
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Form::Zstd,
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Form::Foreign("zip archive"),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Form::Foreign("bzip2 file"),
        [b'7', b'z', 0xbc, 0xaf, ..] => Form::Foreign("7z archive"),
        [b'R', b'a', b'r', b'!', ..] => Form::Foreign("rar archive"),
        _ if is_tar(head) => Form::Tar,
        _ => Form::Plain,
    }
}

/// A tar header has its mark, or (before POSIX) at least the right checksum: the sum of its bytes
/// with the checksum's own eight counted as spaces, in octal.
fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..HEAD_BYTES) else { return false };
    if header.get(257..262) == Some(b"ustar") {
        return true;
    }
    let Some(field) = header.get(148..156).and_then(|field| std::str::from_utf8(field).ok()) else {
        return false;
    };
    let stated = u32::from_str_radix(field.trim_matches([' ', '\0']), 8);
    let spaces = 8 * u32::from(b' ');
    let sum = header.iter().enumerate().filter(|(at, _)| !(148..156).contains(at));
    let sum = spaces + sum.map(|(_, byte)| u32::from(*byte)).sum::<u32>();
    header.first() != Some(&0) && stated == Ok(sum)
}

/// What may still come out of one file, shared by every reader on the way.
#[derive(Clone)]
struct Meter {
    total_left: Rc<Cell<u64>>,
    headers_left: Rc<Cell<Option<u64>>>,
    exceeded: Rc<Cell<Option<&'static str>>>,
}

/// A reader that counts, and fails beyond a limit.
struct Metered<'a> {
    inner: Box<dyn Read + 'a>,
    meter: Meter,
    counted: Counted,
}

/// Which of the limits a reader's bytes count against.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// What comes out of a decompressor.
    Decompressed,
    /// What is taken from an archive, counted already if it was compressed.
    Archived,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let size = u64::try_from(count).unwrap_or(u64::MAX);
        if self.counted == Counted::Decompressed {
            let Some(left) = self.meter.total_left.get().checked_sub(size) else {
                return Err(self.meter.exceed("decompressed_max_bytes"));
            };
            self.meter.total_left.set(left);
        } else if let Some(left) = self.meter.headers_left.get() {
            let Some(left) = left.checked_sub(size) else {
                return Err(self.meter.exceed("headers_max_bytes"));
            };
            self.meter.headers_left.set(Some(left));
        }
        Ok(count)
    }
}

impl Meter {
    fn exceed(&self, limit: &'static str) -> io::Error {
        self.exceeded.set(Some(limit));
        io::Error::other(format!("more than {limit} allows"))
    }
}

/// How much may still be unpacked on the way down.
#[derive(Clone, Copy)]
struct Nesting {
    compression_left: bool,
    archive_left: bool,
}

/// Reads one file: unpacks what is packed, and hands the contents to the formats.
pub(crate) fn open(run: &mut Run<'_>, place: &Place, reader: Box<dyn Read + '_>) -> ControlFlow<()> {
    let meter = Meter {
        total_left: Rc::new(Cell::new(run.options.limits.decompressed_max_bytes)),
        headers_left: Rc::new(Cell::new(None)),
        exceeded: Rc::new(Cell::new(None)),
    };
    // The file itself is not metered here: if it is plain it has its own limit, and if it is packed
    // it is what comes out that counts.
    unpack(run, place, reader, &meter, Nesting { compression_left: true, archive_left: true })
}

fn unpack(
    run: &mut Run<'_>,
    place: &Place,
    mut reader: Box<dyn Read + '_>,
    meter: &Meter,
    nesting: Nesting,
) -> ControlFlow<()> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    if let Err(error) = reader.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head) {
        return unreadable(run, place, meter, &error);
    }
    let form = form(&head);
    let whole: Box<dyn Read + '_> = Box::new(Cursor::new(head).chain(reader));
    let decompressed = match form {
        Form::Plain => return content(run, place, whole, meter),
        Form::Foreign(what) => {
            let message = format!("a {what}; unpack it first (gzip, xz, zstd and tar are read)");
            return run.refuse(place, Reason::NotText, message);
        }
        Form::Tar if nesting.archive_left => return archive(run, place, whole, meter),
        Form::Tar => {
            return run.refuse(place, Reason::Limit, "an archive in an archive is not read".to_owned());
        }
        Form::Gzip | Form::Xz | Form::Zstd if !nesting.compression_left => {
            return run.refuse(place, Reason::Limit, "compressed twice, which is not read".to_owned());
        }
        Form::Gzip => Ok(Box::new(flate2::read::MultiGzDecoder::new(whole)) as Box<dyn Read + '_>),
        Form::Xz => xz(whole, run.options.limits.decompressor_max_bytes),
        Form::Zstd => zstd(whole, run.options.limits.decompressor_max_bytes),
    };
    match decompressed {
        Ok(inner) => {
            let inner = Box::new(Metered { inner, meter: meter.clone(), counted: Counted::Decompressed });
            unpack(run, place, inner, meter, Nesting { compression_left: false, ..nesting })
        }
        Err(error) => unreadable(run, place, meter, &error),
    }
}

fn xz<'a>(reader: Box<dyn Read + 'a>, memory_max: u64) -> io::Result<Box<dyn Read + 'a>> {
    let stream = liblzma::stream::Stream::new_stream_decoder(memory_max, liblzma::stream::CONCATENATED)?;
    Ok(Box::new(liblzma::read::XzDecoder::new_stream(reader, stream)))
}

fn zstd<'a>(reader: Box<dyn Read + 'a>, memory_max: u64) -> io::Result<Box<dyn Read + 'a>> {
    let mut decoder = zstd::stream::read::Decoder::new(reader)?;
    // The window is what a frame makes its reader hold; its limit is a power of two, at most 2 GiB.
    decoder.window_log_max(memory_max.max(1024).ilog2().min(31))?;
    Ok(Box::new(decoder))
}

/// Reads every plain member of an archive, in its order.
fn archive(run: &mut Run<'_>, place: &Place, reader: Box<dyn Read + '_>, meter: &Meter) -> ControlFlow<()> {
    let counted = Counted::Archived;
    let mut archive = tar::Archive::new(Metered { inner: reader, meter: meter.clone(), counted });
    let mut entries = match archive.entries() {
        Ok(entries) => entries,
        Err(error) => return unreadable(run, place, meter, &error),
    };
    let count_max = run.options.limits.member_count_max;
    let (mut count, mut passed_over) = (0, 0);
    loop {
        meter.headers_left.set(Some(HEADERS_MAX_BYTES.saturating_add(passed_over)));
        passed_over = 0;
        let entry = entries.next();
        meter.headers_left.set(None);
        let mut entry = match entry {
            None => return ControlFlow::Continue(()),
            Some(Ok(entry)) => entry,
            Some(Err(error)) => return unreadable(run, place, meter, &error),
        };
        count += 1;
        if count > count_max {
            let message = format!("more members than member_count_max ({count_max})");
            return run.refuse(place, Reason::Limit, message);
        }
        let member = place.member(&String::from_utf8_lossy(&entry.path_bytes()));
        let kind = entry.header().entry_type();
        if kind.is_gnu_sparse() {
            // Its holes would come out as zeros without end; it is passed over unread.
            passed_over = entry.header().entry_size().unwrap_or(0);
            run.refuse(&member, Reason::NotAFile, "a sparse file".to_owned())?;
            continue;
        }
        if kind.is_file() || kind.is_contiguous() {
            let nesting = Nesting { compression_left: true, archive_left: false };
            unpack(run, &member, Box::new(&mut entry), meter, nesting)?;
        } else if !(kind.is_dir() || kind.is_pax_global_extensions()) {
            run.refuse(&member, Reason::NotAFile, "not a plain file".to_owned())?;
        }
        // What was not read is passed over here, outside the limit on headers.
        if let Err(error) = io::copy(&mut entry, &mut io::sink()) {
            return unreadable(run, place, meter, &error);
        }
    }
}

/// Reads what is not packed any more, whole.
fn content(run: &mut Run<'_>, place: &Place, reader: Box<dyn Read + '_>, meter: &Meter) -> ControlFlow<()> {
    let max = run.options.limits.member_max_bytes;
    let mut bytes = Vec::new();
    if let Err(error) = reader.take(max.saturating_add(1)).read_to_end(&mut bytes) {
        return unreadable(run, place, meter, &error);
    }
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > max {
        return run.refuse(place, Reason::Limit, format!("larger than member_max_bytes ({max})"));
    }
    run.summary.files += 1;
    run.summary.bytes += size;
    crate::json::content(run, place, bytes)
}

fn unreadable(run: &mut Run<'_>, place: &Place, meter: &Meter, error: &io::Error) -> ControlFlow<()> {
    if let Some(limit) = meter.exceeded.get() {
        let max = match limit {
            "decompressed_max_bytes" => run.options.limits.decompressed_max_bytes,
            _ => HEADERS_MAX_BYTES,
        };
        return run.refuse(place, Reason::Limit, format!("holds more than {limit} ({max})"));
    }
    run.refuse(place, Reason::Unreadable, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_older_than_posix_is_told_by_its_checksum() {
        let mut header = tar::Header::new_old();
        header.set_path("a.txt").unwrap();
        header.set_size(0);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        assert_eq!(bytes.get(257..262), Some([0; 5].as_slice()));
        assert_eq!(form(&bytes), Form::Tar);
        bytes[0] = b'b';
        assert_eq!(form(&bytes), Form::Plain);
        assert_eq!(form(&[0; 512]), Form::Plain);
        assert_eq!(form(b"evil.example"), Form::Plain);
    }
}
