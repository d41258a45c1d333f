//! The checker: a decision as JSON and the statements, nothing else of the code under test. Every claim of every proof
//! is computed anew from the statements; the findings must be those, and all of those, that the rules give for facts
//! that are computed anew as well.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    Authorizer, Context, Entities, EntityId as CedarId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression,
};
use model::{Grade, Tier, Timestamp};
use programme::{Pack, Programme, VettingSettings};
use serde_json::{Value as Json, json};
use ties::{Day, EntityId, EntityKind, Said, Statement, TieId, Truth};

use crate::world::{HALF, Of, Register, Test, WHOLE, World};

/// What is wrong with a decision; nothing if it holds.
pub(crate) fn check(
    decision: &Json,
    statements: &[Statement],
    programme: &Programme,
    packs: Option<&BTreeSet<String>>,
) -> Vec<String> {
    let day: Day = decision["as_of"].as_str().unwrap().parse().unwrap();
    let known: Timestamp = serde_json::from_value(decision["known"].clone()).unwrap();
    let world = World::new(statements, day, known);
    let entity: EntityId = decision["entity"].as_str().unwrap().parse().unwrap();
    let settings = &programme.settings().vetting;
    let asked = |pack: &&Pack| packs.map_or(pack.about.in_force, |packs| packs.contains(&pack.about.name));
    let packs = programme.packs().iter().filter(asked).collect();
    let wrong = Vec::new();
    let mut checker = Checker { world: &world, settings, programme, packs, entity, day, known, wrong };
    checker.decision(decision);
    checker.wrong
}

struct Checker<'c> {
    world: &'c World<'c>,
    settings: &'c VettingSettings,
    programme: &'c Programme,
    /// Those that were asked.
    packs: Vec<&'c Pack>,
    entity: EntityId,
    day: Day,
    known: Timestamp,
    wrong: Vec<String>,
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or("")
}

fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn ids(value: &Json) -> BTreeSet<EntityId> {
    list(value).iter().filter_map(|id| text(id).parse().ok()).collect()
}

fn id(value: &Json) -> EntityId {
    text(value).parse().unwrap()
}

/// A number of basis points, next to what it was computed as: rounded down if it is certain, up if it is not.
fn agrees(points: u64, part: f64, certain: bool) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "basis points are few")]
    let distance = part * 10_000.0 - points as f64;
    if certain { (-0.01..1.01).contains(&distance) } else { (-1.01..0.01).contains(&distance) }
}

#[expect(clippy::cast_precision_loss, reason = "compared in basis points")]
fn part_of(held: i64) -> f64 {
    held as f64 / WHOLE as f64
}

/// A line or an end as it is shown: `55%`, or `(55%` where it does not belong.
fn shown(text: &str, certain: bool) -> Option<i64> {
    let (bare, open) = text.strip_prefix('(').map_or((text, false), |bare| (bare, true));
    let at: ties::Fraction = bare.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "the test's shares have few digits")]
    let at = (at.to_f64() * 10_000_000.0).round() as i64 * 2;
    Some(at + i64::from(open) * if certain { 1 } else { -1 })
}

impl Checker<'_> {
    fn fault(&mut self, what: impl Into<String>) {
        self.wrong.push(what.into());
    }

    fn demand(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            let what = what();
            self.fault(what);
        }
    }

    fn decision(&mut self, decision: &Json) {
        let grade = |value: &Json| text(value).parse::<Grade>().unwrap();
        let worst = |found: &Json| list(found).iter().map(|f| grade(&f["grade"])).max().unwrap_or_default();
        let (findings, perhaps) = (&decision["findings"], &decision["perhaps"]);
        self.demand(grade(&decision["grade"]) == worst(findings), || "the grade is not the worst".to_owned());
        let possible = worst(findings).max(worst(perhaps));
        self.demand(grade(&decision["possible"]) == possible, || "`possible` is not the worst".to_owned());
        self.demand(text(&decision["programme"]) == self.programme.digest(), || "other rules".to_owned());
        let tier: Tier = text(&decision["tier"]).parse().unwrap();
        for (found, certain) in [(findings, true), (perhaps, false)] {
            for finding in list(found) {
                self.finding(finding, &tier, certain);
            }
        }
        self.all_findings(decision, &tier);
        for near in list(&decision["near"]) {
            self.near(near);
        }
    }

    /// A rule that is said to apply does so by the facts that are shown with it.
    fn finding(&mut self, finding: &Json, tier: &Tier, certain: bool) {
        let rule = text(&finding["rule"]).to_owned();
        let packs = self.programme.packs();
        let found = packs.iter().flat_map(|pack| pack.rules.iter().map(move |rule| (pack, rule)));
        let Some((pack, policy)) = found.into_iter().find(|(_, known)| known.id == rule) else {
            return self.fault(format!("{rule}: there is no such rule"));
        };
        self.demand(policy.counts(tier, self.day, self.known), || format!("{rule} does not count"));
        let about = (pack.about.name.as_str(), pack.about.version.as_str(), policy.text.as_str());
        let said = (text(&finding["pack"]), text(&finding["version"]), text(&finding["text"]));
        self.demand(about == said, || format!("{rule}: {said:?} instead of {about:?}"));
        self.demand(text(&finding["grade"]).parse() == Ok(policy.grade), || format!("{rule}: another grade"));
        let mut facts = Self::nothing();
        for fact in list(&finding["because"]) {
            let name = text(&fact["fact"]).to_owned();
            let value = if certain { &fact["certain"] } else { &fact["possible"] };
            facts.insert(name.clone(), value.clone());
            self.fact(&rule, &name, value, fact, certain);
        }
        let mut set = PolicySet::new();
        set.add(policy.policy.clone()).unwrap();
        let applies = Self::apply(&set, tier, &facts);
        self.demand(applies.contains(&rule), || format!("{rule} does not apply by {facts:?}"));
    }

    /// Every fact that says nothing, by its name in the schema.
    fn nothing() -> BTreeMap<String, Json> {
        let names = vetting::FactName::ALL.iter();
        names.map(|name| (name.as_str().to_owned(), vetting::Value::nothing(name.kind()).to_json())).collect()
    }

    fn apply(set: &PolicySet, tier: &Tier, facts: &BTreeMap<String, Json>) -> BTreeSet<String> {
        let uid = |kind: &str, id: &str| {
            let kind: EntityTypeName = kind.parse().unwrap();
            EntityUid::from_type_name_and_id(kind, CedarId::new(id))
        };
        let expression = |value: &Json| match value {
            Json::Bool(yes) => RestrictedExpression::new_bool(*yes),
            Json::Number(number) => RestrictedExpression::new_long(number.as_i64().unwrap()),
            Json::Null | Json::String(_) | Json::Array(_) | Json::Object(_) => RestrictedExpression::new_set(
                list(value).iter().map(|word| RestrictedExpression::new_string(text(word).to_owned())),
            ),
        };
        let pairs = facts.iter().map(|(name, value)| (name.clone(), expression(value)));
        let context = Context::from_pairs(pairs).unwrap();
        let (party, action) = (uid("Party", "it"), uid("Action", "vet"));
        let request = Request::new(party, action, uid("Tier", tier.as_str()), context, None).unwrap();
        let response = Authorizer::new().is_authorized(&request, set, &Entities::empty());
        response.diagnostics().reason().map(ToString::to_string).collect()
    }

    /// A fact's value follows from the first line of its proof, and every line of the proof holds.
    fn fact(&mut self, rule: &str, name: &str, value: &Json, fact: &Json, certain: bool) {
        let less = match (&fact["certain"], &fact["possible"]) {
            (Json::Number(least), Json::Number(most)) => least.as_u64() <= most.as_u64(),
            (Json::Bool(least), Json::Bool(most)) => least <= most,
            (least, most) => list(least).iter().all(|word| list(most).contains(word)),
        };
        self.demand(less, || format!("{name}: more is certain than possible"));
        let proof = list(&fact["proof"]);
        let told = ["applicant", "negotiating", "overdue", "overdue_days", "instruments", "allied", "score"];
        if told.contains(&name) {
            return;
        }
        self.demand(!proof.is_empty(), || format!("{rule}: {name} has no proof"));
        for step in proof.iter().chain(list(&fact["also"])) {
            self.step(step);
        }
        match value {
            Json::Number(points) => {
                let claim = &proof.first().unwrap_or(&Json::Null)["claim"];
                let said = claim["points"].as_u64().or_else(|| {
                    let held = shown(text(&claim["held"]), claim["certain"] == json!(true))?;
                    u64::try_from(held * 10_000 / WHOLE).ok()
                });
                // What is possible may rest on what is certain; only who it is about is open then.
                let same = said == points.as_u64() && (claim["certain"] == json!(true) || !certain);
                self.demand(same, || format!("{name} is {points}, and its proof says {claim}"));
            }
            Json::Array(words) => {
                for word in words {
                    let named = |step: &Json| lines(step).iter().any(|line| line["claim"]["list"] == *word);
                    self.demand(proof.iter().any(named), || format!("nothing shows why {name} has {word}"));
                }
            }
            Json::Null | Json::Bool(_) | Json::String(_) | Json::Object(_) => {
                self.demand(*value == json!(true), || format!("{name} is no flag"));
            }
        }
        self.about_the_right_party(name, proof, certain);
    }

    /// A fact about foreign parties is proved by parties that are foreign, and so on.
    fn about_the_right_party(&mut self, name: &str, proof: &[Json], certain: bool) {
        for step in proof {
            let claim = &step["claim"];
            let parties = match text(&claim["claim"]) {
                "looks-through" => ids(&claim["holders"]),
                "controls" => BTreeSet::from([id(&claim["controller"])]),
                _ => continue,
            };
            let needed = if certain { Truth::Certain } else { Truth::Possible };
            for party in parties {
                let truth = match name.split('_').next() {
                    Some("foreign") => self.foreign(&party),
                    Some("adversary") => self.adverse(&party),
                    Some("concern") => self.concern(&party),
                    Some(_) | None => Truth::Certain,
                };
                self.demand(truth >= needed, || format!("{name} is not about {party}"));
            }
        }
    }

    fn step(&mut self, step: &Json) {
        for line in lines(step) {
            self.claim(line);
        }
    }

    fn claim(&mut self, step: &Json) {
        let claim = &step["claim"];
        let certain = claim["certain"] == json!(true);
        let holds = match text(&claim["claim"]) {
            "tie" => self.tie(step, certain),
            "named" => self.named(step, certain),
            "belongs" => {
                let said: BTreeSet<String> =
                    list(&claim["countries"]).iter().map(|c| text(c).to_owned()).collect();
                self.world.countries(&id(&claim["entity"])) == said
            }
            "works" => {
                let sectors = self.world.entity(&id(&claim["entity"])).map(|entity| entity.sectors.clone());
                let sectors = sectors.unwrap_or_default();
                list(&claim["sectors"]).iter().all(|sector| {
                    let sector = text(sector).to_owned();
                    sectors.contains(&sector) && self.settings.exchanged_sectors.contains(&sector)
                })
            }
            "holds" => self.holds(claim, certain),
            "directs" => {
                let register = self.world.register(&id(&claim["company"]));
                let directs = |who: &EntityId| register.rights.get(who).is_some_and(|sure| *sure || !certain);
                ids(&claim["group"]).iter().any(directs)
            }
            "looks-through" => {
                let (company, sources) = (id(&claim["company"]), ids(&claim["holders"]));
                let of = if claim["of"] == "money" { Of::Money } else { Of::Votes };
                let part = self.world.part(&sources, &company, of, certain);
                agrees(claim["points"].as_u64().unwrap_or(99_999), part, certain)
            }
            "controls" => {
                let controller = BTreeSet::from([id(&claim["controller"])]);
                self.reaches(step, &controller, Test::Control, certain)
            }
            "reaches" => {
                let test = match (text(&claim["of"]), claim["line"]["strict"] == json!(true)) {
                    ("money", false) => Test::Half,
                    ("money", true) => Test::Majority(Of::Money),
                    _ => Test::Majority(Of::Votes),
                };
                claim["line"]["at"] == "50%" && self.reaches(step, &ids(&claim["from"]), test, certain)
            }
            "undisclosed" => certain || id(&claim["company"]) == self.entity,
            "sum" | "other" => true,
            _ => false,
        };
        self.demand(holds, || format!("this does not hold: {} {claim}", text(&step["text"])));
    }

    fn tie(&self, step: &Json, certain: bool) -> bool {
        let claim = &step["claim"];
        let Some((tie, statement, truth)) = self.world.tie(text(&claim["tie"])) else { return false };
        let ends = (tie.from.as_str(), tie.to.as_str()) == (text(&claim["from"]), text(&claim["to"]));
        let said = list(&step["statements"]) == [json!(statement.id.as_str())];
        ends && said && (truth == Truth::Certain) == certain
    }

    fn named(&self, step: &Json, certain: bool) -> bool {
        let claim = &step["claim"];
        let said = list(&step["statements"]).first().and_then(|id| self.world.statement(text(id)));
        let Some(Said::Listing(said)) = said.map(|statement| &statement.said) else { return false };
        self.world.listings().iter().any(|(listing, _, truth)| {
            listing.id == said.id
                && listing.list.as_str() == text(&claim["list"])
                && listing.entity.as_str() == text(&claim["entity"])
                && (*truth == Truth::Certain) == certain
        })
    }

    fn holds(&self, claim: &Json, certain: bool) -> bool {
        let of = if claim["of"] == "money" { Of::Money } else { Of::Votes };
        let group = ids(&claim["group"]);
        let register = self.world.register(&id(&claim["company"]));
        let (least, most) = register.held(&|id| group.contains(id), of);
        let held = if certain { least } else { most };
        let Some(said) = shown(text(&claim["held"]), certain) else { return false };
        // What was told in whole basis points was rounded; what is held against a line was not.
        if claim["line"].is_null() {
            let points = u64::try_from(said * 10_000 / WHOLE).unwrap_or(0);
            return agrees(points, part_of(held), certain);
        }
        let line = shown(text(&claim["line"]["at"]), true).unwrap_or(WHOLE);
        let strict = claim["line"]["strict"] == json!(true);
        // Several ends that do not belong are told as one.
        (said - held).abs() <= 64 && (held > line || (held == line && !strict)) && line == HALF
    }

    /// The ties of a proof alone suffice, and none of them is superfluous.
    fn reaches(&self, step: &Json, seeds: &BTreeSet<EntityId>, test: Test, certain: bool) -> bool {
        let company = id(&step["claim"]["company"]);
        let mut ties: BTreeSet<TieId> = BTreeSet::new();
        for line in lines(step) {
            let holding = ["holds", "directs"].contains(&text(&line["claim"]["claim"]));
            for tie in list(&line["because"]).iter().filter(|_| holding) {
                ties.extend(text(&tie["claim"]["tie"]).parse::<TieId>().ok());
            }
        }
        let by = |ties: &BTreeSet<TieId>| {
            let register = |company: &EntityId| self.with_outsiders(company, ties);
            self.world.closure_by(seeds, test, certain, &register).contains(&company)
        };
        let superfluous = ties.iter().find(|tie| {
            let mut fewer = ties.clone();
            fewer.remove(*tie);
            // Two accounts of one holding stand together.
            self.accounts_of(tie) == 1 && by(&fewer)
        });
        by(&ties) && superfluous.is_none()
    }

    fn accounts_of(&self, tie: &TieId) -> usize {
        let Some((this, ..)) = self.world.tie(tie.as_str()) else { return 0 };
        let same =
            |other: &&(&ties::Tie, &Statement, Truth)| other.0.from == this.from && other.0.to == this.to;
        self.world.ties().iter().filter(same).count()
    }

    /// A register in which all but these ties are an outsider's.
    fn with_outsiders(&self, company: &EntityId, ties: &BTreeSet<TieId>) -> Register {
        let whole = self.world.register(company);
        let mut kept = self.world.read_register(company, &|tie| ties.contains(tie));
        for (holder, (votes, money)) in &whole.stakes {
            if !kept.stakes.contains_key(holder) {
                let outsider: EntityId = format!("outsider-{holder}").parse().unwrap();
                kept.stakes.insert(outsider, (*votes, *money));
            }
        }
        kept
    }

    // ---- What parties are --------------------------------------------------------------------------------------

    fn foreign(&self, party: &EntityId) -> Truth {
        let countries = self.world.countries(party);
        match (countries.is_empty(), countries.iter().any(|country| self.settings.home.contains(country))) {
            (true, _) => Truth::Possible,
            (false, true) => Truth::No,
            (false, false) => Truth::Certain,
        }
    }

    fn lists(&self, party: &EntityId) -> BTreeMap<String, Truth> {
        let mut lists = BTreeMap::new();
        for (listing, _, truth) in self.world.listings() {
            if listing.entity == *party && listing.list != self.settings.adversaries {
                let known = lists.entry(listing.list.to_string()).or_insert(truth);
                *known = truth.max(*known);
            }
        }
        lists
    }

    fn adverse(&self, party: &EntityId) -> Truth {
        let countries = self.world.countries(party);
        let listings = self.world.listings().into_iter();
        let states = listings.filter(|(listing, ..)| listing.list == self.settings.adversaries);
        let of = states.filter(|(listing, ..)| {
            listing.entity.as_str().strip_prefix("state:").is_some_and(|state| countries.contains(state))
        });
        of.map(|(.., truth)| truth).max().unwrap_or(Truth::No)
    }

    fn concern(&self, party: &EntityId) -> Truth {
        let lists = self.lists(party).into_iter();
        let of_concern =
            lists.filter(|(list, _)| self.settings.concern.iter().any(|known| known.as_str() == list));
        of_concern.map(|(_, truth)| truth).chain([self.adverse(party)]).max().unwrap_or(Truth::No)
    }

    // ---- All that there is to be found ---------------------------------------------------------------------------

    /// The inward facts, computed from scratch, at one end of the ranges.
    fn facts(&self, certain: bool) -> BTreeMap<String, Json> {
        let wanted = if certain { Truth::Certain } else { Truth::Possible };
        let mut facts = Self::nothing();
        let mut upstream = self.world.upstream(&self.entity);
        upstream.remove(&self.entity);
        let part = |parties: &BTreeSet<EntityId>| -> u64 {
            let parts = [Of::Votes, Of::Money].map(|of| self.world.part(parties, &self.entity, of, certain));
            let part = parts[0].max(parts[1]) * 10_000.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at most ten thousand"
            )]
            let points = if certain { (part + 1e-4).floor() } else { (part - 1e-4).ceil() } as u64;
            points.min(10_000)
        };
        let largest = |parties: Vec<BTreeSet<EntityId>>| parties.iter().map(part).max().unwrap_or(0);
        let alone = |parties: &BTreeSet<EntityId>| -> Vec<BTreeSet<EntityId>> {
            parties.iter().map(|party| BTreeSet::from([party.clone()])).collect()
        };
        let those = |is: &dyn Fn(&EntityId) -> Truth| -> BTreeSet<EntityId> {
            upstream.iter().filter(|party| is(party) >= wanted).cloned().collect()
        };
        let controls = |party: &EntityId, test| {
            let seeds = BTreeSet::from([party.clone()]);
            self.world.closure(&seeds, test, certain).contains(&self.entity)
        };
        let foreign = those(&|party| self.foreign(party));
        let adverse = those(&|party| self.adverse(party));
        let concern = those(&|party| self.concern(party));
        let people = those(&|party| Self::truth_if(self.kind(party) == EntityKind::Person));
        let mut countries: BTreeMap<String, BTreeSet<EntityId>> = BTreeMap::new();
        for party in &foreign {
            for country in self.world.countries(party) {
                countries.entry(country).or_default().insert(party.clone());
            }
        }
        let nowhere: BTreeSet<EntityId> =
            foreign.iter().filter(|party| self.foreign(party) == Truth::Possible).cloned().collect();
        for members in countries.values_mut() {
            members.extend(nowhere.clone());
        }
        countries.entry(String::new()).or_insert(nowhere);
        let mut set = |name: &str, value: Json| drop(facts.insert(name.to_owned(), value));
        set("foreign_holding", json!(largest(alone(&foreign))));
        set("foreign_country_holding", json!(largest(countries.into_values().collect())));
        set("beneficial_owner", json!(largest(alone(&people))));
        set("adversary_holding", json!(part(&adverse)));
        set("concern_holding", json!(part(&concern)));
        set("foreign_control", json!(foreign.iter().any(|party| controls(party, Test::Control))));
        set("adversary_control", json!(adverse.iter().any(|party| controls(party, Test::Control))));
        set("concern_control", json!(concern.iter().any(|party| controls(party, Test::Control))));
        let states = foreign
            .iter()
            .filter(|party| matches!(self.kind(party), EntityKind::State | EntityKind::StateBody));
        set(
            "foreign_government",
            json!(states.into_iter().any(|party| {
                let party = BTreeSet::from([party.clone()]);
                [Of::Votes, Of::Money]
                    .iter()
                    .any(|of| self.world.part(&party, &self.entity, *of, certain) > 1e-12)
            })),
        );
        let mut seeds: BTreeMap<String, BTreeSet<EntityId>> = BTreeMap::new();
        for party in &upstream {
            for (list, truth) in self.lists(party) {
                if truth >= wanted {
                    seeds.entry(list).or_default().insert(party.clone());
                }
            }
        }
        let lists = |holds: &dyn Fn(&str, &BTreeSet<EntityId>) -> bool| -> Json {
            let lists = seeds.iter().filter(|(list, parties)| holds(list, parties)).map(|(list, _)| list);
            json!(lists.collect::<Vec<_>>())
        };
        let blocked = &self.settings.blocked;
        set(
            "chain",
            lists(&|list, parties| {
                let starts = blocked.is_empty() || blocked.iter().any(|known| known.as_str() == list);
                starts && self.world.closure(parties, Test::Half, certain).contains(&self.entity)
            }),
        );
        set(
            "alone",
            lists(&|_, parties| {
                let tests = [Test::Majority(Of::Votes), Test::Majority(Of::Money)];
                parties.iter().any(|party| tests.iter().any(|test| controls(party, *test)))
            }),
        );
        set("controlled", lists(&|_, parties| parties.iter().any(|party| controls(party, Test::Control))));
        set(
            "touched",
            lists(&|_, parties| parties.iter().any(|party| part(&BTreeSet::from([party.clone()])) > 0)),
        );
        set("undisclosed", json!((part(&self.hidden(&upstream)) + self.missing(certain)).min(10_000)));
        let own = self.lists(&self.entity).into_iter().filter(|(_, truth)| *truth >= wanted);
        set("listed", json!(own.map(|(list, _)| list).collect::<Vec<_>>()));
        let registers = upstream.iter().chain([&self.entity]).map(|id| self.world.register(id));
        set(
            "conflicted",
            json!(registers.into_iter().any(|register| {
                register.disputed || register.is_over_full(Of::Votes) || register.is_over_full(Of::Money)
            })),
        );
        facts
    }

    /// Those upstream whom somebody must own, and of whom no holder is known.
    fn hidden(&self, upstream: &BTreeSet<EntityId>) -> BTreeSet<EntityId> {
        let hides = |party: &&EntityId| {
            let register = self.world.register(party);
            let is_public = self.world.entity(party).and_then(|entity| entity.publicly_listed) == Some(true);
            register.stakes.is_empty()
                && register.rights.is_empty()
                && !register.complete
                && !is_public
                && !self.cannot_be_owned(party)
        };
        upstream.iter().filter(hides).cloned().collect()
    }

    /// What certainly nobody is known to hold of the entity, in basis points. What is possible is at least as much.
    fn missing(&self, certain: bool) -> u64 {
        let register = self.world.register(&self.entity);
        let is_public =
            self.world.entity(&self.entity).and_then(|entity| entity.publicly_listed) == Some(true);
        // Of a company that somebody directs and in which nobody votes, a complete register does not say who owns it.
        let votes = register.stakes.keys().any(|holder| register.range(holder, Of::Votes).hi > 0);
        let complete = register.complete && (register.rights.is_empty() || votes);
        if !certain || complete || is_public || self.cannot_be_owned(&self.entity) {
            return 0;
        }
        let (_, most) = register.held(&|_| true, Of::Votes);
        u64::try_from((WHOLE - most) * 10_000 / WHOLE).unwrap_or(0)
    }

    fn cannot_be_owned(&self, party: &EntityId) -> bool {
        matches!(self.kind(party), EntityKind::Person | EntityKind::State | EntityKind::StateBody)
    }

    fn truth_if(holds: bool) -> Truth {
        if holds { Truth::Certain } else { Truth::No }
    }

    fn kind(&self, party: &EntityId) -> EntityKind {
        self.world.entity(party).map_or(EntityKind::Unknown, |entity| entity.kind)
    }

    /// The findings are all those that the rules give: for the facts that were computed from scratch, and, of the
    /// other facts, for what the decision shows.
    fn all_findings(&mut self, decision: &Json, tier: &Tier) {
        for certain in [true, false] {
            let mut facts = self.facts(certain);
            let computed = Self::nothing();
            let all = list(&decision["findings"]).iter().chain(list(&decision["perhaps"]));
            for fact in all.flat_map(|finding| list(&finding["because"])) {
                let (name, value) =
                    (text(&fact["fact"]), if certain { &fact["certain"] } else { &fact["possible"] });
                let mine = facts[name].clone();
                if RECOMPUTED.contains(&name) {
                    // In circles that may hold more than there is, what is possible is a bound.
                    let bound = !certain && mine.as_u64() <= value.as_u64() && mine.is_u64();
                    self.demand(bound || close(&mine, value), || {
                        format!("{name} is {mine}, and not {value}")
                    });
                } else {
                    debug_assert!(computed.contains_key(name));
                    facts.insert(name.to_owned(), value.clone());
                }
            }
            let mut set = PolicySet::new();
            for pack in &self.packs {
                for rule in pack.rules.iter().filter(|rule| rule.counts(tier, self.day, self.known)) {
                    set.add(rule.policy.clone()).unwrap();
                }
            }
            let due = Self::apply(&set, tier, &facts);
            let found: BTreeSet<String> = list(&decision["findings"])
                .iter()
                .chain(list(&decision["perhaps"]).iter().filter(|_| !certain))
                .map(|finding| text(&finding["rule"]).to_owned())
                .collect();
            let missing: Vec<_> = due.difference(&found).collect();
            self.demand(missing.is_empty(), || format!("{missing:?} should apply (certain: {certain})"));
        }
    }

    fn near(&mut self, near: &Json) {
        let (least, most) = (near["least"].as_u64().unwrap(), near["most"].as_u64().unwrap());
        let missing = near["missing"].as_u64().unwrap();
        self.demand(least <= most && most <= 10_000, || format!("a range turned round: {near}"));
        let line = 5_000_u64.saturating_sub(least);
        self.demand(missing == line || missing + 1 == line, || {
            format!("the distance is not {missing}: {near}")
        });
        let who = ids(&near["who"]);
        let register = self.world.register(&self.entity);
        let of = if text(&near["line"]).contains("ownership") { Of::Money } else { Of::Votes };
        let held = register.held(&|id| who.contains(id), of).1.min(WHOLE);
        // Whoever directs it by right may have all of it, and has no votes.
        let by_right = who.iter().any(|id| register.rights.contains_key(id));
        self.demand(by_right || agrees(most, part_of(held), false), || format!("they hold {held}: {near}"));
        let words = text(&near["line"]);
        if let Some(who) = words.strip_prefix("control by ") {
            let is = |party: &EntityId| match who.split(':').next() {
                Some("a foreign person") => self.foreign(party),
                Some("a person of an adverse state") => self.adverse(party),
                Some(_) | None => self.concern(party),
            };
            let parties: Vec<EntityId> = self
                .world
                .upstream(&self.entity)
                .into_iter()
                .filter(|id| is(id) != Truth::No && *id != self.entity)
                .collect();
            for party in parties {
                let closure = self.world.closure(&BTreeSet::from([party.clone()]), Test::Control, true);
                self.demand(!closure.contains(&self.entity), || format!("{party} is over the line: {near}"));
                let (theirs, _) = register.held(&|id| closure.contains(id), Of::Votes);
                let theirs = if register.stakes.keys().any(|id| closure.contains(id)) { theirs } else { 0 };
                #[expect(clippy::cast_precision_loss, reason = "basis points are few")]
                let least = least as f64 + 1.01;
                self.demand(part_of(theirs) * 10_000.0 < least, || format!("{party} is nearer: {near}"));
            }
        }
    }
}

/// The facts that the checker computes from scratch.
const RECOMPUTED: &[&str] = &[
    "foreign_holding",
    "foreign_country_holding",
    "beneficial_owner",
    "adversary_holding",
    "concern_holding",
    "foreign_control",
    "adversary_control",
    "concern_control",
    "foreign_government",
    "chain",
    "alone",
    "controlled",
    "listed",
    "conflicted",
    "undisclosed",
];

/// The same value; of basis points one more or less, where rounding was done elsewhere.
fn close(mine: &Json, theirs: &Json) -> bool {
    match (mine.as_u64(), theirs.as_u64()) {
        (Some(mine), Some(theirs)) => mine.abs_diff(theirs) <= 1,
        _ => mine == theirs,
    }
}

/// A step and every line below it.
fn lines(step: &Json) -> Vec<&Json> {
    let mut found = Vec::new();
    let mut open = vec![step];
    while let Some(step) = open.pop() {
        found.push(step);
        open.extend(list(&step["because"]));
    }
    found
}
