//! The opaque `next` of a chain of pages.
//!
//! A cursor holds where the chain stands (the date of the last object handed out) and where it ends (the instant at
//! which it was begun), and it is bound to the caller, the collection, the resource and the filter: sent with
//! anything else it is refused. It is encrypted, so it tells its holder nothing, and needs no memory in the hub.
//!
//! The nonce is derived from the content under a key of its own (as in AES-SIV), so that equal requests get equal
//! answers, byte for byte, and no two contents share a nonce.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use hmac::{Hmac, Mac};
use model::{CollectionId, Principal, Timestamp};
use sha2::{Digest, Sha256};

const FORMAT: u8 = 1;
const BINDING_LENGTH: usize = 16;
const CONTENT_LENGTH: usize = 1 + BINDING_LENGTH + 8 + 8;
const NONCE_LENGTH: usize = 12;

/// Seals and opens cursors.
pub(crate) struct CursorKey {
    cipher: ChaCha20Poly1305,
    nonce_key: [u8; 32],
}

/// Where a chain of pages stands and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) after: Timestamp,
    pub(crate) horizon: Timestamp,
}

/// What a cursor is bound to, as a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Binding([u8; BINDING_LENGTH]);

impl Binding {
    pub(crate) fn new(
        principal: &Principal,
        collection: CollectionId,
        resource: &str,
        filter: &[u8],
    ) -> Self {
        let mut hash = Sha256::new();
        for part in
            [principal.to_string().as_bytes(), collection.to_string().as_bytes(), resource.as_bytes(), filter]
        {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
        let mut bound = [0; BINDING_LENGTH];
        bound.copy_from_slice(&hash.finalize()[..BINDING_LENGTH]);
        Self(bound)
    }
}

impl CursorKey {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let derive = |purpose: &[u8]| -> [u8; 32] {
            let mut hash = Sha256::new();
            hash.update(b"ringfence-cursor-v1\n");
            hash.update(purpose);
            hash.update(secret);
            hash.finalize().into()
        };
        Self { cipher: ChaCha20Poly1305::new(&derive(b"cipher").into()), nonce_key: derive(b"nonce") }
    }

    pub(crate) fn seal(&self, cursor: Cursor, binding: Binding) -> String {
        let mut content = Vec::with_capacity(CONTENT_LENGTH);
        content.push(FORMAT);
        content.extend(binding.0);
        content.extend(cursor.after.as_micros().to_le_bytes());
        content.extend(cursor.horizon.as_micros().to_le_bytes());
        let nonce = self.nonce(&content);
        let sealed = self.cipher.encrypt(Nonce::from_slice(&nonce), content.as_slice()).unwrap_or_default();
        URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())
    }

    /// `None` for whatever this key did not seal for this binding.
    pub(crate) fn open(&self, text: &str, binding: Binding) -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LENGTH)?;
        let content = self.cipher.decrypt(Nonce::from_slice(nonce), sealed).ok()?;
        let (head, times) = content.split_at_checked(1 + BINDING_LENGTH)?;
        if head[0] != FORMAT || head[1..] != binding.0 || times.len() != 16 {
            return None;
        }
        let micros = |at: usize| Some(i64::from_le_bytes(times.get(at..at + 8)?.try_into().ok()?));
        Some(Cursor {
            after: Timestamp::from_micros(micros(0)?),
            horizon: Timestamp::from_micros(micros(8)?),
        })
    }

    fn nonce(&self, content: &[u8]) -> [u8; NONCE_LENGTH] {
        let mut nonce = [0; NONCE_LENGTH];
        nonce.copy_from_slice(&self.tag(content)[..NONCE_LENGTH]);
        nonce
    }

    /// A keyed hash, for entity tags: it tells nothing of what was hashed.
    pub(crate) fn tag(&self, content: &[u8]) -> [u8; 32] {
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(&self.nonce_key).expect("HMAC takes a key of any length");
        mac.update(content);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Role;

    #[test]
    fn a_cursor_opens_only_for_what_it_was_made_for() {
        let key = CursorKey::new(&[7; 32]);
        let collection: CollectionId = "a1b2c3d4-0000-4000-8000-000000000001".parse().unwrap();
        let other: CollectionId = "a1b2c3d4-0000-4000-8000-000000000002".parse().unwrap();
        let operator = Principal::Role(Role::Operator);
        let binding = Binding::new(&operator, collection, "objects", b"type=indicator");
        let cursor = Cursor { after: Timestamp::from_micros(41), horizon: Timestamp::from_micros(99) };
        let text = key.seal(cursor, binding);
        assert_eq!(key.open(&text, binding), Some(cursor));
        assert_eq!(key.seal(cursor, binding), text);
        let others = [
            Binding::new(&Principal::Role(Role::Reviewer), collection, "objects", b"type=indicator"),
            Binding::new(&operator, other, "objects", b"type=indicator"),
            Binding::new(&operator, collection, "manifest", b"type=indicator"),
            Binding::new(&operator, collection, "objects", b""),
        ];
        for binding in others {
            assert_eq!(key.open(&text, binding), None);
        }
        assert_eq!(CursorKey::new(&[8; 32]).open(&text, binding), None);
        for damaged in ["", "x", &text[1..], &format!("{text}A"), "AAAA"] {
            assert_eq!(key.open(damaged, binding), None, "{damaged}");
        }
    }
}
