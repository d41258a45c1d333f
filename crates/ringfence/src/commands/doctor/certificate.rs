//! Until when a certificate holds, read off its bytes.
//!
//! A certificate (RFC 5280 §4.1) is a tree of tag, length and content. Its dates are the fifth thing in its first part, after
//! serial number, algorithm and issuer; a version stands in front where there is one. Nothing else is read, and nothing is
//! verified: TLS does that.

use std::path::Path;

use model::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::Findings;

const SUBJECT: &str = "certificate";
/// From when on somebody should know.
const DAYS_BEFORE: i64 = 21;
const DAY_MICROS: i64 = 86_400_000_000;

pub(super) fn look(file: &Path, now: Timestamp, found: &mut Findings) {
    let shown = file.display();
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = match chain {
        Ok(chain) if !chain.is_empty() => chain,
        Ok(_) => {
            return found.fault(SUBJECT, format!("`{shown}` has no certificate"), "give the chain in PEM");
        }
        Err(error) => return found.fault(SUBJECT, format!("`{shown}`: {error}"), "give the chain in PEM"),
    };
    for (number, certificate) in chain.iter().enumerate() {
        let name = if number == 0 {
            "the certificate".to_owned()
        } else {
            format!("certificate {number} of its chain")
        };
        let Some((from, until)) = validity(certificate) else {
            found.fault(SUBJECT, format!("{name} in `{shown}` cannot be read"), "have it issued anew");
            continue;
        };
        let told = format!("{name} in `{shown}` holds from {from} until {until}");
        if now < from {
            found.fault(SUBJECT, told, "it does not hold yet; is the clock right?");
        } else if now >= until {
            found.fault(SUBJECT, told, "it is over: put a new one in its place and restart the hub");
        } else if until <= now.plus_micros(DAYS_BEFORE * DAY_MICROS) {
            found.attention(SUBJECT, told, "have a new one issued");
        } else {
            found.ok(SUBJECT, told);
        }
    }
}

/// The first and the last instant of a certificate.
fn validity(der: &[u8]) -> Option<(Timestamp, Timestamp)> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (certificate, _) = tagged(der, SEQUENCE)?;
    let (signed, _) = tagged(certificate, SEQUENCE)?;
    let (tag, _, after) = element(signed)?;
    let mut rest = if tag == VERSION { after } else { signed };
    for _ in ["serial number", "algorithm", "issuer"] {
        (_, _, rest) = element(rest)?;
    }
    let (dates, _) = tagged(rest, SEQUENCE)?;
    let (tag, from, rest) = element(dates)?;
    let from = instant(tag, from)?;
    let (tag, until, _) = element(rest)?;
    Some((from, instant(tag, until)?))
}

/// The first element's tag and content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let digits = usize::from(first & 0x7f);
        if digits == 0 || digits > 4 {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(digits)?;
        (
            digits.iter().try_fold(0_usize, |length, digit| {
                length.checked_mul(256)?.checked_add(usize::from(*digit))
            })?,
            rest,
        )
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn tagged(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|(tag, ..)| *tag == wanted).map(|(_, content, rest)| (content, rest))
}

/// RFC 5280 §4.1.2.5: two digits of the year until 2049, four from then on, always in UTC.
fn instant(tag: u8, text: &[u8]) -> Option<Timestamp> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            (format!("{}{year}", if year < "50" { "20" } else { "19" }), rest)
        }
        GENERALIZED_TIME => text.split_at_checked(4).map(|(year, rest)| (year.to_owned(), rest))?,
        _ => return None,
    };
    let rest = rest.strip_suffix('Z').filter(|rest| rest.len() == 10)?;
    let part = |from: usize| &rest[from..from + 2];
    format!("{year}-{}-{}T{}:{}:{}Z", part(0), part(2), part(4), part(6), part(8)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate as far as the dates go.
    fn certificate(version: bool, dates: &[(u8, &str)]) -> Vec<u8> {
        fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
            let length = u8::try_from(content.len()).unwrap();
            let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
            [head, content.to_vec()].concat()
        }
        let dates: Vec<u8> = dates.iter().flat_map(|(tag, text)| wrap(*tag, text.as_bytes())).collect();
        let mut signed = if version { wrap(0xa0, &wrap(2, &[2])) } else { Vec::new() };
        signed.extend([wrap(2, &[7]), wrap(0x30, &[]), wrap(0x30, &[0; 90])].concat());
        signed.extend(wrap(0x30, &dates));
        wrap(0x30, &wrap(0x30, &signed))
    }

    #[test]
    fn dates_are_read_in_both_forms() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for version in [true, false] {
            let der = certificate(version, &[(0x17, "491231235959Z"), (0x18, "20500101000000Z")]);
            assert_eq!(validity(&der), Some((at("2049-12-31T23:59:59Z"), at("2050-01-01T00:00:00Z"))));
        }
        let der = certificate(true, &[(0x17, "500101000000Z"), (0x17, "120131000000Z")]);
        assert_eq!(validity(&der), Some((at("1950-01-01T00:00:00Z"), at("2012-01-31T00:00:00Z"))));
    }

    #[test]
    fn what_is_no_certificate_has_no_dates() {
        let whole = certificate(true, &[(0x17, "491231235959Z"), (0x17, "491231235959Z")]);
        for length in 0..whole.len() {
            assert_eq!(validity(&whole[..length]), None, "{length}");
        }
        for text in ["", "4912312359590", "491331235959Z", "4912312359Z", "é91231235959Z"] {
            assert_eq!(validity(&certificate(true, &[(0x17, text), (0x17, text)])), None, "{text}");
        }
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 0xff;
            let _any_answer = validity(&damaged);
        }
    }
}
