//! Names in what clients say first: a question of DNS, a greeting of TLS, a request of HTTP.

/// What the beginning of a connection tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told<T> {
    /// It.
    Is(T),
    /// It may, with more bytes.
    NeedsMore,
    /// Nothing of this kind.
    Nothing,
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?)))
}

/// The name that a message of DNS asks for (RFC 1035 §4.1). Answers repeat the question; they are not counted again.
pub(crate) fn question(message: &[u8]) -> Option<String> {
    let flags = number(message, 2)?;
    let is_query = flags & 0xf800 == 0;
    if !is_query || number(message, 4)? != 1 || number(message, 6)? != 0 {
        return None;
    }
    let mut name = String::new();
    let mut at = 12;
    loop {
        let length = usize::from(*message.get(at)?);
        if length == 0 {
            break;
        }
        // There is nothing before a question that it could point to.
        if length > 63 || name.len() > 1_024 {
            return None;
        }
        let label = message.get(at + 1..at + 1 + length)?;
        if !name.is_empty() {
            name.push('.');
        }
        push_label(&mut name, label);
        at += 1 + length;
    }
    // Its type and class have to be there.
    message.get(at + 1..at + 5)?;
    Some(name)
}

/// A label in lower case, with what a name in text cannot have as `\ddd` (RFC 1035 §5.1).
fn push_label(name: &mut String, label: &[u8]) {
    for byte in label {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            name.push(char::from(byte.to_ascii_lowercase()));
        } else {
            name.push('\\');
            for digit in [byte / 100, byte / 10 % 10, byte % 10] {
                name.push(char::from(b'0' + digit));
            }
        }
    }
}

/// The name that a client of TLS wants to talk to (RFC 6066 §3).
pub(crate) fn server_name(bytes: &[u8]) -> Told<String> {
    // RFC 8446 §5.1: a greeting may lie in several records.
    let mut greeting = Vec::new();
    let mut rest = bytes;
    let mut is_whole = true;
    while !rest.is_empty() {
        if rest[0] != 22 || rest.get(1).is_some_and(|major| *major != 3) {
            if greeting.is_empty() {
                return Told::Nothing;
            }
            break;
        }
        let Some(length) = number(rest, 3) else {
            is_whole = false;
            break;
        };
        let end = rest.len().min(5 + length);
        greeting.extend_from_slice(rest.get(5..end).unwrap_or_default());
        is_whole = end == 5 + length;
        rest = &rest[end..];
    }
    if greeting.first().is_some_and(|kind| *kind != 1) {
        return Told::Nothing;
    }
    let length = match greeting.get(1..4) {
        Some([a, b, c]) => usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c),
        Some(_) | None => return Told::NeedsMore,
    };
    let has_all = greeting.len() >= 4 + length;
    match extension(&greeting[4..greeting.len().min(4 + length)]) {
        Some(name) => Told::Is(name),
        None if has_all || is_whole && greeting.len() > 4 + length => Told::Nothing,
        None => Told::NeedsMore,
    }
}

fn extension(hello: &[u8]) -> Option<String> {
    let mut at = 34; // version and random
    at += 1 + usize::from(*hello.get(at)?); // session
    at += 2 + number(hello, at)?; // ciphers
    at += 1 + usize::from(*hello.get(at)?); // compressions
    at += 2; // the extensions' length
    loop {
        let (kind, length) = (number(hello, at)?, number(hello, at + 2)?);
        let body = hello.get(at + 4..at + 4 + length)?;
        if kind == 0 {
            // A list of one: its length, the kind of the name (0), the name's length.
            let end = 5 + number(body, 3)?;
            let name = body.get(5..end).filter(|_| body.get(2) == Some(&0))?;
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            let is_good = !name.is_empty() && name.iter().all(is_name);
            return is_good.then(|| String::from_utf8_lossy(name).trim_end_matches('.').to_ascii_lowercase());
        }
        at += 4 + length;
    }
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// `None` for CONNECT, which asks for a host alone.
    pub(crate) url: Option<String>,
    pub(crate) host: String,
}

/// The longest request, with its headers, that is waited for.
const HEADERS_BYTES_MAX: usize = 16 * 1024;

/// A request of HTTP/1 (RFC 9112 §3).
pub(crate) fn request(bytes: &[u8]) -> Told<Request> {
    const METHODS: [&[u8]; 9] =
        [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"CONNECT ", b"OPTIONS ", b"DELETE ", b"PATCH ", b"PROPFIND "];
    let Some(method) = METHODS.iter().find(|method| bytes.starts_with(method)) else {
        let may_be = !bytes.is_empty() && METHODS.iter().any(|method| method.starts_with(bytes));
        return if may_be { Told::NeedsMore } else { Told::Nothing };
    };
    let is_whole = memchr::memmem::find(bytes, b"\r\n\r\n");
    let head = &bytes[..is_whole.unwrap_or(bytes.len())];
    let is_over = is_whole.is_some() || bytes.len() >= HEADERS_BYTES_MAX;
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ').skip(1);
    let target = words.next().unwrap_or_default().to_owned();
    let version = words.next();
    if is_over && !version.is_some_and(|version| version.starts_with("HTTP/")) {
        return Told::Nothing;
    }
    let host =
        lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("host"));
    let host = host.map(|(_, host)| host.trim().to_owned());
    let authority = |authority: &str| {
        let without_user = authority.rsplit('@').next().unwrap_or_default();
        let host = match without_user.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => without_user.split(':').next().unwrap_or_default(),
        };
        host.to_ascii_lowercase()
    };
    if method == b"CONNECT " {
        let host = authority(&target);
        return if host.is_empty() { Told::Nothing } else { Told::Is(Request { url: None, host }) };
    }
    // To a proxy the target says it all.
    if let Some((_, rest)) = target.split_once("://").filter(|_| !target.starts_with('/')) {
        let host = authority(rest.split(['/', '?']).next().unwrap_or_default());
        return Told::Is(Request { url: Some(target), host });
    }
    match host {
        // The last line may be cut off; it is the host only if it has an end.
        Some(host) if is_over || text.contains(&format!("{host}\r\n")) => {
            let url = Some(format!("http://{host}{target}"));
            Told::Is(Request { url, host: authority(&host) })
        }
        Some(_) | None if is_over => Told::Nothing,
        Some(_) | None => Told::NeedsMore,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A question for an address of a name.
    pub(crate) fn asked(name: &str) -> Vec<u8> {
        let mut message = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(u8::try_from(label.len()).unwrap());
            message.extend(label.as_bytes());
        }
        message.extend([0, 0, 1, 0, 1]);
        message
    }

    /// A greeting of TLS for a name, with so many bytes of other extensions before it.
    pub(crate) fn greeting(name: &str, padding: u16) -> Vec<u8> {
        let size = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_be_bytes();
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 1, 1, 0]);
        let mut extensions = vec![0xff, 1];
        extensions.extend(padding.to_be_bytes());
        extensions.extend(vec![0; usize::from(padding)]);
        let entry = [&[0][..], &size(name.as_bytes()), name.as_bytes()].concat();
        let list = [&size(&entry)[..], &entry].concat();
        extensions.extend([&[0, 0][..], &size(&list), &list].concat());
        body.extend([&size(&extensions)[..], &extensions].concat());
        let hello = [&[1, 0][..], &size(&body), &body].concat();
        [&[22, 3, 1][..], &size(&hello), &hello].concat()
    }

    #[test]
    fn questions_are_read_and_answers_are_not() {
        assert_eq!(question(&asked("WWW.Evil.example")).as_deref(), Some("www.evil.example"));
        assert_eq!(question(&asked("a b._x.example")).as_deref(), Some("a\\032b._x.example"));
        let mut answer = asked("a.example");
        answer[2] |= 0x80;
        assert_eq!(question(&answer), None);
        let whole = asked("a.example");
        for end in 0..whole.len() {
            assert_eq!(question(&whole[..end]), None);
        }
        let mut pointing = asked("a.example");
        pointing[12] = 0xc0;
        assert_eq!(question(&pointing), None);
    }

    #[test]
    fn a_greeting_is_read_as_soon_as_its_name_is_there() {
        let whole = greeting("Evil.Example", 1_500);
        assert_eq!(server_name(&whole), Told::Is("evil.example".to_owned()));
        for end in 1..whole.len() {
            assert_eq!(server_name(&whole[..end]), Told::NeedsMore, "{end} of {}", whole.len());
        }
        // In two records.
        let (head, rest) = whole[5..].split_at(700);
        let size = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_be_bytes();
        let two = [&[22, 3, 1][..], &size(head), head, &[22, 3, 1], &size(rest), rest].concat();
        assert_eq!(server_name(&two), Told::Is("evil.example".to_owned()));
        assert_eq!(server_name(b"GET / HTTP/1.1"), Told::Nothing);
        assert_eq!(server_name(&greeting("not a name", 0)), Told::Nothing);
    }

    #[test]
    fn a_request_says_what_is_asked_for() {
        let is = |url: Option<&str>, host: &str| {
            Told::Is(Request { url: url.map(ToOwned::to_owned), host: host.to_owned() })
        };
        let cases = [
            (
                "GET /gate.php?a=1 HTTP/1.1\r\nAccept: */*\r\nHost: Evil.Example:8080\r\n\r\n",
                is(Some("http://Evil.Example:8080/gate.php?a=1"), "evil.example"),
            ),
            (
                "GET http://evil.example/x HTTP/1.1\r\nHost: proxy\r\n\r\n",
                is(Some("http://evil.example/x"), "evil.example"),
            ),
            ("CONNECT evil.example:443 HTTP/1.1\r\n\r\n", is(None, "evil.example")),
            ("CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n", is(None, "2001:db8::1")),
            ("GET / HTTP/1.1\r\nHost: evil.exa", Told::NeedsMore),
            ("GET / HTTP/1.1\r\nHost: evil.example\r\nCoo", is(Some("http://evil.example/"), "evil.example")),
            ("GE", Told::NeedsMore),
            ("GET lost\r\n\r\n", Told::Nothing),
            ("GET / HTTP/1.0\r\n\r\n", Told::Nothing),
            ("SSH-2.0-x\r\n", Told::Nothing),
        ];
        for (bytes, want) in cases {
            assert_eq!(request(bytes.as_bytes()), want, "{bytes}");
        }
    }
}
