//! What the guard keeps to itself: one file, made at the first start, readable by its owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::hold::HoldKey;

const SEED_BYTES: usize = 32;

/// All secrets of a guard, drawn from one seed.
pub struct Secrets {
    seed: [u8; SEED_BYTES],
}

impl Secrets {
    /// Secrets from a seed.
    #[must_use]
    pub fn new(seed: [u8; SEED_BYTES]) -> Self {
        Self { seed }
    }

    /// Reads the seed from a file, or writes `fresh` into a new one.
    ///
    /// # Errors
    ///
    /// Fails if the file can neither be read nor made, or holds something else.
    pub fn load_or_make(path: &Path, fresh: [u8; SEED_BYTES]) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => {
                let bytes = hex::decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
                let told = "is not 64 hexadecimal digits; restore it, or remove it together with the data";
                bytes.map(Self::new).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, told))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
                file.write_all(hex::encode(fresh).as_bytes())?;
                file.sync_all()?;
                Ok(Self::new(fresh))
            }
            Err(error) => Err(error),
        }
    }

    fn draw(&self, purpose: &str) -> [u8; 32] {
        let hash = Sha256::new().chain_update(b"ringfence-guard\n").chain_update(purpose).chain_update(b"\n");
        hash.chain_update(self.seed).finalize().into()
    }

    /// The key of the encrypted store.
    #[must_use]
    pub fn hold_key(&self) -> HoldKey {
        HoldKey::new(self.draw("hold"))
    }

    /// The key of the zones' journals.
    #[must_use]
    pub fn journal_key(&self) -> [u8; 32] {
        self.draw("journal")
    }

    /// The key of held mail.
    #[must_use]
    pub fn mail_key(&self) -> [u8; 32] {
        self.draw("mail")
    }

    /// What makes opaque references opaque.
    #[must_use]
    pub fn reference_salt(&self) -> [u8; 16] {
        let drawn = self.draw("reference");
        std::array::from_fn(|at| drawn[at])
    }

    /// What makes the ids of reported facts this guard's own.
    #[must_use]
    pub fn fact_salt(&self) -> Uuid {
        let drawn = self.draw("fact");
        Uuid::from_bytes(std::array::from_fn(|at| drawn[at]))
    }

    /// Signs what the guard certifies: the public key and the signature, in base64.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> (String, String) {
        let key = SigningKey::from_bytes(&self.draw("sign"));
        (STANDARD.encode(key.verifying_key().as_bytes()), STANDARD.encode(key.sign(text).to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};

    #[test]
    fn secrets_are_made_once_and_differ_by_purpose() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/guard.key");
        let first = Secrets::load_or_make(&path, [1; 32]).unwrap();
        let again = Secrets::load_or_make(&path, [2; 32]).unwrap();
        assert_eq!(first.journal_key(), again.journal_key());
        assert_ne!(first.journal_key(), first.mail_key());
        fs::write(&path, "what").unwrap();
        assert!(Secrets::load_or_make(&path, [3; 32]).is_err());
    }

    #[test]
    fn a_signature_verifies_and_of_other_words_does_not() {
        let (key, signature) = Secrets::new([7; 32]).sign(b"disposed");
        let bytes = |text: &str| STANDARD.decode(text).unwrap();
        let key = VerifyingKey::from_bytes(&bytes(&key).try_into().unwrap()).unwrap();
        let signature = Signature::from_bytes(&bytes(&signature).try_into().unwrap());
        assert!(key.verify(b"disposed", &signature).is_ok());
        assert!(key.verify(b"kept", &signature).is_err());
    }
}
