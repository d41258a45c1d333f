//! Where a request comes from.

/// What whoever serves knows of a request's connection. It belongs into the extensions of each request; without it the
/// request counts as one of this machine, unencrypted.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Whom failed attempts to sign in are counted for.
    pub counted_for: String,
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
    /// Turns true when the hub shuts down, so that what would not end by itself ends.
    pub closing: Option<tokio::sync::watch::Receiver<bool>>,
}

impl Default for Peer {
    fn default() -> Self {
        Self { counted_for: "local".to_owned(), is_encrypted: false, closing: None }
    }
}
