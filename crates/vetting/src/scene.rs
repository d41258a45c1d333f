//! The scene of a decision: a picture of the ties, and the words of the programme applied to it.
//!
//! "Foreign", "adverse" and "of concern" are the programme's words (`[vetting]` of `programme.toml`). This module says
//! who is what, with the reason, and remembers it: a party that a thousand members have to do with is looked at once.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use programme::VettingSettings;
use ties::{Entity, EntityId, EntityKind, Jurisdiction, KnownTie, ListId, Picture, TieId, TieKind, Truth};

use crate::ground::{Ground, Measure};
use crate::step::{Claim, Step};

/// What an entity is in the programme's words.
#[derive(Clone, Debug)]
pub(crate) struct Nature {
    pub(crate) name: String,
    pub(crate) kind: EntityKind,
    pub(crate) countries: BTreeSet<String>,
    /// Belongs to no home country. Possible, if it is not known to belong to any.
    pub(crate) foreign: Truth,
    /// Belongs to a state on the list of adversaries.
    pub(crate) adverse: Truth,
    /// The lists that name it.
    pub(crate) lists: Vec<(ListId, Truth, Step)>,
    /// Why it is foreign or adverse.
    pub(crate) belongs: Step,
    pub(crate) publicly_listed: bool,
    pub(crate) sectors: BTreeSet<String>,
}

impl Nature {
    pub(crate) fn is_government(&self) -> bool {
        matches!(self.kind, EntityKind::State | EntityKind::StateBody)
    }
}

/// Whether something is a party of concern, and why.
#[derive(Clone, Debug)]
pub(crate) struct Concern {
    pub(crate) truth: Truth,
    pub(crate) because: Vec<Step>,
}

/// A picture, and what the programme makes of it.
pub(crate) struct Scene<'s> {
    pub(crate) picture: &'s dyn Picture,
    pub(crate) settings: &'s VettingSettings,
    adverse_states: Vec<(EntityId, Truth)>,
    natures: RefCell<HashMap<EntityId, Rc<Nature>>>,
    concerns: RefCell<HashMap<EntityId, Rc<Concern>>>,
    grounds: RefCell<HashMap<EntityId, Rc<Ground>>>,
}

/// How many cones of ties a scene keeps at hand.
const GROUNDS_MAX: usize = 256;

impl<'s> Scene<'s> {
    pub(crate) fn new(picture: &'s dyn Picture, settings: &'s VettingSettings) -> Self {
        let states = picture.listed_on(&settings.adversaries).into_iter();
        let adverse_states = states.map(|known| (known.listing.entity, known.truth)).collect();
        Self {
            picture,
            settings,
            adverse_states,
            natures: RefCell::default(),
            concerns: RefCell::default(),
            grounds: RefCell::default(),
        }
    }

    pub(crate) fn nature(&self, id: &EntityId) -> Rc<Nature> {
        if let Some(known) = self.natures.borrow().get(id) {
            return Rc::clone(known);
        }
        let nature = Rc::new(self.look_at(id));
        self.natures.borrow_mut().insert(id.clone(), Rc::clone(&nature));
        nature
    }

    pub(crate) fn name(&self, id: &EntityId) -> String {
        self.nature(id).name.clone()
    }

    /// What lies upstream of an entity.
    pub(crate) fn ground(&self, id: &EntityId) -> Rc<Ground> {
        if let Some(known) = self.grounds.borrow().get(id) {
            return Rc::clone(known);
        }
        let ground = Rc::new(Ground::upstream(self.picture, id));
        let mut grounds = self.grounds.borrow_mut();
        if grounds.len() >= GROUNDS_MAX {
            grounds.clear();
        }
        grounds.insert(id.clone(), Rc::clone(&ground));
        ground
    }

    fn look_at(&self, id: &EntityId) -> Nature {
        let described = self.picture.entity(id);
        let entity = described.unwrap_or_else(|| Entity::new(id.clone(), EntityKind::Unknown));
        let mut countries: BTreeSet<String> = entity.countries.iter().cloned().collect();
        let mut belongs = Step::new("", Claim::Other);
        if let Some(code) = id.as_str().strip_prefix("state:") {
            countries.insert(code.to_owned());
        }
        for known in self.picture.ties_into(id) {
            if let (TieKind::Governs { by }, Some(code)) =
                (&known.tie.kind, known.tie.from.as_str().strip_prefix("state:"))
                && known.truth == Truth::Certain
                && *by != Jurisdiction::Residence
            {
                countries.insert(code.to_owned());
                belongs.because.push(tie_step(self, &known));
            }
        }
        let home = |country: &String| self.settings.home.contains(country);
        let foreign = match (countries.is_empty(), countries.iter().any(home)) {
            (true, _) if self.settings.home.is_empty() => Truth::No,
            (true, _) => Truth::Possible,
            (false, true) => Truth::No,
            (false, false) => Truth::Certain,
        };
        let adverse = countries.iter().map(|country| self.is_adverse(country)).max().unwrap_or(Truth::No);
        let list = countries.iter().cloned().collect::<Vec<_>>();
        belongs.text = match list.as_slice() {
            [] => format!("no source says to which country {} belongs", entity.name()),
            list => format!("{} belongs to {}", entity.name(), list.join(" and ")),
        };
        belongs.claim = Claim::Belongs { entity: id.clone(), countries: list };
        let lists =
            self.picture.listings(id).into_iter().filter(|l| l.listing.list != self.settings.adversaries);
        let lists = lists.map(|known| {
            let since = known.listing.valid.from.map(|from| format!(" since {from}")).unwrap_or_default();
            let by = known
                .source
                .asserted_by
                .as_ref()
                .map(|by| format!(", by decision of {by}"))
                .unwrap_or_default();
            let text = format!("{} is named by the list `{}`{since}{by}", entity.name(), known.listing.list);
            let claim = Claim::Named { list: known.listing.list.clone(), entity: id.clone() };
            (known.listing.list, known.truth, Step::new(text, claim).said_by(&known.statement))
        });
        Nature {
            name: entity.name().to_owned(),
            kind: entity.kind,
            foreign,
            adverse,
            lists: lists.collect(),
            belongs,
            publicly_listed: entity.publicly_listed == Some(true),
            sectors: entity.sectors.iter().cloned().collect(),
            countries,
        }
    }

    fn is_adverse(&self, country: &str) -> Truth {
        let named = |state: &EntityId| state.as_str().strip_prefix("state:") == Some(country);
        self.adverse_states
            .iter()
            .filter(|(state, _)| named(state))
            .map(|(_, truth)| *truth)
            .max()
            .unwrap_or(Truth::No)
    }

    /// Whether it is of concern by itself: on a list of concern, or of an adverse state.
    fn concern_alone(&self, id: &EntityId) -> Concern {
        let nature = self.nature(id);
        let mut concern = Concern { truth: Truth::No, because: Vec::new() };
        for (_, truth, step) in nature.lists.iter().filter(|(list, ..)| self.settings.concern.contains(list))
        {
            concern.truth = concern.truth.max(*truth);
            concern.because.push(step.clone());
        }
        if nature.adverse != Truth::No {
            concern.truth = concern.truth.max(nature.adverse);
            concern.because.push(nature.belongs.clone());
        }
        concern
    }

    /// Whether it is a party of concern: by itself, or controlled by one.
    pub(crate) fn concern(&self, id: &EntityId) -> Rc<Concern> {
        if let Some(known) = self.concerns.borrow().get(id) {
            return Rc::clone(known);
        }
        let mut concern = self.concern_alone(id);
        if concern.truth != Truth::Certain {
            let ground = self.ground(id);
            for (controller, truth) in ground.controllers() {
                let theirs = self.concern_alone(&controller);
                let both = theirs.truth.min(truth);
                if both != Truth::No {
                    concern.truth = concern.truth.max(both);
                    concern
                        .because
                        .push(ground.control_step(self, &controller, truth).because(theirs.because));
                }
            }
        }
        let concern = Rc::new(concern);
        self.concerns.borrow_mut().insert(id.clone(), Rc::clone(&concern));
        concern
    }
}

/// The step that a tie holds.
pub(crate) fn tie_step(scene: &Scene<'_>, known: &KnownTie) -> Step {
    let tie = &known.tie;
    let since = tie.valid.from.map(|from| format!(" since {from}")).unwrap_or_default();
    let (from, to) = (scene.name(&tie.from), scene.name(&tie.to));
    let perhaps = if known.truth == Truth::Possible { " (not certain)" } else { "" };
    let text = format!("{}{since}{perhaps} [{}]", crate::wording::tie(&from, &to, &tie.kind), tie.id);
    let claim = Claim::Tie { tie: tie.id.clone(), from: tie.from.clone(), to: tie.to.clone() };
    Step::new(text, claim).said_by(&known.statement)
}

/// The step that one of the ties that an edge of the ground rests on holds.
pub(crate) fn edge_steps(scene: &Scene<'_>, ties: &[TieId]) -> Vec<Step> {
    ties.iter().filter_map(|tie| scene.picture.tie(tie)).map(|known| tie_step(scene, &known)).collect()
}

/// Which of the two measures says more.
pub(crate) const MEASURES: [Measure; 2] = [Measure::Votes, Measure::Money];
