//! `ringfence doctor`: everything that somebody who is asked for help would ask about, looked at in one go.
//!
//! It changes nothing, and a hub or guard may be running meanwhile. Each thing that was looked at is one [`Finding`]: it is
//! well, it needs attention (and works today), or it is at fault. Whatever is not well says what to do. Nothing is asked over the
//! network unless `--network` says so, and no secret is shown: the report can be sent to others as it is.

mod certificate;
mod guard;
mod hub;
mod machine;

use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use model::{Clock as _, SystemClock};
use serde::Serialize;

use crate::output::{Exit, Output, add};

/// How long something on the network may take to answer.
const REACH: Duration = Duration::from_secs(5);

/// Look over a data directory or a guard: what is well, what is not, what to do.
///
/// It reads only, and works beside a running hub or guard. Exit codes: 0 all is well, 1 something needs attention, 2
/// something is at fault.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// A hub's data directory
    #[arg(long, value_name = "DIR", required_unless_present = "guard")]
    data: Option<PathBuf>,
    /// The folder of the hub's programme
    #[arg(long, value_name = "DIR", requires = "data")]
    programme: Option<PathBuf>,
    /// The certificate chain that the hub shows, in PEM
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// A guard's configuration
    #[arg(long, value_name = "CONFIG", conflicts_with = "data")]
    guard: Option<PathBuf>,
    /// Ask over the network, too: whether webhooks, or the guard's hub and status page, can be reached
    #[arg(long)]
    network: bool,
    /// Something else that has to be reachable, such as a server to pull from; may be given several times
    #[arg(long, value_name = "URL", requires = "network")]
    reach: Vec<String>,
}

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Attention,
    Fault,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    /// What was looked at, in a word or two that do not change.
    subject: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

/// What was found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, subject: &'static str, message: impl Into<String>) {
        self.0.push(Finding { level: Level::Ok, subject, message: message.into(), remedy: None });
    }

    fn attention(&mut self, subject: &'static str, message: impl Into<String>, remedy: impl Into<String>) {
        self.bad(Level::Attention, subject, message, remedy);
    }

    fn fault(&mut self, subject: &'static str, message: impl Into<String>, remedy: impl Into<String>) {
        self.bad(Level::Fault, subject, message, remedy);
    }

    fn bad(
        &mut self,
        level: Level,
        subject: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.0.push(Finding { level, subject, message: message.into(), remedy: Some(remedy.into()) });
    }

    fn worst(&self) -> Level {
        self.0.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
    }
}

impl Doctor {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let now = SystemClock::default().now();
        let mut found = Findings::default();
        found.ok("version", format!("ringfence {} on {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH));
        let mut reach = self.reach;
        if let Some(dir) = &self.data {
            hub::look(dir, self.programme.as_deref(), now, &mut reach, &mut found);
        }
        if let Some(config) = &self.guard {
            guard::look(config, now, &mut reach, &mut found);
        }
        if let Some(file) = &self.tls_cert {
            certificate::look(file, now, &mut found);
        }
        if self.network {
            for url in &reach {
                look_at_network(url, &mut found);
            }
        }
        let worst = found.worst();
        output.result(&serde_json::json!({"worst": worst, "findings": found.0}), || describe(&found.0))?;
        Ok(match worst {
            Level::Ok => Exit::Done,
            Level::Attention => Exit::Attention,
            Level::Fault => Exit::Fault,
        })
    }
}

fn describe(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let word = match finding.level {
            Level::Ok => "ok",
            Level::Attention => "attention",
            Level::Fault => "FAULT",
        };
        add!(text, "{word:<9}  {:<12}  {}", finding.subject, finding.message);
        if let Some(remedy) = &finding.remedy {
            add!(text, "; {remedy}");
        }
        text.push('\n');
    }
    text
}

/// Whether somebody accepts connections where `url` points.
fn look_at_network(url: &str, found: &mut Findings) {
    const SUBJECT: &str = "network";
    let remedy = "look at names, routes and firewalls between here and there";
    let Some(place) = host_and_port(url) else {
        found.fault(SUBJECT, format!("`{url}` is no http or https address"), "write it as https://host/");
        return;
    };
    let addresses = match place.to_socket_addrs() {
        Ok(addresses) => addresses.collect::<Vec<_>>(),
        Err(error) => return found.fault(SUBJECT, format!("{place} has no address: {error}"), remedy),
    };
    // One address that answers is enough, as it is for whoever connects.
    match addresses.iter().map(|address| TcpStream::connect_timeout(address, REACH)).find(Result::is_ok) {
        Some(_) => found.ok(SUBJECT, format!("{place} accepts connections")),
        None => found.fault(SUBJECT, format!("{place} does not accept connections"), remedy),
    }
}

/// `host:port` of a URL, with the scheme's port where it names none.
fn host_and_port(url: &str) -> Option<String> {
    let (rest, port) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (rest, 443),
        (None, Some(rest)) => (rest, 80),
        (None, None) => return None,
    };
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let has_port = host.rsplit_once(':').is_some_and(|(before, port)| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && (!before.contains(':') || before.ends_with(']'))
    });
    Some(if has_port { host.to_owned() } else { format!("{host}:{port}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_url_is_host_and_port() {
        let table = [
            ("https://hub.example/taxii2/", Some("hub.example:443")),
            ("http://127.0.0.1:8470", Some("127.0.0.1:8470")),
            ("http://hub.example?x", Some("hub.example:80")),
            ("https://[::1]:8/x", Some("[::1]:8")),
            ("https://[::1]/x", Some("[::1]:443")),
            ("https://user@hub.example:9/", Some("hub.example:9")),
            ("https:///x", None),
            ("ftp://hub.example", None),
            ("", None),
        ];
        for (url, want) in table {
            assert_eq!(host_and_port(url).as_deref(), want, "{url}");
        }
    }

    #[test]
    fn the_worst_finding_decides() {
        let mut found = Findings::default();
        assert_eq!(found.worst(), Level::Ok);
        found.attention("disk", "little is free", "free some");
        found.ok("keys", "fine");
        assert_eq!(found.worst(), Level::Attention);
        found.fault("store", "damaged", "restore a backup");
        assert_eq!(found.worst(), Level::Fault);
        let text = describe(&found.0);
        assert!(text.contains("FAULT      store         damaged; restore a backup\n"), "{text}");
    }
}
