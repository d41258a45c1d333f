//! How a command reaches a hub: flags, and the environment.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::client::Api;

/// Where the hub is, and with which credential to talk to it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The hub's address, such as `https://hub.example` or `http://127.0.0.1:8470`
    #[arg(long, env = "RINGFENCE_HUB", value_name = "URL")]
    hub: Option<String>,

    /// The Bearer token; in a flag, other users of this machine may see it
    #[arg(long, env = "RINGFENCE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,

    /// A file with the Bearer token, such as the operator.token of a data directory
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Trust the certificates in this PEM file instead of the well-known authorities
    #[arg(long, env = "RINGFENCE_CA", value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Send the token over plain HTTP to another machine
    #[arg(long)]
    insecure_http: bool,
}

impl Connection {
    /// The hub with the credential.
    pub(crate) fn api(&self) -> Result<Api> {
        let Some(token) = self.token()? else {
            bail!(
                "no token was given; set RINGFENCE_TOKEN, or use --token-file with the hub's operator.token"
            );
        };
        Api::new(&self.url()?, Some(token), self.certificates()?.as_deref())
    }

    /// The hub, with the credential if there is one: for what needs none.
    pub(crate) fn open_api(&self) -> Result<Api> {
        Api::new(&self.url()?, self.token()?, self.certificates()?.as_deref())
    }

    /// Whether a hub was named at all.
    pub(crate) fn is_given(&self) -> bool {
        self.hub.is_some()
    }

    /// The same connection to another address, for public resources: the credential stays here.
    pub(crate) fn stranger(&self, url: &str) -> Result<Api> {
        Api::new(url, None, self.certificates()?.as_deref())
    }

    fn url(&self) -> Result<String> {
        let Some(url) = &self.hub else {
            bail!("no hub was named; set RINGFENCE_HUB or use --hub");
        };
        let has_token = self.token.is_some() || self.token_file.is_some();
        if has_token && !self.insecure_http && is_plain_and_far(url) {
            bail!(
                "`{url}` is plain HTTP to another machine, where the token can be read on the way; use https, or \
                   --insecure-http if something else protects the line"
            );
        }
        Ok(url.clone())
    }

    fn token(&self) -> Result<Option<String>> {
        // A file named on the command line is more explicit than the environment.
        if let Some(file) = &self.token_file {
            let text = fs::read_to_string(file)
                .with_context(|| format!("reading the token in `{}`", file.display()))?;
            return Ok(Some(text.trim().to_owned()));
        }
        Ok(self.token.as_ref().map(|token| token.trim().to_owned()))
    }

    pub(crate) fn certificates(&self) -> Result<Option<Vec<u8>>> {
        let Some(file) = &self.ca else { return Ok(None) };
        Ok(Some(fs::read(file).with_context(|| format!("reading the certificates in `{}`", file.display()))?))
    }
}

/// Whether what is sent to this URL can be read on a network.
pub(crate) fn is_plain_and_far(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host != "localhost" && !host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_near_only_on_loopback() {
        let cases = [
            ("http://127.0.0.1:8470", false),
            ("http://[::1]:8470/x", false),
            ("http://localhost", false),
            ("https://hub.example", false),
            ("http://hub.example", true),
            ("http://192.0.2.1:80/", true),
            ("http://localhost.example/", true),
            ("http://127.0.0.1.example/", true),
        ];
        for (url, want) in cases {
            assert_eq!(is_plain_and_far(url), want, "{url}");
        }
    }
}
