//! The measures' own ends of the DNS: who asks, who watches for gaps, and the world behind all resolvers.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Where blocked names lead to.
pub(super) const SAFE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 80);
/// What the world answers to everything.
const TRUE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// The header's length; the question stands behind it.
const HEADER_BYTES: usize = 12;
/// How long an answer is waited for. Longer gaps are put together from several such waits.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two questions of somebody who waits for a change.
const PAUSE: Duration = Duration::from_micros(500);

/// A server that answers each question with one address, for ten minutes. It ends with the program.
pub(super) fn world() -> Result<SocketAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = socket.local_addr()?;
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = answer(&buffer[..length]) {
                // Whoever asked may be gone.
                let _lost = socket.send_to(&answer, peer);
            }
        }
    });
    Ok(address)
}

fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let end = HEADER_BYTES + query.get(HEADER_BYTES..)?.iter().position(|byte| *byte == 0)? + 5;
    let mut answer = query.get(..2)?.to_vec();
    answer.extend([0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    answer.extend(query.get(HEADER_BYTES..end)?);
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 2, 88, 0, 4]);
    answer.extend(TRUE.octets());
    Some(answer)
}

/// Somebody who asks one server.
pub(super) struct Client {
    socket: UdpSocket,
    id: u16,
}

impl Client {
    pub(super) fn new(port: u16) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { socket, id: 0 })
    }

    /// Whether the server leads the name to the safe address; nothing if it does not answer.
    pub(super) fn is_blocked(&mut self, name: &str) -> Option<bool> {
        self.id = self.id.wrapping_add(1);
        let id = self.id.to_be_bytes();
        let mut query = [&id[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).ok()?);
            query.extend(label.as_bytes());
        }
        query.extend([0, 0, 1, 0, 1]);
        self.socket.send(&query).ok()?;
        let mut buffer = [0; 2048];
        loop {
            let length = self.socket.recv(&mut buffer).ok()?;
            if buffer[..2] == id {
                let has =
                    |address: Ipv4Addr| buffer[..length].windows(4).any(|part| part == address.octets());
                return (has(SAFE) || has(TRUE)).then(|| has(SAFE));
            }
        }
    }

    /// Asks until the name is blocked, or is not; gives the instant of that answer.
    pub(super) fn wait(&mut self, name: &str, blocked: bool, limit: Duration) -> Result<Instant> {
        let begun = Instant::now();
        while self.is_blocked(name) != Some(blocked) {
            if begun.elapsed() > limit {
                bail!("after {} s `{name}` is not answered as it should be", limit.as_secs());
            }
            thread::sleep(PAUSE);
        }
        Ok(Instant::now())
    }
}

/// Somebody who asks for one name a thousand times a second, and remembers the longest time without an answer.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Gap>,
}

/// What a watch saw.
#[derive(Clone, Copy)]
pub(super) struct Gap {
    pub(super) longest: Duration,
    pub(super) answers: u64,
}

impl Watch {
    /// For a name that nobody lists.
    pub(super) fn begin(port: u16) -> Result<Self> {
        Self::of(port, "innocent.example.org")
    }

    pub(super) fn of(port: u16, name: &'static str) -> Result<Self> {
        let mut client = Client::new(port)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let (mut last, mut longest, mut answers) = (Instant::now(), Duration::ZERO, 0);
            while !stopped.load(Ordering::Relaxed) {
                if client.is_blocked(name).is_some() {
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                    answers += 1;
                }
                thread::sleep(Duration::from_millis(1));
            }
            Gap { longest: longest.max(last.elapsed()), answers }
        });
        Ok(Self { stop, thread })
    }

    pub(super) fn end(self) -> Result<Gap> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("a watch has failed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_answers_and_blocks_nothing() {
        let world = world().unwrap();
        let watch = Watch::begin(world.port()).unwrap();
        let mut client = Client::new(world.port()).unwrap();
        assert_eq!(client.is_blocked("a.example.org"), Some(false));
        assert!(client.wait("a.example.org", true, Duration::from_millis(5)).is_err());
        while !watch.stop.load(Ordering::Relaxed) && client.is_blocked("b.example.org").is_none() {}
        assert!(watch.end().unwrap().longest < Duration::from_secs(5));
    }

    #[test]
    fn what_is_no_query_has_no_answer() {
        for query in [&[][..], &[0; 11], &[1; 40]] {
            assert!(answer(query).is_none(), "{query:?}");
        }
    }
}
