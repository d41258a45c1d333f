//! The first pass: everyone after their holders.
//!
//! One walk upwards from each company (Tarjan 1972, on a stack of our own) meets circles as strongly connected
//! components, and finishes each after all that lie upstream of it. A company outside any circle is evaluated right
//! then, while its holders are still at hand in the processor's cache; a circle's members are grown together.

use std::collections::VecDeque;

use super::super::holdings::{Holdings, Node, number};
use super::super::table::NodeSet;
use super::Forest;
use super::evaluate::Scratch;
use super::tree::{NONE, Tree};

/// Finished, in the place of the number of a visit.
const DONE: u32 = u32::MAX;

struct Frame {
    company: Node,
    /// The next holder to look at.
    next: u32,
    /// The earliest visit that is reached from here.
    low: u32,
}

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
        forest.visit_all();
        forest
    }

    fn visit_all(&mut self) {
        let mut visits = vec![0_u32; self.levels.len()];
        let mut visit = 0;
        let mut frames: Vec<Frame> = Vec::new();
        let mut open: Vec<Node> = Vec::new();
        for start in 0..self.holdings.nodes() {
            if visits[start as usize] != 0 || !self.holdings.is_held(start) {
                continue;
            }
            visit += 1;
            visits[start as usize] = visit;
            open.push(start);
            frames.push(Frame { company: start, next: 0, low: visit });
            while let Some(frame) = frames.last_mut() {
                let company = frame.company;
                let Some(holder) = self.holdings.holder_at(company, frame.next) else {
                    let low = frame.low;
                    frames.pop();
                    if low == visits[company as usize] {
                        self.finish(company, &mut open, &mut visits);
                    } else if let Some(below) = frames.last_mut() {
                        below.low = below.low.min(low);
                    }
                    continue;
                };
                frame.next += 1;
                match visits[holder as usize] {
                    DONE => {}
                    0 if !self.holdings.is_held(holder) => visits[holder as usize] = DONE,
                    0 => {
                        visit += 1;
                        visits[holder as usize] = visit;
                        open.push(holder);
                        frames.push(Frame { company: holder, next: 0, low: visit });
                    }
                    earlier => frame.low = frame.low.min(earlier),
                }
            }
        }
    }

    /// A component is complete: the open companies down to `first`, in which its walk began.
    fn finish(&mut self, first: Node, open: &mut Vec<Node>, visits: &mut [u32]) {
        let mut members = Vec::new();
        while let Some(member) = open.pop() {
            visits[member as usize] = DONE;
            members.push(member);
            if member == first {
                break;
            }
        }
        let level = self.level_above_holders(&members);
        for &member in &members {
            self.levels[member as usize] = level;
        }
        if members.len() == 1 {
            if let Some(controller) = self.nearest_controller(first) {
                self.tree.link(first, controller);
            }
            return;
        }
        // Those met last are upstream of those met first, so growing in this order mostly appends.
        let circle = number(self.members.len());
        for &member in &members {
            self.circles[member as usize] = circle;
        }
        self.grow_circle(&members);
        self.members.push(members);
    }

    /// One more than the highest holder outside the group.
    pub(super) fn level_above_holders(&self, members: &[Node]) -> u32 {
        let inside: NodeSet =
            if members.len() > 1 { members.iter().copied().collect() } else { NodeSet::default() };
        let outside = |holder: &Node| !inside.contains(holder) && members != [*holder];
        let holders = members.iter().flat_map(|&member| self.holdings.holders(member)).filter(outside);
        holders.map(|holder| self.levels[holder as usize] + 1).max().unwrap_or(0)
    }

    /// Evaluates the members of a circle, all of them roots, until nothing moves.
    ///
    /// INVARIANT: what is above the circle is final, and nothing from outside it hangs below a member.
    pub(super) fn grow_circle(&mut self, members: &[Node]) {
        let mut queue: VecDeque<Node> = members.iter().copied().collect();
        let mut queued: NodeSet = members.iter().copied().collect();
        let circle = self.circles[members[0] as usize];
        let mut moved = Vec::new();
        while let Some(company) = queue.pop_front() {
            queued.remove(&company);
            let Some(controller) = self.nearest_controller(company) else { continue };
            let vertex = self.tree.class(company);
            if !self.sink(vertex, controller) {
                continue;
            }
            moved.clear();
            self.tree.subtree(self.tree.class(vertex), &mut moved);
            for &holder in &moved {
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
