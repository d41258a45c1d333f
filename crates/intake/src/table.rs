//! Tables with a header, and rows of fields without one.
//!
//! A header names what its columns hold. Either one column has the values and perhaps another their
//! types (`type,indicator,app`), or the columns' names are types themselves (`domain_name,ip_address`).
//! A column for the sharing level marks, columns of tags and families become labels, and one of
//! comments the description. Without a header the first field of a row that is recognised is its value.

use std::ops::ControlFlow;

use csv::ByteRecord;

use crate::kind::Kind;
use crate::marking::{self, Tag};
use crate::place::{Place, Reason, shown};
use crate::run::{Remarks, Run};
use crate::{list, value};

/// Largest row. Beyond it a quote was left open, and it would swallow the rest of the table.
const ROW_MAX_BYTES: u64 = 64 << 10;

/// What one column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Value,
    Type,
    Typed(Kind),
    Label,
    Sharing,
    Description,
    Other,
}

/// How a table is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    delimiter: u8,
    /// Empty if there is no header.
    columns: Vec<Column>,
    /// Where the rows begin.
    start: usize,
    /// The number of the first row's line.
    first_line: u64,
}

/// Tells a table from a list by its first line that is no comment.
pub(crate) fn detect(text: &str) -> Option<Table> {
    let (mut start, mut line_number) = (0, 0);
    for line in text.split_inclusive('\n') {
        let begin = start;
        start += line.len();
        line_number += 1;
        if list::uncommented(line).is_empty() {
            continue;
        }
        let line = line.trim_end_matches(['\r', '\n']);
        let count = |delimiter: u8| line.bytes().filter(|byte| *byte == delimiter).count();
        // Where two are as frequent, the rarer sign in values separates; alone, a comma does no harm.
        let signs = [b',', b';', b'\t'].into_iter().filter(|sign| count(*sign) > 0);
        let delimiter = signs.max_by_key(|sign| count(*sign)).unwrap_or(b',');
        let columns: Vec<_> = fields(line, delimiter).iter().map(|name| column(name)).collect();
        let has_values = columns.iter().any(|column| matches!(column, Column::Value | Column::Typed(_)));
        if has_values {
            return Some(Table { delimiter, columns, start, first_line: line_number + 1 });
        }
        // Rows without a header: commas and semicolons separate, a tab only adds a remark.
        let separated = columns.len() > 1 && delimiter != b'\t';
        let rows = text.get(begin..).unwrap_or_default();
        // A URL may have a comma inside; where it is one sign of many, all rows have as many.
        let table =
            separated && (value::classify(&value::refang(line)).is_none() || is_regular(rows, delimiter));
        return table.then_some(Table {
            delimiter,
            columns: Vec::new(),
            start: begin,
            first_line: line_number,
        });
    }
    None
}

/// Whether the first rows, at least two, have the same number of delimiters.
fn is_regular(rows: &str, delimiter: u8) -> bool {
    const ROWS_LOOKED_AT: usize = 20;
    let counts: Vec<_> = rows
        .lines()
        .map(list::uncommented)
        .filter(|line| !line.is_empty())
        .take(ROWS_LOOKED_AT)
        .map(|line| line.bytes().filter(|byte| *byte == delimiter).count())
        .collect();
    counts.len() > 1 && counts.iter().all(|count| Some(count) == counts.first())
}

fn fields(line: &str, delimiter: u8) -> Vec<&str> {
    line.split(char::from(delimiter)).map(|field| field.trim().trim_matches('"')).collect()
}

/// What a header's name says.
fn column(name: &str) -> Column {
    let plain = name.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    match plain.as_str() {
        "value" | "indicator" | "indicator_value" | "ioc" | "ioc_value" | "observable" => Column::Value,
        "type" | "kind" | "ioc_type" | "indicator_type" => Column::Type,
        "tlp" => Column::Sharing,
        "tag" | "tags" | "label" | "labels" | "category" | "family" | "family_file" | "malware" | "app" => {
            Column::Label
        }
        "description" | "comment" | "comments" | "note" | "notes" => Column::Description,
        "host" => Column::Typed(Kind::Name),
        "dst_ip" | "src_ip" => Column::Typed(Kind::Address),
        _ => match Kind::of_name(name) {
            // These are words of everyday tables too, and say little alone.
            Some(Kind::Number(..) | Kind::Rule(_) | Kind::FileName) | None => Column::Other,
            Some(kind) => Column::Typed(kind),
        },
    }
}

/// Reads the rows.
pub(crate) fn read(run: &mut Run<'_>, place: &Place, text: &str, table: &Table) -> ControlFlow<()> {
    let mut rest = text.get(table.start..).unwrap_or_default();
    let mut line = table.first_line;
    // Tabs need no quotes, and what is written with tabs has stray ones.
    let mut quoting = table.delimiter != b'\t';
    let mut record = ByteRecord::new();
    'again: loop {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(table.delimiter)
            .quoting(quoting)
            .from_reader(rest.as_bytes());
        loop {
            let before = reader.position().clone();
            match reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return ControlFlow::Continue(()),
                Err(error) => return run.refuse(place, Reason::Unreadable, error.to_string()),
            }
            // The reader skips empty lines in front of a record; the record knows its own line.
            let begin = record.position().map_or(&before, |position| position);
            let number = line + begin.line().saturating_sub(1);
            if reader.position().byte().saturating_sub(begin.byte()) > ROW_MAX_BYTES {
                let message =
                    format!("a row longer than row_max_bytes ({ROW_MAX_BYTES}); a quote left open?");
                run.refuse(&place.line(number), Reason::Limit, message)?;
                let from = usize::try_from(begin.byte()).unwrap_or(usize::MAX);
                let tail = rest.get(from..).unwrap_or_default().trim_start_matches(['\r', '\n']);
                let Some((_, after)) = tail.split_once('\n') else { return ControlFlow::Continue(()) };
                (rest, line, quoting) = (after, number + 1, false);
                continue 'again;
            }
            row(run, &record, table, || place.line(number))?;
        }
    }
}

fn row(run: &mut Run<'_>, record: &ByteRecord, table: &Table, place: impl Fn() -> Place) -> ControlFlow<()> {
    let field = |at: usize| {
        let text = record.get(at).and_then(|field| std::str::from_utf8(field).ok()).unwrap_or_default();
        text.trim()
    };
    if (0..record.len()).all(|at| field(at).is_empty()) || field(0).starts_with('#') {
        return ControlFlow::Continue(());
    }
    if table.columns.is_empty() {
        return unlabelled(run, record, place);
    }
    let columns = || table.columns.iter().enumerate().map(|(at, column)| (*column, field(at)));
    let mut labels = Vec::new();
    let mut remarks = Remarks::default();
    for (column, text) in columns().filter(|(_, text)| !text.is_empty()) {
        match column {
            Column::Label => labels.extend(text.split([',', ';']).map(str::trim)),
            Column::Description => remarks.description = text,
            Column::Sharing => match marking::of_tag(&format!("tlp:{}", tlp_name(text))) {
                Tag::Marking(level) => remarks.marking = Some(level),
                Tag::Unknown | Tag::Label => {
                    let message = format!("TLP `{}` is not known", shown(text));
                    return run.refuse(&place(), Reason::UnknownMarking, message);
                }
            },
            Column::Value | Column::Type | Column::Typed(_) | Column::Other => {}
        }
    }
    let remarks = Remarks { labels: &labels, ..remarks };
    let type_name =
        columns().find(|(column, text)| *column == Column::Type && !is_vague(text)).map(|(_, text)| text);
    let mut found = false;
    for (column, text) in columns().filter(|(_, text)| !text.is_empty()) {
        let kind = match column {
            Column::Value => match type_name {
                Some(name) => {
                    let kind = Kind::of_name(name);
                    if kind.is_none() {
                        let message = format!("no indicator is made of a `{}`", shown(name));
                        return run.refuse(&place(), Reason::UnsupportedType(name.to_owned()), message);
                    }
                    kind
                }
                None => value::classify(&value::refang(text)),
            },
            Column::Typed(kind) => Some(kind),
            Column::Type | Column::Label | Column::Sharing | Column::Description | Column::Other => continue,
        };
        found = true;
        match kind {
            Some(kind) => run.value(kind, &value::refang(text), &remarks, place())?,
            None => list::unclassified(run, &place(), text)?,
        }
    }
    if found {
        return ControlFlow::Continue(());
    }
    run.refuse(&place(), Reason::Unclassified, "a row without a value".to_owned())
}

/// Whether a type's name says no more than "something else", so that the value has to tell.
fn is_vague(name: &str) -> bool {
    matches!(name.to_ascii_lowercase().as_str(), "" | "other" | "unknown" | "ioc" | "indicator")
}

/// The level of `TLP:AMBER`, `tlp-amber` or `amber`.
fn tlp_name(text: &str) -> &str {
    let prefixed = text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("tlp"));
    if prefixed { text[3..].trim_start_matches([':', '-', ' ', '_']) } else { text }
}

/// Takes the first field that is recognised.
fn unlabelled(run: &mut Run<'_>, record: &ByteRecord, place: impl Fn() -> Place) -> ControlFlow<()> {
    let fields = || record.iter().filter_map(|field| std::str::from_utf8(field).ok()).map(str::trim);
    for text in fields() {
        let armed = value::refang(text);
        if let Some(kind) = value::classify(&armed) {
            return run.value(kind, &armed, &Remarks::default(), place());
        }
    }
    if record.len() == 1 {
        // A line of a list in between.
        return list::line(run, list::uncommented(fields().next().unwrap_or_default()), place);
    }
    let first = fields().find(|text| !text.is_empty()).unwrap_or_default();
    list::unclassified(run, &place(), first)
}
