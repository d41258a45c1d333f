//! What was, and what is on the ledger of it: questions about the past take the dossier of then; a decision that is
//! another than the last one is an entry, also where it moves nobody; an instrument covers what there is.

#![expect(clippy::unwrap_used, reason = "what cannot be set up or decided fails the test, as it should")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use exchange::{Answer, Question};
use model::{Caller, Grade, Member, Standing, Timestamp};
use programme::{Instrument, template};
use store::MemoryStore;
use testkit::{World, tier};
use ties::{
    AsOf, Day, End, Ending, Entity, EntityId, EntityKind, Holding, Period, Said, Source, Statement, Tie,
    TieKind,
};
use vetting::Decision;

const DAY: Duration = Duration::from_hours(24);

fn world() -> World {
    World::over(Arc::new(MemoryStore::new()), &template(), 7)
}

/// A member that is the entity `quarry`, listed on `cleared`.
fn quarry(world: &World) -> (Member, Caller) {
    let (member, caller) = world.member("Quarry", &["open", "cleared"]);
    world.exchange.bind_entity(&world.operator, &member.id, &entity("quarry")).unwrap();
    (member, caller)
}

fn entity(name: &str) -> EntityId {
    name.parse().unwrap()
}

fn statement(id: &str, said: Said) -> Statement {
    let source = Source { document: "a register".to_owned(), ..Source::default() };
    Statement { id: id.parse().unwrap(), said, source, recorded: Timestamp::EPOCH }
}

fn described(name: &str, country: &str) -> Statement {
    let mut described = Entity::new(entity(name), EntityKind::Organisation);
    described.countries = vec![country.to_owned()];
    described.publicly_listed = Some(true);
    statement(&format!("about-{name}"), Said::Entity(described))
}

fn stake(id: &str, from: &str, share: &str) -> Statement {
    let share = Some(share.parse().unwrap());
    let kind = TieKind::Holds(Holding { votes: share, money: share, ..Holding::default() });
    let tie = Tie {
        id: id.parse().unwrap(),
        from: entity(from),
        to: entity("quarry"),
        kind,
        valid: Period::ALWAYS,
    };
    statement(&format!("said-{id}"), Said::Tie(tie))
}

fn record(world: &World, statements: Vec<Statement>) {
    let imported = world.exchange.import_ties(&world.operator, statements, "a test").unwrap();
    assert!(imported.refused.is_empty(), "{:?}", imported.refused);
}

/// The decision on the entity for `cleared` as of the day of `day`, as known at `known`.
fn vet(world: &World, name: &str, day: Timestamp, known: Timestamp) -> Decision {
    let as_of = Some(AsOf { day: Day::of(day), known });
    let question = Question { as_of, ..Question::default() };
    world.exchange.vet(&world.operator, &entity(name), &tier("cleared"), &question).unwrap().0
}

fn rules(decision: &Decision) -> Vec<&str> {
    decision.findings.iter().map(|finding| finding.rule.as_str()).collect()
}

#[test]
fn a_duty_is_overdue_on_the_days_on_which_it_was() {
    let world = world();
    let before = world.exchange.now();
    world.pass(10 * DAY);
    let (_, caller) = quarry(&world);
    record(&world, vec![described("quarry", "US")]);
    let bound = world.exchange.now();
    world.pass(370 * DAY);
    let overdue = world.exchange.now();
    world.exchange.tend().unwrap();
    assert_eq!(rules(&vet(&world, "quarry", overdue, overdue)), ["R24-overdue"]);
    world.pass(2 * DAY);
    let programme = world.exchange.programme();
    let questions = &programme.questionnaire().unwrap().questions;
    let no = |question: &programme::Question| (question.id.clone(), Answer { yes: false, list: Vec::new() });
    let answers: BTreeMap<_, _> = questions.iter().map(no).collect();
    world.exchange.attest(&caller, "N. N.", answers).unwrap();
    world.pass(10 * DAY);
    let now = world.exchange.now();

    let nothing: [&str; 0] = [];
    for (day, known, want) in [
        (now, now, &nothing[..]),
        (overdue, now, &["R24-overdue"]),
        (bound + 100 * DAY, now, &nothing),
        // As it was known in the first days, it would be overdue by then, since nothing had been answered yet.
        (overdue, bound + DAY, &["R24-overdue"]),
        (now, bound + DAY, &["R24-overdue"]),
        (before, now, &nothing),
    ] {
        let decision = vet(&world, "quarry", day, known);
        assert_eq!(rules(&decision), want, "as of {}, as known on {known}", Day::of(day));
    }
}

#[test]
fn a_negotiation_counts_on_its_days_and_for_those_who_knew_of_it() {
    let mut world = world();
    let (member, _) = quarry(&world);
    let control = vec![described("quarry", "US"), described("abroad", "DE"), stake("s", "abroad", "60%")];
    record(&world, control);
    let suspended = world.exchange.now();
    world.pass(5 * DAY);
    world
        .exchange
        .begin_negotiation(&world.operator, &member.id, "a proxy agreement is being drafted")
        .unwrap();
    let begun = world.exchange.now();
    world.pass(100 * DAY);
    world.exchange.tend().unwrap();
    let now = world.exchange.now();
    let check = |world: &World| {
        for (day, known, want) in [
            (suspended, now, Grade::Suspend),
            (begun + 10 * DAY, now, Grade::Condition),
            (begun + 10 * DAY, begun, Grade::Condition),
            // Who knew only what was recorded until the first day, knew of no negotiation.
            (begun + 10 * DAY, suspended + DAY, Grade::Suspend),
            (now, now, Grade::Suspend),
        ] {
            let decision = vet(world, "quarry", day, known);
            assert_eq!(decision.grade, want, "as of {}, as known on {known}", Day::of(day));
        }
    };
    check(&world);
    world.reopen(&template(), 8);
    check(&world);
}

#[test]
fn standing_and_entity_are_those_of_the_day() {
    let world = world();
    let (member, caller) = world.member("Quarry", &["open"]);
    world.exchange.bind_entity(&world.operator, &member.id, &entity("quarry")).unwrap();
    let control = vec![described("quarry", "US"), described("abroad", "DE"), stake("s", "abroad", "60%")];
    record(&world, control);
    world.exchange.begin_negotiation(&world.operator, &member.id, "in good faith").unwrap();
    let applied = world.exchange.now();
    // An applicant is not helped by negotiating; whoever is on the list is.
    assert_eq!(vet(&world, "quarry", applied, applied).grade, Grade::Suspend);
    world.pass(5 * DAY);
    for _ in 0..2 {
        let to = Standing::Listed;
        let officer = testkit::caller_of(model::Principal::Role(model::Role::Officer));
        let by = Caller {
            credential: model::CredentialId::from_bits(world.exchange.now().as_micros().unsigned_abs()),
            ..officer
        };
        world.exchange.set_standing(&by, &member.id, &tier("cleared"), to, "an old supplier").unwrap();
        world.pass(DAY);
    }
    let listed = world.exchange.now();
    assert_eq!(vet(&world, "quarry", listed, listed).grade, Grade::Condition);
    assert_eq!(vet(&world, "quarry", applied, listed).grade, Grade::Suspend);

    // It turns out to be another company; what it was then stays what it was.
    world.pass(2 * DAY);
    for number in [1, 2] {
        let officer = testkit::caller_of(model::Principal::Role(model::Role::Officer));
        let by = Caller { credential: model::CredentialId::from_bits(number), ..officer };
        world.exchange.bind_entity(&by, &member.id, &entity("mine")).unwrap();
    }
    world.pass(DAY);
    let now = world.exchange.now();
    assert_eq!(vet(&world, "quarry", now, now).grade, Grade::Suspend, "nobody's now, so nobody negotiates");
    assert_eq!(vet(&world, "quarry", listed, now).grade, Grade::Condition);
    let own = Question { as_of: Some(AsOf { day: Day::of(listed), known: now }), ..Question::default() };
    let mine = world.exchange.vet(&caller, &entity("mine"), &tier("cleared"), &own).unwrap().0;
    assert_eq!(mine.grade, Grade::Review, "it was not `mine` then, and nobody says who owns that");
    assert!(world.exchange.vet(&caller, &entity("quarry"), &tier("cleared"), &own).is_err());
}

#[test]
fn a_decision_for_other_reasons_is_an_entry_though_nobody_moves() {
    let world = world();
    let (member, _) = quarry(&world);
    let people = vec![described("quarry", "US"), described("abroad", "DE"), described("afar", "DE")];
    record(&world, people);
    let size = || world.exchange.ledger_head().size;
    let decided =
        || world.exchange.dossier(&world.operator, &member.id).unwrap().decided[&tier("cleared")].clone();
    // What an import of one statement writes by itself: that it was recorded.
    let entries = |statements: Vec<Statement>| {
        let before = size();
        record(&world, statements);
        size() - before - 1
    };
    let tiers = u64::try_from(world.exchange.programme().settings().tiers.len()).unwrap();

    let first = entries(vec![stake("s", "abroad", "8%")]);
    assert!((1..=tiers).contains(&first), "{first}: it is to be disclosed on some tiers");
    let disclosed = decided();
    assert_eq!(disclosed.grade, Grade::Disclose);
    // The same grade by the same rules, and another proof.
    let second = entries(vec![stake("s2", "abroad", "1%")]);
    assert!(second >= 1 && decided().sha256 != disclosed.sha256, "{second}");
    assert_eq!((decided().grade, &decided().rules), (Grade::Disclose, &disclosed.rules));
    // What is said again, what concerns nobody's reasons, and another day, change no decision.
    let again = decided();
    assert_eq!(entries(vec![described("nobody", "DE")]), 0);
    let before = size();
    for _ in 0..3 {
        world.pass(DAY);
        world.exchange.tend().unwrap();
    }
    assert_eq!((size(), decided()), (before, again.clone()));
    let recorded = world.exchange.decisions(&world.operator, &member.id, None, 1_000).unwrap();
    let newest = recorded.decisions.iter().rfind(|decision| decision["tier"] == "cleared").unwrap();
    assert!(newest.to_string().contains("s2"), "the record is the decision that the dossier names");
    // A tie that ends, with its grade.
    let end = End { tie: "s".parse().unwrap(), on: "2012-01-01".parse().unwrap(), by: Ending::Completed };
    let third = entries(vec![statement("end", Said::End(end))]);
    assert!(third >= 1 && decided().grade == Grade::Clear, "{third} {:?}", decided());
}

#[test]
fn a_duty_that_is_overdue_longer_is_no_other_decision_every_day() {
    let world = world();
    let (member, _) = quarry(&world);
    world.pass(366 * DAY);
    world.exchange.tend().unwrap();
    let decided = || world.exchange.dossier(&world.operator, &member.id).unwrap().decided;
    let (before, size) = (decided(), world.exchange.ledger_head().size);
    world.pass(DAY);
    world.exchange.tend().unwrap();
    assert_eq!((decided(), world.exchange.ledger_head().size), (before.clone(), size));
    world.pass(31 * DAY);
    world.exchange.tend().unwrap();
    assert_ne!(decided(), before, "beyond a line of the rules it is one");
}

#[test]
fn an_instrument_covers_ties_that_there_are_and_that_it_makes_something_of() {
    let world = world();
    let (member, _) = quarry(&world);
    record(&world, vec![described("quarry", "US"), described("abroad", "DE"), stake("s", "abroad", "60%")]);
    let sign = |id: &str, kind: &str, covers: &str| {
        let instrument = Instrument {
            id: id.to_owned(),
            kind: kind.to_owned(),
            entity: entity("nobody"),
            covers: [covers.parse().unwrap()].into(),
            valid: Period::ALWAYS,
            recorded: None,
            source: String::new(),
        };
        world.exchange.sign_instrument(&world.operator, &member.id, instrument)
    };
    let refused = sign("a", "proxy-agreement", "no-such-tie").unwrap_err().to_string();
    assert!(refused.contains("no tie `no-such-tie`"), "{refused}");
    let refused = sign("a", "recusal", "s").unwrap_err().to_string();
    assert!(refused.contains("makes nothing of the tie `s`"), "{refused}");
    sign("pa", "proxy-agreement", "s").unwrap();
    world.pass(DAY);
    let now = world.exchange.now();
    let decision = vet(&world, "quarry", now, now);
    assert!(decision.grade < Grade::Suspend, "{}", decision.describe(None));
    let [covered] = decision.covered.as_slice() else { panic!("{:?}", decision.covered) };
    assert_eq!((covered.instrument.as_str(), covered.tie.as_str(), covered.counts), ("pa", "s", true));
    assert!(decision.describe(None).contains("under the Proxy Agreement `pa` it counts as if"));
    // Before it was signed it covered nothing, in force or not.
    assert!(vet(&world, "quarry", now, now - 3 * DAY).covered.is_empty());
}
