//! A segment that is being put together.

use model::Timestamp;
use sha2::{Digest, Sha256};
use store::{HeadRecord, Segment, SegmentId};

/// A segment that is being put together.
#[derive(Default)]
pub(crate) struct Building {
    heads: Vec<HeadRecord>,
    ends: Vec<u32>,
    bodies: Vec<u8>,
}

impl Building {
    /// Adds an object and returns its number.
    pub(crate) fn push(&mut self, head: HeadRecord, body: &[u8]) -> u32 {
        if !self.heads.is_empty() {
            self.bodies.push(b',');
        }
        self.bodies.extend_from_slice(body);
        self.ends.push(u32::try_from(self.bodies.len()).unwrap_or(u32::MAX));
        self.heads.push(head);
        u32::try_from(self.heads.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn finish(self, id: SegmentId, collection: model::CollectionId, at: Timestamp) -> Segment {
        let digest = Sha256::digest(&self.bodies).into();
        Segment { id, collection, at, heads: self.heads, ends: self.ends, bodies: self.bodies, digest }
    }
}
