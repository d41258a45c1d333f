//! Who asks.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{CollectionId, CredentialId, MemberId};

/// A part that a person plays for the programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the programme and publishes for it.
    Operator,
    /// Decides on standing.
    Officer,
    /// Reviews submissions.
    Reviewer,
    /// Audits, and reads no restricted content.
    Overseer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Operator, Self::Officer, Self::Reviewer, Self::Overseer];

    /// The role's name as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Officer => "officer",
            Self::Reviewer => "reviewer",
            Self::Overseer => "overseer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no role.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not a role; one of operator, officer, reviewer, overseer")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// A member or a role; a credential belongs to one of them, never to both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Principal {
    /// A vetted organisation.
    Member(MemberId),
    /// One of the programme's people.
    Role(Role),
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(member) => member.fmt(f),
            Self::Role(role) => write!(f, "role:{role}"),
        }
    }
}

/// What a credential may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Read objects.
    Read,
    /// Publish objects.
    Publish,
    /// Everything else that the role may do.
    Administer,
}

/// An authenticated caller: the principal, and what its credential narrows it to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Who it is.
    pub principal: Principal,
    /// With which credential.
    pub credential: CredentialId,
    /// What the credential may be used for.
    pub actions: BTreeSet<Action>,
    /// The collections that the credential is narrowed to; `None` is all that the principal may use.
    pub collections: Option<BTreeSet<CollectionId>>,
}

impl Caller {
    /// Whether the credential covers `action` on `collection`; what the principal may do is another question.
    #[must_use]
    pub fn covers(&self, action: Action, collection: &CollectionId) -> bool {
        self.actions.contains(&action)
            && self.collections.as_ref().is_none_or(|only| only.contains(collection))
    }

    /// The member that calls, if it is one.
    #[must_use]
    pub fn member(&self) -> Option<&MemberId> {
        match &self.principal {
            Principal::Member(member) => Some(member),
            Principal::Role(_) => None,
        }
    }

    /// The role that calls, if it is one.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match &self.principal {
            Principal::Member(_) => None,
            Principal::Role(role) => Some(*role),
        }
    }
}
