//! Files that were sent and wait: an import for the yes after its preview, a programme's folder for being looked at.
//!
//! They are in memory, few, and for a short while.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::{CredentialId, Timestamp};

/// How many wait at once; beyond, the oldest is forgotten.
const KEPT_MAX: usize = 8;
/// How long one waits.
const WAITS_MAX: Duration = Duration::from_hours(1);

/// Something that waits.
struct Waiting<T> {
    of: CredentialId,
    at: Timestamp,
    what: T,
}

/// Everything that waits, by tokens.
pub(crate) struct Uploads<T>(Mutex<BTreeMap<String, Waiting<T>>>);

impl<T> Default for Uploads<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Uploads<T> {
    pub(crate) fn keep(&self, token: String, of: CredentialId, what: T, at: Timestamp) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, waiting| at < waiting.at + WAITS_MAX);
        while kept.len() >= KEPT_MAX {
            let oldest = kept.iter().min_by_key(|(_, waiting)| waiting.at).map(|(token, _)| token.clone());
            let Some(oldest) = oldest else { break };
            kept.remove(&oldest);
        }
        kept.insert(token, Waiting { of, at, what });
    }

    /// Looks at what waits, for whoever may: it goes on waiting.
    pub(crate) fn see(&self, token: &str, now: Timestamp) -> Option<T>
    where
        T: Clone,
    {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = kept.get(token)?;
        (now < waiting.at + WAITS_MAX).then(|| waiting.what.clone())
    }

    /// Takes what waits away.
    pub(crate) fn remove(&self, token: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    /// Looks at what waits, for whoever sent it; it goes on waiting.
    pub(crate) fn look(&self, token: &str, of: &CredentialId, now: Timestamp) -> Option<T>
    where
        T: Clone,
    {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = kept.get(token)?;
        (waiting.of == *of && now < waiting.at + WAITS_MAX).then(|| waiting.what.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_its_senders_and_for_a_while() {
        let uploads: Uploads<u8> = Uploads::default();
        let (one, two) = (CredentialId::from_bits(1), CredentialId::from_bits(2));
        let at = |seconds: u64| Timestamp::EPOCH + Duration::from_secs(seconds);
        uploads.keep("a".to_owned(), one.clone(), 7, at(0));
        assert!(uploads.look("a", &two, at(1)).is_none() && uploads.look("a", &one, at(3_600)).is_none());
        assert_eq!(uploads.look("a", &one, at(1)), Some(7));
        assert!(uploads.see("a", at(3_600)).is_none(), "an hour is over");
        assert_eq!(uploads.see("a", at(3_599)), Some(7));
        uploads.remove("a");
        assert!(uploads.see("a", at(3_599)).is_none());
        for number in 0..=KEPT_MAX {
            uploads.keep(number.to_string(), one.clone(), 7, at(number as u64));
        }
        assert!(uploads.see("0", at(9)).is_none(), "the oldest makes room");
        assert!(uploads.see("1", at(9)).is_some());
    }
}
