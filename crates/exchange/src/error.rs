//! What can go wrong, one type for each family of operations.

use std::sync::Arc;

use model::{InvalidTransition, MemberId, Tier};
use release::PolicyError;
use store::{CommitError, StoreError};
use thiserror::Error;
use vetting::JudgeError;

/// Why nothing was written, or it is not known whether it was.
#[derive(Clone, Debug, Error)]
pub enum WriteError {
    /// Nothing was written.
    #[error("nothing was changed: {0}")]
    NotApplied(Arc<StoreError>),
    /// The store could not say whether it was written, so the hub has stopped writing.
    #[error(
        "the store failed while committing, and the hub has stopped: {0}; restart it to learn what was written"
    )]
    Halted(Arc<StoreError>),
    /// The hub is shutting down.
    #[error("the hub is shutting down")]
    Closed,
}

impl From<CommitError> for WriteError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::NotApplied(source) => Self::NotApplied(Arc::new(source)),
            CommitError::Unknown(source) => Self::Halted(Arc::new(source)),
        }
    }
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::NotApplied(Arc::new(error))
    }
}

/// Why an exchange could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was to be written at the start was not.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The programme's policy cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The programme's rules about ties cannot be used.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// The store belongs to another programme.
    #[error(
        "this data directory belongs to the programme `{found}`, not to `{wanted}`; give each programme its own"
    )]
    OtherProgramme {
        /// Whose it is.
        found: String,
        /// Which one was asked for.
        wanted: String,
    },
    /// A record cannot be read.
    #[error("the record `{kind}/{key}` is damaged: {reason}; restore the store from a backup")]
    Record {
        /// The record's kind.
        kind: String,
        /// The record's key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The ledger cannot be continued.
    #[error("the ledger cannot be continued: {0}; restore the store from a backup")]
    Ledger(String),
    /// A checkpoint was signed here over more than the store has.
    #[error(
        "the store ends at ledger entry {found}, and a checkpoint over {signed} was signed here: the store has lost its end, or is an older copy. Put its newest files back, or restore the newest backup into a new directory (`ringfence restore`). To go on without what is lost, remove `{place}` and tell the members, whose checkpoints this ledger will contradict"
    )]
    EndLost {
        /// How many entries the store has.
        found: u64,
        /// How many the kept checkpoint speaks of.
        signed: u64,
        /// Where it is kept.
        place: String,
    },
    /// A checkpoint was signed here that the store contradicts.
    #[error(
        "the first {signed} ledger entries in the store are not those over which the checkpoint in `{place}` was signed: the store is another hub's or was changed. Put its own files back, or restore the newest backup into a new directory (`ringfence restore`)"
    )]
    OtherPast {
        /// How many entries the kept checkpoint speaks of.
        signed: u64,
        /// Where it is kept.
        place: String,
    },
    /// The kept checkpoint cannot be used.
    #[error(
        "the checkpoint in `{place}` is not one of this hub's: {problem}. Put the right one back; without one, remove it, and hold the ledger to a checkpoint from elsewhere (`ringfence ledger verify --older`)"
    )]
    Kept {
        /// Where it is kept.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A move into the store was broken off.
    #[error(
        "a move into this store was broken off half way; remove what is there and move again, or start the hub on the source"
    )]
    HalfMoved,
    /// A key has the wrong form.
    #[error("the ledger's key is unusable: {0}")]
    Key(String),
}

/// Why nobody was recognised.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthenticationError {
    /// No such credential, a wrong secret, an expired or revoked one: one answer for all.
    #[error("the credentials were not accepted")]
    Refused,
    /// Too many failures; nothing was looked at.
    #[error("too many failed attempts; try again in {retry_after_seconds} s")]
    Throttled {
        /// How long to wait.
        retry_after_seconds: u64,
    },
}

/// Why nothing was read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// There is none, or the caller may not know that there is one.
    #[error("there is no collection `{0}`")]
    NoSuchCollection(String),
    /// The collection is known to the caller, who may not read it.
    #[error("the collection `{0}` cannot be read with these credentials")]
    NotReadable(String),
    /// There is none, or the caller may not know that there is one.
    #[error("there is no object `{0}` in this collection")]
    NoSuchObject(String),
    /// There is none, or it is another submitter's.
    #[error("there is no status `{0}`")]
    NoSuchStatus(String),
    /// The `next` was not made for this caller, collection and filter, or not by this hub.
    #[error("this `next` does not belong to this request; start again without it, with `added_after`")]
    BadNext,
    /// The caller holds this very answer already, so nothing was handed out.
    #[error("the answer is the one that the caller has")]
    NotModified {
        /// Which one.
        etag: String,
    },
    /// The credential was revoked or ran out after the request began.
    #[error("the credentials are no longer accepted")]
    Revoked,
    /// The caller's standing changed again and again while the page was made.
    #[error("the programme's policy is changing; try again")]
    Unsettled,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disclosure could not be recorded, so nothing was handed out.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why nothing of a submission was accepted.
#[derive(Debug, Error)]
pub enum PublishError {
    /// There is none, or the caller may not know that there is one.
    #[error("there is no collection `{0}`")]
    NoSuchCollection(String),
    /// The collection is known to the caller, who may not write to it.
    #[error("the collection `{0}` cannot be written to with these credentials")]
    NotWritable(String),
    /// The body is not an envelope.
    #[error("{0}")]
    Malformed(String),
    /// A property of the envelope has the wrong form.
    #[error("`{property}` {problem}")]
    BadProperty {
        /// Which.
        property: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Objects with given dates have to come in order, behind everything that is there.
    #[error("{0}")]
    OutOfOrder(String),
    /// The credential was revoked or ran out after the request began.
    #[error("the credentials are no longer accepted")]
    Revoked,
    /// The caller may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// There is none, or the caller may not know that there is one.
    #[error("there is no object `{0}` in this collection")]
    NoSuchObject(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing was written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why a decision was not taken.
#[derive(Debug, Error)]
pub enum AdminError {
    /// The credential was revoked or ran out after the request began.
    #[error("the credentials are no longer accepted")]
    Revoked,
    /// The caller's role does not include it.
    #[error("only {needed} may do this")]
    Forbidden {
        /// Who may.
        needed: &'static str,
    },
    /// There is none.
    #[error("there is no member `{0}`; `ringfence member list` names them")]
    NoSuchMember(MemberId),
    /// There is none.
    #[error("there is no credential `{0}`; `ringfence token list` names them")]
    NoSuchCredential(String),
    /// There is none.
    #[error("there is no collection `{0}` in this programme")]
    NoSuchCollection(String),
    /// There is none.
    #[error("there is no object `{0}`")]
    NoSuchObject(String),
    /// There is none.
    #[error("there is no tier `{tier}` in this programme; it has {known}")]
    NoSuchTier {
        /// What was asked for.
        tier: Tier,
        /// What there is.
        known: String,
    },
    /// There is none.
    #[error("there is no proposed match {0}; `ringfence ties matches` lists them")]
    NoSuchMatch(u64),
    /// The procedure has no such step.
    #[error(transparent)]
    Transition(#[from] InvalidTransition),
    /// What was looked at before is no longer so.
    #[error("ties, standings or rules have changed since that was looked at; look again first")]
    Moved,
    /// The rules about ties cannot be asked that.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// Something was said in the wrong form.
    #[error("{0}")]
    Invalid(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing was written.
    #[error(transparent)]
    Write(#[from] WriteError),
}
