//! What is written, and the account of what was not.

use std::collections::BTreeMap;
use std::fmt;

use matcher::{Algorithm, Blinded, Digest, Key, Prefix};
use thiserror::Error;
use time::OffsetDateTime;

/// How many rejected entries of one reason are named.
const EXAMPLES_MAX: usize = 5;
/// The shortest prefix of IPv4 that a list may have: a larger part of the Internet is a mistake, or somebody's joke.
const PREFIX4_LENGTH_MIN: u8 = 8;
/// The same for IPv6: registries get blocks of 12, networks of 32.
const PREFIX6_LENGTH_MIN: u8 = 16;

/// One indicator, as a file shows it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'e> {
    /// What is listed.
    pub item: Item<'e>,
    /// What it is called where it is reported; says nothing of its source. Marks that a file could not hold become `_`.
    pub reference: &'e str,
    /// One word for the kind of threat.
    pub category: &'e str,
    /// What is to be done.
    pub action: Action,
    /// Since when it is listed.
    pub valid_from: OffsetDateTime,
    /// Until when, if that is known.
    pub valid_until: Option<OffsetDateTime>,
    /// 0 to 100.
    pub confidence: Option<u8>,
}

/// What is listed, or what stands for it.
#[derive(Clone, Copy, Debug)]
pub enum Item<'e> {
    /// A value.
    Plain(&'e Key),
    /// A value that is only recognised; no file can have it.
    Blinded(&'e Blinded),
}

/// What is to be done with what an entry meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Let it pass and tell of it: for sensors and tables, not for what blocks.
    Monitor,
    /// Stop it.
    Block,
}

/// Whose entries they are.
#[derive(Clone, Copy, Debug)]
pub struct Feed<'f> {
    /// A word for it, as it shows in alerts.
    pub name: &'f str,
    /// Counts the changes of its content; the serial number of a zone.
    pub revision: u32,
    /// Until when all of it may be used if it is not written anew, whatever its entries say.
    pub until: Option<OffsetDateTime>,
}

impl Feed<'_> {
    /// The first line of a file that has comments.
    pub(crate) fn until_line(&self, mark: &str) -> Option<String> {
        self.until.map(|until| format!("{mark} not to be used after {} unless written anew", instant(until)))
    }
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// In the order in which they are to be put in their places: what others refer to comes first.
    pub files: Vec<File>,
    /// What stands in them, and what does not.
    pub report: Report,
}

/// A file with its usual name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Without a folder.
    pub name: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// The account of one writing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries that stand in the files.
    pub written: usize,
    /// Of these, names that are listed with all below them where the form has only the name.
    pub narrowed: usize,
    /// Entries that do not, by reason.
    pub rejected: BTreeMap<Reason, Rejected>,
}

/// The entries that one reason kept out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many.
    pub count: usize,
    /// The references of the first few.
    pub examples: Vec<String>,
}

/// Why an entry stands in no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum Reason {
    /// Its value is not known here.
    #[error("it is blinded, and a file needs the plain value")]
    Blinded,
    /// The form has no place for its kind.
    #[error("the format has no place for its kind")]
    Kind,
    /// It is only to be watched, and the form blocks.
    #[error("it is monitored only, and the format blocks")]
    Monitored,
    /// A listed name above it says the same.
    #[error("a listed name above it covers it")]
    Subsumed,
    /// Another entry has the same value.
    #[error("another entry has the same value")]
    Duplicate,
    /// Name and zone are longer than a name may be.
    #[error("name and zone together are longer than 255 bytes")]
    TooLong,
    /// A name of one label: a top-level domain, or a name of this machine.
    #[error("a name of one label is a top-level domain or a local name")]
    TopLevel,
    /// A special name that the reader answers itself.
    #[error("the resolver answers names under `test`, `invalid` and `onion` itself")]
    SpecialUse,
    /// A prefix that holds a large part of all addresses.
    #[error("the prefix is wider than /{PREFIX4_LENGTH_MIN}, or /{PREFIX6_LENGTH_MIN} of IPv6")]
    TooWide,
    /// The form has addresses and no prefixes.
    #[error("the format has single addresses, not prefixes")]
    PrefixOnly,
    /// A mark that the form cannot hold.
    #[error("the value has a mark that the format cannot hold")]
    Character,
}

/// One line for people: what was written, and why the rest was not.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} written", self.written)?;
        if self.narrowed > 0 {
            write!(f, ", {} of them without what is below", self.narrowed)?;
        }
        self.rejected
            .iter()
            .try_for_each(|(reason, rejected)| write!(f, "; {} not: {reason}", rejected.count))
    }
}

/// Entries in their order, on the way to a file.
pub(crate) struct Writing<'e> {
    pub(crate) entries: Vec<Plain<'e>>,
    pub(crate) report: Report,
}

/// An entry with a plain value.
#[derive(Clone, Copy)]
pub(crate) struct Plain<'e> {
    pub(crate) key: &'e Key,
    pub(crate) entry: Entry<'e>,
}

impl Report {
    pub(crate) fn reject(&mut self, reason: Reason, reference: &str) {
        let rejected = self.rejected.entry(reason).or_default();
        rejected.count += 1;
        if rejected.examples.len() < EXAMPLES_MAX {
            rejected.examples.push(word(reference));
        }
    }
}

impl<'e> Writing<'e> {
    /// Sorts by value and leaves out what is blinded. Of entries with one value, one that blocks comes before one that does not, then the one
    /// that lasts longest, so that the one that stays is the one that says most.
    pub(crate) fn of(entries: impl IntoIterator<Item = Entry<'e>>) -> Self {
        let (mut plain, mut report) = (Vec::new(), Report::default());
        for entry in entries {
            match entry.item {
                Item::Plain(key) => plain.push(Plain { key, entry }),
                Item::Blinded(_) => report.reject(Reason::Blinded, entry.reference),
            }
        }
        plain.sort_unstable_by(|one, other| {
            let lasting = |entry: &Entry<'_>| (entry.valid_until.is_none(), entry.valid_until);
            let keys = one.key.cmp(other.key).then(other.entry.action.cmp(&one.entry.action));
            let keys = keys.then_with(|| lasting(&other.entry).cmp(&lasting(&one.entry)));
            keys.then(one.entry.reference.cmp(other.entry.reference))
                .then(one.entry.category.cmp(other.entry.category))
        });
        Self { entries: plain, report }
    }

    /// Keeps what is to be blocked.
    pub(crate) fn blocking(self) -> Self {
        self.keep(|plain| if plain.entry.action == Action::Monitor { Err(Reason::Monitored) } else { Ok(()) })
    }

    /// One entry for each value.
    pub(crate) fn distinct(self) -> Self {
        let mut last: Option<&Key> = None;
        self.keep(|plain| {
            let is_again = last == Some(plain.key);
            last = Some(plain.key);
            if is_again { Err(Reason::Duplicate) } else { Ok(()) }
        })
    }

    /// Keeps what passes, and counts the rest by the reason given.
    pub(crate) fn keep(mut self, mut passes: impl FnMut(&Plain<'e>) -> Result<(), Reason>) -> Self {
        let report = &mut self.report;
        self.entries.retain(|plain| match passes(plain) {
            Ok(()) => true,
            Err(reason) => {
                report.reject(reason, plain.entry.reference);
                false
            }
        });
        self
    }

    /// Ends with files.
    pub(crate) fn into_output(mut self, files: Vec<File>) -> Output {
        self.report.written = self.entries.len();
        Output { files, report: self.report }
    }
}

/// Keeps prefixes that are not too wide.
pub(crate) fn narrow_enough(prefix: &Prefix) -> Result<(), Reason> {
    if is_narrow(prefix) { Ok(()) } else { Err(Reason::TooWide) }
}

/// Whether a prefix is narrow enough for anything that blocks: at least /8, or /16 of IPv6.
#[must_use]
pub fn is_narrow(prefix: &Prefix) -> bool {
    prefix.length() >= if prefix.network().is_ipv4() { PREFIX4_LENGTH_MIN } else { PREFIX6_LENGTH_MIN }
}

/// The prefix that is listed, if one is.
pub(crate) fn prefix(key: &Key) -> Option<&Prefix> {
    if let Key::Prefix(prefix) = key { Some(prefix) } else { None }
}

/// The hash that is listed, if one is.
pub(crate) fn digest(key: &Key) -> Option<&Digest> {
    if let Key::Digest(digest) = key { Some(digest) } else { None }
}

/// Whether sensors know the function: they have three.
pub(crate) fn is_common(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::Md5 | Algorithm::Sha1 | Algorithm::Sha256)
}

/// Appends to a text.
pub(crate) fn push(text: &mut String, what: fmt::Arguments<'_>) {
    fmt::Write::write_fmt(text, what).expect("a string takes any text");
}

/// A word that every form can hold: letters, digits and a few marks.
pub(crate) fn word(text: &str) -> String {
    let kept =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '+' | '=' | '@');
    text.chars().take(200).map(|c| if kept(c) { c } else { '_' }).collect()
}

/// An instant as STIX and tables write it.
pub(crate) fn instant(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
}
