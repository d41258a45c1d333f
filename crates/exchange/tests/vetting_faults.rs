//! A store that fails under an import of ties: what is in memory is what is in the store, and what was not done is
//! done later.

#![expect(clippy::unwrap_used, reason = "what cannot be set up or decided fails the test, as it should")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exchange::{AdminError, WriteError};
use model::{Epoch, MemberId, Standing, Timestamp};
use programme::template;
use store::{
    CommitError, CommitNo, Copy, Horizon, Mark, MemoryStore, Position, Record, ReferenceKey, Segment,
    Snapshot, Store, StoreError, StoredEntry, Transaction,
};
use testkit::{World, tier};
use ties::Statement;

/// What the store does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    /// A record of this kind is not written.
    Put(&'static str),
    /// No entry of the ledger is written.
    Entry,
    /// The commit is lost.
    Lost,
    /// The commit is kept, and reported as unknown.
    KeptButReportedFailed,
    /// Every third commit is lost.
    EveryThirdLost,
}

/// A store in memory that fails when it is told to.
#[derive(Default)]
struct Faulty {
    under: MemoryStore,
    fault: Mutex<Fault>,
    commits: AtomicU64,
}

impl Faulty {
    fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

fn broken() -> StoreError {
    StoreError::failed("writing", std::io::Error::from(std::io::ErrorKind::StorageFull))
}

impl Store for Faulty {
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StoreError> {
        Ok(Box::new(Writing { under: self.under.begin()?, of: self }))
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        self.under.snapshot()
    }
}

struct Writing<'s> {
    under: Box<dyn Transaction + 's>,
    of: &'s Faulty,
}

impl Writing<'_> {
    fn fault(&self) -> Fault {
        *self.of.fault.lock().unwrap()
    }
}

impl Transaction for Writing<'_> {
    fn horizon(&self) -> Horizon {
        self.under.horizon()
    }

    fn set_last(&mut self, last: Timestamp) {
        self.under.set_last(last);
    }

    fn set_epoch(&mut self, epoch: Epoch) {
        self.under.set_epoch(epoch);
    }

    fn next_commit(&mut self) -> CommitNo {
        self.under.next_commit()
    }

    fn append(&mut self, segments: Vec<Segment>) -> Result<(), StoreError> {
        self.under.append(segments)
    }

    fn mark(&mut self, mark: Mark) -> Result<(), StoreError> {
        self.under.mark(mark)
    }

    fn erase(&mut self, position: Position) -> Result<(), StoreError> {
        self.under.erase(position)
    }

    fn find(&self, id: &str) -> Result<Vec<Copy>, StoreError> {
        self.under.find(id)
    }

    fn is_same(&self, copy: &Copy, body: &[u8]) -> Result<bool, StoreError> {
        self.under.is_same(copy, body)
    }

    fn body_for_relabelling(&self, copy: &Copy) -> Result<Vec<u8>, StoreError> {
        self.under.body_for_relabelling(copy)
    }

    fn referrers(&self, id: &str) -> Result<Vec<Copy>, StoreError> {
        self.under.referrers(id)
    }

    fn refer_by(&mut self, key: ReferenceKey, position: Position) -> Result<(), StoreError> {
        self.under.refer_by(key, position)
    }

    fn put(&mut self, record: Record) -> Result<(), StoreError> {
        if matches!(self.fault(), Fault::Put(kind) if kind == record.kind) {
            return Err(broken());
        }
        self.under.put(record)
    }

    fn remove(&mut self, kind: &str, key: &str) -> Result<(), StoreError> {
        self.under.remove(kind, key)
    }

    fn append_entry(&mut self, entry: StoredEntry) -> Result<(), StoreError> {
        if self.fault() == Fault::Entry {
            return Err(broken());
        }
        self.under.append_entry(entry)
    }

    fn put_tile(&mut self, level: u8, index: u64, tile: &[u8]) -> Result<(), StoreError> {
        self.under.put_tile(level, index, tile)
    }

    fn commit(self: Box<Self>) -> Result<Horizon, CommitError> {
        let count = self.of.commits.fetch_add(1, Ordering::SeqCst);
        match self.fault() {
            Fault::Lost => Err(CommitError::NotApplied(broken())),
            Fault::EveryThirdLost if count.is_multiple_of(3) => Err(CommitError::NotApplied(broken())),
            Fault::KeptButReportedFailed => {
                self.under.commit()?;
                Err(CommitError::Unknown(broken()))
            }
            Fault::None | Fault::Put(_) | Fault::Entry | Fault::EveryThirdLost => self.under.commit(),
        }
    }
}

struct Hub {
    world: World,
    store: Arc<Faulty>,
    member: MemberId,
}

/// A hub with a member that one tie would suspend.
fn hub() -> Hub {
    let store = Arc::new(Faulty::default());
    let world = World::over(Arc::clone(&store) as Arc<dyn Store>, &template(), 7);
    let (member, _) = world.member("Acme", &["open", "programme", "cleared"]);
    world.exchange.bind_entity(&world.operator, &member.id, &"acme".parse().unwrap()).unwrap();
    let around = statements(&[
        (
            "e-1",
            r#"{"entity":{"id":"acme","kind":"organisation","countries":["US"],"sectors":["security"]}}"#,
        ),
        (
            "e-2",
            r#"{"entity":{"id":"dragon","kind":"organisation","countries":["CN"],"sectors":["security"]}}"#,
        ),
        (
            "e-3",
            r#"{"entity":{"id":"venture","kind":"organisation","countries":["HK"],"sectors":["security"]}}"#,
        ),
        ("l-1", r#"{"listing":{"id":"l-1","list":"concern","entity":"dragon"}}"#),
        ("s-1", &stake("t-dragon", "dragon", "51%", r#"{"from":"2008"}"#)),
    ]);
    let imported = world.exchange.import_ties(&world.operator, around, "what is around it").unwrap();
    assert_eq!((imported.new, imported.refused.len()), (5, 0));
    Hub { world, store, member: member.id }
}

fn stake(tie: &str, from: &str, percent: &str, valid: &str) -> String {
    let kind = format!(r#"{{"holds":{{"votes":"{percent}","money":"{percent}"}}}}"#);
    format!(r#"{{"tie":{{"id":"{tie}","from":"{from}","to":"venture","kind":{kind},"valid":{valid}}}}}"#)
}

fn statements(said: &[(&str, &str)]) -> Vec<Statement> {
    let one = |(id, said): &(&str, &str)| {
        let text = format!(
            r#"{{"id":"{id}","said":{said},"source":{{"document":"a test"}},"recorded":"2000-01-01T00:00:00Z"}}"#
        );
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    said.iter().map(one).collect()
}

fn the_tie() -> Vec<Statement> {
    statements(&[("s-acme", &stake("t-acme", "acme", "49%", r#"{"from":"2008"}"#))])
}

impl Hub {
    fn standing(&self) -> Standing {
        self.world.exchange.member(&self.world.operator, &self.member).unwrap().standing(&tier("cleared"))
    }

    /// The statements in memory: those that were recorded, and those of the programme's lists.
    fn said(&self) -> Vec<Statement> {
        self.world.exchange.statements(&self.world.operator, 0, usize::MAX).unwrap()
    }

    /// The same, of a hub that is opened on what the store holds.
    fn said_in_store(&self) -> Vec<Statement> {
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        let other = World::over(store, &template(), 8);
        other.exchange.statements(&other.operator, 0, usize::MAX).unwrap()
    }
}

#[test]
fn an_import_that_fails_at_any_step_leaves_nothing_behind() {
    let faults = ["statements", "decision", "dossier", "past", "member", "transition", "alert"];
    let faults = faults.map(Fault::Put).into_iter().chain([Fault::Entry, Fault::Lost]);
    for fault in faults {
        let hub = hub();
        let (before, alerts) = (hub.said(), hub.world.exchange.alerts(&hub.world.operator, "").unwrap());
        for _ in 0..2 {
            hub.store.set(fault);
            hub.world.exchange.import_ties(&hub.world.operator, the_tie(), "a tie").unwrap_err();
            hub.store.set(Fault::None);
            assert_eq!(hub.said(), before, "{fault:?}");
            assert_eq!(hub.standing(), Standing::Listed, "{fault:?}");
            assert_eq!(hub.world.exchange.alerts(&hub.world.operator, "").unwrap(), alerts, "{fault:?}");
            // Nobody is judged by what was not recorded.
            assert!(hub.world.exchange.tend().unwrap().is_empty(), "{fault:?}");
        }
        let imported = hub.world.exchange.import_ties(&hub.world.operator, the_tie(), "again").unwrap();
        assert_eq!((imported.new, imported.known_already), (1, 0), "{fault:?}");
        assert_eq!(hub.standing(), Standing::Suspended, "{fault:?}");
        assert_eq!(hub.said(), hub.said_in_store(), "{fault:?}");
    }
}

#[test]
fn an_import_that_was_kept_and_reported_failed_is_there_after_a_restart() {
    let mut hub = hub();
    hub.store.set(Fault::KeptButReportedFailed);
    let told = hub.world.exchange.import_ties(&hub.world.operator, the_tie(), "a tie").unwrap_err();
    assert!(matches!(told, AdminError::Write(WriteError::Halted(_))), "{told:?}");
    hub.store.set(Fault::None);
    hub.world.exchange.tend().unwrap_err();
    hub.world.reopen(&template(), 8);
    assert_eq!(hub.standing(), Standing::Suspended);
    let again = hub.world.exchange.import_ties(&hub.world.operator, the_tie(), "again").unwrap();
    assert_eq!((again.new, again.known_already), (0, 1));
}

#[test]
fn a_day_whose_work_could_not_be_done_is_not_over() {
    let hub = hub();
    let tomorrow = statements(&[("s-acme", &stake("t-acme", "acme", "49%", r#"{"from":"2012-03-29"}"#))]);
    hub.world.exchange.import_ties(&hub.world.operator, tomorrow, "a tie of tomorrow").unwrap();
    assert!(hub.world.exchange.tend_if_due().unwrap().is_empty());
    hub.world.pass(Duration::from_hours(24));
    hub.store.set(Fault::Lost);
    for _ in 0..3 {
        hub.world.exchange.tend_if_due().unwrap_err();
        assert_eq!(hub.standing(), Standing::Listed);
    }
    hub.store.set(Fault::None);
    let moved = hub.world.exchange.tend_if_due().unwrap();
    assert!(moved.iter().any(|moved| moved.to == Standing::Suspended), "{moved:?}");
    assert_eq!(hub.standing(), Standing::Suspended);
    assert!(hub.world.exchange.tend_if_due().unwrap().is_empty(), "done is done");
}

#[test]
fn imports_and_the_passing_of_time_at_once_over_a_store_that_fails_now_and_then() {
    const THREADS: u64 = 4;
    const IMPORTS: u64 = 40;
    let hub = hub();
    let before = hub.said().len();
    hub.store.set(Fault::EveryThirdLost);
    let (done, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let over = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let importing: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (hub, done, failed) = (&hub, &done, &failed);
                scope.spawn(move || {
                    for number in 0..IMPORTS {
                        let name = format!("s-{thread}-{number}");
                        let said =
                            stake(&format!("t-{name}"), &format!("c-{name}"), "1%", r#"{"from":"2012"}"#);
                        let statement = statements(&[(&name, &said)]);
                        // As anybody would: again until it is recorded.
                        while let Err(error) =
                            hub.world.exchange.import_ties(&hub.world.operator, statement.clone(), "one")
                        {
                            assert!(
                                matches!(
                                    error,
                                    AdminError::Write(WriteError::NotApplied(_)) | AdminError::Store(_)
                                ),
                                "{error:?}"
                            );
                            failed.fetch_add(1, Ordering::SeqCst);
                        }
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        let tending = scope.spawn(|| {
            while over.load(Ordering::SeqCst) == 0 {
                drop(hub.world.exchange.tend());
                // A look from outside meanwhile.
                hub.said();
            }
        });
        for thread in importing {
            thread.join().unwrap();
        }
        over.store(1, Ordering::SeqCst);
        tending.join().unwrap();
    });
    hub.store.set(Fault::None);
    let lost = failed.load(Ordering::SeqCst);
    assert!(lost > 0, "the store never failed under an import");
    assert_eq!(done.load(Ordering::SeqCst), THREADS * IMPORTS);
    let said = hub.said();
    assert_eq!(said.len() as u64, before as u64 + THREADS * IMPORTS, "each is there once");
    assert_eq!(said, hub.said_in_store());
    // The ledger and the batches go on as if nothing had been.
    assert_eq!(hub.world.exchange.import_ties(&hub.world.operator, the_tie(), "a tie").unwrap().new, 1);
    assert_eq!(hub.standing(), Standing::Suspended);
}
