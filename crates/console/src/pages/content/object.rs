//! `/content/{object}`: one object: as people read it and as JSON, who can have it and who received it, and its recall.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect};
use exchange::{Exchange, FoundObject, LabelView, MemberRelease, ObjectRelease, ReadError, RecallAction};
use http::StatusCode;
use model::{Action, Caller, MemberId, Role};
use programme::TLP_LEVELS;
use serde_json::{Value, json};

use crate::asked::{Asked, Posted};
use crate::console::Console;
use crate::export::Table;
use crate::frame::Frame;
use crate::pages::Choice;
use crate::pages::content::pattern::{Piece, highlighted};
use crate::pages::content::{headline, marking_word};
use crate::pipeline::refused;
use crate::problem::{Answer, Problem, page};
use crate::query::encode;
use crate::words;

#[derive(Template)]
#[template(path = "object.html")]
struct ObjectPage {
    frame: Frame,
    id: String,
    path: String,
    title: String,
    /// What of it whoever looks may read: the newest version, and where each lies.
    reading: Option<Reading>,
    places: Vec<Place>,
    members: Vec<MemberRow>,
    all: usize,
    can: usize,
    received: usize,
    /// Why the others cannot have it, with how many each reason keeps from it.
    reasons: Vec<(String, usize)>,
    name: String,
    whom: Vec<Choice>,
    found: usize,
    first: usize,
    last: usize,
    before: Option<String>,
    after: Option<String>,
    tells_receivers: bool,
    may_recall: bool,
    levels: Vec<&'static str>,
    csv: String,
    json: String,
}

/// An object as people read it.
struct Reading {
    facts: Vec<(String, String)>,
    pattern: Vec<Piece>,
    body: String,
    versions: Vec<(String, String, String)>,
}

/// A label under which it lies.
struct Place {
    collection: String,
    versions: usize,
    demands: String,
    href: String,
}

/// How many members a page shows; its file has all.
const ROWS_MAX: usize = 100;

struct MemberRow {
    id: String,
    name: String,
    is_open: bool,
    since: String,
    why: Vec<String>,
    policies: String,
    uses: String,
    received: Vec<String>,
}

/// A label's demands in a line.
pub(crate) fn demands(label: &LabelView) -> String {
    let mut told = vec![if label.has_tlp {
        format!("TLP:{}", label.tlp.to_uppercase())
    } else {
        format!("no TLP, taken for {}", label.tlp.to_uppercase())
    }];
    told.extend(label.pap.map(|pap| format!("PAP:{}", pap.to_uppercase())));
    if label.acs > 0 {
        told.push(words::count(label.acs, "ACS marking", "ACS markings"));
    }
    told.extend(label.consent.as_ref().map(|consent| format!("consent {consent}")));
    if !label.unknown.is_empty() {
        told.push(words::count(label.unknown.len(), "unknown marking", "unknown markings"));
    }
    if let Some(audience) = &label.audience {
        told.push(format!("named recipients: {}", audience.len()));
    }
    told.extend(label.release_at.map(|at| format!("not before {}", words::moment(at))));
    told.extend(label.release_until.map(|at| format!("until {}", words::moment(at))));
    if !label.ends.is_empty() {
        told.push("only with its ends".to_owned());
    }
    if label.unless.is_some() {
        told.push("in place of one that is withheld".to_owned());
    }
    told.push(format!("from {}", label.creator));
    told.join(", ")
}

/// What the programme's release policies say, by their names.
pub(crate) fn policy_texts(console: &Console) -> BTreeMap<String, String> {
    let programme = console.exchange.programme();
    programme.policies().rules().into_iter().map(|rule| (rule.id.clone(), rule.text.clone())).collect()
}

struct Found {
    versions: Vec<(String, FoundObject)>,
    release: Option<ObjectRelease>,
}

/// Everything about an object that the caller may have or know.
fn gather(exchange: &Exchange, caller: &Caller, id: &str) -> Result<Found, Problem> {
    let mut versions = Vec::new();
    for view in exchange.collections(caller).into_iter().filter(|view| view.can_read) {
        let alias = &view.collection.alias;
        match exchange.content(caller, alias, id) {
            Ok(page) => versions.extend(page.objects.into_iter().map(|object| (alias.clone(), object))),
            Err(ReadError::NoSuchObject(_) | ReadError::NoSuchCollection(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let release = exchange.object_release(caller, id)?;
    Ok(Found { versions, release: Some(release) })
}

fn recalls(caller: &Caller) -> bool {
    caller.actions.contains(&Action::Administer)
        && matches!(caller.role(), Some(Role::Operator | Role::Reviewer))
}

/// Answers `GET /content/{object}`.
pub(crate) async fn get(State(console): State<Console>, Path(object): Path<String>, asked: Asked) -> Answer {
    let (caller, id) = (asked.caller(), object.clone());
    let found = console.read(move |exchange| gather(exchange, &caller, &id)).await?;
    let texts = policy_texts(&console);
    let release = found.release.as_ref();
    let members: Vec<MemberRow> =
        release.into_iter().flat_map(|release| &release.members).map(|one| member_row(one, &texts)).collect();
    if let Some(format) = asked.format()? {
        return table(&members).answer(format, &format!("release-{object}"));
    }
    let reading = reading(&found.versions);
    let title = reading.as_ref().map(|(title, _)| title.clone()).filter(|title| !title.is_empty());
    let caller = asked.caller();
    let (all, can) = (members.len(), members.iter().filter(|row| row.is_open).count());
    let received = members.iter().filter(|row| !row.received.is_empty()).count();
    let reasons = reasons(&members);
    let name = asked.query.get("q").unwrap_or_default().to_owned();
    let whom = asked.query.get("whom").unwrap_or_default().to_owned();
    let wanted: Vec<MemberRow> = members.into_iter().filter(|row| row.is_wanted(&name, &whom)).collect();
    let found = wanted.len();
    let from: usize = asked.query.get("from").and_then(|text| text.parse().ok()).unwrap_or(0);
    let from = from.min(found.saturating_sub(1)) / ROWS_MAX * ROWS_MAX;
    let members: Vec<MemberRow> = wanted.into_iter().skip(from).take(ROWS_MAX).collect();
    let link = |from: usize| format!("{}#release", asked.link("from", Some(&from.to_string())));
    page(&ObjectPage {
        path: format!("/content/{}", encode(&object)),
        title: title.unwrap_or_else(|| object.clone()),
        reading: reading.map(|(_, reading)| reading),
        places: release.map(places).unwrap_or_default(),
        all,
        can,
        received,
        reasons,
        whom: chosen(&whom),
        name,
        found,
        first: if members.is_empty() { 0 } else { from + 1 },
        last: from + members.len(),
        before: (from > 0).then(|| link(from.saturating_sub(ROWS_MAX))),
        after: (from + ROWS_MAX < found).then(|| link(from + ROWS_MAX)),
        tells_receivers: matches!(caller.role(), Some(Role::Operator | Role::Officer | Role::Overseer)),
        members,
        may_recall: recalls(&caller),
        levels: TLP_LEVELS.to_vec(),
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame(&object),
        id: object,
    })
}

impl MemberRow {
    fn is_wanted(&self, name: &str, whom: &str) -> bool {
        let is_named = name.is_empty() || self.name.to_lowercase().contains(&name.to_lowercase());
        let is_one_of = match whom {
            "can" => self.is_open,
            "cannot" => !self.is_open,
            "received" => !self.received.is_empty(),
            _ => true,
        };
        is_named && is_one_of
    }
}

fn chosen(whom: &str) -> Vec<Choice> {
    let choices = [("can", "who can have it"), ("cannot", "who cannot"), ("received", "who received it")];
    let choice = |(value, label): (&str, &str)| Choice {
        value: value.to_owned(),
        label: label.to_owned(),
        is_chosen: value == whom,
    };
    choices.map(choice).into()
}

/// Why members cannot have it, the reason of most first.
fn reasons(members: &[MemberRow]) -> Vec<(String, usize)> {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for why in members.iter().flat_map(|row| &row.why) {
        *reasons.entry(why).or_default() += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().map(|(why, count)| (why.to_owned(), count)).collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    reasons
}

fn places(release: &ObjectRelease) -> Vec<Place> {
    let place = |place: &exchange::ObjectPlace| Place {
        collection: place.label.collection.clone(),
        versions: place.versions,
        demands: demands(&place.label),
        href: format!("/release?label={0}#label-{0}", place.label.label),
    };
    release.places.iter().map(place).collect()
}

fn reading(versions: &[(String, FoundObject)]) -> Option<(String, Reading)> {
    let parsed: Vec<(&String, &FoundObject, Value)> = versions
        .iter()
        .map(|(alias, found)| (alias, found, serde_json::from_slice(&found.object).unwrap_or_default()))
        .collect();
    let version = |object: &Value| {
        object["modified"].as_str().or(object["created"].as_str()).unwrap_or_default().to_owned()
    };
    let (_, _, newest) = parsed.iter().max_by_key(|(_, found, object)| (version(object), found.date))?;
    let mut facts = Vec::new();
    for (name, value) in newest.as_object().into_iter().flatten() {
        if name != "pattern" && name != "spec_version" {
            facts.push((name.replace('_', " "), said(name, value)));
        }
    }
    let told = |(alias, found, object): &(&String, &FoundObject, Value)| {
        ((*alias).clone(), version(object), words::moment(found.date))
    };
    let reading = Reading {
        facts,
        pattern: highlighted(newest["pattern"].as_str().unwrap_or_default()),
        body: serde_json::to_string_pretty(newest).unwrap_or_default(),
        versions: parsed.iter().map(told).collect(),
    };
    Some((headline(newest), reading))
}

/// A property as people read it.
fn said(name: &str, value: &Value) -> String {
    let one = |value: &Value| match value {
        Value::String(text) if name == "object_marking_refs" => marking_word(text),
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    };
    match value.as_array() {
        Some(values) => values.iter().map(one).collect::<Vec<_>>().join(", "),
        None => one(value),
    }
}

fn member_row(one: &MemberRelease, texts: &BTreeMap<String, String>) -> MemberRow {
    let cell = one.by.as_ref().map(|(_, cell)| cell);
    let policies = cell.map(|cell| cell.policies.clone()).unwrap_or_default();
    let received = one.received.iter().map(|receiver| {
        let what = if receiver.whole { "" } else { ", only that it exists" };
        let at = receiver.first.parse().map_or_else(|_| receiver.first.clone(), words::moment);
        format!("{at}{what} (entry {})", receiver.entry)
    });
    MemberRow {
        id: one.member.to_string(),
        name: one.name.clone(),
        is_open: one.is_open,
        since: cell.and_then(|cell| cell.since).map(words::moment).unwrap_or_default(),
        why: if one.is_open { Vec::new() } else { why(cell, texts) },
        policies: policies.join(", "),
        uses: cell.filter(|_| one.is_open).map(|cell| cell.uses.join(", ")).unwrap_or_default(),
        received: received.collect(),
    }
}

/// Why somebody cannot have what lies under a label.
pub(crate) fn why(cell: Option<&exchange::ReleaseCell>, texts: &BTreeMap<String, String>) -> Vec<String> {
    let Some(cell) = cell else { return vec!["It lies nowhere any more.".to_owned()] };
    if !cell.errors.is_empty() {
        return vec!["A policy could not be evaluated, so the answer is no.".to_owned()];
    }
    if cell.may_read {
        return vec![
            "The policies permit it; an embargo, an end, or the whole that it stands in for keeps it back."
                .to_owned(),
        ];
    }
    if cell.policies.is_empty() {
        return vec!["No policy permits it: it is not on the list of the tier.".to_owned()];
    }
    cell.policies.iter().map(|policy| texts.get(policy).unwrap_or(policy).clone()).collect()
}

fn table(rows: &[MemberRow]) -> Table {
    let mut table =
        Table::new(&["member", "name", "can_have_it", "since", "policies", "why_not", "uses", "received"]);
    table.rows = rows
        .iter()
        .map(|row| {
            vec![
                json!(row.id),
                json!(row.name),
                json!(row.is_open),
                json!(row.since),
                json!(row.policies),
                json!(row.why.join(" ")),
                json!(row.uses),
                json!(row.received.join("; ")),
            ]
        })
        .collect();
    table
}

fn recall_of(posted: &Posted) -> Result<RecallAction, Problem> {
    let wrong = |text: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text);
    match posted.field("action")? {
        "withdraw" => Ok(RecallAction::Withdraw),
        "relabel" => {
            let level = posted.fields.get("tlp").map(|word| {
                let level =
                    TLP_LEVELS.iter().position(|level| *level == word).and_then(|at| u8::try_from(at).ok());
                level.ok_or_else(|| wrong("`tlp` is none of the levels"))
            });
            let named = posted.fields.get("audience").map(|text| {
                let ids: Result<BTreeSet<MemberId>, _> = text.split_whitespace().map(str::parse).collect();
                ids.map_err(|error| wrong(&format!("`audience`: {error}")))
            });
            let (tlp, audience) = (level.transpose()?, named.transpose()?);
            if tlp.is_none() && audience.is_none() {
                return Err(wrong("say which TLP level, or which members alone are to have it"));
            }
            Ok(RecallAction::Relabel { audience, tlp })
        }
        _ => Err(wrong("`action` is withdraw or relabel")),
    }
}

/// Takes `POST /content/{object}/recall`.
pub(crate) async fn recall(
    State(console): State<Console>,
    Path(object): Path<String>,
    posted: Posted,
) -> Answer {
    let to = format!("/content/{}", encode(&object));
    let asked = || -> Result<_, Problem> {
        if posted.fields.get("confirmed").is_none() {
            let text = "say that you know what a recall does, by the tick above the button";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text));
        }
        Ok((recall_of(&posted)?, posted.field("reason")?.to_owned()))
    };
    let caller = posted.caller();
    let done = match asked() {
        Ok((action, reason)) => {
            console.decide(move |exchange| exchange.recall(&caller, &object, action, &reason)).await
        }
        Err(problem) => Err(problem),
    };
    match done {
        Ok(report) => {
            let reached = words::count(report.reached.len(), "other object", "other objects");
            let text = format!(
                "Recalled: {}, and {reached} with it. {} told at the next poll.",
                words::count(report.versions, "version", "versions"),
                words::count(report.told.len(), "holder is", "holders are"),
            );
            posted.done(text, "/content")
        }
        Err(problem) if matches!(problem.status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) => {
            posted.asked.session.say(refused(&problem));
            Ok(Redirect::to(&to).into_response())
        }
        Err(problem) => Err(problem),
    }
}
