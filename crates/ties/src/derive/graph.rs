//! Ties as the derivation reads them: who is behind them by number, and of their kinds only what bears on holdings.

use std::rc::Rc;

use crate::{
    Appointment, Day, Direction, EntityId, EntityKind, Fraction, Holding, PartyRole, Share, TieId, TieKind,
    Truth,
};

/// Where a derivation gets its ties. Entities and ties have numbers; which, is up to the implementation.
pub(super) trait Graph {
    /// The ties to an entity that bear on holdings, in the order of their numbers.
    fn ins(&mut self, entity: u32) -> Vec<In>;

    /// The same, of an entity that is looked at while the register of another one is made, perhaps many times.
    fn ins_again(&mut self, entity: u32) -> Rc<[In]> {
        self.ins(entity).into()
    }

    /// What is said of an entity.
    fn about(&mut self, entity: u32) -> About;

    /// The concerts that an entity is in.
    fn concerts(&mut self, entity: u32) -> Vec<(u32, Truth)>;

    /// Whether a tie of that name holds, or may.
    fn holds(&mut self, tie: &TieId) -> bool;
}

/// What of an entity bears on holdings.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub(super) kind: EntityKind,
    pub(super) register_complete: bool,
    pub(super) own_shares_vote: bool,
    pub(super) dissolved: Truth,
}

impl About {
    /// What bears on holdings of what is said of an entity, if anything is, on a day.
    #[must_use]
    pub fn of(entity: Option<&crate::Entity>, day: Day) -> Self {
        Self {
            kind: entity.map_or(EntityKind::Unknown, |entity| entity.kind),
            register_complete: entity.and_then(|entity| entity.register_complete) == Some(true),
            own_shares_vote: entity.and_then(|entity| entity.own_shares_vote) == Some(true),
            dissolved: entity.and_then(|e| e.dissolved).map_or(Truth::No, |date| date.has_come(day)),
        }
    }
}

/// A tie that runs to an entity.
#[derive(Clone, Debug)]
pub(super) struct In {
    pub(super) tie: u32,
    pub(super) name: Option<TieId>,
    pub(super) holder: u32,
    pub(super) document: u32,
    pub(super) truth: Truth,
    pub(super) link: Link,
}

/// What of a tie's kind bears on holdings.
#[derive(Clone, Debug)]
pub(super) enum Link {
    /// Shares, with votes and money filled in where they were left out.
    Shares { votes: Share, money: Share },
    /// The sum of a chain of shares, and the ties of the chain where they are named.
    Summary { votes: Share, money: Share, components: Vec<TieId> },
    /// A right that controls by itself.
    Right,
    /// Something that may control and may not.
    Influence,
    /// The ultimate parent: the sum of a chain of parents.
    Ultimate,
    /// A part in an arrangement.
    Party(PartyRole),
    /// The votes that it would hold after what is planned, and what would end then.
    Prospect { votes: Share, ends: Vec<TieId> },
}

impl In {
    /// What it holds in shares: votes and money.
    pub(super) fn shares(&self) -> Option<(&Self, Share, Share)> {
        let Link::Shares { votes, money } = self.link else { return None };
        Some((self, votes, money))
    }

    /// What it would hold after what is planned.
    pub(super) fn prospect(&self) -> Option<(Share, &[TieId])> {
        let Link::Prospect { votes, ends } = &self.link else { return None };
        Some((*votes, ends))
    }

    /// How far it gives control by right.
    pub(super) fn right(&self) -> Option<Truth> {
        match self.link {
            Link::Right => Some(self.truth),
            Link::Influence => Some(self.truth.min(Truth::Possible)),
            Link::Shares { .. }
            | Link::Summary { .. }
            | Link::Ultimate
            | Link::Party(_)
            | Link::Prospect { .. } => None,
        }
    }
}

/// Which ties of the future count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Outlook {
    /// None: what is held is held.
    #[default]
    AsHeld,
    /// Options, convertibles and plans count as if they had been carried out (R6).
    Prospective,
}

/// Reads a tie: what is held by it, and by whom if not by whom it runs from. `None` if it does not bear on holdings.
pub(super) fn read(kind: &TieKind, outlook: Outlook, day: Day) -> Option<(Link, Option<&EntityId>)> {
    let link = match kind {
        TieKind::Holds(holding) => {
            // Held in name only: votes and money are the nominator's.
            return Some((shares(holding), holding.nominator.as_ref()));
        }
        TieKind::MayAcquire { votes, window } => {
            let over = window.to.is_some_and(|to| to.has_come(day) == Truth::Certain);
            if over || outlook == Outlook::AsHeld {
                return None;
            }
            Link::Prospect { votes: *votes, ends: Vec::new() }
        }
        TieKind::Plans(plan) => {
            let votes = plan.votes.filter(|_| outlook == Outlook::Prospective)?;
            Link::Prospect { votes, ends: plan.ends.clone() }
        }
        TieKind::Appoints(right) if appoints_majority(right) => Link::Right,
        TieKind::Directs { by: Direction::Influence } | TieKind::Lends { directs: true, .. } => {
            Link::Influence
        }
        TieKind::Directs { .. } | TieKind::Consolidates { ultimate: false } => Link::Right,
        TieKind::Consolidates { ultimate: true } => Link::Ultimate,
        TieKind::PartyTo { role } => Link::Party(*role),
        TieKind::Appoints(_)
        | TieKind::Venture
        | TieKind::Serves { .. }
        | TieKind::Seconds
        | TieKind::Licenses { .. }
        | TieKind::Contracts { .. }
        | TieKind::Supplies { .. }
        | TieKind::Lends { .. }
        | TieKind::Pays { .. }
        | TieKind::Grants { .. }
        | TieKind::Equips { .. }
        | TieKind::Governs { .. }
        | TieKind::Family
        | TieKind::Associates { .. }
        | TieKind::Succeeds => return None,
    };
    Some((link, None))
}

fn shares(holding: &Holding) -> Link {
    let votes = holding.votes.or(holding.money).unwrap_or(Share::UNKNOWN);
    let money = holding.money.unwrap_or(Share::UNKNOWN);
    if holding.indirect || !holding.components.is_empty() {
        return Link::Summary { votes, money, components: holding.components.clone() };
    }
    Link::Shares { votes, money }
}

/// Whether it is a right to more than half of the seats, with a vote on them.
fn appoints_majority(right: &Appointment) -> bool {
    let counted = right.seats.zip(right.of).is_some_and(|(seats, of)| {
        Fraction::new(u64::from(seats), u64::from(of)).is_ok_and(|part| part > Fraction::HALF)
    });
    !right.observer && right.majority.unwrap_or(counted)
}
