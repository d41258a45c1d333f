//! Archives: zip, gzip, tar, told by their first bytes and not by their names. Others are known by theirs too, so that it is counted that
//! nobody looked into them.
//!
//! Nothing that an archive says of sizes is believed. What comes out is counted as it comes, against three limits: of one file, of
//! the whole mail, and of the ratio to what went in.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder};
use memchr::memmem;

use super::{Unexamined, Walk};

/// Below this, no ratio is suspicious.
const RATIO_FROM_BYTES: usize = 1024 * 1024;
const PIECE_BYTES: usize = 64 * 1024;

/// A file's entry in a zip archive, as one of its two tables has it.
#[derive(Debug)]
struct Entry<'a> {
    name: &'a [u8],
    is_encrypted: bool,
    method: u16,
    /// The packed bytes; when their number is not known, all that follow.
    packed: &'a [u8],
}

impl Walk<'_> {
    /// Looks into an archive; false if it is none.
    pub(super) fn archive(&mut self, bytes: &[u8], depth: usize, is_cut: bool) -> bool {
        let is_zip = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06");
        let has_gzip_mark = bytes.starts_with(b"\x1f\x8b\x08");
        let is_tar = bytes.get(257..262) == Some(b"ustar");
        if !is_zip && !has_gzip_mark && !is_tar {
            let is_closed = is_closed(bytes);
            if is_closed {
                self.skip(Unexamined::UnknownPacking);
            }
            return is_closed;
        }
        if depth >= self.limits.depth_max {
            self.skip(Unexamined::TooDeep);
            return true;
        }
        if is_cut {
            // Its tables may be gone; what can be read of it is.
            self.skip(Unexamined::BrokenArchive);
        }
        if is_zip {
            self.zip(bytes, depth);
        } else if has_gzip_mark {
            if let Some(content) = self.unpack(&mut MultiGzDecoder::new(bytes), bytes.len()) {
                self.hashes(&content);
                self.content(&content, None, "", depth + 1, false);
            }
        } else {
            self.tar(bytes, depth);
        }
        true
    }

    fn zip(&mut self, bytes: &[u8], depth: usize) {
        // Programs go by the table at the end; those that repair go by what stands before each file. Whoever wants to be
        // read by one and missed by the other lets them differ, so both are read where they do.
        let listed = central(bytes);
        if let Some(listed) = &listed {
            for entry in listed {
                self.zip_entry(entry, depth);
            }
        }
        let listed = listed.unwrap_or_default();
        let local = local(bytes);
        let is_same = |entry: &Entry<'_>| {
            listed
                .iter()
                .any(|known| known.name == entry.name && known.packed.as_ptr() == entry.packed.as_ptr())
        };
        // Comparing each with each is for archives of honest size only.
        if listed.is_empty() || (listed.len() != local.len() && listed.len() <= 256) {
            if listed.is_empty() && local.is_empty() && !bytes.starts_with(b"PK\x05\x06") {
                self.skip(Unexamined::BrokenArchive);
            }
            for entry in local.iter().filter(|entry| !is_same(entry)) {
                self.zip_entry(entry, depth);
            }
        } else if listed.len() == local.len() {
            for (entry, known) in local.iter().zip(&listed) {
                if entry.name != known.name {
                    self.file_name(&String::from_utf8_lossy(entry.name));
                }
            }
        }
    }

    fn zip_entry(&mut self, entry: &Entry<'_>, depth: usize) {
        if !self.another_member() || entry.name.ends_with(b"/") {
            return;
        }
        self.file_name(&String::from_utf8_lossy(entry.name));
        let content = match (entry.is_encrypted, entry.method) {
            (true, _) => return self.skip(Unexamined::Encrypted),
            (false, 0) => self.unpack(&mut { entry.packed }, entry.packed.len()),
            (false, 8) => self.unpack(&mut DeflateDecoder::new(entry.packed), entry.packed.len()),
            (false, _) => return self.skip(Unexamined::UnknownPacking),
        };
        if let Some(content) = content {
            self.member(&content, depth);
        }
    }

    fn tar(&mut self, bytes: &[u8], depth: usize) {
        let mut archive = tar::Archive::new(bytes);
        let Ok(entries) = archive.entries() else { return self.skip(Unexamined::BrokenArchive) };
        for entry in entries {
            let Ok(mut entry) = entry else { return self.skip(Unexamined::BrokenArchive) };
            if !self.another_member() {
                return;
            }
            if entry.header().entry_type().is_dir() {
                continue;
            }
            let name = entry.path_bytes().into_owned();
            self.file_name(&String::from_utf8_lossy(&name));
            // A file with holes may be far larger than its archive.
            let packed =
                usize::try_from(entry.header().entry_size().unwrap_or(0)).unwrap_or(0).min(bytes.len());
            if let Some(content) = self.unpack(&mut entry, packed) {
                self.member(&content, depth);
            }
        }
    }

    fn member(&mut self, content: &[u8], depth: usize) {
        self.hashes(content);
        if looks_like_mail(content) {
            return self.mail(content, depth + 1, false);
        }
        self.content(content, None, "", depth + 1, false);
    }

    fn another_member(&mut self) -> bool {
        if self.members >= self.limits.members_max {
            self.skip(Unexamined::TooManyMembers);
            return false;
        }
        self.members += 1;
        true
    }

    /// What a file unpacks to, if it is whole and within the limits.
    fn unpack(&mut self, packed: &mut dyn Read, packed_bytes: usize) -> Option<Vec<u8>> {
        let left = self.limits.unpacked_bytes_max.saturating_sub(self.unpacked_bytes);
        let most = left.min(self.limits.member_bytes_max);
        let ratio_most = packed_bytes.saturating_mul(self.limits.ratio_max).max(RATIO_FROM_BYTES);
        let mut content = Vec::new();
        let reason = loop {
            let begin = content.len();
            content.resize(begin + PIECE_BYTES, 0);
            let read = packed.read(&mut content[begin..]);
            content.truncate(begin + *read.as_ref().unwrap_or(&0));
            self.unpacked_bytes += content.len() - begin;
            match read {
                Ok(0) => return Some(content),
                Ok(_) if content.len() > most => break Unexamined::UnpackedTooLarge,
                Ok(_) if content.len() > ratio_most => break Unexamined::Ratio,
                Ok(_) => (),
                Err(_) => break Unexamined::BrokenArchive,
            }
        };
        self.skip(reason);
        // What could be read of it is still worth a look; a digest of a part is worth nothing.
        None
    }
}

/// Whether it is an archive, a packed file or a disk's image of a kind that is not looked into.
fn is_closed(bytes: &[u8]) -> bool {
    /// 7z, RAR, xz, Zstandard, LZ4, cabinets, and what compress(1) made.
    const MARKS: [&[u8]; 7] = [
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!\x1a\x07",
        b"\xfd7zXZ\x00",
        b"\x28\xb5\x2f\xfd",
        b"\x04\x22\x4d\x18",
        b"MSCF\x00\x00\x00\x00",
        b"\x1f\x9d",
    ];
    // A bzip2 file's first block begins with the digits of pi; an empty one has none.
    let is_bzip2 = bytes.starts_with(b"BZh")
        && bytes.get(4..10).is_some_and(|mark| mark == b"1AY&SY" || mark == b"\x17\x72\x45\x38\x50\x90");
    // ISO 9660 §8.1.2 and UDF have their marks behind 16 sectors.
    let is_disk = bytes.get(32_769..32_774).is_some_and(|mark| mark == b"CD001" || mark == b"BEA01");
    is_bzip2 || is_disk || MARKS.iter().any(|mark| bytes.starts_with(mark))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

/// The files of the table at a zip archive's end (APPNOTE 6.3.10, §4.3.12), or `None` if there is no such table.
fn central(bytes: &[u8]) -> Option<Vec<Entry<'_>>> {
    let end = memmem::rfind(bytes, b"PK\x05\x06")?;
    let size = u32_at(bytes, end + 12)?;
    let offset = u32_at(bytes, end + 16)?;
    // Something may stand before the archive, so that its offsets are too small: a program that unpacks itself.
    let begin = end.checked_sub(size)?;
    let shift = begin.checked_sub(offset)?;
    let mut entries = Vec::new();
    let mut at = begin;
    while bytes.get(at..at + 4) == Some(b"PK\x01\x02") {
        let name_bytes = usize::from(u16_at(bytes, at + 28)?);
        let extra_bytes = usize::from(u16_at(bytes, at + 30)?) + usize::from(u16_at(bytes, at + 32)?);
        let name = bytes.get(at + 46..at + 46 + name_bytes)?;
        let packed_bytes = u32_at(bytes, at + 20)?;
        let header = u32_at(bytes, at + 42)?.checked_add(shift)?;
        let inner = usize::from(u16_at(bytes, header + 26)?) + usize::from(u16_at(bytes, header + 28)?);
        let rest = bytes.get(header + 30 + inner..)?;
        entries.push(Entry {
            name,
            is_encrypted: u16_at(bytes, at + 8)? & 1 == 1,
            method: u16_at(bytes, at + 10)?,
            packed: &rest[..packed_bytes.min(rest.len())],
        });
        at += 46 + name_bytes + extra_bytes;
    }
    (!entries.is_empty()).then_some(entries)
}

/// The files by what stands before each of them (APPNOTE 6.3.10, §4.3.7).
fn local(bytes: &[u8]) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memmem::find(rest, b"PK\x03\x04")) {
        at += found;
        let Some(entry) = local_at(bytes, at) else { break };
        at += 30 + entry.name.len();
        // Sizes may come behind the file; then the next mark is sought from here.
        if entry.packed.len() < bytes.len().saturating_sub(at) {
            at += entry.packed.len();
        }
        entries.push(entry);
        if entries.len() > 10_000 {
            break;
        }
    }
    entries
}

fn local_at(bytes: &[u8], at: usize) -> Option<Entry<'_>> {
    let flags = u16_at(bytes, at + 6)?;
    let name_bytes = usize::from(u16_at(bytes, at + 26)?);
    let extra_bytes = usize::from(u16_at(bytes, at + 28)?);
    let name = bytes.get(at + 30..at + 30 + name_bytes)?;
    let rest = bytes.get(at + 30 + name_bytes + extra_bytes..)?;
    let is_told_later = flags & 8 == 8;
    let packed_bytes = if is_told_later { rest.len() } else { u32_at(bytes, at + 18)?.min(rest.len()) };
    Some(Entry {
        name,
        is_encrypted: flags & 1 == 1,
        method: u16_at(bytes, at + 8)?,
        packed: &rest[..packed_bytes],
    })
}

/// A mail in an archive has no type that says so.
fn looks_like_mail(content: &[u8]) -> bool {
    let head = &content[..content.len().min(2048)];
    let has = |name: &[u8]| memmem::find_iter(head, name).any(|at| at == 0 || head[at - 1] == b'\n');
    (has(b"Received: ") || has(b"From: ")) && (has(b"Subject: ") || has(b"MIME-Version: ") || has(b"Date: "))
}
