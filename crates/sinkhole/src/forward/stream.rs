//! Queries over TCP and over TLS (RFC 7766, RFC 7858): a length before each message, several under way at a time.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::Forwarder;

/// No sensible query is longer: a name, and options.
pub(crate) const QUERY_BYTES_MAX: usize = 4096;

/// What streams may take.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// Connections at a time; the next one waits to be accepted.
    pub connections: usize,
    /// Queries of one connection under way at a time; the next one waits to be read.
    pub under_way: usize,
    /// How long a connection may be silent, take its time for a message, or not take what we say.
    pub idle: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { connections: 512, under_way: 16, idle: Duration::from_secs(10) }
    }
}

/// A TLS configuration that can be replaced while connections come in.
pub type SharedTls = Arc<RwLock<Arc<ServerConfig>>>;

pub(crate) fn acceptor(tls: &SharedTls) -> TlsAcceptor {
    TlsAcceptor::from(Arc::clone(&tls.read().unwrap_or_else(PoisonError::into_inner)))
}

/// Answers queries over TCP until it is dropped.
///
/// # Errors
///
/// Never by itself; a connection that fails ends alone.
pub async fn serve_tcp(
    forwarder: Arc<Forwarder>,
    listener: TcpListener,
    limits: StreamLimits,
) -> io::Result<()> {
    accept(listener, limits.connections, move |stream, client| {
        let forwarder = Arc::clone(&forwarder);
        async move { serve_messages(&forwarder, stream, client, limits).await }
    })
    .await
}

/// Answers queries over TLS until it is dropped. A replaced configuration counts from the next connection on.
///
/// # Errors
///
/// As [`serve_tcp`].
pub async fn serve_tls(
    forwarder: Arc<Forwarder>,
    listener: TcpListener,
    tls: SharedTls,
    limits: StreamLimits,
) -> io::Result<()> {
    accept(listener, limits.connections, move |stream, client| {
        let (forwarder, acceptor) = (Arc::clone(&forwarder), acceptor(&tls));
        async move {
            let stream = timeout(limits.idle, acceptor.accept(stream)).await??;
            serve_messages(&forwarder, stream, client, limits).await
        }
    })
    .await
}

/// Gives each connection to `serve`, so many at a time.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    connections_max: usize,
    serve: impl Fn(TcpStream, IpAddr) -> F,
) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(connections_max));
    let mut connections = JoinSet::new();
    loop {
        let permit: OwnedSemaphorePermit = loop {
            tokio::select! {
                permit = Arc::clone(&room).acquire_owned() => break permit.map_err(io::Error::other)?,
                Some(_) = connections.join_next() => {}
            }
        };
        let accepted = loop {
            tokio::select! {
                accepted = listener.accept() => break accepted,
                Some(_) = connections.join_next() => {}
            }
        };
        match accepted {
            Ok((stream, peer)) => {
                // Without it an answer waits for the client's word that the last one came.
                let _quick = stream.set_nodelay(true);
                let serving = serve(stream, peer.ip().to_canonical());
                connections.spawn(async move {
                    let _permit = permit;
                    if let Err(error) = serving.await {
                        tracing::debug!(%error, "a client's connection ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a client's connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve_messages<S>(
    forwarder: &Arc<Forwarder>,
    stream: S,
    client: IpAddr,
    limits: StreamLimits,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut from, mut to) = tokio::io::split(stream);
    let (answers, mut finished) = mpsc::channel::<Vec<u8>>(limits.under_way.max(1));
    let idle = limits.idle;
    let writing = async move {
        while let Some(answer) = finished.recv().await {
            let Ok(length) = u16::try_from(answer.len()) else { continue };
            let framed = [&length.to_be_bytes()[..], &answer].concat();
            timeout(idle, to.write_all(&framed)).await??;
            timeout(idle, to.flush()).await??;
        }
        Ok::<(), io::Error>(())
    };
    let reading = async move {
        let room = Arc::new(Semaphore::new(limits.under_way.max(1)));
        let mut answering = JoinSet::new();
        loop {
            let permit = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
            let mut length = [0; 2];
            match timeout(idle, from.read_exact(&mut length)).await {
                // Silence, or a client that is done: what is under way is still answered.
                Err(_) => break,
                Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Ok(read) => read?,
            };
            let length = usize::from(u16::from_be_bytes(length));
            if length > QUERY_BYTES_MAX {
                break;
            }
            let mut query = vec![0; length];
            timeout(idle, from.read_exact(&mut query)).await??;
            let (forwarder, answers) = (Arc::clone(forwarder), answers.clone());
            while answering.try_join_next().is_some() {}
            answering.spawn(async move {
                let _permit = permit;
                if let Some((answer, _)) = forwarder.answer(&query, client).await {
                    // The writer is gone when the connection is.
                    let _gone = answers.send(answer).await;
                }
            });
        }
        while answering.join_next().await.is_some() {}
        drop(answers);
        Ok::<(), io::Error>(())
    };
    let (read, written) = tokio::join!(reading, writing);
    read.and(written)
}
