//! The published markings: TLP 1, TLP 2.0 and PAP.

use super::Marking;

/// A level of the traffic light protocol, from the freest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlpLevel {
    /// For the world; WHITE in version 1.
    Clear,
    /// For the community, but through no public channel.
    Green,
    /// For the organisation and its clients, as far as they need to know.
    Amber,
    /// For the organisation alone.
    AmberStrict,
    /// For the named recipients alone.
    Red,
}

/// A level of the permissible actions protocol, from the freest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PapLevel {
    /// Any action; WHITE is its older name.
    Clear,
    /// Active actions within one's own network, such as blocking.
    Green,
    /// Passive look-ups that the adversary cannot see.
    Amber,
    /// Nothing that could be seen outside.
    Red,
}

/// When the TLP markings of STIX 2.1 were created (§7.2.1).
pub(crate) const TLP_1_CREATED: &str = "2017-01-20T00:00:00.000Z";

/// Level, word, name and identifier of TLP 1 (STIX 2.1 §7.2.1).
const TLP_1: [(TlpLevel, &str, &str, &str); 4] = [
    (TlpLevel::Clear, "white", "TLP:WHITE", "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"),
    (TlpLevel::Green, "green", "TLP:GREEN", "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"),
    (TlpLevel::Amber, "amber", "TLP:AMBER", "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"),
    (TlpLevel::Red, "red", "TLP:RED", "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"),
];

/// Level, word and identifier of TLP 2.0 (OASIS common objects).
const TLP_2: [(TlpLevel, &str, &str); 5] = [
    (TlpLevel::Clear, "clear", "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"),
    (TlpLevel::Green, "green", "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"),
    (TlpLevel::Amber, "amber", "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"),
    (TlpLevel::AmberStrict, "amber+strict", "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"),
    (TlpLevel::Red, "red", "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"),
];

/// Level, word and identifier of PAP (OASIS common objects).
const PAP: [(PapLevel, &str, &str); 5] = [
    (PapLevel::Clear, "clear", "marking-definition--ad15a0cd-55b6-4588-a14c-a66105329b92"),
    (PapLevel::Clear, "white", "marking-definition--a3bea94c-b469-41dc-9cfe-d6e7daba7730"),
    (PapLevel::Green, "green", "marking-definition--c43594d1-4b11-4c59-93ab-1c9b14d53ce9"),
    (PapLevel::Amber, "amber", "marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab"),
    (PapLevel::Red, "red", "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e"),
];

/// What a published identifier stands for, without its definition at hand.
#[must_use]
pub fn known(id: &str) -> Option<Marking> {
    let tlp_2 = || TLP_2.iter().find(|row| row.2 == id).map(|row| row.0);
    let tlp = TlpLevel::of_tlp_1_id(id).or_else(tlp_2).map(Marking::Tlp);
    tlp.or_else(|| PAP.iter().find(|row| row.2 == id).map(|row| Marking::Pap(row.0)))
}

/// Identifier and name of a TLP 1 level.
pub(crate) fn tlp_1_definition(word: &str) -> Option<(&'static str, &'static str)> {
    TLP_1.iter().find(|row| row.1 == word).map(|row| (row.3, row.2))
}

impl TlpLevel {
    /// The level that an identifier of TLP 1 stands for.
    pub(crate) fn of_tlp_1_id(id: &str) -> Option<Self> {
        TLP_1.iter().find(|row| row.3 == id).map(|row| row.0)
    }

    pub(super) fn of_tlp_1_word(word: &str) -> Option<Self> {
        TLP_1.iter().find(|row| row.1 == word).map(|row| row.0)
    }

    pub(super) fn of_tlp_2_word(word: &str) -> Option<Self> {
        TLP_2.iter().find(|row| row.1 == word).map(|row| row.0)
    }

    /// The identifier of the level's TLP 2.0 definition.
    #[must_use]
    pub fn tlp_2_id(self) -> &'static str {
        // INVARIANT: every level has a row in TLP_2; `each_level_has_its_identifier` holds it.
        TLP_2.iter().find(|row| row.0 == self).map_or("", |row| row.2)
    }

    /// The level as it is written, such as `TLP:AMBER+STRICT`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clear => "TLP:CLEAR",
            Self::Green => "TLP:GREEN",
            Self::Amber => "TLP:AMBER",
            Self::AmberStrict => "TLP:AMBER+STRICT",
            Self::Red => "TLP:RED",
        }
    }
}

impl PapLevel {
    pub(super) fn of_word(word: &str) -> Option<Self> {
        PAP.iter().find(|row| row.1 == word).map(|row| row.0)
    }

    /// The level as it is written, such as `PAP:AMBER`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clear => "PAP:CLEAR",
            Self::Green => "PAP:GREEN",
            Self::Amber => "PAP:AMBER",
            Self::Red => "PAP:RED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::parse_id;

    #[test]
    fn each_level_has_its_identifier() {
        use TlpLevel::*;
        let mut last = None;
        for level in [Clear, Green, Amber, AmberStrict, Red] {
            assert_eq!(known(level.tlp_2_id()), Some(Marking::Tlp(level)));
            assert!(last < Some(level), "the levels are in order");
            last = Some(level);
        }
        for (level, word, _, id) in TLP_1 {
            assert_eq!(known(id), Some(Marking::Tlp(level)), "{word}");
        }
        for (level, word, id) in PAP {
            assert_eq!(known(id), Some(Marking::Pap(level)), "{word}");
        }
        assert_eq!(known("marking-definition--fa42a846-8d90-4e51-bc29-71d5b4802168"), None);
    }

    #[test]
    fn the_published_identifiers_are_identifiers_and_all_different() {
        let mut ids: Vec<_> = TLP_1.iter().map(|row| row.3).collect();
        ids.extend(TLP_2.iter().map(|row| row.2));
        ids.extend(PAP.iter().map(|row| row.2));
        assert!(ids.iter().all(|id| parse_id(id).is_ok()));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 14);
    }
}
