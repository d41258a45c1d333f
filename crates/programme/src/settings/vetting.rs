//! `[vetting]` and `[[pack]]`: what the programme means by foreign, adverse and of concern, its rule packs, and the
//! times that people have.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use ties::ListId;
use toml::Spanned;

use super::Sense;

/// How the programme vets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VettingSettings {
    /// The programme's own countries, as ISO 3166 codes; everyone else is foreign.
    pub home: BTreeSet<String>,
    /// Countries whose owners may be relieved of what an instrument closes.
    pub allied: BTreeSet<String>,
    /// The list that names adverse states.
    pub adversaries: ListId,
    /// The lists whose entries are parties of concern.
    pub concern: BTreeSet<ListId>,
    /// The lists that the 50 % rules start from; left out, every list.
    pub blocked: BTreeSet<ListId>,
    /// The sectors in which content is exchanged: a venture with a party of concern in one of these is worse.
    pub exchanged_sectors: BTreeSet<String>,
    /// Points for the aggregate judgement (R21), by the name of a fact that is yes or no.
    pub score: BTreeMap<String, u32>,
    /// How many different people a removal, a return or a decision against the rules needs.
    pub quorum: u32,
    /// How long a review may take, in days. When it is overdue, the member is taken off the list until it is done.
    pub review_days: u32,
    /// How long a member on the list may negotiate a mitigation, in days.
    pub grace_days: u32,
    /// How long a member may appeal against a decision, in days.
    pub appeal_days: u32,
    /// How long a member has to return or dispose of what it holds, in days.
    pub disposal_days: u32,
    /// How often a member attests, in days.
    pub attestation_days: u32,
    /// How long a member has to report a change, in days (R22).
    pub report_days: u32,
}

impl Default for VettingSettings {
    fn default() -> Self {
        let list = |text: &str| text.parse().expect("a plain word is a list's name");
        Self {
            home: BTreeSet::new(),
            allied: BTreeSet::new(),
            adversaries: list("adversaries"),
            concern: BTreeSet::from([list("concern")]),
            blocked: BTreeSet::new(),
            exchanged_sectors: BTreeSet::new(),
            score: BTreeMap::new(),
            quorum: 2,
            review_days: 30,
            grace_days: 90,
            appeal_days: 30,
            disposal_days: 30,
            attestation_days: 365,
            report_days: 30,
        }
    }
}

/// A rule pack, as `programme.toml` speaks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackSettings {
    /// Its name: its rules are in `rules/{name}.cedar`.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its version.
    pub version: String,
    /// Where it comes from, and as of when.
    pub source: String,
    /// What it is not.
    pub notice: String,
    /// Whether its rules count. One that does not can still be asked for by name, to see what would be.
    pub in_force: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVetting {
    #[serde(default)]
    home: Vec<Spanned<String>>,
    #[serde(default)]
    allied: Vec<Spanned<String>>,
    adversaries: Option<ListId>,
    concern: Option<BTreeSet<ListId>>,
    #[serde(default)]
    blocked: BTreeSet<ListId>,
    #[serde(default)]
    exchanged_sectors: BTreeSet<String>,
    #[serde(default)]
    score: BTreeMap<String, u32>,
    quorum: Option<u32>,
    review_days: Option<u32>,
    grace_days: Option<u32>,
    appeal_days: Option<u32>,
    disposal_days: Option<u32>,
    attestation_days: Option<u32>,
    report_days: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPack {
    name: Spanned<String>,
    title: String,
    version: String,
    source: String,
    notice: String,
    in_force: Option<bool>,
}

impl Sense<'_> {
    pub(super) fn vetting(&mut self, raw: RawVetting) -> VettingSettings {
        let usual = VettingSettings::default();
        VettingSettings {
            home: self.countries(raw.home),
            allied: self.countries(raw.allied),
            adversaries: raw.adversaries.unwrap_or(usual.adversaries),
            concern: raw.concern.unwrap_or(usual.concern),
            blocked: raw.blocked,
            exchanged_sectors: raw.exchanged_sectors,
            score: raw.score,
            quorum: raw.quorum.unwrap_or(usual.quorum).max(1),
            review_days: raw.review_days.unwrap_or(usual.review_days),
            grace_days: raw.grace_days.unwrap_or(usual.grace_days),
            appeal_days: raw.appeal_days.unwrap_or(usual.appeal_days),
            disposal_days: raw.disposal_days.unwrap_or(usual.disposal_days),
            attestation_days: raw.attestation_days.unwrap_or(usual.attestation_days),
            report_days: raw.report_days.unwrap_or(usual.report_days),
        }
    }

    fn countries(&mut self, words: Vec<Spanned<String>>) -> BTreeSet<String> {
        let mut countries = BTreeSet::new();
        for word in words {
            let code = word.get_ref();
            if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) {
                countries.insert(word.into_inner());
            } else {
                let message = format!("`{code}` is no country");
                self.wrong(&word, message, "write its ISO 3166 code, two capital letters");
            }
        }
        countries
    }

    pub(super) fn packs(&mut self, raw: Vec<RawPack>) -> Vec<PackSettings> {
        let mut packs: Vec<PackSettings> = Vec::new();
        for pack in raw {
            let name = pack.name.get_ref();
            if name.is_empty()
                || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            {
                self.wrong(&pack.name, format!("`{name}` is no name of a pack"), "use a-z, 0-9 and -");
            } else if packs.iter().any(|known| known.name == *name) {
                self.wrong(&pack.name, format!("there are two packs `{name}`"), "remove one or rename it");
            }
            packs.push(PackSettings {
                name: pack.name.into_inner(),
                title: pack.title,
                version: pack.version,
                source: pack.source,
                notice: pack.notice,
                in_force: pack.in_force.unwrap_or(true),
            });
        }
        packs
    }
}
