//! What differs between two versions of a programme: rule by rule, for people who have to agree to it, and line by line.
//!
//! A rule is the same rule in both versions if it has the same `@id`. What is said of it is compared aspect by aspect, so
//! that a source that was corrected does not look like another rule:
//!
//! ```text
//! foreign-stake   changed   grade   suspend -> bar
//!                           text    "25 % or more ..." -> "20 % or more ..."
//!                           condition (the files' lines have it)
//! ```

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Policy;
use model::{Grade, Tier};
use serde::Serialize;
use ties::Period;

use crate::{PackRule, Programme};

/// How many lines of a file are compared one by one; of more, what lies between the lines that are the same at the
/// beginning and at the end counts as replaced.
const COMPARED_MAX: usize = 1_500;
/// How many lines of each file are told.
const LINES_TOLD: usize = 400;
/// How many lines that stayed are told around those that did not.
const CONTEXT: usize = 2;

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Only the later version has it.
    Added,
    /// Only the earlier version has it.
    Removed,
    /// Both have it, and not the same.
    Changed,
}

/// An aspect of a rule that is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Aspect {
    /// Which: `grade`, `tiers`, `text`, `source`, `effective`, `suspended`, `recorded`, `pack`, `in force`, `condition`.
    pub what: &'static str,
    /// As it was.
    pub from: String,
    /// As it is.
    pub to: String,
}

/// A rule that is another, is new, or is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    /// Its `@id`.
    pub rule: String,
    /// The pack; none for a rule about who may have what.
    pub pack: Option<String>,
    /// What became of it.
    pub change: Change,
    /// What it says, in the later version that has it.
    pub text: String,
    /// Its grade there, for a rule about ties.
    pub grade: Option<Grade>,
    /// What of it is another.
    pub aspects: Vec<Aspect>,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Whether the line came, went, or, without a value, stayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// What it says.
    pub text: String,
}

/// A file that is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its name within the folder.
    pub file: String,
    /// What became of it.
    pub change: Change,
    /// How many lines came.
    pub added: usize,
    /// How many lines went.
    pub removed: usize,
    /// What changed with the lines around it, as much as is told; a gap between two stretches is a line `...`.
    pub lines: Vec<Line>,
    /// Whether more changed than is told.
    pub is_cut_short: bool,
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Rules about ties, by pack and id.
    pub rules: Vec<RuleChange>,
    /// Rules about who may have what, by id.
    pub release: Vec<RuleChange>,
    /// The files, by name.
    pub files: Vec<FileChange>,
}

impl Difference {
    /// What `to` has other than `from`.
    #[must_use]
    pub fn between(from: &Programme, to: &Programme) -> Self {
        Self { rules: rules(from, to), release: release(from, to), files: files(from, to) }
    }
}

/// A rule with its pack's name and whether that is in force.
type Packed<'p> = (&'p str, bool, &'p PackRule);

fn packed(programme: &Programme) -> BTreeMap<&str, Packed<'_>> {
    let packs = programme.packs().iter();
    let rules = packs.flat_map(|pack| {
        pack.rules
            .iter()
            .map(|rule| (rule.id.as_str(), (pack.about.name.as_str(), pack.about.in_force, rule)))
    });
    rules.collect()
}

fn rules(from: &Programme, to: &Programme) -> Vec<RuleChange> {
    let (old, new) = (packed(from), packed(to));
    let ids: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let mut changes: Vec<RuleChange> = ids
        .into_iter()
        .filter_map(|id| {
            let (before, after) = (old.get(id), new.get(id));
            let (pack, _, rule) = after.or(before)?;
            let (change, aspects) = match (before, after) {
                (Some(before), Some(after)) => (Change::Changed, aspects(before, after)),
                (None, _) => (Change::Added, Vec::new()),
                (_, None) => (Change::Removed, Vec::new()),
            };
            (change != Change::Changed || !aspects.is_empty()).then(|| RuleChange {
                rule: id.to_owned(),
                pack: Some((*pack).to_owned()),
                change,
                text: rule.text.clone(),
                grade: Some(rule.grade),
                aspects,
            })
        })
        .collect();
    changes.sort_by(|a, b| (&a.pack, &a.rule).cmp(&(&b.pack, &b.rule)));
    changes
}

fn aspects((pack, in_force, rule): &Packed<'_>, (new_pack, new_in_force, new): &Packed<'_>) -> Vec<Aspect> {
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let recorded = |rule: &PackRule| rule.recorded.map_or("always".to_owned(), |day| day.to_string());
    let suspended = |rule: &PackRule| {
        let periods: Vec<String> = rule
            .suspended
            .iter()
            .map(|suspension| match suspension.recorded {
                Some(recorded) => format!("{} known since {recorded}", period(suspension.out)),
                None => period(suspension.out),
            })
            .collect();
        if periods.is_empty() { "never".to_owned() } else { periods.join(", ") }
    };
    let pairs = [
        ("pack", (*pack).to_owned(), (*new_pack).to_owned()),
        ("in force", yes(*in_force), yes(*new_in_force)),
        ("grade", rule.grade.to_string(), new.grade.to_string()),
        ("tiers", tiers(rule.tiers.as_ref()), tiers(new.tiers.as_ref())),
        ("text", rule.text.clone(), new.text.clone()),
        ("source", rule.source.clone(), new.source.clone()),
        ("effective", period(rule.effective), period(new.effective)),
        ("out of force", suspended(rule), suspended(new)),
        ("known since", recorded(rule), recorded(new)),
        ("condition", condition(&rule.policy), condition(&new.policy)),
    ];
    different(pairs)
}

fn different<const N: usize>(pairs: [(&'static str, String, String); N]) -> Vec<Aspect> {
    let other = pairs.into_iter().filter(|(_, from, to)| from != to);
    other.map(|(what, from, to)| Aspect { what, from, to }).collect()
}

fn tiers(tiers: Option<&BTreeSet<Tier>>) -> String {
    let Some(tiers) = tiers else { return "all".to_owned() };
    tiers.iter().map(Tier::as_str).collect::<Vec<_>>().join(", ")
}

fn period(period: Period) -> String {
    let end = |date: Option<ties::PartialDate>| date.map_or("open".to_owned(), |date| date.to_string());
    format!("{} to {}", end(period.from), end(period.to))
}

/// What a policy demands, without its annotations and however it is laid out.
fn condition(policy: &Policy) -> String {
    let Ok(mut json) = policy.to_json() else { return policy.to_string() };
    if let Some(fields) = json.as_object_mut() {
        fields.remove("annotations");
    }
    json.to_string()
}

fn release(from: &Programme, to: &Programme) -> Vec<RuleChange> {
    fn known(programme: &Programme) -> BTreeMap<String, (&crate::Rule, String)> {
        let conditions: BTreeMap<String, String> = programme
            .policies()
            .release()
            .policies()
            .filter_map(|policy| {
                Some((programme.policies().rule(policy.id())?.id.clone(), condition(policy)))
            })
            .collect();
        let rules = programme.policies().rules().into_iter();
        rules
            .map(|rule| {
                let condition = conditions.get(&rule.id).cloned().unwrap_or_default();
                (rule.id.clone(), (rule, condition))
            })
            .collect()
    }
    let (old, new) = (known(from), known(to));
    let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |id: &String| {
        let (before, after) = (old.get(id), new.get(id));
        let rule = after.or(before)?.0;
        let (change, aspects) = match (before, after) {
            (Some((rule, condition)), Some((newer, other))) => {
                let word = |rule: &crate::Rule| if rule.forbids { "forbids" } else { "permits" }.to_owned();
                let pairs = [
                    ("effect", word(rule), word(newer)),
                    ("text", rule.text.clone(), newer.text.clone()),
                    ("source", rule.source.clone(), newer.source.clone()),
                    ("condition", condition.clone(), other.clone()),
                ];
                (Change::Changed, different(pairs))
            }
            (None, _) => (Change::Added, Vec::new()),
            (_, None) => (Change::Removed, Vec::new()),
        };
        (change != Change::Changed || !aspects.is_empty()).then(|| RuleChange {
            rule: id.clone(),
            pack: None,
            change,
            text: rule.text.clone(),
            grade: None,
            aspects,
        })
    };
    ids.into_iter().filter_map(change).collect()
}

fn files(from: &Programme, to: &Programme) -> Vec<FileChange> {
    let names: BTreeSet<&String> = from.files().keys().chain(to.files().keys()).collect();
    let text = |bytes: Option<&Vec<u8>>| {
        bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    };
    let change = |name: &String| {
        let (before, after) = (from.files().get(name), to.files().get(name));
        if before == after {
            return None;
        }
        let change = match (before, after) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            (Some(_), Some(_)) => Change::Changed,
        };
        Some(file(name, change, &text(before), &text(after)))
    };
    names.into_iter().filter_map(change).collect()
}

fn file(name: &str, change: Change, before: &str, after: &str) -> FileChange {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let lines = lines(&old, &new);
    let count = |which: Change| lines.iter().filter(|(change, _)| *change == Some(which)).count();
    let (added, removed) = (count(Change::Added), count(Change::Removed));
    let (lines, is_cut_short) = told(&lines);
    FileChange { file: name.to_owned(), change, added, removed, lines, is_cut_short }
}

/// A line, and what became of it.
type Marked<'l> = (Option<Change>, &'l str);

/// Both texts as one: the lines that stayed, went and came, in order.
fn lines<'l>(old: &[&'l str], new: &[&'l str]) -> Vec<Marked<'l>> {
    let same = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old[same..].iter().rev().zip(new[same..].iter().rev());
    let tail = rest.take_while(|(a, b)| a == b).count();
    let (between, other) = (&old[same..old.len() - tail], &new[same..new.len() - tail]);
    let mut marked: Vec<Marked<'l>> = old[..same].iter().map(|line| (None, *line)).collect();
    if between.len().max(other.len()) > COMPARED_MAX {
        marked.extend(between.iter().map(|line| (Some(Change::Removed), *line)));
        marked.extend(other.iter().map(|line| (Some(Change::Added), *line)));
    } else {
        marked.extend(aligned(between, other));
    }
    marked.extend(old[old.len() - tail..].iter().map(|line| (None, *line)));
    marked
}

/// A longest common subsequence of lines (Wagner and Fischer), with what is not in it.
fn aligned<'l>(old: &[&'l str], new: &[&'l str]) -> Vec<Marked<'l>> {
    let width = new.len() + 1;
    // How many lines what is left of both has in common, from each pair of places on.
    let mut common = vec![0_u16; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = if old[i] == new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut marked = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            marked.push((None, old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[(i + 1) * width + j] >= common[i * width + j + 1]
        {
            marked.push((Some(Change::Removed), old[i]));
            i += 1;
        } else {
            marked.push((Some(Change::Added), new[j]));
            j += 1;
        }
    }
    marked
}

/// What changed, with some lines around it.
fn told(lines: &[Marked<'_>]) -> (Vec<Line>, bool) {
    let mut is_near = vec![false; lines.len()];
    for (at, _) in lines.iter().enumerate().filter(|(_, (change, _))| change.is_some()) {
        let near = at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(lines.len());
        is_near[near].fill(true);
    }
    let mut told = Vec::new();
    let mut last = None;
    for (at, (change, text)) in lines.iter().enumerate().filter(|(at, _)| is_near[*at]) {
        if told.len() >= LINES_TOLD {
            return (told, true);
        }
        if last.is_some_and(|last| last + 1 < at) {
            told.push(Line { change: None, text: "...".to_owned() });
        }
        told.push(Line { change: *change, text: (*text).to_owned() });
        last = Some(at);
    }
    (told, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(edit: impl Fn(&mut BTreeMap<String, Vec<u8>>)) -> Difference {
        let from = crate::template();
        let mut to = from.clone();
        edit(&mut to);
        let load = |files| Programme::from_files(files).unwrap_or_else(|error| panic!("{error}"));
        Difference::between(&load(&from), &load(&to))
    }

    fn replace(files: &mut BTreeMap<String, Vec<u8>>, name: &str, from: &str, to: &str) {
        let text = String::from_utf8(files[name].clone()).unwrap();
        assert!(text.contains(from), "{name} has no `{from}`");
        files.insert(name.to_owned(), text.replacen(from, to, 1).into_bytes());
    }

    #[test]
    fn a_version_is_as_itself() {
        assert_eq!(changed(|_| ()), Difference::default());
    }

    #[test]
    fn a_rule_that_is_worded_otherwise_is_the_same_rule() {
        let file = crate::template().keys().find(|name| name.starts_with("rules/")).unwrap().clone();
        let found = changed(|files| replace(files, &file, "@text(\"", "@text(\"As of now: "));
        let [rule] = found.rules.as_slice() else { panic!("{:?}", found.rules) };
        assert_eq!(rule.change, Change::Changed);
        let [aspect] = rule.aspects.as_slice() else { panic!("{:?}", rule.aspects) };
        assert_eq!(aspect.what, "text");
        assert_eq!(aspect.to, format!("As of now: {}", aspect.from));
        let [only] = found.files.as_slice() else { panic!("{:?}", found.files) };
        assert_eq!((only.file.as_str(), only.added, only.removed), (file.as_str(), 1, 1));
        assert_eq!(found.release, []);
    }

    #[test]
    fn how_a_rule_is_laid_out_is_no_other_rule() {
        let found = changed(|files| replace(files, "release.cedar", "permit", "  permit"));
        assert_eq!((found.rules.len(), found.release.len(), found.files.len()), (0, 0, 1));
    }

    #[test]
    fn lines_are_told_as_they_stayed_went_and_came() {
        use Change::{Added, Removed};
        type Case<'c> = (&'c [&'c str], &'c [&'c str], &'c [Marked<'c>]);
        let cases: [Case<'_>; 5] = [
            (&[], &[], &[]),
            (&["a"], &["a"], &[(None, "a")]),
            (&["a", "b", "c"], &["a", "c"], &[(None, "a"), (Some(Removed), "b"), (None, "c")]),
            (&["a"], &["b", "a"], &[(Some(Added), "b"), (None, "a")]),
            (
                &["a", "b", "c", "d"],
                &["b", "x", "d", "y"],
                &[
                    (Some(Removed), "a"),
                    (None, "b"),
                    (Some(Removed), "c"),
                    (Some(Added), "x"),
                    (None, "d"),
                    (Some(Added), "y"),
                ],
            ),
        ];
        for (old, new, want) in cases {
            assert_eq!(lines(old, new), want, "{old:?} {new:?}");
        }
    }

    #[test]
    fn a_long_file_is_told_in_part() {
        let old: Vec<String> = (0..4_000).map(|number| format!("old {number}")).collect();
        let new: Vec<String> = (0..4_000).map(|number| format!("new {number}")).collect();
        let found = file("lists/x.csv", Change::Changed, &old.join("\n"), &new.join("\n"));
        assert_eq!((found.added, found.removed, found.is_cut_short), (4_000, 4_000, true));
        assert_eq!(found.lines.len(), LINES_TOLD);
    }
}
