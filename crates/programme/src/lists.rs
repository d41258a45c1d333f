//! Lists of parties of concern: `lists/*.csv`.
//!
//! The file's name is the list's. Its first line names the columns: `entity` (as the registry calls it; `state:CN`
//! is a country), `name`, `entry`, `from`, `to` (valid time), `recorded` (when the programme learned it), `source`,
//! `url` and `by` (who decided, where it is a decision of the programme's own). Only `entity` and `source` must be
//! filled. A party that no public list names can so be named by a dated decision with an author.

use std::collections::BTreeMap;

use model::{Problem, Timestamp};
use serde::Deserialize;
use ties::{
    Entity, EntityId, EntityKind, ListId, Listing, Name, PartialDate, Period, Said, Source, Statement,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    entity: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    entry: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    recorded: String,
    source: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    by: String,
}

/// The lists' statements, in the order of the files' names and lines.
pub(crate) fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<Statement>, Vec<Problem>> {
    let mut statements = Vec::new();
    let mut problems = Vec::new();
    let of_lists = files.iter().filter_map(|(file, bytes)| {
        let stem = file.strip_prefix("lists/")?.strip_suffix(".csv")?;
        Some((file, stem, bytes))
    });
    for (file, stem, bytes) in of_lists {
        let list: ListId = match stem.parse() {
            Ok(list) => list,
            Err(error) => {
                problems.push(Problem::new(file, error.to_string(), "rename the file"));
                continue;
            }
        };
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(bytes.as_slice());
        let headers = reader.headers().cloned().unwrap_or_default();
        for (index, record) in reader.records().enumerate() {
            let line = |record: &csv::StringRecord| record.position().map_or(0, csv::Position::line);
            let row = record.and_then(|record| Ok((line(&record), record.deserialize(Some(&headers))?)));
            match row {
                Ok((line, row)) => match statements_of(&list, index, &row) {
                    Ok(found) => statements.extend(found),
                    Err(message) => problems.push(at(file, line, message)),
                },
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    problems.push(at(file, line, error.to_string()));
                }
            }
        }
    }
    if problems.is_empty() { Ok(statements) } else { Err(problems) }
}

fn at(file: &str, line: u64, message: String) -> Problem {
    let mut problem = Problem::new(file, message, "see lists/ of the template for the columns");
    problem.line = usize::try_from(line).ok();
    problem
}

/// A row says that there is such an entity, and that the list names it.
fn statements_of(list: &ListId, index: usize, row: &Row) -> Result<Vec<Statement>, String> {
    let entity: EntityId = row.entity.trim().parse().map_err(|error| format!("entity: {error}"))?;
    let period = Period { from: date("from", &row.from)?, to: date("to", &row.to)? };
    if period.is_backwards() {
        return Err("the listing ends before it begins".to_owned());
    }
    if row.source.trim().is_empty() {
        return Err("a listing needs its source".to_owned());
    }
    let recorded = match date("recorded", &row.recorded)? {
        Some(date) => date.earliest().start(),
        None => period.from.map_or(Timestamp::MIN, |from: PartialDate| from.earliest().start()),
    };
    let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let source = Source {
        document: row.source.trim().to_owned(),
        url: filled(&row.url),
        asserted_by: filled(&row.by),
        ..Source::default()
    };
    let key = format!(
        "list:{list}:{entity}:{}",
        filled(&row.entry)
            .map_or(index.to_string(), |entry| { entry.split_whitespace().collect::<Vec<_>>().join("-") })
    );
    let id = |suffix: &str| format!("{key}{suffix}").parse().map_err(|error| format!("{error}"));
    let listing = Listing {
        id: key.parse().map_err(|error| format!("{error}"))?,
        list: list.clone(),
        entity: entity.clone(),
        entry: filled(&row.entry),
        valid: period,
        with_subsidiaries: false,
    };
    let kind =
        if entity.as_str().starts_with("state:") { EntityKind::State } else { EntityKind::Organisation };
    let mut described = Entity::new(entity, kind);
    described.names.extend(filled(&row.name).map(|text| Name { text, alias: false }));
    let mut statements =
        vec![Statement { id: id("")?, said: Said::Listing(listing), source: source.clone(), recorded }];
    if !described.names.is_empty() {
        statements.push(Statement { id: id(":name")?, said: Said::Entity(described), source, recorded });
    }
    Ok(statements)
}

fn date(column: &str, text: &str) -> Result<Option<PartialDate>, String> {
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|error| format!("{column}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use ties::Day;

    use super::*;

    fn list(text: &str) -> Result<Vec<Statement>, Vec<Problem>> {
        read(&BTreeMap::from([("lists/concern.csv".to_owned(), text.as_bytes().to_vec())]))
    }

    #[test]
    fn a_row_names_an_entity_and_says_since_when() {
        let statements = list(
            "# who concerns us\nentity,name,entry,from,to,recorded,source,url,by\n\
             huawei,Huawei,,2007-05,,2008-01-01,decision 1,,the officer\n",
        )
        .unwrap();
        assert_eq!(statements.len(), 2);
        let Said::Listing(listing) = &statements[0].said else { panic!("{statements:?}") };
        assert_eq!((listing.list.as_str(), listing.entity.as_str()), ("concern", "huawei"));
        assert_eq!(listing.valid.from.unwrap().to_string(), "2007-05");
        assert_eq!(statements[0].recorded, "2008-01-01".parse().unwrap());
        assert_eq!(Day::of(statements[0].recorded).to_string(), "2008-01-01");
        assert_eq!(statements[0].source.asserted_by.as_deref(), Some("the officer"));
    }

    #[test]
    fn a_bad_row_is_told_by_its_line_and_the_others_are_looked_at() {
        let problems =
            list("entity,source,from,to\n,x,,\na,,,\nb,x,2012-13,\nc,x,2012,2011\nd,x,,\n").unwrap_err();
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        for (problem, (line, part)) in told.iter().zip([
            (2, "entity: an identifier is empty"),
            (3, "needs its source"),
            (4, "from: `2012-13` is not a date"),
            (5, "ends before it begins"),
        ]) {
            assert!(problem.starts_with(&format!("lists/concern.csv:{line}: ")), "{problem}");
            assert!(problem.contains(part), "{problem}");
        }
        assert!(list("entity,color\na,b\n").is_err());
    }
}
