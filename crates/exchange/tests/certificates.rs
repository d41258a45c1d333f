//! Certificates as credentials, by the exchange's own clock and bindings.

use std::time::Duration;

use exchange::{CertificateBinding, NewCredential, PresentedCertificate};
use model::{Action, Principal};
use testkit::World;

fn new(principal: Principal) -> NewCredential {
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

fn presented(world: &World, digit: char) -> PresentedCertificate {
    let now = world.exchange.now();
    PresentedCertificate {
        sha256: digit.to_string().repeat(64),
        issuer: "CN=Sector CA".to_owned(),
        subject: format!("CN=feed {digit}"),
        alternative_names: vec![format!("dns:{digit}.example"), "dns:shared.example".to_owned()],
        not_before: now.plus_micros(-1_000_000),
        not_after: now.plus_micros(10_000_000),
    }
}

fn fingerprint(of: &PresentedCertificate) -> CertificateBinding {
    CertificateBinding::Fingerprint { sha256: of.sha256.clone() }
}

fn subject(of: &PresentedCertificate) -> CertificateBinding {
    CertificateBinding::Subject { issuer: of.issuer.clone(), subject: of.subject.clone() }
}

fn alternative(of: &PresentedCertificate, at: usize) -> CertificateBinding {
    let alternative_name = of.alternative_names[at].clone();
    CertificateBinding::AlternativeName { issuer: of.issuer.clone(), alternative_name }
}

#[test]
fn each_kind_of_binding_recognises_its_own_and_no_other() {
    let world = World::new(1);
    let (member, _) = world.member("Alpha", &["programme"]);
    let (one, other) = (presented(&world, 'a'), presented(&world, 'b'));
    for binding in [fingerprint(&one), subject(&one), alternative(&one, 0)] {
        let new = new(Principal::Member(member.id.clone()));
        let record = world.exchange.bind_certificate(&world.operator, new, binding.clone()).unwrap();
        let caller = world.exchange.recognise_certificate(&one).unwrap();
        assert_eq!((caller.member(), &caller.credential), (Some(&member.id), &record.id), "{binding}");
        assert!(world.exchange.recognise_certificate(&other).is_err(), "{binding}");
        let elsewhere =
            PresentedCertificate { issuer: "CN=Other CA".to_owned(), sha256: "c".repeat(64), ..one.clone() };
        assert!(world.exchange.recognise_certificate(&elsewhere).is_err(), "{binding}: of another issuer");
        world.exchange.revoke_credential(&world.operator, &record.id).unwrap();
        assert!(world.exchange.recognise_certificate(&one).is_err(), "{binding}: revoked");
    }
}

#[test]
fn a_certificate_that_two_members_claim_is_nobodys() {
    let world = World::new(1);
    let (alpha, _) = world.member("Alpha", &["programme"]);
    let (beta, _) = world.member("Beta", &["programme"]);
    let one = presented(&world, 'a');
    let bind = |member: &model::Member, binding| {
        let new = new(Principal::Member(member.id.clone()));
        world.exchange.bind_certificate(&world.operator, new, binding).unwrap()
    };
    bind(&alpha, fingerprint(&one));
    let of_beta = bind(&beta, alternative(&one, 1));
    assert!(world.exchange.recognise_certificate(&one).is_err());
    world.exchange.revoke_credential(&world.operator, &of_beta.id).unwrap();
    assert_eq!(world.exchange.recognise_certificate(&one).unwrap().member(), Some(&alpha.id));
    // The same member twice is no contradiction, and the narrowest binding counts.
    bind(&alpha, alternative(&one, 1));
    assert!(world.exchange.recognise_certificate(&one).is_ok());
}

#[test]
fn its_days_and_those_of_the_binding_are_held_against_the_hubs_clock() {
    let world = World::new(1);
    let (member, _) = world.member("Alpha", &["programme"]);
    let mut one = presented(&world, 'a');
    let start = world.exchange.now();
    one.not_before = start.plus_micros(2_000_000);
    one.not_after = start.plus_micros(4_000_000);
    let until = |seconds: i64| NewCredential {
        expires: Some(start.plus_micros(seconds * 1_000_000)),
        ..new(Principal::Member(member.id.clone()))
    };
    world.exchange.bind_certificate(&world.operator, until(60), fingerprint(&one)).unwrap();
    let is_accepted = |world: &World| world.exchange.recognise_certificate(&one).is_ok();
    let wait_until = |seconds: i64| {
        let target = start.plus_micros(seconds * 1_000_000);
        world.clock.advance(target.since(world.exchange.now()));
    };
    assert!(!is_accepted(&world));
    wait_until(2);
    assert!(is_accepted(&world), "its first instant counts");
    wait_until(4);
    assert!(is_accepted(&world), "its last one too");
    world.clock.advance(Duration::from_micros(1));
    assert!(!is_accepted(&world));
    // A binding that ends before the certificate does.
    let long = PresentedCertificate { not_after: start.plus_micros(600_000_000), ..presented(&world, 'b') };
    world.exchange.bind_certificate(&world.operator, until(30), fingerprint(&long)).unwrap();
    assert!(world.exchange.recognise_certificate(&long).is_ok());
    wait_until(30);
    assert!(world.exchange.recognise_certificate(&long).is_err());
}

#[test]
fn bindings_are_there_after_a_restart() {
    let mut world = World::new(1);
    let (member, _) = world.member("Alpha", &["programme"]);
    let one = presented(&world, 'a');
    let new = new(Principal::Member(member.id.clone()));
    world.exchange.bind_certificate(&world.operator, new, subject(&one)).unwrap();
    world.reopen(&testkit::one_person_programme(), 2);
    assert_eq!(world.exchange.recognise_certificate(&one).unwrap().member(), Some(&member.id));
}
