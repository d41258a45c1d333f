//! A whole feed goes while another one is enforced, and files are written: what those notice who ask meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::dns::{Client, Watch};
use super::site::{Driven, EFFECT, Site};
use crate::report::{Bound, Row};
use crate::units::short;

/// A name of the feed that stays.
const STAYS: &str = "stays.measured.example.net";
/// A name that comes after all others.
const LATE: &str = "late.measured.example.net";
/// What is written, and by which format.
const FILES: [(&str, &str); 3] =
    [("csv", "all.csv"), ("names", "names.txt"), ("suricata", "suricata/ringfence.rules")];
/// Files that did not change for so long are all there is.
const SETTLED: Duration = Duration::from_secs(3);
/// How long files of a million entries may take.
const WRITTEN: Duration = Duration::from_mins(5);
/// As for every other change.
const GAP_MS: f64 = 50.0;
const EFFECT_MS: f64 = 250.0;

/// Files by what they are on the disk: each writing makes another.
fn files(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let paths = FILES.map(|(_, name)| folder.join(name));
    paths.into_iter().filter_map(|path| Some((path.clone(), fs::metadata(&path).ok()?.ino()))).collect()
}

fn wait(what: &str, done: impl Fn() -> bool) -> Result<Instant> {
    let begun = Instant::now();
    while !done() {
        ensure!(begun.elapsed() < WRITTEN, "after {} s not {what}", WRITTEN.as_secs());
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(Instant::now())
}

/// Waits until nothing was written for a while.
fn settled(folder: &Path) -> Result<BTreeMap<PathBuf, u64>> {
    let (begun, mut since, mut last) = (Instant::now(), Instant::now(), files(folder));
    while since.elapsed() < SETTLED || last.len() < FILES.len() {
        ensure!(begun.elapsed() < WRITTEN, "files are still written after {} s", WRITTEN.as_secs());
        std::thread::sleep(Duration::from_millis(100));
        let now = files(folder);
        if now != last {
            (since, last) = (Instant::now(), now);
        }
    }
    Ok(last)
}

/// A site with two feeds, policy zones and files.
pub(super) fn measure(home: &Path, world: std::net::SocketAddr, names: &[String]) -> Result<Vec<Row>> {
    let folder = home.join("files");
    let exports = FILES.map(|(format, name)| {
        let name = name.split('/').next().unwrap_or(name);
        format!("[[export]]\nformat = \"{format}\"\npath = \"{}/{name}\"\n", folder.display())
    });
    let more = format!("[[feed]]\ncollection = \"others\"\nmode = \"enforce\"\n{}", exports.concat());
    let site = Site::with(&home.join("leaving"), world, more)?;
    let list = home.join("leaving-names");
    fs::write(&list, names.join("\n"))?;
    let mut guard = site.driven()?;
    guard.take(&list)?;
    guard.add_other(STAYS)?;
    let mut client = Client::new(site.forwarder)?;
    client.wait(STAYS, true, EFFECT)?;
    let before = settled(&folder)?;
    let files_row = one_more(&mut guard, &folder, &before)?;
    settled(&folder)?;
    let mut rows = gone(&site, &mut guard, &mut client, &folder)?;
    rows.push(files_row);
    Ok(rows)
}

/// One indicator more: all files are written anew.
fn one_more(guard: &mut Driven, folder: &Path, before: &BTreeMap<PathBuf, u64>) -> Result<Row> {
    let begun = Instant::now();
    guard.add(LATE, None)?;
    let mut took = Vec::new();
    for (path, inode) in before {
        let written = wait("written", || fs::metadata(path).is_ok_and(|file| file.ino() != *inode))?;
        took.push(written.duration_since(begun));
    }
    let most = took.iter().max().copied().unwrap_or_default();
    let ours =
        format!("{} s until the last of csv, names and Suricata is in place", short(most.as_secs_f64()));
    debug_assert!(files(folder).len() == FILES.len());
    Ok(Row::told("one indicator more, until three exports have it", ours, "half a second of it is the look"))
}

/// The hub says that the large feed is no more for this member.
fn gone(site: &Site, guard: &mut Driven, client: &mut Client, folder: &Path) -> Result<Vec<Row>> {
    let watch = Watch::of(site.forwarder, STAYS)?;
    let begun = Instant::now();
    let told = std::thread::scope(|scope| -> Result<(Instant, Instant)> {
        let going = scope.spawn(|| guard.gone().map(|()| Instant::now()));
        let free = client.wait(LATE, false, EFFECT)?;
        let done = going.join().map_err(|_| anyhow::anyhow!("the guard was not told"))??;
        Ok((free, done))
    })?;
    let gap = watch.end()?;
    let empty = wait("empty", || fs::metadata(folder.join("names.txt")).is_ok_and(|file| file.len() < 100))?;
    let millis = |since: Instant| since.duration_since(begun).as_secs_f64() * 1e3;
    let (free, done) = (millis(told.0), millis(told.1));
    let longest = gap.longest.as_secs_f64() * 1e3;
    let beside = format!(
        "all of it is out of the set after {} ms, and out of the files after {} ms",
        short(done),
        short(millis(empty))
    );
    Ok(vec![
        Row::told(
            "a feed is suspended: until the forwarder answers its names truly, ms",
            format!("{} ms", short(free)),
            beside,
        )
        .judged(free, Bound::AtMost(EFFECT_MS), None),
        Row::told(
            "longest gap between answers for a listed name of another feed meanwhile, ms",
            format!("{} ms, {} answers", short(longest), gap.answers),
            "",
        )
        .judged(longest, Bound::AtMost(GAP_MS), None),
    ])
}
