//! Records as trees of names and texts, whatever they were written in.
//!
//! Several formats publish one record in XML, in JSON and as a row. A [`Node`] is what these have in common: a name, a
//! text, and nodes inside it. An attribute is a node inside its element; a name has lost its namespace's prefix.
//!
//! ```text
//! <lei:LegalName xml:lang="en">Acme</lei:LegalName>       LegalName: "Acme"
//! "LegalName": {"@xml:lang": "en", "$": "Acme"}             lang: "en"
//! Entity.LegalName, Entity.LegalName.lang
//! ```

use serde_json::Value;

/// How deep a record may be. The deepest format that we know (the advanced sanctions data) has 12 levels.
pub(crate) const DEPTH_MAX: usize = 32;

/// How many nodes a record may have; the largest records that we know have a few thousand.
pub(crate) const NODES_MAX: usize = 200_000;

/// A name, its text, and what is inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) inside: Vec<Node>,
}

impl Node {
    /// A node without anything in it.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The text without blanks around it; `None` if there is none.
    pub(crate) fn value(&self) -> Option<&str> {
        let text = self.text.trim();
        (!text.is_empty()).then_some(text)
    }

    /// The nodes of that name directly inside. Names are compared without regard to capitals, which the encodings of
    /// one format do not agree upon (`StartDate`, `startDate`).
    pub(crate) fn each<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n Self> {
        self.inside.iter().filter(move |node| node.name.eq_ignore_ascii_case(name))
    }

    /// The first node at the path.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| {
            node.inside.iter().find(|inner| inner.name.eq_ignore_ascii_case(name))
        })
    }

    /// The text at the path.
    pub(crate) fn get(&self, path: &[&str]) -> Option<&str> {
        self.at(path).and_then(Self::value)
    }

    /// The node and all inside it, outer before inner. It is at most [`DEPTH_MAX`] deep.
    pub(crate) fn walk<'n>(&'n self, visit: &mut dyn FnMut(&'n Self)) {
        visit(self);
        for node in &self.inside {
            node.walk(visit);
        }
    }

    /// The nodes of that name, however deep inside.
    pub(crate) fn all(&self, name: &str) -> Vec<&Self> {
        let mut found = Vec::new();
        self.walk(&mut |node| {
            if node.name.eq_ignore_ascii_case(name) {
                found.push(node);
            }
        });
        found
    }

    /// The nodes that have one of that name directly inside: groups, by what is in them, since each encoding wraps
    /// them in its own way.
    pub(crate) fn with(&self, name: &str) -> Vec<&Self> {
        let mut found = Vec::new();
        self.walk(&mut |node| {
            if node.at(&[name]).is_some() {
                found.push(node);
            }
        });
        found
    }

    /// Reads a JSON value: members are nodes, a list is several nodes of one name, `$` is the text, `@x` an attribute.
    /// `None` if it is deeper than [`DEPTH_MAX`] or larger than [`NODES_MAX`].
    pub(crate) fn from_json(name: &str, value: Value) -> Option<Self> {
        let mut room = NODES_MAX;
        let mut top = Self::default();
        top.take(name, value, 0, &mut room)?;
        let mut nodes = top.inside.into_iter();
        // A list at the top is no record.
        nodes.next().filter(|_| nodes.len() == 0)
    }

    fn take(&mut self, name: &str, value: Value, depth: usize, room: &mut usize) -> Option<()> {
        *room = room.checked_sub(1)?;
        if depth >= DEPTH_MAX {
            return None;
        }
        let mut node = Self::named(local(name));
        match value {
            Value::Null => return Some(()),
            Value::Bool(yes) => yes.to_string().clone_into(&mut node.text),
            Value::Number(number) => node.text = number.to_string(),
            Value::String(text) if name == "$" => {
                self.text = text;
                return Some(());
            }
            Value::String(text) => node.text = text,
            Value::Array(values) => {
                return values.into_iter().try_for_each(|value| self.take(name, value, depth + 1, room));
            }
            Value::Object(members) => {
                for (name, value) in members {
                    node.take(&name, value, depth + 1, room)?;
                }
            }
        }
        self.inside.push(node);
        Some(())
    }
}

/// A name without its namespace's prefix and without the sign of an attribute.
pub(crate) fn local(name: &str) -> &str {
    let name = name.rsplit_once(':').map_or(name, |(_, local)| local);
    name.strip_prefix('@').unwrap_or(name)
}

/// The columns of a table whose names are paths: `Relationship.Period.1.startDate`.
pub(crate) struct Columns {
    /// For each column, the steps of its path with their numbers.
    paths: Vec<Vec<(String, u32)>>,
}

impl Columns {
    /// Reads the first row. A step that is a number counts the step before it.
    pub(crate) fn new(headers: &[String]) -> Self {
        let path = |header: &String| {
            let mut path: Vec<(String, u32)> = Vec::new();
            for step in header.split('.').map(str::trim).take(DEPTH_MAX - 1) {
                match (step.parse::<u32>(), path.last_mut()) {
                    (Ok(number), Some(last)) => last.1 = number,
                    (Ok(_) | Err(_), _) => path.push((step.to_owned(), 0)),
                }
            }
            path
        };
        Self { paths: headers.iter().map(path).collect() }
    }

    /// A row as a tree; empty cells are left out.
    pub(crate) fn tree(&self, row: &csv::ByteRecord) -> Node {
        let mut top = Numbered::default();
        for (path, cell) in self.paths.iter().zip(row) {
            let text = String::from_utf8_lossy(cell);
            if !text.trim().is_empty() {
                let node = path.iter().fold(&mut top, |node, step| node.inner(step));
                node.text = text.into_owned();
            }
        }
        top.into_node("row")
    }
}

/// A node under construction, whose inner ones are told apart by name and number.
#[derive(Default)]
struct Numbered {
    text: String,
    inside: Vec<((String, u32), Numbered)>,
}

impl Numbered {
    fn inner(&mut self, step: &(String, u32)) -> &mut Self {
        let known = self.inside.iter().position(|(known, _)| known == step);
        let at = known.unwrap_or(self.inside.len());
        if known.is_none() {
            self.inside.push((step.clone(), Self::default()));
        }
        &mut self.inside[at].1
    }

    fn into_node(self, name: &str) -> Node {
        let inside = self.inside.into_iter().map(|((name, _), inner)| inner.into_node(&name)).collect();
        Node { name: name.to_owned(), text: self.text, inside }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_encodings_make_one_tree() {
        let json = r#"{"LEI": {"$": "X"}, "Periods": [{"StartDate": "2012"}, {"StartDate": {"$": "2013"}}]}"#;
        let json = Node::from_json("row", serde_json::from_str(json).unwrap()).unwrap();
        let headers = ["LEI", "Periods.1.StartDate", "Periods.2.StartDate", "Periods.3.StartDate"];
        let columns = Columns::new(&headers.map(str::to_owned));
        let row = columns.tree(&csv::ByteRecord::from(vec!["X", "2012", "2013", ""]));
        assert_eq!(json, row);
        assert_eq!(row.get(&["lei"]), Some("X"));
        assert_eq!(row.with("startDate").len(), 2);
        assert_eq!(
            row.all("startdate").iter().filter_map(|node| node.value()).collect::<Vec<_>>(),
            ["2012", "2013"]
        );
    }

    #[test]
    fn what_is_too_deep_or_no_record_is_refused() {
        let deep = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        let read = |text: &str| Node::from_json("r", serde_json::from_str(text).unwrap());
        assert!(read(&deep(DEPTH_MAX - 1)).is_some());
        assert!(read(&deep(DEPTH_MAX)).is_none());
        assert!(read("[1, 2]").is_none());
        assert!(read("null").is_none());
        assert!(read(&format!("[{}1]", "1,".repeat(NODES_MAX))).is_none());
    }
}
