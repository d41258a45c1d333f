//! The semantic cases of the research notes, each from statements through a picture to the kernel's answer.

#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

mod frame;

use std::collections::BTreeSet;
use std::path::PathBuf;

use frame::{Edit, as_of, entity, link, stake, tie};
use serde_json::Value;
use ties::derive::{Basis, Cone, Joint, Measure, Options, What};
use ties::kernel::{Certainty, Line};
use ties::{
    Appointment, Direction, EntityId, EntityKind, Fraction, Holding, Period, Registry, Said, Statement,
    TieKind,
};

fn id(text: &str) -> EntityId {
    text.parse().unwrap()
}

fn registry(statements: Vec<Statement>) -> Registry {
    let mut registry = Registry::new();
    assert_eq!(registry.add(statements).refused, []);
    registry
}

fn cone_with(statements: Vec<Statement>, of: &str, options: &Options) -> Cone {
    let registry = registry(statements);
    Cone::upstream(&registry.picture(as_of("2022-01-01", "2022-01-01")), &id(of), options)
}

fn cone(statements: Vec<Statement>) -> Cone {
    cone_with(statements, "A", &Options::default())
}

/// Both votes and money.
fn shares(name: &str, from: &str, to: &str, share: &str) -> Statement {
    let mut made = stake(name, &format!("tie-{name}"), from, to, share);
    tie(&mut made, |holding| holding.money = holding.votes);
    made
}

fn complete(company: &str) -> Statement {
    let mut made = entity("complete", company, EntityKind::Organisation);
    if let Said::Entity(entity) = &mut made.said {
        entity.register_complete = Some(true);
    }
    made
}

/// Whether the parties together meet a line in the company.
fn meet(
    cone: &Cone,
    measure: Measure,
    parties: &[&str],
    company: &str,
    line: Line,
    certainty: Certainty,
) -> bool {
    let seeds: Vec<_> = parties.iter().filter_map(|party| cone.node(&id(party))).collect();
    let closure = cone.holdings(measure).closure(&seeds, line, certainty);
    cone.node(&id(company)).is_some_and(|node| closure.contains(node))
}

fn controls(cone: &Cone, party: &str, certainty: Certainty) -> bool {
    meet(cone, Measure::Control, &[party], "A", Line::MAJORITY, certainty)
}

fn blocked(cone: &Cone, parties: &[&str], certainty: Certainty) -> bool {
    meet(cone, Measure::Money, parties, "A", Line::at_least(Fraction::HALF), certainty)
}

/// Who controls the entity, certainly or possibly, by name.
fn controllers(cone: &Cone, company: &str, certainty: Certainty) -> BTreeSet<String> {
    let node = cone.node(&id(company)).unwrap();
    let of = cone.holdings(Measure::Control).controllers(node, certainty);
    of.into_iter()
        .filter(|&node| !cone.is_way(node))
        .map(|node| cone.entity(node).unwrap().to_string())
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

fn whats(cone: &Cone) -> Vec<What> {
    cone.irregularities.iter().map(|irregularity| irregularity.what).collect()
}

fn nothing_uncertain(cone: &Cone) {
    assert_eq!(cone.irregularities, []);
    assert!(!cone.cut_short);
}

const CERTAIN: Certainty = Certainty::Certain;
const POSSIBLE: Certainty = Certainty::Possible;

/// At most `percent` percent can be X's, and that much can.
fn upper_bound(cone: &Cone, percent: u64) {
    let at = Fraction::percent(u32::try_from(percent).unwrap());
    assert!(meet(cone, Measure::Control, &["X"], "A", Line::at_least(at), POSSIBLE));
    assert!(!meet(cone, Measure::Control, &["X"], "A", Line::more_than(at), POSSIBLE));
}

fn ranges(case: &str, want: &Value) {
    let unknown = || {
        let mut made = shares("x", "X", "A", "100%");
        tie(&mut made, |holding| *holding = Holding::default());
        made
    };
    let statements = match case {
        "psc-band-25-50" => vec![shares("x", "X", "A", "(25%,50%]")],
        "psc-band-50-75" => vec![shares("x", "X", "A", "(50%,75%)")],
        "two-bands" => vec![shares("x", "X", "A", "(25%,50%]"), shares("y", "Y", "A", "(25%,50%]")],
        "simplex-bound" => vec![shares("x", "X", "A", "[40%,60%]"), shares("z", "Z", "A", "45%")],
        "complete-register-lower-bound" | "incomplete-register" => {
            let mut all =
                vec![unknown(), shares("y", "Y", "A", "[10%,20%]"), shares("z", "Z", "A", "[10%,20%]")];
            if case == "complete-register-lower-bound" {
                all.push(complete("A"));
            }
            all
        }
        _ => vec![unknown(), shares("y", "Y", "A", "30%"), shares("z", "Z", "A", "25%")],
    };
    let cone = cone(statements);
    nothing_uncertain(&cone);
    let told = |key: &str| want.get(key).and_then(Value::as_bool);
    let answers = [
        ("certain_control", controls(&cone, "X", CERTAIN)),
        ("possible_control", controls(&cone, "X", POSSIBLE)),
        ("possible_blocked_aggregate_50", blocked(&cone, &["X"], POSSIBLE)),
        ("certain_blocked_aggregate_50", blocked(&cone, &["X", "Y"], CERTAIN)),
    ];
    let mut checked = 0;
    for (key, answer) in answers {
        if let Some(told) = told(key) {
            assert_eq!(answer, told, "{case}: {key}");
            checked += 1;
        }
    }
    assert!(checked > 0, "{case} states nothing that is checked");
    if let Some(percent) = want.get("upper_bound_percent").and_then(Value::as_u64) {
        upper_bound(&cone, percent);
    }
    if let Some(percent) = want.get("lower_bound_percent").and_then(Value::as_u64) {
        let at = Fraction::percent(u32::try_from(percent).unwrap());
        assert!(meet(&cone, Measure::Control, &["X"], "A", Line::at_least(at), CERTAIN));
        assert!(!meet(&cone, Measure::Control, &["X"], "A", Line::more_than(at), CERTAIN));
    }
}

fn votes_not_money() {
    let mut held = shares("x", "X", "A", "60%");
    tie(&mut held, |holding| holding.money = Some("10%".parse().unwrap()));
    let cone = cone(vec![held]);
    assert!(controls(&cone, "X", CERTAIN));
    assert!(!blocked(&cone, &["X"], POSSIBLE));
}

fn board_right() {
    let majority = |observer| {
        let right = Appointment { seats: Some(3), of: Some(5), observer, ..Appointment::default() };
        vec![link("b", "board", "X", "A", TieKind::Appoints(right)), shares("x", "X", "A", "5%")]
    };
    let cone_of = |observer| cone(majority(observer));
    assert!(controls(&cone_of(false), "X", CERTAIN));
    assert!(!blocked(&cone_of(false), &["X"], POSSIBLE));
    assert!(!controls(&cone_of(true), "X", POSSIBLE), "observers do not vote");
    let half = Appointment { seats: Some(2), of: Some(4), ..Appointment::default() };
    let half = vec![link("b", "board", "X", "A", TieKind::Appoints(half))];
    assert!(controllers(&cone(half), "A", POSSIBLE).is_empty(), "half of the seats are no majority");
}

fn nominee() {
    let mut held = shares("n", "N", "A", "60%");
    tie(&mut held, |holding| holding.nominator = Some(id("X")));
    let cone = cone(vec![held]);
    assert_eq!(controllers(&cone, "A", CERTAIN), set(&["X"]));
    assert!(cone.node(&id("N")).is_none(), "the nominee holds nothing");
    // The tie on the proof's path is the one that runs from the nominee.
    let (x, a) = (cone.node(&id("X")).unwrap(), cone.node(&id("A")).unwrap());
    assert_eq!(cone.ties(Measure::Control, x, a), [&"tie-n".parse().unwrap()]);
    // The same as an arrangement of its own, as BODS has it.
    let role = |role| TieKind::PartyTo { role };
    let arrangement = cone_with(
        vec![
            entity("j", "J", EntityKind::Nomination),
            shares("a", "J", "A", "60%"),
            link("n", "nominee", "N", "J", role(ties::PartyRole::Nominee)),
            link("x", "nominator", "X", "J", role(ties::PartyRole::Nominator)),
        ],
        "A",
        &Options::default(),
    );
    assert_eq!(controllers(&arrangement, "A", CERTAIN), set(&["J", "X"]));
    assert!(blocked(&arrangement, &["X"], CERTAIN));
}

fn joint_shareholding() {
    let statements = || {
        vec![
            entity("j", "J", EntityKind::JointHolding),
            shares("a", "J", "A", "100%"),
            shares("p", "P", "J", "50%"),
            shares("q", "Q", "J", "50%"),
        ]
    };
    let as_stated = Options { joint: Joint::AsStated, ..Options::default() };
    assert_eq!(controllers(&cone_with(statements(), "A", &as_stated), "A", POSSIBLE), set(&["J"]));
    let each = cone(statements());
    assert_eq!(controllers(&each, "A", CERTAIN), set(&["J", "P", "Q"]));
    nothing_uncertain(&each);
}

fn components() {
    let mut primary = shares("primary", "P", "A", "60%");
    tie(&mut primary, |holding| {
        holding.indirect = true;
        holding.components =
            ["tie-pc", "tie-ca", "tie-pd", "tie-da"].map(|tie| tie.parse().unwrap()).to_vec();
    });
    let chain = || {
        vec![
            shares("pc", "P", "C", "100%"),
            shares("ca", "C", "A", "50%"),
            shares("pd", "P", "D", "100%"),
            shares("da", "D", "A", "50%"),
        ]
    };
    // With its components it is left out, named or not; without them it counts.
    let holders = |cone: &Cone| -> Vec<String> {
        let edges = cone.edges_into(Measure::Control, cone.node(&id("A")).unwrap()).iter();
        edges.map(|edge| format!("{} {}", cone.entity(edge.holder).unwrap(), edge.share)).collect()
    };
    let mut unnamed = primary.clone();
    tie(&mut unnamed, |holding| holding.components.clear());
    for primary in [&primary, &unnamed] {
        let whole = cone([chain(), vec![primary.clone()]].concat());
        assert_eq!(holders(&whole), ["C 50%", "D 50%"]);
        assert_eq!(whats(&whole), [What::SummaryLeftOut]);
        assert!(controls(&whole, "P", CERTAIN));
    }
    let alone = cone(vec![primary.clone()]);
    assert_eq!(holders(&alone), ["P 60%"]);
    // Beside a register that it would fill beyond the whole, it may be and need not.
    let beside = cone(vec![primary, shares("ca", "C", "A", "50%")]);
    assert_eq!(holders(&beside), ["C 50%", "P [0%,60%]"]);
    assert_eq!(whats(&beside), [What::SummaryDoubted]);
}

fn shares_over_100() {
    let cone = cone(vec![shares("x", "X", "A", "60%").by("one"), shares("y", "Y", "A", "60%").by("two")]);
    for party in ["X", "Y"] {
        assert!(!controls(&cone, party, CERTAIN));
        assert!(controls(&cone, party, POSSIBLE));
    }
    let over = cone.irregularities.iter().find(|found| found.what == What::VotesOverFull).unwrap();
    assert_eq!(over.company, id("A"));
    let ties: Vec<&str> = over.ties.iter().map(ties::TieId::as_str).collect();
    assert_eq!(ties, ["tie-x", "tie-y"], "both are kept");
    assert!(whats(&cone).contains(&What::MoneyOverFull));
}

fn at(statements: Vec<Statement>, on: &str, known: &str) -> Cone {
    Cone::upstream(&registry(statements).picture(as_of(on, known)), &id("A"), &Options::default())
}

fn known_as_of() {
    let held = |name: &str, to: Option<&str>, recorded: &str| {
        let mut held = stake(name, "t", "X", "A", "60%").recorded(recorded);
        held.valid(Period {
            from: Some("2020-01-01".parse().unwrap()),
            to: to.map(|to| to.parse().unwrap()),
        });
        held
    };
    let statements = || vec![held("1", None, "2020-01-02"), held("2", Some("2023-06-30"), "2023-09-15")];
    assert!(controls(&at(statements(), "2023-07-15", "2023-08-01"), "X", CERTAIN));
    assert!(!controls(&at(statements(), "2023-07-15", "2023-10-01"), "X", POSSIBLE));
}

fn month_precision() {
    let held = || {
        let mut held = shares("x", "X", "A", "60%");
        held.valid(Period::since("2020-01".parse().unwrap()));
        vec![held]
    };
    for (on, certain, possible) in [
        ("2019-12-31", false, false),
        ("2020-01-01", false, true),
        ("2020-01-31", false, true),
        ("2020-02-01", true, true),
    ] {
        let cone = at(held(), on, "2022-01-01");
        assert_eq!(
            (controls(&cone, "X", CERTAIN), controls(&cone, "X", POSSIBLE)),
            (certain, possible),
            "{on}"
        );
    }
}

fn nearest_legal_entity() {
    let register = || vec![shares("l", "L", "A", "[75%,100%]")];
    let unresolved = cone(register());
    assert_eq!(controllers(&unresolved, "A", CERTAIN), set(&["L"]));
    assert_eq!(unresolved.open_ends(), [&id("L")], "who is above L is unknown, not nobody");
    let resolved = cone(
        [register(), vec![entity("e", "P", EntityKind::Person), shares("p", "P", "L", "100%")]].concat(),
    );
    assert_eq!(controllers(&resolved, "A", CERTAIN), set(&["L", "P"]));
    assert!(resolved.open_ends().is_empty());
}

fn non_consolidating() {
    // The exception comes in as influence of somebody unknown.
    let somebody = vec![
        entity("u", "unknown-1", EntityKind::Unknown),
        link("e", "exception", "unknown-1", "A", TieKind::Directs { by: Direction::Influence }),
        shares("y", "Y", "A", "10%"),
    ];
    let cone = cone(somebody);
    assert!(controllers(&cone, "A", CERTAIN).is_empty());
    assert_eq!(controllers(&cone, "A", POSSIBLE), set(&["unknown-1"]));
}

fn no_known_person() {
    // It states no tie and completes no register: 40 % stay 40 %, and somebody else may control.
    let held = || {
        vec![shares("y", "Y", "A", "40%"), {
            let mut unknown = shares("x", "X", "A", "0%");
            tie(&mut unknown, |holding| *holding = Holding::default());
            unknown
        }]
    };
    let declared = cone([held(), vec![entity("e", "A", EntityKind::Organisation)]].concat());
    assert!(!controls(&declared, "X", CERTAIN) && controls(&declared, "X", POSSIBLE));
    let complete = cone([held(), vec![complete("A")]].concat());
    assert!(controls(&complete, "X", CERTAIN), "a complete register says more");
    let nobody = cone(vec![entity("e", "A", EntityKind::Organisation)]);
    assert_eq!(nobody.open_ends(), [&id("A")]);
}

fn two_parents() {
    let parent = |name: &str, from: &str, to: &str, ultimate| {
        link(name, &format!("tie-{name}"), from, to, TieKind::Consolidates { ultimate })
    };
    let given = || vec![parent("d", "D", "A", false), parent("u", "U", "A", true)];
    let chained = cone([given(), vec![parent("du", "U", "D", false)]].concat());
    let into: Vec<_> = chained.edges_into(Measure::Control, chained.node(&id("A")).unwrap()).to_vec();
    assert_eq!(into.len(), 1, "the ultimate parent is not added to the direct one");
    assert_eq!((chained.entity(into[0].holder).unwrap(), into[0].basis), (&id("D"), Basis::Right));
    assert_eq!(controllers(&chained, "A", CERTAIN), set(&["D", "U"]));
    assert_eq!(whats(&chained), [What::SummaryLeftOut]);
    assert!(chained.edges(Measure::Money).is_empty(), "no percentage was stated");
    // Where the chain between them is not known, each controls, and nothing is added up.
    let unchained = cone(given());
    assert_eq!(controllers(&unchained, "A", CERTAIN), set(&["D", "U"]));
    nothing_uncertain(&unchained);
}

fn divest() {
    let statements =
        || vec![shares("x", "X", "A", "60%"), shares("y", "Y", "A", "30%"), shares("z", "Z", "A", "10%")];
    // Sold to an outsider: the others keep what they have.
    let sold = cone(
        [
            statements(),
            vec![{
                let mut sold = shares("x2", "O", "A", "60%");
                if let Said::Tie(tie) = &mut sold.said {
                    tie.id = "tie-x".parse().unwrap();
                }
                sold.recorded("2021-01-01")
            }],
        ]
        .concat(),
    );
    assert!(controls(&sold, "O", CERTAIN) && !controls(&sold, "Y", POSSIBLE));
    assert!(sold.node(&id("X")).is_none());
    // Cancelled, by way of the company's own hands: 30 of the 40 that are left are three quarters.
    let bought_back = |owns_vote: bool| {
        let mut company = entity("e", "A", EntityKind::Organisation);
        if let Said::Entity(entity) = &mut company.said {
            entity.own_shares_vote = Some(owns_vote);
        }
        let own = shares("x", "A", "A", "60%");
        cone(vec![company, own, shares("y", "Y", "A", "30%"), shares("z", "Z", "A", "10%")])
    };
    let meets = |cone: &Cone, line| meet(cone, Measure::Control, &["Y"], "A", line, CERTAIN);
    let cancelled = bought_back(false);
    assert!(meets(&cancelled, Line::MAJORITY));
    assert!(meets(&cancelled, Line::at_least(Fraction::percent(75))));
    assert!(!meets(&cancelled, Line::more_than(Fraction::percent(75))));
    assert!(!meets(&bought_back(true), Line::MAJORITY));
}

#[test]
fn every_semantic_case_is_answered_as_stated() {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/ties/cases/semantics.json");
    let Ok(text) = std::fs::read_to_string(&folder) else {
        eprintln!("skipped: {} is not here", folder.display());
        return;
    };
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 20);
    for case in &cases {
        match case["id"].as_str().unwrap() {
            name @ ("psc-band-25-50"
            | "psc-band-50-75"
            | "two-bands"
            | "simplex-bound"
            | "complete-register-lower-bound"
            | "incomplete-register"
            | "unknown-stake") => ranges(name, case),
            "votes-not-money" => votes_not_money(),
            "board-right" => board_right(),
            "nominee" => nominee(),
            "joint-shareholding" => joint_shareholding(),
            "bods-component-double-count" => components(),
            "shares-over-100" => shares_over_100(),
            "as-of" => known_as_of(),
            "month-precision" => month_precision(),
            "psc-relevant-legal-entity" => nearest_legal_entity(),
            "gleif-non-consolidating" => non_consolidating(),
            "gleif-no-known-person" => no_known_person(),
            "gleif-two-parents" => two_parents(),
            "divest-to-whom" => divest(),
            other => panic!("no test for the case `{other}`"),
        }
    }
}
