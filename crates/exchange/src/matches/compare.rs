//! Comparing what imports describe, beside the writer.
//!
//! This is a reconciler: it takes no input, and may be run at any time, twice, or never for a while. It reads the
//! batches of statements as they lie in the store, so neither the writer nor the registry in memory waits for it; what
//! it found it hands to the writer in small transactions, together with how far it came. It runs for as long as it is
//! given and goes on from there; after a crash it compares one batch again, and proposes nothing twice.
//!
//! Two sides are compared. On one is the *file*: members' entities and those on lists always, and everybody else as long
//! as all names together are at most [`FILED_NAMES_MAX`]. On the other are the batches:
//!
//! ```text
//! a new batch             each entity that it describes, against the file
//! a new name of concern   every entity of every batch so far, against the new names only      (a sweep)
//! ```
//!
//! So a member or a listed party is compared with everybody, whichever came first. Two others are compared with each
//! other only in a registry that is small enough to be filed whole; they must also be more alike.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use store::StoreError;
use ties::{AsOf, EntityId, Picture as _, decode};

use super::file::{Described, Filed, described};
use super::weigh::{Concern, Finding};
use super::{Match, key_of, pair};
use crate::alerts::{self, Alert};
use crate::error::{AdminError, WriteError};
use crate::exchange::Exchange;
use crate::registry::{MATCH, MATCHED, Registry, STATEMENTS};
use crate::writer::Instants;

/// How many names are filed. Each takes about a kilobyte.
const FILED_NAMES_MAX: usize = 100_000;

/// How many matches wait for a person; beyond, comparing waits too. That is weeks of work for one.
const OPEN_MAX: usize = 10_000;

/// How many matches go into one transaction.
const WRITTEN_AT_ONCE: usize = 500;

/// Under which key it is kept how many batches were compared.
const BATCHES: &str = "batches";

/// Under which key it is kept with whom all of them were compared.
const SHORT: &str = "short";

/// How comparing went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// How many entities were compared this time.
    pub compared: usize,
    /// How many matches were proposed this time.
    pub proposed: usize,
    /// Likely pairs that were not kept, because too many of their kind wait already.
    pub not_kept: usize,
    /// Whether something is left to compare.
    pub is_behind: bool,
    /// How many matches wait for a person.
    pub open: usize,
    /// Names of members and lists that the file has no room for.
    pub not_filed: usize,
}

/// How far it came; durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cursor {
    /// How many batches were compared.
    batches: u64,
    /// The entities of members and lists with whom all of those were compared.
    short: BTreeSet<EntityId>,
}

/// On what the names of concern depend.
#[derive(Clone, PartialEq, Eq)]
struct Basis {
    batches: u64,
    programme: String,
    bound: Vec<EntityId>,
}

/// What the reconciler keeps between its runs.
#[derive(Default)]
pub(crate) struct Run {
    cursor: Option<Cursor>,
    basis: Option<Basis>,
    /// Members and lists, and whose they are.
    short: BTreeMap<EntityId, Concern>,
    file: Option<File>,
    sweep: Option<Sweep>,
    batch: Option<Batch>,
    /// Whether the last run left something to do.
    is_behind: bool,
}

struct File {
    filed: Filed,
    /// Whether everybody is filed, and not only those of concern.
    is_whole: bool,
    /// How many batches are filed, as long as it is whole.
    batches: u64,
    not_filed: usize,
}

/// Everything so far, against new names of concern.
struct Sweep {
    filed: Filed,
    short: BTreeSet<EntityId>,
    batch: Batch,
    end: u64,
}

/// A batch that is being gone through.
#[derive(Default)]
struct Batch {
    number: u64,
    at: usize,
    described: Option<Vec<Described>>,
}

impl Batch {
    fn of(number: u64) -> Self {
        Self { number, ..Self::default() }
    }
}

impl Exchange {
    /// Compares what imports described since the last time, for at most `time`, and proposes matches.
    ///
    /// # Errors
    ///
    /// Fails if the store does; what was not written is compared again.
    pub fn compare_names(&self, time: Duration) -> Result<Compared, AdminError> {
        let mut run = self.inner.matcher.run.lock().unwrap_or_else(PoisonError::into_inner);
        let registry = self.inner.published.registry();
        let basis = Basis {
            batches: registry.batches,
            programme: registry.programme().digest().to_owned(),
            bound: registry.dossiers.values().filter_map(|dossier| dossier.entity.clone()).collect(),
        };
        if run.basis.as_ref() == Some(&basis) && !run.is_behind {
            let open = self.asked(|asked| asked.open().count())?;
            return Ok(Compared { open, not_filed: run.not_filed(), ..Compared::default() });
        }
        let mut is_over = self.limit(time);
        let compared = self.run(&mut run, &registry, basis, &mut is_over);
        if compared.is_err() {
            // What was found and not written is found again.
            *run = Run::default();
        }
        compared
    }

    fn run(
        &self,
        run: &mut Run,
        registry: &Registry,
        basis: Basis,
        is_over: &mut dyn FnMut() -> bool,
    ) -> Result<Compared, AdminError> {
        let mut cursor = match run.cursor.take() {
            Some(cursor) => cursor,
            None => self.load_cursor()?,
        };
        let (batches_before, mut is_swept) = (cursor.batches, false);
        self.look_around(run, registry, basis, &cursor)?;
        let Run { short, file, sweep, batch, .. } = run;
        let mut finding = self.finding(short)?;
        let mut done = true;
        if let Some(under_way) = sweep {
            done = self.sweep(under_way, &mut finding, is_over)?;
            if done {
                cursor.short.clone_from(&under_way.short);
                is_swept = true;
                *sweep = None;
            }
        }
        if let Some(file) = file.as_mut().filter(|_| done) {
            let batch = batch.get_or_insert_with(|| Batch::of(cursor.batches));
            while done && batch.number < registry.batches {
                self.file_batch(file, batch, short)?;
                done = self.go_through(batch, &file.filed, &mut finding, is_over)?;
                if done {
                    cursor.batches = batch.number + 1;
                    *batch = Batch::of(cursor.batches);
                }
            }
        }
        let Finding { found, told, open, .. } = finding;
        if !found.is_empty() || is_swept || cursor.batches != batches_before {
            self.write(&found, cursor.batches, is_swept.then(|| cursor.short.clone()))?;
        }
        run.is_behind = !done || run.short.keys().any(|id| !cursor.short.contains(id));
        run.cursor = Some(cursor);
        Ok(Compared { is_behind: run.is_behind, open, not_filed: run.not_filed(), ..told })
    }

    fn load_cursor(&self) -> Result<Cursor, StoreError> {
        Ok(Cursor { batches: self.kept(BATCHES)?, short: self.kept(SHORT)? })
    }

    fn kept<T: DeserializeOwned + Default>(&self, key: &str) -> Result<T, StoreError> {
        let Some(value) = self.inner.store.snapshot()?.get(MATCHED, key)? else { return Ok(T::default()) };
        serde_json::from_slice(&value)
            .map_err(|error| StoreError::Damaged(format!("how far names were compared, `{key}`: {error}")))
    }

    /// Sees who is of concern, files them, and begins a sweep if somebody is new.
    fn look_around(
        &self,
        run: &mut Run,
        registry: &Registry,
        basis: Basis,
        cursor: &Cursor,
    ) -> Result<(), AdminError> {
        if run.basis.as_ref() != Some(&basis) {
            run.short = self.of_concern(registry);
            run.basis = Some(basis);
        }
        if run.file.is_none() {
            run.file = Some(self.file(&run.short, cursor.batches)?);
        }
        let Some(file) = run.file.as_mut() else { return Ok(()) };
        let unfiled = run.short.iter().filter(|(id, _)| !file.filed.documents.contains_key(*id));
        let unfiled: BTreeMap<_, _> = unfiled.map(|(id, concern)| (id.clone(), concern.clone())).collect();
        file.not_filed = self.file_short(&mut file.filed, &unfiled);
        let is_new = run.short.keys().any(|id| !cursor.short.contains(id));
        if run.sweep.is_none() && is_new {
            let mut filed = Filed::default();
            let new = run.short.iter().filter(|(id, _)| !cursor.short.contains(*id));
            let new = new.map(|(id, concern)| (id.clone(), concern.clone())).collect();
            self.file_short(&mut filed, &new);
            let short = run.short.keys().cloned().collect();
            run.sweep = Some(Sweep { filed, short, batch: Batch::default(), end: cursor.batches });
        }
        Ok(())
    }

    /// The members' entities, and those on any list.
    fn of_concern(&self, registry: &Registry) -> BTreeMap<EntityId, Concern> {
        let mut short: BTreeMap<EntityId, Concern> = BTreeMap::new();
        let ties = self.inner.recorded.read();
        let picture = ties.picture(AsOf::at(self.inner.clock.now()));
        for (member, dossier) in registry.dossiers.iter() {
            let Some(entity) = &dossier.entity else { continue };
            short.entry(picture.canonical(entity)).or_default().member = Some(member.clone());
        }
        for list in picture.lists() {
            for known in picture.listed_on(&list) {
                let concern = short.entry(known.listing.entity).or_default();
                concern.lists.insert(list.clone());
                concern.documents.insert(Arc::from(known.source.document.as_str()));
            }
        }
        short
    }

    /// Files those of concern; returns how many there was no room for.
    fn file_short(&self, filed: &mut Filed, short: &BTreeMap<EntityId, Concern>) -> usize {
        let (members, others): (Vec<_>, Vec<_>) =
            short.iter().partition(|(_, concern)| concern.member.is_some());
        let mut not_filed = 0;
        let at = self.inner.clock.now();
        let all: Vec<_> = members.into_iter().chain(others).collect();
        for some in all.chunks(100) {
            let ties = self.inner.recorded.read();
            let picture = ties.picture(AsOf::at(at));
            for (id, concern) in some {
                if filed.names() >= FILED_NAMES_MAX {
                    not_filed += 1;
                } else if let Some(entity) = picture.entity(id) {
                    filed.insert(&entity, concern.documents.iter().cloned());
                }
            }
        }
        not_filed
    }

    /// A file of everybody in the first `batches` batches if they fit, else of those of concern.
    fn file(&self, short: &BTreeMap<EntityId, Concern>, batches: u64) -> Result<File, AdminError> {
        let mut file = File { filed: Filed::default(), is_whole: true, batches: 0, not_filed: 0 };
        file.not_filed = self.file_short(&mut file.filed, short);
        while file.is_whole && file.batches < batches {
            let described = self.read_batch(file.batches)?;
            file.add(&described);
        }
        self.keep_short(&mut file, short);
        Ok(file)
    }

    /// Leaves only those of concern in a file that has no room for everybody.
    fn keep_short(&self, file: &mut File, short: &BTreeMap<EntityId, Concern>) {
        if !file.is_whole {
            file.filed = Filed::default();
            file.not_filed = self.file_short(&mut file.filed, short);
        }
    }

    /// Files a batch that is about to be compared, as long as everybody is filed.
    fn file_batch(
        &self,
        file: &mut File,
        batch: &mut Batch,
        short: &BTreeMap<EntityId, Concern>,
    ) -> Result<(), AdminError> {
        if file.is_whole && file.batches == batch.number {
            let described = match batch.described.take() {
                Some(described) => described,
                None => self.read_batch(batch.number)?,
            };
            file.add(&described);
            self.keep_short(file, short);
            batch.described = Some(described);
        }
        Ok(())
    }

    /// What a batch describes, from the store.
    fn read_batch(&self, number: u64) -> Result<Vec<Described>, StoreError> {
        let key = format!("{number:012}");
        let Some(value) = self.inner.store.snapshot()?.get(STATEMENTS, &key)? else { return Ok(Vec::new()) };
        let statements =
            decode(&value).map_err(|error| StoreError::Damaged(format!("statements `{key}`: {error}")))?;
        Ok(statements.into_iter().filter_map(described).collect())
    }

    fn sweep(
        &self,
        sweep: &mut Sweep,
        finding: &mut Finding<'_>,
        is_over: &mut dyn FnMut() -> bool,
    ) -> Result<bool, AdminError> {
        while sweep.batch.number < sweep.end && sweep.filed.names() > 0 {
            if !self.go_through(&mut sweep.batch, &sweep.filed, finding, is_over)? {
                return Ok(false);
            }
            sweep.batch = Batch::of(sweep.batch.number + 1);
        }
        Ok(true)
    }

    /// Compares what a batch describes; `false` if there was no time for all of it, or no room.
    fn go_through(
        &self,
        batch: &mut Batch,
        filed: &Filed,
        finding: &mut Finding<'_>,
        is_over: &mut dyn FnMut() -> bool,
    ) -> Result<bool, AdminError> {
        let described = match &mut batch.described {
            Some(described) => described,
            none => none.insert(self.read_batch(batch.number)?),
        };
        let at = self.inner.clock.now();
        for one in described.iter().skip(batch.at) {
            if finding.open >= OPEN_MAX || finding.found.len() >= WRITTEN_AT_ONCE || is_over() {
                return Ok(false);
            }
            batch.at += 1;
            finding.told.compared += 1;
            let candidates = filed.candidates(one);
            if candidates.is_empty() {
                continue;
            }
            let ties = self.inner.recorded.read();
            finding.weigh(&ties.picture(AsOf::at(at)), filed, one, candidates, at);
        }
        Ok(true)
    }

    fn finding<'r>(&self, short: &'r BTreeMap<EntityId, Concern>) -> Result<Finding<'r>, StoreError> {
        let ties = self.inner.recorded.read();
        let picture = ties.picture(AsOf::at(self.inner.clock.now()));
        self.asked(|asked| {
            let now = |known: &super::Known| {
                pair(&picture.canonical(&known.pair.0), &picture.canonical(&known.pair.1))
            };
            Finding {
                short,
                known: asked.all.values().map(now).collect(),
                found: Vec::new(),
                open: asked.open().count(),
                open_others: asked.open().filter(|known| !known.matters).count(),
                next: asked.next(),
                told: Compared::default(),
            }
        })
    }

    /// Writes what was found, and how far comparing came.
    fn write(
        &self,
        found: &[Match],
        batches: u64,
        short: Option<BTreeSet<EntityId>>,
    ) -> Result<(), AdminError> {
        let written = found.to_vec();
        self.inner.writer.run(Instants::None, move |turn| -> Result<(), WriteError> {
            for one in &written {
                turn.put_json(MATCH, &key_of(one.number), one)?;
            }
            turn.put_json(MATCHED, BATCHES, &batches)?;
            if let Some(short) = &short {
                turn.put_json(MATCHED, SHORT, short)?;
            }
            let concerning = written.iter().filter(|one| one.matters()).count();
            if concerning > 0 {
                let text = format!(
                    "{concerning} proposed matches by name concern members or lists; \
                     a person has to say whether they are the same"
                );
                let at = turn.now;
                alerts::put(turn, &Alert::new("match", None, text, at))?;
            }
            Ok(())
        })?;
        self.asked(|asked| found.iter().for_each(|one| asked.note(one)))?;
        Ok(())
    }
}

impl Run {
    fn not_filed(&self) -> usize {
        self.file.as_ref().map_or(0, |file| file.not_filed)
    }
}

impl File {
    fn add(&mut self, described: &[Described]) {
        for one in described {
            if self.filed.names() >= FILED_NAMES_MAX {
                self.is_whole = false;
                return;
            }
            self.filed.insert(&one.entity, [Arc::clone(&one.document)]);
        }
        self.batches += 1;
    }
}
