//! A hub's data directory: store, ledger, secrets, clock, programme, credentials.

use std::fs;
use std::io;
use std::path::Path;

use exchange::Exchange;
use model::{Action, Caller, CredentialId, Principal, Role, Timestamp};
use store::StoreError;

use super::{Findings, machine};
use crate::commands::{check, ledger};
use crate::data_dir::DataDir;
use crate::logs::Log;

/// How long before a credential's end its holder should hear of it.
const CREDENTIAL_DAYS: i64 = 14;
/// How far the clock may stand behind what the hub handed out; the hub itself runs a little ahead when it is busy.
const CLOCK_BEHIND_MAX_MICROS: i64 = 5_000_000;
const DAY_MICROS: i64 = 86_400_000_000;

pub(super) fn look(
    dir: &Path,
    programme: Option<&Path>,
    now: Timestamp,
    reach: &mut Vec<String>,
    found: &mut Findings,
) {
    let data = DataDir::new(dir);
    if !dir.is_dir() {
        let remedy = "name the directory that `ringfence hub --data` has";
        return found.fault("directory", format!("`{}` is no directory", dir.display()), remedy);
    }
    if !data.has_store() {
        let remedy =
            "name the directory that `ringfence hub --data` has; or start the hub once, it makes its store";
        return found.fault("store", format!("there is none in `{}`", dir.display()), remedy);
    }
    look_at_secrets(&data, found);
    machine::look_at_disk(dir, found);
    let beside = look_at_store(dir, found);
    // Before the store is opened: a hub at work keeps a checkpoint after the commit that it speaks of, so what is opened later
    // has at least as much.
    let kept = data.kept_checkpoint();
    match open(&data, beside) {
        Ok(exchange) => {
            look_at_ledger(kept, &exchange, found);
            look_at_clock(&exchange, now, found);
            look_at_programme(&exchange, programme, reach, found);
            look_at_credentials(&exchange, now, found);
        }
        Err(error) => found.fault(
            "hub",
            format!("what the store holds cannot be opened: {error:#}"),
            "restore a backup into a new directory (`ringfence restore`)",
        ),
    }
}

fn open(data: &DataDir, beside: bool) -> anyhow::Result<Exchange> {
    // A hub may commit between two of the reads by which a store is opened; asked again, they agree.
    if beside { data.read_beside().or_else(|_| data.read_beside()) } else { data.read_offline() }
}

fn look_at_secrets(data: &DataDir, found: &mut Findings) {
    machine::look_at_secret(data.path(), found);
    match data.keys_path() {
        Some(path) => machine::look_at_secret(&path, found),
        None => found.fault(
            "secrets",
            format!("there is no keys.toml in `{}`", data.path().display()),
            "put back the one that belongs to this store; without it the ledger cannot go on",
        ),
    }
    let Ok(files) = fs::read_dir(data.path()) else { return };
    let mut others: Vec<_> = files.filter_map(Result::ok).map(|file| file.path()).collect();
    others.sort();
    let is_secret = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name == "operator.token"
            || name.strip_prefix("webhook-").is_some_and(|rest| rest.strip_suffix(".key").is_some())
    };
    for path in others.iter().filter(|path| is_secret(path)) {
        machine::look_at_secret(path, found);
    }
}

/// Checks the store, and says whether a hub has it open.
fn look_at_store(dir: &Path, found: &mut Findings) -> bool {
    const SUBJECT: &str = "store";
    let (report, beside) = match store_sqlite::verify(dir) {
        Err(StoreError::InUse(_)) => (store_sqlite::verify_beside(dir), true),
        report => (report, false),
    };
    let remedy = "stop the hub, keep a copy, and restore the last backup (`ringfence restore`)";
    match report {
        Ok(report) if report.is_sound() => {
            let bodies = if beside { ", bodies unread because a hub has it open" } else { "" };
            found.ok(
                SUBJECT,
                format!(
                    "sound: {} objects in {} segments, {} ledger entries, {} bytes of bodies{bodies}",
                    report.objects, report.segments, report.entries, report.body_bytes
                ),
            );
        }
        Ok(report) => {
            let first = report.problems.first().map(String::as_str).unwrap_or_default();
            found.fault(SUBJECT, format!("{} problems, the first: {first}", report.problems.len()), remedy);
        }
        Err(error) => found.fault(SUBJECT, format!("it cannot be read: {error}"), remedy),
    }
    beside
}

/// The whole log from its tiles, under the checkpoint that this store would sign and behind the one that was kept.
fn look_at_ledger(kept: io::Result<Option<Vec<u8>>>, exchange: &Exchange, found: &mut Findings) {
    const SUBJECT: &str = "ledger";
    let head = exchange.ledger_head();
    let kept = match kept {
        Ok(kept) => kept.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => {
            let told = format!("the kept checkpoint cannot be read: {error}");
            return found.fault(SUBJECT, told, "run this as the user that runs the hub, or look at the disk");
        }
    };
    if kept.is_none() {
        found.attention(
            SUBJECT,
            "no checkpoint is kept beside the store",
            "start the hub once; it keeps one",
        );
    }
    match ledger::verify(&mut Log::Data(Box::new(exchange.clone())), &head.vkey, kept.as_deref()) {
        Ok(verified) => {
            let after = verified.continues.map(|size| format!(", which continues the kept checkpoint of {size}"));
            let after = after.unwrap_or_default();
            found.ok(SUBJECT, format!("{} entries of {} verified against the tiles{after}", verified.size, verified.origin));
        }
        Err(error) => found.fault(
            SUBJECT,
            format!("it does not verify: {error:#}"),
            "stop the hub: the store is not the one that signed; restore the last backup, and tell who audits",
        ),
    }
}

fn look_at_clock(exchange: &Exchange, now: Timestamp, found: &mut Findings) {
    const SUBJECT: &str = "clock";
    let last = match exchange.last_instant() {
        Ok(last) => last,
        Err(error) => {
            return found.fault(
                SUBJECT,
                format!("the last instant cannot be read: {error}"),
                "see the store",
            );
        }
    };
    if last > now.plus_micros(CLOCK_BEHIND_MAX_MICROS) {
        let told = format!("it is {now}, and the last instant that was handed out is {last}");
        found.fault(SUBJECT, told, "set the clock; until it has caught up the hub is not ready");
    } else {
        found.ok(SUBJECT, format!("it is {now}; the last instant that was handed out is {last}"));
    }
}

fn look_at_programme(
    exchange: &Exchange,
    folder: Option<&Path>,
    reach: &mut Vec<String>,
    found: &mut Findings,
) {
    const SUBJECT: &str = "programme";
    let in_force = exchange.programme();
    reach.extend(in_force.settings().webhooks.iter().map(|hook| hook.url.clone()));
    let name = &in_force.settings().name;
    let Some(folder) = folder else {
        return found.ok(SUBJECT, format!("`{name}` is in force, version {}", in_force.digest()));
    };
    let remedy = format!("`ringfence check {}` shows all of it", folder.display());
    match check::glance(folder) {
        Ok(glance) if glance.faults > 0 => {
            found.fault(SUBJECT, format!("the folder has {} faults", glance.faults), remedy);
        }
        Ok(glance) if glance.digest != in_force.digest() => found.attention(
            SUBJECT,
            format!("the folder is version {}, and {} is in force", glance.digest, in_force.digest()),
            "restart the hub to put the folder in force, or put the folder back",
        ),
        Ok(glance) if !glance.proved => {
            found.attention(SUBJECT, "its rules are not proved throughout", remedy);
        }
        Ok(_) => found.ok(
            SUBJECT,
            format!("`{name}` is in force as the folder has it; its cases pass, and it is proved"),
        ),
        Err(error) => found.fault(SUBJECT, format!("the folder is no programme: {error}"), remedy),
    }
}

fn look_at_credentials(exchange: &Exchange, now: Timestamp, found: &mut Findings) {
    const SUBJECT: &str = "credentials";
    // Whoever reads the data directory itself may see all of them.
    let auditor = Caller {
        principal: Principal::Role(Role::Overseer),
        credential: CredentialId::from_bits(0),
        actions: [Action::Administer].into(),
        collections: None,
    };
    let credentials = match exchange.credentials(&auditor, None, usize::MAX) {
        Ok(credentials) => credentials,
        Err(error) => return found.fault(SUBJECT, format!("they cannot be read: {error}"), "see the store"),
    };
    let current: Vec<_> = credentials.iter().filter(|one| one.is_current(now)).collect();
    let soon = now.plus_micros(CREDENTIAL_DAYS * DAY_MICROS);
    let mut expiring = 0;
    for (one, expires) in
        current.iter().filter_map(|one| Some((one, one.expires.filter(|end| *end <= soon)?)))
    {
        expiring += 1;
        found.attention(
            SUBJECT,
            format!("`{}` expires at {expires}", one.id),
            "issue another (`ringfence token add`) and have its holder change over",
        );
    }
    if !current.iter().any(|one| one.principal == Principal::Role(Role::Operator)) {
        found.attention(
            SUBJECT,
            "no credential of an operator is accepted",
            "issue one with `ringfence token add --data`",
        );
    } else if expiring == 0 {
        found.ok(
            SUBJECT,
            format!("{} accepted, none of them ends within {CREDENTIAL_DAYS} days", current.len()),
        );
    }
}
