//! `/members`: who takes part, as a matrix of members and tiers.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::State;
use exchange::{Dossier, Exchange, NewMember};
use model::{Caller, Member, MemberId, MemberKind, Standing, Subject, Tier, Timestamp};
use serde_json::json;

use crate::asked::{Asked, Posted};
use crate::console::Console;
use crate::export::Table;
use crate::frame::{Frame, decides};
use crate::pages::Choice;
use crate::problem::{Answer, Problem, page};
use crate::words;

/// How many members a page shows.
const ROWS_MAX: usize = 100;
/// How many members are read at once.
const READ_AT_ONCE: usize = 1_000;

#[derive(Template)]
#[template(path = "members.html")]
struct MembersPage {
    frame: Frame,
    tiers: Vec<String>,
    rows: Vec<Row>,
    /// How many there are, and how many of them are found.
    all: usize,
    all_words: String,
    found: usize,
    query: String,
    standings: Vec<Choice>,
    in_tiers: Vec<Choice>,
    dues: Vec<Choice>,
    counts: Vec<Count>,
    first: usize,
    last: usize,
    before: Option<String>,
    after: Option<String>,
    csv: String,
    json: String,
    may_admit: bool,
}

/// How many stand so on a tier.
struct Count {
    tier: String,
    standings: Vec<(Standing, &'static str, usize)>,
}

struct Row {
    id: MemberId,
    name: String,
    kind: &'static str,
    entity: Option<String>,
    cells: Vec<Cell>,
    due: Option<Due>,
}

/// A member's standing on a tier.
struct Cell {
    standing: Standing,
    word: &'static str,
    /// What the rules say, where that is not what one would expect of the standing.
    grade: Option<String>,
    waits: bool,
}

/// What is due next.
#[derive(Clone)]
struct Due {
    at: Timestamp,
    day: String,
    what: String,
    is_over: bool,
}

/// A member with its dossier.
pub(crate) type Known = (Member, Dossier);

/// Every member with its dossier, by name.
pub(crate) fn everybody(exchange: &Exchange, caller: &Caller) -> Result<Vec<Known>, Problem> {
    let mut known = Vec::new();
    let mut after = None;
    loop {
        let some = exchange.members(caller, after.as_ref(), READ_AT_ONCE)?;
        let is_last = some.len() < READ_AT_ONCE;
        after = some.last().map(|member| member.id.clone());
        for member in some {
            let dossier = exchange.dossier(caller, &member.id)?;
            known.push((member, dossier));
        }
        if is_last {
            break;
        }
    }
    known.sort_by_cached_key(|(member, _)| (member.name.to_lowercase(), member.id.clone()));
    Ok(known)
}

/// Answers `GET /members`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    let known = console.read(move |exchange| everybody(exchange, &caller)).await?;
    let programme = console.exchange.programme();
    let tiers: Vec<Tier> = programme.settings().tiers.iter().map(|tier| tier.name.clone()).collect();
    let all = known.len();
    let filter = Filter::read(&asked, &tiers)?;
    let counts = count(&known, &tiers);
    let rows: Vec<Row> = known
        .iter()
        .map(|(member, dossier)| row(member, dossier, &tiers, asked.now))
        .filter(|row| filter.lets(row, &tiers))
        .collect();
    if let Some(format) = asked.format()? {
        return export(&rows, &tiers).answer(format, "members");
    }
    let found = rows.len();
    let from: usize = asked.query.get("from").and_then(|text| text.parse().ok()).unwrap_or(0);
    let from = from.min(found.saturating_sub(1)) / ROWS_MAX * ROWS_MAX;
    let rows: Vec<Row> = rows.into_iter().skip(from).take(ROWS_MAX).collect();
    let link = |from: usize| asked.link("from", Some(&from.to_string()));
    page(&MembersPage {
        first: if rows.is_empty() { 0 } else { from + 1 },
        last: from + rows.len(),
        before: (from > 0).then(|| link(from.saturating_sub(ROWS_MAX))),
        after: (from + ROWS_MAX < found).then(|| link(from + ROWS_MAX)),
        tiers: tiers.iter().map(ToString::to_string).collect(),
        rows,
        all,
        all_words: words::count(all, "member", "members"),
        found,
        query: asked.query.get("q").unwrap_or_default().to_owned(),
        standings: filter.standings(),
        in_tiers: filter.in_tiers(&tiers),
        dues: filter.dues(),
        counts,
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        may_admit: decides(&asked.caller()),
        frame: asked.frame("Members"),
    })
}

/// Which members are wanted.
struct Filter {
    name: String,
    standing: Option<Standing>,
    tier: Option<Tier>,
    due: Option<String>,
}

impl Filter {
    fn read(asked: &Asked, tiers: &[Tier]) -> Result<Self, Problem> {
        let standing = asked.query.get("standing").map(str::parse::<Standing>).transpose();
        let tier = asked.query.get("tier").map(str::parse::<Tier>).transpose();
        let tier = tier.map_err(|error| Problem::bad_request(error.to_string()))?;
        Ok(Self {
            name: asked.query.get("q").unwrap_or_default().to_lowercase(),
            standing: standing.map_err(|error| Problem::bad_request(error.to_string()))?,
            tier: tier.filter(|tier| tiers.contains(tier)),
            due: asked.query.get("due").map(str::to_owned),
        })
    }

    fn lets(&self, row: &Row, tiers: &[Tier]) -> bool {
        let cells = row.cells.iter().zip(tiers);
        let mut looked_at = cells.filter(|(_, tier)| self.tier.as_ref().is_none_or(|wanted| wanted == *tier));
        let is_due = match self.due.as_deref() {
            Some("over") => row.due.as_ref().is_some_and(|due| due.is_over),
            Some("any") => row.due.is_some(),
            Some("waits") => row.cells.iter().any(|cell| cell.waits),
            Some(_) | None => true,
        };
        let is_named = || {
            row.name.to_lowercase().contains(&self.name)
                || row.id.as_str().contains(&self.name)
                || row.entity.as_ref().is_some_and(|entity| entity.to_lowercase().contains(&self.name))
        };
        is_due
            && self.standing.is_none_or(|standing| looked_at.any(|(cell, _)| cell.standing == standing))
            && (self.name.is_empty() || is_named())
    }

    fn standings(&self) -> Vec<Choice> {
        let choice = |standing: Standing| Choice {
            value: standing.to_string(),
            label: words::standing(standing).to_owned(),
            is_chosen: self.standing == Some(standing),
        };
        Standing::ALL.into_iter().map(choice).collect()
    }

    fn in_tiers(&self, tiers: &[Tier]) -> Vec<Choice> {
        let choice = |tier: &Tier| Choice {
            value: tier.to_string(),
            label: tier.to_string(),
            is_chosen: self.tier.as_ref() == Some(tier),
        };
        tiers.iter().map(choice).collect()
    }

    fn dues(&self) -> Vec<Choice> {
        let choice = |(value, label): (&str, &str)| Choice {
            value: value.to_owned(),
            label: label.to_owned(),
            is_chosen: self.due.as_deref() == Some(value),
        };
        [("over", "overdue"), ("any", "something is due"), ("waits", "a step waits")].map(choice).into()
    }
}

fn count(known: &[Known], tiers: &[Tier]) -> Vec<Count> {
    let told = |(standing, number)| (standing, words::standing(standing), number);
    let of = |tier: &Tier| {
        let mut standings: BTreeMap<Standing, usize> = BTreeMap::new();
        for (member, _) in known {
            *standings.entry(member.standing(tier)).or_default() += 1;
        }
        Count { tier: tier.to_string(), standings: standings.into_iter().map(told).collect() }
    };
    tiers.iter().map(of).collect()
}

fn row(member: &Member, dossier: &Dossier, tiers: &[Tier], now: Timestamp) -> Row {
    let cell = |tier: &Tier| {
        let standing = member.standing(tier);
        let grade = dossier.decided.get(tier).map(|decided| decided.grade);
        Cell {
            standing,
            word: words::standing(standing),
            grade: grade.filter(|grade| *grade > model::Grade::Disclose).map(|grade| grade.to_string()),
            waits: dossier.proposals.contains_key(tier),
        }
    };
    Row {
        id: member.id.clone(),
        name: member.name.clone(),
        kind: member.kind.as_str(),
        entity: dossier.entity.as_ref().map(ToString::to_string),
        cells: tiers.iter().map(cell).collect(),
        due: next_due(dossier, now),
    }
}

/// What is due next, of everything in a dossier.
fn next_due(dossier: &Dossier, now: Timestamp) -> Option<Due> {
    let duties =
        dossier.duties.iter().filter(|duty| duty.done.is_none()).map(|duty| (duty.due, duty.text.clone()));
    let reviews = dossier.reviews.iter().filter(|(_, review)| review.concluded.is_none());
    let reviews = reviews.map(|(tier, review)| (review.due, format!("review on {tier}")));
    let appeals = dossier.appeals.iter().filter(|appeal| appeal.answered.is_none());
    let appeals = appeals.map(|appeal| (appeal.due, format!("answer the appeal on {}", appeal.tier)));
    let next = duties.chain(reviews).chain(appeals).min();
    next.map(|(at, what)| Due { at, day: words::day(at), what, is_over: at < now })
}

fn export(rows: &[Row], tiers: &[Tier]) -> Table {
    let mut table = Table::new(&["member", "name", "kind", "entity"]);
    table.columns.extend(tiers.iter().map(ToString::to_string));
    table.columns.extend(["due".to_owned(), "what_is_due".to_owned()]);
    table.rows = rows
        .iter()
        .map(|row| {
            let mut values = vec![json!(row.id), json!(row.name), json!(row.kind), json!(row.entity)];
            values.extend(row.cells.iter().map(|cell| json!(cell.standing)));
            values.push(json!(row.due.as_ref().map(|due| due.at)));
            values.push(json!(row.due.as_ref().map(|due| &due.what)));
            values
        })
        .collect();
    table
}

/// Takes `POST /members`: a new member.
pub(crate) async fn admit(State(console): State<Console>, posted: Posted) -> Answer {
    let name = posted.field("name")?.to_owned();
    let kind: MemberKind = posted.read("kind")?;
    let identity = posted.fields.get("identity").map(str::to_owned);
    let listed: Result<BTreeSet<Tier>, _> = posted.fields.all("listed").map(str::parse).collect();
    let listed = listed.map_err(|error| Problem::bad_request(format!("{error}")))?;
    let caller = posted.caller();
    let new = NewMember { name, kind, identity, subject: Subject::default(), listed };
    let member = console.decide(move |exchange| exchange.add_member(&caller, new)).await?;
    let text =
        format!("{} is in the registry. Say which entity it is, so that the rules can decide.", member.name);
    posted.done(text, &format!("/members/{}", member.id))
}
