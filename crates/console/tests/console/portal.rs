//! What a member sees of its own.

use model::{Principal, Role, Standing};

use crate::{Browser, Face};

pub(crate) async fn acme(face: &Face, tiers: &[&str]) -> (Browser, model::Member, model::Caller) {
    let (member, caller) = face.world.member("Acme", tiers);
    (face.sign_in(Principal::Member(member.id.clone())).await, member, caller)
}

#[tokio::test]
async fn a_feed_is_told_by_what_the_rules_let_its_reader_do() {
    let face = Face::new();
    let (mut me, member, _) = acme(&face, &["open"]).await;
    let page = face.get(&mut me, "/me/feed").await.expect(200).has(&[
        "<h1>My feed</h1>",
        "read, enforce",
        "TLP:AMBER+STRICT",
    ]);
    assert!(page.body.contains("aria-current=\"page\">My feed"), "{}", page.body);
    assert_eq!(page.body.matches("aria-current=\"page\"").count(), 1);
    let before = face.get(&mut me, "/me/feed?format=json").await.expect(200).body;
    // What others publish changes nothing here, whatever it is.
    drop(face.world.publish("open", &[testkit::indicator(1, 1, &[testkit::TLP[4]])]));
    drop(face.world.publish("open", &[testkit::indicator(2, 1, &[])]));
    assert_eq!(face.get(&mut me, "/me/feed?format=json").await.expect(200).body, before);
    let tier = testkit::tier("open");
    face.world
        .exchange
        .set_standing(&face.world.operator, &member.id, &tier, Standing::Suspended, "a test")
        .unwrap();
    face.get(&mut me, "/me/feed").await.expect(200).lacks(&["read, enforce"]);
}

#[tokio::test]
async fn a_members_credentials_and_contributions_are_its_own() {
    let face = Face::new();
    let (mut me, _, caller) = acme(&face, &["open", "programme"]).await;
    let (other, _) = face.world.member("Hidden Member", &["open"]);
    let (foreign, _) =
        face.credential(Principal::Member(other.id), Some(("hidden-login", "correct horse battery")));
    let shown = face.get(&mut me, "/me/credentials").await.expect(200);
    shown
        .has(&["this one", me.credential.as_ref().unwrap().as_str()])
        .lacks(&["hidden-login", foreign.as_str()]);
    face.get(&mut me, "/me/contributions").await.expect(200).has(&["You have published nothing yet"]);
    drop(face.world.publish("open", &[testkit::indicator(1, 1, &[])]));
    face.get(&mut me, "/me/contributions").await.expect(200).has(&["You have published nothing yet"]);
    let own = testkit::envelope(&[testkit::indicator(2, 1, &[])]);
    let submissions =
        face.world.exchange.collections(&caller).into_iter().find(|view| view.can_write).unwrap();
    let alias = submissions.collection.alias;
    face.world.exchange.publish(&caller, &alias, own, exchange::PublishOptions::default()).unwrap();
    face.get(&mut me, "/me/contributions").await.expect(200).has(&["1 objects, with all versions"]);
    face.get(&mut me, "/me/contributions?format=csv").await.expect(200).has(&["\"object\",\"days\""]);
}

#[tokio::test]
async fn an_attestation_is_filled_in_and_an_appeal_is_filed() {
    let face = Face::new();
    let (mut me, member, _) = acme(&face, &["open"]).await;
    let programme = face.world.exchange.programme();
    let questions = &programme.questionnaire().unwrap().questions;
    face.get(&mut me, "/me/attestation").await.expect(200).has(&["Officer who answers for it"]);
    face.post(&mut me, "/me/attestation", &[("officer", "Ann")]).await.expect(303);
    face.get(&mut me, "/me/attestation").await.expect(200).has(&["role=\"alert\"", "is not answered"]);
    let names: Vec<String> = questions.iter().map(|question| format!("answer-{}", question.id)).collect();
    let list = format!("list-{}", questions[0].id);
    let mut fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "no")).collect();
    fields[0].1 = "yes";
    fields.push(("officer", "Ann <b>Officer</b>"));
    fields.push((&list, "One Ltd\r\n\r\n  Two Ltd "));
    face.post(&mut me, "/me/attestation", &fields).await.expect(303);
    let shown = face.get(&mut me, "/me/attestation").await.expect(200);
    let shown = shown
        .has(&["role=\"status\"", "the first", "One Ltd\nTwo Ltd", "value=\"yes\" checked"])
        .lacks(&["<b>Officer"]);
    assert!(shown.text().contains("Ann <b>Officer</b>"), "{}", shown.text());
    let filed = face.world.exchange.dossier(&face.world.operator, &member.id).unwrap().attestations;
    assert_eq!(filed[0].answers[&questions[0].id].list, ["One Ltd", "Two Ltd"]);
    face.get(&mut me, "/me/attestation?format=csv").await.expect(200).has(&["\"One Ltd Two Ltd\""]);
    face.post(&mut me, "/me/appeals", &[("tier", "cleared"), ("text", "it is not so")]).await.expect(303);
    face.get(&mut me, "/me/attestation")
        .await
        .expect(200)
        .has(&["Your appeal is filed", "To be answered by"]);
    face.post(&mut me, "/me/appeals", &[("tier", "cleared"), ("text", "again")]).await.expect(303);
    face.get(&mut me, "/me/attestation").await.expect(200).has(&["is not answered yet"]);
}

#[tokio::test]
async fn the_programmes_people_have_no_portal() {
    let face = Face::new();
    let mut me = face.role(Role::Operator).await;
    for path in ["/me/feed", "/me/contributions", "/me/credentials", "/me/guard", "/me/attestation"] {
        face.get(&mut me, path).await.expect(404);
    }
    face.post(&mut me, "/me/appeals", &[("tier", "open"), ("text", "x")]).await.expect(404);
}
