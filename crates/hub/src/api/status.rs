//! `GET /api/status`: the hub at a glance.

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use model::{Epoch, Timestamp};
use serde::Serialize;
use store::StoreError;

use crate::answer::json;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

#[derive(Serialize)]
struct HubStatus {
    programme: String,
    title: String,
    epoch: Epoch,
    now: Timestamp,
    version: &'static str,
    ledger: Ledger,
    /// For the programme's people.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<IdentityView>,
    /// For the programme's people: what the hub holds beyond what a member may see is not the member's to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    inventory: Option<InventoryView>,
}

#[derive(Serialize)]
struct Ledger {
    size: u64,
    origin: String,
    vkey: String,
}

/// The STIX identity under which the programme publishes.
#[derive(Serialize)]
struct IdentityView {
    id: String,
}

#[derive(Serialize)]
struct InventoryView {
    objects: u64,
    segments: u64,
    entries: u64,
    body_bytes: u64,
}

/// Answers the hub's status.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    let status = hub
        .read(move |exchange| {
            let programme = exchange.programme();
            let settings = programme.settings();
            let inventory = caller.role().map(|_| exchange.inventory()).transpose()?;
            let head = exchange.ledger_head();
            Ok::<_, Fault>(HubStatus {
                programme: settings.name.to_string(),
                title: settings.title.clone(),
                epoch: exchange.epoch(),
                now: exchange.now(),
                version: env!("CARGO_PKG_VERSION"),
                ledger: Ledger {
                    size: head.size,
                    // C2SP tlog-checkpoint: the first line is the origin.
                    origin: head.checkpoint.lines().next().unwrap_or_default().to_owned(),
                    vkey: head.vkey,
                },
                identity: caller.role().map(|_| IdentityView { id: settings.identity.id.clone() }),
                inventory: inventory.map(|inventory| InventoryView {
                    objects: inventory.objects,
                    segments: inventory.segments,
                    entries: inventory.entries,
                    body_bytes: inventory.body_bytes,
                }),
            })
        })
        .await?;
    json(StatusCode::OK, &status)
}

/// A store that fails is our fault, whatever was asked.
pub(crate) struct Fault(StoreError);

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<Fault> for Refusal {
    fn from(Fault(error): Fault) -> Self {
        Self::unread(&error)
    }
}
