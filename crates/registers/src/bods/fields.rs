//! The fields of a statement, read one by one: what is not as it should be is refused by its place and counts as not
//! given.

use serde_json::{Map, Value};
use ties::{Confidence, PartialDate, Source};

use crate::reading::{Reading, Reason};

/// A JSON object and where it stands.
pub(super) struct Fields<'v> {
    map: &'v Map<String, Value>,
    /// `record 3, line 40`, then a JSON pointer within the record.
    pub(super) place: String,
}

/// Who one end of a relationship is.
pub(super) enum Party {
    /// Described by the record, or the statement, with that identifier.
    Described(String),
    /// Not named, with the reason.
    Unspecified { reason: String, description: Option<String> },
}

impl<'v> Fields<'v> {
    pub(super) fn of(value: &'v Value, place: impl Into<String>) -> Option<Self> {
        value.as_object().map(|map| Self { map, place: place.into() })
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The place of a field.
    pub(super) fn at(&self, key: &str) -> String {
        let pointer = if self.place.contains('/') { "" } else { " " };
        format!("{}{pointer}/{key}", self.place)
    }

    /// A field that is given: what is null is not.
    pub(super) fn get(&self, key: &str) -> Option<&'v Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, reading: &mut Reading<'_>, key: &str, what: &str) {
        reading.refuse(self.at(key), Reason::BadValue, format_args!("it should be {what}"));
    }

    /// A text that is not blank.
    pub(super) fn text(&self, reading: &mut Reading<'_>, key: &str) -> Option<&'v str> {
        let value = self.get(key)?;
        let text = value.as_str().map(str::trim);
        if text.is_none() {
            self.wrong(reading, key, "a text");
        }
        text.filter(|text| !text.is_empty())
    }

    pub(super) fn flag(&self, reading: &mut Reading<'_>, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.wrong(reading, key, "true or false");
        }
        flag
    }

    pub(super) fn date(&self, reading: &mut Reading<'_>, key: &str) -> Option<PartialDate> {
        let text = self.text(reading, key)?;
        match text.parse() {
            Ok(date) => Some(date),
            Err(error) => {
                reading.refuse(self.at(key), Reason::BadDate, error);
                None
            }
        }
    }

    pub(super) fn object(&self, reading: &mut Reading<'_>, key: &str) -> Option<Self> {
        let value = self.get(key)?;
        let object = Self::of(value, self.at(key));
        if object.is_none() {
            self.wrong(reading, key, "an object");
        }
        object
    }

    pub(super) fn objects(&self, reading: &mut Reading<'_>, key: &str) -> Vec<Self> {
        let mut out = Vec::new();
        for (index, value) in self.array(reading, key).iter().enumerate() {
            let place = format!("{}/{index}", self.at(key));
            match Self::of(value, place.as_str()) {
                Some(object) => out.push(object),
                None => reading.refuse(place, Reason::BadValue, "it should be an object"),
            }
        }
        out
    }

    pub(super) fn texts(&self, reading: &mut Reading<'_>, key: &str) -> Vec<&'v str> {
        let mut out = Vec::new();
        for (index, value) in self.array(reading, key).iter().enumerate() {
            match value.as_str().map(str::trim) {
                Some("") => {}
                Some(text) => out.push(text),
                None => {
                    reading.refuse(
                        format!("{}/{index}", self.at(key)),
                        Reason::BadValue,
                        "it should be a text",
                    );
                }
            }
        }
        out
    }

    fn array(&self, reading: &mut Reading<'_>, key: &str) -> &'v [Value] {
        match self.get(key) {
            None => &[],
            Some(Value::Array(values)) => values,
            Some(_) => {
                self.wrong(reading, key, "a list");
                &[]
            }
        }
    }

    /// An end of a relationship as 0.4 writes it: a record's identifier, or the reason why there is none.
    pub(super) fn party(&self, reading: &mut Reading<'_>, key: &str) -> Option<Party> {
        match self.get(key) {
            Some(Value::String(_)) => self.text(reading, key).map(|id| Party::Described(id.to_owned())),
            Some(Value::Object(_)) => self.object(reading, key).map(|object| object.unspecified(reading)),
            Some(_) => {
                self.wrong(reading, key, "a record's identifier, or a reason");
                None
            }
            None => None,
        }
    }

    /// An end of a relationship as 0.1 to 0.3 write it.
    pub(super) fn described(&self, reading: &mut Reading<'_>, key: &str) -> Option<Party> {
        let object = self.object(reading, key)?;
        for key in ["describedByEntityStatement", "describedByPersonStatement"] {
            if let Some(id) = object.text(reading, key) {
                return Some(Party::Described(id.to_owned()));
            }
        }
        object.object(reading, "unspecified").map(|object| object.unspecified(reading))
    }

    /// The reason why somebody is not named. Without one, it is unknown.
    pub(super) fn unspecified(&self, reading: &mut Reading<'_>) -> Party {
        let reason = self.text(reading, "reason").unwrap_or("unknown").to_owned();
        Party::Unspecified { reason, description: self.text(reading, "description").map(str::to_owned) }
    }

    /// Who says it: the file's source, with what the statement tells of publisher, author and date.
    pub(super) fn source(&self, reading: &mut Reading<'_>) -> Source {
        let mut source = reading.source().clone();
        if let Some(publication) = self.object(reading, "publicationDetails") {
            if let Some(publisher) = publication.object(reading, "publisher") {
                let name = publisher.text(reading, "name").or_else(|| publisher.text(reading, "url"));
                source.publisher = name.map(str::to_owned).or(source.publisher);
            }
            if let Some(licence) = publication.text(reading, "license") {
                source.licence = Some(licence.to_owned());
            }
        }
        let Some(said) = self.object(reading, "source") else { return source };
        source.url = said.text(reading, "url").map(str::to_owned).or(source.url);
        source.retrieved = said.date(reading, "retrievedAt").or(source.retrieved);
        let names: Vec<&str> =
            said.objects(reading, "assertedBy").iter().filter_map(|by| by.text(reading, "name")).collect();
        if !names.is_empty() {
            source.asserted_by = Some(names.join(", "));
        }
        // What only the party itself declares is believed less than what a register holds.
        let kinds = said.texts(reading, "type");
        if !kinds.is_empty() && kinds.iter().all(|kind| *kind == "selfDeclaration") {
            source.confidence = source.confidence.min(Confidence::Medium);
        }
        source
    }
}
