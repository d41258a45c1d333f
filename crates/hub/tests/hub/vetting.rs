//! Ties and their consequences over HTTP: what a tie closes at a member's next request, two people for a return, and
//! what each caller may ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use exchange::PublishOptions;
use model::{Principal, Role};
use serde_json::{Value, json};

use crate::server::Live;
use crate::{Answer, Face, Login, indicators};

const CLEARED: &str = "/jcsp/collections/cleared/objects/";
const JSON: &str = "Content-Type: application/json";
/// How often a tie comes and goes: a thousand times in all. The store in memory copies itself for every transaction, so
/// ten short lives are quicker than a long one.
const LIVES: u64 = 10;
const ROUNDS: u64 = 100;
/// How many clients poll meanwhile.
const POLLERS: usize = 2;
/// How many indicators are at stake.
const OBJECTS: u64 = 5;

/// A statement for an import. When it was recorded is the hub's to say.
fn statement(id: &str, said: &Value) -> Value {
    json!({"id": id, "said": said, "source": {"document": "a test"}, "recorded": "2000-01-01T00:00:00Z"})
}

/// That `from` holds so much of `to`.
fn stake(id: &str, tie: &str, from: &str, to: &str, percent: &str) -> Value {
    let kind = json!({"holds": {"votes": percent, "money": percent}});
    let valid = json!({"from": "2008-02-05"});
    statement(id, &json!({"tie": {"id": tie, "from": from, "to": to, "kind": kind, "valid": valid}}))
}

fn retraction(id: &str, of: &str) -> Value {
    statement(id, &json!({"retraction": {"of": of, "because": "a test"}}))
}

/// A party of concern with most of a venture; nothing of it concerns `acme` yet.
fn surroundings() -> Vec<Value> {
    let company = |id: &str, country: &str| {
        let said = json!({"id": id, "kind": "organisation", "countries": [country], "sectors": ["security"],
            "publicly_listed": true});
        statement(&format!("e-{id}"), &json!({"entity": said}))
    };
    vec![
        company("acme", "US"),
        company("dragon", "CN"),
        company("venture", "HK"),
        statement("l-dragon", &json!({"listing": {"id": "l-dragon", "list": "concern", "entity": "dragon"}})),
        stake("s-dragon", "t-dragon", "dragon", "venture", "51%"),
    ]
}

/// The one tie that takes `acme` off the list of the tier `cleared`.
fn the_tie(round: u64) -> Value {
    stake(&format!("s-acme-{round}"), "t-acme", "acme", "venture", "49%")
}

fn import(statements: &[Value]) -> Value {
    json!({"subject": "a test", "statements": statements})
}

/// Splits an answer as it came over the socket.
fn status_of(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn objects_in(answer: &str) -> usize {
    answer.matches("\"type\":\"indicator\"").count()
}

async fn post(live: &Live, login: &Login, path: &str, document: &Value) -> (u16, Value) {
    let answer = live.request(login, "POST", path, &[JSON], document.to_string().as_bytes()).await;
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status_of(&answer), serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
}

/// In which part of a round the world is. A poll that began and ended in the same part is judged by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Open,
    Closing,
    Closed,
    Opening,
}

const PARTS: [Part; 4] = [Part::Open, Part::Closing, Part::Closed, Part::Opening];

/// The part, and a number that no other stretch of the race has.
struct Race(AtomicU64);

impl Race {
    fn now(&self) -> (u64, Part) {
        let stretch = self.0.load(Ordering::SeqCst);
        (stretch, PARTS[usize::try_from(stretch % 4).unwrap()])
    }

    fn go_on(&self, to: Part) {
        let stretch = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        assert_eq!(PARTS[usize::try_from(stretch % 4).unwrap()], to);
    }
}

/// What a poller saw.
#[derive(Default, Debug)]
struct Seen {
    while_open: u64,
    while_closed: u64,
    leaks: u64,
    gaps: u64,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.while_open += other.while_open;
        self.while_closed += other.while_closed;
        self.leaks += other.leaks;
        self.gaps += other.gaps;
    }
}

async fn poll_until(live: Arc<Live>, login: Login, race: Arc<Race>, end: Arc<AtomicU64>) -> Seen {
    let mut seen = Seen::default();
    while end.load(Ordering::SeqCst) == 0 {
        let before = race.now();
        let answer = live.request(&login, "GET", CLEARED, &[], b"").await;
        if race.now() != before {
            continue;
        }
        let objects = objects_in(&answer);
        match before.1 {
            Part::Open => {
                seen.while_open += 1;
                seen.gaps += u64::from(objects as u64 != OBJECTS);
            }
            Part::Closed => {
                seen.while_closed += 1;
                seen.leaks += u64::from(objects > 0 || status_of(&answer) != 404);
            }
            Part::Closing | Part::Opening => {}
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tie_is_in_force_at_the_members_next_request_a_thousand_times() {
    let began = Instant::now();
    let (mut total, mut slowest) = (Seen::default(), Duration::ZERO);
    for _ in 0..LIVES {
        let (seen, slow) = race().await;
        total.add(&seen);
        slowest = slowest.max(slow);
    }
    let rounds = LIVES * ROUNDS;
    eprintln!(
        "{rounds} rounds in {:?}, the slowest import {slowest:?}; the pollers saw {total:?}",
        began.elapsed()
    );
    assert_eq!((total.leaks, total.gaps), (0, 0), "{total:?}");
    // Each stretch is judged by itself; how often the pollers come meanwhile is the scheduler's.
    assert!(total.while_closed > 0 && total.while_open > 0, "too few to tell: {total:?}");
}

/// One hub, on which a tie comes and goes while the member polls; what its pollers saw, and the slowest import.
async fn race() -> (Seen, Duration) {
    let live = Arc::new(Live::start().await);
    let (member, login) = live.member("Acme", &["open", "programme", "cleared"]);
    let (_, other) = live.member("Bystander", &["open", "programme", "cleared"]);
    let officers = [0, 1].map(|_| live.issue(Principal::Role(Role::Officer)));
    live.publish("cleared", &indicators(1..OBJECTS + 1));
    let (status, _) = post(&live, &officers[0], "/api/ties", &import(&surroundings())).await;
    assert_eq!(status, 200);
    let entity = format!("/api/members/{}/entity", member.id);
    assert_eq!(post(&live, &officers[0], &entity, &json!({"entity": "acme"})).await.0, 200);

    let race = Arc::new(Race(AtomicU64::new(0)));
    let end = Arc::new(AtomicU64::new(0));
    let pollers: Vec<_> = (0..POLLERS)
        .map(|_| {
            tokio::spawn(poll_until(Arc::clone(&live), login.clone(), Arc::clone(&race), Arc::clone(&end)))
        })
        .collect();
    let standing = format!("/api/members/{}/standing", member.id);
    let back = json!({"tier": "cleared", "to": "listed", "reason": "the stake was never bought"});
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        race.go_on(Part::Closing);
        let imported_at = Instant::now();
        let (status, imported) = post(&live, &officers[0], "/api/ties", &import(&[the_tie(round)])).await;
        slowest = slowest.max(imported_at.elapsed());
        // From here on no request gets anything of the tier.
        race.go_on(Part::Closed);
        assert_eq!((status, imported["new"].as_u64()), (200, Some(1)), "{imported}");
        let moved = imported["moved"].as_array().unwrap();
        assert!(moved.iter().any(|m| m["tier"] == "cleared" && m["to"] == "suspended"), "{imported}");
        let next = live.request(&login, "GET", CLEARED, &[], b"").await;
        assert_eq!((status_of(&next), objects_in(&next)), (404, 0), "round {round}: {next}");
        let bystander = live.request(&other, "GET", CLEARED, &[], b"").await;
        assert_eq!(objects_in(&bystander) as u64, OBJECTS, "nobody else is concerned: {bystander}");

        race.go_on(Part::Opening);
        let retracted = retraction(&format!("r-acme-{round}"), &format!("s-acme-{round}"));
        let (status, imported) = post(&live, &officers[1], "/api/ties", &import(&[retracted])).await;
        assert_eq!((status, imported["new"].as_u64()), (200, Some(1)), "{imported}");
        let first = post(&live, &officers[0], &standing, &back).await;
        assert_eq!(first.0, 202, "{}", first.1);
        let second = post(&live, &officers[1], &standing, &back).await;
        assert_eq!(second.0, 200, "{}", second.1);
        race.go_on(Part::Open);
        let next = live.request(&login, "GET", CLEARED, &[], b"").await;
        assert_eq!(objects_in(&next) as u64, OBJECTS, "round {round}: it is back, whole: {next}");
    }
    end.store(1, Ordering::SeqCst);
    let mut total = Seen::default();
    for poller in pollers {
        total.add(&poller.await.unwrap());
    }
    live.stop().await;
    (total, slowest)
}

/// A hub with `acme` as a member, bound, and everything around it but the one tie.
struct Scene {
    face: Face,
    member: String,
    login: Login,
    other: Login,
    officers: [Login; 2],
}

impl Scene {
    async fn new() -> Self {
        let files = programme::template();
        let world = testkit::World::over(Arc::new(store::MemoryStore::new()), &files, 1);
        let face = Face::over(world, hub::HubOptions::new([7; 32]));
        let (member, login) = face.member("Acme", &["open", "programme", "cleared"]);
        let (_, other) = face.member("Bystander", &["open"]);
        let officers = [face.role(Role::Officer), face.role(Role::Officer)];
        let scene = Self { face, member: member.id.to_string(), login, other, officers };
        scene.post(&scene.officers[0], "/api/ties", &import(&surroundings())).await.expect(200);
        scene
            .post(&scene.officers[0], &scene.of_member("entity"), &json!({"entity": "acme"}))
            .await
            .expect(200);
        scene
    }

    fn of_member(&self, what: &str) -> String {
        format!("/api/members/{}/{what}", self.member)
    }

    async fn post(&self, login: &Login, path: &str, document: &Value) -> Answer {
        self.face.api(login, "POST", path, document.clone()).await
    }

    async fn suspend(&self) {
        let imported = self.post(&self.officers[0], "/api/ties", &import(&[the_tie(1)])).await.expect(200);
        assert!(imported.json()["moved"].as_array().is_some_and(|moved| !moved.is_empty()));
    }

    async fn standing(&self) -> String {
        let path = format!("/api/members/{}", self.member);
        let member = self.face.get(&self.face.operator, &path).await.expect(200).json();
        member["standings"]["cleared"].as_str().unwrap().to_owned()
    }
}

/// The collections that a client sees, and how many objects it gets of each.
async fn feeds(scene: &Scene, login: &Login) -> BTreeMap<String, usize> {
    let listed = scene.face.get(login, "/jcsp/collections/").await.expect(200).json();
    let mut feeds = BTreeMap::new();
    for collection in listed["collections"].as_array().into_iter().flatten() {
        if collection["can_read"] == true {
            let alias = collection["alias"].as_str().unwrap();
            let path = format!("/jcsp/collections/{alias}/objects/");
            let page = scene.face.get(login, &path).await.expect(200).json();
            feeds.insert(alias.to_owned(), page["objects"].as_array().map_or(0, Vec::len));
        }
    }
    feeds
}

#[tokio::test]
async fn a_preview_tells_which_standings_and_feeds_change_and_so_it_is() {
    let scene = Scene::new().await;
    let (exchange, operator) = (&scene.face.world.exchange, &scene.face.world.operator);
    for collection in ["open", "cleared"] {
        let objects = testkit::envelope(&indicators(1..4));
        exchange.publish(operator, collection, objects, PublishOptions::default()).unwrap();
    }
    // Others of the same owners: one that was never listed, one that was removed, one that two people listed all the same.
    let mut others = Vec::new();
    for (name, tiers) in
        [("Applicant", vec![]), ("Removed", vec!["cleared"]), ("Overridden", vec!["cleared"])]
    {
        let (member, login) = scene.face.member(name, &tiers);
        let path = format!("/api/members/{}", member.id);
        let entity = format!("e-{name}");
        scene
            .post(&scene.officers[0], &format!("{path}/entity"), &json!({"entity": entity}))
            .await
            .expect(200);
        others.push((member.id.to_string(), login));
    }
    let step = async |member: &str, to: &str, codes: [u16; 2]| {
        let (path, words) = (
            format!("/api/members/{member}/standing"),
            json!({"tier": "cleared", "to": to, "reason": "words"}),
        );
        for (officer, code) in scene.officers.iter().zip(codes) {
            scene.post(officer, &path, &words).await.expect(code);
        }
    };
    step(&others[1].0, "removed", [202, 200]).await;
    let stakes = |percents: [&str; 3], round: u32| -> Vec<Value> {
        let each = ["Applicant", "Removed", "Overridden"].into_iter().zip(percents);
        let stake = |(name, percent): (&str, &str)| {
            let (id, tie, to) = (format!("s-{name}-{round}"), format!("t-{name}"), format!("e-{name}"));
            stake(&id, &tie, "dragon", &to, percent)
        };
        each.map(stake).collect()
    };
    // Its other shares are the public's, so that a smaller stake leaves nothing more undisclosed.
    let listed =
        json!({"id": "e-Overridden", "kind": "organisation", "countries": ["US"], "publicly_listed": true});
    let mut first = stakes(["60%"; 3], 1);
    first.push(statement("e-described", &json!({"entity": listed})));
    scene.post(&scene.officers[0], "/api/ties", &import(&first)).await.expect(200);
    step(&others[2].0, "listed", [202, 200]).await;

    // The stakes are others and the rules that apply are not; only the tie of acme moves anybody.
    let mut news = stakes(["70%", "70%", "55%"], 2);
    news.push(the_tie(1));
    let before = feeds(&scene, &scene.login).await;
    let recorded = exchange.statements(operator, 0, 1_000).unwrap().len();
    let told = scene.post(&scene.officers[0], "/api/ties/preview", &import(&news)).await.expect(200).json();
    assert_eq!(exchange.statements(operator, 0, 1_000).unwrap().len(), recorded, "nothing is recorded");
    assert_eq!(feeds(&scene, &scene.login).await, before);
    let imported = scene.post(&scene.officers[0], "/api/ties", &import(&news)).await.expect(200).json();
    let happened: Vec<&Value> = imported["moved"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["from"] != one["to"] || !one["proposed"].is_null())
        .collect();
    assert_eq!(told["standings"].as_array().unwrap().iter().collect::<Vec<_>>(), happened);
    assert!(happened.iter().any(|one| one["tier"] == "cleared" && one["to"] == "suspended"), "{imported}");
    let after = feeds(&scene, &scene.login).await;
    let stopped: Vec<&str> =
        before.keys().filter(|feed| !after.contains_key(*feed)).map(String::as_str).collect();
    assert!(stopped.contains(&"cleared") && before["cleared"] == 3, "{before:?} {after:?}");
    assert_eq!(after["open"], before["open"] + 1, "the notice: {after:?}");
    let told_of = |change: &str| -> Vec<(String, String)> {
        let feeds = told["feeds"].as_array().unwrap().iter().filter(|one| one["change"] == change);
        let word = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        feeds.map(|one| (word(one, "name"), word(one, "collection"))).collect()
    };
    let stops = told_of("stops");
    let of_acme: BTreeSet<&str> =
        stops.iter().filter(|(name, _)| name == "Acme").map(|(_, feed)| feed.as_str()).collect();
    assert_eq!(of_acme, stopped.into_iter().collect(), "{told}");
    assert!(told_of("begins").is_empty());
    for name in ["Applicant", "Removed", "Overridden"] {
        assert!(!told["standings"].to_string().contains(name), "{told}");
        assert!(!told["feeds"].to_string().contains(name), "{told}");
    }
    // A return is proposed and opens nothing.
    let back = import(&[retraction("r-acme", "s-acme-1")]);
    let told = scene.post(&scene.officers[0], "/api/ties/preview", &back).await.expect(200).json();
    assert!(told["standings"].as_array().unwrap().iter().any(|one| one["proposed"] == "listed"), "{told}");
    assert_eq!(told["feeds"], json!([]));
}

#[tokio::test]
async fn a_suspended_members_client_is_told_of_it_with_the_duty_and_its_date() {
    let live = Live::start().await;
    let (member, login) = live.member("Acme", &["open", "programme", "cleared"]);
    let (_, other) = live.member("Bystander", &["open", "programme", "cleared"]);
    let officer = live.issue(Principal::Role(Role::Officer));
    live.publish("open", &indicators(1..3));
    live.publish("cleared", &indicators(3..6));
    assert_eq!(post(&live, &officer, "/api/ties", &import(&surroundings())).await.0, 200);
    let path = format!("/api/members/{}", member.id);
    assert_eq!(post(&live, &officer, &format!("{path}/entity"), &json!({"entity": "acme"})).await.0, 200);
    let get = async |login: &Login, path: &str| -> (u16, Value) {
        let answer = live.request(login, "GET", path, &[], b"").await;
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status_of(&answer), serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
    };
    // The client takes what there is, and remembers how far it got.
    for path in ["/jcsp/collections/open/objects/", CLEARED] {
        assert_eq!(get(&login, path).await.0, 200);
    }
    let before = get(&login, "/jcsp/collections/open/manifest/").await.1;
    let last =
        before["objects"].as_array().unwrap().last().unwrap()["date_added"].as_str().unwrap().to_owned();
    assert!(get(&login, "/api/me").await.1["closed"].is_null());

    assert_eq!(post(&live, &officer, "/api/ties", &import(&[the_tie(1)])).await.0, 200);
    assert_eq!(get(&login, CLEARED).await.0, 404);
    // Its next poll of what is left to it says why.
    let next = format!("/jcsp/collections/open/objects/?added_after={last}");
    let notes = |page: &Value| -> Vec<Value> {
        let objects = page["objects"].as_array().cloned().unwrap_or_default();
        objects.into_iter().filter(|object| object["type"] == "note").collect()
    };
    let told = notes(&get(&login, &next).await.1);
    let told: Vec<&Value> =
        told.iter().filter(|note| note["x_ringfence_standing"]["tier"] == "cleared").collect();
    let [note] = told.as_slice() else { panic!("{told:?}") };
    let dossier = get(&login, &format!("{path}/dossier")).await.1;
    let duties = dossier["duties"].as_array().unwrap();
    let duty = duties.iter().find(|duty| duty["of"]["disposal"]["tier"] == "cleared").unwrap();
    let standing = &note["x_ringfence_standing"];
    assert_eq!((&standing["standing"], &standing["duty"]), (&json!("suspended"), &json!("disposal")));
    assert_eq!((&standing["since"], &standing["due"]), (&duty["since"], &duty["due"]));
    let content = note["content"].as_str().unwrap();
    assert!(
        content.contains(duty["due"].as_str().unwrap()) && content.contains("/api/me/disposals/"),
        "{content}"
    );
    let me = get(&login, "/api/me").await.1;
    let closed = me["closed"].as_array().unwrap().iter().find(|one| one["tier"] == "cleared").unwrap();
    assert_eq!((&closed["since"], &closed["due"]), (&duty["since"], &duty["due"]));
    assert_eq!(closed["standing"], "suspended");
    // What it holds says of which tier it is.
    let held = get(&login, &format!("{path}/holds")).await.1;
    let of = |tier: &str| {
        let objects = held["objects"].as_array().unwrap().iter();
        objects
            .filter(|one| one["tier"] == tier && one["id"].as_str().unwrap().starts_with("indicator"))
            .count()
    };
    assert_eq!((of("open"), of("cleared")), (2, 3), "{held}");
    // It is nobody else's.
    assert_eq!(notes(&get(&other, "/jcsp/collections/open/objects/").await.1), [] as [Value; 0]);
    assert!(get(&other, "/api/me").await.1["closed"].is_null());
    // Once certified, it is owed no more.
    let duty = format!("{path}/duties/{}", duty["id"].as_str().unwrap());
    assert_eq!(post(&live, &login, &duty, &json!({"text": "all copies destroyed"})).await.0, 200);
    let closed = get(&login, "/api/me").await.1["closed"].clone();
    assert!(
        closed.as_array().is_none_or(|closed| closed.iter().all(|one| one["tier"] != "cleared")),
        "{closed}"
    );
    live.stop().await;
}

#[tokio::test]
async fn two_officers_reinstate_and_one_alone_does_not() {
    let scene = Scene::new().await;
    scene.suspend().await;
    assert_eq!(scene.standing().await, "suspended");
    let retracted = import(&[retraction("r", "s-acme-1")]);
    scene.post(&scene.officers[0], "/api/ties", &retracted).await.expect(200);
    assert_eq!(scene.standing().await, "suspended", "a return needs people");
    let waiting = scene.face.get(&scene.officers[0], "/api/proposals").await.expect(200).json();
    assert_eq!((waiting[0]["to"].as_str(), waiting[0]["needs"].as_u64()), (Some("listed"), Some(2)));

    let path = scene.of_member("standing");
    let back = json!({"tier": "cleared", "to": "listed", "reason": "the stake was never bought"});
    let first = scene.post(&scene.officers[0], &path, &back).await.expect(202).json();
    assert_eq!(first["agreed"].as_array().unwrap().len(), 1);
    let twice = scene.post(&scene.officers[0], &path, &back).await.expect(422).json();
    assert!(twice["description"].as_str().unwrap().contains("another person"), "{twice}");
    assert_eq!(scene.standing().await, "suspended");
    let second = scene.post(&scene.officers[1], &path, &back).await.expect(200).json();
    assert_eq!(second["to"], "listed");
    assert_eq!(scene.standing().await, "listed");
    let waiting = scene.face.get(&scene.officers[0], "/api/proposals").await.expect(200).json();
    assert_eq!(waiting, json!([]));
    // A third time is not a step of the procedure.
    scene.post(&scene.officers[0], &path, &back).await.expect(409);
}

#[tokio::test]
async fn what_was_agreed_to_before_the_case_changed_is_agreed_to_no_more() {
    let scene = Scene::new().await;
    scene.suspend().await;
    let retracted = import(&[retraction("r", "s-acme-1")]);
    scene.post(&scene.officers[0], "/api/ties", &retracted).await.expect(200);
    let path = scene.of_member("standing");
    let back = json!({"tier": "cleared", "to": "listed", "reason": "the stake was never bought"});
    scene.post(&scene.officers[0], &path, &back).await.expect(202);
    // Before the second officer comes to it, the stake is there again.
    let again = scene.post(&scene.officers[1], "/api/ties", &import(&[the_tie(2)])).await.expect(200);
    assert_eq!(again.json()["new"], 1);
    let waiting = scene.face.get(&scene.officers[0], "/api/proposals").await.expect(200).json();
    assert_eq!(waiting, json!([]), "nobody agreed to a return against the rules");
    // What the second officer asks for now is a decision against the rules, and it is the first to ask.
    scene.post(&scene.officers[1], &path, &back).await.expect(202);
    assert_eq!(scene.standing().await, "suspended");
}

#[tokio::test]
async fn an_agreement_by_a_credential_that_was_revoked_does_not_count() {
    let scene = Scene::new().await;
    scene.suspend().await;
    let path = scene.of_member("standing");
    let back = json!({"tier": "cleared", "to": "listed", "reason": "by a stolen token"});
    scene.post(&scene.officers[0], &path, &back).await.expect(202);
    let revoke = format!("/api/credentials/{}", scene.officers[0].id);
    scene.face.ask("DELETE", &revoke).login(&scene.face.operator).send().await.expect(200);
    scene.post(&scene.officers[1], &path, &back).await.expect(202);
    assert_eq!(scene.standing().await, "suspended");
}

#[tokio::test]
async fn a_listed_member_becomes_another_entity_by_two_people() {
    let scene = Scene::new().await;
    let path = scene.of_member("entity");
    let person = |person: &str| json!({"role": "officer", "person": person});
    let mut logins = Vec::new();
    for name in ["A. Ash", "a. ash", "B. Birch"] {
        let issued =
            scene.post(&scene.face.operator, "/api/credentials", &person(name)).await.expect(201).json();
        assert_eq!(issued["credential"]["person"].as_str(), Some(name));
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        logins.push(Login {
            user: word(&issued["credential"]["login"]),
            secret: word(&issued["secret"]),
            token: None,
            id: word(&issued["credential"]["id"]),
        });
    }
    let other = json!({"entity": "somebody-else"});
    let waiting = scene.post(&logins[0], &path, &other).await.expect(202).json();
    assert_eq!((waiting["bound"].as_str(), waiting["needs"].as_u64()), (Some("acme"), Some(2)));
    scene.post(&logins[1], &path, &other).await.expect(422);
    let listed = scene.face.get(&logins[1], "/api/proposals").await.expect(200).json();
    assert_eq!(listed, json!([waiting]));
    scene.face.ask("DELETE", &path).login(&logins[1]).send().await.expect(200);
    scene.post(&logins[2], &path, &other).await.expect(202);
    scene.post(&logins[1], &path, &other).await.expect(200);
    let dossier = scene.face.get(&logins[0], &scene.of_member("dossier")).await.expect(200).json();
    assert_eq!(dossier["entity"], "somebody-else");
    let of_member = json!({"member": scene.member, "person": "A. Ash"});
    scene.post(&scene.face.operator, "/api/credentials", &of_member).await.expect(422);
}

#[tokio::test]
async fn lists_come_in_pages_that_join() {
    let scene = Scene::new().await;
    for n in 0..4 {
        scene.face.member(&format!("Member {n}"), &["open"]);
    }
    scene.suspend().await;
    let officer = &scene.officers[0];
    for path in ["/api/members", "/api/credentials"] {
        let all = scene.face.get(officer, path).await.expect(200).json();
        let all = all.as_array().unwrap().clone();
        assert!(all.len() > 5, "{all:?}");
        let (mut joined, mut after) = (Vec::new(), String::new());
        loop {
            let page = scene.face.get(officer, &format!("{path}?limit=2{after}")).await.expect(200).json();
            let page = page.as_array().unwrap().clone();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= 2);
            after = format!("&after={}", last["id"].as_str().unwrap());
            joined.extend(page);
        }
        assert_eq!(joined, all, "{path}");
        for query in ["limit=0", "limit=x", "after=x", "next=x"] {
            scene.face.get(officer, &format!("{path}?{query}")).await.expect(400);
        }
    }
    let path = scene.of_member("decisions");
    let all = scene.face.get(officer, &path).await.expect(200).json()["decisions"].clone();
    let (mut joined, mut next) = (Vec::new(), String::new());
    loop {
        let page = scene.face.get(officer, &format!("{path}?limit=1{next}")).await.expect(200).json();
        joined.extend(page["decisions"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(more) => next = format!("&next={more}"),
            None => break,
        }
    }
    assert!(joined.len() > 2);
    assert_eq!(Value::Array(joined), all);
    scene.face.get(officer, &format!("{path}?limit=0")).await.expect(400);
    scene.face.get(officer, &format!("{path}?next=x")).await.expect(422);
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Nobody,
    Itself,
    Other,
    Overseer,
    Reviewer,
    Officer,
    Operator,
}

const EVERYBODY: [Who; 7] =
    [Who::Nobody, Who::Itself, Who::Other, Who::Overseer, Who::Reviewer, Who::Officer, Who::Operator];

/// What each gets, in the order of [`EVERYBODY`], for a well-formed request. Requests that would change something are
/// about what is not there, so that the order does not matter: 422 then means that the caller may.
fn rights() -> Vec<(&'static str, String, Value, [u16; 7])> {
    let of = |what: &str| format!("/api/members/ACME/{what}");
    let words = || json!({"text": "words"});
    let deciders = |code| [401, 403, 403, 403, 403, code, code];
    let people = |code| [401, 403, 403, code, code, code, code];
    let own = |code| [401, code, 404, code, code, code, code];
    vec![
        ("GET", "/api/ties?entity=acme".to_owned(), Value::Null, people(200)),
        ("POST", "/api/ties".to_owned(), import(&[]), deciders(200)),
        ("POST", "/api/ties/preview".to_owned(), import(&[]), deciders(200)),
        ("GET", "/api/ties/at/t-dragon".to_owned(), Value::Null, people(200)),
        ("GET", "/api/ties/matches".to_owned(), Value::Null, people(200)),
        ("POST", "/api/ties/matches/99".to_owned(), json!({"answer": "reject"}), deciders(404)),
        ("POST", "/api/ties/matches/99/reopen".to_owned(), json!({"reason": "words"}), deciders(404)),
        ("GET", "/api/entities?q=acme".to_owned(), Value::Null, people(200)),
        ("GET", "/api/lists".to_owned(), Value::Null, people(200)),
        ("GET", "/api/unsettled".to_owned(), Value::Null, people(200)),
        ("GET", "/api/release".to_owned(), Value::Null, people(200)),
        ("GET", "/api/release?members=ACME".to_owned(), Value::Null, people(200)),
        ("GET", "/api/objects/indicator--none/release".to_owned(), Value::Null, people(404)),
        ("GET", "/api/statements".to_owned(), Value::Null, people(200)),
        ("GET", "/api/proposals".to_owned(), Value::Null, people(200)),
        ("GET", "/api/alerts".to_owned(), Value::Null, people(200)),
        ("GET", "/api/webhooks".to_owned(), Value::Null, deciders(200)),
        ("GET", of("decisions"), Value::Null, people(200)),
        ("GET", of("dossier"), Value::Null, own(200)),
        ("POST", of("entity"), json!({"entity": "acme"}), deciders(200)),
        ("POST", of("instruments"), json!({"id": "x", "kind": "no-such", "covers": []}), deciders(422)),
        ("POST", of("instruments/no-such/end"), json!({"on": "2012-03-28"}), deciders(422)),
        ("POST", of("duties/no-such"), words(), [401, 422, 403, 403, 403, 422, 422]),
        ("POST", of("negotiation"), words(), deciders(200)),
        ("POST", of("reviews/cleared"), words(), deciders(422)),
        ("POST", of("appeals/cleared"), words(), deciders(422)),
        ("DELETE", of("proposals/cleared"), Value::Null, deciders(422)),
        ("DELETE", of("entity"), Value::Null, deciders(422)),
        ("POST", "/api/me/appeals/no-such".to_owned(), words(), [401, 404, 404, 403, 403, 403, 403]),
        ("POST", "/api/me/attestations".to_owned(), json!({"officer": "N. N.", "answers": {}}), {
            [401, 422, 422, 403, 403, 403, 403]
        }),
        ("POST", "/api/decisions".to_owned(), json!({"entity": "acme", "tier": "cleared"}), {
            [401, 200, 403, 200, 200, 200, 200]
        }),
        (
            "POST",
            "/api/decisions".to_owned(),
            { json!({"entity": "acme", "tier": "cleared", "others": true}) },
            people(200),
        ),
        ("GET", "/api/entities/acme".to_owned(), Value::Null, people(200)),
        ("GET", "/api/lists/concern".to_owned(), Value::Null, people(200)),
        ("GET", "/api/release/as/ACME".to_owned(), Value::Null, people(200)),
        ("GET", "/api/ledger/entries".to_owned(), Value::Null, [401, 200, 200, 200, 403, 200, 200]),
        ("GET", "/api/programme".to_owned(), Value::Null, people(200)),
        ("GET", "/api/programme/cases".to_owned(), Value::Null, people(200)),
        ("GET", "/api/programme/versions".to_owned(), Value::Null, [401, 403, 403, 200, 403, 200, 200]),
        ("GET", "/api/programme/versions/0".to_owned(), Value::Null, people(404)),
        ("POST", "/api/programme/compare".to_owned(), json!({}), people(200)),
        ("GET", "/api/me/account".to_owned(), Value::Null, [401, 200, 200, 200, 200, 200, 200]),
        ("GET", "/api/me/questionnaire".to_owned(), Value::Null, [401, 200, 200, 200, 200, 200, 200]),
        ("GET", "/api/me/rights".to_owned(), Value::Null, [401, 200, 200, 403, 403, 403, 403]),
        ("GET", "/api/me/contributions".to_owned(), Value::Null, [401, 200, 200, 403, 403, 403, 403]),
        ("GET", "/api/me/credentials".to_owned(), Value::Null, [401, 200, 200, 403, 403, 403, 403]),
    ]
}

#[tokio::test]
async fn a_question_says_who_else_would_move_if_that_is_asked() {
    let scene = Scene::new().await;
    let officer = &scene.officers[0];
    let held = json!({"holds": {"votes": "60%", "money": "60%"}});
    let tie = json!({"tie": {"id": "supposed", "from": "dragon", "to": "acme", "kind": held}});
    let add = json!([{
        "id": "s-supposed", "said": tie, "source": {"document": "what if"}, "recorded": "2012-01-01T00:00:00Z"
    }]);
    let asked = json!({"entity": "somebody-else", "tier": "cleared", "add": add, "others": true});
    let answer = scene.face.ask("POST", "/api/decisions").login(officer).json(&asked).send().await;
    let others = answer.expect(200).json()["others"].clone();
    assert!(others.as_array().unwrap().iter().any(|one| one["entity"] == "acme"), "{others}");
    let asked = json!({"entity": "acme", "tier": "cleared", "add": add, "others": true});
    let answer = scene.face.ask("POST", "/api/decisions").login(officer).json(&asked).send().await;
    assert_eq!(answer.expect(200).json()["others"], json!([]), "it is not among the others");
}

#[tokio::test]
async fn another_version_is_compared_by_its_files() {
    let scene = Scene::new().await;
    let officer = &scene.officers[0];
    let versions = scene.face.get(officer, "/api/programme/versions").await.expect(200).json();
    let sha256 = versions[0]["sha256"].as_str().unwrap().to_owned();
    assert_eq!((&versions[0]["is_kept"], &versions[0]["is_in_force"]), (&json!(true), &json!(true)));
    let kept = scene.face.get(officer, &format!("/api/programme/versions/{sha256}")).await.expect(200).json();
    let mut files = kept["files"].clone();
    let compare = async |document: &Value| {
        scene.face.ask("POST", "/api/programme/compare").login(officer).json(document).send().await
    };
    let same = compare(&json!({"files": files})).await.expect(200).json();
    assert_eq!((&same["difference"]["rules"], &same["moves"]), (&json!([]), &json!([])));
    let name = files.as_object().unwrap().keys().find(|name| name.starts_with("rules/")).unwrap().clone();
    let text = files[&name].as_str().unwrap().replacen("@text(\"", "@text(\"Now: ", 1);
    files[&name] = json!(text);
    let other = compare(&json!({"files": files})).await.expect(200).json();
    assert_eq!(other["difference"]["rules"][0]["aspects"][0]["what"], "text", "{other}");
    assert_eq!(other["difference"]["files"][0]["file"], name.as_str());
    files["rules/x.txt"] = json!("misplaced");
    let faulty = compare(&json!({"files": files})).await.expect(422).json();
    assert!(faulty["description"].as_str().unwrap().contains("rules/x.txt"), "{faulty}");
    compare(&json!({"from": "0".repeat(64)})).await.expect(404);
    compare(&json!({"to": sha256, "files": {}})).await.expect(400);
}

#[tokio::test]
async fn each_caller_may_what_its_role_may() {
    let scene = Scene::new().await;
    let (overseer, reviewer) = (scene.face.role(Role::Overseer), scene.face.role(Role::Reviewer));
    for (method, path, document, wanted) in rights() {
        let path = path.replace("ACME", &scene.member);
        for (who, wanted) in EVERYBODY.into_iter().zip(wanted) {
            let login = match who {
                Who::Nobody => None,
                Who::Itself => Some(&scene.login),
                Who::Other => Some(&scene.other),
                Who::Overseer => Some(&overseer),
                Who::Reviewer => Some(&reviewer),
                Who::Officer => Some(&scene.officers[0]),
                Who::Operator => Some(&scene.face.operator),
            };
            let mut ask = scene.face.ask(method, &path);
            if let Some(login) = login {
                ask = ask.login(login);
            }
            if !document.is_null() {
                ask = ask.json(&document);
            }
            let answer = ask.send().await;
            let told = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status.as_u16(), wanted, "{method} {path} by {who:?}: {told}");
        }
    }
}

#[tokio::test]
async fn a_member_cannot_tell_another_from_one_that_is_not_there() {
    let scene = Scene::new().await;
    scene.suspend().await;
    let absent = "member:0123456789abcdef";
    let words = json!({"text": "words"});
    let asked = [
        ("GET", "/api/members/ID/dossier", None),
        ("GET", "/api/members/ID/decisions", None),
        ("POST", "/api/members/ID/entity", Some(json!({"entity": "acme"}))),
        ("POST", "/api/members/ID/duties/disposal-cleared-1", Some(words.clone())),
        ("POST", "/api/members/ID/negotiation", Some(words.clone())),
        ("POST", "/api/members/ID/reviews/cleared", Some(words.clone())),
        ("POST", "/api/members/ID/appeals/cleared", Some(words.clone())),
        ("POST", "/api/members/ID/standing", Some(json!({"tier": "cleared", "to": "listed", "reason": "x"}))),
        ("DELETE", "/api/members/ID/proposals/cleared", None),
        ("DELETE", "/api/members/ID/entity", None),
    ];
    for (method, path, document) in asked {
        let mut answers = Vec::new();
        for id in [scene.member.as_str(), absent] {
            let mut ask = scene.face.ask(method, &path.replace("ID", id)).login(&scene.other);
            if let Some(document) = &document {
                ask = ask.json(document);
            }
            let (status, headers, body) = ask.send().await.comparable();
            let body = String::from_utf8(body).unwrap().replace(id, "ID");
            assert!(status.is_client_error(), "{method} {path}: {body}");
            answers.push((status, headers.len(), body));
        }
        assert_eq!(answers[0], answers[1], "{method} {path}");
    }
    // Nor an entity that is another's from one of which nothing is known.
    let mut answers = Vec::new();
    for entity in ["acme", "nobody"] {
        let question = json!({"entity": entity, "tier": "cleared"});
        let answer = scene.post(&scene.other, "/api/decisions", &question).await.expect(403);
        answers.push(answer.comparable().2);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn a_member_learns_nothing_of_hidden_evidence_by_asking_what_would_be() {
    let scene = Scene::new().await;
    // The programme knows of a stake that the member is not told of.
    let mut hidden = the_tie(1);
    hidden["source"]["evidence"] = json!("programme");
    scene.post(&scene.officers[0], "/api/ties", &import(&[hidden])).await.expect(200);
    let question = json!({"entity": "acme", "tier": "cleared", "remedies": true});
    let answer = scene.post(&scene.login, "/api/decisions", &question).await.expect(200);
    let told = String::from_utf8(answer.body).unwrap();
    assert!(told.contains("\"grade\":\"suspend\""), "the decision itself is not hidden: {told}");
    assert!(!told.contains("t-acme") && !told.contains("s-acme"), "{told}");
    let known = scene.post(&scene.officers[0], "/api/decisions", &question).await.expect(200);
    assert!(String::from_utf8(known.body).unwrap().contains("t-acme"), "the officer is told");
    // Whether a tie is there cannot be tried out, nor what an invented one would lead to.
    let mut probe = question.clone();
    for tie in ["t-acme", "t-no-such"] {
        probe["end"] = json!([tie]);
        let refused = scene.post(&scene.login, "/api/decisions", &probe).await.expect(422).json();
        assert_eq!(refused["description"], format!("you are shown no tie `{tie}` that could end"));
    }
    let mut probe = question;
    probe["add"] = json!([stake("probe", "t-probe", "dragon", "acme", "51%")]);
    scene.post(&scene.login, "/api/decisions", &probe).await.expect(403);
    scene.post(&scene.officers[0], "/api/decisions", &probe).await.expect(200);
}

/// Documents of the wrong form for every endpoint that takes one, with the status that each must have.
fn malformed() -> Vec<(&'static str, Value, u16)> {
    let tie = |share: &str, valid: Value| {
        let kind = json!({"holds": {"votes": share}});
        let tie = json!({"tie": {"id": "t", "from": "a", "to": "b", "kind": kind, "valid": valid}});
        import(&[statement("s", &tie)])
    };
    let always = || json!({});
    let long = "x".repeat(300);
    let mut deep = json!("x");
    for _ in 0..200 {
        deep = json!([deep]);
    }
    vec![
        ("/api/ties", json!([]), 400),
        ("/api/ties", json!({"statements": {}}), 400),
        ("/api/ties", json!({"statements": [], "dry_run": true}), 400),
        ("/api/ties", json!({"statements": [deep.clone()]}), 400),
        ("/api/ties", tie("200%", always()), 400),
        ("/api/ties", tie("-1%", always()), 400),
        ("/api/ties", tie("NaN", always()), 400),
        ("/api/ties", tie("18446744073709551616/18446744073709551617", always()), 400),
        ("/api/ties", tie("50%", json!({"from": "2012-02-30"})), 400),
        ("/api/ties", tie("50%", json!({"from": "99999-01-01"})), 400),
        ("/api/ties", tie("50%", json!({"from": "yesterday"})), 400),
        ("/api/ties", import(&[stake(&long, "t", "a", "b", "1%")]), 400),
        ("/api/ties", import(&[stake("s", "t", "", "b", "1%")]), 400),
        ("/api/ties", import(&[stake("s", "t", "a b", "b", "1%")]), 400),
        ("/api/ties", import(&[statement("s", &json!({"rumour": {}}))]), 400),
        ("/api/ties/preview", json!({"statements": 7}), 400),
        ("/api/ties", json!({"statements": [], "part": {"import": "a b", "number": 1}}), 422),
        ("/api/ties", json!({"statements": [], "part": {"import": "a", "number": 0}}), 422),
        ("/api/ties", json!({"statements": [], "part": {"import": "a", "number": -1}}), 400),
        ("/api/ties", json!({"statements": [], "editions": [], "part": {"import": "a", "number": 2}}), 422),
        ("/api/ties/preview", json!({"statements": [], "part": {"import": "a", "number": 1}}), 422),
        ("/api/ties/matches/99", json!({"answer": "perhaps"}), 400),
        ("/api/ties/matches/none", json!({"answer": "accept"}), 404),
        ("/api/decisions", json!({"entity": "acme"}), 400),
        ("/api/decisions", json!({"entity": "acme", "tier": "no-such"}), 404),
        ("/api/decisions", json!({"entity": "", "tier": "cleared"}), 400),
        ("/api/decisions", json!({"entity": "acme", "tier": "cleared", "packs": ["no-such"]}), 422),
        ("/api/decisions", json!({"entity": "acme", "tier": "cleared", "as_of": "2012"}), 400),
        ("/api/decisions", json!({"entity": "acme", "tier": "cleared", "as_of": "2012-13-01"}), 400),
        ("/api/decisions", json!({"entity": "acme", "tier": "cleared", "known": "soon"}), 400),
        ("/api/decisions", json!({"entity": "acme", "tier": "cleared", "known": "ééééé"}), 400),
        ("/api/decisions", json!({"entity": "acme", "tier": "cleared", "end": deep}), 400),
        ("ACME/entity", json!({"entity": ""}), 400),
        ("ACME/entity", json!({"entity": long}), 400),
        ("ACME/entity", json!({"entity": null}), 400),
        ("ACME/instruments", json!({"id": "x", "kind": "proxy-agreement"}), 400),
        ("ACME/instruments", json!({"id": "", "kind": "proxy-agreement", "covers": []}), 422),
        ("ACME/instruments", json!({"id": "a/b", "kind": "proxy-agreement", "covers": []}), 422),
        ("ACME/instruments", json!({"id": long, "kind": "proxy-agreement", "covers": []}), 422),
        (
            "ACME/instruments",
            json!({"id": "x", "kind": "proxy-agreement", "covers": [],
                "valid": {"from": "2012-01-01", "to": "2011-01-01"}}),
            422,
        ),
        ("ACME/instruments/x/end", json!({"on": "never"}), 400),
        ("ACME/duties/attestation-1", json!({"text": "done"}), 422),
        ("ACME/duties/%ff", json!({"text": "done"}), 400),
        ("ACME/negotiation", json!({"text": " "}), 422),
        ("ACME/negotiation", json!({"text": "x".repeat(100_000)}), 422),
        ("ACME/negotiation", json!({"text": "x".repeat(2_000_000)}), 413),
        ("ACME/reviews/no-such", json!({"text": "x"}), 422),
        ("ACME/appeals/no-such", json!({"text": "x"}), 422),
        ("ACME/standing", json!({"tier": "no-such", "to": "removed", "reason": "x"}), 404),
        ("ACME/standing", json!({"tier": "cleared", "to": "blessed", "reason": "x"}), 400),
    ]
}

#[tokio::test]
async fn whatever_has_not_the_form_is_refused_with_its_reason() {
    let scene = Scene::new().await;
    let officer = &scene.officers[0];
    let before = scene.face.get(officer, "/api/statements").await.expect(200).json();
    for (path, document, wanted) in malformed() {
        let path = path.replace("ACME", &format!("/api/members/{}", scene.member));
        let answer = scene.post(officer, &path, &document).await;
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        let sent = document.to_string().chars().take(200).collect::<String>();
        assert_eq!(answer.status.as_u16(), wanted, "{path} {sent}: {told}");
        let why = answer.json()["description"].as_str().unwrap_or_default().to_owned();
        assert!(!why.is_empty(), "{path} {sent}");
    }
    for (path, wanted) in [
        ("/api/ties", 400),
        ("/api/ties?entity=", 404),
        ("/api/ties/matches?state=lost", 400),
        ("/api/ties/matches?after=-1", 400),
        ("/api/ties?entity=acme&as_of=2012-02-30", 400),
        ("/api/ties?entity=acme&known=tomorrow", 400),
        ("/api/ties?entity=acme&when=now", 400),
        ("/api/ties/at/%20", 404),
        ("/api/statements?from=-1", 400),
        ("/api/statements?limit=many", 400),
        ("/api/statements?from=18446744073709551615&limit=18446744073709551615", 200),
        ("/api/statements?from=99999999999999999999", 400),
        ("/api/alerts?after=yesterday", 422),
        ("/api/alerts?before=1", 400),
        ("/api/members/nobody/dossier", 404),
        ("/api/members/member:0123456789abcdef/decisions", 404),
    ] {
        let answer = scene.face.get(officer, path).await;
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status.as_u16(), wanted, "{path}: {told}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        serde_json::from_slice::<Value>(&answer.body)
            .unwrap_or_else(|error| panic!("{path}: {error}: {told}"));
    }
    // Nothing of all that was recorded.
    assert_eq!(scene.face.get(officer, "/api/statements").await.expect(200).json(), before);
}

#[tokio::test]
async fn the_ends_of_time_are_days_like_others() {
    let scene = Scene::new().await;
    let officer = &scene.officers[0];
    let mut tie = the_tie(1);
    tie["said"]["tie"]["valid"] = json!({"from": "0000-01-01", "to": "9999-12-31"});
    let imported = scene.post(officer, "/api/ties", &import(&[tie])).await.expect(200).json();
    assert_eq!(imported["new"], 1);
    for (day, known) in [
        ("0000-01-01", "0000-01-01"),
        ("9999-12-31", "9999-12-31"),
        ("9999-12-31", "9999-12-31T23:59:59.999999Z"),
        ("2012-02-29", "0000-01-01T00:00:00Z"),
    ] {
        let question =
            json!({"entity": "acme", "tier": "cleared", "as_of": day, "known": known, "remedies": true});
        scene.post(officer, "/api/decisions", &question).await.expect(200);
        scene
            .face
            .get(officer, &format!("/api/ties?entity=acme&as_of={day}&known={known}"))
            .await
            .expect(200);
    }
    // A statement that is about a time that ends before it begins is told by its place; the others are taken.
    let mut backwards = stake("s-back", "t-back", "a", "b", "1%");
    backwards["said"]["tie"]["valid"] = json!({"from": "2012-01-01", "to": "2011-01-01"});
    let both = import(&[backwards, stake("s-good", "t-good", "a", "b", "1%")]);
    let imported = scene.post(officer, "/api/ties", &both).await.expect(200).json();
    assert_eq!(
        (imported["new"].as_u64(), imported["refused"][0][0].as_u64()),
        (Some(1), Some(0)),
        "{imported}"
    );
}

#[tokio::test]
async fn a_member_cannot_fill_its_dossier() {
    let scene = Scene::new().await;
    let appeal = json!({"text": "we object"});
    scene.post(&scene.login, "/api/me/appeals/cleared", &appeal).await.expect(201);
    let again = scene.post(&scene.login, "/api/me/appeals/cleared", &appeal).await.expect(422).json();
    assert!(again["description"].as_str().unwrap().contains("not answered"), "{again}");
    scene.post(&scene.login, "/api/me/appeals/programme", &appeal).await.expect(201);
    scene.post(&scene.officers[0], &scene.of_member("appeals/cleared"), &appeal).await.expect(200);
    scene.post(&scene.login, "/api/me/appeals/cleared", &appeal).await.expect(201);

    let programme = scene.face.world.exchange.programme();
    let questions = &programme.questionnaire().unwrap().questions;
    let attests = |words: &str| {
        let answer = json!({"yes": true, "list": [words]});
        let answers: serde_json::Map<_, _> =
            questions.iter().map(|q| (q.id.clone(), answer.clone())).collect();
        json!({"officer": "N. N.", "answers": answers})
    };
    scene.post(&scene.login, "/api/me/attestations", &attests(&"x".repeat(20_000))).await.expect(422);
    let mut nobody = attests("a loan");
    nobody["officer"] = json!("N".repeat(10_000));
    scene.post(&scene.login, "/api/me/attestations", &nobody).await.expect(422);
    let mut taken = 0;
    let refused = loop {
        let answer =
            scene.post(&scene.login, "/api/me/attestations", &attests(&format!("loan {taken}"))).await;
        if answer.status.as_u16() != 201 {
            break answer.expect(422).json();
        }
        taken += 1;
        assert!(taken < 100, "there is no end to it");
    };
    assert!(taken >= 5, "who corrects itself may: {taken}");
    assert!(refused["description"].as_str().unwrap().contains("a day"), "{refused}");
    scene.face.world.pass(Duration::from_secs(86_401));
    scene.post(&scene.login, "/api/me/attestations", &attests("a loan")).await.expect(201);
}

#[tokio::test]
async fn alerts_come_in_parts_that_join() {
    let scene = Scene::new().await;
    // Each tie of the party of concern is news.
    let many = 25;
    for round in 0..many {
        let tie = stake(&format!("s-{round}"), &format!("t-{round}"), "dragon", &format!("c-{round}"), "5%");
        scene.post(&scene.officers[0], "/api/ties", &import(&[tie])).await.expect(200);
    }
    let all = scene.face.get(&scene.officers[0], "/api/alerts").await.expect(200).json();
    let all = all.as_array().unwrap().clone();
    assert!(all.len() >= many, "{}", all.len());
    assert!(all.is_sorted_by(|a, b| a["key"].as_str() < b["key"].as_str()));
    for from in [0, 7, all.len() - 1] {
        let path = format!("/api/alerts?after={}", all[from]["key"].as_str().unwrap());
        let rest = scene.face.get(&scene.officers[0], &path).await.expect(200).json();
        assert_eq!(rest.as_array().unwrap()[..], all[from + 1..], "{path}");
    }
}
