//! The primary's sockets.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use super::answer::{Response, Transport};
use super::notify;
use super::publisher::Publisher;

/// A request longer than this is none: a question, a SOA, a signature with the longest names have less.
const REQUEST_BYTES_MAX: usize = 2048;
/// Messages of a transfer that wait for a slow secondary.
const WAITING_MESSAGES: usize = 4;

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Connections at a time; the next one waits.
    pub connections: usize,
    /// How long a connection may say nothing, or take nothing of what we say.
    pub idle: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { connections: 64, idle: Duration::from_secs(30) }
    }
}

/// Serves until it is dropped: questions over `udp`, transfers over `tcp`, and NOTIFY to every zone's secondaries from the
/// address that `udp` is bound to.
///
/// # Errors
///
/// Ends only if a socket fails for good.
pub async fn serve(
    publisher: Arc<Publisher>,
    udp: UdpSocket,
    tcp: TcpListener,
    limits: ServerLimits,
) -> io::Result<()> {
    let from = udp.local_addr()?.ip();
    tokio::select! {
        ended = serve_udp(&publisher, &udp) => ended,
        ended = serve_tcp(&publisher, &tcp, limits) => ended,
        ended = notify::run(&publisher, from) => ended,
    }
}

async fn serve_udp(publisher: &Arc<Publisher>, socket: &UdpSocket) -> io::Result<()> {
    let mut buffer = [0; REQUEST_BYTES_MAX];
    loop {
        let (length, peer) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            // An earlier answer's destination was unreachable; that is no fault of the socket.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => return Err(error),
        };
        let Some(bytes) = buffer.get(..length).map(<[u8]>::to_vec) else { continue };
        let asked = Arc::clone(publisher);
        // A zone's lock may be held while a million names are walked.
        let answered = spawn_blocking(move || asked.respond(&bytes, peer.ip(), Transport::Udp)).await;
        if let Ok(Response::Message(answer)) = answered {
            // Nobody waits for an answer that cannot be sent.
            let _lost = socket.send_to(&answer, peer).await;
        }
    }
}

async fn serve_tcp(
    publisher: &Arc<Publisher>,
    listener: &TcpListener,
    limits: ServerLimits,
) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let permit = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection to the zone server could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let publisher = Arc::clone(publisher);
        connections.spawn(async move {
            let _permit = permit;
            if let Err(error) = serve_connection(&publisher, stream, peer.ip(), limits.idle).await {
                tracing::debug!(%error, "a connection to the zone server ended");
            }
        });
    }
}

/// Answers the requests of one connection, one after the other.
async fn serve_connection(
    publisher: &Arc<Publisher>,
    mut stream: TcpStream,
    peer: IpAddr,
    idle: Duration,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let mut length = [0; 2];
        match timeout(idle, stream.read_exact(&mut length)).await? {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        };
        let length = usize::from(u16::from_be_bytes(length));
        if length > REQUEST_BYTES_MAX {
            return Err(io::Error::other("a request of that length is none"));
        }
        let mut request = vec![0; length];
        timeout(idle, stream.read_exact(&mut request)).await??;
        let (messages, mut answers) = mpsc::channel(WAITING_MESSAGES);
        let asked = Arc::clone(publisher);
        let answering = spawn_blocking(move || match asked.respond(&request, peer, Transport::Tcp) {
            Response::Nothing => {}
            // The receiver is gone when the connection is.
            Response::Message(message) => drop(messages.blocking_send(message)),
            Response::Transfer(transfer) => {
                for message in transfer {
                    if messages.blocking_send(message).is_err() {
                        break;
                    }
                }
            }
        });
        while let Some(message) = answers.recv().await {
            let Ok(length) = u16::try_from(message.len()) else { break };
            let framed = [&length.to_be_bytes()[..], &message].concat();
            timeout(idle, stream.write_all(&framed)).await??;
        }
        answering.await.map_err(io::Error::other)?;
    }
}
