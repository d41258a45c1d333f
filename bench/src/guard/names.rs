//! The names that all measures of the guard list: published ones, filled up with made-up ones.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::units::{float, short};

/// What resolvers answer themselves, before any policy is asked.
const RESERVED: [&str; 9] =
    ["test", "invalid", "onion", "localhost", "local", "arpa", "home", "internal", "alt"];
/// What the measures ask for, so it is never listed.
const KEPT_FREE: [&str; 2] = ["example.net", "example.org"];

/// Marsaglia's xorshift: the same numbers in every run.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(limit)).unwrap_or(0)
    }

    pub(super) fn choice<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(u32::try_from(choices.len()).unwrap_or(1)) as usize]
    }

    pub(super) fn word(&mut self, shortest: u32, spread: u32) -> String {
        let length = shortest + self.below(spread);
        (0..length).map(|_| char::from(*self.choice(b"abcdefghijklmnopqrstuvwxyz0123456789"))).collect()
    }

    /// A made-up name with the length and the labels of published ones.
    pub(super) fn name(&mut self) -> String {
        let ends: [&str; 8] = ["com", "net", "org", "info", "ru", "top", "xyz", "de"];
        let end = ends[self.below(8) as usize];
        let before = if self.below(10) < 4 { format!("{}.", self.word(2, 6)) } else { String::new() };
        format!("{before}{}.{end}", self.word(8, 14))
    }
}

/// The names to list: each at most once, none below another, so that a zone has all of them.
pub(super) struct Names {
    pub(super) listed: Vec<String>,
    /// How many of them are published ones.
    pub(super) published: usize,
}

impl Names {
    pub(super) fn collect(count: usize) -> Result<Self> {
        let published = published(&folder().join("maltrail-trails.tsv.xz"))?;
        let known: HashSet<&str> = published.iter().map(String::as_str).collect();
        let mut taken: HashSet<&str> = HashSet::new();
        let mut listed = Vec::with_capacity(count);
        for name in &published {
            if listed.len() < count
                && !parents(name).any(|parent| known.contains(parent))
                && taken.insert(name)
            {
                listed.push(name.clone());
            }
        }
        let published = listed.len();
        let (mut numbers, mut made) = (Numbers(0x1234_5678_9abc_def1), HashSet::new());
        while listed.len() < count {
            let name = numbers.name();
            let is_new = !known.contains(name.as_str())
                && !parents(&name).any(|parent| known.contains(parent) || made.contains(parent));
            if is_new && made.insert(name.clone()) {
                listed.push(name);
            }
        }
        Ok(Self { listed, published })
    }

    /// In a sentence, for the table.
    pub(super) fn told(&self) -> String {
        let count = |names: usize| short(float(u64::try_from(names).unwrap_or(0)));
        let made = count(self.listed.len() - self.published);
        format!("{} names of a published list and {made} made-up ones", count(self.published))
    }
}

/// Where published lists lie, beside the workspace.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/stix/lists")
}

/// The domain names of a table of kinds and values; none without the file, for then all are made up.
fn published(path: &Path) -> Result<Vec<String>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let file = File::open(path).with_context(|| format!("reading `{}`", path.display()))?;
    let mut names = Vec::new();
    for line in BufReader::new(liblzma::read::XzDecoder::new(file)).lines() {
        let line = line?;
        let mut fields = line.split('\t');
        if let (Some("domain"), Some(name)) = (fields.next(), fields.next())
            && is_usual(name)
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Whether every peer takes the name as it is: letters, digits and hyphens, below a top-level domain of the public DNS.
fn is_usual(name: &str) -> bool {
    let plain = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_free = KEPT_FREE.iter().any(|free| name == *free || name.ends_with(&format!(".{free}")));
    name.len() < 200
        && name.contains('.')
        && name.split('.').all(plain)
        && last.bytes().any(|byte| byte.is_ascii_lowercase())
        && !RESERVED.contains(&last)
        && !is_free
}

/// The names above a name, the nearest first.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(at, _)| &name[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_every_peer_takes_are_listed() {
        let cases = [
            ("evil.com", true),
            ("a.b-c.xn--p1ai", true),
            ("evil", false),
            ("a..com", false),
            ("-a.com", false),
            ("a_b.com", false),
            ("a.test", false),
            ("198.51.100.7", false),
            ("x.example.net", false),
        ];
        for (name, want) in cases {
            assert_eq!(is_usual(name), want, "{name}");
        }
    }

    #[test]
    fn no_listed_name_lies_below_another() {
        let names = Names::collect(2_000).unwrap();
        let all: HashSet<&str> = names.listed.iter().map(String::as_str).collect();
        assert_eq!(all.len(), 2_000);
        for name in &names.listed {
            assert!(parents(name).all(|parent| !all.contains(parent)), "{name}");
        }
    }
}
