//! Which identifiers are one entity.
//!
//! Statements that two identifiers are the same join them, and what they join is joined transitively: a class. The
//! identifier that stays is the one that was never merged into another. If statements contradict each other, so that
//! several stay (`a` was merged into `b` and into `c`) or none does (`a` into `b` and `b` into `a`), the class is
//! still one, and goes by the first of those that could stay, or by the first of all, in the order of the texts.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use model::Timestamp;

use super::intern::NONE;
use super::log::Log;

/// The classes that were looked at so far, as known at one instant.
///
/// Only identifiers that some statement joins are kept, so most questions never take the lock.
#[derive(Debug, Default)]
pub(super) struct Merges {
    classes: Mutex<HashMap<u32, Arc<Class>>>,
}

/// One entity's identifiers.
#[derive(Debug)]
struct Class {
    stays: u32,
    members: Vec<u32>,
}

impl Merges {
    /// The identifier that `entity` goes by.
    pub(super) fn canonical(&self, log: &Log, entity: u32, known: Timestamp) -> u32 {
        self.class(log, entity, known).map_or(entity, |class| class.stays)
    }

    /// Every identifier of the entity.
    pub(super) fn members(&self, log: &Log, entity: u32, known: Timestamp) -> Vec<u32> {
        self.class(log, entity, known).map_or_else(|| vec![entity], |class| class.members.clone())
    }

    fn class(&self, log: &Log, entity: u32, known: Timestamp) -> Option<Arc<Class>> {
        if log.entity_heads[entity as usize].same == NONE {
            return None;
        }
        // A poisoned lock guards a cache whose entries are put in whole.
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(class) = classes.get(&entity) {
            return Some(Arc::clone(class));
        }
        let class = Arc::new(found(log, entity, known));
        for &member in &class.members {
            classes.insert(member, Arc::clone(&class));
        }
        Some(class)
    }
}

fn found(log: &Log, entity: u32, known: Timestamp) -> Class {
    let mut members = BTreeSet::from([entity]);
    let mut merged = BTreeSet::new();
    let mut open = vec![entity];
    while let Some(next) = open.pop() {
        for row in log.same_as(next).filter(|&row| log.counts(row, known)) {
            let row = log.row(row);
            merged.insert(row.second);
            for other in [row.first, row.second] {
                if members.insert(other) {
                    open.push(other);
                }
            }
        }
    }
    let first = |among: &mut dyn Iterator<Item = u32>| among.min_by_key(|&number| log.entities.text(number));
    let stays = first(&mut members.difference(&merged).copied())
        .or_else(|| first(&mut members.iter().copied()))
        .unwrap_or(entity);
    Class { stays, members: members.into_iter().collect() }
}
