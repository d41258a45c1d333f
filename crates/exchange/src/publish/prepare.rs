//! What of a submission can be checked without the store: cut, judge, resolve markings, draft labels.

use std::collections::HashMap;

use model::{Caller, Timestamp};
use programme::Collection;
use release::{Audience, Demands, Label};
use stix::{Document, Head, Limits, Objects, ValidateOptions};
use store::HeadRecord;

use super::PublishOptions;
use super::pattern::{PatternJudgement, judge_pattern};
use super::words;
use crate::error::PublishError;
use crate::labelling::{Resolver, Terms, draft};
use crate::registry::Registry;

/// One object, checked.
pub(super) struct Item {
    /// Where its bytes are in the submission, or bytes of its own if it was derived.
    pub(super) bytes: Bytes,
    pub(super) head: HeadRecord,
    pub(super) creator: Option<String>,
    pub(super) draft: usize,
    /// The draft of the whole object for which a derived one stands in.
    pub(super) unless: Option<usize>,
    pub(super) refs: Vec<String>,
    pub(super) date: Option<Timestamp>,
}

pub(super) enum Bytes {
    Range(std::ops::Range<usize>),
    Own(Vec<u8>),
}

/// A submission, checked.
pub(super) struct Prepared {
    pub(super) body: Vec<u8>,
    pub(super) drafts: Vec<Label>,
    pub(super) items: Vec<Item>,
    pub(super) refused: Vec<(String, String, String)>,
    /// What authors should know of objects that are taken.
    pub(super) remarks: Vec<(String, String, String)>,
    pub(super) markings: Vec<(String, Demands)>,
    pub(super) total: usize,
}

impl Prepared {
    pub(super) fn bytes<'i>(&'i self, item: &'i Item) -> &'i [u8] {
        match &item.bytes {
            Bytes::Range(range) => self.body.get(range.clone()).unwrap_or_default(),
            Bytes::Own(bytes) => bytes,
        }
    }
}

pub(super) fn prepare(
    registry: &Registry,
    collection: &Collection,
    caller: &Caller,
    body: Vec<u8>,
    options: PublishOptions,
) -> Result<Prepared, PublishError> {
    let limits = &registry.programme().settings().limits;
    let stix_limits = Limits {
        nesting_max: limits.nesting_depth_max,
        object_size_max_bytes: limits.object_size_max_bytes,
        object_count_max: limits.envelope_objects_max,
    };
    let objects =
        stix::split(&body, &stix_limits).map_err(|error| PublishError::Malformed(error.to_string()))?;
    let options = said_in_wrapper(&body, &objects, &stix_limits, options)?;
    let audience = options.audience.map_or(Audience::Everyone, Audience::Named);
    let terms = Terms { audience, release_at: options.release_at, release_until: options.release_until };
    let mut drafting = Drafting {
        registry,
        collection,
        caller,
        terms,
        resolver: Resolver::new(registry),
        drafts: Vec::new(),
        by_label: HashMap::new(),
        by_refs: HashMap::new(),
        items: Vec::new(),
        refused: Vec::new(),
        remarks: Vec::new(),
    };
    let checks = ValidateOptions { limits: stix_limits, warnings: false, findings_max: 20 };
    let total = objects.len();
    if let Some(dates) = &options.dates
        && dates.len() != total
    {
        let problem = format!("there are {} dates for {total} objects", dates.len());
        return Err(PublishError::OutOfOrder(problem));
    }
    for bytes in objects.iter().filter(|bytes| mentions_definition(bytes)) {
        drafting.bring(bytes, &stix_limits);
    }
    let start = body.as_ptr() as usize;
    for (index, bytes) in objects.iter().enumerate() {
        let offset = bytes.as_ptr() as usize - start;
        let date = options.dates.as_ref().and_then(|dates| dates.get(index).copied());
        drafting.object(bytes, offset, date, &checks);
    }
    let Drafting { resolver, drafts, items, refused, remarks, .. } = drafting;
    Ok(Prepared { body, drafts, items, refused, remarks, markings: resolver.into_brought(), total })
}

pub(super) fn mentions_definition(bytes: &[u8]) -> bool {
    const NEEDLE: &[u8] = b"marking-definition--";
    memchr::memmem::find(bytes, NEEDLE).is_some()
}

pub(super) struct Drafting<'r> {
    registry: &'r Registry,
    collection: &'r Collection,
    caller: &'r Caller,
    terms: Terms,
    resolver: Resolver<'r>,
    drafts: Vec<Label>,
    by_label: HashMap<Vec<u8>, usize>,
    /// Most objects of a submission carry the same markings: their draft is found by them.
    by_refs: HashMap<String, usize>,
    items: Vec<Item>,
    refused: Vec<(String, String, String)>,
    remarks: Vec<(String, String, String)>,
}

/// How much of an id and of a message a refusal repeats: enough to find the object again.
const REFUSAL_CHARS_MAX: usize = 300;
/// How many remarks a status keeps: a feed that is written wrongly is wrong in every object.
const REMARKS_MAX: usize = 1_000;

fn cut(text: &str) -> String {
    text.chars().take(REFUSAL_CHARS_MAX).collect()
}

impl Drafting<'_> {
    fn bring(&mut self, bytes: &[u8], limits: &Limits) {
        let Ok(document) = Document::parse(bytes, limits) else { return };
        if let Ok(head) = Head::of(&document)
            && head.type_.as_ref() == "marking-definition"
        {
            self.resolver.bring(&head.id, &document);
        }
    }

    fn refuse(&mut self, id: &str, version: &str, message: &str) {
        self.refused.push((cut(id), cut(version), cut(message)));
    }

    fn remark(&mut self, id: &str, version: &str, message: &str) {
        if self.remarks.len() < REMARKS_MAX {
            self.remarks.push((cut(id), cut(version), cut(message)));
        }
    }

    fn object(&mut self, bytes: &[u8], offset: usize, date: Option<Timestamp>, checks: &ValidateOptions) {
        let document = match Document::parse(bytes, &checks.limits) {
            Ok(document) => document,
            Err(error) => {
                return self.refuse("unknown--00000000-0000-0000-0000-000000000000", "", &error.to_string());
            }
        };
        let report = stix::validate_document(&document, checks);
        let head = match Head::of(&document) {
            Ok(head) => head,
            Err(error) => {
                return self.refuse("unknown--00000000-0000-0000-0000-000000000000", "", &error.to_string());
            }
        };
        let version = head.version().unwrap_or_default();
        if let Some(first) = report.musts().next() {
            let others = report.musts().count() - 1;
            let more = if others > 0 { format!(" (and {others} more)") } else { String::new() };
            let place = if first.pointer.is_empty() { "the object" } else { first.pointer.as_str() };
            let message = format!(
                "{place}: {} [{}, STIX 2.1 section {}]{more}",
                first.message, first.code, first.section
            );
            return self.refuse(&head.id, version, &message);
        }
        if let Some(message) = self.impersonates(head.created_by_ref.as_deref()) {
            return self.refuse(&head.id, version, &message);
        }
        let is_own_word = self.is_own_word(head.created_by_ref.as_deref());
        if !is_own_word && let Some(message) = words::said(&document) {
            return self.refuse(&head.id, version, &message);
        }
        match judge_pattern(&document) {
            PatternJudgement::Fine => {}
            PatternJudgement::Remark(message) => self.remark(&head.id, version, &message),
            PatternJudgement::Unreadable(message) => return self.refuse(&head.id, version, &message),
        }
        let record = HeadRecord {
            id: head.id.clone().into_owned(),
            version: version.to_owned(),
            revoked: head.revoked,
        };
        let creator = head.created_by_ref.as_deref().map(str::to_owned);
        let refs = head.refs.iter().map(|reference| reference.id.clone().into_owned()).collect();
        let (whole, part) = self.drafts_of(&head);
        let item = Item {
            bytes: Bytes::Range(offset..offset + bytes.len()),
            head: record,
            creator,
            draft: whole,
            unless: None,
            refs,
            date,
        };
        self.items.push(item);
        // A derived object is the programme's, and nobody else puts a verdict into its mouth.
        if let Some(part) = part
            && (is_own_word || !words::is_verdict(&document))
        {
            self.derive(&head, bytes, whole, part, date);
        }
    }

    /// Only a member's own identity, or one that is nobody's, may stand as the creator of what it submits.
    fn impersonates(&self, creator: Option<&str>) -> Option<String> {
        let creator = creator?;
        let member = self.caller.member()?;
        let owner = self.registry.identities.get(creator)?;
        if owner.as_ref() == Some(member) {
            return None;
        }
        Some(format!(
            "/created_by_ref: `{creator}` is another's identity; objects are submitted under one's own"
        ))
    }

    /// Whether the programme's people submit what the programme itself says.
    fn is_own_word(&self, creator: Option<&str>) -> bool {
        let identity = &self.registry.programme().settings().identity.id;
        self.caller.member().is_none() && creator == Some(identity.as_str())
    }

    /// The draft for the object as it is, and, if parts of it are marked more strictly than the whole and the
    /// programme allows redaction, the one for what is left without these parts.
    fn drafts_of(&mut self, head: &Head<'_>) -> (usize, Option<usize>) {
        if head.granular_markings.is_empty() && head.type_.as_ref() != "identity" {
            let mut key = String::new();
            for id in &head.object_marking_refs {
                key.push_str(id);
                key.push(' ');
            }
            if let Some(draft) = self.by_refs.get(&key) {
                return (*draft, None);
            }
            let (demands, _) = self.resolver.demands(head);
            let draft = self.draft(demands);
            self.by_refs.insert(key, draft);
            return (draft, None);
        }
        let (whole, granular) = self.resolver.demands(head);
        let Some(granular) = granular else { return (self.draft(whole), None) };
        let redacts =
            self.registry.programme().tier(&self.collection.tier).is_some_and(|tier| tier.redaction);
        let full = self.draft(granular);
        (full, redacts.then(|| self.draft(whole)))
    }

    fn draft(&mut self, demands: Demands) -> usize {
        let label = draft(self.collection, &self.caller.principal, &self.terms, demands);
        let next = self.drafts.len();
        let drafts = &mut self.drafts;
        *self.by_label.entry(label.canonical()).or_insert_with(|| {
            drafts.push(label);
            next
        })
    }

    /// Adds the object without its granularly marked parts, if what is left is still an object.
    fn derive(&mut self, head: &Head<'_>, bytes: &[u8], whole: usize, part: usize, date: Option<Timestamp>) {
        let identity = &self.registry.programme().settings().identity.id;
        let selectors = crate::reach::redacted(head);
        let Ok(derived) = stix::derive(bytes, &selectors, &|_| false, identity) else { return };
        let Ok(derived_head) = Head::parse(&derived) else { return };
        let item = Item {
            head: HeadRecord {
                id: derived_head.id.clone().into_owned(),
                version: derived_head.version().unwrap_or_default().to_owned(),
                revoked: derived_head.revoked,
            },
            creator: Some(identity.clone()),
            refs: derived_head.refs.iter().map(|reference| reference.id.clone().into_owned()).collect(),
            draft: part,
            unless: Some(whole),
            date,
            bytes: Bytes::Own(derived.clone()),
        };
        self.items.push(item);
    }
}

/// Terms of release may also be said in the envelope, as properties of its own: `x_ringfence_audience` (member ids),
/// `x_ringfence_release_at`, `x_ringfence_release_until`. Whoever says them means them, so what cannot be read for certain
/// refuses the whole submission, and a property of this family that there is none of does too.
fn said_in_wrapper(
    body: &[u8],
    objects: &Objects<'_>,
    limits: &Limits,
    mut options: PublishOptions,
) -> Result<PublishOptions, PublishError> {
    if !matches!(objects.wrapper(), stix::Wrapper::Envelope | stix::Wrapper::Bundle) {
        return Ok(options);
    }
    // What stands around the objects, without them, is a small document of its own.
    let start = body.as_ptr() as usize;
    let around = match (objects.iter().next(), objects.iter().last()) {
        (Some(first), Some(last)) => {
            let (begin, end) = (first.as_ptr() as usize - start, last.as_ptr() as usize - start + last.len());
            [body.get(..begin).unwrap_or_default(), body.get(end..).unwrap_or_default()].concat()
        }
        (_, _) => body.to_vec(),
    };
    let document =
        Document::parse(&around, limits).map_err(|error| PublishError::Malformed(error.to_string()))?;
    let bad = |property: &str, problem: &str| PublishError::BadProperty {
        property: property.chars().take(100).collect(),
        problem: problem.to_owned(),
    };
    for (key, value) in document.root().members() {
        if !key.starts_with("x_ringfence_") {
            continue;
        }
        let instant =
            || serde_json::from_str(value.raw()).map(Some).map_err(|_| bad(&key, "is no date and time"));
        match key.as_ref() {
            "x_ringfence_audience" => {
                let audience = serde_json::from_str(value.raw());
                let audience = audience.map_err(|_| bad(&key, "is no list of member ids"))?;
                options.audience = options.audience.or(Some(audience));
            }
            "x_ringfence_release_at" => options.release_at = options.release_at.or(instant()?),
            "x_ringfence_release_until" => options.release_until = options.release_until.or(instant()?),
            _ => return Err(bad(&key, "is not a property that this hub knows")),
        }
    }
    Ok(options)
}
