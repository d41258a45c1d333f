//! The shape of a graph of ties, beside that of a national register.
//!
//! The targets are those told of the Italian register (EDBT 2020, "Weaving enterprise knowledge graphs"): about 4.06 million
//! nodes and 3.96 million ties. A graph of another size is shown beside them all the same; means and exponents do not grow
//! with it.

use std::fmt;

use super::graph::{Graph, HALF, WHOLE};
use super::reference::Adjacent;
use crate::units::{float, short};

/// From how many ties on a node counts for the exponent of the tail.
const TAIL: u32 = 10;

/// What a graph looks like.
#[derive(Debug, PartialEq)]
pub(crate) struct Shape {
    pub(crate) nodes: u64,
    pub(crate) ties: u64,
    pub(crate) owned: u64,
    pub(crate) holders: u64,
    /// Companies that hold others.
    pub(crate) both: u64,
    pub(crate) most_in: u32,
    pub(crate) most_out: u32,
    /// Components in which everybody holds of everybody, by way of others; most are single nodes.
    pub(crate) strong: u64,
    /// Strong components of more than one node.
    pub(crate) strong_many: u64,
    pub(crate) strong_largest: u64,
    pub(crate) weak: u64,
    pub(crate) weak_largest: u64,
    pub(crate) self_held: u64,
    /// Companies with a holder of more than half.
    pub(crate) majority_held: u64,
    /// Companies held to more than the whole.
    pub(crate) overfull: u64,
    /// Ties upstream of one company: of half of the companies, of 90 and 99 in a hundred, and the most, of a sample.
    pub(crate) upstream: [u32; 4],
    /// Exponents of the tails of holders a company and companies a holder.
    pub(crate) tails: (f64, f64),
}

impl Shape {
    pub(crate) fn of(graph: &Graph) -> Self {
        let nodes = graph.nodes as usize;
        let (mut ins, mut outs, mut held) = (vec![0_u32; nodes], vec![0_u32; nodes], vec![0_u64; nodes]);
        let mut has_majority = vec![false; nodes];
        for tie in &graph.ties {
            outs[tie.holder as usize] += 1;
            ins[tie.company as usize] += 1;
            held[tie.company as usize] += u64::from(tie.points);
            has_majority[tie.company as usize] |= tie.points > HALF;
        }
        let (strong, strong_sizes) = sizes(&strong(&Adjacent::down(graph)));
        let (weak, weak_sizes) = sizes(&weak(graph));
        Self {
            nodes: u64::from(graph.nodes),
            ties: graph.ties.len() as u64,
            owned: number(&ins, |count| *count > 0),
            holders: number(&outs, |count| *count > 0),
            both: ins.iter().zip(&outs).filter(|(ins, outs)| **ins > 0 && **outs > 0).count() as u64,
            most_in: ins.iter().copied().max().unwrap_or(0),
            most_out: outs.iter().copied().max().unwrap_or(0),
            strong,
            strong_many: number(&strong_sizes, |size| *size > 1),
            strong_largest: strong_sizes.iter().copied().max().unwrap_or(0).into(),
            weak,
            weak_largest: weak_sizes.iter().copied().max().unwrap_or(0).into(),
            self_held: number(&graph.ties, |tie| tie.holder == tie.company),
            majority_held: number(&has_majority, |has| *has),
            overfull: number(&held, |points| *points > u64::from(WHOLE)),
            upstream: upstream(&Adjacent::up(graph), &ins),
            tails: (hill(&ins), hill(&outs)),
        }
    }

    pub(crate) fn mean_in(&self) -> f64 {
        float(self.ties) / float(self.owned).max(1.0)
    }

    pub(crate) fn mean_out(&self) -> f64 {
        float(self.ties) / float(self.holders).max(1.0)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: u64| if number < 10 { number.to_string() } else { short(float(number)) };
        let tail = |exponent: f64| if exponent.is_finite() { short(exponent) } else { "no tail".to_owned() };
        writeln!(
            f,
            "nodes / ties                {} / {} (register: 4.06 M / 3.96 M)",
            count(self.nodes),
            count(self.ties)
        )?;
        writeln!(
            f,
            "mean in / out               {:.2} / {:.2} (3.12 / 1.78)",
            self.mean_in(),
            self.mean_out()
        )?;
        writeln!(
            f,
            "most in / out               {} / {} (> 5 k / > 28 k)",
            count(self.most_in.into()),
            count(self.most_out.into())
        )?;
        writeln!(
            f,
            "strong components           {}, {} of several nodes, largest {} (15)",
            count(self.strong),
            count(self.strong_many),
            count(self.strong_largest)
        )?;
        writeln!(
            f,
            "weak components / largest   {} / {} (> 600 k / > 1 M)",
            count(self.weak),
            count(self.weak_largest)
        )?;
        writeln!(f, "self-held                   {} (about 3 k)", count(self.self_held))?;
        let [half, many, most, all] = self.upstream.map(|ties| count(ties.into()));
        writeln!(
            f,
            "ties upstream of a company  p50 {half}, p90 {many}, p99 {most}, most {all} (at 1 M: 2, 12, 1,085, 4,875)"
        )?;
        writeln!(
            f,
            "exponents of in / out       {} / {} (power laws)",
            tail(self.tails.0),
            tail(self.tails.1)
        )?;
        write!(
            f,
            "held by one majority holder {:.0} % of owned; held to more than the whole: {}",
            100.0 * float(self.majority_held) / float(self.owned).max(1.0),
            self.overfull
        )
    }
}

fn number<T>(items: &[T], is: impl Fn(&T) -> bool) -> u64 {
    items.iter().filter(|item| is(item)).count() as u64
}

/// Hill's estimate of a power law's exponent, from all nodes with at least [`TAIL`] ties.
fn hill(counts: &[u32]) -> f64 {
    let tail: Vec<f64> =
        counts.iter().filter(|count| **count >= TAIL).map(|count| f64::from(*count)).collect();
    let sum: f64 = tail.iter().map(|count| (count / (f64::from(TAIL) - 0.5)).ln()).sum();
    1.0 + float(tail.len() as u64) / sum
}

/// Ties upstream of a company, for a sample of those that are owned.
fn upstream(up: &Adjacent, ins: &[u32]) -> [u32; 4] {
    const SAMPLE: usize = 5_000;
    let owned: Vec<u32> = (0..up.nodes()).filter(|node| ins[*node as usize] > 0).collect();
    let mut seen = vec![u32::MAX; ins.len()];
    let mut sizes = Vec::new();
    for company in owned.iter().step_by(owned.len().div_ceil(SAMPLE).max(1)) {
        let (mut ties, mut work) = (0, vec![*company]);
        seen[*company as usize] = *company;
        while let Some(node) = work.pop() {
            for (holder, _) in up.of(node) {
                ties += 1;
                if seen[*holder as usize] != *company {
                    seen[*holder as usize] = *company;
                    work.push(*holder);
                }
            }
        }
        sizes.push(ties);
    }
    sizes.sort_unstable();
    [50, 90, 99, 100].map(|percent| {
        let place = (sizes.len() * percent / 100).min(sizes.len().saturating_sub(1));
        sizes.get(place).copied().unwrap_or(0)
    })
}

/// How many components there are, and the size of each, from the component of each node.
fn sizes(component: &[u32]) -> (u64, Vec<u32>) {
    let mut sizes = vec![0; component.len()];
    for number in component {
        sizes[*number as usize] += 1;
    }
    (number(&sizes, |size| *size > 0), sizes)
}

/// The component of each node by ties in either direction, named by one of its nodes.
fn weak(graph: &Graph) -> Vec<u32> {
    let mut above: Vec<u32> = (0..graph.nodes).collect();
    let find = |above: &mut Vec<u32>, mut node: u32| {
        while above[node as usize] != node {
            let next = above[node as usize];
            above[node as usize] = above[next as usize];
            node = next;
        }
        node
    };
    for tie in &graph.ties {
        let (one, other) = (find(&mut above, tie.holder), find(&mut above, tie.company));
        above[one.max(other) as usize] = one.min(other);
    }
    (0..graph.nodes).map(|node| find(&mut above, node)).collect()
}

/// The strong component of each node, named by one of its nodes (Tarjan 1972, with a stack of its own instead of recursion).
fn strong(down: &Adjacent) -> Vec<u32> {
    const UNSEEN: u32 = u32::MAX;
    let nodes = down.nodes();
    let (mut order, mut low) = (vec![UNSEEN; nodes as usize], vec![0; nodes as usize]);
    let mut component = vec![UNSEEN; nodes as usize];
    let (mut open, mut path, mut seen) = (Vec::new(), Vec::new(), 0);
    for root in 0..nodes {
        if order[root as usize] != UNSEEN {
            continue;
        }
        path.push((root, 0));
        while let Some((node, next)) = path.pop() {
            let at = node as usize;
            if next == 0 {
                order[at] = seen;
                low[at] = seen;
                seen += 1;
                open.push(node);
            }
            if let Some((target, _)) = down.of(node).get(next) {
                path.push((node, next + 1));
                let target = *target as usize;
                if order[target] == UNSEEN {
                    path.push((u32::try_from(target).unwrap_or(UNSEEN), 0));
                } else if component[target] == UNSEEN {
                    low[at] = low[at].min(order[target]);
                }
                continue;
            }
            if low[at] == order[at] {
                while let Some(member) = open.pop() {
                    component[member as usize] = node;
                    if member == node {
                        break;
                    }
                }
            }
            if let Some((above, _)) = path.last() {
                low[*above as usize] = low[*above as usize].min(low[at]);
            }
        }
    }
    component
}

#[cfg(test)]
mod tests {
    use super::super::graph::Tie;
    use super::*;

    #[test]
    fn components_and_loops_are_counted() {
        let tie = |holder, company, points| Tie { holder, company, points };
        // 0 and 1 hold each other, 2 holds itself, 3 holds 4; 5 has no tie, 6 holds 1.
        let ties = vec![tie(0, 1, 6_000), tie(1, 0, 10), tie(2, 2, 5), tie(3, 4, 5_000), tie(6, 1, 4_001)];
        let shape = Shape::of(&Graph::new(ties).unwrap());
        assert_eq!((shape.nodes, shape.ties, shape.owned, shape.holders), (7, 5, 4, 5));
        assert_eq!((shape.strong, shape.strong_many, shape.strong_largest), (6, 1, 2));
        assert_eq!((shape.weak, shape.weak_largest), (4, 3));
        assert_eq!((shape.self_held, shape.majority_held, shape.overfull), (1, 1, 1));
        assert_eq!((shape.most_in, shape.most_out), (2, 1));
        assert_eq!(shape.upstream, [3, 3, 3, 3]);
    }

    #[test]
    fn a_long_chain_needs_no_recursion() {
        let ties = (0..200_000).map(|node| Tie { holder: node, company: node + 1, points: 6_000 });
        let shape = Shape::of(&Graph::new(ties.collect()).unwrap());
        assert_eq!((shape.strong, shape.weak), (200_001, 1));
    }
}
