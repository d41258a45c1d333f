//! `POST /api/backup`: a verified copy of everything, written while the hub runs.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use hyper::StatusCode;
use model::{Action, Role};
use serde::Deserialize;

use crate::answer::json;
use crate::body::Deciders;
use crate::hub::Hub;
use crate::options::BackupError;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    directory: String,
}

/// Writes a backup of the given name, for an operator.
pub(crate) async fn post(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    if caller.role() != Some(Role::Operator) || !caller.actions.contains(&Action::Administer) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "only an operator may do this"));
    }
    let (parts, body) = request.into_parts();
    let Wanted { directory } =
        hub.receive_decision(&caller, Deciders::OperatorOrOfficer, &parts.headers, body).await?;
    if !is_plain_name(&directory) {
        return Err(Refusal::bad_request(
            "`directory` is a name: 1 to 64 of a-z, A-Z, 0-9, `-`, `_` and `.`, no dot first",
        ));
    }
    let Some(backups) = hub.options.backups.clone() else {
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "this hub's store keeps no backups"));
    };
    let report = hub.write(move |_| back_up(&backups, &directory)).await?;
    json(StatusCode::CREATED, &report)
}

fn back_up(backups: &Arc<dyn crate::Backups>, name: &str) -> Result<crate::BackupReport, Refusal> {
    backups.back_up(name).map_err(|error| match error {
        BackupError::Exists(_) => Refusal::new(StatusCode::CONFLICT, error.to_string()),
        BackupError::Failed(_) => Refusal::internal(error),
    })
}

/// The name becomes a folder's: it must not lead anywhere else.
fn is_plain_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backups_name_leads_nowhere_else() {
        for name in ["2026-01-10", "weekly_3.1"] {
            assert!(is_plain_name(name), "{name}");
        }
        for name in ["", ".", "..", "../etc", "a/b", "/tmp", "a\\b", ".hidden", "a b", "ä", &"x".repeat(65)]
        {
            assert!(!is_plain_name(name), "{name}");
        }
    }
}
