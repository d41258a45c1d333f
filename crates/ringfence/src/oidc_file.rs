//! The file that says by which provider people sign in.
//!
//! ```toml
//! issuer = "https://login.example/realms/csirt"
//! client_id = "ringfence"
//! client_secret = "..."              # the file is the owner's alone (0600) if it has one
//! title = "Example CSIRT"            # what the button says
//! scopes = ["profile", "groups"]     # asked for beside `openid`; this is the default without "groups"
//! groups_claim = "groups"            # the default
//! person_claim = "name"              # the default
//!
//! [roles]
//! operator = ["ringfence-operators"]
//! officer = ["ringfence-officers", "duty-officers"]
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use console::{Provider, ProviderSettings};
use model::Role;
use oidc::{Client, HttpFetch, Issuer, Settings, is_plain_loopback};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OidcFile {
    issuer: String,
    client_id: String,
    client_secret: Option<String>,
    title: String,
    #[serde(default = "usual_scopes")]
    scopes: Vec<String>,
    #[serde(default = "usual_groups")]
    groups_claim: String,
    #[serde(default = "usual_person")]
    person_claim: String,
    roles: BTreeMap<Role, Vec<String>>,
}

fn usual_scopes() -> Vec<String> {
    vec!["profile".to_owned()]
}

fn usual_groups() -> String {
    "groups".to_owned()
}

fn usual_person() -> String {
    "name".to_owned()
}

/// Reads the file. `public_url` is where browsers reach the hub.
pub(crate) fn read(path: &Path, public_url: Option<&str>) -> Result<Provider> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("reading `{shown}`"))?;
    let file: OidcFile = toml::from_str(&text).with_context(|| format!("`{shown}` is no such file"))?;
    let mode = fs::metadata(path).with_context(|| format!("looking at `{shown}`"))?.permissions().mode();
    if file.client_secret.is_some() && mode & 0o077 != 0 {
        bail!("`{shown}` has a secret in it and others on this machine may read it; chmod 600 closes it");
    }
    let public_url = public_url.context(
        "--oidc needs --public-url, as the provider sends browsers back there and the hub believes no request's word for it",
    )?;
    if !public_url.starts_with("https://") && !is_plain_loopback(public_url) {
        bail!("people sign in by a provider over https, or on this machine; --public-url is `{public_url}`");
    }
    provider(file, public_url).with_context(|| format!("in `{shown}`"))
}

fn provider(file: OidcFile, public_url: &str) -> Result<Provider> {
    let public_url = public_url.trim_end_matches('/').to_owned();
    let mut roles = BTreeMap::new();
    for (role, groups) in file.roles {
        for group in groups {
            if let Some(other) = roles.insert(group.clone(), role) {
                bail!("the group `{group}` gives two roles, {other} and {role}");
            }
        }
    }
    if roles.is_empty() {
        bail!("no group gives a role, so nobody could sign in");
    }
    let settings = Settings {
        issuer: Issuer::parse(&file.issuer)?,
        client_id: file.client_id,
        client_secret: file.client_secret,
        redirect_uri: format!("{public_url}{}", Provider::BACK),
        scopes: file.scopes,
    };
    let client = Client::new(settings, Box::new(HttpFetch::default()));
    let settings = ProviderSettings {
        title: file.title,
        groups_claim: file.groups_claim,
        person_claim: file.person_claim,
        roles,
        public_url,
    };
    Ok(Provider::new(client, settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "issuer = \"https://login.example\"\nclient_id = \"hub\"\ntitle = \"Us\"\n";
    const ROLES: &str = "[roles]\nofficer = [\"a\", \"b\"]\noverseer = [\"c\"]\n";

    fn said(text: &str, mode: u32, public_url: Option<&str>) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("oidc.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        read(&path, public_url).map_or_else(|error| format!("{error:#}"), |_| "read".to_owned())
    }

    #[test]
    fn a_file_says_by_whom_people_sign_in_or_what_is_wrong_with_it() {
        let hub = Some("https://hub.example/");
        let secret = "client_secret = \"x\"\n";
        let cases = [
            (format!("{FILE}{ROLES}"), 0o644, hub, "read"),
            (format!("{FILE}{secret}{ROLES}"), 0o600, hub, "read"),
            (format!("{FILE}{secret}{ROLES}"), 0o640, hub, "chmod 600"),
            (format!("{FILE}{ROLES}"), 0o644, None, "needs --public-url"),
            (format!("{FILE}{ROLES}"), 0o644, Some("http://hub.example"), "over https"),
            (format!("{FILE}{ROLES}"), 0o644, Some("http://127.0.0.1:8470"), "read"),
            (format!("{FILE}[roles]\n"), 0o644, hub, "nobody could sign in"),
            (format!("{FILE}[roles]\nofficer = [\"a\"]\noverseer = [\"a\"]\n"), 0o644, hub, "two roles"),
            (format!("{FILE}[roles]\ndirector = [\"a\"]\n"), 0o644, hub, "director"),
            (format!("{FILE}colour = 1\n{ROLES}"), 0o644, hub, "colour"),
            (format!("{FILE}{ROLES}").replace("https://login", "http://login"), 0o644, hub, "only `https`"),
        ];
        for (text, mode, public_url, want) in cases {
            let found = said(&text, mode, public_url);
            assert!(found.contains(want), "{found}\n{text}");
        }
    }
}
