//! `ringfence ties export`: the registry as a hub has it, as a file.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use model::{Clock as _, SystemClock, Timestamp};
use registers::bods::Publication;
use serde_json::json;
use ties::{AsOf, Day, Picture as _, Registry, Said, Source, Statement};

use crate::client::Api;
use crate::connection::Connection;
use crate::output::{Exit, Output};

/// How many statements are asked for at once.
const PART: usize = 10_000;

/// Every statement of a hub.
fn registry_of(api: &Api) -> Result<Registry> {
    let mut registry = Registry::new();
    let mut from = 0;
    loop {
        let part: Vec<Statement> = api.get(&format!("/api/statements?from={from}&limit={PART}"))?;
        from += part.len();
        let is_last = part.len() < PART;
        registry.add(part);
        if is_last {
            return Ok(registry);
        }
    }
}

/// In which form to export.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Form {
    /// Beneficial Ownership Data Standard 0.4: entities, and the ties of ownership and control
    Bods,
    /// Our own table of ties
    Ties,
    /// Our own table of lists
    Lists,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// In which form
    #[arg(long, value_enum, default_value = "bods")]
    form: Form,
    /// The file to write
    out: PathBuf,
    /// Who publishes it, for BODS
    #[arg(long, default_value = "Ringfence")]
    publisher: String,
    #[command(flatten)]
    connection: Connection,
}

impl Export {
    pub(super) fn run(self, output: Output) -> Result<Exit> {
        let registry = registry_of(&self.connection.api()?)?;
        let shown = self.out.display().to_string();
        let file = File::create(&self.out).with_context(|| format!("making `{shown}`"))?;
        let mut out = BufWriter::new(file);
        let all: Vec<Statement> = registry.log(0..registry.len()).collect();
        let (written, left_out) = match self.form {
            Form::Bods => {
                let date = Day::of(SystemClock::default().now());
                let picture = registry.picture(AsOf { day: date, known: Timestamp::MAX });
                let mut named = BTreeSet::new();
                let mut held = Vec::new();
                for statement in &all {
                    match &statement.said {
                        Said::Entity(entity) => drop(named.insert(entity.id.clone())),
                        Said::Tie(tie) => {
                            let known = picture.tie(&tie.id);
                            held.extend(known.map(|known| (known.tie, Source::clone(&known.source))));
                        }
                        Said::End(_) | Said::Listing(_) | Said::Same { .. } | Said::Retraction { .. } => {}
                    }
                }
                held.sort_by(|a, b| a.0.id.cmp(&b.0.id));
                held.dedup_by(|a, b| a.0.id == b.0.id);
                let entities: Vec<_> = named.iter().filter_map(|id| picture.entity(id)).collect();
                let publication = Publication { publisher: self.publisher, date, licence: None };
                let written = registers::bods::write(&entities, &held, &publication, &mut out)?;
                (written.described + written.relationships, written.left_out)
            }
            Form::Ties => (registers::plain::write_ties(&all, &mut out)?, 0),
            Form::Lists => (registers::plain::write_lists(&all, &mut out)?, 0),
        };
        out.flush().with_context(|| format!("writing `{shown}`"))?;
        output.result(&json!({"file": shown, "written": written, "left_out": left_out}), || {
            format!("{written} records in `{shown}`; {left_out} ties that this form has no word for were left out.\n")
        })?;
        Ok(Exit::Done)
    }
}
