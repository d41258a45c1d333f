//! What lies upstream of one company.
//!
//! Who controls a company, whether it is blocked and how much of it is looked through to depends only on its holders,
//! their holders, and so on. That *cone* is small (two ties at the median of a national register, a thousand at
//! the 99th percentile), so a question about one company is answered inside it.

use super::closure::Closure;
use super::holdings::{Holdings, Node};
use super::line::{Certainty, Line};
use super::table::NodeSet;

/// A company and everything upstream of it.
#[derive(Clone, Debug)]
pub struct Cone {
    nodes: Vec<Node>,
    members: NodeSet,
}

impl Cone {
    /// The company first, then level by level upwards.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Whether a node is the company, or lies upstream of it.
    #[must_use]
    pub fn contains(&self, node: Node) -> bool {
        self.members.contains(&node)
    }
}

impl Holdings {
    /// A company and everything upstream of it. Empty for a node that does not exist.
    #[must_use]
    pub fn upstream(&self, company: Node) -> Cone {
        let mut cone = Cone { nodes: Vec::new(), members: NodeSet::default() };
        if company < self.nodes() {
            cone.nodes.push(company);
            cone.members.insert(company);
        }
        let mut next = 0;
        while let Some(&node) = cone.nodes.get(next) {
            next += 1;
            for holder in self.holders(node) {
                if cone.members.insert(holder) {
                    cone.nodes.push(holder);
                }
            }
        }
        cone
    }

    /// The closure of some seeds as far as it matters to the company of a cone. Inside the cone it is the same
    /// as [`closure`](Self::closure); outside it says nothing.
    #[must_use]
    pub fn closure_within(&self, cone: &Cone, seeds: &[Node], line: Line, certainty: Certainty) -> Closure {
        self.closure_within_where(cone, seeds, line, certainty, &|_, _| true)
    }

    /// As [`closure_within`](Self::closure_within), over the ties that `admit` lets through.
    #[must_use]
    pub fn closure_within_where(
        &self,
        cone: &Cone,
        seeds: &[Node],
        line: Line,
        certainty: Certainty,
        admit: super::closure::Admit<'_>,
    ) -> Closure {
        let seeds: Vec<Node> = seeds.iter().copied().filter(|&seed| cone.contains(seed)).collect();
        let inside = |holder, company| cone.contains(company) && admit(holder, company);
        self.closure_where(&seeds, line, certainty, &inside)
    }

    /// Everyone who controls a company, in order of their numbers, by trying everybody upstream. Costs a closure for
    /// each of them; for certain control of plain registers ask a [`Forest`](super::Forest).
    ///
    /// Two who *possibly* control the same company may exclude each other: more than half cannot be held
    /// twice. Unless one of them possibly controls the other, they are alternatives.
    #[must_use]
    pub fn controllers(&self, company: Node, certainty: Certainty) -> Vec<Node> {
        let cone = self.upstream(company);
        let mut controllers: Vec<Node> = cone
            .nodes()
            .iter()
            .copied()
            .filter(|&node| node != company)
            .filter(|&node| {
                let closure = self.closure_within(&cone, &[node], Line::MAJORITY, certainty);
                closure.contains(company)
            })
            .collect();
        controllers.sort_unstable();
        controllers
    }
}

#[cfg(test)]
mod tests {
    use super::super::holdings::Builder;
    use super::*;

    #[test]
    fn only_what_is_upstream_is_met() {
        let mut builder = Builder::new(6);
        for (holder, company) in [(0, 1), (1, 2), (2, 1), (2, 3), (4, 5)] {
            builder.tie(holder, company, "40".parse().unwrap()).unwrap();
        }
        let holdings = builder.build();
        assert_eq!(holdings.upstream(2).nodes(), [2, 1, 0]);
        assert_eq!(holdings.upstream(5).nodes(), [5, 4]);
        assert!(holdings.upstream(9).nodes().is_empty());
    }

    #[test]
    fn conflicting_majorities_are_alternatives() {
        let mut builder = Builder::new(3);
        builder.tie(0, 2, "60".parse().unwrap()).unwrap();
        builder.tie(1, 2, "60".parse().unwrap()).unwrap();
        let holdings = builder.build();
        assert!(holdings.controllers(2, Certainty::Certain).is_empty());
        assert_eq!(holdings.controllers(2, Certainty::Possible), [0, 1]);
        assert!(!holdings.closure(&[0], Line::MAJORITY, Certainty::Possible).contains(1));
    }
}
