//! Queries and forms: names and values, as browsers send them (URL standard §5, `application/x-www-form-urlencoded`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The values of a query or a form, by name, each in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(BTreeMap<String, Vec<String>>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            values.entry(decode(name)).or_default().push(decode(value));
        }
        Self(values)
    }

    /// Adds a value.
    pub(crate) fn add(&mut self, name: String, value: String) {
        self.0.entry(name).or_default().push(value);
    }

    /// The first value of a name, without the blanks around it; an empty one counts as none, as a form sends an empty field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .and_then(|values| values.first())
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// All values of a name that are not empty.
    pub(crate) fn all<'q>(&'q self, name: &str) -> impl Iterator<Item = &'q str> {
        self.0.get(name).into_iter().flatten().map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Every name with its values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name.as_str(), value.as_str())))
    }

    /// The same with a name set to one value, or without it.
    pub(crate) fn with(&self, name: &str, value: Option<&str>) -> Self {
        let mut changed = self.clone();
        changed.0.remove(name);
        if let Some(value) = value {
            changed.0.insert(name.to_owned(), vec![value.to_owned()]);
        }
        changed
    }

    /// A link to a path with this query.
    pub(crate) fn link(&self, path: &str) -> String {
        let mut link = path.to_owned();
        for (number, (name, value)) in self.iter().enumerate() {
            link.push(if number == 0 { '?' } else { '&' });
            link.push_str(&encode(name));
            link.push('=');
            link.push_str(&encode(value));
        }
        link
    }
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        match (bytes[at], hex.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A text as one part of a path, or as a name or value of a query.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_browsers_write_it() {
        let query = Query::parse("a=1&b=x+y%26z&a=2&c=&%C3%A9=%zz&d");
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.get("b"), Some("x y&z"));
        assert_eq!((query.get("c"), query.get("d"), query.get("e")), (None, None, None));
        assert_eq!(query.get("é"), Some("%zz"));
    }

    #[test]
    fn a_link_is_read_back() {
        let query = Query::parse("q=a%26b%3D%22&tier=cleared");
        assert_eq!(Query::parse(query.link("/x").split_once('?').unwrap().1), query);
        assert_eq!(query.with("q", None).with("from", Some("2 3")).link("/m"), "/m?from=2%203&tier=cleared");
    }
}
