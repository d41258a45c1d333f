//! The forwarder: DNS for sites without a resolver of their own, answered for each client as its customer has it.

use std::net::IpAddr;
use std::sync::{Arc, RwLock};

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sinkhole::WireName;
use sinkhole::forward::{
    Action as DnsAct, Answer, Cause, Forwarder, Judge as DnsJudge, Rate, Reason, Settings, SharedTls, Sink,
    Slot, StreamLimits, UdpServer, Verdict, serve_https, serve_tcp, serve_tls, serve_udp,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::info;

use super::rpz::safe_addresses;
use crate::config::{Channel, Config, Forwarder as Settled, Mode, Service};
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
    /// The feeds' names, as clients are told.
    aliases: Vec<Arc<str>>,
}

impl DnsJudge for DnsFace {
    fn judge(&self, name: WireName<'_>, _qtype: u16, client: IpAddr) -> Verdict {
        if self.judge.set().allowed.passes_wire(name.as_bytes()) {
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
        let text = self.aliases.get(usize::from(decided.feed)).cloned().unwrap_or_else(|| Arc::from(""));
        let answer = if v4.is_none() && v6.is_none() { Answer::NxDomain } else { Answer::Address { v4, v6 } };
        Verdict::Block { slot: decided.slot, answer, reason: Reason { cause: Cause::Blocked, text } }
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

/// What has to stay until the end.
pub struct Serving {
    _threads: Vec<UdpServer>,
}

/// Opens the sockets of a configuration, and serves them.
///
/// # Errors
///
/// Fails if a socket or the certificate cannot be had.
///
/// # Panics
///
/// Panics if the system gives no random numbers, which it does once it is up.
pub async fn open(
    config: &Arc<Config>,
    judge: &Arc<Judge>,
    faces: &mut JoinSet<Result<(), String>>,
) -> Result<Serving, StartError> {
    let Some(settled) = &config.sinkhole.forwarder else { return Ok(Serving { _threads: Vec::new() }) };
    let aliases = config.feeds.iter().map(|feed| Arc::from(feed.alias.as_str())).collect();
    let face = Arc::new(DnsFace { judge: Arc::clone(judge), config: Arc::clone(config), aliases });
    let settings = Settings {
        rate: Rate {
            per_second: settled.queries_per_second,
            burst: settled.queries_per_second.saturating_mul(BURST_SECONDS),
        },
        block_ttl: u32::try_from(config.sinkhole.ttl.as_secs()).unwrap_or(30),
        ..Settings::new(settled.upstreams.clone(), Arc::clone(&face) as Arc<dyn DnsJudge>, face)
    };
    let random = sinkhole::Random::new(|bytes| {
        getrandom::fill(bytes).expect("the system's generator works once it is up");
    });
    let bytes = settled.cache_entries_max.saturating_mul(BYTES_PER_ANSWER);
    let forwarder = Arc::new(Forwarder::new(settings, bytes, random));
    let tls = certificate(settled)?;
    let mut threads = Vec::new();
    for (address, channel) in &settled.listen {
        let fail = |source| StartError::Listen { address: address.to_string(), source };
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let limits = StreamLimits::default();
        let forwarder = Arc::clone(&forwarder);
        info!(%address, ?channel, "clients are answered");
        match channel {
            Channel::Plain => {
                let bound = listener.local_addr().map_err(fail)?;
                let handle = tokio::runtime::Handle::current();
                threads.push(serve_udp(&forwarder, bound, UDP_THREADS, &handle).map_err(fail)?);
                faces.spawn(async move { ended(serve_tcp(forwarder, listener, limits).await) });
            }
            Channel::Dot => {
                let tls = tls.clone().ok_or_else(|| no_certificate(settled))?;
                faces.spawn(async move { ended(serve_tls(forwarder, listener, tls, limits).await) });
            }
            Channel::Doh => {
                let tls = tls.clone();
                faces.spawn(async move { ended(serve_https(forwarder, listener, tls, limits).await) });
            }
        }
    }
    Ok(Serving { _threads: threads })
}

fn ended(result: std::io::Result<()>) -> Result<(), String> {
    result.map_err(|error| format!("the forwarder: {error}"))
}

fn no_certificate(settled: &Settled) -> StartError {
    let path =
        settled.tls.as_ref().map_or_else(|| "tls_cert".to_owned(), |(cert, _)| cert.display().to_string());
    StartError::File { path, reason: "is needed for encrypted DNS".to_owned() }
}

fn certificate(settled: &Settled) -> Result<Option<SharedTls>, StartError> {
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
    Ok(Some(Arc::new(RwLock::new(Arc::new(server)))))
}
