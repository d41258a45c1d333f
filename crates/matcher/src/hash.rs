//! The keyed hash under every table, made for suffixes.
//!
//! A name is looked up by each of its suffixes, so the hash runs over labels from the right and gives a value after each:
//! one pass over `www.example.com` gives those of `com`, `example.com` and the whole. A label is cut into pieces of
//! seven bytes; each piece, with its length and a mark at the label's end, is a coefficient of a polynomial, which is evaluated
//! at a secret point modulo the prime 2^61 - 1 (Carter and Wegman). Two different keys of `n` pieces agree for at most `n` of the
//! 2^61 points: whoever does not know the point cannot make keys that collide, however the keys are chosen. That is what
//! an unkeyed hash, or one whose key only starts it, does not give. Tables compare whole keys, so a collision could cost time only.

/// 2^61 - 1, a prime; reduction modulo it is a shift and an addition.
const PRIME: u64 = (1 << 61) - 1;

/// The secret of one process's tables.
#[derive(Clone)]
pub(crate) struct Seed {
    /// Where the polynomial is evaluated; 1 to 2^61 - 2.
    point: u64,
    /// The value of nothing, so that a first piece of zeros counts.
    start: u64,
    /// Odd; spreads the 61 bits over 64.
    spread: u64,
}

impl Seed {
    pub(crate) fn new(random: [u8; 32]) -> Self {
        let word = |i: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&random[8 * i..8 * i + 8]);
            u64::from_le_bytes(bytes)
        };
        Self { point: word(0) % (PRIME - 1) + 1, start: word(1) % PRIME, spread: word(2) | 1 }
    }

    /// Of the empty suffix.
    pub(crate) fn start(&self) -> Running {
        Running(self.start)
    }

    /// Takes the label that stands in the first `length` bytes of `text`; what follows it there is not looked at, but lets
    /// whole words be loaded.
    pub(crate) fn label(&self, running: Running, text: &[u8], length: usize) -> Running {
        let mut value = running.0;
        let mut at = 0;
        loop {
            let taken = (length - at).min(7);
            let is_last = at + taken == length;
            let piece = load(text, at, taken) | (taken as u64) << 56 | u64::from(is_last) << 59;
            value = self.step(value, piece);
            at += taken;
            if is_last {
                return Running(value);
            }
        }
    }

    /// Takes one number of up to 60 bits.
    pub(crate) fn number(&self, running: Running, number: u64) -> Running {
        Running(self.step(running.0, number & ((1 << 60) - 1)))
    }

    pub(crate) fn finish(&self, running: Running) -> u64 {
        let spread = running.0.wrapping_mul(self.spread);
        spread ^ spread >> 32
    }

    /// Of a whole key: its parts between dots, from the right.
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hash_prefix(key, key.len())
    }

    /// Of the first `length` bytes of `text`, which may go on.
    pub(crate) fn hash_prefix(&self, text: &[u8], length: usize) -> u64 {
        let mut running = self.start();
        let mut end = length;
        loop {
            let start = label_start(text, end);
            running = self.label(running, &text[start..], end - start);
            if start == 0 {
                return self.finish(running);
            }
            end = start - 1;
        }
    }

    // The sum stays below 2^62 and the product below 2^123; what is left is below 2^61 + 4, which the next step bears.
    fn step(&self, value: u64, piece: u64) -> u64 {
        let product = u128::from(value + piece) * u128::from(self.point);
        #[expect(clippy::cast_possible_truncation, reason = "the low 61 bits and the rest, which has 62")]
        let folded = (product as u64 & PRIME) + (product >> 61) as u64;
        (folded & PRIME) + (folded >> 61)
    }
}

/// A hash under way.
#[derive(Clone, Copy)]
pub(crate) struct Running(u64);

/// Where the label begins that ends before `end`.
pub(crate) fn label_start(text: &[u8], end: usize) -> usize {
    text[..end].iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1)
}

/// `taken` bytes from `at` on, at most seven, as a number.
fn load(text: &[u8], at: usize, taken: usize) -> u64 {
    match text.get(at..at + 8).and_then(|word| <[u8; 8]>::try_from(word).ok()) {
        Some(word) => u64::from_le_bytes(word) & ((1 << (8 * taken)) - 1),
        None => text[at..at + taken].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_key_makes_no_difference_to_its_hash() {
        let seed = Seed::new([7; 32]);
        for key in ["", ".", "a", "a.b", "1234567", "12345678", "a..b", "www.example.com"] {
            let long = format!("{key}.and.more.of.it");
            assert_eq!(seed.hash(key.as_bytes()), seed.hash_prefix(long.as_bytes(), key.len()), "{key}");
        }
    }

    #[test]
    fn keys_of_other_pieces_have_other_hashes() {
        let seed = Seed::new(*b"0123456789abcdef0123456789ABCDEF");
        let keys = [
            "",
            ".",
            "..",
            "a",
            "a.",
            ".a",
            "a\0",
            "\0a",
            "ab",
            "a.b",
            "b.a",
            "1234567",
            "1234567\0",
            "1234567.",
            "123456.7",
        ];
        let hashes: std::collections::BTreeSet<u64> =
            keys.iter().map(|key| seed.hash(key.as_bytes())).collect();
        assert_eq!(hashes.len(), keys.len());
    }

    #[test]
    fn another_secret_gives_another_hash() {
        let (one, other) = (Seed::new([1; 32]), Seed::new([2; 32]));
        assert_ne!(one.hash(b"example.com"), other.hash(b"example.com"));
    }
}
