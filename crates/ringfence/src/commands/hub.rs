//! `ringfence hub`: one hub of one programme.

use std::io::IsTerminal as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use hub::{Tls, TlsFiles};
use model::SystemClock;
use programme::Programme;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::data_dir::DataDir;
use crate::oidc_file;
use crate::output::{Exit, Output, add, count};
use crate::serving::{self, Faces, Hosting};

/// Run a hub.
///
/// Its first start makes the keys (keys.toml) and writes the first operator's token (operator.token) into the data
/// directory. SIGTERM and SIGINT stop it softly; certificates and keys that are replaced are read again by themselves, and
/// at SIGHUP at once.
#[derive(Debug, Args)]
pub(crate) struct Hub {
    /// The programme's folder
    #[arg(long, value_name = "DIR")]
    programme: PathBuf,
    /// The data directory; it is made if it is not there
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Another place for the data than files in the data directory
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8470", value_name = "ADDR")]
    listen: SocketAddr,
    /// The certificate chain in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Take clients' certificates of these authorities, in PEM, as credentials; `ringfence token add --certificate` says whose
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    client_ca: Option<PathBuf>,
    /// Speak plain HTTP to other machines, behind something that encrypts
    #[arg(long)]
    insecure_http: bool,
    /// The ledger's name for ever, such as hub.example/jcsp; first start only
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// Where members reach the hub, such as `https://hub.example`
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Believe the X-Forwarded-For of this proxy; may be given several times
    #[arg(long = "trusted-proxy", value_name = "ADDRESS")]
    trusted_proxies: Vec<IpAddr>,
    /// Let the programme's people sign in by the provider of OpenID Connect that this file names
    #[arg(long, value_name = "FILE")]
    oidc: Option<PathBuf>,
    /// Show /metrics to whoever reaches the port, instead of the programme's people alone
    #[arg(long)]
    open_metrics: bool,
    /// What to log: error, warn, info, debug, or filters such as hub=debug,info
    #[arg(long, env = "RINGFENCE_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
    /// How to log, on stderr
    #[arg(long, default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON document a line
    Json,
}

impl Hub {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        self.refuse_what_is_not_there()?;
        self.start_logging()?;
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls::from_files(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
                client_authorities: self.client_ca.clone(),
            })?),
            _ => None,
        };
        if tls.is_none() && !self.listen.ip().is_loopback() && !self.insecure_http {
            bail!(
                "without --tls-cert and --tls-key the hub listens on loopback only, not on {}; use --insecure-http if \
                 something in front of it encrypts",
                self.listen
            );
        }
        let provider =
            self.oidc.as_deref().map(|file| oidc_file::read(file, self.public_url.as_deref())).transpose()?;
        let programme = Arc::new(self.load()?);
        let data = DataDir::new(&self.data);
        let is_first = !data.token_path().exists();
        let clock = Arc::new(SystemClock::default());
        let folder = Some(self.programme.as_path());
        let mut hosting = Hosting::open(&programme, folder, &data, self.origin.as_deref(), clock)?;
        if let Some(provider) = provider {
            hosting = hosting.with_provider(provider);
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        let faces = Faces {
            tls,
            public_url: self.public_url.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            open_metrics: self.open_metrics,
        };
        serving::runtime()?.block_on(async {
            let (listener, bound) = serving::listen(self.listen).await?;
            let url = format!("{scheme}://{bound}");
            // Whoever reads the announcement may send a signal at once.
            let signal = serving::stop_signal()?;
            announce(&hosting, &data, &url, is_first, output)?;
            let stop = async {
                signal.await;
                tracing::info!("stopping: running requests end, then the hub does");
            };
            hosting.serve(listener, faces, stop).await
        })?;
        tracing::info!("stopped");
        Ok(Exit::Done)
    }

    fn refuse_what_is_not_there(&self) -> Result<()> {
        if let Some(store) = &self.store {
            let kind = store.split(':').next().unwrap_or_default();
            bail!("this version keeps its data in --data only; `{kind}` as a store is not available yet");
        }
        Ok(())
    }

    fn load(&self) -> Result<Programme> {
        let dir = self.programme.display();
        Programme::load(&self.programme).map_err(|error| {
            let problems = error.as_slice();
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            let faults = count(problems.len() as u128, "fault", "faults");
            anyhow::anyhow!("`{dir}` is no programme, it has {faults}; `ringfence check {dir}` shows all, the first is {first}")
        })
    }

    fn start_logging(&self) -> Result<()> {
        let filter =
            EnvFilter::try_new(&self.log).with_context(|| format!("`{}` is no log filter", self.log))?;
        let format = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match self.log_format {
            LogFormat::Text => format.with_ansi(std::io::stderr().is_terminal()).init(),
            LogFormat::Json => format.json().flatten_event(true).init(),
        }
        Ok(())
    }
}

fn announce(hosting: &Hosting, data: &DataDir, url: &str, is_first: bool, output: Output) -> Result<()> {
    let exchange = hosting.exchange();
    let programme = exchange.programme();
    let name = &programme.settings().name;
    let head = exchange.ledger_head();
    let token = Some(data.token_path()).filter(|path| is_first && path.exists());
    tracing::info!(url, programme = %name, ledger.size = head.size, "the hub listens");
    output.step(
        &json!({"url": url, "programme": name, "ledger": {"size": head.size, "vkey": head.vkey}, "token_file": token}),
        || {
            let mut text = format!("The hub of `{name}` listens on {url}\n  TAXII   {url}/taxii2/\n  ledger  {}", head.vkey);
            if let Some(token) = &token {
                add!(text, "\n  operator's token in {}", token.display());
            }
            text
        },
    )
}
