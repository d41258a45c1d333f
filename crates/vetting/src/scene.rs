//! The scene of a decision: a picture of the ties, and the words of the programme applied to it.
//!
//! "Foreign", "adverse" and "of concern" are the programme's words (`[vetting]` of `programme.toml`). This module says
//! who is what, with the reason, and remembers it: a party that a thousand members have to do with is looked at once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;
use programme::VettingSettings;
use ties::derive::{About, Limits, Options, Registers};
use ties::kernel::{Certainty, Line, Node};
use ties::{
    AsOf, Day, Entity, EntityId, EntityKind, Evidence, Jurisdiction, KnownListing, KnownTie, ListId,
    PartyRole, Picture, TieId, TieKind, Truth,
};

use crate::ground::{self, Graph, Ground};
use crate::step::{Claim, Step};
use crate::wording;

/// What an entity is in the programme's words, whoever stands behind it.
#[derive(Clone, Debug)]
pub(crate) struct Nature {
    pub(crate) name: String,
    pub(crate) kind: EntityKind,
    pub(crate) countries: BTreeSet<String>,
    /// Belongs to no home country. Possible, if it is not known to belong to any.
    pub(crate) foreign: Truth,
    /// Belongs to a state on the list of adversaries.
    pub(crate) adverse: Truth,
    /// Of concern by itself: on a list of concern, or of an adverse state.
    pub(crate) concern: Truth,
    /// The lists that name it.
    pub(crate) lists: Vec<(ListId, Truth, Step)>,
    /// Why it is foreign or adverse.
    pub(crate) belongs: Step,
    pub(crate) publicly_listed: bool,
    pub(crate) sectors: BTreeSet<String>,
    /// What of it bears on holdings.
    about: About,
}

impl Nature {
    pub(crate) fn is_government(&self) -> bool {
        matches!(self.kind, EntityKind::State | EntityKind::StateBody)
    }

    /// Whether it is nobody's: a person, a state, or a part of a state.
    pub(crate) fn cannot_be_owned(&self) -> bool {
        self.kind == EntityKind::Person || self.is_government()
    }

    /// Whether a rule can have anything to say of it.
    pub(crate) fn matters(&self) -> bool {
        self.foreign != Truth::No || self.concern != Truth::No || !self.lists.is_empty()
    }
}

/// What is asked of everybody upstream before a [`Nature`] is looked at: most of a large cone matter to no rule.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Glance(u8);

impl Glance {
    const TAKEN: u8 = 1;
    const MATTERS: u8 = 1 << 1;
    const MAY_OWN: u8 = 1 << 2;
    const NOWHERE: u8 = 1 << 3;
    const LISTED: u8 = 1 << 4;

    fn at(nature: &Nature) -> Self {
        let may_own = matches!(nature.kind, EntityKind::Person | EntityKind::Unknown);
        let flags = [
            (Self::TAKEN, true),
            (Self::MATTERS, nature.matters()),
            (Self::MAY_OWN, may_own),
            (Self::NOWHERE, nature.foreign == Truth::Possible),
            (Self::LISTED, nature.publicly_listed),
        ];
        Self(flags.into_iter().filter(|(_, is)| *is).fold(0, |all, (flag, _)| all | flag))
    }

    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// Whether a rule can have anything to say of it.
    pub(crate) fn matters(self) -> bool {
        self.has(Self::MATTERS)
    }

    /// Whether it is a natural person, or may be one.
    pub(crate) fn may_own(self) -> bool {
        self.has(Self::MAY_OWN)
    }

    /// Whether no source says to which country it belongs.
    pub(crate) fn is_nowhere(self) -> bool {
        self.has(Self::NOWHERE)
    }

    /// Whether its shares are listed.
    pub(crate) fn is_publicly_listed(self) -> bool {
        self.has(Self::LISTED)
    }
}

/// Whether a party is something, by itself or by who controls it, and why.
#[derive(Clone, Debug)]
pub(crate) struct Behind {
    pub(crate) truth: Truth,
    pub(crate) because: Vec<Step>,
}

/// What was found out about parties by themselves. Ending ties between them changes nothing of it.
pub(crate) struct Parties {
    adverse_states: Vec<(EntityId, Truth)>,
    natures: RefCell<HashMap<EntityId, Rc<Nature>>>,
}

/// A picture, and what the programme makes of it.
pub(crate) struct Scene<'s> {
    pub(crate) picture: &'s dyn Picture,
    pub(crate) settings: &'s VettingSettings,
    /// What the reader may see as evidence.
    pub(crate) may_see: Evidence,
    /// Whether proofs are wanted, and not only values.
    pub(crate) proofs: bool,
    parties: Rc<Parties>,
    concerns: RefCell<HashMap<EntityId, Rc<Behind>>>,
    foreigners: RefCell<HashMap<EntityId, Rc<Behind>>>,
    grounds: RefCell<HashMap<EntityId, Rc<Ground>>>,
    registers: RefCell<Registers>,
    /// By the numbers that the registers give.
    natures: RefCell<Vec<Option<Rc<Nature>>>>,
    /// What of them is asked first, in the same order.
    glances: RefCell<Vec<Glance>>,
    remembered: Remembered,
}

/// What of the picture is asked for again and again: the large owners stand upstream of very many.
#[derive(Default)]
struct Remembered {
    into: RefCell<HashMap<EntityId, Rc<[KnownTie]>>>,
    /// How many ties these are.
    ties: Cell<usize>,
    steps: RefCell<HashMap<TieId, Option<Arc<Step>>>>,
    costs: RefCell<HashMap<TieId, u64>>,
}

/// How many cones of ties a scene keeps at hand.
const GROUNDS_MAX: usize = 64;
/// How many ties, and lines of proofs about ties, a scene keeps at hand: some tens of megabytes.
const TIES_MAX: usize = 100_000;

impl<'s> Scene<'s> {
    pub(crate) fn new(picture: &'s dyn Picture, settings: &'s VettingSettings, may_see: Evidence) -> Self {
        let states = picture.listed_on(&settings.adversaries).into_iter();
        let adverse_states = states.map(|known| (known.listing.entity, known.truth)).collect();
        Self {
            picture,
            settings,
            may_see,
            proofs: true,
            parties: Rc::new(Parties { adverse_states, natures: RefCell::default() }),
            concerns: RefCell::default(),
            foreigners: RefCell::default(),
            grounds: RefCell::default(),
            registers: RefCell::new(Registers::new(Options::default())),
            natures: RefCell::default(),
            glances: RefCell::default(),
            remembered: Remembered::default(),
        }
    }

    /// The same programme's scene over a picture in which ties between parties differ, and nothing else.
    pub(crate) fn over<'l>(&self, picture: &'l dyn Picture, proofs: bool) -> Scene<'l>
    where
        's: 'l,
    {
        Scene {
            picture,
            settings: self.settings,
            may_see: self.may_see,
            proofs,
            parties: Rc::clone(&self.parties),
            concerns: RefCell::default(),
            foreigners: RefCell::default(),
            grounds: RefCell::default(),
            registers: RefCell::new(Registers::new(Options::default())),
            natures: RefCell::default(),
            glances: RefCell::default(),
            remembered: Remembered::default(),
        }
    }

    pub(crate) fn day(&self) -> Day {
        self.picture.as_of().day
    }

    pub(crate) fn reader_may_see_all(&self) -> bool {
        self.may_see == Evidence::Programme
    }

    pub(crate) fn nature(&self, id: &EntityId) -> Rc<Nature> {
        if let Some(known) = self.parties.natures.borrow().get(id) {
            return Rc::clone(known);
        }
        let nature = Rc::new(self.look_at(id));
        self.parties.natures.borrow_mut().insert(id.clone(), Rc::clone(&nature));
        nature
    }

    pub(crate) fn name(&self, id: &EntityId) -> String {
        self.nature(id).name.clone()
    }

    /// The names of several, or of the first few of very many.
    pub(crate) fn names(&self, ids: &[EntityId]) -> String {
        wording::several(ids.iter().map(|id| self.name(id)))
    }

    /// What lies upstream of an entity.
    pub(crate) fn ground(&self, id: &EntityId) -> Rc<Ground> {
        if let Some(known) = self.grounds.borrow().get(id) {
            return Rc::clone(known);
        }
        let ground = Rc::new(self.cone(id, Limits::default()));
        let mut grounds = self.grounds.borrow_mut();
        if grounds.len() >= GROUNDS_MAX {
            grounds.clear();
        }
        grounds.insert(id.clone(), Rc::clone(&ground));
        ground
    }

    /// The register of one entity, without what stands behind its holders.
    pub(crate) fn register(&self, id: &EntityId) -> Ground {
        self.cone(id, Limits { entities: 1, ..Limits::default() })
    }

    fn cone(&self, id: &EntityId, limits: Limits) -> Ground {
        Ground::of(self.registers.borrow_mut().cone(&Remembering(self), id, limits))
    }

    /// What those are who stand upstream and are `wanted`, in the order of the nodes.
    pub(crate) fn natures<'g>(
        &'g self,
        ground: &'g Ground,
        wanted: impl Fn(Node, Glance) -> bool + 'g,
    ) -> impl Iterator<Item = (Node, Rc<Nature>)> + 'g {
        let upstream = (0..).zip(ground.cone.shared_numbers()).zip(ground.entities()).skip(1);
        let wanted = upstream.filter(move |((node, number), id)| wanted(*node, self.glance(**number, id)));
        wanted.map(|((node, number), id)| (node, self.nature_of(*number, id)))
    }

    fn glance(&self, number: u32, id: &EntityId) -> Glance {
        let known = self.glances.borrow().get(number as usize).copied().unwrap_or_default();
        if known.has(Glance::TAKEN) {
            return known;
        }
        let glance = Glance::at(&self.nature_of(number, id));
        let mut glances = self.glances.borrow_mut();
        if glances.len() <= number as usize {
            glances.resize(number as usize + 1, Glance::default());
        }
        glances[number as usize] = glance;
        glance
    }

    fn nature_of(&self, number: u32, id: &EntityId) -> Rc<Nature> {
        let number = number as usize;
        if let Some(Some(known)) = self.natures.borrow().get(number) {
            return Rc::clone(known);
        }
        let nature = self.nature(id);
        let mut natures = self.natures.borrow_mut();
        if natures.len() <= number {
            natures.resize(number + 1, None);
        }
        natures[number] = Some(Rc::clone(&nature));
        nature
    }

    /// The ties that run to an entity.
    pub(crate) fn ties_into(&self, id: &EntityId) -> Rc<[KnownTie]> {
        if let Some(known) = self.remembered.into.borrow().get(id) {
            return Rc::clone(known);
        }
        let ties: Rc<[KnownTie]> = self.picture.ties_into(id).into();
        let mut into = self.remembered.into.borrow_mut();
        let count = self.remembered.ties.get() + ties.len() + 1;
        if count > TIES_MAX {
            into.clear();
        }
        self.remembered.ties.set(if count > TIES_MAX { ties.len() + 1 } else { count });
        into.insert(id.clone(), Rc::clone(&ties));
        ties
    }

    /// The step that a tie holds.
    pub(crate) fn tie(&self, id: &TieId) -> Option<Arc<Step>> {
        if let Some(known) = self.remembered.steps.borrow().get(id) {
            return known.clone();
        }
        let step = self.picture.tie(id).map(|known| Arc::new(tie_step(self, &known)));
        self.remember(id, step.as_ref());
        step
    }

    /// The same of a tie that most likely runs to a company whose ties are at hand.
    pub(crate) fn tie_into(&self, company: &EntityId, id: &TieId) -> Option<Arc<Step>> {
        if let Some(known) = self.remembered.steps.borrow().get(id) {
            return known.clone();
        }
        let ties = self.ties_into(company);
        let Ok(place) = ties.binary_search_by(|known| known.tie.id.cmp(id)) else { return self.tie(id) };
        let step = Arc::new(tie_step(self, &ties[place]));
        self.remember(id, Some(&step));
        Some(step)
    }

    fn remember(&self, id: &TieId, step: Option<&Arc<Step>>) {
        let mut steps = self.remembered.steps.borrow_mut();
        if steps.len() >= TIES_MAX {
            steps.clear();
        }
        steps.insert(id.clone(), step.cloned());
    }

    /// What a tie costs in a proof that most likely runs to a company whose ties are at hand.
    pub(crate) fn cost(&self, company: &EntityId, id: &TieId) -> u64 {
        if let Some(known) = self.remembered.costs.borrow().get(id) {
            return *known;
        }
        let cost = |known: &KnownTie| ground::cost(known.source.evidence, known.source.confidence);
        let ties = self.ties_into(company);
        let cost = match ties.binary_search_by(|known| known.tie.id.cmp(id)) {
            Ok(place) => cost(&ties[place]),
            Err(_) => self.picture.tie(id).as_ref().map_or(0, cost),
        };
        let mut costs = self.remembered.costs.borrow_mut();
        if costs.len() >= TIES_MAX {
            costs.clear();
        }
        costs.insert(id.clone(), cost);
        cost
    }

    fn look_at(&self, id: &EntityId) -> Nature {
        let described = self.picture.entity(id);
        let about = About::of(described.as_ref(), self.picture.as_of().day);
        let entity = described.unwrap_or_else(|| Entity::new(id.clone(), EntityKind::Unknown));
        let (countries, governed) = self.countries(id, &entity);
        let home = |country: &String| self.settings.home.contains(country);
        let foreign = match (countries.is_empty(), countries.iter().any(home)) {
            (true, _) if self.settings.home.is_empty() => Truth::No,
            (true, _) => Truth::Possible,
            (false, true) => Truth::No,
            (false, false) => Truth::Certain,
        };
        let adverse = countries.iter().map(|country| self.is_adverse(country)).max().unwrap_or(Truth::No);
        let known: Vec<String> = countries.iter().cloned().collect();
        let text = match known.as_slice() {
            [] => format!("no source says to which country {} belongs", entity.name()),
            known => format!("{} belongs to {}", entity.name(), known.join(" and ")),
        };
        let belongs =
            Step::new(text, Claim::Belongs { entity: id.clone(), countries: known }).because(governed);
        let listings =
            self.picture.listings(id).into_iter().filter(|l| l.listing.list != self.settings.adversaries);
        let lists: Vec<(ListId, Truth, Step)> = listings
            .map(|known| (known.listing.list.clone(), known.truth, named_step(entity.name(), &known)))
            .collect();
        let concerned = lists.iter().filter(|(list, ..)| self.settings.concern.contains(list));
        let concern = concerned.map(|(_, truth, _)| *truth).chain([adverse]).max().unwrap_or(adverse);
        let nature = Nature {
            name: entity.name().to_owned(),
            kind: entity.kind,
            foreign,
            adverse,
            concern,
            lists,
            belongs,
            publicly_listed: entity.publicly_listed == Some(true),
            about,
            sectors: entity.sectors.iter().cloned().collect(),
            countries,
        };
        if nature.kind == EntityKind::Concert { self.as_its_parties(id, nature) } else { nature }
    }

    /// Those who act in concert are what all of them are, and may be what one of them is.
    fn as_its_parties(&self, id: &EntityId, mut concert: Nature) -> Nature {
        let party = TieKind::PartyTo { role: PartyRole::Party };
        let into = self.ties_into(id);
        let parties: Vec<(Truth, Rc<Nature>)> = into
            .iter()
            .filter(|known| known.tie.kind == party)
            .map(|known| (known.truth, &known.tie.from))
            // A concert of concerts says nothing of its parties.
            .filter(|(_, from)| self.picture.entity(from).is_none_or(|of| of.kind != EntityKind::Concert))
            .map(|(truth, from)| (truth, self.nature(from)))
            .collect();
        if parties.is_empty() {
            return concert;
        }
        let together = |is: &dyn Fn(&Nature) -> Truth| {
            let all = parties.iter().map(|(truth, party)| is(party).min(*truth));
            let (least, most) = (all.clone().min(), all.max());
            least.unwrap_or(Truth::No).max(most.unwrap_or(Truth::No).min(Truth::Possible))
        };
        concert.foreign = together(&|party| party.foreign);
        concert.adverse = together(&|party| party.adverse).max(concert.adverse);
        concert.concern = together(&|party| party.concern).max(concert.concern);
        let named: BTreeSet<&ListId> =
            parties.iter().flat_map(|(_, party)| party.lists.iter().map(|(list, ..)| list)).collect();
        for list in named {
            let of = |party: &Nature| party.lists.iter().find(|(of, ..)| of == list).cloned();
            let truth = together(&|party| of(party).map_or(Truth::No, |(_, truth, _)| truth));
            let steps = parties.iter().filter_map(|(_, party)| of(party)).map(|(.., step)| step);
            let text = format!("parties of {} are named by the list `{list}`", concert.name);
            concert.lists.push((list.clone(), truth, Step::new(text, Claim::Other).because(steps)));
        }
        concert.belongs = concert.belongs.because(parties.iter().map(|(_, party)| party.belongs.clone()));
        concert
    }

    /// The countries that an entity certainly belongs to, and the ties that say so. Where somebody lives is not where
    /// it belongs.
    fn countries(&self, id: &EntityId, entity: &Entity) -> (BTreeSet<String>, Vec<Step>) {
        let mut countries: BTreeSet<String> = entity.countries.iter().cloned().collect();
        countries.extend(id.as_str().strip_prefix("state:").map(ToOwned::to_owned));
        let mut governed = Vec::new();
        for known in self.ties_into(id).iter() {
            if let (TieKind::Governs { by }, Some(code)) =
                (&known.tie.kind, known.tie.from.as_str().strip_prefix("state:"))
                && known.truth == Truth::Certain
                && *by != Jurisdiction::Residence
            {
                countries.insert(code.to_owned());
                let text = format!("{code} governs {} [{}]", entity.name(), known.tie.id);
                let (tie, from, to) = (known.tie.id.clone(), known.tie.from.clone(), known.tie.to.clone());
                let step = Step::new(text, Claim::Tie { tie, from, to, certain: true });
                let step = step.showing(known, code, entity.name());
                governed.push(step.said_by(&known.statement, known.source.evidence));
            }
        }
        (countries, governed)
    }

    fn is_adverse(&self, country: &str) -> Truth {
        let named = |state: &EntityId| state.as_str().strip_prefix("state:") == Some(country);
        let states = self.parties.adverse_states.iter().filter(|(state, _)| named(state));
        states.map(|(_, truth)| *truth).max().unwrap_or(Truth::No)
    }

    /// Whether it is a party of concern: by itself, or controlled by one.
    pub(crate) fn concern(&self, id: &EntityId) -> Rc<Behind> {
        self.behind(id, &self.concerns, |nature| nature.concern, concern_steps)
    }

    /// Whether it is foreign: by itself, or controlled by somebody who is.
    pub(crate) fn foreign(&self, id: &EntityId) -> Rc<Behind> {
        self.behind(id, &self.foreigners, |nature| nature.foreign, |_, nature| vec![nature.belongs.clone()])
    }

    fn behind(
        &self,
        id: &EntityId,
        known: &RefCell<HashMap<EntityId, Rc<Behind>>>,
        is: fn(&Nature) -> Truth,
        why: fn(&Scene<'_>, &Nature) -> Vec<Step>,
    ) -> Rc<Behind> {
        if let Some(known) = known.borrow().get(id) {
            return Rc::clone(known);
        }
        let nature = self.nature(id);
        let mut behind = Behind { truth: is(&nature), because: why(self, &nature) };
        if behind.truth != Truth::Certain {
            self.controlled_by(id, &mut behind, is, why);
        }
        let behind = Rc::new(behind);
        known.borrow_mut().insert(id.clone(), Rc::clone(&behind));
        behind
    }

    fn controlled_by(
        &self,
        id: &EntityId,
        behind: &mut Behind,
        is: fn(&Nature) -> Truth,
        why: fn(&Scene<'_>, &Nature) -> Vec<Step>,
    ) {
        let ground = self.ground(id);
        for (node, theirs) in self.natures(&ground, |_, glance| glance.matters()) {
            if is(&theirs) <= behind.truth {
                continue;
            }
            let truth = ground.control(node).min(is(&theirs));
            if truth > behind.truth {
                behind.truth = truth;
                let step = || ground.control_step(self, node).because(why(self, &theirs));
                behind.because = self.proofs.then(step).into_iter().collect();
            }
        }
    }
}

/// A scene's picture, with what the scene remembers of it.
struct Remembering<'a, 's>(&'a Scene<'s>);

impl Picture for Remembering<'_, '_> {
    fn as_of(&self) -> AsOf {
        self.0.picture.as_of()
    }

    fn canonical(&self, id: &EntityId) -> EntityId {
        self.0.picture.canonical(id)
    }

    fn entity(&self, id: &EntityId) -> Option<Entity> {
        self.0.picture.entity(id)
    }

    fn about(&self, id: &EntityId) -> About {
        self.0.nature(id).about
    }

    fn ties_into(&self, id: &EntityId) -> Vec<KnownTie> {
        self.0.ties_into(id).to_vec()
    }

    fn each_tie_into(&self, id: &EntityId, see: &mut dyn FnMut(&KnownTie)) {
        self.0.ties_into(id).iter().for_each(see);
    }

    fn ties_out_of(&self, id: &EntityId) -> Vec<KnownTie> {
        self.0.picture.ties_out_of(id)
    }

    fn arrangements(&self, id: &EntityId) -> Vec<KnownTie> {
        self.0.picture.arrangements(id)
    }

    fn tie(&self, id: &TieId) -> Option<KnownTie> {
        self.0.picture.tie(id)
    }

    fn listings(&self, id: &EntityId) -> Vec<KnownListing> {
        self.0.picture.listings(id)
    }

    fn listed_on(&self, list: &ListId) -> Vec<KnownListing> {
        self.0.picture.listed_on(list)
    }

    fn lists(&self) -> Vec<ListId> {
        self.0.picture.lists()
    }
}

/// Why a party is of concern by itself.
fn concern_steps(scene: &Scene<'_>, nature: &Nature) -> Vec<Step> {
    let listed = nature.lists.iter().filter(|(list, ..)| scene.settings.concern.contains(list));
    let best = listed.max_by_key(|(_, truth, _)| *truth).filter(|(_, truth, _)| *truth >= nature.adverse);
    match best {
        Some((_, _, step)) => vec![step.clone()],
        None if nature.adverse != Truth::No => vec![nature.belongs.clone()],
        None => Vec::new(),
    }
}

impl Ground {
    /// The step that a party controls the entity, as far as it does.
    pub(crate) fn control_step(&self, scene: &Scene<'_>, party: Node) -> Step {
        let certain = self.control(party) == Truth::Certain;
        let certainty = if certain { Certainty::Certain } else { Certainty::Possible };
        let because = self.prove(scene, Graph::Control, &[party], Line::MAJORITY, certainty);
        let (controller, company) = (self.entity(party).clone(), self.entities()[0].clone());
        let verb = if certain { "controls" } else { "may control" };
        let text = format!("{} {verb} {}", scene.name(&controller), scene.name(&company));
        Step::new(text, Claim::Controls { controller, company, certain }).because(because)
    }
}

/// The step that a tie holds.
pub(crate) fn tie_step(scene: &Scene<'_>, known: &KnownTie) -> Step {
    let tie = &known.tie;
    let certain = known.truth == Truth::Certain;
    let (from, to) = (scene.name(&tie.from), scene.name(&tie.to));
    let mut text = wording::tie(&from, &to, &tie.kind);
    if let Some(from) = tie.valid.from {
        text.push_str(" since ");
        text.push_str(&from.to_string());
    }
    text.push_str(if certain { " [" } else { " (not certain) [" });
    text.push_str(tie.id.as_str());
    text.push(']');
    let claim = Claim::Tie { tie: tie.id.clone(), from: tie.from.clone(), to: tie.to.clone(), certain };
    Step::new(text, claim).showing(known, &from, &to).said_by(&known.statement, known.source.evidence)
}

/// The step that a list names an entity.
fn named_step(name: &str, known: &KnownListing) -> Step {
    let certain = known.truth == Truth::Certain;
    let listing = &known.listing;
    let since = listing.valid.from.map(|from| format!(" since {from}")).unwrap_or_default();
    let by = known.source.asserted_by.as_ref();
    let by = by.map(|by| format!(", by decision of {by}")).unwrap_or_default();
    let perhaps = if certain { "" } else { " (not certain)" };
    let text = format!("{name} is named by the list `{}`{since}{by}{perhaps}", listing.list);
    let claim = Claim::Named { list: listing.list.clone(), entity: listing.entity.clone(), certain };
    Step::new(text, claim).said_by(&known.statement, known.source.evidence)
}
