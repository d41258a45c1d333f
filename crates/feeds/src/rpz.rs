//! Response policy zones: what a resolver answers instead of the truth.
//!
//! A zone file is the fallback for resolvers that take no transfer. It has no TSIG and no journal, and a resolver that loads a million
//! names anew may not answer meanwhile. An owner is the listed name under the zone's own; what is listed with all below it has a second owner with `*.`
//! before it.

use std::net::IpAddr;

use matcher::Scope;

use crate::entry::{Feed, File, Output, Reason, Writing, narrow_enough, prefix, push, word};
use crate::names;

/// Bytes of a name on the wire (RFC 1035 §2.3.4).
const WIRE_BYTES_MAX: usize = 255;

/// A zone to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rpz {
    /// Its name, without a trailing dot.
    pub zone: String,
    /// What is answered for each entry.
    pub rule: Rule,
    /// How long an answer may be kept, and so how long an entry outlives its end at a client: 30 to 60 is usual.
    pub ttl_seconds: u32,
    /// Who reads it.
    pub reader: Reader,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// There is no such name.
    NxDomain,
    /// There is such a name, without what was asked for.
    NoData,
    /// The truth: an allow list, loaded before all other zones.
    Passthru,
    /// These addresses, and for every other type nothing.
    Addresses(Vec<IpAddr>),
}

/// What is known of the resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Nothing.
    Any,
    /// It answers special names itself, and an entry under them would never match.
    Unbound,
}

fn head(zone: &Rpz, feed: &Feed<'_>) -> String {
    let (ttl, serial) = (zone.ttl_seconds, feed.revision);
    let until = feed.until_line(";").map(|line| line + "\n").unwrap_or_default();
    // Who has what, how often to ask, and how long a secondary answers without us.
    format!(
        "{until}$TTL {ttl}\n@ IN SOA localhost. root.localhost. {serial} 300 60 86400 {ttl}\n@ IN NS localhost.\n"
    )
}

fn write_rule(text: &mut String, owner: &str, rule: &Rule, reference: &str) {
    let line = match rule {
        Rule::NxDomain => format!("{owner} CNAME . ; {reference}\n"),
        Rule::NoData => format!("{owner} CNAME *. ; {reference}\n"),
        Rule::Passthru => format!("{owner} CNAME rpz-passthru. ; {reference}\n"),
        // BIND refuses the whole zone for an address at a name that is no host's (RFC 1123 §2.1); an alias may stand at any.
        Rule::Addresses(_) if !is_host(owner) => return write_rule(text, owner, &Rule::NxDomain, reference),
        Rule::Addresses(addresses) => {
            write_addresses(text, owner, addresses);
            // Beside an alias nothing else may stand; beside addresses a text can.
            format!("{owner} TXT \"{reference}\"\n")
        }
    };
    text.push_str(&line);
}

fn write_addresses<'a>(text: &mut String, owner: &str, addresses: impl IntoIterator<Item = &'a IpAddr>) {
    for address in addresses {
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        push(text, format_args!("{owner} {kind} {address}\n"));
    }
}

/// Whether each label is one of a host: letters and digits, hyphens within.
fn is_host(owner: &str) -> bool {
    let owner = owner.strip_prefix("*.").unwrap_or(owner);
    owner.split('.').all(|label| !label.contains('_') && !label.starts_with('-') && !label.ends_with('-'))
}

pub(crate) fn names(zone: &Rpz, feed: &Feed<'_>, writing: Writing<'_>) -> Output {
    let fits = |name: &str| name.len() + zone.zone.len() + 3 <= WIRE_BYTES_MAX;
    let writing = names::only(writing.blocking()).keep(|plain| {
        let (name, _) = names::name(plain).ok_or(Reason::Kind)?;
        let top = name.rsplit('.').next().unwrap_or_default();
        if zone.reader == Reader::Unbound && matches!(top, "test" | "invalid" | "onion") {
            return Err(Reason::SpecialUse);
        }
        if fits(name) { Ok(()) } else { Err(Reason::TooLong) }
    });
    let mut writing = names::minimal(writing);
    let mut text = head(zone, feed);
    for plain in &writing.entries {
        let Some((name, scope)) = names::name(plain) else { continue };
        let reference = word(plain.entry.reference);
        write_rule(&mut text, name, &zone.rule, &reference);
        if scope == Scope::Subdomains {
            let wildcard = format!("*.{name}");
            if fits(&wildcard) {
                write_rule(&mut text, &wildcard, &zone.rule, &reference);
            } else {
                writing.report.narrowed += 1;
            }
        }
    }
    let name = format!("{}.zone", zone.zone);
    writing.into_output(vec![File { name, bytes: text.into_bytes() }])
}

pub(crate) fn addresses(zone: &Rpz, feed: &Feed<'_>, writing: Writing<'_>) -> Output {
    let writing = writing
        .blocking()
        .distinct()
        .keep(|plain| prefix(plain.key).ok_or(Reason::Kind).and_then(narrow_enough));
    let mut text = head(zone, feed);
    for plain in &writing.entries {
        let Some(prefix) = prefix(plain.key) else { continue };
        let owner = format!("{}.{}.rpz-ip", prefix.length(), reversed(prefix.network()));
        let reference = word(plain.entry.reference);
        let Rule::Addresses(all) = &zone.rule else {
            write_rule(&mut text, &owner, &zone.rule, &reference);
            continue;
        };
        // Unbound takes addresses of the prefix's own family here and nothing beside them, no text either.
        let same: Vec<&IpAddr> =
            all.iter().filter(|address| address.is_ipv4() == prefix.network().is_ipv4()).collect();
        if same.is_empty() {
            write_rule(&mut text, &owner, &Rule::NoData, &reference);
        } else {
            push(&mut text, format_args!("; {reference}\n"));
            write_addresses(&mut text, &owner, same);
        }
    }
    let name = format!("{}.zone", zone.zone);
    writing.into_output(vec![File { name, bytes: text.into_bytes() }])
}

/// An address from its last part to its first; the longest run of zeros in IPv6 is `zz`.
fn reversed(address: IpAddr) -> String {
    let parts: Vec<String> = match address {
        IpAddr::V4(v4) => v4.octets().iter().map(ToString::to_string).collect(),
        IpAddr::V6(v6) => {
            let groups = v6.segments();
            let run = |start: usize| groups[start..].iter().take_while(|group| **group == 0).count();
            // The first of the longest, and only if it shortens anything.
            let (start, length) =
                (0..8).map(|at| (at, run(at))).rev().max_by_key(|(_, length)| *length).unwrap_or((0, 0));
            let is_in = |at: usize| length > 1 && (start..start + length).contains(&at);
            let shown = (0..8).filter(|at| !is_in(*at) || *at == start);
            shown.map(|at| if is_in(at) { "zz".to_owned() } else { format!("{:x}", groups[at]) }).collect()
        }
    };
    parts.into_iter().rev().collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_from_their_end() {
        let cases = [
            ("192.0.2.0", "0.2.0.192"),
            ("2001:db8::", "zz.db8.2001"),
            ("2001:db8::1", "1.zz.db8.2001"),
            ("::1", "1.zz"),
            ("::", "zz"),
            // Of two runs of one length the first, as in RFC 5952 §4.2.3.
            ("2001:0:1:0:0:1:0:0", "0.0.1.zz.1.0.2001"),
            ("1:2:3:4:5:6:7:8", "8.7.6.5.4.3.2.1"),
            ("1:0:3:4:5:6:7:8", "8.7.6.5.4.3.0.1"),
        ];
        for (address, want) in cases {
            assert_eq!(reversed(address.parse().unwrap()), want, "{address}");
        }
    }
}
