//! Browsing the ledger: its entries opened for those whom they concern, and that it has only grown.
//!
//! The log itself is public, and its entries are commitments. What one says is told to the programme's auditors, and to
//! the member that it is about, as with receipts.

use ledger::tile::TileHashes;
use ledger::tree::consistency_proof;
use ledger::{Hash, Opening};
use model::{Caller, MemberId};
use serde::Serialize;
use serde_json::Value;
use store::{StoreError, StoredEntry};

use super::{AUDITS, LedgerHead, ServedTiles};
use crate::error::AdminError;
use crate::exchange::{Exchange, require};

/// How many entries one answer has at most.
pub const ENTRIES_MAX: usize = 1_000;
/// How many entries are looked through for one answer, so that a page waits for little; what lies further back is asked
/// for with the next.
const SCAN_MAX: u64 = 8_192;
/// How many entries are read at once.
pub(super) const READ_AT_ONCE: usize = 1_024;

/// Which entries are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// Those before this one; all, if left out.
    pub before: Option<u64>,
    /// Those of this kind, such as `decision`.
    pub kind: Option<String>,
    /// Those about this member.
    pub member: Option<MemberId>,
    /// Those that say this, in any case of letters.
    pub text: Option<String>,
}

/// An entry with what it says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OpenedEntry {
    /// Its place in the log.
    pub index: u64,
    /// When it happened.
    pub at: String,
    /// The member that it is about, if it is about one.
    pub member: Option<String>,
    /// What it says, as JSON with its `kind`.
    pub body: Value,
}

/// Some entries, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EntriesPage {
    /// The entries.
    pub entries: Vec<OpenedEntry>,
    /// What to ask with as `before` for those further back; none if all were looked at.
    pub before: Option<u64>,
}

/// That the log of today continues an earlier one.
#[derive(Clone, Debug)]
pub struct Growth {
    /// How many entries the earlier one had.
    pub from: u64,
    /// The head of today.
    pub head: LedgerHead,
    /// The consistency proof (RFC 6962 §2.1.2).
    pub proof: Vec<Hash>,
}

impl Exchange {
    /// The entries that are looked for, the newest first, at most `limit`; to a member, those that are about it.
    ///
    /// # Errors
    ///
    /// Refuses all but the programme's auditors and members.
    pub fn ledger_entries(
        &self,
        caller: &Caller,
        sought: &Sought,
        limit: usize,
    ) -> Result<EntriesPage, AdminError> {
        if caller.member().is_none() {
            require(caller, AUDITS, "the programme's auditors")?;
        }
        let text = sought.text.as_ref().map(|text| text.to_lowercase());
        let snapshot = self.inner.store.snapshot()?;
        let size = self.inner.published.log().size();
        let mut to = sought.before.unwrap_or(size).min(size);
        let stop = to.saturating_sub(SCAN_MAX);
        let mut page = EntriesPage::default();
        while to > stop {
            let from = to.saturating_sub(READ_AT_ONCE as u64).max(stop);
            let count = usize::try_from(to - from).unwrap_or(usize::MAX);
            for entry in snapshot.entries(from, count)?.into_iter().rev() {
                if !may_fit(sought, &entry.body) {
                    continue;
                }
                let opened = open_entry(entry)?;
                if !may_see(caller, &opened) || !fits(sought, text.as_deref(), &opened) {
                    continue;
                }
                let index = opened.index;
                page.entries.push(opened);
                if page.entries.len() >= limit.min(ENTRIES_MAX) {
                    page.before = Some(index).filter(|index| *index > 0);
                    return Ok(page);
                }
            }
            to = from;
        }
        page.before = Some(to).filter(|to| *to > 0);
        Ok(page)
    }

    /// The proof that the log continues its first `from` entries; `None` if it has not as many. Everybody could make it of
    /// the public tiles.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub fn ledger_growth(&self, from: u64) -> Result<Option<Growth>, AdminError> {
        let head = self.ledger_head();
        if from > head.size {
            return Ok(None);
        }
        let mut hashes = TileHashes::new(ServedTiles(self), head.size);
        let proof = consistency_proof(from, head.size, &mut hashes);
        let proof = proof.map_err(|error| AdminError::Store(StoreError::Damaged(error.to_string())))?;
        Ok(Some(Growth { from, head, proof }))
    }
}

/// Reads a stored entry.
pub(crate) fn open_entry(entry: StoredEntry) -> Result<OpenedEntry, StoreError> {
    open(entry.index, &Opening { salt: entry.salt, body: entry.body })
}

/// The same, of an entry whose parts are at hand.
pub(super) fn open(index: u64, opening: &Opening) -> Result<OpenedEntry, StoreError> {
    let damaged = |error: String| StoreError::Damaged(format!("ledger entry {index}: {error}"));
    let read = opening.read().map_err(|error| damaged(error.to_string()))?;
    let body = serde_json::from_slice(&opening.body).map_err(|error| damaged(error.to_string()))?;
    Ok(OpenedEntry { index, at: read.at().to_owned(), member: read.member().map(str::to_owned), body })
}

pub(super) fn may_see(caller: &Caller, entry: &OpenedEntry) -> bool {
    caller.member().is_none_or(|member| entry.member.as_deref() == Some(member.as_str()))
}

/// Whether an entry may be one that is looked for, by what its bytes say; most are not, and need not be read as what they
/// are. Bodies are canonical JSON, so a kind and a member's id stand in them as they are spelled.
fn may_fit(sought: &Sought, body: &[u8]) -> bool {
    let says = |what: &str| memchr::memmem::find(body, what.as_bytes()).is_some();
    sought.kind.as_ref().is_none_or(|kind| says(kind))
        && sought.member.as_ref().is_none_or(|member| says(member.as_str()))
}

fn fits(sought: &Sought, text: Option<&str>, entry: &OpenedEntry) -> bool {
    let is_kind = sought.kind.as_deref().is_none_or(|kind| entry.body["kind"] == kind);
    let is_about =
        sought.member.as_ref().is_none_or(|member| entry.member.as_deref() == Some(member.as_str()));
    is_kind && is_about && text.is_none_or(|text| entry.body.to_string().to_lowercase().contains(text))
}
