//! The first sentence: how somebody stands and why, generated from the decision and never typed.
//!
//! ```text
//! Symantec is suspended on cleared because it co-owns Huawei Symantec Technologies (49 %) with Huawei (51 %), a party of
//! concern since 2007-05-01.
//! ```
//!
//! The reason is that of the worst finding. Where it is a venture or a plan with a party of concern, the ties of its proof
//! are told with their parts and dates; else the rule is, with the first line of its proof.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "kinds of ties that make a good sentence are told apart; `words::tie` tells every other"
)]

use exchange::Around;
use model::{Grade, Standing};
use ties::{EntityId, KnownTie, TieKind};
use vetting::{Decision, Finding};

use super::gather::Found;
use crate::words;

/// A sentence in pieces, some of which are stressed.
pub(super) struct Story {
    pub(super) pieces: Vec<Piece>,
}

pub(super) struct Piece {
    pub(super) text: String,
    pub(super) is_strong: bool,
}

impl Story {
    /// The sentence as plain text.
    pub(super) fn text(&self) -> String {
        self.pieces.iter().map(|piece| piece.text.as_str()).collect()
    }

    fn plain(&mut self, text: impl Into<String>) {
        self.pieces.push(Piece { text: text.into(), is_strong: false });
    }

    fn strong(&mut self, text: impl Into<String>) {
        self.pieces.push(Piece { text: text.into(), is_strong: true });
    }
}

pub(super) fn tell(found: &Found, standing: Standing) -> Story {
    let mut story = Story { pieces: Vec::new() };
    let (name, tier) = (&found.member.name, &found.tier);
    let Some(decision) = &found.decision else {
        story.strong(name.clone());
        story.plain(" is ");
        story.strong(words::standing(standing));
        story.plain(format!(
            " on {tier}, by decision of people: it is bound to no entity, so no rule looks at its ties."
        ));
        return story;
    };
    match found.wanted.as_of {
        None => {
            story.strong(name.clone());
            story.plain(" is ");
            story.strong(words::standing(standing));
            story.plain(format!(" on {tier}"));
            let expected = expected(decision.grade);
            if !expected.contains(&standing) {
                by_people(&mut story, found, decision, standing);
            }
        }
        Some(as_of) => {
            let (before, after) = words::rules_do(decision.grade);
            story.plain(format!("On {}, as known on {}, {before}", as_of.day, words::day(as_of.known)));
            story.strong(name.clone());
            story.plain(format!("{after} {tier}"));
        }
    }
    because(&mut story, found, decision);
    story.plain(".");
    story
}

/// The standings that a grade leads to by itself.
fn expected(grade: Grade) -> &'static [Standing] {
    match grade {
        Grade::Clear | Grade::Disclose | Grade::Review => &[Standing::Listed],
        Grade::Condition => &[Standing::ListedWithConditions],
        Grade::Suspend | Grade::Bar => &[Standing::Suspended],
    }
}

/// Why the standing is another than the rules lead to.
fn by_people(story: &mut Story, found: &Found, decision: &Decision, standing: Standing) {
    let dossier = &found.dossier;
    if let Some(over) = dossier.overrides.get(&found.tier) {
        story.plain(format!(" against the rules ({})", over.reason));
    } else if let Some(proposal) = dossier.proposals.get(&found.tier) {
        story.plain(", and ");
        story.strong(words::standing(proposal.to));
        story.plain(format!(" is proposed since {}", words::day(proposal.at)));
    } else if standing.is_on_the_list() == (decision.grade < Grade::Suspend) {
        story.plain(" by decision of people");
    }
    story.plain("; the rules say ");
    story.strong(decision.grade.to_string());
}

fn because(story: &mut Story, found: &Found, decision: &Decision) {
    let Some(finding) = decision.findings.iter().find(|finding| finding.grade == decision.grade) else {
        if found.wanted.as_of.is_none() {
            story.plain(": no rule finds anything");
        }
        return;
    };
    let told = found.around.as_ref().and_then(|around| of_ties(around, finding));
    if let Some(reason) = told {
        story.plain(format!(" because {reason}"));
    } else {
        let step = finding.because.iter().flat_map(|fact| &fact.proof).next();
        let rule = uncapitalised(finding.text.trim_end_matches('.'));
        story.plain(format!(" because {rule}"));
        if let Some(step) = step {
            story.plain(format!(": {}", step.text.trim_end_matches('.')));
        }
    }
    let more = decision.findings.iter().filter(|other| other.grade == decision.grade).count() - 1;
    if more > 0 {
        story.plain(format!(
            ", and for {} of the same weight",
            words::count(more, "other reason", "other reasons")
        ));
    }
}

fn uncapitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().map(|letter| letter.to_lowercase().collect()).unwrap_or_default();
    // A word that is all capitals is a name.
    if letters.clone().next().is_some_and(char::is_uppercase) {
        text.to_owned()
    } else {
        first + letters.as_str()
    }
}

/// The reason told by the ties that the finding rests on, if it is one of those that can be told so.
fn of_ties(around: &Around, finding: &Finding) -> Option<String> {
    let ids = finding.ties();
    let ties: Vec<&KnownTie> = around.ties.iter().filter(|known| ids.contains(&known.tie.id)).collect();
    venture(around, &ties).or_else(|| dealing(around, &ties))
}

fn name(around: &Around, id: &EntityId) -> String {
    around.entities.get(id).map_or_else(|| id.to_string(), |known| known.name.clone())
}

/// "a party of concern since 2007-05-01", of one that is.
fn of_concern(around: &Around, id: &EntityId) -> Option<String> {
    let listing = &around.entities.get(id)?.concern.first()?.listing;
    Some(match listing.valid.from {
        Some(from) => format!("a party of concern since {from}"),
        None => "a party of concern".to_owned(),
    })
}

/// A stake in something in which a party of concern has one too.
fn venture(around: &Around, ties: &[&KnownTie]) -> Option<String> {
    let stake = |known: &&&KnownTie| matches!(known.tie.kind, TieKind::Holds(_));
    let part = |known: &KnownTie| match &known.tie.kind {
        TieKind::Holds(held) => words::holding(held),
        other => words::tie(other),
    };
    let partner = ties.iter().filter(stake).find(|known| of_concern(around, &known.tie.from).is_some())?;
    let own = ties
        .iter()
        .filter(stake)
        .find(|known| known.tie.to == partner.tie.to && known.tie.from != partner.tie.from)?;
    let verb = if own.tie.from == around.focus {
        "it co-owns".to_owned()
    } else {
        format!("its {} co-owns", name(around, &own.tie.from))
    };
    Some(format!(
        "{verb} {} ({}) with {} ({}), {}",
        name(around, &own.tie.to),
        part(own),
        name(around, &partner.tie.from),
        part(partner),
        of_concern(around, &partner.tie.from)?
    ))
}

/// A tie to or from somebody who is of concern, or of whom somebody of concern has a part.
fn dealing(around: &Around, ties: &[&KnownTie]) -> Option<String> {
    let own = ties.iter().find(|known| known.tie.from == around.focus || known.tie.to == around.focus)?;
    let is_outward = own.tie.from == around.focus;
    let other = if is_outward { &own.tie.to } else { &own.tie.from };
    let concern = match of_concern(around, other) {
        Some(concern) => concern,
        None => through(around, ties, other)?,
    };
    let said = if is_outward {
        outward(&own.tie.kind, &name(around, other))
    } else {
        inward(own, &name(around, other))
    };
    Some(format!("{said}, {concern}"))
}

/// What somebody of concern has to do with another: "of which Huawei holds 100 %, a party of concern since ...".
fn through(around: &Around, ties: &[&KnownTie], other: &EntityId) -> Option<String> {
    let known =
        ties.iter().find(|known| known.tie.to == *other && of_concern(around, &known.tie.from).is_some())?;
    let (who, concern) = (name(around, &known.tie.from), of_concern(around, &known.tie.from)?);
    Some(match &known.tie.kind {
        TieKind::Holds(held) => format!("of which {who} holds {}, {concern}", words::holding(held)),
        TieKind::Plans(plan) => {
            let votes = plan.votes.map(|votes| format!(" of {}", words::share(votes))).unwrap_or_default();
            format!("and so does {who}{votes}, {concern}")
        }
        other => format!("to which {who} has a tie ({}), {concern}", words::tie(other)),
    })
}

/// What the entity does with another.
fn outward(kind: &TieKind, other: &str) -> String {
    let what = |subject: &str, otherwise: &str| {
        if subject.is_empty() { otherwise.to_owned() } else { subject.to_owned() }
    };
    match kind {
        TieKind::Holds(held) => format!("it holds {} of {other}", words::holding(held)),
        TieKind::MayAcquire { votes, .. } => format!("it may acquire {} of {other}", words::share(*votes)),
        TieKind::Licenses { subject, .. } => format!("it licenses {} to {other}", what(subject, "something")),
        TieKind::Supplies { subject } => format!("it supplies {other} with {}", what(subject, "something")),
        TieKind::Contracts { subject, .. } => {
            format!("it has a contract with {other} about {}", what(subject, "something"))
        }
        TieKind::Seconds => format!("it seconds staff to {other}"),
        TieKind::Plans(_) => format!("it plans to take part in {other}"),
        kind => format!("of its tie to {other} ({})", words::tie(kind)),
    }
}

/// What another does with the entity.
fn inward(known: &KnownTie, other: &str) -> String {
    match &known.tie.kind {
        TieKind::Holds(held) => format!("{other} holds {} of it", words::holding(held)),
        TieKind::MayAcquire { votes, .. } => format!("{other} may acquire {} of it", words::share(*votes)),
        TieKind::Licenses { .. } => format!("it has a licence of {other}"),
        TieKind::Supplies { .. } => format!("{other} supplies it"),
        kind => format!("of the tie of {other} to it ({})", words::tie(kind)),
    }
}
