//! How a word is spelt, and how it could have been.
//!
//! One name reaches us in many spellings: another script, another romanisation, a slip of the finger. So a word keeps
//! three forms beside its own script's letters, each coarser than the one before:
//!
//! | form | `Усама` | `Mohammed` | `Zelenskyy` | what it forgives |
//! |---|---|---|---|---|
//! | latin | `usama` | `mohammed` | `zelenskyy` | script, accents, case |
//! | folded | `osama` | `mohamid` | `silinski` | letters that romanisations exchange, doubled letters |
//! | skeleton | `asm` | `mhmd` | `slnsk` | all vowels but that there is one in front |
//!
//! Two words that agree in a coarse form are near, and the edits that remain in the finer one still count.

use std::mem;

use unicode_normalization::UnicodeNormalization as _;

/// What a word is written in, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Script {
    Latin,
    /// Arabic, Hebrew, the scripts of India and South-East Asia: many vowels are not written, or not as letters.
    Unvowelled,
    /// Chinese characters: each is a word, and two that differ are as different as two words.
    Han,
    /// Another one, by the block of 128 characters that its first letter stands in.
    Other(u32),
}

impl Script {
    fn of(c: char) -> Self {
        match u32::from(c) {
            0..=0x024F | 0x1E00..=0x1EFF => Self::Latin,
            0x0590..=0x06FF
            | 0x0750..=0x077F
            | 0x0900..=0x109F
            | 0x1780..=0x17FF
            | 0xFB1D..=0xFDFF
            | 0xFE70..=0xFEFF => Self::Unvowelled,
            0x3400..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF => Self::Han,
            // Cyrillic takes two blocks and a bit; Greek's accented letters stand apart.
            0x0400..=0x052F => Self::Other(0x0400),
            0x0370..=0x03FF | 0x1F00..=0x1FFF => Self::Other(0x0370),
            other => Self::Other(other & !0x7F),
        }
    }
}

/// A word as it stood in the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawWord {
    /// Its letters and digits in lower-case ASCII.
    pub(crate) latin: String,
    /// Its own letters in lower case; empty if they are Latin ones.
    pub(crate) native: String,
    pub(crate) script: Option<Script>,
    /// Whether only a full stop stands between it and the next one, as within `p.l.c.`.
    pub(crate) is_tied_to_next: bool,
}

/// Splits a text into its words.
pub(crate) fn words(text: &str) -> Vec<RawWord> {
    let mut words = Vec::new();
    let mut word = RawWord::default();
    let mut after_stop = false;
    for c in text.nfkc() {
        let Some(latin) = letters(c) else {
            let ended = finish(&mut words, &mut word);
            after_stop = c == '.' && (ended || after_stop);
            continue;
        };
        let script = Script::of(c);
        let is_tied = after_stop && word.latin.is_empty() && !latin.is_empty();
        if let Some(before) = words.last_mut().filter(|_| is_tied) {
            before.is_tied_to_next = true;
        }
        after_stop &= latin.is_empty();
        if script == Script::Han || word.script == Some(Script::Han) {
            finish(&mut words, &mut word);
        }
        word.latin.extend(latin.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()));
        if script != Script::Latin {
            word.native.extend(c.to_lowercase());
        }
        if !latin.is_empty() {
            word.script.get_or_insert(script);
        }
    }
    finish(&mut words, &mut word);
    words
}

fn finish(words: &mut Vec<RawWord>, word: &mut RawWord) -> bool {
    let ended = !word.latin.is_empty();
    let done = mem::take(word);
    match article_and_rest(&done) {
        Some(both) => words.extend(both),
        None if ended => words.push(done),
        None => {}
    }
    ended
}

/// Arabic writes its article with the word, and romanisations write it apart: `الخوارزمي`, `al-Khwarizmi`.
fn article_and_rest(word: &RawWord) -> Option<[RawWord; 2]> {
    const ARTICLE: &str = "ال";
    let (native, latin) = (word.native.strip_prefix(ARTICLE)?, word.latin.strip_prefix('l')?);
    if native.chars().count() < 3 || latin.is_empty() {
        return None;
    }
    let part = |latin: &str, native: &str| RawWord {
        latin: latin.to_owned(),
        native: native.to_owned(),
        ..word.clone()
    };
    Some([part("al", ARTICLE), part(latin, native)])
}

/// The character in Latin letters, perhaps none of them; `None` where a word ends.
fn letters(c: char) -> Option<&'static str> {
    // Apostrophes of all kinds stand within words: `Qa'ida`, `O’Neill`, `ʿAbd`. So do joiners and other invisible marks.
    if matches!(c, '\'' | '`' | '´' | '‘' | '’' | '\u{2bb}'..='\u{2bf}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    {
        return Some("");
    }
    let latin = deunicode::deunicode_char(c)?;
    let marks = |latin: &str| latin.bytes().all(|byte| byte == b'\'' || byte == b'`');
    let is_word = c.is_alphanumeric() || (!c.is_ascii() && !c.is_whitespace() && marks(latin));
    is_word.then_some(latin)
}

/// The letters that romanisations exchange made one, and doubled letters single.
pub(crate) fn folded(latin: &str) -> String {
    let has_letter = latin.bytes().any(|byte| byte.is_ascii_alphabetic());
    let latin = latin.replace("sch", "s").replace("ph", "f").replace("hs", "s");
    // `Hsi`, `Shi`, `Xi`: Wade-Giles, what is heard, and Pinyin.
    let mut folded = String::with_capacity(latin.len());
    let mut before = ' ';
    for c in latin.chars() {
        let c = match c {
            'e' | 'y' | 'j' => 'i',
            'u' => 'o',
            'c' | 'q' => 'k',
            'w' => 'v',
            'z' | 'x' => 's',
            // Digits that look like letters, where there are letters.
            '0' if has_letter => 'o',
            '1' if has_letter => 'i',
            '5' if has_letter => 's',
            other => other,
        };
        // `kh`, `th`, `zh`: one sound, and romanisations drop the `h`.
        let is_silent = c == 'h' && matches!(before, 'k' | 't' | 's' | 'g' | 'd');
        if c != before && !is_silent {
            folded.push(c);
            before = c;
        }
    }
    folded
}

/// The consonants of a folded word, and whether a vowel stands in front.
pub(crate) fn skeleton(folded: &str) -> String {
    let mut skeleton = String::with_capacity(folded.len());
    for (index, c) in folded.chars().enumerate() {
        let c = match c {
            'a' | 'i' | 'o' if index == 0 => 'a',
            'a' | 'i' | 'o' => continue,
            // Arabic has no `p`.
            'p' => 'b',
            other => other,
        };
        if !skeleton.ends_with(c) {
            skeleton.push(c);
        }
    }
    skeleton
}

/// Which letters and digits occur, a bit for each: a lower bound on the edits between two words, at the cost of a xor.
pub(crate) fn letter_mask(word: &str) -> u64 {
    word.chars().filter_map(|c| c.to_digit(36)).fold(0, |mask, digit| mask | 1 << digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latin(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.latin).collect()
    }

    #[test]
    fn words_are_found_in_every_script() {
        let cases: [(&str, &[&str]); 15] = [
            ("Deutsche Bank AG", &["deutsche", "bank", "ag"]),
            ("  --  ", &[]),
            ("Al-Qa'ida", &["al", "qaida"]),
            ("O’Neill & Söhne", &["oneill", "sohne"]),
            ("p.l.c.", &["p", "l", "c"]),
            ("ООО «Аяс 2000»", &["ooo", "aias", "2000"]),
            ("习近平", &["xi", "jin", "ping"]),
            ("ბარაკ ობამა", &["barak", "obama"]),
            ("محمد بن سلمان", &["mhmd", "bn", "slmn"]),
            ("محمد الخوارزمي", &["mhmd", "al", "khwrzmy"]),
            ("Cafe\u{301}", &["cafe"]),
            ("ＦＵＬＬ", &["full"]),
            ("zero\u{200b}width", &["zerowidth"]),
            ("½", &["1", "2"]),
            ("a_b", &["a", "b"]),
        ];
        for (text, want) in cases {
            assert_eq!(latin(text), want, "{text}");
        }
    }

    #[test]
    fn stops_tie_letters_together() {
        let cases: [(&str, &[bool]); 5] = [
            ("p.l.c.", &[true, true, false]),
            ("J. P. Morgan", &[false, false, false]),
            ("Sp. z o.o.", &[false, false, true, false]),
            ("L.X.C Aviation", &[true, true, false, false]),
            ("A.'B", &[true, false]),
        ];
        for (text, want) in cases {
            let tied: Vec<bool> = words(text).iter().map(|word| word.is_tied_to_next).collect();
            assert_eq!(tied, want, "{text}");
        }
    }

    #[test]
    fn spellings_of_one_word_meet() {
        for (one, other) in [("wolodymyr", "volodimir"), ("usama", "osama"), ("ig0r", "igor"), ("xi", "hsi")]
        {
            assert_eq!(folded(one), folded(other));
        }
        let cases = [
            ("mohammed", "mhmd"),
            ("muhammad", "mhmd"),
            ("hussein", "hsn"),
            ("husayn", "hsn"),
            ("osama", "asm"),
        ];
        for (word, want) in cases {
            assert_eq!(skeleton(&folded(word)), want, "{word}");
        }
    }
}
