//! The store in memory keeps the contract.

use store::contract::Subject;
use store::{MemoryStore, Store};

struct InMemory(MemoryStore);

impl Subject for InMemory {
    fn store(&self) -> &dyn Store {
        &self.0
    }

    fn reopen(&mut self) -> bool {
        false
    }
}

store::store_contract!(|| -> Box<dyn Subject> { Box::new(InMemory(MemoryStore::new())) });
