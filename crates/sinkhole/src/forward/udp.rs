//! Queries over UDP, many for each call to the system.
//!
//! Nearly all that a datagram costs is the way through the system. So plain threads take what has arrived in one call
//! (`recvmmsg`), answer what they can from memory, and send those answers in one call (`sendmmsg`). What has to be asked
//! elsewhere goes to the runtime, which sends its answer later through the same socket. Each thread has its own socket on the
//! same address (`SO_REUSEPORT`); the system spreads clients over them.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::socket::{
    AddressFamily, MsgFlags, MultiHeaders, SockFlag, SockType, SockaddrStorage, bind, recvmmsg, sendmmsg,
    setsockopt, socket, sockopt,
};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::limit::Pace;
use super::wire::{NOERROR, NoQuery, Query};
use super::{Forwarder, Quick};

/// Datagrams taken in one call.
const BATCH: usize = 32;
/// A longer query is no query; what is cut off fails to parse.
const QUERY_BYTES: usize = 1232;
/// How long a thread waits before it looks whether it should end.
const LOOK_AROUND: Duration = Duration::from_millis(250);
/// Bytes of queries that the system may hold for us while we are busy.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Queries of one thread that wait for upstream; a further one is dropped, and its client asks again.
const WAITING_MAX: usize = 2048;

/// Threads that answer over UDP; they end when this is dropped.
pub struct UdpServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// Each thread's room for queries that wait for upstream.
    rooms: Vec<Arc<Semaphore>>,
}

impl UdpServer {
    /// Takes no more queries, and answers those that wait for upstream, for at most so long.
    pub async fn finish(mut self, patience: Duration) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ended = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        let all = u32::try_from(WAITING_MAX).unwrap_or(u32::MAX);
        let rooms = std::mem::take(&mut self.rooms);
        let answered = async {
            for room in rooms {
                let _closed = room.acquire_many(all).await;
            }
        };
        let _late = tokio::time::timeout(patience, answered).await;
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for UdpServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ended = thread.join();
        }
    }
}

/// Answers queries at `address` with so many threads. What has to wait waits on `runtime`.
///
/// # Errors
///
/// Fails if the address cannot be had.
pub fn serve_udp(
    forwarder: &Arc<Forwarder>,
    address: SocketAddr,
    threads: usize,
    runtime: &Handle,
) -> io::Result<UdpServer> {
    let first = open(address)?;
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..threads.max(1) {
        sockets.push(open(address)?);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut server = UdpServer { address, stop: Arc::clone(&stop), threads: Vec::new(), rooms: Vec::new() };
    for (number, socket) in sockets.into_iter().enumerate() {
        let room = Arc::new(Semaphore::new(WAITING_MAX));
        server.rooms.push(Arc::clone(&room));
        let worker = Worker {
            forwarder: Arc::clone(forwarder),
            socket: Arc::new(socket),
            runtime: runtime.clone(),
            room,
        };
        let stop = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name(format!("dns-udp-{number}"));
        server.threads.push(thread.spawn(move || worker.run(&stop))?);
    }
    Ok(server)
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let fd: OwnedFd = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&fd, sockopt::ReusePort, &true)?;
    // The system may allow less.
    let _smaller = setsockopt(&fd, sockopt::RcvBuf, &RECEIVE_BUFFER);
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    let socket = UdpSocket::from(fd);
    socket.set_read_timeout(Some(LOOK_AROUND))?;
    Ok(socket)
}

struct Worker {
    forwarder: Arc<Forwarder>,
    socket: Arc<UdpSocket>,
    runtime: Handle,
    /// Keeps the number of queries that wait for upstream.
    room: Arc<Semaphore>,
}

impl Worker {
    fn run(&self, stop: &AtomicBool) {
        let mut queries = vec![[0_u8; QUERY_BYTES]; BATCH];
        let mut answers: Vec<Vec<u8>> = (0..BATCH).map(|_| Vec::with_capacity(QUERY_BYTES)).collect();
        let mut peers: Vec<Option<SockaddrStorage>> = Vec::with_capacity(BATCH);
        let mut arrived = Vec::with_capacity(BATCH);
        let mut headers = MultiHeaders::preallocate(BATCH, None);
        let mut sending = MultiHeaders::preallocate(BATCH, None);
        while !stop.load(Ordering::Relaxed) {
            arrived.clear();
            if let Err(error) = receive(&self.socket, &mut queries, &mut headers, &mut arrived) {
                // A time-out, an interruption, or word that an earlier answer was not wanted.
                if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
                    tracing::debug!(%error, "receiving queries");
                }
                continue;
            }
            let now = Instant::now();
            peers.clear();
            for ((length, peer), query) in arrived.iter().zip(&queries) {
                let out = &mut answers[peers.len()];
                let (Some(peer), Some(bytes)) = (peer, query.get(..*length)) else { continue };
                if self.answer(bytes, peer, now, out) {
                    peers.push(Some(*peer));
                }
            }
            self.send(&answers, &peers, &mut sending);
        }
    }

    /// Writes the answer to one datagram; `false` if there is none, or none yet.
    fn answer(&self, bytes: &[u8], peer: &SockaddrStorage, now: Instant, out: &mut Vec<u8>) -> bool {
        let Some(address) = address_of(peer) else { return false };
        let client = address.ip().to_canonical();
        let query = match Query::read(bytes) {
            Ok(query) => query,
            Err(NoQuery::Silence) => {
                self.forwarder.count_broken();
                return false;
            }
            Err(NoQuery::Answer(refusal)) => {
                self.forwarder.count_broken();
                out.clear();
                out.extend_from_slice(&refusal);
                return self.forwarder.pace(client, now) == Pace::Answer;
            }
        };
        match self.forwarder.pace(client, now) {
            Pace::Answer => {}
            Pace::Ignore => {
                self.forwarder.count_shed();
                return false;
            }
            Pace::Truncate => {
                self.forwarder.count_shed();
                query.bare(NOERROR, true, out);
                return true;
            }
        }
        if query.wants_everything() {
            self.forwarder.count_shed();
            // RFC 8482 §4.4: ANY goes over TCP, where its large answer goes to who asked.
            query.bare(NOERROR, true, out);
            return true;
        }
        match self.forwarder.quick(&query, client, out) {
            Quick::Done { .. } => {
                fit(&query, out);
                true
            }
            Quick::Ask { allowed } => {
                self.ask_later(query, address, client, allowed);
                false
            }
        }
    }

    fn ask_later(&self, query: Query, address: SocketAddr, client: IpAddr, allowed: bool) {
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            self.forwarder.count_failed();
            return;
        };
        let (forwarder, socket) = (Arc::clone(&self.forwarder), Arc::clone(&self.socket));
        self.runtime.spawn(async move {
            let _permit = permit;
            let mut out = Vec::with_capacity(512);
            forwarder.ask(&query, client, allowed, &mut out).await;
            fit(&query, &mut out);
            // A datagram that cannot be sent is lost, as datagrams are.
            let _lost = socket.send_to(&out, address);
        });
    }

    fn send(
        &self,
        answers: &[Vec<u8>],
        peers: &[Option<SockaddrStorage>],
        headers: &mut MultiHeaders<SockaddrStorage>,
    ) {
        let mut from = 0;
        while from < peers.len() {
            let slices: Vec<[IoSlice<'_>; 1]> =
                answers[from..peers.len()].iter().map(|answer| [IoSlice::new(answer)]).collect();
            let sent =
                sendmmsg(self.socket.as_raw_fd(), headers, &slices, &peers[from..], [], MsgFlags::empty());
            // One that cannot be sent (an unreachable client) does not keep the others.
            from += sent.map_or(1, |results| results.count().max(1));
        }
    }
}

/// Takes what has arrived: the length and sender of each datagram.
fn receive(
    socket: &UdpSocket,
    queries: &mut [[u8; QUERY_BYTES]],
    headers: &mut MultiHeaders<SockaddrStorage>,
    arrived: &mut Vec<(usize, Option<SockaddrStorage>)>,
) -> io::Result<()> {
    let mut slices: Vec<[IoSliceMut<'_>; 1]> =
        queries.iter_mut().map(|query| [IoSliceMut::new(query)]).collect();
    let results = recvmmsg(socket.as_raw_fd(), headers, &mut slices, MsgFlags::MSG_WAITFORONE, None)?;
    arrived.extend(results.map(|message| (message.bytes, message.address)));
    Ok(())
}

fn address_of(peer: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = peer.as_sockaddr_in() {
        return Some(SocketAddrV4::new(v4.ip(), v4.port()).into());
    }
    let v6 = peer.as_sockaddr_in6()?;
    Some(SocketAddrV6::new(v6.ip(), v6.port(), v6.flowinfo(), v6.scope_id()).into())
}

/// Puts the bit that asks for TCP in place of an answer that is too long for its client.
fn fit(query: &Query, out: &mut Vec<u8>) {
    if out.len() > query.datagram_max() {
        let rcode = out[3] & 0x0f;
        query.bare(rcode, true, out);
    }
}
