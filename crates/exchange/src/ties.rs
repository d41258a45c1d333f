//! Ties as operations: recording statements, asking what would be, deciding.
//!
//! Statements are stamped with the hub's own clock when they are recorded: that is the second clock, and nobody
//! outside sets it. They are stored as they came, one record for each import, together with everything that follows from
//! them, in one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::Body;
use ledger::entry::Vetting;
use model::{Caller, Grade, MemberId, Role, Tier, Timestamp};
use sha2::{Digest, Sha256};
use store::{Record, StoreError};
use ties::{
    AsOf, Day, End, Ending, EntityId, Evidence, Picture as _, Registry as Ties, Said, Source, Statement,
    TieId, encode,
};
use vetting::{Decision, Lens, Move, Party, Remedies, Session};

use crate::alerts::{self, Alert};
use crate::concern;
use crate::editions::{Import, TiesState};
use crate::error::{AdminError, WriteError};
use crate::evaluate::{Moved, evaluate_news};
use crate::exchange::{Exchange, Hand, Inner, require};
use crate::impact::{FeedMove, Impact, impact};
use crate::order::{in_order, stamped, without_old_words};
use crate::past;
use crate::registry::{Registry, STATEMENTS, batch_key};
use crate::reporting::talked_about;
use crate::writer::Instants;

/// How many statements one import may hold; a national register goes in several.
pub const IMPORT_MAX: usize = 1_000_000;

/// Up to how many statements of one import it is asked whom they concern; beyond, everybody is looked at.
pub(crate) const FOLLOWED_MAX: usize = 10_000;

/// How many retractions of retractions are followed to what they are about. Nobody means more than two.
const RETRACTIONS_FOLLOWED_MAX: usize = 32;

/// How much of an import's name the ledger keeps, in characters.
pub(crate) const SUBJECT_LENGTH_MAX: usize = 200;

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
    /// How many of the new ones are ends of what a new edition leaves out.
    pub ended: usize,
    /// Who moved.
    pub moved: Vec<Moved>,
}

/// What would become of an import.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Rehearsal {
    /// How many statements are new.
    pub new: usize,
    /// How many are known already.
    pub known_already: usize,
    /// How many of the new ones are ends of what a new edition leaves out.
    pub ended: usize,
    /// Those that would be refused, by their place in the import, with the reason.
    pub refused: Vec<(usize, String)>,
    /// What somebody should look at.
    pub findings: Vec<String>,
    /// Of whom the rules would say otherwise.
    pub moves: Vec<Move>,
    /// Whose standing would change at once, and for whom a change would be proposed.
    pub standings: Vec<Moved>,
    /// Which feeds would stop or begin with those standings.
    pub feeds: Vec<FeedMove>,
    /// What it was computed from.
    pub state: TiesState,
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

impl Exchange {
    /// Brings the statements in memory to what the store holds, after a transaction that had added some came to
    /// nothing, or the programme's lists changed.
    pub(crate) fn refresh_ties(&self) -> Result<(), WriteError> {
        let inner = Arc::clone(&self.inner);
        let refresh = move |turn: &mut Hand<'_>| -> Result<(), WriteError> {
            inner.recorded.current(turn, inner.store.as_ref()).map(drop).map_err(WriteError::from)
        };
        self.inner.writer.decide(Instants::None, refresh).map(drop)
    }

    /// Records statements that are a whole import; see [`import`](Self::import).
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
        self.import(caller, Import { subject: subject.to_owned(), statements, ..Import::default() })
    }

    /// Who would move if these statements were recorded; nothing is.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn preview_ties(&self, caller: &Caller, statements: Vec<Statement>) -> Result<Vec<Move>, AdminError> {
        Ok(self.rehearse_ties(caller, statements)?.moves)
    }

    /// What would become of these statements if they were recorded, and who would move; nothing is.
    pub(crate) fn rehearse_ties(
        &self,
        caller: &Caller,
        statements: Vec<Statement>,
    ) -> Result<Rehearsal, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let at = self.inner.clock.now();
        let recorded = self.inner.recorded.kept();
        let mut would = Ties::clone(&recorded);
        let count = statements.len();
        let (statements, places) = without_old_words(&recorded, in_order(statements, at));
        let added = would.add(statements);
        let (before, after) = (recorded.picture(AsOf::at(at)), would.picture(AsOf::at(at)));
        let before = Session::new(&registry.judge, &before, None);
        let after = Session::new(&registry.judge, &after, None);
        let new: Vec<Statement> = would.log(added.new.clone()).collect();
        let whom = whom(&registry, &would, &new, at);
        let parties = self.parties(&registry, whom.as_ref(), None)?;
        let Impact { standings, feeds } = impact(&registry, &would, whom.as_ref(), at)?;
        Ok(Rehearsal {
            new: added.new.len(),
            known_already: added.known_already + (count - places.len()),
            ended: 0,
            state: TiesState::of(&registry),
            refused: added.refused.iter().map(|(place, why)| (places[*place], why.to_string())).collect(),
            findings: added.findings.iter().map(ToString::to_string).collect(),
            moves: vetting::moves(&before, &after, &parties, &registry.tiers())?,
            standings,
            feeds,
        })
    }

    /// The decision on an entity for a tier, now or at any other time, as things are or as they would be.
    ///
    /// # Errors
    ///
    /// Refuses members, except about themselves, without statements that were never made, and with the end of no tie
    /// but those that they are shown; and a tier or pack that there is not.
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
        // What an invented tie would lead to tells what is known of its other end.
        if caller.role().is_none() && (!own || !question.add.is_empty()) {
            return Err(AdminError::Forbidden { needed: "the programme's people" });
        }
        if registry.programme().tier(tier).is_none() {
            let tiers = &registry.programme().settings().tiers;
            let known = tiers.iter().map(|tier| tier.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(AdminError::NoSuchTier { tier: tier.clone(), known });
        }
        let as_of = self.as_of_now(question.as_of);
        let snapshot = self.inner.store.snapshot()?;
        let asked = past::asked(snapshot.as_ref(), &registry, entity, as_of, caller.member())?;
        let party = asked.for_tier(tier);
        let recorded = self.inner.recorded.kept();
        let supposed = supposing(&recorded, question, as_of);
        let picture = supposed.as_ref().unwrap_or(&recorded).picture(as_of);
        let lens = Lens::new(&picture).without(question.end.iter().cloned());
        // A member sees the evidence that those concerned may see.
        let may_see = if caller.role().is_some() { Evidence::Programme } else { Evidence::Concerned };
        if caller.role().is_none() && !question.end.is_empty() {
            let session = Session::new(&registry.judge, &picture, question.packs.clone()).for_reader(may_see);
            check_shown(&session.decide(&party, tier)?, &question.end)?;
        }
        let session = Session::new(&registry.judge, &lens, question.packs.clone()).for_reader(may_see);
        let decision = session.decide(&party, tier)?;
        let mut over = self.limit(question.remedies.unwrap_or_default());
        let remedies = match question.remedies {
            Some(_) => Some(session.remedies(&party, &decision, &mut over)?),
            None => None,
        };
        Ok((decision, remedies))
    }

    /// Who would move if the ties of a question ended and its statements were made, at the clocks of the question: for
    /// whoever asks what else a change would do. Nothing is recorded.
    ///
    /// # Errors
    ///
    /// Refuses members, and a pack that there is not.
    pub fn would_move(&self, caller: &Caller, question: &Question) -> Result<Vec<Move>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let as_of = self.as_of_now(question.as_of);
        let recorded = self.inner.recorded.kept();
        let supposed = supposing(&recorded, question, as_of);
        let looked_at = supposed.as_ref().unwrap_or(&recorded);
        let now = self.inner.clock.now();
        let ends = question.end.iter().map(|tie| supposed_end(tie, now));
        let news: Vec<Statement> = question.add.iter().cloned().chain(ends).collect();
        // Whom a change may concern is told by the ties of today; of another day, everybody is asked.
        let whom = if question.as_of.is_none() { whom(&registry, looked_at, &news, now) } else { None };
        let parties = self.parties(&registry, whom.as_ref(), question.as_of)?;
        let (before, picture) = (recorded.picture(as_of), looked_at.picture(as_of));
        let lens = Lens::new(&picture).without(question.end.iter().cloned());
        let before = Session::new(&registry.judge, &before, question.packs.clone());
        let after = Session::new(&registry.judge, &lens, question.packs.clone());
        Ok(vetting::moves(&before, &after, &parties, &registry.tiers())?)
    }

    /// Those of the members, or of `whom`, that are bound to an entity, as they are or as they were.
    pub(crate) fn parties(
        &self,
        registry: &Registry,
        whom: Option<&BTreeSet<MemberId>>,
        as_of: Option<AsOf>,
    ) -> Result<Vec<Party>, AdminError> {
        let asked = registry.dossiers.iter().filter(|(id, _)| whom.is_none_or(|whom| whom.contains(*id)));
        let Some(as_of) = as_of else {
            let now = self.inner.clock.now();
            return Ok(asked.filter_map(|(_, dossier)| dossier.party(now)).collect());
        };
        let snapshot = self.inner.store.snapshot()?;
        let mut parties = Vec::new();
        for (id, _) in asked {
            parties.extend(past::party(snapshot.as_ref(), registry, id, as_of)?);
        }
        Ok(parties)
    }

    /// Asks whether `time` has passed since this was called.
    pub(crate) fn limit(&self, time: std::time::Duration) -> impl FnMut() -> bool + '_ {
        let until = self.inner.clock.now() + time;
        move || self.inner.clock.now() > until
    }

    /// What was said of a tie, in the order in which it was recorded.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn tie_history(&self, caller: &Caller, tie: &TieId) -> Result<Vec<Statement>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        Ok(self.inner.recorded.read().history(tie))
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
        require(caller, &Role::ALL, "the programme's people")?;
        let ties = self.inner.recorded.read();
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
        let ties = self.inner.recorded.read();
        Ok(ties.log(from..from.saturating_add(limit)).collect())
    }
}

/// The statements with those that a question takes as made, if it does.
fn supposing(recorded: &Ties, question: &Question, as_of: AsOf) -> Option<Ties> {
    if question.add.is_empty() {
        return None;
    }
    let mut with = Ties::clone(recorded);
    with.add(in_order(question.add.clone(), as_of.known));
    Some(with)
}

/// That a tie ended, for asking whom that would concern.
fn supposed_end(tie: &TieId, at: Timestamp) -> Statement {
    let id = format!("what-if:{}", hex::encode(Sha256::digest(tie.as_str())));
    Statement {
        id: id.parse().expect("letters and digits are an identifier"),
        said: Said::End(End { tie: tie.clone(), on: Day::of(at).into(), by: Ending::Completed }),
        source: Source { document: "what if".to_owned(), ..Source::default() },
        recorded: at,
    }
}

/// What an import does inside its transaction.
pub(crate) fn record(
    inner: &Inner,
    turn: &mut Hand<'_>,
    statements: Vec<Statement>,
    subject: &str,
    by: String,
) -> Result<Imported, StoreError> {
    let count = statements.len();
    let (statements, at) = stamped(turn, statements);
    let (concern, statements, places) = {
        let ties = inner.recorded.current(turn, inner.store.as_ref())?;
        let (statements, places) = without_old_words(&ties, statements);
        (concern::parties(turn.registry, &ties, at), statements, places)
    };
    let (added, batch) = inner.recorded.add(turn, inner.store.as_ref(), statements)?;
    let mut imported = Imported {
        new: added.new.len(),
        known_already: added.known_already + (count - places.len()),
        refused: added.refused.iter().map(|(place, why)| (places[*place], why.to_string())).collect(),
        findings: added.findings.iter().map(ToString::to_string).collect(),
        ended: 0,
        moved: Vec::new(),
    };
    let Some(batch) = batch else { return Ok(imported) };
    let ties = inner.recorded.read();
    let new: Vec<Statement> = ties.log(added.new).collect();
    let bytes = encode(&new);
    let entry = Vetting {
        at: at.to_string(),
        member: None,
        action: "ties recorded".to_owned(),
        subject: format!("{} statements: {subject}", new.len()),
        by,
        sha256: Some(hex::encode(Sha256::digest(&bytes))),
    };
    let key = batch_key(batch);
    turn.write().put(Record { kind: STATEMENTS.to_owned(), key, value: bytes })?;
    turn.record(&Body::Vetting(entry))?;
    concern::watch(turn, &ties, &concern, &new, at)?;
    if new.iter().any(|statement| matches!(statement.said, Said::Same { .. })) {
        for text in members_that_are_one(turn.registry, &ties, at) {
            alerts::put(turn, &Alert::new("merge", None, text.clone(), at))?;
            imported.findings.push(text);
        }
    }
    let whom = whom(turn.registry, &ties, &new, at);
    let about = talked_about(turn.registry, &ties, &new, whom.as_ref(), at);
    imported.moved = evaluate_news(inner, turn, &ties, whom.as_ref(), about.as_ref(), at)?;
    Ok(imported)
}

/// The members whose facts may be others by what is newly said; `None` for all of them.
pub(crate) fn whom(
    registry: &Registry,
    ties: &Ties,
    new: &[Statement],
    at: Timestamp,
) -> Option<BTreeSet<MemberId>> {
    let is_of_a_state = |entity: &EntityId| entity.as_str().starts_with("state:");
    // That a state is adverse matters to whoever belongs to it, and that is no tie but a line in a description.
    if new.len() > FOLLOWED_MAX
        || new.iter().any(|statement| listed_by(ties, &statement.said).iter().any(is_of_a_state))
    {
        return None;
    }
    let affected = ties.affected_by(new);
    let picture = ties.picture(AsOf::at(at));
    let is_affected =
        |entity: &EntityId| affected.contains(entity) || affected.contains(&picture.canonical(entity));
    let members = registry.dossiers.iter();
    let concerned = members.filter(|(_, dossier)| dossier.entity.as_ref().is_some_and(is_affected));
    Some(concerned.map(|(member, _)| member.clone()).collect())
}

/// The entities of the listing that a statement makes, ends or retracts, whatever it said of them at any time.
pub(crate) fn listed_by(ties: &Ties, said: &Said) -> Vec<EntityId> {
    let of = match resolved(ties, said).as_ref() {
        Some(Said::Listing(listing)) => return vec![listing.entity.clone()],
        Some(Said::End(end)) => end.tie.clone(),
        Some(Said::Tie(_) | Said::Entity(_) | Said::Same { .. } | Said::Retraction { .. }) | None => {
            return Vec::new();
        }
    };
    let listing = |statement: Statement| match statement.said {
        Said::Listing(listing) => Some(listing.entity),
        Said::Tie(_) | Said::Same { .. } | Said::End(_) | Said::Entity(_) | Said::Retraction { .. } => None,
    };
    ties.history(&of).into_iter().filter_map(listing).collect()
}

/// What a statement says, or what the one says that it retracts.
pub(crate) fn resolved(ties: &Ties, said: &Said) -> Option<Said> {
    let mut said = said.clone();
    for _ in 0..RETRACTIONS_FOLLOWED_MAX {
        let Said::Retraction { of, .. } = &said else { return Some(said) };
        said = ties.statement(of)?.said;
    }
    None
}

/// Members whose entities turned out to be one. Each is decided on by the ties of both; who has to go is for people.
fn members_that_are_one(registry: &Registry, ties: &Ties, at: Timestamp) -> Vec<String> {
    let picture = ties.picture(AsOf::at(at));
    let mut of: BTreeMap<EntityId, Vec<&str>> = BTreeMap::new();
    for (member, dossier) in registry.dossiers.iter() {
        if let Some(entity) = &dossier.entity {
            of.entry(picture.canonical(entity)).or_default().push(member.as_str());
        }
    }
    let several = of.into_iter().filter(|(_, members)| members.len() > 1);
    several.map(|(entity, members)| format!("{} are one entity, `{entity}`", members.join(" and "))).collect()
}

/// A member may ask what would be without the ties that its decision rests on, as far as it is shown them. Of any
/// other tie the answer would tell whether there is one.
fn check_shown(decision: &Decision, end: &BTreeSet<TieId>) -> Result<(), AdminError> {
    let shown = decision.ties(Grade::Clear);
    match end.iter().find(|tie| !shown.contains(*tie)) {
        Some(tie) => Err(AdminError::Invalid(format!("you are shown no tie `{tie}` that could end"))),
        None => Ok(()),
    }
}
