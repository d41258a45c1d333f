//! From flows that hit to alerts that a person can read.
//!
//! One infected machine makes thousands of flows an hour, and one alert is enough. So hits are gathered by indicator, exporter,
//! direction and hour: the first of them is told at once, the others are counted, and when the hour is over one more alert says how many
//! there were. A rate holds for all alerts together; what is beyond it is told with the hour's end, too.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use model::Timestamp;
use serde::Serialize;

use crate::flow::{Exporter, Flow};

const HOUR_MICROS: i64 = 3_600_000_000;
const MINUTE_MICROS: i64 = 60_000_000;

/// Which end of a flow is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Somebody inside sent to it.
    ToListed,
    /// It sent to somebody inside.
    FromListed,
}

/// What an alert tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The first flow of an hour.
    First,
    /// All of an hour that is over.
    Hour,
}

/// Who took part in a flow: victims' data, which a site may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// The end that is not listed.
    pub inside: IpAddr,
    /// Its port.
    pub inside_port: u16,
    /// The end that is listed, if that may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<IpAddr>,
    /// Its port, if that may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed_port: Option<u16>,
    /// The number of the protocol.
    pub protocol: u8,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// When it was noticed.
    pub at: Timestamp,
    /// What it tells of.
    pub kind: Kind,
    /// The indicator's opaque reference.
    pub reference: String,
    /// Which end is listed.
    pub direction: Direction,
    /// Who measured it.
    #[serde(serialize_with = "as_text")]
    pub exporter: Exporter,
    /// When the hour began.
    pub hour: Timestamp,
    /// How many flows.
    pub flows: u64,
    /// How many packets in them.
    pub packets: u64,
    /// How many bytes in them.
    pub bytes: u64,
    /// Who took part, if the site wants that.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

fn as_text<S: serde::Serializer>(text: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(text)
}

/// How many alerts there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertLimits {
    /// Alerts at once that an hour may have told in each minute.
    pub per_minute_max: u32,
    /// Hours of indicators that are counted at once.
    pub buckets_max: usize,
}

impl Default for AlertLimits {
    fn default() -> Self {
        Self { per_minute_max: 600, buckets_max: 100_000 }
    }
}

/// What is gathered under one heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Heading {
    hour: i64,
    slot: u32,
    exporter: Exporter,
    direction: Direction,
}

#[derive(Clone, Debug, Default)]
struct Bucket {
    reference: String,
    flows: u64,
    packets: u64,
    bytes: u64,
    /// Flows that the sink was told of.
    told: u64,
    is_alerted: bool,
}

/// What became of a hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    /// To be told at once.
    Alert(Box<Alert>),
    /// Counted under an hour that was told.
    Counted,
    /// Counted under an hour that will be told at its end: there are too many alerts.
    Delayed,
    /// Not counted: there are too many hours.
    Lost,
}

/// The flows of an hour that the sink has not heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    pub(crate) slot: u32,
    pub(crate) flows: u64,
}

/// Hits, gathered by the hour.
#[derive(Debug)]
pub(crate) struct AlertBook {
    limits: AlertLimits,
    buckets: BTreeMap<Heading, Bucket>,
    minute: i64,
    in_minute: u32,
}

impl AlertBook {
    pub(crate) fn new(limits: AlertLimits) -> Self {
        Self { limits, buckets: BTreeMap::new(), minute: 0, in_minute: 0 }
    }

    /// Notes a hit. `reference` and `detail` are asked for only if they are needed.
    pub(crate) fn note(
        &mut self,
        (slot, direction): (u32, Direction),
        (exporter, flow): (Exporter, &Flow),
        now: Timestamp,
        reference: impl FnOnce() -> String,
        detail: impl FnOnce() -> Option<Detail>,
    ) -> Noted {
        let heading = Heading { hour: now.as_micros().div_euclid(HOUR_MICROS), slot, exporter, direction };
        if let Some(bucket) = self.buckets.get_mut(&heading) {
            bucket.add(flow);
            return if bucket.is_alerted { Noted::Counted } else { Noted::Delayed };
        }
        if self.buckets.len() >= self.limits.buckets_max {
            return Noted::Lost;
        }
        let is_alerted = self.may_alert(now);
        let mut bucket = Bucket { reference: reference(), is_alerted, ..Bucket::default() };
        bucket.add(flow);
        let alert = is_alerted.then(|| {
            bucket.told = 1;
            Box::new(bucket.alert(&heading, Kind::First, now, detail()))
        });
        self.buckets.insert(heading, bucket);
        alert.map_or(Noted::Delayed, Noted::Alert)
    }

    fn may_alert(&mut self, now: Timestamp) -> bool {
        let minute = now.as_micros().div_euclid(MINUTE_MICROS);
        if minute != self.minute {
            (self.minute, self.in_minute) = (minute, 0);
        }
        self.in_minute = self.in_minute.saturating_add(1);
        self.in_minute <= self.limits.per_minute_max
    }

    /// Ends the hours that are over, or all: their alerts, and what the sink has not heard of.
    pub(crate) fn close(&mut self, now: Timestamp, all: bool) -> Vec<(Option<Alert>, Rest)> {
        let hour = now.as_micros().div_euclid(HOUR_MICROS);
        let mut over = Vec::new();
        while let Some(first) = self.buckets.first_entry() {
            // A clock that was set back ends nothing early.
            if first.key().hour >= hour && !all {
                break;
            }
            let (heading, bucket) = first.remove_entry();
            let rest = Rest { slot: heading.slot, flows: bucket.flows - bucket.told };
            // Of a single flow all is told already.
            let is_news = rest.flows > 0;
            over.push((is_news.then(|| bucket.alert(&heading, Kind::Hour, now, None)), rest));
        }
        over
    }
}

impl Bucket {
    fn add(&mut self, flow: &Flow) {
        self.flows += 1;
        self.packets = self.packets.saturating_add(flow.packets);
        self.bytes = self.bytes.saturating_add(flow.bytes);
    }

    fn alert(&self, heading: &Heading, kind: Kind, at: Timestamp, detail: Option<Detail>) -> Alert {
        Alert {
            at,
            kind,
            reference: self.reference.clone(),
            direction: heading.direction,
            exporter: heading.exporter,
            hour: Timestamp::from_micros(heading.hour.saturating_mul(HOUR_MICROS)),
            flows: self.flows,
            packets: self.packets,
            bytes: self.bytes,
            detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORTER: Exporter = Exporter { address: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), domain: 7 };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn note(book: &mut AlertBook, slot: u32, now: &str) -> Noted {
        let flow = Flow { packets: 2, bytes: 100, ..Flow::EMPTY };
        let hit = (slot, Direction::ToListed);
        book.note(hit, (EXPORTER, &flow), at(now), || format!("rf-{slot}"), || None)
    }

    #[test]
    fn the_first_is_told_at_once_and_the_others_with_the_hour() {
        let mut book = AlertBook::new(AlertLimits::default());
        let Noted::Alert(first) = note(&mut book, 1, "2026-01-01T10:59:00Z") else {
            panic!("the first is told")
        };
        assert_eq!((first.kind, first.flows, first.hour), (Kind::First, 1, at("2026-01-01T10:00:00Z")));
        assert_eq!(note(&mut book, 1, "2026-01-01T10:59:59Z"), Noted::Counted);
        assert!(matches!(note(&mut book, 2, "2026-01-01T10:59:59Z"), Noted::Alert(_)));
        assert!(matches!(note(&mut book, 1, "2026-01-01T11:00:00Z"), Noted::Alert(_)), "another hour");
        assert_eq!(book.close(at("2026-01-01T10:59:59Z"), false), []);
        let over = book.close(at("2026-01-01T11:00:00Z"), false);
        let told: Vec<_> =
            over.iter().map(|(alert, rest)| (rest.slot, rest.flows, alert.is_some())).collect();
        assert_eq!(told, [(1, 1, true), (2, 0, false)]);
        let alert = over[0].0.as_ref().unwrap();
        assert_eq!((alert.kind, alert.flows, alert.packets, alert.bytes), (Kind::Hour, 2, 4, 200));
        assert_eq!(book.close(at("2026-01-01T11:00:00Z"), true).len(), 1);
    }

    #[test]
    fn what_is_too_much_is_told_later_or_counted_as_lost() {
        let mut book = AlertBook::new(AlertLimits { per_minute_max: 2, buckets_max: 4 });
        let now = "2026-01-01T10:00:00Z";
        let noted: Vec<_> = (0..5).map(|slot| note(&mut book, slot, now)).collect();
        assert!(matches!(noted[..2], [Noted::Alert(_), Noted::Alert(_)]));
        assert_eq!(noted[2..], [Noted::Delayed, Noted::Delayed, Noted::Lost]);
        assert_eq!(note(&mut book, 2, now), Noted::Delayed);
        let over = book.close(at("2026-01-01T11:00:00Z"), false);
        let told: Vec<_> =
            over.iter().map(|(alert, rest)| (rest.slot, rest.flows, alert.is_some())).collect();
        assert_eq!(told, [(0, 0, false), (1, 0, false), (2, 2, true), (3, 1, true)]);
        assert!(matches!(note(&mut book, 9, "2026-01-01T11:00:00Z"), Noted::Alert(_)), "another minute");
    }
}
