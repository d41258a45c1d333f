//! AIS consent: how far a submitter lets its name travel.
//!
//! In Automated Indicator Sharing a submitter's `identity` carries a label that says who may learn
//! that it was the one: everyone, the US government only, or no one. Only a submitter that is named
//! to everyone may call what it submits proprietary.

use thiserror::Error;

/// Who may learn a submitter's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AisConsent {
    /// `ais-consent-everyone`.
    Everyone,
    /// `ais-consent-everyone-cisa-proprietary`: everyone, and the submission is proprietary.
    EveryoneProprietary,
    /// `ais-consent-usg`: the government of the United States.
    Usg,
    /// `ais-consent-none`.
    None,
}

/// Why an identity's labels say nothing definite.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AisConsentError {
    /// A label of consent that does not exist.
    #[error("`{label}` is no label of AIS consent")]
    UnknownLabel {
        /// The label.
        label: String,
    },
    /// `proprietary` with a consent other than everyone.
    #[error("`{label}`: proprietary is only valid with consent to everyone")]
    ProprietaryNeedsEveryone {
        /// The label.
        label: String,
    },
    /// Two labels that disagree.
    #[error("`{first}` and `{second}` contradict each other")]
    Contradiction {
        /// One label.
        first: String,
        /// The other one.
        second: String,
    },
}

/// Reads the consent from an identity's labels; `Ok(None)` if none speaks of it.
///
/// # Errors
///
/// Fails for a label that begins like one of consent and is none, and for labels that disagree.
pub fn ais_consent<'l>(
    labels: impl IntoIterator<Item = &'l str>,
) -> Result<Option<AisConsent>, AisConsentError> {
    let mut found: Option<(&str, AisConsent)> = None;
    for label in labels {
        let Some(word) = label.strip_prefix("ais-consent-") else { continue };
        let consent = match word {
            "everyone" => AisConsent::Everyone,
            "everyone-cisa-proprietary" => AisConsent::EveryoneProprietary,
            "usg" => AisConsent::Usg,
            "none" => AisConsent::None,
            _ if word.ends_with("cisa-proprietary") => {
                return Err(AisConsentError::ProprietaryNeedsEveryone { label: label.to_owned() });
            }
            _ => return Err(AisConsentError::UnknownLabel { label: label.to_owned() }),
        };
        match found {
            Some((first, other)) if other != consent => {
                let (first, second) = (first.to_owned(), label.to_owned());
                return Err(AisConsentError::Contradiction { first, second });
            }
            Some(_) | None => found = Some((label, consent)),
        }
    }
    Ok(found.map(|(_, consent)| consent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_is_read_from_the_labels() {
        let cases: [(&[&str], Option<AisConsent>); 6] = [
            (&[], None),
            (&["other"], None),
            (&["other", "ais-consent-everyone"], Some(AisConsent::Everyone)),
            (&["ais-consent-usg", "ais-consent-usg"], Some(AisConsent::Usg)),
            (&["ais-consent-none"], Some(AisConsent::None)),
            (&["ais-consent-everyone-cisa-proprietary"], Some(AisConsent::EveryoneProprietary)),
        ];
        for (labels, want) in cases {
            assert_eq!(ais_consent(labels.iter().copied()), Ok(want), "{labels:?}");
        }
    }

    #[test]
    fn consent_that_is_not_definite_is_refused() {
        let refused = |labels: &[&str]| ais_consent(labels.iter().copied()).expect_err("not definite");
        assert!(matches!(refused(&["ais-consent-all"]), AisConsentError::UnknownLabel { .. }));
        for label in ["ais-consent-usg-cisa-proprietary", "ais-consent-none-cisa-proprietary"] {
            assert!(matches!(refused(&[label]), AisConsentError::ProprietaryNeedsEveryone { .. }));
        }
        let both = refused(&["ais-consent-usg", "ais-consent-everyone"]);
        assert!(matches!(both, AisConsentError::Contradiction { .. }));
    }
}
