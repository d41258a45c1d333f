//! The seams: who knows what is listed, who counts hits, and who may see victims' data.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::Timestamp;

/// What becomes of a mail that an indicator hit, from the mildest to the hardest. Of several, the hardest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It passes; the hit is counted.
    Monitor,
    /// It passes with a header that names the indicator's opaque reference.
    Tag,
    /// The mail server takes it into its own hold queue.
    Hold,
    /// It is kept, encrypted, in the store here; the sender hears that it was taken.
    Store,
    /// The sender hears that it was refused, with the opaque reference.
    Reject,
}

impl Action {
    /// The action in a word, for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Tag => "tag",
            Self::Hold => "hold",
            Self::Store => "store",
            Self::Reject => "reject",
        }
    }
}

/// An indicator that a mail hit. A slot is the guard's number for an indicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which indicator.
    pub slot: u32,
    /// What is to become of the mail on its account.
    pub action: Action,
}

/// A way to digest a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// 16 bytes.
    Md5,
    /// 20 bytes.
    Sha1,
    /// 32 bytes.
    Sha256,
}

/// Where an e-mail address stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `MAIL FROM`, and `Return-Path`.
    EnvelopeSender,
    /// The header `From`.
    From,
    /// The header `Sender`.
    Sender,
    /// The header `Reply-To`.
    ReplyTo,
    /// The headers `To` and `Cc`.
    Recipient,
}

/// Something in a mail that an indicator may be about. Texts are decoded, and as they came otherwise: whoever compares
/// them brings both sides into one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observable<'a> {
    /// An e-mail address.
    Mailbox(Role, &'a str),
    /// The name that stands beside a sender's address.
    SenderName(&'a str),
    /// The subject.
    Subject(&'a str),
    /// A link, defanged forms made whole.
    Url(&'a str),
    /// A name of a host: of a link, of a sender's address.
    Name(&'a str),
    /// The name of an attached file, or of one in an attached archive.
    FileName(&'a str),
    /// The digest of such a file.
    Hash(Algorithm, &'a [u8]),
    /// An address: of the client, of a link, of a `Received` line.
    Address(IpAddr),
    /// A stretch of text, to be scanned.
    Text(&'a str),
}

/// For whom a mail is judged: a guard may protect several customers.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// The name of the listener that the mail server connected to.
    pub listener: &'a str,
    /// Who handed the mail to the mail server.
    pub peer: Option<IpAddr>,
    /// To whom it goes, without angle brackets.
    pub recipients: &'a [String],
}

/// Knows what is listed. It is asked many times for each mail, from several threads, and never waits.
pub trait Judge: Send + Sync {
    /// Appends the indicators that an observable hits.
    fn judge(&self, client: &Client<'_>, observable: &Observable<'_>, findings: &mut Vec<Finding>);

    /// Who judges one mail, where that follows from whom it is for; nothing where it does not. It is asked once for a mail.
    fn for_mail(&self, client: &Client<'_>) -> Option<Box<dyn Judge>> {
        let _ = client;
        None
    }

    /// Has the last word when a mail was looked at whole: what each indicator asks for, by slot.
    fn settle(&self, findings: &mut BTreeMap<u32, Action>) {
        let _ = findings;
    }

    /// An indicator's opaque reference, which may be told to the sender: printable ASCII, at most 100 bytes.
    fn reference(&self, slot: u32) -> String;
}

/// A hit without anything of the victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which indicator.
    pub slot: u32,
    /// What it asked for.
    pub action: Action,
    /// When.
    pub at: Timestamp,
}

/// Counts hits. It never waits, and bounds what it keeps.
pub trait Sink: Send + Sync {
    /// Takes a hit.
    fn hit(&self, hit: Hit);

    /// Takes a hit of a mail for `client`, where it counts whose it was.
    fn hit_of(&self, client: &Client<'_>, hit: Hit) {
        let _ = client;
        self.hit(hit);
    }
}

/// What a site may write down of a mail that was hit, if it wants to. Nothing else here writes it down.
#[derive(Clone, Copy, Debug)]
pub struct SiteEntry<'a> {
    /// When.
    pub at: Timestamp,
    /// What became of the mail.
    pub action: Action,
    /// The opaque references of the indicators.
    pub references: &'a [String],
    /// The mail server's identifier.
    pub queue_id: &'a str,
    /// `MAIL FROM`.
    pub sender: &'a str,
    /// `RCPT TO`.
    pub recipients: &'a [String],
    /// The subject, decoded.
    pub subject: &'a str,
}

/// A site's own log, with victims' data. There is none unless the site configures it.
pub trait SiteLog: Send + Sync {
    /// Whether the site wants one now.
    fn is_on(&self) -> bool {
        true
    }

    /// Takes an entry. It never waits.
    fn entry(&self, entry: &SiteEntry<'_>);
}
