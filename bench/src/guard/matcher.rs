//! The set of indicators: memory, look-ups, and text beside `grep` with the same names.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use matcher::{Algorithm, BlindKey, Key, Matcher, Scope};
use nix::sys::resource::{UsageWho, getrusage};

use super::names::Numbers;
use crate::process::own_cpu;
use crate::report::{Bound, Row};
use crate::units::short;

const ASKED: u32 = 1_000_000;
/// Of each other kind, where they are listed too.
const OTHERS: u32 = 100_000;
const STRINGS: u32 = 10_000;
const TEXT_BYTES: usize = 64 << 20;
/// What grep and ripgrep are given: at their pace the whole would take minutes. Most of their run is building, of which ours has none, so
/// their rates rise with the text; the row says so, and no ratio is judged.
const PEER_TEXT_BYTES: usize = 16 << 20;
/// What ripgrep takes for a million names, nearly; on a machine with less it is left out, by name.
const RIPGREP_KILOBYTES: u64 = 12_000_000;

/// Text as of mails, one line in five hundred with a listed name; gives how many.
fn mail_text(numbers: &mut Numbers, names: &[String]) -> Result<(String, usize)> {
    let mut text = String::with_capacity(TEXT_BYTES + 4096);
    let mut planted = 0;
    while text.len() < TEXT_BYTES {
        for _ in 0..12 {
            text.push_str(&numbers.word(2, 9));
            text.push(' ');
        }
        match numbers.below(500) {
            0 => {
                let name: &String = numbers.choice(names);
                text.push_str(name);
                planted += 1;
            }
            1..60 => write!(
                text,
                "https://www.{}/{}?id={}",
                numbers.name(),
                numbers.word(3, 9),
                numbers.word(8, 20)
            )?,
            60..100 => write!(text, "{}@{}", numbers.word(3, 8), numbers.name())?,
            100..120 => text.push_str(
                "Received: from mx.example ([203.0.113.44]) by mail; Mon, 23 Nov 2026 11:00:00 +0000",
            ),
            _ => text.push('.'),
        }
        text.push('\n');
    }
    Ok((text, planted))
}

pub(super) fn timed(work: impl FnOnce()) -> Result<Duration> {
    let before = own_cpu()?;
    work();
    Ok(own_cpu()?.saturating_sub(before))
}

fn nanos_each(took: Duration, count: u32) -> f64 {
    took.as_secs_f64() * 1e9 / f64::from(count)
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn megabytes_a_second(bytes: usize, took: Duration) -> f64 {
    bytes as f64 / took.as_secs_f64() / 1e6
}

/// Gives the rows, and the bytes that a name takes where it is looked up.
pub(super) fn measure(names: &[String]) -> Result<(Vec<Row>, f64)> {
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    let keys: Vec<Key> =
        names.iter().map(|name| Key::name(name, Scope::Subdomains)).collect::<Result<_, _>>()?;
    let mut matcher = Matcher::new(*b"a secret for measuring, the same");
    let took = timed(|| {
        for (slot, key) in (0..).zip(&keys) {
            matcher.insert(key, slot);
        }
    })?;
    let each = nanos_each(took, u32::try_from(names.len())?);
    let mut rows = vec![Row::told("matcher: listing a name", format!("{} ns", short(each)), "")];
    let bytes_each = bytes_each(&matcher)?;
    let row = Row::told("matcher: memory for a name", format!("{} B", short(bytes_each)), "");
    rows.push(row.judged(bytes_each, Bound::AtMost(60.0), Some(Bound::AtMost(35.0))));
    rows.extend(look_ups(&mut matcher, &mut numbers, names, &keys)?);
    drop(keys);
    let (text, planted) = mail_text(&mut numbers, names)?;
    let rate = scan(&matcher, &text, planted)?;
    rows.push(beside_grep(names, &text, rate)?);
    list_others(&mut matcher, &mut numbers)?;
    rows.push(Row::told(
        "matcher: the same with 100,000 each of addresses, hashes, URLs and e-mail addresses listed",
        format!("{} MB/s", short(scan(&matcher, &text, planted)?)),
        "",
    ));
    for slot in 0..STRINGS {
        let words = [numbers.word(5, 5), numbers.word(5, 5), numbers.word(5, 5)];
        matcher.insert(&Key::text(&words.join(" "))?, slot);
    }
    rows.push(Row::told(
        "matcher: and 10,000 strings",
        format!("{} MB/s", short(scan(&matcher, &text, planted)?)),
        "",
    ));
    Ok((rows, bytes_each))
}

fn bytes_each(matcher: &Matcher) -> Result<f64> {
    let extent = matcher.extent();
    Ok(f64::from(u32::try_from(extent.names_bytes)?) / f64::from(u32::try_from(extent.names)?))
}

fn look_ups(
    matcher: &mut Matcher,
    numbers: &mut Numbers,
    names: &[String],
    keys: &[Key],
) -> Result<Vec<Row>> {
    let listed: Vec<&String> = (0..ASKED).map(|_| numbers.choice(names)).collect();
    let others: Vec<String> = (0..ASKED).map(|_| numbers.name()).collect();
    let mut hits = 0;
    let hit = timed(|| listed.iter().for_each(|name| matcher.names(name, |_| hits += 1)))?;
    ensure!(hits >= ASKED, "a listed name was not found");
    let miss = timed(|| others.iter().for_each(|name| matcher.names(name, |_| hits += 1)))?;
    let set = matcher.add_blind_set(BlindKey::new(b"a key for measuring, always this"));
    let key = BlindKey::new(b"a key for measuring, always this");
    let blinded: Vec<_> = keys[..1000].iter().map(|name| key.blind(name)).collect();
    for (slot, blinded) in (0..).zip(&blinded) {
        matcher.insert_blinded(set, blinded, slot);
    }
    let blind = timed(|| others.iter().for_each(|name| matcher.names(name, |_| hits += 1)))?;
    for (slot, value) in (0..).zip(&blinded) {
        matcher.remove_blinded(set, value, slot);
    }
    let told = |what: &str, took| Row::told(what, format!("{} ns", short(nanos_each(took, ASKED))), "");
    Ok(vec![
        told("matcher: asking for a listed name", hit),
        told("matcher: asking for another name", miss),
        told("matcher: the same with blinded names listed", blind),
    ])
}

/// Megabytes a second.
fn scan(matcher: &Matcher, text: &str, planted: usize) -> Result<f64> {
    let mut met = 0;
    let took = timed(|| {
        matcher.scan(text.as_bytes(), |found| {
            black_box(found);
            met += 1;
        });
    })?;
    ensure!(met >= planted, "{met} of {planted} planted names were met");
    Ok(megabytes_a_second(text.len(), took))
}

/// Names as patterns, without regard to where words end: what a shell has for this.
fn beside_grep(names: &[String], text: &str, ours: f64) -> Result<Row> {
    let work = tempfile::tempdir()?;
    let (patterns, sample) = (work.path().join("names"), work.path().join("mail"));
    std::fs::write(&patterns, names.join("\n"))?;
    std::fs::write(&sample, &text[..PEER_TEXT_BYTES])?;
    let mut told = Vec::new();
    for (peer, program, options) in
        [("grep -F -f", "grep", &["-F", "-c", "-f"][..]), ("ripgrep", "rg", &["-j1", "-F", "-c", "-f"][..])]
    {
        told.push(match peer_rate(program, options, &patterns, &sample) {
            Ok(rate) => format!("{peer}: {} MB/s, {} times slower", short(rate), short(ours / rate)),
            Err(why) => format!("{peer}: not measured ({why:#})"),
        });
    }
    let row = Row::told(
        "matcher: mail text, MB a CPU-s",
        format!("{} MB/s", short(ours)),
        format!("over 16 MB, its whole run: {}", told.join("; ")),
    );
    Ok(row.judged(ours, Bound::AtLeast(250.0), None))
}

/// Megabytes a second of CPU time.
fn peer_rate(program: &str, options: &[&str], patterns: &Path, sample: &Path) -> Result<f64> {
    if program == "rg" {
        let memory = std::fs::read_to_string("/proc/meminfo")?;
        let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
        let free: u64 = line.and_then(|line| line.split_whitespace().next()).unwrap_or("0").parse()?;
        ensure!(free > RIPGREP_KILOBYTES, "it takes 10 GB, and {} MB are free", free / 1_000);
    }
    let before = children_cpu()?;
    let status = Command::new(program)
        .args(options)
        .args([patterns, sample])
        .env("LC_ALL", "C")
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("running {program}"))?;
    ensure!(status.success(), "{program} found nothing");
    Ok(megabytes_a_second(PEER_TEXT_BYTES, children_cpu()?.saturating_sub(before)))
}

/// What children that have ended took of processors.
fn children_cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    Ok(Duration::from_micros(u64::try_from(micros(usage.user_time()) + micros(usage.system_time()))?))
}

fn list_others(matcher: &mut Matcher, numbers: &mut Numbers) -> Result<()> {
    for slot in 0..OTHERS {
        let address = std::net::Ipv4Addr::from(numbers.below(u32::MAX));
        matcher.insert(&Key::address(address.into()), slot);
        let mut digest = [0; 16];
        digest.fill_with(|| u8::try_from(numbers.below(256)).unwrap_or(0));
        matcher.insert(&Key::digest(Algorithm::Md5, &digest)?, slot);
        matcher.insert(&Key::url(&format!("http://{}/{}", numbers.name(), numbers.word(3, 9)))?, slot);
        matcher.insert(&Key::email(&format!("{}@{}", numbers.word(3, 9), numbers.name()))?, slot);
    }
    Ok(())
}
