//! Following a feed: by `/api/stream` where the server is a hub, by polling where it is any other TAXII 2.1 server.
//!
//! Both ways have one cursor, the date of the last object, so the guard can change between them at any time and loses and
//! repeats nothing. What is heard is handed on as [`News`], in order; whoever takes it keeps cursor and objects in one
//! step.
//!
//! A hub that has no place for another stream is polled for the same events, with the same cursor: TAXII says nothing of what may be done
//! with an object. On both ways [what there is at all](resync) is compared with what is held when something has left, or now and then
//! where the server does not say so.
//!
//! A hub that says no (401, 403, or 404 for the collection) means it: the feed is gone, at once. A hub that cannot be
//! reached, or fails, means nothing; the lease decides how long that may last.

mod hub;
mod resync;
mod stream;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use taxii_client::{Error, Page, PullState, Query};
use tracing::debug;
use uuid::Uuid;

use crate::indicator::Rights;

pub use hub::{AllowList, BlindFeed, BlindLine, Hub, HubError, Me, Programme};
use resync::{Reading, present, taxii};
use stream::{Event, Events};

pub use stream::events_in;

/// The first pause after a failure; it doubles.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// How often a follower looks whether it is to end.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is asked whether what is held blinded has changed; mostly it has not, and the answer is empty.
const BLINDED_EVERY: Duration = Duration::from_secs(15);
/// How often a server that is no hub is asked what it has at all.
const PRESENT_EVERY: Duration = Duration::from_hours(1);
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
    /// Something has left the feed; what there is still is asked, and is owed until [`News::Present`].
    Departed,
    /// These are all the indicators that the feed has now; what is not among them is gone.
    Present(BTreeSet<Uuid>),
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
    /// Counts how often what is blinded was let go of by whoever holds it, and how often that was seen.
    let_go: (Arc<AtomicU64>, u64),
    /// A departure after which nothing was compared yet.
    owed: Option<String>,
    /// What is read of the manifest.
    reading: Option<Reading>,
    /// The departure up to which all was compared.
    compared: Option<String>,
    /// When a server that is no hub was last asked what it has.
    presence: Option<Instant>,
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
        Self {
            hub,
            collection,
            poll,
            cursor,
            blinded: None,
            allowed: None,
            let_go: (Arc::default(), 0),
            owed: None,
            reading: None,
            compared: None,
            presence: None,
        }
    }

    /// Whoever takes the news counts there how often it let go of what is blinded: it is asked for anew then, for it is on no disk to
    /// come back from.
    #[must_use]
    pub fn counting(self, let_go: Arc<AtomicU64>) -> Self {
        let seen = let_go.load(Ordering::Acquire);
        Self { let_go: (let_go, seen), ..self }
    }

    /// Something had left before the start, and nothing was compared since.
    #[must_use]
    pub fn owing(self, is_owed: bool) -> Self {
        Self { owed: is_owed.then(String::new), ..self }
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
            (self.owed, self.reading, self.compared) = (None, None, None);
        }
        tell(news);
    }

    fn once(&mut self, stop: &AtomicBool, tell: &mut dyn FnMut(News)) -> After {
        match self.hub.me() {
            Ok(Some(me)) => {
                self.tell(News::Hub(me), tell);
                self.follow(stop, tell)
            }
            Ok(None) => self.pull(stop, tell),
            Err(HubError::Refused(why)) => {
                self.tell(News::Gone(why), tell);
                After::Poll
            }
            Err(HubError::Busy(why) | HubError::Failed(why)) => After::Trouble(why),
        }
    }

    /// Reads pages until there are no more.
    fn pull(&mut self, stop: &AtomicBool, tell: &mut dyn FnMut(News)) -> After {
        let collection = match taxii(&self.hub, &self.collection) {
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
        if self.presence.is_none_or(|asked| asked.elapsed() > PRESENT_EVERY) {
            self.presence = Some(Instant::now());
            match present(&collection) {
                Ok(present) => self.tell(News::Present(present), tell),
                // It has no manifest, or not now; what it has is followed all the same.
                Err(error) => debug!("the manifest is not compared: {error}"),
            }
        }
        After::Poll
    }

    fn page(&mut self, page: &Page, tell: &mut dyn FnMut(News)) {
        let objects = page.items().map(|item| Received { object: item.to_vec(), rights: Rights::ALL });
        self.cursor = Cursor(page.state().clone());
        let news = News::Objects(objects.collect(), self.cursor.clone());
        self.tell(news, tell);
    }

    fn failed(&mut self, error: &Error, tell: &mut dyn FnMut(News)) -> After {
        if means_it(error) {
            self.tell(News::Gone(error.to_string()), tell);
            return After::Poll;
        }
        After::Trouble(error.to_string())
    }

    /// Reads the stream until it ends; polls for what it would say if the hub has no place for it.
    fn follow(&mut self, stop: &AtomicBool, tell: &mut dyn FnMut(News)) -> After {
        let open = |follower: &Self, ends: bool| {
            Events::open(&follower.hub, &follower.collection, follower.cursor.reached(), ends)
        };
        let (opened, is_poll) = match open(self, false) {
            Err(HubError::Busy(_)) => (open(self, true), true),
            opened => (opened, false),
        };
        let events = match opened {
            Ok(events) => events,
            Err(HubError::Refused(why)) => {
                self.tell(News::Gone(why), tell);
                return After::Poll;
            }
            Err(HubError::Busy(why) | HubError::Failed(why)) => return After::Trouble(why),
        };
        if let Some(at) = self.owed.take() {
            self.compare(at, tell);
        }
        let before = self.cursor.clone();
        let after = self.stream(events, stop, tell);
        if !is_poll {
            return after;
        }
        // There is no stream that anything could hold up.
        while self.reading.is_some() && !stop.load(Ordering::Relaxed) {
            if let Some(after) = self.compared(tell) {
                return after;
            }
            thread::sleep(LOOK);
        }
        match after {
            After::Now if self.cursor == before => After::Poll,
            after @ (After::Now | After::Poll | After::Trouble(_)) => after,
        }
    }

    fn stream(&mut self, mut events: Events, stop: &AtomicBool, tell: &mut dyn FnMut(News)) -> After {
        let mut batch = Vec::new();
        let mut date = None;
        let mut asked: Option<Instant> = None;
        while !stop.load(Ordering::Relaxed) {
            if self.has_let_go() || asked.is_none_or(|asked| asked.elapsed() > BLINDED_EVERY) {
                asked = Some(Instant::now());
                if let Err(error) = self.ask_beside(tell) {
                    return After::Trouble(error.to_string());
                }
            }
            if let Some(after) = self.compared(tell) {
                return after;
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
                Some(Event::Resync(at)) => self.compare(at, tell),
                Some(Event::End(None)) => return After::Now,
                Some(Event::End(Some(why))) => return After::Trouble(why),
                Some(Event::Object { .. }) | None => {}
            }
        }
        After::Now
    }

    /// Asks what no stream says.
    fn ask_beside(&mut self, tell: &mut dyn FnMut(News)) -> Result<(), HubError> {
        // First of all: what is allowed must not be enforced for a moment.
        if let Some(list) = self.hub.allowed(self.allowed.as_deref())? {
            self.allowed = Some(list.serial);
            self.tell(News::Allowed(list.values), tell);
        }
        if let Some(blinded) = self.hub.blinded(&self.collection, self.blinded.as_deref())? {
            self.blinded = Some(blinded.serial.clone());
            self.tell(News::Blinded(blinded), tell);
        }
        Ok(())
    }

    /// Whether what is blinded is held no more and has to be asked for.
    fn has_let_go(&mut self) -> bool {
        let (let_go, seen) = &mut self.let_go;
        let now = let_go.load(Ordering::Acquire);
        if now == *seen {
            return false;
        }
        *seen = now;
        self.blinded = None;
        true
    }

    fn take(&mut self, batch: &mut Vec<Received>, date: &mut Option<String>, tell: &mut dyn FnMut(News)) {
        if let Some(date) = date.take() {
            if let Some(reading) = &mut self.reading {
                reading.came(batch);
            }
            self.cursor = Cursor::at(date);
            let news = News::Objects(std::mem::take(batch), self.cursor.clone());
            self.tell(news, tell);
        }
    }

    /// Something left at an instant: asks what there is at all, beside the stream.
    fn compare(&mut self, at: String, tell: &mut dyn FnMut(News)) {
        // A hub tells again from where the cursor stands whenever it is asked again.
        if !at.is_empty() && self.compared.as_ref() == Some(&at) {
            return;
        }
        if let Some(reading) = &mut self.reading {
            return reading.lost(at);
        }
        self.tell(News::Departed, tell);
        match Reading::begin(&self.hub, &self.collection, at.clone()) {
            Ok(reading) => self.reading = Some(reading),
            Err(error) => {
                self.owed = Some(at);
                self.tell(News::Trouble(format!("no thread for the manifest: {error}")), tell);
            }
        }
    }

    /// Tells what there is at all, once it is known.
    fn compared(&mut self, tell: &mut dyn FnMut(News)) -> Option<After> {
        let read = self.reading.take_if(|reading| reading.is_finished())?.end();
        match read.present {
            Ok(present) => {
                self.compared = Some(read.at);
                self.tell(News::Present(present), tell);
                if let Some(again) = read.again {
                    self.compare(again, tell);
                }
                None
            }
            Err(why) if read.is_refused => {
                self.tell(News::Gone(why), tell);
                Some(After::Poll)
            }
            Err(why) => {
                self.owed = Some(read.again.unwrap_or(read.at));
                Some(After::Trouble(why))
            }
        }
    }
}

/// Whether a server says no and means it.
fn means_it(error: &Error) -> bool {
    matches!(error, Error::Unauthorized { .. } | Error::Refused { status: 401 | 403 | 404, .. })
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
