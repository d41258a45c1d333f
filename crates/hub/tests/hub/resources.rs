//! Discovery, API root, collections, collection, status, publishing: what a client sees of them.

use model::{Role, Standing};
use serde_json::json;
use testkit::{envelope, indicator_id, tier};

use crate::{Face, TAXII, indicators};

const OPEN: &str = "7d1a2c40-53be-4f0c-8a59-0f6d3f1b6001";
const INDICATORS: &str = "7d1a2c40-53be-4f0c-8a59-0f6d3f1b6002";
const SUBMISSIONS: &str = "7d1a2c40-53be-4f0c-8a59-0f6d3f1b6004";

#[tokio::test]
async fn discovery_leads_to_the_api_root() {
    let face = Face::new();
    let discovery = face.get(&face.operator, "/taxii2/").await.expect(200).json();
    assert_eq!(discovery["title"], "Joint Cybersecurity Services Programme");
    assert_eq!(discovery["default"], "/jcsp/");
    assert_eq!(discovery["api_roots"], json!(["/jcsp/"]));
    let root = face.get(&face.operator, "/jcsp/").await.expect(200).json();
    assert_eq!(root["versions"], json!([TAXII]));
    assert_eq!(root["max_content_length"], 33_554_432);
    let options = hub::HubOptions {
        public_url: Some("https://hub.example/".to_owned()),
        ..hub::HubOptions::new([0; 32])
    };
    let face = Face::with(options);
    let discovery = face.get(&face.operator, "/taxii2").await.expect(200).json();
    assert_eq!(discovery["default"], "https://hub.example/jcsp/");
}

#[tokio::test]
async fn collections_are_what_the_caller_may_know_of_in_the_order_of_their_ids() {
    let face = Face::new();
    let (_, member) = face.member("Alpha", &["open", "programme"]);
    let (_, stranger) = face.member("Stranger", &[]);
    let ids = async |login| {
        let collections = face.get(login, "/jcsp/collections/").await.expect(200).json();
        let list = collections["collections"].as_array().cloned().unwrap_or_default();
        list.iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&member).await, [OPEN, INDICATORS, SUBMISSIONS]);
    assert_eq!(ids(&face.operator).await.len(), 4);
    // TAXII 2.1 §5.1: without any, the list is left out.
    assert_eq!(face.get(&stranger, "/jcsp/collections/").await.expect(200).json(), json!({}));
}

#[tokio::test]
async fn a_collection_is_found_by_id_and_alias_with_the_callers_rights() {
    let face = Face::new();
    let (_, member) = face.member("Alpha", &["open", "programme"]);
    let by_id = face.get(&member, &format!("/jcsp/collections/{OPEN}/")).await.expect(200);
    let by_alias = face.get(&member, "/jcsp/collections/open").await.expect(200);
    assert_eq!(by_id.body, by_alias.body);
    let collection = by_id.json();
    assert_eq!((&collection["can_read"], &collection["can_write"]), (&json!(true), &json!(false)));
    assert_eq!(collection["alias"], "open");
    assert_eq!(collection["media_types"], json!(["application/stix+json;version=2.1"]));
    let both = face.get(&member, "/jcsp/collections/indicators/").await.expect(200).json();
    assert_eq!((&both["can_read"], &both["can_write"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn a_change_of_standing_shows_in_the_next_answer() {
    let face = Face::new();
    let (alpha, login) = face.member("Alpha", &["open"]);
    face.get(&login, "/jcsp/collections/open/").await.expect(200);
    let exchange = &face.world.exchange;
    exchange
        .set_standing(&face.world.operator, &alpha.id, &tier("open"), Standing::Suspended, "a test")
        .unwrap();
    face.get(&login, "/jcsp/collections/open/").await.expect(404);
    face.get(&login, "/jcsp/collections/open/objects/").await.expect(404);
    exchange
        .set_standing(&face.world.operator, &alpha.id, &tier("open"), Standing::Listed, "the end")
        .unwrap();
    face.get(&login, "/jcsp/collections/open/").await.expect(200);
}

#[tokio::test]
async fn a_post_keeps_what_is_good_and_names_what_is_bad() {
    let face = Face::new();
    let (_, member) = face.member("Alpha", &["open", "programme"]);
    let mut objects = indicators(1..3);
    objects.push(br#"{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-0000000000ff"}"#.to_vec());
    let path = "/jcsp/collections/indicators/objects/";
    let posted = face.ask("POST", path).login(&member).taxii(envelope(&objects)).send().await.expect(202);
    assert_eq!(posted.header("content-type"), Some(TAXII));
    let status = posted.json();
    assert_eq!(status["status"], "complete");
    let counts =
        ["total_count", "success_count", "failure_count", "pending_count"].map(|name| status[name].clone());
    assert_eq!(counts, [json!(3), json!(2), json!(1), json!(0)]);
    assert_eq!(status["failures"][0]["id"], "indicator--00000000-0000-4000-8000-0000000000ff");
    assert!(status["failures"][0]["message"].as_str().unwrap().contains("is required"), "{status}");

    let path = format!("/jcsp/status/{}/", status["id"].as_str().unwrap());
    let later = face.get(&member, &path).await.expect(200).json();
    let successes: Vec<_> =
        later["successes"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap()).collect();
    assert_eq!(successes, [indicator_id(1), indicator_id(2)]);
    // Statuses are their submitter's alone, the programme's people included.
    let (_, other) = face.member("Beta", &["open", "programme"]);
    let refused = face.get(&other, &path).await.expect(404);
    let absent = face.get(&other, "/jcsp/status/00000000-0000-4000-8000-000000000000/").await.expect(404);
    assert_eq!(refused.json()["title"], absent.json()["title"]);
    face.get(&face.operator, &path).await.expect(404);
    face.ask("GET", &path).send().await.expect(401);
}

#[tokio::test]
async fn an_object_is_deleted_by_whom_it_belongs_to() {
    let face = Face::new();
    let (_, alpha) = face.member("Alpha", &["open", "programme"]);
    let (_, beta) = face.member("Beta", &["open", "programme"]);
    let path = "/jcsp/collections/indicators/objects/";
    face.ask("POST", path).login(&alpha).taxii(envelope(&indicators(1..2))).send().await.expect(202);
    let object = format!("{path}{}/", indicator_id(1));
    face.get(&beta, &object).await.expect(200);
    face.ask("DELETE", &object).login(&beta).send().await.expect(403);
    face.ask("DELETE", &format!("{object}?match[type]=indicator")).login(&alpha).send().await.expect(400);
    let deleted = face.ask("DELETE", &object).login(&alpha).send().await.expect(200);
    assert_eq!((deleted.header("content-type"), deleted.body.len()), (Some(TAXII), 0));
    face.get(&beta, &object).await.expect(404);
    face.ask("DELETE", &object).login(&alpha).send().await.expect(404);
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let face = Face::new();
    for path in ["/taxii2/", "/jcsp/collections/open/", "/jcsp/collections/open/objects/"] {
        let whole = face.get(&face.operator, path).await.expect(200);
        let head = face.ask("HEAD", path).login(&face.operator).send().await.expect(200);
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-type"), Some(TAXII));
        assert_eq!(
            head.header("content-length").map(str::to_owned),
            Some(whole.body.len().to_string()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_overseer_reads_open_collections_alone() {
    let face = Face::new();
    let overseer = face.role(Role::Overseer);
    face.get(&overseer, "/jcsp/collections/open/objects/").await.expect(200);
    face.get(&overseer, "/jcsp/collections/indicators/objects/").await.expect(404);
}
