//! What all formats share: what goes in, what comes out, and how it is counted.

mod identity;
mod json;
mod rows;

use std::collections::BTreeMap;
use std::fmt;

use model::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ties::{EntityId, ListId, Said, Source, Statement, StatementId, TieId};

pub(crate) use identity::{external, identity, scoped};

pub(crate) use rows::rows;

/// How many refusals a report keeps with place and message. All are counted.
pub const REFUSALS_KEPT: usize = 1_000;

/// The longest record, in bytes. The longest in the public registers that we know has 2 MB (an entity with every
/// name and address that sixty lists give it).
pub const RECORD_BYTES_MAX: usize = 16 << 20;

/// How many times a file may tell of one thing and still be understood in its order.
const HISTORY_STEPS_MAX: u32 = 1_000;

/// As what a file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Importing {
    /// The source of every statement; formats that name a publisher, an author or a date for each record fill those
    /// in. Its `document` scopes the source's own identifiers, so keep it the same from one edition to the next.
    pub document: Source,
    /// When the registry learns it.
    pub recorded: Timestamp,
}

/// What reading a file came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Records met.
    pub records: u64,
    /// Statements handed out.
    pub statements: u64,
    /// What was refused: the first [`REFUSALS_KEPT`].
    pub refused: Vec<Refusal>,
    /// All that was refused, counted by reason.
    pub refused_by: BTreeMap<Reason, u64>,
    /// What was noticed and is no error, counted: `indirect-without-components`, `merged-identifiers`.
    pub notes: BTreeMap<String, u64>,
    /// Whether reading stopped before the file's end. Then nothing may be concluded from what is missing.
    pub cut_short: bool,
    /// Whether the file tells of changes since another one. Then nothing may be concluded from what is missing either.
    #[serde(default)]
    pub is_delta: bool,
}

impl Report {
    /// How many refusals there were.
    #[must_use]
    pub fn refused_count(&self) -> u64 {
        self.refused_by.values().sum()
    }

    /// Whether what is missing in the file is missing in the source, and not merely unread. Only then may a snapshot
    /// end what it no longer has (see [`closes_missing`](crate::closes_missing)).
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.cut_short && !self.is_delta && self.refused_by.is_empty()
    }
}

/// One thing that was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Where: `line 12`, `element 3`, `element 3 /interests/0/share`.
    pub place: String,
    /// Why, as a stable code.
    pub reason: Reason,
    /// Why, in words.
    pub message: String,
}

/// Why something was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The file could not be read any further.
    Unreadable,
    /// It is not JSON, XML or a row with the right columns.
    Malformed,
    /// It is longer than [`RECORD_BYTES_MAX`].
    TooLong,
    /// Something is missing without which it says nothing.
    Incomplete,
    /// An identifier that cannot be one.
    BadIdentifier,
    /// A date that is none.
    BadDate,
    /// A share that is none: negative, over 100 %, or with its ends the wrong way round.
    BadShare,
    /// A value that is none of those that the format knows.
    BadValue,
    /// A kind of record that the format does not know.
    UnknownKind,
    /// A link to something that the file does not have.
    UnresolvedLink,
}

impl Reason {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Malformed => "malformed",
            Self::TooLong => "too-long",
            Self::Incomplete => "incomplete",
            Self::BadIdentifier => "bad-identifier",
            Self::BadDate => "bad-date",
            Self::BadShare => "bad-share",
            Self::BadValue => "bad-value",
            Self::UnknownKind => "unknown-kind",
            Self::UnresolvedLink => "unresolved-link",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The record that a tie or listing comes from, as part of its identifier: everything before the last `#`.
///
/// Where a record gives several ties, they go by its identifier and an ending. A newer edition of the record speaks for
/// all of them: those of the same record that it does not say again are over.
#[must_use]
pub fn record_of(tie: &TieId) -> &str {
    let id = tie.as_str();
    id.rsplit_once('#').map_or(id, |(record, _)| record)
}

/// A reading under way: where statements go out and where refusals are counted.
pub(crate) struct Reading<'r> {
    importing: &'r Importing,
    emit: &'r mut dyn FnMut(Statement),
    scope: String,
    report: Report,
}

impl<'r> Reading<'r> {
    /// Begins.
    pub(crate) fn new(importing: &'r Importing, emit: &'r mut dyn FnMut(Statement)) -> Self {
        let scope = identity::scope(&importing.document.document);
        Self { importing, emit, scope, report: Report::default() }
    }

    /// The source that every statement has, unless its record says more.
    pub(crate) fn source(&self) -> &Source {
        &self.importing.document
    }

    /// When the registry learns it.
    pub(crate) fn recorded(&self) -> Timestamp {
        self.importing.recorded
    }

    /// The entity that the source calls `local`.
    pub(crate) fn entity(&self, local: &str) -> EntityId {
        scoped(&self.scope, local).parse().expect("`scoped` makes identifiers")
    }

    /// The tie, or the listing, that the source calls `local`.
    pub(crate) fn tie(&self, local: &str) -> TieId {
        scoped(&self.scope, local).parse().expect("`scoped` makes identifiers")
    }

    /// The list that the source calls `name`.
    pub(crate) fn list(&self, name: &str) -> ListId {
        scoped(&self.scope, name).parse().expect("`scoped` makes identifiers")
    }

    /// Counts a record.
    pub(crate) fn record(&mut self) {
        self.report.records += 1;
    }

    /// Says something in the words of the file's source. `stamp` is what the record itself has as its version (a
    /// statement's identifier, an etag, a date of change), so that a value that comes back after a change counts as
    /// said anew; empty if it has none.
    pub(crate) fn say(&mut self, stamp: &str, said: Said) {
        let source = self.importing.document.clone();
        self.say_by(source, stamp, said);
    }

    /// As [`say`](Self::say), by a source that the record tells more of.
    pub(crate) fn say_by(&mut self, source: Source, stamp: &str, said: Said) {
        let recorded = self.importing.recorded;
        self.emit(recorded, source, stamp, said);
    }

    /// As [`say_by`](Self::say_by), about what the file has told of `version` times before.
    ///
    /// Of two statements that were recorded at one instant, neither is the later one. So what a file says first is
    /// recorded a little before the instant of the import, and what it says then, a microsecond later each time: all
    /// of it is known at that instant, and the last word is the last.
    pub(crate) fn say_again(&mut self, version: u32, source: Source, stamp: &str, said: Said) -> StatementId {
        let before = HISTORY_STEPS_MAX.saturating_sub(version);
        let recorded = self.importing.recorded.plus_micros(-i64::from(before));
        self.emit(recorded, source, stamp, said)
    }

    fn emit(&mut self, recorded: Timestamp, source: Source, stamp: &str, said: Said) -> StatementId {
        let id = statement_id(&self.scope, &source.document, stamp, &said);
        self.report.statements += 1;
        (self.emit)(Statement { id: id.clone(), said, source, recorded });
        id
    }

    /// Refuses something.
    pub(crate) fn refuse(&mut self, place: impl fmt::Display, reason: Reason, message: impl fmt::Display) {
        *self.report.refused_by.entry(reason).or_default() += 1;
        if self.report.refused.len() < REFUSALS_KEPT {
            let message = shown(&message.to_string());
            self.report.refused.push(Refusal { place: shown(&place.to_string()), reason, message });
        }
    }

    /// Refuses the rest of the file.
    pub(crate) fn stop(&mut self, place: impl fmt::Display, message: impl fmt::Display) {
        self.refuse(place, Reason::Unreadable, message);
        self.report.cut_short = true;
    }

    /// Notes that the file tells of changes only.
    pub(crate) fn is_delta(&mut self) {
        self.report.is_delta = true;
    }

    /// Counts something that is worth telling and no error.
    pub(crate) fn note(&mut self, code: &str) {
        match self.report.notes.get_mut(code) {
            Some(count) => *count += 1,
            None => drop(self.report.notes.insert(code.to_owned(), 1)),
        }
    }

    /// Ends.
    pub(crate) fn done(self) -> Report {
        self.report
    }
}

/// A name for what is said: the same words by the same document, under the same stamp, have the same name.
fn statement_id(scope: &str, document: &str, stamp: &str, said: &Said) -> StatementId {
    let mut hash = Sha256::new();
    hash.update(document);
    hash.update([0]);
    hash.update(stamp);
    hash.update([0]);
    hash.update(serde_json::to_vec(said).expect("statements are maps with text keys"));
    let digest = hash.finalize();
    format!("{scope}:{}", hex::encode(&digest[..16]))
        .parse()
        .expect("a scope and hex digits are printable and short")
}

/// The text, short and without control characters: it came from outside and goes to a terminal.
fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 300;
    let mut out: String =
        text.chars().take(SHOWN_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if out.len() < text.len() && text.chars().nth(SHOWN_MAX).is_some() {
        out.push('…');
    }
    out
}
