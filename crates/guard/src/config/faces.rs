//! The parts of the configuration that say where the guard listens and what it writes.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

/// DNS.
#[derive(Clone, Debug, Default)]
pub struct Sinkhole {
    /// Where blocked clients are sent, by category; `""` is for all others. Up to one address of each family.
    pub addresses: BTreeMap<String, Vec<IpAddr>>,
    /// How long resolvers and clients keep an answer of ours.
    pub ttl: Duration,
    /// Serves policy zones to resolvers.
    pub rpz: Option<Rpz>,
    /// Answers clients itself.
    pub forwarder: Option<Forwarder>,
    /// Tells people why.
    pub landing: Option<Landing>,
}

/// What an RPZ zone does with a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RpzAction {
    /// Answers with the sinkhole's address.
    #[default]
    Sinkhole,
    /// Says that there is no such name.
    Nxdomain,
    /// Says that the name has no such record.
    Nodata,
}

/// The policy zones.
#[derive(Clone, Debug)]
pub struct Rpz {
    /// Where resolvers ask, UDP and TCP.
    pub listen: Vec<SocketAddr>,
    /// What every zone's name ends in: a feed's zone is `ALIAS.ORIGIN`.
    pub origin: String,
    /// What they do.
    pub action: RpzAction,
    /// The keys of those who may transfer zones.
    pub keys: Vec<TsigKey>,
    /// Addresses that need not sign: resolvers that cannot, such as Unbound before 1.24.
    pub unsigned: Vec<IpAddr>,
    /// Whom to tell of changes.
    pub notify: Vec<Secondary>,
    /// Whether there are zones of addresses too (`rpz-ip`): `ALIAS.ip.ORIGIN`. A resolver has to resolve before it can obey
    /// them, so the adversary's servers are asked.
    pub addresses: bool,
    /// Whether there are zones too that let pass and have resolvers write down what a feed lists, enforced or not:
    /// `ALIAS.watch.ORIGIN`.
    pub watch: bool,
    /// Where resolvers write down what policy zones decided.
    pub logs: Vec<ResolverLog>,
}

/// Where a resolver writes down what policy zones decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolverLog {
    /// A file, which it adds to.
    File(PathBuf),
    /// A socket for datagrams of syslog, in the file system.
    Socket(PathBuf),
}

/// A TSIG key.
#[derive(Clone, Debug)]
pub struct TsigKey {
    /// Its name.
    pub name: String,
    /// `hmac-sha256` or `hmac-sha512`.
    pub algorithm: String,
    /// The file with the secret in base64.
    pub secret_file: PathBuf,
}

/// A resolver that is told of changes.
#[derive(Clone, Debug)]
pub struct Secondary {
    /// Where it listens for NOTIFY.
    pub address: SocketAddr,
    /// The key that signs what it is told.
    pub key: Option<String>,
}

/// How a client reaches the forwarder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// UDP and TCP.
    Plain,
    /// TLS (RFC 7858).
    Dot,
    /// HTTPS (RFC 8484).
    Doh,
}

/// The forwarder.
#[derive(Clone, Debug)]
pub struct Forwarder {
    /// Where clients ask, and how.
    pub listen: Vec<(SocketAddr, Channel)>,
    /// Where the truth comes from.
    pub upstreams: Vec<SocketAddr>,
    /// Certificate chain and key in PEM, for over TLS and HTTPS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// How many answers are kept.
    pub cache_entries_max: usize,
    /// What one client network (IPv4 /24, IPv6 /56) may ask a second over UDP, in the long run; 0 for no limit.
    pub queries_per_second: u32,
}

/// The landing service.
#[derive(Clone, Debug)]
pub struct Landing {
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// Whom people can ask; shown to them.
    pub contact: String,
}

/// What is done with a mail that matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailAction {
    /// Count only.
    Monitor,
    /// Add a header.
    Tag,
    /// The mail server's hold queue.
    #[default]
    Hold,
    /// The guard's own encrypted store.
    Store,
    /// Refuse.
    Reject,
}

/// What becomes of mail that the guard cannot look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// The sender is told to come back.
    #[default]
    Tempfail,
    /// It passes.
    Accept,
}

/// Mail.
#[derive(Clone, Debug)]
pub struct Quarantine {
    /// Where mail servers connect.
    pub listen: Vec<Milter>,
    /// What is done.
    pub action: MailAction,
    /// What if not.
    pub on_failure: OnFailure,
    /// Where released mail goes; without it, a release writes to a file.
    pub release_to: Option<SocketAddr>,
    /// How long held mail is kept.
    pub keep: Duration,
}

/// A milter's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Milter {
    /// TCP.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Flows.
#[derive(Clone, Debug)]
pub struct Flows {
    /// Where exporters send to.
    pub listen: Vec<SocketAddr>,
    /// Who may.
    pub exporters: Vec<IpAddr>,
    /// Alerts as JSON lines.
    pub alerts_file: Option<PathBuf>,
    /// Alerts as syslog over UDP.
    pub syslog: Option<SocketAddr>,
}

/// A format for other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// A response policy zone as a file.
    Rpz,
    /// A hosts file.
    Hosts,
    /// Names, one a line.
    Names,
    /// Addresses and networks, one a line.
    Addresses,
    /// URLs, one a line.
    Urls,
    /// Hashes, one a line.
    Hashes,
    /// Everything, as a table.
    Csv,
    /// Datasets and rules.
    Suricata,
    /// The intel framework's table.
    Zeek,
    /// A `dstdomain` list.
    Squid,
    /// A set.
    Nftables,
    /// A MISP feed.
    Misp,
    /// A bundle.
    Stix,
}

/// Something that is written whenever it changes.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its format.
    pub format: ExportFormat,
    /// The feeds that go into it; none named: all.
    pub feeds: Vec<String>,
    /// Where it is written to: a file, or a folder for formats of several files.
    pub path: PathBuf,
    /// Whether it is also served at the status address, below `/export/`.
    pub serve: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenSinkhole {
    #[serde(default)]
    pub(super) addresses: BTreeMap<String, Spanned<Vec<IpAddr>>>,
    pub(super) ttl_seconds: Option<Spanned<u64>>,
    pub(super) rpz: Option<WrittenRpz>,
    pub(super) forwarder: Option<WrittenForwarder>,
    pub(super) landing: Option<WrittenLanding>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRpz {
    pub(super) listen: Vec<Spanned<SocketAddr>>,
    pub(super) origin: Spanned<String>,
    #[serde(default)]
    pub(super) action: RpzAction,
    #[serde(default, rename = "key")]
    pub(super) keys: Vec<WrittenKey>,
    #[serde(default)]
    pub(super) unsigned: Vec<IpAddr>,
    #[serde(default)]
    pub(super) notify: Vec<WrittenSecondary>,
    #[serde(default)]
    pub(super) addresses: bool,
    #[serde(default)]
    pub(super) watch: bool,
    #[serde(default)]
    pub(super) logs: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenKey {
    pub(super) name: Spanned<String>,
    pub(super) algorithm: Option<Spanned<String>>,
    pub(super) secret_file: Spanned<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenSecondary {
    pub(super) address: SocketAddr,
    pub(super) key: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenForwarder {
    #[serde(default)]
    pub(super) plain: Vec<Spanned<SocketAddr>>,
    #[serde(default)]
    pub(super) dot: Vec<Spanned<SocketAddr>>,
    #[serde(default)]
    pub(super) doh: Vec<Spanned<SocketAddr>>,
    pub(super) upstreams: Spanned<Vec<SocketAddr>>,
    pub(super) tls_cert: Option<Spanned<PathBuf>>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) cache_entries_max: Option<usize>,
    pub(super) queries_per_second: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenLanding {
    pub(super) listen: Vec<Spanned<SocketAddr>>,
    pub(super) contact: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenQuarantine {
    pub(super) listen: Spanned<Vec<String>>,
    #[serde(default)]
    pub(super) action: MailAction,
    #[serde(default)]
    pub(super) on_failure: OnFailure,
    pub(super) release_to: Option<SocketAddr>,
    pub(super) keep_days: Option<Spanned<u64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenFlows {
    pub(super) listen: Vec<Spanned<SocketAddr>>,
    #[serde(default)]
    pub(super) exporters: Vec<IpAddr>,
    pub(super) alerts_file: Option<Spanned<PathBuf>>,
    pub(super) syslog: Option<SocketAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenExport {
    pub(super) format: ExportFormat,
    #[serde(default)]
    pub(super) feeds: Vec<Spanned<String>>,
    pub(super) path: Spanned<PathBuf>,
    #[serde(default)]
    pub(super) serve: bool,
}
