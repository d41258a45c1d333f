//! Hashes: hexadecimal digits in the number that a hash function gives.

use crate::key::{Algorithm, Digest, Key, Kind};
use crate::matcher::Matcher;
use crate::scan::{Context, Met};

/// The digits of the shortest hash; a longer run covers one of every so many places.
const DIGITS_MIN: usize = 32;
/// Bytes of the longest.
const BYTES_MAX: usize = 64;

pub(super) fn scan(matcher: &Matcher, text: &[u8], visit: &mut impl FnMut(Met)) {
    // Before this place all runs are done.
    let mut done = 0;
    while let Some(probe) = text.get(done + DIGITS_MIN - 1) {
        let at = done + DIGITS_MIN - 1;
        if !probe.is_ascii_hexdigit() {
            done = at + 1;
            continue;
        }
        let start =
            text[done..at].iter().rposition(|byte| !byte.is_ascii_hexdigit()).map_or(done, |i| done + i + 1);
        let end = text[at..].iter().position(|byte| !byte.is_ascii_hexdigit()).map_or(text.len(), |i| at + i);
        done = end + 1;
        let is_word = |at: Option<&u8>| at.is_some_and(u8::is_ascii_alphanumeric);
        let stands_alone =
            !is_word(start.checked_sub(1).and_then(|at| text.get(at))) && !is_word(text.get(end));
        let length = end - start;
        if !stands_alone || length % 2 != 0 || length / 2 > BYTES_MAX {
            continue;
        }
        let mut bytes = [0; BYTES_MAX];
        let bytes = &mut bytes[..length / 2];
        if hex::decode_to_slice(&text[start..end], bytes).is_err() {
            continue;
        }
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.digest_bytes() == length / 2)
        {
            matcher.hash(algorithm, bytes, |slot| {
                let read = Key::Digest(Digest::of_bytes(algorithm, bytes));
                visit(Met { slot, kind: Kind::Digest, read, span: start..end, context: Context::Text });
            });
        }
    }
}
