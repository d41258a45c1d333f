//! One spelling for one value: the JSON canonicalization scheme (RFC 8785).
//!
//! Keys are sorted by their UTF-16 code units, space is left out, strings are escaped as little as
//! JSON allows, and numbers are written as ECMAScript writes a double: `1e2`, `100` and `100.0` are
//! all `100`. Two documents that say the same have the same canonical bytes, which is what makes an
//! identifier computed from them stable.

use thiserror::Error;

use crate::document::Value;
use crate::scan::Kind;

/// A number that has no canonical form, because no double holds it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the number `{text}` is beyond a double")]
pub struct CanonicalError {
    text: String,
}

/// Writes a value canonically.
///
/// # Errors
///
/// Fails for a number too large for a double.
pub fn canonical(value: Value<'_, '_>) -> Result<String, CanonicalError> {
    let mut out = String::new();
    write_value(value, &mut out)?;
    Ok(out)
}

pub(crate) fn write_value(value: Value<'_, '_>, out: &mut String) -> Result<(), CanonicalError> {
    match value.kind() {
        Kind::Null | Kind::True | Kind::False => out.push_str(value.raw()),
        Kind::Integer | Kind::Float => write_number(value.raw(), out)?,
        Kind::String | Kind::EscapedString => write_string(&value.text().unwrap_or_default(), out),
        Kind::Array => {
            out.push('[');
            for (index, element) in value.elements().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(element, out)?;
            }
            out.push(']');
        }
        Kind::Object => {
            let mut members: Vec<_> = value.members().collect();
            members.sort_by(|one, other| one.0.encode_utf16().cmp(other.0.encode_utf16()));
            out.push('{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(&key, out);
                out.push(':');
                write_value(member, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// RFC 8785 §3.2.2.2: quotes, backslashes and control characters are escaped, nothing else.
pub(crate) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => {
                const HEX: [char; 16] =
                    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
                let code = character as usize;
                out.push_str("\\u00");
                out.push(HEX[code >> 4]);
                out.push(HEX[code & 15]);
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// ECMA-262 §6.1.6.1.20, as RFC 8785 §3.2.2.3 asks: the shortest digits that read back as the same
/// double, plain from 1e-6 up to 1e21 and with an exponent beyond.
fn write_number(text: &str, out: &mut String) -> Result<(), CanonicalError> {
    let beyond = || CanonicalError { text: text.chars().take(64).collect() };
    let number: f64 = text.parse().map_err(|_| beyond())?;
    if !number.is_finite() {
        return Err(beyond());
    }
    if number == 0.0 {
        out.push('0'); // and no sign: -0 is 0
        return Ok(());
    }
    if number < 0.0 {
        out.push('-');
    }
    let (digits, exponent) = shortest(number.abs()).ok_or_else(beyond)?;
    let count = i32::try_from(digits.len()).map_err(|_| beyond())?;
    let point = exponent + 1;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    if count <= point && point <= 21 {
        out.push_str(&digits);
        out.push_str(&zeros(point - count));
    } else if 0 < point && point <= 21 {
        let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
        out.extend([whole, ".", fraction]);
    } else if -6 < point && point <= 0 {
        out.extend(["0.", &zeros(-point), &digits]);
    } else {
        let (first, rest) = digits.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.extend([".", rest]);
        }
        out.push_str(if exponent < 0 { "e-" } else { "e+" });
        out.push_str(&exponent.unsigned_abs().to_string());
    }
    Ok(())
}

/// The shortest decimal digits of a positive double, without zeros around them, and the power of ten
/// of the first one. Of two that are equally short and close it must be the even one, which is what
/// `serde_json` prints and `{:e}` does not.
fn shortest(number: f64) -> Option<(String, i32)> {
    let text = serde_json::Number::from_f64(number)?.to_string();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    let leading = i32::try_from(all.len() - significant.len()).ok()?;
    let point = i32::try_from(whole.len()).ok()? + exponent;
    Some((significant.trim_end_matches('0').to_owned(), point - leading - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Document, Limits};
    use proptest::prelude::*;

    fn written(text: &str) -> Result<String, CanonicalError> {
        let document = Document::parse(text.as_bytes(), &Limits::default()).expect("well formed");
        canonical(document.root())
    }

    /// RFC 8785 appendix B, as decimal texts.
    #[test]
    fn numbers_are_written_as_ecmascript_writes_them() {
        let cases = [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("5e-324", "5e-324"),
            ("-5e-324", "-5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("9007199254740992", "9007199254740992"),
            ("-9007199254740992", "-9007199254740992"),
            ("295147905179352830000", "295147905179352830000"),
            ("9.999999999999997e22", "9.999999999999997e+22"),
            ("1e23", "1e+23"),
            ("1.0000000000000001e23", "1.0000000000000001e+23"),
            ("999999999999999700000", "999999999999999700000"),
            ("999999999999999900000", "999999999999999900000"),
            ("1e21", "1e+21"),
            ("9.999999999999997e-7", "9.999999999999997e-7"),
            ("0.000001", "0.000001"),
            ("333333333.3333332", "333333333.3333332"),
            ("333333333.33333325", "333333333.33333325"),
            ("1424953923781206.2", "1424953923781206.2"),
            ("1E2", "100"),
            ("100.0", "100"),
            ("4.50", "4.5"),
            ("2e-3", "0.002"),
        ];
        for (text, want) in cases {
            assert_eq!(written(text).as_deref(), Ok(want), "{text}");
        }
        assert!(written("1e400").is_err());
    }

    /// RFC 8785 §3.2.3 and §3.2.4.
    #[test]
    fn keys_are_sorted_by_utf_16_and_strings_escaped_least() {
        let text = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
        let want = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}";
        assert_eq!(written(text).as_deref(), Ok(want));
        let text = r#"["\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", {"b":[] , "a":{}}]"#;
        assert_eq!(written(text).as_deref(), Ok(r#"["€$\u000f\nA'B\"\\\\\"/",{"a":{},"b":[]}]"#));
    }

    proptest! {
        #[test]
        fn canonical_text_is_its_own_canonical_text(number in any::<f64>(), text in any::<String>()) {
            prop_assume!(number.is_finite());
            let plain = written(&format!("{number:e}")).expect("finite");
            prop_assert_eq!(plain.parse::<f64>(), Ok(number), "{}", plain);
            let given = serde_json::json!({ "b": text, "a": [{ "": null }] }).to_string();
            let once = written(&given).expect("no numbers");
            prop_assert_eq!(written(&once), Ok(once.clone()));
            let back: serde_json::Value = serde_json::from_str(&once).expect("JSON");
            prop_assert_eq!(back["b"].as_str(), Some(text.as_str()));
        }
    }
}
