//! From ties as they are told to holdings as they are kept: by company and by holder, in order, added up.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::super::line::Weight;
use super::super::lists::Lists;
use super::super::scale::{Interval, Scale};
use super::{Head, Holdings, Node, Stake, Terms, UnknownNode, check, flags_of, narrow, number};
use crate::{Bound, Share};

/// Collects ties, in any order.
#[derive(Debug)]
pub struct Builder {
    terms: BTreeMap<Node, Terms>,
    ties: Vec<Told>,
    /// Each different share once: a national register has ten thousand, not four million.
    shares: Vec<Interval>,
    share_numbers: HashMap<Share, u32>,
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
            share_numbers: HashMap::new(),
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
}
