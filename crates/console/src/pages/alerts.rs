//! `/alerts`: everything that happened, the newest first, with what is new to whoever looks.
//!
//! What one has seen is kept with one's account, and only moves on when one says so: a glance at a page loses nothing.

use askama::Template;
use axum::extract::State;
use exchange::{Alert, Exchange, Unseen};
use model::Caller;
use serde_json::json;

use crate::asked::{Asked, Posted};
use crate::console::Console;
use crate::export::{Format, Part};
use crate::frame::Frame;
use crate::problem::{Answer, Problem, page};
use crate::words;

/// How many alerts a page shows.
const ROWS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    frame: Frame,
    news: Vec<News>,
    unseen: u64,
    newest: String,
    latest: Option<String>,
    older: Option<String>,
    csv: String,
    json: String,
}

/// Something that happened.
pub(crate) struct News {
    pub(crate) at: String,
    pub(crate) kind: String,
    pub(crate) text: String,
    pub(crate) href: Option<String>,
    pub(crate) is_fresh: bool,
}

impl News {
    pub(crate) fn new(alert: &Alert, unseen: Unseen) -> Self {
        let href = alert.member.as_ref().map(|member| match &alert.tier {
            Some(tier) => format!("/members/{member}?tier={tier}"),
            None => format!("/members/{member}"),
        });
        Self {
            at: words::moment(alert.at),
            kind: alert.kind.clone(),
            text: alert.text.clone(),
            href,
            is_fresh: alert.number().is_some_and(|number| number >= unseen.from),
        }
    }
}

/// Answers `GET /alerts`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    if let Some(format) = asked.format()? {
        return file(&asked, format).await;
    }
    let before = asked.query.get("before").map(str::parse::<u64>).transpose();
    let before = before.map_err(|_| Problem::bad_request("`before` is the number of an alert"))?;
    let caller = asked.caller();
    let (alerts, newest, unseen) = console
        .read(move |exchange| -> Result<_, Problem> {
            let newest = exchange.alerts_before(&caller, None, 1)?;
            let alerts = exchange.alerts_before(&caller, before, ROWS_MAX)?;
            Ok((alerts, newest, exchange.unseen_alerts(&caller)?))
        })
        .await?;
    let oldest = alerts.last().and_then(Alert::number).filter(|number| *number > 0);
    page(&AlertsPage {
        news: alerts.iter().map(|alert| News::new(alert, unseen)).collect(),
        unseen: unseen.count,
        newest: newest.first().map(|alert| alert.key.clone()).unwrap_or_default(),
        latest: before.is_some().then(|| asked.link("before", None)),
        older: oldest.map(|number| asked.link("before", Some(&number.to_string()))),
        csv: asked.query.with("before", None).with("format", Some("csv")).link(&asked.path),
        json: asked.query.with("before", None).with("format", Some("json")).link(&asked.path),
        frame: asked.frame("What happened"),
    })
}

/// All alerts, the first of them first.
async fn file(asked: &Asked, format: Format) -> Answer {
    let columns = ["key", "at", "kind", "member", "tier", "text"];
    let row = |alert: &Alert| {
        vec![
            json!(alert.key),
            json!(alert.at),
            json!(alert.kind),
            json!(alert.member),
            json!(alert.tier),
            json!(alert.text),
        ]
    };
    let part = move |exchange: &Exchange, caller: &Caller, after: String| {
        let some = exchange.alerts(caller, &after)?;
        let next = some.last().map(|alert| alert.key.clone());
        Ok(Part { rows: some.iter().map(row).collect(), next })
    };
    asked.file(format, "alerts", &columns, String::new(), part).await
}

/// Takes `POST /alerts/seen`: everything up to an alert is no news any more.
pub(crate) async fn see(State(console): State<Console>, posted: Posted) -> Answer {
    let (caller, key) = (posted.caller(), posted.field("up_to")?.to_owned());
    console.decide(move |exchange| exchange.see_alerts(&caller, &key)).await?;
    posted.done("Marked as seen: what comes from now on is new.", posted.back_to("/alerts"))
}
