//! The receipt: one text file that proves, offline, that an entry is in the log (C2SP tlog-proof).
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6
//! index 4
//! gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
//! B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
//! EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
//!
//! hub.example/jcsp
//! 7
//! sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=
//!
//! — hub.example/jcsp hI2DJw...
//! ```
//!
//! The lines after `index` are the inclusion proof, from the leaf up; then comes the checkpoint as it was
//! signed. The `extra` line carries what the entry is made from: for us an [`Opening`], without which the entry
//! is a bare commitment. A member keeps the file and needs only the log's key to use it in years.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError, Trust, parse_decimal};
use crate::entry::{Opening, OpeningError};
use crate::note::{NOTE_LEN_MAX, NoteError, SignedNote};
use crate::tree::{Hash, InvalidProof, leaf_hash, verify_inclusion};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The longest proof file that is parsed: a checkpoint, an opening of 1 MB in base64, and the hashes.
pub const PROOF_LEN_MAX: usize = NOTE_LEN_MAX + 2 * 1024 * 1024;

/// The most hashes of an inclusion proof: one for each level of a log of 2 to the power of 63 entries.
const HASHES_MAX: usize = 63;

/// Why a text is no proof, or proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// Longer than [`PROOF_LEN_MAX`].
    #[error("the proof is longer than {PROOF_LEN_MAX} bytes")]
    TooLong,
    /// A line is missing or malformed.
    #[error("the proof has no valid `{0}` line")]
    Line(&'static str),
    /// More hashes than any log's height.
    #[error("the proof has more than {HASHES_MAX} hashes")]
    TooManyHashes,
    /// The part after the blank line is no signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The checkpoint is not one to believe.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The hashes do not lead to the signed root.
    #[error(transparent)]
    Inclusion(#[from] InvalidProof),
    /// The proof has no opening, or a malformed one.
    #[error(transparent)]
    Opening(#[from] OpeningError),
}

/// A proof that some entry is in a log, checked in form only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Bytes for the application; they are not covered by any signature.
    pub extra: Option<Vec<u8>>,
    /// The position of the entry in the log.
    pub index: u64,
    /// The inclusion proof, from the leaf's sibling up.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint of the tree that the hashes lead to.
    pub checkpoint: SignedNote,
}

impl TlogProof {
    /// Checks that `entry` is in the trusted log, and returns the checkpoint that says so.
    pub fn verify(&self, trust: &Trust, entry: &[u8]) -> Result<Checkpoint, ProofError> {
        let opened = trust.open(self.checkpoint.to_string().as_bytes())?;
        let head = opened.checkpoint;
        verify_inclusion(&self.hashes, self.index, leaf_hash(entry), head.size, head.root)?;
        Ok(head)
    }

    /// Checks that the commitment to the enclosed opening is in the trusted log, and returns the opening.
    ///
    /// The `extra` line is not signed, but the opening in it is as good as signed once this succeeds: nobody
    /// finds another one with the same commitment.
    pub fn verify_opening(&self, trust: &Trust) -> Result<(Opening, Checkpoint), ProofError> {
        let opening = Opening::from_bytes(self.extra.as_deref().unwrap_or_default())?;
        let checkpoint = self.verify(trust, &opening.commitment())?;
        Ok((opening, checkpoint))
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", BASE64.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > PROOF_LEN_MAX {
            return Err(ProofError::TooLong);
        }
        // The first blank line ends the proof proper; the checkpoint has one of its own further down.
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofError::Line("checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(ProofError::Line("c2sp.org/tlog-proof@v1"));
        }
        let extra = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            Some(extra) => {
                lines.next();
                Some(BASE64.decode(extra).map_err(|_| ProofError::Line("extra"))?)
            }
            None => None,
        };
        let index = lines.next().and_then(|line| parse_decimal(line.strip_prefix("index ")?));
        let mut hashes = Vec::new();
        for line in lines {
            if hashes.len() == HASHES_MAX {
                return Err(ProofError::TooManyHashes);
            }
            hashes.push(line.parse().map_err(|_| ProofError::Line("hash"))?);
        }
        Ok(Self {
            extra,
            index: index.ok_or(ProofError::Line("index"))?,
            hashes,
            checkpoint: SignedNote::parse(checkpoint.as_bytes())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::note::NoteSigner;
    use crate::tree::{Frontier, inclusion_proof};

    fn opening(n: u8) -> Opening {
        Opening { salt: [n; 32], body: format!("{{\"n\":{n}}}").into_bytes() }
    }

    fn proof(index: u8, size: u8) -> (TlogProof, Trust) {
        let signer = NoteSigner::from_seed("hub.example/jcsp".parse().unwrap(), &[7; 32]);
        let mut frontier = Frontier::new();
        let mut nodes = BTreeMap::new();
        for n in 0..size {
            frontier.append_with(leaf_hash(&opening(n).commitment()), |node, hash| {
                nodes.insert(node, hash);
            });
        }
        let trust = Trust::in_key(signer.verifier()).unwrap();
        let head = Checkpoint::new(trust.origin.clone(), frontier.size(), frontier.root());
        let hashes = inclusion_proof(index.into(), size.into(), &mut nodes).unwrap();
        let extra = Some(opening(index).to_bytes());
        (TlogProof { extra, index: index.into(), hashes, checkpoint: head.sign(&[&signer]) }, trust)
    }

    #[test]
    fn a_receipt_proves_its_opening_and_nothing_else() {
        let (proof, trust) = proof(4, 7);
        let read: TlogProof = proof.to_string().parse().unwrap();
        assert_eq!(read, proof);
        let (got, head) = read.verify_opening(&trust).unwrap();
        assert_eq!((got, head.size), (opening(4), 7));
        let moved = TlogProof { index: 5, ..proof.clone() };
        assert_eq!(moved.verify_opening(&trust), Err(InvalidProof.into()));
        let swapped = TlogProof { extra: Some(opening(5).to_bytes()), ..proof.clone() };
        assert_eq!(swapped.verify_opening(&trust), Err(InvalidProof.into()));
        let bare = TlogProof { extra: None, ..proof.clone() };
        assert_eq!(bare.verify_opening(&trust), Err(OpeningError::TooShort.into()));
        assert!(bare.verify(&trust, &opening(4).commitment()).is_ok());
        assert_eq!(bare.to_string().parse(), Ok(bare));
        let stranger = NoteSigner::from_seed("hub.example/jcsp".parse().unwrap(), &[8; 32]);
        let trust = Trust::in_key(stranger.verifier()).unwrap();
        let unsigned = ProofError::Checkpoint(NoteError::Unsigned.into());
        assert_eq!(proof.verify_opening(&trust), Err(unsigned));
    }

    #[test]
    fn a_log_of_one_entry_needs_no_hashes() {
        let (proof, trust) = proof(0, 1);
        assert!(proof.hashes.is_empty());
        let read: TlogProof = proof.to_string().parse().unwrap();
        assert!(read.verify_opening(&trust).is_ok());
    }

    #[test]
    fn a_malformed_proof_is_refused_with_its_reason() {
        let good = proof(4, 7).0.to_string();
        let hash = format!("{}\n", proof(4, 7).0.hashes[0]);
        let cases = [
            (String::new(), ProofError::Line("checkpoint")),
            (good.replace("@v1", "@v2"), ProofError::Line("c2sp.org/tlog-proof@v1")),
            (good.replace("index 4\n", ""), ProofError::Line("index")),
            (good.replace("index 4", "index 04"), ProofError::Line("index")),
            (good.replace("index 4", "index 99999999999999999999"), ProofError::Line("index")),
            (good.replace("extra ", "extra !"), ProofError::Line("extra")),
            (good.replace(&hash, "AAAA\n"), ProofError::Line("hash")),
            (good.replace(&hash, &hash.repeat(HASHES_MAX)), ProofError::TooManyHashes),
            (good.trim_end().to_owned(), ProofError::Note(NoteError::Form)),
            ("\n".repeat(PROOF_LEN_MAX + 1), ProofError::TooLong),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<TlogProof>(), Err(want), "{text:.200}");
        }
    }

    proptest! {
        #[test]
        fn any_damage_is_parsed_or_refused(at in any::<prop::sample::Index>(), with in any::<char>()) {
            let (proof, trust) = proof(4, 7);
            let mut chars: Vec<char> = proof.to_string().chars().collect();
            let at = at.index(chars.len());
            prop_assume!(chars[at] != with);
            chars[at] = with;
            let text: String = chars.into_iter().collect();
            // Whatever still parses is written the same, and no damaged receipt proves what the whole one did.
            if let Ok(read) = text.parse::<TlogProof>() {
                prop_assert_eq!(read.to_string(), text);
                prop_assert!(read.verify_opening(&trust).is_err());
            }
        }
    }
}
