//! The collector: packets in, alerts and hits out.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Clock, Timestamp};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time;

use crate::alerts::{Alert, AlertBook, AlertLimits, Detail, Direction, Noted};
use crate::decode::{BadLimits, DecodeLimits, Decoder, Waiting};
use crate::flow::{Exporter, Flow};
use crate::judge::{Client, Hit, Judge, Sink};

/// The longest packet of UDP.
const PACKET_BYTES_MAX: usize = 65_535;
/// What the kernel keeps while we are busy: about 20,000 packets of 1,400 bytes. It grants less if its own limit is lower.
const RECEIVE_BYTES: usize = 32 * 1024 * 1024;
/// Packets that are read before others get their turn.
const BURST_PACKETS: usize = 256;
/// How often hours are looked at that may be over.
const CLOSE_EVERY: Duration = Duration::from_secs(1);

/// What alerts say of who took part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nothing: the indicator's reference alone.
    Nobody,
    /// Both ends, as far as the indicator may be shown.
    Ends,
}

/// How flows are collected.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose packets are read; `None` for anybody's. Senders of UDP can lie about who they are.
    pub exporters: Option<BTreeSet<IpAddr>>,
    /// How much is kept for them.
    pub decode: DecodeLimits,
    /// How many alerts there may be.
    pub alerts: AlertLimits,
    /// What alerts say of who took part.
    pub shown: Shown,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            exporters: None,
            decode: DecodeLimits::default(),
            alerts: AlertLimits::default(),
            shown: Shown::Nobody,
        }
    }
}

/// What was done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that came.
    pub packets: u64,
    /// Packets of exporters that nobody named.
    pub strangers: u64,
    /// Packets that cannot be read, or not whole.
    pub broken: u64,
    /// Flows in them.
    pub flows: u64,
    /// Flows with an end that is listed; once for each indicator.
    pub hits: u64,
    /// Alerts that were handed on.
    pub alerts: u64,
    /// Hits that are told with their hour's end, since there were too many alerts.
    pub delayed: u64,
    /// Hits of which no alert tells, since there were too many.
    pub lost: u64,
    /// Alerts that nobody took in time.
    pub dropped: u64,
    /// Sets of records whose template was not known, and that could not wait for it.
    pub without_template: u64,
    /// What became of these.
    pub waiting: Waiting,
}

/// Collects flows, looks for what is listed, and tells.
pub struct Collector {
    judge: Arc<dyn Judge>,
    sink: Arc<dyn Sink>,
    alerts: mpsc::Sender<Alert>,
    inner: Mutex<Inner>,
}

struct Inner {
    exporters: Option<BTreeSet<IpAddr>>,
    shown: Shown,
    decoder: Decoder,
    book: AlertBook,
    counts: Counts,
    slots: Vec<u32>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

impl Collector {
    /// A collector that hands its alerts to `alerts`. When nobody takes them they are counted, and dropped.
    ///
    /// # Errors
    ///
    /// Fails if a limit is zero.
    pub fn new(
        settings: Settings,
        judge: Arc<dyn Judge>,
        sink: Arc<dyn Sink>,
        alerts: mpsc::Sender<Alert>,
    ) -> Result<Arc<Self>, BadLimits> {
        let inner = Inner {
            decoder: Decoder::new(&settings.decode)?,
            book: AlertBook::new(settings.alerts),
            counts: Counts::default(),
            slots: Vec::new(),
            exporters: settings.exporters,
            shown: settings.shown,
        };
        Ok(Arc::new(Self { judge, sink, alerts, inner: Mutex::new(inner) }))
    }

    /// Takes other exporters, and says other things of who took part, from the next packet on. What exporters have told of
    /// their templates stays.
    pub fn reload(&self, exporters: Option<BTreeSet<IpAddr>>, shown: Shown) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        (inner.exporters, inner.shown) = (exporters, shown);
    }

    /// What was done since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Counts { waiting: inner.decoder.waiting(), ..inner.counts }
    }

    /// Takes one packet.
    pub fn packet(&self, listener: &str, from: SocketAddr, packet: &[u8], now: Timestamp) {
        let inner = &mut *self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { exporters, shown, decoder, book, counts, slots } = inner;
        counts.packets += 1;
        if exporters.as_ref().is_some_and(|known| !known.contains(&from.ip().to_canonical())) {
            counts.strangers += 1;
            return;
        }
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let mut look = Look { collector: self, listener, shown: *shown, book, counts, slots, now };
        let decoded = decoder.decode(from, packet, &mut |exporter, flow| look.flow(exporter, flow));
        counts.flows += decoded.flows;
        counts.without_template += decoded.without_template;
        counts.broken += u64::from(decoded.is_broken);
    }

    /// Ends the hours that are over, or all.
    pub fn close(&self, now: Timestamp, all: bool) {
        let inner = &mut *self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for (alert, rest) in inner.book.close(now, all) {
            if rest.flows > 0 {
                self.sink.hit(Hit { slot: rest.slot, at: now, flows: rest.flows });
            }
            if let Some(alert) = alert {
                self.hand_on(alert, &mut inner.counts);
            }
        }
    }

    fn hand_on(&self, alert: Alert, counts: &mut Counts) {
        match self.alerts.try_send(alert) {
            Ok(()) => counts.alerts += 1,
            Err(_) => counts.dropped += 1,
        }
    }

    /// Reads packets from a socket until told to stop; then ends all hours.
    pub async fn serve(
        self: &Arc<Self>,
        socket: UdpSocket,
        listener: &str,
        clock: Arc<dyn Clock>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut packet = vec![0; PACKET_BYTES_MAX];
        let mut tick = time::interval(CLOSE_EVERY);
        while !*stop.borrow() {
            tokio::select! {
                readable = socket.readable() => if readable.is_ok() {
                    self.burst(&socket, listener, &mut packet, clock.now());
                    tokio::task::yield_now().await;
                },
                _ = tick.tick() => self.close(clock.now(), false),
                changed = stop.changed() => if changed.is_err() { break },
            }
        }
        self.burst(&socket, listener, &mut packet, clock.now());
        self.close(clock.now(), true);
    }

    fn burst(&self, socket: &UdpSocket, listener: &str, packet: &mut [u8], now: Timestamp) {
        for _ in 0..BURST_PACKETS {
            match socket.try_recv_from(packet) {
                Ok((bytes, from)) => self.packet(listener, from, &packet[..bytes], now),
                // An exporter that is gone answers with an error of its own; the next packet may be another's.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => (),
                Err(_) => return,
            }
        }
    }
}

/// Listens for packets, with room for what comes while we are busy.
///
/// # Errors
///
/// Fails if the address is taken or not ours.
pub async fn listen(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address).await?;
    if let Err(error) = setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BYTES) {
        tracing::warn!(error = %error, "the kernel grants no larger buffer for flows");
    }
    Ok(socket)
}

/// A look at the flows of one packet.
struct Look<'a> {
    collector: &'a Collector,
    listener: &'a str,
    shown: Shown,
    book: &'a mut AlertBook,
    counts: &'a mut Counts,
    slots: &'a mut Vec<u32>,
    now: Timestamp,
}

impl Look<'_> {
    fn flow(&mut self, exporter: Exporter, flow: &Flow) {
        self.end(exporter, flow, Direction::ToListed);
        self.end(exporter, flow, Direction::FromListed);
    }

    fn end(&mut self, exporter: Exporter, flow: &Flow, direction: Direction) {
        let (address, port) = match direction {
            Direction::ToListed => (flow.destination, flow.destination_port),
            Direction::FromListed => (flow.source, flow.source_port),
        };
        let client = Client { listener: self.listener, exporter };
        self.slots.clear();
        self.collector.judge.address(&client, address, self.slots);
        self.collector.judge.endpoint(&client, address, port, self.slots);
        if self.slots.is_empty() {
            return;
        }
        let mut slots = std::mem::take(self.slots);
        // An indicator may list an address twice: by itself and with a prefix.
        slots.sort_unstable();
        slots.dedup();
        for slot in slots.drain(..) {
            self.hit(slot, direction, exporter, flow);
        }
        *self.slots = slots;
    }

    fn hit(&mut self, slot: u32, direction: Direction, exporter: Exporter, flow: &Flow) {
        self.counts.hits += 1;
        let judge = &self.collector.judge;
        let detail = || (self.shown == Shown::Ends).then(|| detail(flow, direction, judge.may_show(slot)));
        let reference = || judge.reference(slot);
        match self.book.note((slot, direction), (exporter, flow), self.now, reference, detail) {
            Noted::Alert(alert) => {
                self.collector.sink.hit(Hit { slot, at: self.now, flows: 1 });
                self.collector.hand_on(*alert, self.counts);
            }
            Noted::Counted => (),
            Noted::Delayed => self.counts.delayed += 1,
            Noted::Lost => {
                self.counts.lost += 1;
                self.collector.sink.hit(Hit { slot, at: self.now, flows: 1 });
            }
        }
    }
}

fn detail(flow: &Flow, direction: Direction, may_show: bool) -> Detail {
    let ends = [(flow.source, flow.source_port), (flow.destination, flow.destination_port)];
    let [(inside, inside_port), (listed, listed_port)] = match direction {
        Direction::ToListed => ends,
        Direction::FromListed => [ends[1], ends[0]],
    };
    Detail {
        inside,
        inside_port,
        listed: may_show.then_some(listed),
        listed_port: may_show.then_some(listed_port),
        protocol: flow.protocol,
    }
}
