//! Putting it together: threads, sockets, and an orderly end.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use model::Clock;
use thiserror::Error;
use tracing::{error, info};

use crate::allow::{AllowError, Allowed};
use crate::config::Config;
use crate::customers::Customers;
use crate::engine::{Engine, Zones as _};
use crate::faces::export::{self, Shelf};
use crate::faces::rpz::{Plan, RpzError, RpzZones};
use crate::faces::works::Works;
use crate::follow::{Follower, Hub, HubError, News};
use crate::hold::HoldError;
use crate::judge::Judge;
use crate::lease::Standing;
use crate::occurrence::Facts;
use crate::reload::{Reloads, read_token};
use crate::reporter;
use crate::secrets::Secrets;
use crate::set::Set;

/// How many hits may wait to be counted.
const HITS_WAITING: usize = 65_536;
/// How much news may wait to be taken; followers wait then.
const NEWS_WAITING: usize = 8;
/// How often time is looked at.
const TICK: Duration = Duration::from_millis(20);
/// How long a full disk is waited for between tries.
const DISK_PAUSE: Duration = Duration::from_secs(1);
/// How long threads that talk to the hub are waited for at the end; one that waits for an answer is left behind.
const HUB_PATIENCE: Duration = Duration::from_millis(500);

/// The note with what the programme allows.
pub(crate) const PROGRAMME_ALLOWS: &str = "programme-allows.note";
/// The note with the identity under which the programme speaks, as the hub last named it.
pub(crate) const PROGRAMME_IS: &str = "programme.note";

/// Why a guard does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A file that the configuration names.
    #[error("`{path}` {reason}")]
    File {
        /// Which.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The allow lists.
    #[error(transparent)]
    Allow(#[from] AllowError),
    /// What is held.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// The zones.
    #[error(transparent)]
    Rpz(#[from] RpzError),
    /// The hub's address or certificates.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// A socket.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// The system gives no thread or no randomness.
    #[error("the system gives no {what}: {reason}")]
    System {
        /// What.
        what: &'static str,
        /// Why not.
        reason: String,
    },
}

/// A guard that runs.
pub struct Guard {
    config: Arc<RwLock<Arc<Config>>>,
    engine: Arc<Mutex<Engine>>,
    judge: Arc<Judge>,
    zones: Arc<RpzZones>,
    /// What zones there are to be, until they are open.
    plan: Mutex<Option<Plan>>,
    hub: Hub,
    secrets: Arc<Secrets>,
    clock: Arc<dyn Clock>,
    shelf: Shelf,
    works: Arc<Works>,
    reloads: Mutex<Reloads>,
    stop: Arc<AtomicBool>,
    /// Ends the following of each feed, in the order of the configuration.
    unfollow: Vec<Arc<AtomicBool>>,
    threads: Mutex<Threads>,
}

/// What runs beside the faces.
#[derive(Default)]
struct Threads {
    /// Those that end at once when they are told to.
    own: Vec<JoinHandle<()>>,
    /// Those that may be waiting for the hub's answer.
    talking: Vec<JoinHandle<()>>,
}

impl Guard {
    /// Loads what is held and begins to follow the hub. Sockets are opened by [`crate::faces::serve`].
    ///
    /// # Errors
    ///
    /// Says what is in the way.
    pub fn start(config: Config, clock: &Arc<dyn Clock>) -> Result<Self, StartError> {
        let config = Arc::new(config);
        fs::create_dir_all(&config.data)
            .map_err(|error| file(&config.data, format!("cannot be made: {error}")))?;
        let secrets = Secrets::load_or_make(&config.key_file, random()?)
            .map_err(|error| file(&config.key_file, error.to_string()))?;
        let secrets = Arc::new(secrets);
        let mut allowed = Allowed::new(random()?);
        let programme: Option<Vec<String>> = secrets.hold_key().read_note(&config.data, PROGRAMME_ALLOWS)?;
        let programme = programme.unwrap_or_default();
        allowed.load(&config.allow, &programme)?;
        let set = Arc::new(Set::new(random()?, allowed, config.feeds.clone()));
        let (hits_in, hits) = sync_channel(HITS_WAITING);
        let customers = Customers::new(&config);
        let judge = Judge::new(set, customers, secrets.reference_salt(), Arc::clone(clock), hits_in);
        let judge = Arc::new(judge);
        let plan = Plan::new(&config, &judge.customers())?;
        let facts = reporter::waiting(&config.data, Facts::new(secrets.fact_salt()));
        let mut engine = Engine::open(
            Arc::clone(&config),
            Arc::clone(&judge),
            Arc::clone(&secrets),
            Arc::clone(clock),
            Box::new(|| random().unwrap_or_default()),
            hits,
            facts,
        )?;
        engine.set_programme_allows(programme);
        engine.begin()?;
        let zones = Arc::new(zones(&config, &secrets, clock));
        let stop = Arc::new(AtomicBool::new(false));
        let engine = Arc::new(Mutex::new(engine));
        let unfollow = config.feeds.iter().map(|_| Arc::default()).collect();
        let guard = Self {
            hub: hub(&config)?,
            config: Arc::new(RwLock::new(config)),
            engine,
            judge,
            zones,
            plan: Mutex::new(Some(plan)),
            secrets,
            clock: Arc::clone(clock),
            shelf: Shelf::default(),
            works: Arc::default(),
            reloads: Mutex::default(),
            stop,
            unfollow,
            threads: Mutex::default(),
        };
        guard.follow()?;
        Ok(guard)
    }

    /// Opens the zones on what is held: they go on with their serials if that is what they stood for. All else is served
    /// before, for with a million names this takes its time.
    ///
    /// # Errors
    ///
    /// Fails if a journal cannot be used.
    pub fn open_zones(&self) -> Result<(), StartError> {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Nothing changes meanwhile.
        let mut engine = self.engine();
        if let Some(plan) = plan {
            // They open with the expiry that the lease allows, which is mostly the one that they had.
            if let Standing::Held(left) | Standing::Ending(left) = engine.lease() {
                self.zones.lease(left);
            }
            self.zones.take(&self.config(), plan, self.judge.set())?;
            engine.set_zones(Box::new(Arc::clone(&self.zones)));
        }
        Ok(())
    }

    /// Begins to follow every feed.
    fn follow(&self) -> Result<(), StartError> {
        let config = self.config();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let (news_in, news) = sync_channel::<(u16, News)>(NEWS_WAITING);
        for ((index, feed), stop) in (0_u16..).zip(&config.feeds).zip(&self.unfollow) {
            let engine = self.engine();
            let cursor = engine.feeds().get(usize::from(index)).map(|state| state.cursor.clone());
            let (hub, poll) = (self.hub.clone(), config.hub.poll);
            let follower = Follower::new(hub, feed.collection.clone(), poll, cursor.unwrap_or_default())
                .counting(engine.let_go())
                .owing(engine.is_owed(index));
            drop(engine);
            let (stop, news_in) = (Arc::clone(stop), news_in.clone());
            let thread = spawn("guard-follow", move || followed(follower, index, &stop, &news_in))?;
            threads.talking.push(thread);
        }
        drop(news_in);
        let (engine, stop) = (Arc::clone(&self.engine), Arc::clone(&self.stop));
        threads.own.push(spawn("guard-engine", move || turned(&engine, &news, &stop))?);
        let (engine, stop) = (Arc::clone(&self.engine), Arc::clone(&self.stop));
        let (data, clock, hub) = (config.data.clone(), Arc::clone(&self.clock), self.hub.clone());
        let chance = || random::<4>().map_or(0, u32::from_le_bytes);
        let thread =
            spawn("guard-report", move || reporter::run(&engine, &hub, &data, &clock, &chance, &stop))?;
        threads.talking.push(thread);
        let (judge, served) = (Arc::clone(&self.judge), Arc::clone(&self.shelf));
        let (settled, salt) = (Arc::clone(&self.config), self.secrets.reference_salt());
        let stop = Arc::clone(&self.stop);
        let current = move || Arc::clone(&settled.read().unwrap_or_else(PoisonError::into_inner));
        let (engine, clock) = (Arc::clone(&self.engine), Arc::clone(&self.clock));
        let until = move || {
            let left = engine.lock().unwrap_or_else(PoisonError::into_inner).lease().left()?;
            Some(clock.now().plus_micros(i64::try_from(left.as_micros()).ok()?))
        };
        let export = move || export::run(&current, &until, &judge, salt, &served, &stop);
        threads.own.push(spawn("guard-export", export)?);
        Ok(())
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_config(&self, config: Arc<Config>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// Ends the following of a feed.
    pub(crate) fn unfollow(&self, feed: u16) {
        if let Some(stop) = self.unfollow.get(usize::from(feed)) {
            stop.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// What became of configurations that were read since the start.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        self.reloads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn note_reload(&self, note: impl FnOnce(&mut Reloads)) {
        note(&mut self.reloads.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Who judges.
    #[must_use]
    pub fn judge(&self) -> &Arc<Judge> {
        &self.judge
    }

    /// The zones.
    #[must_use]
    pub fn zones(&self) -> &Arc<RpzZones> {
        &self.zones
    }

    /// The secrets.
    #[must_use]
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// What time it is.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What the faces did.
    #[must_use]
    pub fn works(&self) -> &Arc<Works> {
        &self.works
    }

    /// What is served below `/export/`.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The engine, to be asked. Hold it shortly.
    pub fn engine(&self) -> std::sync::MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends following, writes what waits to be reported to the disk, and returns when all is done that is under way here. A
    /// hub that does not answer is not waited for.
    pub fn stop(&self) {
        for stop in self.unfollow.iter().chain([&self.stop]) {
            stop.store(true, Ordering::Relaxed);
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads.own {
            let _panicked = thread.join();
        }
        let began = Instant::now();
        while !threads.talking.iter().all(JoinHandle::is_finished) && began.elapsed() < HUB_PATIENCE {
            thread::sleep(TICK);
        }
        reporter::keep(&self.engine, &self.config().data);
    }
}

fn hub(config: &Config) -> Result<Hub, StartError> {
    let settings = &config.hub;
    let token = read_token(&settings.token_file)?;
    let trusted = settings.trust.as_ref().map(fs::read).transpose();
    let trusted = trusted.map_err(|error| {
        file(settings.trust.as_deref().unwrap_or(&settings.token_file), format!("cannot be read: {error}"))
    })?;
    Ok(Hub::new(&settings.url, &token, trusted)?)
}

fn zones(config: &Config, secrets: &Secrets, clock: &Arc<dyn Clock>) -> RpzZones {
    let clock = Arc::clone(clock);
    let seconds = move || u64::try_from(clock.now().as_micros() / 1_000_000).unwrap_or(0);
    let fill = |bytes: &mut [u8]| {
        // Without randomness there is no nonce: zeros would be guessed, and the system always has it once it is up.
        getrandom::fill(bytes).expect("the system's generator works once it is up");
    };
    RpzZones::new(config, secrets, sinkhole::Clock::new(seconds), sinkhole::Random::new(fill))
}

fn followed(mut follower: Follower, feed: u16, stop: &AtomicBool, news: &SyncSender<(u16, News)>) {
    follower.run(stop, &mut |heard| {
        // The engine ends only with the guard.
        let _ended = news.send((feed, heard));
    });
}

fn turned(engine: &Mutex<Engine>, news: &Receiver<(u16, News)>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let heard = match news.recv_timeout(TICK) {
            Ok(heard) => Some(heard),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(TICK);
                None
            }
        };
        if let Some((feed, heard)) = heard {
            take(engine, feed, &heard, stop);
        }
        let turned = engine.lock().unwrap_or_else(PoisonError::into_inner).turn();
        if let Err(error) = turned {
            error!("the store of what is held fails: {error}");
            thread::sleep(DISK_PAUSE);
        }
    }
    info!("the guard has stopped");
}

/// Takes news; a disk that fails is waited for, since whoever follows has gone on already.
fn take(engine: &Mutex<Engine>, feed: u16, heard: &News, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let taken = engine.lock().unwrap_or_else(PoisonError::into_inner).news(feed, heard.clone());
        match taken {
            Ok(()) => return,
            Err(error) => error!("what came cannot be kept, and is not enforced before it is: {error}"),
        }
        // Time goes on all the same: what ends has to end.
        let _told = engine.lock().unwrap_or_else(PoisonError::into_inner).turn();
        thread::sleep(DISK_PAUSE);
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map_err(|error| StartError::System { what: "thread", reason: error.to_string() })
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], StartError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| StartError::System { what: "randomness", reason: error.to_string() })?;
    Ok(bytes)
}

pub(crate) fn file(path: &std::path::Path, reason: String) -> StartError {
    StartError::File { path: path.display().to_string(), reason }
}
