//! Everything upstream of one entity.

use std::collections::BTreeMap;
use std::rc::Rc;

use hashbrown::HashMap;
use serde::Serialize;

use super::graph::{About, Graph, In, Outlook, read};
use super::lay::{Basis, Drawn, Measure, Sheet, lay};
use super::register::{What, register};
use super::{Joint, Options};
use crate::kernel::{self, Builder, Holdings, Node, Terms};
use crate::{EntityId, EntityKind, Picture, Share, TieId, TieKind, Truth};

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
    pub ties: Vec<TieId>,
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
    numbers: HashMap<EntityId, Node>,
    ways: Vec<Node>,
    control: Holdings,
    money: Holdings,
    /// In the order of company and holder.
    control_edges: Vec<Edge>,
    money_edges: Vec<Edge>,
    /// What a person should look at, in order.
    pub irregularities: Vec<Irregularity>,
    /// Entities upstream that somebody must own, and of which no holder is known, in order. What lies above them is
    /// unknown, which is not nothing.
    pub open_ends: Vec<EntityId>,
    /// Whether a limit was met, so that more may lie upstream.
    pub cut_short: bool,
}

impl Cone {
    /// Walks upstream from an entity.
    #[must_use]
    pub fn upstream<P: Picture + ?Sized>(picture: &P, entity: &EntityId, options: &Options) -> Self {
        let mut named = Named::new(picture, options);
        named.number(&picture.canonical(entity));
        let mut draft = Draft::default();
        let (mut told, mut open_ends) = (Vec::new(), Vec::new());
        let mut next = 0;
        let mut cut_short = false;
        while (next as usize) < named.names.len() {
            if next as usize >= options.limits.entities || named.ties.len() >= options.limits.ties {
                cut_short = true;
                break;
            }
            let found = register(&mut named, next, options.joint == Joint::EachWhole);
            lay(&mut named, &found, next, &mut draft);
            told.extend(found.notes.into_iter().map(|note| (next, note)));
            let ownable = !matches!(named.about(next).kind, EntityKind::Person | EntityKind::State);
            if ownable && found.stakes.is_empty() && found.rights.is_empty() {
                open_ends.push(named.names[next as usize].clone());
            }
            next += 1;
        }
        open_ends.extend_from_slice(&named.names[next as usize..]);
        open_ends.sort_unstable();
        let Named { names: entities, numbers, ties, .. } = named;
        let node_of =
            |place: u32| if place & WAY == 0 { place } else { number(entities.len()) + (place ^ WAY) };
        let (control, control_edges) =
            draft.control.finish(&node_of, entities.len() + draft.ways.len(), &ties);
        let (money, money_edges) = draft.money.finish(&node_of, entities.len(), &ties);
        let irregularities = told.into_iter().map(|(company, note)| Irregularity {
            what: note.what,
            company: entities[company as usize].clone(),
            holder: Some(entities[note.holder as usize].clone()),
            ties: note.ties.iter().map(|&tie| ties[tie as usize].clone()).collect(),
        });
        let mut cone = Self {
            irregularities: irregularities.collect(),
            entities,
            numbers,
            ways: draft.ways,
            control,
            money,
            control_edges,
            money_edges,
            open_ends,
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
        self.numbers.get(entity).copied()
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

    /// All edges of a measure, in the order of company and holder.
    #[must_use]
    pub fn edges(&self, measure: Measure) -> &[Edge] {
        match measure {
            Measure::Control => &self.control_edges,
            Measure::Money => &self.money_edges,
        }
    }

    /// The edges into a node, in the order of the holders.
    #[must_use]
    pub fn edges_into(&self, measure: Measure, company: Node) -> &[Edge] {
        let edges = self.edges(measure);
        let start = edges.partition_point(|edge| edge.company < company);
        let length = edges[start..].partition_point(|edge| edge.company == company);
        &edges[start..start + length]
    }

    /// The ties behind what a holder has in a company.
    #[must_use]
    pub fn ties(&self, measure: Measure, holder: Node, company: Node) -> Vec<&TieId> {
        let edges = self.edges_into(measure, company);
        let first = edges.partition_point(|edge| edge.holder < holder);
        let edges = edges[first..].iter().take_while(|edge| edge.holder == holder);
        let mut ties: Vec<&TieId> = edges.flat_map(|edge| &edge.ties).collect();
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

/// A picture whose names get numbers as they come up.
struct Named<'p, P: ?Sized> {
    picture: &'p P,
    options: &'p Options,
    names: Vec<EntityId>,
    numbers: HashMap<EntityId, Node>,
    ties: Vec<TieId>,
    tie_numbers: HashMap<TieId, u32>,
    documents: HashMap<String, u32>,
    about: HashMap<Node, About>,
    /// The ties of entities that were looked at; a chain is walked from each company that it leads to.
    looked_at: HashMap<Node, Rc<[In]>>,
}

impl<'p, P: Picture + ?Sized> Named<'p, P> {
    fn new(picture: &'p P, options: &'p Options) -> Self {
        Self {
            picture,
            options,
            names: Vec::new(),
            numbers: HashMap::new(),
            ties: Vec::new(),
            tie_numbers: HashMap::new(),
            documents: HashMap::new(),
            about: HashMap::new(),
            looked_at: HashMap::new(),
        }
    }

    fn number(&mut self, name: &EntityId) -> Node {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = number(self.names.len());
        self.names.push(name.clone());
        self.numbers.insert(name.clone(), number);
        number
    }

    fn tie(&mut self, name: &TieId) -> u32 {
        let next = number(self.ties.len());
        let number = *self.tie_numbers.entry(name.clone()).or_insert(next);
        if number == next {
            self.ties.push(name.clone());
        }
        number
    }

    fn document(&mut self, document: &str) -> u32 {
        if let Some(&number) = self.documents.get(document) {
            return number;
        }
        let number = number(self.documents.len());
        self.documents.insert(document.to_owned(), number);
        number
    }
}

impl<P: Picture + ?Sized> Graph for Named<'_, P> {
    fn ins(&mut self, entity: u32) -> Vec<In> {
        let (picture, options) = (self.picture, self.options);
        let day = picture.as_of().day;
        let mut ins = Vec::new();
        let name = self.names[entity as usize].clone();
        picture.each_tie_into(&name, &mut |known| {
            let Some((link, nominator)) = read(&known.tie.kind, options.outlook, day) else { return };
            ins.push(In {
                tie: self.tie(&known.tie.id),
                name: (options.outlook == Outlook::Prospective).then(|| known.tie.id.clone()),
                holder: self.number(nominator.unwrap_or(&known.tie.from)),
                document: self.document(&known.source.document),
                truth: known.truth,
                link,
            });
        });
        ins
    }

    fn ins_again(&mut self, entity: u32) -> Rc<[In]> {
        if let Some(ins) = self.looked_at.get(&entity) {
            return Rc::clone(ins);
        }
        let ins: Rc<[In]> = self.ins(entity).into();
        self.looked_at.insert(entity, Rc::clone(&ins));
        ins
    }

    fn about(&mut self, entity: u32) -> About {
        if let Some(about) = self.about.get(&entity) {
            return *about;
        }
        let about = self.picture.about(&self.names[entity as usize]);
        self.about.insert(entity, about);
        about
    }

    fn concerts(&mut self, entity: u32) -> Vec<(u32, Truth)> {
        let ties = self.picture.arrangements(&self.names[entity as usize]);
        let mut concerts = Vec::new();
        for known in ties {
            if matches!(known.tie.kind, TieKind::PartyTo { role: crate::PartyRole::Party }) {
                let said = self.picture.entity(&known.tie.to);
                if said.is_some_and(|entity| entity.kind == EntityKind::Concert) {
                    concerts.push((self.number(&known.tie.to), known.truth));
                }
            }
        }
        concerts
    }

    fn holds(&mut self, tie: &TieId) -> bool {
        self.picture.tie(tie).is_some()
    }
}

/// Marks a place as a way's: the entities are not all known while the first ways are laid.
const WAY: u32 = 1 << 31;

#[derive(Default)]
struct Draft {
    ways: Vec<Node>,
    control: Side,
    money: Side,
}

#[derive(Default)]
struct Side {
    edges: Vec<(Node, Node, Share, Basis, Vec<u32>)>,
    terms: Vec<(Node, Terms)>,
}

impl Draft {
    fn side(&mut self, measure: Measure) -> &mut Side {
        match measure {
            Measure::Control => &mut self.control,
            Measure::Money => &mut self.money,
        }
    }
}

impl Sheet for Draft {
    fn way(&mut self, company: Node) -> Node {
        self.ways.push(company);
        WAY | number(self.ways.len() - 1)
    }

    fn edge(&mut self, measure: Measure, edge: Drawn<'_>) {
        let Drawn { holder, company, share, basis, ties } = edge;
        self.side(measure).edges.push((holder, company, share, basis, ties.to_vec()));
    }

    fn terms(&mut self, measure: Measure, company: Node, terms: Terms) {
        self.side(measure).terms.push((company, terms));
    }
}

impl Side {
    fn finish(&self, node: &impl Fn(u32) -> Node, nodes: usize, names: &[TieId]) -> (Holdings, Vec<Edge>) {
        let mut builder = Builder::new(number(nodes));
        let mut edges = Vec::with_capacity(self.edges.len());
        for (holder, company, share, basis, ties) in &self.edges {
            let (holder, company) = (node(*holder), node(*company));
            // INVARIANT: a place is an entity's or a way's, and there are as many nodes as both together.
            builder.tie(holder, company, *share).expect("every node was numbered");
            let ties = ties.iter().map(|&tie| names[tie as usize].clone()).collect();
            edges.push(Edge { holder, company, share: *share, basis: *basis, ties });
        }
        for &(company, terms) in &self.terms {
            builder.terms(node(company), terms).expect("every node was numbered");
        }
        edges.sort_by_key(|edge| (edge.company, edge.holder));
        (builder.build(), edges)
    }
}

/// A place in a table of things that are numbered in 32 bits; a cone's limits keep it far below.
fn number(place: usize) -> u32 {
    u32::try_from(place).expect("a cone is limited to fewer")
}
