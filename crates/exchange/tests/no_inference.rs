//! DESIGN.md 3.2: what a member is answered is a function of what it may see.
//!
//! Two hubs live through the same random history; one also receives content that is hidden from the member, in
//! envelopes of its own and mixed into others. Every answer to the member has to be the same on both, byte for byte:
//! pages, cursors, dates, entity tags, manifests, versions, single objects, refusals, and what it is told when it submits
//! something that exists and is hidden.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::num::NonZeroU32;

use exchange::{ContentSearch, PublishOptions, ReadError};
use model::{Caller, MemberId, Timestamp};
use taxii::{Endpoint, ObjectFilter};
use testkit::{Chance, TLP, World, at, envelope, indicator, indicator_id, relationship};

/// Without optimisation a history takes seven times as long.
const HISTORIES: u64 = if cfg!(debug_assertions) { 20 } else { 200 };
const STEPS: u64 = 25;

struct Hub {
    world: World,
    member: Caller,
    other: MemberId,
}

fn hub() -> Hub {
    let world = World::new(11);
    let (_, member) = world.member("the reader", &["open", "programme"]);
    let (other, _) = world.member("another", &["open", "programme", "cleared"]);
    Hub { world, member, other: other.id }
}

/// Everything that the member can ask, as text.
fn asked(hub: &Hub, objects: u64) -> Vec<String> {
    let exchange = &hub.world.exchange;
    let mut answers = Vec::new();
    for view in exchange.collections(&hub.member) {
        answers.push(format!("{} {} {}", view.collection.alias, view.can_read, view.can_write));
    }
    answers.push(format!("{:?}", exchange.own_rights(&hub.member).map_err(|error| error.to_string())));
    answers.push(format!("{:?}", exchange.own_contributions(&hub.member).map_err(|error| error.to_string())));
    for collection in ["open", "indicators", "cleared", "submissions"] {
        answers.push(format!("{:?}", exchange.collection(&hub.member, collection).map(|view| view.can_read)));
        for query in [
            "limit=1",
            "limit=4",
            "",
            "match[type]=relationship",
            "match[version]=all&limit=3",
            "match[version]=first",
            "match[pattern_type]=stix&limit=2",
            &format!("match[id]={},{}", indicator_id(1), indicator_id(2)),
        ] {
            pages(hub, collection, query, &mut answers);
        }
        searches(hub, collection, &mut answers);
        for n in 0..objects {
            let id = indicator_id(n);
            let object = exchange.object(&hub.member, collection, &id, &ObjectFilter::default());
            answers.push(described(object.map(|answer| (answer.body, answer.served))));
            let versions = exchange.versions(&hub.member, collection, &id, &ObjectFilter::default());
            answers.push(described(versions.map(|answer| (Vec::new(), (answer.records, answer.served)))));
        }
    }
    answers
}

/// What the member finds when it searches. Labels are numbered over all that there are, and are told to nobody outside.
fn searches(hub: &Hub, collection: &str, answers: &mut Vec<String>) {
    let text = |text: &str| ContentSearch { text: Some(text.to_owned()), ..ContentSearch::default() };
    let marked = ContentSearch { markings: [TLP[1].to_owned()].into(), ..ContentSearch::default() };
    let limit = NonZeroU32::new(3).unwrap();
    for search in [ContentSearch::default(), text("EXAMPLE"), text("no such text"), marked] {
        let mut next = None;
        loop {
            let found = hub.world.exchange.search(&hub.member, collection, &search, limit, next.as_deref());
            next = found.as_ref().ok().and_then(|page| page.served.next.clone());
            let told = found.map(|page| {
                let bodies = page.objects.iter().flat_map(|found| found.object.clone()).collect();
                let dates: Vec<_> = page.objects.iter().map(|found| found.date).collect();
                (bodies, (dates, page.served))
            });
            answers.push(described(told));
            if next.is_none() {
                break;
            }
        }
    }
}

fn described<T: std::fmt::Debug>(result: Result<(Vec<u8>, T), ReadError>) -> String {
    match result {
        Ok((body, rest)) => format!("{} {rest:?}", String::from_utf8_lossy(&body)),
        Err(error) => format!("refused: {error}"),
    }
}

fn pages(hub: &Hub, collection: &str, query: &str, answers: &mut Vec<String>) {
    let mut next: Option<String> = None;
    for _ in 0..500 {
        let text = next.as_ref().map_or_else(|| query.to_owned(), |next| format!("{query}&next={next}"));
        let filter = ObjectFilter::parse(Endpoint::Objects, &text).unwrap();
        let manifest = hub.world.exchange.manifest(
            &hub.member,
            collection,
            &ObjectFilter { next: None, ..filter.clone() },
        );
        answers.push(described(manifest.map(|answer| (Vec::new(), (answer.records, answer.served)))));
        let answer = hub.world.exchange.objects(&hub.member, collection, &filter);
        next = answer.as_ref().ok().and_then(|answer| answer.served.next.clone());
        answers.push(described(answer.map(|answer| (answer.body, answer.served))));
        if next.is_none() {
            return;
        }
    }
    panic!("the pages never end");
}

fn history(seed: u64) {
    let mut chance = Chance(seed);
    let (full, bare) = (hub(), hub());
    assert_eq!(full.member.principal, bare.member.principal);
    let mut time: Timestamp = at("2012-04-01T00:00:00Z");
    let mut objects = 0;
    for step in 0..STEPS {
        time = time.plus_micros(1_000_000);
        full.world.clock.set(time);
        bare.world.clock.set(time);
        let collection = ["open", "indicators"][usize::try_from(chance.below(2)).unwrap()];
        if chance.one_in(6) {
            // The member submits something, which may exist and be hidden from it.
            let n = if objects == 0 { 2_000 + step } else { chance.below(objects) };
            let submitted = envelope(&[indicator(n, 0, &[TLP[1]]), indicator(1_000 + step, 0, &[TLP[1]])]);
            let told = [&full, &bare].map(|hub| {
                let options = PublishOptions::default();
                let result =
                    hub.world.exchange.publish(&hub.member, "indicators", submitted.clone(), options);
                result
                    .map(|submission| (submission.status.success_count, submission.status.failures))
                    .map_err(|e| e.to_string())
            });
            assert_eq!(told[0], told[1], "seed {seed}, step {step}");
        } else {
            publish(&mut chance, &full, &bare, collection, &mut objects);
        }
        time = time.plus_micros(1_000_000);
        full.world.clock.set(time);
        bare.world.clock.set(time);
        if chance.one_in(4) || step + 1 == STEPS {
            let (with, without) = (asked(&full, objects.min(12)), asked(&bare, objects.min(12)));
            for (with, without) in with.iter().zip(&without) {
                assert_eq!(with, without, "seed {seed}, step {step}");
            }
            assert_eq!(with.len(), without.len(), "seed {seed}, step {step}");
        }
    }
}

/// Publishes a mixture to one hub, and what of it the member may see to the other.
fn publish(chance: &mut Chance, full: &Hub, bare: &Hub, collection: &str, objects: &mut u64) {
    let named = chance.one_in(4);
    let (mut all, mut seen) = (Vec::new(), Vec::new());
    let first = *objects;
    for _ in 0..=chance.below(5) {
        let n = *objects;
        *objects += 1;
        let hidden = named || chance.one_in(2);
        let marking = if hidden && !named { TLP[4] } else { TLP[1] };
        let object = indicator(n, 0, &[marking]);
        if !hidden {
            seen.push(object.clone());
        }
        all.push(object);
        if chance.one_in(3) && n > first {
            // A relationship between two objects of this envelope is hidden if an end is.
            let link = relationship(n, &indicator_id(n - 1), &indicator_id(n), &[TLP[1]]);
            let is_seen = |n: u64| seen.contains(&indicator(n, 0, &[TLP[1]]));
            if is_seen(n) && is_seen(n - 1) && !named {
                seen.push(link.clone());
            }
            all.push(link);
        }
    }
    for (hub, objects) in [(full, all), (bare, seen)] {
        if objects.is_empty() {
            continue;
        }
        let audience = named.then(|| [hub.other.clone()].into());
        let options = PublishOptions { audience, ..PublishOptions::default() };
        hub.world.exchange.publish(&hub.world.operator, collection, envelope(&objects), options).unwrap();
    }
}

#[test]
fn every_answer_is_as_on_a_hub_that_never_held_the_rest() {
    for seed in 0..HISTORIES {
        history(seed);
    }
}
