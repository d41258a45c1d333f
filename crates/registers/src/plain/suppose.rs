//! A tie that somebody supposes, in one line: for asking what would be if it were so.
//!
//! ```text
//! huawei holds 25% acme since 2026-01-01
//! huawei holds (25%,50%] acme
//! state:cn governs:incorporation acme
//! ```
//!
//! From whom, the kind as in the column `kind` of our tables, the share if the kind has one, to whom, and since when if that
//! matters. Identifiers have no blanks, so blanks part them. A share without `%` and without `/` is a percentage, as people
//! write it in a field that asks for one.

use thiserror::Error;
use ties::{Said, Source, Statement, Tie};

use super::columns::{Row, Wrong};
use super::kinds;
use model::Timestamp;

/// The longest line that is looked at, in bytes: two identifiers and some words.
const LENGTH_MAX: usize = 1_200;

/// Why a line supposes no tie.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SupposeError {
    /// It has other parts than such a line has.
    #[error("`{text}` is no tie; write it as `huawei holds 25% acme since 2026-01-01`")]
    Malformed {
        /// The line.
        text: String,
    },
    /// A part of it cannot be read.
    #[error("{part}: {message}")]
    Part {
        /// Which.
        part: &'static str,
        /// Why not.
        message: String,
    },
    /// It is too long.
    #[error("a supposed tie has at most {LENGTH_MAX} letters")]
    TooLong,
}

impl From<Wrong> for SupposeError {
    fn from(wrong: Wrong) -> Self {
        Self::Part { part: wrong.column, message: wrong.message }
    }
}

/// The columns in which the share of a kind stands; none for a kind without one.
#[must_use]
pub fn share_columns(kind: &str) -> &'static [&'static str] {
    match kind {
        "holds" => &["votes", "money"],
        "may-acquire" => &["votes"],
        "contracts" | "lends" | "pays" => &["share"],
        _ => &[],
    }
}

/// The statement that such a tie is, as the `number`-th of those supposed together, said at `at`.
///
/// # Errors
///
/// Says which part of the line cannot be read.
pub fn suppose(text: &str, number: usize, at: Timestamp) -> Result<Statement, SupposeError> {
    if text.len() > LENGTH_MAX {
        return Err(SupposeError::TooLong);
    }
    let malformed = || SupposeError::Malformed { text: text.to_owned() };
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let mut since = None;
    if let [.., "since", day] = words.as_slice() {
        since = Some(*day);
        words.truncate(words.len() - 2);
    }
    let [from, kind, middle @ .., to] = words.as_slice() else { return Err(malformed()) };
    // An interval may have a blank behind its comma.
    let share = middle.concat();
    let columns = share_columns(kind);
    if columns.is_empty() && !share.is_empty() {
        return Err(SupposeError::Part { part: "share", message: format!("`{kind}` has none") });
    }
    let id = format!("what-if:{number}");
    let share = percent(&share);
    let mut cells = vec![("id", id.as_str()), ("from", from), ("kind", kind), ("to", to)];
    cells.extend(columns.iter().filter(|_| !share.is_empty()).map(|column| (*column, share.as_str())));
    cells.extend(since.map(|since| ("from_date", since)));
    let row = Row::of_cells(cells);
    let tie = Tie {
        id: row.needed("id")?,
        from: row.needed("from")?,
        to: row.needed("to")?,
        kind: kinds::kind(&row)?,
        valid: row.period("from_date", "to_date")?,
    };
    let id = row.needed("id")?;
    let source = Source { document: "what if".to_owned(), ..Source::default() };
    Ok(Statement { id, said: Said::Tie(tie), source, recorded: at })
}

/// A bare number is a percentage.
fn percent(share: &str) -> String {
    let is_bare = !share.is_empty() && share.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_bare { format!("{share}%") } else { share.to_owned() }
}

#[cfg(test)]
mod tests {
    use ties::{Holding, TieKind};

    use super::*;

    #[test]
    fn a_line_is_read_as_a_tie() {
        let holds = |share: &str| {
            let share = share.parse().unwrap();
            TieKind::Holds(Holding { votes: Some(share), money: Some(share), ..Holding::default() })
        };
        let unknown = TieKind::Holds(Holding::default());
        let cases = [
            ("huawei holds 25% acme", holds("25%"), None),
            ("huawei holds 25 acme since 2026-01-01", holds("25%"), Some("2026-01-01")),
            ("huawei  holds 12.5  acme", holds("12.5%"), None),
            ("huawei holds 1/3 acme", holds("1/3"), None),
            ("huawei holds (25%, 50%] acme since 2026", holds("(25%,50%]"), Some("2026")),
            ("huawei holds acme", unknown, None),
            ("huawei directs:contract acme", TieKind::Directs { by: ties::Direction::Contract }, None),
        ];
        for (text, kind, since) in cases {
            let statement = suppose(text, 3, Timestamp::EPOCH).unwrap();
            let Said::Tie(tie) = &statement.said else { panic!("{text}") };
            assert_eq!((tie.from.as_str(), tie.to.as_str(), &tie.kind), ("huawei", "acme", &kind), "{text}");
            assert_eq!(tie.valid.from.map(|date| date.to_string()).as_deref(), since, "{text}");
            assert_eq!(tie.id.as_str(), "what-if:3");
        }
    }

    #[test]
    fn what_is_no_tie_says_which_part_is_wrong() {
        let long = format!("{} holds acme", "x".repeat(LENGTH_MAX));
        let cases = [
            ("", "is no tie"),
            ("huawei holds", "is no tie"),
            ("huawei owns acme", "no kind of tie"),
            ("huawei holds 250% acme", "votes: "),
            ("huawei holds much acme", "votes: "),
            ("huawei venture 25% acme", "share: `venture` has none"),
            ("huawei holds 25% acme since then", "from_date: "),
            ("huawei pays acme", "share: "),
            (long.as_str(), "at most"),
        ];
        for (text, want) in cases {
            let error = suppose(text, 0, Timestamp::EPOCH).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        }
    }
}
