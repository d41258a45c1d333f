//! One object of every type of the standard with all its properties, and what breaks it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;
use stix::{
    Finding, Head, Limits, Marking, Severity, ValidateOptions, convert_2_0, derive, sco_id, split, validate,
};

/// One object a line: every type, each with every property that it may have at once.
const OBJECTS: &str = include_str!("objects.jsonl");

fn objects() -> Vec<Value> {
    OBJECTS.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn findings(object: &Value) -> Vec<Finding> {
    validate(object.to_string().as_bytes(), &ValidateOptions::default()).findings
}

/// The first object of a type.
fn object(type_name: &str) -> Value {
    objects().into_iter().find(|object| object["type"] == type_name).expect(type_name)
}

#[test]
fn an_object_of_every_type_is_accepted_without_a_finding() {
    let mut types = BTreeSet::new();
    for object in objects() {
        let found = findings(&object);
        let quiet = object["type"].as_str().is_some_and(|name| name.starts_with("x-"));
        assert!(quiet || found.is_empty(), "{}: {found:?}", object["type"]);
        assert!(found.iter().all(|finding| finding.severity == Severity::Should), "{found:?}");
        types.insert(object["type"].as_str().unwrap_or_default().to_owned());
    }
    // 19 domain, 2 relationship, 3 meta and 18 observable types, and two types of someone's own.
    assert_eq!(types.len(), 19 + 2 + 3 + 18 + 2, "{types:?}");
}

/// Every place of every object is replaced by something that cannot stand there.
#[test]
fn a_null_or_a_value_of_another_type_is_found_at_its_place() {
    let mut checked = 0;
    for object in objects() {
        let type_name = object["type"].as_str().unwrap_or_default();
        if type_name.starts_with("x-") || type_name.starts_with("my-") {
            continue;
        }
        for pointer in places(&object, String::new()) {
            // What an extension of someone's own holds is not known, only that it is not null.
            let wrong = [Value::Null, serde_json::json!({"k": []})];
            for value in wrong {
                let mut broken = object.clone();
                *broken.pointer_mut(&pointer).expect("a place") = value.clone();
                let report = validate(broken.to_string().as_bytes(), &ValidateOptions::default());
                let own = pointer.contains("contents") || pointer.starts_with("/rank");
                assert!(own || !report.is_accepted(), "{type_name} {pointer} {value}");
                checked += 1;
            }
        }
    }
    assert!(checked > 1_500, "only {checked} places");
}

fn places(value: &Value, pointer: String) -> Vec<String> {
    let mut found = Vec::new();
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                found.extend(places(
                    member,
                    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
                ));
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                found.extend(places(element, format!("{pointer}/{index}")));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(pointer),
    }
    found
}

#[test]
fn a_missing_required_property_is_found() {
    let required: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("attack-pattern", &["name", "created", "modified", "id"][..]),
        ("campaign", &["name"]),
        ("course-of-action", &["name"]),
        ("grouping", &["context", "object_refs"]),
        ("identity", &["name"]),
        ("incident", &["name"]),
        ("indicator", &["pattern", "pattern_type", "valid_from"]),
        ("infrastructure", &["name"]),
        ("intrusion-set", &["name"]),
        ("malware", &["is_family", "name"]),
        ("malware-analysis", &["product"]),
        ("note", &["content", "object_refs"]),
        ("observed-data", &["first_observed", "last_observed", "number_observed", "object_refs"]),
        ("opinion", &["opinion", "object_refs"]),
        ("report", &["name", "published", "object_refs"]),
        ("threat-actor", &["name"]),
        ("tool", &["name"]),
        ("vulnerability", &["name"]),
        ("relationship", &["relationship_type", "source_ref", "target_ref"]),
        ("sighting", &["sighting_of_ref"]),
        ("language-content", &["object_ref", "contents"]),
        ("marking-definition", &["created", "id"]),
        ("extension-definition", &["name", "schema", "version", "extension_types", "created_by_ref"]),
        ("autonomous-system", &["number"]),
        ("directory", &["path"]),
        ("domain-name", &["value"]),
        ("email-addr", &["value"]),
        ("email-message", &["is_multipart"]),
        ("ipv4-addr", &["value", "id"]),
        ("ipv6-addr", &["value"]),
        ("mac-addr", &["value"]),
        ("mutex", &["name"]),
        ("network-traffic", &["protocols"]),
        ("software", &["name"]),
        ("url", &["value"]),
    ]);
    for (type_name, names) in required {
        for name in names {
            let mut object = object(type_name);
            object.as_object_mut().expect("an object").remove(*name);
            let found = findings(&object);
            let named = |finding: &Finding| {
                finding.code == "required-property" && finding.pointer == format!("/{name}")
            };
            assert!(found.iter().any(named), "{type_name} {name}: {found:?}");
        }
    }
}

/// A change of an object, and the one finding that it must lead to.
struct Case {
    type_name: &'static str,
    change: &'static str,
    code: &'static str,
    pointer: &'static str,
}

const fn case(
    type_name: &'static str,
    change: &'static str,
    code: &'static str,
    pointer: &'static str,
) -> Case {
    Case { type_name, change, code, pointer }
}

/// In a change, `null` takes a property away.
const CASES: &[Case] = &[
    case("tool", r#"{"spec_version":null}"#, "stix-2.0", "/spec_version"),
    case("tool", r#"{"spec_version":"2.0"}"#, "stix-2.0", "/spec_version"),
    case("tool", r#"{"spec_version":"2.2"}"#, "spec-version", "/spec_version"),
    case("observed-data", r#"{"objects":{"0":{"type":"url"}}}"#, "stix-2.0", "/objects"),
    case("tool", r#"{"type":"bundle"}"#, "bundle", ""),
    case("tool", r#"{"id":"tool--1"}"#, "invalid-identifier", "/id"),
    case("tool", r#"{"id":"file--00000001-4415-4ba8-9671-f7343fbf0836"}"#, "id-type-mismatch", "/id"),
    case("tool", r#"{"id":"tool--ABCDEF01-4415-4ba8-9671-f7343fbf0836"}"#, "uuid-case", "/id"),
    case("tool", r#"{"modified":"2026-01-02T03:04:05.677Z"}"#, "time-order", "/modified"),
    case("tool", r#"{"modified":"2026-01-03T03:04:05Z"}"#, "timestamp-precision", "/modified"),
    case("tool", r#"{"modified":"2026-01-32T03:04:05.000Z"}"#, "invalid-timestamp", "/modified"),
    case("tool", r#"{"confidence":101}"#, "out-of-range", "/confidence"),
    case("tool", r#"{"confidence":1.5}"#, "wrong-type", "/confidence"),
    case("tool", r#"{"lang":"not a tag"}"#, "invalid-language", "/lang"),
    case("tool", r#"{"aliases":[]}"#, "empty-list", "/aliases"),
    case("tool", r#"{"name":""}"#, "empty-string", "/name"),
    case("tool", r#"{"tool_types":["hammer"]}"#, "open-vocabulary", "/tool_types/0"),
    case("tool", r#"{"rank":1}"#, "custom-property-prefix", "/rank"),
    case("tool", r#"{"Rank":1}"#, "property-name", "/Rank"),
    case("tool", r#"{"x_~/y":1}"#, "property-name", "/x_~0~1y"),
    case("tool", r#"{"x_own":[]}"#, "empty-list", "/x_own"),
    case("tool", r#"{"extensions":{}}"#, "empty-dictionary", "/extensions"),
    case("tool", r#"{"extensions":{"own-ext":{"a":1}}}"#, "custom-extension", "/extensions/own-ext"),
    case(
        "tool",
        r#"{"extensions":{"extension-definition--00000001-4415-4ba8-9671-f7343fbf0836":{"a":1}}}"#,
        "required-property",
        "/extensions/extension-definition--00000001-4415-4ba8-9671-f7343fbf0836/extension_type",
    ),
    case(
        "tool",
        r#"{"extensions":{"extension-definition--1":{"extension_type":"new-sdo"}}}"#,
        "invalid-identifier",
        "/extensions/extension-definition--1",
    ),
    case(
        "tool",
        r#"{"created_by_ref":"tool--00000001-4415-4ba8-9671-f7343fbf0836"}"#,
        "reference-target",
        "/created_by_ref",
    ),
    case(
        "tool",
        r#"{"external_references":[{"source_name":"x"}],"granular_markings":null}"#,
        "at-least-one",
        "/external_references/0",
    ),
    case(
        "tool",
        r#"{"external_references":[{"source_name":"x","url":"no url"}],"granular_markings":null}"#,
        "invalid-url",
        "/external_references/0/url",
    ),
    case("tool", r#"{"granular_markings":[{"selectors":["name"]}]}"#, "exactly-one", "/granular_markings/0"),
    case(
        "tool",
        r#"{"granular_markings":[{"lang":"en","selectors":["labels.[1]"]}]}"#,
        "selector-unresolved",
        "/granular_markings/0/selectors/0",
    ),
    case(
        "tool",
        r#"{"granular_markings":[{"lang":"en","selectors":["labels..x"]}]}"#,
        "selector-syntax",
        "/granular_markings/0/selectors/0",
    ),
    case("indicator", r#"{"pattern":""}"#, "empty-pattern", "/pattern"),
    case("indicator", r#"{"valid_until":"2026-01-01T00:00:00Z"}"#, "time-order", "/valid_until"),
    case("campaign", r#"{"last_seen":"2025-01-01T00:00:00Z"}"#, "time-order", "/last_seen"),
    case("opinion", r#"{"opinion":"maybe"}"#, "invalid-enum", "/opinion"),
    case("location", r#"{"latitude":91}"#, "out-of-range", "/latitude"),
    case("location", r#"{"longitude":null,"precision":null}"#, "dependent-property", ""),
    case("location", r#"{"latitude":null,"longitude":null}"#, "dependent-property", "/precision"),
    case(
        "location",
        r#"{"latitude":null,"longitude":null,"precision":null,"region":null,"country":null}"#,
        "at-least-one",
        "",
    ),
    case("malware-analysis", r#"{"result":null,"analysis_sco_refs":null}"#, "at-least-one", ""),
    case(
        "observed-data",
        r#"{"object_refs":["tool--00000001-4415-4ba8-9671-f7343fbf0836"]}"#,
        "reference-target",
        "/object_refs",
    ),
    case("observed-data", r#"{"number_observed":0}"#, "out-of-range", "/number_observed"),
    case("relationship", r#"{"relationship_type":"Uses It"}"#, "relationship-type", "/relationship_type"),
    case(
        "relationship",
        r#"{"relationship_type":"eats"}"#,
        "relationship-not-suggested",
        "/relationship_type",
    ),
    case(
        "relationship",
        r#"{"target_ref":"relationship--00000001-4415-4ba8-9671-f7343fbf0836"}"#,
        "reference-target",
        "/target_ref",
    ),
    case("relationship", r#"{"stop_time":"2026-01-01T00:00:00Z"}"#, "time-order", "/stop_time"),
    case("language-content", r#"{"contents":{"no_tag":{"a":"b"}}}"#, "invalid-language", "/contents/no_tag"),
    case("marking-definition", r#"{"definition":null}"#, "dependent-property", ""),
    case("marking-definition", r#"{"definition":null,"definition_type":null}"#, "at-least-one", ""),
    case("marking-definition", r#"{"definition":{"s":1}}"#, "required-property", "/definition/statement"),
    case(
        "marking-definition",
        r#"{"definition_type":"tlp","definition":{"tlp":"mauve"}}"#,
        "tlp-definition",
        "/definition",
    ),
    case(
        "marking-definition",
        r#"{"modified":"2026-01-02T03:04:05.678Z"}"#,
        "property-not-applicable",
        "/modified",
    ),
    case(
        "marking-definition",
        r#"{"id":"marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"}"#,
        "published-marking",
        "/id",
    ),
    case(
        "extension-definition",
        r#"{"extension_types":["new-sdo"]}"#,
        "dependent-property",
        "/extension_properties",
    ),
    case(
        "artifact",
        r#"{"url":"https://a.example/","hashes":{"MD5":"00000000000000000000000000000000"}}"#,
        "exactly-one",
        "",
    ),
    case("artifact", r#"{"payload_bin":null,"url":"https://a.example/"}"#, "dependent-property", "/hashes"),
    case("artifact", r#"{"encryption_algorithm":null}"#, "dependent-property", "/decryption_key"),
    case("artifact", r#"{"encryption_algorithm":"ROT13"}"#, "invalid-enum", "/encryption_algorithm"),
    case("artifact", r#"{"payload_bin":"?"}"#, "invalid-binary", "/payload_bin"),
    case("domain-name", r#"{"value":"a b"}"#, "invalid-domain", "/value"),
    case("domain-name", r#"{"created":"2026-01-02T03:04:05.678Z"}"#, "property-not-applicable", "/created"),
    case("email-addr", r#"{"value":"nobody"}"#, "invalid-address", "/value"),
    case("email-message", r#"{"body":"b"}"#, "multipart", "/body"),
    case("file", r#"{"hashes":null,"name":null}"#, "at-least-one", ""),
    case("file", r#"{"hashes":{"MD5":"abc"}}"#, "invalid-hash", "/hashes/MD5"),
    case("file", r#"{"hashes":{"md5":"abc"}}"#, "open-vocabulary", "/hashes/md5"),
    case("file", r#"{"hashes":{"M D":"abc"}}"#, "dictionary-key", "/hashes/M D"),
    case("file", r#"{"hashes":{}}"#, "empty-dictionary", "/hashes"),
    case("file", r#"{"magic_number_hex":"fff"}"#, "invalid-hex", "/magic_number_hex"),
    case("file", r#"{"size":9007199254740992}"#, "out-of-range", "/size"),
    case("file", r#"{"mime_type":"zip"}"#, "invalid-media-type", "/mime_type"),
    case(
        "file",
        r#"{"extensions":{"windows-pebinary-ext":{"imphash":"x"}}}"#,
        "required-property",
        "/extensions/windows-pebinary-ext/pe_type",
    ),
    case("ipv4-addr", r#"{"value":"198.51.100.300"}"#, "invalid-address", "/value"),
    case("ipv6-addr", r#"{"value":"198.51.100.3"}"#, "invalid-address", "/value"),
    case("mac-addr", r#"{"value":"D2:FB:49:24:37:18"}"#, "invalid-address", "/value"),
    case("network-traffic", r#"{"src_ref":null,"dst_ref":null}"#, "at-least-one", ""),
    case("network-traffic", r#"{"is_active":true}"#, "dependent-property", "/end"),
    case("network-traffic", r#"{"protocols":["TCP"]}"#, "protocol-case", "/protocols/0"),
    case("network-traffic", r#"{"src_port":65536}"#, "out-of-range", "/src_port"),
    case("file", r#"{"name_enc":"?"}"#, "invalid-charset", "/name_enc"),
    case("software", r#"{"cpe":"cpe:/a:b"}"#, "invalid-cpe", "/cpe"),
    case("url", r#"{"value":"example.com/a"}"#, "invalid-url", "/value"),
    case("windows-registry-key", r#"{"key":"HKLM\\x"}"#, "abbreviated-hive", "/key"),
    case(
        "windows-registry-key",
        r#"{"values":[{"data_type":"REG_X"}]}"#,
        "invalid-enum",
        "/values/0/data_type",
    ),
    case("process", r#"{"id":"process--00000001-4415-5ba8-9671-f7343fbf0836"}"#, "uuid-version", "/id"),
    case(
        "email-message",
        r#"{"additional_header_fields":{"X-Own":1}}"#,
        "wrong-type",
        "/additional_header_fields/X-Own",
    ),
    case(
        "marking-definition",
        r#"{"object_marking_refs":["marking-definition--00000001-4415-4ba8-9671-f7343fbf0836"]}"#,
        "circular-marking",
        "/object_marking_refs",
    ),
    case("x-own-thing", r#"{"type":"X--y"}"#, "type-name", "/type"),
];

#[test]
fn each_rule_is_broken_by_one_change() {
    for Case { type_name, change, code, pointer } in CASES {
        let mut object = object(type_name);
        let change: Value = serde_json::from_str(change).expect("JSON");
        for (key, value) in change.as_object().expect("an object") {
            let members = object.as_object_mut().expect("an object");
            if value.is_null() {
                members.remove(key);
            } else {
                members.insert(key.clone(), value.clone());
            }
        }
        let found: Vec<_> = findings(&object).into_iter().map(|f| (f.code, f.pointer)).collect();
        // What comes in tow: a changed type makes the identifier wrong, a strange end the relationship
        // unusual, a malformed key an algorithm that nobody knows, a lost digest the identifier random.
        let in_tow = ["id-type-mismatch", "relationship-not-suggested", "open-vocabulary", "uuid-version"];
        let found: Vec<_> = found.iter().filter(|f| f.0 == *code || !in_tow.contains(&f.0)).collect();
        let known: BTreeSet<_> = found.iter().map(|f| (f.0, f.1.as_str())).collect();
        assert_eq!(known, BTreeSet::from([(*code, *pointer)]), "{type_name} {change}");
    }
}

#[test]
fn a_process_or_account_without_any_property_is_refused() {
    for name in ["process", "user-account", "windows-registry-key", "x509-certificate"] {
        let object = serde_json::json!({ "type": name, "id": format!("{name}--00000001-4415-4ba8-9671-f7343fbf0836") });
        let codes: Vec<_> = findings(&object).into_iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["at-least-one"], "{name}");
    }
}

#[test]
fn defanged_values_may_be_ill_formed() {
    let mut object = object("url");
    object["value"] = "hxxps[:]//a example".into();
    object["defanged"] = true.into();
    assert!(findings(&object).is_empty());
}

#[test]
fn a_report_holds_no_more_than_asked_for_and_keeps_its_refusals() {
    let mut object = object("tool");
    object["tool_types"] = (0..50).map(|n| Value::from(format!("own-{n}"))).collect();
    object["confidence"] = 900.into();
    let options = ValidateOptions { findings_max: 10, ..ValidateOptions::default() };
    let report = validate(object.to_string().as_bytes(), &options);
    assert!(report.truncated);
    assert_eq!(report.findings.len(), 10);
    assert!(!report.is_accepted(), "the refusal is among them");
    let silent = ValidateOptions { warnings: false, ..ValidateOptions::default() };
    let report = validate(object.to_string().as_bytes(), &silent);
    assert_eq!(report.findings.iter().map(|f| f.code).collect::<Vec<_>>(), ["out-of-range"]);
}

#[test]
fn what_is_not_an_object_is_a_finding_too() {
    for (text, code) in [
        ("", "invalid-json"),
        ("[]", "not-an-object"),
        ("{}", "required-property"),
        (r#"{"type":"a","type":"b"}"#, "duplicate-key"),
        (&format!("{}{}", "[".repeat(200), "]".repeat(200)), "nesting-limit"),
    ] {
        let report = validate(text.as_bytes(), &ValidateOptions::default());
        assert_eq!(report.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [code], "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Bytes of real objects, changed, cut and doubled: every entry answers, and none panics.
    #[test]
    fn any_damage_is_judged_and_survived(
        line in 0_usize..52,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
        selector in prop::sample::select(vec!["name", "labels.[0]", "external_references", "value", "id"]),
    ) {
        let mut bytes = OBJECTS.lines().nth(line).expect("a line").as_bytes().to_vec();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        let report = validate(&bytes, &ValidateOptions::default());
        let parsed = serde_json::from_slice::<Value>(&bytes).is_ok();
        prop_assert!(parsed || !report.is_accepted(), "what is not JSON is refused");
        if report.is_accepted() {
            prop_assert!(Head::parse(&bytes).is_ok(), "what is accepted has a head");
            prop_assert_eq!(split(&bytes, &Limits::default()).map(|objects| objects.len()), Ok(1));
        }
        let creator = "identity--11111111-1111-4111-8111-111111111111";
        if let Ok(derived) = derive(&bytes, &[selector], &|id| id.starts_with("malware"), creator) {
            prop_assert!(validate(&derived, &ValidateOptions::default()).is_accepted());
        }
        let _ = (convert_2_0(&bytes), sco_id(&bytes), Marking::parse(&bytes));
    }
}
