//! `ringfence guard`: what a provider runs to protect its customers.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use guard::config::Config;
use guard::run;
use guard::secrets::Secrets;
use model::{Clock, SystemClock};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing_subscriber::EnvFilter;

use crate::output::{Exit, Output, add, count};
use crate::serving;

/// Protect customers with what a hub shares: sinkhole, mail quarantine, flow alerts, feeds for other tools.
///
/// SIGTERM and SIGINT stop it softly; SIGHUP has it read the configuration again. docs/guard.md describes that.
#[derive(Debug, Args)]
pub(crate) struct Guard {
    /// The configuration
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// Say what is wrong with the configuration, and start nothing
    #[arg(long)]
    check: bool,
    /// Let an indicator enforce again that only monitors because it matched far more than its peers: the reference that the log, the
    /// status page and what blocks show. A guard that runs takes it within a second, and any other when it starts
    #[arg(long, value_name = "REF", conflicts_with = "check")]
    promote: Option<String>,
    /// What to log: error, warn, info, debug, or filters such as guard=debug,info
    #[arg(long, env = "RINGFENCE_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
    /// Log as JSON, one document a line
    #[arg(long)]
    log_json: bool,
}

impl Guard {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let read = if self.check { Config::check(&self.config) } else { Config::load(&self.config) };
        let config = match read {
            Ok(config) => config,
            Err(error) if self.check => return wrong(&error, output),
            Err(error) => {
                let first = error.as_slice().first().map(ToString::to_string).unwrap_or_default();
                let faults = count(error.as_slice().len() as u128, "fault", "faults");
                bail!(
                    "the configuration has {faults}; `ringfence guard --check` shows all, the first is {first}"
                );
            }
        };
        if let Some(reference) = &self.promote {
            return promote(&config, reference, output);
        }
        if self.check {
            output.result(&json!({"ok": true}), || {
                format!("{} is fine: {}", self.config.display(), summary(&config))
            })?;
            return Ok(Exit::Done);
        }
        self.start_logging()?;
        let summary = summary(&config);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let guard = Arc::new(run::Guard::start(config, &clock)?);
        let (served, path) = (Arc::clone(&guard), self.config.clone());
        serving::runtime()?.block_on(async move {
            let signal = serving::stop_signal()?;
            let (stop, stopped) = watch::channel(false);
            let (reload, reloads) = mpsc::channel(1);
            let reloading = reload_on_signal(path, Arc::clone(&served), reload)?;
            let faces = guard::faces::serve(served, stopped, reloads, || {
                tracing::info!("the guard is up: {summary}");
                // Whoever started it learns that it is up even if nothing is logged.
                let _closed = output.step(&json!({"up": true}), || format!("The guard is up: {summary}"));
            });
            let ends = async {
                signal.await;
                // The faces may have ended by themselves.
                let _ended = stop.send(true);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                served = faces => served.context("the guard's faces"),
                () = ends => Ok(()),
                () = reloading => Ok(()),
            }
        })?;
        guard.stop();
        Ok(Exit::Done)
    }

    fn start_logging(&self) -> Result<()> {
        let filter =
            EnvFilter::try_new(&self.log).with_context(|| format!("`{}` is no log filter", self.log))?;
        let format = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        if self.log_json {
            format.json().flatten_event(true).init();
        } else {
            format.with_ansi(std::io::stderr().is_terminal()).init();
        }
        Ok(())
    }
}

/// Reads the configuration again at each SIGHUP, and hands it on if it is without fault.
fn reload_on_signal(
    path: PathBuf,
    guard: Arc<run::Guard>,
    reload: mpsc::Sender<Config>,
) -> Result<impl Future<Output = ()>> {
    let mut hangups = signal(SignalKind::hangup()).context("waiting for SIGHUP")?;
    Ok(async move {
        while hangups.recv().await.is_some() {
            tracing::info!(path = %path.display(), "the configuration is read again");
            match Config::load(&path) {
                // The faces take it as soon as they are through with the one before.
                Ok(config) => drop(reload.send(config).await),
                Err(error) => {
                    let faults: Vec<String> = error.as_slice().iter().map(ToString::to_string).collect();
                    for fault in &faults {
                        tracing::error!("the configuration stays as it was: {fault}");
                    }
                    guard.refused(faults);
                }
            }
        }
        std::future::pending::<()>().await;
    })
}

fn promote(config: &Config, reference: &str, output: Output) -> Result<Exit> {
    if !config.key_file.exists() {
        bail!("`{}` is not there: the guard has not been started yet", config.key_file.display());
    }
    let secrets = Secrets::load_or_make(&config.key_file, [0; 32])
        .with_context(|| format!("reading `{}`", config.key_file.display()))?;
    guard::engine::promote(config, &secrets, reference)?;
    output.result(&json!({"promoted": reference}), || {
        format!("{reference} enforces again as its feed does.")
    })?;
    Ok(Exit::Done)
}

fn wrong(error: &model::Problems, output: Output) -> Result<Exit> {
    let problems: Vec<String> = error.as_slice().iter().map(ToString::to_string).collect();
    output.result(&json!({"ok": false, "problems": problems}), || problems.join("\n"))?;
    Ok(Exit::Wrong)
}

/// What a configuration sets up, in a line.
fn summary(config: &Config) -> String {
    let feeds: Vec<String> =
        config.feeds.iter().map(|feed| format!("{} ({})", feed.alias, word(feed.mode))).collect();
    let mut text = format!("follows {}", feeds.join(", "));
    let faces = [
        ("policy zones", config.sinkhole.rpz.is_some()),
        ("forwarder", config.sinkhole.forwarder.is_some()),
        ("mail", config.quarantine.is_some()),
        ("flows", config.flows.is_some()),
    ];
    let faces: Vec<&str> = faces.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| *name).collect();
    if faces.is_empty() {
        add!(text, "; no countermeasure is configured");
    } else {
        add!(text, "; {}", faces.join(", "));
    }
    if let Some(address) = config.status {
        add!(text, "; status at http://{address}/");
    }
    text
}

fn word(mode: guard::config::Mode) -> &'static str {
    match mode {
        guard::config::Mode::Monitor => "monitor",
        guard::config::Mode::Enforce => "enforce",
    }
}
