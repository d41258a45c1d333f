//! Identifiers: a scheme, and a value in that scheme's own spelling.
//!
//! A value is worth comparing once it has one spelling. `9074729`, `IMO 9074729` and `imo9074729` are one ship, and
//! Companies House's `445790` is `00445790`. Four schemes carry check digits or a fixed form, and a value that fails them
//! is refused, because a mistyped identifier that happens to be somebody else's is the worst of all matches:
//!
//! | scheme | form | check |
//! |---|---|---|
//! | LEI (ISO 17442) | 18 letters or digits, 2 digits | the whole as a number, letters as 10 to 35, leaves 1 mod 97 |
//! | ISIN (ISO 6166) | 2 letters, 9 letters or digits, 1 digit | Luhn over the digits, letters as 10 to 35 |
//! | IMO ship number | 7 digits | the first six times 7, 6, .. 2 add up to a number that ends in the seventh |
//! | BIC (ISO 9362) | 4 letters or digits, 2 letters, 2 or 5 letters or digits | none |
//!
//! Everything else is a *list*: a register or a tax office, under a code as org-id.guide writes them (`GB-COH`,
//! `UA-EDR`) or GLEIF does (`RA000585`), with a number that only that list understands. Such a number loses its spaces
//! and punctuation and keeps its zeros; `GB-COH` alone is padded and checked for form.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod check;

/// The longest identifier that is looked at, in characters.
///
/// 64: the longest in use are composite register numbers of some 40.
pub const IDENTIFIER_CHARS_MAX: usize = 64;

/// Why an identifier is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdentifierError {
    /// Neither a scheme with a form of its own nor a list's code.
    #[error(
        "`{scheme}` is no scheme: expected LEI, ISIN, IMO, BIC or a list's code such as GB-COH or RA000585"
    )]
    UnknownScheme {
        /// What stood there.
        scheme: String,
    },
    /// A text that should have been `scheme:value`.
    #[error("`{text}` has no `:` between scheme and value")]
    NoScheme {
        /// What stood there.
        text: String,
    },
    /// Nothing but spaces and punctuation.
    #[error("the {scheme} is empty")]
    Empty {
        /// Whose.
        scheme: Scheme,
    },
    /// Too many or too few characters.
    #[error("the {scheme} `{value}` has {found} characters instead of {wanted}")]
    Length {
        /// Whose.
        scheme: Scheme,
        /// The value without spaces and punctuation, shortened.
        value: String,
        /// How many there are.
        found: usize,
        /// How many there may be.
        wanted: &'static str,
    },
    /// A character that cannot stand where it stands.
    #[error("character {position} of the {scheme} `{value}` is `{found}`, where {wanted} stands")]
    Character {
        /// Whose.
        scheme: Scheme,
        /// The value without spaces and punctuation.
        value: String,
        /// Where, from 1.
        position: usize,
        /// What stands there.
        found: char,
        /// What may stand there.
        wanted: &'static str,
    },
    /// The form is right and the check digits are not.
    #[error("the {scheme} `{value}` ends in `{found}`, and its check digits would be `{wanted}`")]
    CheckDigits {
        /// Whose.
        scheme: Scheme,
        /// The value without spaces and punctuation.
        value: String,
        /// The digits at its end.
        found: String,
        /// The digits that would fit the rest.
        wanted: String,
    },
}

/// The code of a list of organisations, such as a companies register or a tax office.
///
/// Written as org-id.guide does (`GB-COH`: a jurisdiction of two or three letters, then the list) or as GLEIF does
/// (`RA` and six digits). GLEIF's three codes for Companies House are `GB-COH` here, so that both spellings meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListCode(String);

impl ListCode {
    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(code: &str) -> Option<Self> {
        let well_formed = match code.split_once('-') {
            Some((jurisdiction, list)) => {
                matches!(jurisdiction.len(), 2 | 3)
                    && jurisdiction.bytes().all(|byte| byte.is_ascii_uppercase())
                    && !list.is_empty()
                    && list.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            }
            None => code.len() == 8 && code.strip_prefix("RA").is_some_and(is_digits),
        };
        // The registration authorities list (GLEIF) has one code for each of the three registrars of Companies House;
        // their numbers never collide, because each registrar has prefixes of its own.
        let code = if matches!(code, "RA000585" | "RA000586" | "RA000587") { COMPANIES_HOUSE } else { code };
        (well_formed && code.len() <= IDENTIFIER_CHARS_MAX).then(|| Self(code.to_owned()))
    }
}

const COMPANIES_HOUSE: &str = "GB-COH";

/// What an identifier's value means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Legal entity identifier, ISO 17442; `XI-LEI`.
    Lei,
    /// Number of a security, ISO 6166; it names the issuer as well. `XI-ISIN`.
    Isin,
    /// Number of a ship, given by the IMO; `XI-IMO`.
    Imo,
    /// Business identifier code, ISO 9362; `XI-BIC`.
    Bic,
    /// A number in this list.
    List(ListCode),
}

impl Scheme {
    /// Whether an entity has at most one value of it, so that two different values are two entities.
    ///
    /// An issuer has many ISINs and a bank many BICs; of most lists nothing is known, so nothing is claimed.
    #[must_use]
    pub fn is_one_for_each(&self) -> bool {
        match self {
            Self::Lei | Self::Imo => true,
            Self::Isin | Self::Bic => false,
            Self::List(code) => code.as_str() == COMPANIES_HOUSE,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lei => "XI-LEI",
            Self::Isin => "XI-ISIN",
            Self::Imo => "XI-IMO",
            Self::Bic => "XI-BIC",
            Self::List(code) => code.as_str(),
        })
    }
}

impl FromStr for Scheme {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code = text.trim().to_ascii_uppercase();
        match code.as_str() {
            "LEI" | "XI-LEI" | "ISO 17442" | "ISO17442" => Ok(Self::Lei),
            "ISIN" | "XI-ISIN" | "ISO 6166" | "ISO6166" => Ok(Self::Isin),
            "IMO" | "XI-IMO" => Ok(Self::Imo),
            "BIC" | "XI-BIC" | "SWIFT" | "ISO 9362" | "ISO9362" => Ok(Self::Bic),
            other => ListCode::parse(other)
                .map(Self::List)
                .ok_or_else(|| IdentifierError::UnknownScheme { scheme: shortened(text) }),
        }
    }
}

/// A value of a scheme, in the scheme's one spelling.
///
/// Written `XI-LEI:529900T8BM49AURSDO55`. Holding one means that its form and check digits were right; it does not mean
/// that the value was ever given to anybody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identifier {
    scheme: Scheme,
    value: String,
}

impl Identifier {
    /// Reads a value of the named scheme.
    ///
    /// # Errors
    ///
    /// Fails for a scheme that is none, and for a value that its scheme does not allow; the error names the place.
    pub fn parse(scheme: &str, value: &str) -> Result<Self, IdentifierError> {
        Self::new(scheme.parse()?, value)
    }

    /// Reads a value of this scheme.
    ///
    /// # Errors
    ///
    /// Fails for a value that the scheme does not allow; the error names the place.
    pub fn new(scheme: Scheme, value: &str) -> Result<Self, IdentifierError> {
        // One place to spare shows what is too long.
        let value: String = value
            .chars()
            .flat_map(char::to_uppercase)
            .filter(|c| c.is_alphanumeric())
            .take(IDENTIFIER_CHARS_MAX + 1)
            .collect();
        if value.is_empty() {
            return Err(IdentifierError::Empty { scheme });
        }
        if value.chars().nth(IDENTIFIER_CHARS_MAX).is_some() {
            let found = IDENTIFIER_CHARS_MAX + 1;
            return Err(IdentifierError::Length {
                scheme,
                value: shortened(&value),
                found,
                wanted: "at most 64",
            });
        }
        let value = match &scheme {
            Scheme::Lei => check::lei(value)?,
            Scheme::Isin => check::isin(value)?,
            Scheme::Imo => check::imo(&value)?,
            Scheme::Bic => check::bic(value)?,
            Scheme::List(code) if code.as_str() == COMPANIES_HOUSE => check::companies_house(&scheme, value)?,
            Scheme::List(_) => value,
        };
        Ok(Self { scheme, value })
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The value: upper-case letters and digits.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme, self.value)
    }
}

impl FromStr for Identifier {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, value) =
            text.split_once(':').ok_or_else(|| IdentifierError::NoScheme { text: shortened(text) })?;
        Self::parse(scheme, value)
    }
}

impl TryFrom<String> for Identifier {
    type Error = IdentifierError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Identifier> for String {
    fn from(identifier: Identifier) -> Self {
        identifier.to_string()
    }
}

/// What the identifiers of two records prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agreement<'a> {
    /// They share this one, and nothing speaks against it: one entity.
    Same(&'a Identifier),
    /// They have different values of a scheme that gives each entity one: two entities.
    Different(&'a Identifier, &'a Identifier),
    /// Both at once. One of the records is wrong, and a person has to say which.
    Contradictory {
        /// Shared.
        shared: &'a Identifier,
        /// Different, the left one first.
        different: (&'a Identifier, &'a Identifier),
    },
    /// Nothing: names may propose.
    Silent,
}

/// What the identifiers of two records prove about them.
#[must_use]
pub fn agreement<'a>(left: &'a [Identifier], right: &'a [Identifier]) -> Agreement<'a> {
    // The least of each, so that the order of the records' lists does not show.
    let shared = left.iter().filter(|identifier| right.contains(identifier)).min();
    let different = left
        .iter()
        .filter(|ours| ours.scheme.is_one_for_each())
        // A record with two LEIs, one of which is the other's, is a record with its former LEI.
        .filter(|ours| !right.contains(ours))
        .flat_map(|ours| right.iter().map(move |theirs| (ours, theirs)))
        .filter(|(ours, theirs)| ours.scheme == theirs.scheme && !left.contains(theirs))
        .min();
    match (shared, different) {
        (Some(shared), Some(different)) => Agreement::Contradictory { shared, different },
        (Some(shared), None) => Agreement::Same(shared),
        (None, Some((ours, theirs))) => Agreement::Different(ours, theirs),
        (None, None) => Agreement::Silent,
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A text from outside, made fit for one line of a message.
fn shortened(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 40;
    let mut shown: String =
        text.chars().take(SHOWN_CHARS_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> Identifier {
        text.parse().unwrap()
    }

    #[test]
    fn identifiers_have_one_spelling() {
        let cases = [
            ("LEI", "5299 00T8 BM49 AURS DO55", "XI-LEI:529900T8BM49AURSDO55"),
            ("xi-lei", "529900t8bm49aursdo55", "XI-LEI:529900T8BM49AURSDO55"),
            ("LEI", "213800WSGIIZCXF1P572", "XI-LEI:213800WSGIIZCXF1P572"),
            ("ISIN", "US0378331005", "XI-ISIN:US0378331005"),
            ("ISIN", "GB0002634946", "XI-ISIN:GB0002634946"),
            ("ISIN", "us-0378331005", "XI-ISIN:US0378331005"),
            ("IMO", "IMO 9074729", "XI-IMO:9074729"),
            ("IMO", "9074729", "XI-IMO:9074729"),
            ("SWIFT", "deutdeffxxx", "XI-BIC:DEUTDEFF"),
            ("BIC", "DEUTDEFF", "XI-BIC:DEUTDEFF"),
            ("BIC", "DEUTDEFF500", "XI-BIC:DEUTDEFF500"),
            ("GB-COH", "445790", "GB-COH:00445790"),
            ("GB-COH", "sc 90312", "GB-COH:SC090312"),
            ("GB-COH", "IP12345R", "GB-COH:IP12345R"),
            ("GB-COH", "R0000123", "GB-COH:R0000123"),
            ("RA000585", "00445790", "GB-COH:00445790"),
            ("RA000587", "SC090312", "GB-COH:SC090312"),
            ("RA000544", "556016-0680", "RA000544:5560160680"),
            ("UA-EDR", "00032112", "UA-EDR:00032112"),
            ("irl-taxid", "IE 6388047V", "IRL-TAXID:IE6388047V"),
            ("BR-CNPJ", "33.000.167/0001-01", "BR-CNPJ:33000167000101"),
        ];
        for (scheme, value, want) in cases {
            let parsed = Identifier::parse(scheme, value).unwrap();
            assert_eq!(parsed.to_string(), want);
            assert_eq!(id(want), parsed, "{want} reads back");
        }
    }

    #[test]
    fn a_refusal_names_the_place() {
        let cases = [
            ("LEI", "", "the XI-LEI is empty"),
            ("LEI", " - ", "the XI-LEI is empty"),
            (
                "LEI",
                "529900T8BM49AURSDO5",
                "the XI-LEI `529900T8BM49AURSDO5` has 19 characters instead of 20",
            ),
            (
                "LEI",
                "529900T8BM49AURSDO5O",
                "character 20 of the XI-LEI `529900T8BM49AURSDO5O` is `O`, where a digit stands",
            ),
            (
                "LEI",
                "529900T8BM49AURSDO56",
                "the XI-LEI `529900T8BM49AURSDO56` ends in `56`, and its check digits would be `55`",
            ),
            (
                "ISIN",
                "US0378331006",
                "the XI-ISIN `US0378331006` ends in `6`, and its check digits would be `5`",
            ),
            (
                "ISIN",
                "U50378331005",
                "character 2 of the XI-ISIN `U50378331005` is `5`, where a letter of A to Z stands",
            ),
            ("IMO", "9074728", "the XI-IMO `9074728` ends in `8`, and its check digits would be `9`"),
            ("IMO", "IMO", "the XI-IMO `` has 0 characters instead of 7"),
            ("BIC", "DEUTDEFF50", "the XI-BIC `DEUTDEFF50` has 10 characters instead of 8 or 11"),
            ("GB-COH", "123456789", "the GB-COH `123456789` has 9 characters instead of 8 at most"),
            ("GB-COH", "UNKNOWN", "the GB-COH `UNKNOWN` has 7 characters instead of 8 at most"),
            ("GB-COH", "12A45678", "character 3 of the GB-COH `12A45678` is `A`, where a digit stands"),
            (
                "GB-COH",
                "SC1234Ö",
                "character 8 of the GB-COH `SC01234Ö` is `Ö`, where a letter of A to Z or a digit stands",
            ),
            (
                "house",
                "1",
                "`house` is no scheme: expected LEI, ISIN, IMO, BIC or a list's code such as GB-COH or RA000585",
            ),
        ];
        for (scheme, value, want) in cases {
            assert_eq!(Identifier::parse(scheme, value).unwrap_err().to_string(), want);
        }
        let long = "1".repeat(IDENTIFIER_CHARS_MAX);
        assert!(Identifier::parse("UA-EDR", &long).is_ok());
        assert!(Identifier::parse("UA-EDR", &format!("{long}1")).is_err());
        assert_eq!(
            "529900T8BM49AURSDO55".parse::<Identifier>().unwrap_err().to_string(),
            "`529900T8BM49AURSDO55` has no `:` between scheme and value"
        );
    }

    #[test]
    fn identifiers_decide() {
        let lei = [id("LEI:529900T8BM49AURSDO55"), id("LEI:213800WSGIIZCXF1P572")];
        let isin = [id("ISIN:US0378331005"), id("ISIN:GB0002634946")];
        let cases = [
            (vec![0], vec![0], vec![], vec![], Agreement::Same(&lei[0])),
            (vec![0], vec![1], vec![], vec![], Agreement::Different(&lei[0], &lei[1])),
            (vec![0, 1], vec![1], vec![], vec![], Agreement::Same(&lei[1])),
            (vec![], vec![], vec![0, 1], vec![1], Agreement::Same(&isin[1])),
            (vec![], vec![], vec![0], vec![1], Agreement::Silent),
            (vec![0], vec![], vec![], vec![0], Agreement::Silent),
            (
                vec![0],
                vec![1],
                vec![1],
                vec![1],
                Agreement::Contradictory { shared: &isin[1], different: (&lei[0], &lei[1]) },
            ),
        ];
        for (left_lei, right_lei, left_isin, right_isin, want) in cases {
            let record = |leis: &[usize], isins: &[usize]| -> Vec<Identifier> {
                let leis = leis.iter().map(|at| lei[*at].clone());
                leis.chain(isins.iter().map(|at| isin[*at].clone())).collect()
            };
            let (left, right) = (record(&left_lei, &left_isin), record(&right_lei, &right_isin));
            assert_eq!(agreement(&left, &right), want, "{left:?} {right:?}");
        }
    }

    #[test]
    fn serde_goes_through_the_check() {
        let identifier = id("LEI:529900T8BM49AURSDO55");
        let json = serde_json::to_string(&identifier).unwrap();
        assert_eq!(json, "\"XI-LEI:529900T8BM49AURSDO55\"");
        assert_eq!(serde_json::from_str::<Identifier>(&json).unwrap(), identifier);
        assert!(serde_json::from_str::<Identifier>("\"XI-LEI:529900T8BM49AURSDO56\"").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(scheme in "(LEI|ISIN|IMO|BIC|GB-COH|UA-EDR|\\PC{0,8})", value in "\\PC{0,80}") {
            if let Ok(parsed) = Identifier::parse(&scheme, &value) {
                prop_assert_eq!(parsed.to_string().parse::<Identifier>().unwrap(), parsed);
            }
        }
    }

    #[test]
    fn one_wrong_digit_or_letter_in_an_lei_is_found() {
        let lei = "529900T8BM49AURSDO55";
        for (position, right) in lei.chars().enumerate() {
            // ISO 7064 finds a digit for a digit and a letter for a letter; nearly always one for the other, too.
            let others = if right.is_ascii_digit() { '0'..='9' } else { 'A'..='Z' };
            for wrong in others.filter(|wrong| *wrong != right) {
                let text: String =
                    lei.chars().take(position).chain([wrong]).chain(lei.chars().skip(position + 1)).collect();
                assert!(Identifier::parse("LEI", &text).is_err(), "{text}");
            }
        }
    }
}
