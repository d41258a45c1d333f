//! Writing what was accepted: commits of segments, marks, references, findings, the status.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ledger::Body;
use ledger::entry::{ObjectDigest, Publication};
use model::{LabelId, Timestamp};
use release::Label;
use stix::Head;
use store::timeline::{SHADOW, received_key};
use store::{Mark, Position, Segment, SegmentId, StoreError};

use super::Submission;
use super::building::Building;
use super::deciding::{Accepted, Storing, Within};
use crate::error::PublishError;
use crate::exchange::name_of;
use crate::labelling::Finding;
use crate::read::{StatusRecord, segment_number, status_resource};
use crate::registry::{FINDING, MARKING, Registry, STATUS};
use crate::sight::depart;

/// How many objects a segment's commit holds at most, so that a page is a few segments and a cursor never stands far
/// inside one.
const COMMIT_OBJECTS_MAX: usize = 1_000;
/// How many bytes of bodies a commit holds at most, unless it is one object.
const COMMIT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many findings of one code a submission leaves behind.
const FINDINGS_MAX: usize = 20;

impl Storing<'_, '_, '_> {
    pub(super) fn store(mut self) -> Result<Submission, PublishError> {
        let stored = self.accepted.len();
        let mut segments = Vec::new();
        let mut accepted_ranges = Vec::new();
        let accepted = std::mem::take(&mut self.accepted);
        let mut rest = accepted.as_slice();
        while !rest.is_empty() {
            let count = self.commit_size(rest);
            let (now, later) = rest.split_at(count);
            self.store_commit(now, &mut segments, &mut accepted_ranges)?;
            rest = later;
        }
        self.store_markings()?;
        let at = self.turn.now;
        if stored > 0 {
            let mut digest = ObjectDigest::new();
            for (segment, sha256) in &segments {
                digest.add(&segment.to_string(), &hex::encode(sha256));
            }
            self.turn.record(&Body::Publication(Publication {
                at: at.to_string(),
                collection: self.collection.id.to_string(),
                by: name_of(self.caller),
                count: u64::try_from(stored).unwrap_or(u64::MAX),
                segments: segments.iter().map(|(segment, _)| *segment).collect(),
                digest: digest.finish(),
            }))?;
        }
        self.write_findings(at)?;
        let id = status_id(at, &self.turn.random_bytes());
        self.sweep_statuses(at)?;
        let record = StatusRecord {
            submitter: self.caller.principal.clone(),
            at,
            total: u64::try_from(self.prepared.total).unwrap_or(u64::MAX),
            accepted: accepted_ranges,
            already: self.already,
            remarks: remarks_on_taken(&self.prepared.remarks, &self.refused),
            refused: self.refused,
        };
        self.turn.put_json(STATUS, &id, &record)?;
        Ok(Submission { status: status_resource(&id, &record, None)?, stored })
    }

    /// Keeps the marking definitions that the submission brought. Where objects waited for one, every reader is judged
    /// anew, and what opens is back-filled.
    fn store_markings(&mut self) -> Result<(), StoreError> {
        // Anybody may bring a definition for its own submission; for the programme only its own people's count, and of
        // those only what was accepted.
        if self.caller.role().is_none() {
            return Ok(());
        }
        let refused: BTreeSet<&str> = self.refused.iter().map(|(id, ..)| id.as_str()).collect();
        let known = Arc::clone(&self.turn.registry.markings);
        let fresh: Vec<_> = self
            .prepared
            .markings
            .iter()
            .filter(|(id, _)| !known.contains_key(id) && !refused.contains(id.as_str()))
            .cloned()
            .collect();
        if fresh.is_empty() {
            return Ok(());
        }
        for (id, demands) in &fresh {
            self.turn.put_json(MARKING, id, demands)?;
        }
        let ids: Vec<String> = fresh.iter().map(|(id, _)| id.clone()).collect();
        let waits = |label: &Label| ids.iter().any(|id| label.demands.unknown.contains(id));
        let awaited = self.turn.registry.labels.facts.iter().any(|facts| waits(&facts.label));
        let add = |registry: &mut Registry| Arc::make_mut(&mut registry.markings).extend(fresh);
        if awaited {
            self.inner.judge_everyone(self.turn, &waits, add)?;
        } else {
            add(Arc::make_mut(self.turn.registry));
        }
        Ok(())
    }

    /// Removes the statuses that nobody may ask for any more, once a minute.
    fn sweep_statuses(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let hours = self.turn.registry.programme().settings().limits.status_retention_hours;
        let over = now - std::time::Duration::from_secs(u64::from(hours) * 3_600);
        let due = u64::try_from(over.as_micros() / 1_000).unwrap_or(0) >> 16;
        let last = self.inner.swept.swap(due, std::sync::atomic::Ordering::Relaxed);
        if last == due {
            return Ok(());
        }
        let snapshot = self.inner.store.snapshot()?;
        for sweep in last.max(due.saturating_sub(SWEEPS_MAX))..due {
            let prefix = format!("{sweep:0SWEEP_DIGITS$x}");
            for record in snapshot.list(STATUS, &prefix)? {
                self.turn.write().remove(STATUS, &record.key)?;
            }
        }
        Ok(())
    }

    fn write_findings(&mut self, at: Timestamp) -> Result<(), StoreError> {
        let mut counts: HashMap<&'static str, usize> = HashMap::new();
        for ((code, object), (times, submitter, detail)) in std::mem::take(&mut self.findings) {
            let count = counts.entry(code).or_default();
            *count += 1;
            if *count > FINDINGS_MAX {
                continue;
            }
            let detail = if times > 1 { format!("{detail} ({times} objects)") } else { detail };
            let finding = Finding { at, code: code.to_owned(), object, submitter, detail };
            let key = format!("{:020}-{}", at.as_micros(), hex::encode(self.turn.random_bytes::<4>()));
            self.turn.put_json(FINDING, &key, &finding)?;
        }
        Ok(())
    }

    /// How many of the next items go into one commit: one date, and no more than a page and a few megabytes.
    fn commit_size(&self, rest: &[Accepted]) -> usize {
        let mut bytes = 0;
        let date = |accepted: &Accepted| self.prepared.items[accepted.item].date;
        for (count, accepted) in rest.iter().enumerate() {
            bytes += self.prepared.bytes(&self.prepared.items[accepted.item]).len();
            let is_full =
                count >= COMMIT_OBJECTS_MAX || bytes > COMMIT_BYTES_MAX || date(accepted) != date(&rest[0]);
            if count > 0 && is_full {
                return count;
            }
        }
        rest.len()
    }

    fn store_commit(
        &mut self,
        accepted: &[Accepted],
        numbers: &mut Vec<(u64, [u8; 32])>,
        ranges: &mut Vec<(u32, u64, u32, u32)>,
    ) -> Result<(), PublishError> {
        let room = u64::try_from(accepted.len()).unwrap_or(u64::MAX);
        let given = accepted.first().and_then(|first| self.prepared.items[first.item].date);
        let at = match given {
            Some(date) => {
                let even = date.plus_micros(-(date.as_micros() & 1));
                if self.seeded.is_some_and(|last| even <= last) {
                    let why = format!("the date {date} is not later than those before it");
                    return Err(PublishError::OutOfOrder(why));
                }
                // Room for the dates of the whole commit, as behind every instant.
                self.seeded =
                    Some(even.plus_micros(i64::try_from(room.saturating_mul(2)).unwrap_or(i64::MAX)));
                even
            }
            None => self.turn.instant(room),
        };
        let mut places: HashMap<&str, usize> = HashMap::new();
        if accepted.iter().any(|one| !self.prepared.items[one.item].refs.is_empty()) {
            let prepared = self.prepared;
            places.extend(
                accepted
                    .iter()
                    .enumerate()
                    .map(|(place, one)| (prepared.items[one.item].head.id.as_str(), place)),
            );
        }
        let within = Within { accepted, places };
        let mut settled = vec![None; accepted.len()];
        let mut labels = Vec::with_capacity(accepted.len());
        for place in 0..accepted.len() {
            labels.push(self.label_of(place, &within, &mut settled, at, 0)?);
        }
        let mut grouped: BTreeMap<LabelId, Vec<usize>> = BTreeMap::new();
        for (index, label) in labels.iter().enumerate() {
            grouped.entry(*label).or_default().push(index);
        }
        let mut building: BTreeMap<LabelId, Building> = BTreeMap::new();
        for (label, members) in &grouped {
            let built = building.entry(*label).or_default();
            for index in members {
                let item = &self.prepared.items[accepted[*index].item];
                built.push(item.head.clone(), self.prepared.bytes(item));
            }
        }
        let relabelled = self.relabel_referrers(accepted, &labels, at, &mut building)?;
        if given.is_none() {
            self.turn.widen(at, room + u64::try_from(relabelled.len()).unwrap_or(u64::MAX));
        }
        let commit = self.turn.write().next_commit();
        let segments: Vec<Segment> = building
            .into_iter()
            .map(|(label, built)| built.finish(SegmentId { label, commit }, self.collection.id, at))
            .collect();
        for segment in &segments {
            numbers.push((segment_number(segment.id), segment.digest));
            if let Some(members) = grouped.get(&segment.id.label) {
                ranges.push((
                    segment.id.label.number(),
                    commit.0,
                    0,
                    u32::try_from(members.len()).unwrap_or(u32::MAX),
                ));
            }
        }
        self.turn.append(segments)?;
        for (label, members) in &grouped {
            for (index, member) in (0..).zip(members) {
                let position = Position { segment: SegmentId { label: *label, commit }, index };
                self.store_relations(&accepted[*member], position)?;
            }
        }
        self.mark_others(accepted)?;
        for (label, index, old) in relabelled {
            let position = Position { segment: SegmentId { label, commit }, index };
            self.turn.write().mark(Mark { position, left: None })?;
            let left = Some((at, store::Departure::Relabelled));
            self.turn.write().mark(Mark { position: old.position(), left })?;
            depart(self.turn, old.run.id.label, Some(label), at)?;
            let body = self.turn.tx().body_for_relabelling(&old)?;
            if let Ok(head) = Head::parse(&body) {
                for reference in &head.refs {
                    self.turn.write().refer(&reference.id, position)?;
                }
            }
        }
        Ok(())
    }

    fn store_relations(&mut self, accepted: &Accepted, position: Position) -> Result<(), StoreError> {
        for reference in &self.prepared.items[accepted.item].refs {
            self.turn.write().refer(reference, position)?;
        }
        if let Some(label) = accepted.shadows {
            self.turn.put_json(SHADOW, &received_key(position), &label)?;
            self.turn.write().mark(Mark { position, left: None })?;
        }
        if accepted.has_others {
            self.turn.write().mark(Mark { position, left: None })?;
        }
        Ok(())
    }

    /// Marks what was here before beside what came now, as it stands now: an earlier commit of this very submission may
    /// have moved it.
    fn mark_others(&mut self, accepted: &[Accepted]) -> Result<(), StoreError> {
        let items = &self.prepared.items;
        let ids: BTreeSet<&str> = accepted
            .iter()
            .filter(|one| one.has_others)
            .map(|one| items[one.item].head.id.as_str())
            .collect();
        for id in ids {
            for other in self.turn.tx().find(id)? {
                if other.collection == self.collection.id {
                    self.turn.write().mark(Mark { position: other.position(), left: other.left })?;
                }
            }
        }
        Ok(())
    }
}

/// The remarks on objects that were not refused after all.
fn remarks_on_taken(
    remarks: &[(String, String, String)],
    refused: &[(String, String, String)],
) -> Vec<(String, String, String)> {
    if remarks.is_empty() {
        return Vec::new();
    }
    let refused: BTreeSet<(&str, &str)> =
        refused.iter().map(|(id, version, _)| (id.as_str(), version.as_str())).collect();
    let is_taken =
        |(id, version, _): &&(String, String, String)| !refused.contains(&(id.as_str(), version.as_str()));
    remarks.iter().filter(is_taken).cloned().collect()
}

/// A status id begins with its time (a UUID of version 7), so that old ones lie together and are swept together.
fn status_id(at: Timestamp, random: &[u8; 10]) -> String {
    let millis = u64::try_from(at.as_micros() / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid().to_string()
}

/// How many digits of a status id name its sweep: 8 hexadecimal digits of milliseconds are 65 seconds.
const SWEEP_DIGITS: usize = 8;
/// How many sweeps are made up for at once: a day and a half.
const SWEEPS_MAX: u64 = 2_048;
