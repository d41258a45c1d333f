//! A mail that is on its way in: a little of it in memory, the rest sealed on disk.

use std::sync::Arc;

use tokio::task;

use crate::store::{About, Draft, MailId, Store, StoreError};

/// A mail's bytes as they come.
#[derive(Debug)]
pub(super) struct Spool {
    store: Arc<Store>,
    memory: Vec<u8>,
    memory_bytes_max: usize,
    draft: Option<Draft>,
    /// What came, in memory or not.
    pub(super) bytes: u64,
    /// The disk failed; the mail is no longer whole.
    failure: Option<StoreError>,
}

impl Spool {
    pub(super) fn new(store: Arc<Store>, memory_bytes_max: usize) -> Self {
        Self { store, memory: Vec::new(), memory_bytes_max, draft: None, bytes: 0, failure: None }
    }

    /// Takes what came. The next [`relieve`](Self::relieve) moves it to disk if it is much.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.failure.is_none() {
            self.memory.extend_from_slice(bytes);
        }
    }

    pub(super) fn is_heavy(&self) -> bool {
        self.memory.len() > self.memory_bytes_max
    }

    /// Moves what is in memory to disk.
    pub(super) async fn relieve(mut self) -> Self {
        let failed = Self::new(Arc::clone(&self.store), self.memory_bytes_max);
        let bytes = self.bytes;
        let moved = task::spawn_blocking(move || {
            self.write_out();
            self
        });
        moved.await.unwrap_or(Self { bytes, failure: Some(StoreError::Full { bytes_max: 0 }), ..failed })
    }

    fn write_out(&mut self) {
        let written = match &mut self.draft {
            Some(draft) => draft.write(&self.memory),
            None => self.store.draft().and_then(|mut draft| {
                draft.write(&self.memory)?;
                self.draft = Some(draft);
                Ok(())
            }),
        };
        self.memory.clear();
        self.memory.shrink_to(self.memory_bytes_max);
        if let Err(error) = written {
            self.draft = None;
            self.failure = Some(error);
        }
    }

    /// The beginning of the mail, and whether that is less than the whole.
    ///
    /// # Errors
    ///
    /// Fails if the mail is not whole, or cannot be read back.
    pub(super) fn beginning(&mut self, bytes_max: usize) -> Result<(Vec<u8>, bool), StoreError> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        let mut beginning = match &mut self.draft {
            Some(draft) => draft.beginning(bytes_max)?,
            None => Vec::new(),
        };
        let room = bytes_max.saturating_sub(beginning.len());
        beginning.extend_from_slice(&self.memory[..self.memory.len().min(room)]);
        let is_cut = (beginning.len() as u64) < self.bytes;
        Ok((beginning, is_cut))
    }

    /// Keeps the mail in the store.
    ///
    /// # Errors
    ///
    /// Fails, and keeps nothing, if the disk or the store refuses.
    pub(super) fn keep(mut self, about: &About) -> Result<MailId, StoreError> {
        if !self.memory.is_empty() || self.draft.is_none() {
            self.write_out();
        }
        match (self.draft, self.failure) {
            (Some(draft), None) => draft.keep(about),
            (_, failure) => Err(failure.unwrap_or(StoreError::Full { bytes_max: 0 })),
        }
    }
}
