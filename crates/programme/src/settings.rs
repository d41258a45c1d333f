//! `programme.toml`.
//!
//! The file is read in two steps. Its shape comes first: TOML with known fields of known types. Then its sense:
//! names that refer to something, identifiers that are unique, limits within their range. The first step stops at
//! the first fault, as a parser has to; the second lists all of them.

mod guard;
mod limits;
mod quotas;
mod vetting;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};

use model::{CollectionId, MemberId, MemberKind, Problem, ProgrammeName, Role, Tier, Timestamp};
use serde::Deserialize;
use toml::Spanned;

use crate::read;

pub use guard::GuardSettings;
pub use limits::Limits;
pub use quotas::{QuotaSettings, Whose};
pub use vetting::{PackSettings, VettingSettings};
pub use webhooks::{ALERT_KINDS, WebhookSettings};

const FILE: &str = "programme.toml";

/// The media type of STIX 2.1, which a collection has unless it says otherwise (TAXII 2.1 §5.2).
pub const STIX_MEDIA_TYPE: &str = "application/stix+json;version=2.1";

/// TLP's words, from the least to the most restrictive; a level is an index into these.
pub const TLP_LEVELS: [&str; 5] = ["clear", "green", "amber", "amber+strict", "red"];

/// PAP's words, from the least to the most restrictive; a level is an index into these.
pub const PAP_LEVELS: [&str; 4] = ["clear", "green", "amber", "red"];

/// The level that `word` names in one of the tables above.
pub(crate) fn level(levels: &[&str], word: &str) -> Option<u8> {
    levels.iter().position(|level| *level == word).and_then(|index| u8::try_from(index).ok())
}

/// What `programme.toml` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The short name, which begins the TAXII API root.
    pub name: ProgrammeName,
    /// The name for people.
    pub title: String,
    /// What the programme is.
    pub description: Option<String>,
    /// Whom to write to.
    pub contact: Option<String>,
    /// The STIX identity under which the programme publishes.
    pub identity: Identity,
    /// The TLP level, as an index into [`TLP_LEVELS`], of an object without a TLP marking.
    pub unmarked_tlp: u8,
    /// The tiers, in the order of the file.
    pub tiers: Vec<TierSettings>,
    /// The collections, in the order of the file.
    pub collections: Vec<Collection>,
    /// The limits.
    pub limits: Limits,
    /// What it says to guards.
    pub guard: GuardSettings,
    /// How the programme vets.
    pub vetting: VettingSettings,
    /// Its rule packs, in the order of the file.
    pub packs: Vec<PackSettings>,
    /// Where alerts are sent, in the order of the file.
    pub webhooks: Vec<WebhookSettings>,
    /// How much members may have in a time, in the order of the file.
    pub quotas: Vec<QuotaSettings>,
}

/// The programme's own STIX identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `identity--` and a UUID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made; its STIX object says so and stays the same bytes.
    pub created: Timestamp,
}

/// A class of content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierSettings {
    /// Its name.
    pub name: Tier,
    /// Its name for people.
    pub title: String,
    /// Whether a derived object may stand in for one that is withheld.
    pub redaction: bool,
}

/// A TAXII collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its identifier.
    pub id: CollectionId,
    /// Its alias (TAXII 2.1 §5.2).
    pub alias: String,
    /// Its name for people.
    pub title: String,
    /// What it holds.
    pub description: Option<String>,
    /// The tier of all that it holds.
    pub tier: Tier,
    /// What it holds, as media types.
    pub media_types: Vec<String>,
    /// Whether members read each other's objects there; if not, only their own.
    pub shared: bool,
    /// Who may publish there.
    pub publishers: Publishers,
}

/// Who may publish to a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publishers {
    /// These roles.
    pub roles: BTreeSet<Role>,
    /// Every provider.
    pub providers: bool,
    /// Every participant.
    pub participants: bool,
    /// These members.
    pub members: BTreeSet<MemberId>,
}

impl Publishers {
    /// Whether members of this kind may publish.
    #[must_use]
    pub fn has_kind(&self, kind: MemberKind) -> bool {
        match kind {
            MemberKind::Provider => self.providers,
            MemberKind::Participant => self.participants,
        }
    }

    fn add(&mut self, word: &str) -> Result<(), ()> {
        match word {
            "members" => (self.providers, self.participants) = (true, true),
            "providers" => self.providers = true,
            "participants" => self.participants = true,
            other => {
                if let Ok(role) = other.parse() {
                    self.roles.insert(role);
                } else {
                    self.members.insert(other.parse().map_err(|_| ())?);
                }
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSettings {
    name: Spanned<String>,
    title: String,
    description: Option<String>,
    contact: Option<String>,
    unmarked_tlp: Option<Spanned<String>>,
    identity: RawIdentity,
    tier: Vec<RawTier>,
    collection: Vec<RawCollection>,
    #[serde(default)]
    limits: limits::RawLimits,
    #[serde(default)]
    guard: guard::RawGuard,
    #[serde(default)]
    vetting: vetting::RawVetting,
    #[serde(default)]
    pack: Vec<vetting::RawPack>,
    #[serde(default)]
    webhook: Vec<webhooks::RawWebhook>,
    #[serde(default)]
    quota: Vec<Spanned<quotas::RawQuota>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIdentity {
    id: Spanned<String>,
    name: String,
    created: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTier {
    name: Spanned<String>,
    title: String,
    #[serde(default)]
    redaction: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCollection {
    id: Spanned<String>,
    alias: Spanned<String>,
    title: String,
    description: Option<String>,
    tier: Spanned<String>,
    #[serde(default)]
    media_types: Vec<String>,
    shared: Option<bool>,
    publishers: Option<Vec<Spanned<String>>>,
}

pub(crate) fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Settings, Vec<Problem>> {
    let text = read::text(files, FILE).map_err(|problem| vec![problem])?;
    let raw = read::toml::<RawSettings>(FILE, text).map_err(|problem| vec![problem])?;
    let mut sense = Sense { text, problems: Vec::new() };
    let settings = sense.settings(raw);
    match settings {
        Some(settings) if sense.problems.is_empty() => Ok(settings),
        _ => Err(sense.problems),
    }
}

/// Looks for sense in what has the right shape, and collects what has none.
struct Sense<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Sense<'_> {
    fn wrong(&mut self, at: &Spanned<String>, message: String, remedy: &str) {
        self.problems.push(Problem::new(FILE, message, remedy).at(self.text, at.span().start));
    }

    fn settings(&mut self, raw: RawSettings) -> Option<Settings> {
        let name = self.parsed(&raw.name, "write it as in a URL path");
        let unmarked_tlp = raw.unmarked_tlp.map_or(Some(1), |word| self.tlp(&word));
        let identity = self.identity(raw.identity);
        let tiers = self.tiers(raw.tier);
        let collections = self.collections(raw.collection, &tiers);
        let mut wrong = |field: &str, message: String, remedy: String| {
            let line = self.text.find(&format!("\n{field}")).map_or(0, |offset| offset + 1);
            self.problems
                .push(Problem::new(FILE, format!("`{field}` {message}"), remedy).at(self.text, line));
        };
        let limits = raw.limits.checked(&mut wrong);
        let guard = raw.guard.checked(&mut wrong);
        let vetting = self.vetting(raw.vetting);
        let packs = self.packs(raw.pack);
        let webhooks = self.webhooks(raw.webhook);
        let quotas = self.quotas(raw.quota, &tiers);
        Some(Settings {
            name: name?,
            title: raw.title,
            description: raw.description,
            contact: raw.contact,
            identity: identity?,
            unmarked_tlp: unmarked_tlp?,
            tiers,
            collections,
            limits,
            guard,
            vetting,
            packs,
            webhooks,
            quotas,
        })
    }

    fn parsed<T>(&mut self, word: &Spanned<String>, remedy: &str) -> Option<T>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        word.get_ref().parse().map_err(|error: T::Err| self.wrong(word, error.to_string(), remedy)).ok()
    }

    fn tlp(&mut self, word: &Spanned<String>) -> Option<u8> {
        let found = level(&TLP_LEVELS, word.get_ref());
        if found.is_none() {
            let message = format!("`unmarked_tlp` is `{}`", word.get_ref());
            self.wrong(word, message, "use clear, green, amber, amber+strict or red");
        }
        found
    }

    fn identity(&mut self, raw: RawIdentity) -> Option<Identity> {
        let created = self.parsed(&raw.created, "write it as 2012-01-13T00:00:00Z");
        let well_formed = raw.id.get_ref().strip_prefix("identity--").is_some_and(|uuid| {
            // STIX 2.1 §2.9: a UUID in its usual, lower-case form.
            uuid.parse::<CollectionId>().is_ok_and(|parsed| parsed.to_string() == uuid)
        });
        if !well_formed {
            let message = format!("`{}` is not the id of a STIX identity", raw.id.get_ref());
            self.wrong(&raw.id, message, "write `identity--` and a UUID in lower case");
            return None;
        }
        Some(Identity { id: raw.id.into_inner(), name: raw.name, created: created? })
    }

    fn tiers(&mut self, raw: Vec<RawTier>) -> Vec<TierSettings> {
        let mut tiers: Vec<TierSettings> = Vec::new();
        for tier in raw {
            let Some(name) = self.parsed::<Tier>(&tier.name, "give the tier a plain name") else { continue };
            if tiers.iter().any(|known| known.name == name) {
                self.wrong(&tier.name, format!("there are two tiers `{name}`"), "remove one or rename it");
                continue;
            }
            tiers.push(TierSettings { name, title: tier.title, redaction: tier.redaction });
        }
        tiers
    }

    fn collections(&mut self, raw: Vec<RawCollection>, tiers: &[TierSettings]) -> Vec<Collection> {
        let mut collections: Vec<Collection> = Vec::new();
        for collection in raw {
            let Some(collection) = self.collection(collection, tiers, &collections) else { continue };
            collections.push(collection);
        }
        collections
    }

    fn collection(
        &mut self,
        raw: RawCollection,
        tiers: &[TierSettings],
        known: &[Collection],
    ) -> Option<Collection> {
        let id = self.parsed::<CollectionId>(&raw.id, "give the collection a UUID of its own");
        if id.is_some_and(|id| known.iter().any(|other| other.id == id)) {
            let message = format!("two collections have the id `{}`", raw.id.get_ref());
            self.wrong(&raw.id, message, "give each a UUID of its own");
        }
        let alias = raw.alias.get_ref();
        if alias.parse::<ProgrammeName>().is_err() {
            let message = format!("`{alias}` is no alias");
            self.wrong(&raw.alias, message, "use 1 to 64 of a-z, 0-9, - and _, a letter first");
        } else if known.iter().any(|other| other.alias == *alias) {
            let message = format!("two collections have the alias `{alias}`");
            self.wrong(&raw.alias, message, "give each an alias of its own");
        }
        let tier = self.parsed::<Tier>(&raw.tier, "name one of the tiers of this file");
        if let Some(tier) = tier.as_ref().filter(|tier| !tiers.iter().any(|known| known.name == **tier)) {
            let names: Vec<_> = tiers.iter().map(|tier| tier.name.as_str()).collect();
            let message = format!("there is no tier `{tier}`");
            self.wrong(&raw.tier, message, &format!("add it, or use one of {}", names.join(", ")));
        }
        let publishers = self.publishers(raw.publishers);
        let media_types =
            if raw.media_types.is_empty() { vec![STIX_MEDIA_TYPE.to_owned()] } else { raw.media_types };
        Some(Collection {
            id: id?,
            alias: raw.alias.into_inner(),
            title: raw.title,
            description: raw.description,
            tier: tier?,
            media_types,
            shared: raw.shared.unwrap_or(true),
            publishers,
        })
    }

    fn publishers(&mut self, raw: Option<Vec<Spanned<String>>>) -> Publishers {
        let mut publishers = Publishers::default();
        let Some(words) = raw else {
            publishers.roles.insert(Role::Operator);
            return publishers;
        };
        for word in words {
            if publishers.add(word.get_ref()).is_err() {
                let message = format!("`{}` is no publisher", word.get_ref());
                let remedy = "use operator, officer, reviewer, overseer, members, providers, participants or a \
                              member's id such as member:0123456789abcdef";
                self.wrong(&word, message, remedy);
            }
        }
        publishers
    }
}
