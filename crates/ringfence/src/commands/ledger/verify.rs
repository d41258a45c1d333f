//! `ringfence ledger verify`: the whole log, its growth since an older checkpoint, one entry's place in it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use ledger::note::SignedNote;
use ledger::verify::{Fault, LogSource as _, Report, receipt, verify_log};
use ledger::{Checkpoint, NoteVerifier, TlogProof, Trust};
use serde::Serialize;
use serde_json::{Value, json};

use super::Source;
use crate::logs::{Log, LogError};
use crate::output::{Exit, Output, add, count, grouped, listed};

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The URL of a hub or of any server with the log's files, or a folder with them; the hub if left out
    #[arg(conflicts_with = "data", value_name = "URL|DIR")]
    log: Option<String>,
    /// The key to believe, `name+hash+key`, from somebody whom you believe; the log's own if left out
    #[arg(long, value_name = "KEY")]
    vkey: Option<String>,
    /// A checkpoint that you kept: the log has to continue it
    #[arg(long, value_name = "FILE")]
    older: Option<PathBuf>,
    /// Check the place of this entry
    #[arg(long, value_name = "NUMBER")]
    entry: Option<u64>,
    /// Check this receipt, and show what it proves
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Write the verified checkpoint here, for `--older` next time
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
}

/// A log that was verified.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verified {
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) root: String,
    pub(crate) signed_by: Vec<String>,
    pub(crate) bundles: u64,
    pub(crate) tiles: u64,
    pub(crate) bytes: u64,
    /// The size of the older checkpoint that this log continues.
    pub(crate) continues: Option<u64>,
    /// The signed head that was verified.
    #[serde(skip)]
    pub(crate) checkpoint: String,
}

/// What was found out about one entry.
#[derive(Debug, Serialize)]
struct Entry {
    index: u64,
    commitment: String,
    /// What it says, if the receipt opens it.
    body: Option<Value>,
}

impl Verify {
    pub(super) fn run(self, output: Output) -> Result<Exit> {
        let proof = self.read_receipt()?;
        if let (Some(proof), None, None, Some(vkey), false) =
            (&proof, &self.log, &self.source.data, &self.vkey, self.source.connection.is_given())
        {
            return receipt_alone(proof, &trust_in(vkey)?, output);
        }
        let mut log = self.find_log()?;
        let (trust, key_is_known) = self.trust(&log)?;
        let older = self.older.as_ref().map(|file| older(file, &trust)).transpose()?;
        let index = proof.as_ref().map(|proof| proof.index).or(self.entry);
        match check(&mut log, &trust, older.as_ref(), index, proof.as_ref()) {
            Ok((verified, entry)) => {
                if let Some(file) = &self.keep {
                    fs::write(file, &verified.checkpoint)
                        .with_context(|| format!("writing `{}`", file.display()))?;
                }
                let json =
                    json!({"ok": true, "log": verified, "entry": entry, "key_was_given": key_is_known});
                output.result(&json, || describe(&log, &verified, entry.as_ref(), key_is_known))?;
                Ok(Exit::Done)
            }
            Err(Wrong::Log(fault)) => wrong(&format!("the log does not verify: {fault}"), output),
            Err(Wrong::Entry(message)) => wrong(&message, output),
            Err(Wrong::Unreadable(error)) => Err(error),
        }
    }

    fn read_receipt(&self) -> Result<Option<TlogProof>> {
        let Some(file) = &self.receipt else { return Ok(None) };
        let shown = file.display();
        let text = fs::read_to_string(file).with_context(|| format!("reading the receipt in `{shown}`"))?;
        let proof: TlogProof = text.parse().with_context(|| format!("`{shown}` is no receipt"))?;
        if let Some(index) = self.entry.filter(|index| *index != proof.index) {
            bail!("`{shown}` is the receipt of entry {}, not of {index}", proof.index);
        }
        Ok(Some(proof))
    }

    fn find_log(&self) -> Result<Log> {
        match &self.log {
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
                Log::over_http(self.source.connection.stranger(url)?)
            }
            Some(dir) => Ok(Log::Folder(PathBuf::from(dir))),
            None => self.source.log(),
        }
    }

    fn trust(&self, log: &Log) -> Result<(Trust, bool)> {
        if let Some(vkey) = &self.vkey {
            return Ok((trust_in(vkey)?, true));
        }
        let own = log.own_key()?;
        let own =
            own.with_context(|| format!("`{}` does not name its key; give it with --vkey", log.name()))?;
        Ok((trust_in(&own)?, false))
    }
}

fn trust_in(vkey: &str) -> Result<Trust> {
    let key: NoteVerifier = vkey.trim().parse().with_context(|| format!("`{vkey}` is no key of a log"))?;
    Ok(Trust::in_key(key)?)
}

fn older(file: &PathBuf, trust: &Trust) -> Result<Checkpoint> {
    let bytes =
        fs::read(file).with_context(|| format!("reading the older checkpoint in `{}`", file.display()))?;
    let opened = trust.open(&bytes).with_context(|| format!("the checkpoint in `{}`", file.display()))?;
    Ok(opened.checkpoint)
}

/// Why the answer is no, or why there is none.
enum Wrong {
    Log(Fault<LogError>),
    Entry(String),
    Unreadable(anyhow::Error),
}

fn check(
    log: &mut Log,
    trust: &Trust,
    older: Option<&Checkpoint>,
    index: Option<u64>,
    proof: Option<&TlogProof>,
) -> Result<(Verified, Option<Entry>), Wrong> {
    let (verified, found) = whole(log, trust, older, index)?;
    let Some(index) = index else { return Ok((verified, None)) };
    let Some(commitment) = found else {
        return Err(Wrong::Entry(format!("there is no entry {index}; the log has {}", verified.size)));
    };
    // The whole log was compared already; the short proof is what a receipt would hold.
    let note =
        SignedNote::parse(verified.checkpoint.as_bytes()).map_err(|error| Wrong::Entry(error.to_string()))?;
    let head: Checkpoint = note
        .text()
        .parse()
        .map_err(|error: ledger::checkpoint::CheckpointError| Wrong::Entry(error.to_string()))?;
    receipt(&mut *log, &head, note, index, &commitment, None)
        .map_err(|error| Wrong::Entry(error.to_string()))?;
    let body = match proof {
        None => None,
        Some(proof) => Some(opened(proof, trust, Some(&commitment)).map_err(Wrong::Entry)?),
    };
    Ok((verified, Some(Entry { index, commitment: hex::encode(&commitment), body })))
}

fn whole(
    log: &mut Log,
    trust: &Trust,
    older: Option<&Checkpoint>,
    index: Option<u64>,
) -> Result<(Verified, Option<Vec<u8>>), Wrong> {
    // One checkpoint for all that is compared: a hub at work signs a new one every moment.
    let signed = log.checkpoint().map_err(|error| Wrong::Unreadable(error.into()))?;
    let mut found = None;
    let mut source = Fixed { signed: signed.clone(), log };
    let report = verify_log(&mut source, trust, older, |at, entry| {
        if Some(at) == index {
            found = Some(entry.to_vec());
        }
    });
    match report {
        Ok(report) => Ok((verified_of(report, &signed), found)),
        Err(Fault::Source { path, source }) => {
            Err(Wrong::Unreadable(anyhow::Error::from(source).context(format!("reading `{path}`"))))
        }
        Err(fault) => Err(Wrong::Log(fault)),
    }
}

/// The log under one of its checkpoints.
struct Fixed<'l> {
    signed: Vec<u8>,
    log: &'l mut Log,
}

impl ledger::TileSource for Fixed<'_> {
    type Error = LogError;

    fn tile(&mut self, tile: ledger::Tile) -> Result<Option<Vec<u8>>, LogError> {
        self.log.tile(tile)
    }
}

impl ledger::verify::LogSource for Fixed<'_> {
    fn checkpoint(&mut self) -> Result<Vec<u8>, LogError> {
        Ok(self.signed.clone())
    }
}

fn verified_of(report: Report, signed: &[u8]) -> Verified {
    let Report { checkpoint, signed_by, bundles, tiles, bytes, continues, .. } = report;
    Verified {
        origin: checkpoint.origin.to_string(),
        size: checkpoint.size,
        root: checkpoint.root.to_string(),
        signed_by: signed_by.iter().map(ToString::to_string).collect(),
        bundles,
        tiles,
        bytes,
        continues,
        checkpoint: String::from_utf8_lossy(signed).into_owned(),
    }
}

/// Verifies a whole log.
pub(crate) fn verify(log: &mut Log, vkey: &str, older: Option<&str>) -> Result<Verified> {
    let trust = trust_in(vkey)?;
    let older = older.map(|older| trust.open(older.as_bytes())).transpose()?.map(|opened| opened.checkpoint);
    match whole(log, &trust, older.as_ref(), None) {
        Ok((verified, _)) => Ok(verified),
        Err(Wrong::Log(fault)) => bail!("the log does not verify: {fault}"),
        Err(Wrong::Entry(message)) => bail!(message),
        Err(Wrong::Unreadable(error)) => Err(error),
    }
}

/// What a receipt says, if it proves it; `commitment` is the entry that the log has in its place.
fn opened(proof: &TlogProof, trust: &Trust, commitment: Option<&[u8]>) -> Result<Value, String> {
    let (opening, _) =
        proof.verify_opening(trust).map_err(|error| format!("the receipt proves nothing: {error}"))?;
    if commitment.is_some_and(|commitment| commitment != opening.commitment()) {
        return Err(format!(
            "the receipt is of another entry than the one that the log has at {}",
            proof.index
        ));
    }
    let body = opening.read().map_err(|error| format!("the receipt's entry: {error}"))?;
    serde_json::to_value(&body).map_err(|error| error.to_string())
}

fn receipt_alone(proof: &TlogProof, trust: &Trust, output: Output) -> Result<Exit> {
    match opened(proof, trust, None) {
        Ok(body) => {
            let json = json!({"ok": true, "entry": {"index": proof.index, "body": body}});
            output.result(&json, || format!("The receipt is good: entry {} says\n{body:#}", proof.index))?;
            Ok(Exit::Done)
        }
        Err(message) => wrong(&message, output),
    }
}

fn wrong(message: &str, output: Output) -> Result<Exit> {
    eprintln!("ringfence: {message}");
    if output.is_json() {
        output.result(&json!({"ok": false, "fault": message}), String::new)?;
    }
    Ok(Exit::Wrong)
}

fn describe(log: &Log, verified: &Verified, entry: Option<&Entry>, key_is_known: bool) -> String {
    let Verified { origin, size, root, signed_by, bundles, tiles, bytes, continues, .. } = verified;
    let mut text = format!(
        "The log `{origin}` at {} is whole: {}, root {root}.\n",
        log.name(),
        count(*size, "entry", "entries"),
    );
    add!(text, "  signed by  {}\n", listed(signed_by));
    add!(
        text,
        "  read       {} bundles, {} tiles, {} bytes\n",
        grouped(*bundles),
        grouped(*tiles),
        grouped(*bytes)
    );
    if let Some(older) = continues {
        add!(text, "  continues  the checkpoint of {} that you kept\n", count(*older, "entry", "entries"));
    }
    if let Some(Entry { index, commitment, body }) = entry {
        add!(text, "  entry      {index} is in it: {commitment}\n");
        if let Some(body) = body {
            add!(text, "{body:#}\n");
        }
    }
    if !key_is_known {
        text.push_str(
            "The key is the one that the log itself names. Get it from somebody whom you believe, and give it with \
             --vkey.\n",
        );
    }
    text
}
