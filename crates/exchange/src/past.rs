//! How a member's dossier was, for questions about the past.
//!
//! Ties have two clocks of their own; what the programme's people did has one. That a negotiation began, that a duty
//! was owed, or that somebody was on a list holds from the instant at which it was recorded. So of every change of what
//! a decision asks a dossier for, the state is kept, under the instant of the change, and nothing of it is rewritten:
//!
//! ```text
//! 2026-03-01  bound to `acme`, owes an attestation until 2027-03-01    a state is kept
//! 2026-04-01  an alert was read, a review was concluded                 nothing that a decision asks for
//! 2026-05-01  a negotiation begins, until 2026-07-30                    a state is kept
//!
//! as of 2026-06-01, as known now          the state of 2026-05-01: it negotiates
//! as of 2026-06-01, as known 2026-04-15   the state of 2026-03-01: nobody knew
//! as of 2026-02-01, as known now          no state: no member was that entity
//! ```
//!
//! Instruments do have two clocks: one that was signed in June and holds from May was in force in May, as known in June.
//! They are taken from the state at the instant of knowledge, and vetting looks at the day.

use std::collections::BTreeMap;

use model::{MemberId, Standing, Tier, Timestamp};
use programme::Instrument;
use serde::{Deserialize, Serialize};
use store::{Snapshot, StoreError};
use ties::{AsOf, EntityId};
use vetting::Party;

use crate::dossier::{Dossier, Duty};
use crate::exchange::Hand;
use crate::registry::{PAST, Registry};

/// What a decision asks a dossier for, as it was from one instant on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Past {
    entity: Option<EntityId>,
    negotiating_until: Option<Timestamp>,
    instruments: Vec<Instrument>,
    /// Those that were open.
    duties: Vec<Duty>,
    standings: BTreeMap<Tier, Standing>,
}

/// Who is asked about: the entity with what was kept of it, and whether it asked to join.
pub(crate) struct Asked {
    pub(crate) party: Party,
    standings: BTreeMap<Tier, Standing>,
    is_member: bool,
}

impl Asked {
    /// The party as it is decided on for a tier: whoever is not on the list yet is asked as an applicant.
    pub(crate) fn for_tier(mut self, tier: &Tier) -> Party {
        let standing = self.standings.get(tier).copied().unwrap_or(Standing::Applicant);
        self.party.applicant =
            self.is_member && matches!(standing, Standing::Applicant | Standing::UnderReview);
        self.party
    }
}

impl Past {
    /// How it is.
    pub(crate) fn now(registry: &Registry, id: &MemberId) -> Self {
        let standings = registry.members.get(id).map(|member| member.standings.clone()).unwrap_or_default();
        let Some(dossier) = registry.dossiers.get(id) else { return Self { standings, ..Self::default() } };
        Self {
            entity: dossier.entity.clone(),
            negotiating_until: dossier.negotiating_until,
            instruments: dossier.instruments.clone(),
            duties: dossier.duties.iter().filter(|duty| duty.done.is_none()).cloned().collect(),
            standings,
        }
    }

    /// The dossier that asks no more than this of a decision.
    fn dossier(&self) -> Dossier {
        Dossier {
            entity: self.entity.clone(),
            negotiating_until: self.negotiating_until,
            instruments: self.instruments.clone(),
            duties: self.duties.clone(),
            ..Dossier::default()
        }
    }
}

/// Keeps how it is from now on, if it is not as it was `before` a change.
pub(crate) fn keep(turn: &mut Hand<'_>, id: &MemberId, before: &Past) -> Result<(), StoreError> {
    let now = Past::now(turn.registry, id);
    if now == *before {
        return Ok(());
    }
    let at = turn.now;
    turn.put_json(PAST, &key(id, at), &now)
}

fn key(member: &MemberId, at: Timestamp) -> String {
    format!("{member}/{:020}", at.as_micros())
}

/// The member as it was decided on as of a day, as known at an instant; none if it was bound to no entity then.
pub(crate) fn party(
    snapshot: &dyn Snapshot,
    registry: &Registry,
    member: &MemberId,
    as_of: AsOf,
) -> Result<Option<Party>, StoreError> {
    let states = States::of(snapshot, registry, member)?;
    let then = states.at(instant(as_of).min(as_of.known));
    let Some(entity) = then.and_then(|then| then.entity.clone()) else { return Ok(None) };
    Ok(Some(asked(snapshot, registry, &entity, as_of, Some(member))?.party))
}

/// Who an entity was as of a day, as known at an instant. `own` is the member that asks about itself, if one does; it is
/// told nothing of another that was the same entity before.
pub(crate) fn asked(
    snapshot: &dyn Snapshot,
    registry: &Registry,
    entity: &EntityId,
    as_of: AsOf,
    own: Option<&MemberId>,
) -> Result<Asked, StoreError> {
    let instant = instant(as_of);
    let is_or_was =
        |dossier: &Dossier| dossier.entity.as_ref() == Some(entity) || dossier.was.contains(entity);
    let candidates: Vec<&MemberId> = match own {
        Some(own) => {
            registry.dossiers.get(own).filter(|one| is_or_was(one)).map(|_| own).into_iter().collect()
        }
        None => registry.dossiers.iter().filter(|(_, one)| is_or_was(one)).map(|(id, _)| id).collect(),
    };
    let mut asked = Asked { party: Party::new(entity.clone()), standings: BTreeMap::new(), is_member: false };
    for id in candidates {
        let states = States::of(snapshot, registry, id)?;
        // What was signed under the entity holds for the entity, whoever it is a member as by now.
        if let Some(known) = states.at(as_of.known) {
            let its = known.instruments.iter().filter(|instrument| instrument.entity == *entity);
            asked.party.instruments.extend(its.cloned());
        }
        let then = states.at(instant.min(as_of.known)).filter(|then| then.entity.as_ref() == Some(entity));
        if let Some(then) = then
            && let Some(party) = then.dossier().party(instant)
        {
            let instruments = std::mem::take(&mut asked.party.instruments);
            asked.party = Party { instruments, ..party };
            asked.standings.clone_from(&then.standings);
            asked.is_member = true;
        }
    }
    Ok(asked)
}

/// When on a day: at the instant of knowledge, if that is on the day; else at the end of a day that was over by then, and
/// at the beginning of one that was still to come.
fn instant(AsOf { day, known }: AsOf) -> Timestamp {
    known.clamp(day.start(), day.end())
}

/// The states of one member, the oldest first.
struct States(Vec<(Timestamp, Past)>);

impl States {
    /// What is kept. Where nothing is, since the data is older than the keeping, it is taken to have been as it is.
    fn of(snapshot: &dyn Snapshot, registry: &Registry, member: &MemberId) -> Result<Self, StoreError> {
        let mut states = Vec::new();
        for record in snapshot.list(PAST, &format!("{member}/"))? {
            let damaged = |why: String| StoreError::Damaged(format!("past `{}`: {why}", record.key));
            let micros = record.key.rsplit('/').next().and_then(|at| at.parse().ok());
            let at = micros.ok_or_else(|| damaged("its key names no instant".to_owned()))?;
            let past = serde_json::from_slice(&record.value).map_err(|error| damaged(error.to_string()))?;
            states.push((Timestamp::from_micros(at), past));
        }
        if states.is_empty() {
            states.push((Timestamp::EPOCH, Past::now(registry, member)));
        }
        Ok(Self(states))
    }

    /// How it was at an instant.
    fn at(&self, instant: Timestamp) -> Option<&Past> {
        let after = self.0.partition_point(|(since, _)| *since <= instant);
        after.checked_sub(1).map(|last| &self.0[last].1)
    }
}
