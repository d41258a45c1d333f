//! What the page of a member is made of: every question to the exchange, asked as the person who looks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use exchange::{Around, Dossier, Exchange, Question};
use model::{Caller, Grade, Member, MemberId, Tier, Timestamp};
use ties::{AsOf, Day, Ending, EntityId, Said, Statement, TieId};
use vetting::{Decision, Remedies};

use super::what_if::{Supposed, Would, would};
use crate::asked::Asked;
use crate::pages::members::everybody;
use crate::pages::moves::{MembersByEntity, by_entity};
use crate::problem::Problem;

/// How long remedies are looked for before the page is shown, and if somebody asks for longer.
const REMEDIES_QUICK: Duration = Duration::from_millis(25);
const REMEDIES_LONG: Duration = Duration::from_secs(1);

/// Up to how many ties around somebody remedies are looked for unasked: each try decides anew on all of them.
const TIES_QUICK_MAX: usize = 500;

/// How many recorded decisions the history tells of.
const DECISIONS_MAX: usize = 60;

/// What of the page is wanted.
pub(super) struct Wanted {
    pub(super) tier: Option<Tier>,
    /// The two clocks; now, if neither was set.
    pub(super) as_of: Option<AsOf>,
    /// What is to be taken as ended or begun.
    pub(super) supposed: Supposed,
    pub(super) remedies: Duration,
}

impl Wanted {
    pub(super) fn read(asked: &Asked) -> Result<Self, Problem> {
        let wrong =
            |what: &str, error: &dyn std::fmt::Display| Problem::bad_request(format!("`{what}`: {error}"));
        let day = |name: &str| {
            let read = asked.query.get(name).map(str::parse::<Day>).transpose();
            read.map_err(|error| wrong(name, &error))
        };
        let on = day("as_of")?;
        // An instant is how a recorded decision is linked; people choose days. A day means all of it.
        let known = match asked.query.get("known").filter(|text| text.contains('T')) {
            None => day("known")?.map(Day::end),
            Some(text) => {
                let instant = text.parse::<Timestamp>().map_err(|error| wrong("known", &error))?;
                Some(instant)
            }
        };
        let as_of = (on.is_some() || known.is_some()).then(|| AsOf {
            day: on.unwrap_or(Day::of(asked.now)),
            // Nobody knows what is not recorded yet.
            known: known.map_or(asked.now, |known| known.min(asked.now)),
        });
        let tier = asked.query.get("tier").map(str::parse).transpose();
        let is_long = asked.query.get("remedies") == Some("long");
        Ok(Self {
            tier: tier.map_err(|error: model::IdError| wrong("tier", &error))?,
            as_of,
            supposed: Supposed::read(asked)?,
            remedies: if is_long { REMEDIES_LONG } else { REMEDIES_QUICK },
        })
    }
}

/// A recorded decision, as the history tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Past {
    pub(super) known: String,
    pub(super) as_of: String,
    pub(super) tier: String,
    pub(super) grade: String,
    pub(super) rules: Vec<String>,
}

/// What was found.
pub(super) struct Found {
    pub(super) member: Member,
    pub(super) dossier: Dossier,
    pub(super) tier: Tier,
    pub(super) wanted: Wanted,
    pub(super) decision: Option<Decision>,
    pub(super) remedies: Option<Remedies>,
    pub(super) would: Option<Would>,
    /// What was to be taken as ended and is no tie that the caller is shown.
    pub(super) left_out: BTreeSet<String>,
    pub(super) around: Option<Around>,
    /// The members that are entities, for links.
    pub(super) members: MembersByEntity,
    pub(super) past: Vec<Past>,
    /// Whether more was decided than is told.
    pub(super) has_more_past: bool,
    /// What happened to the ties that ever counted, by day.
    pub(super) moments: BTreeMap<Day, BTreeSet<String>>,
}

impl Found {
    /// What an entity is called, if it is among those around.
    pub(super) fn name(&self, id: &EntityId) -> String {
        let known = self.around.as_ref().and_then(|around| around.entities.get(id));
        known.map_or_else(|| id.to_string(), |known| known.name.clone())
    }
}

pub(super) fn gather(
    exchange: &Exchange,
    caller: &Caller,
    id: &MemberId,
    wanted: &Wanted,
) -> Result<Found, Problem> {
    let member = exchange.member(caller, id)?;
    let dossier = exchange.dossier(caller, id)?;
    let tier = wanted.tier.clone().unwrap_or_else(|| usual_tier(exchange, &dossier));
    let wanted = Wanted {
        tier: Some(tier.clone()),
        as_of: wanted.as_of,
        supposed: wanted.supposed.clone(),
        ..*wanted
    };
    let mut found = Found {
        member,
        tier,
        wanted,
        decision: None,
        remedies: None,
        would: None,
        left_out: BTreeSet::new(),
        around: None,
        members: BTreeMap::new(),
        past: Vec::new(),
        has_more_past: false,
        moments: BTreeMap::new(),
        dossier,
    };
    let Some(entity) = found.dossier.entity.clone() else { return Ok(found) };
    let question = Question { as_of: found.wanted.as_of, ..Question::default() };
    let (decision, _) = exchange.vet(caller, &entity, &found.tier, &question)?;
    if caller.role().is_some() {
        for_people(exchange, caller, &entity, &decision, &mut found)?;
    }
    found.left_out = found.wanted.supposed.leave_out(exchange, caller, &decision)?;
    if !found.wanted.supposed.is_empty() {
        found.would = Some(would(exchange, caller, &entity, &found)?);
    }
    if decision.grade > Grade::Disclose {
        found.remedies = Some(remedies(exchange, caller, &entity, &found)?);
    }
    found.decision = Some(decision);
    Ok(found)
}

/// What would help, as far as a page has time for it.
fn remedies(
    exchange: &Exchange,
    caller: &Caller,
    entity: &EntityId,
    found: &Found,
) -> Result<Remedies, Problem> {
    let wanted = &found.wanted;
    let is_large = found.around.as_ref().is_some_and(|around| around.ties.len() > TIES_QUICK_MAX);
    if is_large && wanted.remedies < REMEDIES_LONG {
        return Ok(Remedies { cut_short: true, ..Remedies::default() });
    }
    let question = Question { as_of: wanted.as_of, remedies: Some(wanted.remedies), ..Question::default() };
    let (_, remedies) = exchange.vet(caller, entity, &found.tier, &question)?;
    Ok(remedies.unwrap_or_default())
}

/// The tier with the worst decision, of several the most demanding.
fn usual_tier(exchange: &Exchange, dossier: &Dossier) -> Tier {
    let programme = exchange.programme();
    let tiers = programme.settings().tiers.iter().map(|tier| tier.name.clone());
    let grade = |tier: &Tier| dossier.decided.get(tier).map_or(Grade::Clear, |decided| decided.grade);
    tiers.max_by_key(grade).unwrap_or_else(|| "open".parse().expect("a word is a tier's name"))
}

/// What a member is not told of itself: what lies around it, and what was decided before.
fn for_people(
    exchange: &Exchange,
    caller: &Caller,
    entity: &EntityId,
    decision: &Decision,
    found: &mut Found,
) -> Result<(), Problem> {
    let rests_on = decision.ties(Grade::Clear);
    let around = exchange.around(caller, entity, found.wanted.as_of, &rests_on)?;
    let mut ever: BTreeSet<TieId> = around.ties.iter().map(|known| known.tie.id.clone()).take(500).collect();
    let recorded = exchange.decisions(caller, &found.member.id, None, DECISIONS_MAX)?;
    found.has_more_past = recorded.next.is_some();
    for decision in &recorded.decisions {
        found.past.push(past(decision));
        collect_ties(decision, &mut ever);
    }
    found.past.sort();
    let name =
        |id: &EntityId| around.entities.get(id).map_or_else(|| id.to_string(), |known| known.name.clone());
    for tie in &ever {
        note_moments(&exchange.tie_history(caller, tie)?, &name, &mut found.moments);
    }
    found.members = by_entity(&everybody(exchange, caller)?);
    found.around = Some(around);
    Ok(())
}

pub(super) fn past(decision: &serde_json::Value) -> Past {
    let text = |name: &str| decision[name].as_str().unwrap_or_default().to_owned();
    let findings = decision["findings"].as_array().into_iter().flatten();
    let grade = text("grade");
    let worst = findings.filter(|finding| finding["grade"].as_str() == Some(&grade));
    let rules = worst.filter_map(|finding| finding["rule"].as_str()).map(str::to_owned).collect();
    Past { known: text("known"), as_of: text("as_of"), tier: text("tier"), grade, rules }
}

/// The ties that a recorded decision names, wherever in its proof.
fn collect_ties(value: &serde_json::Value, into: &mut BTreeSet<TieId>) {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            serde_json::Value::Object(fields) => {
                let tie = fields.get("tie").and_then(serde_json::Value::as_str);
                into.extend(tie.and_then(|tie| tie.parse::<TieId>().ok()));
                open.extend(fields.values());
            }
            serde_json::Value::Array(values) => open.extend(values),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => {}
        }
    }
}

/// The days on which a tie began or ended, by what was said of it.
fn note_moments(
    history: &[Statement],
    name: &dyn Fn(&EntityId) -> String,
    moments: &mut BTreeMap<Day, BTreeSet<String>>,
) {
    let mut what = String::new();
    for statement in history {
        match &statement.said {
            Said::Tie(tie) => {
                what = format!("{} {} {}", name(&tie.from), crate::words::tie_word(&tie.kind), name(&tie.to));
                if let Some(from) = tie.valid.from {
                    moments.entry(from.settled()).or_default().insert(what.clone());
                }
                if let Some(to) = tie.valid.to {
                    moments.entry(to.settled()).or_default().insert(format!("no more: {what}"));
                }
            }
            Said::Listing(listing) => {
                what = format!("{} is on the list {}", name(&listing.entity), listing.list);
                if let Some(from) = listing.valid.from {
                    moments.entry(from.settled()).or_default().insert(what.clone());
                }
                if let Some(to) = listing.valid.to {
                    moments.entry(to.settled()).or_default().insert(format!("no more: {what}"));
                }
            }
            Said::End(end) if end.by == Ending::Completed => {
                moments.entry(end.on.settled()).or_default().insert(format!("no more: {what}"));
            }
            Said::End(_) | Said::Entity(_) | Said::Same { .. } | Said::Retraction { .. } => {}
        }
    }
}
