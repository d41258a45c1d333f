//! The exchange over HTTP: TAXII 2.1, the administration API, and the files of the ledger.
//!
//! This crate is a face. It decides nothing: a handler parses what was asked, puts one question to
//! [`Exchange`](exchange::Exchange), and renders the answer. Who may know, read or change what is the exchange's
//! business; that a hidden thing and an absent one look the same on the wire is ours.
//!
//! # One pipeline
//!
//! Every request, to whatever path, goes through the same steps ([`pipeline`]):
//!
//! ```text
//! request id -> who asks (401, 429) -> can it be answered in that media type (406) -> the handler -> dressing
//! ```
//!
//! A handler that refuses returns a [`Refusal`](refusal::Refusal), which has no body yet. The pipeline writes the body at the
//! end, in the form of the face that was asked: a TAXII error resource, or the API's plain error. So an error looks
//! the same wherever it comes from, carries the id under which the log knows it, is logged once, and never
//! tells more than its author meant to tell.
//!
//! # What may block
//!
//! The exchange blocks: on its store, on its writer, on slow password hashes. Such work runs on blocking threads, each
//! kind within a limit of its own ([`hub`]). What is answered from memory (discovery, the API root, collections, a
//! caller that was recognised a moment ago) is answered in place.
//!
//! # What it is not
//!
//! It is no console, terminates no other protocol, and names no store: the binary hands it an exchange, a place to
//! listen and the things that need a disk.

mod answer;
mod api;
mod body;
mod budget;
mod certificate;
mod encoding;
mod endpoints;
mod hub;
mod ledger_files;
mod metrics;
mod operations;
mod options;
mod peer;
mod pipeline;
mod quota;
mod refusal;
mod router;
mod serve;
mod taxii21;
mod tls;
mod watch;
mod webhooks;

pub use certificate::{CertificateError, certificate_in_pem};
pub use endpoints::RESERVED;
pub use options::{BackupError, BackupReport, Backups, HubOptions, MetricsAccess};
pub use peer::{Connection, counted_for};
pub use router::{Nowhere, ReservedName, router};
pub use serve::{ServeOptions, serve};
pub use tls::{ClientCertificate, Reloaded, Tls, TlsError, TlsFiles};
pub use webhooks::{BadKey, WebhookKeys, Webhooks};
