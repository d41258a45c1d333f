//! The one row of the table `horizon`.

use model::{Epoch, Timestamp};
use postgres::Row;
use store::{CommitNo, Horizon, Inventory, StoreError};

use crate::connection::Connection;
use crate::numbers::{big, small};

const READ: &str =
    "SELECT fence, seq, last, commit_no, epoch, entries, objects, gone, segments, body_bytes FROM horizon";

/// Where the writer stands, and how much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Whose turn it is to write.
    pub(crate) fence: i64,
    /// Counts the transactions.
    pub(crate) seq: i64,
    pub(crate) horizon: Horizon,
    /// Objects, those that left their place included.
    pub(crate) objects: u64,
    /// Objects that left their place.
    pub(crate) gone: u64,
    pub(crate) segments: u64,
    pub(crate) body_bytes: u64,
}

impl Totals {
    pub(crate) fn read(connection: &mut Connection) -> Result<Self, StoreError> {
        let rows = connection.query("reading where the writer stands", READ, &[])?;
        rows.first()
            .map(Self::of_row)
            .ok_or_else(|| StoreError::Damaged("the horizon's row is missing".to_owned()))
    }

    fn of_row(row: &Row) -> Self {
        Self {
            fence: row.get(0),
            seq: row.get(1),
            horizon: Horizon {
                last: Timestamp::from_micros(row.get(2)),
                commit: CommitNo(small(row.get(3))),
                epoch: Epoch::new(small(row.get(4))),
                entries: small(row.get(5)),
            },
            objects: small(row.get(6)),
            gone: small(row.get(7)),
            segments: small(row.get(8)),
            body_bytes: small(row.get(9)),
        }
    }

    /// Writes them if the writer still has its turn and nothing was written meanwhile; returns whether that is so.
    pub(crate) fn write(&self, connection: &mut Connection) -> Result<bool, StoreError> {
        let sql = "UPDATE horizon SET seq = seq + 1, last = $3, commit_no = $4, epoch = $5, entries = $6, objects = $7,
                   gone = $8, segments = $9, body_bytes = $10 WHERE id = 0 AND fence = $1 AND seq = $2";
        let Self { fence, seq, horizon, objects, gone, segments, body_bytes } = self;
        let Horizon { last, commit, epoch, entries } = horizon;
        let rows = connection.execute(
            "writing where the writer stands",
            sql,
            &[
                fence,
                seq,
                &last.as_micros(),
                &big(commit.0),
                &big(epoch.number()),
                &big(*entries),
                &big(*objects),
                &big(*gone),
                &big(*segments),
                &big(*body_bytes),
            ],
        )?;
        Ok(rows == 1)
    }

    pub(crate) fn inventory(&self) -> Inventory {
        Inventory {
            objects: self.objects.saturating_sub(self.gone),
            segments: self.segments,
            entries: self.horizon.entries,
            body_bytes: self.body_bytes,
        }
    }
}
