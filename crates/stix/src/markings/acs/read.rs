//! Reads an ACS marking, and collects what is wrong with it on the way.

use super::{
    AccessPrivilege, Acs, Classification, ControlSet, Declassification, DerivativeClassification, Effect,
    Form, FurtherSharing, OriginalClassification, PolicyReference, PrivilegeScope, PublicRelease,
    ResourceDisposition,
};
use crate::document::Value;
use crate::markings::MarkingFinding;
use crate::scan::Kind;
use crate::timestamp::StixTimestamp;

/// Reads the content of a marking, or everything that is wrong with it.
pub(super) fn read(content: Value<'_, '_>, form: Form) -> Result<Acs, Vec<MarkingFinding>> {
    let mut reader = Reader { findings: Vec::new() };
    match (reader.acs(content, form), reader.findings.is_empty()) {
        (Some(acs), true) => Ok(acs),
        (Some(_) | None, _) => Err(reader.findings),
    }
}

const FORMAL_DETERMINATIONS: &[&str] = &[
    "PUBREL",
    "NF",
    "AIS",
    "FOUO",
    "NO-PII-PRESENT",
    // An older draft's word for the same.
    "PII-NOT-PRESENT",
    "PII-NECESSARY-TO-UNDERSTAND-THREAT",
    "INFORMATION-DIRECTLY-RELATED-TO-CYBERSECURITY-THREAT",
];
const CAVEATS: &[&str] = &["FISA", "POSSIBLEPII", "CISAPROPRIETARY"];
const SENSITIVITIES: &[&str] =
    &["NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA", "PCII", "LES", "INT", "PII", "PR", "TEI"];
const SHAREABILITIES: &[&str] = &["NCC", "EM", "LE", "IC"];
const ENTITIES: &[&str] = &["MIL", "GOV", "CTR", "SVR", "SVC", "DEV", "NET"];
const ORGANIZATION_GROUPS: &[&str] = &["CDC", "CIKR", "DIB", "FIN", "ISAC", "NONFED", "PRIVATESECTOR"];
const ACTIONS: &[&str] = &[
    "DSPLY",
    "IDSRC",
    "TENOT",
    "NETDEF",
    "LEGAL",
    "INTEL",
    "TEARLINE",
    "OPACTION",
    "REQUEST",
    "ANONYMOUSACCESS",
    "CISAUSES",
    "ALL",
];
const POLICY: &str = "urn:isa:policy:acs:ns:v3.0?privdefault=";

/// Reads and collects what is wrong on the way.
struct Reader {
    findings: Vec<MarkingFinding>,
}

/// An object and where it stands.
struct At<'d, 'a> {
    value: Value<'d, 'a>,
    pointer: String,
}

impl At<'_, '_> {
    fn pointer(&self, key: &str) -> String {
        format!("{}/{}", self.pointer, key.replace('~', "~0").replace('/', "~1"))
    }
}

impl Reader {
    fn add(&mut self, pointer: String, message: String) {
        self.findings.push(MarkingFinding { pointer, code: "acs", message });
    }

    fn acs(&mut self, content: Value<'_, '_>, form: Form) -> Option<Acs> {
        let allowed = [
            "identifier",
            "name",
            "create_date_time",
            "responsible_entity_custodian",
            "responsible_entity_originator",
            "authority_reference",
            "policy_reference",
            "original_classification",
            "derivative_classification",
            "declassification",
            "resource_disposition",
            "public_release",
            "access_privilege",
            "further_sharing",
            "control_set",
            "extension_type",
        ];
        let at = self.object(content, String::new(), &allowed)?;
        if form == Form::Extension {
            let kind = self.required(&at, "extension_type");
            if kind.is_some_and(|kind| kind != "property-extension") {
                self.add(at.pointer("extension_type"), "it must be `property-extension`".to_owned());
            }
        }
        let identifier = self.required(&at, "identifier");
        if identifier.as_deref().is_some_and(|id| !is_guide(id)) {
            self.add(at.pointer("identifier"), "it must have the form `isa:guide.prefix.suffix`".to_owned());
        }
        let custodian = self.required(&at, "responsible_entity_custodian");
        let originator = self.text(&at, "responsible_entity_originator");
        if custodian.as_deref().is_some_and(|token| !is_dotted(token)) {
            let message = "it must be an organisation such as `USA.DHS.US-CERT`".to_owned();
            self.add(at.pointer("responsible_entity_custodian"), message);
        }
        if originator.as_deref().is_some_and(|token| !is_organization(token)) {
            let message = "it must be an organisation such as `USA.DHS.US-CERT`".to_owned();
            self.add(at.pointer("responsible_entity_originator"), message);
        }
        let authority =
            |text: &str| text.strip_prefix("urn:isa:authority:").is_some_and(|rest| !rest.is_empty());
        let name = self.text(&at, "name");
        let create_date_time = self.required_time(&at, "create_date_time");
        let authority_reference = self.tokens(&at, "authority_reference", "`urn:isa:authority:*`", authority);
        let policy_reference = self.policy(&at);
        let original_classification = self.original(&at);
        let derivative_classification = self.derivative(&at);
        let declassification = self.declassification(&at);
        let resource_disposition = self.disposition(&at);
        let public_release = self.public_release(&at);
        let access_privilege = self.each(&at, "access_privilege", Self::privilege);
        let further_sharing = self.each(&at, "further_sharing", Self::sharing);
        let control_set = self.control_set(&at);
        let acs = Acs {
            form,
            identifier: identifier?,
            name,
            create_date_time: create_date_time?,
            responsible_entity_custodian: custodian?,
            responsible_entity_originator: originator,
            authority_reference,
            policy_reference: policy_reference?,
            original_classification,
            derivative_classification,
            declassification,
            resource_disposition,
            public_release,
            access_privilege,
            further_sharing,
            control_set: control_set?,
        };
        self.public(&acs);
        Some(acs)
    }

    /// What a public release demands of the rest.
    fn public(&mut self, acs: &Acs) {
        let control = &acs.control_set;
        if !control.formal_determination.iter().any(|word| word == "PUBREL") {
            return;
        }
        let pointer = || "/control_set/formal_determination".to_owned();
        if control.classification > Classification::Unclassified {
            self.add(pointer(), "PUBREL is only valid with classification U".to_owned());
        }
        if acs.public_release.is_none() {
            self.add(pointer(), "PUBREL needs `public_release`".to_owned());
        }
    }

    fn policy(&mut self, at: &At<'_, '_>) -> Option<PolicyReference> {
        let text = self.required(at, "policy_reference")?;
        let mut defaults: Option<(Effect, Effect)> = None;
        for part in text.split_ascii_whitespace() {
            let Some((privilege, sharing)) = policy_defaults(part) else {
                let message =
                    format!("it must have the form `{POLICY}(permit|deny)&sharedefault=(permit|deny)`");
                self.add(at.pointer("policy_reference"), message);
                return None;
            };
            let (p, s) = defaults.unwrap_or((Effect::Permit, Effect::Permit));
            defaults = Some((stricter(p, privilege), stricter(s, sharing)));
        }
        let Some((privilege_default, sharing_default)) = defaults else {
            self.add(at.pointer("policy_reference"), "it must not be empty".to_owned());
            return None;
        };
        Some(PolicyReference { text, privilege_default, sharing_default })
    }

    fn control_set(&mut self, parent: &At<'_, '_>) -> Option<ControlSet> {
        let allowed = [
            "classification",
            "sci_controls",
            "logical_authority_category",
            "formal_determination",
            "caveat",
            "sensitivity",
            "shareability",
            "entity",
            "permitted_nationalities",
            "permitted_organizations",
        ];
        let Some(value) = parent.value.get("control_set") else {
            self.add(parent.pointer("control_set"), "it is required".to_owned());
            return None;
        };
        let at = self.object(value, parent.pointer("control_set"), &allowed)?;
        let classification = match self.required(&at, "classification")?.as_str() {
            "U" => Some(Classification::Unclassified),
            "C" => Some(Classification::Confidential),
            "S" => Some(Classification::Secret),
            "TS" => Some(Classification::TopSecret),
            _ => {
                self.add(at.pointer("classification"), "it must be U, C, S or TS".to_owned());
                None
            }
        };
        let filled = |text: &str| !text.is_empty();
        let set = ControlSet {
            classification: classification.unwrap_or(Classification::TopSecret),
            sci_controls: self.tokens(&at, "sci_controls", "a text", filled),
            logical_authority_category: self.tokens(&at, "logical_authority_category", "a text", filled),
            formal_determination: self.words(&at, "formal_determination", FORMAL_DETERMINATIONS),
            caveat: self.words(&at, "caveat", CAVEATS),
            sensitivity: self.words(&at, "sensitivity", SENSITIVITIES),
            shareability: self.words(&at, "shareability", SHAREABILITIES),
            entity: self.words(&at, "entity", ENTITIES),
            permitted_nationalities: self.tokens(
                &at,
                "permitted_nationalities",
                "a code of a country",
                filled,
            ),
            permitted_organizations: self.tokens(
                &at,
                "permitted_organizations",
                "an organisation",
                is_organization,
            ),
        };
        classification.map(|_| set)
    }

    fn privilege(&mut self, at: &At<'_, '_>) -> Option<AccessPrivilege> {
        self.known(at, &["privilege_action", "privilege_scope", "rule_effect"]);
        let action = self.required(at, "privilege_action");
        if action.as_deref().is_some_and(|action| !ACTIONS.contains(&action)) {
            self.add(at.pointer("privilege_action"), format!("it must be one of {}", ACTIONS.join(", ")));
        }
        let effect = self.effect(at);
        let Some(value) = at.value.get("privilege_scope") else {
            self.add(at.pointer("privilege_scope"), "it is required".to_owned());
            return None;
        };
        let allowed = ["permitted_nationalities", "permitted_organizations", "shareability", "entity"];
        let scope_at = self.object(value, at.pointer("privilege_scope"), &allowed)?;
        let filled = |text: &str| !text.is_empty();
        let scope = PrivilegeScope {
            permitted_nationalities: self.scope(&scope_at, "permitted_nationalities", filled),
            permitted_organizations: self.scope(&scope_at, "permitted_organizations", is_organization),
            shareability: self.scope(&scope_at, "shareability", |word| SHAREABILITIES.contains(&word)),
            entity: self.scope(&scope_at, "entity", |word| ENTITIES.contains(&word)),
        };
        if scope == PrivilegeScope::default() {
            self.add(scope_at.pointer, "at least one list must be there".to_owned());
        }
        Some(AccessPrivilege { privilege_action: action?, privilege_scope: scope, rule_effect: effect? })
    }

    fn sharing(&mut self, at: &At<'_, '_>) -> Option<FurtherSharing> {
        self.known(at, &["sharing_scope", "rule_effect"]);
        let in_scope = |word: &str| is_organization(word) || matches!(word, "FOREIGNGOV" | "SECTOR" | "ALL");
        let what = "an organisation, FOREIGNGOV or SECTOR";
        let sharing_scope = self.tokens(at, "sharing_scope", what, in_scope);
        if at.value.get("sharing_scope").is_none() {
            self.add(at.pointer("sharing_scope"), "it is required".to_owned());
        }
        Some(FurtherSharing { sharing_scope, rule_effect: self.effect(at)? })
    }

    fn original(&mut self, parent: &At<'_, '_>) -> Option<OriginalClassification> {
        let allowed = ["classified_by", "classified_on", "classification_reason", "compilation_reason"];
        let at = self.block(parent, "original_classification", &allowed)?;
        let classified_on = self.time(&at, "classified_on");
        let classification_reason = self.text(&at, "classification_reason");
        let compilation_reason = self.text(&at, "compilation_reason");
        let classified_by = self.required(&at, "classified_by")?;
        Some(OriginalClassification {
            classified_by,
            classified_on,
            classification_reason,
            compilation_reason,
        })
    }

    fn derivative(&mut self, parent: &At<'_, '_>) -> Option<DerivativeClassification> {
        let allowed = ["classified_by", "classified_on", "derived_from"];
        let at = self.block(parent, "derivative_classification", &allowed)?;
        let classified_on = self.time(&at, "classified_on");
        let (classified_by, derived_from) =
            (self.required(&at, "classified_by"), self.required(&at, "derived_from"));
        Some(DerivativeClassification {
            classified_by: classified_by?,
            classified_on,
            derived_from: derived_from?,
        })
    }

    fn declassification(&mut self, parent: &At<'_, '_>) -> Option<Declassification> {
        let allowed = ["declass_exemption", "declass_period", "declass_date", "declass_event"];
        let at = self.block(parent, "declassification", &allowed)?;
        if at.value.members().next().is_none() {
            self.add(at.pointer.clone(), "at least one property must be there".to_owned());
        }
        let declass_period = at.value.get("declass_period").and_then(|value| {
            let years = value.raw().parse().ok();
            if years.is_none() {
                self.add(at.pointer("declass_period"), "it must be an integer".to_owned());
            }
            years
        });
        Some(Declassification {
            declass_exemption: self.text(&at, "declass_exemption"),
            declass_period,
            declass_date: self.time(&at, "declass_date"),
            declass_event: self.text(&at, "declass_event"),
        })
    }

    fn disposition(&mut self, parent: &At<'_, '_>) -> Option<ResourceDisposition> {
        let at = self.block(parent, "resource_disposition", &["disposition_date", "disposition_process"])?;
        let disposition_date = self.required_time(&at, "disposition_date");
        let disposition_process = self.required(&at, "disposition_process");
        Some(ResourceDisposition {
            disposition_date: disposition_date?,
            disposition_process: disposition_process?,
        })
    }

    fn public_release(&mut self, parent: &At<'_, '_>) -> Option<PublicRelease> {
        let at = self.block(parent, "public_release", &["released_by", "released_on"])?;
        let released_on = self.time(&at, "released_on");
        Some(PublicRelease { released_by: self.required(&at, "released_by")?, released_on })
    }

    fn object<'d, 'a>(
        &mut self,
        value: Value<'d, 'a>,
        pointer: String,
        allowed: &[&str],
    ) -> Option<At<'d, 'a>> {
        if value.kind() != Kind::Object {
            self.add(pointer, "it must be an object".to_owned());
            return None;
        }
        let at = At { value, pointer };
        self.known(&at, allowed);
        Some(at)
    }

    /// Nothing may stand beside what ACS foresees: it could be a demand.
    fn known(&mut self, at: &At<'_, '_>, allowed: &[&str]) {
        for (key, _) in at.value.members() {
            if !allowed.contains(&&*key) {
                self.add(at.pointer(&key), "ACS 3.0 has no such property".to_owned());
            }
        }
    }

    fn block<'d, 'a>(&mut self, parent: &At<'d, 'a>, key: &str, allowed: &[&str]) -> Option<At<'d, 'a>> {
        let value = parent.value.get(key)?;
        self.object(value, parent.pointer(key), allowed)
    }

    fn text(&mut self, at: &At<'_, '_>, key: &str) -> Option<String> {
        let value = at.value.get(key)?;
        let text = value.text().filter(|text| !text.is_empty());
        if text.is_none() {
            self.add(at.pointer(key), "it must be a string that is not empty".to_owned());
        }
        text.map(std::borrow::Cow::into_owned)
    }

    fn required(&mut self, at: &At<'_, '_>, key: &str) -> Option<String> {
        if at.value.get(key).is_none() {
            self.add(at.pointer(key), "it is required".to_owned());
        }
        self.text(at, key)
    }

    fn time(&mut self, at: &At<'_, '_>, key: &str) -> Option<StixTimestamp> {
        let text = self.text(at, key)?;
        StixTimestamp::parse(&text).map_err(|error| self.add(at.pointer(key), error.to_string())).ok()
    }

    fn required_time(&mut self, at: &At<'_, '_>, key: &str) -> Option<StixTimestamp> {
        if at.value.get(key).is_none() {
            self.add(at.pointer(key), "it is required".to_owned());
        }
        self.time(at, key)
    }

    fn effect(&mut self, at: &At<'_, '_>) -> Option<Effect> {
        match self.required(at, "rule_effect")?.as_str() {
            "permit" => Some(Effect::Permit),
            "deny" => Some(Effect::Deny),
            _ => {
                self.add(at.pointer("rule_effect"), "it must be `permit` or `deny`".to_owned());
                None
            }
        }
    }

    /// A list of texts, each of which must be what `allowed` allows; empty if there is none.
    fn tokens(
        &mut self,
        at: &At<'_, '_>,
        key: &str,
        what: &str,
        allowed: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let Some(list) = at.value.get(key) else { return Vec::new() };
        let mut tokens = Vec::new();
        for (index, element) in list.elements().enumerate() {
            match element.text().filter(|text| allowed(text)) {
                Some(text) => tokens.push(text.into_owned()),
                None => self.add(format!("{}/{index}", at.pointer(key)), format!("it must be {what}")),
            }
        }
        if list.kind() != Kind::Array || list.elements().next().is_none() {
            self.add(at.pointer(key), "it must be a list that is not empty".to_owned());
        }
        tokens
    }

    fn words(&mut self, at: &At<'_, '_>, key: &str, words: &[&str]) -> Vec<String> {
        self.tokens(at, key, &format!("one of {}", words.join(", ")), |text| words.contains(&text))
    }

    /// A list of a scope, in which `ALL` must stand alone.
    fn scope(&mut self, at: &At<'_, '_>, key: &str, allowed: impl Fn(&str) -> bool) -> Vec<String> {
        let tokens =
            self.tokens(at, key, "a value of its category, or ALL", |text| text == "ALL" || allowed(text));
        if tokens.len() > 1 && tokens.iter().any(|token| token == "ALL") {
            self.add(at.pointer(key), "ALL must stand alone".to_owned());
        }
        tokens
    }

    fn each<T>(
        &mut self,
        parent: &At<'_, '_>,
        key: &str,
        mut read: impl FnMut(&mut Self, &At<'_, '_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(list) = parent.value.get(key) else { return Vec::new() };
        if list.kind() != Kind::Array || list.elements().next().is_none() {
            self.add(parent.pointer(key), "it must be a list that is not empty".to_owned());
        }
        let mut items = Vec::new();
        for (index, value) in list.elements().enumerate() {
            let pointer = format!("{}/{index}", parent.pointer(key));
            if value.kind() == Kind::Object {
                items.extend(read(self, &At { value, pointer }));
            } else {
                self.add(pointer, "it must be an object".to_owned());
            }
        }
        items
    }
}

fn stricter(one: Effect, other: Effect) -> Effect {
    if one == Effect::Deny { one } else { other }
}

fn policy_defaults(text: &str) -> Option<(Effect, Effect)> {
    let effect = |word: &str| match word {
        "permit" => Some(Effect::Permit),
        "deny" => Some(Effect::Deny),
        _ => None,
    };
    let (privilege, sharing) = text.strip_prefix(POLICY)?.split_once("&sharedefault=")?;
    Some((effect(privilege)?, effect(sharing)?))
}

fn is_guide(text: &str) -> bool {
    text.strip_prefix("isa:guide.").and_then(|rest| rest.split_once('.')).is_some_and(|(prefix, suffix)| {
        !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit()) && !suffix.is_empty()
    })
}

fn is_organization(token: &str) -> bool {
    ORGANIZATION_GROUPS.contains(&token) || is_dotted(token)
}

/// `USA.DHS.US-CERT`: two or more parts of capitals, digits and hyphens.
fn is_dotted(token: &str) -> bool {
    let part = |part: &str| {
        let in_alphabet = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'-');
        !part.is_empty() && !part.starts_with('-') && part.bytes().all(in_alphabet)
    };
    token.contains('.') && token.split('.').all(part)
}
