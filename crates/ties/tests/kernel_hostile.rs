//! Shapes made to hurt: deep, round, wide, and hard to cut. Each must end, and soon, and right.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use ties::kernel::{
    Builder, Certainty, Ending, Finding, Forest, Holdings, Least, Line, Node, Order, Remedy, Side, Task,
    Terms,
};
use ties::{Fraction, Share};

fn percent(percent: u32) -> Share {
    Share::exact(Fraction::percent(percent)).unwrap()
}

fn count<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap()
}

fn graph(nodes: u32, ties: impl IntoIterator<Item = (Node, Node, u32)>) -> Holdings {
    let mut builder = Builder::new(nodes);
    for (holder, company, share) in ties {
        builder.tie(holder, company, percent(share)).unwrap();
    }
    builder.build()
}

/// 0 holds 60 % of 1; every further company is held 30 % by the one before and 25 % by the one before that.
fn joint_pyramid(levels: u32) -> Holdings {
    let upper = (2..=levels).flat_map(|level| [(level - 1, level, 30), (level - 2, level, 25)]);
    graph(levels + 1, std::iter::once((0, 1, 60)).chain(upper))
}

#[test]
fn a_pyramid_of_ten_thousand_levels_is_climbed() {
    const LEVELS: u32 = 10_000;
    let single = graph(LEVELS + 1, (0..LEVELS).map(|level| (level, level + 1, 60)));
    let joint = joint_pyramid(LEVELS);
    for (name, holdings) in [("single", single), ("joint", joint)] {
        let mut forest = Forest::new(holdings.clone());
        assert_eq!(forest.ultimate(LEVELS), [0], "{name}");
        assert_eq!(count(&forest.controlled_by(0)), LEVELS, "{name}");
        assert!(forest.controls(0, LEVELS), "{name}");
        let closure = holdings.closure(&[0], Line::MAJORITY, Certainty::Certain);
        let proof = holdings.prove(&closure, LEVELS, &|_, _| Some(0)).unwrap();
        assert_eq!(count(&proof.steps), LEVELS, "{name}");
        let order = Order::new(&holdings);
        assert!(holdings.look_through(&order, &[0], Side::Least)[1] > 0.5, "{name}");
        // Without its top nobody controls any of it from outside; with it, all is back.
        let moved = forest.set(0, 1, Share::NOTHING).unwrap();
        assert_eq!(count(&moved.companies), LEVELS, "{name}");
        assert_eq!(forest.controlled_by(0), [], "{name}");
        forest.set(0, 1, percent(60)).unwrap();
        assert_eq!(count(&forest.controlled_by(0)), LEVELS, "{name}");
    }
}

#[test]
fn circles_of_any_length_are_one_class_or_none() {
    for length in [1, 2, 3, 10, 100_000] {
        let majority = graph(length, (0..length).map(|node| (node, (node + 1) % length, 60)));
        let mut forest = Forest::new(majority.clone());
        assert_eq!(count(&forest.class(0)), length);
        assert_eq!(forest.pairs_count(), u64::from(length) * u64::from(length - 1));
        let minority = graph(length, (0..length).map(|node| (node, (node + 1) % length, 40)));
        assert_eq!(Forest::new(minority).pairs_count(), 0);
        // Opened at one place it is a chain; and closed again.
        forest.set(length - 1, 0, Share::NOTHING).unwrap();
        assert_eq!(forest.pairs_count(), u64::from(length) * u64::from(length - 1) / 2);
        forest.set(length - 1, 0, percent(60)).unwrap();
        assert_eq!(forest.pairs_count(), u64::from(length) * u64::from(length - 1));
    }
}

#[test]
fn a_circle_closed_at_the_bottom_of_a_pyramid_is_found() {
    const LEVELS: u32 = 10_000;
    let mut forest = Forest::new(joint_pyramid(LEVELS));
    // The last company takes over the first: then all of it is one circle, and 0 holds only a part.
    forest.set(0, 1, percent(40)).unwrap();
    assert_eq!(forest.pairs_count(), Forest::new(forest.holdings().clone()).pairs_count());
    forest.set(LEVELS, 1, percent(51)).unwrap();
    let fresh = Forest::new(forest.holdings().clone());
    assert_eq!(forest.pairs_count(), fresh.pairs_count());
    assert_eq!(forest.class(1), fresh.class(1));
}

#[test]
fn a_circle_that_owns_itself_has_no_owner() {
    let holdings = graph(5, [(0, 1, 100), (1, 0, 100), (2, 2, 100), (3, 4, 100)]);
    let order = Order::new(&holdings);
    let mut ownerless = holdings.ownerless(&order);
    for circle in &mut ownerless {
        circle.sort_unstable();
    }
    ownerless.sort();
    assert_eq!(ownerless, [vec![0, 1], vec![2]]);
    assert!(holdings.owners(0).is_empty() && holdings.owners(2).is_empty());
    let parts = holdings.look_through(&order, &[3], Side::Most);
    assert_eq!(parts, [0.0, 0.0, 0.0, 1.0, 1.0]);
    // Nearly closed, it converges slowly, and is solved all the same.
    let mut builder = Builder::new(3);
    for (holder, company, points) in [(0, 1, 1), (2, 1, 9_999), (1, 2, 10_000)] {
        builder.tie(holder, company, Share::exact(Fraction::basis_points(points)).unwrap()).unwrap();
    }
    let holdings = builder.build();
    let part = holdings.look_through(&Order::new(&holdings), &[0], Side::Least)[2];
    assert!((part - 1.0).abs() < 1e-9, "{part}");
    assert_eq!(holdings.look_through_to(&[0], 2).unwrap().least.exact, Some(Fraction::ONE));
}

#[test]
fn a_hub_of_a_hundred_thousand_stakes_is_read_once() {
    const STAKES: u32 = 100_000;
    // One company with as many holders, half of them controlled by 0; and 1 holds in as many companies.
    let company = 2;
    let mut builder = Builder::new(3 + 2 * STAKES);
    let sliver = Share::exact(Fraction::new(1, u64::from(STAKES)).unwrap()).unwrap();
    for stake in 0..STAKES {
        builder.tie(3 + stake, company, sliver).unwrap();
        if stake % 2 == 0 || stake == 1 {
            builder.tie(0, 3 + stake, percent(60)).unwrap();
        }
        builder.tie(1, 3 + STAKES + stake, "(25%,50%]".parse().unwrap()).unwrap();
    }
    let mut forest = Forest::new(builder.build());
    assert!(forest.controls(0, company));
    assert_eq!(forest.set(0, 4, Share::NOTHING).unwrap().companies, [company, 4]);
    assert!(!forest.controls(0, company), "half is no majority");
    let holdings = forest.holdings();
    let closure = holdings.closure(&[0], Line::HALF_OR_MORE, Certainty::Certain);
    assert!(closure.contains(company));
    let proof = holdings.prove(&closure, company, &|_, _| Some(0)).unwrap();
    assert_eq!(count(&proof.steps.last().unwrap().carriers), STAKES / 2);
    let possible = holdings.closure(&[1], Line::HALF_OR_MORE, Certainty::Possible);
    assert_eq!(count(possible.joined()), STAKES);
    // Open ends add up without reaching each other: a hundred thousand times more than a millionth.
    let mut builder = Builder::new(1 + STAKES);
    for stake in 1..=STAKES {
        builder.tie(stake, 0, "(0.0005%,1%]".parse().unwrap()).unwrap();
    }
    let holdings = builder.build();
    let all: Vec<Node> = (1..=STAKES).collect();
    assert!(holdings.closure(&all, Line::MAJORITY, Certainty::Certain).contains(0));
    assert!(!holdings.closure(&all[1..], Line::MAJORITY, Certainty::Certain).contains(0));
}

#[test]
fn too_much_and_too_fine_are_told_and_never_rounded() {
    let mut builder = Builder::new(6);
    builder.tie(0, 2, percent(60)).unwrap();
    builder.tie(1, 2, percent(60)).unwrap();
    builder.terms(3, Terms { complete: true, ..Terms::default() }).unwrap();
    builder.tie(0, 3, percent(10)).unwrap();
    let fine = |text: &str| text.parse::<Share>().unwrap();
    builder.tie(0, 4, fine("9000000000000000001/10000000000000000003")).unwrap();
    builder.tie(1, 4, fine("1/10000000000000000009")).unwrap();
    for _ in 0..5 {
        builder.tie(0, 5, percent(100)).unwrap();
    }
    let mut holdings = builder.build();
    let findings: Vec<_> = holdings.findings().collect();
    let want =
        [(2, Finding::OverFull), (3, Finding::ShortRegister), (4, Finding::TooFine), (5, Finding::OverFull)];
    assert_eq!(findings, want);
    assert_eq!(
        holdings.holding(0, 4).unwrap().lo.at,
        "9000000000000000001/10000000000000000003".parse().unwrap()
    );
    assert!(holdings.controllers(4, Certainty::Certain).is_empty());
    assert_eq!(holdings.controllers(4, Certainty::Possible), [0]);
    assert_eq!(holdings.controllers(2, Certainty::Possible), [0, 1]);
    // The cause gone, the finding is gone, and what was said is as it was.
    assert!(holdings.set(1, 4, Share::NOTHING).unwrap());
    assert!(holdings.set(1, 2, Share::NOTHING).unwrap());
    assert!(!holdings.set(1, 2, Share::NOTHING).unwrap());
    assert_eq!((holdings.finding(2), holdings.finding(4)), (None, None));
    assert_eq!(holdings.controllers(4, Certainty::Certain), [0]);
    assert!(holdings.set(0, 99, percent(1)).is_err() && holdings.set(99, 0, percent(1)).is_err());
}

/// A company that is hard to free: its owner 0 holds `corners` companies; each edge between two corners is a
/// venture held 30 % by both, and a chain of halves gathers the ventures. Only what 0 holds can be ended, so a cut is a
/// vertex cover.
fn covering(corners: u32, edges: &[(u32, u32)]) -> (Holdings, Node) {
    let ventures = 1 + corners;
    let count = u32::try_from(edges.len()).unwrap();
    let chain = ventures + count;
    let mut ties: Vec<(Node, Node, u32)> = (1..=corners).map(|corner| (0, corner, 100)).collect();
    for (edge, &(a, b)) in (0..).zip(edges) {
        ties.extend([(1 + a, ventures + edge, 30), (1 + b, ventures + edge, 30)]);
        ties.push((ventures + edge, chain + edge, 50));
        if edge > 0 {
            ties.push((chain + edge - 1, chain + edge, 50));
        }
    }
    (graph(chain + count, ties), chain + count - 1)
}

/// A circle of corners with a chord from each to the one opposite: every corner has three edges.
fn three_regular(corners: u32) -> Vec<(u32, u32)> {
    let circle = (0..corners).map(|corner| (corner, (corner + 1) % corners));
    circle.chain((0..corners / 2).map(|corner| (corner, corner + corners / 2))).collect()
}

fn task(company: Node, cost: ties::kernel::proof::Cost<'_>) -> Task<'_> {
    Task {
        company,
        seeds: &[0],
        line: Line::HALF_OR_MORE,
        certainty: Certainty::Certain,
        ending: Ending::Sold,
        cost,
    }
}

#[test]
fn a_crafted_cut_is_proved_least_or_bounded() {
    let only_top = |holder: Node, _: Node| (holder == 0).then_some(1);
    // On 14 corners, whose halves are odd, the circle alternates and so do the chords: 7 suffice.
    for (corners, want) in [(6, 3), (8, 5), (14, 7), (40, 21)] {
        let (holdings, company) = covering(corners, &three_regular(corners));
        let Remedy::Cuts(cuts) = holdings.least_cuts(&task(company, &only_top), 1, &mut || false) else {
            panic!("{corners} corners can be cut");
        };
        assert_eq!((cuts[0].cost, cuts[0].least), (want, Least::Proved), "{corners}");
    }
    // With hardly any time the answer is a cut all the same, and its bound is honest.
    let (holdings, company) = covering(100, &three_regular(100));
    let mut asked = 0;
    let mut soon = || {
        asked += 1;
        asked > 20
    };
    let Remedy::Cuts(cuts) = holdings.least_cuts(&task(company, &only_top), 3, &mut soon) else {
        panic!("a hundred corners can be cut");
    };
    let Least::BestFound { lower_bound } = cuts[0].least else { panic!("{:?}", cuts[0]) };
    assert!(lower_bound >= 20 && lower_bound <= cuts[0].cost && cuts[0].cost <= 70, "{:?}", cuts[0]);
    let ended = |holder, company| !cuts[0].ties.contains(&(holder, company));
    assert!(!holdings.closure_where(&[0], Line::HALF_OR_MORE, Certainty::Certain, &ended).contains(company));
}

#[test]
fn cancelling_can_hand_control_to_another() {
    // X 60 %, Y 30 %: sold, Y has 30 %; cancelled, Y has 30 of 40.
    let holdings = graph(3, [(0, 2, 60), (1, 2, 30)]);
    let cost = |_: Node, _: Node| Some(1);
    let with = |seeds: &'static [Node], ending| Task { seeds, ending, ..task(2, &cost) };
    let cuts = |seeds, ending| match holdings.least_cuts(&with(seeds, ending), 1, &mut || false) {
        Remedy::Cuts(cuts) => cuts[0].ties.clone(),
        other @ (Remedy::NotNeeded | Remedy::Impossible | Remedy::Undecided) => panic!("{other:?}"),
    };
    assert_eq!(cuts(&[0], Ending::Sold), [(0, 2)]);
    assert_eq!(cuts(&[0], Ending::Cancelled), [(0, 2)]);
    assert_eq!(cuts(&[0, 1], Ending::Sold), [(0, 2)]);
    assert_eq!(cuts(&[0, 1], Ending::Cancelled), [(0, 2), (1, 2)]);
    let never = |_: Node, _: Node| None;
    assert_eq!(holdings.least_cuts(&task(2, &never), 1, &mut || false), Remedy::Impossible);
    let clean = Task { seeds: &[1], ..task(2, &cost) };
    assert_eq!(holdings.least_cuts(&clean, 1, &mut || false), Remedy::NotNeeded);
}

#[test]
fn unrelated_joint_holders_both_control() {
    // 0 and 1 hold the whole of 2 jointly, each counting with all of it; 2 holds 60 % of 3.
    let mut builder = Builder::new(5);
    builder.tie(0, 2, percent(50)).unwrap();
    builder.tie(1, 2, percent(50)).unwrap();
    builder.tie(2, 3, percent(60)).unwrap();
    builder.terms(2, Terms { each_whole: true, ..Terms::default() }).unwrap();
    let mut forest = Forest::new(builder.build());
    assert_eq!(forest.contested().collect::<Vec<_>>(), [2]);
    for joint in [0, 1] {
        assert!(forest.controls(joint, 3) && forest.controls(joint, 2));
        assert_eq!(forest.controlled_by(joint), [2, 3]);
    }
    assert!(!forest.controls(4, 3));
    assert_eq!(forest.holdings().controllers(3, Certainty::Certain), [0, 1, 2]);
    // Related, they are a chain again.
    forest.set(0, 1, percent(70)).unwrap();
    assert!(forest.is_whole());
    assert_eq!(forest.controllers(3), [2, 1, 0]);
    forest.set(0, 1, Share::NOTHING).unwrap();
    assert!(!forest.is_whole());
}
