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
use matcher::{Key, Scope};
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

/// Writes exports until `stop` is set, as the configuration in force says.
pub fn run(
    current: &dyn Fn() -> Arc<Config>,
    judge: &Judge,
    salt: [u8; 16],
    shelf: &Shelf,
    stop: &AtomicBool,
) {
    let mut written: Option<(u64, Arc<Config>)> = None;
    while !stop.load(Ordering::Relaxed) {
        let (revision, config) = (judge.set().revision(), current());
        let same = |(known, by): &(u64, Arc<Config>)| *known == revision && Arc::ptr_eq(by, &config);
        if !written.as_ref().is_some_and(same) {
            for export in &config.exports {
                match write(&config, judge, salt, export, revision) {
                    Ok(output) => tell(export, &output, shelf),
                    Err(why) => warn!(path = %export.path.display(), "an export cannot be written: {why}"),
                }
            }
            if let Some((_, before)) = &written {
                let_go(before, &config, shelf);
            }
            written = Some((revision, config));
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

/// An entry with what it borrows.
struct Listed {
    key: Key,
    reference: String,
    category: String,
    action: Action,
    from: Timestamp,
    until: Option<Timestamp>,
}

fn listed(config: &Config, judge: &Judge, salt: [u8; 16], export: &Export) -> Vec<Listed> {
    let table = judge.set().table();
    let mut all = Vec::new();
    for record in table.slots.iter().flatten().filter(|record| record.is_active()) {
        let Some(feed) = config.feeds.get(usize::from(record.feed)) else { continue };
        let is_wanted = export.feeds.is_empty() || export.feeds.contains(&feed.alias);
        if !is_wanted || (config.has_customers && !record.rights.may_redistribute()) {
            continue;
        }
        let action = match record.mode(feed.mode) {
            Mode::Enforce => Action::Block,
            Mode::Monitor => Action::Monitor,
        };
        let category = table.categories.get(usize::from(record.category)).cloned().unwrap_or_default();
        let reference = reference(&salt, record.id);
        all.extend(record.keys.iter().map(|key| Listed {
            key: key.clone(),
            reference: reference.clone(),
            category: category.clone(),
            action,
            from: record.from,
            until: record.until,
        }));
    }
    all
}

/// No format but a policy zone can let pass a part of what it blocks. So a name with something allowed below it is listed by
/// itself, and a network with something allowed in it is not listed.
fn open_up(listed: &mut Vec<Listed>, allowed: &Allowed) -> usize {
    let before = listed.len();
    listed.retain(|one| !matches!(&one.key, Key::Prefix(prefix) if allowed.has_within(prefix)));
    let left_out = before - listed.len();
    let wide = listed.iter().filter_map(|one| {
        if let Key::Name(name, Scope::Subdomains) = &one.key { Some(name.as_str()) } else { None }
    });
    let wide: Vec<&str> = wide.collect();
    let opened: BTreeSet<String> = allowed.opened(&wide).into_iter().map(str::to_owned).collect();
    let mut narrowed = 0;
    for one in listed.iter_mut() {
        if let Key::Name(name, scope @ Scope::Subdomains) = &mut one.key
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
    judge: &Judge,
    salt: [u8; 16],
    export: &Export,
    revision: u64,
) -> Result<Output, String> {
    let mut listed = listed(config, judge, salt, export);
    let narrowed = open_up(&mut listed, &judge.set().allowed());
    if narrowed > 0 {
        info!(path = %export.path.display(), narrowed, "entries are narrowed or left out, since something allowed lies within");
    }
    let entries = listed.iter().map(|one| Entry {
        item: Item::Plain(&one.key),
        reference: &one.reference,
        category: &one.category,
        action: one.action,
        valid_from: date(one.from),
        valid_until: one.until.map(date),
        confidence: None,
    });
    let feed =
        Feed { name: "ringfence", revision: u32::try_from(revision % u64::from(u32::MAX)).unwrap_or(0) };
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

fn tell(export: &Export, output: &Output, shelf: &Shelf) {
    let rejected: usize = output.report.rejected.values().map(|rejected| rejected.count).sum();
    info!(path = %export.path.display(), written = output.report.written, rejected, "an export is written");
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
