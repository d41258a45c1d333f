//! A provider of the programme's people, by OpenID Connect: who signs in there signs in here, with the role that its groups
//! give there.
//!
//! Groups are the provider's words and roles are ours, so the hub's configuration maps one to the other. Somebody whose groups
//! give no role is not let in; somebody whose groups give two is not either: roles watch each other, and which one was meant
//! is not for a program to guess.

use std::collections::{BTreeMap, BTreeSet};

use exchange::Vouched;
use model::Role;
use oidc::{Challenge, Claims, Client};
use thiserror::Error;

/// The longest text of a claim that becomes a person's name.
const NAME_BYTES_MAX: usize = 200;

/// What the hub is told of the provider, beside what is agreed with it.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// What people call it: the text of the button is `Sign in with` and this.
    pub title: String,
    /// The claim of the ID token that has the groups.
    pub groups_claim: String,
    /// The claim that has the person's name, by which agreements count people.
    pub person_claim: String,
    /// Which group gives which role.
    pub roles: BTreeMap<String, Role>,
    /// Where browsers reach the hub, such as `https://hub.example`.
    pub public_url: String,
}

/// A provider.
pub struct Provider {
    pub(crate) client: Client,
    pub(crate) settings: ProviderSettings,
}

/// Why somebody whom the provider knows does not come in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum NoRole {
    #[error("your groups at {0} give you no role here; ask whoever keeps them")]
    None(String),
    #[error(
        "your groups at {title} give you more than one role here ({roles}), and nobody has two; ask whoever keeps them"
    )]
    Several { title: String, roles: String },
}

impl Provider {
    /// Where browsers come back to, below the hub's public URL.
    pub const BACK: &str = "/sign-in/provider/back";

    /// A provider, of which nothing is fetched before somebody signs in.
    #[must_use]
    pub fn new(client: Client, settings: ProviderSettings) -> Self {
        Self { client, settings }
    }

    /// Whom the provider vouches for.
    pub(crate) fn vouched(&self, claims: &Claims) -> Vouched {
        let named = [self.settings.person_claim.as_str(), "preferred_username", "email"];
        let is_name = |text: &&str| {
            !text.trim().is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control)
        };
        let person = named.iter().find_map(|name| claims.text(name).filter(is_name));
        // A subject may be longer than a name; its beginning would do for two people.
        let otherwise = || name_of_subject(&claims.subject);
        Vouched {
            issuer: self.client.issuer().to_owned(),
            subject: claims.subject.clone(),
            person: person.map_or_else(otherwise, str::to_owned),
        }
    }

    /// The role that the groups give.
    pub(crate) fn role(&self, claims: &Claims) -> Result<Role, NoRole> {
        let groups = claims.list(&self.settings.groups_claim);
        let roles: BTreeSet<Role> =
            groups.iter().filter_map(|group| self.settings.roles.get(*group)).copied().collect();
        let title = || self.settings.title.clone();
        let mut found = roles.iter();
        match (found.next(), found.next()) {
            (Some(role), None) => Ok(*role),
            (None, _) => Err(NoRole::None(title())),
            (Some(_), Some(_)) => {
                let roles = roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                Err(NoRole::Several { title: title(), roles })
            }
        }
    }

    /// Where one signs out there too.
    pub(crate) fn sign_out_url(&self) -> Option<String> {
        let back_to = format!("{}/sign-in", self.settings.public_url.trim_end_matches('/'));
        self.client.end_session_url(&back_to)
    }
}

/// A subject as a name: whole, or by its SHA-256 where it is too long.
fn name_of_subject(subject: &str) -> String {
    use sha2::Digest as _;
    if subject.len() <= NAME_BYTES_MAX {
        return subject.to_owned();
    }
    hex::encode(sha2::Sha256::digest(subject.as_bytes()))
}

/// An instant as the standard counts: in seconds since 1970.
pub(crate) fn seconds(now: model::Timestamp) -> i64 {
    now.as_micros().div_euclid(1_000_000)
}

/// What one sign-in is bound to, out of one random text and a key that only this hub has.
pub(crate) fn challenge(derive: impl Fn(&str) -> String) -> Challenge {
    Challenge { state: derive("state"), nonce: derive("nonce"), verifier: derive("verifier") }
}
