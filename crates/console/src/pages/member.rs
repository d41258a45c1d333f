//! `/members/{member}`: one member, from the sentence down to the statements.
//!
//! Everything here is computed for one tier and for one place of the two clocks: the day that is asked about, and the day
//! up to which what was recorded counts. Both stand in the path's query, so a page can be sent to somebody.

mod clocks;
mod gather;
pub(crate) mod holds;
mod proof;
mod record;
mod story;
mod what_if;

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect};
use model::{Grade, MemberId, Role, Standing, Tier};
use serde_json::json;
use ties::{EntityId, TieId, Truth};

use crate::asked::Asked;
use crate::console::Console;
use crate::export::Table;
use crate::frame::{Frame, decides};
use crate::graph::{self, Drawn};
use crate::pages::part::{Part, part};
use crate::pages::ties::tie_link;
use crate::pages::{Choice, id};
use crate::problem::{Answer, Problem, page};
use crate::query::encode;
use crate::words;

use clocks::Clocks;
use gather::{Found, Wanted, gather};
use proof::FindingView;
use record::Record;
use story::Story;
use what_if::{Added, LeftOut, WhatIf};

/// How many ties the table shows at a time; the file of it has all.
const TIES_SHOWN: usize = 50;

/// How many entities a tie that is supposed is offered as its ends; others are written.
const ENTITIES_OFFERED: usize = 60;

#[derive(Template)]
#[template(path = "member.html")]
#[expect(clippy::struct_excessive_bools, reason = "a template asks about one thing at a time")]
struct MemberPage {
    frame: Frame,
    id: MemberId,
    name: String,
    kind: &'static str,
    entity: Option<EntityId>,
    tiers: Vec<TierTab>,
    tier: Tier,
    standing: Standing,
    standing_word: &'static str,
    story: Story,
    clocks: Clocks,
    grade: Option<Grade>,
    possible: Option<Grade>,
    picture: Option<Drawn>,
    is_cut_short: bool,
    ties: Vec<TieRow>,
    ties_part: Part,
    /// Ties that are taken as ended and stand in another part of the table.
    ended_elsewhere: Vec<String>,
    ties_csv: String,
    ties_json: String,
    past_csv: String,
    past_json: String,
    attested_csv: String,
    attested_json: String,
    findings: Vec<FindingView>,
    perhaps: Vec<FindingView>,
    near: Vec<String>,
    unknown: Vec<String>,
    remedies: Option<RemediesView>,
    what_if: Option<WhatIf>,
    /// The ties that the link takes as ended and that were left out.
    left_out: Option<LeftOut>,
    added: Vec<Added>,
    kinds: Vec<Choice>,
    instrument_kinds: Vec<Choice>,
    entities: Vec<Choice>,
    record: Record,
    steps: Vec<Choice>,
    is_people: bool,
    may_decide: bool,
    /// Whether what was handed out is for its eyes: the member's, and those who audit the ledger.
    may_audit: bool,
    is_now: bool,
    here: String,
}

/// A tier that one can look at.
struct TierTab {
    name: String,
    href: String,
    standing: Standing,
    word: &'static str,
    is_current: bool,
}

/// A line of the table of ties.
struct TieRow {
    id: String,
    /// To the programme's people: what was said of it.
    href: Option<String>,
    from: String,
    to: String,
    says: String,
    holds: String,
    truth: &'static str,
    is_possible: bool,
    source: String,
    matters: bool,
    is_ended: bool,
}

/// What would help.
struct RemediesView {
    ties: Vec<RemedyView>,
    instruments: Vec<String>,
    withheld: usize,
    is_cut_short: bool,
    longer: String,
}

struct RemedyView {
    text: String,
    leaves: Grade,
    is_proved: bool,
    in_its_hand: bool,
    still: Vec<String>,
    href: String,
}

/// Answers `GET /me`, to a member: its own page.
pub(crate) async fn own(asked: Asked) -> Answer {
    let caller = asked.caller();
    let member = caller.member().ok_or_else(Problem::not_found)?;
    Ok(Redirect::to(&format!("/members/{member}")).into_response())
}

/// Answers `GET /members/{member}`.
pub(crate) async fn get(State(console): State<Console>, Path(member): Path<String>, asked: Asked) -> Answer {
    let member: MemberId = id(&member)?;
    let wanted = Wanted::read(&asked)?;
    let caller = asked.caller();
    let (asking, id) = (asked.clone(), member.clone());
    let found = console
        .read(move |exchange| -> Result<_, Problem> {
            if let Some(link) = what_if::canonical(exchange, &caller, &asking)? {
                return Ok(Err(link));
            }
            gather(exchange, &caller, &id, &wanted).map(Ok)
        })
        .await?;
    let found = match found {
        Ok(found) => found,
        Err(link) => return Ok(Redirect::to(&link).into_response()),
    };
    if let (Some(format), Some("decisions")) = (asked.format()?, asked.query.get("table")) {
        return record::decisions_file(&asked, format, member).await;
    }
    let rests_on = rests_on(&found);
    if let Some(format) = asked.format()? {
        let (name, table) = match asked.query.get("table") {
            None => ("ties", table(&found, &rests_on)),
            Some("others") => ("would-move", what_if::table(&found)),
            Some("attestations") => {
                ("attestations", record::attested_table(&found, &question_texts(&console)))
            }
            Some(_) => {
                return Err(Problem::bad_request(
                    "`table` is others, decisions or attestations, or left out",
                ));
            }
        };
        return table.answer(format, &format!("{name}-{member}"));
    }
    page(&view(&console, &asked, &found, &rests_on))
}

/// The ties that the decision rests on: of what makes it as bad as it is; else of anything that was found.
fn rests_on(found: &Found) -> BTreeSet<TieId> {
    let Some(decision) = &found.decision else { return BTreeSet::new() };
    decision.ties(decision.grade.max(Grade::Disclose))
}

fn view(console: &Console, asked: &Asked, found: &Found, rests_on: &BTreeSet<TieId>) -> MemberPage {
    let caller = asked.caller();
    let is_people = caller.role().is_some();
    let programme = console.exchange.programme();
    let tier_names = programme.settings().tiers.iter().map(|tier| tier.name.clone());
    let tab = |tier: Tier| TierTab {
        href: asked.link("tier", Some(tier.as_str())),
        standing: found.member.standing(&tier),
        word: words::standing(found.member.standing(&tier)),
        is_current: tier == found.tier,
        name: tier.to_string(),
    };
    let file = |table: &str, format: &str| {
        asked.query.with("table", Some(table)).with("format", Some(format)).link(&asked.path)
    };
    let standing = found.member.standing(&found.tier);
    let story = story::tell(found, standing);
    let picture = draw(asked, found, rests_on, &story);
    let mut ties = tie_rows(found, rests_on);
    let (shown, ties_part) = part(asked, ties.len(), TIES_SHOWN, "ties");
    ties = ties.drain(shown).collect();
    let is_shown = |tie: &TieId| ties.iter().any(|row| row.id == tie.as_str());
    let elsewhere = found.wanted.supposed.end.iter().filter(|tie| !is_shown(tie));
    let ended_elsewhere = elsewhere.map(TieId::to_string).collect();
    let decision = found.decision.as_ref();
    let views = |findings: &[vetting::Finding]| -> Vec<FindingView> {
        findings.iter().map(|finding| FindingView::new(finding, is_people)).collect()
    };
    let may_decide = is_people && decides(&caller);
    MemberPage {
        id: found.member.id.clone(),
        name: found.member.name.clone(),
        kind: found.member.kind.as_str(),
        entity: found.dossier.entity.clone(),
        tiers: tier_names.map(tab).collect(),
        tier: found.tier.clone(),
        standing,
        standing_word: words::standing(standing),
        clocks: Clocks::new(asked, found),
        grade: decision.map(|decision| decision.grade),
        possible: decision
            .map(|decision| decision.possible)
            .filter(|possible| decision.is_some_and(|decision| *possible > decision.grade)),
        picture,
        is_cut_short: found.around.as_ref().is_some_and(|around| around.is_cut_short),
        ties,
        ties_part,
        ended_elsewhere,
        ties_csv: asked.link("format", Some("csv")),
        ties_json: asked.link("format", Some("json")),
        past_csv: file("decisions", "csv"),
        past_json: file("decisions", "json"),
        findings: decision.map(|decision| views(&decision.findings)).unwrap_or_default(),
        perhaps: decision.map(|decision| views(&decision.perhaps)).unwrap_or_default(),
        near: decision.map(|d| d.near.iter().map(|near| near.text.clone()).collect()).unwrap_or_default(),
        unknown: decision.map(|decision| decision.unknown.clone()).unwrap_or_default(),
        remedies: remedies(asked, found),
        what_if: what_if::view(asked, found),
        left_out: LeftOut::new(asked, found),
        added: what_if::added(found),
        kinds: what_if::kinds(),
        instrument_kinds: instrument_kinds(&programme),
        entities: entities(found),
        record: Record::new(found, asked, &question_texts(console)),
        attested_csv: file("attestations", "csv"),
        attested_json: file("attestations", "json"),
        steps: steps(standing),
        is_people,
        may_decide,
        may_audit: caller.role() != Some(Role::Reviewer),
        is_now: found.wanted.as_of.is_none(),
        here: asked.query.link(&asked.path),
        frame: asked.frame(&found.member.name),
        story,
    }
}

/// What the questionnaire asks, by its questions' numbers.
fn question_texts(console: &Console) -> record::Texts {
    let programme = console.exchange.programme();
    let questions = programme.questionnaire().into_iter().flat_map(|known| &known.questions);
    questions.map(|question| (question.id.clone(), question.text.clone())).collect()
}

/// The kinds of instruments to choose from.
fn instrument_kinds(programme: &programme::Programme) -> Vec<Choice> {
    let choice = |kind: &programme::InstrumentKind| Choice {
        value: kind.kind.clone(),
        label: kind.title.clone(),
        is_chosen: false,
    };
    programme.instruments().iter().map(choice).collect()
}

/// The steps that the procedure has from a standing.
fn steps(from: Standing) -> Vec<Choice> {
    let step = |to: Standing| Choice {
        value: to.to_string(),
        label: words::standing(to).to_owned(),
        is_chosen: false,
    };
    Standing::ALL.into_iter().filter(|to| from.may_become(*to)).map(step).collect()
}

/// The picture of what lies around, or of what a member is shown of its proof.
fn draw(asked: &Asked, found: &Found, rests_on: &BTreeSet<TieId>, story: &Story) -> Option<Drawn> {
    let member_of =
        |entity: &EntityId| found.members.get(entity).map(|(member, _)| format!("/members/{member}"));
    let graph = match (&found.around, &found.decision) {
        (Some(around), _) => graph::from_around(around, rests_on, &member_of),
        (None, Some(decision)) => graph::from_decision(decision),
        (None, None) => return None,
    };
    let title = format!("Ties of {}", found.member.name);
    let about = format!(
        "{} Owners stand above, holdings below. The table after this picture has the same ties.",
        story.text()
    );
    graph::picture(&graph, asked, &title, &about)
}

/// The table of the ties: of those around; to a member, of those that its decision shows.
fn tie_rows(found: &Found, rests_on: &BTreeSet<TieId>) -> Vec<TieRow> {
    let end = &found.wanted.supposed.end;
    let mut rows: Vec<TieRow> = match (&found.around, &found.decision) {
        (Some(around), _) => around
            .ties
            .iter()
            .map(|known| TieRow {
                id: known.tie.id.to_string(),
                href: Some(tie_link(&known.tie.id)),
                from: found.name(&known.tie.from),
                to: found.name(&known.tie.to),
                says: words::tie(&known.tie.kind),
                holds: words::period(known.tie.valid),
                truth: words::truth(known.truth),
                is_possible: known.truth != Truth::Certain,
                source: known.source.document.clone(),
                matters: rests_on.contains(&known.tie.id),
                is_ended: end.contains(&known.tie.id),
            })
            .collect(),
        (None, Some(decision)) => graph::shown(decision)
            .into_iter()
            .map(|shown| TieRow {
                id: shown.id.to_string(),
                href: None,
                from: shown.tie.from.clone(),
                to: shown.tie.to.clone(),
                says: words::tie(&shown.tie.kind),
                holds: shown.tie.since.map(|since| format!("since {since}")).unwrap_or_default(),
                truth: words::truth(shown.truth),
                is_possible: shown.truth != Truth::Certain,
                source: shown.statements.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                matters: rests_on.contains(shown.id),
                is_ended: end.contains(shown.id),
            })
            .collect(),
        (None, None) => Vec::new(),
    };
    rows.sort_by_key(|row| !row.matters);
    rows
}

fn table(found: &Found, rests_on: &BTreeSet<TieId>) -> Table {
    let mut table = Table::new(&[
        "tie",
        "from",
        "from_name",
        "to",
        "to_name",
        "says",
        "holds",
        "truth",
        "source",
        "matters",
        "taken_as_ended",
    ]);
    let ends: BTreeMap<String, (&EntityId, &EntityId)> = match (&found.around, &found.decision) {
        (Some(around), _) => {
            let known = around.ties.iter().map(|known| &known.tie);
            known.map(|tie| (tie.id.to_string(), (&tie.from, &tie.to))).collect()
        }
        (None, Some(decision)) => graph::shown(decision)
            .iter()
            .map(|shown| (shown.id.to_string(), (shown.from, shown.to)))
            .collect(),
        (None, None) => BTreeMap::new(),
    };
    let row = |row: TieRow| {
        let (from, to) = ends.get(&row.id).copied().unzip();
        vec![
            json!(row.id),
            json!(from),
            json!(row.from),
            json!(to),
            json!(row.to),
            json!(row.says),
            json!(row.holds),
            json!(row.truth),
            json!(row.source),
            json!(row.matters),
            json!(row.is_ended),
        ]
    };
    table.rows = tie_rows(found, rests_on).into_iter().map(row).collect();
    table
}

/// The entities to choose from for a tie that is supposed: those around, by what they are called.
fn entities(found: &Found) -> Vec<Choice> {
    let around = found.around.iter().flat_map(|around| &around.entities);
    let choice = |(id, known): (&EntityId, &exchange::Neighbour)| Choice {
        value: id.to_string(),
        label: known.name.clone(),
        is_chosen: false,
    };
    around.take(ENTITIES_OFFERED).map(choice).collect()
}

fn remedies(asked: &Asked, found: &Found) -> Option<RemediesView> {
    let remedies = found.remedies.as_ref()?;
    let link = |end: &BTreeSet<TieId>| {
        let mut link = asked.query.with("end", None).with("remedies", None).link(&asked.path);
        for tie in end {
            link.push(if link.contains('?') { '&' } else { '?' });
            link.push_str("end=");
            link.push_str(&encode(tie.as_str()));
        }
        format!("{link}#what-if")
    };
    let ties = remedies.ties.iter().map(|remedy| RemedyView {
        text: remedy.text.join("; "),
        leaves: remedy.leaves,
        is_proved: remedy.bound == vetting::RemedyBound::Proved,
        in_its_hand: remedy.in_its_hand,
        still: remedy.still.clone(),
        href: link(&remedy.end),
    });
    let instruments = remedies.instruments.iter();
    Some(RemediesView {
        ties: ties.collect(),
        instruments: instruments.map(|one| format!("{}: leaves {}", one.instrument, one.leaves)).collect(),
        withheld: remedies.withheld,
        is_cut_short: remedies.cut_short,
        longer: format!("{}#remedies", asked.link("remedies", Some("long"))),
    })
}
