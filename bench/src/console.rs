//! The console: how long each page takes, and how large it is, on a hub with a thousand members and a million objects.
//!
//! The hub is the released binary. It is filled as members and operators fill it, over its API: objects, members bound to
//! entities with ties above and below them, one in fifty with a party of concern, pages read by all of them, facts of
//! occurrence, and guards that were heard. Then somebody signs in as browsers do and asks for every page again and again
//! on one connection. What is timed is the whole answer, from the request's first byte to the answer's last.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use model::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};

use crate::http::{Body, Connection, TAXII_TYPE, request};
use crate::hub::{BULK, Hub, LABELS_MANY, Member};
use crate::load::post_all;
use crate::objects;
use crate::report::{Bound, End, Report, Row};
use crate::units::{float, short};

/// What a page may take, and how large it may be.
const PAGE_MAX_MS: f64 = 50.0;
const PAGE_MAX_KB: f64 = 100.0;
/// Objects in a submission, and in a page that members read.
const ENVELOPE: u64 = 1_000;
const CONNECTIONS: usize = 4;
/// Facts of occurrence that each member reports, and over how many indicators and days they lie.
const FACTS: u64 = 100;
const HIT: u64 = 1_000;
const DAYS: u64 = 29;
const GUARD: &str = "ringfence-guard/measured";

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A fiftieth of everything, to see that it works; nothing is judged by such a run
    #[arg(long)]
    quick: bool,

    /// The hub's binary; without it, the one beside this program is built and taken
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,

    /// Where the table is written; without it, bench/RESULTS.md, or standard output if it is quick
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// How much there is.
struct Extent {
    objects: u64,
    members: u64,
    /// Pages that each member reads.
    reads: usize,
    /// Objects for one member alone: each has a label of its own.
    labels: u64,
    times: usize,
}

/// Measures the console alone, and writes its part of the table.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let begun = Instant::now();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let extent = if arguments.quick {
        Extent { objects: 20_000, members: 20, reads: 5, labels: 10, times: 20 }
    } else {
        Extent { objects: 1_000_000, members: 1_000, reads: 100, labels: 200, times: 200 }
    };
    let binary = match &arguments.binary {
        Some(binary) => binary.clone(),
        None => crate::built(here)?,
    };
    let home = here.join("work/console-run");
    let hub = Hub::start(&binary, &home)?;
    let members = fill(&extent, &hub, &binary, &home)?;
    // As after a night: nothing is in memory but what a start reads.
    let hub = hub.restart()?;
    for member in &members {
        heard(&hub, member)?;
    }
    let status = Connection::new(hub.port).json("GET", "/api/status", &hub.operator, None)?;
    let entries = status["ledger"]["size"].as_u64().unwrap_or_default();
    let setting = format!(
        "{} members, {} objects of 1 kB, {} entries of the ledger, {} facts of occurrence; each page {} times, one after \
         another, plain HTTP on loopback.",
        extent.members,
        short(float(extent.objects)),
        short(float(entries)),
        short(float(extent.members * FACTS)),
        extent.times,
    );
    let mut report = Report::new("Console", "cargo run --release -p bench -- console".to_owned(), setting);
    measure(&extent, &hub, &members, &mut report)?;
    drop(hub);
    fs::remove_dir_all(home)?;
    let end = End {
        out: arguments.out.as_deref(),
        quick: arguments.quick,
        strict: false,
        took_seconds: begun.elapsed().as_secs(),
    };
    report.finish(here, &end)
}

/// Fills the hub; gives its members.
fn fill(extent: &Extent, hub: &Hub, binary: &Path, home: &Path) -> Result<Vec<Member>> {
    let objects: Vec<_> = (0..extent.objects)
        .step_by(usize::try_from(ENVELOPE)?)
        .map(|first| hub.submission(BULK, first, ENVELOPE, ""))
        .collect();
    post_all(&hub.process, hub.port, CONNECTIONS, &objects)?;
    drop(objects);
    let members: Vec<Member> = (0..extent.members)
        .map(|number| hub.admit_as(&name_of(number), &format!("member-{number}")))
        .collect::<Result<_>>()?;
    let own = |(number, member): (u64, &Member)| {
        let properties = format!("\"x_ringfence_audience\":[\"{}\"],", member.id);
        hub.submission(LABELS_MANY, 5_000_000 + number, 1, &properties)
    };
    let own: Vec<_> = (0..extent.labels).zip(&members).map(own).collect();
    post_all(&hub.process, hub.port, CONNECTIONS, &own)?;
    let handed_in = |(number, member): (u64, &Member)| {
        let body = objects::envelope(6_000_000 + number, 1, "");
        request("POST", &hub.path("submissions", "objects/"), &member.authorization, TAXII_TYPE, &body)
    };
    let handed_in: Vec<_> = (0..).zip(&members).map(handed_in).collect();
    post_all(&hub.process, hub.port, CONNECTIONS, &handed_in)?;
    bind(hub, binary, home, &members)?;
    let reader = members.first().context("there is no member")?;
    let (cursors, seen) = hub.walk(BULK, &reader.authorization)?;
    ensure!(seen == extent.objects, "a member sees {seen} objects of {}", extent.objects);
    let now = SystemClock::default().now();
    each(hub.port, &members, |number, member, connection| {
        let pages = cursors.iter().cycle().skip(number * 7 % cursors.len()).take(extent.reads);
        for cursor in pages {
            let page = hub.page(BULK, ENVELOPE, cursor.as_deref(), &member.authorization);
            let reply = connection.ask(&page, Body::Drop)?;
            ensure!(reply.status == 200, "a page answered {}", reply.status);
        }
        let reported = report_of(number, now);
        let answer = connection.json("POST", "/api/occurrences", &member.authorization, Some(&reported))?;
        ensure!(answer["accepted"] == FACTS, "a report was answered {answer}");
        Ok(())
    })?;
    Ok(members)
}

/// Some work for every member, over so many connections.
fn each(
    port: u16,
    members: &[Member],
    work: impl Fn(usize, &Member, &mut Connection) -> Result<()> + Sync,
) -> Result<()> {
    thread::scope(|scope| {
        let run = |first: usize| {
            let work = &work;
            scope.spawn(move || -> Result<()> {
                let mut connection = Connection::new(port);
                for (number, member) in members.iter().enumerate().skip(first).step_by(CONNECTIONS) {
                    work(number, member, &mut connection)?;
                }
                Ok(())
            })
        };
        let runs: Vec<_> = (0..CONNECTIONS).map(run).collect();
        runs.into_iter().try_for_each(|run| run.join().map_err(|_| anyhow!("a client panicked"))?)
    })
}

/// Names as long as those of companies are.
fn name_of(number: u64) -> String {
    const WORDS: [&str; 8] = [
        "Northlight Networks",
        "Castellan Mail",
        "Harbour and Vale Communications Holding",
        "Meridian Managed Security Services of the Lower Valley",
        "Ostrava Data",
        "Quillon",
        "Brightwater Regional Telephone Cooperative",
        "Teleport Nord",
    ];
    format!("{} {number}", WORDS[usize::try_from(number).unwrap_or_default() % WORDS.len()])
}

/// Ties above and below every member, and the member bound to its entity.
fn bind(hub: &Hub, binary: &Path, home: &Path, members: &[Member]) -> Result<()> {
    let mut ties = String::from("id,from,to,kind,votes,money,from_date,from_name,to_name\n");
    for number in 0..members.len() {
        let name = name_of(u64::try_from(number)?);
        let owner = number / 3;
        let _ = writeln!(
            ties,
            "up-{number},owner-{owner},company-{number},holds,40%,40%,2015-01-01,Owner {owner},{name}"
        );
        let _ = writeln!(
            ties,
            "side-{number},fund-{},company-{number},holds,10-25%,10-25%,2018-03-01,,{name}",
            number % 50
        );
        for below in 0..3 {
            let _ = writeln!(
                ties,
                "down-{number}-{below},company-{number},branch-{number}-{below},holds,60%,60%,2016-06-01,{name},Branch {number} {below}"
            );
        }
        if number.is_multiple_of(50) {
            let _ = writeln!(
                ties,
                "venture-a-{number},company-{number},venture-{number},holds,49%,49%,2019-01-01,{name},Venture {number}"
            );
            let _ = writeln!(
                ties,
                "venture-b-{number},huawei,venture-{number},holds,51%,51%,2019-01-01,,Venture {number}"
            );
        }
    }
    let path = home.join("ties.csv");
    fs::write(&path, ties)?;
    let imported = Command::new(binary)
        .args(["ties", "import"])
        .arg(&path)
        .env("RINGFENCE_HUB", format!("http://127.0.0.1:{}", hub.port))
        .env("RINGFENCE_TOKEN", hub.operator.trim_start_matches("Bearer "))
        .output()?;
    ensure!(imported.status.success(), "importing ties: {}", String::from_utf8_lossy(&imported.stderr));
    for (number, member) in members.iter().enumerate() {
        let entity = json!({"entity": format!("company-{number}")});
        hub.api("POST", &format!("/api/members/{}/entity", member.id), &entity)?;
    }
    Ok(())
}

/// A member's facts of occurrence, over the last days.
fn report_of(member: usize, now: Timestamp) -> Value {
    let member = u64::try_from(member).unwrap_or_default();
    let fact = |number: u64| {
        let back = (number * 31 + member) % (DAYS * 24) + 1;
        let at = (now - Duration::from_secs(back * 3_600)).to_string();
        let hour = format!("{}:00:00.000000Z", at.get(..13).unwrap_or_default());
        let word =
            ["sinkhole", "sinkhole", "quarantine", "flow"][usize::try_from(number % 4).unwrap_or_default()];
        let count = [1, 2, 5, 10][usize::try_from((number + member) % 4).unwrap_or_default()];
        let action = if number.is_multiple_of(3) { "monitored" } else { "enforced" };
        json!({
            "type": "sighting", "spec_version": "2.1",
            "id": format!("sighting--00000000-0000-4000-8000-{:012x}", member * FACTS + number),
            "created": hour, "modified": hour, "first_seen": hour, "last_seen": hour,
            "count": count,
            "sighting_of_ref": objects::id((number * 37 + member) % HIT),
            "extensions": { "extension-definition--6d1c6b0e-92b4-4f6e-8a53-0d7c9fb3a1e2": {
                "extension_type": "property-extension", "countermeasure": word, "action": action,
            }},
        })
    };
    json!({"objects": (0..FACTS).map(fact).collect::<Vec<_>>()})
}

/// A guard asks who it is, as it does whenever it begins to follow.
fn heard(hub: &Hub, member: &Member) -> Result<()> {
    let head = format!("{}\r\nUser-Agent: {GUARD}", member.authorization);
    Connection::new(hub.port).json("GET", "/api/me", &head, None).map(drop)
}

/// Somebody who is signed in.
struct Browser {
    cookie: String,
}

impl Browser {
    /// Signs in as browsers do: the form, and then what it is sent with. A token is a token; anything else is HTTP Basic's.
    fn sign_in(hub: &Hub, fields: &str) -> Result<Self> {
        let mut connection = Connection::new(hub.port);
        let mut browser = Self { cookie: String::new() };
        connection.ask(&browser.get("/sign-in"), Body::Keep)?;
        browser.cookie = cookie(&connection)?;
        let page = String::from_utf8_lossy(&connection.body).into_owned();
        let token = page.split_once("name=\"token\" value=\"").and_then(|(_, rest)| rest.split('"').next());
        let body = format!("token={}&{fields}", token.context("the form has no token")?);
        let sent = format!(
            "POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {}\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
            browser.cookie,
            body.len()
        );
        let reply = connection.ask(sent.as_bytes(), Body::Drop)?;
        ensure!(reply.status == 303, "signing in was answered {}", reply.status);
        browser.cookie = cookie(&connection)?;
        Ok(browser)
    }

    fn get(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {}\r\n\r\n", self.cookie).into_bytes()
    }

    /// One row: the first answer, and the spread of the others.
    fn measure(&self, hub: &Hub, who: &str, path: &str, shown: &str, times: usize) -> Result<Vec<Row>> {
        let mut connection = Connection::new(hub.port);
        let request = self.get(path);
        let (mut taken, mut bytes) = (Vec::with_capacity(times), 0);
        let mut cpu = 0.0;
        for turn in 0..=times {
            // The first answer is told, and not counted.
            if turn == 1 {
                cpu = hub.process.cpu_seconds();
            }
            let begun = Instant::now();
            let reply = connection.ask(&request, Body::Drop)?;
            taken.push(begun.elapsed().as_secs_f64() * 1e3);
            ensure!(reply.status == 200, "{shown} answered {}", reply.status);
            bytes = reply.bytes;
        }
        let cpu = (hub.process.cpu_seconds() - cpu) * 1e3 / float(u64::try_from(times)?);
        let first = taken.remove(0);
        taken.sort_by(f64::total_cmp);
        let at = |percent: usize| taken.get((taken.len() * percent / 100).min(taken.len() - 1)).copied();
        let (p50, p99) = (at(50).unwrap_or_default(), at(99).unwrap_or_default());
        let kilobytes = float(bytes) / 1e3;
        let told = format!(
            "p50 {} ms, p99 {} ms, the first {} ms; {} ms of CPU; {} kB",
            short(p50),
            short(p99),
            short(first),
            short(cpu),
            short(kilobytes)
        );
        let name = format!("`{shown}` to {who}");
        let size = Row::told(&format!("{name}, kB"), format!("{} kB", short(kilobytes)), "");
        let mut rows = vec![Row::told(&format!("{name}, p99 in ms"), told, "").judged(
            p99,
            Bound::AtMost(PAGE_MAX_MS),
            None,
        )];
        // A size has a line of its own where it is too large.
        if kilobytes > PAGE_MAX_KB {
            rows.push(size.judged(kilobytes, Bound::AtMost(PAGE_MAX_KB), None));
        }
        Ok(rows)
    }
}

/// The first cookie that an answer sets.
fn cookie(connection: &Connection) -> Result<String> {
    let set = connection.header("set-cookie").context("no cookie was set")?;
    Ok(set.split(';').next().unwrap_or_default().to_owned())
}

fn measure(extent: &Extent, hub: &Hub, members: &[Member], report: &mut Report) -> Result<()> {
    let operator = format!("bearer={}", hub.operator.trim_start_matches("Bearer "));
    let operator = Browser::sign_in(hub, &operator)?;
    let member = members.first().context("there is no member")?;
    let page = format!("/members/{}", member.id);
    let object = objects::id(extent.objects / 2);
    let hit = objects::id(0);
    let bulk = format!("/content?collection={BULK}");
    let last = extent.objects - 1;
    let pages: Vec<(String, &str)> = vec![
        ("/".to_owned(), "/"),
        ("/members".to_owned(), "/members"),
        ("/members?q=quillon&tier=programme&standing=listed".to_owned(), "/members?q=..."),
        (page.clone(), "/members/ID"),
        (format!("{page}?tier=cleared&as_of=2019-06-01&known=2026-01-01"), "/members/ID?as_of=..."),
        (format!("{page}?tier=cleared&end=venture-a-0"), "/members/ID?end=..."),
        ("/ties".to_owned(), "/ties"),
        ("/ties?q=owner".to_owned(), "/ties?q=..."),
        ("/ties/lists".to_owned(), "/ties/lists"),
        ("/ties/matches".to_owned(), "/ties/matches"),
        ("/ties/unsettled".to_owned(), "/ties/unsettled"),
        ("/ties/import".to_owned(), "/ties/import"),
        ("/entities/company-0".to_owned(), "/entities/ID"),
        ("/entities/huawei".to_owned(), "/entities/ID, a party of concern"),
        ("/content".to_owned(), "/content"),
        (bulk.clone(), "/content?collection=..."),
        (format!("{bulk}&q=host{last}.example"), "/content?q=..., the last of all"),
        (format!("{bulk}&q=host7.example"), "/content?q=..., an early one"),
        (format!("{bulk}&type=malware"), "/content?type=..., of which there is none"),
        (format!("{bulk}&marking=green&added=2026-01-01"), "/content?marking=..."),
        (format!("{bulk}&as={}", member.id), "/content?as=..."),
        ("/content?collection=submissions".to_owned(), "/content?collection=..., held submissions"),
        (format!("/content/{object}"), "/content/ID"),
        (format!("/content/{hit}"), "/content/ID, one that hit"),
        ("/release".to_owned(), "/release"),
        (format!("/release?collection={LABELS_MANY}"), "/release?collection=..."),
        (format!("/release/as/{}", member.id), "/release/as/ID"),
        ("/hits".to_owned(), "/hits"),
        ("/programme".to_owned(), "/programme"),
        ("/ledger".to_owned(), "/ledger"),
        ("/ledger?kind=decision".to_owned(), "/ledger?kind=..."),
        ("/ledger/entries/50".to_owned(), "/ledger/entries/N"),
        ("/account".to_owned(), "/account"),
        ("/first-run".to_owned(), "/first-run"),
    ];
    for (path, shown) in &pages {
        report.add(shown, operator.measure(hub, "an operator", path, shown, extent.times));
    }
    let issued = json!({"member": member.id, "login": "portal", "password": "a long one of the bench"});
    hub.api("POST", "/api/credentials", &issued)?;
    let own = Browser::sign_in(hub, "login=portal&password=a+long+one+of+the+bench")?;
    report.add("/members/ID", own.measure(hub, "itself", &page, "/members/ID", extent.times));
    for path in
        ["/me/feed", "/me/contributions", "/me/credentials", "/me/guard", "/me/attestation", "/ledger"]
    {
        report.add(path, own.measure(hub, "a member", path, path, extent.times));
    }
    Ok(())
}
