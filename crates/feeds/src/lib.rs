//! Indicators in the files that other programs read.
//!
//! A site has a resolver, a proxy, a sensor and a firewall before it has a guard, and each reads lists in a form of its own. [`write`] gives them
//! from one set of [`Entry`]s: bytes and a [`Report`] of what could not be written, by reason. What each form cannot say is handled here once:
//!
//! - A name below a listed one opens a hole in one resolver and is an error to a proxy: such names are left out, and are back in the first file
//!   that is written after the other has gone.
//! - No form knows an expiry, a recall or a mode: whoever calls writes the file anew. Until when a file holds if nobody does is said in its first
//!   comment where the form has comments that all readers pass over, and in the table's column; plain lists, Zeek, MISP and STIX have no place for it.
//! - A form that cannot hold a name with all below it gets the name alone, and the report counts it as *narrowed*.
//! - One entry that a form cannot hold is counted, and never makes a file that its reader refuses.
//! - What is blinded has no plain value, so it stands in no file.
//!
//! ```
//! use feeds::{Action, Entry, Feed, Format, Item, write};
//! use matcher::{Key, Scope};
//!
//! let key = Key::name("evil.example", Scope::Subdomains)?;
//! let entry = Entry {
//!     item: Item::Plain(&key), reference: "r-1", category: "malware", action: Action::Block,
//!     valid_from: time::OffsetDateTime::UNIX_EPOCH, valid_until: None, confidence: Some(80),
//! };
//! let output = write(&Format::Squid, &Feed { name: "programme", revision: 7, until: None }, [entry]);
//! assert_eq!(output.files[0].bytes, b".evil.example\n");
//! assert_eq!(output.report.written, 1);
//! # Ok::<(), matcher::KeyError>(())
//! ```
//!
//! The same entries give the same bytes in whatever order they come, so an [`etag`] changes when the content does. [`replace`] puts a file in its
//! place so that a reader has the old or the new one, whole.
//!
//! What this is *not*: it decides nothing about what is exported, serves nothing, and reads no clock.

#![warn(missing_docs)]

mod entry;
mod file;
mod lists;
mod misp;
mod names;
mod rpz;
mod stix;
mod suricata;
mod zeek;

pub use entry::{Action, Entry, Feed, File, Item, Output, Reason, Rejected, Report, is_narrow};
pub use file::{ReplaceError, Replaced, etag, replace};
pub use rpz::{Reader, Rpz, Rule};

use std::net::IpAddr;

use crate::entry::Writing;

/// The forms in which entries can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// A response policy zone of names.
    Rpz(Rpz),
    /// A response policy zone of the addresses that an answer may have, to be loaded after that of names.
    RpzIp(Rpz),
    /// `/etc/hosts`: each name at each of these addresses.
    Hosts(Vec<IpAddr>),
    /// Names, one a line.
    Names,
    /// Addresses and prefixes, one a line.
    Addresses,
    /// URLs, one a line.
    Urls,
    /// Hashes, one a line.
    Hashes,
    /// Everything, as a table with a head.
    Csv,
    /// Datasets and rules of Suricata; the first rule has this number.
    Suricata {
        /// The first of eight numbers of rules.
        first_sid: u32,
    },
    /// The intelligence framework of Zeek.
    Zeek,
    /// An access list of Squid, `acl NAME dstdomain "FILE"`.
    Squid,
    /// Named sets of nftables, to be loaded by `nft -f`; a table of this name is made if there is none.
    Nftables {
        /// The table, of the family `inet`.
        table: String,
    },
    /// A feed of MISP: manifest, hashes and one event.
    Misp,
    /// A bundle of STIX 2.1 indicators.
    Stix,
}

/// Writes entries in a form. They may come in any order and more than once.
pub fn write<'e>(format: &Format, feed: &Feed<'_>, entries: impl IntoIterator<Item = Entry<'e>>) -> Output {
    let writing = Writing::of(entries);
    match format {
        Format::Rpz(zone) => rpz::names(zone, feed, writing),
        Format::RpzIp(zone) => rpz::addresses(zone, feed, writing),
        Format::Hosts(addresses) => lists::hosts(addresses, feed, writing),
        Format::Names => lists::names(writing),
        Format::Addresses => lists::addresses(writing),
        Format::Urls => lists::urls(writing),
        Format::Hashes => lists::hashes(writing),
        Format::Csv => lists::csv(feed, writing),
        Format::Suricata { first_sid } => suricata::write(*first_sid, feed, writing),
        Format::Zeek => zeek::write(feed, writing),
        Format::Squid => lists::squid(feed, writing),
        Format::Nftables { table } => lists::nftables(table, feed, writing),
        Format::Misp => misp::write(feed, writing),
        Format::Stix => stix::write(feed, writing),
    }
}
