//! What can be listed, in the one spelling in which it is compared.
//!
//! A [`Key`] is made by a function that reads what people write (capitals, a trailing dot, `Bücher.example`, `hxxp://evil[.]example`,
//! `::ffff:192.0.2.1`) and gives the canonical form, or a [`KeyError`] that names the text and says why not. Holding one means that this
//! was done: tables compare bytes.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;

use crate::text;
use crate::url;

/// The longest name without its trailing dot (RFC 1035 §2.3.4: 255 bytes on the wire).
pub const NAME_BYTES_MAX: usize = 253;
/// The longest label (RFC 1035 §2.3.4).
pub const LABEL_BYTES_MAX: usize = 63;
/// The longest text of the other kinds. Browsers agree on URLs of 2,000 characters; four times that is room for the odd one.
pub const TEXT_BYTES_MAX: usize = 8 * 1024;
/// The most tokens of a string that is sought in text: what one look at a token may cost is bounded by it.
pub const TOKENS_MAX: usize = 64;

/// What is listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A domain name: A-labels, lower case, no trailing dot.
    Name(Canonical, Scope),
    /// Addresses that begin alike; one address is a prefix of full length.
    Prefix(Prefix),
    /// A port at an address.
    Endpoint(IpAddr, u16),
    /// A hash of a file.
    Digest(Digest),
    /// An e-mail address, in lower case.
    Email(Canonical),
    /// A URL without fragment and user.
    Url(Canonical),
    /// A file's name, in lower case.
    FileName(Canonical),
    /// A mail's subject, in lower case, white space collapsed.
    Subject(Canonical),
    /// A string sought in text, token by token.
    Text(Canonical),
}

/// How far a listed name reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The name alone.
    Exact,
    /// The name and every name below it.
    Subdomains,
}

/// A text in the form in which its kind is compared.
///
/// INVARIANT: only the functions of [`Key`] make one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Canonical(String);

impl Canonical {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What was read from a text, in the form in which it was looked up.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// The kinds of keys, without what is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "as the variants of `Key`")]
pub enum Kind {
    Name,
    Prefix,
    Endpoint,
    Digest,
    Email,
    Url,
    FileName,
    Subject,
    Text,
}

impl Kind {
    /// Every kind, in the order of [`Key`].
    pub const ALL: [Self; 9] = [
        Self::Name,
        Self::Prefix,
        Self::Endpoint,
        Self::Digest,
        Self::Email,
        Self::Url,
        Self::FileName,
        Self::Subject,
        Self::Text,
    ];

    /// One word for it, as in messages and blinded forms.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Prefix => "prefix",
            Self::Endpoint => "endpoint",
            Self::Digest => "hash",
            Self::Email => "email",
            Self::Url => "url",
            Self::FileName => "file-name",
            Self::Subject => "subject",
            Self::Text => "text",
        }
    }
}

/// Addresses that begin with the same bits.
///
/// INVARIANT: bits beyond `length` are zero, and an IPv4 address is never written as an IPv6 one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    network: IpAddr,
    length: u8,
}

impl Prefix {
    /// The first address.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// How many bits are fixed: up to 32 or 128.
    #[must_use]
    pub fn length(&self) -> u8 {
        self.length
    }

    /// Whether it is one address.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.length == if self.network.is_ipv4() { 32 } else { 128 }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_single() { self.network.fmt(f) } else { write!(f, "{}/{}", self.network, self.length) }
    }
}

/// The hash functions of files that STIX 2.1 §10.7 names, and those that feeds use beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "their names say all")]
pub enum Algorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha3_256,
    Sha3_512,
}

impl Algorithm {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Md5,
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
        Self::Sha3_256,
        Self::Sha3_512,
    ];

    /// Its name in STIX.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::Sha3_256 => "SHA3-256",
            Self::Sha3_512 => "SHA3-512",
        }
    }

    /// Bytes of a hash.
    #[must_use]
    pub fn digest_bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 | Self::Sha3_256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 | Self::Sha3_512 => 64,
        }
    }

    /// Reads `sha256`, `SHA-256`, `sha_256`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let bare = |name: &str| -> String {
            name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
        };
        let name = bare(name);
        Self::ALL.into_iter().find(|algorithm| bare(algorithm.name()) == name)
    }
}

/// A hash with its function.
///
/// INVARIANT: as many bytes as the function gives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Digest {
    pub(crate) fn of_bytes(algorithm: Algorithm, bytes: &[u8]) -> Self {
        Self { algorithm, bytes: bytes.to_vec() }
    }

    /// The function.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is no {}: {why}", .kind.word())]
pub struct KeyError {
    /// What it should have been.
    pub kind: Kind,
    /// The text, cut after 100 characters.
    pub text: String,
    /// What is wrong with it.
    pub why: Why,
}

impl KeyError {
    pub(crate) fn new(kind: Kind, text: &str, why: Why) -> Self {
        let mut shown: String = text.chars().take(100).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Self { kind, text: shown, why }
    }
}

/// What is wrong with a text; few and without data, to be counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Why {
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    #[error("a label is empty")]
    LabelEmpty,
    #[error("a label is longer than {LABEL_BYTES_MAX} bytes")]
    LabelTooLong,
    #[error("a host's name has letters, digits, `-` and `_` only")]
    Character,
    #[error("a wildcard is said by the scope, not by `*`")]
    Wildcard,
    #[error("its last label is a number, as an address has")]
    Numeric,
    #[error("it is no internationalised name (UTS 46)")]
    Idna,
    #[error("it is no address")]
    Address,
    #[error("the prefix is longer than the address")]
    PrefixLength,
    #[error("the port is no number from 1 to 65535")]
    Port,
    #[error("no hash function of that name is known")]
    Algorithm,
    #[error("it is not hexadecimal")]
    Hexadecimal,
    #[error("a hash of that function has another length")]
    DigestLength,
    #[error("it has no scheme with `://`")]
    Scheme,
    #[error("it has no host")]
    Host,
    #[error("it needs one `@` between its parts")]
    At,
    #[error("it has no letter and no digit to be found by")]
    NoToken,
    #[error("it has more than {TOKENS_MAX} tokens")]
    TooManyTokens,
}

impl Key {
    /// A name, by whatever spelling: `Bücher.Example.`, `evil[.]example`.
    ///
    /// # Errors
    ///
    /// Fails for what cannot be a host's name on the wire, and for an address.
    pub fn name(text: &str, scope: Scope) -> Result<Self, KeyError> {
        let name = canonical_name(text).map_err(|why| KeyError::new(Kind::Name, text, why))?;
        Ok(Self::Name(Canonical(name), scope))
    }

    /// One address.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        let network = address.to_canonical();
        Self::Prefix(Prefix { network, length: if network.is_ipv4() { 32 } else { 128 } })
    }

    /// The addresses whose first `length` bits are those of `address`; its other bits do not count.
    ///
    /// # Errors
    ///
    /// Fails if the address has fewer bits.
    pub fn prefix(address: IpAddr, length: u8) -> Result<Self, KeyError> {
        prefix(address, length)
            .map_err(|why| KeyError::new(Kind::Prefix, &format!("{address}/{length}"), why))
            .map(Self::Prefix)
    }

    /// `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`, `192[.]0[.]2[.]1`.
    ///
    /// # Errors
    ///
    /// Fails for anything else.
    pub fn parse_prefix(text: &str) -> Result<Self, KeyError> {
        let read = || {
            let plain = text::refang(text.trim());
            let (address, length) = match plain.split_once('/') {
                Some((address, length)) => (address, Some(length.parse().map_err(|_| Why::PrefixLength)?)),
                None => (plain.as_ref(), None),
            };
            let address: IpAddr = address.parse().map_err(|_| Why::Address)?;
            prefix(address, length.unwrap_or(if address.is_ipv4() { 32 } else { 128 }))
        };
        read().map_err(|why| KeyError::new(Kind::Prefix, text, why)).map(Self::Prefix)
    }

    /// A port at an address.
    #[must_use]
    pub fn endpoint(address: IpAddr, port: u16) -> Self {
        Self::Endpoint(address.to_canonical(), port)
    }

    /// `192.0.2.1:8443`, `[2001:db8::1]:53`.
    ///
    /// # Errors
    ///
    /// Fails for anything else, and for port 0.
    pub fn parse_endpoint(text: &str) -> Result<Self, KeyError> {
        let read = || {
            let plain = text::refang(text.trim());
            let (address, port) = plain.rsplit_once(':').ok_or(Why::Port)?;
            let port = port.parse().ok().filter(|port| *port != 0).ok_or(Why::Port)?;
            let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let address: IpAddr = match bare {
                Some(bare) => bare.parse::<std::net::Ipv6Addr>().map_err(|_| Why::Address)?.into(),
                None => address.parse::<std::net::Ipv4Addr>().map_err(|_| Why::Address)?.into(),
            };
            Ok(Self::endpoint(address, port))
        };
        read().map_err(|why| KeyError::new(Kind::Endpoint, text, why))
    }

    /// A hash in hexadecimal digits, with the name of its function as in STIX or near it.
    ///
    /// # Errors
    ///
    /// Fails for functions that are not in [`Algorithm`], and for another number of digits.
    pub fn hash(algorithm: &str, text: &str) -> Result<Self, KeyError> {
        let read = || {
            let algorithm = Algorithm::parse(algorithm).ok_or(Why::Algorithm)?;
            let bytes = hex::decode(text.trim()).map_err(|_| Why::Hexadecimal)?;
            if bytes.len() != algorithm.digest_bytes() {
                return Err(Why::DigestLength);
            }
            Ok(Self::Digest(Digest { algorithm, bytes }))
        };
        read().map_err(|why| KeyError::new(Kind::Digest, text, why))
    }

    /// A hash of bytes.
    ///
    /// # Errors
    ///
    /// Fails if the function gives another number of bytes.
    pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() != algorithm.digest_bytes() {
            return Err(KeyError::new(Kind::Digest, &hex::encode(bytes), Why::DigestLength));
        }
        Ok(Self::Digest(Digest { algorithm, bytes: bytes.to_vec() }))
    }

    /// An e-mail address. Its local part is compared without regard to case: RFC 5321 §2.4 leaves that to the receiving host, and no
    /// host in use tells capitals apart.
    ///
    /// # Errors
    ///
    /// Fails without exactly one `@` between a local part and a name.
    pub fn email(text: &str) -> Result<Self, KeyError> {
        let read = || {
            let plain = text::refang(text.trim());
            let plain = plain.strip_prefix("mailto:").unwrap_or(&plain);
            let (local, host) = plain.rsplit_once('@').ok_or(Why::At)?;
            // RFC 5321 §4.5.3.1.1.
            if local.len() > 64 {
                return Err(Why::TooLong(64));
            }
            if local.is_empty() || local.contains(|c: char| c.is_whitespace() || c == '@') {
                return Err(Why::At);
            }
            Ok(format!("{}@{}", local.to_lowercase(), canonical_name(host)?))
        };
        read().map_err(|why| KeyError::new(Kind::Email, text, why)).map(|email| Self::Email(Canonical(email)))
    }

    /// A URL: scheme and host in lower case, no user, no default port, no fragment, dots resolved, percent-encoding made uniform.
    ///
    /// # Errors
    ///
    /// Fails without a scheme that is followed by `://`, and without a host that can be one.
    pub fn url(text: &str) -> Result<Self, KeyError> {
        let mut canonical = Vec::new();
        let read = url::canonical(text.trim(), &mut canonical).and_then(|_| too_long(canonical.len()));
        read.map_err(|why| KeyError::new(Kind::Url, text, why))?;
        let canonical = String::from_utf8(canonical).unwrap_or_default();
        Ok(Self::Url(Canonical(canonical)))
    }

    /// The name of a file, without folders; compared without regard to case, in Unicode's composed form.
    ///
    /// # Errors
    ///
    /// Fails for an empty name and for one longer than [`TEXT_BYTES_MAX`].
    pub fn file_name(text: &str) -> Result<Self, KeyError> {
        folded(text.trim()).map_err(|why| KeyError::new(Kind::FileName, text, why)).map(Self::FileName)
    }

    /// The subject of a mail, decoded; compared without regard to case and to the amount of white space.
    ///
    /// # Errors
    ///
    /// As [`Key::file_name`].
    pub fn subject(text: &str) -> Result<Self, KeyError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        folded(&words.join(" ")).map_err(|why| KeyError::new(Kind::Subject, text, why)).map(Self::Subject)
    }

    /// A string to be found in text. It is compared without regard to case and to the amount of white space; marks within it count, marks
    /// at its ends do not; it is found where tokens begin and end, never within a longer word.
    ///
    /// # Errors
    ///
    /// Fails without a letter or digit, and beyond [`TOKENS_MAX`] tokens.
    pub fn text(text: &str) -> Result<Self, KeyError> {
        let read = || {
            too_long(text.len())?;
            let tokens = text::tokens(text.as_bytes()).count();
            match tokens {
                0 => Err(Why::NoToken),
                1..=TOKENS_MAX => Ok(Canonical(text::fold_string(text))),
                _ => Err(Why::TooManyTokens),
            }
        };
        read().map_err(|why| KeyError::new(Kind::Text, text, why)).map(Self::Text)
    }

    /// At what an e-mail address, a URL or an endpoint is: a host's name, or an address.
    #[must_use]
    pub fn host(&self) -> Option<Self> {
        let host = match self {
            Self::Endpoint(address, _) => return Some(Self::address(*address)),
            Self::Email(email) => email.as_str().rsplit_once('@')?.1,
            Self::Url(url) => url::host_of_canonical(url.as_str()),
            Self::Name(..)
            | Self::Prefix(_)
            | Self::Digest(_)
            | Self::FileName(_)
            | Self::Subject(_)
            | Self::Text(_) => return None,
        };
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let name = || Self::Name(Canonical(host.to_owned()), Scope::Exact);
        Some(bare.parse().map_or_else(|_| name(), Self::address))
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Name(..) => Kind::Name,
            Self::Prefix(_) => Kind::Prefix,
            Self::Endpoint(..) => Kind::Endpoint,
            Self::Digest(_) => Kind::Digest,
            Self::Email(_) => Kind::Email,
            Self::Url(_) => Kind::Url,
            Self::FileName(_) => Kind::FileName,
            Self::Subject(_) => Kind::Subject,
            Self::Text(_) => Kind::Text,
        }
    }
}

/// What is listed, without its kind: `*.` stands before a name with all below it.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name, Scope::Exact) => f.write_str(name.as_str()),
            Self::Name(name, Scope::Subdomains) => write!(f, "*.{}", name.as_str()),
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Endpoint(address, port) => std::net::SocketAddr::new(*address, *port).fmt(f),
            Self::Digest(digest) => f.write_str(&hex::encode(digest.bytes())),
            Self::Email(text)
            | Self::Url(text)
            | Self::FileName(text)
            | Self::Subject(text)
            | Self::Text(text) => f.write_str(text.as_str()),
        }
    }
}

fn prefix(address: IpAddr, length: u8) -> Result<Prefix, Why> {
    let canonical = address.to_canonical();
    let width = |address: &IpAddr| if address.is_ipv4() { 32 } else { 128 };
    // A prefix of mapped addresses, `::ffff:192.0.2.0/120`, is one of IPv4 if it fixes the 96 bits before.
    let (network, length) = match (address.is_ipv6() && canonical.is_ipv4(), length) {
        (true, 96..=128) => (canonical, length - 96),
        (true, _) => (address, length),
        (false, _) => (canonical, length),
    };
    if length > width(&network) {
        return Err(Why::PrefixLength);
    }
    let network = match network {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    };
    Ok(Prefix { network, length })
}

fn too_long(length: usize) -> Result<(), Why> {
    if length > TEXT_BYTES_MAX { Err(Why::TooLong(TEXT_BYTES_MAX)) } else { Ok(()) }
}

fn folded(text: &str) -> Result<Canonical, Why> {
    too_long(text.len())?;
    // Lower case may decompose, so composition comes last.
    let folded: String = text.nfc().flat_map(char::to_lowercase).nfc().collect();
    too_long(folded.len())?;
    if folded.is_empty() { Err(Why::Empty) } else { Ok(Canonical(folded)) }
}

/// A host's name in the form of the wire: A-labels, lower case, no trailing dot.
pub(crate) fn canonical_name(text: &str) -> Result<String, Why> {
    // A hostile text may be long; IDNA grows with it.
    if text.len() > 4 * NAME_BYTES_MAX {
        return Err(Why::TooLong(NAME_BYTES_MAX));
    }
    let plain = text::refang(text.trim());
    let mut name = if plain.is_ascii() {
        plain.to_ascii_lowercase()
    } else {
        let ascii = idna::domain_to_ascii_cow(plain.as_bytes(), idna::AsciiDenyList::EMPTY);
        ascii.map_err(|_| Why::Idna)?.into_owned()
    };
    if name.ends_with('.') {
        name.pop();
    }
    check_name(&name)?;
    Ok(name)
}

fn check_name(name: &str) -> Result<(), Why> {
    if name.is_empty() {
        return Err(Why::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(Why::TooLong(NAME_BYTES_MAX));
    }
    for label in name.split('.') {
        match label.len() {
            0 => return Err(Why::LabelEmpty),
            1..=LABEL_BYTES_MAX => {}
            _ => return Err(Why::LabelTooLong),
        }
        if label.contains('*') {
            return Err(Why::Wildcard);
        }
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return Err(Why::Character);
        }
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) { Err(Why::Numeric) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Door = fn(&str) -> Result<Key, KeyError>;

    #[test]
    fn names_have_one_spelling() {
        let long = format!("{}.example", "a".repeat(63));
        let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        assert_eq!(longest.len(), NAME_BYTES_MAX);
        let cases = [
            ("Bücher.Example.", Ok("xn--bcher-kva.example")),
            ("evil[.]example", Ok("evil.example")),
            ("evil(dot)example", Ok("evil.example")),
            ("例え。テスト", Ok("xn--r8jz45g.xn--zckzah")),
            ("_dmarc.EXAMPLE", Ok("_dmarc.example")),
            ("com", Ok("com")),
            (long.as_str(), Ok(long.as_str())),
            (longest.as_str(), Ok(longest.as_str())),
            ("", Err(Why::Empty)),
            (".", Err(Why::Empty)),
            ("a..example", Err(Why::LabelEmpty)),
            (".example", Err(Why::LabelEmpty)),
            ("*.example", Err(Why::Wildcard)),
            ("a b.example", Err(Why::Character)),
            ("a\0.example", Err(Why::Character)),
            ("192.0.2.1", Err(Why::Numeric)),
        ];
        for (text, want) in cases {
            let key = Key::name(text, Scope::Exact).map(|key| key.to_string());
            assert_eq!(key.as_deref().map_err(|error| error.why), want, "{text}");
        }
        let label = format!("{}.example", "a".repeat(64));
        assert_eq!(Key::name(&label, Scope::Exact).unwrap_err().why, Why::LabelTooLong);
        let name = format!("{longest}a");
        assert_eq!(Key::name(&name, Scope::Exact).unwrap_err().why, Why::TooLong(253));
    }

    #[test]
    fn an_error_names_the_text_and_the_reason() {
        let error = Key::name("*.example", Scope::Exact).unwrap_err();
        assert_eq!(error.to_string(), "`*.example` is no name: a wildcard is said by the scope, not by `*`");
        let error = Key::hash("SHA-256", "abcd").unwrap_err();
        assert_eq!(error.to_string(), "`abcd` is no hash: a hash of that function has another length");
    }

    #[test]
    fn prefixes_lose_their_host_bits_and_mapped_addresses_are_those_of_ipv4() {
        let cases = [
            ("192.0.2.77/24", Ok("192.0.2.0/24")),
            ("192.0.2.77", Ok("192.0.2.77")),
            ("192[.]0[.]2[.]77/32", Ok("192.0.2.77")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("::ffff:192.0.2.77", Ok("192.0.2.77")),
            ("::ffff:192.0.2.77/120", Ok("192.0.2.0/24")),
            // Fewer than 96 fixed bits: more than the mapped addresses begin so.
            ("::ffff:0:0/90", Ok("::ffc0:0:0/90")),
            ("2001:DB8::1/33", Ok("2001:db8::/33")),
            ("::/0", Ok("::/0")),
            ("192.0.2.1/33", Err(Why::PrefixLength)),
            ("192.0.2.1/", Err(Why::PrefixLength)),
            ("::1/129", Err(Why::PrefixLength)),
            ("192.0.2", Err(Why::Address)),
            ("192.0.2.01", Err(Why::Address)),
        ];
        for (text, want) in cases {
            let key = Key::parse_prefix(text).map(|key| key.to_string());
            assert_eq!(key.as_deref().map_err(|error| error.why), want, "{text}");
        }
    }

    #[test]
    fn endpoints_hashes_and_addresses_of_mail_are_read() {
        let text = |key: Result<Key, KeyError>| key.map(|key| key.to_string()).map_err(|error| error.why);
        assert_eq!(text(Key::parse_endpoint("192.0.2.1:8443")), Ok("192.0.2.1:8443".to_owned()));
        assert_eq!(text(Key::parse_endpoint("[2001:DB8::1]:53")), Ok("[2001:db8::1]:53".to_owned()));
        assert_eq!(text(Key::parse_endpoint("192.0.2.1:0")), Err(Why::Port));
        assert_eq!(text(Key::parse_endpoint("192.0.2.1")), Err(Why::Port));
        assert_eq!(text(Key::parse_endpoint("2001:db8::1:53")), Err(Why::Address));
        let md5 = "D41D8CD98F00B204E9800998ECF8427E";
        for name in ["MD5", "md5", "Md-5"] {
            assert_eq!(text(Key::hash(name, md5)), Ok(md5.to_lowercase()));
        }
        assert_eq!(text(Key::hash("sha256", md5)), Err(Why::DigestLength));
        assert_eq!(text(Key::hash("sha256", "x")), Err(Why::Hexadecimal));
        assert_eq!(text(Key::hash("ssdeep", md5)), Err(Why::Algorithm));
        assert_eq!(
            text(Key::email("mailto:Bad.Man@Bücher[.]Example")),
            Ok("bad.man@xn--bcher-kva.example".to_owned())
        );
        assert_eq!(text(Key::email("bad[at]evil.example")), Ok("bad@evil.example".to_owned()));
        assert_eq!(text(Key::email("evil.example")), Err(Why::At));
        assert_eq!(text(Key::email("@evil.example")), Err(Why::At));
        assert_eq!(text(Key::subject("  Your\tINVOICE\n 42 ")), Ok("your invoice 42".to_owned()));
        assert_eq!(text(Key::file_name("Re\u{301}sume\u{301}.EXE")), Ok("résumé.exe".to_owned()));
        assert_eq!(text(Key::text("--- ...")), Err(Why::NoToken));
        assert_eq!(text(Key::text("  «CMD.exe   /c calc» ")), Ok("cmd.exe /c calc".to_owned()));
        assert_eq!(text(Key::text(&"a ".repeat(65))), Err(Why::TooManyTokens));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_was_read_is_read_the_same_again(text in "\\PC{0,60}|[a-z0-9:/.@%\\[\\]-]{0,60}") {
            let doors: [Door; 8] = [
                |text| Key::name(text, Scope::Exact), Key::parse_prefix, Key::parse_endpoint, Key::email, Key::url,
                Key::file_name, Key::subject, Key::text,
            ];
            for door in doors {
                if let Ok(key) = door(&text) {
                    prop_assert_eq!(door(&key.to_string()), Ok(key));
                }
            }
        }
    }
}
