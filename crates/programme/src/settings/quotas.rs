//! `[[quota]]`: how much one member asks for and is handed out in a time, whatever its credentials and connections are.
//!
//! Of the quotas in the file the first holds for a member that names it, that names a tier on whose list it is, or that names
//! nobody. A member for whom none holds has none.
//!
//! ```text
//! [[quota]] member = "member:0123456789abcdef"  objects = 1000000     this one, whatever follows
//! [[quota]] tier = "cleared"                    requests = 3600       else whoever is on the list of `cleared`
//! [[quota]]                                     requests = 600        else everybody
//! ```

use model::{Member, MemberId, Tier};
use serde::Deserialize;
use toml::Spanned;

use super::{Sense, TierSettings};

/// The usual time that is counted over, in minutes.
const WINDOW_MINUTES: u32 = 60;
/// The longest: a week. What was used is in memory, and a hub that restarts begins anew.
const WINDOW_MINUTES_MAX: u32 = 7 * 24 * 60;

/// How much somebody may have in a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaSettings {
    /// For whom it is.
    pub whose: Whose,
    /// The time that is counted over. It begins with the first request and, when it is over, with the next.
    pub window_minutes: u32,
    /// How many requests.
    pub requests: Option<u64>,
    /// How many objects are handed out, and records of manifests.
    pub objects: Option<u64>,
    /// How many bytes of them, as they are sent.
    pub bytes: Option<u64>,
}

/// For whom a quota is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// One member.
    Member(MemberId),
    /// Whoever is on the list of a tier.
    Tier(Tier),
    /// Every member.
    Everybody,
}

impl QuotaSettings {
    /// Whether it is that of a member, if no earlier one is.
    #[must_use]
    pub fn holds_for(&self, member: &Member) -> bool {
        match &self.whose {
            Whose::Member(id) => *id == member.id,
            Whose::Tier(tier) => member.standing(tier).is_on_the_list(),
            Whose::Everybody => true,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawQuota {
    member: Option<Spanned<String>>,
    tier: Option<Spanned<String>>,
    window_minutes: Option<u32>,
    requests: Option<u64>,
    objects: Option<u64>,
    bytes: Option<u64>,
}

impl Sense<'_> {
    pub(super) fn quotas(
        &mut self,
        raw: Vec<Spanned<RawQuota>>,
        tiers: &[TierSettings],
    ) -> Vec<QuotaSettings> {
        let mut quotas = Vec::new();
        for quota in raw {
            let at = Spanned::new(quota.span(), String::new());
            let RawQuota { member, tier, window_minutes, requests, objects, bytes } = quota.into_inner();
            let whose = match (member, tier) {
                (Some(member), None) => self.parsed(&member, "name a member by its id").map(Whose::Member),
                (None, Some(tier)) => self.known_tier(&tier, tiers).map(Whose::Tier),
                (None, None) => Some(Whose::Everybody),
                (Some(member), Some(_)) => {
                    let message = "a quota is a member's or a tier's".to_owned();
                    self.wrong(&member, message, "leave out one of the two");
                    None
                }
            };
            let window_minutes = window_minutes.unwrap_or(WINDOW_MINUTES);
            if !(1..=WINDOW_MINUTES_MAX).contains(&window_minutes) {
                let message = format!("`window_minutes` is {window_minutes}");
                self.wrong(&at, message, "use 1 to 10080, which is a week");
            }
            let figures = [requests, objects, bytes];
            if figures.iter().all(Option::is_none) || figures.contains(&Some(0)) {
                let message = "a quota is one or more of `requests`, `objects` and `bytes`, of at least 1";
                self.wrong(&at, message.to_owned(), "suspend a member that is to have nothing");
            }
            quotas.extend(whose.map(|whose| QuotaSettings {
                whose,
                window_minutes,
                requests,
                objects,
                bytes,
            }));
        }
        quotas
    }

    fn known_tier(&mut self, word: &Spanned<String>, tiers: &[TierSettings]) -> Option<Tier> {
        let tier = self.parsed::<Tier>(word, "name one of the tiers of this file")?;
        if tiers.iter().any(|known| known.name == tier) {
            return Some(tier);
        }
        self.wrong(word, format!("there is no tier `{tier}`"), "name one of the tiers of this file");
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::Programme;

    #[test]
    fn quotas_are_somebodys_and_of_something() {
        let cases = [
            ("requests = 5", None),
            ("tier = \"cleared\"\nobjects = 5\nwindow_minutes = 1", None),
            ("member = \"member:0123456789abcdef\"\nbytes = 1", None),
            ("", Some("one or more of")),
            ("requests = 0", Some("at least 1")),
            ("requests = 5\nwindow_minutes = 0", Some("`window_minutes` is 0")),
            ("requests = 5\nwindow_minutes = 10081", Some("`window_minutes` is 10081")),
            ("tier = \"secret\"\nrequests = 5", Some("no tier `secret`")),
            (
                "tier = \"open\"\nmember = \"member:0123456789abcdef\"\nrequests = 5",
                Some("member's or a tier's"),
            ),
        ];
        for (lines, fault) in cases {
            let mut files = crate::template();
            let mut text = String::from_utf8(files["programme.toml"].clone()).unwrap();
            text.push_str("\n[[quota]]\n");
            text.push_str(lines);
            files.insert("programme.toml".to_owned(), text.into_bytes());
            match (Programme::from_files(&files), fault) {
                (Ok(programme), None) => assert_eq!(programme.settings().quotas.len(), 1, "{lines}"),
                (Err(error), Some(fault)) => {
                    let all: Vec<String> = error.as_slice().iter().map(ToString::to_string).collect();
                    assert!(all.iter().any(|told| told.contains(fault)), "{lines}: {all:?}");
                }
                (other, _) => panic!("{lines}: {:?}", other.map(|_| ())),
            }
        }
    }
}
