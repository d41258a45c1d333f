//! Everyone after their holders, with circles found.
//!
//! One walk upwards from each company (Tarjan 1972, on a stack of our own) meets circles as strongly connected
//! components, and finishes each after all that lies upstream of it. Only what is held by somebody is given out.

use super::holdings::{Holdings, Node};
use super::marks::{Marks, Slots};

/// The highest bit marks the finished, in the place of the number of a visit.
const DONE: u32 = 1 << 31;

struct Frame {
    company: Node,
    /// The number of its visit.
    visit: u32,
    /// The next holder to look at.
    next: u32,
    /// The earliest visit that is reached from here.
    low: u32,
}

/// A walk under way, from companies to what they wait for. It borrows nothing between steps, so that its user
/// can work on what it walks.
pub(crate) struct Walk {
    /// Those who wait; the others are finished before the walk begins.
    slots: Slots,
    visits: Vec<u32>,
    visit: u32,
    frames: Vec<Frame>,
    open: Vec<Node>,
    starts: std::vec::IntoIter<Node>,
    /// How many components have been finished.
    finished: u32,
    /// The component found last.
    pub(crate) component: Vec<Node>,
}

impl Walk {
    /// Over those who are marked as waiting.
    pub(crate) fn new(waits: Marks) -> Self {
        let slots = Slots::new(waits);
        let starts = slots.marks().iter().collect::<Vec<_>>().into_iter();
        Self {
            visits: vec![0; slots.count()],
            slots,
            visit: 0,
            frames: Vec::new(),
            open: Vec::new(),
            starts,
            finished: 0,
            component: Vec::new(),
        }
    }

    /// Over everyone who is held.
    pub(crate) fn of_all(holdings: &Holdings) -> Self {
        let mut held = Marks::none(holdings.nodes());
        for company in (0..holdings.nodes()).filter(|&company| holdings.is_held(company)) {
            held.set(company, true);
        }
        Self::new(held)
    }

    /// Finds the next component; `false` when there is no more. Its members met last lie upstream of those met first,
    /// and come first. `upstream` tells one after another for whom a company waits.
    pub(crate) fn step(&mut self, upstream: impl Fn(Node, u32) -> Option<Node>) -> bool {
        loop {
            let Some(frame) = self.frames.last_mut() else {
                if self.begin() {
                    continue;
                }
                return false;
            };
            let company = frame.company;
            let Some(holder) = upstream(company, frame.next) else {
                let Frame { low, visit, .. } = *frame;
                self.frames.pop();
                if low == visit {
                    self.finish(company);
                    return true;
                }
                if let Some(below) = self.frames.last_mut() {
                    below.low = below.low.min(low);
                }
                continue;
            };
            frame.next += 1;
            let Some(slot) = self.slots.of(holder) else { continue };
            match self.visits[slot] {
                done if done & DONE != 0 => {}
                0 => self.enter(holder, slot),
                earlier => frame.low = frame.low.min(earlier),
            }
        }
    }

    /// The number of each node's component in the order of finishing, after the walk: above all for whom it waited.
    /// Who did not wait has 0.
    pub(crate) fn into_levels(mut self, nodes: u32) -> Vec<u32> {
        for visit in &mut self.visits {
            *visit &= !DONE;
        }
        self.slots.spread(&self.visits, nodes)
    }

    fn begin(&mut self) -> bool {
        while let Some(start) = self.starts.next() {
            if let Some(slot) = self.slots.of(start).filter(|&slot| self.visits[slot] == 0) {
                self.enter(start, slot);
                return true;
            }
        }
        false
    }

    fn enter(&mut self, company: Node, slot: usize) {
        self.visit += 1;
        self.visits[slot] = self.visit;
        self.open.push(company);
        self.frames.push(Frame { company, visit: self.visit, next: 0, low: self.visit });
    }

    /// A component is complete: the open companies down to `first`, in which its walk began.
    fn finish(&mut self, first: Node) {
        self.component.clear();
        self.finished += 1;
        while let Some(member) = self.open.pop() {
            if let Some(slot) = self.slots.of(member) {
                self.visits[slot] = DONE | self.finished;
            }
            self.component.push(member);
            if member == first {
                break;
            }
        }
    }
}

/// All companies, each after its holders; the members of a circle stand together.
#[derive(Clone, Debug)]
pub struct Order {
    companies: Vec<Node>,
    /// Where circles stand: from, to.
    circles: Vec<(usize, usize)>,
}

impl Order {
    /// The order of a graph.
    #[must_use]
    pub fn new(holdings: &Holdings) -> Self {
        let mut walk = Walk::of_all(holdings);
        let mut order = Self { companies: Vec::new(), circles: Vec::new() };
        while walk.step(|company, next| holdings.holder_at(company, next)) {
            let from = order.companies.len();
            order.companies.extend_from_slice(&walk.component);
            if walk.component.len() > 1 {
                order.circles.push((from, order.companies.len()));
            }
        }
        order
    }

    /// One company, or the members of one circle, at a time. Who holds nothing and is not held is left out, and
    /// so is who is not held.
    #[must_use]
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[Node]> + '_ {
        let gaps = std::iter::once(0).chain(self.circles.iter().map(|&(_, to)| to));
        let ends = self.circles.iter().map(|&(from, to)| (from, to));
        let ends = ends.chain(std::iter::once((self.companies.len(), self.companies.len())));
        gaps.zip(ends)
            .flat_map(|(gap, (from, to))| {
                let circle = (from < to).then(|| &self.companies[from..to]);
                self.companies[gap..from].chunks(1).chain(circle)
            })
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The circles.
    pub fn circles(&self) -> impl Iterator<Item = &[Node]> + '_ {
        self.circles.iter().map(|&(from, to)| &self.companies[from..to])
    }
}
