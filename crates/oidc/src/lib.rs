//! The relying party's part of OpenID Connect: somebody signs in elsewhere, and we are told who it is.
//!
//! The other place is a *provider*; what we get of it is an *ID token*, a signed statement that this person signed in there,
//! just now, in order to be let in here. The way goes through the person's browser, and the statement itself does not:
//!
//! ```text
//! browser ──> us            Sign in, please.
//! browser <── us            Ask the provider (the URL has our name, `state`, `nonce`, and the hash of a secret)
//! browser ──> provider      ... password, second factor, consent: the provider's business ...
//! browser <── provider      Go back, with this `code` and the same `state`
//! browser ──> us            `code`, `state`: is it this browser's state?
//!             us ──> provider    This `code`, and the secret whose hash you saw (PKCE)
//!             us <── provider    The ID token: {"iss", "sub", "aud", "exp", "nonce", ...}, signed
//! ```
//!
//! `state` binds the way back to the browser that began, `nonce` binds the token to that beginning, and the secret makes a stolen
//! code worth nothing. [`Client`] does what stands between us and the provider; keeping `state`, `nonce` and the secret for
//! one browser is its caller's.
//!
//! # What is checked
//!
//! The provider's description of itself ([`Metadata`]) names the very issuer that was configured, and addresses at that
//! issuer's own origin only. The token ([`verify`]) is signed with RS256 or ES256, by a key of the provider's set and of no other
//! kind; it was made by this issuer, for us and nobody else, in answer to this nonce, and holds now.
//!
//! # What it is not
//!
//! No provider, no access tokens, no `UserInfo`, no encryption of tokens, no registration, no implicit or hybrid flow. It
//! knows no session and no roles. Time, chance and the network are handed in; [`HttpFetch`] is a network.

#![warn(missing_docs)]

mod challenge;
mod client;
mod error;
mod fetch;
mod issuer;
mod keys;
mod metadata;
mod token;

pub use challenge::Challenge;
pub use client::{Client, Settings};
pub use error::{Error, TokenFault};
pub use fetch::{Answer, Fetch, HttpFetch};
pub use issuer::{Issuer, is_plain_loopback};
pub use keys::KeySet;
pub use metadata::Metadata;
pub use token::{Claims, Expected, verify};
