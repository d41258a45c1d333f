//! What a picture shows: two clocks, corrections, ends, retractions, merges, doubt.

#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

mod frame;

use frame::{Edit, as_of, day, end, entity, listing, retraction, same, stake, tie};
use ties::{
    Confidence, Ending, EntityId, EntityKind, Finding, KnownTie, Period, Picture, Refusal, Registry, Said,
    Statement, StatementId, Truth,
};

fn registry(statements: impl IntoIterator<Item = Statement>) -> Registry {
    let mut registry = Registry::new();
    let added = registry.add(statements.into_iter().collect());
    assert_eq!(added.refused, []);
    registry
}

fn id(text: &str) -> EntityId {
    text.parse().unwrap()
}

/// The ties to `company`, as "holder votes truth".
fn into(registry: &Registry, company: &str, on: &str, known: &str) -> Vec<String> {
    let ties = registry.picture(as_of(on, known)).ties_into(&id(company));
    ties.iter().map(shown).collect()
}

fn shown(known: &KnownTie) -> String {
    let ties::TieKind::Holds(holding) = &known.tie.kind else { return format!("{:?}", known.tie.kind) };
    let truth = match known.truth {
        Truth::Certain => "",
        Truth::Possible => " possibly",
        Truth::No => " never",
    };
    format!("{} {}{truth}", known.tie.from, holding.votes.unwrap())
}

#[test]
fn valid_time_and_recorded_time_differ() {
    // X holds 60 % of A from 2020 on, sold on 2023-06-30; we learn of the sale on 2023-09-15.
    let held = |to| Period { from: Some("2020-01-01".parse().unwrap()), to };
    let mut sold = stake("s2", "t", "X", "A", "60%").recorded("2023-09-15");
    sold.valid(held(Some("2023-06-30".parse().unwrap())));
    let mut bought = stake("s1", "t", "X", "A", "60%").recorded("2020-02-01");
    bought.valid(held(None));
    let registry = registry([bought, sold]);
    let cases = [
        ("2023-07-15", "2023-08-01", &["X 60%"][..]),
        ("2023-07-15", "2023-10-01", &[]),
        ("2023-06-29", "2023-10-01", &["X 60%"]),
        ("2023-06-30", "2023-10-01", &[]),
        ("2019-12-31", "2023-10-01", &[]),
        ("2021-01-01", "2020-01-31", &[]),
        ("2021-01-01", "2020-02-01", &["X 60%"]),
    ];
    for (on, known, want) in cases {
        assert_eq!(into(&registry, "A", on, known), want, "on {on}, known {known}");
    }
}

#[test]
fn a_month_leaves_a_month_of_doubt() {
    let mut held = stake("s1", "t", "X", "A", "60%").recorded("2019-01-01");
    held.valid(Period::since("2020-01".parse().unwrap()));
    let registry = registry([held]);
    let cases = [
        ("2019-12-31", &[][..]),
        ("2020-01-01", &["X 60% possibly"]),
        ("2020-01-31", &["X 60% possibly"]),
        ("2020-02-01", &["X 60%"]),
    ];
    for (on, want) in cases {
        assert_eq!(into(&registry, "A", on, "2021-01-01"), want, "{on}");
    }
}

#[test]
fn the_last_recorded_statement_speaks_and_a_rumour_only_makes_possible() {
    let mut rumour = stake("r", "rumoured", "Y", "A", "10%").recorded("2020-01-01");
    rumour.source.confidence = Confidence::Low;
    let registry = registry([
        stake("b", "t", "X", "A", "55%").recorded("2020-03-01"),
        stake("a", "t", "X", "A", "60%").recorded("2020-01-01"),
        stake("c", "t", "X", "A", "50%").recorded("2020-02-01"),
        rumour,
    ]);
    let cases = [
        ("2020-01-15", ["Y 10% possibly", "X 60%"]),
        ("2020-02-15", ["Y 10% possibly", "X 50%"]),
        ("2020-03-15", ["Y 10% possibly", "X 55%"]),
    ];
    for (known, want) in cases {
        assert_eq!(into(&registry, "A", "2022-01-01", known), want, "{known}");
    }
    let history = registry.history(&"t".parse().unwrap());
    assert_eq!(history.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["a", "c", "b"]);
}

#[test]
fn a_rumour_takes_nothing_away() {
    let rumour = |id: &str, part: &str, on: &str| {
        let mut rumour = stake(id, "t", "X", "A", part).recorded(on);
        rumour.source.confidence = Confidence::Low;
        rumour
    };
    let register = || stake("s1", "t", "X", "A", "60%").recorded("2020-01-01");
    let over = || end("e", "t", "2020-06-01", Ending::Completed).recorded("2020-06-01");
    let cases: [(&str, Vec<Statement>, &[&str]); 5] = [
        ("the same again", vec![register(), rumour("r", "60%", "2020-03-01")], &["X 60%"]),
        ("less", vec![register(), rumour("r", "3%", "2020-03-01")], &["X 60%"]),
        ("only a rumour", vec![rumour("r", "60%", "2020-03-01")], &["X 60% possibly"]),
        ("older than the end", vec![register(), rumour("r", "60%", "2020-03-01"), over()], &[]),
        (
            "newer than the end",
            vec![register(), over(), rumour("r", "60%", "2020-08-01")],
            &["X 60% possibly"],
        ),
    ];
    for (what, statements, want) in cases {
        assert_eq!(into(&registry(statements), "A", "2020-10-01", "2020-10-01"), want, "{what}");
    }
}

#[test]
fn nothing_ends_before_it_has_ended() {
    type OnDays = &'static [(&'static str, bool)];
    let held = |to: &str, recorded: &str| {
        let mut held = stake("s", "t", "X", "A", "60%").recorded(recorded);
        held.valid(Period { from: Some("2020-01-01".parse().unwrap()), to: Some(to.parse().unwrap()) });
        held
    };
    let first = || stake("s", "t", "X", "A", "60%").recorded("2020-01-01");
    let over = |on: &str, recorded: &str| end("e", "t", on, Ending::Completed).recorded(recorded);
    let cases: [(&str, Vec<Statement>, OnDays); 5] = [
        ("an end on a coming day", vec![first(), over("2020-06-01", "2020-05-01")], &[("2020-07-01", true)]),
        ("an end on its day", vec![first(), over("2020-06-01", "2020-06-01")], &[("2020-07-01", false)]),
        (
            "an end in a month",
            vec![first(), over("2020-06", "2020-06-10")],
            &[("2020-06-30", true), ("2020-07-01", false)],
        ),
        ("a last day to come", vec![held("2020-06-01", "2020-05-01")], &[("2020-07-01", true)]),
        (
            "a last day that was",
            vec![held("2020-06-01", "2020-08-01")],
            &[("2020-05-31", true), ("2020-06-01", false)],
        ),
    ];
    for (what, statements, days) in cases {
        let registry = registry(statements);
        for &(on, want) in days {
            let held = into(&registry, "A", on, "2020-12-01");
            assert_eq!(held == ["X 60%"], want, "{what}, on {on}: {held:?}");
            assert_eq!(held.is_empty(), !want, "{what}, on {on}: {held:?}");
        }
    }
    let mut told = Registry::new();
    let findings = told.add(vec![first(), over("2020-06-01", "2020-05-01")]).findings;
    assert!(
        matches!(&findings[..], [Finding::EndYetToCome { tie, .. }] if tie.as_str() == "t"),
        "{findings:?}"
    );
}

#[test]
fn only_a_completion_ends() {
    let registry = registry([
        stake("s", "t", "symantec", "venture", "49%").recorded("2008-02-05"),
        end("signed", "t", "2011-12-31", Ending::Announced).recorded("2011-11-15"),
        end("closed", "t", "2012-03-30", Ending::Completed).recorded("2012-03-30"),
    ]);
    let cases = [
        // on          known          holds?                        announced end?
        ("2011-11-14", "2011-11-14", &["symantec 49%"][..], None),
        ("2012-03-28", "2012-03-28", &["symantec 49%"], Some("signed")),
        ("2012-03-29", "2012-04-01", &["symantec 49%"], Some("signed")),
        ("2012-03-30", "2012-04-01", &[], None),
        ("2012-04-01", "2012-03-29", &["symantec 49%"], Some("signed")),
    ];
    for (on, known, want, announced) in cases {
        assert_eq!(into(&registry, "venture", on, known), want, "on {on}, known {known}");
        let tie = registry.picture(as_of(on, known)).tie(&"t".parse().unwrap());
        let shown = tie.and_then(|tie| tie.announced_end);
        assert_eq!(shown.as_ref().map(StatementId::as_str), announced, "on {on}, known {known}");
    }
}

#[test]
fn an_end_and_a_later_restatement() {
    let first = || stake("s1", "t", "X", "A", "60%").recorded("2020-01-01");
    let over = || end("e", "t", "2020-06-01", Ending::Completed).recorded("2020-06-01");
    let again = |document: &str| {
        let mut again = stake("s2", "t", "X", "A", "55%").recorded("2020-09-01");
        document.clone_into(&mut again.source.document);
        again
    };
    // The same document takes its end back; another one contradicts it.
    for (document, want) in [("register", "X 55%"), ("gazette", "X 55% possibly")] {
        let mut registry = registry([first(), over()]);
        let added = registry.add(vec![again(document)]);
        assert_eq!(added.findings.len(), usize::from(document == "gazette"), "{:?}", added.findings);
        assert!(into(&registry, "A", "2020-10-01", "2020-08-31").is_empty());
        assert_eq!(into(&registry, "A", "2020-10-01", "2020-10-01"), [want], "{document}");
        let tie = registry.picture(as_of("2020-10-01", "2020-10-01")).tie(&"t".parse().unwrap()).unwrap();
        assert_eq!(tie.disputed_end.is_some(), document == "gazette");
    }
    // An end that is itself a rumour is shown and takes nothing away.
    let mut rumour = over();
    rumour.source.confidence = Confidence::Low;
    let rumoured = registry([first(), rumour]);
    assert_eq!(into(&rumoured, "A", "2020-10-01", "2020-10-01"), ["X 60%"]);
    let tie = rumoured.picture(as_of("2020-10-01", "2020-10-01")).tie(&"t".parse().unwrap()).unwrap();
    assert_eq!(tie.announced_end.as_ref().map(StatementId::as_str), Some("e"));
    // An end may arrive before its tie.
    let mut early = Registry::new();
    let findings = early.add(vec![over()]).findings;
    assert!(matches!(&findings[..], [Finding::EndOfUnknown { tie, .. }] if tie.as_str() == "t"));
    early.add(vec![first()]);
    assert!(into(&early, "A", "2020-10-01", "2020-10-01").is_empty());
    assert_eq!(into(&early, "A", "2020-05-01", "2020-10-01"), ["X 60%"]);
}

#[test]
fn a_retraction_counts_from_its_recording_until_it_is_retracted() {
    let registry = registry([
        stake("s", "t", "X", "A", "60%").recorded("2020-01-01"),
        retraction("r1", "s").recorded("2020-02-01"),
        retraction("r2", "r1").recorded("2020-03-01"),
        // These two retract each other at one instant; the later name falls last, so the earlier one is retracted.
        stake("u", "other", "Y", "A", "10%").recorded("2020-01-01"),
        retraction("m", "n").recorded("2020-05-01"),
        retraction("n", "m").recorded("2020-05-01"),
    ]);
    let cases = [
        ("2020-01-15", &["Y 10%", "X 60%"][..]),
        ("2020-02-15", &["Y 10%"]),
        ("2020-03-15", &["Y 10%", "X 60%"]),
        ("2020-06-01", &["Y 10%", "X 60%"]),
    ];
    for (known, want) in cases {
        assert_eq!(into(&registry, "A", "2022-01-01", known), want, "{known}");
    }
    let known = day("2020-06-01").end();
    for (statement, want) in [("m", Some(true)), ("n", Some(false)), ("s", Some(false)), ("nil", None)] {
        assert_eq!(registry.is_retracted(&statement.parse().unwrap(), known), want, "{statement}");
    }
}

#[test]
fn ten_thousand_retractions_of_each_other_need_no_deep_stack() {
    let mut statements = vec![stake("s", "t", "X", "A", "60%").recorded("2020-01-01")];
    let mut of = "s".to_owned();
    for n in 0..10_000 {
        let name = format!("r{n:05}");
        statements.push(retraction(&name, &of).recorded("2020-01-02"));
        of = name;
    }
    let registry = registry(statements);
    // An even number of them: the last one stands, so the one before falls, and so on down to the stake.
    assert_eq!(into(&registry, "A", "2021-01-01", "2021-01-01"), ["X 60%"]);
}

#[test]
fn merged_identifiers_are_one() {
    let mut registry = registry([
        stake("s1", "t1", "X1", "A", "30%").recorded("2020-01-01"),
        stake("s2", "t2", "X2", "A2", "25%").recorded("2020-01-01"),
        same("m1", "X1", "X2").recorded("2020-02-01"),
        same("m2", "A", "A1").recorded("2020-02-01"),
        same("m3", "A1", "A2").recorded("2020-03-01"),
    ]);
    let cases =
        [("2020-01-15", &["X1 30%"][..]), ("2020-02-15", &["X1 30%"]), ("2020-03-15", &["X1 30%", "X1 25%"])];
    for (known, want) in cases {
        assert_eq!(into(&registry, "A", "2022-01-01", known), want, "{known}");
    }
    let picture = registry.picture(as_of("2022-01-01", "2022-01-01"));
    assert_eq!(picture.canonical(&id("A2")), id("A"));
    assert_eq!(picture.canonical(&id("nobody")), id("nobody"));
    assert_eq!(picture.ties_into(&id("A2")).len(), 2);
    assert_eq!(picture.ties_out_of(&id("X2")).len(), 2);
    assert!(picture.ties_out_of(&id("X2")).iter().all(|known| known.tie.to == id("A")));
    registry.add(vec![retraction("r", "m3").recorded("2020-04-01")]);
    assert_eq!(into(&registry, "A", "2022-01-01", "2022-01-01"), ["X1 30%"]);
}

#[test]
fn merges_that_contradict_each_other_make_one_class() {
    let at = "2020-01-01";
    let cycle = registry([
        stake("s", "t", "X", "b", "30%").recorded(at),
        same("m1", "b", "c").recorded(at),
        same("m2", "c", "d").recorded(at),
        same("m3", "d", "b").recorded(at),
    ]);
    let two = registry([
        stake("s", "t", "X", "d", "30%").recorded(at),
        same("m1", "c", "d").recorded(at),
        same("m2", "b", "d").recorded(at),
    ]);
    for registry in [cycle, two] {
        let picture = registry.picture(as_of("2022-01-01", "2022-01-01"));
        for name in ["b", "c", "d"] {
            assert_eq!(picture.canonical(&id(name)), id("b"), "{name}");
            assert_eq!(picture.ties_into(&id(name)).len(), 1, "{name}");
        }
    }
}

#[test]
fn listings_come_and_go() {
    let at = "2020-01-01";
    let registry = registry([
        listing("l1", "entry-1", "sdn", "X").recorded(at),
        listing("l2", "entry-2", "sdn", "Y").recorded(at),
        listing("l3", "entry-3", "el", "X").recorded(at),
        end("e", "entry-1", "2020-06-01", Ending::Completed).recorded("2020-06-01"),
        end("f", "entry-3", "2020-07-01", Ending::Completed).recorded("2020-07-01"),
    ]);
    let shown = |on: &str| {
        let picture = registry.picture(as_of(on, on));
        let of = |listings: Vec<ties::KnownListing>| {
            listings.iter().map(|known| known.listing.id.to_string()).collect::<Vec<_>>().join(" ")
        };
        let lists: Vec<String> = picture.lists().iter().map(ToString::to_string).collect();
        let on_sdn = of(picture.listed_on(&"sdn".parse().unwrap()));
        (of(picture.listings(&id("X"))), on_sdn, lists.join(" "))
    };
    let want = |x: &str, sdn: &str, lists: &str| (x.to_owned(), sdn.to_owned(), lists.to_owned());
    assert_eq!(shown("2020-05-01"), want("entry-1 entry-3", "entry-1 entry-2", "el sdn"));
    assert_eq!(shown("2020-06-15"), want("entry-3", "entry-2", "el sdn"));
    assert_eq!(shown("2020-08-01"), want("", "entry-2", "sdn"));
}

#[test]
fn adding_twice_changes_nothing_and_a_changed_text_is_told_apart() {
    let mut registry = registry([stake("s", "t", "X", "A", "60%").recorded("2020-01-01")]);
    let mut fetched_again = stake("s", "t", "X", "A", "60%").recorded("2020-02-01");
    fetched_again.source.retrieved = Some("2020-02-01".parse().unwrap());
    let changed = stake("s", "t", "X", "A", "61%").recorded("2020-02-01");
    let moved = stake("s", "t", "X", "B", "60%").recorded("2020-02-01");
    let mut doubted = stake("s", "t", "X", "A", "60%").recorded("2020-02-01");
    doubted.source.confidence = Confidence::Low;
    let added = registry.add(vec![fetched_again, changed, moved, doubted]);
    assert_eq!((added.new, added.known_already, registry.len()), (1..1, 1, 1));
    assert_eq!(added.refused.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(added.refused.iter().all(|(_, why)| matches!(why, Refusal::SaysOtherwise { .. })));
    assert_eq!(into(&registry, "A", "2021-01-01", "2021-01-01"), ["X 60%"]);
}

#[test]
fn what_is_said_again_after_something_else_counts_again() {
    // A share that goes there and back, an entry that is struck and restored, a description that is withdrawn.
    let mut registry = Registry::new();
    let mut add = |statement: Statement| registry.add(vec![statement]).new.len();
    let sixty = |at| stake("sixty", "t", "X", "A", "60%").recorded(at);
    let fifty = |at| stake("fifty", "t", "X", "A", "50%").recorded(at);
    let over = |at| end("over", "t", "2020-04-01", Ending::Completed).recorded(at);
    let steps = [
        (sixty("2020-01-01"), 1),
        (sixty("2020-01-15"), 0),
        (fifty("2020-02-01"), 1),
        (sixty("2020-03-01"), 1),
        (sixty("2020-03-02"), 0),
        (fifty("2020-01-20"), 0),
        (over("2020-04-01"), 1),
        (over("2020-04-02"), 0),
        (sixty("2020-05-01"), 1),
        (over("2020-06-01"), 1),
        (over("2020-06-02"), 0),
    ];
    for (n, (statement, want)) in steps.into_iter().enumerate() {
        assert_eq!(add(statement), want, "step {n}");
    }
    let cases = [
        ("2020-01-20", &["X 60%"][..]),
        ("2020-02-20", &["X 50%"]),
        ("2020-03-20", &["X 60%"]),
        ("2020-04-20", &[]),
        ("2020-05-20", &["X 60%"]),
        ("2020-06-20", &[]),
    ];
    for (known, want) in cases {
        assert_eq!(into(&registry, "A", "2021-01-01", known), want, "{known}");
    }
    // Retracting it takes back every time that it was said, and an import does not bring it back.
    let sixty_again = sixty("2020-08-01");
    registry.add(vec![retraction("wrong", "over").recorded("2020-07-01")]);
    assert_eq!(into(&registry, "A", "2021-01-01", "2021-01-01"), ["X 60%"]);
    registry.add(vec![retraction("wrong-too", "sixty").recorded("2020-07-02")]);
    assert_eq!(into(&registry, "A", "2021-01-01", "2021-01-01"), ["X 50%"]);
    assert_eq!(registry.add(vec![sixty_again]).known_already, 1);
    assert_eq!(into(&registry, "A", "2021-01-01", "2021-01-01"), ["X 50%"]);
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let mut backwards = stake("s", "t", "X", "A", "60%").recorded("2020-01-01");
    backwards
        .valid(Period { from: Some("2020-02-01".parse().unwrap()), to: Some("2020-01-31".parse().unwrap()) });
    let mut born_dead = entity("b", "A", EntityKind::Organisation).recorded("2020-01-01");
    if let Said::Entity(entity) = &mut born_dead.said {
        entity.founded = Some("2020".parse().unwrap());
        entity.dissolved = Some("2019".parse().unwrap());
    }
    let statements = vec![
        stake("fine", "t", "X", "A", "60%").recorded("2020-01-01"),
        backwards,
        same("m", "X", "X").recorded("2020-01-01"),
        retraction("r", "r").recorded("2020-01-01"),
        born_dead,
        retraction("q", "nothing").recorded("2020-01-01"),
    ];
    let mut registry = Registry::new();
    let added = registry.add(statements);
    let reasons: Vec<String> = added.refused.iter().map(|(place, why)| format!("{place}: {why}")).collect();
    assert_eq!(
        reasons,
        [
            "1: statement `s` is about a time that ends before it begins",
            "2: statement `m` says that `X` is the same as itself",
            "3: statement `r` retracts itself",
            "4: statement `b` is about a time that ends before it begins",
        ]
    );
    assert_eq!((added.new, added.findings.len()), (0..2, 1));
    assert!(
        matches!(&added.findings[0], Finding::RetractionOfUnknown { of, .. } if of.as_str() == "nothing")
    );
}

#[test]
fn a_corrected_end_of_a_tie_moves_it() {
    let registry = registry([
        stake("s1", "t", "X", "A", "60%").recorded("2020-01-01"),
        stake("s2", "t", "Y", "B", "60%").recorded("2020-02-01"),
    ]);
    let known = "2021-01-01";
    assert!(into(&registry, "A", "2021-01-01", known).is_empty());
    assert_eq!(into(&registry, "B", "2021-01-01", known), ["Y 60%"]);
    let picture = registry.picture(as_of("2021-01-01", known));
    assert!(picture.ties_out_of(&id("X")).is_empty());
    assert_eq!(picture.ties_out_of(&id("Y")).len(), 1);
}

#[test]
fn a_nominator_goes_by_the_identifier_that_stays() {
    let mut held = stake("s", "t", "N", "A", "60%").recorded("2020-01-01");
    tie(&mut held, |holding| holding.nominator = Some(id("X2")));
    let registry = registry([held, same("m", "X", "X2").recorded("2020-01-01")]);
    let picture = registry.picture(as_of("2021-01-01", "2021-01-01"));
    let ties = picture.ties_into(&id("A"));
    let ties::TieKind::Holds(holding) = &ties[0].tie.kind else { panic!("a holding") };
    assert_eq!(holding.nominator, Some(id("X")));
}

#[test]
fn statements_come_back_as_they_were_added() {
    let statements = frame::one_of_each();
    let mut registry = registry(statements.clone());
    assert_eq!(registry.log(0..registry.len()).collect::<Vec<_>>(), statements);
    for statement in &statements {
        assert_eq!(registry.statement(&statement.id).as_ref(), Some(statement));
    }
    assert_eq!(registry.statement(&"nothing".parse().unwrap()), None);
    let again = registry.add(statements.clone());
    assert_eq!((again.known_already, again.new.len()), (statements.len(), 0));
}
