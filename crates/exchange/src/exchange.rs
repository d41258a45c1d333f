//! The exchange: opened once, shared by all faces.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ledger::checkpoint::Origin;
use ledger::entry::{Genesis, Key, Policy as PolicyEntry};
use ledger::note::KeyName;
use ledger::{Body, NoteSigner};
use model::{
    Action, Caller, Clock, CollectionId, Epoch, LabelId, Member, MemberId, Principal, Role, Timestamp,
};
use programme::{Collection, Programme};
use release::{Grants, Label, Policy, View};
use store::timeline::BlockCache;
use store::{Inventory, Store, StoreError};

use crate::audit::Spans;
use crate::credentials::{Attempt, Verification};
use crate::cursor::CursorKey;
use crate::editions::Editions;
use crate::error::{AdminError, AuthenticationError, OpenError, ReadError, WriteError};
use crate::guards::Guards;
use crate::health::LastCheck;
use crate::judgements::{Asker, Judgements};
use crate::keeping::{Keeper, KeptCheckpoint, check_key, resume_log};
use crate::matches::Matcher;
use crate::published::Published;
use crate::recorded::Recorded;
use crate::registry::{IN_FORCE, PROGRAMME, ReaderGrants, Registry, Verdicts};
use crate::remembered::Remembered;
use crate::uses::{USES_KEPT_MAX, Uses};
use crate::versions;
pub use crate::writer::Random;
use crate::writer::{Instants, Judging, Turn, Writer};

/// The secrets of a hub. They are kept beside the store, not in it.
#[derive(Clone)]
pub struct Keys {
    /// The ledger's name: the origin line of its checkpoints, such as `ringfence.example/jcsp`.
    pub origin: String,
    /// The seed of the ledger's Ed25519 key.
    pub ledger: [u8; 32],
    /// Seals cursors.
    pub cursor: [u8; 32],
    /// Keys the hashes of credentials.
    pub credentials: [u8; 32],
}

/// What an exchange needs from outside.
pub struct Options {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance: fills a buffer.
    pub random: Random,
    /// The secrets.
    pub keys: Keys,
}

/// The operations of the exchange. Cheap to clone.
#[derive(Clone)]
pub struct Exchange {
    pub(crate) inner: Arc<Inner>,
}

/// What a guard may act on unseen, at an epoch, when so many labels had been judged.
pub(crate) type BlindGrants = (Epoch, usize, Arc<Grants>);

pub(crate) struct Inner {
    // INVARIANT: dropped first, so that the writer's thread has ended before the store goes.
    pub(crate) writer: Writer,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) published: Arc<Published>,
    pub(crate) verification: Verification,
    pub(crate) cursor: CursorKey,
    pub(crate) signer: NoteSigner,
    pub(crate) origin: Origin,
    pub(crate) blocks: BlockCache,
    /// Up to where old statuses were removed, in units of their sweeps.
    pub(crate) swept: AtomicU64,
    rights: Remembered<(Principal, CollectionId), Rights>,
    pub(crate) uses: Remembered<(Principal, LabelId), Uses>,
    /// What the policies say about labels to readers that are alike.
    pub(crate) judgements: Judgements,
    /// What guards may act on unseen, by epoch and number of labels judged.
    pub(crate) blinded: Mutex<HashMap<Principal, BlindGrants>>,
    /// Every statement about ties.
    pub(crate) recorded: Recorded,
    /// New editions of documents that come in parts.
    pub(crate) editions: Editions,
    /// Names that may be the same.
    pub(crate) matcher: Matcher,
    /// When time last did its work, in microseconds.
    pub(crate) tended: AtomicI64,
    /// What was heard of guards.
    pub(crate) guards: Guards,
    /// When the ledger was last held to its head.
    pub(crate) checked: LastCheck,
    /// Where in the ledger to look for who was handed what.
    pub(crate) spans: Spans,
}

/// What a principal may do with a collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

/// How many rights are remembered at most.
const RIGHTS_KEPT_MAX: usize = 65_536;

impl Exchange {
    /// Opens the exchange of `programme` over `store`, which may be empty.
    ///
    /// A programme that differs from the one in force takes its place: an epoch of its own, and every reader's grants
    /// judged anew.
    ///
    /// # Errors
    ///
    /// Fails if the store is damaged or belongs to another programme, or if the policy cannot be used.
    pub fn open(
        store: Arc<dyn Store>,
        programme: &Arc<Programme>,
        options: Options,
    ) -> Result<Self, OpenError> {
        Self::open_with(store, programme, options, None)
    }

    /// As [`open`](Self::open), held to the last checkpoint that was kept beside the store, and keeping further ones there.
    ///
    /// # Errors
    ///
    /// Fails as [`open`](Self::open), and if the store has lost its end or has another past than the kept checkpoint.
    pub fn open_held_to(
        kept: Arc<dyn KeptCheckpoint>,
        store: Arc<dyn Store>,
        programme: &Arc<Programme>,
        options: Options,
    ) -> Result<Self, OpenError> {
        Self::open_with(store, programme, options, Some(kept))
    }

    fn open_with(
        store: Arc<dyn Store>,
        programme: &Arc<Programme>,
        options: Options,
        kept: Option<Arc<dyn KeptCheckpoint>>,
    ) -> Result<Self, OpenError> {
        let Options { clock, random, keys } = options;
        let origin: Origin = keys.origin.parse().map_err(|error| OpenError::Key(format!("{error}")))?;
        let name: KeyName = keys.origin.parse().map_err(|error| OpenError::Key(format!("{error}")))?;
        let signer = NoteSigner::from_seed(name, &keys.ledger);
        let snapshot = store.snapshot()?;
        if store::moving::is_unfinished(snapshot.as_ref())? {
            return Err(OpenError::HalfMoved);
        }
        let in_force = versions::in_force(snapshot.as_ref())?;
        let ruling = match &in_force {
            Some(files) => Arc::new(Programme::from_files(files).map_err(|error| OpenError::Record {
                kind: PROGRAMME.to_owned(),
                key: IN_FORCE.to_owned(),
                reason: error.to_string(),
            })?),
            None => Arc::clone(programme),
        };
        if ruling.settings().name != programme.settings().name {
            return Err(OpenError::OtherProgramme {
                found: ruling.settings().name.to_string(),
                wanted: programme.settings().name.to_string(),
            });
        }
        let is_new = in_force.is_none();
        let is_other = ruling.digest() != programme.digest();
        let registry = Registry::load(snapshot.as_ref(), Arc::new(Policy::new(ruling)?))?;
        let recorded = Recorded::load(snapshot.as_ref(), &registry)?;
        let guards = Guards::load(snapshot.as_ref())?;
        let log = resume_log(snapshot.as_ref())?;
        if !is_new {
            check_key(snapshot.as_ref(), &signer.verifier().to_string())?;
        }
        let keeper = kept.map(|kept| Keeper::new(kept, origin.clone(), signer.clone()));
        if let Some(keeper) = &keeper {
            keeper.check(snapshot.as_ref(), &log)?;
        }
        drop(snapshot);
        let published = Arc::new(Published::new(registry, log));
        let (of_writer, time) = (Arc::clone(&store), Arc::clone(&clock));
        let writer = Writer::start(of_writer, time, random, Arc::clone(&published), keeper)
            .map_err(|error| OpenError::Store(StoreError::failed("starting the writer", error)))?;
        let exchange = Self {
            inner: Arc::new(Inner {
                writer,
                store,
                clock,
                published,
                verification: Verification::new(keys.credentials),
                cursor: CursorKey::new(&keys.cursor),
                signer,
                origin,
                blocks: BlockCache::default(),
                swept: AtomicU64::new(0),
                rights: Remembered::new(RIGHTS_KEPT_MAX),
                uses: Remembered::new(USES_KEPT_MAX),
                judgements: Judgements::default(),
                blinded: Mutex::default(),
                recorded,
                editions: Editions::default(),
                matcher: Matcher::default(),
                tended: AtomicI64::new(i64::MIN),
                guards,
                checked: LastCheck::default(),
                spans: Spans::default(),
            }),
        };
        if is_new {
            exchange.begin(programme)?;
        } else {
            exchange.find_version_places()?;
            if is_other {
                exchange.put_in_force(programme, "the hub's start")?;
            }
        }
        exchange.sum_occurrences()?;
        exchange.check_ledger();
        Ok(exchange)
    }

    /// The first entries of a ledger: its name, its key, the policy.
    fn begin(&self, programme: &Arc<Programme>) -> Result<(), OpenError> {
        let origin = self.inner.origin.to_string();
        let vkey = self.inner.signer.verifier().to_string();
        let (kept, digest) = (Arc::clone(programme), programme.digest().to_owned());
        self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<(), WriteError> {
            let at = turn.instant(0).to_string();
            let epoch = turn.begin_epoch().number();
            turn.record(&Body::Genesis(Genesis { at: at.clone(), origin }))?;
            turn.record(&Body::Key(Key { at: at.clone(), action: "in use".to_owned(), vkey }))?;
            let by = "the hub's first start".to_owned();
            let entry = turn.record(&Body::Policy(PolicyEntry { at, by, sha256: digest, epoch }))?;
            versions::keep(turn, entry, None, &kept)?;
            Ok(())
        })?;
        Ok(())
    }

    /// Puts another version of the programme in force: one epoch, and every reader judged anew.
    ///
    /// # Errors
    ///
    /// Fails if the policy cannot be used or nothing could be written.
    pub fn put_in_force(&self, programme: &Arc<Programme>, by: &str) -> Result<Epoch, OpenError> {
        let policy = Arc::new(Policy::new(Arc::clone(programme))?);
        let judge = Arc::new(vetting::Judge::new(Arc::clone(programme))?);
        let inner = Arc::clone(&self.inner);
        let (kept, digest, by) = (Arc::clone(programme), programme.digest().to_owned(), by.to_owned());
        let before = self.programme();
        let (epoch, last) =
            self.inner.writer.decide(Instants::Alone, move |turn| -> Result<Epoch, WriteError> {
                let (epoch, at) = inner.judge_everyone(turn, &|_| true, |registry| {
                    registry.policy = policy;
                    registry.judge = judge;
                    registry.refresh_identities();
                })?;
                let entry = PolicyEntry { at: at.to_string(), by, sha256: digest, epoch: epoch.number() };
                let entry = turn.record(&Body::Policy(entry))?;
                versions::keep(turn, entry, Some(&before), &kept)?;
                Ok(epoch)
            })?;
        self.inner.wait_until(last);
        // The programme's own lists and rules changed with it.
        self.refresh_ties()?;
        self.tend().map_err(|error| OpenError::Store(StoreError::failed("vetting anew", error)))?;
        Ok(epoch)
    }

    /// Recognises a caller by what it presents. `peer` is the address that failures are counted for.
    ///
    /// # Errors
    ///
    /// One answer for every reason but too many failures.
    pub fn authenticate(&self, attempt: &Attempt<'_>, peer: &str) -> Result<Caller, AuthenticationError> {
        let registry = self.inner.published.registry();
        let now = self.inner.clock.now();
        let caller = self.inner.verification.verify(&registry, attempt, peer, now)?;
        self.inner.verification.note_use(&caller, now);
        Ok(caller)
    }

    /// Recognises a caller that was recognised a short while ago by the same credentials, in this epoch. It computes
    /// no slow hash, counts no failure, and never waits; `None` means to ask [`authenticate`](Self::authenticate).
    #[must_use]
    pub fn recall_caller(&self, attempt: &Attempt<'_>) -> Option<Caller> {
        let epoch = self.inner.published.registry().epoch;
        let now = self.inner.clock.now();
        let caller = self.inner.verification.recall_attempt(attempt, epoch, now)?;
        self.inner.verification.note_use(&caller, now);
        Some(caller)
    }

    /// The programme in force.
    #[must_use]
    pub fn programme(&self) -> Arc<Programme> {
        Arc::clone(self.inner.published.registry().policy.programme())
    }

    /// The current epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.inner.published.registry().epoch
    }

    /// The present instant, by the hub's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The last instant that was handed out: what is recorded from now on is later.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub fn last_instant(&self) -> Result<Timestamp, StoreError> {
        Ok(self.inner.store.snapshot()?.horizon().last)
    }

    /// How much the hub holds. For its operators and its health page; members are not told.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub fn inventory(&self) -> Result<Inventory, StoreError> {
        self.inner.store.snapshot()?.inventory()
    }

    /// The members in the order of their ids, to those who administer them: those after `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn members(
        &self,
        caller: &Caller,
        after: Option<&MemberId>,
        limit: usize,
    ) -> Result<Vec<Member>, AdminError> {
        if caller.role().is_none() {
            return Err(AdminError::Forbidden { needed: "the programme's people" });
        }
        let registry = self.inner.published.registry();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let later = registry.members.range((from, Bound::Unbounded));
        Ok(later.take(limit).map(|(_, member)| member.clone()).collect())
    }

    /// Whether nothing is written any more until the exchange is opened again.
    #[must_use]
    pub fn has_stopped_writing(&self) -> bool {
        self.inner.published.halted.load(Ordering::Relaxed)
    }

    /// Whether the store answers.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub fn check_ready(&self) -> Result<(), StoreError> {
        if self.has_stopped_writing() {
            return Err(StoreError::failed("writing", "the hub has stopped writing; restart it"));
        }
        let last = self.inner.store.snapshot()?.horizon().last;
        if last > self.inner.clock.now() + AHEAD_MAX {
            let why = format!("the clock stands before {last}, the last instant handed out; set it right");
            return Err(StoreError::failed("telling the time", why));
        }
        Ok(())
    }
}

impl Inner {
    /// Changes what readers are judged by, begins an epoch, and judges every reader anew at one
    /// instant, as far as labels are `concerned`.
    pub(crate) fn judge_everyone(
        &self,
        turn: &mut Turn<'_>,
        concerned: &dyn Fn(&Label) -> bool,
        change: impl FnOnce(&mut Registry),
    ) -> Result<(Epoch, Timestamp), StoreError> {
        let before = Arc::clone(turn.registry);
        let roles = Role::ALL.into_iter().map(Principal::Role);
        let principals = roles.chain(before.members.keys().cloned().map(Principal::Member));
        let known: Vec<_> = principals
            .map(|principal| Ok((self.grants_of(&principal, &before)?, principal)))
            .collect::<Result<_, StoreError>>()?;
        let at = turn.instant(0);
        change(Arc::make_mut(turn.registry));
        let epoch = turn.begin_epoch();
        let mut judging = Judging { concerned, verdicts: Verdicts::new(turn.registry) };
        for (grants, principal) in &known {
            turn.reform(principal, grants, &before, at, &mut judging)?;
        }
        Ok((epoch, at))
    }

    /// A reader's grants under `registry`, from memory or from the store.
    pub(crate) fn grants_of(
        &self,
        principal: &Principal,
        registry: &Registry,
    ) -> Result<ReaderGrants, StoreError> {
        // Who is like somebody that was judged before is not asked about again.
        let asker = OnceCell::new();
        let permits = |label: &Arc<Label>| {
            let asker = asker.get_or_init(|| Asker::new(&self.judgements, registry, principal));
            asker.judged(label).read.permitted
        };
        let (current, known) = self.published.registry_and_grants(principal);
        if let Some(known) = known.filter(|_| current.epoch == registry.epoch) {
            let up = known.brought_up_by(&registry.labels.facts, permits);
            if up.grants.judged() > known.grants.judged() && Arc::ptr_eq(&registry.labels, &current.labels) {
                self.published.keep_grants(principal, registry.epoch, &up);
            }
            return Ok(up);
        }
        let snapshot = self.store.snapshot()?;
        let loaded = ReaderGrants::load(snapshot.as_ref(), principal, &registry.labels)?;
        let up = loaded.brought_up_by(&registry.labels.facts, permits);
        // Labels of a transaction in flight may never come to be, so what is judged of them is not kept.
        if snapshot.horizon().epoch == registry.epoch && Arc::ptr_eq(&registry.labels, &current.labels) {
            self.published.keep_grants(principal, registry.epoch, &up);
        }
        Ok(up)
    }

    /// What the caller may see now.
    pub(crate) fn view(&self, caller: &Caller, registry: &Registry) -> Result<View, StoreError> {
        let grants = self.grants_of(&caller.principal, registry)?;
        Ok(registry.policy.view(caller.clone(), registry.epoch, grants.grants))
    }

    /// What the caller may do with a collection: what the policy allows its principal, narrowed by its credential.
    pub(crate) fn rights(&self, caller: &Caller, collection: CollectionId, registry: &Registry) -> Rights {
        let key = (caller.principal.clone(), collection);
        let rights = self.rights.get(&key, registry.epoch).unwrap_or_else(|| {
            let rights = registry.reader(&caller.principal).map_or_else(Rights::default, |reader| Rights {
                read: registry.policy.may_see_collection(reader, &collection),
                write: registry.policy.may_publish(reader, &collection).permitted,
            });
            if self.published.registry().epoch == registry.epoch {
                self.rights.keep(key, registry.epoch, rights);
            }
            rights
        });
        Rights {
            read: rights.read && caller.covers(Action::Read, &collection),
            write: rights.write && caller.covers(Action::Publish, &collection),
        }
    }

    /// A collection that the caller may know of, by id or alias, with what it may do with it.
    pub(crate) fn collection(
        &self,
        caller: &Caller,
        id_or_alias: &str,
        registry: &Registry,
    ) -> Result<(Collection, Rights), ReadError> {
        // One answer for "absent" and "not yours", so that nobody learns which collections exist.
        let unknown = || ReadError::NoSuchCollection(id_or_alias.chars().take(100).collect());
        let collection = registry.programme().find_collection(id_or_alias).ok_or_else(unknown)?;
        let rights = self.rights(caller, collection.id, registry);
        if rights == Rights::default() {
            return Err(unknown());
        }
        Ok((collection.clone(), rights))
    }

    /// The last date that a collection has room for, if it has objects.
    pub(crate) fn last_date_in(
        &self,
        turn: &Turn<'_>,
        caller: &Caller,
        collection: &Collection,
    ) -> Result<Option<Timestamp>, StoreError> {
        let view = self.view(caller, turn.registry)?;
        let snapshot = self.store.snapshot()?;
        let Some((_, at)) = snapshot.commit_before(&view, collection.id, Timestamp::MAX)? else {
            return Ok(None);
        };
        let rows = snapshot.commits(&view, collection.id, at, 1)?;
        let objects: i64 =
            rows.iter().flat_map(|row| row.labels.iter()).map(|(_, count)| i64::from(*count)).sum();
        Ok(Some(at.plus_micros(objects.saturating_mul(2))))
    }

    /// Waits until `instant` has come, so that what was acknowledged is due.
    pub(crate) fn wait_until(&self, instant: Timestamp) {
        let wait = self.clock.until(instant);
        if !wait.is_zero() {
            std::thread::sleep(wait.min(DUE_WAIT_MAX));
        }
    }
}

/// How long an answer waits at most for the dates that it acknowledges; beyond, the clock has jumped.
const DUE_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(2);

/// Requires a role of the caller.
pub(crate) fn require(caller: &Caller, roles: &[Role], needed: &'static str) -> Result<(), AdminError> {
    let may = caller.actions.contains(&Action::Administer)
        && caller.role().is_some_and(|role| roles.contains(&role));
    if may { Ok(()) } else { Err(AdminError::Forbidden { needed }) }
}

/// Who a caller is, for the ledger.
pub(crate) fn name_of(caller: &Caller) -> String {
    caller.principal.to_string()
}

/// How far the last instant handed out may lie ahead of the clock before the hub says that it is not ready.
const AHEAD_MAX: std::time::Duration = std::time::Duration::from_mins(1);

/// A turn of the writer, named here so that the operations need not reach into its module.
pub(crate) type Hand<'t> = Turn<'t>;
