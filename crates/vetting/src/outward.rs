//! Outward facts: what the entity owns, and with whom.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ties::kernel::{Builder, Certainty, Line, Node};
use ties::{EntityId, Holding, KnownTie, Post, Share, TieKind, Truth};

use crate::dealings::flag;
use crate::facts::{FactName, Facts, Value};
use crate::scene::{Scene, tie_step};
use crate::step::{Claim, Step};
use crate::wording;

/// How many companies below the entity are looked at. A holding company with more is told as not resolved.
const BELOW_MAX: usize = 20_000;

/// A stake of this many basis points or more makes its holder a parent of the venture, where no tie says so.
const PARENT_FROM: u32 = 1_000;

/// What a holding is of the votes or of the capital, whichever says more, in basis points.
fn part(known: &KnownTie, holding: &Holding) -> (u32, u32) {
    let of = |share: Option<Share>| share.map_or((0, 0), |s| (s.basis_points_floor(), s.basis_points_ceil()));
    let (votes, money) = (of(holding.votes), of(holding.money));
    let (least, most) = match (holding.votes, holding.money) {
        (None, None) => (0, 10_000),
        _ => (votes.0.max(money.0), votes.1.max(money.1)),
    };
    if known.truth == Truth::Certain { (least, most) } else { (0, most) }
}

/// The entity and what it certainly controls.
pub(crate) fn own(scene: &Scene<'_>, entity: &EntityId) -> BTreeSet<EntityId> {
    let mut own = BTreeSet::from([entity.clone()]);
    let mut open = VecDeque::from([entity.clone()]);
    let mut weighed = 0;
    while let Some(holder) = open.pop_front() {
        for known in scene.picture.ties_out_of(&holder) {
            let company = known.tie.to.clone();
            let directs =
                matches!(known.tie.kind, TieKind::Holds(_) | TieKind::Appoints(_) | TieKind::Directs { .. });
            if !directs || own.contains(&company) || weighed >= BELOW_MAX {
                continue;
            }
            weighed += 1;
            if controls(scene, &own, &company) {
                own.insert(company.clone());
                open.push_back(company);
            }
        }
    }
    own
}

/// Whether a set of holders, who vote as one, certainly has the majority of a company.
fn controls(scene: &Scene<'_>, own: &BTreeSet<EntityId>, company: &EntityId) -> bool {
    let mut numbers: BTreeMap<EntityId, Node> = BTreeMap::new();
    let mut edges = Vec::new();
    for known in scene.picture.ties_into(company) {
        match &known.tie.kind {
            TieKind::Appoints(right) if own.contains(&known.tie.from) => {
                let majority = right.majority.unwrap_or_else(|| match (right.seats, right.of) {
                    (Some(seats), Some(of)) => u64::from(seats) * 2 > u64::from(of),
                    _ => false,
                });
                if majority && !right.observer && known.truth == Truth::Certain {
                    return true;
                }
            }
            TieKind::Directs { by } if own.contains(&known.tie.from) => {
                if *by != ties::Direction::Influence && known.truth == Truth::Certain {
                    return true;
                }
            }
            TieKind::Holds(holding) if !holding.indirect => {
                let votes = holding.votes.or(holding.money).unwrap_or(Share::UNKNOWN);
                if known.truth == Truth::Certain {
                    edges.push((holding.nominator.clone().unwrap_or(known.tie.from.clone()), votes));
                }
            }
            _ => {}
        }
    }
    // All of ours are one holder, node 1; the company is node 0.
    let mut next = 2;
    let mut number = |id: &EntityId| {
        if own.contains(id) {
            return 1;
        }
        *numbers.entry(id.clone()).or_insert_with(|| {
            next += 1;
            next - 1
        })
    };
    let numbered: Vec<(Node, Share)> = edges.iter().map(|(holder, share)| (number(holder), *share)).collect();
    let mut builder = Builder::new(next);
    for (holder, share) in numbered {
        if builder.tie(holder, 0, share).is_err() {
            return false;
        }
    }
    builder.build().closure(&[1], Line::MAJORITY, Certainty::Certain).contains(0)
}

/// One company that ours hold a part of.
struct Stake {
    least: u32,
    most: u32,
    steps: Vec<Step>,
    venture: bool,
}

pub(crate) fn look(scene: &Scene<'_>, own: &BTreeSet<EntityId>, facts: &mut Facts) {
    let mut stakes: BTreeMap<EntityId, Stake> = BTreeMap::new();
    for holder in own {
        for known in scene.picture.ties_out_of(holder) {
            let stake = || Stake { least: 0, most: 0, steps: Vec::new(), venture: false };
            match &known.tie.kind {
                TieKind::Holds(holding) if !own.contains(&known.tie.to) || holder != &known.tie.to => {
                    let (least, most) = part(&known, holding);
                    let stake = stakes.entry(known.tie.to.clone()).or_insert_with(stake);
                    stake.least = stake.least.saturating_add(least).min(10_000);
                    stake.most = stake.most.saturating_add(most).min(10_000);
                    stake.steps.push(tie_step(scene, &known));
                }
                TieKind::Venture => {
                    let stake = stakes.entry(known.tie.to.clone()).or_insert_with(stake);
                    stake.venture |= known.truth == Truth::Certain;
                }
                _ => {}
            }
        }
    }
    for (company, stake) in &stakes {
        let nature = scene.nature(company);
        if nature.foreign != Truth::No && stake.most > 0 {
            let text = format!("it holds {} of {}", wording::range(stake.least, stake.most), nature.name);
            let step = || {
                Step::new(text.clone(), Claim::Other)
                    .because(stake.steps.iter().cloned())
                    .because([nature.belongs.clone()])
            };
            larger(facts, FactName::OutwardForeign, nature.foreign, (stake.least, stake.most), step);
        }
        venture(scene, own, company, stake, facts);
    }
}

fn larger(
    facts: &mut Facts,
    name: FactName,
    truth: Truth,
    (least, most): (u32, u32),
    step: impl Fn() -> Step,
) {
    if truth == Truth::Certain && facts.certain(name) < Value::Number(least) {
        facts.certainly(name, &Value::Number(least), step());
    }
    if facts.possible(name) < Value::Number(most) {
        facts.possibly(name, &Value::Number(most), step());
    }
}

/// Whether another parent of the company is a party of concern.
fn venture(
    scene: &Scene<'_>,
    own: &BTreeSet<EntityId>,
    company: &EntityId,
    stake: &Stake,
    facts: &mut Facts,
) {
    use FactName as F;
    if stake.most == 0 {
        return;
    }
    let into = scene.picture.ties_into(company);
    let declared = |id: &EntityId| {
        let mut ventures = into.iter().filter(|known| known.tie.kind == TieKind::Venture);
        ventures.any(|known| known.tie.from == *id && known.truth == Truth::Certain)
    };
    for known in &into {
        let other = &known.tie.from;
        let TieKind::Holds(holding) = &known.tie.kind else { continue };
        if own.contains(other) {
            continue;
        }
        let theirs = part(known, holding);
        let both_are_parents =
            (stake.venture || stake.least >= PARENT_FROM) && (declared(other) || theirs.0 >= PARENT_FROM);
        let may_be_parents =
            (stake.venture || stake.most >= PARENT_FROM) && (declared(other) || theirs.1 >= PARENT_FROM);
        if !may_be_parents {
            continue;
        }
        let concern = scene.concern(other);
        let parents = if both_are_parents { Truth::Certain } else { Truth::Possible };
        let truth = concern.truth.min(known.truth).min(parents);
        if truth == Truth::No {
            continue;
        }
        let text = format!(
            "it holds {} of {}, of which {} is a parent too",
            wording::range(stake.least, stake.most),
            scene.name(company),
            scene.name(other)
        );
        let step = || {
            let theirs = tie_step(scene, known).because(concern.because.iter().cloned());
            Step::new(text.clone(), Claim::Other).because(stake.steps.iter().cloned()).because([theirs])
        };
        larger(facts, F::VentureConcern, truth, (stake.least, stake.most), step);
        let fields: Vec<_> = {
            let nature = scene.nature(company);
            nature.sectors.intersection(&scene.settings.exchanged_sectors).cloned().collect()
        };
        if !fields.is_empty() {
            let text = format!("{} works in {}", scene.name(company), fields.join(" and "));
            flag(facts, F::VentureField, truth, || Step::new(text, Claim::Other));
        }
        receives(scene, own, company, truth, facts);
    }
}

/// Technology or staff that goes from ours to the venture.
fn receives(
    scene: &Scene<'_>,
    own: &BTreeSet<EntityId>,
    company: &EntityId,
    truth: Truth,
    facts: &mut Facts,
) {
    for known in scene.picture.ties_into(company) {
        let given = match &known.tie.kind {
            TieKind::Licenses { technology, .. } => *technology && own.contains(&known.tie.from),
            TieKind::Seconds => own.contains(&known.tie.from),
            TieKind::Serves { post: Post::Secondee } => {
                let mut posts = scene.picture.ties_out_of(&known.tie.from).into_iter();
                posts
                    .any(|post| matches!(post.tie.kind, TieKind::Serves { .. }) && own.contains(&post.tie.to))
            }
            _ => false,
        };
        if given {
            flag(facts, FactName::VentureReceives, truth.min(known.truth), || tie_step(scene, &known));
        }
    }
}
