//! Why a page is not shown as it was asked for, and how that is said.
//!
//! As with the hub, a problem has two texts: one for the person, and one for the log.

use std::fmt::Display;

use askama::Template;
use axum::response::{IntoResponse, Response};
use exchange::{AdminError, AuthenticationError, PublishError, ReadError, WriteError};
use http::StatusCode;
use store::StoreError;

/// What a handler answers.
pub(crate) type Answer = Result<Response, Problem>;

/// Why a request is not answered as it wished.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// What the person is told.
    pub(crate) text: String,
    /// What only the log is told.
    pub(crate) cause: Option<String>,
    pub(crate) retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), cause: None, retry_after: None }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing here, or nothing that is yours to see")
    }

    pub(crate) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    /// A fault of ours: the person learns that there is one, the log learns which.
    pub(crate) fn internal(cause: impl Display) -> Self {
        let text = "something went wrong here; the operator finds the reason in the log";
        Self { cause: Some(cause.to_string()), ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, text) }
    }

    fn unavailable(text: &str, cause: impl Display) -> Self {
        Self {
            cause: Some(cause.to_string()),
            retry_after: Some(5),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}

impl IntoResponse for Problem {
    /// The status alone; the pipeline writes the page.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A page of a template.
pub(crate) fn page(template: &impl Template) -> Answer {
    let html = template.render().map_err(Problem::internal)?;
    Ok(axum::response::Html(html).into_response())
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Revoked => Self::new(StatusCode::UNAUTHORIZED, error.to_string()),
            AdminError::Forbidden { .. } => Self::forbidden(error.to_string()),
            // One page for "absent" and "not yours".
            AdminError::NoSuchMember(_)
            | AdminError::NoSuchCredential(_)
            | AdminError::NoSuchCollection(_)
            | AdminError::NoSuchObject(_)
            | AdminError::NoSuchMatch(_) => Self::not_found(),
            AdminError::NoSuchTier { .. } => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            AdminError::Transition(_) | AdminError::Moved => {
                Self::new(StatusCode::CONFLICT, error.to_string())
            }
            AdminError::Invalid(_) | AdminError::Judge(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
            AdminError::Store(source) => Self::from(source),
            AdminError::Write(source) => Self::from(source),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NoSuchCollection(_) | ReadError::NoSuchObject(_) | ReadError::NoSuchStatus(_) => {
                Self::not_found()
            }
            ReadError::Revoked => Self::new(StatusCode::UNAUTHORIZED, error.to_string()),
            ReadError::NotReadable(_) => Self::forbidden(error.to_string()),
            ReadError::BadNext => Self::bad_request(error.to_string()),
            ReadError::NotModified { .. } => Self::new(StatusCode::NOT_MODIFIED, String::new()),
            ReadError::Unsettled => Self::unavailable("the programme is changing; try again", error),
            ReadError::Store(source) => Self::from(source),
            ReadError::Write(source) => Self::from(source),
        }
    }
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::NoSuchCollection(_) | PublishError::NoSuchObject(_) => Self::not_found(),
            PublishError::Revoked => Self::new(StatusCode::UNAUTHORIZED, error.to_string()),
            PublishError::NotWritable(_) | PublishError::Forbidden(_) => Self::forbidden(error.to_string()),
            PublishError::Malformed(_) | PublishError::BadProperty { .. } | PublishError::OutOfOrder(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
            PublishError::Store(source) => Self::from(source),
            PublishError::Write(source) => Self::from(source),
        }
    }
}

impl From<AuthenticationError> for Problem {
    fn from(error: AuthenticationError) -> Self {
        match error {
            AuthenticationError::Refused => Self::new(StatusCode::UNAUTHORIZED, error.to_string()),
            AuthenticationError::Throttled { retry_after_seconds } => Self {
                retry_after: Some(retry_after_seconds),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, error.to_string())
            },
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_passing() {
            return Self::unavailable("the hub does not reach its data; try again later", error);
        }
        Self::internal(error)
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        let text = match &error {
            WriteError::NotApplied(_) => {
                "nothing was changed, because nothing could be written; try again later"
            }
            WriteError::Halted(_) => "the hub has stopped writing; its operator has to restart it",
            WriteError::Closed => "the hub is shutting down",
        };
        Self::unavailable(text, error)
    }
}
