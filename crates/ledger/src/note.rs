//! Signed notes (C2SP signed-note): a text, a blank line, and one line for each signature.
//!
//! ```text
//! This is an example message.
//!
//! — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
//! ```
//!
//! A signature line names its key and carries, in base64, the key's four-byte id and the signature over the
//! text. The id is the start of `SHA-256(name ‖ "\n" ‖ 0x01 ‖ public key)`; it picks the key and proves nothing.
//! Whoever wants to verify needs the key beforehand, as a *vkey*:
//!
//! ```text
//! example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k
//! ```
//!
//! Only Ed25519 (type 0x01) is made and checked here; lines of other keys and types are carried and ignored,
//! as the standard demands, so that witnesses and other algorithms can sign the same note.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature as Ed25519Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// The longest note that is parsed: room for [`SIGNATURES_MAX`] post-quantum signatures of 5 kB.
pub const NOTE_LEN_MAX: usize = 256 * 1024;

/// The most signature lines that are parsed; the standard asks for at least 16.
pub const SIGNATURES_MAX: usize = 32;

/// The signature type identifier of plain Ed25519.
const ED25519: u8 = 0x01;

/// The name of a key: not empty, without spaces (in the sense of Unicode), `+` and control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if text.is_empty() || text.contains(bad) {
            return Err(ParseKeyError::Name);
        }
        Ok(Self(text.to_owned()))
    }
}

/// The four bytes that, with the name, pick a key. Written in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    /// The id that the standard recommends for a key of any type.
    #[must_use]
    pub fn of(name: &KeyName, signature_type: u8, public_key: &[u8]) -> Self {
        let hash = Sha256::new()
            .chain_update(name.as_str())
            .chain_update([b'\n', signature_type])
            .chain_update(public_key)
            .finalize();
        Self([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseKeyError {
    /// Empty, or with a space, a `+` or a control character.
    #[error("a key name is not empty and has no spaces, no `+` and no control characters")]
    Name,
    /// Not name, id and key, joined by `+`.
    #[error("a key is written `name+id+base64`")]
    Form,
    /// Not an Ed25519 key.
    #[error("only Ed25519 keys (type 1) are known")]
    Type,
    /// The bytes are no key.
    #[error("the key is not a valid Ed25519 key of 32 bytes")]
    Key,
    /// The id is not the one of this name and key.
    #[error("the key id does not fit the name and the key")]
    Id,
}

/// Takes `name+id+base64(type || key)` apart.
fn parse_key(text: &str) -> Result<(KeyName, &str, [u8; 32]), ParseKeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ParseKeyError::Form);
    };
    let bytes = BASE64.decode(key).map_err(|_| ParseKeyError::Form)?;
    match bytes.split_first() {
        Some((&ED25519, key)) => Ok((name.parse()?, id, key.try_into().map_err(|_| ParseKeyError::Key)?)),
        Some(_) => Err(ParseKeyError::Type),
        None => Err(ParseKeyError::Form),
    }
}

fn write_key(prefix: &str, name: &KeyName, id: KeyId, key: &[u8; 32]) -> String {
    let mut bytes = vec![ED25519];
    bytes.extend_from_slice(key);
    format!("{prefix}{name}+{id}+{}", BASE64.encode(bytes))
}

/// A public key that notes are checked with. Its text form is the vkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteVerifier {
    name: KeyName,
    id: KeyId,
    key: VerifyingKey,
}

impl NoteVerifier {
    /// The name of the key.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    fn made(&self, signature: &NoteSignature) -> bool {
        signature.name == self.name && signature.id == self.id
    }

    /// Whether the bytes are this key's signature over the text.
    fn accepts(&self, text: &str, signature: &NoteSignature) -> bool {
        let Ok(parsed) = Ed25519Signature::from_slice(&signature.bytes) else { return false };
        // Strict: no weak key, and one accepted form of each signature.
        self.key.verify_strict(text.as_bytes(), &parsed).is_ok()
    }
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write_key("", &self.name, self.id, self.key.as_bytes()))
    }
}

impl FromStr for NoteVerifier {
    type Err = ParseKeyError;

    fn from_str(vkey: &str) -> Result<Self, Self::Err> {
        let (name, id, key) = parse_key(vkey)?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| ParseKeyError::Key)?;
        let verifier = Self { id: KeyId::of(&name, ED25519, key.as_bytes()), name, key };
        if verifier.id.to_string() == id { Ok(verifier) } else { Err(ParseKeyError::Id) }
    }
}

/// A private key that signs notes. Shown for debugging, it tells its name and id only.
#[derive(Clone)]
pub struct NoteSigner {
    name: KeyName,
    id: KeyId,
    key: SigningKey,
}

impl NoteSigner {
    /// Makes a signer from 32 random bytes.
    #[must_use]
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let id = KeyId::of(&name, ED25519, key.verifying_key().as_bytes());
        Self { name, id, key }
    }

    /// Parses what [`to_secret_text`](Self::to_secret_text) wrote.
    pub fn from_secret_text(text: &str) -> Result<Self, ParseKeyError> {
        let (name, id, seed) = parse_key(text.strip_prefix("PRIVATE+KEY+").ok_or(ParseKeyError::Form)?)?;
        let signer = Self::from_seed(name, &seed);
        if signer.id.to_string() == id { Ok(signer) } else { Err(ParseKeyError::Id) }
    }

    /// The private key as one line, `PRIVATE+KEY+name+id+base64`, the form that other tools for notes read.
    #[must_use]
    pub fn to_secret_text(&self) -> String {
        write_key("PRIVATE+KEY+", &self.name, self.id, &self.key.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> NoteVerifier {
        NoteVerifier { name: self.name.clone(), id: self.id, key: self.key.verifying_key() }
    }

    /// Signs a text; Ed25519 needs no randomness for that.
    #[must_use]
    pub fn sign(&self, text: &str) -> NoteSignature {
        let bytes = self.key.sign(text.as_bytes()).to_bytes().to_vec();
        NoteSignature { name: self.name.clone(), id: self.id, bytes }
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoteSigner").field("name", &self.name).field("id", &self.id).finish_non_exhaustive()
    }
}

/// One signature line, checked in form only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key that made it, so it says.
    pub name: KeyName,
    /// The id of that key.
    pub id: KeyId,
    /// The signature, in the form of the key's type.
    pub bytes: Vec<u8>,
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [&self.id.0[..], &self.bytes].concat();
        writeln!(f, "— {} {}", self.name, BASE64.encode(blob))
    }
}

/// Why bytes are no signed note, or not one to believe.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Longer than [`NOTE_LEN_MAX`].
    #[error("the note is longer than {NOTE_LEN_MAX} bytes")]
    TooLong,
    /// Not UTF-8, or with a control character.
    #[error("the note is not text")]
    NotText,
    /// There is no text, no blank line after it, or no newline at the end.
    #[error("the note is not a text, a blank line and signature lines")]
    Form,
    /// A line after the blank one is no signature.
    #[error("line {line} after the text is no signature")]
    SignatureLine { line: usize },
    /// More than [`SIGNATURES_MAX`].
    #[error("the note has more than {SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// No known key signed it.
    #[error("no known key signed the note")]
    Unsigned,
    /// A line says that a known key made it, and that is not so.
    #[error("the signature of `{name}` is false")]
    False { name: KeyName },
}

/// A text and its signatures, checked in form only.
///
/// INVARIANT: the text is not empty, ends in a newline and has no other control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// Signs a text.
    ///
    /// # Errors
    ///
    /// Fails if the text is empty, does not end in a newline, or has other control characters.
    pub fn sign(text: String, signers: &[&NoteSigner]) -> Result<Self, NoteError> {
        if text.contains(is_forbidden) {
            return Err(NoteError::NotText);
        }
        if !text.ends_with('\n') {
            return Err(NoteError::Form);
        }
        Ok(Self::of_text(text, signers))
    }

    /// Signs a text that is known to be one: it ends in a newline and has no other control character.
    pub(crate) fn of_text(text: String, signers: &[&NoteSigner]) -> Self {
        let signatures = signers.iter().map(|signer| signer.sign(&text)).collect();
        Self { text, signatures }
    }

    /// Parses a note from anywhere; nothing of it is to be believed before [`verify`](Self::verify).
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_LEN_MAX {
            return Err(NoteError::TooLong);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        if note.contains(is_forbidden) {
            return Err(NoteError::NotText);
        }
        // signed-note, "Format": the last empty line separates the text, which keeps its own newline.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Form)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
        let mut signatures = Vec::new();
        for (at, line) in lines.split('\n').enumerate() {
            if at == SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(parse_signature(line).ok_or(NoteError::SignatureLine { line: at + 1 })?);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text with its final newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signature lines, of known keys or not.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature that was made elsewhere, such as a witness's.
    pub fn add(&mut self, signature: NoteSignature) {
        self.signatures.push(signature);
    }

    /// Checks every signature that a known key is said to have made, and returns the keys that signed.
    ///
    /// # Errors
    ///
    /// Fails if none did, or if one of these signatures is false: then somebody tampered with the note.
    pub fn verify<'k>(&self, keys: &'k [NoteVerifier]) -> Result<Vec<&'k NoteVerifier>, NoteError> {
        let mut signed: Vec<&NoteVerifier> = Vec::new();
        for signature in &self.signatures {
            for key in keys.iter().filter(|key| key.made(signature)) {
                if !key.accepts(&self.text, signature) {
                    return Err(NoteError::False { name: key.name.clone() });
                }
                if !signed.contains(&key) {
                    signed.push(key);
                }
            }
        }
        if signed.is_empty() { Err(NoteError::Unsigned) } else { Ok(signed) }
    }
}

/// signed-note, "Format": no ASCII control character but the newline.
fn is_forbidden(c: char) -> bool {
    c < ' ' && c != '\n'
}

fn parse_signature(line: &str) -> Option<NoteSignature> {
    let (name, blob) = line.strip_prefix("— ")?.split_once(' ')?;
    let blob = BASE64.decode(blob).ok()?;
    let (id, bytes) = blob.split_first_chunk()?;
    if bytes.is_empty() {
        return None;
    }
    Some(NoteSignature { name: name.parse().ok()?, id: KeyId(*id), bytes: bytes.to_vec() })
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // From the standard, sections "Example" of signed-note.
    const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const NOTE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    fn signer(name: &str, seed: u8) -> NoteSigner {
        NoteSigner::from_seed(name.parse().unwrap(), &[seed; 32])
    }

    #[test]
    fn the_example_of_the_standard_verifies() {
        let key: NoteVerifier = VKEY.parse().unwrap();
        assert_eq!(key.to_string(), VKEY);
        let note = SignedNote::parse(NOTE.as_bytes()).unwrap();
        assert_eq!(note.verify(std::slice::from_ref(&key)), Ok(vec![&key]));
        assert_eq!(note.text(), "This is an example message.\n");
        assert_eq!(note.to_string(), NOTE);
        let altered = SignedNote::parse(NOTE.replace("an example", "no example").as_bytes()).unwrap();
        assert_eq!(
            altered.verify(std::slice::from_ref(&key)),
            Err(NoteError::False { name: key.name.clone() })
        );
    }

    #[test]
    fn every_known_signature_must_hold_and_one_must_be_there() {
        let (a, b, c) = (signer("log", 1), signer("witness", 2), signer("log", 3));
        let note = SignedNote::sign("text\n".to_owned(), &[&a, &b]).unwrap();
        assert_eq!(SignedNote::parse(note.to_string().as_bytes()), Ok(note.clone()));
        assert_eq!(note.verify(&[a.verifier(), b.verifier()]).unwrap(), [&a.verifier(), &b.verifier()]);
        // A key of the same name and another id is another key.
        assert_eq!(note.verify(&[c.verifier()]), Err(NoteError::Unsigned));
        assert_eq!(note.verify(&[]), Err(NoteError::Unsigned));
        let mut false_line = note.clone();
        false_line.add(NoteSignature { bytes: vec![0; 64], ..b.sign("text\n") });
        assert_eq!(false_line.verify(&[a.verifier()]), Ok(vec![&a.verifier()]));
        let refused = NoteError::False { name: b.name.clone() };
        assert_eq!(false_line.verify(&[a.verifier(), b.verifier()]), Err(refused));
        // The same signature twice counts once.
        let mut twice = note;
        twice.add(a.sign("text\n"));
        assert_eq!(twice.verify(&[a.verifier()]).unwrap().len(), 1);
    }

    #[test]
    fn keys_keep_through_text_and_bad_ones_are_refused() {
        let a = signer("example.com/log", 1);
        let again = NoteSigner::from_secret_text(&a.to_secret_text()).unwrap();
        assert_eq!(again.verifier(), a.verifier());
        assert!(!format!("{a:?}").contains(a.to_secret_text().rsplit_once('+').unwrap().1));
        let cases = [
            ("", ParseKeyError::Form),
            ("example.com/foo+530d903a", ParseKeyError::Form),
            ("example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ParseKeyError::Id),
            ("example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ParseKeyError::Id),
            ("example com+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ParseKeyError::Name),
            ("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ParseKeyError::Name),
            ("example.com/foo+530d903a+BOkyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ParseKeyError::Type),
            ("example.com/foo+530d903a+AQ==", ParseKeyError::Key),
            ("example.com/foo+530d903a+", ParseKeyError::Form),
        ];
        for (vkey, want) in cases {
            assert_eq!(vkey.parse::<NoteVerifier>(), Err(want), "{vkey}");
        }
    }

    #[test]
    fn what_is_no_note_is_refused_with_its_reason() {
        let line = NOTE.rsplit_once("\n\n").unwrap().1;
        let cases = [
            (String::new(), NoteError::Form),
            ("text\n".to_owned(), NoteError::Form),
            ("text\n\n".to_owned(), NoteError::Form),
            (NOTE.trim_end().to_owned(), NoteError::Form),
            (NOTE.replace("is", "\r"), NoteError::NotText),
            (NOTE.replace("— ", "- "), NoteError::SignatureLine { line: 1 }),
            (format!("{NOTE}— name AAAA\n"), NoteError::SignatureLine { line: 2 }),
            (
                format!("{NOTE}— a+b {}", line.rsplit_once(' ').unwrap().1),
                NoteError::SignatureLine { line: 2 },
            ),
            (format!("{NOTE}{}", line.repeat(SIGNATURES_MAX)), NoteError::TooManySignatures),
            ("a".repeat(NOTE_LEN_MAX + 1), NoteError::TooLong),
        ];
        for (note, want) in cases {
            assert_eq!(SignedNote::parse(note.as_bytes()), Err(want), "{note:.80}");
        }
        let most = format!("{NOTE}{}", line.repeat(SIGNATURES_MAX - 1));
        assert_eq!(SignedNote::parse(most.as_bytes()).unwrap().signatures().len(), SIGNATURES_MAX);
        assert_eq!(SignedNote::parse(b"\xff\n\n"), Err(NoteError::NotText));
        assert_eq!(SignedNote::sign("no newline".to_owned(), &[]), Err(NoteError::Form));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "(.|\n){0,80}(\n\n)?(— [a-z+ ]{0,5} [A-Za-z0-9+/=]{0,12}\n){0,3}") {
            if let Ok(note) = SignedNote::parse(text.as_bytes()) {
                prop_assert_eq!(note.to_string(), text);
            }
        }

        #[test]
        fn what_was_signed_is_read_back(lines in prop::collection::vec("[^\\p{Cc}]{0,20}", 1..5), seed in any::<u8>()) {
            let text = lines.join("\n") + "\n";
            let signer = signer("log", seed);
            let note = SignedNote::sign(text, &[&signer]).unwrap();
            let parsed = SignedNote::parse(note.to_string().as_bytes()).unwrap();
            prop_assert!(parsed.verify(&[signer.verifier()]).is_ok());
            prop_assert_eq!(parsed, note);
        }
    }
}
