//! A million indicators in memory, and what of them is met.
//!
//! A guard holds names, addresses, hashes and strings by the million and asks for each query, mail and flow which of them it has met. Nearly
//! all indicators are one equality, so this is a matter of tables: a name is looked up by its suffixes, an address by its prefixes, all else as
//! it is. Text is cut into tokens, and those are looked up too: that is faster by far than searching for a million patterns at once, takes no
//! time to build, and finds nothing within longer words.
//!
//! ```
//! use matcher::{Key, Matcher, Scope};
//!
//! # fn random() -> [u8; 32] { [7; 32] }
//! let mut matcher = Matcher::new(random());
//! matcher.insert(&Key::name("Evil.Example.", Scope::Subdomains)?, 1);
//! matcher.insert(&Key::name("exact.example", Scope::Exact)?, 2);
//! matcher.insert(&Key::parse_prefix("192.0.2.0/24")?, 3);
//!
//! let slots = |name: &str| {
//!     let mut slots = Vec::new();
//!     matcher.names(name, |hit| slots.push(hit.slot));
//!     slots
//! };
//! assert_eq!(slots("www.evil.example"), [1]);
//! assert_eq!(slots("notevil.example"), []);
//! assert_eq!(slots("exact.example"), [2]);
//! assert_eq!(slots("www.exact.example"), []);
//!
//! let mut found = Vec::new();
//! matcher.scan(b"see hxxp://www.evil[.]example/a or 192.0.2.77", |met| found.push(met.slot));
//! assert_eq!(found, [1, 3]);
//! # Ok::<(), matcher::KeyError>(())
//! ```
//!
//! A listed thing is a [`Key`], made by functions that bring what people write into the one form in which it is compared. Who lists it is a
//! **slot**, a number of the caller's; a key may have many. [`Matcher`] changes at any time; [`Shared`] puts it behind a lock that is never
//! held for long. What a member may enforce and not read is [`Blinded`].
//!
//! What this is *not*: it knows no STIX, no expiry and no policy, opens no socket and reads no clock. It has no patterns with wildcards.
//! Keys that collide in a table cannot be made from outside, because the tables' secret is the caller's random number.

#![warn(missing_docs)]

mod address;
mod blind;
mod hash;
mod key;
mod matcher;
mod names;
mod postings;
mod scan;
mod shared;
mod table;
mod text;
mod texts;
mod url;

pub use blind::{BlindKey, Blinded, ParseBlindedError, Shape};
pub use key::{
    Algorithm, Canonical, Digest, Key, KeyError, Kind, LABEL_BYTES_MAX, NAME_BYTES_MAX, Prefix, Scope,
    TEXT_BYTES_MAX, TOKENS_MAX, Why,
};
pub use matcher::{BlindSetId, Extent, Matcher, NameHit};
pub use names::{Listed, NameList};
pub use postings::SLOT_MAX;
pub use scan::{Context, Met};
pub use shared::{Change, Shared};
