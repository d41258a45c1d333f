//! The chapter of the guard: it comes up at a provider, protects its customers, and lets go when a tie suspends the provider.
//!
//! Everything goes through sockets: a question over DNS, mails over the milter protocol, the hub over HTTP. Only that the
//! guard is in this process, and has the story's clock, is otherwise than at a provider.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use guard::config::Config;
use guard::faces::{mail, serve, status::Status};
use guard::run;
use model::{Clock, Member, MemberId, MemberKind, Standing};
use quarantine::store::{Kept, Reason};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::story::{Setting, verdict};
use super::telling::{Telling, millis, took};
use super::wire::{self, Mail};
use crate::client::segment;
use crate::commands::token::Issued;
use crate::output::count;
use crate::serving;

/// The provider, by its name and by the name that the template's fictional case has for it.
const PROVIDER: (&str, &str) = ("Harbour Telecom", "harbour");
/// Who takes half of it, and whom that is about.
const STRANGERS: [&str; 3] = ["redstone", "redstone-invest", "redstone-labs"];
/// A name that the programme's first bundle lists, and one that nobody lists.
const LISTED: &str = "www.update.intruder.example";
const UNLISTED: &str = "www.example.org";
/// A string that the same bundle lists.
const STRING: &str = "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL";
/// Where the guard sends who asks for a listed name.
const SINKHOLE: &str = "192.0.2.53";
/// How long the guard may take for anything; it takes less than a second.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a guard is started that finds its port taken meanwhile.
const STARTS_MAX: usize = 5;

/// Tells the chapter.
pub(super) fn chapter(setting: &Setting, telling: &mut Telling) -> Result<()> {
    setting.clock.set("2026-01-05T09:00:00Z".parse()?);
    let (member, token) = provider(setting)?;
    let folder = setting.scratch.join("guard");
    fs::create_dir(&folder)?;
    fs::write(folder.join("token"), token)?;
    let begun = Instant::now();
    let site = Site::start(setting, &folder)?;
    eventually("the guard takes what is shared", || {
        Ok(site.active() > 0 && wire::ask(site.dns, LISTED)?.to_string() == SINKHOLE)
    })?;
    comes_up(telling, &site, begun.elapsed())?;
    protects(setting, telling, &site)?;
    lets_go(setting, telling, &site, &member)?;
    site.stop()
}

/// A provider on the list, that is bound to an entity without a tie to anybody of concern.
fn provider(setting: &Setting) -> Result<(MemberId, String)> {
    let body = json!({"name": PROVIDER.0, "kind": MemberKind::Provider, "listed": ["open", "programme"]});
    let member: Member = setting.api.post("/api/members", &body)?;
    let issued: Issued = setting.api.post("/api/credentials", &json!({"member": member.id}))?;
    learn(setting, |text| {
        is_about(text, &[PROVIDER.1, "founder"])
            && STRANGERS.iter().all(|stranger| !is_about(text, &[*stranger]))
    })?;
    let path = format!("/api/members/{}/entity", segment(&member.id));
    let _: Value = setting.officers[0].post(&path, &json!({"entity": PROVIDER.1}))?;
    let standing = standing(setting, &member.id)?;
    ensure!(standing == Standing::Listed, "{} is {standing}", PROVIDER.0);
    Ok((member.id, issued.token.context("a member's credential has a token")?))
}

/// Imports what the template's fictional case says, as far as it is wanted.
fn learn(setting: &Setting, wants: impl Fn(&str) -> bool) -> Result<Duration> {
    let file = setting.programme.vetting_cases().iter().find(|file| file.file == "cases/fictional.toml");
    let known = file.context("the template has fictional members")?.statements.iter();
    let mut statements = Vec::new();
    for statement in known {
        let value = serde_json::to_value(statement)?;
        if wants(&value["said"].to_string()) {
            statements.push(value);
        }
    }
    ensure!(!statements.is_empty(), "the template's fictional case says nothing of it");
    let body = json!({"subject": "cases/fictional.toml", "statements": statements});
    let begun = Instant::now();
    let imported: Value = setting.officers[0].post("/api/ties", &body)?;
    ensure!(imported["refused"] == json!([]), "statements were refused: {}", imported["refused"]);
    Ok(begun.elapsed())
}

/// Whether what is said names one of these entities.
fn is_about(said: &str, entities: &[&str]) -> bool {
    entities.iter().any(|entity| said.contains(&format!("\"{entity}\"")))
}

fn standing(setting: &Setting, member: &MemberId) -> Result<Standing> {
    let record: Member = setting.api.get(&format!("/api/members/{}", segment(member)))?;
    Ok(record.standing(&"programme".parse()?))
}

fn comes_up(telling: &mut Telling, site: &Site, duration: Duration) -> Result<()> {
    let status = Status::of(&site.guard);
    let feed = status.feeds.first().context("the guard follows a feed")?;
    let refused: u64 = feed.report.refused.values().sum();
    telling.step(
        "2026-01-05: a provider's guard comes up",
        &[
            format!("{} and all who take part in this chapter are fictional.", PROVIDER.0),
            format!(
                "Its guard follows `indicators` by the hub's stream, and enforces {} after {}.",
                count(u128::from(feed.report.active), "indicator", "indicators"),
                took(duration)
            ),
            match refused {
                0 => "None is left out: what takes more than a look-up is evaluated.".to_owned(),
                _ => format!("{refused} cannot be used here; the guard says why and goes on."),
            },
        ],
        &json!({"active": feed.report.active, "refused": feed.report.refused, "ms": millis(duration)}),
    )
}

fn protects(setting: &Setting, telling: &mut Telling, site: &Site) -> Result<()> {
    let begun = Instant::now();
    let listed = wire::ask(site.dns, LISTED)?;
    let asked = begun.elapsed();
    let unlisted = wire::ask(site.dns, UNLISTED)?;
    ensure!(listed.to_string() == SINKHOLE, "`{LISTED}` leads to {listed}");
    ensure!(unlisted == wire::TRUTH, "`{UNLISTED}` leads to {unlisted}");

    // What is shared comes in parts, and the names may be there before the texts.
    let mut mailed = Duration::ZERO;
    eventually("the guard takes the listed mail", || {
        let begun = Instant::now();
        let fate = wire::send(&site.milter, &infected())?;
        mailed = begun.elapsed();
        Ok(fate == Mail::Taken)
    })?;
    let clean = wire::send(&site.milter, &wire::letter("Lunch", "At noon?"))?;
    ensure!(clean == Mail::Passes, "the clean mail is {clean:?}");
    let held = released(setting, site)?;
    telling.step(
        "It protects customers: a question of DNS, a mail",
        &[
            format!("{LISTED}: {listed}, the sinkhole, after {}. {UNLISTED}: {unlisted}, the truth.", took(asked)),
            format!("A mail with a listed string in its text is taken from the mail server and kept, encrypted, after {}.", took(mailed)),
            format!("Asked for by its recipient, it comes back byte for byte; all that is said of why is {}.", held.about.references.join(", ")),
            "A mail without it passes.".to_owned(),
        ],
        &json!({"dns_ms": millis(asked), "mail_ms": millis(mailed), "held": held.about.references}),
    )
}

fn infected() -> wire::Letter {
    wire::letter("An offer", &format!("see {STRING} below"))
}

/// Gives back the one mail that is held, and compares it with what was sent.
fn released(setting: &Setting, site: &Site) -> Result<Kept> {
    let store = mail::store(&site.guard.config(), site.guard.secrets(), false)?;
    let (mut kept, broken) = store.list()?;
    ensure!(kept.len() == 1 && broken.is_empty(), "{} mails are held", kept.len());
    let kept = kept.remove(0);
    let mut bytes = Vec::new();
    let reason = Reason { who: "the recipient", why: "it was expected" };
    store.release_to(&kept.id, reason, &mut bytes, setting.clock.now())?.context("the mail is gone")?;
    ensure!(bytes == infected().bytes(), "the mail did not come back byte for byte");
    Ok(kept)
}

fn lets_go(setting: &Setting, telling: &mut Telling, site: &Site, member: &MemberId) -> Result<()> {
    let held = site.active();
    let decided = {
        let _held = setting.tending.lock().unwrap_or_else(PoisonError::into_inner);
        setting.clock.set("2026-01-06T09:00:00Z".parse()?);
        learn(setting, |text| is_about(text, &STRANGERS))?
    };
    let begun = Instant::now();
    let standing = standing(setting, member)?;
    ensure!(standing == Standing::Suspended, "{} is {standing}", PROVIDER.0);
    eventually("the guard lets go", || Ok(wire::ask(site.dns, LISTED)? == wire::TRUTH))?;
    let unloaded = begun.elapsed();
    ensure!(site.active() == 0, "the guard has {} indicators still", site.active());
    let fate = wire::send(&site.milter, &infected())?;
    ensure!(fate == Mail::Passes, "the listed mail is {fate:?}, and nothing is listed any more");

    let path = format!("/api/members/{}/dossier", segment(member));
    let mut certificate = Value::Null;
    eventually("the certificate comes", || {
        let dossier: Value = setting.api.get(&path)?;
        let duties = dossier["duties"].as_array().cloned().unwrap_or_default();
        let mut texts = duties.iter().filter_map(|duty| duty["done"]["certificate"].as_str());
        let found = texts.find_map(|text| serde_json::from_str::<Value>(text).ok());
        certificate = found.unwrap_or_default();
        Ok(!certificate.is_null())
    })?;
    let certified = begun.elapsed();
    let statement: Value = serde_json::from_str(certificate["statement"].as_str().unwrap_or_default())?;
    let disposed = statement["indicators"].as_u64().unwrap_or_default();
    ensure!(disposed >= held, "the certificate is about {disposed} of {held} indicators");
    let body = json!({"entity": PROVIDER.1, "tier": "programme"});
    let mut lines = verdict(&setting.officers[0].post("/api/decisions", &body)?);
    lines.push(format!(
        "Decided and in force after {}. Its guard has let go of everything {} later: {LISTED} leads to {} again, mail passes.",
        took(decided),
        took(unloaded),
        wire::TRUTH
    ));
    lines.push(format!(
        "Its certificate of disposal, signed, over {}, is in the hub's dossier after {}, and its digest in the ledger.",
        count(u128::from(disposed), "indicator", "indicators"),
        took(certified)
    ));
    telling.step(
        "2026-01-06: two companies of one party of concern own half of it, and its guard lets go",
        &lines,
        &json!({
            "standing": standing, "decided_ms": millis(decided), "unloaded_ms": millis(unloaded),
            "certified_ms": millis(certified), "disposed": disposed,
        }),
    )
}

/// A guard that runs in this process.
struct Site {
    guard: Arc<run::Guard>,
    dns: std::net::SocketAddr,
    milter: PathBuf,
    stop: watch::Sender<bool>,
    thread: JoinHandle<Result<()>>,
}

impl Site {
    /// Starts it; it answers when this returns.
    fn start(setting: &Setting, folder: &Path) -> Result<Self> {
        let world = wire::world()?;
        let mut last = anyhow!("it was not tried");
        for _ in 0..STARTS_MAX {
            // Somebody else may take the port before the guard does.
            let dns = wire::free_address()?;
            let text = format!(
                "data = \"data\"\n[hub]\nurl = \"{}/taxii2/\"\ntoken_file = \"token\"\n\
                 [[feed]]\ncollection = \"indicators\"\nmode = \"enforce\"\n\
                 [sinkhole]\naddresses = {{ \"\" = [\"{SINKHOLE}\"] }}\n\
                 [sinkhole.forwarder]\nplain = [\"{dns}\"]\nupstreams = [\"{world}\"]\n\
                 [quarantine]\nlisten = [\"unix:milter.sock\"]\naction = \"store\"\n",
                setting.url
            );
            let config = Config::parse("guard.toml", &text, folder)?;
            let clock = Arc::clone(&setting.clock) as Arc<dyn Clock>;
            let guard = Arc::new(run::Guard::start(config, &clock)?);
            match Self::serve(Arc::clone(&guard)) {
                Ok((stop, thread)) => {
                    return Ok(Self { guard, dns, milter: folder.join("milter.sock"), stop, thread });
                }
                Err(error) => last = error,
            }
            guard.stop();
        }
        Err(last.context("the guard does not start"))
    }

    fn serve(guard: Arc<run::Guard>) -> Result<(watch::Sender<bool>, JoinHandle<Result<()>>)> {
        let (stop, stopped) = watch::channel(false);
        let (ready, is_ready) = std::sync::mpsc::channel();
        let run = move || -> Result<()> {
            // Nobody ever has another configuration for it.
            let (_reload, reloads) = mpsc::channel(1);
            let faces = serve(guard, stopped, reloads, move || ready.send(()).unwrap_or_default());
            Ok(serving::runtime()?.block_on(faces)?)
        };
        let thread = thread::Builder::new().name("guard".to_owned()).spawn(run)?;
        if is_ready.recv().is_ok() {
            return Ok((stop, thread));
        }
        match thread.join() {
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) | Err(_) => bail!("the guard's thread ended before it listened"),
        }
    }

    /// How many indicators are looked up.
    fn active(&self) -> u64 {
        Status::of(&self.guard).feeds.iter().map(|feed| feed.report.active).sum()
    }

    fn stop(self) -> Result<()> {
        // The faces may have ended by themselves.
        let _ended = self.stop.send(true);
        self.thread.join().map_err(|_| anyhow!("the guard's thread panicked"))??;
        self.guard.stop();
        Ok(())
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        ensure!(begun.elapsed() < PATIENCE, "it never came true that {what}");
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
