//! The log itself: one row per statement, in the order of arrival, and chains through the rows.
//!
//! A row is 48 bytes of numbers; what is particular to a statement is a body of bytes in one arena. Each row stands in
//! up to three chains, which run from the newest arrival back: that of its tie, and those of the two entities (or of
//! the entity and the list) that it names. A question about an entity follows one chain and touches nothing else.

use std::collections::BTreeMap;

use model::Timestamp;

use super::intern::{Full, Interner, NONE};
use crate::encode::{Keys, Reader, Tag, is_indexed, put_source, take_kind, take_said, take_source};
use crate::{Confidence, Evidence, Holding, Period, Said, Source, Statement, StatementId, TieKind};

/// A statement in the log. Which texts the numbers stand for depends on the kind; [`Keys`] has the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) recorded: i64,
    pub(crate) name: u32,
    pub(crate) source: u32,
    pub(crate) tie: u32,
    pub(crate) first: u32,
    pub(crate) second: u32,
    body: u32,
    next_of_tie: u32,
    next_of_first: u32,
    next_of_second: u32,
    pub(crate) tag: Tag,
}

impl Row {
    /// Whether it was the first about its tie when it came.
    pub(crate) fn is_first(&self) -> bool {
        self.next_of_tie == NONE
    }
}

/// The newest rows of an entity, by what they say of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntityHeads {
    /// Ties from it.
    pub(crate) out: u32,
    /// Ties to it.
    pub(crate) into: u32,
    /// What it is, and which lists name it.
    pub(crate) said: u32,
    /// What it is the same as.
    pub(crate) same: u32,
}

impl EntityHeads {
    const NEW: Self = Self { out: NONE, into: NONE, said: NONE, same: NONE };
}

/// What of a source is asked for at every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceHead {
    pub(crate) document: u32,
    pub(crate) confidence: Confidence,
    pub(crate) evidence: Evidence,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) rows: Vec<Row>,
    bodies: Vec<u8>,
    /// The identifiers of statements, and the newest row of each; `NONE` for one that only a retraction names.
    pub(crate) names: Interner,
    newest: Vec<u32>,
    pub(crate) entities: Interner,
    pub(crate) entity_heads: Vec<EntityHeads>,
    pub(crate) ties: Interner,
    tie_heads: Vec<u32>,
    pub(crate) lists: Interner,
    list_heads: Vec<u32>,
    /// Whole sources, encoded.
    sources: Interner,
    source_heads: Vec<SourceHead>,
    documents: Interner,
    /// The retractions of a statement, by the number of its name. There are few.
    retractions: BTreeMap<u32, Vec<u32>>,
    /// The ties that are held for an entity in another's name.
    pub(crate) nominated: BTreeMap<u32, Vec<u32>>,
    /// The indirect holdings that name a tie as one of those that they sum up.
    pub(crate) summaries: BTreeMap<u32, Vec<u32>>,
    /// The ties by which an entity is a party to an arrangement.
    pub(crate) parties: BTreeMap<u32, Vec<u32>>,
}

impl Log {
    /// Makes room for that many more statements. Identifiers of statements and ties have some thirty bytes, and there
    /// are about as many entities as ties.
    pub(crate) fn reserve_all(&mut self, statements: usize) {
        self.reserve(statements, statements * 16);
        self.names.reserve(statements, statements * 32);
        self.entities.reserve(statements, statements * 32);
        self.entity_heads.reserve(statements);
        self.ties.reserve(statements, statements * 32);
        self.tie_heads.reserve(statements);
    }

    pub(crate) fn reserve(&mut self, statements: usize, body_bytes: usize) {
        self.rows.reserve(statements);
        self.newest.reserve(statements);
        self.bodies.reserve(body_bytes);
    }

    pub(crate) fn all_names(&mut self, texts: &[&[u8]]) -> Result<Vec<u32>, Full> {
        let numbers = self.names.intern_all(texts)?;
        self.newest.resize(self.names.len(), NONE);
        Ok(numbers)
    }

    pub(crate) fn all_entities(&mut self, texts: &[&[u8]]) -> Result<Vec<u32>, Full> {
        let numbers = self.entities.intern_all(texts)?;
        self.entity_heads.resize(self.entities.len(), EntityHeads::NEW);
        Ok(numbers)
    }

    pub(crate) fn all_ties(&mut self, texts: &[&[u8]]) -> Result<Vec<u32>, Full> {
        let numbers = self.ties.intern_all(texts)?;
        self.tie_heads.resize(self.ties.len(), NONE);
        Ok(numbers)
    }

    pub(crate) fn name(&mut self, text: &str) -> Result<u32, Full> {
        let number = self.names.intern(text.as_bytes())?;
        grow(&mut self.newest, number, NONE);
        Ok(number)
    }

    pub(crate) fn entity(&mut self, text: &str) -> Result<u32, Full> {
        let number = self.entities.intern(text.as_bytes())?;
        grow(&mut self.entity_heads, number, EntityHeads::NEW);
        Ok(number)
    }

    pub(crate) fn tie(&mut self, text: &str) -> Result<u32, Full> {
        let number = self.ties.intern(text.as_bytes())?;
        grow(&mut self.tie_heads, number, NONE);
        Ok(number)
    }

    pub(crate) fn list(&mut self, text: &str) -> Result<u32, Full> {
        let number = self.lists.intern(text.as_bytes())?;
        grow(&mut self.list_heads, number, NONE);
        Ok(number)
    }

    pub(crate) fn source(&mut self, source: &Source) -> Result<u32, Full> {
        let mut encoded = Vec::new();
        put_source(&mut encoded, source);
        let number = self.sources.intern(&encoded)?;
        if self.source_heads.len() == number as usize {
            let document = self.documents.intern(source.document.as_bytes())?;
            let Source { confidence, evidence, .. } = *source;
            self.source_heads.push(SourceHead { document, confidence, evidence });
        }
        Ok(number)
    }

    /// Appends a row and puts it into its chains.
    pub(crate) fn push(&mut self, new: NewRow<'_>) -> Result<u32, Full> {
        let number = u32::try_from(self.rows.len()).ok().filter(|&number| number != NONE).ok_or(Full)?;
        let body = u32::try_from(self.bodies.len()).map_err(|_| Full)?;
        if self.bodies.len() + new.body.len() > u32::MAX as usize {
            return Err(Full);
        }
        self.bodies.extend_from_slice(new.body);
        let mut row = Row {
            recorded: new.recorded.as_micros(),
            name: new.name,
            source: new.source,
            tie: NONE,
            first: NONE,
            second: NONE,
            body,
            next_of_tie: NONE,
            next_of_first: NONE,
            next_of_second: NONE,
            tag: new.keys.tag(),
        };
        let link = |head: &mut u32| std::mem::replace(head, number);
        match new.keys {
            Keys::Entity { first } => {
                row.first = first;
                row.next_of_first = link(&mut self.entity_heads[first as usize].said);
            }
            Keys::Tie { tie, first, second } => {
                (row.tie, row.first, row.second) = (tie, first, second);
                row.next_of_tie = link(&mut self.tie_heads[tie as usize]);
                row.next_of_first = link(&mut self.entity_heads[first as usize].out);
                row.next_of_second = link(&mut self.entity_heads[second as usize].into);
            }
            Keys::End { tie } => {
                row.tie = tie;
                row.next_of_tie = link(&mut self.tie_heads[tie as usize]);
            }
            Keys::Listing { tie, first, list } => {
                (row.tie, row.first, row.second) = (tie, first, list);
                row.next_of_tie = link(&mut self.tie_heads[tie as usize]);
                row.next_of_first = link(&mut self.entity_heads[first as usize].said);
                row.next_of_second = link(&mut self.list_heads[list as usize]);
            }
            Keys::Same { first, second } => {
                (row.first, row.second) = (first, second);
                row.next_of_first = link(&mut self.entity_heads[first as usize].same);
                row.next_of_second = link(&mut self.entity_heads[second as usize].same);
            }
            Keys::Retraction { of } => {
                row.first = of;
                self.retractions.entry(of).or_default().push(number);
            }
        }
        self.rows.push(row);
        self.newest[new.name as usize] = number;
        Ok(number)
    }

    /// The newest row of a statement's name.
    pub(crate) fn newest(&self, name: u32) -> Option<u32> {
        self.newest.get(name as usize).copied().filter(|&row| row != NONE)
    }

    pub(crate) fn row(&self, number: u32) -> &Row {
        &self.rows[number as usize]
    }

    pub(crate) fn body(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let end = self.rows.get(number + 1).map_or(self.bodies.len(), |next| next.body as usize);
        &self.bodies[self.rows[number].body as usize..end]
    }

    pub(crate) fn source_head(&self, row: &Row) -> SourceHead {
        self.source_heads[row.source as usize]
    }

    pub(crate) fn head_of_source(&self, source: u32) -> SourceHead {
        self.source_heads[source as usize]
    }

    pub(crate) fn source_of(&self, row: &Row) -> Source {
        // INVARIANT: `source` encodes whatever it interns.
        take_source(&mut Reader::new(self.sources.bytes(row.source))).expect("a source was encoded here")
    }

    pub(crate) fn said(&self, number: u32) -> Said {
        let row = self.row(number);
        let (tie, entity) = (|n| self.ties.text(n), |n| self.entities.text(n));
        let keys = match row.tag {
            Tag::Entity => Keys::Entity { first: entity(row.first) },
            Tag::Tie => Keys::Tie { tie: tie(row.tie), first: entity(row.first), second: entity(row.second) },
            Tag::End => Keys::End { tie: tie(row.tie) },
            Tag::Listing => {
                let list = self.lists.text(row.second);
                Keys::Listing { tie: tie(row.tie), first: entity(row.first), list }
            }
            Tag::Same => Keys::Same { first: entity(row.first), second: entity(row.second) },
            Tag::Retraction => Keys::Retraction { of: self.names.text(row.first) },
        };
        // INVARIANT: a body is pushed only after it was encoded here or read once.
        take_said(keys, &mut Reader::new(self.body(number))).expect("a body in the log was checked")
    }

    /// Notes a tie where it is looked for other than by its ends: by whom it is held for, and as a party's.
    pub(crate) fn index(&mut self, number: u32) -> Result<(), Full> {
        let &Row { tie, first, .. } = self.row(number);
        if !is_indexed(self.body(number)) {
            return Ok(());
        }
        let kind = self.kind(number);
        if let TieKind::Holds(Holding { nominator, components, .. }) = &kind {
            if let Some(nominator) = nominator {
                let nominator = self.entity(nominator.as_str())?;
                self.nominated.entry(nominator).or_default().push(tie);
            }
            for component in components {
                let component = self.tie(component.as_str())?;
                self.summaries.entry(component).or_default().push(tie);
            }
        }
        if let TieKind::PartyTo { .. } = &kind {
            self.parties.entry(first).or_default().push(tie);
        }
        Ok(())
    }

    /// The kind of the tie that a row is about.
    pub(crate) fn kind(&self, number: u32) -> TieKind {
        self.tie_said(number).1
    }

    /// What a row says of its tie, beside its ends.
    pub(crate) fn tie_said(&self, number: u32) -> (Period, TieKind) {
        let mut body = Reader::new(self.body(number));
        let said = body.period().and_then(|valid| Ok((valid, take_kind(&mut body)?)));
        // INVARIANT: a body is pushed only after it was encoded here or read once.
        said.expect("a body in the log was checked")
    }

    pub(crate) fn name_of(&self, number: u32) -> StatementId {
        StatementId::stored(self.names.text(self.row(number).name))
    }

    pub(crate) fn statement(&self, number: u32) -> Statement {
        let row = self.row(number);
        Statement {
            id: self.name_of(number),
            said: self.said(number),
            source: self.source_of(row),
            recorded: Timestamp::from_micros(row.recorded),
        }
    }

    /// The rows about a tie, newest arrival first.
    pub(crate) fn of_tie(&self, tie: u32) -> impl Iterator<Item = u32> {
        self.chain(self.tie_heads[tie as usize], |row| row.next_of_tie)
    }

    /// The rows of ties that run from an entity.
    pub(crate) fn out_of(&self, entity: u32) -> impl Iterator<Item = u32> {
        self.chain(self.entity_heads[entity as usize].out, |row| row.next_of_first)
    }

    /// The rows of ties that run to an entity.
    pub(crate) fn into(&self, entity: u32) -> impl Iterator<Item = u32> {
        self.chain(self.entity_heads[entity as usize].into, |row| row.next_of_second)
    }

    /// The rows that say what an entity is, or that a list names it.
    pub(crate) fn said_of(&self, entity: u32) -> impl Iterator<Item = u32> {
        self.chain(self.entity_heads[entity as usize].said, |row| row.next_of_first)
    }

    /// The rows that say what an entity is the same as.
    pub(crate) fn same_as(&self, entity: u32) -> impl Iterator<Item = u32> {
        self.chain(self.entity_heads[entity as usize].same, move |row| {
            if row.first == entity { row.next_of_first } else { row.next_of_second }
        })
    }

    /// The rows of a list.
    pub(crate) fn of_list(&self, list: u32) -> impl Iterator<Item = u32> {
        self.chain(self.list_heads[list as usize], |row| row.next_of_second)
    }

    fn chain(&self, head: u32, next: impl Fn(&Row) -> u32) -> impl Iterator<Item = u32> {
        let some = |number: u32| (number != NONE).then_some(number);
        std::iter::successors(some(head), move |&number| some(next(self.row(number))))
    }

    /// Whether a row counts for somebody who knows what was recorded until `known`.
    pub(crate) fn counts(&self, number: u32, known: Timestamp) -> bool {
        self.row(number).recorded <= known.as_micros() && !self.is_retracted(number, known)
    }

    /// Whether a retraction that is itself not retracted takes the row back.
    ///
    /// A retraction can be retracted, and so on, as deep as somebody cares to write: hence the stack.
    pub(crate) fn is_retracted(&self, number: u32, known: Timestamp) -> bool {
        if self.retractions.is_empty() || !self.retractions.contains_key(&self.row(number).name) {
            return false;
        }
        let mut stack = vec![(number, 0)];
        let mut of_last = None;
        while let Some(&mut (row, ref mut at)) = stack.last_mut() {
            if of_last.take() == Some(false) {
                // The retraction that was looked at stands, so this row falls.
                stack.pop();
                of_last = Some(true);
                continue;
            }
            let retractions = self.retractions.get(&self.row(row).name).map_or(&[][..], Vec::as_slice);
            let found = retractions[*at..].iter().position(|&by| self.reaches(by, row, known));
            if let Some(found) = found {
                *at += found + 1;
                let by = retractions[*at - 1];
                stack.push((by, 0));
            } else {
                stack.pop();
                of_last = Some(false);
            }
        }
        of_last == Some(true)
    }

    /// Whether a retraction is known and later than what it retracts. Retractions of each other that were recorded
    /// together are taken in the order of their names, so that none waits for itself.
    fn reaches(&self, by: u32, row: u32, known: Timestamp) -> bool {
        let (by_row, of) = (self.row(by), self.row(row));
        let together = by_row.recorded == of.recorded;
        let after = by_row.recorded > of.recorded
            || (together && (of.tag != Tag::Retraction || self.is_later(by, row)));
        after && by_row.recorded <= known.as_micros()
    }

    /// Whether `left` was recorded after `right`, or together with it under a later name.
    pub(crate) fn is_later(&self, left: u32, right: u32) -> bool {
        let (a, b) = (self.row(left), self.row(right));
        if a.recorded == b.recorded {
            return self.names.text(a.name) > self.names.text(b.name);
        }
        a.recorded > b.recorded
    }

    /// The later of the two.
    pub(crate) fn later(&self, best: Option<u32>, row: u32) -> u32 {
        best.filter(|&best| !self.is_later(row, best)).unwrap_or(row)
    }
}

/// A statement on its way into the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewRow<'b> {
    pub(crate) name: u32,
    pub(crate) recorded: Timestamp,
    pub(crate) source: u32,
    pub(crate) keys: Keys<u32>,
    pub(crate) body: &'b [u8],
}

fn grow<T: Copy>(table: &mut Vec<T>, number: u32, new: T) {
    if table.len() == number as usize {
        table.push(new);
    }
}
