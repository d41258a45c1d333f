//! The first pass: everyone after those they wait for.
//!
//! A company of which one holder has a majority needs to know nothing else: that holder is its nearest controller, and the
//! other ties into it do not matter. A read through all registers in order finds these, most of all companies, and
//! most of their holders are controlled by nobody. A company without such a holder can be controlled only if one of its
//! holders is, and waits for its holders. So [walking](super::super::order) along what is waited for leaves out most ties,
//! and the circles that it finds are those that matter; their members are grown together.

use std::collections::VecDeque;

use super::super::holdings::{Holdings, Node, number};
use super::super::marks::Marks;
use super::super::order::Walk;
use super::super::table::NodeSet;
use super::Forest;
use super::evaluate::{Majority, Scratch};
use super::tree::{NONE, Tree};

impl Forest {
    /// Everyone's controllers. Linear in the ties, but for companies that nobody controls alone.
    #[must_use]
    pub fn new(holdings: Holdings) -> Self {
        let nodes = holdings.nodes();
        let mut forest = Self {
            holdings,
            tree: Tree::new(nodes),
            levels: Vec::new(),
            circles: vec![0; nodes as usize],
            members: Vec::new(),
            contested: std::collections::BTreeSet::new(),
            scratch: Scratch::default(),
        };
        let (joint, waits) = forest.find_majorities();
        let mut walk = Walk::new(waits);
        while walk.step(|company, next| {
            if joint.has(company) {
                forest.holdings.holder_at(company, next)
            } else {
                (next == 0).then(|| forest.tree.parent(company)).flatten()
            }
        }) {
            forest.place(&walk.component, &joint);
        }
        forest.circles = Vec::new();
        forest.members = Vec::new();
        forest
    }

    /// Points each company to a holder with a majority of its own. Tells which companies may be controlled
    /// otherwise, and which have to wait for others.
    fn find_majorities(&mut self) -> (Marks, Marks) {
        let nodes = self.holdings.nodes();
        let (mut joint, mut waits) = (Marks::none(nodes), Marks::none(nodes));
        for company in (0..nodes).filter(|&company| self.holdings.is_held(company)) {
            match self.majority(company) {
                Majority::Of(holder) => self.tree.point(company, holder),
                Majority::Joint => joint.set(company, true),
                Majority::None => {}
            }
        }
        let controlled = |tree: &Tree, holder: Node| !tree.is_root(holder) || joint.has(holder);
        for company in joint.iter() {
            let mut holders = self.holdings.holders(company);
            let each_whole = self.holdings.terms(company).each_whole;
            waits.set(company, each_whole || holders.any(|holder| controlled(&self.tree, holder)));
        }
        for company in 0..nodes {
            if let Some(holder) = self.tree.parent(company) {
                if controlled(&self.tree, holder) {
                    waits.set(company, true);
                } else {
                    self.tree.measure_below_root(company, holder);
                }
            }
        }
        (joint, waits)
    }

    /// Places a company, or a circle, that need wait no longer.
    fn place(&mut self, members: &[Node], joint: &Marks) {
        if let [company] = *members {
            let controller = if joint.has(company) {
                self.nearest_controller(company)
            } else {
                // Since it was pointed to, the holder may have come into a class.
                self.tree.parent(company).map(|holder| self.tree.class(holder))
            };
            if let Some(controller) = controller {
                self.tree.hang(company, controller);
            }
            return;
        }
        self.members.push(members.to_vec());
        let circle = number(self.members.len());
        for &member in members {
            self.circles[member as usize] = circle;
            self.tree.point(member, NONE);
        }
        // Those upstream come first, so growing in this order mostly appends.
        self.grow_circle(members, members, &mut Vec::new());
    }

    /// Numbers levels and finds circles for changes to come: over all ties, since each may come to matter.
    pub(super) fn find_levels(&mut self) {
        if !self.levels.is_empty() {
            return;
        }
        let holdings = &self.holdings;
        self.circles = vec![0; holdings.nodes() as usize];
        let mut walk = Walk::of_all(holdings);
        while walk.step(|company, next| holdings.holder_at(company, next)) {
            if walk.component.len() > 1 {
                self.members.push(walk.component.clone());
                for &member in &walk.component {
                    self.circles[member as usize] = number(self.members.len());
                }
            }
        }
        self.levels = walk.into_levels(holdings.nodes());
    }

    /// One more than the highest holder outside the group.
    pub(super) fn level_above_holders(&self, members: &[Node]) -> u32 {
        let inside: NodeSet =
            if members.len() > 1 { members.iter().copied().collect() } else { NodeSet::default() };
        let outside = |holder: &Node| !inside.contains(holder) && members != [*holder];
        let holders = members.iter().flat_map(|&member| self.holdings.holders(member)).filter(outside);
        holders.map(|holder| self.levels[holder as usize] + 1).max().unwrap_or(0)
    }

    /// Evaluates members of a circle, and again those that others' moves concern, until nothing moves. Whoever
    /// got a further controller, or came into a class, is put into `moved`, maybe more than once.
    ///
    /// INVARIANT: what is above the circle is final, and what the tree says of its members is true.
    pub(super) fn grow_circle(&mut self, members: &[Node], first: &[Node], moved: &mut Vec<Node>) {
        let circle = self.circles[members[0] as usize];
        let mut queue: VecDeque<Node> = first.iter().copied().collect();
        let mut queued: NodeSet = first.iter().copied().collect();
        while let Some(company) = queue.pop_front() {
            queued.remove(&company);
            let Some(controller) = self.nearest_controller(company) else { continue };
            let vertex = self.tree.class(company);
            if !self.sink(vertex, controller) {
                continue;
            }
            let from = moved.len();
            self.tree.subtree(self.tree.class(vertex), moved);
            for &holder in &moved[from..] {
                for &target in self.holdings.companies(holder) {
                    if self.circles[target as usize] == circle && queued.insert(target) {
                        queue.push_back(target);
                    }
                }
            }
        }
    }

    /// Notes that `controller` controls `vertex`; both represent their classes. Whether that was news.
    fn sink(&mut self, vertex: Node, controller: Node) -> bool {
        if controller == vertex {
            return false;
        }
        if self.tree.is_ancestor(vertex, controller) {
            // Each controls the other, and everyone between.
            self.tree.merge(controller, vertex);
            return true;
        }
        if let Some(parent) = self.tree.parent(vertex) {
            if self.tree.is_ancestor(controller, parent) {
                return false;
            }
            // The known parent controls the new one (the fact of the module's head), so this is further down.
            self.tree.unlink(vertex);
        }
        self.tree.link(vertex, controller);
        self.tree.refresh(vertex);
        true
    }
}
