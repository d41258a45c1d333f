//! The registry as a hub has it, for what needs all of it: what a new edition leaves out, and exports.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use model::{Clock as _, SystemClock, Timestamp};
use registers::bods::Publication;
use serde_json::json;
use ties::{AsOf, Day, End, Ending, Picture as _, Registry, Said, Source, Statement, TieId};

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

/// The ends of what an earlier edition of `document` said and `edition` no longer does.
pub(super) fn what_is_over(api: &Api, document: &str, edition: &[Statement]) -> Result<Vec<Statement>> {
    let today = Day::of(SystemClock::default().now());
    Ok(missing(&registry_of(api)?, document, edition, today))
}

fn missing(registry: &Registry, document: &str, edition: &[Statement], today: Day) -> Vec<Statement> {
    let there: BTreeSet<&TieId> = edition.iter().filter_map(spoken_of).collect();
    let picture = registry.picture(AsOf { day: today, known: Timestamp::MAX });
    let mut over = BTreeSet::new();
    for statement in registry.log(0..registry.len()) {
        let Some(id) = spoken_of(&statement) else { continue };
        if statement.source.document != document || there.contains(id) {
            continue;
        }
        let holds = match &statement.said {
            Said::Listing(listing) => {
                picture.listings(&listing.entity).iter().any(|known| known.listing.id == listing.id)
            }
            Said::Tie(_) | Said::Entity(_) | Said::End(_) | Said::Same { .. } | Said::Retraction { .. } => {
                picture.tie(id).is_some()
            }
        };
        if holds {
            over.insert(id.clone());
        }
    }
    let ends = over.into_iter().filter_map(|tie| {
        let id = format!("{document}:no-longer-in:{today}:{tie}").parse().ok()?;
        let said = Said::End(End { tie, on: today.into(), by: Ending::Completed });
        let source = Source { document: document.to_owned(), ..Source::default() };
        Some(Statement { id, said, source, recorded: Timestamp::EPOCH })
    });
    ends.collect()
}

/// The tie or listing that a statement begins.
fn spoken_of(statement: &Statement) -> Option<&TieId> {
    match &statement.said {
        Said::Tie(tie) => Some(&tie.id),
        Said::Listing(listing) => Some(&listing.id),
        Said::Entity(_) | Said::End(_) | Said::Same { .. } | Said::Retraction { .. } => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_edition_ends_what_it_leaves_out_and_nothing_else() {
        let said = |document: &str, id: &str, entity: &str| -> Statement {
            serde_json::from_value(json!({
                "id": format!("{document}:{id}"),
                "said": {"listing": {"id": id, "list": "l", "entity": entity}},
                "source": {"document": document},
                "recorded": "2026-01-01T00:00:00Z",
            }))
            .unwrap()
        };
        let mut registry = Registry::new();
        let first = vec![said("list", "a", "x"), said("list", "b", "y"), said("other", "c", "z")];
        registry.add(first.clone());
        let today = "2026-02-01".parse().unwrap();
        let over = missing(&registry, "list", &first[..1], today);
        let ended: Vec<_> = over
            .iter()
            .map(|statement| {
                let Said::End(end) = &statement.said else { panic!("{statement:?}") };
                (end.tie.to_string(), end.on.to_string())
            })
            .collect();
        assert_eq!(ended, [("b".to_owned(), "2026-02-01".to_owned())]);
        registry.add(
            over.into_iter().map(|s| Statement { recorded: "2026-02-01".parse().unwrap(), ..s }).collect(),
        );
        let tomorrow = "2026-02-02".parse().unwrap();
        assert!(
            missing(&registry, "list", &first[..1], tomorrow).is_empty(),
            "what has ended does not end again"
        );
    }
}
