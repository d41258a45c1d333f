//! Recall: the programme withdraws an object, or gives it another label, after it was handed out.
//!
//! Only its creator may change a STIX object, so the programme does not touch the bytes. What it can do, and what
//! the receivers learn:
//!
//! - *withdraw*: the object is gone for everybody. Whoever holds it, by the ledger, gets a notice;
//! - *re-label*: the object is open to another audience or under stricter markings. Whoever holds it and may not have
//!   it any more gets a notice; whoever may have it now gets it, unless it has it already;
//! - if the programme itself created the object, a withdrawal is a new version with `revoked: true`, which is
//!   STIX's own word for it, in every collection and under every label, to everybody who could read the object.
//!
//! A recall reaches every copy in every collection, the objects derived from it, which stand in for it, and whatever refers
//! to it ([`reach`](crate::reach)): a relationship is withheld from those who lose its end. Holders of these are told as well.
//!
//! STIX has no word for "you should no longer have this", so a notice is a `note` by the programme, labelled `recalled`, with
//! the particulars in `x_ringfence_recall`. It goes to the holders by name, in each collection in which they received what
//! is recalled, and names what they hold and nothing else.

mod notices;
mod revoking;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::Body;
use model::{Caller, LabelId, MemberId, Role, Timestamp};
use release::{Audience, Label};
use serde::Serialize;
use store::{Copy, Departure, Mark, StoreError};

use self::revoking::{Revocation, revocations, revoke};
use crate::audit::{Deliveries, Receiver};
use crate::error::AdminError;
use crate::exchange::{Exchange, Hand, Inner, name_of, require};
use crate::members::still_accepted;
use crate::publish::intern;
use crate::reach::{Binding, Moved, derived_ids, follow, ids_within_reach, store_moved};
use crate::sight::depart;
use crate::writer::Instants;

/// What is to become of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecallAction {
    /// Nobody is to have it.
    Withdraw,
    /// It is to have another label; `None` leaves an attribute as it is.
    Relabel {
        /// Who is to have it; an empty set is nobody.
        audience: Option<BTreeSet<MemberId>>,
        /// Its TLP level: 0 CLEAR, 1 GREEN, 2 AMBER, 3 AMBER+STRICT, 4 RED.
        tlp: Option<u8>,
    },
}

impl RecallAction {
    fn done(&self) -> &'static str {
        match self {
            Self::Withdraw => "withdrawn",
            Self::Relabel { .. } => "re-labelled",
        }
    }
}

/// What a recall did.
#[derive(Clone, Debug, Serialize)]
pub struct RecallReport {
    /// The object.
    pub object: String,
    /// How many versions it concerned, in all collections.
    pub versions: usize,
    /// Who had received it.
    pub receivers: Vec<Receiver>,
    /// Who is told by a notice in its next poll, of the object or of what it reached.
    pub told: Vec<String>,
    /// The first notice's id, if there was anyone to tell.
    pub notice: Option<String>,
    /// The ids of all notices. Readers that hold different things get different ones.
    pub notices: Vec<String>,
    /// Whether the object was revoked by a new version, being the programme's own.
    pub revoked: bool,
    /// What the recall reached beside the object, in order of ids.
    pub reached: Vec<Reached>,
}

/// An object that a recall reached because it was derived from the recalled one or refers to it.
#[derive(Clone, Debug, Serialize)]
pub struct Reached {
    /// The object.
    pub object: String,
    /// What became of it: `withdrawn`, `revoked`, or `re-labelled`, which includes being withheld with its end.
    pub action: &'static str,
    /// Who had received it.
    pub receivers: Vec<Receiver>,
}

impl Exchange {
    /// Recalls an object, in every collection and all its versions, with what was derived from it and what refers to it.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and reviewers, and an object that is not there.
    pub fn recall(
        &self,
        caller: &Caller,
        object: &str,
        action: RecallAction,
        reason: &str,
    ) -> Result<RecallReport, AdminError> {
        require(caller, &[Role::Operator, Role::Reviewer], "an operator or a reviewer")?;
        if reason.trim().is_empty() {
            return Err(AdminError::Invalid("a recall needs a reason".to_owned()));
        }
        let inner = Arc::clone(&self.inner);
        let order =
            Order { by: name_of(caller), object: object.to_owned(), action, reason: reason.to_owned() };
        // The ledger is long: most of it is read before the writer's turn, so that nobody waits for that.
        let mut deliveries = inner.deliveries_within_reach(object)?;
        let caller = caller.clone();
        let (report, last) =
            self.inner.writer.decide(Instants::Alone, move |turn| -> Result<_, AdminError> {
                still_accepted(turn, &caller)?;
                let positions = positions_within_reach(turn, &order.object)?;
                deliveries.bring_up(inner.store.snapshot()?.as_ref(), positions)?;
                Recalling::begin(&inner, turn, &order, &deliveries)?.run()
            })?;
        self.inner.wait_until(last);
        Ok(report)
    }
}

impl Inner {
    fn deliveries_within_reach(&self, object: &str) -> Result<Deliveries, AdminError> {
        let id = object.to_owned();
        let (positions, _) = self.writer.decide(Instants::None, move |turn| -> Result<_, AdminError> {
            Ok(positions_within_reach(turn, &id)?)
        })?;
        Ok(Deliveries::find(&self.spans, self.store.snapshot()?.as_ref(), positions)?)
    }
}

fn positions_within_reach(turn: &Hand<'_>, object: &str) -> Result<Vec<store::Position>, StoreError> {
    let mut positions = Vec::new();
    for id in ids_within_reach(turn, object)? {
        positions.extend(turn.tx().find(&id)?.iter().map(Copy::position));
    }
    Ok(positions)
}

/// A recall as it was ordered.
struct Order {
    by: String,
    object: String,
    action: RecallAction,
    reason: String,
}

/// A recall on its way.
struct Recalling<'r, 't, 'h> {
    inner: &'r Inner,
    turn: &'t mut Hand<'h>,
    order: &'r Order,
    deliveries: &'r Deliveries,
    at: Timestamp,
    /// All copies of the object and those that are here.
    copies: Vec<Copy>,
    current: Vec<Copy>,
    /// The objects derived from it, by id, with the copies that are here.
    derived: BTreeMap<String, Vec<Copy>>,
    moved: Moved,
    gone: BTreeSet<String>,
    revoked: BTreeSet<String>,
}

impl<'r, 't, 'h> Recalling<'r, 't, 'h> {
    fn begin(
        inner: &'r Inner,
        turn: &'t mut Hand<'h>,
        order: &'r Order,
        deliveries: &'r Deliveries,
    ) -> Result<Self, AdminError> {
        let is_here = |copy: &Copy| copy.left.is_none();
        let copies = turn.tx().find(&order.object)?;
        let current: Vec<Copy> = copies.iter().filter(|copy| is_here(copy)).cloned().collect();
        if current.is_empty() {
            return Err(AdminError::NoSuchObject(order.object.clone()));
        }
        let mut derived = BTreeMap::new();
        for id in derived_ids(turn, &copies)? {
            let copies: Vec<Copy> = turn.tx().find(&id)?.into_iter().filter(is_here).collect();
            if !copies.is_empty() && id != order.object {
                derived.insert(id, copies);
            }
        }
        let at = turn.instant(0);
        let (moved, gone, revoked) = (Moved::new(), BTreeSet::new(), BTreeSet::new());
        Ok(Self { inner, turn, order, deliveries, at, copies, current, derived, moved, gone, revoked })
    }

    fn run(mut self) -> Result<RecallReport, AdminError> {
        match &self.order.action {
            RecallAction::Withdraw => self.withdraw()?,
            RecallAction::Relabel { audience, tlp } => self.relabel(audience.as_ref(), *tlp)?,
        }
        let mut changed = self.gone.clone();
        changed.extend(self.moved.values().map(|(_, copy)| copy.head.id.clone()));
        follow(self.turn, &changed, &mut self.moved, Binding::Always, self.at)?;
        self.moved.retain(|_, (label, copy)| copy.run.id.label != *label);
        store_moved(self.turn, &self.moved, Some(self.deliveries))?;
        let losses = self.losses()?;
        let told = losses.keys().map(ToString::to_string).collect();
        let notices = self.notify(&losses)?;
        let reached = self.reached()?;
        self.record(&reached)?;
        // A page that was chosen before is chosen again.
        self.turn.begin_epoch();
        Ok(RecallReport {
            object: self.order.object.clone(),
            versions: self.current.len(),
            receivers: self.deliveries.receivers(&self.copies),
            told,
            notice: notices.first().cloned(),
            notices,
            revoked: self.revoked.contains(&self.order.object),
            reached,
        })
    }

    fn withdraw(&mut self) -> Result<(), StoreError> {
        let mut targets = vec![(self.order.object.clone(), self.current.clone())];
        targets.extend(self.derived.clone());
        for (id, current) in targets {
            let Revocation { sources, others } = revocations(self.turn, current)?;
            if !sources.is_empty() {
                revoke(self.turn, &id, sources)?;
                self.revoked.insert(id.clone());
            }
            for copy in &others {
                let left = Some((self.at, Departure::Gone));
                self.turn.write().mark(Mark { position: copy.position(), left })?;
                depart(self.turn, copy.run.id.label, None, self.at)?;
                self.gone.insert(id.clone());
            }
        }
        Ok(())
    }

    fn relabel(&mut self, audience: Option<&BTreeSet<MemberId>>, tlp: Option<u8>) -> Result<(), StoreError> {
        let mut wholes: BTreeMap<LabelId, LabelId> = BTreeMap::new();
        for copy in self.current.clone() {
            let registry = Arc::clone(self.turn.registry);
            let Some(old) = registry.labels.label(copy.run.id.label) else { continue };
            let new = relabelled(old, audience, tlp);
            // A derived object names the label of the whole, without the ends that this one has by now.
            if let Some(whole) = registry.labels.find(&without_ends(old)) {
                wholes.insert(whole, intern(self.turn, &without_ends(&new), self.at)?);
            }
            let label = intern(self.turn, &new, self.at)?;
            self.moved.insert(copy.position(), (label, copy));
        }
        for copy in self.derived.values().flatten().cloned().collect::<Vec<_>>() {
            let registry = Arc::clone(self.turn.registry);
            let Some(old) = registry.labels.label(copy.run.id.label) else { continue };
            let mut new = relabelled(old, audience, tlp);
            new.unless = old.unless.map(|whole| wholes.get(&whole).copied().unwrap_or(whole));
            let label = intern(self.turn, &new, self.at)?;
            self.moved.insert(copy.position(), (label, copy));
        }
        Ok(())
    }

    /// What became of everything but the object itself.
    fn reached(&self) -> Result<Vec<Reached>, StoreError> {
        let mut actions: BTreeMap<&str, &'static str> = BTreeMap::new();
        actions.extend(self.moved.values().map(|(_, copy)| (copy.head.id.as_str(), "re-labelled")));
        actions.extend(self.gone.iter().map(|id| (id.as_str(), "withdrawn")));
        actions.extend(self.revoked.iter().map(|id| (id.as_str(), "revoked")));
        actions.remove(self.order.object.as_str());
        let reached = actions.into_iter().map(|(id, action)| {
            let receivers = self.deliveries.receivers(&self.turn.tx().find(id)?);
            Ok(Reached { object: id.to_owned(), action, receivers })
        });
        reached.collect()
    }

    /// The ledger's entries: one for each version of the object, and one for each object that was reached.
    fn record(&mut self, reached: &[Reached]) -> Result<(), StoreError> {
        let Order { by, object, action, reason } = self.order;
        let entry = |object: &str, version: &str, action: &str, reason: String| {
            Body::Recall(ledger::entry::Recall {
                at: self.at.to_string(),
                by: by.clone(),
                object: object.to_owned(),
                version: version.to_owned(),
                action: action.to_owned(),
                reason,
            })
        };
        let action = if self.revoked.contains(object) { "revoked" } else { action.done() };
        let mut entries: Vec<Body> = Vec::new();
        for copy in &self.current {
            entries.push(entry(object, &copy.head.version, action, reason.clone()));
        }
        for Reached { object: with, action, .. } in reached {
            let why = if self.derived.contains_key(with) { "derived from" } else { "it refers to" };
            entries.push(entry(with, "", action, format!("{why} {object}: {reason}")));
        }
        for entry in &entries {
            self.turn.record(entry)?;
        }
        Ok(())
    }
}

fn relabelled(old: &Label, audience: Option<&BTreeSet<MemberId>>, tlp: Option<u8>) -> Label {
    let mut new = old.clone();
    if let Some(audience) = audience {
        new.audience = Audience::Named(audience.clone());
    }
    if let Some(tlp) = tlp {
        new.demands.tlp = Some(tlp);
    }
    new
}

fn without_ends(label: &Label) -> Label {
    Label { ends: BTreeSet::new(), ..label.clone() }
}
