//! Inward facts: who stands behind the entity, and how much of it is theirs.

use std::collections::{BTreeMap, BTreeSet};

use ties::kernel::{Certainty, Closure, Line, Node};
use ties::{EntityId, EntityKind, ListId, TieKind, Truth};

use crate::dealings::flag;
use crate::facts::{FactName, Facts, Value};
use crate::ground::{Ground, Measure};
use crate::scene::{MEASURES, Nature, Scene, edge_steps, tie_step};
use crate::step::{Claim, Step};
use crate::wording;

/// Parts of the entity that each node upstream of it holds through all chains, in basis points: least and most.
type Parts = Vec<(u32, u32)>;

struct Inward<'a, 's> {
    scene: &'a Scene<'s>,
    ground: &'a Ground,
    entity: &'a EntityId,
    parts: BTreeMap<Measure, Parts>,
}

pub(crate) fn look(scene: &Scene<'_>, ground: &Ground, entity: &EntityId, facts: &mut Facts) {
    let parts = MEASURES.into_iter().map(|measure| (measure, ground.parts(measure))).collect();
    let inward = Inward { scene, ground, entity, parts };
    for (index, id) in ground.entities().iter().enumerate().skip(1) {
        let node = u32::try_from(index).unwrap_or(u32::MAX);
        inward.party(node, id, facts);
    }
    inward.groups(facts);
    inward.lists(facts);
    inward.rights(facts);
    inward.unknown(facts);
}

impl Inward<'_, '_> {
    /// The larger of what it holds of the votes and of the money: least and most, and by which measure.
    fn part(&self, node: Node) -> (u32, u32, Measure) {
        let of = |measure| self.parts[&measure].get(node as usize).copied().unwrap_or((0, 0));
        let (votes, money) = (of(Measure::Votes), of(Measure::Money));
        let measure = if money.0 > votes.0 { Measure::Money } else { Measure::Votes };
        (votes.0.max(money.0), votes.1.max(money.1), measure)
    }

    fn part_step(&self, node: Node, id: &EntityId) -> Step {
        let (least, most, measure) = self.part(node);
        let held = self.scene.name(self.entity);
        let text = format!(
            "{} holds {} of {held} through all chains",
            self.scene.name(id),
            wording::range(least, most)
        );
        let (holder, company) = (id.clone(), self.entity.clone());
        let ties = self.ground.chain(measure, node);
        let claim = Claim::LooksThrough { holder, company, least, most };
        Step::new(text, claim).because(edge_steps(self.scene, &ties))
    }

    /// Facts that one party alone carries.
    fn party(&self, node: Node, id: &EntityId, facts: &mut Facts) {
        use FactName as F;
        let nature = self.scene.nature(id);
        let (least, most, _) = self.part(node);
        let beneficial = nature.kind == EntityKind::Person;
        if most == 0 && nature.foreign == Truth::No && !beneficial && nature.lists.is_empty() {
            return;
        }
        let step = || self.part_step(node, id).because([nature.belongs.clone()]);
        number(facts, F::ForeignHolding, nature.foreign, (least, most), step);
        if beneficial {
            number(facts, F::BeneficialOwner, Truth::Certain, (least, most), || self.part_step(node, id));
        }
        if nature.is_government() && most > 0 {
            let truth = nature.foreign.min(if least > 0 { Truth::Certain } else { Truth::Possible });
            flag(facts, F::ForeignGovernment, truth, step);
        }
        self.control(node, id, &nature, facts);
        if most > 0 {
            for (list, named, why) in &nature.lists {
                let truth = (*named).min(if least > 0 { Truth::Certain } else { Truth::Possible });
                words(facts, F::Touched, truth, list, || self.part_step(node, id).because([why.clone()]));
            }
        }
    }

    /// Whether it controls the entity; asked only of those for whom it matters.
    fn control(&self, node: Node, id: &EntityId, nature: &Nature, facts: &mut Facts) {
        use FactName as F;
        let of_concern = nature.lists.iter().any(|(list, ..)| self.scene.settings.concern.contains(list));
        if nature.foreign == Truth::No && nature.adverse == Truth::No && nature.lists.is_empty() {
            return;
        }
        let control = self.ground.control(node);
        if control == Truth::No {
            return;
        }
        let step = || self.ground.control_step(self.scene, id, control).because([nature.belongs.clone()]);
        flag(facts, F::ForeignControl, control.min(nature.foreign), step);
        if control.min(nature.foreign) == Truth::Certain {
            let allied = nature.countries.iter().any(|country| self.scene.settings.allied.contains(country));
            let before = facts.get(F::Allied).is_none_or(|fact| fact.certain == Value::Flag(true));
            facts.told(F::Allied, Value::Flag(allied && before));
        }
        flag(facts, F::AdversaryControl, control.min(nature.adverse), step);
        for (list, named, why) in &nature.lists {
            let step = || self.ground.control_step(self.scene, id, control).because([why.clone()]);
            words(facts, F::Controlled, control.min(*named), list, step);
            if of_concern && self.scene.settings.concern.contains(list) {
                flag(facts, F::ConcernControl, control.min(*named), step);
            }
        }
        if nature.adverse != Truth::No {
            flag(facts, F::ConcernControl, control.min(nature.adverse), step);
        }
    }

    /// Facts that several parties carry together: by country, by adversity, by concern.
    fn groups(&self, facts: &mut Facts) {
        use FactName as F;
        let mut countries: BTreeMap<String, Vec<(Node, Truth)>> = BTreeMap::new();
        let (mut foreign, mut adverse, mut concern) = (Vec::new(), Vec::new(), Vec::new());
        for (index, id) in self.ground.entities().iter().enumerate().skip(1) {
            let node = u32::try_from(index).unwrap_or(u32::MAX);
            let nature = self.scene.nature(id);
            if nature.foreign != Truth::No {
                foreign.push((node, nature.foreign));
                for country in &nature.countries {
                    countries.entry(country.clone()).or_default().push((node, nature.foreign));
                }
            }
            if nature.adverse != Truth::No {
                adverse.push((node, nature.adverse));
            }
            let listed = nature.lists.iter().filter(|(list, ..)| self.scene.settings.concern.contains(list));
            if let Some(truth) = listed.map(|(_, truth, _)| *truth).chain([nature.adverse]).max()
                && truth != Truth::No
            {
                concern.push((node, truth));
            }
        }
        for (country, members) in countries {
            let who = format!("persons of {country}");
            self.group(facts, F::ForeignCountryHolding, &members, &who);
        }
        self.group(facts, F::AdversaryHolding, &adverse, "persons of adverse states");
        self.group(facts, F::ConcernHolding, &concern, "parties of concern");
        self.direct(facts, F::ForeignVotes, &foreign);
    }

    /// What a group holds through all chains. A member behind another one is not counted twice: only the members next
    /// to the entity on each chain count.
    fn group(&self, facts: &mut Facts, name: FactName, members: &[(Node, Truth)], who: &str) {
        if members.is_empty() {
            return;
        }
        let (mut least, mut most) = (0, 0);
        let mut because = Vec::new();
        for measure in MEASURES {
            let certain: BTreeSet<Node> =
                members.iter().filter(|(_, truth)| *truth == Truth::Certain).map(|(node, _)| *node).collect();
            let all: BTreeSet<Node> = members.iter().map(|(node, _)| *node).collect();
            let (low, _) = self.ground.part_of_group(measure, &certain);
            let (_, high) = self.ground.part_of_group(measure, &all);
            if low > least || (because.is_empty() && low > 0) {
                let ties: BTreeSet<_> =
                    certain.iter().flat_map(|node| self.ground.chain(measure, *node)).collect();
                because = edge_steps(self.scene, &ties.into_iter().collect::<Vec<_>>());
                because.extend(certain.iter().filter_map(|node| {
                    let id = self.ground.entity_of(*node)?;
                    let nature = self.scene.nature(id);
                    let named = nature.lists.first().map(|(_, _, step)| step.clone());
                    Some(named.unwrap_or_else(|| nature.belongs.clone()))
                }));
            }
            (least, most) = (least.max(low), most.max(high));
        }
        let text = format!("{who} hold {} of {}", wording::range(least, most), self.scene.name(self.entity));
        let group = members.iter().filter_map(|(node, _)| self.ground.entity_of(*node).cloned()).collect();
        let claim =
            Claim::Holds { group, company: self.entity.clone(), measure: "either", least, most, line: None };
        let step = || Step::new(text.clone(), claim.clone()).because(because.clone());
        number(facts, name, Truth::Certain, (least, most), step);
    }

    fn direct(&self, facts: &mut Facts, name: FactName, members: &[(Node, Truth)]) {
        let register = self.ground.register(Measure::Votes, 0);
        let certain: Vec<Node> =
            members.iter().filter(|(_, truth)| *truth == Truth::Certain).map(|(node, _)| *node).collect();
        let all: Vec<Node> = members.iter().map(|(node, _)| *node).collect();
        let (least, _) = self.ground.sum(Measure::Votes, register, &certain);
        let (_, most) = self.ground.sum(Measure::Votes, register, &all);
        let text = format!("foreign persons directly hold {} of the votes", wording::range(least, most));
        let ties: Vec<_> = all.iter().flat_map(|node| self.ground.ties(*node, 0).to_vec()).collect();
        let step = || Step::new(text.clone(), Claim::Other).because(edge_steps(self.scene, &ties));
        number(facts, name, Truth::Certain, (least, most), step);
    }

    /// The lists that name it, reach it by the 50 % closure, or of which one entry alone holds more than half.
    fn lists(&self, facts: &mut Facts) {
        use FactName as F;
        for (list, truth, step) in &self.scene.nature(self.entity).lists {
            words(facts, F::Listed, *truth, list, || step.clone());
        }
        let mut seeds: BTreeMap<ListId, Vec<(Node, Truth, Step)>> = BTreeMap::new();
        for (index, id) in self.ground.entities().iter().enumerate() {
            let node = u32::try_from(index).unwrap_or(u32::MAX);
            for (list, truth, step) in &self.scene.nature(id).lists {
                seeds.entry(list.clone()).or_default().push((node, *truth, step.clone()));
            }
        }
        let blocked = &self.scene.settings.blocked;
        for (list, seeds) in seeds {
            let starts = blocked.is_empty() || blocked.contains(&list);
            for certainty in [Certainty::Certain, Certainty::Possible] {
                let named = |(_, truth, _): &&(Node, Truth, Step)| {
                    certainty == Certainty::Possible || *truth == Truth::Certain
                };
                let nodes: Vec<Node> =
                    seeds.iter().filter(named).map(|(node, ..)| *node).filter(|node| *node != 0).collect();
                let truth = if certainty == Certainty::Certain { Truth::Certain } else { Truth::Possible };
                if starts && !nodes.is_empty() {
                    let holdings = self.ground.holdings(Measure::Money);
                    let closure = holdings.closure(&nodes, Line::HALF_OR_MORE, certainty);
                    if closure.contains(0) {
                        words(facts, F::Chain, truth, &list, || {
                            self.reached(&list, &closure, Measure::Money, &seeds)
                        });
                    }
                }
                for node in nodes {
                    for measure in MEASURES {
                        let closure =
                            self.ground.holdings(measure).closure(&[node], Line::MAJORITY, certainty);
                        if closure.contains(0) {
                            words(facts, F::Alone, truth, &list, || {
                                self.reached(&list, &closure, measure, &seeds)
                            });
                        }
                    }
                }
            }
        }
    }

    fn reached(
        &self,
        list: &ListId,
        closure: &Closure,
        measure: Measure,
        seeds: &[(Node, Truth, Step)],
    ) -> Step {
        let steps = self.ground.closure_steps(self.scene, closure, measure, 0);
        let groups: BTreeSet<&EntityId> = steps
            .iter()
            .filter_map(|step| match &step.claim {
                Claim::Holds { group, .. } => Some(group),
                _ => None,
            })
            .flatten()
            .collect();
        let named = seeds
            .iter()
            .filter(|(node, ..)| self.ground.entity_of(*node).is_some_and(|id| groups.contains(id)))
            .map(|(_, _, step)| step.clone());
        let text = format!("the list `{list}` reaches {}", self.scene.name(self.entity));
        let claim = Claim::Named { list: list.clone(), entity: self.entity.clone() };
        // The claim is of reaching, not of being named: what carries it stands below.
        let claim = if steps.is_empty() { claim } else { Claim::Other };
        Step::new(text, claim).because(steps.iter().cloned()).because(named)
    }

    /// Rights that need no shares: appointments, options.
    fn rights(&self, facts: &mut Facts) {
        use FactName as F;
        for known in self.scene.picture.ties_into(self.entity) {
            let name = match &known.tie.kind {
                TieKind::Appoints(right) if !right.observer => F::ForeignAppoints,
                TieKind::MayAcquire { .. } => F::ForeignProspect,
                TieKind::Plans(plan) if plan.votes.is_some() => F::ForeignProspect,
                _ => continue,
            };
            let theirs = self.scene.nature(&known.tie.from);
            let step = || tie_step(self.scene, &known).because([theirs.belongs.clone()]);
            flag(facts, name, theirs.foreign.min(known.truth), step);
        }
    }

    /// What is not known, and what contradicts itself.
    fn unknown(&self, facts: &mut Facts) {
        use FactName as F;
        let own = self.scene.nature(self.entity);
        let mut least = 0_u32;
        let mut because = Vec::new();
        for (index, id) in self.ground.entities().iter().enumerate().skip(1) {
            let node = u32::try_from(index).unwrap_or(u32::MAX);
            if self.scene.nature(id).kind == EntityKind::Unknown
                && self.scene.picture.ties_into(id).is_empty()
            {
                let part = self.part(node).0;
                if part > 0 {
                    least = least.saturating_add(part);
                    because.push(self.part_step(node, id));
                }
            }
        }
        let register = self.ground.register(Measure::Votes, 0);
        let holders: Vec<Node> = self.ground.holdings(Measure::Votes).holders(register).collect();
        let (known, _) = self.ground.sum(Measure::Votes, register, &holders);
        let dispersed = own.publicly_listed;
        let complete = self.ground.holdings(Measure::Votes).terms(register).complete;
        let open = if complete || dispersed { 0 } else { 10_000_u32.saturating_sub(known) };
        let most = least.saturating_add(open).min(10_000);
        let name = &own.name;
        let text = |points| format!("{} of {name} is held by nobody knows whom", wording::part(points));
        let step = || Step::new(text(least), Claim::Other).because(because.clone());
        if least > 0 {
            facts.certainly(F::Undisclosed, &Value::Number(least.min(10_000)), step());
        }
        if most > least {
            facts.possibly(F::Undisclosed, &Value::Number(most), Step::new(text(most), Claim::Other));
        }
        if self.ground.cut_short {
            let text = format!("more stands behind {name} than can be walked; it counts as unknown");
            facts.possibly(F::Undisclosed, &Value::Number(10_000), Step::new(text, Claim::Other));
        }
        for (company, ties) in &self.ground.conflicts {
            let text =
                format!("what is said of the holders of {} contradicts itself", self.scene.name(company));
            let step = Step::new(text, Claim::Other).because(edge_steps(self.scene, ties));
            facts.certainly(F::Conflicted, &Value::Flag(true), step);
        }
    }
}

/// Adds a number, as certain as the party's nature is.
fn number(
    facts: &mut Facts,
    name: FactName,
    truth: Truth,
    (least, most): (u32, u32),
    step: impl Fn() -> Step,
) {
    if truth == Truth::Certain && least > 0 && facts.certain(name) < Value::Number(least) {
        facts.certainly(name, &Value::Number(least), step());
    }
    if truth != Truth::No && most > 0 && facts.possible(name) < Value::Number(most) {
        facts.possibly(name, &Value::Number(most), step());
    }
}

/// Adds a list, as certain as it is.
fn words(facts: &mut Facts, name: FactName, truth: Truth, list: &ListId, step: impl FnOnce() -> Step) {
    let value = Value::Words([list.to_string()].into());
    let contains = |value: &Value| matches!(value, Value::Words(words) if words.contains(list.as_str()));
    match truth {
        Truth::Certain if !contains(&facts.certain(name)) => facts.certainly(name, &value, step()),
        Truth::Possible if !contains(&facts.possible(name)) => facts.possibly(name, &value, step()),
        Truth::Certain | Truth::Possible | Truth::No => {}
    }
}
