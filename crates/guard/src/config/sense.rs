//! Whether what the file says makes sense: names that refer to something, ranges, and who listens where.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use matcher::{Key, Scope};
use model::{Problem, Problems};
use toml::Spanned;

use super::faces;
use super::looks::{Named, What};
use super::{
    Allow, Channel, Config, Customer, Export, Feed, Flows, Forwarder, Frequency, Hub, Landing, Milter, Mode,
    Quarantine, ResolverLog, Rpz, Secondary, Service, Sinkhole, TsigKey, Written,
};
use crate::allow::is_value;
use crate::faces::rpz::{ADDRESSES_LABEL, ALLOW_LABEL, WATCH_LABEL};
use crate::lease::SHARE_OF_ANSWERS;

const DEFAULT_POLL: Duration = Duration::from_mins(1);
/// An indicator that has ended is let go of, and resolvers do not ask without end.
const DEFAULT_TTL_SECONDS: u64 = 30;
/// The part of the shortest lease that a hub grants, an hour, for which answers are kept at most.
const TTL_SECONDS_MAX: u64 = 3_600 / SHARE_OF_ANSWERS as u64;
/// A hub that has nothing to say is heard every 15 seconds.
const LEASE_SECONDS_MIN: u64 = 20;
const DEFAULT_KEEP_DAYS: u64 = 30;
const DEFAULT_CACHE_ENTRIES: usize = 100_000;
/// Many times what an office asks for; a forged sender's victim gets no more than this.
const DEFAULT_QUERIES_PER_SECOND: u32 = 300;
const TSIG_ALGORITHMS: [&str; 2] = ["hmac-sha256", "hmac-sha512"];

struct Checker<'a> {
    file: &'a str,
    text: &'a str,
    folder: &'a Path,
    expose: bool,
    problems: Vec<Problem>,
    /// Files that have to be there.
    named: Vec<Named>,
}

/// The configuration, and the files that it names.
pub(super) fn check(
    file: &str,
    text: &str,
    folder: &Path,
    written: Written,
) -> Result<(Config, Vec<Named>), Problems> {
    let (problems, named) = (Vec::new(), Vec::new());
    let mut checker = Checker { file, text, folder, expose: written.expose, problems, named };
    let config = checker.config(written);
    if checker.problems.is_empty() {
        Ok((config, checker.named))
    } else {
        Err(Problems::new(checker.problems))
    }
}

impl Checker<'_> {
    fn fault(&mut self, span: Range<usize>, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem::new(self.file, message, remedy).at(self.text, span.start));
    }

    fn path(&self, path: PathBuf) -> PathBuf {
        self.folder.join(path)
    }

    /// A file that has to be there when the guard starts.
    fn named(&mut self, path: Spanned<PathBuf>, what: What) -> PathBuf {
        let span = path.span();
        let path = self.path(path.into_inner());
        self.named.push(Named { span, path: path.clone(), what });
        path
    }

    fn allow(&mut self, written: super::WrittenAllow) -> Allow {
        for value in written.values.iter().filter(|value| !is_value(value.get_ref())) {
            let message = format!("`{}` cannot be allowed", value.get_ref());
            let remedy = "write a name, an address, a network, a URL, an e-mail address or a hash";
            self.fault(value.span(), message, remedy);
        }
        Allow {
            values: written.values.into_iter().map(Spanned::into_inner).collect(),
            files: written.files.into_iter().map(|path| self.named(path, What::AllowFile)).collect(),
            warning_lists: written
                .warning_lists
                .into_iter()
                .map(|path| self.named(path, What::WarningLists))
                .collect(),
        }
    }

    /// Where blocked clients are sent: of each family one address at most.
    fn addresses(
        &mut self,
        written: BTreeMap<String, Spanned<Vec<IpAddr>>>,
    ) -> BTreeMap<String, Vec<IpAddr>> {
        for (category, addresses) in &written {
            let v4 = addresses.get_ref().iter().filter(|address| address.is_ipv4()).count();
            if v4 > 1 || addresses.get_ref().len() - v4 > 1 {
                let message = format!("`{category}` has several addresses of one family");
                self.fault(
                    addresses.span(),
                    message,
                    "name one of IPv4 and one of IPv6; only the first counts",
                );
            }
        }
        written.into_iter().map(|(category, addresses)| (category, addresses.into_inner())).collect()
    }

    fn exports(&mut self, written: Vec<faces::WrittenExport>, feeds: &[Feed]) -> Vec<Export> {
        let mut paths = BTreeSet::new();
        let mut exports = Vec::new();
        for export in written {
            let span = export.path.span();
            let export = self.export(export, feeds);
            if !paths.insert(export.path.clone()) {
                let message = format!("two exports are written to `{}`", export.path.display());
                self.fault(span, message, "give each a `path` of its own");
            }
            exports.push(export);
        }
        exports
    }

    fn config(&mut self, written: Written) -> Config {
        let hub = self.hub(written.hub);
        let feeds = self.feeds(written.feeds);
        let sinkhole = self.sinkhole(written.sinkhole, hub.lease);
        let has_customers = !written.customers.is_empty();
        let customers = self.customers(written.customers, &feeds, &sinkhole);
        let allow = self.allow(written.allow);
        let usual = Frequency::default();
        let factor = written.frequency.factor.map_or(usual.factor, |factor| {
            if *factor.get_ref() < 2 {
                self.fault(
                    factor.span(),
                    "a `factor` below 2 would stop what is usual",
                    "name 2 or more; 20 is usual",
                );
            }
            factor.into_inner()
        });
        let data = self.path(written.data);
        Config {
            key_file: written.key_file.map_or_else(|| data.join("guard.key"), |path| self.path(path)),
            data,
            expose: written.expose,
            log_victims: written.log_victims,
            hub,
            has_customers,
            customers,
            allow,
            frequency: Frequency { hits_min: written.frequency.hits_min.unwrap_or(usual.hits_min), factor },
            quarantine: written.quarantine.map(|quarantine| self.quarantine(quarantine)),
            flows: written.flows.map(|flows| self.flows(flows)),
            exports: self.exports(written.exports, &feeds),
            status: written.status.map(|status| self.listen(status.listen)),
            feeds,
            sinkhole,
        }
    }

    fn hub(&mut self, hub: super::WrittenHub) -> Hub {
        let url = hub.url.get_ref();
        let is_plain = url.starts_with("http://");
        let host = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or(""));
        let is_near = host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
        if !is_plain && !url.starts_with("https://") {
            self.fault(hub.url.span(), format!("`{url}` is no address of a hub"), "begin it with `https://`");
        } else if is_plain && !is_near {
            let remedy = "use `https://`; plain HTTP is for a hub on this machine";
            self.fault(hub.url.span(), "the token would travel in the clear", remedy);
        }
        let hours = hub.lease_hours.and_then(|hours| {
            if *hours.get_ref() == 0 {
                self.fault(hours.span(), "a lease of no length ends at once", "name hours, or leave it out");
            }
            hours.get_ref().checked_mul(3_600).map(Duration::from_secs)
        });
        let seconds = hub.lease_seconds.map(|seconds| {
            if *seconds.get_ref() < LEASE_SECONDS_MIN {
                let message = format!("a lease of {} s ends while all is well", seconds.get_ref());
                let remedy = "name 20 s or more: a hub that has nothing to say is heard every 15";
                self.fault(seconds.span(), message, remedy);
            }
            Duration::from_secs(seconds.into_inner())
        });
        let lease = hours.into_iter().chain(seconds).min();
        let poll = hub.poll_seconds.map_or(DEFAULT_POLL, |seconds| {
            if *seconds.get_ref() == 0 {
                self.fault(seconds.span(), "polling without a pause", "name 1 or more seconds; 60 is usual");
            }
            Duration::from_secs(seconds.into_inner().max(1))
        });
        Hub {
            url: hub.url.into_inner(),
            token_file: self.named(hub.token_file, What::Token),
            trust: hub.trust.map(|path| self.named(path, What::Trust)),
            poll,
            lease,
        }
    }

    fn feeds(&mut self, written: Vec<super::WrittenFeed>) -> Vec<Feed> {
        if written.is_empty() {
            self.fault(
                0..0,
                "there is no `[[feed]]`",
                "name the collection to follow: [[feed]] collection = \"...\"",
            );
        }
        let mut aliases = BTreeSet::new();
        let mut feeds = Vec::new();
        for feed in written {
            let span = feed.alias.as_ref().map_or(feed.collection.span(), Spanned::span);
            let collection = feed.collection.into_inner();
            let alias = feed.alias.map_or_else(|| collection.clone(), Spanned::into_inner);
            if [ALLOW_LABEL, ADDRESSES_LABEL, WATCH_LABEL].contains(&alias.to_ascii_lowercase().as_str()) {
                self.fault(span.clone(), format!("`{alias}` is a zone of ours"), "name another `alias`");
            }
            if !is_label(&alias) {
                let remedy = "use letters, digits and hyphens, at most 40: it becomes a label in the DNS";
                self.fault(span.clone(), format!("`{alias}` cannot be the alias of a feed"), remedy);
            }
            if !aliases.insert(alias.clone()) {
                self.fault(
                    span,
                    format!("there are two feeds `{alias}`"),
                    "give one of them another `alias`",
                );
            }
            let days_max = feed.days_max.map(|days| {
                if *days.get_ref() == 0 {
                    self.fault(days.span(), "indicators would end before they begin", "name 1 day or more");
                }
                days.into_inner()
            });
            let confidence_min = feed.confidence_min.map_or(0, |least| {
                if *least.get_ref() > 100 {
                    self.fault(least.span(), "confidence goes from 0 to 100", "name a number of that range");
                }
                least.into_inner()
            });
            let (mode, cause) = (feed.mode, feed.cause);
            feeds.push(Feed { collection, alias, mode, days_max, confidence_min, cause });
        }
        feeds
    }

    fn customers(
        &mut self,
        written: Vec<super::WrittenCustomer>,
        feeds: &[Feed],
        sinkhole: &Sinkhole,
    ) -> Vec<Customer> {
        let keys = sinkhole.rpz.iter().flat_map(|rpz| rpz.keys.iter().map(|key| key.name.clone()));
        let keys: BTreeSet<String> = keys.collect();
        if written.is_empty() {
            return vec![everybody(feeds, keys)];
        }
        let mut names = BTreeSet::new();
        let mut customers = Vec::new();
        for customer in written {
            if !names.insert(customer.name.get_ref().clone()) {
                let message = format!("there are two customers `{}`", customer.name.get_ref());
                self.fault(customer.name.span(), message, "give each its own name");
            }
            customers.push(self.customer(customer, feeds, &keys));
        }
        self.overlaps(&customers);
        customers
    }

    fn customer(
        &mut self,
        customer: super::WrittenCustomer,
        feeds: &[Feed],
        keys: &BTreeSet<String>,
    ) -> Customer {
        let (span, name) = (customer.name.span(), customer.name.into_inner());
        let networks = self.networks(customer.networks);
        for key in customer.keys.iter().filter(|key| !keys.contains(key.get_ref())) {
            let message = format!("there is no TSIG key `{}`", key.get_ref());
            self.fault(key.span(), message, "add a [[sinkhole.rpz.key]] with that name");
        }
        let domains = self.domains(customer.domains);
        if networks.is_empty()
            && customer.keys.is_empty()
            && customer.listeners.is_empty()
            && domains.is_empty()
        {
            self.fault(
                span,
                format!("nothing says who is `{name}`"),
                "name `networks`, `keys`, `listeners` or `domains`",
            );
        }
        let subscribed = match customer.feeds {
            None => all_of(feeds),
            Some(named) => {
                for alias in
                    named.keys().filter(|alias| feeds.iter().all(|feed| feed.alias != *alias.get_ref()))
                {
                    let message = format!("there is no feed `{}`", alias.get_ref());
                    self.fault(alias.span(), message, "name a [[feed]] by its alias");
                }
                named.into_iter().map(|(alias, mode)| (alias.into_inner(), mode)).collect()
            }
        };
        Customer {
            name,
            networks,
            keys: customer.keys.into_iter().map(Spanned::into_inner).collect(),
            listeners: customer.listeners,
            domains,
            feeds: subscribed,
            services: customer.services.unwrap_or_else(every_service),
            report: customer.report,
        }
    }

    /// The same network for two customers: nobody could say whose the client is.
    fn overlaps(&mut self, customers: &[Customer]) {
        let mut seen: BTreeSet<IpNet> = BTreeSet::new();
        for network in customers.iter().flat_map(|customer| &customer.networks) {
            if !seen.insert(network.trunc()) {
                let remedy = "give it to one; a network within another's is fine, the narrower one counts";
                self.problems.push(Problem::new(self.file, format!("two customers have {network}"), remedy));
            }
        }
        let mut domains: BTreeSet<&str> = BTreeSet::new();
        for domain in customers.iter().flat_map(|customer| &customer.domains) {
            if !domains.insert(domain) {
                let remedy = "give it to one; a domain below another's is fine, the longer one counts";
                self.problems.push(Problem::new(self.file, format!("two customers have `{domain}`"), remedy));
            }
        }
    }

    fn networks(&mut self, written: Vec<Spanned<String>>) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for network in written {
            let text = network.get_ref();
            let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
            match text.parse::<IpNet>().ok().or_else(one) {
                Some(parsed) => networks.push(parsed.trunc()),
                None => self.fault(
                    network.span(),
                    format!("`{text}` is no network"),
                    "write it like 192.0.2.0/24",
                ),
            }
        }
        networks
    }

    fn domains(&mut self, written: Vec<Spanned<String>>) -> Vec<String> {
        let mut domains = Vec::new();
        for domain in written {
            if let Ok(Key::Name(name, _)) = Key::name(domain.get_ref(), Scope::Subdomains) {
                domains.push(name.as_str().to_owned());
            } else {
                let message = format!("`{}` is no domain", domain.get_ref());
                self.fault(domain.span(), message, "write it like example.net, without `@`");
            }
        }
        domains
    }

    fn listen(&mut self, address: Spanned<SocketAddr>) -> SocketAddr {
        self.may_listen(address.span(), *address.get_ref());
        address.into_inner()
    }

    fn may_listen(&mut self, span: Range<usize>, address: SocketAddr) {
        if !self.expose && !address.ip().is_loopback() {
            let message = format!("{address} can be reached from other machines");
            self.fault(span, message, "listen on loopback, or write `expose = true` at the top");
        }
    }

    fn listen_all(&mut self, addresses: Vec<Spanned<SocketAddr>>) -> Vec<SocketAddr> {
        addresses.into_iter().map(|address| self.listen(address)).collect()
    }

    fn sinkhole(&mut self, written: faces::WrittenSinkhole, lease: Option<Duration>) -> Sinkhole {
        let ttl = written.ttl_seconds.map_or(DEFAULT_TTL_SECONDS, |ttl| {
            if !(1..=TTL_SECONDS_MAX).contains(ttl.get_ref()) {
                let remedy = "name 1 to 360; 30 to 60 lets ended indicators really end";
                self.fault(ttl.span(), format!("{} s is no sensible TTL", ttl.get_ref()), remedy);
            }
            ttl.into_inner()
        });
        let landing = written.landing;
        Sinkhole {
            addresses: self.addresses(written.addresses),
            ttl: lease.map_or(Duration::from_secs(ttl), |lease| {
                // No answer outlives the lease.
                Duration::from_secs(ttl.min(lease.as_secs() / u64::from(SHARE_OF_ANSWERS)).max(1))
            }),
            rpz: written.rpz.map(|rpz| self.rpz(rpz)),
            forwarder: written.forwarder.map(|forwarder| self.forwarder(forwarder)),
            landing: landing
                .map(|landing| Landing { listen: self.listen_all(landing.listen), contact: landing.contact }),
        }
    }

    fn rpz(&mut self, written: faces::WrittenRpz) -> Rpz {
        let (span, origin) = (written.origin.span(), written.origin.into_inner());
        let origin = origin.trim_end_matches('.').to_ascii_lowercase();
        if origin.is_empty() || origin.len() > 100 || !origin.split('.').all(is_label) {
            let remedy = "name one of yours, at most 100 characters, such as rpz.example.net";
            self.fault(span.clone(), format!("`{origin}` cannot be a zone's name"), remedy);
        }
        if written.keys.is_empty() && written.unsigned.is_empty() {
            let remedy = "add a [[sinkhole.rpz.key]]: zones are given to key holders";
            self.fault(span, "nobody could transfer a zone", remedy);
        }
        let keys: Vec<TsigKey> = written.keys.into_iter().map(|key| self.tsig_key(key)).collect();
        let mut notify = Vec::new();
        for secondary in written.notify {
            if let Some(key) = &secondary.key
                && keys.iter().all(|known| known.name != *key.get_ref())
            {
                let message = format!("there is no TSIG key `{}`", key.get_ref());
                self.fault(key.span(), message, "add a [[sinkhole.rpz.key]] with that name");
            }
            let key = secondary.key.map(Spanned::into_inner);
            notify.push(Secondary { address: secondary.address, key });
        }
        let listen = self.listen_all(written.listen);
        let logs = written.logs.into_iter().map(|log| {
            let (span, log) = (log.span(), log.into_inner());
            let (written, is_socket) =
                log.strip_prefix("unix:").map_or((log.as_str(), false), |path| (path, true));
            // A socket's folder may come with the service.
            if is_socket {
                return ResolverLog::Socket(self.path(written.into()));
            }
            ResolverLog::File(self.named(Spanned::new(span, written.into()), What::FolderOf))
        });
        let logs = logs.collect();
        let (action, unsigned) = (written.action, written.unsigned);
        let (addresses, watch) = (written.addresses, written.watch);
        Rpz { listen, origin, action, keys, unsigned, notify, addresses, watch, logs }
    }

    fn tsig_key(&mut self, key: faces::WrittenKey) -> TsigKey {
        let algorithm = key.algorithm.map(|algorithm| {
            if !TSIG_ALGORITHMS.contains(&algorithm.get_ref().as_str()) {
                let message = format!("`{}` is not taken", algorithm.get_ref());
                self.fault(algorithm.span(), message, format!("use one of {}", TSIG_ALGORITHMS.join(", ")));
            }
            algorithm.into_inner()
        });
        let algorithm = algorithm.unwrap_or_else(|| TSIG_ALGORITHMS[0].to_owned());
        let (span, name) = (key.name.span(), key.name.into_inner());
        if name.parse::<sinkhole::Name>().is_err() || name.contains(char::is_whitespace) {
            self.fault(
                span,
                format!("`{name}` cannot be a key's name"),
                "write it like a name: acme-resolver",
            );
        }
        let (span, path) = (key.secret_file.span(), self.path(key.secret_file.into_inner()));
        let key = TsigKey { name, algorithm, secret_file: path.clone() };
        self.named.push(Named { span, path, what: What::Secret(key.clone()) });
        key
    }

    fn forwarder(&mut self, written: faces::WrittenForwarder) -> Forwarder {
        let wants_tls = !written.dot.is_empty() || !written.doh.is_empty();
        let span = written.upstreams.span();
        let tls = written.tls_cert.map(|path| self.named(path, What::Certificate)).zip(written.tls_key);
        if wants_tls && tls.is_none() {
            self.fault(span.clone(), "DoT and DoH need a certificate", "name `tls_cert` and `tls_key`");
        }
        if written.upstreams.get_ref().is_empty() {
            self.fault(span, "there is no upstream to ask", "name one or more resolvers");
        }
        let mut listen = Vec::new();
        for (channel, addresses) in
            [(Channel::Plain, written.plain), (Channel::Dot, written.dot), (Channel::Doh, written.doh)]
        {
            listen.extend(self.listen_all(addresses).into_iter().map(|address| (address, channel)));
        }
        Forwarder {
            listen,
            upstreams: written.upstreams.into_inner(),
            tls: tls.map(|(cert, key)| (cert, self.path(key))),
            cache_entries_max: written.cache_entries_max.unwrap_or(DEFAULT_CACHE_ENTRIES),
            queries_per_second: written.queries_per_second.unwrap_or(DEFAULT_QUERIES_PER_SECOND),
        }
    }

    fn quarantine(&mut self, written: faces::WrittenQuarantine) -> Quarantine {
        let span = written.listen.span();
        let mut listen = Vec::new();
        for text in written.listen.into_inner() {
            if let Some(path) = text.strip_prefix("unix:") {
                listen.push(Milter::Unix(self.path(path.into())));
            } else if let Ok(address) = text.parse() {
                self.may_listen(span.clone(), address);
                listen.push(Milter::Tcp(address));
            } else {
                let remedy = "write 127.0.0.1:8891 or unix:/run/ringfence/milter.sock";
                self.fault(span.clone(), format!("`{text}` is no socket"), remedy);
            }
        }
        let days = written.keep_days.map_or(DEFAULT_KEEP_DAYS, |days| {
            if !(1..=3_650).contains(days.get_ref()) {
                self.fault(
                    days.span(),
                    "held mail is kept for 1 to 3650 days",
                    "name a number of that range",
                );
            }
            days.into_inner()
        });
        Quarantine {
            listen,
            action: written.action,
            on_failure: written.on_failure,
            release_to: written.release_to,
            keep: Duration::from_secs(days.saturating_mul(86_400)),
        }
    }

    fn flows(&mut self, written: faces::WrittenFlows) -> Flows {
        Flows {
            listen: self.listen_all(written.listen),
            exporters: written.exporters,
            alerts_file: written.alerts_file.map(|path| self.named(path, What::FolderOf)),
            syslog: written.syslog,
        }
    }

    fn export(&mut self, written: faces::WrittenExport, feeds: &[Feed]) -> Export {
        for alias in &written.feeds {
            if feeds.iter().all(|feed| feed.alias != *alias.get_ref()) {
                let message = format!("there is no feed `{}`", alias.get_ref());
                self.fault(alias.span(), message, "name a [[feed]] by its alias");
            }
        }
        Export {
            format: written.format,
            feeds: written.feeds.into_iter().map(Spanned::into_inner).collect(),
            path: self.path(written.path.into_inner()),
            serve: written.serve,
        }
    }
}

fn all_of(feeds: &[Feed]) -> BTreeMap<String, Mode> {
    feeds.iter().map(|feed| (feed.alias.clone(), feed.mode)).collect()
}

fn every_service() -> Vec<Service> {
    vec![Service::Sinkhole, Service::Quarantine, Service::Flow]
}

/// The one customer of a site that protects only itself.
fn everybody(feeds: &[Feed], keys: BTreeSet<String>) -> Customer {
    Customer {
        name: "all".to_owned(),
        networks: ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok()).collect(),
        keys: keys.into_iter().collect(),
        listeners: Vec::new(),
        domains: Vec::new(),
        feeds: all_of(feeds),
        services: every_service(),
        report: false,
    }
}

/// Whether a text can be a label of a name, and the name of a file.
fn is_label(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = r#"
        data = "state"
        [hub]
        url = "https://hub.example/taxii2/"
        token_file = "token"
        [[feed]]
        collection = "indicators"
    "#;

    fn parse(text: &str) -> Result<Config, Problems> {
        Config::parse("guard.toml", text, Path::new("/etc/guard"))
    }

    #[test]
    fn what_the_pages_say_has_no_fault() {
        for page in ["resolvers.md", "mail.md"] {
            let text = format!("{LEAST}\n{}", peers::docs::snippet(page, "The guard's side"));
            let config = parse(&text).unwrap_or_else(|error| panic!("docs/{page}: {error}"));
            assert!(config.sinkhole.rpz.is_some() || config.quarantine.is_some(), "docs/{page}");
        }
    }

    #[test]
    fn what_is_left_out_is_off() {
        let config = parse(LEAST).unwrap();
        assert_eq!(config.data, Path::new("/etc/guard/state"));
        assert_eq!(config.feeds[0].mode, Mode::Monitor);
        assert!(config.sinkhole.rpz.is_none() && config.quarantine.is_none() && config.flows.is_none());
        let everybody = &config.customers[0];
        assert!(!everybody.report);
        assert_eq!(everybody.feeds.get("indicators"), Some(&Mode::Monitor));
    }

    #[test]
    fn all_faults_are_told_with_their_lines() {
        let text = r#"data = "state"
[hub]
url = "http://hub.example/"
token_file = "token"
lease_hours = 0
lease_seconds = 19
[[feed]]
collection = "a b"
[[feed]]
collection = "x"
days_max = 0
[[customer]]
name = "acme"
networks = ["10.0.0.0/40"]
feeds = { y = "enforce" }
[sinkhole.rpz]
listen = ["192.0.2.1:53"]
origin = "rpz.example"
"#;
        let problems = parse(text).unwrap_err();
        let told: Vec<_> = problems.as_slice().iter().map(|p| p.line).collect();
        assert_eq!(told, [3, 5, 6, 8, 11, 13, 14, 15, 17, 18].map(Some), "{problems}");
        assert!(problems.to_string().contains("guard.toml:17: 192.0.2.1:53 can be reached"), "{problems}");
    }

    #[test]
    fn a_misspelt_word_is_refused_with_its_line() {
        let text = LEAST.replace("token_file", "tokenfile");
        let problems = parse(&text).unwrap_err().to_string();
        assert!(problems.starts_with("guard.toml:5: `hub.tokenfile` is no option"), "{problems}");
    }

    #[test]
    fn a_customer_takes_what_it_names() {
        let customer = "[[customer]]\nname = \"acme\"\nnetworks = [\"10.1.0.7\"]\nservices = [\"flow\"]\n";
        let config = parse(&format!("{LEAST}\n{customer}feeds = {{ indicators = \"enforce\" }}\n")).unwrap();
        let acme = &config.customers[0];
        assert_eq!(acme.feeds.get("indicators"), Some(&Mode::Enforce));
        assert_eq!(
            (acme.services.as_slice(), acme.networks[0].prefix_len()),
            ([Service::Flow].as_slice(), 32)
        );
    }
}
