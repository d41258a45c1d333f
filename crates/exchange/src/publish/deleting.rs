//! Deleting: a submitter takes back what it submitted (TAXII 2.1 §5.7).
//!
//! The bytes are overwritten, those of the derived objects that stand in for them too, and what refers to a deleted object is
//! withheld with it as far as its submitter binds that ([`reach`](crate::reach)). The ledger keeps who received it.
//! Nobody is told: who wants holders told asks for a recall.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledger::Body;
use model::{Caller, Principal, Timestamp};
use programme::Collection;
use store::timeline::chosen_copies;
use store::{Copy, Departure, Mark, StoreError};
use taxii::ObjectFilter;

use super::hidden;
use crate::error::PublishError;
use crate::exchange::{Exchange, Hand, Inner, name_of};
use crate::reach::{Binding, Moved, derived_ids, follow, store_moved};
use crate::read::versions_of;
use crate::sight::depart;
use crate::writer::Instants;

impl Exchange {
    /// Deletes versions of an object (TAXII 2.1 §5.7). Its bytes are overwritten; the ledger keeps who received it.
    ///
    /// # Errors
    ///
    /// Refuses what the caller may not see as if it were not there, and what it may see and did not submit.
    pub fn delete(
        &self,
        caller: &Caller,
        collection: &str,
        id: &str,
        filter: &ObjectFilter,
    ) -> Result<usize, PublishError> {
        let inner = Arc::clone(&self.inner);
        let registry = inner.published.registry();
        let (known, rights) = inner.collection(caller, collection, &registry).map_err(hidden)?;
        if !rights.read || !rights.write {
            return Err(PublishError::NotWritable(known.alias));
        }
        let (caller, id, filter) = (caller.clone(), id.to_owned(), filter.clone());
        let (count, last) = self.inner.writer.run(Instants::Alone, move |turn| {
            if !turn.registry.accepts(&caller, turn.now) {
                return Err(PublishError::Revoked);
            }
            delete(&inner, turn, &caller, &known, &id, &filter)
        })?;
        self.inner.wait_until(last);
        Ok(count)
    }
}

fn delete(
    inner: &Inner,
    turn: &mut Hand<'_>,
    caller: &Caller,
    collection: &Collection,
    id: &str,
    filter: &ObjectFilter,
) -> Result<usize, PublishError> {
    let registry = Arc::clone(turn.registry);
    let view = inner.view(caller, &registry)?;
    let copies = turn.tx().find(id)?;
    let snapshot = inner.store.snapshot()?;
    let (choice, now) = (versions_of(filter), turn.now);
    let chosen = chosen_copies(snapshot.as_ref(), &view, collection.id, &copies, &choice, now, now)?;
    if chosen.is_empty() {
        return Err(PublishError::NoSuchObject(id.to_owned()));
    }
    let submitter = |copy: &Copy| -> Option<Principal> {
        registry.labels.label(copy.run.id.label).map(|label| label.creator.clone())
    };
    let mut is_own = chosen.iter().all(|copy| submitter(copy).as_ref() == Some(&caller.principal));
    for copy in &chosen {
        // What the programme says of a member's object lies under the object's label.
        is_own &= caller.role().is_some() || !is_of_programme(turn, copy)?;
    }
    if caller.role() != Some(model::Role::Operator) && !is_own {
        let why = format!("`{id}` is another submitter's, who alone may delete it");
        return Err(PublishError::Forbidden(why));
    }
    let is_meant = |copy: &Copy, version: &str| {
        copy.collection == collection.id && copy.left.is_none() && copy.head.version == version
    };
    let at = turn.instant(0);
    // A page that was chosen before is chosen again.
    turn.begin_epoch();
    let mut changed = BTreeSet::from([id.to_owned()]);
    let mut count = 0;
    for version in chosen.iter().map(|copy| copy.head.version.as_str()) {
        let meant: Vec<Copy> = copies
            .iter()
            .filter(|copy| is_meant(copy, version) && view.intervals(copy.run.id.label).is_open(now))
            .cloned()
            .collect();
        let submitters: BTreeSet<Option<Principal>> = meant.iter().map(submitter).collect();
        for derived in derived_ids(turn, &meant)? {
            for copy in turn.tx().find(&derived)? {
                if is_meant(&copy, version) && submitters.contains(&submitter(&copy)) {
                    erase(turn, caller, &copy, at)?;
                    changed.insert(derived.clone());
                }
            }
        }
        count += meant.len();
        for copy in &meant {
            erase(turn, caller, copy, at)?;
        }
    }
    let mut moved = Moved::new();
    follow(turn, &changed, &mut moved, Binding::BySubmitter, at)?;
    // Whoever had received these gets them again should they open again: to read the whole ledger for each deletion
    // would let any submitter keep the writer busy.
    store_moved(turn, &moved, None)?;
    Ok(count)
}

/// Whether the programme created the object, as the object itself says.
fn is_of_programme(turn: &Hand<'_>, copy: &Copy) -> Result<bool, StoreError> {
    let body = turn.tx().body_for_relabelling(copy)?;
    let creator = stix::Head::parse(&body).ok().and_then(|head| head.created_by_ref);
    Ok(creator.as_deref() == Some(turn.registry.programme().settings().identity.id.as_str()))
}

fn erase(turn: &mut Hand<'_>, caller: &Caller, copy: &Copy, at: Timestamp) -> Result<(), StoreError> {
    turn.write().mark(Mark { position: copy.position(), left: Some((at, Departure::Gone)) })?;
    turn.write().erase(copy.position())?;
    depart(turn, copy.run.id.label, None, at)?;
    turn.record(&Body::Recall(ledger::entry::Recall {
        at: at.to_string(),
        by: name_of(caller),
        object: copy.head.id.clone(),
        version: copy.head.version.clone(),
        action: "deleted".to_owned(),
        reason: String::new(),
    }))?;
    Ok(())
}
