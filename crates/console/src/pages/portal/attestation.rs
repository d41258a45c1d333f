//! `/me/attestation`: the questionnaire to fill in, what was said before, and appeals.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};
use exchange::{Answer as Said, Attestation, Dossier, DutyOf};
use http::StatusCode;
use model::Tier;
use programme::Questionnaire;
use serde_json::json;

use crate::asked::{Asked, Posted};
use crate::console::Console;
use crate::export::Table;
use crate::frame::Frame;
use crate::pipeline::refused;
use crate::problem::{Answer, Problem, page};
use crate::words::{count, day, moment};

const HERE: &str = "/me/attestation";

#[derive(Template)]
#[template(path = "portal-attestation.html")]
struct AttestationPage {
    frame: Frame,
    title: String,
    version: String,
    source: String,
    questions: Vec<QuestionView>,
    officer: String,
    /// When it is due, and whether that is over.
    due: Option<(String, bool)>,
    filed: Vec<Filed>,
    tiers: Vec<String>,
    appeals: Vec<AppealView>,
    csv: String,
    json: String,
}

struct QuestionView {
    id: String,
    text: String,
    list: String,
    /// As it was answered last.
    yes: bool,
    no: bool,
    listed: String,
}

struct Filed {
    at: String,
    officer: String,
    changed: String,
}

struct AppealView {
    tier: String,
    at: String,
    text: String,
    answer: Option<String>,
    due: String,
}

/// Answers `GET /me/attestation`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    super::member(&asked)?;
    let caller = asked.caller();
    let dossier = console
        .read(move |exchange| -> Result<_, Problem> {
            let member = caller.member().ok_or_else(Problem::not_found)?;
            Ok(exchange.dossier(&caller, member)?)
        })
        .await?;
    let programme = console.exchange.programme();
    let questionnaire = programme.questionnaire();
    if let Some(format) = asked.format()? {
        return table(questionnaire, &dossier).answer(format, "attestation");
    }
    let last = dossier.attestations.last();
    let open = dossier
        .duties
        .iter()
        .find(|duty| duty.done.is_none() && matches!(duty.of, DutyOf::Attestation | DutyOf::Report));
    page(&AttestationPage {
        title: questionnaire.map(|known| known.title.clone()).unwrap_or_default(),
        version: questionnaire.map(|known| known.version.clone()).unwrap_or_default(),
        source: questionnaire.map(|known| known.source.clone()).unwrap_or_default(),
        questions: questionnaire.map(|known| questions(known, last)).unwrap_or_default(),
        officer: last.map(|last| last.officer.clone()).unwrap_or_default(),
        due: open.map(|duty| (day(duty.due), duty.due < asked.now)),
        filed: filed(&dossier.attestations),
        tiers: programme.settings().tiers.iter().map(|tier| tier.name.to_string()).collect(),
        appeals: appeals(&dossier),
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame("Attestation and appeals"),
    })
}

fn questions(questionnaire: &Questionnaire, last: Option<&Attestation>) -> Vec<QuestionView> {
    let view = |question: &programme::Question| {
        let said = last.and_then(|last| last.answers.get(&question.id));
        QuestionView {
            id: question.id.clone(),
            text: question.text.clone(),
            list: question.list.clone(),
            yes: said.is_some_and(|said| said.yes),
            no: said.is_some_and(|said| !said.yes),
            listed: said.map(|said| said.list.join("\n")).unwrap_or_default(),
        }
    };
    questionnaire.questions.iter().map(view).collect()
}

/// What was filed, the newest first, each with how much differed from the one before.
fn filed(attestations: &[Attestation]) -> Vec<Filed> {
    let mut before = None;
    let mut filed = Vec::new();
    for attestation in attestations {
        let changed = attestation.diff(before).len();
        filed.push(Filed {
            at: moment(attestation.at),
            officer: attestation.officer.clone(),
            changed: if before.is_none() {
                "the first".to_owned()
            } else {
                count(changed, "answer changed", "answers changed")
            },
        });
        before = Some(attestation);
    }
    filed.reverse();
    filed
}

fn appeals(dossier: &Dossier) -> Vec<AppealView> {
    let view = |appeal: &exchange::Appeal| AppealView {
        tier: appeal.tier.to_string(),
        at: moment(appeal.at),
        text: appeal.text.clone(),
        answer: appeal
            .answered
            .as_ref()
            .map(|answered| format!("{}: {}", moment(answered.at), answered.reason)),
        due: day(appeal.due),
    };
    dossier.appeals.iter().rev().map(view).collect()
}

fn table(questionnaire: Option<&Questionnaire>, dossier: &Dossier) -> Table {
    let mut table = Table::new(&["question", "text", "yes", "list"]);
    let last = dossier.attestations.last();
    let questions = questionnaire.map(|known| known.questions.as_slice()).unwrap_or_default();
    let row = |question: &programme::Question| {
        let said = last.and_then(|last| last.answers.get(&question.id));
        vec![
            json!(question.id),
            json!(question.text),
            json!(said.map(|said| said.yes)),
            json!(said.map(|said| &said.list)),
        ]
    };
    table.rows = questions.iter().map(row).collect();
    table
}

/// Takes `POST /me/attestation`.
pub(crate) async fn post(State(console): State<Console>, posted: Posted) -> Answer {
    super::member(&posted.asked)?;
    let officer = posted.fields.get("officer").unwrap_or_default().to_owned();
    let programme = console.exchange.programme();
    let mut answers = BTreeMap::new();
    for question in programme.questionnaire().iter().flat_map(|known| &known.questions) {
        let yes = match posted.fields.get(&format!("answer-{}", question.id)) {
            Some("yes") => true,
            Some("no") => false,
            // What is not answered is for the exchange to refuse, by its name.
            Some(_) | None => continue,
        };
        let listed = posted.fields.get(&format!("list-{}", question.id)).filter(|_| yes).unwrap_or_default();
        let list = listed.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        answers.insert(question.id.clone(), Said { yes, list });
    }
    let caller = posted.caller();
    match console.decide(move |exchange| exchange.attest(&caller, &officer, answers)).await {
        Ok(attested) => {
            let differ = count(attested.diff.len(), "answer differs", "answers differ");
            posted.done(format!("Filed. {differ} from the last time."), HERE)
        }
        Err(problem) => back(&posted, problem),
    }
}

/// Takes `POST /me/appeals`.
pub(crate) async fn appeal(State(console): State<Console>, posted: Posted) -> Answer {
    super::member(&posted.asked)?;
    let tier: Tier = posted.read("tier")?;
    let text = posted.field("text")?.to_owned();
    let caller = posted.caller();
    match console.decide(move |exchange| exchange.appeal(&caller, &tier, &text)).await {
        Ok(appeal) => {
            posted.done(format!("Your appeal is filed. It is answered by {}.", day(appeal.due)), HERE)
        }
        Err(problem) => back(&posted, problem),
    }
}

fn back(posted: &Posted, problem: Problem) -> Answer {
    if !matches!(problem.status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) {
        return Err(problem);
    }
    posted.asked.session.say(refused(&problem));
    Ok(Redirect::to(HERE).into_response())
}
