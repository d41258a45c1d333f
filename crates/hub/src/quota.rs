//! What members have used of their quotas: requests, objects and bytes in a time.
//!
//! A quota is a member's, so all its credentials and connections draw on one. It is asked before anything is looked up or
//! handed out: whoever has used up any of the three gets 429 and `Retry-After` until its time is over. The answer with which a
//! border is crossed is handed out whole, and so are those that were under way beside it.
//!
//! ```text
//! objects = 10, pages of 4      4, 8, 12, then 429 until an hour after the first request
//! ```
//!
//! What was used is in memory. What a member may ask about itself is outside of its quota, or it could not find out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use hyper::StatusCode;
use model::{Caller, MemberId, Principal, Timestamp};
use programme::QuotaSettings;
use serde::Serialize;

use crate::hub::Hub;
use crate::refusal::Refusal;

/// What all members have used.
#[derive(Default)]
pub(crate) struct Quotas {
    used: Mutex<BTreeMap<MemberId, Used>>,
    refused: AtomicU64,
}

#[derive(Clone, Copy)]
struct Used {
    since: Timestamp,
    requests: u64,
    objects: u64,
    bytes: u64,
}

/// What a member has used of its quota, as it is told.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct QuotaUse {
    /// From when on it has all of it again.
    window_ends: Timestamp,
    requests: Share,
    objects: Share,
    bytes: Share,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Share {
    used: u64,
    /// `null` without a limit.
    limit: Option<u64>,
}

/// Whether asking is a request of its own or part of one that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    Anew,
    More,
}

impl Used {
    fn nothing(since: Timestamp) -> Self {
        Self { since, requests: 0, objects: 0, bytes: 0 }
    }

    fn ends(&self, quota: &QuotaSettings) -> Timestamp {
        self.since.plus_micros(i64::from(quota.window_minutes) * 60_000_000)
    }

    fn is_used_up(&self, quota: &QuotaSettings) -> bool {
        let figures =
            [(self.requests, quota.requests), (self.objects, quota.objects), (self.bytes, quota.bytes)];
        figures.into_iter().any(|(used, limit)| limit.is_some_and(|limit| used >= limit))
    }
}

impl Quotas {
    /// Counts a request that is within the quota; otherwise says in how many seconds there is more.
    fn admit(&self, member: &MemberId, quota: &QuotaSettings, asks: Asks, now: Timestamp) -> Result<(), u64> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let used = used.entry(member.clone()).or_insert_with(|| Used::nothing(now));
        if now >= used.ends(quota) {
            *used = Used::nothing(now);
        }
        // A request that was let in is answered, and a stream goes on as long as there are objects and bytes left.
        let of_requests = QuotaSettings { requests: None, ..quota.clone() };
        if used.is_used_up(if asks == Asks::Anew { quota } else { &of_requests }) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let left = used.ends(quota).since(now);
            return Err(left.as_secs() + u64::from(left.subsec_nanos() > 0));
        }
        used.requests += u64::from(asks == Asks::Anew);
        Ok(())
    }

    fn count(&self, member: &MemberId, objects: usize, bytes: usize) {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        // Only whoever was admitted is handed something.
        let Some(used) = used.get_mut(member) else { return };
        used.objects = used.objects.saturating_add(number(objects));
        used.bytes = used.bytes.saturating_add(number(bytes));
    }

    /// How many requests were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Hub {
    /// The quota that holds for a caller, if one does.
    fn quota_of(&self, caller: &Caller) -> Option<(MemberId, QuotaSettings)> {
        let programme = self.exchange.programme();
        let quotas = &programme.settings().quotas;
        let id = caller.member().filter(|_| !quotas.is_empty())?;
        let member = self.exchange.member(caller, id).ok()?;
        let quota = quotas.iter().find(|quota| quota.holds_for(&member))?;
        Some((id.clone(), quota.clone()))
    }

    /// Lets a caller in that has something left.
    pub(crate) fn admit_within_quota(&self, caller: &Caller, asks: Asks) -> Result<(), Refusal> {
        let Some((member, quota)) = self.quota_of(caller) else { return Ok(()) };
        self.quotas.admit(&member, &quota, asks, self.exchange.now()).map_err(|seconds| Refusal {
            retry_after: Some(seconds),
            ..Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "you have used up your quota; /api/me says of what, and until when",
            )
        })
    }

    /// Counts what is handed out.
    pub(crate) fn count_against_quota(&self, principal: &Principal, objects: usize, bytes: usize) {
        if let Principal::Member(member) = principal {
            self.quotas.count(member, objects, bytes);
        }
    }

    /// What a caller has used of its quota, if it has one.
    pub(crate) fn quota_use(&self, caller: &Caller) -> Option<QuotaUse> {
        let (member, quota) = self.quota_of(caller)?;
        let now = self.exchange.now();
        let all = self.quotas.used.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&member).copied().filter(|used| now < used.ends(&quota));
        let used = known.unwrap_or_else(|| Used::nothing(now));
        let share = |used, limit| Share { used, limit };
        Some(QuotaUse {
            window_ends: used.ends(&quota),
            requests: share(used.requests, quota.requests),
            objects: share(used.objects, quota.objects),
            bytes: share(used.bytes, quota.bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use programme::Whose;

    use super::*;

    fn quota() -> QuotaSettings {
        QuotaSettings {
            whose: Whose::Everybody,
            window_minutes: 1,
            requests: Some(3),
            objects: Some(10),
            bytes: Some(100),
        }
    }

    #[test]
    fn each_figure_has_its_own_border_and_all_have_one_time() {
        let start: Timestamp = "2012-03-28T00:00:00Z".parse().unwrap();
        let at = |micros: i64| start.plus_micros(micros);
        let member: MemberId = "member:0123456789abcdef".parse().unwrap();
        let cases = [
            // objects and bytes after the first request; whether the second is let in
            ((9, 99), true),
            ((10, 0), false),
            ((0, 100), false),
            ((0, 0), true),
        ];
        for ((objects, bytes), is_let_in) in cases {
            let quotas = Quotas::default();
            quotas.admit(&member, &quota(), Asks::Anew, start).unwrap();
            quotas.count(&member, objects, bytes);
            let second = quotas.admit(&member, &quota(), Asks::Anew, at(1));
            assert_eq!(second.is_ok(), is_let_in, "{objects} {bytes}");
        }
        let quotas = Quotas::default();
        for n in 0..3 {
            quotas.admit(&member, &quota(), Asks::Anew, at(n)).unwrap();
        }
        assert_eq!(
            quotas.admit(&member, &quota(), Asks::More, at(3)),
            Ok(()),
            "a stream is no further request"
        );
        assert_eq!(quotas.admit(&member, &quota(), Asks::Anew, at(3)), Err(60), "rounded up");
        assert_eq!(quotas.admit(&member, &quota(), Asks::Anew, at(59_000_000)), Err(1));
        assert_eq!(quotas.admit(&member, &quota(), Asks::Anew, at(59_999_999)), Err(1), "never too early");
        assert_eq!(quotas.refused(), 3);
        assert_eq!(quotas.admit(&member, &quota(), Asks::Anew, at(60_000_000)), Ok(()), "the time is over");
    }
}
