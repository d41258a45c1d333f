//! Previews: who would move if this file, list or rule landed.

use std::collections::BTreeSet;

use model::{Grade, Tier};
use serde::Serialize;
use ties::EntityId;

use crate::decision::Party;
use crate::judge::JudgeError;
use crate::session::Session;

/// One party's move on one tier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Move {
    /// Who.
    pub entity: EntityId,
    /// On which tier.
    pub tier: Tier,
    /// The grade before.
    pub from: Grade,
    /// The grade after.
    pub to: Grade,
    /// The rules that apply afterwards and did not before.
    pub new: BTreeSet<String>,
    /// The rules that applied before and do not afterwards.
    pub gone: BTreeSet<String>,
}

/// Who moves from one session to another, in order: what a change would do, or has done.
///
/// # Errors
///
/// Refuses a pack that there is not.
pub fn moves(
    before: &Session<'_>,
    after: &Session<'_>,
    parties: &[Party],
    tiers: &[Tier],
) -> Result<Vec<Move>, JudgeError> {
    let mut moves = Vec::new();
    for party in parties {
        let (old, new) = (before.values(party), after.values(party));
        for tier in tiers {
            let from = before.verdict(party, tier, &old)?;
            let to = after.verdict(party, tier, &new)?;
            if from.grade != to.grade {
                moves.push(Move {
                    entity: party.entity.clone(),
                    tier: tier.clone(),
                    from: from.grade,
                    to: to.grade,
                    new: to.rules.difference(&from.rules).cloned().collect(),
                    gone: from.rules.difference(&to.rules).cloned().collect(),
                });
            }
        }
    }
    moves.sort();
    Ok(moves)
}
