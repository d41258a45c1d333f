//! Putting it together: threads, sockets, and an orderly end.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use model::Clock;
use thiserror::Error;
use tracing::{error, info};

use crate::allow::{AllowError, Allowed};
use crate::config::Config;
use crate::customers::Customers;
use crate::engine::{Engine, NoZones, Zones};
use crate::faces::export::{self, Shelf};
use crate::faces::rpz::{RpzError, RpzZones};
use crate::follow::{Follower, Hub, HubError, News};
use crate::hold::HoldError;
use crate::judge::Judge;
use crate::occurrence::Facts;
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
    config: Arc<Config>,
    engine: Arc<Mutex<Engine>>,
    judge: Arc<Judge>,
    zones: Option<Arc<RpzZones>>,
    secrets: Arc<Secrets>,
    clock: Arc<dyn Clock>,
    shelf: Shelf,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
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
        allowed.load(&config.allow)?;
        let set = Arc::new(Set::new(random()?, allowed, config.feeds.clone()));
        let (hits_in, hits) = sync_channel(HITS_WAITING);
        let customers = Customers::new(&config);
        let judge = Judge::new(set, customers, secrets.reference_salt(), Arc::clone(clock), hits_in);
        let judge = Arc::new(judge);
        let zones = zones(&config, &judge, &secrets, clock)?;
        let makes: Box<dyn Zones> = match &zones {
            Some(zones) => Box::new(Arc::clone(zones)),
            None => Box::new(NoZones),
        };
        let facts = reporter::waiting(&config.data, Facts::new(secrets.fact_salt()));
        let mut engine = Engine::open(
            Arc::clone(&config),
            Arc::clone(&judge),
            makes,
            Arc::clone(&secrets),
            Arc::clone(clock),
            Box::new(|| random().unwrap_or_default()),
            hits,
            facts,
        )?;
        engine.begin()?;
        let stop = Arc::new(AtomicBool::new(false));
        let engine = Arc::new(Mutex::new(engine));
        let mut guard = Self {
            config,
            engine,
            judge,
            zones,
            secrets,
            clock: Arc::clone(clock),
            shelf: Shelf::default(),
            stop,
            threads: Vec::new(),
        };
        guard.follow(clock)?;
        Ok(guard)
    }

    /// Begins to follow every feed.
    fn follow(&mut self, clock: &Arc<dyn Clock>) -> Result<(), StartError> {
        let hub = self.hub()?;
        let (news_in, news) = sync_channel::<(u16, News)>(NEWS_WAITING);
        for (index, feed) in (0_u16..).zip(&self.config.feeds) {
            let cursor = self.engine().feeds().get(usize::from(index)).map(|state| state.cursor.clone());
            let poll = self.config.hub.poll;
            let follower =
                Follower::new(hub.clone(), feed.collection.clone(), poll, cursor.unwrap_or_default());
            let (stop, news_in) = (Arc::clone(&self.stop), news_in.clone());
            let thread = spawn("guard-follow", move || followed(follower, index, &stop, &news_in))?;
            self.threads.push(thread);
        }
        drop(news_in);
        let (engine, stop) = (Arc::clone(&self.engine), Arc::clone(&self.stop));
        self.threads.push(spawn("guard-engine", move || turned(&engine, &news, &stop))?);
        let (engine, stop) = (Arc::clone(&self.engine), Arc::clone(&self.stop));
        let (data, clock) = (self.config.data.clone(), Arc::clone(clock));
        let chance = || random::<4>().map_or(0, u32::from_le_bytes);
        let thread =
            spawn("guard-report", move || reporter::run(&engine, &hub, &data, &clock, &chance, &stop))?;
        self.threads.push(thread);
        if !self.config.exports.is_empty() {
            let (config, judge, served) =
                (Arc::clone(&self.config), Arc::clone(&self.judge), Arc::clone(&self.shelf));
            let (salt, stop) = (self.secrets.reference_salt(), Arc::clone(&self.stop));
            let thread = spawn("guard-export", move || export::run(&config, &judge, salt, &served, &stop))?;
            self.threads.push(thread);
        }
        Ok(())
    }

    fn hub(&self) -> Result<Hub, StartError> {
        let settings = &self.config.hub;
        let token = fs::read_to_string(&settings.token_file)
            .map_err(|error| file(&settings.token_file, format!("cannot be read: {error}")))?;
        let trusted = settings.trust.as_ref().map(fs::read).transpose();
        let trusted = trusted.map_err(|error| {
            file(
                settings.trust.as_deref().unwrap_or(&settings.token_file),
                format!("cannot be read: {error}"),
            )
        })?;
        Ok(Hub::new(&settings.url, &token, trusted)?)
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Who judges.
    #[must_use]
    pub fn judge(&self) -> &Arc<Judge> {
        &self.judge
    }

    /// The zones, if there are any.
    #[must_use]
    pub fn zones(&self) -> Option<&Arc<RpzZones>> {
        self.zones.as_ref()
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

    /// What is served below `/export/`.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The engine, to be asked. Hold it shortly.
    pub fn engine(&self) -> std::sync::MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine, to be asked from elsewhere.
    #[must_use]
    pub fn engine_handle(&self) -> Arc<Mutex<Engine>> {
        Arc::clone(&self.engine)
    }

    /// Ends following, reports what waits to the disk, and returns when all threads have ended.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

fn zones(
    config: &Config,
    judge: &Arc<Judge>,
    secrets: &Secrets,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<RpzZones>>, StartError> {
    let Some(rpz) = &config.sinkhole.rpz else { return Ok(None) };
    let clock = Arc::clone(clock);
    let seconds = move || u64::try_from(clock.now().as_micros() / 1_000_000).unwrap_or(0);
    let fill = |bytes: &mut [u8]| {
        // Without randomness there is no nonce: zeros would be guessed, and the system always has it once it is up.
        getrandom::fill(bytes).expect("the system's generator works once it is up");
    };
    let (clock, random) = (sinkhole::Clock::new(seconds), sinkhole::Random::new(fill));
    Ok(Some(Arc::new(RpzZones::open(config, rpz, judge, secrets, clock, random)?)))
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
        thread::sleep(DISK_PAUSE);
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map_err(|error| StartError::System { what: "thread", reason: error.to_string() })
}

fn random<const N: usize>() -> Result<[u8; N], StartError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| StartError::System { what: "randomness", reason: error.to_string() })?;
    Ok(bytes)
}

fn file(path: &std::path::Path, reason: String) -> StartError {
    StartError::File { path: path.display().to_string(), reason }
}
