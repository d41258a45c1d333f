//! From a tie to a member's standing: what follows by itself, what needs two people, and what time does.

#![expect(clippy::unwrap_used, reason = "what cannot be set up or decided fails the test, as it should")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use exchange::{Answer, DutyOf, Proposal, Question, Stepped, Waiting};
use model::{Action, Caller, CredentialId, Grade, MemberId, Principal, Role, Standing, Tier};
use programme::{Instrument, Programme, template};
use store::MemoryStore;
use testkit::{World, caller_of, tier};
use ties::{AsOf, Day, Statement};

/// A hub with the template as it is: two people for what counts.
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

/// The story's statements whose recording is due by `day`.
fn story(until: &str) -> Vec<Statement> {
    let programme = Programme::from_files(&template()).unwrap();
    let file =
        programme.vetting_cases().iter().find(|file| file.file == "cases/symantec.toml").unwrap().clone();
    let until = until.parse::<Day>().unwrap().end();
    file.statements.into_iter().filter(|statement| statement.recorded <= until).collect()
}

fn days(number: u64) -> Duration {
    Duration::from_secs(number * 86_400)
}

fn standing(world: &World, member: &MemberId, name: &str) -> Standing {
    world.exchange.member(&world.operator, member).unwrap().standing(&tier(name))
}

fn grade(world: &World, member: &MemberId) -> Grade {
    world.exchange.dossier(&world.operator, member).unwrap().decided[&tier("cleared")].grade
}

#[test]
fn a_tie_suspends_at_once_and_its_end_proposes_the_return_that_two_people_make() {
    let world = world();
    let (member, caller) = world.member("Symantec", &["open", "programme", "cleared"]);
    let cleared = tier("cleared");
    world.exchange.bind_entity(&world.operator, &member.id, &"symantec".parse().unwrap()).unwrap();
    assert_eq!(grade(&world, &member.id), Grade::Review, "nobody said who owns it");

    // The clock stands at 2012-03-28: everything up to the signed sale is learned now.
    let imported = world.exchange.import_ties(&world.operator, story("2012-03-28"), "the story").unwrap();
    assert!(imported.refused.is_empty(), "{:?}", imported.refused);
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::Suspended);
    assert_eq!(standing(&world, &member.id, "open"), Standing::Listed, "the same facts keep nobody off open");
    let moved = imported.moved.iter().find(|moved| moved.tier == cleared).unwrap();
    assert_eq!((moved.from, moved.to, moved.grade), (Standing::Listed, Standing::Suspended, Grade::Suspend));
    assert!(moved.rules.contains("R8-venture"));

    let dossier = world.exchange.dossier(&world.operator, &member.id).unwrap();
    let disposal =
        dossier.duties.iter().find(|duty| duty.of == DutyOf::Disposal { tier: cleared.clone() }).unwrap();
    assert_eq!(disposal.due.since(disposal.since), days(30));

    // Importing the same again changes nothing.
    let again = world.exchange.import_ties(&world.operator, story("2012-03-28"), "again").unwrap();
    assert_eq!((again.new, again.moved.len()), (0, 0));

    // The closing.
    world.pass(days(3));
    let closing: Vec<_> = story("2012-03-30");
    let imported = world.exchange.import_ties(&world.operator, closing, "the closing").unwrap();
    assert!(imported.new > 0 && imported.known_already > 0, "{imported:?}");
    assert_eq!(grade(&world, &member.id), Grade::Condition);
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::Suspended, "return needs people");
    let waiting = proposals(&world);
    assert_eq!((waiting.len(), waiting[0].to), (1, Standing::ListedWithConditions));

    let to = Standing::ListedWithConditions;
    let (one, two) = (officer(1), officer(2));
    let first = world.exchange.set_standing(&one, &member.id, &cleared, to, "closed").unwrap();
    assert!(matches!(first, Stepped::Proposed(ref p) if p.agreed.len() == 1), "{first:?}");
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::Suspended);
    let twice = world.exchange.set_standing(&one, &member.id, &cleared, to, "closed").unwrap_err();
    assert!(twice.to_string().contains("another person"), "{twice}");
    let second = world.exchange.set_standing(&two, &member.id, &cleared, to, "closed").unwrap();
    let both = format!("role:officer ({}) and role:officer ({})", one.credential, two.credential);
    assert!(matches!(second, Stepped::Changed(ref c) if c.by == both), "{second:?}");
    assert_eq!(standing(&world, &member.id, "cleared"), to);
    assert!(proposals(&world).is_empty());
    let dossier = world.exchange.dossier(&world.operator, &member.id).unwrap();
    assert!(
        !dossier.duties.iter().any(|duty| matches!(duty.of, DutyOf::Disposal { .. })),
        "it holds it again"
    );

    // Seven years later it is recorded that the royalties have ended, and the conditions end by themselves.
    world.pass(days(7 * 366));
    let programme = world.exchange.programme();
    let no = |question: &programme::Question| (question.id.clone(), Answer { yes: false, list: Vec::new() });
    let answers = programme.questionnaire().unwrap().questions.iter().map(no).collect();
    world.exchange.attest(&caller, "N. N.", answers).unwrap();
    assert_eq!(grade(&world, &member.id), Grade::Condition, "no day that was named ahead ends them");
    world.exchange.import_ties(&world.operator, story("2019-04-01"), "the end of the royalties").unwrap();
    assert_eq!(grade(&world, &member.id), Grade::Clear);
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::Listed);
}

#[test]
fn a_restart_finds_what_was_decided() {
    let mut world = world();
    let (member, _) = world.member("Symantec", &["cleared"]);
    world.exchange.bind_entity(&world.operator, &member.id, &"symantec".parse().unwrap()).unwrap();
    world.exchange.import_ties(&world.operator, story("2012-03-28"), "the story").unwrap();
    let before = world.exchange.dossier(&world.operator, &member.id).unwrap();
    let alerts = world.exchange.alerts(&world.operator, "").unwrap();
    assert!(alerts.iter().any(|alert| alert.standing == Some(Standing::Suspended)), "{alerts:?}");
    world.reopen(&template(), 8);
    assert_eq!(world.exchange.dossier(&world.operator, &member.id).unwrap(), before);
    assert_eq!(world.exchange.alerts(&world.operator, "").unwrap(), alerts);
    assert!(world.exchange.tend().unwrap().is_empty(), "nothing has changed");
    let again = world.exchange.import_ties(&world.operator, story("2012-03-28"), "again").unwrap();
    assert_eq!(again.new, 0);
}

#[test]
fn removal_needs_two_people_and_suspension_one() {
    let world = world();
    let (member, _) = world.member("alpha", &["open"]);
    let open = tier("open");
    let removed = |caller: &Caller| {
        world
            .exchange
            .set_standing(caller, &member.id, &open, Standing::Removed, "left the programme")
            .unwrap()
    };
    assert!(matches!(removed(&officer(1)), Stepped::Proposed(_)));
    world.exchange.withdraw_proposal(&officer(2), &member.id, &open).unwrap();
    assert!(matches!(removed(&officer(2)), Stepped::Proposed(_)), "a withdrawn step counts no agreement");
    assert!(matches!(removed(&officer(1)), Stepped::Changed(_)));
    let (other, _) = world.member("beta", &["open"]);
    let step =
        world.exchange.set_standing(&officer(1), &other.id, &open, Standing::Suspended, "at once").unwrap();
    assert!(matches!(step, Stepped::Changed(_)));
}

#[test]
fn people_may_decide_against_the_rules_until_other_rules_apply() {
    let world = world();
    let (member, _) = world.member("Symantec", &["cleared"]);
    world.exchange.bind_entity(&world.operator, &member.id, &"symantec".parse().unwrap()).unwrap();
    world.exchange.import_ties(&world.operator, story("2012-03-28"), "the story").unwrap();
    for number in [1, 2] {
        let by = officer(number);
        let because = "the venture's staff has left";
        world.exchange.set_standing(&by, &member.id, &tier("cleared"), Standing::Listed, because).unwrap();
    }
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::Listed);
    world.exchange.tend().unwrap();
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::Listed, "the override holds");
    // Another rule applies: the override is over.
    let bar = r#"[{"id":"new#1","said":{"listing":{"id":"l","list":"us-el","entity":"symantec"}},
        "source":{"document":"a list"},"recorded":"2012-03-28T00:00:00Z"}]"#;
    let statements: Vec<Statement> = serde_json::from_str(bar).unwrap();
    world.exchange.import_ties(&world.operator, statements, "a listing").unwrap();
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::Suspended);
}

#[test]
fn a_preview_is_what_then_happens() {
    let world = world();
    let (member, _) = world.member("Symantec", &["open", "programme", "cleared"]);
    world.exchange.bind_entity(&world.operator, &member.id, &"symantec".parse().unwrap()).unwrap();
    let preview = world.exchange.preview_ties(&world.operator, story("2012-03-28")).unwrap();
    assert_eq!(grade(&world, &member.id), Grade::Review, "a preview changes nothing");
    let imported = world.exchange.import_ties(&world.operator, story("2012-03-28"), "the story").unwrap();
    let happened: Vec<_> = imported
        .moved
        .iter()
        .filter(|moved| moved.grade_before != Some(moved.grade))
        .map(|moved| (moved.tier.clone(), moved.grade))
        .collect();
    let mut told: Vec<_> = preview.iter().map(|moves| (moves.tier.clone(), moves.to)).collect();
    told.sort();
    let mut happened = happened;
    happened.sort();
    assert_eq!(told, happened);
}

#[test]
fn a_question_about_the_past_and_about_what_would_be() {
    let world = world();
    let (member, caller) = world.member("Symantec", &["cleared"]);
    let symantec = "symantec".parse().unwrap();
    world.exchange.bind_entity(&world.operator, &member.id, &symantec).unwrap();
    world.exchange.import_ties(&world.operator, story("2012-03-28"), "the story").unwrap();
    let cleared = tier("cleared");
    let question = Question { remedies: Some(Duration::from_secs(1)), ..Question::default() };
    let (decision, remedies) = world.exchange.vet(&world.operator, &symantec, &cleared, &question).unwrap();
    assert_eq!(decision.grade, Grade::Suspend);
    let remedies = remedies.unwrap();
    let first = &remedies.ties[0];
    assert_eq!(first.end.iter().map(ToString::to_string).collect::<Vec<_>>(), ["stake-symantec"]);
    assert_eq!((first.leaves, first.in_its_hand), (Grade::Condition, true));
    let ended = Question { end: ["stake-symantec".parse().unwrap()].into(), ..Question::default() };
    let (decision, _) = world.exchange.vet(&world.operator, &symantec, &cleared, &ended).unwrap();
    assert_eq!(decision.grade, Grade::Condition);
    // As known a day before the import, nothing was known.
    let known = world.exchange.now() - days(1);
    let past = AsOf { day: "2008-03-01".parse().unwrap(), known };
    let past = Question { as_of: Some(past), ..Question::default() };
    let (decision, _) = world.exchange.vet(&world.operator, &symantec, &cleared, &past).unwrap();
    assert_eq!(decision.grade, Grade::Review, "nobody had said who owns it");
    // The member may ask about itself, and about nobody else.
    assert!(world.exchange.vet(&caller, &symantec, &cleared, &Question::default()).is_ok());
    assert!(world.exchange.vet(&caller, &"huawei".parse().unwrap(), &cleared, &Question::default()).is_err());
}

#[test]
fn attestations_instruments_appeals_and_due_dates() {
    let world = world();
    let (member, caller) = world.member("Quarry", &["cleared"]);
    let quarry = "quarry".parse().unwrap();
    let about = described("quarry", "US");
    world.exchange.import_ties(&world.operator, vec![about], "who it is").unwrap();
    world.exchange.bind_entity(&world.operator, &member.id, &quarry).unwrap();
    let programme = world.exchange.programme();
    let questions = &programme.questionnaire().unwrap().questions;
    let no = Answer { yes: false, list: Vec::new() };
    let mut answers: BTreeMap<_, _> = questions.iter().map(|q| (q.id.clone(), no.clone())).collect();
    let incomplete = answers.iter().skip(1).map(|(q, a)| (q.clone(), a.clone())).collect();
    assert!(world.exchange.attest(&caller, "N. N.", incomplete).is_err());
    assert!(
        world.exchange.attest(&world.operator, "N. N.", answers.clone()).is_err(),
        "only the member attests"
    );
    let first = world.exchange.attest(&caller, "N. N.", answers.clone()).unwrap();
    assert_eq!(first.diff.len(), questions.len());
    answers.insert("2".to_owned(), Answer { yes: true, list: vec!["10 % of a foreign company".to_owned()] });
    world.pass(days(100));
    let second = world.exchange.attest(&caller, "N. N.", answers).unwrap();
    assert_eq!(second.diff.iter().map(|d| d.question.as_str()).collect::<Vec<_>>(), ["2"]);

    // An attestation that is overdue leads to review, and later to suspension.
    assert_eq!(grade(&world, &member.id), Grade::Clear);
    world.pass(days(366));
    world.exchange.tend().unwrap();
    assert_eq!(grade(&world, &member.id), Grade::Review);
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::Listed);
    let cleared: Tier = tier("cleared");
    let review = world.exchange.dossier(&world.operator, &member.id).unwrap().reviews[&cleared].clone();
    assert!(review.concluded.is_none() && review.rules.contains("R24-overdue"), "{review:?}");
    world.pass(days(31));
    world.exchange.tend().unwrap();
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::Suspended, "more than 30 days overdue");

    let appeal = world.exchange.appeal(&caller, &cleared, "we have sent it by post").unwrap();
    assert_eq!(appeal.due.since(appeal.at), days(30));
    assert!(world.exchange.appeal(&world.operator, &cleared, "for them").is_err());
    world.exchange.answer_appeal(&world.operator, &member.id, &cleared, "not received").unwrap();
    assert!(world.exchange.answer_appeal(&world.operator, &member.id, &cleared, "again").is_err());

    // The disposal certificate.
    let dossier = world.exchange.dossier(&caller, &member.id).unwrap();
    let duty = dossier.duties.iter().find(|duty| matches!(duty.of, DutyOf::Disposal { .. })).unwrap();
    world.exchange.fulfil(&caller, &member.id, &duty.id, "all copies destroyed on 2013-07-01").unwrap();
    let twice = world.exchange.fulfil(&caller, &member.id, &duty.id, "again").unwrap_err();
    assert!(twice.to_string().contains("no open duty"), "{twice}");
    let (_, stranger) = world.member("Stranger", &["open"]);
    assert!(world.exchange.dossier(&stranger, &member.id).is_err());
    assert!(world.exchange.fulfil(&stranger, &member.id, &duty.id, "x").is_err());
    assert!(stranger.actions.contains(&Action::Read));
}

/// What one source says on the day of the world's clock.
fn said(id: &str, said: ties::Said) -> Statement {
    let source = ties::Source { document: "a register".to_owned(), ..ties::Source::default() };
    Statement { id: id.parse().unwrap(), said, source, recorded: "2012-03-28T00:00:00Z".parse().unwrap() }
}

fn stake(id: &str, votes: &str) -> Statement {
    let votes: ties::Share = votes.parse().unwrap();
    let kind = ties::TieKind::Holds(ties::Holding {
        votes: Some(votes),
        money: Some(votes),
        ..ties::Holding::default()
    });
    let (from, to) = ("dragon".parse().unwrap(), "castle".parse().unwrap());
    let tie = ties::Tie { id: "stake".parse().unwrap(), from, to, kind, valid: ties::Period::ALWAYS };
    said(id, ties::Said::Tie(tie))
}

/// What a company is whose shares are listed.
fn described(id: &str, country: &str) -> Statement {
    let mut entity = ties::Entity::new(id.parse().unwrap(), ties::EntityKind::Organisation);
    entity.countries = vec![country.to_owned()];
    entity.publicly_listed = Some(true);
    said(&format!("{id}-described"), ties::Said::Entity(entity))
}

/// A listed company with a party of concern among its holders.
fn castle() -> Vec<Statement> {
    let listing = ties::Listing {
        id: "dragon-listed".parse().unwrap(),
        list: "concern".parse().unwrap(),
        entity: "dragon".parse().unwrap(),
        entry: None,
        valid: ties::Period::ALWAYS,
        with_subsidiaries: false,
    };
    vec![described("castle", "US"), described("dragon", "CN"), said("listing", ties::Said::Listing(listing))]
}

#[test]
fn what_was_reviewed_is_looked_at_again_when_there_is_more_of_it() {
    let world = world();
    let (member, _) = world.member("Castle", &["cleared"]);
    let cleared = tier("cleared");
    let dossier = || world.exchange.dossier(&world.operator, &member.id).unwrap();
    world.exchange.import_ties(&world.operator, castle(), "who they are").unwrap();
    world.exchange.bind_entity(&world.operator, &member.id, &"castle".parse().unwrap()).unwrap();
    world.exchange.import_ties(&world.operator, vec![stake("s1", "6%")], "six").unwrap();
    assert_eq!(grade(&world, &member.id), Grade::Review, "{:?}", dossier().decided);
    world.exchange.conclude_review(&officer(1), &member.id, &cleared, "a fund, and it sleeps").unwrap();

    // Less of the same, and the same again, were looked at.
    for (id, votes) in [("s2", "5.5%"), ("s3", "6%")] {
        world.pass(days(1));
        world.exchange.import_ties(&world.operator, vec![stake(id, votes)], votes).unwrap();
        assert!(dossier().reviews[&cleared].concluded.is_some(), "{votes}: {:?}", dossier().reviews);
    }
    let told = world.exchange.alerts(&world.operator, "").unwrap();
    world.pass(days(1));
    world.exchange.import_ties(&world.operator, vec![stake("s4", "9%")], "nine").unwrap();
    assert!(dossier().reviews[&cleared].concluded.is_none(), "{:?}", dossier().reviews);
    let last = &told.last().unwrap().key;
    let alerts = world.exchange.alerts(&world.operator, last).unwrap();
    let news = |alert: &&exchange::Alert| alert.member.as_ref() == Some(&member.id);
    let text = &alerts.iter().find(news).unwrap_or_else(|| panic!("{alerts:?}")).text;
    assert!(text.contains("9.00 %, before 6.00 %"), "{text}");
}

#[test]
fn conditions_are_lifted_against_the_rules_by_two_people_only() {
    let world = world();
    let (member, _) = world.member("Symantec", &["cleared"]);
    let cleared = tier("cleared");
    world.exchange.bind_entity(&world.operator, &member.id, &"symantec".parse().unwrap()).unwrap();
    world.pass(days(3));
    world.exchange.import_ties(&world.operator, story("2012-03-30"), "after the closing").unwrap();
    assert_eq!(grade(&world, &member.id), Grade::Condition);
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::ListedWithConditions);
    let lift = |by: u64| {
        let reason = "the royalties are small";
        world.exchange.set_standing(&officer(by), &member.id, &cleared, Standing::Listed, reason).unwrap()
    };
    assert!(matches!(lift(1), Stepped::Proposed(_)));
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::ListedWithConditions);
    assert!(matches!(lift(2), Stepped::Changed(_)));
    world.pass(days(1));
    world.exchange.import_ties(&world.operator, castle(), "something else").unwrap();
    world.exchange.tend().unwrap();
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::Listed, "people decided that");
    assert!(world.exchange.dossier(&world.operator, &member.id).unwrap().overrides.contains_key(&cleared));
}

#[test]
fn a_review_that_nobody_concludes_takes_the_member_off_the_list() {
    let world = world();
    let (member, caller) = world.member("Castle", &["cleared"]);
    let cleared = tier("cleared");
    let dossier = || world.exchange.dossier(&world.operator, &member.id).unwrap();
    let sees = || world.exchange.collections(&caller).iter().any(|known| known.collection.alias == "cleared");
    world.exchange.import_ties(&world.operator, castle(), "who they are").unwrap();
    world.exchange.bind_entity(&world.operator, &member.id, &"castle".parse().unwrap()).unwrap();
    world.exchange.import_ties(&world.operator, vec![stake("s1", "6%")], "six").unwrap();
    let due = dossier().reviews[&cleared].due;
    // Until it is due, it is not overdue; what is decided has an instant of its own, a little later than the clock's.
    world.pass(due.since(world.exchange.now()).saturating_sub(Duration::from_mins(1)));
    world.exchange.tend().unwrap();
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::Listed);
    assert!(sees());
    world.pass(Duration::from_mins(2));
    world.exchange.tend_if_due().unwrap();
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::UnderReview);
    assert!(!sees(), "the tier is closed while nobody has looked");
    let alerts = world.exchange.alerts(&world.operator, "").unwrap();
    assert!(alerts.iter().any(|alert| alert.standing == Some(Standing::UnderReview)), "{alerts:?}");
    // Time alone does not bring it back, and whoever looks at it does.
    world.pass(days(1));
    world.exchange.tend().unwrap();
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::UnderReview);
    let reason = "a fund, and it sleeps";
    let back =
        world.exchange.set_standing(&officer(1), &member.id, &cleared, Standing::Listed, reason).unwrap();
    assert!(matches!(back, Stepped::Changed(_)));
    world.pass(days(40));
    world.exchange.tend().unwrap();
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::Listed, "the review was concluded by that");
}

#[test]
fn a_duty_of_an_instrument_that_passes_opens_a_review_and_the_next_is_owed_when_it_is_done() {
    let world = world();
    let (member, caller) = world.member("Castle", &["programme", "cleared"]);
    let cleared = tier("cleared");
    let dossier = || world.exchange.dossier(&world.operator, &member.id).unwrap();
    let of_instrument = || -> Vec<exchange::Duty> {
        let duties = dossier().duties;
        duties.into_iter().filter(|duty| matches!(duty.of, DutyOf::Instrument { .. })).collect()
    };
    world.exchange.import_ties(&world.operator, castle(), "who they are").unwrap();
    world.exchange.bind_entity(&world.operator, &member.id, &"castle".parse().unwrap()).unwrap();
    let sign = |id: &str, kind: &str| {
        let instrument = Instrument {
            id: id.to_owned(),
            kind: kind.to_owned(),
            entity: "castle".parse().unwrap(),
            covers: BTreeSet::new(),
            valid: ties::Period::ALWAYS,
            recorded: None,
            source: String::new(),
        };
        world.exchange.sign_instrument(&world.operator, &member.id, instrument).unwrap();
    };
    sign("resolution", "board-resolution");
    assert_eq!(grade(&world, &member.id), Grade::Clear);
    // What it says of itself is not overdue; the duty of the instrument is.
    world.pass(days(300));
    let questions = world.exchange.programme();
    let questions = &questions.questionnaire().unwrap().questions;
    let no = Answer { yes: false, list: Vec::new() };
    let answers = questions.iter().map(|question| (question.id.clone(), no.clone())).collect();
    world.exchange.attest(&caller, "N. N.", answers).unwrap();
    world.pass(days(64));
    world.exchange.tend().unwrap();
    assert!(dossier().reviews.is_empty());
    world.pass(days(2));
    world.exchange.tend().unwrap();
    let review = dossier().reviews[&cleared].clone();
    assert!(review.concluded.is_none() && review.rules.contains("R24-overdue"), "{review:?}");
    let [missed] = of_instrument().try_into().unwrap();
    world.exchange.fulfil(&caller, &member.id, &missed.id, "the resolution still holds").unwrap();
    let [done, next] = of_instrument().try_into().unwrap();
    assert!(done.done.is_some() && next.done.is_none());
    assert_eq!(next.due.since(done.done.as_ref().unwrap().at), days(365));
    assert_eq!(grade(&world, &member.id), Grade::Clear);
    assert!(!dossier().reviews.contains_key(&cleared), "its reason is gone, and it with that");
    // An instrument that closes a tier closes it whatever the rules say.
    sign("agreement", "special-security-agreement");
    assert_eq!(standing(&world, &member.id, "cleared"), Standing::Suspended);
    assert_eq!(standing(&world, &member.id, "programme"), Standing::Listed);
}
