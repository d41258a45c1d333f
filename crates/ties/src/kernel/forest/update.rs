//! One tie changes.
//!
//! Every company has a *level*: above all its holders, except that the members of a circle share one. Work is queued by
//! level, so a company is evaluated when everyone upstream of it is final again. A company whose parent is the same
//! as before ends the matter there; one whose parent is another takes its subtree along, and whatever that
//! subtree holds is queued.
//!
//! A tie that runs against the levels raises the company and what lies downstream of it. If that comes back to the holder, the tie
//! has closed a circle, and all on the way are one from then on. A circle that a removed tie has opened is kept as
//! one: evaluating too many together costs time and changes no answer.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::super::holdings::{Node, Terms, UnknownNode, number};
use super::super::table::{NodeMap, NodeSet};
use super::Forest;
use crate::Share;

/// What a change has moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Those whose controllers, or whose class of mutual control, are no longer the same; in order. Downstream of
    /// companies that begin or cease to control each other some may be named whose controllers came out the same.
    pub companies: Vec<Node>,
    /// How many companies were looked at.
    pub evaluated: usize,
}

/// Companies and circles that wait, the lowest level first.
#[derive(Default)]
struct Queue {
    heap: BinaryHeap<Reverse<(u32, Node)>>,
    waiting: NodeSet,
}

/// A class of a circle's members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class {
    /// Its least member.
    name: Node,
    size: usize,
    /// The vertex above: by the name of its class if that is in the circle.
    parent: Option<Node>,
}

impl Forest {
    /// Replaces what is told of one tie ([`Share::NOTHING`] ends it), and brings the forest up to date.
    pub fn set(&mut self, holder: Node, company: Node, share: Share) -> Result<Moved, UnknownNode> {
        self.prepare_changes();
        if !self.holdings.set(holder, company, share)? {
            return Ok(Moved::default());
        }
        if share != Share::NOTHING {
            self.keep_levels(holder, company);
        }
        Ok(self.settle(company))
    }

    /// Changes how a company's register is read, and brings the forest up to date.
    pub fn set_terms(&mut self, company: Node, terms: Terms) -> Result<Moved, UnknownNode> {
        self.prepare_changes();
        self.holdings.set_terms(company, terms)?;
        if !terms.each_whole {
            self.contested.remove(&company);
        }
        Ok(self.settle(company))
    }

    /// Evaluates a company, and everything that follows from it.
    fn settle(&mut self, company: Node) -> Moved {
        let mut queue = Queue::default();
        self.enqueue(&mut queue, company);
        let mut moved = Vec::new();
        let mut evaluated = 0;
        // Only what was changed itself; later ones wait because somebody above them moved.
        let mut changed = Some(company);
        while let Some(Reverse((_, company))) = queue.heap.pop() {
            queue.waiting.remove(&company);
            let from = moved.len();
            match self.circles[company as usize] {
                0 => {
                    evaluated += 1;
                    self.settle_one(company, &mut moved);
                }
                circle => {
                    let members = std::mem::take(&mut self.members[circle as usize - 1]);
                    if let Some(changed) = changed.filter(|&changed| self.is_still_controlled(changed)) {
                        evaluated += 1;
                        self.grow_circle(&members, &[changed], &mut moved);
                    } else {
                        evaluated += members.len();
                        self.settle_circle(circle, &members, &mut moved);
                    }
                    self.members[circle as usize - 1] = members;
                }
            }
            changed = None;
            let level = self.levels[company as usize];
            for &holder in &moved[from..] {
                for &target in self.holdings.companies(holder) {
                    // What is not further down is in the same circle, and was settled with it.
                    if self.levels[target as usize] > level {
                        self.enqueue(&mut queue, target);
                    }
                }
            }
        }
        moved.sort_unstable();
        moved.dedup();
        Moved { companies: moved, evaluated }
    }

    /// Queues a company, or the circle it is in, once.
    fn enqueue(&self, queue: &mut Queue, company: Node) {
        let unit = match self.circles[company as usize] {
            0 => company,
            circle => self.members[circle as usize - 1][0],
        };
        if queue.waiting.insert(unit) {
            queue.heap.push(Reverse((self.levels[unit as usize], unit)));
        }
    }

    fn settle_one(&mut self, company: Node, moved: &mut Vec<Node>) {
        let controller = self.nearest_controller(company);
        if controller == self.tree.parent(company) {
            return;
        }
        self.tree.unlink(company);
        if let Some(controller) = controller {
            self.tree.link(company, controller);
        }
        self.tree.refresh(company);
        self.tree.subtree(company, moved);
    }

    /// Whether all that is known of who controls a member of a circle surely holds after its register changed:
    /// nobody does, or its parent by holders outside the circle. Then what is known stays true, and can
    /// only grow.
    fn is_still_controlled(&mut self, company: Node) -> bool {
        let alone = !self.tree.is_peer(company) && !self.tree.is_shared(company);
        if !alone || self.holdings.terms(company).each_whole {
            return false;
        }
        let Some(parent) = self.tree.parent(company) else { return true };
        self.nearest_outside_controller(company) == Some(parent)
    }

    /// Takes a circle apart and grows it again.
    fn settle_circle(&mut self, circle: u32, members: &[Node], moved: &mut Vec<Node>) {
        let before = self.classes_of(members);
        let mut outer: Vec<(Node, Node)> = Vec::new();
        for &member in members {
            let inside = |child: Node| self.circles[child as usize] == circle;
            outer.extend(
                self.tree.children(member).filter(|&child| !inside(child)).map(|child| (child, member)),
            );
        }
        for &(child, _) in &outer {
            self.tree.unlink(child);
        }
        for &member in members {
            self.tree.unlink(member);
            self.tree.unshare(member);
        }
        for &member in members {
            self.tree.refresh(member);
        }
        self.grow_circle(members, members, &mut Vec::new());
        for &(child, parent) in &outer {
            let class = self.tree.class(parent);
            self.tree.link(child, class);
            self.tree.refresh(child);
        }
        let after = self.classes_of(members);
        for &vertex in &self.changed_classes(members, &before, &after) {
            self.tree.subtree(vertex, moved);
        }
    }

    /// The class of each member, named so that it can be compared before and after.
    fn classes_of(&self, members: &[Node]) -> NodeMap<Class> {
        let mut classes: NodeMap<(Node, usize)> = NodeMap::default();
        for &member in members {
            let (least, size) = classes.entry(self.tree.class(member)).or_insert((member, 0));
            *least = member.min(*least);
            *size += 1;
        }
        let of = |&member: &Node| {
            let (name, size) = classes[&self.tree.class(member)];
            let parent = self.tree.parent_of_class(member);
            let parent = parent.map(|parent| classes.get(&parent).map_or(parent, |&(name, _)| name));
            (member, Class { name, size, parent })
        };
        members.iter().map(of).collect()
    }

    /// The uppermost representatives whose class has other members or another way up than before.
    fn changed_classes(
        &self,
        members: &[Node],
        before: &NodeMap<Class>,
        after: &NodeMap<Class>,
    ) -> Vec<Node> {
        let represents = |&member: &Node| self.tree.class(member) == member;
        let mut vertices: Vec<Node> = members.iter().copied().filter(represents).collect();
        vertices.sort_unstable_by_key(|&vertex| (self.tree.depth(vertex), vertex));
        let mut below = NodeSet::default();
        let mut changed = Vec::new();
        for vertex in vertices {
            if self.tree.parent(vertex).is_some_and(|parent| below.contains(&parent)) {
                below.insert(vertex);
            } else if self.tree.class_members(vertex).any(|member| before[&member] != after[&member]) {
                below.insert(vertex);
                changed.push(vertex);
            }
        }
        changed
    }

    /// Restores the rule of levels for a new tie.
    fn keep_levels(&mut self, holder: Node, company: Node) {
        let (h, c) = (holder as usize, company as usize);
        let together = self.circles[h] != 0 && self.circles[h] == self.circles[c];
        if holder == company || together || self.levels[h] < self.levels[c] {
            return;
        }
        if let Some(way) = self.way_back(company, holder) {
            self.close_circle(&way);
        } else {
            let level = self.levels[h] + 1;
            self.raise(company, level);
        }
    }

    /// The members of the node's circle, or the node.
    fn unit(&self, node: Node) -> Vec<Node> {
        match self.circles[node as usize] {
            0 => vec![node],
            circle => self.members[circle as usize - 1].clone(),
        }
    }

    /// All nodes on ways from `company` down to `holder`, if there is one. Such a way stays at or below
    /// the holder's level, so only that much is searched.
    fn way_back(&self, company: Node, holder: Node) -> Option<BTreeSet<Node>> {
        let limit = self.levels[holder as usize];
        let mut down = NodeSet::default();
        let mut stack = self.unit(company);
        down.extend(stack.iter().copied());
        while let Some(node) = stack.pop() {
            for &target in self.holdings.companies(node) {
                if self.levels[target as usize] <= limit && down.insert(target) {
                    stack.push(target);
                    for mate in self.unit(target) {
                        if down.insert(mate) {
                            stack.push(mate);
                        }
                    }
                }
            }
        }
        if !down.contains(&holder) {
            return None;
        }
        let mut way: BTreeSet<Node> = BTreeSet::new();
        let mut stack = vec![holder];
        while let Some(node) = stack.pop() {
            if down.contains(&node) && way.insert(node) {
                stack.extend(self.holdings.holders(node));
                if self.circles[node as usize] != 0 {
                    stack.extend(self.unit(node));
                }
            }
        }
        Some(way)
    }

    /// Makes one circle of the nodes on a way, and of the circles they were in.
    fn close_circle(&mut self, way: &BTreeSet<Node>) {
        let mut members = way.clone();
        for &node in way {
            if self.circles[node as usize] != 0 {
                members.extend(self.unit(node));
                self.members[self.circles[node as usize] as usize - 1].clear();
            }
        }
        let members: Vec<Node> = members.into_iter().collect();
        let circle = number(self.members.len()) + 1;
        for &member in &members {
            self.circles[member as usize] = circle;
        }
        let level = self.level_above_holders(&members);
        let highest = members.iter().map(|&member| self.levels[member as usize]).max().unwrap_or(0);
        let first = members[0];
        self.members.push(members);
        // INVARIANT: levels only rise, so that whoever was above stays above.
        self.raise(first, level.max(highest));
    }

    /// Raises a node or its circle to a level, and what lies downstream as far as needed, lowest first.
    fn raise(&mut self, node: Node, level: u32) {
        let mut heap = BinaryHeap::from([Reverse((level, node))]);
        let mut first = true;
        while let Some(Reverse((level, node))) = heap.pop() {
            let unit = self.unit(node);
            if !first && unit.iter().all(|&member| self.levels[member as usize] >= level) {
                continue;
            }
            first = false;
            for &member in &unit {
                self.levels[member as usize] = level;
            }
            let circle = self.circles[node as usize];
            for &member in &unit {
                for &target in self.holdings.companies(member) {
                    let inside = target == member || (circle != 0 && self.circles[target as usize] == circle);
                    if !inside && self.levels[target as usize] <= level {
                        heap.push(Reverse((level + 1, target)));
                    }
                }
            }
        }
    }
}
