//! A counterexample in a sentence.

use std::fmt::Write as _;

use model::{Member, Principal};
use programme::{PAP_LEVELS, Settings, TLP_LEVELS};

use super::Counterexample;
use crate::Audience;

impl Counterexample {
    /// Who may do what with which label, by which policy, for people; `settings` knows the collections' names.
    #[must_use]
    pub fn sentence(&self, settings: &Settings) -> String {
        let mut text =
            format!("{} may {} {}", reader(&self.member), self.action.as_str(), self.object(settings));
        let _ = write!(text, ", permitted by {}", quoted(&self.verdict.policies));
        if let Some((member, verdict)) = &self.on_the_list {
            let by = match verdict.policies.as_slice() {
                [] => "no policy permits it".to_owned(),
                policies => format!("withheld by {}", quoted(policies)),
            };
            let _ = write!(text, "; but not {}: {by}", reader(member));
        }
        text
    }

    fn object(&self, settings: &Settings) -> String {
        let label = &self.label;
        let known = settings.collections.iter().find(|one| one.id == label.collection);
        let alias = known.map_or("that is gone", |one| one.alias.as_str());
        if !super::space::is_of_content(self.action) {
            return format!("to the collection `{alias}` of the tier `{}`", label.tier);
        }
        let mut parts = vec![format!("tier `{}`", label.tier), format!("collection `{alias}`")];
        let word =
            |levels: &[&'static str], level: u8| levels.get(usize::from(level)).copied().unwrap_or("?");
        parts.push(match label.demands.tlp {
            Some(level) => format!("TLP:{}", word(&TLP_LEVELS, level).to_uppercase()),
            None => "no TLP".to_owned(),
        });
        parts.extend(
            label.demands.pap.map(|level| format!("PAP:{}", word(&PAP_LEVELS, level).to_uppercase())),
        );
        parts.extend(label.demands.consent.as_ref().map(|consent| format!("consent `{consent}`")));
        parts.push(match &label.creator {
            Principal::Role(role) => format!("by the {role}"),
            Principal::Member(id) if *id == self.member.id => "its own".to_owned(),
            Principal::Member(_) => "by another member".to_owned(),
        });
        match &label.audience {
            Audience::Everyone => {}
            Audience::Named(named) if named.is_empty() => parts.push("for nobody".to_owned()),
            Audience::Named(named) if named.contains(&self.member.id) => {
                parts.push("for it by name".to_owned());
            }
            Audience::Named(_) => parts.push("for others by name".to_owned()),
        }
        if !label.demands.unknown.is_empty() {
            parts.push("with an unknown marking".to_owned());
        }
        if !label.demands.acs.is_empty() {
            parts.push("with an ACS marking".to_owned());
        }
        format!("what is labelled ({})", parts.join(", "))
    }
}

fn reader(member: &Member) -> String {
    let standings: Vec<_> =
        member.standings.iter().map(|(tier, standing)| format!("{standing} on `{tier}`")).collect();
    match standings.as_slice() {
        [] => format!("a {} without standing", member.kind),
        standings => format!("a {} that is {}", member.kind, standings.join(", ")),
    }
}

fn quoted(ids: &[String]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}
