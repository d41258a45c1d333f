//! What a policy zone says about one name, and the records that say it.
//!
//! A response policy zone is an ordinary zone whose owners are *triggers*: the rule for `bad.example` stands at
//! `bad.example.rpz.guard`, the rule for everything below it at `*.bad.example.rpz.guard`. The data there is the answer:
//! addresses are given as they are, and three CNAME targets are code words (`.` name does not exist, `*.` no data,
//! `rpz-passthru.` answer truly).
//!
//! Beside each rule stands a TXT with the indicator's opaque reference, so that a resolver's operator can ask where a block
//! comes from. A CNAME tolerates no neighbour (RFC 1034 §3.6.2); there the TXT stands at `bad.example._ref.rpz.guard`, which
//! as a trigger would be a name in a top-level domain that cannot exist.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::name::{NAME_BYTES_MAX, WireName};

/// Bytes of an opaque reference: one character string of a TXT record (RFC 1035 §3.3).
pub const REFERENCE_BYTES_MAX: usize = 255;

const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_TXT: u16 = 16;
const TYPE_AAAA: u16 = 28;
/// A pointer to the question's name, which is the zone's own in every message that we build.
const APEX: [u8; 2] = [0xc0, 12];
const REFERENCES: &[u8] = b"\x04_ref";

/// What a resolver does with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Answers with a safe address; with neither, with no data.
    Address {
        /// For questions about A.
        v4: Option<Ipv4Addr>,
        /// For questions about AAAA.
        v6: Option<Ipv6Addr>,
    },
    /// Answers that the name does not exist.
    NxDomain,
    /// Answers that the name has no such data.
    NoData,
    /// Answers truly, whatever later zones say: the allow list.
    Passthru,
}

/// What of a name a rule covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The name alone.
    Exact,
    /// The name and all below it.
    WithSubdomains,
}

/// One rule of a zone. A zone has at most one for an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The name that triggers it, or what [`Name::rpz_ip`](crate::Name::rpz_ip) made of an address.
    pub owner: WireName<'a>,
    /// What it covers.
    pub scope: Scope,
    /// What is done.
    pub rule: Rule,
    /// The indicator's opaque reference; may be empty.
    pub reference: &'a str,
}

/// What the owners of a zone are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Triggers {
    /// Names that are asked for.
    Names,
    /// Addresses in answers (`rpz-ip`). Resolvers have to resolve first, so such a zone stands after those with names.
    Addresses,
}

/// Why an entry is not in the zone. Counted, never fatal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// The root: a rule for every name there is.
    Root,
    /// Owner and zone together exceed 255 bytes.
    TooLong,
    /// A label has a character other than letters, digits, hyphen and underscore.
    OddCharacter,
    /// The last label has a meaning of its own in policy zones, or lacks it where it must stand.
    WrongTrigger,
    /// The reference does not fit into a TXT string.
    LongReference,
    /// An entry above it covers it; listed too, it would open a hole in what that one covers.
    Subsumed,
}

impl Reject {
    /// The reason in a word, for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::TooLong => "too_long",
            Self::OddCharacter => "odd_character",
            Self::WrongTrigger => "wrong_trigger",
            Self::LongReference => "long_reference",
            Self::Subsumed => "subsumed",
        }
    }
}

/// How many entries were left out, by reason.
pub type Rejects = BTreeMap<Reject, u64>;

impl Entry<'_> {
    /// Whether the zone `apex` can have this entry.
    ///
    /// # Errors
    ///
    /// Fails with the first reason found.
    pub fn check(&self, apex: WireName<'_>, triggers: Triggers) -> Result<(), Reject> {
        let Some(last) = self.owner.labels().last() else { return Err(Reject::Root) };
        let reserved = last.starts_with(b"rpz-") || last == &REFERENCES[1..];
        let right = match triggers {
            Triggers::Names => !reserved,
            Triggers::Addresses => last == b"rpz-ip" && self.scope == Scope::Exact,
        };
        let wildcard = match self.scope {
            Scope::Exact => 0,
            Scope::WithSubdomains => 2,
        };
        let plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if !right {
            Err(Reject::WrongTrigger)
        } else if self.owner.relative().len() + wildcard + apex.as_bytes().len() > NAME_BYTES_MAX {
            Err(Reject::TooLong)
        } else if !self.owner.labels().flatten().all(plain) {
            Err(Reject::OddCharacter)
        } else if self.reference.len() > REFERENCE_BYTES_MAX {
            Err(Reject::LongReference)
        } else {
            Ok(())
        }
    }

    /// The rule in the form that every resolver takes.
    fn told(&self) -> Rule {
        let Rule::Address { v4, v6 } = self.rule else { return self.rule };
        match self.trigger_is_v4() {
            // Unbound takes addresses of the trigger's own family only.
            Some(true) => Rule::Address { v4, v6: None },
            Some(false) => Rule::Address { v4: None, v6 },
            // BIND can refuse a whole zone for one address at a name that is no host's (RFC 1123 §2.1); an alias may stand
            // at any.
            None if (v4.is_some() || v6.is_some()) && !is_host(self.owner) => Rule::NxDomain,
            None => self.rule,
        }
    }

    /// Whether the address that triggers it is of IPv4; nothing if a name does.
    fn trigger_is_v4(&self) -> Option<bool> {
        let labels: Vec<&[u8]> = self.owner.labels().collect();
        let (last, rest) = labels.split_last()?;
        // A length and four numbers; IPv6 has eight, or `zz` for a run of zeros.
        (*last == b"rpz-ip").then(|| rest.len() == 5 && !rest.contains(&&b"zz"[..]))
    }

    /// Appends the entry's records to `out` and the end of each to `ends`, for a message whose question names the zone.
    ///
    /// `room` is what the zone's own name leaves of 255 bytes.
    pub(crate) fn records(&self, ttl: u32, room: usize, out: &mut Vec<u8>, ends: &mut Vec<usize>) {
        let owner = self.owner.relative();
        let mut record = |before: &[u8], after: &[u8], rtype: u16, data: &[u8]| {
            for part in [before, owner, after, &APEX] {
                out.extend_from_slice(part);
            }
            out.extend_from_slice(&rtype.to_be_bytes());
            out.extend_from_slice(&1_u16.to_be_bytes());
            out.extend_from_slice(&ttl.to_be_bytes());
            out.extend_from_slice(&u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(data);
            ends.push(out.len());
        };
        let befores: &[&[u8]] = match self.scope {
            Scope::Exact => &[b""],
            Scope::WithSubdomains => &[b"", b"\x01*"],
        };
        let mut reference_at: &[u8] = REFERENCES;
        let rule = self.told();
        for before in befores {
            match rule {
                Rule::Address { v4: None, v6: None } | Rule::NoData => {
                    record(before, b"", TYPE_CNAME, b"\x01*\x00");
                }
                Rule::Address { v4, v6 } => {
                    // Unbound takes addresses and nothing beside them where an address triggers.
                    if self.trigger_is_v4().is_none() {
                        reference_at = b"";
                    }
                    if let Some(v4) = v4 {
                        record(before, b"", TYPE_A, &v4.octets());
                    }
                    if let Some(v6) = v6 {
                        record(before, b"", TYPE_AAAA, &v6.octets());
                    }
                }
                Rule::NxDomain => record(before, b"", TYPE_CNAME, b"\x00"),
                Rule::Passthru => record(before, b"", TYPE_CNAME, b"\x0crpz-passthru\x00"),
            }
        }
        if !self.reference.is_empty() && owner.len() + reference_at.len() <= room {
            let mut text = vec![u8::try_from(self.reference.len()).unwrap_or(u8::MAX)];
            text.extend_from_slice(self.reference.as_bytes());
            record(b"", reference_at, TYPE_TXT, &text);
        }
    }

    /// Appends a form that [`decode`] reads back: flags, addresses, owner and reference, each with its length.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let (kind, v4, v6) = match self.rule {
            Rule::Address { v4, v6 } => (0, v4, v6),
            Rule::NxDomain => (1, None, None),
            Rule::NoData => (2, None, None),
            Rule::Passthru => (3, None, None),
        };
        let flags = kind
            | (u8::from(self.scope == Scope::WithSubdomains) << 2)
            | (u8::from(v4.is_some()) << 3)
            | (u8::from(v6.is_some()) << 4);
        out.push(flags);
        out.extend_from_slice(v4.map(|v4| v4.octets()).as_ref().map_or(&[], |v4| &v4[..]));
        out.extend_from_slice(v6.map(|v6| v6.octets()).as_ref().map_or(&[], |v6| &v6[..]));
        out.push(u8::try_from(self.owner.as_bytes().len()).expect("a name has at most 255 bytes"));
        out.extend_from_slice(self.owner.as_bytes());
        let reference = &self.reference.as_bytes()[..self.reference.len().min(REFERENCE_BYTES_MAX)];
        out.push(u8::try_from(reference.len()).expect("just cut to that"));
        out.extend_from_slice(reference);
    }
}

/// Whether each label is one of a host: letters and digits, hyphens within.
fn is_host(owner: WireName<'_>) -> bool {
    owner.labels().all(|label| !label.contains(&b'_') && !label.starts_with(b"-") && !label.ends_with(b"-"))
}

/// Reads one entry that [`Entry::encode`] wrote, and what follows it; nothing if there is none or it is broken.
pub(crate) fn decode(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (&flags, rest) = bytes.split_first()?;
    let mut rest = rest;
    let mut v4 = None;
    if flags & 8 != 0 {
        let (octets, after) = rest.split_first_chunk::<4>()?;
        (v4, rest) = (Some(Ipv4Addr::from(*octets)), after);
    }
    let mut v6 = None;
    if flags & 16 != 0 {
        let (octets, after) = rest.split_first_chunk::<16>()?;
        (v6, rest) = (Some(Ipv6Addr::from(*octets)), after);
    }
    let rule = match flags & 3 {
        0 => Rule::Address { v4, v6 },
        1 => Rule::NxDomain,
        2 => Rule::NoData,
        _ => Rule::Passthru,
    };
    let scope = if flags & 4 == 0 { Scope::Exact } else { Scope::WithSubdomains };
    let (&length, after) = rest.split_first()?;
    let (owner, after) = after.split_at_checked(usize::from(length))?;
    let (&length, after) = after.split_first()?;
    let (reference, after) = after.split_at_checked(usize::from(length))?;
    let entry = Entry {
        owner: WireName::new(owner).ok()?,
        scope,
        rule,
        reference: std::str::from_utf8(reference).ok()?,
    };
    Some((entry, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;

    fn safe() -> Rule {
        Rule::Address { v4: Some(Ipv4Addr::new(192, 0, 2, 80)), v6: Some(Ipv6Addr::LOCALHOST) }
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let owner: Name = "bad.example".parse().unwrap();
        let only_v4 = Rule::Address { v4: Some(Ipv4Addr::LOCALHOST), v6: None };
        for rule in [safe(), only_v4, Rule::NxDomain, Rule::NoData, Rule::Passthru] {
            for scope in [Scope::Exact, Scope::WithSubdomains] {
                let entry = Entry { owner: owner.as_wire(), scope, rule, reference: "r-17" };
                let mut bytes = Vec::new();
                entry.encode(&mut bytes);
                for cut in 0..bytes.len() {
                    assert_eq!(decode(&bytes[..cut]), None, "cut at {cut}");
                }
                bytes.extend_from_slice(b"more");
                assert_eq!(decode(&bytes), Some((entry, &b"more"[..])));
            }
        }
    }

    #[test]
    fn entries_that_a_zone_cannot_have_are_told_apart() {
        let long = vec!["a".repeat(60); 4].join(".");
        let reference = "r".repeat(256);
        let cases: [(&str, Scope, Triggers, &str, Option<Reject>); 12] = [
            ("bad.example", Scope::WithSubdomains, Triggers::Names, "r", None),
            ("_x.bad-1.example", Scope::Exact, Triggers::Names, "r", None),
            (".", Scope::Exact, Triggers::Names, "r", Some(Reject::Root)),
            ("bad.rpz-ip", Scope::Exact, Triggers::Names, "r", Some(Reject::WrongTrigger)),
            ("bad.rpz-client-ip", Scope::Exact, Triggers::Names, "r", Some(Reject::WrongTrigger)),
            ("bad._ref", Scope::Exact, Triggers::Names, "r", Some(Reject::WrongTrigger)),
            ("bad.example", Scope::Exact, Triggers::Addresses, "r", Some(Reject::WrongTrigger)),
            ("32.1.2.0.192.rpz-ip", Scope::Exact, Triggers::Addresses, "r", None),
            ("*.example", Scope::Exact, Triggers::Names, "r", Some(Reject::OddCharacter)),
            (&long, Scope::Exact, Triggers::Names, "r", None),
            (&long, Scope::WithSubdomains, Triggers::Names, "r", Some(Reject::TooLong)),
            ("bad.example", Scope::Exact, Triggers::Names, &reference, Some(Reject::LongReference)),
        ];
        // 244 bytes of the long owner, and 11 of this with its root: 255.
        let apex: Name = "rpz.guard".parse().unwrap();
        for (owner, scope, triggers, reference, want) in cases {
            let name: Name = owner.parse().unwrap();
            let entry = Entry { owner: name.as_wire(), scope, rule: safe(), reference };
            assert_eq!(entry.check(apex.as_wire(), triggers).err(), want, "{owner} {scope:?}");
        }
    }

    #[test]
    fn what_a_resolver_would_refuse_is_told_otherwise() {
        const CNAME: u16 = TYPE_CNAME;
        let v4_only = Rule::Address { v4: Some(Ipv4Addr::LOCALHOST), v6: None };
        let cases: [(&str, Rule, &[u16]); 8] = [
            ("good.example", safe(), &[TYPE_A, TYPE_AAAA, TYPE_TXT]),
            ("_dmarc.example", safe(), &[CNAME, TYPE_TXT]),
            ("-a.example", safe(), &[CNAME, TYPE_TXT]),
            ("a-.example", safe(), &[CNAME, TYPE_TXT]),
            ("32.1.2.0.192.rpz-ip", safe(), &[TYPE_A, TYPE_TXT]),
            ("48.zz.1.db8.2001.rpz-ip", safe(), &[TYPE_AAAA, TYPE_TXT]),
            ("48.zz.1.db8.2001.rpz-ip", v4_only, &[CNAME, TYPE_TXT]),
            ("128.8.7.6.5.4.3.2.1.rpz-ip", safe(), &[TYPE_AAAA, TYPE_TXT]),
        ];
        for (owner, rule, want) in cases {
            let name: Name = owner.parse().unwrap();
            let entry = Entry { owner: name.as_wire(), scope: Scope::Exact, rule, reference: "r-17" };
            let (mut out, mut ends) = (Vec::new(), Vec::new());
            entry.records(60, 240, &mut out, &mut ends);
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let types = starts.zip(&ends).map(|(start, end)| {
                let record = &out[start..*end];
                let at = record.windows(2).position(|two| two == APEX).unwrap() + 2;
                u16::from_be_bytes([record[at], record[at + 1]])
            });
            assert_eq!(types.collect::<Vec<_>>(), want, "{owner} {rule:?}");
        }
    }

    #[test]
    fn a_reference_never_stands_beside_a_cname() {
        let owner: Name = "bad.example".parse().unwrap();
        for (rule, records) in [(safe(), 5), (Rule::NxDomain, 3), (Rule::Passthru, 3)] {
            let scope = Scope::WithSubdomains;
            let entry = Entry { owner: owner.as_wire(), scope, rule, reference: "r-17" };
            let (mut out, mut ends) = (Vec::new(), Vec::new());
            entry.records(60, 240, &mut out, &mut ends);
            assert_eq!(ends.len(), records, "{rule:?}");
            let apart = out.windows(REFERENCES.len()).any(|part| part == REFERENCES);
            assert_eq!(apart, !matches!(rule, Rule::Address { .. }), "{rule:?}");
        }
    }
}
