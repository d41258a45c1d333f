//! `GET /api/stream`: objects or alerts as they come, as server-sent events.
//!
//! ```text
//! id: 2026-01-10T12:34:56.000001Z
//! event: object
//! data: {"collection":"7d1a...","date_added":"2026-01-10T12:34:56.000001Z","rights":["enforce"],"object":{...}}
//! ```
//!
//! The stream is a poll that waits: the same view, order, dates and ledger entries. An event's id is the object's date,
//! so a client that comes back with `Last-Event-ID`, as browsers do by themselves, goes on where it was; so does a TAXII
//! client that takes the id as `added_after`.
//!
//! `rights` are what the policies permit this reader to do with the object: `enforce`, `display`, `redistribute`. `resync` says
//! that something that the reader may hold has left its sight (it was withdrawn, deleted, re-labelled, or its label closed): who
//! acts on what it holds compares it with the manifest. It comes before the objects of the same moment, and has no id; its data has
//! when that was (`at`), by which a reader knows a departure that it is told again.
//!
//! With `poll` the answer says what there is now, and ends: for whoever finds no place among the open streams. It says what a stream
//! would, rights and departures included.
//!
//! With `alerts` in place of a collection the programme's people get what they should learn at once. An event's id is the
//! alert's key there, and `Last-Event-ID` (or `after`) goes on behind it:
//!
//! ```text
//! id: 000000000012
//! event: alert
//! data: {"key":"000000000012","at":"2026-01-10T12:34:56.000000Z","kind":"decision",...}
//! ```
//!
//! An object stands in `data` as it was received. Only a line break inside it, which JSON allows between its tokens,
//! becomes a line break of the event's.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use exchange::{Alert, Exchange, StreamBatch, Streamed};
use hyper::body::Frame;
use hyper::header::CACHE_CONTROL;
use hyper::http::HeaderValue;
use hyper::{HeaderMap, StatusCode};
use model::{Caller, CollectionId, Timestamp};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::answer::{NO_STORE, answer};
use crate::api::parameters;
use crate::budget::Held;
use crate::hub::Hub;
use crate::peer::Connection;
use crate::pipeline::{Authenticated, authenticate};
use crate::quota::Asks;
use crate::refusal::Refusal;

const EVENTS_TYPE: HeaderValue = HeaderValue::from_static("text/event-stream");
/// How long one wait for news is. After it the stream looks whether it is to end.
const WAIT: Duration = Duration::from_millis(500);
/// How many batches may wait for a slow reader. A batch is a page at most.
const BATCHES_MAX: usize = 2;
/// How long a reader may take for a batch before it is cut off; it comes back with `Last-Event-ID`.
const READER_PAUSE_MAX: Duration = Duration::from_mins(1);

/// What a stream is of, and where it is.
enum Source {
    Objects {
        collection: CollectionId,
        after: Option<Timestamp>,
        /// Up to when the reader was told what left its sight.
        seen: Timestamp,
        /// What there is now is all that is asked for.
        is_poll: bool,
    },
    Alerts {
        after: String,
    },
}

/// What came.
enum Batch {
    Objects(StreamBatch),
    Alerts(Vec<Alert>),
}

/// Opens a stream.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    let source = source(&hub, &caller, &request)?;
    if let Source::Objects { collection, after, seen, is_poll: true } = source {
        hub.answers.admit(&caller.principal)?;
        let (asker, id) = (Arc::clone(&caller), collection.to_string());
        let batch =
            hub.read(move |exchange| exchange.stream(&asker, &id, after, seen, Duration::ZERO)).await?;
        hub.metrics.count_served(batch.objects.len());
        let mut text = b": open\n\n".to_vec();
        text.extend(events(collection, &batch));
        let mut response = answer(StatusCode::OK, EVENTS_TYPE, hub.answers.count(&caller.principal, text));
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        return Ok(response);
    }
    let place = hub.streams.try_one(&caller.principal).ok_or_else(|| {
        Refusal::unavailable(
            "as many streams are open as the hub takes, from you or in all; poll, or try again",
        )
    })?;
    let (sender, receiver) = mpsc::channel(BATCHES_MAX);
    let connection = request.extensions().get::<Arc<Connection>>().cloned();
    let headers = request.into_parts().0.headers;
    let stream = Stream { hub, caller, source, headers, connection, _place: place };
    tokio::spawn(stream.run(sender));
    let mut response = answer(StatusCode::OK, EVENTS_TYPE, Bytes::new());
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    *response.body_mut() = Body::new(Events { receiver });
    Ok(response)
}

/// What is asked for, by somebody who may have it.
fn source(hub: &Hub, caller: &Caller, request: &Request) -> Result<Source, Refusal> {
    let names = ["collection", "added_after", "alerts", "after", "poll"];
    let [collection, added_after, alerts, after, poll] = parameters(request.uri().query(), names)?;
    let last_id =
        request.headers().get("last-event-id").map(|value| value.to_str().unwrap_or("?").to_owned());
    // The id of the last event is where the client is; what the address says is where it once began.
    let last_id = last_id.filter(|text| !text.is_empty());
    match (collection, alerts) {
        (Some(collection), None) if after.is_none() && poll.as_ref().is_none_or(String::is_empty) => {
            let after = last_id.or(added_after).filter(|text| !text.is_empty());
            let after = after.map(|text| text.parse::<Timestamp>()).transpose();
            let after = after.map_err(|error| Refusal::bad_request(error.to_string()))?;
            let view = hub.exchange.collection(caller, &collection)?;
            if !view.can_read {
                return Err(exchange::ReadError::NotReadable(view.collection.alias).into());
            }
            let seen = after.unwrap_or_else(|| hub.exchange.now());
            Ok(Source::Objects { collection: view.collection.id, after, seen, is_poll: poll.is_some() })
        }
        (None, Some(word)) if word.is_empty() && added_after.is_none() && poll.is_none() => {
            let after = last_id.or(after).unwrap_or_default();
            hub.exchange.may_follow_alerts(caller, &after)?;
            Ok(Source::Alerts { after })
        }
        (Some(_) | None, Some(_) | None) => Err(Refusal::bad_request(
            "ask either for a `collection`, by its id or alias, with `added_after` and `poll`; or for `alerts`, with `after`",
        )),
    }
}

struct Stream {
    hub: Hub,
    caller: Arc<Caller>,
    source: Source,
    /// Kept for its credentials, which are looked at again and again.
    headers: HeaderMap,
    connection: Option<Arc<Connection>>,
    _place: Held,
}

impl Stream {
    /// Sends what comes until the caller may have no more, the reader is gone, or the hub shuts down.
    async fn run(mut self, sender: mpsc::Sender<Bytes>) {
        let mut silent_since = Instant::now();
        // So that the client sees at once that the stream is open.
        if !send(&sender, Bytes::from_static(b": open\n\n")).await {
            return;
        }
        while !self.is_closing() {
            // Before anything is chosen, and so recorded as handed out. The client comes back, and is told until when.
            if self.hub.admit_within_quota(&self.caller, Asks::More).is_err() {
                return;
            }
            let Ok(batch) = self.next().await else { return };
            // Asked after the batch was chosen and before it is sent: a credential that was revoked, or has expired,
            // gets nothing more.
            match authenticate(&self.hub, self.connection.as_deref(), &self.headers).await {
                Ok(caller) if caller.credential == self.caller.credential => self.caller = caller,
                Ok(_) | Err(_) => return,
            }
            let text = match self.events(batch) {
                Some(events) => self.hub.answers.count(&self.caller.principal, events),
                None if silent_since.elapsed() >= self.hub.options.heartbeat => {
                    Bytes::from_static(b": alive\n\n")
                }
                None if sender.is_closed() => return,
                None => continue,
            };
            silent_since = Instant::now();
            if !send(&sender, text).await {
                return;
            }
        }
    }

    fn is_closing(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| *connection.closing.borrow())
    }

    /// Waits for news, on a blocking thread. Not within the limit of reads, for it does not read most of the time; the
    /// limit on streams holds it.
    async fn next(&self) -> Result<Batch, Refusal> {
        // A reader that does not keep up is cut off; it comes back with `Last-Event-ID`.
        self.hub.answers.admit(&self.caller.principal)?;
        let (exchange, caller): (Exchange, _) = (self.hub.exchange.clone(), Arc::clone(&self.caller));
        match &self.source {
            Source::Objects { collection, after, seen, .. } => {
                let (collection, after, seen) = (collection.to_string(), *after, *seen);
                let wait = move || exchange.stream(&caller, &collection, after, seen, WAIT);
                let waited = tokio::task::spawn_blocking(wait).await.map_err(Refusal::internal)?;
                Ok(Batch::Objects(waited?))
            }
            Source::Alerts { after } => {
                let after = after.clone();
                let wait = move || exchange.wait_for_alerts(&caller, &after, WAIT);
                let waited = tokio::task::spawn_blocking(wait).await.map_err(Refusal::internal)?;
                Ok(Batch::Alerts(waited?))
            }
        }
    }

    /// What came, as events, if anything did; the stream goes on behind it.
    fn events(&mut self, batch: Batch) -> Option<Vec<u8>> {
        match (&mut self.source, batch) {
            (Source::Objects { collection, after, seen, .. }, Batch::Objects(batch)) => {
                *after = batch.after.or(*after);
                *seen = batch.lost.unwrap_or(*seen);
                self.hub.metrics.count_served(batch.objects.len());
                let has_news = !batch.objects.is_empty() || batch.lost.is_some();
                let text = has_news.then(|| events(*collection, &batch))?;
                self.hub.count_against_quota(&self.caller.principal, batch.objects.len(), text.len());
                Some(text)
            }
            (Source::Alerts { after }, Batch::Alerts(alerts)) => {
                after.clone_from(&alerts.last()?.key);
                Some(alert_events(&alerts))
            }
            // INVARIANT: `next` answers with what the source is of.
            (Source::Objects { .. }, Batch::Alerts(_)) | (Source::Alerts { .. }, Batch::Objects(_)) => None,
        }
    }
}

async fn send(sender: &mpsc::Sender<Bytes>, text: Bytes) -> bool {
    sender.send_timeout(text, READER_PAUSE_MAX).await.is_ok()
}

fn events(collection: CollectionId, batch: &StreamBatch) -> Vec<u8> {
    let length: usize = batch.objects.iter().map(|streamed| streamed.object.len() + 250).sum();
    let mut text = Vec::with_capacity(length + 100);
    if let Some(at) = batch.lost {
        let event = format!("event: resync\ndata: {{\"collection\":\"{collection}\",\"at\":\"{at}\"}}\n\n");
        text.extend_from_slice(event.as_bytes());
    }
    for Streamed { date, uses, object } in &batch.objects {
        let rights: Vec<_> = uses.words().map(|word| format!("\"{word}\"")).collect();
        let rights = rights.join(",");
        let head = format!(
            "id: {date}\nevent: object\ndata: {{\"collection\":\"{collection}\",\"date_added\":\"{date}\",\"rights\":[{rights}],\"object\":"
        );
        text.extend_from_slice(head.as_bytes());
        push_lines(&mut text, object);
        text.extend_from_slice(b"}\n\n");
    }
    text
}

fn alert_events(alerts: &[Alert]) -> Vec<u8> {
    let mut text = Vec::new();
    for alert in alerts {
        text.extend_from_slice(format!("id: {}\nevent: alert\ndata: ", alert.key).as_bytes());
        // JSON as we write it has no line breaks.
        text.extend_from_slice(&serde_json::to_vec(alert).unwrap_or_default());
        text.extend_from_slice(b"\n\n");
    }
    text
}

/// Appends an object to a `data` field. `\r\n`, `\n` and `\r` each end a line of the field.
fn push_lines(text: &mut Vec<u8>, object: &[u8]) {
    let mut rest = object;
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        text.extend_from_slice(&rest[..end]);
        text.extend_from_slice(b"\ndata: ");
        let width = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = &rest[end + width..];
    }
    text.extend_from_slice(rest);
}

/// A body of what comes over a channel.
struct Events {
    receiver: mpsc::Receiver<Bytes>,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.receiver.poll_recv(context).map(|text| text.map(|text| Ok(Frame::data(text))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_with_line_breaks_is_one_event() {
        let collection: CollectionId = "7d1a2c40-53be-4f0c-8a59-0f6d3f1b6001".parse().unwrap();
        let uses = exchange::Uses { enforce: true, display: true, redistribute: false };
        let object = b"{\"a\":\r\n1,\n\"b\":2}".to_vec();
        let objects = vec![Streamed { date: Timestamp::EPOCH, uses, object }];
        let text = events(collection, &StreamBatch { objects, after: None, lost: None });
        let text = std::str::from_utf8(&text).unwrap();
        let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        let value: serde_json::Value = serde_json::from_str(&data.join("\n")).unwrap();
        assert_eq!(value["object"], serde_json::json!({"a": 1, "b": 2}));
        assert_eq!(value["rights"], serde_json::json!(["enforce", "display"]));
        assert_eq!(value["date_added"], "1970-01-01T00:00:00.000000Z");
        assert!(text.starts_with("id: 1970-01-01T00:00:00.000000Z\nevent: object\ndata: "), "{text}");
        assert!(text.ends_with("}\n\n") && !text.trim_end().contains("\n\n"), "{text}");
    }
}
