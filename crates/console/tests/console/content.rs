//! Content and release: what people find, what each role is shown of it, and why members have it or not.

use model::{Principal, Role};
use testkit::{TLP, indicator, indicator_id};

use crate::Face;

const HOSTILE: &str = r#"{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-0000000000ff","created":"2012-02-13T00:00:00.000Z","modified":"2012-02-13T00:00:00.000Z","name":"<script>alert(1)</script>","pattern":"[domain-name:value = '<img src=x onerror=y>' AND file:size > 10]","pattern_type":"stix","valid_from":"2012-01-13T00:00:00Z","created_by_ref":"identity--00000000-0000-4000-8000-00000000000a"}"#;

/// Three green indicators, one for named eyes only, and one with markup in it.
fn published(face: &Face) {
    let mut objects: Vec<Vec<u8>> = (0..3).map(|n| indicator(n, 0, &[TLP[1]])).collect();
    objects.push(indicator(7, 0, &[TLP[4]]));
    objects.push(HOSTILE.as_bytes().to_vec());
    assert_eq!(face.world.publish("indicators", &objects).stored, 5);
}

#[tokio::test]
async fn content_is_searched_by_what_it_says() {
    let face = Face::new();
    published(&face);
    let mut me = face.role(Role::Operator).await;
    face.get(&mut me, "/content").await.expect(200).has(&["href=\"/content?collection=indicators\""]);
    let count = |query: &str| format!("/content?collection=indicators&format=json&{query}");
    let cases = [
        ("", 5),
        ("q=HOST-1.example", 1),
        ("q=host-", 4),
        ("type=malware", 0),
        ("type=indicator&marking=red", 1),
        ("marking=green", 3),
        (&format!("marking={}", TLP[1]), 3),
        ("creator=identity--00000000-0000-4000-8000-00000000000a", 1),
        ("from=2012-02-01", 1),
        ("before=2012-02-01", 4),
        ("added=2999-01-01", 0),
    ];
    for (query, want) in cases {
        let answer = face.get(&mut me, &count(query)).await.expect(200);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(rows.len(), want, "{query}: {}", answer.body);
    }
    face.get(&mut me, "/content?collection=indicators&from=yesterday").await.expect(400);
    face.get(&mut me, "/content?collection=nowhere").await.expect(404);
    let page = face.get(&mut me, "/content?collection=indicators&q=onerror").await.expect(200);
    page.has(&["<span class=\"word\">AND</span>", "&#60;script&#62;"])
        .lacks(&["<script>alert", "<img src=x"]);
}

#[tokio::test]
async fn an_object_tells_who_can_have_it_who_received_it_and_why_not_the_others() {
    let face = Face::new();
    published(&face);
    let (_, reader) = face.world.member("Reader", &["programme"]);
    let (outsider, _) = face.world.member("Outsider", &["open"]);
    let search = default_search();
    face.world.exchange.search(&reader, "indicators", &search, 10.try_into().unwrap(), None).unwrap();
    let green = format!("/content/{}", indicator_id(1));
    let red = format!("/content/{}", indicator_id(7));
    let mut me = face.role(Role::Operator).await;
    let page = face.get(&mut me, &green).await.expect(200);
    let text = page.text();
    for part in [
        "'host-1.example'",
        "TLP:GREEN",
        "1 of 2 members can have it now; 1 received it",
        "Outsider withheld",
        "No policy permits it",
    ] {
        assert!(text.contains(part), "`{part}`: {text}");
    }
    let page = face.get(&mut me, &red).await.expect(200);
    assert!(
        page.text().contains("TLP:RED goes to named recipients and its submitter only."),
        "{}",
        page.text()
    );
    let hostile =
        face.get(&mut me, "/content/indicator--00000000-0000-4000-8000-0000000000ff").await.expect(200);
    hostile.has(&["&#60;script&#62;"]).lacks(&["<script>alert", "<img src=x"]);
    let rows = face.get(&mut me, &format!("{green}?format=csv")).await.expect(200);
    assert!(rows.body.contains(outsider.id.as_str()), "{}", rows.body);
    face.get(&mut me, "/content/indicator--00000000-0000-4000-8000-00000000dead").await.expect(404);
    // The overseer learns who has it and who received it, and nothing of what it says.
    for role in [Role::Overseer, Role::Officer] {
        let mut other = face.role(role).await;
        let page = face.get(&mut other, &green).await.expect(200);
        assert!(
            page.text().contains("You may not read it") && page.text().contains("1 received it"),
            "{}",
            page.text()
        );
        page.lacks(&["host-1.example", "pattern", "/recall"]);
        face.get(&mut other, "/content?collection=indicators").await.expect(404);
        face.get(&mut other, "/content").await.expect(200).lacks(&["collection=indicators"]);
    }
    let mut member = face.sign_in(Principal::Member(outsider.id.clone())).await;
    for path in
        ["/content", &green, "/release", &format!("/release/as/{}", outsider.id), "/ties", "/entities/huawei"]
    {
        face.get(&mut member, path).await.expect(403);
    }
}

#[tokio::test]
async fn who_is_alike_fares_alike_and_who_is_named_does_not() {
    let face = Face::new();
    let members: Vec<_> =
        (0..12).map(|n| face.world.member(&format!("Member {n:02}"), &["programme"])).collect();
    let (named, _) = &members[3];
    let only = exchange::PublishOptions { audience: Some([named.id.clone()].into()), ..Default::default() };
    let object = testkit::envelope(&[indicator(1, 0, &[])]);
    face.world.exchange.publish(&face.world.operator, "indicators", object, only).unwrap();
    assert_eq!(face.world.publish("indicators", &[indicator(2, 0, &[])]).stored, 1);
    let (one, all) = (format!("/content/{}", indicator_id(1)), format!("/content/{}", indicator_id(2)));
    let mut me = face.role(Role::Overseer).await;
    let rows = async |me: &mut crate::Browser, path: &str| {
        let rows = face.get(me, &format!("{path}?format=json")).await.expect(200);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&rows.body).unwrap();
        let can = rows.iter().filter(|row| row["can_have_it"] == true).map(|row| row["name"].to_string());
        can.collect::<Vec<_>>()
    };
    // Asked twice: the second time it is remembered.
    for _ in 0..2 {
        assert_eq!(rows(&mut me, &one).await, ["\"Member 03\""]);
        assert_eq!(rows(&mut me, &all).await.len(), 12);
    }
    let page = face.get(&mut me, &one).await.expect(200);
    assert!(page.text().contains("11 of them"), "{}", page.text());
    let shown = face.get(&mut me, &format!("{one}?whom=can")).await.expect(200);
    assert!(shown.text().contains("1 of 12 found, 1 to 1 shown"), "{}", shown.text());
    shown.has(&["Member 03"]).lacks(&["Member 04"]);
    face.get(&mut me, &format!("{all}?q=member+07"))
        .await
        .expect(200)
        .has(&["Member 07"])
        .lacks(&["Member 08"]);
    // What is remembered ends with the epoch.
    let (tier, reason) = (testkit::tier("programme"), "it left");
    let gone = &members[5].0.id;
    let removed = model::Standing::Removed;
    face.world.exchange.set_standing(&face.world.operator, gone, &tier, removed, reason).unwrap();
    let left = rows(&mut me, &all).await;
    assert!(left.len() == 11 && !left.contains(&"\"Member 05\"".to_owned()), "{left:?}");
}

fn default_search() -> exchange::ContentSearch {
    exchange::ContentSearch::default()
}

#[tokio::test]
async fn a_recall_wants_a_reason_and_a_yes() {
    let face = Face::new();
    published(&face);
    let (_, reader) = face.world.member("Reader", &["programme"]);
    let found = || {
        let page = face.world.exchange.search(
            &reader,
            "indicators",
            &default_search(),
            10.try_into().unwrap(),
            None,
        );
        page.unwrap()
            .objects
            .iter()
            .filter(|one| String::from_utf8_lossy(&one.object).contains("host-1.example"))
            .count()
    };
    assert_eq!(found(), 1);
    let page = format!("/content/{}", indicator_id(1));
    let recall = format!("{page}/recall");
    let mut me = face.role(Role::Reviewer).await;
    face.get(&mut me, &page).await.expect(200).has(&["A recall cannot be undone"]);
    for fields in [
        &[("action", "withdraw"), ("reason", "wrong")][..],
        &[("action", "withdraw"), ("confirmed", "yes")],
        &[("action", "relabel"), ("reason", "r"), ("confirmed", "yes")],
        &[("action", "relabel"), ("tlp", "purple"), ("reason", "r"), ("confirmed", "yes")],
    ] {
        face.post(&mut me, &recall, fields).await.expect(303);
        face.get(&mut me, &page).await.expect(200).has(&["role=\"alert\""]);
    }
    assert_eq!(found(), 1);
    let mut officer = face.role(Role::Officer).await;
    let yes = [("action", "withdraw"), ("reason", "a false positive"), ("confirmed", "yes")];
    face.post(&mut officer, &recall, &yes).await.expect(403);
    face.post(&mut me, &recall, &yes).await.expect(303);
    face.get(&mut me, "/content").await.expect(200).has(&["Recalled: 1 version", "1 holder is told"]);
    assert_eq!(found(), 0);
    let gone = face.get(&mut me, &page).await.expect(200);
    assert!(gone.text().contains("Nowhere any more"), "{}", gone.text());
}

#[tokio::test]
async fn the_matrix_says_who_has_what_and_by_which_policy() {
    let face = Face::new();
    published(&face);
    let (reader, _) = face.world.member("Reader", &["programme"]);
    let (outsider, _) = face.world.member("Outsider <b>", &["open"]);
    let mut me = face.role(Role::Overseer).await;
    let page = face.get(&mut me, "/release?collection=indicators").await.expect(200);
    page.has(&["href=\"#policy-tlp-red\"", "id=\"policy-member-on-the-list\"", "Outsider &#60;b&#62;"])
        .lacks(&["host-1.example", "<b>"]);
    let rows = face.get(&mut me, "/release?collection=indicators&format=json").await.expect(200);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&rows.body).unwrap();
    let cell = |member: &model::MemberId, tlp: &str| {
        let found = rows.iter().find(|row| {
            row["member"] == member.as_str() && row["demands"].as_str().unwrap().starts_with(tlp)
        });
        let row = found.unwrap();
        (row["has_it"].as_bool().unwrap(), row["policies"].as_str().unwrap().to_owned())
    };
    assert_eq!(cell(&reader.id, "TLP:GREEN"), (true, "member-on-the-list".to_owned()));
    assert_eq!(cell(&reader.id, "TLP:RED"), (false, "tlp-red".to_owned()));
    assert_eq!(cell(&outsider.id, "TLP:GREEN"), (false, String::new()));
    let only = face.get(&mut me, "/release?q=reader").await.expect(200);
    only.has(&["Reader"]).lacks(&["Outsider"]);
    let seen = face.get(&mut me, &format!("/release/as/{}", outsider.id)).await.expect(200);
    assert!(seen.text().contains("Indicators indicators does not exist"), "{}", seen.text());
    assert!(seen.text().contains("0 of "), "{}", seen.text());
    let seen = face.get(&mut me, &format!("/release/as/{}", reader.id)).await.expect(200);
    assert!(seen.text().contains("Indicators indicators there"), "{}", seen.text());
    face.get(&mut me, "/release/as/member:00000000000000ff").await.expect(404);
    face.get(&mut me, "/release?collection=nowhere").await.expect(404);
    // Content, seen as a member: what the operator reads, with what the member has of it.
    let mut operator = face.role(Role::Operator).await;
    let path = format!("/content?collection=indicators&as={}&format=json", reader.id);
    let rows = face.get(&mut operator, &path).await.expect(200);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&rows.body).unwrap();
    assert_eq!(rows.iter().filter(|row| row["seen_by_member"] == true).count(), 4, "{rows:?}");
}
