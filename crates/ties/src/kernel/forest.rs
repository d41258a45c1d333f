//! Control of all by all, as a forest.
//!
//! *x controls y* if x, together with what x controls, certainly holds more than half of the votes of y.
//! All such pairs at once fit into one parent per company:
//!
//! > **Fact.** Of two who certainly control a company, one controls the other.
//!
//! *Proof.* Take any way in which the ranges can come out. Let a and b control y, a through a set A and b through a
//! set B; each set was complete before y joined it, so y is in neither. Each holds more than half of y, and all
//! holders together have no more than the whole, so A and B share a holder h. If h is a or b, the other of the two
//! controls it. If not, a and b both control h, and h joined both sets earlier than y did: repeat with h in the
//! place of y. Ranks fall, so this ends. ∎
//!
//! So the controllers of a company, nearest first, are a chain, and "nearest controller" makes a forest. Companies
//! that control each other (A 60 % of B, B 60 % of A) are one *class*, which is one vertex of the forest.
//!
//! *Worked example.* X holds 70 % of A and 40 % of B; A holds 30 % of B. X controls A alone, and B with A's help: 40 + 30.
//! A's parent is X and so is B's, since A's 30 % alone are no majority.
//!
//! The fact fails at lines of half or less, for *possible* control, and at joint holdings where each counts as the
//! whole ([`Terms::each_whole`](super::Terms)). Two unrelated joint holders have no nearest common controller: such a
//! node is [contested](Forest::contested), and for graphs with one, questions about pairs are answered by
//! [closures](super::closure) instead, so that every answer stays right.
//!
//! # One pass
//!
//! Holders come before what they hold (`build.rs`). The nearest controller of a company is the deepest vertex whose
//! subtree holds a majority of it; `evaluate.rs` finds it without walking whole chains, by jump pointers.
//! Companies in a circle are done together: each is evaluated in what is known so far and again whenever one of its
//! holders moves down, until nothing moves. That is right because at every moment the known part is itself
//! a forest to which the proof applies, and what is known only grows.
//!
//! # Kept up to date
//!
//! [`Forest::set`] changes one tie, and evaluates again only the company, and the companies held by whatever moved
//! (`update.rs`). It returns the companies whose controllers are no longer the same.
//!
//! Memory is 32 bytes a node beside the holdings. The first change makes 20 of them, levels, circles and lists of children,
//! and takes about as long as the pass; [`Forest::prepare_changes`] does it beforehand.

mod build;
mod evaluate;
mod tree;
mod update;

use super::closure::Closure;
use super::holdings::{Holdings, Node};
use super::line::{Certainty, Line};
use tree::Tree;

pub use update::Moved;

/// Who certainly controls whom. See the [module](self).
#[derive(Clone, Debug)]
pub struct Forest {
    holdings: Holdings,
    tree: Tree,
    /// Above all its holders, outside its circle: a tie goes from a lower level to a higher, or stays in a circle.
    /// Empty until the first change, and so are the circles.
    levels: Vec<u32>,
    /// One more than the number of the circle that a node is part of, or 0.
    circles: Vec<u32>,
    /// The members of each circle. One that was joined to another is left empty.
    members: Vec<Vec<Node>>,
    contested: std::collections::BTreeSet<Node>,
    scratch: evaluate::Scratch,
}

impl Forest {
    /// The ties from which it follows.
    #[must_use]
    pub fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// The ties alone again.
    #[must_use]
    pub fn into_holdings(self) -> Holdings {
        self.holdings
    }

    /// Joint holdings whose holders are unrelated, so that more than one chain controls them.
    pub fn contested(&self) -> impl Iterator<Item = Node> + '_ {
        self.contested.iter().copied()
    }

    /// Whether the forest is the whole truth: no node is [contested](Self::contested).
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.contested.is_empty()
    }

    /// Whether x certainly controls y. Nobody controls itself.
    #[must_use]
    pub fn controls(&self, x: Node, y: Node) -> bool {
        let nodes = self.holdings.nodes();
        if x == y || x >= nodes || y >= nodes {
            return false;
        }
        self.tree.is_above(x, y) || (!self.is_whole() && self.closure(x, y).contains(y))
    }

    fn closure(&self, x: Node, y: Node) -> Closure {
        let cone = self.holdings.upstream(y);
        self.holdings.closure_within(&cone, &[x], Line::MAJORITY, Certainty::Certain)
    }

    /// A representative of the nearest class that controls y from outside y's own class.
    #[must_use]
    pub fn parent(&self, y: Node) -> Option<Node> {
        if y >= self.holdings.nodes() {
            return None;
        }
        self.tree.parent_of_class(y)
    }

    /// All who control y, nearest first; of a class that controls itself, all other members.
    ///
    /// In a graph with contested nodes this is the chain only; ask
    /// [`Holdings::controllers`] for all.
    #[must_use]
    pub fn controllers(&self, y: Node) -> Vec<Node> {
        let mut controllers = Vec::new();
        if y >= self.holdings.nodes() {
            return controllers;
        }
        let mut class = Some(self.tree.class(y));
        while let Some(vertex) = class {
            controllers.extend(self.tree.class_members(vertex).filter(|&member| member != y));
            class = self.tree.parent_of_class(vertex);
        }
        controllers
    }

    /// The last of the chain: everyone in the class that controls y and is controlled by nobody outside. Empty if
    /// nobody controls y.
    #[must_use]
    pub fn ultimate(&self, y: Node) -> Vec<Node> {
        if y >= self.holdings.nodes() {
            return Vec::new();
        }
        let root = self.tree.root(y);
        let mut ultimate: Vec<Node> = self.tree.class_members(root).collect();
        if ultimate == [y] {
            ultimate.clear();
        }
        ultimate
    }

    /// All that x controls, in order of their numbers.
    #[must_use]
    pub fn controlled_by(&self, x: Node) -> Vec<Node> {
        if x >= self.holdings.nodes() {
            return Vec::new();
        }
        let closure = self.holdings.closure(&[x], Line::MAJORITY, Certainty::Certain);
        let mut controlled = closure.joined().to_vec();
        controlled.sort_unstable();
        controlled
    }

    /// The companies that control each other with `node`, itself among them.
    #[must_use]
    pub fn class(&self, node: Node) -> Vec<Node> {
        if node >= self.holdings.nodes() {
            return Vec::new();
        }
        let mut class: Vec<Node> = self.tree.class_members(self.tree.class(node)).collect();
        class.sort_unstable();
        class
    }

    /// Every pair of controller and controlled: for each company in order its controllers, nearest first.
    /// Contested nodes are left out.
    pub fn pairs(&self) -> impl Iterator<Item = (Node, Node)> + '_ {
        let companies = 0..self.holdings.nodes();
        companies.filter(|&company| self.tree.is_controlled(company)).flat_map(move |company| {
            let classes =
                std::iter::successors(Some(self.tree.class(company)), |&vertex| self.tree.parent(vertex));
            let members = classes.flat_map(|vertex| self.tree.class_members(vertex));
            members.filter(move |&member| member != company).map(move |controller| (controller, company))
        })
    }

    /// How many pairs there are, counted without listing them.
    #[must_use]
    pub fn pairs_count(&self) -> u64 {
        let nodes = self.holdings.nodes();
        let mut sizes = vec![0_u32; nodes as usize];
        for node in 0..nodes {
            sizes[self.tree.class(node) as usize] += 1;
        }
        // For each class how many there are in it and above it; 0 where that is not known yet.
        let mut upwards = vec![0_u32; nodes as usize];
        let mut pairs = 0;
        let mut way = Vec::new();
        for node in 0..nodes {
            let mut vertex = Some(self.tree.class(node));
            while let Some(here) = vertex.filter(|&here| upwards[here as usize] == 0) {
                way.push(here);
                vertex = self.tree.parent(here);
            }
            let mut above = vertex.map_or(0, |here| upwards[here as usize]);
            while let Some(here) = way.pop() {
                above += sizes[here as usize];
                upwards[here as usize] = above;
            }
            pairs += u64::from(upwards[self.tree.class(node) as usize] - 1);
        }
        pairs
    }

    /// Who comes nearest to controlling a company without doing so, judged by the least that each can hold with
    /// what it controls: the best group's head. `None` where nobody holds anything.
    #[must_use]
    pub fn nearest_group(&self, company: Node) -> Option<Node> {
        let mut sums = super::table::NodeMap::<u64>::default();
        let mut best: Option<(u64, u32, Node)> = None;
        for (holder, weight) in self.holdings.voters(company).filter(|&(holder, _)| holder != company) {
            let mut vertex = Some(self.tree.class(holder));
            while let Some(head) = vertex {
                let sum = sums.entry(head).or_default();
                *sum += weight.lo;
                // Of equal sums the deepest head, and of these the first: the smallest group that does it.
                let candidate = (*sum, self.tree.depth(head), head);
                let better = best.is_none_or(|(sum, depth, node)| {
                    (candidate.0, candidate.1) > (sum, depth)
                        || ((candidate.0, candidate.1) == (sum, depth) && head < node)
                });
                if better {
                    best = Some(candidate);
                }
                vertex = self.tree.parent_of_class(head);
            }
        }
        best.map(|(_, _, head)| head)
    }

    /// Makes ready for changes, which the first change does otherwise: once, and linear in the nodes.
    pub fn prepare_changes(&mut self) {
        self.find_levels();
        self.tree.list_children();
    }

    /// Adds a node without ties, and returns its number.
    ///
    /// # Panics
    ///
    /// Beyond 2^32 - 1 nodes.
    pub fn add_node(&mut self) -> Node {
        self.prepare_changes();
        self.tree.add();
        self.levels.push(0);
        self.circles.push(0);
        self.holdings.add_node()
    }
}
