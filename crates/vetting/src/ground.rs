//! What stands behind one entity: its cone of ties, as graphs that can be counted on, and each answer's proof.
//!
//! `ties::derive` says what the ties amount to: a graph of *control*, in which a company's votes may be one of several
//! ways to control it, and a graph of *money*. Looking through wants a third: the *votes* alone, since who directs a
//! company by contract holds none of it.
//!
//! Proofs are chosen for the reader. Every statement says who may see it as evidence; of several proofs the one whose
//! most restricted tie is the least restricted is told, and among those the better believed sources are.

use std::cell::OnceCell;
use std::sync::Arc;

use hashbrown::HashSet;
use serde::Serialize;
use ties::derive::{Basis, Cone, Edge, Measure};
use ties::kernel::{self, Builder, Certainty, Closure, Holdings, Inside, Line, Node, Proof};
use ties::{Bound, Confidence, EntityId, Evidence, Fraction, PartyRole, TieId, TieKind};

use crate::alone::Memory;
use crate::scene::{Scene, tie_step};
use crate::step::{Claim, LineShown, Step, is_certain};
use crate::wording;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Graph {
    /// Votes, and rights beside them.
    Control,
    /// Votes alone.
    Votes,
    /// Capital and profit.
    Money,
}

/// The two of which one can hold a part.
pub(crate) const PARTS: [Graph; 2] = [Graph::Votes, Graph::Money];

/// The cone of ties upstream of one entity, which is node 0.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) cone: Cone,
    /// The votes alone; left out where the graph of control has nothing else.
    votes: Option<Holdings>,
    /// Votes and money laid out for looking through.
    inside: [OnceCell<Option<Inside>>; 2],
    /// Whether everybody has as much of the money as of the votes, everywhere.
    alike: OnceCell<bool>,
    /// What single parties amount to, as far as it was asked for.
    pub(crate) memory: Memory,
}

impl Ground {
    pub(crate) fn of(cone: Cone) -> Self {
        let (votes, inside) = (votes_alone(&cone), <[OnceCell<_>; 2]>::default());
        Self { votes, inside, alike: OnceCell::new(), cone, memory: Memory::default() }
    }

    pub(crate) fn entities(&self) -> &[EntityId] {
        self.cone.entities()
    }

    pub(crate) fn holdings(&self, graph: Graph) -> &Holdings {
        match graph {
            Graph::Control => self.cone.holdings(Measure::Control),
            Graph::Votes => self.votes.as_ref().unwrap_or(self.cone.holdings(Measure::Control)),
            Graph::Money => self.cone.holdings(Measure::Money),
        }
    }

    /// The graphs by which one can hold a part; one of them, where the other says the same.
    pub(crate) fn parts(&self) -> &'static [Graph] {
        let alike = *self.alike.get_or_init(|| {
            let (votes, money) = (self.holdings(Graph::Votes), self.holdings(Graph::Money));
            (0..number(self.entities().len())).all(|company| {
                votes.terms(company) == money.terms(company)
                    && votes.holdings_of(company).eq(money.holdings_of(company))
            })
        });
        if alike { &PARTS[..1] } else { &PARTS }
    }

    /// A graph of parts, laid out for looking through to the entity.
    pub(crate) fn inside(&self, graph: Graph) -> Option<&Inside> {
        let place = usize::from(graph == Graph::Money);
        self.inside[place].get_or_init(|| self.holdings(graph).inside(0)).as_ref()
    }

    /// Whether somebody must own it and no holder is known.
    pub(crate) fn is_open_end(&self, node: Node) -> bool {
        self.cone.is_open_end(node)
    }

    /// Whether some company upstream is directed by right and has no holder who is known: without the right, nobody would
    /// stand behind it.
    pub(crate) fn rests_on_rights(&self) -> bool {
        let (Some(votes), control) = (&self.votes, self.holdings(Graph::Control)) else { return false };
        (0..votes.nodes())
            .any(|node| votes.holders(node).next().is_none() && control.holders(node).next().is_some())
    }

    /// The node in which the register of the entity itself is counted.
    pub(crate) fn register_of(&self, graph: Graph) -> Node {
        match graph {
            Graph::Control => self.cone.votes_of(0),
            Graph::Votes | Graph::Money => 0,
        }
    }

    /// The entity of a node, or whose way of being controlled it is.
    pub(crate) fn entity(&self, node: Node) -> &EntityId {
        // INVARIANT: nodes come from the graphs of this cone.
        self.cone.entity(node).unwrap_or(&self.cone.entities()[0])
    }

    /// What a holder has of a company.
    fn edges(&self, graph: Graph, holder: Node, company: Node) -> &[Edge] {
        let (measure, register) = match graph {
            Graph::Votes if self.votes.is_some() => (Measure::Control, self.cone.votes_of(company)),
            Graph::Control | Graph::Votes => (Measure::Control, company),
            Graph::Money => (Measure::Money, company),
        };
        let holder = if holder == company { register } else { holder };
        self.cone.edges_between(measure, holder, register)
    }

    /// Whether a holder directs a company by other means than votes.
    pub(crate) fn is_by_right(&self, graph: Graph, holder: Node, company: Node) -> bool {
        self.edges(graph, holder, company).first().is_some_and(|edge| edge.basis == Basis::Right)
    }

    /// The steps that the ties behind an edge hold.
    fn edge_steps(&self, scene: &Scene<'_>, graph: Graph, holder: Node, company: Node) -> Vec<Arc<Step>> {
        let edges = self.edges(graph, holder, company);
        let mut ties: Vec<&TieId> = edges.iter().flat_map(|edge| edge.ties.iter()).collect();
        ties.sort_unstable();
        ties.dedup();
        let into = self.entity(company);
        let mut steps: Vec<Arc<Step>> =
            ties.into_iter().filter_map(|tie| scene.tie_into(into, tie)).collect();
        if edges.first().is_some_and(|edge| edge.basis == Basis::Pooled) {
            // A concert holds what its members hold: that they are its members belongs to the proof.
            let members = scene.ties_into(self.entity(holder));
            let party = TieKind::PartyTo { role: PartyRole::Party };
            let members = members.iter().filter(|known| known.tie.kind == party);
            steps.extend(members.map(|known| Arc::new(tie_step(scene, known))));
        }
        steps
    }

    /// What an edge costs in a proof: the more restricted and the less believed, the more.
    fn cost(&self, scene: &Scene<'_>, graph: Graph, holder: Node, company: Node) -> u64 {
        let ties = self.edges(graph, holder, company).iter().flat_map(|edge| edge.ties.iter());
        ties.map(|tie| scene.cost(self.entity(company), tie)).max().unwrap_or(0)
    }

    /// One sufficient set of ties by which the seeds reach the entity, none of them superfluous.
    pub(crate) fn prove(
        &self,
        scene: &Scene<'_>,
        graph: Graph,
        seeds: &[Node],
        line: Line,
        certainty: Certainty,
    ) -> Vec<Step> {
        let holdings = self.holdings(graph);
        let cost = |holder, company| Some(self.cost(scene, graph, holder, company));
        let proof = if scene.reader_may_see_all() {
            holdings.prove(&holdings.closure(seeds, line, certainty), 0, &cost)
        } else {
            holdings.prove_cheaply(seeds, 0, line, certainty, &cost)
        };
        proof.map(|proof| self.proof_steps(scene, graph, &proof)).unwrap_or_default()
    }

    /// A proof's lines, the entity's own first.
    fn proof_steps(&self, scene: &Scene<'_>, graph: Graph, proof: &Proof) -> Vec<Step> {
        proof.steps.iter().rev().filter_map(|step| self.proof_step(scene, graph, proof, step)).collect()
    }

    fn proof_step(
        &self,
        scene: &Scene<'_>,
        graph: Graph,
        proof: &Proof,
        step: &kernel::Step,
    ) -> Option<Step> {
        let company = self.entity(step.company).clone();
        let carriers = || step.carriers.iter().map(|carrier| carrier.holder);
        if carriers().all(|holder| self.cone.is_way(holder)) {
            // One way to control it is no party; its own line tells what stands behind it.
            return None;
        }
        let group: Vec<EntityId> = carriers().map(|holder| self.entity(holder).clone()).collect();
        let because: Vec<Arc<Step>> =
            carriers().flat_map(|holder| self.edge_steps(scene, graph, holder, step.company)).collect();
        let certain = is_certain(proof.certainty);
        let name = scene.name(&company);
        let right = carriers().any(|holder| self.is_by_right(graph, holder, step.company));
        let whole = self.holdings(graph).terms(step.company).each_whole;
        if right || whole {
            let who = group.iter().map(|id| scene.name(id)).collect::<Vec<_>>().join(" and ");
            let how = if right { "by other means than votes" } else { "jointly, and counts with the whole" };
            let verb = if certain { "directs" } else { "may direct" };
            let text = format!("{who} {verb} {name} {how}");
            return Some(Step::new(text, Claim::Directs { group, company, certain }).because(because));
        }
        let parts = step.carriers.iter().map(|carrier| {
            let share = wording::ends(carrier.lo, carrier.hi);
            format!("{} {share}", scene.name(self.entity(carrier.holder)))
        });
        let sum = wording::end(step.held, certain);
        let what = if graph == Graph::Money { "" } else { "the votes of " };
        let line = wording::line(proof.line);
        let parts = parts.collect::<Vec<_>>().join(" + ");
        let text = format!("{parts}: together {sum} of {what}{name}; the line is {line}");
        let of = if graph == Graph::Money { Graph::Money } else { Graph::Votes };
        let line = Some(LineShown::from(proof.line));
        let claim = Claim::Holds { group, company, of, held: shown(step.held), certain, line };
        Some(Step::new(text, claim).because(because))
    }

    /// The steps of the ties on the chains from some holders down to the entity, at one end of the ranges.
    pub(crate) fn chain_steps(
        &self,
        scene: &Scene<'_>,
        graph: Graph,
        from: &[Node],
        certainty: Certainty,
    ) -> Vec<Arc<Step>> {
        let edges = self.chains(graph, from, certainty);
        let mut ties: Vec<(&TieId, Node)> = Vec::new();
        let in_order = |ties: &mut Vec<(&TieId, Node)>| {
            ties.sort_unstable();
            ties.dedup_by_key(|(tie, _)| *tie);
        };
        for (holder, company) in edges {
            let behind = self.edges(graph, holder, company).iter().flat_map(|edge| edge.ties.iter());
            ties.extend(behind.map(|tie| (tie, company)));
            if ties.len() > TIES_SHOWN_MAX {
                in_order(&mut ties);
                if ties.len() > TIES_SHOWN_MAX {
                    break;
                }
            }
        }
        in_order(&mut ties);
        let shown = ties.iter().take(TIES_SHOWN_MAX);
        let mut steps: Vec<Arc<Step>> =
            shown.filter_map(|(tie, company)| scene.tie_into(self.entity(*company), tie)).collect();
        if ties.len() > TIES_SHOWN_MAX {
            let lines = ties.len() - TIES_SHOWN_MAX;
            steps.push(Step::new("and more ties, which are left out here", Claim::More { lines }).into());
        }
        steps
    }

    /// The edges, holder and company, by which anything comes from some holders down to the entity.
    fn chains(&self, graph: Graph, from: &[Node], certainty: Certainty) -> Vec<(Node, Node)> {
        let holdings = self.holdings(graph);
        let nodes = holdings.nodes() as usize;
        let mut is_source = vec![false; nodes];
        for &source in from {
            is_source[source as usize] = true;
        }
        let mut down: Vec<(Node, Node)> = Vec::new();
        let mut seen = is_source.clone();
        let mut open: Vec<Node> = (0..holdings.nodes()).filter(|node| seen[*node as usize]).collect();
        while let Some(holder) = open.pop() {
            for &company in holdings.companies(holder) {
                // What is held of a source is held of what counts in full already.
                if !is_source[company as usize] && carries(holdings, holder, company, certainty) {
                    down.push((holder, company));
                    if company != 0 && !std::mem::replace(&mut seen[company as usize], true) {
                        open.push(company);
                    }
                }
            }
        }
        // Only what leads on to the entity.
        down.sort_unstable_by_key(|&(holder, company)| (company, holder));
        let mut leads = vec![false; nodes];
        leads[0] = true;
        let mut open = vec![0];
        while let Some(company) = open.pop() {
            let first = down.partition_point(|&(_, of)| of < company);
            for &(holder, _) in down[first..].iter().take_while(|&&(_, of)| of == company) {
                if !std::mem::replace(&mut leads[holder as usize], true) {
                    open.push(holder);
                }
            }
        }
        down.retain(|&(_, company)| leads[company as usize]);
        down.sort_unstable();
        down
    }

    /// Whoever holds or controls any part of the entity through any chain, the entity and ways included.
    pub(crate) fn owners(&self) -> HashSet<Node> {
        let mut owners = HashSet::from([0]);
        let mut open = vec![0];
        while let Some(company) = open.pop() {
            for graph in [Graph::Control, Graph::Money] {
                open.extend(self.holdings(graph).holders(company).filter(|holder| owners.insert(*holder)));
            }
        }
        owners
    }

    /// The steps of the ties by which some hold the entity directly.
    pub(crate) fn direct_steps(&self, scene: &Scene<'_>, graph: Graph, holders: &[Node]) -> Vec<Arc<Step>> {
        let shown = holders.iter().take(TIES_SHOWN_MAX);
        let mut steps: Vec<Arc<Step>> =
            shown.flat_map(|holder| self.edge_steps(scene, graph, *holder, 0)).collect();
        if holders.len() > TIES_SHOWN_MAX {
            let lines = holders.len() - TIES_SHOWN_MAX;
            steps.push(Step::new("and more ties, which are left out here", Claim::More { lines }).into());
        }
        steps
    }

    /// The least and the most that the members of a closure hold of a company. Whoever holds nothing has nothing, also in
    /// a register that is called complete and leaves something over.
    pub(crate) fn nearness(&self, graph: Graph, closure: &Closure, company: Node) -> (Bound, Bound) {
        let nearness = self.holdings(graph).nearness(closure, company);
        if nearness.group.is_empty() {
            let nothing = Bound::closed(Fraction::ZERO);
            return (nothing, nothing);
        }
        // Where sources contradict each other their shares may add up to more than there is.
        let most =
            if nearness.most.at > Fraction::ONE { Bound::closed(Fraction::ONE) } else { nearness.most };
        (nearness.least, most)
    }

    /// The least and the most that some hold of the entity directly.
    pub(crate) fn direct(&self, graph: Graph, holders: &[Node], certainty: Certainty) -> (Bound, Bound) {
        let alone = self.holdings(graph).closure_where(holders, Line::MAJORITY, certainty, &|_, _| false);
        self.nearness(graph, &alone, 0)
    }

    /// A closure of one node or more over a graph.
    pub(crate) fn closure(&self, graph: Graph, seeds: &[Node], line: Line, certainty: Certainty) -> Closure {
        self.holdings(graph).closure(seeds, line, certainty)
    }
}

/// How many ties a look-through shows. Beyond that its figure can be recomputed from the statements alone.
const TIES_SHOWN_MAX: usize = 500;

/// Whether an edge carries anything at that end of the ranges.
fn carries(holdings: &Holdings, holder: Node, company: Node, certainty: Certainty) -> bool {
    let terms = holdings.terms(company);
    if terms.each_whole || certainty == Certainty::Possible {
        return true;
    }
    let least = holdings.holding(holder, company).map_or(Fraction::ZERO, |holding| holding.lo.at);
    // In a complete register what the others cannot hold is held, whatever was said.
    least > Fraction::ZERO || (terms.complete && least_of(holdings, holder, company) > Fraction::ZERO)
}

fn least_of(holdings: &Holdings, holder: Node, company: Node) -> Fraction {
    let alone = holdings.closure_where(&[holder], Line::MAJORITY, Certainty::Certain, &|_, _| false);
    holdings.nearness(&alone, company).least.at
}

/// An end of a range, for programs: `55%`, or `>55%` and `<55%` where it does not belong.
fn shown(bound: Bound) -> String {
    if bound.open { format!("({}", bound.at) } else { bound.at.to_string() }
}

/// The stakes of the graph of control, without rights and ways; `None` if there is nothing else in it.
fn votes_alone(cone: &Cone) -> Option<Holdings> {
    if cone.edges(Measure::Control).iter().all(|edge| edge.basis == Basis::Stake) {
        return None;
    }
    let control = cone.holdings(Measure::Control);
    let entities = number(cone.entities().len());
    let mut builder = Builder::new(entities);
    for company in 0..entities {
        let register = cone.votes_of(company);
        let stakes = cone.edges_into(Measure::Control, register).iter();
        // Of a company that nobody holds and nobody directs, it counts whether that is all.
        let mut any = cone.edges_into(Measure::Control, company).is_empty();
        for edge in stakes.filter(|edge| edge.basis == Basis::Stake) {
            let holder = if edge.holder == register { company } else { edge.holder };
            any |= builder.tie(holder, company, edge.share).is_ok();
        }
        if any {
            // INVARIANT: `company` is below the number of nodes.
            builder.terms(company, control.terms(register)).expect("the company is among the nodes");
        }
    }
    Some(builder.build())
}

fn number(entities: usize) -> Node {
    // INVARIANT: a cone numbers its entities with 32 bits.
    Node::try_from(entities).unwrap_or(Node::MAX)
}

/// What a tie costs in a proof.
pub(crate) fn cost(evidence: Evidence, confidence: Confidence) -> u64 {
    let restricted = match evidence {
        Evidence::Public => 0,
        Evidence::Concerned => 10,
        Evidence::Programme => 20,
    };
    let doubted = match confidence {
        Confidence::High => 0,
        Confidence::Medium => 1,
        Confidence::Low => 2,
    };
    restricted + doubted
}
