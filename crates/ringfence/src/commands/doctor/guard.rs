//! A guard: its configuration, key, store, lease and feeds.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use guard::config::Config;
use guard::hold::Hold;
use guard::lease::{self, Lease, Standing};
use guard::secrets::Secrets;
use model::Timestamp;

use super::{Findings, machine};
use crate::data_dir::fill_random;

pub(super) fn look(file: &Path, now: Timestamp, reach: &mut Vec<String>, found: &mut Findings) {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(error) => {
            let first = error.as_slice().first().map(ToString::to_string).unwrap_or_default();
            let told = format!("{} faults, the first: {first}", error.as_slice().len());
            return found.fault("configuration", told, "`ringfence guard --check` shows all of them");
        }
    };
    found.ok("configuration", format!("`{}` has no fault", file.display()));
    reach.push(config.hub.url.clone());
    if let Some(status) = config.status {
        reach.push(format!("http://{status}/"));
    } else {
        found.attention(
            "status",
            "no status address is configured",
            "set `status`, so that it can be watched",
        );
    }
    machine::look_at_secret(&config.hub.token_file, found);
    if !config.key_file.exists() {
        let told = format!("`{}` is not there", config.key_file.display());
        return found.fault("store", told, "start the guard once; it makes its key and its store");
    }
    machine::look_at_secret(&config.key_file, found);
    machine::look_at_disk(&config.data, found);
    look_at_store(&config, now, found);
}

/// Reads everything that the guard holds, and says how its lease stands by what it heard last.
fn look_at_store(config: &Config, now: Timestamp, found: &mut Findings) {
    const SUBJECT: &str = "store";
    let mut fresh = [0; 32];
    fill_random(&mut fresh);
    let secrets = match Secrets::load_or_make(&config.key_file, fresh) {
        Ok(secrets) => secrets,
        Err(error) => {
            return found.fault(
                SUBJECT,
                format!("the key cannot be read: {error}"),
                "put back the guard's key",
            );
        }
    };
    let key = secrets.hold_key();
    let mut feeds: BTreeMap<String, Option<Timestamp>> = BTreeMap::new();
    let mut frames = 0_u64;
    let read = Hold::peek(&config.data, &key, |frame| {
        frames += 1;
        let heard = (frame.heard > 0).then(|| Timestamp::from_micros(frame.heard));
        let last = feeds.entry(frame.feed).or_default();
        *last = heard.max(*last);
    });
    if let Err(error) = read {
        let remedy =
            "start the guard where it reaches the hub, with an empty data folder: it fetches everything anew";
        return found.fault(SUBJECT, format!("it cannot be read: {error}"), remedy);
    }
    found.ok(SUBJECT, format!("{frames} frames read, all of them whole"));
    for feed in &config.feeds {
        match feeds.get(&feed.alias).copied().flatten() {
            Some(heard) => found.ok("feed", format!("`{}` was last heard at {heard}", feed.alias)),
            None => found.attention(
                "feed",
                format!("`{}` was never heard", feed.alias),
                "is it the collection's alias, and may this guard's credential read it?",
            ),
        }
    }
    let granted = match lease::granted(&key, &config.data) {
        Ok(granted) => granted,
        Err(error) => {
            let remedy = "start the guard where it reaches the hub";
            return found.fault("lease", format!("what the hub granted cannot be read: {error}"), remedy);
        }
    };
    let (length, began) = (lease::length(granted, config.hub.lease), Instant::now());
    let heard = feeds.values().copied().max().flatten();
    let remedy = "see that the guard runs and reaches the hub, and that its credential is accepted";
    match Lease::resumed(length, heard, now, began).standing(began) {
        Standing::Held(_) if granted.is_none() && config.hub.lease.is_none() => {
            found.ok("lease", "neither hub nor site set one");
        }
        Standing::Held(left) => found.ok("lease", format!("held for {} min more", left.as_secs() / 60)),
        Standing::Ending(left) => {
            found.attention("lease", format!("it ends in {} min", left.as_secs() / 60), remedy);
        }
        Standing::Over => found.fault("lease", "it is over: nothing that needs it is enforced", remedy),
    }
}
