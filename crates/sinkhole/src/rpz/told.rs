//! What resolvers write down when a policy zone decides an answer, read back.
//!
//! ```text
//! Unbound  rpz: applied [ZONE] TRIGGER rpz-local-data 192.0.2.7@38525 www.bad.example. A IN
//! BIND     client @0x7f.. 192.0.2.7#57638 (www.bad.example): rpz QNAME Local-Data rewrite www.bad.example/A/IN via www.bad.example.ZONE
//! ```
//!
//! Both write one line for each answer, whatever stands before it: a date, a program's name, the head of a syslog message. The name in
//! brackets is Unbound's `rpz-log-name`. Names are written so that they hold no white space, so words are words. Anything else in
//! a log is no such line, and neither is one that was cut.

use std::net::IpAddr;

/// The longest line that is read; the names in it are at most 1,024 bytes each.
pub const LINE_BYTES_MAX: usize = 8_192;
/// What Unbound writes before the rest.
const UNBOUND: &str = "rpz: applied ";

/// A policy zone decided an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied<'l> {
    /// The entry that did (Unbound), or what was asked for with the zone's name behind it (BIND).
    pub trigger: &'l str,
    /// The name of the zone, where the line has it by itself.
    pub zone: Option<&'l str>,
    /// Who asked.
    pub client: IpAddr,
    /// For what.
    pub asked: &'l str,
    /// The truth was answered: the entry says so, or the resolver was told to obey no entry of the zone.
    pub passed: bool,
}

/// Reads a line of a resolver's log; nothing if it is about something else.
#[must_use]
pub fn read(line: &[u8]) -> Option<Applied<'_>> {
    if line.len() > LINE_BYTES_MAX {
        return None;
    }
    let line = std::str::from_utf8(line).ok()?;
    match line.split_once(UNBOUND) {
        Some((_, applied)) => unbound(applied),
        None => bind(line),
    }
}

fn unbound(text: &str) -> Option<Applied<'_>> {
    let (zone, rest) = match text.strip_prefix('[') {
        // A zone's log name can be anything; a name in the DNS is what we call it.
        Some(named) => named.split_once("] ").map(|(zone, rest)| (Some(zone), rest))?,
        None => (None, text),
    };
    let words: Vec<&str> = rest.split_whitespace().collect();
    // Triggers other than the asked name have a word of their own before them.
    let [trigger, action, client, asked, _qtype, _class] = words.as_slice() else { return None };
    let action = action.strip_prefix("rpz-")?;
    let (client, _port) = client.rsplit_once('@')?;
    let client = client.parse::<IpAddr>().ok()?.to_canonical();
    let passed = matches!(action, "passthru" | "disabled");
    Some(Applied { trigger, zone, client, asked, passed })
}

fn bind(line: &str) -> Option<Applied<'_>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.windows(4).position(|words| matches!(words, ["rpz", "QNAME", _, "rewrite"]))?;
    let (said, words) = words.split_at(at);
    let ["rpz", "QNAME", policy, "rewrite", asked, "via", trigger, ..] = words else { return None };
    let begins = said.iter().rposition(|word| *word == "client")?;
    let client = said[begins..].iter().find_map(|word| word.split_once('#'))?.0;
    let client = client.parse::<IpAddr>().ok()?.to_canonical();
    let disabled = said.last().is_some_and(|word| *word == "disabled");
    let passed = disabled || policy.eq_ignore_ascii_case("passthru");
    // NAME/TYPE/CLASS; a stroke in a name is no end of it.
    let asked = asked.rsplitn(3, '/').nth(2)?;
    Some(Applied { trigger, zone: None, client, asked, passed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_resolvers_are_read_and_others_are_not() {
        let of = |trigger, zone, client: &str, asked, passed| {
            Some(Applied { trigger, zone, client: client.parse().unwrap(), asked, passed })
        };
        let cases = [
            (
                "[1795480573] unbound[31045:0] info: rpz: applied [indicators.rpz.x] evil.example.com. rpz-local-data 127.0.0.1@38016 evil.example.com. A IN",
                of("evil.example.com.", Some("indicators.rpz.x"), "127.0.0.1", "evil.example.com.", false),
            ),
            (
                "<30>Nov 24 00:35:53 ns unbound: [9:0] info: rpz: applied *.bad.example. rpz-passthru 2001:db8::7@5 x.BAD.example. AAAA IN",
                of("*.bad.example.", None, "2001:db8::7", "x.BAD.example.", true),
            ),
            (
                "info: rpz: applied [a b] bad.example. rpz-disabled ::ffff:192.0.2.7@5 bad.example. A IN",
                of("bad.example.", Some("a b"), "192.0.2.7", "bad.example.", true),
            ),
            (
                "24-Nov-2026 00:35:57.330 client @0x7ff1e0470098 127.0.0.1#47635 (evil.example.com): rpz QNAME Local-Data rewrite evil.example.com/A/IN via evil.example.com.indicators.rpz.x",
                of("evil.example.com.indicators.rpz.x", None, "127.0.0.1", "evil.example.com", false),
            ),
            (
                "24-Nov-2026 rpz: info: client @0x7f 127.0.0.1#47550 (mon.example.com): rpz QNAME PASSTHRU rewrite mon.example.com/A/IN via mon.example.com.rpz.x",
                of("mon.example.com.rpz.x", None, "127.0.0.1", "mon.example.com", true),
            ),
            (
                "client @0x7f 192.0.2.1#1 (m.example): view inside: rpz QNAME PASSTHRU rewrite m.example/A/IN via m.example.rpz.x",
                of("m.example.rpz.x", None, "192.0.2.1", "m.example", true),
            ),
            (
                "client @0x7f 192.0.2.1#1 (m.example): disabled rpz QNAME NXDOMAIN rewrite m.example/A/IN via m.example.rpz.x",
                of("m.example.rpz.x", None, "192.0.2.1", "m.example", true),
            ),
            ("info: rpz: applied clientip 10.0.0.0/8 rpz-drop 10.0.0.1@5 a.example. A IN", None),
            (
                "client @0x7f 192.0.2.1#1 (m.example): rpz IP NXDOMAIN rewrite m.example/A/IN via 32.1.2.0.192.rpz-ip.x",
                None,
            ),
            ("info: rpz: applied bad.example. rpz-local-data", None),
            ("info: rpz: applied [x bad.example. rpz-local-data 127.0.0.1@1 a. A IN", None),
            ("info: rpz: applied bad.example. rpz-local-data nobody@1 a. A IN", None),
            ("zone rpz.x/IN: transferred serial 1", None),
            ("", None),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line.as_bytes()), expected, "{line}");
        }
        assert_eq!(read(&vec![b'r'; LINE_BYTES_MAX + 1]), None);
        assert_eq!(read(b"rpz: applied \xff rpz-passthru 127.0.0.1@1 a. A IN"), None);
    }
}
