//! Tables as CSV and JSON: what a page shows, for other programs.

use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde_json::{Map, Value};

use crate::problem::{Answer, Problem};

/// In which form a table is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Json,
}

/// A table: named columns, and rows of as many values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|&column| column.to_owned()).collect(), rows: Vec::new() }
    }

    /// A file of the table, under a name without its ending.
    pub(crate) fn answer(&self, format: Format, name: &str) -> Answer {
        let (body, media_type, ending) = match format {
            Format::Csv => (self.csv(), "text/csv; charset=utf-8; header=present", "csv"),
            Format::Json => (self.json()?, "application/json", "json"),
        };
        let mut response: Response = body.into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let disposition = format!("attachment; filename=\"{name}.{ending}\"");
        headers.insert(CONTENT_DISPOSITION, disposition.parse().map_err(Problem::internal)?);
        Ok(response)
    }

    fn json(&self) -> Result<String, Problem> {
        let rows: Vec<Map<String, Value>> = self
            .rows
            .iter()
            .map(|row| self.columns.iter().cloned().zip(row.iter().cloned()).collect())
            .collect();
        serde_json::to_string_pretty(&rows).map_err(Problem::internal)
    }

    /// RFC 4180, with every field of text in quotes.
    fn csv(&self) -> String {
        let mut text = String::new();
        let header: Vec<String> = self.columns.iter().map(|column| quoted(column)).collect();
        text.push_str(&header.join(","));
        text.push_str("\r\n");
        for row in &self.rows {
            let fields: Vec<String> = row.iter().map(field).collect();
            text.push_str(&fields.join(","));
            text.push_str("\r\n");
        }
        text
    }
}

fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(values) => {
            let words: Vec<String> = values
                .iter()
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                .collect();
            quoted(&words.join(" "))
        }
        Value::Object(_) => quoted(&value.to_string()),
    }
}

/// A spreadsheet takes what begins with one of these for a formula, so an apostrophe goes before it.
fn quoted(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if is_formula { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_field_leaves_its_cell_and_none_is_a_formula() {
        let mut table = Table::new(&["name", "count"]);
        table.rows.push(vec![json!("a \"b\", c\nd"), json!(3)]);
        table.rows.push(vec![json!("=HYPERLINK(\"x\")"), Value::Null]);
        table.rows.push(vec![json!(["x", "y"]), json!(true)]);
        let wanted = "\"name\",\"count\"\r\n\"a \"\"b\"\", c\nd\",3\r\n\"'=HYPERLINK(\"\"x\"\")\",\r\n\"x y\",true\r\n";
        assert_eq!(table.csv(), wanted);
    }
}
