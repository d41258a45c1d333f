//! What an entity is, when several sources describe it.
//!
//! Of each document the last statement counts. Then the documents are put in order, the more believed first and among
//! equals the later one, and for each property the first that says anything is believed; names, countries,
//! identifiers and sectors are collected from all. Two properties let the arithmetic conclude more than the holdings
//! say, so they are not taken from a source of low confidence: that the register is complete (and one document that
//! denies it is enough), and that the entity was dissolved.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use model::Timestamp;

use super::log::Log;
use crate::encode::Tag;
use crate::{Confidence, Entity, EntityId, EntityKind, Said};

/// How many arrivals are looked at when a statement about an entity or a tie comes once more. A history of more than
/// a thousand changes is nobody's; one of a hundred thousand must not cost its square.
pub(crate) const HISTORY_LOOKED_AT_MAX: usize = 1_024;

impl Log {
    /// What the identifiers in `members` are said to be; the result goes by `id`.
    pub(crate) fn described(&self, id: u32, members: &[u32], known: Timestamp) -> Option<Entity> {
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        for row in members.iter().flat_map(|&member| self.said_of(member)) {
            let entry = self.row(row);
            if entry.tag == Tag::Entity && self.counts(row, known) {
                let document = self.source_head(entry).document;
                let later = self.later(last.get(&document).copied(), row);
                last.insert(document, later);
            }
        }
        let mut rows: Vec<u32> = last.into_values().collect();
        rows.sort_by_key(|&row| {
            let entry = self.row(row);
            let confidence = self.source_head(entry).confidence;
            Reverse((confidence, entry.recorded, self.names.text(entry.name)))
        });
        if let [row] = *rows
            && let Some(entity) = self.only_account(id, row)
        {
            return Some(entity);
        }
        let accounts = rows.into_iter().filter_map(|row| {
            let Said::Entity(entity) = self.said(row) else { return None };
            Some((entity, self.source_head(self.row(row)).confidence == Confidence::Low))
        });
        put_together(&EntityId::stored(self.entities.text(id)), accounts)
    }

    /// What the only account says, where there is nothing in it to put together: nearly always.
    fn only_account(&self, id: u32, row: u32) -> Option<Entity> {
        if self.source_head(self.row(row)).confidence == Confidence::Low {
            return None;
        }
        let Said::Entity(mut entity) = self.said(row) else { return None };
        let lengths =
            [entity.names.len(), entity.countries.len(), entity.identifiers.len(), entity.sectors.len()];
        entity.id = EntityId::stored(self.entities.text(id));
        lengths.iter().all(|length| *length <= 1).then_some(entity)
    }

    /// The last description of an entity by the document of `row` that was recorded until `known`.
    pub(crate) fn last_of_document(&self, entity: u32, row: u32, known: Timestamp) -> Option<u32> {
        let document = self.source_head(self.row(row)).document;
        self.said_of(entity)
            .take(HISTORY_LOOKED_AT_MAX)
            .filter(|&row| self.row(row).tag == Tag::Entity && self.counts(row, known))
            .filter(|&row| self.source_head(self.row(row)).document == document)
            .fold(None, |best, row| Some(self.later(best, row)))
    }
}

/// Puts accounts of one entity together, the best first. Each comes with whether it is doubtful.
fn put_together(id: &EntityId, accounts: impl Iterator<Item = (Entity, bool)>) -> Option<Entity> {
    let mut whole: Option<Entity> = None;
    for (account, doubtful) in accounts {
        let whole = whole.get_or_insert_with(|| Entity::new(id.clone(), EntityKind::Unknown));
        if whole.kind == EntityKind::Unknown {
            whole.kind = account.kind;
        }
        for name in account.names {
            if whole.names.iter().all(|known| known.text != name.text) {
                whole.names.push(name);
            }
        }
        collect(&mut whole.countries, account.countries);
        collect(&mut whole.identifiers, account.identifiers);
        collect(&mut whole.sectors, account.sectors);
        whole.founded = whole.founded.or(account.founded);
        whole.own_shares_vote = whole.own_shares_vote.or(account.own_shares_vote);
        whole.publicly_listed = whole.publicly_listed.or(account.publicly_listed);
        if !doubtful {
            whole.dissolved = whole.dissolved.or(account.dissolved);
        }
        whole.register_complete = match (whole.register_complete, account.register_complete) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), _) => Some(true),
            (None, claimed) => claimed.filter(|_| !doubtful),
        };
    }
    whole
}

fn collect<T: PartialEq>(into: &mut Vec<T>, more: Vec<T>) {
    for item in more {
        if !into.contains(&item) {
            into.push(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;

    fn account(edit: impl FnOnce(&mut Entity)) -> Entity {
        let mut entity = Entity::new("x".parse().unwrap(), EntityKind::Unknown);
        edit(&mut entity);
        entity
    }

    #[test]
    fn the_better_account_speaks_first_and_all_are_collected() {
        let better = account(|e| {
            e.kind = EntityKind::Organisation;
            e.names = vec![Name { text: "Acme".to_owned(), alias: false }];
            e.countries = vec!["US".to_owned()];
        });
        let worse = account(|e| {
            e.kind = EntityKind::Person;
            e.names = ["Acme", "Acme Inc"].map(|text| Name { text: text.to_owned(), alias: true }).to_vec();
            e.countries = vec!["GB".to_owned(), "US".to_owned()];
            e.founded = Some("1999".parse().unwrap());
        });
        let whole =
            put_together(&"x".parse().unwrap(), [(better, false), (worse, false)].into_iter()).unwrap();
        assert_eq!(whole.kind, EntityKind::Organisation);
        assert_eq!(
            whole.names.iter().map(|n| (n.text.as_str(), n.alias)).collect::<Vec<_>>(),
            [("Acme", false), ("Acme Inc", true)]
        );
        assert_eq!(whole.countries, ["US", "GB"]);
        assert_eq!(whole.founded.unwrap().to_string(), "1999");
        assert!(put_together(&"x".parse().unwrap(), std::iter::empty()).is_none());
    }

    #[test]
    fn a_rumour_neither_completes_a_register_nor_dissolves() {
        let claim = |complete, dissolved: Option<&str>| {
            account(|e| {
                e.register_complete = complete;
                e.dissolved = dissolved.map(|text| text.parse().unwrap());
            })
        };
        let cases = [
            // accounts: claimed, doubtful                                    complete?    dissolved?
            (vec![(Some(true), false)], Some(true)),
            (vec![(Some(true), true)], None),
            (vec![(Some(true), false), (Some(false), false)], Some(false)),
            (vec![(Some(false), false), (Some(true), false)], Some(false)),
            (vec![(Some(true), false), (Some(false), true)], Some(false)),
            (vec![(None, false), (Some(true), false)], Some(true)),
        ];
        for (claims, want) in cases {
            let accounts = claims.iter().map(|&(complete, doubtful)| (claim(complete, None), doubtful));
            let whole = put_together(&"x".parse().unwrap(), accounts).unwrap();
            assert_eq!(whole.register_complete, want, "{claims:?}");
        }
        for (doubtful, want) in [(true, None), (false, Some("2001".parse().unwrap()))] {
            let accounts = [(claim(None, Some("2001")), doubtful)].into_iter();
            assert_eq!(put_together(&"x".parse().unwrap(), accounts).unwrap().dissolved, want);
        }
    }
}
