//! What the programme says to guards, the programs that act on what it publishes.

use serde::Deserialize;

/// How guards are held, and what becomes of what they report. What `programme.toml` leaves out has its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// How long a guard may act without hearing from the hub.
    ///
    /// Default 24, from 1 to 720.
    pub lease_hours: u32,
    /// How many members have to report hits of an indicator on one day before anybody is told of them. One would name
    /// the member.
    ///
    /// Default 3, from 2 to 100.
    pub occurrence_members_min: u32,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self { lease_hours: 24, occurrence_members_min: 3 }
    }
}

/// `[guard]` as written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGuard {
    lease_hours: Option<i64>,
    occurrence_members_min: Option<i64>,
}

impl RawGuard {
    /// The settings; `wrong` hears of each value out of its range, by field, message and remedy.
    pub(super) fn checked(self, mut wrong: impl FnMut(&str, String, String)) -> GuardSettings {
        let mut within = |field, value: Option<i64>, default: u32, least: u32, most: u32| match value {
            None => default,
            Some(value) => {
                let checked = u32::try_from(value).ok().filter(|value| (least..=most).contains(value));
                if checked.is_none() {
                    wrong(field, format!("is {value}"), format!("use {least} to {most}"));
                }
                checked.unwrap_or(default)
            }
        };
        let default = GuardSettings::default();
        GuardSettings {
            lease_hours: within("lease_hours", self.lease_hours, default.lease_hours, 1, 720),
            occurrence_members_min: within(
                "occurrence_members_min",
                self.occurrence_members_min,
                default.occurrence_members_min,
                2,
                100,
            ),
        }
    }
}
