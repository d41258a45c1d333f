//! Inward facts: who stands behind the entity, and how much of it is theirs.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashSet;
use ties::derive::What;
use ties::kernel::{Certainty, Line, Node, Part, Through};
use ties::{Day, EntityId, EntityKind, Fraction, ListId, TieKind, Truth};

use crate::facts::{FactName, Facts, Reason, Side, Value};
use crate::ground::{Graph, Ground, PARTS};
use crate::scene::{Glance, Nature, Scene, tie_step};
use crate::step::{Claim, LineShown, Step, is_certain};
use crate::wording;

/// Somebody upstream.
pub(crate) struct Upstream {
    pub(crate) node: Node,
    pub(crate) nature: Rc<Nature>,
}

/// The least and the most that somebody holds through all chains, in basis points, each with the graph that says so.
#[derive(Clone, Copy, Debug)]
struct Held {
    least: (u32, Graph),
    most: (u32, Graph),
    /// Whether it is anything, before it was rounded: ten thousand times nearly nothing is something.
    truth: Truth,
    /// Whether the figures are not only bounds that a closer look may narrow.
    tight: bool,
}

const NOTHING: Held =
    Held { least: (0, Graph::Votes), most: (0, Graph::Votes), truth: Truth::No, tight: true };

impl Held {
    fn of(through: &Through, graph: Graph) -> Self {
        let truth = match (is_any(through.least), is_any(through.most)) {
            (true, _) => Truth::Certain,
            (false, true) => Truth::Possible,
            (false, false) => Truth::No,
        };
        let (least, most) = ((floor(through.least), graph), (ceil(through.most), graph));
        Self { least, most, truth, tight: through.tight }
    }

    /// The larger of both, at each end.
    fn or(self, other: Self) -> Self {
        let larger = |a: (u32, Graph), b: (u32, Graph)| if b.0 > a.0 { b } else { a };
        let (least, most) = (larger(self.least, other.least), larger(self.most, other.most));
        Self { least, most, truth: self.truth.max(other.truth), tight: self.tight && other.tight }
    }

    fn at(self, certainty: Certainty) -> (u32, Graph) {
        match certainty {
            Certainty::Certain => self.least,
            Certainty::Possible => self.most,
        }
    }
}

/// A millionth of a basis point: how far a float that is not exact may miss a whole number and still be taken for it.
const TOLERANCE: f64 = 1e-6;

/// Whole basis points of a number between 0 and 10,000, or near it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is clamped to 0 to 10,000 before it becomes an integer"
)]
fn whole(points: f64) -> u32 {
    points.clamp(0.0, 10_000.0) as u32
}

/// At least so many basis points. Where circles hold more than there is, fractions and floats are different bounds, and
/// both hold.
fn floor(part: Part) -> u32 {
    let near = whole((part.near * 10_000.0 + TOLERANCE).floor());
    match part.exact {
        Some(exact) if is_near(exact, part.near) => at_most_all(exact.basis_points_floor()),
        Some(exact) => at_most_all(exact.basis_points_floor()).max(near),
        None => near,
    }
}

/// At most so many basis points.
fn ceil(part: Part) -> u32 {
    let near = whole((part.near * 10_000.0 - TOLERANCE).ceil());
    match part.exact {
        Some(exact) if is_near(exact, part.near) => at_most_all(exact.basis_points_ceil()),
        Some(exact) => at_most_all(exact.basis_points_ceil()).min(near),
        None => near,
    }
}

fn is_any(part: Part) -> bool {
    part.exact.map_or(part.near > 0.0, |exact| exact > Fraction::ZERO)
}

fn is_near(exact: Fraction, near: f64) -> bool {
    (exact.to_f64() - near).abs() < TOLERANCE / 10_000.0
}

/// Basis points, where what exceeds the whole is the whole.
pub(crate) fn at_most_all(points: u64) -> u32 {
    u32::try_from(points).unwrap_or(10_000).min(10_000)
}

/// How many holders a line names at most; all of them count.
const HOLDERS_SHOWN_MAX: usize = 500;

/// That some hold a part of the entity through all chains.
struct PartHeld {
    from: Vec<Node>,
    graph: Graph,
    points: u32,
    certainty: Certainty,
    /// What they are called together; left out, by their names.
    who: Option<String>,
}

impl PartHeld {
    fn step(&self, scene: &Scene<'_>, ground: &Ground, entity: &EntityId) -> Step {
        let Self { from, graph, points, certainty, who } = self;
        let (graph, points, certainty) = (*graph, *points, *certainty);
        let holders: Vec<EntityId> = from.iter().map(|node| ground.entity(*node).clone()).collect();
        let company = entity.clone();
        let names = who.clone().unwrap_or_else(|| scene.names(&holders));
        let part = if points == 0 { "less than 0.01 %".to_owned() } else { wording::part(points) };
        let up_to = if is_certain(certainty) { "" } else { "possibly up to " };
        let verb = if who.is_none() && holders.len() == 1 { "holds" } else { "together hold" };
        let text = format!("{names} {verb} {up_to}{part} of {} through all chains", scene.name(&company));
        let certain = is_certain(certainty);
        let natures = holders.iter().take(HOLDERS_SHOWN_MAX).map(|id| why(scene, &scene.nature(id)));
        let natures: Vec<Step> = natures.collect();
        let left_out = holders.len().saturating_sub(HOLDERS_SHOWN_MAX);
        let more = (left_out > 0)
            .then(|| Step::new("and more holders, who are left out here", Claim::More { lines: left_out }));
        let claim = Claim::LooksThrough { holders, company, of: graph, points, certain };
        Step::new(text, claim)
            .because(ground.chain_steps(scene, graph, from, certainty))
            .because(natures)
            .because(more)
    }
}

/// Why a party matters: the list that makes it one of concern, or its country.
fn why(scene: &Scene<'_>, nature: &Nature) -> Step {
    let concern = &scene.settings.concern;
    let listed = nature.lists.iter().filter(|(list, ..)| concern.contains(list));
    let best = listed.max_by_key(|(_, truth, _)| *truth).filter(|(_, truth, _)| *truth > nature.adverse);
    best.map_or_else(|| nature.belongs.clone(), |(_, _, step)| step.clone())
}

pub(crate) struct Inward<'a, 's> {
    pub(crate) scene: &'a Scene<'s>,
    pub(crate) ground: &'a Rc<Ground>,
    pub(crate) entity: &'a EntityId,
    /// Those of whom a rule may ask, in the order of the nodes.
    pub(crate) upstream: Vec<Upstream>,
    /// By node.
    held: Vec<Option<Held>>,
}

pub(crate) fn look(scene: &Scene<'_>, ground: &Rc<Ground>, entity: &EntityId, facts: &mut Facts) {
    let inward = Inward::new(scene, ground, entity);
    inward.holdings(facts);
    inward.governments(facts);
    inward.controllers(facts);
    inward.groups(facts);
    inward.lists(facts);
    inward.rights(facts);
    inward.unknown(facts);
    inward.lines(facts);
    inward.gaps(facts);
}

impl<'a, 's> Inward<'a, 's> {
    fn new(scene: &'a Scene<'s>, ground: &'a Rc<Ground>, entity: &'a EntityId) -> Self {
        let asked = |node, glance: Glance| glance.matters() || glance.may_own() || ground.is_open_end(node);
        let natures = scene.natures(ground, asked);
        let upstream: Vec<Upstream> = natures.map(|(node, nature)| Upstream { node, nature }).collect();
        let mut is_wanted = vec![false; ground.entities().len()];
        for party in &upstream {
            is_wanted[party.node as usize] = true;
        }
        let wanted = |node: Node| is_wanted.get(node as usize) == Some(&true);
        let mut held: Vec<Option<Held>> = vec![None; ground.entities().len()];
        for &graph in ground.parts() {
            let found = ground.inside(graph).map(|inside| inside.look_through_by(&wanted));
            for (node, through) in found.into_iter().flatten() {
                let (so_far, more) = (&mut held[node as usize], Held::of(&through, graph));
                *so_far = Some(so_far.map_or(more, |held| held.or(more)));
            }
        }
        Self { scene, ground, entity, upstream, held }
    }

    fn held(&self, node: Node) -> Held {
        self.held[node as usize].unwrap_or(NOTHING)
    }

    /// Sets a number to the largest part of those that count, each as certainly as `counts` says.
    fn largest(&self, facts: &mut Facts, name: FactName, counts: impl Fn(&Nature) -> Truth) {
        for certainty in [Certainty::Certain, Certainty::Possible] {
            let wanted = truth_of(certainty);
            let parties = self.upstream.iter().filter(|party| counts(&party.nature) >= wanted);
            let mut bounds: Vec<(u32, Node)> =
                parties.map(|party| (self.held(party.node).at(certainty).0, party.node)).collect();
            bounds.sort_by_key(|(points, node)| (std::cmp::Reverse(*points), *node));
            let mut best: Option<((u32, Graph), Node)> = None;
            for (bound, node) in bounds.into_iter().take_while(|(bound, _)| *bound > 0) {
                if best.is_some_and(|((points, _), _)| points >= bound) {
                    break;
                }
                let held = self.held_together(&[node], certainty);
                if held.0 > 0 && best.is_none_or(|((points, _), _)| held.0 > points) {
                    best = Some((held, node));
                }
            }
            if let Some(((points, graph), node)) = best {
                let part = PartHeld { from: vec![node], graph, points, certainty, who: None };
                facts.number(name, side_of(certainty), points, || self.part_later(part));
            }
        }
    }

    /// The step that some hold a part through all chains.
    fn part_step(&self, from: Node, graph: Graph, points: u32, certainty: Certainty) -> Step {
        let part = PartHeld { from: vec![from], graph, points, certainty, who: None };
        part.step(self.scene, self.ground, self.entity)
    }

    /// The same, when it is asked for.
    fn part_later(&self, part: PartHeld) -> Reason {
        let (ground, entity) = (Rc::clone(self.ground), self.entity.clone());
        Rc::new(move |scene: &Scene<'_>| part.step(scene, &ground, &entity))
    }

    fn holdings(&self, facts: &mut Facts) {
        self.largest(facts, FactName::ForeignHolding, |nature| nature.foreign);
        let person =
            |nature: &Nature| if nature.kind == EntityKind::Person { Truth::Certain } else { Truth::No };
        self.largest(facts, FactName::BeneficialOwner, person);
    }

    fn governments(&self, facts: &mut Facts) {
        for party in self.upstream.iter().filter(|party| party.nature.is_government()) {
            let held = self.held(party.node);
            let truth = party.nature.foreign.min(held.truth);
            let certainty = if truth == Truth::Certain { Certainty::Certain } else { Certainty::Possible };
            let step = || {
                let (points, graph) = self.held_together(&[party.node], certainty);
                self.part_step(party.node, graph, points, certainty)
            };
            facts.flag(FactName::ForeignGovernment, truth, step);
        }
    }

    /// Who controls the entity, among those of whom a rule may ask.
    fn controllers(&self, facts: &mut Facts) {
        use FactName as F;
        let mut allied = None;
        for party in self.upstream.iter().filter(|party| party.nature.matters()) {
            let nature = &party.nature;
            let control = self.ground.control(party.node);
            if control == Truth::No {
                continue;
            }
            let step = || self.ground.control_step(self.scene, party.node);
            let foreign = control.min(nature.foreign);
            facts.flag(F::ForeignControl, foreign, || step().because([nature.belongs.clone()]));
            if foreign == Truth::Certain {
                let theirs = &self.scene.settings.allied;
                let is_allied = nature.countries.iter().any(|country| theirs.contains(country));
                allied = Some(allied.unwrap_or(true) && is_allied);
            }
            let adverse = control.min(nature.adverse);
            facts.flag(F::AdversaryControl, adverse, || step().because([nature.belongs.clone()]));
            let concern = control.min(nature.concern);
            facts.flag(F::ConcernControl, concern, || step().because([why(self.scene, nature)]));
            for (list, named, why) in &nature.lists {
                let truth = control.min(*named);
                facts.word(F::Controlled, truth, list, || step().because([why.clone()]));
            }
        }
        if let Some(allied) = allied {
            facts.told(F::Allied, Value::Flag(allied));
        }
    }

    /// Facts that several parties carry together: by country, by adversity, by concern.
    fn groups(&self, facts: &mut Facts) {
        let mut countries: BTreeMap<&str, Vec<(Node, Truth)>> = BTreeMap::new();
        let (mut adverse, mut concern, mut foreign) = (Vec::new(), Vec::new(), Vec::new());
        for Upstream { node, nature } in &self.upstream {
            for (members, truth) in [
                (&mut foreign, nature.foreign),
                (&mut adverse, nature.adverse),
                (&mut concern, nature.concern),
            ] {
                members.extend((truth != Truth::No).then_some((*node, truth)));
            }
            if nature.foreign != Truth::No {
                for country in &nature.countries {
                    countries.entry(country).or_default().push((*node, nature.foreign));
                }
            }
        }
        // Those of whom nobody knows where they belong may all belong to one country, and to any.
        let nowhere = || foreign.iter().filter(|(_, truth)| *truth == Truth::Possible).copied();
        for members in countries.values_mut() {
            members.extend(nowhere());
        }
        if countries.is_empty() && !foreign.is_empty() {
            countries.insert("one country", nowhere().collect());
        }
        let countries =
            countries.into_iter().map(|(country, members)| (format!("persons of {country}"), members));
        self.largest_group(facts, FactName::ForeignCountryHolding, &countries.collect::<Vec<_>>());
        let adverse = vec![("persons of adverse states".to_owned(), adverse)];
        self.largest_group(facts, FactName::AdversaryHolding, &adverse);
        self.largest_group(facts, FactName::ConcernHolding, &[("parties of concern".to_owned(), concern)]);
        self.direct_votes(facts, &foreign);
    }

    /// Sets a number to the largest part that one of the groups holds through all chains.
    fn largest_group(&self, facts: &mut Facts, name: FactName, groups: &[(String, Vec<(Node, Truth)>)]) {
        for certainty in [Certainty::Certain, Certainty::Possible] {
            let mut found: Vec<(u64, &str, Vec<Node>)> = Vec::new();
            for (who, members) in groups {
                let counts = members.iter().filter(|(_, truth)| *truth >= truth_of(certainty));
                let nodes: Vec<Node> = counts
                    .map(|(node, _)| *node)
                    .filter(|node| self.held(*node).truth >= truth_of(certainty))
                    .collect();
                // What each holds, added up, is never less than what they hold together, but for what was rounded off.
                let sum = nodes.iter().map(|node| u64::from(self.held(*node).at(certainty).0) + 1).sum();
                found.push((sum, who, nodes));
            }
            found.sort_by_key(|(sum, ..)| std::cmp::Reverse(*sum));
            let mut best: Option<((u32, Graph), &str, &[Node])> = None;
            for (sum, who, nodes) in &found {
                if nodes.is_empty() || best.is_some_and(|((points, _), ..)| u64::from(points) >= *sum) {
                    break;
                }
                let held = self.held_together(nodes, certainty);
                if held.0 > 0 && best.is_none_or(|((points, _), ..)| held.0 > points) {
                    best = Some((held, who, nodes));
                }
            }
            if let Some(((points, graph), who, nodes)) = best {
                let (from, who) = (nodes.to_vec(), Some(who.to_owned()));
                let part = PartHeld { from, graph, points, certainty, who };
                facts.number(name, side_of(certainty), points, || self.part_later(part));
            }
        }
    }

    /// What some hold together through all chains, by the graph that says more. Whoever stands behind another one of
    /// them is not counted again.
    fn held_together(&self, nodes: &[Node], certainty: Certainty) -> (u32, Graph) {
        if let [node] = nodes
            && self.held(*node).tight
        {
            return self.held(*node).at(certainty);
        }
        let held = self.ground.parts().iter().filter_map(|&graph| {
            let through = self.ground.inside(graph)?.look_through(nodes);
            Some(Held::of(&through, graph))
        });
        held.reduce(Held::or).unwrap_or(NOTHING).at(certainty)
    }

    /// The votes that foreign persons hold directly.
    fn direct_votes(&self, facts: &mut Facts, foreign: &[(Node, Truth)]) {
        let votes = self.ground.holdings(Graph::Votes);
        for certainty in [Certainty::Certain, Certainty::Possible] {
            let counts = foreign.iter().filter(|(_, truth)| *truth >= truth_of(certainty));
            let seeds: Vec<Node> =
                counts.map(|(node, _)| *node).filter(|node| votes.holding(*node, 0).is_some()).collect();
            if seeds.is_empty() {
                continue;
            }
            let (least, most) = self.ground.direct(Graph::Votes, &seeds, certainty);
            let points = at_most_all(match certainty {
                Certainty::Certain => least.at.basis_points_floor(),
                Certainty::Possible => most.at.basis_points_ceil(),
            });
            if points == 0 {
                continue;
            }
            let step = || {
                let group: Vec<EntityId> =
                    seeds.iter().map(|node| self.ground.entity(*node).clone()).collect();
                let held = Fraction::basis_points(points).to_string();
                let (company, certain) = (self.entity.clone(), is_certain(certainty));
                let natures: Vec<Step> = group
                    .iter()
                    .map(|id| self.scene.nature(id).belongs.clone())
                    .take(HOLDERS_SHOWN_MAX)
                    .collect();
                let claim = Claim::Holds { group, company, of: Graph::Votes, held, certain, line: None };
                let up_to = if certain { "" } else { "possibly up to " };
                let part = wording::part(points);
                Step::new(format!("foreign persons directly hold {up_to}{part} of the votes"), claim)
                    .because(self.ground.direct_steps(self.scene, Graph::Votes, &seeds))
                    .because(natures)
            };
            facts.add(FactName::ForeignVotes, truth_of(certainty), &Value::Number(points), step);
        }
    }

    /// The lists that name it, reach it by the 50 % closure, or of which one entry alone holds more than half.
    fn lists(&self, facts: &mut Facts) {
        use FactName as F;
        for (list, truth, step) in &self.scene.nature(self.entity).lists {
            facts.word(F::Listed, *truth, list, || step.clone());
        }
        for (list, seeds) in self.seeds() {
            for certainty in [Certainty::Certain, Certainty::Possible] {
                let nodes: Vec<Node> = named(&seeds, certainty);
                if self.is_blocking(&list) && !nodes.is_empty() {
                    let line = Line::HALF_OR_MORE;
                    let closure = self.ground.closure(Graph::Money, &nodes, line, certainty);
                    if closure.contains(0) {
                        let step = || self.reach_step(&list, Graph::Money, &nodes, line, certainty);
                        facts.word(F::Chain, truth_of(certainty), &list, step);
                    }
                }
            }
            for (node, truth, step) in &seeds {
                let held = self.held(*node).truth.min(*truth);
                facts.word(F::Touched, held, &list, || self.touch_step(*node, held, step));
                for graph in PARTS {
                    let reach = self.ground.alone(graph, *node).truth;
                    let alone = reach.min(*truth);
                    let certainty =
                        if alone == Truth::Certain { Certainty::Certain } else { Certainty::Possible };
                    let step = || self.reach_step(&list, graph, &[*node], Line::MAJORITY, certainty);
                    facts.word(F::Alone, alone, &list, step);
                }
            }
        }
    }

    /// Whom each list names upstream.
    pub(crate) fn seeds(&self) -> BTreeMap<ListId, Vec<(Node, Truth, Step)>> {
        let mut seeds: BTreeMap<ListId, Vec<(Node, Truth, Step)>> = BTreeMap::new();
        for Upstream { node, nature } in &self.upstream {
            for (list, truth, step) in &nature.lists {
                seeds.entry(list.clone()).or_default().push((*node, *truth, step.clone()));
            }
        }
        seeds
    }

    /// Whether the 50 % rules start from a list.
    pub(crate) fn is_blocking(&self, list: &ListId) -> bool {
        let blocked = &self.scene.settings.blocked;
        blocked.is_empty() || blocked.contains(list)
    }

    fn touch_step(&self, node: Node, truth: Truth, named: &Step) -> Step {
        let certainty = if truth == Truth::Certain { Certainty::Certain } else { Certainty::Possible };
        let (points, graph) = self.held_together(&[node], certainty);
        self.part_step(node, graph, points, certainty).because([named.clone()])
    }

    /// The step that parties of a list reach the entity.
    fn reach_step(
        &self,
        list: &ListId,
        graph: Graph,
        seeds: &[Node],
        line: Line,
        certainty: Certainty,
    ) -> Step {
        let steps = self.ground.prove(self.scene, graph, seeds, line, certainty);
        let carry = |id: &EntityId| steps.iter().any(|step| step.claim.has_holder(id));
        let mut from: Vec<EntityId> = seeds.iter().map(|node| self.ground.entity(*node).clone()).collect();
        from.retain(|id| carry(id));
        let of_list = |id: &EntityId| {
            let nature = self.scene.nature(id);
            let named = nature.lists.iter().find(|(of, ..)| of == list);
            named.map(|(_, _, step)| step.clone())
        };
        let named: Vec<Step> = from.iter().filter_map(of_list).collect();
        let (company, certain) = (self.entity.clone(), is_certain(certainty));
        let verb = if certain { "reaches" } else { "may reach" };
        let what = if graph == Graph::Money { "ownership" } else { "votes" };
        let text = format!(
            "the list `{list}` {verb} {} by {what}, {} on every level",
            self.scene.name(&company),
            wording::line(line)
        );
        let claim = Claim::Reaches { from, company, of: graph, line: LineShown::from(line), certain };
        Step::new(text, claim).because(steps).because(named)
    }

    /// Rights that need no shares: appointments and options, in the entity and in whoever at home controls it.
    fn rights(&self, facts: &mut Facts) {
        self.rights_in(self.entity, facts, Truth::Certain, &|| None);
        for parent in self.parents() {
            let id = self.ground.entity(parent);
            let into = self.scene.ties_into(id);
            if into.iter().any(|known| right(&known.tie.kind, self.scene.day()).is_some()) {
                let control = self.ground.control(parent);
                let step = || Some(self.ground.control_step(self.scene, parent));
                self.rights_in(id, facts, control, &step);
            }
        }
    }

    /// Those who alone hold the majority of the votes of the entity, of that one, and so on upwards, as far as they are
    /// not foreign themselves.
    fn parents(&self) -> Vec<Node> {
        let votes = self.ground.holdings(Graph::Votes);
        let (mut chain, mut seen, mut company) = (Vec::new(), <HashSet<Node>>::from([0]), 0);
        while let Some(majority) = votes.holdings_of(company).find(|held| held.lo.at > Fraction::HALF) {
            company = majority.holder;
            if !seen.insert(company)
                || self.scene.nature(self.ground.entity(company)).foreign == Truth::Certain
            {
                break;
            }
            chain.push(company);
        }
        chain
    }

    fn rights_in(
        &self,
        company: &EntityId,
        facts: &mut Facts,
        control: Truth,
        why: &dyn Fn() -> Option<Step>,
    ) {
        for known in self.scene.ties_into(company).iter() {
            let Some(name) = right(&known.tie.kind, self.scene.day()) else { continue };
            let theirs = self.scene.foreign(&known.tie.from);
            let step = || tie_step(self.scene, known).because(theirs.because.iter().cloned()).because(why());
            facts.flag(name, theirs.truth.min(known.truth).min(control), step);
        }
    }

    /// What is not known, and what contradicts itself.
    fn unknown(&self, facts: &mut Facts) {
        let name = self.scene.name(self.entity);
        for certainty in [Certainty::Certain, Certainty::Possible] {
            // What cannot be followed to a person, a state or the public is undisclosed for certain: unknown is not clean.
            let hidden = self.upstream.iter().filter(|party| party.hides_somebody(self));
            let nodes: Vec<Node> = hidden.map(|party| party.node).collect();
            let (mut points, graph) =
                if nodes.is_empty() { (0, Graph::Votes) } else { self.held_together(&nodes, certainty) };
            let missing = self.missing(certainty);
            points = points.saturating_add(missing).min(10_000);
            if points == 0 {
                continue;
            }
            let certain = is_certain(certainty);
            let up_to = if certain { "" } else { "possibly up to " };
            let text = format!("{up_to}{} of {name} is held by nobody knows whom", wording::part(points));
            let claim = Claim::Undisclosed { company: self.entity.clone(), points, certain };
            let ground = Rc::clone(self.ground);
            let reason = || -> Reason {
                Rc::new(move |scene: &Scene<'_>| {
                    let because = ground.chain_steps(scene, graph, &nodes, certainty);
                    Step::new(text.as_str(), claim.clone()).because(because)
                })
            };
            facts.number(FactName::Undisclosed, side_of(certainty), points, reason);
        }
        facts.hides |= self.ground.rests_on_rights();
        if self.ground.cone.cut_short {
            let text = format!("more stands behind {name} than can be walked; it counts as unknown");
            facts.possibly(FactName::Undisclosed, &Value::Number(10_000), || Step::new(text, Claim::Other));
        }
        self.contradictions(facts);
    }

    /// What contradicts itself about those who hold or control the entity. Somebody who is named upstream and has
    /// nothing of it is none of its owners.
    fn contradictions(&self, facts: &mut Facts) {
        let mut found =
            self.ground.cone.irregularities.iter().filter(|found| contradicts(found.what)).peekable();
        if found.peek().is_none() {
            return;
        }
        let owners = self.ground.owners();
        for irregular in found {
            if self.ground.cone.node(&irregular.company).is_none_or(|node| !owners.contains(&node)) {
                continue;
            }
            let company = self.scene.name(&irregular.company);
            let text = format!("what is said of the holders of {company} contradicts itself");
            let ties = irregular.ties.iter().filter_map(|tie| self.scene.tie(tie));
            let step =
                || Step::new(text, Claim::Other).because(ties).because(self.leads_here(&irregular.company));
            facts.flag(FactName::Conflicted, Truth::Certain, step);
        }
    }

    /// The ties by which a company upstream has anything to do with the entity: without them, what is said of it would
    /// be nobody's concern.
    fn leads_here(&self, company: &EntityId) -> Vec<Arc<Step>> {
        let Some(node) = self.ground.cone.node(company).filter(|node| *node != 0) else { return Vec::new() };
        let chains = [Graph::Control, Graph::Money]
            .map(|graph| self.ground.chain_steps(self.scene, graph, &[node], Certainty::Possible));
        let [mut steps, by_money] = chains;
        for step in by_money {
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
        steps
    }

    /// The votes of the entity itself that nobody is known to hold, in basis points: the least or the most. Shares of a
    /// listed company are dispersed, which is another thing than hidden, and nobody holds a person or a state.
    pub(crate) fn missing(&self, certainty: Certainty) -> u32 {
        let votes = self.ground.holdings(Graph::Votes);
        let nature = self.scene.nature(self.entity);
        if votes.terms(0).complete || nature.publicly_listed || nature.cannot_be_owned() {
            return 0;
        }
        let all: Vec<Node> = votes.holders(0).collect();
        let none = votes.closure_where(&all, Line::MAJORITY, Certainty::Certain, &|_, _| false);
        let nearness = votes.nearness(&none, 0);
        at_most_all(match certainty {
            Certainty::Possible => nearness.undisclosed.basis_points_ceil(),
            Certainty::Certain if nearness.group.is_empty() => 10_000,
            Certainty::Certain => {
                let rest = Fraction::ONE.checked_sub(nearness.most.at);
                rest.unwrap_or(Fraction::ZERO).basis_points_floor()
            }
        })
    }

    pub(crate) fn matter(&self, counts: impl Fn(&Nature) -> Truth) -> Vec<(Node, Truth)> {
        let parties = self.upstream.iter().map(|party| (party.node, counts(&party.nature)));
        parties.filter(|(_, truth)| *truth != Truth::No).collect()
    }
}

impl Upstream {
    /// Whether nobody knows who it is, or who stands behind it, and somebody must.
    pub(crate) fn hides_somebody(&self, inward: &Inward<'_, '_>) -> bool {
        inward.is_open_end(self.node)
            && !self.nature.publicly_listed
            && !self.nature.cannot_be_owned()
            && !inward.ground.holdings(Graph::Control).terms(self.node).complete
    }
}

impl Inward<'_, '_> {
    pub(crate) fn is_open_end(&self, node: Node) -> bool {
        self.ground.is_open_end(node)
    }
}

/// What a right or prospect of a foreign person amounts to. An option that can no longer be exercised is none.
fn right(kind: &TieKind, day: Day) -> Option<FactName> {
    match kind {
        TieKind::MayAcquire { window, .. } if window.to.is_some_and(|to| day >= to.settled()) => None,
        TieKind::Appoints(right) if !right.observer => Some(FactName::ForeignAppoints),
        TieKind::MayAcquire { .. } => Some(FactName::ForeignProspect),
        TieKind::Plans(plan) if plan.votes.is_some() => Some(FactName::ForeignProspect),
        TieKind::Holds(_)
        | TieKind::Appoints(_)
        | TieKind::Directs { .. }
        | TieKind::Consolidates { .. }
        | TieKind::Venture
        | TieKind::PartyTo { .. }
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

/// Whether something irregular is a contradiction, and not only something left out.
pub(crate) fn contradicts(what: What) -> bool {
    match what {
        What::VotesOverFull
        | What::MoneyOverFull
        | What::TooFine
        | What::VotesDisputed
        | What::MoneyDisputed
        | What::TooMuch => true,
        What::ShortRegister | What::SummaryLeftOut | What::SummaryDoubted => false,
    }
}

/// Those whom a list names, certainly or at least possibly.
pub(crate) fn named(seeds: &[(Node, Truth, Step)], certainty: Certainty) -> Vec<Node> {
    let counts = seeds.iter().filter(|(_, truth, _)| *truth >= truth_of(certainty));
    counts.map(|(node, ..)| *node).collect()
}

/// Which value of a fact an answer of the arithmetic is.
fn side_of(certainty: Certainty) -> Side {
    match certainty {
        Certainty::Certain => Side::Certain,
        Certainty::Possible => Side::Possible,
    }
}

/// How true an answer of the arithmetic is.
pub(crate) fn truth_of(certainty: Certainty) -> Truth {
    match certainty {
        Certainty::Certain => Truth::Certain,
        Certainty::Possible => Truth::Possible,
    }
}
