//! Hard cases of vetting: very many statements, very long chains, ties of tomorrow, merges, overrides that end.

#![expect(clippy::unwrap_used, reason = "what cannot be set up or decided fails the test, as it should")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::{DutyOf, Proposal, Question, Stepped, Waiting};
use model::{Caller, CredentialId, Grade, MemberId, Principal, Role, Standing};
use programme::template;
use store::MemoryStore;
use testkit::{World, caller_of, tier};
use ties::Statement;

fn world() -> World {
    World::over(Arc::new(MemoryStore::new()), &template(), 7)
}

fn proposals(world: &World) -> Vec<Proposal> {
    let waiting = world.exchange.proposals(&world.operator, None, usize::MAX).unwrap();
    waiting.into_iter().filter_map(Waiting::step).collect()
}

fn officer(number: u64) -> Caller {
    Caller { credential: CredentialId::from_bits(number), ..caller_of(Principal::Role(Role::Officer)) }
}

fn said(id: &str, said: &str) -> Statement {
    let text = format!(
        r#"{{"id":"{id}","said":{said},"source":{{"document":"a test"}},"recorded":"2000-01-01T00:00:00Z"}}"#
    );
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn company(id: &str, country: &str) -> Statement {
    let body = format!(
        r#"{{"entity":{{"id":"{id}","kind":"organisation","countries":["{country}"],"sectors":["security"],"publicly_listed":true}}}}"#
    );
    said(&format!("e-{id}"), &body)
}

fn listed(entity: &str) -> Statement {
    said(
        &format!("l-{entity}"),
        &format!(r#"{{"listing":{{"id":"l-{entity}","list":"concern","entity":"{entity}"}}}}"#),
    )
}

/// A stake whose statement is called `s-` and its tie `t-` with the same name.
fn stake(name: &str, from: &str, to: &str, percent: &str, valid: &str) -> Statement {
    let kind = format!(r#"{{"holds":{{"votes":"{percent}","money":"{percent}"}}}}"#);
    let body =
        format!(r#"{{"tie":{{"id":"t-{name}","from":"{from}","to":"{to}","kind":{kind},"valid":{valid}}}}}"#);
    said(&format!("s-{name}"), &body)
}

fn governs(name: &str, to: &str) -> Statement {
    let kind = r#"{"governs":{"by":"headquarters"}}"#;
    said(name, &format!(r#"{{"tie":{{"id":"g-{name}","from":"state:HK","to":"{to}","kind":{kind}}}}}"#))
}

fn retraction(name: &str, of: &str) -> Statement {
    said(name, &format!(r#"{{"retraction":{{"of":"{of}","because":"a test"}}}}"#))
}

/// The end of the tie `t-` with that name.
fn end(name: &str, on: &str) -> Statement {
    said(&format!("over-{name}"), &format!(r#"{{"end":{{"tie":"t-{name}","on":"{on}","by":"completed"}}}}"#))
}

fn same(name: &str, kept: &str, merged: &str) -> Statement {
    said(name, &format!(r#"{{"same":{{"kept":"{kept}","merged":"{merged}","because":"a test"}}}}"#))
}

const SINCE_2008: &str = r#"{"from":"2008"}"#;

/// Everything around a member `acme` but the tie that would suspend it.
fn surroundings() -> Vec<Statement> {
    vec![
        company("acme", "US"),
        company("dragon", "CN"),
        company("venture", "HK"),
        listed("dragon"),
        stake("dragon", "dragon", "venture", "51%", SINCE_2008),
    ]
}

fn the_tie(valid: &str) -> Statement {
    stake("acme", "acme", "venture", "49%", valid)
}

fn bound(world: &World, name: &str, entity: &str) -> MemberId {
    let (member, _) = world.member(name, &["open", "programme", "cleared"]);
    world.exchange.bind_entity(&world.operator, &member.id, &entity.parse().unwrap()).unwrap();
    member.id
}

fn import(world: &World, statements: Vec<Statement>) -> exchange::Imported {
    let imported = world.exchange.import_ties(&world.operator, statements, "a test").unwrap();
    assert!(imported.refused.is_empty(), "{:?}", imported.refused);
    imported
}

fn standing(world: &World, member: &MemberId) -> Standing {
    world.exchange.member(&world.operator, member).unwrap().standing(&tier("cleared"))
}

fn day() -> Duration {
    Duration::from_hours(24)
}

#[test]
fn a_tie_of_tomorrow_suspends_tomorrow_and_one_that_ends_proposes_the_return() {
    let world = world();
    let member = bound(&world, "Acme", "acme");
    import(&world, surroundings());
    let imported = import(&world, vec![the_tie(r#"{"from":"2012-03-29","to":"2012-04-02"}"#)]);
    assert!(imported.moved.is_empty(), "{:?}", imported.moved);
    world.pass(Duration::from_secs(86_399));
    assert!(world.exchange.tend_if_due().unwrap().is_empty(), "the day has not come");
    assert_eq!(standing(&world, &member), Standing::Listed);
    world.pass(Duration::from_secs(1));
    let moved = world.exchange.tend_if_due().unwrap();
    assert!(moved.iter().any(|moved| moved.to == Standing::Suspended), "{moved:?}");
    assert_eq!(standing(&world, &member), Standing::Suspended);
    assert!(world.exchange.tend_if_due().unwrap().is_empty(), "once a day");
    world.pass(day() * 10);
    world.exchange.tend_if_due().unwrap();
    assert_eq!(standing(&world, &member), Standing::Suspended, "the end that was named ahead is none");
    assert!(proposals(&world).is_empty());
    import(&world, vec![end("acme", "2012-04-02")]);
    assert_eq!(standing(&world, &member), Standing::Suspended, "a return needs people");
    let waiting = proposals(&world);
    assert_eq!((waiting.len(), waiting[0].to), (1, Standing::Listed));
}

#[test]
fn a_statement_that_is_retracted_stops_counting_and_stays_in_the_past() {
    let world = world();
    let member = bound(&world, "Acme", "acme");
    import(&world, surroundings());
    import(&world, vec![the_tie(SINCE_2008)]);
    assert_eq!(standing(&world, &member), Standing::Suspended);
    let then = world.exchange.now();
    world.pass(day());
    import(&world, vec![retraction("r-1", "s-acme")]);
    let ask = |question: &Question| {
        world
            .exchange
            .vet(&world.operator, &"acme".parse().unwrap(), &tier("cleared"), question)
            .unwrap()
            .0
            .grade
    };
    assert_eq!(ask(&Question::default()), Grade::Clear);
    let known_then =
        Question { as_of: Some(ties::AsOf::at(then + Duration::from_secs(1))), ..Question::default() };
    assert_eq!(ask(&known_then), Grade::Suspend, "what was decided then can be replayed");
    // The retracted statement does not come back by being imported again; a new one does.
    let again = import(&world, vec![the_tie(SINCE_2008)]);
    assert_eq!((again.new, again.known_already), (0, 1));
    assert_eq!(ask(&Question::default()), Grade::Clear);
    import(&world, vec![said("s-acme-2", &serde_json::to_string(&the_tie(SINCE_2008).said).unwrap())]);
    assert_eq!(ask(&Question::default()), Grade::Suspend);
    assert!(proposals(&world).is_empty(), "there is nothing to agree to");
}

#[test]
fn an_entity_is_one_members_by_whatever_name() {
    let world = world();
    let first = bound(&world, "Acme", "acme");
    let (second, _) = world.member("Acme too", &["cleared"]);
    let bind = |member: &MemberId, entity: &str| {
        world.exchange.bind_entity(&world.operator, member, &entity.parse().unwrap())
    };
    let refused = bind(&second.id, "acme").unwrap_err();
    assert_eq!(refused.to_string(), "the entity `acme` is another member's");
    bind(&first, "acme").unwrap();
    import(&world, vec![same("m-1", "acme", "acme-inc")]);
    for alias in ["acme", "acme-inc"] {
        assert!(bind(&second.id, alias).is_err(), "{alias}");
    }
    bind(&first, "acme-inc").unwrap();
    assert!(bind(&second.id, "acme").is_err());
    // Two new members at the same moment: one of them gets it.
    let rivals = [world.member("A", &["open"]).0.id, world.member("B", &["open"]).0.id];
    let won = std::thread::scope(|scope| {
        let threads = rivals.each_ref().map(|rival| scope.spawn(|| bind(rival, "rival").is_ok()));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
}

#[test]
fn members_whose_entities_turn_out_to_be_one_are_told_and_judged_by_the_ties_of_both() {
    let world = world();
    let (one, two) = (bound(&world, "Acme", "acme"), bound(&world, "Bravo", "bravo"));
    import(&world, surroundings());
    import(&world, vec![the_tie(SINCE_2008)]);
    assert_eq!((standing(&world, &one), standing(&world, &two)), (Standing::Suspended, Standing::Listed));
    let merged = import(&world, vec![same("m-1", "bravo", "acme")]);
    assert_eq!((standing(&world, &one), standing(&world, &two)), (Standing::Suspended, Standing::Suspended));
    let finding = merged.findings.iter().find(|finding| finding.contains("are one entity, `bravo`")).unwrap();
    assert!(finding.contains(one.as_str()) && finding.contains(two.as_str()), "{finding}");
    let alerts = world.exchange.alerts(&world.operator, "").unwrap();
    assert!(alerts.iter().any(|alert| alert.kind == "merge" && alert.text == *finding), "{alerts:?}");
    // It was a mistake: the split leaves each with its own.
    import(&world, vec![retraction("r-1", "m-1")]);
    let waiting = proposals(&world);
    assert_eq!(waiting.iter().map(|waiting| &waiting.member).collect::<Vec<_>>(), [&two]);
}

#[test]
fn an_override_ends_with_the_rules_that_it_was_against_and_with_the_standing() {
    let world = world();
    let member = bound(&world, "Acme", "acme");
    import(&world, surroundings());
    import(&world, vec![the_tie(SINCE_2008)]);
    let list = |by: u64| {
        let because = "its staff has left the venture";
        world
            .exchange
            .set_standing(&officer(by), &member, &tier("cleared"), Standing::Listed, because)
            .unwrap()
    };
    let dossier = || world.exchange.dossier(&world.operator, &member).unwrap();
    list(1);
    assert!(matches!(list(2), Stepped::Changed(_)));
    assert!(dossier().overrides.contains_key(&tier("cleared")));
    // A tie that changes nothing in the rules ends nothing.
    import(&world, vec![stake("other", "acme", "elsewhere", "5%", SINCE_2008)]);
    assert_eq!(standing(&world, &member), Standing::Listed);
    // An officer takes it off the list: what two people decided before is over.
    let off = world.exchange.set_standing(
        &officer(3),
        &member,
        &tier("cleared"),
        Standing::Suspended,
        "new doubts",
    );
    assert!(matches!(off.unwrap(), Stepped::Changed(_)));
    assert!(dossier().overrides.is_empty());
    assert!(
        dossier().duties.iter().any(|duty| matches!(duty.of, DutyOf::Disposal { .. }) && duty.done.is_none())
    );
    // Again by two; then other rules apply.
    list(1);
    list(2);
    assert_eq!(standing(&world, &member), Standing::Listed);
    import(&world, vec![stake("bought", "dragon", "acme", "60%", SINCE_2008)]);
    assert_eq!(standing(&world, &member), Standing::Suspended);
    assert!(dossier().overrides.is_empty());
}

#[test]
fn a_pyramid_of_ten_thousand_levels_is_judged_and_proved() {
    const LEVELS: usize = 10_000;
    let world = world();
    let member = bound(&world, "Acme", "c-0");
    let mut statements: Vec<Statement> = (0..LEVELS)
        .map(|n| stake(&format!("{n}"), &format!("c-{}", n + 1), &format!("c-{n}"), "100%", SINCE_2008))
        .collect();
    statements.push(listed(&format!("c-{LEVELS}")));
    let began = Instant::now();
    import(&world, statements);
    eprintln!("{LEVELS} levels: imported and decided in {:?}", began.elapsed());
    assert_eq!(standing(&world, &member), Standing::Suspended);
    let began = Instant::now();
    let question = Question { remedies: Some(Duration::from_secs(1)), ..Question::default() };
    let (decision, _) =
        world.exchange.vet(&world.operator, &"c-0".parse().unwrap(), &tier("cleared"), &question).unwrap();
    let text = serde_json::to_string(&decision).unwrap();
    eprintln!("asked, with remedies and {} bytes of proof, in {:?}", text.len(), began.elapsed());
    assert!(decision.grade >= Grade::Suspend);
    assert!(!world.exchange.decisions(&world.operator, &member, None, 10).unwrap().decisions.is_empty());
    drop(decision);
}

#[test]
fn two_hundred_thousand_statements_are_one_import() {
    const COMPANIES: usize = 100_000;
    let world = world();
    let members: Vec<_> = (0..20).map(|n| bound(&world, &format!("m-{n}"), &format!("c-{n}"))).collect();
    // Each company is described, and held by one of ten times fewer; c-99999 is of concern and holds c-7.
    let mut statements: Vec<Statement> = (0..COMPANIES).map(|n| company(&format!("c-{n}"), "US")).collect();
    statements.extend((0..COMPANIES).map(|n| {
        stake(&format!("{n}"), &format!("c-{}", n / 10 + 50_000), &format!("c-{n}"), "30%", SINCE_2008)
    }));
    statements.push(listed("c-99999"));
    statements.push(stake("hit", "c-99999", "c-7", "55%", SINCE_2008));
    let count = statements.len();
    let began = Instant::now();
    let imported = import(&world, statements);
    let took = began.elapsed();
    eprintln!("{count} statements imported in {took:?}");
    assert_eq!(imported.new, count);
    let suspended: Vec<_> = members.iter().filter(|m| standing(&world, m) == Standing::Suspended).collect();
    assert_eq!(suspended, [&members[7]]);
    // One tie more costs what it concerns, not what there is.
    let began = Instant::now();
    import(&world, vec![retraction("r-hit", "s-hit")]);
    let one = began.elapsed();
    eprintln!("one retraction among them in {one:?}");
    assert!(one < took, "{one:?} for one, {took:?} for all");
}

#[test]
fn the_officers_are_told_when_something_is_said_of_a_party_of_concern() {
    let world = world();
    import(&world, surroundings());
    let told = || {
        let alerts = world.exchange.alerts(&world.operator, "").unwrap();
        alerts.iter().filter(|alert| alert.kind == "party-of-concern").count()
    };
    let end = |id: &str, tie: &str| {
        let how = r#""on":"2012-03-01","by":"completed""#;
        said(id, &format!(r#"{{"end":{{"tie":"{tie}",{how}}}}}"#))
    };
    let cases = [
        ("another stake", stake("new", "dragon", "acme", "5%", SINCE_2008), 1),
        ("the same again", stake("new", "dragon", "acme", "5%", SINCE_2008), 0),
        ("a stake of others", stake("others", "acme", "elsewhere", "5%", SINCE_2008), 0),
        ("its end", end("end-1", "t-new"), 1),
        ("the end of another's", end("end-2", "t-others"), 0),
        ("the end of what is not there", end("end-3", "t-no-such"), 0),
        ("a retraction of its end", retraction("r-1", "end-1"), 1),
        ("a retraction of another's", retraction("r-2", "s-others"), 0),
        ("another name of it", same("m-1", "dragon", "dragon-ltd"), 1),
        ("a holder of it", stake("up", "parent", "dragon", "60%", SINCE_2008), 1),
        ("a tie to its parent", stake("upper", "x", "parent", "5%", SINCE_2008), 1),
        ("a tie to the parent of that", stake("top", "y", "x", "5%", SINCE_2008), 0),
        ("a tie of its parent's to others", stake("sister", "parent", "sister", "60%", SINCE_2008), 0),
        ("a law that reaches its parent", governs("law", "parent"), 1),
        ("a tie to its subsidiary", stake("in", "x", "venture", "5%", SINCE_2008), 1),
        ("a tie of its subsidiary", stake("out", "venture", "y", "5%", SINCE_2008), 1),
        ("a tie below that, of little weight", stake("far", "y", "z", "5%", SINCE_2008), 0),
        ("the end of the subsidiary's", end("end-4", "t-in"), 1),
        ("somebody new is listed", listed("tiger"), 1),
        ("and has a tie", stake("tiger", "tiger", "elsewhere", "5%", SINCE_2008), 1),
        ("it is taken off the list", retraction("r-3", "l-tiger"), 1),
        ("and has another tie", stake("tiger-2", "tiger", "z", "5%", SINCE_2008), 0),
    ];
    for (what, statement, more) in cases {
        let before = told();
        import(&world, vec![statement]);
        assert_eq!(told() - before, more, "{what}");
    }
    let texts: Vec<String> =
        world.exchange.alerts(&world.operator, "").unwrap().into_iter().map(|a| a.text).collect();
    for text in ["`tiger` is a party of concern from now on", "`tiger` is no longer a party of concern"] {
        assert!(texts.iter().any(|told| told == text), "{texts:?}");
    }
    // Of a list that names very many, the first hundred are told one by one.
    let before = told();
    import(&world, (0..150).map(|n| listed(&format!("one-{n}"))).collect());
    assert_eq!(told() - before, 101);
}

#[test]
fn many_members_that_one_listing_moves() {
    const MEMBERS: usize = 400;
    let world = world();
    let members: Vec<_> = (0..MEMBERS).map(|n| bound(&world, &format!("m-{n}"), &format!("c-{n}"))).collect();
    import(
        &world,
        (0..MEMBERS)
            .map(|n| stake(&format!("{n}"), "holding", &format!("c-{n}"), "60%", SINCE_2008))
            .collect(),
    );
    let epoch = world.exchange.epoch();
    let began = Instant::now();
    let imported = import(&world, vec![listed("holding")]);
    eprintln!("{MEMBERS} members moved in {:?}", began.elapsed());
    let began = Instant::now();
    import(&world, vec![stake("elsewhere", "x", "y", "1%", SINCE_2008)]);
    eprintln!("a tie that concerns none of them took {:?}", began.elapsed());
    assert!(members.iter().all(|member| standing(&world, member) == Standing::Suspended));
    assert!(imported.moved.len() >= MEMBERS);
    assert_eq!(world.exchange.epoch().number(), epoch.number() + 1, "all of it is one epoch");
    // All of it is told, in parts.
    let mut after = String::new();
    let mut told = 0;
    loop {
        let part = world.exchange.alerts(&world.operator, &after).unwrap();
        let Some(last) = part.last() else { break };
        assert!(part.len() <= exchange::ALERTS_MAX);
        after.clone_from(&last.key);
        told += part.iter().filter(|alert| alert.standing == Some(Standing::Suspended)).count();
    }
    assert!(told >= MEMBERS, "{told}");
}
