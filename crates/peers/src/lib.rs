//! Other people's programs for the tests: resolvers, mail servers, exporters, a database server.
//!
//! What a test needs and is not installed is told by name, and the test is skipped; where `RINGFENCE_REQUIRE_PEERS=1` it fails
//! instead, so that a skipped test never looks like a passed one.
//!
//! The programs run **as the documentation says**: what is particular to Ringfence in their configuration is read out of the
//! [pages](docs), with ports in place of those that stand there, and only what a test needs beside it (folders, a world that
//! answers, short times) is added here. So every snippet that people copy is one that the tests have run.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

pub mod capture;
mod client;
pub mod docs;
pub mod postfix;
pub mod postgres;
pub mod resolver;
pub mod sendmail;
mod world;

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub use client::Client;
pub use world::{TRUE, TRUE_V6, world};

/// How long anything may take before it counts as not happening.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// Where a program is, looked for also where only root's shell looks.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Whether all that a test needs is here; `root` stands for being root, `sendmail` for Sendmail itself, and
/// `lua-cqueues` for that library.
///
/// # Panics
///
/// Panics if something is missing and `RINGFENCE_REQUIRE_PEERS` is 1.
#[must_use]
pub fn has(test: &str, programs: &[&str]) -> bool {
    let is_there = |program: &&str| match *program {
        "root" => Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n"),
        "sendmail" => sendmail::root().is_some(),
        "lua-cqueues" => Path::new("/usr/share/lua/5.1/cqueues").is_dir(),
        program => find(program).is_some(),
    };
    let missing: Vec<&str> = programs.iter().filter(|program| !is_there(program)).copied().collect();
    if !missing.is_empty() {
        tell_missing(test, &missing);
    }
    missing.is_empty()
}

/// Says by name that a test is skipped.
///
/// # Panics
///
/// Panics if `RINGFENCE_REQUIRE_PEERS` is 1.
pub(crate) fn tell_missing(test: &str, missing: &[&str]) {
    let why = format!("skipped: {test}: {} is missing", missing.join(", "));
    assert!(std::env::var_os("RINGFENCE_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{why}");
    eprintln!("{why}");
}

/// A command that runs a program from where it is.
#[must_use]
pub fn program(name: &str) -> Command {
    let mut command = Command::new(find(name).unwrap_or_else(|| name.into()));
    command.stdin(Stdio::null());
    command
}

/// A process that ends with the test.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts a command, which adds to a log.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        Self(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A port on loopback that nobody has, over TCP and UDP, and that nobody is given by chance before it is bound: it lies below
/// those from which systems take the ports of clients and of whoever asks for any.
///
/// # Panics
///
/// Panics if there is none.
#[must_use]
pub fn free_port() -> u16 {
    /// Tests run in several processes at once, each of which begins elsewhere.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(911);
    let ports =
        (0..20_000).map(|_| 10_000 + begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000);
    let mut ports = ports.map(|port| u16::try_from(port).unwrap());
    let is_free = |port: &u16| {
        let address = (Ipv4Addr::LOCALHOST, *port);
        TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
    };
    ports.find(is_free).unwrap()
}

/// Asks again and again until it is so, and tells how long it took.
///
/// # Panics
///
/// Panics if it is not so within [`PATIENCE`].
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it never came true that {what}");
        thread::sleep(Duration::from_millis(20));
    }
    began.elapsed()
}

/// What `dig` prints when it asks a server on loopback.
///
/// # Panics
///
/// Panics if it cannot be run.
#[must_use]
pub fn dig(port: u16, arguments: &[&str]) -> String {
    let mut dig = program("dig");
    dig.args(["@127.0.0.1", "-p", &port.to_string(), "+tries=1", "+time=20", "+nocookie"]).args(arguments);
    String::from_utf8_lossy(&dig.output().unwrap().stdout).into_owned()
}
