//! Registers that were made to be hard.

use std::cell::Cell;
use std::time::{Duration, Instant};

use model::{Grade, Timestamp};
use serde_json::json;
use ties::{
    AsOf, Entity, EntityId, EntityKind, Holding, KnownListing, KnownTie, ListId, Listing, Period, Picture,
    Said, Share, Source, Statement, Tie, TieId, TieKind,
};
use vetting::{Decision, LEVELS_MAX, RemedyBound, Session, Step};

use crate::{cleared, day, judge, member, registry_of, with_lists};

/// A world that is written down tie by tie.
#[derive(Default)]
struct Made {
    statements: Vec<Statement>,
}

impl Made {
    fn say(&mut self, id: &str, said: Said) {
        let source = Source { document: "made".to_owned(), ..Source::default() };
        let recorded: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
        self.statements.push(Statement { id: id.parse().unwrap(), said, source, recorded });
    }

    fn entity(&mut self, id: &str, country: &str) {
        let mut entity = Entity::new(id.parse().unwrap(), EntityKind::Organisation);
        entity.countries = vec![country.to_owned()];
        entity.publicly_listed = Some(true);
        self.say(&format!("about-{id}"), Said::Entity(entity));
    }

    fn holds(&mut self, from: &str, to: &str, share: &str) {
        let share: Share = share.parse().unwrap();
        let kind = TieKind::Holds(Holding { votes: Some(share), money: Some(share), ..Holding::default() });
        let id = format!("{from}>{to}");
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        let tie = Tie { id: id.parse().unwrap(), from, to, kind, valid: Period::ALWAYS };
        self.say(&id, Said::Tie(tie));
    }

    fn listed(&mut self, entity: &str, list: &str) {
        let (id, list) = (format!("{list}:{entity}"), list.parse().unwrap());
        let entity: EntityId = entity.parse().unwrap();
        let listing = Listing {
            id: id.parse().unwrap(),
            list,
            entity,
            entry: None,
            valid: Period::ALWAYS,
            with_subsidiaries: false,
        };
        self.say(&id, Said::Listing(listing));
    }
}

/// A debug build on a busy machine; what is guarded against takes minutes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Decides, writes the decision down in both forms, and says how long that took.
fn decide(made: Made) -> Decision {
    let judge = judge();
    let registry = registry_of(&with_lists(&judge, made.statements));
    let picture = registry.picture(day());
    let began = Instant::now();
    let decision = Session::new(&judge, &picture, None).decide(&member(), &cleared()).unwrap();
    let text = serde_json::to_string(&decision).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    assert!(!decision.describe(None).is_empty());
    assert!(levels(&decision) <= LEVELS_MAX, "{} levels", levels(&decision));
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    decision
}

fn levels(decision: &Decision) -> usize {
    fn below(step: &Step) -> usize {
        1 + step.because.iter().map(|step| below(step)).max().unwrap_or(0)
    }
    let shown = decision.findings.iter().chain(&decision.perhaps).flat_map(|finding| &finding.because);
    shown.flat_map(|fact| fact.proof.iter().chain(&fact.also)).map(below).max().unwrap_or(0)
}

fn rules(decision: &Decision) -> Vec<&str> {
    decision.findings.iter().map(|finding| finding.rule.as_str()).collect()
}

#[test]
fn a_pyramid_of_ten_thousand_levels_is_climbed() {
    // Each level foreign and listed, so that each is asked about by itself.
    for (share, controls) in [("51%", true), ("50%", false)] {
        let mut made = Made::default();
        made.entity("e0", "US");
        for level in 1..10_000 {
            made.entity(&format!("e{level}"), "CN");
            made.holds(
                &format!("e{level}"),
                &format!("e{}", level - 1),
                if level == 1 { share } else { "51%" },
            );
        }
        made.listed("e9999", "ofac-sdn");
        let decision = decide(made);
        assert_eq!(rules(&decision).contains(&"R5-control"), controls);
        assert!(rules(&decision).contains(&"OFAC-50"), "50 % is enough for the list");
    }
}

#[test]
fn two_pyramids_that_share_a_company_are_climbed() {
    // Nobody controls it, but both pyramids together would: every level has to be asked about.
    let mut made = Made::default();
    made.entity("e0", "US");
    for side in ["a", "b"] {
        made.holds(&format!("{side}1"), "e0", "50%");
        for level in 1..4_000 {
            made.entity(&format!("{side}{level}"), "CN");
            made.holds(&format!("{side}{}", level + 1), &format!("{side}{level}"), "60%");
            // A second stake, so that no level holds in one company alone.
            made.holds(&format!("{side}{}", level + 1), "side", "0.01%");
        }
    }
    let decision = decide(made);
    assert!(!rules(&decision).contains(&"R5-control"));
    assert!(!decision.near.is_empty());
}

#[test]
fn a_circle_of_any_length_ends() {
    for length in [1_usize, 2, 3, 300] {
        let mut made = Made::default();
        made.entity("e0", "US");
        for place in 1..=length {
            made.entity(&format!("e{place}"), "CN");
            made.holds(&format!("e{place}"), &format!("e{}", place % length + 1), "60%");
        }
        made.holds("e1", "e0", "40%");
        let decision = decide(made);
        assert!(rules(&decision).contains(&"R9-adversary-10"), "{length}: {:?}", rules(&decision));
    }
}

#[test]
fn parts_that_are_nothing_when_rounded_add_up() {
    let mut made = Made::default();
    made.entity("e0", "US");
    for holder in 1..=2_000 {
        made.entity(&format!("e{holder}"), "CN");
        made.holds(&format!("e{holder}"), "e0", "1/20000");
    }
    let decision = decide(made);
    assert!(rules(&decision).contains(&"R9-adversary-10"), "{:?}", rules(&decision));
}

#[test]
fn a_hub_of_a_hundred_thousand_stakes_is_weighed() {
    let mut made = Made::default();
    made.entity("e0", "US");
    for holder in 1..=100_000 {
        let country = if holder % 10 == 0 { "CN" } else { "US" };
        made.entity(&format!("e{holder}"), country);
        made.holds(&format!("e{holder}"), "e0", "1/100000");
    }
    let decision = decide(made);
    assert!(rules(&decision).contains(&"R9-adversary-10"), "{:?}", rules(&decision));
}

/// Owner-to-u ties as in a vertex cover: the `u` hold 30 % of each venture that stands for an edge of a graph in which each
/// node has three; the ventures are chained to the member, so that one is enough.
fn vertex_cover(nodes: usize) -> Made {
    let mut made = Made::default();
    made.entity("e0", "US");
    made.entity("owner", "CN");
    for node in 0..nodes {
        made.entity(&format!("u{node}"), "CN");
        made.holds("owner", &format!("u{node}"), "100%");
    }
    let edges = (0..nodes).map(|node| (node, (node + 1) % nodes));
    let edges: Vec<(usize, usize)> =
        edges.chain((0..nodes / 2).map(|node| (node, node + nodes / 2))).collect();
    for (number, (a, b)) in edges.iter().enumerate() {
        let venture = format!("v{number}");
        made.entity(&venture, "US");
        made.holds(&format!("u{a}"), &venture, "30%");
        made.holds(&format!("u{b}"), &venture, "30%");
        let chain = if number == 0 { "e0".to_owned() } else { format!("c{number}") };
        made.entity(&chain, "US");
        made.holds(&venture, &chain, "50%");
        if number + 1 < edges.len() {
            made.holds(&format!("c{}", number + 1), &chain, "50%");
        }
    }
    made.listed("owner", "ofac-sdn");
    made
}

#[test]
fn a_company_that_was_made_to_be_hard_takes_no_more_than_its_time() {
    let judge = judge();
    let registry = registry_of(&with_lists(&judge, vertex_cover(60).statements));
    let picture = registry.picture(day());
    let packs = Some(["ofac".to_owned()].into());
    let session = Session::new(&judge, &picture, packs);
    let decision = session.decide(&member(), &cleared()).unwrap();
    assert_eq!(rules(&decision), ["OFAC-50"]);
    let limit = Duration::from_secs(2);
    let began = Instant::now();
    let remedies = session.remedies(&member(), &decision, &mut || began.elapsed() > limit).unwrap();
    assert!(began.elapsed() < limit + PATIENCE, "{:?}", began.elapsed());
    assert!(!remedies.ties.is_empty());
    for remedy in &remedies.ties {
        assert!(remedy.leaves < decision.grade);
        assert!(remedy.bound == RemedyBound::Proved || remedies.cut_short, "{:?}", remedy.bound);
    }
    assert!(json!(remedies)["ties"].is_array());
}

/// A picture that counts what is read of it: a clock that runs as fast as the work is done.
struct Counting<'p> {
    under: &'p dyn Picture,
    reads: &'p Cell<u64>,
}

impl Counting<'_> {
    fn under(&self) -> &dyn Picture {
        self.reads.set(self.reads.get() + 1);
        self.under
    }
}

impl Picture for Counting<'_> {
    fn as_of(&self) -> AsOf {
        self.under.as_of()
    }

    fn canonical(&self, id: &EntityId) -> EntityId {
        self.under.canonical(id)
    }

    fn entity(&self, id: &EntityId) -> Option<Entity> {
        self.under().entity(id)
    }

    fn ties_into(&self, id: &EntityId) -> Vec<KnownTie> {
        self.under().ties_into(id)
    }

    fn ties_out_of(&self, id: &EntityId) -> Vec<KnownTie> {
        self.under().ties_out_of(id)
    }

    fn arrangements(&self, id: &EntityId) -> Vec<KnownTie> {
        self.under().arrangements(id)
    }

    fn tie(&self, id: &TieId) -> Option<KnownTie> {
        self.under().tie(id)
    }

    fn listings(&self, id: &EntityId) -> Vec<KnownListing> {
        self.under().listings(id)
    }

    fn listed_on(&self, list: &ListId) -> Vec<KnownListing> {
        self.under().listed_on(list)
    }

    fn lists(&self) -> Vec<ListId> {
        self.under().lists()
    }
}

/// Two hundred shells behind each other's backs, of each of which nobody knows who owns the rest.
fn shells(count: usize) -> Made {
    let mut made = Made::default();
    for shell in 0..=count {
        let mut entity = Entity::new(format!("e{shell}").parse().unwrap(), EntityKind::Organisation);
        entity.countries = vec!["US".to_owned()];
        made.say(&format!("about-e{shell}"), Said::Entity(entity));
    }
    for shell in 1..=count {
        made.holds(&format!("e{shell}"), &format!("e{}", shell / 3), "30%");
    }
    made
}

#[test]
fn remedies_stop_a_few_questions_after_time_is_over() {
    let judge = judge();
    for (name, made, packs) in [
        ("a vertex cover", vertex_cover(40), Some("ofac")),
        ("shells without owners", shells(200), Some("strict")),
        ("all rules", vertex_cover(20), None),
    ] {
        let registry = registry_of(&with_lists(&judge, made.statements));
        let reads = Cell::new(0);
        let registered = registry.picture(day());
        let picture = Counting { under: &registered, reads: &reads };
        let packs = packs.map(|pack| [pack.to_owned()].into());
        let session = Session::new(&judge, &picture, packs);
        let decision = session.decide(&member(), &cleared()).unwrap();
        let one = reads.get();
        for patience in [0, 1, 5, 25, 100] {
            reads.set(0);
            let limit = patience * one;
            let remedies = session.remedies(&member(), &decision, &mut || reads.get() > limit).unwrap();
            let questions = reads.get() / one;
            assert!(questions <= patience + 8, "{name}: {questions} questions instead of {patience}");
            assert!(remedies.ties.iter().all(|remedy| remedy.leaves < decision.grade), "{name}");
            assert!(remedies.cut_short || patience > 0, "{name}");
        }
    }
}

#[test]
fn what_is_missing_is_disclosed_and_not_ended() {
    let judge = judge();
    let mut nobody = Made::default();
    nobody.entity("other", "US");
    let strict = || Some(["strict".to_owned()].into());
    for (made, what) in [
        (nobody, &["who holds 100 % of e0"][..]),
        (shells(1), &["who holds 70 % of e0", "who stands behind e1"]),
    ] {
        let registry = registry_of(&with_lists(&judge, made.statements));
        let picture = registry.picture(day());
        let session = Session::new(&judge, &picture, strict());
        let decision = session.decide(&member(), &cleared()).unwrap();
        assert_eq!(rules(&decision), ["R12-unknown-owner"]);
        let remedies = session.remedies(&member(), &decision, &mut || false).unwrap();
        assert!(remedies.ties.is_empty() && !remedies.cut_short);
        let disclose = remedies.disclose.as_ref().unwrap();
        assert_eq!(disclose.what, what);
        assert_eq!(disclose.leaves, Grade::Clear);
        assert!(decision.describe(Some(&remedies)).contains("disclose who holds"));
    }
}
