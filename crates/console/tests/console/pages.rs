//! What the pages show: Today and the list of members.

use exchange::PublishOptions;
use model::{Member, Role, Standing};

use crate::Face;

#[tokio::test]
async fn names_stay_text_wherever_they_are_shown() {
    let face = Face::new();
    let hostile = "<script>alert('x')</script>\"><img src=x onerror=y>";
    let (member, _) = face.world.member(hostile, &["open"]);
    let mut me = face.role(Role::Officer).await;
    for path in [
        "/",
        "/members",
        "/members?q=%3Cscript%3E",
        &format!("/members/{}", member.id),
        "/members/%3Cscript%3E",
        "/sign-in?next=%2F%22%3E%3Cscript%3E",
    ] {
        let answer = face.get(&mut me, path).await;
        assert!(
            !answer.body.contains("<script>") && !answer.body.contains("<img src=x"),
            "{path}: {}",
            answer.body
        );
    }
    let csv = face.get(&mut me, "/members?format=csv").await.expect(200);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert!(csv.body.contains("\"<script>alert('x')</script>\"\"><img src=x onerror=y>\""), "{}", csv.body);
}

#[tokio::test]
async fn the_list_of_members_is_a_matrix_that_can_be_filtered() {
    let face = Face::new();
    let mut me = face.role(Role::Officer).await;
    for number in 0..120 {
        let tiers: &[&str] = if number % 2 == 0 { &["open", "cleared"] } else { &["open"] };
        drop(face.world.member(&format!("Member {number:03}"), tiers));
    }
    let first = face.get(&mut me, "/members").await.expect(200);
    assert_eq!(first.body.matches("<tr>").count(), 101, "a page has a hundred, and a head");
    first.has(&["120 members", "1 to 100 shown", "rel=\"next\"", "<th scope=\"col\">cleared</th>"]);
    face.get(&mut me, "/members?from=100").await.expect(200).has(&[
        "101 to 120 shown",
        "Member 119",
        "rel=\"prev\"",
    ]);
    let listed = face.get(&mut me, "/members?tier=cleared&standing=listed&q=member").await.expect(200);
    listed.has(&["60 of 120 members", "Member 000"]).lacks(&["Member 001"]);
    face.get(&mut me, "/members?q=member+007").await.expect(200).has(&["1 of 120 members"]);
    let json = face.get(&mut me, "/members?tier=cleared&standing=listed&format=json").await.expect(200);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json.body).unwrap();
    assert_eq!((rows.len(), rows[0]["cleared"].as_str()), (60, Some("listed")));
    face.get(&mut me, "/members?standing=nonsense").await.expect(400);
    face.get(&mut me, "/members?format=xml").await.expect(400);
}

#[tokio::test]
async fn an_officer_admits_a_member_and_is_told_what_comes_next() {
    let face = Face::new();
    let mut me = face.role(Role::Officer).await;
    face.get(&mut me, "/members").await.expect(200).has(&["Admit a member"]);
    let sent = face
        .post(
            &mut me,
            "/members",
            &[("name", "Acme"), ("kind", "provider"), ("listed", "open"), ("listed", "cleared")],
        )
        .await;
    let page = sent.expect(303).header("location").to_owned();
    let shown = face.get(&mut me, &page).await.expect(200).has(&[
        "<h1>Acme</h1>",
        "role=\"status\"",
        "Say which entity it is",
    ]);
    assert!(shown.text().contains("Acme is listed on cleared, by decision of people"), "{}", shown.text());
    face.get(&mut me, &page).await.expect(200).lacks(&["role=\"status\""]);
}

#[tokio::test]
async fn what_is_new_stays_new_until_somebody_says_that_it_was_seen() {
    let face = Face::with_quorum();
    let (member, _) = face.world.member("Acme", &["open", "programme", "cleared"]);
    let suspend = |member: &Member| {
        let (exchange, tier) = (&face.world.exchange, testkit::tier("open"));
        exchange
            .set_standing(&face.world.operator, &member.id, &tier, Standing::Suspended, "a test")
            .unwrap();
    };
    suspend(&member);
    face.world.pass(std::time::Duration::from_secs(1));
    // What was before the account was made is no news to it.
    let mut me = face.role(Role::Officer).await;
    face.get(&mut me, "/").await.expect(200).lacks(&["new to you"]);
    let mut another = face.role(Role::Officer).await;
    face.world.pass(std::time::Duration::from_secs(1));
    let standing = format!("/members/{}/standing", member.id);
    let removal = [("tier", "cleared"), ("to", "removed"), ("reason", "it asked to leave")];
    face.post(&mut another, &standing, &removal).await.expect(303);
    let today = face.get(&mut me, "/").await.expect(200).has(&["1 new to you"]);
    assert!(today.text().contains("Acme: Agree: removed on cleared (1 more needed)"), "{}", today.text());
    // Looking marks nothing; it is known with the account, whatever the browser.
    face.get(&mut me, "/").await.expect(200).has(&["1 new to you"]);
    let file: Vec<serde_json::Value> =
        serde_json::from_str(&face.get(&mut me, "/alerts?format=json").await.expect(200).body).unwrap();
    let newest = file.last().unwrap()["key"].as_str().unwrap().to_owned();
    me.cookies.retain(|(name, _)| name == "ringfence");
    face.get(&mut me, "/alerts").await.expect(200).has(&["1 new to you", "class=\"fresh\""]);
    face.post(&mut me, "/alerts/seen", &[("up_to", &newest), ("back", "/")]).await.expect(303);
    face.get(&mut me, "/").await.expect(200).lacks(&["new to you"]);
    face.get(&mut another, "/").await.expect(200).has(&["new to you"]);
    // More than the first page has are on the next ones, and in the file.
    for number in 0..130 {
        suspend(&face.world.member(&format!("Member {number}"), &["open"]).0);
    }
    let text = face.get(&mut me, "/").await.expect(200).text();
    let told: u64 = text.split(" new to you").next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(told >= 100, "{told}: {text}");
    let first = face.get(&mut me, "/alerts").await.expect(200);
    let older = first.body.split(">Older</a>").next().unwrap().rsplit("<a href=\"").next().unwrap();
    let older = older.split('"').next().unwrap();
    let second = face.get(&mut me, older).await.expect(200);
    let shown =
        first.body.matches("class=\"fresh\"").count() + second.body.matches("class=\"fresh\"").count();
    assert_eq!(shown as u64, told);
    let rows = face.get(&mut me, "/?format=json").await.expect(200);
    assert!(rows.body.contains("Agree: removed on cleared"), "{}", rows.body);
    face.post(&mut me, "/alerts/seen", &[("up_to", "no key")]).await.expect(422);
}

#[tokio::test]
async fn today_tells_what_waits_how_much_comes_and_whether_all_is_well() {
    let face = Face::new();
    let mut me = face.role(Role::Operator).await;
    let empty = face.get(&mut me, "/").await.expect(200);
    let empty = empty
        .has(&["Nothing waits for anybody", "Nothing was stored", "Nobody reported a hit"])
        .lacks(&["<svg"]);
    assert!(empty.text().contains("Ledger whole"), "{}", empty.text());

    assert_eq!(face.world.publish("open", &[testkit::indicator(1, 1, &[])]).stored, 1);
    let (_, alpha) = face.world.member("Alpha", &["open", "programme"]);
    let submitted = testkit::envelope(&[testkit::indicator(2, 1, &[]), testkit::indicator(3, 1, &[])]);
    face.world.exchange.publish(&alpha, "submissions", submitted, PublishOptions::default()).unwrap();
    face.world.exchange.report_false_positive(&alpha, &testkit::indicator_id(1), "our own").unwrap();
    let page = face.get(&mut me, "/").await.expect(200);
    let text = page.text();
    page.has(&["<svg", "2012-03-28: stored, 3", "href=\"/content?collection=submissions\""]);
    for part in ["1 doubt", "Decide whether it is a false positive: 1 says so", "submissions: 2 objects"] {
        assert!(text.contains(part), "`{part}`: {text}");
    }
    // The same count is on the next day's page, on its day.
    face.world.pass(std::time::Duration::from_hours(24));
    assert_eq!(face.world.publish("open", &[testkit::indicator(4, 1, &[])]).stored, 1);
    let mut me = face.role(Role::Reviewer).await;
    let page = face.get(&mut me, "/").await.expect(200);
    page.has(&["2012-03-28: stored, 3", "2012-03-29: stored, 1"]).lacks(&["Nobody reported a hit"]);
    let rows = face.get(&mut me, "/?format=json").await.expect(200);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&rows.body).unwrap();
    assert_eq!((rows.len(), rows[0]["kind"].as_str()), (1, Some("doubt")));
}

#[tokio::test]
async fn a_thousand_members_make_small_pages() {
    let face = Face::new();
    for number in 0..1_000 {
        drop(
            face.world
                .member(&format!("Member {number:04} of the programme"), &["open", "programme", "cleared"]),
        );
    }
    let mut me = face.role(Role::Officer).await;
    for path in ["/", "/members", "/members?q=9", "/ledger", "/hits", "/programme", "/first-run"] {
        let begun = std::time::Instant::now();
        let page = face.get(&mut me, path).await.expect(200);
        eprintln!("{path} with a thousand members: {:?}, {} bytes", begun.elapsed(), page.body.len());
        assert!(page.body.len() < 100_000, "{path}: {} bytes", page.body.len());
    }
}
