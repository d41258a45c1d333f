//! Serves the console over a hub in memory on which the story of Symantec and Huawei happened, for a look at the pages
//! while one works on them, and for the browser tests:
//!
//! ```text
//! cargo run -p console --example story
//! RINGFENCE=target/debug/examples/story node e2e/console/run.mjs
//! ```
//!
//! It prints one line of JSON, as `ringfence --json demo` does at its end: the address, and links that sign in once.

#![expect(clippy::unwrap_used, reason = "an example that cannot be set up ends")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use console::{Console, ConsoleOptions, router};
use exchange::{Import, NewCredential};
use model::{Action, Caller, Member, Principal, Role, Standing, Timestamp};
use testkit::{Chance, World};
use tokio::net::TcpListener;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let world = World::over(Arc::new(store::MemoryStore::new()), &programme(), 1);
    let symantec = tell(&world);
    let chance = Mutex::new(Chance(7));
    let random = Arc::new(move |bytes: &mut [u8]| {
        let mut chance = chance.lock().unwrap();
        for byte in bytes {
            *byte = u8::try_from(chance.below(256)).unwrap();
        }
    });
    let console = Console::new(world.exchange.clone(), ConsoleOptions::new(random));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let page = format!("/members/{}?tier=cleared&as_of=2008-03-01", symantec.id);
    let whom = [
        ("an officer", Principal::Role(Role::Officer)),
        ("another officer", Principal::Role(Role::Officer)),
        ("an overseer", Principal::Role(Role::Overseer)),
        ("Symantec itself", Principal::Member(symantec.id.clone())),
    ];
    let links: Vec<_> = whom
        .map(|(who, principal)| {
            let link = console.link_once(caller(&world, principal), &page);
            serde_json::json!({"who": who, "link": format!("{url}{link}")})
        })
        .into();
    println!("{}", serde_json::json!({"url": url, "console": links}));
    axum::serve(listener, router(&console)).await.unwrap();
}

/// The template, with questionnaires that are due every twenty years, as in the demo.
fn programme() -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut files = programme::template();
    let text = String::from_utf8(files.remove("programme.toml").unwrap()).unwrap();
    let text = text.replace("attestation_days = 365", "attestation_days = 7300");
    files.insert("programme.toml".to_owned(), text.into_bytes());
    files
}

fn caller(world: &World, principal: Principal) -> Caller {
    let new = NewCredential {
        principal,
        login: None,
        actions: [Action::Read, Action::Administer].into(),
        collections: None,
        expires: None,
        note: String::new(),
        person: None,
        password: None,
    };
    let record = world.exchange.issue_credential(&world.operator, new).unwrap().record;
    Caller {
        principal: record.principal,
        credential: record.id,
        actions: record.actions,
        collections: record.collections,
    }
}

/// The story: suspended by the venture, taken back with conditions by two officers, listed when the royalties end.
fn tell(world: &World) -> Member {
    let tiers = ["open", "programme", "cleared"];
    let (symantec, _) = world.member("Symantec", &tiers);
    let (castellan, _) = world.member("Castellan Mail", &tiers);
    let (northlight, _) = world.member("Northlight Networks", &["open", "programme"]);
    let programme = world.exchange.programme();
    let case = programme.vetting_cases().iter().find(|file| file.file == "cases/symantec.toml").unwrap();
    let is_end = |statement: &&ties::Statement| matches!(statement.said, ties::Said::End(_));
    let (ends, begun): (Vec<_>, Vec<_>) = case.statements.iter().partition(is_end);
    let import = |statements: Vec<&ties::Statement>| {
        let statements = statements.into_iter().cloned().collect();
        let import = Import { subject: "the story".to_owned(), statements, ..Import::default() };
        world.exchange.import(&world.operator, import).unwrap();
    };
    import(begun);
    world.exchange.bind_entity(&world.operator, &symantec.id, &"symantec".parse().unwrap()).unwrap();
    world.pass(Duration::from_hours(24 * 7));
    import(ends);
    for officer in [0, 1].map(|_| caller(world, Principal::Role(Role::Officer))) {
        let (tier, to) = ("cleared".parse().unwrap(), Standing::ListedWithConditions);
        world.exchange.set_standing(&officer, &symantec.id, &tier, to, "the sale has closed").unwrap();
    }
    a_month(world, &[castellan, northlight, symantec.clone()]);
    let now: Timestamp = "2019-04-01T09:00:00Z".parse().unwrap();
    world.clock.set(now);
    world.exchange.tend().unwrap();
    symantec
}

/// A month of a hub that runs: indicators come, guards meet them and report, one falls silent and one lets go, something is
/// handed in and something is doubted.
fn a_month(world: &World, members: &[Member]) {
    let begin: Timestamp = "2019-03-05T09:00:00Z".parse().unwrap();
    let guards: Vec<Caller> =
        members.iter().map(|member| caller(world, Principal::Member(member.id.clone()))).collect();
    let words = [("sinkhole", 3), ("quarantine", 5), ("flow", 7)];
    let mut fact = 0_u64;
    for day in 0..27_u64 {
        let now = begin + Duration::from_hours(24 * day);
        world.clock.set(now);
        let fresh: Vec<Vec<u8>> =
            (0..day * 7 % 11 + 2).map(|n| testkit::indicator(1_000 + day * 100 + n, 1, &[])).collect();
        assert_eq!(world.publish("open", &fresh).stored, fresh.len());
        let hour = format!("{}:00:00Z", now.to_string().get(..13).unwrap());
        // Castellan's is heard to the end, Northlight's until the last morning but one, Symantec's for ten days.
        for (number, guard) in
            (0_u64..).zip(&guards).filter(|(number, _)| day < [27, 27, 10][usize::try_from(*number).unwrap()])
        {
            world.exchange.hear_guard(guard, "0.1.0");
            let met = words.iter().filter(|(_, every)| (day + number) % every == 0);
            let sightings: Vec<serde_json::Value> = met
                .map(|(word, every)| {
                    fact += 1;
                    let count = [100, 10, 10, 5, 2][usize::try_from((day + every) % 5).unwrap()];
                    serde_json::json!({
                        "type": "sighting", "spec_version": "2.1",
                        "id": format!("sighting--00000000-0000-4000-8000-{fact:012x}"),
                        "created": hour, "modified": hour, "first_seen": hour, "last_seen": hour,
                        "count": count,
                        "sighting_of_ref": testkit::indicator_id(1_000 + day * 100),
                        "extensions": { exchange::OCCURRENCE_EXTENSION: {
                            "extension_type": "property-extension", "countermeasure": word, "action": "enforced",
                        }},
                    })
                })
                .collect();
            world.exchange.report_occurrences(guard, &sightings).unwrap();
        }
    }
    let (castellan, northlight) = (&guards[0], &guards[1]);
    world
        .exchange
        .report_false_positive(northlight, &testkit::indicator_id(1_000), "our own resolver")
        .unwrap();
    world.clock.set("2019-04-01T06:30:00Z".parse().unwrap());
    world.exchange.hear_guard(northlight, "0.1.0");
    world.clock.set("2019-04-01T08:59:40Z".parse().unwrap());
    world.exchange.hear_guard(castellan, "0.1.1");
}
