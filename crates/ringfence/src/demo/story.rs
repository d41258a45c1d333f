//! The steps of the story. Each checks what it claims before it says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use model::{Member, MemberId, MemberKind, MovedClock, Standing, Tier};
use programme::Programme;
use serde_json::{Value, json};

use super::guard;
use super::member::{Polled, Poller};
use super::objects::{self, ByCollection};
use super::telling::{Telling, millis, rate, took};
use crate::client::{Api, segment};
use crate::commands::ledger::{HoldsReport, Verified, WhoReport, export, verify};
use crate::commands::member::{Stepped, set_standing};
use crate::commands::token::Issued;
use crate::logs::Log;
use crate::output::{grouped, listed, objects};
use crate::upload::{Sent, Terms, Uploader};

/// The tier that the suspension is about; on the others nothing changes.
const TIER: &str = "cleared";
/// Its collections.
const RESTRICTED: [&str; 1] = ["cleared"];
/// The members' page, small enough that the first poll needs several.
const PAGE: u32 = 2;
/// How often the suspended member asks again.
const RACES: usize = 50;

/// Where the story takes place.
pub(crate) struct Setting {
    pub(crate) url: String,
    /// The hub, to its operator.
    pub(crate) api: Api,
    /// The hub, to two officers.
    pub(crate) officers: [Api; 2],
    /// The hub's clock.
    pub(crate) clock: Arc<MovedClock>,
    /// Held while the clock is moved and what is known by then is not told yet, so that time does no work.
    pub(crate) tending: Arc<Mutex<()>>,
    /// The hub's programme, which has the story among its cases.
    pub(crate) programme: Arc<Programme>,
    pub(crate) vkey: String,
    /// The programme's identity.
    pub(crate) identity: String,
    /// Where files may be written.
    pub(crate) scratch: PathBuf,
    /// How many generated indicators.
    pub(crate) volume: u32,
}

/// The members at the end, to go on with.
pub(crate) struct Cast {
    /// Whom the story is about.
    pub(crate) symantec: MemberId,
    pub(crate) credentials: Vec<(String, String, String)>,
}

/// Tells the whole story.
pub(crate) fn tell(setting: &Setting, telling: &mut Telling) -> Result<Cast> {
    let mut symantec = admit(setting, "Symantec")?;
    let mut castle = admit(setting, "Castellan Mail")?;
    telling.step(
        "2007: two members are on the list of every tier",
        &[
            format!("{} ({}), {} ({}).", symantec.name, symantec.id, castle.name, castle.id),
            "Symantec and Huawei are real, and so are the dates of their venture; the decisions are computed, not \
             history: nobody was ever listed or removed. Castellan Mail is fictional."
                .to_owned(),
            "Each gets a credential; the hub keeps only a keyed hash of it.".to_owned(),
        ],
        &json!({"members": [symantec.id, castle.id]}),
    )?;
    announced(setting, telling, &symantec)?;

    let first = objects::first()?;
    publish(setting, telling, "The programme publishes what it knows", &first)?;
    both_poll(telling, &mut [&mut symantec, &mut castle], &first)?;
    let early = checkpoint(setting)?;

    suspend(setting, telling, &mut symantec, &mut castle)?;
    held_at_suspension(setting, telling, &symantec)?;
    let second = objects::second()?;
    publish(setting, telling, "Meanwhile, the programme publishes more", &second)?;
    let all = together(&first, &second);
    only_one_gets_it(telling, &mut symantec, &mut castle, &first, &second, &all)?;
    signed(setting, telling, &mut symantec)?;
    reinstate(setting, telling, &mut symantec, &second, &all)?;
    nothing_left(setting, telling, &symantec)?;
    guard::chapter(setting, telling)?;

    volume(setting, telling, &mut castle, &all)?;
    audit(setting, telling, &[&symantec, &castle], &second)?;
    verify_offline(setting, telling, &early)?;
    let id = symantec.id.clone();
    let credentials = [symantec, castle].map(|member| (member.name.to_owned(), member.login, member.secret));
    Ok(Cast { symantec: id, credentials: credentials.into() })
}

fn admit(setting: &Setting, name: &'static str) -> Result<Poller> {
    let body =
        json!({"name": name, "kind": MemberKind::Provider, "listed": ["open", "programme", "cleared"]});
    let member: Member = setting.api.post("/api/members", &body)?;
    let issued: Issued = setting.api.post("/api/credentials", &json!({"member": member.id}))?;
    let poller = Poller::new(name, member.id, &setting.url, issued.credential.login, issued.secret)?;
    let shown = poller.collections()?;
    ensure!(
        RESTRICTED.iter().all(|alias| shown.iter().any(|one| one == alias)),
        "{name} is on every list and does not see every collection: {}",
        listed(&shown)
    );
    Ok(poller)
}

fn publish(setting: &Setting, telling: &mut Telling, title: &str, what: &ByCollection) -> Result<()> {
    let begun = Instant::now();
    let mut accepted = Vec::new();
    for (collection, objects) in what {
        let sent = send(setting, collection, objects)?;
        ensure!(
            sent.refused == 0 && usize::try_from(sent.accepted) == Ok(objects.len()),
            "the hub took {} of {} objects for `{collection}`: {:?}",
            sent.accepted,
            objects.len(),
            sent.reasons
        );
        accepted.push(format!("{} to `{collection}`", objects.len()));
    }
    let duration = begun.elapsed();
    let count: usize = what.values().map(Vec::len).sum();
    telling.step(
        title,
        &[format!(
            "{}: {}. Durable, logged and due after {}.",
            objects(count),
            listed(accepted),
            took(duration)
        )],
        &json!({"objects": count, "ms": millis(duration)}),
    )
}

fn send(setting: &Setting, collection: &str, objects: &[Vec<u8>]) -> Result<Sent> {
    let mut uploader = Uploader::new(&setting.api, collection, &Terms::default(), 1_000);
    for object in objects {
        uploader.push(object.clone(), "the demo")?;
    }
    uploader.flush()?;
    Ok(uploader.sent)
}

fn both_poll(telling: &mut Telling, members: &mut [&mut Poller], published: &ByCollection) -> Result<()> {
    let mut lines = Vec::new();
    let mut measured = Vec::new();
    for member in members {
        let (mut count, mut pages, mut duration) = (0, 0, Duration::ZERO);
        for (collection, objects) in published {
            match member.poll(collection, PAGE)? {
                Polled::Objects { count: some, pages: more, took } => {
                    count += some;
                    pages += more;
                    duration += took;
                }
                Polled::NotFound { .. } => {
                    bail!("{} is on the list and does not find `{collection}`", member.name)
                }
            }
            member.has_exactly(collection, objects)?;
        }
        lines.push(format!("{}: {} in {pages} pages, {}.", member.name, objects(count), took(duration)));
        measured.push(json!({"member": member.id, "objects": count, "pages": pages, "ms": millis(duration)}));
    }
    lines.push("Compared with what was published: the same objects, byte for byte, each once.".to_owned());
    telling.step("Both poll with a TAXII 2.1 client, in small pages", &lines, &Value::Array(measured))
}

/// Moves the hub's clock to a day, and imports what is known of the story by then.
fn learn(setting: &Setting, day: &str) -> Result<(Value, Duration)> {
    let until = day.parse::<ties::Day>()?.end();
    let _held = setting.tending.lock().unwrap_or_else(PoisonError::into_inner);
    setting.clock.set(format!("{day}T09:00:00Z").parse()?);
    let file = setting.programme.vetting_cases().iter().find(|file| file.file == "cases/symantec.toml");
    let known = file.context("the template tells the story")?.statements.iter();
    let statements: Vec<_> = known.filter(|statement| statement.recorded <= until).collect();
    let body = json!({"subject": format!("cases/symantec.toml, as of {day}"), "statements": statements});
    let begun = Instant::now();
    let imported: Value = setting.officers[0].post("/api/ties", &body)?;
    let took = begun.elapsed();
    ensure!(imported["refused"] == json!([]), "statements were refused: {}", imported["refused"]);
    Ok((imported, took))
}

/// The standing and the last decision's grade on the restricted tier.
fn stands(setting: &Setting, member: &MemberId) -> Result<(Standing, String)> {
    let path = format!("/api/members/{}", segment(member));
    let record: Member = setting.api.get(&path)?;
    let dossier: Value = setting.api.get(&format!("{path}/dossier"))?;
    let grade = dossier["decided"][TIER]["grade"].as_str().unwrap_or("none").to_owned();
    Ok((record.standing(&TIER.parse()?), grade))
}

/// The verdict in words, its first reason, and the remedies.
fn decided(setting: &Setting) -> Result<Value> {
    let body = json!({"entity": "symantec", "tier": TIER, "remedies": true});
    Ok(setting.officers[0].post("/api/decisions", &body)?)
}

fn announced(setting: &Setting, telling: &mut Telling, symantec: &Poller) -> Result<()> {
    learn(setting, "2007-12-31")?;
    let path = format!("/api/members/{}/entity", segment(&symantec.id));
    let _: Value = setting.officers[0].post(&path, &json!({"entity": "symantec"}))?;
    let (standing, grade) = stands(setting, &symantec.id)?;
    ensure!(
        (standing, grade.as_str()) == (Standing::Listed, "review"),
        "it is {standing} with grade {grade}"
    );
    let decision = decided(setting)?;
    telling.step(
        "2007-12-31: the venture is announced",
        &verdict(&decision),
        &json!({"standing": standing, "grade": grade}),
    )
}

/// The first lines of a decision: the verdict and its reason.
pub(super) fn verdict(decision: &Value) -> Vec<String> {
    let text = decision["text"].as_str().unwrap_or_default();
    text.lines().take(2).map(str::to_owned).collect()
}

fn suspend(setting: &Setting, telling: &mut Telling, north: &mut Poller, castle: &mut Poller) -> Result<()> {
    let before = north.received_count();
    let (imported, decided_in) = learn(setting, "2008-03-01")?;
    let mut first = None;
    for race in 0..RACES {
        let collection = RESTRICTED[race % RESTRICTED.len()];
        let polled = north.poll(collection, PAGE)?;
        ensure!(
            matches!(polled, Polled::NotFound { .. }),
            "{} was suspended and still finds `{collection}` at request {race}",
            north.name
        );
        first.get_or_insert(polled.took());
    }
    let (standing, grade) = stands(setting, &north.id)?;
    ensure!(
        (standing, grade.as_str()) == (Standing::Suspended, "suspend"),
        "it is {standing} with grade {grade}"
    );
    conclude_review(setting, north)?;
    let shown = north.collections()?;
    ensure!(
        shown.iter().any(|one| one == "open") && !shown.iter().any(|one| one == "cleared"),
        "{} is suspended on {TIER} and is shown {}",
        north.name,
        listed(&shown)
    );
    ensure!(north.received_count() == before, "{} received something after its suspension", north.name);
    let others = castle.poll("cleared", PAGE)?;
    ensure!(matches!(others, Polled::Objects { count: 0, .. }), "{} was disturbed", castle.name);
    let first = first.unwrap_or_default();
    let decision = decided(setting)?;
    let mut lines = verdict(&decision);
    lines.extend(proof(&decision));
    lines.extend(remedy(&decision)?);
    lines.push(format!(
        "{} statements imported, decided, recorded and in force after {}. Its next request, {} later: 404.",
        imported["new"],
        took(decided_in),
        took(first)
    ));
    lines.push(format!(
        "{RACES} requests, {RACES} times the same answer as for a collection that does not exist."
    ));
    lines.push(format!("It is still shown {}; Castellan Mail notices nothing.", listed(&shown)));
    telling.step(
        "2008-03-01: the venture is formed, and Symantec is suspended on `cleared` by its ties",
        &lines,
        &json!({"ms": millis(decided_in), "first_refused_ms": millis(first), "requests": RACES, "stale": 0}),
    )
}

/// The rules ask for a look on the tier `programme` too; an officer looks, and it stays.
fn conclude_review(setting: &Setting, member: &Poller) -> Result<()> {
    let path = format!("/api/members/{}/reviews/programme", segment(&member.id));
    let words = json!({"text": "the venture gets nothing of this tier"});
    let _: Value = setting.officers[1].post(&path, &words)?;
    Ok(())
}

/// The ties that the proof of the first finding names.
fn proof(decision: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let facts = decision["decision"]["findings"][0]["because"].as_array();
    let mut open: Vec<&Value> =
        facts.into_iter().flatten().take(1).filter_map(|fact| fact["proof"].as_array()).flatten().collect();
    while let Some(step) = open.pop() {
        if step["claim"]["claim"] == "tie" || step["claim"]["claim"] == "named" {
            lines.push(format!("  because {}", step["text"].as_str().unwrap_or_default()));
        }
        open.extend(step["because"].as_array().into_iter().flatten());
    }
    lines.sort();
    lines.dedup();
    lines
}

/// What would help, computed: it has to be the end of the 49 %.
fn remedy(decision: &Value) -> Result<Vec<String>> {
    let first = &decision["remedies"]["ties"][0];
    ensure!(first["end"] == json!(["stake-symantec"]), "the first remedy is to end {}", first["end"]);
    ensure!(first["leaves"] == "condition", "the remedy leaves {}", first["leaves"]);
    Ok(vec![format!(
        "What would help, computed: end the 49 % holding in Huawei Symantec ({}). The licence would leave conditions.",
        if first["bound"] == "proved" { "nothing less would do, proved" } else { "the best that was found" }
    )])
}

fn held_at_suspension(setting: &Setting, telling: &mut Telling, member: &Poller) -> Result<()> {
    let path = format!("/api/members/{}", segment(&member.id));
    let report: HoldsReport = setting.api.get(&format!("{path}/holds"))?;
    let dossier: Value = setting.api.get(&format!("{path}/dossier"))?;
    let duties = dossier["duties"].as_array().cloned().unwrap_or_default();
    let disposal = duties.iter().find(|duty| duty["of"]["disposal"]["tier"] == TIER);
    let due =
        disposal.and_then(|duty| duty["due"].as_str()).context("there is no duty to return or dispose")?;
    let duty = disposal.and_then(|duty| duty["id"].as_str()).context("the duty has no name")?;
    let certificate =
        json!({"text": "under seal since 2008-03-01, without access, until the question is decided"});
    let _: Value = setting.officers[1].post(&format!("{path}/duties/{}", segment(duty)), &certificate)?;
    let after: Value = setting.api.get(&format!("{path}/dossier"))?;
    let done = after["duties"].as_array().into_iter().flatten().find(|one| one["id"] == duty);
    ensure!(done.is_some_and(|one| !one["done"].is_null()), "the certificate was not recorded");
    let whole = || report.objects.iter().filter(|held| held.whole);
    let cleared = whole().filter(|held| held.tier == TIER).count();
    telling.step(
        "What it holds, and has to return or dispose of",
        &[
            format!(
                "By the ledger it was handed {} until then, {cleared} of them of `{TIER}`.",
                objects(whole().count())
            ),
            format!("Its duty to return or dispose of what it has of `{TIER}`, and to certify that, is due on {due}."),
            "Its certificate comes, and its digest is in the ledger.".to_owned(),
        ],
        &json!({"objects": cleared, "due": due}),
    )
}

fn signed(setting: &Setting, telling: &mut Telling, member: &mut Poller) -> Result<()> {
    learn(setting, "2011-11-15")?;
    let (standing, grade) = stands(setting, &member.id)?;
    ensure!(
        (standing, grade.as_str()) == (Standing::Suspended, "suspend"),
        "it is {standing} with grade {grade}"
    );
    let polled = member.poll("cleared", PAGE)?;
    ensure!(matches!(polled, Polled::NotFound { .. }), "the sale is signed, and `cleared` is found");
    let decision = decided(setting)?;
    let mut lines = verdict(&decision);
    lines.push(
        "Signed is not closed: the sale of 2011-11-14 clears nothing before it is complete.".to_owned(),
    );
    telling.step("2011-11-15: the sale is signed", &lines, &json!({"standing": standing, "grade": grade}))
}

fn nothing_left(setting: &Setting, telling: &mut Telling, member: &Poller) -> Result<()> {
    // That the royalties have ended is recorded when they have; no date that was named ahead would have ended them.
    learn(setting, "2019-04-01")?;
    let (standing, grade) = stands(setting, &member.id)?;
    ensure!((standing, grade.as_str()) == (Standing::Listed, "clear"), "it is {standing} with grade {grade}");
    let decision = decided(setting)?;
    telling.step(
        "2019-04-01: the royalties have ended, and the conditions with them",
        &verdict(&decision),
        &json!({"standing": standing, "grade": grade}),
    )
}

fn only_one_gets_it(
    telling: &mut Telling,
    north: &mut Poller,
    castle: &mut Poller,
    first: &ByCollection,
    second: &ByCollection,
    all: &ByCollection,
) -> Result<()> {
    let (mut got, mut duration) = (0, Duration::ZERO);
    for (collection, objects) in all {
        let polled = castle.poll(collection, PAGE)?;
        got += polled.count();
        duration += polled.took();
        castle.has_exactly(collection, objects)?;
    }
    let news: usize = second.values().map(Vec::len).sum();
    ensure!(got == news, "{} received {got} objects, and {news} are new", castle.name);
    let mut open = 0;
    for (collection, objects) in all {
        open += north.poll(collection, PAGE)?.count();
        let restricted = RESTRICTED.contains(&collection.as_str());
        let due = if restricted { first.get(collection).unwrap_or(objects) } else { objects };
        north.has_exactly(collection, due)?;
    }
    let notices = north.notices();
    let notice = notices.iter().find(|notice| notice["tier"] == TIER);
    let due = notice.and_then(|notice| notice["due"].as_str()).context("its client was not told why")?;
    ensure!(castle.notices().is_empty(), "{} was told of what is not its business", castle.name);
    telling.step(
        "Both poll again",
        &[
            format!("Castellan Mail: all {}, {}.", objects(got), took(duration)),
            format!(
                "Symantec: {} of the tiers where it is still listed, and nothing else.",
                objects(open - notices.len())
            ),
            format!(
                "It is told in its feed, by a note to it alone, that it is suspended on `{TIER}`, and to return or dispose of \
                 what it has by {due}."
            ),
        ],
        &json!({"castellan": got, "symantec": open, "ms": millis(duration)}),
    )
}

fn reinstate(
    setting: &Setting,
    telling: &mut Telling,
    north: &mut Poller,
    second: &ByCollection,
    all: &ByCollection,
) -> Result<()> {
    learn(setting, "2012-03-31")?;
    let (standing, grade) = stands(setting, &north.id)?;
    ensure!(
        (standing, grade.as_str()) == (Standing::Suspended, "condition"),
        "it is {standing} with grade {grade}"
    );
    let (tier, to): (Tier, _) = (TIER.parse()?, Standing::ListedWithConditions);
    let reason = "the sale has closed; royalties remain for seven years";
    let first = set_standing(&setting.officers[0], &north.id, &tier, to, reason)?;
    ensure!(matches!(first, Stepped::Proposed(_)), "one officer alone took it back");
    let alone = north.poll("cleared", PAGE)?;
    ensure!(matches!(alone, Polled::NotFound { .. }), "one officer alone opened `cleared`");
    let begun = Instant::now();
    let second_step = set_standing(&setting.officers[1], &north.id, &tier, to, reason)?;
    ensure!(
        matches!(&second_step, Stepped::Changed(change) if change.to == to),
        "two officers did not take it back"
    );
    let decided_in = begun.elapsed();
    let missed: usize = RESTRICTED.iter().filter_map(|alias| second.get(*alias)).map(Vec::len).sum();
    let (mut got, mut duration) = (0, Duration::ZERO);
    for (collection, objects) in all {
        let polled = north.poll(collection, PAGE)?;
        got += polled.count();
        duration += polled.took();
        north.has_exactly(collection, objects)?;
    }
    ensure!(got == missed, "{} missed {missed} objects and received {got}", north.name);
    for collection in all.keys() {
        let again = north.poll(collection, PAGE)?.count();
        ensure!(again == 0, "{} received {again} objects of `{collection}` once more", north.name);
    }
    let mut lines = verdict(&decided(setting)?);
    lines.push(format!(
        "One officer proposes, another agrees; in force after {}. Its client goes on from the cursor that it had.",
        took(decided_in)
    ));
    lines.push(format!(
        "It receives the {} that it missed, and not one of the others: {}.",
        objects(got),
        took(duration)
    ));
    lines.push(
        "Compared with everything that was published: complete, byte for byte, nothing twice.".to_owned(),
    );
    telling.step(
        "2012-03-31: the sale has closed, and Symantec is back, with conditions",
        &lines,
        &json!({"ms": millis(decided_in), "missed": missed, "received": got, "poll_ms": millis(duration)}),
    )
}

fn volume(setting: &Setting, telling: &mut Telling, castle: &mut Poller, all: &ByCollection) -> Result<()> {
    if setting.volume == 0 {
        return Ok(());
    }
    let mut generated: Vec<Vec<u8>> =
        (0..setting.volume).map(|number| objects::generated(number, &setting.identity)).collect();
    let bytes: usize = generated.iter().map(Vec::len).sum();
    let begun = Instant::now();
    let sent = send(setting, "indicators", &generated)?;
    let published = begun.elapsed();
    ensure!(sent.refused == 0, "the hub refused {} generated indicators: {:?}", sent.refused, sent.reasons);
    let polled = castle.poll("indicators", 1_000)?;
    ensure!(polled.count() == generated.len(), "{} of {} objects came", polled.count(), generated.len());
    generated.extend(all.get("indicators").cloned().unwrap_or_default());
    castle.has_exactly("indicators", &generated)?;
    let (count, read) = (polled.count(), polled.took());
    telling.step(
        &format!("{} generated indicators, one publisher and one poller", grouped(count as u128)),
        &[
            format!(
                "Published, validated and made durable in {}: {} objects/s, {} MB.",
                took(published),
                grouped(rate(count, published)),
                bytes / 1_000_000
            ),
            format!(
                "Polled in pages of 1,000, in {}: {} objects/s, byte for byte.",
                took(read),
                grouped(rate(count, read))
            ),
        ],
        &json!({
            "objects": count,
            "bytes": bytes,
            "publish_ms": millis(published),
            "publish_per_second": rate(count, published),
            "poll_ms": millis(read),
            "poll_per_second": rate(count, read),
        }),
    )
}

fn audit(setting: &Setting, telling: &mut Telling, members: &[&Poller], second: &ByCollection) -> Result<()> {
    let mut lines = Vec::new();
    let begun = Instant::now();
    for member in members {
        let path = format!("/api/members/{}/holds", segment(&member.id));
        let report: HoldsReport = setting.api.get(&path)?;
        let mut held: Vec<(String, String)> = report
            .objects
            .into_iter()
            .filter(|held| held.whole)
            .map(|held| (held.id, held.version))
            .collect();
        held.sort_unstable();
        ensure!(
            held == member.inventory()?,
            "the ledger says that {} holds {} objects, and its client has {}",
            member.name,
            held.len(),
            member.received_count()
        );
        lines.push(format!(
            "{} holds {}, says the ledger, and its client agrees.",
            member.name,
            objects(held.len())
        ));
    }
    let object =
        second.get("cleared").and_then(|objects| objects.first()).context("the demo has a cleared object")?;
    let id = stix::Head::parse(object)?.id.to_string();
    let who: WhoReport = setting.api.get(&format!("/api/objects/{}/receivers", segment(&id)))?;
    let mut receivers: Vec<&str> = who.receivers.iter().map(|one| one.member.as_str()).collect();
    receivers.sort_unstable();
    let mut wanted: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
    wanted.sort_unstable();
    ensure!(receivers == wanted, "the ledger says that {id} went to {}", listed(&receivers));
    let duration = begun.elapsed();
    lines.push(format!("{id} was handed to:"));
    for one in &who.receivers {
        let name =
            members.iter().find(|member| member.id.as_str() == one.member).map_or("?", |member| member.name);
        lines.push(format!("  {name}, on {}, ledger entry {}", one.first, one.entry));
    }
    telling.step(
        "Who holds what, by the ledger",
        &lines,
        &json!({"object": id, "receivers": receivers, "ms": millis(duration)}),
    )
}

fn checkpoint(setting: &Setting) -> Result<String> {
    let bytes = setting.api.fetch("/ledger/checkpoint")?.context("the hub has no checkpoint")?;
    Ok(String::from_utf8(bytes)?)
}

fn verify_offline(setting: &Setting, telling: &mut Telling, early: &str) -> Result<()> {
    let folder = setting.scratch.join("ledger");
    let exported = export(&mut Log::over_http(setting.api.clone())?, &folder)?;
    let begun = Instant::now();
    let verified = verify(&mut Log::Folder(folder.clone()), &setting.vkey, Some(early))?;
    let duration = begun.elapsed();
    let Verified { size, root, continues, .. } = verified;
    ensure!(continues.is_some(), "the log was not compared with the earlier checkpoint");
    let forged = forge(&folder)?;
    let caught = match verify(&mut Log::Folder(folder), &setting.vkey, Some(early)) {
        Ok(_) => bail!("one bit of `{forged}` was changed, and the log still verifies"),
        Err(error) => error.to_string(),
    };
    telling.step(
        "The ledger is verified offline",
        &[
            format!("{} files of the log were copied; from here on only its key is believed.", grouped(exported.files)),
            format!("{} entries hash to the signed root {root}: {}.", grouped(size), took(duration)),
            format!("It continues the checkpoint of {} entries that was kept before.", continues.unwrap_or_default()),
            format!("One bit changed in `{forged}`: {caught}."),
        ],
        &json!({"entries": size, "root": root, "continues": continues, "ms": millis(duration), "forgery": caught}),
    )
}

/// Changes one bit of an entry in the copy of the log, and names the file.
fn forge(folder: &Path) -> Result<String> {
    let entries = folder.join("tile/entries");
    let found = first_file(&entries)?.context("the log has no bundle of entries")?;
    let mut bytes = fs::read(&found)?;
    let last = bytes.last_mut().context("the bundle is empty")?;
    *last ^= 1;
    fs::write(&found, bytes)?;
    Ok(found.strip_prefix(folder).unwrap_or(&found).display().to_string())
}

fn first_file(dir: &Path) -> Result<Option<PathBuf>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    for path in paths {
        let found = if path.is_dir() { first_file(&path)? } else { Some(path) };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn together(first: &ByCollection, second: &ByCollection) -> ByCollection {
    let mut all = first.clone();
    for (collection, objects) in second {
        all.entry(collection.clone()).or_default().extend(objects.iter().cloned());
    }
    all
}
