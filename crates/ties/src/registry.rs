//! The registry: every statement that was ever made, and the pictures that they amount to.
//!
//! It is a log. [`add`](Registry::add) appends; nothing is changed or removed, and what was known at an instant can be
//! asked for ever after. Arrival decides nothing: statements may come in any order, and which of two speaks follows
//! from when they were *recorded*, then from their identifiers.
//!
//! Adding is idempotent, so that a file may be imported every night. A statement whose identifier is here already, and
//! which says the same, is known already, even if it was fetched anew. Unless something else was said in between: the
//! list that drops a name and takes it up again makes the very statement that it made first, and it counts again from
//! its new recording.
//!
//! ```text
//! 2024-01-01  listing l-1: acme is on the list             new
//! 2024-02-01  the same                                     known already
//! 2024-03-01  end of l-1, completed                        new
//! 2024-04-01  listing l-1: acme is on the list             new: it was over, and is said again
//! ```
//!
//! Identifiers are numbers inside, and statements lie as bytes: four million ties between 3.5 million entities, with
//! identifiers of 20 to 28 bytes, take 0.8 GB.

mod affected;
mod asof;
mod describe;
mod find;
mod intern;
mod log;
mod merges;
mod word;

use std::ops::Range;

use model::Timestamp;
use thiserror::Error;

pub use self::affected::Affected;
pub(crate) use self::asof::Held;
pub use self::asof::RegistryPicture;
use self::describe::HISTORY_LOOKED_AT_MAX;
use self::intern::Full;
use self::log::{Log, NewRow};
use crate::encode::{CheckedBatch, CheckedLine, DecodeError, Keys, Span, Tag, keys, put_body, take_period};
use crate::{AsOf, Said, Source, Statement, StatementId, TieId, TieKind};

/// Every statement that was ever made.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    log: Log,
}

/// What became of statements that were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Where the new ones lie in the log; [`Registry::log`] gives them.
    pub new: Range<usize>,
    /// How many were here already.
    pub known_already: usize,
    /// Which were refused (by their place among those that were added), and why.
    pub refused: Vec<(usize, Refusal)>,
    /// What somebody should look at, though it was taken in.
    pub findings: Vec<Finding>,
}

/// Why a statement was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Another statement has its identifier.
    #[error(
        "statement `{id}` is here already and says something else; a correction needs an identifier of its own"
    )]
    SaysOtherwise {
        /// The identifier.
        id: StatementId,
    },
    /// It ends before it begins.
    #[error("statement `{id}` is about a time that ends before it begins")]
    Backwards {
        /// The statement.
        id: StatementId,
    },
    /// An identifier would be merged into itself.
    #[error("statement `{id}` says that `{entity}` is the same as itself")]
    MergesWithItself {
        /// The statement.
        id: StatementId,
        /// The entity.
        entity: String,
    },
    /// A retraction of itself.
    #[error("statement `{id}` retracts itself")]
    RetractsItself {
        /// The statement.
        id: StatementId,
    },
    /// The registry holds all that it can.
    #[error(
        "the registry is full: it holds four thousand million texts, or four gigabytes of one kind of them"
    )]
    Full,
}

/// What somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Finding {
    /// An end for which there is no tie yet. It counts as soon as there is one.
    #[error("statement `{statement}` ends `{tie}`, of which nothing is known yet")]
    EndOfUnknown {
        /// The statement.
        statement: StatementId,
        /// The tie.
        tie: TieId,
    },
    /// A retraction for which there is no statement. It will not reach one that is recorded later.
    #[error("statement `{statement}` retracts `{of}`, which is not here")]
    RetractionOfUnknown {
        /// The statement.
        statement: StatementId,
        /// What it retracts.
        of: StatementId,
    },
    /// A tie is said to hold by one document after another one said that it had ended.
    #[error(
        "statement `{statement}` says that `{tie}` holds; `{end}`, of another document, says that it ended"
    )]
    DisputedEnd {
        /// The statement.
        statement: StatementId,
        /// The tie.
        tie: TieId,
        /// The end.
        end: StatementId,
    },
    /// An end on a day that was yet to come when it was recorded: it is shown beside the tie and does not end it.
    #[error("statement `{statement}` ends `{tie}` on {on}, which has not come: record its completion then")]
    EndYetToCome {
        /// The statement.
        statement: StatementId,
        /// The tie.
        tie: TieId,
        /// The end.
        on: crate::PartialDate,
    },
}

enum Taken {
    New,
    Known,
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for that many more statements, which saves moving what is here while they come in.
    pub fn reserve(&mut self, statements: usize) {
        self.log.reserve_all(statements);
    }

    /// How many statements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.log.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.log.rows.is_empty()
    }

    /// Appends those statements that are new.
    pub fn add(&mut self, statements: Vec<Statement>) -> Added {
        let mut added = Added { new: self.len()..self.len(), ..Added::default() };
        let mut body = Vec::new();
        for (place, statement) in statements.into_iter().enumerate() {
            body.clear();
            put_body(&mut body, &statement.said);
            let taken = check(&statement).and_then(|()| self.take(&statement, &body, &mut added.findings));
            match taken {
                Ok(Taken::New) => {}
                Ok(Taken::Known) => added.known_already += 1,
                Err(refusal) => added.refused.push((place, refusal)),
            }
        }
        added.new.end = self.len();
        added
    }

    /// Appends those statements of an encoded batch that are new, without making each of them.
    ///
    /// # Errors
    ///
    /// Refuses bytes that are no batch, names the place, and takes nothing of them in.
    pub fn load(&mut self, batch: &[u8]) -> Result<Added, DecodeError> {
        Ok(self.take_in(&CheckedBatch::read(batch)?))
    }

    /// The same of a batch that was read before.
    pub fn take_in(&mut self, batch: &CheckedBatch<'_>) -> Added {
        let mut added = Added { new: self.len()..self.len(), ..Added::default() };
        let Ok(numbers) = Numbers::of(&mut self.log, batch) else {
            return Added { refused: vec![(0, Refusal::Full)], ..added };
        };
        self.log.reserve(batch.len(), batch.len() * 16);
        for (place, line) in batch.lines.iter().enumerate() {
            let keys = numbers.keys(line, || self.log.name(batch.text(line.of)));
            let row = keys.map(|keys| NewRow {
                name: numbers.names[place],
                recorded: line.recorded,
                source: numbers.sources[line.source],
                keys,
                body: batch.bytes(line.body),
            });
            let taken = row.map_err(Refusal::from).and_then(|row| self.insert(row, &mut added.findings));
            match taken {
                Ok(Taken::New) => {}
                Ok(Taken::Known) => added.known_already += 1,
                Err(refusal) => added.refused.push((place, refusal)),
            }
        }
        added.new.end = self.len();
        added
    }

    /// What the statements amount to on a day, as known at an instant.
    #[must_use]
    pub fn picture(&self, as_of: AsOf) -> RegistryPicture<'_> {
        RegistryPicture::new(&self.log, as_of)
    }

    /// The statement of that identifier; if it was made several times, as it was last recorded.
    #[must_use]
    pub fn statement(&self, id: &StatementId) -> Option<Statement> {
        let name = self.log.names.find(id.as_str().as_bytes())?;
        self.log.newest(name).map(|row| self.log.statement(row))
    }

    /// Whether a statement is here and counts, so that [`add`](Self::add) would call it known already.
    #[must_use]
    pub fn is_known(&self, statement: &Statement) -> bool {
        let name = self.log.names.find(statement.id.as_str().as_bytes());
        let Some(row) = name.and_then(|name| self.log.newest(name)) else { return false };
        let old = self.log.statement(row);
        let head = |source: &Source| (source.document.clone(), source.confidence, source.evidence);
        old.said == statement.said
            && head(&old.source) == head(&statement.source)
            && !self.counts_again(row, statement.recorded)
    }

    /// Whether a statement had been retracted by the instant `known`; `None` if there is no such statement.
    #[must_use]
    pub fn is_retracted(&self, id: &StatementId, known: Timestamp) -> Option<bool> {
        let name = self.log.names.find(id.as_str().as_bytes())?;
        self.log.newest(name).map(|row| self.log.is_retracted(row, known))
    }

    /// A part of the log, in the order of arrival.
    pub fn log(&self, part: Range<usize>) -> impl Iterator<Item = Statement> {
        let end = part.end.min(self.len());
        // INVARIANT: rows are numbered in 32 bits.
        (part.start..end).filter_map(|at| u32::try_from(at).ok()).map(|row| self.log.statement(row))
    }

    /// Everything that was said about a tie or listing, in the order in which it was recorded.
    #[must_use]
    pub fn history(&self, tie: &TieId) -> Vec<Statement> {
        let Some(tie) = self.log.ties.find(tie.as_str().as_bytes()) else { return Vec::new() };
        let mut history: Vec<Statement> = self.log.of_tie(tie).map(|row| self.log.statement(row)).collect();
        history.sort_by(|a, b| (a.recorded, &a.id).cmp(&(b.recorded, &b.id)));
        history
    }

    fn take(
        &mut self,
        statement: &Statement,
        body: &[u8],
        findings: &mut Vec<Finding>,
    ) -> Result<Taken, Refusal> {
        let log = &mut self.log;
        let keys = match keys(&statement.said) {
            Keys::Entity { first } => Keys::Entity { first: log.entity(first)? },
            Keys::Tie { tie, first, second } => {
                Keys::Tie { tie: log.tie(tie)?, first: log.entity(first)?, second: log.entity(second)? }
            }
            Keys::End { tie } => Keys::End { tie: log.tie(tie)? },
            Keys::Listing { tie, first, list } => {
                Keys::Listing { tie: log.tie(tie)?, first: log.entity(first)?, list: log.list(list)? }
            }
            Keys::Same { first, second } => {
                Keys::Same { first: log.entity(first)?, second: log.entity(second)? }
            }
            Keys::Retraction { of } => Keys::Retraction { of: log.name(of)? },
        };
        let name = log.name(statement.id.as_str())?;
        let source = log.source(&statement.source)?;
        self.insert(NewRow { name, recorded: statement.recorded, source, keys, body }, findings)
    }

    fn insert(&mut self, new: NewRow<'_>, findings: &mut Vec<Finding>) -> Result<Taken, Refusal> {
        if let Some(row) = self.log.newest(new.name) {
            if !self.says_the_same(row, &new) {
                return Err(Refusal::SaysOtherwise { id: self.name(new.name) });
            }
            if !self.counts_again(row, new.recorded) {
                return Ok(Taken::Known);
            }
        }
        match new.keys {
            Keys::Tie { .. } | Keys::Listing { .. } => {
                let valid = take_period(new.body).expect("a body is encoded here or was read once");
                if valid.is_backwards() {
                    return Err(Refusal::Backwards { id: self.name(new.name) });
                }
            }
            Keys::Same { first, second } if first == second => {
                let entity = self.log.entities.text(first).to_owned();
                return Err(Refusal::MergesWithItself { id: self.name(new.name), entity });
            }
            Keys::Retraction { of } if of == new.name => {
                return Err(Refusal::RetractsItself { id: self.name(new.name) });
            }
            Keys::Same { .. } | Keys::Entity { .. } | Keys::End { .. } | Keys::Retraction { .. } => {}
        }
        let row = self.log.push(new)?;
        if self.log.row(row).tag == Tag::Tie {
            self.log.index(row)?;
        }
        findings.extend(self.finding(row));
        Ok(Taken::New)
    }

    fn name(&self, name: u32) -> StatementId {
        StatementId::stored(self.log.names.text(name))
    }

    /// Whether a row says what a newcomer of the same name says, on the same authority. When it was fetched, by whom
    /// and from which address may differ: that is the same statement, fetched again.
    fn says_the_same(&self, row: u32, new: &NewRow<'_>) -> bool {
        let old = self.log.row(row);
        let same_keys = match new.keys {
            Keys::Entity { first } => old.tag == Tag::Entity && old.first == first,
            Keys::Tie { tie, first, second } => {
                old.tag == Tag::Tie && (old.tie, old.first, old.second) == (tie, first, second)
            }
            Keys::End { tie } => old.tag == Tag::End && old.tie == tie,
            Keys::Listing { tie, first, list } => {
                old.tag == Tag::Listing && (old.tie, old.first, old.second) == (tie, first, list)
            }
            Keys::Same { first, second } => {
                old.tag == Tag::Same && (old.first, old.second) == (first, second)
            }
            Keys::Retraction { of } => old.tag == Tag::Retraction && old.first == of,
        };
        let (old_source, new_source) = (self.log.source_head(old), self.log.head_of_source(new.source));
        same_keys && self.log.body(row) == new.body && old_source == new_source
    }

    /// Whether a statement that is here says something new at `recorded`: it did not speak any more by then, without
    /// having been retracted.
    fn counts_again(&self, row: u32, recorded: Timestamp) -> bool {
        let old = self.log.row(row);
        if recorded.as_micros() <= old.recorded || self.log.is_retracted(row, recorded) {
            return false;
        }
        match old.tag {
            Tag::Tie | Tag::Listing => self
                .log
                .word_of_late(old.tie, old.tag, recorded)
                .is_none_or(|word| word.row != row || word.ended.is_some()),
            Tag::End => [Tag::Tie, Tag::Listing]
                .into_iter()
                .filter_map(|tag| self.log.word_of_late(old.tie, tag, recorded))
                .any(|word| word.disputed || ![word.ended, word.announced].contains(&Some(row))),
            Tag::Entity => self.log.last_of_document(old.first, row, recorded) != Some(row),
            Tag::Same | Tag::Retraction => false,
        }
    }

    fn finding(&self, row: u32) -> Option<Finding> {
        let entry = self.log.row(row);
        let known = Timestamp::MAX;
        match entry.tag {
            Tag::End => {
                let is_known = self
                    .log
                    .of_tie(entry.tie)
                    .take(HISTORY_LOOKED_AT_MAX)
                    .any(|row| self.log.row(row).tag != Tag::End);
                let tie = || TieId::stored(self.log.ties.text(entry.tie));
                let unknown = || Finding::EndOfUnknown { statement: self.log.name_of(row), tie: tie() };
                self.coming_end(row).or_else(|| (!is_known).then(unknown))
            }
            Tag::Retraction => self.log.newest(entry.first).is_none().then(|| {
                let of = self.name(entry.first);
                Finding::RetractionOfUnknown { statement: self.log.name_of(row), of }
            }),
            Tag::Tie | Tag::Listing if entry.is_first() => self.coming_end(row),
            Tag::Tie | Tag::Listing => {
                if let Some(coming) = self.coming_end(row) {
                    return Some(coming);
                }
                let word = self.log.word_of_late(entry.tie, entry.tag, known)?;
                let end = word.ended.filter(|_| word.disputed && word.row == row)?;
                Some(Finding::DisputedEnd {
                    statement: self.log.name_of(row),
                    tie: TieId::stored(self.log.ties.text(entry.tie)),
                    end: self.log.name_of(end),
                })
            }
            Tag::Entity | Tag::Same => None,
        }
    }

    /// What a row says to be over on a day that was yet to come.
    fn coming_end(&self, row: u32) -> Option<Finding> {
        let on = self.log.coming_end(row)?;
        let tie = TieId::stored(self.log.ties.text(self.log.row(row).tie));
        Some(Finding::EndYetToCome { statement: self.log.name_of(row), tie, on })
    }
}

/// What the log calls the texts in a batch's tables.
struct Numbers {
    entities: Vec<u32>,
    ties: Vec<u32>,
    lists: Vec<u32>,
    sources: Vec<u32>,
    names: Vec<u32>,
}

impl Numbers {
    fn of(log: &mut Log, batch: &CheckedBatch<'_>) -> Result<Self, Full> {
        let texts = |table: &[Span]| table.iter().map(|&span| batch.bytes(span)).collect::<Vec<&[u8]>>();
        Ok(Self {
            entities: log.all_entities(&texts(&batch.entities))?,
            ties: log.all_ties(&texts(&batch.ties))?,
            names: log.all_names(&texts(&batch.names))?,
            lists: batch.lists.iter().map(|&list| log.list(batch.text(list))).collect::<Result<_, _>>()?,
            sources: batch.sources.iter().map(|source| log.source(source)).collect::<Result<_, _>>()?,
        })
    }

    /// The keys of a statement. `retracted` numbers what a retraction is of: no table has that.
    fn keys(
        &self,
        line: &CheckedLine,
        retracted: impl FnOnce() -> Result<u32, Full>,
    ) -> Result<Keys<u32>, Full> {
        let Self { entities, ties, lists, .. } = self;
        Ok(match line.keys {
            Keys::Entity { first } => Keys::Entity { first: entities[first] },
            Keys::Tie { tie, first, second } => {
                Keys::Tie { tie: ties[tie], first: entities[first], second: entities[second] }
            }
            Keys::End { tie } => Keys::End { tie: ties[tie] },
            Keys::Listing { tie, first, list } => {
                Keys::Listing { tie: ties[tie], first: entities[first], list: lists[list] }
            }
            Keys::Same { first, second } => Keys::Same { first: entities[first], second: entities[second] },
            Keys::Retraction { .. } => Keys::Retraction { of: retracted()? },
        })
    }
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// What can be refused before anything is looked up.
fn check(statement: &Statement) -> Result<(), Refusal> {
    let backwards = match &statement.said {
        Said::Entity(entity) => crate::Period { from: entity.founded, to: entity.dissolved }.is_backwards(),
        Said::Tie(tie) => {
            matches!(&tie.kind, TieKind::MayAcquire { window, .. } if window.is_backwards())
        }
        Said::End(_) | Said::Listing(_) | Said::Same { .. } | Said::Retraction { .. } => false,
    };
    if backwards { Err(Refusal::Backwards { id: statement.id.clone() }) } else { Ok(()) }
}
