//! What a file is, by its beginning.

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Nothing is in it.
    Empty,
    /// Text, or anything else that strings may stand in.
    Text,
    /// One mail.
    Mail,
    /// Mails, one behind the other.
    Mbox,
    /// Captured packets, in libpcap's format.
    Pcap,
    /// Captured packets, in the newer format.
    PcapNg,
    /// Packets of `NetFlow` and IPFIX, one behind the other.
    Flows,
    /// Flows as nfcapd stores them, which is not read.
    Nfcapd,
    /// STIX objects.
    Stix,
}

impl Format {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Text => "text",
            Self::Mail => "mail",
            Self::Mbox => "mbox",
            Self::Pcap => "pcap",
            Self::PcapNg => "pcapng",
            Self::Flows => "flows",
            Self::Nfcapd => "nfcapd",
            Self::Stix => "stix",
        }
    }
}

pub(crate) fn format_of(head: &[u8]) -> Format {
    match head {
        [] => Format::Empty,
        [0xd4, 0xc3, 0xb2, 0xa1, ..]
        | [0xa1, 0xb2, 0xc3, 0xd4, ..]
        | [0x4d, 0x3c, 0xb2, 0xa1, ..]
        | [0xa1, 0xb2, 0x3c, 0x4d, ..] => Format::Pcap,
        [0x0a, 0x0d, 0x0d, 0x0a, _, _, _, _, 0x1a, 0x2b, 0x3c, 0x4d, ..]
        | [0x0a, 0x0d, 0x0d, 0x0a, _, _, _, _, 0x4d, 0x3c, 0x2b, 0x1a, ..] => Format::PcapNg,
        [0x0c, 0xa5, 1 | 2, 0, ..] | [0xa5, 0x0c, 0, 1 | 2, ..] => Format::Nfcapd,
        _ if are_flows(head) => Format::Flows,
        _ if is_stix(head) => Format::Stix,
        _ if is_mbox(head) => Format::Mbox,
        _ if is_mail(head) => Format::Mail,
        _ => Format::Text,
    }
}

/// Whether a packet of an exporter begins here.
pub(crate) fn are_flows(head: &[u8]) -> bool {
    let number = |at: usize| Some(u16::from_be_bytes(*head.get(at..)?.first_chunk()?));
    match number(0) {
        // Version 5 has up to 30 records of 48 bytes.
        Some(5) => number(2).is_some_and(|count| (1..=30).contains(&count)) && head.len() >= 24 + 48,
        // The first set of version 9 has an id that sets can have, and fits.
        Some(9) => {
            number(2).is_some_and(|count| count > 0)
                && number(20).is_some_and(|id| id <= 1 || id >= 256)
                && number(22)
                    .is_some_and(|length| length >= 4 && usize::from(length) + 20 <= head.len().max(24))
        }
        Some(10) => {
            number(2).is_some_and(|length| length >= 20 && usize::from(length) <= head.len())
                && number(16).is_some_and(|id| id == 2 || id == 3 || id >= 256)
        }
        Some(_) | None => false,
    }
}

/// JSON that speaks of itself as STIX in its first objects. Logs are often JSON, too.
fn is_stix(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'{' | b'[')) {
        return false;
    }
    memchr::memmem::find_iter(text, b"\"type\"").any(|at| {
        let behind = text[at + 6..].trim_ascii_start();
        let value = behind.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
        value.starts_with(b"\"bundle\"") || value.starts_with(b"\"observed-data\"")
    }) || (memchr::memmem::find(text, b"\"spec_version\"").is_some()
        && memchr::memmem::find(text, b"\"objects\"").is_some())
}

fn is_mbox(head: &[u8]) -> bool {
    let Some(rest) = head.strip_prefix(b"From ") else { return false };
    memchr::memchr(b'\n', rest).is_some_and(|end| header_name(&rest[end + 1..]).is_some())
}

/// Headers that mails have and little else does.
const OF_MAIL: [&[u8]; 8] = [
    b"received",
    b"return-path",
    b"delivered-to",
    b"message-id",
    b"mime-version",
    b"from",
    b"dkim-signature",
    b"authentication-results",
];

/// A mail has lines like `Name: value`, an empty one behind them, and among the names some that every mail has.
fn is_mail(head: &[u8]) -> bool {
    let (mut usual, mut known, mut rest) = (0, 0, head);
    loop {
        if rest.starts_with(b"\n") || rest.starts_with(b"\r\n") {
            return known >= 1 && usual >= 2;
        }
        let Some(end) = memchr::memchr(b'\n', rest) else { return known >= 2 && usual >= 3 };
        if !(usual > 0 && matches!(rest.first(), Some(b' ' | b'\t'))) {
            let Some(name) = header_name(rest) else { return false };
            let name = name.to_ascii_lowercase();
            known += usize::from(OF_MAIL.contains(&name.as_slice()));
            usual += 1;
        }
        rest = &rest[end + 1..];
    }
}

/// The name of a header (RFC 5322 §2.2) at the beginning of a line.
pub(crate) fn header_name(line: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b':', &line[..line.len().min(80)])?;
    let name = &line[..end];
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides() {
        let mail =
            b"Return-Path: <a@b.example>\r\nReceived: from x\r\n\tby y\r\nSubject: z\r\n\r\nbody".as_slice();
        let mbox = [b"From a@b.example Thu Jan  1 00:00:00 2026\n".as_slice(), mail].concat();
        let ipfix = [&[0, 10, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 4][..], &[0; 4]].concat();
        let cases: &[(&[u8], Format)] = &[
            (b"", Format::Empty),
            (b"Jan 15 10:00:00 host named: query: a.example\n", Format::Text),
            (b"time: 3\nhost: a\n\nkey: value\n", Format::Text),
            (b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", Format::Text),
            (mail, Format::Mail),
            (&mbox, Format::Mbox),
            (b"From here on it is text\nand goes on\n", Format::Text),
            (b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00", Format::Pcap),
            (b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a", Format::PcapNg),
            (&ipfix, Format::Flows),
            (b"\x0c\xa5\x01\x00", Format::Nfcapd),
            (b" {\"type\" : \"bundle\", \"objects\": []}", Format::Stix),
            (b"[{\"id\": \"x\", \"type\":\"observed-data\"}]", Format::Stix),
            (b"{\"objects\": [{\"spec_version\": \"2.1\"}]}", Format::Stix),
            (b"{\"timestamp\": \"2026\", \"event_type\": \"dns\", \"type\": \"query\"}\n", Format::Text),
        ];
        for (head, want) in cases {
            assert_eq!(format_of(head), *want, "{}", String::from_utf8_lossy(head));
        }
    }
}
