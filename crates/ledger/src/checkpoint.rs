//! The signed head of the log (C2SP tlog-checkpoint).
//!
//! A checkpoint is a [signed note](crate::note) whose text says which log it is, how many entries it has, and
//! what the root over them is:
//!
//! ```text
//! hub.example/jcsp
//! 70000
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — hub.example/jcsp Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//! ```
//!
//! The operator that signs two checkpoints that are not prefixes of each other has proved its own fraud.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::note::{KeyName, NoteError, NoteSigner, NoteVerifier, SignedNote};
use crate::tree::{Hash, LOG_SIZE_MAX};

/// Which log it is. Written without a scheme, like `hub.example/jcsp`; never empty, one line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// The origin as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.contains(|c: char| c < ' ') {
            return Err(CheckpointError::Origin);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Why a text is no checkpoint, or not one to believe.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The origin line is empty or has control characters.
    #[error("an origin is one line that is not empty")]
    Origin,
    /// Not three lines with an end.
    #[error("a checkpoint has an origin, a size and a root, and no empty lines")]
    Form,
    /// The size is no plain decimal number up to [`LOG_SIZE_MAX`].
    #[error("`{text}` is no tree size")]
    Size { text: String },
    /// The root is not the base64 of 32 bytes.
    #[error("`{text}` is no root hash")]
    Root { text: String },
    /// The checkpoint is of another log.
    #[error("the checkpoint is of `{got}`, not of `{want}`")]
    OtherLog { got: Origin, want: Origin },
}

/// The head of a log: so many entries, with this root over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// How many entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// Further lines, kept because they are signed too. We write none.
    ///
    /// INVARIANT: each is one line that is not empty.
    extensions: Vec<String>,
}

impl Checkpoint {
    /// The head of a log, without extension lines.
    #[must_use]
    pub fn new(origin: Origin, size: u64, root: Hash) -> Self {
        Self { origin, size, root, extensions: Vec::new() }
    }

    /// Signs the head. The log's own key comes first, and by custom has the origin as its name.
    #[must_use]
    pub fn sign(&self, signers: &[&NoteSigner]) -> SignedNote {
        // INVARIANT: origin, number, base64 and extension lines make the text of a note.
        SignedNote::of_text(self.to_string(), signers)
    }
}

/// Writes the text of the note: three lines, and extensions if it was read with some.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Form)?.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError::Form);
        let (origin, size, root) = (line()?, line()?, line()?);
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(|line| line.is_empty() || line.contains(|c: char| c < ' ')) {
            return Err(CheckpointError::Form);
        }
        Ok(Self {
            origin: origin.parse()?,
            size: parse_decimal(size).ok_or_else(|| CheckpointError::Size { text: size.to_owned() })?,
            root: root.parse().map_err(|_| CheckpointError::Root { text: root.to_owned() })?,
            extensions,
        })
    }
}

/// Parses a plain decimal up to [`LOG_SIZE_MAX`]: no sign, no leading zero.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|number| plain && *number <= LOG_SIZE_MAX)
}

/// What one must know beforehand to believe a checkpoint: which log, and whose signatures count.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The log.
    pub origin: Origin,
    /// The log's keys; more than one while a key is being replaced. A witness's key does not belong here.
    pub keys: Vec<NoteVerifier>,
}

impl Trust {
    /// Trust in the log that is named after its key, which is the custom.
    ///
    /// # Errors
    ///
    /// Fails only for a key name that cannot be an origin, and there is none.
    pub fn in_key(key: NoteVerifier) -> Result<Self, CheckpointError> {
        Ok(Self { origin: key.name().as_str().parse()?, keys: vec![key] })
    }

    /// Parses a signed checkpoint and checks it.
    pub fn open(&self, bytes: &[u8]) -> Result<Opened, CheckpointError> {
        let note = SignedNote::parse(bytes)?;
        // Nothing of the text is looked at before a signature over it was checked.
        let signed_by = note.verify(&self.keys)?.iter().map(|key| key.name().clone()).collect();
        let checkpoint: Checkpoint = note.text().parse()?;
        if checkpoint.origin != self.origin {
            return Err(CheckpointError::OtherLog { got: checkpoint.origin, want: self.origin.clone() });
        }
        Ok(Opened { checkpoint, signed_by })
    }
}

/// A checkpoint whose signature was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The head of the log.
    pub checkpoint: Checkpoint,
    /// The known keys that signed it, at least one.
    pub signed_by: Vec<KeyName>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::EMPTY_ROOT;

    fn signer(name: &str, seed: u8) -> NoteSigner {
        NoteSigner::from_seed(name.parse().unwrap(), &[seed; 32])
    }

    fn head(origin: &str, size: u64) -> Checkpoint {
        Checkpoint::new(origin.parse().unwrap(), size, EMPTY_ROOT)
    }

    #[test]
    fn a_checkpoint_is_three_lines() {
        let text = "hub.example/jcsp\n70000\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
        assert_eq!(head("hub.example/jcsp", 70_000).to_string(), text);
        assert_eq!(text.parse(), Ok(head("hub.example/jcsp", 70_000)));
        let extended = format!("{text}more\nand more\n");
        assert_eq!(extended.parse::<Checkpoint>().unwrap().to_string(), extended);
    }

    #[test]
    fn a_malformed_checkpoint_is_refused_with_its_reason() {
        let root = EMPTY_ROOT.to_string();
        let size = |text: &str| CheckpointError::Size { text: text.to_owned() };
        let cases = [
            (String::new(), CheckpointError::Form),
            (format!("o\n1\n{root}"), CheckpointError::Form),
            ("o\n1\n".to_owned(), CheckpointError::Form),
            (format!("\n1\n{root}\n"), CheckpointError::Form),
            (format!("o\n1\n{root}\n\nmore\n"), CheckpointError::Form),
            (format!("o\n01\n{root}\n"), size("01")),
            (format!("o\n+1\n{root}\n"), size("+1")),
            (format!("o\n-1\n{root}\n"), size("-1")),
            (format!("o\n9223372036854775808\n{root}\n"), size("9223372036854775808")),
            ("o\n1\nAAAA\n".to_owned(), CheckpointError::Root { text: "AAAA".to_owned() }),
            (format!("o\t\n1\n{root}\n"), CheckpointError::Origin),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<Checkpoint>(), Err(want), "{text}");
        }
        assert!(format!("o\n9223372036854775807\n{root}\n").parse::<Checkpoint>().is_ok());
        assert!(format!("o\n0\n{root}\n").parse::<Checkpoint>().is_ok());
    }

    #[test]
    fn trust_opens_its_own_log_only() {
        let (log, witness) = (signer("hub.example/jcsp", 1), signer("witness.example", 2));
        let trust = Trust::in_key(log.verifier()).unwrap();
        let open = |note: SignedNote| trust.open(note.to_string().as_bytes());
        let mine = head("hub.example/jcsp", 5);
        let opened = open(mine.sign(&[&log, &witness])).unwrap();
        assert_eq!(
            opened,
            Opened { checkpoint: mine.clone(), signed_by: vec![log.verifier().name().clone()] }
        );
        assert_eq!(open(mine.sign(&[&witness])), Err(NoteError::Unsigned.into()));
        let other = head("hub.example/other", 5);
        let want = CheckpointError::OtherLog { got: other.origin.clone(), want: mine.origin.clone() };
        assert_eq!(open(other.sign(&[&log])), Err(want));
        // A signed note that is no checkpoint.
        let note = SignedNote::sign("hello\n".to_owned(), &[&log]).unwrap();
        assert_eq!(open(note), Err(CheckpointError::Form));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "([a-z]{0,3}\n){0,2}[0-9+-]{0,4}\n([A-Za-z0-9+/]{43}=)?\n(.|\n){0,9}") {
            if let Ok(checkpoint) = text.parse::<Checkpoint>() {
                prop_assert_eq!(checkpoint.to_string(), text);
            }
        }
    }
}
