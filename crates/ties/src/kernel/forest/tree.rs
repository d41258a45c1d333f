//! The forest itself: parents, children, depths and jump pointers.
//!
//! A class is a vertex with *peers*: its first member, the representative, is a vertex as any other, and the other members
//! hang below it, marked, without children of their own. So "above" for a member means above or at its
//! representative.
//!
//! A jump pointer leads some way up, by lengths that depend on the depth only (skew-binary numbers; Myers, *An
//! applicative random-access stack*, 1983). Any ancestor is found in a logarithm of the depth, and two vertices of equal depth
//! can jump side by side without missing where their ways meet.

use super::super::holdings::Node;

pub(super) const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Place {
    parent: Node,
    depth: u32,
    jump: Node,
    child: Node,
    next: Node,
    previous: Node,
}

const LONE: Place = Place { parent: NONE, depth: 0, jump: NONE, child: NONE, next: NONE, previous: NONE };

/// The depth's highest bit marks a peer.
const PEER: u32 = 1 << 31;

#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    places: Vec<Place>,
}

impl Tree {
    pub(super) fn new(nodes: u32) -> Self {
        Self { places: vec![LONE; nodes as usize] }
    }

    pub(super) fn add(&mut self) {
        self.places.push(LONE);
    }

    fn at(&self, node: Node) -> &Place {
        &self.places[node as usize]
    }

    fn at_mut(&mut self, node: Node) -> &mut Place {
        &mut self.places[node as usize]
    }

    pub(super) fn is_peer(&self, node: Node) -> bool {
        self.at(node).depth & PEER != 0
    }

    pub(super) fn is_root(&self, node: Node) -> bool {
        self.at(node).parent == NONE
    }

    /// Whether it neither controls nor is controlled.
    pub(super) fn is_lone(&self, node: Node) -> bool {
        let place = self.at(node);
        place.parent == NONE && place.child == NONE
    }

    /// The representative of a node's class: itself, mostly.
    pub(super) fn class(&self, node: Node) -> Node {
        let place = self.at(node);
        if place.depth & PEER == 0 { node } else { place.parent }
    }

    /// The representative and its peers.
    pub(super) fn class_members(&self, vertex: Node) -> impl Iterator<Item = Node> + '_ {
        std::iter::once(vertex).chain(self.children(vertex).filter(|&child| self.is_peer(child)))
    }

    pub(super) fn children(&self, vertex: Node) -> impl Iterator<Item = Node> + '_ {
        let mut child = self.at(vertex).child;
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
        self.at(vertex).depth & !PEER
    }

    /// The vertex above a representative.
    pub(super) fn parent(&self, vertex: Node) -> Option<Node> {
        let parent = self.at(vertex).parent;
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
            vertex = if self.depth(jump) < depth { self.at(vertex).parent } else { jump };
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
        let Place { parent, next, previous, .. } = *self.at(vertex);
        if parent == NONE {
            return;
        }
        if previous == NONE {
            self.at_mut(parent).child = next;
        } else {
            self.at_mut(previous).next = next;
        }
        if next != NONE {
            self.at_mut(next).previous = previous;
        }
        let place = self.at_mut(vertex);
        (place.parent, place.next, place.previous) = (NONE, NONE, NONE);
        place.depth &= !PEER;
    }

    /// Hangs a root below a representative. Depths below it are stale until [`refresh`](Self::refresh).
    pub(super) fn link(&mut self, vertex: Node, parent: Node) {
        let first = self.at(parent).child;
        if first != NONE {
            self.at_mut(first).previous = vertex;
        }
        let place = self.at_mut(vertex);
        (place.parent, place.next, place.previous) = (parent, first, NONE);
        self.at_mut(parent).child = vertex;
        self.measure(vertex);
    }

    /// Depth and jump pointer from the parent's.
    fn measure(&mut self, vertex: Node) {
        let place = *self.at(vertex);
        let (depth, jump) = if place.parent == NONE {
            (0, NONE)
        } else {
            let parent = place.parent;
            let jump = self.jump(parent);
            let (first, second) =
                (self.depth(parent) - self.depth(jump), self.depth(jump) - self.depth(self.jump(jump)));
            let longer = first == second && first > 0;
            (self.depth(parent) + 1, if longer { self.jump(jump) } else { parent })
        };
        let place = self.at_mut(vertex);
        place.depth = depth | (place.depth & PEER);
        place.jump = jump;
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
            let parent = self.at(vertex).parent;
            while self.at(vertex).child != NONE {
                let child = self.at(vertex).child;
                let peer = self.at(child).depth & PEER;
                self.unlink(child);
                self.link(child, upper);
                self.at_mut(child).depth |= peer;
            }
            self.unlink(vertex);
            self.link(vertex, upper);
            self.at_mut(vertex).depth |= PEER;
            vertex = parent;
        }
        self.refresh(upper);
    }
}
