//! From a company's register to the nodes and edges of the two graphs that the kernel reads.
//!
//! In the graph of *money* a company is one node, and its holders have their parts of it. In the graph of *control*
//! votes are not the only way: whoever appoints the board, or directs by contract, controls whatever the votes are.
//! So a company with several ways to control it gets a node for each, and is itself a node of which each holder counts
//! as holding the whole:
//!
//! ```text
//!   P 60 %  Q 40 %          D, who directs by contract
//!        \ /                |
//!    [votes of A]           |        A is controlled by whoever controls its votes, or by D
//!         \_______ A ______/
//! ```
//!
//! What only *may* control by right stands behind a node of which it has anything from nothing to all. The members of
//! a concert stand in one more reading of the register, in which the concert holds what its members hold together.

use serde::Serialize;

use super::graph::Graph;
use super::register::{Register, Stake, Ties};
use super::sums::Sum;
use crate::kernel::{Node, Terms};
use crate::{Share, Truth};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Votes and rights: who controls.
    Control,
    /// Capital and profit: who owns.
    Money,
}

/// By what a holder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// By shares, or as a party of the arrangement.
    Stake,
    /// By right.
    Right,
    /// As a concert, by the stakes of its members.
    Pooled,
    /// Not a tie: one way of controlling the company.
    Way,
}

/// Where nodes and edges are written.
pub(super) trait Sheet {
    /// A new node, one way of controlling a company.
    fn way(&mut self, company: Node) -> Node;

    fn edge(&mut self, measure: Measure, edge: Drawn<'_>);

    fn terms(&mut self, measure: Measure, company: Node, terms: Terms);
}

/// An edge, with the ties behind it by number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawn<'t> {
    pub(super) holder: Node,
    pub(super) company: Node,
    pub(super) share: Share,
    pub(super) basis: Basis,
    pub(super) ties: &'t [u32],
}

/// Writes a company's register.
pub(super) fn lay(graph: &mut impl Graph, register: &Register, company: Node, sheet: &mut impl Sheet) {
    let plain =
        Terms { complete: register.complete, own_shares_vote: register.own_shares_vote, each_whole: false };
    for stake in &register.stakes {
        draw(sheet, Measure::Money, stake, company, stake.money);
    }
    set_terms(sheet, Measure::Money, company, plain, &register.stakes);

    let pools = pools(graph, register);
    let (certain, possible): (Vec<_>, Vec<_>) =
        register.rights.iter().partition(|right| right.truth == Truth::Certain);
    if pools.is_empty() && register.rights.is_empty() {
        draw_votes(sheet, &register.stakes, company, company);
        let terms = Terms { each_whole: register.joint, ..plain };
        set_terms(sheet, Measure::Control, company, terms, &register.stakes);
        return;
    }
    if register.stakes.is_empty() && register.rights.len() == 1 {
        // One way to control it, and that is the company's own.
        let right = &register.rights[0];
        let share = if right.truth == Truth::Certain { Share::WHOLE } else { Share::UNKNOWN };
        let (holder, ties) = (right.holder, &right.ties);
        sheet.edge(Measure::Control, Drawn { holder, company, share, basis: Basis::Right, ties });
        return;
    }
    sheet.terms(Measure::Control, company, Terms { each_whole: true, ..Terms::default() });
    if !register.stakes.is_empty() {
        let votes = way(sheet, company);
        draw_votes(sheet, &register.stakes, company, votes);
        let terms = Terms { each_whole: register.joint, ..plain };
        set_terms(sheet, Measure::Control, votes, terms, &register.stakes);
    }
    for pool in &pools {
        let node = way(sheet, company);
        draw_votes(sheet, &pool.others, company, node);
        let (holder, share, ties) = (pool.concert, pool.votes, &pool.ties);
        sheet.edge(Measure::Control, Drawn { holder, company: node, share, basis: Basis::Pooled, ties });
        set_terms(sheet, Measure::Control, node, plain, &pool.others);
    }
    for right in certain {
        let (holder, share, ties) = (right.holder, Share::WHOLE, &right.ties);
        sheet.edge(Measure::Control, Drawn { holder, company, share, basis: Basis::Right, ties });
    }
    if !possible.is_empty() {
        let node = way(sheet, company);
        for right in possible {
            let (holder, share, ties) = (right.holder, Share::UNKNOWN, &right.ties);
            sheet.edge(Measure::Control, Drawn { holder, company: node, share, basis: Basis::Right, ties });
        }
    }
}

fn way(sheet: &mut impl Sheet, company: Node) -> Node {
    let holder = sheet.way(company);
    let (share, basis) = (Share::WHOLE, Basis::Way);
    sheet.edge(Measure::Control, Drawn { holder, company, share, basis, ties: &[] });
    holder
}

/// Draws votes into `node`, the register of `company`. Shares in itself stay the register's own, so that the kernel
/// sees them for what they are.
fn draw_votes(sheet: &mut impl Sheet, stakes: &[Stake], company: Node, node: Node) {
    for stake in stakes {
        let holder = if stake.holder == company { node } else { stake.holder };
        let stake = Stake { holder, ..stake.clone() };
        draw(sheet, Measure::Control, &stake, node, stake.votes);
    }
}

fn draw(sheet: &mut impl Sheet, measure: Measure, stake: &Stake, company: Node, share: Share) {
    if share != Share::NOTHING {
        let (holder, basis, ties) = (stake.holder, Basis::Stake, &stake.ties);
        sheet.edge(measure, Drawn { holder, company, share, basis, ties });
    }
}

/// Tells how a register is read, where that differs from how the kernel reads one of which it was told nothing.
fn set_terms(sheet: &mut impl Sheet, measure: Measure, node: Node, terms: Terms, stakes: &[Stake]) {
    // Whether own shares vote matters only where there are some.
    let own_shares_vote = terms.own_shares_vote || stakes.iter().all(|stake| stake.holder != node);
    let terms = Terms { own_shares_vote, ..terms };
    if terms != Terms::default() {
        sheet.terms(measure, node, terms);
    }
}

/// What the members of one concert hold of a company.
struct Pool {
    concert: u32,
    votes: Share,
    ties: Ties,
    others: Vec<Stake>,
}

fn pools(graph: &mut impl Graph, register: &Register) -> Vec<Pool> {
    let mut members: Vec<(u32, usize, Truth)> = Vec::new();
    for (place, stake) in register.stakes.iter().enumerate() {
        let concerts = graph.concerts(stake.holder);
        members.extend(concerts.into_iter().map(|(concert, truth)| (concert, place, truth)));
    }
    members.sort_unstable();
    members.dedup_by_key(|&mut (concert, place, _)| (concert, place));
    let groups = members.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1);
    groups.map(|group| pool(register, group)).collect()
}

fn pool(register: &Register, group: &[(u32, usize, Truth)]) -> Pool {
    let mut sum = Sum::NOTHING;
    let mut ties = Ties::new();
    let mut others = register.stakes.clone();
    for &(_, place, truth) in group {
        let stake = &register.stakes[place];
        sum = if truth == Truth::Certain { sum.plus(stake.votes) } else { sum.plus_possible(stake.votes) };
        ties.extend(stake.ties.iter().copied());
        others[place].votes = Share::NOTHING;
    }
    Pool { concert: group[0].0, votes: sum.share().unwrap_or(Share::UNKNOWN), ties, others }
}
