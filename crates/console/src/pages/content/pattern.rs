//! A STIX pattern in pieces that can be told apart by eye: what is compared, with what, and how (STIX 2.1 §9).
//!
//! It is for reading, not for understanding: whatever the text is, the pieces put together are the text.

/// A piece of a pattern, with the class that its kind is drawn in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) class: &'static str,
    pub(crate) text: String,
}

const WORDS: [&str; 19] = [
    "AND",
    "OR",
    "NOT",
    "IN",
    "LIKE",
    "MATCHES",
    "ISSUBSET",
    "ISSUPERSET",
    "EXISTS",
    "FOLLOWEDBY",
    "WITHIN",
    "SECONDS",
    "REPEATS",
    "TIMES",
    "START",
    "STOP",
    "TRUE",
    "FALSE",
    "NULL",
];

pub(crate) fn highlighted(pattern: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let (length, class) = match first {
            '\'' => (quoted(rest), "literal"),
            letter if is_word(letter) => {
                let length = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
                let word = &rest[..length];
                let class = if WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) {
                    "word"
                } else if word.starts_with(|letter: char| letter.is_ascii_digit()) {
                    "literal"
                } else {
                    "path"
                };
                (length, class)
            }
            letter => (letter.len_utf8(), "sign"),
        };
        match pieces.last_mut() {
            Some(last) if last.class == class && class == "sign" => last.text.push_str(&rest[..length]),
            Some(_) | None => pieces.push(Piece { class, text: rest[..length].to_owned() }),
        }
        rest = &rest[length..];
    }
    pieces
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '-' | '_' | ':' | '.' | '*')
}

/// How long a text in single quotes is, with both of them; to the end, if the second is missing.
fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_told_apart_and_nothing_is_lost() {
        let pattern = r"[domain-name:value = 'it\'s.example' AND file:size > 10] FOLLOWEDBY [x:y='<b>";
        let pieces = highlighted(pattern);
        assert_eq!(pieces.iter().map(|piece| piece.text.as_str()).collect::<String>(), pattern);
        let of = |class: &str| -> Vec<&str> {
            pieces.iter().filter(|piece| piece.class == class).map(|piece| piece.text.as_str()).collect()
        };
        assert_eq!(of("literal"), [r"'it\'s.example'", "10", "'<b>"]);
        assert_eq!(of("word"), ["AND", "FOLLOWEDBY"]);
        assert_eq!(of("path"), ["domain-name:value", "file:size", "x:y"]);
    }
}
