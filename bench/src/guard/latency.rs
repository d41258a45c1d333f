//! From the guard to a resolver: how long until a change is in effect, and how long nobody is answered meanwhile.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use model::{Clock as _, SystemClock};

use super::dns::{Client, Gap, Watch};
use super::resolvers::{Kind, Loaded, Resolver, Zone, write_zone};
use super::site::{Driven, EFFECT, Site, ZONE};
use crate::report::{Bound, Row};
use crate::units::{per_second, short};

/// Single changes of each kind.
const CHANGES: usize = 100;
/// Changes that BIND is asked about; it takes seconds for each.
const CHANGES_BIND: usize = 5;
/// Indicators that end by themselves.
const ENDING: usize = 50;
/// How long these hold: long enough to be seen.
const HOLDS: Duration = Duration::from_millis(800);
/// How long it is looked at what a recall brings, and how long nothing comes before, so that it begins.
const AFTER_RECALL: Duration = Duration::from_secs(15);
const QUIET: Duration = Duration::from_millis(5_050);
/// Names in one large change.
const MANY: usize = 1_000;
/// What the issue allows for a change, and for a gap, in milliseconds.
const EFFECT_MS: f64 = 250.0;
const GAP_MS: f64 = 50.0;

/// How long each of several changes took.
struct Times(Vec<Duration>);

impl Times {
    fn percentile(&mut self, percent: usize) -> f64 {
        self.0.sort_unstable();
        let at = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
    }

    fn told(&mut self) -> String {
        if let [only] = self.0.as_slice() {
            return format!("{} ms", short(only.as_secs_f64() * 1e3));
        }
        let [middle, late, most] = [50, 99, 100].map(|percent| short(self.percentile(percent)));
        format!("p50 {middle} ms, p99 {late} ms, most {most} ms of {}", self.0.len())
    }
}

/// The three servers that are watched at once: the last one says what the machine itself adds.
struct Watches {
    forwarder: Watch,
    unbound: Watch,
    world: Watch,
}

impl Watches {
    fn begin(site: &Site) -> Result<Self> {
        let [forwarder, unbound, world] = [site.forwarder, site.unbound, site.world.port()].map(Watch::begin);
        Ok(Self { forwarder: forwarder?, unbound: unbound?, world: world? })
    }

    fn end(self) -> Result<[Gap; 3]> {
        Ok([self.forwarder.end()?, self.unbound.end()?, self.world.end()?])
    }
}

fn millis(gap: Gap) -> f64 {
    gap.longest.as_secs_f64() * 1e3
}

/// A whole feed comes, page by page, while the forwarder is asked.
pub(super) fn take_all(site: &Site, guard: &mut Driven, file: &Path, count: usize) -> Result<Row> {
    let watch = Watch::begin(site.forwarder)?;
    let begun = Instant::now();
    guard.take(file)?;
    let took = begun.elapsed();
    let gap = watch.end()?;
    let ours = format!(
        "{} ms; {} indicators a second, durable and in a zone",
        short(millis(gap)),
        short(per_second(u64::try_from(count)?, took))
    );
    let row =
        Row::told("longest gap between answers of the forwarder while the whole feed comes, ms", ours, "");
    Ok(row.judged(millis(gap), Bound::AtMost(GAP_MS), None))
}

/// What a guard and an Unbound behind it do while indicators come and go. `reload` is what Unbound does with a file.
pub(super) fn measure(site: &Site, guard: &mut Driven, reload: Option<&Reload>) -> Result<Vec<Row>> {
    let peer = reload.map_or_else(|| "Unbound's reload could not be measured".to_owned(), Reload::told);
    let watches = Watches::begin(site)?;
    let (mut came, mut went) = single(guard, site.unbound, CHANGES)?;
    let mut ended = ending(guard, site.unbound)?;
    let many = many(site, guard)?;
    let recalled = after_recall(site, guard);
    let gaps = watches.end()?;
    let row = |what: &str, times: &mut Times| {
        let worst = times.percentile(99);
        let ratio = reload.map(|reload| reload.gap.longest.as_secs_f64() * 1e3 / worst);
        let beside =
            ratio.map_or_else(|| peer.clone(), |ratio| format!("{peer}: {} times as long", short(ratio)));
        Row::told(what, times.told(), beside).judged(worst, Bound::AtMost(EFFECT_MS), None)
    };
    let mut rows = vec![
        row("new indicator in the guard until Unbound blocks it, by IXFR, p99 in ms", &mut came),
        row("revoked indicator until Unbound answers truly, p99 in ms", &mut went),
        row("from an indicator's end until Unbound answers truly, p99 in ms", &mut ended),
        row("1,000 new indicators in one page until Unbound blocks the last, ms", &mut Times(vec![many])),
    ];
    rows.push(
        recalled.unwrap_or_else(|why| Row::missing("new indicators in the seconds after a recall", &why)),
    );
    let noise = format!("a bare socket at the same time: {} ms", short(millis(gaps[2])));
    for (what, gap) in [("the forwarder", gaps[0]), ("Unbound behind our zone", gaps[1])] {
        let ours = format!("{} ms, {} answers", short(millis(gap)), gap.answers);
        let row =
            Row::told(&format!("longest gap between answers meanwhile, {what}, ms"), ours, noise.clone());
        rows.push(row.judged(millis(gap), Bound::AtMost(GAP_MS), None));
    }
    Ok(rows)
}

/// What is recalled leaves the disk, too: some seconds later the whole store is written anew. Changes go on meanwhile.
fn after_recall(site: &Site, guard: &mut Driven) -> Result<Row> {
    let mut client = Client::new(site.unbound)?;
    let recalled = name("recalled", 0);
    guard.add(&recalled, None)?;
    client.wait(&recalled, true, EFFECT)?;
    guard.recall(&recalled)?;
    client.wait(&recalled, false, EFFECT)?;
    let (begun, mut times) = (Instant::now(), Vec::new());
    // News comes rarely enough that the guard finds the time.
    while begun.elapsed() < AFTER_RECALL {
        std::thread::sleep(if times.is_empty() { QUIET } else { Duration::from_millis(20) });
        let name = name("after", times.len());
        let begun = Instant::now();
        guard.add(&name, None)?;
        times.push(client.wait(&name, true, EFFECT)?.duration_since(begun));
    }
    let mut times = Times(times);
    let row = Row::told(
        "new indicators in the seconds after a recall until Unbound blocks them, most in ms",
        times.told(),
        "",
    );
    Ok(row.judged(times.percentile(100), Bound::AtMost(EFFECT_MS), None))
}

/// The same way to BIND, which is told and not judged: most of it is BIND's own work.
pub(super) fn bind(site: &Site, guard: &mut Driven) -> Result<Row> {
    let (mut came, mut went) = single(guard, site.bind, CHANGES_BIND)?;
    let ours = format!("{}; revoked: {}", came.told(), went.told());
    Ok(Row::told("new indicator in the guard until BIND blocks it, by IXFR", ours, ""))
}

fn name(what: &str, number: usize) -> String {
    format!("{what}{number}.measured.example.net")
}

/// One indicator after the other comes, and is revoked again.
fn single(guard: &mut Driven, port: u16, count: usize) -> Result<(Times, Times)> {
    let mut client = Client::new(port)?;
    let (mut came, mut went) = (Vec::new(), Vec::new());
    for number in 0..count {
        let name = name("new", number);
        let begun = Instant::now();
        guard.add(&name, None)?;
        came.push(client.wait(&name, true, EFFECT)?.duration_since(begun));
        let begun = Instant::now();
        guard.revoke(&name)?;
        went.push(client.wait(&name, false, EFFECT)?.duration_since(begun));
    }
    Ok((Times(came), Times(went)))
}

/// One indicator after the other ends by itself.
fn ending(guard: &mut Driven, port: u16) -> Result<Times> {
    let (mut client, clock) = (Client::new(port)?, SystemClock::default());
    let mut times = Vec::new();
    let micros = i64::try_from(HOLDS.as_micros())?;
    for number in 0..ENDING {
        let name = name("ending", number);
        let (begun, now) = (Instant::now(), clock.now());
        guard.add(&name, Some(now.plus_micros(micros)))?;
        // On a busy machine one may end before it was seen.
        if client.wait(&name, true, HOLDS).is_ok() {
            let ended = client.wait(&name, false, EFFECT)?;
            times.push(ended.saturating_duration_since(begun + HOLDS));
        }
    }
    ensure!(times.len() > ENDING / 2, "most indicators ended before Unbound had them");
    Ok(Times(times))
}

/// A page of indicators comes at once, and is taken back.
fn many(site: &Site, guard: &mut Driven) -> Result<Duration> {
    let names: Vec<String> = (0..MANY).map(|number| name("many", number)).collect();
    let (file, mut client) = (site.home.join("many"), Client::new(site.unbound)?);
    fs::write(&file, names.join("\n"))?;
    let last = names.last().context("there are names")?;
    let begun = Instant::now();
    guard.take(&file)?;
    let took = client.wait(last, true, EFFECT)?.duration_since(begun);
    guard.take_back(&file)?;
    client.wait(last, false, EFFECT)?;
    Ok(took)
}

/// Starts a resolver as a secondary of the guard, and waits until it has the names.
pub(super) fn secondary(kind: Kind, site: &Site, names: &[String]) -> Result<(Resolver, Row)> {
    let port = match kind {
        Kind::Unbound => site.unbound,
        Kind::Bind => site.bind,
    };
    let zone = Zone::Transfer { name: ZONE, primary: site.primary };
    let begun = Instant::now();
    let mut resolver = kind.start(&site.home.join(kind.name()), port, &zone, site.world)?;
    let took = resolver.wait_for(names.last().context("there are names")?)?.duration_since(begun);
    let row = Row::told(
        &format!("first transfer of the whole zone to {}", kind.name()),
        format!("{} s", short(took.as_secs_f64())),
        format!(
            "{}: {} s of CPU, {} MB resident",
            kind.name(),
            short(resolver.process.cpu_seconds()),
            short(resolver.process.resident_megabytes().0)
        ),
    );
    Ok((resolver, row))
}

/// What Unbound does when one name is added to its zone's file.
pub(super) struct Reload {
    gap: Gap,
    cpu_seconds: f64,
}

impl Reload {
    pub(super) fn measure(loaded: &Loaded, zone: &str, path: &Path, names: &[String]) -> Result<Self> {
        let new = "new.measured.example.net";
        write_zone(path, 2, names, Some(new))?;
        let (before, watch) = (loaded.resolver.process.cpu_seconds(), Watch::begin(loaded.resolver.port)?);
        // The client would wait for nobody: it asks while Unbound reads.
        let asked = loaded.resolver.read_again(zone);
        let seen = Client::new(loaded.resolver.port)?.wait(new, true, super::resolvers::LOAD);
        let gap = watch.end()?;
        asked?;
        seen?;
        Ok(Self { gap, cpu_seconds: loaded.resolver.process.cpu_seconds() - before })
    }

    fn told(&self) -> String {
        format!(
            "Unbound's reload of the file: {} s without an answer, {} s of CPU",
            short(self.gap.longest.as_secs_f64()),
            short(self.cpu_seconds)
        )
    }
}
