//! What goes back to the hub: facts of occurrence, and certificates of disposal.
//!
//! It runs on a thread of its own: a hub that is slow keeps nobody here waiting. What it sends it first writes into
//! `reported.jsonl`, so that the site can see, byte for byte, all that ever left.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use model::Clock;
use serde_json::{Value, json};
use tracing::{info, warn};

use crate::engine::{Certificate, Engine, report_of};
use crate::follow::{Hub, HubError};
use crate::occurrence::{Due, Facts};

/// How many facts go together.
const BATCH_MAX: usize = 500;
/// How often there is something to be looked at.
const ROUND: Duration = Duration::from_secs(5);
/// The first pause after the hub did not take a certificate; it doubles.
const CERTIFICATE_PAUSE_MIN: Duration = Duration::from_secs(5);
/// The longest pause.
const CERTIFICATE_PAUSE_MAX: Duration = Duration::from_hours(1);
/// An hour's facts leave at a moment of these after it.
const DELAY_MAX_SECONDS: u32 = 600;

/// Sends what is due until `stop` is set. `random` chooses the moments.
pub fn run(
    engine: &Mutex<Engine>,
    hub: &Hub,
    data: &Path,
    clock: &Arc<dyn Clock>,
    random: &dyn Fn() -> u32,
    stop: &AtomicBool,
) {
    let mut reporter = Reporter { engine, hub, data: data.to_owned(), written: Vec::new(), refused: None };
    let mut delay = Duration::from_secs(u64::from(random() % DELAY_MAX_SECONDS));
    while !stop.load(Ordering::Relaxed) {
        let until = clock.now() - delay;
        if reporter.facts(until) {
            delay = Duration::from_secs(u64::from(random() % DELAY_MAX_SECONDS));
        }
        reporter.doubts(until);
        reporter.certificates();
        let mut left = ROUND;
        while !left.is_zero() && !stop.load(Ordering::Relaxed) {
            let pause = Duration::from_millis(200).min(left);
            thread::sleep(pause);
            left -= pause;
            if reporter.has_fresh_certificate() {
                break;
            }
        }
    }
}

/// Writes to the disk what waits to be reported: at the end, when nobody reports any more.
pub fn keep(engine: &Mutex<Engine>, data: &Path) {
    keep_facts(engine, data);
    keep_certificates(engine, data);
}

fn with<T>(engine: &Mutex<Engine>, ask: impl FnOnce(&mut Engine) -> T) -> T {
    ask(&mut engine.lock().unwrap_or_else(PoisonError::into_inner))
}

fn keep_facts(engine: &Mutex<Engine>, data: &Path) {
    let bytes = with(engine, |engine| engine.facts().to_bytes());
    if let Err(error) = replace(&data.join("facts.json"), &bytes) {
        warn!("facts that wait cannot be kept: {error}");
    }
}

/// A certificate stays on the disk until the hub has it.
fn keep_certificates(engine: &Mutex<Engine>, data: &Path) {
    let folder = data.join("certificates");
    let fresh: Vec<Certificate> = with(engine, |engine| std::mem::take(engine.certificates()));
    for certificate in fresh {
        let letters = certificate.signature.chars().filter(char::is_ascii_alphanumeric);
        let name = format!("{}.json", letters.take(16).collect::<String>());
        let bytes = serde_json::to_vec_pretty(&certificate).unwrap_or_default();
        let kept = fs::create_dir_all(&folder).and_then(|()| replace(&folder.join(name), &bytes));
        if let Err(error) = kept {
            warn!("a certificate cannot be kept: {error}");
            with(engine, |engine| engine.certificates().push(certificate));
        }
    }
}

struct Reporter<'a> {
    engine: &'a Mutex<Engine>,
    hub: &'a Hub,
    data: PathBuf,
    /// What was written down and has not left yet: it is written down once, however often it is tried.
    written: Vec<Due>,
    /// When the hub last took no certificate, and how long it is left alone for that.
    refused: Option<(Instant, Duration)>,
}

impl Reporter<'_> {
    fn with<T>(&self, ask: impl FnOnce(&mut Engine) -> T) -> T {
        with(self.engine, ask)
    }

    /// Sends the facts of hours that ended before `until`. Says whether any left.
    fn facts(&mut self, until: model::Timestamp) -> bool {
        let due: Vec<Due> = self.with(|engine| engine.facts().due(until, BATCH_MAX));
        self.keep();
        if due.is_empty() {
            return false;
        }
        let sightings: Vec<&Value> = due.iter().map(|due| &due.sighting).collect();
        let body = json!({ "objects": sightings });
        if self.written != due {
            if let Err(error) = append(&self.data.join("reported.jsonl"), &body) {
                warn!("nothing is reported that cannot be written down first: {error}");
                return false;
            }
            self.written.clone_from(&due);
        }
        match self.hub.post("/api/occurrences", &body) {
            Ok(_) => info!(facts = due.len(), "facts of occurrence reported"),
            Err(HubError::Busy(why) | HubError::Failed(why)) => {
                warn!("facts of occurrence wait: {why}");
                return false;
            }
            // It will not want them later either.
            Err(HubError::Refused(why)) => warn!("the hub takes no facts of occurrence: {why}"),
        }
        self.with(|engine| engine.facts().settle(&due));
        self.keep();
        true
    }

    /// Tells of indicators that stood out in hours that ended before `until`, for the programme's people to look at.
    fn doubts(&self, until: model::Timestamp) {
        for id in self.with(|engine| engine.untold(until)) {
            let report = report_of(id);
            let written = json!({ "doubt": report });
            if let Err(error) = append(&self.data.join("reported.jsonl"), &written) {
                return warn!("nothing is reported that cannot be written down first: {error}");
            }
            match self.hub.post("/api/false-positives", &report) {
                Ok(_) => info!("an indicator that stood out is reported"),
                Err(HubError::Busy(why) | HubError::Failed(why)) => {
                    return warn!("a report of an indicator that stood out waits: {why}");
                }
                Err(HubError::Refused(why)) => warn!("the hub takes no report of what stood out: {why}"),
            }
            self.with(|engine| engine.told(id));
        }
    }

    /// Keeps what waits over a restart.
    fn keep(&self) {
        keep_facts(self.engine, &self.data);
    }

    /// The hub waits for a certificate, so it is not kept for the next round.
    fn has_fresh_certificate(&self) -> bool {
        self.with(|engine| !engine.certificates().is_empty())
    }

    /// Certifies disposals. A hub that does not take a certificate is asked again after pauses that grow; a fresh certificate is tried
    /// at once.
    fn certificates(&mut self) {
        let is_fresh = self.has_fresh_certificate();
        keep_certificates(self.engine, &self.data);
        if !is_fresh && self.refused.is_some_and(|(at, pause)| at.elapsed() < pause) {
            return;
        }
        let folder = self.data.join("certificates");
        let Ok(entries) = fs::read_dir(&folder) else { return };
        let waiting = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|it| it == "json"));
        let mut is_refused = false;
        for path in waiting {
            let Some(certificate) =
                fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok())
            else {
                continue;
            };
            match self.certify(&certificate) {
                Ok(()) => {
                    info!("the certificate of disposal is filed at the hub");
                    let _moved: io::Result<()> = fs::rename(&path, path.with_extension("filed"));
                }
                Err(error) => {
                    is_refused = true;
                    warn!("the certificate of disposal waits: {error}");
                }
            }
        }
        let grown = self.refused.map_or(CERTIFICATE_PAUSE_MIN, |(_, pause)| pause * 2);
        self.refused = is_refused.then(|| (Instant::now(), grown.min(CERTIFICATE_PAUSE_MAX)));
    }

    /// Files a certificate. The hub has it settle what the member owes, if it owes anything.
    fn certify(&self, certificate: &Certificate) -> Result<(), HubError> {
        let text = serde_json::to_string(certificate).unwrap_or_default();
        let stated: Value = serde_json::from_str(&certificate.statement).unwrap_or_default();
        let body = json!({ "collection": stated["collection"], "text": text });
        self.hub.post("/api/me/disposals", &body).map(drop)
    }
}

/// Reads the facts that waited when the guard stopped, or begins with none.
#[must_use]
pub fn waiting(data: &Path, fresh: Facts) -> Facts {
    fs::read(data.join("facts.json")).ok().and_then(|bytes| Facts::from_bytes(&bytes)).unwrap_or(fresh)
}

fn append(path: &Path, value: &Value) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(format!("{value}\n").as_bytes())?;
    file.sync_data()
}

/// Writes a file beside itself and renames it into place.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&beside, path)
}
