//! Where a test may make the disk fail.

use std::fmt;
use std::io;
use std::sync::Arc;

/// A step of a commit that touches the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Appending bodies to their file.
    Append,
    /// Flushing the body file.
    Flush,
    /// The commit of `SQLite`.
    Commit,
    /// Overwriting what was erased.
    Erase,
}

/// Whether a step fails without an effect, or takes effect and is reported as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Lost.
    Before,
    /// Kept, but reported failed.
    After,
}

type Hook = dyn Fn(Step, When) -> io::Result<()> + Send + Sync;

/// Asked around every step; outside tests there is nobody to ask.
#[derive(Clone, Default)]
pub(crate) struct Faults(Option<Arc<Hook>>);

impl Faults {
    #[cfg(test)]
    pub(crate) fn new(hook: impl Fn(Step, When) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(crate) fn around<T, E: From<io::Error>>(
        &self,
        step: Step,
        run: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(hook) = &self.0 else { return run() };
        hook(step, When::Before)?;
        let done = run()?;
        hook(step, When::After)?;
        Ok(done)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Faults(hooked)" } else { "Faults(none)" })
    }
}
