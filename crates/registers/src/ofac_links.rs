//! Links by name, resolved within a file.
//!
//! OFAC's tables know relations only as words: an entry's remarks say `Linked To: NAME`, a ship's row names its owner.
//! Whose name that is can stand before or behind it, so links wait for the end of the file. A name that nobody in the
//! file has, or that two have, is not guessed at: an entity of which only the name is known stands for it.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use ties::{Entity, EntityKind, Holding, Period, Said, Tie, TieKind};

use crate::party::{OFAC, add_name, entry};
use crate::reading::Reading;

/// How many names are known at once; the longest list that we know has 60,000 with all aliases.
const NAMES_MAX: usize = 1 << 20;
/// How many links wait at once; the SDN list has 2,400.
const LINKS_MAX: usize = 1 << 18;
/// The longest name that is looked up, in bytes.
const NAME_BYTES_MAX: usize = 512;

/// The names of a file, and the links that wait for them.
#[derive(Default)]
pub(crate) struct Links {
    own: BTreeMap<[u8; 16], Bearer>,
    aliases: BTreeMap<[u8; 16], Bearer>,
    waiting: Vec<Link>,
}

/// Who has a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bearer {
    One(u64),
    Several,
}

struct Link {
    of: u64,
    /// On which list, which makes the listing that the link is a part of.
    list: &'static str,
    name: Box<str>,
    relation: Relation,
}

/// What a link means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// `Linked To:`, and no more is said.
    Linked,
    /// The owner of a ship, without a share.
    Owner,
}

impl Links {
    /// Takes note of a name.
    pub(crate) fn bears(&mut self, reading: &mut Reading<'_>, number: u64, name: &str, alias: bool) {
        let names = if alias { &mut self.aliases } else { &mut self.own };
        if names.len() >= NAMES_MAX {
            return reading.note("names-beyond-limit");
        }
        let bearer = names.entry(digest(name)).or_insert(Bearer::One(number));
        if *bearer != Bearer::One(number) {
            *bearer = Bearer::Several;
        }
    }

    /// Takes note of a link of an entry to a name.
    pub(crate) fn add(
        &mut self,
        reading: &mut Reading<'_>,
        list: &'static str,
        of: u64,
        name: &str,
        relation: Relation,
    ) {
        if name.len() > NAME_BYTES_MAX {
            return reading.note("link-too-long");
        }
        let link = Link { of, list, name: name.into(), relation };
        if self.waiting.len() < LINKS_MAX {
            self.waiting.push(link);
        } else {
            self.resolve(reading, &link);
        }
    }

    /// Says all that waited.
    pub(crate) fn say(mut self, reading: &mut Reading<'_>) {
        for link in std::mem::take(&mut self.waiting) {
            self.resolve(reading, &link);
        }
    }

    fn resolve(&self, reading: &mut Reading<'_>, link: &Link) {
        // The full stop at the end is the remark's, unless the name has it.
        let spellings = [&*link.name, link.name.strip_suffix('.').unwrap_or(&link.name)];
        let found = [&self.own, &self.aliases]
            .iter()
            .find_map(|names| spellings.iter().find_map(|name| names.get(&digest(name)).copied()));
        let from = match found {
            Some(Bearer::One(number)) if number == link.of => return reading.note("link-to-itself"),
            Some(Bearer::One(number)) => {
                reading.note("resolved-link");
                entry(OFAC, &number.to_string())
            }
            Some(Bearer::Several) => {
                reading.note("ambiguous-link");
                stand_in(reading, link)
            }
            None => {
                reading.note("unresolved-link");
                stand_in(reading, link)
            }
        };
        let kind = match link.relation {
            Relation::Linked => TieKind::Associates { relation: "Linked To".to_owned() },
            Relation::Owner => TieKind::Holds(Holding::default()),
        };
        let word = if link.relation == Relation::Owner { "owner" } else { "link" };
        let id = reading.tie(&format!("{}/{}#{word}/{from}", link.list, link.of));
        let to = entry(OFAC, &link.of.to_string());
        reading.say("", Said::Tie(Tie { id, from, to, kind, valid: Period::ALWAYS }));
    }
}

/// Says that there is somebody of that name, and that nothing else is known.
fn stand_in(reading: &mut Reading<'_>, link: &Link) -> ties::EntityId {
    let id = entry(OFAC, &format!("named/{}", hex::encode(digest(&link.name))));
    let mut entity = Entity::new(id.clone(), EntityKind::Unknown);
    let name = match link.relation {
        Relation::Linked => link.name.strip_suffix('.').unwrap_or(&link.name),
        Relation::Owner => &link.name,
    };
    add_name(&mut entity, name, false);
    reading.say("", Said::Entity(entity));
    id
}

/// Names are compared with their blanks made even, and else as they are.
fn digest(name: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    for word in name.split_whitespace() {
        hash.update(word);
        hash.update(b" ");
    }
    let mut out = [0; 16];
    out.copy_from_slice(&hash.finalize()[..16]);
    out
}
