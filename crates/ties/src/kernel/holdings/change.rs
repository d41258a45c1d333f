//! One tie changes. Mostly the new share fits its company's units, and only numbers change; otherwise the company is written
//! anew.

use super::super::line::Weight;
use super::super::scale::{Interval, Scale};
use super::{COARSE, Holdings, Node, Stake, UnknownNode, WIDE, Wide, check, narrow};
use crate::Share;

impl Holdings {
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
    pub(super) fn write(&mut self, company: Node, told: &[(Node, Interval)]) {
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
