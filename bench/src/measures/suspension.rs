//! From suspension to its effect: a member polls without pause from 8 connections while it is suspended and taken back.
//!
//! A poll that starts after the hub has answered the suspension, and ends before the return is asked for, must bring
//! nothing. A poll that was under way when either was asked may bring something or nothing; it is not counted.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use crate::http::{Body, Connection};
use crate::hub::{BULK, Hub, Member, count_objects};
use crate::measures::Extent;
use crate::report::{Bound, Row};
use crate::units::{float, median, millis, short};

const CONNECTIONS: usize = 8;
/// How often the member is suspended.
const CYCLES: usize = 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// One poll: from, to, and how many objects it brought.
type Poll = (Instant, Instant, u64);

pub(crate) fn measure(extent: &Extent, hub: &Hub, member: &Member) -> Result<Vec<Row>> {
    let request = hub.page(BULK, 10, None, &member.authorization);
    let (is_over, done, polls) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let windows = thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let found = poll_until(hub.port, &request, &is_over, &done);
                polls.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(found);
            });
        }
        let windows = suspend_and_return(extent, hub, member, &done);
        is_over.store(true, Ordering::Relaxed);
        windows
    })?;
    let polls = polls.into_inner().map_err(|_| anyhow!("a client panicked"))?;
    let polls: Vec<Poll> = polls.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    let within =
        |poll: &&Poll| windows.iter().any(|window| poll.0 >= window.answered && poll.1 <= window.returned);
    let after: Vec<_> = polls.iter().filter(within).collect();
    let stale: u64 = after.iter().map(|poll| poll.2).sum();
    let racing =
        polls.iter().filter(|poll| windows.iter().any(|w| poll.0 < w.answered && poll.1 > w.asked)).count();
    let fed = polls.iter().filter(|poll| poll.2 > 0).count();
    ensure!(fed > CYCLES, "the member got nothing while it was listed, so nothing was measured");
    ensure!(after.len() >= extent.polls, "only {} polls fell into the suspensions", after.len());
    let mut took: Vec<_> = windows.iter().map(|window| window.answered - window.asked).collect();
    let took = median(&mut took).unwrap_or_default();
    Ok(vec![
        Row::told(
            "suspension to effect: stale objects",
            format!(
                "{stale} in {} polls that began after one of {CYCLES} suspensions ({racing} more were under way, {} brought \
                 objects while it was listed); the suspension itself takes {}",
                short(float(u64::try_from(after.len())?)),
                short(float(u64::try_from(fed)?)),
                millis(took),
            ),
            "",
        )
        .judged(float(stale), Bound::AtMost(0.0), None),
    ])
}

/// One suspension.
struct Window {
    asked: Instant,
    answered: Instant,
    /// When the return was asked for.
    returned: Instant,
}

fn suspend_and_return(
    extent: &Extent,
    hub: &Hub,
    member: &Member,
    done: &AtomicUsize,
) -> Result<Vec<Window>> {
    let each = extent.polls / CYCLES + CONNECTIONS * 2;
    let mut windows = Vec::new();
    for _ in 0..CYCLES {
        wait_for(each / 4, done)?;
        let asked = Instant::now();
        hub.set_standing(member, "suspended")?;
        let answered = Instant::now();
        wait_for(each, done)?;
        let returned = Instant::now();
        hub.set_standing(member, "listed")?;
        windows.push(Window { asked, answered, returned });
    }
    Ok(windows)
}

fn wait_for(polls: usize, done: &AtomicUsize) -> Result<()> {
    let (from, begun) = (done.load(Ordering::Relaxed), Instant::now());
    while done.load(Ordering::Relaxed) < from + polls {
        ensure!(begun.elapsed() < PATIENCE, "the polls come to a standstill");
        sleep(Duration::from_micros(200));
    }
    Ok(())
}

fn poll_until(port: u16, request: &[u8], is_over: &AtomicBool, done: &AtomicUsize) -> Result<Vec<Poll>> {
    let (mut connection, mut polls) = (Connection::new(port), Vec::new());
    while !is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let reply = connection.ask(request, Body::Keep)?;
        let ended = Instant::now();
        ensure!(matches!(reply.status, 200 | 404), "a poll answered {}", reply.status);
        polls.push((begun, ended, count_objects(&connection.body)));
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(polls)
}
