//! Judging an object against STIX 2.1, with every finding.
//!
//! The standard says MUST and SHOULD. A broken MUST refuses an object, a broken SHOULD never does:
//! it is a warning to its producer. Each [`Finding`] tells where (a JSON pointer, RFC 6901), what (a
//! stable code), by which section of the standard, and in words.
//!
//! ```
//! let object = br#"{"type":"ipv4-addr","id":"ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd",
//!                   "value":"198.51.100.300"}"#;
//! let report = stix::validate(object, &stix::ValidateOptions::default());
//! assert!(!report.is_accepted());
//! assert_eq!(report.findings[0].pointer, "/value");
//! assert_eq!(report.findings[0].code, "invalid-address");
//! ```
//!
//! What a table can say is said by the tables of `domain` and `observable`; what relates one
//! property to another is in `rules`. Properties that the standard does not define are carried, as
//! are types and extensions: only their names are looked at.
//!
//! STIX 2.0 is refused with one finding of code `stix-2.0`, which names the remedy. Judging
//! such an object by the rules of 2.1 would bury the one thing that matters.

mod checker;
mod domain;
mod findings;
mod forms;
mod meta;
mod observable;
mod path;
mod relationships;
mod rules;
mod shape;
mod value;

use crate::document::Document;
use crate::limits::Limits;
use checker::Checker;
use path::Path;
use shape::TypeSpec;

/// What to look at, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidateOptions {
    /// Limits of the object.
    pub limits: Limits,
    /// Whether broken SHOULDs are reported.
    pub warnings: bool,
    /// Most findings in one report.
    ///
    /// 1,000: nobody reads more, and a list of a million wrong things should not take a gigabyte.
    pub findings_max: usize,
}

impl Default for ValidateOptions {
    fn default() -> Self {
        Self { limits: Limits::default(), warnings: true, findings_max: 1_000 }
    }
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A broken SHOULD: a warning.
    Should,
    /// A broken MUST: the object is refused.
    Must,
}

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// What it is, stable from release to release.
    pub code: &'static str,
    /// Where, as a JSON pointer; empty for the object as a whole.
    pub pointer: String,
    /// The section of STIX 2.1 that says so.
    pub section: &'static str,
    /// What it is, in words.
    pub message: String,
}

/// The findings on one object, in the order of its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
    /// Whether there were more than the options allow.
    pub truncated: bool,
}

impl Report {
    /// Whether the object breaks no MUST.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.musts().next().is_none()
    }

    /// The findings that refuse the object.
    pub fn musts(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Must)
    }

    /// The findings that only warn.
    pub fn shoulds(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Should)
    }
}

/// Judges the bytes of one object. Total: any bytes get a report.
#[must_use]
pub fn validate(bytes: &[u8], options: &ValidateOptions) -> Report {
    match Document::parse(bytes, &options.limits) {
        Ok(document) => validate_document(&document, options),
        Err(error) => {
            let code = match error.fault {
                crate::JsonFault::DuplicateKey => "duplicate-key",
                crate::JsonFault::TooDeep => "nesting-limit",
                crate::JsonFault::TooLarge => "size-limit",
                crate::JsonFault::NotUtf8
                | crate::JsonFault::UnexpectedEnd
                | crate::JsonFault::UnexpectedCharacter
                | crate::JsonFault::BadLiteral
                | crate::JsonFault::BadNumber
                | crate::JsonFault::BadEscape
                | crate::JsonFault::LoneSurrogate
                | crate::JsonFault::ControlCharacter
                | crate::JsonFault::TrailingText => "invalid-json",
            };
            let finding = Finding {
                severity: Severity::Must,
                code,
                pointer: String::new(),
                section: "3.1",
                message: error.to_string(),
            };
            Report { findings: vec![finding], truncated: false }
        }
    }
}

/// Judges an object that is already parsed.
#[must_use]
pub fn validate_document(document: &Document<'_>, options: &ValidateOptions) -> Report {
    let mut checker = Checker::new(document.root(), options);
    checker.document(&Path::ROOT);
    checker.into_report()
}

/// The table of a type of the standard.
fn spec_of(name: &str) -> Option<&'static TypeSpec> {
    use domain as d;
    use observable as o;
    Some(match name {
        "attack-pattern" => &d::ATTACK_PATTERN,
        "campaign" => &d::CAMPAIGN,
        "course-of-action" => &d::COURSE_OF_ACTION,
        "grouping" => &d::GROUPING,
        "identity" => &d::IDENTITY,
        "incident" => &d::INCIDENT,
        "indicator" => &d::INDICATOR,
        "infrastructure" => &d::INFRASTRUCTURE,
        "intrusion-set" => &d::INTRUSION_SET,
        "location" => &d::LOCATION,
        "malware" => &d::MALWARE,
        "malware-analysis" => &d::MALWARE_ANALYSIS,
        "note" => &d::NOTE,
        "observed-data" => &d::OBSERVED_DATA,
        "opinion" => &d::OPINION,
        "report" => &d::REPORT,
        "threat-actor" => &d::THREAT_ACTOR,
        "tool" => &d::TOOL,
        "vulnerability" => &d::VULNERABILITY,
        "relationship" => &d::RELATIONSHIP,
        "sighting" => &d::SIGHTING,
        "language-content" => &d::LANGUAGE_CONTENT,
        "marking-definition" => &d::MARKING_DEFINITION,
        "extension-definition" => &d::EXTENSION_DEFINITION,
        "artifact" => &o::ARTIFACT,
        "autonomous-system" => &o::AUTONOMOUS_SYSTEM,
        "directory" => &o::DIRECTORY,
        "domain-name" => &o::DOMAIN_NAME,
        "email-addr" => &o::EMAIL_ADDR,
        "email-message" => &o::EMAIL_MESSAGE,
        "file" => &o::FILE,
        "ipv4-addr" => &o::IPV4_ADDR,
        "ipv6-addr" => &o::IPV6_ADDR,
        "mac-addr" => &o::MAC_ADDR,
        "mutex" => &o::MUTEX,
        "network-traffic" => &o::NETWORK_TRAFFIC,
        "process" => &o::PROCESS,
        "software" => &o::SOFTWARE,
        "url" => &o::URL,
        "user-account" => &o::USER_ACCOUNT,
        "windows-registry-key" => &o::WINDOWS_REGISTRY_KEY,
        "x509-certificate" => &o::X509_CERTIFICATE,
        _ => return None,
    })
}
