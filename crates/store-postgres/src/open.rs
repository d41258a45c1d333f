//! Opening a database, and the store itself.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::LabelId;
use store::{Snapshot, Store, StoreError, Transaction};

use crate::connection::{Connection, Server};
use crate::hold::{Candidate, Hold, Tenure, session_name};
use crate::layout;
use crate::pool::Pool;
use crate::snapshot::PostgresSnapshot;
use crate::totals::Totals;
use crate::transaction::PostgresTransaction;

/// What the server's list of sessions shows of one that only reads.
const READER: &str = "ringfence reader";

/// A store in a database.
#[derive(Debug)]
pub struct PostgresStore {
    server: Server,
    pub(crate) pool: Pool,
    /// A store that was opened for reading has none.
    writing: Option<Writing>,
}

#[derive(Debug)]
struct Writing {
    writer: Mutex<Writer>,
    // INVARIANT: dropped last, so that the database is let go when nothing is written any more.
    hold: Hold,
}

/// What only one may hold at a time.
#[derive(Debug)]
pub(crate) struct Writer {
    /// Between two transactions, if the last one ended well.
    pub(crate) connection: Option<Connection>,
    pub(crate) totals: Totals,
    /// How many objects the labels have that were written to lately.
    pub(crate) tails: HashMap<LabelId, u64>,
    /// Whether something was erased since the tables were last tidied.
    pub(crate) has_erased: bool,
    /// Whether a commit's outcome is unknown. Then nothing may be built on it.
    pub(crate) is_in_doubt: bool,
}

/// How an attempt to open a database ended.
#[derive(Debug)]
pub enum Opened {
    /// This hub holds it now.
    Mine(Box<PostgresStore>),
    /// The hub of this name holds it.
    Theirs(String),
}

impl Candidate {
    /// Opens the database of `server` for the hub `name` as soon as no other one holds it: to be [tried](Self::try_open)
    /// again and again.
    #[must_use]
    pub fn of(server: &Server, name: &str) -> Self {
        Self::new(server.clone(), name.to_owned())
    }

    /// Opens it if it is free. Tables are made if they are not there.
    ///
    /// # Errors
    ///
    /// Fails if the server does not answer or if a newer program wrote to it. It may be tried again.
    pub fn try_open(&mut self) -> Result<Opened, StoreError> {
        let server = self.server().clone();
        let hold = match self.take()? {
            Ok(hold) => hold,
            Err(holder) => return Ok(Opened::Theirs(holder)),
        };
        let pool = Pool::new(server.clone(), session_name(hold.fence()));
        let mut connection = server.connect(&session_name(hold.fence()))?;
        let totals = Totals::read(&mut connection)?;
        if totals.fence != hold.fence() {
            return Err(StoreError::Superseded);
        }
        let writer = Writer {
            connection: Some(connection),
            totals,
            tails: HashMap::new(),
            has_erased: false,
            is_in_doubt: false,
        };
        let writing = Some(Writing { writer: Mutex::new(writer), hold });
        Ok(Opened::Mine(Box::new(PostgresStore { server, pool, writing })))
    }
}

impl PostgresStore {
    /// Opens it for reading, whoever holds it.
    ///
    /// # Errors
    ///
    /// Fails if the server does not answer, or if no hub has run on the database.
    pub fn open_read_only(server: &Server) -> Result<Self, StoreError> {
        let mut connection = server.connect(READER)?;
        if layout::layout_of(&mut connection)? == 0 {
            return Err(StoreError::failed(
                "opening the database",
                format!("no hub has run on the {server}"),
            ));
        }
        Ok(Self { server: server.clone(), pool: Pool::new(server.clone(), READER.to_owned()), writing: None })
    }

    /// Whether a hub has begun its ledger there.
    ///
    /// # Errors
    ///
    /// Fails if the server does not answer.
    pub fn has_begun(server: &Server) -> Result<bool, StoreError> {
        let mut connection = server.connect(READER)?;
        if layout::layout_of(&mut connection)? == 0 {
            return Ok(false);
        }
        Ok(Totals::read(&mut connection)?.horizon.entries > 0)
    }

    /// Whether this hub still holds the database, without asking it.
    #[must_use]
    pub fn tenure(&self) -> Tenure {
        self.writing.as_ref().map_or(Tenure::Held, |writing| writing.hold.tenure())
    }

    pub(crate) fn lose(&self) {
        if let Some(writing) = &self.writing {
            writing.hold.lose();
        }
    }

    /// Refuses if the database has another fence than this store.
    pub(crate) fn expect_fence(&self, found: i64) -> Result<(), StoreError> {
        match &self.writing {
            Some(writing) if writing.hold.fence() != found => {
                writing.hold.lose();
                Err(StoreError::Superseded)
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn connect(&self) -> Result<Connection, StoreError> {
        let fence = self.writing.as_ref().map_or(0, |writing| writing.hold.fence());
        self.server.connect(&session_name(fence))
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        const BEGIN: &str = "beginning to write";
        let Some(writing) = &self.writing else {
            return Err(StoreError::failed(BEGIN, "the store was opened for reading only"));
        };
        if writing.hold.tenure() == Tenure::Lost {
            return Err(StoreError::Superseded);
        }
        let writer = writing.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.is_in_doubt {
            let doubt = "it is not known whether the last commit was written; open the database again";
            return Err(StoreError::failed(BEGIN, doubt));
        }
        Ok(writer)
    }
}

impl Store for PostgresStore {
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StoreError> {
        Ok(Box::new(PostgresTransaction::begin(self, self.writer()?)?))
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        Ok(Box::new(PostgresSnapshot::take(self)?))
    }

    /// What was erased is gone for every question at once; what the server keeps of it for older snapshots goes here.
    fn tend(&self) -> Result<bool, StoreError> {
        let mut writer = self.writer()?;
        if !writer.has_erased {
            return Ok(false);
        }
        let mut connection = match writer.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        connection.run("tidying the tables", "VACUUM segments")?;
        writer.connection = Some(connection);
        writer.has_erased = false;
        Ok(false)
    }
}
