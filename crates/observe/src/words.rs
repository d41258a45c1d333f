//! What a line of a log tells of: URLs, names, addresses, digests, and when.
//!
//! Logs have a thousand formats, and all of them put what they tell of between blanks, quotes or brackets. So a line is cut
//! there, and each piece is what it looks like.

use std::net::IpAddr;

/// Something that a line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word<'l> {
    /// A URL with a scheme.
    Url(&'l str),
    /// A name of a host, as written.
    Name(&'l str),
    /// An address.
    Address(IpAddr),
    /// An e-mail address.
    Mailbox(&'l str),
    /// A digest by the standard's name of its algorithm, as its length tells.
    Digest(&'static str, &'l str),
}

/// So many are taken of one line.
const WORDS_MAX: usize = 256;

/// What a line tells of, in its order.
pub fn words(line: &str) -> impl Iterator<Item = Word<'_>> {
    line.split(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '(' | ')' | '{' | '}' | '|' | ';' | ',')
    })
    .flat_map(pieces)
    .filter_map(word)
    .take(WORDS_MAX)
}

/// `key=value` is two, unless it belongs to a URL.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let cut = if text.contains("://") {
        // `url=http://a/?b=c`: only what stands before the scheme is cut off.
        let scheme = text.find("://").unwrap_or(0);
        text[..scheme].rfind('=')
    } else {
        text.rfind('=')
    };
    let (before, behind) = cut.map_or(("", text), |at| (&text[..at], &text[at + 1..]));
    [before, behind].into_iter().filter(|piece| !piece.is_empty())
}

fn word(piece: &str) -> Option<Word<'_>> {
    let is_mark = |c: char| matches!(c, '.' | ':' | '[' | ']' | '!' | '?' | '#');
    if let Some(at) = piece.find("://") {
        let is_scheme = at > 0
            && piece[..at]
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        return is_scheme.then_some(Word::Url(piece));
    }
    if let Some(address) = address(piece) {
        return Some(Word::Address(address));
    }
    let piece = piece.trim_matches(is_mark);
    if let Some(algorithm) = algorithm(piece) {
        return Some(Word::Digest(algorithm, piece));
    }
    if let Some((local, host)) = piece.split_once('@') {
        let is_mailbox = !local.is_empty() && is_name(host);
        return is_mailbox.then_some(Word::Mailbox(piece));
    }
    // A port may stand behind a name.
    let host = match piece.split_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return None,
        None => piece,
    };
    is_name(host).then_some(Word::Name(host))
}

/// An address alone, with a port (`192.0.2.1:80`, `[2001:db8::1]:80`), or with BIND's mark for one (`192.0.2.1#53`).
fn address(piece: &str) -> Option<IpAddr> {
    let piece = piece.split(['#', '%']).next().unwrap_or_default();
    if let Some(inner) = piece.strip_prefix('[') {
        return inner.split(']').next()?.parse().ok();
    }
    if let Ok(address) = piece.trim_end_matches(['.', ']']).parse() {
        return Some(address);
    }
    let (host, port) = piece
        .trim_end_matches([':', '.', ']'])
        .rsplit_once(':')
        .unwrap_or((piece.trim_end_matches(':'), "0"));
    port.parse::<u16>().ok()?;
    host.parse::<std::net::Ipv4Addr>().ok().map(IpAddr::V4)
}

fn algorithm(piece: &str) -> Option<&'static str> {
    let name = match piece.len() {
        32 => "MD5",
        40 => "SHA-1",
        64 => "SHA-256",
        128 => "SHA-512",
        _ => return None,
    };
    piece.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(name)
}

/// Labels with dots between them, the last of which is not a number.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(is_label)
        && last.len() >= 2
        && last.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// How far into a line its time is looked for.
const TIME_BYTES: usize = 160;

/// When a line says it was written, in microseconds since 1970; a time without a zone counts as UTC.
///
/// `2026-01-15T10:00:00.5+01:00`, `2026-01-15 10:00:00`, `[15/Jan/2026:10:00:00 +0100]`, `15-Jan-2026 10:00:00.123`, and seconds since
/// 1970 at the line's beginning, as Squid and Zeek write them. Syslog's old form has no year, so it is none.
#[must_use]
pub fn time_of_line(line: &str) -> Option<i64> {
    let head = &line[..line.floor_char_boundary(TIME_BYTES)];
    epoch(head).or_else(|| {
        let starts = head.char_indices().filter(|(at, c)| {
            c.is_ascii_digit() && (*at == 0 || !head.as_bytes()[at - 1].is_ascii_alphanumeric())
        });
        starts.map(|(at, _)| &head[at..]).find_map(|text| iso(text).or_else(|| named_month(text)))
    })
}

fn epoch(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (seconds, fraction) = text[..end].split_once('.').unwrap_or((&text[..end], ""));
    // From 2001 to 2286.
    let seconds: i64 = if seconds.len() == 10 { seconds.parse().ok()? } else { return None };
    Some(seconds * 1_000_000 + micros(fraction))
}

fn micros(fraction: &str) -> i64 {
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).chain(std::iter::repeat(b'0')).take(6);
    digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
}

fn digits(text: &str, from: usize, to: usize) -> Option<i64> {
    let part = text.get(from..to)?;
    if part.bytes().all(|byte| byte.is_ascii_digit()) { part.parse().ok() } else { None }
}

/// `2026-01-15T10:00:00` or with a blank.
fn iso(text: &str) -> Option<i64> {
    let marks = text.as_bytes();
    if marks.get(4) != Some(&b'-')
        || marks.get(7) != Some(&b'-')
        || !matches!(marks.get(10), Some(b'T' | b't' | b' '))
    {
        return None;
    }
    let day = days(digits(text, 0, 4)?, digits(text, 5, 7)?, digits(text, 8, 10)?)?;
    clock(text.get(11..)?, day)
}

/// `15/Jan/2026:10:00:00` or `15-Jan-2026 10:00:00`.
fn named_month(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let marks = text.as_bytes();
    if !matches!(marks.get(2), Some(b'/' | b'-')) || !matches!(marks.get(11), Some(b':' | b' ')) {
        return None;
    }
    let month = text.get(3..6)?.to_ascii_lowercase();
    let month = (1..).zip(MONTHS).find(|(_, name)| *name == month)?.0;
    let day = days(digits(text, 7, 11)?, month, digits(text, 0, 2)?)?;
    clock(text.get(12..)?, day)
}

/// `10:00:00`, perhaps with a fraction and a zone, on a day.
fn clock(text: &str, day: i64) -> Option<i64> {
    let marks = text.as_bytes();
    if marks.get(2) != Some(&b':') || marks.get(5) != Some(&b':') {
        return None;
    }
    let (hour, minute, second) = (digits(text, 0, 2)?, digits(text, 3, 5)?, digits(text, 6, 8)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = &text[8..];
    let mut fraction = 0;
    if let Some(behind) = rest.strip_prefix(['.', ',']) {
        fraction = micros(behind);
        rest = behind.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    let zone = zone(rest.trim_start()).unwrap_or(0);
    Some(((day * 24 + hour) * 3_600 + minute * 60 + second - zone) * 1_000_000 + fraction)
}

/// `+01:00` or `-0500` in seconds.
fn zone(text: &str) -> Option<i64> {
    let sign = match text.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let minutes = if text.as_bytes().get(3) == Some(&b':') { 4 } else { 3 };
    let (hours, minutes) = (digits(text, 1, 3)?, digits(text, minutes, minutes + 2)?);
    (hours < 15 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Days since 1970, in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_what_they_look_like() {
        let md5 = "0123456789abcdef0123456789ABCDEF";
        let line = format!(
            "1700000000.123 src=10.0.0.1:4000 [2001:db8::1]:53 client 192.0.2.7#53: query: WWW.Evil.example. \
             \"GET http://a.example/x?y=1,2\" url=https://b.example/?q=http://c.example from=<x@y.example> \
             {md5} host.example:8080 version 1.2.3 file.txt 12:30 a=b"
        );
        let found: Vec<Word<'_>> = words(&line).collect();
        let address = |text: &str| Word::Address(text.parse().unwrap());
        assert_eq!(
            found,
            [
                address("10.0.0.1"),
                address("2001:db8::1"),
                address("192.0.2.7"),
                Word::Name("WWW.Evil.example"),
                Word::Url("http://a.example/x?y=1"),
                Word::Url("https://b.example/?q=http://c.example"),
                Word::Mailbox("x@y.example"),
                Word::Digest("MD5", md5),
                Word::Name("host.example"),
                Word::Name("file.txt"),
            ]
        );
    }

    #[test]
    fn times_are_found_in_the_forms_that_logs_have() {
        let at = 1_768_471_200_000_000; // 2026-01-15T10:00:00Z
        for (line, want) in [
            ("2026-01-15T10:00:00Z ns1 query", Some(at)),
            ("2026-01-15T11:00:00.25+01:00 x", Some(at + 250_000)),
            ("ns1 2026-01-15 10:00:00,5 x", Some(at + 500_000)),
            ("1.2.3.4 - - [15/Jan/2026:05:00:00 -0500] \"GET /\"", Some(at)),
            ("15-Jan-2026 10:00:00.001 queries: info", Some(at + 1_000)),
            ("1768471200.5    12 10.0.0.1 TCP_MISS", Some(at + 500_000)),
            ("{\"timestamp\": \"2026-01-15T10:00:00.000000+0000\"}", Some(at)),
            ("Jan 15 10:00:00 ns1 named[1]: x", None),
            ("17684712001 x", None),
            ("2026-13-15T10:00:00Z", None),
        ] {
            assert_eq!(time_of_line(line), want, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in "\\PC{0,80}") {
            let _read = (words(&line).count(), time_of_line(&line));
        }
    }
}
