//! Indicators that match without being there.
//!
//! A hub may let a member *enforce* an indicator that the member may not *read*. Such an indicator comes as a [`Blinded`]: of
//! each value only HMAC-SHA-256 under the member's key, cut to 16 bytes. The matcher makes the same of what it is asked (of each suffix of
//! a name, each length of prefix in use, each run of tokens) and looks for it.
//!
//! What this hides: no value stands in the configuration, in a log, in an export or in memory, and nobody without the key learns
//! anything from what is stored. What it does not hide:
//!
//! - Whoever holds the key, and the guard does, can *test guesses*: every registered domain, every IPv4 address, every hash of a
//!   collection can be tried in hours.
//! - What matches is known to be listed: the guard sees the query that hits.
//! - The *shape* is plain, because a look-up needs it: kind, scope of a name, family and length of a prefix, function of a hash, number
//!   of tokens.
//!
//! It stops copying a list and reading it by the way; it does not stop a member that wants to know whether one thing is on it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use thiserror::Error;

use crate::address::split;
use crate::hash::Seed;
use crate::key::{Algorithm, Key, Kind, Scope, TOKENS_MAX};
use crate::names::value;
use crate::table::{Added, Removed, Table};
use crate::text;

/// Bytes of a blinded value: two of a billion agree by chance with a probability below 2^-68.
const TAG_BYTES: usize = 16;

/// The key under which one member's indicators are blinded.
#[derive(Clone)]
pub struct BlindKey(Hmac<Sha256>);

impl fmt::Debug for BlindKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindKey(..)")
    }
}

/// What can be told of a blinded value: all that a look-up needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// A name, by scope.
    Name(Scope),
    /// A prefix of IPv4 with its length.
    Prefix4(u8),
    /// A prefix of IPv6 with its length.
    Prefix6(u8),
    /// A port at an address.
    Endpoint,
    /// A hash of this function.
    Digest(Algorithm),
    /// An e-mail address.
    Email,
    /// A URL.
    Url,
    /// A file's name.
    FileName,
    /// A subject.
    Subject,
    /// A string of so many tokens.
    Text(u8),
}

/// A value that is only to be recognised.
///
/// As text: the shape, a colon, 32 hexadecimal digits, as `name.subdomains:0123...` or `prefix4.24:0123...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blinded {
    /// What is told of it.
    pub shape: Shape,
    tag: [u8; TAG_BYTES],
}

/// A text that is no blinded value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is no blinded value: write a shape, `:` and 32 hexadecimal digits")]
pub struct ParseBlindedError {
    text: String,
}

impl Shape {
    /// Its kind.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Name(_) => Kind::Name,
            Self::Prefix4(_) | Self::Prefix6(_) => Kind::Prefix,
            Self::Endpoint => Kind::Endpoint,
            Self::Digest(_) => Kind::Digest,
            Self::Email => Kind::Email,
            Self::Url => Kind::Url,
            Self::FileName => Kind::FileName,
            Self::Subject => Kind::Subject,
            Self::Text(_) => Kind::Text,
        }
    }

    /// What stands before the value in what is hashed, so that no value of one kind is one of another. A name's scope is not in it: a look-up
    /// learns it from what it finds.
    fn domain(self) -> [u8; 2] {
        let algorithm = |algorithm: Algorithm| {
            Algorithm::ALL
                .iter()
                .position(|other| *other == algorithm)
                .map_or(0, |at| u8::try_from(at).unwrap_or(0))
        };
        match self {
            Self::Name(_) => [1, 0],
            Self::Prefix4(length) => [2, length],
            Self::Prefix6(length) => [3, length],
            Self::Endpoint => [4, 0],
            Self::Digest(function) => [5, algorithm(function)],
            Self::Email => [6, 0],
            Self::Url => [7, 0],
            Self::FileName => [8, 0],
            Self::Subject => [9, 0],
            Self::Text(_) => [10, 0],
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(Scope::Exact) => f.write_str("name.exact"),
            Self::Name(Scope::Subdomains) => f.write_str("name.subdomains"),
            Self::Prefix4(length) => write!(f, "prefix4.{length}"),
            Self::Prefix6(length) => write!(f, "prefix6.{length}"),
            Self::Digest(algorithm) => write!(f, "hash.{}", algorithm.name()),
            Self::Text(tokens) => write!(f, "text.{tokens}"),
            Self::Endpoint | Self::Email | Self::Url | Self::FileName | Self::Subject => {
                f.write_str(self.kind().word())
            }
        }
    }
}

fn shape(text: &str) -> Option<Shape> {
    let (word, rest) = text.split_once('.').unwrap_or((text, ""));
    let number = |most: u8| rest.parse::<u8>().ok().filter(|number| *number <= most);
    Some(match (word, rest) {
        ("name", "exact") => Shape::Name(Scope::Exact),
        ("name", "subdomains") => Shape::Name(Scope::Subdomains),
        ("prefix4", _) => Shape::Prefix4(number(32)?),
        ("prefix6", _) => Shape::Prefix6(number(128)?),
        ("hash", name) => Shape::Digest(Algorithm::parse(name)?),
        ("text", _) => Shape::Text(number(u8::try_from(TOKENS_MAX).ok()?).filter(|tokens| *tokens > 0)?),
        ("endpoint", "") => Shape::Endpoint,
        ("email", "") => Shape::Email,
        ("url", "") => Shape::Url,
        ("file-name", "") => Shape::FileName,
        ("subject", "") => Shape::Subject,
        _ => return None,
    })
}

impl fmt::Display for Blinded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.shape, hex::encode(self.tag))
    }
}

impl FromStr for Blinded {
    type Err = ParseBlindedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (before, digits) = text.rsplit_once(':')?;
            let mut tag = [0; TAG_BYTES];
            hex::decode_to_slice(digits, &mut tag).ok()?;
            Some(Self { shape: shape(before)?, tag })
        };
        read().ok_or_else(|| ParseBlindedError { text: text.chars().take(100).collect() })
    }
}

impl BlindKey {
    /// A key of 32 random bytes.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        // A block of HMAC-SHA-256 has 64 bytes; a shorter key is filled up with zeros (RFC 2104 §2).
        let mut block = [0; 64];
        block[..32].copy_from_slice(key);
        Self(<Hmac<Sha256> as KeyInit>::new(&block.into()))
    }

    /// Blinds a value.
    #[must_use]
    pub fn blind(&self, key: &Key) -> Blinded {
        let shape = match key {
            Key::Name(_, scope) => Shape::Name(*scope),
            Key::Prefix(prefix) if prefix.network().is_ipv4() => Shape::Prefix4(prefix.length()),
            Key::Prefix(prefix) => Shape::Prefix6(prefix.length()),
            Key::Endpoint(..) => Shape::Endpoint,
            Key::Digest(digest) => Shape::Digest(digest.algorithm()),
            Key::Email(_) => Shape::Email,
            Key::Url(_) => Shape::Url,
            Key::FileName(_) => Shape::FileName,
            Key::Subject(_) => Shape::Subject,
            Key::Text(text) => {
                let tokens = text::tokens(text.as_str().as_bytes()).count();
                Shape::Text(u8::try_from(tokens).unwrap_or(u8::MAX))
            }
        };
        let tag = match key {
            Key::Prefix(prefix) => self.tag(shape, &address_bytes(prefix.network())),
            Key::Endpoint(address, port) => self.tag(shape, &endpoint_bytes(*address, *port)),
            Key::Digest(digest) => self.tag(shape, digest.bytes()),
            Key::Name(text, _)
            | Key::Email(text)
            | Key::Url(text)
            | Key::FileName(text)
            | Key::Subject(text)
            | Key::Text(text) => self.tag(shape, text.as_str().as_bytes()),
        };
        Blinded { shape, tag }
    }

    fn tag(&self, shape: Shape, value: &[u8]) -> [u8; TAG_BYTES] {
        let mut mac = self.0.clone();
        mac.update(&shape.domain());
        mac.update(value);
        let whole = mac.finalize().into_bytes();
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&whole[..TAG_BYTES]);
        tag
    }
}

fn address_bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

fn endpoint_bytes(address: IpAddr, port: u16) -> Vec<u8> {
    let mut bytes = address_bytes(address);
    bytes.extend_from_slice(&port.to_be_bytes());
    bytes
}

/// The blinded indicators under one key.
pub(crate) struct BlindSet {
    key: BlindKey,
    table: Table,
    /// How many of each shape; what has none is not asked for.
    shapes: BTreeMap<Shape, usize>,
}

impl BlindSet {
    pub(crate) fn new(key: BlindKey) -> Self {
        Self { key, table: Table::default(), shapes: BTreeMap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.keys()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes()
    }

    fn stored(blinded: &Blinded) -> (Scope, [u8; TAG_BYTES]) {
        let scope = if let Shape::Name(scope) = blinded.shape { scope } else { Scope::Exact };
        (scope, blinded.tag)
    }

    pub(crate) fn add(&mut self, seed: &Seed, blinded: &Blinded, slot: u32) -> bool {
        let (scope, tag) = Self::stored(blinded);
        let added = self.table.add(seed, &tag, value(slot, scope)) != Added::Nothing;
        if added {
            *self.shapes.entry(blinded.shape).or_default() += 1;
        }
        added
    }

    pub(crate) fn remove(&mut self, seed: &Seed, blinded: &Blinded, slot: u32) -> bool {
        let (scope, tag) = Self::stored(blinded);
        let removed = self.table.remove(seed, &tag, value(slot, scope)) != Removed::Nothing;
        if removed && let Some(count) = self.shapes.get_mut(&blinded.shape) {
            *count -= 1;
            if *count == 0 {
                self.shapes.remove(&blinded.shape);
            }
        }
        removed
    }

    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.shapes.keys().any(|shape| shape.kind() == kind)
    }

    /// Visits the values of what has this shape and value.
    pub(crate) fn each(&self, seed: &Seed, shape: Shape, value: &[u8], visit: impl FnMut(u32)) {
        let tag = self.key.tag(shape, value);
        if let Some(head) = self.table.find(seed.hash(&tag), &tag) {
            self.table.each(head, visit);
        }
    }

    /// Visits what reaches a name in canonical form, as [`crate::names::Names::each`].
    pub(crate) fn each_of_name(&self, seed: &Seed, name: &[u8], mut visit: impl FnMut(usize, u32)) {
        if !self.has(Kind::Name) {
            return;
        }
        let mut start = 0;
        loop {
            self.each(seed, Shape::Name(Scope::Exact), &name[start..], |value| {
                if start == 0 || value & crate::postings::SUBDOMAINS != 0 {
                    visit(start, value);
                }
            });
            match memchr::memchr(b'.', &name[start..]) {
                Some(dot) => start += dot + 1,
                None => return,
            }
        }
    }

    /// Visits what holds an address.
    pub(crate) fn each_of_address(&self, seed: &Seed, address: IpAddr, mut visit: impl FnMut(u32)) {
        for shape in self.shapes.keys() {
            let length = match (shape, address) {
                (Shape::Prefix4(length), IpAddr::V4(_)) | (Shape::Prefix6(length), IpAddr::V6(_)) => *length,
                _ => continue,
            };
            let (is_v4, bits) = split(address);
            let width = if is_v4 { 32 } else { 128 };
            let host = u32::from(width - length);
            let network = bits.checked_shr(host).unwrap_or(0).checked_shl(host).unwrap_or(0);
            let bytes = network.to_be_bytes();
            self.each(seed, *shape, &bytes[if is_v4 { 12 } else { 0 }..], &mut visit);
        }
    }

    pub(crate) fn each_of_endpoint(&self, seed: &Seed, address: IpAddr, port: u16, visit: impl FnMut(u32)) {
        if self.has(Kind::Endpoint) {
            self.each(seed, Shape::Endpoint, &endpoint_bytes(address, port), visit);
        }
    }

    /// The numbers of tokens that strings here have.
    pub(crate) fn text_lengths(&self) -> impl Iterator<Item = usize> {
        self.shapes.keys().filter_map(|shape| {
            if let Shape::Text(tokens) = shape { Some(usize::from(*tokens)) } else { None }
        })
    }
}
