//! Watching a connection: whether it is used, and by whom too many are held.
//!
//! HTTP's own timers begin late: none runs before a connection has shown which version it speaks, and a client of HTTP/2
//! that answers pings may stay for ever. So each connection is watched from the moment that it was accepted:
//!
//! ```text
//! accepted ----- first whole head ... answered ----- next whole head ...
//!          idle                                idle
//! ```
//!
//! It is overdue if it is idle for too long, or if an answer waits for so long for a client that does not read. What
//! is sent begins a new period only if it is more than [`PROGRESS_MIN_BYTES`]: the replies to a flood of pings are no
//! answers.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::peer::holder;

/// How much a client has to take of its answers in one period. A period is half a minute, so this is 550 bytes a second.
const PROGRESS_MIN_BYTES: usize = 16 * 1024;

/// What one connection does.
#[derive(Debug)]
pub(crate) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// How many requests have come whole in their head and are not answered to the end.
    requests: usize,
    /// When the last request ended, or as much as counts was sent.
    idle_since: Instant,
    /// Since when the client does not take what is to be sent.
    blocked_since: Option<Instant>,
    /// What was sent since the later of the two.
    sent: usize,
}

impl Activity {
    pub(crate) fn new(now: Instant) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { requests: 0, idle_since: now, blocked_since: None, sent: 0 })))
    }

    /// Whether the connection was idle, or waited for its client, for at least `period`.
    pub(crate) fn is_overdue(&self, now: Instant, period: Duration) -> bool {
        let state = self.state();
        let idle_since = Some(state.idle_since).filter(|_| state.requests == 0);
        let is_over = |since: Option<Instant>| since.is_some_and(|since| now.duration_since(since) >= period);
        is_over(idle_since) || is_over(state.blocked_since)
    }

    /// Counts a request until the value that is returned is dropped.
    pub(crate) fn request(self: &Arc<Self>) -> InRequest {
        self.state().requests += 1;
        InRequest(Arc::clone(self))
    }

    /// Takes note that so much was sent.
    fn sent(&self, bytes: usize) {
        let mut state = self.state();
        state.sent += bytes;
        if state.sent >= PROGRESS_MIN_BYTES {
            state.sent = 0;
            state.idle_since = Instant::now();
            state.blocked_since = None;
        }
    }

    /// Takes note that nothing could be sent.
    fn blocked(&self) {
        let mut state = self.state();
        if state.blocked_since.is_none() {
            state.blocked_since = Some(Instant::now());
            state.sent = 0;
        }
    }

    /// Takes note that all was sent.
    fn flushed(&self) {
        self.state().blocked_since = None;
    }

    fn note(&self, attempt: &Poll<io::Result<usize>>) {
        match attempt {
            Poll::Ready(Ok(bytes)) => self.sent(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.blocked(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is not answered to the end.
pub(crate) struct InRequest(Arc<Activity>);

impl InRequest {
    /// The answer's body; the request ends with it.
    pub(crate) fn until_the_end_of(self, body: Body) -> Body {
        Body::new(Answering { body, _request: self })
    }
}

impl Drop for InRequest {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.requests -= 1;
        if state.requests == 0 {
            state.idle_since = Instant::now();
            state.sent = 0;
        }
    }
}

struct Answering {
    body: Body,
    _request: InRequest,
}

impl hyper::body::Body for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose sending is noted.
pub(crate) struct Watched<S> {
    pub(crate) stream: S,
    pub(crate) activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.activity.note(&attempt);
        attempt
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.activity.note(&attempt);
        attempt
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let attempt = Pin::new(&mut self.stream).poll_flush(context);
        // Flushing empties what TLS has buffered; a client that does not read stops it as well.
        match &attempt {
            Poll::Ready(_) => self.activity.flushed(),
            Poll::Pending => self.activity.blocked(),
        }
        attempt
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How many connections each address holds.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Mutex<BTreeMap<IpAddr, usize>>);

impl Addresses {
    /// A place for one more connection of `address`, unless it holds `most` of them.
    pub(crate) fn place(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<AddressPlace> {
        let address = holder(address);
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(held);
        Some(AddressPlace { addresses: Arc::clone(self), address })
    }
}

/// One connection's place among those of its address.
#[derive(Debug)]
pub(crate) struct AddressPlace {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut held = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(30);

    #[test]
    fn a_connection_is_overdue_when_it_is_idle_or_its_client_does_not_read() {
        let start = Instant::now();
        let activity = Activity::new(start);
        let later = || Instant::now() + PERIOD;
        assert!(!activity.is_overdue(start + PERIOD.mul_f64(0.9), PERIOD));
        assert!(activity.is_overdue(start + PERIOD, PERIOD), "nothing ever came");
        let request = activity.request();
        assert!(!activity.is_overdue(later(), PERIOD), "a request is being answered");
        activity.blocked();
        activity.sent(1);
        assert!(activity.is_overdue(later(), PERIOD), "its client does not read, or a byte at a time");
        activity.flushed();
        assert!(!activity.is_overdue(later(), PERIOD), "it has read all that there was");
        drop(request);
        assert!(activity.is_overdue(later(), PERIOD), "answered, and nothing after it");
    }

    #[test]
    fn only_answers_begin_a_new_period_and_not_the_replies_to_pings() {
        let start = Instant::now().checked_sub(PERIOD).unwrap();
        for (sent, is_overdue) in [(17, true), (PROGRESS_MIN_BYTES - 1, true), (PROGRESS_MIN_BYTES, false)] {
            let activity = Activity::new(start);
            activity.sent(sent);
            assert_eq!(activity.is_overdue(start + PERIOD, PERIOD), is_overdue, "{sent}");
        }
    }

    #[test]
    fn an_address_holds_so_many_connections_and_gives_them_back() {
        let addresses = Arc::new(Addresses::default());
        let place = |text: &str| addresses.place(text.parse().unwrap(), 2);
        let first = place("192.0.2.1");
        let second = place("::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some() && place("192.0.2.1").is_none());
        let neighbours = (place("2001:db8::1"), place("2001:db8::2"));
        assert!(neighbours.0.is_some() && neighbours.1.is_some() && place("2001:db8::3").is_none());
        assert!(place("2001:db8:0:1::1").is_some() && place("192.0.2.2").is_some());
        drop(first);
        assert!(place("192.0.2.1").is_some());
        drop((second, neighbours));
        assert!(addresses.0.lock().unwrap().is_empty());
    }
}
