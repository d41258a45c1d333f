//! `GET /live`: that something changed which whoever is signed in may see, and never what, as server-sent events.
//!
//! ```text
//! event: change
//! data: alerts ledger
//! ```
//!
//! The words are those of [`Change`]. `live.js` then fetches the page again, as the same person, and takes from it the parts
//! that are marked with one of them (`data-live`); so what a page tells is decided where it always is. The stream hangs on
//! the session and does not keep it alive: nothing is sent after its end. What waits is the exchange, as for `/api/stream`.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::response::IntoResponse as _;
use exchange::{AdminError, Change, Watched};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use hyper::body::Frame;
use model::Caller;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use crate::asked::Asked;
use crate::console::Console;
use crate::peer::Peer;
use crate::pipeline::{Arrived, same_origin};
use crate::problem::{Answer, Problem};

/// Where it is.
pub(crate) const PATH: &str = "/live";
/// What a browser has to take for it to be sent.
const EVENTS_TYPE: &str = "text/event-stream";
/// How long one wait for news is. After it the stream looks whether its session is over.
const WAIT: Duration = Duration::from_millis(500);
/// How long nothing is said after something was: pages are fetched anew for it.
const PACE: Duration = Duration::from_secs(1);
/// After how long a silent stream shows that it is there, so that nothing between here and the browser ends it.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a browser may take for an event before it is left; it comes back by itself.
const READER_PAUSE_MAX: Duration = Duration::from_mins(1);

/// Opens a stream.
pub(crate) async fn get(
    State(console): State<Console>,
    Extension(arrived): Extension<Arrived>,
    asked: Asked,
    headers: HeaderMap,
) -> Answer {
    same_origin(&headers, arrived.host.as_deref())?;
    let takes = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !takes.contains(EVENTS_TYPE) {
        return Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "these are events for pages, and no page"));
    }
    let places = console.live_place(&asked.session).ok_or_else(|| Problem {
        retry_after: Some(30),
        ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "as many pages are kept up to date as can be")
    })?;
    let (sender, receiver) = mpsc::channel(1);
    let token = arrived.token.unwrap_or_default();
    // From here on: what the browser asks for when the stream has opened is no older.
    let watched = console.read(|exchange| Ok::<_, Problem>(exchange.watched_from_here())).await?;
    let stream = Stream { console, caller: asked.caller(), token, peer: arrived.peer, _places: places };
    tokio::spawn(stream.run(watched, sender));
    Ok(([(CONTENT_TYPE, EVENTS_TYPE)], Body::new(Events { receiver })).into_response())
}

struct Stream {
    console: Console,
    caller: Arc<Caller>,
    /// The cookie of the session that it hangs on.
    token: String,
    peer: Peer,
    _places: [OwnedSemaphorePermit; 2],
}

impl Stream {
    /// Says what changes until the session is over, the browser is gone, or the hub shuts down.
    async fn run(mut self, watched: Watched, sender: mpsc::Sender<Bytes>) {
        let mut closing = self.peer.closing.take();
        tokio::select! {
            () = self.tell(watched, &sender) => {}
            () = sender.closed() => {}
            () = closed(closing.as_mut()) => {}
        }
    }

    async fn tell(&self, mut watched: Watched, sender: &mpsc::Sender<Bytes>) {
        let mut text = Bytes::from_static(b"retry: 5000\n: open\n\n");
        loop {
            if sender.send_timeout(text, READER_PAUSE_MAX).await.is_err() {
                return;
            }
            let silent_since = Instant::now();
            text = loop {
                let Ok((changes, now_at)) = self.wait(watched).await else { return };
                watched = now_at;
                // Asked after it was looked and before anything is said.
                if !self.holds() {
                    return;
                }
                if !changes.is_empty() {
                    tokio::time::sleep_until(silent_since + PACE).await;
                    break event(&changes);
                }
                if silent_since.elapsed() >= HEARTBEAT {
                    break Bytes::from_static(b": alive\n\n");
                }
            };
            if !self.holds() {
                return;
            }
        }
    }

    /// Whether the session goes on, and its credential with it.
    fn holds(&self) -> bool {
        let exchange = &self.console.exchange;
        let session = self.console.sessions.look(&self.token, exchange.now());
        session.is_some() && exchange.is_accepted(&self.caller)
    }

    /// Waits on a blocking thread. Not within the limit of pages, for it does not read most of the time; the limit on these
    /// streams holds it.
    async fn wait(&self, mut watched: Watched) -> Result<(BTreeSet<Change>, Watched), Problem> {
        let (exchange, caller) = (self.console.exchange.clone(), Arc::clone(&self.caller));
        let work = move || -> Result<_, AdminError> {
            let changes = exchange.wait_for_changes(&caller, &mut watched, WAIT)?;
            Ok((changes, watched))
        };
        Ok(tokio::task::spawn_blocking(work).await.map_err(Problem::internal)??)
    }
}

async fn closed(closing: Option<&mut tokio::sync::watch::Receiver<bool>>) {
    match closing {
        Some(closing) => drop(closing.wait_for(|is_closing| *is_closing).await),
        None => std::future::pending().await,
    }
}

fn event(changes: &BTreeSet<Change>) -> Bytes {
    let words: Vec<&str> = changes.iter().map(|change| change.word()).collect();
    Bytes::from(format!("event: change\ndata: {}\n\n", words.join(" ")))
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
