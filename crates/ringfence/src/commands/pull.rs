//! `ringfence pull`: what another TAXII 2.1 server has, brought into a collection of ours.
//!
//! A page is published first and remembered afterwards: the state file is replaced, whole, once the hub has acknowledged
//! every object of the page. Whenever the process dies, the next run begins at the page after the last one that is
//! remembered; what it sends twice is already there.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use taxii::{Credentials, Secret};
use taxii_client::{Client, PullState, Query};

use crate::connection::{Connection, is_plain_and_far};
use crate::data_dir::write_whole;
use crate::output::{Exit, Output, add, grouped};
use crate::upload::{Refusals, Terms, Uploader};

/// Bring in what another TAXII 2.1 server has, and go on later where it stopped.
#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// The other server's discovery URL or address
    #[arg(long, value_name = "URL")]
    from: String,
    /// One of its collections, by id; all that can be read if left out
    #[arg(long = "collection", value_name = "ID")]
    collections: Vec<String>,
    /// One of its API roots, as its discovery names it; the default one if left out
    #[arg(long, value_name = "URL")]
    api_root: Option<String>,
    /// Our collection, by id or alias
    #[arg(long, value_name = "COLLECTION")]
    to: String,
    /// Remember here how far we came, and go on from there
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Only what the other server added after this time
    #[arg(long, value_name = "TIME")]
    added_after: Option<String>,
    /// Convert STIX 2.0 objects instead of having them refused
    #[arg(long = "convert-2.0")]
    convert_2_0: bool,
    /// How many objects to ask for at once
    #[arg(long, default_value = "1000", value_name = "OBJECTS")]
    page: std::num::NonZeroU32,
    /// The user name at the other server
    #[arg(long, env = "RINGFENCE_FROM_USER", value_name = "USER", requires = "from_password_file")]
    from_user: Option<String>,
    /// A file with the password at the other server
    #[arg(long, env = "RINGFENCE_FROM_PASSWORD_FILE", value_name = "FILE", requires = "from_user")]
    from_password_file: Option<PathBuf>,
    /// A file with the Bearer token for the other server
    #[arg(long, env = "RINGFENCE_FROM_TOKEN_FILE", value_name = "FILE", conflicts_with = "from_user")]
    from_token_file: Option<PathBuf>,
    /// Trust the certificates in this PEM file at the other server
    #[arg(long, value_name = "FILE")]
    from_ca: Option<PathBuf>,
    /// Send credentials to the other server over plain HTTP
    #[arg(long)]
    from_insecure_http: bool,
    #[command(flatten)]
    connection: Connection,
}

/// The state file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    from: String,
    to: String,
    collections: BTreeMap<String, PullState>,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    collections: Vec<Pulled>,
}

#[derive(Debug, Serialize)]
struct Pulled {
    id: String,
    title: String,
    pages: u64,
    received: u64,
    accepted: u64,
    refused: u64,
    reasons: BTreeMap<String, Refusals>,
}

impl Pull {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let api = self.connection.api()?;
        let client = Client::new(&self.from, &self.options()?)?;
        let root = match &self.api_root {
            Some(reference) => client.api_root(reference)?,
            None => client
                .default_root()
                .with_context(|| format!("looking for the collections of `{}`", self.from))?,
        };
        let mut state = self.load()?;
        let mut report = Report::default();
        for offered in self.wanted(root.collections()?)? {
            let collection = root.collection(&offered.id)?;
            let mut pulled = Pulled {
                id: offered.id.clone(),
                title: offered.title,
                pages: 0,
                received: 0,
                accepted: 0,
                refused: 0,
                reasons: BTreeMap::new(),
            };
            let begin = self.added_after.as_ref().map_or_else(PullState::default, PullState::after);
            let mut at = state.collections.get(&offered.id).cloned().unwrap_or(begin);
            let mut uploader = Uploader::new(&api, &self.to, &Terms::default(), 1_000);
            let query = Query::default().with_limit(self.page);
            let mut forgot_next = false;
            let mut pages = collection.objects(&query, at.clone());
            loop {
                let page = match pages.next() {
                    None => break,
                    Some(Ok(page)) => page,
                    // A `next` that was kept for long may mean nothing to the server any more: its dates do.
                    Some(Err(error))
                        if at.next.is_some() && pulled.pages == 0 && is_refusal(&error) && !forgot_next =>
                    {
                        forgot_next = true;
                        at = at.without_next();
                        pages = collection.objects(&query, at.clone());
                        continue;
                    }
                    Some(Err(error)) => return Err(error).with_context(|| self.progress_of(&pulled)),
                };
                for object in page.items() {
                    pulled.received += 1;
                    uploader.push(self.converted(object), offered.id.as_str())?;
                }
                uploader.flush().with_context(|| self.progress_of(&pulled))?;
                pulled.pages += 1;
                at = page.state().clone();
                state.collections.insert(offered.id.clone(), at.clone());
                self.save(&state)?;
                if page.is_last() {
                    break;
                }
            }
            (pulled.accepted, pulled.refused) = (uploader.sent.accepted, uploader.sent.refused);
            pulled.reasons = uploader.sent.reasons;
            report.collections.push(pulled);
        }
        output.result(&report, || describe(&report, &self.to))?;
        let is_whole = report.collections.iter().all(|pulled| pulled.refused == 0);
        Ok(if is_whole { Exit::Done } else { Exit::InPart })
    }

    fn options(&self) -> Result<taxii_client::Options> {
        let read = |file: &Path| -> Result<Secret> {
            let text = fs::read_to_string(file).with_context(|| format!("reading `{}`", file.display()))?;
            Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
        };
        let credentials = match (&self.from_user, &self.from_password_file, &self.from_token_file) {
            (Some(user), Some(file), _) => {
                Some(Credentials::Basic { user: user.clone(), password: read(file)? })
            }
            (_, _, Some(file)) => Some(Credentials::Bearer { token: read(file)? }),
            _ => None,
        };
        if credentials.is_some() && is_plain_and_far(&self.from) && !self.from_insecure_http {
            bail!(
                "`{}` is plain HTTP to another machine, where the credentials can be read on the way; use https, or \
                   --from-insecure-http",
                self.from
            );
        }
        let trusted_certificates_pem = match &self.from_ca {
            Some(file) => Some(fs::read(file).with_context(|| format!("reading `{}`", file.display()))?),
            None => None,
        };
        Ok(taxii_client::Options {
            credentials,
            trusted_certificates_pem,
            ..taxii_client::Options::default()
        })
    }

    fn wanted(&self, offered: Vec<taxii::Collection>) -> Result<Vec<taxii::Collection>> {
        if self.collections.is_empty() {
            return Ok(offered.into_iter().filter(|collection| collection.can_read).collect());
        }
        let find = |id: &String| {
            let is_it = |one: &&taxii::Collection| one.id == *id || one.alias.as_deref() == Some(id);
            let found = offered.iter().find(is_it).cloned();
            found.with_context(|| {
                format!("`{}` has no collection `{id}`, or does not show it to us", self.from)
            })
        };
        self.collections.iter().map(find).collect()
    }

    fn converted(&self, object: &[u8]) -> Vec<u8> {
        // What cannot be converted goes as it is, and the hub says why not.
        let is_2_0 =
            self.convert_2_0 && stix::Head::parse(object).is_ok_and(|head| head.spec_version.is_none());
        if is_2_0 { stix::convert_2_0(object).unwrap_or_else(|_| object.to_vec()) } else { object.to_vec() }
    }

    fn load(&self) -> Result<State> {
        let fresh = State { from: self.from.clone(), to: self.to.clone(), ..State::default() };
        let Some(file) = &self.state else { return Ok(fresh) };
        let shown = file.display();
        let bytes = match fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(fresh),
            Err(error) => return Err(error).with_context(|| format!("reading `{shown}`")),
        };
        let state: State =
            serde_json::from_slice(&bytes).with_context(|| format!("`{shown}` is no state of a pull"))?;
        if (&state.from, &state.to) != (&self.from, &self.to) {
            bail!(
                "`{shown}` belongs to a pull from `{}` to `{}`; give each pull a file of its own",
                state.from,
                state.to
            );
        }
        Ok(state)
    }

    fn save(&self, state: &State) -> Result<()> {
        let Some(file) = &self.state else { return Ok(()) };
        let bytes = serde_json::to_vec_pretty(state)?;
        write_whole(file, &bytes, 0o600).with_context(|| format!("writing `{}`", file.display()))
    }

    fn progress_of(&self, pulled: &Pulled) -> String {
        let kept = if self.state.is_some() { "; the next run goes on from there" } else { "" };
        format!("pulling `{}`, after {} objects in {} pages{kept}", pulled.id, pulled.received, pulled.pages)
    }
}

fn is_refusal(error: &taxii_client::Error) -> bool {
    matches!(error, taxii_client::Error::Refused { status: 400..=499, .. })
}

fn describe(report: &Report, to: &str) -> String {
    let mut text = String::new();
    for pulled in &report.collections {
        add!(
            text,
            "{} ({}): {} objects in {} pages, {} in `{to}` now, {} refused\n",
            pulled.title,
            pulled.id,
            grouped(pulled.received),
            grouped(pulled.pages),
            grouped(pulled.accepted),
            grouped(pulled.refused)
        );
        for (reason, refusals) in &pulled.reasons {
            add!(text, "{:>9}  {reason}\n", grouped(refusals.count));
        }
    }
    if text.is_empty() {
        text.push_str("There is no collection there that we may read.\n");
    }
    text
}
