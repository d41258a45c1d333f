//! Imports in parts, what editions leave out, names that may be the same, and ties from states.

#![expect(clippy::unwrap_used, reason = "what cannot be set up or decided fails the test, as it should")]

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use exchange::{AdminError, Compared, Import, Imported, Match, MatchAnswer, MatchState, Part, Question};
use model::{Clock, Grade, ManualClock, MemberId, Principal, Role, Standing, Timestamp};
use programme::template;
use store::MemoryStore;
use testkit::{World, caller_of, tier};
use ties::{Said, Statement};

const FOREVER: Duration = Duration::from_mins(10);

fn world() -> World {
    World::over(Arc::new(MemoryStore::new()), &template(), 7)
}

fn said(document: &str, id: &str, said: &str) -> Statement {
    let text = format!(
        r#"{{"id":"{document}:{id}","said":{said},"source":{{"document":"{document}"}},"recorded":"2000-01-01T00:00:00Z"}}"#
    );
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// That a document names somebody, and what it is called there. An `entity` is `document:id`.
fn named(document: &str, id: &str, name: &str, more: &str) -> Statement {
    let body = format!(
        r#"{{"entity":{{"id":"{document}:{id}","kind":"organisation","names":[{{"text":"{name}"}}]{more}}}}}"#
    );
    said(document, &format!("e-{id}-{}", name.len()), &body)
}

fn listed(document: &str, list: &str, entity: &str) -> Statement {
    let body =
        format!(r#"{{"listing":{{"id":"{document}:l-{entity}","list":"{list}","entity":"{entity}"}}}}"#);
    said(document, &format!("l-{entity}"), &body)
}

fn stake(from: &str, to: &str, percent: &str) -> Statement {
    let kind = format!(r#"{{"holds":{{"votes":"{percent}","money":"{percent}"}}}}"#);
    let body = format!(r#"{{"tie":{{"id":"t-{from}-{to}","from":"{from}","to":"{to}","kind":{kind}}}}}"#);
    said("register", &format!("s-{from}-{to}"), &body)
}

fn governs(state: &str, to: &str) -> Statement {
    let body = format!(
        r#"{{"tie":{{"id":"g-{to}","from":"{state}","to":"{to}","kind":{{"governs":{{"by":"incorporation"}}}}}}}}"#
    );
    said("register", &format!("g-{to}"), &body)
}

fn bound(world: &World, name: &str, entity: &str) -> MemberId {
    let (member, _) = world.member(name, &["open", "programme", "cleared"]);
    world.exchange.bind_entity(&world.operator, &member.id, &entity.parse().unwrap()).unwrap();
    member.id
}

fn standing(world: &World, member: &MemberId) -> Standing {
    world.exchange.member(&world.operator, member).unwrap().standing(&tier("cleared"))
}

fn import(world: &World, statements: Vec<Statement>) -> Imported {
    let imported = world.exchange.import_ties(&world.operator, statements, "a test").unwrap();
    assert!(imported.refused.is_empty(), "{:?}", imported.refused);
    imported
}

fn ends(world: &World) -> Vec<String> {
    let all = world.exchange.statements(&world.operator, 0, 10_000).unwrap();
    let ends = all.into_iter().filter_map(|statement| match statement.said {
        Said::End(end) => Some(end.tie.to_string()),
        Said::Tie(_) | Said::Entity(_) | Said::Listing(_) | Said::Same { .. } | Said::Retraction { .. } => {
            None
        }
    });
    ends.collect()
}

// ---- editions in parts

fn edition(entities: &[&str]) -> Vec<Statement> {
    entities.iter().map(|entity| listed("list", "concern", entity)).collect()
}

fn part(world: &World, number: u32, last: bool, entities: &[&str]) -> Result<Imported, AdminError> {
    let part = Part { import: "one".to_owned(), number, last };
    let editions = if last { vec!["list".to_owned()] } else { Vec::new() };
    let statements = edition(entities);
    let import = Import {
        subject: "list".to_owned(),
        statements,
        part: Some(part),
        editions: Some(editions),
        ..Import::default()
    };
    world.exchange.import(&world.operator, import)
}

#[test]
fn the_last_part_of_an_edition_ends_what_no_part_says() {
    let world = world();
    import(&world, edition(&["a", "b", "c", "d"]));
    import(&world, vec![listed("other", "concern", "z")]);
    assert_eq!(part(&world, 1, false, &["a"]).unwrap().ended, 0);
    assert_eq!(part(&world, 2, false, &["b", "new"]).unwrap().new, 1);
    assert!(ends(&world).is_empty(), "it is not all there");
    let last = part(&world, 3, true, &["d"]).unwrap();
    assert_eq!((last.ended, last.new, last.known_already), (1, 1, 1));
    assert_eq!(ends(&world), ["list:l-c"]);
    // Whoever did not get the answer sends it again, and nothing ends twice.
    let again = part(&world, 3, true, &["d"]).unwrap();
    assert_eq!((again.ended, again.new), (0, 0));
    // What comes back holds again, and ends again.
    world.pass(Duration::from_hours(24));
    assert_eq!(import(&world, edition(&["c"])).new, 1);
    let whole = Import {
        statements: edition(&["a", "b", "d", "new"]),
        editions: Some(vec!["list".to_owned()]),
        ..Import::default()
    };
    assert_eq!(world.exchange.import(&world.operator, whole.clone()).unwrap().ended, 1);
    assert_eq!(
        world.exchange.import(&world.operator, whole).unwrap(),
        Imported { known_already: 4, ..Imported::default() }
    );
}

/// A listing of a file that is an edition of `document`, whose row names `source`.
fn row(document: &str, source: &str, id: &str, entity: &str) -> Statement {
    let body = format!(r#"{{"listing":{{"id":"{id}","list":"concern","entity":"{entity}"}}}}"#);
    let mut statement = said(source, &format!("{document}-{id}"), &body);
    statement.source.edition_of = Some(document.to_owned());
    statement
}

#[test]
fn an_edition_is_a_documents_whatever_its_rows_name_as_their_source() {
    let world = world();
    let import = |document: &str, statements: Vec<Statement>| {
        let editions = Some(vec![document.to_owned()]);
        let import = Import { statements, editions, ..Import::default() };
        let told = world.exchange.rehearse(&world.operator, import.clone()).unwrap();
        let imported = world.exchange.import(&world.operator, import).unwrap();
        assert_eq!((told.new, told.ended), (imported.new, imported.ended));
        assert_eq!(told.findings, imported.findings);
        imported
    };
    // Two sources in one file, and one of them in another file too.
    let one = || row("decisions", "gazette-2011", "d1", "huawei");
    import("decisions", vec![one(), row("decisions", "gazette-2012", "d2", "zte")]);
    assert_eq!(import("others", vec![row("others", "gazette-2012", "o1", "other")]).ended, 0);
    assert!(ends(&world).is_empty());
    // Neither the first row's source nor the other file decides what a new edition ends.
    assert_eq!(import("decisions", vec![one()]).ended, 1);
    assert_eq!(ends(&world), ["d2"]);
    // It comes back, as a correction by the same source.
    world.pass(Duration::from_hours(24));
    import("decisions", vec![one(), row("decisions", "gazette-2012", "d2", "zte")]);
    assert_eq!(import("decisions", vec![one()]).ended, 1, "so it can end again");
    assert_eq!(ends(&world), ["d2", "d2"]);
    // What two documents say under one identifier stays until somebody ends it.
    import("third", vec![row("third", "gazette-2012", "d1", "huawei"), row("third", "x", "t1", "third")]);
    let kept = import("decisions", vec![row("decisions", "gazette-2013", "d3", "another")]);
    assert_eq!(kept.ended, 0);
    assert!(kept.findings.iter().any(|text| text.contains("`d1` (`third`)")), "{:?}", kept.findings);
    assert_eq!(ends(&world), ["d2", "d2"]);
}

#[test]
fn nothing_ends_unless_every_part_came() {
    let mut world = world();
    import(&world, edition(&["a", "b", "c"]));
    part(&world, 1, false, &["a"]).unwrap();
    let told = part(&world, 3, true, &[]).unwrap_err();
    assert!(told.to_string().contains("comes before part 2"), "{told}");
    world.reopen(&template(), 8);
    let told = part(&world, 2, true, &["b"]).unwrap_err();
    assert!(told.to_string().contains("run it again"), "{told}");
    assert!(ends(&world).is_empty());
    part(&world, 1, false, &["a"]).unwrap();
    assert_eq!(part(&world, 2, true, &["b"]).unwrap().ended, 1);
    assert_eq!(ends(&world), ["list:l-c"]);
}

#[test]
fn short_imports_that_are_done_do_not_push_out_a_long_one() {
    let world = world();
    import(&world, edition(&["a", "b"]));
    part(&world, 1, false, &["a"]).unwrap();
    for number in 0..8 {
        world.pass(Duration::from_secs(1));
        let document = format!("short-{number}");
        let short = Import {
            statements: vec![listed(&document, "watched", "w")],
            part: Some(Part { import: document.clone(), number: 1, last: true }),
            editions: Some(vec![document]),
            ..Import::default()
        };
        assert_eq!(world.exchange.import(&world.operator, short).unwrap().new, 1);
    }
    assert_eq!(part(&world, 2, true, &[]).unwrap().ended, 1);
    assert_eq!(ends(&world), ["list:l-b"]);
}

#[test]
fn a_preview_tells_of_whom_an_edition_leaves_out() {
    let world = world();
    let member = bound(&world, "Acme", "acme");
    let mut first = edition(&["dragon", "tiger"]);
    first.extend([stake("dragon", "venture", "51%"), stake("acme", "venture", "49%")]);
    first.push(said(
        "register",
        "e-venture",
        r#"{"entity":{"id":"venture","kind":"organisation","countries":["HK"],"sectors":["security"]}}"#,
    ));
    import(&world, first);
    assert_eq!(standing(&world, &member), Standing::Suspended);
    let second = Import {
        statements: edition(&["tiger"]),
        editions: Some(vec!["list".to_owned()]),
        ..Import::default()
    };
    let told = world.exchange.preview(&world.operator, second.clone()).unwrap();
    assert!(told.iter().any(|one| one.entity.as_str() == "acme"), "{told:?}");
    assert!(ends(&world).is_empty(), "a preview records nothing");
    let moved = world.exchange.import(&world.operator, second.clone()).unwrap().moved;
    assert!(moved.iter().any(|moved| moved.member == member), "{moved:?}");
    let part = Some(Part { import: "one".to_owned(), number: 1, last: false });
    assert!(world.exchange.preview(&world.operator, Import { part, ..second }).is_err());
}

#[test]
fn the_later_word_of_a_file_counts_and_reading_it_again_says_nothing_new() {
    let recorded = |statement: Statement, at: &str| Statement { recorded: at.parse().unwrap(), ..statement };
    let (first, then) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001Z");
    // Whichever way their identifiers sort.
    for (one, other) in [("a", "b"), ("b", "a")] {
        let world = world();
        let stake = |id: &str, percent: &str| {
            let kind = format!(r#"{{"holds":{{"votes":"{percent}"}}}}"#);
            said("register", id, &format!(r#"{{"tie":{{"id":"t","from":"x","to":"y","kind":{kind}}}}}"#))
        };
        let end = said("register", "end", r#"{"end":{"tie":"u","on":"2011-01-01","by":"completed"}}"#);
        let over = said("register", "u", r#"{"tie":{"id":"u","from":"x","to":"y","kind":"seconds"}}"#);
        let file = || {
            vec![
                recorded(stake(one, "10%"), first),
                recorded(over.clone(), first),
                recorded(stake(other, "20%"), then),
                recorded(end.clone(), then),
            ]
        };
        assert_eq!(import(&world, file()).new, 4);
        let ties = world.exchange.ties_of(&world.operator, &"y".parse().unwrap(), None).unwrap();
        let told: Vec<String> = ties.iter().map(|known| known.statement.to_string()).collect();
        assert_eq!(told, [format!("register:{other}")]);
        world.pass(Duration::from_hours(24));
        let again = import(&world, file());
        assert_eq!((again.new, again.known_already), (0, 4));
        // Going back to the first word is news.
        assert_eq!(import(&world, vec![stake(one, "10%")]).new, 1);
    }
}

// ---- names

fn compare(world: &World) -> Compared {
    world.exchange.compare_names(FOREVER).unwrap()
}

fn matches(world: &World, state: MatchState) -> Vec<Match> {
    world.exchange.matches(&world.operator, state, 0, 100).unwrap().matches
}

fn pairs(world: &World) -> Vec<(String, String)> {
    let open = matches(world, MatchState::Open);
    open.iter().map(|one| (one.left.entity.to_string(), one.right.entity.to_string())).collect()
}

/// A list that names a party, and a register that calls it otherwise and knows what it holds.
fn venture_of_a_listed_one(world: &World) -> MemberId {
    let member = bound(world, "Acme", "acme");
    import(
        world,
        vec![
            named("list", "1", "Red Dragon Technologies Co., Ltd.", ""),
            listed("list", "concern", "list:1"),
            named("register", "7", "RED DRAGON TECHNOLOGIES", ""),
            said(
                "register",
                "e-venture",
                r#"{"entity":{"id":"venture","kind":"organisation","countries":["HK"],"sectors":["security"]}}"#,
            ),
            stake("register:7", "venture", "51%"),
            stake("acme", "venture", "49%"),
        ],
    );
    member
}

#[test]
fn a_name_proposes_and_a_person_decides() {
    let world = world();
    let member = venture_of_a_listed_one(&world);
    let compared = compare(&world);
    assert_eq!((compared.proposed, compared.open, compared.is_behind), (1, 1, false), "{compared:?}");
    assert_eq!(standing(&world, &member), Standing::Listed, "a name alone moves nobody");
    let open = matches(&world, MatchState::Open);
    let one = &open[0];
    assert!(one.score >= 700 && !one.because.is_empty(), "{one:?}");
    let lists: Vec<_> = [&one.left, &one.right].iter().flat_map(|side| &side.lists).collect();
    assert_eq!(lists.len(), 1);
    assert!(lists[0].as_str() == "concern");

    let overseer = caller_of(Principal::Role(Role::Overseer));
    assert_eq!(world.exchange.matches(&overseer, MatchState::Open, 0, 10).unwrap().matches.len(), 1);
    let may_not = world.exchange.answer_match(&overseer, one.number, MatchAnswer::Accept, "").unwrap_err();
    assert!(matches!(may_not, AdminError::Forbidden { .. }), "{may_not}");

    let officer = caller_of(Principal::Role(Role::Officer));
    let (answered, imported) =
        world.exchange.answer_match(&officer, one.number, MatchAnswer::Accept, "same address").unwrap();
    assert!(answered.answered.unwrap().reason.contains("address"));
    assert!(imported.moved.iter().any(|moved| moved.to == Standing::Suspended), "{imported:?}");
    assert_eq!(standing(&world, &member), Standing::Suspended, "in the same transaction");
    let all = world.exchange.statements(&world.operator, 0, 100).unwrap();
    let same = all.iter().find(|statement| matches!(statement.said, Said::Same { .. })).unwrap();
    assert_eq!(same.source.asserted_by.as_deref(), Some("role:officer"), "{same:?}");
    assert!(matches(&world, MatchState::Open).is_empty());
    assert_eq!(matches(&world, MatchState::Accepted).len(), 1);
    let twice = world.exchange.answer_match(&officer, one.number, MatchAnswer::Reject, "").unwrap_err();
    assert!(twice.to_string().contains("was answered"), "{twice}");
    let none = world.exchange.answer_match(&officer, 99, MatchAnswer::Reject, "").unwrap_err();
    assert!(matches!(none, AdminError::NoSuchMatch(99)), "{none}");
    compare(&world);
    assert!(matches(&world, MatchState::Open).is_empty(), "the two are one");
}

#[test]
fn what_was_rejected_is_not_asked_again() {
    let mut world = world();
    let member = venture_of_a_listed_one(&world);
    compare(&world);
    let number = matches(&world, MatchState::Open)[0].number;
    world.exchange.answer_match(&world.operator, number, MatchAnswer::Reject, "another one").unwrap();
    // The same again, the same in other words, and after a restart.
    import(&world, vec![named("register", "7", "RED DRAGON TECHNOLOGIES", "")]);
    import(&world, vec![named("register", "7", "Red Dragon Technologies Limited", "")]);
    compare(&world);
    assert!(matches(&world, MatchState::Open).is_empty());
    world.reopen(&template(), 8);
    import(&world, vec![named("list", "1", "RED DRAGON Technologies", r#","countries":["CN"]"#)]);
    compare(&world);
    assert!(matches(&world, MatchState::Open).is_empty());
    assert_eq!(matches(&world, MatchState::Rejected).len(), 1);
    assert_eq!(standing(&world, &member), Standing::Listed);
}

#[test]
fn a_list_is_compared_with_whoever_was_there_before_it() {
    let mut world = world();
    import(&world, vec![named("register", "7", "Red Dragon Technologies", "")]);
    assert_eq!(compare(&world).proposed, 0);
    // The list describes nobody: it names an entity that is known by another document.
    import(&world, vec![named("press", "1", "Red Dragon Technologies Co", "")]);
    compare(&world);
    import(&world, vec![listed("list", "concern", "press:1")]);
    world.reopen(&template(), 8);
    compare(&world);
    assert_eq!(pairs(&world).len(), 1, "{:?}", pairs(&world));
    compare(&world);
    assert_eq!(pairs(&world).len(), 1, "nobody is asked twice");
}

#[test]
fn identifiers_decide_before_names() {
    const ONE: &str = r#","identifiers":[{"scheme":"XI-LEI","value":"529900T8BM49AURSDO55"}]"#;
    const OTHER: &str = r#","identifiers":[{"scheme":"XI-LEI","value":"213800WSGIIZCXF1P572"}]"#;
    let world = world();
    import(
        &world,
        vec![
            named("list", "1", "Red Dragon Technologies", ONE),
            listed("list", "concern", "list:1"),
            named("register", "7", "Red Dragon Technologies", OTHER),
            named("press", "8", "Red Dragon Technologies Ltd", ONE),
        ],
    );
    compare(&world);
    let open = matches(&world, MatchState::Open);
    let of = |a: &str, b: &str| {
        open.iter().find(|one| {
            let both = [one.left.entity.as_str(), one.right.entity.as_str()];
            both.contains(&a) && both.contains(&b)
        })
    };
    assert!(of("list:1", "register:7").is_none(), "their LEIs say that they are two: {open:?}");
    let agreeing = of("list:1", "press:8").unwrap();
    assert_eq!(agreeing.agree, ["XI-LEI:529900T8BM49AURSDO55"]);
    assert!(agreeing.contradict.is_empty());
}

#[test]
fn matches_are_read_page_by_page() {
    let world = world();
    for number in 0..5_u32 {
        let name = format!("Red Dragon Holdings {}", ["One", "Two", "Six", "Ten", "Red"][number as usize]);
        import(
            &world,
            vec![
                named("list", &number.to_string(), &name, ""),
                listed("list", "concern", &format!("list:{number}")),
                named("register", &number.to_string(), &name.to_uppercase(), ""),
            ],
        );
    }
    compare(&world);
    let all: Vec<u64> = matches(&world, MatchState::Open).iter().map(|one| one.number).collect();
    assert!(all.len() >= 5, "{all:?}");
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let page = world.exchange.matches(&world.operator, MatchState::Open, after, 2).unwrap();
        assert!(page.matches.len() <= 2 && page.open == all.len());
        seen.extend(page.matches.iter().map(|one| one.number));
        let Some(next) = page.next else { break };
        after = next;
    }
    assert_eq!(seen, all);
}

/// A clock on which each look takes time.
struct Ticking(Arc<ManualClock>);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        self.0.advance(Duration::from_micros(2));
        self.0.now()
    }

    fn until(&self, instant: Timestamp) -> Duration {
        self.0.until(instant)
    }
}

/// A clock that, the second time the thread `asking` looks at it, keeps that thread until it is let go.
struct Held {
    clock: Arc<ManualClock>,
    state: Mutex<(u32, bool)>,
    changed: Condvar,
}

const ASKING: &str = "asking";

impl Held {
    fn wait(&self, until: impl Fn(&(u32, bool)) -> bool) -> bool {
        let state = self.state.lock().unwrap();
        let (_state, waited) =
            self.changed.wait_timeout_while(state, FOREVER, |state| !until(state)).unwrap();
        !waited.timed_out()
    }

    fn let_go(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

impl Clock for Held {
    fn now(&self) -> Timestamp {
        if std::thread::current().name() == Some(ASKING) {
            self.state.lock().unwrap().0 += 1;
            self.changed.notify_all();
            self.wait(|(looks, is_let_go)| *looks < 2 || *is_let_go);
        }
        self.clock.now()
    }

    fn until(&self, instant: Timestamp) -> Duration {
        self.clock.until(instant)
    }
}

#[test]
fn an_import_commits_while_a_preview_or_a_question_is_computed() {
    type Ask = fn(&exchange::Exchange, &model::Caller) -> usize;
    let rehearse: Ask = |exchange, caller| {
        let import = Import { statements: vec![listed("list", "concern", "tiger")], ..Import::default() };
        exchange.rehearse(caller, import).unwrap().new
    };
    let vet: Ask = |exchange, caller| {
        let question = Question { remedies: Some(Duration::from_secs(1)), ..Question::default() };
        let (decision, _) =
            exchange.vet(caller, &"acme".parse().unwrap(), &tier("cleared"), &question).unwrap();
        usize::from(decision.grade < Grade::Suspend)
    };
    let would_move: Ask = |exchange, caller| {
        let question = Question { add: vec![stake("tiger", "acme", "5%")], ..Question::default() };
        exchange.would_move(caller, &question).unwrap();
        1
    };
    for (what, ask) in [("a preview", rehearse), ("a question", vet), ("what if", would_move)] {
        let mut world = world();
        let member = bound(&world, "Acme", "acme");
        import(&world, vec![listed("list", "concern", "dragon")]);
        let held = Arc::new(Held {
            clock: Arc::clone(&world.clock),
            state: Mutex::new((0, false)),
            changed: Condvar::new(),
        });
        world.reopen_with(Arc::clone(&held) as Arc<dyn Clock>, &template(), 8);
        let world = &world;
        std::thread::scope(|scope| {
            let asking = std::thread::Builder::new().name(ASKING.to_owned());
            let asked = asking.spawn_scoped(scope, || ask(&world.exchange, &world.operator)).unwrap();
            assert!(held.wait(|(looks, _)| *looks >= 2), "{what} did not get as far");
            // It is in the middle of its computation, and the import does not wait for it.
            let (sender, receiver) = std::sync::mpsc::channel();
            scope.spawn(move || sender.send(import(world, vec![stake("dragon", "acme", "60%")])));
            let imported = receiver.recv_timeout(Duration::from_mins(2));
            held.let_go();
            assert_eq!(imported.unwrap_or_else(|_| panic!("the import waited for {what}")).new, 1);
            assert_eq!(asked.join().unwrap(), 1, "{what} answers by what there was when it was asked");
        });
        assert_eq!(standing(world, &member), Standing::Suspended);
    }
}

#[test]
fn comparing_stops_when_its_time_is_up_and_goes_on() {
    let mut world = world();
    let many =
        (0..300).map(|number| named("register", &number.to_string(), &format!("Company {number}"), ""));
    import(&world, many.collect());
    import(&world, vec![named("list", "1", "Red Dragon", ""), listed("list", "concern", "list:1")]);
    import(&world, vec![named("register", "x", "RED DRAGON LTD", "")]);
    // A run of 100 us looks at the clock fifty times at most.
    world.reopen_with(Arc::new(Ticking(Arc::clone(&world.clock))), &template(), 8);
    let mut rounds = 0;
    while world.exchange.compare_names(Duration::from_micros(100)).unwrap().is_behind {
        rounds += 1;
        assert!(rounds < 10_000, "it does not come to an end");
    }
    assert!(rounds > 0, "it did all at once");
    assert_eq!(pairs(&world).len(), 1);
    assert_eq!(compare(&world).compared, 0, "there is nothing left");
}

// ---- ties from states

#[test]
fn whose_law_reaches_an_owner_reaches_the_member() {
    let world = world();
    let member = bound(&world, "Acme", "acme");
    import(
        &world,
        vec![
            said(
                "register",
                "e-acme",
                r#"{"entity":{"id":"acme","kind":"organisation","countries":["US"]}}"#,
            ),
            said(
                "register",
                "e-owner",
                r#"{"entity":{"id":"owner","kind":"organisation","publicly_listed":true}}"#,
            ),
            stake("owner", "acme", "100%"),
        ],
    );
    assert_eq!(standing(&world, &member), Standing::Listed, "nobody says where the owner belongs");
    let grade = || {
        let question = Question::default();
        let asked =
            world.exchange.vet(&world.operator, &"acme".parse().unwrap(), &tier("cleared"), &question);
        asked.unwrap().0
    };
    // Nobody described the state, and the tie is all that is imported.
    let imported = import(&world, vec![governs("state:FR", "owner")]);
    assert!(imported.moved.iter().any(|moved| moved.member == member), "{:?}", imported.moved);
    assert_eq!(standing(&world, &member), Standing::Suspended);
    let decision = grade();
    assert_eq!(decision.grade, Grade::Suspend);
    assert!(decision.ties(Grade::Clear).contains(&"g-owner".parse().unwrap()), "the proof names the tie");
    // It is taken back.
    let retraction = r#"{"retraction":{"of":"register:g-owner","because":"another one of that name"}}"#;
    import(&world, vec![said("register", "r", retraction)]);
    assert!(grade().grade < Grade::Suspend);
    let waiting = world.exchange.proposals(&world.operator, None, 100).unwrap();
    let mut steps = waiting.into_iter().filter_map(exchange::Waiting::step);
    assert!(steps.any(|step| step.member == member && step.to == Standing::Listed));
    // A state of the programme's own is no reason for anything.
    let home = said(
        "register",
        "g-home",
        r#"{"tie":{"id":"g-home","from":"state:US","to":"owner","kind":{"governs":{"by":"headquarters"}}}}"#,
    );
    import(&world, vec![home]);
    assert_eq!(grade().grade, Grade::Clear);
}

#[test]
fn what_was_looked_at_is_recorded_only_while_nothing_has_moved() {
    let world = world();
    let import = |name: &str| Import { statements: edition(&[name]), ..Import::default() };
    let seen = world.exchange.rehearse(&world.operator, import("a")).unwrap().state;
    assert_eq!(seen, world.exchange.ties_state());
    world.exchange.import(&world.operator, import("b")).unwrap();
    let late = Import { looked_at: Some(seen), ..import("a") };
    let before = world.exchange.statements(&world.operator, 0, 1_000).unwrap().len();
    let refused = world.exchange.import(&world.operator, late.clone());
    assert!(matches!(refused, Err(exchange::AdminError::Moved)), "{refused:?}");
    assert_eq!(world.exchange.statements(&world.operator, 0, 1_000).unwrap().len(), before);
    let seen = world.exchange.rehearse(&world.operator, import("a")).unwrap().state;
    let fresh = Import { looked_at: Some(seen), ..late };
    assert_eq!(world.exchange.import(&world.operator, fresh).unwrap().new, 1);
    // A standing counts too: what would move depends on who stands where.
    let seen = world.exchange.ties_state();
    drop(world.member("Another", &["open"]));
    assert_ne!(seen, world.exchange.ties_state());
}
