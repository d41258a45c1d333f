//! Who asks, and what their subscription lets happen to them.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::{Config, Customer, Feed, Mode, Service};

/// A customer, as an index into the configuration's.
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
    each: Vec<One>,
}

#[derive(Clone, Debug)]
struct One {
    name: String,
    /// By feed.
    modes: Vec<Option<Mode>>,
    services: Vec<Service>,
    reports: bool,
}

impl Customers {
    /// The customers of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let mut by_length: BTreeMap<u8, HashMap<IpNet, CustomerId>> = BTreeMap::new();
        let mut keys: BTreeMap<String, Vec<CustomerId>> = BTreeMap::new();
        let mut listeners = BTreeMap::new();
        let mut each = Vec::new();
        for (index, customer) in config.customers.iter().enumerate() {
            let id = CustomerId(u16::try_from(index).unwrap_or(u16::MAX));
            for network in &customer.networks {
                by_length.entry(network.prefix_len()).or_default().insert(network.trunc(), id);
            }
            for key in &customer.keys {
                keys.entry(key.clone()).or_default().push(id);
            }
            listeners.extend(customer.listeners.iter().map(|listener| (listener.clone(), id)));
            each.push(One::new(customer, &config.feeds));
        }
        Self { networks: by_length.into_iter().rev().collect(), keys, listeners, each }
    }

    /// One customer who is everybody, with a mode for each feed and every countermeasure.
    #[must_use]
    pub fn everybody(modes: impl IntoIterator<Item = Option<Mode>>) -> Self {
        let one = One {
            name: String::new(),
            modes: modes.into_iter().collect(),
            services: vec![Service::Sinkhole, Service::Quarantine, Service::Flow],
            reports: false,
        };
        Self { networks: Vec::new(), keys: BTreeMap::new(), listeners: BTreeMap::new(), each: vec![one] }
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

    /// The only customer there is, if there is but one.
    #[must_use]
    pub fn only(&self) -> Option<CustomerId> {
        (self.each.len() == 1).then_some(CustomerId(0))
    }

    /// The TSIG keys whose holders take a feed's zone: those of customers that have it enforced by the sinkhole.
    #[must_use]
    pub fn keys_of(&self, feed: u16) -> Vec<&str> {
        let takes = |id: &CustomerId| self.mode(*id, feed, Service::Sinkhole) == Some(Mode::Enforce);
        let keys = self.keys.iter().filter(|(_, ids)| ids.iter().any(takes));
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
        assert!(customers.keys_of(0).is_empty());
        assert!(!customers.reports(wide) && customers.reports(narrow));
    }
}
