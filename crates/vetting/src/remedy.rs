//! Remedies: what would have to end, or be signed, for the grade to be better.
//!
//! Every finding rests on a proof, and each proof is a set of ties that suffices for it. Whatever makes the grade
//! better has to end at least one tie of each proof. So a cheapest set that meets all known proofs is a lower bound;
//! if the rules, asked again without it, are content, it is the least remedy, and if they are not, their new proofs join
//! the known ones. This is the method of implicit hitting sets (notes on ties, section 4.9). It ends, because proofs are
//! finite, or when the caller's time is over; then the best found and the bound are told apart.
//!
//! Ending a tie means selling it to somebody eligible: the others keep their parts. *Cancelling* it is the other
//! reading, where the rest is rescaled to the whole and may hand control to somebody else; each remedy says what
//! cancelling would lead to, because every remedy is asked of all rules again, both ways.

use std::collections::{BTreeMap, BTreeSet};

use model::{Grade, Tier};
use programme::Instrument;
use serde::Serialize;
use ties::{Bound, EntityId, Fraction, Period, Share, Tie, TieId, TieKind};

use crate::decision::{Decision, Party, Session};
use crate::judge::JudgeError;
use crate::lens::Lens;

/// How many alternatives are looked for.
pub const ALTERNATIVES_MAX: usize = 5;

/// How many proofs are gathered at most. A company can be crafted to have more; the remedy is then not proved least.
const PROOFS_MAX: usize = 2_000;

/// What a tie costs to end: one that the entity or its own is a party of, and one between others.
const OWN_COST: u32 = 1;
const OTHERS_COST: u32 = 100;

/// A set of ties to end, and where that leads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Remedy {
    /// The ties.
    pub end: BTreeSet<TieId>,
    /// The ties, in words.
    pub text: Vec<String>,
    /// The grade afterwards, if they are sold to somebody eligible.
    pub leaves: Grade,
    /// The rules that still apply then.
    pub still: Vec<String>,
    /// The grade afterwards, if they are cancelled and the rest is rescaled.
    pub cancelled: Grade,
    /// Whether the entity, or what it controls, is a party of each of them.
    pub in_its_hand: bool,
    /// Whether nothing smaller would do.
    pub bound: RemedyBound,
}

/// How good a remedy is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemedyBound {
    /// Nothing cheaper would do.
    Proved,
    /// The best that was found in the time; nothing below `at_least` ties would do.
    BestFound {
        /// A lower bound on the number of ties.
        at_least: usize,
    },
}

/// An instrument that would suffice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstrumentRemedy {
    /// The instrument's kind.
    pub instrument: String,
    /// The ties that it would cover.
    pub covers: BTreeSet<TieId>,
    /// The grade afterwards.
    pub leaves: Grade,
}

/// What would make the grade better.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Remedies {
    /// Sets of ties to end, the cheapest first.
    pub ties: Vec<Remedy>,
    /// Instruments to sign.
    pub instruments: Vec<InstrumentRemedy>,
    /// Whether time ran out before the search ended.
    pub cut_short: bool,
}

impl Session<'_> {
    /// What would make the decision's grade better. `over` says when to stop.
    ///
    /// # Errors
    ///
    /// Refuses a pack that there is not.
    pub fn remedies(
        &self,
        party: &Party,
        decision: &Decision,
        over: &mut dyn FnMut() -> bool,
    ) -> Result<Remedies, JudgeError> {
        let mut found = Remedies::default();
        if decision.grade <= Grade::Disclose {
            return Ok(found);
        }
        let search = Search {
            session: self,
            party,
            tier: &decision.tier,
            worse: decision.grade,
            own: self.own(&party.entity),
        };
        let mut proofs = search.proofs(decision);
        let mut refused: Vec<BTreeSet<TieId>> = Vec::new();
        while found.ties.len() < ALTERNATIVES_MAX {
            let remedy = search.next(&mut proofs, &refused, over)?;
            found.cut_short |= over();
            let Some(remedy) = remedy else { break };
            refused.push(remedy.end.clone());
            found.ties.push(remedy);
        }
        found.ties.sort_by_key(|remedy| (!remedy.in_its_hand, remedy.end.len(), remedy.leaves));
        found.instruments = search.instruments(decision, over)?;
        Ok(found)
    }
}

struct Search<'a, 's> {
    session: &'a Session<'s>,
    party: &'a Party,
    tier: &'a Tier,
    worse: Grade,
    own: BTreeSet<EntityId>,
}

impl Search<'_, '_> {
    /// The proofs of the findings that make the grade what it is, as sets of ties that can be ended.
    fn proofs(&self, decision: &Decision) -> Vec<BTreeSet<TieId>> {
        let findings = decision.findings.iter().filter(|finding| finding.grade >= self.worse);
        findings
            .map(|finding| finding.ties().into_iter().filter(|tie| self.cost(tie).is_some()).collect())
            .collect()
    }

    /// What it costs to end the tie; `None` if nobody can.
    fn cost(&self, id: &TieId) -> Option<u32> {
        let tie = self.session.picture().tie(id)?.tie;
        if matches!(tie.kind, TieKind::Governs { .. } | TieKind::Family | TieKind::Succeeds) {
            return None;
        }
        let ours = self.own.contains(&tie.from) || self.own.contains(&tie.to);
        Some(if ours { OWN_COST } else { OTHERS_COST })
    }

    /// The cheapest remedy that is not in `refused` and contains none of it.
    fn next(
        &self,
        proofs: &mut Vec<BTreeSet<TieId>>,
        refused: &[BTreeSet<TieId>],
        over: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Remedy>, JudgeError> {
        loop {
            let Some((cut, proved)) = self.hit(proofs, refused, over) else { return Ok(None) };
            let lens = Lens::new(self.session.picture()).without(cut.iter().cloned());
            let after = self.session.grade_through(&lens, self.party, self.tier)?;
            if after.grade < self.worse {
                return Ok(Some(self.remedy(cut, &after, proved, proofs)?));
            }
            let more: Vec<_> = self
                .proofs(&after)
                .into_iter()
                .filter(|proof| !proof.is_empty() && !proofs.contains(proof))
                .collect();
            // A finding that rests on no tie that can be ended has no remedy among ties.
            if more.is_empty() || proofs.len() > PROOFS_MAX || over() {
                return Ok(None);
            }
            proofs.extend(more);
        }
    }

    fn remedy(
        &self,
        cut: BTreeSet<TieId>,
        after: &Decision,
        proved: bool,
        proofs: &[BTreeSet<TieId>],
    ) -> Result<Remedy, JudgeError> {
        let cancelled = self.session.grade_through(&self.cancelled(&cut), self.party, self.tier)?.grade;
        let in_its_hand = cut.iter().all(|tie| self.cost(tie) == Some(OWN_COST));
        let bound =
            if proved { RemedyBound::Proved } else { RemedyBound::BestFound { at_least: disjoint(proofs) } };
        Ok(Remedy {
            text: cut.iter().map(|tie| self.session.tie_text(tie)).collect(),
            end: cut,
            leaves: after.grade,
            still: after.findings.iter().map(|finding| finding.rule.clone()).collect(),
            cancelled,
            in_its_hand,
            bound,
        })
    }

    /// The picture as if the holdings of the cut were cancelled: what the others hold is rescaled to the whole.
    fn cancelled(&self, cut: &BTreeSet<TieId>) -> Lens<'_> {
        let picture = self.session.picture();
        let mut lens = Lens::new(picture).without(cut.iter().cloned());
        let mut gone: BTreeMap<EntityId, Fraction> = BTreeMap::new();
        for tie in cut.iter().filter_map(|id| picture.tie(id)).map(|known| known.tie) {
            let TieKind::Holds(holding) = &tie.kind else { continue };
            let Some(share) = holding.votes.or(holding.money) else { continue };
            let sum = gone.entry(tie.to.clone()).or_insert(Fraction::ZERO);
            *sum = sum.checked_add(share.lo().at).map_or(Fraction::ONE, |sum| sum.min(Fraction::ONE));
        }
        for (company, gone) in gone {
            let Some(rest) = Fraction::ONE.checked_sub(gone).filter(|rest| *rest > Fraction::ZERO) else {
                continue;
            };
            for known in picture.ties_into(&company) {
                if !cut.contains(&known.tie.id)
                    && let Some(tie) = rescaled(known.tie, rest)
                {
                    lens = lens.changed(tie);
                }
            }
        }
        lens
    }

    /// Instruments that cover the ties of the proofs and would suffice.
    fn instruments(
        &self,
        decision: &Decision,
        over: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<InstrumentRemedy>, JudgeError> {
        let covers = decision.ties(self.worse);
        let mut found = Vec::new();
        for kind in self.session.instrument_kinds() {
            if over() {
                break;
            }
            let mut party = self.party.clone();
            party.instruments.push(Instrument {
                id: format!("if:{}", kind.kind),
                kind: kind.kind.clone(),
                entity: party.entity.clone(),
                covers: covers.clone(),
                valid: Period::ALWAYS,
                recorded: None,
                source: String::new(),
            });
            let after = self.session.decide(&party, self.tier)?;
            if after.grade < self.worse {
                let (instrument, leaves) = (kind.kind.clone(), after.grade);
                found.push(InstrumentRemedy { instrument, covers: covers.clone(), leaves });
            }
        }
        Ok(found)
    }

    /// The cheapest set that meets every proof and contains no refused set; and whether it is certainly the cheapest.
    fn hit(
        &self,
        proofs: &[BTreeSet<TieId>],
        refused: &[BTreeSet<TieId>],
        over: &mut dyn FnMut() -> bool,
    ) -> Option<(BTreeSet<TieId>, bool)> {
        if proofs.is_empty() || proofs.iter().any(BTreeSet::is_empty) {
            return None;
        }
        let mut best: Option<(u32, BTreeSet<TieId>)> = None;
        let mut proved = true;
        let mut open: Vec<(u32, BTreeSet<TieId>, BTreeSet<TieId>)> =
            vec![(0, BTreeSet::new(), BTreeSet::new())];
        while let Some((cost, chosen, barred)) = open.pop() {
            if best.as_ref().is_some_and(|(least, _)| cost >= *least)
                || refused.iter().any(|set| set.is_subset(&chosen))
            {
                continue;
            }
            // The smallest proof that is not met yet has the fewest branches.
            let missed =
                proofs.iter().filter(|proof| proof.is_disjoint(&chosen)).min_by_key(|proof| proof.len());
            let Some(missed) = missed else {
                best = Some((cost, chosen));
                continue;
            };
            if best.is_some() && over() {
                proved = false;
                break;
            }
            let mut barred = barred;
            let mut branches = Vec::new();
            for tie in missed {
                if barred.contains(tie) {
                    continue;
                }
                let price = self.cost(tie).unwrap_or(u32::MAX / 2);
                let mut with = chosen.clone();
                with.insert(tie.clone());
                branches.push((cost.saturating_add(price), with, barred.clone()));
                // The later branches do without this tie, so that no set is looked at twice.
                barred.insert(tie.clone());
            }
            branches.sort_by_key(|(cost, ..)| std::cmp::Reverse(*cost));
            open.extend(branches);
        }
        best.map(|(_, set)| (set, proved))
    }
}

/// How many proofs share no tie: each needs a tie of its own, so this many have to end at least.
fn disjoint(proofs: &[BTreeSet<TieId>]) -> usize {
    let mut met = BTreeSet::new();
    let mut count = 0;
    let mut by_size: Vec<_> = proofs.iter().collect();
    by_size.sort_by_key(|proof| proof.len());
    for proof in by_size {
        if proof.is_disjoint(&met) {
            met.extend(proof.iter().cloned());
            count += 1;
        }
    }
    count
}

/// The holding as a part of what is left.
fn rescaled(mut tie: Tie, rest: Fraction) -> Option<Tie> {
    let TieKind::Holds(holding) = &mut tie.kind else { return None };
    let scale = |share: Share| {
        let end = |bound: Bound| {
            let at = bound.at.checked_div(rest).map_or(Fraction::ONE, |at| at.min(Fraction::ONE));
            Bound { at, open: bound.open && at < Fraction::ONE }
        };
        Share::between(end(share.lo()), end(share.hi())).unwrap_or(Share::UNKNOWN)
    };
    holding.votes = holding.votes.map(scale);
    holding.money = holding.money.map(scale);
    Some(tie)
}
