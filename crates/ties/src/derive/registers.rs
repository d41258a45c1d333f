//! The registers of companies, each made once for all cones that reach it.
//!
//! The large owners stand upstream of very many: in a national register one company in seventy has more than a thousand ties
//! above it, and nearly all of these are the same few thousand. What the ties of a company amount to depends on no cone, so
//! it is made once, with names that are numbered here; a [`Cone`] only puts what was made side by side.
//!
//! ```text
//! H holds A and B, and has 3,000 holders of its own
//! cone of A:  A is made, H is made        cone of B:  B is made, H is taken as it is
//! ```
//!
//! Inside a register everybody is numbered in the order in which the company's own ties name them. So a register is read
//! in one way, whatever was looked at before it.

use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;

use super::cone::Cone;
use super::graph::{About, Graph, In, Outlook, read};
use super::lay::{Basis, Drawn, Measure, Sheet, lay};
use super::register::{What, register};
use super::{Joint, Limits, Options};
use crate::kernel::{Node, Terms};
use crate::{EntityId, EntityKind, PartyRole, Picture, Share, Source, TieId, TieKind, Truth};

/// How many edges are kept: some tens of megabytes. Beyond, those registers go that no other cone has reached meanwhile.
const EDGES_MAX: usize = 300_000;

/// Marks a place as a way's: how many entities come up is not known while the first ways are laid.
pub(super) const WAY: u32 = 1 << 31;

/// What was found out about one picture, for all cones that are taken of it. It must not be asked about two pictures that
/// differ.
#[derive(Debug)]
pub struct Registers {
    options: Options,
    names: Vec<EntityId>,
    numbers: HashMap<EntityId, u32>,
    abouts: Vec<Option<About>>,
    made: Vec<Option<Arc<Made>>>,
    /// Whether each was reached again since it was made, or since registers went last.
    again: Vec<bool>,
    /// How many edges `made` has.
    edges: usize,
    /// Where each stands in the cone, and in the register, that is in the making.
    in_cone: Places,
    in_register: Places,
}

/// What the ties of one company amount to. Its nodes are places in `named`, or ways.
#[derive(Debug)]
pub(super) struct Made {
    /// Whoever came up, in order, the company first: by their numbers in the [`Registers`].
    pub(super) named: Vec<u32>,
    /// How many ways of controlling it have a node of their own.
    pub(super) ways: u32,
    pub(super) control: Side,
    pub(super) money: Side,
    pub(super) notes: Vec<Noted>,
    /// How many ties that bear on holdings run to it.
    pub(super) ties: usize,
    /// Whether somebody must own it, and nobody is known to.
    pub(super) is_open_end: bool,
}

impl Made {
    /// How much it takes to keep, in edges.
    fn weight(&self) -> usize {
        self.control.edges.len() + self.money.edges.len() + 1
    }
}

#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) edges: Vec<Laid>,
    pub(super) terms: Vec<(Node, Terms)>,
}

/// An edge between places.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) holder: u32,
    pub(super) company: u32,
    pub(super) share: Share,
    pub(super) basis: Basis,
    pub(super) ties: Arc<[TieId]>,
}

/// Something irregular.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) what: What,
    pub(super) holder: u32,
    pub(super) ties: Vec<TieId>,
}

/// Which place each number has, in one thing after another: a place counts in the round in which it was given.
#[derive(Debug, Default)]
pub(super) struct Places {
    places: Vec<(u32, u32)>,
    round: u32,
}

impl Places {
    fn begin(&mut self) {
        if self.round == u32::MAX {
            self.places.clear();
            self.round = 0;
        }
        self.round += 1;
    }

    /// The place of a number, which gets the next one if it has none, and then is put at the end of `named`.
    pub(super) fn of(&mut self, number: u32, named: &mut Vec<u32>) -> u32 {
        if self.places.len() <= number as usize {
            self.places.resize(number as usize + 1, (0, 0));
        }
        let known = &mut self.places[number as usize];
        if known.0 != self.round {
            *known = (self.round, place(named.len()));
            named.push(number);
        }
        known.1
    }
}

impl Registers {
    /// Nothing found out yet. How far a cone reaches is asked for with each.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            names: Vec::new(),
            numbers: HashMap::new(),
            abouts: Vec::new(),
            made: Vec::new(),
            again: Vec::new(),
            edges: 0,
            in_cone: Places::default(),
            in_register: Places::default(),
        }
    }

    /// Everything upstream of an entity.
    pub fn cone<P: Picture + ?Sized>(&mut self, picture: &P, entity: &EntityId, limits: Limits) -> Cone {
        if self.edges > EDGES_MAX {
            self.let_go(EDGES_MAX / 2);
        }
        let root = self.number(&picture.canonical(entity));
        self.in_cone.begin();
        let (mut named, mut registers, mut ties) = (Vec::new(), Vec::new(), 0);
        self.in_cone.of(root, &mut named);
        while let Some(&company) = named.get(registers.len()) {
            if registers.len() >= limits.entities || ties >= limits.ties {
                break;
            }
            let made = self.made(picture, company);
            for &number in &made.named {
                self.in_cone.of(number, &mut named);
            }
            ties += made.ties;
            registers.push(made);
        }
        let entities = named.iter().map(|&number| self.names[number as usize].clone()).collect();
        Cone::of(entities, named, &registers, &mut self.in_cone)
    }

    fn number(&mut self, name: &EntityId) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = place(self.names.len());
        self.names.push(name.clone());
        self.numbers.insert(name.clone(), number);
        self.abouts.push(None);
        self.made.push(None);
        self.again.push(false);
        number
    }

    /// Lets registers go that were not reached again; all of them, if the others have more edges than this.
    fn let_go(&mut self, edges_max: usize) {
        for (made, again) in self.made.iter_mut().zip(&mut self.again) {
            if !std::mem::take(again) {
                *made = None;
            }
        }
        self.edges = self.made.iter().flatten().map(|made| made.weight()).sum();
        if self.edges > edges_max {
            self.made.fill(None);
            self.edges = 0;
        }
    }

    fn made<P: Picture + ?Sized>(&mut self, picture: &P, company: u32) -> Arc<Made> {
        if let Some(made) = &self.made[company as usize] {
            self.again[company as usize] = true;
            return Arc::clone(made);
        }
        self.in_register.begin();
        let made = Arc::new(Making::new(self, picture).make(company));
        self.edges += made.weight();
        self.made[company as usize] = Some(Arc::clone(&made));
        made
    }
}

/// One register in the making.
struct Making<'m, P: ?Sized> {
    all: &'m mut Registers,
    picture: &'m P,
    named: Vec<u32>,
    ties: Vec<TieId>,
    documents: HashMap<String, u32>,
    /// The last source that was met: most ties of a company are of one document.
    last: Option<(Arc<Source>, u32)>,
    /// The ties of entities that were looked at: a chain is walked from each company that it leads to.
    looked_at: HashMap<u32, Rc<[In]>>,
    /// How many ties that bear on holdings run to the company itself.
    own_ties: usize,
}

/// The place of the company whose register is made.
const ITSELF: u32 = 0;

impl<'m, P: Picture + ?Sized> Making<'m, P> {
    fn new(all: &'m mut Registers, picture: &'m P) -> Self {
        let (named, ties, documents) = (Vec::new(), Vec::new(), HashMap::new());
        let looked_at = HashMap::new();
        Self { all, picture, named, ties, documents, last: None, looked_at, own_ties: 0 }
    }

    fn make(mut self, company: u32) -> Made {
        self.place(company);
        let each_whole = self.all.options.joint == Joint::EachWhole;
        let found = register(&mut self, ITSELF, each_whole);
        let mut draft = Draft::default();
        lay(&mut self, &found, ITSELF, &mut draft);
        let ownable = !matches!(self.about(ITSELF).kind, EntityKind::Person | EntityKind::State);
        let Self { named, ties, own_ties, .. } = self;
        let names = |numbers: &[u32]| numbers.iter().map(|&tie| ties[tie as usize].clone()).collect();
        let side = |side: DraftSide| Side {
            edges: side
                .edges
                .into_iter()
                .map(|(holder, company, share, basis, ties)| {
                    let ties: Vec<TieId> = names(&ties);
                    Laid { holder, company, share, basis, ties: ties.into() }
                })
                .collect(),
            terms: side.terms,
        };
        Made {
            ways: draft.ways,
            control: side(draft.control),
            money: side(draft.money),
            notes: found
                .notes
                .iter()
                .map(|note| Noted { what: note.what, holder: note.holder, ties: names(&note.ties) })
                .collect(),
            ties: own_ties,
            is_open_end: ownable && found.stakes.is_empty() && found.rights.is_empty(),
            named,
        }
    }

    fn place(&mut self, number: u32) -> u32 {
        self.all.in_register.of(number, &mut self.named)
    }

    fn place_of(&mut self, name: &EntityId) -> u32 {
        let number = self.all.number(name);
        self.place(number)
    }

    fn name(&self, place: u32) -> EntityId {
        self.all.names[self.named[place as usize] as usize].clone()
    }

    fn document(&mut self, source: &Arc<Source>) -> u32 {
        if let Some((last, number)) = &self.last
            && Arc::ptr_eq(last, source)
        {
            return *number;
        }
        let next = place(self.documents.len());
        let number = *self.documents.entry_ref(source.document.as_str()).or_insert(next);
        self.last = Some((Arc::clone(source), number));
        number
    }
}

impl<P: Picture + ?Sized> Graph for Making<'_, P> {
    fn ins(&mut self, entity: u32) -> Vec<In> {
        let (picture, outlook) = (self.picture, self.all.options.outlook);
        let day = picture.as_of().day;
        let mut ins = Vec::new();
        picture.each_tie_into(&self.name(entity), &mut |known| {
            let Some((link, nominator)) = read(&known.tie.kind, outlook, day) else { return };
            self.ties.push(known.tie.id.clone());
            ins.push(In {
                tie: place(self.ties.len() - 1),
                name: (outlook == Outlook::Prospective).then(|| known.tie.id.clone()),
                holder: self.place_of(nominator.unwrap_or(&known.tie.from)),
                document: self.document(&known.source),
                truth: known.truth,
                link,
            });
        });
        if entity == ITSELF {
            self.own_ties = ins.len();
        }
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
        let number = self.named[entity as usize] as usize;
        let Registers { abouts, names, .. } = &mut *self.all;
        *abouts[number].get_or_insert_with(|| self.picture.about(&names[number]))
    }

    fn concerts(&mut self, entity: u32) -> Vec<(u32, Truth)> {
        let ties = self.picture.arrangements(&self.name(entity));
        let mut concerts = Vec::new();
        for known in ties {
            if matches!(known.tie.kind, TieKind::PartyTo { role: PartyRole::Party }) {
                let said = self.picture.entity(&known.tie.to);
                if said.is_some_and(|entity| entity.kind == EntityKind::Concert) {
                    concerts.push((self.place_of(&known.tie.to), known.truth));
                }
            }
        }
        concerts
    }

    fn holds(&mut self, tie: &TieId) -> bool {
        self.picture.tie(tie).is_some()
    }
}

#[derive(Default)]
struct Draft {
    ways: u32,
    control: DraftSide,
    money: DraftSide,
}

#[derive(Default)]
struct DraftSide {
    edges: Vec<(Node, Node, Share, Basis, super::register::Ties)>,
    terms: Vec<(Node, Terms)>,
}

impl Draft {
    fn side(&mut self, measure: Measure) -> &mut DraftSide {
        match measure {
            Measure::Control => &mut self.control,
            Measure::Money => &mut self.money,
        }
    }
}

impl Sheet for Draft {
    fn way(&mut self, _: Node) -> Node {
        self.ways += 1;
        WAY | (self.ways - 1)
    }

    fn edge(&mut self, measure: Measure, edge: Drawn<'_>) {
        let Drawn { holder, company, share, basis, ties } = edge;
        self.side(measure).edges.push((holder, company, share, basis, ties.into()));
    }

    fn terms(&mut self, measure: Measure, company: Node, terms: Terms) {
        self.side(measure).terms.push((company, terms));
    }
}

/// A place in a table of things that are numbered in 32 bits; a cone's limits keep it far below.
pub(super) fn place(count: usize) -> u32 {
    u32::try_from(count).expect("a cone is limited to fewer")
}
