//! The forwarder: DNS for sites without a resolver of their own, answered for each client as its customer has it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sinkhole::WireName;
use sinkhole::forward::{
    Action as DnsAct, Answer, Cause, Forwarder, Judge as DnsJudge, Rate, Reason, Settings, SharedTls, Sink,
    Slot, StreamLimits, UdpServer, Verdict, serve_https, serve_tcp, serve_tls, serve_udp,
};
use tokio::net::TcpListener;
use tracing::info;

use super::rpz::safe_addresses;
use crate::config::{self, Channel, Config, Forwarder as Settled, Mode, Service};
use crate::judge::Judge;
use crate::occurrence::Action;
use crate::run::StartError;

/// Bytes of the cache for each answer that it may hold; most are far shorter.
const BYTES_PER_ANSWER: usize = 512;
/// How many seconds' worth of queries a client network may send at once after a rest.
const BURST_SECONDS: u32 = 3;
/// Threads that answer over UDP.
const UDP_THREADS: usize = 2;

/// A client's view of the judge.
struct DnsFace {
    judge: Arc<Judge>,
    config: Arc<Config>,
    /// Of each feed why its names are blocked, as clients are told.
    reasons: Vec<Reason>,
}

impl DnsFace {
    fn new(config: &Arc<Config>, judge: &Arc<Judge>) -> Self {
        let reasons = config.feeds.iter().map(|feed| Reason {
            cause: match feed.cause {
                config::Cause::Blocked => Cause::Blocked,
                config::Cause::Censored => Cause::Censored,
                config::Cause::Filtered => Cause::Filtered,
            },
            text: Arc::from(feed.alias.as_str()),
        });
        let reasons = reasons.collect();
        Self { judge: Arc::clone(judge), config: Arc::clone(config), reasons }
    }
}

impl DnsJudge for DnsFace {
    fn judge(&self, name: WireName<'_>, _qtype: u16, client: IpAddr) -> Verdict {
        if self.judge.set().allowed().passes_wire(name.as_bytes()) {
            return Verdict::Allow;
        }
        let Some(customer) = self.judge.customers().of_address(client) else { return Verdict::Pass };
        let Some(decided) = self.judge.name_wire(customer, Service::Sinkhole, name.as_bytes()) else {
            return Verdict::Pass;
        };
        if decided.mode == Mode::Monitor {
            return Verdict::Monitor { slot: decided.slot };
        }
        let category = self.judge.category(decided.category);
        let (v4, v6) = safe_addresses(&self.config.sinkhole.addresses, &category);
        let unnamed = || Reason { cause: Cause::Blocked, text: Arc::from("") };
        let reason = self.reasons.get(usize::from(decided.feed)).cloned().unwrap_or_else(unnamed);
        let answer = if v4.is_none() && v6.is_none() { Answer::NxDomain } else { Answer::Address { v4, v6 } };
        Verdict::Block { slot: decided.slot, answer, reason }
    }
}

impl Sink for DnsFace {
    /// Counted where it is known whose client it was.
    fn hit(&self, _slot: Slot, _action: DnsAct) {}

    fn site_log(&self, slot: Slot, action: DnsAct, name: WireName<'_>, client: IpAddr) {
        let action = match action {
            DnsAct::Blocked => Action::Enforced,
            DnsAct::Monitored => Action::Monitored,
        };
        if let Some(customer) = self.judge.customers().of_address(client) {
            self.judge.hit(customer, Service::Sinkhole, slot, action);
        }
        if self.config.log_victims {
            info!(reference = self.judge.reference(slot), name = %name.to_name(), %client, "a listed name was asked for");
        }
    }
}

/// The forwarder with what its listeners share.
pub struct Forwarding {
    forwarder: Arc<Forwarder>,
    tls: Option<SharedTls>,
}

/// An open listener of the forwarder, which is served already where it is one of UDP.
pub struct Opened {
    channel: Channel,
    tcp: TcpListener,
    udp: Option<UdpServer>,
}

impl Forwarding {
    /// A forwarder that nobody can ask yet.
    ///
    /// # Panics
    ///
    /// Panics if the system gives no random numbers, which it does once it is up.
    #[must_use]
    pub fn new(config: &Arc<Config>, settled: &Settled, judge: &Arc<Judge>) -> Self {
        let random = sinkhole::Random::new(|bytes| {
            getrandom::fill(bytes).expect("the system's generator works once it is up");
        });
        let bytes = settled.cache_entries_max.saturating_mul(BYTES_PER_ANSWER);
        let forwarder = Forwarder::new(settings(config, settled, judge), bytes, random);
        Self { forwarder: Arc::new(forwarder), tls: None }
    }

    /// What answers.
    #[must_use]
    pub fn forwarder(&self) -> &Arc<Forwarder> {
        &self.forwarder
    }

    /// Takes other settings from the next question on.
    pub fn reload(&self, config: &Arc<Config>, settled: &Settled, judge: &Arc<Judge>) {
        self.forwarder.reload(settings(config, settled, judge));
    }

    /// Shows another certificate from the next connection on.
    pub fn set_tls(&mut self, tls: Option<Arc<ServerConfig>>) {
        match (&self.tls, tls) {
            (Some(shared), Some(tls)) => *shared.write().unwrap_or_else(PoisonError::into_inner) = tls,
            (_, tls) => self.tls = tls.map(|tls| Arc::new(RwLock::new(tls))),
        }
    }

    /// Opens a listener.
    ///
    /// # Errors
    ///
    /// Fails if its socket cannot be had.
    pub async fn open(&self, address: SocketAddr, channel: Channel) -> Result<Opened, StartError> {
        let fail = |source| StartError::Listen { address: address.to_string(), source };
        let tcp = TcpListener::bind(address).await.map_err(fail)?;
        let udp = match channel {
            Channel::Plain => {
                let bound = tcp.local_addr().map_err(fail)?;
                let handle = tokio::runtime::Handle::current();
                Some(serve_udp(&self.forwarder, bound, UDP_THREADS, &handle).map_err(fail)?)
            }
            Channel::Dot | Channel::Doh => None,
        };
        Ok(Opened { channel, tcp, udp })
    }

    /// Serves a listener: what runs until it is dropped, and what answers over UDP.
    pub fn serve(
        &self,
        opened: Opened,
    ) -> (impl Future<Output = Result<(), String>> + Send + use<>, Option<UdpServer>) {
        let Opened { channel, tcp, udp } = opened;
        let (forwarder, tls) = (Arc::clone(&self.forwarder), self.tls.clone());
        let limits = StreamLimits::default();
        let serving = async move {
            match (channel, tls) {
                (Channel::Plain, _) => ended(serve_tcp(forwarder, tcp, limits).await),
                (Channel::Dot, Some(tls)) => ended(serve_tls(forwarder, tcp, tls, limits).await),
                (Channel::Doh, Some(tls)) => ended(serve_https(forwarder, tcp, Some(tls), limits).await),
                (Channel::Dot | Channel::Doh, None) => Err("the forwarder: no certificate".to_owned()),
            }
        };
        (serving, udp)
    }
}

fn settings(config: &Arc<Config>, settled: &Settled, judge: &Arc<Judge>) -> Settings {
    let face = Arc::new(DnsFace::new(config, judge));
    Settings {
        rate: Rate {
            per_second: settled.queries_per_second,
            burst: settled.queries_per_second.saturating_mul(BURST_SECONDS),
        },
        block_ttl: u32::try_from(config.sinkhole.ttl.as_secs()).unwrap_or(30),
        ..Settings::new(settled.upstreams.clone(), Arc::clone(&face) as Arc<dyn DnsJudge>, face)
    }
}

fn ended(result: std::io::Result<()>) -> Result<(), String> {
    result.map_err(|error| format!("the forwarder: {error}"))
}

/// The certificate for DNS over TLS and HTTPS, if there is to be one.
///
/// # Errors
///
/// Fails if its files are none.
pub fn certificate(settled: &Settled) -> Result<Option<Arc<ServerConfig>>, StartError> {
    let Some((cert, key)) = &settled.tls else { return Ok(None) };
    let file = |path: &std::path::Path, reason: String| StartError::File {
        path: path.display().to_string(),
        reason,
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| file(cert, format!("is no certificate chain in PEM: {error}")))?;
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| file(key, format!("is no private key in PEM: {error}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|error| file(cert, format!("cannot be used: {error}")))?;
    Ok(Some(Arc::new(server)))
}
