//! The small things of the encoding: numbers, texts, dates, shares. Each `put_` has its `take_`.
//!
//! A number is written seven bits at a time, low ones first, with the eighth bit set on all bytes but the last; a
//! signed one is folded first (0, -1, 1, -2, ...), so that small numbers of either sign are short.

use thiserror::Error;

use crate::{Bound, Day, Fraction, PartialDate, Period, Share};

/// Why bytes are no batch of statements.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("byte {at}: {flaw}")]
pub struct DecodeError {
    /// How many bytes were read before.
    pub at: usize,
    /// What is wrong there.
    pub flaw: Flaw,
}

/// What can be wrong with an encoded batch.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    /// It does not begin as a batch does.
    #[error("this is not a batch of statements")]
    Foreign,
    /// It was written by a later version.
    #[error("version {0} of the encoding is not known here")]
    Version(u8),
    /// It stops in the middle.
    #[error("it ends too early")]
    Short,
    /// Something follows its end.
    #[error("something follows the end")]
    Trailing,
    /// A number is not what may stand there.
    #[error("{what} may not be {value}")]
    Value {
        /// What it would be.
        what: &'static str,
        /// The number.
        value: u64,
    },
    /// A text is not UTF-8, or is no identifier where one must stand.
    #[error("{0}")]
    Text(String),
    /// A share or fraction that cannot be.
    #[error("{0}")]
    Share(String),
}

/// Reads an encoding from its start.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn flaw(&self, flaw: Flaw) -> DecodeError {
        DecodeError { at: self.at, flaw }
    }

    pub(crate) fn value(&self, what: &'static str, value: u64) -> DecodeError {
        self.flaw(Flaw::Value { what, value })
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        if self.left() == 0 { Ok(()) } else { Err(self.flaw(Flaw::Trailing)) }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| self.flaw(Flaw::Short))?;
        self.at += 1;
        Ok(byte)
    }

    pub(crate) fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.value("a byte past 64 bits", bits));
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.value("the tenth byte of a number", 0x80))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, DecodeError> {
        let folded = self.number()?;
        Ok((folded >> 1).cast_signed() ^ -((folded & 1).cast_signed()))
    }

    /// A number of things that follow, each of which takes a byte at least: so it never exceeds what is left, and
    /// room for it can be made without fear.
    pub(crate) fn count(&mut self) -> Result<usize, DecodeError> {
        let count = self.number()?;
        usize::try_from(count)
            .ok()
            .filter(|&count| count <= self.left())
            .ok_or_else(|| self.flaw(Flaw::Short))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'b [u8], DecodeError> {
        let length = self.count()?;
        let bytes = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'b str, DecodeError> {
        let at = self.at;
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|error| DecodeError { at, flaw: Flaw::Text(error.to_string()) })
    }

    pub(crate) fn string(&mut self) -> Result<String, DecodeError> {
        self.text().map(str::to_owned)
    }

    pub(crate) fn optional<T>(
        &mut self,
        take: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.flag()? { take(self).map(Some) } else { Ok(None) }
    }

    pub(crate) fn list<T>(
        &mut self,
        mut take: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.count()?;
        // No room ahead of the elements: a short lie about their number must not reserve a large table.
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(take(self)?);
        }
        Ok(list)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.value("a flag", u64::from(other))),
        }
    }

    pub(crate) fn maybe_flag(&mut self) -> Result<Option<bool>, DecodeError> {
        match self.byte()? {
            0 => Ok(None),
            1 => Ok(Some(false)),
            2 => Ok(Some(true)),
            other => Err(self.value("a flag", u64::from(other))),
        }
    }

    pub(crate) fn small(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        let number = self.number()?;
        u32::try_from(number).map_err(|_| self.value(what, number))
    }

    pub(crate) fn date(&mut self) -> Result<PartialDate, DecodeError> {
        let tag = self.byte()?;
        self.dated(tag)
    }

    fn maybe_date(&mut self) -> Result<Option<PartialDate>, DecodeError> {
        match self.byte()? {
            0 => Ok(None),
            tag => self.dated(tag).map(Some),
        }
    }

    fn dated(&mut self, tag: u8) -> Result<PartialDate, DecodeError> {
        let value = match tag {
            1..=3 => self.signed()?,
            other => return Err(self.value("the kind of a date", u64::from(other))),
        };
        let outside = || self.value("a date", value.unsigned_abs());
        let value = i32::try_from(value).map_err(|_| outside())?;
        let date = match tag {
            1 => PartialDate::Year { year: value },
            2 => {
                let month = u8::try_from(value.rem_euclid(12) + 1).map_err(|_| outside())?;
                PartialDate::Month { year: value.div_euclid(12), month }
            }
            _ => PartialDate::Day { day: Day::from_days(value) },
        };
        let fits = match date {
            PartialDate::Year { year } | PartialDate::Month { year, .. } => (0..=9_999).contains(&year),
            PartialDate::Day { day } => day.as_days() == value,
        };
        if fits { Ok(date) } else { Err(outside()) }
    }

    pub(crate) fn period(&mut self) -> Result<Period, DecodeError> {
        Ok(Period { from: self.maybe_date()?, to: self.maybe_date()? })
    }

    pub(crate) fn share(&mut self) -> Result<Share, DecodeError> {
        let tag = self.byte()?;
        let refused = |this: &Self, why: String| this.flaw(Flaw::Share(why));
        match tag {
            EXACT => {
                let at = self.fraction()?;
                Share::exact(at).map_err(|error| refused(self, error.to_string()))
            }
            UNKNOWN => Ok(Share::UNKNOWN),
            ends @ 0..=3 => {
                let lo = Bound { at: self.fraction()?, open: ends & 1 != 0 };
                let hi = Bound { at: self.fraction()?, open: ends & 2 != 0 };
                Share::between(lo, hi).map_err(|error| refused(self, error.to_string()))
            }
            other => Err(self.value("the kind of a share", u64::from(other))),
        }
    }

    fn fraction(&mut self) -> Result<Fraction, DecodeError> {
        let numerator = self.number()?;
        let denominator = self.number()?;
        Fraction::new(numerator, denominator).map_err(|error| self.flaw(Flaw::Share(error.to_string())))
    }
}

/// A share that is one number; 0 to 3 are the ends of an interval, with the bits 1 and 2 for those that are open.
const EXACT: u8 = 4;
/// [`Share::UNKNOWN`], which is common.
const UNKNOWN: u8 = 5;

pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

pub(crate) fn put_optional<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

pub(crate) fn put_list<T>(out: &mut Vec<u8>, list: &[T], mut put: impl FnMut(&mut Vec<u8>, &T)) {
    put_number(out, list.len() as u64);
    for item in list {
        put(out, item);
    }
}

pub(crate) fn put_maybe_flag(out: &mut Vec<u8>, flag: Option<bool>) {
    out.push(flag.map_or(0, |flag| 1 + u8::from(flag)));
}

pub(crate) fn put_date(out: &mut Vec<u8>, date: PartialDate) {
    let (tag, value) = match date {
        PartialDate::Year { year } => (1, i64::from(year)),
        PartialDate::Month { year, month } => (2, i64::from(year) * 12 + i64::from(month) - 1),
        PartialDate::Day { day } => (3, i64::from(day.as_days())),
    };
    out.push(tag);
    put_signed(out, value);
}

pub(crate) fn put_period(out: &mut Vec<u8>, period: Period) {
    for end in [period.from, period.to] {
        match end {
            Some(date) => put_date(out, date),
            None => out.push(0),
        }
    }
}

pub(crate) fn put_share(out: &mut Vec<u8>, share: Share) {
    if share == Share::UNKNOWN {
        out.push(UNKNOWN);
    } else if let Some(at) = share.as_exact() {
        out.push(EXACT);
        put_fraction(out, at);
    } else {
        let (lo, hi) = (share.lo(), share.hi());
        out.push(u8::from(lo.open) | u8::from(hi.open) << 1);
        put_fraction(out, lo.at);
        put_fraction(out, hi.at);
    }
}

fn put_fraction(out: &mut Vec<u8>, fraction: Fraction) {
    put_number(out, fraction.numerator());
    put_number(out, fraction.denominator());
}
