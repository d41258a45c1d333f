//! Finds what is listed in a text.
//!
//! Nothing is searched for: the text is cut into things that could be listed, and each is looked up. What could be a name has a dot in it, an
//! e-mail address an at sign, a URL and an IPv6 address a colon, and these marks are few: the scanner jumps from one to the next, takes what stands
//! around it, and goes on behind that. A hash of 32 digits or more covers one of every 32 places, so only those are looked at. Strings need every
//! word, and cost so only while some are listed.
//!
//! Defanged forms are read (`hxxp[:]//evil[.]example`), and names beyond ASCII by their A-labels. Encodings of mail (base64, quoted-printable,
//! entities) are not: undo them first.
//!
//! Every step goes forward, and looks back and ahead no further than the longest name, address or URL: a hostile text takes its length and no
//! more, but for strings, where it can take [`TOKENS_MAX`](crate::TOKENS_MAX) times as long.

mod digests;
mod hosts;
mod strings;

use std::ops::Range;

use crate::key::{Key, Kind};
use crate::matcher::Matcher;

/// Something listed that a text has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// By whom it is listed.
    pub slot: u32,
    /// As what.
    pub kind: Kind,
    /// What was read, without disguise: a name by itself, whatever above it is listed.
    pub read: Key,
    /// Where in the text the whole thing stands: of `www.evil.example` all, even if `evil.example` is listed.
    pub span: Range<usize>,
    /// In what it stands.
    pub context: Context,
}

/// In what a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// By itself.
    Text,
    /// In an e-mail address, as its host or as the whole.
    Email,
    /// It is where a URL leads, or the URL.
    Url,
    /// In a URL's path or query, where another place may only be named.
    UrlRest,
}

impl Matcher {
    /// Visits what is listed in a text: names, addresses, endpoints, URLs, e-mail addresses, hashes and strings; in no order. The text should be
    /// UTF-8; other bytes end what stands before them.
    ///
    /// One place may give several: a URL is met as such, by its host's name, and by what is listed in its path.
    pub fn scan(&self, text: &[u8], mut visit: impl FnMut(Met)) {
        let wants = hosts::Wants::of(self);
        if wants.any() {
            hosts::Hosts::new(self, text, wants, &mut visit).run();
        }
        if self.has(Kind::Digest) {
            digests::scan(self, text, &mut visit);
        }
        if self.has(Kind::Text) {
            strings::scan(self, text, &mut visit);
        }
    }

    /// Whether anything of this kind is listed that a text can have.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        let is_listed = match kind {
            Kind::Name => !self.names.is_empty(),
            Kind::Prefix => self.v4.has_prefixes() || self.v6.has_prefixes(),
            Kind::Endpoint => self.v4.has_endpoints() || self.v6.has_endpoints(),
            Kind::Digest => self.digests.iter().any(|table| !table.is_empty()),
            Kind::Email => !self.emails.is_empty(),
            Kind::Url => !self.urls.is_empty(),
            Kind::Text => !self.texts.is_empty(),
            // Whole fields, which no text has as such.
            Kind::FileName | Kind::Subject => false,
        };
        is_listed || self.blind.iter().any(|set| set.has(kind))
    }
}
