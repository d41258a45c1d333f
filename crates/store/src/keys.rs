//! By which hashes of ids stores find objects and references.

use sha2::{Digest, Sha256};

/// The hash by which an id is found: the first 8 bytes of its SHA-256. Whoever finds a place compares the id itself.
#[must_use]
pub fn id_hash(id: &str) -> i64 {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    let mut short = [0; 8];
    short.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(short)
}

/// What stands for an id among the references: the first 16 bytes of its SHA-256, because nothing else is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferenceKey(pub [u8; 16]);

impl ReferenceKey {
    /// The key of an id.
    #[must_use]
    pub fn of(id: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
        let mut long = [0; 16];
        long.copy_from_slice(&digest[..16]);
        Self(long)
    }
}
