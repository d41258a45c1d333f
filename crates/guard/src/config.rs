//! The guard's one file.
//!
//! Like a programme's settings it is read in two steps: its shape first, which stops at the first fault as a parser has
//! to; then its sense, all faults at once, each with its line and what to do about it. `ringfence guard --check CONFIG`
//! does both and starts nothing.
//!
//! Paths in the file are relative to the file's folder. What the file leaves out is off: without a `[sinkhole.rpz]`
//! nothing listens for resolvers. Nothing listens beyond loopback unless `expose = true` stands at the top.

mod faces;
mod looks;
mod options;
mod sense;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use model::{Problem, Problems};
use serde::{Deserialize, Serialize};
use toml::Spanned;

pub use faces::{
    Channel, Export, ExportFormat, Flows, Forwarder, Landing, MailAction, Milter, OnFailure, Quarantine,
    ResolverLog, Rpz, RpzAction, Secondary, Sinkhole, TsigKey,
};

/// What a feed's indicators do when they match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Count the hit and let it pass. What a new feed does until somebody decides otherwise.
    #[default]
    Monitor,
    /// Act.
    Enforce,
}

/// On whose behalf the forwarder blocks, as it tells clients (RFC 8914 §4.16 to §4.18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The site's own: it harms. Code 15.
    #[default]
    Blocked,
    /// Somebody's outside whom the site has to obey. Code 16.
    Censored,
    /// The client's, who asked for it. Code 17.
    Filtered,
}

/// A countermeasure, which a customer subscribes to or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// DNS.
    Sinkhole,
    /// Mail.
    Quarantine,
    /// Flow alerts.
    Flow,
}

/// The whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the guard keeps what it holds, its keys and its journals.
    pub data: PathBuf,
    /// The file with the key of all that is kept, if it does not lie with it.
    pub key_file: PathBuf,
    /// Whether faces may listen beyond loopback.
    pub expose: bool,
    /// Whether local logs may say whom a hit concerned. Off, they hold references and counts only.
    pub log_victims: bool,
    /// Where indicators come from.
    pub hub: Hub,
    /// What is subscribed to, in the order of the file.
    pub feeds: Vec<Feed>,
    /// Whether there are others than the site itself among those who are protected.
    pub has_customers: bool,
    /// Who is protected, in the order of the file; without any, everybody is one customer.
    pub customers: Vec<Customer>,
    /// What is never acted on.
    pub allow: Allow,
    /// When an indicator matches too much.
    pub frequency: Frequency,
    /// DNS.
    pub sinkhole: Sinkhole,
    /// Mail.
    pub quarantine: Option<Quarantine>,
    /// Flows.
    pub flows: Option<Flows>,
    /// Files and feeds for other tools.
    pub exports: Vec<Export>,
    /// Where `/healthz`, `/metrics` and the status page are.
    pub status: Option<SocketAddr>,
}

/// A hub, or any TAXII 2.1 server.
#[derive(Clone, Debug)]
pub struct Hub {
    /// Its discovery endpoint or origin.
    pub url: String,
    /// A file with the Bearer token.
    pub token_file: PathBuf,
    /// Certificates to trust instead of the well-known authorities.
    pub trust: Option<PathBuf>,
    /// How often to ask where there is no stream.
    pub poll: Duration,
    /// How long the guard goes on without hearing from the hub. The hub may say less, never more.
    pub lease: Option<Duration>,
}

/// A collection that the guard follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The collection's id or alias.
    pub collection: String,
    /// What reports, zones and Extended DNS Errors call it.
    pub alias: String,
    /// What its indicators do, unless a customer says otherwise.
    pub mode: Mode,
    /// Indicators end at the latest so many days after they began, whatever they say themselves.
    pub days_max: Option<u32>,
    /// Indicators with less confidence (0 to 100) only monitor; those that name none count as 50.
    pub confidence_min: u8,
    /// On whose behalf its names are blocked.
    pub cause: Cause,
}

/// Somebody who is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Its name, which stays here.
    pub name: String,
    /// Where its clients ask from.
    pub networks: Vec<IpNet>,
    /// The TSIG keys of its resolvers.
    pub keys: Vec<String>,
    /// The listeners that are its own.
    pub listeners: Vec<String>,
    /// The domains whose mail is its own, with all below them.
    pub domains: Vec<String>,
    /// What it subscribes to, by alias, with its own mode.
    pub feeds: BTreeMap<String, Mode>,
    /// Which countermeasures it takes.
    pub services: Vec<Service>,
    /// Whether the bare fact of an occurrence may be reported to the programme. Off until it consents.
    pub report: bool,
}

/// What is never acted on, whatever an indicator says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// Names (with all below them), addresses, networks and hashes.
    pub values: Vec<String>,
    /// Files of the same, one a line.
    pub files: Vec<PathBuf>,
    /// Folders of warning lists in MISP's format.
    pub warning_lists: Vec<PathBuf>,
}

/// The over-collection alarm: an indicator that matches far more than its peers only monitors from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency {
    /// Fewer hits than this within an hour are never too many.
    pub hits_min: u32,
    /// How many times as often as its peers (the 99th percentile of those that hit at all) it has to match.
    pub factor: u32,
}

impl Default for Frequency {
    fn default() -> Self {
        Self { hits_min: 1_000, factor: 20 }
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// Fails with everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let (file, text) = read(path)?;
        Self::parse(&file, &text, folder_of(path))
    }

    /// The same, and looks whether the files that it names can be used. Starts nothing.
    ///
    /// # Errors
    ///
    /// Fails with everything that is wrong with it, and if nothing is, with everything that is wrong with those files.
    pub fn check(path: &Path) -> Result<Self, Problems> {
        let (file, text) = read(path)?;
        let (config, named) = sense::check(&file, &text, folder_of(path), written(&file, &text)?)?;
        let faults = named.iter().filter_map(|one| {
            let (message, remedy) = looks::fault(one, &config)?;
            Some(Problem::new(&file, message, remedy).at(&text, one.span.start))
        });
        let faults: Vec<Problem> = faults.collect();
        if faults.is_empty() { Ok(config) } else { Err(Problems::new(faults)) }
    }

    /// Checks the text of a file; its paths are relative to `folder`.
    ///
    /// # Errors
    ///
    /// Fails with everything that is wrong with it.
    pub fn parse(file: &str, text: &str, folder: &Path) -> Result<Self, Problems> {
        sense::check(file, text, folder, written(file, text)?).map(|(config, _)| config)
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn read(path: &Path) -> Result<(String, String), Problems> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((file, text)),
        Err(error) => {
            let message = format!("it cannot be read: {error}");
            Err(Problem::new(&file, message, "name a readable file").into())
        }
    }
}

/// Reads the shape of a file. Of words that are no options all are told, of all else what the parser found first.
fn written(file: &str, text: &str) -> Result<Written, Problems> {
    let error = match toml::from_str(text) {
        Ok(written) => return Ok(written),
        Err(error) => error,
    };
    let unknown = options::unknown(text);
    if !unknown.is_empty() {
        let problems = unknown.into_iter().map(|(offset, option, known)| {
            let section = option.rsplit_once('.').map_or("the file", |(section, _)| section);
            let remedy = format!("`{section}` takes {}", known.join(", "));
            Problem::new(file, format!("`{option}` is no option"), remedy).at(text, offset)
        });
        return Err(Problems::new(problems.collect()));
    }
    let message = error.message().trim_end().replace('\n', ", ");
    let problem = Problem::new(file, message, "docs/guard.md lists every option");
    Err(match error.span() {
        Some(span) => problem.at(text, span.start),
        None => problem,
    }
    .into())
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    data: PathBuf,
    key_file: Option<PathBuf>,
    #[serde(default)]
    expose: bool,
    #[serde(default)]
    log_victims: bool,
    hub: WrittenHub,
    #[serde(default, rename = "feed")]
    feeds: Vec<WrittenFeed>,
    #[serde(default, rename = "customer")]
    customers: Vec<WrittenCustomer>,
    #[serde(default)]
    allow: WrittenAllow,
    #[serde(default)]
    frequency: WrittenFrequency,
    #[serde(default)]
    sinkhole: faces::WrittenSinkhole,
    quarantine: Option<faces::WrittenQuarantine>,
    flows: Option<faces::WrittenFlows>,
    #[serde(default, rename = "export")]
    exports: Vec<faces::WrittenExport>,
    status: Option<WrittenStatus>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenHub {
    url: Spanned<String>,
    token_file: Spanned<PathBuf>,
    trust: Option<Spanned<PathBuf>>,
    poll_seconds: Option<Spanned<u64>>,
    lease_hours: Option<Spanned<u64>>,
    lease_seconds: Option<Spanned<u64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFeed {
    collection: Spanned<String>,
    alias: Option<Spanned<String>>,
    #[serde(default)]
    mode: Mode,
    days_max: Option<Spanned<u32>>,
    #[serde(default)]
    confidence_min: Option<Spanned<u8>>,
    #[serde(default)]
    cause: Cause,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCustomer {
    name: Spanned<String>,
    #[serde(default)]
    networks: Vec<Spanned<String>>,
    #[serde(default)]
    keys: Vec<Spanned<String>>,
    #[serde(default)]
    listeners: Vec<String>,
    #[serde(default)]
    domains: Vec<Spanned<String>>,
    feeds: Option<BTreeMap<Spanned<String>, Mode>>,
    services: Option<Vec<Service>>,
    #[serde(default)]
    report: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAllow {
    #[serde(default)]
    values: Vec<Spanned<String>>,
    #[serde(default)]
    files: Vec<Spanned<PathBuf>>,
    #[serde(default)]
    warning_lists: Vec<Spanned<PathBuf>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFrequency {
    hits_min: Option<u32>,
    factor: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStatus {
    listen: Spanned<SocketAddr>,
}
