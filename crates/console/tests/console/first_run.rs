//! From an empty hub to a member that polls, in the browser.

use exchange::Attempt;
use model::{Principal, Role};

use crate::{Browser, Face};

#[tokio::test]
async fn the_first_steps_lead_to_a_member_that_polls() {
    let face = Face::new();
    let mut me = face.role(Role::Operator).await;
    face.get(&mut me, "/").await.expect(200).has(&["href=\"/first-run\""]);
    let page = face.get(&mut me, "/first-run").await.expect(200);
    assert_eq!(page.body.matches(">to do<").count(), 4, "{}", page.body);
    // What it says to type in stands by itself: where the hub is, and what to publish.
    let text = page.text();
    assert!(text.contains("ringfence publish --hub 'http://hub.example' --to open first.json"), "{text}");
    let bundle = text.split("<<'END'").nth(1).unwrap().split(" END ").next().unwrap().replace("&#34;", "\"");
    let bundle: serde_json::Value = serde_json::from_str(&bundle).unwrap();
    let object = bundle["objects"][0].to_string().into_bytes();
    assert_eq!(Face::new().world.publish("open", &[object]).stored, 1);
    let account = [
        ("person", "A. Ash"),
        ("login", "a.ash"),
        ("password", "a long one of her own"),
        ("role", "operator"),
    ];
    face.post(&mut me, "/first-run/account", &account).await.expect(303);
    face.get(&mut me, "/first-run").await.expect(200).has(&["a.ash can sign in"]);
    let mut ash = Browser::default();
    face.get(&mut ash, "/sign-in").await.expect(200);
    face.post(&mut ash, "/sign-in", &[("login", "a.ash"), ("password", "a long one of her own")])
        .await
        .expect(303);
    face.get(&mut ash, "/first-run").await.expect(200);
    let member = [("name", "Acme <i>Ltd</i>"), ("kind", "provider"), ("listed", "open")];
    face.post(&mut ash, "/first-run/member", &member).await.expect(303);
    let page =
        face.get(&mut ash, "/first-run").await.expect(200).has(&["is in the registry"]).lacks(&["<i>Ltd"]);
    let id = page.body.split("<option value=\"member:").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let made = face
        .post(&mut ash, "/first-run/credential", &[("member", &format!("member:{id}"))])
        .await
        .expect(200);
    let token = made
        .body
        .split("Authorization: Bearer ")
        .nth(1)
        .unwrap()
        .split(['&', '\''])
        .next()
        .unwrap()
        .to_owned();
    face.get(&mut ash, "/first-run").await.expect(200).lacks(&[&token]);
    drop(face.world.publish("open", &[testkit::indicator(1, 1, &[])]));
    let caller = face.world.exchange.authenticate(&Attempt::Bearer(&token), "192.0.2.1").unwrap();
    let polled = face.world.exchange.objects(&caller, "open", &taxii::ObjectFilter::default()).unwrap();
    assert_eq!(polled.served.count, 1);
    let page = face.get(&mut ash, "/first-run").await.expect(200);
    assert_eq!((page.body.matches(">done<").count(), page.body.matches(">to do<").count()), (4, 0));
    face.get(&mut me, "/").await.expect(200).lacks(&["href=\"/first-run\""]);
}

#[tokio::test]
async fn whoever_decides_nothing_gets_no_further() {
    let face = Face::new();
    let (member, _) = face.world.member("Acme", &["open"]);
    let mut officer = face.role(Role::Officer).await;
    let page = face.get(&mut officer, "/first-run").await.expect(200);
    page.has(&["Admit it"]).lacks(&["Make a token"]);
    face.post(&mut officer, "/first-run/credential", &[("member", member.id.as_str())]).await.expect(403);
    for role in [Role::Overseer, Role::Reviewer] {
        let mut me = face.role(role).await;
        face.get(&mut me, "/first-run").await.expect(200).lacks(&["Make a token", "Admit it"]);
        let account =
            [("person", "X"), ("login", "x.x"), ("password", "a long one of its own"), ("role", "operator")];
        face.post(&mut me, "/first-run/account", &account).await.expect(403);
        face.post(&mut me, "/first-run/member", &[("name", "X"), ("kind", "provider")]).await.expect(403);
        face.post(&mut me, "/first-run/credential", &[("member", member.id.as_str())]).await.expect(403);
    }
    let mut me = face.sign_in(Principal::Member(member.id)).await;
    face.get(&mut me, "/first-run").await.expect(403);
}
