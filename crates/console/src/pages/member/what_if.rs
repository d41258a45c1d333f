//! *What if*: the decision as if ties had ended or others had begun, and who else would move by it.
//!
//! What is supposed stands in the path's query, each tie as one line ([`registers::plain::suppose`]):
//! `?end=stake-1&add=huawei+holds+25%25+acme`. The form that adds one has a field for each part; it leads to that.

use std::collections::BTreeSet;

use exchange::{Exchange, Question};
use model::{Caller, Grade};
use registers::plain::{share_columns, suppose};
use ties::{EntityId, Said, Statement, TieId};
use vetting::Decision;

use super::gather::Found;
use crate::asked::Asked;
use crate::export::Table;
use crate::pages::Choice;
use crate::pages::moves::{self, MoveRow};
use crate::problem::Problem;
use crate::words;

/// How many ties are supposed at once.
const SUPPOSED_MAX: usize = 20;
/// How many others that would move are shown; the file has all.
const MOVES_SHOWN: usize = 30;
/// How many entities that share a name are told apart for whoever has to choose.
const NAMESAKES_TOLD: usize = 5;

/// The kinds of ties that the form offers, in words that stand between the two ends.
const KINDS: [(&str, &str); 19] = [
    ("holds", "holds a share of"),
    ("may-acquire", "may acquire a share of"),
    ("appoints", "appoints to the board of"),
    ("directs:contract", "directs by contract"),
    ("directs:fact", "directs in fact"),
    ("consolidates", "consolidates"),
    ("venture", "is a parent of the venture"),
    ("serves:chair", "chairs the board of"),
    ("serves:director", "is a director of"),
    ("serves:officer", "is an officer of"),
    ("licenses", "licenses to"),
    ("contracts", "has a contract with"),
    ("supplies", "supplies"),
    ("lends", "lends to"),
    ("pays", "makes a share of the revenue of"),
    ("grants", "gives grants to"),
    ("equips", "equips"),
    ("governs:incorporation", "is the state that incorporated"),
    ("governs:headquarters", "is the state with the seat of"),
];

/// The fields of the form.
const FIELDS: [&str; 5] = ["from", "kind", "share", "to", "since"];

/// What is supposed.
#[derive(Clone, Default)]
pub(super) struct Supposed {
    /// Ties that are to be taken as ended.
    pub(super) end: BTreeSet<TieId>,
    /// What was written for such a tie, and is none.
    misspelt: BTreeSet<String>,
    /// Ties that are to be taken as begun, as they were written.
    pub(super) lines: Vec<String>,
    /// The same as statements.
    pub(super) add: Vec<Statement>,
}

impl Supposed {
    pub(super) fn read(asked: &Asked) -> Result<Self, Problem> {
        let wrong =
            |name: &str, error: &dyn std::fmt::Display| Problem::bad_request(format!("`{name}`: {error}"));
        let (mut end, mut misspelt) = (BTreeSet::new(), BTreeSet::new());
        for text in asked.query.all("end") {
            match text.parse::<TieId>() {
                Ok(tie) => drop(end.insert(tie)),
                Err(_) => drop(misspelt.insert(text.to_owned())),
            }
        }
        let lines: Vec<String> = asked.query.all("add").map(str::to_owned).collect();
        if lines.len() > SUPPOSED_MAX {
            return Err(Problem::bad_request(format!("at most {SUPPOSED_MAX} ties are supposed at once")));
        }
        let add: Result<Vec<Statement>, _> =
            lines.iter().enumerate().map(|(number, line)| suppose(line, number + 1, asked.now)).collect();
        Ok(Self { end, misspelt, add: add.map_err(|error| wrong("add", &error))?, lines })
    }

    /// Takes away, and tells, the ends of what is no tie to the caller: a link is followed at another place of the
    /// clocks or on another tier, or by somebody who is shown less, and has to show its page all the same.
    pub(super) fn leave_out(
        &mut self,
        exchange: &Exchange,
        caller: &Caller,
        decision: &Decision,
    ) -> Result<BTreeSet<String>, Problem> {
        let mut left_out = std::mem::take(&mut self.misspelt);
        // A member may end what its decision shows it; the programme's people what anything was ever said of, or what
        // the same link takes as begun.
        let shown = decision.ties(Grade::Clear);
        let begun = |tie: &TieId| {
            let is_it = |one: &Statement| matches!(&one.said, Said::Tie(known) if known.id == *tie);
            self.add.iter().any(is_it)
        };
        for tie in std::mem::take(&mut self.end) {
            let is_known = match caller.role() {
                None => shown.contains(&tie),
                Some(_) => begun(&tie) || !exchange.tie_history(caller, &tie)?.is_empty(),
            };
            if is_known {
                self.end.insert(tie);
            } else {
                left_out.insert(tie.to_string());
            }
        }
        Ok(left_out)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.end.is_empty() && self.add.is_empty()
    }
}

/// The link to the page with the tie of the form's fields among what is supposed, if they are filled in.
pub(super) fn canonical(
    exchange: &Exchange,
    caller: &Caller,
    asked: &Asked,
) -> Result<Option<String>, Problem> {
    if FIELDS.iter().all(|name| asked.query.get(name).is_none()) {
        return Ok(None);
    }
    let mut query = FIELDS.iter().fold(asked.query.clone(), |query, name| query.with(name, None));
    let field = |name: &str| asked.query.get(name);
    // The choice of a kind is sent with every form; the other fields only if they were filled in.
    if ["from", "share", "to", "since"].iter().any(|name| field(name).is_some()) {
        let part = |name: &str, missing: &str| {
            field(name).ok_or_else(|| Problem::bad_request(format!("the supposed tie needs {missing}")))
        };
        let from = resolve(exchange, caller, part("from", "somebody from whom it comes")?)?;
        let to = resolve(exchange, caller, part("to", "somebody to whom it goes")?)?;
        let kind = part("kind", "a kind")?;
        let mut line = format!("{from} {kind}");
        // A share that was filled in for a kind that has none is left out: the field stands there for all kinds.
        if let Some(share) = field("share").filter(|_| !share_columns(kind).is_empty()) {
            line = format!("{line} {share}");
        }
        line = format!("{line} {to}");
        if let Some(since) = field("since") {
            line = format!("{line} since {since}");
        }
        suppose(&line, 0, asked.now).map_err(|error| Problem::bad_request(error.to_string()))?;
        query.add("add".to_owned(), line);
    }
    Ok(Some(format!("{}#what-if", query.link(&asked.path))))
}

/// The entity that somebody means: its identifier, or what it alone is called. Of what is neither, a word is somebody new.
fn resolve(exchange: &Exchange, caller: &Caller, text: &str) -> Result<EntityId, Problem> {
    let as_id = text.parse::<EntityId>().ok();
    if let Some(id) = &as_id
        && exchange.entity(caller, id, None).is_ok()
    {
        return Ok(id.clone());
    }
    let mut namesakes: Vec<EntityId> = Vec::new();
    if text.chars().nth(1).is_some() {
        let found = exchange.find_entities(caller, text, exchange::ENTITIES_FOUND_MAX)?;
        let is_called = |one: &&exchange::EntityFound| {
            one.entity.names.iter().any(|name| name.text.to_lowercase() == text.to_lowercase())
        };
        namesakes = found.entities.iter().filter(is_called).map(|one| one.entity.id.clone()).collect();
    }
    match (namesakes.as_slice(), as_id) {
        ([one], _) => Ok(one.clone()),
        ([], Some(id)) => Ok(id),
        ([], None) => Err(Problem::bad_request(format!(
            "nobody is called `{text}`; write an identifier, which has no blanks, for somebody who is not known"
        ))),
        (several, _) => {
            let told: Vec<&str> = several.iter().take(NAMESAKES_TOLD).map(EntityId::as_str).collect();
            Err(Problem::bad_request(format!(
                "{} are called `{text}`; write which: {}",
                several.len(),
                told.join(", ")
            )))
        }
    }
}

/// What would be.
pub(super) struct Would {
    pub(super) decision: Decision,
    /// Who else would move; told to the programme's people.
    pub(super) others: Vec<vetting::Move>,
}

/// The decision under what is supposed, and, for the programme's people, who else would move by it.
pub(super) fn would(
    exchange: &Exchange,
    caller: &Caller,
    entity: &EntityId,
    found: &Found,
) -> Result<Would, Problem> {
    let Supposed { end, add, .. } = found.wanted.supposed.clone();
    let question = Question { as_of: found.wanted.as_of, end, add, ..Question::default() };
    let (decision, _) = exchange.vet(caller, entity, &found.tier, &question)?;
    let mut others =
        if caller.role().is_some() { exchange.would_move(caller, &question)? } else { Vec::new() };
    others.retain(|one| one.entity != *entity);
    Ok(Would { decision, others })
}

/// What would be, for the page.
pub(super) struct WhatIf {
    pub(super) grade: Grade,
    pub(super) phrase: &'static str,
    pub(super) before: Grade,
    pub(super) others: Vec<MoveRow>,
    pub(super) others_all: usize,
    pub(super) others_csv: String,
    pub(super) others_json: String,
    /// What is supposed, in words.
    pub(super) supposed: Vec<String>,
    pub(super) new: Vec<String>,
    pub(super) gone: Vec<String>,
    pub(super) without: String,
}

/// What the link takes as ended and what is no tie here, with the link without it.
pub(super) struct LeftOut {
    pub(super) ties: Vec<String>,
    pub(super) is_member: bool,
    pub(super) without: String,
}

impl LeftOut {
    pub(super) fn new(asked: &Asked, found: &Found) -> Option<Self> {
        let mut query = asked.query.with("end", None);
        for tie in &found.wanted.supposed.end {
            query.add("end".to_owned(), tie.to_string());
        }
        (!found.left_out.is_empty()).then(|| Self {
            ties: found.left_out.iter().cloned().collect(),
            is_member: asked.caller().role().is_none(),
            without: query.link(&asked.path),
        })
    }
}

/// A tie that is taken as begun, with its line.
pub(super) struct Added {
    pub(super) line: String,
    pub(super) says: String,
}

/// Who else would move, as a file.
pub(super) fn table(found: &Found) -> Table {
    let others = found.would.as_ref().map(|would| would.others.as_slice()).unwrap_or_default();
    moves::table(&moves::rows(others, &found.members))
}

pub(super) fn view(asked: &Asked, found: &Found) -> Option<WhatIf> {
    let would = found.would.as_ref()?;
    let before = found.decision.as_ref()?;
    let rules = |decision: &Decision| -> BTreeSet<String> {
        decision.findings.iter().map(|finding| format!("{}: {}", finding.rule, finding.text)).collect()
    };
    let (old, new) = (rules(before), rules(&would.decision));
    let mut supposed: Vec<String> =
        found.wanted.supposed.end.iter().map(|tie| format!("ended: {}", ended(found, tie))).collect();
    supposed.extend(added(found).into_iter().map(|added| format!("begun: {}", added.says)));
    let file = |format: &str| asked.query.with("table", Some("others")).with("format", Some(format));
    Some(WhatIf {
        grade: would.decision.grade,
        phrase: words::grade_phrase(would.decision.grade),
        before: before.grade,
        others: moves::rows(&would.others, &found.members).into_iter().take(MOVES_SHOWN).collect(),
        others_all: would.others.len(),
        others_csv: file("csv").link(&asked.path),
        others_json: file("json").link(&asked.path),
        supposed,
        new: new.difference(&old).cloned().collect(),
        gone: old.difference(&new).cloned().collect(),
        without: asked.query.with("end", None).with("add", None).link(&asked.path),
    })
}

/// The ties that are taken as begun.
pub(super) fn added(found: &Found) -> Vec<Added> {
    let supposed = &found.wanted.supposed;
    let told = |(line, statement): (&String, &Statement)| {
        let Said::Tie(tie) = &statement.said else { return None };
        let says = format!(
            "{} {} {} ({})",
            found.name(&tie.from),
            words::tie(&tie.kind),
            found.name(&tie.to),
            words::period(tie.valid)
        );
        Some(Added { line: line.clone(), says })
    };
    supposed.lines.iter().zip(&supposed.add).filter_map(told).collect()
}

/// A tie that is taken as ended, in words if it is among those around.
fn ended(found: &Found, tie: &TieId) -> String {
    let known = found.around.iter().flat_map(|around| &around.ties).find(|known| known.tie.id == *tie);
    known.map_or_else(
        || tie.to_string(),
        |known| {
            let tie = &known.tie;
            format!("{} {} {}", found.name(&tie.from), words::tie(&tie.kind), found.name(&tie.to))
        },
    )
}

/// The kinds of ties to choose from.
pub(super) fn kinds() -> Vec<Choice> {
    let choice = |(value, label): (&str, &str)| Choice {
        value: value.to_owned(),
        label: label.to_owned(),
        is_chosen: false,
    };
    KINDS.map(choice).into()
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    #[test]
    fn every_kind_that_the_form_offers_can_be_supposed() {
        for (kind, _) in KINDS {
            let share = if share_columns(kind).is_empty() { "" } else { "25%" };
            let line = format!("state:cn {kind} {share} acme since 2026-01-01");
            assert!(suppose(&line, 1, Timestamp::EPOCH).is_ok(), "{line}");
        }
    }
}
