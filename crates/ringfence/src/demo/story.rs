//! The steps of the story. Each checks what it claims before it says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use model::{Member, MemberId, MemberKind, Standing, Tier};
use serde_json::{Value, json};

use super::member::{Polled, Poller};
use super::objects::{self, ByCollection};
use super::telling::{Telling, millis, rate, took};
use crate::client::{Api, segment};
use crate::commands::ledger::{HoldsReport, Verified, WhoReport, export, verify};
use crate::commands::member::set_standing;
use crate::commands::token::Issued;
use crate::logs::Log;
use crate::output::{grouped, listed, objects};
use crate::upload::{Sent, Terms, Uploader};

/// The tiers that the suspension is about; on the third, `open`, nothing changes.
const TIERS: [&str; 2] = ["programme", "cleared"];
/// Their collections.
const RESTRICTED: [&str; 2] = ["indicators", "cleared"];
/// The members' page, small enough that the first poll needs several.
const PAGE: u32 = 2;
/// How often the suspended member asks again.
const RACES: usize = 50;

/// Where the story takes place.
pub(crate) struct Setting {
    pub(crate) url: String,
    /// The hub, to its operator.
    pub(crate) api: Api,
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
    pub(crate) credentials: Vec<(String, String, String)>,
}

/// Tells the whole story.
pub(crate) fn tell(setting: &Setting, telling: &mut Telling) -> Result<Cast> {
    let mut north = admit(setting, "Northlight Networks")?;
    let mut castle = admit(setting, "Castellan Mail")?;
    telling.step(
        "Two members are admitted, both on the list of every tier",
        &[
            format!("{} ({}), {} ({}): fictional providers.", north.name, north.id, castle.name, castle.id),
            "Each gets a credential; the hub keeps only a keyed hash of it.".to_owned(),
        ],
        &json!({"members": [north.id, castle.id]}),
    )?;

    let first = objects::first()?;
    publish(setting, telling, "The programme publishes what it knows", &first)?;
    both_poll(telling, &mut [&mut north, &mut castle], &first)?;
    let early = checkpoint(setting)?;

    suspend(setting, telling, &mut north, &mut castle)?;
    let second = objects::second()?;
    publish(setting, telling, "Meanwhile, the programme publishes more", &second)?;
    let all = together(&first, &second);
    only_one_gets_it(telling, &mut north, &mut castle, &first, &second, &all)?;
    reinstate(setting, telling, &mut north, &second, &all)?;

    volume(setting, telling, &mut castle, &all)?;
    audit(setting, telling, &[&north, &castle], &second)?;
    verify_offline(setting, telling, &early)?;
    let credentials = [north, castle].map(|member| (member.name.to_owned(), member.login, member.secret));
    Ok(Cast { credentials: credentials.into() })
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

fn suspend(setting: &Setting, telling: &mut Telling, north: &mut Poller, castle: &mut Poller) -> Result<()> {
    let before = north.received_count();
    let begun = Instant::now();
    stand(setting, &north.id, Standing::Suspended, "a joint venture with a party of concern came to light")?;
    let decided = begun.elapsed();
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
    let shown = north.collections()?;
    ensure!(shown == ["open"], "{} is suspended and is shown {}", north.name, listed(&shown));
    ensure!(north.received_count() == before, "{} received something after its suspension", north.name);
    let others = castle.poll("indicators", PAGE)?;
    ensure!(matches!(others, Polled::Objects { count: 0, .. }), "{} was disturbed", castle.name);
    let first = first.unwrap_or_default();
    telling.step(
        "Northlight Networks is suspended on the tiers `programme` and `cleared`",
        &[
            format!(
                "Decided, recorded and in force after {}. Its next request, {} later: 404.",
                took(decided),
                took(first)
            ),
            format!(
                "{RACES} requests, {RACES} times the same answer as for a collection that does not exist."
            ),
            format!("It is still shown {}; Castellan Mail notices nothing.", listed(&shown)),
        ],
        &json!({"ms": millis(decided), "first_refused_ms": millis(first), "requests": RACES, "stale": 0}),
    )
}

fn stand(setting: &Setting, member: &MemberId, to: Standing, reason: &str) -> Result<()> {
    for tier in TIERS {
        let tier: Tier = tier.parse()?;
        let change = set_standing(&setting.api, member, &tier, to, reason)?;
        ensure!(change.to == to, "the standing on `{tier}` became {}, not {to}", change.to);
    }
    Ok(())
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
    telling.step(
        "Both poll again",
        &[
            format!("Castellan Mail: all {}, {}.", objects(got), took(duration)),
            format!(
                "Northlight Networks: {} of the open tier, where it is still listed, and nothing else.",
                objects(open)
            ),
        ],
        &json!({"castellan": got, "northlight": open, "ms": millis(duration)}),
    )
}

fn reinstate(
    setting: &Setting,
    telling: &mut Telling,
    north: &mut Poller,
    second: &ByCollection,
    all: &ByCollection,
) -> Result<()> {
    let begun = Instant::now();
    stand(setting, &north.id, Standing::Listed, "the joint venture was sold")?;
    let decided = begun.elapsed();
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
    telling.step(
        "Northlight Networks is reinstated",
        &[
            format!(
                "In force after {}. Its client goes on from the cursor that it had, and nobody touched it.",
                took(decided)
            ),
            format!(
                "It receives the {} that it missed, and not one of the others: {}.",
                objects(got),
                took(duration)
            ),
            "Compared with everything that was published: complete, byte for byte, nothing twice.".to_owned(),
        ],
        &json!({"ms": millis(decided), "missed": missed, "received": got, "poll_ms": millis(duration)}),
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
