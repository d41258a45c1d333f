//! Rule packs: `rules/*.cedar`, each a versioned set of rules about ties.
//!
//! A rule is a Cedar policy that `forbid`s; when it applies, it has found something, and its `@grade` says how
//! serious that is. Every rule that applies is reported, and the worst grade counts, so packs only ever add.
//!
//! ```text
//! @id("R8-venture")            what decisions report; unique in the programme
//! @grade("suspend")            disclose, review, condition, suspend or bar
//! @tier("cleared")             the tiers that it is about, with commas between them; left out, every tier
//! @text("...") @source("...")  what it says, and where it comes from
//! @effective_from("2012-01-13") @effective_to("2013-01-16")     left out, open
//! @suspended("2025-11-10/2026-11-10@2025-11-10")                times at which it was out of force, and since when
//!                                                               that is known; left out, it always was
//! @recorded("2025-09-29")                                       since when this programme knows it
//! forbid (principal, action == Action::"vet", resource) when { context.venture_concern >= 1000 };
//! ```

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Effect, Policy, PolicyId};
use model::{Grade, Problem, Tier, Timestamp};
use serde::Serialize;
use ties::{Day, PartialDate, Period, Truth};

use crate::Policies;
use crate::cedar::PolicyFile;
use crate::read;
use crate::settings::{PackSettings, Settings};

/// The action that a rule speaks of.
const VET: &str = "Action::\"vet\"";

/// A versioned set of rules.
#[derive(Clone, Debug)]
pub struct Pack {
    /// What `programme.toml` says of it.
    pub about: PackSettings,
    /// Its file within the folder.
    pub file: String,
    /// Its rules, in the order of the file.
    pub rules: Vec<PackRule>,
}

/// One rule about ties.
#[derive(Clone, Debug)]
pub struct PackRule {
    /// Its `@id`, unique in the programme.
    pub id: String,
    /// How serious it is when it applies.
    pub grade: Grade,
    /// The tiers that it is about; `None` is all of them.
    pub tiers: Option<BTreeSet<Tier>>,
    /// What it says, for people.
    pub text: String,
    /// Where it comes from.
    pub source: String,
    /// When it is in effect.
    pub effective: Period,
    /// When, within that, it was out of force.
    pub suspended: Vec<Suspension>,
    /// Since when the programme knows it; left out, it always did.
    pub recorded: Option<Day>,
    /// Its line in the file.
    pub line: usize,
    /// The rule itself, with its `@id` as Cedar's identifier.
    pub policy: Policy,
}

/// A time at which a rule was out of force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Suspension {
    /// When.
    #[serde(flatten)]
    pub out: Period,
    /// Since when the programme knows it; left out, it always did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Day>,
}

impl Suspension {
    /// Whether it suspends on a day, as known at an instant.
    #[must_use]
    pub fn holds(&self, day: Day, known: Timestamp) -> bool {
        self.out.holds(day) == Truth::Certain
            && self.recorded.is_none_or(|recorded| recorded.start() <= known)
    }
}

impl PackRule {
    /// Whether the rule counts for a tier on a day, as known at an instant.
    #[must_use]
    pub fn counts(&self, tier: &Tier, day: Day, known: Timestamp) -> bool {
        self.tiers.as_ref().is_none_or(|tiers| tiers.contains(tier))
            && self.effective.holds(day) != Truth::No
            && !self.suspended.iter().any(|suspension| suspension.holds(day, known))
            && self.recorded.is_none_or(|recorded| recorded.start() <= known)
    }
}

/// Reads the packs that `programme.toml` names. A file that it does not name is a fault: its rules would not count.
pub(crate) fn read(
    files: &BTreeMap<String, Vec<u8>>,
    settings: &Settings,
    policies: &Policies,
) -> Result<Vec<Pack>, Vec<Problem>> {
    let mut problems = Vec::new();
    for name in files.keys().filter(|name| name.starts_with("rules/")) {
        if !settings.packs.iter().any(|pack| file_of(pack) == *name) {
            let message = "programme.toml has no [[pack]] for this file, so its rules would not count";
            problems.push(Problem::new(name, message, "add a [[pack]] with its name, or remove the file"));
        }
    }
    let mut packs = Vec::new();
    let mut ids = BTreeSet::new();
    for about in &settings.packs {
        let file = file_of(about);
        let parsed = read::text(files, &file)
            .map_err(|problem| vec![problem])
            .and_then(|text| PolicyFile::parse(&file, text));
        match parsed {
            Ok(parsed) => {
                problems.extend(parsed.invalid(policies.schema()));
                let rules = rules_of(&parsed, settings, &mut ids, &mut problems);
                packs.push(Pack { about: about.clone(), file: file.clone(), rules });
            }
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(packs) } else { Err(problems) }
}

fn file_of(pack: &PackSettings) -> String {
    format!("rules/{}.cedar", pack.name)
}

fn rules_of(
    file: &PolicyFile<'_>,
    settings: &Settings,
    ids: &mut BTreeSet<String>,
    problems: &mut Vec<Problem>,
) -> Vec<PackRule> {
    let mut rules = Vec::new();
    for policy in file.set.policies() {
        match rule_of(file, policy, settings) {
            Ok(rule) => {
                if !ids.insert(rule.id.clone()) {
                    let message = format!("two rules have the @id `{}`", rule.id);
                    problems.push(file.at(Problem::new(file.name, message, "give each its own"), policy));
                }
                rules.push(rule);
            }
            Err(found) => problems.extend(found.into_iter().map(|problem| file.at(problem, policy))),
        }
    }
    rules.sort_by_key(|rule| rule.line);
    rules
}

fn rule_of(file: &PolicyFile<'_>, policy: &Policy, settings: &Settings) -> Result<PackRule, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut wrong = |message: String, remedy: &str| problems.push(Problem::new(file.name, message, remedy));
    let mut required = |key: &str, why: &str| match policy.annotation(key) {
        Some(value) if !value.trim().is_empty() => value.trim().to_owned(),
        Some(_) | None => {
            wrong(format!("this rule has no `@{key}`"), why);
            String::new()
        }
    };
    let id = required("id", "give it a name that decisions can report");
    let grade = required("grade", "say how serious it is: disclose, review, condition, suspend or bar");
    let text = required("text", "say in a sentence what it finds");
    let source = required("source", "say where the rule comes from");
    let grade = match grade.parse() {
        Ok(Grade::Clear) => {
            wrong("the grade `clear` finds nothing".to_owned(), "use disclose or worse");
            Grade::Clear
        }
        Ok(grade) => grade,
        Err(error) => {
            if !grade.is_empty() {
                wrong(format!("{error}"), "use one of these words");
            }
            Grade::Clear
        }
    };
    if policy.effect() == Effect::Permit {
        wrong(
            "the rule permits".to_owned(),
            "write `forbid`: a rule states what it finds, and its @grade how bad that is",
        );
    }
    if !policy.to_cedar().unwrap_or_default().contains(VET) {
        wrong(format!("the rule is not about {VET}"), "write `action == Action::\"vet\"`");
    }
    let tiers = policy.annotation("tier").map(|words| tiers_of(words, settings, &mut wrong));
    let mut date = |key: &str| {
        let text = policy.annotation(key)?;
        text.parse::<PartialDate>().map_err(|error| wrong(format!("@{key}: {error}"), "write a date")).ok()
    };
    let effective = Period { from: date("effective_from"), to: date("effective_to") };
    let recorded = date("recorded").map(PartialDate::earliest);
    let suspended = suspended_of(policy, &mut wrong);
    if effective.is_backwards() {
        wrong("the rule ends before it begins".to_owned(), "exchange @effective_from and @effective_to");
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let line = file.at(Problem::new(file.name, "", ""), policy).line.unwrap_or(1);
    let policy = policy.new_id(PolicyId::new(&id));
    Ok(PackRule { id, grade, tiers, text, source, effective, suspended, recorded, line, policy })
}

fn tiers_of(words: &str, settings: &Settings, wrong: &mut impl FnMut(String, &str)) -> BTreeSet<Tier> {
    let mut tiers = BTreeSet::new();
    for word in words.split(',').map(str::trim) {
        match settings.tiers.iter().find(|tier| tier.name.as_str() == word) {
            Some(tier) => drop(tiers.insert(tier.name.clone())),
            None => wrong(format!("@tier: there is no tier `{word}`"), "use the tiers of programme.toml"),
        }
    }
    tiers
}

fn suspended_of(policy: &Policy, wrong: &mut impl FnMut(String, &str)) -> Vec<Suspension> {
    let words = policy.annotation("suspended").unwrap_or_default();
    let mut periods = Vec::new();
    for window in words.split(',').map(str::trim).filter(|window| !window.is_empty()) {
        match suspension_of(window) {
            Some(suspension) if !suspension.out.is_backwards() => periods.push(suspension),
            Some(_) | None => wrong(
                format!("@suspended: `{window}` is no period"),
                "write 2025-11-10/2026-11-10, or 2025-11-10/2026-11-10@2025-11-10 if it was known since that day",
            ),
        }
    }
    periods
}

fn suspension_of(window: &str) -> Option<Suspension> {
    let (period, recorded) = match window.split_once('@') {
        Some((period, recorded)) => (period, Some(recorded.parse::<PartialDate>().ok()?.earliest())),
        None => (window, None),
    };
    let (from, to) = period.split_once('/')?;
    let to = if to.is_empty() { None } else { Some(to.parse().ok()?) };
    Some(Suspension { out: Period { from: Some(from.parse().ok()?), to }, recorded })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspension_counts_once_it_is_known() {
        let at = |text: &str| format!("{text}T12:00:00Z").parse::<Timestamp>().unwrap();
        let cases = [
            // window                             day           known         out of force?
            ("2025-11-10/2026-11-10@2025-11-10", "2025-12-01", "2025-12-01", true),
            ("2025-11-10/2026-11-10@2025-11-10", "2025-12-01", "2025-11-10", true),
            ("2025-11-10/2026-11-10@2025-11-10", "2025-12-01", "2025-11-09", false),
            ("2025-11-10/2026-11-10@2025-11-10", "2026-11-10", "2026-12-01", false),
            ("2025-11-10/2026-11-10@2025-11-10", "2025-11-09", "2026-12-01", false),
            ("2025-11-10/2026-11-10", "2025-12-01", "2025-10-15", true),
            ("2025-11-10/@2026-01", "2031-01-01", "2026-01-01", true),
            ("2025-11-10/@2026-01", "2031-01-01", "2025-12-31", false),
        ];
        for (window, day, known, out) in cases {
            let suspension = suspension_of(window).unwrap();
            assert_eq!(suspension.holds(day.parse().unwrap(), at(known)), out, "{window} {day} {known}");
        }
        for window in
            ["2025-11-10", "@2025-11-10", "2025-11-10/2026-11-10@", "2025-11-10/2026-11-10@soon", "x/y"]
        {
            assert_eq!(suspension_of(window), None, "{window}");
        }
    }
}
