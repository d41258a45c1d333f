//! Decisions with their proofs on very many members, after the rules or a list changed.
//!
//! The graph is statements in a registry, and every node has a country, so that the rules about foreign holders have
//! something to ask: of a hundred nodes two are of an adverse state, eight of another one, and the rest at home. Members are
//! companies drawn by chance. Everybody is decided on for every tier: before anything changed, after a rule changed, and after a
//! list did. What moved is written out, as a hub keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, Result, ensure};
use model::{Grade, Tier};
use programme::{Programme, template};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ties::{AsOf, Day, Entity, EntityKind, Listing, Period, Registry, Said, Statement, TieId, encode};
use vetting::{Decision, FactName, Judge, Party, Session, Value};

use super::clock::{Clock, Times, peak_megabytes};
use super::generator::{self, Preset};
use super::graph::Graph;
use super::peers::answer;
use super::random::SplitMix;
use super::registry::{BATCH, FIRST_DAY, batch, entity, register};

/// How many holders the lists name before anything changes: blocked, and of concern.
const LISTED: (usize, usize) = (500, 50);
/// How many the changed list names more.
const NEWLY_LISTED: usize = 50;
/// As of when: after everything was recorded.
const DAY: i32 = 20_800;
/// One decision in so many is compared with that of a session that decided on nobody else.
const COMPARED: usize = 200;

/// What to decide on.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    ties: u32,
    seed: u64,
    members: usize,
}

/// What deciding took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Decided {
    pub(crate) statements: usize,
    pub(crate) members: usize,
    pub(crate) tiers: usize,
    pub(crate) rule: Round,
    pub(crate) list: Round,
    /// Ties and statements in the proofs of all findings after the list changed.
    pub(crate) proof_ties: usize,
    /// Of all decisions after the list changed, written out one after another: two builds that decide alike say the same.
    pub(crate) sha256: String,
    pub(crate) peak_mb: f64,
}

/// One change.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    /// On one thread.
    pub(crate) cpu_ms: f64,
    pub(crate) wall_ms: f64,
    /// On two threads.
    pub(crate) two_wall_ms: f64,
    /// How many decisions are others than before, and how many other grades.
    pub(crate) changed: usize,
    pub(crate) grades: usize,
}

/// Asks in another process, so that its memory is its own.
pub(crate) fn ask(ties: u32, seed: u64, members: usize) -> Result<Decided> {
    let numbers = [ties.to_string(), seed.to_string(), members.to_string()];
    answer("deciding", Command::new(std::env::current_exe()?).arg("ties-decisions").args(numbers))
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let graph = generator::generate(Preset::National, arguments.ties, arguments.seed)?;
    let members = drawn(&graph, arguments.members, |tie| tie.company, 37);
    let parties: Vec<Party> =
        members.iter().map(|company| Ok(Party::new(entity(*company)?))).collect::<Result<_>>()?;
    let mut registry = registry(&graph)?;
    let (judge, stricter) = (judge(false)?, judge(true)?);
    let tiers: Vec<Tier> = judge.programme().settings().tiers.iter().map(|tier| tier.name.clone()).collect();
    let statements = registry.len();

    let before = decide(&registry, &judge, (0, &parties), &tiers, &Kept::new())?;
    let (rule, after) = round(&registry, &stricter, &parties, &tiers, &before.kept)?;
    let of_members: BTreeSet<u32> = members.iter().copied().collect();
    let held = Graph {
        nodes: graph.nodes,
        ties: graph.ties.iter().copied().filter(|tie| of_members.contains(&tie.company)).collect(),
    };
    let newly = drawn(&held, NEWLY_LISTED, |tie| tie.holder, 41);
    list(&mut registry, "concern", "new", &newly)?;
    let (listed, after) = round(&registry, &stricter, &parties, &tiers, &after.kept)?;
    ensure!(rule.grades > 0 && listed.grades > 0, "a change moves nobody: {rule:?} {listed:?}");
    let told = Decided {
        statements,
        members: parties.len(),
        tiers: tiers.len(),
        rule,
        list: listed,
        proof_ties: after.proof_ties,
        peak_mb: peak_megabytes()?,
        sha256: digest(&registry, &stricter, &parties, &tiers)?,
    };
    println!("{}", serde_json::to_string(&told)?);
    Ok(ExitCode::SUCCESS)
}

/// Nodes of ties drawn by chance, each once.
fn drawn(graph: &Graph, many: usize, node: impl Fn(&super::graph::Tie) -> u32, seed: u64) -> Vec<u32> {
    let mut random = SplitMix::new(seed);
    let ties = u32::try_from(graph.ties.len()).unwrap_or(u32::MAX);
    let mut drawn = BTreeSet::new();
    for _ in 0..100 * many {
        if drawn.len() == many {
            break;
        }
        drawn.insert(node(&graph.ties[random.below(ties) as usize]));
    }
    drawn.into_iter().collect()
}

fn registry(graph: &Graph) -> Result<Registry> {
    let mut registry = Registry::new();
    let mut take_in = |batch: &[u8]| -> Result<()> {
        let added = registry.load(batch)?;
        ensure!(added.refused.is_empty(), "the registry refuses statements");
        Ok(())
    };
    for ties in graph.ties.chunks(BATCH) {
        take_in(&batch(ties)?.0)?;
    }
    let nodes: Vec<u32> = (0..graph.nodes).collect();
    for nodes in nodes.chunks(BATCH) {
        take_in(&encode(&nodes.iter().map(|node| described(*node)).collect::<Result<Vec<_>>>()?))?;
    }
    let programme = Programme::from_files(&template())?;
    registry.add(programme.lists().to_vec());
    list(&mut registry, "ofac-sdn", "blocked", &drawn(graph, LISTED.0, |tie| tie.holder, 43))?;
    list(&mut registry, "concern", "concern", &drawn(graph, LISTED.1, |tie| tie.holder, 47))?;
    Ok(registry)
}

fn described(node: u32) -> Result<Statement> {
    let mut described = Entity::new(entity(node)?, EntityKind::Organisation);
    let country = match SplitMix::new(u64::from(node)).below(100) {
        0 | 1 => "CN",
        2..10 => "GB",
        _ => "US",
    };
    described.countries = vec![country.to_owned()];
    described.own_shares_vote = Some(true);
    Ok(Statement {
        id: format!("d{node}").parse()?,
        said: Said::Entity(described),
        source: register(),
        recorded: Day::from_days(FIRST_DAY).start(),
    })
}

fn list(registry: &mut Registry, list: &str, name: &str, holders: &[u32]) -> Result<()> {
    let listing = |holder: &u32| {
        let id: TieId = format!("{name}-{holder}").parse()?;
        let said = Said::Listing(Listing {
            id,
            list: list.parse()?,
            entity: entity(*holder)?,
            entry: None,
            valid: Period::ALWAYS,
            with_subsidiaries: false,
        });
        let recorded = Day::from_days(DAY - 1).start();
        Ok(Statement { id: format!("{name}-{holder}").parse()?, said, source: register(), recorded })
    };
    let added = registry.add(holders.iter().map(listing).collect::<Result<_>>()?);
    ensure!(added.refused.is_empty(), "the registry refuses a list: {:?}", added.refused);
    Ok(())
}

/// The template's rules, or the same with one of them asking for less.
fn judge(is_stricter: bool) -> Result<Judge> {
    const RULES: &str = "rules/strict.cedar";
    let mut files = template();
    if is_stricter {
        let text = String::from_utf8(files.remove(RULES).context("the template has other rules")?)?;
        let (old, new) = ("context.adversary_holding >= 1000", "context.adversary_holding >= 300");
        ensure!(text.contains(old), "the template's rule reads otherwise");
        files.insert(RULES.to_owned(), text.replace(old, new).into_bytes());
    }
    Ok(Judge::new(Arc::new(Programme::from_files(&files)?))?)
}

/// What is kept of a decision: enough to see that the next one is another.
type Kept = BTreeMap<(usize, usize), (Grade, Grade, Vec<String>)>;

#[derive(Default)]
struct All {
    kept: Kept,
    changed: usize,
    grades: usize,
    proof_ties: usize,
    /// Bytes of the decisions that were written out.
    written: usize,
}

impl All {
    fn join(mut self, other: Self) -> Self {
        self.kept.extend(other.kept);
        self.changed += other.changed;
        self.grades += other.grades;
        self.proof_ties += other.proof_ties;
        self.written += other.written;
        self
    }
}

/// Everybody decided on, on one thread and then on two.
fn round(
    registry: &Registry,
    judge: &Judge,
    parties: &[Party],
    tiers: &[Tier],
    before: &Kept,
) -> Result<(Round, All)> {
    let (mut one, mut two) = (Clock::default(), Clock::default());
    let all = one.time(|| decide(registry, judge, (0, parties), tiers, before))??;
    let (first, second) = parties.split_at(parties.len() / 2);
    let halves = two.time(|| {
        thread::scope(|scope| {
            let other = scope.spawn(|| decide(registry, judge, (first.len(), second), tiers, before));
            let one = decide(registry, judge, (0, first), tiers, before);
            Ok::<_, anyhow::Error>((one?, other.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??))
        })
    })??;
    let halves = halves.0.join(halves.1);
    ensure!(halves.kept == all.kept && halves.changed == all.changed, "two threads decide otherwise");
    compare(registry, judge, parties, tiers, &all.kept)?;
    ensure!(all.written > 0 && all.proof_ties > 0, "nothing was proved");
    let (Times { cpu_ms, wall_ms }, Times { wall_ms: two_wall_ms, .. }) = (one.times(), two.times());
    Ok((Round { cpu_ms, wall_ms, two_wall_ms, changed: all.changed, grades: all.grades }, all))
}

fn as_of() -> AsOf {
    let day = Day::from_days(DAY);
    AsOf { day, known: day.end() }
}

/// As an exchange does it: the facts of each once, then each tier; and what is news is written. The first party's place
/// is told.
fn decide(
    registry: &Registry,
    judge: &Judge,
    (first, parties): (usize, &[Party]),
    tiers: &[Tier],
    before: &Kept,
) -> Result<All> {
    let picture = registry.picture(as_of());
    let session = Session::new(judge, &picture, None);
    let mut all = All::default();
    for (place, party) in (first..).zip(parties) {
        let mut facts = session.facts(party);
        for (number, tier) in tiers.iter().enumerate() {
            facts.told(FactName::Applicant, Value::Flag(false));
            let decision = session.decide_on(party, tier, &facts)?;
            all.proof_ties += decision.ties(Grade::Clear).len();
            let kept = kept(&decision);
            let old = before.get(&(place, number));
            if old != Some(&kept) {
                all.changed += 1;
                all.grades += usize::from(old.is_none_or(|old| old.0 != kept.0));
                all.written += serde_json::to_vec(&decision)?.len();
            }
            all.kept.insert((place, number), kept);
        }
    }
    Ok(all)
}

/// Every decision in every byte, untimed.
fn digest(registry: &Registry, judge: &Judge, parties: &[Party], tiers: &[Tier]) -> Result<String> {
    let picture = registry.picture(as_of());
    let session = Session::new(judge, &picture, None);
    let mut all = Sha256::new();
    for party in parties {
        let facts = session.facts(party);
        for tier in tiers {
            all.update(serde_json::to_vec(&session.decide_on(party, tier, &facts)?)?);
        }
    }
    Ok(hex::encode(all.finalize()))
}

fn kept(decision: &Decision) -> (Grade, Grade, Vec<String>) {
    let rules = decision.findings.iter().map(|finding| finding.rule.clone()).collect();
    (decision.grade, decision.possible, rules)
}

/// A session remembers what it found out about others; who is decided on alone must fare the same.
fn compare(registry: &Registry, judge: &Judge, parties: &[Party], tiers: &[Tier], all: &Kept) -> Result<()> {
    let picture = registry.picture(as_of());
    for (place, party) in parties.iter().enumerate().step_by((parties.len() / COMPARED).max(1)) {
        let session = Session::new(judge, &picture, None);
        for (number, tier) in tiers.iter().enumerate() {
            let alone = kept(&session.decide(party, tier)?);
            ensure!(all.get(&(place, number)) == Some(&alone), "{} fares otherwise alone", party.entity);
        }
    }
    Ok(())
}

/// Whether a graph of that many ties has that many members to decide on.
pub(crate) fn members(ties: u32, wanted: usize) -> usize {
    wanted.min(ties as usize / 10)
}
