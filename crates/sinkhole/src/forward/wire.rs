//! Questions and answers as bytes, for the path that every query takes.
//!
//! A forwarder changes little in a message: its first twelve bytes, the seconds that records live, the OPT record. So messages
//! stay bytes here; a [`Query`] knows where its parts are, and [`Scan`] is what one walk over an upstream's answer found.
//! Nothing is read past the end, a compression pointer only leads backwards, and each name is bounded by 255 bytes, so that
//! every walk ends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::name::{LABEL_BYTES_MAX, NAME_BYTES_MAX, Name, WireName};

pub(crate) const HEADER_BYTES: usize = 12;
pub(crate) const TYPE_A: u16 = 1;
pub(crate) const TYPE_CNAME: u16 = 5;
pub(crate) const TYPE_SOA: u16 = 6;
pub(crate) const TYPE_AAAA: u16 = 28;
const TYPE_DNAME: u16 = 39;
const TYPE_OPT: u16 = 41;
const TYPE_ANY: u16 = 255;
/// IXFR, AXFR, MAILB, MAILA: nothing to forward.
const TYPES_REFUSED: Range<u16> = 251..255;
const CLASS_IN: u16 = 1;
/// What fits into a datagram that nobody cuts (RFC 9715).
pub(crate) const DATAGRAM_BYTES: usize = 1232;
/// Options between neighbours, which are not passed on: cookie, keepalive, padding (RFC 7873, 7828, 7830).
const OPTIONS_OF_A_HOP: [u16; 3] = [10, 11, 12];
/// Records of a message beyond this are not looked at; the message is refused. 64 KiB hold about 5,900 of the smallest.
const RECORDS_MAX: usize = 6000;

pub(crate) const NOERROR: u8 = 0;
pub(crate) const FORMERR: u8 = 1;
pub(crate) const SERVFAIL: u8 = 2;
pub(crate) const NXDOMAIN: u8 = 3;
pub(crate) const NOTIMP: u8 = 4;
pub(crate) const REFUSED: u8 = 5;

/// The OPT record of a query (RFC 6891).
#[derive(Clone, Debug)]
pub(crate) struct Edns {
    pub(crate) payload: u16,
    pub(crate) version: u8,
    pub(crate) dnssec_ok: bool,
    /// Options to pass on, as they came.
    pub(crate) options: Vec<u8>,
}

/// A query that can be answered or forwarded.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) id: u16,
    pub(crate) recursion_desired: bool,
    pub(crate) authentic: bool,
    pub(crate) checking_disabled: bool,
    /// Name, type and class as they came, upper-case letters included.
    pub(crate) question: Vec<u8>,
    name: [u8; NAME_BYTES_MAX],
    name_length: usize,
    pub(crate) qtype: u16,
    pub(crate) edns: Option<Edns>,
}

/// Bytes that are no query.
#[derive(Debug)]
pub(crate) enum NoQuery {
    /// Not even worth an answer.
    Silence,
    /// To be answered with this.
    Answer(Vec<u8>),
}

/// Takes bytes off the front, and never more than there are.
#[derive(Clone, Copy)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// Steps over a name without following where it points.
    fn skip_name(&mut self) -> Option<()> {
        loop {
            match self.u8()? {
                0 => return Some(()),
                length if usize::from(length) <= LABEL_BYTES_MAX => {
                    self.take(usize::from(length)).map(drop)?;
                }
                pointer if pointer >= 0xc0 => return self.u8().map(drop),
                _ => return None,
            }
        }
    }

    /// Reads a name, following pointers, in lower case. No part of it may lie where the message is written to: in its header, or in
    /// the seconds of a record, which begin at `changing`, in order.
    fn name(&mut self, changing: &[u16]) -> Option<Name> {
        let mut wire = Vec::with_capacity(64);
        let mut reader = *self;
        self.skip_name()?;
        // A pointer leads to before where it was met, or the last one led: the way ends.
        let mut before = reader.at;
        loop {
            let start = reader.at;
            let kind = reader.u8()?;
            let is_label = usize::from(kind) <= LABEL_BYTES_MAX;
            let end = start + if is_label { 1 + usize::from(kind) } else { 2 };
            let next = changing.partition_point(|at| usize::from(*at) + 4 <= start);
            if start < HEADER_BYTES || changing.get(next).is_some_and(|at| usize::from(*at) < end) {
                return None;
            }
            match kind {
                0 => break,
                length if usize::from(length) <= LABEL_BYTES_MAX => {
                    let label = reader.take(usize::from(length))?;
                    wire.push(length);
                    wire.extend(label.iter().map(u8::to_ascii_lowercase));
                }
                high if high >= 0xc0 => {
                    let target = usize::from(high & 0x3f) << 8 | usize::from(reader.u8()?);
                    if target >= before {
                        return None;
                    }
                    (before, reader.at) = (target, target);
                }
                _ => return None,
            }
            if wire.len() >= NAME_BYTES_MAX {
                return None;
            }
        }
        wire.push(0);
        Some(WireName::new(&wire).ok()?.to_name())
    }
}

impl Query {
    /// Reads what came from a client.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, NoQuery> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Err(NoQuery::Silence) };
        if header[2] & 0x80 != 0 {
            return Err(NoQuery::Silence);
        }
        let refuse = |rcode: u8, question: &[u8]| {
            let mut answer =
                vec![header[0], header[1], 0x80 | (header[2] & 0x79), 0x80 | (header[3] & 0x10) | rcode];
            answer.extend_from_slice(&[0, u8::from(!question.is_empty()), 0, 0, 0, 0, 0, 0]);
            answer.extend_from_slice(question);
            Err(NoQuery::Answer(answer))
        };
        if header[2] & 0x78 != 0 {
            return refuse(NOTIMP, &[]);
        }
        // One question, no answers, no authorities; a few additional records.
        if header[4..10] != [0, 1, 0, 0, 0, 0] {
            return refuse(FORMERR, &[]);
        }
        let Some((mut query, mut reader)) = Self::read_question(header, bytes) else {
            return refuse(FORMERR, &[]);
        };
        let class = u16::from_be_bytes([
            query.question[query.name_length + 2],
            query.question[query.name_length + 3],
        ]);
        if class != CLASS_IN || TYPES_REFUSED.contains(&query.qtype) {
            return refuse(REFUSED, &query.question);
        }
        let additional = u16::from_be_bytes([header[10], header[11]]);
        for _ in 0..additional {
            if query.read_additional(&mut reader).is_none() {
                return refuse(FORMERR, &query.question);
            }
        }
        if query.edns.as_ref().is_some_and(|edns| edns.version > 0) {
            // RFC 6891 §6.1.3: BADVERS is 16, whose low bits are the header's.
            let mut answer = Vec::with_capacity(64);
            query.begin(NOERROR, false, &mut answer);
            query.finish(1, &[], &mut answer);
            return Err(NoQuery::Answer(answer));
        }
        Ok(query)
    }

    fn read_question<'a>(header: &[u8; HEADER_BYTES], bytes: &'a [u8]) -> Option<(Self, Reader<'a>)> {
        let mut reader = Reader { bytes, at: HEADER_BYTES };
        let mut name = [0; NAME_BYTES_MAX];
        let mut length = 0;
        // No compression: there is nothing before it that it could point to.
        loop {
            let label = usize::from(reader.u8()?);
            let end = length + 1 + label;
            if label > LABEL_BYTES_MAX || end > NAME_BYTES_MAX || (label > 0 && end == NAME_BYTES_MAX) {
                return None;
            }
            name[length] = u8::try_from(label).ok()?;
            for (to, from) in name[length + 1..end].iter_mut().zip(reader.take(label)?) {
                *to = from.to_ascii_lowercase();
            }
            length = end;
            if label == 0 {
                break;
            }
        }
        let qtype = reader.u16()?;
        reader.u16()?;
        let query = Self {
            id: u16::from_be_bytes([header[0], header[1]]),
            recursion_desired: header[2] & 1 != 0,
            authentic: header[3] & 0x20 != 0,
            checking_disabled: header[3] & 0x10 != 0,
            question: bytes[HEADER_BYTES..reader.at].to_vec(),
            name,
            name_length: length,
            qtype,
            edns: None,
        };
        Some((query, reader))
    }

    fn read_additional(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let owner = reader.at;
        reader.skip_name()?;
        let is_root = reader.at == owner + 1;
        let rtype = reader.u16()?;
        let class = reader.u16()?;
        let ttl = reader.u32()?.to_be_bytes();
        let length = usize::from(reader.u16()?);
        let data = reader.take(length)?;
        if rtype != TYPE_OPT {
            return Some(());
        }
        // RFC 6891 §6.1.1: one OPT, whose owner is the root.
        if self.edns.is_some() || !is_root {
            return None;
        }
        let options = passed_on(data)?;
        self.edns = Some(Edns { payload: class, version: ttl[1], dnssec_ok: ttl[2] & 0x80 != 0, options });
        Some(())
    }

    /// The asked name, in lower case.
    pub(crate) fn name(&self) -> WireName<'_> {
        WireName::checked(&self.name[..self.name_length])
    }

    /// Whether `question` asks the same, whatever the case of the name's letters.
    pub(crate) fn is_asked_by(&self, question: &[u8]) -> bool {
        let (own_name, own_kind) = self.question.split_at(self.name_length);
        question
            .split_at_checked(self.name_length)
            .is_some_and(|(name, kind)| name.eq_ignore_ascii_case(own_name) && kind == own_kind)
    }

    pub(crate) fn wants_everything(&self) -> bool {
        self.qtype == TYPE_ANY
    }

    pub(crate) fn dnssec_ok(&self) -> bool {
        self.edns.as_ref().is_some_and(|edns| edns.dnssec_ok)
    }

    /// Bytes that a datagram to this client may have.
    pub(crate) fn datagram_max(&self) -> usize {
        self.edns.as_ref().map_or(512, |edns| usize::from(edns.payload).clamp(512, DATAGRAM_BYTES))
    }

    /// Begins an answer: header without counts, and the question.
    pub(crate) fn begin(&self, rcode: u8, authentic: bool, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.id.to_be_bytes());
        let authentic = authentic && (self.dnssec_ok() || self.authentic);
        out.push(0x80 | u8::from(self.recursion_desired));
        out.push(0x80 | u8::from(authentic) << 5 | u8::from(self.checking_disabled) << 4 | (rcode & 0x0f));
        out.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(&self.question);
    }

    /// Ends an answer: the OPT record, if the client speaks EDNS.
    pub(crate) fn finish(&self, extended_rcode: u8, options: &[u8], out: &mut Vec<u8>) {
        let Some(edns) = &self.edns else { return };
        let payload = u16::try_from(DATAGRAM_BYTES).expect("the constant is small");
        let length = u16::try_from(options.len()).unwrap_or(0);
        out.extend_from_slice(&[0]);
        out.extend_from_slice(&TYPE_OPT.to_be_bytes());
        out.extend_from_slice(&payload.to_be_bytes());
        out.extend_from_slice(&[extended_rcode, 0, u8::from(edns.dnssec_ok) << 7, 0]);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&options[..usize::from(length)]);
        let count = u16::from_be_bytes([out[10], out[11]]).saturating_add(1);
        out[10..12].copy_from_slice(&count.to_be_bytes());
    }

    /// An answer without data.
    pub(crate) fn bare(&self, rcode: u8, truncated: bool, out: &mut Vec<u8>) {
        self.begin(rcode, false, out);
        out[2] |= u8::from(truncated) << 1;
        self.finish(0, &[], out);
    }
}

/// The options of `data` that are no matter of one hop; `None` if their lengths lie.
fn passed_on(data: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut reader = Reader { bytes: data, at: 0 };
    while reader.at < data.len() {
        let start = reader.at;
        let code = reader.u16()?;
        let length = usize::from(reader.u16()?);
        reader.take(length)?;
        if !OPTIONS_OF_A_HOP.contains(&code) {
            kept.extend_from_slice(&data[start..reader.at]);
        }
    }
    Some(kept)
}

/// What one walk over an answer found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scan {
    /// Where the question ends.
    pub(crate) records_at: usize,
    /// Where the records end that are passed on: at the OPT record, or the end.
    pub(crate) end: usize,
    /// Counts of answers, authorities, additional records before `end`.
    pub(crate) counts: [u16; 3],
    /// Where each record's seconds stand.
    pub(crate) ttls: Vec<u16>,
    /// The least of them, in an answer without data also that of its SOA (RFC 2308 §5).
    pub(crate) ttl: u32,
    pub(crate) rcode: u8,
    pub(crate) extended_rcode: u8,
    pub(crate) authentic: bool,
    pub(crate) truncated: bool,
    /// Options of the answer's OPT to pass on.
    pub(crate) options: Vec<u8>,
    /// What CNAME and DNAME records of the answer lead to.
    pub(crate) aliases: Vec<Name>,
    /// Addresses in the answer.
    pub(crate) addresses: Vec<IpAddr>,
}

impl Scan {
    /// Walks over an upstream's answer; `None` if it is none.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        if header[2] & 0xf8 != 0x80 || count(4) != 1 {
            return None;
        }
        let mut reader = Reader { bytes, at: HEADER_BYTES };
        reader.skip_name()?;
        reader.take(4)?;
        let mut scan = Self {
            records_at: reader.at,
            ttl: u32::MAX,
            rcode: header[3] & 0x0f,
            authentic: header[3] & 0x20 != 0,
            truncated: header[2] & 2 != 0,
            ..Self::default()
        };
        let counts = [count(6), count(8), count(10)];
        if counts.iter().map(|count| usize::from(*count)).sum::<usize>() > RECORDS_MAX {
            return None;
        }
        for (section, records) in counts.into_iter().enumerate() {
            for _ in 0..records {
                let start = reader.at;
                if scan.record(&mut reader, section)? {
                    // What follows the OPT could point behind it, so it is left out: it is additional.
                    scan.end = start;
                    return Some(scan);
                }
                scan.counts[section] += 1;
            }
        }
        scan.end = reader.at;
        Some(scan)
    }

    /// Reads one record; tells whether it is the OPT.
    fn record(&mut self, reader: &mut Reader<'_>, section: usize) -> Option<bool> {
        reader.skip_name()?;
        let rtype = reader.u16()?;
        reader.u16()?;
        let ttl_at = reader.at;
        let ttl = reader.u32()?;
        let length = usize::from(reader.u16()?);
        let data_at = reader.at;
        let data = reader.take(length)?;
        if rtype == TYPE_OPT {
            self.extended_rcode = ttl.to_be_bytes()[0];
            self.options = passed_on(data)?;
            return (section == 2).then_some(true);
        }
        self.ttls.push(u16::try_from(ttl_at).ok()?);
        // RFC 2181 §8: a first bit that is set means no time at all.
        self.ttl = self.ttl.min(if ttl >> 31 == 0 { ttl } else { 0 });
        match (section, rtype) {
            (0, TYPE_CNAME | TYPE_DNAME) => {
                // The data may not reach beyond itself, but for pointers.
                let mut data = Reader { bytes: &reader.bytes[..data_at + length], at: data_at };
                self.aliases.push(data.name(&self.ttls)?);
            }
            (0, TYPE_A) => {
                self.addresses.push(Ipv4Addr::from(*data.first_chunk::<4>()?).into());
            }
            (0, TYPE_AAAA) => {
                self.addresses.push(Ipv6Addr::from(*data.first_chunk::<16>()?).into());
            }
            (1, TYPE_SOA) => {
                let minimum = data.last_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))?;
                self.ttl = self.ttl.min(minimum);
            }
            _ => {}
        }
        Some(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A query for `bad.Example` with type and more.
    pub(crate) fn query(qtype: u16, more: &[u8], additional: u8) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, additional];
        bytes.extend_from_slice(b"\x03bad\x07Example\x00");
        bytes.extend_from_slice(&qtype.to_be_bytes());
        bytes.extend_from_slice(&[0, 1]);
        bytes.extend_from_slice(more);
        bytes
    }

    const OPT: &[u8] = &[0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 0];

    #[test]
    fn queries_are_read() {
        let read = Query::read(&query(28, OPT, 1)).unwrap();
        assert_eq!(read.name().to_string(), "bad.example.");
        assert_eq!(
            (read.id, read.qtype, read.dnssec_ok(), read.datagram_max()),
            (0x1234, 28, true, DATAGRAM_BYTES)
        );
        assert_eq!(Query::read(&query(1, &[], 0)).unwrap().datagram_max(), 512);
        // Cookie (10) stays here, a client subnet (8) is passed on.
        let options = [&OPT[..9], &[0, 13, 0, 10, 0, 1, 7, 0, 8, 0, 4, 0, 1, 0, 0]].concat();
        let read = Query::read(&query(1, &options, 1)).unwrap();
        assert_eq!(read.edns.unwrap().options, [0, 8, 0, 4, 0, 1, 0, 0]);
    }

    #[test]
    fn what_is_no_query_is_refused_or_ignored() {
        let mut response = query(1, &[], 0);
        response[2] |= 0x80;
        let mut update = query(1, &[], 0);
        update[2] |= 5 << 3;
        let mut two = query(1, &[], 0);
        two[5] = 2;
        let mut pointer = query(1, &[], 0);
        pointer[12] = 0xc0;
        let mut chaos = query(16, &[], 0);
        *chaos.last_mut().unwrap() = 3;
        let twice = [OPT, OPT].concat();
        let mut version = OPT.to_vec();
        version[6] = 1;
        let lying = [&OPT[..9], &[0, 4, 0, 8, 0xff, 0xff]].concat();
        let cases: [(&str, Vec<u8>, Option<u8>); 10] = [
            ("short", vec![0; 11], None),
            ("a response", response, None),
            ("an update", update, Some(NOTIMP)),
            ("two questions", two, Some(FORMERR)),
            ("a pointer in the question", pointer, Some(FORMERR)),
            ("another class", chaos, Some(REFUSED)),
            ("a transfer", query(252, &[], 0), Some(REFUSED)),
            ("two OPT", query(1, &twice, 2), Some(FORMERR)),
            ("a later EDNS", query(1, &version, 1), Some(NOERROR)),
            ("an option that lies", query(1, &lying, 1), Some(FORMERR)),
        ];
        for (what, bytes, want) in cases {
            match (Query::read(&bytes), want) {
                (Err(NoQuery::Silence), None) => {}
                (Err(NoQuery::Answer(answer)), Some(rcode)) => {
                    assert_eq!((answer[0], answer[1], answer[3] & 0x0f), (0x12, 0x34, rcode), "{what}");
                    assert!(answer[2] & 0x80 != 0 && answer.len() <= bytes.len() + OPT.len(), "{what}");
                }
                (got, want) => panic!("{what}: {got:?}, not {want:?}"),
            }
        }
    }

    fn answer(records: &[u8], counts: [u8; 3]) -> Vec<u8> {
        let mut bytes = query(1, records, 0);
        (bytes[2], bytes[3], bytes[7], bytes[9], bytes[11]) = (0x81, 0x80, counts[0], counts[1], counts[2]);
        bytes
    }

    #[test]
    fn an_answer_is_walked_once() {
        // bad.Example CNAME to `to` under the same parent (offset 16), then its address, then the OPT and a record after it.
        let records = [
            &[0xc0, 12, 0, 5, 0, 1, 0, 0, 1, 44, 0, 5, 2, b'T', b'o', 0xc0, 16][..],
            &[0xc0, 41, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1],
            OPT,
            &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 9],
        ]
        .concat();
        let scan = Scan::read(&answer(&records, [2, 0, 2])).unwrap();
        assert_eq!(scan.aliases[0].to_string(), "to.example.");
        assert_eq!(scan.addresses, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        assert_eq!((scan.ttl, scan.counts, scan.ttls.len()), (60, [2, 0, 0], 2));
        assert_eq!(scan.end - scan.records_at, 33);
    }

    #[test]
    fn a_name_out_of_what_is_written_to_is_none() {
        // An alias whose name lies in its own seconds, reaches into them, or lies in the header; and one in the question.
        for (target, want) in [(35_u8, false), (34, false), (4, false), (12, true)] {
            let record = [0xc0, 12, 0, 5, 0, 1, 1, b'a', 0, 0, 0, 2, 0xc0, target];
            assert_eq!(Scan::read(&answer(&record, [1, 0, 0])).is_some(), want, "{target}");
        }
    }

    #[test]
    fn names_that_run_in_circles_end() {
        for target in [[0xc0, 41], [0xc0, 43], [0xff, 0xff]] {
            let records = [&[0xc0, 12, 0, 5, 0, 1, 0, 0, 1, 44, 0, 2][..], &target].concat();
            assert!(Scan::read(&answer(&records, [1, 0, 0])).is_none(), "{target:?}");
        }
        // A label that the next pointer leads back into.
        let records = [&[0xc0, 12, 0, 5, 0, 1, 0, 0, 1, 44, 0, 4][..], &[1, b'a', 0xc0, 41]].concat();
        assert!(Scan::read(&answer(&records, [1, 0, 0])).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _query = Query::read(&bytes);
            let _scan = Scan::read(&bytes);
            let _scan = Scan::read(&answer(&bytes, [3, 1, 1]));
        }
    }
}
