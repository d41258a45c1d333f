//! What one party alone amounts to: whether it, with whatever it controls, holds the majority of the entity.
//!
//! Asked of everybody upstream, this is a closure for each, and a crafted pyramid of ten thousand levels makes that
//! quadratic. Two things bound it: whoever holds in one company alone, and carries it, amounts to just what that company
//! does; and all closures together may grow so far and no further. Beyond that the answer is *possible*, which is true.

use std::cell::{Cell, RefCell};

use hashbrown::{HashMap, HashSet};
use ties::kernel::{Certainty, Line, Node};
use ties::{Bound, Fraction, Truth};

use crate::ground::{Graph, Ground};

/// How many members all closures of one cone may have together: a tenth of a second.
const MEMBERS_MAX: usize = 1_000_000;

/// How near one party comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Whether it has the majority.
    pub(crate) truth: Truth,
    /// The least that it and what it controls hold of the entity directly.
    pub(crate) least: Bound,
    /// The most.
    pub(crate) most: Bound,
}

#[derive(Clone, Copy, Debug)]
struct Outcome {
    reached: bool,
    held: Bound,
}

/// What was found out already.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    outcomes: RefCell<HashMap<(Graph, Certainty, Node), Outcome>>,
    members: Cell<usize>,
}

impl Memory {
    /// Whether some answer was left open, since too much would have had to be looked at.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.members.get() > MEMBERS_MAX
    }
}

impl Ground {
    /// What a party alone amounts to. Ask for those next to the entity first.
    pub(crate) fn alone(&self, graph: Graph, party: Node) -> Reach {
        if party == 0 {
            let nothing = Bound::closed(Fraction::ZERO);
            return Reach { truth: Truth::No, least: nothing, most: nothing };
        }
        let certain = self.outcome(graph, party, Certainty::Certain);
        let possible = self.outcome(graph, party, Certainty::Possible);
        let truth = match (certain.reached, possible.reached) {
            (true, _) => Truth::Certain,
            (false, true) => Truth::Possible,
            (false, false) => Truth::No,
        };
        Reach { truth, least: certain.held, most: possible.held }
    }

    /// Whether a party controls the entity.
    pub(crate) fn control(&self, party: Node) -> Truth {
        self.alone(Graph::Control, party).truth
    }

    fn outcome(&self, graph: Graph, party: Node, certainty: Certainty) -> Outcome {
        let mut path = Vec::new();
        let mut met = HashSet::new();
        let mut at = party;
        let outcome = loop {
            if let Some(known) = self.memory.outcomes.borrow().get(&(graph, certainty, at)) {
                break *known;
            }
            met.insert(at);
            match self.only_company(graph, at, certainty).filter(|next| !met.contains(next)) {
                Some(next) => {
                    path.push(at);
                    at = next;
                }
                None => break self.closure_of(graph, at, certainty),
            }
        };
        let mut outcomes = self.memory.outcomes.borrow_mut();
        for node in path.into_iter().chain([at]) {
            outcomes.insert((graph, certainty, node), outcome);
        }
        outcome
    }

    /// The one company that the party holds in, if it carries it alone, and it is not the entity.
    fn only_company(&self, graph: Graph, party: Node, certainty: Certainty) -> Option<Node> {
        let holdings = self.holdings(graph);
        let &[only] = holdings.companies(party) else { return None };
        if only == 0 || only == self.register_of(graph) || only == party {
            return None;
        }
        let admit = |holder, company| holder == party && company == only;
        holdings.closure_where(&[party], Line::MAJORITY, certainty, &admit).contains(only).then_some(only)
    }

    fn closure_of(&self, graph: Graph, party: Node, certainty: Certainty) -> Outcome {
        if self.memory.is_cut_short() {
            let (reached, at) = match certainty {
                Certainty::Certain => (false, Fraction::ZERO),
                Certainty::Possible => (true, Fraction::ONE),
            };
            return Outcome { reached, held: Bound::closed(at) };
        }
        let closure = self.closure(graph, &[party], Line::MAJORITY, certainty);
        self.memory.members.set(self.memory.members.get() + closure.joined().len() + 1);
        let (least, most) = self.nearness(graph, &closure, self.register_of(graph));
        let held = if certainty == Certainty::Certain { least } else { most };
        Outcome { reached: closure.contains(0), held }
    }
}
