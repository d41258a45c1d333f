//! What upstream servers answered, for as long as they allow.
//!
//! The cache holds the unmodified truth. What is listed changes from second to second and from client to client, so policy
//! is applied to each answer on its way out, and a name that ceases to be listed needs nothing thrown away.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::wire::{HEADER_BYTES, NOERROR, NXDOMAIN, Query, Scan};
use crate::name::{NAME_BYTES_MAX, Name};

/// No answer is kept longer, whatever it says.
const TTL_MAX: u32 = 86_400;
/// An answer without data is not kept longer (RFC 2308 §5 suggests one to three hours).
const NEGATIVE_TTL_MAX: u32 = 3600;
const SHARDS: usize = 16;
/// What an entry costs beside its message.
const ENTRY_BYTES: usize = 400;

/// An upstream's answer.
#[derive(Debug)]
pub(crate) struct Truth {
    /// The message from its records on, without the OPT.
    records: Box<[u8]>,
    /// Where the seconds stand, from the start of the message.
    ttls: Box<[u16]>,
    counts: [u16; 3],
    rcode: u8,
    extended_rcode: u8,
    authentic: bool,
    options: Box<[u8]>,
    pub(crate) aliases: Box<[Name]>,
    pub(crate) addresses: Box<[IpAddr]>,
    /// Seconds that it may be kept.
    pub(crate) ttl: u32,
    since: Instant,
}

impl Truth {
    pub(crate) fn new(message: &[u8], scan: Scan, now: Instant) -> Self {
        let has_data = scan.rcode != NXDOMAIN && scan.counts[0] > 0;
        let most = if has_data { TTL_MAX } else { NEGATIVE_TTL_MAX };
        // An answer without any record says nothing about how long it holds.
        let ttl = if scan.ttls.is_empty() || !matches!(scan.rcode, NOERROR | NXDOMAIN) {
            0
        } else {
            scan.ttl.min(most)
        };
        Self {
            records: message.get(scan.records_at..scan.end).unwrap_or_default().into(),
            ttls: scan.ttls.into(),
            counts: scan.counts,
            rcode: scan.rcode,
            extended_rcode: scan.extended_rcode,
            authentic: scan.authentic,
            options: scan.options.into(),
            aliases: scan.aliases.into(),
            addresses: scan.addresses.into(),
            ttl,
            since: now,
        }
    }

    fn age(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.since).as_secs()).unwrap_or(u32::MAX)
    }

    /// Writes it as the answer to `query`; gives the seconds that it still holds.
    pub(crate) fn write(&self, query: &Query, now: Instant, out: &mut Vec<u8>) -> u32 {
        query.begin(self.rcode, self.authentic, out);
        for (at, count) in [6, 8, 10].into_iter().zip(self.counts) {
            out[at..at + 2].copy_from_slice(&count.to_be_bytes());
        }
        // The question is as long as the one that was sent on, so what points into the message still does.
        debug_assert!(
            self.ttls.first().is_none_or(|at| usize::from(*at) >= HEADER_BYTES + query.question.len())
        );
        out.extend_from_slice(&self.records);
        let age = self.age(now);
        for at in &self.ttls {
            let at = usize::from(*at);
            if let Some(bytes) = out.get_mut(at..at + 4).and_then(|bytes| bytes.first_chunk_mut::<4>()) {
                let left = u32::from_be_bytes(*bytes).min(TTL_MAX).saturating_sub(age);
                *bytes = left.to_be_bytes();
            }
        }
        query.finish(self.extended_rcode, &self.options, out);
        self.ttl.saturating_sub(age)
    }

    fn bytes(&self) -> usize {
        let lists = self.aliases.len() * 64 + self.addresses.len() * 17 + self.ttls.len() * 2;
        self.records.len() + self.options.len() + lists + ENTRY_BYTES
    }
}

/// What an answer is kept under: name, type, and the bits that change it.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    bytes: [u8; NAME_BYTES_MAX + 3],
    length: usize,
}

impl Key {
    pub(crate) fn of(query: &Query) -> Self {
        let name = query.name().as_bytes();
        let mut bytes = [0; NAME_BYTES_MAX + 3];
        bytes[..2].copy_from_slice(&query.qtype.to_be_bytes());
        bytes[2] = u8::from(query.dnssec_ok()) | u8::from(query.checking_disabled) << 1;
        bytes[3..3 + name.len()].copy_from_slice(name);
        Self { bytes, length: 3 + name.len() }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[derive(Default)]
struct Shard {
    entries: HashMap<Arc<[u8]>, Kept>,
    /// In the order they came, for the one that has to go; an entry that was used meanwhile gets another round.
    order: VecDeque<Arc<[u8]>>,
    bytes: usize,
}

struct Kept {
    truth: Arc<Truth>,
    used: AtomicBool,
}

/// A bounded cache.
pub(crate) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    shard_bytes_max: usize,
}

impl Cache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { shards: Default::default(), hasher: RandomState::new(), shard_bytes_max: bytes_max / SHARDS }
    }

    fn shard(&self, key: &Key) -> std::sync::MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(key.as_bytes());
        let at = usize::try_from(hash >> 59).unwrap_or(0) % SHARDS;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known and still holds.
    pub(crate) fn get(&self, key: &Key, now: Instant) -> Option<Arc<Truth>> {
        let shard = self.shard(key);
        let kept = shard.entries.get(key.as_bytes())?;
        if kept.truth.age(now) >= kept.truth.ttl {
            return None;
        }
        kept.used.store(true, Ordering::Relaxed);
        Some(Arc::clone(&kept.truth))
    }

    pub(crate) fn put(&self, key: &Key, truth: &Arc<Truth>) {
        if truth.ttl == 0 || truth.bytes() > self.shard_bytes_max {
            return;
        }
        let mut shard = self.shard(key);
        let shard = &mut *shard;
        let owned: Arc<[u8]> = key.as_bytes().into();
        shard.bytes += truth.bytes();
        let kept = Kept { truth: Arc::clone(truth), used: AtomicBool::new(false) };
        match shard.entries.insert(Arc::clone(&owned), kept) {
            Some(old) => shard.bytes -= old.truth.bytes(),
            None => shard.order.push_back(owned),
        }
        while shard.bytes > self.shard_bytes_max {
            let Some(oldest) = shard.order.pop_front() else { break };
            let another_round =
                shard.entries.get(&oldest).is_some_and(|kept| kept.used.swap(false, Ordering::Relaxed));
            if another_round {
                shard.order.push_back(oldest);
            } else if let Some(gone) = shard.entries.remove(&oldest) {
                shard.bytes -= gone.truth.bytes();
            }
        }
    }

    #[cfg(test)]
    fn len_and_bytes(&self) -> (usize, usize) {
        let lock = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap();
            assert_eq!(shard.entries.len(), shard.order.len());
            (shard.entries.len(), shard.bytes)
        };
        self.shards.iter().map(lock).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn query(name: &str) -> Query {
        let name: Name = name.parse().unwrap();
        let mut bytes = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(name.as_wire().as_bytes());
        bytes.extend_from_slice(&[0, 1, 0, 1]);
        Query::read(&bytes).unwrap()
    }

    fn answer(query: &Query, ttl: u32) -> (Vec<u8>, Scan) {
        let mut bytes = Vec::new();
        query.begin(0, true, &mut bytes);
        bytes[7] = 1;
        bytes.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
        bytes.extend_from_slice(&ttl.to_be_bytes());
        bytes.extend_from_slice(&[0, 4, 192, 0, 2, 1]);
        let scan = Scan::read(&bytes).unwrap();
        (bytes, scan)
    }

    #[test]
    fn an_answer_ages_and_ends() {
        let (cache, start, query) = (Cache::new(1 << 20), Instant::now(), query("a.example"));
        let (bytes, scan) = answer(&query, 60);
        let key = Key::of(&query);
        cache.put(&key, &Arc::new(Truth::new(&bytes, scan, start)));
        for (seconds, left) in [(0, Some(60)), (45, Some(15)), (59, Some(1)), (60, None), (1000, None)] {
            let now = start + Duration::from_secs(seconds);
            let mut out = Vec::new();
            let got = cache.get(&key, now).map(|truth| truth.write(&query, now, &mut out));
            assert_eq!(got, left, "after {seconds} s");
            if let Some(left) = left {
                let ttl = out.len() - 10;
                assert_eq!(out[ttl..ttl + 4], left.to_be_bytes());
            }
        }
    }

    #[test]
    fn the_bound_holds_and_what_is_used_stays() {
        let (cache, now) = (Cache::new(SHARDS * 8 * 1024), Instant::now());
        let favourite = query("favourite.example");
        let put = |query: &Query| {
            let (bytes, scan) = answer(query, 60);
            cache.put(&Key::of(query), &Arc::new(Truth::new(&bytes, scan, now)));
        };
        put(&favourite);
        for number in 0..2000 {
            assert!(cache.get(&Key::of(&favourite), now).is_some(), "lost before {number}");
            put(&query(&format!("n{number}.example")));
        }
        let (entries, bytes) = cache.len_and_bytes();
        assert!((50..500).contains(&entries) && bytes <= SHARDS * 8 * 1024, "{entries} {bytes}");
    }

    #[test]
    fn what_has_no_time_is_not_kept() {
        let (cache, now, query) = (Cache::new(1 << 20), Instant::now(), query("a.example"));
        let (bytes, scan) = answer(&query, 0);
        cache.put(&Key::of(&query), &Arc::new(Truth::new(&bytes, scan, now)));
        let (mut failed, scan) = answer(&query, 60);
        failed[3] |= 2;
        let scan = Scan { rcode: 2, ..scan };
        cache.put(&Key::of(&query), &Arc::new(Truth::new(&failed, scan, now)));
        assert_eq!(cache.len_and_bytes().0, 0);
    }
}
