//! `/members/{member}/holds`: what a member was handed, by the ledger: what it has on its side, whatever its standing is now.

use askama::Template;
use axum::extract::{Path, State};
use exchange::HeldObject;
use model::MemberId;
use serde_json::json;

use crate::asked::Asked;
use crate::console::Console;
use crate::export::Table;
use crate::frame::Frame;
use crate::pages::id;
use crate::problem::{Answer, page};
use crate::query::encode;
use crate::words;

/// How many objects the page shows; the file has all.
const SHOWN_MAX: usize = 200;

#[derive(Template)]
#[template(path = "holds.html")]
struct HoldsPage {
    frame: Frame,
    member: MemberId,
    name: String,
    is_people: bool,
    count: String,
    entries: String,
    rows: Vec<Row>,
    is_cut_short: bool,
    csv: String,
    json: String,
}

/// An object in one version.
struct Row {
    id: String,
    href: String,
    version: String,
    collection: String,
    tier: String,
    first: String,
    entry: u64,
}

/// Answers `GET /members/{member}/holds`.
pub(crate) async fn get(State(console): State<Console>, Path(member): Path<String>, asked: Asked) -> Answer {
    let member: MemberId = id(&member)?;
    let (caller, of) = (asked.caller(), member.clone());
    let (name, report) = console
        .read(move |exchange| -> Result<_, crate::problem::Problem> {
            let name = exchange.member(&caller, &of)?.name;
            Ok((name, exchange.holds(&caller, &of)?))
        })
        .await?;
    if let Some(format) = asked.format()? {
        return table(&report.objects).answer(format, &format!("holds-{member}"));
    }
    let programme = console.exchange.programme();
    let (csv, json) = (asked.link("format", Some("csv")), asked.link("format", Some("json")));
    page(&HoldsPage {
        is_people: asked.caller().role().is_some(),
        count: words::count(report.objects.len(), "object", "objects"),
        entries: words::count(usize::try_from(report.entries).unwrap_or(usize::MAX), "entry", "entries"),
        is_cut_short: report.objects.len() > SHOWN_MAX,
        rows: report.objects.iter().take(SHOWN_MAX).map(|held| row(&programme, held)).collect(),
        frame: asked.frame(&format!("What {name} holds")),
        member,
        name,
        csv,
        json,
    })
}

fn row(programme: &programme::Programme, held: &HeldObject) -> Row {
    let moment = |text: &str| text.parse().map_or_else(|_| text.to_owned(), words::moment);
    let collection = programme.find_collection(&held.collection);
    Row {
        href: format!("/content/{}", encode(&held.id)),
        id: held.id.clone(),
        version: moment(&held.version),
        collection: collection.map_or_else(|| held.collection.clone(), |known| known.title.clone()),
        tier: held.tier.clone(),
        first: moment(&held.first),
        entry: held.entry,
    }
}

fn table(objects: &[HeldObject]) -> Table {
    let mut table = Table::new(&["object", "version", "collection", "tier", "first", "entry", "whole"]);
    let row = |held: &HeldObject| {
        vec![
            json!(held.id),
            json!(held.version),
            json!(held.collection),
            json!(held.tier),
            json!(held.first),
            json!(held.entry),
            json!(held.whole),
        ]
    };
    table.rows = objects.iter().map(row).collect();
    table
}
