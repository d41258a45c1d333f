//! What a member sees, when, and in which order.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use model::{Caller, Standing};
use taxii::{Endpoint, ObjectFilter};
use testkit::{TLP, World, at, indicator, indicator_id, relationship, tier};

/// Polls with `next` to the end; returns the objects' ids and the last date header.
fn poll(world: &World, caller: &Caller, collection: &str, query: &str) -> (Vec<String>, Option<String>) {
    let mut ids = Vec::new();
    let mut last = None;
    let mut next: Option<String> = None;
    loop {
        let with_next = next.as_ref().map_or_else(|| query.to_owned(), |next| format!("{query}&next={next}"));
        let filter = ObjectFilter::parse(Endpoint::Objects, &with_next).unwrap();
        let answer = world.exchange.objects(caller, collection, &filter).unwrap();
        ids.extend(ids_of(&answer.body));
        last = answer.served.last.map(|date| date.to_string()).or(last);
        assert_eq!(answer.served.more, answer.served.next.is_some());
        match answer.served.next {
            Some(token) => next = Some(token),
            None => return (ids, last),
        }
    }
}

fn ids_of(envelope: &[u8]) -> Vec<String> {
    stix::split(envelope, &stix::Limits::default())
        .unwrap()
        .iter()
        .map(|object| stix::Head::parse(object).unwrap().id.into_owned())
        .collect()
}

fn ids(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(indicator_id).collect()
}

fn indicators(range: std::ops::Range<u64>, markings: &[&str]) -> Vec<Vec<u8>> {
    range.map(|n| indicator(n, 0, markings)).collect()
}

#[test]
fn a_page_gives_back_what_was_published_byte_for_byte() {
    let world = World::new(1);
    let (_, member) = world.member("one", &["programme"]);
    let objects = indicators(0..25, &[]);
    assert_eq!(world.publish("indicators", &objects).stored, 25);
    let answer = world.exchange.objects(&member, "indicators", &ObjectFilter::default()).unwrap();
    let got: Vec<Vec<u8>> =
        stix::split(&answer.body, &stix::Limits::default()).unwrap().iter().map(<[u8]>::to_vec).collect();
    assert_eq!(got, objects);
}

#[test]
fn a_suspended_member_sees_nothing_and_a_reinstated_one_what_it_missed() {
    let world = World::new(2);
    let (record, member) = world.member("one", &["programme"]);
    let _ = world.publish("indicators", &indicators(0..10, &[]));
    let (seen, last) = poll(&world, &member, "indicators", "limit=3");
    assert_eq!(seen, ids(0..10));
    let query = format!("limit=4&added_after={}", last.unwrap());

    world.pass(Duration::from_mins(1));
    world
        .exchange
        .set_standing(&world.operator, &record.id, &tier("programme"), Standing::Suspended, "a tie")
        .unwrap();
    assert!(world.exchange.objects(&member, "indicators", &ObjectFilter::default()).is_err());
    let _ = world.publish("indicators", &indicators(10..30, &[]));
    assert!(world.exchange.objects(&member, "indicators", &ObjectFilter::default()).is_err());

    world.pass(Duration::from_mins(1));
    world
        .exchange
        .set_standing(&world.operator, &record.id, &tier("programme"), Standing::Listed, "it ended")
        .unwrap();
    let _ = world.publish("indicators", &indicators(30..35, &[]));
    let (missed, last) = poll(&world, &member, "indicators", &query);
    assert_eq!(missed, ids(10..35));
    let (rest, _) = poll(&world, &member, "indicators", &format!("added_after={}", last.unwrap()));
    assert!(rest.is_empty());
}

#[test]
fn a_new_member_gets_the_history_that_its_standing_allows() {
    let world = World::new(3);
    let _ = world.publish("indicators", &indicators(0..10, &[]));
    let _ = world.publish("indicators", &indicators(10..12, &[TLP[4]]));
    let (_, member) = world.member("late", &["programme"]);
    assert_eq!(poll(&world, &member, "indicators", "limit=1").0, ids(0..10));
}

#[test]
fn a_relationship_with_a_withheld_end_is_withheld_in_whatever_order_they_come() {
    let world = World::new(4);
    let (_, member) = world.member("one", &["programme"]);
    let before = relationship(1, &indicator_id(0), &indicator_id(1), &[TLP[1]]);
    let after = relationship(2, &indicator_id(0), &indicator_id(1), &[TLP[1]]);
    let open = relationship(3, &indicator_id(0), &indicator_id(2), &[TLP[1]]);
    let _ = world.publish("indicators", &[indicator(0, 0, &[TLP[1]]), before]);
    assert_eq!(poll(&world, &member, "indicators", "").0.len(), 2);
    let _ = world.publish("indicators", &[indicator(1, 0, &[TLP[4]])]);
    let _ = world.publish("indicators", &[after, open, indicator(2, 0, &[TLP[1]])]);
    let (mut seen, _) = poll(&world, &member, "indicators", "");
    seen.sort();
    let mut want = vec![
        indicator_id(0),
        indicator_id(2),
        "relationship--00000000-0000-4000-8000-000000000003".to_owned(),
    ];
    want.sort();
    assert_eq!(seen, want);
}

#[test]
fn only_the_last_visible_version_is_handed_out_unless_all_are_asked_for() {
    let world = World::new(5);
    let (_, member) = world.member("one", &["programme"]);
    let _ = world.publish("indicators", &[indicator(0, 1, &[])]);
    let _ = world.publish("indicators", &[indicator(0, 2, &[]), indicator(1, 1, &[])]);
    let _ = world.publish("indicators", &[indicator(0, 3, &[TLP[4]])]);
    let version = |query: &str| {
        let filter = ObjectFilter::parse(Endpoint::Manifest, query).unwrap();
        let answer = world.exchange.manifest(&member, "indicators", &filter).unwrap();
        answer.records.iter().map(|record| record.version.clone()).collect::<Vec<_>>()
    };
    assert_eq!(version(""), ["2012-01-13T00:00:02.000Z", "2012-01-13T00:00:01.000Z"]);
    assert_eq!(version("match[version]=all").len(), 3);
    assert_eq!(version("match[version]=first"), ["2012-01-13T00:00:01.000Z", "2012-01-13T00:00:01.000Z"]);
    assert_eq!(version("match[version]=2012-01-13T00:00:03.000Z").len(), 0);
}

#[test]
fn a_restart_changes_nothing_that_a_member_sees() {
    let mut world = World::new(6);
    let (record, member) = world.member("one", &["programme"]);
    let _ = world.publish("indicators", &indicators(0..10, &[]));
    world
        .exchange
        .set_standing(&world.operator, &record.id, &tier("programme"), Standing::Suspended, "a tie")
        .unwrap();
    let _ = world.publish("indicators", &indicators(10..20, &[]));
    world
        .exchange
        .set_standing(&world.operator, &record.id, &tier("programme"), Standing::Listed, "it ended")
        .unwrap();
    let _ = world.publish("indicators", &indicators(20..30, &[]));
    world.pass(Duration::from_secs(1));
    let manifest = |world: &World| {
        world.exchange.manifest(&member, "indicators", &ObjectFilter::default()).unwrap().records
    };
    let before = manifest(&world);
    world.reopen(&programme::template(), 7);
    assert_eq!(manifest(&world), before);
    assert_eq!(before.len(), 30);
}

#[test]
fn a_chain_of_references_is_withheld_with_its_end() {
    let world = World::new(21);
    let (_, member) = world.member("one", &["programme"]);
    let link = |n: u64, source: &str, target: &str| relationship(n, source, target, &[TLP[1]]);
    let id = |n: u64| format!("relationship--00000000-0000-4000-8000-{n:012x}");
    // First what refers, then what it refers to; in one submission, and in two.
    let note = format!(
        r#"{{"type":"note","spec_version":"2.1","id":"note--00000000-0000-4000-8000-000000000001","created":"2012-01-13T00:00:00.000Z","modified":"2012-01-13T00:00:00.000Z","content":"see","object_refs":["{}"],"object_marking_refs":["{}"]}}"#,
        id(1),
        TLP[1]
    );
    let chain = [note.into_bytes(), link(1, &indicator_id(0), &indicator_id(1))];
    let _ = world.publish("indicators", &[chain[0].clone(), chain[1].clone(), indicator(0, 0, &[TLP[1]])]);
    world.pass(Duration::from_secs(1));
    assert_eq!(poll(&world, &member, "indicators", "").0.len(), 3);
    let _ = world.publish("indicators", &[indicator(1, 0, &[TLP[4]])]);
    world.pass(Duration::from_secs(1));
    assert_eq!(poll(&world, &member, "indicators", "").0, ids(0..1));
    let (_, late) = world.member("late", &["programme"]);
    assert_eq!(poll(&world, &late, "indicators", "").0, ids(0..1));
}

#[test]
fn a_member_cannot_take_others_objects_away_by_posting_what_they_refer_to() {
    let world = World::new(22);
    let (_, member) = world.member("one", &["programme"]);
    let (_, hostile) = world.member("two", &["programme"]);
    let link = relationship(1, &indicator_id(0), &indicator_id(1), &[TLP[1]]);
    let _ = world.publish("indicators", &[indicator(0, 0, &[TLP[1]]), link]);
    let nobody =
        exchange::PublishOptions { audience: Some([].into()), ..exchange::PublishOptions::default() };
    let body = testkit::envelope(&[indicator(1, 0, &[TLP[1]])]);
    world.exchange.publish(&hostile, "indicators", body, nobody).unwrap();
    world.pass(Duration::from_secs(1));
    assert_eq!(poll(&world, &member, "indicators", "").0.len(), 2);
}

#[test]
fn what_one_submitted_oneself_does_not_vanish_for_the_sake_of_a_hidden_end() {
    let world = World::new(23);
    let (_, author) = world.member("one", &["programme"]);
    let (_, other) = world.member("two", &["programme"]);
    let _ = world.publish("indicators", &[indicator(0, 0, &[TLP[4]])]);
    let link = relationship(1, &indicator_id(0), &indicator_id(0), &[TLP[1]]);
    let body = testkit::envelope(&[link]);
    world.exchange.publish(&author, "indicators", body, exchange::PublishOptions::default()).unwrap();
    world.pass(Duration::from_secs(1));
    assert_eq!(poll(&world, &author, "indicators", "").0.len(), 1);
    assert_eq!(poll(&world, &other, "indicators", "").0.len(), 0);
}

#[test]
fn two_versions_in_one_submission_are_one_object() {
    let world = World::new(24);
    let (_, member) = world.member("one", &["programme"]);
    let _ = world.publish("indicators", &[indicator(0, 1, &[]), indicator(0, 2, &[])]);
    world.pass(Duration::from_secs(1));
    assert_eq!(poll(&world, &member, "indicators", "").0, ids(0..1));
    assert_eq!(poll(&world, &member, "indicators", "match[version]=all").0.len(), 2);
}

/// An object of about 4 MB, which is what one may have.
fn large(n: u64, markings: &[&str]) -> Vec<u8> {
    let object = String::from_utf8(indicator(n, 0, markings)).unwrap();
    let padding = format!("\"description\":\"{}\",\"pattern\":", "x".repeat(4_000_000));
    object.replace("\"pattern\":", &padding).into_bytes()
}

#[test]
fn a_filter_that_reads_bodies_looks_at_so_much_and_goes_on_behind_it() {
    let world = World::new(25);
    let bare = World::new(25);
    let (_, member) = world.member("one", &["programme"]);
    let (_, same) = bare.member("one", &["programme"]);
    let mut time = at("2012-04-01T00:00:00Z");
    for n in 0..10 {
        time = time.plus_micros(1_000_000);
        world.clock.set(time);
        bare.clock.set(time);
        let _ = world.publish("indicators", &[large(n, &[TLP[1]])]);
        let _ = bare.publish("indicators", &[large(n, &[TLP[1]])]);
        // What the reader may not have costs it nothing and moves nothing.
        let _ = world.publish("indicators", &[large(100 + n, &[TLP[4]])]);
    }
    let last = indicator(10, 0, &[TLP[1]]);
    let ask = |world: &World, caller: &Caller, query: &str| {
        let filter = ObjectFilter::parse(Endpoint::Objects, query).unwrap();
        world.exchange.objects(caller, "indicators", &filter).unwrap()
    };
    for world in [&world, &bare] {
        let text = String::from_utf8(last.clone())
            .unwrap()
            .replace("\"pattern_type\":\"stix\"", "\"pattern_type\":\"yara\"");
        let _ = world.publish("indicators", &[text.into_bytes()]);
        world.pass(Duration::from_secs(1));
    }
    let query = "match[pattern_type]=yara";
    let first = ask(&world, &member, query);
    assert!(first.served.more && first.served.count == 0);
    let envelope: serde_json::Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!((envelope["more"].clone(), envelope["objects"].clone()), (true.into(), serde_json::json!([])));
    assert_eq!(envelope["next"].as_str(), first.served.next.as_deref());
    assert_eq!(first.served.last, ask(&bare, &same, query).served.last);
    let rest = ask(&world, &member, &format!("{query}&next={}", first.served.next.unwrap()));
    assert_eq!((ids_of(&rest.body), rest.served.more), (ids(10..11), false));
    // A client that knows only the date header gets there too.
    let rest = ask(&world, &member, &format!("{query}&added_after={}", first.served.last.unwrap()));
    assert_eq!(ids_of(&rest.body), ids(10..11));
}

#[test]
fn a_page_by_ids_is_no_larger_than_another() {
    let world = World::new(26);
    let (_, member) = world.member("one", &["programme"]);
    for n in 0..6 {
        let _ = world.publish("indicators", &[large(n, &[]), indicator(100 + n, 0, &[])]);
        world.pass(Duration::from_secs(1));
    }
    let wanted = ids(0..6).join(",");
    let query = format!("match[id]={wanted}");
    let filter = ObjectFilter::parse(Endpoint::Objects, &query).unwrap();
    let first = world.exchange.objects(&member, "indicators", &filter).unwrap();
    assert_eq!(ids_of(&first.body), ids(0..4), "four of 4 MB are within 16 MiB, and five are not");
    assert!(first.served.more);
    assert_eq!(poll(&world, &member, "indicators", &query).0, ids(0..6));
}
