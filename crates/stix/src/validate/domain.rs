//! The domain, relationship and meta objects of STIX 2.1 (§4, §5, §7).

use super::shape::{ANY_REFS, Class, Form, Property, Shape, TEXTS, Targets, TypeSpec, opt, req};
use crate::vocabulary as v;

/// §3.2: the properties common to everything that has versions.
pub(super) const COMMON: &[Property] = &[
    req("type", Shape::Apart),
    req("spec_version", Shape::Form(Form::SpecVersion)),
    req("id", Shape::Apart),
    req("created", Shape::VersionTime),
    req("modified", Shape::VersionTime),
    opt("created_by_ref", Shape::Ref(Targets::Only(&["identity"]))),
    opt("revoked", Shape::Boolean),
    opt("labels", TEXTS),
    opt("confidence", Shape::Integer(0, 100)),
    opt("lang", Shape::Form(Form::Language)),
    opt("external_references", EXTERNAL_REFERENCES),
    opt("object_marking_refs", MARKING_REFS),
    opt("granular_markings", GRANULAR_MARKINGS),
    opt("extensions", Shape::Apart),
];

/// §7.2.1: a marking definition has no versions, so it is never modified or revoked.
pub(super) const MARKING_COMMON: &[Property] = &[
    req("type", Shape::Apart),
    req("spec_version", Shape::Form(Form::SpecVersion)),
    req("id", Shape::Apart),
    req("created", Shape::Time),
    opt("created_by_ref", Shape::Ref(Targets::Only(&["identity"]))),
    opt("external_references", EXTERNAL_REFERENCES),
    opt("object_marking_refs", MARKING_REFS),
    opt("granular_markings", GRANULAR_MARKINGS),
    opt("extensions", Shape::Apart),
];

pub(super) const MARKING_REFS: Shape = Shape::List(&Shape::Ref(Targets::Only(&["marking-definition"])));
pub(super) const GRANULAR_MARKINGS: Shape = Shape::List(&Shape::Object(
    "7.2.3",
    &[
        req("selectors", Shape::List(&Shape::Form(Form::Selector))),
        opt("marking_ref", Shape::Ref(Targets::Only(&["marking-definition"]))),
        opt("lang", Shape::Form(Form::Language)),
    ],
));
const EXTERNAL_REFERENCES: Shape = Shape::List(&Shape::Object(
    "2.5",
    &[
        req("source_name", Shape::Filled),
        opt("description", Shape::Text),
        opt("url", Shape::Form(Form::Url)),
        opt("hashes", Shape::Hashes),
        opt("external_id", Shape::Text),
    ],
));
const KILL_CHAIN_PHASES: Shape = Shape::List(&Shape::Object(
    "2.11",
    &[req("kill_chain_name", Shape::Filled), req("phase_name", Shape::Filled)],
));
const SOFTWARE: Targets = Targets::Only(&["software"]);
/// What a relationship cannot connect (§5.1).
const UNRELATED: Targets = Targets::Not(&[
    "relationship",
    "sighting",
    "bundle",
    "marking-definition",
    "language-content",
    "extension-definition",
]);

const fn versioned(name: &'static str, section: &'static str, properties: &'static [Property]) -> TypeSpec {
    TypeSpec { name, class: Class::Versioned, section, properties, extensions: &[] }
}

pub(super) static ATTACK_PATTERN: TypeSpec = versioned(
    "attack-pattern",
    "4.1",
    &[
        req("name", Shape::Filled),
        opt("description", Shape::Text),
        opt("aliases", TEXTS),
        opt("kill_chain_phases", KILL_CHAIN_PHASES),
    ],
);
pub(super) static CAMPAIGN: TypeSpec = versioned(
    "campaign",
    "4.2",
    &[
        req("name", Shape::Filled),
        opt("description", Shape::Text),
        opt("aliases", TEXTS),
        opt("first_seen", Shape::Time),
        opt("last_seen", Shape::Time),
        opt("objective", Shape::Text),
    ],
);
pub(super) static COURSE_OF_ACTION: TypeSpec = versioned(
    "course-of-action",
    "4.3",
    &[req("name", Shape::Filled), opt("description", Shape::Text), opt("action", Shape::Any)],
);
pub(super) static GROUPING: TypeSpec = versioned(
    "grouping",
    "4.4",
    &[
        opt("name", Shape::Text),
        opt("description", Shape::Text),
        req("context", Shape::Term(&v::GROUPING_CONTEXT)),
        req("object_refs", ANY_REFS),
    ],
);
pub(super) static IDENTITY: TypeSpec = versioned(
    "identity",
    "4.5",
    &[
        req("name", Shape::Filled),
        opt("description", Shape::Text),
        opt("roles", TEXTS),
        opt("identity_class", Shape::Term(&v::IDENTITY_CLASS)),
        opt("sectors", Shape::List(&Shape::Term(&v::INDUSTRY_SECTOR))),
        opt("contact_information", Shape::Text),
    ],
);
pub(super) static INCIDENT: TypeSpec =
    versioned("incident", "4.6", &[req("name", Shape::Filled), opt("description", Shape::Text)]);
pub(super) static INDICATOR: TypeSpec = versioned(
    "indicator",
    "4.7",
    &[
        opt("name", Shape::Text),
        opt("description", Shape::Text),
        opt("indicator_types", Shape::List(&Shape::Term(&v::INDICATOR_TYPE))),
        req("pattern", Shape::Form(Form::Pattern)),
        req("pattern_type", Shape::Term(&v::PATTERN_TYPE)),
        req("valid_from", Shape::Time),
        opt("valid_until", Shape::Time),
        opt("pattern_version", Shape::Text),
        opt("kill_chain_phases", KILL_CHAIN_PHASES),
    ],
);
pub(super) static INFRASTRUCTURE: TypeSpec = versioned(
    "infrastructure",
    "4.8",
    &[
        req("name", Shape::Filled),
        opt("description", Shape::Text),
        opt("infrastructure_types", Shape::List(&Shape::Term(&v::INFRASTRUCTURE_TYPE))),
        opt("aliases", TEXTS),
        opt("kill_chain_phases", KILL_CHAIN_PHASES),
        opt("first_seen", Shape::Time),
        opt("last_seen", Shape::Time),
    ],
);
pub(super) static INTRUSION_SET: TypeSpec = versioned(
    "intrusion-set",
    "4.9",
    &[
        req("name", Shape::Filled),
        opt("description", Shape::Text),
        opt("aliases", TEXTS),
        opt("first_seen", Shape::Time),
        opt("last_seen", Shape::Time),
        opt("goals", TEXTS),
        opt("resource_level", Shape::Term(&v::ATTACK_RESOURCE_LEVEL)),
        opt("primary_motivation", Shape::Term(&v::ATTACK_MOTIVATION)),
        opt("secondary_motivations", Shape::List(&Shape::Term(&v::ATTACK_MOTIVATION))),
    ],
);
pub(super) static LOCATION: TypeSpec = versioned(
    "location",
    "4.10",
    &[
        opt("name", Shape::Text),
        opt("description", Shape::Text),
        opt("latitude", Shape::Number(-90.0, 90.0)),
        opt("longitude", Shape::Number(-180.0, 180.0)),
        opt("precision", Shape::Number(0.0, f64::MAX)),
        opt("region", Shape::Term(&v::REGION)),
        opt("country", Shape::Text),
        opt("administrative_area", Shape::Text),
        opt("city", Shape::Text),
        opt("street_address", Shape::Text),
        opt("postal_code", Shape::Text),
    ],
);
pub(super) static MALWARE: TypeSpec = versioned(
    "malware",
    "4.11",
    &[
        opt("name", Shape::Text),
        opt("description", Shape::Text),
        opt("malware_types", Shape::List(&Shape::Term(&v::MALWARE_TYPE))),
        req("is_family", Shape::Boolean),
        opt("aliases", TEXTS),
        opt("kill_chain_phases", KILL_CHAIN_PHASES),
        opt("first_seen", Shape::Time),
        opt("last_seen", Shape::Time),
        opt("operating_system_refs", Shape::List(&Shape::Ref(SOFTWARE))),
        opt("architecture_execution_envs", Shape::List(&Shape::Term(&v::PROCESSOR_ARCHITECTURE))),
        opt("implementation_languages", Shape::List(&Shape::Term(&v::IMPLEMENTATION_LANGUAGE))),
        opt("capabilities", Shape::List(&Shape::Term(&v::MALWARE_CAPABILITIES))),
        opt("sample_refs", Shape::List(&Shape::Ref(Targets::Only(&["artifact", "file"])))),
    ],
);
pub(super) static MALWARE_ANALYSIS: TypeSpec = versioned(
    "malware-analysis",
    "4.12",
    &[
        req("product", Shape::Filled),
        opt("version", Shape::Text),
        opt("host_vm_ref", Shape::Ref(SOFTWARE)),
        opt("operating_system_ref", Shape::Ref(SOFTWARE)),
        opt("installed_software_refs", Shape::List(&Shape::Ref(SOFTWARE))),
        opt("configuration_version", Shape::Text),
        opt("modules", TEXTS),
        opt("analysis_engine_version", Shape::Text),
        opt("analysis_definition_version", Shape::Text),
        opt("submitted", Shape::Time),
        opt("analysis_started", Shape::Time),
        opt("analysis_ended", Shape::Time),
        opt("result_name", Shape::Text),
        opt("result", Shape::Term(&v::MALWARE_RESULT)),
        opt("analysis_sco_refs", Shape::List(&Shape::Ref(Targets::Observable))),
        opt("sample_ref", Shape::Ref(Targets::Only(&["file", "artifact", "network-traffic"]))),
    ],
);
pub(super) static NOTE: TypeSpec = versioned(
    "note",
    "4.13",
    &[
        opt("abstract", Shape::Text),
        req("content", Shape::Filled),
        opt("authors", TEXTS),
        req("object_refs", ANY_REFS),
    ],
);
pub(super) static OBSERVED_DATA: TypeSpec = versioned(
    "observed-data",
    "4.14",
    &[
        req("first_observed", Shape::Time),
        req("last_observed", Shape::Time),
        req("number_observed", Shape::Integer(1, 999_999_999)),
        opt("object_refs", ANY_REFS),
        opt("objects", Shape::Apart),
    ],
);
pub(super) static OPINION: TypeSpec = versioned(
    "opinion",
    "4.15",
    &[
        opt("explanation", Shape::Text),
        opt("authors", TEXTS),
        req("opinion", Shape::Term(&v::OPINION)),
        req("object_refs", ANY_REFS),
    ],
);
pub(super) static REPORT: TypeSpec = versioned(
    "report",
    "4.16",
    &[
        req("name", Shape::Filled),
        opt("description", Shape::Text),
        opt("report_types", Shape::List(&Shape::Term(&v::REPORT_TYPE))),
        req("published", Shape::Time),
        req("object_refs", ANY_REFS),
    ],
);
pub(super) static THREAT_ACTOR: TypeSpec = versioned(
    "threat-actor",
    "4.17",
    &[
        req("name", Shape::Filled),
        opt("description", Shape::Text),
        opt("threat_actor_types", Shape::List(&Shape::Term(&v::THREAT_ACTOR_TYPE))),
        opt("aliases", TEXTS),
        opt("first_seen", Shape::Time),
        opt("last_seen", Shape::Time),
        opt("roles", Shape::List(&Shape::Term(&v::THREAT_ACTOR_ROLE))),
        opt("goals", TEXTS),
        opt("sophistication", Shape::Term(&v::THREAT_ACTOR_SOPHISTICATION)),
        opt("resource_level", Shape::Term(&v::ATTACK_RESOURCE_LEVEL)),
        opt("primary_motivation", Shape::Term(&v::ATTACK_MOTIVATION)),
        opt("secondary_motivations", Shape::List(&Shape::Term(&v::ATTACK_MOTIVATION))),
        opt("personal_motivations", Shape::List(&Shape::Term(&v::ATTACK_MOTIVATION))),
    ],
);
pub(super) static TOOL: TypeSpec = versioned(
    "tool",
    "4.18",
    &[
        req("name", Shape::Filled),
        opt("description", Shape::Text),
        opt("tool_types", Shape::List(&Shape::Term(&v::TOOL_TYPE))),
        opt("aliases", TEXTS),
        opt("kill_chain_phases", KILL_CHAIN_PHASES),
        opt("tool_version", Shape::Text),
    ],
);
pub(super) static VULNERABILITY: TypeSpec =
    versioned("vulnerability", "4.19", &[req("name", Shape::Filled), opt("description", Shape::Text)]);

pub(super) static RELATIONSHIP: TypeSpec = versioned(
    "relationship",
    "5.1",
    &[
        req("relationship_type", Shape::Form(Form::RelationshipType)),
        opt("description", Shape::Text),
        req("source_ref", Shape::Ref(UNRELATED)),
        req("target_ref", Shape::Ref(UNRELATED)),
        opt("start_time", Shape::Time),
        opt("stop_time", Shape::Time),
    ],
);
pub(super) static SIGHTING: TypeSpec = versioned(
    "sighting",
    "5.2",
    &[
        opt("description", Shape::Text),
        opt("first_seen", Shape::Time),
        opt("last_seen", Shape::Time),
        opt("count", Shape::Integer(0, 999_999_999)),
        req("sighting_of_ref", Shape::Ref(UNRELATED)),
        opt("observed_data_refs", Shape::List(&Shape::Ref(Targets::Only(&["observed-data"])))),
        opt("where_sighted_refs", Shape::List(&Shape::Ref(Targets::Only(&["identity", "location"])))),
        opt("summary", Shape::Boolean),
    ],
);

pub(super) static LANGUAGE_CONTENT: TypeSpec = versioned(
    "language-content",
    "7.1",
    &[
        req("object_ref", Shape::Ref(Targets::Not(&["bundle", "language-content"]))),
        opt("object_modified", Shape::Time),
        req("contents", Shape::Dictionary(&Shape::Dictionary(&Shape::Any))),
    ],
);
pub(super) static MARKING_DEFINITION: TypeSpec = TypeSpec {
    name: "marking-definition",
    class: Class::Marking,
    section: "7.2.1",
    properties: &[
        opt("name", Shape::Text),
        opt("definition_type", Shape::Filled),
        opt("definition", Shape::Apart),
    ],
    extensions: &[],
};
pub(super) static EXTENSION_DEFINITION: TypeSpec = versioned(
    "extension-definition",
    "7.3",
    &[
        req("name", Shape::Filled),
        opt("description", Shape::Text),
        req("schema", Shape::Filled),
        req("version", Shape::Filled),
        req("extension_types", Shape::List(&Shape::Term(&v::EXTENSION_TYPE))),
        opt("extension_properties", TEXTS),
    ],
);
