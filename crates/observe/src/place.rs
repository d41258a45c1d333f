//! Where something stands, and what was wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::sniff::Format;

/// So many places are kept for each reason.
const PLACES_KEPT: usize = 5;

/// Where something stands in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file's name.
    pub file: Arc<str>,
    /// Where in it.
    pub unit: Unit,
}

/// Where in a file. Numbers count from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// A line.
    Line(u64),
    /// A mail.
    Mail(u64),
    /// A packet of a capture.
    Packet(u64),
    /// A packet of an exporter.
    Datagram(u64),
    /// A STIX object.
    Object(String),
    /// All of it.
    Whole,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = &self.file;
        match &self.unit {
            Unit::Line(number) => write!(f, "{file}:{number}"),
            Unit::Mail(number) => write!(f, "{file}: mail {number}"),
            Unit::Packet(number) => write!(f, "{file}: packet {number}"),
            Unit::Datagram(number) => write!(f, "{file}: datagram {number}"),
            Unit::Object(id) => write!(f, "{file}: {id}"),
            Unit::Whole => write!(f, "{file}"),
        }
    }
}

/// Why something was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The disk, or whoever else was to give the bytes, failed.
    Io,
    /// Packed data break off or lie.
    Packing,
    /// Packed data unpack to more than they could mean in good faith, or lie in too many packings.
    Bomb,
    /// The file breaks off, or a length in it lies.
    Broken,
    /// A mail was looked at in part.
    TooLarge,
    /// Flows whose form was not told.
    NoTemplate,
    /// JSON that is none.
    Json,
    /// An `observed-data` object without its times, or whose objects are not in the file.
    Observation,
    /// A capture of a kind of network that is not read.
    Link,
    /// A format that is not read.
    Unknown,
}

impl Reason {
    /// The reason in a word or two, to be counted by.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Io => "unreadable",
            Self::Packing => "broken-packing",
            Self::Bomb => "bomb",
            Self::Broken => "broken",
            Self::TooLarge => "too-large",
            Self::NoTemplate => "no-template",
            Self::Json => "broken-json",
            Self::Observation => "observation",
            Self::Link => "link-type",
            Self::Unknown => "unknown-format",
        }
    }
}

/// What was not looked at for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    /// How many times.
    pub count: u64,
    /// The first of them: where, and in words.
    pub first: Vec<(Place, String)>,
}

/// How the reading of a file ended.
#[derive(Clone, Debug)]
pub struct Summary {
    file: Arc<str>,
    /// What it was taken for.
    pub format: Option<Format>,
    /// How many bytes there were, unpacked.
    pub bytes: u64,
    /// How many pieces: lines, mails, packets, datagrams, observations.
    pub pieces: u64,
    /// What was not looked at.
    pub troubles: BTreeMap<Reason, Troubles>,
}

impl Summary {
    /// Nothing was read yet.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self { file: file.into(), format: None, bytes: 0, pieces: 0, troubles: BTreeMap::new() }
    }

    /// Whether all of it was looked at.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.troubles.is_empty()
    }

    /// Takes down what was not looked at.
    pub fn trouble(&mut self, reason: Reason, unit: Unit, words: &str) {
        let place = self.place(unit);
        let troubles = self.troubles.entry(reason).or_default();
        troubles.count += 1;
        if troubles.first.len() < PLACES_KEPT {
            troubles.first.push((place, words.to_owned()));
        }
    }

    pub(crate) fn place(&self, unit: Unit) -> Place {
        Place { file: Arc::clone(&self.file), unit }
    }
}
