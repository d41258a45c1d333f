//! Numbers, as names write them.

/// The number that an ordinal says: `first`, `1st`, `21st`.
pub(crate) fn ordinal(word: &str) -> Option<String> {
    const ORDINALS: [&str; 12] = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
        "eleventh", "twelfth",
    ];
    if let Some(at) = ORDINALS.iter().position(|ordinal| *ordinal == word) {
        return Some((at + 1).to_string());
    }
    let digits = ["st", "nd", "rd", "th"].into_iter().find_map(|ending| word.strip_suffix(ending))?;
    decimal(digits)
}

/// The digits without leading zeros, if there is nothing else.
pub(crate) fn decimal(word: &str) -> Option<String> {
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let digits = word.trim_start_matches('0');
    is_number.then(|| if digits.is_empty() { "0".to_owned() } else { digits.to_owned() })
}

/// The number that a Roman numeral up to XXXIX says.
pub(crate) fn roman(word: &str) -> Option<String> {
    let rest = word.trim_start_matches('x');
    let tens = word.len() - rest.len();
    let ones =
        ["", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"].iter().position(|ones| *ones == rest)?;
    let number = tens * 10 + ones;
    (tens <= 3 && number > 0).then(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerals_say_numbers() {
        let cases = [("i", "1"), ("iv", "4"), ("ix", "9"), ("xii", "12"), ("xx", "20"), ("xxxix", "39")];
        for (word, want) in cases {
            assert_eq!(roman(word).as_deref(), Some(want), "{word}");
        }
        for word in ["", "xxxx", "iiii", "vx", "mix", "l"] {
            assert_eq!(roman(word), None, "{word}");
        }
        let cases = [("first", "1"), ("twelfth", "12"), ("1st", "1"), ("02nd", "2"), ("100th", "100")];
        for (word, want) in cases {
            assert_eq!(ordinal(word).as_deref(), Some(want), "{word}");
        }
        for word in ["st", "last", "1", "x1st"] {
            assert_eq!(ordinal(word), None, "{word}");
        }
        assert_eq!(decimal("000").as_deref(), Some("0"));
        assert_eq!(decimal("1a"), None);
    }
}
