//! A whole exchange over a store on disk that holds the graph: how long it takes to open, and how long one statement takes
//! until what follows from it is durable.
//!
//! One process writes the store: a hub with members that are companies of the graph, and then the statements as they
//! are stored, in batches. Another opens it as a hub is opened at its start, and then imports statements one by one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use exchange::{Exchange, Imported, Keys, NewMember, Options};
use model::{Action, Caller, CredentialId, MemberKind, Principal, Role, Subject, SystemClock};
use programme::{Programme, template};
use serde::{Deserialize, Serialize};
use store::{Record, Store};
use store_sqlite::SqliteStore;
use ties::{Day, End, Ending, Listing, PartialDate, Period, Said, Statement, StatementId, TieId};

use super::clock::{Clock, Each, Spread, cpu, peak_megabytes};
use super::graph::{Graph, Tie};
use super::peers::answer;
use super::random::SplitMix;
use super::registry::{BATCH, batch, entity, register, statement_of};
use crate::units::float;

/// How many members there are, each a company of the graph.
const MEMBERS: usize = 200;
/// How many statements are imported, one at a time.
const CHANGES: usize = 1_000;

/// What to write.
#[derive(clap::Args)]
pub(crate) struct WriteArguments {
    /// Lines of `holder,company,basis points`
    graph: PathBuf,
    /// The store's folder
    store: PathBuf,
}

/// What to open.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The graph that the store holds
    graph: PathBuf,
    /// The store's folder
    store: PathBuf,
}

/// What was written.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    statements: usize,
}

/// What the exchange took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) statements: usize,
    pub(crate) stored_mb: f64,
    /// From nothing to an exchange that answers.
    pub(crate) open_cpu_ms: f64,
    pub(crate) open_wall_ms: f64,
    /// The most memory until then.
    pub(crate) peak_mb: f64,
    /// One statement, from the call to its durable and decided answer.
    pub(crate) change: Spread,
    /// The same in CPU time of all threads.
    pub(crate) change_cpu: Spread,
    /// How many of them moved a member.
    pub(crate) moved: usize,
    /// One flush of one page to the same disk, nothing else: the floor of all that is durable.
    pub(crate) flush: Spread,
}

/// Writes the store in one process, and opens it in another.
pub(crate) fn ask(graph: &Path, store: &Path) -> Result<Opened> {
    let program = std::env::current_exe()?;
    let ask = |part: &str| {
        let mut command = Command::new(&program);
        command.arg(part).args([graph, store]);
        command
    };
    let written: Written = answer("writing the store", &mut ask("ties-hub-write"))?;
    let opened: Opened = answer("the exchange", &mut ask("ties-hub"))?;
    ensure!(opened.statements == written.statements, "{opened:?} of {written:?}");
    fs::remove_dir_all(store)?;
    Ok(opened)
}

pub(crate) fn write(arguments: &WriteArguments) -> Result<ExitCode> {
    let graph = Graph::read(&arguments.graph)?;
    if arguments.store.exists() {
        fs::remove_dir_all(&arguments.store)?;
    }
    fs::create_dir_all(&arguments.store)?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&arguments.store)?);
    let exchange = open(&store)?;
    let operator = operator();
    let tiers =
        exchange.programme().settings().tiers.iter().map(|tier| tier.name.clone()).collect::<Vec<_>>();
    for company in members(&graph) {
        let new = NewMember {
            name: format!("company {company}"),
            kind: MemberKind::Provider,
            identity: None,
            subject: Subject { clearance: 3, ..Subject::default() },
            listed: tiers.iter().cloned().collect(),
        };
        let member = exchange.add_member(&operator, new)?;
        exchange.bind_entity(&operator, &member.id, &entity(company)?)?;
    }
    drop(exchange);
    let mut statements = 0;
    for (number, ties) in graph.ties.chunks(BATCH).enumerate() {
        let (value, count) = batch(ties)?;
        statements += count;
        let mut transaction = store.begin()?;
        transaction.put(Record { kind: "statements".to_owned(), key: format!("{number:012}"), value })?;
        transaction.commit()?;
    }
    println!("{}", serde_json::to_string(&Written { statements })?);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let stored_mb = float(fs::metadata(arguments.store.join("hub.db"))?.len()) / 1e6;
    let mut clock = Clock::default();
    let exchange = clock.time(|| -> Result<_> {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&arguments.store)?);
        open(&store)
    })??;
    let times = clock.times();
    let peak_mb = peak_megabytes()?;
    let operator = operator();
    // The programme's own lists stand before those of the store.
    let own = exchange.programme().lists().len();
    let statements = count(&exchange, &operator)? - own;
    let flush = flush(&arguments.store)?;
    let graph = Graph::read(&arguments.graph)?;
    let Changes { change, change_cpu, moved } = changes(&exchange, &operator, &graph)?;
    ensure!(count(&exchange, &operator)? == own + statements + CHANGES, "statements are lost");
    let opened = Opened {
        statements,
        stored_mb,
        open_cpu_ms: times.cpu_ms,
        open_wall_ms: times.wall_ms,
        peak_mb,
        change,
        change_cpu,
        moved,
        flush,
    };
    println!("{}", serde_json::to_string(&opened)?);
    Ok(ExitCode::SUCCESS)
}

fn open(store: &Arc<dyn Store>) -> Result<Exchange> {
    let programme = Arc::new(Programme::from_files(&template())?);
    let chance = Mutex::new(SplitMix::new(29));
    let random = move |bytes: &mut [u8]| {
        let mut chance = chance.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.chunks_mut(8).for_each(|some| some.copy_from_slice(&chance.next().to_le_bytes()[..some.len()]));
    };
    let options = Options {
        clock: Arc::new(SystemClock::default()),
        random: Arc::new(random),
        keys: Keys {
            origin: "bench.example/jcsp".to_owned(),
            ledger: [1; 32],
            cursor: [2; 32],
            credentials: [3; 32],
        },
    };
    Ok(Exchange::open(Arc::clone(store), &programme, options)?)
}

fn operator() -> Caller {
    Caller {
        principal: Principal::Role(Role::Operator),
        credential: CredentialId::from_bits(1),
        actions: [Action::Read, Action::Publish, Action::Administer].into(),
        collections: None,
    }
}

/// Companies drawn by chance, each once.
fn members(graph: &Graph) -> Vec<u32> {
    let mut random = SplitMix::new(31);
    let ties = u32::try_from(graph.ties.len()).unwrap_or(u32::MAX);
    let mut drawn = std::collections::BTreeSet::new();
    while drawn.len() < MEMBERS {
        drawn.insert(graph.ties[random.below(ties) as usize].company);
    }
    drawn.into_iter().collect()
}

/// By bisection: whether there is a statement at a place is asked, and none is counted.
fn count(exchange: &Exchange, operator: &Caller) -> Result<usize> {
    let (mut low, mut high) = (0, 1 << 32);
    while low < high {
        let middle = usize::midpoint(low, high);
        if exchange.statements(operator, middle, 1)?.is_empty() {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

struct Changes {
    change: Spread,
    change_cpu: Spread,
    moved: usize,
}

/// Statements about the members' own ties, one import each. Of four, two give a holder another share, one puts a holder on
/// the list of parties of concern, and one takes it off again.
fn changes(exchange: &Exchange, operator: &Caller, graph: &Graph) -> Result<Changes> {
    let mut first = std::collections::BTreeMap::new();
    for tie in &graph.ties {
        first.entry(tie.company).or_insert(*tie);
    }
    let held: Vec<Tie> = members(graph).iter().filter_map(|company| first.get(company).copied()).collect();
    let (mut each, mut spent, mut moved) = (Each::default(), Each::default(), 0);
    for number in 0..CHANGES {
        let tie = held[number / 4 % held.len()];
        let id: StatementId = format!("c{number}").parse()?;
        let statement = match number % 4 {
            0 | 1 => Statement { id, ..statement_of(&Tie { points: 1 + tie.points.div_ceil(2), ..tie })? },
            place => Statement {
                id,
                said: listing(place == 2, number / 4, tie.holder)?,
                source: register(),
                recorded: Day::from_days(0).start(),
            },
        };
        let before = cpu()?;
        let imported: Imported = each.time(|| exchange.import_ties(operator, vec![statement], "a change"))?;
        spent.took(cpu()?.saturating_sub(before));
        ensure!(imported.new == 1 && imported.refused.is_empty(), "{number}: {imported:?}");
        moved += usize::from(!imported.moved.is_empty());
    }
    // Who is put on the list moves whomever it holds enough of; if nobody ever did, nothing was decided.
    ensure!(moved > 0, "no change moved anybody");
    Ok(Changes { change: each.spread(), change_cpu: spent.spread(), moved })
}

fn listing(on: bool, number: usize, holder: u32) -> Result<Said> {
    let id: TieId = format!("l{number}").parse()?;
    let day = PartialDate::Day { day: Day::from_days(18_000) };
    Ok(if on {
        Said::Listing(Listing {
            id,
            list: "concern".parse()?,
            entity: entity(holder)?,
            entry: None,
            valid: Period::since(day),
            with_subsidiaries: false,
        })
    } else {
        Said::End(End { tie: id, on: day, by: Ending::Completed })
    })
}

/// What the disk takes to keep one page.
fn flush(folder: &Path) -> Result<Spread> {
    use std::io::Write as _;
    let path = folder.join("flush");
    let mut file = fs::File::create(&path).with_context(|| path.display().to_string())?;
    let mut each = Each::default();
    for _ in 0..200 {
        each.time(|| file.write_all(&[7; 4_096]).and_then(|()| file.sync_data()))?;
    }
    fs::remove_file(&path)?;
    Ok(each.spread())
}
