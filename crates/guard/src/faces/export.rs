//! Files for the tools that a site has already, written anew whenever what is listed changes.
//!
//! No format knows an end, a recall or a mode, so the files are the memory of nothing: within a second of a change they say
//! what holds now, and they are empty when the lease is over or the feed is gone. What a customer may not be given stands in
//! no file where the site has customers, and what is only monitored stands in those formats only that can say so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use feeds::{Action, Entry, Feed, Format, Item, Output, Reader, Rpz, Rule, etag, replace};
use matcher::{Blinded, Key, Scope};
use model::Timestamp;
use time::OffsetDateTime;
use tracing::{info, warn};

use crate::allow::Allowed;
use crate::config::{Config, Export, ExportFormat, Mode};
use crate::judge::Judge;
use crate::record::reference;

/// How often it is looked whether something changed.
const LOOK: Duration = Duration::from_millis(500);
/// The first of the numbers of Suricata's rules; 1,000,000 to 1,999,999 are for local use.
const FIRST_SID: u32 = 1_900_000;

/// A file says that it holds a second less than it does.
const SLACK_MICROS: i64 = 1_000_000;

/// A file as it is served.
#[derive(Clone, Debug)]
pub struct Served {
    /// Its bytes.
    pub bytes: Arc<[u8]>,
    /// Its entity tag, with quotation marks.
    pub etag: String,
}

/// What is served below `/export/`, by name.
pub type Shelf = Arc<RwLock<BTreeMap<String, Served>>>;

/// What was written last.
struct Written {
    revision: u64,
    config: Arc<Config>,
    /// Until when it says that it holds, and when it is time to say more.
    until: Option<Timestamp>,
    renewed_at: Option<Timestamp>,
}

impl Written {
    /// Whether it says what holds now.
    fn holds(&self, revision: u64, config: &Arc<Config>, now: Timestamp, ends: Option<Timestamp>) -> bool {
        let is_late = self.renewed_at.is_some_and(|at| now >= at);
        // A lease that became shorter must not stand longer in a file.
        let is_too_long = self.until.is_none_or(|said| ends.is_some_and(|ends| said > ends));
        self.revision == revision
            && Arc::ptr_eq(&self.config, config)
            && !(ends.is_some() && (is_late || is_too_long))
    }
}

/// Writes exports until `stop` is set, as the configuration in force says. `until` says when the lease ends unless the hub is heard.
pub fn run(
    current: &dyn Fn() -> Arc<Config>,
    until: &dyn Fn() -> Option<Timestamp>,
    judge: &Judge,
    salt: [u8; 16],
    shelf: &Shelf,
    stop: &AtomicBool,
) {
    let mut written: Option<Written> = None;
    while !stop.load(Ordering::Relaxed) {
        let (revision, config) = (judge.set().revision(), current());
        // Clocks that are asked twice differ a little; a second less is as good.
        let (now, ends) = (judge.clock().now(), until());
        let until = ends.map(|ends| ends.plus_micros(-SLACK_MICROS));
        if !written.as_ref().is_some_and(|written| written.holds(revision, &config, now, ends)) {
            if !config.exports.is_empty() {
                write_all(&config, judge, salt, (revision, until), shelf);
            }
            if let Some(before) = &written {
                let_go(&before.config, &config, shelf);
            }
            // When half of it is over.
            let left = until.map(|until| until.as_micros().saturating_sub(now.as_micros()).max(0));
            let renewed_at = left.map(|left| now.plus_micros(left / 2));
            written = Some(Written { revision, config, until, renewed_at });
        }
        let since = Instant::now();
        while since.elapsed() < LOOK && !stop.load(Ordering::Relaxed) {
            thread::sleep(LOOK / 10);
        }
    }
}

/// What is no longer exported is no longer served. Its files stay where they are, and go stale: the site is told.
fn let_go(before: &Config, config: &Config, shelf: &Shelf) {
    for export in &before.exports {
        let now = config.exports.iter().find(|other| other.path == export.path);
        if now.is_none() {
            warn!(path = %export.path.display(), "this export is written no more; remove it where it is read");
        }
        if export.serve && !now.is_some_and(|now| now.serve) {
            let base = export.path.file_name().map(PathBuf::from).unwrap_or_default();
            let mut shelf = shelf.write().unwrap_or_else(PoisonError::into_inner);
            shelf.retain(|name, _| !Path::new(name).starts_with(&base));
        }
    }
}

/// What an entry is of.
enum Value {
    Plain(Key),
    Blinded(Blinded),
}

/// An entry with what it borrows.
struct Listed {
    feed: u16,
    value: Value,
    reference: Arc<str>,
    category: Arc<str>,
    action: Action,
    from: Timestamp,
    until: Option<Timestamp>,
}

/// All entries of all feeds, for whatever files they go into. They are taken a part at a time, so that nobody waits for the walk; what changes
/// meanwhile makes another revision, and so another writing.
fn listed(config: &Config, judge: &Judge, salt: [u8; 16]) -> Vec<Listed> {
    let mut all = Vec::new();
    let mut categories: BTreeMap<u16, Arc<str>> = BTreeMap::new();
    judge.set().each_record(|record, name| {
        let Some(feed) = config.feeds.get(usize::from(record.feed)).filter(|_| record.is_active()) else {
            return;
        };
        let action = match record.mode(feed.mode) {
            Mode::Enforce => Action::Block,
            Mode::Monitor => Action::Monitor,
        };
        let category = categories.entry(record.category).or_insert_with(|| Arc::from(name));
        let reference: Arc<str> = Arc::from(reference(&salt, record.id));
        let may_leave = !config.has_customers || record.rights.may_redistribute();
        let plain = record.keys.iter().filter(|_| may_leave).cloned().map(Value::Plain);
        // No file can have these, and each file's report says so.
        let blinded = record.blinded.iter().map(|(_, value)| Value::Blinded(*value));
        all.extend(plain.chain(blinded).map(|value| Listed {
            feed: record.feed,
            value,
            reference: Arc::clone(&reference),
            category: Arc::clone(category),
            action,
            from: record.from,
            until: record.until,
        }));
    });
    all
}

/// Writes all exports, each by a thread of its own: a small file does not wait for a large one.
fn write_all(
    config: &Config,
    judge: &Judge,
    salt: [u8; 16],
    (revision, until): (u64, Option<Timestamp>),
    shelf: &Shelf,
) {
    let began = Instant::now();
    let mut listed = listed(config, judge, salt);
    let narrowed = open_up(&mut listed, &judge.set().allowed());
    if narrowed > 0 {
        info!(narrowed, "entries are narrowed or left out of files, since something allowed lies within");
    }
    let listed = listed.as_slice();
    thread::scope(|scope| {
        for export in &config.exports {
            scope.spawn(move || match write(config, listed, export, (revision, until)) {
                Ok(output) => tell(export, &output, began.elapsed(), shelf),
                Err(why) => warn!(path = %export.path.display(), "an export cannot be written: {why}"),
            });
        }
    });
}

/// No format but a policy zone can let pass a part of what it blocks. So a name with something allowed below it is listed by
/// itself, and a network with something allowed in it is not listed.
fn open_up(listed: &mut Vec<Listed>, allowed: &Allowed) -> usize {
    let before = listed.len();
    listed
        .retain(|one| !matches!(&one.value, Value::Plain(Key::Prefix(prefix)) if allowed.has_within(prefix)));
    let left_out = before - listed.len();
    let wide = listed.iter().filter_map(|one| match &one.value {
        Value::Plain(Key::Name(name, Scope::Subdomains)) => Some(name.as_str()),
        Value::Plain(_) | Value::Blinded(_) => None,
    });
    let wide: Vec<&str> = wide.collect();
    let opened: BTreeSet<String> = allowed.opened(&wide).into_iter().map(str::to_owned).collect();
    let mut narrowed = 0;
    for one in listed.iter_mut() {
        if let Value::Plain(Key::Name(name, scope @ Scope::Subdomains)) = &mut one.value
            && opened.contains(name.as_str())
        {
            *scope = Scope::Exact;
            narrowed += 1;
        }
    }
    left_out + narrowed
}

fn write(
    config: &Config,
    listed: &[Listed],
    export: &Export,
    (revision, until): (u64, Option<Timestamp>),
) -> Result<Output, String> {
    let goes_in: Vec<bool> = config
        .feeds
        .iter()
        .map(|feed| export.feeds.is_empty() || export.feeds.contains(&feed.alias))
        .collect();
    let listed = listed.iter().filter(|one| goes_in.get(usize::from(one.feed)) == Some(&true));
    let entries = listed.map(|one| Entry {
        item: match &one.value {
            Value::Plain(key) => Item::Plain(key),
            Value::Blinded(value) => Item::Blinded(value),
        },
        reference: &one.reference,
        category: &one.category,
        action: one.action,
        valid_from: date(one.from),
        valid_until: one.until.map(date),
        confidence: None,
    });
    let feed = Feed {
        name: "ringfence",
        revision: u32::try_from(revision % u64::from(u32::MAX)).unwrap_or(0),
        until: until.map(date),
    };
    let output = feeds::write(&format(config, export.format), &feed, entries);
    match output.files.as_slice() {
        [file] => put(&export.path, &file.bytes)?,
        several => {
            std::fs::create_dir_all(&export.path).map_err(|error| error.to_string())?;
            for file in several {
                put(&export.path.join(&file.name), &file.bytes)?;
            }
        }
    }
    Ok(output)
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    replace(path, bytes).map(|_| ()).map_err(|error| error.to_string())
}

fn format(config: &Config, format: ExportFormat) -> Format {
    let addresses = config.sinkhole.addresses.get("").cloned().unwrap_or_default();
    match format {
        ExportFormat::Rpz => Format::Rpz(Rpz {
            zone: config
                .sinkhole
                .rpz
                .as_ref()
                .map_or_else(|| "rpz.ringfence".to_owned(), |rpz| rpz.origin.clone()),
            rule: if addresses.is_empty() { Rule::NxDomain } else { Rule::Addresses(addresses) },
            ttl_seconds: u32::try_from(config.sinkhole.ttl.as_secs()).unwrap_or(30),
            reader: Reader::Unbound,
        }),
        ExportFormat::Hosts => Format::Hosts(addresses),
        ExportFormat::Names => Format::Names,
        ExportFormat::Addresses => Format::Addresses,
        ExportFormat::Urls => Format::Urls,
        ExportFormat::Hashes => Format::Hashes,
        ExportFormat::Csv => Format::Csv,
        ExportFormat::Suricata => Format::Suricata { first_sid: FIRST_SID },
        ExportFormat::Zeek => Format::Zeek,
        ExportFormat::Squid => Format::Squid,
        ExportFormat::Nftables => Format::Nftables { table: "ringfence".to_owned() },
        ExportFormat::Misp => Format::Misp,
        ExportFormat::Stix => Format::Stix,
    }
}

fn tell(export: &Export, output: &Output, took: Duration, shelf: &Shelf) {
    let rejected: usize = output.report.rejected.values().map(|rejected| rejected.count).sum();
    let (path, written, duration_ms) = (export.path.display(), output.report.written, took.as_millis());
    info!(%path, written, rejected, duration_ms, "an export is written");
    for (reason, rejected) in &output.report.rejected {
        info!(path = %export.path.display(), count = rejected.count, "not in the export: {reason}");
    }
    if !export.serve {
        return;
    }
    let base = export.path.file_name().map(PathBuf::from).unwrap_or_default();
    let mut shelf = shelf.write().unwrap_or_else(PoisonError::into_inner);
    for file in &output.files {
        let path = if output.files.len() == 1 { base.clone() } else { base.join(&file.name) };
        let served = Served { bytes: file.bytes.as_slice().into(), etag: etag(&file.bytes) };
        shelf.insert(path.display().to_string(), served);
    }
}

fn date(at: Timestamp) -> OffsetDateTime {
    let nanos = i128::from(at.as_micros()) * 1_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
