//! What the registry amounts to on a day, as known at an instant.
//!
//! A [`Picture`] answers for one entity at a time by looking at that entity's statements only, so a question about
//! one company costs what lies upstream of it, however large the registry is. Everything that judges (`vetting`)
//! reads ties through this trait and never through the log.

use std::sync::Arc;

use crate::derive::About;
use crate::{Day, Entity, EntityId, ListId, Listing, Source, StatementId, Tie, TieId, TieKind, Truth};
use model::Timestamp;

/// On which day, as known when: the two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AsOf {
    /// The day that is asked about (valid time).
    pub day: Day,
    /// What was recorded later does not count (recorded time).
    pub known: Timestamp,
}

impl AsOf {
    /// The day of an instant, as known at that instant: "now", for a `now` that was handed in.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { day: Day::of(now), known: now }
    }
}

/// A tie as it stands in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownTie {
    /// The tie, as last stated.
    pub tie: Tie,
    /// The statement that speaks for it.
    pub statement: StatementId,
    /// By whom it was made.
    pub source: Arc<Source>,
    /// Whether it holds: possible where dates are imprecise or the source is of low confidence.
    pub truth: Truth,
    /// Where an end was announced and not completed: the statement that announced it.
    pub announced_end: Option<StatementId>,
    /// Where one document says that it ended and another one, recorded later, that it holds: the statement of the
    /// end. Such a tie is possible, not certain.
    pub disputed_end: Option<StatementId>,
}

/// A listing as it stands in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownListing {
    /// The listing.
    pub listing: Listing,
    /// The statement that speaks for it.
    pub statement: StatementId,
    /// By whom it was made.
    pub source: Arc<Source>,
    /// Whether it is in force.
    pub truth: Truth,
}

/// The ties as of a day, as known at an instant.
///
/// Identifiers that were declared the same are one: every method takes any of them and answers for all, and every tie
/// is given with the identifiers that stay. Ties that certainly do not hold are left out. Everything is in the order
/// of the identifiers.
pub trait Picture {
    /// The two clocks' position.
    fn as_of(&self) -> AsOf;

    /// The identifier that `id` goes by: itself, unless it was merged into another.
    fn canonical(&self, id: &EntityId) -> EntityId;

    /// What is said of the entity, all sources put together; `None` if no statement describes it.
    fn entity(&self, id: &EntityId) -> Option<Entity>;

    /// What of it bears on holdings. Every entity of a cone is asked for it, so a picture may remember.
    fn about(&self, id: &EntityId) -> About {
        About::of(self.entity(id).as_ref(), self.as_of().day)
    }

    /// The ties that run to it: who has influence on it.
    fn ties_into(&self, id: &EntityId) -> Vec<KnownTie>;

    /// Shows each of them, which a picture that remembers them need not copy for that.
    fn each_tie_into(&self, id: &EntityId, see: &mut dyn FnMut(&KnownTie)) {
        self.ties_into(id).iter().for_each(see);
    }

    /// The ties that run from it: on whom it has influence.
    fn ties_out_of(&self, id: &EntityId) -> Vec<KnownTie>;

    /// Those ties that run from it by which it is a party to an arrangement: a trust, a nomination, a concert.
    fn arrangements(&self, id: &EntityId) -> Vec<KnownTie> {
        let mut ties = self.ties_out_of(id);
        ties.retain(|known| matches!(known.tie.kind, TieKind::PartyTo { .. }));
        ties
    }

    /// One tie.
    fn tie(&self, id: &TieId) -> Option<KnownTie>;

    /// The lists that name it.
    fn listings(&self, id: &EntityId) -> Vec<KnownListing>;

    /// Whom a list names.
    fn listed_on(&self, list: &ListId) -> Vec<KnownListing>;

    /// Every list that names anybody.
    fn lists(&self) -> Vec<ListId>;
}
