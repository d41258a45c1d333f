//! What is not there any more: a feed's manifest, compared with what is held.
//!
//! With a million indicators a comparison takes a good part of a second. It is made by a thread of its own on a copy of the ids, so that
//! neither what is new nor what expires waits for it; what comes meanwhile is remembered, and stays. That a comparison is owed is
//! kept on the disk until it was made.

use std::collections::BTreeSet;
use std::thread::{self, JoinHandle};

use tracing::info;
use uuid::Uuid;

use super::Engine;
use crate::hold::{Frame, HoldError};

/// The note with the feeds of which something has left, and nothing was compared since.
pub(super) const DEPARTED: &str = "departed.note";

/// A comparison under way.
pub(super) struct Comparing {
    feed: u16,
    /// Which of those that are held are not there.
    thread: JoinHandle<Vec<Uuid>>,
    /// What came since.
    since: BTreeSet<Uuid>,
}

impl Comparing {
    pub(super) fn is_of(&self, feed: u16) -> bool {
        self.feed == feed
    }
}

impl Engine {
    /// Whether something left a feed, and nothing was compared since.
    #[must_use]
    pub fn is_owed(&self, feed: u16) -> bool {
        self.departed.contains(self.alias(feed))
    }

    /// Something left a feed, or all was compared.
    pub(super) fn owe(&mut self, feed: u16, is_owed: bool) -> Result<(), HoldError> {
        let alias = self.alias(feed).to_owned();
        let is_other =
            if is_owed { self.departed.insert(alias) } else { self.departed.remove(alias.as_str()) };
        if is_other {
            let key = self.secrets.hold_key();
            key.write_note(&self.config.data, DEPARTED, (self.random)(), &self.departed)?;
        }
        Ok(())
    }

    /// Begins to compare what is held of a feed with all that there is.
    pub(super) fn present(&mut self, feed: u16, present: BTreeSet<Uuid>) {
        // The newest answer counts.
        self.comparing.retain(|one| one.feed != feed);
        // Now, and not when the thread has come so far: the lease may end before.
        let mut gone = self.set.ids_of(feed);
        gone.extend(self.unused.borrow().get(usize::from(feed)).into_iter().flatten());
        let compare = move || {
            gone.retain(|id| !present.contains(id));
            gone
        };
        match thread::Builder::new().name("compare".to_owned()).spawn(compare) {
            Ok(thread) => self.comparing.push(Comparing { feed, thread, since: BTreeSet::new() }),
            // It is owed still, and asked for again at the next start.
            Err(error) => tracing::warn!("what is gone cannot be compared: {error}"),
        }
    }

    /// These come while something is compared.
    pub(super) fn came(&mut self, feed: u16, frame: &Frame) {
        for one in self.comparing.iter_mut().filter(|one| one.feed == feed) {
            one.since.extend(frame.put.iter().filter_map(|kept| kept.object.indicator()));
        }
    }

    /// What was compared, and is not present any more, goes from the set and from the disk.
    pub(super) fn compared(&mut self) -> Result<(), HoldError> {
        while let Some(at) = self.comparing.iter().position(|one| one.thread.is_finished()) {
            let Comparing { feed, thread, since } = self.comparing.swap_remove(at);
            // What panicked told nothing, and is owed still.
            let Ok(gone) = thread.join() else { continue };
            let gone: Vec<Uuid> = gone.into_iter().filter(|id| !since.contains(id)).collect();
            if !gone.is_empty() {
                let alias = self.alias(feed).to_owned();
                info!(feed = alias, indicators = gone.len(), "the hub no longer has these for us");
                self.go(feed, gone.iter().copied());
                let heard = self.clock.now().as_micros();
                self.hold.append(&Frame { feed: alias, heard, gone, ..Frame::default() }, &[])?;
                self.is_untidy = true;
            }
            self.owe(feed, false)?;
        }
        Ok(())
    }
}
