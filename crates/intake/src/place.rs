//! What came of each record, where it stood, and the tally of a run.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// How many places of one reason a [`Summary`] remembers.
pub const PLACES_KEPT: usize = 3;

/// How many different reasons a [`Summary`] counts apart.
///
/// 256: MISP has some 200 attribute types. A file that invents more has the rest counted together.
pub const REASONS_KEPT: usize = 256;

/// A file, or a member of an archive.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    file: String,
    member: Option<String>,
}

/// Where a record stood: file, member of an archive, line, object, JSON pointer.
///
/// Its text is for people: `dir/a.tar.xz:cytrox/cytrox.stix2:object 17`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    source: Arc<Source>,
    line: Option<u64>,
    object: Option<u64>,
    pointer: Option<Box<str>>,
}

impl Place {
    /// A whole file.
    #[must_use]
    pub fn file(name: &str) -> Self {
        Self::source(Source { file: printable(name), member: None })
    }

    fn source(source: Source) -> Self {
        Self { source: Arc::new(source), line: None, object: None, pointer: None }
    }

    /// A whole member of this file.
    #[must_use]
    pub(crate) fn member(&self, name: &str) -> Self {
        Self::source(Source { file: self.source.file.clone(), member: Some(printable(name)) })
    }

    /// A line of it, from 1.
    #[must_use]
    pub(crate) fn line(&self, line: u64) -> Self {
        Self { line: Some(line), ..self.clone() }
    }

    /// An object of its list, from 0.
    #[must_use]
    pub(crate) fn object(&self, index: usize) -> Self {
        Self { object: u64::try_from(index).ok(), ..self.clone() }
    }

    /// A value below the one at this place, by one step of a JSON pointer (RFC 6901).
    #[must_use]
    pub(crate) fn below(&self, step: impl fmt::Display) -> Self {
        let above = self.pointer.as_deref().unwrap_or_default();
        let pointer = match self.object {
            Some(object) => format!("{above}/{object}/{step}"),
            None => format!("{above}/{step}"),
        };
        Self { pointer: Some(pointer.into_boxed_str()), object: None, ..self.clone() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source.file)?;
        if let Some(member) = &self.source.member {
            write!(f, ":{member}")?;
        }
        if let Some(line) = self.line {
            write!(f, ":line {line}")?;
        }
        if let Some(pointer) = &self.pointer {
            write!(f, ":{pointer}")?;
        }
        if let Some(object) = self.object {
            write!(f, ":object {object}")?;
        }
        Ok(())
    }
}

/// Names come from archives, and are shown on terminals.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A text from outside, shortened and made safe for one line of a message.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    const SHOWN_MAX_CHARS: usize = 80;
    if text.len() <= SHOWN_MAX_CHARS && !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().take(SHOWN_MAX_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    Cow::Owned(printable(&short))
}

/// Why a record, or a whole file, gave no object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The file could not be opened or read to its end.
    Unreadable,
    /// A limit would have been exceeded; the message names it.
    Limit,
    /// A link, a device or a pipe.
    NotAFile,
    /// Bytes that are neither text nor a container that can be opened.
    NotText,
    /// It begins like JSON and is not well formed.
    BadJson,
    /// JSON without anything that is known here.
    UnknownJson,
    /// A list's element that is not an object.
    NotAnObject,
    /// An object whose head cannot be read.
    BadObject,
    /// A STIX 2.0 object, and conversion was not asked for.
    Stix20,
    /// A MISP attribute that its author did not mean for detection.
    NotForDetection,
    /// A MISP attribute that its author deleted.
    Deleted,
    /// A type that no indicator is made of.
    UnsupportedType(String),
    /// A value that is not what its type says.
    BadValue,
    /// A sharing tag that is not known: what may be done with the record is unknown too.
    UnknownMarking,
    /// An indicator that this run has made already, perhaps with other remarks.
    Duplicate,
    /// A line or a row in which nothing was recognised.
    Unclassified,
}

impl Reason {
    /// A stable code for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Limit => "limit",
            Self::NotAFile => "not-a-file",
            Self::NotText => "not-text",
            Self::BadJson => "bad-json",
            Self::UnknownJson => "unknown-json",
            Self::NotAnObject => "not-an-object",
            Self::BadObject => "bad-object",
            Self::Stix20 => "stix-2.0",
            Self::NotForDetection => "not-for-detection",
            Self::Deleted => "deleted",
            Self::UnsupportedType(_) => "unsupported-type",
            Self::BadValue => "bad-value",
            Self::UnknownMarking => "unknown-marking",
            Self::Duplicate => "duplicate",
            Self::Unclassified => "unclassified",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())?;
        match self {
            Self::UnsupportedType(name) => write!(f, " `{}`", shown(name)),
            Self::Unreadable
            | Self::Limit
            | Self::NotAFile
            | Self::NotText
            | Self::BadJson
            | Self::UnknownJson
            | Self::NotAnObject
            | Self::BadObject
            | Self::Stix20
            | Self::NotForDetection
            | Self::Deleted
            | Self::BadValue
            | Self::UnknownMarking
            | Self::Duplicate
            | Self::Unclassified => Ok(()),
        }
    }
}

/// What the reading hands out, in the order of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// One STIX 2.1 object: as it was received, or made here from a record.
    Object {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Where it stood.
        place: Place,
    },
    /// A record that gave none.
    Refused {
        /// Where it stood.
        place: Place,
        /// Why, for counting.
        reason: Reason,
        /// Why, in words, with the remedy if there is one.
        message: String,
    },
    /// A file on disk is done; for a progress bar against [`crate::bytes_on_disk`].
    FileDone {
        /// The file.
        place: Place,
        /// Its size on disk.
        bytes: u64,
    },
}

/// The records refused for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// How many.
    pub count: u64,
    /// The first of them ([`PLACES_KEPT`]), with the message.
    pub first: Vec<(Place, String)>,
}

/// What a run read and refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Objects handed out.
    pub objects: u64,
    /// Records refused, by reason.
    pub refused: BTreeMap<Reason, Refusals>,
    /// Files and members of archives whose content was looked at.
    pub files: u64,
    /// The size of that content, uncompressed.
    pub bytes: u64,
    /// Whether the receiver stopped the run before its end.
    pub stopped: bool,
}

impl Summary {
    /// How many records were refused, for whatever reason.
    #[must_use]
    pub fn refused_count(&self) -> u64 {
        self.refused.values().map(|refusals| refusals.count).sum()
    }

    /// Counts one refusal.
    pub(crate) fn refuse(&mut self, place: &Place, reason: Reason, message: &str) {
        let full = self.refused.len() >= REASONS_KEPT && !self.refused.contains_key(&reason);
        let named = matches!(reason, Reason::UnsupportedType(_));
        let reason = if full && named { Reason::UnsupportedType("(others)".to_owned()) } else { reason };
        let refusals = self.refused.entry(reason).or_default();
        refusals.count += 1;
        if refusals.first.len() < PLACES_KEPT {
            refusals.first.push((place.clone(), message.to_owned()));
        }
    }

    /// Adds another run to this one.
    pub fn absorb(&mut self, other: Self) {
        self.objects += other.objects;
        self.files += other.files;
        self.bytes += other.bytes;
        self.stopped |= other.stopped;
        for (reason, refusals) in other.refused {
            let own = self.refused.entry(reason).or_default();
            own.count += refusals.count;
            let room = PLACES_KEPT.saturating_sub(own.first.len());
            own.first.extend(refusals.first.into_iter().take(room));
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = if self.files == 1 { "file" } else { "files" };
        let objects = if self.objects == 1 { "object" } else { "objects" };
        write!(f, "{} {objects} from {} {files} ({})", self.objects, self.files, size(self.bytes))?;
        if self.stopped {
            f.write_str(", stopped before the end")?;
        }
        match self.refused_count() {
            0 => f.write_str(", nothing refused")?,
            count => write!(f, "; {count} refused:")?,
        }
        let mut by_count: Vec<_> = self.refused.iter().collect();
        by_count.sort_by_key(|(_, refusals)| std::cmp::Reverse(refusals.count));
        for (reason, refusals) in by_count {
            write!(f, "\n  {:>9}  {reason}", refusals.count)?;
            for (place, message) in &refusals.first {
                write!(f, "\n             {place}: {message}")?;
            }
            let more = refusals.count.saturating_sub(u64::try_from(refusals.first.len()).unwrap_or(0));
            if more > 0 {
                write!(f, "\n             ... and {more} more")?;
            }
        }
        Ok(())
    }
}

/// A size for people, in the unit that leaves one to three digits before the point.
fn size(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_from_the_outside_in() {
        let file = Place::file("dir/a.tar.xz");
        let cases = [
            (file.clone(), "dir/a.tar.xz"),
            (file.member("cytrox/cytrox.stix2").object(17), "dir/a.tar.xz:cytrox/cytrox.stix2:object 17"),
            (file.line(3), "dir/a.tar.xz:line 3"),
            (file.line(3).object(0), "dir/a.tar.xz:line 3:object 0"),
            (file.below("Event").below("Attribute").below(5), "dir/a.tar.xz:/Event/Attribute/5"),
            (file.below("response").object(2).below("Event"), "dir/a.tar.xz:/response/2/Event"),
            (file.member("a\u{1b}[2Jb"), "dir/a.tar.xz:a\u{fffd}[2Jb"),
        ];
        for (place, want) in cases {
            assert_eq!(place.to_string(), want);
        }
    }

    #[test]
    fn a_summary_tells_what_was_refused_and_where() {
        let mut summary = Summary { objects: 12, files: 1, bytes: 1_234_567, ..Summary::default() };
        assert_eq!(summary.to_string(), "12 objects from 1 file (1.2 MB), nothing refused");
        let file = Place::file("list.txt");
        summary.refuse(&file.line(1), Reason::UnsupportedType("text".to_owned()), "no indicator");
        for line in 2..=6 {
            summary.refuse(&file.line(line), Reason::Unclassified, "nothing recognised");
        }
        let want = "12 objects from 1 file (1.2 MB); 6 refused:\n          5  unclassified\
                    \n             list.txt:line 2: nothing recognised\
                    \n             list.txt:line 3: nothing recognised\
                    \n             list.txt:line 4: nothing recognised\
                    \n             ... and 2 more\n          1  unsupported-type `text`\
                    \n             list.txt:line 1: no indicator";
        assert_eq!(summary.to_string(), want);
    }

    #[test]
    fn invented_types_do_not_fill_the_summary() {
        let mut summary = Summary::default();
        for at in 0..1_000 {
            summary.refuse(&Place::file("a"), Reason::UnsupportedType(format!("type-{at}")), "");
        }
        assert_eq!(summary.refused.len(), REASONS_KEPT + 1);
        assert_eq!(summary.refused_count(), 1_000);
    }
}
