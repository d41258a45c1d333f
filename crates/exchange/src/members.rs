//! Members, their standing, their credentials.
//!
//! A step of a member's standing has authors and a reason, is checked against the procedure, begins an epoch, opens and
//! closes the member's grants at one instant, and is an entry of the ledger. All of it is one transaction. Steps that
//! follow from ties are made in the same way by [`evaluate`](crate::evaluate).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use ledger::Body;
use ledger::entry::{Credential, Decision, Membership, Vetting};
use model::{
    Action, Caller, CredentialId, Member, MemberId, MemberKind, Principal, Role, Standing, StandingChange,
    Subject, Tier, Timestamp,
};

use crate::alerts::{self, Alert};
use crate::certificates;
use crate::credentials::{CredentialRecord, CredentialSecret, NewCredential};
use crate::dossier::{Concluded, Dossier, Override, Proposal};
use crate::error::AdminError;
use crate::evaluate::{THE_RULES, leaves_the_list, put_dossier, record_step};
use crate::exchange::{Exchange, Hand, name_of, require};
use crate::notice::{self, Closed};
use crate::past::{self, Past};
use crate::people;
use crate::procedure;
use crate::registry::{CREDENTIAL, MEMBER, ReaderGrants, Registry};
use crate::writer::{Instants, Judging};
use store::StoreError;

/// A member to be.
#[derive(Clone, Debug)]
pub struct NewMember {
    /// Its name.
    pub name: String,
    /// What it does with what it receives.
    pub kind: MemberKind,
    /// Its STIX identity.
    pub identity: Option<String>,
    /// What the release policy may ask about it.
    pub subject: Subject,
    /// The tiers on whose list it is from the start; on the others it is an applicant.
    pub listed: BTreeSet<Tier>,
}

/// What may be changed about a member besides its standing. `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct MemberChange {
    /// Its name.
    pub name: Option<String>,
    /// Its STIX identity.
    pub identity: Option<String>,
    /// What the release policy may ask about it.
    pub subject: Option<Subject>,
}

pub(crate) const DECIDES: &[Role] = &[Role::Operator, Role::Officer];

impl Exchange {
    /// Admits a member to the registry.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, an unknown tier, and an identity that is another's.
    pub fn add_member(&self, caller: &Caller, new: NewMember) -> Result<Member, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        if new.name.trim().is_empty() {
            return Err(AdminError::Invalid("a member needs a name".to_owned()));
        }
        let (by, caller) = (name_of(caller), caller.clone());
        let (member, last) =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<Member, AdminError> {
                still_accepted(turn, &caller)?;
                for tier in &new.listed {
                    check_tier(turn, tier)?;
                }
                check_identity(turn, new.identity.as_deref(), None)?;
                let id = MemberId::from_bits(u64::from_le_bytes(turn.random_bytes()));
                let at = turn.instant(0);
                let standings: BTreeMap<_, _> =
                    new.listed.iter().map(|tier| (tier.clone(), Standing::Listed)).collect();
                let member = Member {
                    id: id.clone(),
                    name: new.name,
                    kind: new.kind,
                    identity: new.identity,
                    subject: new.subject,
                    standings,
                    since: at,
                };
                let before = Arc::clone(turn.registry);
                put_member(turn, &member)?;
                let epoch = turn.begin_epoch();
                // A new member has no history: every label that it may see opens now.
                let none = crate::registry::ReaderGrants {
                    grants: Arc::new(release::Grants::of(Principal::Member(id.clone()))),
                    recorded: 0,
                };
                turn.reform(&Principal::Member(id.clone()), &none, &before, at, &mut Judging::all(&before))?;
                let action = "admitted to the registry".to_owned();
                turn.record(&Body::Membership(Membership {
                    at: at.to_string(),
                    member: id.to_string(),
                    action,
                    by: by.clone(),
                }))?;
                for tier in member.listed_tiers() {
                    turn.record(&Body::Decision(Decision {
                        at: at.to_string(),
                        member: id.to_string(),
                        tier: tier.to_string(),
                        from: Standing::Applicant.to_string(),
                        to: Standing::Listed.to_string(),
                        by: by.clone(),
                        reason: "listed at admission".to_owned(),
                        epoch: epoch.number(),
                        proof: None,
                    }))?;
                }
                Ok(member)
            })?;
        self.wait_for_back_fill(&Principal::Member(member.id.clone()), last)?;
        Ok(member)
    }

    /// Takes a step of a member's standing on one tier.
    ///
    /// The member's next request sees it: a suspended member reads nothing more of the tier, and a reinstated one gets
    /// what it missed. A removal, a return and a step against the rules need as many different people as the
    /// programme's quorum says: the first one's call proposes, and the same call by the others agrees.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, a step that the procedure does not have, and agreeing twice.
    pub fn set_standing(
        &self,
        caller: &Caller,
        member: &MemberId,
        tier: &Tier,
        to: Standing,
        reason: &str,
    ) -> Result<Stepped, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        if reason.trim().is_empty() {
            return Err(AdminError::Invalid("a change of standing needs a reason".to_owned()));
        }
        let inner = Arc::clone(&self.inner);
        let (id, tier, reason) = (member.clone(), tier.clone(), reason.to_owned());
        let caller = caller.clone();
        let (stepped, last) =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<_, AdminError> {
                still_accepted(turn, &caller)?;
                check_tier(turn, &tier)?;
                let before = Arc::clone(turn.registry);
                let member =
                    before.members.get(&id).cloned().ok_or_else(|| AdminError::NoSuchMember(id.clone()))?;
                let from = member.standing(&tier);
                let to = from.change(to)?;
                let mut dossier = before.dossier(&id);
                let proposal = agreed(&before, &dossier, &member, &tier, to, &reason, &caller, turn.now)?;
                if u32::try_from(proposal.agreed.len()).unwrap_or(u32::MAX) < proposal.needs {
                    propose(turn, &mut dossier, &proposal)?;
                    return Ok(Stepped::Proposed(proposal));
                }
                let known = inner.grants_of(&Principal::Member(id.clone()), &before)?;
                step(turn, &before, &known, member, dossier, &proposal).map(Stepped::Changed)
            })?;
        if let Stepped::Changed(change) = &stepped {
            self.wait_for_back_fill(&Principal::Member(change.member.clone()), last)?;
        }
        Ok(stepped)
    }

    /// Withdraws the step that waits for agreement on a tier.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, and where none waits.
    pub fn withdraw_proposal(
        &self,
        caller: &Caller,
        member: &MemberId,
        tier: &Tier,
    ) -> Result<Proposal, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        let (id, tier, caller) = (member.clone(), tier.clone(), caller.clone());
        let (proposal, _) =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<_, AdminError> {
                still_accepted(turn, &caller)?;
                let mut dossier = turn.registry.dossier(&id);
                let waiting = dossier.proposals.remove(&tier);
                let proposal =
                    waiting.ok_or_else(|| AdminError::Invalid(format!("no step waits on {tier}")))?;
                put_dossier(turn, &id, &dossier)?;
                record_proposal(turn, &proposal, "withdrawn", name_of(&caller))?;
                Ok(proposal)
            })?;
        Ok(proposal)
    }

    /// Changes what the registry says of a member.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, and an identity that is another's.
    pub fn change_member(
        &self,
        caller: &Caller,
        member: &MemberId,
        change: MemberChange,
    ) -> Result<Member, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        let inner = Arc::clone(&self.inner);
        let (by, id, caller) = (name_of(caller), member.clone(), caller.clone());
        let (member, last) =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<Member, AdminError> {
                still_accepted(turn, &caller)?;
                let before = Arc::clone(turn.registry);
                let mut member =
                    before.members.get(&id).cloned().ok_or_else(|| AdminError::NoSuchMember(id.clone()))?;
                check_identity(turn, change.identity.as_deref(), Some(&id))?;
                let principal = Principal::Member(id.clone());
                let known = inner.grants_of(&principal, &before)?;
                member.name = change.name.unwrap_or(member.name);
                member.identity = change.identity.or(member.identity);
                member.subject = change.subject.unwrap_or(member.subject);
                let at = turn.instant(0);
                member.since = at;
                put_member(turn, &member)?;
                turn.begin_epoch();
                turn.reform(&principal, &known, &before, at, &mut Judging::all(&before))?;
                let action = "changed".to_owned();
                turn.record(&Body::Membership(Membership {
                    at: at.to_string(),
                    member: id.to_string(),
                    action,
                    by,
                }))?;
                Ok(member)
            })?;
        self.wait_for_back_fill(&Principal::Member(member.id.clone()), last)?;
        Ok(member)
    }

    /// One member: to the programme's people, and to itself.
    ///
    /// # Errors
    ///
    /// Refuses other members, as if there were none.
    pub fn member(&self, caller: &Caller, member: &MemberId) -> Result<Member, AdminError> {
        let may = caller.role().is_some() || caller.member() == Some(member);
        let registry = self.inner.published.registry();
        let found = registry.members.get(member).filter(|_| may).cloned();
        found.ok_or_else(|| AdminError::NoSuchMember(member.clone()))
    }

    /// Issues a credential. Its secret is in the answer and nowhere else.
    ///
    /// An officer decides on a member and may revoke its credentials, and does not issue them: whoever has one reads as
    /// the member does, and an officer reads no restricted content.
    ///
    /// # Errors
    ///
    /// Refuses all but operators, an unknown member, and a login that is taken.
    pub fn issue_credential(
        &self,
        caller: &Caller,
        new: NewCredential,
    ) -> Result<CredentialSecret, AdminError> {
        require(caller, &[Role::Operator], "an operator")?;
        self.issue(new, name_of(caller), Some(caller))
    }

    /// Issues the first credential of all, for an operator, if there is none yet.
    ///
    /// # Errors
    ///
    /// Fails if nothing could be written.
    pub fn issue_first_credential(&self) -> Result<Option<CredentialSecret>, AdminError> {
        if !self.inner.published.registry().credentials.is_empty() {
            return Ok(None);
        }
        let new = NewCredential {
            principal: Principal::Role(Role::Operator),
            login: Some("operator".to_owned()),
            actions: [Action::Read, Action::Publish, Action::Administer].into(),
            collections: None,
            expires: None,
            note: "the first operator".to_owned(),
            person: None,
            password: None,
        };
        self.issue(new, "the hub's first start".to_owned(), None).map(Some)
    }

    fn issue(
        &self,
        new: NewCredential,
        by: String,
        caller: Option<&Caller>,
    ) -> Result<CredentialSecret, AdminError> {
        let (inner, caller) = (Arc::clone(&self.inner), caller.cloned());
        let (issued, last) =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<_, AdminError> {
                if let Some(caller) = &caller {
                    still_accepted(turn, caller)?;
                }
                check_new(turn.registry, &new)?;
                let id = CredentialId::from_bits(u64::from_le_bytes(turn.random_bytes()));
                let issued = inner.verification.issue(new, id, turn.random_bytes(), turn.now)?;
                if turn.registry.logins.contains_key(&issued.record.login) {
                    return Err(AdminError::Invalid(format!("the login `{}` is taken", issued.record.login)));
                }
                put_credential(turn, &issued.record, "issued", by)?;
                Ok(issued)
            })?;
        self.inner.wait_until(last);
        Ok(issued)
    }

    /// Revokes a credential; it is refused from the next request on.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, and an unknown credential.
    pub fn revoke_credential(
        &self,
        caller: &Caller,
        id: &CredentialId,
    ) -> Result<CredentialRecord, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        let (by, id, caller) = (name_of(caller), id.clone(), caller.clone());
        let (record, _) =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<_, AdminError> {
                still_accepted(turn, &caller)?;
                let known = turn.registry.credentials.get(&id).cloned();
                let mut record = known.ok_or_else(|| AdminError::NoSuchCredential(id.to_string()))?;
                if record.revoked.is_none() {
                    record.revoked = Some(turn.now);
                    put_credential(turn, &record, "revoked", by)?;
                }
                Ok(record)
            })?;
        Ok(record)
    }

    /// The credentials, without their secrets, in the order of their ids: those after `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn credentials(
        &self,
        caller: &Caller,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<CredentialRecord>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let later = registry.credentials.range((from, Bound::Unbounded));
        Ok(later.take(limit).map(|(_, record)| record.clone()).collect())
    }

    /// Answers when the back-fill that a change opened is due, so that the member's next poll has all of it.
    fn wait_for_back_fill(&self, principal: &Principal, last: model::Timestamp) -> Result<(), AdminError> {
        let due = self.inner.end_of_back_fill(principal)?;
        self.inner.wait_until(due.map_or(last, |due| due.max(last)));
        Ok(())
    }
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// It was made.
    Changed(StandingChange),
    /// It waits for other people to agree.
    Proposed(Proposal),
}

/// The proposal that this call makes, or agrees to.
#[expect(clippy::too_many_arguments, reason = "a step is all of these, and nothing else calls it")]
fn agreed(
    registry: &Registry,
    dossier: &Dossier,
    member: &Member,
    tier: &Tier,
    to: Standing,
    reason: &str,
    caller: &Caller,
    now: Timestamp,
) -> Result<Proposal, AdminError> {
    let from = member.standing(tier);
    let grade = dossier.decided.get(tier).map(|decided| decided.grade).unwrap_or_default();
    let needs = procedure::people(from, to, grade, registry.programme().settings().vetting.quorum);
    let waiting = dossier.proposals.get(tier).filter(|waiting| waiting.to == to && waiting.from == from);
    let fresh = || Proposal {
        member: member.id.clone(),
        tier: tier.clone(),
        from,
        to,
        reason: reason.to_owned(),
        at: now,
        agreed: Vec::new(),
        needs,
    };
    let mut proposal = waiting.cloned().unwrap_or_else(fresh);
    proposal.needs = needs;
    people::agree(registry, &mut proposal.agreed, needs, caller, now)?;
    reason.clone_into(&mut proposal.reason);
    Ok(proposal)
}

/// Keeps a proposal until enough people agree.
fn propose(turn: &mut Hand<'_>, dossier: &mut Dossier, proposal: &Proposal) -> Result<(), AdminError> {
    let at = turn.now;
    dossier.proposals.insert(proposal.tier.clone(), proposal.clone());
    put_dossier(turn, &proposal.member, dossier)?;
    let by = proposal.agreed.last().map_or_else(|| THE_RULES.to_owned(), |agreement| agreement.by.clone());
    record_proposal(turn, proposal, "proposed", by)?;
    let text = format!("{} on {}: {} is proposed", proposal.member, proposal.tier, proposal.to);
    alerts::put(turn, &Alert::new("proposal", Some(&proposal.member), text, at))?;
    Ok(())
}

fn record_proposal(
    turn: &mut Hand<'_>,
    proposal: &Proposal,
    action: &str,
    by: String,
) -> Result<(), AdminError> {
    let Proposal { member, tier, from, to, reason, .. } = proposal;
    turn.record(&Body::Vetting(Vetting {
        at: turn.now.to_string(),
        member: Some(member.to_string()),
        action: action.to_owned(),
        subject: format!("{from} to {to} on {tier}: {reason}"),
        by,
        sha256: None,
    }))?;
    Ok(())
}

/// Makes a step to which enough people agreed.
fn step(
    turn: &mut Hand<'_>,
    before: &Arc<Registry>,
    known: &ReaderGrants,
    mut member: Member,
    mut dossier: Dossier,
    proposal: &Proposal,
) -> Result<StandingChange, AdminError> {
    let Proposal { tier, from, to, reason, .. } = proposal.clone();
    let at = turn.instant(0);
    let by = proposal.agreed.iter().map(|agreement| agreement.by.clone()).collect::<Vec<_>>();
    member.standings.insert(tier.clone(), to);
    member.since = at;
    let had_dossier = before.dossiers.contains_key(&member.id);
    let settings = &before.programme().settings().vetting;
    dossier.proposals.remove(&tier);
    dossier.by_rules.remove(&tier);
    leaves_the_list(&mut dossier, &tier, from, to, at, settings.disposal_days);
    if to.is_on_the_list() {
        // Who puts a member on the list has looked at it: a review from before must not take it off again as overdue.
        conclude_review(&mut dossier, &tier, &by, &reason, at);
    } else {
        dossier.overrides.remove(&tier);
    }
    let decided = dossier.decided.get(&tier).cloned();
    if let Some(decided) = decided.as_ref().filter(|decided| procedure::overrides(to, decided.grade)) {
        let (rules, values) = (decided.rules.clone(), decided.values.clone());
        let over = Override { rules, values, by: by.clone(), reason: reason.clone(), at };
        dossier.overrides.insert(tier.clone(), over);
    } else if decided.as_ref().is_some_and(|decided| procedure::place(decided.grade) == to) {
        // People did what the rules say, so the rules may undo it.
        dossier.by_rules.insert(tier.clone());
    }
    put_member(turn, &member)?;
    if had_dossier || dossier != Dossier::default() {
        put_dossier(turn, &member.id, &dossier)?;
    }
    let after = member.clone();
    let epoch = turn.begin_epoch();
    let principal = Principal::Member(member.id.clone());
    turn.reform(&principal, known, before, at, &mut Judging::all(before))?;
    let by = by.join(" and ");
    let change = StandingChange { member: member.id, tier, from, to, by, reason, at };
    record_step(turn, &change, epoch.number(), decided.map(|decided| decided.sha256))?;
    alerts::put(turn, &Alert::stepped(&change))?;
    let closed: Vec<Closed> = Closed::by(&change, &after, &dossier).into_iter().collect();
    notice::tell(turn, &closed)?;
    Ok(change)
}

fn conclude_review(dossier: &mut Dossier, tier: &Tier, by: &[String], reason: &str, at: Timestamp) {
    if let Some(review) = dossier.reviews.get_mut(tier).filter(|review| review.concluded.is_none()) {
        review.concluded = Some(Concluded { at, by: by.join(" and "), reason: reason.to_owned() });
    }
}

/// A request may take its time; what counts is whether the credential holds when the change is made.
pub(crate) fn still_accepted(turn: &Hand<'_>, caller: &Caller) -> Result<(), AdminError> {
    if turn.registry.accepts(caller, turn.now) { Ok(()) } else { Err(AdminError::Revoked) }
}

pub(crate) fn check_tier(turn: &Hand<'_>, tier: &Tier) -> Result<(), AdminError> {
    if turn.registry.programme().tier(tier).is_some() {
        return Ok(());
    }
    let tiers = &turn.registry.programme().settings().tiers;
    let known = tiers.iter().map(|tier| tier.name.as_str()).collect::<Vec<_>>().join(", ");
    Err(AdminError::NoSuchTier { tier: tier.clone(), known })
}

fn check_identity(turn: &Hand<'_>, identity: Option<&str>, own: Option<&MemberId>) -> Result<(), AdminError> {
    let Some(identity) = identity else { return Ok(()) };
    if stix::parse_id(identity).is_err() || !identity.starts_with("identity--") {
        return Err(AdminError::Invalid(format!("`{identity}` is not the id of a STIX identity")));
    }
    match turn.registry.identities.get(identity) {
        Some(owner) if owner.as_ref() != own => {
            Err(AdminError::Invalid(format!("the identity `{identity}` is another's")))
        }
        Some(_) | None => Ok(()),
    }
}

pub(crate) fn put_member(turn: &mut Hand<'_>, member: &Member) -> Result<(), StoreError> {
    put_same_identity(turn, member)?;
    Arc::make_mut(turn.registry).refresh_identities();
    Ok(())
}

/// Writes a member whose STIX identity is what it was; of such, very many may change at once.
pub(crate) fn put_same_identity(turn: &mut Hand<'_>, member: &Member) -> Result<(), StoreError> {
    let before = Past::now(turn.registry, &member.id);
    turn.put_json(MEMBER, member.id.as_str(), member)?;
    let registry = Arc::make_mut(turn.registry);
    Arc::make_mut(&mut registry.members).insert(member.id.clone(), member.clone());
    past::keep(turn, &member.id, &before)
}

/// Whether what a new credential is for is there.
pub(crate) fn check_new(registry: &Registry, new: &NewCredential) -> Result<(), AdminError> {
    if let Principal::Member(member) = &new.principal
        && !registry.members.contains_key(member)
    {
        return Err(AdminError::NoSuchMember(member.clone()));
    }
    if new.person.is_some() && matches!(new.principal, Principal::Member(_)) {
        let message = "a person is named on credentials of the programme's people only";
        return Err(AdminError::Invalid(message.to_owned()));
    }
    let unknown = new.collections.iter().flatten().find(|id| registry.programme().collection(id).is_none());
    unknown.map_or(Ok(()), |id| Err(AdminError::NoSuchCollection(id.to_string())))
}

pub(crate) fn put_credential(
    turn: &mut Hand<'_>,
    record: &CredentialRecord,
    action: &str,
    by: String,
) -> Result<(), AdminError> {
    turn.put_json(CREDENTIAL, record.id.as_str(), record)?;
    let registry = Arc::make_mut(turn.registry);
    Arc::make_mut(&mut registry.credentials).insert(record.id.clone(), record.clone());
    Arc::make_mut(&mut registry.logins).insert(record.login.clone(), record.id.clone());
    certificates::note(&mut registry.certificates, record);
    turn.begin_epoch();
    turn.record(&Body::Credential(Credential {
        at: turn.now.to_string(),
        credential: record.id.to_string(),
        member: record.principal.to_string(),
        action: action.to_owned(),
        by,
    }))?;
    Ok(())
}
