//! Lists of lines, and what reads them: hosts files, Squid, nftables, tables.

use std::net::IpAddr;

use matcher::{Key, Scope};

use crate::entry::{
    Action, Feed, File, Output, Plain, Reason, Writing, digest, instant, narrow_enough, prefix, push, word,
};
use crate::names;

/// Elements on one line of nftables: its parser keeps a line in memory.
const ELEMENTS_PER_LINE: usize = 64;

fn lines(name: &str, lines: impl Iterator<Item = String>) -> File {
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    File { name: name.to_owned(), bytes }
}

pub(crate) fn hosts(addresses: &[IpAddr], feed: &Feed<'_>, writing: Writing<'_>) -> Output {
    let mut writing = names::once(names::only(writing.blocking()));
    writing.report.narrowed = names::wide(&writing);
    let listed = writing.entries.iter().filter_map(names::name);
    let all = listed.flat_map(|(name, _)| addresses.iter().map(move |address| format!("{address} {name}")));
    let file = lines("hosts", feed.until_line("#").into_iter().chain(all));
    writing.into_output(vec![file])
}

pub(crate) fn names(writing: Writing<'_>) -> Output {
    let mut writing = names::once(names::only(writing.blocking()));
    writing.report.narrowed = names::wide(&writing);
    let file =
        lines("names.txt", writing.entries.iter().filter_map(|plain| Some(names::name(plain)?.0.to_owned())));
    writing.into_output(vec![file])
}

/// Values of some kinds, as they are shown. Whoever reads a plain list blocks by it, so what is only watched is not there.
fn values(file: &str, writing: Writing<'_>, takes: impl Fn(&Key) -> Result<(), Reason>) -> Output {
    let writing = writing.blocking().distinct().keep(|plain| takes(plain.key));
    let file = lines(file, writing.entries.iter().map(|plain| plain.key.to_string()));
    writing.into_output(vec![file])
}

pub(crate) fn addresses(writing: Writing<'_>) -> Output {
    values("addresses.txt", writing, |key| prefix(key).ok_or(Reason::Kind).and_then(narrow_enough))
}

pub(crate) fn urls(writing: Writing<'_>) -> Output {
    values("urls.txt", writing, |key| if let Key::Url(_) = key { Ok(()) } else { Err(Reason::Kind) })
}

pub(crate) fn hashes(writing: Writing<'_>) -> Output {
    values("hashes.txt", writing, |key| if let Key::Digest(_) = key { Ok(()) } else { Err(Reason::Kind) })
}

pub(crate) fn squid(feed: &Feed<'_>, writing: Writing<'_>) -> Output {
    let writing = names::minimal(names::only(writing.blocking()));
    let listed = writing.entries.iter().filter_map(names::name);
    let listed = listed
        .map(|(name, scope)| if scope == Scope::Subdomains { format!(".{name}") } else { name.to_owned() });
    let file = lines("squid-dstdomain.txt", feed.until_line("#").into_iter().chain(listed));
    writing.into_output(vec![file])
}

fn is_endpoint(plain: &Plain<'_>) -> bool {
    matches!(plain.key, Key::Endpoint(..))
}

fn is_v4(plain: &Plain<'_>) -> bool {
    if let Key::Endpoint(address, _) = plain.key {
        return address.is_ipv4();
    }
    prefix(plain.key).is_some_and(|prefix| prefix.network().is_ipv4())
}

pub(crate) fn nftables(table: &str, feed: &Feed<'_>, writing: Writing<'_>) -> Output {
    let takes = |plain: &Plain<'_>| {
        if is_endpoint(plain) {
            return Ok(());
        }
        prefix(plain.key).ok_or(Reason::Kind).and_then(narrow_enough)
    };
    let writing = writing.blocking().distinct().keep(takes);
    // An identifier begins with a letter; what else a word may have, nft reads as something of its own.
    let table: String = table.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let table =
        if table.starts_with(|c: char| c.is_ascii_alphabetic()) { table } else { format!("t{table}") };
    let mut text = feed.until_line("#").map(|line| line + "\n").unwrap_or_default();
    push(&mut text, format_args!("add table inet {table}\n"));
    for (name, kind, of_v4, of_endpoint) in [
        ("listed4", "type ipv4_addr; flags interval; auto-merge;", true, false),
        ("listed6", "type ipv6_addr; flags interval; auto-merge;", false, false),
        ("endpoints4", "type ipv4_addr . inet_service;", true, true),
        ("endpoints6", "type ipv6_addr . inet_service;", false, true),
    ] {
        // All in one transaction of the kernel: no packet meets an empty set.
        push(
            &mut text,
            format_args!("add set inet {table} {name} {{ {kind} }}\nflush set inet {table} {name}\n"),
        );
        let members: Vec<&Plain<'_>> = writing
            .entries
            .iter()
            .filter(|plain| is_v4(plain) == of_v4 && is_endpoint(plain) == of_endpoint)
            .collect();
        for some in members.chunks(ELEMENTS_PER_LINE) {
            let shown: Vec<String> = some
                .iter()
                .map(|plain| {
                    let Key::Endpoint(address, port) = plain.key else { return plain.key.to_string() };
                    format!("{address} . {port}")
                })
                .collect();
            push(&mut text, format_args!("add element inet {table} {name} {{ {} }}\n", shown.join(", ")));
        }
    }
    writing.into_output(vec![File { name: "ringfence.nft".to_owned(), bytes: text.into_bytes() }])
}

pub(crate) fn csv(feed: &Feed<'_>, writing: Writing<'_>) -> Output {
    let writing = writing.distinct();
    let head = "kind,value,scope,reference,category,action,valid_from,valid_until,confidence".to_owned();
    let rows = writing.entries.iter().map(|plain| {
        let entry = &plain.entry;
        let (value, scope) = match names::name(plain) {
            Some((name, Scope::Exact)) => (name.to_owned(), "exact"),
            Some((name, Scope::Subdomains)) => (name.to_owned(), "subdomains"),
            None => (plain.key.to_string(), ""),
        };
        let kind = digest(plain.key).map_or(plain.key.kind().word(), |digest| digest.algorithm().name());
        let action = match entry.action {
            Action::Monitor => "monitor",
            Action::Block => "block",
        };
        let until = entry.valid_until.into_iter().chain(feed.until).min().map(instant).unwrap_or_default();
        let confidence = entry.confidence.map(|confidence| confidence.to_string()).unwrap_or_default();
        let cells = [
            kind,
            &value,
            scope,
            &word(entry.reference),
            &word(entry.category),
            action,
            &instant(entry.valid_from),
            &until,
            &confidence,
        ];
        cells.map(cell).join(",")
    });
    let file = lines("indicators.csv", std::iter::once(head).chain(rows));
    writing.into_output(vec![file])
}

/// A cell as RFC 4180 §2 has it. What a spreadsheet would take for a formula gets an apostrophe before it, which spreadsheets read as "this is text".
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formula() {
        let cases = [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=cmd|' /c calc'!a0", "'=cmd|' /c calc'!a0"),
            ("@sum(1,2)", "\"'@sum(1,2)\""),
            ("two\nlines", "\"two\nlines\""),
            ("", ""),
        ];
        for (text, want) in cases {
            assert_eq!(cell(text), want);
        }
    }
}
