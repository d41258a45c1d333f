//! Look-through: how much of a company is somebody's in the end.
//!
//! Percentages multiply along a chain, and chains add up. X holds 60 % of A and 20 % of C, A holds 40 % of C: X looks
//! through to `20 % + 60 % x 40 % = 44 %` of C. With circles it is a system of linear equations, one for each company:
//! *its part* is the sum, over its holders, of the holder's part times what the holder holds (Brioschi, Buzzacchi and Colombo 1989;
//! Chapelle and Szafarz 2005), where the part of a source is one. Stock that a company holds in itself is divided out.
//!
//! It is a number for *disclosure* tests at 5, 10 or 25 %. It is not control, and it is not the blocking rule; it can
//! exceed what is held directly: of 51 % held in A, with 30 % of A held by A's own 51 % subsidiary, X has 60.2 %.
//!
//! Of a joint holding ([`Terms::each_whole`]) each holder has the whole, so a set of sources has the largest part that any
//! of its holders is looked through to; inside a circle their parts are added up to at most one, which is a bound.
//!
//! With ranges, a part grows with every share, so the least is the part at all least shares, and the most at all most
//! shares. Where these cannot all be so at once (the most shares of one company exceed the whole), the answer
//! is a bound, and says so: [`Through::tight`].
//!
//! A circle that holds itself entirely has no owner outside; its equations have no one solution.
//! [`Holdings::ownerless`] finds such circles, and their part is nobody's.
//!
//! Passes over everything count in floats, in one direction, without subtractions except where a circle is solved. A question
//! about one company also counts in fractions, as long as 64 bits hold them, and only those are compared with a
//! line exactly.

use super::cone::Cone;
use super::holdings::{Builder, Holdings, Node, Terms};
use super::line::{Units, Weight};
use super::order::Order;
use super::solve::{Link, solve_exactly, solve_nearly, solve_uncapped};
use super::table::NodeMap;
use crate::Fraction;

/// Which end of the ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The least that can be.
    Least,
    /// The most.
    Most,
}

/// A part of a company.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// To about twelve digits.
    pub near: f64,
    /// The number itself, unless it is too fine for 64 bits.
    pub exact: Option<Fraction>,
}

/// Up to so many sources in circles are solved one by one; in a national register no circle has more than a few.
pub const CIRCULAR_EXACTLY_MAX: usize = 64;

/// How near a float has to come to a line to leave it open on which side it is.
const UNDECIDED: f64 = 1e-9;

impl Part {
    /// Whether it is at least, or if `strict` more than, `line`. `None` if it is too near to say and not exact.
    #[must_use]
    pub fn meets(&self, line: super::Line) -> Option<bool> {
        if let Some(exact) = self.exact {
            return Some(if line.strict { exact > line.at } else { exact >= line.at });
        }
        let distance = self.near - line.at.to_f64();
        (distance.abs() > UNDECIDED).then_some(distance > 0.0)
    }
}

/// What a source looks through to in a company.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Through {
    pub least: Part,
    pub most: Part,
    /// Whether both ends can be reached; otherwise the truth lies between them, maybe short of them.
    pub tight: bool,
}

impl Holdings {
    /// What a set of sources looks through to in every node, sources themselves being one. One pass.
    #[must_use]
    pub fn look_through(&self, order: &Order, sources: &[Node], side: Side) -> Vec<f64> {
        let mut parts = vec![0.0_f64; self.nodes() as usize];
        let mut is_source = vec![false; self.nodes() as usize];
        for &source in sources.iter().filter(|&&source| source < self.nodes()) {
            parts[source as usize] = 1.0;
            is_source[source as usize] = true;
        }
        for component in order.components() {
            if let [company] = *component {
                if !is_source[company as usize] {
                    parts[company as usize] = self.part_of_one(company, side, &parts);
                }
            } else {
                self.parts_of_circle(component, side, &is_source, &mut parts);
            }
        }
        parts
    }

    fn part_of_one(&self, company: Node, side: Side, parts: &[f64]) -> f64 {
        let units = self.units(company);
        let mut sum = 0.0;
        let mut own = 0.0;
        for (holder, weight) in self.all_holders(company) {
            if holder == company {
                own = units.flow(weight, side);
            } else if parts[holder as usize] > 0.0 {
                let part = parts[holder as usize];
                if units.each_whole {
                    sum = f64::max(sum, part);
                } else {
                    sum += part * units.flow(weight, side);
                }
            }
        }
        if own > 0.0 && sum > 0.0 {
            sum = if own < 1.0 { sum / (1.0 - own) } else { 1.0 };
        }
        sum.min(1.0)
    }

    fn parts_of_circle(&self, circle: &[Node], side: Side, is_source: &[bool], parts: &mut [f64]) {
        let places: NodeMap<usize> = circle.iter().enumerate().map(|(place, &node)| (node, place)).collect();
        let mut given = vec![0.0; circle.len()];
        let mut links = Vec::new();
        for (place, &company) in circle.iter().enumerate() {
            if is_source[company as usize] {
                given[place] = 1.0;
                continue;
            }
            let units = self.units(company);
            for (holder, weight) in self.all_holders(company) {
                let flow = units.flow(weight, side);
                match places.get(&holder) {
                    Some(&from) if flow > 0.0 => links.push(Link { from, to: place, weight: flow }),
                    Some(_) => {}
                    None => given[place] += parts[holder as usize] * flow,
                }
            }
        }
        for (&node, part) in circle.iter().zip(solve_nearly(&given, &links)) {
            parts[node as usize] = part;
        }
    }

    /// Circles, single companies among them, that hold themselves entirely: they have no owner outside.
    #[must_use]
    pub fn ownerless(&self, order: &Order) -> Vec<Vec<Node>> {
        let closed = |component: &&[Node]| {
            let inside: super::table::NodeSet = component.iter().copied().collect();
            component.iter().all(|&company| {
                let units = self.units(company);
                units.total.lo == units.one && self.holders(company).all(|holder| inside.contains(&holder))
            })
        };
        order.components().filter(closed).map(<[Node]>::to_vec).collect()
    }

    /// What some sources look through to in one company. Walks only what is upstream of it.
    #[must_use]
    pub fn look_through_to(&self, sources: &[Node], company: Node) -> Option<Through> {
        let cone = self.upstream(company);
        let (small, nodes) = self.within(&cone)?;
        let numbers: NodeMap<Node> = (0..).zip(&nodes).map(|(number, &node)| (node, number)).collect();
        let sources: Vec<Node> = sources.iter().filter_map(|source| numbers.get(source).copied()).collect();
        let order = Order::new(&small);
        let part = |side: Side| {
            let near = small.look_through(&order, &sources, side)[0];
            Part { near, exact: small.exact_part(&order, &sources, side) }
        };
        Some(Through { least: part(Side::Least), most: part(Side::Most), tight: small.is_tight() })
    }

    /// Who owns a company in the end: everyone upstream who is held by nobody known, with what they look through to,
    /// in order of their numbers. What is missing to the whole is not disclosed.
    #[must_use]
    pub fn owners(&self, company: Node) -> Vec<(Node, Through)> {
        let cone = self.upstream(company);
        let Some((small, nodes)) = self.within(&cone) else { return Vec::new() };
        let order = Order::new(&small);
        let tight = small.is_tight();
        let (least, most) = (small.backwards(&order, Side::Least), small.backwards(&order, Side::Most));
        let roots = nodes.iter().zip(least.into_iter().zip(most)).filter(|(node, _)| !self.is_held(**node));
        let mut owners: Vec<(Node, Through)> = roots
            .map(|(&node, (least, most))| (node, Through { least, most, tight }))
            .filter(|(node, through)| through.most.near > 0.0 && *node != company)
            .collect();
        owners.sort_unstable_by_key(|(node, _)| *node);
        owners
    }

    /// What each of those upstream of a company whom `wanted` names looks through to in it, in order of their numbers:
    /// for each the same as [`look_through_to`](Self::look_through_to), in one pass for all who are in no circle. Of
    /// those in circles the first [`CIRCULAR_EXACTLY_MAX`] are asked one by one; the others get bounds.
    #[must_use]
    pub fn look_through_by(&self, company: Node, wanted: &dyn Fn(Node) -> bool) -> Vec<(Node, Through)> {
        let cone = self.upstream(company);
        let Some((small, nodes)) = self.within(&cone) else { return Vec::new() };
        let order = Order::new(&small);
        let tight = small.is_tight();
        let circular: super::table::NodeSet = order.circles().flatten().copied().collect();
        let (least, most) = (small.backwards(&order, Side::Least), small.backwards(&order, Side::Most));
        let mut one_by_one = 0;
        let mut short = None;
        let mut found: Vec<(Node, Through)> = Vec::new();
        for (number, (&node, (least, most))) in (0..).zip(nodes.iter().zip(least.into_iter().zip(most))) {
            if node == company || most.near <= 0.0 || !wanted(node) {
                continue;
            }
            let mut through = Through { least, most, tight };
            // A source counts as one, so what comes back to it through a circle does not count again.
            if circular.contains(&number) || small.holding(number, number).is_some() {
                one_by_one += 1;
                if one_by_one <= CIRCULAR_EXACTLY_MAX {
                    let alone = |side: Side| Part {
                        near: small.look_through(&order, &[number], side)[0],
                        exact: small.exact_part(&order, &[number], side),
                    };
                    through = Through { least: alone(Side::Least), most: alone(Side::Most), tight };
                } else {
                    let short =
                        short.get_or_insert_with(|| small.by_shortest_chains(&cone_distances(&small)));
                    let least = Part { near: f64::min(short[number as usize], 1.0), exact: None };
                    through = Through { least, most, tight: false };
                }
            }
            found.push((node, through));
        }
        found.sort_unstable_by_key(|(node, _)| *node);
        found
    }

    /// For every node of a cone, what it contributes to node 0 through chains that come nearer with each link: no more
    /// than it looks through to, since none of them runs in a circle.
    fn by_shortest_chains(&self, distances: &[(Node, u32)]) -> Vec<f64> {
        let mut away = vec![u32::MAX; self.nodes() as usize];
        for &(node, distance) in distances {
            away[node as usize] = distance;
        }
        let mut parts = vec![0.0; self.nodes() as usize];
        parts[0] = 1.0;
        for &(company, distance) in distances {
            let units = self.units(company);
            for (holder, weight) in self.voters(company) {
                if away[holder as usize] == distance + 1 {
                    parts[holder as usize] += parts[company as usize] * units.flow(weight, Side::Least);
                }
            }
        }
        parts
    }

    /// The ties of a cone alone, renumbered by their place in it: the company is 0.
    fn within(&self, cone: &Cone) -> Option<(Holdings, Vec<Node>)> {
        let nodes = cone.nodes().to_vec();
        if nodes.is_empty() {
            return None;
        }
        let numbers: NodeMap<Node> = (0..).zip(&nodes).map(|(number, &node)| (node, number)).collect();
        let mut builder = Builder::new(super::holdings::number(nodes.len()));
        for (number, &company) in (0..).zip(&nodes) {
            for holding in self.holdings_of(company) {
                let holder = *numbers.get(&holding.holder)?;
                builder.tie_between(holder, number, holding.lo, holding.hi);
            }
            if self.terms(company) != Terms::default() {
                builder.terms(number, self.terms(company)).ok()?;
            }
        }
        Some((builder.build(), nodes))
    }

    fn is_tight(&self) -> bool {
        (0..self.nodes()).all(|company| {
            let units = self.units(company);
            let exact = units.total.lo == units.total.hi;
            !units.conflicted && (exact || (units.total.hi <= units.one && !units.complete))
        })
    }

    fn all_holders(&self, company: Node) -> impl Iterator<Item = (Node, Weight)> + '_ {
        let idle = self.units(company).idle;
        let own = (idle != Weight::default()).then_some((company, idle));
        self.voters(company).chain(own)
    }

    /// The part of node 0, in fractions.
    fn exact_part(&self, order: &Order, sources: &[Node], side: Side) -> Option<Fraction> {
        let mut parts = vec![Fraction::ZERO; self.nodes() as usize];
        for &source in sources {
            parts[source as usize] = Fraction::ONE;
        }
        for component in order.components() {
            let places: NodeMap<usize> =
                component.iter().enumerate().map(|(place, &node)| (node, place)).collect();
            let mut given = vec![Fraction::ZERO; component.len()];
            let mut links = Vec::new();
            for (place, &company) in component.iter().enumerate() {
                if sources.contains(&company) {
                    given[place] = Fraction::ONE;
                    continue;
                }
                let units = self.units(company);
                if units.each_whole && component.len() > 1 {
                    return None;
                }
                for (holder, weight) in self.all_holders(company) {
                    let weight = units.exact_flow(weight, side)?;
                    match places.get(&holder) {
                        Some(&from) => links.push(Link { from, to: place, weight }),
                        None if units.each_whole => given[place] = given[place].max(parts[holder as usize]),
                        None => {
                            let part = parts[holder as usize].checked_mul(weight)?;
                            given[place] = given[place].checked_add(part)?;
                        }
                    }
                }
            }
            for (&node, part) in component.iter().zip(solve_exactly(&given, &links)?) {
                parts[node as usize] = part.min(Fraction::ONE);
            }
        }
        Some(parts[0])
    }

    /// For every node of a cone, what it contributes to node 0: the same sum over chains, told from the other end.
    fn backwards(&self, order: &Order, side: Side) -> Vec<Part> {
        let mut near = vec![0.0; self.nodes() as usize];
        let mut exact: Vec<Option<Fraction>> = vec![Some(Fraction::ZERO); self.nodes() as usize];
        near[0] = 1.0;
        exact[0] = Some(Fraction::ONE);
        for component in order.components().rev() {
            let places: NodeMap<usize> =
                component.iter().enumerate().map(|(place, &node)| (node, place)).collect();
            let given: Vec<f64> = component.iter().map(|&node| near[node as usize]).collect();
            let given_exactly: Option<Vec<Fraction>> =
                component.iter().map(|&node| exact[node as usize]).collect();
            let (mut links, mut exact_links) = (Vec::new(), Some(Vec::new()));
            for (place, &company) in component.iter().enumerate() {
                let units = self.units(company);
                for (holder, weight) in self.all_holders(company) {
                    if let Some(&to) = places.get(&holder) {
                        links.push(Link { from: place, to, weight: units.flow(weight, side) });
                        let weight = units.exact_flow(weight, side);
                        exact_links = exact_links.zip(weight).map(|(mut links, weight)| {
                            links.push(Link { from: place, to, weight });
                            links
                        });
                    }
                }
            }
            // Chains into one company sum to more than one where its own circle runs through it: cap at the end.
            let solved = solve_uncapped(&given, &links);
            let solved_exactly =
                given_exactly.zip(exact_links).and_then(|(given, links)| solve_exactly(&given, &links));
            for (place, &company) in component.iter().enumerate() {
                near[company as usize] = solved[place];
                exact[company as usize] = solved_exactly.as_ref().map(|solved| solved[place]);
                self.pass_back(company, &places, side, &mut near, &mut exact);
            }
        }
        let part = |(near, exact): (f64, Option<Fraction>)| Part {
            near: near.min(1.0),
            exact: exact.map(|exact| exact.min(Fraction::ONE)),
        };
        near.into_iter().zip(exact).map(part).collect()
    }

    /// Adds what a company contributes to what its holders outside its circle do.
    fn pass_back(
        &self,
        company: Node,
        places: &NodeMap<usize>,
        side: Side,
        near: &mut [f64],
        exact: &mut [Option<Fraction>],
    ) {
        let units = self.units(company);
        for (holder, weight) in self.all_holders(company) {
            if places.contains_key(&holder) {
                continue;
            }
            near[holder as usize] += near[company as usize] * units.flow(weight, side);
            let flow = exact[company as usize].zip(units.exact_flow(weight, side));
            let flow = flow.and_then(|(part, weight)| part.checked_mul(weight));
            let sum = exact[holder as usize].zip(flow);
            exact[holder as usize] = sum.and_then(|(sum, flow)| sum.checked_add(flow));
        }
    }
}

/// The nodes of a cone in order of how many links they are away from node 0.
fn cone_distances(cone: &Holdings) -> Vec<(Node, u32)> {
    let mut found = vec![(0, 0)];
    let mut met: super::table::NodeSet = std::iter::once(0).collect();
    let mut next = 0;
    while let Some(&(node, distance)) = found.get(next) {
        next += 1;
        for holder in cone.holders(node) {
            if met.insert(holder) {
                found.push((holder, distance + 1));
            }
        }
    }
    found
}

impl Units {
    /// The weight that counts at one end of the ranges: as far as the other holders leave room, or leave it to
    /// this one to fill.
    fn at_side(&self, weight: Weight, side: Side) -> u64 {
        match side {
            _ if self.each_whole => self.one,
            Side::Least if self.conflicted => 0,
            Side::Least if self.complete => weight.lo.max(self.one.saturating_sub(self.total.hi - weight.hi)),
            Side::Least => weight.lo,
            Side::Most if self.conflicted => weight.hi.min(self.one),
            Side::Most => weight.hi.min(self.one.saturating_sub(self.total.lo - weight.lo)),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "passes over everything count in floats")]
    fn flow(&self, weight: Weight, side: Side) -> f64 {
        let weight = self.at_side(weight, side);
        let whole = (weight + ((1 << self.shift) >> 1)) >> self.shift;
        whole as f64 / (self.one >> self.shift) as f64
    }

    fn exact_flow(&self, weight: Weight, side: Side) -> Option<Fraction> {
        let weight = self.at_side(weight, side);
        let whole = (weight + ((1 << self.shift) >> 1)) >> self.shift;
        Fraction::new(whole, self.one >> self.shift).ok()
    }
}
