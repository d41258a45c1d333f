//! Entities by what they are called.

use super::asof::RegistryPicture;
use super::log::Log;
use crate::encode::Tag;
use crate::{Entity, EntityId};

/// How many descriptions are read out for one search: what passes the first look at the bytes and fails the second.
const READ_OUT_MAX: usize = 50_000;

impl RegistryPicture<'_> {
    /// The entities in whose identifier, names or outside identifiers the text stands, whatever its letters' case; at most
    /// `limit`, in the order in which the registry met them. Also whether there are more, or more was not looked at.
    ///
    /// It looks through all that is described: some tens of milliseconds for each million statements.
    #[must_use]
    pub fn find(&self, text: &str, limit: usize) -> (Vec<Entity>, bool) {
        let wanted = text.trim().to_lowercase();
        let needle = rarest(&wanted).to_ascii_lowercase();
        let (mut found, mut read_out) = (Vec::new(), 0);
        for number in 0..self.entity_count() {
            if !self.is_described(number) || self.canonical_number(number) != number {
                continue;
            }
            if !may_be_called(self.log, needle.as_bytes(), &self.merged(number)) {
                continue;
            }
            read_out += 1;
            let Some(entity) = self.described(number) else { continue };
            if is_called(&entity, &self.also_known(number), &wanted) {
                if found.len() == limit {
                    return (found, true);
                }
                found.push(entity);
            }
            if read_out == READ_OUT_MAX {
                return (found, true);
            }
        }
        (found, false)
    }

    /// The identifiers that were merged into an entity, its own included.
    #[must_use]
    pub fn also_known_as(&self, id: &EntityId) -> Vec<EntityId> {
        let of = |number| self.also_known(number).into_iter().map(|text| EntityId::stored(&text)).collect();
        self.number(id).map_or_else(|| vec![id.clone()], of)
    }

    fn also_known(&self, number: u32) -> Vec<String> {
        self.merged(number).into_iter().map(|one| self.log.entities.text(one).to_owned()).collect()
    }
}

/// The longest run of ASCII letters and digits: what the bytes can be asked for, whatever the case.
fn rarest(wanted: &str) -> &str {
    let runs = wanted.split(|letter: char| !letter.is_ascii_alphanumeric());
    runs.max_by_key(|run| run.len()).unwrap_or_default()
}

/// A first look, at bytes alone: whether the needle stands in an identifier or a description.
fn may_be_called(log: &Log, needle: &[u8], members: &[u32]) -> bool {
    needle.is_empty()
        || members.iter().any(|&member| {
            holds(log.entities.text(member).as_bytes(), needle)
                || log
                    .said_of(member)
                    .any(|row| log.row(row).tag == Tag::Entity && holds(log.body(row), needle))
        })
}

/// Whether the needle, in lower case, stands in the bytes in any case.
fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

fn is_called(entity: &Entity, identifiers: &[String], wanted: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(wanted);
    identifiers.iter().any(|id| has(id))
        || entity.names.iter().any(|name| has(&name.text))
        || entity.identifiers.iter().any(|id| has(&id.value) || has(&format!("{}:{}", id.scheme, id.value)))
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;
    use crate::{AsOf, EntityKind, ExternalId, Name, Registry, Said, Source, Statement};

    fn statement(number: usize, said: Said) -> Statement {
        let id = format!("s{number}").parse().unwrap();
        let source = Source { document: format!("document {number}"), ..Source::default() };
        Statement { id, said, source, recorded: Timestamp::EPOCH }
    }

    fn registry() -> Registry {
        let named = |id: &str, name: &str, lei: &str| {
            let mut entity = Entity::new(id.parse().unwrap(), EntityKind::Organisation);
            entity.names = vec![Name { text: name.to_owned(), alias: false }];
            entity.identifiers = vec![ExternalId { scheme: "XI-LEI".to_owned(), value: lei.to_owned() }];
            Said::Entity(entity)
        };
        let same = Said::Same {
            kept: "huawei".parse().unwrap(),
            merged: "ftm:hw".parse().unwrap(),
            because: "a test".to_owned(),
        };
        let said = vec![
            named("huawei", "Huawei Technologies Co., Ltd.", "5493000001"),
            named("ftm:hw", "华为技术有限公司", "5493000001"),
            named("acme", "Größer & Söhne AG", "5493000002"),
            same,
        ];
        let mut registry = Registry::new();
        registry.add(said.into_iter().enumerate().map(|(number, said)| statement(number, said)).collect());
        registry
    }

    #[test]
    fn an_entity_is_found_by_whatever_it_is_called() {
        let registry = registry();
        let picture = registry.picture(AsOf::at(Timestamp::MAX));
        let find = |text: &str| -> Vec<String> {
            picture.find(text, 10).0.into_iter().map(|entity| entity.id.to_string()).collect()
        };
        for (text, want) in [
            ("HUAWEI tech", vec!["huawei"]),
            ("华为", vec!["huawei"]),
            ("ftm:HW", vec!["huawei"]),
            ("GRÖSSER", vec![]),
            ("GRÖß", vec!["acme"]),
            ("söhne", vec!["acme"]),
            ("xi-lei:5493000002", vec!["acme"]),
            ("549300000", vec!["huawei", "acme"]),
            ("nobody", vec![]),
        ] {
            assert_eq!(find(text), want, "{text}");
        }
        let (first, is_cut_short) = picture.find("549300000", 1);
        assert_eq!((first.len(), is_cut_short), (1, true));
        let also = picture.also_known_as(&"ftm:hw".parse().unwrap());
        assert_eq!(also.iter().map(EntityId::as_str).collect::<Vec<_>>(), ["huawei", "ftm:hw"]);
    }
}
