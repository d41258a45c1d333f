//! LIKE: `%` stands for any text, `_` for one character (STIX 2.1 §9.6.1).
//!
//! The pattern is cut at `%`. The first piece must stand at the text's beginning, the last at its end, and each of the
//! others as early as it can behind the one before: taking the earliest leaves the most for the rest, so nothing is tried
//! twice. Pieces without `_` are searched in linear time; those with `_` cost their length at each place, on the meter.

use memchr::memmem;

use crate::meter::{Exhausted, Meter};
use crate::observation::compose;

#[derive(Clone, Debug)]
pub(crate) struct Like {
    first: Piece,
    /// What stands behind the first `%`, if there is one.
    rest: Option<(Vec<Piece>, Piece)>,
}

/// A part of a pattern without `%`.
#[derive(Clone, Debug)]
enum Piece {
    Plain(Box<memmem::Finder<'static>>),
    /// `None` stands for any one character.
    Wild(Box<[Option<char>]>),
}

impl Piece {
    fn new(text: &str) -> Self {
        if text.contains('_') {
            Self::Wild(text.chars().map(|c| (c != '_').then_some(c)).collect())
        } else {
            Self::Plain(Box::new(memmem::Finder::new(text).into_owned()))
        }
    }

    /// What is left of the text behind the piece at its beginning.
    fn strip_start<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Plain(finder) => {
                let needle = finder.needle();
                // A whole text matches whole characters, so what is left begins with one.
                text.as_bytes().starts_with(needle).then(|| &text[needle.len()..])
            }
            Self::Wild(wanted) => {
                let mut chars = text.chars();
                let fits =
                    wanted.iter().all(|want| chars.next().is_some_and(|c| want.is_none_or(|want| want == c)));
                fits.then_some(chars.as_str())
            }
        }
    }

    /// Whether the text ends with the piece.
    fn ends(&self, text: &str) -> bool {
        match self {
            Self::Plain(finder) => text.as_bytes().ends_with(finder.needle()),
            Self::Wild(wanted) => {
                let mut chars = text.chars().rev();
                wanted
                    .iter()
                    .rev()
                    .all(|want| chars.next().is_some_and(|c| want.is_none_or(|want| want == c)))
            }
        }
    }

    /// What is left of the text behind the piece's first occurrence.
    fn find<'t>(&self, text: &'t str, meter: &mut Meter) -> Result<Option<&'t str>, Exhausted> {
        match self {
            Self::Plain(finder) => {
                Ok(finder.find(text.as_bytes()).map(|at| &text[at + finder.needle().len()..]))
            }
            Self::Wild(wanted) => {
                let mut from = text;
                loop {
                    meter.spend(wanted.len())?;
                    if let Some(rest) = self.strip_start(from) {
                        return Ok(Some(rest));
                    }
                    let mut chars = from.chars();
                    if chars.next().is_none() {
                        return Ok(None);
                    }
                    from = chars.as_str();
                }
            }
        }
    }
}

impl Like {
    pub(crate) fn new(pattern: &str) -> Self {
        let composed = compose(pattern);
        let mut pieces = composed.as_deref().unwrap_or(pattern).split('%');
        let first = Piece::new(pieces.next().unwrap_or_default());
        let mut rest: Vec<&str> = pieces.collect();
        let rest = rest.pop().map(|last| {
            // Several `%` side by side mean no more than one.
            let middle = rest.into_iter().filter(|piece| !piece.is_empty()).map(Piece::new);
            (middle.collect(), Piece::new(last))
        });
        Self { first, rest }
    }

    pub(crate) fn matches(&self, text: &str, meter: &mut Meter) -> Result<bool, Exhausted> {
        meter.spend(text.len() / 64)?;
        let Some(mut left) = self.first.strip_start(text) else { return Ok(false) };
        let Some((middle, last)) = &self.rest else { return Ok(left.is_empty()) };
        for piece in middle {
            let Some(rest) = piece.find(left, meter)? else { return Ok(false) };
            left = rest;
        }
        Ok(last.ends(left))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, tried in every way.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['%', rest @ ..] => (0..=text.len()).any(|skipped| slow(rest, &text[skipped..])),
            ['_', rest @ ..] => !text.is_empty() && slow(rest, &text[1..]),
            [c, rest @ ..] => text.first() == Some(c) && slow(rest, &text[1..]),
        }
    }

    fn like(pattern: &str, text: &str) -> bool {
        Like::new(pattern).matches(text, &mut Meter::new(u64::MAX)).unwrap()
    }

    #[test]
    fn like_is_about_the_whole_text() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("%", "", true),
            ("a%", "ba", false),
            ("%.scr", "x.scr.txt", false),
            ("a_c", "aéc", true),
            ("a%a", "a", false),
            ("%ab%ba%", "aba", false),
            ("%ab%ba%", "abba", true),
            ("e\u{301}", "é", true),
        ];
        for (pattern, text, want) in cases {
            assert_eq!(like(pattern, text), want, "{text} LIKE {pattern}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn like_is_its_definition(pattern in "[abé%_]{0,8}", text in "[abé]{0,10}") {
            let chars: (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(like(&pattern, &text), slow(&chars.0, &chars.1));
        }
    }
}
