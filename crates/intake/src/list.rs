//! Plain lists: one value a line, in the dialects that are about.
//!
//! | line | what it is |
//! |---|---|
//! | `# text`, `; text`, `// text`, `! text` | a comment |
//! | `evil.example` | a value |
//! | `evil.example # text` | a value and a comment |
//! | `0.0.0.0 evil.example other.example` | a hosts file: the names behind an address that leads nowhere |
//! | `198.51.100.7 443` | an address and a port |
//! | `198.51.100.7`TAB`10` | a value and how often it was seen |
//! | `41898d... *invoice.exe` | what `sha256sum` prints: a hash and a file's name |
//! | `\|\|evil.example^` | a filter rule for a browser |
//! | `a;b;c` and `a,b,c` | a table, read by [`crate::table`] |
//!
//! Prose is refused line by line, even where its first word could pass for a domain.

use std::net::IpAddr;
use std::ops::ControlFlow;

use crate::kind::Kind;
use crate::place::{Place, Reason, shown};
use crate::run::{Remarks, Run};
use crate::{table, value};

/// Names that a hosts file gives to the machine itself.
const OWN_NAMES: [&str; 8] = [
    "localhost",
    "localhost.localdomain",
    "local",
    "broadcasthost",
    "ip6-localhost",
    "ip6-loopback",
    "ip6-localnet",
    "ip6-allnodes",
];

/// Reads a text that is not JSON.
pub(crate) fn read(run: &mut Run<'_>, place: &Place, text: &str) -> ControlFlow<()> {
    if let Some(table) = table::detect(text) {
        return table::read(run, place, text, &table);
    }
    let line_max = run.options.limits.line_max_bytes;
    for (number, line) in (1..).zip(text.lines()) {
        if line.len() > line_max {
            let message = format!("a line longer than line_max_bytes ({line_max})");
            run.refuse(&place.line(number), Reason::Limit, message)?;
            continue;
        }
        self::line(run, uncommented(line), || place.line(number))?;
    }
    ControlFlow::Continue(())
}

/// A line without its comment and the space around it; empty if it has nothing else.
pub(crate) fn uncommented(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with(['#', ';', '!']) || line.starts_with("//") {
        return "";
    }
    // A sign in the middle begins a comment only after space: URLs have `#` and `;` inside.
    let cut = [" #", "\t#", " ;", "\t;", " //", "\t//"].iter().filter_map(|sign| line.find(sign)).min();
    cut.map_or(line, |cut| line[..cut].trim_end())
}

/// Reads one line that says something.
pub(crate) fn line(run: &mut Run<'_>, line: &str, place: impl Fn() -> Place) -> ControlFlow<()> {
    if line.is_empty() {
        return ControlFlow::Continue(());
    }
    let remarks = Remarks::default();
    let line = line.strip_prefix("||").map_or(line, |rule| rule.trim_end_matches('^'));
    let (first, rest) = line.split_once([' ', '\t']).map_or((line, ""), |(first, rest)| (first, rest.trim()));
    let unquoted = first.trim_matches(['"', '\'', '<', '>', ',']);
    let armed = value::refang(unquoted);
    if !rest.is_empty() && leads_nowhere(&armed) {
        return hosts(run, rest, place);
    }
    let Some(kind) = value::classify(&armed) else { return unclassified(run, &place(), line) };
    let tab = line.as_bytes().get(first.len()) == Some(&b'\t');
    if rest.is_empty() || (tab && rest.bytes().all(|byte| byte.is_ascii_digit())) {
        return run.value(kind, &armed, &remarks, place());
    }
    if kind == Kind::Address && value::port(rest).is_some() && armed.parse::<IpAddr>().is_ok() {
        return run.value(Kind::Destination, &format!("{armed}|{rest}"), &remarks, place());
    }
    // What follows a tab, or a hash (which is never a word), is a remark; what follows a word is prose.
    if tab || matches!(kind, Kind::FileHash(_)) {
        return run.value(kind, &armed, &remarks, place());
    }
    unclassified(run, &place(), line)
}

/// Whether an address is one that hosts files use to make a name unreachable.
fn leads_nowhere(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// Reads the names of a line of a hosts file.
fn hosts(run: &mut Run<'_>, names: &str, place: impl Fn() -> Place) -> ControlFlow<()> {
    for name in names.split_ascii_whitespace() {
        if OWN_NAMES.contains(&name.to_ascii_lowercase().as_str()) || leads_nowhere(name) {
            continue;
        }
        let name = value::refang(name);
        // What stands here is a name; that needs no guessing.
        match value::name(&name) {
            Some(_) => run.value(Kind::Name, &name, &Remarks::default(), place())?,
            None => unclassified(run, &place(), &name)?,
        }
    }
    ControlFlow::Continue(())
}

/// Refuses what was not recognised.
pub(crate) fn unclassified(run: &mut Run<'_>, place: &Place, text: &str) -> ControlFlow<()> {
    run.refuse(place, Reason::Unclassified, format!("`{}` is nothing that is recognised", shown(text)))
}
