//! What is never acted on, whatever an indicator says.
//!
//! What is at an allowed name (or below it) or at an allowed address is allowed with it: its mail addresses, its URLs, its ports. An
//! allowed URL or mail address stands for itself alone.
//!
//! Allow lists win twice. When an indicator comes in, a key that *is* allowed (an allowed name or one below it, an allowed
//! address or network, an allowed hash) is left out, and the report says by which list. When something is looked up, what
//! is allowed passes even if a wider indicator covers it: `good.evil.example` allowed under a listed `evil.example`.
//!
//! Lists are the site's (values and files), the programme's, and MISP's warning lists, in their own format. Of these the types
//! `hostname`, `string` and `cidr` are read; `substring` and `regex` would make the guard search where it looks up, and
//! are passed over and told.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use matcher::{Key, Matcher, Prefix, Scope};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Why an allow list cannot be used. It stops the guard: without its allow lists it would do harm.
#[derive(Debug, Error)]
pub enum AllowError {
    /// The file cannot be read.
    #[error("the allow list `{path}` cannot be read: {source}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A line is no name, address, network or hash.
    #[error("{place}: `{text}` is no name, address, network, URL, e-mail address or hash; mend or remove it")]
    Value {
        /// File and line.
        place: String,
        /// What stands there.
        text: String,
    },
    /// A file among the warning lists is none.
    #[error("`{path}` is no warning list in MISP's format: {reason}")]
    WarningList {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
}

/// All allow lists together.
pub struct Allowed {
    matcher: Matcher,
    /// The names of the lists; a slot is an index.
    lists: Vec<String>,
    values: usize,
    /// The names and prefixes of the site and the programme, for zones; those of warning lists are too many.
    own_names: BTreeSet<String>,
    own_prefixes: BTreeSet<Prefix>,
    /// All networks that are allowed: where each begins, and its length.
    networks: BTreeSet<(IpAddr, u8)>,
    has_warning_lists: bool,
    fingerprint: Sha256,
    /// Warning lists of types that are not read.
    passed_over: Vec<String>,
}

#[derive(Deserialize)]
struct WarningList {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    list: Vec<String>,
}

impl Allowed {
    /// Nothing is allowed yet. `random` is the secret of the tables.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self {
            matcher: Matcher::new(random),
            lists: Vec::new(),
            values: 0,
            own_names: BTreeSet::new(),
            own_prefixes: BTreeSet::new(),
            networks: BTreeSet::new(),
            has_warning_lists: false,
            fingerprint: Sha256::new(),
            passed_over: Vec::new(),
        }
    }

    /// Adds all that a configuration names, and the programme's list.
    ///
    /// # Errors
    ///
    /// Fails at the first list of the site that cannot be used.
    pub fn load(&mut self, allow: &crate::config::Allow, programme: &[String]) -> Result<(), AllowError> {
        let theirs = self.list("the programme");
        for value in programme {
            // The hub has checked it; a value of a kind that this guard does not know must not stop it.
            let _unknown = self.value("the programme", value, theirs);
        }
        let site = self.list("the configuration");
        for value in &allow.values {
            self.value("the configuration", value, site)?;
        }
        for path in &allow.files {
            self.file(path)?;
        }
        for folder in &allow.warning_lists {
            for path in json_files(folder).map_err(|source| io_error(folder, source))? {
                self.warning_list(&path)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, list: u32, value: &str) {
        self.fingerprint.update(list.to_be_bytes());
        self.fingerprint.update(value);
        self.fingerprint.update([0]);
    }

    /// The same for the same values of the same lists, and for no others.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint.clone().finalize().into()
    }

    fn list(&mut self, name: &str) -> u32 {
        self.lists.push(name.to_owned());
        u32::try_from(self.lists.len() - 1).unwrap_or(0)
    }

    fn value(&mut self, place: &str, text: &str, list: u32) -> Result<(), AllowError> {
        let key = any_key(text).ok_or_else(|| AllowError::Value {
            place: place.to_owned(),
            text: text.chars().take(80).collect(),
        })?;
        self.note(list, text);
        self.values += usize::from(self.matcher.insert(&key, list));
        match key {
            Key::Name(name, _) => drop(self.own_names.insert(name.as_str().to_owned())),
            Key::Prefix(prefix) => {
                self.networks.insert((prefix.network(), prefix.length()));
                self.own_prefixes.insert(prefix);
            }
            Key::Endpoint(..)
            | Key::Digest(_)
            | Key::Email(_)
            | Key::Url(_)
            | Key::FileName(_)
            | Key::Subject(_)
            | Key::Text(_) => {}
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), AllowError> {
        let text = fs::read_to_string(path).map_err(|source| io_error(path, source))?;
        let list = self.list(&name_of(path));
        for (index, line) in text.lines().enumerate() {
            let value = line.split('#').next().unwrap_or("").trim();
            if !value.is_empty() {
                self.value(&format!("{}:{}", path.display(), index + 1), value, list)?;
            }
        }
        Ok(())
    }

    fn warning_list(&mut self, path: &Path) -> Result<(), AllowError> {
        let bytes = fs::read(path).map_err(|source| io_error(path, source))?;
        let read: WarningList = serde_json::from_slice(&bytes).map_err(|error| AllowError::WarningList {
            path: path.display().to_string(),
            reason: error.to_string(),
        })?;
        if !matches!(read.kind.as_str(), "hostname" | "string" | "cidr") {
            self.passed_over.push(format!("{} ({})", read.name, read.kind));
            return Ok(());
        }
        let list = self.list(&read.name);
        self.has_warning_lists = true;
        let scope = if read.kind == "hostname" { Scope::Subdomains } else { Scope::Exact };
        for value in &read.list {
            // Public lists hold the odd line that is nothing; the others of it still count.
            let key = Key::parse_prefix(value).or_else(|_| Key::name(value.trim_start_matches('.'), scope));
            if let Some(key) = key.ok().or_else(|| any_key(value)) {
                if let Key::Prefix(prefix) = &key {
                    self.networks.insert((prefix.network(), prefix.length()));
                }
                self.note(list, value);
                self.values += usize::from(self.matcher.insert(&key, list));
            }
        }
        Ok(())
    }

    /// The list that allows a key itself, if one does: an indicator with it is left out.
    #[must_use]
    pub fn allows(&self, key: &Key) -> Option<&str> {
        let mut by: Option<u32> = None;
        match key {
            Key::Name(name, _) => self.matcher.names(name.as_str(), |hit| by = by.or(Some(hit.slot))),
            Key::Prefix(prefix) if prefix.is_single() => {
                self.matcher.address(prefix.network(), |slot| by = by.or(Some(slot)));
            }
            Key::Prefix(prefix) => {
                // A network is allowed if its first and last addresses are, by one list.
                self.matcher.address(prefix.network(), |slot| by = by.or(Some(slot)));
                let mut at_end = false;
                self.matcher
                    .address(last_of(prefix.network(), prefix.length()), |slot| at_end |= Some(slot) == by);
                by = by.filter(|_| at_end);
            }
            Key::Digest(_)
            | Key::Endpoint(..)
            | Key::Email(_)
            | Key::Url(_)
            | Key::FileName(_)
            | Key::Subject(_)
            | Key::Text(_) => self.matcher.exact(key, |slot| by = by.or(Some(slot))),
        }
        // What is at an allowed name or address is allowed with it.
        if by.is_none()
            && let Some(host) = key.host()
        {
            return self.allows(&host);
        }
        by.and_then(|slot| self.lists.get(usize::try_from(slot).ok()?)).map(String::as_str)
    }

    /// Whether a name in wire format passes whatever covers it.
    #[must_use]
    pub fn passes_wire(&self, name: &[u8]) -> bool {
        let mut passes = false;
        self.matcher.names_wire(name, |_| passes = true);
        passes
    }

    /// Whether a name passes.
    #[must_use]
    pub fn passes_name(&self, name: &str) -> bool {
        let mut passes = false;
        self.matcher.names(name, |_| passes = true);
        passes
    }

    /// Whether an address passes.
    #[must_use]
    pub fn passes_address(&self, address: IpAddr) -> bool {
        let mut passes = false;
        self.matcher.address(address, |_| passes = true);
        passes
    }

    /// Allowed names, for zones and exports that have to let them pass below what they block.
    pub fn names_below(&self, parents: &[&str], visit: impl FnMut(&str)) {
        self.matcher.below(parents, visit);
    }

    /// The names that the site and the programme allow, with all below them.
    pub fn own_names(&self) -> impl Iterator<Item = &str> {
        self.own_names.iter().map(String::as_str)
    }

    /// The addresses that the site and the programme allow.
    pub fn own_prefixes(&self) -> impl Iterator<Item = &Prefix> {
        self.own_prefixes.iter()
    }

    /// Whether something allowed lies within a listed network: a file that blocks the network would block that too.
    #[must_use]
    pub fn has_within(&self, prefix: &Prefix) -> bool {
        let (first, length) = (prefix.network(), prefix.length());
        let within = self.networks.range((first, length)..=(last_of(first, length), u8::MAX));
        within.into_iter().any(|(_, its)| *its >= length)
    }

    /// Of some names that are listed with all below them those under which something is allowed: a file that cannot make
    /// exceptions has to list them by themselves.
    #[must_use]
    pub fn opened<'p>(&self, parents: &[&'p str]) -> BTreeSet<&'p str> {
        let mut above: BTreeSet<String> = BTreeSet::new();
        self.names_below(parents, |name| {
            above.extend(name.match_indices('.').map(|(at, _)| name[at + 1..].to_owned()));
        });
        parents.iter().copied().filter(|parent| above.contains(*parent)).collect()
    }

    /// Whether there are names besides those.
    #[must_use]
    pub fn has_warning_lists(&self) -> bool {
        self.has_warning_lists
    }

    /// How many values are allowed, and the warning lists that were passed over.
    #[must_use]
    pub fn extent(&self) -> (usize, &[String]) {
        (self.values, &self.passed_over)
    }
}

/// Whether a value can be allowed.
pub(crate) fn is_value(text: &str) -> bool {
    any_key(text).is_some()
}

/// A value without a label: what it is follows from its look.
fn any_key(text: &str) -> Option<Key> {
    let hash = || ["MD5", "SHA-1", "SHA-256", "SHA-512"].iter().find_map(|name| Key::hash(name, text).ok());
    let key = Key::parse_prefix(text).ok().or_else(hash);
    let url = || text.contains("://").then(|| Key::url(text).ok()).flatten();
    let email = || text.contains('@').then(|| Key::email(text).ok()).flatten();
    key.or_else(url)
        .or_else(email)
        .or_else(|| Key::name(text.trim_start_matches("*."), Scope::Subdomains).ok())
}

fn last_of(network: IpAddr, length: u8) -> IpAddr {
    match network {
        IpAddr::V4(v4) => {
            let hosts = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
            IpAddr::V4((u32::from(v4) | hosts).into())
        }
        IpAddr::V6(v6) => {
            let hosts = u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
            IpAddr::V6((u128::from(v6) | hosts).into())
        }
    }
}

/// The lists in a folder: each `.json` in it or one folder below, as MISP's own repository has them.
fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            let list = path.join("list.json");
            found.extend(list.is_file().then_some(list));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn io_error(path: &Path, source: io::Error) -> AllowError {
    AllowError::Io { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(values: &[&str]) -> Allowed {
        let mut allowed = Allowed::new([1; 32]);
        let list = allowed.list("site");
        for value in values {
            allowed.value("here", value, list).unwrap();
        }
        allowed
    }

    #[test]
    fn what_is_allowed_is_left_out_and_what_is_wider_is_not() {
        let allowed = allowed(&["good.example", "192.0.2.0/24", "https://a.example/x", "x@y.example"]);
        let cases = [
            (Key::name("good.example", Scope::Subdomains).unwrap(), true),
            (Key::name("www.good.example", Scope::Subdomains).unwrap(), true),
            (Key::name("example", Scope::Subdomains).unwrap(), false),
            (Key::parse_prefix("192.0.2.7").unwrap(), true),
            (Key::parse_prefix("192.0.2.128/25").unwrap(), true),
            (Key::parse_prefix("192.0.0.0/16").unwrap(), false),
            (Key::parse_endpoint("192.0.2.7:443").unwrap(), true),
            (Key::url("https://good.example/evil").unwrap(), true),
            (Key::url("http://www.good.example:8080/").unwrap(), true),
            (Key::url("http://192.0.2.7/a").unwrap(), true),
            (Key::url("http://192.0.3.7/?to=good.example").unwrap(), false),
            (Key::url("https://a.example/x").unwrap(), true),
            (Key::url("https://a.example/y").unwrap(), false),
            (Key::name("a.example", Scope::Exact).unwrap(), false),
            (Key::email("X@y.example").unwrap(), true),
            (Key::email("z@y.example").unwrap(), false),
            (Key::email("x@mail.good.example").unwrap(), true),
            (Key::email("good.example@evil.example").unwrap(), false),
        ];
        for (key, expected) in cases {
            assert_eq!(allowed.allows(&key).is_some(), expected, "{key}");
        }
        assert_eq!(allowed.opened(&["example", "other", "good.example"]), BTreeSet::from(["example"]));
        for (prefix, within) in [
            ("192.0.0.0/16", true),
            ("192.0.2.0/23", true),
            ("192.0.2.0/25", false),
            ("10.0.0.0/8", false),
            ("::/16", false),
        ] {
            let Ok(Key::Prefix(prefix)) = Key::parse_prefix(prefix) else { panic!("{prefix} is none") };
            assert_eq!(allowed.has_within(&prefix), within, "{prefix:?}");
        }
        assert!(allowed.passes_wire(b"\x03www\x04good\x07example\x00"));
        assert!(!allowed.passes_name("bad.example"));
    }

    #[test]
    fn files_and_warning_lists_are_read_and_faults_have_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site.txt");
        fs::write(&site, "# ours\nours.example  # all of it\n198.51.100.0/24\n").unwrap();
        let lists = folder.path().join("lists");
        fs::create_dir_all(lists.join("top")).unwrap();
        let top = r#"{"name": "Top", "type": "hostname", "list": ["popular.example", "??"]}"#;
        fs::write(lists.join("top/list.json"), top).unwrap();
        fs::write(lists.join("re.json"), r#"{"name": "Re", "type": "regex", "list": ["a"]}"#).unwrap();
        let config =
            crate::config::Allow { values: vec![], files: vec![site.clone()], warning_lists: vec![lists] };
        let mut allowed = Allowed::new([1; 32]);
        allowed.load(&config, &[]).unwrap();
        let name = Key::name("www.popular.example", Scope::Subdomains).unwrap();
        assert_eq!(allowed.allows(&name), Some("Top"));
        assert!(allowed.passes_name("x.ours.example"));
        assert_eq!(allowed.extent(), (3, ["Re (regex)".to_owned()].as_slice()));
        fs::write(&site, "fine.example\nnot fine\n").unwrap();
        let told = Allowed::new([1; 32]).load(&config, &[]).unwrap_err().to_string();
        assert!(told.contains("site.txt:2: `not fine`"), "{told}");
    }
}
