//! The server that mail servers ask: listeners, connections, limits.

mod counts;
mod session;
mod spool;
mod verdict;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

pub use counts::{Counts, Failure};
use model::Clock;
use session::Ended;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time;

use crate::judge::{Judge, Sink, SiteLog};
use crate::settings::{Otherwise, Settings};
use crate::store::Store;

/// How often old mail is looked for.
const EXPIRE_EVERY: Duration = Duration::from_mins(1);

/// What the quarantine is built on.
pub struct Parts {
    /// Knows what is listed.
    pub judge: Arc<dyn Judge>,
    /// Counts hits.
    pub sink: Arc<dyn Sink>,
    /// The site's own log, if it wants one.
    pub site_log: Option<Arc<dyn SiteLog>>,
    /// Where mail is spooled and kept, opened to write.
    pub store: Arc<Store>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// Looks at the mail of mail servers.
pub struct Quarantine {
    settings: Settings,
    choices: RwLock<Choices>,
    judge: Arc<dyn Judge>,
    sink: Arc<dyn Sink>,
    site_log: Option<Arc<dyn SiteLog>>,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    inspections: Semaphore,
    sessions: Arc<Semaphore>,
    counts: Mutex<Counts>,
}

impl fmt::Debug for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quarantine").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What of the [`Settings`] a site may choose anew while mail is served.
#[derive(Clone, Copy, Debug)]
pub struct Choices {
    /// As [`Settings::on_failure`].
    pub on_failure: Otherwise,
    /// As [`Settings::keep`].
    pub keep: Duration,
}

/// Where mail servers connect to.
#[derive(Debug)]
pub enum Listener {
    /// Over the Internet Protocol. Whoever can reach it can have mail looked at, and learns the verdict.
    Tcp(TcpListener),
    /// Over a socket of the machine.
    Unix(UnixListener),
}

enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    /// Listens at an address.
    ///
    /// # Errors
    ///
    /// Fails if the address is taken or not ours.
    pub async fn tcp(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Self::Tcp)
    }

    /// Listens at a path, for those whom `mode` lets; a socket that nobody listens at any more is replaced.
    ///
    /// # Errors
    ///
    /// Fails if somebody listens there, or something else lies there.
    pub async fn unix(path: &Path, mode: u32) -> io::Result<Self> {
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
        if is_socket && UnixStream::connect(path).await.is_err() {
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        Ok(Self::Unix(listener))
    }

    /// The address that a listener got; `None` for a path.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Many short frames, each of which somebody waits for.
                let _ = stream.set_nodelay(true);
                Ok(Accepted::Tcp(stream))
            }
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
        }
    }

    fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(listener) => listener.local_addr().ok()?.as_pathname().map(Path::to_owned),
        }
    }
}

impl Quarantine {
    /// A quarantine that serves nobody yet.
    #[must_use]
    pub fn new(settings: Settings, parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            inspections: Semaphore::new(settings.inspections_max.max(1)),
            sessions: Arc::new(Semaphore::new(settings.sessions_max.max(1))),
            choices: RwLock::new(Choices { on_failure: settings.on_failure, keep: settings.keep }),
            settings,
            judge: parts.judge,
            sink: parts.sink,
            site_log: parts.site_log,
            store: parts.store,
            clock: parts.clock,
            counts: Mutex::default(),
        })
    }

    /// Takes other choices from the next mail on.
    pub fn reload(&self, choices: Choices) {
        *self.choices.write().unwrap_or_else(PoisonError::into_inner) = choices;
    }

    fn choices(&self) -> Choices {
        *self.choices.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was done since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where mail is kept.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Serves mail servers until told to stop; then lets go of idle connections at once, and of others after their mail.
    /// The listener's name is told to the [`Judge`].
    pub async fn serve(self: &Arc<Self>, listener: Listener, name: &str, mut stop: watch::Receiver<bool>) {
        let name: Arc<str> = name.into();
        let mut sessions = JoinSet::new();
        while !*stop.borrow() {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok(Accepted::Tcp(stream)) => self.begin(stream, &name, &stop, &mut sessions),
                    Ok(Accepted::Unix(stream)) => self.begin(stream, &name, &stop, &mut sessions),
                    Err(error) => refuse(&error).await,
                },
                Some(_) = sessions.join_next(), if !sessions.is_empty() => (),
                changed = stop.changed() => if changed.is_err() { break },
            }
        }
        if let Some(path) = listener.path() {
            let _ = std::fs::remove_file(path);
        }
        drop(listener);
        let finished = async { while sessions.join_next().await.is_some() {} };
        let _ = time::timeout(self.settings.grace, finished).await;
    }

    fn begin<S>(
        self: &Arc<Self>,
        mut stream: S,
        name: &Arc<str>,
        stop: &watch::Receiver<bool>,
        sessions: &mut JoinSet<()>,
    ) where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        self.count(|counts| counts.sessions += 1);
        let Ok(permit) = Arc::clone(&self.sessions).try_acquire_owned() else {
            // Closed at once: the mail server does what it is told to do without its filter.
            self.count(|counts| counts.sessions_refused += 1);
            return;
        };
        let (this, name, stop) = (Arc::clone(self), Arc::clone(name), stop.clone());
        sessions.spawn(async move {
            let _permit: OwnedSemaphorePermit = permit;
            // Counted before the connection is closed: whoever sees it closed finds it counted.
            if let Err(ended) = session::serve(&this, &name, &mut stream, stop).await {
                this.count(|counts| match &ended {
                    Ended::Violation(_) => counts.violations += 1,
                    Ended::Silence => counts.silences += 1,
                    Ended::Connection(_) => (),
                });
                tracing::debug!(reason = %ended, "a mail server's connection ended");
            }
        });
    }

    /// Deletes mail from the store when it has been there long enough, until told to stop.
    pub async fn expire(self: &Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let this = Arc::clone(self);
            let now = self.clock.now();
            let expired =
                tokio::task::spawn_blocking(move || this.store.expire(this.choices().keep, now)).await;
            if let Ok(Err(error)) = expired {
                tracing::error!(error = %error, "old mail could not be deleted");
            }
            tokio::select! {
                () = time::sleep(EXPIRE_EVERY) => (),
                changed = stop.changed() => if changed.is_err() { break },
            }
        }
    }
}

/// Out of file descriptors, mostly: sessions have to end first.
async fn refuse(error: &io::Error) {
    tracing::warn!(error = %error, "a connection could not be accepted");
    time::sleep(Duration::from_millis(100)).await;
}
