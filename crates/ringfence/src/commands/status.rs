//! `ringfence status`: is the hub there, what does it hold, and where does its ledger stand?

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use crate::connection::Connection;
use crate::output::{Exit, Output, grouped};

/// Show what a hub holds and where its ledger stands.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    connection: Connection,
}

impl Status {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let api = self.connection.api()?;
        let status: Value = api.get("/api/status")?;
        output.result(&status, || describe(&status))?;
        Ok(Exit::Done)
    }
}

fn describe(status: &Value) -> String {
    let text = |pointer: &str| match status.pointer(pointer) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.as_u64().map_or_else(|| number.to_string(), grouped)),
        Some(other) => Some(other.to_string()),
    };
    let lines = [
        ("programme", "/programme"),
        ("title", "/title"),
        ("version", "/version"),
        ("now", "/now"),
        ("epoch", "/epoch"),
        ("objects", "/inventory/objects"),
        ("segments", "/inventory/segments"),
        ("body bytes", "/inventory/body_bytes"),
        ("ledger entries", "/ledger/size"),
        ("ledger origin", "/ledger/origin"),
        ("ledger key", "/ledger/vkey"),
    ];
    let shown = lines.iter().filter_map(|(title, pointer)| Some(format!("{title:<15}{}\n", text(pointer)?)));
    shown.collect()
}
