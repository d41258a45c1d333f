//! Ties as operations: recording statements, asking what would be, deciding.
//!
//! Statements are stamped with the hub's own clock when they are recorded: that is the second clock, and nobody
//! outside sets it. They are stored as they came, one record for each import, together with everything that follows from
//! them, in one transaction.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use ledger::Body;
use ledger::entry::Vetting;
use model::{Caller, MemberId, Role, Tier, Timestamp};
use programme::Programme;
use sha2::{Digest, Sha256};
use store::{Record, Snapshot, StoreError};
use ties::{AsOf, EntityId, Evidence, Registry as Ties, Said, Statement, TieId, encode};
use vetting::{Decision, Lens, Move, Party, Remedies, Session};

use crate::alerts::{self, Alert};
use crate::error::{AdminError, OpenError};
use crate::evaluate::{Moved, evaluate};
use crate::exchange::{Exchange, Hand, name_of, require};
use crate::members::{DECIDES, still_accepted};
use crate::registry::{DECISION, Registry, STATEMENTS};
use crate::writer::Instants;

/// How many statements one import may hold; a national register goes in several.
pub const IMPORT_MAX: usize = 1_000_000;

/// What became of an import.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Imported {
    /// How many statements are new.
    pub new: usize,
    /// How many were known already.
    pub known_already: usize,
    /// Those that were refused, by their place in the import, with the reason.
    pub refused: Vec<(usize, String)>,
    /// What somebody should look at.
    pub findings: Vec<String>,
    /// Who moved.
    pub moved: Vec<Moved>,
}

/// A question to the rules.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// As of when, and as known when; left out, now.
    pub as_of: Option<AsOf>,
    /// The packs that are asked; left out, those in force.
    pub packs: Option<BTreeSet<String>>,
    /// Ties that are to be taken as ended.
    pub end: BTreeSet<TieId>,
    /// Statements that are to be taken as made.
    pub add: Vec<Statement>,
    /// Whether remedies are looked for, for at most this long.
    pub remedies: Option<std::time::Duration>,
}

/// The statements of a store, and the programme's own lists.
pub(crate) fn load(snapshot: &dyn Snapshot, programme: &Programme) -> Result<Ties, OpenError> {
    let mut ties = Ties::new();
    ties.add(programme.lists().to_vec());
    for record in snapshot.list(STATEMENTS, "")? {
        ties.load(&record.value).map_err(|error| OpenError::Record {
            kind: STATEMENTS.to_owned(),
            key: record.key.clone(),
            reason: error.to_string(),
        })?;
    }
    Ok(ties)
}

impl Exchange {
    /// Reads the statements anew, after a transaction that had added some came to nothing, or the lists changed.
    pub(crate) fn reload_ties(&self) -> Result<(), OpenError> {
        let mut ties = self.inner.ties.write().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.inner.store.snapshot()?;
        *ties = load(snapshot.as_ref(), self.inner.published.registry().programme())?;
        Ok(())
    }

    /// Records statements, decides anew on everybody whom they concern, and lets follow what follows.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, and imports of more than [`IMPORT_MAX`] statements.
    pub fn import_ties(
        &self,
        caller: &Caller,
        statements: Vec<Statement>,
        subject: &str,
    ) -> Result<Imported, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        if statements.len() > IMPORT_MAX {
            let message =
                format!("{} statements are more than the {IMPORT_MAX} of one import", statements.len());
            return Err(AdminError::Invalid(message));
        }
        let (inner, by, caller) = (Arc::clone(&self.inner), name_of(caller), caller.clone());
        let subject = subject.chars().take(200).collect::<String>();
        let result =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<Imported, AdminError> {
                still_accepted(turn, &caller)?;
                let at = turn.instant(0);
                let stamped = statements.into_iter().map(|statement| Statement { recorded: at, ..statement });
                let mut ties = inner.ties.write().unwrap_or_else(PoisonError::into_inner);
                let concern = of_concern(turn.registry, &ties, at);
                let added = ties.add(stamped.collect());
                let mut imported = Imported {
                    new: added.new.len(),
                    known_already: added.known_already,
                    refused: added.refused.iter().map(|(place, why)| (*place, why.to_string())).collect(),
                    findings: added.findings.iter().map(ToString::to_string).collect(),
                    moved: Vec::new(),
                };
                if added.new.is_empty() {
                    return Ok(imported);
                }
                let new: Vec<Statement> = ties.log(added.new).collect();
                let batch = encode(&new);
                let entry = Vetting {
                    at: at.to_string(),
                    member: None,
                    action: "ties recorded".to_owned(),
                    subject: format!("{} statements: {subject}", new.len()),
                    by,
                    sha256: Some(hex::encode(Sha256::digest(&batch))),
                };
                let key = format!("{:012}", turn.next_batch());
                turn.write().put(Record { kind: STATEMENTS.to_owned(), key, value: batch })?;
                turn.record(&Body::Vetting(entry))?;
                watch(turn, &concern, &new, at)?;
                imported.moved = evaluate(&inner, turn, &ties, None, at)?;
                Ok(imported)
            });
        match result {
            Ok((imported, last)) => {
                self.inner.wait_until(last);
                for moved in &imported.moved {
                    let due = self.inner.end_of_back_fill(&model::Principal::Member(moved.member.clone()))?;
                    self.inner.wait_until(due.unwrap_or(last));
                }
                Ok(imported)
            }
            Err(error) => {
                self.reload_ties().map_err(|error| AdminError::Invalid(error.to_string()))?;
                Err(error)
            }
        }
    }

    /// Who would move if these statements were recorded; nothing is.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn preview_ties(&self, caller: &Caller, statements: Vec<Statement>) -> Result<Vec<Move>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let at = self.inner.clock.now();
        let recorded = self.inner.ties.read().unwrap_or_else(PoisonError::into_inner);
        let mut would = Ties::clone(&recorded);
        would.add(statements.into_iter().map(|statement| Statement { recorded: at, ..statement }).collect());
        let (before, after) = (recorded.picture(AsOf::at(at)), would.picture(AsOf::at(at)));
        let before = Session::new(&registry.judge, &before, None);
        let after = Session::new(&registry.judge, &after, None);
        let parties: Vec<Party> =
            registry.dossiers.values().filter_map(|dossier| dossier.party(at)).collect();
        let tiers: Vec<Tier> =
            registry.programme().settings().tiers.iter().map(|tier| tier.name.clone()).collect();
        Ok(vetting::moves(&before, &after, &parties, &tiers)?)
    }

    /// The decision on an entity for a tier, now or at any other time, as things are or as they would be.
    ///
    /// # Errors
    ///
    /// Refuses members, except about themselves; and a tier or pack that there is not.
    pub fn vet(
        &self,
        caller: &Caller,
        entity: &EntityId,
        tier: &Tier,
        question: &Question,
    ) -> Result<(Decision, Option<Remedies>), AdminError> {
        let registry = self.inner.published.registry();
        let dossier = registry.dossiers.iter().find(|(_, dossier)| dossier.entity.as_ref() == Some(entity));
        let own = dossier.is_some_and(|(member, _)| caller.member() == Some(member));
        if caller.role().is_none() && !own {
            return Err(AdminError::Forbidden { needed: "the programme's people" });
        }
        if registry.programme().tier(tier).is_none() {
            let tiers = &registry.programme().settings().tiers;
            let known = tiers.iter().map(|tier| tier.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(AdminError::NoSuchTier { tier: tier.clone(), known });
        }
        let now = self.inner.clock.now();
        let mut as_of = question.as_of.unwrap_or(AsOf::at(now));
        as_of.known = as_of.known.min(now);
        let party = dossier.and_then(|(_, dossier)| dossier.party(now)).unwrap_or(Party::new(entity.clone()));
        let recorded = self.inner.ties.read().unwrap_or_else(PoisonError::into_inner);
        let would;
        let looked_at: &Ties = if question.add.is_empty() {
            &recorded
        } else {
            let mut with = Ties::clone(&recorded);
            let stamped = question.add.iter().cloned();
            with.add(stamped.map(|statement| Statement { recorded: as_of.known, ..statement }).collect());
            would = with;
            &would
        };
        let picture = looked_at.picture(as_of);
        let lens = Lens::new(&picture).without(question.end.iter().cloned());
        // A member sees the evidence that those concerned may see.
        let may_see = if caller.role().is_some() { Evidence::Programme } else { Evidence::Concerned };
        let session = Session::new(&registry.judge, &lens, question.packs.clone()).for_reader(may_see);
        let decision = session.decide(&party, tier)?;
        let mut over = self.limit(question.remedies.unwrap_or_default());
        let remedies = match question.remedies {
            Some(_) => Some(session.remedies(&party, &decision, &mut over)?),
            None => None,
        };
        Ok((decision, remedies))
    }

    /// Asks whether `time` has passed since this was called.
    fn limit(&self, time: std::time::Duration) -> impl FnMut() -> bool + '_ {
        let until = self.inner.clock.now() + time;
        move || self.inner.clock.now() > until
    }

    /// The decisions on a member, with their proofs, the oldest first.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn decisions(
        &self,
        caller: &Caller,
        member: &MemberId,
    ) -> Result<Vec<serde_json::Value>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let records = self.inner.store.snapshot()?.list(DECISION, &format!("{member}/"))?;
        let parsed = records.iter().map(|record| serde_json::from_slice(&record.value));
        parsed
            .collect::<Result<_, _>>()
            .map_err(|error| AdminError::Store(StoreError::Damaged(format!("a decision: {error}"))))
    }

    /// What was said of a tie, in the order in which it was recorded.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn tie_history(&self, caller: &Caller, tie: &TieId) -> Result<Vec<Statement>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        Ok(self.inner.ties.read().unwrap_or_else(PoisonError::into_inner).history(tie))
    }

    /// The ties of an entity now: those that run to it, and those that run from it.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn ties_of(
        &self,
        caller: &Caller,
        entity: &EntityId,
        as_of: Option<AsOf>,
    ) -> Result<Vec<ties::KnownTie>, AdminError> {
        use ties::Picture as _;
        require(caller, &Role::ALL, "the programme's people")?;
        let ties = self.inner.ties.read().unwrap_or_else(PoisonError::into_inner);
        let picture = ties.picture(as_of.unwrap_or(AsOf::at(self.inner.clock.now())));
        let mut found = picture.ties_into(entity);
        found.extend(picture.ties_out_of(entity));
        Ok(found)
    }

    /// Everything that was ever said, in the order of its arrival, from `from` on.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn statements(
        &self,
        caller: &Caller,
        from: usize,
        limit: usize,
    ) -> Result<Vec<Statement>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let ties = self.inner.ties.read().unwrap_or_else(PoisonError::into_inner);
        Ok(ties.log(from..from.saturating_add(limit)).collect())
    }
}

/// The parties of concern, for watching.
fn of_concern(registry: &Registry, ties: &Ties, at: Timestamp) -> BTreeSet<EntityId> {
    use ties::Picture as _;
    let picture = ties.picture(AsOf::at(at));
    let lists = &registry.programme().settings().vetting.concern;
    lists.iter().flat_map(|list| picture.listed_on(list)).map(|known| known.listing.entity).collect()
}

/// Tells the officers when something is said of a party of concern.
fn watch(
    turn: &mut Hand<'_>,
    concern: &BTreeSet<EntityId>,
    new: &[Statement],
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut told = BTreeSet::new();
    for statement in new {
        let about: Vec<&EntityId> = match &statement.said {
            Said::Tie(tie) => vec![&tie.from, &tie.to],
            Said::Listing(listing) => vec![&listing.entity],
            Said::Same { kept, merged, .. } => vec![kept, merged],
            Said::Entity(_) | Said::End(_) | Said::Retraction { .. } => Vec::new(),
        };
        for entity in about.into_iter().filter(|entity| concern.contains(*entity)) {
            if told.insert(entity.clone()) {
                let text = format!("something new is said of the party of concern `{entity}`");
                alerts::put(turn, &Alert::new("party-of-concern", None, text, at))?;
            }
        }
    }
    Ok(())
}
