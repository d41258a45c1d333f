//! One run: its choices, its receiver, its tally.

use std::collections::HashSet;
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::indicator::Parts;
use crate::kind::Kind;
use crate::options::Options;
use crate::place::{Item, Place, Reason, Summary};

/// Namespace of the identifiers derived here (RFC 9562 §5.5). Changing it would duplicate everything
/// that was ever published through this crate.
const NAMESPACE: Uuid = Uuid::from_u128(0x3f0c_8b1e_52d4_4d5b_9a57_6f1f_0b6c_e2a9);

pub(crate) struct Run<'r> {
    pub(crate) options: &'r Options,
    pub(crate) summary: Summary,
    sink: &'r mut dyn FnMut(Item) -> ControlFlow<()>,
    now: String,
    created: String,
    valid_until: String,
    name: Vec<u8>,
    made: HashSet<u128>,
}

/// What a plain list or a table says of one value besides the value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Remarks<'a> {
    pub(crate) description: &'a str,
    pub(crate) labels: &'a [&'a str],
    pub(crate) marking: Option<crate::marking::Marking>,
}

impl<'r> Run<'r> {
    pub(crate) fn new(options: &'r Options, sink: &'r mut dyn FnMut(Item) -> ControlFlow<()>) -> Self {
        let valid_until = options.until(options.now);
        Self {
            options,
            summary: Summary::default(),
            sink,
            now: options.now.text(),
            created: options.created.text(),
            valid_until: valid_until.map(crate::options::Moment::text).unwrap_or_default(),
            name: Vec::new(),
            made: HashSet::new(),
        }
    }

    pub(crate) fn finish(mut self, flow: ControlFlow<()>) -> Summary {
        self.summary.stopped = flow.is_break();
        self.summary
    }

    pub(crate) fn hand_out(&mut self, item: Item) -> ControlFlow<()> {
        (self.sink)(item)
    }

    pub(crate) fn object(&mut self, bytes: Vec<u8>, place: Place) -> ControlFlow<()> {
        self.summary.objects += 1;
        self.hand_out(Item::Object { bytes, place })
    }

    pub(crate) fn refuse(&mut self, place: &Place, reason: Reason, message: String) -> ControlFlow<()> {
        self.summary.refuse(place, reason.clone(), &message);
        self.hand_out(Item::Refused { place: place.clone(), reason, message })
    }

    /// The identifier of what the parts name, of this creator. Two creators that read the same list
    /// make two objects, for each may change its own only.
    pub(crate) fn derived_uuid(&mut self, parts: &[&str]) -> Uuid {
        self.name.clear();
        self.name.extend_from_slice(self.options.creator.as_bytes());
        for part in parts {
            // A text of UTF-8 has no 0xff, so no two lists of parts run together.
            self.name.push(0xff);
            self.name.extend_from_slice(part.as_bytes());
        }
        Uuid::new_v5(&NAMESPACE, &self.name)
    }

    /// Whether this run made an indicator already. Feeds name one value many times, each time with
    /// another remark; but one identifier with one version has one content (STIX 2.1 §3.6), so only
    /// the first counts.
    pub(crate) fn is_repeated(&mut self, uuid: Uuid) -> bool {
        if self.made.len() < self.options.limits.remembered_max {
            !self.made.insert(uuid.as_u128())
        } else {
            self.made.contains(&uuid.as_u128())
        }
    }

    /// Refuses what [`is_repeated`](Self::is_repeated).
    pub(crate) fn refuse_repeated(&mut self, place: &Place, text: &str) -> ControlFlow<()> {
        let message = format!("`{}` was read before", crate::place::shown(text));
        self.refuse(place, Reason::Duplicate, message)
    }

    /// Makes the indicator of one value that has no date and no identifier of its own.
    pub(crate) fn value(
        &mut self,
        kind: Kind,
        text: &str,
        remarks: &Remarks<'_>,
        place: Place,
    ) -> ControlFlow<()> {
        let Some(pattern) = kind.pattern(text) else {
            let message = format!("`{}` is no {}", crate::place::shown(text), kind.code());
            return self.refuse(&place, Reason::BadValue, message);
        };
        let uuid = self.derived_uuid(&["list", kind.code(), &pattern]);
        if self.is_repeated(uuid) {
            return self.refuse_repeated(&place, text);
        }
        let options = self.options;
        let mut labels: Vec<&str> = options.labels.iter().map(String::as_str).collect();
        labels.extend_from_slice(remarks.labels);
        let mut levels = options.markings.clone();
        if let Some(marking) = remarks.marking {
            crate::marking::add(&mut levels, marking);
        }
        let markings: Vec<&str> = levels
            .iter()
            .map(|level| level.id())
            .chain(options.other_markings.iter().map(String::as_str))
            .collect();
        let bytes = Parts {
            uuid,
            created_by_ref: &options.creator,
            created: &self.created,
            modified: &self.now,
            name: if matches!(kind, Kind::Rule(_)) { "" } else { text },
            description: remarks.description,
            pattern: &pattern,
            pattern_type: kind.pattern_type(),
            valid_from: &self.now,
            valid_until: &self.valid_until,
            labels: &labels,
            markings: &markings,
        }
        .bytes();
        self.object(bytes, place)
    }
}
