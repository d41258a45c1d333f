//! `ringfence vet`: the decision on an entity, as it is, as it was, or as it would be.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use exchange::{Exchange, Question};
use model::{Caller, Role, Tier, Timestamp};
use registers::plain::suppose;
use serde_json::{Value, json};
use ties::{AsOf, Day, EntityId, Statement, TieId};

use crate::commands::{member, ties::read_file};
use crate::connection::Connection;
use crate::data_dir::DataDir;
use crate::output::{Exit, Output};

/// How long remedies are looked for.
const REMEDIES_MAX: Duration = Duration::from_secs(1);

/// Decide on a member or an entity by its ties, and say why and what would help; nothing is recorded.
#[derive(Debug, Args)]
pub(crate) struct Vet {
    /// A member, by id or name, or an entity of the registry
    member: String,
    /// For this tier; left out, for every tier
    #[arg(long)]
    tier: Option<Tier>,
    /// As of this day, such as 2012-03-28; left out, today
    #[arg(long, value_name = "DAY")]
    as_of: Option<Day>,
    /// As known on this day; left out, as known now
    #[arg(long, value_name = "DAY")]
    known: Option<Day>,
    /// As if this tie had ended
    #[arg(long, value_name = "TIE")]
    end: Vec<TieId>,
    /// As if this file had been imported; `ringfence ties import --help` lists the formats
    #[arg(long, value_name = "FILE")]
    add: Vec<PathBuf>,
    /// As if this tie had begun, in one line: `huawei holds 25% acme since 2026-01-01`
    #[arg(long, value_name = "TIE")]
    suppose: Vec<String>,
    /// Say who else would move with what ends and is added
    #[arg(long)]
    others: bool,
    /// By this rule pack only; may be given several times. Left out, by those in force
    #[arg(long = "pack", value_name = "PACK")]
    packs: Vec<String>,
    /// Read this data directory, which no hub has open, instead of asking a hub
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

impl Vet {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let mut add = Vec::new();
        for file in &self.add {
            add.extend(read_file(file)?);
        }
        for (number, line) in self.suppose.iter().enumerate() {
            // When it was said is set by whoever answers.
            add.push(suppose(line, number + 1, Timestamp::EPOCH)?);
        }
        let answers = match &self.data {
            Some(dir) => self.offline(&DataDir::new(dir).read_offline()?, add)?,
            None => self.asked(&add)?,
        };
        output.result(&answers, || {
            let texts = answers.iter().filter_map(|answer| answer["text"].as_str());
            let mut text = texts.collect::<Vec<_>>().join("\n");
            // Who else would move is the same for every tier that was asked about.
            if let Some(others) = answers.first().and_then(|answer| answer["others"].as_array()) {
                text.push_str(&told(others));
            }
            text
        })?;
        Ok(Exit::Done)
    }

    fn offline(&self, exchange: &Exchange, add: Vec<Statement>) -> Result<Vec<Value>> {
        let caller = officer();
        let entity = self.entity_in(exchange, &caller)?;
        let known = self.known.map_or_else(|| exchange.now(), Day::end);
        let as_of = AsOf { day: self.as_of.unwrap_or_else(|| Day::of(exchange.now())), known };
        let question = Question {
            as_of: Some(as_of),
            packs: self.packs(),
            end: self.end.iter().cloned().collect(),
            add,
            remedies: Some(REMEDIES_MAX),
        };
        let mut answers = Vec::new();
        for tier in self.tiers(exchange) {
            let (decision, remedies) = exchange.vet(&caller, &entity, &tier, &question)?;
            let text = decision.describe(remedies.as_ref());
            let mut answer = json!({"decision": decision, "remedies": remedies, "text": text});
            if self.others {
                let mut others = exchange.would_move(&caller, &question)?;
                others.retain(|one| one.entity != entity);
                answer["others"] = json!(others);
            }
            answers.push(answer);
        }
        Ok(answers)
    }

    fn asked(&self, add: &[Statement]) -> Result<Vec<Value>> {
        let api = self.connection.api()?;
        let (entity, mut tiers) = match member::find(&api, &self.member) {
            Ok(found) => {
                let path = format!("/api/members/{}/dossier", crate::client::segment(&found.id));
                let dossier: Value = api.get(&path)?;
                let Some(entity) = dossier["entity"].as_str() else {
                    bail!("`{}` is bound to no entity; `ringfence member bind` does that", found.name);
                };
                let decided = dossier["decided"].as_object();
                (entity.to_owned(), decided.into_iter().flat_map(|decided| decided.keys().cloned()).collect())
            }
            Err(_) => (self.member.clone(), Vec::new()),
        };
        if let Some(tier) = &self.tier {
            tiers = vec![tier.to_string()];
        }
        if tiers.is_empty() {
            bail!("`{}` is no member; say for which tier with --tier", self.member);
        }
        let known = self.known.map(|day| day.end().to_string());
        let mut answers = Vec::new();
        for tier in tiers {
            let mut body =
                json!({"entity": entity, "tier": tier, "end": self.end, "add": add, "remedies": true});
            if self.others {
                body["others"] = json!(true);
            }
            if let Some(day) = self.as_of {
                body["as_of"] = json!(day);
            }
            if let Some(known) = &known {
                body["known"] = json!(known);
            }
            if let Some(packs) = self.packs() {
                body["packs"] = json!(packs);
            }
            answers.push(api.post("/api/decisions", &body)?);
        }
        Ok(answers)
    }

    fn packs(&self) -> Option<BTreeSet<String>> {
        (!self.packs.is_empty()).then(|| self.packs.iter().cloned().collect())
    }

    fn tiers(&self, exchange: &Exchange) -> Vec<Tier> {
        let programme = exchange.programme();
        let all = programme.settings().tiers.iter().map(|tier| tier.name.clone());
        self.tier.clone().map_or_else(|| all.collect(), |tier| vec![tier])
    }

    /// The entity that was named: as a member's, or as itself.
    fn entity_in(&self, exchange: &Exchange, caller: &Caller) -> Result<EntityId> {
        let wanted = self.member.to_lowercase();
        for member in exchange.members(caller, None, usize::MAX)? {
            if member.id.as_str() == self.member || member.name.to_lowercase() == wanted {
                let dossier = exchange.dossier(caller, &member.id)?;
                let bound = dossier.entity;
                return bound.ok_or_else(|| {
                    anyhow::anyhow!(
                        "`{}` is bound to no entity; `ringfence member bind` does that",
                        member.name
                    )
                });
            }
        }
        Ok(self.member.parse()?)
    }
}

/// Who else would move, in lines.
fn told(others: &[Value]) -> String {
    if others.is_empty() {
        return "\nNobody else would move.\n".to_owned();
    }
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |one: &Value| {
        format!(
            "  {} on {}: {} -> {}\n",
            word(&one["entity"]),
            word(&one["tier"]),
            word(&one["from"]),
            word(&one["to"])
        )
    };
    format!("\nOthers would move:\n{}", others.iter().map(line).collect::<String>())
}

/// Whoever reads the data directory itself may ask everything.
fn officer() -> Caller {
    Caller {
        principal: model::Principal::Role(Role::Officer),
        credential: model::CredentialId::from_bits(0),
        actions: [model::Action::Administer].into(),
        collections: None,
    }
}
