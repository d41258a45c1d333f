//! Sharing tags and the markings that they stand for.
//!
//! MISP writes the Traffic Light Protocol and the Permissible Actions Protocol as tags
//! (`tlp:amber+strict`, `PAP:RED`). STIX carries them as references to marking definitions with fixed
//! identifiers: those of TLP 2.0, and of PAP, as FIRST and MISP publish them.

/// What a tag stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// A marking.
    Marking(Marking),
    /// A sharing tag with a level that is not known. What it forbids is unknown, so nothing may be
    /// done with what carries it.
    Unknown,
    /// Something else.
    Label,
}

/// A level of one of the two protocols, ordered within it from open to closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Marking {
    /// The Traffic Light Protocol: who may see it.
    Tlp(usize),
    /// The Permissible Actions Protocol: what may be done with it.
    Pap(usize),
}

/// TLP 2.0 from open to closed. `white` was the name of `clear` in TLP 1.0.
const TLP: [(&str, &str); 5] = [
    ("clear", "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"),
    ("green", "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"),
    ("amber", "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"),
    ("amber+strict", "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"),
    ("red", "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"),
];

/// PAP from open to closed.
const PAP: [(&str, &str); 4] = [
    ("clear", "marking-definition--ad15a0cd-55b6-4588-a14c-a66105329b92"),
    ("green", "marking-definition--c43594d1-4b11-4c59-93ab-1c9b14d53ce9"),
    ("amber", "marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab"),
    ("red", "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e"),
];

impl Marking {
    /// The identifier of its marking definition.
    pub(crate) fn id(self) -> &'static str {
        let entry = match self {
            Self::Tlp(level) => TLP.get(level),
            Self::Pap(level) => PAP.get(level),
        };
        entry.map_or("", |(_, id)| id)
    }

    /// Whether both are levels of one protocol.
    fn is_kin(self, other: Self) -> bool {
        matches!((self, other), (Self::Tlp(_), Self::Tlp(_)) | (Self::Pap(_), Self::Pap(_)))
    }
}

/// Reads a tag; case does not matter.
pub(crate) fn of_tag(text: &str) -> Tag {
    let text = text.trim().to_ascii_lowercase();
    let (levels, name): (&[(&str, &str)], &str) = match text.split_once(':') {
        Some(("tlp", name)) => (&TLP, name),
        Some(("pap", name)) => (&PAP, name),
        Some(_) | None => return Tag::Label,
    };
    let name = if name == "white" { "clear" } else { name };
    match levels.iter().position(|(level, _)| *level == name) {
        Some(level) if text.starts_with("tlp") => Tag::Marking(Marking::Tlp(level)),
        Some(level) => Tag::Marking(Marking::Pap(level)),
        None => Tag::Unknown,
    }
}

/// Adds a marking, of each protocol only the most closed: an event's `tlp:red` is not opened by a
/// `tlp:green` on one of its attributes.
pub(crate) fn add(markings: &mut Vec<Marking>, marking: Marking) {
    match markings.iter_mut().find(|held| held.is_kin(marking)) {
        Some(held) => *held = (*held).max(marking),
        None => markings.push(marking),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_stand_for_markings() {
        let cases = [
            ("tlp:white", Tag::Marking(Marking::Tlp(0))),
            ("TLP:CLEAR", Tag::Marking(Marking::Tlp(0))),
            ("tlp:amber+strict", Tag::Marking(Marking::Tlp(3))),
            (" tlp:red ", Tag::Marking(Marking::Tlp(4))),
            ("PAP:WHITE", Tag::Marking(Marking::Pap(0))),
            ("pap:red", Tag::Marking(Marking::Pap(3))),
            ("pap:amber+strict", Tag::Unknown),
            ("tlp:unclear", Tag::Unknown),
            ("tlp:ex:chr", Tag::Unknown),
            ("tlp", Tag::Label),
            ("osint:source-type=\"blog-post\"", Tag::Label),
            ("", Tag::Label),
        ];
        for (text, want) in cases {
            assert_eq!(of_tag(text), want, "{text}");
        }
    }

    #[test]
    fn every_level_has_its_own_identifier() {
        let ids: std::collections::BTreeSet<_> = (0..TLP.len())
            .map(Marking::Tlp)
            .chain((0..PAP.len()).map(Marking::Pap))
            .map(Marking::id)
            .collect();
        assert_eq!(ids.len(), TLP.len() + PAP.len());
        assert!(ids.iter().all(|id| stix::parse_id(id).is_ok()));
    }

    #[test]
    fn the_most_closed_level_wins() {
        let mut markings = Vec::new();
        for marking in [Marking::Tlp(2), Marking::Pap(1), Marking::Tlp(0), Marking::Tlp(4)] {
            add(&mut markings, marking);
        }
        assert_eq!(markings, [Marking::Tlp(4), Marking::Pap(1)]);
    }
}
