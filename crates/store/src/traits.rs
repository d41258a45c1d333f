//! What every store promises.

use model::{CollectionId, Epoch, LabelId, Timestamp};
use release::View;
use thiserror::Error;

use crate::{
    CommitNo, CommitRow, Copy, Heads, Mark, Position, ReferenceKey, Run, Segment, SegmentId, Stretch,
};

/// Why a store could not answer.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The disk, the file system or the database refused.
    #[error("{doing}: {source}")]
    Failed {
        /// What was being done, in the field's words.
        doing: &'static str,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server that keeps the data does not answer, or not as one that can be written to. It may come back.
    #[error("{doing}: the database does not answer: {source}")]
    Unavailable {
        /// What was being done, in the field's words.
        doing: &'static str,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another hub has taken over since the store was opened. Nothing is read or written through this one any more.
    #[error("another hub has taken over the store")]
    Superseded,
    /// What was read back is not what was written.
    #[error("the store is damaged: {0}; restore it from a backup")]
    Damaged(String),
    /// The store was written by a newer version of this program.
    #[error(
        "the store has layout {found}, and this program knows layouts up to {known}; use a newer program"
    )]
    TooNew {
        /// The layout that the store has.
        found: u32,
        /// The newest layout that this program knows.
        known: u32,
    },
    /// The store was written by a program from before the first release.
    #[error(
        "the store has layout {found}, and this program knows layouts from {oldest} on; begin with an empty data \
         directory, and publish to it what the old one held"
    )]
    TooOld {
        /// The layout that the store has.
        found: u32,
        /// The oldest layout that this program knows.
        oldest: u32,
    },
    /// Another process has it open for writing.
    #[error(
        "the store in `{0}` is open in another process; stop that hub first, or talk to it over the network"
    )]
    InUse(String),
}

impl StoreError {
    /// Says what was being done when `source` happened.
    pub fn failed(doing: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed { doing, source: source.into() }
    }

    /// Whether it lies with the server that keeps the data, or with another hub that has taken over, and not with what was
    /// asked: the same question may be answered later, or elsewhere.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Superseded => true,
            Self::Failed { .. }
            | Self::Damaged(_)
            | Self::TooNew { .. }
            | Self::TooOld { .. }
            | Self::InUse(_) => false,
        }
    }
}

/// How a commit ended, if not well.
#[derive(Debug, Error)]
pub enum CommitError {
    /// Nothing was written.
    #[error("nothing was written: {0}")]
    NotApplied(StoreError),
    /// It may have been written or not; only reopening the store tells.
    #[error("it is not known whether it was written: {0}")]
    Unknown(StoreError),
}

/// Where the writer stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Horizon {
    /// No instant up to and including this one will be handed out again.
    pub last: Timestamp,
    /// The newest commit.
    pub commit: CommitNo,
    /// The current epoch.
    pub epoch: Epoch,
    /// How many ledger entries there are.
    pub entries: u64,
}

/// A record: a small document under a kind and a key. Members, credentials, labels, statuses and the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What kind of thing.
    pub kind: String,
    /// Its key among its kind; records are listed in the byte order of their keys.
    pub key: String,
    /// The document.
    pub value: Vec<u8>,
}

/// A ledger entry as it is stored: the opening of the commitment that the log publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its number in the log, from 0.
    pub index: u64,
    /// The salt of its commitment.
    pub salt: [u8; 32],
    /// The canonical bytes that are committed to.
    pub body: Vec<u8>,
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Objects, all versions, without the deleted.
    pub objects: u64,
    /// Segments.
    pub segments: u64,
    /// Ledger entries.
    pub entries: u64,
    /// Bytes of bodies.
    pub body_bytes: u64,
}

/// A place where a hub keeps what it knows.
///
/// A store has one writer at a time ([`begin`](Self::begin)) and any number of readers, which never wait for the
/// writer. What [`Transaction::commit`] acknowledged survives the death of the process and of the machine.
pub trait Store: Send + Sync {
    /// Begins to write. Blocks while another transaction is open.
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StoreError>;

    /// Reads as of now: everything committed before this call, and nothing committed after it.
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError>;

    /// Work that can wait and may be run at any time, such as tidying indexes. Returns whether some is left.
    fn tend(&self) -> Result<bool, StoreError> {
        Ok(false)
    }
}

/// Writes that land together or not at all. Dropping one undoes it.
pub trait Transaction {
    /// Where the writer stands, with what this transaction did so far.
    fn horizon(&self) -> Horizon;

    /// Says that instants up to `last` are used up.
    fn set_last(&mut self, last: Timestamp);

    /// Begins a new epoch.
    fn set_epoch(&mut self, epoch: Epoch);

    /// The number of the next commit; it is taken by [`append`](Self::append) calls that name it.
    fn next_commit(&mut self) -> CommitNo;

    /// Appends one commit's segments, in order of their labels, all of one collection, instant and commit.
    fn append(&mut self, segments: Vec<Segment>) -> Result<(), StoreError>;

    /// Sets an object's mark, over an earlier one.
    fn mark(&mut self, mark: Mark) -> Result<(), StoreError>;

    /// Overwrites an object's body, so that it cannot be read again by anyone. Mark it first.
    fn erase(&mut self, position: Position) -> Result<(), StoreError>;

    /// Every stored copy with this id, in every collection, in the order of arrival.
    fn find(&self, id: &str) -> Result<Vec<Copy>, StoreError>;

    /// Whether the stored body at `copy` is exactly `body`.
    fn is_same(&self, copy: &Copy, body: &[u8]) -> Result<bool, StoreError>;

    /// Reads a stored body for the programme's own decision on it (re-labelling, redaction): it goes back in.
    fn body_for_relabelling(&self, copy: &Copy) -> Result<Vec<u8>, StoreError>;

    /// Stored copies that name `id` in one of their references.
    fn referrers(&self, id: &str) -> Result<Vec<Copy>, StoreError>;

    /// Remembers that the object at `position` names `id` in one of its references.
    fn refer(&mut self, id: &str, position: Position) -> Result<(), StoreError> {
        self.refer_by(ReferenceKey::of(id), position)
    }

    /// The same by what stands for the id.
    fn refer_by(&mut self, key: ReferenceKey, position: Position) -> Result<(), StoreError>;

    /// Writes a record, over an earlier one.
    fn put(&mut self, record: Record) -> Result<(), StoreError>;

    /// Removes a record, if it is there.
    fn remove(&mut self, kind: &str, key: &str) -> Result<(), StoreError>;

    /// Appends a ledger entry; its number has to be the next one.
    fn append_entry(&mut self, entry: StoredEntry) -> Result<(), StoreError>;

    /// Keeps a full tile of the ledger's tree.
    fn put_tile(&mut self, level: u8, index: u64, tile: &[u8]) -> Result<(), StoreError>;

    /// Makes all of it durable. When this returns `Ok`, it is.
    fn commit(self: Box<Self>) -> Result<Horizon, CommitError>;
}

/// What was committed when the snapshot was taken.
pub trait Snapshot {
    /// Where the writer stood.
    fn horizon(&self) -> Horizon;

    /// The collection's commits with instants at or after `from`, in order, at most `limit`.
    fn commits(
        &self,
        view: &View,
        collection: CollectionId,
        from: Timestamp,
        limit: usize,
    ) -> Result<Vec<CommitRow>, StoreError>;

    /// The collection's last commit with an instant at or before `at`.
    fn commit_before(
        &self,
        view: &View,
        collection: CollectionId,
        at: Timestamp,
    ) -> Result<Option<(CommitNo, Timestamp)>, StoreError>;

    /// The label's segments from commit `from` on, in order, at most `limit`.
    fn runs(&self, view: &View, label: LabelId, from: CommitNo, limit: usize)
    -> Result<Vec<Run>, StoreError>;

    /// One segment.
    fn run(&self, view: &View, segment: SegmentId) -> Result<Option<Run>, StoreError>;

    /// The label's segment that holds its object number `ordinal`, counted from 0 over all its segments.
    fn run_at(&self, view: &View, label: LabelId, ordinal: u64) -> Result<Option<Run>, StoreError>;

    /// How many objects of the label lie in commits before `commit`.
    fn count_before(&self, view: &View, label: LabelId, commit: CommitNo) -> Result<u64, StoreError>;

    /// The heads of a segment.
    fn heads(&self, view: &View, run: &Run) -> Result<Heads, StoreError>;

    /// The marks of a segment, in order.
    fn marks(&self, view: &View, run: &Run) -> Result<Vec<Mark>, StoreError>;

    /// Whether any object ever left this label for another one.
    fn was_relabelled(&self, view: &View, label: LabelId) -> Result<bool, StoreError>;

    /// Appends the bodies of `count` objects of a segment, from number `first` on, joined by commas, to `out`.
    fn read(
        &self,
        view: &View,
        run: &Run,
        first: u32,
        count: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError>;

    /// Appends the bodies of several stretches, one behind the other and joined by commas, to `out`.
    ///
    /// A store at the other end of a network fetches them at once.
    fn read_all(&self, view: &View, stretches: &[Stretch], out: &mut Vec<u8>) -> Result<(), StoreError> {
        for (index, Stretch { run, first, count }) in stretches.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.read(view, run, *first, *count, out)?;
        }
        Ok(())
    }

    /// Every stored copy with this id, in the order of arrival. What the view may have of them is another question.
    fn find(&self, view: &View, id: &str) -> Result<Vec<Copy>, StoreError>;

    /// One record.
    fn get(&self, kind: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// The records of a kind whose keys start with `prefix`, in order of their keys.
    fn list(&self, kind: &str, prefix: &str) -> Result<Vec<Record>, StoreError>;

    /// Those of them whose keys come after `after`, at most `limit`.
    fn list_after(
        &self,
        kind: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let mut records = self.list(kind, prefix)?;
        records.retain(|record| record.key.as_str() > after);
        records.truncate(limit);
        Ok(records)
    }

    /// The last key of a kind, without reading its document or any other.
    fn last_key(&self, kind: &str) -> Result<Option<String>, StoreError>;

    /// Ledger entries from number `from` on, at most `limit`.
    fn entries(&self, from: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError>;

    /// A full tile of the ledger's tree.
    fn tile(&self, level: u8, index: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// The ids of the objects at some positions of a segment, for the ledger's answers. They name; they do not show.
    fn names(&self, segment: SegmentId) -> Result<Option<Heads>, StoreError>;

    /// How much the store holds.
    fn inventory(&self) -> Result<Inventory, StoreError>;
}
