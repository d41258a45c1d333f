//! The forest itself: parents, children, depths and jump pointers.
//!
//! A class is a vertex with *peers*: its first member, the representative, is a vertex as any other, and the other members
//! hang below it, marked, without children of their own. So "above" for a member means above or at its
//! representative.
//!
//! A jump pointer leads some way up, by lengths that depend on the depth only (skew-binary numbers; Myers, *An
//! applicative random-access stack*, 1983). Any ancestor is found in a logarithm of the depth, and two vertices of equal depth
//! can jump side by side without missing where their ways meet.
//!
//! Parents, and the marks of classes, lie apart from the rest: they are all that most questions touch, and
//! they fit the processor's caches where the rest does not. The lists of children serve changes and circles only; for
//! everybody else they are made when the first change comes, so that the first pass need not pay for them.

use super::super::holdings::{Node, number};
use super::super::marks::Marks;

pub(super) const NONE: u32 = u32::MAX;

/// How far down a vertex is, and where it jumps to. All zeros for a root, so that fresh memory need not be touched.
#[derive(Clone, Copy, Debug, Default)]
struct Rank {
    depth: u32,
    /// One more than the node.
    jump: u32,
}

/// The list of children that a node heads, and its place in the one it is part of: one more than the node, or 0.
#[derive(Clone, Copy, Debug, Default)]
struct Kin {
    child: u32,
    next: u32,
    previous: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    parents: Vec<Node>,
    ranks: Vec<Rank>,
    kin: Vec<Kin>,
    /// Whether every child is in its parent's list, and not only the members of circles.
    listed: bool,
    /// Members of a class that do not represent it.
    peers: Marks,
    /// Representatives of classes of several. May be left on one whose peers have gone.
    shared: Marks,
}

impl Tree {
    pub(super) fn new(nodes: u32) -> Self {
        let (peers, shared) = (Marks::none(nodes), Marks::none(nodes));
        let nodes = nodes as usize;
        Self {
            parents: vec![NONE; nodes],
            ranks: vec![Rank::default(); nodes],
            kin: vec![Kin::default(); nodes],
            listed: false,
            peers,
            shared,
        }
    }

    pub(super) fn add(&mut self) {
        self.parents.push(NONE);
        self.ranks.push(Rank::default());
        self.kin.push(Kin::default());
        self.peers.grow(number(self.parents.len()));
        self.shared.grow(number(self.parents.len()));
    }

    /// Puts every child into its parent's list, once.
    pub(super) fn list_children(&mut self) {
        if std::mem::replace(&mut self.listed, true) {
            return;
        }
        self.kin = vec![Kin::default(); self.parents.len()];
        for vertex in (0..number(self.parents.len())).rev() {
            let parent = self.parents[vertex as usize];
            if parent != NONE {
                self.enlist(vertex, parent);
            }
        }
    }

    fn enlist(&mut self, vertex: Node, parent: Node) {
        let first = std::mem::replace(&mut self.kin[parent as usize].child, vertex + 1);
        if first != 0 {
            self.kin[first as usize - 1].previous = vertex + 1;
        }
        let kin = &mut self.kin[vertex as usize];
        (kin.next, kin.previous) = (first, 0);
    }

    pub(super) fn is_peer(&self, node: Node) -> bool {
        self.peers.has(node)
    }

    /// Whether a representative may have peers.
    pub(super) fn is_shared(&self, vertex: Node) -> bool {
        self.shared.has(vertex)
    }

    pub(super) fn is_root(&self, node: Node) -> bool {
        self.parents[node as usize] == NONE
    }

    /// Whether somebody controls it: from above, or in its class.
    pub(super) fn is_controlled(&self, node: Node) -> bool {
        !self.is_root(node) || self.is_shared(node)
    }

    /// The representative of a node's class: itself, mostly.
    pub(super) fn class(&self, node: Node) -> Node {
        if self.is_peer(node) { self.parents[node as usize] } else { node }
    }

    /// The representative and its peers.
    pub(super) fn class_members(&self, vertex: Node) -> impl Iterator<Item = Node> + '_ {
        let first = if self.is_shared(vertex) { self.kin[vertex as usize].child } else { 0 };
        std::iter::once(vertex).chain(self.siblings(first).filter(|&child| self.is_peer(child)))
    }

    /// What hangs directly below a vertex, peers too; only what is in a circle until
    /// [`list_children`](Self::list_children).
    pub(super) fn children(&self, vertex: Node) -> impl Iterator<Item = Node> + '_ {
        self.siblings(self.kin[vertex as usize].child)
    }

    fn siblings(&self, first: u32) -> impl Iterator<Item = Node> + '_ {
        let mut next = first;
        std::iter::from_fn(move || {
            let here = next.checked_sub(1)?;
            next = self.kin[here as usize].next;
            Some(here)
        })
    }

    /// How many vertices stand above a representative.
    pub(super) fn depth(&self, vertex: Node) -> u32 {
        self.ranks[vertex as usize].depth
    }

    /// The vertex above a representative.
    pub(super) fn parent(&self, vertex: Node) -> Option<Node> {
        let parent = self.parents[vertex as usize];
        (parent != NONE).then_some(parent)
    }

    /// The vertex above the class of a node.
    pub(super) fn parent_of_class(&self, node: Node) -> Option<Node> {
        self.parent(self.class(node))
    }

    /// Where a representative's jump pointer leads; itself at a root.
    pub(super) fn jump(&self, vertex: Node) -> Node {
        self.ranks[vertex as usize].jump.checked_sub(1).unwrap_or(vertex)
    }

    /// The ancestor of a representative at a depth not below its own.
    pub(super) fn lift(&self, mut vertex: Node, depth: u32) -> Node {
        while self.depth(vertex) > depth {
            let jump = self.jump(vertex);
            vertex = if self.depth(jump) < depth { self.parents[vertex as usize] } else { jump };
        }
        vertex
    }

    pub(super) fn root(&self, node: Node) -> Node {
        self.lift(self.class(node), 0)
    }

    /// Whether `upper` is `lower` or stands above it: for representatives.
    pub(super) fn is_ancestor(&self, upper: Node, lower: Node) -> bool {
        self.depth(upper) <= self.depth(lower) && self.lift(lower, self.depth(upper)) == upper
    }

    /// Whether x is in y's class or above it.
    pub(super) fn is_above(&self, x: Node, y: Node) -> bool {
        self.is_ancestor(self.class(x), self.class(y))
    }

    /// Everything at or below a vertex, peers too, parents before children.
    pub(super) fn subtree(&self, vertex: Node, into: &mut Vec<Node>) {
        let mut next = into.len();
        into.push(vertex);
        while let Some(&node) = into.get(next) {
            next += 1;
            into.extend(self.children(node));
        }
    }

    /// Takes a vertex with all below it out of where it hangs. Depths are stale until [`refresh`](Self::refresh).
    pub(super) fn unlink(&mut self, vertex: Node) {
        let parent = self.parents[vertex as usize];
        if parent == NONE {
            return;
        }
        let Kin { next, previous, .. } = self.kin[vertex as usize];
        match previous {
            0 => self.kin[parent as usize].child = next,
            previous => self.kin[previous as usize - 1].next = next,
        }
        if next != 0 {
            self.kin[next as usize - 1].previous = previous;
        }
        self.parents[vertex as usize] = NONE;
        self.peers.set(vertex, false);
        let kin = &mut self.kin[vertex as usize];
        (kin.next, kin.previous) = (0, 0);
    }

    /// Hangs a root below a representative. Depths below it are stale until [`refresh`](Self::refresh).
    pub(super) fn link(&mut self, vertex: Node, parent: Node) {
        self.enlist(vertex, parent);
        self.hang(vertex, parent);
    }

    /// As [`link`](Self::link), for one that is in no circle, before children are listed.
    pub(super) fn hang(&mut self, vertex: Node, parent: Node) {
        self.parents[vertex as usize] = parent;
        self.measure(vertex);
    }

    /// Notes the parent of one that is in no circle, before children are listed, without measuring it.
    pub(super) fn point(&mut self, vertex: Node, parent: Node) {
        self.parents[vertex as usize] = parent;
    }

    /// Measures one below a root.
    pub(super) fn measure_below_root(&mut self, vertex: Node, root: Node) {
        self.ranks[vertex as usize] = Rank { depth: 1, jump: root + 1 };
    }

    /// Depth and jump pointer from the parent's.
    pub(super) fn measure(&mut self, vertex: Node) {
        let parent = self.parents[vertex as usize];
        self.ranks[vertex as usize] = if parent == NONE {
            Rank::default()
        } else {
            let above = self.ranks[parent as usize];
            let first = self.jump(parent);
            let second = self.jump(first);
            let (here, there) = (self.depth(first), self.depth(second));
            let longer = first != parent && above.depth - here == here - there;
            Rank { depth: above.depth + 1, jump: 1 + if longer { second } else { parent } }
        };
    }

    /// Depths and jump pointers of everything at or below a vertex.
    pub(super) fn refresh(&mut self, vertex: Node) {
        self.measure(vertex);
        let mut stack = vec![vertex];
        while let Some(node) = stack.pop() {
            let mut child = self.kin[node as usize].child;
            while child != 0 {
                self.measure(child - 1);
                let kin = self.kin[child as usize - 1];
                if kin.child != 0 {
                    stack.push(child - 1);
                }
                child = kin.next;
            }
        }
    }

    /// Makes one class of the vertices from `lower` up to its ancestor `upper`, which stays to represent it.
    pub(super) fn merge(&mut self, lower: Node, upper: Node) {
        let mut vertex = lower;
        while vertex != upper {
            let parent = self.parents[vertex as usize];
            while let Some(child) = self.kin[vertex as usize].child.checked_sub(1) {
                let peer = self.is_peer(child);
                self.unlink(child);
                self.link(child, upper);
                self.peers.set(child, peer);
            }
            self.unlink(vertex);
            self.link(vertex, upper);
            self.peers.set(vertex, true);
            vertex = parent;
        }
        self.shared.set(upper, true);
        self.refresh(upper);
    }

    /// Makes a class of several a vertex of its own again, once its peers are unlinked.
    pub(super) fn unshare(&mut self, vertex: Node) {
        self.shared.set(vertex, false);
    }
}
