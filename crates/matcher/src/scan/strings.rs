//! Strings: each word is looked up as a first token, and what begins with it is compared.

use crate::blind::{BlindSet, Shape};
use crate::key::{Canonical, Key, Kind, TEXT_BYTES_MAX};
use crate::matcher::Matcher;
use crate::scan::{Context, Met};
use crate::text::{self, Tokens};

/// Words up to this length are put into lower case without allocation.
const WORD_BYTES: usize = 64;

pub(super) fn scan(matcher: &Matcher, text: &[u8], visit: &mut impl FnMut(Met)) {
    let mut blind: Vec<usize> = matcher.blind.iter().flat_map(BlindSet::text_lengths).collect();
    blind.sort_unstable();
    let mut folded = Vec::new();
    for token in text::tokens(text) {
        let word = &text[token.clone()];
        let hash = if word.len() <= WORD_BYTES && word.is_ascii() {
            let mut lowered = [0; WORD_BYTES + 8];
            for (to, from) in lowered.iter_mut().zip(word) {
                *to = from.to_ascii_lowercase();
            }
            matcher.seed.hash_prefix(&lowered, word.len())
        } else {
            folded.clear();
            text::fold(text, token.clone(), &mut folded);
            matcher.seed.hash(&folded)
        };
        let lengths = matcher.texts.lengths(hash).map_or(&[][..], |lengths| lengths);
        let listed_most = lengths.iter().map(|(length, _)| usize::from(*length)).max().unwrap_or(0);
        let most = listed_most.max(blind.last().copied().unwrap_or(0));
        if most == 0 {
            continue;
        }
        folded.clear();
        let mut end = token.start;
        for (count, next) in (1..=most).zip(Tokens::from(text, token.start)) {
            if next.end - token.start > 2 * TEXT_BYTES_MAX {
                break;
            }
            // A part ends with a token, so white space never stands on both sides of a cut.
            text::fold(text, end..next.end, &mut folded);
            end = next.end;
            let mut meet = |slot| {
                let (kind, span) = (Kind::Text, token.start..next.end);
                let read = Key::Text(Canonical::of_bytes(&folded));
                visit(Met { slot, kind, read, span, context: Context::Text });
            };
            if lengths.iter().any(|(length, _)| usize::from(*length) == count) {
                matcher.texts.each(&matcher.seed, &folded, &mut meet);
            }
            if blind.binary_search(&count).is_ok() {
                let shape = Shape::Text(u8::try_from(count).unwrap_or(u8::MAX));
                matcher.blind.iter().for_each(|set| set.each(&matcher.seed, shape, &folded, &mut meet));
            }
        }
    }
}
