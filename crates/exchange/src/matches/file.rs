//! What is filed for comparing: names with whose they are, in an index.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use matching::{Agreement, Identifier, Index, Kind, Name, Proposal, Reason, Score, Subject, agreement};
use ties::{Entity, EntityId, EntityKind, Said, Statement};

/// How many names of one entity are filed and compared; sanctioned persons have dozens.
const NAMES_EACH_MAX: usize = 16;

/// How many candidates of one name are looked at. Some of them the same document tells of, and those do not count.
const CANDIDATES_MAX: usize = 50;

/// What one document says an entity is.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) entity: Entity,
    pub(super) document: Arc<str>,
}

/// What a statement describes, if it can be compared by name. Arrangements and states are not known by their names.
pub(super) fn described(statement: Statement) -> Option<Described> {
    let Said::Entity(entity) = statement.said else { return None };
    let document = Arc::from(statement.source.document);
    kind_of(entity.kind).map(|_| Described { entity, document })
}

fn kind_of(kind: EntityKind) -> Option<Kind> {
    match kind {
        EntityKind::Person => Some(Kind::Person),
        EntityKind::Organisation | EntityKind::StateBody | EntityKind::Trust => Some(Kind::Organisation),
        EntityKind::Unknown => Some(Kind::Unknown),
        EntityKind::State | EntityKind::Nomination | EntityKind::JointHolding | EntityKind::Concert => None,
    }
}

/// The names of an entity, ready to be compared.
pub(super) fn subjects(entity: &Entity) -> Vec<Subject> {
    let Some(kind) = kind_of(entity.kind) else { return Vec::new() };
    let countries: BTreeSet<_> = entity.countries.iter().filter_map(|code| code.parse().ok()).collect();
    let is_person = kind == Kind::Person;
    let born = entity.founded.filter(|_| is_person).and_then(|date| date.to_string().parse().ok());
    let names = entity.names.iter().take(NAMES_EACH_MAX);
    let parsed = names.filter_map(|name| Name::parse(&name.text, kind).ok());
    parsed.map(|name| Subject { countries: countries.clone(), born, ..Subject::from(name) }).collect()
}

/// An index of entities by their names, with the documents that speak of them.
#[derive(Default)]
pub(super) struct Filed {
    index: Index<EntityId>,
    pub(super) documents: BTreeMap<EntityId, BTreeSet<Arc<str>>>,
}

/// Who an entity may be.
pub(super) struct Candidate {
    pub(super) entity: EntityId,
    pub(super) score: Score,
    pub(super) reasons: Vec<Reason>,
    /// The name by which it was found.
    pub(super) name: String,
}

impl Filed {
    /// How many names are filed.
    pub(super) fn names(&self) -> usize {
        self.index.len()
    }

    pub(super) fn insert(&mut self, entity: &Entity, documents: impl IntoIterator<Item = Arc<str>>) {
        for subject in subjects(entity) {
            self.index.insert(entity.id.clone(), subject);
        }
        self.documents.entry(entity.id.clone()).or_default().extend(documents);
    }

    /// Who it may be, best first, by another document than this one.
    pub(super) fn candidates(&self, of: &Described) -> Vec<Candidate> {
        let mut best: BTreeMap<EntityId, Candidate> = BTreeMap::new();
        for subject in subjects(&of.entity) {
            for Proposal { key, score, reasons } in self.index.propose(&subject, CANDIDATES_MAX) {
                let by_the_same = self.documents.get(&key).is_some_and(|by| by.contains(&of.document));
                if key == of.entity.id || by_the_same {
                    continue;
                }
                if best.get(&key).is_none_or(|before| score > before.score) {
                    let name = subject.name.as_str().to_owned();
                    best.insert(key.clone(), Candidate { entity: key, score, reasons, name });
                }
            }
        }
        let mut best: Vec<Candidate> = best.into_values().collect();
        best.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.entity.cmp(&b.entity)));
        best
    }
}

/// What the identifiers of two entities say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identifiers {
    pub(super) agree: Vec<String>,
    pub(super) contradict: Vec<String>,
}

/// What the identifiers of two entities say, with what they themselves are called by; `None` if that they are two.
pub(super) fn identifiers(one: &Entity, other: &Entity) -> Option<Identifiers> {
    let of = |entity: &Entity| -> Vec<Identifier> {
        let given = entity.identifiers.iter();
        let given = given.filter_map(|id| Identifier::parse(&id.scheme, &id.value).ok());
        let mut all: Vec<Identifier> = given.chain(entity.id.as_str().parse()).collect();
        all.sort();
        all.dedup();
        all
    };
    let (one, other) = (of(one), of(other));
    let pair = |(a, b): (&Identifier, &Identifier)| format!("{a} and {b}");
    let (agree, contradict) = match agreement(&one, &other) {
        Agreement::Different(..) => return None,
        Agreement::Same(shared) => (vec![shared.to_string()], Vec::new()),
        Agreement::Contradictory { shared, different } => (vec![shared.to_string()], vec![pair(different)]),
        Agreement::Silent => (Vec::new(), Vec::new()),
    };
    Some(Identifiers { agree, contradict })
}

#[cfg(test)]
mod tests {
    use ties::ExternalId;

    use super::*;

    fn entity(id: &str, name: &str, identifiers: &[(&str, &str)]) -> Entity {
        let mut entity = Entity::new(id.parse().unwrap(), EntityKind::Organisation);
        entity.names.push(ties::Name { text: name.to_owned(), alias: false });
        let external = |(scheme, value): &(&str, &str)| ExternalId {
            scheme: (*scheme).to_owned(),
            value: (*value).to_owned(),
        };
        entity.identifiers = identifiers.iter().map(external).collect();
        entity
    }

    #[test]
    fn identifiers_that_differ_are_two_entities() {
        const ONE: (&str, &str) = ("XI-LEI", "529900T8BM49AURSDO55");
        const TWO: (&str, &str) = ("XI-LEI", "213800WSGIIZCXF1P572");
        const ISIN: (&str, &str) = ("XI-ISIN", "US0378331005");
        type Case<'c> = (&'c [(&'c str, &'c str)], &'c [(&'c str, &'c str)], Option<(usize, usize)>);
        let cases: [Case<'_>; 5] = [
            (&[], &[ONE], Some((0, 0))),
            (&[ONE], &[ONE], Some((1, 0))),
            (&[ONE], &[TWO], None),
            (&[ONE, ISIN], &[TWO, ISIN], Some((1, 1))),
            (&[("of its own", "1")], &[("of its own", "2")], Some((0, 0))),
        ];
        for (left, right, want) in cases {
            let found = identifiers(&entity("doc:a", "A", left), &entity("doc:b", "B", right));
            let found = found.map(|found| (found.agree.len(), found.contradict.len()));
            assert_eq!(found, want, "{left:?} {right:?}");
        }
        let by_itself = entity("XI-LEI:529900T8BM49AURSDO55", "A", &[]);
        assert_eq!(identifiers(&by_itself, &entity("doc:b", "B", &[TWO])), None);
    }

    #[test]
    fn a_document_tells_its_own_apart() {
        let mut filed = Filed::default();
        filed.insert(&entity("list:1", "Example Trading Company", &[]), [Arc::from("list")]);
        let ask = |id: &str, document: &str| {
            let entity = entity(id, "EXAMPLE TRADING CO", &[]);
            let of = Described { entity, document: Arc::from(document) };
            filed
                .candidates(&of)
                .into_iter()
                .map(|candidate| candidate.entity.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(ask("register:1", "register"), ["list:1"]);
        assert!(ask("list:2", "list").is_empty());
        assert!(ask("list:1", "register").is_empty(), "it is itself");
    }
}
