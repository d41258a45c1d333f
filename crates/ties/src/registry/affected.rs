//! Whose facts a statement may change.
//!
//! The facts of an entity are computed from these ties and from nothing else, whatever the rule:
//!
//! 1. what lies upstream of it, and the lists that name somebody there;
//! 2. its partners, that is, whoever has a tie of any kind with it, and what lies upstream of them;
//! 3. the same of everything downstream of it, which counts as its own;
//! 4. the other posts and relatives of those who serve it.
//!
//! To which country somebody belongs may stand in its description. Whom the naming of a *state* by a list concerns is
//! therefore not to be found here: it may be anybody.
//!
//! So a changed tie from `f` to `t` can matter to whoever is upstream of a partner of something downstream of `t`; and
//! `f` is a partner of `t`. Statements of all times and all degrees of truth are followed, retracted ones too:
//! the answer holds on every day, and may name more than who moved, never fewer.

use std::collections::BTreeSet;

use hashbrown::HashSet;

use super::Registry;
use super::log::{Log, Row};
use crate::encode::Tag;
use crate::{EntityId, Said, Statement, TieKind};

/// Everyone whose facts may differ for some statements. They may be half a register, so they are named when asked for.
#[derive(Debug)]
pub struct Affected<'r> {
    log: &'r Log,
    entities: Reached,
}

impl Affected<'_> {
    /// Whether an entity is among them, by this identifier.
    #[must_use]
    pub fn contains(&self, id: &EntityId) -> bool {
        self.log.entities.find(id.as_str().as_bytes()).is_some_and(|entity| self.entities.has(entity))
    }

    /// All of them, in the order of their identifiers.
    pub fn iter(&self) -> impl Iterator<Item = EntityId> {
        let name = |entity: &u32| EntityId::stored(self.log.entities.text(*entity));
        let mut ids: Vec<EntityId> = self.entities.order.iter().map(name).collect();
        ids.sort_unstable();
        ids.into_iter()
    }
}

impl Registry {
    /// Everyone whose facts may differ for these statements. Ask after they were added.
    #[must_use]
    pub fn affected_by(&self, statements: &[Statement]) -> Affected<'_> {
        let mut change = Change { log: &self.log, towards: Vec::new(), beside: Vec::new() };
        for statement in statements {
            change.statement(statement);
        }
        Affected { log: &self.log, entities: change.affected() }
    }
}

struct Change<'r> {
    log: &'r Log,
    /// Entities upon whom something changed.
    towards: Vec<u32>,
    /// Entities that share somebody who serves them with those.
    beside: Vec<u32>,
}

impl Change<'_> {
    fn statement(&mut self, statement: &Statement) {
        match &statement.said {
            Said::Entity(entity) => self.entity(&entity.id),
            Said::Tie(tie) => self.named(tie.id.as_str()),
            Said::End(end) => self.named(end.tie.as_str()),
            Said::Listing(listing) => self.named(listing.id.as_str()),
            Said::Same { kept, merged, .. } => {
                self.entity(kept);
                self.entity(merged);
            }
            Said::Retraction { of, .. } => self.retracted(of.as_str()),
        }
    }

    fn entity(&mut self, id: &EntityId) {
        if let Some(entity) = self.log.entities.find(id.as_str().as_bytes()) {
            self.described(entity);
        }
    }

    /// What an arrangement is decides what its parties do elsewhere.
    fn described(&mut self, entity: u32) {
        self.towards.push(entity);
        self.towards.extend(holders(self.log, entity));
    }

    /// A tie or listing, wherever it ran at any time.
    fn named(&mut self, id: &str) {
        if let Some(tie) = self.log.ties.find(id.as_bytes()) {
            self.tie(tie);
        }
    }

    fn tie(&mut self, tie: u32) {
        for number in self.log.of_tie(tie) {
            let row = self.log.row(number);
            match row.tag {
                Tag::Tie => self.ends(row, &self.log.kind(number)),
                Tag::Listing => self.towards.push(row.first),
                Tag::Entity | Tag::End | Tag::Same | Tag::Retraction => {}
            }
        }
        // Whoever has a holding that sums this one up counts it while this one is unknown.
        for &summary in self.log.summaries.get(&tie).into_iter().flatten() {
            for number in self.log.of_tie(summary) {
                let row = self.log.row(number);
                if row.tag == Tag::Tie {
                    self.towards.push(row.second);
                }
            }
        }
    }

    fn ends(&mut self, row: &Row, kind: &TieKind) {
        // Whoever the tie runs from is a partner of whoever it runs to, and is found as one.
        self.towards.push(row.second);
        match kind {
            // Membership in a concert counts in whatever the members hold.
            TieKind::PartyTo { .. } => self.towards.push(row.first),
            // Who serves two houses ties them.
            TieKind::Serves { .. } | TieKind::Seconds | TieKind::Family | TieKind::Associates { .. } => {
                self.beside.extend(partners(self.log, row.first));
            }
            TieKind::Holds(_)
            | TieKind::MayAcquire { .. }
            | TieKind::Appoints(_)
            | TieKind::Directs { .. }
            | TieKind::Consolidates { .. }
            | TieKind::Venture
            | TieKind::Licenses { .. }
            | TieKind::Contracts { .. }
            | TieKind::Supplies { .. }
            | TieKind::Lends { .. }
            | TieKind::Pays { .. }
            | TieKind::Grants { .. }
            | TieKind::Equips { .. }
            | TieKind::Governs { .. }
            | TieKind::Succeeds
            | TieKind::Plans(_) => {}
        }
    }

    /// Whatever the retracted statement was about; of a retraction of a retraction, what that one was about.
    fn retracted(&mut self, of: &str) {
        let mut name = self.log.names.find(of.as_bytes());
        let mut seen = BTreeSet::new();
        while let Some(number) =
            name.take().filter(|name| seen.insert(*name)).and_then(|n| self.log.newest(n))
        {
            let row = *self.log.row(number);
            match row.tag {
                Tag::Entity => self.described(row.first),
                Tag::Tie | Tag::End | Tag::Listing => self.tie(row.tie),
                Tag::Same => {
                    self.described(row.first);
                    self.described(row.second);
                }
                Tag::Retraction => name = Some(row.first),
            }
        }
    }

    fn affected(self) -> Reached {
        let log = self.log;
        let mut below = Reached::default();
        below.add(self.towards);
        below.close(|entity| aliases(log, entity).chain(held(log, entity)));
        let mut near = Reached::default();
        near.add(below.order.iter().flat_map(|&entity| partners(log, entity)));
        near.add(below.order);
        near.add(self.beside);
        near.close(|entity| aliases(log, entity).chain(holders(log, entity)));
        near
    }
}

/// What is reached by steps, each once.
#[derive(Debug, Default)]
struct Reached {
    seen: HashSet<u32>,
    order: Vec<u32>,
}

impl Reached {
    fn has(&self, entity: u32) -> bool {
        self.seen.contains(&entity)
    }

    fn add(&mut self, entities: impl IntoIterator<Item = u32>) {
        let Self { seen, order } = self;
        order.extend(entities.into_iter().filter(|&entity| seen.insert(entity)));
    }

    /// Adds whatever is reached from what is here.
    fn close<I: Iterator<Item = u32>>(&mut self, step: impl Fn(u32) -> I) {
        let mut next = 0;
        while let Some(&entity) = self.order.get(next) {
            next += 1;
            self.add(step(entity));
        }
    }
}

/// The identifiers that some statement joins with it.
fn aliases(log: &Log, entity: u32) -> impl Iterator<Item = u32> {
    log.same_as(entity).map(|row| log.row(row)).flat_map(|row| [row.first, row.second])
}

/// Whatever it holds, controls or is a party to, in its own name or another's.
fn held(log: &Log, entity: u32) -> impl Iterator<Item = u32> {
    let in_another_name = log.nominated.get(&entity).into_iter().flatten();
    let rows = in_another_name.flat_map(|&tie| log.of_tie(tie)).chain(log.out_of(entity));
    rows.filter(|&row| carries(log, row)).map(|row| log.row(row).second)
}

/// Whoever holds it, controls it or is a party to it, with those for whom they do.
fn holders(log: &Log, entity: u32) -> impl Iterator<Item = u32> {
    let rows = log.into(entity).filter(|&row| carries(log, row));
    rows.flat_map(|row| {
        let kind = log.kind(row);
        let nominator = if let TieKind::Holds(holding) = &kind { holding.nominator.as_ref() } else { None };
        let nominator = nominator.and_then(|id| log.entities.find(id.as_str().as_bytes()));
        [Some(log.row(row).first), nominator].into_iter().flatten()
    })
}

/// Whoever has a tie of any kind with it.
fn partners(log: &Log, entity: u32) -> Vec<u32> {
    let to = log.out_of(entity).map(|row| log.row(row).second);
    to.chain(log.into(entity).map(|row| log.row(row).first)).chain(holders(log, entity)).collect()
}

/// Whether a row is a tie that bears on who holds or controls.
fn carries(log: &Log, row: u32) -> bool {
    if log.row(row).tag != Tag::Tie {
        return false;
    }
    match log.kind(row) {
        TieKind::Holds(_)
        | TieKind::MayAcquire { .. }
        | TieKind::Appoints(_)
        | TieKind::Directs { .. }
        | TieKind::Consolidates { .. }
        | TieKind::PartyTo { .. }
        | TieKind::Lends { .. }
        | TieKind::Plans(_) => true,
        TieKind::Venture
        | TieKind::Serves { .. }
        | TieKind::Seconds
        | TieKind::Licenses { .. }
        | TieKind::Contracts { .. }
        | TieKind::Supplies { .. }
        | TieKind::Pays { .. }
        | TieKind::Grants { .. }
        | TieKind::Equips { .. }
        | TieKind::Governs { .. }
        | TieKind::Family
        | TieKind::Associates { .. }
        | TieKind::Succeeds => false,
    }
}
