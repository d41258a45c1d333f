//! The same graph as statements in a registry, and questions about one entity as of a day, as known at an instant.
//!
//! Each tie is a statement of its own, valid from a day in twenty years and recorded up to two years later; the question
//! leaves out what was not yet so, or not yet known. Who controls the entity is compared with the plain way on
//! the ties that are left.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use ties::derive::{Cone, Measure, Options};
use ties::kernel::Forest;
use ties::{
    AsOf, Day, Entity, EntityId, EntityKind, Holding, PartialDate, Period, Registry, Said, Source, Statement,
    TieKind, encode,
};

use super::clock::{Clock, Each, Spread, cpu, peak_megabytes};
use super::graph::{Graph, Tie};
use super::kernel::share;
use super::peers::answer;
use super::random::SplitMix;
use super::reference::{self, Adjacent};

/// Statements in a batch.
pub(crate) const BATCH: usize = 100_000;
/// The first day on which a tie holds, 2000-01-01, and how many days they are spread over.
pub(crate) const FIRST_DAY: i32 = 10_957;
const DAYS: u32 = 20 * 365;
/// How many days after that a tie is recorded at most.
const LATE: u32 = 2 * 365;
/// How long before the last day the questions are.
const BEFORE_LAST: u32 = 365;
/// How many entities are asked about.
const QUESTIONS: usize = 5_000;

/// What to ask the registry.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Lines of `holder,company,basis points`
    graph: PathBuf,
}

/// What the registry says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Loaded {
    pub(crate) statements: usize,
    /// Encoded batches, read into the registry: without a store.
    pub(crate) load_cpu_ms: f64,
    pub(crate) load_wall_ms: f64,
    pub(crate) encoded_mb: f64,
    pub(crate) peak_mb: f64,
    /// Who controls one entity, as of a day, as known at an instant.
    pub(crate) as_of: Spread,
    /// The same in CPU time.
    pub(crate) as_of_cpu: Spread,
    /// Ties upstream of the entities asked about: of half of them, of 99 in a hundred, and the most.
    pub(crate) upstream: [usize; 3],
}

/// Asks in another process, so that its memory is its own.
pub(crate) fn ask(graph: &std::path::Path) -> Result<Loaded> {
    answer("the registry", Command::new(std::env::current_exe()?).arg("ties-registry").arg(graph))
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let graph = Graph::read(&arguments.graph)?;
    let batches = graph.ties.chunks(BATCH).map(|ties| Ok(batch(ties)?.0)).collect::<Result<Vec<_>>>()?;
    let bytes: usize = batches.iter().map(Vec::len).sum();
    let (mut registry, mut load_cpu_ms, mut load_wall_ms) = (Registry::new(), 0.0, 0.0);
    for batch in &batches {
        let mut clock = Clock::default();
        let added = clock.time(|| registry.load(batch))??;
        ensure!(added.refused.is_empty() && added.findings.is_empty(), "the registry refuses statements");
        let times = clock.times();
        load_cpu_ms += times.cpu_ms;
        load_wall_ms += times.wall_ms;
    }
    drop(batches);
    let peak_mb = peak_megabytes()?;
    let Answers { clock: as_of, cpu: as_of_cpu, upstream } = questions(&registry, &graph)?;
    let encoded_mb = crate::units::float(bytes as u64) / 1e6;
    let statements = registry.len();
    let told =
        Loaded { statements, load_cpu_ms, load_wall_ms, encoded_mb, peak_mb, as_of, as_of_cpu, upstream };
    println!("{}", serde_json::to_string(&told)?);
    Ok(ExitCode::SUCCESS)
}

/// Ties as one encoded batch, and how many statements it has.
pub(crate) fn batch(ties: &[Tie]) -> Result<(Vec<u8>, usize)> {
    let mut statements = ties.iter().map(statement_of).collect::<Result<Vec<_>>>()?;
    for tie in ties.iter().filter(|tie| tie.holder == tie.company) {
        statements.push(company_that_votes(tie.company)?);
    }
    Ok((encode(&statements), statements.len()))
}

/// The plain way counts stock that a company holds in itself; the registry does so where it is told to.
fn company_that_votes(node: u32) -> Result<Statement> {
    let mut company = Entity::new(entity(node)?, EntityKind::Organisation);
    company.own_shares_vote = Some(true);
    Ok(Statement {
        id: format!("e{node}").parse()?,
        said: Said::Entity(company),
        source: register(),
        recorded: Day::from_days(FIRST_DAY).start(),
    })
}

pub(crate) fn register() -> Source {
    Source { document: "the register".to_owned(), ..Source::default() }
}

pub(crate) fn statement_of(tie: &Tie) -> Result<Statement> {
    let Tie { holder, company, points } = *tie;
    let (valid, recorded) = dates(tie);
    let holding = Holding { votes: Some(share(points)?), money: Some(share(points)?), ..Holding::default() };
    Ok(Statement {
        id: format!("s{holder}-{company}").parse()?,
        said: Said::Tie(ties::Tie {
            id: format!("t{holder}-{company}").parse()?,
            from: entity(holder)?,
            to: entity(company)?,
            kind: TieKind::Holds(holding),
            valid: Period::since(PartialDate::Day { day: valid }),
        }),
        source: register(),
        recorded,
    })
}

pub(crate) fn entity(node: u32) -> Result<EntityId> {
    Ok(format!("n{node}").parse()?)
}

/// From which day on a tie holds, and when it was recorded: drawn from its ends.
fn dates(tie: &Tie) -> (Day, Timestamp) {
    let mut random = SplitMix::new(u64::from(tie.holder) << 32 | u64::from(tie.company));
    let valid = Day::from_days(FIRST_DAY).plus(random.below(DAYS).cast_signed());
    let recorded = valid.plus(random.below(LATE).cast_signed());
    (valid, recorded.start())
}

struct Answers {
    clock: Spread,
    cpu: Spread,
    upstream: [usize; 3],
}

fn questions(registry: &Registry, graph: &Graph) -> Result<Answers> {
    let day = Day::from_days(FIRST_DAY).plus((DAYS - BEFORE_LAST).cast_signed());
    let as_of = AsOf { day, known: day.end() };
    let left = Graph {
        nodes: graph.nodes,
        ties: graph
            .ties
            .iter()
            .copied()
            .filter(|tie| dates(tie).0 <= day && dates(tie).1 <= as_of.known)
            .collect(),
    };
    ensure!(left.ties.len() < graph.ties.len(), "the question leaves nothing out");
    let mut random = SplitMix::new(23);
    let mut owned: Vec<u32> = left.ties.iter().map(|tie| tie.company).collect();
    owned.sort_unstable();
    owned.dedup();
    let length = u32::try_from(owned.len())?;
    let asked: BTreeSet<u32> = (0..QUESTIONS).map(|_| owned[random.below(length) as usize]).collect();
    let mut want: BTreeMap<u32, BTreeSet<u32>> =
        asked.iter().map(|company| (*company, BTreeSet::new())).collect();
    reference::control(&Adjacent::down(&left), |controller, company| {
        if let Some(controllers) = want.get_mut(&company) {
            controllers.insert(controller);
        }
    });
    let (mut each, mut spent, mut sizes) = (Each::default(), Each::default(), Vec::new());
    for (company, want) in &want {
        let id = entity(*company)?;
        let before = cpu()?;
        let (cone, controllers) = each.time(|| {
            let cone = Cone::upstream(&registry.picture(as_of), &id, &Options::default());
            let forest = Forest::new(cone.holdings(Measure::Control).clone());
            let controllers = forest.controllers(0);
            (cone, controllers)
        });
        spent.took(cpu()?.saturating_sub(before));
        sizes.push(cone.edges(Measure::Control).len());
        let found =
            controllers.iter().map(|node| node_of(cone.entity(*node))).collect::<Result<BTreeSet<_>>>()?;
        ensure!(found == *want, "{id} is controlled by {found:?} instead of {want:?}");
    }
    sizes.sort_unstable();
    let at =
        |percent: usize| sizes.get((sizes.len() * percent / 100).min(sizes.len() - 1)).copied().unwrap_or(0);
    Ok(Answers { clock: each.spread(), cpu: spent.spread(), upstream: [at(50), at(99), at(100)] })
}

fn node_of(id: Option<&EntityId>) -> Result<u32> {
    let id = id.context("a controller without a name")?;
    id.as_str().trim_start_matches('n').parse().with_context(|| format!("`{id}` is nobody of ours"))
}
