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

/// A programme's folder as an archive.
fn packed(files: &std::collections::BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, format!("jcsp/{name}"), content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The running programme with every rule that suspends made one that bars.
fn harsher(face: &Face) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut files = face.world.exchange.programme().files().clone();
    for (_, content) in files.iter_mut().filter(|(name, _)| name.starts_with("rules/")) {
        let text = String::from_utf8(content.clone()).unwrap();
        *content = text.replace("@grade(\"suspend\")", "@grade(\"bar\")").into_bytes();
    }
    files
}

/// A member that the rules suspend.
fn suspended(face: &Face) -> model::Member {
    let (member, _) = face.world.member("Beta", &["open", "cleared"]);
    let exchange = &face.world.exchange;
    let programme = exchange.programme();
    let case = programme.vetting_cases().iter().find(|file| file.file == "cases/symantec.toml").unwrap();
    // Before it sold its part of the venture.
    let begun = case.statements.iter().filter(|one| !matches!(one.said, ties::Said::End(_)));
    exchange.import_ties(&face.world.operator, begun.cloned().collect(), "a test").unwrap();
    exchange.bind_entity(&face.world.operator, &member.id, &"symantec".parse().unwrap()).unwrap();
    member
}

#[tokio::test]
async fn a_folder_that_is_not_in_force_is_compared_with_the_one_that_is() {
    let face = Face::new();
    let member = suspended(&face);
    let mut me = face.role(Role::Officer).await;
    let digest = face.world.exchange.programme().digest().to_owned();
    face.get(&mut me, "/programme/compare").await.expect(200).has(&["enctype=\"multipart/form-data\""]);
    let archive = packed(&harsher(&face));
    let sent = face.post_file(&mut me, "/programme/compare", "jcsp.tar", &archive, &[]).await.expect(303);
    let to = sent.header("location").to_owned();
    let page = face.get(&mut me, &to).await.expect(200);
    let text = page.text();
    assert!(text.contains("other than before; 1 member would move"), "{text}");
    page.has(&[
        &format!("href=\"/members/{}?tier=cleared\">Beta</a>", member.id),
        "<del>suspend</del> <ins>bar</ins>",
        "class=\"came\">+ ",
        "some fail",
    ]);
    for table in ["moves", "releases", "rules"] {
        face.get(&mut me, &format!("{to}&table={table}&format=csv")).await.expect(200);
    }
    let rows = face.get(&mut me, &format!("{to}&table=moves&format=json")).await.expect(200);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&rows.body).unwrap();
    assert!(rows.iter().all(|row| row["from"] == "suspend" && row["to"] == "bar"), "{rows:?}");
    assert_eq!(face.world.exchange.programme().digest(), digest, "looking puts nothing in force");
    // It is for whoever sent it, and what is no programme says where and why.
    let mut other = face.role(Role::Officer).await;
    face.get(&mut other, &to).await.expect(410);
    let mut broken = harsher(&face);
    broken.insert("rules/misspelt.txt".to_owned(), b"x".to_vec());
    let sent =
        face.post_file(&mut me, "/programme/compare", "x.tar", &packed(&broken), &[]).await.expect(303);
    let faulty = sent.header("location").to_owned();
    face.get(&mut me, &faulty).await.expect(200).has(&["rules/misspelt.txt", "is no part of a programme"]);
    face.post_file(&mut me, "/programme/compare", "x.tar", b"no archive", &[]).await.expect(422);
    face.get(&mut me, "/programme/compare?from=00").await.expect(404);
    face.get(&mut me, "/programme/compare?to=folder").await.expect(404);
    let mut overseer = face.role(Role::Overseer).await;
    face.get(&mut overseer, "/programme/compare").await.expect(200).lacks(&["enctype"]);
    face.post_file(&mut overseer, "/programme/compare", "x.tar", &archive, &[]).await.expect(415);
}

#[tokio::test]
async fn versions_that_were_in_force_are_kept_and_compared() {
    let face = Face::new();
    suspended(&face);
    let exchange = &face.world.exchange;
    let before = exchange.programme();
    let after = std::sync::Arc::new(programme::Programme::from_files(&harsher(&face)).unwrap());
    exchange.put_in_force(&after, "a test").unwrap();
    let mut me = face.role(Role::Overseer).await;
    let link = format!("/programme/compare?from={}", before.digest());
    face.get(&mut me, "/programme").await.expect(200).has(&[&format!("href=\"{link}\"")]);
    let page = face.get(&mut me, &link).await.expect(200);
    assert!(page.text().contains("1 member would move"), "{}", page.text());
    let same = format!("/programme/compare?from={}&to={}", before.digest(), before.digest());
    face.get(&mut me, &same).await.expect(200).has(&["They are one version"]);
    // A reviewer does not audit the ledger, so it is offered no versions; who knows the digest may read the rules.
    let mut reviewer = face.role(Role::Reviewer).await;
    face.get(&mut reviewer, &link).await.expect(200);
    let (member, _) = face.world.member("Acme", &["open"]);
    let mut own = face.sign_in(Principal::Member(member.id)).await;
    face.get(&mut own, &link).await.expect(403);
}
