//! Who speaks for a tie.
//!
//! Of the statements about one tie that count at an instant, the one recorded last speaks. An end that was recorded
//! after it ends the tie. An end recorded *before* it is outrun: when the same document says again that the tie
//! holds, it corrects itself and the end is void; when another document does, the two contradict each other, and the
//! tie is possible. So neither a late correction of an old share revives a tie in silence, nor does a mistaken end
//! hide one that a register keeps reporting.
//!
//! Only a completion ends. The announcement of an end is shown beside the tie.

use model::Timestamp;

use super::describe::HISTORY_LOOKED_AT_MAX;
use super::log::Log;
use crate::encode::{Reader, Tag, take_period, take_said};
use crate::{Confidence, Day, End, Ending, PartialDate, Said, Truth};

/// What was last said of a tie or listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// The row that speaks.
    pub(crate) row: u32,
    /// The row that says it is over.
    pub(crate) ended: Option<u32>,
    /// Whether another document denies the end.
    pub(crate) disputed: bool,
    /// The row that announced an end.
    pub(crate) announced: Option<u32>,
}

impl Log {
    /// What was last said of a tie (or of a listing, by `tag`) by those statements that count at `known`.
    pub(crate) fn word(&self, tie: u32, tag: Tag, known: Timestamp) -> Option<Word> {
        self.word_among(self.of_tie(tie), tag, known)
    }

    /// The same, of the last arrivals only: for a newcomer, which is rarely the earliest.
    pub(crate) fn word_of_late(&self, tie: u32, tag: Tag, known: Timestamp) -> Option<Word> {
        self.word_among(self.of_tie(tie).take(HISTORY_LOOKED_AT_MAX), tag, known)
    }

    fn word_among(&self, rows: impl Iterator<Item = u32>, tag: Tag, known: Timestamp) -> Option<Word> {
        let (mut speaker, mut completed, mut announced) = (None, None, None);
        for row in rows.filter(|&row| self.counts(row, known)) {
            let row_tag = self.row(row).tag;
            if row_tag == tag {
                speaker = Some(self.later(speaker, row));
            } else if row_tag == Tag::End {
                match self.end(row).by {
                    Ending::Completed => completed = Some(self.later(completed, row)),
                    Ending::Announced => announced = Some(self.later(announced, row)),
                }
            }
        }
        let speaker = speaker?;
        let outruns = |end: u32| self.row(speaker).recorded > self.row(end).recorded;
        let own = |end: u32| self.document(speaker) == self.document(end);
        let ended = completed.filter(|&end| !(outruns(end) && own(end)));
        let announced = announced.filter(|&end| !(outruns(end) && own(end)));
        Some(Word { row: speaker, ended, disputed: ended.is_some_and(outruns), announced })
    }

    /// Whether what is said last holds on `day`.
    pub(crate) fn truth(&self, word: Word, day: Day) -> Truth {
        // INVARIANT: the bodies of ties and listings begin with their period, and were checked.
        let valid = take_period(self.body(word.row)).expect("a body in the log was checked");
        let mut truth = valid.holds(day);
        if let Some(end) = word.ended {
            let over = self.end_date(end).has_come(day);
            let doubted = word.disputed || self.is_doubtful(end);
            truth = truth.min(!if doubted { over.min(Truth::Possible) } else { over });
        }
        if self.is_doubtful(word.row) { truth.min(Truth::Possible) } else { truth }
    }

    fn end_date(&self, row: u32) -> PartialDate {
        self.end(row).on
    }

    fn end(&self, row: u32) -> End {
        let keys = crate::encode::Keys::End { tie: "-" };
        match take_said(keys, &mut Reader::new(self.body(row))) {
            Ok(Said::End(end)) => end,
            Ok(_) | Err(_) => unreachable!("a body in the log was checked, and this one is an end's"),
        }
    }

    fn document(&self, row: u32) -> u32 {
        self.source_head(self.row(row)).document
    }

    fn is_doubtful(&self, row: u32) -> bool {
        self.source_head(self.row(row)).confidence == Confidence::Low
    }
}
