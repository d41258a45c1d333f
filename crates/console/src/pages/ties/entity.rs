//! `/entities/{entity}`: what is known of one entity, whoever it is.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Path, State};
use exchange::EntityView;
use serde_json::json;
use ties::{AsOf, Day, EntityId, KnownListing, KnownTie, Truth};

use crate::asked::Asked;
use crate::console::Console;
use crate::export::Table;
use crate::frame::Frame;
use crate::graph::{self, Drawn};
use crate::pages::id;
use crate::pages::part::{Part, part};
use crate::pages::ties::{Tab, entity_link, tabs, tie_link, waiting};
use crate::problem::{Answer, Problem, page};
use crate::query::encode;
use crate::words;

/// How many ties the table shows at a time; the file of it has all.
const TIES_SHOWN: usize = 80;

#[derive(Template)]
#[template(path = "entity.html")]
struct EntityPage {
    frame: Frame,
    tabs: Vec<Tab>,
    name: String,
    path: String,
    also: Vec<String>,
    kind: &'static str,
    names: Vec<String>,
    countries: String,
    identifiers: Vec<String>,
    sectors: String,
    founded: Option<String>,
    dissolved: Option<String>,
    /// Whether all its holders are known, if somebody says.
    register: &'static str,
    member: Option<String>,
    concern: Vec<Listed>,
    listings: Vec<Listed>,
    near: Vec<Near>,
    picture: Option<Drawn>,
    is_cut_short: bool,
    ties: Vec<TieRow>,
    ties_part: Part,
    as_of: String,
    known: String,
    today: String,
    is_now: bool,
    csv: String,
    json: String,
}

/// A list that names it.
struct Listed {
    list: String,
    href: String,
    holds: String,
    source: String,
    truth: &'static str,
}

/// A member that is near.
struct Near {
    href: String,
    name: String,
    steps: String,
}

struct TieRow {
    href: String,
    from: String,
    from_href: String,
    to: String,
    to_href: String,
    says: String,
    holds: String,
    truth: &'static str,
    is_possible: bool,
    source: String,
    note: &'static str,
    is_own: bool,
}

/// The two clocks, if one of them was set.
pub(super) fn clocks(asked: &Asked) -> Result<Option<AsOf>, Problem> {
    let day = |name: &str| {
        let read = asked.query.get(name).map(str::parse::<Day>).transpose();
        read.map_err(|error| Problem::bad_request(format!("`{name}`: {error}")))
    };
    let (on, known) = (day("as_of")?, day("known")?);
    Ok((on.is_some() || known.is_some()).then(|| AsOf {
        day: on.unwrap_or(Day::of(asked.now)),
        known: known.map_or(asked.now, |known| known.end().min(asked.now)),
    }))
}

/// Answers `GET /entities/{entity}`.
pub(crate) async fn get(State(console): State<Console>, Path(entity): Path<String>, asked: Asked) -> Answer {
    let entity: EntityId = id(&entity)?;
    let as_of = clocks(&asked)?;
    let caller = asked.caller();
    let (waiting, found) = console
        .read(move |exchange| -> Result<_, Problem> {
            Ok((waiting(exchange, &caller)?, exchange.entity(&caller, &entity, as_of)?))
        })
        .await?;
    if let Some(format) = asked.format()? {
        return table(&found).answer(format, &format!("ties-{}", found.around.focus));
    }
    page(&view(&asked, &found, waiting, as_of.is_none()))
}

fn view(asked: &Asked, found: &EntityView, waiting: usize, is_now: bool) -> EntityPage {
    let around = &found.around;
    let own = around.entities.get(&around.focus);
    let entity = found.entity.as_ref();
    let name = own.map_or_else(|| around.focus.to_string(), |own| own.name.clone());
    let listed = |known: &KnownListing| Listed {
        list: known.listing.list.to_string(),
        href: format!("/ties/lists?list={}", encode(known.listing.list.as_str())),
        holds: words::period(known.listing.valid),
        source: known.source.document.clone(),
        truth: words::truth(known.truth),
    };
    let picture = draw(asked, found, &name);
    let near = found.near.iter().map(|near| Near {
        href: format!("/members/{}", near.member),
        name: near.name.clone(),
        steps: words::count(near.steps, "tie away", "ties away"),
    });
    let mut ties: Vec<TieRow> = around.ties.iter().map(|known| tie_row(found, known)).collect();
    ties.sort_by_key(|row| !row.is_own);
    let (shown, ties_part) = part(asked, ties.len(), TIES_SHOWN, "ties");
    ties = ties.drain(shown).collect();
    let of = |names: Option<Vec<String>>| names.unwrap_or_default();
    EntityPage {
        tabs: tabs("/entities", waiting),
        path: asked.path.clone(),
        also: found.also.iter().map(ToString::to_string).collect(),
        kind: entity.map_or("nothing is said of it", |entity| words::entity_kind(entity.kind)),
        names: of(entity.map(|entity| {
            let told = |name: &ties::Name| {
                if name.alias { format!("{} (alias)", name.text) } else { name.text.clone() }
            };
            entity.names.iter().map(told).collect()
        })),
        countries: of(entity.map(|entity| entity.countries.clone())).join(", "),
        identifiers: of(entity.map(|entity| {
            entity.identifiers.iter().map(|id| format!("{} {}", id.scheme, id.value)).collect()
        })),
        sectors: of(entity.map(|entity| entity.sectors.clone())).join(", "),
        founded: entity.and_then(|entity| entity.founded).map(|date| date.to_string()),
        dissolved: entity.and_then(|entity| entity.dissolved).map(|date| date.to_string()),
        register: match entity.and_then(|entity| entity.register_complete) {
            Some(true) => "all of its holders are known",
            Some(false) => "not all of its holders are known",
            None => "nobody says whether all of its holders are known",
        },
        member: found.member.as_ref().map(ToString::to_string),
        concern: own.map(|own| own.concern.iter().map(listed).collect()).unwrap_or_default(),
        listings: own.map(|own| own.listings.iter().map(listed).collect()).unwrap_or_default(),
        near: near.collect(),
        picture,
        is_cut_short: around.is_cut_short,
        ties,
        ties_part,
        as_of: around.as_of.day.to_string(),
        known: words::day(around.as_of.known),
        today: words::day(asked.now),
        is_now,
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame(&name),
        name,
    }
}

fn draw(asked: &Asked, found: &EntityView, name: &str) -> Option<Drawn> {
    let member_of = |_: &EntityId| None;
    let graph = graph::from_around(&found.around, &BTreeSet::new(), &member_of);
    let about = "Owners stand above, holdings below. The table after this picture has the same ties.";
    graph::picture(&graph, asked, &format!("Ties of {name}"), about)
}

fn name_of(found: &EntityView, id: &EntityId) -> String {
    found.around.entities.get(id).map_or_else(|| id.to_string(), |known| known.name.clone())
}

/// What about a tie's end is not settled.
fn doubt(known: &KnownTie) -> &'static str {
    match (&known.disputed_end, &known.announced_end) {
        (Some(_), _) => "one source says that it ended, a later one that it holds",
        (None, Some(_)) => "its end is announced",
        (None, None) => "",
    }
}

fn tie_row(found: &EntityView, known: &KnownTie) -> TieRow {
    let tie = &known.tie;
    TieRow {
        href: tie_link(&tie.id),
        from: name_of(found, &tie.from),
        from_href: entity_link(&tie.from),
        to: name_of(found, &tie.to),
        to_href: entity_link(&tie.to),
        says: words::tie(&tie.kind),
        holds: words::period(tie.valid),
        truth: words::truth(known.truth),
        is_possible: known.truth != Truth::Certain,
        source: known.source.document.clone(),
        note: doubt(known),
        is_own: tie.from == found.around.focus || tie.to == found.around.focus,
    }
}

fn table(found: &EntityView) -> Table {
    let mut table = Table::new(&[
        "tie",
        "from",
        "from_name",
        "to",
        "to_name",
        "says",
        "holds",
        "truth",
        "statement",
        "source",
        "url",
        "note",
    ]);
    let row = |known: &KnownTie| {
        vec![
            json!(known.tie.id),
            json!(known.tie.from),
            json!(name_of(found, &known.tie.from)),
            json!(known.tie.to),
            json!(name_of(found, &known.tie.to)),
            json!(words::tie(&known.tie.kind)),
            json!(words::period(known.tie.valid)),
            json!(words::truth(known.truth)),
            json!(known.statement),
            json!(known.source.document),
            json!(known.source.url),
            json!(doubt(known)),
        ]
    };
    table.rows = found.around.ties.iter().map(row).collect();
    table
}
