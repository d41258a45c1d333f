//! The contract, and what is particular to a directory.

use std::path::PathBuf;

use store::Store;
use store::contract::Subject;
use tempfile::TempDir;

use crate::open::{SqliteStore, Tuning};
use crate::verify;

/// A store in a directory of its own. When it is done with, the directory has to be sound.
pub(crate) struct InDirectory {
    store: Option<SqliteStore>,
    dir: TempDir,
    tuning: Tuning,
}

impl InDirectory {
    pub(crate) fn new(tuning: Tuning) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open_with(dir.path(), tuning.clone()).unwrap();
        Self { store: Some(store), dir, tuning }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    pub(crate) fn sqlite(&self) -> &SqliteStore {
        self.store.as_ref().unwrap()
    }

    pub(crate) fn close(&mut self) {
        self.store = None;
    }
}

impl Subject for InDirectory {
    fn store(&self) -> &dyn Store {
        self.sqlite()
    }

    fn reopen(&mut self) -> bool {
        self.close();
        self.store = Some(SqliteStore::open_with(self.dir.path(), self.tuning.clone()).unwrap());
        true
    }
}

impl Drop for InDirectory {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.close();
            assert_eq!(verify(self.dir.path()).unwrap().problems, [""; 0]);
        }
    }
}

mod as_it_is {
    use super::*;

    store::store_contract!(|| -> Box<dyn Subject> { Box::new(InDirectory::new(Tuning::default())) });
}

/// Limits so small that files roll and ids are moved in every test.
mod with_small_limits {
    use super::*;

    fn small() -> Tuning {
        Tuning { file_size_max: 100, recent_max: 3, slice: 2, ..Tuning::default() }
    }

    store::store_contract!(|| -> Box<dyn Subject> { Box::new(InDirectory::new(small())) });
}
