//! Clients' certificates: which are believed, and for how long on an open connection.
//!
//! A client may present a certificate or not. One that it presents has to lead to an authority of the operator's file:
//! within its days, for the use in question, by authorities that may sign certificates (RFC 5280 §6.1); otherwise the
//! handshake fails. To whom it belongs is not a matter of TLS: that is looked up at every request, among the credentials.
//!
//! A connection can outlive what was verified when it began. So at each request it is asked whether the authorities are
//! still those, and if they are others the chain is verified once more; and the certificate's days are held against
//! the hub's clock with the look-up.

use std::sync::{Arc, Mutex, PoisonError};

use exchange::PresentedCertificate;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::certificate::read_certificate;

/// The most certificates between a client's and the authority's that are looked at.
const CHAIN_LENGTH_MAX: usize = 8;

/// Who may vouch for clients.
#[derive(Debug)]
pub(crate) struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Clients {
    /// Trusts these authorities.
    ///
    /// # Errors
    ///
    /// Says which of them is none, and why.
    pub(super) fn new(authorities: &[CertificateDer<'static>]) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for (number, authority) in (1..).zip(authorities) {
            may_sign(authority).map_err(|reason| format!("its certificate {number} {reason}"))?;
            roots
                .add(authority.clone())
                .map_err(|error| format!("its certificate {number} cannot be used: {error}"))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .allow_unauthenticated()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { verifier })
    }
}

/// Whether a certificate is that of an authority: RFC 5280 §4.2.1.9 and §4.2.1.3.
fn may_sign(certificate: &CertificateDer<'_>) -> Result<(), &'static str> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| "cannot be read")?;
    if !parsed.is_ca() {
        return Err("is not that of an authority");
    }
    match parsed.key_usage() {
        Ok(usage) if usage.as_ref().is_none_or(|usage| usage.value.key_cert_sign()) => Ok(()),
        Ok(_) | Err(_) => Err("has a key that may not sign certificates"),
    }
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // The verifier below looks whether they are authorities and not what their keys may do.
        if intermediates.len() > CHAIN_LENGTH_MAX || intermediates.iter().any(|one| may_sign(one).is_err()) {
            return Err(CertificateError::UnknownIssuer.into());
        }
        if read_certificate(end_entity).is_none() {
            return Err(CertificateError::BadEncoding.into());
        }
        self.verifier.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// The certificate that a client presented when its connection began, and proved to have the key of.
pub struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    facts: PresentedCertificate,
    tls: super::Tls,
    /// By which authorities it was last held to be good.
    good_by: Mutex<Arc<Clients>>,
}

impl std::fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ClientCertificate").field(&self.facts).finish()
    }
}

impl ClientCertificate {
    /// What a client presented in a handshake that `clients` verified.
    pub(crate) fn new(chain: &[CertificateDer<'_>], clients: Arc<Clients>, tls: super::Tls) -> Option<Self> {
        let facts = read_certificate(chain.first()?)?;
        let chain = chain.iter().map(|one| one.clone().into_owned()).collect();
        Some(Self { chain, facts, tls, good_by: Mutex::new(clients) })
    }

    /// What is in it, if it still leads to an authority that is trusted.
    pub(crate) fn facts(&self) -> Option<&PresentedCertificate> {
        let now_trusted = self.tls.clients()?;
        let mut good_by = self.good_by.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&good_by, &now_trusted) {
            let (own, between) = self.chain.split_first()?;
            now_trusted.verify_client_cert(own, between, UnixTime::now()).ok()?;
            *good_by = now_trusted;
        }
        Some(&self.facts)
    }
}
