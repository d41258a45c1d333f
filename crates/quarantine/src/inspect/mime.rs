//! The tree of a mail: headers, boundaries, bodies (RFC 5322, RFC 2045 to 2047, RFC 2231).
//!
//! The walk goes down by itself and bounds how far; single headers are read by `mail-parser`, which knows their many spellings.

use std::borrow::Cow;
use std::net::IpAddr;

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::{Address, Header, HeaderName, HeaderValue, MessageParser};
use memchr::memmem;

use super::decode::{Transfer, base64, quoted_printable};
use super::{Unexamined, Walk, html, links};
use crate::judge::{Observable, Role};

/// How much of a part is looked at to tell text from other things.
const SNIFFED_BYTES: usize = 4096;

/// What a part's headers say of its body.
#[derive(Debug)]
struct Kind {
    /// In lower case, as in `text/html`.
    media_type: String,
    boundary: Option<String>,
    charset: Option<String>,
    transfer: Transfer,
    names: Vec<String>,
    is_attachment: bool,
}

impl Kind {
    /// A part that does not say is plain text; within a digest it is a mail (RFC 2046 §5.1.5).
    fn of(headers: &[Header<'_>], in_digest: bool) -> Self {
        let mut kind = Self {
            media_type: if in_digest { "message/rfc822" } else { "text/plain" }.to_owned(),
            boundary: None,
            charset: None,
            transfer: Transfer::Plain,
            names: Vec::new(),
            is_attachment: false,
        };
        for header in headers {
            match (&header.name, &header.value) {
                (HeaderName::ContentType, HeaderValue::ContentType(content)) => {
                    let subtype = content.subtype().unwrap_or_default();
                    kind.media_type = format!("{}/{subtype}", content.ctype()).to_ascii_lowercase();
                    kind.boundary = content.attribute("boundary").map(str::to_owned);
                    kind.charset = content.attribute("charset").map(str::to_owned);
                    kind.names.extend(content.attribute("name").map(str::to_owned));
                }
                (HeaderName::ContentDisposition, HeaderValue::ContentType(content)) => {
                    kind.is_attachment = content.is_attachment();
                    kind.names.extend(content.attribute("filename").map(str::to_owned));
                }
                (HeaderName::ContentTransferEncoding, HeaderValue::Text(name)) => {
                    kind.transfer = Transfer::named(name);
                }
                _ => (),
            }
        }
        kind
    }

    fn is_text(&self) -> bool {
        self.media_type.starts_with("text/")
    }
}

impl Walk<'_> {
    /// A whole mail, or as much as came of it: its own headers are looked at, then its body.
    pub(super) fn mail(&mut self, bytes: &[u8], depth: usize, is_cut: bool) {
        self.part(bytes, depth, Place { is_mail: true, in_digest: false, is_cut });
    }

    fn part(&mut self, bytes: &[u8], depth: usize, place: Place) {
        if depth > self.limits.depth_max {
            return self.skip(Unexamined::TooDeep);
        }
        if self.parts >= self.limits.parts_max {
            return self.skip(Unexamined::TooManyParts);
        }
        self.parts += 1;
        let body_at = body_of(bytes);
        let mut head = &bytes[..body_at];
        if head.len() > self.limits.header_bytes_max {
            self.skip(Unexamined::HeadersTooLarge);
            head = &head[..self.limits.header_bytes_max];
        }
        // The parser wants the empty line.
        let mut head = head.to_vec();
        head.extend_from_slice(b"\r\n\r\n");
        let parsed = MessageParser::default().parse_headers(head.as_slice());
        let headers =
            parsed.as_ref().and_then(|parsed| parsed.parts.first()).map(|part| part.headers.as_slice());
        let headers = headers.unwrap_or_default();
        if place.is_mail {
            self.headers(headers, &head, depth == 0);
        }
        // What was taken for headers may be a body without any.
        if body_at == bytes.len() {
            self.text(&String::from_utf8_lossy(&head));
        }
        let kind = Kind::of(headers, place.in_digest);
        self.body(&bytes[body_at..], &kind, depth, place.is_cut);
    }

    fn body(&mut self, body: &[u8], kind: &Kind, depth: usize, is_cut: bool) {
        if kind.media_type.starts_with("multipart/")
            && let Some(boundary) = &kind.boundary
        {
            return self.multipart(body, boundary, kind, depth, is_cut);
        }
        let decoded = match kind.transfer {
            Transfer::Plain => Cow::Borrowed(body),
            Transfer::Base64 => Cow::Owned(base64(body)),
            Transfer::QuotedPrintable => Cow::Owned(quoted_printable(body)),
        };
        for name in &kind.names {
            self.file_name(name);
        }
        if matches!(kind.media_type.as_str(), "message/rfc822" | "message/global" | "message/partial") {
            if !is_cut {
                self.hashes(&decoded);
            }
            return self.part(&decoded, depth + 1, Place { is_mail: true, in_digest: false, is_cut });
        }
        let is_file = kind.is_attachment || !kind.names.is_empty() || !kind.is_text();
        if is_file && !is_cut {
            self.hashes(&decoded);
            // Whoever made the file had no carriage returns, or had them before the mail did.
            if kind.is_text()
                && kind.transfer != Transfer::Base64
                && memmem::find(&decoded, b"\r\n").is_some()
            {
                self.hashes(&without_carriage_returns(&decoded));
            }
        }
        self.content(&decoded, kind.charset.as_deref(), kind.media_type.as_str(), depth, is_cut);
    }

    /// A file's content, from a part or from an archive: an archive, HTML, some other text, or nothing to look into.
    pub(super) fn content(
        &mut self,
        bytes: &[u8],
        charset: Option<&str>,
        hint: &str,
        depth: usize,
        is_cut: bool,
    ) {
        if self.archive(bytes, depth, is_cut) {
            return;
        }
        let sniffed = &bytes[..bytes.len().min(SNIFFED_BYTES)];
        let is_utf16 = sniffed.starts_with(b"\xff\xfe") || sniffed.starts_with(b"\xfe\xff");
        let is_declared = hint.starts_with("text/");
        // Pictures and programs hold zero bytes early on; a PDF is text enough for its links.
        if !is_declared && !is_utf16 && sniffed.contains(&0) {
            return;
        }
        let text = decoded_text(bytes, charset.or(is_utf16.then_some("utf-16")));
        if hint == "text/html" || looks_like_markup(&text) {
            self.markup(&text);
        } else {
            self.text(&text);
        }
    }

    fn markup(&mut self, text: &str) {
        let mut values = Vec::new();
        let visible = html::read(text, &mut |value| values.push(value.to_owned()));
        self.text(&visible);
        for value in values {
            // `//host/path` takes the scheme of its page.
            if value.starts_with("//") && !self.link(&value) {
                return;
            }
            let value = links::refang(&value);
            let mut goes_on = true;
            links::find(&value, &mut |url| {
                goes_on = self.link(url);
                goes_on
            });
            if !goes_on {
                return;
            }
        }
    }

    /// The parts between boundaries (RFC 2046 §5.1.1). What stands before the first and behind the last is text that some show.
    fn multipart(&mut self, body: &[u8], boundary: &str, kind: &Kind, depth: usize, is_cut: bool) {
        let in_digest = kind.media_type == "multipart/digest";
        let delimiter = format!("--{boundary}");
        let finder = memmem::Finder::new(delimiter.as_bytes());
        let mut place = Some((0, false)); // where the current stretch begins, and whether it is a part
        let mut found = finder.find_iter(body).filter(|at| *at == 0 || body[at - 1] == b'\n');
        while let Some((begin, is_part)) = place {
            let end = found.next();
            let stretch = &body[begin.min(body.len())..end.unwrap_or(body.len()).max(begin.min(body.len()))];
            let is_last = end.is_none();
            if is_part {
                let stretch = if is_last { stretch } else { without_last_break(stretch) };
                self.part(stretch, depth + 1, Place { is_mail: false, in_digest, is_cut: is_cut && is_last });
                if self.parts >= self.limits.parts_max && !is_last {
                    return self.skip(Unexamined::TooManyParts);
                }
            } else {
                self.text(&String::from_utf8_lossy(stretch));
            }
            place = end.map(|at| {
                let behind = at + delimiter.len();
                let line_end =
                    memchr::memchr(b'\n', &body[behind..]).map_or(body.len(), |end| behind + end + 1);
                (line_end, !body[behind..].starts_with(b"--"))
            });
        }
    }

    fn headers(&mut self, headers: &[Header<'_>], raw: &[u8], is_outermost: bool) {
        for header in headers {
            if let (HeaderName::Subject, HeaderValue::Text(subject)) = (&header.name, &header.value) {
                if is_outermost {
                    self.report.subject = subject.to_string();
                }
                self.see(&Observable::Subject(subject));
                self.text(subject);
            } else if matches!(header.name, HeaderName::Received) || is_origin(header.name.as_str()) {
                let line = raw.get(header.offset_start as usize..header.offset_end as usize);
                self.trace(line.unwrap_or_default());
            } else if let Some(role) = role_of(&header.name) {
                match &header.value {
                    HeaderValue::Address(addresses) => self.addresses(role, addresses),
                    HeaderValue::Text(address) => self.mailbox(role, address),
                    HeaderValue::TextList(list) => {
                        for address in list {
                            self.mailbox(role, address);
                        }
                    }
                    HeaderValue::DateTime(_)
                    | HeaderValue::ContentType(_)
                    | HeaderValue::Received(_)
                    | HeaderValue::Empty => (),
                }
            }
        }
    }

    fn addresses(&mut self, role: Role, addresses: &Address<'_>) {
        for address in addresses.iter() {
            if let Some(mailbox) = &address.address {
                self.mailbox(role, mailbox);
            }
            if let Some(name) = address.name.as_deref().filter(|_| role != Role::Recipient) {
                self.see(&Observable::SenderName(name));
            }
        }
    }

    /// The addresses between brackets of a `Received` line (RFC 5321 §4.4).
    fn trace(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let bracketed = text.split(['[', '(']).skip(1).filter_map(|rest| rest.split([']', ')']).next());
        let whole = std::iter::once(text.trim());
        let addresses: Vec<IpAddr> = bracketed
            .chain(whole)
            .map(|word| word.trim().trim_start_matches("IPv6:"))
            .filter_map(|word| word.parse().ok())
            .collect();
        for address in addresses {
            self.address(address);
        }
    }

    pub(super) fn file_name(&mut self, name: &str) {
        // Archives and careless clients name folders, too.
        let bare = name.rsplit(['/', '\\']).next().unwrap_or(name).trim();
        if !bare.is_empty() {
            self.see(&Observable::FileName(bare));
        }
        if bare != name && !name.is_empty() {
            self.see(&Observable::FileName(name));
        }
    }
}

/// Where a part stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Whether its headers are a mail's.
    is_mail: bool,
    in_digest: bool,
    /// Whether its end was cut off.
    is_cut: bool,
}

/// In which role an address of this header stands.
fn role_of(name: &HeaderName<'_>) -> Option<Role> {
    let is = |names: &[HeaderName<'_>]| names.contains(name);
    if is(&[HeaderName::From, HeaderName::ResentFrom]) {
        Some(Role::From)
    } else if is(&[HeaderName::Sender, HeaderName::ResentSender]) {
        Some(Role::Sender)
    } else if is(&[HeaderName::ReplyTo]) {
        Some(Role::ReplyTo)
    } else if is(&[HeaderName::ReturnPath]) {
        Some(Role::EnvelopeSender)
    } else if is(&[HeaderName::To, HeaderName::Cc, HeaderName::Bcc]) {
        Some(Role::Recipient)
    } else {
        None
    }
}

fn is_origin(name: &str) -> bool {
    ["X-Originating-IP", "X-Sender-IP", "X-Source-IP"].iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Where the body begins: behind the first empty line.
fn body_of(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\r\n") {
        return 2;
    }
    if bytes.starts_with(b"\n") {
        return 1;
    }
    for at in memchr::memchr_iter(b'\n', bytes) {
        let behind = &bytes[at + 1..];
        if behind.starts_with(b"\n") {
            return at + 2;
        }
        if behind.starts_with(b"\r\n") {
            return at + 3;
        }
    }
    bytes.len()
}

/// The line break before a boundary belongs to the boundary.
fn without_last_break(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n")).unwrap_or(bytes)
}

fn without_carriage_returns(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memmem::find(rest, b"\r\n") {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out
}

fn decoded_text<'a>(bytes: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    let charset = charset.filter(|name| !name.eq_ignore_ascii_case("utf-8"));
    match charset.and_then(|name| charset_decoder(name.as_bytes())) {
        Some(decode) => Cow::Owned(decode(bytes)),
        None => String::from_utf8_lossy(bytes),
    }
}

fn looks_like_markup(text: &str) -> bool {
    let head: String = text.chars().take(512).collect::<String>().to_ascii_lowercase();
    let head = head.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    ["<!doctype html", "<html", "<head", "<body", "<?xml", "<svg", "<script"]
        .iter()
        .any(|start| head.starts_with(start))
}
