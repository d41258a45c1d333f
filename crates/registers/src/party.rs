//! What lists have in common: a party, and that a list names it.

use ties::{Entity, EntityId, ListId, Listing, Name, Period, Said};

use crate::gleif::is_lei;
use crate::reading::{Reading, scoped};

/// What an identifier is called by which OFAC's own lists and the screening list know a party.
pub(crate) const OFAC: &str = "ofac";

/// How a list names a party.
#[derive(Default)]
pub(crate) struct Named {
    /// The list.
    pub(crate) list: &'static str,
    /// What the entry goes by in its source.
    pub(crate) local: String,
    /// Programme, reference, notice.
    pub(crate) entry: Option<String>,
    /// From when to when.
    pub(crate) valid: Period,
    /// Whether the list says that it reaches subsidiaries.
    pub(crate) with_subsidiaries: bool,
}

/// The entity that a body which numbers its entries calls `local`, in whichever of its files.
pub(crate) fn entry(body: &str, local: &str) -> EntityId {
    scoped(body, local).parse().expect("`scoped` makes identifiers")
}

/// Adds a name, unless the party has it already.
pub(crate) fn add_name(entity: &mut Entity, text: &str, alias: bool) {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !text.is_empty() && !entity.names.iter().any(|name| name.text == text) {
        entity.names.push(Name { text, alias });
    }
}

/// Adds countries that are not there yet.
pub(crate) fn add_countries(entity: &mut Entity, codes: impl IntoIterator<Item = String>) {
    for code in codes {
        if !entity.countries.contains(&code) {
            entity.countries.push(code);
        }
    }
}

impl Reading<'_> {
    /// Says who a party is, and that a list names it.
    pub(crate) fn say_named(&mut self, stamp: &str, entity: Entity, named: Named) {
        let id = entity.id.clone();
        self.say_party(stamp, entity);
        self.say_listing(stamp, id, named);
    }

    /// Says who a party is, and that it is the one with its LEI if it has one.
    pub(crate) fn say_party(&mut self, stamp: &str, entity: Entity) {
        let mut leis = entity.identifiers.iter().filter(|id| id.scheme == "XI-LEI" && is_lei(&id.value));
        // With two of them, one is somebody else's.
        if let (Some(lei), None) = (leis.next(), leis.next()) {
            let kept = format!("XI-LEI:{}", lei.value).parse().expect("an LEI makes an identifier");
            let because = format!("the entry gives this LEI for {}", entity.id);
            let said = Said::Same { kept, merged: entity.id.clone(), because };
            self.say(stamp, said);
        }
        self.say(stamp, Said::Entity(entity));
    }

    /// Says that a list names an entity.
    pub(crate) fn say_listing(&mut self, stamp: &str, entity: EntityId, named: Named) {
        let list: ListId = named.list.parse().expect("the lists' names are identifiers");
        let listing = Listing {
            id: self.tie(&format!("{list}/{}", named.local)),
            list,
            entity,
            entry: named.entry,
            valid: named.valid,
            with_subsidiaries: named.with_subsidiaries,
        };
        self.say(stamp, Said::Listing(listing));
    }
}
