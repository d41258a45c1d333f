//! Reading out what was chosen: envelopes, records, statuses.

use model::{Principal, Timestamp};
use release::View;
use serde::{Deserialize, Serialize};
use store::timeline::Page;
use store::{HeadRecord, SegmentId, Snapshot, StoreError};
use taxii::{ManifestRecord, Status, StatusDetail, StatusState};

use super::choosing::{Chosen, PAGE_BYTES_MAX};
use super::{ObjectsAnswer, RecordsAnswer, StreamBatch, Streamed};
use crate::exchange::Inner;

/// The media type of every object that the exchange holds.
const STIX_MEDIA_TYPE: &str = "application/stix+json;version=2.1";

/// A status as it is recorded: what was refused in words, what was accepted by its places.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StatusRecord {
    pub(crate) submitter: Principal,
    pub(crate) at: Timestamp,
    pub(crate) total: u64,
    pub(crate) accepted: Vec<(u32, u64, u32, u32)>,
    pub(crate) already: Vec<(String, String)>,
    pub(crate) refused: Vec<(String, String, String)>,
    /// What authors should know of objects that were taken.
    #[serde(default)]
    pub(crate) remarks: Vec<(String, String, String)>,
}

pub(super) fn envelope(
    view: &View,
    snapshot: &dyn Snapshot,
    chosen: Chosen,
) -> Result<ObjectsAnswer, StoreError> {
    let Chosen { page, served, .. } = chosen;
    if page.count == 0 && !served.more {
        return Ok(ObjectsAnswer { body: taxii::EMPTY_ENVELOPE.to_vec(), served });
    }
    let prefix = taxii::envelope_prefix(served.more, served.next.as_deref());
    let bodies: usize =
        page.pieces.iter().map(|piece| usize::try_from(piece.run.place.length).unwrap_or(0)).sum();
    let mut body = Vec::with_capacity((prefix.len() + bodies + page.pieces.len() + 8).min(PAGE_BYTES_MAX));
    body.extend(prefix);
    page.read(snapshot, view, &mut body)?;
    body.extend(taxii::ENVELOPE_SUFFIX);
    Ok(ObjectsAnswer { body, served })
}

pub(super) fn each_head(
    view: &View,
    snapshot: &dyn Snapshot,
    page: &Page,
    mut then: impl FnMut(HeadRecord, Timestamp),
) -> Result<(), StoreError> {
    for piece in &page.pieces {
        let heads = snapshot.heads(view, &piece.run)?;
        for index in piece.first..piece.first + piece.count {
            let head = heads.record(index).ok_or_else(|| {
                StoreError::Damaged(format!("object {index} of segment {} has no head", piece.run.id))
            })?;
            then(head, piece.date.plus_micros(i64::from(index - piece.first) * 2));
        }
    }
    Ok(())
}

pub(super) fn records(
    view: &View,
    snapshot: &dyn Snapshot,
    chosen: Chosen,
) -> Result<RecordsAnswer, StoreError> {
    let mut records = Vec::with_capacity(chosen.page.count);
    each_head(view, snapshot, &chosen.page, |head, date| {
        let date_added = date.to_string();
        // TAXII 2.1 §5.3: an object without a version of its own goes by the date on which it was added.
        let version = if head.version.is_empty() { date_added.clone() } else { head.version };
        records.push(ManifestRecord {
            id: head.id,
            date_added,
            version,
            media_type: Some(STIX_MEDIA_TYPE.to_owned()),
        });
    })?;
    Ok(RecordsAnswer { records, served: chosen.served })
}

pub(super) fn stream_batch(
    inner: &Inner,
    view: &View,
    snapshot: &dyn Snapshot,
    chosen: &Chosen,
) -> Result<StreamBatch, StoreError> {
    let mut objects = Vec::with_capacity(chosen.page.count);
    // If the epoch is another by now, this answer is thrown away.
    let registry = inner.published.registry();
    for piece in &chosen.page.pieces {
        let uses = inner.uses(&view.caller().principal, piece.run.id.label, &registry);
        for index in piece.first..piece.first + piece.count {
            let mut body = Vec::new();
            snapshot.read(view, &piece.run, index, 1, &mut body)?;
            let date = piece.date.plus_micros(i64::from(index - piece.first) * 2);
            objects.push(Streamed { date, uses, object: body });
        }
    }
    Ok(StreamBatch { objects, after: chosen.served.last, lost: None })
}

/// The property of a status that tells authors what they should know of objects that were taken: a list like `failures`.
const REMARKS: &str = "x_ringfence_remarks";

/// The status resource of a record; with a snapshot, the accepted objects are named too.
pub(crate) fn status_resource(
    id: &str,
    record: &StatusRecord,
    snapshot: Option<&dyn Snapshot>,
) -> Result<Status, StoreError> {
    let at = record.at.to_string();
    let version_or = |version: String| if version.is_empty() { at.clone() } else { version };
    let mut successes = Vec::new();
    if let Some(snapshot) = snapshot {
        for (label, commit, first, count) in &record.accepted {
            let segment = SegmentId { label: model::LabelId::new(*label), commit: store::CommitNo(*commit) };
            let Some(heads) = snapshot.names(segment)? else { continue };
            for head in (*first..first + count).filter_map(|index| heads.record(index)) {
                successes.push(StatusDetail {
                    id: head.id,
                    version: version_or(head.version),
                    message: None,
                });
            }
        }
        for (id, version) in &record.already {
            let message = Some("already here, unchanged".to_owned());
            successes.push(StatusDetail { id: id.clone(), version: version_or(version.clone()), message });
        }
    }
    let detail = |(id, version, message): &(String, String, String)| StatusDetail {
        id: id.clone(),
        version: version_or(version.clone()),
        message: Some(message.clone()),
    };
    let failures: Vec<_> = record.refused.iter().map(detail).collect();
    let mut custom = taxii::Custom::default();
    if !record.remarks.is_empty() {
        let remarks: Vec<StatusDetail> = record.remarks.iter().map(detail).collect();
        let remarks = serde_json::to_value(remarks)
            .map_err(|error| StoreError::Damaged(format!("status `{id}`: {error}")))?;
        custom.insert(REMARKS.to_owned(), remarks);
    }
    let failure_count = u64::try_from(failures.len()).unwrap_or(u64::MAX);
    Ok(Status {
        id: id.to_owned(),
        status: StatusState::Complete,
        request_timestamp: Some(at.clone()),
        total_count: record.total,
        success_count: record.total - failure_count.min(record.total),
        successes,
        failure_count,
        failures,
        pending_count: 0,
        pendings: Vec::new(),
        custom,
    })
}
