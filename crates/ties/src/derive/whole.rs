//! Everything in a registry, as two graphs.

use super::graph::{About, Graph, In, read};
use super::lay::{Drawn, Measure, Sheet, lay};
use super::register::register;
use super::{Joint, Options};
use crate::encode::Tag;
use crate::kernel::{Builder, Holdings, Node, Terms};
use crate::registry::Held;
use crate::{EntityId, EntityKind, PartyRole, RegistryPicture, TieId, TieKind, Truth};

/// Everything that a picture of a registry says about holdings.
///
/// The nodes up to [`entities`](Self::entities) are the registry's entities in the order of their first mention; an
/// identifier that was merged into another has a node without ties. The nodes beyond are ways of controlling one. Ties
/// are not kept with the edges: the [`Cone`](super::Cone) of a company tells them, for that company.
#[derive(Clone, Debug)]
pub struct Whole {
    control: Holdings,
    money: Holdings,
    entities: u32,
    ways: Vec<Node>,
}

impl Whole {
    /// Reads all ties of a picture.
    #[must_use]
    pub fn build(picture: &RegistryPicture<'_>, options: &Options) -> Self {
        let entities = picture.entity_count();
        let mut drawing =
            Drawing { control: Builder::new(entities), money: Builder::new(entities), ways: Vec::new() };
        let mut numbered = Numbered { picture, options, about: vec![None; entities as usize] };
        for entity in 0..entities {
            if picture.may_be_held(entity) {
                let found = register(&mut numbered, entity, options.joint == Joint::EachWhole);
                lay(&mut numbered, &found, entity, &mut drawing);
            }
        }
        let Drawing { control, money, ways } = drawing;
        Self { control: control.build(), money: money.build(), entities, ways }
    }

    /// The graph of a measure.
    #[must_use]
    pub fn holdings(&self, measure: Measure) -> &Holdings {
        match measure {
            Measure::Control => &self.control,
            Measure::Money => &self.money,
        }
    }

    /// The graphs of control and of money, to be taken over by something that keeps them up to date.
    #[must_use]
    pub fn into_holdings(self) -> (Holdings, Holdings) {
        (self.control, self.money)
    }

    /// How many nodes are entities; they come first.
    #[must_use]
    pub fn entities(&self) -> u32 {
        self.entities
    }

    /// The node of an entity, or of the company whose way a node is.
    #[must_use]
    pub fn entity_of(&self, node: Node) -> Option<Node> {
        match node.checked_sub(self.entities) {
            None => Some(node),
            Some(way) => self.ways.get(way as usize).copied(),
        }
    }

    /// The node of an identifier, merged or not.
    #[must_use]
    pub fn node(&self, picture: &RegistryPicture<'_>, entity: &EntityId) -> Option<Node> {
        let number = picture.number(entity).filter(|&number| number < self.entities)?;
        Some(picture.canonical_number(number))
    }

    /// The identifier of a node's entity.
    #[must_use]
    pub fn name(&self, picture: &RegistryPicture<'_>, node: Node) -> Option<EntityId> {
        self.entity_of(node).filter(|&node| node < picture.entity_count()).map(|node| picture.id(node))
    }
}

/// A registry's picture, with the registry's own numbers.
struct Numbered<'p, 'r> {
    picture: &'p RegistryPicture<'r>,
    options: &'p Options,
    /// What was asked for already: a holder is asked about in each company.
    about: Vec<Option<About>>,
}

impl Numbered<'_, '_> {
    fn tie_in(&self, held: &Held) -> Option<In> {
        let (log, day) = (self.picture.log, self.picture.day());
        let row = log.row(held.word.row);
        let kind = log.kind(held.word.row);
        let (link, nominator) = read(&kind, self.options.outlook, day)?;
        // INVARIANT: the log numbers a nominator when the tie comes in.
        let holder = nominator.and_then(|nominator| self.picture.number(nominator));
        Some(In {
            tie: held.tie,
            name: (self.options.outlook == super::Outlook::Prospective)
                .then(|| TieId::stored(log.ties.text(held.tie))),
            holder: self.picture.canonical_number(holder.unwrap_or(row.first)),
            document: log.source_head(row).document,
            truth: held.truth,
            link,
        })
    }
}

impl Graph for Numbered<'_, '_> {
    fn ins(&mut self, entity: u32) -> Vec<In> {
        self.picture.held_into(entity).iter().filter_map(|held| self.tie_in(held)).collect()
    }

    fn about(&mut self, entity: u32) -> About {
        let (picture, day) = (self.picture, self.picture.day());
        *self.about[entity as usize].get_or_insert_with(|| {
            let said = if picture.is_described(entity) { picture.described(entity) } else { None };
            About::of(said.as_ref(), day)
        })
    }

    fn concerts(&mut self, entity: u32) -> Vec<(u32, Truth)> {
        let log = self.picture.log;
        let mut concerts = Vec::new();
        for held in self.picture.held_as_party(entity) {
            let row = held.word.row;
            if log.kind(row) == (TieKind::PartyTo { role: PartyRole::Party }) {
                let concert = self.picture.canonical_number(log.row(row).second);
                if self.about(concert).kind == EntityKind::Concert {
                    concerts.push((concert, held.truth));
                }
            }
        }
        concerts
    }

    fn holds(&mut self, tie: &TieId) -> bool {
        let tie = self.picture.log.ties.find(tie.as_str().as_bytes());
        tie.is_some_and(|tie| self.picture.one(tie, Tag::Tie).is_some())
    }
}

struct Drawing {
    control: Builder,
    money: Builder,
    ways: Vec<Node>,
}

impl Drawing {
    fn side(&mut self, measure: Measure) -> &mut Builder {
        match measure {
            Measure::Control => &mut self.control,
            Measure::Money => &mut self.money,
        }
    }
}

impl Sheet for Drawing {
    fn way(&mut self, company: Node) -> Node {
        self.ways.push(company);
        self.control.add_node()
    }

    fn edge(&mut self, measure: Measure, edge: Drawn<'_>) {
        let told = self.side(measure).tie(edge.holder, edge.company, edge.share);
        // INVARIANT: entities come from the picture, which has as many as the builder was told of, and ways from it.
        told.expect("every node is in the graph");
    }

    fn terms(&mut self, measure: Measure, company: Node, terms: Terms) {
        self.side(measure).terms(company, terms).expect("every node is in the graph");
    }
}
