//! The over-collection alarm.
//!
//! An indicator that matches far more than its peers is, more often than not, a mistake: a content network's name, a
//! company's own gateway, an empty file's hash. Once it stands out within an hour it only monitors, until a person says
//! otherwise, and is reported.
//!
//! Standing out means both: at least [`Frequency::hits_min`] hits in the hour, and [`Frequency::factor`] times as many
//! as the 99th percentile of the other indicators that hit at all in that hour. With fewer than
//! [`PEERS_MIN`] such peers there is nothing to compare with, and the floor alone, ten times over, decides.

use std::collections::HashMap;

use crate::config::Frequency;

/// As many peers a percentile needs to mean something.
pub const PEERS_MIN: usize = 10;
/// Without peers to compare with, so many times the floor is too much.
const ALONE_FACTOR: u32 = 10;

/// Counts of one hour.
#[derive(Debug, Default)]
pub struct Counts {
    hour: i64,
    hits: HashMap<u32, u32>,
}

/// An indicator that stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Which.
    pub slot: u32,
    /// How often it matched within the hour.
    pub hits: u32,
    /// What its peers did: the 99th percentile of those that hit.
    pub peers: Option<u32>,
}

impl Counts {
    /// Counts a hit at an instant, in microseconds since 1970, and says whether the indicator now stands out.
    pub fn hit(&mut self, slot: u32, micros: i64, limits: Frequency) -> Option<Alarm> {
        let hour = micros.div_euclid(3_600_000_000);
        if hour != self.hour {
            self.hour = hour;
            self.hits.clear();
        }
        let hits = self.hits.entry(slot).or_default();
        *hits = hits.saturating_add(1);
        let hits = *hits;
        // Looked at once when the floor is reached, and then at each doubling: the percentile costs a pass.
        let floor = limits.hits_min.max(1);
        if hits < floor || !(hits / floor).is_power_of_two() || !hits.is_multiple_of(floor) {
            return None;
        }
        let peers = self.percentile_of_others(slot);
        let line =
            peers.map_or(floor.saturating_mul(ALONE_FACTOR), |peers| peers.saturating_mul(limits.factor));
        (hits >= line.max(floor)).then_some(Alarm { slot, hits, peers })
    }

    fn percentile_of_others(&self, slot: u32) -> Option<u32> {
        let mut others: Vec<u32> =
            self.hits.iter().filter(|(other, _)| **other != slot).map(|(_, hits)| *hits).collect();
        if others.len() < PEERS_MIN {
            return None;
        }
        let at = others.len() * 99 / 100;
        let at = at.min(others.len() - 1);
        Some(*others.select_nth_unstable(at).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Frequency = Frequency { hits_min: 100, factor: 20 };

    fn alarm_after(counts: &mut Counts, slot: u32, hits: u32) -> Option<(u32, Alarm)> {
        (1..=hits).find_map(|n| counts.hit(slot, 5, LIMITS).map(|alarm| (n, alarm)))
    }

    #[test]
    fn what_stands_out_among_its_peers_is_told_once_it_does() {
        let mut counts = Counts::default();
        for slot in 0..50 {
            assert_eq!(alarm_after(&mut counts, slot, 8), None);
        }
        // 20 times 8 is 160, and it is looked at when the floor has doubled.
        let alarm = Alarm { slot: 99, hits: 200, peers: Some(8) };
        assert_eq!(alarm_after(&mut counts, 99, 1_000), Some((200, alarm)));
    }

    #[test]
    fn where_all_hit_much_nobody_stands_out() {
        let mut counts = Counts::default();
        for slot in 0..50 {
            assert_eq!(alarm_after(&mut counts, slot, 99), None);
        }
        assert_eq!(alarm_after(&mut counts, 7, 1_000), None);
    }

    #[test]
    fn alone_it_takes_more_and_an_hour_is_forgotten() {
        let mut counts = Counts::default();
        assert_eq!(alarm_after(&mut counts, 1, 900), None);
        assert_eq!(counts.hit(1, 3_600_000_000, LIMITS), None);
        assert_eq!(alarm_after(&mut counts, 1, 5_000).map(|(_, alarm)| alarm.hits), Some(1_600));
    }
}
