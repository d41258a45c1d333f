//! Imports: whole, or in parts, and what a new edition of a list ends by leaving it out.
//!
//! A file that is larger than one request is imported in parts. Each part is an import of its own, recorded in one
//! transaction with everything that follows from it, and once it is acknowledged it stays. So an import that broke off
//! is simply run again: what is here already is known already.
//!
//! A list is different in one thing: what its new edition does *not* say is over, and that can be told only when all
//! of it was seen. So while such an import is under way it is remembered which ties its parts spoke of, and with the
//! last part, in the transaction of that part, what earlier editions of the document said and no part did is ended.
//!
//! ```text
//! part 1 of import 5f0c..: a, b       remembered: a, b
//! part 2, the last:        d          document `list` said a, b, c so far: c is ended today, with part 2
//! ```
//!
//! A statement is of the document that its file was imported as ([`Source::edition`]), whatever it names as its source:
//! a table of decisions has a gazette in each row, and two tables may quote one gazette. What another document says too
//! stays, and the import tells of it.
//!
//! What is remembered is in memory only. If the hub was started again meanwhile, or a part is missing, the next part
//! is refused, nothing is ended, and the import has to be run again from its beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Caller, Role, Timestamp};
use sha2::{Digest, Sha256};
use ties::{AsOf, Day, End, Ending, Picture as _, Registry as Ties, Said, Source, Statement, TieId};
use vetting::Move;

use crate::error::AdminError;
use crate::exchange::{Exchange, Hand, Inner, name_of, require};
use crate::members::{DECIDES, still_accepted};
use crate::registry::Registry;
use crate::ties::{IMPORT_MAX, Imported, Rehearsal, SUBJECT_LENGTH_MAX, record};
use crate::writer::Instants;

/// How many imports of editions are under way at once; a further one takes the place of one that is done, or else of the one that is idle longest.
const UNDER_WAY_MAX: usize = 4;

/// Of how many ties it is remembered that an edition speaks of them: the largest public list has a quarter of that.
/// They take some 100 MB.
const SPOKEN_MAX: usize = 8_000_000;

/// How many statements are looked at before others get at the registry.
const LOOKED_AT_ONCE: usize = 5_000;

/// How many ties that stay, since another document says them, an answer names.
const KEPT_SHOWN: usize = 20;

/// The longest name of an import, in bytes.
const NAME_LENGTH_MAX: usize = 64;

/// Statements to be recorded.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// What is imported, for the ledger: a file's name.
    pub subject: String,
    /// The statements.
    pub statements: Vec<Statement>,
    /// Which part of an import they are; left out, they are all of it.
    pub part: Option<Part>,
    /// The documents of which the import is a whole new edition, so that what it leaves out is over. Parts before the last
    /// only say that there will be some.
    pub editions: Option<Vec<String>>,
    /// What it was looked at with: if anything has changed since, nothing is recorded.
    pub looked_at: Option<TiesState>,
}

/// Where ties, standings and rules stand: what a rehearsal said holds as long as this does, and the day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct TiesState {
    epoch: u64,
    batches: u64,
}

impl TiesState {
    pub(crate) fn of(registry: &Registry) -> Self {
        Self { epoch: registry.epoch.number(), batches: registry.batches }
    }
}

/// Which part of an import something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which import: a name that its sender made up.
    pub import: String,
    /// Counted from 1.
    pub number: u32,
    /// Whether there is none behind it.
    pub last: bool,
}

/// The imports of editions that are under way, by their names.
#[derive(Default)]
pub(crate) struct Editions(Mutex<BTreeMap<String, UnderWay>>);

struct UnderWay {
    /// The part that is expected.
    next: u32,
    touched: Timestamp,
    spoken: BTreeSet<u64>,
    /// Its last part was recorded; it may be sent once more by whoever did not get the answer.
    is_done: bool,
}

impl Editions {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, UnderWay>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that a part may come now, and says whether it comes for the first time.
    fn expect(&self, part: &Part, now: Timestamp) -> Result<bool, AdminError> {
        let mut all = self.lock();
        if part.number == 1 && !all.contains_key(&part.import) {
            if all.len() >= UNDER_WAY_MAX {
                // One that is done is kept only for whoever did not get the answer.
                let idle = all.iter().min_by_key(|(_, one)| (!one.is_done, one.touched));
                let idle = idle.map(|(name, _)| name.clone());
                idle.and_then(|name| all.remove(&name));
            }
            let begun = UnderWay { next: 1, touched: now, spoken: BTreeSet::new(), is_done: false };
            all.insert(part.import.clone(), begun);
        }
        let Some(one) = all.get_mut(&part.import) else {
            return Err(AdminError::Invalid(format!(
                "no import `{}` is under way: the hub was started anew since, or other imports took its place; run it again",
                part.import.escape_debug()
            )));
        };
        one.touched = now;
        if part.number > one.next {
            return Err(AdminError::Invalid(format!(
                "part {} of the import `{}` comes before part {}; run it again",
                part.number,
                part.import.escape_debug(),
                one.next
            )));
        }
        Ok(part.number == one.next && !one.is_done)
    }

    /// Notes that a part was recorded.
    fn arrived(&self, part: &Part, spoken: BTreeSet<u64>) -> Result<(), AdminError> {
        let mut all = self.lock();
        let Some(one) = all.get_mut(&part.import) else { return Ok(()) };
        one.next = one.next.max(part.number.saturating_add(1));
        one.spoken.extend(spoken);
        if part.last {
            one.is_done = true;
            one.spoken = BTreeSet::new();
        }
        if one.spoken.len() > SPOKEN_MAX {
            all.remove(&part.import);
            return Err(AdminError::Invalid(format!(
                "an edition speaks of more than {SPOKEN_MAX} ties; import it without ending what it leaves out"
            )));
        }
        Ok(())
    }

    /// What the parts so far spoke of.
    fn spoke_of(&self, import: Option<&Part>) -> BTreeSet<u64> {
        let all = self.lock();
        import.and_then(|part| all.get(&part.import)).map(|one| one.spoken.clone()).unwrap_or_default()
    }
}

/// A tie's identifier in eight bytes. Two that share one by chance would keep one tie from being ended.
fn short(tie: &TieId) -> u64 {
    let digest = Sha256::digest(tie.as_str());
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The tie or listing that a statement begins.
fn spoken_of(statement: &Statement) -> Option<&TieId> {
    match &statement.said {
        Said::Tie(tie) => Some(&tie.id),
        Said::Listing(listing) => Some(&listing.id),
        Said::Entity(_) | Said::End(_) | Said::Same { .. } | Said::Retraction { .. } => None,
    }
}

/// A tie or listing that a document said and says no longer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Missing {
    /// The statement's place in the log.
    at: usize,
    tie: TieId,
    /// Another document that says it too, so that it does not end.
    said_by: Option<String>,
}

impl Missing {
    /// That it ended, unless it has by now.
    fn end(&self, ties: &Ties, at: Timestamp) -> Option<Statement> {
        let said = ties.log(self.at..self.at + 1).next()?;
        if self.said_by.is_some() || spoken_of(&said) != Some(&self.tie) || !holds(ties, &said, at) {
            return None;
        }
        let on = Day::of(at);
        let words = format!("{}\0{on}\0{}", said.source.edition(), self.tie);
        let id = format!("no-longer-in:{}", hex::encode(&Sha256::digest(words)[..16]));
        // It is said by whoever said what it ends, so that saying it again is that one's correction.
        let Source { document, edition_of, evidence, .. } = said.source;
        let source = Source { document, edition_of, evidence, ..Source::default() };
        let said = Said::End(End { tie: self.tie.clone(), on: on.into(), by: Ending::Completed });
        Some(Statement { id: id.parse().ok()?, said, source, recorded: at })
    }
}

/// Tells of what an edition leaves out and another document says.
fn kept(over: &[Missing]) -> Option<String> {
    let all = over.iter().filter_map(|one| Some(format!("`{}` (`{}`)", one.tie, one.said_by.as_ref()?)));
    let told: Vec<String> = all.collect();
    let shown = told.iter().take(KEPT_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let more = told.len().saturating_sub(KEPT_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!told.is_empty()).then(|| {
        format!("left out by the new edition, and kept because another document says it: {shown}{more}")
    })
}

/// Another document than these that says the tie or listing too.
fn said_elsewhere(ties: &Ties, tie: &TieId, documents: &[String]) -> Option<String> {
    let history = ties.history(tie);
    let begins = history.iter().filter(|statement| spoken_of(statement).is_some());
    let mut others = begins.map(|statement| statement.source.edition());
    others.find(|other| !documents.iter().any(|document| document == other)).map(str::to_owned)
}

fn holds(ties: &Ties, statement: &Statement, at: Timestamp) -> bool {
    let picture = ties.picture(AsOf::at(at));
    match &statement.said {
        Said::Listing(listing) => {
            picture.listings(&listing.entity).iter().any(|known| known.listing.id == listing.id)
        }
        Said::Tie(tie) => picture.tie(&tie.id).is_some(),
        Said::Entity(_) | Said::End(_) | Said::Same { .. } | Said::Retraction { .. } => false,
    }
}

/// Those of a part of the log that `documents` said, `spoken` does not have, and that hold.
fn missing_in(
    ties: &Ties,
    part: std::ops::Range<usize>,
    documents: &[String],
    spoken: &BTreeSet<u64>,
    at: Timestamp,
    found: &mut BTreeMap<TieId, Missing>,
) {
    for (place, statement) in part.clone().zip(ties.log(part)) {
        let Some(tie) = spoken_of(&statement) else { continue };
        let is_theirs = documents.iter().any(|document| document == statement.source.edition());
        if is_theirs && !spoken.contains(&short(tie)) && holds(ties, &statement, at) {
            let said_by = said_elsewhere(ties, tie, documents);
            found.insert(tie.clone(), Missing { at: place, tie: tie.clone(), said_by });
        }
    }
}

impl Inner {
    /// What `documents` said, an import did not, and holds. The registry is read piece by piece, so that the writer
    /// waits for a piece at most.
    fn missing(&self, documents: &[String], spoken: &BTreeSet<u64>, at: Timestamp) -> Vec<Missing> {
        let mut found = BTreeMap::new();
        let mut from = 0;
        loop {
            let ties = self.recorded.read();
            let end = (from + LOOKED_AT_ONCE).min(ties.len());
            if from >= end {
                return found.into_values().collect();
            }
            missing_in(&ties, from..end, documents, spoken, at, &mut found);
            from = end;
        }
    }
}

impl Exchange {
    /// Records statements, decides anew on everybody whom they concern, and lets follow what follows. With the last part
    /// of a whole new edition of a document, what it leaves out is ended.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, imports of more than [`IMPORT_MAX`] statements, and a part of an edition
    /// that others are missing before.
    pub fn import(&self, caller: &Caller, import: Import) -> Result<Imported, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        let Import { subject, statements, part, editions, looked_at } = import;
        if statements.len() > IMPORT_MAX {
            let message =
                format!("{} statements are more than the {IMPORT_MAX} of one import", statements.len());
            return Err(AdminError::Invalid(message));
        }
        if let Some(part) = &part {
            check(part)?;
        }
        let now = self.inner.clock.now();
        // Only editions are remembered; other parts stand for themselves.
        let followed = part.as_ref().filter(|_| editions.is_some());
        let is_new = match followed {
            Some(part) => self.inner.editions.expect(part, now)?,
            None => true,
        };
        let spoken: BTreeSet<u64> = match editions {
            Some(_) => statements.iter().filter_map(spoken_of).map(short).collect(),
            None => BTreeSet::new(),
        };
        let is_last = part.as_ref().is_none_or(|part| part.last);
        let over = match editions.as_deref() {
            Some(documents) if is_last && is_new && !documents.is_empty() => {
                let mut all = self.inner.editions.spoke_of(followed);
                all.extend(&spoken);
                self.inner.missing(documents, &all, now)
            }
            Some(_) | None => Vec::new(),
        };
        let imported =
            self.record_import(caller, statements, over, subject_of(&subject, part.as_ref()), looked_at)?;
        if let Some(part) = followed {
            self.inner.editions.arrived(part, spoken)?;
        }
        Ok(imported)
    }

    fn record_import(
        &self,
        caller: &Caller,
        mut statements: Vec<Statement>,
        over: Vec<Missing>,
        subject: String,
        looked_at: Option<TiesState>,
    ) -> Result<Imported, AdminError> {
        let (inner, caller) = (Arc::clone(&self.inner), caller.clone());
        let ((), imported) = self.recording(Instants::HandsOut, move |turn| {
            still_accepted(turn, &caller)?;
            if looked_at.is_some_and(|state| state != TiesState::of(turn.registry)) {
                return Err(AdminError::Moved);
            }
            let mut ended = 0;
            if !over.is_empty() {
                let ties = inner.recorded.current(turn, inner.store.as_ref())?;
                // They are said with the last of what is said.
                let said = statements.last().map_or(Timestamp::EPOCH, |statement| statement.recorded);
                let ends = over.iter().filter_map(|missing| missing.end(&ties, turn.now));
                let ends: Vec<Statement> = ends.map(|end| Statement { recorded: said, ..end }).collect();
                ended = ends.len();
                statements.extend(ends);
            }
            let mut imported = record(&inner, turn, statements, &subject, name_of(&caller))?;
            imported.findings.extend(kept(&over));
            Ok(((), Imported { ended, ..imported }))
        })?;
        Ok(imported)
    }

    /// Runs a work that records statements, and answers when what it opened is due.
    pub(crate) fn recording<T: Send + 'static>(
        &self,
        instants: Instants,
        work: impl FnOnce(&mut Hand<'_>) -> Result<(T, Imported), AdminError> + Send + 'static,
    ) -> Result<(T, Imported), AdminError> {
        match self.inner.writer.decide(instants, work) {
            Ok((done, last)) => {
                self.wait_for(&done.1.moved, last)?;
                Ok(done)
            }
            Err(error) => {
                // If it cannot be done now, the writer does it before it next decides.
                if let Err(error) = self.refresh_ties() {
                    tracing::warn!(%error, "statements that were not recorded are in memory for now");
                }
                Err(error)
            }
        }
    }

    /// Who would move if these statements were recorded, and what their editions leave out were ended; nothing is.
    ///
    /// # Errors
    ///
    /// Refuses members, and parts: what a part would do depends on the others.
    pub fn preview(&self, caller: &Caller, import: Import) -> Result<Vec<Move>, AdminError> {
        Ok(self.rehearse(caller, import)?.moves)
    }

    /// Where ties, standings and rules stand.
    #[must_use]
    pub fn ties_state(&self) -> TiesState {
        TiesState::of(&self.inner.published.registry())
    }

    /// What would become of an import, and who would move; nothing is recorded.
    ///
    /// # Errors
    ///
    /// As [`preview`](Self::preview).
    pub fn rehearse(&self, caller: &Caller, import: Import) -> Result<Rehearsal, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        if import.part.is_some() {
            let message = "a preview is of a whole import; what a part would do depends on the others";
            return Err(AdminError::Invalid(message.to_owned()));
        }
        let state = self.ties_state();
        let mut statements = import.statements;
        let (mut ended, mut stays) = (0, None);
        if let Some(documents) = &import.editions {
            let now = self.inner.clock.now();
            let spoken = statements.iter().filter_map(spoken_of).map(short).collect();
            let over = self.inner.missing(documents, &spoken, now);
            let ties = self.inner.recorded.read();
            let said = statements.len();
            statements.extend(over.iter().filter_map(|missing| missing.end(&ties, now)));
            ended = statements.len() - said;
            stays = kept(&over);
        }
        let mut rehearsal = Rehearsal { ended, state, ..self.rehearse_ties(caller, statements)? };
        rehearsal.findings.extend(stays);
        Ok(rehearsal)
    }
}

fn check(part: &Part) -> Result<(), AdminError> {
    let name = &part.import;
    let is_name = (1..=NAME_LENGTH_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_name {
        return Err(AdminError::Invalid(format!(
            "the name of an import is at most {NAME_LENGTH_MAX} letters, digits and hyphens"
        )));
    }
    if part.number == 0 {
        return Err(AdminError::Invalid("the parts of an import are counted from 1".to_owned()));
    }
    Ok(())
}

/// What the ledger calls it.
fn subject_of(subject: &str, part: Option<&Part>) -> String {
    let subject: String = subject.chars().take(SUBJECT_LENGTH_MAX).collect();
    match part {
        Some(part) if part.last => format!("{subject} (part {}, the last, of {})", part.number, part.import),
        Some(part) => format!("{subject} (part {} of {})", part.number, part.import),
        None => subject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u32, last: bool) -> Part {
        Part { import: "one".to_owned(), number, last }
    }

    #[test]
    fn parts_come_in_their_order_and_may_be_sent_again() {
        let now = Timestamp::from_micros(1);
        let editions = Editions::default();
        assert!(editions.expect(&part(2, false), now).is_err(), "it did not begin");
        assert!(editions.expect(&part(1, false), now).unwrap());
        editions.arrived(&part(1, false), BTreeSet::from([1, 2])).unwrap();
        assert!(!editions.expect(&part(1, false), now).unwrap(), "sent again");
        assert!(editions.expect(&part(3, true), now).is_err(), "part 2 is missing");
        assert!(editions.expect(&part(2, true), now).unwrap());
        assert_eq!(editions.spoke_of(Some(&part(2, true))), BTreeSet::from([1, 2]));
        editions.arrived(&part(2, true), BTreeSet::new()).unwrap();
        assert!(!editions.expect(&part(2, true), now).unwrap(), "the answer was lost, and it is sent again");
    }

    #[test]
    fn the_import_that_is_idle_longest_gives_way() {
        let editions = Editions::default();
        let begin = |number: usize, at: i64| {
            let part = Part { import: format!("import-{number}"), number: 1, last: false };
            editions.expect(&part, Timestamp::from_micros(at)).unwrap();
        };
        for number in 0..=UNDER_WAY_MAX {
            begin(number, i64::try_from(number).unwrap());
        }
        let second = |number: usize| {
            let part = Part { import: format!("import-{number}"), number: 2, last: false };
            editions.arrived(&Part { number: 1, ..part.clone() }, BTreeSet::new()).unwrap();
            editions.expect(&part, Timestamp::from_micros(9))
        };
        assert!(second(0).is_err());
        assert!(second(UNDER_WAY_MAX).is_ok());
    }

    #[test]
    fn an_import_has_a_plain_name_and_counts_from_one() {
        for (import, number, fine) in [("5f-C", 1, true), ("", 1, false), ("a b", 1, false), ("x", 0, false)]
        {
            let part = Part { import: import.to_owned(), number, last: false };
            assert_eq!(check(&part).is_ok(), fine, "{part:?}");
        }
        assert!(check(&Part { import: "x".repeat(65), number: 1, last: true }).is_err());
    }
}
