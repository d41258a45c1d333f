//! Where the server is, and a connection to it.
//!
//! Without TLS a connection goes over a Unix socket or to this machine itself; other hosts are refused, with the
//! remedy, because passwords and restricted content would be read on the way.
//!
//! A connection has to be able to write: with several hosts in the URL, the one is taken that is not a standby. So when
//! the primary is lost and another server is promoted, the next connection goes there.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use postgres::config::{Host, SslMode, TargetSessionAttrs};
use postgres::error::{DbError, Severity, SqlState};
use postgres::types::ToSql;
use postgres::{Client, Config, NoTls, Row, Statement};
use store::StoreError;

/// How long connecting may take, for each host; and how long what was sent may stay unacknowledged.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// After how long without a word a server is asked whether it is there, and how often then.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVES_MAX: u32 = 3;

/// What every session is set to.
///
/// What is acknowledged is on the disk, and on the synchronous standby's if there is one. Every statement here finds its
/// rows by an index, and a plan that was made while a table was small must not be kept when it is large.
const SESSION: &str = "
    SET search_path = ringfence, pg_catalog;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') <> 'remote_apply';
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;
    SET default_transaction_isolation = 'read committed'";

/// Where a database is, checked.
#[derive(Clone)]
pub struct Server {
    config: Config,
    shown: String,
}

/// Why a URL is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadServer {
    /// It cannot be read.
    #[error(
        "that is no address of a PostgreSQL database: {0}; write postgres://user@/database?host=/var/run/postgresql"
    )]
    Malformed(String),
    /// It leads over the network.
    #[error(
        "`{0}` is another machine, and this version does not encrypt what it says to a database; use a Unix socket, or a \
         tunnel that ends at 127.0.0.1"
    )]
    Far(String),
    /// It asks for TLS.
    #[error(
        "this version does not encrypt what it says to a database; leave `sslmode` out, and use a Unix socket or a tunnel"
    )]
    Tls,
}

impl FromStr for Server {
    type Err = BadServer;

    fn from_str(url: &str) -> Result<Self, BadServer> {
        // The parser's message may show a part of the URL, and the password is one.
        let mut config: Config =
            url.parse().map_err(|_| BadServer::Malformed("it cannot be read".to_owned()))?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(BadServer::Tls);
        }
        let mut names = Vec::new();
        for host in config.get_hosts() {
            match host {
                Host::Unix(path) => names.push(path.display().to_string()),
                Host::Tcp(name) if is_here(name) => names.push(name.clone()),
                Host::Tcp(name) => return Err(BadServer::Far(name.clone())),
            }
        }
        if let Some(far) = config.get_hostaddrs().iter().find(|address| !address.is_loopback()) {
            return Err(BadServer::Far(far.to_string()));
        }
        if names.is_empty() {
            return Err(BadServer::Malformed("it names no host".to_owned()));
        }
        let database = config.get_dbname().or(config.get_user()).unwrap_or("the user's").to_owned();
        let shown = format!("database `{database}` at {}", names.join(", "));
        config
            .ssl_mode(SslMode::Disable)
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVES_MAX)
            .tcp_user_timeout(CONNECT_MAX);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_MAX);
        }
        Ok(Self { config, shown })
    }
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Where it is, without the password.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Server {
    /// Connects under a name that the server's list of sessions shows.
    pub(crate) fn connect(&self, name: &str) -> Result<Connection, StoreError> {
        const CONNECT: &str = "connecting to the database";
        let warned = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&warned);
        let mut config = self.config.clone();
        config.application_name(name);
        config.notice_callback(move |notice: DbError| {
            if notice.parsed_severity() == Some(Severity::Warning) {
                told.store(true, Ordering::Release);
            }
        });
        let client = config.connect(NoTls).map_err(|error| failed(CONNECT, error))?;
        let mut connection = Connection { client: Some(client), statements: HashMap::new(), warned };
        connection.run(CONNECT, SESSION)?;
        let fsync = connection.query(CONNECT, "SELECT current_setting('fsync')", &[])?;
        if fsync.first().is_some_and(|row| row.get::<_, &str>(0) == "off") {
            return Err(StoreError::failed(
                CONNECT,
                "the server runs with fsync = off and may lose what it acknowledged; set it on",
            ));
        }
        Ok(connection)
    }
}

/// A session.
pub(crate) struct Connection {
    /// Always there until it is dropped.
    client: Option<Client>,
    statements: HashMap<&'static str, Statement>,
    warned: Arc<AtomicBool>,
}

impl Connection {
    fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("a connection has its client until it is dropped")
    }

    /// Whether the session is over.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.as_ref().is_none_or(Client::is_closed)
    }

    fn prepared(&mut self, sql: &'static str) -> Result<Statement, postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client().prepare(sql)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    pub(crate) fn query(
        &mut self,
        doing: &'static str,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepared(sql).map_err(|error| failed(doing, error))?;
        self.client().query(&statement, values).map_err(|error| failed(doing, error))
    }

    /// Runs a statement that changes something; returns how many rows it changed.
    pub(crate) fn execute(
        &mut self,
        doing: &'static str,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StoreError> {
        let statement = self.prepared(sql).map_err(|error| failed(doing, error))?;
        self.client().execute(&statement, values).map_err(|error| failed(doing, error))
    }

    /// Runs statements that return nothing of interest.
    pub(crate) fn run(&mut self, doing: &'static str, sql: &str) -> Result<(), StoreError> {
        self.client().batch_execute(sql).map_err(|error| failed(doing, error))
    }

    /// Commits.
    ///
    /// A server that waits for its synchronous standby and is told to stop waiting answers that it has committed, with a
    /// warning: then what was committed is on one disk only, and may be lost with it. That is a doubt and no success.
    pub(crate) fn commit(&mut self) -> Result<(), Commit> {
        const COMMIT: &str = "committing";
        self.warned.store(false, Ordering::Release);
        match self.client().batch_execute("COMMIT") {
            Ok(()) if self.warned.load(Ordering::Acquire) => Err(Commit::InDoubt(StoreError::failed(
                COMMIT,
                "the server stopped waiting for its synchronous standby",
            ))),
            Ok(()) => Ok(()),
            // An error that leaves the session as it is undid the transaction; after any other one nobody knows.
            Err(error) => {
                let is_error =
                    error.as_db_error().and_then(DbError::parsed_severity) == Some(Severity::Error);
                let is_open = !self.is_closed();
                let error = failed(COMMIT, error);
                Err(if is_error && is_open { Commit::Undone(error) } else { Commit::InDoubt(error) })
            }
        }
    }
}

/// How a commit ended that did not end well.
pub(crate) enum Commit {
    Undone(StoreError),
    InDoubt(StoreError),
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl Drop for Connection {
    /// The client says goodbye, and waits until that is said: which it cannot on a thread that runs asynchronous tasks.
    /// So it does so on a thread of its own.
    fn drop(&mut self) {
        self.statements.clear();
        let Some(client) = self.client.take() else { return };
        let client = Arc::new(Mutex::new(Some(client)));
        let its = Arc::clone(&client);
        let closing = thread::Builder::new().name("goodbye".to_owned()).spawn(move || {
            drop(its.lock().unwrap_or_else(PoisonError::into_inner).take());
        });
        match closing {
            Ok(closing) => drop(closing.join()),
            // Without a thread there is no goodbye: the session ends with the process.
            Err(_) => std::mem::forget(client),
        }
    }
}

/// Tells a server that is not there, or not the one that can be written to, from one that refuses.
pub(crate) fn failed(doing: &'static str, error: postgres::Error) -> StoreError {
    let is_away = error.code().map_or_else(
        || error.is_closed() || error.as_db_error().is_none(),
        |code| {
            [
                SqlState::ADMIN_SHUTDOWN,
                SqlState::CRASH_SHUTDOWN,
                SqlState::CANNOT_CONNECT_NOW,
                SqlState::DATABASE_DROPPED,
                SqlState::TOO_MANY_CONNECTIONS,
                SqlState::READ_ONLY_SQL_TRANSACTION,
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                SqlState::LOCK_NOT_AVAILABLE,
                SqlState::QUERY_CANCELED,
            ]
            .contains(code)
                || code.code().starts_with("08")
        },
    );
    let source = Box::new(Told(error));
    if is_away { StoreError::Unavailable { doing, source } } else { StoreError::Failed { doing, source } }
}

/// An error of the client with what lies behind it: its own text says only that there was one.
#[derive(Debug)]
struct Told(postgres::Error);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_db_error() {
            Some(told) => write!(f, "{} ({})", told.message(), told.code().code()),
            None => match std::error::Error::source(&self.0) {
                Some(source) => write!(f, "{}: {source}", self.0),
                None => write!(f, "{}", self.0),
            },
        }
    }
}

impl std::error::Error for Told {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        let far = |host: &str| Err(BadServer::Far(host.to_owned()));
        let cases = [
            ("postgres://hub@/hub?host=/var/run/postgresql", Ok("database `hub` at /var/run/postgresql")),
            ("host=/run/a,/run/b port=5432,5433 user=hub", Ok("database `hub` at /run/a, /run/b")),
            ("postgres://hub:sesame@localhost/hub", Ok("database `hub` at localhost")),
            ("postgres://hub:sesame@127.0.0.2:5433/hub", Ok("database `hub` at 127.0.0.2")),
            ("postgres://hub:sesame@[::1]/hub", Ok("database `hub` at ::1")),
            ("postgres://hub:sesame@db.example/hub", far("db.example")),
            ("postgres://hub:sesame@localhost,db.example/hub", far("db.example")),
            ("host=localhost hostaddr=192.0.2.1 user=hub", far("192.0.2.1")),
            ("postgres://hub@localhost/hub?sslmode=require", Err(BadServer::Tls)),
            ("postgres://hub:sesame@/hub", Err(BadServer::Malformed("it names no host".to_owned()))),
            ("mysql://hub:sesame@localhost", Err(BadServer::Malformed("it cannot be read".to_owned()))),
        ];
        for (url, want) in cases {
            let found = url.parse::<Server>();
            let told = format!("{found:?}");
            assert_eq!(found.map(|server| server.to_string()), want.map(str::to_owned), "{url}");
            assert!(!told.contains("sesame"), "{told}");
        }
    }
}
