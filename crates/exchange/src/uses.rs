//! What a reader may do with what it has: act on it, show it, pass it on.
//!
//! Guards are told with every object, so that an indicator that may only be acted on is shown to nobody, and one that may
//! not be acted on is only looked at. The rules are asked once for each reader, label and epoch.

use model::{LabelId, Principal};
use release::{Judge, Label};

use crate::exchange::Inner;
use crate::registry::Registry;

/// How many answers are remembered at most.
pub(crate) const USES_KEPT_MAX: usize = 65_536;

/// What a reader may do with objects of one label, beyond having them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// Its countermeasures may act on them.
    pub enforce: bool,
    /// It may show them to its own people.
    pub display: bool,
    /// It may pass them on.
    pub redistribute: bool,
}

impl Uses {
    /// What the policies permit.
    pub(crate) fn judged(judge: &Judge<'_>, label: &Label) -> Self {
        Self {
            enforce: judge.may_enforce(label).permitted,
            display: judge.may_display(label).permitted,
            redistribute: judge.may_redistribute(label).permitted,
        }
    }

    /// The words for what is permitted.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let all = [(self.enforce, "enforce"), (self.display, "display"), (self.redistribute, "redistribute")];
        all.into_iter().filter_map(|(may, word)| may.then_some(word))
    }
}

impl Inner {
    /// What the policies permit the principal to do with objects of a label.
    pub(crate) fn uses(&self, principal: &Principal, label: LabelId, registry: &Registry) -> Uses {
        let key = (principal.clone(), label);
        if let Some(uses) = self.uses.get(&key, registry.epoch) {
            return uses;
        }
        let (Some(reader), Some(known)) = (registry.reader(principal), registry.labels.label(label)) else {
            return Uses::default();
        };
        let uses = Uses::judged(&registry.policy.judge(reader), &registry.resolved(known));
        // A label of a transaction in flight may never come to be.
        if self.published.registry().labels.label(label).is_some() {
            self.uses.keep(key, registry.epoch, uses);
        }
        uses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_that_are_permitted() {
        let words = |uses: Uses| uses.words().collect::<Vec<_>>();
        assert!(words(Uses::default()).is_empty());
        assert_eq!(words(Uses { enforce: true, ..Uses::default() }), ["enforce"]);
        let all = Uses { enforce: true, display: true, redistribute: true };
        assert_eq!(words(all), ["enforce", "display", "redistribute"]);
    }
}
