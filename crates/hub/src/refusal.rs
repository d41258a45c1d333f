//! Refusals: why a request is not answered as it wished, and how that is said.
//!
//! A refusal has two texts. Its *description* is for the caller and says only what the caller may know. Its *cause*
//! is for the log. The two meet in the error's id, which is the request's.

use std::fmt::Display;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use exchange::{AdminError, AuthenticationError, PublishError, ReadError, WriteError};
use hyper::StatusCode;
use serde::Serialize;
use store::StoreError;
use taxii::{AuthorizationError, ErrorResource, NotAcceptable, QueryError, UnsupportedMediaType};

use crate::budget::Full;
use crate::endpoints::Face;

/// How long a client waits before it asks again, in seconds, where only the hub's state stands in the way.
const RETRY_AFTER_SECONDS: u64 = 5;

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) description: String,
    pub(crate) retry_after: Option<u64>,
    /// What the log says and the caller does not learn.
    pub(crate) cause: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, description: impl Into<String>) -> Self {
        Self { status, description: description.into(), retry_after: None, cause: None }
    }

    pub(crate) fn bad_request(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, description)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this path")
    }

    /// A fault of ours: the caller learns that there is one, the log learns which.
    pub(crate) fn internal(cause: impl Display) -> Self {
        let description =
            "the hub could not answer; the operator finds the reason in its log under this error id";
        Self { cause: Some(cause.to_string()), ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, description) }
    }

    /// A store that failed under a question. One that does not answer now may do so soon.
    pub(crate) fn unread(error: &StoreError) -> Self {
        if error.is_passing() {
            let description = "the hub does not reach its data; try again later";
            return Self { cause: Some(error.to_string()), ..Self::unavailable(description) };
        }
        Self::internal(error)
    }

    /// A store that failed under a change. A disk that is full comes here, which passes; damage does not.
    fn unwritten(error: StoreError) -> Self {
        match error {
            StoreError::Failed { .. } | StoreError::Unavailable { .. } | StoreError::Superseded => {
                WriteError::from(error).into()
            }
            StoreError::Damaged(_)
            | StoreError::TooNew { .. }
            | StoreError::TooOld { .. }
            | StoreError::InUse(_) => Self::internal(error),
        }
    }

    pub(crate) fn unavailable(description: impl Into<String>) -> Self {
        let retry_after = Some(RETRY_AFTER_SECONDS);
        Self { retry_after, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, description) }
    }

    /// The refusal's body, as `face` writes it, under the id that the log has.
    pub(crate) fn body(&self, face: Face, error_id: &str) -> Bytes {
        let http_status = self.status.as_u16().to_string();
        let (title, description) = (title(self.status), self.description.as_str());
        let body = match face {
            Face::Taxii => serde_json::to_vec(&ErrorResource {
                title: title.to_owned(),
                description: Some(description.to_owned()),
                error_id: Some(error_id.to_owned()),
                http_status: Some(http_status),
                ..ErrorResource::default()
            }),
            Face::Plain => {
                serde_json::to_vec(&PlainError { title, description, error_id, http_status: &http_status })
            }
        };
        body.unwrap_or_default().into()
    }
}

/// An error of the API.
#[derive(Serialize)]
struct PlainError<'a> {
    title: &'a str,
    description: &'a str,
    error_id: &'a str,
    http_status: &'a str,
}

fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "Bad request",
        401 => "Not authenticated",
        403 => "Not permitted",
        404 => "Not found",
        405 => "Method not allowed",
        406 => "Not acceptable",
        408 => "Too slow",
        409 => "Conflict",
        413 => "Too large",
        415 => "Unsupported media type",
        422 => "Unprocessable content",
        429 => "Too many requests",
        503 => "Not available now",
        _ => "The request failed",
    }
}

impl IntoResponse for Refusal {
    /// The status alone; the pipeline writes the body.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            // One answer for "absent" and "not yours", so that nobody learns what exists (TAXII 2.1 §5.4).
            ReadError::NoSuchCollection(_) | ReadError::NoSuchObject(_) | ReadError::NoSuchStatus(_) => {
                Self::new(StatusCode::NOT_FOUND, error.to_string())
            }
            ReadError::Revoked => Self::new(StatusCode::UNAUTHORIZED, error.to_string()),
            ReadError::NotReadable(_) => Self::new(StatusCode::FORBIDDEN, error.to_string()),
            ReadError::BadNext => Self::bad_request(error.to_string()),
            ReadError::NotModified { .. } => Self::new(StatusCode::NOT_MODIFIED, String::new()),
            ReadError::Unsettled => Self::unavailable(error.to_string()),
            ReadError::Store(source) => Self::unread(&source),
            ReadError::Write(source) => source.into(),
        }
    }
}

impl From<PublishError> for Refusal {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::NoSuchCollection(_) | PublishError::NoSuchObject(_) => {
                Self::new(StatusCode::NOT_FOUND, error.to_string())
            }
            PublishError::Revoked => Self::new(StatusCode::UNAUTHORIZED, error.to_string()),
            PublishError::NotWritable(_) | PublishError::Forbidden(_) => {
                Self::new(StatusCode::FORBIDDEN, error.to_string())
            }
            // TAXII 2.1 §5.5: content that cannot be processed.
            PublishError::Malformed(_) | PublishError::BadProperty { .. } | PublishError::OutOfOrder(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
            PublishError::Store(source) => Self::unwritten(source),
            PublishError::Write(source) => source.into(),
        }
    }
}

impl From<AdminError> for Refusal {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Revoked => Self::new(StatusCode::UNAUTHORIZED, error.to_string()),
            AdminError::Forbidden { .. } => Self::new(StatusCode::FORBIDDEN, error.to_string()),
            AdminError::NoSuchMember(_)
            | AdminError::NoSuchCredential(_)
            | AdminError::NoSuchCollection(_)
            | AdminError::NoSuchObject(_)
            | AdminError::NoSuchMatch(_)
            | AdminError::NoSuchTier { .. } => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            AdminError::Transition(_) | AdminError::Moved => {
                Self::new(StatusCode::CONFLICT, error.to_string())
            }
            AdminError::Invalid(_) | AdminError::Judge(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
            AdminError::Store(source) => Self::unwritten(source),
            AdminError::Write(source) => source.into(),
        }
    }
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        let description = match &error {
            // A full disk is the usual reason, and no business of the caller's.
            WriteError::NotApplied(_) => "the hub could not write, and nothing was changed; try again later",
            WriteError::Halted(_) => "the hub has stopped writing; its operator has to restart it",
            WriteError::Closed => "the hub is shutting down",
        };
        Self { cause: Some(error.to_string()), ..Self::unavailable(description) }
    }
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        match full {
            Full::Share => Self {
                retry_after: Some(RETRY_AFTER_SECONDS),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "you have not read what you were answered already; read that, and try again",
                )
            },
            Full::All => Self::unavailable("the hub holds as many unread answers as it can; try again"),
        }
    }
}

impl From<AuthenticationError> for Refusal {
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

macro_rules! refuse_with {
    ($($error:ty => $status:ident),+ $(,)?) => {$(
        impl From<$error> for Refusal {
            fn from(error: $error) -> Self {
                Self::new(StatusCode::$status, error.to_string())
            }
        }
    )+};
}

refuse_with!(
    AuthorizationError => UNAUTHORIZED,
    NotAcceptable => NOT_ACCEPTABLE,
    QueryError => BAD_REQUEST,
    UnsupportedMediaType => UNSUPPORTED_MEDIA_TYPE,
);

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn faults_of_ours_tell_the_caller_nothing() {
        let damage = || StoreError::Damaged("segment 7 in /srv/hub/bodies-3".to_owned());
        let refusals = [
            Refusal::from(ReadError::Store(damage())),
            Refusal::from(PublishError::Store(damage())),
            Refusal::from(AdminError::Store(damage())),
            Refusal::from(ReadError::Write(WriteError::NotApplied(Arc::new(damage())))),
            Refusal::from(WriteError::Halted(Arc::new(damage()))),
        ];
        for refusal in refusals {
            assert!(refusal.status.is_server_error(), "{refusal:?}");
            assert!(refusal.cause.as_ref().is_some_and(|cause| cause.contains("bodies-3")), "{refusal:?}");
            for face in [Face::Taxii, Face::Plain] {
                let body = String::from_utf8(refusal.body(face, "id-1").to_vec()).unwrap();
                assert!(body.contains("\"error_id\":\"id-1\""), "{body}");
                assert!(!body.contains("bodies-3") && !body.contains("segment"), "{body}");
            }
        }
    }

    #[test]
    fn a_full_disk_is_waited_for_and_damage_is_not() {
        let full =
            || StoreError::failed("writing bodies", std::io::Error::from(std::io::ErrorKind::StorageFull));
        let damage = || StoreError::Damaged("segment 7".to_owned());
        let cases = [
            (Refusal::from(PublishError::Store(full())), 503, Some(5)),
            (Refusal::from(AdminError::Store(full())), 503, Some(5)),
            (Refusal::from(PublishError::Write(WriteError::from(full()))), 503, Some(5)),
            (Refusal::from(ReadError::Write(WriteError::from(full()))), 503, Some(5)),
            (Refusal::from(PublishError::Store(damage())), 500, None),
            (Refusal::from(AdminError::Store(damage())), 500, None),
        ];
        for (refusal, status, retry_after) in cases {
            assert_eq!((refusal.status.as_u16(), refusal.retry_after), (status, retry_after), "{refusal:?}");
        }
    }

    #[test]
    fn a_database_that_does_not_answer_is_waited_for() {
        let passing = || {
            [
                StoreError::Unavailable { doing: "reading", source: "connection refused".into() },
                StoreError::Superseded,
            ]
        };
        let refusals = passing()
            .map(|error| Refusal::from(ReadError::Store(error)))
            .into_iter()
            .chain(passing().map(|error| Refusal::from(PublishError::Store(error))))
            .chain(passing().map(|error| Refusal::from(AdminError::Store(error))));
        for refusal in refusals {
            assert_eq!((refusal.status.as_u16(), refusal.retry_after), (503, Some(5)), "{refusal:?}");
            assert!(!refusal.description.contains("refused"), "{refusal:?}");
        }
    }

    #[test]
    fn hidden_and_absent_are_one_answer() {
        let refusal = |error: ReadError| {
            let refusal = Refusal::from(error);
            (refusal.status, refusal.body(Face::Taxii, "x"))
        };
        let (status, body) = refusal(ReadError::NoSuchObject("indicator--1".to_owned()));
        assert_eq!(status, StatusCode::NOT_FOUND);
        let resource: ErrorResource = serde_json::from_slice(&body).unwrap();
        assert_eq!(resource.http_status.as_deref(), Some("404"));
        assert_eq!(resource.title, "Not found");
    }
}
