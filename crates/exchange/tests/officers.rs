//! What officers owe each other and what members owe them: two different people, reports of changes, alerts, pages.

#![expect(clippy::unwrap_used, reason = "what cannot be set up or decided fails the test, as it should")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use exchange::{Answer, Bound, Duty, DutyOf, NewCredential, Stepped, Waiting};
use model::{Action, Caller, Member, Principal, Role, Standing};
use programme::template;
use store::MemoryStore;
use testkit::{World, caller_of, tier};
use ties::Statement;

fn days(number: u64) -> Duration {
    Duration::from_secs(number * 86_400)
}

fn said_by(publisher: Option<&str>, id: &str, said: &str) -> Statement {
    let publisher = publisher.map(|name| format!(r#","publisher":"{name}""#)).unwrap_or_default();
    let source = format!(r#"{{"document":"{id}"{publisher}}}"#);
    let text =
        format!(r#"{{"id":"{id}","said":{said},"source":{source},"recorded":"2000-01-01T00:00:00Z"}}"#);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn company(id: &str, country: &str) -> Statement {
    let body = format!(
        r#"{{"entity":{{"id":"{id}","kind":"organisation","countries":["{country}"],"publicly_listed":true}}}}"#
    );
    said_by(None, &format!("e-{id}"), &body)
}

/// That `quarry` holds a part of a foreign company: it is told, and closes nothing.
fn stake(publisher: Option<&str>, name: &str, percent: &str) -> Statement {
    let kind = format!(r#"{{"holds":{{"votes":"{percent}","money":"{percent}"}}}}"#);
    let body = format!(
        r#"{{"tie":{{"id":"t-{name}","from":"quarry","to":"{name}","kind":{kind},"valid":{{"from":"2008"}}}}}}"#
    );
    said_by(publisher, &format!("s-{name}"), &body)
}

fn import(world: &World, statements: Vec<Statement>) {
    let imported = world.exchange.import_ties(&world.operator, statements, "a test").unwrap();
    assert!(imported.refused.is_empty(), "{imported:?}");
}

/// A member that is an entity with companies around it, and has attested that there is nothing to tell.
struct Scene {
    world: World,
    member: Member,
    caller: Caller,
}

impl Scene {
    fn new() -> Self {
        let world = World::over(Arc::new(MemoryStore::new()), &template(), 7);
        let (member, caller) = world.member("Quarry", &["open", "cleared"]);
        let companies = [("quarry", "US"), ("other", "US"), ("abroad", "DE"), ("far", "FR")];
        import(&world, companies.into_iter().map(|(id, country)| company(id, country)).collect());
        world.exchange.bind_entity(&world.operator, &member.id, &"quarry".parse().unwrap()).unwrap();
        Self { world, member, caller }
    }

    fn attest(&self, tells: &str) {
        let programme = self.world.exchange.programme();
        let questions = &programme.questionnaire().unwrap().questions;
        let answer = |yes| Answer { yes, list: if yes { vec![tells.to_owned()] } else { Vec::new() } };
        let answers: BTreeMap<_, _> =
            questions.iter().map(|q| (q.id.clone(), answer(q.id == "2" && !tells.is_empty()))).collect();
        self.world.exchange.attest(&self.caller, "N. N.", answers).unwrap();
    }

    fn reports(&self) -> Vec<Duty> {
        let dossier = self.world.exchange.dossier(&self.world.operator, &self.member.id).unwrap();
        dossier.duties.into_iter().filter(|duty| duty.of == DutyOf::Report).collect()
    }

    fn owes(&self) -> bool {
        self.reports().iter().any(|duty| duty.done.is_none())
    }

    fn standing(&self, name: &str) -> Standing {
        self.world.exchange.member(&self.world.operator, &self.member.id).unwrap().standing(&tier(name))
    }

    fn officer(&self, person: Option<&str>) -> Caller {
        let new = NewCredential {
            principal: Principal::Role(Role::Officer),
            login: None,
            actions: [Action::Read, Action::Administer].into(),
            collections: None,
            expires: None,
            note: String::new(),
            person: person.map(str::to_owned),
            password: None,
        };
        let issued = self.world.exchange.issue_credential(&self.world.operator, new).unwrap();
        Caller { credential: issued.record.id, ..caller_of(Principal::Role(Role::Officer)) }
    }
}

#[test]
fn a_change_that_others_made_known_is_to_be_reported_and_told_by_an_attestation() {
    let scene = Scene::new();
    let settings = scene.world.exchange.programme().settings().vetting.clone();
    import(&scene.world, vec![stake(None, "far", "3%")]);
    assert!(!scene.owes(), "its first attestation is still to come, and says all of it");
    scene.attest("3 % of far");
    import(&scene.world, vec![stake(None, "abroad", "20%")]);
    let [duty] = &scene.reports()[..] else { panic!("{:?}", scene.reports()) };
    assert_eq!(duty.due.since(duty.since), days(u64::from(settings.report_days)));
    let alerts = scene.world.exchange.alerts(&scene.world.operator, "").unwrap();
    let told = alerts.iter().filter(|alert| alert.kind == "duty" && alert.text.contains("has to report"));
    assert_eq!(told.count(), 1, "{alerts:?}");
    // It is not certified away, and an attestation that says what the last one said tells nothing.
    let refused = scene.world.exchange.fulfil(&scene.caller, &scene.member.id, &duty.id, "done").unwrap_err();
    assert!(refused.to_string().contains("questionnaire"), "{refused}");
    scene.attest("3 % of far");
    assert!(scene.owes());
    scene.attest("3 % of far and 20 % of abroad");
    assert!(!scene.owes());
    scene.world.pass(days(60));
    scene.world.exchange.tend().unwrap();
    assert!(!scene.owes() && scene.standing("cleared") == Standing::Listed);
}

#[test]
fn what_is_not_reported_in_time_takes_the_member_off_the_list_as_the_rule_says() {
    let scene = Scene::new();
    scene.attest("");
    import(&scene.world, vec![stake(None, "abroad", "20%")]);
    let days_given = scene.world.exchange.programme().settings().vetting.report_days;
    scene.world.pass(days(u64::from(days_given) - 1));
    scene.world.exchange.tend_if_due().unwrap();
    assert_eq!(scene.standing("cleared"), Standing::Listed);
    scene.world.pass(days(2));
    scene.world.exchange.tend_if_due().unwrap();
    let dossier = scene.world.exchange.dossier(&scene.world.operator, &scene.member.id).unwrap();
    let rules = &dossier.decided[&tier("cleared")].rules;
    assert!(rules.contains("R22-late-report") && rules.contains("R24-overdue"), "{rules:?}");
    assert_eq!(scene.standing("cleared"), Standing::Suspended);
    assert_eq!(scene.standing("open"), Standing::Listed, "the rules do not ask for it there");
    // Late is better than never: then the rules propose the return.
    scene.attest("20 % of abroad");
    let waiting = scene.world.exchange.proposals(&scene.world.operator, None, 10).unwrap();
    let steps: Vec<_> = waiting.into_iter().filter_map(Waiting::step).collect();
    assert_eq!((steps.len(), steps[0].to), (1, Standing::Listed));
}

#[test]
fn what_the_member_said_itself_what_is_undone_and_what_lists_say_is_no_change_to_report() {
    let scene = Scene::new();
    scene.attest("");
    let id = scene.member.id.to_string();
    import(&scene.world, vec![stake(Some(&id), "abroad", "20%")]);
    assert!(!scene.owes(), "it is recorded from its own word");
    import(
        &scene.world,
        vec![said_by(None, "l", r#"{"listing":{"id":"l","list":"concern","entity":"abroad"}}"#)],
    );
    assert!(!scene.owes(), "a list names another");
    import(&scene.world, vec![stake(Some("another"), "far", "30%")]);
    assert!(scene.owes(), "others said it");
    import(&scene.world, vec![said_by(None, "r", r#"{"retraction":{"of":"s-far","because":"a mistake"}}"#)]);
    assert!(!scene.owes() && scene.reports().is_empty(), "there is nothing to report any more");
    import(&scene.world, vec![said_by(None, "n", r#"{"entity":{"id":"nobody","kind":"organisation"}}"#)]);
    assert!(!scene.owes(), "it is not about the member");
    // An officer may find that there was nothing to report.
    let statement = said_by(
        None,
        "s-far-2",
        r#"{"tie":{"id":"t-far-2","from":"quarry","to":"far","kind":{"holds":{"votes":"40%","money":"40%"}},"valid":{"from":"2008"}}}"#,
    );
    import(&scene.world, vec![statement]);
    let open = scene.reports().into_iter().find(|duty| duty.done.is_none()).unwrap();
    let text = "it had told us by letter";
    scene.world.exchange.fulfil(&scene.world.operator, &scene.member.id, &open.id, text).unwrap();
    assert!(!scene.owes());
}

#[test]
fn a_listed_member_becomes_another_entity_by_two_people() {
    let scene = Scene::new();
    let (one, two) = (scene.officer(Some("A. Ash")), scene.officer(Some("B. Birch")));
    let bind = |caller: &Caller, entity: &str| {
        scene.world.exchange.bind_entity(caller, &scene.member.id, &entity.parse().unwrap())
    };
    let entity = || {
        let dossier = scene.world.exchange.dossier(&scene.world.operator, &scene.member.id).unwrap();
        dossier.entity.unwrap().to_string()
    };
    assert!(matches!(bind(&one, "quarry").unwrap(), Bound::Changed(_)), "it is that already");
    let Bound::Proposed(waiting) = bind(&one, "other").unwrap() else { panic!("one person did it") };
    assert_eq!((waiting.agreed.len(), waiting.needs, entity().as_str()), (1, 2, "quarry"));
    assert!(bind(&one, "other").unwrap_err().to_string().contains("another person"));
    let told = scene.world.exchange.proposals(&scene.world.operator, None, 10).unwrap();
    assert_eq!(told, [Waiting::Binding(waiting.clone())]);
    // Agreeing to something else is not agreeing to this.
    let Bound::Proposed(second) = bind(&two, "far").unwrap() else { panic!("one person did it") };
    assert_eq!((second.agreed.len(), entity().as_str()), (1, "quarry"));
    scene.world.exchange.withdraw_rebinding(&one, &scene.member.id).unwrap();
    assert!(scene.world.exchange.withdraw_rebinding(&one, &scene.member.id).is_err());
    assert!(matches!(bind(&one, "other").unwrap(), Bound::Proposed(_)));
    assert!(matches!(bind(&two, "other").unwrap(), Bound::Changed(_)));
    assert_eq!(entity(), "other");
    assert!(scene.world.exchange.proposals(&scene.world.operator, None, 10).unwrap().is_empty());
    // A member on no list has nothing to lose by it.
    for name in ["open", "cleared"] {
        let step = |caller| {
            let to = Standing::Suspended;
            scene.world.exchange.set_standing(caller, &scene.member.id, &tier(name), to, "a test")
        };
        assert!(matches!(step(&one).unwrap(), Stepped::Changed(_)));
    }
    assert!(matches!(bind(&one, "quarry").unwrap(), Bound::Changed(_)));
}

#[test]
fn two_credentials_of_one_person_are_one_person() {
    let scene = Scene::new();
    let (ash, also_ash, birch, nobody) = (
        scene.officer(Some("A. Ash")),
        scene.officer(Some("  a.  ASH ")),
        scene.officer(Some("B. Birch")),
        scene.officer(None),
    );
    let remove = |caller: &Caller| {
        let to = Standing::Removed;
        scene.world.exchange.set_standing(caller, &scene.member.id, &tier("cleared"), to, "a test")
    };
    let bind = |caller: &Caller| {
        scene.world.exchange.bind_entity(caller, &scene.member.id, &"other".parse().unwrap())
    };
    assert!(matches!(remove(&ash).unwrap(), Stepped::Proposed(_)));
    assert!(matches!(bind(&ash).unwrap(), Bound::Proposed(_)));
    assert!(remove(&also_ash).unwrap_err().to_string().contains("another person"));
    assert!(bind(&also_ash).unwrap_err().to_string().contains("another person"));
    assert_eq!(scene.standing("cleared"), Standing::Listed);
    // One that names nobody could be anybody's, and is told what to do.
    for refused in [remove(&nobody).unwrap_err(), bind(&nobody).unwrap_err()] {
        assert!(refused.to_string().contains("--person NAME"), "{refused}");
    }
    assert!(matches!(remove(&birch).unwrap(), Stepped::Changed(_)));
    assert!(matches!(bind(&birch).unwrap(), Bound::Changed(_)));
    // What one person may do, anybody's credential may.
    let to = Standing::Suspended;
    let step = scene.world.exchange.set_standing(&nobody, &scene.member.id, &tier("open"), to, "a test");
    assert!(matches!(step.unwrap(), Stepped::Changed(_)));
}

#[test]
fn time_to_negotiate_is_begun_again_by_somebody_else() {
    let scene = Scene::new();
    let (ash, also_ash, birch) =
        (scene.officer(Some("A. Ash")), scene.officer(Some("a. ash")), scene.officer(Some("B. Birch")));
    let begin = |by: &Caller| {
        scene.world.exchange.begin_negotiation(by, &scene.member.id, "a proxy agreement is being drafted")
    };
    let until = || {
        let dossier = scene.world.exchange.dossier(&scene.world.operator, &scene.member.id).unwrap();
        dossier.negotiating_until.unwrap()
    };
    begin(&ash).unwrap();
    let first = until();
    // Neither before it is over nor after it, by whichever credential.
    scene.world.pass(days(30));
    assert!(begin(&also_ash).unwrap_err().to_string().contains("another person"));
    scene.world.pass(days(90));
    assert!(begin(&ash).unwrap_err().to_string().contains("another person"));
    assert!(begin(&scene.officer(None)).unwrap_err().to_string().contains("--person NAME"));
    assert_eq!(until(), first);
    begin(&birch).unwrap();
    assert!(until() > first);
    assert!(begin(&birch).is_err());
    begin(&ash).unwrap();
}

#[test]
fn time_to_negotiate_is_one_persons_where_the_programme_asks_for_one() {
    let world = World::over(Arc::new(MemoryStore::new()), &testkit::one_person_programme(), 7);
    let (member, _) = world.member("Quarry", &["open"]);
    for _ in 0..2 {
        world.exchange.begin_negotiation(&world.operator, &member.id, "in good faith").unwrap();
    }
}

#[test]
fn a_person_is_named_on_credentials_of_the_programmes_people_only() {
    let scene = Scene::new();
    let new = |principal, person: &str| NewCredential {
        principal,
        login: None,
        actions: [Action::Read].into(),
        collections: None,
        expires: None,
        note: String::new(),
        person: Some(person.to_owned()),
        password: None,
    };
    let member = Principal::Member(scene.member.id.clone());
    for (principal, person) in [(member, "A. Ash"), (Principal::Role(Role::Officer), " ")] {
        assert!(
            scene.world.exchange.issue_credential(&scene.world.operator, new(principal, person)).is_err()
        );
    }
}

#[test]
fn a_step_that_people_make_is_an_alert() {
    let scene = Scene::new();
    let officer = scene.officer(None);
    let seen = scene.world.exchange.alerts(&officer, "").unwrap().pop().unwrap().key;
    let to = Standing::Suspended;
    scene.world.exchange.set_standing(&officer, &scene.member.id, &tier("open"), to, "a phone call").unwrap();
    let [alert] = &scene.world.exchange.alerts(&officer, &seen).unwrap()[..] else { panic!("one alert") };
    assert_eq!((alert.kind.as_str(), alert.standing), ("decision", Some(to)));
    assert!(alert.text.contains("a phone call"), "{alert:?}");
}

#[test]
fn decisions_come_in_pages_that_join() {
    let scene = Scene::new();
    for n in 0..5 {
        scene.world.pass(days(1));
        let retract = format!(r#"{{"retraction":{{"of":"s-{n}","because":"a test"}}}}"#);
        let body = r#"{"tie":{"id":"t","from":"quarry","to":"abroad","kind":{"holds":{"votes":"20%","money":"20%"}},"valid":{"from":"2008"}}}"#;
        import(&scene.world, vec![said_by(None, &format!("s-{n}"), body)]);
        import(&scene.world, vec![said_by(None, &format!("r-{n}"), &retract)]);
    }
    let page = |next: Option<&str>, limit| {
        scene.world.exchange.decisions(&scene.world.operator, &scene.member.id, next, limit).unwrap()
    };
    let all = page(None, 1_000);
    assert!(all.decisions.len() > 10 && all.next.is_none(), "{}", all.decisions.len());
    for limit in [1, 4, all.decisions.len() - 1, all.decisions.len()] {
        let (mut joined, mut next) = (Vec::new(), None);
        loop {
            let part = page(next.as_deref(), limit);
            assert!(part.decisions.len() <= limit);
            joined.extend(part.decisions);
            match part.next {
                Some(more) => next = Some(more),
                None => break,
            }
        }
        assert_eq!(joined, all.decisions, "{limit}");
    }
    for place in ["", "cleared", "cleared/1", "../x", "cleared/0000000000000000000x"] {
        let asked = scene.world.exchange.decisions(&scene.world.operator, &scene.member.id, Some(place), 1);
        assert!(asked.is_err(), "{place}");
    }
}

#[test]
fn a_removed_organisation_is_not_bound_to_another_member() {
    let scene = Scene::new();
    let (ash, birch) = (scene.officer(Some("A. Ash")), scene.officer(Some("B. Birch")));
    for name in ["open", "cleared"] {
        for by in [&ash, &birch] {
            let to = Standing::Removed;
            scene.world.exchange.set_standing(by, &scene.member.id, &tier(name), to, "a test").unwrap();
        }
        assert_eq!(scene.standing(name), Standing::Removed);
    }
    let (again, _) = scene.world.member("Quarry Again", &[]);
    let bind = |entity: &str| scene.world.exchange.bind_entity(&ash, &again.id, &entity.parse().unwrap());
    assert!(bind("quarry").unwrap_err().to_string().contains("another member's"));
    // Nor under another identifier.
    let same = r#"{"same":{"kept":"quarry","merged":"quarry-2","because":"one address"}}"#;
    import(&scene.world, vec![said_by(None, "same", same)]);
    assert!(bind("quarry-2").unwrap_err().to_string().contains("another member's"));
    // It comes back as what it was, by two.
    let step = |by: &Caller, to| {
        scene.world.exchange.set_standing(by, &scene.member.id, &tier("open"), to, "it was heard").unwrap()
    };
    assert!(matches!(step(&ash, Standing::Reinstating), Stepped::Changed(_)));
    assert!(matches!(step(&ash, Standing::Listed), Stepped::Proposed(_)));
    assert!(matches!(step(&birch, Standing::Listed), Stepped::Changed(_)));
}
