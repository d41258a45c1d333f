//! Unbound and BIND as installed, with the names as their policy: taken from a guard, or read from a file as sites do today.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::dns::{Client, SAFE};
use super::forward::bytes_each;
use crate::process::{Process, free_port};
use crate::report::said;

/// How long a resolver may take until it blocks the last name of its zone.
pub(super) const LOAD: Duration = Duration::from_mins(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Unbound,
    Bind,
}

/// Where the policy comes from.
pub(super) enum Zone<'a> {
    /// A transfer from a primary at this port.
    Transfer { name: &'a str, primary: u16 },
    /// A file.
    File { name: &'a str, path: &'a Path },
}

/// A resolver that runs. It is stopped when this is dropped.
pub(super) struct Resolver {
    pub(super) process: Process,
    pub(super) port: u16,
    kind: Kind,
    home: PathBuf,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unbound => "Unbound",
            Self::Bind => "BIND",
        }
    }

    pub(super) fn version(self) -> String {
        match self {
            Self::Unbound => said(Command::new("unbound").arg("-V")).replace("Version", "Unbound"),
            Self::Bind => said(Command::new("named").arg("-v")),
        }
    }

    /// Starts it at a port, in a folder of its own; everything that it does not block it asks `world`.
    pub(super) fn start(
        self,
        home: &Path,
        port: u16,
        zone: &Zone<'_>,
        world: SocketAddr,
    ) -> Result<Resolver> {
        fs::create_dir_all(home)?;
        let settings = home.join("conf");
        let (program, text) = match self {
            Self::Unbound => ("unbound", unbound(home, port, zone, world)),
            Self::Bind => ("named", bind(home, port, zone, world)),
        };
        fs::write(&settings, text)?;
        let mut command = Command::new(program);
        match self {
            Self::Unbound => command.arg("-d"),
            Self::Bind => command.arg("-g"),
        };
        let log = home.join("log");
        let process = Process::start(self.name(), command.arg("-c").arg(&settings), &log)?;
        Ok(Resolver { process, port, kind: self, home: home.to_owned() })
    }
}

impl Resolver {
    /// Waits until it blocks a name; gives when it did.
    pub(super) fn wait_for(&mut self, name: &str) -> Result<Instant> {
        let waited =
            self.process.wait_for(self.port).and_then(|()| Client::new(self.port)?.wait(name, true, LOAD));
        waited.with_context(|| {
            let log = fs::read_to_string(self.home.join("log")).unwrap_or_default();
            format!("{} says: {}", self.kind.name(), log.lines().last().unwrap_or_default())
        })
    }

    /// Reads one zone's file again, and nothing else. Only for Unbound.
    pub(super) fn read_again(&self, zone: &str) -> Result<()> {
        let status = Command::new("unbound-control")
            .arg("-c")
            .arg(self.home.join("conf"))
            .args(["auth_zone_reload", zone])
            .stdout(Stdio::null())
            .status()
            .context("running unbound-control")?;
        ensure!(status.success(), "unbound-control failed");
        Ok(())
    }
}

fn unbound(home: &Path, port: u16, zone: &Zone<'_>, world: SocketAddr) -> String {
    let shown = home.display();
    let mut text = format!(
        "server:\n interface: 127.0.0.1@{port}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n directory: \"{shown}\"\n \
         pidfile: \"{shown}/pid\"\n use-syslog: no\n do-not-query-localhost: no\n module-config: \"respip iterator\"\n\
         remote-control:\n control-enable: yes\n control-interface: {shown}/control\nforward-zone:\n name: \".\"\n \
         forward-addr: 127.0.0.1@{}\nrpz:\n",
        world.port()
    );
    let _ = match zone {
        Zone::Transfer { name, primary } => writeln!(text, " name: {name}\n primary: 127.0.0.1@{primary}"),
        Zone::File { name, path } => writeln!(text, " name: {name}\n zonefile: \"{}\"", path.display()),
    };
    text
}

fn bind(home: &Path, port: u16, zone: &Zone<'_>, world: SocketAddr) -> String {
    let shown = home.display();
    let (name, source) = match zone {
        Zone::Transfer { name, primary } => (
            name,
            format!(
                "type secondary; primaries {{ 127.0.0.1 port {primary}; }}; allow-notify {{ 127.0.0.1; }}; file \"zone\";"
            ),
        ),
        Zone::File { name, path } => (name, format!("type primary; file \"{}\";", path.display())),
    };
    // It applies the policy without asking the world first, at once, and writes no line for each: the other way costs it more.
    format!(
        "options {{ directory \"{shown}\"; pid-file \"{shown}/pid\"; session-keyfile \"{shown}/session\"; \
         listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion yes; dnssec-validation no; \
         notify no; forwarders {{ 127.0.0.1 port {}; }}; forward only; \
         response-policy {{ zone \"{name}\"; }} qname-wait-recurse no min-update-interval 0; }};\n\
         controls {{ }};\nlogging {{ category rpz {{ null; }}; }};\nzone \"{name}\" {{ {source} }};\n",
        world.port()
    )
}

/// Writes the names as a policy zone with all below each, as the guard's zone has them but without its references; `more`
/// stands behind them.
pub(super) fn write_zone(path: &Path, serial: u32, names: &[String], more: Option<&str>) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "$TTL 30\n@ SOA localhost. root.localhost. {serial} 3600 600 86400 30\n@ NS localhost.")?;
    for name in names.iter().map(String::as_str).chain(more) {
        writeln!(file, "{name} A {SAFE}\n*.{name} A {SAFE}")?;
    }
    Ok(file.flush()?)
}

/// A resolver with a policy zone of these names, read from a file.
pub(super) struct Loaded {
    pub(super) resolver: Resolver,
    pub(super) figures: Figures,
}

/// What that took.
#[derive(Clone, Copy)]
pub(super) struct Figures {
    /// From its start to the first blocked answer.
    pub(super) took: Duration,
    pub(super) cpu_seconds: f64,
    /// Resident, less what it takes with a zone of one name.
    pub(super) bytes_each: f64,
}

pub(super) fn load(kind: Kind, home: &Path, names: &[String], world: SocketAddr) -> Result<Loaded> {
    let (small, large) = (home.join("small.zone"), home.join("large.zone"));
    fs::create_dir_all(home)?;
    write_zone(&small, 1, &names[..1], None)?;
    write_zone(&large, 1, names, None)?;
    let zone = |path| Zone::File { name: ZONE, path };
    let mut empty = kind.start(&home.join("small"), free_port()?, &zone(&small), world)?;
    empty.wait_for(&names[0])?;
    let (bare, _) = empty.process.resident_megabytes();
    drop(empty);
    let begun = Instant::now();
    let mut resolver = kind.start(&home.join("large"), free_port()?, &zone(&large), world)?;
    let took = resolver.wait_for(names.last().context("there are names")?)?.duration_since(begun);
    let (resident, _) = resolver.process.resident_megabytes();
    let cpu_seconds = resolver.process.cpu_seconds();
    let figures = Figures { took, cpu_seconds, bytes_each: bytes_each(resident, bare, names.len()) };
    Ok(Loaded { resolver, figures })
}

/// What the zone is called when it is read from a file.
pub(super) const ZONE: &str = "block.rpz.example";
