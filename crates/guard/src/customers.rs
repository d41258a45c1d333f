//! Who asks, and what their subscription lets happen to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::{Config, Customer, Feed, Mode, Service};

/// A customer: a number that stays its own as long as the guard runs, also when another configuration is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerId(u16);

impl CustomerId {
    /// The only one, of [`Customers::everybody`].
    pub const ONLY: Self = Self(0);
}

/// All customers.
#[derive(Clone, Debug)]
pub struct Customers {
    /// Each used prefix length with its networks, the longest first: the narrowest network counts.
    networks: Vec<(u8, HashMap<IpNet, CustomerId>)>,
    keys: BTreeMap<String, Vec<CustomerId>>,
    listeners: BTreeMap<String, CustomerId>,
    domains: HashMap<String, CustomerId>,
    /// By number. Who is no customer any more leaves its number behind, and has subscribed to nothing.
    each: Vec<One>,
}

#[derive(Clone, Debug)]
struct One {
    name: String,
    /// By feed.
    modes: Vec<Option<Mode>>,
    services: Vec<Service>,
    reports: bool,
    is_gone: bool,
}

impl Customers {
    /// The customers of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self::after(config, None)
    }

    /// The customers of a configuration that takes the place of another: those of one name keep their number, so that no
    /// question under way is answered, and no hit counted, as somebody else's.
    #[must_use]
    pub fn after(config: &Config, before: Option<&Self>) -> Self {
        let mut by_length: BTreeMap<u8, HashMap<IpNet, CustomerId>> = BTreeMap::new();
        let mut keys: BTreeMap<String, Vec<CustomerId>> = BTreeMap::new();
        let (mut listeners, mut domains) = (BTreeMap::new(), HashMap::new());
        let gone = |one: &One| One { is_gone: true, services: Vec::new(), reports: false, ..one.clone() };
        let mut each: Vec<One> = before.iter().flat_map(|before| &before.each).map(gone).collect();
        for customer in &config.customers {
            let index = each.iter().position(|one| one.name == customer.name).unwrap_or(each.len());
            let id = CustomerId(u16::try_from(index).unwrap_or(u16::MAX));
            for network in &customer.networks {
                by_length.entry(network.prefix_len()).or_default().insert(network.trunc(), id);
            }
            for key in &customer.keys {
                keys.entry(key.clone()).or_default().push(id);
            }
            listeners.extend(customer.listeners.iter().map(|listener| (listener.clone(), id)));
            domains.extend(customer.domains.iter().map(|domain| (domain.clone(), id)));
            let one = One::new(customer, &config.feeds);
            match each.get_mut(index) {
                Some(place) => *place = one,
                None => each.push(one),
            }
        }
        Self { networks: by_length.into_iter().rev().collect(), keys, listeners, domains, each }
    }

    /// One customer who is everybody, with a mode for each feed and every countermeasure.
    #[must_use]
    pub fn everybody(modes: impl IntoIterator<Item = Option<Mode>>) -> Self {
        let one = One {
            name: String::new(),
            modes: modes.into_iter().collect(),
            services: vec![Service::Sinkhole, Service::Quarantine, Service::Flow],
            reports: false,
            is_gone: false,
        };
        Self {
            networks: Vec::new(),
            keys: BTreeMap::new(),
            listeners: BTreeMap::new(),
            domains: HashMap::new(),
            each: vec![one],
        }
    }

    /// Whose client asks from an address.
    #[must_use]
    pub fn of_address(&self, address: IpAddr) -> Option<CustomerId> {
        let address = address.to_canonical();
        self.networks.iter().find_map(|(length, networks)| {
            let network = IpNet::new(address, *length).ok()?.trunc();
            networks.get(&network).copied()
        })
    }

    /// Whose a listener is.
    #[must_use]
    pub fn of_listener(&self, listener: &str) -> Option<CustomerId> {
        self.listeners.get(listener).copied()
    }

    /// Whose mail a recipient's is: the longest domain counts.
    #[must_use]
    pub fn of_recipient(&self, address: &str) -> Option<CustomerId> {
        if self.domains.is_empty() {
            return None;
        }
        let (_, domain) = address.rsplit_once('@')?;
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        let parents = domain.match_indices('.').map(|(at, _)| &domain[at + 1..]);
        std::iter::once(domain.as_str()).chain(parents).find_map(|domain| self.domains.get(domain).copied())
    }

    /// Whose a mail is: each recipient's customer once, and for recipients of nobody's domain the listener's. `None` stands
    /// for recipients that are no customer's.
    #[must_use]
    pub fn of_mail(&self, listener: &str, recipients: &[String]) -> Vec<Option<CustomerId>> {
        let otherwise = self.of_listener(listener).or_else(|| self.only());
        if self.domains.is_empty() || recipients.is_empty() {
            return vec![otherwise];
        }
        let whose: BTreeSet<_> = recipients.iter().map(|one| self.of_recipient(one).or(otherwise)).collect();
        whose.into_iter().collect()
    }

    /// The only customer there is, if there is but one.
    #[must_use]
    pub fn only(&self) -> Option<CustomerId> {
        let mut those = (0..).zip(&self.each).filter(|(_, one)| !one.is_gone);
        let first = those.next().map(|(index, _)| CustomerId(index));
        first.filter(|_| those.next().is_none())
    }

    /// Whether the sinkhole enforces a feed for whoever asks from an address.
    #[must_use]
    pub fn enforces_at(&self, address: IpAddr, feed: u16) -> bool {
        let customer = self.of_address(address);
        customer.and_then(|id| self.mode(id, feed, Service::Sinkhole)) == Some(Mode::Enforce)
    }

    /// Whether whoever asks from an address has a feed for the sinkhole, in whatever mode.
    #[must_use]
    pub fn has_at(&self, address: IpAddr, feed: u16) -> bool {
        let customer = self.of_address(address);
        customer.is_some_and(|id| self.mode(id, feed, Service::Sinkhole).is_some())
    }

    /// The TSIG keys whose holders take a feed's zone: those of customers that have it enforced by the sinkhole.
    #[must_use]
    pub fn keys_of(&self, feed: u16) -> Vec<&str> {
        self.keys_where(|id| self.mode(id, feed, Service::Sinkhole) == Some(Mode::Enforce))
    }

    /// The TSIG keys whose holders have a feed for the sinkhole, in whatever mode.
    #[must_use]
    pub fn keys_with(&self, feed: u16) -> Vec<&str> {
        self.keys_where(|id| self.mode(id, feed, Service::Sinkhole).is_some())
    }

    fn keys_where(&self, takes: impl Fn(CustomerId) -> bool) -> Vec<&str> {
        let keys = self.keys.iter().filter(|(_, ids)| ids.iter().any(|id| takes(*id)));
        keys.map(|(key, _)| key.as_str()).collect()
    }

    /// The mode of a feed for a customer and a countermeasure; `None`: it has not subscribed to both.
    #[must_use]
    pub fn mode(&self, customer: CustomerId, feed: u16, service: Service) -> Option<Mode> {
        let one = self.each.get(usize::from(customer.0))?;
        if !one.services.contains(&service) {
            return None;
        }
        one.modes.get(usize::from(feed)).copied().flatten()
    }

    /// Whether the facts of its hits may be reported.
    #[must_use]
    pub fn reports(&self, customer: CustomerId) -> bool {
        self.each.get(usize::from(customer.0)).is_some_and(|one| one.reports)
    }

    /// Its name, which stays here.
    #[must_use]
    pub fn name(&self, customer: CustomerId) -> &str {
        self.each.get(usize::from(customer.0)).map_or("", |one| one.name.as_str())
    }
}

impl One {
    fn new(customer: &Customer, feeds: &[Feed]) -> Self {
        Self {
            name: customer.name.clone(),
            modes: feeds.iter().map(|feed| customer.feeds.get(&feed.alias).copied()).collect(),
            services: customer.services.clone(),
            reports: customer.report,
            is_gone: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const TEXT: &str = r#"
data = "state"
[hub]
url = "https://hub.example"
token_file = "token"
[[feed]]
collection = "a"
[[feed]]
collection = "b"
mode = "enforce"
[[customer]]
name = "wide"
networks = ["10.0.0.0/8"]
feeds = { b = "enforce" }
services = ["sinkhole"]
keys = ["k"]
[[customer]]
name = "narrow"
networks = ["10.1.0.0/16", "2001:db8::/32"]
report = true
[sinkhole.rpz]
listen = []
origin = "rpz.example"
[[sinkhole.rpz.key]]
name = "k"
secret_file = "k"
"#;

    #[test]
    fn the_narrowest_network_says_whose_a_client_is() {
        let config = Config::parse("guard.toml", TEXT, Path::new(".")).unwrap();
        let customers = Customers::new(&config);
        let cases = [
            ("10.2.0.1", Some("wide")),
            ("10.1.0.1", Some("narrow")),
            ("::ffff:10.1.0.1", Some("narrow")),
            ("2001:db8::1", Some("narrow")),
            ("192.0.2.1", None),
        ];
        for (address, expected) in cases {
            let found = customers.of_address(address.parse().unwrap());
            assert_eq!(found.map(|id| customers.name(id)), expected, "{address}");
        }
    }

    #[test]
    fn numbers_stay_with_their_customers() {
        let config = |text: &str| Config::parse("guard.toml", text, Path::new(".")).unwrap();
        let before = Customers::new(&config(TEXT));
        let narrow = before.of_address("10.1.0.1".parse().unwrap()).unwrap();
        let wide = before.of_address("10.2.0.1".parse().unwrap()).unwrap();
        let (head, tail) = TEXT.split_once("[[customer]]\nname = \"wide\"").unwrap();
        let (_, tail) = tail.split_once("[[customer]]").unwrap();
        let without =
            format!("{head}[[customer]]\nname = \"new\"\nnetworks = [\"11.0.0.0/8\"]\n[[customer]]{tail}");
        let after = Customers::after(&config(&without), Some(&before));
        assert_eq!(after.of_address("10.1.0.1".parse().unwrap()), Some(narrow));
        assert_eq!(after.of_address("10.2.0.1".parse().unwrap()), None);
        assert_eq!(after.mode(wide, 1, Service::Sinkhole), None, "who is gone has nothing");
        let new = after.of_address("11.0.0.1".parse().unwrap()).unwrap();
        assert!(new != wide && new != narrow && after.only().is_none());
        let one = TEXT.replace("[[customer]]\nname = \"narrow\"\nnetworks = [\"10.1.0.0/16\", \"2001:db8::/32\"]\nreport = true\n", "");
        let last = Customers::after(&config(&one), Some(&after));
        assert_eq!(last.only(), Some(wide), "it has its old number");
    }

    #[test]
    fn a_customer_has_what_it_subscribed_to() {
        let config = Config::parse("guard.toml", TEXT, Path::new(".")).unwrap();
        let customers = Customers::new(&config);
        let (wide, narrow) = (CustomerId(0), CustomerId(1));
        let cases = [
            (wide, 0, Service::Sinkhole, None),
            (wide, 1, Service::Sinkhole, Some(Mode::Enforce)),
            (wide, 1, Service::Flow, None),
            (narrow, 0, Service::Flow, Some(Mode::Monitor)),
            (narrow, 1, Service::Quarantine, Some(Mode::Enforce)),
        ];
        for (customer, feed, service, expected) in cases {
            assert_eq!(customers.mode(customer, feed, service), expected, "{customer:?} {feed} {service:?}");
        }
        assert_eq!(customers.keys_of(1), ["k"]);
        assert!(customers.keys_of(0).is_empty() && customers.keys_with(0).is_empty());
        let (inside, outside) = ("10.1.0.1".parse().unwrap(), "10.2.0.1".parse().unwrap());
        assert!(customers.has_at(inside, 0) && !customers.enforces_at(inside, 0), "it has it monitored");
        assert!(!customers.has_at(outside, 0) && customers.has_at(outside, 1));
        assert!(!customers.reports(wide) && customers.reports(narrow));
    }
}
