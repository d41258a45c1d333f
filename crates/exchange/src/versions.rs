//! The versions of a programme: which were in force, what two of them differ in, and whom that would move.
//!
//! The ledger says when each version came into force, by its digest. The store keeps the text of each under that digest,
//! so that whoever reads an old decision can read the rules that it was made by, and beside it the places of those entries,
//! so that nobody has to look through the ledger for them. Comparing is judging every member by
//! both, over the ties of now, each with its own lists, and asking both who may have what lies here. Nothing is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Caller, LabelId, MemberId, Role, Tier};
use programme::{Difference, Programme};
use release::{Policy, Reader};
use serde::Serialize;
use store::{Snapshot, StoreError};
use ties::AsOf;
use vetting::{CaseReport, Judge, Move, Session};

use crate::audit::open_entry;
use crate::error::{AdminError, OpenError, WriteError};
use crate::exchange::{Exchange, Hand, require};
use crate::recorded;
use crate::registry::{IN_FORCE, PROGRAMME};
use crate::writer::Instants;

/// How many questions about release a comparison asks of each version. Beyond, the answer says that it is cut short.
const RELEASES_MAX: usize = 20_000;
/// The kind of the ledger's entries about versions.
const KIND: &str = "policy";
/// How many changes of release are told one by one.
const RELEASES_TOLD: usize = 500;

/// That a version came into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VersionView {
    /// The ledger's entry that says so.
    pub entry: u64,
    /// When.
    pub at: String,
    /// By whom.
    pub by: String,
    /// The digest of its files.
    pub sha256: String,
    /// The epoch that it began.
    pub epoch: u64,
    /// Whether it is the one in force.
    pub is_in_force: bool,
    /// Whether its text is kept here.
    pub is_kept: bool,
}

/// A member and a label on which two versions differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReleaseMove {
    /// The member.
    pub member: MemberId,
    /// Its name.
    pub name: String,
    /// The label's number.
    pub label: u32,
    /// The alias of its collection.
    pub collection: String,
    /// Whether it may read under the later version; under the earlier, it is the other way round.
    pub may_read: bool,
}

/// Two versions, compared.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The digest of the earlier.
    pub from: String,
    /// The digest of the later.
    pub to: String,
    /// What differs.
    pub difference: Difference,
    /// How many members were judged by both.
    pub members: usize,
    /// Who would move.
    pub moves: Vec<Move>,
    /// Who would get what, or lose it, with the standings of now.
    pub releases: Vec<ReleaseMove>,
    /// Whether there is more of that than is told or was asked.
    pub releases_cut_short: bool,
}

/// How a programme's cases about vetting went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CasesRun {
    /// How many there are.
    pub run: usize,
    /// Those that went wrong.
    pub failures: Vec<CaseFailed>,
}

/// A case that did not give the answer that it states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseFailed {
    /// The file.
    pub file: String,
    /// The line there.
    pub line: usize,
    /// The case's name.
    pub id: String,
    /// What was expected, and what came instead.
    pub message: String,
    /// Why the case expects it.
    pub because: String,
}

/// Says that the places of all entries about versions are known, those from before there were places too.
const PLACES_KNOWN: &str = "places-known";
/// How many entries are read at once to find those places.
const READ_AT_ONCE: usize = 4_096;

/// Under what the place of an entry is kept that says that a version came into force.
const PLACES: &str = "entry/";

fn place(entry: u64) -> String {
    // No number of 64 bits has more than 20 digits, so keys sort as numbers do.
    format!("{PLACES}{entry:020}")
}

/// The key of a version's text.
fn key(digest: &str) -> String {
    format!("version/{digest}")
}

/// The files as they are stored: a programme is text.
fn as_text(programme: &Programme) -> BTreeMap<String, String> {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    programme.files().iter().map(|(name, bytes)| (name.clone(), text(bytes))).collect()
}

fn stored(snapshot: &dyn Snapshot, key: &str) -> Result<Option<BTreeMap<String, Vec<u8>>>, StoreError> {
    let Some(value) = snapshot.get(PROGRAMME, key)? else { return Ok(None) };
    let files: BTreeMap<String, String> = serde_json::from_slice(&value)
        .map_err(|error| StoreError::Damaged(format!("programme `{key}`: {error}")))?;
    Ok(Some(files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()))
}

/// The files of the version that was in force when the store was last open.
pub(crate) fn in_force(snapshot: &dyn Snapshot) -> Result<Option<BTreeMap<String, Vec<u8>>>, OpenError> {
    stored(snapshot, IN_FORCE).map_err(OpenError::Store)
}

/// Keeps a version that comes into force, by the entry that says so. The one before is kept too, if an older build did not.
pub(crate) fn keep(
    turn: &mut Hand<'_>,
    entry: u64,
    before: Option<&Programme>,
    programme: &Programme,
) -> Result<(), StoreError> {
    match before {
        Some(before) => turn.put_json(PROGRAMME, &key(before.digest()), &as_text(before))?,
        // The first one: there is no entry before it.
        None => turn.put_json(PROGRAMME, PLACES_KNOWN, &true)?,
    }
    turn.put_json(PROGRAMME, &place(entry), &entry)?;
    let files = as_text(programme);
    turn.put_json(PROGRAMME, &key(programme.digest()), &files)?;
    turn.put_json(PROGRAMME, IN_FORCE, &files)
}

impl Exchange {
    /// Finds the places of the entries about versions in a ledger that was begun by a build that did not keep them: once.
    pub(crate) fn find_version_places(&self) -> Result<(), OpenError> {
        let snapshot = self.inner.store.snapshot()?;
        if snapshot.get(PROGRAMME, PLACES_KNOWN)?.is_some() {
            return Ok(());
        }
        let (mut places, mut from) = (Vec::new(), 0);
        let size = self.inner.published.log().size();
        while from < size {
            let entries = snapshot.entries(from, READ_AT_ONCE)?;
            let Some(last) = entries.last() else { break };
            from = last.index + 1;
            for entry in entries {
                // Only what has the word at all is read.
                if memchr::memmem::find(&entry.body, KIND.as_bytes()).is_some() {
                    let opened = open_entry(entry)?;
                    places.extend((opened.body["kind"] == KIND).then_some(opened.index));
                }
            }
        }
        drop(snapshot);
        self.inner.writer.decide(Instants::None, move |turn| -> Result<(), WriteError> {
            for entry in places {
                turn.put_json(PROGRAMME, &place(entry), &entry)?;
            }
            Ok(turn.put_json(PROGRAMME, PLACES_KNOWN, &true)?)
        })?;
        Ok(())
    }

    /// The last versions that came into force, the newest first.
    ///
    /// # Errors
    ///
    /// Refuses all but the programme's auditors.
    pub fn programme_versions(&self, caller: &Caller, limit: usize) -> Result<Vec<VersionView>, AdminError> {
        require(caller, crate::audit::AUDITS, "the programme's auditors")?;
        let running = self.programme();
        let snapshot = self.inner.store.snapshot()?;
        // A transaction that is in the store may not be published yet; then it is no part of the log that people see.
        let size = self.inner.published.log().size();
        let mut versions = Vec::new();
        for record in snapshot.list(PROGRAMME, PLACES)?.into_iter().rev() {
            let index: u64 = serde_json::from_slice(&record.value)
                .map_err(|error| StoreError::Damaged(format!("programme `{}`: {error}", record.key)))?;
            if index >= size {
                continue;
            }
            if versions.len() >= limit {
                break;
            }
            let Some(entry) = snapshot.entries(index, 1)?.pop() else { continue };
            let entry = open_entry(entry)?;
            let text = |name: &str| entry.body[name].as_str().unwrap_or_default().to_owned();
            let sha256 = text("sha256");
            let is_in_force = sha256 == running.digest();
            versions.push(VersionView {
                entry: entry.index,
                by: text("by"),
                epoch: entry.body["epoch"].as_u64().unwrap_or_default(),
                is_kept: is_in_force || snapshot.get(PROGRAMME, &key(&sha256))?.is_some(),
                at: entry.at,
                sha256,
                is_in_force,
            });
        }
        Ok(versions)
    }

    /// A version by its digest, if its text is kept.
    ///
    /// # Errors
    ///
    /// Refuses members, and a version that this build cannot read.
    pub fn programme_version(
        &self,
        caller: &Caller,
        sha256: &str,
    ) -> Result<Option<Arc<Programme>>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let running = self.programme();
        if sha256 == running.digest() {
            return Ok(Some(running));
        }
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_digest {
            return Ok(None);
        }
        let snapshot = self.inner.store.snapshot()?;
        let Some(files) = stored(snapshot.as_ref(), &key(sha256))? else { return Ok(None) };
        let programme = Programme::from_files(&files).map_err(|error| {
            AdminError::Invalid(format!("this version cannot be read by this build: {error}"))
        })?;
        Ok(Some(Arc::new(programme)))
    }

    /// What two versions differ in, and whom the later would move that the earlier does not.
    ///
    /// # Errors
    ///
    /// Refuses members, and a version whose rules cannot be asked.
    pub fn compare_programmes(
        &self,
        caller: &Caller,
        from: &Arc<Programme>,
        to: &Arc<Programme>,
    ) -> Result<Comparison, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let (members, moves) = self.moves_between(from, to)?;
        let (releases, releases_cut_short) = self.releases_between(from, to)?;
        Ok(Comparison {
            from: from.digest().to_owned(),
            to: to.digest().to_owned(),
            difference: Difference::between(from, to),
            members,
            moves,
            releases,
            releases_cut_short,
        })
    }

    /// How many members both judge, and who moves from one to the other.
    fn moves_between(
        &self,
        from: &Arc<Programme>,
        to: &Arc<Programme>,
    ) -> Result<(usize, Vec<Move>), AdminError> {
        let registry = self.inner.published.registry();
        let parties = self.parties(&registry, None, None)?;
        if from.digest() == to.digest() {
            return Ok((parties.len(), Vec::new()));
        }
        let tiers: Vec<Tier> = from.settings().tiers.iter().map(|tier| tier.name.clone()).collect();
        let tiers: Vec<Tier> = tiers.into_iter().filter(|tier| to.tier(tier).is_some()).collect();
        let (old, new) = (Judge::new(Arc::clone(from))?, Judge::new(Arc::clone(to))?);
        let as_of = AsOf::at(self.inner.clock.now());
        let snapshot = self.inner.store.snapshot()?;
        // Lists are statements of the programme's own; of a version with other lists, all of it is read anew.
        let with_lists = |programme: &Programme| {
            let is_running = programme.lists() == registry.programme().lists();
            (!is_running).then(|| recorded::load(snapshot.as_ref(), programme, registry.batches)).transpose()
        };
        let (others, further) = (with_lists(from)?, with_lists(to)?);
        let recorded = self.inner.recorded.kept();
        let before = others.as_ref().unwrap_or(&recorded).picture(as_of);
        let after = further.as_ref().unwrap_or(&recorded).picture(as_of);
        let (before, after) = (Session::new(&old, &before, None), Session::new(&new, &after, None));
        Ok((parties.len(), vetting::moves(&before, &after, &parties, &tiers)?))
    }

    /// Who may read which label under one version and not under the other, with the standings of now.
    fn releases_between(
        &self,
        from: &Arc<Programme>,
        to: &Arc<Programme>,
    ) -> Result<(Vec<ReleaseMove>, bool), AdminError> {
        let decides = |programme: &Programme| {
            let files = ["release.cedar", "schema.cedarschema", "programme.toml"];
            files.map(|name| programme.files().get(name).cloned())
        };
        if decides(from) == decides(to) {
            return Ok((Vec::new(), false));
        }
        let unusable = |error: release::PolicyError| AdminError::Invalid(error.to_string());
        let old = Policy::new(Arc::clone(from)).map_err(unusable)?;
        let new = Policy::new(Arc::clone(to)).map_err(unusable)?;
        let registry = self.inner.published.registry();
        let (mut moves, mut asked) = (Vec::new(), 0);
        for member in registry.members.values() {
            let (before, after) = (old.judge(Reader::Member(member)), new.judge(Reader::Member(member)));
            for (number, facts) in (0..).zip(&registry.labels.facts) {
                asked += 1;
                if asked > RELEASES_MAX || moves.len() >= RELEASES_TOLD {
                    return Ok((moves, true));
                }
                let label = registry.resolved(&facts.label);
                let may_read = after.may_read(&label).permitted;
                if before.may_read(&label).permitted == may_read {
                    continue;
                }
                let collection =
                    to.collection(&label.collection).or_else(|| from.collection(&label.collection));
                moves.push(ReleaseMove {
                    member: member.id.clone(),
                    name: member.name.clone(),
                    label: LabelId::new(number).number(),
                    collection: collection
                        .map_or_else(|| label.collection.to_string(), |known| known.alias.clone()),
                    may_read,
                });
            }
        }
        Ok((moves, false))
    }

    /// Runs a version's cases about vetting.
    ///
    /// # Errors
    ///
    /// Refuses members, and a version whose rules cannot be asked.
    pub fn run_cases(&self, caller: &Caller, programme: &Arc<Programme>) -> Result<CasesRun, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let CaseReport { run, failures } = vetting::run_cases(&Judge::new(Arc::clone(programme))?);
        let failed = |one: vetting::CaseFailure| {
            let vetting::CaseFailure { file, line, id, message, because } = one;
            CaseFailed { file, line, id, message, because }
        };
        Ok(CasesRun { run, failures: failures.into_iter().map(failed).collect() })
    }
}
