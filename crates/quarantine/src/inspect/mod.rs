//! What is looked at in a mail.
//!
//! A mail is a tree: headers, then a body that is a text, a file, another mail, or several of these between *boundaries*. A file
//! may be an archive with files in it. Each thing that an indicator may be about is handed to the [`Judge`], decoded:
//!
//! ```text
//! Subject: =?utf-8?q?invoice?=          subject, text
//! From: "Billing" <b@shop.example>      mailbox, sender name, name
//! text/html   <a href="hxxp://x[.]example/&#97;">   url, name; what a reader would see as text
//! invoice.zip                           file name, three hashes
//!   invoice.js                          file name, three hashes, text, urls
//! ```
//!
//! Whoever wrote the mail may be an enemy. So every nesting, count and size has a [limit](Limits), and each limit that is met is
//! [counted by its reason](Unexamined): what was found before it still stands, and the site decides what a mail is
//! worth that was not looked at whole. A part that nobody can decode is looked at as it is.

mod archive;
mod decode;
mod html;
mod links;
mod mime;
mod whole;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

pub use links::{host_of, refang};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::judge::{Action, Algorithm, Client, Finding, Judge, Observable, Role, Whole};

/// How much of a mail is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Parts within parts, mails within mails and archives within archives, all together. Real mail has about 6.
    pub depth_max: usize,
    /// Parts of a mail. Real mail has tens; a digest of a list may have hundreds.
    pub parts_max: usize,
    /// Files in archives, over the whole mail.
    pub members_max: usize,
    /// What archives may unpack to, over the whole mail.
    pub unpacked_bytes_max: usize,
    /// What one file in an archive may unpack to; it is in memory as long as it is looked at.
    pub member_bytes_max: usize,
    /// What a file in an archive may unpack to, as a multiple of what it takes there. Beyond the first mebibyte.
    pub ratio_max: usize,
    /// Headers of one part.
    pub header_bytes_max: usize,
    /// Links, over the whole mail.
    pub links_max: usize,
    /// Bytes that are hashed or scanned, over the whole mail. What lies within other things is looked at with each of them.
    pub work_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth_max: 16,
            parts_max: 1_000,
            members_max: 2_000,
            unpacked_bytes_max: 128 * 1024 * 1024,
            member_bytes_max: 32 * 1024 * 1024,
            // Deflate cannot do better than 1,032; text rarely does better than 20.
            ratio_max: 200,
            header_bytes_max: 1024 * 1024,
            links_max: 10_000,
            work_bytes_max: 256 * 1024 * 1024,
        }
    }
}

/// Why a part of a mail was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unexamined {
    /// The mail is longer than what is looked at.
    MailTooLarge,
    /// The headers of a part are longer than what is looked at.
    HeadersTooLarge,
    /// Nested deeper than the limit.
    TooDeep,
    /// More parts than the limit.
    TooManyParts,
    /// More files in archives than the limit.
    TooManyMembers,
    /// A file in an archive is larger than the limit, or all of them are.
    UnpackedTooLarge,
    /// A file in an archive unpacks to more than its size could mean in good faith.
    Ratio,
    /// An archive breaks off, or lies.
    BrokenArchive,
    /// A file in an archive is encrypted; its name was looked at.
    Encrypted,
    /// An archive, a packed file, or a file in an archive is packed in a way that is not known here.
    UnknownPacking,
    /// More links than the limit.
    TooManyLinks,
    /// More to hash and to scan than the limit.
    TooMuch,
}

impl Unexamined {
    /// The reason in a few words, for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MailTooLarge => "mail_too_large",
            Self::HeadersTooLarge => "headers_too_large",
            Self::TooDeep => "too_deep",
            Self::TooManyParts => "too_many_parts",
            Self::TooManyMembers => "too_many_members",
            Self::UnpackedTooLarge => "unpacked_too_large",
            Self::Ratio => "ratio",
            Self::BrokenArchive => "broken_archive",
            Self::Encrypted => "encrypted",
            Self::UnknownPacking => "unknown_packing",
            Self::TooManyLinks => "too_many_links",
            Self::TooMuch => "too_much",
        }
    }
}

impl fmt::Display for Unexamined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A mail to be looked at.
#[derive(Clone, Copy, Debug)]
pub struct Mail<'a> {
    /// For whom.
    pub client: Client<'a>,
    /// `MAIL FROM`, without angle brackets; empty for a bounce.
    pub sender: &'a str,
    /// Headers and body, or the beginning of them.
    pub bytes: &'a [u8],
    /// Whether `bytes` is the beginning only.
    pub is_cut: bool,
}

/// What was found in a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The indicators that it hit, each with the hardest of what it asked for.
    pub findings: BTreeMap<u32, Action>,
    /// What was not looked at, and how many times.
    pub unexamined: BTreeMap<Unexamined, u64>,
    /// The subject, decoded.
    pub subject: String,
}

impl Report {
    /// The hardest of what the indicators ask for.
    #[must_use]
    pub fn worst(&self) -> Option<Action> {
        self.findings.values().copied().max()
    }
}

/// Looks at a mail.
#[must_use]
pub fn inspect(mail: &Mail<'_>, judge: &dyn Judge, limits: &Limits) -> Report {
    let mut walk = Walk {
        client: &mail.client,
        judge,
        limits,
        report: Report::default(),
        found: Vec::new(),
        whole: judge.wants_whole().then(Whole::default),
        parts: 0,
        members: 0,
        unpacked_bytes: 0,
        links: 0,
        work_bytes: 0,
    };
    if mail.is_cut {
        walk.skip(Unexamined::MailTooLarge);
    }
    if let Some(peer) = mail.client.peer {
        walk.see(&Observable::Address(peer));
    }
    walk.mailbox(Role::EnvelopeSender, mail.sender);
    walk.mail(mail.bytes, 0, mail.is_cut);
    if let Some(whole) = walk.whole.take() {
        judge.judge_whole(&mail.client, &whole, &mut walk.found);
        walk.take_findings();
    }
    walk.report
}

/// A look at one mail: what was found, and what is left of the limits.
struct Walk<'a> {
    client: &'a Client<'a>,
    judge: &'a dyn Judge,
    limits: &'a Limits,
    report: Report,
    found: Vec<Finding>,
    /// The mail as a whole, if somebody asks about it.
    whole: Option<Whole>,
    parts: usize,
    members: usize,
    unpacked_bytes: usize,
    links: usize,
    work_bytes: usize,
}

impl Walk<'_> {
    fn see(&mut self, observable: &Observable<'_>) {
        if let Some(whole) = &mut self.whole {
            whole.note(observable);
        }
        self.judge.judge(self.client, observable, &mut self.found);
        self.take_findings();
    }

    fn take_findings(&mut self) {
        for finding in self.found.drain(..) {
            let action = self.report.findings.entry(finding.slot).or_insert(finding.action);
            *action = finding.action.max(*action);
        }
    }

    fn skip(&mut self, reason: Unexamined) {
        *self.report.unexamined.entry(reason).or_insert(0) += 1;
    }

    fn mailbox(&mut self, role: Role, address: &str) {
        let address = address.trim();
        if address.is_empty() {
            return;
        }
        self.see(&Observable::Mailbox(role, address));
        // A victim's own domain is no observable: only senders' are.
        if role != Role::Recipient
            && let Some((_, domain)) = address.rsplit_once('@')
        {
            self.host(domain);
        }
    }

    /// A host as written in a link or behind an `@`: a name, or an address in any spelling that a browser takes.
    fn host(&mut self, host: &str) {
        match links::as_address(host) {
            Some(address) => self.see(&Observable::Address(address)),
            None if host.is_empty() => (),
            None => self.see(&Observable::Name(host)),
        }
    }

    fn address(&mut self, address: IpAddr) {
        self.see(&Observable::Address(address));
    }

    /// Text that a person or a program would read: scanned whole, and its links one by one.
    fn text(&mut self, text: &str) {
        if text.is_empty() || !self.may_work(text.len()) {
            return;
        }
        self.see(&Observable::Text(text));
        let text = refang(text);
        links::find(&text, &mut |url| self.link(url));
    }

    /// One link. False when there were too many.
    fn link(&mut self, url: &str) -> bool {
        if self.links >= self.limits.links_max {
            self.skip(Unexamined::TooManyLinks);
            return false;
        }
        self.links += 1;
        self.see(&Observable::Url(url));
        if let Some(host) = host_of(url) {
            self.host(&host);
        }
        true
    }

    fn may_work(&mut self, bytes: usize) -> bool {
        self.work_bytes = self.work_bytes.saturating_add(bytes);
        let may = self.work_bytes <= self.limits.work_bytes_max;
        if !may {
            self.skip(Unexamined::TooMuch);
        }
        may
    }

    fn hashes(&mut self, bytes: &[u8]) {
        // The digest of nothing stands in many lists by mistake.
        if bytes.is_empty() || !self.may_work(bytes.len()) {
            return;
        }
        if let Some(whole) = &mut self.whole {
            whole.file(bytes.len());
        }
        self.see(&Observable::Hash(Algorithm::Md5, &Md5::digest(bytes)));
        self.see(&Observable::Hash(Algorithm::Sha1, &Sha1::digest(bytes)));
        self.see(&Observable::Hash(Algorithm::Sha256, &Sha256::digest(bytes)));
    }
}
