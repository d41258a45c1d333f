//! The columns of our tables, and the cells of a row.

use std::fmt::Display;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use ties::{Period, Share, Source};

use crate::reading::Reason;

/// The columns of a table of ties, in the order in which they are written.
pub(super) const TIES: [&str; 34] = [
    "id",
    "from",
    "to",
    "kind",
    "votes",
    "money",
    "from_date",
    "to_date",
    "stage",
    "subject",
    "share",
    "class",
    "nominator",
    "components",
    "seats",
    "of",
    "majority",
    "flags",
    "window_from",
    "window_to",
    "ends",
    "from_name",
    "from_kind",
    "from_country",
    "to_name",
    "to_kind",
    "to_country",
    "source",
    "url",
    "publisher",
    "asserted_by",
    "retrieved",
    "confidence",
    "evidence",
];

/// The columns of a table of listed parties, in the order in which they are written.
pub(super) const LISTS: [&str; 17] = [
    "id",
    "list",
    "entity",
    "name",
    "kind",
    "country",
    "entry",
    "from",
    "to",
    "subsidiaries",
    "source",
    "url",
    "publisher",
    "asserted_by",
    "retrieved",
    "confidence",
    "evidence",
];

/// Why a row is refused.
pub(super) struct Wrong {
    pub(super) column: &'static str,
    pub(super) reason: Reason,
    pub(super) message: String,
}

/// A row: its cells by the names of their columns.
pub(super) struct Row<'r> {
    cells: Vec<(&'static str, &'r str)>,
}

impl<'r> Row<'r> {
    pub(super) fn of(record: &'r csv::ByteRecord, columns: &[(&'static str, usize)]) -> Result<Self, Wrong> {
        let mut cells = Vec::with_capacity(columns.len());
        for (column, at) in columns {
            let cell = record.get(*at).unwrap_or_default();
            let cell = std::str::from_utf8(cell).map_err(|_| Wrong {
                column,
                reason: Reason::Malformed,
                message: "it is not UTF-8".to_owned(),
            })?;
            if !cell.trim().is_empty() {
                cells.push((*column, cell.trim()));
            }
        }
        Ok(Self { cells })
    }

    /// A row of these cells.
    pub(super) fn of_cells(cells: Vec<(&'static str, &'r str)>) -> Self {
        Self { cells }
    }

    /// What stands in a column, if anything does.
    pub(super) fn get(&self, column: &str) -> Option<&'r str> {
        self.cells.iter().find(|(name, _)| *name == column).map(|(_, cell)| *cell)
    }

    pub(super) fn bad(column: &'static str, message: String) -> Wrong {
        let reason = match column {
            "id" | "from" | "to" | "list" | "entity" | "nominator" | "components" | "ends" => {
                Reason::BadIdentifier
            }
            "votes" | "money" | "share" => Reason::BadShare,
            _ if column.ends_with("_date") || column.starts_with("window_") || column == "retrieved" => {
                Reason::BadDate
            }
            _ => Reason::BadValue,
        };
        Wrong { column, reason, message }
    }

    pub(super) fn optional<T: FromStr<Err: Display>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, Wrong> {
        self.get(column)
            .map(|cell| cell.parse().map_err(|error: T::Err| Self::bad(column, error.to_string())))
            .transpose()
    }

    pub(super) fn needed<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<T, Wrong> {
        self.optional(column)?.ok_or_else(|| Wrong {
            column,
            reason: Reason::Incomplete,
            message: "nothing stands there".to_owned(),
        })
    }

    /// A word of ours, as it is written in JSON.
    pub(super) fn word<T: for<'de> Deserialize<'de>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, Wrong> {
        self.get(column).map(|cell| Self::as_word(column, cell)).transpose()
    }

    pub(super) fn as_word<T: for<'de> Deserialize<'de>>(
        column: &'static str,
        text: &str,
    ) -> Result<T, Wrong> {
        let text: StrDeserializer<'_, Error> = text.into_deserializer();
        T::deserialize(text).map_err(|error| Self::bad(column, error.to_string()))
    }

    pub(super) fn flag(&self, column: &'static str) -> Result<bool, Wrong> {
        Ok(self.yes_or_no(column)?.unwrap_or(false))
    }

    pub(super) fn yes_or_no(&self, column: &'static str) -> Result<Option<bool>, Wrong> {
        match self.get(column) {
            None => Ok(None),
            Some("yes" | "true") => Ok(Some(true)),
            Some("no" | "false") => Ok(Some(false)),
            Some(other) => Err(Self::bad(column, format!("`{other}` is none of yes, no"))),
        }
    }

    pub(super) fn period(&self, from: &'static str, to: &'static str) -> Result<Period, Wrong> {
        let dated = |column| match self.optional(column) {
            Err(wrong) => Err(Wrong { reason: Reason::BadDate, ..wrong }),
            date => date,
        };
        let period = Period { from: dated(from)?, to: dated(to)? };
        if period.is_backwards() {
            let message = "it lies before the beginning".to_owned();
            return Err(Wrong { column: to, reason: Reason::BadDate, message });
        }
        Ok(period)
    }

    pub(super) fn share(&self, column: &'static str) -> Result<Option<Share>, Wrong> {
        self.get(column)
            .map(|cell| crate::ftm::percentage(cell).map_err(|message| Self::bad(column, message)))
            .transpose()
    }

    /// Identifiers parted by blanks.
    pub(super) fn several<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<Vec<T>, Wrong> {
        let words = self.get(column).unwrap_or_default().split_whitespace();
        words.map(|word| word.parse().map_err(|error: T::Err| Self::bad(column, error.to_string()))).collect()
    }

    /// Whether a word stands among the flags.
    pub(super) fn has_flag(&self, flag: &str) -> bool {
        self.get("flags").is_some_and(|cell| cell.split_whitespace().any(|word| word == flag))
    }

    /// The source of the row: what the file's lacks or the row says otherwise.
    pub(super) fn source(&self, file: &Source) -> Result<Source, Wrong> {
        let text = |column: &str, otherwise: &Option<String>| {
            self.get(column).map(str::to_owned).or_else(|| otherwise.clone())
        };
        let own = self.get("source").filter(|own| *own != file.document);
        Ok(Source {
            document: own.unwrap_or(&file.document).to_owned(),
            // The row is the file's, whoever it names as its source.
            edition_of: own.map(|_| file.edition().to_owned()),
            url: text("url", &file.url),
            publisher: text("publisher", &file.publisher),
            asserted_by: text("asserted_by", &file.asserted_by),
            licence: file.licence.clone(),
            retrieved: self.optional("retrieved")?.or(file.retrieved),
            sha256: file.sha256.clone(),
            confidence: self.word("confidence")?.unwrap_or(file.confidence),
            evidence: self.word("evidence")?.unwrap_or(file.evidence),
        })
    }
}
