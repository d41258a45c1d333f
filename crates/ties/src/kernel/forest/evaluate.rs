//! The nearest controller of one company, given the forest above it.
//!
//! Each holder's votes count for it and for everyone above it. The deepest vertex that gathers a majority is the
//! nearest controller. One holder with a majority is found at a glance. Otherwise the holders climb, deepest
//! first, and whoever meets goes on as one; the first union with a majority is the answer. Only holders under one
//! root can meet, and at most one root can gather a majority, so the others need not climb at all.

use super::super::holdings::Node;
use super::super::line::{Certainty, Line, Units, Weight};
use super::Forest;

/// Room to work in, kept from one evaluation to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    climbers: Vec<Climber>,
    level: Vec<Climber>,
}

#[derive(Clone, Copy, Debug)]
struct Climber {
    vertex: Node,
    root: Node,
    weight: Weight,
    /// Whether it may meet others: it is no root, or one of a class.
    related: bool,
}

/// Whether some holders of a company certainly carry it, without what most companies do not need.
#[derive(Clone, Copy)]
struct Test {
    units: Units,
    plain: bool,
}

impl Test {
    fn new(units: Units) -> Self {
        Self { units, plain: units.is_plain() }
    }

    fn carries(&self, weight: Weight) -> bool {
        if self.plain {
            return 2 * weight.lo > self.units.one;
        }
        self.units.clears(weight, Line::MAJORITY, Certainty::Certain)
    }
}

/// What a register alone says of who controls a company.
pub(super) enum Majority {
    /// This holder, and whoever controls it.
    Of(Node),
    /// Nobody alone, but maybe several together.
    Joint,
    /// Nobody.
    None,
}

impl Forest {
    /// What the weights alone tell.
    pub(super) fn majority(&self, company: Node) -> Majority {
        let test = Test::new(self.holdings.units(company));
        if test.units.each_whole {
            return Majority::Joint;
        }
        if !test.carries(test.units.total) {
            return Majority::None;
        }
        let mut voters = self.holdings.voters(company).filter(|&(holder, _)| holder != company);
        match voters.find(|&(_, weight)| test.carries(weight)) {
            Some((holder, _)) => Majority::Of(holder),
            None => Majority::Joint,
        }
    }

    /// The deepest vertex, other than the company's own class, whose subtree certainly holds a majority.
    ///
    /// Holders inside the company's own class are left out: whoever has their votes controls the company already.
    pub(super) fn nearest_controller(&mut self, company: Node) -> Option<Node> {
        self.nearest_among(company, |_| true)
    }

    /// As [`nearest_controller`](Self::nearest_controller), by the votes of holders outside the company's circle alone.
    pub(super) fn nearest_outside_controller(&mut self, company: Node) -> Option<Node> {
        let circles = std::mem::take(&mut self.circles);
        let circle = circles[company as usize];
        let found = self.nearest_among(company, |holder| circles[holder as usize] != circle);
        self.circles = circles;
        found
    }

    fn nearest_among(&mut self, company: Node, counts: impl Fn(Node) -> bool) -> Option<Node> {
        let units = self.holdings.units(company);
        if units.each_whole {
            return self.above_joint_holders(company);
        }
        let test = Test::new(units);
        if !test.carries(units.total) {
            return None;
        }
        let own = self.tree.class(company);
        // One with a majority of its own is found from the weights alone.
        let mut voters = self.holdings.voters(company);
        let alone = voters.find(|&(holder, weight)| {
            test.carries(weight) && counts(holder) && self.tree.class(holder) != own
        });
        if let Some((holder, _)) = alone {
            return Some(self.tree.class(holder));
        }
        drop(voters);
        let mut climbers = std::mem::take(&mut self.scratch.climbers);
        climbers.clear();
        let mut related = 0;
        for (holder, weight) in self.holdings.voters(company) {
            let vertex = self.tree.class(holder);
            if vertex != own && counts(holder) {
                let is_related = vertex != holder || !self.tree.is_root(vertex);
                let root = if is_related { self.tree.lift(vertex, 0) } else { vertex };
                related += usize::from(is_related);
                climbers.push(Climber { vertex, root, weight, related: is_related });
            }
        }
        // Roots cannot meet.
        let found = if related > 0 && self.choose_root(&test, &mut climbers, related) {
            self.climb(&test, &climbers)
        } else {
            None
        };
        self.scratch.climbers = climbers;
        found
    }

    /// Keeps only the holders under the one root that gathers a majority, the deepest first; `false` if there is none.
    /// So many of the holders are no roots themselves.
    fn choose_root(&self, test: &Test, climbers: &mut Vec<Climber>, related: usize) -> bool {
        let sum =
            |group: &[Climber]| group.iter().fold(Weight::default(), |sum, climber| sum.plus(climber.weight));
        let root = if related <= FEW {
            let mut roots = climbers.iter().filter(|climber| climber.related);
            let gathers = |root: Node| {
                let group = climbers.iter().filter(|climber| climber.root == root);
                test.carries(group.fold(Weight::default(), |sum, climber| sum.plus(climber.weight)))
            };
            roots.find(|climber| gathers(climber.root)).map(|climber| climber.root)
        } else {
            climbers.sort_unstable_by_key(|climber| (climber.root, climber.vertex));
            let mut groups = climbers.chunk_by(|a, b| a.root == b.root);
            groups.find(|group| test.carries(sum(group))).map(|group| group[0].root)
        };
        climbers.retain(|climber| Some(climber.root) == root);
        climbers.sort_unstable_by_key(|climber| {
            (std::cmp::Reverse(self.tree.depth(climber.vertex)), climber.vertex)
        });
        root.is_some()
    }

    /// Lets the holders climb, deepest first, until a union carries.
    fn climb(&mut self, test: &Test, climbers: &[Climber]) -> Option<Node> {
        let mut level = std::mem::take(&mut self.scratch.level);
        level.clear();
        let mut waiting = climbers.iter().copied().peekable();
        let mut depth = waiting.peek().map_or(0, |climber| self.tree.depth(climber.vertex));
        let found = loop {
            while let Some(climber) = waiting.next_if(|next| self.tree.depth(next.vertex) == depth) {
                level.push(climber);
            }
            if let Some(vertex) = unite(test, &mut level) {
                break Some(vertex);
            }
            let next = waiting.peek().map_or(0, |climber| self.tree.depth(climber.vertex));
            if depth == 0 || level.is_empty() {
                break None;
            }
            depth = self.rise(&mut level, next);
        };
        self.scratch.level = level;
        found
    }

    /// Lets vertices of equal depth rise side by side, not past `limit` and not past where any two meet.
    fn rise(&self, level: &mut [Climber], limit: u32) -> u32 {
        if let [lone] = level {
            lone.vertex = self.tree.lift(lone.vertex, limit);
            return limit;
        }
        let jump = |climber: &Climber| self.tree.jump(climber.vertex);
        let goal = self.tree.depth(jump(&level[0]));
        // In order of the jumps' ends, equal ends are neighbours.
        level.sort_unstable_by_key(jump);
        let meet = level.windows(2).any(|pair| jump(&pair[0]) == jump(&pair[1]));
        for climber in level.iter_mut() {
            let step = if meet || goal < limit {
                self.tree.parent(climber.vertex).unwrap_or(climber.vertex)
            } else {
                self.tree.jump(climber.vertex)
            };
            climber.vertex = step;
        }
        self.tree.depth(level[0].vertex)
    }

    /// The deepest vertex above all holders of a joint holding; the deepest holder itself if all the others are
    /// above it, since then each of the chain controls the joint holding.
    fn above_joint_holders(&mut self, company: Node) -> Option<Node> {
        let own = self.tree.class(company);
        let mut holders: Vec<Node> = self
            .holdings
            .voters(company)
            .filter(|&(_, weight)| weight.hi > 0)
            .map(|(holder, _)| self.tree.class(holder))
            .filter(|&vertex| vertex != own)
            .collect();
        holders.sort_unstable_by_key(|&vertex| (std::cmp::Reverse(self.tree.depth(vertex)), vertex));
        self.contested.remove(&company);
        let deepest = *holders.first()?;
        if holders.iter().all(|&vertex| self.tree.is_ancestor(vertex, deepest)) {
            return Some(deepest);
        }
        self.contested.insert(company);
        None
    }
}

/// Up to so many roots are tried one by one, without sorting the holders.
const FEW: usize = 8;

/// Makes one of those that have met; the vertex of the first union that carries.
fn unite(test: &Test, level: &mut Vec<Climber>) -> Option<Node> {
    level.sort_unstable_by_key(|climber| climber.vertex);
    let mut kept = 0;
    for next in 1..level.len() {
        if level[next].vertex == level[kept].vertex {
            level[kept].weight = level[kept].weight.plus(level[next].weight);
        } else {
            kept += 1;
            level[kept] = level[next];
        }
    }
    level.truncate(kept + 1);
    level.iter().find(|climber| test.carries(climber.weight)).map(|climber| climber.vertex)
}
