//! What the tests of all formats share.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use model::Timestamp;
use registers::{Importing, Report};
use ties::{AsOf, EntityId, KnownTie, Picture, Registry, RegistryPicture, Said, Source, Statement, TieKind};

pub(crate) const RECORDED: &str = "2024-06-01T00:00:00Z";

pub(crate) type Read = fn(&[u8], &Importing, &mut dyn FnMut(Statement)) -> Report;

pub(crate) fn importing(document: &str) -> Importing {
    let document = Source { document: document.to_owned(), ..Source::default() };
    Importing { document, recorded: RECORDED.parse().unwrap() }
}

/// Reads a text, and checks what holds for every format: statements are counted, and reading twice says the same.
pub(crate) fn read_as(read: Read, text: &str, importing: &Importing) -> (Vec<Statement>, Report) {
    let mut statements = Vec::new();
    let report = read(text.as_bytes(), importing, &mut |statement| statements.push(statement));
    assert_eq!(report.statements, statements.len() as u64);
    assert!(statements.iter().all(|statement| statement.recorded <= importing.recorded));
    let mut again = Vec::new();
    assert_eq!(read(text.as_bytes(), importing, &mut |statement| again.push(statement)), report);
    assert_eq!(again, statements);
    let mut registry = Registry::default();
    let added = registry.add(statements.clone());
    assert_eq!(added.refused, [], "the registry takes what is read");
    let later = Importing { recorded: importing.recorded.plus_micros(86_400_000_000), ..importing.clone() };
    let mut later_statements = Vec::new();
    read(text.as_bytes(), &later, &mut |statement| later_statements.push(statement));
    assert_eq!(registry.add(later_statements).refused, [], "and takes it again");
    (statements, report)
}

pub(crate) fn read(read: Read, text: &str) -> (Vec<Statement>, Report) {
    read_as(read, text, &importing("doc"))
}

/// The registry's ties into an entity on a day, as text, sorted.
pub(crate) fn ties_into(statements: &[Statement], entity: &str, day: &str) -> Vec<String> {
    let mut registry = Registry::default();
    registry.add(statements.to_vec());
    let picture = registry.picture(AsOf { day: day.parse().unwrap(), known: Timestamp::MAX });
    let entity: EntityId = entity.parse().unwrap();
    let mut out: Vec<String> = picture.ties_into(&entity).iter().map(shown).collect();
    out.sort();
    out
}

pub(crate) fn picture<'r>(registry: &'r Registry, day: &str) -> RegistryPicture<'r> {
    registry.picture(AsOf { day: day.parse().unwrap(), known: Timestamp::MAX })
}

/// A tie in a line: `ann holds votes=49% money=? (possible)`.
pub(crate) fn shown(known: &KnownTie) -> String {
    let doubt = if known.truth == ties::Truth::Certain { "" } else { " (possible)" };
    format!("{} {}{doubt}", known.tie.from, shown_kind(&known.tie.kind))
}

pub(crate) fn shown_kind(kind: &TieKind) -> String {
    let TieKind::Holds(holding) = kind else { return serde_json::to_string(kind).unwrap() };
    let share = |share: Option<ties::Share>| share.map_or("?".to_owned(), |share| share.to_string());
    let indirect =
        if holding.indirect { format!(" indirect of {}", holding.components.len()) } else { String::new() };
    format!("holds votes={} money={}{indirect}", share(holding.votes), share(holding.money))
}

/// How many statements of each sort there are.
pub(crate) fn sorts(statements: &[Statement]) -> BTreeMap<&'static str, usize> {
    let mut out = BTreeMap::new();
    for statement in statements {
        let sort = match &statement.said {
            Said::Entity(_) => "entity",
            Said::Tie(_) => "tie",
            Said::End(_) => "end",
            Said::Listing(_) => "listing",
            Said::Same { .. } => "same",
            Said::Retraction { .. } => "retraction",
        };
        *out.entry(sort).or_default() += 1;
    }
    out
}

/// The shared data, if it is there.
pub(crate) fn shared(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/ties").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: {} is not here", path.display());
    None
}

/// Every file below a folder whose name ends so, in order.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}
