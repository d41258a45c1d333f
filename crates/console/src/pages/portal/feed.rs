//! `/me/feed`: what a member may have and do, by collection and marking; `/me/contributions`: what became of its own.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use exchange::{CollectionView, Exchange, OWN_MAX, OwnObject, OwnRights, State as Doubt};
use model::{Caller, CollectionId, Member, Standing};
use serde_json::json;

use crate::asked::Asked;
use crate::console::Console;
use crate::export::{Format, Part, Table};
use crate::frame::Frame;
use crate::problem::{Answer, Problem, page};
use crate::words;

#[derive(Template)]
#[template(path = "portal-feed.html")]
struct FeedPage {
    frame: Frame,
    root: String,
    collections: Vec<CollectionRow>,
    levels: Vec<&'static str>,
    csv: String,
    json: String,
}

struct CollectionRow {
    title: String,
    about: String,
    alias: String,
    tier: String,
    standing: Option<Standing>,
    standing_word: &'static str,
    can_read: bool,
    can_write: bool,
    cells: Vec<String>,
}

#[derive(Template)]
#[template(path = "portal-contributions.html")]
struct ContributionsPage {
    frame: Frame,
    counts: Vec<(String, u64)>,
    rows: Vec<OwnRow>,
    after: Option<String>,
    csv: String,
    json: String,
}

struct OwnRow {
    object: String,
    hits: String,
    last_day: String,
    doubt: Option<(&'static str, &'static str)>,
}

/// How many of its objects a page tells of; the file has all.
const ROWS_MAX: usize = 100;

/// The names of the levels of TLP, with what is not marked first.
const LEVELS: [&str; 6] =
    ["not marked", "TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"];

/// Answers `GET /me/feed`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    super::member(&asked)?;
    let caller = asked.caller();
    let (member, collections, rights) = console
        .read(move |exchange| -> Result<_, Problem> {
            let id = caller.member().ok_or_else(Problem::not_found)?;
            Ok((exchange.member(&caller, id)?, exchange.collections(&caller), exchange.own_rights(&caller)?))
        })
        .await?;
    let rows: Vec<CollectionRow> = collections.iter().map(|view| row(view, &member, &rights)).collect();
    if let Some(format) = asked.format()? {
        let mut table = Table::new(&["collection", "title", "tier", "standing", "may_read", "may_publish"]);
        table.columns.extend(LEVELS.map(str::to_owned));
        table.rows = rows.iter().map(values).collect();
        return table.answer(format, "feed");
    }
    page(&FeedPage {
        root: format!("/{}/", console.exchange.programme().settings().name),
        collections: rows,
        levels: LEVELS.into(),
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame("My feed"),
    })
}

fn row(view: &CollectionView, member: &Member, rights: &[OwnRights]) -> CollectionRow {
    let collection = &view.collection;
    let standing = member.standing(&collection.tier);
    let cells = rights.iter().filter(|one| one.collection == collection.id).map(cell).collect();
    CollectionRow {
        title: collection.title.clone(),
        about: collection.description.clone().unwrap_or_default(),
        alias: collection.alias.clone(),
        tier: collection.tier.to_string(),
        standing: Some(standing),
        standing_word: words::standing(standing),
        can_read: view.can_read,
        can_write: view.can_write,
        cells,
    }
}

fn cell(rights: &OwnRights) -> String {
    if !rights.read {
        return "not for you".to_owned();
    }
    let words: Vec<&str> = std::iter::once("read").chain(rights.uses.words()).collect();
    words.join(", ")
}

fn values(row: &CollectionRow) -> Vec<serde_json::Value> {
    let mut values = vec![
        json!(row.alias),
        json!(row.title),
        json!(row.tier),
        json!(row.standing),
        json!(row.can_read),
        json!(row.can_write),
    ];
    values.extend((0..LEVELS.len()).map(|at| json!(row.cells.get(at))));
    values
}

/// Answers `GET /me/contributions`.
pub(crate) async fn contributions(State(console): State<Console>, asked: Asked) -> Answer {
    super::member(&asked)?;
    let caller = asked.caller();
    if let Some(format) = asked.format()? {
        return contributions_file(&asked, format).await;
    }
    let after = asked.query.get("after").unwrap_or_default().to_owned();
    let (counts, own) = console
        .read(move |exchange| -> Result<_, Problem> {
            Ok((exchange.own_contributions(&caller)?, exchange.own_occurrences(&caller, &after, ROWS_MAX)?))
        })
        .await?;
    let programme = console.exchange.programme();
    let settings = programme.settings();
    let titles: BTreeMap<CollectionId, &str> =
        settings.collections.iter().map(|known| (known.id, known.title.as_str())).collect();
    let title =
        |id: &CollectionId| titles.get(id).map_or_else(|| id.to_string(), |title| (*title).to_owned());
    let next =
        own.last().filter(|_| own.len() == ROWS_MAX).map(|last| asked.link("after", Some(&last.object)));
    page(&ContributionsPage {
        counts: counts.iter().map(|(id, count)| (title(id), *count)).collect(),
        rows: own.into_iter().map(own_row).collect(),
        after: next,
        csv: asked.query.with("after", None).with("format", Some("csv")).link(&asked.path),
        json: asked.query.with("after", None).with("format", Some("json")).link(&asked.path),
        frame: asked.frame("My contributions"),
    })
}

/// All of its objects that hit or are doubted.
async fn contributions_file(asked: &Asked, format: Format) -> Answer {
    let columns = ["object", "days", "count_at_least", "members_at_least", "last_day", "false_positive"];
    let row = |own: &OwnObject| {
        vec![
            json!(own.object),
            json!(own.days),
            json!(own.count),
            json!(own.members_at_least),
            json!(own.last_day),
            json!(own.false_positive),
        ]
    };
    let part = move |exchange: &Exchange, caller: &Caller, after: String| {
        let own = exchange.own_occurrences(caller, &after, OWN_MAX)?;
        let next = own.last().filter(|_| own.len() == OWN_MAX).map(|last| last.object.clone());
        Ok(Part { rows: own.iter().map(row).collect(), next })
    };
    let after = asked.query.get("after").unwrap_or_default().to_owned();
    asked.file(format, "contributions", &columns, after, part).await
}

fn own_row(own: OwnObject) -> OwnRow {
    let hits = if own.days == 0 {
        String::new()
    } else {
        let days = words::count(usize::try_from(own.days).unwrap_or(usize::MAX), "day", "days");
        format!("at least {} hits on {days}, at {} members or more", own.count, own.members_at_least)
    };
    OwnRow {
        object: own.object,
        hits,
        last_day: own.last_day.unwrap_or_default(),
        doubt: own.false_positive.map(doubt),
    }
}

/// How things stand with a false positive: the class of its pill, and words.
pub(crate) fn doubt(state: Doubt) -> (&'static str, &'static str) {
    match state {
        Doubt::Reported => ("review", "said to be a false positive"),
        Doubt::Confirmed => ("suspend", "a false positive"),
        Doubt::Dismissed => ("clear", "no false positive"),
    }
}
