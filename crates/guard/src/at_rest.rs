//! The guard's set for files at rest, without a guard.
//!
//! What a guard [holds](held) is loaded from its encrypted store, with its allow lists and modes; a guard may be running on it
//! meanwhile. Or indicators come from [bundles](of_objects), for whoever has no guard. Either way they are compiled as a guard
//! compiles them, and the [`Judge`] is the same; only there is one customer, who is everybody, and nothing is counted.
//!
//! The lease holds here, too, be it the hub's or the site's: what a guard would have to unload is not looked for in files. Blinded indicators are never on the
//! disk, so they are not looked for either.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use model::{Clock, Timestamp};
use thiserror::Error;
use uuid::Uuid;

use crate::allow::{AllowError, Allowed};
use crate::config::{Cause, Config, Feed, Mode};
use crate::customers::Customers;
use crate::hold::{Hold, HoldError};
use crate::indicator::{self, Object, Refused, Rights, id_of};
use crate::judge::Judge;
use crate::lease::{self, Lease};
use crate::record::Bound;
use crate::run::{PROGRAMME_ALLOWS, PROGRAMME_IS};
use crate::secrets::Secrets;
use crate::set::{Entering, Set};
use crate::sight::Kinds;

/// Why there is no set.
#[derive(Debug, Error)]
pub enum AtRestError {
    /// The store.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// The allow lists.
    #[error(transparent)]
    Allow(#[from] AllowError),
    /// The key.
    #[error("the guard's key `{path}` cannot be read: {reason}")]
    Key {
        /// Where it should be.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The lease is over.
    #[error(
        "the lease is over: the guard heard the hub {0}, and what it holds may be used for {1} s after that; start the guard \
         where it reaches the hub, and look again"
    )]
    Lease(String, u64),
    /// There is no such customer.
    #[error("the configuration has no customer `{0}`")]
    Customer(String),
}

/// What a guard holds, as of the clock's time; with the modes of a customer, or of the feeds. Whether the lease is over is told by what time it is
/// `now`, whatever time is asked about.
///
/// # Errors
///
/// Says what is in the way.
pub fn held(
    config: &Config,
    customer: Option<&str>,
    clock: Arc<dyn Clock>,
    now: Timestamp,
    random: [u8; 32],
) -> Result<Judge, AtRestError> {
    let key = |reason: String| AtRestError::Key { path: config.key_file.display().to_string(), reason };
    if !config.key_file.exists() {
        return Err(key("it is not there; has the guard ever run?".to_owned()));
    }
    let secrets = Secrets::load_or_make(&config.key_file, random).map_err(|error| key(error.to_string()))?;
    let mut allowed = Allowed::new(random);
    let programme: Option<Vec<String>> = secrets.hold_key().read_note(&config.data, PROGRAMME_ALLOWS)?;
    allowed.load(&config.allow, &programme.unwrap_or_default())?;
    let modes = modes(config, customer)?;
    let mut loading = Loading::new(Set::new(random, allowed, config.feeds.clone()), clock.now());
    loading.programme = secrets.hold_key().read_note(&config.data, PROGRAMME_IS)?;
    let feeds: BTreeMap<&str, u16> =
        config.feeds.iter().map(|feed| feed.alias.as_str()).zip(0_u16..).collect();
    let mut heard = None;
    Hold::peek(&config.data, &secrets.hold_key(), |frame| {
        heard = heard.max((frame.heard > 0).then(|| Timestamp::from_micros(frame.heard)));
        let Some(feed) = feeds.get(frame.feed.as_str()).copied() else { return };
        if frame.anew {
            loading.empty(feed);
        }
        for kept in frame.put {
            loading.take(feed, kept.object, Rights::from_bits(kept.rights));
        }
        loading.come();
        loading.go(feed, frame.gone);
    })?;
    let began = Instant::now();
    let length = lease::length(lease::granted(&secrets.hold_key(), &config.data)?, config.hub.lease);
    if !Lease::resumed(length, heard, now, began).standing(began).is_held() {
        let heard = heard.map_or_else(|| "never".to_owned(), |heard| format!("last at {heard}"));
        return Err(AtRestError::Lease(heard, length.as_secs()));
    }
    Ok(loading.judge(Customers::everybody(modes), secrets.reference_salt(), clock))
}

fn modes(config: &Config, customer: Option<&str>) -> Result<Vec<Option<Mode>>, AtRestError> {
    let Some(name) = customer else { return Ok(config.feeds.iter().map(|feed| Some(feed.mode)).collect()) };
    let customer = config.customers.iter().find(|customer| customer.name == name);
    let customer = customer.ok_or_else(|| AtRestError::Customer(name.to_owned()))?;
    Ok(config.feeds.iter().map(|feed| customer.feeds.get(&feed.alias).copied()).collect())
}

/// Indicators out of files, each file a feed. Objects that cannot be read are given to `refused`. Nobody is known to speak for a
/// programme there, so what the files say of recalls and false positives is passed over.
pub fn of_objects<'o>(
    files: impl IntoIterator<Item = (String, Vec<&'o [u8]>)>,
    clock: Arc<dyn Clock>,
    random: [u8; 32],
    mut refused: impl FnMut(&str, Refused),
) -> Judge {
    let files: Vec<_> = files.into_iter().collect();
    let feed = |name: &String| Feed {
        collection: name.clone(),
        alias: name.clone(),
        mode: Mode::Monitor,
        days_max: None,
        confidence_min: 0,
        cause: Cause::default(),
    };
    let feeds: Vec<Feed> = files.iter().map(|(name, _)| feed(name)).collect();
    let modes = vec![Some(Mode::Monitor); feeds.len()];
    let mut loading = Loading::new(Set::new(random, Allowed::new(random), feeds), clock.now());
    for (feed, (name, objects)) in (0_u16..).zip(&files) {
        for object in objects {
            match indicator::read(object, None) {
                Ok(object) => loading.take(feed, object, Rights::ALL),
                Err(error) => refused(name, error),
            }
        }
        loading.come();
    }
    loading.judge(Customers::everybody(modes), [0; 16], clock)
}

/// A set that is being filled, in the order of what is said.
struct Loading {
    set: Set,
    now: Timestamp,
    entering: Vec<Entering>,
    feed: u16,
    /// As whom the programme speaks, if the hub has named it.
    programme: Option<String>,
}

impl Loading {
    fn new(set: Set, now: Timestamp) -> Self {
        Self { set: set.meeting(Kinds::ALL), now, entering: Vec::new(), feed: 0, programme: None }
    }

    fn take(&mut self, feed: u16, object: Object, rights: Rights) {
        if feed != self.feed {
            self.come();
            self.feed = feed;
        }
        match object {
            Object::Indicator(indicator) => {
                let (id, revoked) = (indicator.id, indicator.revoked);
                let entering = if revoked { None } else { self.set.enter(feed, &indicator, rights) };
                if let Some(entering) = entering {
                    self.entering.push(entering);
                } else {
                    self.come();
                    self.go(feed, [id]);
                }
            }
            Object::Pap { id, is_passive } => {
                self.come();
                self.set.learn_pap(id, is_passive);
            }
            Object::Recall(ids) => {
                self.come();
                let ids: Vec<Uuid> = ids.iter().filter_map(|id| id_of(id)).collect();
                for feed in 0..u16::try_from(self.set.feeds().len()).unwrap_or(u16::MAX) {
                    self.go(feed, ids.iter().copied());
                }
            }
            Object::FalsePositive { by, of, stands } => {
                self.come();
                let of = if self.programme.as_ref() == Some(&by) { of } else { Vec::new() };
                for id in of.iter().filter_map(|id| id_of(id)) {
                    for (_, change) in self.set.bounding(id, Bound::FalsePositive, stands) {
                        self.set.commit(change);
                    }
                }
            }
            Object::Other => {}
        }
    }

    fn come(&mut self) {
        if !self.entering.is_empty() {
            let change = self.set.coming(self.feed, std::mem::take(&mut self.entering), self.now);
            self.set.commit(change);
        }
    }

    fn go(&self, feed: u16, ids: impl IntoIterator<Item = Uuid>) {
        let change = self.set.going(feed, ids);
        if !change.is_empty() {
            self.set.commit(change);
        }
    }

    fn empty(&mut self, feed: u16) {
        self.come();
        self.set.commit(self.set.all_going(feed));
    }

    fn judge(mut self, customers: Customers, salt: [u8; 16], clock: Arc<dyn Clock>) -> Judge {
        self.come();
        // Nobody counts.
        let (hits, _) = sync_channel(1);
        let judge = Judge::new(Arc::new(self.set), customers, salt, clock, hits);
        judge.set_idle(false);
        judge
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use model::ManualClock;
    use serde_json::json;

    use super::*;
    use crate::config::Service;
    use crate::customers::CustomerId;
    use crate::hold::{Frame, Kept};

    fn indicator(n: u32, pattern: &str) -> Vec<u8> {
        json!({"type": "indicator", "id": format!("indicator--00000000-0000-4000-8000-{n:012}"),
            "modified": "2026-01-01T00:00:00Z", "valid_from": "2026-01-01T00:00:00Z",
            "pattern_type": "stix", "pattern": pattern})
        .to_string()
        .into_bytes()
    }

    fn met(judge: &Judge, name: &str) -> Option<Mode> {
        judge.name(CustomerId::ONLY, Service::Sinkhole, name).map(|decided| decided.mode)
    }

    #[test]
    fn what_a_guard_holds_is_read_beside_it_and_only_within_the_lease() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "data = \"{}\"\n[hub]\nurl = \"https://hub.example\"\ntoken_file = \"t\"\nlease_hours = 1\n[[feed]]\n\
             collection = \"one\"\nmode = \"enforce\"\n[allow]\nvalues = [\"good.evil.example\"]\n[[customer]]\n\
             name = \"quiet\"\nnetworks = [\"10.0.0.0/8\"]\nfeeds = {{ one = \"monitor\" }}\n",
            folder.path().display()
        );
        let config = Config::parse("guard.toml", &text, Path::new("/")).unwrap();
        let clock = Arc::new(ManualClock::at("2026-01-15".parse().unwrap()));
        let load = |customer| held(&config, customer, Arc::clone(&clock) as _, clock.now(), [7; 32]);
        assert!(matches!(load(None), Err(AtRestError::Key { .. })));
        let secrets = Secrets::load_or_make(&config.key_file, [9; 32]).unwrap();
        let mut hold = Hold::open(folder.path(), secrets.hold_key(), [1; 16], |_| {}).unwrap();
        let kept =
            |bytes: &[u8]| Kept { rights: Rights::ALL.bits(), object: indicator::read(bytes, None).unwrap() };
        let objects = [
            indicator(1, "[domain-name:value = 'evil.example']"),
            indicator(2, "[mutex:name = 'x']"),
            indicator(3, "[domain-name:value = 'gone.example']"),
        ];
        let frame = Frame {
            feed: "one".to_owned(),
            heard: clock.now().as_micros(),
            put: objects.iter().map(|bytes| kept(bytes)).collect(),
            ..Frame::default()
        };
        hold.append(&frame, &objects).unwrap();
        let gone = vec![id_of("indicator--00000000-0000-4000-8000-000000000003").unwrap()];
        let frame =
            Frame { feed: "one".to_owned(), heard: clock.now().as_micros(), gone, ..Frame::default() };
        hold.append(&frame, &[]).unwrap();
        let judge = load(None).unwrap();
        assert_eq!(met(&judge, "www.evil.example"), Some(Mode::Enforce));
        assert_eq!((met(&judge, "good.evil.example"), met(&judge, "gone.example")), (None, None));
        assert_eq!(judge.set().report(|_| true).feeds[0].evaluated, 1, "files may tell of a mutex");
        let judge = load(Some("quiet")).unwrap();
        assert_eq!(met(&judge, "www.evil.example"), Some(Mode::Monitor));
        assert!(matches!(load(Some("nobody")), Err(AtRestError::Customer(_))));
        clock.advance(Duration::from_mins(31));
        assert!(load(None).is_ok());
        // The hub may grant less than the site would have.
        lease::keep(&secrets.hold_key(), folder.path(), [3; 16], Some(Duration::from_mins(30))).unwrap();
        assert!(matches!(load(None), Err(AtRestError::Lease(_, 1_800))));
        lease::keep(&secrets.hold_key(), folder.path(), [4; 16], Some(Duration::from_hours(30))).unwrap();
        assert!(load(None).is_ok());
        clock.advance(Duration::from_mins(30));
        assert!(matches!(load(None), Err(AtRestError::Lease(_, 3_600))));
    }

    #[test]
    fn bundles_are_feeds() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at("2026-01-15".parse().unwrap()));
        let one = indicator(1, "[domain-name:value = 'evil.example']");
        let mut refused = Vec::new();
        let files = vec![("a.json".to_owned(), vec![one.as_slice(), b"{}".as_slice()])];
        let judge = of_objects(files, clock, [3; 32], |file, why| refused.push(format!("{file}: {why}")));
        assert_eq!(met(&judge, "evil.example"), Some(Mode::Monitor));
        assert_eq!(refused.len(), 1, "{refused:?}");
    }
}
