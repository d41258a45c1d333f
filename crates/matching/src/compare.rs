//! The score of two names, and the reasons for it.
//!
//! Words that are paired ([`crate::align`]) speak for one bearer, as far as they are alike. Words that are left over on
//! one side only say little of a person, who may have more names than a source lists, and something of a company, whose
//! daughters add a word to its name. Words that are left over on *both* sides speak against: `Bank of Example (Lyon)`
//! and `Bank of Example (Nice)` share three words of four and are two companies.
//!
//! Worked example, in thousandths: `Example Energy Ltd` and `Exampel Enerji`. `example` and `exampel` differ by two letters
//! that changed places, which keeps the consonants: likeness 893, weight 1000. `energy` is a word that many names have, and
//! `enerji` is not in our vocabulary: likeness 625, weight 750, the mean of a common word's and a plain one's. Nothing is left
//! over, and one missing legal form counts nothing. The score is the mean by weight, (893 * 1000 + 625 * 750) / 1750 = 777.

use std::fmt;

use serde::Serialize;

use crate::align::{Pairing, align, weight};
use crate::name::{Kind, Name, Word};
use crate::subject::Subject;
use crate::vocabulary::Class;

/// How alike two subjects are, from 0 to 1000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Score(u16);

impl Score {
    /// The same words.
    pub const SAME: Self = Self(1000);

    /// In thousandths.
    #[must_use]
    pub fn per_mille(self) -> u16 {
        self.0
    }

    fn of(thousandths: u32) -> Self {
        u16::try_from(thousandths).map_or(Self::SAME, Self).min(Self::SAME)
    }

    fn less(self, thousandths: u16) -> Self {
        Self(self.0.saturating_sub(thousandths))
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// From here on a pair is worth a person's look.
pub const PROPOSED: Score = Score(700);

/// Something that speaks for or against two subjects being one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The words are the same, whatever their order.
    SameWords,
    /// Spelt differently, and perhaps the same.
    Resembling {
        /// On the left.
        left: String,
        /// On the right.
        right: String,
    },
    /// On both sides there are words that the other side has nothing like.
    Conflicting {
        /// On the left.
        left: String,
        /// On the right.
        right: String,
    },
    /// Words of the left alone.
    OnlyLeft(String),
    /// Words of the right alone.
    OnlyRight(String),
    /// Numbers that differ, as those of sister funds do.
    Numbers,
    /// One word in common is little for a person.
    SingleWord,
    /// Legal forms that exclude each other.
    LegalForms,
    /// A person and an organisation.
    Kinds,
    /// No country in common.
    Countries,
    /// Dates of birth that exclude each other.
    BirthDates,
}

impl Reason {
    fn mirrored(self) -> Self {
        match self {
            Self::Resembling { left, right } => Self::Resembling { left: right, right: left },
            Self::Conflicting { left, right } => Self::Conflicting { left: right, right: left },
            Self::OnlyLeft(words) => Self::OnlyRight(words),
            Self::OnlyRight(words) => Self::OnlyLeft(words),
            Self::SameWords
            | Self::Numbers
            | Self::SingleWord
            | Self::LegalForms
            | Self::Kinds
            | Self::Countries
            | Self::BirthDates => self,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameWords => f.write_str("the same words"),
            Self::Resembling { left, right } => write!(f, "`{left}` resembles `{right}`"),
            Self::Conflicting { left, right } => write!(f, "`{left}` is not `{right}`"),
            Self::OnlyLeft(words) | Self::OnlyRight(words) => write!(f, "`{words}` on one side only"),
            Self::Numbers => f.write_str("different numbers"),
            Self::SingleWord => f.write_str("one word in common"),
            Self::LegalForms => f.write_str("different legal forms"),
            Self::Kinds => f.write_str("a person and an organisation"),
            Self::Countries => f.write_str("different countries"),
            Self::BirthDates => f.write_str("different dates of birth"),
        }
    }
}

/// What comparing two subjects gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// How alike they are.
    pub score: Score,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// Compares two subjects: by their names, then lowered by countries and dates of birth that differ.
///
/// It does not matter which is the left one, but for the sides that the reasons name.
#[must_use]
pub fn compare(left: &Subject, right: &Subject) -> Comparison {
    let is_mirrored = left.name.order(&right.name).is_gt();
    let (first, second) = if is_mirrored { (right, left) } else { (left, right) };
    let findings = Findings::of(&first.name, &second.name);
    let mut reasons = findings.reasons(&first.name, &second.name);
    if is_mirrored {
        reasons = reasons.into_iter().map(Reason::mirrored).collect();
    }
    let mut score = findings.score();
    for (lowered_by, reason) in qualifiers(left, right) {
        score = score.less(lowered_by);
        reasons.push(reason);
    }
    reasons.sort();
    Comparison { score, reasons }
}

/// The score alone, without the texts of the reasons.
pub(crate) fn score(left: &Subject, right: &Subject) -> Score {
    let is_mirrored = left.name.order(&right.name).is_gt();
    let (first, second) = if is_mirrored { (right, left) } else { (left, right) };
    let score = Findings::of(&first.name, &second.name).score();
    qualifiers(left, right).into_iter().fold(score, |score, (lowered_by, _)| score.less(lowered_by))
}

/// What an alignment shows.
struct Findings {
    pairings: Vec<Pairing>,
    left_over: Vec<usize>,
    right_over: Vec<usize>,
    /// Weights in thousandths of a plain word; the first of the paired words times their likeness.
    alike: u32,
    paired: u32,
    only_left: u32,
    only_right: u32,
    numbers: Numbers,
    is_single_word: bool,
    forms_differ: bool,
    kind: Kind,
}

/// What the numbers of two names, beside those they share, tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    Agree,
    OnOneSide,
    Differ,
}

impl Findings {
    fn of(left: &Name, right: &Name) -> Self {
        let pairings = align(left, right);
        let (ours, theirs) = (left.words(), right.words());
        let over = |words: &[Word], is_paired: &dyn Fn(usize) -> bool| -> Vec<usize> {
            (0..words.len()).filter(|at| !is_paired(*at)).collect()
        };
        let left_over = over(ours, &|at| pairings.iter().any(|pairing| pairing.left.contains(&at)));
        let right_over = over(theirs, &|at| pairings.iter().any(|pairing| pairing.right.contains(&at)));
        let (mut alike, mut paired) = (0, 0);
        for pairing in &pairings {
            let worth = u32::midpoint(weight(ours, &pairing.left), weight(theirs, &pairing.right));
            alike += worth * pairing.likeness / 1000;
            paired += worth;
        }
        let numbers = |words: &[Word], over: &[usize]| {
            over.iter().filter_map(|at| words.get(*at)).any(|word| word.class == Class::Number)
        };
        let numbers = match (numbers(ours, &left_over), numbers(theirs, &right_over)) {
            (false, false) => Numbers::Agree,
            (true, true) => Numbers::Differ,
            (true, false) | (false, true) => Numbers::OnOneSide,
        };
        let with_numbers = !pairings.iter().any(|pairing| {
            let words = ours.get(pairing.left.clone()).unwrap_or_default();
            words.iter().any(|word| matches!(word.class, Class::Plain | Class::Region | Class::Initial))
        });
        let both_persons = left.kind() == Kind::Person && right.kind() == Kind::Person;
        Self {
            is_single_word: both_persons && is_single_word(&pairings, ours, theirs),
            forms_differ: forms_differ(left, right),
            only_left: telling(ours, &left_over, with_numbers),
            only_right: telling(theirs, &right_over, with_numbers),
            pairings,
            left_over,
            right_over,
            alike,
            paired,
            numbers,
            kind: if both_persons { Kind::Person } else { Kind::Organisation },
        }
    }

    fn score(&self) -> Score {
        let conflict = self.only_left.min(self.only_right);
        let extra = self.only_left.max(self.only_right) - conflict;
        let extra = if self.kind == Kind::Person { extra * 15 / 100 } else { extra * 70 / 100 };
        let mut score = 1000 * self.alike / (self.paired + conflict + extra).max(1);
        // A plain word against another is worth more than its share of a long name.
        score = score * (1000 - (conflict * 35 / 100).min(350)) / 1000;
        score = match self.numbers {
            Numbers::Agree => score,
            Numbers::OnOneSide => score * 92 / 100,
            Numbers::Differ => score * 85 / 100,
        };
        if self.forms_differ {
            score = score * 90 / 100;
        }
        if self.is_single_word {
            score = score.min(600);
        }
        Score::of(score)
    }

    fn reasons(&self, left: &Name, right: &Name) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let said = |words: &[Word], at: &mut dyn Iterator<Item = usize>| -> String {
            let words: Vec<&str> =
                at.filter_map(|at| words.get(at)).map(|word| word.latin.as_str()).collect();
            words.join(" ")
        };
        for pairing in self.pairings.iter().filter(|pairing| pairing.likeness < 1000) {
            let (left, right) = (
                said(left.words(), &mut pairing.left.clone()),
                said(right.words(), &mut pairing.right.clone()),
            );
            reasons.push(Reason::Resembling { left, right });
        }
        let (only_left, only_right) = (
            said(left.words(), &mut self.left_over.iter().copied()),
            said(right.words(), &mut self.right_over.iter().copied()),
        );
        match (only_left.is_empty(), only_right.is_empty()) {
            (true, true) if reasons.is_empty() => reasons.push(Reason::SameWords),
            (true, true) => {}
            (false, true) => reasons.push(Reason::OnlyLeft(only_left)),
            (true, false) => reasons.push(Reason::OnlyRight(only_right)),
            (false, false) => reasons.push(Reason::Conflicting { left: only_left, right: only_right }),
        }
        if self.numbers == Numbers::Differ {
            reasons.push(Reason::Numbers);
        }
        if self.is_single_word {
            reasons.push(Reason::SingleWord);
        }
        if self.forms_differ {
            reasons.push(Reason::LegalForms);
        }
        reasons
    }
}

/// What the words that are left over tell.
///
/// Numbers are judged apart, unless all that is shared are common words: then the number is the name.
fn telling(words: &[Word], over: &[usize], with_numbers: bool) -> u32 {
    let words = over.iter().filter_map(|at| words.get(*at));
    words.filter(|word| with_numbers || word.class != Class::Number).map(|word| word.class.weight()).sum()
}

/// Whether all that two persons share is one word, while at least one of them has several.
fn is_single_word(pairings: &[Pairing], ours: &[Word], theirs: &[Word]) -> bool {
    let telling = |words: &[Word]| words.iter().filter(|word| word.class.weight() >= 500).count();
    let shared = pairings
        .iter()
        .map(|pairing| {
            let ours = telling(ours.get(pairing.left.clone()).unwrap_or_default());
            ours.max(telling(theirs.get(pairing.right.clone()).unwrap_or_default()))
        })
        .sum::<usize>();
    shared <= 1 && telling(ours).max(telling(theirs)) > 1
}

fn forms_differ(left: &Name, right: &Name) -> bool {
    let (ours, theirs) = (left.forms(), right.forms());
    let agree = || ours.iter().any(|form| theirs.iter().any(|other| form.agrees(*other)));
    !ours.is_empty() && !theirs.is_empty() && !agree()
}

/// What lowers a score beside the names, and by how much.
fn qualifiers(left: &Subject, right: &Subject) -> Vec<(u16, Reason)> {
    let mut found = Vec::new();
    let is_person = |subject: &Subject| subject.name.kind() == Kind::Person;
    let is_known = |subject: &Subject| subject.name.kind() != Kind::Unknown;
    if is_known(left) && is_known(right) && is_person(left) != is_person(right) {
        found.push((200, Reason::Kinds));
    }
    let is_told = !left.countries.is_empty() && !right.countries.is_empty();
    if is_told && left.countries.is_disjoint(&right.countries) {
        found.push((150, Reason::Countries));
    }
    if let (Some(ours), Some(theirs)) = (left.born, right.born) {
        let differ =
            |one: Option<u8>, other: Option<u8>| one.zip(other).is_some_and(|(one, other)| one != other);
        let lowered_by = match ours.year.abs_diff(theirs.year) {
            0 if differ(ours.month, theirs.month) || differ(ours.day, theirs.day) => 100,
            0 => 0,
            // Sources that know an age only are a year off.
            1 => 100,
            _ => 300,
        };
        if lowered_by > 0 {
            found.push((lowered_by, Reason::BirthDates));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subject(text: &str, kind: Kind) -> Subject {
        Name::parse(text, kind).unwrap().into()
    }

    #[test]
    fn what_is_one_is_proposed_and_what_is_not_is_not() {
        let (person, company) = (Kind::Person, Kind::Organisation);
        let cases = [
            (company, "Example GmbH", "EXAMPLE G.m.b.H.", true),
            (company, "Example Energy Ltd", "Exampel Energie Limited", true),
            (company, "ООО «Северный Пример»", "Severnyi Primer LLC", true),
            (company, "North Example Mining Organization", "NEMO", true),
            (company, "1st Example Bank", "First Example Bank", true),
            (company, "Example Fund III", "Example Fund IV", true), // a sister, for a person to tell
            (company, "Bank of Lyonshire", "Bank of Niceborough", false),
            (company, "Example Energy (Peru) SA", "Example Energy (Chile) SA", false),
            (company, "Example Oil", "Example Gas", false),
            (company, "Trading Company 5", "Trading Company", false),
            (company, "Union Trading Company", "Trading Company", false),
            (person, "Lovelace, Ada", "Ada Lovelace", true),
            (person, "AdaLovelace", "Ada Lovelace", true),
            (person, "A. Lovelace", "Ada Lovelace", true),
            (person, "B. Lovelace", "Ada Lovelace", false),
            (person, "Ada Lovelace", "Augusta Ada King Lovelace", true),
            (person, "Ada", "Ada Lovelace", false),
            (person, "Ada Lovelace", "Ida Newton", false),
            (person, "Dr Alan Turing", "Turing, Alan", true),
            (person, "Bill Example", "William Example", true),
            (person, "Muhammad al-Khwarizmi", "Mohammed Khwarizmi", true),
        ];
        for (kind, left, right, want) in cases {
            let found = compare(&subject(left, kind), &subject(right, kind));
            assert_eq!(found.score >= PROPOSED, want, "{left} | {right}: {found:?}");
        }
    }

    #[test]
    fn the_worked_example_is_right() {
        let [one, other] =
            ["Example Energy Ltd", "Exampel Enerji"].map(|text| subject(text, Kind::Organisation));
        assert_eq!(compare(&one, &other).score.to_string(), "0.777");
    }

    #[test]
    fn reasons_name_the_sides() {
        let told = |left: &str, right: &str| -> Vec<Reason> {
            compare(&subject(left, Kind::Organisation), &subject(right, Kind::Organisation)).reasons
        };
        let text = str::to_owned;
        let cases = [
            ("Example AG", "Example", vec![Reason::SameWords]),
            ("Example AG", "Example Ltd", vec![Reason::SameWords, Reason::LegalForms]),
            ("Example Union", "Example", vec![Reason::OnlyLeft(text("union"))]),
            ("Example", "Example Union", vec![Reason::OnlyRight(text("union"))]),
            (
                "Zebra Example",
                "Example Union",
                vec![Reason::Conflicting { left: text("zebra"), right: text("union") }],
            ),
            (
                "Exampel",
                "Example",
                vec![Reason::Resembling { left: text("exampel"), right: text("example") }],
            ),
            (
                "Example 1",
                "Example 2",
                vec![Reason::Conflicting { left: text("1"), right: text("2") }, Reason::Numbers],
            ),
        ];
        for (left, right, want) in cases {
            assert_eq!(told(left, right), want, "{left} | {right}");
        }
    }

    #[test]
    fn what_differs_beside_the_name_lowers_the_score() {
        let person = |countries: &[&str], born: Option<&str>| Subject {
            countries: countries.iter().map(|country| country.parse().unwrap()).collect(),
            born: born.map(|born| born.parse().unwrap()),
            ..subject("Ada Lovelace", Kind::Person)
        };
        let cases = [
            (person(&[], None), person(&[], None), 1000, None),
            (person(&["GB"], None), person(&[], None), 1000, None),
            (person(&["GB", "FR"], None), person(&["FR"], None), 1000, None),
            (person(&["GB"], None), person(&["FR"], None), 850, Some(Reason::Countries)),
            (person(&[], Some("1815")), person(&[], Some("1815-12-10")), 1000, None),
            (person(&[], Some("1815-12-10")), person(&[], Some("1815-12-11")), 900, Some(Reason::BirthDates)),
            (person(&[], Some("1815")), person(&[], Some("1816")), 900, Some(Reason::BirthDates)),
            (person(&[], Some("1815")), person(&[], Some("1817")), 700, Some(Reason::BirthDates)),
            (person(&[], None), subject("Ada Lovelace", Kind::Unknown), 1000, None),
            (person(&[], None), subject("Ada Lovelace", Kind::Organisation), 800, Some(Reason::Kinds)),
        ];
        for (left, right, want, reason) in cases {
            for (one, other) in [(&left, &right), (&right, &left)] {
                let found = compare(one, other);
                assert_eq!(found.score.per_mille(), want, "{one:?} | {other:?}");
                let others = found.reasons.into_iter().find(|found| *found != Reason::SameWords);
                assert_eq!(others, reason);
            }
        }
    }

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![Just(Kind::Person), Just(Kind::Organisation), Just(Kind::Unknown)]
    }

    /// Names of few letters and words, so that much is alike, and any text at all.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[abk]{1,5}( [abk]{1,5}){0,3}( ltd| ag| 2| ii)?",
            "(al|bin|the|bank|a\\.b\\.|محمد|مثال|李|明|Пример|ООО|co)( (al|of|bank|ben|محمد|李|明|Пример|ltd)){0,6}",
            "\\PC{0,60}",
            proptest::collection::vec(any::<char>(), 0..80).prop_map(|chars| chars.into_iter().collect()),
        ]
    }

    proptest! {
        #[test]
        fn any_two_texts_have_a_score_or_are_refused(one in text(), other in text(), kinds in (kind(), kind())) {
            let (Ok(one), Ok(other)) = (Name::parse(&one, kinds.0), Name::parse(&other, kinds.1)) else {
                return Ok(());
            };
            let (one, other) = (Subject::from(one), Subject::from(other));
            let (there, back) = (compare(&one, &other), compare(&other, &one));
            prop_assert_eq!(there.score, back.score);
            prop_assert_eq!(there.score, score(&one, &other));
            let mut mirrored: Vec<_> = back.reasons.into_iter().map(Reason::mirrored).collect();
            mirrored.sort();
            prop_assert_eq!(there.reasons, mirrored);
            for subject in [&one, &other] {
                let same = compare(subject, subject);
                prop_assert_eq!(same.score, Score::SAME);
                prop_assert_eq!(same.reasons, [Reason::SameWords]);
            }
        }
    }
}
