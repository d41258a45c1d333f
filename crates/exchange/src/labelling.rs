//! From what an object says to the label it gets.
//!
//! A label is drafted here from the object's markings, the collection, the submitter and the audience. What needs the
//! store (the labels of the ends of a relationship) is added by the writer.

use std::collections::HashMap;

use model::{LabelId, Principal, Timestamp};
use programme::Collection;
use release::{Audience, Demands, Label};
use serde::{Deserialize, Serialize};
use stix::{Document, Head};

use crate::registry::Registry;

/// Something that the programme's people should look at. It is never shown to members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// When.
    pub at: Timestamp,
    /// A stable code: `unknown-marking`, `hidden-conflict`.
    pub code: String,
    /// The object.
    pub object: String,
    /// Which submission brought it.
    pub submitter: String,
    /// What is wrong, and what to do.
    pub detail: String,
}

/// What a publisher said about the release of a whole submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) audience: Audience,
    pub(crate) release_at: Option<Timestamp>,
    pub(crate) release_until: Option<Timestamp>,
}

/// Resolves markings: those that the standards publish, those that came with the same submission, those that the
/// programme has.
pub(crate) struct Resolver<'r> {
    registry: &'r Registry,
    brought: HashMap<String, Demands>,
    known: HashMap<String, Demands>,
}

impl<'r> Resolver<'r> {
    pub(crate) fn new(registry: &'r Registry) -> Self {
        Self { registry, brought: HashMap::new(), known: HashMap::new() }
    }

    /// Takes up a marking definition that the submission brings.
    pub(crate) fn bring(&mut self, id: &str, document: &Document<'_>) {
        let marking = stix::Marking::of(document.root());
        self.brought.insert(id.to_owned(), release::demands_of([(id, Some(&marking))]));
    }

    /// The marking definitions that the submission brought.
    pub(crate) fn into_brought(self) -> Vec<(String, Demands)> {
        self.brought.into_iter().collect()
    }

    fn resolve(&mut self, id: &str) -> Demands {
        if let Some(demands) = self.known.get(id) {
            return demands.clone();
        }
        // What the standards publish is what it is, whatever anybody defines under its id.
        let demands = if stix::markings::known(id).is_some() {
            release::demands_of([(id, None)])
        } else if let Some(demands) = self.registry.markings.get(id).or_else(|| self.brought.get(id)) {
            demands.clone()
        } else {
            release::demands_of([(id, None)])
        };
        self.known.insert(id.to_owned(), demands.clone());
        demands
    }

    /// What the object's own markings demand, and what its granular ones demand beyond that.
    pub(crate) fn demands(&mut self, head: &Head<'_>) -> (Demands, Option<Demands>) {
        let mut whole = Demands::default();
        for id in &head.object_marking_refs {
            whole = whole.and(&self.resolve(id));
        }
        if head.type_.as_ref() == "identity" {
            whole.consent = consent(head).or(whole.consent);
        }
        let mut granular: Option<Demands> = None;
        for marking in &head.granular_markings {
            if let stix::Mark::Marking(id) = &marking.mark {
                granular = Some(granular.unwrap_or_else(|| whole.clone()).and(&self.resolve(id)));
            }
        }
        (whole.clone(), granular.filter(|granular| *granular != whole))
    }
}

/// The consent that an identity's labels give; labels that contradict one another give none.
fn consent(head: &Head<'_>) -> Option<String> {
    let consent = stix::markings::ais_consent(head.labels.iter().map(AsRef::as_ref));
    let consent = consent.unwrap_or(Some(stix::markings::AisConsent::None))?;
    Some(release::consent_word(consent).to_owned())
}

/// A label without what only the store knows.
pub(crate) fn draft(collection: &Collection, creator: &Principal, terms: &Terms, demands: Demands) -> Label {
    Label {
        collection: collection.id,
        tier: collection.tier.clone(),
        demands,
        creator: creator.clone(),
        audience: terms.audience.clone(),
        release_at: terms.release_at,
        release_until: terms.release_until,
        ends: std::collections::BTreeSet::new(),
        unless: None,
    }
}

/// `label`, open only where `ends` are open as well. Ends that add nothing are left out, so that labels stay few.
pub(crate) fn with_ends(label: &Label, ends: &[(LabelId, &Label)]) -> Label {
    let mut joined = label.clone();
    for (id, end) in ends {
        if !label.is_no_wider_than(end) {
            joined.ends.insert(*id);
        }
    }
    joined
}
