//! Media types: what a server speaks, and what a client says it takes.
//!
//! Every answer of a TAXII 2.1 server, errors included, is [`MEDIA_TYPE`] (TAXII 2.1 §3.2). The
//! standard answers 406 to an `Accept` that cannot be met and 415 to a request body of another
//! type. Clients in the field send less than they should: nothing at all, `*/*`,
//! `application/json, text/plain, */*`, the type without a version or with a space before it.
//! All of these can be met, so they are.

use thiserror::Error;

use crate::date::shorten;

/// The media type of TAXII 2.1, as a server writes it.
pub const MEDIA_TYPE: &str = "application/taxii+json;version=2.1";

const VERSION: &str = "2.1";

/// No media range of the `Accept` header takes TAXII 2.1: HTTP 406.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot answer as `{accept}`: this server speaks `{MEDIA_TYPE}`")]
pub struct NotAcceptable {
    accept: String,
}

/// The request body is not of the TAXII 2.1 type: HTTP 415.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnsupportedMediaType {
    /// There was no `Content-Type`.
    #[error("the request body has no content type: send `{MEDIA_TYPE}`")]
    Missing,
    /// There was another one.
    #[error("cannot read a request body of type `{content_type}`: send `{MEDIA_TYPE}`")]
    Other {
        /// The type that was sent.
        content_type: String,
    },
}

/// Says whether an `Accept` header takes TAXII 2.1; `None` stands for no header.
///
/// As in RFC 9110 §12.5.1, the most specific range that covers the type decides, and `q=0` excludes.
/// `application/json` counts as covering it: what follows *is* JSON.
///
/// # Errors
///
/// Fails if nothing in the header covers [`MEDIA_TYPE`], for instance if it asks for TAXII 2.0 alone.
pub fn accepts(header: Option<&str>) -> Result<(), NotAcceptable> {
    let Some(header) = header.filter(|header| !header.trim().is_empty()) else {
        return Ok(()); // RFC 9110 §12.5.1: without the header, any type will do.
    };
    let best = split_unquoted(header, ',')
        .filter_map(|range| {
            let range = MediaRange::read(range)?;
            Some((range.specificity()?, range.is_excluded))
        })
        // At equal specificity a range that takes the type wins over one that excludes it.
        .max_by_key(|(specificity, is_excluded)| (*specificity, !is_excluded));
    match best {
        Some((_, false)) => Ok(()),
        Some((_, true)) | None => Err(NotAcceptable { accept: shorten(header) }),
    }
}

/// Says whether a `Content-Type` header announces a TAXII 2.1 body; `None` stands for no header.
///
/// Taken: the TAXII type with version 2.1 or with none, and plain `application/json`.
///
/// # Errors
///
/// Fails for every other type, another version, another charset than UTF-8, and for a missing header.
pub fn content_type_ok(header: Option<&str>) -> Result<(), UnsupportedMediaType> {
    let header = header.filter(|header| !header.trim().is_empty()).ok_or(UnsupportedMediaType::Missing)?;
    let is_ours = MediaRange::read(header).is_some_and(|media| {
        let is_json = media.type_is("application/taxii+json") || media.type_is("application/json");
        is_json && media.specificity().is_some() && media.is_utf8
    });
    if is_ours { Ok(()) } else { Err(UnsupportedMediaType::Other { content_type: shorten(header) }) }
}

/// One element of an `Accept` header, or a `Content-Type`.
struct MediaRange<'a> {
    name: &'a str,
    version: Option<&'a str>,
    is_utf8: bool,
    is_excluded: bool,
}

/// How closely a media range covers our type; a later variant is more specific.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Specificity {
    Anything,
    Application,
    Json,
    Taxii,
    TaxiiVersion,
}

impl<'a> MediaRange<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = split_unquoted(text, ';').map(str::trim);
        let name = parts.next().filter(|name| name.contains('/'))?;
        let mut range = Self { name, version: None, is_utf8: true, is_excluded: false };
        for parameter in parts {
            let Some((key, value)) = parameter.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            match key.trim().to_ascii_lowercase().as_str() {
                "version" => range.version = Some(value),
                "charset" => range.is_utf8 = value.eq_ignore_ascii_case("utf-8"),
                "q" => range.is_excluded = value.parse().is_ok_and(|weight: f32| weight <= 0.0),
                _ => {}
            }
        }
        Some(range)
    }

    fn type_is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// `None` if the range does not cover our type.
    fn specificity(&self) -> Option<Specificity> {
        let covers = self.version.is_none_or(|version| version == VERSION);
        let specificity = if self.type_is("application/taxii+json") {
            // TAXII 2.1 §3.2: without a version, the newest is meant.
            if self.version.is_some() { Specificity::TaxiiVersion } else { Specificity::Taxii }
        } else if self.type_is("application/json") {
            Specificity::Json
        } else if self.type_is("application/*") {
            Specificity::Application
        } else if self.type_is("*/*") {
            Specificity::Anything
        } else {
            return None;
        };
        covers.then_some(specificity)
    }
}

/// Splits at a separator outside of quoted strings.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |c| {
        if c == '"' {
            is_quoted = !is_quoted;
        }
        c == separator && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_is_met_where_it_can_be() {
        let cases = [
            (None, true),
            (Some(""), true),
            (Some("*/*"), true),
            (Some("application/*"), true),
            (Some("application/json"), true),
            (Some("application/json, text/plain, */*"), true),
            (Some("application/taxii+json"), true),
            (Some("application/taxii+json;version=2.1"), true),
            (Some("application/taxii+json; version=2.1"), true),
            (Some("Application/TAXII+JSON ;  Version=\"2.1\""), true),
            (Some("application/taxii+json;version=2.1;q=0.5"), true),
            (Some("application/taxii+json;version=2.0, application/taxii+json;version=2.1"), true),
            (Some("application/vnd.oasis.taxii+json; version=2.0, */*;q=0.1"), true),
            (Some("text/html;x=\"a,b\", */*;q=0.8"), true),
            (Some("application/taxii+json;version=2.1;q=0, application/taxii+json;version=2.1"), true),
            // not met
            (Some("application/taxii+json;version=2.1;q=0"), false),
            (Some("application/taxii+json;version=2.1;q=0.000, */*"), false),
            (Some("application/taxii+json;q=0, application/json"), false),
            (Some("application/taxii+json;version=2.0"), false),
            (Some("application/vnd.oasis.taxii+json"), false),
            (Some("application/vnd.oasis.taxii+json; version=2.0"), false),
            (Some("application/stix+json;version=2.1"), false),
            (Some("text/html, text/*"), false),
            (Some("\"*/*\""), false),
            (Some("version=2.1"), false),
        ];
        for (header, is_met) in cases {
            assert_eq!(accepts(header).is_ok(), is_met, "{header:?}");
        }
    }

    #[test]
    fn a_refusal_names_what_was_asked_and_what_there_is() {
        let refusal = accepts(Some("text/html")).unwrap_err().to_string();
        assert!(refusal.contains("`text/html`") && refusal.contains(MEDIA_TYPE), "{refusal}");
    }

    #[test]
    fn content_types_of_a_post() {
        let cases = [
            (Some("application/taxii+json;version=2.1"), true),
            (Some("application/taxii+json; version=2.1"), true),
            (Some("application/taxii+json"), true),
            (Some("application/taxii+json;version=2.1; charset=UTF-8"), true),
            (Some("application/json"), true),
            (Some("application/json; charset=utf-8"), true),
            (Some("application/json; charset=latin1"), false),
            (Some("application/taxii+json;version=2.0"), false),
            (Some("application/vnd.oasis.stix+json; version=2.0"), false),
            (Some("application/stix+json;version=2.1"), false),
            (Some("application/x-www-form-urlencoded"), false),
            (Some("text/plain"), false),
            (Some("*/*"), false),
            (Some(""), false),
            (None, false),
        ];
        for (header, is_taken) in cases {
            assert_eq!(content_type_ok(header).is_ok(), is_taken, "{header:?}");
        }
    }
}
