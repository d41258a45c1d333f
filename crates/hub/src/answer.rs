//! Answers: bodies with the headers that belong to them.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use exchange::{Exchange, ReadError, Served};
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, VARY,
};
use hyper::http::HeaderValue;
use hyper::{HeaderMap, StatusCode};
use model::Principal;
use serde::Serialize;

use crate::encoding::Encoding;
use crate::hub::Hub;
use crate::refusal::Refusal;

pub(crate) const TAXII_TYPE: HeaderValue = HeaderValue::from_static(taxii::MEDIA_TYPE);
pub(crate) const JSON_TYPE: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const TEXT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// An answer depends on the caller: a cache asks every time, and only the caller's own may keep it.
pub(crate) const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache, private");
/// Never to be kept: secrets, states.
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const VARIES: HeaderValue = HeaderValue::from_static("accept, accept-encoding, authorization");
const FIRST: HeaderName = HeaderName::from_static(taxii::DATE_ADDED_FIRST);
const LAST: HeaderName = HeaderName::from_static(taxii::DATE_ADDED_LAST);
/// How many entity tags of `If-None-Match` are looked at.
const ETAGS_MAX: usize = 32;

/// How a client wants a page.
pub(crate) struct Wishes {
    encoding: Encoding,
    /// The entity tags of the answers that it has.
    known: Vec<String>,
}

impl Wishes {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let encoding = if headers.contains_key(ACCEPT_ENCODING) {
            Encoding::wanted(headers)
        } else {
            Encoding::Identity
        };
        Self { encoding, known: known_etags(headers) }
    }
}

/// The tags in `If-None-Match`, weak or strong, without their quotes (RFC 9110 §13.1.2). A `*` is passed over: the whole
/// answer is right as well.
pub(crate) fn known_etags(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .filter_map(|tag| {
            let tag = tag.trim();
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            Some(tag.strip_prefix('"')?.strip_suffix('"')?.to_owned())
        })
        .take(ETAGS_MAX)
        .collect()
}

/// An answer in one media type.
pub(crate) fn answer(status: StatusCode, media_type: HeaderValue, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// A resource of TAXII.
pub(crate) fn resource<T: Serialize>(status: StatusCode, resource: &T) -> Result<Response, Refusal> {
    let body = serde_json::to_vec(resource).map_err(Refusal::internal)?;
    Ok(uncached(answer(status, TAXII_TYPE, body)))
}

/// A document of the API.
pub(crate) fn json<T: Serialize>(status: StatusCode, document: &T) -> Result<Response, Refusal> {
    let body = serde_json::to_vec(document).map_err(Refusal::internal)?;
    Ok(uncached(answer(status, JSON_TYPE, body)))
}

fn uncached(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

/// An answer that was made once, with its entity tag.
#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    body: Bytes,
    etag: HeaderValue,
}

impl Fixed {
    pub(crate) fn new<T: Serialize>(resource: &T) -> Self {
        use sha2::{Digest, Sha256};
        // INVARIANT: only resources of TAXII come here, whose maps have keys of text.
        let body = serde_json::to_vec(resource).unwrap_or_default();
        let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&body)[..16]));
        let etag = HeaderValue::try_from(etag).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        Self { body: body.into(), etag }
    }

    /// The answer, or 304 if the client has it.
    pub(crate) fn response(&self, headers: &HeaderMap) -> Response {
        let own = self.etag.to_str().unwrap_or_default().trim_matches('"');
        let is_known =
            headers.contains_key(IF_NONE_MATCH) && known_etags(headers).iter().any(|tag| tag == own);
        let mut response = if is_known {
            answer(StatusCode::NOT_MODIFIED, TAXII_TYPE, Bytes::new())
        } else {
            answer(StatusCode::OK, TAXII_TYPE, self.body.clone())
        };
        let map = response.headers_mut();
        map.insert(ETAG, self.etag.clone());
        cacheable(map);
        response
    }
}

fn cacheable(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, REVALIDATE);
    headers.insert(VARY, VARIES);
}

/// The entity tag of a page. It is weak: two answers of one tag have the same objects, dates and versions, but each has a
/// `next` of its own (RFC 9110 §8.8.1). So it also holds for every content coding of the page.
fn etag(tag: &str) -> HeaderValue {
    HeaderValue::try_from(format!("W/\"{tag}\"")).unwrap_or_else(|_| HeaderValue::from_static("W/\"\""))
}

impl Hub {
    /// Reads a page on a blocking thread, codes it there, and answers; 304 if the client has it, 429 or 503 if too much of
    /// what was answered is still unread.
    pub(crate) async fn page(
        &self,
        principal: &Principal,
        wishes: Wishes,
        read: impl FnOnce(&Exchange, &[&str]) -> Result<(Vec<u8>, Served), ReadError> + Send + 'static,
    ) -> Result<Response, Refusal> {
        let whose = principal;
        let (answers, principal) = (Arc::clone(&self.answers), principal.clone());
        let paged = self
            .read(move |exchange| {
                // Here, where as many run as may be, so that many who ask at once are not all let through.
                answers.admit(&principal)?;
                let known: Vec<&str> = wishes.known.iter().map(String::as_str).collect();
                match read(exchange, &known) {
                    Ok((body, served)) => {
                        let (body, encoding) = wishes.encoding.encode(body);
                        Ok(Ok((answers.count(&principal, body), encoding, served)))
                    }
                    Err(ReadError::NotModified { etag }) => Ok(Err(etag)),
                    Err(error) => Err(Refusal::from(error)),
                }
            })
            .await?;
        let (body, encoding, served) = match paged {
            Ok(paged) => paged,
            Err(tag) => {
                let mut response = answer(StatusCode::NOT_MODIFIED, TAXII_TYPE, Bytes::new());
                response.headers_mut().insert(ETAG, etag(&tag));
                cacheable(response.headers_mut());
                return Ok(response);
            }
        };
        self.metrics.count_served(served.count);
        self.count_against_quota(whose, served.count, body.len());
        let mut response = answer(StatusCode::OK, TAXII_TYPE, body);
        let headers = response.headers_mut();
        cacheable(headers);
        headers.insert(ETAG, etag(&served.etag));
        if let Some(coding) = encoding.header() {
            headers.insert(CONTENT_ENCODING, coding);
        }
        // TAXII 2.1 §3.2: without objects there is no first and no last.
        for (name, date) in [(FIRST, served.first), (LAST, served.last)] {
            if let Some(date) = date.and_then(|date| HeaderValue::try_from(date.to_string()).ok()) {
                headers.insert(name, date);
            }
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_read_in_every_spelling() {
        let mut headers = HeaderMap::new();
        headers.append(IF_NONE_MATCH, "W/\"a\", \"b\"".parse().unwrap());
        headers.append(IF_NONE_MATCH, "*, c, \"d".parse().unwrap());
        assert_eq!(known_etags(&headers), ["a", "b"]);
    }

    #[test]
    fn a_fixed_answer_is_sent_once() {
        let fixed = Fixed::new(&taxii::Manifest::default());
        let first = fixed.response(&HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let etag = first.headers()[ETAG].clone();
        let again = fixed.response(&HeaderMap::from_iter([(IF_NONE_MATCH, etag)]));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let other =
            fixed.response(&HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static("\"x\""))]));
        assert_eq!(other.status(), StatusCode::OK);
    }
}
