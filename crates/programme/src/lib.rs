//! A programme: one sharing community and its rules, as a folder of text.
//!
//! ```text
//! programme.toml      name, identity, tiers, collections, limits
//! schema.cedarschema  the vocabulary of the policies
//! release.cedar       who may read, enforce, redistribute which label; who may publish where
//! rules/*.cedar       rule packs: which ties lead to which grade, on which tier, since when
//! lists/*.csv         parties of concern, with source and dates
//! lists/allow.txt     what no guard may act on
//! instruments.toml    kinds of mitigation, and what each does to ties
//! attestation.toml    what members are asked about themselves
//! cases/*.toml        questions and the answers that the rules have to give
//! ```
//!
//! This crate reads the folder, says everything that is wrong with it at once, each fault with file, line and
//! remedy, and hands it on as checked values. It decides nothing: `release` asks the policies, `vetting` the rule
//! packs. Holding a [`Programme`] means that its policies parse, pass strict validation against its schema and
//! carry `@id`, `@text` and `@source`, and that every name in `programme.toml` refers to something.
//!
//! A programme is known by its [`digest`](Programme::digest), so that a ledger can say which version decided. The
//! digest covers every file's name and bytes, and [`files`](Programme::files) gives them back for storing.
//!
//! Worked example: [`template`] is the folder `programmes/jcsp`, compiled in. Loading it gives three tiers (`open`,
//! `programme`, `cleared`) and four collections; taking the line `@id("tlp-red")` out of its `release.cedar` makes
//! loading fail with ``release.cedar:72: this policy has no `@id`; give it a name that verdicts can report``.

mod allow;
mod attestation;
mod case;
mod cedar;
mod difference;
mod folder;
mod instruments;
mod lists;
mod packs;
mod policies;
mod read;
mod settings;
mod template;

use std::collections::BTreeMap;
use std::path::Path;

use model::{CollectionId, Problem, Problems, Tier};
use sha2::{Digest, Sha256};
use ties::Statement;

use case::AllCases;

pub use attestation::{Question, Questionnaire};
pub use case::{
    CaseAction, CaseMember, CaseWho, Expectation, ReleaseCase, ReleaseCases, VettingCase, VettingCases,
};
pub use difference::{Aspect, Change, Difference, FileChange, Line, RuleChange};
pub use instruments::{DutyKind, Instrument, InstrumentKind, Transform};
pub use packs::{Pack, PackRule, Suspension};
pub use policies::{Policies, Rule};
pub use settings::{
    ALERT_KINDS, Collection, GuardSettings, Identity, Limits, PAP_LEVELS, PackSettings, Publishers,
    QuotaSettings, STIX_MEDIA_TYPE, Settings, TLP_LEVELS, TierSettings, VettingSettings, WebhookSettings,
    Whose,
};
pub use template::template;

/// A programme's folder, loaded and checked.
#[derive(Debug)]
pub struct Programme {
    files: BTreeMap<String, Vec<u8>>,
    digest: String,
    settings: Settings,
    policies: Policies,
    packs: Vec<Pack>,
    lists: Vec<Statement>,
    allow: Vec<String>,
    instruments: Vec<InstrumentKind>,
    questionnaire: Option<Questionnaire>,
    cases: AllCases,
}

impl Programme {
    /// Loads the folder `dir`.
    ///
    /// # Errors
    ///
    /// Lists everything that is wrong with the folder, not only the first fault.
    pub fn load(dir: &Path) -> Result<Self, Problems> {
        Self::from_files(&folder::read(dir)?)
    }

    /// Loads a folder from its files' names, with `/` between their parts, and bytes.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn from_files(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, Problems> {
        let mut problems = folder::misplaced(files);
        let mut gather = |found: Vec<Problem>| problems.extend(found);
        let settings = settings::read(files).map_err(&mut gather).ok();
        let policies = policies::read(files).map_err(&mut gather).ok();
        let lists = lists::read(files).map_err(&mut gather).ok();
        let allow = allow::read(files).map_err(&mut gather).ok();
        let questionnaire = attestation::read(files).map_err(&mut gather).ok();
        let cases = case::read(files, settings.as_ref()).map_err(&mut gather).ok();
        let instruments = settings
            .as_ref()
            .and_then(|settings| instruments::read(files, settings).map_err(&mut gather).ok());
        let packs = settings.as_ref().zip(policies.as_ref()).and_then(|(settings, policies)| {
            packs::read(files, settings, policies).map_err(&mut gather).ok()
        });
        let whole = (settings, policies, lists, allow, questionnaire, cases, instruments, packs);
        let (
            Some(settings),
            Some(policies),
            Some(lists),
            Some(allow),
            Some(questionnaire),
            Some(cases),
            Some(instruments),
            Some(packs),
        ) = whole
        else {
            return Err(Problems::new(problems));
        };
        if !problems.is_empty() {
            return Err(Problems::new(problems));
        }
        let (files, digest) = (files.clone(), digest(files));
        Ok(Self { files, digest, settings, policies, packs, lists, allow, instruments, questionnaire, cases })
    }

    /// The folder's files, by name. [`from_files`](Self::from_files) makes the same programme of them.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// SHA-256 over the sorted files, in lower-case hex: for each file the length of its name, its name, the length
    /// of its content and its content, lengths as 8 bytes with the most significant first.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What `programme.toml` says.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The schema and the release policies.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// The release cases, by file.
    #[must_use]
    pub fn cases(&self) -> &[ReleaseCases] {
        &self.cases.release
    }

    /// The vetting cases, by file.
    #[must_use]
    pub fn vetting_cases(&self) -> &[VettingCases] {
        &self.cases.vetting
    }

    /// The rule packs, in the order of `programme.toml`.
    #[must_use]
    pub fn packs(&self) -> &[Pack] {
        &self.packs
    }

    /// What the folder's own lists say.
    #[must_use]
    pub fn lists(&self) -> &[Statement] {
        &self.lists
    }

    /// What no guard may act on: names with all below them, addresses, networks.
    #[must_use]
    pub fn allow(&self) -> &[String] {
        &self.allow
    }

    /// The kinds of mitigation that it knows.
    #[must_use]
    pub fn instruments(&self) -> &[InstrumentKind] {
        &self.instruments
    }

    /// The questionnaire that members answer, if it has one.
    #[must_use]
    pub fn questionnaire(&self) -> Option<&Questionnaire> {
        self.questionnaire.as_ref()
    }

    /// The collection with this identifier.
    #[must_use]
    pub fn collection(&self, id: &CollectionId) -> Option<&Collection> {
        self.settings.collections.iter().find(|collection| collection.id == *id)
    }

    /// The collection with this identifier, in its one spelling, or with this alias.
    #[must_use]
    pub fn find_collection(&self, id_or_alias: &str) -> Option<&Collection> {
        let id = id_or_alias.parse::<CollectionId>().ok();
        self.settings
            .collections
            .iter()
            .find(|collection| Some(collection.id) == id || collection.alias == id_or_alias)
    }

    /// The tier with this name.
    #[must_use]
    pub fn tier(&self, name: &Tier) -> Option<&TierSettings> {
        self.settings.tiers.iter().find(|tier| tier.name == *name)
    }
}

fn digest(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hash = Sha256::new();
    for (name, content) in files {
        for part in [name.as_bytes(), content] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests;
