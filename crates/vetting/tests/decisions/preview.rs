//! A preview is what then happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Grade, Tier};
use programme::{Programme, template};
use ties::{EntityId, Statement};
use vetting::{Judge, Move, Party, Session, moves};

use crate::random::{Random, Wild, world};
use crate::{day, judge, registry_of, with_lists};

fn parties() -> Vec<Party> {
    (0..7).map(|number| Party::new(format!("e{number}").parse().unwrap())).collect()
}

fn tiers() -> Vec<Tier> {
    ["open", "programme", "cleared"].into_iter().map(|tier| tier.parse().unwrap()).collect()
}

/// The grades that decisions give, one by one.
fn grades(judge: &Judge, statements: &[Statement]) -> BTreeMap<(EntityId, Tier), Grade> {
    let registry = registry_of(statements);
    let picture = registry.picture(day());
    let session = Session::new(judge, &picture, None);
    let decide = |party: &Party, tier: &Tier| session.decide(party, tier).unwrap().grade;
    let (parties, tiers) = (parties(), tiers());
    let both = parties.iter().flat_map(|party| tiers.iter().map(move |tier| (party, tier)));
    both.map(|(party, tier)| ((party.entity.clone(), tier.clone()), decide(party, tier))).collect()
}

fn preview(before: (&Judge, &[Statement]), after: (&Judge, &[Statement])) -> Vec<Move> {
    let (old, new) = (registry_of(before.1), registry_of(after.1));
    let (old, new) = (old.picture(day()), new.picture(day()));
    let (old, new) = (Session::new(before.0, &old, None), Session::new(after.0, &new, None));
    moves(&old, &new, &parties(), &tiers()).unwrap()
}

/// Compares who is said to move with who moved, and returns how many.
fn compare(before: (&Judge, &[Statement]), after: (&Judge, &[Statement])) -> usize {
    let told = preview(before, after);
    let (old, new) = (grades(before.0, before.1), grades(after.0, after.1));
    let moved: Vec<_> = old.iter().filter(|(key, grade)| new[*key] != **grade).collect();
    assert_eq!(told.len(), moved.len());
    for (told, (key, grade)) in told.iter().zip(moved) {
        assert_eq!((&told.entity, &told.tier, told.from, told.to), (&key.0, &key.1, *grade, new[key]));
        assert!(!told.new.is_empty() || !told.gone.is_empty());
    }
    told.len()
}

#[test]
fn statements_and_lists_move_whom_the_preview_names() {
    let judge = judge();
    let mut random = Random(21);
    let (mut by_ties, mut by_lists) = (0, 0);
    for _ in 0..60 {
        let all = with_lists(&judge, world(&mut random, Wild { contradictions: true, restricted: false }));
        let is_listing = |statement: &Statement| matches!(statement.said, ties::Said::Listing(_));
        let without_lists: Vec<_> = all
            .iter()
            .filter(|statement| !is_listing(statement) || !statement.id.as_str().starts_with("listing-"))
            .cloned()
            .collect();
        by_lists += compare((&judge, &without_lists), (&judge, &all));
        let some: Vec<_> = all.iter().filter(|_| !random.chance(20)).cloned().collect();
        by_ties += compare((&judge, &some), (&judge, &all));
    }
    assert!(by_ties > 40 && by_lists > 40, "{by_ties} {by_lists}");
}

/// The template, with a pack in force or not.
fn judge_with(pack: &str, in_force: bool) -> Judge {
    let mut files = template();
    let text = String::from_utf8(files["programme.toml"].clone()).unwrap();
    let name = format!("name = \"{pack}\"\n");
    let text = text.replace(&name, &format!("{name}in_force = {in_force}\n"));
    files.insert("programme.toml".to_owned(), text.into_bytes());
    Judge::new(Arc::new(Programme::from_files(&files).unwrap())).unwrap()
}

#[test]
fn a_rule_pack_moves_whom_the_preview_names() {
    let mut random = Random(22);
    for pack in ["strict", "sf328", "uk"] {
        let (off, on) = (judge_with(pack, false), judge_with(pack, true));
        let mut moved = 0;
        for _ in 0..25 {
            let all = with_lists(&on, world(&mut random, Wild::default()));
            moved += compare((&off, &all), (&on, &all));
        }
        assert!(moved > 1, "{pack}: {moved}");
    }
}
