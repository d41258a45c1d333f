//! Indicators that matched far more than their peers, and only monitor until a person says otherwise.
//!
//! ```text
//! stands out ──> demoted, kept sealed ──> a report to the hub, where the customer that was hit consented, after the hour
//!                    │
//! `ringfence guard CONFIG --promote rf-...` ──> it enforces again, and the alarm does not sound for it any more
//! ```
//!
//! A person's word is left as a sealed file in the data directory, and taken within a second by a guard that runs, or when one starts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use model::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing::{info, warn};
use uuid::Uuid;

use super::Engine;
use crate::config::Config;
use crate::hold::HoldError;
use crate::indicator::id_text;
use crate::record::{Bound, reference};
use crate::run::{StartError, random};
use crate::secrets::Secrets;

/// The note with what was demoted.
pub(super) const DEMOTED: &str = "demoted.note";
/// The folder with what people promoted since.
const PROMOTED: &str = "promoted";
/// So many demotions are kept; further ones hold until the next start.
const DEMOTIONS_MAX: usize = 10_000;
/// How often it is looked whether somebody promoted one.
const LOOK: Duration = Duration::from_secs(1);
const HOUR_MICROS: i64 = 3_600_000_000;

/// An indicator that stood out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demotion {
    /// When, in microseconds since 1970.
    pub at: i64,
    /// How often it had matched within the hour.
    pub hits: u32,
    /// A person let it enforce again.
    pub is_promoted: bool,
    /// The hub is to be told, and was not yet.
    pub is_untold: bool,
}

/// What stood out, by indicator.
pub type Demotions = BTreeMap<Uuid, Demotion>;

/// Why nothing was promoted.
#[derive(Debug, Error)]
pub enum PromoteError {
    /// It is not demoted.
    #[error("no indicator `{wanted}` is demoted; {known}")]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// The store.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// The disk, or the system's randomness.
    #[error(transparent)]
    System(#[from] StartError),
}

/// Leaves word for the guard of `config` that a demoted indicator is to enforce again.
///
/// # Errors
///
/// Fails if it is not demoted, or if the disk does.
pub fn promote(config: &Config, secrets: &Secrets, wanted: &str) -> Result<(), PromoteError> {
    let key = secrets.hold_key();
    let demoted: Option<Demotions> = key.read_note(&config.data, DEMOTED)?;
    let demoted = demoted.unwrap_or_default();
    let salt = secrets.reference_salt();
    let named = |(id, one): (&Uuid, &Demotion)| (!one.is_promoted).then(|| (reference(&salt, *id), *id));
    let named: BTreeMap<String, Uuid> = demoted.iter().filter_map(named).collect();
    let Some(id) = named.get(wanted) else {
        let references: Vec<&str> = named.keys().map(String::as_str).collect();
        let known = if references.is_empty() {
            "none is".to_owned()
        } else {
            format!("these are: {}", references.join(", "))
        };
        return Err(PromoteError::Unknown { wanted: wanted.chars().take(40).collect(), known });
    };
    let folder = config.data.join(PROMOTED);
    fs::create_dir_all(&folder)
        .map_err(|error| crate::run::file(&folder, format!("cannot be made: {error}")))?;
    Ok(key.write_note(&folder, &format!("{wanted}.note"), random()?, id)?)
}

impl Engine {
    /// What logs and people call an indicator.
    pub(super) fn reference(&self, id: Uuid) -> String {
        reference(&self.secrets.reference_salt(), id)
    }

    /// Takes what was demoted before the start.
    pub(super) fn demoted_before(&mut self) -> Result<(), HoldError> {
        let kept: Option<Demotions> = self.secrets.hold_key().read_note(&self.config.data, DEMOTED)?;
        self.demotions = kept.unwrap_or_default();
        for (id, _) in self.demotions.iter().filter(|(_, one)| !one.is_promoted) {
            self.bound(*id, Bound::Frequency, true);
        }
        Ok(())
    }

    /// What stood out, and whether a person let it enforce again.
    #[must_use]
    pub fn demotions(&self) -> &Demotions {
        &self.demotions
    }

    /// An indicator stands out: it monitors from here on. Whoever was hit consents to reports, or not.
    pub(super) fn demote(&mut self, id: Uuid, hits: u32, is_untold: bool) -> bool {
        // Once a person has looked at it, it is theirs.
        if self.demotions.contains_key(&id) {
            return false;
        }
        let at = self.clock.now().as_micros();
        let is_kept = self.demotions.len() < DEMOTIONS_MAX;
        self.demotions.insert(id, Demotion { at, hits, is_promoted: false, is_untold });
        self.bound(id, Bound::Frequency, true);
        if is_kept {
            self.keep_demotions();
        }
        true
    }

    fn keep_demotions(&self) {
        let key = self.secrets.hold_key();
        if let Err(error) = key.write_note(&self.config.data, DEMOTED, (self.random)(), &self.demotions) {
            warn!("what was demoted holds until the next start only: {error}");
        }
    }

    /// What the hub is to be told of hours that ended before `until`.
    #[must_use]
    pub fn untold(&self, until: Timestamp) -> Vec<Uuid> {
        let hour = until.as_micros().div_euclid(HOUR_MICROS);
        let due = |one: &Demotion| one.is_untold && one.at.div_euclid(HOUR_MICROS) < hour;
        self.demotions.iter().filter(|(_, one)| due(one)).map(|(id, _)| *id).collect()
    }

    /// The hub was told of it, or does not want to be.
    pub fn told(&mut self, id: Uuid) {
        if let Some(one) = self.demotions.get_mut(&id) {
            one.is_untold = false;
            self.keep_demotions();
        }
    }

    /// Takes what people promoted since it was last looked.
    pub(super) fn promoted(&mut self) {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        let folder = self.config.data.join(PROMOTED);
        let Ok(entries) = fs::read_dir(&folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|extension| extension == "note") {
                self.take_promotion(&folder, &path);
            }
        }
    }

    fn take_promotion(&mut self, folder: &Path, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match self.secrets.hold_key().read_note::<Uuid>(folder, &name) {
            Ok(Some(id)) => {
                if let Some(one) = self.demotions.get_mut(&id) {
                    (one.is_promoted, one.is_untold) = (true, false);
                    self.keep_demotions();
                    self.bound(id, Bound::Frequency, false);
                    info!(reference = self.reference(id), "a person let it enforce again");
                }
            }
            Ok(None) => return,
            Err(error) => warn!("a promotion is passed over: {error}"),
        }
        if let Err(error) = fs::remove_file(path) {
            warn!("a promotion was taken and stays on the disk: {error}");
        }
    }
}

/// What the hub is told of one that stands out, for its people to look at: that it does, and nothing of what was hit.
#[must_use]
pub fn report_of(id: Uuid) -> serde_json::Value {
    serde_json::json!({
        "object": id_text(id),
        "reason": "a guard found that it matches far more than its peers, and only monitors it",
    })
}
