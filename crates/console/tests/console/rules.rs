//! The programme's page.

use model::{Principal, Role};

use crate::Face;

#[tokio::test]
async fn the_rules_are_shown_with_text_source_and_dates() {
    let face = Face::new();
    let mut me = face.role(Role::Overseer).await;
    let programme = face.world.exchange.programme();
    let page = face.get(&mut me, "/programme").await.expect(200).has(&[
        programme.digest(),
        "<svg",
        "this one",
        "Run them",
    ]);
    let (text, rules) = (page.text(), programme.packs().iter().flat_map(|pack| &pack.rules));
    let mut count = 0;
    for rule in rules {
        count += 1;
        assert!(page.body.contains(&format!("<th scope=\"row\">{}</th>", rule.id)), "{} is missing", rule.id);
    }
    assert_eq!(page.body.matches("class=\"span ").count(), count, "each rule has a line in the timeline");
    assert!(text.contains("since "), "{text}");
    assert!(page.body.len() < 100_000, "{} bytes", page.body.len());
    let csv = face.get(&mut me, "/programme?format=csv").await.expect(200);
    assert_eq!(csv.body.lines().count(), count + 1);
    let (member, _) = face.world.member("Acme", &["open"]);
    let mut other = face.sign_in(Principal::Member(member.id)).await;
    face.get(&mut other, "/programme").await.expect(403);
}

#[tokio::test]
async fn its_cases_are_run_when_somebody_asks() {
    let face = Face::new();
    let mut me = face.role(Role::Reviewer).await;
    face.get(&mut me, "/programme").await.expect(200).lacks(&["all hold", "some fail"]);
    face.get(&mut me, "/programme?cases=run").await.expect(200).has(&["all hold", "0 went wrong"]);
}
