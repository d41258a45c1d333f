//! Everything upstream of one entity.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use serde::Serialize;

use super::Options;
use super::lay::{Basis, Measure};
use super::register::What;
use super::registers::{Made, Places, Registers, Side, WAY, place};
use crate::kernel::{self, Builder, Holdings, Node};
use crate::{EntityId, Picture, Share, TieId};

/// An edge of a graph, with the ties that say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Who holds.
    pub holder: Node,
    /// What.
    pub company: Node,
    /// How much of it.
    pub share: Share,
    /// By what.
    pub basis: Basis,
    /// The ties behind it; none for a way, which is no tie.
    pub ties: Arc<[TieId]>,
}

/// Something that a person should look at, and that the arithmetic has taken care of as [`What`] tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Irregularity {
    /// What.
    pub what: What,
    /// In whose register.
    pub company: EntityId,
    /// About whom, if it is about one holder.
    pub holder: Option<EntityId>,
    /// By which ties.
    pub ties: Vec<TieId>,
}

/// Everything upstream of one entity, ready to be counted.
///
/// Node 0 is the entity that was asked about. Nodes up to the number of entities are entities; those beyond are ways
/// of controlling one, and [`entity`](Self::entity) tells of which.
#[derive(Clone, Debug)]
pub struct Cone {
    entities: Vec<EntityId>,
    /// What the [`Registers`] call them.
    shared: Vec<u32>,
    numbers: OnceLock<HashMap<EntityId, Node>>,
    ways: Vec<Node>,
    control: Holdings,
    money: Holdings,
    control_edges: Edges,
    money_edges: Edges,
    /// What a person should look at, in order.
    pub irregularities: Vec<Irregularity>,
    is_open_end: Vec<bool>,
    /// Whether a limit was met, so that more may lie upstream.
    pub cut_short: bool,
}

/// The edges of one measure.
#[derive(Clone, Debug)]
struct Edges {
    /// In the order of company and holder.
    edges: Vec<Edge>,
    /// Where those of each company begin; one more for the end.
    starts: Vec<u32>,
}

impl Edges {
    fn new(edges: Vec<Edge>, nodes: usize) -> Self {
        let mut starts = vec![0; nodes + 1];
        for edge in &edges {
            starts[edge.company as usize + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        Self { edges, starts }
    }

    fn of(&self, company: Node) -> &[Edge] {
        let company = company as usize;
        match (self.starts.get(company), self.starts.get(company + 1)) {
            (Some(&start), Some(&end)) => &self.edges[start as usize..end as usize],
            _ => &[],
        }
    }
}

impl Cone {
    /// Walks upstream from an entity. Whoever asks about several of one picture keeps [`Registers`].
    #[must_use]
    pub fn upstream<P: Picture + ?Sized>(picture: &P, entity: &EntityId, options: &Options) -> Self {
        Registers::new(*options).cone(picture, entity, options.limits)
    }

    /// Puts registers side by side: that of each entity, as far as they were looked at, in order.
    pub(super) fn of(
        entities: Vec<EntityId>,
        shared: Vec<u32>,
        registers: &[Arc<Made>],
        places: &mut Places,
    ) -> Self {
        let all = entities.len();
        let mut is_open_end: Vec<bool> = registers.iter().map(|made| made.is_open_end).collect();
        is_open_end.resize(all, true);
        let ways_of = |(company, made): (Node, &Arc<Made>)| (0..made.ways).map(move |_| company);
        let ways: Vec<Node> = (0..).zip(registers).flat_map(ways_of).collect();
        let edges = |side: fn(&Made) -> &Side| registers.iter().map(|made| side(made).edges.len()).sum();
        let mut control = Drawing::new(all + ways.len(), edges(|made| &made.control));
        let mut money = Drawing::new(all, edges(|made| &made.money));
        let (mut irregularities, mut nodes) = (Vec::new(), Vec::new());
        let (mut first_way, mut known) = (all, shared);
        for (company, made) in registers.iter().enumerate() {
            nodes.clear();
            // INVARIANT: everybody who came up in a register has a place in the cone already.
            nodes.extend(made.named.iter().map(|&number| places.of(number, &mut known)));
            let node = |at: u32| {
                if at & WAY == 0 { nodes[at as usize] } else { place(first_way) + (at ^ WAY) }
            };
            control.draw(&made.control, &node);
            money.draw(&made.money, &node);
            irregularities.extend(made.notes.iter().map(|note| Irregularity {
                what: note.what,
                company: entities[company].clone(),
                holder: Some(entities[nodes[note.holder as usize] as usize].clone()),
                ties: note.ties.clone(),
            }));
            first_way += made.ways as usize;
        }
        let (control, control_edges) = control.finish(all + ways.len());
        let (money, money_edges) = money.finish(all);
        let cut_short = registers.len() < all;
        let numbers = OnceLock::new();
        let mut cone = Self {
            entities,
            shared: known,
            numbers,
            ways,
            control,
            money,
            control_edges,
            money_edges,
            irregularities,
            is_open_end,
            cut_short,
        };
        cone.judge_registers();
        cone
    }

    /// The graph of a measure.
    #[must_use]
    pub fn holdings(&self, measure: Measure) -> &Holdings {
        match measure {
            Measure::Control => &self.control,
            Measure::Money => &self.money,
        }
    }

    /// The node of an entity, by the identifier that stays.
    #[must_use]
    pub fn node(&self, entity: &EntityId) -> Option<Node> {
        let number = || (0..).zip(&self.entities).map(|(node, id)| (id.clone(), node)).collect();
        self.numbers.get_or_init(number).get(entity).copied()
    }

    /// The entity of a node, or whose way it is.
    #[must_use]
    pub fn entity(&self, node: Node) -> Option<&EntityId> {
        let way = (node as usize).checked_sub(self.entities.len());
        let node = way.map_or(Some(node), |way| self.ways.get(way).copied())?;
        self.entities.get(node as usize)
    }

    /// Whether a node is no entity, but a way of controlling one.
    #[must_use]
    pub fn is_way(&self, node: Node) -> bool {
        node as usize >= self.entities.len()
    }

    /// The entities, the one that was asked about first.
    #[must_use]
    pub fn entities(&self) -> &[EntityId] {
        &self.entities
    }

    /// What the [`Registers`] that it was taken from call the entities, in the same order.
    #[must_use]
    pub fn shared_numbers(&self) -> &[u32] {
        &self.shared
    }

    /// Whether a node is an entity that somebody must own, and of which no holder is known. What lies above it is
    /// unknown, which is not nothing.
    #[must_use]
    pub fn is_open_end(&self, node: Node) -> bool {
        self.is_open_end.get(node as usize).is_some_and(|is_open| *is_open)
    }

    /// Those entities, in the order of their names.
    #[must_use]
    pub fn open_ends(&self) -> Vec<&EntityId> {
        let ends = self.entities.iter().zip(&self.is_open_end).filter(|(_, is_open)| **is_open);
        let mut ends: Vec<&EntityId> = ends.map(|(entity, _)| entity).collect();
        ends.sort_unstable();
        ends
    }

    /// All edges of a measure, in the order of company and holder.
    #[must_use]
    pub fn edges(&self, measure: Measure) -> &[Edge] {
        match measure {
            Measure::Control => &self.control_edges.edges,
            Measure::Money => &self.money_edges.edges,
        }
    }

    /// The edges into a node, in the order of the holders.
    #[must_use]
    pub fn edges_into(&self, measure: Measure, company: Node) -> &[Edge] {
        match measure {
            Measure::Control => self.control_edges.of(company),
            Measure::Money => self.money_edges.of(company),
        }
    }

    /// The edges from a holder to a company: one, unless it holds in several ways.
    #[must_use]
    pub fn edges_between(&self, measure: Measure, holder: Node, company: Node) -> &[Edge] {
        let edges = self.edges_into(measure, company);
        let edges = &edges[edges.partition_point(|edge| edge.holder < holder)..];
        let length = edges.iter().take_while(|edge| edge.holder == holder).count();
        &edges[..length]
    }

    /// The ties behind what a holder has in a company.
    #[must_use]
    pub fn ties(&self, measure: Measure, holder: Node, company: Node) -> Vec<&TieId> {
        let edges = self.edges_between(measure, holder, company);
        let mut ties: Vec<&TieId> = edges.iter().flat_map(|edge| edge.ties.iter()).collect();
        ties.sort_unstable();
        ties.dedup();
        ties
    }

    /// The node in which the votes of an entity are counted: itself, or its way by votes where it has several ways.
    #[must_use]
    pub fn votes_of(&self, entity: Node) -> Node {
        let edges = self.edges_into(Measure::Control, entity);
        // Ways have the highest numbers, so they stand behind the holders, who may be very many.
        let ways = &edges[edges.partition_point(|edge| !self.is_way(edge.holder))..];
        let by_votes = |edge: &&Edge| {
            let is_stake = |edge: &Edge| edge.basis == Basis::Stake;
            edge.basis == Basis::Way && self.edges_into(Measure::Control, edge.holder).iter().any(is_stake)
        };
        ways.iter().find(by_votes).map_or(entity, |edge| edge.holder)
    }

    /// Tells of registers that contradict themselves, as the kernel found them.
    fn judge_registers(&mut self) {
        let mut found: BTreeMap<(EntityId, What), Vec<TieId>> = BTreeMap::new();
        for measure in [Measure::Control, Measure::Money] {
            for (node, finding) in self.holdings(measure).findings() {
                let what = match (finding, measure) {
                    (kernel::Finding::OverFull, Measure::Control) => What::VotesOverFull,
                    (kernel::Finding::OverFull, Measure::Money) => What::MoneyOverFull,
                    (kernel::Finding::ShortRegister, _) => What::ShortRegister,
                    (kernel::Finding::TooFine, _) => What::TooFine,
                };
                let Some(company) = self.entity(node).cloned() else { continue };
                let ties = self.edges_into(measure, node).iter().flat_map(|edge| edge.ties.iter().cloned());
                found.entry((company, what)).or_default().extend(ties);
            }
        }
        self.irregularities.extend(found.into_iter().map(|((company, what), mut ties)| {
            ties.sort_unstable();
            ties.dedup();
            Irregularity { what, company, holder: None, ties }
        }));
        self.irregularities.sort_unstable();
    }
}

/// One graph, as registers are put into it.
struct Drawing {
    builder: Builder,
    edges: Vec<Edge>,
    /// Whether some edges run to ways, which have the highest numbers and come up early.
    has_ways: bool,
}

impl Drawing {
    fn new(nodes: usize, edges: usize) -> Self {
        let mut builder = Builder::new(place(nodes));
        builder.reserve(edges);
        Self { builder, edges: Vec::with_capacity(edges), has_ways: false }
    }

    fn draw(&mut self, side: &Side, node: &impl Fn(u32) -> Node) {
        let first = self.edges.len();
        for edge in &side.edges {
            let (holder, company) = (node(edge.holder), node(edge.company));
            self.has_ways |= edge.company & WAY != 0;
            // INVARIANT: a place is an entity's or a way's, and there are as many nodes as both together.
            self.builder.tie(holder, company, edge.share).expect("every node was numbered");
            let ties = Arc::clone(&edge.ties);
            self.edges.push(Edge { holder, company, share: edge.share, basis: edge.basis, ties });
        }
        self.edges[first..].sort_by_key(|edge| (edge.company, edge.holder));
        for &(company, terms) in &side.terms {
            self.builder.terms(node(company), terms).expect("every node was numbered");
        }
    }

    fn finish(mut self, nodes: usize) -> (Holdings, Edges) {
        if self.has_ways {
            self.edges.sort_by_key(|edge| (edge.company, edge.holder));
        }
        (self.builder.build(), Edges::new(self.edges, nodes))
    }
}
