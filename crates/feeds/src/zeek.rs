//! Zeek's intelligence framework: one table, a tab between cells, a hyphen for nothing.

use matcher::Key;

use crate::entry::{Feed, File, Output, Plain, Reason, Writing, is_common, narrow_enough, push, word};
use crate::names;

/// The kind in Zeek's words, and the value as Zeek compares it.
fn cells(key: &Key) -> Option<(&'static str, String)> {
    Some(match key {
        Key::Name(name, _) => ("Intel::DOMAIN", name.as_str().to_owned()),
        Key::Prefix(prefix) if prefix.is_single() => ("Intel::ADDR", prefix.to_string()),
        Key::Prefix(prefix) => ("Intel::SUBNET", prefix.to_string()),
        Key::Digest(digest) if is_common(digest.algorithm()) => ("Intel::FILE_HASH", key.to_string()),
        Key::Email(text) => ("Intel::EMAIL", text.as_str().to_owned()),
        // Zeek has host and path together, without the scheme.
        Key::Url(text) => ("Intel::URL", text.as_str().split_once("://")?.1.to_owned()),
        Key::FileName(text) => ("Intel::FILE_NAME", text.as_str().to_owned()),
        Key::Digest(_) | Key::Endpoint(..) | Key::Subject(_) | Key::Text(_) => return None,
    })
}

pub(crate) fn write(feed: &Feed<'_>, writing: Writing<'_>) -> Output {
    let takes = |plain: &Plain<'_>| {
        if let Key::Prefix(prefix) = plain.key {
            narrow_enough(prefix)?;
        }
        match cells(plain.key) {
            None => Err(Reason::Kind),
            // A lone hyphen is an empty cell, and `\x` begins an escape.
            Some((_, value)) if value == "-" || value.contains(|c: char| c.is_control() || c == '\\') => {
                Err(Reason::Character)
            }
            Some(_) => Ok(()),
        }
    };
    let mut writing = names::once(writing.distinct().keep(takes));
    writing.report.narrowed = names::wide(&writing);
    let source = word(feed.name);
    let mut text = "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\n".to_owned();
    for plain in &writing.entries {
        let Some((kind, value)) = cells(plain.key) else { continue };
        push(&mut text, format_args!("{value}\t{kind}\t{source}\t{}\n", word(plain.entry.reference)));
    }
    writing.into_output(vec![File { name: "intel.dat".to_owned(), bytes: text.into_bytes() }])
}
