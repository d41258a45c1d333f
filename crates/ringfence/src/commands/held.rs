//! `ringfence held`: mail that a guard keeps.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use guard::config::Config;
use guard::faces::mail;
use guard::secrets::Secrets;
use model::{Clock as _, SystemClock};
use quarantine::store::{Kept, MailId, Reason, SmtpTarget, State, Store};
use serde_json::{Value, json};

use crate::output::{Exit, Output, add};

/// List, show, release and delete the mail that a guard keeps.
#[derive(Debug, Args)]
pub(crate) struct Held {
    /// The guard's configuration
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what is kept
    List,
    /// Show what is known of one mail
    Show {
        /// Its id
        id: MailId,
    },
    /// Give a mail back, byte for byte: to the configured mail server, or into a file
    Release {
        /// Its id
        id: MailId,
        /// Who wants it
        #[arg(long)]
        who: String,
        /// Why
        #[arg(long)]
        why: String,
        /// Write it here instead of sending it
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Delete a mail
    Delete {
        /// Its id
        id: MailId,
        /// Who wants it
        #[arg(long)]
        who: String,
        /// Why
        #[arg(long)]
        why: String,
    },
}

impl Held {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let config = Config::load(&self.config)?;
        if !config.key_file.exists() {
            bail!("`{}` is not there: the guard has not been started yet", config.key_file.display());
        }
        let secrets = Secrets::load_or_make(&config.key_file, [0; 32])
            .with_context(|| format!("reading `{}`", config.key_file.display()))?;
        let store = mail::store(&config, &secrets, false)?;
        let now = SystemClock::default().now();
        match self.action {
            Action::List => list(&store, output)?,
            Action::Show { id } => {
                let kept = found(store.show(&id)?, &id)?;
                output.result(&value(&kept), || line(&kept))?;
            }
            Action::Release { id, who, why, to } => {
                let reason = Reason { who: &who, why: &why };
                let told = match (to, config.quarantine.as_ref().and_then(|quarantine| quarantine.release_to))
                {
                    (Some(path), _) => {
                        let mut file = File::create_new(&path)
                            .with_context(|| format!("writing `{}`", path.display()))?;
                        found(store.release_to(&id, reason, &mut file, now)?, &id)?;
                        file.flush()?;
                        file.sync_all()?;
                        format!("written to {}", path.display())
                    }
                    (None, Some(address)) => {
                        let target = SmtpTarget { address, helo: "ringfence-guard".to_owned() };
                        found(store.release(&id, reason, &target, now)?, &id)?.to_string()
                    }
                    (None, None) => {
                        bail!("name a file with --to, or a mail server as `release_to` in the configuration")
                    }
                };
                output.result(&json!({"released": id.as_str(), "how": told}), || {
                    format!("{id}: {told}", id = id.as_str())
                })?;
            }
            Action::Delete { id, who, why } => {
                found(store.delete(&id, Reason { who: &who, why: &why }, now)?, &id)?;
                output.result(&json!({"deleted": id.as_str()}), || format!("{} is deleted.", id.as_str()))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn list(store: &Store, output: Output) -> Result<()> {
    let (kept, broken) = store.list()?;
    let values: Vec<Value> = kept.iter().map(value).collect();
    let faults: Vec<String> = broken.iter().map(ToString::to_string).collect();
    output.result(&json!({"held": values, "broken": faults}), || {
        let mut text = String::new();
        for one in &kept {
            add!(text, "{}\n", line(one));
        }
        for fault in &faults {
            add!(text, "broken: {fault}\n");
        }
        if text.is_empty() { "Nothing is held.".to_owned() } else { text }
    })
}

fn found<T>(what: Option<T>, id: &MailId) -> Result<T> {
    what.with_context(|| format!("no mail `{}` is held; `ringfence held CONFIG list` shows all", id.as_str()))
}

fn line(kept: &Kept) -> String {
    let about = &kept.about;
    let state = state(kept.state);
    format!(
        "{}  {state}  {}  {} bytes  from {} to {}  `{}`  for {}",
        kept.id.as_str(),
        about.at,
        about.bytes,
        about.sender,
        about.recipients.join(", "),
        about.subject,
        about.references.join(", ")
    )
}

fn value(kept: &Kept) -> Value {
    json!({"id": kept.id.as_str(), "state": state(kept.state), "about": kept.about})
}

fn state(state: State) -> &'static str {
    match state {
        State::Held => "held",
        State::Released => "released",
    }
}
