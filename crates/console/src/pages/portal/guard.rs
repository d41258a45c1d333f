//! `/me/guard`: a configuration for the member's guard, to download.
//!
//! It follows the collections that the member may read, and only watches: whoever wants it to act changes one word, after
//! having seen what would have been hit.

use std::fmt::Write as _;

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use exchange::CollectionView;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use crate::asked::Asked;
use crate::console::Console;
use crate::frame::Frame;
use crate::pages::Choice;
use crate::pipeline::Arrived;
use crate::problem::{Answer, Problem, page};

/// How long a field may be.
const FIELD_MAX: usize = 200;

#[derive(Template)]
#[template(path = "portal-guard.html")]
struct GuardPage {
    frame: Frame,
    hub: String,
    data: String,
    token_file: String,
    origin: String,
    feeds: Vec<Choice>,
    text: String,
    download: String,
}

/// What the form asks for.
struct Wanted {
    hub: String,
    data: String,
    token_file: String,
    origin: String,
    feeds: Vec<String>,
}

/// Answers `GET /me/guard`; with `download`, the file.
pub(crate) async fn get(
    State(console): State<Console>,
    Extension(arrived): Extension<Arrived>,
    asked: Asked,
) -> Answer {
    super::member(&asked)?;
    let collections = console.exchange.collections(&asked.caller());
    let readable: Vec<CollectionView> = collections.into_iter().filter(|view| view.can_read).collect();
    let wanted = read(&asked, &arrived, &readable)?;
    let text = configuration(&wanted, &readable);
    if asked.query.get("download").is_some() {
        return Ok(file(text));
    }
    let choice = |view: &CollectionView| Choice {
        value: view.collection.alias.clone(),
        label: view.collection.title.clone(),
        is_chosen: wanted.feeds.contains(&view.collection.alias),
    };
    page(&GuardPage {
        feeds: readable.iter().map(choice).collect(),
        text,
        download: asked.link("download", Some("guard.toml")),
        hub: wanted.hub,
        data: wanted.data,
        token_file: wanted.token_file,
        origin: wanted.origin,
        frame: asked.frame("My guard"),
    })
}

fn file(text: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/toml; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"guard.toml\""),
    ];
    (headers, text).into_response()
}

fn read(asked: &Asked, arrived: &Arrived, readable: &[CollectionView]) -> Result<Wanted, Problem> {
    let field = |name: &str, otherwise: String| -> Result<String, Problem> {
        let text = asked.query.get(name).map_or(otherwise, str::to_owned);
        if text.len() > FIELD_MAX || text.chars().any(char::is_control) {
            return Err(Problem::bad_request(format!(
                "`{name}` is too long, or has signs that no file's name has"
            )));
        }
        Ok(text)
    };
    let host = arrived.host.as_deref().unwrap_or("hub.example");
    // The guard refuses plain HTTP but to a hub on its own machine.
    let scheme = if arrived.is_encrypted || !is_this_machine(host) { "https" } else { "http" };
    let asked_for: Vec<&str> = asked.query.all("feed").collect();
    let aliases = readable.iter().map(|view| view.collection.alias.clone());
    Ok(Wanted {
        hub: field("hub", format!("{scheme}://{host}/taxii2/"))?,
        data: field("data", "/var/lib/ringfence-guard".to_owned())?,
        token_file: field("token_file", "/etc/ringfence/guard.token".to_owned())?,
        origin: field("origin", "rpz.example.net".to_owned())?,
        feeds: aliases.filter(|alias| asked_for.is_empty() || asked_for.contains(&alias.as_str())).collect(),
    })
}

/// Whether a host, perhaps with a port, is the machine itself.
fn is_this_machine(host: &str) -> bool {
    let name =
        host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The file. Each value is one line of text in quotes: without control characters, JSON's quoting is TOML's as well.
fn configuration(wanted: &Wanted, readable: &[CollectionView]) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = String::from(
        "# A guard of Ringfence. It watches and counts, and lets everything pass, until a feed says `mode = \"enforce\"`.\n\
         # `ringfence guard --check guard.toml` names every fault and starts nothing.\n\n",
    );
    let _ = writeln!(text, "data = {}\n", quoted(&wanted.data));
    let _ = writeln!(text, "[hub]\nurl = {}", quoted(&wanted.hub));
    let _ = writeln!(
        text,
        "token_file = {}   # a file with a token of yours, which only the guard can read\n",
        quoted(&wanted.token_file)
    );
    for view in readable.iter().filter(|view| wanted.feeds.contains(&view.collection.alias)) {
        // A comment is one line.
        let title: String = view.collection.title.chars().filter(|letter| !letter.is_control()).collect();
        let _ = writeln!(text, "[[feed]]                  # {title}, {}", view.collection.tier);
        let _ = writeln!(text, "collection = {}\nmode = \"monitor\"\n", quoted(&view.collection.alias));
    }
    let _ = writeln!(text, "[sinkhole.rpz]            # for your resolvers: BIND, Unbound, PowerDNS, Knot");
    let _ = writeln!(
        text,
        "listen = [\"127.0.0.1:5353\"]\norigin = {}\nunsigned = [\"127.0.0.1\"]\n",
        quoted(&wanted.origin)
    );
    text.push_str("[status]                  # what would have been hit\nlisten = \"127.0.0.1:9470\"\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_machine_itself_is_asked_in_the_clear() {
        for host in ["localhost", "localhost:8800", "127.0.0.1", "127.0.0.1:8800", "[::1]", "[::1]:8800"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in
            ["hub.example", "hub.example:8800", "192.0.2.1:80", "127.0.0.1.example", "[2001:db8::1]:80", ""]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
