//! The proof as a tree: every rule that applies, the facts that it asks about, and below each the lines down to the
//! statements.

use model::Grade;
use vetting::{Claim, FactName, FactShown, Finding, Kind, Step, Value};

use crate::pages::ties::tie_link;
use crate::words;

/// How many lines of one fact are shown. A pyramid of companies has thousands; the API has all of them.
const LINES_MAX: usize = 40;

/// A rule that applies.
pub(super) struct FindingView {
    pub(super) rule: String,
    pub(super) pack: String,
    pub(super) grade: Grade,
    pub(super) text: String,
    pub(super) source: String,
    pub(super) facts: Vec<FactView>,
}

/// A fact that a rule asks about.
pub(super) struct FactView {
    pub(super) about: &'static str,
    pub(super) value: String,
    pub(super) lines: Vec<Line>,
    pub(super) more: usize,
}

/// A line of a proof, with how many levels open before it and close after it.
pub(super) struct Line {
    pub(super) text: String,
    pub(super) href: Option<String>,
    pub(super) statements: Vec<String>,
    pub(super) has_below: bool,
    pub(super) closes: Vec<()>,
}

impl FindingView {
    /// The finding; to the programme's people with links to the statements, which nobody else may open.
    pub(super) fn new(finding: &Finding, is_people: bool) -> Self {
        Self {
            rule: finding.rule.clone(),
            pack: format!("{} {}", finding.pack, finding.version),
            grade: finding.grade,
            text: finding.text.clone(),
            source: finding.source.clone(),
            facts: finding.because.iter().map(|fact| FactView::new(fact, is_people)).collect(),
        }
    }
}

impl FactView {
    fn new(fact: &FactShown, is_people: bool) -> Self {
        let (mut lines, mut more) = (Vec::new(), 0);
        let mut open: Vec<(usize, &Step)> = fact.proof.iter().rev().map(|step| (0, step)).collect();
        let mut depths = Vec::new();
        while let Some((depth, step)) = open.pop() {
            if lines.len() >= LINES_MAX {
                more += step.lines().count();
                continue;
            }
            depths.push(depth);
            lines.push(line(step, is_people));
            open.extend(step.because.iter().rev().map(|below| (depth + 1, &**below)));
        }
        // A line closes as many levels as the next one stands higher; the last one closes all.
        for number in 0..lines.len() {
            let next = depths.get(number + 1).copied().unwrap_or(0);
            lines[number].has_below = depths.get(number + 1).is_some_and(|next| *next > depths[number]);
            lines[number].closes = vec![(); depths[number].saturating_sub(next)];
        }
        Self { about: fact.about, value: value(fact), lines, more }
    }
}

fn line(step: &Step, is_people: bool) -> Line {
    let tie = if let Claim::Tie { tie, .. } = &step.claim { Some(tie) } else { None };
    Line {
        text: step.text.clone(),
        href: tie.filter(|_| is_people).map(tie_link),
        statements: step.statements.iter().map(ToString::to_string).collect(),
        has_below: false,
        closes: Vec::new(),
    }
}

/// What the fact says, for certain and possibly.
fn value(fact: &FactShown) -> String {
    let is_number = FactName::ALL.iter().any(|name| {
        name.as_str() == fact.fact
            && name.kind() == Kind::Number
            && !matches!(name, FactName::Score | FactName::OverdueDays)
    });
    let one = |value: &Value| match value {
        Value::Flag(true) => "yes".to_owned(),
        Value::Flag(false) => "no".to_owned(),
        Value::Number(points) if is_number => words::points(*points),
        Value::Number(number) => number.to_string(),
        Value::Words(words) if words.is_empty() => "none".to_owned(),
        Value::Words(words) => words.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    };
    if fact.certain == fact.possible {
        one(&fact.certain)
    } else {
        format!("{} for certain, possibly {}", one(&fact.certain), one(&fact.possible))
    }
}
