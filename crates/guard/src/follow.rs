//! Following a feed: by `/api/stream` where the server is a hub, by polling where it is any other TAXII 2.1 server.
//!
//! Both ways have one cursor, the date of the last object, so the guard can change between them at any time and loses and
//! repeats nothing. What is heard is handed on as [`News`], in order; whoever takes it keeps cursor and objects in one
//! step.
//!
//! A hub that says no (401, 403, or 404 for the collection) means it: the feed is gone, at once. A hub that cannot be
//! reached, or fails, means nothing; the lease decides how long that may last.

mod hub;
mod stream;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use taxii_client::{Client, Collection, Error, Options, Page, PullState, Query};

use crate::indicator::Rights;

pub use hub::{AllowList, BlindFeed, BlindLine, Hub, HubError, Me, Programme};
use stream::{Event, Events};

/// The first pause after a failure; it doubles.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// How often a follower looks whether it is to end.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is asked whether what is held blinded has changed; mostly it has not, and the answer is empty.
const BLINDED_EVERY: Duration = Duration::from_secs(15);
/// The most objects of a stream that are handed on together: one sync of the disk for all of them.
const BATCH_MAX: usize = 2_000;

/// An object as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its bytes.
    pub object: Vec<u8>,
    /// What may be done with it.
    pub rights: Rights,
}

/// What a follower heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Objects, and where the feed stands after them.
    Objects(Vec<Received>, Cursor),
    /// These are all that the feed has now; what is not among them is gone.
    Present(BTreeSet<String>),
    /// As whom the hub knows the guard. Other servers say nothing of this kind.
    Hub(Me),
    /// All that may be enforced and not read.
    Blinded(BlindFeed),
    /// All that the programme allows.
    Allowed(Vec<String>),
    /// The hub is there, and has nothing new.
    Alive,
    /// The hub says that this feed is not, or no more, for this member.
    Gone(String),
    /// The hub could not be reached, or failed; it is asked again.
    Trouble(String),
}

/// Where a feed stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor(PullState);

impl Cursor {
    /// As text, to be kept.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// From [`Cursor::to_text`]; anything else is the beginning.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    /// The date of the last object that was seen, as the server wrote it.
    #[must_use]
    pub fn reached(&self) -> Option<&str> {
        self.0.reached.as_deref().or(self.0.added_after.as_deref())
    }

    fn at(date: String) -> Self {
        Self(PullState { added_after: Some(date.clone()), next: None, reached: Some(date) })
    }
}

/// Follows one collection.
#[derive(Debug)]
pub struct Follower {
    hub: Hub,
    collection: String,
    poll: Duration,
    cursor: Cursor,
    /// The serial of what is held blinded.
    blinded: Option<String>,
    /// The serial of what the programme allows.
    allowed: Option<String>,
}

/// Whether to go on.
enum After {
    /// At once.
    Now,
    /// After the pause between polls.
    Poll,
    /// After a pause that grows.
    Trouble(String),
}

impl Follower {
    /// A follower of `collection`, by its id or alias, from `cursor` on.
    #[must_use]
    pub fn new(hub: Hub, collection: String, poll: Duration, cursor: Cursor) -> Self {
        Self { hub, collection, poll, cursor, blinded: None, allowed: None }
    }

    /// Follows until `stop` is set. Everything that is heard goes to `tell`, in order. A feed that was gone is read from
    /// its beginning when it comes back, for what was held of it was disposed of.
    pub fn run(&mut self, stop: &AtomicBool, tell: &mut dyn FnMut(News)) {
        let mut pause = PAUSE_MIN;
        while !stop.load(Ordering::Relaxed) {
            match self.once(stop, tell) {
                After::Now => pause = PAUSE_MIN,
                After::Poll => {
                    pause = PAUSE_MIN;
                    wait(self.poll, stop);
                }
                After::Trouble(what) => {
                    // If the lease ends meanwhile, what is blinded is let go of, and it is on no disk to come back from.
                    self.blinded = None;
                    self.tell(News::Trouble(what), tell);
                    wait(pause, stop);
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    fn tell(&mut self, news: News, tell: &mut dyn FnMut(News)) {
        if matches!(news, News::Gone(_)) {
            self.cursor = Cursor::default();
            self.blinded = None;
        }
        tell(news);
    }

    fn once(&mut self, stop: &AtomicBool, tell: &mut dyn FnMut(News)) -> After {
        match self.hub.me() {
            Ok(Some(me)) => {
                self.tell(News::Hub(me), tell);
                self.stream(stop, tell)
            }
            Ok(None) => self.pull(stop, tell),
            Err(HubError::Refused(why)) => {
                self.tell(News::Gone(why), tell);
                After::Poll
            }
            Err(HubError::Failed(why)) => After::Trouble(why),
        }
    }

    /// Reads pages until there are no more.
    fn pull(&mut self, stop: &AtomicBool, tell: &mut dyn FnMut(News)) -> After {
        let pages = self.taxii();
        let collection = match pages {
            Ok(collection) => collection,
            Err(error) => return self.failed(&error, tell),
        };
        for page in collection.objects(&Query::default(), self.cursor.0.clone()) {
            if stop.load(Ordering::Relaxed) {
                return After::Now;
            }
            match page {
                Ok(page) => self.page(&page, tell),
                Err(error) => return self.failed(&error, tell),
            }
        }
        self.tell(News::Alive, tell);
        After::Poll
    }

    fn page(&mut self, page: &Page, tell: &mut dyn FnMut(News)) {
        let objects = page.items().map(|item| Received { object: item.to_vec(), rights: Rights::ALL });
        self.cursor = Cursor(page.state().clone());
        let news = News::Objects(objects.collect(), self.cursor.clone());
        self.tell(news, tell);
    }

    fn taxii(&self) -> Result<Collection, Error> {
        let options = Options {
            credentials: Some(self.hub.credentials()),
            trusted_certificates_pem: self.hub.trusted().map(<[u8]>::to_vec),
            user_agent: hub::USER_AGENT.to_owned(),
            ..Options::default()
        };
        Client::new(self.hub.url(), &options)?.default_root()?.collection(&self.collection)
    }

    fn failed(&mut self, error: &Error, tell: &mut dyn FnMut(News)) -> After {
        let means_it =
            matches!(error, Error::Unauthorized { .. } | Error::Refused { status: 401 | 403 | 404, .. });
        if means_it {
            self.tell(News::Gone(error.to_string()), tell);
            return After::Poll;
        }
        After::Trouble(error.to_string())
    }

    /// Reads the stream until it ends.
    fn stream(&mut self, stop: &AtomicBool, tell: &mut dyn FnMut(News)) -> After {
        let mut events = match Events::open(&self.hub, &self.collection, self.cursor.reached()) {
            Ok(events) => events,
            Err(HubError::Refused(why)) => {
                self.tell(News::Gone(why), tell);
                return After::Poll;
            }
            Err(HubError::Failed(why)) => return After::Trouble(why),
        };
        let mut batch = Vec::new();
        let mut date = None;
        let mut asked: Option<Instant> = None;
        while !stop.load(Ordering::Relaxed) {
            if asked.is_none_or(|asked| asked.elapsed() > BLINDED_EVERY) {
                asked = Some(Instant::now());
                // First of all: what is allowed must not be enforced for a moment.
                match self.hub.allowed(self.allowed.as_deref()) {
                    Ok(Some(list)) => {
                        self.allowed = Some(list.serial);
                        self.tell(News::Allowed(list.values), tell);
                    }
                    Ok(None) => {}
                    Err(error) => return After::Trouble(error.to_string()),
                }
                match self.hub.blinded(&self.collection, self.blinded.as_deref()) {
                    Ok(Some(blinded)) => {
                        self.blinded = Some(blinded.serial.clone());
                        self.tell(News::Blinded(blinded), tell);
                    }
                    Ok(None) => {}
                    Err(error) => return After::Trouble(error.to_string()),
                }
            }
            let event = events.next(LOOK);
            let goes_on = matches!(event, Some(Event::Object { .. })) && batch.len() < BATCH_MAX;
            if let Some(Event::Object { received, date: its }) = event {
                batch.push(received);
                date = Some(its);
                if goes_on && events.has_more() {
                    continue;
                }
                self.take(&mut batch, &mut date, tell);
                continue;
            }
            self.take(&mut batch, &mut date, tell);
            match event {
                Some(Event::Alive) => self.tell(News::Alive, tell),
                Some(Event::Resync) => {
                    if let Err(error) = self.resync(tell) {
                        return self.failed(&error, tell);
                    }
                }
                Some(Event::End(None)) => return After::Now,
                Some(Event::End(Some(why))) => return After::Trouble(why),
                Some(Event::Object { .. }) | None => {}
            }
        }
        After::Now
    }

    fn take(&mut self, batch: &mut Vec<Received>, date: &mut Option<String>, tell: &mut dyn FnMut(News)) {
        if let Some(date) = date.take() {
            self.cursor = Cursor::at(date);
            let news = News::Objects(std::mem::take(batch), self.cursor.clone());
            self.tell(news, tell);
        }
    }

    /// Asks what there is at all. Nothing is read from the stream meanwhile, so what was taken before is in the answer
    /// unless it is gone.
    fn resync(&mut self, tell: &mut dyn FnMut(News)) -> Result<(), Error> {
        let mut present = BTreeSet::new();
        for page in self.taxii()?.manifest(&Query::default(), PullState::default()) {
            let records: Vec<Record> = page?.read()?;
            present.extend(records.into_iter().map(|record| record.id));
        }
        self.tell(News::Present(present), tell);
        Ok(())
    }
}

#[derive(Deserialize)]
struct Record {
    id: String,
}

fn wait(pause: Duration, until: &AtomicBool) {
    let mut left = pause;
    while !left.is_zero() && !until.load(Ordering::Relaxed) {
        let step = left.min(LOOK);
        thread::sleep(step);
        left -= step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_being_kept() {
        let cursor = Cursor::at("2026-01-10T12:34:56.000001Z".to_owned());
        assert_eq!(Cursor::from_text(&cursor.to_text()), cursor);
        assert_eq!(cursor.reached(), Some("2026-01-10T12:34:56.000001Z"));
        assert_eq!(Cursor::from_text("what"), Cursor::default());
    }
}
