//! Requests to the primary and its answers, signed with TSIG (RFC 8945): all that is asked of the crate `domain`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use domain::base::MessageBuilder;
use domain::base::iana::{Class, Opcode, Rcode, Rtype, TsigRcode};
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
            let code = error.error();
            let built = error.build_message(&original, MessageBuilder::new_vec());
            return built
                .map_or(Incoming::Nothing, |reply| Incoming::Refused(with_right_code(reply.finish(), code)));
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

/// RFC 8945 §5.2.2: a signature that is wrong is BADSIG. `domain` 0.12.3 puts FORMERR into the TSIG record.
fn with_right_code(mut reply: Vec<u8>, code: TsigRcode) -> Vec<u8> {
    let is_notauth = reply.get(3).is_some_and(|byte| byte & 0x0f == Rcode::NOTAUTH.to_int());
    // The record ends with the code and an empty field's length.
    let at = reply.len().saturating_sub(4);
    if code == TsigRcode::FORMERR
        && is_notauth
        && let Some(bytes) = reply.get_mut(at..at + 2)
    {
        bytes.copy_from_slice(&TsigRcode::BADSIG.to_int().to_be_bytes());
    }
    reply
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

#[cfg(test)]
mod tests {
    use domain::tsig::ValidationError;

    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn key(name: &str, fill: u8) -> TsigKey {
        TsigKey::new(name.parse().unwrap(), TsigAlgorithm::HmacSha512, &[fill; 64]).unwrap()
    }

    /// A question for the SOA of `z`, signed at `when`.
    fn signed(key: &TsigKey, when: u64) -> (Vec<u8>, ClientTransaction<Arc<Key>>) {
        let mut question = MessageBuilder::new_vec().question();
        question.push((DomainName::vec_from_str("z").unwrap(), Rtype::SOA)).unwrap();
        let mut additional = question.additional();
        let signer =
            ClientTransaction::request(Arc::clone(&key.key), &mut additional, Time48::from_u64(when))
                .unwrap();
        (additional.finish(), signer)
    }

    #[test]
    fn a_signature_has_its_name_its_secret_and_its_time() {
        let ring = KeyRing::new(&[key("k", 1)]);
        let cases = [
            // key, when, what the secondary makes of the answer; nothing if it is one
            (key("k", 1), NOW, None),
            (key("k", 1), NOW - 300, None),
            (key("k", 1), NOW - 301, Some(TsigRcode::BADTIME)),
            (key("k", 1), NOW + 301, Some(TsigRcode::BADTIME)),
            (key("k", 2), NOW, Some(TsigRcode::BADSIG)),
            (key("other", 1), NOW, Some(TsigRcode::BADKEY)),
        ];
        for (key, when, want) in cases {
            let (bytes, signer) = signed(&key, when);
            match read(&bytes, &ring, NOW) {
                Incoming::Request(mut request) => {
                    assert_eq!((want, request.key()), (None, Some("k".parse().unwrap())));
                    let answer = request.reply(&Reply::error(Rcode::REFUSED), NOW);
                    let mut answer = Message::from_octets(answer).unwrap();
                    signer.answer(&mut answer, Time48::from_u64(when)).unwrap();
                }
                Incoming::Refused(reply) => {
                    let mut reply = Message::from_octets(reply).unwrap();
                    let heard = signer.answer(&mut reply, Time48::from_u64(when));
                    let right = match heard {
                        // The one error that is signed: it tells the primary's time.
                        Err(ValidationError::ServerBadTime { server, .. }) => {
                            assert_eq!(server, Time48::from_u64(NOW));
                            want == Some(TsigRcode::BADTIME)
                        }
                        Err(ValidationError::ServerBadSig) => want == Some(TsigRcode::BADSIG),
                        Err(ValidationError::ServerBadKey) => want == Some(TsigRcode::BADKEY),
                        _ => false,
                    };
                    assert!(right, "{heard:?}, not {want:?}");
                }
                Incoming::Nothing => panic!("an answer to {want:?}"),
            }
        }
    }

    #[test]
    fn a_notice_is_acknowledged_by_its_answer_alone() {
        let zone: Name = "z".parse().unwrap();
        let soa = b"\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x1e\x00\x16\x00\x00\x00\x00\x00\x07\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01";
        let plain = notice(7, zone.as_wire(), soa, None, NOW);
        let mut answer = plain.bytes.clone();
        assert!(!plain.is_answered_by(&answer, NOW), "its own echo");
        answer[2] |= 0x80;
        assert!(plain.is_answered_by(&answer, NOW));
        answer[1] ^= 1;
        assert!(!plain.is_answered_by(&answer, NOW), "another identifier");
        let signed = notice(7, zone.as_wire(), soa, Some(&key("k", 1)), NOW);
        answer[1] ^= 1;
        assert!(!signed.is_answered_by(&answer, NOW), "an answer without a signature");
    }
}
