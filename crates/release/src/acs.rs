//! ACS 3.0: may this reader hold, use and pass on what carries such a marking?
//!
//! The Access Control Specification marks an object with *who may have it* and *what they may do with it*. The
//! decision has three layers, asked in turn:
//!
//! 1. **Access**, from the control set: the reader's clearance dominates the classification, and for each category
//!    that the marking names (nationality, organisation, kind of entity, community) the reader is in one of those
//!    named, and the reader holds *each* formal access named by a sensitivity or caveat.
//! 2. **Action**: the marking's `privdefault`, unless an `access_privilege` rule speaks of this action and this
//!    reader. One rule that denies outweighs any that permit. So a reader may hold an object and not be allowed to
//!    show it.
//! 3. **Onward**: who has the object may give it to another as `sharedefault` says, unless `further_sharing` speaks
//!    of that other; and the other has to pass layer 1 as well.
//!
//! Worked example. An Enhanced Cybersecurity Services indicator is `privdefault=deny`, sensitivity
//! `NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA`, with one rule that permits `NETDEF` to all. A provider that holds that access
//! may hold it and defend networks with it; asked for `DSPLY`, no rule matches, the default holds, and the answer
//! is no. A provider without that access does not come past layer 1.
//!
//! An [`AcsLabel`] is a marking without its identifier, its dates and its authorities, which are there for audit
//! and decide nothing. Markings that decide alike are equal, which keeps labels few. Where a marking contradicts
//! itself or says what cannot be read, the stricter reading holds.

mod reading;

use std::collections::BTreeSet;

use model::Subject;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use reading::{consent_word, demands_of, pap_rank, tlp_rank};

/// What a marking says where no rule does, or what a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcsEffect {
    /// Yes.
    Permit,
    /// No.
    Deny,
}

/// How damaging disclosure would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AcsClassification {
    /// Unclassified.
    #[serde(rename = "U")]
    Unclassified,
    /// Confidential.
    #[serde(rename = "C")]
    Confidential,
    /// Secret.
    #[serde(rename = "S")]
    Secret,
    /// Top secret.
    #[serde(rename = "TS")]
    TopSecret,
}

impl AcsClassification {
    /// The clearance that dominates it, as [`Subject::clearance`] counts.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Self::Unclassified => 0,
            Self::Confidential => 1,
            Self::Secret => 2,
            Self::TopSecret => 3,
        }
    }
}

/// What an `access_privilege` rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AcsAction {
    /// Show it to people.
    Dsply,
    /// Tell who the source is.
    Idsrc,
    /// Notify the owners of what it names.
    Tenot,
    /// Defend networks with it.
    Netdef,
    /// Use it in legal proceedings.
    Legal,
    /// Use it for intelligence analysis.
    Intel,
    /// Split it into parts of different markings.
    Tearline,
    /// Act on it operationally.
    Opaction,
    /// Ask for a waiver of its restrictions.
    Request,
    /// Have it without being identified.
    Anonymousaccess,
    /// What the Cybersecurity Information Sharing Act of 2015 allows.
    Cisauses,
    /// Every action.
    All,
}

impl AcsAction {
    /// Each of them.
    pub const EACH: [Self; 12] = [
        Self::Dsply,
        Self::Idsrc,
        Self::Tenot,
        Self::Netdef,
        Self::Legal,
        Self::Intel,
        Self::Tearline,
        Self::Opaction,
        Self::Request,
        Self::Anonymousaccess,
        Self::Cisauses,
        Self::All,
    ];

    /// The action as ACS writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dsply => "DSPLY",
            Self::Idsrc => "IDSRC",
            Self::Tenot => "TENOT",
            Self::Netdef => "NETDEF",
            Self::Legal => "LEGAL",
            Self::Intel => "INTEL",
            Self::Tearline => "TEARLINE",
            Self::Opaction => "OPACTION",
            Self::Request => "REQUEST",
            Self::Anonymousaccess => "ANONYMOUSACCESS",
            Self::Cisauses => "CISAUSES",
            Self::All => "ALL",
        }
    }
}

/// To whom an `access_privilege` rule applies: those in one of each category that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AcsScope {
    /// Nationalities; `ALL` is every one.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub permitted_nationalities: BTreeSet<String>,
    /// Organisations; `ALL` is every one.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub permitted_organizations: BTreeSet<String>,
    /// Communities; `ALL` is every one.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub shareability: BTreeSet<String>,
    /// Kinds of entity; `ALL` is every one.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub entity: BTreeSet<String>,
}

/// One `access_privilege` rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcsPrivilege {
    /// What it speaks of.
    pub action: AcsAction,
    /// What it says.
    pub effect: AcsEffect,
    /// To whom it applies.
    pub scope: AcsScope,
}

/// One `further_sharing` rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcsFurtherSharing {
    /// What it says.
    pub effect: AcsEffect,
    /// Of which recipients: organisations, `FOREIGNGOV`, `SECTOR`, or `ALL`.
    pub scope: BTreeSet<String>,
}

/// An ACS 3.0 marking, as far as it decides anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcsLabel {
    /// What a reader may do where no rule says otherwise (`privdefault` of the policy reference).
    #[serde(rename = "privdefault")]
    pub privilege_default: AcsEffect,
    /// Whether a reader may pass it on where no rule says otherwise (`sharedefault`).
    #[serde(rename = "sharedefault")]
    pub sharing_default: AcsEffect,
    /// The classification.
    pub classification: AcsClassification,
    /// Compartments; each takes a formal access.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub sci_controls: BTreeSet<String>,
    /// Authorities under which it may be held; the reader needs one of them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub logical_authority_category: BTreeSet<String>,
    /// Determinations such as `NF` (US persons only), `PUBREL`, `AIS`, `FOUO`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub formal_determination: BTreeSet<String>,
    /// Caveats; each takes a formal access.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub caveat: BTreeSet<String>,
    /// Sensitivities; each takes a formal access.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub sensitivity: BTreeSet<String>,
    /// Communities; the reader is in one of them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub shareability: BTreeSet<String>,
    /// Kinds of entity; the reader is one of them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub entity: BTreeSet<String>,
    /// Nationalities; the reader has one of them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub permitted_nationalities: BTreeSet<String>,
    /// Organisations; the reader is in one of them. `USA.DHS` contains `USA.DHS.US-CERT`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub permitted_organizations: BTreeSet<String>,
    /// Whether it says who released it to the public, and when.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub public_release: bool,
    /// What readers may do with it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub access_privilege: BTreeSet<AcsPrivilege>,
    /// To whom readers may pass it on.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub further_sharing: BTreeSet<AcsFurtherSharing>,
}

/// Why a reader may not hold an object.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AcsRefusal {
    /// The clearance does not dominate the classification.
    #[error("classification takes clearance {needed}, the reader's is {held}")]
    Clearance {
        /// The clearance that it takes.
        needed: u8,
        /// The reader's.
        held: u8,
    },
    /// The reader is in none of those that a category names.
    #[error("the reader is in none of the marking's `{category}`")]
    Category {
        /// The category's property in the marking.
        category: &'static str,
    },
    /// The reader lacks a formal access.
    #[error("the reader does not hold the access `{token}`")]
    FormalAccess {
        /// The token of the access.
        token: String,
    },
    /// NF: for US persons only.
    #[error("`NF` admits US persons only")]
    NoForeign,
    /// PUBREL with a classification, or without saying who released it.
    #[error("`PUBREL` holds only for what is unclassified and says by whom and when it was released")]
    NotReleased,
}

impl AcsLabel {
    /// A marking that demands nothing: unclassified, with these defaults and no rule.
    #[must_use]
    pub fn unclassified(privilege_default: AcsEffect, sharing_default: AcsEffect) -> Self {
        Self {
            privilege_default,
            sharing_default,
            classification: AcsClassification::Unclassified,
            sci_controls: BTreeSet::new(),
            logical_authority_category: BTreeSet::new(),
            formal_determination: BTreeSet::new(),
            caveat: BTreeSet::new(),
            sensitivity: BTreeSet::new(),
            shareability: BTreeSet::new(),
            entity: BTreeSet::new(),
            permitted_nationalities: BTreeSet::new(),
            permitted_organizations: BTreeSet::new(),
            public_release: false,
            access_privilege: BTreeSet::new(),
            further_sharing: BTreeSet::new(),
        }
    }

    /// Layer 1: whether `reader` may hold the object.
    ///
    /// A well-formed public marking demands nothing, so it admits all; `PUBREL` beside a demand does not lift it.
    ///
    /// # Errors
    ///
    /// Says which demand the reader does not meet.
    pub fn may_hold(&self, reader: &Subject) -> Result<(), AcsRefusal> {
        let needed = self.classification.rank();
        if reader.clearance < needed {
            return Err(AcsRefusal::Clearance { needed, held: reader.clearance });
        }
        if self.formal_determination.contains("PUBREL") && (needed > 0 || !self.public_release) {
            return Err(AcsRefusal::NotReleased);
        }
        let us_person = reader.nationalities.len() == 1 && reader.nationalities.contains("USA");
        if self.formal_determination.contains("NF") && !us_person {
            return Err(AcsRefusal::NoForeign);
        }
        let categories = [
            ("permitted_nationalities", is_one_of(&self.permitted_nationalities, &reader.nationalities)),
            ("permitted_organizations", is_within(&self.permitted_organizations, &reader.organisations)),
            ("entity", is_one_of(&self.entity, &reader.entities)),
            ("shareability", is_one_of(&self.shareability, &reader.communities)),
            ("logical_authority_category", is_one_of(&self.logical_authority_category, &reader.accesses)),
        ];
        if let Some((category, _)) = categories.into_iter().find(|(_, admitted)| !admitted) {
            return Err(AcsRefusal::Category { category });
        }
        let mut accesses = self.sensitivity.iter().chain(&self.caveat).chain(&self.sci_controls);
        match accesses.find(|token| !reader.accesses.contains(*token)) {
            Some(token) => Err(AcsRefusal::FormalAccess { token: token.clone() }),
            None => Ok(()),
        }
    }

    /// Layers 1 and 2: whether `reader` may hold the object and do `action` with it.
    #[must_use]
    pub fn may(&self, reader: &Subject, action: AcsAction) -> bool {
        let rules = self
            .access_privilege
            .iter()
            .filter(|rule| rule.action == action || rule.action == AcsAction::All)
            .filter(|rule| rule.scope.applies_to(reader, rule.effect))
            .map(|rule| rule.effect);
        self.may_hold(reader).is_ok() && decided(rules, self.privilege_default)
    }

    /// Layer 3: whether one who holds the object may pass it on to `next`, and `next` may hold it.
    #[must_use]
    pub fn may_pass_to(&self, next: &Subject) -> bool {
        let applies = |rule: &&AcsFurtherSharing| {
            // Malformed, as an empty scope of a privilege is: it denies to all and permits to none.
            (rule.scope.is_empty() && rule.effect == AcsEffect::Deny)
                || is_within_scope(&rule.scope, &next.organisations)
                || is_one(&rule.scope, &next.communities)
        };
        let rules = self.further_sharing.iter().filter(applies).map(|rule| rule.effect);
        self.may_hold(next).is_ok() && decided(rules, self.sharing_default)
    }

    /// Layer 3 without a recipient in view: whether one who holds the object may pass it on to anyone whom layer 1
    /// admits.
    #[must_use]
    pub fn may_pass_to_anyone(&self) -> bool {
        self.sharing_default == AcsEffect::Permit
            && self.further_sharing.iter().all(|rule| rule.effect == AcsEffect::Permit)
    }
}

impl AcsScope {
    /// A scope that names nothing is malformed (one category at least is required): it denies to all and permits
    /// to none.
    fn applies_to(&self, reader: &Subject, effect: AcsEffect) -> bool {
        if *self == Self::default() {
            return effect == AcsEffect::Deny;
        }
        let named =
            |scope: &BTreeSet<String>, held: &BTreeSet<String>| scope.is_empty() || is_one(scope, held);
        named(&self.permitted_nationalities, &reader.nationalities)
            && named(&self.shareability, &reader.communities)
            && named(&self.entity, &reader.entities)
            && (self.permitted_organizations.is_empty()
                || is_within_scope(&self.permitted_organizations, &reader.organisations))
    }
}

/// The rules that apply, or the default where none does; one that denies outweighs the others.
fn decided(rules: impl Iterator<Item = AcsEffect>, default: AcsEffect) -> bool {
    // `Deny` is the greater of the two.
    rules.max().unwrap_or(default) == AcsEffect::Permit
}

/// A category of the control set: naming nobody demands nothing.
fn is_one_of(named: &BTreeSet<String>, held: &BTreeSet<String>) -> bool {
    named.is_empty() || !named.is_disjoint(held)
}

fn is_within(named: &BTreeSet<String>, held: &BTreeSet<String>) -> bool {
    named.is_empty() || any_contains(named, held)
}

/// A scope: `ALL` is everyone.
fn is_one(scope: &BTreeSet<String>, held: &BTreeSet<String>) -> bool {
    scope.contains("ALL") || !scope.is_disjoint(held)
}

fn is_within_scope(scope: &BTreeSet<String>, held: &BTreeSet<String>) -> bool {
    scope.contains("ALL") || any_contains(scope, held)
}

/// Whether one of the organisations `named` is, or contains by its dotted name, one of those `held`.
fn any_contains(named: &BTreeSet<String>, held: &BTreeSet<String>) -> bool {
    held.iter().any(|token| {
        named.iter().any(|whole| {
            token.strip_prefix(whole.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use AcsEffect::{Deny, Permit};

    fn set(tokens: &[&str]) -> BTreeSet<String> {
        tokens.iter().map(|token| (*token).to_owned()).collect()
    }

    fn rule(action: AcsAction, effect: AcsEffect, organisations: &[&str]) -> AcsPrivilege {
        let scope = AcsScope { permitted_organizations: set(organisations), ..AcsScope::default() };
        AcsPrivilege { action, effect, scope }
    }

    fn american(organisation: &str) -> Subject {
        Subject { nationalities: set(&["USA"]), organisations: set(&[organisation]), ..Subject::default() }
    }

    #[test]
    fn use_case_1_top_secret_for_kinds_of_entity() {
        let marking = AcsLabel {
            classification: AcsClassification::TopSecret,
            entity: set(&["GOV", "CTR", "MIL"]),
            ..AcsLabel::unclassified(Deny, Deny)
        };
        let cases = [
            // clearance, entity, what layer 1 says
            (3, "GOV", Ok(())),
            (3, "MIL", Ok(())),
            (2, "GOV", Err(AcsRefusal::Clearance { needed: 3, held: 2 })),
            (3, "SVC", Err(AcsRefusal::Category { category: "entity" })),
        ];
        for (clearance, entity, want) in cases {
            let reader = Subject { clearance, entities: set(&[entity]), ..american("USA.DOD") };
            assert_eq!(marking.may_hold(&reader), want, "{clearance} {entity}");
            assert!(!marking.may(&reader, AcsAction::Dsply), "privdefault is deny, and no rule permits");
            assert!(!marking.may_pass_to(&reader), "sharedefault is deny, and no rule permits");
        }
    }

    #[test]
    fn use_case_2_intelligence_and_display_but_no_network_defence() {
        let everyone = &["ALL"];
        let marking = AcsLabel {
            formal_determination: set(&["FOUO"]),
            access_privilege: [AcsAction::Intel, AcsAction::Dsply, AcsAction::Request]
                .map(|action| rule(action, Permit, everyone))
                .into(),
            ..AcsLabel::unclassified(Deny, Permit)
        };
        let reader = american("USA.DHS.US-CERT");
        assert_eq!(marking.may_hold(&reader), Ok(()));
        for action in [AcsAction::Intel, AcsAction::Dsply, AcsAction::Request] {
            assert!(marking.may(&reader, action), "{action:?}");
        }
        for action in [AcsAction::Netdef, AcsAction::Legal, AcsAction::Opaction, AcsAction::Idsrc] {
            assert!(!marking.may(&reader, action), "{action:?}");
        }
        assert!(marking.may_pass_to(&american("CIKR")));
    }

    #[test]
    fn use_case_3_portions_of_different_classification() {
        let address = AcsLabel {
            formal_determination: set(&["PUBREL"]),
            public_release: true,
            ..AcsLabel::unclassified(Permit, Permit)
        };
        let actor =
            AcsLabel { classification: AcsClassification::Secret, ..AcsLabel::unclassified(Deny, Deny) };
        let uncleared = Subject::default();
        assert_eq!(address.may_hold(&uncleared), Ok(()));
        assert!(address.may(&uncleared, AcsAction::Dsply));
        assert_eq!(actor.may_hold(&uncleared), Err(AcsRefusal::Clearance { needed: 2, held: 0 }));
        assert_eq!(actor.may_hold(&Subject { clearance: 2, ..uncleared }), Ok(()));
    }

    #[test]
    fn use_case_4_machines_of_the_government() {
        let marking = AcsLabel {
            entity: set(&["SVR", "SVC", "DEV", "NET"]),
            permitted_organizations: set(&["USA.USG"]),
            ..AcsLabel::unclassified(Permit, Deny)
        };
        let cases = [
            ("USA.USG", "SVR", Ok(())),
            ("USA.USG.DHS", "NET", Ok(())),
            ("USA.USG", "GOV", Err(AcsRefusal::Category { category: "entity" })),
            ("USA.USGS", "SVR", Err(AcsRefusal::Category { category: "permitted_organizations" })),
            ("USA", "SVR", Err(AcsRefusal::Category { category: "permitted_organizations" })),
        ];
        for (organisation, entity, want) in cases {
            let reader = Subject { entities: set(&[entity]), ..american(organisation) };
            assert_eq!(marking.may_hold(&reader), want, "{organisation} {entity}");
        }
    }

    #[test]
    fn use_case_5_law_enforcement_sensitive() {
        let marking = AcsLabel {
            sensitivity: set(&["LES"]),
            permitted_organizations: set(&["USA.USG", "USA.SLTT"]),
            ..AcsLabel::unclassified(Permit, Permit)
        };
        let sheriff = american("USA.SLTT.TX");
        let without = Err(AcsRefusal::FormalAccess { token: "LES".to_owned() });
        assert_eq!(marking.may_hold(&sheriff), without);
        assert_eq!(marking.may_hold(&Subject { accesses: set(&["LES"]), ..sheriff }), Ok(()));
    }

    #[test]
    fn federal_indicators_for_ais_go_on_to_the_government_only() {
        let marking = AcsLabel {
            formal_determination: set(&["AIS", "FOUO"]),
            access_privilege: [rule(AcsAction::Cisauses, Permit, &["ALL"])].into(),
            further_sharing: [AcsFurtherSharing { effect: Permit, scope: set(&["USA.USG"]) }].into(),
            ..AcsLabel::unclassified(Deny, Deny)
        };
        assert!(marking.may(&american("CIKR"), AcsAction::Cisauses));
        assert!(!marking.may(&american("CIKR"), AcsAction::Legal));
        assert!(marking.may_pass_to(&american("USA.USG.DOE")));
        assert!(!marking.may_pass_to(&american("CIKR")));
        assert!(!marking.may_pass_to_anyone());
    }

    #[test]
    fn enhanced_services_content_is_enforced_and_not_shown() {
        let token = "NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA";
        let marking = AcsLabel {
            sensitivity: set(&[token]),
            access_privilege: [rule(AcsAction::Netdef, Permit, &["ALL"])].into(),
            ..AcsLabel::unclassified(Deny, Deny)
        };
        let provider = Subject { accesses: set(&[token]), ..american("DIB") };
        assert!(marking.may(&provider, AcsAction::Netdef));
        assert!(!marking.may(&provider, AcsAction::Dsply));
        assert!(!marking.may(&american("DIB"), AcsAction::Netdef), "layer 1 comes first");
    }

    #[test]
    fn a_rule_that_denies_outweighs_those_that_permit() {
        let rules = [rule(AcsAction::All, Permit, &["ALL"]), rule(AcsAction::Netdef, Deny, &["DIB"])];
        let marking = AcsLabel { access_privilege: rules.into(), ..AcsLabel::unclassified(Deny, Permit) };
        assert!(marking.may(&american("FIN"), AcsAction::Netdef));
        assert!(!marking.may(&american("DIB"), AcsAction::Netdef));
        assert!(marking.may(&american("DIB"), AcsAction::Dsply));
        let further_sharing = [
            AcsFurtherSharing { effect: Permit, scope: set(&["FIN", "DIB"]) },
            AcsFurtherSharing { effect: Deny, scope: set(&["DIB", "FOREIGNGOV"]) },
        ];
        let marking = AcsLabel { further_sharing: further_sharing.into(), ..marking };
        assert!(marking.may_pass_to(&american("FIN")));
        assert!(!marking.may_pass_to(&american("DIB")));
        assert!(!marking.may_pass_to(&Subject { communities: set(&["FOREIGNGOV"]), ..american("FIN") }));
        assert!(!marking.may_pass_to_anyone());
    }

    #[test]
    fn what_contradicts_itself_is_read_strictly() {
        let reader = american("DIB");
        let public = |classification, public_release| AcsLabel {
            formal_determination: set(&["PUBREL"]),
            classification,
            public_release,
            ..AcsLabel::unclassified(Permit, Permit)
        };
        let cleared = Subject { clearance: 3, ..reader.clone() };
        let (unclassified, secret) = (AcsClassification::Unclassified, AcsClassification::Secret);
        assert_eq!(public(unclassified, true).may_hold(&reader), Ok(()));
        assert_eq!(public(unclassified, false).may_hold(&reader), Err(AcsRefusal::NotReleased));
        assert_eq!(public(secret, true).may_hold(&cleared), Err(AcsRefusal::NotReleased));
        let foreign = AcsLabel { formal_determination: set(&["NF", "PUBREL"]), ..public(unclassified, true) };
        let canadian = Subject { nationalities: set(&["CAN"]), ..Subject::default() };
        let both = Subject { nationalities: set(&["CAN", "USA"]), ..Subject::default() };
        for reader in [canadian, both, Subject::default()] {
            assert_eq!(foreign.may_hold(&reader), Err(AcsRefusal::NoForeign), "{reader:?}");
        }
        for (effect, default, want) in [(Permit, Deny, false), (Deny, Permit, false)] {
            let rules = [rule(AcsAction::Dsply, effect, &[])];
            let marking =
                AcsLabel { access_privilege: rules.into(), ..AcsLabel::unclassified(default, Permit) };
            assert_eq!(marking.may(&reader, AcsAction::Dsply), want, "a scope that names nothing");
        }
    }

    #[test]
    fn a_marking_reads_as_it_is_written() {
        let marking = AcsLabel {
            sensitivity: set(&["PCII"]),
            access_privilege: [rule(AcsAction::Anonymousaccess, Deny, &["ALL"])].into(),
            ..AcsLabel::unclassified(Permit, Deny)
        };
        let text = serde_json::to_string(&marking).unwrap();
        assert_eq!(
            text,
            r#"{"privdefault":"permit","sharedefault":"deny","classification":"U","sensitivity":["PCII"],"access_privilege":[{"action":"ANONYMOUSACCESS","effect":"deny","scope":{"permitted_organizations":["ALL"]}}]}"#
        );
        assert_eq!(serde_json::from_str::<AcsLabel>(&text).unwrap(), marking);
        let misspelt = text.replace("sensitivity", "sensitivities");
        assert!(serde_json::from_str::<AcsLabel>(&misspelt).is_err());
    }
}
