//! A company's common denominator, and weights over it.

use super::line::Weight;
use crate::fraction::greatest_common_divisor;
use crate::{Bound, Fraction, Share};

/// What is said of one holder. Unlike a [`Share`] its ends may exceed the whole, since it can be a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) lo: Bound,
    pub(crate) hi: Bound,
}

impl From<Share> for Interval {
    fn from(share: Share) -> Self {
        Self { lo: share.lo(), hi: share.hi() }
    }
}

impl Interval {
    /// Two ties of one holder. Nobody holds more than the whole, so the upper end stops there, unless the lower
    /// ends already exceed it: that is for [`Finding::OverFull`](super::Finding) to tell. A sum too fine to be
    /// kept is told as what it certainly lies in.
    pub(crate) fn plus(self, other: Self) -> Self {
        let whole = Bound::closed(Fraction::ONE);
        let sum = |a: Bound, b: Bound| a.at.checked_add(b.at).map(|at| Bound { at, open: a.open || b.open });
        let coarser = Bound { at: self.lo.at.max(other.lo.at), open: false };
        // Beyond twice the whole nothing is learned any more, and sums stay small.
        let lo = sum(self.lo, other.lo).unwrap_or(coarser);
        let lo = if lo.at > TWICE { Bound::closed(TWICE) } else { lo };
        if lo.at > Fraction::ONE || (lo.at == Fraction::ONE && lo.open) {
            return Self { lo, hi: Bound::closed(lo.at) }.at_least_as_wide();
        }
        let hi = sum(self.hi, other.hi).filter(|hi| hi.at <= Fraction::ONE).unwrap_or(whole);
        Self { lo, hi }
    }

    /// An open low end needs a high end above it to be a range at all.
    fn at_least_as_wide(self) -> Self {
        if self.lo.open { Self { lo: self.lo, hi: Bound::closed(TWICE) } } else { self }
    }
}

const TWICE: Fraction = Fraction::TWO;

/// How the weights of one company are written: parts of `denominator`, shifted left by `shift` to leave room for
/// the infinitesimals of open ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    pub(crate) denominator: u64,
    pub(crate) shift: u8,
}

/// Sums stay under this; two spare bits let a comparison double them.
const SUM_BITS: u32 = 62;

impl Scale {
    /// For shares without a common denominator: about a millionth.
    pub(crate) const COARSE: Self = Self { denominator: 1 << 20, shift: 0 };

    /// The scale that holds all of these exactly, if there is one.
    pub(crate) fn fit<'i>(said: impl Iterator<Item = &'i Interval>) -> Option<Self> {
        let (mut denominator, mut open, mut count) = (1_u64, false, 0_usize);
        for interval in said {
            for bound in [interval.lo, interval.hi] {
                let other = bound.at.denominator();
                if !denominator.is_multiple_of(other) {
                    let divisor = greatest_common_divisor(denominator, other);
                    denominator = denominator.checked_mul(other / divisor)?;
                }
                open |= bound.open;
            }
            count += 1;
        }
        // Room for the next as many holders, so that a growing register is not rewritten each time.
        let shift = if open { room_for(2 * count) } else { 0 };
        let scale = Self { denominator, shift };
        scale.fits(count, SUM_BITS).then_some(scale)
    }

    /// The whole.
    pub(crate) fn one(self) -> u64 {
        self.denominator << self.shift
    }

    /// Whether the sums of this many stakes fit 32 bits.
    pub(crate) fn is_narrow(self, stakes: usize) -> bool {
        self.fits(stakes, 31)
    }

    fn fits(self, stakes: usize, bits: u32) -> bool {
        // Each stake weighs at most twice the whole; one more for the line.
        let most = 2 * (stakes as u128 + 1);
        (u128::from(self.denominator) << self.shift).checked_mul(most).is_some_and(|sum| sum >> bits == 0)
    }

    /// Whether a further share can be written in this scale, among `stakes` in all.
    pub(crate) fn holds(self, said: &Interval, stakes: usize) -> bool {
        [said.lo, said.hi].into_iter().all(|bound| {
            self.denominator.is_multiple_of(bound.at.denominator())
                && (!bound.open || self.shift >= room_for(stakes))
        }) && (self.shift == 0 || self.shift >= room_for(stakes))
    }

    pub(crate) fn weigh(self, said: &Interval) -> Weight {
        let whole =
            |bound: Bound| (bound.at.numerator() * (self.denominator / bound.at.denominator())) << self.shift;
        Weight { lo: whole(said.lo) + u64::from(said.lo.open), hi: whole(said.hi) - u64::from(said.hi.open) }
    }

    /// A share that does not fit any scale, as a range that surely holds it: no least, and a rounded-up most.
    pub(crate) fn coarse(said: &Interval) -> Weight {
        let most = u128::from(said.hi.at.numerator()) * u128::from(Self::COARSE.denominator);
        let hi = most.div_ceil(u128::from(said.hi.at.denominator()));
        Weight { lo: 0, hi: u64::try_from(hi).unwrap_or(Self::COARSE.denominator) }
    }

    /// The share that a weight of a single stake came from.
    pub(crate) fn said(self, weight: Weight) -> Interval {
        let bound = |weight: u64| {
            let whole = (weight + ((1 << self.shift) >> 1)) >> self.shift;
            let at = Fraction::new(whole, self.denominator).expect("a scale has a denominator");
            Bound { at, open: weight != whole << self.shift }
        };
        Interval { lo: bound(weight.lo), hi: bound(weight.hi) }
    }
}

/// Bits that hold more than four times as many infinitesimals as there are stakes.
fn room_for(stakes: usize) -> u8 {
    let bits = (8 * (stakes + 1)).next_power_of_two().trailing_zeros();
    u8::try_from(bits).expect("a logarithm is small")
}
