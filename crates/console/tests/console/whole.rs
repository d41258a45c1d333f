//! Pages stay small and files stay whole, however much there is.

use std::collections::BTreeSet;

use exchange::{Import, PublishOptions};
use model::{Caller, Member, Principal, Role, Standing};
use serde_json::Value;

use crate::{Answer, Face, member};

fn rows(file: &Answer) -> Vec<Value> {
    serde_json::from_str(&file.body).unwrap()
}

/// Members, most of them listed on all tiers, and as many labels that name some of them.
fn peopled(face: &Face, members: usize, labels: usize) -> Vec<(Member, Caller)> {
    let world = &face.world;
    let all: Vec<_> = (0..members)
        .map(|number| {
            let tiers: &[&str] = if number % 3 == 0 { &["open"] } else { &["open", "programme", "cleared"] };
            world.member(&format!("Member {number:04} of the programme"), tiers)
        })
        .collect();
    for number in 0..labels {
        // Each label names others: the members whose bit is in its number.
        let named = all.iter().take(8).enumerate().filter(|(bit, _)| ((number + 1) >> bit) & 1 == 1);
        let audience = named.map(|(_, (member, _))| member.id.clone());
        let options = PublishOptions { audience: Some(audience.collect()), ..PublishOptions::default() };
        let object = testkit::indicator(1_000 + number as u64, 1, &[testkit::TLP[1]]);
        world.exchange.publish(&world.operator, "open", testkit::envelope(&[object]), options).unwrap();
    }
    all
}

#[tokio::test]
async fn the_matrix_shows_the_newest_labels_first_and_reaches_all_of_them() {
    let face = Face::new();
    let members = peopled(&face, 14, 45);
    let mut me = face.role(Role::Officer).await;
    let (mut page, mut seen, mut pages) = ("/release".to_owned(), BTreeSet::new(), 0);
    loop {
        let shown = face.get(&mut me, &page).await.expect(200);
        let numbers: Vec<u32> = shown
            .body
            .split("<tr id=\"label-")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert!(numbers.is_sorted_by(|a, b| a > b), "the newest first: {numbers:?}");
        seen.extend(numbers);
        pages += 1;
        let Some((before, _)) = shown.body.split_once(">Older labels</a>") else { break };
        page = before.rsplit("href=\"").next().unwrap().split('"').next().unwrap().replace("&#38;", "&");
    }
    assert!(pages > 1 && seen.len() >= 45, "{pages} pages, {} labels", seen.len());
    // An object leads to its own label, the oldest too.
    let object = format!("/content/{}", testkit::indicator_id(1_000));
    let shown = face.get(&mut me, &object).await.expect(200);
    let link = shown.body.split("href=\"/release?label=").nth(1).unwrap().split('"').next().unwrap();
    let (label, fragment) = link.split_once('#').unwrap();
    face.get(&mut me, &format!("/release?label={label}"))
        .await
        .expect(200)
        .has(&[&format!("<tr id=\"{fragment}\">"), "All labels"]);
    // The file has every label with every member.
    let all = rows(&face.get(&mut me, "/release?format=json").await.expect(200));
    assert_eq!(all.len(), seen.len() * members.len());
    let csv = face.get(&mut me, "/release?format=csv").await.expect(200);
    assert_eq!(csv.body.lines().count(), all.len() + 1);
    let own = format!("/release/as/{}", members[0].0.id);
    assert_eq!(rows(&face.get(&mut me, &format!("{own}?format=json")).await.expect(200)).len(), seen.len());
    let text = face.get(&mut me, &own).await.expect(200).text();
    let open = all.iter().filter(|row| row["member"] == members[0].0.id.as_str() && row["has_it"] == true);
    assert!(text.contains(&format!("{} of {} are open to it", open.count(), seen.len())), "{text}");
}

#[tokio::test]
async fn members_that_the_policies_cannot_tell_apart_cost_one_question() {
    let face = Face::new();
    let members = peopled(&face, 60, 30);
    let mut me = face.role(Role::Officer).await;
    let object = format!("/content/{}", testkit::indicator_id(1_001));
    let asked = || face.world.exchange.policies_asked();
    let before = asked();
    face.get(&mut me, "/release?format=json").await.expect(200);
    face.get(&mut me, &object).await.expect(200);
    // Two kinds of members, each named by a label or not, and the programme's four roles.
    let cost = asked() - before;
    assert!(cost <= 30 * (2 * 2 + 4), "{cost} questions for 60 members and 30 labels");
    // Of a member that steps down, only what is like nobody yet is asked.
    let (exchange, operator) = (&face.world.exchange, &face.world.operator);
    let down = &members[1].0.id;
    exchange.set_standing(operator, down, &testkit::tier("cleared"), Standing::Suspended, "a test").unwrap();
    let before = asked();
    let file = rows(&face.get(&mut me, "/release?format=json").await.expect(200));
    face.get(&mut me, &object).await.expect(200);
    face.get(&mut me, "/release").await.expect(200);
    let cost = asked() - before;
    // The notice that it gets has a label of its own.
    assert!(cost <= 30 + (2 * 2 + 4), "{cost} questions after one of 60 members stepped down");
    // And what is remembered is what holds.
    let named = file.iter().filter(|row| row["has_it"] == true).count();
    exchange.set_standing(operator, down, &testkit::tier("open"), Standing::Suspended, "a test").unwrap();
    let file = rows(&face.get(&mut me, "/release?format=json").await.expect(200));
    assert!(file.iter().filter(|row| row["has_it"] == true).count() < named);
    // What it still has are the notices, which came after the others.
    let left = file.iter().filter(|row| row["member"] == down.as_str() && row["has_it"] == true);
    assert!(left.map(|row| row["label"].as_u64()).all(|label| label >= Some(30)), "{file:?}");
}

#[tokio::test]
async fn files_have_all_that_their_pages_speak_of() {
    let face = Face::new();
    let world = &face.world;
    // More than one look at the content sees: what is sought lies at its end.
    let padding = "x".repeat(1_000_000);
    for number in 0..10_u64 {
        let mut object = testkit::indicator(number, 1, &[]);
        object.pop();
        let said = if number == 9 { "needle" } else { "straw" };
        object.extend(format!(",\"name\":\"{said}\",\"description\":\"{padding}\"}}").bytes());
        assert_eq!(world.publish("open", &[object]).stored, 1);
    }
    let mut me = face.role(Role::Operator).await;
    let found = face.get(&mut me, "/content?collection=open&q=needle&format=json").await.expect(200);
    assert_eq!(rows(&found).len(), 1, "{}", found.body);
    // More entries of the ledger than one answer of the exchange has.
    let (member, caller) = world.member("Acme", &["open"]);
    let filter = taxii::ObjectFilter { limit: Some(1.try_into().unwrap()), ..taxii::ObjectFilter::default() };
    for _ in 0..exchange::ENTRIES_MAX + 20 {
        world.exchange.objects(&caller, "open", &filter).unwrap();
    }
    let path = format!("/ledger?format=json&kind=disclosure&member={}", member.id);
    let found = rows(&face.get(&mut me, &path).await.expect(200));
    assert_eq!(found.len(), exchange::ENTRIES_MAX + 20);
    let csv = face.get(&mut me, &path.replace("json", "csv")).await.expect(200);
    assert_eq!(csv.body.lines().count(), found.len() + 1);
}

#[tokio::test]
async fn full_tables_make_small_pages() {
    let face = Face::new();
    let world = &face.world;
    let members = peopled(&face, 1_000, 200);
    // A holding above two hundred members, of whom all would move with it.
    let (symantec, _) = member::symantec(&face);
    let mut statements = Vec::new();
    for (number, (member, _)) in members.iter().take(200).enumerate() {
        let entity = format!("entity-{number}");
        statements.push(member::stake("topco", &entity, "60%"));
        world.exchange.bind_entity(&world.operator, &member.id, &entity.parse().unwrap()).unwrap();
    }
    let import = Import { subject: "a test".to_owned(), statements, ..Import::default() };
    assert_eq!(world.exchange.import(&world.operator, import).unwrap().refused, []);
    // What a member published, all of it doubted by others at length.
    let (giver, publisher) = &members[1];
    let reason = "w".repeat(1_500);
    let objects: Vec<Vec<u8>> = (0..150).map(|number| testkit::indicator(5_000 + number, 1, &[])).collect();
    let envelope = testkit::envelope(&objects);
    world.exchange.publish(publisher, "submissions", envelope, PublishOptions::default()).unwrap();
    drop(world.publish("open", &objects));
    for number in 0..150 {
        let id = testkit::indicator_id(5_000 + number);
        for (_, caller) in &members[2..4] {
            world.exchange.report_false_positive(caller, &id, &reason).unwrap();
        }
    }
    let mut own = face.sign_in(Principal::Member(giver.id.clone())).await;
    let mut me = face.role(Role::Operator).await;
    let bound = format!("/members/{}", members[0].0.id);
    let mut faults = Vec::new();
    let pages = [
        "/".to_owned(),
        "/members".to_owned(),
        "/release".to_owned(),
        "/release?from=500".to_owned(),
        format!("/release/as/{}", giver.id),
        format!("/content/{}", testkit::indicator_id(1_003)),
        "/content?collection=open".to_owned(),
        format!("{bound}?tier=cleared"),
        format!("{bound}?tier=cleared&add=huawei+holds+60%25+topco"),
        format!("/members/{}?tier=cleared&as_of=2008-03-01", symantec.id),
        "/hits".to_owned(),
        "/ledger".to_owned(),
        "/entities/topco".to_owned(),
        "/ties?q=entity".to_owned(),
        "/programme".to_owned(),
    ];
    let own_pages = ["/me/feed", "/me/contributions", "/ledger"].map(str::to_owned);
    for path in pages.iter().chain(&own_pages) {
        let is_own = own_pages.contains(path) && path.starts_with("/me");
        let page = face.get(if is_own { &mut own } else { &mut me }, path).await.expect(200);
        eprintln!("{path}: {} bytes", page.body.len());
        if page.body.len() >= 100_000 {
            faults.push(format!("{path}: {} bytes", page.body.len()));
        }
    }
    assert!(faults.is_empty(), "{faults:?}");
    let file = face.get(&mut me, &format!("{}&table=others&format=json", pages[8])).await.expect(200);
    let moved: BTreeSet<String> = rows(&file).iter().map(|row| row["member"].to_string()).collect();
    assert_eq!(moved.len(), 199, "the file has all that would move");
}
