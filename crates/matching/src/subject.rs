//! A name with what else a source tells of its bearer.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::name::Name;

/// A country, by its two letters (ISO 3166-1); the letters are checked, the list is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// A country code that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a country is two letters, as in `GB`")]
pub struct CountryError;

impl FromStr for Country {
    type Err = CountryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            [one, two] if one.is_ascii_alphabetic() && two.is_ascii_alphabetic() => {
                Ok(Self([one.to_ascii_uppercase(), two.to_ascii_uppercase()]))
            }
            _ => Err(CountryError),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, two] = self.0;
        write!(f, "{}{}", char::from(one), char::from(two))
    }
}

/// When a person was born, as exactly as is known: `1951`, `1951-03` or `1951-03-07`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BirthDate {
    pub(crate) year: u16,
    pub(crate) month: Option<u8>,
    pub(crate) day: Option<u8>,
}

/// A date of birth that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a date of birth is `1951`, `1951-03` or `1951-03-07`")]
pub struct BirthDateError;

impl FromStr for BirthDate {
    type Err = BirthDateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('-');
        let mut part = |len: usize, max: u16| match parts.next() {
            None => Ok(None),
            Some(digits) if digits.len() == len && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                let number = digits.parse::<u16>().map_err(|_| BirthDateError)?;
                if (1..=max).contains(&number) { Ok(Some(number)) } else { Err(BirthDateError) }
            }
            Some(_) => Err(BirthDateError),
        };
        let (year, month, day) = (part(4, 9999)?.ok_or(BirthDateError)?, part(2, 12)?, part(2, 31)?);
        if parts.next().is_some() {
            return Err(BirthDateError);
        }
        let small = |number: Option<u16>| number.and_then(|number| u8::try_from(number).ok());
        Ok(Self { year, month: small(month), day: small(day) })
    }
}

/// A name, and what a source tells of its bearer beside.
///
/// Countries and dates of birth only ever lower a score: that two people were born in one year makes them no more alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The name.
    pub name: Name,
    /// The countries it is said to belong to; empty where nothing is said.
    pub countries: BTreeSet<Country>,
    /// The date of birth, of a person.
    pub born: Option<BirthDate>,
}

impl From<Name> for Subject {
    fn from(name: Name) -> Self {
        Self { name, countries: BTreeSet::new(), born: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_birth_are_as_exact_as_they_are_written() {
        let date = |year, month, day| Ok(BirthDate { year, month, day });
        let cases = [
            ("1951", date(1951, None, None)),
            ("1951-03", date(1951, Some(3), None)),
            ("1951-03-31", date(1951, Some(3), Some(31))),
            ("", Err(BirthDateError)),
            ("0000", Err(BirthDateError)),
            ("51", Err(BirthDateError)),
            ("1951-13", Err(BirthDateError)),
            ("1951-03-32", Err(BirthDateError)),
            ("1951-03-31-", Err(BirthDateError)),
            ("+951", Err(BirthDateError)),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<BirthDate>(), want, "{text}");
        }
    }

    #[test]
    fn countries_are_two_letters() {
        assert_eq!("gb".parse::<Country>().unwrap().to_string(), "GB");
        for text in ["", "g", "gbr", "1a", "é"] {
            assert!(text.parse::<Country>().is_err(), "{text}");
        }
    }
}
