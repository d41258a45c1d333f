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

mod build;
mod change;

use std::collections::BTreeMap;

use thiserror::Error;

use super::line::{Units, Weight};
use super::lists::Lists;
use super::scale::{Interval, Scale};
use crate::Bound;

pub use build::Builder;

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

    /// How many hold a company.
    pub(crate) fn holder_count(&self, company: Node) -> usize {
        self.stakes(company).len()
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
