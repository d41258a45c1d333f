//! Which words of one name stand for which of the other.
//!
//! `Usāma bin Muhammad ibn Lādin` and `BIN LADEN, Osama` say the same in another order, with other letters and with words
//! left out. An alignment pairs the words: each with the one it resembles most, several with one where they were written
//! together (`VladimirPutin`), a short word with the words whose initials it is (`PLA`). What stays unpaired on both
//! sides is what tells two bearers apart.

use std::ops::Range;

use crate::name::{Kind, Name, Word};
use crate::spelling::{Script, folded, skeleton};
use crate::vocabulary::{Class, full_given_name};

/// How alike two words have to be to be paired at all, in thousandths.
///
/// At 450, one letter of three may differ, or two of six; more where they are letters that romanisations exchange.
const LIKENESS_MIN: u32 = 450;

/// How alike words written together have to be to the words written apart.
const JOINED_LIKENESS_MIN: u32 = 850;

/// How many words may have been written together.
const JOINED_WORDS_MAX: usize = 3;

/// How long a word of the vocabulary has to be, in letters, to be recognised when it is misspelt.
const KNOWN_LEN_MIN: usize = 4;

/// How many edits a folded word may be away, unless the consonants agree.
///
/// Two: slips of the finger come alone or in pairs; what differs by three is mostly another name (`Castro`, `Castillo`).
const FOLDED_EDITS_MAX: u32 = 2;

/// An edit's price, in thousandths of a word as long as it is letters: two words of six letters lose 250 by one.
const EDIT_COST: usize = 1500;

/// Words that stand for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pairing {
    pub(crate) left: Range<usize>,
    pub(crate) right: Range<usize>,
    /// In thousandths.
    pub(crate) likeness: u32,
}

/// Pairs the words of two names, best pairs first.
///
/// The names come in a fixed order, so that ties break alike whoever asks first.
pub(crate) fn align(left: &Name, right: &Name) -> Vec<Pairing> {
    let kind = if left.kind() == Kind::Person && right.kind() == Kind::Person {
        Kind::Person
    } else {
        Kind::Organisation
    };
    let (ours, theirs) = (left.words(), right.words());
    let mut possible = Vec::new();
    for (at, word) in ours.iter().enumerate() {
        for (other_at, other) in theirs.iter().enumerate() {
            let likeness = likeness(word, other, kind);
            if likeness >= LIKENESS_MIN {
                possible.push(Pairing { left: at..at + 1, right: other_at..other_at + 1, likeness });
            }
        }
    }
    possible.extend(joined(ours, theirs));
    possible.extend(joined(theirs, ours).into_iter().map(Pairing::mirrored));
    if kind == Kind::Organisation {
        possible.extend(acronyms(ours, theirs));
        possible.extend(acronyms(theirs, ours).into_iter().map(Pairing::mirrored));
    }
    chosen(possible, ours, theirs)
}

impl Pairing {
    fn mirrored(self) -> Self {
        Self { left: self.right, right: self.left, likeness: self.likeness }
    }
}

/// The best pairings that do not get in each other's way.
fn chosen(mut possible: Vec<Pairing>, ours: &[Word], theirs: &[Word]) -> Vec<Pairing> {
    possible.sort_by_cached_key(|pairing| {
        let worth = weight(ours, &pairing.left) + weight(theirs, &pairing.right);
        let words = pairing.left.len() + pairing.right.len();
        let place = pairing.left.start.abs_diff(pairing.right.start);
        // A word for a word before any that were joined, or a name would not be the same as itself.
        (
            1000 - pairing.likeness.min(1000),
            words,
            u32::MAX - worth,
            place,
            pairing.left.start,
            pairing.right.start,
        )
    });
    let (mut taken, mut taken_there) = (vec![false; ours.len()], vec![false; theirs.len()]);
    possible.retain(|pairing| {
        let here = taken.get_mut(pairing.left.clone()).unwrap_or_default();
        let there = taken_there.get_mut(pairing.right.clone()).unwrap_or_default();
        let is_free = !here.iter().chain(there.iter()).any(|taken| *taken);
        if is_free {
            here.fill(true);
            there.fill(true);
        }
        is_free
    });
    possible
}

/// What the words tell together, in thousandths of a plain word.
pub(crate) fn weight(words: &[Word], range: &Range<usize>) -> u32 {
    words.get(range.clone()).unwrap_or_default().iter().map(|word| word.class.weight()).sum()
}

/// How alike two words are, in thousandths.
fn likeness(one: &Word, other: &Word, kind: Kind) -> u32 {
    match (one.class, other.class) {
        (Class::Initial, Class::Initial) => return same(one.latin == other.latin),
        (Class::Initial, _) | (_, Class::Initial) if kind == Kind::Person => return initial(one, other),
        (Class::Initial | Class::Number, _) | (_, Class::Initial | Class::Number) => {
            return same(one.class == other.class && one.latin == other.latin);
        }
        (one_class, other_class) if one_class.is_known() && other_class.is_known() => {
            return same(one.latin == other.latin);
        }
        // A known word may be misspelt, but not one so short that any other is near: `al` is not `Ali`.
        (one_class, other_class) if one_class.is_known() || other_class.is_known() => {
            let short = one.latin.len().min(other.latin.len());
            if short < KNOWN_LEN_MIN {
                return same(one.latin == other.latin);
            }
        }
        _ => {}
    }
    match (&one.native, &other.native) {
        (Some((script, letters)), Some((other_script, other_letters))) if script == other_script => {
            if letters == other_letters {
                1000
            } else if *script == Script::Han {
                0
            } else {
                let edits = strsim::osa_distance(letters, other_letters);
                left_after(2 * edits, letters.chars().count().max(other_letters.chars().count()))
            }
        }
        _ if (one.script() == Script::Unvowelled) != (other.script() == Script::Unvowelled) => {
            unvowelled(one, other).max(spelt(one, other))
        }
        _ => spelt(one, other).max(if kind == Kind::Person { short_for(one, other) } else { 0 }),
    }
}

fn same(is_same: bool) -> u32 {
    if is_same { 1000 } else { 0 }
}

/// A letter and a name that begins with it.
fn initial(one: &Word, other: &Word) -> u32 {
    const INITIAL: u32 = 650;
    let (letter, word) = if one.class == Class::Initial { (one, other) } else { (other, one) };
    if word.class == Class::Plain && word.latin.starts_with(&letter.latin) { INITIAL } else { 0 }
}

/// `Bill` and `William`.
fn short_for(one: &Word, other: &Word) -> u32 {
    const SHORT_FOR: u32 = 850;
    let (full, other_full) = (full_given_name(&one.latin), full_given_name(&other.latin));
    let is_same = match (full, other_full) {
        (Some(full), Some(other_full)) => full == other_full,
        (Some(full), None) => full == other.latin,
        (None, Some(full)) => full == one.latin,
        (None, None) => false,
    };
    if is_same { SHORT_FOR } else { 0 }
}

/// A word written without vowels, and one written with them.
fn unvowelled(one: &Word, other: &Word) -> u32 {
    const SAME: u32 = 850;
    // A `w` may be a vowel there too, and a first vowel may be missing.
    let bones =
        |word: &Word| -> String { word.skeleton.chars().filter(|c| !matches!(c, 'v' | 'a' | 'h')).collect() };
    let (bones, other_bones) = (bones(one), bones(other));
    let len = bones.len().max(other_bones.len());
    if len >= 2 && bones == other_bones { SAME } else { 0 }
}

/// Two words by their letters.
fn spelt(one: &Word, other: &Word) -> u32 {
    if one.latin == other.latin {
        return 1000;
    }
    // An edit changes two of the letters that occur, at most.
    if (one.mask ^ other.mask).count_ones() > 2 * FOLDED_EDITS_MAX {
        return 0;
    }
    let has_bones = one.skeleton.len() >= 3;
    spelt_as(
        (&one.latin, &other.latin),
        (&one.folded, &other.folded),
        has_bones && one.skeleton == other.skeleton,
    )
}

/// Two spellings by the edits between them; what folding undoes counts half, and vowels count less.
fn spelt_as(latin: (&str, &str), folded: (&str, &str), has_same_consonants: bool) -> u32 {
    let len = latin.0.len().max(latin.1.len());
    let edits = strsim::osa_distance(latin.0, latin.1);
    let folded_edits = strsim::osa_distance(folded.0, folded.1).min(edits);
    let half_edits = edits + folded_edits;
    if has_same_consonants {
        return left_after(half_edits * 6 / 10, len);
    }
    if u32::try_from(folded_edits).is_ok_and(|edits| edits <= FOLDED_EDITS_MAX) {
        left_after(half_edits, len)
    } else {
        0
    }
}

/// What is left of a word's likeness after so many half edits.
fn left_after(half_edits: usize, len: usize) -> u32 {
    let lost = half_edits * EDIT_COST / 2 / len.max(1);
    u32::try_from(1000_usize.saturating_sub(lost)).unwrap_or(0)
}

/// Words of the right that were written together on the left.
fn joined(ours: &[Word], theirs: &[Word]) -> Vec<Pairing> {
    let mut found = Vec::new();
    for (at, word) in ours.iter().enumerate() {
        if word.latin.len() < 2 || word.class == Class::Number {
            continue;
        }
        for from in 0..theirs.len() {
            for to in from + 2..=(from + JOINED_WORDS_MAX).min(theirs.len()) {
                let parts = theirs.get(from..to).unwrap_or_default();
                let len: usize = parts.iter().map(|part| part.latin.len()).sum();
                if len.abs_diff(word.latin.len()) > 1 + word.latin.len() / 6 {
                    continue;
                }
                let mask = parts.iter().fold(0, |mask, part| mask | part.mask);
                if (mask ^ word.mask).count_ones() > 2 * FOLDED_EDITS_MAX {
                    continue;
                }
                let whole: String = parts.iter().map(|part| part.latin.as_str()).collect();
                if parts.iter().any(|part| part.class == Class::Number) {
                    continue;
                }
                let has_initial = parts.iter().any(|part| part.class == Class::Initial);
                let likeness = if has_initial {
                    // Or any initial would be a slip at the front of any word.
                    same(whole == word.latin)
                } else {
                    let whole_folded = folded(&whole);
                    let has_same_consonants =
                        word.skeleton.len() >= 3 && skeleton(&whole_folded) == word.skeleton;
                    spelt_as((&word.latin, &whole), (&word.folded, &whole_folded), has_same_consonants)
                };
                if likeness >= JOINED_LIKENESS_MIN {
                    found.push(Pairing { left: at..at + 1, right: from..to, likeness });
                }
            }
        }
    }
    found
}

/// A word on the left that is the initials of all that the right says.
fn acronyms(ours: &[Word], theirs: &[Word]) -> Vec<Pairing> {
    const ACRONYM: u32 = 800;
    let initials: String = theirs
        .iter()
        .filter(|word| word.class != Class::Particle)
        .filter_map(|word| word.latin.chars().next())
        .collect();
    if initials.len() < 3 {
        return Vec::new();
    }
    let places =
        ours.iter().enumerate().filter(|(_, word)| word.class == Class::Plain && word.latin == initials);
    places.map(|(at, _)| Pairing { left: at..at + 1, right: 0..theirs.len(), likeness: ACRONYM }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(left: &str, right: &str, kind: Kind) -> Vec<(Range<usize>, Range<usize>)> {
        let (left, right) = (Name::parse(left, kind).unwrap(), Name::parse(right, kind).unwrap());
        let mut pairs: Vec<_> =
            align(&left, &right).into_iter().map(|pairing| (pairing.left, pairing.right)).collect();
        pairs.sort_by_key(|(left, _)| left.start);
        pairs
    }

    #[test]
    fn words_find_their_like() {
        let cases = [
            ("Ada Lovelace", "Lovelace, Ada", Kind::Person, vec![(0..1, 1..2), (1..2, 0..1)]),
            ("Ada Lovelace", "AdaLovelace", Kind::Person, vec![(0..2, 0..1)]),
            ("A. Lovelace", "Ada Lovelace", Kind::Person, vec![(0..1, 0..1), (1..2, 1..2)]),
            ("B. Lovelace", "Ada Lovelace", Kind::Person, vec![(1..2, 1..2)]),
            ("Bill Example", "William Example", Kind::Person, vec![(0..1, 0..1), (1..2, 1..2)]),
            ("WHO", "World Health Organization", Kind::Organisation, vec![(0..1, 0..3)]),
            ("Example Oil", "Example Gas", Kind::Organisation, vec![(0..1, 0..1)]),
            ("李明", "李民", Kind::Person, vec![(0..1, 0..1)]),
        ];
        for (left, right, kind, want) in cases {
            assert_eq!(pairs(left, right, kind), want, "{left} | {right}");
        }
    }

    #[test]
    fn letters_that_are_exchanged_cost_less() {
        let word = |text: &str| Name::parse(text, Kind::Person).unwrap().words()[0].clone();
        let of = |one: &str, other: &str| likeness(&word(one), &word(other), Kind::Person);
        // one                    another spelling             a mistake
        let cases = [
            ("wladimir", "vladimir", "bladimir"),
            ("osama", "usama", "isama"),
            ("husayn", "hussein", "hudseyn"),
        ];
        for (one, spelling, mistake) in cases {
            assert!(of(one, spelling) > of(one, mistake), "{one}");
        }
        assert!(of("محمد", "mohammed") >= 800 && of("محمد", "mahmoud") < of("محمد", "محمود") + 1000);
        assert_eq!(of("alpha", "omega"), 0);
    }
}
