//! What is drawn: entities as boxes, and for each pair of them one line with all their ties.

use std::collections::{BTreeMap, BTreeSet};

use exchange::Around;
use ties::{EntityId, EntityKind, KnownTie, StatementId, TieId, TieKind, Truth};
use vetting::{Claim, Decision, Step, TieShown};

use crate::query::encode;
use crate::words;

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// Whom the picture is about.
    Focus,
    /// A party of concern.
    Concern,
    Person,
    State,
    Organisation,
    /// Several entities that were put together.
    Cluster,
}

/// A box.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// A second line: since when of concern, countries.
    pub(crate) note: String,
    pub(crate) countries: Vec<String>,
    pub(crate) kind: NodeKind,
    pub(crate) level: i32,
    pub(crate) href: String,
    /// How many entities it is.
    pub(crate) stands_for: usize,
    /// For what was put together, the place of the box that it hangs on.
    pub(crate) hangs_on: Option<usize>,
    /// What names it in a link that opens what hangs on it.
    pub(crate) id: String,
}

impl Node {
    /// One entity.
    pub(crate) fn of(id: String, name: String, kind: NodeKind, level: i32) -> Self {
        let (note, countries, href) = (String::new(), Vec::new(), String::new());
        Self { name, note, countries, kind, level, href, stands_for: 1, hangs_on: None, id }
    }
}

/// A line: all ties from one box to another.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// What it says, the most important first.
    pub(crate) labels: Vec<String>,
    /// Whether it is about shares; else about something else.
    pub(crate) is_holding: bool,
    pub(crate) truth: Truth,
    /// The largest part that is held, in basis points; 0 if none is.
    pub(crate) share: u32,
    /// Whether the decision rests on it.
    pub(crate) matters: bool,
    pub(crate) href: String,
}

/// What is drawn. The first box is the one that the picture is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
}

/// How a tie sorts among those of a pair: shares first, what is planned last.
fn weight(kind: &TieKind) -> u8 {
    match kind {
        TieKind::Holds(_) => 0,
        TieKind::Appoints(_) | TieKind::Directs { .. } | TieKind::Consolidates { .. } => 1,
        TieKind::PartyTo { .. } | TieKind::Serves { .. } | TieKind::MayAcquire { .. } => 2,
        TieKind::Venture | TieKind::Seconds | TieKind::Licenses { .. } => 3,
        TieKind::Contracts { .. }
        | TieKind::Supplies { .. }
        | TieKind::Lends { .. }
        | TieKind::Pays { .. }
        | TieKind::Grants { .. }
        | TieKind::Equips { .. } => 4,
        TieKind::Governs { .. } | TieKind::Family | TieKind::Associates { .. } | TieKind::Succeeds => 5,
        TieKind::Plans(_) => 6,
    }
}

/// The part that a tie says is held, at most, in basis points.
fn part_held(kind: &TieKind) -> u32 {
    let TieKind::Holds(held) = kind else { return 0 };
    let parts = [held.votes, held.money].into_iter().flatten();
    parts.map(ties::Share::basis_points_ceil).max().unwrap_or(0)
}

/// The link of a tie's page, at the same place of the two clocks.
pub(crate) fn tie_link(tie: &TieId) -> String {
    crate::pages::ties::tie_link(tie)
}

/// The graph of what lies around an entity. `matters` are the ties that the decision rests on.
pub(crate) fn from_around(
    around: &Around,
    matters: &BTreeSet<TieId>,
    member_of: &dyn Fn(&EntityId) -> Option<String>,
) -> Graph {
    let mut places = BTreeMap::new();
    let mut graph = Graph::default();
    let focus_first =
        std::iter::once(&around.focus).chain(around.entities.keys().filter(|id| **id != around.focus));
    for id in focus_first {
        let Some(neighbour) = around.entities.get(id) else { continue };
        let since = neighbour.concern.first().map(|known| match known.listing.valid.from {
            Some(from) => format!("of concern since {from}"),
            None => "of concern".to_owned(),
        });
        let kind = match neighbour.kind {
            _ if *id == around.focus => NodeKind::Focus,
            _ if since.is_some() => NodeKind::Concern,
            Some(EntityKind::Person) => NodeKind::Person,
            Some(EntityKind::State | EntityKind::StateBody) => NodeKind::State,
            Some(
                EntityKind::Organisation
                | EntityKind::Trust
                | EntityKind::Nomination
                | EntityKind::JointHolding
                | EntityKind::Concert
                | EntityKind::Unknown,
            )
            | None => NodeKind::Organisation,
        };
        let note = since.unwrap_or_else(|| neighbour.countries.join(", "));
        let href = member_of(id).unwrap_or_else(|| format!("/entities/{}", encode(id.as_str())));
        places.insert(id.clone(), graph.nodes.len());
        graph.nodes.push(Node {
            note,
            href,
            countries: neighbour.countries.clone(),
            ..Node::of(id.to_string(), neighbour.name.clone(), kind, neighbour.level)
        });
    }
    let mut pairs: BTreeMap<(usize, usize), Vec<&KnownTie>> = BTreeMap::new();
    for known in &around.ties {
        if let (Some(from), Some(to)) = (places.get(&known.tie.from), places.get(&known.tie.to)) {
            pairs.entry((*from, *to)).or_default().push(known);
        }
    }
    for ((from, to), mut ties) in pairs {
        ties.sort_by_key(|known| {
            (!matters.contains(&known.tie.id), weight(&known.tie.kind), known.tie.id.clone())
        });
        graph.edges.push(edge(from, to, &ties, matters));
    }
    graph
}

/// What a line says of a tie.
#[expect(clippy::wildcard_enum_match_arm, reason = "`tie_word` has a word for every kind")]
fn label(kind: &TieKind, truth: Truth) -> String {
    let text = match kind {
        TieKind::Holds(held) => words::holding(held),
        TieKind::Plans(_) | TieKind::MayAcquire { .. } | TieKind::Serves { .. } => words::tie(kind),
        other => words::tie_word(other).to_owned(),
    };
    if truth == Truth::Certain { text } else { format!("{text} (possible)") }
}

fn edge(from: usize, to: usize, ties: &[&KnownTie], matters: &BTreeSet<TieId>) -> Edge {
    let mut by_weight: Vec<&&KnownTie> = ties.iter().collect();
    by_weight.sort_by_key(|known| weight(&known.tie.kind));
    let mut labels: Vec<String> = Vec::new();
    for text in by_weight.iter().map(|known| label(&known.tie.kind, known.truth)) {
        if !labels.contains(&text) {
            labels.push(text);
        }
    }
    Edge {
        from,
        to,
        labels,
        is_holding: ties.iter().any(|known| matches!(known.tie.kind, TieKind::Holds(_))),
        truth: ties.iter().map(|known| known.truth).max().unwrap_or(Truth::Possible),
        share: ties.iter().map(|known| part_held(&known.tie.kind)).max().unwrap_or(0),
        matters: ties.iter().any(|known| matters.contains(&known.tie.id)),
        href: ties.first().map(|known| tie_link(&known.tie.id)).unwrap_or_default(),
    }
}

/// A tie that a decision shows in its proof.
pub(crate) struct Shown<'d> {
    pub(crate) id: &'d TieId,
    pub(crate) from: &'d EntityId,
    pub(crate) to: &'d EntityId,
    pub(crate) tie: &'d TieShown,
    pub(crate) truth: Truth,
    /// The statements that say so.
    pub(crate) statements: &'d [StatementId],
}

/// The ties that a decision shows, each once, in the order in which its proof tells of them.
pub(crate) fn shown(decision: &Decision) -> Vec<Shown<'_>> {
    let findings = decision.findings.iter().chain(&decision.perhaps);
    let proofs = findings.flat_map(|finding| &finding.because).flat_map(|fact| &fact.proof);
    let mut seen = BTreeSet::new();
    let told = proofs.flat_map(Step::lines).filter_map(|step| {
        let (Claim::Tie { tie: id, from, to, certain }, Some(tie)) = (&step.claim, &step.tie) else {
            return None;
        };
        let truth = if *certain { Truth::Certain } else { Truth::Possible };
        seen.insert(id).then_some(Shown { id, from, to, tie, truth, statements: &step.statements })
    });
    told.collect()
}

/// The graph of what a decision shows of its proof, and of nothing else: for a member, who is not told what lies around.
pub(crate) fn from_decision(decision: &Decision) -> Graph {
    let mut graph = Graph::default();
    let mut places: BTreeMap<&EntityId, usize> = BTreeMap::new();
    places.insert(&decision.entity, 0);
    let focus = decision.entity.to_string();
    graph.nodes.push(Node::of(focus, decision.name.clone(), NodeKind::Focus, 0));
    let facts = decision.findings.iter().chain(&decision.perhaps).flat_map(|finding| &finding.because);
    let steps = facts.flat_map(|fact| &fact.proof).flat_map(Step::lines);
    let concern: BTreeSet<&EntityId> = steps
        .filter_map(|step| if let Claim::Named { entity, .. } = &step.claim { Some(entity) } else { None })
        .collect();
    let mut pairs: BTreeMap<(usize, usize), Vec<Shown<'_>>> = BTreeMap::new();
    for tie in shown(decision) {
        let level_of = |id| places.get(id).map(|place: &usize| graph.nodes[*place].level);
        let (of_from, of_to) = match (level_of(tie.from), level_of(tie.to)) {
            (Some(from), Some(to)) => (from, to),
            (Some(from), None) => (from, from + 1),
            (None, Some(to)) => (to - 1, to),
            (None, None) => (0, 1),
        };
        for (id, name, level) in [(tie.from, &tie.tie.from, of_from), (tie.to, &tie.tie.to, of_to)] {
            if !places.contains_key(id) {
                let kind = if concern.contains(id) { NodeKind::Concern } else { NodeKind::Organisation };
                let note = if concern.contains(id) { "of concern".to_owned() } else { String::new() };
                places.insert(id, graph.nodes.len());
                graph.nodes.push(Node { note, ..Node::of(id.to_string(), name.clone(), kind, level) });
            }
        }
        pairs.entry((places[tie.from], places[tie.to])).or_default().push(tie);
    }
    for ((from, to), mut ties) in pairs {
        ties.sort_by_key(|shown| weight(&shown.tie.kind));
        let mut labels: Vec<String> = Vec::new();
        for text in ties.iter().map(|shown| label(&shown.tie.kind, shown.truth)) {
            if !labels.contains(&text) {
                labels.push(text);
            }
        }
        graph.edges.push(Edge {
            from,
            to,
            labels,
            is_holding: ties.iter().any(|shown| matches!(shown.tie.kind, TieKind::Holds(_))),
            share: 0,
            truth: ties.iter().map(|shown| shown.truth).max().unwrap_or(Truth::Possible),
            matters: true,
            href: String::new(),
        });
    }
    graph
}
