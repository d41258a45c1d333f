//! The countermeasures, each put between the judge and its own crate, and their sockets.
//!
//! A socket is opened before anything else changes, and one that stays in the configuration is never closed. So a reload opens
//! what is new, then takes the new settings, then ends what is gone.

pub mod export;
pub mod flow;
pub mod forward;
pub mod landing;
pub mod mail;
pub mod resolver_log;
pub mod rpz;
pub mod status;
pub mod works;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use quarantine::server::Listener;
use rustls::ServerConfig;
use sinkhole::forward::UdpServer;
use sinkhole::landing::Pages;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};
use tracing::{error, info, warn};

use crate::config::{Channel, Config, Milter, ResolverLog};
use crate::customers::Customers;
use crate::run::{Guard, StartError};
use forward::Forwarding;
use mail::Mail;

/// How long what is being done may take at the end.
const GRACE: Duration = Duration::from_secs(5);
/// How often it is looked what the hub says that people are shown.
const LOOK: Duration = Duration::from_secs(1);

/// Opens every socket that the configuration names, and serves until `stop` says so. A guard that cannot have one of them
/// does not start at all; when all are open, `is_up` is called. Configurations that come over `reloads` are taken, or refused as
/// a whole; [`Guard::reloads`] tells what became of them.
///
/// # Errors
///
/// Fails if a socket cannot be opened.
pub async fn serve(
    guard: Arc<Guard>,
    mut stop: watch::Receiver<bool>,
    mut reloads: mpsc::Receiver<Config>,
    is_up: impl FnOnce(),
) -> Result<(), StartError> {
    let mut faces = Faces::new(Arc::clone(&guard));
    let config = guard.config();
    let customers = guard.judge().customers();
    let opened = faces.open(&config, &customers).await?;
    // Resolvers keep what they have until the zones are open; the forwarder's clients have nothing else.
    let (zones, others) = opened.apart();
    faces.put(others, &config);
    let opening = Arc::clone(&guard);
    spawn_blocking(move || opening.open_zones()).await.map_err(|_| panicked())??;
    faces.run_all(zones);
    is_up();
    let mut looks = tokio::time::interval(LOOK);
    // Ends only when it is told to; a face that fails says so, and the others go on.
    loop {
        tokio::select! {
            changed = stop.changed() => {
                if changed.is_err() || *stop.borrow() {
                    break;
                }
            }
            Some(config) = reloads.recv() => faces.reload(config).await,
            _ = looks.tick() => faces.look().await,
            Some(ended) = faces.tasks.join_next() => match ended {
                Ok(Ok(())) => {}
                Ok(Err(why)) => error!("a face has ended: {why}"),
                Err(error) if error.is_cancelled() => {}
                Err(error) => error!("a face has failed: {error}"),
            },
        }
    }
    faces.end().await;
    Ok(())
}

/// A socket, as the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Zones(SocketAddr),
    Forwarder(SocketAddr, u8),
    Landing(SocketAddr),
    Mail(String),
    Flows(SocketAddr),
    ResolverLog(String),
    Status(SocketAddr),
}

/// A socket that is open and not served yet.
enum Socket {
    Zones(UdpSocket, TcpListener),
    Forwarder(forward::Opened),
    Landing(TcpListener),
    Mail(Listener),
    Flows(flow::Listening, UdpSocket),
    ResolverLog(resolver_log::Opened),
    Status(TcpListener),
}

/// What ends a socket's service.
struct Running {
    /// For services without an end of their own.
    task: Option<AbortHandle>,
    /// For services that finish what they do.
    stop: Option<watch::Sender<bool>>,
    udp: Option<UdpServer>,
    flows: Option<flow::Listening>,
}

/// What a configuration needs beside what runs.
struct Opened {
    sockets: Vec<(Place, Socket)>,
    tls: Option<Arc<ServerConfig>>,
    backs: Backs,
}

/// What stands behind the sockets of one kind, from the first of them on.
#[derive(Default)]
struct Backs {
    forwarding: Option<Forwarding>,
    mail: Option<Mail>,
    alerts: Option<mpsc::Sender<flows::Alert>>,
}

impl Opened {
    /// The zones' sockets, and all else.
    fn apart(mut self) -> (Vec<(Place, Socket)>, Self) {
        let (zones, sockets) = std::mem::take(&mut self.sockets)
            .into_iter()
            .partition(|(_, socket)| matches!(socket, Socket::Zones(..)));
        (zones, Self { sockets, ..self })
    }
}

/// All sockets that are served.
struct Faces {
    guard: Arc<Guard>,
    running: BTreeMap<Place, Running>,
    tasks: JoinSet<Result<(), String>>,
    backs: Backs,
    pages: Pages,
    /// Looks for held mail that is old.
    expiring: Option<watch::Sender<bool>>,
    /// What the programme calls itself, once the hub has said so.
    programme: Option<String>,
}

impl Faces {
    fn new(guard: Arc<Guard>) -> Self {
        Self {
            guard,
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            backs: Backs::default(),
            pages: Arc::new(RwLock::default()),
            expiring: None,
            programme: None,
        }
    }

    /// Opens what a configuration names and does not run yet.
    async fn open(&mut self, config: &Arc<Config>, customers: &Customers) -> Result<Opened, StartError> {
        let (mut tls, mut backs) = (None, Backs::default());
        let judge = self.guard.judge();
        if let Some(settled) = &config.sinkhole.forwarder {
            tls = forward::certificate(settled)?;
            let is_new = self.backs.forwarding.is_none();
            backs.forwarding = is_new.then(|| Forwarding::new(config, settled, judge));
        }
        if let (Some(settled), None) = (&config.quarantine, &self.backs.mail) {
            let guard = &self.guard;
            backs.mail = Some(Mail::open(config, settled, judge, guard.secrets(), guard.clock())?);
        }
        if let (Some(settled), None) = (&config.flows, &self.backs.alerts) {
            backs.alerts = Some(flow::alerts(settled, &mut self.tasks));
        }
        for milter in config.quarantine.iter().flat_map(|mail| &mail.listen) {
            mail::check(milter, config)?;
        }
        for address in config.flows.iter().flat_map(|flows| &flows.listen) {
            flow::whose(&address.to_string(), customers)?;
        }
        let mut sockets = Vec::new();
        for wanted in wanted(config) {
            let place = wanted.place();
            if !self.running.contains_key(&place) {
                sockets.push((place, self.socket(wanted, config, customers, &backs).await?));
            }
        }
        Ok(Opened { sockets, tls, backs })
    }

    async fn socket(
        &self,
        wanted: Wanted<'_>,
        config: &Config,
        customers: &Customers,
        fresh: &Backs,
    ) -> Result<Socket, StartError> {
        Ok(match wanted {
            Wanted::Zones(address) => {
                let (udp, tcp) = dns_sockets(address).await?;
                Socket::Zones(udp, tcp)
            }
            Wanted::Forwarder(address, channel) => {
                let forwarding = self.backs.forwarding.as_ref().or(fresh.forwarding.as_ref());
                let forwarding = forwarding.ok_or_else(|| missing("a forwarder"))?;
                Socket::Forwarder(forwarding.open(address, channel).await?)
            }
            Wanted::Landing(address) => Socket::Landing(bind(address).await?),
            Wanted::Mail(milter) => Socket::Mail(mail::listen(milter).await?),
            Wanted::Flows(address) => {
                let alerts = self.backs.alerts.clone().or_else(|| fresh.alerts.clone());
                let alerts = alerts.ok_or_else(|| missing("alerts"))?;
                let opened = flow::open(address, config, customers, self.guard.judge(), alerts).await?;
                Socket::Flows(opened.0, opened.1)
            }
            Wanted::ResolverLog(log, _) => Socket::ResolverLog(resolver_log::open(log)?),
            Wanted::Status(address) => Socket::Status(bind(address).await?),
        })
    }

    /// Serves what was opened, and has what runs already take a configuration.
    fn put(&mut self, opened: Opened, config: &Arc<Config>) {
        let Backs { forwarding, mail, alerts } = opened.backs;
        self.backs.forwarding = self.backs.forwarding.take().or(forwarding);
        self.backs.mail = self.backs.mail.take().or(mail);
        self.backs.alerts = self.backs.alerts.take().or(alerts);
        if let (Some(forwarding), Some(settled)) = (&mut self.backs.forwarding, &config.sinkhole.forwarder) {
            forwarding.reload(config, settled, self.guard.judge());
            forwarding.set_tls(opened.tls);
        }
        self.guard.works().serve(
            self.backs.forwarding.as_ref().map(Forwarding::forwarder),
            self.backs.mail.as_ref().map(Mail::quarantine),
        );
        self.show_pages(config);
        if let (Some(mail), Some(settled)) = (&self.backs.mail, &config.quarantine) {
            mail.reload(config, settled);
        }
        let customers = self.guard.judge().customers();
        for listening in self.running.values().filter_map(|running| running.flows.as_ref()) {
            listening.reload(config, &customers);
        }
        self.run_all(opened.sockets);
    }

    /// Says on the landing pages what a configuration and the programme say.
    fn show_pages(&self, config: &Config) {
        let pages = landing::pages(config, self.programme.as_deref());
        *self.pages.write().unwrap_or_else(PoisonError::into_inner) = pages;
    }

    /// The programme may have said who it is.
    async fn look(&mut self) {
        let guard = Arc::clone(&self.guard);
        let name = spawn_blocking(move || {
            let engine = guard.engine();
            Some(engine.me()?.programme.as_ref()?.name.clone())
        });
        let name = name.await.ok().flatten();
        if name.is_some() && name != self.programme {
            self.programme = name;
            let config = self.guard.config();
            self.show_pages(&config);
        }
    }

    fn run_all(&mut self, sockets: Vec<(Place, Socket)>) {
        for (place, socket) in sockets {
            info!(?place, "it is served");
            let running = self.run(socket, &place);
            self.running.insert(place, running);
        }
    }

    fn run(&mut self, socket: Socket, place: &Place) -> Running {
        let mut running = Running { task: None, stop: None, udp: None, flows: None };
        match socket {
            Socket::Zones(udp, tcp) => {
                let publisher = Arc::clone(self.guard.zones().publisher());
                running.task = Some(self.tasks.spawn(async move {
                    let limits = sinkhole::rpz::ServerLimits::default();
                    let ended = sinkhole::rpz::serve(publisher, udp, tcp, limits).await;
                    ended.map_err(|error| format!("policy zones: {error}"))
                }));
            }
            Socket::Forwarder(opened) => {
                if let Some(forwarding) = &self.backs.forwarding {
                    let (serving, udp) = forwarding.serve(opened);
                    running.task = Some(self.tasks.spawn(serving));
                    running.udp = udp;
                }
            }
            Socket::Landing(listener) => {
                let works = Arc::clone(self.guard.works());
                let showing = landing::show(listener, Arc::clone(&self.pages), works);
                running.task = Some(self.tasks.spawn(showing));
            }
            Socket::Mail(listener) => {
                if let (Some(mail), Place::Mail(name)) = (&self.backs.mail, place) {
                    let (stop, stopping) = watch::channel(false);
                    let (quarantine, name) = (Arc::clone(mail.quarantine()), name.clone());
                    self.tasks.spawn(async move {
                        quarantine.serve(listener, &name, stopping).await;
                        Ok(())
                    });
                    running.stop = Some(stop);
                    self.expire();
                }
            }
            Socket::Flows(listening, socket) => {
                let (stop, stopping) = watch::channel(false);
                let (collector, name) = (Arc::clone(&listening.collector), listening.name.clone());
                self.guard.works().collect(&collector);
                let clock = Arc::clone(self.guard.clock());
                self.tasks.spawn(async move {
                    collector.serve(socket, &name, clock, stopping).await;
                    Ok(())
                });
                (running.stop, running.flows) = (Some(stop), Some(listening));
            }
            Socket::ResolverLog(opened) => {
                let config = self.guard.config();
                let reader = resolver_log::Reader::new(&config, self.guard.judge(), self.guard.works());
                running.task = Some(self.tasks.spawn(resolver_log::follow(opened, reader)));
            }
            Socket::Status(listener) => {
                let router = status::router(Arc::clone(&self.guard));
                running.task = Some(self.tasks.spawn(async move {
                    axum::serve(listener, router).await.map_err(|error| format!("the status page: {error}"))
                }));
            }
        }
        running
    }

    /// Looks for held mail that is old, from the first listener on.
    fn expire(&mut self) {
        if let (Some(mail), None) = (&self.backs.mail, &self.expiring) {
            let (stop, stopping) = watch::channel(false);
            let quarantine = Arc::clone(mail.quarantine());
            self.tasks.spawn(async move {
                quarantine.expire(stopping).await;
                Ok(())
            });
            self.expiring = Some(stop);
        }
    }

    /// Takes a configuration, or says why not and goes on as before.
    async fn reload(&mut self, config: Config) {
        match self.try_reload(config).await {
            Ok(needs_restart) if needs_restart.is_empty() => info!("the new configuration is in force"),
            Ok(needs_restart) => warn!(
                needs_restart = needs_restart.join(", "),
                "the new configuration is in force, without what needs a restart"
            ),
            Err(error) => {
                error!("the configuration stays as it was: {error}");
                self.guard.refused(vec![error.to_string()]);
            }
        }
    }

    async fn try_reload(&mut self, config: Config) -> Result<Vec<&'static str>, StartError> {
        let guard = Arc::clone(&self.guard);
        let prepared = spawn_blocking(move || guard.prepare(config)).await.map_err(|_| panicked())??;
        let (config, needs_restart) = (Arc::clone(&prepared.config), prepared.needs_restart.clone());
        let opened = self.open(&config, &prepared.customers).await?;
        let guard = Arc::clone(&self.guard);
        // Once begun it is gone through with: what fails now is a disk.
        let adopted = spawn_blocking(move || guard.adopt(prepared)).await.map_err(|_| panicked())?;
        self.put(opened, &config);
        self.end_others(&config).await;
        self.guard.took(&needs_restart);
        if let Err(error) = adopted {
            error!("the new configuration is in force, and a store or a journal fails: {error}");
        }
        Ok(needs_restart)
    }

    /// Ends what a configuration no longer names.
    async fn end_others(&mut self, config: &Config) {
        let wanted: BTreeSet<Place> = wanted(config).iter().map(Wanted::place).collect();
        let gone: Vec<Place> =
            self.running.keys().filter(|place| !wanted.contains(*place)).cloned().collect();
        for place in gone {
            info!(?place, "it is served no more");
            if let Some(running) = self.running.remove(&place) {
                running.end().await;
            }
        }
    }

    /// Ends everything as soon as nothing is under way: mail that is being looked at is answered, questions that wait are
    /// too, alerts are written.
    async fn end(mut self) {
        let ending = async {
            for running in std::mem::take(&mut self.running).into_values() {
                running.end().await;
            }
            self.expiring = None;
            self.backs.alerts = None;
            while self.tasks.join_next().await.is_some() {}
        };
        if tokio::time::timeout(GRACE, ending).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

impl Running {
    async fn end(self) {
        if let Some(task) = self.task {
            task.abort();
        }
        if let Some(stop) = self.stop {
            // Whoever listened may have ended by itself.
            let _ended = stop.send(true);
        }
        if let Some(udp) = self.udp {
            udp.finish(GRACE).await;
        }
    }
}

/// A socket that a configuration names.
enum Wanted<'c> {
    Zones(SocketAddr),
    Forwarder(SocketAddr, Channel),
    Landing(SocketAddr),
    Mail(&'c Milter),
    Flows(SocketAddr),
    ResolverLog(&'c ResolverLog, &'c str),
    Status(SocketAddr),
}

impl Wanted<'_> {
    fn place(&self) -> Place {
        match self {
            Self::Zones(address) => Place::Zones(*address),
            Self::Forwarder(address, channel) => Place::Forwarder(*address, *channel as u8),
            Self::Landing(address) => Place::Landing(*address),
            Self::Mail(milter) => Place::Mail(mail::name_of(milter)),
            Self::Flows(address) => Place::Flows(*address),
            // Who reads for other zones is another.
            Self::ResolverLog(log, origin) => {
                Place::ResolverLog(format!("{} of {origin}", resolver_log::name_of(log)))
            }
            Self::Status(address) => Place::Status(*address),
        }
    }
}

fn wanted(config: &Config) -> Vec<Wanted<'_>> {
    let sinkhole = &config.sinkhole;
    let zones = sinkhole.rpz.iter().flat_map(|rpz| &rpz.listen).map(|address| Wanted::Zones(*address));
    let forwarder = sinkhole.forwarder.iter().flat_map(|forwarder| &forwarder.listen);
    let forwarder = forwarder.map(|(address, channel)| Wanted::Forwarder(*address, *channel));
    let landing = sinkhole.landing.iter().flat_map(|landing| &landing.listen);
    let landing = landing.map(|address| Wanted::Landing(*address));
    let mail = config.quarantine.iter().flat_map(|mail| &mail.listen).map(Wanted::Mail);
    let flows = config.flows.iter().flat_map(|flows| &flows.listen).map(|address| Wanted::Flows(*address));
    let logs = sinkhole.rpz.iter();
    let logs = logs.flat_map(|rpz| rpz.logs.iter().map(|log| Wanted::ResolverLog(log, &rpz.origin)));
    let status = config.status.map(Wanted::Status);
    zones.chain(forwarder).chain(landing).chain(mail).chain(flows).chain(logs).chain(status).collect()
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| listen(address, source))
}

async fn dns_sockets(address: SocketAddr) -> Result<(UdpSocket, TcpListener), StartError> {
    let tcp = bind(address).await?;
    // With port 0, which tests ask for, both have the same one.
    let address = tcp.local_addr().map_err(|source| listen(address, source))?;
    let udp = UdpSocket::bind(address).await.map_err(|source| listen(address, source))?;
    Ok((udp, tcp))
}

fn listen(address: SocketAddr, source: std::io::Error) -> StartError {
    StartError::Listen { address: address.to_string(), source }
}

fn missing(what: &'static str) -> StartError {
    StartError::System { what, reason: "it was not made".to_owned() }
}

fn panicked() -> StartError {
    StartError::System { what: "thread", reason: "it has failed".to_owned() }
}
