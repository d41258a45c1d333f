//! What comes over a feed, read as far as the guard needs it.
//!
//! Five kinds of objects mean something here: indicators; the programme's recall notices and its opinions about false
//! positives; and marking definitions, whose PAP level bounds what may be done. Everything else passes by.

use model::Timestamp;
use serde::{Deserialize, Serialize};
use stix::{Marking, PapLevel};
use thiserror::Error;
use uuid::Uuid;

/// What the programme's opinion about a false positive is labelled with.
pub const FALSE_POSITIVE_LABEL: &str = "false-positive";

/// What the hub permits a member to do with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// Everything: what an object has that comes from a server that says nothing of rights.
    pub const ALL: Self = Self(0b111);
    const WORDS: [&'static str; 3] = ["enforce", "display", "redistribute"];

    /// The rights that these words name; an unknown word gives none.
    #[must_use]
    pub fn of_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let bit = |word| Self::WORDS.iter().position(|known| *known == word).map_or(0, |at| 1 << at);
        Self(words.into_iter().fold(0, |bits, word| bits | bit(word)))
    }

    /// From [`Rights::bits`].
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// As a number, to be kept.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether countermeasures may act on it.
    #[must_use]
    pub fn may_enforce(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether people here may see it.
    #[must_use]
    pub fn may_display(self) -> bool {
        self.0 & 2 != 0
    }

    /// Whether customers may be given it, as zones and exports do.
    #[must_use]
    pub fn may_redistribute(self) -> bool {
        self.0 & 4 != 0
    }
}

/// An object of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Object {
    /// Something to look for.
    Indicator(Box<Indicator>),
    /// The programme says that these objects are to be let go of.
    Recall(Vec<String>),
    /// The programme says of these indicators that they hit what they should not.
    FalsePositive {
        /// Who says so; only the programme is believed.
        by: String,
        /// The indicators.
        of: Vec<String>,
        /// `false`: an earlier opinion is taken back.
        stands: bool,
    },
    /// A marking that bounds what may be done.
    Pap {
        /// The marking definition.
        id: String,
        /// Whether it forbids what the adversary could notice: AMBER and RED do.
        is_passive: bool,
    },
    /// Nothing that the guard acts on.
    Other,
}

/// An indicator, as its creator wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indicator {
    /// Its id without `indicator--`.
    pub id: Uuid,
    /// Its version.
    #[serde(with = "micros")]
    pub modified: Timestamp,
    /// Since when it holds.
    #[serde(with = "micros")]
    pub from: Timestamp,
    /// Until when, if it says so.
    #[serde(with = "micros::maybe")]
    pub until: Option<Timestamp>,
    /// 0 to 100.
    pub confidence: Option<u8>,
    /// What it is about, for the choice of the sinkhole's address and for reports: the first of its types.
    pub category: String,
    /// Whether its creator calls it benign.
    pub is_benign: bool,
    /// Whether its creator took it back.
    pub revoked: bool,
    /// The pattern's language; only `stix` is understood.
    pub pattern_type: String,
    /// The pattern.
    pub pattern: String,
    /// The markings, by id.
    pub markings: Vec<String>,
}

/// An [`Object`] as it lies in a buffer: a start reads a million, and copies none.
#[derive(Clone, Debug, Deserialize)]
pub enum ObjectRef<'a> {
    /// As [`Object::Indicator`].
    #[serde(borrow)]
    Indicator(IndicatorRef<'a>),
    /// As [`Object::Recall`].
    Recall(Vec<String>),
    /// As [`Object::FalsePositive`].
    FalsePositive {
        /// Who says so.
        by: String,
        /// The indicators.
        of: Vec<String>,
        /// `false`: an earlier opinion is taken back.
        stands: bool,
    },
    /// As [`Object::Pap`].
    Pap {
        /// The marking definition.
        id: String,
        /// Whether it forbids what the adversary could notice.
        is_passive: bool,
    },
    /// As [`Object::Other`].
    Other,
}

/// An [`Indicator`] as it lies in a buffer. The fields are the same, in the same order.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "as the fields of `Indicator`")]
pub struct IndicatorRef<'a> {
    pub id: Uuid,
    #[serde(with = "micros")]
    pub modified: Timestamp,
    #[serde(with = "micros")]
    pub from: Timestamp,
    #[serde(with = "micros::maybe")]
    pub until: Option<Timestamp>,
    pub confidence: Option<u8>,
    pub category: &'a str,
    pub is_benign: bool,
    pub revoked: bool,
    pub pattern_type: &'a str,
    pub pattern: &'a str,
    #[serde(borrow)]
    pub markings: Vec<&'a str>,
}

impl Object {
    /// The same without a copy.
    #[must_use]
    pub fn borrowed(&self) -> ObjectRef<'_> {
        match self {
            Self::Indicator(indicator) => ObjectRef::Indicator(indicator.borrowed()),
            Self::Recall(ids) => ObjectRef::Recall(ids.clone()),
            Self::FalsePositive { by, of, stands } => {
                ObjectRef::FalsePositive { by: by.clone(), of: of.clone(), stands: *stands }
            }
            Self::Pap { id, is_passive } => ObjectRef::Pap { id: id.clone(), is_passive: *is_passive },
            Self::Other => ObjectRef::Other,
        }
    }

    /// The indicator that it is, by its UUID.
    #[must_use]
    pub fn indicator(&self) -> Option<Uuid> {
        match self {
            Self::Indicator(indicator) => Some(indicator.id),
            Self::Recall(_) | Self::FalsePositive { .. } | Self::Pap { .. } | Self::Other => None,
        }
    }
}

/// Whether a level forbids what the adversary could notice.
#[must_use]
pub fn is_passive(level: PapLevel) -> bool {
    match level {
        PapLevel::Amber | PapLevel::Red => true,
        PapLevel::Clear | PapLevel::Green => false,
    }
}

/// Instants in the store: microseconds since 1970.
mod micros {
    use model::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        at.as_micros().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_micros)
    }

    pub(super) mod maybe {
        use super::{Deserializer, Serializer, Timestamp};
        use serde::{Deserialize as _, Serialize as _};

        #[expect(clippy::ref_option, reason = "serde hands fields over by reference")]
        pub(in super::super) fn serialize<S: Serializer>(
            at: &Option<Timestamp>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            at.map(Timestamp::as_micros).serialize(serializer)
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            Ok(Option::<i64>::deserialize(deserializer)?.map(Timestamp::from_micros))
        }
    }
}

impl Indicator {
    /// The same without a copy.
    #[must_use]
    pub fn borrowed(&self) -> IndicatorRef<'_> {
        IndicatorRef {
            id: self.id,
            modified: self.modified,
            from: self.from,
            until: self.until,
            confidence: self.confidence,
            category: &self.category,
            is_benign: self.is_benign,
            revoked: self.revoked,
            pattern_type: &self.pattern_type,
            pattern: &self.pattern,
            markings: self.markings.iter().map(String::as_str).collect(),
        }
    }

    /// One that says nothing yet.
    #[must_use]
    pub fn empty(id: Uuid) -> Self {
        Self {
            id,
            modified: Timestamp::EPOCH,
            from: Timestamp::EPOCH,
            until: None,
            confidence: None,
            category: String::new(),
            is_benign: false,
            revoked: false,
            pattern_type: "stix".to_owned(),
            pattern: String::new(),
            markings: Vec::new(),
        }
    }
}

/// Why an object is passed over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is no JSON object of the shape that STIX gives it.
    #[error("it is not what STIX 2.1 says: {0}")]
    Shape(String),
    /// Its `id` is not `indicator--` and a UUID.
    #[error("`{0}` is no indicator's id")]
    Id(String),
    /// One of its dates is none.
    #[error("`{0}` is no date")]
    Date(String),
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    #[serde(default)]
    modified: Option<String>,
    #[serde(default)]
    created_by_ref: Option<String>,
    #[serde(default)]
    valid_from: Option<String>,
    #[serde(default)]
    valid_until: Option<String>,
    #[serde(default)]
    confidence: Option<u8>,
    #[serde(default)]
    indicator_types: Vec<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    revoked: bool,
    #[serde(default)]
    pattern_type: Option<String>,
    #[serde(default)]
    pattern: Option<String>,
    #[serde(default)]
    object_marking_refs: Vec<String>,
    #[serde(default)]
    object_refs: Vec<String>,
    #[serde(default)]
    opinion: Option<String>,
    #[serde(default)]
    x_ringfence_recall: Option<RawRecall>,
}

#[derive(Deserialize)]
struct RawRecall {
    #[serde(default)]
    objects: Vec<RawRecalled>,
}

#[derive(Deserialize)]
struct RawRecalled {
    id: String,
}

/// Reads one object. A recall counts only if it is `programme`'s, the identity that the hub itself named as the programme's: anybody
/// can write a note, and one that was believed would disarm every guard. Where nobody is known to speak for the programme there are no
/// recalls.
///
/// # Errors
///
/// Says why it is passed over.
pub fn read(bytes: &[u8], programme: Option<&str>) -> Result<Object, Refused> {
    let raw: Raw = serde_json::from_slice(bytes).map_err(|error| Refused::Shape(error.to_string()))?;
    Ok(match raw.kind.as_str() {
        "indicator" => Object::Indicator(Box::new(indicator(raw)?)),
        "note" => match raw.x_ringfence_recall {
            Some(recall) if programme.is_some() && raw.created_by_ref.as_deref() == programme => {
                Object::Recall(recall.objects.into_iter().map(|object| object.id).collect())
            }
            Some(_) | None => Object::Other,
        },
        "opinion" if raw.labels.iter().any(|label| label == FALSE_POSITIVE_LABEL) => Object::FalsePositive {
            by: raw.created_by_ref.unwrap_or_default(),
            of: raw.object_refs,
            stands: !raw.revoked && raw.opinion.is_some_and(|opinion| opinion.ends_with("disagree")),
        },
        "marking-definition" => match Marking::parse(bytes) {
            Ok(Marking::Pap(level)) => Object::Pap { id: raw.id, is_passive: is_passive(level) },
            Ok(_) | Err(_) => Object::Other,
        },
        _ => Object::Other,
    })
}

fn indicator(raw: Raw) -> Result<Indicator, Refused> {
    let id = id_of(&raw.id).ok_or_else(|| Refused::Id(shortened(&raw.id)))?;
    let date = |text: Option<String>| {
        text.map(|text| text.parse().map_err(|_| Refused::Date(shortened(&text)))).transpose()
    };
    let modified: Timestamp = date(raw.modified)?.unwrap_or(Timestamp::EPOCH);
    Ok(Indicator {
        id,
        modified,
        from: date(raw.valid_from)?.unwrap_or(modified),
        until: date(raw.valid_until)?,
        confidence: raw.confidence,
        is_benign: raw.indicator_types.iter().any(|kind| kind == "benign"),
        category: raw.indicator_types.into_iter().chain(raw.labels).next().unwrap_or_default(),
        revoked: raw.revoked,
        pattern_type: raw.pattern_type.unwrap_or_else(|| "stix".to_owned()),
        pattern: raw.pattern.unwrap_or_default(),
        markings: raw.object_marking_refs,
    })
}

/// The UUID of an indicator's id.
#[must_use]
pub fn id_of(id: &str) -> Option<Uuid> {
    id.strip_prefix("indicator--").and_then(|uuid| uuid.parse().ok())
}

/// An indicator's id.
#[must_use]
pub fn id_text(id: Uuid) -> String {
    format!("indicator--{id}")
}

/// A stranger's text, fit for a report.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_value(value: &serde_json::Value) -> Result<Object, Refused> {
        read(value.to_string().as_bytes(), Some("identity--1"))
    }

    const ID: &str = "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";

    #[test]
    fn an_indicator_is_read() {
        let value = json!({"type": "indicator", "id": ID, "modified": "2026-01-02T03:04:05.678Z",
            "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2026-02-01T00:00:00Z", "confidence": 80,
            "indicator_types": ["malicious-activity"], "pattern_type": "stix", "pattern": "[domain-name:value = 'a.example']"});
        let Ok(Object::Indicator(read)) = read_value(&value) else { panic!("no indicator") };
        assert_eq!(id_text(read.id), ID);
        assert_eq!(read.category, "malicious-activity");
        assert_eq!(read.until, Some("2026-02-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let cases = [
            (json!({"type": "indicator", "id": "indicator--1"}), "`indicator--1` is no indicator's id"),
            (json!({"type": "indicator", "id": ID, "valid_from": "soon"}), "`soon` is no date"),
            (json!({"type": "indicator", "id": ID, "confidence": 900}), "invalid value"),
            (json!(["a"]), "it is not what STIX 2.1 says"),
        ];
        for (value, words) in cases {
            let told = read_value(&value).unwrap_err().to_string();
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn notices_and_opinions_are_told_from_notes() {
        let mut recall = json!({"type": "note", "id": "note--1", "created_by_ref": "identity--1",
            "x_ringfence_recall": {"objects": [{"id": ID, "version": "x"}]}});
        assert_eq!(read_value(&recall), Ok(Object::Recall(vec![ID.to_owned()])));
        assert_eq!(read(recall.to_string().as_bytes(), None), Ok(Object::Other), "nobody speaks for it");
        recall["created_by_ref"] = json!("identity--2");
        assert_eq!(read_value(&recall), Ok(Object::Other), "anybody can write a note");
        recall.as_object_mut().unwrap().remove("created_by_ref");
        assert_eq!(read_value(&recall), Ok(Object::Other));
        assert_eq!(read(recall.to_string().as_bytes(), None), Ok(Object::Other));
        assert_eq!(read_value(&json!({"type": "note", "id": "note--1", "content": "x"})), Ok(Object::Other));
        let mut opinion = json!({"type": "opinion", "id": "opinion--1", "created_by_ref": "identity--1",
            "labels": ["false-positive"], "opinion": "strongly-disagree", "object_refs": [ID]});
        let read_as =
            |stands| Object::FalsePositive { by: "identity--1".to_owned(), of: vec![ID.to_owned()], stands };
        assert_eq!(read_value(&opinion), Ok(read_as(true)));
        opinion["revoked"] = json!(true);
        assert_eq!(read_value(&opinion), Ok(read_as(false)));
    }

    #[test]
    fn rights_are_what_their_words_say() {
        let rights = Rights::of_words(["display", "fly"]);
        assert!(!rights.may_enforce() && rights.may_display() && !rights.may_redistribute());
        assert_eq!(Rights::from_bits(Rights::ALL.bits() | 0xf0), Rights::ALL);
    }
}
