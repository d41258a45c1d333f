//! Another configuration without a gap: read, checked and opened first, then taken as a whole, or not at all.
//!
//! A reload has three steps. The file is read, and every fault told with its place; what it names (keys, lists, certificates,
//! sockets) is read and opened; only when all of that is there does anything change. A fault before that leaves the guard as
//! it was. What cannot change while the guard runs keeps its old value, and is told by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use model::Timestamp;
use serde::Serialize;

use crate::allow::Allowed;
use crate::config::{Config, Feed};
use crate::customers::Customers;
use crate::faces::rpz::Plan;
use crate::run::{Guard, StartError, file, random};

/// What became of the configurations that were read since the start.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reloads {
    /// How many were taken.
    pub taken: u64,
    /// How many were not, for their faults.
    pub refused: u64,
    /// When the one in force was taken; `null`: at the start.
    pub at: Option<String>,
    /// What the last one that was read names that needs a restart.
    pub needs_restart: Vec<String>,
    /// The faults of the last one that was read, if it had any.
    pub faults: Vec<String>,
}

impl Reloads {
    fn took(&mut self, now: Timestamp, needs_restart: &[&'static str]) {
        self.taken += 1;
        self.at = Some(now.to_string());
        self.needs_restart = needs_restart.iter().map(ToString::to_string).collect();
        self.faults.clear();
    }
}

/// A configuration with all that it names, ready to be taken.
pub(crate) struct Prepared {
    pub(crate) config: Arc<Config>,
    /// What it would need a restart for, and has its old value.
    pub(crate) needs_restart: Vec<&'static str>,
    /// Feeds that it names no more.
    dropped: BTreeSet<u16>,
    pub(crate) customers: Customers,
    token: String,
    allowed: Allowed,
    plan: Plan,
}

impl Guard {
    /// A configuration had faults, and the one before it stays in force.
    pub fn refused(&self, faults: Vec<String>) {
        self.note_reload(|reloads| {
            reloads.refused += 1;
            reloads.faults = faults;
        });
    }

    /// A configuration is in force, with all its sockets.
    pub(crate) fn took(&self, needs_restart: &[&'static str]) {
        let now = self.clock().now();
        self.note_reload(|reloads| reloads.took(now, needs_restart));
    }

    /// Reads all that a configuration names. Nothing changes.
    ///
    /// # Errors
    ///
    /// Says what cannot be used.
    pub(crate) fn prepare(&self, config: Config) -> Result<Prepared, StartError> {
        let before = self.config();
        let Merged { config, needs_restart, dropped } = merged(&before, config, self.engine().dropped());
        let token = read_token(&config.hub.token_file)?;
        let mut allowed = Allowed::new(random()?);
        allowed.load(&config.allow, self.engine().allowed_by_programme())?;
        let customers = Customers::after(&config, Some(&self.judge().customers()));
        let plan = Plan::new(&config, &customers)?;
        Ok(Prepared { config: Arc::new(config), needs_restart, dropped, customers, token, allowed, plan })
    }

    /// Takes a prepared configuration. Questions are answered meanwhile.
    ///
    /// # Errors
    ///
    /// Fails if a store or a journal does; the configuration is in force all the same.
    pub(crate) fn adopt(&self, prepared: Prepared) -> Result<(), StartError> {
        let Prepared { config, dropped, token, allowed, plan, .. } = prepared;
        // One after the other: whoever comes between would be judged half by each.
        let mut engine = self.engine();
        self.set_config(Arc::clone(&config));
        self.hub().set_token(&token);
        let set = Arc::clone(self.judge().set());
        let is_other = set.allowed().fingerprint() != allowed.fingerprint();
        for feed in &dropped {
            self.unfollow(*feed);
        }
        let judged = engine.reload(Arc::clone(&config), is_other.then_some(allowed), &dropped);
        let planned = self.zones().take(&config, plan, &set);
        drop(engine);
        judged?;
        planned?;
        Ok(())
    }
}

/// A new configuration as it can be taken.
struct Merged {
    /// With the old values of what cannot change.
    config: Config,
    /// The names of these.
    needs_restart: Vec<&'static str>,
    /// The feeds that it names no more. They keep their places, and nothing is in them.
    dropped: BTreeSet<u16>,
}

/// Merges a new configuration into the one in force, of whose feeds some were `dropped` before.
fn merged(before: &Config, mut config: Config, dropped: &BTreeSet<u16>) -> Merged {
    let mut kept = Vec::new();
    let mut keep = |name: &'static str, is_other: bool| {
        if is_other {
            kept.push(name);
        }
        is_other
    };
    if keep("data", before.data != config.data) {
        config.data.clone_from(&before.data);
    }
    if keep("key_file", before.key_file != config.key_file) {
        config.key_file.clone_from(&before.key_file);
    }
    if keep("hub.url", before.hub.url != config.hub.url) {
        config.hub.url.clone_from(&before.hub.url);
    }
    if keep("hub.trust", before.hub.trust != config.hub.trust) {
        config.hub.trust.clone_from(&before.hub.trust);
    }
    if keep("hub.poll_seconds", before.hub.poll != config.hub.poll) {
        config.hub.poll = before.hub.poll;
    }
    // The feeds have numbers, which are those of the file that the guard started with.
    let places: BTreeMap<&str, usize> =
        before.feeds.iter().map(|feed| feed.alias.as_str()).zip(0..).collect();
    let is = |one: &Feed, other: &Feed| (&one.alias, &one.collection) == (&other.alias, &other.collection);
    let is_followed = |feed: &Feed| {
        let known = (0_u16..).zip(&before.feeds).filter(|(number, _)| !dropped.contains(number));
        known.into_iter().any(|(_, known)| is(known, feed))
    };
    let is_new = config.feeds.iter().any(|feed| !is_followed(feed));
    let _kept: bool = keep("[[feed]] that came, came back or has another name", is_new);
    let gone = (0_u16..).zip(&before.feeds).filter(|(number, feed)| {
        dropped.contains(number) || !config.feeds.iter().any(|named| is(named, feed))
    });
    let dropped: BTreeSet<u16> = gone.map(|(number, _)| number).collect();
    if is_new || !dropped.is_empty() {
        keep_feeds(before, &mut config);
    } else {
        config.feeds.sort_by_key(|feed| places.get(feed.alias.as_str()).copied());
    }
    if let (Some(old), Some(new)) = (&before.sinkhole.forwarder, &mut config.sinkhole.forwarder)
        && keep("sinkhole.forwarder.cache_entries_max", old.cache_entries_max != new.cache_entries_max)
    {
        new.cache_entries_max = old.cache_entries_max;
    }
    if let (Some(old), Some(new)) = (&before.flows, &mut config.flows)
        && keep(
            "flows.alerts_file, flows.syslog",
            (&old.alerts_file, old.syslog) != (&new.alerts_file, new.syslog),
        )
    {
        new.alerts_file.clone_from(&old.alerts_file);
        new.syslog = old.syslog;
    }
    Merged { config, needs_restart: kept, dropped }
}

/// The feeds in their places, with the new settings of those that are still named.
fn keep_feeds(before: &Config, config: &mut Config) {
    let named = |old: &Feed| {
        let same = |new: &&Feed| (&new.alias, &new.collection) == (&old.alias, &old.collection);
        config.feeds.iter().find(same).unwrap_or(old).clone()
    };
    let feeds: Vec<Feed> = before.feeds.iter().map(named).collect();
    for customer in &mut config.customers {
        customer.feeds.retain(|alias, _| feeds.iter().any(|feed| feed.alias == *alias));
    }
    config.feeds = feeds;
}

/// The credential for the hub.
pub(crate) fn read_token(path: &Path) -> Result<String, StartError> {
    fs::read_to_string(path).map_err(|error| file(path, format!("cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

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
"#;

    fn config(text: &str) -> Config {
        Config::parse("guard.toml", text, Path::new("/etc/guard")).unwrap()
    }

    #[test]
    fn what_needs_a_restart_keeps_its_value_and_is_named() {
        let cases: [(&str, &str, &[&str]); 5] = [
            ("mode = \"enforce\"", "mode = \"monitor\"", &[]),
            ("data = \"state\"", "data = \"elsewhere\"", &["data", "key_file"]),
            ("https://hub.example", "https://other.example", &["hub.url"]),
            ("token_file = \"token\"", "token_file = \"other\"", &[]),
            (
                "collection = \"a\"",
                "collection = \"c\"",
                &["[[feed]] that came, came back or has another name"],
            ),
        ];
        for (from, to, named) in cases {
            let Merged { config: merged, needs_restart, .. } =
                merged(&config(TEXT), config(&TEXT.replace(from, to)), &BTreeSet::new());
            assert_eq!(needs_restart, named, "{to}");
            assert_eq!(merged.data, Path::new("/etc/guard/state"));
            assert_eq!(merged.hub.url, "https://hub.example");
            let aliases: Vec<&str> = merged.feeds.iter().map(|feed| feed.alias.as_str()).collect();
            assert_eq!(aliases, ["a", "b"], "{to}");
        }
    }

    #[test]
    fn feeds_keep_their_numbers_in_whatever_order_they_are_named() {
        let (head, feeds) = TEXT.split_once("[[feed]]").unwrap();
        let (first, second) = feeds.split_once("[[feed]]").unwrap();
        let turned = format!("{head}[[feed]]{second}[[feed]]{first}");
        let Merged { config: merged, needs_restart, dropped } =
            merged(&config(TEXT), config(&turned), &BTreeSet::new());
        assert!(needs_restart.is_empty() && dropped.is_empty(), "{needs_restart:?}");
        assert_eq!(merged.feeds[0].alias, "a");
        assert_eq!(merged.feeds[1].alias, "b");
    }

    #[test]
    fn a_feed_that_is_named_no_more_goes_at_once_and_comes_back_with_a_restart() {
        let (head, feeds) = TEXT.split_once("[[feed]]").unwrap();
        let (_, second) = feeds.split_once("[[feed]]").unwrap();
        let without = config(&format!("{head}[[feed]]{second}"));
        let Merged { config: first, needs_restart, dropped } =
            merged(&config(TEXT), without.clone(), &BTreeSet::new());
        assert_eq!((needs_restart, &dropped), (Vec::new(), &BTreeSet::from([0])));
        assert_eq!(first.feeds.len(), 2, "the other one keeps its number");
        let again = merged(&first, without, &dropped);
        assert_eq!((again.needs_restart, again.dropped), (Vec::new(), BTreeSet::from([0])));
        let back = merged(&first, config(TEXT), &dropped);
        assert_eq!(back.needs_restart.len(), 1, "{:?}", back.needs_restart);
        assert_eq!(back.dropped, BTreeSet::from([0]));
    }
}
