//! `POST /api/recall`: withdraws an object, or gives it another label.

use std::collections::BTreeSet;

use axum::extract::{Request, State};
use axum::response::Response;
use exchange::RecallAction;
use hyper::StatusCode;
use model::MemberId;
use programme::TLP_LEVELS;
use serde::Deserialize;

use crate::answer::json;
use crate::body::Deciders;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recall {
    object: String,
    action: Action,
    audience: Option<BTreeSet<MemberId>>,
    tlp: Option<String>,
    reason: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    Withdraw,
    Relabel,
}

/// Recalls; the answer says who had received the object and who is told.
pub(crate) async fn post(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let recall: Recall =
        hub.receive_decision(&caller, Deciders::OperatorOrReviewer, &parts.headers, body).await?;
    let action = action(&recall)?;
    let report =
        hub.decide(move |exchange| exchange.recall(&caller, &recall.object, action, &recall.reason)).await?;
    json(StatusCode::OK, &report)
}

fn action(recall: &Recall) -> Result<RecallAction, Refusal> {
    let tlp = match recall.tlp.as_deref() {
        None => None,
        Some(word) => {
            let level =
                TLP_LEVELS.iter().position(|level| *level == word).and_then(|level| u8::try_from(level).ok());
            let wrong = || Refusal::bad_request(format!("`tlp` is one of {}", TLP_LEVELS.join(", ")));
            Some(level.ok_or_else(wrong)?)
        }
    };
    match (recall.action, &recall.audience, tlp) {
        (Action::Withdraw, None, None) => Ok(RecallAction::Withdraw),
        (Action::Withdraw, _, _) => Err(Refusal::bad_request("`audience` and `tlp` belong to `relabel`")),
        (Action::Relabel, None, None) => {
            Err(Refusal::bad_request("`relabel` needs an `audience` or a `tlp`"))
        }
        (Action::Relabel, audience, tlp) => Ok(RecallAction::Relabel { audience: audience.clone(), tlp }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recall_says_what_is_to_become_of_the_object() {
        let relabel = |audience, tlp| Some(RecallAction::Relabel { audience, tlp });
        let cases = [
            (r#""action":"withdraw""#, Some(RecallAction::Withdraw)),
            (r#""action":"relabel","tlp":"amber+strict""#, relabel(None, Some(3))),
            (r#""action":"relabel","audience":[]"#, relabel(Some(BTreeSet::new()), None)),
            (r#""action":"withdraw","tlp":"red""#, None),
            (r#""action":"relabel""#, None),
            (r#""action":"relabel","tlp":"white""#, None),
        ];
        for (text, want) in cases {
            let recall: Recall =
                serde_json::from_str(&format!(r#"{{"object":"a--b","reason":"r",{text}}}"#)).unwrap();
            assert_eq!(action(&recall).ok(), want, "{text}");
        }
    }
}
