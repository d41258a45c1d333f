//! What is so in every world.

use std::collections::{BTreeMap, BTreeSet};

use model::Grade;
use ties::{
    Bound, Entity, EntityId, EntityKind, Evidence, Fraction, Holding, Picture, Registry, Said, Share,
    Statement, Tie, TieId, TieKind,
};
use vetting::{FactName, Lens, RemedyBound, Session, Side, Value};

use crate::random::{Random, Wild, world};
use crate::world::{Test, World};
use crate::{cleared, day, judge, member, registry_of, with_lists};

fn at_most(least: &Value, most: &Value) -> bool {
    match (least, most) {
        (Value::Flag(least), Value::Flag(most)) => least <= most,
        (Value::Number(least), Value::Number(most)) => least <= most,
        (Value::Words(least), Value::Words(most)) => least.is_subset(most),
        (Value::Flag(_) | Value::Number(_) | Value::Words(_), _) => false,
    }
}

#[test]
fn what_is_certain_is_possible() {
    let judge = judge();
    let mut random = Random(11);
    for round in 0..1_500 {
        let wild = Wild { contradictions: round % 2 == 0, restricted: false };
        let registry = registry_of(&with_lists(&judge, world(&mut random, wild)));
        let picture = registry.picture(day());
        let session = Session::new(&judge, &picture, None);
        let facts = session.facts(&member());
        let both = facts.values(Side::Certain).into_iter().zip(facts.values(Side::Possible));
        for (name, (certain, possible)) in FactName::ALL.iter().zip(both) {
            assert!(at_most(&certain, &possible), "{name:?}: {certain:?} and {possible:?}");
        }
        for tier in ["open", "programme", "cleared"] {
            let decision = session.decide_on(&member(), &tier.parse().unwrap(), &facts).unwrap();
            assert!(decision.grade <= decision.possible);
        }
    }
}

/// The ties of a world that somebody could end.
fn ties_of(registry: &Registry) -> Vec<TieId> {
    let tie = |said| if let Said::Tie(tie) = said { Some(tie.id) } else { None };
    registry.log(0..registry.len()).filter_map(|statement| tie(statement.said)).collect()
}

#[test]
fn a_sale_makes_nothing_worse_where_sources_agree() {
    let judge = judge();
    let home = &judge.programme().settings().vetting.home;
    let mut random = Random(12);
    let (mut better, mut worse_in_conflict) = (0, 0);
    for round in 0..1_500 {
        let wild = Wild { contradictions: round % 2 == 0, restricted: false };
        let registry = registry_of(&with_lists(&judge, world(&mut random, wild)));
        let picture = registry.picture(day());
        let before = Session::new(&judge, &picture, None);
        let facts = before.facts(&member());
        let grade = before.decide_on(&member(), &cleared(), &facts).unwrap().grade;
        let conflicted = facts.possible(FactName::Conflicted) == Value::Flag(true);
        let ties = ties_of(&registry);
        if ties.is_empty() {
            continue;
        }
        let sold: BTreeSet<TieId> = ties.into_iter().filter(|_| random.chance(25)).collect();
        let lens = Lens::new(&picture).with_buyers_of(home).without(sold.clone());
        let after = Session::new(&judge, &lens, None).decide(&member(), &cleared()).unwrap();
        better += usize::from(after.grade < grade);
        if conflicted {
            // Two accounts that exclude each other leave everything open; without one of them the other is certain.
            worse_in_conflict += usize::from(after.grade > grade);
        } else {
            assert!(after.grade <= grade, "{sold:?}: {grade} -> {}\n{}", after.grade, after.describe(None));
        }
    }
    assert!(better > 100 && worse_in_conflict > 0, "{better} {worse_in_conflict}");
}

#[test]
fn a_remedy_helps_and_one_that_is_proved_is_least() {
    let judge = judge();
    let home = &judge.programme().settings().vetting.home;
    let mut random = Random(13);
    let (mut proved, mut several) = (0, 0);
    for round in 0..120 {
        let wild = Wild { contradictions: round % 4 == 0, restricted: false };
        let statements = with_lists(&judge, world(&mut random, wild));
        let plain = World::new(&statements, day().day, day().known);
        let own = plain.closure(&BTreeSet::from([member().entity]), Test::Control, true);
        let registry = registry_of(&statements);
        let picture = registry.picture(day());
        let session = Session::new(&judge, &picture, None);
        let decision = session.decide(&member(), &cleared()).unwrap();
        let remedies = session.remedies(&member(), &decision, &mut || false).unwrap();
        assert!(!remedies.cut_short);
        let grade_without = |cut: &BTreeSet<TieId>| -> Grade {
            let lens = Lens::new(&picture).with_buyers_of(home).without(cut.iter().cloned());
            Session::new(&judge, &lens, None).decide(&member(), &cleared()).unwrap().grade
        };
        let ties = ties_of(&registry);
        several += usize::from(remedies.ties.len() > 1);
        for (place, remedy) in remedies.ties.iter().enumerate() {
            assert!(remedy.leaves < decision.grade && grade_without(&remedy.end) == remedy.leaves);
            for other in &remedies.ties[..place] {
                assert!(!remedy.end.is_superset(&other.end), "{:?} {:?}", remedy.end, other.end);
            }
        }
        // Brute force: the cheapest of all sets of up to three ties.
        let cost = |cut: &BTreeSet<TieId>| -> u64 {
            cut.iter().map(|tie| if is_own(&own, &picture, tie) { 1 } else { 100 }).sum()
        };
        let mut sets = if decision.grade > Grade::Disclose { subsets(&ties, 3) } else { Vec::new() };
        sets.sort_by_key(&cost);
        let least = sets.iter().find(|cut| grade_without(cut) < decision.grade).map(cost);
        let first = remedies.ties.iter().filter(|remedy| remedy.bound == RemedyBound::Proved);
        if let Some(found) = first.map(|remedy| cost(&remedy.end)).min() {
            proved += 1;
            assert!(
                least.is_none_or(|least| found <= least),
                "{found} {least:?}: {}",
                decision.describe(Some(&remedies))
            );
        }
        if least.is_some() {
            assert!(!remedies.ties.is_empty(), "{least:?}\n{}", decision.describe(Some(&remedies)));
        }
    }
    assert!(proved > 30 && several > 10, "{proved} {several}");
}

/// The statements as they would be if of each holding no more than so many basis points were kept, and the rest sold; and
/// if other ties had never been, but for what an eligible buyer has of them.
fn sold(
    statements: &[Statement],
    keep: &BTreeMap<TieId, u32>,
    end: &BTreeSet<TieId>,
    home: &str,
) -> Vec<Statement> {
    let mut after = Vec::new();
    for statement in statements {
        let Said::Tie(tie) = &statement.said else {
            after.push(statement.clone());
            continue;
        };
        let keep = keep.get(&tie.id).copied().or(end.contains(&tie.id).then_some(0));
        let (Some(keep), TieKind::Holds(holding)) = (keep, &tie.kind) else {
            after.extend(keep.is_none().then(|| statement.clone()));
            continue;
        };
        let most =
            [holding.votes, holding.money].into_iter().flatten().map(|share| share.hi().at).max().unwrap();
        let split = |share: Share| {
            let part = Fraction::basis_points(keep).checked_div(most).unwrap().min(Fraction::ONE);
            let cap = share.hi().at.checked_mul(part).unwrap();
            let at_most = |bound: Bound| if bound.at < cap { bound } else { Bound::closed(cap) };
            let upper = if cap < share.hi().at { Bound::closed(cap) } else { share.hi() };
            let over = |bound: Bound| {
                let rest = bound.at.checked_sub(cap).unwrap_or(Fraction::ZERO);
                if rest == Fraction::ZERO {
                    Bound::closed(rest)
                } else {
                    Bound { at: rest, open: bound.open }
                }
            };
            let kept = Share::between(at_most(share.lo()), upper).unwrap();
            (kept, Share::between(over(share.lo()), over(share.hi())).unwrap())
        };
        let buyer: EntityId = format!("buyer-of-{}", tie.id).parse().unwrap();
        for (place, (id, from)) in
            [(tie.id.to_string(), tie.from.clone()), (format!("{}-sold", tie.id), buyer.clone())]
                .into_iter()
                .enumerate()
        {
            if place == 0 && keep == 0 {
                continue;
            }
            let of = |share: Option<Share>| {
                share.map(|share| if place == 0 { split(share).0 } else { split(share).1 })
            };
            let holding = Holding { votes: of(holding.votes), money: of(holding.money), ..holding.clone() };
            let tie = Tie { id: id.parse().unwrap(), from, kind: TieKind::Holds(holding), ..tie.clone() };
            after.push(Statement {
                id: format!("as-if-{id}").parse().unwrap(),
                said: Said::Tie(tie),
                ..statement.clone()
            });
        }
        let mut about = Entity::new(buyer, EntityKind::Organisation);
        about.countries = vec![home.to_owned()];
        about.publicly_listed = Some(true);
        let id = format!("about-buyer-of-{}", tie.id).parse().unwrap();
        after.push(Statement { id, said: Said::Entity(about), ..statement.clone() });
    }
    after
}

#[test]
fn selling_down_helps_as_told_and_a_basis_point_less_would_not() {
    let judge = judge();
    let home = judge.programme().settings().vetting.home.first().unwrap().clone();
    let mut random = Random(15);
    let (mut sales, mut several) = (0, 0);
    for _ in 0..150 {
        let statements = with_lists(&judge, world(&mut random, Wild::default()));
        let registry = registry_of(&statements);
        let picture = registry.picture(day());
        let session = Session::new(&judge, &picture, None);
        let decision = session.decide(&member(), &cleared()).unwrap();
        let remedies = session.remedies(&member(), &decision, &mut || false).unwrap();
        // Stated as if it had been sold, and not looked at through anything.
        let grade_after = |keep: &BTreeMap<TieId, u32>, end: &BTreeSet<TieId>| {
            let registry = registry_of(&sold(&statements, keep, end, &home));
            let picture = registry.picture(day());
            Session::new(&judge, &picture, None).decide(&member(), &cleared()).unwrap().grade
        };
        let mut worse = decision.grade;
        for sale in &remedies.sales {
            assert!(sale.least && !sale.sell.is_empty() && sale.leaves < decision.grade, "{sale:?}");
            let keep: BTreeMap<TieId, u32> =
                sale.sell.iter().map(|sale| (sale.tie.clone(), sale.keep)).collect();
            assert_eq!(grade_after(&keep, &sale.end), sale.leaves, "{sale:?}\n{}", decision.describe(None));
            // The sales of one set are a ladder; the next set's begins at the top again.
            let before = if sale.leaves < worse { worse } else { decision.grade };
            for one in &sale.sell {
                assert!(one.keep > 0 && one.sell > 0);
                let mut more = keep.clone();
                more.insert(one.tie.clone(), one.keep + 1);
                assert!(grade_after(&more, &sale.end) > sale.leaves, "{sale:?}: {} kept", one.keep + 1);
            }
            several += usize::from(before != decision.grade);
            worse = sale.leaves;
            sales += 1;
        }
        let text = decision.describe(Some(&remedies));
        assert_eq!(text.contains("a basis point less would not do"), !remedies.sales.is_empty(), "{text}");
    }
    assert!(sales > 30 && several > 3, "{sales} {several}");
}

/// Whether the member, or what it controls, is a party of a tie.
fn is_own(own: &BTreeSet<EntityId>, picture: &dyn Picture, tie: &TieId) -> bool {
    picture.tie(tie).is_some_and(|known| own.contains(&known.tie.from) || own.contains(&known.tie.to))
}

fn subsets(ties: &[TieId], most: usize) -> Vec<BTreeSet<TieId>> {
    let mut sets: Vec<BTreeSet<TieId>> = vec![BTreeSet::new()];
    let mut from = 0;
    for _ in 0..most {
        let end = sets.len();
        for place in from..end {
            let last = sets[place].last().cloned();
            for tie in ties.iter().filter(|tie| last.as_ref().is_none_or(|last| *tie > last)) {
                let mut set = sets[place].clone();
                set.insert(tie.clone());
                sets.push(set);
            }
        }
        from = end;
    }
    sets.remove(0);
    sets
}

#[test]
fn only_those_who_are_named_as_affected_move() {
    let judge = judge();
    let mut random = Random(14);
    let mut still = 0;
    for _ in 0..400 {
        let all = with_lists(&judge, world(&mut random, Wild { contradictions: true, restricted: false }));
        // That a state is named concerns whoever belongs to it, which no tie says; the exchange asks everybody then.
        let of_a_state = |statement: &Statement| matches!(&statement.said, Said::Listing(listing) if listing.entity.as_str().starts_with("state:"));
        let places: Vec<usize> = (0..all.len()).filter(|place| !of_a_state(&all[*place])).collect();
        let place = places[usize::try_from(random.below(places.len() as u64)).unwrap()];
        let mut before = all.clone();
        let last = before.remove(place);
        let (before, after) = (registry_of(&before), registry_of(&all));
        let said = last.clone();
        let affected = after.affected_by(&[last]);
        let (old, new) = (before.picture(day()), after.picture(day()));
        let (old, new) = (Session::new(&judge, &old, None), Session::new(&judge, &new, None));
        for number in 0..7 {
            let party = vetting::Party::new(format!("e{number}").parse().unwrap());
            if !affected.contains(&party.entity) {
                still += 1;
                let (old, new) = (old.facts(&party), new.facts(&party));
                assert_eq!(old.values(Side::Certain), new.values(Side::Certain), "{party:?}: {said:?}");
                assert_eq!(old.values(Side::Possible), new.values(Side::Possible), "{party:?}: {said:?}");
            }
        }
    }
    assert!(still > 300, "{still}");
}

/// What a session remembers of others, and what it makes only when it is asked for, changes no byte of a decision.
#[test]
fn everybody_fares_as_if_nobody_else_had_been_decided_on() {
    let judge = judge();
    let mut random = Random(15);
    let tiers = ["open", "programme", "cleared"].map(|tier| tier.parse().unwrap());
    let mut with_proofs = 0;
    for round in 0..200 {
        let wild = Wild { contradictions: round % 2 == 0, restricted: round % 3 == 0 };
        let registry = registry_of(&with_lists(&judge, world(&mut random, wild)));
        let picture = registry.picture(day());
        let may_see = if round % 5 == 0 { Evidence::Concerned } else { Evidence::Programme };
        let shared = Session::new(&judge, &picture, None).for_reader(may_see);
        let mut parties: Vec<_> =
            (0..7).map(|number| vetting::Party::new(format!("e{number}").parse().unwrap())).collect();
        parties.extend(parties.clone().into_iter().rev());
        for party in &parties {
            let facts = shared.facts(party);
            for tier in &tiers {
                let among_others = shared.decide_on(party, tier, &facts).unwrap();
                let alone = Session::new(&judge, &picture, None).for_reader(may_see);
                let alone = alone.decide(party, tier).unwrap();
                with_proofs += usize::from(!alone.findings.is_empty() || !alone.perhaps.is_empty());
                let written = |decision| serde_json::to_string(decision).unwrap();
                assert_eq!(written(&among_others), written(&alone), "round {round}");
            }
        }
    }
    assert!(with_proofs > 1_000, "{with_proofs}");
}
