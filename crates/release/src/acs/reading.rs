//! From what the markings of an object say to what they demand.
//!
//! `stix` reads markings and keeps all that they hold; a [`Demands`] keeps what decides. Whatever is not understood
//! is a demand too, one that no member meets: a marking whose definition is not at hand, one in a tongue that
//! `stix` does not know, and an ACS marking with a rule that cannot be read.

use std::collections::BTreeSet;

use stix::markings::acs::{Classification, ControlSet, Effect};
use stix::markings::{Acs, AisConsent, Marking, PapLevel, TlpLevel, known};

use super::{AcsAction, AcsClassification, AcsEffect, AcsFurtherSharing, AcsLabel, AcsPrivilege, AcsScope};
use crate::Demands;

/// The place of a TLP level in [`Demands::tlp`]: 0 CLEAR, 1 GREEN, 2 AMBER, 3 AMBER+STRICT, 4 RED.
#[must_use]
pub fn tlp_rank(level: TlpLevel) -> u8 {
    match level {
        TlpLevel::Clear => 0,
        TlpLevel::Green => 1,
        TlpLevel::Amber => 2,
        TlpLevel::AmberStrict => 3,
        TlpLevel::Red => 4,
    }
}

/// The place of a PAP level in [`Demands::pap`]: 0 CLEAR, 1 GREEN, 2 AMBER, 3 RED.
#[must_use]
pub fn pap_rank(level: PapLevel) -> u8 {
    match level {
        PapLevel::Clear => 0,
        PapLevel::Green => 1,
        PapLevel::Amber => 2,
        PapLevel::Red => 3,
    }
}

/// An AIS consent as [`Demands::consent`] writes it.
#[must_use]
pub fn consent_word(consent: AisConsent) -> &'static str {
    match consent {
        AisConsent::Everyone => "everyone",
        AisConsent::EveryoneProprietary => "everyone-cisa-proprietary",
        AisConsent::Usg => "usg",
        AisConsent::None => "none",
    }
}

/// What these markings demand together.
///
/// Each marking comes with its identifier and, where it is at hand, what its definition means. An identifier that
/// is published (TLP and PAP have such) needs no definition; any other without one is unknown. AIS consent stands
/// on the submitter's identity and not among the markings, so it is left to the caller.
#[must_use]
pub fn demands_of<'a>(markings: impl IntoIterator<Item = (&'a str, Option<&'a Marking>)>) -> Demands {
    let demands = markings.into_iter().map(|(id, marking)| match marking {
        Some(marking) => demands_of_one(id, marking),
        None => known(id).map_or_else(|| unknown(id), |marking| demands_of_one(id, &marking)),
    });
    demands.fold(Demands::default(), |all, one| all.and(&one))
}

fn demands_of_one(id: &str, marking: &Marking) -> Demands {
    match marking {
        Marking::Tlp(level) => Demands { tlp: Some(tlp_rank(*level)), ..Demands::default() },
        Marking::Pap(level) => Demands { pap: Some(pap_rank(*level)), ..Demands::default() },
        // A statement, such as a copyright notice, binds people: it goes out with the object and closes nothing.
        Marking::Statement(_) => Demands::default(),
        Marking::Acs(acs) => match label_of(acs) {
            Some(label) => Demands { acs: BTreeSet::from([label]), ..Demands::default() },
            None => unknown(id),
        },
        Marking::Unknown { .. } => unknown(id),
    }
}

fn unknown(id: &str) -> Demands {
    Demands { unknown: BTreeSet::from([id.to_owned()]), ..Demands::default() }
}

/// The marking without its identifier, its dates and its authorities; `None` if it has a rule for an action that
/// there is no word for.
fn label_of(acs: &Acs) -> Option<AcsLabel> {
    let ControlSet {
        classification,
        sci_controls,
        logical_authority_category,
        formal_determination,
        caveat,
        sensitivity,
        shareability,
        entity,
        permitted_nationalities,
        permitted_organizations,
    } = &acs.control_set;
    let access_privilege = acs.access_privilege.iter().map(|rule| {
        let scope = &rule.privilege_scope;
        Some(AcsPrivilege {
            action: action_of(&rule.privilege_action)?,
            effect: effect_of(rule.rule_effect),
            scope: AcsScope {
                permitted_nationalities: set(&scope.permitted_nationalities),
                permitted_organizations: set(&scope.permitted_organizations),
                shareability: set(&scope.shareability),
                entity: set(&scope.entity),
            },
        })
    });
    let further_sharing = acs.further_sharing.iter().map(|rule| AcsFurtherSharing {
        effect: effect_of(rule.rule_effect),
        scope: set(&rule.sharing_scope),
    });
    Some(AcsLabel {
        privilege_default: effect_of(acs.policy_reference.privilege_default),
        sharing_default: effect_of(acs.policy_reference.sharing_default),
        classification: match classification {
            Classification::Unclassified => AcsClassification::Unclassified,
            Classification::Confidential => AcsClassification::Confidential,
            Classification::Secret => AcsClassification::Secret,
            Classification::TopSecret => AcsClassification::TopSecret,
        },
        sci_controls: set(sci_controls),
        logical_authority_category: set(logical_authority_category),
        formal_determination: set(formal_determination),
        caveat: set(caveat),
        sensitivity: set(sensitivity),
        shareability: set(shareability),
        entity: set(entity),
        permitted_nationalities: set(permitted_nationalities),
        permitted_organizations: set(permitted_organizations),
        public_release: acs.public_release.is_some(),
        access_privilege: access_privilege.collect::<Option<_>>()?,
        further_sharing: further_sharing.collect(),
    })
}

fn set(tokens: &[String]) -> BTreeSet<String> {
    tokens.iter().cloned().collect()
}

fn effect_of(effect: Effect) -> AcsEffect {
    match effect {
        Effect::Permit => AcsEffect::Permit,
        Effect::Deny => AcsEffect::Deny,
    }
}

fn action_of(word: &str) -> Option<AcsAction> {
    AcsAction::EACH.into_iter().find(|action| action.as_str() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: &str = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1";
    const GREEN_1: &str = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da";
    const PAP_AMBER: &str = "marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab";
    const OTHER: &str = "marking-definition--5f7c1e0e-7d51-4a0c-9b1c-0d7f6c1a2b3c";

    #[test]
    fn published_identifiers_need_no_definition() {
        let demands = demands_of([(GREEN_1, None), (RED, None), (PAP_AMBER, None)]);
        assert_eq!(demands, Demands { tlp: Some(4), pap: Some(2), ..Demands::default() });
        assert_eq!(demands_of([]), Demands::default());
    }

    #[test]
    fn what_is_not_understood_is_a_demand() {
        let strange = Marking::Unknown { reason: "it defines nothing".to_owned() };
        for marking in [None, Some(&strange)] {
            let demands = demands_of([(GREEN_1, None), (OTHER, marking)]);
            assert_eq!(demands.unknown, BTreeSet::from([OTHER.to_owned()]));
            assert_eq!(demands.tlp, Some(1));
        }
        // A published identifier whose definition says something else.
        let demands = demands_of([(RED, Some(&strange))]);
        assert_eq!((demands.tlp, demands.unknown.len()), (None, 1));
    }

    #[test]
    fn a_statement_demands_nothing() {
        let copyright = Marking::Statement("Copyright".to_owned());
        assert_eq!(demands_of([(OTHER, Some(&copyright))]), Demands::default());
    }

    fn acs(identifier: &str, date: &str, action: &str) -> Marking {
        let text = format!(
            r#"{{"type":"marking-definition","spec_version":"2.1","id":"{OTHER}","created":"{date}","extensions":{{
            "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce":{{"extension_type":"property-extension",
            "identifier":"isa:guide.999191.{identifier}","create_date_time":"{date}",
            "responsible_entity_custodian":"USA.DHS.US-CERT",
            "policy_reference":"urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=permit",
            "public_release":{{"released_by":"USA.DHS","released_on":"{date}"}},
            "access_privilege":[{{"privilege_action":"{action}","rule_effect":"permit",
              "privilege_scope":{{"permitted_organizations":["USA.USG"]}}}}],
            "further_sharing":[{{"sharing_scope":["FOREIGNGOV"],"rule_effect":"deny"}}],
            "control_set":{{"classification":"U","formal_determination":["PUBREL"],"caveat":["POSSIBLEPII"],
              "permitted_nationalities":["USA","GBR"]}}}}}}}}"#
        );
        Marking::parse(text.as_bytes()).expect("it is well formed")
    }

    #[test]
    fn an_acs_marking_keeps_what_decides() {
        let one = acs("one", "2017-01-20T00:00:00.000Z", "NETDEF");
        let other = acs("other", "2018-06-01T12:00:00.000Z", "NETDEF");
        let demands = demands_of([("a", Some(&one)), ("b", Some(&other))]);
        let words =
            |words: &[&str]| -> BTreeSet<String> { words.iter().map(|word| (*word).to_owned()).collect() };
        let scope = AcsScope { permitted_organizations: words(&["USA.USG"]), ..AcsScope::default() };
        let want = AcsLabel {
            formal_determination: words(&["PUBREL"]),
            caveat: words(&["POSSIBLEPII"]),
            permitted_nationalities: words(&["USA", "GBR"]),
            public_release: true,
            access_privilege: [AcsPrivilege { action: AcsAction::Netdef, effect: AcsEffect::Permit, scope }]
                .into(),
            further_sharing: [AcsFurtherSharing { effect: AcsEffect::Deny, scope: words(&["FOREIGNGOV"]) }]
                .into(),
            ..AcsLabel::unclassified(AcsEffect::Deny, AcsEffect::Permit)
        };
        assert_eq!(
            demands,
            Demands { acs: [want].into(), ..Demands::default() },
            "identifiers and dates are gone"
        );
    }

    #[test]
    fn every_action_has_its_word() {
        for action in AcsAction::EACH {
            assert_eq!(action_of(action.as_str()), Some(action));
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
        assert_eq!(action_of("EXPORT"), None);
        let Marking::Acs(mut strange) = acs("x", "2017-01-20T00:00:00.000Z", "ALL") else {
            panic!("it is ACS")
        };
        strange.access_privilege[0].privilege_action = "EXPORT".to_owned();
        let demands = demands_of([(OTHER, Some(&Marking::Acs(strange)))]);
        assert_eq!(demands, unknown(OTHER));
    }
}
