//! Requests to the primary and its answers, signed with TSIG (RFC 8945): all that is asked of the crate `domain`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use domain::base::MessageBuilder;
use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::record::ComposeRecord;
use domain::base::wire::Composer;
use domain::base::{Message, Name as DomainName, ParsedName, ToName};
use domain::rdata::Soa;
use domain::rdata::tsig::Time48;
use domain::tsig::{Algorithm, ClientTransaction, Key, KeyName, ServerSequence};
use thiserror::Error;

use crate::name::{Name, WireName};

pub(crate) const TYPE_NS: u16 = 2;
pub(crate) const TYPE_SOA: u16 = 6;
pub(crate) const TYPE_TXT: u16 = 16;
pub(crate) const TYPE_IXFR: u16 = 251;
pub(crate) const TYPE_AXFR: u16 = 252;
/// What fits into a datagram that nobody cuts (the flag day's number, and RFC 9715).
const EDNS_PAYLOAD: u16 = 1232;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TsigAlgorithm {
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
}

/// A key that a primary shares with a secondary.
#[derive(Clone)]
pub struct TsigKey {
    name: Name,
    key: Arc<Key>,
}

/// Why there is no such key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// RFC 8945 §8 asks for as many bytes as the algorithm gives.
    #[error("the secret of key `{name}` has {got} bytes; {least} are the least")]
    ShortSecret {
        /// The key.
        name: Name,
        /// Bytes of it.
        got: usize,
        /// Bytes needed.
        least: usize,
    },
}

impl TsigKey {
    /// A key with this name and secret.
    ///
    /// # Errors
    ///
    /// Fails if the secret has fewer than 16 bytes: people do share short ones, guessable ones should not get in.
    #[expect(clippy::missing_panics_doc, reason = "a key without truncation has no way to fail")]
    pub fn new(name: Name, algorithm: TsigAlgorithm, secret: &[u8]) -> Result<Self, KeyError> {
        const LEAST: usize = 16;
        if secret.len() < LEAST {
            return Err(KeyError::ShortSecret { name, got: secret.len(), least: LEAST });
        }
        let algorithm = match algorithm {
            TsigAlgorithm::HmacSha256 => Algorithm::Sha256,
            TsigAlgorithm::HmacSha512 => Algorithm::Sha512,
        };
        let key = Key::new(algorithm, secret, domain_name(name.as_wire()), None, None);
        Ok(Self { name, key: Arc::new(key.expect("no truncation is asked for")) })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }
}

impl fmt::Debug for TsigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TsigKey({}, ..)", self.name)
    }
}

/// The keys that a primary knows.
#[derive(Clone, Default)]
pub(crate) struct KeyRing(HashMap<(KeyName, Algorithm), Arc<Key>>);

impl KeyRing {
    pub(crate) fn new(keys: &[TsigKey]) -> Self {
        let entry = |key: &TsigKey| ((key.key.name().clone(), key.key.algorithm()), Arc::clone(&key.key));
        Self(keys.iter().map(entry).collect())
    }
}

fn domain_name(name: WireName<'_>) -> KeyName {
    let name = DomainName::from_octets(name.as_bytes()).expect("a checked name is a name");
    name.try_to_name().expect("a name has at most 255 bytes")
}

/// Any name that `domain` read, in our form.
fn our_name(name: &impl ToName) -> Option<Name> {
    let mut wire: Vec<u8> = name.try_to_name::<Vec<u8>>().ok()?.into_octets();
    wire.make_ascii_lowercase();
    Some(WireName::new(&wire).ok()?.to_name())
}

/// What came in.
pub(crate) enum Incoming {
    /// Deserves no answer.
    Nothing,
    /// Is answered with this, whatever it asks.
    Refused(Vec<u8>),
    /// Is a question.
    Request(Box<Request>),
}

/// A question to the primary.
pub(crate) struct Request {
    message: Message<Vec<u8>>,
    pub(crate) name: Name,
    pub(crate) qtype: u16,
    /// In a question for IXFR, the serial that the secondary has.
    pub(crate) serial: Option<u32>,
    edns: bool,
    signer: Option<ServerSequence<Arc<Key>>>,
}

/// What an answer says.
pub(crate) struct Reply<'a> {
    pub(crate) rcode: Rcode,
    pub(crate) authoritative: bool,
    pub(crate) truncated: bool,
    /// Whole records, each ending where the list says.
    pub(crate) answer: (&'a [u8], &'a [usize]),
    /// As the answer.
    pub(crate) authority: (&'a [u8], &'a [usize]),
}

impl Reply<'_> {
    pub(crate) fn error(rcode: Rcode) -> Self {
        Reply { rcode, authoritative: false, truncated: false, answer: (&[], &[]), authority: (&[], &[]) }
    }
}

/// A record that is bytes already.
struct Raw<'a>(&'a [u8]);

impl ComposeRecord for Raw<'_> {
    fn compose_record<Target: Composer + ?Sized>(
        &self,
        target: &mut Target,
    ) -> Result<(), Target::AppendError> {
        target.append_slice(self.0)
    }
}

fn parts<'a>((bytes, ends): (&'a [u8], &'a [usize])) -> impl Iterator<Item = Raw<'a>> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(move |(start, end)| Raw(&bytes[start..*end]))
}

/// A refusal of a signature, with the error that RFC 8945 §5.2.2 asks for.
///
/// `domain` 0.12.3 says FORMERR in the TSIG record where a signature does not verify. The record stands last and is not signed; its
/// last six bytes are the original id, the error, and that no other data follows.
fn told_rightly(mut reply: Vec<u8>) -> Vec<u8> {
    const FORMERR: [u8; 4] = [0, 1, 0, 0];
    const BADSIG: [u8; 4] = [0, 16, 0, 0];
    let is_refusal = reply.get(3).is_some_and(|flags| flags & 0x0f == Rcode::NOTAUTH.to_int());
    if is_refusal && reply.ends_with(&FORMERR) {
        let at = reply.len() - BADSIG.len();
        reply[at..].copy_from_slice(&BADSIG);
    }
    reply
}

/// Reads a request and checks its signature as of `now`, seconds since 1970.
pub(crate) fn read(bytes: &[u8], keys: &KeyRing, now: u64) -> Incoming {
    let Ok(mut message) = Message::from_octets(bytes.to_vec()) else { return Incoming::Nothing };
    if message.header().qr() {
        return Incoming::Nothing;
    }
    let original = message.clone();
    let signer = match ServerSequence::request(&keys.0, &mut message, Time48::from_u64(now)) {
        Ok(signer) => signer,
        Err(error) => {
            let built = error.build_message(&original, MessageBuilder::new_vec());
            return built.map_or(Incoming::Nothing, |reply| Incoming::Refused(told_rightly(reply.finish())));
        }
    };
    let edns = message.opt().is_some();
    let opcode = message.header().opcode();
    let mut request =
        Request { name: WireName::ROOT.to_name(), qtype: 0, serial: None, message, edns, signer };
    if opcode != Opcode::QUERY {
        return Incoming::Refused(request.reply(&Reply::error(Rcode::NOTIMP), now));
    }
    let Some((name, qtype, class)) = request.question() else {
        return Incoming::Refused(request.reply(&Reply::error(Rcode::FORMERR), now));
    };
    if class != Class::IN {
        return Incoming::Refused(request.reply(&Reply::error(Rcode::REFUSED), now));
    }
    request.serial = (qtype == TYPE_IXFR).then(|| request.known_serial()).flatten();
    if qtype == TYPE_IXFR && request.serial.is_none() {
        return Incoming::Refused(request.reply(&Reply::error(Rcode::FORMERR), now));
    }
    (request.name, request.qtype) = (name, qtype);
    Incoming::Request(Box::new(request))
}

impl Request {
    fn question(&self) -> Option<(Name, u16, Class)> {
        let question = self.message.sole_question().ok()?;
        Some((our_name(question.qname())?, question.qtype().to_int(), question.qclass()))
    }

    /// RFC 1995 §3: the SOA of the version that the secondary has stands in the authority section.
    fn known_serial(&self) -> Option<u32> {
        let mut records = self.message.authority().ok()?.limit_to::<Soa<ParsedName<_>>>();
        Some(records.next()?.ok()?.data().serial().into_int())
    }

    /// The key that signed it.
    pub(crate) fn key(&self) -> Option<Name> {
        our_name(self.signer.as_ref()?.key().name())
    }

    /// Bytes that a datagram with the answer may have.
    pub(crate) fn datagram_max(&self) -> usize {
        if self.edns { usize::from(EDNS_PAYLOAD) } else { 512 }
    }

    /// Builds an answer, signed if the request was, as of `now`. May be called again for each message of a transfer.
    pub(crate) fn reply(&mut self, reply: &Reply<'_>, now: u64) -> Vec<u8> {
        self.try_reply(reply, now).unwrap_or_default()
    }

    fn try_reply(&mut self, reply: &Reply<'_>, now: u64) -> Option<Vec<u8>> {
        let mut builder = MessageBuilder::new_vec();
        builder.header_mut().set_aa(reply.authoritative);
        builder.header_mut().set_tc(reply.truncated);
        let mut answer = builder.start_answer(&self.message, reply.rcode).ok()?;
        for record in parts(reply.answer) {
            answer.push(record).ok()?;
        }
        let mut authority = answer.authority();
        for record in parts(reply.authority) {
            authority.push(record).ok()?;
        }
        let mut additional = authority.additional();
        if self.edns {
            additional
                .opt(|opt| {
                    opt.set_udp_payload_size(EDNS_PAYLOAD);
                    Ok(())
                })
                .ok()?;
        }
        if let Some(signer) = &mut self.signer {
            signer.answer(&mut additional, Time48::from_u64(now)).ok()?;
        }
        Some(additional.finish())
    }

    /// As [`reply`](Self::reply), for a datagram: what does not fit is replaced by the bit that says so.
    pub(crate) fn reply_in_datagram(&mut self, reply: &Reply<'_>, now: u64) -> Vec<u8> {
        let unused = self.signer.clone();
        let bytes = self.reply(reply, now);
        if bytes.len() <= self.datagram_max() {
            return bytes;
        }
        self.signer = unused;
        let cut = Reply { truncated: true, answer: (&[], &[]), authority: (&[], &[]), ..*reply };
        self.reply(&cut, now)
    }
}

/// A NOTIFY on its way (RFC 1996).
pub(crate) struct Notice {
    pub(crate) bytes: Vec<u8>,
    id: u16,
    signer: Option<ClientTransaction<Arc<Key>>>,
}

/// Builds a NOTIFY for `apex` whose new SOA is the record `soa`, as of `now`.
pub(crate) fn notice(id: u16, apex: WireName<'_>, soa: &[u8], key: Option<&TsigKey>, now: u64) -> Notice {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(id);
    builder.header_mut().set_opcode(Opcode::NOTIFY);
    builder.header_mut().set_aa(true);
    let mut question = builder.question();
    let name = domain_name(apex);
    question.push((&name, Rtype::SOA)).expect("one question fits");
    let mut answer = question.answer();
    answer.push(Raw(soa)).expect("one record fits");
    let mut additional = answer.additional();
    let signer = key.map(|key| {
        let signed = ClientTransaction::request(Arc::clone(&key.key), &mut additional, Time48::from_u64(now));
        signed.expect("one signature fits")
    });
    Notice { bytes: additional.finish(), id, signer }
}

impl Notice {
    /// Whether `bytes` acknowledge it.
    pub(crate) fn is_answered_by(&self, bytes: &[u8], now: u64) -> bool {
        let Ok(mut message) = Message::from_octets(bytes.to_vec()) else { return false };
        let header = message.header();
        if header.id() != self.id || !header.qr() || header.opcode() != Opcode::NOTIFY {
            return false;
        }
        match &self.signer {
            None => true,
            Some(signer) => signer.answer(&mut message, Time48::from_u64(now)).is_ok(),
        }
    }
}
