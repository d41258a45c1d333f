//! The second factor of people who sign in: codes that change every half minute (TOTP, RFC 6238).
//!
//! Both sides share a secret and the time. The code is HMAC-SHA-1 of the number of half minutes since 1970, cut down to
//! six digits (RFC 4226 §5.3):
//!
//! ```text
//! secret "12345678901234567890", 1970-01-01T00:00:59Z -> step 1 -> 94287082, of which six digits: 287082
//! ```
//!
//! SHA-1 is what the programs on people's phones speak; the construction does not rest on its resistance to collisions.
//! A code of the step before or after is accepted too, for clocks that are not quite right, and each step only once.

use hmac::{Hmac, Mac};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

/// How long one code holds.
const STEP_SECONDS: u64 = 30;
/// How many steps a person's clock may be off, to either side.
const STEPS_OFF_MAX: u64 = 1;

/// What is kept of an account's second factor. The secret follows from the hub's key and the nonce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecondFactor {
    /// Makes the secret this one and no other.
    pub(crate) nonce: String,
    /// Since when it is asked for.
    pub(crate) since: Timestamp,
}

/// The step whose code this is, if it is that of about now.
pub(crate) fn step_of(secret: &[u8], code: &str, now: Timestamp) -> Option<u64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let seconds = u64::try_from(now.as_micros()).unwrap_or_default() / 1_000_000;
    let step = seconds / STEP_SECONDS;
    let mut near = step.saturating_sub(STEPS_OFF_MAX)..=step.saturating_add(STEPS_OFF_MAX);
    near.find(|step| code_of(secret, *step).as_bytes().ct_eq(code.as_bytes()).into())
}

/// The code of a step.
fn code_of(secret: &[u8], step: u64) -> String {
    let mut mac = <Hmac<Sha1> as Mac>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    // RFC 4226 §5.3: the last four bits say where the four bytes lie that count, without their first bit.
    let at = usize::from(hash[19] & 0xf);
    let cut = u32::from_be_bytes([hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]]);
    format!("{:06}", cut % 1_000_000)
}

/// Base 32 as RFC 4648 §6 has it, without padding: how secrets are typed into phones.
pub(crate) fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        buffer = buffer << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(buffer >> bits & 31) as usize]));
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(buffer << (5 - bits) & 31) as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    /// RFC 6238 appendix B, the lines of SHA-1, of which the last six digits count.
    #[test]
    fn codes_are_those_of_the_standard() {
        let cases = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (seconds, code) in cases {
            assert_eq!(code_of(SECRET, seconds / STEP_SECONDS), code, "{seconds}");
        }
    }

    #[test]
    fn a_clock_may_be_off_by_one_step_and_no_more() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let code = code_of(SECRET, 100);
        let cases =
            [(2_969, None), (2_970, Some(100)), (3_000, Some(100)), (3_059, Some(100)), (3_060, None)];
        for (seconds, want) in cases {
            assert_eq!(step_of(SECRET, &code, at(seconds)), want, "{seconds}");
        }
        let spaced = format!(" {} {} ", &code[..3], &code[3..]);
        assert_eq!(step_of(SECRET, &spaced, at(3_000)), Some(100), "people type it as they see it");
        for wrong in ["", "12345", "１２３４５６"] {
            assert_eq!(step_of(SECRET, wrong, at(3_000)), None, "{wrong}");
        }
    }

    /// RFC 4648 §10.
    #[test]
    fn base_32_is_that_of_the_standard() {
        let cases = [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foobar", "MZXW6YTBOI")];
        for (bytes, text) in cases {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }
}
