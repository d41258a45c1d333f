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
//! they fit the processor's caches where the rest does not.

use super::super::holdings::Node;

pub(super) const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Place {
    depth: u32,
    jump: Node,
    child: Node,
    next: Node,
    previous: Node,
}

const LONE: Place = Place { depth: 0, jump: NONE, child: NONE, next: NONE, previous: NONE };

/// One bit a node.
#[derive(Clone, Debug, Default)]
struct Marks(Vec<u64>);

impl Marks {
    fn of(nodes: usize) -> Self {
        Self(vec![0; nodes.div_ceil(64)])
    }

    fn has(&self, node: Node) -> bool {
        self.0[node as usize / 64] >> (node % 64) & 1 == 1
    }

    fn set(&mut self, node: Node, on: bool) {
        let word = &mut self.0[node as usize / 64];
        *word = *word & !(1 << (node % 64)) | u64::from(on) << (node % 64);
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    parents: Vec<Node>,
    places: Vec<Place>,
    /// Members of a class that do not represent it.
    peers: Marks,
    /// Representatives of classes of several. May be left on one whose peers have gone.
    shared: Marks,
}

impl Tree {
    pub(super) fn new(nodes: u32) -> Self {
        let nodes = nodes as usize;
        let (peers, shared) = (Marks::of(nodes), Marks::of(nodes));
        Self { parents: vec![NONE; nodes], places: vec![LONE; nodes], peers, shared }
    }

    pub(super) fn add(&mut self) {
        self.parents.push(NONE);
        self.places.push(LONE);
        let words = self.places.len().div_ceil(64);
        self.peers.0.resize(words, 0);
        self.shared.0.resize(words, 0);
    }

    fn at(&self, node: Node) -> &Place {
        &self.places[node as usize]
    }

    fn at_mut(&mut self, node: Node) -> &mut Place {
        &mut self.places[node as usize]
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
        let first = if self.is_shared(vertex) { self.at(vertex).child } else { NONE };
        std::iter::once(vertex).chain(self.siblings(first).filter(|&child| self.is_peer(child)))
    }

    pub(super) fn children(&self, vertex: Node) -> impl Iterator<Item = Node> + '_ {
        self.siblings(self.at(vertex).child)
    }

    fn siblings(&self, first: Node) -> impl Iterator<Item = Node> + '_ {
        let mut child = first;
        std::iter::from_fn(move || {
            let here = child;
            (here != NONE).then(|| {
                child = self.at(here).next;
                here
            })
        })
    }

    /// How many vertices stand above a representative.
    pub(super) fn depth(&self, vertex: Node) -> u32 {
        self.at(vertex).depth
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
        let jump = self.at(vertex).jump;
        if jump == NONE { vertex } else { jump }
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
        let Place { next, previous, .. } = *self.at(vertex);
        if previous == NONE {
            self.at_mut(parent).child = next;
        } else {
            self.at_mut(previous).next = next;
        }
        if next != NONE {
            self.at_mut(next).previous = previous;
        }
        self.parents[vertex as usize] = NONE;
        self.peers.set(vertex, false);
        let place = self.at_mut(vertex);
        (place.next, place.previous) = (NONE, NONE);
    }

    /// Hangs a root below a representative. Depths below it are stale until [`refresh`](Self::refresh).
    pub(super) fn link(&mut self, vertex: Node, parent: Node) {
        let first = std::mem::replace(&mut self.at_mut(parent).child, vertex);
        if first != NONE {
            self.at_mut(first).previous = vertex;
        }
        self.parents[vertex as usize] = parent;
        let place = self.at_mut(vertex);
        (place.next, place.previous) = (first, NONE);
        self.measure(vertex);
    }

    /// Depth and jump pointer from the parent's.
    fn measure(&mut self, vertex: Node) {
        let parent = self.parents[vertex as usize];
        let (depth, jump) = if parent == NONE {
            (0, NONE)
        } else {
            let above = *self.at(parent);
            let mut jump = parent;
            if above.jump != NONE {
                let first = *self.at(above.jump);
                let second = if first.jump == NONE { above.jump } else { first.jump };
                let longer = above.depth - first.depth == first.depth - self.depth(second);
                if longer {
                    jump = second;
                }
            }
            (above.depth + 1, jump)
        };
        let place = self.at_mut(vertex);
        (place.depth, place.jump) = (depth, jump);
    }

    /// Depths and jump pointers of everything at or below a vertex.
    pub(super) fn refresh(&mut self, vertex: Node) {
        self.measure(vertex);
        let mut stack = vec![vertex];
        while let Some(node) = stack.pop() {
            let mut child = self.at(node).child;
            while child != NONE {
                self.measure(child);
                if self.at(child).child != NONE {
                    stack.push(child);
                }
                child = self.at(child).next;
            }
        }
    }

    /// Makes one class of the vertices from `lower` up to its ancestor `upper`, which stays to represent it.
    pub(super) fn merge(&mut self, lower: Node, upper: Node) {
        let mut vertex = lower;
        while vertex != upper {
            let parent = self.parents[vertex as usize];
            while self.at(vertex).child != NONE {
                let child = self.at(vertex).child;
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
