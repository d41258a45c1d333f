//! A guard in a folder of its own: the real program, or the same guard in a process that also takes news from the measures.
//!
//! A guard learns of indicators from its hub. What a hub adds to the way is measured elsewhere, so here the news is handed to the
//! engine as a follower hands it on, and nothing listens at the hub's address.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use guard::config::Config;
use guard::follow::{Cursor, News, Received};
use guard::indicator::Rights;
use guard::run::Guard;
use model::{Clock, SystemClock, Timestamp};
use serde_json::json;
use tokio::sync::watch;
use uuid::Uuid;

use super::dns::SAFE;
use crate::process::{Process, free_port};

/// The guard's zone with the names.
pub(super) const ZONE: &str = "indicators.rpz.example";
/// What the hub hands on at once.
const PAGE: usize = 2_000;
const MINUTE_MICROS: i64 = 60_000_000;

/// The folder and the ports of a guard and of those who take its zone.
pub(super) struct Site {
    pub(super) home: PathBuf,
    pub(super) forwarder: u16,
    pub(super) primary: u16,
    pub(super) unbound: u16,
    pub(super) bind: u16,
    pub(super) world: SocketAddr,
    /// What its configuration has beside the rest.
    more: String,
}

impl Site {
    pub(super) fn new(home: &Path, world: SocketAddr) -> Result<Self> {
        Self::with(home, world, String::new())
    }

    pub(super) fn with(home: &Path, world: SocketAddr, more: String) -> Result<Self> {
        fs::create_dir_all(home)?;
        let mut ports = [0; 4];
        for port in &mut ports {
            *port = free_port()?;
        }
        let [forwarder, primary, unbound, bind] = ports;
        let site = Self { home: home.to_owned(), forwarder, primary, unbound, bind, world, more };
        fs::write(home.join("token"), "none")?;
        fs::write(site.config(), site.text())?;
        Ok(site)
    }

    fn config(&self) -> PathBuf {
        self.home.join("guard.toml")
    }

    fn text(&self) -> String {
        let Self { home, forwarder, primary, unbound, bind, world, more } = self;
        format!(
            "data = \"{home}/data\"\n[hub]\nurl = \"http://127.0.0.1:9/\"\ntoken_file = \"{home}/token\"\n\
             [[feed]]\ncollection = \"indicators\"\nmode = \"enforce\"\n\
             [sinkhole]\naddresses = {{ \"\" = [\"{SAFE}\"] }}\n\
             [sinkhole.rpz]\nlisten = [\"127.0.0.1:{primary}\"]\norigin = \"rpz.example\"\nunsigned = [\"127.0.0.1\"]\n\
             notify = [{{ address = \"127.0.0.1:{unbound}\" }}, {{ address = \"127.0.0.1:{bind}\" }}]\n\
             [sinkhole.forwarder]\nplain = [\"127.0.0.1:{forwarder}\"]\nupstreams = [\"{world}\"]\nqueries_per_second = 0\n{more}",
            home = home.display(),
        )
    }

    /// Starts the program as a site does.
    pub(super) fn program(&self, binary: &Path) -> Result<Process> {
        let mut command = Command::new(binary);
        command.arg("guard").arg(self.config()).args(["--log", "error"]);
        Process::start("ringfence guard", &mut command, &self.home.join("log"))
    }

    /// Starts the guard that takes news.
    pub(super) fn driven(&self) -> Result<Driven> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("guard-run")
            .arg(self.config())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting a guard")?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (stdin, stdout) = stdin.zip(stdout).context("the guard has no pipes")?;
        let mut driven = Driven { child, stdin, stdout: BufReader::new(stdout) };
        driven.answer()?;
        Ok(driven)
    }
}

/// A guard that is told its news. It is stopped when this is dropped.
pub(super) struct Driven {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Driven {
    /// Takes an indicator for each name of a file, one a line, page by page.
    pub(super) fn take(&mut self, file: &Path) -> Result<()> {
        self.say(&format!("take {}", file.display()))
    }

    /// Takes their revocations.
    pub(super) fn take_back(&mut self, file: &Path) -> Result<()> {
        self.say(&format!("drop {}", file.display()))
    }

    /// Takes one indicator, until a time or for good.
    pub(super) fn add(&mut self, name: &str, until: Option<Timestamp>) -> Result<()> {
        self.say(&until.map_or_else(|| format!("add {name}"), |until| format!("add {name} {until}")))
    }

    /// Takes one indicator of the second feed.
    pub(super) fn add_other(&mut self, name: &str) -> Result<()> {
        self.say(&format!("other {name}"))
    }

    /// Takes the hub's word that the first feed is no more for this member.
    pub(super) fn gone(&mut self) -> Result<()> {
        self.say("gone")
    }

    /// Takes one indicator's revocation.
    pub(super) fn revoke(&mut self, name: &str) -> Result<()> {
        self.say(&format!("revoke {name}"))
    }

    /// Takes the programme's recall of one indicator.
    pub(super) fn recall(&mut self, name: &str) -> Result<()> {
        self.say(&format!("recall {name}"))
    }

    /// Says what to do, and waits until it is done.
    fn say(&mut self, line: &str) -> Result<()> {
        self.stdin.write_all(format!("{line}\n").as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<()> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        ensure!(line.trim() == "done", "the guard has ended; it says why above");
        Ok(())
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        // Its store is no longer needed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where the guard that takes news finds its configuration.
#[derive(clap::Args)]
pub(crate) struct RunArguments {
    config: PathBuf,
}

/// The guard that takes news: a process of its own, which does what standard input says.
pub(crate) fn run(arguments: &RunArguments) -> Result<ExitCode> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let guard = Arc::new(Guard::start(Config::load(&arguments.config)?, &clock)?);
    let runtime = tokio::runtime::Runtime::new()?;
    let (_stop, stopped) = watch::channel(false);
    let (_reload, reloads) = tokio::sync::mpsc::channel(1);
    let (up, is_up) = mpsc::channel();
    let serving = guard::faces::serve(Arc::clone(&guard), stopped, reloads, move || {
        // Nobody waits any more only if this process is ending.
        let _ended = up.send(());
    });
    let serving = std::thread::spawn(move || runtime.block_on(serving));
    if is_up.recv().is_err() {
        bail!("the guard does not serve: {:?}", serving.join().ok().and_then(Result::err));
    }
    println!("done");
    for line in std::io::stdin().lock().lines() {
        obey(&guard, clock.now(), &line?)?;
        println!("done");
    }
    Ok(ExitCode::SUCCESS)
}

fn obey(guard: &Guard, now: Timestamp, line: &str) -> Result<()> {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        [what @ ("take" | "drop"), file] => {
            let names = fs::read_to_string(file)?;
            let names: Vec<&str> = names.lines().collect();
            for page in names.chunks(PAGE) {
                let objects = page.iter().map(|name| indicator(name, now, None, *what == "drop"));
                news(guard, now, objects.collect())?;
            }
        }
        ["add", name] => news(guard, now, vec![indicator(name, now, None, false)])?,
        ["add", name, until] => news(guard, now, vec![indicator(name, now, Some(until), false)])?,
        ["other", name] => {
            let received = vec![Received { object: indicator(name, now, None, false), rights: Rights::ALL }];
            guard.engine().news(1, News::Objects(received, Cursor::default()))?;
        }
        ["gone"] => guard.engine().news(0, News::Gone("suspended".to_owned()))?,
        ["revoke", name] => news(guard, now, vec![indicator(name, now, None, true)])?,
        ["recall", name] => news(guard, now, vec![recall(name)])?,
        _ => bail!("the guard does not know `{line}`"),
    }
    Ok(())
}

/// Hands on what a follower would; returns when it is durable and enforced.
fn news(guard: &Guard, now: Timestamp, objects: Vec<Vec<u8>>) -> Result<()> {
    let date = now.to_string();
    let cursor = Cursor::from_text(&json!({"added_after": date, "reached": date}).to_string());
    let received = objects.into_iter().map(|object| Received { object, rights: Rights::ALL }).collect();
    Ok(guard.engine().news(0, News::Objects(received, cursor))?)
}

/// An indicator of a name, as feeds publish them, of some 700 bytes. It is always the same one, and later words are newer.
fn indicator(name: &str, now: Timestamp, until: Option<&str>, revoked: bool) -> Vec<u8> {
    let from = now.plus_micros(-MINUTE_MICROS).to_string();
    let mut object = json!({
        "type": "indicator", "spec_version": "2.1", "id": id_of(name),
        "created_by_ref": "identity--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "created": from, "modified": now.to_string(), "valid_from": from,
        "name": name, "description": "Seen as a command and control server of a made-up family.",
        "indicator_types": ["malicious-activity"], "confidence": 80, "revoked": revoked,
        "pattern_type": "stix", "pattern_version": "2.1", "pattern": format!("[domain-name:value = '{name}']"),
        "object_marking_refs": ["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"],
    });
    if let Some(until) = until {
        object["valid_until"] = json!(until);
    }
    object.to_string().into_bytes()
}

/// The programme's notice that an indicator is to be let go of.
fn recall(name: &str) -> Vec<u8> {
    let note = format!("note--{}", Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()));
    json!({"type": "note", "id": note, "x_ringfence_recall": {"objects": [{"id": id_of(name)}]}})
        .to_string()
        .into_bytes()
}

fn id_of(name: &str) -> String {
    format!("indicator--{}", Uuid::new_v5(&Uuid::NAMESPACE_DNS, name.as_bytes()))
}

/// How long a page may take to be enforced everywhere.
pub(super) const EFFECT: Duration = Duration::from_mins(1);
