//! What our entries say: the only module of this crate that knows of Ringfence.
//!
//! An entry in the public files of the log is 32 bytes:
//!
//! ```text
//! SHA-256( "ringfence-entry-v1\n" ‖ salt (32 bytes) ‖ body )
//! ```
//!
//! The *body* is a JSON object that says what happened; the *salt* is random, and without it nobody can try out
//! bodies until one fits. Salt and body together are the [`Opening`], which the hub keeps, and which it
//! gives to the member that the entry is about. So the log can be mirrored by anyone, and each entry can be shown
//! to exactly those whom it concerns.
//!
//! A body has one spelling: its members in the order written here, nothing between them, absent ones left out.
//! What was once written must be read for ever, so a change here is an addition that older bodies do not have.
//!
//! ```
//! use ledger::entry::{Body, Genesis, Opening};
//!
//! let body = Body::Genesis(Genesis { at: "2026-01-10T00:00:00Z".into(), origin: "hub.example/jcsp".into() });
//! let opening = Opening { salt: [7; 32], body: body.to_bytes() };
//! let text = r#"{"kind":"genesis","at":"2026-01-10T00:00:00Z","origin":"hub.example/jcsp"}"#;
//! assert_eq!(opening.body, text.as_bytes());
//! assert_eq!(opening.commitment().len(), 32);
//! assert_eq!(opening.read(), Ok(body));
//! ```

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Keeps a commitment apart from every other use of the hash.
const DOMAIN: &[u8] = b"ringfence-entry-v1\n";

const SALT_LEN: usize = 32;

/// What an entry commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// 32 bytes that nobody can guess.
    pub salt: [u8; SALT_LEN],
    /// A [`Body`] in its one spelling.
    pub body: Vec<u8>,
}

/// Why bytes are no opening.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpeningError {
    /// Not even a salt.
    #[error("an opening is a salt of {SALT_LEN} bytes and a body")]
    TooShort,
    /// The body is no JSON object of a known kind.
    #[error("the body is not understood: {reason}")]
    Body { reason: String },
    /// The body says the same as another spelling that we would have written.
    #[error("the body is not in its one spelling")]
    Spelling,
}

impl Opening {
    /// The entry in the log.
    #[must_use]
    pub fn commitment(&self) -> [u8; 32] {
        Sha256::new().chain_update(DOMAIN).chain_update(self.salt).chain_update(&self.body).finalize().into()
    }

    /// The opening as bytes: the salt, then the body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.salt[..], &self.body].concat()
    }

    /// Takes apart what [`to_bytes`](Self::to_bytes) wrote, without reading the body.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpeningError> {
        let (salt, body) = bytes.split_first_chunk().ok_or(OpeningError::TooShort)?;
        Ok(Self { salt: *salt, body: body.to_vec() })
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// Fails for any spelling but the one that [`Body::to_bytes`] writes, so a member that is unknown here, or
    /// given twice, never goes unnoticed.
    pub fn read(&self) -> Result<Body, OpeningError> {
        let body: Body = serde_json::from_slice(&self.body)
            .map_err(|error| OpeningError::Body { reason: error.to_string() })?;
        if body.to_bytes() == self.body { Ok(body) } else { Err(OpeningError::Spelling) }
    }
}

/// What happened. Times are RFC 3339 text, as the hub's clock told them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Body {
    /// The log began.
    Genesis(Genesis),
    /// A key of the log came into use or went out of it.
    Key(Key),
    /// Another policy came into force.
    Policy(Policy),
    /// A member came, or its record changed.
    Membership(Membership),
    /// A credential was made, changed or withdrawn.
    Credential(Credential),
    /// A member's standing changed.
    Decision(Decision),
    /// Something that vetting rests on was recorded.
    Vetting(Vetting),
    /// Objects came in.
    Publication(Publication),
    /// An object was withdrawn or labelled anew.
    Recall(Recall),
    /// Somebody told what became of objects in use.
    Report(Report),
    /// Objects went out.
    Disclosure(Disclosure),
}

impl Body {
    /// The one spelling of this body.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "text, numbers and lists of them always serialise")]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("INVARIANT: text, numbers and lists of them always serialise")
    }

    /// The time at which it happened.
    #[must_use]
    pub fn at(&self) -> &str {
        match self {
            Self::Genesis(Genesis { at, .. })
            | Self::Key(Key { at, .. })
            | Self::Policy(Policy { at, .. })
            | Self::Membership(Membership { at, .. })
            | Self::Credential(Credential { at, .. })
            | Self::Decision(Decision { at, .. })
            | Self::Vetting(Vetting { at, .. })
            | Self::Publication(Publication { at, .. })
            | Self::Recall(Recall { at, .. })
            | Self::Report(Report { at, .. })
            | Self::Disclosure(Disclosure { at, .. }) => at,
        }
    }

    /// The member that it is about, and that may therefore see its opening.
    #[must_use]
    pub fn member(&self) -> Option<&str> {
        match self {
            Self::Membership(Membership { member, .. })
            | Self::Credential(Credential { member, .. })
            | Self::Decision(Decision { member, .. })
            | Self::Disclosure(Disclosure { member, .. }) => Some(member),
            Self::Vetting(Vetting { member, .. }) | Self::Report(Report { member, .. }) => member.as_deref(),
            Self::Genesis(_) | Self::Key(_) | Self::Policy(_) | Self::Publication(_) | Self::Recall(_) => {
                None
            }
        }
    }
}

/// The log began. Its first entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    pub at: String,
    /// The origin line of every checkpoint.
    pub origin: String,
}

/// A key of the log came into use or went out of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub at: String,
    pub action: String,
    pub vkey: String,
}

/// Another policy came into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub at: String,
    pub by: String,
    /// Over the programme folder, in hexadecimal.
    pub sha256: String,
    /// The first epoch under it.
    pub epoch: u64,
}

/// A member came, or its record changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub at: String,
    pub member: String,
    pub action: String,
    pub by: String,
}

/// A credential was made, changed or withdrawn. Never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    pub at: String,
    pub credential: String,
    pub member: String,
    pub action: String,
    pub by: String,
}

/// A member's standing on one tier changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub at: String,
    pub member: String,
    pub tier: String,
    pub from: String,
    pub to: String,
    pub by: String,
    pub reason: String,
    /// The first epoch with the new standing.
    pub epoch: u64,
    /// The SHA-256, in hex, of the decision with its proof, where rules decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// Something that the vetting of members rests on: ties that were recorded, an instrument, an attestation, a proposal,
/// a duty that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vetting {
    pub at: String,
    /// The member that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// What happened: `ties recorded`, `proposed`, `agreed`, `instrument signed`, ...
    pub action: String,
    /// What to, in words.
    pub subject: String,
    pub by: String,
    /// The SHA-256, in hex, of the document, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Objects came into a collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    pub at: String,
    pub collection: String,
    pub by: String,
    pub count: u64,
    /// The stored segments that hold them.
    pub segments: Vec<u64>,
    /// See [`ObjectDigest`].
    pub digest: String,
}

/// Somebody told what became of objects in use: that they hit, that one is wrong; or this was decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub at: String,
    /// The member that told it, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    pub by: String,
    /// What: `occurrences`, `false positive reported`, `false positive confirmed`, ...
    pub action: String,
    /// The object, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// How many facts.
    pub count: u64,
    /// The SHA-256, in hex, of what was told.
    pub sha256: String,
}

/// An object was withdrawn or labelled anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    pub at: String,
    pub by: String,
    pub object: String,
    pub version: String,
    pub action: String,
    pub reason: String,
}

/// A member was handed objects, or what says that they exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disclosure {
    pub at: String,
    pub member: String,
    pub credential: String,
    pub collection: String,
    /// The epoch of the view that allowed it.
    pub epoch: u64,
    pub resource: Resource,
    /// The places in the store that were handed out, in the order of the answer.
    pub ranges: Vec<Range>,
    /// The places within these ranges that were not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Slot>,
    /// How many objects that makes.
    pub count: u64,
    /// See [`ObjectDigest`].
    pub digest: String,
    /// The query string of the request, without the member's cursor where that tells nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub query: String,
}

/// Which resource a disclosure answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    /// A page of objects.
    Objects,
    /// A page of ids, versions and dates.
    Manifest,
    /// The versions of one object.
    Versions,
    /// One object by its id.
    Object,
    /// Server-sent events.
    Stream,
    /// Keyed hashes of values, for a guard; not the objects.
    Blinded,
}

/// So many consecutive objects of one stored segment; written `[segment,first,count]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u64)", into = "(u64, u64, u64)")]
pub struct Range {
    pub segment: u64,
    pub first: u64,
    pub count: u64,
}

impl From<(u64, u64, u64)> for Range {
    fn from((segment, first, count): (u64, u64, u64)) -> Self {
        Self { segment, first, count }
    }
}

impl From<Range> for (u64, u64, u64) {
    fn from(range: Range) -> Self {
        (range.segment, range.first, range.count)
    }
}

/// One object of a stored segment; written `[segment,index]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Slot {
    pub segment: u64,
    pub index: u64,
}

impl From<(u64, u64)> for Slot {
    fn from((segment, index): (u64, u64)) -> Self {
        Self { segment, index }
    }
}

impl From<Slot> for (u64, u64) {
    fn from(slot: Slot) -> Self {
        (slot.segment, slot.index)
    }
}

/// The digest over the objects of one answer or submission, in its order: SHA-256 of a line
/// `id version\n` for each. It pins the exact set even if the store behind the ranges were rearranged.
#[derive(Clone, Debug, Default)]
pub struct ObjectDigest(Sha256);

impl ObjectDigest {
    /// A digest over no objects yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object by its id and version; neither has a space or a newline in it.
    pub fn add(&mut self, id: &str, version: &str) {
        self.0.update(id);
        self.0.update(b" ");
        self.0.update(version);
        self.0.update(b"\n");
    }

    /// The digest in lower-case hexadecimal.
    #[must_use]
    pub fn finish(self) -> String {
        format!("{:x}", self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn t() -> String {
        "2026-01-10T00:00:00.000001Z".to_owned()
    }

    fn disclosure() -> Disclosure {
        Disclosure {
            at: t(),
            member: "member:00000000000000a1".to_owned(),
            credential: "credential:7".to_owned(),
            collection: "indicators".to_owned(),
            epoch: 12,
            resource: Resource::Objects,
            ranges: vec![Range { segment: 3, first: 10, count: 5 }, Range { segment: 4, first: 0, count: 2 }],
            except: vec![Slot { segment: 3, index: 11 }],
            count: 6,
            digest: "ab".repeat(32),
            query: "limit=6".to_owned(),
        }
    }

    /// One body of each kind, its bytes, and its commitment under a salt of 32 sevens.
    fn pinned() -> Vec<(Body, &'static str, &'static str)> {
        let member = || "member:00000000000000a1".to_owned();
        let officer = || "officer:ada".to_owned();
        vec![
            (
                Body::Genesis(Genesis { at: t(), origin: "hub.example/jcsp".to_owned() }),
                r#"{"kind":"genesis","at":"2026-01-10T00:00:00.000001Z","origin":"hub.example/jcsp"}"#,
                "7def8a0692697065b35f48f25a0c7a2296db46c03f4c5ec5b1be6ef41d8275d8",
            ),
            (
                Body::Key(Key { at: t(), action: "add".to_owned(), vkey: "a+00000000+AA==".to_owned() }),
                r#"{"kind":"key","at":"2026-01-10T00:00:00.000001Z","action":"add","vkey":"a+00000000+AA=="}"#,
                "68557f06077e70e8a0dd2340c2dddfbcc71c35ec51aceeafea06858c3fcfbc5e",
            ),
            (
                Body::Policy(Policy { at: t(), by: officer(), sha256: "cd".to_owned(), epoch: 1 }),
                r#"{"kind":"policy","at":"2026-01-10T00:00:00.000001Z","by":"officer:ada","sha256":"cd","epoch":1}"#,
                "8009532b29e547fbf5945c4a4b656388d9da65e9c73101cfce20f789550014be",
            ),
            (
                Body::Membership(Membership {
                    at: t(),
                    member: member(),
                    action: "add".to_owned(),
                    by: officer(),
                }),
                r#"{"kind":"membership","at":"2026-01-10T00:00:00.000001Z","member":"member:00000000000000a1","action":"add","by":"officer:ada"}"#,
                "d132b3d6b595f7674df012c592eee497b92929676003d0686b176afdc8bc4d02",
            ),
            (
                Body::Credential(Credential {
                    at: t(),
                    credential: "credential:7".to_owned(),
                    member: member(),
                    action: "revoke".to_owned(),
                    by: officer(),
                }),
                r#"{"kind":"credential","at":"2026-01-10T00:00:00.000001Z","credential":"credential:7","member":"member:00000000000000a1","action":"revoke","by":"officer:ada"}"#,
                "0ddf9a9021fbb3c8cec17597fbb0c764c489ca862af376906f1efdec121af7b9",
            ),
            (
                Body::Decision(Decision {
                    at: t(),
                    member: member(),
                    tier: "cleared".to_owned(),
                    from: "listed".to_owned(),
                    to: "suspended".to_owned(),
                    by: officer(),
                    reason: "a \"tie\" to Ö".to_owned(),
                    epoch: 13,
                    proof: None,
                }),
                r#"{"kind":"decision","at":"2026-01-10T00:00:00.000001Z","member":"member:00000000000000a1","tier":"cleared","from":"listed","to":"suspended","by":"officer:ada","reason":"a \"tie\" to Ö","epoch":13}"#,
                "658b7d7526d4c6ab5a2922f773a1b76c0d5768ea080b5d95d014203a9a9928b1",
            ),
            (
                Body::Vetting(Vetting {
                    at: t(),
                    member: None,
                    action: "ties recorded".to_owned(),
                    subject: "3 statements: gleif-rr".to_owned(),
                    by: officer(),
                    sha256: Some("ef".to_owned()),
                }),
                r#"{"kind":"vetting","at":"2026-01-10T00:00:00.000001Z","action":"ties recorded","subject":"3 statements: gleif-rr","by":"officer:ada","sha256":"ef"}"#,
                "8b32d1ab61f3d3e1c2fe2dbc3aaf8b7acf7b4bd83bb33d8170cbda7f3901551a",
            ),
            (
                Body::Publication(Publication {
                    at: t(),
                    collection: "indicators".to_owned(),
                    by: member(),
                    count: 2,
                    segments: vec![3, 4],
                    digest: "ef".to_owned(),
                }),
                r#"{"kind":"publication","at":"2026-01-10T00:00:00.000001Z","collection":"indicators","by":"member:00000000000000a1","count":2,"segments":[3,4],"digest":"ef"}"#,
                "61f8ccf6569a17b90e5ac42eaba138358e6bd9ffa58b239020b6db7efda9613c",
            ),
            (
                Body::Recall(Recall {
                    at: t(),
                    by: officer(),
                    object: "indicator--1".to_owned(),
                    version: "2026-01-09T00:00:00Z".to_owned(),
                    action: "withdraw".to_owned(),
                    reason: "wrong".to_owned(),
                }),
                r#"{"kind":"recall","at":"2026-01-10T00:00:00.000001Z","by":"officer:ada","object":"indicator--1","version":"2026-01-09T00:00:00Z","action":"withdraw","reason":"wrong"}"#,
                "b92019f087c0e742c575bc503e762fa70bfe65e0d27ce3409e5c86ef6dfd2643",
            ),
            (
                Body::Report(Report {
                    at: t(),
                    member: Some(member()),
                    by: member(),
                    action: "occurrences".to_owned(),
                    object: None,
                    count: 3,
                    sha256: "ef".to_owned(),
                }),
                r#"{"kind":"report","at":"2026-01-10T00:00:00.000001Z","member":"member:00000000000000a1","by":"member:00000000000000a1","action":"occurrences","count":3,"sha256":"ef"}"#,
                "2c5d0cc654c22150aa29894ce324faa34c23a55abf00eda73b6d302694e1f827",
            ),
            (
                Body::Disclosure(disclosure()),
                r#"{"kind":"disclosure","at":"2026-01-10T00:00:00.000001Z","member":"member:00000000000000a1","credential":"credential:7","collection":"indicators","epoch":12,"resource":"objects","ranges":[[3,10,5],[4,0,2]],"except":[[3,11]],"count":6,"digest":"abababababababababababababababababababababababababababababababab","query":"limit=6"}"#,
                "ec56af77eae1e5bed66cda940d98c39e117459a330d5d19471d2ebe6b0ce6968",
            ),
            (
                Body::Disclosure(Disclosure {
                    resource: Resource::Stream,
                    except: Vec::new(),
                    query: String::new(),
                    ranges: Vec::new(),
                    ..disclosure()
                }),
                r#"{"kind":"disclosure","at":"2026-01-10T00:00:00.000001Z","member":"member:00000000000000a1","credential":"credential:7","collection":"indicators","epoch":12,"resource":"stream","ranges":[],"count":6,"digest":"abababababababababababababababababababababababababababababababab"}"#,
                "066e1c69a1d3e31a749c289c286ffd4593f19787fde5a8c22ff236e8e02252e6",
            ),
        ]
    }

    #[test]
    fn bytes_and_commitments_never_change() {
        for (body, text, commitment) in pinned() {
            let opening = Opening { salt: [7; 32], body: body.to_bytes() };
            assert_eq!(String::from_utf8(opening.body.clone()).unwrap(), text);
            let by_hand = [DOMAIN, &[7; 32], text.as_bytes()].concat();
            assert_eq!(format!("{:x}", Sha256::digest(&by_hand)), commitment, "{text}");
            assert_eq!(opening.commitment(), <[u8; 32]>::from(Sha256::digest(&by_hand)));
            assert_eq!(opening.read(), Ok(body));
        }
    }

    #[test]
    fn the_commitment_depends_on_salt_and_body() {
        let opening = Opening { salt: [7; 32], body: b"{}".to_vec() };
        let by_hand = Sha256::digest([b"ringfence-entry-v1\n", &[7; 32][..], b"{}"].concat());
        assert_eq!(opening.commitment()[..], by_hand[..]);
        let salted = Opening { salt: [8; 32], ..opening.clone() };
        assert_ne!(salted.commitment(), opening.commitment());
        assert_eq!(Opening::from_bytes(&opening.to_bytes()), Ok(opening));
        assert_eq!(Opening::from_bytes(&[0; 31]), Err(OpeningError::TooShort));
    }

    #[test]
    fn only_the_one_spelling_is_read() {
        let read = |text: &str| Opening { salt: [0; 32], body: text.as_bytes().to_vec() }.read();
        assert!(read(r#"{"kind":"genesis","at":"t","origin":"o"}"#).is_ok());
        let other_spellings = [
            r#"{"kind":"genesis","origin":"o","at":"t"}"#,
            r#"{"kind":"genesis", "at":"t","origin":"o"}"#,
            r#"{"kind":"genesis","at":"t","origin":"\u006f"}"#,
            r#"{"kind":"genesis","at":"t","origin":"o","more":1}"#,
        ];
        for text in other_spellings {
            assert_eq!(read(text), Err(OpeningError::Spelling), "{text}");
        }
        for text in [
            "",
            "{}",
            "[]",
            r#"{"kind":"other"}"#,
            r#"{"kind":"genesis","at":"t"}"#,
            r#"{"kind":"genesis","at":"t","at":"t","origin":"o"}"#,
        ] {
            assert!(matches!(read(text), Err(OpeningError::Body { .. })), "{text}");
        }
    }

    #[test]
    fn the_object_digest_is_that_of_its_lines() {
        let mut digest = ObjectDigest::new();
        digest.add("indicator--1", "2026-01-09T00:00:00Z");
        digest.add("indicator--2", "2026-01-09T00:00:01Z");
        let lines = "indicator--1 2026-01-09T00:00:00Z\nindicator--2 2026-01-09T00:00:01Z\n";
        assert_eq!(digest.finish(), format!("{:x}", Sha256::digest(lines)));
    }

    #[test]
    fn a_body_knows_its_time_and_its_member() {
        for (body, ..) in pinned() {
            let is_of_no_member = matches!(
                body,
                Body::Genesis(_)
                    | Body::Key(_)
                    | Body::Policy(_)
                    | Body::Publication(_)
                    | Body::Recall(_)
                    | Body::Vetting(Vetting { member: None, .. })
            );
            assert_eq!(body.member().is_none(), is_of_no_member, "{body:?}");
            assert_eq!(body.at(), t());
        }
    }

    proptest! {
        #[test]
        fn any_disclosure_is_read_back(
            ranges in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 0..9),
            except in prop::collection::vec((any::<u64>(), any::<u64>()), 0..9), text in any::<String>(),
        ) {
            let body = Body::Disclosure(Disclosure {
                ranges: ranges.into_iter().map(Range::from).collect(),
                except: except.into_iter().map(Slot::from).collect(),
                member: text.clone(), query: text, ..disclosure()
            });
            let opening = Opening { salt: [0; 32], body: body.to_bytes() };
            prop_assert_eq!(opening.read(), Ok(body));
        }
    }
}
