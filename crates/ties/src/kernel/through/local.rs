//! Look-through of one company: inside its cone, and in fractions as far as they go.

use super::super::cone::Cone;
use super::super::holdings::{Builder, Holdings, Node, Terms, number};
use super::super::order::Order;
use super::super::solve::{Link, solve_exactly, solve_uncapped};
use super::super::table::{NodeMap, NodeSet};
use super::{CIRCULAR_EXACTLY_MAX, Part, Side, Through};
use crate::Fraction;

/// One company's cone, laid out to be looked through again and again.
#[derive(Debug)]
pub struct Inside {
    small: Holdings,
    /// The nodes of the whole, in the order of their numbers here; the company is the first.
    nodes: Vec<Node>,
    numbers: NodeMap<Node>,
    order: Order,
    tight: bool,
    /// Whether no share is a range, so that the least is the most.
    exact: bool,
}

impl Inside {
    /// What some sources look through to in the company.
    #[must_use]
    pub fn look_through(&self, sources: &[Node]) -> Through {
        let sources: Vec<Node> =
            sources.iter().filter_map(|source| self.numbers.get(source).copied()).collect();
        self.both(|side| self.part(&sources, side))
    }

    /// An answer at both ends of the ranges.
    fn both(&self, part: impl Fn(Side) -> Part) -> Through {
        let least = part(Side::Least);
        let most = if self.exact { least } else { part(Side::Most) };
        Through { least, most, tight: self.tight }
    }

    fn part(&self, sources: &[Node], side: Side) -> Part {
        let near = self.small.look_through(&self.order, sources, side)[0];
        Part { near, exact: self.small.exact_part(&self.order, sources, side) }
    }

    /// What each of those upstream whom `wanted` names looks through to in the company, in order of their numbers: for
    /// each the same as [`look_through`](Self::look_through), in one pass for all who are in no circle. Of those in
    /// circles the first [`CIRCULAR_EXACTLY_MAX`] are asked one by one; the others get bounds.
    #[must_use]
    pub fn look_through_by(&self, wanted: &dyn Fn(Node) -> bool) -> Vec<(Node, Through)> {
        let Self { small, nodes, order, tight, .. } = self;
        let tight = *tight;
        let circular: NodeSet = order.circles().flatten().copied().collect();
        let least = small.backwards(order, Side::Least);
        let most = if self.exact { least.clone() } else { small.backwards(order, Side::Most) };
        let mut one_by_one = 0;
        let mut short = None;
        let mut found: Vec<(Node, Through)> = Vec::new();
        for (number, (&node, (least, most))) in (0..).zip(nodes.iter().zip(least.into_iter().zip(most))) {
            if number == 0 || most.near <= 0.0 || !wanted(node) {
                continue;
            }
            let mut through = Through { least, most, tight };
            // A source counts as one, so what comes back to it through a circle does not count again.
            if circular.contains(&number) || small.holding(number, number).is_some() {
                one_by_one += 1;
                if one_by_one <= CIRCULAR_EXACTLY_MAX {
                    through = self.both(|side| self.part(&[number], side));
                } else {
                    let short = short.get_or_insert_with(|| small.by_shortest_chains(&cone_distances(small)));
                    let least = Part { near: f64::min(short[number as usize], 1.0), exact: None };
                    through = Through { least, most, tight: false };
                }
            }
            found.push((node, through));
        }
        found.sort_unstable_by_key(|(node, _)| *node);
        found
    }
}

impl Holdings {
    /// The cone of a company, laid out for looking through; `None` for a node that does not exist.
    #[must_use]
    pub fn inside(&self, company: Node) -> Option<Inside> {
        let (small, nodes) = self.within(&self.upstream(company))?;
        let numbers: NodeMap<Node> = (0..).zip(&nodes).map(|(number, &node)| (node, number)).collect();
        let (order, tight, exact) = (Order::new(&small), small.is_tight(), small.is_exact());
        Some(Inside { small, nodes, numbers, order, tight, exact })
    }

    /// What some sources look through to in one company. Walks only what is upstream of it.
    #[must_use]
    pub fn look_through_to(&self, sources: &[Node], company: Node) -> Option<Through> {
        self.inside(company).map(|inside| inside.look_through(sources))
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

    /// What each of those upstream of a company whom `wanted` names looks through to in it; see
    /// [`Inside::look_through_by`].
    #[must_use]
    pub fn look_through_by(&self, company: Node, wanted: &dyn Fn(Node) -> bool) -> Vec<(Node, Through)> {
        self.inside(company).map_or_else(Vec::new, |inside| inside.look_through_by(wanted))
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
        if nodes.len() == self.nodes() as usize && (0..).zip(&nodes).all(|(number, &node)| number == node) {
            // All of it lies upstream, and in this order already.
            return Some((self.clone(), nodes));
        }
        let numbers: NodeMap<Node> = (0..).zip(&nodes).map(|(number, &node)| (node, number)).collect();
        let mut builder = Builder::new(number(nodes.len()));
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

    /// Whether every register counts alike at both ends of the ranges.
    fn is_exact(&self) -> bool {
        (0..self.nodes()).all(|company| {
            let units = self.units(company);
            units.each_whole || (!units.conflicted && units.total.lo == units.total.hi)
        })
    }

    /// The part of node 0, in fractions.
    fn exact_part(&self, order: &Order, sources: &[Node], side: Side) -> Option<Fraction> {
        let mut parts = vec![Fraction::ZERO; self.nodes() as usize];
        let mut is_source = vec![false; self.nodes() as usize];
        for &source in sources {
            parts[source as usize] = Fraction::ONE;
            is_source[source as usize] = true;
        }
        for component in order.components() {
            if let [company] = *component
                && (is_source[company as usize] || self.has_nothing_of(company, &parts))
            {
                continue;
            }
            let places: NodeMap<usize> =
                component.iter().enumerate().map(|(place, &node)| (node, place)).collect();
            let mut given = vec![Fraction::ZERO; component.len()];
            let mut links = Vec::new();
            for (place, &company) in component.iter().enumerate() {
                if is_source[company as usize] {
                    given[place] = Fraction::ONE;
                    continue;
                }
                let units = self.units(company);
                if units.each_whole && component.len() > 1 {
                    return None;
                }
                for (holder, weight) in self.all_holders(company) {
                    let part = parts[holder as usize];
                    match places.get(&holder) {
                        Some(&from) => {
                            links.push(Link { from, to: place, weight: units.exact_flow(weight, side)? });
                        }
                        None if part == Fraction::ZERO => {}
                        None if units.each_whole => given[place] = given[place].max(part),
                        None => {
                            let part = part.checked_mul(units.exact_flow(weight, side)?)?;
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

    /// Whether nobody who holds something of a company has a part, so that it gets none either.
    fn has_nothing_of(&self, company: Node, parts: &[Fraction]) -> bool {
        self.holders(company).all(|holder| parts[holder as usize] == Fraction::ZERO)
    }

    /// For every node of a cone, what it contributes to node 0: the same sum over chains, told from the other end.
    fn backwards(&self, order: &Order, side: Side) -> Vec<Part> {
        let mut near = vec![0.0; self.nodes() as usize];
        let mut exact: Vec<Option<Fraction>> = vec![Some(Fraction::ZERO); self.nodes() as usize];
        near[0] = 1.0;
        exact[0] = Some(Fraction::ONE);
        for component in order.components().rev() {
            if let [company] = *component
                && self.holding(company, company).is_none()
            {
                // In no circle, it has what it was given.
                self.pass_back(company, &NodeMap::default(), side, &mut near, &mut exact);
                continue;
            }
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
    let mut met: NodeSet = std::iter::once(0).collect();
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
