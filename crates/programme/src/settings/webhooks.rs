//! `[[webhook]]`: where alerts are sent as they come.
//!
//! The programme says where to and which; the secret that signs them is the hub's, in its data directory, because the
//! folder of a programme is there to be read and kept under version control.

use std::collections::BTreeSet;
use std::net::IpAddr;

use http::Uri;
use serde::Deserialize;
use toml::Spanned;

use super::Sense;

/// The kinds of alerts there are.
pub const ALERT_KINDS: [&str; 8] =
    ["appeal", "attestation", "decision", "duty", "match", "merge", "party-of-concern", "proposal"];

/// How many webhooks a programme has at most; each has a thread of the hub.
const WEBHOOKS_MAX: usize = 16;
/// The longest name: it becomes the name of a file.
const NAME_LENGTH_MAX: usize = 64;
/// The longest address, as most servers take them.
const URL_LENGTH_MAX: usize = 2_000;

/// Where alerts are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Its name: a-z, 0-9 and -. The hub keeps its place and its secret under this name.
    pub name: String,
    /// Where to: `https`, or `http` on this machine.
    pub url: String,
    /// Which kinds of alerts, of [`ALERT_KINDS`]; every kind if it is empty.
    pub kinds: BTreeSet<String>,
}

impl WebhookSettings {
    /// Whether alerts of this kind are sent.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.contains(kind)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWebhook {
    name: Spanned<String>,
    url: Spanned<String>,
    #[serde(default)]
    kinds: Vec<Spanned<String>>,
}

impl Sense<'_> {
    pub(super) fn webhooks(&mut self, raw: Vec<RawWebhook>) -> Vec<WebhookSettings> {
        let mut webhooks: Vec<WebhookSettings> = Vec::new();
        for hook in raw {
            let name = hook.name.get_ref();
            let is_plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if !(1..=NAME_LENGTH_MAX).contains(&name.len()) || !is_plain {
                let message = format!("`{name}` is no name of a webhook");
                self.wrong(&hook.name, message, "use 1 to 64 of a-z, 0-9 and -");
            } else if webhooks.iter().any(|known| known.name == *name) {
                self.wrong(&hook.name, format!("there are two webhooks `{name}`"), "rename one of them");
            } else if webhooks.len() == WEBHOOKS_MAX {
                let message = format!("`{name}` is one webhook too many");
                self.wrong(&hook.name, message, "have at most 16");
            }
            // The address itself is not shown: what stands in it may be a secret of the receiver's.
            if let Err(reason) = check_url(hook.url.get_ref()) {
                let message = format!("the address of the webhook `{name}` {reason}");
                self.wrong(&hook.url, message, "write https://HOST/PATH, or http://127.0.0.1:PORT/PATH");
            }
            let kinds = self.kinds(hook.kinds);
            webhooks.push(WebhookSettings {
                name: hook.name.into_inner(),
                url: hook.url.into_inner(),
                kinds,
            });
        }
        webhooks
    }

    fn kinds(&mut self, words: Vec<Spanned<String>>) -> BTreeSet<String> {
        for word in words.iter().filter(|word| !ALERT_KINDS.contains(&word.get_ref().as_str())) {
            let message = format!("`{}` is no kind of alert", word.get_ref());
            self.wrong(word, message, &format!("use {}, or leave `kinds` out", ALERT_KINDS.join(", ")));
        }
        words.into_iter().map(Spanned::into_inner).collect()
    }
}

fn check_url(url: &str) -> Result<(), &'static str> {
    if url.len() > URL_LENGTH_MAX {
        return Err("is longer than 2,000 bytes");
    }
    // A fragment is never sent, so whoever writes one means something else.
    if url.contains('#') {
        return Err("has a fragment");
    }
    let parsed: Uri = url.parse().map_err(|_| "is no address")?;
    let (Some(scheme), Some(authority)) = (parsed.scheme_str(), parsed.authority()) else {
        return Err("is no whole address");
    };
    if authority.as_str().contains('@') {
        return Err("has a user name or password in it");
    }
    match scheme {
        "https" => Ok(()),
        "http" if is_this_machine(authority.host()) => Ok(()),
        "http" => Err("is http, to another machine"),
        _ => Err("is neither https nor http"),
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_leave_this_machine_encrypted_or_not_at_all() {
        let cases = [
            ("https://soc.example/hooks/ringfence?a=b", true),
            ("https://soc.example:8443/", true),
            ("http://127.0.0.1:9000/hook", true),
            ("http://127.8.9.1/hook", true),
            ("http://[::1]:9000/hook", true),
            ("http://localhost:9000/hook", true),
            ("http://soc.example/hook", false),
            ("http://127.0.0.1.example/hook", false),
            ("http://localhost.example/hook", false),
            ("http://0.0.0.0:9000/", false),
            ("https://user:secret@soc.example/", false),
            ("http://127.0.0.1@soc.example/", false),
            ("https://soc.example/#part", false),
            ("ftp://127.0.0.1/", false),
            ("/hook", false),
            ("soc.example", false),
            ("", false),
        ];
        for (url, want) in cases {
            assert_eq!(check_url(url).is_ok(), want, "{url}: {:?}", check_url(url));
        }
    }

    #[test]
    fn a_webhook_without_kinds_wants_all_of_them() {
        let hook = |kinds: &[&str]| WebhookSettings {
            name: "a".to_owned(),
            url: "https://a.example/".to_owned(),
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        };
        for kind in ALERT_KINDS {
            assert!(hook(&[]).wants(kind));
            assert_eq!(hook(&["duty"]).wants(kind), kind == "duty");
        }
    }
}
