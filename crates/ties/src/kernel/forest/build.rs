//! The first pass: everyone after their holders.
//!
//! A company outside any circle is evaluated as soon as the [walk](super::super::order) has finished it, while its
//! holders are still at hand in the processor's cache; a circle's members are grown together.

use std::collections::VecDeque;

use super::super::holdings::{Holdings, Node, number};
use super::super::order::Walk;
use super::super::table::NodeSet;
use super::Forest;
use super::evaluate::Scratch;
use super::tree::{NONE, Tree};

impl Forest {
    /// Everyone's controllers. Linear in the ties, but for companies that nobody controls alone.
    #[must_use]
    pub fn new(holdings: Holdings) -> Self {
        let nodes = holdings.nodes();
        let mut forest = Self {
            holdings,
            tree: Tree::new(nodes),
            levels: vec![0; nodes as usize],
            circles: vec![NONE; nodes as usize],
            members: Vec::new(),
            contested: std::collections::BTreeSet::new(),
            scratch: Scratch::default(),
        };
        let mut walk = Walk::new(&forest.holdings);
        let mut level = 0;
        while walk.step(&forest.holdings) {
            // The order of finishing is an order of levels: holders finish first.
            level += 1;
            forest.place(&walk.component, level);
        }
        forest
    }

    /// Places a company, or a circle, whose holders are all placed.
    fn place(&mut self, members: &[Node], level: u32) {
        for &member in members {
            self.levels[member as usize] = level;
        }
        if let [company] = *members {
            if let Some(controller) = self.nearest_controller(company) {
                self.tree.link(company, controller);
            }
            return;
        }
        let circle = number(self.members.len());
        for &member in members {
            self.circles[member as usize] = circle;
        }
        // Those upstream come first, so growing in this order mostly appends.
        self.grow_circle(members, members, &mut Vec::new());
        self.members.push(members.to_vec());
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
