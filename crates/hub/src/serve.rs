//! From sockets to requests, and an orderly end.
//!
//! Connections are accepted as long as fewer than [`ServeOptions::connections_max`] are open; the kernel's queue holds the
//! others. Whoever is slow loses its connection: with its TLS handshake, with its request's head, or (in
//! [`body`](crate::body)) with its body.
//!
//! The end comes in two steps. When `shutdown` resolves, nothing more is accepted, idle connections close, streams end,
//! and requests that run are answered. After [`ServeOptions::grace`] what is left is dropped. Whatever was
//! acknowledged is durable by then, so dropping loses nothing but answers.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tower::Service as _;

use crate::peer::Connection;
use crate::tls::Tls;

/// The longest head of a request. `match[id]` of 1,000 ids has 60 kB.
const HEAD_MAX_BYTES: usize = 128 * 1024;
/// How many requests one HTTP/2 connection runs at once.
const HTTP2_STREAMS_MAX: u32 = 64;
/// How long accepting pauses when the system has no descriptor or memory for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How connections are treated.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Encrypts; plain HTTP without it.
    pub tls: Option<Tls>,
    /// How many connections are open at once.
    pub connections_max: usize,
    /// How long a client may take for its TLS handshake.
    pub handshake_max: Duration,
    /// How long a client may take for the head of its next request, idling included.
    pub head_max: Duration,
    /// How long requests may go on after the shutdown began.
    pub grace: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            tls: None,
            connections_max: 4_096,
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
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let server = Server {
                router: router.clone(),
                options: options.clone(),
                closing: closing.clone(),
                places: Arc::clone(&places),
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

    fn begin(&self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        // Answers are written whole, so waiting for more to send only delays them.
        drop(stream.set_nodelay(true));
        let is_encrypted = self.options.tls.is_some();
        let connection = Arc::new(Connection { peer, is_encrypted, closing: self.closing.clone() });
        let (router, options) = (self.router.clone(), self.options.clone());
        tokio::spawn(async move {
            let _place = place;
            match &options.tls {
                None => converse(stream, router, &options, connection).await,
                Some(tls) => match timeout(options.handshake_max, tls.acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => converse(stream, router, &options, connection).await,
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "the TLS handshake failed"),
                    Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
                },
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
    let service = service_fn(move |request: Request<Incoming>| respond(router.clone(), request, &connection));
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
    let mut conversation = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = conversation.as_mut() => ended,
        () = closed(&mut closing) => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
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
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(Arc::clone(connection));
    router.call(request)
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
