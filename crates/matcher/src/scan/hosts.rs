//! Names, addresses, URLs and e-mail addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::blind::Shape;
use crate::key::{Canonical, Key, Kind, Scope, TEXT_BYTES_MAX, canonical_name};
use crate::matcher::Matcher;
use crate::names::Lowered;
use crate::scan::{Context, Met};
use crate::text;
use crate::url::{self, Host};

/// Bytes that one run of labels may take: a name of 253 in the most wasteful defanged form, `[dot]`, with slack for UTF-8.
const RUN_BYTES_MAX: usize = 1024;
/// RFC 5321 §4.5.3.1.1.
const LOCAL_BYTES_MAX: usize = 64;

/// URLs that are read within one URL, as a redirector has them. A text of nothing but `http://` would be read a thousand times over without it.
const NESTED_MAX: u8 = 4;

const NAME: u8 = 1;
const LOCAL: u8 = 2;
const URL_END: u8 = 4;

/// What each byte can be part of.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0u8;
    loop {
        let mut class = 0;
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            class |= NAME | LOCAL;
        }
        // RFC 5322 §3.2.3 has these in an atom, and the dot between atoms.
        if matches!(
            byte,
            b'.' | b'!'
                | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'/'
                | b'='
                | b'?'
                | b'^'
                | b'`'
                | b'{'
                | b'|'
                | b'}'
                | b'~'
        ) {
            class |= LOCAL;
        }
        if byte <= b' ' || byte == 0x7f || matches!(byte, b'<' | b'>' | b'"' | b'\'' | b'`') {
            class |= URL_END;
        }
        classes[byte as usize] = class;
        if byte == u8::MAX {
            return classes;
        }
        byte += 1;
    }
}

fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// Which kinds are listed at all.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a kind")]
pub(super) struct Wants {
    names: bool,
    addresses: bool,
    v6: bool,
    emails: bool,
    urls: bool,
}

impl Wants {
    pub(super) fn of(matcher: &Matcher) -> Self {
        let addresses = matcher.has(Kind::Prefix) || matcher.has(Kind::Endpoint);
        let is_blind = matcher.blind.iter().any(|set| set.has(Kind::Prefix) || set.has(Kind::Endpoint));
        Self {
            names: matcher.has(Kind::Name),
            addresses,
            v6: matcher.v6.has_prefixes() || matcher.v6.has_endpoints() || is_blind,
            emails: matcher.has(Kind::Email),
            urls: matcher.has(Kind::Url),
        }
    }

    pub(super) fn any(self) -> bool {
        self.names || self.addresses || self.emails || self.urls
    }
}

pub(super) struct Hosts<'s, V> {
    matcher: &'s Matcher,
    text: &'s [u8],
    wants: Wants,
    visit: &'s mut V,
    /// What lies before is done, and no run goes back beyond.
    floor: usize,
    /// Where the URL ends that was met last.
    url_end: usize,
    /// How many URLs have been read within it.
    nested: u8,
    buffer: Vec<u8>,
}

/// Labels with marks between them.
struct Run {
    name: String,
    end: usize,
    dots: usize,
}

impl<'s, V: FnMut(Met)> Hosts<'s, V> {
    pub(super) fn new(matcher: &'s Matcher, text: &'s [u8], wants: Wants, visit: &'s mut V) -> Self {
        Self { matcher, text, wants, visit, floor: 0, url_end: 0, nested: 0, buffer: Vec::new() }
    }

    pub(super) fn run(mut self) {
        let mut at = 0;
        while let Some(found) = memchr::memchr3(b'.', b'@', b':', &self.text[at..]) {
            let mark = at + found;
            at = match self.text[mark] {
                b'.' => self.dot(mark),
                b'@' => self.at_sign(mark),
                _ => self.colon(mark),
            };
            debug_assert!(at > mark, "each step goes forward");
            self.floor = at;
        }
        self.spelled_dots();
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn before(&self, at: usize) -> u8 {
        at.checked_sub(1).map_or(0, |at| self.text[at])
    }

    /// A dot: take the labels on both sides.
    fn dot(&mut self, dot: usize) -> usize {
        let text = self.text;
        let mut start = dot;
        while start > self.floor && is(text[start - 1], NAME) {
            start -= 1;
        }
        let mut end = dot;
        while self.byte(end) == b'.' {
            let label = end + 1;
            let mut next = label;
            while next < text.len() && is(text[next], NAME) {
                next += 1;
            }
            if next == label {
                break;
            }
            end = next;
        }
        if self.is_odd(start, dot, end) {
            return self.odd_runs(dot).max(end).max(dot + 1);
        }
        if start < dot && end > dot {
            self.plain_run(start..end);
        }
        end.max(dot + 1)
    }

    /// Whether a run goes on in another form: defanged, or beyond ASCII.
    fn is_odd(&self, start: usize, dot: usize, end: usize) -> bool {
        let before = if start > self.floor { self.before(start) } else { 0 };
        let after = self.byte(end);
        before >= 0x80
            || after >= 0x80 && end > dot
            || matches!(after, b'[' | b'(' | b'{' | b'\\')
                && matches!(text::mark_at(self.text, end), Some((b'.', _)))
            || matches!(before, b']' | b')' | b'}') && self.text[..start - 1].ends_with_ignoring_case(b"dot")
            || start == dot && matches!(before, b'[' | b'(' | b'{' | b'\\')
    }

    /// Runs that are not plain, from the first whose labels and marks lead to this dot.
    fn odd_runs(&mut self, dot: usize) -> usize {
        let text = self.text;
        let lowest = self.floor.max(dot.saturating_sub(RUN_BYTES_MAX));
        let mut at = dot;
        while at > lowest {
            match text[at - 1] {
                byte if is(byte, NAME) => at -= 1,
                b'[' | b']' | b'(' | b')' | b'{' | b'}' | b'\\' | b'.' => at -= 1,
                byte if byte >= 0x80 => match text::char_before(text, at) {
                    Some(c) if is_joined(c) && at - c.len_utf8() >= lowest => at -= c.len_utf8(),
                    _ => break,
                },
                _ => break,
            }
        }
        while at <= dot {
            let run = self.run_at(at);
            if run.dots > 0 {
                self.odd_run(&run.name, at..run.end);
            }
            at = run.end.max(at + 1);
        }
        at
    }

    /// The labels that begin at a place.
    fn run_at(&self, start: usize) -> Run {
        let text = self.text;
        let mut run = Run { name: String::new(), end: start, dots: 0 };
        let mut at = start;
        loop {
            let label = at;
            while at < text.len() && at - start < RUN_BYTES_MAX {
                match text[at] {
                    byte if is(byte, NAME) => run.name.push(char::from(byte)),
                    byte if byte < 0x80 => break,
                    _ => match text::char_at(text, at) {
                        Some(c) if is_joined(c) => {
                            run.name.push(c);
                            at += c.len_utf8() - 1;
                        }
                        _ => break,
                    },
                }
                at += 1;
            }
            if at == label {
                // The mark before led to nothing.
                run.dots = run.dots.saturating_sub(1);
                if run.name.ends_with('.') {
                    run.name.pop();
                }
                return run;
            }
            run.end = at;
            match text::mark_at(text, at) {
                Some((b'.', length)) => at += length,
                _ => return run,
            }
            run.name.push('.');
            run.dots += 1;
        }
    }

    fn odd_run(&mut self, name: &str, span: Range<usize>) {
        if name.is_ascii() {
            return self.host(name.as_bytes(), span);
        }
        if let Ok(ascii) = canonical_name(name) {
            self.host(ascii.as_bytes(), span.clone());
        }
        // Where no spaces are written, a name stands between other words.
        for piece in
            name.split(text::is_unspaced).filter(|piece| piece.len() < name.len() && piece.contains('.'))
        {
            if piece.is_ascii() {
                self.host(piece.trim_matches('.').as_bytes(), span.clone());
            } else if let Ok(ascii) = canonical_name(piece) {
                self.host(ascii.as_bytes(), span.clone());
            }
        }
    }

    fn plain_run(&mut self, mut span: Range<usize>) {
        let text = self.text;
        // A percent sign takes two digits: `%2Fevil.example`.
        let is_encoded = span.start > 0 && text[span.start - 1] == b'%';
        if is_encoded
            && text[span.start..span.end].iter().take(2).filter(|b| b.is_ascii_hexdigit()).count() == 2
        {
            span.start += 2;
        }
        self.host(&text[span.clone()], span);
    }

    /// A name or an address by itself.
    fn host(&mut self, name: &[u8], span: Range<usize>) {
        // Before an at sign it is no host but a person.
        if matches!(text::mark_at(self.text, span.end), Some((b'@', _))) {
            return;
        }
        let context = if span.start < self.url_end { Context::UrlRest } else { Context::Text };
        let name = trimmed(name);
        let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        if last.iter().all(u8::is_ascii_digit) {
            let address = std::str::from_utf8(name).ok().and_then(|name| name.parse::<Ipv4Addr>().ok());
            if let Some(address) = address {
                self.address(address.into(), &span, self.port_after(span.end), context);
            }
        } else {
            self.name(name, &span, context);
        }
        if context == Context::Text {
            self.bare_url(name, &span);
        }
    }

    fn name(&mut self, name: &[u8], span: &Range<usize>, context: Context) {
        if self.wants.names {
            let visit = &mut *self.visit;
            self.matcher.names_at(&Lowered::of_text(name), |hit| {
                let read = Key::Name(Canonical::of_bytes(&name.to_ascii_lowercase()), Scope::Exact);
                visit(Met { slot: hit.slot, kind: Kind::Name, read, span: span.clone(), context });
            });
        }
    }

    fn address(&mut self, address: IpAddr, span: &Range<usize>, port: Option<u16>, context: Context) {
        if !self.wants.addresses {
            return;
        }
        let visit = &mut *self.visit;
        let mut meet =
            |read: Key, slot| visit(Met { slot, kind: read.kind(), read, span: span.clone(), context });
        self.matcher.address(address, |slot| meet(Key::address(address), slot));
        if let Some(port) = port {
            self.matcher.endpoint(address, port, |slot| meet(Key::endpoint(address, port), slot));
        }
    }

    /// The number behind a colon at a place.
    fn port_after(&self, at: usize) -> Option<u16> {
        let Some((b':', length)) = text::mark_at(self.text, at) else { return None };
        let digits = &self.text[at + length..self.text.len().min(at + length + 6)];
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        std::str::from_utf8(&digits[..count]).ok()?.parse().ok()
    }

    /// A host with a path, without a scheme: one of the two that lead to web pages is meant.
    fn bare_url(&mut self, name: &[u8], span: &Range<usize>) {
        let mut path = span.end;
        if self.byte(path) == b':' {
            path += 1;
            while self.byte(path).is_ascii_digit() {
                path += 1;
            }
        }
        if self.byte(path) != b'/' {
            return;
        }
        let end = self.url_end_from(path);
        (self.url_end, self.nested) = (end, 0);
        if !self.wants.urls || !self.may_have_url(name) {
            return;
        }
        for scheme in ["http://", "https://"] {
            self.url(scheme, span.start..end);
        }
    }

    /// Whether a URL at this host may be listed: not, if the host is written plainly and is no listed one's.
    fn may_have_url(&self, host: &[u8]) -> bool {
        let is_plain = host.iter().all(|byte| is(*byte, NAME) || *byte == b'.');
        // The last part of an address begins with a digit, and an address has many spellings.
        let last = host.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        !is_plain
            || last.first().is_none_or(u8::is_ascii_digit)
            || self.matcher.may_have_url_at(&Lowered::of_text(host))
    }

    fn url_end_from(&self, at: usize) -> usize {
        let most = self.text.len().min(at + TEXT_BYTES_MAX);
        self.text[at..most].iter().position(|byte| is(*byte, URL_END)).map_or(most, |length| at + length)
    }

    /// Looks a URL up, as it stands and without the marks of a sentence behind it.
    fn url(&mut self, before: &str, span: Range<usize>) {
        let Ok(written) = std::str::from_utf8(&self.text[span.clone()]) else { return };
        let shorter = written.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '*', '_']);
        let both = [written, shorter];
        for written in &both[..if shorter.len() < written.len() { 2 } else { 1 }] {
            let mut canonical = std::mem::take(&mut self.buffer);
            let read = match before {
                "" => url::canonical(written, &mut canonical),
                _ => url::canonical(&format!("{before}{written}"), &mut canonical),
            };
            let mut is_met = false;
            if read.is_ok() {
                let span = span.start..span.start + written.len();
                let (matcher, visit) = (self.matcher, &mut *self.visit);
                matcher.value(&matcher.urls, Shape::Url, &canonical, &mut |slot| {
                    is_met = true;
                    let read = Key::Url(Canonical::of_bytes(&canonical));
                    visit(Met { slot, kind: Kind::Url, read, span: span.clone(), context: Context::Url });
                });
            }
            self.buffer = canonical;
            if is_met {
                return;
            }
        }
    }

    /// An at sign: a person before, a host behind.
    fn at_sign(&mut self, at: usize) -> usize {
        let bracket = |open, close| self.before(at) == open && self.byte(at + 1) == close;
        let is_defanged = bracket(b'[', b']') || bracket(b'(', b')') || bracket(b'{', b'}');
        let (local_end, host_start) = if is_defanged { (at - 1, at + 2) } else { (at, at + 1) };
        let run = self.run_at(host_start);
        if run.dots == 0 {
            return at + 1;
        }
        self.email(local_end, host_start, &run);
        run.end
    }

    fn email(&mut self, local_end: usize, host_start: usize, run: &Run) {
        let text = self.text;
        let mut start = local_end;
        while start > 0 && local_end - start < LOCAL_BYTES_MAX && is(text[start - 1], LOCAL) {
            start -= 1;
        }
        let name = if run.name.is_ascii() {
            String::from_utf8_lossy(trimmed(run.name.as_bytes())).to_ascii_lowercase()
        } else {
            let Ok(name) = canonical_name(&run.name) else { return };
            name
        };
        let context = if host_start < self.url_end { Context::UrlRest } else { Context::Email };
        self.name(name.as_bytes(), &(host_start..run.end), context);
        if !self.wants.emails {
            return;
        }
        // Marks that may stand in a person's name stand more often before it: try what is behind the last of them too.
        let is_plain = |byte: &u8| is(*byte, NAME) || matches!(byte, b'.' | b'+');
        let plain =
            text[start..local_end].iter().rposition(|byte| !is_plain(byte)).map(|mark| start + mark + 1);
        for start in [Some(start), plain].into_iter().flatten().filter(|start| *start < local_end) {
            self.buffer.clear();
            self.buffer.extend(text[start..local_end].iter().map(u8::to_ascii_lowercase));
            self.buffer.push(b'@');
            self.buffer.extend_from_slice(name.as_bytes());
            let (matcher, email, visit) = (self.matcher, &self.buffer, &mut *self.visit);
            matcher.value(&matcher.emails, Shape::Email, email, &mut |slot| {
                let read = Key::Email(Canonical::of_bytes(email));
                visit(Met { slot, kind: Kind::Email, read, span: start..run.end, context });
            });
        }
    }

    /// A colon: of a URL, or of an IPv6 address.
    fn colon(&mut self, colon: usize) -> usize {
        let text = self.text;
        let is_bracketed = matches!(self.before(colon), b'[' | b'(' | b'{')
            && matches!(self.byte(colon + 1), b']' | b')' | b'}');
        let (word_end, after) = if is_bracketed { (colon - 1, colon + 2) } else { (colon, colon + 1) };
        let is_slash = |byte| matches!(byte, b'/' | b'\\');
        if is_slash(self.byte(after)) && is_slash(self.byte(after + 1)) {
            let lowest = word_end.saturating_sub(8);
            let letters =
                text[lowest..word_end].iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
            if url::scheme(&text[word_end - letters..word_end]).is_some() {
                return self.whole_url(word_end - letters, after + 2);
            }
            return colon + 1;
        }
        if self.wants.v6 { self.v6(colon) } else { colon + 1 }
    }

    /// A URL whose scheme begins at `start` and whose authority at `authority`.
    fn whole_url(&mut self, start: usize, authority: usize) -> usize {
        self.nested = if start < self.url_end { self.nested + 1 } else { 0 };
        if self.nested > NESTED_MAX {
            self.nested = NESTED_MAX;
            return authority;
        }
        let end = self.url_end_from(authority);
        self.url_end = end;
        let rest = match std::str::from_utf8(&self.text[authority..end]) {
            Ok(rest) => rest,
            Err(error) => std::str::from_utf8(&self.text[authority..authority + error.valid_up_to()])
                .unwrap_or_default(),
        };
        let written = &rest[..url::authority_length(rest)];
        let host_end = authority + written.len();
        let host_start = written.rfind('@').map_or(0, |at| at + 1);
        let span = authority + host_start..host_end;
        let host = &written[host_start..];
        self.url_host(host, &span);
        if self.wants.urls && self.may_have_url(host.trim_end_matches('.').as_bytes()) {
            self.url("", start..authority + rest.len());
        }
        host_end.max(authority)
    }

    fn url_host(&mut self, written: &str, span: &Range<usize>) {
        let is_plain = !written.is_empty() && written.bytes().all(|byte| is(byte, NAME) || byte == b'.');
        // The last part of an address begins with a digit, in hexadecimal too.
        let last = written.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        if is_plain && !last.starts_with(|c: char| c.is_ascii_digit()) {
            return self.name(written.trim_end_matches('.').as_bytes(), span, Context::Url);
        }
        // By the one reader of URLs, which knows all other spellings; marks of a sentence may stand behind the host.
        let mut canonical = std::mem::take(&mut self.buffer);
        let bare = written.trim_end_matches(['.', ',', ';', ':', '!', ')', '}', '*', '_']);
        let place = [written, bare]
            .into_iter()
            .find_map(|written| url::canonical(&format!("http://{written}"), &mut canonical).ok());
        self.buffer = canonical;
        let Some(place) = place else { return };
        match place.host {
            Host::Name(name) => self.name(name.as_bytes(), span, Context::Url),
            Host::Address(address) => self.address(address, span, place.port, Context::Url),
        }
    }

    fn v6(&mut self, colon: usize) -> usize {
        let text = self.text;
        let lowest = self.floor.max(colon.saturating_sub(4));
        let digits = text[lowest..colon].iter().rev().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let start = colon - digits;
        let next = self.byte(colon + 1);
        let may_be = if digits == 0 { next == b':' } else { next == b':' || next.is_ascii_hexdigit() };
        if !may_be
            || start > 0
                && (text[start - 1].is_ascii_alphanumeric() || matches!(text[start - 1], b'_' | b'-'))
        {
            return colon + 1;
        }
        // The longest: eight groups of four, the last two as an IPv4 address.
        let most = text.len().min(start + 45);
        let length = text[start..most]
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
            .count();
        let mut end = start + length;
        let read = |end: usize| std::str::from_utf8(&text[start..end]).ok()?.parse::<Ipv6Addr>().ok();
        let mut address = read(end);
        // A mark of the sentence may stand behind it, and a colon before.
        for _ in 0..2 {
            if address.is_some() || end <= colon + 1 || !matches!(text[end - 1], b':' | b'.') {
                break;
            }
            end -= 1;
            address = read(end);
        }
        let Some(address) = address.filter(|_| !self.byte(end).is_ascii_alphanumeric()) else {
            return colon + 1;
        };
        let port = if self.byte(end) == b']' { self.port_after(end + 1) } else { None };
        let context = if start < self.url_end { Context::UrlRest } else { Context::Text };
        self.address(IpAddr::V6(address).to_canonical(), &(start..end), port, context);
        end
    }

    /// Names whose only dots are spelled out, as `evil[dot]example`.
    fn spelled_dots(&mut self) {
        let text = self.text;
        let mut done = 0;
        for close in memchr::memchr3_iter(b']', b')', b'}', text) {
            if close < done || close < 5 || !text[close - 3..close].eq_ignore_ascii_case(b"dot") {
                continue;
            }
            let (open, mark) = (close - 4, text::mark_at(text, close - 4));
            if mark != Some((b'.', 5)) {
                continue;
            }
            let lowest = done.max(open.saturating_sub(RUN_BYTES_MAX));
            let mut start = open;
            while start > lowest && is(text[start - 1], NAME) {
                start -= 1;
            }
            let run = self.run_at(start);
            done = run.end.max(close + 1);
            // With a plain mark in it or beside it, the first way met it.
            let around = &text[start.saturating_sub(1)..text.len().min(run.end + 1)];
            if run.dots > 0 && run.name.is_ascii() && memchr::memchr3(b'.', b'@', b':', around).is_none() {
                self.url_end = 0;
                self.host(run.name.as_bytes(), start..run.end);
            }
        }
    }
}

/// Without the marks that people put around a name: dashes, and underscores on both sides.
fn trimmed(mut name: &[u8]) -> &[u8] {
    while let [b'-', rest @ ..] | [rest @ .., b'-' | b'.'] | [b'_', rest @ .., b'_'] = name {
        name = rest;
    }
    name
}

/// Whether a character beyond ASCII can be part of a label.
fn is_joined(c: char) -> bool {
    // Letters, and what stands with them: combining marks, joiners, the middle dot.
    c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}' | '\u{200c}' | '\u{200d}' | '\u{b7}')
}

trait EndsWith {
    fn ends_with_ignoring_case(&self, end: &[u8]) -> bool;
}

impl EndsWith for [u8] {
    fn ends_with_ignoring_case(&self, end: &[u8]) -> bool {
        self.len() >= end.len() && self[self.len() - end.len()..].eq_ignore_ascii_case(end)
    }
}
