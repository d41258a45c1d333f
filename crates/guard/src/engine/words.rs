//! Whose word counts: the programme's, and nobody else's.
//!
//! A recall takes an indicator away from every guard, and a verdict of *false positive* makes every guard only watch it. Both are
//! ordinary STIX objects, which any member can write. So they count only if the programme is their creator: it is the hub that says who
//! the programme is, over the connection on which it is authenticated, and it is the hub that refuses whatever a member submits in the
//! programme's name. What the hub last said is sealed beside the store, for a start comes before the hub is heard.
//!
//! ```text
//! recall     judged when it comes; what nobody is known to stand for is passed over, and only what was believed is kept
//! verdict    kept with its creator's name, and judged whenever it is asked who the programme is: at a start, and when the hub says another
//! ```

use std::collections::BTreeMap;

use tracing::info;
use uuid::Uuid;

use super::Engine;
use crate::hold::HoldError;
use crate::indicator::{Object, id_of};
use crate::record::Bound;
use crate::run::PROGRAMME_IS;

impl Engine {
    /// The hub says who the programme is: from here on, and after a restart. What was said by whom is judged anew.
    pub(super) fn programme_is(&mut self, identity: &str) -> Result<(), HoldError> {
        if self.programme.as_deref() == Some(identity) {
            return Ok(());
        }
        let key = self.secrets.hold_key();
        key.write_note(&self.config.data, PROGRAMME_IS, (self.random)(), &identity)?;
        info!(identity, "the programme speaks under this identity");
        self.programme = Some(identity.to_owned());
        if self.is_loaded { self.judge_verdicts() } else { Ok(()) }
    }

    /// Takes somebody's verdict on indicators, if it is the programme's.
    pub(super) fn false_positive(&self, by: &str, of: &[String], stands: bool) {
        if self.programme.as_deref() != Some(by) {
            return;
        }
        for id in of.iter().filter_map(|id| id_of(id)) {
            self.bound(id, Bound::FalsePositive, stands);
        }
    }

    /// Judges all verdicts that are held by who the programme is now.
    fn judge_verdicts(&self) -> Result<(), HoldError> {
        let mut verdicts: BTreeMap<Uuid, bool> =
            self.set.false_positives().into_iter().map(|id| (id, false)).collect();
        self.hold.each_live(|frame| {
            for kept in frame.put {
                if let Object::FalsePositive { by, of, stands } = kept.object
                    && self.programme.as_ref() == Some(&by)
                {
                    verdicts.extend(of.iter().filter_map(|id| id_of(id)).map(|id| (id, stands)));
                }
            }
        })?;
        for (id, stands) in verdicts {
            self.bound(id, Bound::FalsePositive, stands);
        }
        Ok(())
    }
}
