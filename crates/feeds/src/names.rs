//! Names without those that others cover.

use std::cmp::Ordering;

use matcher::{Key, Scope};

use crate::entry::{Plain, Reason, Writing};

/// The name of an entry that has one.
pub(crate) fn name<'e>(plain: &Plain<'e>) -> Option<(&'e str, Scope)> {
    if let Key::Name(name, scope) = plain.key { Some((name.as_str(), *scope)) } else { None }
}

/// Keeps names of two labels and more.
pub(crate) fn only(writing: Writing<'_>) -> Writing<'_> {
    writing.keep(|plain| match name(plain) {
        None => Err(Reason::Kind),
        Some((name, _)) if !name.contains('.') => Err(Reason::TopLevel),
        Some(_) => Ok(()),
    })
}

/// Each name once, for forms in which a name stands for itself: of two scopes the wider, which tells that something is lost.
pub(crate) fn once(mut writing: Writing<'_>) -> Writing<'_> {
    sort(&mut writing);
    let mut last = None;
    writing.keep(|plain| {
        let this = name(plain).map(|(name, _)| name);
        let is_again = this.is_some() && last == this;
        last = this;
        if is_again { Err(Reason::Duplicate) } else { Ok(()) }
    })
}

/// Each name once and none that a name above covers; a name stands before all below it.
pub(crate) fn minimal(writing: Writing<'_>) -> Writing<'_> {
    let mut covering: Option<&str> = None;
    once(writing).keep(|plain| {
        let Some((name, scope)) = name(plain) else { return Ok(()) };
        if covering.is_some_and(|above| is_below(name, above)) {
            return Err(Reason::Subsumed);
        }
        if scope == Scope::Subdomains {
            covering = Some(name);
        }
        Ok(())
    })
}

/// How many names are listed with all below them.
pub(crate) fn wide(writing: &Writing<'_>) -> usize {
    writing.entries.iter().filter(|plain| matches!(name(plain), Some((_, Scope::Subdomains)))).count()
}

fn is_below(name: &str, above: &str) -> bool {
    name.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'))
}

fn sort(writing: &mut Writing<'_>) {
    // Stable: of one name and scope, the entry that came first stays first.
    writing.entries.sort_by(|one, other| match (name(one), name(other)) {
        (Some((one, narrow)), Some((other, wide))) => order(one, other).then(wide.cmp(&narrow)),
        (one, other) => one.is_some().cmp(&other.is_some()),
    });
}

/// By letters from the last to the first, where a dot comes before all: what is below a name follows it at once.
fn order(one: &str, other: &str) -> Ordering {
    let key = |byte: u8| if byte == b'.' { 0 } else { byte };
    one.bytes().rev().map(key).cmp(other.bytes().rev().map(key))
}
