//! What is derived from ties: one entity's cone, the whole graph, and who is affected by a change.

#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

mod frame;

use std::collections::{BTreeMap, BTreeSet};

use frame::{Edit, as_of, entity, link, listing, retraction, same, stake, tie};
use proptest::prelude::*;
use ties::derive::{Basis, Cone, Joint, Limits, Measure, Options, Outlook, Registers, What, Whole};
use ties::kernel::{Certainty, Line};
use ties::{
    Appointment, Direction, Ending, EntityId, EntityKind, Fraction, PartyRole, Period, Picture, Plan, Post,
    Registry, RegistryPicture, Said, Share, Stage, Statement, TieKind,
};

fn id(text: &str) -> EntityId {
    text.parse().unwrap()
}

fn registry(statements: Vec<Statement>) -> Registry {
    let mut registry = Registry::new();
    assert_eq!(registry.add(statements).refused, []);
    registry
}

const NOW: &str = "2022-01-01";

fn cone_of(statements: Vec<Statement>, options: &Options) -> Cone {
    Cone::upstream(&registry(statements).picture(as_of(NOW, NOW)), &id("A"), options)
}

/// The edges into the entity, "holder share", a way by its own edges.
fn into(cone: &Cone, measure: Measure, company: &str) -> Vec<String> {
    shown(cone, measure, cone.node(&id(company)).unwrap())
}

fn shown(cone: &Cone, measure: Measure, node: u32) -> Vec<String> {
    let edges = cone.edges_into(measure, node).iter().map(|edge| {
        if edge.basis == Basis::Way {
            format!("({})", shown(cone, measure, edge.holder).join(", "))
        } else {
            format!("{} {}", cone.entity(edge.holder).unwrap(), edge.share)
        }
    });
    let mut edges: Vec<String> = edges.collect();
    edges.sort();
    edges
}

fn controllers(cone: &Cone, certainty: Certainty) -> Vec<String> {
    let of = cone.holdings(Measure::Control).controllers(cone.node(&id("A")).unwrap(), certainty);
    let mut names: Vec<String> =
        of.into_iter().filter(|&n| !cone.is_way(n)).map(|n| cone.entity(n).unwrap().to_string()).collect();
    names.sort();
    names
}

fn party(name: &str, from: &str, to: &str, role: PartyRole) -> Statement {
    link(name, &format!("tie-{name}"), from, to, TieKind::PartyTo { role })
}

fn described(name: &str, of: &str, edit: impl FnOnce(&mut ties::Entity)) -> Statement {
    let mut made = entity(name, of, EntityKind::Organisation);
    if let Said::Entity(entity) = &mut made.said {
        edit(entity);
    }
    made
}

#[test]
fn what_is_left_out_is_filled_in_with_care() {
    let cases = [
        // votes, money     in the graph of control, of money
        (Some("60%"), Some("10%"), "X 60%", "X 10%"),
        (None, Some("10%"), "X 10%", "X 10%"),
        (Some("60%"), None, "X 60%", "X [0%,100%]"),
        (None, None, "X [0%,100%]", "X [0%,100%]"),
    ];
    for (votes, money, control, owned) in cases {
        let mut made = stake("s", "t", "X", "A", "1%");
        tie(&mut made, |holding| {
            holding.votes = votes.map(|share| share.parse().unwrap());
            holding.money = money.map(|share| share.parse().unwrap());
        });
        let cone = cone_of(vec![made], &Options::default());
        assert_eq!(into(&cone, Measure::Control, "A"), [control]);
        assert_eq!(into(&cone, Measure::Money, "A"), [owned]);
    }
}

#[test]
fn one_document_adds_and_several_agree_or_are_told() {
    let one = |name: &str, share: &str, document: &str| stake(name, name, "X", "A", share).by(document);
    let cases: [(Vec<Statement>, &str, &[What]); 9] = [
        (vec![one("a", "30%", "d"), one("b", "25%", "d")], "X 55%", &[]),
        (vec![one("a", "(25%,50%]", "d"), one("b", "[30%,60%]", "e")], "X [30%,50%]", &[]),
        (vec![one("a", "60%", "d"), one("b", "20%", "e")], "X [20%,60%]", &[What::VotesDisputed]),
        (vec![one("a", "60%", "d"), one("b", "60%", "d")], "X [0%,100%]", &[What::TooMuch]),
        // A rumour widens upwards, and never takes away.
        (vec![one("a", "60%", "d"), one("b", "20%", "e").doubtful()], "X 60%", &[]),
        (vec![one("a", "20%", "d"), one("b", "60%", "e").doubtful()], "X [20%,60%]", &[]),
        (vec![one("a", "60%", "d").doubtful()], "X [0%,60%]", &[]),
        (vec![one("a", "30%", "d"), one("b", "25%", "d").doubtful()], "X [30%,55%]", &[]),
        (vec![one("a", "40%", "d"), one("b", "40%", "e"), one("c", "40%", "f")], "X 40%", &[]),
    ];
    for (n, (statements, want, told)) in cases.into_iter().enumerate() {
        let cone = cone_of(statements, &Options::default());
        assert_eq!(into(&cone, Measure::Control, "A"), [want], "case {n}");
        let whats: Vec<What> = cone.irregularities.iter().map(|found| found.what).collect();
        let of_votes: Vec<What> = whats.into_iter().filter(|what| *what != What::MoneyDisputed).collect();
        assert_eq!(of_votes, told, "case {n}");
    }
}

#[test]
fn rights_stand_beside_votes() {
    let directs = |by| link("d", "directs", "D", "A", TieKind::Directs { by });
    let votes = || vec![stake("p", "tp", "P", "A", "60%"), stake("q", "tq", "Q", "A", "40%")];
    let by_contract = cone_of([votes(), vec![directs(Direction::Contract)]].concat(), &Options::default());
    assert_eq!(into(&by_contract, Measure::Control, "A"), ["(P 60%, Q 40%)", "D 100%"]);
    assert_eq!(controllers(&by_contract, Certainty::Certain), ["D", "P"]);
    assert_eq!(into(&by_contract, Measure::Money, "A"), ["P [0%,100%]", "Q [0%,100%]"]);
    let a = by_contract.node(&id("A")).unwrap();
    let register = by_contract.votes_of(a);
    assert!(by_contract.is_way(register) && by_contract.entity(register) == Some(&id("A")));
    assert_eq!(by_contract.edges_into(Measure::Control, register).len(), 2);
    let influence = cone_of([votes(), vec![directs(Direction::Influence)]].concat(), &Options::default());
    assert_eq!(controllers(&influence, Certainty::Certain), ["P"]);
    assert_eq!(controllers(&influence, Certainty::Possible), ["D", "P"]);
    let lender = link("l", "loan", "L", "A", TieKind::Lends { of_net_worth: None, directs: true });
    assert_eq!(controllers(&cone_of(vec![lender], &Options::default()), Certainty::Possible), ["L"]);
    let named = Appointment { majority: Some(true), ..Appointment::default() };
    let board = link("b", "board", "B", "A", TieKind::Appoints(named));
    assert_eq!(controllers(&cone_of(vec![board], &Options::default()), Certainty::Certain), ["B"]);
}

#[test]
fn arrangements_are_looked_through() {
    let held = || stake("s", "t", "J", "A", "100%");
    let of_kind = |kind| entity("j", "J", kind);
    let trust = vec![
        of_kind(EntityKind::Trust),
        held(),
        party("t", "T", "J", PartyRole::Trustee),
        party("b", "B", "J", PartyRole::Beneficiary),
        party("s2", "S", "J", PartyRole::Settlor),
    ];
    let cone = cone_of(trust, &Options::default());
    assert_eq!(controllers(&cone, Certainty::Possible), ["J", "T"]);
    assert_eq!(into(&cone, Measure::Money, "J"), ["B 100%"]);
    let two_trustees = vec![
        of_kind(EntityKind::Trust),
        held(),
        party("t1", "T1", "J", PartyRole::Trustee),
        party("t2", "T2", "J", PartyRole::Trustee),
        stake("x1", "x1", "X", "T1", "100%"),
        stake("x2", "x2", "X", "T2", "100%"),
    ];
    let cone = cone_of(two_trustees, &Options::default());
    // Neither alone; whoever controls both does.
    assert_eq!(controllers(&cone, Certainty::Certain), ["J", "X"]);
    assert_eq!(controllers(&cone, Certainty::Possible), ["J", "T1", "T2", "X"]);
    let joint = vec![
        of_kind(EntityKind::JointHolding),
        held(),
        party("p", "P", "J", PartyRole::Party),
        party("q", "Q", "J", PartyRole::Party),
    ];
    assert_eq!(controllers(&cone_of(joint, &Options::default()), Certainty::Certain), ["J", "P", "Q"]);
}

#[test]
fn a_concert_pools_what_its_members_hold() {
    let statements = vec![
        entity("g", "G", EntityKind::Concert),
        party("x", "X", "G", PartyRole::Party),
        party("y", "Y", "G", PartyRole::Party),
        stake("sx", "sx", "X", "A", "30%"),
        stake("sy", "sy", "Y", "A", "25%"),
        stake("sz", "sz", "Z", "A", "45%"),
        stake("sb", "sb", "X", "B", "30%"),
    ];
    let registry = registry(statements);
    let picture = registry.picture(as_of(NOW, NOW));
    let cone = Cone::upstream(&picture, &id("A"), &Options::default());
    assert_eq!(into(&cone, Measure::Control, "A"), ["(G 55%, Z 45%)", "(X 30%, Y 25%, Z 45%)"]);
    assert_eq!(controllers(&cone, Certainty::Certain), ["G"]);
    agree(&registry, &Options::default()).unwrap();
    let alone = Cone::upstream(&picture, &id("B"), &Options::default());
    assert_eq!(into(&alone, Measure::Control, "B"), ["X 30%"], "one member is no concert");
}

#[test]
fn the_dissolved_hold_nothing() {
    let statements = |dissolved: &str| {
        let complete = described("a", "A", |entity| entity.register_complete = Some(true));
        let gone = described("x", "X", |entity| entity.dissolved = Some(dissolved.parse().unwrap()));
        vec![complete, gone, stake("s", "s", "X", "A", "60%"), stake("y", "y", "Y", "A", "[0%,40%]")]
    };
    let cases = [
        ("2021-12-31", vec!["Y [0%,40%]"], false),
        ("2022", vec!["X [0%,60%]", "Y [0%,40%]"], true),
        ("2023", vec!["X 60%", "Y [0%,40%]"], true),
    ];
    for (dissolved, want, complete) in cases {
        let cone = cone_of(statements(dissolved), &Options::default());
        assert_eq!(into(&cone, Measure::Control, "A"), want, "{dissolved}");
        let terms = cone.holdings(Measure::Control).terms(cone.node(&id("A")).unwrap());
        assert_eq!(terms.complete, complete, "{dissolved}: what it held went somewhere");
    }
}

#[test]
fn what_may_be_acquired_counts_when_asked_for() {
    let option = |name: &str, from: &str, votes: &str, to: Option<&str>| {
        let window = Period { from: None, to: to.map(|to| to.parse().unwrap()) };
        let votes = votes.parse().unwrap();
        link(name, &format!("tie-{name}"), from, "A", TieKind::MayAcquire { votes, window })
    };
    let held = || vec![stake("x", "x", "X", "A", "49%"), stake("h", "h", "H", "A", "51%")];
    let plan = Plan { stage: Stage::Signed, ends: vec!["h".parse().unwrap()], votes: Some(Share::WHOLE) };
    let prospective = Options { outlook: Outlook::Prospective, ..Options::default() };
    let cases: [(Vec<Statement>, &[&str]); 5] = [
        (vec![], &["H 51%", "X 49%"]),
        (vec![option("o", "X", "60%", None)], &["H [0%,40%]", "X 60%"]),
        (vec![option("o", "X", "60%", Some("2021-12-31"))], &["H 51%", "X 49%"]),
        (
            vec![option("o", "X", "60%", None), option("p", "Z", "70%", None)],
            &["H [0%,51%]", "X [49%,60%]", "Z [0%,70%]"],
        ),
        (vec![link("plan", "plan", "X", "A", TieKind::Plans(plan))], &["X 100%"]),
    ];
    for (n, (more, want)) in cases.into_iter().enumerate() {
        let statements = [held(), more].concat();
        let cone = cone_of(statements.clone(), &prospective);
        assert_eq!(into(&cone, Measure::Control, "A"), want, "case {n}");
        let as_held = cone_of(statements, &Options::default());
        assert_eq!(into(&as_held, Measure::Control, "A"), ["H 51%", "X 49%"], "case {n}");
    }
}

#[test]
fn a_hub_and_a_pyramid_are_walked_within_their_limits() {
    let hub: Vec<Statement> = (0..100_000)
        .map(|n| stake(&format!("s{n}"), &format!("t{n}"), &format!("h{n}"), "A", "0.001%"))
        .collect();
    let registry_of_hub = registry(hub);
    let picture = registry_of_hub.picture(as_of(NOW, NOW));
    let cone = Cone::upstream(&picture, &id("A"), &Options::default());
    assert_eq!((cone.entities().len(), cone.cut_short), (100_001, false));
    let few = Options { limits: Limits { entities: 10, ties: 1_000 }, ..Options::default() };
    let short = Cone::upstream(&picture, &id("A"), &few);
    assert!(short.cut_short);
    assert!(short.open_ends().len() >= 99_999, "what was not looked at is unknown");

    let mut pyramid: Vec<Statement> = (0..10_000)
        .map(|n| stake(&format!("s{n}"), &format!("t{n}"), &format!("c{}", n + 1), &format!("c{n}"), "51%"))
        .collect();
    // The top is told to be the ultimate parent of each, and to hold each indirectly.
    for n in (0..10_000).step_by(50) {
        let ultimate = TieKind::Consolidates { ultimate: true };
        pyramid.push(link(&format!("u{n}"), &format!("u{n}"), "c10000", &format!("c{n}"), ultimate));
        let mut indirect = stake(&format!("i{n}"), &format!("i{n}"), "c10000", &format!("c{n}"), "51%");
        tie(&mut indirect, |holding| holding.indirect = true);
        pyramid.push(indirect);
    }
    let registry = registry(pyramid);
    let cone = Cone::upstream(&registry.picture(as_of(NOW, NOW)), &id("c0"), &Options::default());
    assert_eq!(cone.entities().len(), 10_001);
    let top = cone.node(&id("c10000")).unwrap();
    let control = cone.holdings(Measure::Control);
    assert!(control.closure(&[top], Line::MAJORITY, Certainty::Certain).contains(0));
}

#[test]
fn merged_entities_hold_as_one() {
    let statements = vec![
        stake("a", "a", "X", "A", "30%").by("d"),
        stake("b", "b", "X2", "A", "25%").by("d"),
        same("m", "X", "X2"),
    ];
    let cone = cone_of(statements, &Options::default());
    assert_eq!(into(&cone, Measure::Control, "A"), ["X 55%"]);
}

/// Which of two sums comes first depends on who is asked about; what they amount to must not.
#[test]
fn sums_that_fit_alone_and_not_together_are_doubted_alike() {
    let indirect = |name: &str, from: &str, document: &str| {
        let mut made = stake(name, name, from, "c", "51%").by(document);
        tie(&mut made, |holding| holding.indirect = true);
        made
    };
    let statements = [indirect("1", "a", "y"), indirect("2", "c", "x"), indirect("3", "b", "z")];
    for count in 1..=3 {
        let registry = registry(statements[..count].to_vec());
        agree(&registry, &Options::default()).unwrap();
        let cone = Cone::upstream(&registry.picture(as_of(NOW, NOW)), &id("c"), &Options::default());
        let doubted: Vec<What> = cone.irregularities.iter().map(|found| found.what).collect();
        let (want, holds) = if count == 1 { (0, "a 51%") } else { (count, "a [0%,51%]") };
        assert_eq!(doubted, vec![What::SummaryDoubted; want], "{count}");
        assert!(into(&cone, Measure::Control, "c").contains(&holds.to_owned()), "{count}");
    }
}

const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

fn statements() -> impl Strategy<Value = Vec<Statement>> {
    let one = (0..24_u8, 0..9_usize, 0..9_usize, any::<u16>());
    proptest::collection::vec(one, 1..16).prop_map(|seeds| {
        let made = seeds
            .into_iter()
            .enumerate()
            .map(|(n, (kind, from, to, more))| made(n, kind, NAMES[from], NAMES[to], more));
        made.filter(|made| match &made.said {
            Said::Same { kept, merged, .. } => kept != merged,
            Said::Retraction { of, .. } => *of != made.id,
            Said::Entity(_) | Said::Tie(_) | Said::End(_) | Said::Listing(_) => true,
        })
        .collect()
    })
}

fn made(n: usize, kind: u8, from: &str, to: &str, more: u16) -> Statement {
    let (name, tie_name) =
        (format!("s{n}"), format!("t{}", if more.is_multiple_of(8) { usize::from(more >> 12) } else { n }));
    let link = |kind: TieKind| link(&name, &tie_name, from, to, kind);
    let roles = [PartyRole::Trustee, PartyRole::Party, PartyRole::Nominator, PartyRole::Beneficiary];
    let kinds = [EntityKind::Concert, EntityKind::JointHolding, EntityKind::Trust, EntityKind::Organisation];
    let share = ["60%", "30%", "(25%,50%]", "51%", "100%", "10%"][usize::from(more) % 6];
    let statement = match kind {
        0..=8 => stake(&name, &tie_name, from, to, share),
        9 => {
            let mut made = stake(&name, &tie_name, from, to, share);
            tie(&mut made, |holding| holding.nominator = Some(id(NAMES[usize::from(more >> 4) % 9])));
            made
        }
        10 => {
            let mut made = stake(&name, &tie_name, from, to, share);
            tie(&mut made, |holding| {
                holding.indirect = true;
                if more & 0x40 != 0 {
                    holding.components = vec![format!("t{}", more >> 12).parse().unwrap()];
                }
            });
            made
        }
        11 | 12 => link(TieKind::PartyTo { role: roles[usize::from(more) % 4] }),
        13 => link(TieKind::Consolidates { ultimate: more & 0x10 != 0 }),
        14 => link(TieKind::Directs {
            by: if more & 0x10 == 0 { Direction::Law } else { Direction::Influence },
        }),
        15 => link(TieKind::Serves { post: Post::Director }),
        16 => link(TieKind::Licenses { subject: String::new(), technology: true, royalty: false }),
        17 | 18 => described(&name, from, |entity| {
            entity.kind = kinds[usize::from(more) % 4];
            entity.register_complete = Some(more & 0x20 != 0);
            entity.dissolved = (more & 0x1c0 == 0x1c0).then(|| "2021".parse().unwrap());
        }),
        19 => listing(&name, &tie_name, "list", from),
        20 => same(&name, from, to),
        21 => retraction(&name, &format!("s{}", more % 16)),
        22 => frame::end(&name, &tie_name, "2021", Ending::Completed),
        _ => link(TieKind::MayAcquire { votes: share.parse().unwrap(), window: Period::ALWAYS }),
    };
    let statement = statement.by(["x", "y"][usize::from(more >> 3) & 1]);
    let statement = if more & 0x600 == 0x600 { statement.doubtful() } else { statement };
    statement.recorded("2020-01-01")
}

/// Every edge of an entity's cone with its ties, by name, and who upstream is on a list.
fn seen(picture: &RegistryPicture<'_>, entity: &EntityId, options: &Options) -> BTreeSet<String> {
    let cone = Cone::upstream(picture, entity, options);
    let name = |node| format!("{}{}", cone.entity(node).unwrap(), if cone.is_way(node) { "*" } else { "" });
    let mut seen = BTreeSet::new();
    for measure in [Measure::Control, Measure::Money] {
        for edge in cone.edges(measure) {
            let (holder, company) = (name(edge.holder), name(edge.company));
            let terms = cone.holdings(measure).terms(edge.company);
            seen.insert(format!("{measure:?} {holder} {company} {} {:?} {terms:?}", edge.share, edge.ties));
        }
    }
    for entity in cone.entities() {
        seen.extend(
            picture
                .listings(entity)
                .iter()
                .map(|known| format!("{} {:?}", known.listing.entity, known.truth)),
        );
        seen.extend(picture.entity(entity).map(|entity| format!("{entity:?}")));
    }
    seen
}

/// All that a rule may look at for an entity, as `Registry::affected_by` tells it.
fn facts(picture: &RegistryPicture<'_>, entity: &EntityId) -> BTreeSet<String> {
    let options = Options { outlook: Outlook::Prospective, ..Options::default() };
    let mut group = BTreeSet::from([picture.canonical(entity)]);
    let mut open: Vec<EntityId> = group.iter().cloned().collect();
    while let Some(next) = open.pop() {
        for known in picture.ties_out_of(&next) {
            let carries = matches!(
                known.tie.kind,
                TieKind::Holds(_)
                    | TieKind::Directs { .. }
                    | TieKind::Consolidates { .. }
                    | TieKind::PartyTo { .. }
            );
            if carries && group.insert(known.tie.to.clone()) {
                open.push(known.tie.to);
            }
        }
    }
    let mut facts = BTreeSet::new();
    for member in &group {
        facts.extend(seen(picture, member, &options));
        for known in [picture.ties_into(member), picture.ties_out_of(member)].concat() {
            let partner = if known.tie.from == *member { &known.tie.to } else { &known.tie.from };
            facts.extend(seen(picture, partner, &options));
            facts.insert(format!("{:?} {:?} {:?}", known.tie, known.truth, known.disputed_end));
            if matches!(known.tie.kind, TieKind::Serves { .. }) {
                let posts = picture.ties_out_of(partner).into_iter();
                let posts = posts.filter(|known| matches!(known.tie.kind, TieKind::Serves { .. }));
                facts.extend(posts.map(|known| format!("{:?} {:?}", known.tie, known.truth)));
            }
        }
    }
    facts
}

fn pairs(of: &ties::kernel::Holdings, from: u32, to: u32) -> [bool; 3] {
    let half = Line::at_least(Fraction::HALF);
    [(Line::MAJORITY, Certainty::Certain), (Line::MAJORITY, Certainty::Possible), (half, Certainty::Certain)]
        .map(|(line, certainty)| of.closure(&[from], line, certainty).contains(to))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn nobody_outside_the_affected_has_other_facts(all in statements(), last in 1_usize..4) {
        let known = as_of(NOW, NOW);
        let last = all.len().saturating_sub(last);
        let before = registry(all[..last].to_vec());
        let mut after = before.clone();
        after.add(all[last..].to_vec());
        let affected = after.affected_by(&all[last..]);
        let (before, after) = (before.picture(known), after.picture(known));
        for name in NAMES.map(id) {
            if !affected.contains(&name) {
                prop_assert_eq!(facts(&before, &name), facts(&after, &name), "{}", name);
            }
        }
    }

    #[test]
    fn a_cone_and_the_whole_say_the_same(all in statements(), prospective: bool, each_whole: bool) {
        let options = Options {
            outlook: if prospective { Outlook::Prospective } else { Outlook::AsHeld },
            joint: if each_whole { Joint::EachWhole } else { Joint::AsStated },
            ..Options::default()
        };
        let registry = registry(all);
        agree(&registry, &options)?;
    }

    #[test]
    fn a_cone_is_the_same_whatever_was_looked_at_before(all in statements(), prospective: bool, shift in 0..NAMES.len()) {
        let outlook = if prospective { Outlook::Prospective } else { Outlook::AsHeld };
        let options = Options { outlook, ..Options::default() };
        let registry = registry(all);
        let picture = registry.picture(as_of(NOW, NOW));
        let mut registers = Registers::new(options);
        // Everybody twice: the second time every register is there already.
        for name in NAMES.iter().chain(&NAMES).cycle().skip(shift).take(2 * NAMES.len()).map(|name| id(name)) {
            for limits in [Limits { entities: 1, ..Limits::default() }, Limits::default()] {
                let alone = Cone::upstream(&picture, &name, &Options { limits, ..options });
                prop_assert_eq!(whole_cone(&registers.cone(&picture, &name, limits)), whole_cone(&alone), "{}", name);
            }
        }
    }
}

/// All that a cone says, in its own order.
fn whole_cone(cone: &Cone) -> String {
    let measures = [Measure::Control, Measure::Money].map(|measure| {
        let holdings = cone.holdings(measure);
        let terms: Vec<_> =
            (0..holdings.nodes()).map(|node| (cone.entity(node), holdings.terms(node))).collect();
        format!("{:?} {terms:?}", cone.edges(measure))
    });
    let rest = (cone.entities(), &cone.irregularities, cone.open_ends(), cone.cut_short);
    format!("{measures:?} {rest:?}")
}

/// Whether each entity's cone and the whole graph give the same answers about it.
fn agree(registry: &Registry, options: &Options) -> Result<(), TestCaseError> {
    let names = registry.log(0..registry.len()).filter_map(|statement| {
        let Said::Tie(tie) = statement.said else { return None };
        Some([tie.from, tie.to])
    });
    let names: BTreeSet<EntityId> = names.flatten().collect();
    let picture = registry.picture(as_of(NOW, NOW));
    let whole = Whole::build(&picture, options);
    for company in &names {
        let node = whole.node(&picture, company).unwrap();
        let cone = Cone::upstream(&picture, company, options);
        for measure in [Measure::Control, Measure::Money] {
            let mut here: BTreeMap<EntityId, [bool; 3]> = BTreeMap::new();
            for (place, holder) in cone.entities().iter().enumerate() {
                let place = u32::try_from(place).unwrap();
                here.insert(holder.clone(), pairs(cone.holdings(measure), place, 0));
            }
            for holder in &names {
                let from = whole.node(&picture, holder).unwrap();
                let there = pairs(whole.holdings(measure), from, node);
                let here = here.get(&picture.canonical(holder)).copied().unwrap_or([false; 3]);
                prop_assert_eq!(here, there, "{} in {}", holder, company);
            }
        }
    }
    Ok(())
}

#[test]
fn who_serves_two_houses_ties_them() {
    let serves = |name: &str, at: &str| link(name, name, "P", at, TieKind::Serves { post: Post::Director });
    let mut registry = registry(vec![serves("1", "M"), stake("2", "2", "O", "M", "60%")]);
    let new = vec![serves("3", "X").recorded("2021-01-01")];
    registry.add(new.clone());
    let affected: Vec<String> = registry.affected_by(&new).iter().map(|id| id.to_string()).collect();
    assert_eq!(affected, ["M", "O", "P", "X"]);
}

#[test]
fn a_change_far_away_affects_nobody_here() {
    let mut registry = registry(vec![
        stake("1", "1", "X", "A", "60%"),
        stake("2", "2", "Y", "B", "60%"),
        link("3", "3", "A", "M", TieKind::Supplies { subject: String::new() }),
    ]);
    let new = vec![stake("4", "4", "Z", "X", "60%").recorded("2021-01-01")];
    registry.add(new.clone());
    let affected: Vec<String> = registry.affected_by(&new).iter().map(|id| id.to_string()).collect();
    // M is supplied by A, whose owner has a new owner. Y and B have nothing to do with it.
    assert_eq!(affected, ["A", "M", "X", "Z"]);
}
