//! No page, search, count, autocomplete or error of a member's portal tells what its TAXII view would not.
//!
//! Two hubs are alike, but on one of them much happens that the member may not know of: other members come, are suspended
//! and are handed things; content is published that is hidden from it, recalled, and hit; ties of others are recorded. Every
//! answer of the portal has to be the same on both, byte for byte. The ledger's head is public, so its page is looked at
//! apart: it may tell how many entries there are, and of them only the member's own.

use console::paths;
use exchange::{Import, PublishOptions, RecallAction};
use model::{Principal, Standing};

use crate::{Browser, Face};

pub(crate) struct Hub {
    pub(crate) face: Face,
    pub(crate) me: Browser,
    pub(crate) member: model::Member,
}

pub(crate) async fn hub() -> Hub {
    let face = Face::new();
    let (member, caller) = face.world.member("Acme", &["open", "programme"]);
    face.world.exchange.bind_entity(&face.world.operator, &member.id, &"acme".parse().unwrap()).unwrap();
    drop(face.world.publish("open", &[testkit::indicator(1, 1, &[testkit::TLP[1]])]));
    let filter = taxii::ObjectFilter::default();
    face.world.exchange.objects(&caller, "open", &filter).unwrap();
    let me = face.sign_in(Principal::Member(member.id.clone())).await;
    Hub { face, me, member }
}

/// What the member may not know of.
pub(crate) fn hidden(hub: &Hub) -> model::Member {
    let world = &hub.face.world;
    let (other, caller) = world.member("Hidden Member", &["open", "programme", "cleared"]);
    drop(world.publish("cleared", &[testkit::indicator(7, 1, &[testkit::TLP[4]])]));
    drop(world.publish("open", &[testkit::indicator(8, 1, &[testkit::TLP[4]])]));
    let named = PublishOptions { audience: Some([other.id.clone()].into()), ..PublishOptions::default() };
    let object = testkit::envelope(&[testkit::indicator(9, 1, &[testkit::TLP[1]])]);
    world.exchange.publish(&world.operator, "open", object, named).unwrap();
    world.exchange.objects(&caller, "cleared", &taxii::ObjectFilter::default()).unwrap();
    let programme = world.exchange.programme();
    let case = programme.vetting_cases().iter().find(|file| file.file == "cases/symantec.toml").unwrap();
    let import =
        Import { subject: "hidden".to_owned(), statements: case.statements.clone(), ..Import::default() };
    world.exchange.import(&world.operator, import).unwrap();
    world.exchange.bind_entity(&world.operator, &other.id, &"symantec".parse().unwrap()).unwrap();
    let recalled = testkit::indicator_id(8);
    world.exchange.recall(&world.operator, &recalled, RecallAction::Withdraw, "hidden").unwrap();
    let tier = testkit::tier("open");
    world.exchange.set_standing(&world.operator, &other.id, &tier, Standing::Suspended, "hidden").unwrap();
    other
}

/// Everything that the member can ask of the pages: its own, those of the programme, what is there and what is not.
fn questions(own: &str, other: &str) -> Vec<String> {
    let concrete = |path: &str, member: &str, object: u64| {
        path.replace("{member}", member)
            .replace("{object}", &testkit::indicator_id(object))
            .replace("{entity}", "huawei")
            .replace("{tie}", "stake-symantec")
            .replace(['{', '}'], "")
    };
    // The links that sign in once are drawn by chance, and the ledger is looked at apart.
    let all =
        paths().into_iter().filter(|path| !path.starts_with("/ledger") && !path.starts_with("/sign-in/once"));
    let mut questions = Vec::new();
    for path in all {
        questions.push(concrete(path, own, 1));
        questions.push(concrete(path, other, 7));
        questions.push(concrete(path, "member:00000000000000ff", 9));
        questions.push(format!("{}?format=json", concrete(path, own, 8)));
        questions.push(format!("{}?format=csv&q=hidden", concrete(path, other, 9)));
    }
    for query in [
        "tier=cleared",
        "tier=nothing",
        "as_of=2008-03-01&known=2012-03-28",
        "as_of=tomorrow",
        "tier=cleared&end=stake-symantec",
        "tier=cleared&end=no-such-tie",
        "add=huawei+holds+25%25+acme",
        "add=nobody+holds+25%25+acme",
        "from=Huawei&kind=holds&to=acme",
        "from=Nobody+At+All&kind=holds&to=acme",
        "from=symantec&kind=holds&to=acme",
        "remedies=long",
        "table=others&format=json",
        "table=decisions&format=json",
    ] {
        questions.push(format!("/members/{own}?{query}"));
    }
    for query in
        ["after=indicator--", "after=zzz", "q=hidden", "collection=cleared", "feed=cleared&download=yes"]
    {
        for page in ["/me/feed", "/me/contributions", "/me/credentials", "/me/guard", "/me/attestation"] {
            questions.push(format!("{page}?{query}"));
        }
    }
    questions
}

#[tokio::test]
async fn the_portal_is_the_same_whatever_is_hidden_from_its_member() {
    let (mut full, mut bare) = (hub().await, hub().await);
    assert_eq!(full.member.id, bare.member.id);
    let other = hidden(&full).id;
    let questions = questions(full.member.id.as_str(), other.as_str());
    assert!(questions.len() > 250, "{}", questions.len());
    for path in &questions {
        let with = full.face.get(&mut full.me, path).await;
        let without = bare.face.get(&mut bare.me, path).await;
        assert_eq!(with.status, without.status, "{path}");
        assert_eq!(with.body, without.body, "{path}");
        for name in ["location", "content-length", "content-type", "etag"] {
            assert_eq!(with.header(name), without.header(name), "{path}: {name}");
        }
    }
    let forms = [
        ("/me/appeals", vec![("tier", "cleared"), ("text", "it is not so")]),
        ("/me/appeals", vec![("tier", "nothing"), ("text", "it is not so")]),
        ("/me/attestation", vec![("officer", "Ann")]),
        ("/ties/matches/1", vec![("answer", "accept")]),
        ("/programme/compare", vec![]),
    ];
    for (path, fields) in &forms {
        let with = full.face.post(&mut full.me, path, fields).await;
        let without = bare.face.post(&mut bare.me, path, fields).await;
        assert_eq!((with.status, with.body), (without.status, without.body), "{path}");
    }
    for action in ["standing", "withdraw", "duty", "instrument", "entity"] {
        let fields = [("tier", "open"), ("to", "suspended"), ("reason", "r"), ("duty", "d"), ("text", "t")];
        let path = format!("/members/{other}/{action}");
        let with = full.face.post(&mut full.me, &path, &fields).await;
        let without = bare.face.post(&mut bare.me, &path, &fields).await;
        assert_eq!((with.status, with.body), (without.status, without.body), "{path}");
    }
}

#[tokio::test]
async fn the_ledger_tells_a_member_of_itself_only() {
    let mut hub = hub().await;
    let other = hidden(&hub);
    let size = hub.face.world.exchange.ledger_head().size;
    let mut told = 0;
    let mut queries = vec![String::new(), "?format=json".to_owned(), "?q=hidden".to_owned()];
    queries.push(format!("?member={}", other.id));
    queries.extend((0..size).map(|index| format!("/entries/{index}")));
    queries.extend((0..size).map(|index| format!("/entries/{index}/receipt")));
    for query in queries {
        let answer = hub.face.get(&mut hub.me, &format!("/ledger{query}")).await;
        told += usize::from(answer.status.is_success());
        let secrets = [other.id.as_str(), "Hidden Member", "symantec", &testkit::indicator_id(7)];
        for secret in secrets {
            // What was asked for stands in the page's form and links again.
            let is_asked = query.contains(secret);
            assert!(is_asked || !answer.body.contains(secret), "{query} tells of {secret}: {}", answer.body);
        }
    }
    assert!(told > 4, "its own entries are there: {told}");
}
