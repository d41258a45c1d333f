//! The direct part of a timeline: commits whose labels were open to the reader when they happened.

use std::collections::VecDeque;

use model::{LabelId, Timestamp};
use release::View;

use super::page::Query;
use crate::{CommitNo, Run, SegmentId, Snapshot, StoreError};

/// Up to this many open labels are merged run by run; beyond, it is cheaper to walk the commits.
const LABELS_MERGED_MAX: usize = 64;
/// How many runs of a label, or commits, are fetched at first, and at most at once.
const FETCH_FIRST: usize = 4;
const FETCH_MAX: usize = 256;

/// A segment that was open to the reader when it was committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct DirectRun {
    pub(super) id: SegmentId,
    pub(super) count: u32,
    /// The date of its first object.
    pub(super) date: i64,
    run: Option<Run>,
}

impl DirectRun {
    pub(super) fn run(&self, snapshot: &dyn Snapshot, view: &View) -> Result<Run, StoreError> {
        match self.run {
            Some(run) => Ok(run),
            None => snapshot
                .run(view, self.id)?
                .ok_or_else(|| StoreError::Damaged(format!("segment {} is missing", self.id))),
        }
    }
}

/// Walks the direct part of a timeline in order.
pub(super) struct Direct<'a> {
    snapshot: &'a dyn Snapshot,
    view: &'a View,
    query: &'a Query<'a>,
    plan: Plan,
    ready: VecDeque<DirectRun>,
}

enum Plan {
    /// A cursor for each label.
    Merge { cursors: Vec<Cursor>, last: CommitNo, rank: u64 },
    /// The commits, from an instant on.
    Walk { from: Timestamp, fetch: usize, done: bool },
}

struct Cursor {
    label: LabelId,
    fetched: VecDeque<Run>,
    next: CommitNo,
    fetch: usize,
    done: bool,
}

impl<'a> Direct<'a> {
    /// Begins with the commit that holds the first date after `after`, or a little before it.
    pub(super) fn seek(
        snapshot: &'a dyn Snapshot,
        view: &'a View,
        query: &'a Query<'a>,
        after: i64,
    ) -> Result<Self, StoreError> {
        let start = if after == i64::MIN {
            None
        } else {
            snapshot.commit_before(view, query.collection, Timestamp::from_micros(after))?
        };
        let (no, at) = start.unwrap_or((CommitNo(0), Timestamp::MIN));
        let mut open = query
            .labels
            .iter()
            .filter(|label| view.intervals(**label).was_open_within(at, Some(query.horizon.plus_micros(1))));
        let few: Vec<LabelId> = open.by_ref().take(LABELS_MERGED_MAX).copied().collect();
        let plan = if open.next().is_some() {
            Plan::Walk { from: at, fetch: FETCH_FIRST, done: false }
        } else {
            let cursor =
                |label| Cursor { label, fetched: VecDeque::new(), next: no, fetch: FETCH_FIRST, done: false };
            Plan::Merge { cursors: few.into_iter().map(cursor).collect(), last: CommitNo(0), rank: 0 }
        };
        Ok(Self { snapshot, view, query, plan, ready: VecDeque::new() })
    }

    /// The next segment, without taking it.
    pub(super) fn peek(&mut self) -> Result<Option<DirectRun>, StoreError> {
        while self.ready.is_empty() {
            if !self.advance()? {
                return Ok(None);
            }
        }
        Ok(self.ready.front().copied())
    }

    /// Takes the next segment.
    pub(super) fn take(&mut self) {
        self.ready.pop_front();
    }

    fn advance(&mut self) -> Result<bool, StoreError> {
        let Self { snapshot, view, query, plan, ready } = self;
        match plan {
            Plan::Merge { cursors, last, rank } => {
                let mut next: Option<(usize, Run)> = None;
                for (index, cursor) in cursors.iter_mut().enumerate() {
                    cursor.fill(*snapshot, view, query)?;
                    if let Some(run) = cursor.fetched.front()
                        && next.is_none_or(|(_, best)| {
                            (run.id.commit, run.id.label) < (best.id.commit, best.id.label)
                        })
                    {
                        next = Some((index, *run));
                    }
                }
                let Some((index, run)) = next else { return Ok(false) };
                cursors[index].fetched.pop_front();
                if run.id.commit != *last {
                    (*last, *rank) = (run.id.commit, 0);
                }
                ready.push_back(DirectRun {
                    id: run.id,
                    count: run.count,
                    date: dated(run.at, *rank),
                    run: Some(run),
                });
                *rank += u64::from(run.count);
                Ok(true)
            }
            Plan::Walk { from, fetch, done } => {
                if *done {
                    return Ok(false);
                }
                let rows = snapshot.commits(view, query.collection, *from, *fetch)?;
                *done = rows.len() < *fetch;
                *fetch = (*fetch * 2).min(FETCH_MAX);
                for row in &rows {
                    if row.at > query.horizon {
                        *done = true;
                        break;
                    }
                    *from = row.at.plus_micros(1);
                    let mut rank = 0;
                    for (label, count) in row.labels.iter() {
                        if view.intervals(*label).is_open(row.at) {
                            let id = SegmentId { label: *label, commit: row.no };
                            ready.push_back(DirectRun {
                                id,
                                count: *count,
                                date: dated(row.at, rank),
                                run: None,
                            });
                            rank += u64::from(*count);
                        }
                    }
                }
                Ok(!ready.is_empty() || !*done)
            }
        }
    }
}

pub(super) fn dated(at: Timestamp, rank: u64) -> i64 {
    at.as_micros().saturating_add(i64::try_from(rank).unwrap_or(i64::MAX).saturating_mul(2))
}

impl Cursor {
    /// Fetches until a run is at hand that lies in one of the label's intervals, or there is none.
    fn fill(&mut self, snapshot: &dyn Snapshot, view: &View, query: &Query<'_>) -> Result<(), StoreError> {
        let intervals = view.intervals(self.label);
        while self.fetched.is_empty() && !self.done {
            let runs = snapshot.runs(view, self.label, self.next, self.fetch)?;
            self.done = runs.len() < self.fetch;
            self.fetch = (self.fetch * 2).min(FETCH_MAX);
            for run in runs {
                self.next = CommitNo(run.id.commit.0 + 1);
                if run.at > query.horizon {
                    self.done = true;
                    break;
                }
                match intervals.first_open_from(run.at) {
                    Some(opens) if opens == run.at => self.fetched.push_back(run),
                    // In a gap: go on where the label opens again, past what was committed meanwhile.
                    Some(opens) => {
                        let before = snapshot.commit_before(view, query.collection, opens.plus_micros(-1))?;
                        let jump = before.map_or(self.next, |(no, _)| CommitNo(no.0 + 1));
                        if jump > self.next {
                            self.next = jump;
                            self.done = false;
                            break;
                        }
                    }
                    None => {
                        self.done = true;
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}
