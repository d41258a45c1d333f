//! A hub in this process: store, exchange and faces wired together, started, and stopped softly.
//!
//! Stopping is soft: no new connections, running requests end, the writer commits what it has begun, the store closes. A
//! second signal ends the process at once; nothing that was acknowledged is lost by that either, it only makes the next
//! start a little slower.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use console::{Console, ConsoleOptions, Peer, Provider};
use exchange::Exchange;
use hub::{BackupError, BackupReport, Backups, HubOptions, Reloaded, ServeOptions, Tls, Webhooks};
use model::Clock;
use programme::Programme;
use store::Store;
use store_sqlite::SqliteStore;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::data_dir::{BACKUPS, DataDir, fill_random};

/// A data directory with a programme on it, open.
pub(crate) struct Hosting {
    exchange: Exchange,
    store: Arc<SqliteStore>,
    data: DataDir,
    console: Console,
    /// Held while time does its work, and by stories that move the clock before they tell what is known by then.
    tending: Arc<Mutex<()>>,
}

/// What the faces are told.
#[derive(Default)]
pub(crate) struct Faces {
    pub(crate) tls: Option<Tls>,
    pub(crate) public_url: Option<String>,
    pub(crate) trusted_proxies: Vec<std::net::IpAddr>,
    pub(crate) open_metrics: bool,
}

impl Hosting {
    /// Opens the data directory, which is made if it is not there; at the first start with keys and an operator's token.
    /// `folder` is where the programme was read, if it was read from one.
    pub(crate) fn open(
        programme: &Arc<Programme>,
        folder: Option<&Path>,
        data: &DataDir,
        origin: Option<&str>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        data.create()?;
        let keys = data.keys(origin, programme)?;
        let shown = data.path().display();
        let store = Arc::new(SqliteStore::open(data.path()).with_context(|| format!("opening `{shown}`"))?);
        let exchange = data.open_exchange(Arc::clone(&store) as Arc<dyn Store>, programme, keys, clock)?;
        if let Some(first) = exchange.issue_first_credential()? {
            let token = first.token.context("the first credential has no token")?;
            data.write_token(&token)?;
        }
        let options = ConsoleOptions {
            programme_folder: folder.map(Path::to_path_buf),
            ..ConsoleOptions::new(Arc::new(fill_random))
        };
        let console = Console::new(exchange.clone(), options);
        Ok(Self { exchange, store, data: data.clone(), console, tending: Arc::default() })
    }

    /// The same with a provider by whom people sign in.
    pub(crate) fn with_provider(mut self, provider: Provider) -> Self {
        let mut options = ConsoleOptions::new(Arc::new(fill_random));
        options.provider = Some(Arc::new(provider));
        self.console = Console::new(self.exchange.clone(), options);
        self
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// The pages for people.
    pub(crate) fn console(&self) -> &Console {
        &self.console
    }

    /// While somebody holds this, time does no work.
    pub(crate) fn tending(&self) -> &Arc<Mutex<()>> {
        &self.tending
    }

    /// Serves on `listener` until `stop` comes.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        faces: Faces,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        let mut seed = [0; 32];
        fill_random(&mut seed);
        let mut options = HubOptions::new(seed);
        options.public_url.clone_from(&faces.public_url);
        options.trusted_proxies.clone_from(&faces.trusted_proxies);
        if faces.open_metrics {
            options.metrics = hub::MetricsAccess::Anyone;
        }
        options.backups = Some(Arc::new(BackupsBelow {
            store: Arc::clone(&self.store),
            dir: self.data.path().join(BACKUPS),
        }));
        let keys = self.data.webhook_keys(&self.exchange.programme())?;
        let tending = tokio::spawn(tend(self.exchange.clone(), Arc::clone(&self.tending)));
        let comparing = tokio::spawn(compare(self.exchange.clone()));
        let is_behind_tls = faces.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
        let router = hub::router(self.exchange.clone(), options)?.merge(console::router(&self.console));
        let router = with_peers(router, &self.console, faces.trusted_proxies.clone(), is_behind_tls);
        let certificates = faces.tls.clone().map(follow_certificates).transpose()?;
        let serving = ServeOptions {
            tls: faces.tls,
            trusted_proxies: faces.trusted_proxies,
            ..ServeOptions::default()
        };
        let webhooks = Webhooks::start(&self.exchange, keys).context("starting the webhooks' threads")?;
        // It has logged what it dropped. The writer ends with the last handle on the exchange, after it has committed
        // what it had begun.
        hub::serve(vec![listener], router, serving, stop).await;
        if let Some(certificates) = certificates {
            certificates.abort();
        }
        tending.abort();
        comparing.abort();
        // They hold the exchange until what is on its way has been answered, or its time is over.
        drop(tokio::task::spawn_blocking(move || webhooks.stop()).await);
        // So does one that is under way, until it is done.
        for task in [tending, comparing] {
            drop(task.await);
        }
        Ok(())
    }
}

/// The faces, each request with what the hub's server knows of its connection, as the console's pages want it. Where people
/// reach the hub by `https`, something encrypts, though it may not be the hub. A path that there is not has a page, too, if
/// a browser asks for it.
fn with_peers(
    router: Router,
    console: &Console,
    trusted_proxies: Vec<std::net::IpAddr>,
    is_behind_tls: bool,
) -> Router {
    let console = console.clone();
    let tell = move |mut request: Request, next: Next| {
        let connection = request.extensions().get::<Arc<hub::Connection>>().cloned();
        let counted_for = hub::counted_for(connection.as_deref(), request.headers(), &trusted_proxies);
        let closing = connection.as_ref().map(|connection| connection.closing.clone());
        let is_encrypted = is_behind_tls || connection.is_some_and(|connection| connection.is_encrypted);
        let peer = Peer { counted_for, is_encrypted, closing };
        request.extensions_mut().insert(peer.clone());
        let for_people = console::is_for_people(request.method(), request.headers())
            .then(|| (request.headers().clone(), request.uri().path().to_owned()));
        let console = console.clone();
        async move {
            let response = next.run(request).await;
            match for_people {
                Some((headers, path)) if response.extensions().get::<hub::Nowhere>().is_some() => {
                    console::nowhere(&console, &peer, &headers, &path)
                }
                Some(_) | None => response,
            }
        }
    };
    router.layer(from_fn(tell))
}

/// Reads the certificates again when their files change, and when SIGHUP comes. What cannot be used is told once for each
/// reason, and changes nothing.
fn follow_certificates(tls: Tls) -> Result<tokio::task::JoinHandle<()>> {
    let mut hangups = signal(SignalKind::hangup()).context("waiting for SIGHUP")?;
    Ok(tokio::spawn(async move {
        let mut told = None;
        loop {
            let was_asked = tokio::select! {
                hangup = hangups.recv() => hangup.is_some(),
                () = tokio::time::sleep(TENDING) => false,
            };
            let tls = tls.clone();
            let Ok(reloaded) = tokio::task::spawn_blocking(move || tls.reload()).await else { return };
            match reloaded {
                Ok(Reloaded::Changed) => {
                    told = None;
                    tracing::info!(
                        "the certificates were read again; new connections get what is in them now"
                    );
                }
                Ok(Reloaded::Same) => {
                    told = None;
                    if was_asked {
                        tracing::info!("the certificates are as they were");
                    }
                }
                Err(error) => {
                    let text = error.to_string();
                    if was_asked || told.as_ref() != Some(&text) {
                        tracing::error!(%error, "the certificates stay as they were");
                    }
                    told = Some(text);
                }
            }
        }
    }))
}

/// How often the hub looks whether time has work to do.
const TENDING: Duration = Duration::from_secs(1);

/// Lets time do its work: ties that begin and end, duties and reviews that come due.
async fn tend(exchange: Exchange, tending: Arc<Mutex<()>>) {
    loop {
        tokio::time::sleep(TENDING).await;
        let (exchange, tending) = (exchange.clone(), Arc::clone(&tending));
        let work = move || {
            // Whoever holds it looks at the clock only while holding it, so nobody moves it in between.
            let Ok(_held) = tending.try_lock() else { return Ok(Vec::new()) };
            exchange.tend_if_due()
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(moved)) => {
                for moved in moved.iter().filter(|moved| moved.from != moved.to) {
                    tracing::info!(member.id = %moved.member, tier = %moved.tier, to = %moved.to, "a standing followed from its ties");
                }
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "members could not be vetted anew; their standings are as they were");
            }
            Err(_) => return,
        }
    }
}

/// How long names are compared at a time, once in every [`TENDING`].
const COMPARING_MAX: Duration = Duration::from_millis(300);

/// Compares the names that imports bring.
async fn compare(exchange: Exchange) {
    loop {
        tokio::time::sleep(TENDING).await;
        let exchange = exchange.clone();
        match tokio::task::spawn_blocking(move || exchange.compare_names(COMPARING_MAX)).await {
            Ok(Ok(compared)) if compared.proposed > 0 => {
                tracing::info!(proposed = compared.proposed, open = compared.open, "names may be the same");
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "names could not be compared; it is tried again"),
            Err(_) => return,
        }
    }
}

/// Writes backups below the data directory, and verifies each.
struct BackupsBelow {
    store: Arc<SqliteStore>,
    dir: PathBuf,
}

impl Backups for BackupsBelow {
    fn back_up(&self, name: &str) -> Result<BackupReport, BackupError> {
        let to = self.dir.join(name);
        if to.exists() {
            return Err(BackupError::Exists(name.to_owned()));
        }
        self.write(&to).map_err(|error| BackupError::Failed(format!("{error:#}"))).map(|copied| {
            BackupReport {
                directory: name.to_owned(),
                objects: copied.objects,
                entries: copied.entries,
                bytes: copied.bytes,
            }
        })
    }
}

impl BackupsBelow {
    fn write(&self, to: &Path) -> Result<store_sqlite::BackupReport> {
        let copied = self.store.backup(to)?;
        let checked = store_sqlite::verify(to)?;
        match checked.problems.first() {
            None => Ok(copied),
            Some(problem) => Err(anyhow!("the copy is not sound: {problem}")),
        }
    }
}

/// The runtime that a hub runs on.
pub(crate) fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread().enable_all().thread_name("hub").build().context("starting the runtime")
}

/// Listens on an address.
pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
    let bound = listener.local_addr().context("asking for the address")?;
    Ok((listener, bound))
}

/// Comes with the first SIGTERM or SIGINT; a second one ends the process at once.
///
/// Listens from the moment at which this returns, and not only when the future is first waited for.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("waiting for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("waiting for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!("a second signal came; the hub ends at once");
            std::process::exit(1);
        });
    })
}

/// Blocks until SIGTERM or SIGINT.
pub(crate) fn wait_for_signal() -> Result<()> {
    runtime()?.block_on(async {
        stop_signal()?.await;
        Ok(())
    })
}

/// A hub on threads of its own, for the demo.
pub(crate) struct Background {
    url: String,
    exchange: Exchange,
    console: Console,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl Background {
    /// Starts it; it answers when this returns.
    pub(crate) fn start(hosting: Hosting, address: SocketAddr) -> Result<Self> {
        let (exchange, console) = (hosting.exchange().clone(), hosting.console().clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = mpsc::channel();
        let run = move || -> Result<()> {
            runtime()?.block_on(async move {
                let (listener, bound) = listen(address).await?;
                // Nobody waits any more if the demo gave up meanwhile.
                ready.send(bound).unwrap_or_default();
                let stop = async {
                    // An error means that the demo is gone, and that the hub may go too.
                    stopped.await.unwrap_or_default();
                };
                hosting.serve(listener, Faces::default(), stop).await
            })
        };
        let thread =
            thread::Builder::new().name("hub".to_owned()).spawn(run).context("starting the hub's thread")?;
        match is_ready.recv() {
            Ok(bound) => Ok(Self { url: format!("http://{bound}"), exchange, console, stop, thread }),
            Err(_) => match thread.join() {
                Ok(Err(error)) => Err(error),
                Ok(Ok(())) | Err(_) => Err(anyhow!("the hub's thread ended before it listened")),
            },
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    pub(crate) fn console(&self) -> &Console {
        &self.console
    }

    /// Stops it softly.
    pub(crate) fn stop(self) -> Result<()> {
        let Self { exchange, console, stop, thread, .. } = self;
        drop((exchange, console));
        // The hub may have ended by itself.
        stop.send(()).unwrap_or_default();
        thread.join().map_err(|_| anyhow!("the hub's thread panicked"))?
    }
}
