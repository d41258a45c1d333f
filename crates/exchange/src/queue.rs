//! The queue to the writer: decisions first.
//!
//! Two queues, each in its own order. A decision (a standing, a revocation, a recall) goes ahead of the publications and
//! disclosures that wait, because what it forbids must not go on for as long as others keep the writer busy. A
//! transaction that is open takes no more publications once a decision waits.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many works of each kind may wait. Who finds the queue full waits for a place, which is the back-pressure.
const QUEUE_MAX: usize = 1_024;

/// Which queue a work waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// Ahead of all others.
    Decision,
    /// Publications and disclosures.
    Usual,
}

/// Works on their way to the writer.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    /// Something was added, or nothing will be any more.
    added: Condvar,
    /// Something was taken.
    taken: Condvar,
}

#[derive(Debug)]
struct Waiting<T> {
    decisions: VecDeque<T>,
    usual: VecDeque<T>,
    is_closed: bool,
}

/// What there is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    /// This.
    Work(T, Priority),
    /// Nothing came for a while.
    Idle,
    /// Nothing, and nothing will come.
    Closed,
}

impl<T> Waiting<T> {
    fn of(&mut self, priority: Priority) -> &mut VecDeque<T> {
        match priority {
            Priority::Decision => &mut self.decisions,
            Priority::Usual => &mut self.usual,
        }
    }
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        let waiting = Waiting { decisions: VecDeque::new(), usual: VecDeque::new(), is_closed: false };
        Self { waiting: Mutex::new(waiting), added: Condvar::new(), taken: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a work, or gives it back if nobody takes any more.
    pub(crate) fn add(&self, work: T, priority: Priority) -> Result<(), T> {
        let mut waiting = self.lock();
        while !waiting.is_closed && waiting.of(priority).len() >= QUEUE_MAX {
            waiting = self.taken.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.is_closed {
            return Err(work);
        }
        waiting.of(priority).push_back(work);
        self.added.notify_one();
        Ok(())
    }

    /// Lets nothing more in. What waits is still taken.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.added.notify_all();
        self.taken.notify_all();
    }

    /// Takes the next work, and waits for one if there is none.
    pub(crate) fn next(&self, patience: Duration) -> Next<T> {
        let mut waiting = self.lock();
        let is_empty = |waiting: &mut Waiting<T>| {
            waiting.decisions.is_empty() && waiting.usual.is_empty() && !waiting.is_closed
        };
        if is_empty(&mut waiting) {
            let waited = self.added.wait_timeout_while(waiting, patience, is_empty);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        for priority in [Priority::Decision, Priority::Usual] {
            if let Some(work) = waiting.of(priority).pop_front() {
                self.taken.notify_all();
                return Next::Work(work, priority);
            }
        }
        if waiting.is_closed { Next::Closed } else { Next::Idle }
    }

    /// Takes another work of this priority that may share a transaction, if one is at hand and nothing goes ahead of it.
    pub(crate) fn another(&self, priority: Priority, may_share: impl Fn(&T) -> bool) -> Option<T> {
        let mut waiting = self.lock();
        if priority == Priority::Usual && !waiting.decisions.is_empty() {
            return None;
        }
        let work = waiting.of(priority).pop_front_if(|work| may_share(work))?;
        self.taken.notify_all();
        Some(work)
    }
}

#[cfg(test)]
impl<T> Queue<T> {
    /// How many works of this priority wait.
    pub(crate) fn count(&self, priority: Priority) -> usize {
        self.lock().of(priority).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn decisions_go_first_and_each_kind_keeps_its_order() {
        let queue = Queue::new();
        for (work, priority) in
            [(1, Priority::Usual), (2, Priority::Usual), (3, Priority::Decision), (4, Priority::Decision)]
        {
            queue.add(work, priority).unwrap();
        }
        assert_eq!(queue.next(NOW), Next::Work(3, Priority::Decision));
        assert_eq!(queue.another(Priority::Usual, |_| true), None, "a decision goes ahead of it");
        assert_eq!(queue.another(Priority::Decision, |work| *work == 4), Some(4));
        assert_eq!(queue.next(NOW), Next::Work(1, Priority::Usual));
        assert_eq!(
            queue.another(Priority::Usual, |work| *work != 2),
            None,
            "it wants a transaction of its own"
        );
        queue.close();
        assert_eq!(queue.add(5, Priority::Decision), Err(5));
        assert_eq!(queue.next(NOW), Next::Work(2, Priority::Usual), "what was let in is done");
        assert_eq!(queue.next(NOW), Next::Closed);
    }

    #[test]
    fn a_full_queue_is_waited_for_and_does_not_hold_up_decisions() {
        let queue = Queue::new();
        for work in 0..QUEUE_MAX {
            queue.add(work, Priority::Usual).unwrap();
        }
        queue.add(QUEUE_MAX, Priority::Decision).unwrap();
        assert_eq!(queue.next(NOW), Next::Work(QUEUE_MAX, Priority::Decision));
        std::thread::scope(|scope| {
            let late = scope.spawn(|| queue.add(QUEUE_MAX, Priority::Usual));
            for work in 0..=QUEUE_MAX {
                assert_eq!(queue.next(Duration::from_mins(1)), Next::Work(work, Priority::Usual));
            }
            late.join().unwrap().unwrap();
        });
        assert_eq!(queue.next(NOW), Next::Idle);
    }
}
