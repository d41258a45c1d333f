//! The page of a member: the story of Symantec and Huawei, step by step.

use std::time::Duration;

use exchange::Import;
use model::{Caller, Member, MemberId, Principal, Role, Timestamp};

use crate::{Browser, Face};

/// The hub's day, on which all of the story is known.
const TODAY: &str = "2012-04-04";

/// A hub on which the whole story is known, and Symantec with it. The test hub's clock begins in March 2012.
pub(crate) fn symantec(face: &Face) -> (Member, Caller) {
    let (member, caller) = face.world.member("Symantec", &["open", "programme", "cleared"]);
    let programme = face.world.exchange.programme();
    let case = programme.vetting_cases().iter().find(|file| file.file == "cases/symantec.toml").unwrap();
    let end = |statement: &&ties::Statement| matches!(statement.said, ties::Said::End(_));
    let (ends, begun): (Vec<_>, Vec<_>) = case.statements.iter().partition(end);
    import(face, begun.into_iter().cloned().collect());
    face.world.exchange.bind_entity(&face.world.operator, &member.id, &"symantec".parse().unwrap()).unwrap();
    face.world.pass(Duration::from_hours(24 * 7));
    import(face, ends.into_iter().cloned().collect());
    (member, caller)
}

fn import(face: &Face, statements: Vec<ties::Statement>) {
    let import = Import { subject: "a test".to_owned(), statements, ..Import::default() };
    let imported = face.world.exchange.import(&face.world.operator, import).unwrap();
    assert_eq!(imported.refused, []);
}

async fn at(face: &Face, me: &mut Browser, member: &MemberId, as_of: &str, known: &str) -> crate::Answer {
    face.get(me, &format!("/members/{member}?tier=cleared&as_of={as_of}&known={known}")).await.expect(200)
}

#[tokio::test]
async fn the_story_is_told_at_each_place_of_the_clocks() {
    let face = Face::new();
    let (member, _) = symantec(&face);
    let mut me = face.role(Role::Officer).await;
    let now = TODAY;
    let cases = [
        (
            "2008-03-01",
            "the rules suspend Symantec on cleared because it co-owns Huawei Symantec Technologies (49 %) with Huawei (51 %), a party of concern since 2007-05-01",
        ),
        (
            "2011-11-15",
            "the rules suspend Symantec on cleared because it co-owns Huawei Symantec Technologies (49 %) with Huawei (51 %)",
        ),
        (
            "2012-03-31",
            "the rules let Symantec only with conditions onto the list of cleared because it licenses",
        ),
        ("2007-12-31", "the rules want a person to look at Symantec on cleared because"),
    ];
    for (day, wanted) in cases {
        let page = at(&face, &mut me, &member.id, day, now).await;
        let text = page.text();
        assert!(text.contains(wanted), "{day}: {text}");
        assert!(text.contains(&format!("On {day}, as known on {now}, the rules")), "{text}");
    }
    // Before the closing was known, it was not so: the other clock.
    let before = at(&face, &mut me, &member.id, "2012-03-31", "2012-03-29").await;
    assert!(
        before.text().contains("the rules suspend Symantec on cleared because it co-owns"),
        "{}",
        before.text()
    );
}

#[tokio::test]
async fn the_picture_the_table_and_the_file_tell_the_same_ties() {
    let face = Face::new();
    let (member, _) = symantec(&face);
    let mut me = face.role(Role::Overseer).await;
    let page = at(&face, &mut me, &member.id, "2008-03-01", TODAY).await;
    let picture = page.body.split_once("<svg").unwrap().1.split_once("</svg>").unwrap().0.to_owned();
    for text in [
        "Symantec",
        "Huawei",
        "of concern since 2007-05-01",
        "49 %",
        "51 %",
        "<title id=\"ties-picture-title\">Ties of Symantec",
    ] {
        assert!(picture.contains(text), "`{text}` is not drawn: {picture}");
    }
    assert!(picture.contains("holding matters"), "what the decision rests on is in front: {picture}");
    let file = format!("/members/{}?tier=cleared&as_of=2008-03-01&known={}&format=json", member.id, TODAY);
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&face.get(&mut me, &file).await.expect(200).body).unwrap();
    let table = page.body.split_once("The same ties as a table").unwrap().1;
    for row in &rows {
        assert!(table.contains(&format!("name=\"end\" value=\"{}\"", row["tie"].as_str().unwrap())), "{row}");
    }
    let stake = rows.iter().find(|row| row["tie"] == "stake-symantec").unwrap();
    assert_eq!((stake["says"].as_str(), stake["matters"].as_bool()), (Some("holds 49 %"), Some(true)));
    page.has(&["href=\"/ties/at/stake-symantec\"", "aria-label=\"As if ended: Symantec holds 49 %"]);
    face.get(&mut me, "/ties/at/stake-symantec").await.expect(200).has(&[
        "Reuters, 2011-11-14",
        "it ended",
        "2012-03-30",
    ]);
}

#[tokio::test]
async fn what_if_shows_the_decision_and_records_nothing() {
    let face = Face::new();
    let (member, _) = symantec(&face);
    let mut me = face.role(Role::Officer).await;
    let statements = face.world.exchange.statements(&face.world.operator, 0, 10_000).unwrap().len();
    let page = at(&face, &mut me, &member.id, "2008-03-01", TODAY).await;
    assert!(page.text().contains("What would help"), "{}", page.text());
    let remedy = page.body.split_once("id=\"remedies\"").unwrap().1;
    let link = remedy
        .split_once("href=\"")
        .unwrap()
        .1
        .split('"')
        .next()
        .unwrap()
        .replace("&#38;", "&")
        .replace("&amp;", "&");
    assert!(link.contains("end=stake-symantec"), "{link}");
    let would = face.get(&mut me, link.split('#').next().unwrap()).await.expect(200);
    let text = would.text();
    assert!(text.contains("Symantec would be listable only with conditions on cleared condition , where the rules now say suspend"), "{text}");
    assert!(text.contains("Nobody else would move."), "{text}");
    assert_eq!(face.world.exchange.statements(&face.world.operator, 0, 10_000).unwrap().len(), statements);
}

#[tokio::test]
async fn a_member_sees_its_own_reasons_and_nothing_around_them() {
    let face = Face::new();
    let (member, _) = symantec(&face);
    let mut me = face.sign_in(Principal::Member(member.id.clone())).await;
    let page = at(&face, &mut me, &member.id, "2008-03-01", TODAY).await;
    let text = page.text();
    assert!(text.contains("the rules suspend Symantec on cleared because"), "{text}");
    page.has(&["<svg", "The same ties as a table"]).lacks(&[
        "href=\"/ties/",
        "name=\"from\"",
        "Take the step",
        "Recorded decisions",
        "stake-huawei-2012",
    ]);
    face.get(&mut me, "/ties/at/stake-symantec").await.expect(403);
}

#[tokio::test]
async fn an_end_that_one_is_not_shown_is_left_out_and_told() {
    let face = Face::new();
    let (member, _) = symantec(&face);
    let mut me = face.sign_in(Principal::Member(member.id.clone())).await;
    let query = "as_of=2008-03-01&end=stake-symantec";
    let page = format!("/members/{}", member.id);
    let shown = face.get(&mut me, &format!("{page}?tier=cleared&{query}")).await.expect(200);
    assert!(shown.text().contains("What would be"), "{}", shown.text());
    shown.lacks(&["Left out of"]);
    // The same link on another tier, and now; and what no member is shown, like what there is not.
    let elsewhere = face.get(&mut me, &format!("{page}?tier=open&end=stake-symantec")).await.expect(200);
    let text = elsewhere.text();
    assert!(text.contains("Left out of what if : stake-symantec. What you are shown on open"), "{text}");
    elsewhere.has(&[&format!("href=\"{page}?tier=open\">Without it</a>")]).lacks(&["What would be"]);
    let both = format!("{page}?tier=cleared&{query}&end=stake-huawei-2012&end=a%20b");
    let text = face.get(&mut me, &both).await.expect(200).text();
    assert!(text.contains("a b, stake-huawei-2012."), "{text}");
    assert!(text.contains("What would be"), "what can be supposed still is: {text}");
    let mut officer = face.role(Role::Officer).await;
    let text = face.get(&mut officer, &format!("{page}?{query}&end=no-such")).await.expect(200).text();
    assert!(text.contains("no-such. Nothing was ever said of such a tie."), "{text}");
    assert!(text.contains("What would be"), "{text}");
}

#[tokio::test]
async fn a_recorded_decision_is_linked_as_it_was_made() {
    let face = Face::new();
    let (member, _) = symantec(&face);
    let mut me = face.role(Role::Officer).await;
    let page = face.get(&mut me, &format!("/members/{}?add=huawei+holds+60%25+symantec", member.id)).await;
    let record = page.expect(200).body.split_once("Recorded decisions").unwrap().1.to_owned();
    let links: Vec<String> = record
        .split("<th scope=\"row\"><a href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&"))
        .collect();
    assert!(!links.is_empty());
    for link in &links {
        assert!(!link.contains("add=") && !link.contains("remedies="), "{link}");
        // To the instant, since one day may have several.
        let known = link.split("known=").nth(1).unwrap().split('&').next().unwrap();
        assert!(known.contains('T'), "{link}");
        let shown = face.get(&mut me, link).await.expect(200).lacks(&["What would be"]);
        // Sent on by the form, it stays at that instant.
        shown.has(&[&format!("name=\"known\" value=\"{known}\"")]);
    }
}

#[tokio::test]
async fn a_member_reads_its_picture_as_names_and_shares_and_as_a_table() {
    let face = Face::new();
    let (member, _) = symantec(&face);
    let mut me = face.sign_in(Principal::Member(member.id.clone())).await;
    let page = at(&face, &mut me, &member.id, "2008-03-01", TODAY).await;
    let picture = page.body.split_once("<svg").unwrap().1.split_once("</svg>").unwrap().0;
    for text in ["Huawei Symantec Technologies", "49 %", "51 %", "licenses"] {
        assert!(picture.contains(text), "`{text}` is not drawn: {picture}");
    }
    assert!(!picture.contains(">huawei<"), "nobody is called by an identifier: {picture}");
    // One line for each pair, whatever ties it has.
    let paths = picture.split("<path d=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let lines: Vec<&str> = paths.filter(|path| path.contains(" C")).collect();
    let distinct: std::collections::BTreeSet<&&str> = lines.iter().collect();
    assert_eq!(lines.len(), distinct.len(), "two lines lie on each other: {lines:?}");
    let file = format!("/members/{}?tier=cleared&as_of=2008-03-01&known={TODAY}&format=json", member.id);
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&face.get(&mut me, &file).await.expect(200).body).unwrap();
    let table = page.body.split_once("The same ties as a table").unwrap().1;
    assert!(rows.iter().any(|row| row["tie"] == "stake-symantec" && row["says"] == "holds 49 %"), "{rows:?}");
    for row in &rows {
        assert!(table.contains(&format!("name=\"end\" value=\"{}\"", row["tie"].as_str().unwrap())), "{row}");
    }
}

#[tokio::test]
async fn an_attestation_is_told_with_its_questions_and_what_changed_in_its_lists() {
    let face = Face::new();
    let (member, caller) = symantec(&face);
    let programme = face.world.exchange.programme();
    let questions = &programme.questionnaire().unwrap().questions;
    let attest = |list: &[&str]| {
        let answer = |question: &programme::Question| {
            let yes = question.id == questions[0].id;
            let list = if yes { list.iter().map(|&one| one.to_owned()).collect() } else { Vec::new() };
            (question.id.clone(), exchange::Answer { yes, list })
        };
        let answers = questions.iter().map(answer).collect();
        face.world.exchange.attest(&caller, "Ann Officer", answers).unwrap();
    };
    attest(&["Good Venture Ltd", "Old Venture Ltd"]);
    attest(&["Bad Venture with Huawei Ltd", "Old Venture Ltd"]);
    let mut me = face.role(Role::Overseer).await;
    let page = face.get(&mut me, &format!("/members/{}", member.id)).await.expect(200);
    let text = page.text();
    let change = "yes: Good Venture Ltd → yes: Bad Venture with Huawei Ltd";
    assert!(text.contains(change), "{text}");
    assert!(text.contains(&questions[0].text), "{text}");
    assert!(text.contains("yes: Bad Venture with Huawei Ltd; Old Venture Ltd"), "all of the last: {text}");
    let file = format!("/members/{}?table=attestations&format=json", member.id);
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&face.get(&mut me, &file).await.expect(200).body).unwrap();
    assert_eq!(rows.len(), 2 * questions.len());
    assert_eq!(rows.iter().filter(|row| row["changed"] == true).count(), 1);
}

#[tokio::test]
async fn two_officers_take_it_back_and_each_is_told_what_is_missing() {
    let face = Face::with_quorum();
    let (member, _) = symantec(&face);
    let (mut one, mut two) = (face.role(Role::Officer).await, face.role(Role::Officer).await);
    let page = format!("/members/{}?tier=cleared", member.id);
    let shown = face.get(&mut one, &page).await.expect(200);
    assert!(
        shown.text().contains("is suspended on cleared, and listed with conditions is proposed since"),
        "{}",
        shown.text()
    );
    let standing = format!("/members/{}/standing", member.id);
    let step = [
        ("tier", "cleared"),
        ("to", "listed-with-conditions"),
        ("reason", "the sale has closed"),
        ("back", page.as_str()),
    ];
    face.post(&mut one, &standing, &step).await.expect(303);
    face.get(&mut one, &page)
        .await
        .expect(200)
        .has(&["1 of 2 agreed; another person has to", "You agreed already"]);
    face.post(&mut one, &standing, &step).await.expect(303);
    face.get(&mut one, &page).await.expect(200).has(&["role=\"alert\"", "You agreed to this step already"]);
    face.get(&mut two, &page).await.expect(200).has(&["<button>Agree</button>"]);
    let sent = face.post(&mut two, &standing, &step).await.expect(303);
    assert_eq!(sent.header("location"), page);
    let done = face.get(&mut two, &page).await.expect(200);
    assert!(
        done.text().contains("Symantec is listed with conditions on cleared because it licenses"),
        "{}",
        done.text()
    );
    face.post(&mut two, &standing, &[("tier", "cleared"), ("to", "applicant"), ("reason", "x")])
        .await
        .expect(303);
    face.get(&mut two, &page).await.expect(200).has(&["role=\"alert\"", "cannot become applicant"]);
}

#[tokio::test]
async fn what_is_asked_for_in_the_wrong_form_is_said() {
    let face = Face::new();
    let (member, _) = symantec(&face);
    let mut me = face.role(Role::Officer).await;
    for query in ["as_of=yesterday", "known=2012", "tier=a/b"] {
        face.get(&mut me, &format!("/members/{}?{query}", member.id)).await.expect(400);
    }
    face.get(&mut me, &format!("/members/{}?tier=secret", member.id)).await.expect(404);
    let future: Timestamp = "2999-01-01T00:00:00Z".parse().unwrap();
    assert!(face.world.exchange.now() < future);
    let page = at(&face, &mut me, &member.id, "2008-03-01", "2999-01-01").await;
    assert!(!page.text().contains("as known on 2999"), "nobody knows what is not recorded yet");
}

/// That `from` holds so much of `to`.
pub(crate) fn stake(from: &str, to: &str, percent: &str) -> ties::Statement {
    let kind = serde_json::json!({"holds": {"votes": percent, "money": percent}});
    let tie = serde_json::json!({"id": format!("{from}-{to}"), "from": from, "to": to, "kind": kind});
    let said = serde_json::json!({"tie": tie});
    serde_json::from_value(serde_json::json!({
        "id": format!("s-{from}-{to}"), "said": said, "source": {"document": "a test"}, "recorded": "2012-01-01T00:00:00Z"
    }))
    .unwrap()
}

#[tokio::test]
async fn many_ties_are_folded_and_the_page_stays_small() {
    let face = Face::new();
    let mut me = face.role(Role::Officer).await;
    for count in [300, 6_000] {
        let (member, _) = face.world.member("Acme", &["cleared"]);
        let name = format!("acme-{count}");
        let mut statements: Vec<_> =
            (0..count).map(|number| stake(&format!("holder-{number}"), &name, "0.01%")).collect();
        statements.push(stake(&name, &format!("below-{count}"), "60%"));
        import(&face, statements);
        face.world.exchange.bind_entity(&face.world.operator, &member.id, &name.parse().unwrap()).unwrap();
        let begun = std::time::Instant::now();
        let page = face.get(&mut me, &format!("/members/{}", member.id)).await.expect(200);
        eprintln!("a page of {count} ties: {:?}, {} bytes", begun.elapsed(), page.body.len());
        assert!(page.body.len() < 100_000, "{} bytes", page.body.len());
        assert!(page.body.matches("<rect").count() <= 60, "what is not read is folded");
        let page = page.has(&[
            "more are put together, and open by a click",
            "more</text>",
            &format!("below-{count}"),
        ]);
        assert_eq!(
            page.body.contains("Look longer"),
            count > 500,
            "remedies of so many are looked for when asked"
        );
        let file = face.get(&mut me, &format!("/members/{}?format=json", member.id)).await.expect(200);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&file.body).unwrap();
        let told = if count > 5_000 { 3_750 } else { count + 1 };
        assert_eq!(rows.len(), told, "the file has all that is looked at");
        assert_eq!(page.body.contains("There is more around it"), count > 5_000);
    }
}

#[tokio::test]
async fn a_tie_that_is_supposed_shows_whom_it_would_move() {
    let face = Face::new();
    let (symantec, _) = symantec(&face);
    let (beta, _) = face.world.member("Beta", &["open", "cleared"]);
    face.world.exchange.bind_entity(&face.world.operator, &beta.id, &"beta".parse().unwrap()).unwrap();
    let mut me = face.role(Role::Overseer).await;
    let statements = face.world.exchange.statements(&face.world.operator, 0, 10_000).unwrap().len();
    let page = format!("/members/{}", beta.id);
    face.get(&mut me, &page).await.expect(200).has(&["name=\"from\"", "<button>What if?</button>"]);
    // What is filled in becomes a link that can be sent to somebody; a name that one alone has is enough.
    let form = format!("{page}?tier=cleared&from=HUAWEI&kind=holds&share=60&to=beta&since=2012-01-01");
    let sent = face.get(&mut me, &form).await.expect(303);
    let to = sent.header("location").to_owned();
    assert!(to.contains("add=huawei%20holds%2060%20beta%20since%202012-01-01"), "{to}");
    let to = to.split('#').next().unwrap().to_owned();
    let would = face.get(&mut me, &to).await.expect(200);
    let text = would.text();
    assert!(text.contains("begun: huawei holds 60 % beta (since 2012-01-01)"), "{text}");
    assert!(text.contains("Beta would be barred on cleared"), "{text}");
    assert!(text.contains("Nobody else would move."), "{text}");
    would.has(&["type=\"checkbox\" name=\"add\" value=\"huawei holds 60 beta since 2012-01-01\" checked"]);
    // What is supposed of somebody else moves that one.
    let other = format!("{page}?tier=cleared&add=huawei+holds+60%25+symantec");
    let would = face.get(&mut me, &other).await.expect(200);
    would.has(&[&format!("href=\"/members/{}?tier=cleared\">Symantec</a>", symantec.id)]);
    let file = face.get(&mut me, &format!("{other}&table=others&format=json")).await.expect(200);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&file.body).unwrap();
    assert!(rows.iter().any(|row| row["name"] == "Symantec" && row["tier"] == "cleared"), "{rows:?}");
    // Before it began, it is not so.
    let before = face.get(&mut me, &format!("{to}&as_of=2011-12-31")).await.expect(200);
    assert!(!before.text().contains("Beta would be barred"), "{}", before.text());
    for (query, why) in [
        ("from=huawei&kind=holds", "needs somebody to whom"),
        ("from=Nobody+of+all&kind=holds&to=beta", "obody is called"),
        ("from=huawei&kind=holds&share=much&to=beta", "is no percentage"),
        ("add=huawei", "is no tie"),
    ] {
        let told = face.get(&mut me, &format!("{page}?{query}")).await.expect(400);
        assert!(told.text().contains(why), "{query}: {}", told.text());
    }
    assert_eq!(face.world.exchange.statements(&face.world.operator, 0, 10_000).unwrap().len(), statements);
    // A member is asked nothing that would tell it of others.
    let mut own = face.sign_in(Principal::Member(beta.id.clone())).await;
    face.get(&mut own, &page).await.expect(200).lacks(&["name=\"from\""]);
    face.get(&mut own, &format!("{page}?add=huawei+holds+60%25+beta")).await.expect(403);
    face.get(&mut own, &format!("{page}?from=Huawei&kind=holds&to=beta")).await.expect(403);
}

#[tokio::test]
async fn what_would_move_is_what_then_moves() {
    let face = Face::new();
    let (_, _) = symantec(&face);
    let (beta, _) = face.world.member("Beta", &["open", "cleared"]);
    let exchange = &face.world.exchange;
    exchange.bind_entity(&face.world.operator, &beta.id, &"beta".parse().unwrap()).unwrap();
    let add = vec![registers::plain::suppose("huawei holds 60% beta", 1, exchange.now()).unwrap()];
    let question = exchange::Question { add: add.clone(), ..exchange::Question::default() };
    let would = exchange.would_move(&face.world.operator, &question).unwrap();
    assert!(!would.is_empty());
    assert_eq!(exchange.preview_ties(&face.world.operator, add.clone()).unwrap(), would);
    import(&face, add);
    for one in &would {
        let question = exchange::Question::default();
        let (decision, _) = exchange.vet(&face.world.operator, &one.entity, &one.tier, &question).unwrap();
        assert_eq!(decision.grade, one.to, "{one:?}");
    }
    let nothing = exchange.would_move(&face.world.operator, &exchange::Question::default()).unwrap();
    assert_eq!(nothing, []);
    // Ending it again takes them back.
    let end =
        exchange::Question { end: ["what-if:1".parse().unwrap()].into(), ..exchange::Question::default() };
    let back = exchange.would_move(&face.world.operator, &end).unwrap();
    let turned: Vec<_> = back.iter().map(|one| (&one.entity, &one.tier, one.to, one.from)).collect();
    assert_eq!(
        turned,
        would.iter().map(|one| (&one.entity, &one.tier, one.from, one.to)).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn an_instrument_is_signed_and_ends_and_what_was_handed_out_is_listed() {
    let face = Face::new();
    let (member, caller) = symantec(&face);
    let mut me = face.role(Role::Officer).await;
    let page = format!("/members/{}", member.id);
    face.get(&mut me, &page).await.expect(200).has(&["An instrument was signed", "None was signed."]);
    let programme = face.world.exchange.programme();
    let kind = programme.instruments()[0].kind.as_str();
    let (sign, end) = (format!("{page}/instrument"), format!("{page}/instrument/end"));
    let fields =
        [("instrument", "agreement-1"), ("kind", kind), ("from", "2012-04-01"), ("covers", "no-such-tie")];
    face.post(&mut me, &sign, &fields).await.expect(303);
    face.get(&mut me, &page).await.expect(200).has(&["role=\"alert\"", "here is no tie"]);
    face.post(&mut me, &sign, &fields[..3]).await.expect(303);
    let shown = face.get(&mut me, &page).await.expect(200);
    shown.has(&["role=\"status\"", "agreement-1", "Record its end"]);
    face.post(&mut me, &end, &[("instrument", "agreement-1"), ("on", "2012-04-03")]).await.expect(303);
    let shown = face.get(&mut me, &page).await.expect(200).lacks(&["Record its end"]);
    assert!(shown.text().contains("2012-04-01 to 2012-04-03"), "{}", shown.text());
    let holds = format!("{page}/holds");
    face.get(&mut me, &holds).await.expect(200).has(&["Nothing was handed to it"]);
    drop(face.world.publish("open", &[testkit::indicator(1, 1, &[])]));
    face.world.exchange.objects(&caller, "open", &taxii::ObjectFilter::default()).unwrap();
    face.get(&mut me, &holds).await.expect(200).has(&[&testkit::indicator_id(1), "/ledger/entries/"]);
    let csv = face.get(&mut me, &format!("{holds}?format=csv")).await.expect(200);
    // The indicator, and the notice of a suspension before.
    assert_eq!(csv.body.lines().count(), 3, "{}", csv.body);
    assert!(csv.body.lines().skip(1).all(|line| line.contains("\"open\"")), "{}", csv.body);
    let mut own = face.sign_in(Principal::Member(member.id.clone())).await;
    face.get(&mut own, &holds).await.expect(200).lacks(&["href=\"/content/"]);
    let (other, _) = face.world.member("Other", &["open"]);
    face.get(&mut own, &format!("/members/{}/holds", other.id)).await.expect(404);
    face.post(&mut own, &sign, &fields[..3]).await.expect(403);
}
