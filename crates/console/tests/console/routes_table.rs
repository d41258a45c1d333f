//! Every route, by both methods, as everybody who may come along: the whole table stands in `routes.txt`.

use std::fmt::Write as _;

use console::paths;
use model::{Principal, Role, Standing};

use crate::{Browser, Face};

/// The columns.
const WHO: [&str; 8] =
    ["nobody", "stranger", "member", "suspended", "operator", "officer", "reviewer", "overseer"];

/// One of those who come along, in a browser of their own.
async fn browser(face: &Face, who: &str, member: &model::MemberId, suspended: &model::MemberId) -> Browser {
    match who {
        "nobody" => Browser::default(),
        // Somebody whose credential was taken away since.
        "stranger" => {
            let me = face.role(Role::Officer).await;
            let credential = me.credential.clone().unwrap();
            face.world.exchange.revoke_credential(&face.world.operator, &credential).unwrap();
            me
        }
        "member" => face.sign_in(Principal::Member(member.clone())).await,
        "suspended" => face.sign_in(Principal::Member(suspended.clone())).await,
        role => face.role(role.parse().unwrap()).await,
    }
}

#[tokio::test]
async fn every_route_answers_everybody_as_the_table_says() {
    let face = Face::new();
    let (member, _) = face.world.member("Acme", &["open"]);
    let (suspended, _) = face.world.member("Beta", &["open", "programme", "cleared"]);
    for tier in ["open", "programme", "cleared"] {
        let tier = testkit::tier(tier);
        face.world
            .exchange
            .set_standing(&face.world.operator, &suspended.id, &tier, Standing::Suspended, "a test")
            .unwrap();
    }
    drop(face.world.publish("open", &[testkit::indicator(1, 1, &[])]));
    let mut table = String::from("method path");
    for who in WHO {
        write!(table, " {who}").unwrap();
    }
    for path in paths() {
        for method in ["GET", "POST"] {
            write!(table, "\n{method} {path}").unwrap();
            for who in WHO {
                // Members ask about themselves; that they are told nothing of others is a test of its own.
                let about = if who == "suspended" { &suspended.id } else { &member.id };
                let concrete = path
                    .replace("{member}", about.as_str())
                    .replace("{object}", &testkit::indicator_id(1))
                    .replace("{number}", "1")
                    .replace("{index}", "0")
                    .replace(['{', '}'], "");
                let mut me = browser(&face, who, &member.id, &suspended.id).await;
                let answer = match method {
                    "GET" => face.get(&mut me, &concrete).await,
                    _ => face.post(&mut me, &concrete, &[]).await,
                };
                // Whoever is sent to sign in is told apart from whoever is sent on.
                let to_sign_in = answer.header("location").starts_with("/sign-in");
                let status = answer.status.as_u16();
                if to_sign_in { write!(table, " in") } else { write!(table, " {status}") }.unwrap();
            }
        }
    }
    table.push('\n');
    let wanted = include_str!("routes.txt");
    assert!(table == wanted, "the routes answer otherwise than routes.txt says; they answer:\n{table}");
}
