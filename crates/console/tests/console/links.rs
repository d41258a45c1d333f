//! Every link of every page leads somewhere, for whoever is shown it; and what a link's fragment names is there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use exchange::PublishOptions;
use model::{Principal, Role, Standing};

use crate::{Browser, Face, member};

/// How many links of one form are followed: the same path but for its numbers and ids, with the same names in its query.
const OF_A_FORM_MAX: usize = 5;

/// What the hub serves beside the console's pages.
const OF_THE_HUB: [&str; 3] = ["/ledger/checkpoint", "/api/", "/taxii2/"];

/// The form of a link.
fn form(link: &str) -> String {
    let (path, query) = link.split_once('?').unwrap_or((link, ""));
    let parts = path.split('/').map(|part| {
        let is_id =
            part.contains(':') || part.contains("--") || part.bytes().any(|byte| byte.is_ascii_digit());
        if is_id { "*" } else { part }
    });
    let names: BTreeSet<&str> =
        query.split('&').map(|pair| pair.split('=').next().unwrap_or_default()).collect();
    format!("{}?{}", parts.collect::<Vec<_>>().join("/"), names.into_iter().collect::<Vec<_>>().join("&"))
}

/// Where the links of a page lead.
fn links(body: &str) -> Vec<String> {
    let after = body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    after.map(|link| link.replace("&#38;", "&").replace("&amp;", "&")).collect()
}

/// Follows all links from some pages on, and says how many it followed.
async fn follow(face: &Face, who: &str, me: &mut Browser, begin: &[String]) -> usize {
    let mut waiting: VecDeque<(String, String)> =
        begin.iter().map(|path| ("the beginning".to_owned(), path.clone())).collect();
    let (mut seen, mut forms) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    let mut faults = BTreeSet::new();
    while let Some((from, link)) = waiting.pop_front() {
        let (path, fragment) = link.split_once('#').unwrap_or((&link, ""));
        if OF_THE_HUB.iter().any(|prefix| path.starts_with(prefix)) || !seen.insert(link.clone()) {
            continue;
        }
        let count = forms.entry(form(path)).or_default();
        *count += 1;
        if *count > OF_A_FORM_MAX {
            continue;
        }
        let answer = face.get(me, path).await;
        if answer.status.as_u16() >= 400 {
            faults.insert(format!("{who}: {from} links to {link}: {}", answer.status));
            continue;
        }
        if answer.status.is_redirection() {
            waiting.push_back((path.to_owned(), answer.header("location").to_owned()));
        }
        if !fragment.is_empty()
            && answer.status.is_success()
            && !answer.body.contains(&format!("id=\"{fragment}\""))
        {
            faults.insert(format!("{who}: {from} links to {link}: nothing there is called so"));
        }
        if answer.header("content-type").starts_with("text/html") {
            for next in links(&answer.body) {
                let next = if next.starts_with('#') { format!("{path}{next}") } else { next };
                assert!(next.starts_with('/'), "{path} links to {next}");
                waiting.push_back((path.to_owned(), next));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.into_iter().collect::<Vec<_>>().join("\n"));
    seen.len()
}

#[tokio::test]
async fn every_link_that_somebody_is_shown_leads_somewhere() {
    let face = Face::new();
    let (symantec, caller) = member::symantec(&face);
    let (beta, _) = face.world.member("Beta", &["open", "programme", "cleared"]);
    let (world, operator) = (&face.world, &face.world.operator);
    world.exchange.bind_entity(operator, &beta.id, &"huawei".parse().unwrap()).unwrap();
    let binding = world.exchange.member(operator, &beta.id).unwrap();
    let tiers = ["open", "programme", "cleared"].map(testkit::tier);
    // The rules have suspended it where they do so by themselves.
    for tier in tiers.into_iter().filter(|tier| binding.standing(tier) != Standing::Suspended) {
        world.exchange.set_standing(operator, &beta.id, &tier, Standing::Suspended, "a test").unwrap();
    }
    for collection in ["open", "cleared"] {
        drop(world.publish(collection, &[testkit::indicator(1, 1, &[testkit::TLP[1]])]));
    }
    let named = PublishOptions { audience: Some([symantec.id.clone()].into()), ..PublishOptions::default() };
    world
        .exchange
        .publish(operator, "open", testkit::envelope(&[testkit::indicator(2, 1, &[])]), named)
        .unwrap();
    world.exchange.report_false_positive(&caller, &testkit::indicator_id(1), "our own").unwrap();
    let own = |id: &model::MemberId| {
        let page = format!("/members/{id}?tier=cleared");
        vec![
            "/".to_owned(),
            "/me".to_owned(),
            format!("{page}&as_of=2008-03-01"),
            // As the link of a remedy, or of somebody who may see more, arrives.
            format!("{page}&as_of=2008-03-01&end=stake-symantec"),
            format!("{page}&end=no-such-tie&end=a%20b"),
        ]
    };
    for (who, id) in [("member", &symantec.id), ("suspended member", &beta.id)] {
        let mut me = face.sign_in(Principal::Member(id.clone())).await;
        let followed = follow(&face, who, &mut me, &own(id)).await;
        assert!(followed > 40, "{who}: {followed}");
    }
    for role in [Role::Operator, Role::Officer, Role::Reviewer, Role::Overseer] {
        let mut me = face.role(role).await;
        let mut begin = own(&symantec.id);
        begin.remove(1);
        begin.extend(own(&beta.id).drain(2..));
        begin.push(format!("/members/{}?add=huawei+holds+60%25+symantec&as_of=2012-04-01", symantec.id));
        begin.push(format!("/release/as/{}", symantec.id));
        begin.push(format!("/content/{}", testkit::indicator_id(2)));
        let followed = follow(&face, role.as_str(), &mut me, &begin).await;
        assert!(followed > 150, "{role}: {followed}");
    }
}
