//! What an import would come to: whose standing would change, and which feeds would stop or begin.
//!
//! It is found out as the import itself would: the same decisions, the same procedure on copies of the dossiers, and the
//! release policies asked for each member as it stands and as it would. Nothing is written, and the writer is not asked.
//!
//! ```text
//! a tie of acme to a party of concern    acme on `cleared`: listed -> suspended      (applicants, removed: nothing)
//!                                        acme: the feed `cleared` stops
//! ```

use std::collections::{BTreeMap, BTreeSet};

use model::{CollectionId, Member, MemberId, Timestamp};
use release::Reader;
use serde::{Deserialize, Serialize};
use store::StoreError;
use ties::Registry as Ties;

use crate::deciding::{self, Chosen};
use crate::evaluate::{Changing, Moved, follow_decision};
use crate::registry::Registry;

/// What becomes of a member's feed: of what it may read of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedChange {
    /// The collection is gone for it.
    Stops,
    /// Some of the collection closes.
    Narrows,
    /// More of the collection opens, and nothing closes.
    Widens,
    /// It may read the collection.
    Begins,
}

impl FeedChange {
    /// The change as a word: `stops`, `narrows`, `widens`, `begins`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stops => "stops",
            Self::Narrows => "narrows",
            Self::Widens => "widens",
            Self::Begins => "begins",
        }
    }
}

/// A feed that would be another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FeedMove {
    /// The member.
    pub member: MemberId,
    /// Its name.
    pub name: String,
    /// The collection, by its alias.
    pub collection: String,
    /// What becomes of it.
    pub change: FeedChange,
}

/// What would follow.
pub(crate) struct Impact {
    pub(crate) standings: Vec<Moved>,
    pub(crate) feeds: Vec<FeedMove>,
}

/// What would follow if these were the ties, for the members in `who` or for all.
pub(crate) fn impact(
    registry: &Registry,
    ties: &Ties,
    who: Option<&BTreeSet<MemberId>>,
    at: Timestamp,
) -> Result<Impact, StoreError> {
    let chosen = registry.dossiers.iter().filter(|(id, _)| who.is_none_or(|who| who.contains(*id)));
    let chosen: Vec<Chosen<'_>> =
        chosen.filter_map(|(id, dossier)| Some((registry.members.get(id)?, dossier.as_ref()))).collect();
    let (mut standings, mut feeds) = (Vec::new(), Vec::new());
    deciding::all(registry, ties, at, &chosen, |(member, dossier), worked| {
        let mut one = Changing::new((member, dossier));
        for (decision, content) in worked.decisions {
            let moved = follow_decision(registry, &mut one, &decision, content, String::new(), at);
            // Where the grade moves and the standing does not, the moves of the rules tell of it.
            standings.extend(moved.filter(|moved| moved.from != moved.to || moved.proposed.is_some()));
        }
        if !one.steps.is_empty() {
            feeds.extend(feeds_between(registry, member, &one.member));
        }
        Ok(())
    })?;
    Ok(Impact { standings, feeds })
}

/// Which feeds of a member change with its standings.
fn feeds_between(registry: &Registry, before: &Member, after: &Member) -> Vec<FeedMove> {
    let (old, new) = (Reader::Member(before), Reader::Member(after));
    let (was, is) = (registry.policy.judge(old), registry.policy.judge(new));
    // Of each collection: whether anything closes, whether anything opens.
    let mut labels: BTreeMap<CollectionId, (bool, bool)> = BTreeMap::new();
    for facts in &registry.labels.facts {
        let label = registry.resolved(&facts.label);
        let (may, would) = (was.may_read(&label).permitted, is.may_read(&label).permitted);
        let (closes, opens) = labels.entry(label.collection).or_default();
        *closes |= may && !would;
        *opens |= would && !may;
    }
    let mut feeds = Vec::new();
    for collection in &registry.programme().settings().collections {
        let sees = |reader| registry.policy.may_see_collection(reader, &collection.id);
        let change = match (sees(old), sees(new), labels.get(&collection.id)) {
            (true, false, _) => FeedChange::Stops,
            (false, true, _) => FeedChange::Begins,
            (_, true, Some((true, _))) => FeedChange::Narrows,
            (_, true, Some((false, true))) => FeedChange::Widens,
            (_, _, _) => continue,
        };
        let (member, name) = (before.id.clone(), before.name.clone());
        feeds.push(FeedMove { member, name, collection: collection.alias.clone(), change });
    }
    feeds
}
