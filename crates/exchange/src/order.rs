//! What of one import comes before what.
//!
//! A file may tell of one tie twice: as it was, and as it is. The later word counts, although both are recorded by one
//! import; and telling both again says nothing new.

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;
use ties::{Registry as Ties, Said, Statement, StatementId};

use crate::exchange::Hand;

/// The statements, recorded now, and the instant at which all of them are known.
pub(crate) fn stamped(turn: &mut Hand<'_>, statements: Vec<Statement>) -> (Vec<Statement>, Timestamp) {
    let told = instants(&statements);
    let first = turn.instant(told.len() as u64 / 2);
    let statements = in_order(statements, first.plus_micros(span(&told)));
    (statements, if told.len() < 2 { first } else { turn.instant(0) })
}

fn instants(statements: &[Statement]) -> BTreeSet<Timestamp> {
    statements.iter().map(|statement| statement.recorded).collect()
}

/// How far the first of so many instants lies before the last, in microseconds.
fn span(told: &BTreeSet<Timestamp>) -> i64 {
    i64::try_from(told.len().saturating_sub(1)).unwrap_or(i64::MAX)
}

/// The statements, recorded by `last`.
///
/// When something was recorded is the hub's to say. What of one import comes before what is its sender's: a file that
/// tells of one tie twice means the later word, and its reader gave the earlier one an earlier instant. So different
/// instants stay different, a microsecond apart.
pub(crate) fn in_order(statements: Vec<Statement>, last: Timestamp) -> Vec<Statement> {
    let told = instants(&statements);
    let first = last.plus_micros(-span(&told));
    let order: BTreeMap<Timestamp, Timestamp> =
        told.into_iter().zip(0..).map(|(told, place)| (told, first.plus_micros(place))).collect();
    let stamp = |one: Statement| Statement { recorded: order[&one.recorded], ..one };
    statements.into_iter().map(stamp).collect()
}

/// The statements without those earlier words on a tie or an entity that are here already, where the last word is too
/// and still counts: a file that tells a history says nothing new when it is read again. Also the places that they had.
pub(crate) fn without_old_words(ties: &Ties, statements: Vec<Statement>) -> (Vec<Statement>, Vec<usize>) {
    let mut last: BTreeMap<(&str, &str), (usize, &Statement)> = BTreeMap::new();
    for statement in &statements {
        let Some(about) = about(statement) else { continue };
        let (told, word) = last.entry(about).or_insert((0, statement));
        *told += 1;
        if statement.recorded >= word.recorded {
            *word = statement;
        }
    }
    let retold = last.into_iter().filter(|(_, (told, word))| *told > 1 && ties.is_known(word));
    let retold: BTreeMap<(String, String), StatementId> =
        retold.map(|((about, by), (_, word))| ((about.to_owned(), by.to_owned()), word.id.clone())).collect();
    let is_old = |statement: &Statement| {
        let about = about(statement).map(|(about, by)| (about.to_owned(), by.to_owned()));
        let word = about.filter(|_| !retold.is_empty()).and_then(|about| retold.get(&about));
        word.is_some_and(|word| *word != statement.id && ties.statement(&statement.id).is_some())
    };
    let left = statements.into_iter().enumerate().filter(|(_, one)| !is_old(one));
    left.map(|(place, one)| (one, place)).unzip()
}

/// What a statement has the last word on, and whose: a tie's is anybody's, an entity's each document's own.
fn about(statement: &Statement) -> Option<(&str, &str)> {
    match &statement.said {
        Said::Tie(tie) => Some((tie.id.as_str(), "")),
        Said::End(end) => Some((end.tie.as_str(), "")),
        Said::Listing(listing) => Some((listing.id.as_str(), "")),
        Said::Entity(entity) => Some((entity.id.as_str(), &statement.source.document)),
        Said::Same { .. } | Said::Retraction { .. } => None,
    }
}
