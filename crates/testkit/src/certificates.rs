//! Certificates for tests: an authority, what it issues, and what goes wrong with either.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// An authority of certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate in PEM.
    pub certificate: String,
}

/// A certificate with its key, in PEM.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// What a certificate is to be.
pub struct Wanted<'a> {
    /// The common name of its subject.
    pub subject: &'a str,
    /// Its alternative names: DNS names and addresses.
    pub names: &'a [&'a str],
    /// The years in which it begins and ends.
    pub years: (i32, i32),
    /// What its key is for.
    pub purpose: ExtendedKeyUsagePurpose,
}

impl<'a> Wanted<'a> {
    /// A client's certificate that is good for long.
    #[must_use]
    pub fn new(subject: &'a str) -> Self {
        Self { subject, names: &[], years: (2000, 2100), purpose: ExtendedKeyUsagePurpose::ClientAuth }
    }

    /// A server's for `localhost`.
    #[must_use]
    pub fn server(subject: &'a str) -> Self {
        let names = &["localhost", "127.0.0.1"];
        Self { names, purpose: ExtendedKeyUsagePurpose::ServerAuth, ..Self::new(subject) }
    }
}

impl Authority {
    /// An authority that is good.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::with(name, IsCa::Ca(BasicConstraints::Unconstrained), vec![KeyUsagePurpose::KeyCertSign])
    }

    /// One whose key may sign lists of revoked certificates, and no certificates.
    #[must_use]
    pub fn that_may_not_sign(name: &str) -> Self {
        Self::with(name, IsCa::Ca(BasicConstraints::Unconstrained), vec![KeyUsagePurpose::CrlSign])
    }

    /// One that is none, by its own certificate.
    #[must_use]
    pub fn that_is_none(name: &str) -> Self {
        Self::with(name, IsCa::ExplicitNoCa, Vec::new())
    }

    fn with(name: &str, is_ca: IsCa, key_usages: Vec<KeyUsagePurpose>) -> Self {
        let (params, key) = (authority(name, is_ca, key_usages), key());
        let certificate = params.self_signed(&key).expect("an authority signs itself").pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// An authority below this one, and its certificate; it may sign certificates or not.
    #[must_use]
    pub fn below(&self, name: &str, may_sign: bool) -> Self {
        let usage = if may_sign { KeyUsagePurpose::KeyCertSign } else { KeyUsagePurpose::CrlSign };
        let (params, key) = (authority(name, IsCa::Ca(BasicConstraints::Unconstrained), vec![usage]), key());
        let certificate = params.signed_by(&key, &self.issuer).expect("an authority signs").pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Issues a certificate.
    #[must_use]
    pub fn issue(&self, wanted: &Wanted<'_>) -> Identity {
        let names: Vec<String> = wanted.names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("the names are names");
        params.distinguished_name = named(wanted.subject);
        params.not_before = date_time_ymd(wanted.years.0, 1, 1);
        params.not_after = date_time_ymd(wanted.years.1, 1, 1);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![wanted.purpose.clone()];
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("an authority signs").pem();
        Identity { certificate, key: key.serialize_pem() }
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("keys can be made")
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

fn authority(name: &str, is_ca: IsCa, key_usages: Vec<KeyUsagePurpose>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    params.is_ca = is_ca;
    params.key_usages = key_usages;
    params
}
