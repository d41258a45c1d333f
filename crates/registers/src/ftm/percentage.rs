//! Percentages as people type them.
//!
//! | text | share |
//! |---|---|
//! | `49`, `49 %`, `50,01` | exactly that |
//! | `25-50`, `25 to 50 %`, `25–50` | `[25%,50%]` |
//! | `>50`, `more than 50`, `over 50`, `50+` | `(50%,100%]`; with *at least*, `>=` or `+` the end belongs to it |
//! | `<25`, `less than 25`, `under 25`, `up to 25` | `[0%,25%)`; with *at most*, `<=`, *up to* the end belongs to it |
//! | `minority` | `[0%,50%)` |
//! | `majority` | `(50%,100%]` |

use ties::{Bound, Fraction, Share};

/// Reads one percentage; the error says what is wrong, for people.
pub(crate) fn read(text: &str) -> Result<Share, String> {
    let plain = text
        .trim()
        .to_lowercase()
        .replace(['–', '—', '−'], "-")
        .replace("percent", "%")
        .replace("per cent", "%");
    let refused = |_| format!("`{}` is no percentage", text.chars().take(60).collect::<String>());
    let whole = Bound::closed(Fraction::percent(100));
    let nothing = Bound::closed(Fraction::percent(0));
    let half = Bound::open(Fraction::percent(50));
    match plain.as_str() {
        "majority" => return Share::between(half, whole).map_err(|error| error.to_string()),
        "minority" => return Share::between(nothing, half).map_err(|error| error.to_string()),
        _ => {}
    }
    let above = [
        (">=", false),
        ("≥", false),
        ("at least", false),
        ("from", false),
        (">", true),
        ("more than", true),
        ("over", true),
        ("above", true),
    ];
    let below = [
        ("<=", false),
        ("≤", false),
        ("at most", false),
        ("up to", false),
        ("<", true),
        ("less than", true),
        ("under", true),
        ("below", true),
    ];
    let led = |by: &[(&str, bool)]| {
        by.iter().find_map(|(word, open)| Some((plain.strip_prefix(word)?.trim().to_owned(), *open)))
    };
    let share = if let Some((rest, open)) = led(&above) {
        Share::between(Bound { at: rest.parse().map_err(refused)?, open }, whole)
    } else if let Some((rest, open)) = led(&below) {
        Share::between(nothing, Bound { at: rest.parse().map_err(refused)?, open })
    } else if let Some(rest) = plain.strip_suffix('+') {
        Share::between(Bound::closed(rest.trim().parse().map_err(refused)?), whole)
    } else if let Some((lo, hi)) =
        plain.split_once(" to ").or_else(|| plain.split_once('-').filter(|(lo, _)| !lo.is_empty()))
    {
        let end = |text: &str| text.trim().parse().map(Bound::closed).map_err(refused);
        Share::between(end(lo)?, end(hi)?)
    } else if plain.starts_with(['(', '[']) {
        return plain.parse::<Share>().map_err(|error| error.to_string());
    } else {
        Share::exact(plain.trim_start_matches(['~', '=']).trim().parse().map_err(refused)?)
    };
    share.map_err(|error| error.to_string())
}

/// The narrowest range that holds both.
pub(crate) fn hull(a: Share, b: Share) -> Share {
    let lo = [a.lo(), b.lo()].into_iter().min_by(|x, y| x.at.cmp(&y.at).then(x.open.cmp(&y.open)));
    let hi = [a.hi(), b.hi()].into_iter().max_by(|x, y| x.at.cmp(&y.at).then(y.open.cmp(&x.open)));
    match (lo, hi) {
        (Some(lo), Some(hi)) => Share::between(lo, hi).unwrap_or(Share::UNKNOWN),
        _ => Share::UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn typed_percentages_are_ranges() {
        let cases = [
            ("49", Some("49%")),
            ("49,5 %", Some("49.5%")),
            ("50,01", Some("50.01%")),
            ("25-50", Some("[25%,50%]")),
            ("25% – 50%", Some("[25%,50%]")),
            ("25 to 50 percent", Some("[25%,50%]")),
            (">50", Some("(50%,100%]")),
            ("> 50 %", Some("(50%,100%]")),
            (">=50", Some("[50%,100%]")),
            ("more than 25%", Some("(25%,100%]")),
            ("75+", Some("[75%,100%]")),
            ("<25", Some("[0%,25%)")),
            ("up to 25%", Some("[0%,25%]")),
            ("majority", Some("(50%,100%]")),
            ("minority", Some("[0%,50%)")),
            ("(25%,50%]", Some("(25%,50%]")),
            ("0", Some("0%")),
            ("100.00", Some("100%")),
            ("1/3", Some("1/3")),
            ("", None),
            ("-5", None),
            ("50-25", None),
            ("120", None),
            ("a lot", None),
            (">", None),
        ];
        for (text, want) in cases {
            let read = read(text);
            assert_eq!(read.as_ref().ok().map(ToString::to_string).as_deref(), want, "{text}: {read:?}");
        }
    }

    #[test]
    fn several_accounts_make_the_range_that_holds_them() {
        let hull = |a: &str, b: &str| super::hull(read(a).unwrap(), read(b).unwrap()).to_string();
        assert_eq!(hull("25", "40"), "[25%,40%]");
        assert_eq!(hull("(25%,50%]", "25"), "[25%,50%]");
        assert_eq!(hull("30", "30.0"), "30%");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = read(&text);
        }
    }
}
