//! Questions of DNS without another program, for who asks often.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// A client that asks over UDP, once.
#[derive(Debug)]
pub struct Client {
    socket: UdpSocket,
    id: AtomicU16,
}

impl Client {
    /// A client that waits so long for an answer.
    ///
    /// # Panics
    ///
    /// Panics if there is no socket.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(patience)).unwrap();
        Self { socket, id: AtomicU16::new(1) }
    }

    /// The address that a server has for a name; nothing if it has none, or does not answer in time.
    ///
    /// # Panics
    ///
    /// Panics if a label of the name is too long.
    #[must_use]
    pub fn ask(&self, server: SocketAddr, name: &str) -> Option<Ipv4Addr> {
        let id = self.id.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut query = [&id[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).unwrap());
            query.extend(label.as_bytes());
        }
        query.extend([0, 0, 1, 0, 1]);
        self.socket.send_to(&query, server).ok()?;
        let mut answer = [0; 1500];
        loop {
            let length = self.socket.recv(&mut answer).ok()?;
            // What comes too late is the answer to an earlier question.
            if answer[..2] == id {
                let records = answer.get(query.len()..length).filter(|_| answer[6..8] != [0, 0])?;
                let found = records.windows(6).find(|bytes| bytes[..2] == [0, 4])?;
                return Some(Ipv4Addr::new(found[2], found[3], found[4], found[5]));
            }
        }
    }
}
