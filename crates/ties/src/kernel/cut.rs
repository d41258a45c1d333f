//! What would have to end: the least set of ties without which a company is out of a closure.
//!
//! Ending a tie means one of two things, and they differ. If it is *sold* to an outsider, the others keep their
//! shares. If it is *cancelled*, the rest comes to the whole: next to a cancelled 60 %, a 30 % holder has 75 %. So
//! cancelling can make things worse, and each remedy is checked by growing the closure again.
//!
//! The method is exact, with circles too. Keep a list of demands; take the cheapest cut that satisfies them all; grow the
//! closure without it. If the company is out, that is the least cut. If not, each proof that is left is a new demand: one of its
//! ties has to end (or, of the cancelled ties that helped it, one must not). Proofs are irredundant and, in one
//! round, share no ties, so a few rounds suffice on real registers.
//!
//! In the worst case this is as hard as vertex cover: let an owner hold u1 to un, let each edge be a
//! venture held 30 % by each of its two ends, and chain the ventures to the company. So there is a deadline, and
//! an answer found when it strikes says by how much it may miss: [`Least::BestFound`].

use std::collections::{BTreeMap, BTreeSet};

use super::closure::Closure;
use super::cone::Cone;
pub use super::cover::{Clause, Cover, cheapest};
use super::holdings::{Holdings, Node};
use super::line::{Certainty, Line, Weight};
use super::proof::Cost;

/// What becomes of a share whose tie ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It goes to somebody outside.
    Sold,
    /// It ceases to exist.
    Cancelled,
}

/// What is to be undone.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// Who is to be out.
    pub company: Node,
    /// Of whose closure.
    pub seeds: &'a [Node],
    pub line: Line,
    /// Out of the certain closure, or of the possible one, which is more to ask.
    pub certainty: Certainty,
    pub ending: Ending,
    /// What it costs to end a tie; `None` if nobody can.
    pub cost: Cost<'a>,
}

/// Ties whose end lets the company out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Holder and company, in order.
    pub ties: Vec<(Node, Node)>,
    pub cost: u64,
    pub least: Least,
}

/// Whether there is no cheaper cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Least {
    /// There is none.
    Proved,
    /// There was no time to know; it costs at least this much.
    BestFound { lower_bound: u64 },
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It is not in the closure as things are.
    NotNeeded,
    /// Different cuts, the cheapest first; none contains another.
    Cuts(Vec<Cut>),
    /// The ties that can be ended do not suffice; or, with cancelling, no end of ties does.
    Impossible,
    /// There was no time to find any cut.
    Undecided,
}

/// Asked now and then during long work; once it says so, the best so far is returned.
pub type Deadline<'a> = &'a mut dyn FnMut() -> bool;

impl Holdings {
    /// Up to `count` different cuts, the least first.
    pub fn least_cuts(&self, task: &Task<'_>, count: usize, deadline: Deadline<'_>) -> Remedy {
        let mut search = Search::new(self, task);
        if !search.is_in(&BTreeSet::new()) {
            return Remedy::NotNeeded;
        }
        let mut cuts: Vec<Cut> = Vec::new();
        while cuts.len() < count {
            match search.next_cut(deadline) {
                Next::Cut(cut) => {
                    let proved = cut.least == Least::Proved;
                    search.exclude(&cut.ties);
                    cuts.push(cut);
                    if !proved {
                        break;
                    }
                }
                Next::None if cuts.is_empty() => return Remedy::Impossible,
                Next::Late if cuts.is_empty() => return Remedy::Undecided,
                Next::None | Next::Late => break,
            }
        }
        Remedy::Cuts(cuts)
    }
}

/// A tie as it is kept in sets here: company first, so that those of one company stand together.
type Tie = (Node, Node);

enum Next {
    Cut(Cut),
    /// No further one.
    None,
    /// No time for one.
    Late,
}

struct Search<'a> {
    holdings: &'a Holdings,
    task: &'a Task<'a>,
    cone: Cone,
    /// Ties that have appeared in a proof and can be ended, numbered as they came.
    ties: Vec<Tie>,
    numbers: BTreeMap<Tie, usize>,
    costs: Vec<u64>,
    demands: Vec<Clause>,
}

impl<'a> Search<'a> {
    fn new(holdings: &'a Holdings, task: &'a Task<'a>) -> Self {
        Self {
            holdings,
            task,
            cone: holdings.upstream(task.company),
            ties: Vec::new(),
            numbers: BTreeMap::new(),
            costs: Vec::new(),
            demands: Vec::new(),
        }
    }

    /// The closure once some ties have ended as the task says, and some more are left out of consideration.
    fn closure(&self, ended: &BTreeSet<Tie>, aside: &BTreeSet<Tie>) -> Closure {
        let seeds: Vec<Node> =
            self.task.seeds.iter().copied().filter(|&seed| self.cone.contains(seed)).collect();
        let none = BTreeSet::new();
        let (sold, cancelled) = match self.task.ending {
            Ending::Sold => (ended, &none),
            Ending::Cancelled => (&none, ended),
        };
        let admit = |holder, company| {
            let tie = (company, holder);
            self.cone.contains(company) && !sold.contains(&tie) && !aside.contains(&tie)
        };
        self.holdings.grow(&seeds, self.task.line, self.task.certainty, &admit, cancelled)
    }

    fn is_in(&self, ended: &BTreeSet<Tie>) -> bool {
        self.closure(ended, &BTreeSet::new()).contains(self.task.company)
    }

    fn exclude(&mut self, ties: &[(Node, Node)]) {
        let keep = ties.iter().filter_map(|&(holder, company)| self.numbers.get(&(company, holder)).copied());
        self.demands.push(Clause { take: Vec::new(), leave: keep.collect() });
    }

    /// The cheapest cut that meets all demands, or the best that time allows.
    fn next_cut(&mut self, deadline: Deadline<'_>) -> Next {
        let mut lower_bound = 0;
        loop {
            let cover = cheapest(&self.demands, &self.costs, deadline);
            let (chosen, late) = match cover {
                Cover::None => return Next::None,
                Cover::Cheapest(chosen) => (chosen, false),
                Cover::Late { lower_bound: bound } => {
                    lower_bound = bound.max(lower_bound);
                    (Vec::new(), true)
                }
            };
            let ended: BTreeSet<Tie> = chosen.iter().map(|&number| self.ties[number]).collect();
            let cost = self.cost(&ended);
            if !late {
                lower_bound = cost;
                if !self.is_in(&ended) {
                    return Next::Cut(self.cut(&ended, Least::Proved));
                }
                if !deadline() {
                    if self.demand_more(&ended).is_none() {
                        return Next::None;
                    }
                    continue;
                }
            }
            let Some(found) = self.any_cut(&ended).filter(|found| self.is_new(found)) else {
                return Next::Late;
            };
            let least = if self.cost(&found) <= lower_bound {
                Least::Proved
            } else {
                Least::BestFound { lower_bound }
            };
            return Next::Cut(self.cut(&found, least));
        }
    }

    /// Whether a cut does not contain one that was given before.
    fn is_new(&self, found: &BTreeSet<Tie>) -> bool {
        let given = self.demands.iter().filter(|demand| demand.take.is_empty());
        given.into_iter().all(|demand| demand.leave.iter().any(|&number| !found.contains(&self.ties[number])))
    }

    fn cost(&self, ties: &BTreeSet<Tie>) -> u64 {
        ties.iter().map(|tie| self.costs[self.numbers[tie]]).fold(0, u64::saturating_add)
    }

    fn cut(&self, ended: &BTreeSet<Tie>, least: Least) -> Cut {
        let mut ties: Vec<(Node, Node)> = ended.iter().map(|&(company, holder)| (holder, company)).collect();
        ties.sort_unstable();
        Cut { ties, cost: self.cost(ended), least }
    }

    /// New demands from proofs that share no ties. `None` if one of them cannot be met by anything.
    fn demand_more(&mut self, ended: &BTreeSet<Tie>) -> Option<()> {
        let mut aside = BTreeSet::new();
        loop {
            let closure = self.closure(ended, &aside);
            if !closure.contains(self.task.company) {
                return Some(());
            }
            let (take, leave) = self.ways_out(&closure, ended, &aside);
            if take.is_empty() && leave.is_empty() {
                return None;
            }
            let take: Vec<usize> = take.into_iter().map(|tie| self.number(tie)).collect();
            let leave = leave.into_iter().map(|tie| self.number(tie)).collect();
            let no_more = take.is_empty();
            aside.extend(take.iter().map(|&number| self.ties[number]));
            self.demands.push(Clause { take, leave });
            if no_more {
                return Some(());
            }
        }
    }

    /// From one irredundant proof: its ties that can be ended, and the cancelled ties that it needs.
    fn ways_out(
        &self,
        closure: &Closure,
        ended: &BTreeSet<Tie>,
        aside: &BTreeSet<Tie>,
    ) -> (BTreeSet<Tie>, BTreeSet<Tie>) {
        let (mut take, mut leave) = (BTreeSet::new(), BTreeSet::new());
        let mut wanted = vec![self.task.company];
        let mut seen = BTreeSet::new();
        while let Some(company) = wanted.pop() {
            let Some(rank) = closure.rank(company).filter(|_| !closure.is_seed(company)) else { continue };
            if !seen.insert(company) {
                continue;
            }
            let mut group = self.holdings.held_by(closure, company, Some(rank));
            group.retain(|&(holder, _)| {
                let tie = (company, holder);
                !ended.contains(&tie) && !aside.contains(&tie)
            });
            let cancelled: Vec<Tie> = match self.task.ending {
                Ending::Sold => Vec::new(),
                Ending::Cancelled => ended.range((company, 0)..=(company, Node::MAX)).copied().collect(),
            };
            let weigh = |sum: Weight, &(_, holder): &Tie| {
                sum.plus(self.holdings.voting_weight(holder, company).unwrap_or_default())
            };
            let idle = cancelled.iter().fold(Weight::default(), weigh);
            // Ties that nobody can end make the best proofs: there are fewer ways out of them.
            let preferred = |holder, company| Some(u64::from((self.task.cost)(holder, company).is_some()));
            let carry = |idle| self.holdings.carriers(closure, company, group.clone(), idle, &preferred);
            let carriers = if let Some(carriers) = carry(Weight::default()) {
                carriers
            } else {
                leave.extend(cancelled);
                // INVARIANT: with these votes idle the company joined, so its earlier holders carry it.
                carry(idle).unwrap_or_default()
            };
            for (holder, _) in carriers {
                wanted.push(holder);
                if (self.task.cost)(holder, company).is_some() {
                    take.insert((company, holder));
                }
            }
        }
        (take, leave)
    }

    fn number(&mut self, tie: Tie) -> usize {
        if let Some(&number) = self.numbers.get(&tie) {
            return number;
        }
        let number = self.ties.len();
        self.ties.push(tie);
        self.numbers.insert(tie, number);
        // INVARIANT: only ties with a cost are numbered.
        self.costs.push((self.task.cost)(tie.1, tie.0).unwrap_or(u64::MAX));
        number
    }

    /// Some cut: end the cheapest tie of each proof that is left, then take back what was not needed.
    fn any_cut(&mut self, ended: &BTreeSet<Tie>) -> Option<BTreeSet<Tie>> {
        let mut ended = ended.clone();
        loop {
            let closure = self.closure(&ended, &BTreeSet::new());
            if !closure.contains(self.task.company) {
                break;
            }
            let (take, _) = self.ways_out(&closure, &ended, &BTreeSet::new());
            let numbered: Vec<(usize, Tie)> = take.into_iter().map(|tie| (self.number(tie), tie)).collect();
            let (_, tie) = numbered.into_iter().min_by_key(|&(number, _)| (self.costs[number], number))?;
            ended.insert(tie);
        }
        let mut dearest: Vec<Tie> = ended.iter().copied().collect();
        dearest.sort_by_key(|tie| std::cmp::Reverse(self.costs[self.numbers[tie]]));
        for tie in dearest {
            ended.remove(&tie);
            if self.is_in(&ended) {
                ended.insert(tie);
            }
        }
        Some(ended)
    }
}
