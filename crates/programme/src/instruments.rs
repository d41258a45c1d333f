//! Kinds of mitigation: `instruments.toml`.
//!
//! An instrument is an agreement under which a tie stops mattering, or matters less. Each kind says what it does to
//! the member's ties (`votes = "none"`: the owner gives up voting), which tiers it keeps closed whatever the rules
//! say, and which duties come with it. The rules are then asked again, so a proof stays honest: it shows the tie, the
//! instrument, and what is left.

use std::collections::{BTreeMap, BTreeSet};

use model::{Problem, Tier, Timestamp};
use serde::{Deserialize, Serialize};
use ties::{EntityId, Period, TieId};
use toml::Spanned;

use crate::read;
use crate::settings::Settings;

const FILE: &str = "instruments.toml";

/// One kind of mitigation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstrumentKind {
    /// Its name: `proxy-agreement`.
    pub kind: String,
    /// Its name for people.
    pub title: String,
    /// When it fits and what it does.
    pub text: String,
    /// Where it comes from.
    pub source: String,
    /// What it does to the ties that it covers.
    pub transforms: BTreeSet<Transform>,
    /// The tiers that it keeps closed.
    pub closes: BTreeSet<Tier>,
    /// What the member has to do.
    pub duties: Vec<DutyKind>,
}

/// A mitigation agreement that was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    /// Which one: a name that is unique in the registry.
    pub id: String,
    /// Its kind, as in `instruments.toml`.
    pub kind: String,
    /// Whose.
    pub entity: EntityId,
    /// The ties that it covers.
    #[serde(default)]
    pub covers: BTreeSet<TieId>,
    /// From when to when.
    #[serde(default)]
    pub valid: Period,
    /// When the programme learned it; left out, when it began.
    #[serde(default)]
    pub recorded: Option<Timestamp>,
    /// The document.
    #[serde(default)]
    pub source: String,
}

/// What an instrument does to the ties that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transform {
    /// The holder's votes count as none.
    NoVotes,
    /// The holder appoints nobody.
    NoAppointments,
    /// The holder's other means to direct count as none.
    NoDirection,
    /// Options and conversions count as none.
    NoProspects,
    /// Those who serve on both sides are kept out of what is exchanged.
    Recusal,
    /// The programme has looked at the tie and accepts what is left of it.
    Accepted,
}

/// A duty that comes with an instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyKind {
    /// What: `annual-certification`.
    pub name: String,
    /// What is to be done, for people.
    pub text: String,
    /// How often, in days.
    pub every_days: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    instrument: Vec<RawInstrument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInstrument {
    kind: Spanned<String>,
    title: String,
    text: String,
    source: String,
    #[serde(default)]
    transforms: BTreeSet<Transform>,
    #[serde(default)]
    closes: Vec<Spanned<String>>,
    #[serde(default)]
    duty: Vec<RawDuty>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDuty {
    name: Spanned<String>,
    text: String,
    every_days: u32,
}

pub(crate) fn read(
    files: &BTreeMap<String, Vec<u8>>,
    settings: &Settings,
) -> Result<Vec<InstrumentKind>, Vec<Problem>> {
    if !files.contains_key(FILE) {
        return Ok(Vec::new());
    }
    let text = read::text(files, FILE).map_err(|problem| vec![problem])?;
    let raw = read::toml::<Raw>(FILE, text).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    let mut wrong = |at: &Spanned<String>, message: String, remedy: &str| {
        problems.push(Problem::new(FILE, message, remedy).at(text, at.span().start));
    };
    let mut instruments: Vec<InstrumentKind> = Vec::new();
    for raw in raw.instrument {
        let kind = raw.kind.get_ref();
        if instruments.iter().any(|known| known.kind == *kind) {
            wrong(&raw.kind, format!("there are two instruments `{kind}`"), "remove one or rename it");
        }
        let mut closes = BTreeSet::new();
        for word in &raw.closes {
            if let Some(tier) = settings.tiers.iter().find(|tier| tier.name.as_str() == word.get_ref()) {
                closes.insert(tier.name.clone());
            } else {
                let message = format!("there is no tier `{}`", word.get_ref());
                wrong(word, message, "use the tiers of programme.toml");
            }
        }
        let mut duties = Vec::new();
        for duty in raw.duty {
            if duty.every_days == 0 {
                wrong(&duty.name, "a duty that is due every 0 days".to_owned(), "give a number of days");
            }
            duties.push(DutyKind {
                name: duty.name.into_inner(),
                text: duty.text,
                every_days: duty.every_days,
            });
        }
        instruments.push(InstrumentKind {
            kind: raw.kind.into_inner(),
            title: raw.title,
            text: raw.text,
            source: raw.source,
            transforms: raw.transforms,
            closes,
            duties,
        });
    }
    if problems.is_empty() { Ok(instruments) } else { Err(problems) }
}
