//! Lines, and how close a group of holders can come to one.
//!
//! A *line* is what a test demands of a group: more than 50 % for control, at least 50 % for the blocking rules.
//! Holdings are ranges, so a group has a least and a most that it can hold together. With ranges `[l, u]` of
//! the group G, and the others outside it, all together at most the whole:
//!
//! - most: `min(sum of u in G, 100 % - sum of l outside)`, since the others hold at least their least;
//! - least: `sum of l in G`; in a *complete* register, where all holders together hold everything,
//!   also `100 % - sum of u outside`, whichever is larger.
//!
//! Example: X holds 40 to 60 %, Z exactly 45 %. X has at most 55 %, so control is possible and not certain.
//!
//! # Whole numbers, and ends that do not belong
//!
//! The weights of one company are whole numbers over one denominator, so a sum is an addition of integers. An
//! open end is written as an infinitesimal: "more than 25 %" weighs `25 % + e` at its low end, "less than 75 %"
//! weighs `75 % - e` at its high end. Scale every weight by a power of two that exceeds the number of holders,
//! let `e` be 1, and one integer comparison respects the ends: two stakes of more than 25 % weigh `50 % + 2e`,
//! which is over the line.

use crate::Fraction;

/// What a test demands: at least, or more than, a part of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// The part.
    pub at: Fraction,
    /// Whether meeting it is not enough.
    pub strict: bool,
}

impl Line {
    /// More than half: control by votes.
    pub const MAJORITY: Self = Self { at: Fraction::HALF, strict: true };
    /// Half or more: the blocking rules of OFAC, BIS and the European Union.
    pub const HALF_OR_MORE: Self = Self { at: Fraction::HALF, strict: false };

    /// At least `at`.
    #[must_use]
    pub fn at_least(at: Fraction) -> Self {
        Self { at, strict: false }
    }

    /// More than `at`.
    #[must_use]
    pub fn more_than(at: Fraction) -> Self {
        Self { at, strict: true }
    }
}

/// Whether a thing must hold or only may, given the ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// In every way in which the ranges can come out.
    Certain,
    /// In at least one.
    Possible,
}

/// What a group of holders of one company weighs, in that company's units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) lo: u64,
    pub(crate) hi: u64,
}

impl Weight {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { lo: self.lo + other.lo, hi: self.hi + other.hi }
    }
}

/// A company's scale: what is needed to compare a group of its holders with a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Units {
    /// The whole: the common denominator, shifted left by `shift`.
    pub(crate) one: u64,
    /// The lowest bits that hold infinitesimals; 0 when no end is open.
    pub(crate) shift: u8,
    /// All holders together.
    pub(crate) total: Weight,
    /// Votes that nobody casts: the company's own shares where they are suspended, and cancelled ones.
    pub(crate) idle: Weight,
    pub(crate) complete: bool,
    pub(crate) each_whole: bool,
    /// The holders together certainly hold more than there is, or the shares are too fine to add.
    pub(crate) conflicted: bool,
}

impl Units {
    /// Whether a group that weighs `group` meets the line.
    pub(crate) fn clears(&self, group: Weight, line: Line, certainty: Certainty) -> bool {
        if self.each_whole {
            // Of joint holders each counts with the whole, whatever its part.
            return group.hi > 0;
        }
        if self.is_plain() && line == Line::MAJORITY && certainty == Certainty::Certain {
            return 2 * group.lo > self.one;
        }
        let (held, idle) = match certainty {
            Certainty::Certain if self.conflicted => return false,
            Certainty::Certain => self.least(group),
            Certainty::Possible => self.most(group),
        };
        self.meets(held, idle, line)
    }

    /// Whether a group's least is the sum of its members' least, and nothing else counts.
    pub(crate) fn is_plain(&self) -> bool {
        !self.complete && !self.conflicted && !self.each_whole && self.idle == Weight::default()
    }

    /// The least that the group can hold, and the idle votes in that case. Where a complete register leaves
    /// something to be placed, it goes to outsiders first, then to idle votes, and to the group last.
    pub(crate) fn least(&self, group: Weight) -> (u64, u64) {
        if !self.complete {
            return (group.lo, self.idle.lo);
        }
        let unplaced = self.one.saturating_sub(self.total.lo);
        let slack = |weight: Weight| weight.hi.saturating_sub(weight.lo);
        let outsiders = slack(self.total).saturating_sub(slack(self.idle) + slack(group));
        let rest = unplaced.saturating_sub(outsiders);
        let idle = rest.min(slack(self.idle));
        (group.lo + (rest - idle), self.idle.lo + idle)
    }

    /// The most that the group can hold, and the idle votes in that case. In a conflicted company every source
    /// is believed in turn: the group gets all that is said of it.
    pub(crate) fn most(&self, group: Weight) -> (u64, u64) {
        if self.conflicted {
            return (group.hi, self.idle.hi);
        }
        let unplaced = self.one.saturating_sub(self.total.lo);
        let held = unplaced.min(group.hi.saturating_sub(group.lo));
        let idle = (unplaced - held).min(self.idle.hi.saturating_sub(self.idle.lo));
        (group.lo + held, self.idle.lo + idle)
    }

    /// Whether `held / (one - idle)` meets the line: cross-multiplied, `held + at * idle` against `at * one`.
    /// Whole parts decide, and infinitesimals break the tie.
    fn meets(&self, held: u64, idle: u64, line: Line) -> bool {
        let (held, held_e) = self.split(held);
        let (idle, idle_e) = self.split(idle);
        let (n, d) = (i128::from(line.at.numerator()), i128::from(line.at.denominator()));
        let (one, _) = self.split(self.one);
        let whole = held * d - (one - idle) * n;
        let tiny = held_e * d + idle_e * n;
        if line.strict { (whole, tiny) > (0, 0) } else { (whole, tiny) >= (0, 0) }
    }

    /// The whole part of a weight, and its infinitesimals, which may be negative.
    fn split(&self, weight: u64) -> (i128, i128) {
        let weight = i128::from(weight);
        // INVARIANT: a scale leaves room for more infinitesimals than there are holders, so half of the
        // room is never reached, and rounding finds the whole part.
        let whole = (weight + ((1 << self.shift) >> 1)) >> self.shift;
        (whole, weight - (whole << self.shift))
    }

    /// A weight as a part of the whole, and whether infinitesimals were in it.
    pub(crate) fn part(&self, weight: u64) -> (Fraction, bool) {
        let (whole, tiny) = self.split(weight);
        let (one, _) = self.split(self.one);
        // A sum over a 62-bit denominator is kept exactly; it can only exceed one by the number of holders.
        let part = Fraction::reduced(whole.unsigned_abs(), one.unsigned_abs()).unwrap_or(Fraction::ONE);
        (part, tiny != 0)
    }
}
