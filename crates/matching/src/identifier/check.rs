//! Each scheme's form and check digits.

use super::{IdentifierError, Scheme};

/// ISO 17442: 18 letters or digits and two check digits by ISO 7064, mod 97-10.
pub(super) fn lei(value: String) -> Result<String, IdentifierError> {
    let value = formed(&Scheme::Lei, value, "20", |position| match position {
        1..=18 => Some(Place::LetterOrDigit),
        19 | 20 => Some(Place::Digit),
        _ => None,
    })?;
    // `formed` has seen ASCII alone, so every place is a boundary.
    let (body, found) = value.split_at(18);
    let wanted = format!("{:02}", 98 - remainder_97(body) * 100 % 97);
    checked(Scheme::Lei, &value, found, &wanted)
}

/// The number that these letters and digits are, mod 97.
fn remainder_97(text: &str) -> u32 {
    text.chars().filter_map(|c| c.to_digit(36)).fold(0, |rest, digit| {
        let shift = if digit < 10 { 10 } else { 100 };
        (rest * shift + digit) % 97
    })
}

/// ISO 6166: a country, nine letters or digits, and a check digit by Luhn.
pub(super) fn isin(value: String) -> Result<String, IdentifierError> {
    let value = formed(&Scheme::Isin, value, "12", |position| match position {
        1 | 2 => Some(Place::Letter),
        3..=11 => Some(Place::LetterOrDigit),
        12 => Some(Place::Digit),
        _ => None,
    })?;
    let (body, found) = value.split_at(11);
    let digits: Vec<u32> = body
        .chars()
        .filter_map(|c| c.to_digit(36))
        .flat_map(|digit| if digit < 10 { vec![digit] } else { vec![digit / 10, digit % 10] })
        .collect();
    // The check digit is not doubled, so the one before it is.
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| if index % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { *digit })
        .sum();
    let wanted = ((10 - sum % 10) % 10).to_string();
    checked(Scheme::Isin, &value, found, &wanted)
}

/// The IMO's ship numbers, with or without the letters before them.
pub(super) fn imo(value: &str) -> Result<String, IdentifierError> {
    let value = value.strip_prefix("IMO").unwrap_or(value).to_owned();
    let value = formed(&Scheme::Imo, value, "7", |position| (position <= 7).then_some(Place::Digit))?;
    let (body, found) = value.split_at(6);
    let sum: u32 = body.chars().filter_map(|c| c.to_digit(10)).zip((2..=7).rev()).map(|(d, by)| d * by).sum();
    let wanted = (sum % 10).to_string();
    checked(Scheme::Imo, &value, found, &wanted)
}

/// ISO 9362: institution, country, place, and a branch, of which `XXX` is the head office and says nothing.
pub(super) fn bic(value: String) -> Result<String, IdentifierError> {
    let whole = if value.len() == 8 { 8 } else { 11 };
    let value = formed(&Scheme::Bic, value, "8 or 11", |position| match position {
        1..=4 | 7..=8 => Some(Place::LetterOrDigit),
        5 | 6 => Some(Place::Letter),
        _ if position <= whole => Some(Place::LetterOrDigit),
        _ => None,
    })?;
    Ok(value.strip_suffix("XXX").filter(|rest| rest.len() == 8).map_or_else(|| value.clone(), str::to_owned))
}

/// Companies House: eight characters; up to two letters, digits padded with zeros, for mutual societies a last letter.
pub(super) fn companies_house(scheme: &Scheme, value: String) -> Result<String, IdentifierError> {
    let letters: String = value.chars().take_while(char::is_ascii_alphabetic).take(2).collect();
    let rest = value.get(letters.len()..).unwrap_or_default();
    let padded = format!("{letters}{rest:0>width$}", width = 8 - letters.len());
    // Without any digit it is a word, and not a number that lost its zeros.
    let padded = if rest.contains(|c: char| c.is_ascii_digit()) { padded } else { value };
    let letters = letters.len();
    formed(scheme, padded, "8 at most", |position| match position {
        8 if letters == 2 => Some(Place::LetterOrDigit),
        1..=8 if position > letters => Some(Place::Digit),
        1..=8 => Some(Place::Letter),
        _ => None,
    })
}

/// What may stand at a place.
#[derive(Clone, Copy)]
enum Place {
    Letter,
    Digit,
    LetterOrDigit,
}

impl Place {
    fn allows(self, c: char) -> bool {
        match self {
            Self::Letter => c.is_ascii_uppercase(),
            Self::Digit => c.is_ascii_digit(),
            Self::LetterOrDigit => c.is_ascii_uppercase() || c.is_ascii_digit(),
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::Letter => "a letter of A to Z",
            Self::Digit => "a digit",
            Self::LetterOrDigit => "a letter of A to Z or a digit",
        }
    }
}

/// Gives the value back if each place has what it may have; places count from 1, and end where there is `None`.
fn formed(
    scheme: &Scheme,
    value: String,
    wanted: &'static str,
    place: impl Fn(usize) -> Option<Place>,
) -> Result<String, IdentifierError> {
    let found = value.chars().count();
    if place(found).is_none() || place(found + 1).is_some() {
        return Err(IdentifierError::Length { scheme: scheme.clone(), value, found, wanted });
    }
    let wrong = value.chars().enumerate().find_map(|(index, c)| {
        let place = place(index + 1)?;
        (!place.allows(c)).then_some((index + 1, c, place.told()))
    });
    match wrong {
        Some((position, found, wanted)) => {
            Err(IdentifierError::Character { scheme: scheme.clone(), value, position, found, wanted })
        }
        None => Ok(value),
    }
}

fn checked(scheme: Scheme, value: &str, found: &str, wanted: &str) -> Result<String, IdentifierError> {
    if found == wanted {
        return Ok(value.to_owned());
    }
    let (found, wanted) = (found.to_owned(), wanted.to_owned());
    Err(IdentifierError::CheckDigits { scheme, value: value.to_owned(), found, wanted })
}
