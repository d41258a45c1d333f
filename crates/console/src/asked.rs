//! What a page is asked, and by whom.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Redirect};
use exchange::Exchange;
use http::request::Parts;
use model::{Caller, Timestamp};

use crate::console::Console;
use crate::export::{Format, Part, by_parts};
use crate::frame::Frame;
use crate::multipart::File;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::sessions::{Flash, Session};

/// A request of somebody who is signed in. The pipeline makes it.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) session: Arc<Session>,
    pub(crate) console: Console,
    pub(crate) path: String,
    pub(crate) query: Query,
    pub(crate) now: Timestamp,
    /// Whether a page asks by itself, to stay up to date.
    pub(crate) is_by_itself: bool,
}

/// The links to a table as a file, for `files.html`.
pub(crate) struct Files {
    pub(crate) csv: String,
    pub(crate) json: String,
}

impl Asked {
    /// Who asks; what it may, the exchange says.
    pub(crate) fn caller(&self) -> Arc<Caller> {
        Arc::clone(&self.session.caller)
    }

    /// What stands around the page.
    pub(crate) fn frame(&self, title: &str) -> Frame {
        let mut frame = Frame::new(&self.console, Some(&self.session), &self.path, title);
        // A message is for the page that somebody opens next.
        if !self.is_by_itself {
            frame.flash = self.session.said();
        }
        frame
    }

    /// In which form the page's table is wanted, if it is.
    pub(crate) fn format(&self) -> Result<Option<Format>, Problem> {
        match self.query.get("format") {
            None => Ok(None),
            Some("csv") => Ok(Some(Format::Csv)),
            Some("json") => Ok(Some(Format::Json)),
            Some(_) => Err(Problem::bad_request("`format` is csv or json")),
        }
    }

    /// The links to one of the page's tables as a file, by the name that `table` in the query has for it.
    pub(crate) fn files_of(&self, table: &str) -> Files {
        let query = self.query.with("table", Some(table));
        let link = |format| query.with("format", Some(format)).link(&self.path);
        Files { csv: link("csv"), json: link("json") }
    }

    /// A long table of the page as a file: `part` answers some of it at a time, for as long as the caller's credential holds.
    pub(crate) async fn file<S: Send + 'static>(
        &self,
        format: Format,
        name: &str,
        columns: &[&str],
        begin: S,
        part: impl Fn(&Exchange, &Caller, S) -> Result<Part<S>, Problem> + Send + Sync + 'static,
    ) -> Answer {
        let (console, caller, part) = (self.console.clone(), self.caller(), Arc::new(part));
        let ask = move |at: S| {
            let (console, caller, part) = (console.clone(), Arc::clone(&caller), Arc::clone(&part));
            async move {
                let asked = move |exchange: &Exchange| {
                    if !exchange.is_accepted(&caller) {
                        return Err(Problem::new(http::StatusCode::UNAUTHORIZED, "the credential has ended"));
                    }
                    part(exchange, &caller, at)
                };
                console.read(asked).await
            }
        };
        by_parts(format, name, columns, begin, ask).await
    }

    /// A link to this page with one value of its query set to another, or taken away.
    pub(crate) fn link(&self, name: &str, value: Option<&str>) -> String {
        self.query.with(name, value).link(&self.path)
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::internal("a page without a session"))
    }
}

/// A form that was sent from a page of ours, by somebody who is signed in. The pipeline has checked both.
#[derive(Clone)]
pub(crate) struct Posted {
    pub(crate) asked: Asked,
    pub(crate) fields: Query,
    /// The files that came with it.
    pub(crate) files: Vec<File>,
}

impl Posted {
    pub(crate) fn caller(&self) -> Arc<Caller> {
        self.asked.caller()
    }

    /// A file that has to be chosen. Browsers send one without name and contents where none was.
    pub(crate) fn file(&self, field: &str) -> Result<&File, Problem> {
        let missing = || Problem::new(http::StatusCode::UNPROCESSABLE_ENTITY, "no file was chosen");
        let chosen = self.files.iter().find(|file| file.field == field && !file.bytes.is_empty());
        chosen.ok_or_else(missing)
    }

    /// A field that has to be filled in.
    pub(crate) fn field(&self, name: &str) -> Result<&str, Problem> {
        let missing = || Problem::new(http::StatusCode::UNPROCESSABLE_ENTITY, format!("`{name}` is missing"));
        self.fields.get(name).ok_or_else(missing)
    }

    /// A field that has to be filled in, read as what it is.
    pub(crate) fn read<T>(&self, name: &str) -> Result<T, Problem>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let wrong = |error: T::Err| {
            Problem::new(http::StatusCode::UNPROCESSABLE_ENTITY, format!("`{name}`: {error}"))
        };
        self.field(name)?.parse().map_err(wrong)
    }

    /// Says what was done, on the page where to go on.
    #[expect(clippy::unnecessary_wraps, reason = "it is what a handler answers")]
    pub(crate) fn done(&self, text: impl Into<String>, to: &str) -> Answer {
        self.asked.session.say(Flash { text: text.into(), is_error: false });
        Ok(Redirect::to(to).into_response())
    }

    /// Says what could not be done, on the page where to go on.
    #[expect(clippy::unnecessary_wraps, reason = "it is what a handler answers")]
    pub(crate) fn failed(&self, text: impl Into<String>, to: &str) -> Answer {
        self.asked.session.say(Flash { text: text.into(), is_error: true });
        Ok(Redirect::to(to).into_response())
    }

    /// Where the form says to go on, if that is a path of ours.
    pub(crate) fn back_to<'p>(&'p self, otherwise: &'p str) -> &'p str {
        own_path(self.fields.get("back")).unwrap_or(otherwise)
    }
}

impl<S: Sync> FromRequestParts<S> for Posted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::internal("a form without a session"))
    }
}

/// A path on this host, and nothing that a browser would take for another host.
pub(crate) fn own_path(text: Option<&str>) -> Option<&str> {
    text.filter(|path| {
        path.starts_with('/')
            && !path.starts_with("//")
            && !path.contains('\\')
            && path.bytes().all(|byte| byte.is_ascii_graphic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_gone_on_to() {
        for good in ["/", "/members/member:0?as_of=2012-03-28"] {
            assert_eq!(own_path(Some(good)), Some(good));
        }
        for bad in
            ["", "members", "//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nx", "/\t/x"]
        {
            assert_eq!(own_path(Some(bad)), None, "{bad}");
        }
    }
}
