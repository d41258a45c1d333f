//! A name, taken apart into words that are ready to be compared.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use thiserror::Error;

use crate::spelling::{self, RawWord, Script};
use crate::vocabulary::{self, Class, LEGAL_FORMS, LegalForm};

/// The longest name that is taken, in characters.
///
/// 500: the longest of the public sanctions lists have some 350, and what is longer is a description. Comparing two
/// names costs the product of their lengths.
pub const NAME_CHARS_MAX: usize = 500;

/// The most words that a name may have.
///
/// 64: five times what the longest company names have.
pub const NAME_WORDS_MAX: usize = 64;

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Neither letters nor digits.
    #[error("the name has no letter and no digit")]
    NoWords,
    /// More than [`NAME_CHARS_MAX`] characters.
    #[error("the name has more than {NAME_CHARS_MAX} characters")]
    TooLong,
    /// More than [`NAME_WORDS_MAX`] words.
    #[error("the name has {found} words, more than {NAME_WORDS_MAX}")]
    TooManyWords {
        /// How many there are.
        found: usize,
    },
}

/// Whose name it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A natural person.
    Person,
    /// A company, an authority, a ship: what is named by people.
    Organisation,
    /// The source does not say; compared as an organisation's.
    Unknown,
}

/// A word ready to be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Word {
    /// Lower-case ASCII; of a known word, its one spelling.
    pub(crate) latin: String,
    pub(crate) folded: String,
    pub(crate) skeleton: String,
    /// In its own letters, if they are not Latin ones.
    pub(crate) native: Option<(Script, String)>,
    pub(crate) class: Class,
    /// Of the folded form.
    pub(crate) mask: u64,
}

impl Word {
    fn new(raw: RawWord, class: Class, latin: String) -> Self {
        let folded = spelling::folded(&latin);
        let skeleton = spelling::skeleton(&folded);
        let mask = spelling::letter_mask(&folded);
        let script = raw.script.unwrap_or(Script::Latin);
        let native = (script != Script::Latin && !raw.native.is_empty()).then_some((script, raw.native));
        Self { latin, folded, skeleton, native, class, mask }
    }

    pub(crate) fn script(&self) -> Script {
        self.native.as_ref().map_or(Script::Latin, |(script, _)| *script)
    }
}

/// A name of a person or an organisation, taken apart.
///
/// The text itself is kept for people. What is compared are its words: in Latin letters, without the legal form, with
/// numerals as numbers, and the words of the vocabulary in their one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    text: String,
    kind: Kind,
    /// INVARIANT: at least one, at most [`NAME_WORDS_MAX`].
    words: Vec<Word>,
    forms: BTreeSet<LegalForm>,
}

impl Name {
    /// Takes a name apart.
    ///
    /// # Errors
    ///
    /// Fails for a text without letters and digits, and for one that is too long to be a name.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, NameError> {
        if text.chars().nth(NAME_CHARS_MAX).is_some() {
            return Err(NameError::TooLong);
        }
        let raw = spelling::words(text);
        let raw = if kind == Kind::Person { raw } else { tied(raw) };
        // One Arabic ligature is a sentence, so a short text may still have many letters.
        if raw.iter().map(|word| word.latin.len()).sum::<usize>() > 2 * NAME_CHARS_MAX {
            return Err(NameError::TooLong);
        }
        if raw.len() > NAME_WORDS_MAX {
            return Err(NameError::TooManyWords { found: raw.len() });
        }
        let (raw, forms) = without_forms(raw, kind);
        let words = match kind {
            Kind::Person => person_words(raw),
            Kind::Organisation | Kind::Unknown => organisation_words(raw),
        };
        if words.is_empty() {
            return Err(NameError::NoWords);
        }
        Ok(Self { text: text.to_owned(), kind, words, forms })
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whose name it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn words(&self) -> &[Word] {
        &self.words
    }

    pub(crate) fn forms(&self) -> &BTreeSet<LegalForm> {
        &self.forms
    }

    /// An order by what is compared; of two equal ones every comparison says the same.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let key = |name: &Self| (name.kind, name.forms.clone());
        self.words.cmp(&other.words).then_with(|| key(self).cmp(&key(other)))
    }
}

/// Makes one word of single letters with full stops between: `p.l.c.`, `A.B.C.`.
fn tied(raw: Vec<RawWord>) -> Vec<RawWord> {
    let mut words: Vec<RawWord> = Vec::with_capacity(raw.len());
    let mut is_open = false;
    for word in raw {
        let is_letter = word.latin.len() == 1;
        let is_tied = word.is_tied_to_next && is_letter;
        match words.last_mut().filter(|_| is_open && is_letter) {
            Some(before) => {
                before.latin.push_str(&word.latin);
                before.native.push_str(&word.native);
            }
            None => words.push(word),
        }
        is_open = is_tied;
    }
    words
}

/// Takes the legal forms out; a name that is nothing else keeps its words.
fn without_forms(mut rest: Vec<RawWord>, kind: Kind) -> (Vec<RawWord>, BTreeSet<LegalForm>) {
    let mut forms = BTreeSet::new();
    // From both ends inwards, as long as there is a form: `PT Example Tbk`, `Example Co., Ltd.`.
    while let Some((at, len, form)) = form_at_an_end(&rest, kind).or_else(|| form_within(&rest, kind)) {
        if len == rest.len() {
            break;
        }
        rest.drain(at..at + len);
        forms.insert(form);
    }
    (rest, forms)
}

fn form_at_an_end(words: &[RawWord], kind: Kind) -> Option<(usize, usize, LegalForm)> {
    let (first, last) = (&words.first()?.latin, &words.last()?.latin);
    let near = LEGAL_FORMS
        .iter()
        .filter(|(form, _)| form.ends_with(last.as_str()) || form.starts_with(first.as_str()));
    let fitting = near.filter_map(|(form, class)| {
        let len = form.split(' ').count();
        // People are called Ag and As, and nobody `GmbH`.
        let is_free = kind != Kind::Person || matches!(*form, "llc" | "ltd" | "gmbh" | "inc");
        let at = words.len().checked_sub(len).filter(|_| is_free)?;
        let is_last = is_form(words.get(at..)?, form);
        let is_first = kind != Kind::Person && is_form(words.get(..len)?, form);
        (is_last || is_first).then_some((if is_last { at } else { 0 }, len, *class))
    });
    fitting.max_by_key(|(_, len, _)| *len)
}

/// A form of three words or more is one wherever it stands; so is one that is no word of any language.
fn form_within(words: &[RawWord], kind: Kind) -> Option<(usize, usize, LegalForm)> {
    if kind == Kind::Person {
        return None;
    }
    let fitting = LEGAL_FORMS.iter().filter_map(|(form, class)| {
        let first = form.split(' ').next()?;
        if !words.iter().any(|word| word.latin == first) {
            return None;
        }
        let len = form.split(' ').count();
        let is_plain = matches!(
            *form,
            "gmbh" | "llc" | "ltd" | "ooo" | "jsc" | "ojsc" | "pjsc" | "pty ltd" | "joint stock"
        );
        if len < 3 && !is_plain {
            return None;
        }
        let at = words.windows(len).position(|window| is_form(window, form))?;
        Some((at, len, *class))
    });
    fitting.max_by_key(|(_, len, _)| *len)
}

fn is_form(words: &[RawWord], form: &str) -> bool {
    words.iter().map(|word| word.latin.as_str()).eq(form.split(' '))
}

fn person_words(raw: Vec<RawWord>) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::with_capacity(raw.len());
    for word in raw {
        let known = vocabulary::person_word(&word.latin);
        let (class, latin) = match known {
            // A character is a word of its own, and what it sounds like is no English particle.
            Some((class, latin)) if word.script != Some(Script::Han) => (class, latin.to_owned()),
            _ if word.latin.len() == 1 => (Class::Initial, word.latin.clone()),
            _ => (Class::Plain, word.latin.clone()),
        };
        let word = Word::new(word, class, latin);
        // `Shoigu Shoigu Sergey`: said twice, meant once.
        if words.last() != Some(&word) {
            words.push(word);
        }
    }
    words
}

fn organisation_words(raw: Vec<RawWord>) -> Vec<Word> {
    let mut words = Vec::with_capacity(raw.len());
    for (index, word) in raw.into_iter().enumerate() {
        let latin = &word.latin;
        let number = vocabulary::decimal(latin)
            .or_else(|| vocabulary::ordinal(latin))
            // A name does not begin with a Roman numeral, and `X` alone is a letter.
            .or_else(|| vocabulary::roman(latin).filter(|_| index > 0 && latin != "x"));
        let (class, latin) = match (number, vocabulary::organisation_word(latin)) {
            (Some(number), _) => (Class::Number, number),
            (None, Some((class, latin))) if word.script != Some(Script::Han) => (class, latin.to_owned()),
            (None, _) if latin.len() == 1 => (Class::Initial, latin.clone()),
            (None, _) => (Class::Plain, latin.clone()),
        };
        words.push(Word::new(word, class, latin));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, kind: Kind) -> String {
        let name = Name::parse(text, kind).unwrap();
        let words: Vec<&str> = name.words().iter().map(|word| word.latin.as_str()).collect();
        let forms: Vec<String> = name.forms().iter().map(|form| format!("{form:?}")).collect();
        format!("{} [{}]", words.join(" "), forms.join(" "))
    }

    #[test]
    fn a_name_loses_its_form() {
        let cases = [
            ("Huawei Symantec Technologies Co., Ltd.", "huawei symantec technology [Limited]"),
            ("OOO Example", "example [Limited]"),
            ("ООО «Пример»", "primer [Limited]"),
            ("Example Sp. z o.o.", "example [Limited]"),
            ("Example, S.A. de C.V.", "example [JointStock]"),
            ("Example G.m.b.H. & Co. KG", "example [Partnership]"),
            ("JSC Example Joint Stock Company", "example [JointStock]"),
            ("Пример Акционерное общество", "primer [JointStock]"),
            ("示例股份有限公司", "shi li [JointStock]"),
            ("Example Corp.", "example company []"),
            ("LTD", "ltd []"),
            ("1st Example Fund III", "1 example fund 3 []"),
            ("J.P. Example & Sons", "jp example sons []"),
        ];
        for (text, want) in cases {
            assert_eq!(told(text, Kind::Organisation), want, "{text}");
        }
    }

    #[test]
    fn a_person_keeps_initials() {
        let cases = [
            ("J.R. Example", "j r example []"),
            ("Dr. Ada van Example", "dr ada von example []"),
            ("Ada Ag", "ada ag []"),
            ("Ada Example LLC", "ada example [Limited]"),
            ("Example Example Ada", "example ada []"),
        ];
        for (text, want) in cases {
            assert_eq!(told(text, Kind::Person), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(NAME_CHARS_MAX);
        let many = "a ".repeat(NAME_WORDS_MAX);
        let cases = [
            (String::new(), Some(NameError::NoWords)),
            ("?!".to_owned(), Some(NameError::NoWords)),
            (long.clone(), None),
            (format!("{long}a"), Some(NameError::TooLong)),
            // One character that stands for eighteen.
            ("\u{fdfa}".repeat(NAME_CHARS_MAX), Some(NameError::TooLong)),
            (many.clone(), None),
            (format!("{many} a"), Some(NameError::TooManyWords { found: NAME_WORDS_MAX + 1 })),
        ];
        for (text, want) in cases {
            assert_eq!(Name::parse(&text, Kind::Organisation).err(), want, "{text:.20}");
        }
    }
}
