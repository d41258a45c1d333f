//! HTML, as far as it shows text and holds links. No tree is built: tags may cross and never end.

use std::borrow::Cow;

use mail_parser::decoders::html::add_html_token;
use memchr::{memchr, memmem};

/// The longest tag that is looked into; what is longer is passed over up to its end.
const TAG_BYTES_MAX: usize = 64 * 1024;
/// The longest entity's name in the standard has 31 letters.
const ENTITY_BYTES_MAX: usize = 34;

/// Tags that do not part words: everything else does.
const INLINE: &[&str] = &[
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd",
    "mark", "o:p", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var",
    "wbr",
];

/// Reads HTML: gives what a reader would see as text, and hands each attribute's decoded value to `attribute`.
///
/// What stands in comments is read, too, behind the rest: some clients show what others take for one.
pub(super) fn read(html: &str, attribute: &mut dyn FnMut(&str)) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    let mut hidden = Vec::new();
    stretch(html, attribute, &mut text, Some(&mut hidden));
    for comment in hidden {
        text.push('\n');
        stretch(comment, attribute, &mut text, None);
    }
    text
}

/// Reads on; where comments are set aside, they part no words. Within a comment another one's beginning means nothing.
fn stretch<'a>(
    html: &'a str,
    attribute: &mut dyn FnMut(&str),
    text: &mut String,
    mut comments: Option<&mut Vec<&'a str>>,
) {
    let bytes = html.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let open = memchr(b'<', &bytes[at..]).map_or(bytes.len(), |offset| at + offset);
        push_text(&html[at..open], text);
        let Some(next) = bytes.get(open + 1) else { break };
        if html[open..].starts_with("<!--") {
            at = open + 4;
            if let Some(comments) = &mut comments {
                let inner = &html[at..];
                let end = memmem::find(inner.as_bytes(), b"-->");
                comments.push(&inner[..end.unwrap_or(inner.len())]);
                at += end.map_or(inner.len(), |end| end + 3);
            }
        } else if next.is_ascii_alphabetic() || matches!(next, b'/' | b'!' | b'?') {
            let end = end_of_tag(bytes, open + 1);
            tag(&html[open + 1..end], attribute, text);
            at = (end + 1).min(bytes.len());
        } else {
            text.push('<');
            at = open + 1;
        }
    }
}

/// A tag ends with `>`, but not within quotation marks, unless they never end.
fn end_of_tag(bytes: &[u8], from: usize) -> usize {
    let longest = bytes.len().min(from + TAG_BYTES_MAX);
    let mut quote = None;
    for (at, byte) in bytes[from..longest].iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return from + at,
            (None, b'"' | b'\'') if matches!(bytes[from + at - 1], b'=' | b' ' | b'\t' | b'\n' | b'\r') => {
                quote = Some(*byte);
            }
            (Some(open), byte) if open == *byte => quote = None,
            _ => (),
        }
    }
    memchr(b'>', &bytes[from..]).map_or(bytes.len(), |at| from + at)
}

fn tag(tag: &str, attribute: &mut dyn FnMut(&str), text: &mut String) {
    let tag = tag.trim_start_matches('/');
    let name_end = tag.find(|c: char| c.is_ascii_whitespace() || (c == '/')).unwrap_or(tag.len());
    let name = &tag[..name_end];
    if !INLINE.iter().any(|inline| inline.eq_ignore_ascii_case(name)) && !text.ends_with('\n') {
        text.push('\n');
    }
    let mut rest = &tag[name_end..];
    while let Some(equals) = rest.find('=') {
        rest = rest[equals + 1..].trim_ascii_start();
        let value = if let Some(quote @ (b'"' | b'\'')) = rest.as_bytes().first() {
            let inner = &rest[1..];
            let end = memchr(*quote, inner.as_bytes()).unwrap_or(inner.len());
            rest = inner.get(end + 1..).unwrap_or_default();
            &inner[..end]
        } else {
            let end = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
            let value = &rest[..end];
            rest = &rest[end..];
            value
        };
        if value.contains(['.', ':', '&', '%']) {
            attribute(&decoded(value));
        }
    }
}

/// A value with its entities decoded; line breaks and tabs in links count for nothing (URL standard, §4.4).
fn decoded(value: &str) -> Cow<'_, str> {
    let value = value.trim_matches(|c: char| c <= ' ');
    if !value.contains(['&', '\n', '\r', '\t']) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    push_text(value, &mut out);
    out.retain(|c| !matches!(c, '\n' | '\r' | '\t'));
    Cow::Owned(out)
}

/// Appends text with its entities decoded, without the characters that nobody sees.
fn push_text(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) =
        rest.find(['&', '\u{ad}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'])
    {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('&') {
            rest = push_entity(rest, out);
        } else {
            let mut letters = rest.chars();
            letters.next();
            rest = letters.as_str();
        }
    }
    out.push_str(rest);
}

/// Appends the character that the entity at the text's beginning stands for; gives what follows.
fn push_entity<'a>(text: &'a str, out: &mut String) -> &'a str {
    let bytes = text.as_bytes();
    let is_number = bytes.get(1) == Some(&b'#');
    let is_hex = is_number && matches!(bytes.get(2), Some(b'x' | b'X'));
    let begin = 1 + usize::from(is_number) + usize::from(is_hex);
    let is_letter = |byte: &u8| match (is_number, is_hex) {
        (true, false) => byte.is_ascii_digit(),
        (true, true) => byte.is_ascii_hexdigit(),
        (false, _) => byte.is_ascii_alphanumeric(),
    };
    let longest = bytes.len().min(begin + ENTITY_BYTES_MAX);
    let length = bytes[begin..longest].iter().take_while(|byte| is_letter(byte)).count();
    let end = begin + length;
    let is_closed = bytes.get(end) == Some(&b';');
    // Browsers take numbers without a semicolon, and names of old.
    let is_known =
        is_closed || is_number || matches!(&text[begin..end], "amp" | "lt" | "gt" | "quot" | "nbsp" | "shy");
    if length == 0 || !is_known {
        out.push('&');
        return &text[1..];
    }
    let mut token = text[..end].to_owned();
    token.push(';');
    let before = out.len();
    add_html_token(out, token.as_bytes(), false);
    let made = out.split_off(before);
    if !matches!(made.as_str(), "\u{ad}" | "\u{200b}" | "\u{200c}" | "\u{200d}" | "\u{2060}" | "\u{feff}") {
        out.push_str(&made);
    }
    &text[end + usize::from(is_closed)..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(html: &str) -> (String, Vec<String>) {
        let mut values = Vec::new();
        let text = read(html, &mut |value| values.push(value.to_owned()));
        (text.trim().to_owned(), values)
    }

    #[test]
    fn words_are_joined_as_a_reader_sees_them() {
        let cases = [
            ("<p>evil<b></b>.exam<!-- x -->ple</p>", "evil.example\n\n x "),
            ("ev&#105;l&period;ex&#x61;mple &amp &lt;b&gt;", "evil.example & <b>"),
            ("ev\u{200b}il&shy;.&#8203;example", "evil.example"),
            ("<td>one</td><td>two</td>", "one\ntwo"),
            ("1 < 2 && 3 > 2", "1 < 2 && 3 > 2"),
            ("&#xfffffff; &unknown; &#;", "\u{fffd} &unknown; &#;"),
            ("<p", ""),
        ];
        for (html, want) in cases {
            assert_eq!(read_all(html).0, want.trim(), "{html}");
        }
    }

    #[test]
    fn every_attribute_may_hold_a_link() {
        let cases: &[(&str, &[&str])] = &[
            ("<a href=\"http://a.example/?x=1&amp;y=2\">", &["http://a.example/?x=1&y=2"]),
            ("<a href=http://a.example/x>", &["http://a.example/x"]),
            ("<A HREF = 'ht\ntp://a.exa\tmple'>", &["http://a.example"]),
            ("<a href=\"&#104;ttp://a.example\">", &["http://a.example"]),
            ("<a title='x > y. z' href='//a.example'>", &["x > y. z", "//a.example"]),
            ("<a href=\"http://never.ends.example", &["http://never.ends.example"]),
            ("<!--[if mso]><v:rect href=\"http://a.example\"><![endif]-->", &["http://a.example"]),
            ("<meta content=\"0;url=http://a.example\">", &["0;url=http://a.example"]),
        ];
        for (html, want) in cases {
            assert_eq!(read_all(html).1, *want, "{html}");
        }
    }

    proptest! {
        #[test]
        fn any_html_is_read(html in "[<>a-z/!&#;x0-9='\" \\-\u{200b}ä\n]{0,300}") {
            let _ = read_all(&html);
        }
    }
}
