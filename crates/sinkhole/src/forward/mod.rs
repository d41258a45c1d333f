//! A forwarder that stands between clients and a resolver, and answers itself what is listed.
//!
//! ```text
//!            ┌ listed: safe address, with a reason (EDE) and a short life
//! query ─ judge
//!            └ else: cache ─ else: upstream ─ judge what its answer leads to ─ answer
//! ```
//!
//! A [`Judge`] is asked about the name, and again about each name that the answer's CNAME records lead to: a listed name
//! behind an innocent alias is as bad. Answers stay as upstream sent them: its DNSSEC records and bits pass through untouched.
//!
//! [`Forwarder`] is all of this without a socket; [`serve_udp`], [`serve_tcp`], [`serve_tls`] and [`serve_https`] carry
//! bytes to it.

mod cache;
mod https;
mod judge;
mod limit;
mod stream;
mod udp;
mod upstream;
mod wire;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

pub use https::{DOH_PATH, serve_https};
pub use judge::{Action, Answer, Cause, Judge, Reason, Sink, Slot, Verdict};
pub use limit::Rate;
pub(crate) use stream::accept as accept_connections;
pub use stream::{SharedTls, StreamLimits, serve_tcp, serve_tls};
pub use udp::{UdpServer, serve_udp};

use crate::Random;
use crate::name::WireName;
use cache::{Cache, Key, Truth};
use limit::{Limiter, Pace};
use upstream::{Manner, Upstream, ask};
use wire::{NOERROR, NXDOMAIN, NoQuery, Query, SERVFAIL, Scan, TYPE_A, TYPE_AAAA, TYPE_SOA};

/// Questions under way to upstream servers; a further one fails at once.
const UNDER_WAY_MAX: usize = 4096;
/// Clients that wait for the same answer; a further one fails at once.
const WAITING_MAX: usize = 256;
/// Bytes of a reason that are sent.
const REASON_BYTES_MAX: usize = 128;
const EDE_OPTION: u16 = 15;
const EDE_NO_REACHABLE_AUTHORITY: u16 = 22;

/// How a forwarder behaves. All of it can change while it runs.
#[derive(Clone)]
pub struct Settings {
    /// Who is asked for what is not listed, the first one first.
    pub upstreams: Vec<SocketAddr>,
    /// Whether to vary the case of letters (0x20). Some servers do not repeat it; they are then asked over TCP.
    pub randomise_case: bool,
    /// How long to wait for an upstream's first answer; further tries wait longer.
    pub patience: Duration,
    /// How often to ask, all servers together.
    pub tries: usize,
    /// Seconds for which a client keeps the answer to a listed name. 30 to 60 is good.
    pub block_ttl: u32,
    /// What one client prefix may ask over UDP.
    pub rate: Rate,
    /// Who knows what is listed.
    pub judge: Arc<dyn Judge>,
    /// Who is told of hits.
    pub sink: Arc<dyn Sink>,
}

impl Settings {
    /// Usual settings: 400 ms of patience, four tries, 30 s for blocked names, 300 queries a second per client prefix.
    #[must_use]
    pub fn new(upstreams: Vec<SocketAddr>, judge: Arc<dyn Judge>, sink: Arc<dyn Sink>) -> Self {
        Self {
            upstreams,
            randomise_case: false,
            patience: Duration::from_millis(400),
            tries: 4,
            block_ttl: 30,
            rate: Rate { per_second: 300, burst: 1000 },
            judge,
            sink,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("upstreams", &self.upstreams).finish_non_exhaustive()
    }
}

/// Settings in force, and the servers with their health.
struct Active {
    settings: Settings,
    upstreams: Vec<Arc<Upstream>>,
}

type Outcome = Option<Arc<Truth>>;

/// Who waits for which answer.
type UnderWay = HashMap<Box<[u8]>, Vec<oneshot::Sender<Outcome>>>;

/// What came of a question, and the seconds for which that holds.
#[derive(Debug)]
pub(crate) enum Quick {
    /// The answer is written.
    Done { ttl: u32 },
    /// Somebody else has to be asked. `allowed` if what the answer leads to does not matter.
    Ask { allowed: bool },
}

/// What a forwarder did since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Questions that were answered with something else than the truth.
    pub blocked: u64,
    /// Questions that were answered with the truth, from the cache.
    pub cached: u64,
    /// Questions that were answered with the truth, after an upstream server was asked.
    pub forwarded: u64,
    /// Questions that no upstream server answered, or that found no room to wait.
    pub failed: u64,
    /// Messages that are no question.
    pub broken: u64,
    /// Questions of clients that asked too much, and of those that asked for everything over UDP.
    pub shed: u64,
}

/// The same while it goes on.
#[derive(Default)]
struct Tally {
    blocked: AtomicU64,
    cached: AtomicU64,
    forwarded: AtomicU64,
    failed: AtomicU64,
    broken: AtomicU64,
    shed: AtomicU64,
}

fn one_more(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// The forwarder. Shared by all that listen.
pub struct Forwarder {
    active: RwLock<Arc<Active>>,
    cache: Cache,
    limiter: Limiter,
    random: Random,
    start: Instant,
    under_way: Mutex<UnderWay>,
    tally: Tally,
}

impl Forwarder {
    /// A forwarder whose cache has at most `cache_bytes`.
    #[must_use]
    pub fn new(settings: Settings, cache_bytes: usize, random: Random) -> Self {
        let start = Instant::now();
        let upstreams =
            settings.upstreams.iter().map(|address| Arc::new(Upstream::new(*address, start))).collect();
        Self {
            active: RwLock::new(Arc::new(Active { settings, upstreams })),
            cache: Cache::new(cache_bytes),
            limiter: Limiter::new(start),
            random,
            start,
            under_way: Mutex::default(),
            tally: Tally::default(),
        }
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let so_far = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Tally { blocked, cached, forwarded, failed, broken, shed } = &self.tally;
        Counts {
            blocked: so_far(blocked),
            cached: so_far(cached),
            forwarded: so_far(forwarded),
            failed: so_far(failed),
            broken: so_far(broken),
            shed: so_far(shed),
        }
    }

    pub(crate) fn count_broken(&self) {
        one_more(&self.tally.broken);
    }

    pub(crate) fn count_shed(&self) {
        one_more(&self.tally.shed);
    }

    pub(crate) fn count_failed(&self) {
        one_more(&self.tally.failed);
    }

    /// Takes other settings from the next query on. Servers that stay keep their health, the cache what it has.
    pub fn reload(&self, settings: Settings) {
        let before = self.active();
        let upstream = |address: &SocketAddr| {
            let known = before.upstreams.iter().find(|upstream| upstream.address == *address);
            known.map_or_else(|| Arc::new(Upstream::new(*address, self.start)), Arc::clone)
        };
        let upstreams = settings.upstreams.iter().map(upstream).collect();
        *self.active.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(Active { settings, upstreams });
    }

    fn active(&self) -> Arc<Active> {
        Arc::clone(&self.active.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers a query that came over a stream. Nothing if it deserves none.
    pub(crate) async fn answer(self: &Arc<Self>, bytes: &[u8], client: IpAddr) -> Option<(Vec<u8>, u32)> {
        let mut out = Vec::with_capacity(512);
        let query = match Query::read(bytes) {
            Ok(query) => query,
            Err(none) => {
                self.count_broken();
                return match none {
                    NoQuery::Silence => None,
                    NoQuery::Answer(answer) => Some((answer, 0)),
                };
            }
        };
        let ttl = match self.quick(&query, client, &mut out) {
            Quick::Done { ttl } => ttl,
            Quick::Ask { allowed } => self.ask(&query, client, allowed, &mut out).await,
        };
        Some((out, ttl))
    }

    /// What a client gets, if nobody has to be asked for it: for dry runs and for tests with hostile bytes.
    #[must_use]
    pub fn answer_at_once(&self, bytes: &[u8], client: IpAddr) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match Query::read(bytes) {
            Ok(query) => matches!(self.quick(&query, client, &mut out), Quick::Done { .. }).then_some(out),
            Err(NoQuery::Silence) => None,
            Err(NoQuery::Answer(answer)) => Some(answer),
        }
    }

    /// What a client gets to `query` when an upstream server says `message`: as
    /// [`answer_at_once`](Self::answer_at_once).
    #[must_use]
    pub fn answer_given(&self, query: &[u8], message: &[u8], client: IpAddr) -> Option<Vec<u8>> {
        let query = Query::read(query).ok()?;
        let scan = Scan::read(message)?;
        // As after a match with what was sent on: names may point into the question, which becomes the client's own.
        if !query.is_asked_by(&message[wire::HEADER_BYTES..scan.records_at]) {
            return None;
        }
        let (now, mut out) = (Instant::now(), Vec::new());
        let truth = Truth::new(message, scan, now);
        let _written = deliver(&self.active().settings, &query, &truth, client, false, now, &mut out);
        Some(out)
    }

    /// Answers what can be answered at once.
    pub(crate) fn quick(&self, query: &Query, client: IpAddr, out: &mut Vec<u8>) -> Quick {
        let active = self.active();
        let settings = &active.settings;
        let verdict = settings.judge.judge(query.name(), query.qtype, client);
        if let Some(ttl) = obey(settings, &verdict, query, query.name(), client, out) {
            one_more(&self.tally.blocked);
            return Quick::Done { ttl };
        }
        let allowed = verdict == Verdict::Allow;
        if can_be_shared(query) {
            let now = Instant::now();
            if let Some(truth) = self.cache.get(&Key::of(query), now) {
                let told = deliver(settings, query, &truth, client, allowed, now, out);
                one_more(if told.is_truth { &self.tally.cached } else { &self.tally.blocked });
                return Quick::Done { ttl: told.ttl };
            }
        }
        Quick::Ask { allowed }
    }

    /// Asks upstream, or waits for somebody who asks the same already.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        query: &Query,
        client: IpAddr,
        allowed: bool,
        out: &mut Vec<u8>,
    ) -> u32 {
        let truth = if can_be_shared(query) { self.share(query).await } else { self.fetch(query).await };
        if let Some(truth) = truth {
            let active = self.active();
            let told = deliver(&active.settings, query, &truth, client, allowed, Instant::now(), out);
            one_more(if told.is_truth { &self.tally.forwarded } else { &self.tally.blocked });
            return told.ttl;
        }
        self.count_failed();
        query.begin(SERVFAIL, false, out);
        query.finish(0, &extended_error(EDE_NO_REACHABLE_AUTHORITY, ""), out);
        0
    }

    async fn share(self: &Arc<Self>, query: &Query) -> Outcome {
        let (tell, told) = oneshot::channel();
        let key: Box<[u8]> = Key::of(query).as_bytes().into();
        {
            let mut under_way = self.under_way();
            let asked = under_way.len();
            match under_way.get_mut(&key) {
                Some(waiting) if waiting.len() >= WAITING_MAX => return None,
                Some(waiting) => waiting.push(tell),
                None if asked >= UNDER_WAY_MAX => return None,
                None => {
                    under_way.insert(key.clone(), vec![tell]);
                    // Whoever asked first may go away; the others still wait.
                    let (forwarder, query) = (Arc::clone(self), query.clone());
                    tokio::spawn(async move {
                        let asking = Asking { forwarder: &forwarder, key };
                        let outcome = forwarder.fetch(&query).await;
                        asking.end(&outcome);
                    });
                }
            }
        }
        told.await.ok().flatten()
    }

    async fn fetch(&self, query: &Query) -> Outcome {
        let active = self.active();
        let settings = &active.settings;
        let manner = Manner {
            randomise_case: settings.randomise_case,
            patience: settings.patience,
            tries: settings.tries,
        };
        let (message, scan) = ask(&active.upstreams, query, manner, &self.random).await?;
        let truth = Arc::new(Truth::new(&message, scan, Instant::now()));
        if can_be_shared(query) {
            self.cache.put(&Key::of(query), &truth);
        }
        Some(truth)
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pace(&self, client: IpAddr, now: Instant) -> Pace {
        self.limiter.pace(client, self.active().settings.rate, now)
    }
}

/// A question under way. Those who wait are told when it ends, however it ends.
struct Asking<'a> {
    forwarder: &'a Forwarder,
    key: Box<[u8]>,
}

impl Asking<'_> {
    fn end(self, outcome: &Outcome) {
        for waiting in self.forwarder.under_way().remove(&self.key).unwrap_or_default() {
            // A client that has gone is not waiting.
            let _gone = waiting.send(outcome.clone());
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.forwarder.under_way().remove(&self.key);
    }
}

/// Options can change an answer: such a question is always asked, and its answer never kept.
fn can_be_shared(query: &Query) -> bool {
    query.edns.as_ref().is_none_or(|edns| edns.options.is_empty())
}

/// What a client was told.
struct Told {
    ttl: u32,
    is_truth: bool,
}

/// Writes the truth, or what is to be said in its place because of where it leads.
fn deliver(
    settings: &Settings,
    query: &Query,
    truth: &Truth,
    client: IpAddr,
    allowed: bool,
    now: Instant,
    out: &mut Vec<u8>,
) -> Told {
    if !allowed {
        for alias in &truth.aliases {
            let verdict = settings.judge.judge(alias.as_wire(), query.qtype, client);
            if verdict == Verdict::Allow {
                break;
            }
            if let Some(ttl) = obey(settings, &verdict, query, alias.as_wire(), client, out) {
                return Told { ttl, is_truth: false };
            }
        }
        if settings.judge.judges_addresses() {
            for address in &truth.addresses {
                let verdict = settings.judge.judge_address(*address, client);
                if let Some(ttl) = obey(settings, &verdict, query, query.name(), client, out) {
                    return Told { ttl, is_truth: false };
                }
            }
        }
    }
    Told { ttl: truth.write(query, now, out), is_truth: true }
}

/// Tells of a hit, and writes the answer to what is blocked.
fn obey(
    settings: &Settings,
    verdict: &Verdict,
    query: &Query,
    name: WireName<'_>,
    client: IpAddr,
    out: &mut Vec<u8>,
) -> Option<u32> {
    let tell = |slot, action| {
        settings.sink.hit(slot, action);
        settings.sink.site_log(slot, action, name, client);
    };
    match verdict {
        Verdict::Pass | Verdict::Allow => None,
        Verdict::Monitor { slot } => {
            tell(*slot, Action::Monitored);
            None
        }
        Verdict::Block { slot, answer, reason } => {
            tell(*slot, Action::Blocked);
            write_block(query, *answer, reason, settings.block_ttl, out);
            Some(settings.block_ttl)
        }
    }
}

/// Writes the answer to a blocked question: a safe address, or that there is nothing; never authentic.
fn write_block(query: &Query, answer: Answer, reason: &Reason, ttl: u32, out: &mut Vec<u8>) {
    query.begin(if answer == Answer::NxDomain { NXDOMAIN } else { NOERROR }, false, out);
    let address = match (answer, query.qtype) {
        (Answer::Address { v4: Some(v4), .. }, TYPE_A) => Some(v4.octets().to_vec()),
        (Answer::Address { v6: Some(v6), .. }, TYPE_AAAA) => Some(v6.octets().to_vec()),
        _ => None,
    };
    let (count_at, owner, rtype, data) = if let Some(data) = address {
        (7, wire::HEADER_BYTES, query.qtype, data)
    } else {
        // RFC 2308 §3: the SOA says for how long there is nothing. Its owner is the name; above it, if there is no name.
        let label = usize::from(query.question[0]);
        let above = if answer == Answer::NxDomain && label > 0 { label + 1 } else { 0 };
        let mut data = b"\x09localhost\x00\x0ahostmaster\x09localhost\x00".to_vec();
        for number in [1, 3600, 600, 86_400, ttl] {
            data.extend_from_slice(&u32::to_be_bytes(number));
        }
        (9, wire::HEADER_BYTES + above, TYPE_SOA, data)
    };
    out[count_at] = 1;
    let pointer = 0xc000 | u16::try_from(owner).unwrap_or(12);
    out.extend_from_slice(&pointer.to_be_bytes());
    out.extend_from_slice(&rtype.to_be_bytes());
    out.extend_from_slice(&1_u16.to_be_bytes());
    out.extend_from_slice(&ttl.to_be_bytes());
    out.extend_from_slice(&u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&data);
    let code = match reason.cause {
        Cause::Blocked => 15,
        Cause::Censored => 16,
        Cause::Filtered => 17,
    };
    query.finish(0, &extended_error(code, &reason.text), out);
}

/// An Extended DNS Error as an option (RFC 8914 §2).
fn extended_error(code: u16, text: &str) -> Vec<u8> {
    let text = &text[..text.floor_char_boundary(REASON_BYTES_MAX)];
    let length = u16::try_from(text.len() + 2).unwrap_or(2);
    let mut option = Vec::with_capacity(text.len() + 6);
    option.extend_from_slice(&EDE_OPTION.to_be_bytes());
    option.extend_from_slice(&length.to_be_bytes());
    option.extend_from_slice(&code.to_be_bytes());
    option.extend_from_slice(text.as_bytes());
    option
}
