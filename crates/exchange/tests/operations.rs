//! What operators, officers, publishers and overseers can do, and what they cannot.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::time::Duration;

use exchange::{
    AdminError, Attempt, AuthenticationError, NewCredential, PublishError, PublishOptions, ReadError,
    RecallAction,
};
use model::{Action, Caller, Principal, Role, Standing};
use taxii::{Endpoint, ObjectFilter};
use testkit::{TLP, World, at, caller_of, envelope, indicator, indicator_id, tier};

fn ids(world: &World, caller: &Caller, collection: &str) -> Vec<String> {
    let answer = world.exchange.objects(caller, collection, &ObjectFilter::default()).unwrap();
    stix::split(&answer.body, &stix::Limits::default())
        .unwrap()
        .iter()
        .map(|object| stix::Head::parse(object).unwrap().id.into_owned())
        .collect()
}

fn publish(
    world: &World,
    caller: &Caller,
    objects: &[Vec<u8>],
    options: PublishOptions,
) -> Result<exchange::Submission, PublishError> {
    world.exchange.publish(caller, "indicators", envelope(objects), options)
}

#[test]
fn good_objects_are_kept_and_bad_ones_are_named() {
    let world = World::new(1);
    let bad = br#"{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-0000000000aa"}"#;
    let told = world.publish("indicators", &[indicator(0, 0, &[]), bad.to_vec(), indicator(1, 0, &[])]);
    assert_eq!((told.status.total_count, told.status.success_count, told.status.failure_count), (3, 2, 1));
    assert_eq!(told.status.failures[0].id, "indicator--00000000-0000-4000-8000-0000000000aa");
    assert!(told.status.failures[0].message.as_ref().unwrap().contains("required-property"));
    let status = world.exchange.status(&world.operator, &told.status.id).unwrap();
    assert_eq!(
        status.successes.iter().map(|one| one.id.clone()).collect::<Vec<_>>(),
        [indicator_id(0), indicator_id(1)]
    );
}

#[test]
fn what_is_wrong_with_a_pattern_is_told_and_refuses_only_what_cannot_be_read() {
    let world = World::new(1);
    let with = |n: u64, pattern: &str| {
        let good = format!("[domain-name:value = 'host-{n}.example']");
        String::from_utf8(indicator(n, 0, &[])).unwrap().replace(&good, pattern).into_bytes()
    };
    let objects = [
        indicator(0, 0, &[]),
        with(1, "[domain-name:value = 'a.example' OR]"),
        with(2, "[network-traffic:dst_port = 'https']"),
        with(3, "[file:hashes.sha256 = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f']"),
    ];
    let told = world.publish("indicators", &objects);
    assert_eq!((told.status.success_count, told.status.failure_count), (3, 1));
    let failure = &told.status.failures[0];
    assert_eq!(failure.id, indicator_id(1));
    let message = failure.message.as_deref().unwrap();
    assert!(message.starts_with("/pattern, line 1, column 36: "), "{message}");
    // Those that were taken have remarks, and these stay with the status.
    for status in [told.status.clone(), world.exchange.status(&world.operator, &told.status.id).unwrap()] {
        let remarks = status.custom["x_ringfence_remarks"].as_array().unwrap();
        let ids: Vec<_> = remarks.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids, [indicator_id(2), indicator_id(3)]);
        assert!(remarks[0]["message"].as_str().unwrap().contains("dst_port"), "{remarks:?}");
        assert!(remarks[1]["message"].as_str().unwrap().contains("`SHA-256`"), "{remarks:?}");
    }
    let told = world.publish("indicators", &[indicator(9, 0, &[])]);
    assert!(told.status.custom.is_empty());
}

#[test]
fn a_status_is_its_submitters_and_is_kept_for_a_day() {
    let world = World::new(2);
    let (_, provider) = world.member("one", &["programme"]);
    let (_, other) = world.member("two", &["programme"]);
    let told = publish(&world, &provider, &[indicator(0, 0, &[])], PublishOptions::default()).unwrap();
    assert!(world.exchange.status(&provider, &told.status.id).is_ok());
    for stranger in [&other, &world.operator] {
        assert!(matches!(world.exchange.status(stranger, &told.status.id), Err(ReadError::NoSuchStatus(_))));
    }
    world.pass(Duration::from_mins(24 * 60 - 1));
    assert!(world.exchange.status(&provider, &told.status.id).is_ok());
    world.pass(Duration::from_secs(200));
    assert!(world.exchange.status(&provider, &told.status.id).is_err());
    // The next submission sweeps it away.
    let _ = world.publish("indicators", &[indicator(9, 0, &[])]);
    assert_eq!(world.store.snapshot().unwrap().list("status", "").unwrap().len(), 1);
}

#[test]
fn another_content_under_one_id_and_version_is_a_conflict() {
    let world = World::new(3);
    let _ = world.publish("indicators", &[indicator(0, 0, &[])]);
    let again = world.publish("indicators", &[indicator(0, 0, &[])]);
    assert_eq!((again.stored, again.status.success_count), (0, 1));
    let other = world.publish("indicators", &[indicator(0, 0, &[TLP[1]])]);
    assert_eq!(other.status.failure_count, 1);
    assert!(other.status.failures[0].message.as_ref().unwrap().starts_with("conflict"));
    let twice = world.publish("indicators", &[indicator(7, 0, &[]), indicator(7, 0, &[TLP[1]])]);
    assert_eq!((twice.stored, twice.status.failure_count), (1, 1));
}

#[test]
fn a_conflict_with_something_hidden_is_told_to_the_programme_only() {
    let world = World::new(4);
    let (_, provider) = world.member("one", &["programme"]);
    let _ = world.publish("indicators", &[indicator(0, 0, &[TLP[4]])]);
    let told = publish(&world, &provider, &[indicator(0, 0, &[TLP[1]])], PublishOptions::default()).unwrap();
    assert_eq!((told.status.success_count, told.status.failure_count), (1, 0));
    assert_eq!(ids(&world, &provider, "indicators"), [indicator_id(0)]);
    let findings = world.exchange.findings(&world.operator, 10).unwrap();
    assert_eq!(findings.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(), ["hidden-conflict"]);
    assert!(matches!(world.exchange.findings(&provider, 10), Err(AdminError::Forbidden { .. })));
}

#[test]
fn what_carries_an_unknown_marking_waits_for_its_definition() {
    let world = World::new(5);
    let (_, member) = world.member("one", &["programme"]);
    let marking = "marking-definition--00000000-0000-4000-8000-0000000000bb";
    let _ = world.publish("indicators", &[indicator(0, 0, &[marking]), indicator(1, 0, &[])]);
    assert_eq!(ids(&world, &member, "indicators"), [indicator_id(1)]);
    assert_eq!(world.exchange.findings(&world.operator, 10).unwrap()[0].code, "unknown-marking");
    let cursor = world.exchange.now();
    world.pass(Duration::from_secs(1));
    let definition = format!(
        r#"{{"type":"marking-definition","spec_version":"2.1","id":"{marking}","created":"2012-01-13T00:00:00.000Z","definition_type":"statement","definition":{{"statement":"for members"}}}}"#
    );
    let _ = world.publish("indicators", &[definition.into_bytes()]);
    world.pass(Duration::from_secs(1));
    assert_eq!(ids(&world, &member, "indicators").len(), 3);
    let filter = ObjectFilter { added_after: Some(cursor.as_micros()), ..ObjectFilter::default() };
    assert_eq!(world.exchange.objects(&member, "indicators", &filter).unwrap().served.count, 2);
}

#[test]
fn an_empty_audience_is_nobody_and_a_named_one_is_those() {
    let world = World::new(6);
    let (first, one) = world.member("one", &["programme"]);
    let (_, two) = world.member("two", &["programme"]);
    for (n, audience) in [(0, BTreeSet::new()), (1, BTreeSet::from([first.id.clone()]))] {
        let options = PublishOptions { audience: Some(audience), ..PublishOptions::default() };
        publish(&world, &world.operator, &[indicator(n, 0, &[TLP[4]])], options).unwrap();
    }
    assert_eq!(ids(&world, &one, "indicators"), [indicator_id(1)]);
    assert!(ids(&world, &two, "indicators").is_empty());
}

#[test]
fn terms_in_the_envelope_hold_however_they_are_spelled_or_refuse_the_whole() {
    let world = World::new(61);
    let (_, member) = world.member("one", &["programme"]);
    let say = |n: u64, before: &str, after: &str| {
        let object = String::from_utf8(indicator(n, 0, &[])).unwrap();
        let body = format!("{{{before}\"objects\":[{object}]{after}}}");
        world.exchange.publish(&world.operator, "indicators", body.into_bytes(), PublishOptions::default())
    };
    say(0, r#""x_ringfence_audience":[],"#, "").unwrap();
    say(1, "", r#","x_ringfence_audience":[]"#).unwrap();
    say(2, r#""x\u005fringfence_audience":[],"#, "").unwrap();
    let refused = [
        say(3, r#""x_ringfence_audience":[],"x_ringfence_audience":["member:0123456789abcdef"],"#, ""),
        say(4, r#""x_ringfence_audience":"nobody","#, ""),
        say(5, r#""x_ringfence_audiences":[],"#, ""),
        say(6, r#""x_ringfence_release_at":"soon","#, ""),
    ];
    for result in refused {
        assert!(matches!(result, Err(PublishError::BadProperty { .. } | PublishError::Malformed(_))));
    }
    world.pass(Duration::from_secs(1));
    assert!(ids(&world, &member, "indicators").is_empty());
}

#[test]
fn an_embargo_opens_and_a_release_ends_by_the_clock_alone() {
    let world = World::new(7);
    let (_, member) = world.member("one", &["programme"]);
    let options = PublishOptions {
        release_at: Some(at("2012-04-01T00:00:00Z")),
        release_until: Some(at("2012-05-01T00:00:00Z")),
        ..PublishOptions::default()
    };
    publish(&world, &world.operator, &[indicator(0, 0, &[])], options).unwrap();
    let _ = world.publish("indicators", &[indicator(1, 0, &[])]);
    assert_eq!(ids(&world, &member, "indicators"), [indicator_id(1)]);
    let filter =
        ObjectFilter { added_after: Some(world.exchange.now().as_micros()), ..ObjectFilter::default() };
    world.clock.set(at("2012-04-01T00:00:01Z"));
    let answer = world.exchange.objects(&member, "indicators", &filter).unwrap();
    assert_eq!(answer.served.count, 1);
    assert_eq!(answer.served.first.unwrap().to_string(), "2012-04-01T00:00:00.000001Z");
    world.clock.set(at("2012-05-01T00:00:00Z"));
    assert_eq!(ids(&world, &member, "indicators"), [indicator_id(1)]);
}

#[test]
fn a_withdrawn_object_is_gone_and_its_holders_are_told() {
    let world = World::new(8);
    let (holder, one) = world.member("one", &["programme"]);
    let (_, two) = world.member("two", &["programme"]);
    let _ = world.publish("indicators", &[indicator(0, 0, &[]), indicator(1, 0, &[])]);
    assert_eq!(ids(&world, &one, "indicators").len(), 2);
    let report = world
        .exchange
        .recall(&world.operator, &indicator_id(0), RecallAction::Withdraw, "a false positive")
        .unwrap();
    assert_eq!(report.told, [holder.id.to_string()]);
    assert_eq!(report.receivers.len(), 1);
    world.pass(Duration::from_secs(1));
    assert_eq!(ids(&world, &one, "indicators"), [indicator_id(1), report.notice.unwrap()]);
    assert_eq!(ids(&world, &two, "indicators"), [indicator_id(1)]);
    let gone = world.exchange.recall(&world.operator, &indicator_id(0), RecallAction::Withdraw, "again");
    assert!(matches!(gone, Err(AdminError::NoSuchObject(_))));
    let who = world.exchange.who(&world.operator, &indicator_id(0)).unwrap();
    assert_eq!(who.receivers[0].member, holder.id.to_string());
}

#[test]
fn what_the_programme_created_is_revoked_by_a_new_version() {
    let world = World::new(9);
    let (_, member) = world.member("one", &["programme"]);
    let own = world.exchange.programme().settings().identity.id.clone();
    let object = String::from_utf8(indicator(0, 0, &[])).unwrap();
    let object = object.replace("\"pattern\":", &format!("\"created_by_ref\":\"{own}\",\"pattern\":"));
    let _ = world.publish("indicators", &[object.into_bytes()]);
    let report =
        world.exchange.recall(&world.operator, &indicator_id(0), RecallAction::Withdraw, "wrong").unwrap();
    assert!(report.revoked && report.notice.is_none());
    world.pass(Duration::from_secs(1));
    let answer = world.exchange.objects(&member, "indicators", &ObjectFilter::default()).unwrap();
    assert_eq!(answer.served.count, 1);
    assert!(String::from_utf8(answer.body).unwrap().contains("\"revoked\":true"));
}

#[test]
fn a_submitter_deletes_its_own_and_nobody_elses() {
    let world = World::new(10);
    let (_, one) = world.member("one", &["programme"]);
    let (_, two) = world.member("two", &["programme"]);
    publish(&world, &one, &[indicator(0, 0, &[]), indicator(0, 1, &[])], PublishOptions::default()).unwrap();
    let all = ObjectFilter::parse(Endpoint::Delete, "").unwrap();
    let refused = world.exchange.delete(&two, "indicators", &indicator_id(0), &all);
    assert!(matches!(refused, Err(PublishError::Forbidden(_))));
    let unknown = world.exchange.delete(&two, "indicators", &indicator_id(5), &all);
    assert!(matches!(unknown, Err(PublishError::NoSuchObject(_))));
    assert_eq!(world.exchange.delete(&one, "indicators", &indicator_id(0), &all).unwrap(), 2);
    assert!(ids(&world, &two, "indicators").is_empty());
    assert!(matches!(
        world.exchange.object(&two, "indicators", &indicator_id(0), &ObjectFilter::default()),
        Err(ReadError::NoSuchObject(_))
    ));
    // Deleted is not forbidden for ever.
    publish(&world, &one, &[indicator(0, 1, &[])], PublishOptions::default()).unwrap();
    assert_eq!(ids(&world, &two, "indicators"), [indicator_id(0)]);
}

#[test]
fn only_its_creator_may_change_an_object() {
    let world = World::new(11);
    let (_, provider) = world.member("one", &["programme"]);
    let by = |version, creator: &str| {
        let object = String::from_utf8(indicator(0, version, &[])).unwrap();
        object.replace("\"pattern\":", &format!("\"created_by_ref\":\"{creator}\",\"pattern\":")).into_bytes()
    };
    let (a, b) =
        ("identity--00000000-0000-4000-8000-00000000000a", "identity--00000000-0000-4000-8000-00000000000b");
    let _ = world.publish("indicators", &[by(0, a)]);
    assert_eq!(world.publish("indicators", &[by(1, b)]).status.failure_count, 1);
    assert_eq!(world.publish("indicators", &[by(1, a)]).status.failure_count, 0);
    let own = world.exchange.programme().settings().identity.id.clone();
    let told = publish(&world, &provider, &[by(2, &own)], PublishOptions::default()).unwrap();
    assert!(told.status.failures[0].message.as_ref().unwrap().contains("created_by_ref"));
}

#[test]
fn the_ledger_says_who_holds_what_and_proves_it() {
    let world = World::new(12);
    let (member, one) = world.member("one", &["programme"]);
    let (_, two) = world.member("two", &["programme"]);
    let _ = world.publish("indicators", &[indicator(0, 0, &[]), indicator(1, 0, &[])]);
    let first = ObjectFilter::parse(Endpoint::Objects, "limit=1").unwrap();
    world.exchange.objects(&one, "indicators", &first).unwrap();
    world.exchange.manifest(&one, "indicators", &ObjectFilter::default()).unwrap();
    let holds = world.exchange.holds(&world.operator, &member.id).unwrap();
    let held: Vec<_> = holds.objects.iter().map(|held| (held.id.clone(), held.whole)).collect();
    assert_eq!(held, [(indicator_id(0), true), (indicator_id(1), false)]);
    assert!(world.exchange.holds(&one, &member.id).is_ok());
    assert!(world.exchange.holds(&two, &member.id).is_err());

    let checkpoint = world.exchange.ledger_head();
    let trust = ledger::Trust::in_key(checkpoint.vkey.parse().unwrap()).unwrap();
    let receipt = world.exchange.receipt(&one, holds.objects[0].entry).unwrap();
    let (opening, _) = receipt.verify_opening(&trust).unwrap();
    assert_eq!(opening.read().unwrap().member(), Some(member.id.as_str()));
    assert!(world.exchange.receipt(&two, holds.objects[0].entry).is_err());
}

#[test]
fn nothing_leaves_unrecorded() {
    let world = World::new(13);
    let (_, one) = world.member("one", &["programme"]);
    let _ = world.publish("indicators", &[indicator(0, 0, &[])]);
    let size = || world.exchange.ledger_head().size;
    let before = size();
    assert!(!world.exchange.collections(&one).is_empty());
    world
        .exchange
        .objects(&one, "indicators", &ObjectFilter::parse(Endpoint::Objects, "match[type]=malware").unwrap())
        .unwrap();
    assert_eq!(size(), before);
    world.exchange.objects(&one, "indicators", &ObjectFilter::default()).unwrap();
    world.exchange.manifest(&one, "indicators", &ObjectFilter::default()).unwrap();
    world.exchange.object(&one, "indicators", &indicator_id(0), &ObjectFilter::default()).unwrap();
    world.exchange.versions(&one, "indicators", &indicator_id(0), &ObjectFilter::default()).unwrap();
    world.exchange.stream(&one, "indicators", None, model::Timestamp::MIN, Duration::ZERO).unwrap();
    assert_eq!(size(), before + 5);
}

fn credential(principal: Principal) -> NewCredential {
    NewCredential {
        principal,
        login: None,
        actions: [Action::Read].into(),
        collections: None,
        expires: None,
        note: String::new(),
        person: None,
        password: None,
    }
}

#[test]
fn a_credential_is_scoped_expires_and_is_revoked_at_once() {
    let world = World::new(14);
    let (member, _) = world.member("one", &["open", "programme"]);
    let open = world.exchange.collection(&world.operator, "open").unwrap().collection.id;
    let new = NewCredential {
        collections: Some([open].into()),
        expires: Some(at("2012-06-01T00:00:00Z")),
        ..credential(Principal::Member(member.id))
    };
    let issued = world.exchange.issue_credential(&world.operator, new).unwrap();
    let token = issued.token.clone().unwrap();
    let basic = Attempt::Basic { login: &issued.record.login, secret: &issued.secret };
    let caller = world.exchange.authenticate(&basic, "192.0.2.1").unwrap();
    assert_eq!(world.exchange.authenticate(&Attempt::Bearer(&token), "192.0.2.1").unwrap(), caller);
    let seen: Vec<_> =
        world.exchange.collections(&caller).into_iter().map(|view| view.collection.alias).collect();
    assert_eq!(seen, ["open"]);
    assert!(matches!(
        world.exchange.objects(&caller, "indicators", &ObjectFilter::default()),
        Err(ReadError::NoSuchCollection(_))
    ));
    world.clock.set(at("2012-06-01T00:00:00Z"));
    assert_eq!(world.exchange.authenticate(&basic, "192.0.2.1"), Err(AuthenticationError::Refused));
    world.clock.set(at("2012-05-01T00:00:00Z"));
    assert!(world.exchange.authenticate(&basic, "192.0.2.1").is_ok());
    world.exchange.revoke_credential(&world.operator, &issued.record.id).unwrap();
    assert_eq!(world.exchange.authenticate(&basic, "192.0.2.1"), Err(AuthenticationError::Refused));
    // A request that was recognised before the revocation and takes its time gets no further either.
    let late = world.exchange.objects(&caller, "open", &ObjectFilter::default());
    assert!(matches!(late, Err(ReadError::Revoked)));
}

#[test]
fn guessing_is_stopped_before_it_costs_anything() {
    let world = World::new(15);
    let (member, _) = world.member("one", &["programme"]);
    let new = NewCredential {
        login: Some("person".to_owned()),
        password: Some("correct horse battery".to_owned()),
        ..credential(Principal::Member(member.id))
    };
    world.exchange.issue_credential(&world.operator, new).unwrap();
    let allowed = world.exchange.programme().settings().limits.failed_attempts_per_minute;
    let wrong = Attempt::Basic { login: "person", secret: "wrong" };
    for _ in 0..allowed {
        assert_eq!(world.exchange.authenticate(&wrong, "192.0.2.1"), Err(AuthenticationError::Refused));
    }
    let throttled = world.exchange.authenticate(&wrong, "192.0.2.1");
    assert!(matches!(throttled, Err(AuthenticationError::Throttled { retry_after_seconds: 1..=61 })));
    world.pass(Duration::from_secs(61));
    let right = Attempt::Basic { login: "person", secret: "correct horse battery" };
    assert!(world.exchange.authenticate(&right, "192.0.2.2").is_ok());
}

#[test]
fn each_role_does_its_own_part_only() {
    let world = World::new(16);
    let (member, caller) = world.member("one", &["programme"]);
    let as_role = |role| caller_of(Principal::Role(role));
    let suspend = |caller: &Caller| {
        world
            .exchange
            .set_standing(caller, &member.id, &tier("programme"), Standing::Suspended, "a tie")
            .map(drop)
    };
    for who in [&caller, &as_role(Role::Reviewer), &as_role(Role::Overseer)] {
        assert!(matches!(suspend(who), Err(AdminError::Forbidden { .. })));
    }
    assert!(suspend(&as_role(Role::Officer)).is_ok());
    let no_reason =
        world.exchange.set_standing(&world.operator, &member.id, &tier("programme"), Standing::Listed, " ");
    assert!(matches!(no_reason, Err(AdminError::Invalid(_))));
    let no_step = world.exchange.set_standing(
        &world.operator,
        &member.id,
        &tier("programme"),
        Standing::Applicant,
        "x",
    );
    assert!(matches!(no_step, Err(AdminError::Transition(_))));
    let no_tier =
        world.exchange.set_standing(&world.operator, &member.id, &tier("secret"), Standing::Listed, "x");
    assert!(matches!(no_tier, Err(AdminError::NoSuchTier { .. })));
    // Whoever holds a member's credential reads as the member does, and an officer reads nothing restricted.
    let member = Principal::Member(member.id.clone());
    for principal in [Principal::Role(Role::Operator), member.clone()] {
        for role in [Role::Officer, Role::Reviewer, Role::Overseer] {
            let told = world.exchange.issue_credential(&as_role(role), credential(principal.clone()));
            assert!(matches!(told, Err(AdminError::Forbidden { .. })), "{role:?} for {principal:?}");
        }
    }
    let issued = world.exchange.issue_credential(&world.operator, credential(member)).unwrap();
    assert!(world.exchange.revoke_credential(&as_role(Role::Officer), &issued.record.id).is_ok());
}

#[test]
fn objects_with_given_dates_keep_them_and_their_order() {
    let world = World::new(17);
    let dates = vec![at("2011-04-02T00:00:00Z"), at("2011-04-03T00:00:00Z")];
    let seed = |first: u64, dates: &[model::Timestamp], caller: &Caller| {
        let options = PublishOptions { dates: Some(dates.to_vec()), ..PublishOptions::default() };
        publish(&world, caller, &[indicator(first, 0, &[]), indicator(first + 1, 0, &[])], options)
    };
    seed(0, &dates, &world.operator).unwrap();
    let records =
        world.exchange.manifest(&world.operator, "indicators", &ObjectFilter::default()).unwrap().records;
    let got: Vec<_> = records.iter().map(|record| record.date_added.clone()).collect();
    assert_eq!(got, dates.iter().map(ToString::to_string).collect::<Vec<_>>());
    let refused = [
        seed(2, &dates, &world.operator),
        seed(2, &[at("2011-05-02T00:00:00Z"), at("2011-05-01T00:00:00Z")], &world.operator),
    ];
    for result in refused {
        assert!(matches!(result, Err(PublishError::OutOfOrder(_))));
    }
    // A member that comes after has them as its history, and what is published now behind them.
    let (_, member) = world.member("late", &["programme"]);
    let _ = world.publish("indicators", &[indicator(9, 0, &[])]);
    world.pass(Duration::from_secs(1));
    assert_eq!(ids(&world, &member, "indicators"), [indicator_id(0), indicator_id(1), indicator_id(9)]);
    let later = [at("2011-06-01T00:00:00Z"), at("2011-06-02T00:00:00Z")];
    assert!(matches!(seed(4, &later, &world.operator), Err(PublishError::OutOfOrder(_))));
    assert!(matches!(seed(4, &later, &member), Err(PublishError::Forbidden(_))));
}

#[test]
fn a_new_policy_is_an_epoch_and_holds_for_the_next_request() {
    let world = World::new(18);
    let (_, member) = world.member("one", &["programme"]);
    let _ = world.publish("indicators", &[indicator(0, 0, &[TLP[2]]), indicator(1, 0, &[TLP[1]])]);
    assert_eq!(ids(&world, &member, "indicators").len(), 2);
    let mut files = programme::template();
    let cedar = String::from_utf8(files["release.cedar"].clone()).unwrap();
    let stricter = format!(
        "{cedar}\n@id(\"no-amber\")\n@text(\"Nothing at AMBER for now.\")\n@source(\"a test\")\nforbid (principal is Member, action == Action::\"read\", resource is Label) when {{ resource.tlp >= 2 }};\n"
    );
    files.insert("release.cedar".to_owned(), stricter.into_bytes());
    let programme = std::sync::Arc::new(programme::Programme::from_files(&files).unwrap());
    let before = world.exchange.epoch();
    let after = world.exchange.put_in_force(&programme, "a test").unwrap();
    assert_eq!(after, before.next());
    assert_eq!(ids(&world, &member, "indicators"), [indicator_id(1)]);
}

#[test]
fn only_the_programme_defines_markings_for_others_and_none_redefines_a_published_one() {
    let world = World::new(31);
    let (_, member) = world.member("one", &["programme"]);
    let (_, hostile) = world.member("two", &["programme"]);
    let statement = |id: &str| {
        format!(
            r#"{{"type":"marking-definition","spec_version":"2.1","id":"{id}","created":"2012-01-13T00:00:00.000Z","definition_type":"statement","definition":{{"statement":"mine"}}}}"#
        )
        .into_bytes()
    };
    let unknown = "marking-definition--00000000-0000-4000-8000-0000000000cc";
    let _ = world.publish("indicators", &[indicator(0, 0, &[unknown])]);
    publish(&world, &hostile, &[statement(unknown), statement(TLP[4])], PublishOptions::default()).unwrap();
    let _ = world.publish("indicators", &[indicator(1, 0, &[TLP[4]]), indicator(2, 0, &[TLP[1]])]);
    world.pass(Duration::from_secs(1));
    let seen = ids(&world, &member, "indicators");
    assert!(!seen.contains(&indicator_id(0)) && !seen.contains(&indicator_id(1)), "{seen:?}");
    assert!(seen.contains(&indicator_id(2)));
}

#[test]
fn nobody_replaces_what_it_cannot_see() {
    let world = World::new(32);
    let (_, hostile) = world.member("one", &["programme"]);
    let by = |version, creator: &str, marking: &str| {
        let object = String::from_utf8(indicator(0, version, &[marking])).unwrap();
        object.replace("\"pattern\":", &format!("\"created_by_ref\":\"{creator}\",\"pattern\":")).into_bytes()
    };
    let own = world.exchange.programme().settings().identity.id.clone();
    let theirs = "identity--00000000-0000-4000-8000-00000000000b";
    let _ = world.publish("indicators", &[by(0, &own, TLP[4])]);
    let told = publish(&world, &hostile, &[by(9, theirs, TLP[1])], PublishOptions::default()).unwrap();
    assert_eq!(told.status.success_count, 1);
    world.pass(Duration::from_secs(1));
    assert_eq!(ids(&world, &hostile, "indicators"), [indicator_id(0)]);
    let answer = world.exchange.objects(&world.operator, "indicators", &ObjectFilter::default()).unwrap();
    assert!(String::from_utf8(answer.body).unwrap().contains(&own));
}

/// A member's guard that reports one hit by each countermeasure.
fn guard_that_reports(world: &World) -> Caller {
    drop(world.publish("indicators", &[indicator(0, 0, &[]), indicator(1, 0, &[])]));
    let (member, _) = world.member("Reader", &["open", "programme"]);
    let issued =
        world.exchange.issue_credential(&world.operator, credential(Principal::Member(member.id))).unwrap();
    let record = issued.record;
    let guard = Caller {
        principal: record.principal,
        credential: record.id,
        actions: record.actions,
        collections: record.collections,
    };
    world.exchange.hear_guard(&guard, "1.0");
    let fact = |n: u64, countermeasure: &str| {
        let hour = "2012-03-27T23:00:00.000000Z";
        serde_json::json!({
            "type": "sighting", "spec_version": "2.1", "id": format!("sighting--00000000-0000-4000-8000-{n:012x}"),
            "created": hour, "modified": hour, "first_seen": hour, "last_seen": hour, "count": 5,
            "sighting_of_ref": indicator_id(n % 2),
            "extensions": {exchange::OCCURRENCE_EXTENSION: {
                "extension_type": "property-extension", "countermeasure": countermeasure, "action": "enforced",
            }},
        })
    };
    let facts = [fact(0, "sinkhole"), fact(1, "sinkhole"), fact(2, "flow")];
    for facts in [&facts[..2], &facts[1..]] {
        world.exchange.report_occurrences(&guard, facts).unwrap();
    }
    guard
}

#[test]
fn what_was_heard_of_a_guard_outlives_a_restart() {
    let files = testkit::one_person_programme();
    let mut world = World::over(std::sync::Arc::new(store::MemoryStore::new()), &files, 1);
    let guard = guard_that_reports(&world);
    world.exchange.tend_if_due().unwrap();
    let heard = world.exchange.guards(&world.operator).unwrap()[0].heard;
    world.pass(Duration::from_hours(30));
    world.reopen(&files, 2);
    let guards = world.exchange.guards(&world.operator).unwrap();
    assert_eq!(guards.len(), 1);
    assert_eq!((&guards[0].credential, guards[0].version.as_str()), (&guard.credential, "1.0"));
    assert_eq!((guards[0].heard, guards[0].state), (heard, exchange::GuardState::LeaseOver));
    assert_eq!(guards[0].reported.keys().copied().collect::<Vec<_>>(), ["flow", "sinkhole"]);
    world.exchange.hear_guard(&guard, "1.1");
    let guards = world.exchange.guards(&world.operator).unwrap();
    assert_eq!((guards[0].state, guards[0].version.as_str()), (exchange::GuardState::Heard, "1.1"));
    // Without its credential it is forgotten, on the disk too.
    world.exchange.revoke_credential(&world.operator, &guard.credential).unwrap();
    assert!(world.exchange.guards(&world.operator).unwrap().is_empty());
}

#[test]
fn sums_of_hits_are_those_of_the_facts_in_the_data_of_an_older_build_too() {
    let files = testkit::one_person_programme();
    let mut world = World::over(std::sync::Arc::new(store::MemoryStore::new()), &files, 1);
    guard_that_reports(&world);
    let told = |world: &World| {
        let days = world.exchange.hits_by_day(&world.operator).unwrap();
        let top = world.exchange.top_hits(&world.operator, 10).unwrap();
        (days, top)
    };
    let (days, top) = told(&world);
    let said: Vec<_> =
        days.iter().map(|day| (day.countermeasure, day.facts, day.count, day.enforced)).collect();
    assert_eq!(said, [("sinkhole", 2, 10, 10), ("flow", 1, 5, 5)]);
    let said: Vec<_> = top.iter().map(|one| (one.object.clone(), one.count)).collect();
    assert_eq!(said, [(indicator_id(0), 10), (indicator_id(1), 5)], "the most hits first, each once");
    let mut transaction = world.store.begin().unwrap();
    for kind in ["occurrence-sum", "occurrence-rank", "occurrence-summed"] {
        for record in world.store.snapshot().unwrap().list(kind, "").unwrap() {
            transaction.remove(kind, &record.key).unwrap();
        }
    }
    transaction.commit().unwrap();
    world.reopen(&files, 2);
    assert_eq!(told(&world), (days, top));
}
