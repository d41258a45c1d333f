//! TLS: a certificate chain and its key from PEM files, and whose clients' certificates are believed.
//!
//! TLS 1.2 and 1.3, as TAXII 2.1 §1.6.3 asks; HTTP/2 where the client offers it. The files are read again whenever
//! somebody asks ([`Tls::reload`]): what is in them then is what later connections get, and those that are open go on as
//! they are. Files that cannot be used change nothing.
//!
//! ```text
//! hub.crt, hub.key replaced one after the other    between the two they do not belong together: the old ones stay
//! clients.crt without an authority                 its certificates are refused from the next request on, also on
//!                                                  connections that are open
//! ```

mod clients;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

pub use clients::ClientCertificate;
pub(crate) use clients::Clients;

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

/// Where certificates and keys lie.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The hub's certificate, with its chain behind it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities whose certificates clients may present, if any are.
    pub client_authorities: Option<PathBuf>,
}

/// What reading the files again came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// They are as they were when they were last read.
    Same,
    /// Connections that come from now on get what is in them.
    Changed,
}

/// Encrypts what [`serve`](crate::serve) accepts. Clones share what is in force.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    files: TlsFiles,
    in_force: RwLock<InForce>,
}

#[derive(Clone)]
struct InForce {
    /// The SHA-256 of what it was made of.
    read: [u8; 32],
    config: Arc<ServerConfig>,
    clients: Option<Arc<Clients>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads a certificate, with its chain behind it, its key, and the authorities of clients.
    ///
    /// # Errors
    ///
    /// Says which file is at fault and why.
    pub fn from_files(files: TlsFiles) -> Result<Self, TlsError> {
        let contents = Contents::read(&files)?;
        let in_force = contents.put_together(&files)?;
        Ok(Self(Arc::new(Shared { files, in_force: RwLock::new(in_force) })))
    }

    /// Reads the files again, and puts what is in them in force if it is something else and can be used.
    ///
    /// # Errors
    ///
    /// Says which file is at fault and why, as long as it is so; then what was in force stays in force.
    pub fn reload(&self) -> Result<Reloaded, TlsError> {
        let contents = Contents::read(&self.0.files)?;
        let mut in_force = self.0.in_force.write().unwrap_or_else(PoisonError::into_inner);
        if in_force.read == contents.digest() {
            return Ok(Reloaded::Same);
        }
        *in_force = contents.put_together(&self.0.files)?;
        Ok(Reloaded::Changed)
    }

    /// What the next connection is encrypted with, and whose certificates are believed on it.
    pub(crate) fn next(&self) -> (TlsAcceptor, Option<Arc<Clients>>) {
        let in_force = self.0.in_force.read().unwrap_or_else(PoisonError::into_inner);
        (TlsAcceptor::from(Arc::clone(&in_force.config)), in_force.clients.clone())
    }

    /// The authorities of clients that are believed now.
    pub(crate) fn clients(&self) -> Option<Arc<Clients>> {
        self.0.in_force.read().unwrap_or_else(PoisonError::into_inner).clients.clone()
    }
}

/// The files' bytes, each read once.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_authorities: Option<Vec<u8>>,
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let read =
            |path: &Path, wanted| fs::read(path).map_err(|error| at_fault(path, wanted, error.to_string()));
        let authorities = files.client_authorities.as_deref();
        Ok(Self {
            certificate: read(&files.certificate, CHAIN)?,
            key: read(&files.key, KEY)?,
            client_authorities: authorities.map(|path| read(path, AUTHORITIES)).transpose()?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut all = Sha256::new();
        for part in [&self.certificate, &self.key].into_iter().chain(&self.client_authorities) {
            all.update(Sha256::digest(part));
        }
        all.finalize().into()
    }

    fn put_together(&self, files: &TlsFiles) -> Result<InForce, TlsError> {
        let chain = certificates(&self.certificate, &files.certificate, CHAIN)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| at_fault(&files.key, KEY, error.to_string()))?;
        let clients = match (&files.client_authorities, &self.client_authorities) {
            (Some(path), Some(bytes)) => {
                let authorities = certificates(bytes, path, AUTHORITIES)?;
                let clients = Clients::new(&authorities);
                Some(Arc::new(clients.map_err(|reason| at_fault(path, AUTHORITIES, reason))?))
            }
            _ => None,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let unusable = |error: rustls::Error| TlsError::Unusable(error.to_string());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match &clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients) as Arc<_>),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(InForce { read: self.digest(), config: Arc::new(config), clients })
    }
}

const CHAIN: &str = "a certificate chain in PEM";
const KEY: &str = "a private key in PEM";
const AUTHORITIES: &str = "the authorities of clients' certificates in PEM";

fn at_fault(path: &Path, wanted: &'static str, reason: String) -> TlsError {
    TlsError::File { path: path.to_owned(), wanted, reason }
}

fn certificates(
    pem: &[u8],
    path: &Path,
    wanted: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| at_fault(path, wanted, error.to_string()))?;
    if found.is_empty() {
        return Err(at_fault(path, wanted, "there is no certificate in it".to_owned()));
    }
    Ok(found)
}
