//! Cases: a programme's rules are tested like code.
//!
//! A case asks one question ("may northwind read a TLP:RED object of `indicators` that names nobody?") and states
//! the answer with its reason. This module reads the files and checks that every name in them refers to something;
//! `release::run_cases` asks the rules. Files with
//! `[[vetting]]` tell of ties and decisions instead; [`vetting`] reads those.

mod vetting;

use std::collections::{BTreeMap, BTreeSet};

use model::{CollectionId, MemberKind, Problem, Role, Standing, Subject, Tier};
use serde::Deserialize;
use toml::Spanned;

use crate::Settings;
use crate::read;
use crate::settings::{PAP_LEVELS, TLP_LEVELS, level};

pub use vetting::{VettingCase, VettingCases};

/// The cases of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct ReleaseCases {
    /// The file's name within the folder.
    pub file: String,
    /// The members that take part.
    pub members: Vec<CaseMember>,
    /// The questions.
    pub cases: Vec<ReleaseCase>,
}

/// A member of a case file; known there by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseMember {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: MemberKind,
    /// Its standing on each tier.
    pub standings: BTreeMap<Tier, Standing>,
    /// What markings may ask about it.
    pub subject: Subject,
}

/// A member, by its place in [`ReleaseCases::members`], or a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseWho {
    /// The member at this index.
    Member(usize),
    /// A role.
    Role(Role),
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseAction {
    /// To be handed an object.
    Read,
    /// To show it to people.
    Display,
    /// To act on it.
    Enforce,
    /// To pass it on.
    Redistribute,
    /// To see a collection.
    List,
    /// To publish to a collection.
    Publish,
}

impl CaseAction {
    /// Every one of them.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Display, Self::Enforce, Self::Redistribute, Self::List, Self::Publish];

    /// The action's name as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Display => "display",
            Self::Enforce => "enforce",
            Self::Redistribute => "redistribute",
            Self::List => "list",
            Self::Publish => "publish",
        }
    }
}

/// The answer that a case states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// Yes.
    Permitted,
    /// No.
    Withheld,
}

/// One question and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ReleaseCase {
    /// Its name, unique in the file.
    pub id: String,
    /// Its line in the file.
    pub line: usize,
    /// Who asks.
    pub who: CaseWho,
    /// For what.
    pub action: CaseAction,
    /// In or of which collection.
    pub collection: CollectionId,
    /// The TLP level, as an index into [`TLP_LEVELS`].
    pub tlp: Option<u8>,
    /// The PAP level, as an index into [`PAP_LEVELS`].
    pub pap: Option<u8>,
    /// ACS markings, as `release` reads them.
    pub acs: Vec<serde_json::Value>,
    /// The AIS consent.
    pub consent: Option<String>,
    /// Markings that the programme does not know.
    pub unknown: BTreeSet<String>,
    /// Who submitted the object.
    pub creator: CaseWho,
    /// The named recipients, as indices of members; `None` is everyone.
    pub audience: Option<BTreeSet<usize>>,
    /// The answer.
    pub expect: Expectation,
    /// The `@id` of a rule that has to be among those that decided.
    pub by: Option<String>,
    /// Why, in words.
    pub because: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    member: Vec<RawMember>,
    #[serde(default)]
    release: Vec<RawCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMember {
    name: Spanned<String>,
    kind: MemberKind,
    #[serde(default)]
    standings: BTreeMap<Tier, Standing>,
    #[serde(default)]
    subject: Subject,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    id: Spanned<String>,
    who: Spanned<String>,
    action: CaseAction,
    collection: Spanned<String>,
    tlp: Option<Spanned<String>>,
    pap: Option<Spanned<String>>,
    #[serde(default)]
    acs: Vec<serde_json::Value>,
    consent: Option<String>,
    #[serde(default)]
    unknown: BTreeSet<String>,
    creator: Option<Spanned<String>>,
    audience: Option<Vec<Spanned<String>>>,
    expect: Expectation,
    by: Option<String>,
    because: String,
}

/// The cases of a folder.
#[derive(Debug, Default)]
pub(crate) struct AllCases {
    pub(crate) release: Vec<ReleaseCases>,
    pub(crate) vetting: Vec<VettingCases>,
}

/// Reads `cases/*.toml`. Without settings, which have problems of their own then, only the shape is checked.
pub(crate) fn read(
    files: &BTreeMap<String, Vec<u8>>,
    settings: Option<&Settings>,
) -> Result<AllCases, Vec<Problem>> {
    let mut all = AllCases::default();
    let mut problems = Vec::new();
    for name in files.keys().filter(|name| name.starts_with("cases/")) {
        match read::text(files, name) {
            Ok(text) if vetting::is_vetting(text) => match vetting::read(name, text, settings) {
                Ok(cases) => all.vetting.extend(cases),
                Err(found) => problems.extend(found),
            },
            Ok(text) => match read::toml::<RawFile>(name, text) {
                Ok(raw) => {
                    let Some(settings) = settings else { continue };
                    let mut sense =
                        Sense { file: name, text, settings, members: Vec::new(), problems: Vec::new() };
                    all.release.push(sense.file(raw));
                    problems.append(&mut sense.problems);
                }
                Err(problem) => problems.push(problem),
            },
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

/// Resolves the names of one file, and collects those that refer to nothing.
struct Sense<'a> {
    file: &'a str,
    text: &'a str,
    settings: &'a Settings,
    members: Vec<CaseMember>,
    problems: Vec<Problem>,
}

impl Sense<'_> {
    fn wrong(&mut self, at: &Spanned<String>, message: String, remedy: &str) {
        self.problems.push(Problem::new(self.file, message, remedy).at(self.text, at.span().start));
    }

    fn file(&mut self, raw: RawFile) -> ReleaseCases {
        for member in raw.member {
            self.member(member);
        }
        let mut cases: Vec<ReleaseCase> = Vec::new();
        for case in raw.release {
            if cases.iter().any(|known| known.id == *case.id.get_ref()) {
                let message = format!("two cases have the id `{}`", case.id.get_ref());
                self.wrong(&case.id, message, "give each its own");
            }
            cases.extend(self.case(case));
        }
        ReleaseCases { file: self.file.to_owned(), members: std::mem::take(&mut self.members), cases }
    }

    fn member(&mut self, raw: RawMember) {
        if self.members.iter().any(|known| known.name == *raw.name.get_ref()) {
            let message = format!("two members are called `{}`", raw.name.get_ref());
            self.wrong(&raw.name, message, "give each a name of its own");
        }
        for tier in raw.standings.keys() {
            if !self.settings.tiers.iter().any(|known| known.name == *tier) {
                let message =
                    format!("`{}` has a standing on `{tier}`, which is no tier", raw.name.get_ref());
                self.wrong(&raw.name, message, "use the tiers of programme.toml");
            }
        }
        self.members.push(CaseMember {
            name: raw.name.into_inner(),
            kind: raw.kind,
            standings: raw.standings,
            subject: raw.subject,
        });
    }

    fn case(&mut self, raw: RawCase) -> Option<ReleaseCase> {
        let line = Problem::new(self.file, "", "").at(self.text, raw.id.span().start).line.unwrap_or(1);
        let who = self.who(&raw.who);
        let creator = raw.creator.map_or(Some(CaseWho::Role(Role::Operator)), |creator| self.who(&creator));
        let alias = raw.collection.get_ref();
        let collection = self.settings.collections.iter().find(|known| known.alias == *alias);
        let collection = collection.map(|found| found.id);
        if collection.is_none() {
            let message = format!("there is no collection `{alias}`");
            self.wrong(&raw.collection, message, "use an alias of programme.toml");
        }
        let tlp = self.level(raw.tlp.as_ref(), &TLP_LEVELS);
        let pap = self.level(raw.pap.as_ref(), &PAP_LEVELS);
        let audience = raw.audience.map(|names| names.iter().filter_map(|name| self.named(name)).collect());
        Some(ReleaseCase {
            id: raw.id.into_inner(),
            line,
            who: who?,
            action: raw.action,
            collection: collection?,
            tlp,
            pap,
            acs: raw.acs,
            consent: raw.consent,
            unknown: raw.unknown,
            creator: creator?,
            audience,
            expect: raw.expect,
            by: raw.by,
            because: raw.because,
        })
    }

    fn who(&mut self, word: &Spanned<String>) -> Option<CaseWho> {
        match word.get_ref().strip_prefix("role:") {
            None => self.named(word).map(CaseWho::Member),
            Some(role) => match role.parse() {
                Ok(role) => Some(CaseWho::Role(role)),
                Err(error) => {
                    self.wrong(word, error.to_string(), "write `role:` and the role's name");
                    None
                }
            },
        }
    }

    fn named(&mut self, word: &Spanned<String>) -> Option<usize> {
        let found = self.members.iter().position(|member| member.name == *word.get_ref());
        if found.is_none() {
            let message = format!("there is no member `{}` in this file", word.get_ref());
            self.wrong(word, message, "add a [[member]] of that name, or write `role:` before a role");
        }
        found
    }

    fn level(&mut self, word: Option<&Spanned<String>>, levels: &[&str]) -> Option<u8> {
        let word = word?;
        let found = level(levels, word.get_ref());
        if found.is_none() {
            let message = format!("`{}` is no level", word.get_ref());
            self.wrong(word, message, &format!("use one of {}", levels.join(", ")));
        }
        found
    }
}
