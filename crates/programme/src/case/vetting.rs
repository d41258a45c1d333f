//! Vetting cases: ties and expected decisions, "on 2012-03-28 Symantec is suspended on cleared, because ...".
//!
//! A file with `[[vetting]]` tells a story in statements (`[[entity]]`, `[[tie]]`, `[[end]]`, `[[listing]]`,
//! `[[instrument]]`), each with its source, and asks for decisions at several times. This module reads the files and
//! checks what can be checked without judging; `vetting::run_cases` decides and compares.

use std::collections::BTreeSet;

use model::{Grade, Problem, Tier, Timestamp};
use serde::Deserialize;
use ties::{
    Day, End, Ending, Entity, EntityId, ListId, Listing, PartialDate, Period, Said, Source, Statement, Tie,
    TieId, TieKind,
};
use toml::Spanned;

use crate::Settings;
use crate::instruments::Instrument;
use crate::read;

/// The story and the questions of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct VettingCases {
    /// The file's name within the folder.
    pub file: String,
    /// What it is about, for people.
    pub about: String,
    /// What is known, in the order of the file.
    pub statements: Vec<Statement>,
    /// The instruments that were signed.
    pub instruments: Vec<Instrument>,
    /// The questions.
    pub cases: Vec<VettingCase>,
}

/// One question about one entity, and the decision that it has to lead to.
#[derive(Clone, Debug, PartialEq)]
pub struct VettingCase {
    /// Its name, unique in the file.
    pub id: String,
    /// Its line in the file.
    pub line: usize,
    /// Who is vetted.
    pub entity: EntityId,
    /// For which tier.
    pub tier: Tier,
    /// On which day.
    pub on: Day,
    /// As known when; left out, as known at the end of the file.
    pub known: Option<Timestamp>,
    /// The packs that are asked; left out, those in force.
    pub packs: Option<BTreeSet<String>>,
    /// Whether it asks to join; else it is on the list already.
    pub applicant: bool,
    /// The grade that certain facts must lead to.
    pub expect: Grade,
    /// The grade that possible facts must lead to, where the case says.
    pub possible: Option<Grade>,
    /// Rules that have to be among those that apply.
    pub by: BTreeSet<String>,
    /// Ties that the proof has to name.
    pub names: BTreeSet<TieId>,
    /// A set of ties that has to be among the remedies.
    pub remedy: Option<BTreeSet<TieId>>,
    /// The grade that this remedy has to lead to.
    pub leaves: Option<Grade>,
    /// Why, in words.
    pub because: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    about: String,
    #[serde(default)]
    entity: Vec<RawEntity>,
    #[serde(default)]
    tie: Vec<RawTie>,
    #[serde(default)]
    end: Vec<RawEnd>,
    #[serde(default)]
    listing: Vec<RawListing>,
    #[serde(default)]
    instrument: Vec<Instrument>,
    #[serde(default)]
    vetting: Vec<RawCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntity {
    is: Entity,
    #[serde(default)]
    source: Source,
    recorded: Option<PartialDate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTie {
    id: TieId,
    from: EntityId,
    to: EntityId,
    kind: TieKind,
    #[serde(default)]
    valid: Period,
    source: Source,
    recorded: Option<PartialDate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEnd {
    tie: TieId,
    on: PartialDate,
    by: Ending,
    source: Source,
    recorded: Option<PartialDate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawListing {
    list: ListId,
    entity: EntityId,
    entry: Option<String>,
    #[serde(default)]
    valid: Period,
    source: Source,
    recorded: Option<PartialDate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    id: Spanned<String>,
    entity: Spanned<EntityId>,
    tier: Spanned<Tier>,
    on: Day,
    known: Option<Day>,
    packs: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    applicant: bool,
    expect: Grade,
    possible: Option<Grade>,
    #[serde(default)]
    by: BTreeSet<String>,
    #[serde(default)]
    names: BTreeSet<TieId>,
    remedy: Option<BTreeSet<TieId>>,
    leaves: Option<Grade>,
    because: String,
}

/// Whether the file holds vetting cases.
pub(crate) fn is_vetting(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with("[[vetting]]"))
}

/// Reads one file. Without settings, which have problems of their own then, only the shape is checked.
pub(crate) fn read(
    file: &str,
    text: &str,
    settings: Option<&Settings>,
) -> Result<Option<VettingCases>, Vec<Problem>> {
    let raw = read::toml::<Raw>(file, text).map_err(|problem| vec![problem])?;
    let Some(settings) = settings else { return Ok(None) };
    let mut sense = Sense { file, text, settings, problems: Vec::new() };
    let cases = sense.cases(raw);
    if sense.problems.is_empty() { Ok(Some(cases)) } else { Err(sense.problems) }
}

struct Sense<'a> {
    file: &'a str,
    text: &'a str,
    settings: &'a Settings,
    problems: Vec<Problem>,
}

impl Sense<'_> {
    fn wrong<T>(&mut self, at: &Spanned<T>, message: String, remedy: &str) {
        self.problems.push(Problem::new(self.file, message, remedy).at(self.text, at.span().start));
    }

    fn cases(&mut self, raw: Raw) -> VettingCases {
        let statements = self.statements(raw.entity, raw.tie, raw.end, raw.listing);
        let known: BTreeSet<&EntityId> = statements.iter().flat_map(entities_of).collect();
        let ties: BTreeSet<&TieId> = statements.iter().filter_map(tie_of).collect();
        let mut seen = BTreeSet::new();
        let mut cases = Vec::new();
        for case in raw.vetting {
            if !seen.insert(case.id.get_ref().clone()) {
                let message = format!("two cases have the id `{}`", case.id.get_ref());
                self.wrong(&case.id, message, "give each its own");
            }
            if !known.contains(case.entity.get_ref()) {
                let message = format!("no statement of this file is about `{}`", case.entity.get_ref());
                self.wrong(&case.entity, message, "add an [[entity]] or a [[tie]]");
            }
            for tie in case.names.iter().chain(case.remedy.iter().flatten()) {
                if !ties.contains(tie) {
                    self.wrong(&case.id, format!("there is no tie `{tie}`"), "use the id of a [[tie]]");
                }
            }
            cases.push(self.case(case));
        }
        VettingCases {
            file: self.file.to_owned(),
            about: raw.about,
            statements,
            instruments: raw.instrument,
            cases,
        }
    }

    fn case(&mut self, raw: RawCase) -> VettingCase {
        let line = Problem::new(self.file, "", "").at(self.text, raw.id.span().start).line.unwrap_or(1);
        if !self.settings.tiers.iter().any(|tier| tier.name == *raw.tier.get_ref()) {
            let message = format!("there is no tier `{}`", raw.tier.get_ref());
            self.wrong(&raw.tier, message, "use the tiers of programme.toml");
        }
        for pack in raw.packs.iter().flatten() {
            if !self.settings.packs.iter().any(|known| known.name == *pack.get_ref()) {
                let message = format!("there is no pack `{}`", pack.get_ref());
                self.wrong(pack, message, "use the packs of programme.toml");
            }
        }
        VettingCase {
            id: raw.id.into_inner(),
            line,
            entity: raw.entity.into_inner(),
            tier: raw.tier.into_inner(),
            on: raw.on,
            known: raw.known.map(Day::end),
            packs: raw.packs.map(|packs| packs.into_iter().map(Spanned::into_inner).collect()),
            applicant: raw.applicant,
            expect: raw.expect,
            possible: raw.possible,
            by: raw.by,
            names: raw.names,
            remedy: raw.remedy,
            leaves: raw.leaves,
            because: raw.because,
        }
    }

    fn statements(
        &mut self,
        entities: Vec<RawEntity>,
        ties: Vec<RawTie>,
        ends: Vec<RawEnd>,
        listings: Vec<RawListing>,
    ) -> Vec<Statement> {
        let mut made = Made { file: self.file, statements: Vec::new(), problems: Vec::new() };
        for raw in entities {
            made.add("entity", Said::Entity(raw.is), raw.source, raw.recorded, Timestamp::MIN);
        }
        for RawTie { id, from, to, kind, valid, source, recorded } in ties {
            // What a file tells of the past was known when it began, and that it was over when it was over.
            let ended = valid.to.filter(|_| recorded.is_none() && !matches!(kind, TieKind::Plans(_)));
            let valid = Period { to: if ended.is_some() { None } else { valid.to }, ..valid };
            let over = ended.map(|on| (End { tie: id.clone(), on, by: Ending::Completed }, source.clone()));
            let tie = Tie { id, from, to, kind, valid };
            made.add("tie", Said::Tie(tie), source, recorded, beginning(valid));
            if let Some((end, source)) = over {
                let on = end.on.earliest().start();
                made.add("end", Said::End(end), source, None, on);
            }
        }
        for RawEnd { tie, on, by, source, recorded } in ends {
            let end = Said::End(End { tie, on, by });
            made.add("end", end, source, recorded, on.earliest().start());
        }
        for (index, raw) in listings.into_iter().enumerate() {
            let RawListing { list, entity, entry, valid, source, recorded } = raw;
            match format!("listing:{list}:{entity}:{index}").parse() {
                Ok(id) => {
                    let listing = Listing { id, list, entity, entry, valid, with_subsidiaries: false };
                    made.add("listing", Said::Listing(listing), source, recorded, beginning(valid));
                }
                Err(error) => {
                    made.problems.push(Problem::new(self.file, format!("{error}"), "shorten the names"));
                }
            }
        }
        self.problems.append(&mut made.problems);
        made.statements
    }
}

/// Something was known when it began, unless the file says later.
fn beginning(valid: Period) -> Timestamp {
    valid.from.map_or(Timestamp::MIN, |from| from.earliest().start())
}

struct Made<'a> {
    file: &'a str,
    statements: Vec<Statement>,
    problems: Vec<Problem>,
}

impl Made<'_> {
    fn add(&mut self, what: &str, said: Said, source: Source, date: Option<PartialDate>, usual: Timestamp) {
        let number = self.statements.len() + 1;
        let recorded = date.map_or(usual, |date| date.earliest().start());
        match format!("{}#{what}-{number}", self.file).parse() {
            Ok(id) => self.statements.push(Statement { id, said, source, recorded }),
            Err(error) => self.problems.push(Problem::new(self.file, format!("{error}"), "rename the file")),
        }
    }
}

fn entities_of(statement: &Statement) -> Vec<&EntityId> {
    match &statement.said {
        Said::Entity(entity) => vec![&entity.id],
        Said::Tie(tie) => vec![&tie.from, &tie.to],
        Said::Listing(listing) => vec![&listing.entity],
        Said::Same { kept, merged, .. } => vec![kept, merged],
        Said::End(_) | Said::Retraction { .. } => Vec::new(),
    }
}

fn tie_of(statement: &Statement) -> Option<&TieId> {
    match &statement.said {
        Said::Tie(tie) => Some(&tie.id),
        Said::Entity(_) | Said::End(_) | Said::Listing(_) | Said::Same { .. } | Said::Retraction { .. } => {
            None
        }
    }
}
