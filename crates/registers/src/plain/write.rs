//! Our tables, written.

use std::io::{self, Write};

use ties::{Ending, Listing, Period, Said, Source, Statement, Tie};

use super::columns::{LISTS, TIES};
use super::kinds::{cells, spelled};

/// Writes the ties, and the ends of ties, that statements tell; how many it were. Other statements are passed over.
///
/// # Errors
///
/// Fails if `out` does.
pub fn write_ties<'s>(
    statements: impl IntoIterator<Item = &'s Statement>,
    out: &mut dyn Write,
) -> io::Result<u64> {
    let mut table = Table::new(out, &TIES)?;
    for statement in statements {
        let mut row = match &statement.said {
            Said::Tie(tie) => of_tie(tie),
            Said::End(end) => vec![
                ("id", end.tie.to_string()),
                ("kind", "end".to_owned()),
                ("to_date", end.on.to_string()),
                ("stage", if end.by == Ending::Completed { "completed" } else { "announced" }.to_owned()),
            ],
            Said::Entity(_) | Said::Listing(_) | Said::Same { .. } | Said::Retraction { .. } => continue,
        };
        row.extend(of_source(&statement.source));
        table.row(&row)?;
    }
    table.end()
}

/// Writes the listings that statements tell; how many it were. Other statements are passed over.
///
/// # Errors
///
/// Fails if `out` does.
pub fn write_lists<'s>(
    statements: impl IntoIterator<Item = &'s Statement>,
    out: &mut dyn Write,
) -> io::Result<u64> {
    let mut table = Table::new(out, &LISTS)?;
    for statement in statements {
        let Said::Listing(listing) = &statement.said else { continue };
        let mut row = of_listing(listing);
        row.extend(of_source(&statement.source));
        table.row(&row)?;
    }
    table.end()
}

fn of_tie(tie: &Tie) -> Vec<(&'static str, String)> {
    let mut row =
        vec![("id", tie.id.to_string()), ("from", tie.from.to_string()), ("to", tie.to.to_string())];
    row.extend(cells(&tie.kind));
    row.extend(of_period(tie.valid, "from_date", "to_date"));
    row
}

fn of_listing(listing: &Listing) -> Vec<(&'static str, String)> {
    let mut row = vec![
        ("id", listing.id.to_string()),
        ("list", listing.list.to_string()),
        ("entity", listing.entity.to_string()),
        ("entry", listing.entry.clone().unwrap_or_default()),
        ("subsidiaries", if listing.with_subsidiaries { "yes" } else { "" }.to_owned()),
    ];
    row.extend(of_period(listing.valid, "from", "to"));
    row
}

fn of_period(period: Period, from: &'static str, to: &'static str) -> Vec<(&'static str, String)> {
    let dated = [(from, period.from), (to, period.to)];
    dated.into_iter().filter_map(|(column, date)| Some((column, date?.to_string()))).collect()
}

fn of_source(source: &Source) -> Vec<(&'static str, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        ("source", source.document.clone()),
        ("url", text(&source.url)),
        ("publisher", text(&source.publisher)),
        ("asserted_by", text(&source.asserted_by)),
        ("retrieved", source.retrieved.map_or(String::new(), |date| date.to_string())),
        ("confidence", spelled(&source.confidence)),
        ("evidence", spelled(&source.evidence)),
    ]
}

struct Table<'o> {
    writer: csv::Writer<&'o mut dyn Write>,
    columns: &'static [&'static str],
    rows: u64,
}

impl<'o> Table<'o> {
    fn new(out: &'o mut dyn Write, columns: &'static [&'static str]) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(columns)?;
        Ok(Self { writer, columns, rows: 0 })
    }

    fn row(&mut self, cells: &[(&'static str, String)]) -> io::Result<()> {
        let of = |column: &str| {
            cells.iter().find(|(name, _)| *name == column).map_or("", |(_, cell)| cell.as_str())
        };
        self.writer.write_record(self.columns.iter().map(|column| of(column)))?;
        self.rows += 1;
        Ok(())
    }

    fn end(mut self) -> io::Result<u64> {
        self.writer.flush()?;
        Ok(self.rows)
    }
}
