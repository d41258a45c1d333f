//! The set of indicators: memory, look-ups, and text beside `grep` with the same names.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use matcher::{Algorithm, BlindKey, Key, Matcher, Scope};
use nix::sys::resource::{UsageWho, getrusage};

use crate::process::own_cpu;
use crate::report::{Bound, Row};
use crate::units::short;

const NAMES: u32 = 1_000_000;
const ASKED: u32 = 1_000_000;
/// Of each other kind, where they are listed too.
const OTHERS: u32 = 100_000;
const STRINGS: u32 = 10_000;
const TEXT_BYTES: usize = 64 << 20;
/// What grep is given: at its pace the whole would take minutes. Most of its run is building, of which ours has none, so its rate rises with the text;
/// the row says so, and no ratio is judged.
const PEER_TEXT_BYTES: usize = 16 << 20;

/// Marsaglia's xorshift: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(limit)).unwrap_or(0)
    }

    fn choice<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(u32::try_from(choices.len()).unwrap_or(1)) as usize]
    }

    fn word(&mut self, shortest: u32, spread: u32) -> String {
        let length = shortest + self.below(spread);
        (0..length).map(|_| char::from(*self.choice(b"abcdefghijklmnopqrstuvwxyz0123456789"))).collect()
    }

    fn name(&mut self) -> String {
        let ends: [&str; 8] = ["com", "net", "org", "info", "ru", "top", "xyz", "de"];
        let end = ends[self.below(8) as usize];
        let before = if self.below(10) < 4 { format!("{}.", self.word(2, 6)) } else { String::new() };
        format!("{before}{}.{end}", self.word(8, 14))
    }
}

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

fn timed(work: impl FnOnce()) -> Result<Duration> {
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

pub(super) fn measure() -> Result<Vec<Row>> {
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    let names: Vec<String> = (0..NAMES).map(|_| numbers.name()).collect();
    let keys: Vec<Key> =
        names.iter().map(|name| Key::name(name, Scope::Subdomains)).collect::<Result<_, _>>()?;
    let mut matcher = Matcher::new(*b"a secret for measuring, the same");
    let took = timed(|| {
        for (slot, key) in (0..).zip(&keys) {
            matcher.insert(key, slot);
        }
    })?;
    let mut rows =
        vec![Row::told("matcher: listing a name", format!("{} ns", short(nanos_each(took, NAMES))), "")];
    rows.push(memory(&matcher)?);
    rows.extend(look_ups(&mut matcher, &mut numbers, &names, &keys)?);
    let (text, planted) = mail_text(&mut numbers, &names)?;
    let rate = scan(&matcher, &text, planted)?;
    rows.push(beside_grep(&names, &text, rate)?);
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
    Ok(rows)
}

fn memory(matcher: &Matcher) -> Result<Row> {
    let extent = matcher.extent();
    let each = f64::from(u32::try_from(extent.names_bytes)?) / f64::from(u32::try_from(extent.names)?);
    Ok(Row::told(
        "matcher: memory for a name",
        format!("{} B", short(each)),
        "measured before, not in this run: Unbound 1,100 B, BIND 540 B",
    )
    .judged(each, Bound::AtMost(60.0), Some(Bound::AtMost(35.0))))
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
    let work = Path::new(env!("CARGO_MANIFEST_DIR")).join("work");
    std::fs::create_dir_all(&work)?;
    let (patterns, sample) = (work.join("names.txt"), work.join("mail.txt"));
    std::fs::write(&patterns, names.join("\n"))?;
    std::fs::write(&sample, &text[..PEER_TEXT_BYTES])?;
    let before = children_cpu()?;
    let status = Command::new("grep")
        .args(["-F", "-c", "-f"])
        .args([&patterns, &sample])
        .env("LC_ALL", "C")
        .stdout(Stdio::null())
        .status()
        .context("running grep")?;
    ensure!(status.success(), "grep found nothing");
    let rate = megabytes_a_second(PEER_TEXT_BYTES, children_cpu()?.saturating_sub(before));
    std::fs::remove_file(patterns)?;
    std::fs::remove_file(sample)?;
    let row = Row::told(
        "matcher: mail text with a million names",
        format!("{} MB/s", short(ours)),
        format!("grep -F -f over 16 MB, its whole run: {} MB/s", short(rate)),
    );
    Ok(row.judged(ours, Bound::AtLeast(250.0), None))
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
