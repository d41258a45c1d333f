//! Content codings: what a client takes, what it sent, and how large that may become.
//!
//! Pages of indicators resemble themselves: 1 MB becomes 60 kB with zstd for a tenth of gzip's work, so zstd is chosen
//! wherever a client takes both alike. Bodies up to [`PLAIN_MAX_BYTES`] are sent as they are: there is nothing to gain.

use std::io::{Read, Write};

use hyper::HeaderMap;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use hyper::{StatusCode, http::HeaderValue};

use crate::refusal::Refusal;

/// The largest body that is never compressed.
pub(crate) const PLAIN_MAX_BYTES: usize = 1_024;
/// zstd's window is at most 8 MiB over HTTP (RFC 9659 §3), so that no sender makes us hold more.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Speed over size: level 1 of both.
const ZSTD_LEVEL: i32 = 1;
const GZIP_LEVEL: u32 = 1;
/// How many members a gzip body has at most (RFC 1952 §2.2). Tools that compress in parallel write one for each MiB or
/// so; a million empty ones are only work.
const GZIP_MEMBERS_MAX: usize = 1_024;

/// How bytes are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// What an answer is to be coded in (RFC 9110 §12.5.3).
    pub(crate) fn wanted(headers: &HeaderMap) -> Self {
        let Some(header) = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()) else {
            return Self::Identity;
        };
        let mut weights = [None; 2]; // gzip, zstd
        let mut any = None;
        for part in header.split(',') {
            let mut words = part.split(';').map(str::trim);
            let coding = words.next().unwrap_or_default();
            let weight = words.find_map(|word| word.strip_prefix("q=").or(word.strip_prefix("Q=")));
            let weight: f32 = weight.map_or(Some(1.0), |text| text.parse().ok()).unwrap_or(0.0);
            if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
                weights[0] = Some(weight);
            } else if coding.eq_ignore_ascii_case("zstd") {
                weights[1] = Some(weight);
            } else if coding == "*" {
                any = Some(weight);
            }
        }
        // A `*` stands for every coding that is not named; old clients send it and mean gzip at most.
        let gzip = weights[0].or(any).unwrap_or(0.0);
        let zstd = weights[1].unwrap_or(0.0);
        if zstd > 0.0 && zstd >= gzip {
            Self::Zstd
        } else if gzip > 0.0 {
            Self::Gzip
        } else {
            Self::Identity
        }
    }

    /// What a request's body is coded in.
    ///
    /// # Errors
    ///
    /// 415 for a coding that we do not read, and for several on top of each other.
    pub(crate) fn sent(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let Some(value) = values.next() else { return Ok(Self::Identity) };
        let name = value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
        let known = match name.as_str() {
            "identity" | "" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        };
        known.filter(|_| values.next().is_none()).ok_or_else(|| {
            let description =
                "the body's content coding is not known here; send it as it is, or as gzip or zstd";
            Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, description)
        })
    }

    /// The value of `Content-Encoding`; none if the bytes are as they are.
    pub(crate) fn header(self) -> Option<HeaderValue> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some(HeaderValue::from_static("gzip")),
            Self::Zstd => Some(HeaderValue::from_static("zstd")),
        }
    }

    /// Codes a body, if that is worth it; says how it ended up.
    pub(crate) fn encode(self, body: Vec<u8>) -> (Vec<u8>, Self) {
        if body.len() <= PLAIN_MAX_BYTES {
            return (body, Self::Identity);
        }
        let coded = match self {
            Self::Identity => None,
            Self::Gzip => gzip(&body),
            Self::Zstd => zstd::bulk::compress(&body, ZSTD_LEVEL).ok(),
        };
        coded.map_or((body, Self::Identity), |coded| (coded, self))
    }

    /// Undoes a coding, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// 413 for what becomes larger than `limit`; 400 for what is not so coded.
    pub(crate) fn decode(self, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, Refusal> {
        let too_large = || {
            let description = format!("the body is larger than {limit} bytes when it is decompressed");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, description)
        };
        let undone = match self {
            Self::Identity if body.len() > limit => return Err(too_large()),
            Self::Identity => return Ok(body),
            Self::Gzip => gunzip(&body, limit),
            Self::Zstd => zstd::stream::read::Decoder::new(body.as_slice()).and_then(|mut decoder| {
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                read_at_most(decoder, limit)
            }),
        };
        let undone = undone
            .map_err(|error| Refusal::bad_request(format!("the body cannot be decompressed: {error}")))?;
        undone.ok_or_else(too_large)
    }
}

/// `None` if there is more than `limit`. A bomb costs what the limit allows and no more.
fn read_at_most(from: impl Read, limit: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

fn gunzip(mut body: &[u8], limit: usize) -> std::io::Result<Option<Vec<u8>>> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    for _ in 0..GZIP_MEMBERS_MAX {
        let so_far = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mut member = flate2::bufread::GzDecoder::new(body).take(most.saturating_sub(so_far));
        member.read_to_end(&mut bytes)?;
        if bytes.len() > limit {
            return Ok(None);
        }
        body = member.into_inner().into_inner();
        if body.is_empty() {
            return Ok(Some(bytes));
        }
    }
    Err(std::io::Error::other(format!("it has more than {GZIP_MEMBERS_MAX} gzip members")))
}

fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let buffer = Vec::with_capacity(body.len() / 8);
    let mut encoder = flate2::write::GzEncoder::new(buffer, flate2::Compression::new(GZIP_LEVEL));
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: hyper::header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_coding_follows_the_clients_weights() {
        let cases = [
            ("gzip, deflate", Encoding::Gzip),
            ("gzip, deflate, br, zstd", Encoding::Zstd),
            ("zstd;q=0.5, gzip;q=0.8", Encoding::Gzip),
            ("ZSTD;q=0.8, GZip;q=0.8", Encoding::Zstd),
            ("zstd;q=0, gzip", Encoding::Gzip),
            ("gzip;q=0", Encoding::Identity),
            ("gzip;q=nonsense", Encoding::Identity),
            ("*", Encoding::Gzip),
            ("*;q=0", Encoding::Identity),
            ("gzip;q=0, *", Encoding::Identity),
            ("br", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("", Encoding::Identity),
        ];
        for (header, want) in cases {
            assert_eq!(Encoding::wanted(&headers(ACCEPT_ENCODING, header)), want, "{header}");
        }
        assert_eq!(Encoding::wanted(&HeaderMap::new()), Encoding::Identity);
    }

    #[test]
    fn what_is_coded_is_decoded_up_to_the_limit_and_no_further() {
        let body = "an indicator, ".repeat(1_000).into_bytes();
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let (coded, ended) = encoding.encode(body.clone());
            assert_eq!(ended, encoding);
            assert!(coded.len() < body.len() / 10);
            assert_eq!(encoding.decode(coded.clone(), body.len()).unwrap(), body);
            let refusal = encoding.decode(coded.clone(), body.len() - 1).unwrap_err();
            assert_eq!(refusal.status, StatusCode::PAYLOAD_TOO_LARGE);
            let refusal = encoding.decode(coded[..coded.len() / 2].to_vec(), body.len()).unwrap_err();
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
        }
        assert_eq!(
            Encoding::Identity.decode(vec![0; 5], 4).unwrap_err().status,
            StatusCode::PAYLOAD_TOO_LARGE
        );
    }

    #[test]
    fn a_gzip_body_has_so_many_members_and_no_more() {
        let member = gzip(b"an indicator, ").unwrap();
        let decode = |count: usize, limit| Encoding::Gzip.decode(member.repeat(count), limit);
        let most = GZIP_MEMBERS_MAX * 14;
        assert_eq!(decode(GZIP_MEMBERS_MAX, most).unwrap().len(), most);
        assert_eq!(decode(GZIP_MEMBERS_MAX, most - 1).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(decode(GZIP_MEMBERS_MAX + 1, most * 2).unwrap_err().status, StatusCode::BAD_REQUEST);
        let refusal = Encoding::Gzip.decode([member.as_slice(), b"more"].concat(), most).unwrap_err();
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn small_bodies_stay_as_they_are() {
        let body = vec![b'a'; PLAIN_MAX_BYTES];
        assert_eq!(Encoding::Zstd.encode(body.clone()), (body, Encoding::Identity));
        assert_eq!(Encoding::Zstd.encode(vec![b'a'; PLAIN_MAX_BYTES + 1]).1, Encoding::Zstd);
    }

    #[test]
    fn a_body_has_at_most_one_coding_that_we_know() {
        assert_eq!(Encoding::sent(&headers(CONTENT_ENCODING, "GZip")).unwrap(), Encoding::Gzip);
        assert_eq!(Encoding::sent(&HeaderMap::new()).unwrap(), Encoding::Identity);
        for name in ["br", "gzip, gzip", "deflate"] {
            let refusal = Encoding::sent(&headers(CONTENT_ENCODING, name)).unwrap_err();
            assert_eq!(refusal.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{name}");
        }
    }
}
