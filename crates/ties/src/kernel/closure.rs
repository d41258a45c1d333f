//! Sets that grow: control from one source, and the aggregate 50 % closure.
//!
//! Both legal tests have the same shape. Start with a set of nodes; whenever its members together hold enough of a
//! company, that company joins, and everything it holds counts from then on. Nothing is multiplied: a company
//! that has joined counts with its whole holding, one that has not counts with nothing.
//!
//! | test | seeds | line |
//! |---|---|---|
//! | control by x | `[x]` | [`Line::MAJORITY`] |
//! | OFAC, BIS, European Union | everybody designated | [`Line::HALF_OR_MORE`] |
//! | United Kingdom | one designated person, or one joint group, at a time | [`Line::MAJORITY`] |
//!
//! The set is the *least* one closed under the rule, so support never runs in a circle: if X holds 30 % of A, A
//! controls B, and B holds 30 % of A, then X does not control A, though 30 + 30 is a majority. Each tie of a
//! member is looked at once, so the cost is what the members hold.
//!
//! With ranges, [`Certainty::Certain`] weighs a set by its least and [`Certainty::Possible`] by its most. Both
//! are exact and not only bounds as long as what is unknown of one company says nothing of another: for *possible*,
//! let each company come out the way that let it join; for *certain*, let each company outside the set come
//! out with the set's least, and nothing more joins.

use std::collections::BTreeSet;

use super::holdings::{Holdings, Node};
use super::line::{Certainty, Line, Weight};
use super::table::NodeMap;

/// The least set that contains its seeds and is closed under a line. See the [module](self).
#[derive(Clone, Debug)]
pub struct Closure {
    /// Seeds first, then the others in the order in which they joined.
    order: Vec<Node>,
    ranks: NodeMap<u32>,
    seeds: usize,
    /// The test.
    pub line: Line,
    /// Which answer.
    pub certainty: Certainty,
}

impl Closure {
    /// Whether a node is a seed or has joined.
    #[must_use]
    pub fn contains(&self, node: Node) -> bool {
        self.ranks.contains_key(&node)
    }

    /// The seeds, each once.
    #[must_use]
    pub fn seeds(&self) -> &[Node] {
        &self.order[..self.seeds]
    }

    /// Who has joined, in the order of joining: whoever carried a company stands before it.
    #[must_use]
    pub fn joined(&self) -> &[Node] {
        &self.order[self.seeds..]
    }

    /// The place in the order of joining. Seeds come first.
    #[must_use]
    pub fn rank(&self, node: Node) -> Option<u32> {
        self.ranks.get(&node).copied()
    }

    pub(crate) fn is_seed(&self, node: Node) -> bool {
        self.rank(node).is_some_and(|rank| (rank as usize) < self.seeds)
    }
}

/// To look a holder up costs as much as to read about so many of a register.
const LOOKED_UP_BELOW: usize = 16;

/// A tie as a closure's caller sees it, to admit or to leave out: holder, company.
pub type Admit<'a> = &'a dyn Fn(Node, Node) -> bool;

impl Holdings {
    /// The closure of some seeds over the whole graph. Seeds that do not exist are left out.
    #[must_use]
    pub fn closure(&self, seeds: &[Node], line: Line, certainty: Certainty) -> Closure {
        self.closure_where(seeds, line, certainty, &|_, _| true)
    }

    /// One closure for each seed: tests that do not add different persons together.
    pub fn closure_each<'h>(
        &'h self,
        seeds: &'h [Node],
        line: Line,
        certainty: Certainty,
    ) -> impl Iterator<Item = (Node, Closure)> + 'h {
        seeds.iter().map(move |&seed| (seed, self.closure(&[seed], line, certainty)))
    }

    /// The closure over the ties that `admit` lets through. A tie that is left out counts as held by an
    /// outsider: this is what happens when it is *sold* to one, or when a reader may not see it.
    #[must_use]
    pub fn closure_where(
        &self,
        seeds: &[Node],
        line: Line,
        certainty: Certainty,
        admit: Admit<'_>,
    ) -> Closure {
        self.grow(seeds, line, certainty, admit, &BTreeSet::new())
    }

    /// As [`closure_where`](Self::closure_where), where some ties are also *cancelled*: nobody holds them any more,
    /// and the rest of the company comes to the whole. Cancelled ties are (company, holder).
    pub(crate) fn grow(
        &self,
        seeds: &[Node],
        line: Line,
        certainty: Certainty,
        admit: Admit<'_>,
        cancelled: &BTreeSet<(Node, Node)>,
    ) -> Closure {
        let mut closure = Closure { order: Vec::new(), ranks: NodeMap::default(), seeds: 0, line, certainty };
        for &seed in seeds {
            if seed < self.nodes() {
                closure.join(seed);
            }
        }
        closure.seeds = closure.order.len();
        let mut held: NodeMap<Weight> = NodeMap::default();
        let mut next = 0;
        while let Some(&holder) = closure.order.get(next) {
            next += 1;
            for &company in self.companies(holder) {
                if closure.contains(company)
                    || !admit(holder, company)
                    || cancelled.contains(&(company, holder))
                {
                    continue;
                }
                let Some(weight) = self.voting_weight(holder, company) else { continue };
                let sum = held.entry(company).or_default();
                *sum = sum.plus(weight);
                let mut units = self.units(company);
                for &(_, former) in cancelled.range((company, 0)..=(company, Node::MAX)) {
                    units.idle = units.idle.plus(self.voting_weight(former, company).unwrap_or_default());
                }
                if units.clears(*sum, line, certainty) {
                    closure.join(company);
                }
            }
        }
        closure
    }

    /// What a closure's members hold of a company together, seeds and all; `before` leaves out members that
    /// joined at or after a rank.
    pub(crate) fn held_by(
        &self,
        closure: &Closure,
        company: Node,
        before: Option<u32>,
    ) -> Vec<(Node, Weight)> {
        let counts =
            |holder: Node| closure.rank(holder).is_some_and(|rank| before.is_none_or(|before| rank < before));
        if self.holder_count(company) / LOOKED_UP_BELOW <= closure.order.len() {
            return self.voters(company).filter(|&(holder, _)| counts(holder)).collect();
        }
        // A few members of a closure and very many holders: the members are looked up.
        let members = closure.order.iter().copied().filter(|&holder| counts(holder));
        let held = members.filter_map(|holder| Some((holder, self.voting_weight(holder, company)?)));
        let mut held: Vec<(Node, Weight)> = held.collect();
        held.sort_unstable_by_key(|&(holder, _)| holder);
        held
    }

    /// Which lists reach each member of a closure, for rules where the strictest owner counts.
    ///
    /// A list, a bit of the mask, passes from a holder to a company if the holder was *needed*: some group of
    /// members meets the line with it and falls short without it. A 10 % holder beside one with 60 % is not
    /// needed; three with 30 % each all are, though any two would do. With more than
    /// [`NEEDED_EXACTLY_MAX`] holders in the set, each counts as needed, which errs to the strict side.
    ///
    /// Returns the masks in the order of [`Closure::seeds`] and [`Closure::joined`].
    #[must_use]
    pub fn lists(&self, closure: &Closure, listed: &[(Node, u64)]) -> Vec<(Node, u64)> {
        let mut masks = vec![0_u64; closure.order.len()];
        for &(node, mask) in listed {
            if let Some(rank) = closure.rank(node) {
                masks[rank as usize] |= mask;
            }
        }
        let needed: Vec<Vec<u32>> = closure
            .joined()
            .iter()
            .map(|&company| {
                let needed = self.needed(closure, company);
                needed.into_iter().filter_map(|holder| closure.rank(holder)).collect()
            })
            .collect();
        // A holder that joined later can have lists to pass on, so repeat until nothing is passed.
        let mut moved = true;
        while moved {
            moved = false;
            for (joined, holders) in needed.iter().enumerate() {
                let rank = closure.seeds + joined;
                let mask = holders.iter().fold(masks[rank], |mask, &holder| mask | masks[holder as usize]);
                moved |= mask != masks[rank];
                masks[rank] = mask;
            }
        }
        closure.order.iter().copied().zip(masks).collect()
    }

    fn needed(&self, closure: &Closure, company: Node) -> Vec<Node> {
        let group = self.held_by(closure, company, None);
        let units = self.units(company);
        let all = || group.iter().map(|&(holder, _)| holder).collect();
        if group.len() > NEEDED_EXACTLY_MAX || units.each_whole {
            return all();
        }
        // A subset that falls short, and meets the line with one more: that one is needed.
        let mut needed = vec![false; group.len()];
        for subset in 0..1_u32 << group.len() {
            let members = group.iter().enumerate().filter(|(place, _)| subset >> place & 1 == 1);
            let sum = members.fold(Weight::default(), |sum, (_, &(_, weight))| sum.plus(weight));
            if units.clears(sum, closure.line, closure.certainty) {
                continue;
            }
            for (place, &(_, weight)) in group.iter().enumerate() {
                let outside = subset >> place & 1 == 0;
                if outside && units.clears(sum.plus(weight), closure.line, closure.certainty) {
                    needed[place] = true;
                }
            }
        }
        group.iter().zip(needed).filter(|(_, needed)| *needed).map(|(&(holder, _), _)| holder).collect()
    }
}

/// Up to so many holders their groups are tried one by one: a thousand groups, microseconds.
pub const NEEDED_EXACTLY_MAX: usize = 10;

impl Closure {
    fn join(&mut self, node: Node) {
        let rank = super::holdings::number(self.order.len());
        if !self.contains(node) {
            self.ranks.insert(node, rank);
            self.order.push(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::holdings::{Builder, Terms};
    use super::*;
    use crate::Share;

    fn graph(ties: &[(Node, Node, &str)], terms: &[(Node, Terms)]) -> Holdings {
        let mut builder = Builder::new(10);
        for &(holder, company, share) in ties {
            builder.tie(holder, company, share.parse::<Share>().unwrap()).unwrap();
        }
        for &(company, terms) in terms {
            builder.terms(company, terms).unwrap();
        }
        builder.build()
    }

    const COMPLETE: Terms = Terms { complete: true, own_shares_vote: true, each_whole: false };
    const IDLE: Terms = Terms { complete: false, own_shares_vote: false, each_whole: false };
    const JOINT: Terms = Terms { complete: false, own_shares_vote: true, each_whole: true };

    /// Seeds 0 and 1 against company 9, under majority and under half-or-more, certain and possible.
    #[test]
    fn ranges_and_terms_decide_what_is_certain() {
        type Case<'a> = (&'a str, &'a [(Node, Node, &'a str)], Terms, [bool; 4]);
        let plain = Terms::default();
        let cases: &[Case<'_>] = &[
            // name, ties, terms of 9, [majority certain, possible, half certain, possible]
            ("51", &[(0, 9, "51")], plain, [true, true, true, true]),
            ("50", &[(0, 9, "50")], plain, [false, false, true, true]),
            ("psc band 25-50", &[(0, 9, "(25%,50%]")], plain, [false, false, false, true]),
            ("below the half", &[(0, 9, "(25%,50%)")], plain, [false, false, false, false]),
            ("psc band 50-75", &[(0, 9, "(50%,75%)")], plain, [true, true, true, true]),
            ("two bands", &[(0, 9, "(25%,50%]"), (1, 9, "(25%,50%]")], plain, [true, true, true, true]),
            ("two closed", &[(0, 9, "[25%,50%]"), (1, 9, "[25%,50%]")], plain, [false, true, true, true]),
            ("simplex bound", &[(0, 9, "[40%,60%]"), (2, 9, "45")], plain, [false, true, false, true]),
            ("simplex at the line", &[(0, 9, "[40%,60%]"), (2, 9, "50")], plain, [false, false, false, true]),
            ("simplex, open", &[(0, 9, "[40%,60%]"), (2, 9, "(50%,51%]")], plain, [false; 4]),
            (
                "complete",
                &[(0, 9, "[0%,100%]"), (2, 9, "[10%,20%]"), (3, 9, "[10%,20%]")],
                COMPLETE,
                [true; 4],
            ),
            (
                "incomplete",
                &[(0, 9, "[0%,100%]"), (2, 9, "[10%,20%]"), (3, 9, "[10%,20%]")],
                plain,
                [false, true, false, true],
            ),
            ("unknown", &[(0, 9, "[0%,100%]"), (2, 9, "30"), (3, 9, "25")], plain, [false; 4]),
            ("complete, open", &[(0, 9, "[0%,100%]"), (2, 9, "[0%,50%)")], COMPLETE, [true; 4]),
            (
                "complete, closed",
                &[(0, 9, "[0%,100%]"), (2, 9, "[0%,50%]")],
                COMPLETE,
                [false, true, true, true],
            ),
            ("short register", &[(0, 9, "51"), (2, 9, "10")], COMPLETE, [true; 4]),
            ("over-full", &[(0, 9, "60"), (2, 9, "60")], plain, [false, true, false, true]),
            ("own shares vote", &[(9, 9, "40"), (0, 9, "35")], plain, [false; 4]),
            ("own shares idle", &[(9, 9, "40"), (0, 9, "35")], IDLE, [true; 4]),
            ("own shares idle, half", &[(9, 9, "40"), (0, 9, "30")], IDLE, [false, false, true, true]),
            (
                "own shares idle, range",
                &[(9, 9, "[20%,40%]"), (0, 9, "35")],
                IDLE,
                [false, true, false, true],
            ),
            ("joint", &[(0, 9, "[0%,100%]"), (2, 9, "[0%,100%]")], JOINT, [true; 4]),
            ("joint, others", &[(2, 9, "50"), (3, 9, "50")], JOINT, [false; 4]),
            ("added up", &[(0, 9, "30"), (0, 9, "21")], plain, [true; 4]),
            ("thirds", &[(0, 9, "1/3"), (1, 9, "1/6")], plain, [false, false, true, true]),
            (
                "too fine",
                &[(0, 9, "6/10000000000000000003"), (1, 9, "9999999999999999999/10000000000000000009")],
                plain,
                [false, true, false, true],
            ),
        ];
        for (name, ties, terms, want) in cases {
            let holdings = graph(ties, &[(9, *terms)]);
            let got = [
                (Line::MAJORITY, Certainty::Certain),
                (Line::MAJORITY, Certainty::Possible),
                (Line::HALF_OR_MORE, Certainty::Certain),
                (Line::HALF_OR_MORE, Certainty::Possible),
            ]
            .map(|(line, certainty)| holdings.closure(&[0, 1], line, certainty).contains(9));
            assert_eq!(got, *want, "{name}");
        }
    }

    #[test]
    fn a_few_of_very_many_holders_are_weighed_as_all_are() {
        // One of them holds the company's own shares, which do not vote.
        let mut builder = Builder::new(1_001);
        for holder in 0..1_000 {
            builder.tie(holder, 1_000, "1/2000".parse().unwrap()).unwrap();
        }
        builder.tie(1_000, 1_000, "10".parse().unwrap()).unwrap();
        builder.terms(1_000, IDLE).unwrap();
        let holdings = builder.build();
        for seeds in [vec![], vec![999, 3, 500], vec![1_000, 7], (0..1_000).collect::<Vec<Node>>()] {
            let closure = holdings.closure(&seeds, Line::MAJORITY, Certainty::Certain);
            let all: Vec<_> =
                holdings.voters(1_000).filter(|(holder, _)| closure.contains(*holder)).collect();
            assert_eq!(holdings.held_by(&closure, 1_000, None), all, "{} seeds", seeds.len());
            assert!(holdings.held_by(&closure, 1_000, Some(0)).is_empty());
        }
    }

    #[test]
    fn support_never_runs_in_a_circle() {
        let holdings = graph(&[(0, 1, "30"), (1, 2, "51"), (2, 1, "30")], &[]);
        let closure = holdings.closure(&[0], Line::MAJORITY, Certainty::Certain);
        assert!(closure.joined().is_empty());
        assert_eq!(holdings.closure(&[1], Line::MAJORITY, Certainty::Certain).joined(), [2]);
    }

    #[test]
    fn a_list_passes_through_those_who_are_needed() {
        type Ties<'a> = &'a [(Node, Node, &'a str)];
        let cases: &[(Ties<'_>, u64)] = &[
            (&[(0, 9, "60"), (1, 9, "10")], 0b001),
            (&[(0, 9, "30"), (1, 9, "30")], 0b011),
            (&[(0, 9, "30"), (1, 9, "30"), (2, 9, "30")], 0b111),
            (&[(0, 9, "40"), (1, 9, "10"), (2, 9, "5")], 0b011),
            // 1 comes to 9 only through 3, which it holds.
            (&[(0, 9, "40"), (1, 3, "50"), (3, 9, "20")], 0b011),
        ];
        for (ties, want) in cases {
            let holdings = graph(ties, &[]);
            let closure = holdings.closure(&[0, 1, 2], Line::HALF_OR_MORE, Certainty::Certain);
            let lists = holdings.lists(&closure, &[(0, 1), (1, 2), (2, 4)]);
            let of_nine = lists.iter().find(|(node, _)| *node == 9).map(|(_, mask)| *mask);
            assert_eq!(of_nine, Some(*want), "{ties:?}");
        }
    }
}
