//! TLS: a certificate chain and its key from PEM files.
//!
//! TLS 1.2 and 1.3, as TAXII 2.1 §1.6.3 asks; HTTP/2 where the client offers it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

/// Why a certificate or key cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file cannot be read, or is not PEM of the wanted kind.
    #[error("`{}` cannot be used as {wanted}: {reason}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What it was to be.
        wanted: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not belong together, or are of a kind that TLS does not use.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(String),
}

/// Encrypts what [`serve`](crate::serve) accepts.
#[derive(Clone)]
pub struct Tls {
    pub(crate) acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads a certificate, with its chain behind it, and its key.
    ///
    /// # Errors
    ///
    /// Says which file is at fault and why.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let file =
            |path: &Path, wanted, reason: String| TlsError::File { path: path.to_owned(), wanted, reason };
        let wanted = "a certificate chain in PEM";
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| file(certificate, wanted, error.to_string()))?;
        if chain.is_empty() {
            return Err(file(certificate, wanted, "there is no certificate in it".to_owned()));
        }
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| file(key, "a private key in PEM", error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let unusable = |error: rustls::Error| TlsError::Unusable(error.to_string());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}
