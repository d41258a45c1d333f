//! A decision for people: the verdict first, then the proof as an indented tree, then what would help.

use std::fmt::Write as _;

use model::Grade;

use crate::decision::{Decision, FactShown, Finding};
use crate::facts::Value;
use crate::remedy::{Remedies, RemedyBound, SaleRemedy};
use crate::step::Step;
use crate::wording;

impl Decision {
    /// The verdict in a sentence.
    #[must_use]
    pub fn verdict(&self) -> String {
        let Self { name, tier, grade, as_of, .. } = self;
        match grade {
            Grade::Clear => format!("{name}: clear on {tier} as of {as_of}. No rule finds anything."),
            Grade::Disclose => format!("{name}: clear on {tier} as of {as_of}, with things to disclose."),
            Grade::Review => format!("{name}: to be reviewed on {tier} as of {as_of}."),
            Grade::Condition => format!("{name}: on {tier} only with conditions as of {as_of}."),
            Grade::Suspend => format!("{name}: suspended on {tier} as of {as_of}."),
            Grade::Bar => format!("{name}: barred from {tier} as of {as_of}."),
        }
    }

    /// The whole decision, with what would help if that was asked for.
    #[must_use]
    pub fn describe(&self, remedies: Option<&Remedies>) -> String {
        let mut text = format!("{}\n", self.verdict());
        if let Some(first) = self.findings.iter().find(|finding| finding.grade == self.grade) {
            let _ = writeln!(
                text,
                "{} ({}, grade {}).",
                first.text.trim_end_matches('.'),
                first.rule,
                first.grade
            );
        }
        let _ = writeln!(
            text,
            "As known on {}; rules: programme {}.",
            self.known,
            &self.programme[..12.min(self.programme.len())]
        );
        for finding in &self.findings {
            describe_finding(&mut text, finding);
        }
        if self.possible > self.grade {
            let _ = writeln!(text, "\nPossible, not certain: {}.", self.possible);
        } else if !self.perhaps.is_empty() {
            text.push_str("\nPossible, not certain, and no worse than what is certain:\n");
        }
        for finding in &self.perhaps {
            describe_finding(&mut text, finding);
        }
        if !self.covered.is_empty() {
            text.push_str("\nUnder instruments:\n");
        }
        for covered in &self.covered {
            let _ = writeln!(text, "  {}", covered.text);
        }
        if !self.near.is_empty() {
            text.push_str("\nLines that nobody has certainly reached:\n");
        }
        for near in &self.near {
            let _ = writeln!(text, "  {}", near.text);
        }
        if !self.unknown.is_empty() {
            text.push_str("\nNot known:\n");
        }
        for gap in &self.unknown {
            let _ = writeln!(text, "  {gap}");
        }
        if let Some(remedies) = remedies {
            describe_remedies(&mut text, remedies);
        }
        text
    }
}

fn describe_finding(text: &mut String, finding: &Finding) {
    let Finding { rule, pack, version, grade, source, .. } = finding;
    let _ = writeln!(text, "\n{grade}  {rule}  ({pack} {version})\n  {}\n  source: {source}", finding.text);
    for fact in &finding.because {
        let _ = writeln!(text, "  {}: {}", fact.about, values(fact));
        for step in &fact.proof {
            describe_step(text, step);
        }
        if !fact.also.is_empty() {
            text.push_str("    any of these would do as well:\n");
        }
        for step in &fact.also {
            describe_step(text, step);
        }
    }
}

fn values(fact: &FactShown) -> String {
    let is_part =
        crate::FactName::ALL.iter().any(|name| name.as_str() == fact.fact && crate::judge::is_part(*name));
    let one = |value: &Value| match value {
        Value::Flag(true) => "yes".to_owned(),
        Value::Flag(false) => "no".to_owned(),
        Value::Number(points) if is_part => wording::part(*points),
        Value::Number(number) => number.to_string(),
        Value::Words(words) => words.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    };
    if fact.certain == fact.possible {
        one(&fact.certain)
    } else {
        format!("{} for certain, possibly {}", one(&fact.certain), one(&fact.possible))
    }
}

/// A proof as an indented tree.
fn describe_step(text: &mut String, step: &Step) {
    let mut open = vec![(0, step)];
    while let Some((depth, step)) = open.pop() {
        let indent = "  ".repeat(depth + 2);
        let said = step.statements.iter().map(ties::StatementId::as_str).collect::<Vec<_>>().join(", ");
        let said = if said.is_empty() { said } else { format!("  <{said}>") };
        let _ = writeln!(text, "{indent}- {}{said}", step.text);
        open.extend(step.because.iter().rev().map(|below| (depth + 1, below.as_ref())));
    }
}

fn describe_remedies(text: &mut String, remedies: &Remedies) {
    text.push_str("\nWhat would help:\n");
    if remedies.ties.is_empty() && remedies.instruments.is_empty() && remedies.disclose.is_none() {
        text.push_str("  nothing that this programme knows of\n");
    }
    for remedy in &remedies.ties {
        let bound = match remedy.bound {
            RemedyBound::Proved => "least, proved".to_owned(),
            RemedyBound::BestFound { at_least } => format!("best found; at least {at_least}"),
        };
        let hand = if remedy.in_its_hand { "in its own hand" } else { "in the hand of others" };
        let _ = writeln!(
            text,
            "  end {} ({bound}; {hand}) -> {}",
            remedy.end.iter().map(ties::TieId::as_str).collect::<Vec<_>>().join(" and "),
            remedy.leaves
        );
        for tie in &remedy.text {
            let _ = writeln!(text, "    {tie}");
        }
        if !remedy.still.is_empty() {
            let _ = writeln!(text, "    still: {}", remedy.still.join(", "));
        }
        if remedy.cancelled != remedy.leaves {
            let _ = writeln!(text, "    cancelled instead of sold, the rest rescaled: {}", remedy.cancelled);
        }
    }
    for remedy in &remedies.sales {
        describe_sale(text, remedy);
    }
    for remedy in &remedies.instruments {
        let _ = writeln!(text, "  sign a {} -> {}, covering", remedy.instrument, remedy.leaves);
        for tie in &remedy.text {
            let _ = writeln!(text, "    {tie}");
        }
    }
    if let Some(disclosure) = &remedies.disclose {
        let _ = writeln!(
            text,
            "  disclose {} -> {}, if no rule finds anything in it",
            disclosure.what.join(", and "),
            disclosure.leaves
        );
    }
    if remedies.cut_short {
        text.push_str("  (time ran out; there may be more)\n");
    }
}

fn describe_sale(text: &mut String, remedy: &SaleRemedy) {
    let sell = remedy.sell.iter().map(|sale| {
        format!("sell {} by {}, to {} or less", sale.tie, wording::part(sale.sell), wording::part(sale.keep))
    });
    let end = remedy.end.iter().map(|tie| format!("end {tie}"));
    let least = if remedy.least { "a basis point less would not do" } else { "less may do" };
    let hand = if remedy.in_its_hand { "in its own hand" } else { "in the hand of others" };
    let what = sell.chain(end).collect::<Vec<_>>().join(" and ");
    let _ = writeln!(text, "  {what} ({least}; {hand}) -> {}", remedy.leaves);
    for sale in &remedy.sell {
        let _ = writeln!(text, "    {}", sale.text);
    }
    if !remedy.still.is_empty() {
        let _ = writeln!(text, "    still: {}", remedy.still.join(", "));
    }
}
