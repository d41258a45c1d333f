//! Text as people write it: defanged marks, tokens, case and white space.

use std::borrow::Cow;
use std::ops::Range;

/// Undoes what people do to names and addresses so that nobody opens them by mistake: `[.]`, `(dot)`, `\.`, `[@]`, `[at]`, `[:]`;
/// and that again, where it was done twice.
pub(crate) fn refang(text: &str) -> Cow<'_, str> {
    let mut plain = Cow::Borrowed(text);
    // Each time it gets shorter.
    while let Some(plainer) = refanged_once(&plain) {
        plain = Cow::Owned(plainer);
    }
    plain
}

fn refanged_once(text: &str) -> Option<String> {
    if !text.bytes().any(|byte| matches!(byte, b'[' | b'(' | b'{' | b'\\')) {
        return None;
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((mark, length)) = mark_at(rest.as_bytes(), 0) {
            plain.push(char::from(mark));
            rest = &rest[length..];
        } else {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    (plain.len() < text.len()).then_some(plain)
}

/// A dot, an at sign or a colon at a place of a text, plain or defanged, with its length.
pub(crate) fn mark_at(text: &[u8], at: usize) -> Option<(u8, usize)> {
    match *text.get(at)? {
        plain @ (b'.' | b'@' | b':') => Some((plain, 1)),
        b'\\' => (text.get(at + 1) == Some(&b'.')).then_some((b'.', 2)),
        b'[' => bracketed(&text[at..], b']'),
        b'(' => bracketed(&text[at..], b')'),
        b'{' => bracketed(&text[at..], b'}'),
        _ => None,
    }
}

fn bracketed(text: &[u8], close: u8) -> Option<(u8, usize)> {
    let (mark, inner) = match text.get(1..)? {
        [mark @ (b'.' | b'@' | b':'), ..] => (*mark, 1),
        [a, b, c, ..] if [*a, *b, *c].eq_ignore_ascii_case(b"dot") => (b'.', 3),
        [a, b, ..] if [*a, *b].eq_ignore_ascii_case(b"at") => (b'@', 2),
        _ => return None,
    };
    (text.get(1 + inner) == Some(&close)).then_some((mark, inner + 2))
}

/// The character that begins at a place, if the bytes there are UTF-8.
pub(crate) fn char_at(text: &[u8], at: usize) -> Option<char> {
    let first = *text.get(at)?;
    let length = match first {
        0..=0x7f => return Some(char::from(first)),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    std::str::from_utf8(text.get(at..at + length)?).ok()?.chars().next()
}

/// The character that ends before a place.
pub(crate) fn char_before(text: &[u8], end: usize) -> Option<char> {
    (1..=4.min(end)).find_map(|length| {
        let at = end - length;
        char_at(text, at).filter(|c| c.len_utf8() == length)
    })
}

/// Whether a character stands for itself in a script that writes no spaces between words.
pub(crate) fn is_unspaced(c: char) -> bool {
    // From the CJK radicals on: Han, kana, bopomofo, hangul and their wide forms.
    c >= '\u{2e80}'
}

/// The tokens of a text: letters and digits that stand together. A character of a script without spaces is one by itself.
pub(crate) fn tokens(text: &[u8]) -> Tokens<'_> {
    Tokens { text, at: 0 }
}

pub(crate) struct Tokens<'t> {
    text: &'t [u8],
    at: usize,
}

impl Tokens<'_> {
    /// Goes on from a place.
    pub(crate) fn from(text: &[u8], at: usize) -> Tokens<'_> {
        Tokens { text, at }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let text = self.text;
        let mut start = None;
        loop {
            let at = self.at;
            let Some(byte) = text.get(at) else { return start.map(|start| start..at) };
            let (length, is_letter) = if byte.is_ascii() {
                (1, byte.is_ascii_alphanumeric())
            } else {
                match char_at(text, at) {
                    Some(c) if c.is_alphanumeric() && is_unspaced(c) => {
                        if let Some(start) = start {
                            return Some(start..at);
                        }
                        self.at = at + c.len_utf8();
                        return Some(at..self.at);
                    }
                    // Marks that combine belong to the letter before them.
                    Some(c) => (c.len_utf8(), c.is_alphanumeric() || is_combining(c) && start.is_some()),
                    None => (1, false),
                }
            };
            match (start, is_letter) {
                (None, true) => start = Some(at),
                (Some(start), false) => return Some(start..at),
                (None, false) | (Some(_), true) => {}
            }
            self.at = at + length;
        }
    }
}

fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// A string in the form in which it is sought: from its first token to its last, in lower case, white space collapsed.
pub(crate) fn fold_string(text: &str) -> String {
    let mut tokens = tokens(text.as_bytes());
    let Some(first) = tokens.next() else { return String::new() };
    let end = tokens.last().map_or(first.end, |last| last.end);
    let mut folded = Vec::with_capacity(end - first.start);
    fold(text.as_bytes(), first.start..end, &mut folded);
    String::from_utf8(folded).unwrap_or_default()
}

/// Appends a part of a text in lower case, white space collapsed. Bytes that are no UTF-8 become U+FFFD.
pub(crate) fn fold(text: &[u8], part: Range<usize>, folded: &mut Vec<u8>) {
    let part = &text[part];
    let mut at = 0;
    let mut is_after_space = false;
    while at < part.len() {
        let byte = part[at];
        if byte.is_ascii_alphanumeric() {
            folded.push(byte.to_ascii_lowercase());
            (at, is_after_space) = (at + 1, false);
            continue;
        }
        let c = char_at(part, at);
        at += c.map_or(1, char::len_utf8);
        let c = c.unwrap_or('\u{fffd}');
        if c.is_whitespace() {
            if !is_after_space {
                folded.push(b' ');
            }
            is_after_space = true;
            continue;
        }
        is_after_space = false;
        for lower in c.to_lowercase() {
            folded.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defanged_marks_are_read_and_others_stay() {
        let cases = [
            ("evil[.]example", "evil.example"),
            ("evil(.)a{.}b\\.c", "evil.a.b.c"),
            ("evil[DOT]example(dot)org{Dot}", "evil.example.org."),
            ("a[at]b(@)c", "a@b@c"),
            ("hxxp[:]//x", "hxxp://x"),
            ("[::1]:53", "[::1]:53"),
            ("[.", "[."),
            ("[.)", "[.)"),
            ("[dot", "[dot"),
            ("é[.]é", "é.é"),
            ("evil[[.]]example", "evil.example"),
        ];
        for (text, want) in cases {
            assert_eq!(refang(text), want);
        }
    }

    #[test]
    fn tokens_are_letters_and_digits_that_stand_together() {
        let shown = |text: &str| -> Vec<String> {
            tokens(text.as_bytes()).map(|range| text[range].to_owned()).collect()
        };
        assert_eq!(shown("  cmd.exe /c  «calc»"), ["cmd", "exe", "c", "calc"]);
        assert_eq!(shown("naïve e\u{301}t Ünïcode"), ["naïve", "e\u{301}t", "Ünïcode"]);
        assert_eq!(shown("abc日本x"), ["abc", "日", "本", "x"]);
        assert_eq!(shown("... --- _"), [""; 0]);
        assert_eq!(tokens(b"a\xffb\xe4").count(), 2);
    }
}
