//! An import decides anew on those whom it concerns. Whoever looks at everybody afterwards finds nothing more.

#![expect(clippy::unwrap_used, reason = "what cannot be set up or decided fails the test, as it should")]

use std::sync::Arc;

use programme::template;
use store::MemoryStore;
use testkit::{Chance, World};
use ties::Statement;

/// Without optimisation a world takes some times as long.
const WORLDS: u64 = if cfg!(debug_assertions) { 15 } else { 300 };
const IMPORTS: u64 = 40;
const ENTITIES: u64 = 12;
const MEMBERS: u64 = 5;

fn entity(chance: &mut Chance) -> String {
    match chance.below(ENTITIES + 2) {
        n if n < ENTITIES => format!("e-{n}"),
        n if n == ENTITIES => "state:CN".to_owned(),
        _ => "state:US".to_owned(),
    }
}

fn one_of<'t>(chance: &mut Chance, texts: &[&'t str]) -> &'t str {
    texts[usize::try_from(chance.below(texts.len() as u64)).unwrap()]
}

fn kind(chance: &mut Chance) -> String {
    let share = one_of(chance, &["5%", "25%", "49%", "50%", "51%", "100%", "[30%,60%]"]);
    let plain = [
        r#""venture""#,
        r#""seconds""#,
        r#""family""#,
        r#""succeeds""#,
        r#"{"consolidates":{"ultimate":false}}"#,
        r#"{"licenses":{"technology":true,"royalty":true}}"#,
        r#"{"supplies":{}}"#,
        r#"{"contracts":{}}"#,
        r#"{"grants":{}}"#,
        r#"{"equips":{"essential":true}}"#,
        r#"{"lends":{"directs":true}}"#,
        r#"{"serves":{"post":"director"}}"#,
        r#"{"directs":{"by":"contract"}}"#,
        r#"{"appoints":{"seats":3,"of":5}}"#,
        r#"{"party-to":{"role":"beneficiary"}}"#,
        r#"{"governs":{"by":"incorporation"}}"#,
        r#"{"associates":{}}"#,
    ];
    if chance.one_in(2) {
        format!(r#"{{"holds":{{"votes":"{share}","money":"{share}"}}}}"#)
    } else if chance.one_in(6) {
        format!(r#"{{"pays":{{"revenue":"{share}"}}}}"#)
    } else {
        one_of(chance, &plain).to_owned()
    }
}

/// Something that somebody says; `number` makes its identifier new.
fn said(chance: &mut Chance, number: u64) -> String {
    let (a, b) = (entity(chance), entity(chance));
    let earlier = chance.below(number + 1);
    match chance.below(20) {
        0..=9 => {
            let tie = if chance.one_in(5) { earlier } else { number };
            let kind = kind(chance);
            format!(
                r#"{{"tie":{{"id":"t-{tie}","from":"{a}","to":"{b}","kind":{kind},"valid":{{"from":"2008"}}}}}}"#
            )
        }
        10..=12 => {
            let country = one_of(chance, &["US", "CN", "GB", "HK"]);
            let what =
                one_of(chance, &["organisation", "person", "trust", "concert", "nomination", "state-body"]);
            format!(
                r#"{{"entity":{{"id":"{a}","kind":"{what}","countries":["{country}"],"sectors":["security"]}}}}"#
            )
        }
        13..=14 => {
            let list = one_of(chance, &["concern", "us-el", "ofac-sdn", "adversaries"]);
            format!(r#"{{"listing":{{"id":"t-{number}","list":"{list}","entity":"{a}"}}}}"#)
        }
        15 => format!(r#"{{"same":{{"kept":"{a}","merged":"{b}","because":"a test"}}}}"#),
        16..=17 => format!(r#"{{"end":{{"tie":"t-{earlier}","on":"2012-03-01","by":"completed"}}}}"#),
        _ => format!(r#"{{"retraction":{{"of":"s-{earlier}","because":"a test"}}}}"#),
    }
}

fn statement(chance: &mut Chance, number: u64) -> Statement {
    let said = said(chance, number);
    let text = format!(
        r#"{{"id":"s-{number}","said":{said},"source":{{"document":"a test"}},"recorded":"2000-01-01T00:00:00Z"}}"#
    );
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn whoever_looks_at_everybody_after_an_import_finds_nothing_more() {
    let mut moved = 0;
    for seed in 0..WORLDS {
        let chance = &mut Chance(seed);
        let world = World::over(Arc::new(MemoryStore::new()), &template(), seed);
        for n in 0..MEMBERS {
            let (member, _) = world.member(&format!("m-{n}"), &["open", "programme", "cleared"]);
            world
                .exchange
                .bind_entity(&world.operator, &member.id, &format!("e-{n}").parse().unwrap())
                .unwrap();
        }
        let mut log = Vec::new();
        for number in 0..IMPORTS {
            let statement = statement(chance, number);
            log.push(format!("{:?}", statement.said));
            moved += world.exchange.import_ties(&world.operator, vec![statement], "one").unwrap().moved.len();
            let missed = world.exchange.tend().unwrap();
            assert!(missed.is_empty(), "world {seed}: {missed:#?} after\n{}", log.join("\n"));
        }
    }
    eprintln!("{moved} decisions in {WORLDS} worlds");
    assert!(moved as u64 > WORLDS * 5, "only {moved}");
}
