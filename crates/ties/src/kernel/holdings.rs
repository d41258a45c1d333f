//! Who holds what, of one measure: votes, or money.
//!
//! Nodes are numbers from 0. Each node has the list of its holders with their shares, and the list of companies in
//! which it holds; both in order, so that a tie is found by bisection. Make a [`Builder`], tell it the
//! ties, and [`build`](Builder::build); later [`set`](Holdings::set) changes one tie at a time.
//!
//! ```
//! use ties::kernel::{Builder, Certainty, Line, Terms};
//! use ties::{Fraction, Share};
//!
//! // 0 holds 60 % of 1, 1 holds 60 % of 2.
//! let mut builder = Builder::new(3);
//! let sixty = Share::exact(Fraction::percent(60))?;
//! builder.tie(0, 1, sixty)?;
//! builder.tie(1, 2, sixty)?;
//! builder.terms(2, Terms { complete: true, ..Terms::default() })?;
//! let holdings = builder.build();
//! let controlled = holdings.closure(&[0], Line::MAJORITY, Certainty::Certain);
//! assert_eq!(controlled.joined(), [1, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Memory is 32 bytes a node and 16 bytes a tie, while a company's shares fit 32 bits over their common
//! denominator (almost always); otherwise 16 bytes more a tie. Shares whose common denominator does not even fit 62
//! bits are not rounded in silence: the company is reported as [`Finding::TooFine`] and is treated as
//! conflicted, and what was said is kept as it was said.

use std::collections::BTreeMap;

use thiserror::Error;

use super::line::{Units, Weight};
use super::lists::Lists;
use super::scale::{Interval, Scale};
use crate::{Bound, Share};

/// A party, by its number: an index into whatever the caller numbers.
pub type Node = u32;

/// How a company's register is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// All holders are known: their shares come to the whole.
    pub complete: bool,
    /// Whether stock that the company holds in itself counts. Company law mostly suspends its votes, and then the others
    /// share the rest: 35 of 60 voting is 58.3 %.
    pub own_shares_vote: bool,
    /// The node is a joint holding or an alternative: each holder alone counts as holding the whole.
    /// So "by votes *or* by right of appointment" is a node whose holders are the two ways.
    pub each_whole: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self { complete: false, own_shares_vote: true, each_whole: false }
    }
}

/// What is wrong with what is said of a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The holders together certainly hold more than the whole. Nothing is certain, each stays possible, and of two
    /// that would exclude each other never both.
    OverFull,
    /// The register is called complete, and yet its holders cannot come to the whole. It is read as incomplete.
    ShortRegister,
    /// The shares have no common denominator of 62 bits. Treated as conflicted.
    TooFine,
}

/// A question about a node that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("node {node} is not among the {nodes} nodes")]
pub struct UnknownNode {
    pub node: Node,
    pub nodes: u32,
}

/// A tie as it was told: several between the same two have been added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    pub holder: Node,
    pub company: Node,
    /// At least. It may exceed the whole where several ties were told, and the company is then conflicted.
    pub lo: Bound,
    /// At most.
    pub hi: Bound,
}

const COMPLETE: u8 = 1;
const OWN_IDLE: u8 = 1 << 1;
const EACH_WHOLE: u8 = 1 << 2;
const WIDE: u8 = 1 << 3;
const COARSE: u8 = 1 << 4;

#[derive(Clone, Copy, Debug, Default)]
struct Head {
    ins: u32,
    ins_len: u32,
    outs: u32,
    outs_len: u32,
    /// The whole, and the totals of all holders; in `wide` if they do not fit.
    one: u32,
    lo: u32,
    hi: u32,
    shift: u8,
    flags: u8,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stake {
    holder: Node,
    lo: u32,
    hi: u32,
}

/// A company whose numbers do not fit 32 bits; the weights stand in the order of its stakes.
#[derive(Clone, Debug)]
struct Wide {
    one: u64,
    total: Weight,
    weights: Vec<Weight>,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    heads: Vec<Head>,
    ins: Lists<Stake>,
    outs: Lists<Node>,
    wide: BTreeMap<Node, Wide>,
    /// What was said where it is too fine to be added, in the order of the stakes.
    said: BTreeMap<Node, Vec<Interval>>,
}

/// Collects ties, in any order.
#[derive(Debug)]
pub struct Builder {
    terms: BTreeMap<Node, Terms>,
    ties: Vec<Told>,
    /// Each different share once: a national register has ten thousand, not four million.
    shares: Vec<Interval>,
    share_numbers: std::collections::HashMap<Share, u32>,
    nodes: u32,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    holder: Node,
    company: Node,
    share: u32,
}

impl Builder {
    /// A graph of this many nodes, numbered from 0.
    #[must_use]
    pub fn new(nodes: u32) -> Self {
        Self {
            terms: BTreeMap::new(),
            ties: Vec::new(),
            shares: Vec::new(),
            share_numbers: std::collections::HashMap::new(),
            nodes,
        }
    }

    /// Adds a node, and returns its number.
    ///
    /// # Panics
    ///
    /// Beyond 2^32 - 1 nodes.
    pub fn add_node(&mut self) -> Node {
        let node = self.nodes;
        self.nodes = node.checked_add(1).expect("nodes are numbered in 32 bits");
        node
    }

    /// Makes room for as many ties, where their number is known.
    pub fn reserve(&mut self, ties: usize) {
        self.ties.reserve_exact(ties);
    }

    /// Tells one tie. Several between the same two add up.
    pub fn tie(&mut self, holder: Node, company: Node, share: Share) -> Result<(), UnknownNode> {
        check(holder, self.nodes)?;
        check(company, self.nodes)?;
        if share == Share::NOTHING {
            return Ok(());
        }
        let next = number(self.shares.len());
        let share_number = *self.share_numbers.entry(share).or_insert(next);
        if share_number == next {
            self.shares.push(Interval::from(share));
        }
        self.ties.push(Told { holder, company, share: share_number });
        Ok(())
    }

    /// As [`tie`](Self::tie), for ends that were told before. Both nodes exist.
    pub(crate) fn tie_between(&mut self, holder: Node, company: Node, lo: Bound, hi: Bound) {
        self.ties.push(Told { holder, company, share: number(self.shares.len()) });
        self.shares.push(Interval { lo, hi });
    }

    /// How a company's register is to be read; the default where nothing is told.
    pub fn terms(&mut self, company: Node, terms: Terms) -> Result<(), UnknownNode> {
        check(company, self.nodes)?;
        self.terms.insert(company, terms);
        Ok(())
    }

    /// The graph.
    #[must_use]
    pub fn build(self) -> Holdings {
        let Self { terms, ties, mut shares, share_numbers, nodes } = self;
        drop(share_numbers);
        let mut heads = vec![Head::default(); nodes as usize];
        for tie in &ties {
            heads[tie.company as usize].ins_len += 1;
        }
        let mut start = 0;
        for head in &mut heads {
            head.ins = start;
            start += std::mem::take(&mut head.ins_len);
        }
        // The number of the share stands in the place of the weight until the company's scale is known.
        let mut cells = vec![Stake { holder: 0, lo: 0, hi: 0 }; ties.len()];
        for tie in &ties {
            let head = &mut heads[tie.company as usize];
            cells[(head.ins + head.ins_len) as usize] = Stake { holder: tie.holder, lo: tie.share, hi: 0 };
            head.ins_len += 1;
        }
        drop(ties);
        for (company, terms) in terms {
            heads[company as usize].flags = flags_of(terms);
        }
        let mut holdings = Holdings { heads, ins: Lists::new(cells), ..Holdings::default() };
        for company in 0..nodes {
            holdings.weigh_told(company, &mut shares);
        }
        holdings.list_companies();
        holdings
    }
}

impl Holdings {
    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        number(self.heads.len())
    }

    /// How many ties there are.
    #[must_use]
    pub fn ties(&self) -> usize {
        self.heads.iter().map(|head| head.ins_len as usize).sum()
    }

    /// Adds a node without ties, and returns its number.
    ///
    /// # Panics
    ///
    /// Beyond 2^32 - 1 nodes.
    pub fn add_node(&mut self) -> Node {
        let node = self.nodes();
        self.heads.push(Head::default());
        node
    }

    /// The companies in which a node holds, in order. A node that does not exist holds nothing.
    #[must_use]
    pub fn companies(&self, holder: Node) -> &[Node] {
        self.heads.get(holder as usize).map_or(&[], |head| self.outs.list(head.outs, head.outs_len))
    }

    /// The holders of a company, in order.
    pub fn holders(&self, company: Node) -> impl Iterator<Item = Node> + '_ {
        self.stakes(company).iter().map(|stake| stake.holder)
    }

    /// The holder at a place of the company's list.
    pub(crate) fn holder_at(&self, company: Node, place: u32) -> Option<Node> {
        self.stakes(company).get(place as usize).map(|stake| stake.holder)
    }

    /// Whether anybody is known to hold something of it.
    #[must_use]
    pub fn is_held(&self, company: Node) -> bool {
        !self.stakes(company).is_empty()
    }

    /// A tie, with its share as it was told.
    #[must_use]
    pub fn holding(&self, holder: Node, company: Node) -> Option<Holding> {
        let place = self.find(holder, company).ok()?;
        let said = self.said_at(company, place);
        Some(Holding { holder, company, lo: said.lo, hi: said.hi })
    }

    /// All ties into a company, in the order of the holders.
    pub fn holdings_of(&self, company: Node) -> impl Iterator<Item = Holding> + '_ {
        self.stakes(company).iter().enumerate().map(move |(place, stake)| {
            let said = self.said_at(company, place);
            Holding { holder: stake.holder, company, lo: said.lo, hi: said.hi }
        })
    }

    /// How a company's register is read.
    #[must_use]
    pub fn terms(&self, company: Node) -> Terms {
        let flags = self.heads.get(company as usize).map_or(0, |head| head.flags);
        Terms {
            complete: flags & COMPLETE != 0,
            own_shares_vote: flags & OWN_IDLE == 0,
            each_whole: flags & EACH_WHOLE != 0,
        }
    }

    /// What is wrong with what is said of a company, if anything is.
    #[must_use]
    pub fn finding(&self, company: Node) -> Option<Finding> {
        let head = self.heads.get(company as usize)?;
        if head.ins_len == 0 || head.flags & EACH_WHOLE != 0 {
            return None;
        }
        if head.flags & COARSE != 0 {
            return Some(Finding::TooFine);
        }
        let (one, total) = self.sums(company);
        if total.lo > one {
            Some(Finding::OverFull)
        } else if head.flags & COMPLETE != 0 && total.hi < one {
            Some(Finding::ShortRegister)
        } else {
            None
        }
    }

    /// Every company with something wrong, in order.
    pub fn findings(&self) -> impl Iterator<Item = (Node, Finding)> + '_ {
        (0..self.nodes()).filter_map(|company| Some((company, self.finding(company)?)))
    }

    /// Replaces what is told of one tie; [`Share::NOTHING`] ends it. Returns whether anything changed.
    pub fn set(&mut self, holder: Node, company: Node, share: Share) -> Result<bool, UnknownNode> {
        check(holder, self.nodes())?;
        check(company, self.nodes())?;
        let new = (share != Share::NOTHING).then(|| Interval::from(share));
        let place = self.find(holder, company);
        match (place, new) {
            (Err(_), None) => return Ok(false),
            (Ok(place), Some(new)) if self.said_at(company, place) == new => return Ok(false),
            (Ok(place), new) if self.replace_in_units(company, place, new) => {}
            (Err(place), Some(new)) if self.insert_in_units(company, holder, place, new) => {}
            (place, new) => self.rewrite(company, holder, place, new),
        }
        match (place, new) {
            (Ok(_), None) => self.unlist_company(holder, company),
            (Err(_), Some(_)) => self.list_company(holder, company),
            (Ok(_), Some(_)) | (Err(_), None) => {}
        }
        Ok(true)
    }

    /// Changes how a company's register is read.
    pub fn set_terms(&mut self, company: Node, terms: Terms) -> Result<(), UnknownNode> {
        check(company, self.nodes())?;
        let head = &mut self.heads[company as usize];
        head.flags = flags_of(terms) | (head.flags & (WIDE | COARSE));
        Ok(())
    }

    /// The scale of a company, with all that a comparison needs.
    pub(crate) fn units(&self, company: Node) -> Units {
        let head = &self.heads[company as usize];
        let (one, total) = self.sums(company);
        let idle = if head.flags & OWN_IDLE == 0 {
            Weight::default()
        } else {
            self.weight(company, company).unwrap_or_default()
        };
        Units {
            one,
            shift: head.shift,
            total,
            idle,
            complete: head.flags & COMPLETE != 0 && total.hi >= one,
            each_whole: head.flags & EACH_WHOLE != 0,
            conflicted: head.flags & COARSE != 0 || total.lo > one,
        }
    }

    /// What one holder weighs in a company.
    pub(crate) fn weight(&self, holder: Node, company: Node) -> Option<Weight> {
        Some(self.weight_at(company, self.find(holder, company).ok()?))
    }

    /// What one holder weighs as a voter: nothing for a company's own shares where they do not vote.
    pub(crate) fn voting_weight(&self, holder: Node, company: Node) -> Option<Weight> {
        let idle = holder == company && self.heads[company as usize].flags & OWN_IDLE != 0;
        if idle { None } else { self.weight(holder, company) }
    }

    /// The holders that vote, and what each weighs.
    pub(crate) fn voters(&self, company: Node) -> impl Iterator<Item = (Node, Weight)> + '_ {
        let head = &self.heads[company as usize];
        let idle = head.flags & OWN_IDLE != 0;
        let wide = if head.flags & WIDE == 0 { None } else { self.wide.get(&company) };
        let stakes = self.ins.list(head.ins, head.ins_len).iter().enumerate();
        let weighed = stakes.map(move |(place, stake)| match wide {
            None => (stake.holder, Weight { lo: u64::from(stake.lo), hi: u64::from(stake.hi) }),
            Some(wide) => (stake.holder, wide.weights[place]),
        });
        weighed.filter(move |&(holder, _)| !(idle && holder == company))
    }

    fn sums(&self, company: Node) -> (u64, Weight) {
        let head = &self.heads[company as usize];
        if head.flags & WIDE == 0 {
            (u64::from(head.one), Weight { lo: u64::from(head.lo), hi: u64::from(head.hi) })
        } else {
            let wide = &self.wide[&company];
            (wide.one, wide.total)
        }
    }

    fn stakes(&self, company: Node) -> &[Stake] {
        self.heads.get(company as usize).map_or(&[], |head| self.ins.list(head.ins, head.ins_len))
    }

    fn find(&self, holder: Node, company: Node) -> Result<usize, usize> {
        self.stakes(company).binary_search_by_key(&holder, |stake| stake.holder)
    }

    fn weight_at(&self, company: Node, place: usize) -> Weight {
        let head = &self.heads[company as usize];
        if head.flags & WIDE == 0 {
            let stake = self.ins.list(head.ins, head.ins_len)[place];
            Weight { lo: u64::from(stake.lo), hi: u64::from(stake.hi) }
        } else {
            self.wide[&company].weights[place]
        }
    }

    fn said_at(&self, company: Node, place: usize) -> Interval {
        let head = &self.heads[company as usize];
        if head.flags & COARSE != 0 {
            return self.said[&company][place];
        }
        let (one, _) = self.sums(company);
        Scale { denominator: one >> head.shift, shift: head.shift }.said(self.weight_at(company, place))
    }
}

/// Writing: how stakes come into their company's units.
impl Holdings {
    /// Turns numbers of shares into weights, the first time. Adds up ties between the same two.
    fn weigh_told(&mut self, company: Node, shares: &mut Vec<Interval>) {
        let head = self.heads[company as usize];
        if head.ins_len == 0 {
            return;
        }
        let stakes = self.ins.list_mut(head.ins, head.ins_len);
        if !stakes.is_sorted_by(|a, b| a.holder < b.holder) {
            stakes.sort_unstable_by_key(|stake| (stake.holder, stake.lo));
            let mut kept = 0;
            for next in 1..stakes.len() {
                if stakes[next].holder == stakes[kept].holder {
                    let sum = shares[stakes[kept].lo as usize].plus(shares[stakes[next].lo as usize]);
                    stakes[kept].lo = number(shares.len());
                    shares.push(sum);
                } else {
                    kept += 1;
                    stakes[kept] = stakes[next];
                }
            }
            self.heads[company as usize].ins_len = number(kept + 1);
        }
        let head = &mut self.heads[company as usize];
        let stakes = self.ins.list_mut(head.ins, head.ins_len);
        let fits = Scale::fit(stakes.iter().map(|stake| &shares[stake.lo as usize]));
        if let Some(scale) = fits.filter(|scale| scale.is_narrow(stakes.len())) {
            let mut total = Weight::default();
            for stake in stakes {
                let weight = scale.weigh(&shares[stake.lo as usize]);
                total = total.plus(weight);
                (stake.lo, stake.hi) = (narrow(weight.lo), narrow(weight.hi));
            }
            head.one = narrow(scale.one());
            head.shift = scale.shift;
            (head.lo, head.hi) = (narrow(total.lo), narrow(total.hi));
        } else {
            let told: Vec<_> = stakes.iter().map(|stake| (stake.holder, shares[stake.lo as usize])).collect();
            self.write(company, &told);
        }
    }

    /// The companies of each holder, from the stakes of each company.
    fn list_companies(&mut self) {
        for company in 0..self.heads.len() {
            let head = self.heads[company];
            for stake in self.ins.list(head.ins, head.ins_len) {
                self.heads[stake.holder as usize].outs_len += 1;
            }
        }
        let mut start = 0;
        for head in &mut self.heads {
            head.outs = start;
            start += std::mem::take(&mut head.outs_len);
        }
        let mut cells = vec![0; start as usize];
        for company in 0..self.heads.len() {
            let head = self.heads[company];
            for stake in self.ins.list(head.ins, head.ins_len) {
                let holder = &mut self.heads[stake.holder as usize];
                cells[(holder.outs + holder.outs_len) as usize] = number(company);
                holder.outs_len += 1;
            }
        }
        self.outs = Lists::new(cells);
    }

    fn list_company(&mut self, holder: Node, company: Node) {
        let head = &mut self.heads[holder as usize];
        let place = self.outs.list(head.outs, head.outs_len).partition_point(|&other| other < company);
        (head.outs, head.outs_len) = self.outs.insert(holder, (head.outs, head.outs_len), place, company);
    }

    fn unlist_company(&mut self, holder: Node, company: Node) {
        let head = &mut self.heads[holder as usize];
        if let Ok(place) = self.outs.list(head.outs, head.outs_len).binary_search(&company) {
            head.outs_len = self.outs.remove(holder, (head.outs, head.outs_len), place);
        }
    }

    /// The scale of a company whose weights can be changed one by one.
    fn plain_scale(&self, company: Node) -> Option<Scale> {
        let head = &self.heads[company as usize];
        let plain = head.ins_len > 0 && head.flags & (WIDE | COARSE) == 0;
        plain.then(|| Scale { denominator: u64::from(head.one >> head.shift), shift: head.shift })
    }

    /// Changes or ends a stake if it fits the company's units as they are.
    fn replace_in_units(&mut self, company: Node, place: usize, new: Option<Interval>) -> bool {
        let Some(scale) = self.plain_scale(company) else { return false };
        let weight = match &new {
            None => Weight::default(),
            Some(said) if scale.holds(said, self.stakes(company).len()) => scale.weigh(said),
            Some(_) => return false,
        };
        let head = &mut self.heads[company as usize];
        let stake = &mut self.ins.list_mut(head.ins, head.ins_len)[place];
        head.lo = head.lo - stake.lo + narrow(weight.lo);
        head.hi = head.hi - stake.hi + narrow(weight.hi);
        (stake.lo, stake.hi) = (narrow(weight.lo), narrow(weight.hi));
        if new.is_none() {
            head.ins_len = self.ins.remove(company, (head.ins, head.ins_len), place);
        }
        true
    }

    /// Adds a stake if it fits the company's units as they are.
    fn insert_in_units(&mut self, company: Node, holder: Node, place: usize, new: Interval) -> bool {
        let Some(scale) = self.plain_scale(company) else { return false };
        let stakes = self.stakes(company).len() + 1;
        if !scale.holds(&new, stakes) || !scale.is_narrow(stakes) {
            return false;
        }
        let weight = scale.weigh(&new);
        let stake = Stake { holder, lo: narrow(weight.lo), hi: narrow(weight.hi) };
        let head = &mut self.heads[company as usize];
        head.lo += stake.lo;
        head.hi += stake.hi;
        (head.ins, head.ins_len) = self.ins.insert(company, (head.ins, head.ins_len), place, stake);
        true
    }

    /// Changes a stake and writes the whole company anew.
    fn rewrite(&mut self, company: Node, holder: Node, place: Result<usize, usize>, new: Option<Interval>) {
        let mut told: Vec<(Node, Interval)> = self
            .stakes(company)
            .iter()
            .enumerate()
            .map(|(place, stake)| (stake.holder, self.said_at(company, place)))
            .collect();
        let head = &mut self.heads[company as usize];
        match (place, new) {
            (Ok(place), Some(new)) => told[place].1 = new,
            (Ok(place), None) => {
                told.remove(place);
                head.ins_len = self.ins.remove(company, (head.ins, head.ins_len), place);
            }
            (Err(place), Some(new)) => {
                told.insert(place, (holder, new));
                let stake = Stake { holder, lo: 0, hi: 0 };
                (head.ins, head.ins_len) = self.ins.insert(company, (head.ins, head.ins_len), place, stake);
            }
            (Err(_), None) => return,
        }
        self.write(company, &told);
    }

    /// Writes all weights of a company, whose holders stand in its list already.
    fn write(&mut self, company: Node, told: &[(Node, Interval)]) {
        let fits = Scale::fit(told.iter().map(|(_, said)| said));
        let scale = fits.unwrap_or(Scale::COARSE);
        let weigh = |said: &Interval| if fits.is_some() { scale.weigh(said) } else { Scale::coarse(said) };
        let weights: Vec<Weight> = told.iter().map(|(_, said)| weigh(said)).collect();
        let total = weights.iter().fold(Weight::default(), |sum, &weight| sum.plus(weight));
        let head = &mut self.heads[company as usize];
        head.flags &= !(WIDE | COARSE);
        head.shift = scale.shift;
        self.wide.remove(&company);
        self.said.remove(&company);
        if fits.is_none() {
            head.flags |= COARSE;
            self.said.insert(company, told.iter().map(|(_, said)| *said).collect());
        }
        if scale.is_narrow(told.len()) {
            for (stake, weight) in self.ins.list_mut(head.ins, head.ins_len).iter_mut().zip(&weights) {
                (stake.lo, stake.hi) = (narrow(weight.lo), narrow(weight.hi));
            }
            head.one = narrow(scale.one());
            (head.lo, head.hi) = (narrow(total.lo), narrow(total.hi));
        } else {
            head.flags |= WIDE;
            self.wide.insert(company, Wide { one: scale.one(), total, weights });
        }
    }
}

fn flags_of(terms: Terms) -> u8 {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    flag(terms.complete, COMPLETE)
        | flag(!terms.own_shares_vote, OWN_IDLE)
        | flag(terms.each_whole, EACH_WHOLE)
}

fn check(node: Node, nodes: u32) -> Result<(), UnknownNode> {
    if node < nodes { Ok(()) } else { Err(UnknownNode { node, nodes }) }
}

/// A count as a node's number.
pub(crate) fn number(count: usize) -> u32 {
    u32::try_from(count).expect("nodes and ties are numbered with 32 bits")
}

fn narrow(weight: u64) -> u32 {
    // INVARIANT: only called with weights of a scale that `is_narrow` for their number.
    u32::try_from(weight).expect("a narrow scale keeps sums within 32 bits")
}
