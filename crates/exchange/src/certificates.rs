//! Certificates as credentials: to whom one belongs that a client presented.
//!
//! A face has verified that the certificate leads to an authority that the operator trusts and that the client has its key.
//! Here it becomes a caller, by a *binding*, which is kept, listed and revoked as every credential is:
//!
//! ```text
//! sha256                        this certificate; a renewed one is another
//! issuer and subject            whatever certificate that issuer gives to that name; renewals need nothing
//! issuer and alternative name   the same by a name beside the subject, such as dns:feed.alpha.example
//! ```
//!
//! Nothing is remembered from request to request: a binding that was revoked is not found at the next one, though the
//! connection stays open, and a certificate whose days are over is not accepted though its handshake was before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use model::{Caller, CredentialId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::credentials::{CredentialRecord, NewCredential, Verifier};
use crate::error::{AdminError, AuthenticationError};
use crate::exchange::{Exchange, name_of, require};
use crate::members::{check_new, put_credential, still_accepted};
use crate::registry::Registry;
use crate::writer::Instants;

/// The longest name in a binding, in bytes.
const NAME_BYTES_MAX: usize = 1_024;
/// How many alternative names of a presented certificate are looked up.
const ALTERNATIVE_NAMES_MAX: usize = 64;

/// What is in a certificate that a client presented. A face has verified it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentedCertificate {
    /// The SHA-256 of its DER form, in lower-case hex.
    pub sha256: String,
    /// Who issued it: a distinguished name as RFC 4514 writes it.
    pub issuer: String,
    /// Whom it is for, written likewise.
    pub subject: String,
    /// Its subject alternative names: `dns:`, `email:`, `uri:` or `ip:`, and the name.
    pub alternative_names: Vec<String>,
    /// The first instant at which it is good.
    pub not_before: Timestamp,
    /// The last one.
    pub not_after: Timestamp,
}

/// Which certificates a credential is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum CertificateBinding {
    /// One certificate.
    Fingerprint {
        /// The SHA-256 of its DER form, in lower-case hex.
        sha256: String,
    },
    /// Those of one name by one issuer.
    Subject {
        /// The issuer's distinguished name.
        issuer: String,
        /// The subject's.
        subject: String,
    },
    /// Those with one alternative name by one issuer.
    AlternativeName {
        /// The issuer's distinguished name.
        issuer: String,
        /// The alternative name, with its kind before it.
        alternative_name: String,
    },
}

impl fmt::Display for CertificateBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint { sha256 } => write!(f, "certificate sha256:{sha256}"),
            Self::Subject { issuer, subject } => write!(f, "certificate of {subject} by {issuer}"),
            Self::AlternativeName { issuer, alternative_name } => {
                write!(f, "certificate for {alternative_name} by {issuer}")
            }
        }
    }
}

impl CertificateBinding {
    /// The same, if it can be that of a certificate.
    fn checked(self) -> Result<Self, AdminError> {
        let is_name = |name: &str| {
            !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
        };
        let is_sound = match &self {
            Self::Fingerprint { sha256 } => {
                sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            }
            Self::Subject { issuer, subject } => is_name(issuer) && is_name(subject),
            Self::AlternativeName { issuer, alternative_name } => {
                let kind = alternative_name.split_once(':').map(|(kind, _)| kind);
                let is_known = kind.is_some_and(|kind| ["dns", "email", "uri", "ip"].contains(&kind));
                is_name(issuer) && is_name(alternative_name) && is_known
            }
        };
        if is_sound {
            return Ok(self);
        }
        Err(AdminError::Invalid(format!(
            "`{self}` names no certificate: 64 lower-case hex digits of SHA-256, or an issuer with a subject, or an issuer \
             with an alternative name that begins with dns:, email:, uri: or ip:"
        )))
    }

    /// Every binding that a certificate answers to, the narrowest first.
    fn of(presented: &PresentedCertificate) -> impl Iterator<Item = Self> {
        let PresentedCertificate { sha256, issuer, subject, alternative_names, .. } = presented;
        let by_name =
            (!subject.is_empty()).then(|| Self::Subject { issuer: issuer.clone(), subject: subject.clone() });
        let by_alternative = alternative_names
            .iter()
            .take(ALTERNATIVE_NAMES_MAX)
            .map(|name| Self::AlternativeName { issuer: issuer.clone(), alternative_name: name.clone() });
        [Self::Fingerprint { sha256: sha256.clone() }].into_iter().chain(by_name).chain(by_alternative)
    }
}

/// The credentials that each binding has or had; one at most is accepted at a time.
pub(crate) type Bindings = BTreeMap<CertificateBinding, BTreeSet<CredentialId>>;

impl Exchange {
    /// The caller to whom a certificate belongs that was presented and verified.
    ///
    /// # Errors
    ///
    /// One answer for every reason: bound to nobody, to more than one, revoked, expired.
    pub fn recognise_certificate(
        &self,
        presented: &PresentedCertificate,
    ) -> Result<Caller, AuthenticationError> {
        let now = self.inner.clock.now();
        let caller = recognise(&self.inner.published.registry(), presented, now)?;
        self.inner.verification.note_use(&caller, now);
        Ok(caller)
    }

    /// Makes a certificate a credential. The new credential has no secret: neither a login nor a password of its own.
    ///
    /// # Errors
    ///
    /// Refuses all but operators, what can be no certificate, and one that is a credential already.
    pub fn bind_certificate(
        &self,
        caller: &Caller,
        new: NewCredential,
        binding: CertificateBinding,
    ) -> Result<CredentialRecord, AdminError> {
        require(caller, &[model::Role::Operator], "an operator")?;
        if new.login.is_some() || new.password.is_some() {
            let message = "a credential by certificate has neither a login nor a password";
            return Err(AdminError::Invalid(message.to_owned()));
        }
        let binding = binding.checked()?;
        let (by, caller) = (name_of(caller), caller.clone());
        let (record, last) =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<_, AdminError> {
                still_accepted(turn, &caller)?;
                check_new(turn.registry, &new)?;
                if let Some(known) = current(turn.registry, &binding, turn.now).next() {
                    let message = format!("`{binding}` is {} of {} already", known.id, known.principal);
                    return Err(AdminError::Invalid(message));
                }
                let id = CredentialId::from_bits(u64::from_le_bytes(turn.random_bytes()));
                let record = CredentialRecord::bound(new, id, binding, turn.now)?;
                put_credential(turn, &record, "issued", by)?;
                Ok(record)
            })?;
        self.inner.wait_until(last);
        Ok(record)
    }
}

/// The credentials of a binding that are accepted now.
fn current<'r>(
    registry: &'r Registry,
    binding: &CertificateBinding,
    now: Timestamp,
) -> impl Iterator<Item = &'r CredentialRecord> {
    let ids = registry.certificates.get(binding).map(|ids: &BTreeSet<CredentialId>| ids.iter());
    ids.into_iter()
        .flatten()
        .filter_map(|id| registry.credentials.get(id))
        .filter(move |record| record.is_current(now))
}

fn recognise(
    registry: &Registry,
    presented: &PresentedCertificate,
    now: Timestamp,
) -> Result<Caller, AuthenticationError> {
    // RFC 5280 §4.1.2.5: both ends belong to its days.
    if now < presented.not_before || now > presented.not_after {
        return Err(AuthenticationError::Refused);
    }
    let mut found: Option<&CredentialRecord> = None;
    for binding in CertificateBinding::of(presented) {
        for record in current(registry, &binding, now) {
            if found.is_some_and(|first| first.principal != record.principal) {
                return Err(AuthenticationError::Refused);
            }
            found = found.or(Some(record));
        }
    }
    found.map(CredentialRecord::caller).ok_or(AuthenticationError::Refused)
}

/// Notes a credential among the bindings, if it is one by certificate.
pub(crate) fn note(certificates: &mut Arc<Bindings>, record: &CredentialRecord) {
    if let Verifier::Certificate(binding) = &record.verifier {
        Arc::make_mut(certificates).entry(binding.clone()).or_default().insert(record.id.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_can_be_that_of_a_certificate() {
        let fingerprint = |sha256: &str| CertificateBinding::Fingerprint { sha256: sha256.to_owned() };
        let alternative = |name: &str| CertificateBinding::AlternativeName {
            issuer: "CN=Sector CA".to_owned(),
            alternative_name: name.to_owned(),
        };
        let subject = |subject: &str| CertificateBinding::Subject {
            issuer: "CN=Sector CA".to_owned(),
            subject: subject.to_owned(),
        };
        let cases = [
            (fingerprint(&"ab".repeat(32)), true),
            (fingerprint(&"AB".repeat(32)), false),
            (fingerprint(&"ab".repeat(31)), false),
            (subject("CN=feed"), true),
            (subject(""), false),
            (subject(&"x".repeat(NAME_BYTES_MAX)), true),
            (subject(&"x".repeat(NAME_BYTES_MAX + 1)), false),
            (alternative("dns:feed.example"), true),
            (alternative("feed.example"), false),
        ];
        for (binding, is_sound) in cases {
            assert_eq!(binding.clone().checked().is_ok(), is_sound, "{binding}");
        }
    }

    #[test]
    fn bindings_are_written_by_what_they_name() {
        let texts = [
            r#"{"sha256":"ab"}"#,
            r#"{"issuer":"CN=Sector CA","subject":"CN=feed"}"#,
            r#"{"issuer":"CN=Sector CA","alternative_name":"dns:feed.example"}"#,
        ];
        for text in texts {
            let read: CertificateBinding = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
        for text in [r#"{"issuer":"CN=Sector CA"}"#, r#"{"sha256":"ab","subject":"CN=feed"}"#, "{}"] {
            assert!(serde_json::from_str::<CertificateBinding>(text).is_err(), "{text}");
        }
    }
}
