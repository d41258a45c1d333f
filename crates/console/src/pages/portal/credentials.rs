//! `/me/credentials`: with what a member's people and programs sign in.

use askama::Template;
use axum::extract::State;
use exchange::CredentialRecord;
use model::Action;
use serde_json::json;

use crate::asked::Asked;
use crate::console::Console;
use crate::export::Table;
use crate::frame::Frame;
use crate::problem::{Answer, page};
use crate::words::{day, moment};

#[derive(Template)]
#[template(path = "portal-credentials.html")]
struct CredentialsPage {
    frame: Frame,
    rows: Vec<Row>,
    csv: String,
    json: String,
}

struct Row {
    id: String,
    login: String,
    note: String,
    may: String,
    narrowed: String,
    created: String,
    state: String,
    is_current: bool,
    is_this: bool,
}

/// Answers `GET /me/credentials`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    super::member(&asked)?;
    let caller = asked.caller();
    let own = console.read(move |exchange| exchange.own_credentials(&caller)).await?;
    if let Some(format) = asked.format()? {
        let mut table = Table::new(&[
            "credential",
            "login",
            "note",
            "actions",
            "collections",
            "created",
            "expires",
            "revoked",
        ]);
        let row = |own: &CredentialRecord| {
            vec![
                json!(own.id),
                json!(own.login),
                json!(own.note),
                json!(own.actions),
                json!(own.collections),
                json!(own.created),
                json!(own.expires),
                json!(own.revoked),
            ]
        };
        table.rows = own.iter().map(row).collect();
        return table.answer(format, "credentials");
    }
    let mine = asked.caller().credential.clone();
    let programme = console.exchange.programme();
    let row = |own: &CredentialRecord| {
        let titles =
            own.collections.iter().flatten().map(|id| {
                programme.collection(id).map_or_else(|| id.to_string(), |known| known.title.clone())
            });
        let may: Vec<&str> = own.actions.iter().map(|action| action_word(*action)).collect();
        Row {
            id: own.id.to_string(),
            login: own.certificate().map_or_else(|| own.login.clone(), ToString::to_string),
            note: own.note.clone(),
            may: may.join(", "),
            narrowed: titles.collect::<Vec<_>>().join(", "),
            created: day(own.created),
            state: match (own.revoked, own.expires) {
                (Some(at), _) => format!("revoked {}", moment(at)),
                (None, Some(at)) if at <= asked.now => format!("expired {}", moment(at)),
                (None, Some(at)) => format!("accepted until {}", moment(at)),
                (None, None) => "accepted".to_owned(),
            },
            is_current: own.is_current(asked.now),
            is_this: own.id == mine,
        }
    };
    page(&CredentialsPage {
        rows: own.iter().map(row).collect(),
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame("My credentials"),
    })
}

fn action_word(action: Action) -> &'static str {
    match action {
        Action::Read => "read",
        Action::Publish => "publish",
        Action::Administer => "act for the member",
    }
}
