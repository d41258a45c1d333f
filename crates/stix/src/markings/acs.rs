//! ACS 3.0: the access control of the US information sharing architecture.
//!
//! An ACS marking answers three questions. *Who may hold it*: the [`ControlSet`] names a
//! classification and, for each category that it mentions, values of which the reader needs one.
//! *What may be done with it*: `privdefault` of the [`PolicyReference`] is the answer unless an
//! [`AccessPrivilege`] says otherwise. *Who may pass it on to whom*: `sharedefault`, unless a
//! [`FurtherSharing`] says otherwise. An example: classification U, `privdefault=deny`, a privilege that
//! permits `NETDEF` to `ALL`, may be held by anyone, used to defend a network, and not be displayed.
//!
//! The published JSON schema leaves the items of `further_sharing` unchecked; they are checked here,
//! because they decide who sees an object next. A marking is read whole or not at all: whatever is
//! malformed, missing or not foreseen makes it a marking that nobody understands.

mod read;

use super::MarkingFinding;
use crate::document::Value;
use crate::scan::Kind;
use crate::timestamp::StixTimestamp;

/// Which of its two forms a marking has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An extension of the marking definition.
    Extension,
    /// A `definition` of type `x-isa-acs-3-0`, the older form.
    DefinitionType,
}

/// An ACS 3.0 marking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acs {
    /// Its form.
    pub form: Form,
    /// `isa:guide.<prefix>.<suffix>`: for provenance, retraction and audit.
    pub identifier: String,
    /// A handle for people.
    pub name: Option<String>,
    /// When the marked resource was created.
    pub create_date_time: StixTimestamp,
    /// The organisation that shares the resource.
    pub responsible_entity_custodian: String,
    /// The organisation that it comes from.
    pub responsible_entity_originator: Option<String>,
    /// `urn:isa:authority:*`: for audit, never for a decision.
    pub authority_reference: Vec<String>,
    /// The defaults of privilege and sharing.
    pub policy_reference: PolicyReference,
    /// Who classified it first.
    pub original_classification: Option<OriginalClassification>,
    /// What its classification derives from.
    pub derivative_classification: Option<DerivativeClassification>,
    /// When and how it stops being classified.
    pub declassification: Option<Declassification>,
    /// What must happen to it, and when.
    pub resource_disposition: Option<ResourceDisposition>,
    /// Who released it to the public.
    pub public_release: Option<PublicRelease>,
    /// Exceptions to the default of privilege.
    pub access_privilege: Vec<AccessPrivilege>,
    /// Exceptions to the default of sharing.
    pub further_sharing: Vec<FurtherSharing>,
    /// Who may hold it.
    pub control_set: ControlSet,
}

/// Permit or deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It is allowed.
    Permit,
    /// It is not.
    Deny,
}

/// The defaults of a marking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyReference {
    /// As written.
    pub text: String,
    /// `privdefault`; of several references, the strictest.
    pub privilege_default: Effect,
    /// `sharedefault`; of several references, the strictest.
    pub sharing_default: Effect,
}

/// A level of classification, from the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Classification {
    /// U.
    Unclassified,
    /// C.
    Confidential,
    /// S.
    Secret,
    /// TS.
    TopSecret,
}

/// Who may hold the resource. An empty list is a category that makes no demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlSet {
    /// The clearance that is needed.
    pub classification: Classification,
    /// Compartments.
    pub sci_controls: Vec<String>,
    /// Categories of the authority register.
    pub logical_authority_category: Vec<String>,
    /// PUBREL, NF, AIS, FOUO and others.
    pub formal_determination: Vec<String>,
    /// FISA, POSSIBLEPII, CISAPROPRIETARY.
    pub caveat: Vec<String>,
    /// PCII, LES, INT, PII, PR, TEI, and the mark of enhanced cybersecurity services.
    pub sensitivity: Vec<String>,
    /// NCC, EM, LE, IC.
    pub shareability: Vec<String>,
    /// MIL, GOV, CTR, SVR, SVC, DEV, NET.
    pub entity: Vec<String>,
    /// GENC codes of countries.
    pub permitted_nationalities: Vec<String>,
    /// Organisations, dotted or by group.
    pub permitted_organizations: Vec<String>,
}

/// An action that some may or may not perform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPrivilege {
    /// DSPLY, IDSRC, TENOT, NETDEF, LEGAL, INTEL, TEARLINE, OPACTION, REQUEST, ANONYMOUSACCESS,
    /// CISAUSES or ALL.
    pub privilege_action: String,
    /// Whom it concerns.
    pub privilege_scope: PrivilegeScope,
    /// Whether they may.
    pub rule_effect: Effect,
}

/// Whom a privilege concerns; at least one list is not empty, and `ALL` stands alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivilegeScope {
    /// GENC codes, or ALL.
    pub permitted_nationalities: Vec<String>,
    /// Organisations, or ALL.
    pub permitted_organizations: Vec<String>,
    /// Communities, or ALL.
    pub shareability: Vec<String>,
    /// Kinds of entity, or ALL.
    pub entity: Vec<String>,
}

/// To whom a holder may or may not pass the resource on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FurtherSharing {
    /// Organisations, FOREIGNGOV or SECTOR.
    pub sharing_scope: Vec<String>,
    /// Whether it may.
    pub rule_effect: Effect,
}

/// Who classified a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginalClassification {
    /// The classifying authority.
    pub classified_by: String,
    /// When.
    pub classified_on: Option<StixTimestamp>,
    /// Why.
    pub classification_reason: Option<String>,
    /// Why the whole is more than its parts.
    pub compilation_reason: Option<String>,
}

/// What a classification derives from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivativeClassification {
    /// Who classified it.
    pub classified_by: String,
    /// When.
    pub classified_on: Option<StixTimestamp>,
    /// From what.
    pub derived_from: String,
}

/// When a resource stops being classified; at least one is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declassification {
    /// An exemption.
    pub declass_exemption: Option<String>,
    /// Years.
    pub declass_period: Option<i64>,
    /// A date.
    pub declass_date: Option<StixTimestamp>,
    /// An event.
    pub declass_event: Option<String>,
}

/// What must happen to a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceDisposition {
    /// When.
    pub disposition_date: StixTimestamp,
    /// What, such as its destruction.
    pub disposition_process: String,
}

/// Who released a resource to the public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicRelease {
    /// Who.
    pub released_by: String,
    /// When.
    pub released_on: Option<StixTimestamp>,
}

impl Acs {
    /// Reads the content of a marking.
    ///
    /// # Errors
    ///
    /// Fails with everything that is wrong with it.
    pub fn read(content: Value<'_, '_>, form: Form) -> Result<Self, Vec<MarkingFinding>> {
        read::read(content, form)
    }

    /// What is amiss and yet leaves no doubt what the marking means.
    ///
    /// Classified content should say by whom it was classified. The published schema and examples do
    /// without, and who may hold the content does not hang on it.
    #[must_use]
    pub fn warnings(&self) -> Vec<MarkingFinding> {
        let secret = self.control_set.classification > Classification::Unclassified;
        if !secret || self.original_classification.is_some() || self.derivative_classification.is_some() {
            return Vec::new();
        }
        vec![MarkingFinding {
            pointer: "/control_set/classification".to_owned(),
            code: "acs-classification-block",
            message:
                "classified content should have `original_classification` or `derivative_classification`"
                    .to_owned(),
        }]
    }
}

/// The older form wraps the content once more, under a name of its own, in some documents.
pub(super) fn unwrapped<'d, 'a>(definition: Value<'d, 'a>) -> Value<'d, 'a> {
    let mut members = definition.members();
    match (members.next(), members.next()) {
        (Some((_, only)), None) if only.kind() == Kind::Object => only,
        _ => definition,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Document, Limits, Marking};

    const CONTROL: &str = r#""control_set":{"classification":"U","formal_determination":["AIS","FOUO"],
        "permitted_organizations":["USA.DHS.US-CERT","DIB"]}"#;
    const REST: &str = r#""extension_type":"property-extension",
        "identifier":"isa:guide.19001.ACS3-e0c28f68-5570-434a-9764-3e8498f0a59a",
        "create_date_time":"2021-08-14T01:08:08.432065Z",
        "responsible_entity_custodian":"USA.DHS.US-CERT",
        "policy_reference":"urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=deny""#;

    fn read(text: &str) -> Result<Acs, Vec<String>> {
        let document = Document::parse(text.as_bytes(), &Limits::default()).expect("well formed");
        Acs::read(document.root(), Form::Extension)
            .map_err(|findings| findings.into_iter().map(|finding| finding.pointer).collect())
    }

    #[test]
    fn every_field_is_read() {
        let text = format!(
            r#"{{{REST},"name":"n","responsible_entity_originator":"NONFED",
            "authority_reference":["urn:isa:authority:misa"],
            "original_classification":{{"classified_by":"a","classified_on":"2021-01-01T00:00:00Z",
                "classification_reason":"b","compilation_reason":"c"}},
            "derivative_classification":{{"classified_by":"d","derived_from":"e"}},
            "declassification":{{"declass_period":25,"declass_event":"f"}},
            "resource_disposition":{{"disposition_date":"2031-01-01T00:00:00Z","disposition_process":"destroy"}},
            "public_release":{{"released_by":"g","released_on":"2022-01-01T00:00:00Z"}},
            "access_privilege":[{{"privilege_action":"CISAUSES","rule_effect":"permit","privilege_scope":
                {{"permitted_nationalities":["ALL"],"permitted_organizations":["ALL"],
                  "shareability":["ALL"],"entity":["ALL"]}}}}],
            "further_sharing":[{{"sharing_scope":["USA.USG","FOREIGNGOV"],"rule_effect":"permit"}}],
            "control_set":{{"classification":"S","sci_controls":["x"],"logical_authority_category":["y"],
                "formal_determination":["NF"],"caveat":["FISA"],"sensitivity":["LES"],"shareability":["LE"],
                "entity":["GOV"],"permitted_nationalities":["USA"],"permitted_organizations":["DIB"]}}}}"#
        );
        let acs = read(&text).expect("all fields are right");
        assert_eq!(acs.control_set.classification, Classification::Secret);
        assert_eq!(acs.control_set.sensitivity, ["LES"]);
        assert_eq!(acs.policy_reference.privilege_default, Effect::Deny);
        assert_eq!(acs.access_privilege[0].privilege_scope.entity, ["ALL"]);
        assert_eq!(acs.further_sharing[0].sharing_scope, ["USA.USG", "FOREIGNGOV"]);
        assert_eq!(acs.further_sharing[0].rule_effect, Effect::Permit);
        assert_eq!(acs.declassification.and_then(|block| block.declass_period), Some(25));
        assert_eq!(
            acs.resource_disposition.map(|block| block.disposition_process).as_deref(),
            Some("destroy")
        );
    }

    #[test]
    fn what_is_malformed_is_named() {
        let cases = [
            (format!("{{{REST}}}"), vec!["/control_set"]),
            (
                format!("{{{CONTROL}}}"),
                vec![
                    "/extension_type",
                    "/identifier",
                    "/responsible_entity_custodian",
                    "/create_date_time",
                    "/policy_reference",
                ],
            ),
            (format!("{{{REST},{CONTROL},\"x_demand\":1}}"), vec!["/x_demand"]),
            (
                format!(r#"{{{REST},"control_set":{{"classification":"X"}}}}"#),
                vec!["/control_set/classification"],
            ),
            (
                format!(r#"{{{REST},"control_set":{{"classification":"U","caveat":["fisa"]}}}}"#),
                vec!["/control_set/caveat/0"],
            ),
            (
                format!(
                    r#"{{{REST},"control_set":{{"classification":"U","formal_determination":["PUBREL"]}}}}"#
                ),
                vec!["/control_set/formal_determination"],
            ),
            (
                format!(
                    r#"{{{REST},{CONTROL},"further_sharing":[{{"sharing_scope":["anyone"],"rule_effect":"permit"}}]}}"#
                ),
                vec!["/further_sharing/0/sharing_scope/0"],
            ),
            (
                format!(
                    r#"{{{REST},{CONTROL},"further_sharing":[{{"sharing_scope":["DIB"],"rule_effect":"allow"}}]}}"#
                ),
                vec!["/further_sharing/0/rule_effect"],
            ),
            (
                format!(r#"{{{REST},{CONTROL},"further_sharing":[{{}}]}}"#),
                vec!["/further_sharing/0/sharing_scope", "/further_sharing/0/rule_effect"],
            ),
            (
                format!(
                    r#"{{{REST},{CONTROL},"access_privilege":[{{"privilege_action":"ALL","rule_effect":"deny",
                    "privilege_scope":{{"entity":["ALL","GOV"]}}}}]}}"#
                ),
                vec!["/access_privilege/0/privilege_scope/entity"],
            ),
            (
                format!(
                    r#"{{{REST},{CONTROL},"access_privilege":[{{"privilege_action":"ALL","rule_effect":"deny",
                    "privilege_scope":{{}}}}]}}"#
                ),
                vec!["/access_privilege/0/privilege_scope"],
            ),
        ];
        for (text, want) in cases {
            assert_eq!(read(&text).expect_err(&text), want, "{text}");
        }
    }

    /// The control sets of the published use cases 1, 3 and 5.
    #[test]
    fn the_published_use_cases_are_understood() {
        let public = r#""public_release":{"released_by":"Authority","released_on":"2020-01-01T00:00:00Z"},"#;
        let cases = [
            ("", r#"{"classification":"TS","entity":["GOV","CTR","MIL"]}"#, 1),
            ("", r#"{"classification":"S"}"#, 1),
            (public, r#"{"classification":"U","formal_determination":["PUBREL"]}"#, 0),
            (
                "",
                r#"{"classification":"U","sensitivity":["LES"],"entity":["MIL","CTR","GOV"],
                    "permitted_organizations":["USA.USG","USA.SLTT"]}"#,
                0,
            ),
        ];
        for (more, control, warnings) in cases {
            let acs = read(&format!(r#"{{{more}{REST},"control_set":{control}}}"#)).expect(control);
            assert_eq!(acs.warnings().len(), warnings, "{control}");
        }
    }

    #[test]
    fn of_several_policies_the_strictest_counts() {
        let two = "urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=deny \
                   urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=permit";
        let one = "urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=deny";
        let acs = read(&format!("{{{},{CONTROL}}}", REST.replace(one, two))).expect("well formed");
        let policy = acs.policy_reference;
        assert_eq!((policy.privilege_default, policy.sharing_default), (Effect::Deny, Effect::Deny));
    }

    #[test]
    fn the_older_form_is_read_too() {
        let content = REST.replace(r#""extension_type":"property-extension","#, "");
        for definition in
            [format!("{{{content},{CONTROL}}}"), format!(r#"{{"x_isa":{{{content},{CONTROL}}}}}"#)]
        {
            let text = format!(
                r#"{{"type":"marking-definition","definition_type":"x-isa-acs-3-0","definition":{definition}}}"#
            );
            let marking = Marking::parse(text.as_bytes()).expect("well formed");
            assert!(matches!(marking, Marking::Acs(acs) if acs.form == Form::DefinitionType), "{text}");
        }
    }
}
