//! The one thread that changes things: what feeds say, what time brings, and what hits mean.
//!
//! ```text
//! followers ──news──┐                       ┌── the encrypted store (what is held, and where each feed stands)
//! countermeasures ──hits──> Engine ──changes──> the set, and with it the zones
//! the clock ────────┘                       └── counts, facts of occurrence, certificates
//! ```
//!
//! What comes is durable before it is enforced, so a restart never forgets what a resolver already has. What goes ceases to
//! be enforced before it leaves the disk. Writing the store anew is nobody's business here: a thread of its own does it.

mod counts;
mod demotion;
mod disposal;
mod presence;
mod words;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use model::{Clock, Timestamp};
use tracing::{info, warn};
use uuid::Uuid;

use crate::allow::Allowed;
use crate::config::{Config, Feed};
use crate::customers::Customers;
use crate::follow::{BlindFeed, Cursor, Me, News, Received};
use crate::frequency::Counts as Frequencies;
use crate::hold::{Frame, Hold, HoldError, Kept, KeptRef};
use crate::indicator::{self, Object, ObjectRef, Rights, id_of};
use crate::judge::{Hit, Judge};
use crate::lease::{self, Lease, Standing};
use crate::occurrence::Facts;
use crate::record::Bound;
use crate::run::{PROGRAMME_ALLOWS, PROGRAMME_IS};
use crate::secrets::Secrets;
use crate::set::{BlindEntry, Change, Entering, Set};

use disposal::{GivenUp, Leaving, Writing};
use presence::{Comparing, DEPARTED};

pub use counts::{HitCount, HitCounts};
pub use demotion::{Demotion, Demotions, PromoteError, promote, report_of};
pub use disposal::Certificate;

/// How many indicators one look at the time changes at most; the next look goes on.
const DUE_MAX: usize = 2_000;
/// So many records are taken out under one lock: less than a millisecond.
const PART: usize = 512;
/// How many hits one turn takes.
const HITS_MAX: usize = 10_000;
/// Room is made at most for so many indicators before they are seen.
const EXPECTED_MAX: usize = 2_000_000;
/// So often, or in an eighth of the lease if that is shorter, it is kept that the hub was heard.
const HEARD_KEPT: Duration = Duration::from_mins(1);

/// Who makes a change together with something of its own, such as a policy zone.
pub trait Zones: Send {
    /// Makes a change of a feed, by [`Set::commit`].
    fn change(&self, set: &Set, feed: u16, change: Change);

    /// The set has other allow lists.
    fn allowed_changed(&self, set: &Set) {
        let _ = set;
    }

    /// Nothing of a feed counts from here on, though it is in the set still.
    fn emptied(&self, set: &Set, feed: u16) {
        let _ = (set, feed);
    }

    /// The guard may act for so long, unless the hub is heard: whoever goes on without the guard has to stop by then.
    fn lease(&self, left: Duration) {
        let _ = left;
    }
}

/// No zones.
#[derive(Debug)]
pub struct NoZones;

impl Zones for NoZones {
    fn change(&self, set: &Set, _feed: u16, change: Change) {
        set.commit(change);
    }
}

impl<Z: Zones + Sync + ?Sized> Zones for Arc<Z> {
    fn change(&self, set: &Set, feed: u16, change: Change) {
        (**self).change(set, feed, change);
    }

    fn allowed_changed(&self, set: &Set) {
        (**self).allowed_changed(set);
    }

    fn emptied(&self, set: &Set, feed: u16) {
        (**self).emptied(set, feed);
    }

    fn lease(&self, left: Duration) {
        (**self).lease(left);
    }
}

/// Random bytes from the system.
pub type Random = Box<dyn Fn() -> [u8; 16] + Send>;

/// What became known of a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedState {
    /// Where it stands.
    pub cursor: Cursor,
    /// When the hub was last heard about it.
    pub heard: Option<Timestamp>,
    /// What is wrong, if something is.
    pub trouble: Option<String>,
    /// The hub said that it is gone.
    pub is_gone: bool,
}

/// The engine.
pub struct Engine {
    config: Arc<Config>,
    judge: Arc<Judge>,
    set: Arc<Set>,
    /// None before what is held is loaded: zones open on what is there, and not on what comes one by one.
    zones: Option<Box<dyn Zones>>,
    hold: Hold,
    secrets: Arc<Secrets>,
    clock: Arc<dyn Clock>,
    random: Random,
    hits: Receiver<Hit>,
    lease: Lease,
    /// How long a lease the hub last granted, if it did.
    granted: Option<Duration>,
    is_loaded: bool,
    feeds: Vec<FeedState>,
    me: Option<Me>,
    frequencies: Frequencies,
    counts: HitCounts,
    facts: Facts,
    /// The identity under which the programme speaks, as the hub last named it, now or before the start. Nobody else's recalls and
    /// verdicts count.
    programme: Option<String>,
    /// What the programme allows, as the hub last said.
    programme_allows: Vec<String>,
    /// What matched far more than its peers.
    demotions: Demotions,
    /// When it was last looked whether a person promoted one.
    looked: Option<Instant>,
    /// Feeds that the site no longer follows.
    dropped: BTreeSet<u16>,
    /// Feeds of which something left, and nothing was compared since.
    departed: BTreeSet<String>,
    comparing: Vec<Comparing>,
    /// Of each feed the indicators that are held and not in the set, for nothing could be made of them. Only this thread has it.
    unused: RefCell<Vec<HashSet<Uuid>>>,
    /// How often what is blinded was let go of: whoever follows asks for it again.
    let_go: Arc<AtomicU64>,
    certificates: Vec<Certificate>,
    unreadable: u64,
    /// Something that is gone is still on the disk, encrypted.
    is_untidy: bool,
    /// Feeds that are no more for us, and are on the disk still.
    leaving: Vec<Leaving>,
    /// Who writes the store anew meanwhile.
    tidying: Option<Writing>,
    quiet_since: Instant,
    is_warned: bool,
}

impl Engine {
    /// Opens what is held. Nothing is enforced before [`Engine::begin`].
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read.
    pub fn open(
        config: Arc<Config>,
        judge: Arc<Judge>,
        secrets: Arc<Secrets>,
        clock: Arc<dyn Clock>,
        random: Random,
        hits: Receiver<Hit>,
        facts: Facts,
    ) -> Result<Self, HoldError> {
        let set = Arc::clone(judge.set());
        let feeds = vec![FeedState::default(); config.feeds.len()];
        let hold = Hold::open_unread(&config.data, secrets.hold_key(), random())?;
        let began = Instant::now();
        let granted = lease::granted(&secrets.hold_key(), &config.data)?;
        let heard = hold.last_heard()?.map(Timestamp::from_micros);
        let length = lease::used(lease::length(granted, config.hub.lease), config.sinkhole.ttl);
        let lease = Lease::resumed(length, heard, clock.now(), began);
        let programme = secrets.hold_key().read_note(&config.data, PROGRAMME_IS)?;
        let departed: Option<BTreeSet<String>> = secrets.hold_key().read_note(&config.data, DEPARTED)?;
        let unused = vec![HashSet::new(); config.feeds.len()];
        let mut engine = Self {
            config,
            judge,
            set,
            zones: None,
            hold,
            secrets,
            clock,
            random,
            hits,
            lease,
            granted,
            is_loaded: false,
            feeds,
            me: None,
            frequencies: Frequencies::default(),
            counts: HitCounts::default(),
            facts,
            programme,
            programme_allows: Vec::new(),
            demotions: Demotions::new(),
            looked: None,
            dropped: BTreeSet::new(),
            departed: departed.unwrap_or_default(),
            comparing: Vec::new(),
            unused: RefCell::new(unused),
            let_go: Arc::default(),
            certificates: Vec::new(),
            unreadable: 0,
            is_untidy: false,
            leaving: Vec::new(),
            tidying: None,
            quiet_since: began,
            is_warned: false,
        };
        engine.demoted_before()?;
        Ok(engine)
    }

    /// Feeds that the site no longer follows, since a reload.
    #[must_use]
    pub fn dropped(&self) -> &BTreeSet<u16> {
        &self.dropped
    }

    /// Counts how often what is blinded was let go of.
    #[must_use]
    pub fn let_go(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.let_go)
    }

    /// Loads what is held, if the lease still allows it.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read.
    pub fn begin(&mut self) -> Result<(), HoldError> {
        let is_held = self.lease.standing(Instant::now()).is_held();
        let cursors = if is_held { self.load()? } else { self.read_cursors()? };
        for (state, cursor) in self.feeds.iter_mut().zip(cursors) {
            state.cursor = cursor;
        }
        Ok(())
    }

    /// What the programme allows.
    #[must_use]
    pub fn allowed_by_programme(&self) -> &[String] {
        &self.programme_allows
    }

    /// The programme allows these and no others: from here on, and after a restart.
    fn programme_allows(&mut self, values: Vec<String>) -> Result<(), HoldError> {
        if values == self.programme_allows {
            return Ok(());
        }
        let random = || {
            let mut both = [0; 32];
            let (first, second) = both.split_at_mut(16);
            first.copy_from_slice(&(self.random)());
            second.copy_from_slice(&(self.random)());
            both
        };
        let mut allowed = Allowed::new(random());
        if let Err(error) = allowed.load(&self.config.allow, &values) {
            // The list before stays. When the site has mended its own, a reload takes both.
            warn!("the programme's allow list waits: {error}");
            return Ok(());
        }
        let key = self.secrets.hold_key();
        key.write_note(&self.config.data, PROGRAMME_ALLOWS, (self.random)(), &values)?;
        info!(values = values.len(), "the programme has another allow list");
        self.programme_allows = values;
        self.set.set_allowed(allowed);
        if let Some(zones) = &self.zones {
            zones.allowed_changed(&self.set);
        }
        if self.is_loaded { self.judge_anew() } else { Ok(()) }
    }

    /// What the programme is known to allow; the set's lists have it already.
    pub fn set_programme_allows(&mut self, values: Vec<String>) {
        self.programme_allows = values;
    }

    /// Has zones change together with the set from here on.
    pub fn set_zones(&mut self, zones: Box<dyn Zones>) {
        self.zones = Some(zones);
    }

    /// Takes other settings for the same feeds, and other allow lists. What is in the set is judged anew by them; what stays
    /// as it was does not change, not even for a moment.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read.
    pub fn reload(
        &mut self,
        config: Arc<Config>,
        allowed: Option<Allowed>,
        dropped: &BTreeSet<u16>,
    ) -> Result<(), HoldError> {
        // Hits so far are counted as they were consented to.
        while self.take_hits() == HITS_MAX {}
        let by = |feed: &Feed| (feed.days_max, feed.confidence_min);
        let judged_by = |config: &Config| config.feeds.iter().map(by).collect::<Vec<_>>();
        let is_other = allowed.is_some() || judged_by(&config) != judged_by(&self.config);
        let customers = Customers::after(&config, Some(&self.judge.customers()));
        self.set.set_feeds(config.feeds.clone());
        if let Some(allowed) = allowed {
            self.set.set_allowed(allowed);
        }
        self.judge.set_customers(customers);
        self.config = config;
        self.set_lease();
        for feed in dropped.difference(&self.dropped.clone()) {
            self.drop_feed(*feed)?;
        }
        if is_other && self.is_loaded {
            self.judge_anew()?;
        }
        Ok(())
    }

    /// Judges what is held by the settings and lists in force.
    fn judge_anew(&mut self) -> Result<(), HoldError> {
        // What is blinded is not held; it comes again.
        self.let_go.fetch_add(1, Ordering::Release);
        let by_alias = by_alias(&self.config);
        for feed in by_alias.values() {
            self.set.forget_refusals(*feed);
        }
        self.hold.each_live(|frame| {
            let Some(feed) = by_alias.get(frame.feed.as_str()).copied() else { return };
            let is_indicator = |kept: &Kept| kept.object.indicator().is_some();
            let put = frame.put.into_iter().filter(is_indicator).collect();
            let put: Vec<Kept> = put;
            self.put(feed, steps(&self.set, feed, put.iter().map(Kept::borrowed)));
        })
    }

    fn set_lease(&mut self) {
        let length = lease::length(self.granted, self.config.hub.lease);
        self.lease.set_length(lease::used(length, self.config.sinkhole.ttl));
    }

    /// The hub grants a lease, or none: from here on, after a restart, and to whoever reads the store.
    fn granted(&mut self, granted: Option<Duration>) -> Result<(), HoldError> {
        if granted != self.granted {
            lease::keep(&self.secrets.hold_key(), &self.config.data, (self.random)(), granted)?;
            self.granted = granted;
        }
        self.set_lease();
        Ok(())
    }

    /// Where each feed stands, in the order of the configuration.
    #[must_use]
    pub fn feeds(&self) -> &[FeedState] {
        &self.feeds
    }

    /// How the lease stands.
    #[must_use]
    pub fn lease(&self) -> Standing {
        self.lease.standing(Instant::now())
    }

    /// What was hit how often.
    #[must_use]
    pub fn counts(&self) -> &HitCounts {
        &self.counts
    }

    /// Facts that wait to be reported.
    pub fn facts(&mut self) -> &mut Facts {
        &mut self.facts
    }

    /// Certificates that the hub has not got yet.
    pub fn certificates(&mut self) -> &mut Vec<Certificate> {
        &mut self.certificates
    }

    /// As whom the hub knows the guard.
    #[must_use]
    pub fn me(&self) -> Option<&Me> {
        self.me.as_ref()
    }

    /// How many objects could not be read, and the indicators that stood out and monitor therefore.
    #[must_use]
    pub fn oddities(&self) -> (u64, BTreeSet<Uuid>) {
        let demoted = self.demotions.iter().filter(|(_, one)| !one.is_promoted);
        (self.unreadable, demoted.map(|(id, _)| *id).collect())
    }

    /// Takes what was heard of a feed.
    ///
    /// # Errors
    ///
    /// Fails if the store does; then nothing of it is taken.
    pub fn news(&mut self, feed: u16, news: News) -> Result<(), HoldError> {
        if self.dropped.contains(&feed) {
            return Ok(());
        }
        self.quiet_since = Instant::now();
        match news {
            News::Objects(received, cursor) => {
                self.objects(feed, received, cursor)?;
                self.there(feed)?;
            }
            News::Departed => {
                self.owe(feed, true)?;
                self.there(feed)?;
            }
            News::Present(present) => {
                self.there(feed)?;
                self.present(feed, present);
            }
            News::Hub(me) => {
                self.granted(me.lease_seconds.map(Duration::from_secs))?;
                if let Some(programme) = &me.programme {
                    self.programme_is(&programme.identity)?;
                }
                self.me = Some(me);
                self.heard(feed)?;
            }
            News::Allowed(values) => {
                self.heard(feed)?;
                self.programme_allows(values)?;
            }
            News::Blinded(blinded) => {
                self.heard(feed)?;
                self.blinded(feed, &blinded);
            }
            News::Alive => self.there(feed)?,
            News::Gone(why) => {
                self.owe(feed, false)?;
                self.gone(feed, &why)?;
            }
            News::Trouble(what) => {
                warn!(feed = self.alias(feed), "the feed cannot be followed: {what}");
                if let Some(state) = self.feeds.get_mut(usize::from(feed)) {
                    state.trouble = Some(what);
                }
            }
        }
        Ok(())
    }

    /// What time brings: indicators that begin and end, the lease, hits.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub fn turn(&mut self) -> Result<(), HoldError> {
        let now = self.clock.now();
        if self.is_loaded {
            for (feed, change) in self.set.due(now, DUE_MAX) {
                self.change(feed, change);
            }
        }
        self.take_hits();
        self.promoted();
        self.compared()?;
        let standing = self.lease.standing(Instant::now());
        if let (Standing::Held(left) | Standing::Ending(left), Some(zones)) = (standing, &self.zones) {
            zones.lease(left);
        }
        match standing {
            Standing::Over if self.is_loaded => {
                warn!("the lease is over: what needs it is unloaded until the hub is heard");
                self.unload();
            }
            Standing::Ending(left) if !self.is_warned => {
                self.is_warned = true;
                warn!(
                    minutes_left = left.as_secs() / 60,
                    "the hub was not heard for long: the lease ends soon"
                );
            }
            Standing::Ending(_) | Standing::Over => {}
            Standing::Held(_) => self.is_warned = false,
        }
        self.tidy()
    }

    pub(crate) fn alias(&self, feed: u16) -> &str {
        self.config.feeds.get(usize::from(feed)).map_or("?", |feed| feed.alias.as_str())
    }

    /// The hub spoke of the feed itself, so that it is there, whatever was before.
    fn there(&mut self, feed: u16) -> Result<(), HoldError> {
        if let Some(state) = self.feeds.get_mut(usize::from(feed)) {
            (state.trouble, state.is_gone) = (None, false);
        }
        self.heard(feed)
    }

    /// The hub was heard: the lease begins anew, and what it kept unloaded comes back. A feed that it refuses is refused still.
    fn heard(&mut self, feed: u16) -> Result<(), HoldError> {
        let now = self.clock.now();
        self.lease.hear(Instant::now());
        let often = HEARD_KEPT.min(self.lease.length() / 8);
        if let Some(state) = self.feeds.get_mut(usize::from(feed)) {
            let is_new = state.heard.is_none_or(|heard| now.since(heard) > often);
            state.heard = Some(now);
            if is_new {
                let frame = Frame { heard: now.as_micros(), ..Frame::default() };
                self.hold.append(&frame, &[])?;
            }
        }
        if !self.is_loaded {
            self.load()?;
        }
        Ok(())
    }

    fn objects(&mut self, feed: u16, received: Vec<Received>, cursor: Cursor) -> Result<(), HoldError> {
        let mut frame = Frame {
            feed: self.alias(feed).to_owned(),
            cursor: Some(cursor.to_text()),
            heard: self.clock.now().as_micros(),
            ..Frame::default()
        };
        let mut objects = Vec::new();
        for one in received {
            match indicator::read(&one.object, self.programme.as_deref()) {
                Ok(Object::Other) => {}
                Ok(object) => {
                    frame.put.push(Kept { rights: one.rights.bits(), object });
                    objects.push(one.object);
                }
                Err(why) => {
                    self.unreadable += 1;
                    warn!(feed = self.alias(feed), "an object is passed over: {why}");
                }
            }
        }
        self.hold.append(&frame, &objects)?;
        if let Some(state) = self.feeds.get_mut(usize::from(feed)) {
            state.cursor = cursor;
        }
        self.came(feed, &frame);
        if self.is_loaded {
            self.is_untidy |= self.put(feed, steps(&self.set, feed, frame.put.iter().map(Kept::borrowed)));
        }
        Ok(())
    }

    /// Puts what was read into the set, in its order. Says whether something of it is to leave the disk.
    fn put(&self, feed: u16, steps: Vec<Step>) -> bool {
        let mut is_untidy = false;
        let mut entering: Vec<Entering> = Vec::with_capacity(steps.len());
        for step in steps {
            match step {
                Step::Come(one) => {
                    self.is_used(feed, one.id(), true);
                    entering.push(one);
                }
                Step::Go(id) => {
                    self.come(feed, &mut entering);
                    self.go(feed, [id]);
                    self.is_used(feed, id, false);
                }
                Step::Pap { id, is_passive } => {
                    self.come(feed, &mut entering);
                    self.set.learn_pap(id, is_passive);
                }
                Step::Recall(ids) => {
                    self.come(feed, &mut entering);
                    for of in 0..u16::try_from(self.feeds.len()).unwrap_or(u16::MAX) {
                        self.go(of, ids.iter().copied());
                    }
                    is_untidy = true;
                }
                Step::FalsePositive { by, of, stands } => {
                    self.come(feed, &mut entering);
                    self.false_positive(&by, &of, stands);
                }
            }
        }
        self.come(feed, &mut entering);
        is_untidy
    }

    fn come(&self, feed: u16, entering: &mut Vec<Entering>) {
        if entering.is_empty() {
            return;
        }
        let entering = std::mem::take(entering);
        if self.zones.is_none() && !self.is_loaded {
            self.set.fill(feed, entering, self.clock.now());
            return;
        }
        let change = self.set.coming(feed, entering, self.clock.now());
        if !change.is_empty() {
            self.change(feed, change);
        }
    }

    /// Whether something could be made of an indicator that is held.
    fn is_used(&self, feed: u16, id: Uuid, is_used: bool) {
        if let Some(unused) = self.unused.borrow_mut().get_mut(usize::from(feed)) {
            match is_used {
                true if unused.is_empty() => {}
                true => drop(unused.remove(&id)),
                false => drop(unused.insert(id)),
            }
        }
    }

    fn go(&self, feed: u16, ids: impl IntoIterator<Item = Uuid>) {
        let ids = ids.into_iter().inspect(|id| self.is_used(feed, *id, true));
        let change = self.set.going(feed, ids);
        if !change.is_empty() {
            self.change(feed, change);
        }
    }

    /// Nothing of a feed is in the set from here on.
    fn empty(&self, feed: u16) {
        if let Some(unused) = self.unused.borrow_mut().get_mut(usize::from(feed)) {
            unused.clear();
        }
        // It ceases at once; that the records go takes its time, in which names of other feeds are looked up.
        self.set.set_leaving(feed, true);
        let change = self.set.all_going(feed);
        if let (Some(zones), false) = (&self.zones, change.is_empty()) {
            zones.emptied(&self.set, feed);
        }
        change.in_parts(PART).for_each(|part| self.set.commit(part));
        self.set.set_leaving(feed, false);
    }

    /// Makes a change, with zones if there are any.
    fn change(&self, feed: u16, change: Change) {
        match &self.zones {
            Some(zones) => zones.change(&self.set, feed, change),
            None => self.set.commit(change),
        }
    }

    /// Takes what may be enforced and not read. What cannot be understood is left out, and told.
    fn blinded(&self, feed: u16, blinded: &BlindFeed) {
        let key: Option<[u8; 32]> = hex::decode(&blinded.key).ok().and_then(|key| key.try_into().ok());
        let Some(key) = key else {
            warn!(feed = self.alias(feed), "the key of what is blinded is none");
            return;
        };
        let entries: Vec<BlindEntry> = blinded.entries.iter().filter_map(BlindEntry::read).collect();
        let left_out = blinded.entries.len() - entries.len();
        if left_out > 0 {
            warn!(
                feed = self.alias(feed),
                left_out, "blinded values are of kinds that this guard does not know"
            );
        }
        let change = self.set.blinded(feed, &key, entries, self.clock.now());
        if !change.is_empty() {
            self.change(feed, change);
        }
    }

    /// Makes a bound hold for an indicator, or hold no more.
    pub fn bound(&self, id: Uuid, bound: Bound, holds: bool) {
        for (feed, change) in self.set.bounding(id, bound, holds) {
            self.change(feed, change);
        }
    }

    /// Loads what is held. Says where each feed stands.
    fn load(&mut self) -> Result<Vec<Cursor>, HoldError> {
        let began = Instant::now();
        let by_alias = by_alias(&self.config);
        let mut cursors = vec![Cursor::default(); self.feeds.len()];
        let mut given_up = GivenUp::default();
        let mut is_first = true;
        // All cores decrypt, read and compile; this thread lists.
        self.hold.each_parallel(
            |frame| {
                let feed = by_alias.get(frame.feed).copied();
                let puts = frame.put.iter().any(|kept| matches!(kept.object, ObjectRef::Indicator(_)));
                let alias = frame.feed.to_owned();
                let steps = feed.map(|feed| steps(&self.set, feed, frame.put));
                (alias, puts, feed, frame.cursor.map(Cursor::from_text), frame.anew, steps, frame.gone)
            },
            |(alias, puts, feed, cursor, anew, steps, gone)| {
                given_up.see(&alias, anew, puts);
                let (Some(feed), Some(steps)) = (feed, steps) else { return };
                if anew {
                    self.empty(feed);
                }
                if let (Some(place), Some(cursor)) = (cursors.get_mut(usize::from(feed)), cursor) {
                    *place = cursor;
                }
                if std::mem::take(&mut is_first) {
                    // Pages are mostly of one size.
                    self.set.expect(steps.len().saturating_mul(self.hold.pages()).min(EXPECTED_MAX));
                }
                self.put(feed, steps);
                self.go(feed, gone);
            },
        )?;
        self.set.filled();
        self.leave(given_up)?;
        self.is_loaded = true;
        self.judge.set_idle(false);
        info!(duration_ms = began.elapsed().as_millis(), "what is held is loaded");
        Ok(cursors)
    }

    /// Where each feed stands, without anything of it.
    fn read_cursors(&mut self) -> Result<Vec<Cursor>, HoldError> {
        let by_alias = by_alias(&self.config);
        let mut cursors = vec![Cursor::default(); self.feeds.len()];
        let mut given_up = GivenUp::default();
        self.hold.each_read(|frame| {
            let puts = frame.put.iter().any(|kept| kept.object.indicator().is_some());
            given_up.see(&frame.feed, frame.anew, puts);
            let Some(feed) = by_alias.get(frame.feed.as_str()).copied() else { return };
            if let (Some(place), Some(text)) = (cursors.get_mut(usize::from(feed)), frame.cursor) {
                *place = Cursor::from_text(&text);
            }
        })?;
        self.leave(given_up)?;
        Ok(cursors)
    }

    fn unload(&mut self) {
        self.judge.set_idle(true);
        for feed in 0..u16::try_from(self.feeds.len()).unwrap_or(u16::MAX) {
            self.empty(feed);
            self.set.forget_refusals(feed);
        }
        self.let_go.fetch_add(1, Ordering::Release);
        self.is_loaded = false;
    }

    /// Counts what hit, and tells how many; more may wait if it was as many as are taken at once.
    fn take_hits(&mut self) -> usize {
        let hits: Vec<Hit> = self.hits.try_iter().take(HITS_MAX).collect();
        let taken = hits.len();
        for hit in hits {
            let Some(record) = self.set.record(hit.slot) else { continue };
            self.counts.count(record.id, record.feed, hit);
            if self.judge.customers().reports(hit.customer) {
                self.facts.count(record.id, hit.service, hit.action, hit.at);
            }
            let alarm = self.frequencies.hit(hit.slot, hit.at.as_micros(), self.config.frequency);
            if let Some(alarm) = alarm
                && self.demote(record.id, alarm.hits, self.judge.customers().reports(hit.customer))
            {
                let reference = self.reference(record.id);
                warn!(
                    reference,
                    hits = alarm.hits,
                    "an indicator matches far more than its peers; it monitors now"
                );
            }
        }
        taken
    }
}

/// One object of a feed, compiled: what it means for the set.
enum Step {
    Come(Entering),
    Go(Uuid),
    Pap { id: String, is_passive: bool },
    Recall(Vec<Uuid>),
    FalsePositive { by: String, of: Vec<String>, stands: bool },
}

/// Compiles what was read of a feed.
fn steps<'k>(set: &Set, feed: u16, kept: impl IntoIterator<Item = KeptRef<'k>>) -> Vec<Step> {
    let mut entry = set.entry(feed);
    let steps = kept.into_iter().filter_map(|one| match one.object {
        ObjectRef::Indicator(indicator) => {
            let rights = Rights::from_bits(one.rights);
            let entering = if indicator.revoked { None } else { entry.enter(&indicator, rights) };
            // A version that cannot be used ends the one before it.
            Some(entering.map_or(Step::Go(indicator.id), Step::Come))
        }
        ObjectRef::Pap { id, is_passive } => Some(Step::Pap { id, is_passive }),
        ObjectRef::Recall(ids) => Some(Step::Recall(ids.iter().filter_map(|id| id_of(id)).collect())),
        ObjectRef::FalsePositive { by, of, stands } => Some(Step::FalsePositive { by, of, stands }),
        ObjectRef::Other => None,
    });
    steps.collect()
}

fn by_alias(config: &Config) -> BTreeMap<String, u16> {
    config.feeds.iter().map(|feed| feed.alias.clone()).zip(0_u16..).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Mode, Service};
    use crate::follow::{BlindLine, Cursor};
    use crate::hold::HoldKey;
    use crate::judge::Decided;
    use model::ManualClock;
    use serde_json::{Value, json};
    use std::path::Path;
    use std::sync::mpsc::sync_channel;

    const ID: &str = "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";
    const OTHER: &str = "indicator--9e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";
    /// Another feed, before the one that every configuration here ends in.
    const TWO_FEEDS: &str = "[[feed]]\ncollection = \"others\"\nmode = \"enforce\"";

    struct Site {
        folder: tempfile::TempDir,
        clock: Arc<ManualClock>,
    }

    impl Site {
        fn new() -> Self {
            let clock = Arc::new(ManualClock::at("2026-01-15".parse().unwrap()));
            Self { folder: tempfile::tempdir().unwrap(), clock }
        }

        fn start(&self, more: &str) -> Engine {
            self.start_with(more, "")
        }

        /// With more for the last feed.
        fn start_with(&self, more: &str, feed: &str) -> Engine {
            let data = self.folder.path().display();
            let text = format!(
                "data = \"{data}\"\n[hub]\nurl = \"https://hub.example\"\ntoken_file = \"t\"\n{more}\n[[feed]]\ncollection = \"indicators\"\nmode = \"enforce\"\n{feed}\n"
            );
            let config = Arc::new(Config::parse("guard.toml", &text, Path::new("/")).unwrap());
            let set = Arc::new(Set::new([1; 32], Allowed::new([2; 32]), config.feeds.clone()));
            let (sender, hits) = sync_channel(100);
            let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
            let judge = Judge::new(set, Customers::new(&config), [5; 16], Arc::clone(&clock), sender);
            let secrets = Arc::new(Secrets::new([4; 32]));
            let facts = Facts::new(secrets.fact_salt());
            let random = Box::new(|| *uuid::Uuid::new_v4().as_bytes());
            let mut engine =
                Engine::open(config, Arc::new(judge), secrets, clock, random, hits, facts).unwrap();
            engine.begin().unwrap();
            engine.set_zones(Box::new(NoZones));
            engine
        }
    }

    fn indicator(id: &str, name: &str) -> Value {
        json!({"type": "indicator", "id": id, "modified": "2026-01-01T00:00:00Z", "valid_from": "2026-01-01T00:00:00Z",
            "pattern_type": "stix", "pattern": format!("[domain-name:value = '{name}']")})
    }

    /// What the hub says of itself.
    fn hub_of(identity: &str) -> News {
        let programme = crate::follow::Programme { identity: identity.to_owned(), name: "x".to_owned() };
        News::Hub(Me { programme: Some(programme), ..Me::default() })
    }

    fn opinion(by: Option<&str>) -> Value {
        let mut opinion = json!({"type": "opinion", "id": "opinion--1", "labels": ["false-positive"],
            "opinion": "strongly-disagree", "object_refs": [ID]});
        if let Some(by) = by {
            opinion["created_by_ref"] = json!(by);
        }
        opinion
    }

    fn objects(values: &[Value], date: &str) -> News {
        let received = values
            .iter()
            .map(|value| Received { object: value.to_string().into_bytes(), rights: Rights::ALL })
            .collect();
        let cursor = json!({"added_after": date, "reached": date}).to_string();
        News::Objects(received, Cursor::from_text(&cursor))
    }

    fn met(engine: &Engine, name: &str) -> Option<Decided> {
        let who = engine.judge.customers().of_address("192.0.2.1".parse().unwrap()).unwrap();
        engine.judge.name(who, Service::Sinkhole, name)
    }

    #[test]
    fn what_comes_is_there_after_a_restart_and_the_cursor_with_it() {
        let site = Site::new();
        let mut engine = site.start("");
        let both = [indicator(ID, "evil.example"), indicator(OTHER, "bad.example")];
        engine.news(0, objects(&both, "2026-01-14T00:00:00Z")).unwrap();
        let mut revoked = indicator(OTHER, "bad.example");
        revoked["revoked"] = json!(true);
        engine.news(0, objects(&[revoked], "2026-01-14T00:00:01Z")).unwrap();
        assert!(met(&engine, "evil.example").is_some() && met(&engine, "bad.example").is_none());
        drop(engine);
        let engine = site.start("");
        assert!(met(&engine, "evil.example").is_some() && met(&engine, "bad.example").is_none());
        assert_eq!(engine.feeds()[0].cursor.reached(), Some("2026-01-14T00:00:01Z"));
    }

    #[test]
    fn a_recall_and_an_absence_end_it_for_good() {
        let site = Site::new();
        let mut engine = site.start("");
        let both = [indicator(ID, "evil.example"), indicator(OTHER, "bad.example")];
        engine.news(0, objects(&both, "2026-01-14T00:00:00Z")).unwrap();
        let mut notice =
            json!({"type": "note", "id": "note--1", "x_ringfence_recall": {"objects": [{"id": ID}]}});
        let recall = |engine: &mut Engine, notice: &Value| {
            engine.news(0, objects(std::slice::from_ref(notice), "2026-01-14T00:00:01Z")).unwrap();
            met(engine, "evil.example").is_none()
        };
        notice["created_by_ref"] = json!("identity--1");
        assert!(!recall(&mut engine, &notice), "nobody is known to speak for the programme");
        engine.news(0, hub_of("identity--1")).unwrap();
        for nobody in [json!("identity--2"), json!("identity--"), json!(null)] {
            notice["created_by_ref"] = nobody;
            assert!(!recall(&mut engine, &notice), "{notice}");
        }
        notice["created_by_ref"] = json!("identity--1");
        assert!(recall(&mut engine, &notice));
        assert!(met(&engine, "bad.example").is_some());
        engine.news(0, News::Departed).unwrap();
        engine.news(0, News::Present(BTreeSet::new())).unwrap();
        turned_until(&mut engine, |engine| !engine.is_owed(0));
        assert!(met(&engine, "bad.example").is_none());
        drop(engine);
        let engine = site.start("");
        assert!(met(&engine, "evil.example").is_none() && met(&engine, "bad.example").is_none());
    }

    #[test]
    fn a_feed_that_is_gone_is_disposed_of_and_certified() {
        let site = Site::new();
        let mut engine = site.start("");
        engine.news(0, objects(&[indicator(ID, "evil.example")], "2026-01-14T00:00:00Z")).unwrap();
        let before = std::fs::metadata(site.folder.path().join("indicators.hold")).unwrap().len();
        engine.news(0, News::Gone("404".to_owned())).unwrap();
        engine.news(0, News::Gone("404".to_owned())).unwrap();
        assert!(met(&engine, "evil.example").is_none());
        certified(&mut engine);
        let after = std::fs::metadata(site.folder.path().join("indicators.hold")).unwrap().len();
        assert!(after < before, "{after} of {before}");
        assert_eq!(engine.certificates().len(), 1);
        let statement: Value = serde_json::from_str(&engine.certificates()[0].statement).unwrap();
        assert_eq!(
            (statement["indicators"].as_u64(), statement["collection"].as_str()),
            (Some(1), Some("indicators"))
        );
        assert_eq!(engine.feeds()[0].cursor, Cursor::default(), "it begins anew when it comes back");
        drop(engine);
        assert!(met(&site.start(""), "evil.example").is_none());
    }

    /// Turns until it is so, which a thread of its own has to be through for.
    fn turned_until(engine: &mut Engine, is_so: impl Fn(&mut Engine) -> bool) {
        let began = Instant::now();
        while !is_so(engine) {
            assert!(began.elapsed() < Duration::from_mins(1), "it does not come about");
            engine.turn().unwrap();
            std::thread::yield_now();
        }
    }

    fn certified(engine: &mut Engine) {
        turned_until(engine, |engine| !engine.certificates().is_empty());
    }

    #[test]
    fn what_comes_while_it_is_compared_stays_and_what_nothing_was_made_of_goes_too() {
        let site = Site::new();
        let mut engine = site.start("");
        let mut strange = indicator(OTHER, "x");
        strange["pattern"] = json!("[x-nobody:knows = 'this']");
        let more = indicator("indicator--ae2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "more.example");
        engine.news(0, objects(&[indicator(ID, "evil.example"), strange], "2026-01-14T00:00:00Z")).unwrap();
        engine.news(0, News::Departed).unwrap();
        drop(engine);
        let mut engine = site.start("");
        assert!(engine.is_owed(0), "it is known after a restart that nothing was compared");
        engine.news(0, News::Present(BTreeSet::new())).unwrap();
        engine.news(0, objects(std::slice::from_ref(&more), "2026-01-14T00:00:01Z")).unwrap();
        turned_until(&mut engine, |engine| !engine.is_owed(0));
        assert!(met(&engine, "evil.example").is_none() && met(&engine, "more.example").is_some());
        // The next comparison finds nothing of the one that nothing could be made of.
        assert!(engine.unused.borrow()[0].is_empty());
        drop(engine);
        let engine = site.start("");
        assert!(!engine.is_owed(0) && met(&engine, "evil.example").is_none());
        assert!(met(&engine, "more.example").is_some() && engine.unused.borrow()[0].is_empty());
    }

    #[test]
    fn a_feed_that_is_refused_is_given_up_once() {
        let site = Site::new();
        let mut engine = site.start(TWO_FEEDS);
        engine.news(1, objects(&[indicator(ID, "evil.example")], "2026-01-14T00:00:00Z")).unwrap();
        engine.news(1, News::Gone("404".to_owned())).unwrap();
        certified(&mut engine);
        let bytes = || std::fs::metadata(site.folder.path().join("indicators.hold")).unwrap().len();
        let before = bytes();
        for _ in 0..3 {
            // Each poll hears as whom the hub knows the guard, and what the programme allows, and then is refused.
            engine.news(1, hub_of("identity--1")).unwrap();
            engine.news(1, News::Allowed(Vec::new())).unwrap();
            engine.news(1, News::Gone("404".to_owned())).unwrap();
            assert!(engine.leaving.is_empty(), "the store is not written anew for it");
        }
        assert_eq!((bytes(), engine.certificates().len()), (before, 1));
        // It comes back, and goes again.
        engine.news(1, objects(&[indicator(ID, "evil.example")], "2026-01-14T00:00:00Z")).unwrap();
        engine.news(1, News::Gone("404".to_owned())).unwrap();
        assert_eq!(engine.leaving.len(), 1);
    }

    #[test]
    fn a_feed_that_the_site_follows_no_more_is_disposed_of() {
        let site = Site::new();
        let mut engine = site.start(TWO_FEEDS);
        engine.news(0, objects(&[indicator(OTHER, "bad.example")], "2026-01-14T00:00:00Z")).unwrap();
        engine.news(1, objects(&[indicator(ID, "evil.example")], "2026-01-14T00:00:00Z")).unwrap();
        // While it runs: at once, and whatever its follower still says.
        let config = Arc::clone(&engine.config);
        engine.reload(config, None, &BTreeSet::from([1])).unwrap();
        assert!(met(&engine, "evil.example").is_none() && met(&engine, "bad.example").is_some());
        engine.news(1, objects(&[indicator(ID, "evil.example")], "2026-01-14T00:00:00Z")).unwrap();
        assert!(met(&engine, "evil.example").is_none());
        certified(&mut engine);
        assert!(engine.certificates()[0].statement.contains(disposal::UNFOLLOWED));
        assert_eq!(on_disk(&site, &engine, "indicators"), 0);
        drop(engine);
        // At a start: the configuration has only `indicators`.
        let mut engine = site.start("");
        certified(&mut engine);
        let statement = &engine.certificates()[0].statement;
        assert!(
            statement.contains("\"collection\":\"others\"") && statement.contains("\"indicators\":1"),
            "{statement}"
        );
        assert_eq!(on_disk(&site, &engine, "others"), 0);
        drop(engine);
        let mut engine = site.start("");
        engine.turn().unwrap();
        assert!(engine.leaving.is_empty() && engine.tidying.is_none(), "it is certified once");
    }

    #[test]
    fn what_stands_out_monitors_until_a_person_says_otherwise() {
        let site = Site::new();
        let limits = "[frequency]\nhits_min = 1\nfactor = 2";
        let mut engine = site.start(limits);
        let state = |engine: &Engine| {
            let decided = met(engine, "evil.example").unwrap();
            let bounds = engine.set.record(decided.slot).unwrap().bounds;
            (decided.mode, bounds.has(Bound::Frequency))
        };
        let hit = |engine: &mut Engine| {
            let decided = met(engine, "evil.example").unwrap();
            let who = engine.judge.customers().of_address("192.0.2.1".parse().unwrap()).unwrap();
            for _ in 0..16 {
                engine.judge.hit(who, Service::Sinkhole, decided.slot, crate::occurrence::Action::Enforced);
            }
            engine.take_hits();
        };
        engine.news(0, objects(&[indicator(ID, "evil.example")], "2026-01-14T00:00:00Z")).unwrap();
        hit(&mut engine);
        assert_eq!(state(&engine), (Mode::Monitor, true));
        let now = site.clock.now();
        assert!(engine.untold(now + Duration::from_hours(2)).is_empty(), "nobody consented");
        drop(engine);
        let mut engine = site.start(limits);
        assert_eq!(state(&engine), (Mode::Monitor, true), "a restart is no person");
        let (config, secrets) = (Arc::clone(&engine.config), Arc::clone(&engine.secrets));
        let name = engine.reference(id_of(ID).unwrap());
        let unknown = promote(&config, &secrets, "rf-0").unwrap_err().to_string();
        assert!(unknown.contains("`rf-0`") && unknown.contains(&name), "{unknown}");
        promote(&config, &secrets, &name).unwrap();
        engine.looked = None;
        engine.turn().unwrap();
        assert_eq!(state(&engine), (Mode::Enforce, false));
        hit(&mut engine);
        assert_eq!(state(&engine), (Mode::Enforce, false), "a person's word outweighs the alarm");
        drop(engine);
        let engine = site.start(limits);
        assert_eq!(state(&engine), (Mode::Enforce, false));
        assert!(promote(&config, &secrets, &name).unwrap_err().to_string().contains("none is"));
    }

    #[test]
    fn the_hub_is_told_once_of_what_stands_out_where_the_customer_consents() {
        let site = Site::new();
        let mut engine = site.start("");
        let (id, now) = (id_of(ID).unwrap(), site.clock.now());
        engine.news(0, objects(&[indicator(ID, "evil.example")], "2026-01-14T00:00:00Z")).unwrap();
        assert!(engine.demote(id, 100, true) && !engine.demote(id, 200, true));
        assert!(engine.untold(now).is_empty(), "the hour is not over");
        drop(engine);
        let mut engine = site.start("");
        assert_eq!(engine.untold(now + Duration::from_hours(1)), [id]);
        assert_eq!(report_of(id)["object"], ID);
        engine.told(id);
        drop(engine);
        assert!(site.start("").untold(now + Duration::from_hours(1)).is_empty());
    }

    /// What the store has of a feed, read by somebody else.
    fn on_disk(site: &Site, engine: &Engine, feed: &str) -> usize {
        let mut kept = 0;
        let count = |frame: Frame| kept += if frame.feed == feed { frame.put.len() } else { 0 };
        Hold::peek(site.folder.path(), &engine.secrets.hold_key(), count).unwrap();
        kept
    }

    #[test]
    fn one_of_two_feeds_goes_while_the_other_goes_on() {
        let site = Site::new();
        let mut engine = site.start(TWO_FEEDS);
        engine.news(1, objects(&[indicator(ID, "evil.example")], "2026-01-14T00:00:00Z")).unwrap();
        engine.news(0, objects(&[indicator(OTHER, "bad.example")], "2026-01-14T00:00:00Z")).unwrap();
        engine.news(1, News::Gone("404".to_owned())).unwrap();
        // Nothing was written anew yet, and nothing of it is met; what comes for the other is taken at once, and asked about.
        assert_eq!(on_disk(&site, &engine, "indicators"), 1);
        assert!(met(&engine, "evil.example").is_none() && met(&engine, "bad.example").is_some());
        engine.turn().unwrap();
        let more = indicator("indicator--ae2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "more.example");
        engine.news(0, objects(&[more], "2026-01-14T00:00:01Z")).unwrap();
        assert!(met(&engine, "more.example").is_some());
        assert!(engine.certificates().is_empty(), "it is certified when it is so");
        certified(&mut engine);
        assert_eq!((on_disk(&site, &engine, "indicators"), on_disk(&site, &engine, "others")), (0, 2));
        assert_eq!(engine.certificates().len(), 1);
        drop(engine);
        let engine = site.start(TWO_FEEDS);
        assert!(met(&engine, "evil.example").is_none());
        assert!(met(&engine, "bad.example").is_some() && met(&engine, "more.example").is_some());
        assert_eq!(engine.feeds()[0].cursor.reached(), Some("2026-01-14T00:00:01Z"));
    }

    #[test]
    fn what_a_restart_interrupts_is_disposed_of_and_certified_after_it() {
        let site = Site::new();
        for lease in ["", "lease_hours = 1"] {
            let both = format!("{lease}\n{TWO_FEEDS}");
            let mut engine = site.start(&both);
            engine.news(0, objects(&[indicator(OTHER, "bad.example")], "2026-01-14T00:00:00Z")).unwrap();
            engine.news(0, News::Gone("403".to_owned())).unwrap();
            drop(engine);
            // With a lease it is over by then, and nothing is loaded.
            site.clock.advance(Duration::from_hours(2));
            let mut engine = site.start(&both);
            assert!(met(&engine, "bad.example").is_none());
            assert_eq!(engine.feeds()[0].cursor, Cursor::default());
            assert_eq!(on_disk(&site, &engine, "others"), 1);
            engine.news(0, News::Gone("403".to_owned())).unwrap();
            certified(&mut engine);
            assert!(engine.certificates()[0].statement.contains("403"), "the hub's last word is the reason");
            assert_eq!(on_disk(&site, &engine, "others"), 0);
        }
    }

    #[test]
    fn the_hub_s_lease_holds_over_a_restart() {
        let site = Site::new();
        let mut engine = site.start("");
        engine.news(0, News::Hub(Me { lease_seconds: Some(3_600), ..Me::default() })).unwrap();
        engine.news(0, objects(&[indicator(ID, "evil.example")], "2026-01-14T00:00:00Z")).unwrap();
        drop(engine);
        site.clock.advance(Duration::from_mins(59));
        assert!(met(&site.start(""), "evil.example").is_some());
        site.clock.advance(Duration::from_mins(1));
        let mut engine = site.start("");
        assert_eq!(engine.lease(), Standing::Over);
        assert!(met(&engine, "evil.example").is_none());
        engine.news(0, News::Hub(Me { lease_seconds: None, ..Me::default() })).unwrap();
        drop(engine);
        site.clock.advance(Duration::from_hours(1_000));
        assert!(met(&site.start(""), "evil.example").is_some(), "the hub grants it for ever");
    }

    #[test]
    fn without_the_hub_the_lease_ends_and_with_it_everything_comes_back() {
        let site = Site::new();
        let mut engine = site.start("lease_hours = 2");
        engine.news(0, objects(&[indicator(ID, "evil.example")], "2026-01-14T00:00:00Z")).unwrap();
        drop(engine);
        site.clock.advance(Duration::from_hours(3));
        let mut engine = site.start("lease_hours = 2");
        assert_eq!(engine.lease(), Standing::Over);
        assert!(met(&engine, "evil.example").is_none(), "a restart does not bring it back");
        engine.news(0, News::Alive).unwrap();
        assert!(met(&engine, "evil.example").is_some());
        engine.lease.set_length(Duration::ZERO);
        engine.turn().unwrap();
        assert!(met(&engine, "evil.example").is_none());
    }

    #[test]
    fn the_hub_may_shorten_the_lease_and_not_lengthen_it() {
        let site = Site::new();
        let mut engine = site.start("lease_hours = 2");
        for (granted, expected) in [(3_600, 3_600), (360_000, 7_200)] {
            engine.news(0, News::Hub(Me { lease_seconds: Some(granted), ..Me::default() })).unwrap();
            let answers = engine.config.sinkhole.ttl;
            assert_eq!(
                engine.lease.length() + answers,
                Duration::from_secs(expected),
                "no answer outlives it"
            );
        }
    }

    #[test]
    fn the_programme_alone_can_call_a_false_positive() {
        let site = Site::new();
        let mut engine = site.start("");
        let mode = |engine: &Engine| met(engine, "evil.example").map(|one| one.mode);
        let (enforced, watched) = (Some(Mode::Enforce), Some(Mode::Monitor));
        engine.news(0, objects(&[indicator(ID, "evil.example")], "2026-01-14T00:00:00Z")).unwrap();
        // Whoever says so before the hub has named the programme: it counts when the hub has, if it is the one.
        let said = [opinion(Some("identity--1")), opinion(Some("identity--2")), opinion(None)];
        engine.news(0, objects(&said, "2026-01-14T00:00:01Z")).unwrap();
        assert_eq!(mode(&engine), enforced);
        engine.news(0, hub_of("identity--3")).unwrap();
        assert_eq!(mode(&engine), enforced);
        engine.news(0, hub_of("identity--1")).unwrap();
        assert_eq!(mode(&engine), watched);
        drop(engine);
        let mut engine = site.start("");
        assert_eq!(mode(&engine), watched, "it is known after a restart who the programme is");
        engine.news(0, hub_of("identity--3")).unwrap();
        assert_eq!(mode(&engine), enforced, "another programme did not say so");
        drop(engine);
        let mut engine = site.start("");
        assert_eq!(mode(&engine), enforced, "what others said is not believed for want of knowing better");
        engine.news(0, objects(&[opinion(Some("identity--3"))], "2026-01-14T00:00:02Z")).unwrap();
        assert_eq!(mode(&engine), watched);
    }

    #[test]
    fn time_ends_an_indicator_and_hits_are_counted() {
        let site = Site::new();
        let mut engine = site.start("");
        let mut ending = indicator(ID, "evil.example");
        ending["valid_until"] = json!("2026-01-15T01:00:00Z");
        engine.news(0, objects(&[ending], "2026-01-14T00:00:00Z")).unwrap();
        let decided = met(&engine, "evil.example").unwrap();
        let who = engine.judge.customers().of_address("192.0.2.1".parse().unwrap()).unwrap();
        engine.judge.hit(who, Service::Sinkhole, decided.slot, crate::occurrence::Action::Enforced);
        engine.turn().unwrap();
        assert_eq!(engine.counts().of(id_of(ID).unwrap()), HitCount { enforced: 1, monitored: 0 });
        assert_eq!(engine.facts().waiting(), (0, 0), "the customer did not consent");
        site.clock.advance(Duration::from_hours(1));
        engine.turn().unwrap();
        assert!(met(&engine, "evil.example").is_none());
    }

    #[test]
    fn what_the_programme_allows_wins_at_once_and_after_a_restart() {
        let site = Site::new();
        let mut engine = site.start("");
        let both = [indicator(ID, "evil.example"), indicator(OTHER, "good.example")];
        engine.news(0, objects(&both, "2026-01-14T00:00:00Z")).unwrap();
        let values = vec!["good.example".to_owned(), "?? of a later version".to_owned()];
        engine.news(0, News::Allowed(values.clone())).unwrap();
        assert!(met(&engine, "good.example").is_none() && met(&engine, "evil.example").is_some());
        assert_eq!(engine.set.report(|_| true).feeds[0].refused.get("allowed"), Some(&1));
        let key = engine.secrets.hold_key();
        drop(engine);
        let kept: Option<Vec<String>> = key.read_note(site.folder.path(), PROGRAMME_ALLOWS).unwrap();
        assert_eq!(kept, Some(values));
        assert!(
            HoldKey::new([0; 32]).read_note::<Vec<String>>(site.folder.path(), PROGRAMME_ALLOWS).is_err()
        );
        let mut engine = site.start("");
        engine.news(0, News::Allowed(vec!["other.example".to_owned()])).unwrap();
        assert!(met(&engine, "good.example").is_some(), "taken off the list it is enforced again");
    }

    #[test]
    fn what_is_blinded_is_met_and_nothing_of_it_is_kept_or_written() {
        let site = Site::new();
        let mut engine = site.start("");
        let key = matcher::Key::name("secret.example", matcher::Scope::Subdomains).unwrap();
        let value = matcher::BlindKey::new(&[6; 32]).blind(&key).to_string();
        let (kind, digest) = value.split_once(':').unwrap();
        let line = BlindLine {
            reference: "b-8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f".to_owned(),
            kind: kind.to_owned(),
            digest: digest.to_owned(),
            from: None,
            until: None,
            confidence: None,
            false_positive: false,
            category: None,
        };
        let feed = |entries| BlindFeed { key: "06".repeat(32), serial: "1".to_owned(), entries };
        engine.news(0, News::Blinded(feed(vec![line]))).unwrap();
        assert_eq!(met(&engine, "www.secret.example").map(|one| one.mode), Some(Mode::Enforce));
        assert!(met(&engine, "secrets.example").is_none());
        assert!(!format!("{:?}", engine.set.record(0)).contains("secret"), "only its hash is known");
        engine.news(0, News::Blinded(feed(Vec::new()))).unwrap();
        assert!(met(&engine, "www.secret.example").is_none());
        drop(engine);
        assert!(met(&site.start(""), "www.secret.example").is_none());
    }

    #[test]
    fn what_is_blinded_begins_ends_and_is_doubted_as_everything_else() {
        let site = Site::new();
        let mut engine = site.start_with("", "confidence_min = 50\ndays_max = 10");
        let key = matcher::Key::name("secret.example", matcher::Scope::Subdomains).unwrap();
        let value = matcher::BlindKey::new(&[6; 32]).blind(&key).to_string();
        let (kind, digest) = value.split_once(':').unwrap();
        let line = BlindLine {
            reference: "b-8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f".to_owned(),
            kind: kind.to_owned(),
            digest: digest.to_owned(),
            from: Some("2026-01-10T00:00:00Z".to_owned()),
            until: None,
            confidence: Some(50),
            false_positive: false,
            category: None,
        };
        let mut mode = |change: &dyn Fn(&mut BlindLine)| {
            let mut line = line.clone();
            change(&mut line);
            let entries = vec![line];
            let feed = BlindFeed { key: "06".repeat(32), serial: "1".to_owned(), entries };
            engine.news(0, News::Blinded(feed)).unwrap();
            met(&engine, "secret.example").map(|one| one.mode)
        };
        let from = |date: &'static str| move |line: &mut BlindLine| line.from = Some(date.to_owned());
        let (enforced, watched) = (Some(Mode::Enforce), Some(Mode::Monitor));
        assert_eq!(mode(&|_| {}), enforced);
        assert_eq!(mode(&from("2031-01-01T00:00:00Z")), None, "it has not begun");
        assert_eq!(mode(&from("2026-01-05T00:00:00Z")), None, "the site keeps it for ten days");
        assert_eq!(mode(&from("some day")), None, "nobody knows when it begins");
        assert_eq!(mode(&|line| line.confidence = Some(49)), watched);
        assert_eq!(mode(&|line| line.confidence = None), enforced);
        assert_eq!(mode(&|line| line.false_positive = true), watched);
        assert_eq!(mode(&from("2026-01-15T01:00:00Z")), None);
        site.clock.advance(Duration::from_hours(1));
        engine.turn().unwrap();
        assert!(met(&engine, "secret.example").is_some(), "its hour has come");
        // Whoever follows is told that it is held no more.
        let before = engine.let_go().load(Ordering::Acquire);
        engine.lease.set_length(Duration::ZERO);
        engine.turn().unwrap();
        assert!(met(&engine, "secret.example").is_none());
        assert_eq!(engine.let_go().load(Ordering::Acquire), before + 1);
    }
}
