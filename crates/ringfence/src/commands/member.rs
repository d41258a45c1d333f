//! `ringfence member`: who takes part, and with which standing.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use model::{Member as Record, MemberId, MemberKind, Standing, StandingChange, Subject, Tier};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client::{Api, segment};
use crate::connection::Connection;
use crate::output::{Exit, Output, add, listed, table};

/// Add and list members, and change their standing.
#[derive(Debug, Args)]
pub(crate) struct Member {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Admit a member to the registry
    Add(Add),
    /// List the members
    List(List),
    /// Show one member
    Show(Show),
    /// Change a member's name, identity or attributes
    Change(Change),
    /// Say which entity a member is; the rules decide on it from then on. For a listed member to be another takes two people
    Bind(Bind),
    /// Show what is kept about a member's vetting
    Dossier(Show),
    /// List what waits for another person; making the same step, or the same binding, agrees
    Proposals(List),
    /// Set a member's standing on one tier
    #[command(visible_alias = "set")]
    Standing(SetStanding),
    /// Suspend a member on tiers: it reads nothing more of them from its next request on
    Suspend(Step),
    /// Put a suspended member back on the list: its next poll brings what it missed
    Reinstate(Step),
    /// Take a member off the list for good; it comes back only through `standing --to reinstating`
    Remove(Step),
}

#[derive(Debug, Args)]
struct Add {
    /// Its name
    name: String,
    /// What it does with what it receives: provider or participant
    #[arg(long)]
    kind: MemberKind,
    /// A tier on whose list it is from the start; on the others it is an applicant
    #[arg(long = "tier", value_name = "TIER")]
    tiers: Vec<Tier>,
    /// The STIX identity under which it publishes
    #[arg(long, value_name = "IDENTITY")]
    identity: Option<String>,
    #[command(flatten)]
    attributes: Attributes,
    #[command(flatten)]
    connection: Connection,
}

/// What markings may ask about a member.
#[derive(Debug, Args)]
struct Attributes {
    /// A country of the organisation, three letters
    #[arg(long = "nationality", value_name = "CODE")]
    nationalities: Vec<String>,
    /// An organisation token of markings, such as USA.DHS
    #[arg(long = "organisation", value_name = "TOKEN")]
    organisations: Vec<String>,
    /// A kind of entity: GOV, CTR, SVC, ...
    #[arg(long = "entity", value_name = "TOKEN")]
    entities: Vec<String>,
    /// A community that it belongs to
    #[arg(long = "community", value_name = "TOKEN")]
    communities: Vec<String>,
    /// A formal access that it holds, such as PCII
    #[arg(long = "access", value_name = "TOKEN")]
    accesses: Vec<String>,
    /// What it is cleared for: 0 unclassified, 1 confidential, 2 secret, 3 top secret
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=3))]
    clearance: Option<u8>,
}

impl Attributes {
    /// `subject` with what was said on the command line; `None` if nothing was.
    fn over(self, subject: &Subject) -> Option<Subject> {
        let either = |said: Vec<String>, known: BTreeSet<String>| {
            if said.is_empty() { known } else { said.into_iter().collect() }
        };
        let said = Subject {
            nationalities: either(self.nationalities, subject.nationalities.clone()),
            organisations: either(self.organisations, subject.organisations.clone()),
            entities: either(self.entities, subject.entities.clone()),
            communities: either(self.communities, subject.communities.clone()),
            accesses: either(self.accesses, subject.accesses.clone()),
            clearance: self.clearance.unwrap_or(subject.clearance),
        };
        (said != *subject).then_some(said)
    }
}

#[derive(Debug, Args)]
struct Bind {
    /// Its id or its name
    member: String,
    /// The entity, as the registry of ties calls it
    entity: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct Show {
    /// Its id or its name
    member: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct Change {
    /// Its id or its name
    member: String,
    /// Its new name
    #[arg(long)]
    name: Option<String>,
    /// The STIX identity under which it publishes
    #[arg(long, value_name = "IDENTITY")]
    identity: Option<String>,
    #[command(flatten)]
    attributes: Attributes,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct SetStanding {
    /// Its id or its name
    member: String,
    /// The tier
    #[arg(long)]
    tier: Tier,
    /// The new standing: under-review, listed, listed-with-conditions, suspended, removed, reinstating
    #[arg(long)]
    to: Standing,
    /// Why, in words; it is recorded in the ledger
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct Step {
    /// Its id or its name
    member: String,
    /// A tier; may be given several times
    #[arg(long = "tier", value_name = "TIER", required = true)]
    tiers: Vec<Tier>,
    /// Why, in words; it is recorded in the ledger
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    connection: Connection,
}

impl Member {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        match self.command {
            Command::Add(add) => add.run(output),
            Command::List(list) => list.run(output),
            Command::Show(show) => show.run(output),
            Command::Change(change) => change.run(output),
            Command::Bind(bind) => bind.run(output),
            Command::Dossier(show) => dossier(&show, output),
            Command::Proposals(list) => proposals(&list, output),
            Command::Standing(set) => {
                let api = set.connection.api()?;
                steps(&api, output, &set.member, &[set.tier], set.to, &set.reason)
            }
            Command::Suspend(step) => step.run(output, Standing::Suspended),
            Command::Reinstate(step) => step.run(output, Standing::Listed),
            Command::Remove(step) => step.run(output, Standing::Removed),
        }
    }
}

impl Add {
    fn run(self, output: Output) -> Result<Exit> {
        let api = self.connection.api()?;
        let listed: BTreeSet<Tier> = self.tiers.into_iter().collect();
        let subject = self.attributes.over(&Subject::default());
        let mut body = Map::new();
        body.insert("name".to_owned(), json!(self.name));
        body.insert("kind".to_owned(), json!(self.kind));
        body.insert("listed".to_owned(), json!(listed));
        if let Some(identity) = self.identity {
            body.insert("identity".to_owned(), json!(identity));
        }
        if let Some(subject) = subject {
            body.insert("subject".to_owned(), json!(subject));
        }
        let member: Record = api.post("/api/members", &Value::Object(body))?;
        output.result(&member, || format!("Admitted to the registry.\n{}", describe(&member)))?;
        Ok(Exit::Done)
    }
}

impl List {
    fn run(self, output: Output) -> Result<Exit> {
        let members = all(&self.connection.api()?)?;
        output.result(&members, || {
            if members.is_empty() {
                return "There are no members yet; `ringfence member add` admits one.".to_owned();
            }
            let rows: Vec<[String; 4]> = members
                .iter()
                .map(|member| {
                    [member.id.to_string(), member.kind.to_string(), standings(member), member.name.clone()]
                })
                .collect();
            table(["MEMBER", "KIND", "STANDING", "NAME"], &rows)
        })?;
        Ok(Exit::Done)
    }
}

impl Show {
    fn run(self, output: Output) -> Result<Exit> {
        let member = find(&self.connection.api()?, &self.member)?;
        output.result(&member, || describe(&member))?;
        Ok(Exit::Done)
    }
}

impl Change {
    fn run(self, output: Output) -> Result<Exit> {
        let api = self.connection.api()?;
        let member = find(&api, &self.member)?;
        let mut body = Map::new();
        if let Some(name) = self.name {
            body.insert("name".to_owned(), json!(name));
        }
        if let Some(identity) = self.identity {
            body.insert("identity".to_owned(), json!(identity));
        }
        if let Some(subject) = self.attributes.over(&member.subject) {
            body.insert("subject".to_owned(), json!(subject));
        }
        if body.is_empty() {
            bail!("nothing is to be changed; `ringfence member change --help` lists what can be");
        }
        let changed: Record =
            api.patch(&format!("/api/members/{}", segment(&member.id)), &Value::Object(body))?;
        output.result(&changed, || describe(&changed))?;
        Ok(Exit::Done)
    }
}

impl Step {
    fn run(self, output: Output, to: Standing) -> Result<Exit> {
        steps(&self.connection.api()?, output, &self.member, &self.tiers, to, &self.reason)
    }
}

fn steps(
    api: &Api,
    output: Output,
    member: &str,
    tiers: &[Tier],
    to: Standing,
    reason: &str,
) -> Result<Exit> {
    let member = find(api, member)?;
    let mut steps = Vec::new();
    for tier in tiers {
        steps.push(set_standing(api, &member.id, tier, to, reason)?);
    }
    output.result(&steps, || steps.iter().map(|step| step.describe(&member.name)).collect())?;
    Ok(Exit::Done)
}

/// What became of a step.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Stepped {
    /// It waits for other people.
    Proposed(Proposal),
    /// It was made.
    Changed(StandingChange),
}

/// A step that waits for other people, as the hub answers it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Proposal {
    member: MemberId,
    tier: Tier,
    from: Standing,
    to: Standing,
    reason: String,
    at: String,
    agreed: Vec<Value>,
    needs: u32,
}

/// Another entity for a member, which waits for other people, as the hub answers it.
#[derive(Debug, Serialize, Deserialize)]
struct Rebinding {
    member: MemberId,
    bound: String,
    entity: String,
    at: String,
    agreed: Vec<Value>,
    needs: u32,
}

/// What waits for other people.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Waiting {
    Step(Proposal),
    Binding(Rebinding),
}

impl Waiting {
    fn member(&self) -> &MemberId {
        match self {
            Self::Step(proposal) => &proposal.member,
            Self::Binding(rebinding) => &rebinding.member,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Step(proposal) => proposal.describe(),
            Self::Binding(rebinding) => rebinding.describe(),
        }
    }
}

impl Rebinding {
    fn describe(&self) -> String {
        let Self { bound, entity, agreed, needs, .. } = self;
        format!(
            "to be the entity `{entity}` and not `{bound}` waits for another person ({} of {needs} agreed)\n",
            agreed.len()
        )
    }
}

/// What became of a binding.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Bound {
    Proposed(Rebinding),
    Changed(Vec<Value>),
}

impl Stepped {
    fn describe(&self, name: &str) -> String {
        match self {
            Self::Changed(StandingChange { tier, from, to, at, .. }) => {
                format!("{name} on `{tier}`: {from} -> {to}, since {at}\n")
            }
            Self::Proposed(proposal) => format!("{name} {}", proposal.describe()),
        }
    }
}

impl Proposal {
    fn describe(&self) -> String {
        let Self { tier, from, to, agreed, needs, reason, .. } = self;
        format!(
            "on `{tier}`: {from} -> {to} waits for another person ({} of {needs} agreed): {reason}\n",
            agreed.len()
        )
    }
}

/// Takes a step of a member's standing on one tier.
pub(crate) fn set_standing(
    api: &Api,
    member: &MemberId,
    tier: &Tier,
    to: Standing,
    reason: &str,
) -> Result<Stepped> {
    let body = json!({"tier": tier, "to": to, "reason": reason});
    Ok(api.post(&format!("/api/members/{}/standing", segment(member)), &body)?)
}

impl Bind {
    fn run(self, output: Output) -> Result<Exit> {
        let api = self.connection.api()?;
        let member = find(&api, &self.member)?;
        let path = format!("/api/members/{}/entity", segment(&member.id));
        let bound: Bound = api.post(&path, &json!({"entity": self.entity}))?;
        output.result(&bound, || {
            let moved = match &bound {
                Bound::Proposed(rebinding) => return format!("{} {}", member.name, rebinding.describe()),
                Bound::Changed(moved) => moved,
            };
            let mut text = format!("{} is the entity `{}`.\n", member.name, self.entity);
            for moved in moved {
                let word = |key: &str| moved[key].as_str().unwrap_or_default();
                add!(text, "  {}: grade {}, {}\n", word("tier"), word("grade"), word("to"));
            }
            text
        })?;
        Ok(Exit::Done)
    }
}

fn dossier(show: &Show, output: Output) -> Result<Exit> {
    let api = show.connection.api()?;
    let member = find(&api, &show.member)?;
    let dossier: Value = api.get(&format!("/api/members/{}/dossier", segment(&member.id)))?;
    output.result(&dossier, || serde_json::to_string_pretty(&dossier).unwrap_or_default())?;
    Ok(Exit::Done)
}

fn proposals(list: &List, output: Output) -> Result<Exit> {
    let api = list.connection.api()?;
    let waiting: Vec<Waiting> =
        api.list("/api/proposals", |waiting: &Waiting| waiting.member().to_string())?;
    output.result(&waiting, || {
        if waiting.is_empty() {
            return "Nothing waits.\n".to_owned();
        }
        let mut text = String::new();
        for waiting in &waiting {
            add!(text, "{} {}", waiting.member(), waiting.describe());
        }
        text
    })?;
    Ok(Exit::Done)
}

/// Every member, in order of their ids.
fn all(api: &Api) -> Result<Vec<Record>> {
    Ok(api.list("/api/members", |member: &Record| member.id.to_string())?)
}

/// The member with this id, or the only one with this name.
pub(crate) fn find(api: &Api, id_or_name: &str) -> Result<Record> {
    if let Ok(id) = id_or_name.parse::<MemberId>() {
        return Ok(api.get(&format!("/api/members/{}", segment(&id)))?);
    }
    let wanted = id_or_name.to_lowercase();
    let mut found = all(api)?.into_iter().filter(|member| member.name.to_lowercase() == wanted);
    match (found.next(), found.next()) {
        (Some(member), None) => Ok(member),
        (Some(_), Some(_)) => bail!("more than one member is called `{id_or_name}`; name it by its id"),
        (None, _) => bail!("there is no member `{id_or_name}`; `ringfence member list` names them"),
    }
}

fn standings(member: &Record) -> String {
    listed(member.standings.iter().map(|(tier, standing)| format!("{tier}: {standing}")))
}

fn describe(member: &Record) -> String {
    let Record { id, name, kind, identity, subject, since, .. } = member;
    let mut text =
        format!("{name}\n  id         {id}\n  kind       {kind}\n  standing   {}\n", standings(member));
    if let Some(identity) = identity {
        add!(text, "  identity   {identity}\n");
    }
    let attributes = [
        ("countries", &subject.nationalities),
        ("organs.", &subject.organisations),
        ("entities", &subject.entities),
        ("communities", &subject.communities),
        ("accesses", &subject.accesses),
    ];
    for (title, tokens) in attributes.into_iter().filter(|(_, tokens)| !tokens.is_empty()) {
        add!(text, "  {title:<11}{}\n", listed(tokens));
    }
    if subject.clearance > 0 {
        add!(text, "  clearance  {}\n", subject.clearance);
    }
    add!(text, "  since      {since}\n");
    text
}
