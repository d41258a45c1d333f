//! Tables as CSV and JSON: what a page shows, for other programs.
//!
//! A file is whole, however long it is: one that can be long is asked for and sent [part](Part) by part, at the speed of
//! whoever reads it. Should a part fail, the answer breaks off without its end: the connection is closed before what it
//! promised, JSON has no last bracket, and the last line of CSV says that there is more.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use hyper::body::Frame;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

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
        let body = match format {
            Format::Csv => self.csv(),
            Format::Json => self.json()?,
        };
        as_file(body.into(), format, name)
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
        let mut text = csv_header(&self.columns);
        csv_rows(&mut text, &self.rows);
        text
    }
}

fn csv_header(columns: &[String]) -> String {
    let header: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    format!("{}\r\n", header.join(","))
}

fn csv_rows(text: &mut String, rows: &[Vec<Value>]) {
    for row in rows {
        let fields: Vec<String> = row.iter().map(field).collect();
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    }
}

/// A body to be kept under a name, which is given without its ending.
fn as_file(body: Body, format: Format, name: &str) -> Answer {
    let (media_type, ending) = match format {
        Format::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
        Format::Json => ("application/json", "json"),
    };
    let mut response: Response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let disposition = format!("attachment; filename=\"{name}.{ending}\"");
    headers.insert(CONTENT_DISPOSITION, disposition.parse().map_err(Problem::internal)?);
    Ok(response)
}

/// A part of a long file, and where the next one begins; none, if this is the last.
pub(crate) struct Part<S> {
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) next: Option<S>,
}

/// A file that is made part by part. What is wrong with the question is said before it begins, with the first part.
pub(crate) async fn by_parts<S, R>(
    format: Format,
    name: &str,
    columns: &[&str],
    begin: S,
    mut part: impl FnMut(S) -> R + Send + 'static,
) -> Answer
where
    S: Send + 'static,
    R: Future<Output = Result<Part<S>, Problem>> + Send,
{
    let first = part(begin).await?;
    let columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
    let mut writing = Writing { format, columns, has_rows: false };
    let mut text = writing.begin();
    writing.rows(&mut text, &first.rows)?;
    let Some(mut next) = first.next else {
        text.push_str(writing.end());
        return as_file(text.into(), format, name);
    };
    let (sender, receiver) = mpsc::channel(1);
    let rest = async move {
        // A reader that went away is noticed when the channel takes no more.
        while sender.send(Ok(Bytes::from(std::mem::take(&mut text)))).await.is_ok() {
            let found = part(next).await.and_then(|found| {
                writing.rows(&mut text, &found.rows)?;
                Ok(found.next)
            });
            match found {
                Ok(Some(further)) => next = further,
                Ok(None) => {
                    text.push_str(writing.end());
                    drop(sender.send(Ok(text.into())).await);
                    return;
                }
                Err(problem) => {
                    tracing::error!(cause = problem.cause, text = problem.text, "a file broke off");
                    text.push_str(writing.broken());
                    drop(sender.send(Ok(text.into())).await);
                    drop(sender.send(Err(io::Error::other("the file broke off"))).await);
                    return;
                }
            }
        }
    };
    drop(tokio::spawn(rest));
    as_file(Body::new(Parts(receiver)), format, name)
}

/// A body of what comes over a channel.
struct Parts(mpsc::Receiver<io::Result<Bytes>>);

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(context).map(|part| part.map(|bytes| bytes.map(Frame::data)))
    }
}

/// A long file on its way.
struct Writing {
    format: Format,
    columns: Vec<String>,
    has_rows: bool,
}

impl Writing {
    fn begin(&self) -> String {
        match self.format {
            Format::Csv => csv_header(&self.columns),
            Format::Json => "[".to_owned(),
        }
    }

    fn rows(&mut self, text: &mut String, rows: &[Vec<Value>]) -> Result<(), Problem> {
        match self.format {
            Format::Csv => csv_rows(text, rows),
            Format::Json => {
                for row in rows {
                    text.push_str(if self.has_rows { ",\n" } else { "\n" });
                    self.has_rows = true;
                    let row: Map<String, Value> =
                        self.columns.iter().cloned().zip(row.iter().cloned()).collect();
                    text.push_str(&serde_json::to_string(&row).map_err(Problem::internal)?);
                }
            }
        }
        Ok(())
    }

    fn end(&self) -> &'static str {
        match self.format {
            Format::Csv => "",
            Format::Json => "\n]\n",
        }
    }

    fn broken(&self) -> &'static str {
        match self.format {
            Format::Csv => "\"this file is not complete: there is more, which could not be read\"\r\n",
            Format::Json => "",
        }
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

    /// A file of numbers up to `to`, ten in each part, which fails at `fails`; with how it ended.
    async fn numbers(format: Format, to: u64, fails: u64) -> (String, bool) {
        use std::future::poll_fn;

        let part = move |from: u64| async move {
            if from == fails {
                return Err(Problem::internal("a test"));
            }
            let rows = (from..to.min(from + 10)).map(|number| vec![json!(number)]).collect();
            Ok(Part { rows, next: Some(from + 10).filter(|next| *next < to) })
        };
        let answer = by_parts(format, "numbers", &["number"], 0, part).await.unwrap();
        let mut body = answer.into_body();
        let (mut text, mut is_whole) = (String::new(), true);
        while let Some(frame) =
            poll_fn(|context| hyper::body::Body::poll_frame(Pin::new(&mut body), context)).await
        {
            match frame {
                Ok(frame) => text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap()),
                Err(_) => is_whole = false,
            }
        }
        (text, is_whole)
    }

    #[tokio::test]
    async fn a_long_file_is_whole_or_says_that_it_is_not() {
        const NEVER: u64 = u64::MAX;
        for count in [0, 1, 10, 11, 95] {
            let (text, is_whole) = numbers(Format::Json, count, NEVER).await;
            let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
            assert!(is_whole && rows.len() as u64 == count, "{count}: {text}");
            let (text, is_whole) = numbers(Format::Csv, count, NEVER).await;
            assert!(is_whole && text.lines().count() as u64 == count + 1, "{count}: {text}");
        }
        let (text, is_whole) = numbers(Format::Json, 95, 20).await;
        assert!(!is_whole && serde_json::from_str::<Value>(&text).is_err(), "{text}");
        let (text, is_whole) = numbers(Format::Csv, 95, 20).await;
        assert!(!is_whole && text.lines().last().unwrap().contains("not complete"), "{text}");
    }
}
