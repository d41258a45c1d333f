//! What a guard asks of the hub: how long it may act, what occurred, what is wrong.

use std::time::Duration;

use exchange::OCCURRENCE_EXTENSION;
use model::Role;
use serde_json::{Value, json};
use testkit::indicator_id;

use crate::{Face, Login, indicators};

/// The hour before the clock of the tests begins, and the one before that.
const HOUR: &str = "2012-03-27T23:00:00.000000Z";
const DAY: &str = "2012-03-27T00:00:00.000000Z";

fn fact(n: u32, object: &str, count: u64) -> Value {
    json!({
        "type": "sighting", "spec_version": "2.1", "id": format!("sighting--00000000-0000-4000-8000-{n:012x}"),
        "created": HOUR, "modified": HOUR, "first_seen": HOUR, "last_seen": HOUR, "count": count,
        "sighting_of_ref": object,
        "extensions": {OCCURRENCE_EXTENSION: {
            "extension_type": "property-extension", "countermeasure": "sinkhole", "action": "monitored",
        }},
    })
}

async fn report(face: &Face, login: &Login, facts: &[Value]) -> Value {
    face.api(login, "POST", "/api/occurrences", json!({ "objects": facts })).await.expect(200).json()
}

/// The objects of a type that a reader finds in a collection, all versions.
async fn objects(face: &Face, login: &Login, collection: &str, object_type: &str) -> Vec<Value> {
    face.world.pass(Duration::from_secs(1));
    let path =
        format!("/jcsp/collections/{collection}/objects/?match[type]={object_type}&match[version]=all");
    let page = face.get(login, &path).await.expect(200).json();
    page["objects"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn guards_are_known_by_what_they_say_they_are() {
    let face = Face::new();
    let (member, login) = face.member("Alpha", &["open"]);
    let ask = async |login: &Login, agent: &str| {
        face.ask("GET", "/api/me").login(login).header("user-agent", agent).send().await.expect(200);
    };
    let officer = face.role(Role::Officer);
    let guards = async || face.get(&officer, "/api/guards").await.expect(200).json()["guards"].clone();
    ask(&login, "curl/8.0").await;
    ask(&officer, "ringfence-guard/1.0").await;
    assert_eq!(guards().await, json!([]), "neither another program nor somebody of the programme is a guard");
    ask(&login, "ringfence-guard/1.0").await;
    let known = guards().await;
    assert_eq!((known.as_array().unwrap().len(), &known[0]["member"]), (1, &json!(member.id)));
    assert_eq!((&known[0]["state"], &known[0]["version"]), (&json!("heard"), &json!("1.0")));
    face.world.pass(Duration::from_mins(5) + Duration::from_secs(1));
    assert_eq!(guards().await[0]["state"], "silent");
    face.get(&login, "/api/guards").await.expect(403);
    face.get(&face.role(Role::Reviewer), "/api/guards").await.expect(403);
}

#[tokio::test]
async fn a_guard_learns_the_programme_and_its_lease() {
    let face = Face::new();
    let (_, login) = face.member("Alpha", &["open"]);
    let me = face.get(&login, "/api/me").await.expect(200).json();
    assert_eq!(me["programme"]["name"], "jcsp");
    assert_eq!(me["programme"]["identity"], face.world.exchange.programme().settings().identity.id.as_str());
    assert_eq!(me["lease_seconds"], 86_400);
}

#[tokio::test]
async fn what_occurred_is_published_from_three_members_and_names_none() {
    let face = Face::new();
    let members: Vec<_> = ["Alpha", "Beta", "Gamma"].map(|name| face.member(name, &["programme"])).into();
    let (_, outsider) = face.member("Delta", &["open"]);
    let _ = face.world.publish("indicators", &indicators(1..3));
    let object = indicator_id(1);
    for (n, (_, login)) in (0..).zip(&members[..2]) {
        let answer = report(&face, login, &[fact(n, &object, 10)]).await;
        assert_eq!(answer, json!({"accepted": 1, "already": 0, "refused": []}));
    }
    // One member is one, however much it reports; a day is not told in parts.
    let answer = report(&face, &members[0].1, &[fact(0, &object, 10), fact(7, &object, 100)]).await;
    assert_eq!(answer, json!({"accepted": 1, "already": 1, "refused": []}));
    assert!(objects(&face, &members[0].1, "indicators", "sighting").await.is_empty());

    report(&face, &members[2].1, &[fact(2, &object, 5)]).await;
    let seen = objects(&face, &members[0].1, "indicators", "sighting").await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    let sighting = seen[0].as_object().unwrap();
    let names: Vec<&str> = sighting.keys().map(String::as_str).collect();
    let wanted = [
        "count",
        "created",
        "created_by_ref",
        "extensions",
        "first_seen",
        "id",
        "last_seen",
        "modified",
        "object_marking_refs",
        "sighting_of_ref",
        "spec_version",
        "type",
    ];
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, wanted);
    assert_eq!((&sighting["first_seen"], &sighting["last_seen"]), (&json!(DAY), &json!(DAY)));
    assert_eq!((&sighting["count"], &sighting["sighting_of_ref"]), (&json!(100), &json!(object)));
    let said = &sighting["extensions"][OCCURRENCE_EXTENSION];
    assert_eq!(said, &json!({"extension_type": "property-extension", "members_at_least": 3}));
    let indicator = face.get(&members[0].1, &format!("/jcsp/collections/indicators/objects/{object}/")).await;
    let indicator = indicator.expect(200).json();
    assert_eq!(sighting["object_marking_refs"], indicator["objects"][0]["object_marking_refs"]);
    for (member, login) in &members {
        let text = sighting["created_by_ref"].to_string() + &seen[0].to_string();
        assert!(!text.contains(member.id.as_str()) && !text.contains(&login.id), "{text}");
    }

    // The same buckets are no news; another bucket is a new version of the same sighting.
    report(&face, &members[2].1, &[fact(8, &object, 1)]).await;
    assert_eq!(objects(&face, &members[1].1, "indicators", "sighting").await.len(), 1);
    let many: Vec<Value> = (10..20).map(|n| fact(n, &object, 100)).collect();
    report(&face, &members[1].1, &many).await;
    let seen = objects(&face, &members[1].1, "indicators", "sighting").await;
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!((&seen[0]["id"], &seen[0]["created"]), (&seen[1]["id"], &seen[1]["created"]));
    assert_eq!(seen[1]["count"], 1_000);
    assert!(seen[0]["modified"].as_str() < seen[1]["modified"].as_str());
    face.get(&outsider, "/jcsp/collections/indicators/objects/").await.expect(404);
}

#[tokio::test]
async fn what_occurred_lies_under_the_label_of_its_indicator_and_goes_with_it() {
    let face = Face::new();
    let members: Vec<_> =
        ["Alpha", "Beta", "Gamma"].map(|name| face.member(name, &["open", "programme"])).into();
    let (_, delta) = face.member("Delta", &["open"]);
    // In two collections, one of which not everybody has.
    let _ = face.world.publish("indicators", &indicators(1..2));
    let _ = face.world.publish("open", &indicators(1..2));
    let object = indicator_id(1);
    for (n, (_, login)) in (0..).zip(&members) {
        report(&face, login, &[fact(n, &object, 1)]).await;
    }
    for (login, collection) in [(&members[0].1, "indicators"), (&members[0].1, "open"), (&delta, "open")] {
        let seen = objects(&face, login, collection, "sighting").await;
        assert_eq!(seen.len(), 1, "{collection}: {seen:?}");
    }
    let recall = json!({"object": object, "action": "withdraw", "reason": "wrong"});
    face.api(&face.operator, "POST", "/api/recall", recall).await.expect(200);
    for collection in ["indicators", "open"] {
        assert!(objects(&face, &members[0].1, collection, "sighting").await.is_empty(), "{collection}");
    }
}

#[tokio::test]
async fn what_is_no_fact_is_refused_by_its_place_and_the_rest_is_taken() {
    let face = Face::new();
    let (_, login) = face.member("Alpha", &["open"]);
    let _ = face.world.publish("open", &indicators(1..2));
    let _ = face.world.publish("cleared", &indicators(2..3));
    let (open, hidden, absent) = (indicator_id(1), indicator_id(2), indicator_id(3));
    let mut wordy = fact(1, &open, 1);
    wordy["description"] = json!("mail to jane@victim.example");
    let facts =
        [wordy, fact(2, &open, 3), json!(7), fact(4, &hidden, 1), fact(5, &absent, 1), fact(6, &open, 1)];
    let answer = report(&face, &login, &facts).await;
    assert_eq!((&answer["accepted"], &answer["already"]), (&json!(1), &json!(0)), "{answer}");
    let refused = answer["refused"].as_array().unwrap();
    let places: Vec<_> = refused.iter().map(|refused| refused["place"].as_u64().unwrap()).collect();
    assert_eq!(places, [0, 1, 2, 3, 4]);
    assert_eq!(refused[0]["id"], facts[0]["id"]);
    // Hidden and absent are one answer.
    let reason = |n: usize, id: &str| refused[n]["reason"].as_str().unwrap().replace(id, "it");
    assert_eq!(reason(3, &hidden), reason(4, &absent));

    let many: Vec<Value> = (0..1_001).map(|n| fact(n, &open, 1)).collect();
    let post = async |login, document| face.api(login, "POST", "/api/occurrences", document).await;
    post(&login, json!({ "objects": many })).await.expect(422);
    post(&login, json!({"objects": {}})).await.expect(400);
    post(&login, json!({"objects": [], "member": "me"})).await.expect(400);
    post(&face.operator, json!({"objects": []})).await.expect(403);
    // The ledger says how many, and not what.
    let entries: Vec<_> = face.world.store.snapshot().unwrap().entries(0, 1_000).unwrap();
    let reports: Vec<String> = entries
        .iter()
        .map(|entry| String::from_utf8_lossy(&entry.body).into_owned())
        .filter(|body| body.contains("\"kind\":\"report\""))
        .collect();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("\"count\":1,") && !reports[0].contains("indicator--"), "{reports:?}");
}

#[tokio::test]
async fn contributors_and_officers_see_who_gives_and_who_takes() {
    let face = Face::new();
    let members: Vec<_> = ["Alpha", "Beta", "Gamma"].map(|name| face.member(name, &["programme"])).into();
    let (object, quiet) = (indicator_id(1), indicator_id(2));
    let body = testkit::envelope(&indicators(1..3));
    let posted = face.ask("POST", "/jcsp/collections/indicators/objects/").login(&members[0].1).taxii(body);
    posted.send().await.expect(202);
    face.world.pass(Duration::from_secs(1));
    let own = async |login: &Login| face.get(login, "/api/me/occurrences").await.expect(200).json();
    for (n, (_, login)) in (0..).zip(&members[..2]) {
        report(&face, login, &[fact(n, &object, 1), fact(n + 10, &quiet, 1)]).await;
    }
    assert_eq!(own(&members[0].1).await, json!({"objects": []}), "too few to be told");
    report(&face, &members[2].1, &[fact(2, &object, 10)]).await;
    let told = json!({
        "object": object, "days": 1, "count": 10, "members_at_least": 3, "last_day": "2012-03-27",
    });
    assert_eq!(own(&members[0].1).await, json!({"objects": [told]}));
    assert_eq!(own(&members[1].1).await, json!({"objects": []}), "it contributed nothing");

    let officer = face.role(Role::Officer);
    let giving = face.get(&officer, "/api/occurrences").await.expect(200).json();
    let of = |member: &model::Member| {
        let all = giving["members"].as_array().unwrap();
        all.iter().find(|giving| giving["member"] == member.id.as_str()).unwrap().clone()
    };
    let alpha = of(&members[0].0);
    assert_eq!((&alpha["contributed"], &alpha["hit"], &alpha["facts"]), (&json!(3), &json!(2), &json!(2)));
    let beta = of(&members[1].0);
    assert_eq!((&beta["contributed"], &beta["hit"], &beta["facts"]), (&json!(0), &json!(0), &json!(2)));
    let first = face.get(&officer, "/api/occurrences?by=indicators&limit=1").await.expect(200).json();
    assert_eq!(first["objects"][0]["object"], object.as_str());
    assert_eq!((&first["objects"][0]["members"], &first["objects"][0]["count"]), (&json!(3), &json!(12)));
    let after = first["next"].as_str().unwrap();
    let path = format!("/api/occurrences?by=indicators&after={after}");
    let rest = face.get(&officer, &path).await.expect(200).json();
    assert_eq!(rest["objects"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&rest["objects"][0]["members"], &rest["objects"][0]["published_days"]),
        (&json!(2), &json!(0))
    );
    for path in ["/api/occurrences?by=rivals", "/api/occurrences?limit=0", "/api/me/occurrences?limit=x"] {
        face.get(&officer, path).await.expect(400);
    }
    face.get(&members[0].1, "/api/occurrences").await.expect(403);
    face.get(&face.role(Role::Reviewer), "/api/occurrences").await.expect(403);
    face.get(&officer, "/api/me/occurrences").await.expect(403);
}

#[tokio::test]
async fn a_false_positive_is_reported_confirmed_and_taken_back() {
    let face = Face::new();
    let (_, alpha) = face.member("Alpha", &["programme"]);
    let (_, beta) = face.member("Beta", &["programme"]);
    let (_, outsider) = face.member("Delta", &["open"]);
    let reviewer = face.role(Role::Reviewer);
    let body = testkit::envelope(&indicators(1..2));
    let posted = face.ask("POST", "/jcsp/collections/indicators/objects/").login(&alpha).taxii(body);
    posted.send().await.expect(202);
    face.world.pass(Duration::from_secs(1));
    let object = indicator_id(1);
    let report = async |login: &Login, object: &str, reason: &str| {
        let document = json!({"object": object, "reason": reason});
        face.api(login, "POST", "/api/false-positives", document).await
    };
    let decide = async |login: &Login, word: &str, reason: &str| {
        let path = format!("/api/false-positives/{object}/{word}");
        face.api(login, "POST", &path, json!({ "reason": reason })).await
    };
    decide(&reviewer, "confirm", "nobody said so").await.expect(404);
    report(&outsider, &object, "it is ours").await.expect(404);
    report(&outsider, &indicator_id(9), "it is ours").await.expect(404);
    report(&beta, &object, " ").await.expect(422);
    report(&beta, "malware--1", "no indicator").await.expect(404);
    report(&face.role(Role::Overseer), &object, "x").await.expect(403);
    let taken = report(&beta, &object, "our own mail server").await.expect(202).json();
    assert_eq!(taken, json!({ "object": object }));
    assert!(objects(&face, &beta, "indicators", "opinion").await.is_empty(), "it is a proposal");

    let listed = face.get(&reviewer, "/api/false-positives").await.expect(200).json();
    let first = &listed["objects"][0];
    assert_eq!(
        (&first["state"], &first["members"], &first["people"]),
        (&json!("reported"), &json!(1), &json!(0))
    );
    assert_eq!(first["reports"][0]["reason"], "our own mail server");
    face.get(&beta, "/api/false-positives").await.expect(403);
    decide(&beta, "confirm", "I say so").await.expect(403);
    decide(&reviewer, "confirm", "").await.expect(422);

    decide(&reviewer, "confirm", "a shared host").await.expect(200);
    decide(&reviewer, "confirm", "twice").await.expect(422);
    let seen = objects(&face, &alpha, "indicators", "opinion").await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    let identity = face.world.exchange.programme().settings().identity.id.clone();
    let opinion = &seen[0];
    assert_eq!(opinion["created_by_ref"], identity.as_str());
    assert_eq!(
        (&opinion["opinion"], &opinion["labels"]),
        (&json!("strongly-disagree"), &json!(["false-positive"]))
    );
    assert_eq!(
        (&opinion["object_refs"], &opinion["explanation"]),
        (&json!([object]), &json!("a shared host"))
    );
    assert!(!opinion.to_string().contains("mail server"), "the reporter's words stay in");
    let own = face.get(&alpha, "/api/me/occurrences").await.expect(200).json();
    assert_eq!(own["objects"][0]["false_positive"], "confirmed");
    // It lies under the producer's label, and is not the producer's.
    let path = format!("/jcsp/collections/indicators/objects/{}/", opinion["id"].as_str().unwrap());
    face.ask("DELETE", &path).login(&alpha).send().await.expect(403);

    decide(&face.operator, "dismiss", "it is listed for a reason").await.expect(200);
    decide(&reviewer, "dismiss", "twice").await.expect(422);
    let seen = objects(&face, &beta, "indicators", "opinion").await;
    let last = seen.last().unwrap();
    assert_eq!((seen.len(), &last["revoked"], &last["id"]), (2, &json!(true), &opinion["id"]));
    assert_eq!(last["created"], opinion["created"]);
    // It can be said again, and another opinion stands then.
    report(&face.operator, &object, "again").await.expect(202);
    decide(&reviewer, "confirm", "after all").await.expect(200);
    let seen = objects(&face, &beta, "indicators", "opinion").await;
    assert_eq!(seen.len(), 3);
    assert_ne!(seen[2]["id"], opinion["id"]);
}

const USE_WITHOUT_DISPLAY: &str = "marking-definition--5f7c1e0e-7d51-4a0c-9b1c-0d7f6c1a2b3c";

/// Content that may be enforced and not shown.
fn netdef_only() -> Vec<u8> {
    json!({
        "type": "marking-definition", "spec_version": "2.1", "id": USE_WITHOUT_DISPLAY,
        "created": "2012-01-13T00:00:00.000Z",
        "extensions": {"extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce": {
            "extension_type": "property-extension", "identifier": "isa:guide.999191.one",
            "create_date_time": "2012-01-13T00:00:00.000Z", "responsible_entity_custodian": "USA.DHS.US-CERT",
            "policy_reference": "urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=permit",
            "access_privilege": [{
                "privilege_action": "NETDEF", "rule_effect": "permit", "privilege_scope": {"entity": ["ALL"]},
            }],
            "control_set": {"classification": "U"},
        }},
    })
    .to_string()
    .into_bytes()
}

fn hidden(n: u64, pattern: &str) -> Vec<u8> {
    let mut object: Value =
        serde_json::from_slice(&testkit::indicator(n, 1, &[testkit::TLP[1], USE_WITHOUT_DISPLAY])).unwrap();
    object["pattern"] = json!(pattern);
    object["indicator_types"] = json!(["malicious-activity"]);
    object.to_string().into_bytes()
}

#[tokio::test]
async fn what_no_guard_may_act_on_is_told_to_those_who_log_in() {
    let face = Face::with_file("lists/allow.txt", "# ours\nGood.example\n192.0.2.0/24\n");
    let (_, login) = face.member("Alpha", &["open"]);
    let answer = face.get(&login, "/api/allow").await.expect(200);
    assert_eq!(answer.json()["values"], json!(["good.example", "192.0.2.0/24"]));
    let etag = answer.header("etag").unwrap().to_owned();
    assert_eq!(etag.trim_matches('"'), answer.json()["serial"].as_str().unwrap());
    let again = face.ask("GET", "/api/allow").login(&login).header("if-none-match", &etag);
    assert!(again.send().await.expect(304).body.is_empty());
    face.get(&login, "/api/allow?what=1").await.expect(400);
    face.ask("GET", "/api/allow").send().await.expect(401);
    let none = Face::new();
    let (_, login) = none.member("Alpha", &["open"]);
    assert_eq!(none.get(&login, "/api/allow").await.expect(200).json()["values"], json!([]));
}

#[tokio::test]
async fn what_may_be_used_and_not_read_comes_blinded() {
    let face = Face::new();
    let (alpha, login) = face.member("Alpha", &["programme"]);
    let (_, other) = face.member("Beta", &["programme"]);
    let (_, outsider) = face.member("Delta", &["open"]);
    let complex = "[domain-name:value = 'x.example'] FOLLOWEDBY [ipv4-addr:value = '192.0.2.1']";
    let published = [
        netdef_only(),
        hidden(1, "[domain-name:value = 'C2.hidden.example']"),
        hidden(2, complex),
        testkit::indicator(3, 1, &[testkit::TLP[1]]),
    ];
    let submission = face.world.publish("indicators", &published);
    assert_eq!(submission.stored, 4, "{submission:?}");
    face.world.pass(Duration::from_secs(1));
    let seen = face.get(&login, "/jcsp/collections/indicators/objects/?match[type]=indicator").await;
    let seen = seen.expect(200).json();
    assert_eq!(seen["objects"].as_array().unwrap().len(), 1, "{seen}");
    assert_eq!(seen["objects"][0]["id"], indicator_id(3));

    let path = "/api/blinded?collection=indicators";
    let answer = face.get(&login, path).await.expect(200);
    let text = String::from_utf8(answer.body.clone()).unwrap();
    for plain in ["hidden.example", "indicator--", "00000000-0000-4000"] {
        assert!(!text.contains(plain), "{plain}: {text}");
    }
    let blinded = answer.json();
    assert_eq!((blinded["entries"].as_array().unwrap().len(), &blinded["left_out"]), (1, &json!(1)));
    let entry = &blinded["entries"][0];
    let key: [u8; 32] = hex::decode(blinded["key"].as_str().unwrap()).unwrap().try_into().unwrap();
    let name = matcher::Key::name("c2.hidden.example", matcher::Scope::Subdomains).unwrap();
    let want = matcher::BlindKey::new(&key).blind(&name);
    let got = format!("{}:{}", entry["kind"].as_str().unwrap(), entry["digest"].as_str().unwrap());
    assert_eq!(got.parse::<matcher::Blinded>().unwrap(), want);
    assert_eq!(entry["category"], "malicious-activity");
    let reference = entry["ref"].as_str().unwrap().strip_prefix("b-").unwrap().to_owned();

    // Another member's are another's.
    let theirs = face.get(&other, path).await.expect(200).json();
    assert_ne!(theirs["key"], blinded["key"]);
    assert_ne!(theirs["entries"][0]["ref"], entry["ref"]);
    assert_ne!(theirs["entries"][0]["digest"], entry["digest"]);

    // Asking again costs nothing, also when something else was published beside it.
    let etag = answer.header("etag").unwrap().to_owned();
    assert_eq!(etag.trim_matches('"'), blinded["serial"].as_str().unwrap());
    let _ = face.world.publish("indicators", &indicators(4..5));
    face.world.pass(Duration::from_secs(1));
    let before = face.world.exchange.ledger_head().size;
    let again = face.ask("GET", path).login(&login).header("if-none-match", &etag).send().await.expect(304);
    assert!(again.body.is_empty());
    assert_eq!(face.world.exchange.ledger_head().size, before);
    assert_eq!(face.get(&login, path).await.expect(200).json(), blinded);
    assert_eq!(face.world.exchange.ledger_head().size, before + 1, "what leaves is recorded");

    // It reports by the reference, and by nothing else.
    let by_reference = fact(1, &format!("indicator--{reference}"), 1);
    let answer = report(&face, &login, &[by_reference.clone(), fact(2, &indicator_id(1), 1)]).await;
    assert_eq!((&answer["accepted"], &answer["refused"][0]["place"]), (&json!(1), &json!(1)), "{answer}");
    let answer = report(&face, &other, &[by_reference]).await;
    assert_eq!(answer["accepted"], 0, "another's reference is nobody's");
    let officer = face.role(Role::Officer);
    let hits = face.get(&officer, "/api/occurrences?by=indicators").await.expect(200).json();
    assert_eq!(hits["objects"][0]["object"], indicator_id(1));
    let doubt = json!({"object": format!("indicator--{reference}"), "reason": "our own"});
    let said = face.api(&login, "POST", "/api/false-positives", doubt.clone()).await.expect(202).json();
    assert_eq!(said["object"], doubt["object"]);
    let listed = face.get(&officer, "/api/false-positives").await.expect(200).json();
    assert_eq!(listed["objects"][0]["object"], indicator_id(1));

    // What it holds is named to the auditors, and not to itself.
    let holds = format!("/api/members/{}/holds", alpha.id);
    let own = String::from_utf8(face.get(&login, &holds).await.expect(200).body).unwrap();
    assert!(own.contains(&indicator_id(3)) && !own.contains(&indicator_id(1)), "{own}");
    let audited = String::from_utf8(face.get(&officer, &holds).await.expect(200).body).unwrap();
    assert!(audited.contains(&indicator_id(1)), "{audited}");

    // It goes with the object, and no notice names it.
    let recall = json!({"object": indicator_id(1), "action": "withdraw", "reason": "wrong"});
    face.api(&face.operator, "POST", "/api/recall", recall).await.expect(200);
    let left = face.ask("GET", path).login(&login).header("if-none-match", &etag).send().await.expect(200);
    assert_eq!(left.json()["entries"], json!([]));
    assert!(objects(&face, &login, "indicators", "note").await.is_empty());

    for (login, path, status) in [
        (&outsider, path, 404),
        (&login, "/api/blinded?collection=none", 404),
        (&login, "/api/blinded", 400),
        (&login, "/api/blinded?collection=indicators&key=00", 400),
        (&face.operator, path, 403),
    ] {
        face.get(login, path).await.expect(status);
    }
    let standing = json!({"tier": "programme", "to": "suspended", "reason": "a test"});
    let decide = format!("/api/members/{}/standing", alpha.id);
    face.api(&face.operator, "POST", &decide, standing).await.expect(200);
    face.get(&login, path).await.expect(404);
}

#[tokio::test]
async fn what_is_blinded_says_when_it_begins_how_sure_it_is_and_whether_it_is_doubted() {
    let face = Face::new();
    let (_, login) = face.member("Alpha", &["programme"]);
    let (_, other) = face.member("Beta", &["programme"]);
    let hidden_with = |n: u64, from: &str, confidence: Option<u8>| {
        let mut object: Value =
            serde_json::from_slice(&hidden(n, &format!("[domain-name:value = 'n{n}.hidden.example']")))
                .unwrap();
        object["valid_from"] = json!(from);
        if let Some(confidence) = confidence {
            object["confidence"] = json!(confidence);
        }
        object.to_string().into_bytes()
    };
    let published = [
        netdef_only(),
        hidden_with(1, "2011-03-04T05:06:07.123Z", Some(5)),
        hidden_with(2, "2031-03-04T05:06:07.123Z", None),
    ];
    assert_eq!(face.world.publish("indicators", &published).stored, 3);
    face.world.pass(Duration::from_secs(1));
    let path = "/api/blinded?collection=indicators";
    let answer = face.get(&login, path).await.expect(200);
    let etag = answer.header("etag").unwrap().to_owned();
    let mut entries = answer.json()["entries"].as_array().unwrap().clone();
    entries.sort_by_key(|entry| entry["from"].as_str().unwrap().to_owned());
    let told = |entry: &Value| ["from", "confidence", "false_positive"].map(|name| entry[name].clone());
    // What has begun says no more than its day, by which two members could not tell that theirs are the same.
    assert_eq!(told(&entries[0]), [json!("2011-03-04T00:00:00.000000Z"), json!(5), json!(null)]);
    assert_eq!(told(&entries[1]), [json!("2031-03-04T05:06:07.123000Z"), json!(null), json!(null)]);

    // A verdict changes it, and one on something else does not.
    let _ = face.world.publish("indicators", &indicators(7..8));
    face.world.pass(Duration::from_secs(1));
    let again =
        async |login: &Login| face.ask("GET", path).login(login).header("if-none-match", &etag).send().await;
    let confirm = async |object: &str| {
        let doubt = json!({"object": object, "reason": "ours"});
        face.api(&face.operator, "POST", "/api/false-positives", doubt).await.expect(202);
        let confirm = format!("/api/false-positives/{object}/confirm");
        face.api(&face.operator, "POST", &confirm, json!({"reason": "ours"})).await.expect(200);
        face.world.pass(Duration::from_secs(1));
    };
    confirm(&indicator_id(7)).await;
    again(&login).await.expect(304);
    confirm(&indicator_id(1)).await;
    let entries = again(&login).await.expect(200).json()["entries"].as_array().unwrap().clone();
    let doubted: Vec<&Value> =
        entries.iter().filter(|entry| entry["false_positive"] == json!(true)).collect();
    assert_eq!((doubted.len(), &doubted[0]["confidence"]), (1, &json!(5)));
    assert_ne!(face.get(&other, path).await.expect(200).json()["entries"][0]["ref"], entries[0]["ref"]);
    let dismiss = format!("/api/false-positives/{}/dismiss", indicator_id(1));
    face.api(&face.operator, "POST", &dismiss, json!({"reason": "it is not"})).await.expect(200);
    face.world.pass(Duration::from_secs(1));
    let entries = again(&login).await.expect(200).json()["entries"].as_array().unwrap().clone();
    assert!(entries.iter().all(|entry| entry["false_positive"].is_null()), "{entries:?}");
}

#[tokio::test]
async fn a_disposal_is_certified_whether_it_is_owed_or_not() {
    let face = Face::new();
    let (alpha, login) = face.member("Alpha", &["programme"]);
    let dispose = async |login: &Login, collection: &str, text: &str| {
        let body = json!({"collection": collection, "text": text});
        face.api(login, "POST", "/api/me/disposals", body).await
    };
    dispose(&face.operator, "indicators", "gone").await.expect(403);
    dispose(&login, "nothing", "gone").await.expect(422);
    dispose(&login, "indicators", " ").await.expect(422);
    let duties = async || {
        let dossier =
            face.get(&login, &format!("/api/members/{}/dossier", alpha.id)).await.expect(200).json();
        let duties = dossier["duties"].as_array().unwrap().clone();
        let of = |duty: &Value| (duty["of"]["disposal"].is_object(), duty["done"]["certificate"].clone());
        duties
            .iter()
            .map(of)
            .filter(|(is_disposal, _)| *is_disposal)
            .map(|(_, done)| done)
            .collect::<Vec<_>>()
    };
    // Nobody asked for it: one collection was closed, and no list.
    dispose(&login, "indicators", "first").await.expect(200);
    assert_eq!(duties().await, [json!("first")]);
    let standing = json!({"tier": "programme", "to": "suspended", "reason": "a test"});
    face.api(&face.operator, "POST", &format!("/api/members/{}/standing", alpha.id), standing)
        .await
        .expect(200);
    assert_eq!(duties().await, [json!("first"), json!(null)]);
    dispose(&login, "indicators", "second").await.expect(200);
    assert_eq!(duties().await, [json!("first"), json!("second")], "what is owed is done by it");
    for _ in 0..8 {
        dispose(&login, "indicators", "more").await.expect(200);
    }
    dispose(&login, "indicators", "too many").await.expect(422);
}
