//! Who takes part.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{MemberId, Standing, Tier, Timestamp};

/// What a member does with what it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberKind {
    /// Protects others: a commercial service provider.
    Provider,
    /// Is protected, or protects only itself.
    Participant,
}

impl MemberKind {
    /// The kind's name as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Participant => "participant",
        }
    }
}

impl fmt::Display for MemberKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no kind of member.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not a kind of member; one of provider, participant")]
pub struct UnknownMemberKind(String);

impl FromStr for MemberKind {
    type Err = UnknownMemberKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "provider" => Ok(Self::Provider),
            "participant" => Ok(Self::Participant),
            other => Err(UnknownMemberKind(other.to_owned())),
        }
    }
}

/// What a release policy may ask about a member: the attributes that markings demand.
///
/// The sets hold the tokens of the markings themselves, so that a policy compares and never translates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Subject {
    /// Countries of the organisation, as GENC or ISO 3166 three-letter codes (ACS `permitted_nationalities`).
    pub nationalities: BTreeSet<String>,
    /// Organisation tokens such as `USA.DHS.US-CERT` or `DIB` (ACS `permitted_organizations`).
    pub organisations: BTreeSet<String>,
    /// Kinds of entity: `GOV`, `CTR`, `SVC`, ... (ACS `entity`).
    pub entities: BTreeSet<String>,
    /// Communities that TLP:GREEN and shareability speak of: `NCC`, `EM`, `LE`, `IC`, or the programme's own.
    pub communities: BTreeSet<String>,
    /// Formal accesses held: sensitivity and caveat tokens such as `PCII`, `LES` or `FISA`.
    pub accesses: BTreeSet<String>,
    /// The highest classification that the member is cleared for: 0 U, 1 C, 2 S, 3 TS.
    pub clearance: u8,
}

/// A vetted organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its identifier.
    pub id: MemberId,
    /// Its name, as people write it.
    pub name: String,
    /// What it does with what it receives.
    pub kind: MemberKind,
    /// The STIX identity under which it publishes, `identity--...`.
    pub identity: Option<String>,
    /// What the release policy may ask about it.
    #[serde(default)]
    pub subject: Subject,
    /// Its status on each tier; a tier that is not named here counts as [`Standing::Applicant`].
    pub standings: BTreeMap<Tier, Standing>,
    /// Since when all of the above is so.
    pub since: Timestamp,
}

impl Member {
    /// The member's status on `tier`.
    #[must_use]
    pub fn standing(&self, tier: &Tier) -> Standing {
        self.standings.get(tier).copied().unwrap_or(Standing::Applicant)
    }

    /// The tiers on whose list the member is.
    pub fn listed_tiers(&self) -> impl Iterator<Item = &Tier> {
        self.standings.iter().filter(|(_, standing)| standing.is_on_the_list()).map(|(tier, _)| tier)
    }
}
