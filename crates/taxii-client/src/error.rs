//! What can go wrong between a client and a server.

use thiserror::Error;

/// Why a request did not bring what was asked for.
#[derive(Debug, Error)]
pub enum Error {
    /// A URL that was given, or that the server named, cannot be used.
    #[error("cannot use `{url}`: {reason}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An option cannot be used.
    #[error("option `{option}` cannot be used: {reason}")]
    Option {
        /// Its name.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// No complete answer came: name resolution, connection, TLS, or time ran out.
    #[error("no answer from `{url}`: {source}")]
    Transport {
        /// What was asked.
        url: String,
        /// What happened.
        source: Box<ureq::Error>,
    },
    /// The answer, uncompressed, is greater than the options allow.
    #[error("the answer of `{url}` is greater than {body_size_max_bytes} bytes")]
    TooLarge {
        /// What was asked.
        url: String,
        /// The limit.
        body_size_max_bytes: u64,
    },
    /// The server wants credentials, or others: HTTP 401.
    #[error("`{url}` wants other credentials (it offers: {challenges}){}", colon(title.as_ref()))]
    Unauthorized {
        /// What was asked.
        url: String,
        /// The schemes that the server offers.
        challenges: String,
        /// The title of the server's error resource.
        title: Option<String>,
    },
    /// Any other status that is no success.
    #[error("`{url}` answered with status {status}{}{}", colon(title.as_ref()), colon(description.as_ref()))]
    Refused {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The title of the server's error resource.
        title: Option<String>,
        /// Its description.
        description: Option<String>,
        /// After how many seconds to come back, if the server says so.
        retry_after_seconds: Option<u64>,
    },
    /// The answer is of a type that is not TAXII 2.1: perhaps a login page, perhaps TAXII 2.0.
    #[error("`{url}` answered with `{content_type}` instead of TAXII 2.1")]
    WrongContentType {
        /// What was asked.
        url: String,
        /// What came.
        content_type: String,
    },
    /// The answer is not the resource that it should be.
    #[error("`{url}` did not answer with the resource that was asked for: {source}")]
    Malformed {
        /// What was asked.
        url: String,
        /// Where it fails.
        source: serde_json::Error,
    },
    /// The server says that there is more, and does not give it.
    #[error("`{url}` does not get on: {fault}")]
    NotAdvancing {
        /// What was asked.
        url: String,
        /// What the server does wrong.
        fault: Fault,
    },
    /// Discovery names no API root.
    #[error("`{url}` names no API root")]
    NoApiRoot {
        /// What was asked.
        url: String,
    },
    /// The server had not dealt with all objects when patience ended.
    #[error("status `{}` still has {} of {} objects pending", status.id, status.pending_count, status.total_count)]
    StillPending {
        /// The last answer.
        status: Box<taxii::Status>,
    },
}

/// How a server fails to page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The same objects came again.
    #[error("it sent a page that it had sent before")]
    RepeatedPage,
    /// There was neither `next` nor a date to go on from.
    #[error("it says that there is more, without `next` and without `X-TAXII-Date-Added-Last`")]
    NoWayOn,
    /// The date to go on from is not later than the one that was asked for.
    #[error("it says that there is more, but `X-TAXII-Date-Added-Last` is not later than `added_after`")]
    DateStands,
    /// Page after page was empty.
    #[error("it says that there is more, but sends nothing, page after page")]
    EmptyPages,
}

fn colon(words: Option<&String>) -> String {
    words.map(|words| format!(": {words}")).unwrap_or_default()
}
