//! Telling secondaries that a zone has changed (RFC 1996).
//!
//! One task looks after all secondaries of all zones. What it remembers of each is the serial that was acknowledged, and when
//! to try again; a new serial starts over. After the last try a secondary is left to its own refresh timer, until the next
//! change.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

use super::answer::soa;
use super::message::{Notice, notice};
use super::publisher::Publisher;
use super::zone::{Secondary, Stand, Zone};
use crate::name::Name;

/// How long to wait after each try (RFC 1996 §3.6 has a minute; a resolver next door answers within a millisecond).
const WAITS: [Duration; 6] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_mins(1),
];

/// What is known of one secondary and one zone.
struct Teller {
    serial: u32,
    acknowledged: bool,
    tries: usize,
    next: Instant,
    /// What is under way.
    sent: Vec<Notice>,
}

type Tellers = BTreeMap<(Name, SocketAddr), Teller>;

/// Tells secondaries until it is dropped. Datagrams leave from `from` where the secondary's address family is the same.
pub(crate) async fn run(publisher: &Arc<Publisher>, from: IpAddr) -> io::Result<()> {
    let v4 = match from {
        IpAddr::V4(_) => UdpSocket::bind((from, 0)).await.ok(),
        IpAddr::V6(_) => UdpSocket::bind("0.0.0.0:0").await.ok(),
    };
    let v6 = match from {
        IpAddr::V4(_) => UdpSocket::bind("[::]:0").await.ok(),
        IpAddr::V6(_) => UdpSocket::bind((from, 0)).await.ok(),
    };
    let mut tellers = Tellers::new();
    let (mut buffer4, mut buffer6) = ([0; 2048], [0; 2048]);
    loop {
        let wake = tell(publisher, &mut tellers, v4.as_ref(), v6.as_ref()).await;
        tokio::select! {
            () = publisher.changed().notified() => {}
            () = sleep_until(wake) => {}
            got = receive(v4.as_ref(), &mut buffer4) => heard(publisher, &mut tellers, got, &buffer4),
            got = receive(v6.as_ref(), &mut buffer6) => heard(publisher, &mut tellers, got, &buffer6),
        }
    }
}

/// Sends what is due; says when the next is.
async fn tell(
    publisher: &Publisher,
    tellers: &mut Tellers,
    v4: Option<&UdpSocket>,
    v6: Option<&UdpSocket>,
) -> Instant {
    let now = Instant::now();
    let mut wake = now + Duration::from_hours(1);
    let mut seen = Tellers::new();
    for zone in publisher.all_zones() {
        let stand = zone.stand();
        let serial = stand.serial;
        for secondary in &zone.spec.secondaries {
            let key = (zone.spec.apex.clone(), secondary.address);
            let fresh = || Teller { serial, acknowledged: false, tries: 0, next: now, sent: Vec::new() };
            let mut teller =
                tellers.remove(&key).filter(|teller| teller.serial == serial).unwrap_or_else(fresh);
            if !teller.acknowledged && teller.tries < WAITS.len() && teller.next <= now {
                let socket = if secondary.address.is_ipv4() { v4 } else { v6 };
                if let Some(socket) = socket {
                    let notice = build(publisher, &zone, secondary, stand);
                    // A try that cannot be sent is a try.
                    let _unreachable = socket.send_to(&notice.bytes, secondary.address).await;
                    teller.sent.push(notice);
                    publisher.tally(|counts| counts.notified += 1);
                }
                teller.next = now + WAITS[teller.tries];
                teller.tries += 1;
            }
            if !teller.acknowledged && teller.tries < WAITS.len() {
                wake = wake.min(teller.next);
            }
            seen.insert(key, teller);
        }
    }
    *tellers = seen;
    wake
}

fn build(publisher: &Publisher, zone: &Zone, secondary: &Secondary, stand: Stand) -> Notice {
    let mut id = [0; 2];
    publisher.random().fill(&mut id);
    let key = secondary.key.as_ref().and_then(|name| publisher.key(name));
    let (soa, now) = (soa(zone, stand), publisher.clock().now());
    notice(u16::from_be_bytes(id), zone.spec.apex.as_wire(), &soa, key.as_ref(), now)
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    match socket {
        // An error here is an unreachable secondary; its next try will tell.
        Some(socket) => socket.recv_from(buffer).await.ok(),
        None => std::future::pending().await,
    }
}

fn heard(publisher: &Publisher, tellers: &mut Tellers, got: Option<(usize, SocketAddr)>, buffer: &[u8]) {
    let Some((length, peer)) = got else { return };
    let bytes = buffer.get(..length).unwrap_or_default();
    let now = publisher.clock().now();
    for ((_, address), teller) in tellers.iter_mut() {
        let answers = !teller.acknowledged
            && *address == peer
            && teller.sent.iter().any(|notice| notice.is_answered_by(bytes, now));
        if answers {
            teller.acknowledged = true;
            teller.sent.clear();
            publisher.tally(|counts| counts.acknowledged += 1);
        }
    }
}
