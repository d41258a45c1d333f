//! Which of very many names are worth comparing with this one.
//!
//! A register of a million names against a list of ten thousand is ten thousand million pairs, and nearly all of them
//! share nothing. So each name is filed under *keys*, coarse forms of its words, and only names that meet under a key are
//! compared. A key forgives what a comparison forgives: `Gates` and `Cates` meet under `atis`, the folded word without one
//! of its letters, and `Lukashenko` meets `Lukashnko` under the consonants of both.
//!
//! What two names meet under matters as much as that they do. A key that few names have says much; *bank* says nearly
//! nothing, and its list is long. So the shortest lists are read first, and reading ends at [`POSTINGS_READ_MAX`]: the
//! time of a query is bounded whatever is stored.
//!
//! A filed name takes about a kilobyte. So file the shorter side, the list or the members, and ask for each name of the
//! longer one as it is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::compare::{Comparison, PROPOSED, Reason, Score, compare, score};
use crate::name::{Kind, Name, Word};
use crate::spelling::folded;
use crate::subject::Subject;
use crate::vocabulary::{Class, full_given_name};

/// How many entries of the keys' lists one query reads.
///
/// 20,000: reading them takes a millisecond or two. A name of common words alone, in an index where more than this many
/// names have them, may miss a proposal; every name with one rare word does not.
const POSTINGS_READ_MAX: usize = 20_000;

/// How many names one query compares in full.
///
/// 200: ten times what a person will look at.
const COMPARED_MAX: usize = 200;

/// Words shorter than this, in folded letters, are filed under their exact form alone.
const MISSPELT_LEN_MIN: usize = 4;

/// Words longer than this, in folded letters, are misspelt within their consonants often enough to be found by those.
const MISSPELT_LEN_MAX: usize = 6;

/// How many pairs of words one query compares in full.
///
/// 40,000: 200 names of 14 words against one of as many. Only crafted names have more, and ten of those take some 25 ms.
const WORD_PAIRS_MAX: usize = 40_000;

/// The hash of a coarse form of a word. That two forms share one costs a comparison and no proposal.
type Key = u64;

/// A subject worth a person's look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal<K> {
    /// What it is filed as.
    pub key: K,
    /// How alike it is; at least [`PROPOSED`].
    pub score: Score,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// Subjects, filed by their names.
///
/// A key may be inserted with several names, as an entity with aliases is; it is proposed once, with the best of them.
#[derive(Clone, Debug)]
pub struct Index<K> {
    /// A hole where one was removed.
    entries: Vec<Option<(K, Subject)>>,
    holes: Vec<u32>,
    by_key: BTreeMap<K, Vec<u32>>,
    /// Never iterated, so that the order of a hash shows nowhere.
    postings: HashMap<Key, Vec<u32>>,
}

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self { entries: Vec::new(), holes: Vec::new(), by_key: BTreeMap::new(), postings: HashMap::new() }
    }
}

impl<K: Clone + Ord> Index<K> {
    /// An index without subjects.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many names are filed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() - self.holes.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Files a subject, beside what is filed under this key already.
    ///
    /// # Panics
    ///
    /// Never in this world: an entry takes more than a hundred bytes, so 2^32 of them fit no machine.
    pub fn insert(&mut self, key: K, subject: impl Into<Subject>) {
        let subject = subject.into();
        let at = self.holes.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 entries fit into memory")
        });
        let keys: BTreeSet<Key> = keys(&subject.name).into_iter().map(|(_, key)| key).collect();
        for key in keys {
            self.postings.entry(key).or_default().push(at);
        }
        self.by_key.entry(key.clone()).or_default().push(at);
        if let Some(entry) = self.entries.get_mut(place(at)) {
            *entry = Some((key, subject));
        }
    }

    /// Takes out all names filed under this key.
    pub fn remove(&mut self, key: &K) {
        for at in self.by_key.remove(key).unwrap_or_default() {
            let Some((_, subject)) = self.entries.get_mut(place(at)).and_then(Option::take) else { continue };
            for (_, key) in keys(&subject.name) {
                if let Some(list) = self.postings.get_mut(&key) {
                    list.retain(|other| *other != at);
                    if list.is_empty() {
                        self.postings.remove(&key);
                    }
                }
            }
            self.holes.push(at);
        }
    }

    /// Proposes the subjects that may be this one, best first and equal ones by their keys; none below [`PROPOSED`].
    #[must_use]
    pub fn propose(&self, subject: &Subject, limit: usize) -> Vec<Proposal<K>> {
        let mut best: BTreeMap<&K, (Score, &Subject)> = BTreeMap::new();
        let mut word_pairs = 0;
        for at in self.candidates(&subject.name) {
            let Some((key, candidate)) = self.entries.get(place(at)).and_then(Option::as_ref) else {
                continue;
            };
            word_pairs += subject.name.words().len() * candidate.name.words().len();
            if word_pairs > WORD_PAIRS_MAX {
                break;
            }
            let score = score(subject, candidate);
            if score >= PROPOSED && best.get(key).is_none_or(|(before, _)| score > *before) {
                best.insert(key, (score, candidate));
            }
        }
        let mut best: Vec<_> = best.into_iter().collect();
        best.sort_by(|(one, (score, _)), (other, (other_score, _))| {
            other_score.cmp(score).then_with(|| one.cmp(other))
        });
        best.truncate(limit);
        best.into_iter()
            .map(|(key, (_, candidate))| {
                let Comparison { score, reasons } = compare(subject, candidate);
                Proposal { key: key.clone(), score, reasons }
            })
            .collect()
    }

    /// The entries that share the most telling keys with this name, best first.
    fn candidates(&self, name: &Name) -> Vec<u32> {
        let mut lists: Vec<(&Vec<u32>, usize, Key)> = keys(name)
            .into_iter()
            .filter_map(|(word, key)| Some((self.postings.get(&key)?, word, key)))
            .collect();
        lists.sort_by_key(|(list, word, key)| (list.len(), *word, *key));
        let mut left = POSTINGS_READ_MAX;
        let mut met: Vec<(u32, usize, u32)> = Vec::new();
        for (list, word, _) in lists {
            // A key that half as many names have says one more.
            let says = u32::BITS - u32::try_from(list.len()).unwrap_or(u32::MAX).ilog2();
            let class = name.words().get(word).map_or(Class::Plain, |word| word.class);
            met.extend(list.iter().take(left).map(|at| (*at, word, says * class.weight())));
            left = left.saturating_sub(list.len());
        }
        // A word that is met under several keys counts once, under the one that says most.
        met.sort_unstable();
        let mut sums: Vec<(u32, u32)> = Vec::new();
        for (index, (at, word, says)) in met.iter().enumerate() {
            let is_best =
                met.get(index + 1).is_none_or(|(next, next_word, _)| (next, next_word) != (at, word));
            match sums.last_mut() {
                _ if !is_best => {}
                Some((last, sum)) if last == at => *sum += says,
                _ => sums.push((*at, *says)),
            }
        }
        sums.sort_unstable_by(|(one, sum), (other, other_sum)| other_sum.cmp(sum).then(one.cmp(other)));
        sums.into_iter().take(COMPARED_MAX).map(|(at, _)| at).collect()
    }
}

fn place(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// The keys that a name is filed under, each with the word that it stands for.
fn keys(name: &Name) -> Vec<(usize, Key)> {
    let mut keys = Vec::new();
    let words = name.words();
    for (at, word) in words.iter().enumerate() {
        // Written together: the word and the next.
        if let Some(next) = words.get(at + 1) {
            keys.push((at, key('=', &folded(&format!("{}{}", word.latin, next.latin)))));
        }
        if word.class.weight() < Class::Common.weight() && words.len() > 1 {
            continue;
        }
        keys.push((at, key('=', &word.folded)));
        if word.class == Class::Plain {
            keys.extend(misspellings(word).into_iter().map(|key| (at, key)));
        }
        if name.kind() == Kind::Person {
            keys.extend(full_given_name(&word.latin).map(|full| (at, key('=', &folded(full)))));
        }
    }
    if name.kind() != Kind::Person {
        let told = words.iter().filter(|word| word.class != Class::Particle);
        let initials: String = told.filter_map(|word| word.latin.chars().next()).collect();
        if initials.len() >= 3 {
            keys.push((0, key('=', &folded(&initials))));
        }
    }
    keys
}

/// Coarser forms that a word shares with its misspellings: its bones, and what is left without one letter.
fn misspellings(word: &Word) -> Vec<Key> {
    let mut keys = Vec::new();
    let bones: String = word.skeleton.chars().filter(|c| !matches!(c, 'v' | 'a' | 'h')).collect();
    if bones.len() >= 2 {
        keys.push(key('~', &bones));
    }
    let len = word.folded.len();
    if (MISSPELT_LEN_MIN..=MISSPELT_LEN_MAX).contains(&len) {
        keys.extend(without_one(&word.folded).map(|rest| key('-', &rest)));
        keys.push(key('-', &word.folded));
    }
    if len > MISSPELT_LEN_MAX && word.skeleton.len() >= MISSPELT_LEN_MIN {
        keys.extend(without_one(&word.skeleton).map(|rest| key('+', &rest)));
        keys.push(key('+', &word.skeleton));
    }
    keys
}

/// FNV-1a over the kind of form and the form.
fn key(kind: char, form: &str) -> Key {
    let bytes = [kind].into_iter().chain(form.chars()).map(u64::from);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ byte).wrapping_mul(0x0100_0000_01b3))
}

/// The word without each of its letters in turn; ASCII, as all folded words are.
fn without_one(word: &str) -> impl Iterator<Item = String> {
    (0..word.len()).filter_map(|at| Some(format!("{}{}", word.get(..at)?, word.get(at + 1..)?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn organisation(text: &str) -> Subject {
        Name::parse(text, Kind::Organisation).unwrap().into()
    }

    fn person(text: &str) -> Subject {
        Name::parse(text, Kind::Person).unwrap().into()
    }

    fn found(index: &Index<u32>, subject: &Subject) -> Vec<u32> {
        index.propose(subject, 10).into_iter().map(|proposal| proposal.key).collect()
    }

    #[test]
    fn what_a_comparison_forgives_is_found() {
        let filed = [
            person("Ada Lovelace"),
            person("Wladimir Beispielskij"),
            person("William Gates"),
            person("محمد الخوارزمي"),
            organisation("Example Energy Ltd"),
            organisation("North Example Mining Organization"),
            organisation("PricewaterExample LLP"),
            organisation("Management Company"),
        ];
        let mut index = Index::new();
        for (key, subject) in (0..).zip(&filed) {
            index.insert(key, subject.clone());
        }
        let cases = [
            (person("LOVELACE, Ada"), vec![0]),
            (person("AdaLovelace"), vec![0]),
            (person("Ada Lovelase"), vec![0]),
            (person("Vladimir Beispielsky"), vec![1]),
            (person("Bill Cates"), vec![2]),
            (person("Mohammed al Khwarizmi"), vec![3]),
            (organisation("OOO Exampel Energy"), vec![4]),
            (organisation("NEMO"), vec![5]),
            (organisation("Pricewater Example"), vec![6]),
            (organisation("Management Company"), vec![7]),
            (organisation("Nobody Knows"), vec![]),
        ];
        for (subject, want) in cases {
            assert_eq!(found(&index, &subject), want, "{}", subject.name.as_str());
        }
        for (key, subject) in (0..).zip(&filed) {
            let first = index.propose(subject, 1).remove(0);
            assert_eq!((first.key, first.score), (key, Score::SAME));
        }
    }

    #[test]
    fn the_best_come_first_and_each_key_once() {
        let mut index = Index::new();
        index.insert(3, organisation("Example Union"));
        index.insert(1, organisation("Exampel Union"));
        index.insert(2, organisation("Example Union"));
        index.insert(2, organisation("Exemple Union"));
        assert_eq!(index.len(), 4);
        assert_eq!(found(&index, &organisation("Example Union Ltd")), [2, 3, 1]);
        assert_eq!(index.propose(&organisation("Example Union"), 2).len(), 2);
        index.remove(&2);
        index.remove(&2);
        assert_eq!(found(&index, &organisation("Example Union")), [3, 1]);
        index.insert(0, organisation("Example Union"));
        assert_eq!(found(&index, &organisation("Example Union")), [0, 3, 1]);
        for key in 0..4 {
            index.remove(&key);
        }
        assert!(index.is_empty() && index.postings.is_empty());
        assert_eq!(found(&index, &organisation("Example Union")), [0_u32; 0]);
    }

    #[test]
    fn a_crafted_crowd_is_not_compared_in_full() {
        let words: Vec<String> = (0..64).map(|number| format!("w{number}")).collect();
        let mut index = Index::new();
        for key in 0..50 {
            let mut all_but_one = words.clone();
            all_but_one.remove(key);
            index.insert(key, organisation(&all_but_one.join(" ")));
        }
        // Each is worth proposing, and so many are looked at.
        let proposals = index.propose(&organisation(&words.join(" ")), 100);
        assert_eq!(proposals.len(), WORD_PAIRS_MAX / (64 * 63));
    }

    #[test]
    fn a_crowd_of_common_words_hides_no_rare_one() {
        let mut index = Index::new();
        for key in 0..21_000 {
            index.insert(key, organisation(&format!("International Trading Company Q{key}")));
        }
        index.insert(21_000, organisation("International Trading Company Zebra"));
        assert_eq!(found(&index, &organisation("Intl Trade Co. Zebra Ltd")).first(), Some(&21_000));
    }

    proptest! {
        #[test]
        fn what_is_filed_is_found(names in proptest::collection::vec("[a-dк]{1,9}( [a-dк]{1,9}){0,2}", 1..20)) {
            let mut index = Index::new();
            for (key, name) in (0_u32..).zip(&names) {
                index.insert(key, organisation(name));
            }
            for (key, name) in (0_u32..).zip(&names) {
                let proposals = index.propose(&organisation(name), 100);
                prop_assert!(proposals.iter().any(|proposal| proposal.key == key && proposal.score == Score::SAME));
                prop_assert!(proposals.iter().all(|proposal| proposal.score >= PROPOSED));
                prop_assert!(proposals.is_sorted_by_key(|proposal| (std::cmp::Reverse(proposal.score), proposal.key)));
            }
        }
    }
}
