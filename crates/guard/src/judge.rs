//! What is to become of something that was met: the one judgement behind all countermeasures.
//!
//! An allow list passes before anything else. Then, of all indicators that were hit, those count whose feed the customer
//! has subscribed to for this countermeasure; of these the hardest mode decides, and of equals the oldest slot, so that the
//! same thing is always blamed on the same indicator.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, PoisonError, RwLock};

use matcher::{Algorithm, Key, Kind, Met};
use model::{Clock, Timestamp};

use crate::allow::Allowed;
use crate::config::{Mode, Service};
use crate::customers::{CustomerId, Customers};
use crate::occurrence::Action;
use crate::record::reference;
use crate::set::Set;
use crate::sight::{Kind as SightKind, Sight, instant};

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The indicator that decided.
    pub slot: u32,
    /// What it does for this customer.
    pub mode: Mode,
    /// What it is about, as an index into the set's categories.
    pub category: u16,
    /// The feed.
    pub feed: u16,
}

impl Decided {
    /// The one that counts of two: the harder, and of equals the older.
    fn harder(self, other: Self) -> Self {
        if (other.mode, self.slot) > (self.mode, other.slot) { other } else { self }
    }
}

/// A name in wire format as text in lower case, if all of it is printable ASCII.
fn text_of_wire(wire: &[u8]) -> Option<String> {
    let mut name = String::with_capacity(wire.len());
    let mut rest = wire;
    while let [length, following @ ..] = rest {
        if *length == 0 {
            break;
        }
        let (label, behind) = following.split_at_checked(usize::from(*length))?;
        if !label.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'.') {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
        rest = behind;
    }
    Some(name)
}

/// Whether a file is known by one of its hashes as one that is allowed.
fn has_allowed_hash(allowed: &Allowed, file: &serde_json::Value) -> bool {
    let hashes = file["hashes"].as_object().into_iter().flatten();
    let keys = hashes.filter_map(|(algorithm, digest)| Key::hash(algorithm, digest.as_str()?).ok());
    keys.into_iter().any(|key| allowed.allows(&key).is_some())
}

/// A hit: nothing of whom it concerned but whose customer it was, which stays here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The indicator.
    pub slot: u32,
    /// By which countermeasure.
    pub service: Service,
    /// What it did.
    pub action: Action,
    /// Whose client.
    pub customer: CustomerId,
    /// When.
    pub at: Timestamp,
}

/// Judges for all countermeasures. It never waits for anything but the set's short locks.
pub struct Judge {
    set: Arc<Set>,
    customers: RwLock<Arc<Customers>>,
    salt: [u8; 16],
    clock: Arc<dyn Clock>,
    hits: SyncSender<Hit>,
    lost: AtomicU64,
    /// The lease is over: nothing is met.
    is_idle: AtomicBool,
}

impl Judge {
    /// A judge over a set. Hits go to `hits` and are counted as lost when nobody takes them in time.
    #[must_use]
    pub fn new(
        set: Arc<Set>,
        customers: Customers,
        salt: [u8; 16],
        clock: Arc<dyn Clock>,
        hits: SyncSender<Hit>,
    ) -> Self {
        Self {
            set,
            customers: RwLock::new(Arc::new(customers)),
            salt,
            clock,
            hits,
            lost: AtomicU64::new(0),
            is_idle: AtomicBool::new(true),
        }
    }

    /// The set.
    #[must_use]
    pub fn set(&self) -> &Arc<Set> {
        &self.set
    }

    /// The customers.
    #[must_use]
    pub fn customers(&self) -> Arc<Customers> {
        Arc::clone(&self.customers.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes other customers from the next question on. Whoever is under way with an id of the old ones asks for somebody who
    /// may have another number now; ids are for one look.
    pub fn set_customers(&self, customers: Customers) {
        *self.customers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(customers);
    }

    /// What time it is.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Lets nothing be met, or everything that is loaded.
    pub fn set_idle(&self, is_idle: bool) {
        self.is_idle.store(is_idle, Ordering::Relaxed);
    }

    /// How many hits were not counted because too many came at once.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// The opaque reference of a slot's indicator.
    #[must_use]
    pub fn reference(&self, slot: u32) -> String {
        self.set.table().get(slot).map(|record| reference(&self.salt, record.id)).unwrap_or_default()
    }

    /// The name of a category.
    #[must_use]
    pub fn category(&self, category: u16) -> String {
        self.set.table().categories.get(usize::from(category)).cloned().unwrap_or_default()
    }

    /// A name in wire format that a customer's client asks for.
    #[must_use]
    pub fn name_wire(&self, customer: CustomerId, service: Service, name: &[u8]) -> Option<Decided> {
        let decided = self.best(customer, service, |visit| {
            self.set.shared.read().names_wire(name, |hit| visit(hit.slot));
        });
        let by_pattern = self.question(customer, service, name);
        let decided = decided.into_iter().chain(by_pattern).reduce(Decided::harder)?;
        (!self.set.allowed().passes_wire(name)).then_some(decided)
    }

    /// A name.
    #[must_use]
    pub fn name(&self, customer: CustomerId, service: Service, name: &str) -> Option<Decided> {
        let decided = self.best(customer, service, |visit| {
            self.set.shared.read().names(name, |hit| visit(hit.slot));
        })?;
        (!self.set.allowed().passes_name(name)).then_some(decided)
    }

    /// An address.
    #[must_use]
    pub fn address(&self, customer: CustomerId, service: Service, address: IpAddr) -> Option<Decided> {
        let decided = self.best(customer, service, |visit| self.set.shared.read().address(address, visit))?;
        (!self.set.allowed().passes_address(address)).then_some(decided)
    }

    /// A port at an address; of the address alone, [`Judge::address`] tells.
    #[must_use]
    pub fn port(
        &self,
        customer: CustomerId,
        service: Service,
        address: IpAddr,
        port: u16,
    ) -> Option<Decided> {
        let decided =
            self.best(customer, service, |visit| self.set.shared.read().endpoint(address, port, visit))?;
        (!self.set.allowed().passes_address(address)).then_some(decided)
    }

    /// A file's digest.
    #[must_use]
    pub fn hash(
        &self,
        customer: CustomerId,
        service: Service,
        algorithm: Algorithm,
        bytes: &[u8],
    ) -> Option<Decided> {
        let decided = self.best(customer, service, |visit| {
            self.set.shared.read().hash(algorithm, bytes, visit);
        })?;
        let key = Key::digest(algorithm, bytes).ok()?;
        self.set.allowed().allows(&key).is_none().then_some(decided)
    }

    /// An e-mail address, a URL, a file's name or a subject, as it was met.
    #[must_use]
    pub fn text_of(&self, customer: CustomerId, service: Service, kind: Kind, text: &str) -> Option<Decided> {
        let key = match kind {
            Kind::Email => Key::email(text),
            Kind::Url => Key::url(text),
            Kind::FileName => Key::file_name(text),
            Kind::Subject => Key::subject(text),
            // These have look-ups of their own.
            Kind::Name | Kind::Prefix | Kind::Endpoint | Kind::Digest | Kind::Text => return None,
        };
        let key = key.ok()?;
        let decided = self.best(customer, service, |visit| self.set.shared.read().exact(&key, visit))?;
        self.set.allowed().allows(&key).is_none().then_some(decided)
    }

    /// Everything that is met in a text.
    pub fn scan(
        &self,
        customer: CustomerId,
        service: Service,
        text: &[u8],
        mut visit: impl FnMut(Decided, Met),
    ) {
        if self.is_idle.load(Ordering::Relaxed) {
            return;
        }
        let mut met = Vec::new();
        self.set.shared.read().scan(text, |one| met.push(one));
        if met.is_empty() {
            return;
        }
        let allowed = self.set.allowed();
        for one in met {
            if allowed.allows(&one.read).is_some() {
                continue;
            }
            if let Some(decided) = self.best(customer, service, |visit| visit(one.slot)) {
                visit(decided, one);
            }
        }
    }

    /// What the patterns say that are no look-up, of a name that is asked for.
    fn question(&self, customer: CustomerId, service: Service, wire: &[u8]) -> Option<Decided> {
        if !self.set.rules.wants(SightKind::Question) {
            return None;
        }
        let name = text_of_wire(wire)?;
        if !self.set.rules.wants_name(&name) {
            return None;
        }
        let mut best: Option<Decided> = None;
        let sight = Sight::question(&name, instant(self.clock.now()));
        self.met(customer, service, sight, |decided| {
            best = Some(best.map_or(decided, |best| best.harder(decided)));
        });
        best
    }

    /// Whether any pattern is asked of such things as a whole: only then is it worth putting them together.
    #[must_use]
    pub fn wants(&self, kind: SightKind) -> bool {
        !self.is_idle.load(Ordering::Relaxed) && self.set.rules.wants(kind)
    }

    /// Whether any pattern may be about a flow between two addresses.
    #[must_use]
    pub fn wants_flow(&self, ends: [IpAddr; 2]) -> bool {
        !self.is_idle.load(Ordering::Relaxed) && self.set.rules.wants_flow(ends)
    }

    /// Everything that the patterns say which are no look-up, of something that was met as a whole. What is allowed does not
    /// count as seen.
    pub fn met(
        &self,
        customer: CustomerId,
        service: Service,
        mut sight: Sight,
        mut visit: impl FnMut(Decided),
    ) {
        if self.is_idle.load(Ordering::Relaxed) || !self.set.rules.wants(sight.kind()) {
            return;
        }
        let allowed = self.set.allowed();
        sight.retain(|object| {
            let value = object["value"].as_str().unwrap_or_default();
            let key = match object["type"].as_str() {
                Some("domain-name") => return !allowed.passes_name(value),
                Some("ipv4-addr" | "ipv6-addr") => Key::parse_prefix(value),
                Some("email-addr") => Key::email(value),
                Some("url") => Key::url(value),
                Some("file") => return !has_allowed_hash(&allowed, object),
                Some(_) | None => return true,
            };
            !key.is_ok_and(|key| allowed.allows(&key).is_some())
        });
        let candidates = self.set.rules.candidates(&sight);
        if candidates.is_empty() {
            return;
        }
        let observation = sight.observation();
        for slot in candidates {
            let Some(decided) = self.best(customer, service, |visit| visit(slot)) else { continue };
            if self.set.rules.holds(slot, customer, &sight, &observation) {
                visit(decided);
            }
        }
    }

    /// The oldest indicator, and its feed, that lists a name or one above it: of one feed, or of whichever.
    #[must_use]
    pub fn listed(&self, name: &str, feed: Option<u16>) -> Option<(u32, u16)> {
        if self.is_idle.load(Ordering::Relaxed) {
            return None;
        }
        let of = |slot: u32| {
            let table = self.set.table();
            let record = table.get(slot).filter(|record| record.is_active());
            record.map(|record| record.feed).filter(|of| !self.set.is_leaving(*of))
        };
        let mut oldest: Option<(u32, u16)> = None;
        self.set.shared.read().names(name, |hit| {
            let its = of(hit.slot).filter(|its| feed.is_none_or(|feed| feed == *its));
            oldest = oldest.into_iter().chain(its.map(|its| (hit.slot, its))).min();
        });
        oldest
    }

    /// Counts a hit.
    pub fn hit(&self, customer: CustomerId, service: Service, slot: u32, action: Action) {
        let hit = Hit { slot, service, action, customer, at: self.clock.now() };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.hits.try_send(hit) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn best(
        &self,
        customer: CustomerId,
        service: Service,
        look_up: impl FnOnce(&mut dyn FnMut(u32)),
    ) -> Option<Decided> {
        if self.is_idle.load(Ordering::Relaxed) {
            return None;
        }
        let customers = self.customers();
        let mut best: Option<Decided> = None;
        look_up(&mut |slot| {
            let table = self.set.table();
            let Some(record) = table.get(slot).filter(|record| record.is_active()) else { return };
            if self.set.is_leaving(record.feed) {
                return;
            }
            let Some(mode) = customers.mode(customer, record.feed, service) else { return };
            let one = Decided { slot, mode: record.mode(mode), category: record.category, feed: record.feed };
            best = Some(best.map_or(one, |best| best.harder(one)));
        });
        best
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::allow::Allowed;
    use crate::config::Config;
    use crate::indicator::{Indicator, Rights};
    use crate::set::BlindEntry;
    use model::ManualClock;
    use std::path::Path;
    use std::sync::mpsc::{Receiver, sync_channel};
    use uuid::Uuid;

    const TEXT: &str = r#"
data = "state"
[hub]
url = "https://hub.example"
token_file = "token"
[[feed]]
collection = "quiet"
[[feed]]
collection = "loud"
mode = "enforce"
[allow]
values = ["good.evil.example", "192.0.2.9"]
[[customer]]
name = "both"
networks = ["10.0.0.0/8"]
[[customer]]
name = "quiet-only"
networks = ["11.0.0.0/8"]
feeds = { quiet = "monitor" }
"#;

    /// A judge for others' tests, with its configuration, some patterns of feeds, and where its hits go.
    pub(crate) fn judged(text: &str, listed: &[(u16, &str)]) -> (Arc<Config>, Arc<Judge>, Receiver<Hit>) {
        let config = Config::parse("guard.toml", text, Path::new(".")).unwrap();
        let mut allowed = Allowed::new([3; 32]);
        allowed.load(&config.allow, &[]).unwrap();
        let set = Arc::new(Set::new([1; 32], allowed, config.feeds.clone()));
        let clock = Arc::new(ManualClock::at("2026-01-15".parse().unwrap()));
        let (sender, receiver) = sync_channel(100);
        let judge = Judge::new(set, Customers::new(&config), [5; 16], clock, sender);
        judge.set_idle(false);
        for (id, (feed, pattern)) in (1..).zip(listed) {
            list(&judge, *feed, id, pattern);
        }
        (Arc::new(config), Arc::new(judge), receiver)
    }

    fn judge() -> (Judge, Receiver<Hit>) {
        let config = Config::parse("guard.toml", TEXT, Path::new(".")).unwrap();
        let mut allowed = Allowed::new([3; 32]);
        allowed.load(&config.allow, &[]).unwrap();
        let set = Arc::new(Set::new([1; 32], allowed, config.feeds.clone()));
        let clock = Arc::new(ManualClock::at("2026-01-15".parse().unwrap()));
        let (sender, receiver) = sync_channel(4);
        let judge = Judge::new(set, Customers::new(&config), [5; 16], clock, sender);
        judge.set_idle(false);
        (judge, receiver)
    }

    fn list(judge: &Judge, feed: u16, id: u128, pattern: &str) {
        let indicator = Indicator { pattern: pattern.to_owned(), ..Indicator::empty(Uuid::from_u128(id)) };
        let entering = judge.set().enter(feed, &indicator, Rights::ALL).into_iter().collect();
        let change = judge.set().coming(feed, entering, "2026-01-15".parse().unwrap());
        judge.set().commit(change);
    }

    fn customer(judge: &Judge, address: &str) -> CustomerId {
        judge.customers().of_address(address.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_hardest_mode_of_what_the_customer_has_decides() {
        let (judge, _hits) = judge();
        list(&judge, 0, 1, "[domain-name:value = 'evil.example']");
        list(&judge, 1, 2, "[domain-name:value = 'evil.example']");
        let both = customer(&judge, "10.0.0.1");
        let quiet = customer(&judge, "11.0.0.1");
        let decided =
            |who| judge.name(who, Service::Sinkhole, "www.evil.example").map(|one| (one.slot, one.mode));
        assert_eq!(decided(both), Some((1, Mode::Enforce)));
        assert_eq!(decided(quiet), Some((0, Mode::Monitor)));
        judge.set().set_leaving(1, true);
        assert_eq!(
            decided(both),
            Some((0, Mode::Monitor)),
            "a feed that leaves does not count before it has left"
        );
        judge.set_idle(true);
        assert_eq!(decided(both), None, "without a lease nothing is met");
    }

    #[test]
    fn what_is_allowed_passes_whatever_covers_it() {
        let (judge, _hits) = judge();
        list(&judge, 1, 1, "[domain-name:value = 'evil.example'] OR [ipv4-addr:value = '192.0.2.0/24']");
        let who = customer(&judge, "10.0.0.1");
        assert!(judge.name(who, Service::Sinkhole, "bad.evil.example").is_some());
        assert!(judge.name(who, Service::Sinkhole, "www.good.evil.example").is_none());
        assert!(judge.name_wire(who, Service::Sinkhole, b"\x04good\x04evil\x07example\x00").is_none());
        assert!(judge.address(who, Service::Flow, "192.0.2.8".parse().unwrap()).is_some());
        assert!(judge.address(who, Service::Flow, "192.0.2.9".parse().unwrap()).is_none());
        let mut met = 0;
        judge.scan(who, Service::Quarantine, b"good.evil.example and bad.evil.example", |_, _| met += 1);
        assert_eq!(met, 1);
    }

    #[test]
    fn what_is_allowed_passes_in_every_form_in_which_it_is_met() {
        let (judge, _hits) = judge();
        for (id, pattern) in (1..).zip([
            "[domain-name:value = 'evil.example']",
            "[ipv4-addr:value = '192.0.2.0/24']",
            "[url:value = 'http://good.evil.example/x']",
            "[email-addr:value = 'bob@good.evil.example']",
        ]) {
            list(&judge, 1, id, pattern);
        }
        // What is known by keyed hashes only is not compared with the allow lists when it comes.
        let blind = matcher::BlindKey::new(&[9; 32]);
        let keys = [
            Key::url("http://good.evil.example/x"),
            Key::url("http://192.0.2.9/y"),
            Key::url("http://bad.evil.example/x"),
            Key::email("bob@good.evil.example"),
            Key::email("bob@bad.evil.example"),
            Key::parse_endpoint("192.0.2.9:443"),
        ];
        let entries = (100_u128..).zip(keys).map(|(id, key)| BlindEntry {
            id: Uuid::from_u128(id),
            value: blind.blind(&key.unwrap()),
            from: None,
            until: None,
            confidence: None,
            is_false_positive: false,
            category: String::new(),
        });
        let now = "2026-01-15".parse().unwrap();
        judge.set().commit(judge.set().blinded(1, &[9; 32], entries.collect(), now));
        let who = customer(&judge, "10.0.0.1");
        let cases = [
            ("192.0.2.9", false),
            ("192.0.2.8", true),
            ("192[.]0[.]2[.]9:443", false),
            ("http://192.0.2.9/y", false),
            ("http://192.0.2.8/y", true),
            ("hxxp://192[.]0[.]2[.]9/y", false),
            ("http://3221225993/y", false),
            ("good[.]evil[.]example", false),
            ("www.good(dot)evil(dot)example", false),
            ("bad[.]evil[.]example", true),
            ("hxxp://good[.]evil[.]example/x", false),
            ("good.evil.example/x", false),
            ("http://bad.evil.example/x", true),
            ("http://good.evil.example/?to=bad.evil.example", true),
            ("bob@good.evil.example", false),
            ("bob[@]good[.]evil.example", false),
            ("bob@bad.evil.example", true),
            ("日good.evil.example日", false),
            ("日bad.evil.example日", true),
        ];
        for (text, is_met) in cases {
            let mut met = Vec::new();
            judge.scan(who, Service::Quarantine, text.as_bytes(), |_, one| met.push(one.read));
            assert_eq!(!met.is_empty(), is_met, "{text}: {met:?}");
        }
        let asked = |kind, text| judge.text_of(who, Service::Quarantine, kind, text).is_some();
        let cases = [
            (Kind::Url, "http://good.evil.example/x", false),
            (Kind::Url, "http://192.0.2.9/y", false),
            (Kind::Url, "http://bad.evil.example/x", true),
            (Kind::Email, "Bob@good.evil.example", false),
            (Kind::Email, "Bob@bad.evil.example", true),
        ];
        for (kind, text, is_met) in cases {
            assert_eq!(asked(kind, text), is_met, "{text}");
        }
        assert!(judge.port(who, Service::Flow, "192.0.2.9".parse().unwrap(), 443).is_none());
        let report = judge.set().report(|_| true);
        assert_eq!(report.feeds[1].refused.get("allowed"), Some(&2), "the plain URL and mail address");
    }

    #[test]
    fn patterns_that_are_no_lookup_are_judged_beside_those_that_are() {
        let (judge, _hits) = judge();
        list(&judge, 0, 1, "[domain-name:value = 'evil.example']");
        list(&judge, 1, 2, "[domain-name:value LIKE '%.evil.example']");
        list(
            &judge,
            1,
            3,
            "[network-traffic:dst_ref.value ISSUBSET '192.0.2.0/24' AND network-traffic:dst_port > 80]",
        );
        let both = customer(&judge, "10.0.0.1");
        let quiet = customer(&judge, "11.0.0.1");
        let asked =
            |who, name: &[u8]| judge.name_wire(who, Service::Sinkhole, name).map(|one| (one.slot, one.mode));
        assert_eq!(asked(both, b"\x01x\x04Evil\x07example\x00"), Some((1, Mode::Enforce)));
        assert_eq!(asked(quiet, b"\x01x\x04evil\x07example\x00"), Some((0, Mode::Monitor)));
        assert_eq!(asked(both, b"\x04evil\x07example\x00"), Some((0, Mode::Monitor)));
        assert_eq!(asked(both, b"\x04good\x04evil\x07example\x00"), None, "it is allowed");
        let flow = |last: u8| {
            let ends = (([10, 0, 0, 1].into(), 4_000), ([192, 0, 2, last].into(), 443));
            let mut slots = Vec::new();
            let sight = Sight::flow(ends.0, ends.1, 6, Some(instant("2026-01-15".parse().unwrap())));
            judge.met(both, Service::Flow, sight, |one| slots.push(one.slot));
            slots
        };
        assert_eq!(flow(8), vec![2]);
        assert!(flow(9).is_empty(), "what is allowed does not count as seen");
        assert_eq!(judge.set().report(|_| true).feeds[1].evaluated, 2);
        judge.set_idle(true);
        assert_eq!(asked(both, b"\x01x\x04evil\x07example\x00"), None);
    }

    #[test]
    fn hits_never_wait_and_the_lost_are_counted() {
        let (judge, hits) = judge();
        let who = customer(&judge, "10.0.0.1");
        for _ in 0..6 {
            judge.hit(who, Service::Flow, 3, Action::Monitored);
        }
        assert_eq!((hits.try_iter().count(), judge.lost()), (4, 2));
    }
}
