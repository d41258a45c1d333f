//! Why somebody is not signed in.

use thiserror::Error;

/// Why a provider cannot be used, or did not vouch for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Something that is configured, or that the provider says of itself, is no address that may be asked.
    #[error("`{url}` is not used: {reason}")]
    Address {
        /// What was named.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The provider did not answer, or not in time.
    #[error("`{url}` does not answer: {cause}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What went wrong.
        cause: String,
    },
    /// The provider answered something else than the standard says.
    #[error("`{url}` answers what cannot be used: {reason}")]
    Document {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The provider does not exchange the code for a token.
    #[error("the provider refuses the code: `{code}`")]
    CodeRefused {
        /// The standard's word for why (RFC 6749 §5.2).
        code: String,
    },
    /// The token is not one to believe.
    #[error("the ID token is refused: {0}")]
    Token(#[from] TokenFault),
}

impl Error {
    /// Whether it lies at the provider or at its configuration, and not at the sign-in.
    #[must_use]
    pub fn is_of_the_provider(&self) -> bool {
        match self {
            Self::Address { .. } | Self::Unreachable { .. } | Self::Document { .. } => true,
            Self::CodeRefused { .. } | Self::Token(_) => false,
        }
    }
}

/// What is wrong with an ID token (OpenID Connect Core 1.0 §3.1.3.7).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenFault {
    /// Not three parts of Base64url, or no JSON in them, or longer than any token.
    #[error("it is no signed token")]
    Malformed,
    /// `none`, one with a shared secret, or another one that is not accepted.
    #[error("it is signed with `{0}`, and only RS256 and ES256 are accepted")]
    Algorithm(String),
    /// The header demands that something is understood which is not (RFC 7515 §4.1.11).
    #[error("its header has critical extensions")]
    Critical,
    /// None of the provider's keys is the one that it names, or none is of its kind.
    #[error("none of the provider's keys is the one that it names")]
    UnknownKey,
    /// The signature is wrong.
    #[error("its signature is not the provider's")]
    Signature,
    /// A claim is missing or of another type.
    #[error("its claim `{0}` is missing or no such claim")]
    Claim(&'static str),
    /// It was made by somebody else.
    #[error("it was issued by `{0}`")]
    Issuer(String),
    /// It was made for somebody else, or for others too.
    #[error("it was issued for others")]
    Audience,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is from the future")]
    Early,
    /// It was made in answer to another beginning.
    #[error("it belongs to another sign-in")]
    Nonce,
}
