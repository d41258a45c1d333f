//! A world in which every name leads to the same two addresses.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;

/// What every name leads to in truth.
pub const TRUE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// What every name leads to in IPv6.
pub const TRUE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 7);

/// Starts a server that answers every question with the [truth], over UDP on loopback.
///
/// # Panics
///
/// Panics if there is no socket.
#[must_use]
pub fn world() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = truth(&buffer[..length]) {
                let _lost = socket.send_to(&answer, peer);
            }
        }
    });
    address
}

/// The answer to a question (RFC 1035 §4.1), good for a second: an address for A and AAAA, no data for the rest.
fn truth(query: &[u8]) -> Option<Vec<u8>> {
    let mut end = 12;
    while *query.get(end)? != 0 {
        end += usize::from(query[end]) + 1;
    }
    let question = query.get(12..end + 5)?;
    let data = match question[question.len() - 4..] {
        [0, 1, 0, 1] => TRUE.octets().to_vec(),
        [0, 28, 0, 1] => TRUE_V6.octets().to_vec(),
        _ => Vec::new(),
    };
    let count = u8::from(!data.is_empty());
    let mut answer = vec![query[0], query[1], 0x84 | (query[2] & 1), 0x80, 0, 1, 0, count, 0, 0, 0, 0];
    answer.extend_from_slice(question);
    if count > 0 {
        let (qtype, length) = (question[question.len() - 3], u8::try_from(data.len()).ok()?);
        answer.extend_from_slice(&[0xc0, 12, 0, qtype, 0, 1, 0, 0, 0, 1, 0, length]);
        answer.extend_from_slice(&data);
    }
    Some(answer)
}
