//! The resources, with the property names of the standard.
//!
//! A server writes them, a client reads them. An optional property that is absent, and a list
//! that is empty, are left out: the standard's lists have at least one element (TAXII 2.1 §2).
//! Properties that the standard does not know are kept in `custom` and written back; a server's
//! own must begin with `x_`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Properties outside the standard, by name.
pub type Custom = BTreeMap<String, Value>;

/// What a server offers (TAXII 2.1 §4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovery {
    /// The server's name for people.
    pub title: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whom to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The API root to use if in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The API roots, absolute or relative URLs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub api_roots: Vec<String>,
    /// Properties outside the standard.
    #[serde(flatten)]
    pub custom: Custom,
}

/// One API root (TAXII 2.1 §4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiRoot {
    /// Its name for people.
    pub title: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The media types of the TAXII versions it speaks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// The greatest request body it takes, in bytes; a greater one is answered with 413.
    pub max_content_length: u64,
    /// Properties outside the standard.
    #[serde(flatten)]
    pub custom: Custom,
}

/// The collections of an API root, ascending by id (TAXII 2.1 §5.1). Never paged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collections {
    /// Those that the caller may know of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collections: Vec<Collection>,
    /// Properties outside the standard.
    #[serde(flatten)]
    pub custom: Custom,
}

/// One collection, as the caller sees it (TAXII 2.1 §5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// A UUID.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// What is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A name that may stand for the id in a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Whether *this caller* may read from it.
    pub can_read: bool,
    /// Whether *this caller* may add to it.
    pub can_write: bool,
    /// The media types of its objects; absent means STIX of any version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_types: Vec<String>,
    /// Properties outside the standard.
    #[serde(flatten)]
    pub custom: Custom,
}

/// What is in a collection, without the objects (TAXII 2.1 §5.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Whether there are more records; absent means no.
    #[serde(default)]
    pub more: bool,
    /// Where they begin. The standard forgot it here, and clients loop for ever without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// One record for each version of each object, ascending by `date_added`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ManifestRecord>,
    /// Properties outside the standard.
    #[serde(flatten)]
    pub custom: Custom,
}

/// One version of one object (TAXII 2.1 §5.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRecord {
    /// The object's id.
    pub id: String,
    /// When it came into this collection on this server.
    pub date_added: String,
    /// The version: `modified`, else `created`, else `date_added`.
    pub version: String,
    /// The object's media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

/// The versions of one object (TAXII 2.1 §5.8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Whether there are more versions; absent means no.
    #[serde(default)]
    pub more: bool,
    /// Where they begin; as in [`Manifest::next`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The timestamps that name the versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// Properties outside the standard.
    #[serde(flatten)]
    pub custom: Custom,
}

/// How a request to add objects goes (TAXII 2.1 §4.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// A UUID.
    pub id: String,
    /// Whether all objects have been dealt with.
    pub status: StatusState,
    /// When the request came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_timestamp: Option<String>,
    /// How many objects the request had: the sum of the three counts below.
    pub total_count: u64,
    /// How many were added.
    pub success_count: u64,
    /// Those objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successes: Vec<StatusDetail>,
    /// How many were refused.
    pub failure_count: u64,
    /// Those objects, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<StatusDetail>,
    /// How many are still to be dealt with.
    pub pending_count: u64,
    /// Those objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pendings: Vec<StatusDetail>,
    /// Properties outside the standard.
    #[serde(flatten)]
    pub custom: Custom,
}

/// Whether a request to add objects has been dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusState {
    /// Every object has been dealt with; the status will not change any more.
    Complete,
    /// Some are still to come.
    Pending,
}

/// What became of one object of a request (TAXII 2.1 §4.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusDetail {
    /// The object's id.
    pub id: String,
    /// Its version: `modified`, else `created`, else the time of the request.
    pub version: String,
    /// The reason, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// An error, for people and for their tickets (TAXII 2.1 §3.6.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorResource {
    /// What went wrong, in a line.
    pub title: String,
    /// The same at length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// This occurrence, to be found in the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_id: Option<String>,
    /// This kind of error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The HTTP status, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<String>,
    /// A page with more about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_details: Option<String>,
    /// Anything that a program may want to know.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, Value>,
    /// Properties outside the standard.
    #[serde(flatten)]
    pub custom: Custom,
}

impl ErrorResource {
    /// An error with a title and its HTTP status.
    #[must_use]
    pub fn new(http_status: u16, title: impl Into<String>) -> Self {
        Self { title: title.into(), http_status: Some(http_status.to_string()), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;

    fn written(resource: &impl Serialize) -> String {
        serde_json::to_string(resource).unwrap()
    }

    /// The value as `T` reads it and writes it again.
    fn through<T: Serialize + DeserializeOwned>(value: &Value) -> Value {
        serde_json::to_value(serde_json::from_value::<T>(value.clone()).unwrap()).unwrap()
    }

    #[test]
    fn absent_properties_and_empty_lists_are_left_out() {
        let title = || "t".to_owned();
        let cases = [
            (written(&Discovery { title: title(), ..Discovery::default() }), r#"{"title":"t"}"#),
            (
                written(&ApiRoot { title: title(), max_content_length: 9, ..ApiRoot::default() }),
                r#"{"title":"t","max_content_length":9}"#,
            ),
            (written(&Collections::default()), "{}"),
            (
                written(&Collection { id: "i".to_owned(), title: title(), ..Collection::default() }),
                r#"{"id":"i","title":"t","can_read":false,"can_write":false}"#,
            ),
            (written(&Manifest::default()), r#"{"more":false}"#),
            (written(&Versions::default()), r#"{"more":false}"#),
            (written(&ErrorResource::new(404, "t")), r#"{"title":"t","http_status":"404"}"#),
        ];
        for (written, want) in cases {
            assert_eq!(written, want);
        }
    }

    #[test]
    fn every_property_goes_through_unchanged() {
        let discovery = json!({"title": "t", "description": "d", "contact": "c", "default": "/a/",
            "api_roots": ["/a/", "https://b.example/c/"], "x_custom": [1]});
        assert_eq!(through::<Discovery>(&discovery), discovery);
        let root = json!({"title": "t", "description": "d", "versions": [crate::MEDIA_TYPE],
            "max_content_length": 104_857_600, "x_custom": true});
        assert_eq!(through::<ApiRoot>(&root), root);
        let collections = json!({"collections": [{"id": "91a7b528-80eb-42ed-a74d-c6fbd5a26116", "title": "t",
            "description": "d", "alias": "a", "can_read": true, "can_write": false,
            "media_types": ["application/stix+json;version=2.1"], "x_custom": {"k": null}}], "x_more": 1});
        assert_eq!(through::<Collections>(&collections), collections);
        let manifest = json!({"more": true, "next": "n", "objects": [{"id": "a--b", "date_added":
            "2026-01-10T00:00:00.000000Z", "version": "2026-01-09T00:00:00.000Z",
            "media_type": "application/stix+json;version=2.1"}], "x_custom": 1});
        assert_eq!(through::<Manifest>(&manifest), manifest);
        let versions = json!({"more": true, "next": "n", "versions": ["2026-01-09T00:00:00.000Z"], "x_a": 1});
        assert_eq!(through::<Versions>(&versions), versions);
        let detail = json!([{"id": "a--b", "version": "2026-01-09T00:00:00.000Z", "message": "m"}]);
        let status = json!({"id": "s", "status": "pending", "request_timestamp": "2026-01-10T00:00:00.000000Z",
            "total_count": 3, "success_count": 1, "successes": detail, "failure_count": 1, "failures": detail,
            "pending_count": 1, "pendings": detail, "x_custom": "c"});
        assert_eq!(through::<Status>(&status), status);
        let error = json!({"title": "t", "description": "d", "error_id": "e", "error_code": "c",
            "http_status": "400", "external_details": "https://a.example", "details": {"k": "v"}, "x_a": 1});
        assert_eq!(through::<ErrorResource>(&error), error);
    }

    #[test]
    fn a_resource_without_what_is_required_is_refused() {
        assert!(serde_json::from_str::<ErrorResource>("{}").is_err());
        assert!(serde_json::from_str::<Discovery>(r#"{"api_roots":[]}"#).is_err());
        assert!(serde_json::from_str::<Collection>(r#"{"id":"i","title":"t","can_read":true}"#).is_err());
        assert!(serde_json::from_str::<Status>(r#"{"id":"i","status":"done"}"#).is_err());
    }
}
