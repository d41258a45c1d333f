//! Outward facts: what the entity owns, and with whom.
//!
//! What the entity controls counts as its own. A company in which its own hold a part is looked at with its whole
//! register, so that ranges, nominees and contradicting accounts are read as everywhere.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use hashbrown::HashMap;
use ties::kernel::{Certainty, Line, Node};
use ties::{EntityId, Fraction, KnownTie, Post, Share, TieKind, Truth};

use crate::facts::{FactName, Facts, Value};
use crate::ground::{Graph, Ground, PARTS};
use crate::inward::{at_most_all, truth_of};
use crate::scene::{Scene, tie_step};
use crate::step::{Claim, Step, is_certain};
use crate::wording;

/// How many registers below the entity are looked at. What a larger holding company owns is told as not resolved.
const REGISTERS_MAX: usize = 20_000;

/// A stake of this many basis points or more makes its holder a parent of the venture, where no tie says so.
const PARENT_FROM: u32 = 1_000;

/// The entity and what it controls, with the registers that were looked at.
pub(crate) struct Own<'a, 's> {
    pub(crate) scene: &'a Scene<'s>,
    entity: EntityId,
    all: BTreeMap<EntityId, Ours>,
    registers: RefCell<HashMap<EntityId, Rc<Ground>>>,
    /// The ties that run from those of its own that were looked at.
    outs: RefCell<HashMap<EntityId, Rc<[KnownTie]>>>,
    cut_short: Cell<bool>,
}

/// Since when a company counts as its own: its place in the order of joining.
#[derive(Clone, Copy, Debug, Default)]
struct Ours {
    certain: Option<usize>,
    possible: Option<usize>,
}

impl Ours {
    fn place(self, certainty: Certainty) -> Option<usize> {
        match certainty {
            Certainty::Certain => self.certain,
            Certainty::Possible => self.possible,
        }
    }

    fn truth(self) -> Truth {
        match (self.certain, self.possible) {
            (Some(_), _) => Truth::Certain,
            (None, Some(_)) => Truth::Possible,
            (None, None) => Truth::No,
        }
    }
}

impl<'a, 's> Own<'a, 's> {
    /// Walks down from the entity.
    pub(crate) fn of(scene: &'a Scene<'s>, entity: &EntityId) -> Self {
        let itself = Ours { certain: Some(0), possible: Some(0) };
        let mut own = Self {
            scene,
            entity: entity.clone(),
            all: BTreeMap::from([(entity.clone(), itself)]),
            registers: RefCell::default(),
            outs: RefCell::default(),
            cut_short: Cell::new(false),
        };
        let mut joined = 0;
        let mut open = VecDeque::from([entity.clone()]);
        // The most that ours may have of each company by single ties: below half there is nothing to look at.
        let mut most: HashMap<EntityId, Fraction> = HashMap::new();
        while let Some(holder) = open.pop_front() {
            for known in own.ties_out_of(&holder).iter() {
                let company = known.tie.to.clone();
                let Some(weight) = weight(&known.tie.kind) else { continue };
                let sum = most.entry(company.clone()).or_insert(Fraction::ZERO);
                *sum = sum.checked_add(weight).map_or(Fraction::ONE, |sum| sum.min(Fraction::ONE));
                if *sum <= Fraction::HALF {
                    continue;
                }
                let before = own.truth(&company);
                let truth = own.control(&company).max(before);
                if truth > before {
                    joined += 1;
                    let ours = own.all.entry(company.clone()).or_default();
                    ours.possible = ours.possible.or(Some(joined));
                    ours.certain = ours.certain.or((truth == Truth::Certain).then_some(joined));
                    open.push_back(company);
                }
            }
        }
        own
    }

    /// Whether an entity counts as its own.
    pub(crate) fn truth(&self, id: &EntityId) -> Truth {
        self.all.get(id).map_or(Truth::No, |ours| ours.truth())
    }

    /// Why a company counts as its own; nothing for the entity itself.
    pub(crate) fn why(&self, id: &EntityId, wanted: Truth) -> Option<Step> {
        if *id == self.entity || self.truth(id) == Truth::No || !self.scene.proofs {
            return None;
        }
        let certain = self.truth(id).min(wanted) == Truth::Certain;
        let certainty = if certain { Certainty::Certain } else { Certainty::Possible };
        let mut lines = Vec::new();
        let mut open = vec![id.clone()];
        let mut told = BTreeSet::from([self.entity.clone()]);
        while let Some(company) = open.pop() {
            if !told.insert(company.clone()) {
                continue;
            }
            let place = self.all.get(&company).and_then(|ours| ours.place(certainty));
            let (Some(place), Some(register)) = (place, self.register(&company)) else { continue };
            // Only those that were its own before it: no argument runs in a circle.
            let before = |id: &EntityId| self.all.get(id).and_then(|ours| ours.place(certainty));
            let mut seeds = self.holders(&register, certainty);
            seeds.retain(|node| before(register.entity(*node)).is_some_and(|earlier| earlier < place));
            let steps = register.prove(self.scene, Graph::Control, &seeds, Line::MAJORITY, certainty);
            let carry = |id: &&EntityId| steps.iter().any(|step| step.claim.has_holder(id));
            open.extend(seeds.iter().map(|node| register.entity(*node)).filter(carry).cloned());
            lines.extend(steps);
        }
        let verb = if certain { "controls" } else { "may control" };
        let text = format!("{} {verb} {}", self.scene.name(&self.entity), self.scene.name(id));
        let claim = Claim::Controls { controller: self.entity.clone(), company: id.clone(), certain };
        Some(Step::new(text, claim).because(lines))
    }

    /// All of its own, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&EntityId, Truth)> {
        self.all.iter().map(|(id, ours)| (id, ours.truth()))
    }

    /// The ties that run from one of its own.
    pub(crate) fn ties_out_of(&self, ours: &EntityId) -> Rc<[KnownTie]> {
        if let Some(known) = self.outs.borrow().get(ours) {
            return Rc::clone(known);
        }
        let ties: Rc<[KnownTie]> = self.scene.picture.ties_out_of(ours).into();
        self.outs.borrow_mut().insert(ours.clone(), Rc::clone(&ties));
        ties
    }

    fn register(&self, company: &EntityId) -> Option<Rc<Ground>> {
        if let Some(known) = self.registers.borrow().get(company) {
            return Some(Rc::clone(known));
        }
        if self.registers.borrow().len() >= REGISTERS_MAX {
            self.cut_short.set(true);
            return None;
        }
        let register = Rc::new(self.scene.register(company));
        self.registers.borrow_mut().insert(company.clone(), Rc::clone(&register));
        Some(register)
    }

    /// Those of a register who are its own.
    fn holders(&self, register: &Ground, certainty: Certainty) -> Vec<Node> {
        let nodes = (0..).zip(register.entities()).skip(1);
        nodes.filter(|(_, id)| self.truth(id) >= truth_of(certainty)).map(|(node, _)| node).collect()
    }

    /// Whether its own, who vote as one, have the majority of a company.
    fn control(&self, company: &EntityId) -> Truth {
        let Some(register) = self.register(company) else { return Truth::Possible };
        let controls = |certainty| {
            let ours = self.holders(&register, certainty);
            register.closure(Graph::Control, &ours, Line::MAJORITY, certainty).contains(0)
        };
        if controls(Certainty::Certain) {
            Truth::Certain
        } else if controls(Certainty::Possible) {
            Truth::Possible
        } else {
            Truth::No
        }
    }
}

/// The most that a tie can contribute to control of its company; `None` if nothing.
fn weight(kind: &TieKind) -> Option<Fraction> {
    match kind {
        TieKind::Holds(holding) => Some(holding.votes.or(holding.money).unwrap_or(Share::UNKNOWN).hi().at),
        TieKind::Appoints(right) => (!right.observer).then_some(Fraction::ONE),
        TieKind::Directs { .. }
        | TieKind::Consolidates { .. }
        | TieKind::PartyTo { .. }
        | TieKind::Lends { directs: true, .. } => Some(Fraction::ONE),
        TieKind::MayAcquire { .. }
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
        | TieKind::Succeeds
        | TieKind::Plans(_) => None,
    }
}

/// Of how many holders of one company it is told why they count as its own.
const HOLDERS_EXPLAINED_MAX: usize = 100;

/// What some hold of a company directly, at one end of the ranges.
struct Stake {
    points: u32,
    graph: Graph,
    holders: Vec<Node>,
}

impl Stake {
    fn of(register: &Ground, holders: Vec<Node>, certainty: Certainty) -> Self {
        let of = |graph: Graph| {
            let (least, most) = register.direct(graph, &holders, certainty);
            at_most_all(match certainty {
                Certainty::Certain => least.at.basis_points_floor(),
                Certainty::Possible => most.at.basis_points_ceil(),
            })
        };
        let [votes, money] = PARTS.map(of);
        let (points, graph) = if money > votes { (money, Graph::Money) } else { (votes, Graph::Votes) };
        Self { points, graph, holders }
    }

    fn step(&self, own: &Own<'_, '_>, register: &Ground, certainty: Certainty) -> Step {
        let scene = own.scene;
        let group: Vec<EntityId> = self.holders.iter().map(|node| register.entity(*node).clone()).collect();
        let company = register.entities()[0].clone();
        let certain = is_certain(certainty);
        let up_to = if certain { "" } else { "possibly up to " };
        let (names, name) = (scene.names(&group), scene.name(&company));
        let text = format!("{names} holds {up_to}{} of {name}", wording::part(self.points));
        let held = Fraction::basis_points(self.points).to_string();
        let ours: Vec<Step> = group
            .iter()
            .filter_map(|id| own.why(id, truth_of(certainty)))
            .take(HOLDERS_EXPLAINED_MAX)
            .collect();
        let claim = Claim::Holds { group, company, of: self.graph, held, certain, line: None };
        Step::new(text, claim).because(register.direct_steps(scene, self.graph, &self.holders)).because(ours)
    }
}

/// Looks at everything that its own hold a part of.
pub(crate) fn look(scene: &Scene<'_>, own: &Own<'_, '_>, facts: &mut Facts) {
    let mut companies: Vec<EntityId> = Vec::new();
    for holder in own.all.keys() {
        let out = own.ties_out_of(holder);
        let held =
            out.iter().filter(|known| matches!(known.tie.kind, TieKind::Holds(_) | TieKind::PartyTo { .. }));
        companies.extend(held.map(|known| known.tie.to.clone()));
    }
    companies.sort();
    companies.dedup();
    declared(scene, own, facts);
    for company in companies {
        let Some(register) = own.register(&company) else { break };
        for certainty in [Certainty::Certain, Certainty::Possible] {
            let ours = own.holders(&register, certainty);
            let stake = Stake::of(&register, ours, certainty);
            if stake.points > 0 {
                foreign(own, &register, &stake, certainty, facts);
                Venture { scene, own, register: &register, stake: &stake, certainty }.look(facts);
            }
        }
    }
    if own.cut_short.get() {
        let text = "it owns more than is walked; what else it owns counts as unknown";
        for name in [FactName::OutwardForeign, FactName::VentureConcern] {
            facts.possibly(name, &Value::Number(10_000), || Step::new(text, Claim::Other));
        }
    }
}

/// Ventures of which a source names its own and a party of concern as parents, whatever they hold.
fn declared(scene: &Scene<'_>, own: &Own<'_, '_>, facts: &mut Facts) {
    for holder in own.all.keys() {
        let out_of = scene.picture.ties_out_of(holder);
        for known in out_of.iter().filter(|known| known.tie.kind == TieKind::Venture) {
            let company = &known.tie.to;
            let ours = known.truth.min(own.truth(holder));
            let into = scene.ties_into(company);
            let holds = |who: &EntityId| {
                into.iter().any(|known| known.tie.from == *who && matches!(known.tie.kind, TieKind::Holds(_)))
            };
            for theirs in into.iter() {
                let other = &theirs.tie.from;
                if theirs.tie.kind != TieKind::Venture || own.truth(other) == Truth::Certain {
                    continue;
                }
                // Where it is told what the other one holds and not that its own hold anything, they hold nothing any more.
                if holds(other) && !holds(holder) {
                    continue;
                }
                let concern = scene.concern(other);
                let truth = ours.min(theirs.truth).min(concern.truth);
                let step = || {
                    let theirs = tie_step(scene, theirs).because(concern.because.iter().cloned());
                    tie_step(scene, known).because([theirs]).because(own.why(holder, known.truth))
                };
                facts.flag(FactName::VentureDeclared, truth, step);
                field(scene, company, truth, facts);
                receives(own, company, truth, facts);
            }
        }
    }
}

fn foreign(own: &Own<'_, '_>, register: &Ground, stake: &Stake, certainty: Certainty, facts: &mut Facts) {
    let nature = own.scene.nature(&register.entities()[0]);
    let truth = nature.foreign.min(truth_of(certainty));
    let step = || stake.step(own, register, certainty).because([nature.belongs.clone()]);
    facts.add(FactName::OutwardForeign, truth, &Value::Number(stake.points), step);
}

/// A company that ours hold a part of, and perhaps a party of concern with them.
struct Venture<'v, 'a, 's> {
    scene: &'v Scene<'s>,
    own: &'v Own<'a, 's>,
    register: &'v Ground,
    stake: &'v Stake,
    certainty: Certainty,
}

/// A holder that is no parent of the venture.
struct NoParent;

impl Venture<'_, '_, '_> {
    fn look(&self, facts: &mut Facts) {
        let company = &self.register.entities()[0];
        let Ok(declared) = self.parent(&self.stake.holders, self.stake.points) else { return };
        for (node, other) in (0..).zip(self.register.entities()).skip(1) {
            if self.own.truth(other) == Truth::Certain || self.scene.picture.canonical(company) == *other {
                continue;
            }
            let theirs = Stake::of(self.register, vec![node], self.certainty);
            if theirs.points == 0 {
                continue;
            }
            let Ok(their_tie) = self.parent(&theirs.holders, theirs.points) else { continue };
            let concern = self.scene.concern(other);
            let truth = concern.truth.min(truth_of(self.certainty));
            let names = (self.scene.name(company), self.scene.name(other));
            let step = || {
                let part = wording::part(self.stake.points);
                let text = format!("it holds {part} of {}, of which {} is a parent too", names.0, names.1);
                let (points, certain) = (self.stake.points, is_certain(self.certainty));
                let theirs = theirs.step(self.own, self.register, self.certainty);
                Step::new(text, Claim::Sum { points, certain })
                    .because([self.stake.step(self.own, self.register, self.certainty)])
                    .because(declared.clone())
                    .because([theirs.because(their_tie.clone()).because(concern.because.iter().cloned())])
            };
            facts.add(FactName::VentureConcern, truth, &Value::Number(self.stake.points), step);
            field(self.scene, company, truth, facts);
            receives(self.own, company, truth, facts);
        }
    }

    /// Whether some are parents of the venture: by the size of their stake, or because a tie says so, which is then
    /// given.
    fn parent(&self, holders: &[Node], points: u32) -> Result<Option<Step>, NoParent> {
        if points >= PARENT_FROM {
            return Ok(None);
        }
        let company = &self.register.entities()[0];
        let ids: Vec<&EntityId> = holders.iter().map(|node| self.register.entity(*node)).collect();
        let into = self.scene.ties_into(company);
        let declared = into.iter().find(|known| {
            known.tie.kind == TieKind::Venture
                && known.truth >= truth_of(self.certainty)
                && ids.contains(&&known.tie.from)
        });
        declared.map(|known| Some(tie_step(self.scene, known))).ok_or(NoParent)
    }
}

/// Whether the venture works in an exchanged field.
fn field(scene: &Scene<'_>, company: &EntityId, truth: Truth, facts: &mut Facts) {
    let nature = scene.nature(company);
    let sectors: Vec<String> =
        nature.sectors.intersection(&scene.settings.exchanged_sectors).cloned().collect();
    if !sectors.is_empty() {
        let text = format!("{} works in {}", nature.name, sectors.join(" and "));
        let claim = Claim::Works { entity: company.clone(), sectors };
        facts.flag(FactName::VentureField, truth, || Step::new(text, claim));
    }
}

/// Technology or staff that goes from ours to the venture.
fn receives(own: &Own<'_, '_>, company: &EntityId, truth: Truth, facts: &mut Facts) {
    let scene = own.scene;
    for known in scene.ties_into(company).iter() {
        let from = own.truth(&known.tie.from).min(known.truth).min(truth);
        match &known.tie.kind {
            TieKind::Licenses { technology: true, .. } | TieKind::Seconds => {
                let step = || tie_step(scene, known).because(own.why(&known.tie.from, from));
                facts.flag(FactName::VentureReceives, from, step);
            }
            TieKind::Serves { post: Post::Secondee } => {
                for post in scene.picture.ties_out_of(&known.tie.from) {
                    if matches!(post.tie.kind, TieKind::Serves { .. }) {
                        let ours = own.truth(&post.tie.to).min(post.truth).min(known.truth).min(truth);
                        let step = || {
                            tie_step(scene, known)
                                .because([tie_step(scene, &post)])
                                .because(own.why(&post.tie.to, ours))
                        };
                        facts.flag(FactName::VentureReceives, ours, step);
                    }
                }
            }
            TieKind::Holds(_)
            | TieKind::MayAcquire { .. }
            | TieKind::Appoints(_)
            | TieKind::Directs { .. }
            | TieKind::Consolidates { .. }
            | TieKind::Venture
            | TieKind::PartyTo { .. }
            | TieKind::Serves { .. }
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
            | TieKind::Succeeds
            | TieKind::Plans(_) => {}
        }
    }
}
