//! The pages about ties: search, an entity, lists, matches, what is unsettled, and an import that is looked at first.

use std::time::Duration;

use exchange::{Import, MatchState};
use model::Role;

use crate::Face;

const HOSTILE: &str = "<script>alert('x')</script> \"Huawei\" Holding";

/// A hub that knows the story of Symantec, without its end.
fn story(face: &Face) -> model::MemberId {
    let (member, _) = face.world.member("Symantec", &["open", "cleared"]);
    let programme = face.world.exchange.programme();
    let case = programme.vetting_cases().iter().find(|file| file.file == "cases/symantec.toml").unwrap();
    let begun =
        case.statements.iter().filter(|one| !matches!(one.said, ties::Said::End(_))).cloned().collect();
    import(face, begun);
    face.world.exchange.bind_entity(&face.world.operator, &member.id, &"symantec".parse().unwrap()).unwrap();
    member.id
}

fn import(face: &Face, statements: Vec<ties::Statement>) {
    let import = Import { subject: "a test".to_owned(), statements, ..Import::default() };
    assert_eq!(face.world.exchange.import(&face.world.operator, import).unwrap().refused, []);
}

/// An organisation as one document describes it.
fn described(id: &str, document: &str, name: &str) -> ties::Statement {
    let mut entity = ties::Entity::new(id.parse().unwrap(), ties::EntityKind::Organisation);
    entity.names = vec![ties::Name { text: name.to_owned(), alias: false }];
    entity.countries = vec!["CN".to_owned()];
    ties::Statement {
        id: format!("{document}:{id}").parse().unwrap(),
        said: ties::Said::Entity(entity),
        source: ties::Source { document: document.to_owned(), ..ties::Source::default() },
        recorded: model::Timestamp::EPOCH,
    }
}

#[tokio::test]
async fn an_entity_is_found_and_told_with_what_is_around_it() {
    let face = Face::new();
    let member = story(&face);
    import(&face, vec![described("hostile", "a-test", HOSTILE)]);
    let mut me = face.role(Role::Overseer).await;
    face.get(&mut me, "/ties").await.expect(200).has(&["aria-current=\"page\">Ties"]).lacks(&["<table"]);
    let found = face.get(&mut me, "/ties?q=HUAWEI").await.expect(200);
    let found =
        found.has(&["href=\"/entities/huawei\"", "href=\"/entities/hostile\""]).lacks(&["<script>alert"]);
    assert!(found.text().contains("of concern: concern"), "{}", found.text());
    let rows = face.get(&mut me, "/ties?q=huawei&format=json").await.expect(200);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&rows.body).unwrap();
    assert!(rows.iter().any(|row| row["entity"] == "huawei" && row["concern"] == "concern"), "{rows:?}");
    face.get(&mut me, "/ties?q=x").await.expect(422);
    let page = face.get(&mut me, "/entities/huawei").await.expect(200);
    let text = page.text();
    for part in [
        "A party of concern: named by concern, since 2007-05-01",
        "Symantec, 2 ties away",
        "Huawei Symantec Technologies",
    ] {
        assert!(text.contains(part), "`{part}`: {text}");
    }
    page.has(&["<svg", &format!("href=\"/members/{member}\""), "href=\"/ties/at/"]);
    let before = face.get(&mut me, "/entities/huawei?as_of=2006-01-01").await.expect(200);
    assert!(!before.text().contains("A party of concern"), "{}", before.text());
    face.get(&mut me, "/entities/hostile").await.expect(200).lacks(&["<script>alert"]);
    face.get(&mut me, "/entities/nobody").await.expect(404);
    let csv = face.get(&mut me, "/entities/huawei?format=csv").await.expect(200);
    assert!(csv.body.starts_with("\"tie\",\"from\""), "{}", csv.body);
}

#[tokio::test]
async fn lists_tell_whom_they_name_and_since_when() {
    let face = Face::new();
    story(&face);
    let mut me = face.role(Role::Officer).await;
    let lists = face.get(&mut me, "/ties/lists").await.expect(200);
    assert!(lists.text().contains("concern of concern"), "{}", lists.text());
    let one = face.get(&mut me, "/ties/lists?list=concern&q=huawei").await.expect(200);
    assert!(one.text().contains("since 2007-05-01"), "{}", one.text());
    one.has(&["href=\"/entities/huawei\""]);
    let before = face.get(&mut me, "/ties/lists?list=concern&as_of=2000-01-01&format=json").await.expect(200);
    assert!(!before.body.contains("\"huawei\""), "{}", before.body);
    let all = face.get(&mut me, "/ties/lists?format=csv").await.expect(200);
    assert!(all.body.contains("\"concern\",true,"), "{}", all.body);
}

#[tokio::test]
async fn what_nobody_knows_is_told_and_can_be_filtered() {
    let face = Face::new();
    let member = story(&face);
    let mut me = face.role(Role::Officer).await;
    let page = face.get(&mut me, "/ties/unsettled?kind=no-holder").await.expect(200);
    assert!(page.text().contains("no holder of it is known"), "{}", page.text());
    page.has(&[&format!("href=\"/members/{member}\"")]);
    let rows = face.get(&mut me, "/ties/unsettled?kind=disputed-end&format=json").await.expect(200);
    assert_eq!(rows.body, "[]");
}

#[tokio::test]
async fn a_match_is_answered_and_the_answer_taken_back() {
    let face = Face::new();
    let member = story(&face);
    import(
        &face,
        vec![
            described("reg:1", "a-register", "Acme Networks Limited"),
            described("other:1", "a-list", "ACME NETWORKS LTD"),
        ],
    );
    let bound = "reg:1".parse().unwrap();
    let (acme, _) = face.world.member("Acme", &["open"]);
    face.world.exchange.bind_entity(&face.world.operator, &acme.id, &bound).unwrap();
    face.world.exchange.compare_names(Duration::from_secs(20)).unwrap();
    let open = face.world.exchange.matches(&face.world.operator, MatchState::Open, 0, 10).unwrap();
    let number = open
        .matches
        .iter()
        .find(|one| one.left.name.starts_with('A') && one.right.name.starts_with('A'))
        .unwrap()
        .number;
    let mut me = face.role(Role::Officer).await;
    let page = face.get(&mut me, "/ties/matches").await.expect(200);
    page.has(&["Acme Networks Limited", "ACME NETWORKS LTD", "They are one"]);
    let action = format!("/ties/matches/{number}");
    let reopen = format!("{action}/reopen");
    let canonical = || {
        let view = face.world.exchange.entity(&face.world.operator, &bound, None).unwrap();
        view.also.len()
    };
    // Accepted, taken back, accepted again, taken back, refused, taken back: each is done, and nothing of it is lost.
    for _ in 0..2 {
        face.post(&mut me, &action, &[("answer", "accept"), ("reason", "the same registry number")])
            .await
            .expect(303);
        assert_eq!(canonical(), 2);
        let done = face.get(&mut me, "/ties/matches?state=accepted").await.expect(200);
        assert!(
            done.text().contains("Accepted by role:officer") || done.text().contains("Accepted by officer"),
            "{}",
            done.text()
        );
        face.post(&mut me, &action, &[("answer", "reject")]).await.expect(303);
        face.get(&mut me, "/ties/matches").await.expect(200).has(&["role=\"alert\"", "was answered by"]);
        face.post(&mut me, &reopen, &[("reason", "another branch")]).await.expect(303);
        assert_eq!(canonical(), 1);
    }
    face.post(&mut me, &action, &[("answer", "reject"), ("reason", "two")]).await.expect(303);
    face.get(&mut me, "/ties/matches?state=rejected").await.expect(200).has(&["Take that back"]);
    face.post(&mut me, &reopen, &[("reason", "in doubt again")]).await.expect(303);
    face.get(&mut me, "/ties/matches").await.expect(200).has(&["waits again", "They are one"]);
    // Whoever may not decide has neither forms nor a way around them.
    let mut overseer = face.role(Role::Overseer).await;
    face.get(&mut overseer, "/ties/matches").await.expect(200).lacks(&["They are one"]);
    face.post(&mut overseer, &action, &[("answer", "accept")]).await.expect(403);
    face.post(&mut overseer, &reopen, &[("reason", "r")]).await.expect(403);
    assert_ne!(member, acme.id);
}

#[tokio::test]
async fn a_file_is_looked_at_before_it_is_recorded() {
    let face = Face::new();
    let (member, _) = face.world.member("Symantec", &["open", "cleared"]);
    face.world.exchange.bind_entity(&face.world.operator, &member.id, &"symantec".parse().unwrap()).unwrap();
    let programme = face.world.exchange.programme();
    let case = programme.vetting_cases().iter().find(|file| file.file == "cases/symantec.toml").unwrap();
    let begun: Vec<_> =
        case.statements.iter().filter(|one| !matches!(one.said, ties::Said::End(_))).collect();
    let file = serde_json::to_vec(&begun).unwrap();
    let count = || face.world.exchange.statements(&face.world.operator, 0, 10_000).unwrap().len();
    let before = count();
    let mut me = face.role(Role::Officer).await;
    face.get(&mut me, "/ties/import").await.expect(200).has(&["enctype=\"multipart/form-data\""]);
    let sent = face.post_file(&mut me, "/ties/import", "story<b>.json", &file, &[]).await.expect(303);
    let link = sent.header("location").to_owned();
    let preview = face.get(&mut me, &link).await.expect(200);
    let text = preview.text();
    assert!(text.contains("What story<b>.json would do"), "{text}");
    assert!(text.contains("Symantec cleared") && text.contains("suspend"), "{text}");
    assert!(text.contains("Symantec on cleared: listed to suspended"), "{text}");
    assert!(text.contains("Symantec: cleared stops"), "{text}");
    assert_eq!(count(), before, "nothing was recorded");
    let moves = face.get(&mut me, &format!("{link}?format=json")).await.expect(200);
    let moves: Vec<serde_json::Value> = serde_json::from_str(&moves.body).unwrap();
    assert!(moves.iter().any(|one| one["name"] == "Symantec" && one["tier"] == "cleared"), "{moves:?}");
    // A colleague who is sent the link sees the same; one who may not decide records nothing.
    let mut overseer = face.role(Role::Overseer).await;
    let seen = face.get(&mut overseer, &link).await.expect(200);
    assert!(seen.text().contains("What story<b>.json would do"), "{}", seen.text());
    let seen = seen.lacks(&["Record it"]);
    drop(seen);
    face.post(&mut overseer, &link, &[]).await.expect(403);
    face.post(&mut overseer, &format!("{link}/again"), &[]).await.expect(403);
    let mut own = face.sign_in(model::Principal::Member(member.id.clone())).await;
    face.get(&mut own, &link).await.expect(403);
    let mut other = face.role(Role::Officer).await;
    // What has moved since is not recorded as it was looked at, but computed anew.
    import(&face, vec![described("reg:9", "a-register", "Somebody Else")]);
    let before = count();
    face.get(&mut me, &link)
        .await
        .expect(200)
        .has(&["have changed since this was computed", "Compute it anew"]);
    face.post(&mut me, &link, &[]).await.expect(303);
    face.get(&mut me, &link).await.expect(200).has(&["role=\"alert\"", "Nothing was recorded"]);
    assert_eq!(count(), before);
    let anew = face.post(&mut me, &format!("{link}/again"), &[]).await.expect(303);
    face.get(&mut me, &link).await.expect(410);
    let link = anew.header("location").to_owned();
    face.get(&mut other, &link).await.expect(200).has(&["Record it"]).lacks(&["have changed since"]);
    face.post(&mut other, &link, &[]).await.expect(303);
    let done = face.get(&mut other, "/ties/import").await.expect(200);
    assert!(
        done.text().contains("Recorded: ") && done.text().contains("Symantec is now suspended on cleared"),
        "{}",
        done.text()
    );
    assert_eq!(count() - before, begun.len());
    face.post(&mut me, &link, &[]).await.expect(410);
    face.get(&mut me, "/ties/import").await.expect(200);
    let again = face.post_file(&mut me, "/ties/import", "again.json", &file, &[]).await.expect(303);
    let again = face.get(&mut me, again.header("location")).await.expect(200);
    assert!(again.text().contains("0 new"), "{}", again.text());
    for (name, bytes, extra) in [
        ("x.bin", &b"\x00\x01"[..], &[][..]),
        ("x.csv", b"a,b\n1,2\n", &[("format", "nothing")]),
        ("empty.csv", b"", &[]),
    ] {
        face.post_file(&mut me, "/ties/import", name, bytes, extra).await.expect(422);
    }
    face.get(&mut overseer, "/ties/import").await.expect(200).lacks(&["enctype"]);
    face.post_file(&mut overseer, "/ties/import", "story.json", &file, &[]).await.expect(415);
}
