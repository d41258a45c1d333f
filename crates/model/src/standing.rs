//! A member's status on one tier, and the steps between statuses.
//!
//! ```text
//! applicant -> under-review -> listed <-> listed-with-conditions
//!                   ^             \            /
//!                   |              suspended -----> removed
//!                   |                  |               |
//!                   +------------------+-- reinstating +--> listed
//! ```
//!
//! Suspension is fast and may come from a rule; removal and return are decided by people. A removed or suspended
//! member returns through `reinstating`, which records that the return was asked for; an officer may take a
//! suspended member straight back when the suspension itself was the mistake.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{MemberId, Tier, Timestamp};

/// A member's status on one tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Asked to join; nothing was looked at yet.
    Applicant,
    /// Its ties are being looked at.
    UnderReview,
    /// On the list.
    Listed,
    /// On the list, with duties or a ceiling.
    ListedWithConditions,
    /// Off the list for now.
    Suspended,
    /// Off the list.
    Removed,
    /// Its return is being decided.
    Reinstating,
}

/// A step that no rule of procedure allows.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a member that is {from} cannot become {to}; from {from} it may become {}", allowed(*from))]
pub struct InvalidTransition {
    from: Standing,
    to: Standing,
}

fn allowed(from: Standing) -> String {
    let names: Vec<_> =
        Standing::ALL.iter().filter(|to| from.may_become(**to)).map(|to| to.as_str()).collect();
    names.join(", ")
}

impl Standing {
    /// Every standing, in the order of a member's life.
    pub const ALL: [Self; 7] = [
        Self::Applicant,
        Self::UnderReview,
        Self::Listed,
        Self::ListedWithConditions,
        Self::Suspended,
        Self::Removed,
        Self::Reinstating,
    ];

    /// Whether the member is on the list.
    #[must_use]
    pub fn is_on_the_list(self) -> bool {
        match self {
            Self::Listed | Self::ListedWithConditions => true,
            Self::Applicant | Self::UnderReview | Self::Suspended | Self::Removed | Self::Reinstating => {
                false
            }
        }
    }

    /// The standing's name as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applicant => "applicant",
            Self::UnderReview => "under-review",
            Self::Listed => "listed",
            Self::ListedWithConditions => "listed-with-conditions",
            Self::Suspended => "suspended",
            Self::Removed => "removed",
            Self::Reinstating => "reinstating",
        }
    }

    /// Whether the procedure allows the step to `to`.
    #[must_use]
    pub fn may_become(self, to: Self) -> bool {
        match self {
            Self::Applicant => {
                matches!(to, Self::UnderReview | Self::Listed | Self::ListedWithConditions | Self::Removed)
            }
            Self::UnderReview => {
                matches!(to, Self::Listed | Self::ListedWithConditions | Self::Suspended | Self::Removed)
            }
            Self::Listed => {
                matches!(to, Self::ListedWithConditions | Self::UnderReview | Self::Suspended | Self::Removed)
            }
            Self::ListedWithConditions => {
                matches!(to, Self::Listed | Self::UnderReview | Self::Suspended | Self::Removed)
            }
            Self::Suspended => {
                matches!(to, Self::Listed | Self::ListedWithConditions | Self::Reinstating | Self::Removed)
            }
            Self::Removed => matches!(to, Self::Reinstating),
            Self::Reinstating => {
                matches!(to, Self::Listed | Self::ListedWithConditions | Self::Suspended | Self::Removed)
            }
        }
    }

    /// The standing after a step to `to`.
    ///
    /// # Errors
    ///
    /// Refuses a step that the procedure does not have, and names the ones that it has.
    pub fn change(self, to: Self) -> Result<Self, InvalidTransition> {
        if self.may_become(to) { Ok(to) } else { Err(InvalidTransition { from: self, to }) }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no standing.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a standing; one of applicant, under-review, listed, listed-with-conditions, suspended, removed, reinstating"
)]
pub struct UnknownStanding(String);

impl FromStr for Standing {
    type Err = UnknownStanding;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|standing| standing.as_str() == text)
            .ok_or_else(|| UnknownStanding(text.to_owned()))
    }
}

/// One step of one member on one tier, as it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingChange {
    /// Whose standing changed.
    pub member: MemberId,
    /// On which tier.
    pub tier: Tier,
    /// The standing before.
    pub from: Standing,
    /// The standing after.
    pub to: Standing,
    /// Who decided.
    pub by: String,
    /// Why, in words.
    pub reason: String,
    /// When it took effect.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_are_on_the_list() {
        let on: Vec<_> = Standing::ALL.into_iter().filter(|s| s.is_on_the_list()).collect();
        assert_eq!(on, [Standing::Listed, Standing::ListedWithConditions]);
    }

    #[test]
    fn a_removed_member_returns_only_through_reinstating() {
        for to in Standing::ALL {
            assert_eq!(Standing::Removed.may_become(to), to == Standing::Reinstating, "{to}");
        }
        let refused = Standing::Removed.change(Standing::Listed).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a member that is removed cannot become listed; from removed it may become reinstating"
        );
    }

    #[test]
    fn no_step_leads_to_where_it_began_and_none_back_to_applicant() {
        for from in Standing::ALL {
            assert!(!from.may_become(from), "{from}");
            assert!(!from.may_become(Standing::Applicant), "{from}");
            assert_eq!(from.as_str().parse(), Ok(from));
        }
    }
}
