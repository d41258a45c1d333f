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
//! Of a joint holding ([`Terms::each_whole`](super::Terms)) each holder has the whole, so a set of sources has the largest part that any
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

mod local;

pub use self::local::Inside;
use super::holdings::{Holdings, Node};
use super::line::{Units, Weight};
use super::order::Order;
use super::solve::{Link, solve_nearly};
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

    fn all_holders(&self, company: Node) -> impl Iterator<Item = (Node, Weight)> + '_ {
        let idle = self.units(company).idle;
        let own = (idle != Weight::default()).then_some((company, idle));
        self.voters(company).chain(own)
    }
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
