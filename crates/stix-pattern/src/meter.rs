//! The budget of one evaluation.

/// Counts the work of an evaluation, and ends it when the budget is used up.
#[derive(Debug)]
pub(crate) struct Meter {
    left: u64,
}

/// Why an evaluation ended without an answer.
#[derive(Debug)]
pub(crate) enum Exhausted {
    /// The budget is used up.
    Budget,
    /// Too many choices were open at a time.
    Choices,
}

impl Meter {
    pub(crate) fn new(budget: u64) -> Self {
        Self { left: budget }
    }

    /// Does so much work, and one unit more, so that nothing is free.
    pub(crate) fn spend(&mut self, work: usize) -> Result<(), Exhausted> {
        let work = u64::try_from(work).unwrap_or(u64::MAX).saturating_add(1);
        self.left = self.left.checked_sub(work).ok_or(Exhausted::Budget)?;
        Ok(())
    }
}
