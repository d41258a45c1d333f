//! Which hub holds the database, and for how long it may believe so.
//!
//! One hub at a time writes and serves. It *holds* the database by two numbers there:
//!
//! - the **fence** counts the holders. Each commit writes the horizon's row only if that still has the writer's fence, in
//!   the same transaction, and each snapshot reads it along with the horizon. So a hub that was paused, partitioned or
//!   forgotten commits nothing and reads nothing once another has taken over, whatever its clock says.
//! - the **beat** counts on while the holder lives: once a second, by a thread of its own. A hub that waits takes over when
//!   the holder has let go, or when *it has itself watched* the beat stand still for [`LEASE`].
//!
//! What a hub answers from its memory, without a look at the database, it may answer only while it [holds](Tenure::Held):
//! for [`LEASE`] less a margin after it *sent* the last beat that was acknowledged. Whoever takes over has watched for the
//! whole of [`LEASE`] after that beat was there to be seen, so the two times never overlap. Both are measured with
//! clocks that only run forward, and compared with nobody else's; a clock that is an hour off changes nothing.
//!
//! ```text
//! holder      beat sent ──────── LEASE - MARGIN ────────> answers nothing more
//! database         └ beat 7
//! who waits           └ sees 7 ───────────── LEASE ─────────────> beat is still 7: takes over, fence + 1
//! ```

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use store::StoreError;

use crate::connection::{Connection, Server};

/// How long a beat counts.
pub const LEASE: Duration = Duration::from_secs(6);
/// How much earlier the holder stops believing, for clocks that do not run at the same speed.
const MARGIN: Duration = Duration::from_secs(1);
/// How often the holder beats.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// How long a takeover waits for a commit of the hub before it that is still on its way.
const LOCK_MAX: &str = "SET lock_timeout = '10s'";

/// Whether this hub still holds the database, as far as it knows without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenure {
    /// It does: nobody can have taken over.
    Held,
    /// Too long ago that it heard so. It may turn out that it still does.
    Lapsed,
    /// Another hub has taken over.
    Lost,
}

#[derive(Debug)]
struct State {
    /// Up to when the last beat counts.
    until: Instant,
    is_lost: bool,
    is_ending: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    ending: Condvar,
}

/// Being the holder.
#[derive(Debug)]
pub(crate) struct Hold {
    fence: i64,
    shared: Arc<Shared>,
    beating: Option<JoinHandle<()>>,
}

impl Hold {
    /// Keeps up what [`Candidate::take`] began.
    fn keep(server: Server, connection: Connection, fence: i64, until: Instant) -> Result<Self, StoreError> {
        let state = State { until, is_lost: false, is_ending: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), ending: Condvar::new() });
        let its = Arc::clone(&shared);
        let beating = thread::Builder::new()
            .name("lease".to_owned())
            .spawn(move || beat(&server, connection, fence, &its))
            .map_err(|error| StoreError::failed("holding the database", error))?;
        Ok(Self { fence, shared, beating: Some(beating) })
    }

    pub(crate) fn fence(&self) -> i64 {
        self.fence
    }

    pub(crate) fn tenure(&self) -> Tenure {
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        match () {
            () if state.is_lost => Tenure::Lost,
            () if Instant::now() < state.until => Tenure::Held,
            () => Tenure::Lapsed,
        }
    }

    /// It was seen in the database that another hub has taken over.
    pub(crate) fn lose(&self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).is_lost = true;
    }
}

impl Drop for Hold {
    /// Lets go, so that another hub need not wait.
    fn drop(&mut self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).is_ending = true;
        self.shared.ending.notify_all();
        if let Some(beating) = self.beating.take() {
            drop(beating.join());
        }
    }
}

const HOLD: &str = "holding the database";

/// What the server's list of sessions shows of a holder.
pub(crate) fn session_name(fence: i64) -> String {
    format!("ringfence hub {fence}")
}

/// Beats until the hub ends or another one has taken over.
fn beat(server: &Server, first: Connection, fence: i64, shared: &Shared) {
    let mut connection = Some(first);
    loop {
        let state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, _) = shared
            .ending
            .wait_timeout_while(state, BEAT_EVERY, |state| !state.is_ending)
            .unwrap_or_else(PoisonError::into_inner);
        let (is_ending, is_lost) = (state.is_ending, state.is_lost);
        drop(state);
        if is_lost {
            return;
        }
        let began = Instant::now();
        let beaten = connection
            .take()
            .map_or_else(|| server.connect(&session_name(fence)), Ok)
            .and_then(|mut connection| {
                let released = if is_ending { "true" } else { "false" };
                let sql = "UPDATE lease SET beat = beat + 1, released = $2::text::boolean WHERE id = 0 AND fence = $1";
                let rows = connection.execute(HOLD, sql, &[&fence, &released])?;
                Ok((connection, rows == 1))
            });
        if is_ending {
            return;
        }
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        match beaten {
            Ok((held, true)) => {
                state.until = began + LEASE.saturating_sub(MARGIN);
                connection = Some(held);
            }
            Ok((_, false)) => state.is_lost = true,
            // It is tried again; until then the lease runs out.
            Err(_) => {}
        }
    }
}

/// A hub that waits for its turn.
#[derive(Debug)]
pub struct Candidate {
    server: Server,
    name: String,
    connection: Option<Connection>,
    /// The fence and the beat that were seen last, and since when.
    watched: Option<((i64, i64), Instant)>,
}

impl Candidate {
    /// A hub by the name `name`, which people are told while it holds the database.
    #[must_use]
    pub(crate) fn new(server: Server, name: String) -> Self {
        Self { server, name, connection: None, watched: None }
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Takes the database if nobody holds it; else tells who does. To be asked again and again.
    pub(crate) fn take(&mut self) -> Result<Result<Hold, String>, StoreError> {
        let mut connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            let mut connection = self.server.connect("ringfence candidate")?;
            crate::layout::migrate(&mut connection)?;
            connection.run(HOLD, LOCK_MAX)?;
            connection
        };
        let sql = "SELECT fence, beat, released, holder FROM lease";
        let rows = connection.query(HOLD, sql, &[])?;
        let row = rows.first().ok_or_else(|| StoreError::Damaged("the lease's row is missing".to_owned()))?;
        let (fence, beat): (i64, i64) = (row.get(0), row.get(1));
        let (is_released, holder): (bool, String) = (row.get(2), row.get(3));
        let seen = Instant::now();
        let since = match self.watched {
            Some((watched, since)) if watched == (fence, beat) => since,
            Some(_) | None => {
                self.watched = Some(((fence, beat), seen));
                seen
            }
        };
        if !is_released && seen.duration_since(since) < LEASE {
            self.connection = Some(connection);
            return Ok(Err(holder));
        }
        let began = Instant::now();
        let sql = "UPDATE lease SET fence = fence + 1, beat = 0, released = false, holder = $3
                   WHERE fence = $1 AND beat = $2";
        if connection.execute(HOLD, sql, &[&fence, &beat, &self.name])? == 0 {
            // Another one was quicker, or the holder beats again.
            self.connection = Some(connection);
            return Ok(Err(holder));
        }
        let fence = fence + 1;
        end_others(&mut connection)?;
        // Waits for a commit that is on its way, and from then on there is none of an older holder.
        let sql = "UPDATE horizon SET fence = $1 WHERE id = 0 AND fence < $1";
        connection.execute(HOLD, sql, &[&fence])?;
        Hold::keep(self.server.clone(), connection, fence, began + LEASE.saturating_sub(MARGIN)).map(Ok)
    }
}

/// Ends the sessions of hubs before this one: one that is paused in the middle of a commit would keep its locks.
fn end_others(connection: &mut Connection) -> Result<(), StoreError> {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name LIKE 'ringfence hub %' AND datname = current_database() AND usename = current_user
               AND pid <> pg_backend_pid()";
    connection.query(HOLD, sql, &[]).map(drop)
}
