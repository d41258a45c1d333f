//! Which entity a member is, and who may say so.
//!
//! The first time one person says it: from then on the rules decide on the member, so it can only lose by it. To say
//! of a *listed* member that it is another entity takes its ties away from it, as a decision against the rules would,
//! so it needs as many people as the programme's quorum says. The first call proposes, the same call by another
//! person agrees.

use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use ledger::Body;
use ledger::entry::Vetting;
use model::{Caller, Member, MemberId, Role};
use serde::Serialize;
use ties::{AsOf, EntityId, Picture as _};

use crate::alerts::{self, Alert};
use crate::dossier::{Dossier, DutyOf, Proposal, Rebinding};
use crate::duties::{Filed, file};
use crate::error::AdminError;
use crate::evaluate::{Moved, put_dossier};
use crate::exchange::{Exchange, Hand, Inner, name_of, require};
use crate::members::{DECIDES, still_accepted};
use crate::people;
use crate::writer::Instants;

/// What became of a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It holds; who moved by it.
    Changed(Vec<Moved>),
    /// It waits for other people to agree.
    Proposed(Rebinding),
}

/// Something that waits for other people to agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Waiting {
    /// A step of a standing.
    Step(Proposal),
    /// That a member is another entity.
    Binding(Rebinding),
}

impl Waiting {
    /// The step, if it is one.
    #[must_use]
    pub fn step(self) -> Option<Proposal> {
        match self {
            Self::Step(proposal) => Some(proposal),
            Self::Binding(_) => None,
        }
    }
}

impl Exchange {
    /// Says which entity a member is. The rules decide on it from then on.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, an entity that is another member's, and agreeing twice.
    pub fn bind_entity(
        &self,
        caller: &Caller,
        member: &MemberId,
        entity: &EntityId,
    ) -> Result<Bound, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        let (inner, id, entity, caller) =
            (Arc::clone(&self.inner), member.clone(), entity.clone(), caller.clone());
        let (bound, last) =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<_, AdminError> {
                still_accepted(turn, &caller)?;
                let registry = Arc::clone(turn.registry);
                let member = registry.members.get(&id).ok_or_else(|| AdminError::NoSuchMember(id.clone()))?;
                let mut dossier = registry.dossier(&id);
                if let Some(rebinding) = rebinding(&inner, turn, member, &dossier, &entity, &caller)? {
                    propose(turn, &mut dossier, &rebinding)?;
                    return Ok(Bound::Proposed(rebinding));
                }
                bind(turn, &mut dossier, entity.clone());
                let filed = Filed::new("entity bound", format!("it is the entity `{entity}`"));
                file(turn, &inner, &id, &dossier, filed, name_of(&caller)).map(Bound::Changed)
            })?;
        if let Bound::Changed(moved) = &bound {
            self.wait_for(moved, last)?;
        }
        Ok(bound)
    }

    /// Withdraws what waits about the entity of a member.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, and where nothing waits.
    pub fn withdraw_rebinding(&self, caller: &Caller, member: &MemberId) -> Result<Rebinding, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        let (id, caller) = (member.clone(), caller.clone());
        let (rebinding, _) =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<_, AdminError> {
                still_accepted(turn, &caller)?;
                let mut dossier = turn.registry.dossier(&id);
                let waiting = dossier.rebinding.take();
                let waiting = waiting
                    .ok_or_else(|| AdminError::Invalid("no other entity waits for agreement".to_owned()))?;
                put_dossier(turn, &id, &dossier)?;
                record(turn, &waiting, "binding withdrawn", name_of(&caller))?;
                Ok(waiting)
            })?;
        Ok(rebinding)
    }

    /// What waits for agreement, by member and tier: of the members after `after`, until there are `limit` of them. Of
    /// one member it is told whole.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn proposals(
        &self,
        caller: &Caller,
        after: Option<&MemberId>,
        limit: usize,
    ) -> Result<Vec<Waiting>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let from = after.map_or(Unbounded, Excluded);
        let mut waiting = Vec::new();
        for dossier in registry.dossiers.range((from, Unbounded)).map(|(_, dossier)| dossier) {
            if waiting.len() >= limit {
                break;
            }
            waiting.extend(dossier.proposals.values().cloned().map(Waiting::Step));
            waiting.extend(dossier.rebinding.clone().map(Waiting::Binding));
        }
        Ok(waiting)
    }
}

/// The binding with the caller's agreement, if it needs more people than have agreed by now.
fn rebinding(
    inner: &Inner,
    turn: &Hand<'_>,
    member: &Member,
    dossier: &Dossier,
    entity: &EntityId,
    caller: &Caller,
) -> Result<Option<Rebinding>, AdminError> {
    let registry = &turn.registry;
    let ties = inner.recorded.current(turn, inner.store.as_ref())?;
    let picture = ties.picture(AsOf::at(turn.now));
    let one = picture.canonical(entity);
    let is_it = |other: &EntityId| picture.canonical(other) == one;
    let is_anothers = |(id, dossier): (&MemberId, &Arc<Dossier>)| {
        *id != member.id && dossier.entity.as_ref().is_some_and(is_it)
    };
    if registry.dossiers.iter().any(is_anothers) {
        return Err(AdminError::Invalid(format!("the entity `{entity}` is another member's")));
    }
    let is_listed = member.listed_tiers().next().is_some();
    let Some(bound) = dossier.entity.clone().filter(|bound| is_listed && !is_it(bound)) else {
        return Ok(None);
    };
    let needs = registry.programme().settings().vetting.quorum.max(1);
    let waiting = dossier.rebinding.as_ref();
    // What others agreed to holds for this entity in place of that one, and for nothing else.
    let waiting = waiting.filter(|waiting| waiting.entity == *entity && waiting.bound == bound);
    let mut rebinding = waiting.cloned().unwrap_or_else(|| Rebinding {
        member: member.id.clone(),
        bound,
        entity: entity.clone(),
        at: turn.now,
        agreed: Vec::new(),
        needs,
    });
    rebinding.needs = needs;
    people::agree(registry, &mut rebinding.agreed, needs, caller, turn.now)?;
    let has_all = u32::try_from(rebinding.agreed.len()).unwrap_or(u32::MAX) >= needs;
    Ok(Some(rebinding).filter(|_| !has_all))
}

fn propose(turn: &mut Hand<'_>, dossier: &mut Dossier, rebinding: &Rebinding) -> Result<(), AdminError> {
    dossier.rebinding = Some(rebinding.clone());
    put_dossier(turn, &rebinding.member, dossier)?;
    let by = rebinding.agreed.last().map(|agreement| agreement.by.clone()).unwrap_or_default();
    record(turn, rebinding, "binding proposed", by)?;
    let Rebinding { member, bound, entity, .. } = rebinding;
    let text =
        format!("{member} is to be the entity `{entity}` and not `{bound}`; it waits for another person");
    alerts::put(turn, &Alert::new("proposal", Some(member), text, turn.now))?;
    Ok(())
}

fn bind(turn: &Hand<'_>, dossier: &mut Dossier, entity: EntityId) {
    let settings = &turn.registry.programme().settings().vetting;
    let asks = turn.registry.programme().questionnaire().is_some();
    if asks && !dossier.duties.iter().any(|duty| duty.of == DutyOf::Attestation) {
        dossier.owe(DutyOf::Attestation, "answer the questionnaire", turn.now, settings.attestation_days);
    }
    if dossier.entity.as_ref() != Some(&entity) {
        // What it told was about another.
        dossier.told = None;
        dossier.was.extend(dossier.entity.take());
    }
    dossier.rebinding = None;
    dossier.entity = Some(entity);
}

fn record(turn: &mut Hand<'_>, rebinding: &Rebinding, action: &str, by: String) -> Result<(), AdminError> {
    let Rebinding { member, bound, entity, .. } = rebinding;
    turn.record(&Body::Vetting(Vetting {
        at: turn.now.to_string(),
        member: Some(member.to_string()),
        action: action.to_owned(),
        subject: format!("it is the entity `{entity}` and not `{bound}`"),
        by,
        sha256: None,
    }))?;
    Ok(())
}
