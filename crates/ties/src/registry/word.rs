//! Who speaks for a tie.
//!
//! Of the statements about one tie that count at an instant, the one recorded last speaks. An end that was recorded
//! after it ends the tie. An end recorded *before* it is outrun: when the same document says again that the tie
//! holds, it corrects itself and the end is void; when another document does, the two contradict each other, and the
//! tie is possible. So neither a late correction of an old share revives a tie in silence, nor does a mistaken end
//! hide one that a register keeps reporting.
//!
//! A rumour adds what is possible and takes nothing away: where anything better speaks, a statement of low confidence
//! is heard only if it is newer, and only about days on which the better one says that nothing holds (a rumour of a
//! larger share is a tie of its own); an end of low confidence is shown beside the tie and ends nothing.
//!
//! Only a completion ends, and only once it has happened: an end of a day that was yet to come when it was recorded is
//! an announcement, whatever it calls itself, and so is the last day that a tie's own statement names for one. A plan
//! is the exception, being one itself, and so is a listing, which ends when its list says. An end in a month or a year
//! of which the day is not known ends the tie when that month or year is over.

use model::Timestamp;

use super::describe::HISTORY_LOOKED_AT_MAX;
use super::log::Log;
use crate::encode::{Reader, Tag, take_period, take_said};
use crate::{Confidence, Day, End, Ending, PartialDate, Period, Said, TieKind, Truth};

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
    /// A rumour about the tie of which something better speaks.
    pub(crate) rumour: Option<u32>,
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
        let (mut sound, mut rumour, mut completed, mut announced) = (None, None, None, None);
        for row in rows.filter(|&row| self.counts(row, known)) {
            let row_tag = self.row(row).tag;
            let place = if row_tag == tag {
                if self.is_doubtful(row) { &mut rumour } else { &mut sound }
            } else if row_tag == Tag::End {
                if self.has_ended(row) { &mut completed } else { &mut announced }
            } else {
                continue;
            };
            *place = Some(self.later(*place, row));
        }
        let speaker = sound.or(rumour)?;
        let outruns = |end: u32| self.row(speaker).recorded > self.row(end).recorded;
        let own = |end: u32| self.document(speaker) == self.document(end);
        let ended = completed.filter(|&end| !(outruns(end) && own(end)));
        let own_end = self.coming_end(speaker).map(|_| speaker);
        let announced = announced.filter(|&end| !(outruns(end) && own(end))).or(own_end);
        let newest = |rumour: u32| {
            self.row(rumour).recorded
                > self.row(speaker).recorded.max(self.row(ended.unwrap_or(speaker)).recorded)
        };
        let rumour = sound.and(rumour).filter(|&rumour| newest(rumour));
        Some(Word { row: speaker, ended, disputed: ended.is_some_and(outruns), announced, rumour })
    }

    /// Whether a row says that something is over which was over when it was recorded, and says it credibly.
    fn has_ended(&self, row: u32) -> bool {
        self.end(row).by == Ending::Completed && self.coming_end(row).is_none() && !self.is_doubtful(row)
    }

    /// The day on which a tie is to be over by a row, if that day was yet to come when it was recorded. Plans come to
    /// nothing by themselves, and a listing ends when its list says.
    pub(super) fn coming_end(&self, row: u32) -> Option<PartialDate> {
        let head = self.row(row);
        let on = match head.tag {
            Tag::End => Some(self.end(row)).filter(|end| end.by == Ending::Completed)?.on,
            Tag::Tie => self.period(row).to?,
            Tag::Listing | Tag::Entity | Tag::Same | Tag::Retraction => return None,
        };
        let is_coming = on.earliest() > Day::of(Timestamp::from_micros(head.recorded));
        let is_plan = || head.tag == Tag::Tie && matches!(self.kind(row), TieKind::Plans(_));
        (is_coming && !is_plan()).then_some(on)
    }

    /// Whether what is said last holds on `day`, and the row that says it.
    pub(crate) fn truth(&self, word: Word, day: Day) -> (Truth, u32) {
        let mut truth = self.holds(word.row, day);
        if let Some(end) = word.ended {
            let over = is_over(self.end(end).on, day);
            truth = truth.min(!if word.disputed { over.min(Truth::Possible) } else { over });
        }
        match word.rumour {
            Some(rumour) if truth == Truth::No => (self.holds(rumour, day), rumour),
            Some(_) | None => (truth, word.row),
        }
    }

    /// Whether what a row says by itself holds on `day`.
    fn holds(&self, row: u32, day: Day) -> Truth {
        let period = self.period(row);
        let begun = period.from.map_or(Truth::Certain, |from| from.has_come(day));
        let ends = period.to.filter(|_| self.coming_end(row).is_none());
        let over = ends.map_or(Truth::No, |to| is_over(to, day));
        let truth = begun.min(!over);
        if self.is_doubtful(row) { truth.min(Truth::Possible) } else { truth }
    }

    fn period(&self, row: u32) -> Period {
        // INVARIANT: the bodies of ties and listings begin with their period, and were checked.
        take_period(self.body(row)).expect("a body in the log was checked")
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

/// Whether an end of which perhaps only the month or the year is known has certainly come.
fn is_over(end: PartialDate, day: Day) -> Truth {
    if end.has_come(day) == Truth::Certain { Truth::Certain } else { Truth::No }
}
