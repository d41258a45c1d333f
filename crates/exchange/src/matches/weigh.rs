//! Whether two that are called alike are worth a person's look.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use matching::PROPOSED;
use model::{MemberId, Timestamp};
use ties::{Entity, EntityId, EntityKind, ListId, Picture as _, RegistryPicture};

use super::compare::Compared;
use super::file::{Candidate, Described, Filed, identifiers};
use super::{Match, MatchSide, pair};

/// From which score on two that are neither members nor on a list are proposed.
const ALIKE: u16 = 900;

/// How many of them may be about neither members nor listed parties; beyond, such are not kept.
const OPEN_OTHERS_MAX: usize = 5_000;

/// How many matches are proposed for one entity.
const EACH_MAX: usize = 3;

/// Why somebody is of concern.
#[derive(Clone, Debug, Default)]
pub(super) struct Concern {
    pub(super) member: Option<MemberId>,
    pub(super) lists: BTreeSet<ListId>,
    pub(super) documents: BTreeSet<Arc<str>>,
}

/// What one run finds.
pub(super) struct Finding<'r> {
    pub(super) short: &'r BTreeMap<EntityId, Concern>,
    /// The pairs that were proposed before, as the entities are called now.
    pub(super) known: BTreeSet<(EntityId, EntityId)>,
    pub(super) found: Vec<Match>,
    pub(super) open: usize,
    pub(super) open_others: usize,
    pub(super) next: u64,
    pub(super) told: Compared,
}

/// Two people of one name are two people, as far as is known, unless both have a date of birth that can speak against it.
fn can_be_told_apart(left: &Entity, right: &Entity) -> bool {
    let is_dated = |entity: &Entity| entity.kind != EntityKind::Person || entity.founded.is_some();
    is_dated(left) && is_dated(right)
}

impl Finding<'_> {
    /// Proposes those candidates that may be the one, unless that was asked before.
    pub(super) fn weigh(
        &mut self,
        picture: &RegistryPicture<'_>,
        filed: &Filed,
        one: &Described,
        candidates: Vec<Candidate>,
        at: Timestamp,
    ) {
        let id = picture.canonical(&one.entity.id);
        let Some(left) = picture.entity(&id) else { return };
        let mut proposed = 0;
        for candidate in candidates {
            let other = picture.canonical(&candidate.entity);
            let pair = pair(&id, &other);
            if proposed == EACH_MAX {
                return;
            }
            if id == other || self.known.contains(&pair) {
                continue;
            }
            let Some(right) = picture.entity(&other) else { continue };
            let Some(identifiers) = identifiers(&left, &right) else { continue };
            let matters = self.short.contains_key(&id) || self.short.contains_key(&other);
            let are_alike = candidate.score.per_mille() >= ALIKE && can_be_told_apart(&left, &right);
            if !(matters || are_alike || !identifiers.agree.is_empty()) || candidate.score < PROPOSED {
                continue;
            }
            if !matters && self.open_others >= OPEN_OTHERS_MAX {
                self.told.not_kept += 1;
                continue;
            }
            let found = Match {
                number: self.next,
                at,
                left: self.side(&left, candidate.name, [Arc::clone(&one.document)]),
                right: self.side(
                    &right,
                    right.name().to_owned(),
                    filed.documents.get(&candidate.entity).into_iter().flatten().cloned(),
                ),
                score: candidate.score.per_mille(),
                because: candidate.reasons.iter().map(ToString::to_string).collect(),
                agree: identifiers.agree,
                contradict: identifiers.contradict,
                answered: None,
                reopened: 0,
            };
            proposed += 1;
            self.known.insert(pair);
            self.next += 1;
            self.open += 1;
            self.open_others += usize::from(!matters);
            self.told.proposed += 1;
            self.found.push(found);
        }
    }

    fn side(
        &self,
        entity: &Entity,
        name: String,
        documents: impl IntoIterator<Item = Arc<str>>,
    ) -> MatchSide {
        let concern = self.short.get(&entity.id);
        let documents: BTreeSet<Arc<str>> = documents.into_iter().collect();
        MatchSide {
            entity: entity.id.clone(),
            name,
            kind: entity.kind,
            countries: entity.countries.clone(),
            founded: entity.founded.as_ref().map(ToString::to_string),
            identifiers: entity.identifiers.clone(),
            documents: documents.iter().map(ToString::to_string).collect(),
            member: concern.and_then(|concern| concern.member.clone()),
            lists: concern.map(|concern| concern.lists.iter().cloned().collect()).unwrap_or_default(),
        }
    }
}
