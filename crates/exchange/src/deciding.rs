//! Deciding on very many: the judgement of an evaluation, on as many threads as there are processors.
//!
//! What is judged is pure, so it may be judged anywhere; what follows from it changes the transaction, so that is done
//! here, one member after another in their order. Members are dealt to the threads in hands, of [`HAND_MAX`] where there are
//! very many:
//!
//! ```text
//! thread 1:  members    0 to 127,  256 to 383, ...     what follows:  0 to 127, 128 to 255, 256 to 383, ...
//! thread 2:  members  128 to 255,  384 to 511, ...
//! ```
//!
//! Each thread is at most two hands ahead, so that the proofs of forty thousand members are never in memory together.

use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

use model::{Grade, Member, Standing, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::StoreError;
use ties::{AsOf, Registry as Ties};
use vetting::{Decision, FactName, Finding, Session, Step, Value};

use crate::dossier::{Dossier, Values};
use crate::registry::Registry;
use crate::reporting;

/// How many members a thread decides on at a time, at most.
const HAND_MAX: usize = 128;
/// How many hands each thread gets, where there are few members: one may take a hundred times as long as another.
const HANDS_EACH: usize = 8;
/// Fewer members than this are decided on without threads: what they have in common upstream would be read by each.
const SHARED_FROM: usize = 16;
/// How many threads there are at most: beyond, what follows from the decisions takes longer than deciding.
const THREADS_MAX: usize = 8;

/// A member that is decided on.
pub(crate) type Chosen<'r> = (&'r Member, &'r Dossier);

/// What was found out about one member.
pub(crate) struct Worked {
    /// The digest of the facts of its ties.
    pub(crate) facts: String,
    /// One decision for each tier, in the programme's order, each with the digest of its [`content`].
    pub(crate) decisions: Vec<(Decision, String)>,
}

/// Decides on everybody who is bound to an entity, and hands over each with what was found out, in order.
pub(crate) fn all<'r>(
    registry: &Registry,
    ties: &Ties,
    at: Timestamp,
    chosen: &[Chosen<'r>],
    mut then: impl FnMut(Chosen<'r>, Worked) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let processors = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    if processors == 1 || chosen.len() < SHARED_FROM {
        let picture = ties.picture(AsOf::at(at));
        let session = Session::new(&registry.judge, &picture, None);
        for one in chosen {
            if let Some(worked) = decided(registry, &session, *one, at)? {
                then(*one, worked)?;
            }
        }
        return Ok(());
    }
    let hand = chosen.len().div_ceil(processors * HANDS_EACH).min(HAND_MAX);
    thread::scope(|scope| {
        let mut hands = Vec::new();
        for first in 0..processors {
            let (sender, receiver) = sync_channel(1);
            let deal = move || {
                let picture = ties.picture(AsOf::at(at));
                let session = Session::new(&registry.judge, &picture, None);
                for hand in chosen.chunks(hand).skip(first).step_by(processors) {
                    let worked: Result<Vec<_>, _> =
                        hand.iter().map(|one| decided(registry, &session, *one, at)).collect();
                    if sender.send(worked).is_err() {
                        // What followed from an earlier one failed, and nobody wants the rest.
                        return;
                    }
                }
            };
            let named = thread::Builder::new().name(format!("deciding-{first}"));
            let thread = named
                .spawn_scoped(scope, deal)
                .map_err(|error| StoreError::failed("starting to decide", error))?;
            hands.push((receiver, thread));
        }
        for (number, hand) in chosen.chunks(hand).enumerate() {
            let place = number % processors;
            let Ok(worked) = hands[place].0.recv() else {
                // Only a thread that panicked sends nothing.
                let (_, thread) = hands.swap_remove(place);
                drop(hands);
                let ended = thread.join();
                return ended
                    .map_or_else(|panic| resume_unwind(panic), |()| unreachable!("it sends every hand"));
            };
            for (one, worked) in hand.iter().zip(worked?) {
                if let Some(worked) = worked {
                    then(*one, worked)?;
                }
            }
        }
        Ok(())
    })
}

/// The decisions on one member for every tier; none on a member that is bound to no entity.
fn decided(
    registry: &Registry,
    session: &Session<'_>,
    (member, dossier): Chosen<'_>,
    at: Timestamp,
) -> Result<Option<Worked>, StoreError> {
    let Some(party) = dossier.party(at) else { return Ok(None) };
    let mut facts = session.facts(&party);
    let digest = reporting::digest(&facts);
    let mut decisions = Vec::new();
    for tier in registry.programme().settings().tiers.iter().map(|tier| &tier.name) {
        let applies = matches!(member.standing(tier), Standing::Applicant | Standing::UnderReview);
        facts.told(FactName::Applicant, Value::Flag(applies));
        let decision = session.decide_on(&party, tier, &facts);
        let decision =
            decision.map_err(|error| StoreError::failed("deciding by the programme's rules", error))?;
        let content = content(&decision);
        decisions.push((decision, content));
    }
    Ok(Some(Worked { facts: digest, decisions }))
}

/// The SHA-256, in hex, of what a decision says and why: the grades, the rules with their versions, the facts with their
/// proofs, and the instruments. The clocks, the digest of a programme whose rules say the same, and the count of days by
/// which a duty is overdue are no part of it, since they make no other decision of it, and change every day.
fn content(decision: &Decision) -> String {
    #[derive(Serialize)]
    struct Content<'d> {
        grades: (Grade, Grade),
        findings: Vec<Said<'d>>,
        perhaps: Vec<Said<'d>>,
        instruments: &'d [String],
    }
    fn said(findings: &[Finding]) -> Vec<Said<'_>> {
        findings.iter().map(Said::of).collect()
    }
    let content = Content {
        grades: (decision.grade, decision.possible),
        findings: said(&decision.findings),
        perhaps: said(&decision.perhaps),
        instruments: &decision.instruments,
    };
    let mut hash = Hashing(Sha256::new());
    // INVARIANT: a decision is made of texts, numbers and lists, and hashing takes whatever is written.
    serde_json::to_writer(&mut hash, &content).expect("a decision can be written");
    hex::encode(hash.0.finalize())
}

/// The certain values of the facts that the rules that apply ask about, but for the days by which a duty is overdue.
pub(crate) fn values(decision: &Decision) -> Values {
    let facts = decision.findings.iter().flat_map(|finding| &finding.because);
    let lasting = facts.filter(|shown| shown.fact != FactName::OverdueDays.as_str());
    lasting.map(|shown| (shown.fact.to_owned(), shown.certain.to_json())).collect()
}

/// What is other in `new` than in `old`, in words; nothing if they are the same.
pub(crate) fn changed(old: &Values, new: &Values) -> Option<String> {
    let changed = FactName::ALL.iter().filter_map(|name| {
        let (old, new) = (old.get(name.as_str()), new.get(name.as_str()));
        (old != new).then(|| format!("{}: {}, before {}", name.about(), shown(*name, new), shown(*name, old)))
    });
    let changed: Vec<String> = changed.collect();
    (!changed.is_empty()).then(|| changed.join("; "))
}

/// A fact's value for people.
fn shown(name: FactName, value: Option<&serde_json::Value>) -> String {
    use serde_json::Value as Json;
    match value {
        None | Some(Json::Bool(false)) => "no".to_owned(),
        Some(Json::Bool(true)) => "yes".to_owned(),
        Some(Json::Number(points)) if name != FactName::Score => {
            let points = points.as_u64().unwrap_or_default();
            format!("{}.{:02} %", points / 100, points % 100)
        }
        Some(Json::Array(words)) => {
            let words: Vec<&str> = words.iter().filter_map(Json::as_str).collect();
            words.join(" ")
        }
        Some(other) => other.to_string(),
    }
}

/// A fact, its values unless they count days, its proof, and further reasons.
type Reason<'d> = (&'static str, Option<[&'d Value; 2]>, &'d [Step], &'d [Step]);

/// What a finding says and why.
#[derive(Serialize)]
struct Said<'d> {
    head: [&'d str; 5],
    grade: Grade,
    because: Vec<Reason<'d>>,
}

impl<'d> Said<'d> {
    fn of(finding: &'d Finding) -> Self {
        let Finding { rule, pack, version, grade, text, source, because } = finding;
        let because = because.iter().map(|fact| {
            let counts_days = fact.fact == FactName::OverdueDays.as_str();
            let values = (!counts_days).then_some([&fact.certain, &fact.possible]);
            (fact.fact, values, fact.proof.as_slice(), fact.also.as_slice())
        });
        Self { head: [rule, pack, version, text, source], grade: *grade, because: because.collect() }
    }
}

struct Hashing(Sha256);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
