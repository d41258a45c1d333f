//! All pairs of who certainly controls whom, listed once and not kept.
//!
//! The [`Forest`](super::Forest) answers for one company at a time and follows changes. Whoever wants the whole list, and nothing after
//! it, need not order the companies first: what a source controls can be grown from it, tie by tie, and
//! in a national register nearly all of that work can be left out beforehand.
//!
//! Call a company *plain* if control of it is the plain sum of its holders' least shares. A holder of more than half of a plain
//! company is its *boss*; there is at most one.
//!
//! > **Fact 1.** If b is the boss of c, then x controls c exactly if x is b or controls b.
//!
//! *Proof.* All others together hold less than half, so no group without b has a majority; and b alone has one. ∎
//!
//! > **Fact 2.** A source that is nobody's boss, and alone controls no company that is not plain, controls nobody.
//!
//! *Proof.* The first company to join its set joins by what the source itself holds. ∎
//!
//! > **Fact 3.** If x controls c and c is plain and has no boss, then all holders of c in the group, except maybe x itself, are
//! > controlled by somebody.
//!
//! So the holders that can be controlled and the largest of those that cannot must come to a majority of c together. A plain company
//! without a boss for which that is so is a *candidate*. Who can be controlled is not known beforehand; "has a boss
//! or is a candidate" is more than that, which is safe: it only means looking at more.
//!
//! What is left is small. Of a plain company with a boss only the boss's tie counts (fact 1); of one without, which is no
//! candidate, no tie does (fact 3). A source needs growing only if a company that it alone controls has such a tie
//! in turn; of all other sources the list is what they hold by themselves. Companies that are not plain (complete registers, idle votes,
//! joint holdings) are candidates whenever all their holders together would do.
//!
//! *Worked example.* P holds 60 % of A and 30 % of B, A holds 30 % of B, Q holds 40 % of B, R 51 % of D. P is the boss of A, R of
//! D. B has no boss; A can be controlled and Q is the largest who cannot: 30 + 40, so B is a candidate. R is not grown,
//! since D holds nothing: (R, D) is all. P is grown: A joins with its 30 % of B, then B.
//!
//! The cost is one pass over the ties, and for each pair (source, company) with a grown source, the company's ties that count.
//! In pyramids of hundreds of levels that is much, as there are as many pairs; the forest holds them in one parent a company.

use super::holdings::{Holdings, Node};
use super::line::{Certainty, Line, Units, Weight};
use super::marks::{Marks, Slots};

/// No boss.
const NOBODY: Node = Node::MAX;

impl Holdings {
    /// Calls `each` with every pair of a controller and a company that it certainly controls, each once, in no
    /// particular order. These are the pairs of [`Forest::pairs`](super::Forest::pairs), and where joint holdings are
    /// [contested](super::Forest::contested), all of theirs, too.
    pub fn control_pairs(&self, mut each: impl FnMut(Node, Node)) {
        let direct = Direct::find(self, &mut each);
        let candidates = direct.candidates(self);
        let (growing, ties) = direct.growing(self, &candidates);
        Growth::new(self, &direct.odd, &ties).all(&growing, &mut each);
    }
}

fn controls(units: &Units, weight: Weight) -> bool {
    units.clears(weight, Line::MAJORITY, Certainty::Certain)
}

/// What holders control by themselves.
struct Direct {
    /// Of each plain company.
    bosses: Vec<Node>,
    /// Those that have one.
    bossed: Marks,
    /// Plain companies without a boss that have as many holders as it takes.
    shared: Vec<Node>,
    /// Companies that are not plain and that all holders together control.
    odd: Marks,
}

impl Direct {
    fn find(holdings: &Holdings, each: &mut impl FnMut(Node, Node)) -> Self {
        let nodes = holdings.nodes();
        let (bossed, odd) = (Marks::none(nodes), Marks::none(nodes));
        let mut direct = Self { bosses: vec![NOBODY; nodes as usize], bossed, shared: Vec::new(), odd };
        for company in (0..nodes).filter(|&company| holdings.is_held(company)) {
            let units = holdings.units(company);
            if !units.is_plain() {
                direct.look_at_odd(holdings, company, &units, each);
            } else if 2 * units.total.lo > units.one {
                let boss = holdings.voters(company).find(|(_, weight)| 2 * weight.lo > units.one);
                match boss {
                    // Who holds most of itself is controlled by nobody.
                    Some((boss, _)) if boss == company => {}
                    Some((boss, _)) => {
                        each(boss, company);
                        direct.bosses[company as usize] = boss;
                        direct.bossed.set(company, true);
                    }
                    None => direct.shared.push(company),
                }
            }
        }
        direct
    }

    fn look_at_odd(
        &mut self,
        holdings: &Holdings,
        company: Node,
        units: &Units,
        each: &mut impl FnMut(Node, Node),
    ) {
        let mut sum = Weight::default();
        for (holder, weight) in holdings.voters(company) {
            sum = sum.plus(weight);
            if holder != company && controls(units, weight) {
                each(holder, company);
            }
        }
        self.odd.set(company, controls(units, sum));
    }

    /// Who may be controlled by several together: the odd ones, and the plain ones by fact 3.
    fn candidates(&self, holdings: &Holdings) -> Marks {
        let mut candidates = self.odd.clone();
        let mut work: Vec<Node> = Vec::new();
        let look = |company: Node, candidates: &mut Marks, work: &mut Vec<Node>| {
            let can_be = |holder| self.bossed.has(holder) || candidates.has(holder);
            if !candidates.has(company) && may_be_shared(holdings, company, can_be) {
                candidates.set(company, true);
                work.push(company);
            }
        };
        for &company in &self.shared {
            look(company, &mut candidates, &mut work);
        }
        let mut is_shared = Marks::none(holdings.nodes());
        self.shared.iter().for_each(|&company| is_shared.set(company, true));
        work.extend(self.odd.iter());
        // Whoever turns out to be a candidate may make one of what it holds.
        while let Some(holder) = work.pop() {
            for &company in holdings.companies(holder).iter().filter(|&&company| is_shared.has(company)) {
                look(company, &mut candidates, &mut work);
            }
        }
        candidates
    }

    /// The sources that have to be grown, and the ties that count of all who can then be in a group.
    fn growing(&self, holdings: &Holdings, candidates: &Marks) -> (Marks, Ties) {
        // Whose ties count, whoever they are.
        let mut active = Marks::none(holdings.nodes());
        for company in self.bossed.iter() {
            active.set(self.bosses[company as usize], true);
        }
        for company in candidates.iter() {
            holdings.voters(company).for_each(|(holder, _)| active.set(holder, true));
        }
        let mut growing = Marks::none(holdings.nodes());
        let mut grouped = Marks::none(holdings.nodes());
        for company in active.iter() {
            if self.bossed.has(company) {
                grouped.set(company, true);
                growing.set(self.bosses[company as usize], true);
            } else if candidates.has(company) {
                grouped.set(company, true);
                if self.odd.has(company) {
                    let units = holdings.units(company);
                    let alone = holdings.voters(company).filter(|&(_, weight)| controls(&units, weight));
                    alone.for_each(|(holder, _)| growing.set(holder, true));
                }
            }
        }
        growing.iter().for_each(|source| grouped.set(source, true));
        let ties = Ties::of(self, holdings, candidates.clone(), grouped);
        (growing, ties)
    }
}

/// Whether those who can be controlled, and the largest who cannot, come to a majority.
fn may_be_shared(holdings: &Holdings, company: Node, can_be: impl Fn(Node) -> bool) -> bool {
    let (mut sum, mut largest) = (0, 0);
    for (holder, weight) in holdings.voters(company) {
        if can_be(holder) {
            sum += weight.lo;
        } else {
            largest = weight.lo.max(largest);
        }
    }
    sum > 0 && 2 * (sum + largest) > holdings.units(company).one
}

/// The ties that count, of those who can be in a group.
struct Ties {
    slots: Slots,
    candidates: Slots,
    /// Whose boss each is.
    alone: Rows<Node>,
    /// What each has of candidates, by the candidate's slot.
    with_others: Rows<(u32, Weight)>,
}

impl Ties {
    fn of(direct: &Direct, holdings: &Holdings, candidates: Marks, grouped: Marks) -> Self {
        let (slots, candidates) = (Slots::new(grouped), Slots::new(candidates));
        let led = |row: &mut dyn FnMut(usize, Node)| {
            for company in direct.bossed.iter() {
                if let Some(slot) = slots.of(direct.bosses[company as usize]) {
                    row(slot, company);
                }
            }
        };
        let alone = Rows::of(slots.count(), led);
        let shared = |row: &mut dyn FnMut(usize, (u32, Weight))| {
            for (place, company) in (0..).zip(candidates.marks().iter()) {
                for (holder, weight) in holdings.voters(company) {
                    if let Some(slot) = slots.of(holder) {
                        row(slot, (place, weight));
                    }
                }
            }
        };
        let with_others = Rows::of(slots.count(), shared);
        Self { slots, candidates, alone, with_others }
    }
}

/// Many short rows in one vector, made by going over the cells twice.
struct Rows<T> {
    starts: Vec<u32>,
    cells: Vec<T>,
}

impl<T: Copy + Default> Rows<T> {
    fn of(rows: usize, cells: impl Fn(&mut dyn FnMut(usize, T))) -> Self {
        // Two places ahead, so that after the second pass each row's start is where it belongs.
        let mut starts = vec![0_u32; rows + 2];
        cells(&mut |row, _| starts[row + 2] += 1);
        for row in 2..starts.len() {
            starts[row] += starts[row - 1];
        }
        let mut filled = vec![T::default(); starts[rows + 1] as usize];
        cells(&mut |row, cell| {
            filled[starts[row + 1] as usize] = cell;
            starts[row + 1] += 1;
        });
        Self { starts, cells: filled }
    }

    fn row(&self, row: usize) -> &[T] {
        &self.cells[self.starts[row] as usize..self.starts[row + 1] as usize]
    }
}

/// What a group holds of a candidate.
#[derive(Clone, Copy, Default)]
struct Held {
    /// One more than the source that this was counted for; 0 for none.
    source: u64,
    sum: Weight,
    joined: bool,
}

/// Grows one source after another.
struct Growth<'g> {
    holdings: &'g Holdings,
    odd: &'g Marks,
    ties: &'g Ties,
    /// The candidates' nodes and units, and what is held of each.
    nodes: Vec<Node>,
    units: Vec<Units>,
    held: Vec<Held>,
    /// The slots of those whose ties are still to be looked at.
    work: Vec<usize>,
}

impl<'g> Growth<'g> {
    fn new(holdings: &'g Holdings, odd: &'g Marks, ties: &'g Ties) -> Self {
        let nodes: Vec<Node> = ties.candidates.marks().iter().collect();
        let units = nodes.iter().map(|&company| holdings.units(company)).collect();
        let held = vec![Held::default(); nodes.len()];
        Self { holdings, odd, ties, nodes, units, held, work: Vec::new() }
    }

    fn all(&mut self, growing: &Marks, each: &mut impl FnMut(Node, Node)) {
        for source in growing.iter() {
            self.grow(source, each);
        }
    }

    fn grow(&mut self, source: Node, each: &mut impl FnMut(Node, Node)) {
        let ties = self.ties;
        self.work.extend(ties.slots.of(source));
        let own = ties.slots.of(source);
        while let Some(holder) = self.work.pop() {
            // A company with a boss joins once, when its boss does, and the source's own were listed before.
            for &company in ties.alone.row(holder).iter().filter(|&&company| company != source) {
                if own != Some(holder) {
                    each(source, company);
                }
                self.work.extend(ties.slots.of(company));
            }
            for &(place, weight) in ties.with_others.row(holder) {
                self.add(source, place as usize, weight, each);
            }
        }
    }

    fn add(&mut self, source: Node, place: usize, weight: Weight, each: &mut impl FnMut(Node, Node)) {
        let (company, held) = (self.nodes[place], &mut self.held[place]);
        let round = u64::from(source) + 1;
        if held.source != round {
            *held = Held { source: round, ..Held::default() };
        }
        if held.joined || company == source {
            return;
        }
        held.sum = held.sum.plus(weight);
        if !controls(&self.units[place], held.sum) {
            return;
        }
        held.joined = true;
        // Of those that are not plain, some were listed before.
        let alone = |weight| controls(&self.units[place], weight);
        if !self.odd.has(company) || !self.holdings.voting_weight(source, company).is_some_and(alone) {
            each(source, company);
        }
        self.work.extend(self.ties.slots.of(company));
    }
}

#[cfg(test)]
mod tests {
    use super::super::holdings::{Builder, Terms};
    use super::*;
    use crate::Share;

    fn pairs(ties: &[(Node, Node, &str)], terms: &[(Node, Terms)]) -> Vec<(Node, Node)> {
        let mut builder = Builder::new(10);
        for &(holder, company, share) in ties {
            builder.tie(holder, company, share.parse::<Share>().unwrap()).unwrap();
        }
        for &(company, terms) in terms {
            builder.terms(company, terms).unwrap();
        }
        let mut pairs = Vec::new();
        builder.build().control_pairs(|controller, company| pairs.push((controller, company)));
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn each_pair_is_listed_once() {
        type Case<'a> = (&'a str, &'a [(Node, Node, &'a str)], &'a [(Node, Node)]);
        let cases: &[Case<'_>] = &[
            ("half is no majority", &[(0, 1, "50")], &[]),
            (
                "the worked example",
                &[(0, 1, "60"), (0, 2, "30"), (1, 2, "30"), (3, 2, "40"), (4, 5, "51")],
                &[(0, 1), (0, 2), (4, 5)],
            ),
            (
                "a chain",
                &[(0, 1, "60"), (1, 2, "60"), (2, 3, "60")],
                &[(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)],
            ),
            ("mutual", &[(1, 2, "60"), (2, 1, "60"), (0, 1, "40")], &[(1, 2), (2, 1)]),
            ("into a circle", &[(0, 1, "60"), (1, 2, "60"), (2, 1, "40")], &[(0, 1), (0, 2), (1, 2)]),
            ("most of itself", &[(1, 1, "60"), (0, 1, "40"), (1, 2, "70")], &[(1, 2)]),
            ("support in a circle", &[(0, 1, "30"), (1, 2, "100"), (2, 1, "30")], &[(1, 2)]),
            (
                "a candidate by a candidate",
                &[(0, 1, "60"), (0, 2, "30"), (1, 2, "30"), (0, 3, "30"), (2, 3, "30")],
                &[(0, 1), (0, 2), (0, 3)],
            ),
        ];
        for (name, ties, want) in cases {
            assert_eq!(pairs(ties, &[]), *want, "{name}");
        }
    }

    #[test]
    fn companies_that_are_not_plain_are_listed_once_too() {
        let joint = Terms { each_whole: true, ..Terms::default() };
        let idle = Terms { own_shares_vote: false, ..Terms::default() };
        // 0 and 1 each have all of 2, 0 has 1 as well, and 2 has 3.
        let joint = pairs(&[(0, 1, "60"), (0, 2, "10"), (1, 2, "10"), (2, 3, "60")], &[(2, joint)]);
        assert_eq!(joint, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]);
        // 35 of the 60 % that vote.
        assert_eq!(
            pairs(&[(0, 2, "35"), (2, 2, "40"), (2, 3, "60")], &[(2, idle)]),
            [(0, 2), (0, 3), (2, 3)]
        );
    }
}
