//! The servers that are asked for what is not listed.
//!
//! Whoever can guess a query's identifier and port can answer in a server's place. So each query has its own socket,
//! connected to the server, a random identifier, and, where switched on, letters of random case in its name (0x20), which the
//! server has to repeat. What does not match is passed over; too much of it, or a cut answer, and the question is asked over
//! TCP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::wire::{DATAGRAM_BYTES, HEADER_BYTES, NOERROR, NXDOMAIN, Query, Scan};
use crate::Random;

/// Answers that do not match before a question goes over TCP.
const STRANGERS_MAX: usize = 8;
/// So many failures in a row, and a server rests.
const FAILURES_MAX: u32 = 3;
const REST: Duration = Duration::from_secs(5);

/// One server, and how it does.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    failures: AtomicU32,
    /// Milliseconds after `start` until which it rests.
    rests_until: AtomicU64,
    start: Instant,
}

/// How to ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) randomise_case: bool,
    /// For the first try; each further one gets twice as long.
    pub(crate) patience: Duration,
    pub(crate) tries: usize,
}

impl Upstream {
    pub(crate) fn new(address: SocketAddr, start: Instant) -> Self {
        Self { address, failures: AtomicU32::new(0), rests_until: AtomicU64::new(0), start }
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }

    fn rests(&self, now: Instant) -> bool {
        self.rests_until.load(Ordering::Relaxed) > self.millis(now)
    }

    fn went(&self, well: bool, now: Instant) {
        if well {
            self.failures.store(0, Ordering::Relaxed);
            self.rests_until.store(0, Ordering::Relaxed);
        } else if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES_MAX {
            let rest = u64::try_from(REST.as_millis()).unwrap_or(0);
            self.rests_until.store(self.millis(now) + rest, Ordering::Relaxed);
        }
    }
}

/// Asks the servers in turn, those that rest last, until one has an answer; the last one's, if none has a good one.
pub(crate) async fn ask(
    upstreams: &[Arc<Upstream>],
    query: &Query,
    manner: Manner,
    random: &Random,
) -> Option<(Vec<u8>, Scan)> {
    let now = Instant::now();
    let (fit, resting): (Vec<_>, Vec<_>) = upstreams.iter().partition(|upstream| !upstream.rests(now));
    let order: Vec<&Arc<Upstream>> = fit.into_iter().chain(resting).collect();
    let mut worst = None;
    let mut patience = manner.patience;
    for upstream in order.iter().cycle().take(manner.tries.max(order.len().min(1))) {
        let answer = ask_one(upstream.address, query, manner.randomise_case, patience, random).await;
        let good = answer
            .as_ref()
            .is_ok_and(|(_, scan)| scan.extended_rcode == 0 && matches!(scan.rcode, NOERROR | NXDOMAIN));
        // A server that says SERVFAIL is there: the name may be broken.
        upstream.went(answer.is_ok(), Instant::now());
        match answer {
            Ok(answer) if good => return Some(answer),
            Ok(answer) => worst = Some(answer),
            Err(_) => patience *= 2,
        }
    }
    worst
}

async fn ask_one(
    server: SocketAddr,
    query: &Query,
    randomise_case: bool,
    patience: Duration,
    random: &Random,
) -> io::Result<(Vec<u8>, Scan)> {
    let request = build(query, randomise_case, random);
    let over_udp = timeout(patience, ask_udp(server, &request)).await?;
    match over_udp? {
        Some(answer) if !answer.1.truncated => Ok(answer),
        _ => timeout(patience * 2, ask_tcp(server, &request)).await?,
    }
}

/// The query as it is sent on.
fn build(query: &Query, randomise_case: bool, random: &Random) -> Vec<u8> {
    let mut chance = [0; 34];
    random.fill(&mut chance);
    let mut request = Vec::with_capacity(64 + query.question.len());
    // Recursion is desired; the answer's word on its authenticity, too (RFC 6840 §5.7).
    request.extend_from_slice(&[chance[0], chance[1], 1, 0x20 | u8::from(query.checking_disabled) << 4]);
    request.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, 1]);
    let name = query.name().as_bytes();
    request.extend_from_slice(name);
    if randomise_case {
        for (at, byte) in request[HEADER_BYTES..].iter_mut().enumerate() {
            let bit = chance[2 + at / 8 % 32] >> (at % 8) & 1;
            // Lengths are below 64 and no letters.
            if byte.is_ascii_lowercase() && bit == 1 {
                byte.make_ascii_uppercase();
            }
        }
    }
    request.extend_from_slice(&query.question[name.len()..]);
    let options = query.edns.as_ref().map_or(&[][..], |edns| &edns.options);
    let payload = u16::try_from(DATAGRAM_BYTES).expect("the constant is small");
    request.extend_from_slice(&[0, 0, 41]);
    request.extend_from_slice(&payload.to_be_bytes());
    request.extend_from_slice(&[0, 0, u8::from(query.dnssec_ok()) << 7, 0]);
    request.extend_from_slice(&u16::try_from(options.len()).unwrap_or(0).to_be_bytes());
    request.extend_from_slice(options);
    request
}

/// Whether `answer` belongs to `request`: the same identifier, the same question to the letter.
fn matches(request: &[u8], answer: &[u8]) -> bool {
    let mut end = HEADER_BYTES;
    while let Some(length) = request.get(end).filter(|length| **length > 0) {
        end += usize::from(*length) + 1;
    }
    let question = HEADER_BYTES..end + 5;
    answer.get(..2) == request.get(..2) && answer.get(question.clone()) == request.get(question)
}

/// Asks over UDP; `None` if only strangers answer.
async fn ask_udp(server: SocketAddr, request: &[u8]) -> io::Result<Option<(Vec<u8>, Scan)>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // The system chooses the port at random.
    let socket = UdpSocket::bind((any, 0)).await?;
    // From here on only the server's own datagrams come in.
    socket.connect(server).await?;
    socket.send(request).await?;
    let mut buffer = vec![0; 4096];
    for _ in 0..STRANGERS_MAX {
        let length = socket.recv(&mut buffer).await?;
        let answer = &buffer[..length];
        if matches(request, answer)
            && let Some(scan) = Scan::read(answer)
        {
            return Ok(Some((answer.to_vec(), scan)));
        }
    }
    Ok(None)
}

async fn ask_tcp(server: SocketAddr, request: &[u8]) -> io::Result<(Vec<u8>, Scan)> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(request.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], request].concat()).await?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).await?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).await?;
    let scan = Scan::read(&answer).filter(|_| matches(request, &answer));
    scan.map(|scan| (answer, scan)).ok_or_else(|| io::Error::other("the answer is not to what was asked"))
}
