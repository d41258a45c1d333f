//! From sockets to requests, and an orderly end.
//!
//! Connections are accepted as long as fewer than [`ServeOptions::connections_max`] are open; the kernel's queue holds the
//! others. No address holds more than its part of them. Whoever is slow loses its connection: with its TLS handshake,
//! with its request's head, or with reading its answers ([`watch`](crate::watch)). A body is timed by what reads it:
//! [`body`](crate::body) here, and in a router that is merged with this crate's that one's own.
//!
//! The end comes in two steps. When `shutdown` resolves, nothing more is accepted, idle connections close, streams end,
//! and requests that run are answered. After [`ServeOptions::grace`] what is left is dropped. Whatever was
//! acknowledged is durable by then, so dropping loses nothing but answers.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, interval, sleep, timeout};
use tower::Service as _;

use crate::peer::Connection;
use crate::tls::{ClientCertificate, Tls};
use crate::watch::{Activity, Addresses, Watched};

/// The longest head of a request. `match[id]` of 1,000 ids has 60 kB.
const HEAD_MAX_BYTES: usize = 128 * 1024;
/// How many requests one HTTP/2 connection runs at once.
const HTTP2_STREAMS_MAX: u32 = 64;
/// How long accepting pauses when the system has no descriptor or memory for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often in the time for a head each connection is looked at. An idle one is told to end, and dropped at the next look.
const LOOKS: u32 = 4;

/// How connections are treated.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Encrypts; plain HTTP without it.
    pub tls: Option<Tls>,
    /// How many connections are open at once.
    pub connections_max: usize,
    /// How many of them one address holds (of IPv6, a /64). Further ones are closed at once.
    pub connections_per_address_max: usize,
    /// Proxies, which hold connections for many clients: only `connections_max` holds for them.
    pub trusted_proxies: Vec<IpAddr>,
    /// How long a client may take for its TLS handshake.
    pub handshake_max: Duration,
    /// How long a client may take for the head of its first or next request, idling included, and how long it may leave
    /// an answer unread.
    pub head_max: Duration,
    /// How long requests may go on after the shutdown began.
    pub grace: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            tls: None,
            connections_max: 4_096,
            connections_per_address_max: 512,
            trusted_proxies: Vec::new(),
            handshake_max: Duration::from_secs(10),
            head_max: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// Serves `router` on every listener until `shutdown` resolves, and then until all is answered or the grace is over.
///
/// Returns how many connections were dropped at the end.
pub async fn serve(
    listeners: Vec<TcpListener>,
    router: Router,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let (close, closing) = watch::channel(false);
    let places = Arc::new(Semaphore::new(options.connections_max));
    let addresses = Arc::new(Addresses::default());
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let server = Server {
                router: router.clone(),
                options: options.clone(),
                closing: closing.clone(),
                places: Arc::clone(&places),
                addresses: Arc::clone(&addresses),
            };
            tokio::spawn(server.accept(listener))
        })
        .collect();
    drop(closing);
    shutdown.await;
    close.send_replace(true);
    for task in accepting {
        drop(task.await);
    }
    // Each connection holds a receiver, so the channel is closed when the last has ended.
    drop(timeout(options.grace, close.closed()).await);
    let left = options.connections_max - places.available_permits().min(options.connections_max);
    if left > 0 {
        tracing::warn!(connections = left, "dropped what was not finished in time");
    }
    left
}

struct Server {
    router: Router,
    options: ServeOptions,
    closing: watch::Receiver<bool>,
    places: Arc<Semaphore>,
    addresses: Arc<Addresses>,
}

impl Server {
    async fn accept(self, listener: TcpListener) {
        let mut closing = self.closing.clone();
        loop {
            let next = async {
                let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
                Some((listener.accept().await, place))
            };
            let accepted = tokio::select! {
                biased;
                () = closed(&mut closing) => return,
                accepted = next => accepted,
            };
            let Some((accepted, place)) = accepted else { return };
            match accepted {
                Ok((stream, peer)) => self.begin(stream, peer, place),
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted; it is tried again");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn address_max(&self, address: IpAddr) -> usize {
        let is_proxy = self.options.trusted_proxies.contains(&address.to_canonical());
        if is_proxy { usize::MAX } else { self.options.connections_per_address_max }
    }

    fn begin(&self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        let Some(of_address) = self.addresses.place(peer.ip(), self.address_max(peer.ip())) else {
            tracing::debug!(%peer, "the address has as many connections as one may have");
            return;
        };
        // Answers are written whole, so waiting for more to send only delays them.
        drop(stream.set_nodelay(true));
        let is_encrypted = self.options.tls.is_some();
        let mut connection =
            Connection { peer, is_encrypted, certificate: None, closing: self.closing.clone() };
        let (router, options) = (self.router.clone(), self.options.clone());
        tokio::spawn(async move {
            let _places = (place, of_address);
            match &options.tls {
                None => converse(stream, router, &options, Arc::new(connection)).await,
                Some(tls) => {
                    let (acceptor, clients) = tls.next();
                    match timeout(options.handshake_max, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            let presented = stream.get_ref().1.peer_certificates().zip(clients);
                            connection.certificate = presented
                                .and_then(|(chain, by)| ClientCertificate::new(chain, by, tls.clone()))
                                .map(Arc::new);
                            converse(stream, router, &options, Arc::new(connection)).await;
                        }
                        Ok(Err(error)) => tracing::debug!(%peer, %error, "the TLS handshake failed"),
                        Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
                    }
                }
            }
        });
    }
}

/// Speaks HTTP on one connection until it ends.
async fn converse<S>(stream: S, router: Router, options: &ServeOptions, connection: Arc<Connection>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut closing = connection.closing.clone();
    let activity = Activity::new(Instant::now());
    let watched = Watched { stream, activity: Arc::clone(&activity) };
    let of_service = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        let in_request = of_service.request();
        let response = respond(router.clone(), request, &connection);
        async move { response.await.map(|response| response.map(|body| in_request.until_the_end_of(body))) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.head_max)
        .max_buf_size(HEAD_MAX_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_MAX_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(options.head_max)
        .keep_alive_timeout(options.handshake_max);
    let mut conversation = pin!(builder.serve_connection(TokioIo::new(watched), service));
    let mut looks = interval((options.head_max / LOOKS).max(Duration::from_millis(1)));
    let mut is_ending = false;
    let mut is_overdue = false;
    let ended = loop {
        tokio::select! {
            ended = conversation.as_mut() => break ended,
            () = closed(&mut closing), if !is_ending => {
                is_ending = true;
                conversation.as_mut().graceful_shutdown();
            }
            now = looks.tick() => {
                let was_overdue = std::mem::replace(&mut is_overdue, activity.is_overdue(now, options.head_max));
                if is_overdue && was_overdue {
                    return;
                }
                if is_overdue {
                    conversation.as_mut().graceful_shutdown();
                }
            }
        }
    };
    if let Err(error) = ended {
        // A client that hangs up or is slow is no fault of the hub.
        tracing::debug!(%error, "a connection ended early");
    }
}

fn respond(
    mut router: Router,
    request: Request<Incoming>,
    connection: &Arc<Connection>,
) -> impl Future<Output = Result<Response<Body>, Infallible>> + use<> {
    // RFC 9112 §6.1: whoever stands in front may have gone by a length beside this and take the rest of the body for
    // another request. So nothing that follows such a body on its connection is read. HTTP/2 has no such header.
    let is_last = request.headers().contains_key(TRANSFER_ENCODING);
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(Arc::clone(connection));
    let response = router.call(request);
    async move {
        let mut response = response.await?;
        if is_last {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

/// Resolves when the hub shuts down.
async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is as good.
    drop(closing.wait_for(|is_closing| *is_closing).await);
}

/// Whether accepting failed because of the client and not because of the system.
fn is_the_clients(error: &io::Error) -> bool {
    [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset, io::ErrorKind::ConnectionRefused]
        .contains(&error.kind())
}
