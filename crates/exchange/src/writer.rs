//! The one writer: a thread that gathers what is waiting into one transaction.
//!
//! Work is a closure that is run inside the transaction with a [`Turn`] in its hand. It checks first and writes
//! after, because a work that fails after it wrote takes everybody in its transaction with it. Its result is
//! handed back when the transaction is durable, and not before.
//!
//! # What a crash leaves
//!
//! | the process dies | the store has | the caller has |
//! |---|---|---|
//! | before the store's commit | nothing of the transaction | no answer |
//! | after it, before the answer | all of it | no answer; a publisher sends again and is told "already here" |
//! | after the answer | all of it | the answer |
//!
//! Nothing is kept beside the store, so opening the exchange again is the whole recovery: the registry, the labels
//! and the ledger's right edge are read back from what was committed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use ledger::tile::Kind;
use ledger::{Body, Opening};
use model::{Clock, Epoch, Principal, Timestamp};
use release::{Grants, Label};
use store::{Horizon, Record, Store, StoreError, StoredEntry, Transaction};

use crate::error::WriteError;
use crate::registry::{ReaderGrants, Registry, TRANSITION, Verdicts, transition_key};

/// How many works may wait. A publisher that finds the queue full waits for its turn, which is the back-pressure.
const QUEUE_MAX: usize = 1_024;
/// How many works share a transaction: enough to amortise the sync, few enough to answer soon.
const GROUP_MAX: usize = 128;
/// How long the writer is idle before it tidies the store.
const IDLE: Duration = Duration::from_millis(200);
/// Under which level the store keeps the bundles of the ledger's entries; tree levels end far below.
pub(crate) const BUNDLE_LEVEL: u8 = u8::MAX;

/// The registry, and the grants that were made under it.
///
/// INVARIANT: both change under one lock, so no reader ever holds the grants of one epoch and the registry of a
/// later one.
pub(crate) struct Shared {
    pub(crate) registry: Arc<Registry>,
    pub(crate) grants: HashMap<Principal, ReaderGrants>,
}

/// What other threads see of the writer's results.
pub(crate) struct Published {
    shared: RwLock<Shared>,
    pub(crate) log: RwLock<Arc<ledger::Writer>>,
    flight: Mutex<Option<Timestamp>>,
    landed: Condvar,
    arrivals: Mutex<u64>,
    arrived: Condvar,
    /// Whether the writer has stopped for good.
    pub(crate) halted: AtomicBool,
}

impl Published {
    pub(crate) fn new(registry: Registry, log: ledger::Writer) -> Self {
        Self {
            shared: RwLock::new(Shared { registry: Arc::new(registry), grants: HashMap::new() }),
            log: RwLock::new(Arc::new(log)),
            flight: Mutex::new(None),
            landed: Condvar::new(),
            arrivals: Mutex::new(0),
            arrived: Condvar::new(),
            halted: AtomicBool::new(false),
        }
    }

    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.shared.read().unwrap_or_else(PoisonError::into_inner).registry)
    }

    /// The registry and the reader's grants of the same epoch, if these are in memory.
    pub(crate) fn registry_and_grants(&self, principal: &Principal) -> (Arc<Registry>, Option<ReaderGrants>) {
        let shared = self.shared.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&shared.registry), shared.grants.get(principal).cloned())
    }

    /// Keeps a reader's grants in memory, unless the epoch under which they were made is over.
    pub(crate) fn keep_grants(&self, principal: &Principal, made_at: Epoch, grants: &ReaderGrants) {
        let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        if shared.registry.epoch == made_at {
            shared.grants.insert(principal.clone(), grants.clone());
        }
    }

    pub(crate) fn log(&self) -> Arc<ledger::Writer> {
        Arc::clone(&self.log.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until no transaction is in flight that may hand out instants at or before `horizon`.
    pub(crate) fn settle(&self, horizon: Timestamp) {
        let mut flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        while flight.is_some_and(|since| since <= horizon) {
            flight = self.landed.wait(flight).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The clock is read under the lock: a reader that took its horizon before finds every instant of this flight
    /// behind it, and one that takes it after waits.
    fn take_off(&self, clock: &dyn Clock) -> Timestamp {
        let mut flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.now();
        *flight = Some(now);
        now
    }

    fn land(&self) {
        *self.flight.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.landed.notify_all();
    }

    /// Waits until something new may be there to read since `seen`, or `patience` is over; returns the new count.
    pub(crate) fn wait_for_arrivals(&self, seen: u64, patience: Duration) -> u64 {
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let (arrivals, _) = self
            .arrived
            .wait_timeout_while(arrivals, patience, |count| *count <= seen)
            .unwrap_or_else(PoisonError::into_inner);
        *arrivals
    }

    fn announce(&self) {
        *self.arrivals.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.arrived.notify_all();
    }
}

/// Fills a buffer with random bytes.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// How readers are judged anew: which labels are concerned, and what was decided already.
pub(crate) struct Judging<'j> {
    pub(crate) concerned: &'j dyn Fn(&Label) -> bool,
    pub(crate) verdicts: Verdicts,
}

impl Judging<'_> {
    /// Every label, under the rules of `registry`.
    pub(crate) fn all(registry: &Registry) -> Self {
        Self { concerned: &|_| true, verdicts: Verdicts::new(registry) }
    }
}

/// One work's hold on the transaction.
pub(crate) struct Turn<'t> {
    tx: &'t mut dyn Transaction,
    log: &'t mut ledger::Writer,
    pub(crate) registry: &'t mut Arc<Registry>,
    pub(crate) now: Timestamp,
    random: &'t Random,
    reformed: &'t mut HashMap<Principal, ReaderGrants>,
    writes: usize,
}

impl<'t> Turn<'t> {
    /// The transaction, for reading.
    pub(crate) fn tx(&self) -> &dyn Transaction {
        self.tx
    }

    /// The transaction, for writing.
    pub(crate) fn write(&mut self) -> &mut (dyn Transaction + 't) {
        self.writes += 1;
        self.tx
    }

    /// Hands out an instant, even, later than every earlier one, with room for `objects` dates behind it.
    pub(crate) fn instant(&mut self, objects: u64) -> Timestamp {
        let last = self.tx.horizon().last;
        let after = self.now.max(last).as_micros() + 1;
        let at = Timestamp::from_micros(after + (after & 1));
        self.write().set_last(at.plus_micros(i64::try_from(objects.saturating_mul(2)).unwrap_or(i64::MAX)));
        at
    }

    /// Leaves room for `objects` dates behind the newest instant, `at`, after all.
    pub(crate) fn widen(&mut self, at: Timestamp, objects: u64) {
        self.write().set_last(at.plus_micros(i64::try_from(objects.saturating_mul(2)).unwrap_or(i64::MAX)));
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.tx.horizon().epoch
    }

    /// Begins the next epoch.
    pub(crate) fn begin_epoch(&mut self) -> Epoch {
        let next = self.epoch().next();
        self.write().set_epoch(next);
        Arc::make_mut(self.registry).epoch = next;
        next
    }

    /// Judges every label anew for one reader, as of `at`: `before` is the registry under which it was judged so
    /// far, and the present one says what holds from now on.
    pub(crate) fn reform(
        &mut self,
        principal: &Principal,
        known: &ReaderGrants,
        before: &Registry,
        at: Timestamp,
        judging: &mut Judging<'_>,
    ) -> Result<(), StoreError> {
        let known = self.reformed.get(principal).unwrap_or(known).brought_up(before, principal);
        let facts = &before.labels.facts;
        for transition in known.grants.unrecorded(known.recorded, facts) {
            self.put_json(TRANSITION, &transition_key(principal, &transition), &transition)?;
        }
        let mut grants = Grants::clone(&known.grants);
        let registry = Arc::clone(self.registry);
        let judge = registry.reader(principal).map(|reader| registry.policy.judge(reader));
        let Judging { concerned, verdicts } = judging;
        let transition = grants.judge_some(at, facts, *concerned, |id, label| {
            verdicts.of(&registry, principal, id, label, || {
                judge.as_ref().is_some_and(|judge| judge.may_read(&registry.resolved(label)).permitted)
            })
        });
        self.put_json(TRANSITION, &transition_key(principal, &transition), &transition)?;
        let recorded = transition.labels;
        self.reformed.insert(principal.clone(), ReaderGrants { grants: Arc::new(grants), recorded });
        Ok(())
    }

    /// The number of the next alert.
    pub(crate) fn next_alert(&mut self) -> u64 {
        let registry = Arc::make_mut(self.registry);
        registry.alerts += 1;
        registry.alerts - 1
    }

    /// The number of the next batch of statements.
    pub(crate) fn next_batch(&mut self) -> u64 {
        let registry = Arc::make_mut(self.registry);
        registry.batches += 1;
        registry.batches - 1
    }

    pub(crate) fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.random)(&mut bytes);
        bytes
    }

    pub(crate) fn put_json(
        &mut self,
        kind: &str,
        key: &str,
        value: &impl serde::Serialize,
    ) -> Result<(), StoreError> {
        let value =
            serde_json::to_vec(value).map_err(|error| StoreError::failed("writing a record", error))?;
        self.write().put(Record { kind: kind.to_owned(), key: key.to_owned(), value })
    }

    /// Writes an entry to the ledger.
    pub(crate) fn record(&mut self, body: &Body) -> Result<u64, StoreError> {
        self.writes += 1;
        let opening = Opening { salt: self.random_bytes(), body: body.to_bytes() };
        let index = self
            .log
            .append(&opening.commitment())
            .map_err(|error| StoreError::failed("appending to the ledger", error))?;
        self.tx.append_entry(StoredEntry { index, salt: opening.salt, body: opening.body })?;
        for (tile, bytes) in self.log.take_full() {
            let level = match tile.kind() {
                Kind::Entries => BUNDLE_LEVEL,
                Kind::Hashes { level } => level,
            };
            self.tx.put_tile(level, tile.index(), &bytes)?;
        }
        Ok(index)
    }
}

type Reply = Box<dyn FnOnce(Result<Timestamp, WriteError>) + Send>;
type Work = Box<dyn FnOnce(Result<&mut Turn<'_>, WriteError>) -> (Reply, Outcome) + Send>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Fine,
    FailedAfterWriting,
}

struct Job {
    work: Work,
    instants: Instants,
}

/// Whether a work hands out instants, so that readers have to wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instants {
    /// It does.
    HandsOut,
    /// It does, and it reads what is durable, so it wants a transaction of its own.
    Alone,
    /// It only records.
    None,
}

/// The queue to the writer's thread.
pub(crate) struct Writer {
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Random,
        published: Arc<Published>,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
            Loop { store, clock, random, published, halted: None }.run(&jobs);
        })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Runs `work` in a transaction and returns its result once that is durable, with the last instant that the
    /// transaction handed out.
    pub(crate) fn run<T, E>(
        &self,
        instants: Instants,
        work: impl FnOnce(&mut Turn<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<(T, Timestamp), E>
    where
        T: Send + 'static,
        E: From<WriteError> + Send + 'static,
    {
        let (answer, answers): (Sender<Result<(T, Timestamp), E>>, _) = std::sync::mpsc::channel();
        let work: Work = Box::new(move |turn| {
            let (result, outcome) = match turn {
                Ok(turn) => {
                    let before = turn.writes;
                    let result = work(turn);
                    let spoilt = result.is_err() && turn.writes > before;
                    (result, if spoilt { Outcome::FailedAfterWriting } else { Outcome::Fine })
                }
                Err(error) => (Err(E::from(error)), Outcome::Fine),
            };
            let reply: Reply = Box::new(move |committed| {
                let result = match (result, committed) {
                    (Err(error), _) => Err(error),
                    (Ok(value), Ok(last)) => Ok((value, last)),
                    (Ok(_), Err(error)) => Err(E::from(error)),
                };
                // A caller that went away does not want its answer any more.
                drop(answer.send(result));
            });
            (reply, outcome)
        });
        let job = Job { work, instants };
        let sent = self.queue.as_ref().is_some_and(|queue| queue.send(job).is_ok());
        if !sent {
            return Err(E::from(WriteError::Closed));
        }
        answers.recv().unwrap_or_else(|_| Err(E::from(WriteError::Closed)))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

struct Loop {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Random,
    published: Arc<Published>,
    halted: Option<Arc<StoreError>>,
}

impl Loop {
    fn run(&mut self, jobs: &Receiver<Job>) {
        let mut untidy = true;
        let mut waiting: Option<Job> = None;
        loop {
            let first = match waiting.take().map_or_else(|| jobs.recv_timeout(IDLE), Ok) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    if untidy && self.halted.is_none() {
                        untidy = self.tend();
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            untidy = true;
            let mut group = vec![first];
            while group.len() < GROUP_MAX && group[0].instants != Instants::Alone {
                match jobs.try_recv() {
                    Ok(job) if job.instants == Instants::Alone => {
                        waiting = Some(job);
                        break;
                    }
                    Ok(job) => group.push(job),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            self.commit(group);
        }
    }

    fn tend(&self) -> bool {
        self.store.tend().unwrap_or_else(|error| {
            tracing::warn!(%error, "the store could not be tidied; it will be tried again");
            false
        })
    }

    fn commit(&mut self, group: Vec<Job>) {
        let appends = group.iter().any(|job| job.instants != Instants::None);
        let now = if appends { self.published.take_off(self.clock.as_ref()) } else { self.clock.now() };
        let (replies, result) = self.apply(group, now);
        if appends {
            self.published.land();
        }
        if result.is_ok() && appends {
            self.published.announce();
        }
        if let Err(WriteError::Halted(source)) = &result {
            tracing::error!(error = %source, "the store failed while committing; the hub has stopped writing");
            self.halted = Some(Arc::clone(source));
            self.published.halted.store(true, Ordering::Relaxed);
        }
        let last = result.map(|horizon| horizon.last);
        for reply in replies {
            reply(last.clone());
        }
    }

    fn apply(&self, group: Vec<Job>, now: Timestamp) -> (Vec<Reply>, Result<Horizon, WriteError>) {
        let mut replies = Vec::with_capacity(group.len());
        let mut tx = match (&self.halted, self.store.begin()) {
            (None, Ok(tx)) => tx,
            (Some(halted), _) => return refuse(group, &WriteError::Halted(Arc::clone(halted))),
            (None, Err(error)) => return refuse(group, &WriteError::from(error)),
        };
        let mut registry = self.published.registry();
        let mut log = ledger::Writer::clone(&self.published.log());
        let mut reformed = HashMap::new();
        let mut turn = Turn {
            tx: tx.as_mut(),
            log: &mut log,
            registry: &mut registry,
            now,
            random: &self.random,
            reformed: &mut reformed,
            writes: 0,
        };
        let mut failed = false;
        for job in group {
            let (reply, outcome) = (job.work)(Ok(&mut turn));
            replies.push(reply);
            failed |= outcome == Outcome::FailedAfterWriting;
        }
        let nothing_written = turn.writes == 0;
        if failed {
            let why = StoreError::failed(
                "committing",
                "another change in the same transaction failed half way, so all of them were undone",
            );
            return (replies, Err(WriteError::from(why)));
        }
        if nothing_written {
            let horizon = turn.tx.horizon();
            return (replies, Ok(horizon));
        }
        match tx.commit() {
            Ok(horizon) => {
                let mut shared = self.published.shared.write().unwrap_or_else(PoisonError::into_inner);
                shared.registry = registry;
                shared.grants.extend(reformed);
                drop(shared);
                *self.published.log.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(log);
                (replies, Ok(horizon))
            }
            Err(error) => (replies, Err(WriteError::from(error))),
        }
    }
}

/// Answers everybody with `error` without running anything.
fn refuse(group: Vec<Job>, error: &WriteError) -> (Vec<Reply>, Result<Horizon, WriteError>) {
    let replies = group.into_iter().map(|job| (job.work)(Err(error.clone())).0).collect();
    (replies, Err(error.clone()))
}
