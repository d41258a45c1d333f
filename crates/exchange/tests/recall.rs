//! How far a recall reaches: copies in every collection, derived objects, and whatever refers to the object.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::time::Duration;

use exchange::{PublishOptions, ReadError, RecallAction, RecallReport};
use model::{Caller, MemberId};
use taxii::{Endpoint, ObjectFilter};
use testkit::{TLP, World, envelope, indicator, indicator_id, relationship};

const WITHDRAW: RecallAction = RecallAction::Withdraw;

fn audience<const N: usize>(members: [&MemberId; N]) -> RecallAction {
    RecallAction::Relabel { audience: Some(members.into_iter().cloned().collect()), tlp: None }
}

fn everyone_up_to(tlp: u8) -> RecallAction {
    RecallAction::Relabel { audience: None, tlp: Some(tlp) }
}

fn link_id(n: u64) -> String {
    format!("relationship--00000000-0000-4000-8000-{n:012x}")
}

/// Relationship number `n`, marked GREEN, from indicator 100 to indicator `target`.
fn link(n: u64, target: u64) -> Vec<u8> {
    relationship(n, &indicator_id(100), &indicator_id(target), &[TLP[1]])
}

fn note_id(n: u64) -> String {
    format!("note--00000000-0000-4000-8000-{n:012x}")
}

/// Note number `n` on two objects, marked GREEN.
fn note(n: u64, one: &str, other: &str) -> Vec<u8> {
    let (id, green) = (note_id(n), TLP[1]);
    format!(
        r#"{{"type":"note","spec_version":"2.1","id":"{id}","created":"2012-01-13T00:00:00.000Z","modified":"2012-01-13T00:00:00.000Z","content":"see","object_refs":["{one}","{other}"],"object_marking_refs":["{green}"]}}"#
    )
    .into_bytes()
}

fn green(n: u64) -> Vec<u8> {
    indicator(n, 0, &[TLP[1]])
}

/// An object of the programme's own.
fn own(world: &World, n: u64, version: u32, markings: &[&str]) -> Vec<u8> {
    let identity = world.exchange.programme().settings().identity.id.clone();
    let object = String::from_utf8(indicator(n, version, markings)).unwrap();
    object.replace("\"pattern\":", &format!("\"created_by_ref\":\"{identity}\",\"pattern\":")).into_bytes()
}

/// An indicator at GREEN whose name is for named recipients only.
fn with_a_red_name(n: u64) -> Vec<u8> {
    let object = String::from_utf8(indicator(n, 0, &[TLP[1]])).unwrap();
    let parts = format!(
        r#""name":"the source's own name","granular_markings":[{{"marking_ref":"{}","selectors":["name"]}}],"pattern":"#,
        TLP[4]
    );
    object.replace("\"pattern\":", &parts).into_bytes()
}

/// What a poll from `after` on brings: ids and bodies.
fn poll(world: &World, caller: &Caller, collection: &str, after: &str) -> Vec<(String, String)> {
    let query = if after.is_empty() { String::new() } else { format!("added_after={after}") };
    let filter = ObjectFilter::parse(Endpoint::Objects, &query).unwrap();
    let answer = match world.exchange.objects(caller, collection, &filter) {
        Ok(answer) => answer,
        Err(error) => panic!("{error}"),
    };
    stix::split(&answer.body, &stix::Limits::default())
        .unwrap()
        .iter()
        .map(|object| {
            let id = stix::Head::parse(object).unwrap().id.into_owned();
            (id, String::from_utf8(object.to_vec()).unwrap())
        })
        .collect()
}

fn ids(world: &World, caller: &Caller, collection: &str) -> BTreeSet<String> {
    poll(world, caller, collection, "").into_iter().map(|(id, _)| id).collect()
}

fn set<const N: usize>(ids: [String; N]) -> BTreeSet<String> {
    ids.into()
}

fn publish_as(world: &World, caller: &Caller, objects: &[Vec<u8>]) {
    let told =
        world.exchange.publish(caller, "indicators", envelope(objects), PublishOptions::default()).unwrap();
    assert_eq!(told.status.failure_count, 0, "{:?}", told.status.failures);
    world.pass(Duration::from_secs(1));
}

fn recall(world: &World, object: &str, action: RecallAction) -> RecallReport {
    let report = world.exchange.recall(&world.operator, object, action, "a reason").unwrap();
    world.pass(Duration::from_secs(1));
    report
}

fn reached(report: &RecallReport) -> Vec<(&str, &str, usize)> {
    report.reached.iter().map(|one| (one.object.as_str(), one.action, one.receivers.len())).collect()
}

#[test]
fn a_relationship_goes_with_its_end_and_its_holders_are_told() {
    let world = World::new(1);
    let (one, reader) = world.member("one", &["programme"]);
    let (two, partial) = world.member("two", &["programme"]);
    let note_id = note_id(1);
    publish_as(
        &world,
        &world.operator,
        &[green(100), green(0), link(1, 0), note(1, &link_id(1), &link_id(1)), link(2, 9)],
    );
    assert_eq!(ids(&world, &reader, "indicators").len(), 5);
    let only = ObjectFilter::parse(Endpoint::Objects, "match[type]=relationship").unwrap();
    world.exchange.objects(&partial, "indicators", &only).unwrap();

    let report = recall(&world, &indicator_id(0), WITHDRAW);
    assert_eq!(reached(&report), [(note_id.as_str(), "re-labelled", 1), (&link_id(1), "re-labelled", 2)]);
    assert_eq!(
        report.told,
        BTreeSet::from([one.id.to_string(), two.id.to_string()]).into_iter().collect::<Vec<_>>()
    );
    assert_eq!(report.notices.len(), 2);
    let left = [indicator_id(100), link_id(2)];
    for (caller, holds_the_end) in [(&reader, true), (&partial, false)] {
        let mut seen = poll(&world, caller, "indicators", "");
        let (_, notice) = seen.pop().unwrap();
        assert_eq!(seen.iter().map(|(id, _)| id).collect::<BTreeSet<_>>(), left.iter().collect(), "{notice}");
        assert!(notice.contains("\"recalled\"") && notice.contains(&link_id(1)));
        assert!(!notice.contains(&link_id(2)));
        // Who never held the object is told of what it held, and no more.
        assert_eq!(notice.contains(&indicator_id(0)), holds_the_end, "{notice}");
    }
    // What comes later and refers to it stays in as well, and comes out when the object is here again.
    publish_as(&world, &world.operator, &[link(3, 0)]);
    assert!(!ids(&world, &reader, "indicators").contains(&link_id(3)));
    let cursor = world.exchange.now().to_string();
    publish_as(&world, &world.operator, &[green(0)]);
    let back: Vec<_> = poll(&world, &reader, "indicators", &cursor).into_iter().map(|(id, _)| id).collect();
    assert_eq!(back.iter().cloned().collect::<BTreeSet<_>>(), set([indicator_id(0), link_id(3)]));
    assert_eq!(back.len(), 2, "what it has already does not come twice");
    let late = world.member("late", &["programme"]).1;
    assert_eq!(ids(&world, &late, "indicators").len(), 6);
}

#[test]
fn a_relabelled_end_takes_its_relationships_along_both_ways() {
    let world = World::new(2);
    let (one, inside) = world.member("one", &["programme"]);
    let (_, outside) = world.member("two", &["programme"]);
    publish_as(&world, &world.operator, &[green(100), green(0), link(1, 0)]);
    for caller in [&inside, &outside] {
        assert_eq!(ids(&world, caller, "indicators").len(), 3);
    }
    let report = recall(&world, &indicator_id(0), audience([&one.id]));
    assert_eq!(reached(&report), [(link_id(1).as_str(), "re-labelled", 2)]);
    assert_eq!(ids(&world, &inside, "indicators"), set([indicator_id(100), indicator_id(0), link_id(1)]));
    let notice = report.notice.clone().unwrap();
    assert_eq!(ids(&world, &outside, "indicators"), set([indicator_id(100), notice]));
    let cursor = world.exchange.now().to_string();
    let everyone: BTreeSet<_> = world
        .exchange
        .members(&world.operator, None, usize::MAX)
        .unwrap()
        .into_iter()
        .map(|m| m.id)
        .collect();
    let report =
        recall(&world, &indicator_id(0), RecallAction::Relabel { audience: Some(everyone), tlp: None });
    assert!(report.told.is_empty() && report.notices.is_empty());
    assert!(ids(&world, &outside, "indicators").is_superset(&set([indicator_id(0), link_id(1)])));
    for caller in [&inside, &outside] {
        assert!(poll(&world, caller, "indicators", &cursor).is_empty(), "nobody gets what it has already");
    }
}

#[test]
fn a_recall_never_opens_what_another_end_closes() {
    let world = World::new(3);
    let (one, member) = world.member("one", &["programme"]);
    let between = relationship(1, &indicator_id(0), &indicator_id(1), &[TLP[1]]);
    publish_as(&world, &world.operator, &[green(0), green(1), between]);
    recall(&world, &indicator_id(0), everyone_up_to(4));
    recall(&world, &indicator_id(1), WITHDRAW);
    assert_eq!(ids(&world, &member, "indicators"), BTreeSet::new());
    recall(&world, &indicator_id(0), audience([&one.id]));
    assert_eq!(ids(&world, &member, "indicators"), set([indicator_id(0)]));
    publish_as(&world, &world.operator, &[green(1)]);
    assert_eq!(ids(&world, &member, "indicators"), set([indicator_id(0), indicator_id(1), link_id(1)]));
}

#[test]
fn a_derived_object_goes_with_the_whole() {
    let world = World::new(4);
    let (named, _) = world.member("one", &["programme"]);
    let (two, without) = world.member("two", &["programme"]);
    publish_as(&world, &world.operator, &[with_a_red_name(0)]);
    let derived: Vec<_> = ids(&world, &without, "indicators").into_iter().collect();
    assert!(derived.len() == 1 && derived[0] != indicator_id(0));

    // Named recipients get the whole, and nobody but them gets anything.
    let report = recall(&world, &indicator_id(0), audience([&named.id]));
    assert_eq!(reached(&report), [(derived[0].as_str(), "re-labelled", 1)]);
    assert_eq!(report.told, [two.id.to_string()]);
    let seen = ids(&world, &without, "indicators");
    assert_eq!(seen, set([report.notice.unwrap()]));
    // The other way round: who has the whole needs no derived one.
    let named = world.member("three", &["programme"]);
    recall(&world, &indicator_id(0), audience([&named.0.id]));
    assert_eq!(ids(&world, &named.1, "indicators"), set([indicator_id(0)]));
}

#[test]
fn what_is_derived_of_a_withdrawn_object_is_revoked_for_it_is_the_programmes_own() {
    let world = World::new(5);
    let (_, member) = world.member("one", &["programme"]);
    publish_as(&world, &world.operator, &[with_a_red_name(0)]);
    let derived = ids(&world, &member, "indicators").pop_first().unwrap();
    let report = recall(&world, &indicator_id(0), WITHDRAW);
    assert_eq!(reached(&report), [(derived.as_str(), "revoked", 1)]);
    assert!(report.told.is_empty() && !report.revoked);
    let seen = poll(&world, &member, "indicators", "");
    assert_eq!(seen.len(), 1);
    assert!(seen[0].0 == derived && seen[0].1.contains("\"revoked\":true"));
}

#[test]
fn every_collection_is_reached_and_told() {
    let world = World::new(6);
    let (one, both) = world.member("one", &["open", "programme"]);
    let (two, second) = world.member("two", &["programme"]);
    for collection in ["open", "indicators"] {
        let _ = world.publish(collection, &[green(0)]);
    }
    let _ = world.publish("open", &[green(100), link(1, 0)]);
    world.pass(Duration::from_secs(1));
    assert_eq!(ids(&world, &both, "open").len(), 3);
    assert_eq!(ids(&world, &both, "indicators").len(), 1);
    assert_eq!(ids(&world, &second, "indicators").len(), 1);
    let report = recall(&world, &indicator_id(0), WITHDRAW);
    assert_eq!(report.versions, 2);
    assert_eq!(
        report.told.iter().collect::<BTreeSet<_>>(),
        [&one.id.to_string(), &two.id.to_string()].into()
    );
    let notices = |caller, collection| {
        let seen = ids(&world, caller, collection);
        assert!(!seen.contains(&indicator_id(0)) && !seen.contains(&link_id(1)));
        seen.into_iter().filter(|id| id.starts_with("note--")).collect::<Vec<_>>()
    };
    // In `open` the relationship is lost too; in `indicators` both members lose the same.
    assert_eq!(notices(&both, "open").len(), 1);
    assert_eq!(notices(&both, "indicators"), notices(&second, "indicators"));
    assert_eq!(notices(&second, "indicators").len(), 1);
}

#[test]
fn the_programmes_own_is_revoked_wherever_somebody_reads_it_and_shows_nothing_new() {
    let world = World::new(7);
    let (one, inside) = world.member("one", &["open", "programme"]);
    let (_, outside) = world.member("two", &["open", "programme"]);
    publish_as(&world, &world.operator, &[own(&world, 0, 0, &[TLP[1]])]);
    let second = String::from_utf8(own(&world, 0, 1, &[TLP[4]])).unwrap().replace("host-0", "secret-0");
    let options = PublishOptions { audience: Some([one.id].into()), ..PublishOptions::default() };
    world.exchange.publish(&world.operator, "indicators", envelope(&[second.into_bytes()]), options).unwrap();
    let _ = world.publish("open", &[own(&world, 0, 0, &[TLP[1]])]);
    world.pass(Duration::from_secs(1));
    let report = recall(&world, &indicator_id(0), WITHDRAW);
    assert!(report.revoked && report.notice.is_none());
    let cases = [
        // who, where, what it reads in the revoked version
        (&inside, "indicators", "secret-0"),
        (&outside, "indicators", "host-0"),
        (&inside, "open", "host-0"),
        (&outside, "open", "host-0"),
    ];
    for (caller, collection, content) in cases {
        let seen = poll(&world, caller, collection, "");
        assert_eq!(seen.len(), 1, "{collection}");
        assert!(
            seen[0].1.contains("\"revoked\":true") && seen[0].1.contains(content),
            "{collection}: {seen:?}"
        );
    }
}

#[test]
fn a_recall_binds_what_other_submitters_refer_with_but_never_from_themselves() {
    let world = World::new(8);
    let (_, alpha) = world.member("one", &["programme"]);
    let (beta_id, beta) = world.member("two", &["programme"]);
    let (_, reader) = world.member("three", &["programme"]);
    publish_as(&world, &alpha, &[green(0), green(100)]);
    publish_as(&world, &beta, &[link(1, 0)]);
    assert_eq!(ids(&world, &reader, "indicators").len(), 3);
    assert_eq!(ids(&world, &beta, "indicators").len(), 3);
    let report = recall(&world, &indicator_id(0), WITHDRAW);
    assert_eq!(reached(&report), [(link_id(1).as_str(), "re-labelled", 2)]);
    let (told, kept) = (ids(&world, &reader, "indicators"), ids(&world, &beta, "indicators"));
    assert!(!told.contains(&link_id(1)) && kept.contains(&link_id(1)));
    assert!(report.told.contains(&beta_id.id.to_string()), "it holds the end");
}

#[test]
fn what_is_deleted_takes_along_what_was_derived_and_what_its_submitter_related_to_it() {
    let world = World::new(9);
    let (_, alpha) = world.member("one", &["programme"]);
    let (_, beta) = world.member("two", &["programme"]);
    let (_, reader) = world.member("three", &["programme"]);
    publish_as(&world, &alpha, &[green(100), with_a_red_name(0), link(1, 0)]);
    publish_as(&world, &beta, &[link(2, 0)]);
    // The reader may not have the whole, but a derived object in its place, and not the submitter's own relation to the
    // whole.
    assert_eq!(ids(&world, &reader, "indicators").len(), 3);
    let all = ObjectFilter::parse(Endpoint::Delete, "").unwrap();
    assert_eq!(world.exchange.delete(&alpha, "indicators", &indicator_id(0), &all).unwrap(), 1);
    world.pass(Duration::from_secs(1));
    assert_eq!(ids(&world, &reader, "indicators"), set([indicator_id(100), link_id(2)]));
    assert_eq!(ids(&world, &alpha, "indicators"), set([indicator_id(100), link_id(1), link_id(2)]));
    publish_as(&world, &alpha, &[green(0)]);
    assert!(ids(&world, &reader, "indicators").is_superset(&set([indicator_id(0), link_id(1)])));
}

#[test]
fn a_page_that_was_chosen_before_a_recall_does_not_leave_after_it() {
    let world = World::new(10);
    let (_, member) = world.member("one", &["programme"]);
    publish_as(&world, &world.operator, &[green(0)]);
    let before = world.exchange.epoch();
    recall(&world, &indicator_id(0), WITHDRAW);
    assert_eq!(world.exchange.epoch(), before.next());
    let object = world.exchange.object(&member, "indicators", &indicator_id(0), &ObjectFilter::default());
    assert!(matches!(object, Err(ReadError::NoSuchObject(_))));
}

#[test]
fn objects_that_refer_to_one_another_come_to_an_end() {
    let world = World::new(11);
    let (one, member) = world.member("one", &["programme"]);
    let circle = [note(1, &note_id(2), &indicator_id(0)), note(2, &note_id(1), &indicator_id(0))];
    publish_as(&world, &world.operator, &[green(0), circle[0].clone(), circle[1].clone()]);
    assert_eq!(ids(&world, &member, "indicators").len(), 3);
    let report = recall(&world, &indicator_id(0), everyone_up_to(4));
    assert_eq!(report.reached.len(), 2);
    assert_eq!(ids(&world, &member, "indicators"), set([report.notice.unwrap()]));
    recall(&world, &indicator_id(0), audience([&one.id]));
    assert!(ids(&world, &member, "indicators").is_superset(&set([indicator_id(0), note_id(1), note_id(2)])));
}

/// A note or an opinion of a member's on an indicator, with more properties; marked GREEN, and its text RED where it `hides` it.
fn said(kind: &str, n: u64, text: &str, more: &str, hides: bool) -> Vec<u8> {
    let (id, green, red) = (format!("{kind}--00000000-0000-4000-8000-{n:012x}"), TLP[1], TLP[4]);
    let hidden = format!(r#","granular_markings":[{{"marking_ref":"{red}","selectors":["{text}"]}}]"#);
    let hidden = if hides { hidden.as_str() } else { "" };
    format!(
        r#"{{"type":"{kind}","spec_version":"2.1","id":"{id}","created":"2012-01-13T00:00:00.000Z","modified":"2012-01-13T00:00:00.000Z","{text}":"x","object_refs":["{}"],"object_marking_refs":["{green}"]{hidden},{more}}}"#,
        indicator_id(0)
    )
    .into_bytes()
}

#[test]
fn nobody_takes_an_indicator_out_of_use_by_writing_what_the_programme_writes() {
    let world = World::new(9);
    let (_, victim) = world.member("one", &["programme"]);
    let (_, evil) = world.member("two", &["programme"]);
    publish_as(&world, &world.operator, &[green(0)]);
    let particulars = format!(r#"{{"objects":[{{"id":"{}"}}]}}"#, indicator_id(0));
    let recall = format!(r#""x_ringfence_recall":{particulars}"#);
    let spelt = format!(r#""x_ringfence\u005frecall":{particulars}"#);
    let verdict = r#""labels":["false-positive"],"opinion":"strongly-disagree""#;
    // Of the programme's people, too: a bundle from elsewhere is not what the programme says.
    for caller in [&evil, &world.operator] {
        let objects = [
            said("note", 1, "content", &recall, false),
            said("note", 2, "content", &spelt, false),
            // The hub would derive an object of its own from these.
            said("note", 3, "content", &recall, true),
        ];
        let told =
            world.exchange.publish(caller, "indicators", envelope(&objects), PublishOptions::default());
        let told = told.unwrap().status;
        assert_eq!((told.failure_count, told.success_count), (3, 0));
        assert!(told.failures[0].message.as_deref().unwrap().contains("the hub's own words"), "{told:?}");
    }
    publish_as(
        &world,
        &evil,
        &[
            said("opinion", 4, "explanation", verdict, false),
            said("opinion", 5, "explanation", verdict, true),
        ],
    );
    // An opinion is its author's, and comes as such; without its stricter parts it would have come as the programme's.
    let seen = poll(&world, &victim, "indicators", "");
    let seen: Vec<&str> = seen.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(seen, [indicator_id(0).as_str(), "opinion--00000000-0000-4000-8000-000000000004"]);
    // What the programme itself says, its people may move in.
    let identity = world.exchange.programme().settings().identity.id.clone();
    let own = said("note", 6, "content", &format!(r#""created_by_ref":"{identity}",{recall}"#), false);
    publish_as(&world, &world.operator, &[own]);
}
