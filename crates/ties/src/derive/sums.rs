//! Shares added, met and spanned, with their open and closed ends.

use std::cmp::Ordering;

use crate::{Bound, Fraction, Share};

/// What may come out of adding shares: more than the whole, or more digits than are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum {
    lo: Option<Bound>,
    hi: Option<Bound>,
}

impl Sum {
    pub(super) const NOTHING: Self = Self { lo: Some(ZERO), hi: Some(ZERO) };

    pub(super) fn plus(self, share: Share) -> Self {
        Self { lo: plus(self.lo, share.lo()), hi: plus(self.hi, share.hi()) }
    }

    /// Adds what may be there and may not.
    pub(super) fn plus_possible(self, share: Share) -> Self {
        Self { lo: self.lo, hi: plus(self.hi, share.hi()) }
    }

    /// The sum as a share; `None` if it certainly exceeds the whole, or cannot be kept exactly.
    pub(super) fn share(self) -> Option<Share> {
        // The most that anybody can hold is the whole, so an upper end past it (or past counting) is the whole. Less than
        // the whole stays less: a holder of which that is said does not fill a complete register.
        let hi = self.hi.filter(|hi| hi.at <= Fraction::ONE).unwrap_or(Bound::closed(Fraction::ONE));
        Share::between(self.lo?, hi).ok()
    }
}

const ZERO: Bound = Bound { at: Fraction::ZERO, open: false };

fn plus(left: Option<Bound>, right: Bound) -> Option<Bound> {
    let left = left?;
    Some(Bound { at: left.at.checked_add(right.at)?, open: left.open || right.open })
}

/// What lies in both; `None` if nothing does.
pub(super) fn meet(left: Share, right: Share) -> Option<Share> {
    Share::between(lo_max(left.lo(), right.lo()), hi_min(left.hi(), right.hi())).ok()
}

/// From the lower of the two to the higher.
pub(super) fn hull(left: Share, right: Share) -> Share {
    let lo = if lo_cmp(left.lo(), right.lo()).is_le() { left.lo() } else { right.lo() };
    between(lo, hi_max(left.hi(), right.hi()))
}

/// From nothing to as much.
pub(super) fn possibly(share: Share) -> Share {
    between(ZERO, share.hi())
}

/// At least as much, and at most the larger of its own and `hi`.
pub(super) fn raised(share: Share, hi: Bound) -> Share {
    between(share.lo(), hi_max(share.hi(), hi))
}

/// At least as much as either, in both ends.
pub(super) fn larger(left: Share, right: Share) -> Share {
    between(lo_max(left.lo(), right.lo()), hi_max(left.hi(), right.hi()))
}

/// At most `room`, and perhaps nothing.
pub(super) fn squeezed(share: Share, room: Bound) -> Share {
    between(ZERO, hi_min(share.hi(), room))
}

/// What is left of the whole beside somebody who has at least `lo`.
pub(super) fn beside(lo: Bound) -> Bound {
    Bound { at: Fraction::ONE.checked_sub(lo.at).unwrap_or(Fraction::ZERO), open: lo.open }
}

/// Whether it is certainly more than half.
pub(super) fn is_majority(share: Share) -> bool {
    let lo = share.lo();
    lo.at > Fraction::HALF || (lo.at == Fraction::HALF && lo.open)
}

/// The bounds of two shares never cross here, except that nothing may lie between 0 and an open 0: which is nothing.
fn between(lo: Bound, hi: Bound) -> Share {
    Share::between(lo, hi).unwrap_or(Share::NOTHING)
}

fn lo_cmp(left: Bound, right: Bound) -> Ordering {
    left.at.cmp(&right.at).then(left.open.cmp(&right.open))
}

fn lo_max(left: Bound, right: Bound) -> Bound {
    if lo_cmp(left, right).is_ge() { left } else { right }
}

fn hi_cmp(left: Bound, right: Bound) -> Ordering {
    left.at.cmp(&right.at).then(right.open.cmp(&left.open))
}

fn hi_max(left: Bound, right: Bound) -> Bound {
    if hi_cmp(left, right).is_ge() { left } else { right }
}

fn hi_min(left: Bound, right: Bound) -> Bound {
    if hi_cmp(left, right).is_le() { left } else { right }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(text: &str) -> Share {
        text.parse().unwrap()
    }

    #[test]
    fn ends_stay_open_or_closed() {
        let cases = [
            // left        right         meet                hull
            ("(25%,50%]", "[30%,60%]", Some("[30%,50%]"), "(25%,60%]"),
            ("(25%,50%]", "[25%,50%)", Some("(25%,50%)"), "[25%,50%]"),
            ("60%", "20%", None, "[20%,60%]"),
            ("[0%,50%]", "(50%,75%]", None, "[0%,75%]"),
            ("[0%,50%]", "[50%,75%]", Some("50%"), "[0%,75%]"),
            ("[0%,100%]", "49%", Some("49%"), "[0%,100%]"),
        ];
        for (left, right, met, spanned) in cases {
            assert_eq!(meet(share(left), share(right)), met.map(share), "{left} {right}");
            assert_eq!(hull(share(left), share(right)), share(spanned), "{left} {right}");
        }
    }

    #[test]
    fn sums_are_exact_or_absent() {
        let sum = |parts: &[&str]| parts.iter().fold(Sum::NOTHING, |sum, part| sum.plus(share(part))).share();
        assert_eq!(sum(&[]), Some(Share::NOTHING));
        assert_eq!(sum(&["(25%,50%]", "10%"]), Some(share("(35%,60%]")));
        assert_eq!(sum(&["(25%,50%]", "(25%,75%)"]), Some(share("(50%,100%]")));
        assert_eq!(sum(&["[70%,100%)"]), Some(share("[70%,100%)")));
        assert_eq!(sum(&["50%", "[0%,50%)"]), Some(share("[50%,100%)")));
        assert_eq!(sum(&["60%", "60%"]), None);
        assert_eq!(sum(&["1/18446744073709551557", "1/3"]), None);
        assert_eq!(beside(share("(25%,50%]").lo()), Bound::open(Fraction::percent(75)));
        assert!(is_majority(share("(50%,75%)")) && !is_majority(share("[50%,75%)")));
    }
}
