//! `ringfence demo`: the whole story on this machine.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use exchange::{Attempt, NewCredential};
use model::{Action, Caller, Clock, MovedClock, Principal, Role};
use programme::Programme;
use serde_json::json;

use crate::client::Api;
use crate::commands::token::Issued;
use crate::data_dir::DataDir;
use crate::demo::{Cast, Setting, Telling, tell};
use crate::output::{Exit, Output, add, count};
use crate::serving::{self, Background, Hosting};

/// The day on which the story begins.
const BEGINNING: &str = "2007-12-31T09:00:00Z";

/// Show the whole story on this machine: publish, poll, suspend, reinstate, verify.
///
/// It starts a real hub, checks each claim, and ends with an error if one does not hold. Without --once the hub stays
/// up afterwards.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Where the hub listens; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    listen: SocketAddr,
    /// Keep the hub's data in this new directory instead of a temporary one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// End when the story is told
    #[arg(long)]
    once: bool,
    /// How many generated indicators to publish and poll
    #[arg(long, default_value_t = 20_000, value_name = "OBJECTS", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    volume: u32,
}

impl Demo {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        if !self.listen.ip().is_loopback() {
            bail!("the demo speaks plain HTTP and listens only on loopback, not on {}", self.listen);
        }
        let begun = Instant::now();
        let scratch = tempfile::tempdir().context("making a temporary directory")?;
        let dir = self.data.clone().unwrap_or_else(|| scratch.path().join("data"));
        if fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some()) {
            bail!("`{}` is not empty; the story begins with an empty hub", dir.display());
        }
        let data = DataDir::new(&dir);
        let mut telling = Telling::new(output);
        let (hub, setting) = start(&data, self.listen, scratch.path().to_owned(), self.volume)?;
        introduce(&mut telling, &hub, &data, begun)?;
        let cast = tell(&setting, &mut telling)?;
        let took = begun.elapsed();
        telling.remark(&json!({"done": true, "seconds": took.as_secs_f64()}), || {
            format!("All of it held, in {:.1} s.\n", took.as_secs_f64())
        })?;
        if !self.once {
            go_on(&telling, &hub, &data, &cast)?;
            serving::wait_for_signal()?;
        }
        hub.stop()?;
        Ok(Exit::Done)
    }
}

fn start(data: &DataDir, listen: SocketAddr, scratch: PathBuf, volume: u32) -> Result<(Background, Setting)> {
    let programme = Arc::new(programme_of_the_story()?);
    let identity = programme.settings().identity.id.clone();
    let clock = Arc::new(MovedClock::default());
    clock.set(BEGINNING.parse().context("the day on which the story begins")?);
    let hosting = Hosting::open(
        &programme,
        None,
        data,
        Some("demo.ringfence.invalid/jcsp"),
        Arc::clone(&clock) as Arc<dyn Clock>,
    )?;
    let vkey = hosting.exchange().ledger_head().vkey;
    let token = fs::read_to_string(data.token_path()).context("reading the operator's token")?;
    let tending = Arc::clone(hosting.tending());
    let hub = Background::start(hosting, listen)?;
    let url = hub.url().to_owned();
    let api = Api::new(&url, Some(token.trim().to_owned()), None)?;
    let officers = [officer(&api, &url, OFFICERS[0])?, officer(&api, &url, OFFICERS[1])?];
    Ok((hub, Setting { url, api, officers, clock, tending, programme, vkey, identity, scratch, volume }))
}

/// The template. The story spans twelve years and is not about questionnaires, so these are due every twenty.
fn programme_of_the_story() -> Result<Programme> {
    let mut files = programme::template();
    let text = files.remove("programme.toml").context("the template has its settings")?;
    let text = String::from_utf8(text)?.replace("attestation_days = 365", "attestation_days = 7300");
    files.insert("programme.toml".to_owned(), text.into_bytes());
    Ok(Programme::from_files(&files)?)
}

/// What counts takes both.
const OFFICERS: [&str; 2] = ["A. Ash", "B. Birch"];

/// One of two officers.
fn officer(api: &Api, url: &str, person: &str) -> Result<Api> {
    let issued: Issued = api.post("/api/credentials", &json!({"role": "officer", "person": person}))?;
    let token = issued.token.context("an officer's credential has a token")?;
    Api::new(url, Some(token), None)
}

fn introduce(telling: &mut Telling, hub: &Background, data: &DataDir, begun: Instant) -> Result<()> {
    let took = begun.elapsed();
    let exchange = hub.exchange();
    let programme = exchange.programme();
    let settings = programme.settings();
    telling.step(
        "A hub starts",
        &[
            format!("`{}`: {} at {}", settings.name, settings.title, hub.url()),
            format!(
                "{} on three tiers, {} on who may have what, an empty ledger; data in `{}`",
                count(settings.collections.len() as u128, "collection", "collections"),
                count(programme.policies().rules().len() as u128, "rule", "rules"),
                data.path().display()
            ),
        ],
        &json!({"url": hub.url(), "programme": settings.name, "ms": took.as_secs_f64() * 1e3}),
    )
}

fn go_on(telling: &Telling, hub: &Background, data: &DataDir, cast: &Cast) -> Result<()> {
    let url = hub.url();
    let token = data.token_path();
    let programme = hub.exchange().programme().settings().name.clone();
    let links = links(hub, data, cast)?;
    let shown: Vec<_> = links.iter().map(|(who, link)| json!({"who": who, "link": link})).collect();
    let members: Vec<_> = cast
        .credentials
        .iter()
        .map(|(name, user, password)| json!({"name": name, "user": user, "password": password}))
        .collect();
    telling.remark(&json!({"url": url, "token_file": token, "members": members, "console": shown}), || {
        let mut text = format!("The hub stays up at {url} until you press Ctrl-C.\n\n");
        text.push_str("See the story in a browser, where it is suspended, step by step. Each link signs in once:\n");
        for (who, link) in &links {
            add!(text, "  {link}   # {who}\n");
        }
        text.push_str("\nAs its operator:\n");
        add!(text, "  export RINGFENCE_HUB={url}\n");
        add!(text, "  export RINGFENCE_TOKEN=$(cat '{}')\n", token.display());
        text.push_str("  ringfence member list\n  ringfence ledger verify\n\nAs a member, with any TAXII 2.1 client:\n");
        for (name, user, password) in &cast.credentials {
            add!(
                text,
                "  curl -u '{user}:{password}' '{url}/{programme}/collections/indicators/objects/?limit=3'   # {name}\n"
            );
        }
        text
    })
}

/// Links that sign in once at the page of the story: two officers, because a return takes two; an overseer; the member.
fn links(hub: &Background, data: &DataDir, cast: &Cast) -> Result<Vec<(&'static str, String)>> {
    let exchange = hub.exchange();
    let token = fs::read_to_string(data.token_path()).context("reading the operator's token")?;
    let operator = exchange.authenticate(&Attempt::Bearer(token.trim()), "the demo")?;
    let whom = [
        ("an officer", Principal::Role(Role::Officer), Some(OFFICERS[0])),
        ("another officer", Principal::Role(Role::Officer), Some(OFFICERS[1])),
        ("an overseer", Principal::Role(Role::Overseer), Some("C. Cedar")),
        ("Symantec itself", Principal::Member(cast.symantec.clone()), None),
    ];
    let page = format!("/members/{}?tier=cleared&as_of=2008-03-01", cast.symantec);
    let mut links = Vec::new();
    for (who, principal, person) in whom {
        let new = NewCredential {
            principal,
            login: None,
            actions: [Action::Read, Action::Administer].into(),
            collections: None,
            expires: None,
            note: "a look at the demo's console".to_owned(),
            person: person.map(str::to_owned),
            password: None,
        };
        let record = exchange.issue_credential(&operator, new)?.record;
        let caller = Caller {
            principal: record.principal,
            credential: record.id,
            actions: record.actions,
            collections: record.collections,
        };
        links.push((who, format!("{}{}", hub.url(), hub.console().link_once(caller, &page))));
    }
    Ok(links)
}
