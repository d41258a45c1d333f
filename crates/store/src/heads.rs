//! The heads of a segment: what manifests, filters and version order need, without touching the bodies.
//!
//! Encoded, so that any one record is reached without reading those before it (numbers little-endian):
//!
//! ```text
//! count u32 | body end u32 x count | record start u32 x count | records
//! record: flags u8 | id length u16 | id | version length u8 | version
//! ```

use thiserror::Error;

/// The known head of one stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadRecord {
    /// The STIX id.
    pub id: String,
    /// The version as the object spells it (`modified`, else `created`), or empty if it has none.
    pub version: String,
    /// Whether the object is revoked.
    pub revoked: bool,
}

impl HeadRecord {
    /// The STIX type, which is the part of the id before `--`.
    #[must_use]
    pub fn object_type(&self) -> &str {
        self.id.split_once("--").map_or("", |(kind, _)| kind)
    }
}

/// Bytes that are not the heads of a segment.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the heads of a segment are damaged")]
pub struct HeadsError;

const REVOKED: u8 = 1;

/// The encoded heads of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads {
    bytes: Vec<u8>,
    count: u32,
}

impl Heads {
    /// Encodes records and the ends of their bodies; both have one entry an object.
    #[must_use]
    pub fn encode(records: &[HeadRecord], ends: &[u32]) -> Self {
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(4 + records.len() * 96);
        bytes.extend(count.to_le_bytes());
        for end in ends {
            bytes.extend(end.to_le_bytes());
        }
        let mut at = 0_u32;
        for record in records {
            bytes.extend(at.to_le_bytes());
            at += u32::try_from(4 + record.id.len() + record.version.len()).unwrap_or(u32::MAX);
        }
        for record in records {
            bytes.push(if record.revoked { REVOKED } else { 0 });
            bytes.extend(u16::try_from(record.id.len()).unwrap_or(u16::MAX).to_le_bytes());
            bytes.extend(record.id.as_bytes());
            bytes.push(u8::try_from(record.version.len()).unwrap_or(u8::MAX));
            bytes.extend(record.version.as_bytes());
        }
        Self { bytes, count }
    }

    /// Takes up encoded heads.
    ///
    /// # Errors
    ///
    /// Refuses bytes that are too short for the count they name.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, HeadsError> {
        let count = read_u32(&bytes, 0).ok_or(HeadsError)?;
        let table = usize::try_from(count).ok().and_then(|n| n.checked_mul(8)).ok_or(HeadsError)?;
        if bytes.len() < table + 4 {
            return Err(HeadsError);
        }
        Ok(Self { bytes, count })
    }

    /// The encoded bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many objects.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Where the body of object `index` ends among the joined bodies, in bytes.
    #[must_use]
    pub fn end(&self, index: u32) -> Option<u32> {
        if index >= self.count {
            return None;
        }
        read_u32(&self.bytes, 4 + usize::try_from(index).ok()? * 4)
    }

    /// How many bytes the body of object `index` has.
    #[must_use]
    pub fn length(&self, index: u32) -> Option<u32> {
        let start = if index == 0 { 0 } else { self.end(index - 1)?.saturating_add(1) };
        Some(self.end(index)?.saturating_sub(start))
    }

    /// The head of object `index`.
    #[must_use]
    pub fn record(&self, index: u32) -> Option<HeadRecord> {
        if index >= self.count {
            return None;
        }
        let (count, index) = (usize::try_from(self.count).ok()?, usize::try_from(index).ok()?);
        let starts = 4 + count * 4;
        let start = usize::try_from(read_u32(&self.bytes, starts + index * 4)?).ok()?;
        let at = starts + count * 4 + start;
        let flags = *self.bytes.get(at)?;
        let id_length = usize::from(u16::from_le_bytes(self.bytes.get(at + 1..at + 3)?.try_into().ok()?));
        let id = std::str::from_utf8(self.bytes.get(at + 3..at + 3 + id_length)?).ok()?.to_owned();
        let version_at = at + 3 + id_length;
        let version_length = usize::from(*self.bytes.get(version_at)?);
        let version = self.bytes.get(version_at + 1..version_at + 1 + version_length)?;
        Some(HeadRecord {
            id,
            version: std::str::from_utf8(version).ok()?.to_owned(),
            revoked: flags & REVOKED != 0,
        })
    }
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, version: &str, revoked: bool) -> HeadRecord {
        HeadRecord { id: id.to_owned(), version: version.to_owned(), revoked }
    }

    #[test]
    fn every_record_comes_back() {
        let records = [
            record("indicator--1", "2016-01-01T00:00:00Z", false),
            record("ipv4-addr--2", "", false),
            record("a--b", "x", true),
        ];
        let heads = Heads::encode(&records, &[10, 20, 35]);
        let back = Heads::decode(heads.as_bytes().to_vec()).unwrap();
        for (index, want) in (0..).zip(&records) {
            assert_eq!(back.record(index).as_ref(), Some(want));
        }
        assert_eq!(
            [back.end(0), back.end(1), back.end(2), back.end(3)],
            [Some(10), Some(20), Some(35), None]
        );
        assert_eq!(back.record(3), None);
        assert_eq!(records[1].object_type(), "ipv4-addr");
    }

    #[test]
    fn damaged_heads_are_refused_or_read_as_nothing() {
        assert_eq!(Heads::decode(vec![1, 0]), Err(HeadsError));
        assert_eq!(Heads::decode(vec![255, 255, 255, 255, 0]), Err(HeadsError));
        let cut = Heads::decode(Heads::encode(&[record("a--b", "v", false)], &[1]).as_bytes()[..14].to_vec())
            .unwrap();
        assert_eq!(cut.record(0), None);
    }
}
