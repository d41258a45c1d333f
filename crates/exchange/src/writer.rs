//! The one writer: a thread that gathers what is waiting into one transaction.
//!
//! Work is a closure that is run inside the transaction with a [`Turn`] in its hand. It checks first and writes
//! after, because a work that fails after it wrote takes everybody in its transaction with it. Its result is
//! handed back when the transaction is durable, and not before.
//!
//! Decisions go ahead of what else waits ([`queue`](crate::queue)). A work that panics stops the writer for good: who waits
//! is told so, and the hub is not ready until it is started again.
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
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ledger::tile::Kind;
use ledger::{Body, Opening};
use model::{Clock, Epoch, Principal, Timestamp};
use release::{Grants, Label};
use store::{Horizon, Record, Segment, Store, StoreError, StoredEntry, Transaction};

use crate::error::WriteError;
use crate::health::note_stored;
use crate::keeping::{Keeper, When};
use crate::published::Published;
use crate::queue::{Next, Priority, Queue};
use crate::registry::{ReaderGrants, Registry, TRANSITION, Verdicts, transition_key};

/// How many works share a transaction: enough to amortise the sync, few enough to answer soon.
const GROUP_MAX: usize = 128;
/// How long the writer is idle before it tidies the store.
const IDLE: Duration = Duration::from_millis(200);
/// Under which level the store keeps the bundles of the ledger's entries; tree levels end far below.
pub(crate) const BUNDLE_LEVEL: u8 = u8::MAX;

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
    /// How many objects were stored.
    stored: u64,
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

    /// Appends one commit's segments.
    pub(crate) fn append(&mut self, segments: Vec<Segment>) -> Result<(), StoreError> {
        self.stored += segments.iter().map(|segment| u64::from(segment.count())).sum::<u64>();
        self.write().append(segments)
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

/// The way to the writer's thread.
pub(crate) struct Writer {
    queue: Arc<Queue<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Random,
        published: Arc<Published>,
        keeper: Option<Keeper>,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::new());
        let jobs = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
            let _ending = Ending { jobs: Arc::clone(&jobs), published: Arc::clone(&published) };
            Loop { store, clock, random, published, jobs, keeper, halted: None }.run();
        })?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Runs a decision, ahead of what waits; else as [`run`](Self::run).
    pub(crate) fn decide<T, E>(
        &self,
        instants: Instants,
        work: impl FnOnce(&mut Turn<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<(T, Timestamp), E>
    where
        T: Send + 'static,
        E: From<WriteError> + Send + 'static,
    {
        self.run_with(Priority::Decision, instants, work)
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
        self.run_with(Priority::Usual, instants, work)
    }

    fn run_with<T, E>(
        &self,
        priority: Priority,
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
        if self.queue.add(job, priority).is_err() {
            return Err(E::from(WriteError::Closed));
        }
        // Without an answer the work went down with the writer, and nothing of it was written.
        answers.recv().unwrap_or_else(|_| Err(E::from(WriteError::Halted(Arc::new(panicked())))))
    }
}

/// Why the writer has stopped after a panic. What it was and where is on stderr.
fn panicked() -> StoreError {
    StoreError::failed("writing", "the writer has failed by a fault of its own")
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
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
    jobs: Arc<Queue<Job>>,
    keeper: Option<Keeper>,
    halted: Option<Arc<StoreError>>,
}

/// However the writer's thread ends, nobody waits for it any more.
struct Ending {
    jobs: Arc<Queue<Job>>,
    published: Arc<Published>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.jobs.close();
        self.published.halted.store(true, Ordering::Relaxed);
        // Who waits for one of these is told that it will not be done.
        while let Next::Work(job, _) = self.jobs.next(Duration::ZERO) {
            drop(job);
        }
        self.published.land();
    }
}

/// The works of one transaction that are done.
#[derive(Default)]
struct Done {
    replies: Vec<Reply>,
    /// Whether any of them hands out instants.
    appends: bool,
}

impl Loop {
    fn run(&mut self) {
        let mut untidy = true;
        loop {
            match self.jobs.next(IDLE) {
                Next::Work(job, priority) => {
                    untidy = true;
                    self.commit(job, priority);
                    self.keep(When::Busy);
                }
                Next::Idle => {
                    self.keep(When::Idle);
                    if untidy && self.halted.is_none() {
                        untidy = self.tend();
                    }
                }
                Next::Closed => return self.keep(When::Idle),
            }
        }
    }

    fn keep(&mut self, when: When) {
        if let Some(keeper) = self.keeper.as_mut().filter(|_| self.halted.is_none()) {
            keeper.keep(&self.published.log(), self.clock.now(), when);
        }
    }

    fn tend(&self) -> bool {
        self.store.tend().unwrap_or_else(|error| {
            tracing::warn!(%error, "the store could not be tidied; it will be tried again");
            false
        })
    }

    /// Commits this work, and whatever is at hand that may share its transaction.
    fn commit(&mut self, first: Job, priority: Priority) {
        let mut done = Done::default();
        // A fault in one work must not leave the others, and the readers, waiting for ever.
        let result = catch_unwind(AssertUnwindSafe(|| self.apply(first, priority, &mut done)))
            .unwrap_or_else(|_| Err(WriteError::Halted(Arc::new(panicked()))));
        if let Err(WriteError::Halted(source)) = &result
            && self.halted.is_none()
        {
            tracing::error!(error = %source, "the store failed while committing; the hub has stopped writing");
            self.halted = Some(Arc::clone(source));
            self.published.halted.store(true, Ordering::Relaxed);
        }
        if done.appends {
            self.published.land();
        }
        if result.is_ok() && done.appends {
            self.published.announce();
        }
        let last = result.map(|horizon| horizon.last);
        for reply in done.replies {
            reply(last.clone());
        }
    }

    fn apply(&self, first: Job, priority: Priority, done: &mut Done) -> Result<Horizon, WriteError> {
        let mut tx = match (&self.halted, self.store.begin()) {
            (None, Ok(tx)) => tx,
            (Some(halted), _) => return refuse(first, done, WriteError::Halted(Arc::clone(halted))),
            (None, Err(error)) => return refuse(first, done, WriteError::from(error)),
        };
        let mut registry = self.published.registry();
        let mut log = ledger::Writer::clone(&self.published.log());
        let mut reformed = HashMap::new();
        let mut turn = Turn {
            tx: tx.as_mut(),
            log: &mut log,
            registry: &mut registry,
            now: self.clock.now(),
            random: &self.random,
            reformed: &mut reformed,
            writes: 0,
            stored: 0,
        };
        let (mut failed, mut next, mut is_alone) = (false, Some(first), false);
        while let Some(job) = next {
            if job.instants != Instants::None && !done.appends {
                done.appends = true;
                turn.now = self.published.take_off(self.clock.as_ref());
            }
            is_alone |= job.instants == Instants::Alone;
            let (reply, outcome) = (job.work)(Ok(&mut turn));
            done.replies.push(reply);
            failed |= outcome == Outcome::FailedAfterWriting;
            let has_room = !is_alone && done.replies.len() < GROUP_MAX;
            next = has_room
                .then(|| self.jobs.another(priority, |job| job.instants != Instants::Alone))
                .flatten();
        }
        let nothing_written = turn.writes == 0;
        if failed {
            let why = StoreError::failed(
                "committing",
                "another change in the same transaction failed half way, so all of them were undone",
            );
            return Err(WriteError::from(why));
        }
        if nothing_written {
            return Ok(turn.tx.horizon());
        }
        if turn.stored > 0 {
            let objects = turn.stored;
            note_stored(&mut turn, self.store.snapshot()?.as_ref(), objects)?;
        }
        let horizon = tx.commit()?;
        let mut shared = self.published.shared.write().unwrap_or_else(PoisonError::into_inner);
        shared.registry = registry;
        shared.grants.extend(reformed);
        drop(shared);
        *self.published.log.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(log);
        Ok(horizon)
    }
}

/// Answers with `error` without running anything.
fn refuse(job: Job, done: &mut Done, error: WriteError) -> Result<Horizon, WriteError> {
    done.replies.push((job.work)(Err(error.clone())).0);
    Err(error)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use model::ManualClock;
    use programme::Programme;
    use release::Policy;
    use store::MemoryStore;

    use super::*;

    fn writer() -> (Arc<Writer>, Arc<Published>) {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let programme = Arc::new(Programme::from_files(&programme::template()).unwrap());
        let policy = Arc::new(Policy::new(programme).unwrap());
        let registry = Registry::load(store.snapshot().unwrap().as_ref(), policy).unwrap();
        let published = Arc::new(Published::new(registry, ledger::Writer::new()));
        let clock = Arc::new(ManualClock::at("2012-03-28T00:00:00Z".parse().unwrap()));
        let random: Random = Arc::new(|bytes| bytes.fill(7));
        let writer = Writer::start(store, clock, random, Arc::clone(&published), None).unwrap();
        (Arc::new(writer), published)
    }

    #[test]
    fn a_decision_goes_ahead_of_what_waits() {
        let (writer, _) = writer();
        let (done, order) = channel();
        let (started, is_started) = channel();
        let (open, gate) = channel::<()>();
        let run = |name: &'static str, priority: Priority| {
            let (writer, done) = (Arc::clone(&writer), done.clone());
            std::thread::spawn(move || {
                let work = move |_: &mut Turn<'_>| -> Result<(), WriteError> {
                    done.send(name).unwrap();
                    Ok(())
                };
                writer.run_with(priority, Instants::HandsOut, work).unwrap();
            })
        };
        let first = Arc::clone(&writer);
        let first = std::thread::spawn(move || {
            let work = move |_: &mut Turn<'_>| -> Result<(), WriteError> {
                started.send(()).unwrap();
                gate.recv().unwrap();
                Ok(())
            };
            first.run(Instants::HandsOut, work).unwrap();
        });
        is_started.recv().unwrap();
        let mut threads = vec![first, run("a publication", Priority::Usual)];
        while writer.queue.count(Priority::Usual) < 1 {
            std::thread::yield_now();
        }
        threads.push(run("a decision", Priority::Decision));
        while writer.queue.count(Priority::Decision) < 1 {
            std::thread::yield_now();
        }
        open.send(()).unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(order.try_iter().collect::<Vec<_>>(), ["a decision", "a publication"]);
    }

    #[test]
    fn a_work_that_panics_stops_the_writer_and_leaves_nobody_waiting() {
        let (writer, published) = writer();
        let panics = |turn: &mut Turn<'_>| -> Result<(), WriteError> {
            let at = turn.instant(1);
            panic!("at {at}");
        };
        let told = writer.run(Instants::HandsOut, panics);
        assert!(matches!(told, Err(WriteError::Halted(_))), "{told:?}");
        published.settle(Timestamp::MAX);
        let told = writer.run(Instants::None, |_| -> Result<(), WriteError> { Ok(()) });
        assert!(matches!(told, Err(WriteError::Halted(_))), "{told:?}");
        assert!(published.halted.load(Ordering::Relaxed));
    }
}
