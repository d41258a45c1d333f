//! PostgreSQL: a server of the test's own, on a Unix socket in a folder that goes with it.
//!
//! It runs as its documentation says, and durably. It refuses to run as root; where the test does, it runs as the user
//! `postgres` or `nobody`.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

use crate::{Process, eventually, tell_missing};

/// A user's number and group's.
struct User(u32, u32);

/// Where the programs are: Debian keeps them apart by version.
fn folder() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    folders.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let programs = ["initdb", "postgres", "psql", "pg_basebackup"];
    folders.into_iter().find(|folder| programs.iter().all(|program| folder.join(program).is_file()))
}

fn user() -> Option<User> {
    let number = |arguments: &[&str]| -> Option<u32> {
        let id = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
        String::from_utf8(id.stdout).ok()?.trim().parse().ok()
    };
    if number(&["-u"])? != 0 {
        return Some(User(number(&["-u"])?, number(&["-g"])?));
    }
    ["postgres", "nobody"].iter().find_map(|name| Some(User(number(&["-u", name])?, number(&["-g", name])?)))
}

/// Whether a server can be started here; if not, the test is told by name to have been skipped.
///
/// # Panics
///
/// Panics if not, and `RINGFENCE_REQUIRE_PEERS` is 1.
#[must_use]
pub fn is_here(test: &str) -> bool {
    let is_here = folder().is_some() && user().is_some();
    if !is_here {
        tell_missing(test, &["postgresql"]);
    }
    is_here
}

/// A server.
#[derive(Debug)]
pub struct Postgres {
    // The process ends before its folder goes.
    process: Mutex<Option<Process>>,
    root: TempDir,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// A new server with settings beside the usual ones, such as `"wal_level = replica"`.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        let server = Self::prepare();
        let made = server
            .program("initdb")
            .args(["--auth=trust", "--username=hub", "--encoding=UTF8", "--no-locale", "-D"])
            .arg(server.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let usual = ["listen_addresses = ''", "max_connections = 200", "shared_buffers = 64MB", "fsync = on"];
        let lines: Vec<&str> = usual.iter().chain(settings).copied().collect();
        let text = lines.join("\n") + "\n";
        let file = server.data().join("postgresql.auto.conf");
        fs::write(file, text).unwrap();
        server.run();
        server
    }

    /// A standby that follows this server under the name `name`; it takes over when it is [promoted](Self::promote).
    ///
    /// # Panics
    ///
    /// Panics if the copy cannot be made or does not start.
    #[must_use]
    pub fn standby(&self, name: &str) -> Self {
        let standby = Self::prepare();
        let copied = standby
            .program("pg_basebackup")
            .args(["--write-recovery-conf", "--checkpoint=fast", "--username=hub", "--no-password"])
            .args(["--host", self.socket().to_str().unwrap(), "--port", &self.port.to_string()])
            .arg("--pgdata")
            .arg(standby.data())
            .output()
            .unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let file = standby.data().join("postgresql.auto.conf");
        let mut text = fs::read_to_string(&file).unwrap();
        // What comes later counts.
        text += "\nsynchronous_standby_names = ''\n";
        text += &["cluster_name = '", name, "'\n"].concat();
        fs::write(file, text).unwrap();
        standby.run();
        standby
    }

    fn prepare() -> Self {
        let root = tempfile::tempdir().unwrap();
        let user = user().unwrap();
        fs::create_dir(root.path().join("socket")).unwrap();
        let owner = format!("{}:{}", user.0, user.1);
        let done = Command::new("chown").args(["-R", &owner]).arg(root.path()).status().unwrap();
        assert!(done.success());
        // The folder is closed to others; who tests is root or that user.
        Self { process: Mutex::default(), root, port: 5432, databases: AtomicU32::new(0) }
    }

    fn program(&self, name: &str) -> Command {
        let user = user().unwrap();
        let mut command = Command::new(folder().unwrap().join(name));
        command.uid(user.0).gid(user.1).current_dir(self.root.path()).stdin(Stdio::null());
        command.env("LC_ALL", "C").env_remove("PGDATA");
        command
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn socket(&self) -> PathBuf {
        self.root.path().join("socket")
    }

    /// Starts the process, on the data that is there, and waits until it answers.
    ///
    /// # Panics
    ///
    /// Panics if it does not.
    pub fn run(&self) {
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string(), "-k"]).arg(self.socket());
        let process = Process::start(&mut command, &self.log());
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        eventually("the database server answers", || self.ask("postgres", "SELECT 1").is_ok());
    }

    fn log(&self) -> PathBuf {
        self.root.path().join("log")
    }

    /// SIGKILL to the server and all its sessions at once: a machine that loses its power, but for what its disk had.
    ///
    /// # Panics
    ///
    /// Panics if it does not run.
    pub fn kill(&self) {
        let pid = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let sessions = children_of(pid.lines().next().unwrap());
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _gone = Command::new("kill").arg("-KILL").args(&sessions).stderr(Stdio::null()).status();
        eventually("the server's sessions are gone", || {
            sessions.iter().all(|pid| !Path::new("/proc").join(pid).exists())
        });
        let _gone = fs::remove_file(self.data().join("postmaster.pid"));
    }

    /// Waits for this standby at every commit from now on.
    ///
    /// # Panics
    ///
    /// Panics if it does not follow.
    pub fn commit_with(&self, name: &str) {
        self.ask("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'")).unwrap();
        self.ask("postgres", "SELECT pg_reload_conf()").unwrap();
        eventually("commits wait for the standby", || {
            let state = "SELECT sync_state FROM pg_stat_replication";
            self.ask("postgres", state).is_ok_and(|state| ["sync", "quorum"].contains(&state.as_str()))
        });
    }

    /// Makes a standby the server that can be written to.
    ///
    /// # Panics
    ///
    /// Panics if it does not become one.
    pub fn promote(&self) {
        self.ask("postgres", "SELECT pg_promote(true, 120)").unwrap();
    }

    /// What `psql` prints for a statement.
    ///
    /// # Errors
    ///
    /// What it says if it fails.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be run.
    pub fn ask(&self, database: &str, sql: &str) -> Result<String, String> {
        let mut psql = self.program("psql");
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            "-U",
            "hub",
        ]);
        psql.args(["-d", database, "-p", &self.port.to_string(), "-c", sql, "-h"]).arg(self.socket());
        let told = psql.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if told.status.success() { Ok(text(&told.stdout)) } else { Err(text(&told.stderr)) }
    }

    /// The address of a new, empty database.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be made.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("hub{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.ask("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        self.address(&name)
    }

    /// The address of a database.
    #[must_use]
    pub fn address(&self, database: &str) -> String {
        address(&[self], database)
    }
}

/// The processes that this one started.
fn children_of(parent: &str) -> Vec<String> {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_child = |pid: &String| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|of| of.trim() == parent))
    };
    processes.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter(is_child).collect()
}

/// The address of a database that is on whichever of these servers can be written to.
#[must_use]
pub fn address(servers: &[&Postgres], database: &str) -> String {
    let hosts: Vec<String> = servers.iter().map(|server| server.socket().display().to_string()).collect();
    let ports: Vec<String> = servers.iter().map(|server| server.port.to_string()).collect();
    format!("postgres:///{database}?user=hub&host={}&port={}", hosts.join(","), ports.join(","))
}

/// A server that the tests of one program share, for as long as one of them has it.
#[must_use]
pub fn shared() -> Arc<Postgres> {
    static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Arc::new(Postgres::start(&[]));
    *shared = Arc::downgrade(&server);
    server
}
