//! Remedies: what would have to end, or be signed, for the grade to be better.
//!
//! Every finding rests on a proof, and each proof is a set of ties that suffices for it. Whatever makes the grade
//! better has to end at least one tie of each proof. So a cheapest set that meets all known proofs is a lower bound;
//! if the rules, asked again without it, are content, it is the least remedy, and if they are not, their new proofs join
//! the known ones. This is the method of implicit hitting sets (Moreno-Centeno and Karp 2013; `kernel::cut` does the same
//! for one closure). It ends, because proofs are finite, or when the caller's time is over; then the best found and the
//! bound are told apart. Each question to the rules is preceded by one about the time, and a remedy that is merely some
//! remedy is looked for first, so that there is one to tell when time is over.
//!
//! What is undisclosed is no tie, and there may be none to end. Then what would help is to disclose it, and that is
//! told beside the remedies.
//!
//! That a proof suffices is not taken on trust: the rules are asked about a picture in which every other tie has ended,
//! and as long as they still find as much, ties are let go from the proof. A remedy is called least only if each proof
//! passed, if no rule is calmed by a tie more, and if no sources contradict each other: two accounts that exclude each
//! other make nothing certain, and ending one makes the other certain. Nor if its own companies have dealings with each
//! other that would be a foreign party's once one of them is sold.
//!
//! Ending a tie means selling it to somebody eligible: the others keep their parts. *Cancelling* it is the other
//! reading, where the rest is rescaled to the whole and may hand control to somebody else; each remedy says what
//! cancelling would lead to, because every remedy is asked of all rules again, both ways.
//!
//! A holding need not always be sold whole: a rule that asks for 10 % is content with 9.99 %. So for each set of ties it
//! is told how much of its holdings may be *kept*, in basis points, by bisection over what the rules answer.

use std::collections::{BTreeMap, BTreeSet};

use model::{Grade, Tier};
use programme::{Instrument, InstrumentKind};
use serde::Serialize;
use ties::kernel::cut::{Clause, Cover, cheapest};
use ties::{Bound, EntityId, Fraction, Period, Share, Tie, TieId, TieKind};

use crate::decision::{Decision, Party};
use crate::facts::{FactName, Facts, Value};
use crate::judge::JudgeError;
use crate::lens::{Lens, acts_on, can_end, is_divisible, most};
use crate::session::{Session, Verdict};

/// How many alternatives are looked for.
pub const ALTERNATIVES_MAX: usize = 5;

/// How many sales are told.
const SALES_MAX: usize = 3;

/// How many ties a proof may have for its superfluous ones to be looked for; beyond that it is taken as it is.
const SHRUNK_MAX: usize = 256;
/// How often some remedy is looked for by ending one tie of each proof more; then all of them at once.
const ROUNDS_ONE_BY_ONE: usize = 64;

/// What a tie costs to end: one that the entity or its own is a party of, and one between others.
const OWN_COST: u64 = 1;
const OTHERS_COST: u64 = 100;

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
    /// Whether nothing cheaper would do. A tie between others costs a hundred times one of its own.
    pub bound: RemedyBound,
}

/// How good a remedy is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemedyBound {
    /// Nothing cheaper would do, but for those that stand before it.
    Proved,
    /// The best that was found; nothing below `at_least` ties would do.
    BestFound {
        /// A lower bound on the number of ties.
        at_least: usize,
    },
}

/// A holding of which some has to be sold, and not all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sale {
    /// The holding.
    pub tie: TieId,
    /// The holding, in words.
    pub text: String,
    /// At most so much of the company may be kept, in basis points, by the measure of which more is held.
    pub keep: u32,
    /// At least so much of it has to be sold, in basis points.
    pub sell: u32,
}

/// Holdings to sell down to a line, and other ties to end, and where that leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SaleRemedy {
    /// What is sold in part.
    pub sell: Vec<Sale>,
    /// What has to end whole beside it.
    pub end: BTreeSet<TieId>,
    /// The grade afterwards, if it is sold to somebody eligible.
    pub leaves: Grade,
    /// The rules that still apply then.
    pub still: Vec<String>,
    /// Whether the entity, or what it controls, is a party of each of them.
    pub in_its_hand: bool,
    /// Whether a basis point more of any of the holdings, kept, would be too much. Not so if time ran out.
    pub least: bool,
}

/// An instrument that would suffice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstrumentRemedy {
    /// The instrument's kind.
    pub instrument: String,
    /// The ties that it would have to cover, none of them superfluous unless there are very many.
    pub covers: BTreeSet<TieId>,
    /// These ties, in words.
    pub text: Vec<String>,
    /// The grade afterwards.
    pub leaves: Grade,
}

/// What nobody knows, and ought to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disclosure {
    /// Who holds what, or stands behind whom.
    pub what: Vec<String>,
    /// The grade if all of it became known and no rule found anything in it.
    pub leaves: Grade,
}

/// What would make the grade better.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Remedies {
    /// Sets of ties to end: those in its own hand first, then the smallest.
    pub ties: Vec<Remedy>,
    /// Holdings of these sets that need not be sold whole: the least that helps, and what is as good as ending them.
    pub sales: Vec<SaleRemedy>,
    /// Instruments to sign.
    pub instruments: Vec<InstrumentRemedy>,
    /// What to disclose, where it counts against the entity that it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disclose: Option<Disclosure>,
    /// Whether time ran out before the search ended.
    pub cut_short: bool,
    /// How many remedies rest on what the reader may not see, and are left out.
    #[serde(skip_serializing_if = "is_zero")]
    pub withheld: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Session<'_> {
    /// What would make the decision's grade better. `over` says when to stop: it is asked before every question to the
    /// rules, and once it said so only a remedy that was found before is looked at again.
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
        let mut time = Patience { over, is_over: false };
        let (whole, facts) = self.decide_for_all(party, &decision.tier)?;
        found.disclose = self.disclosure(party, &whole, &facts)?;
        let mut search = Search::new(self, party, &whole)?;
        search.prepare(&whole, &mut time)?;
        search.demand(&whole, &mut time)?;
        while found.ties.len() < ALTERNATIVES_MAX {
            match search.next(&mut time)? {
                Some(remedy) => found.ties.push(remedy),
                None => break,
            }
            if time.is_over() {
                break;
            }
        }
        found.instruments = search.instruments(&whole, &mut time)?;
        found.ties.sort_by_key(|remedy| (!remedy.in_its_hand, remedy.end.len(), remedy.leaves));
        for remedy in &found.ties {
            if found.sales.len() < SALES_MAX {
                found.sales.extend(search.sales(remedy, &mut time)?);
            }
        }
        found.cut_short = time.is_over();
        let count = |found: &Remedies| found.ties.len() + found.sales.len() + found.instruments.len();
        let before = count(&found);
        found.ties.retain(|remedy| self.all_seen(&remedy.end));
        found.sales.retain(|remedy| {
            self.all_seen(&remedy.end) && self.all_seen(remedy.sell.iter().map(|sale| &sale.tie))
        });
        found.instruments.retain(|remedy| self.all_seen(&remedy.covers));
        found.withheld = before - count(&found);
        Ok(found)
    }

    /// What would have to be known, if that alone would make the grade better.
    fn disclosure(
        &self,
        party: &Party,
        whole: &Decision,
        facts: &Facts,
    ) -> Result<Option<Disclosure>, JudgeError> {
        if facts.certain(FactName::Undisclosed) == Value::Number(0) {
            return Ok(None);
        }
        let mut known = facts.clone();
        known.told(FactName::Undisclosed, Value::Number(0));
        let leaves = self.verdict(party, &whole.tier, &known)?.grade;
        let seen = facts.hidden.iter().filter(|(_, evidence)| *evidence <= self.may_see());
        let what: Vec<String> = seen.map(|(text, _)| text.clone()).collect();
        Ok((leaves < whole.grade && !what.is_empty()).then_some(Disclosure { what, leaves }))
    }

    fn all_seen<'t>(&self, ties: impl IntoIterator<Item = &'t TieId>) -> bool {
        let mut known = ties.into_iter().filter_map(|tie| self.picture().tie(tie));
        known.all(|known| known.source.evidence <= self.may_see())
    }
}

/// The caller's time. Once over, it is over.
struct Patience<'c> {
    over: &'c mut dyn FnMut() -> bool,
    is_over: bool,
}

impl Patience<'_> {
    fn is_over(&mut self) -> bool {
        self.is_over = self.is_over || (self.over)();
        self.is_over
    }
}

struct Search<'a, 's> {
    session: &'a Session<'s>,
    party: &'a Party,
    tier: &'a Tier,
    worse: Grade,
    own: BTreeSet<EntityId>,
    home: &'a BTreeSet<String>,
    /// Ties that have appeared in a proof and can be ended, numbered as they came.
    ties: Vec<TieId>,
    numbers: BTreeMap<TieId, usize>,
    costs: Vec<u64>,
    demands: Vec<Clause>,
    /// Whether each demand is one: nothing that fails it can be a remedy.
    sound: bool,
    /// Some finding rests on no tie that anybody can end.
    hopeless: bool,
    /// Some remedy, least or not, for when time is over or nothing more can be learned.
    spare: Option<BTreeSet<TieId>>,
}

impl<'a, 's> Search<'a, 's> {
    fn new(session: &'a Session<'s>, party: &'a Party, decision: &'a Decision) -> Result<Self, JudgeError> {
        let facts = session.values(party);
        let contradiction = facts.possible(FactName::Conflicted) == Value::Flag(true);
        Ok(Self {
            session,
            party,
            tier: &decision.tier,
            worse: decision.grade,
            own: session.own(&party.entity),
            home: session.home(),
            ties: Vec::new(),
            numbers: BTreeMap::new(),
            costs: Vec::new(),
            demands: Vec::new(),
            sound: session.sitting(&decision.tier)?.grows() && !contradiction && !facts.hides,
            hopeless: false,
            spare: None,
        })
    }

    /// What it costs to end the tie; `None` if nobody can.
    fn cost(&self, id: &TieId) -> Option<u64> {
        let tie = self.session.picture().tie(id)?.tie;
        let ours = self.own.contains(&tie.from) || self.own.contains(&tie.to);
        can_end(&tie.kind).then_some(if ours { OWN_COST } else { OTHERS_COST })
    }

    fn lens(&self) -> Lens<'a> {
        Lens::new(self.session.picture()).with_buyers_of(self.home)
    }

    fn without(&self, cut: &BTreeSet<TieId>) -> Lens<'a> {
        self.lens().without(cut.iter().cloned())
    }

    fn verdict(&self, lens: &Lens<'_>) -> Result<Verdict, JudgeError> {
        self.session.verdict_through(lens, self.party, self.tier)
    }

    /// Adds a demand for each finding that makes the grade what it is. Returns whether any of them was new.
    fn demand(&mut self, decision: &Decision, time: &mut Patience<'_>) -> Result<bool, JudgeError> {
        let mut new = false;
        let worse = self.worse;
        for finding in decision.findings.iter().filter(|finding| finding.grade >= worse) {
            let proof: BTreeSet<TieId> =
                finding.ties().into_iter().filter(|tie| self.cost(tie).is_some()).collect();
            if proof.is_empty() {
                self.hopeless = true;
                return Ok(false);
            }
            if time.is_over() {
                return Ok(new);
            }
            let (proof, sufficient) = self.shrunk(proof, time)?;
            self.sound &= sufficient;
            if proof.is_empty() {
                // It is as bad without any tie that can be ended.
                self.hopeless = true;
                return Ok(false);
            }
            let take: Vec<usize> = proof.into_iter().map(|tie| self.number(tie)).collect();
            if !self.demands.iter().any(|demand| demand.take == take) {
                new = true;
                self.demands.push(Clause { take, leave: Vec::new() });
            }
        }
        Ok(new)
    }

    /// A part of a proof that still suffices, with as little as possible that is superfluous: pieces are let go, half of
    /// it first, then smaller ones. And whether the proof was sufficient at all.
    fn shrunk(
        &self,
        proof: BTreeSet<TieId>,
        time: &mut Patience<'_>,
    ) -> Result<(BTreeSet<TieId>, bool), JudgeError> {
        let suffices = |kept: &BTreeSet<TieId>| -> Result<bool, JudgeError> {
            Ok(self.verdict(&self.lens().only(kept))?.grade >= self.worse)
        };
        if !suffices(&proof)? {
            return Ok((proof, false));
        }
        if proof.len() > SHRUNK_MAX {
            return Ok((proof, true));
        }
        // Ties between others are the ones to be rid of: what is left is then in its own hand.
        let mut order: Vec<TieId> = proof.iter().cloned().collect();
        order.sort_by_key(|tie| std::cmp::Reverse(self.cost(tie)));
        let mut kept = proof;
        let mut piece = order.len().div_ceil(2);
        loop {
            for part in order.chunks(piece) {
                if time.is_over() {
                    // What is left suffices; that nothing of it is superfluous makes it only stronger.
                    return Ok((kept, true));
                }
                let fewer: BTreeSet<TieId> = kept.iter().filter(|tie| !part.contains(tie)).cloned().collect();
                if fewer.len() < kept.len() && suffices(&fewer)? {
                    kept = fewer;
                }
            }
            if piece == 1 {
                return Ok((kept, true));
            }
            order.retain(|tie| kept.contains(tie));
            piece = piece.div_ceil(2).min(order.len().max(1));
        }
    }

    fn number(&mut self, tie: TieId) -> usize {
        if let Some(&number) = self.numbers.get(&tie) {
            return number;
        }
        let number = self.ties.len();
        // INVARIANT: only ties with a cost are numbered.
        self.costs.push(self.cost(&tie).unwrap_or(OTHERS_COST));
        self.ties.push(tie.clone());
        self.numbers.insert(tie, number);
        number
    }

    /// The cheapest remedy that contains none of those before it, or the best that time allows.
    fn next(&mut self, time: &mut Patience<'_>) -> Result<Option<Remedy>, JudgeError> {
        loop {
            if self.hopeless {
                return Ok(None);
            }
            let chosen = match cheapest(&self.demands, &self.costs, &mut || time.is_over()) {
                Cover::None => return Ok(None),
                Cover::Cheapest(chosen) if !time.is_over() => chosen,
                Cover::Cheapest(_) | Cover::Late { .. } => return self.any(time),
            };
            let cut: BTreeSet<TieId> = chosen.iter().map(|&number| self.ties[number].clone()).collect();
            let after = self.session.decide_for_all_through(&self.without(&cut), self.party, self.tier)?;
            if after.grade < self.worse {
                let bound = if self.sound { RemedyBound::Proved } else { self.bound() };
                return self.remedy(cut, bound).map(Some);
            }
            if !self.demand(&after, time)? && !self.hopeless {
                // The same proofs again: the cut does not bring them down, and nothing more can be learned.
                return self.any(time);
            }
        }
    }

    /// Looks for some remedy: the cheapest tie of each proof that is left, until none is.
    fn prepare(&mut self, whole: &Decision, time: &mut Patience<'_>) -> Result<(), JudgeError> {
        let mut cut = BTreeSet::new();
        let mut after: Option<Decision> = None;
        for round in 0_usize.. {
            let found = &after.as_ref().unwrap_or(whole).findings;
            let mut ends = BTreeSet::new();
            for finding in found.iter().filter(|finding| finding.grade >= self.worse) {
                let ties = finding.ties().into_iter().filter(|tie| !cut.contains(tie));
                let mut can_end: Vec<(u64, TieId)> =
                    ties.filter_map(|tie| Some((self.cost(&tie)?, tie))).collect();
                can_end.sort_unstable();
                // After a while, everything that it rests on.
                can_end.truncate(if round < ROUNDS_ONE_BY_ONE { 1 } else { usize::MAX });
                if can_end.is_empty() {
                    // Where ending ties calms rules and wakes none, no other set would do either; and where all that so
                    // much rested on has ended and it still stands, none is looked for.
                    self.hopeless |= self.sound || after.is_none() || round > ROUNDS_ONE_BY_ONE;
                    return Ok(());
                }
                ends.extend(can_end.into_iter().map(|(_, tie)| tie));
            }
            cut.append(&mut ends);
            if cut.is_empty() || time.is_over() {
                return Ok(());
            }
            let next = self.session.decide_for_all_through(&self.without(&cut), self.party, self.tier)?;
            if next.grade < self.worse {
                self.spare = Some(cut);
                return Ok(());
            }
            after = Some(next);
        }
        Ok(())
    }

    /// Some remedy, once: what was found first, with whatever is not needed taken back as far as time allows.
    fn any(&mut self, time: &mut Patience<'_>) -> Result<Option<Remedy>, JudgeError> {
        let Some(mut cut) = self.spare.take() else { return Ok(None) };
        for tie in cut.clone() {
            if time.is_over() {
                break;
            }
            cut.remove(&tie);
            if self.verdict(&self.without(&cut))?.grade >= self.worse {
                cut.insert(tie);
            }
        }
        let cut_numbers: BTreeSet<usize> =
            cut.iter().filter_map(|tie| self.numbers.get(tie).copied()).collect();
        let is_known = |demand: &Clause| {
            demand.take.is_empty() && demand.leave.iter().all(|number| cut_numbers.contains(number))
        };
        if self.demands.iter().any(is_known) {
            return Ok(None);
        }
        let bound = self.bound();
        self.remedy(cut, bound).map(Some)
    }

    fn remedy(&mut self, cut: BTreeSet<TieId>, bound: RemedyBound) -> Result<Remedy, JudgeError> {
        let leave: Vec<usize> = cut.iter().map(|tie| self.number(tie.clone())).collect();
        self.demands.push(Clause { take: Vec::new(), leave });
        let after = self.verdict(&self.without(&cut))?;
        let cancelled = self.verdict(&self.cancelled(&cut))?.grade;
        Ok(Remedy {
            text: cut.iter().map(|tie| self.session.tie_text(tie)).collect(),
            in_its_hand: cut.iter().all(|tie| self.cost(tie) == Some(OWN_COST)),
            end: cut,
            leaves: after.grade,
            still: after.rules.into_iter().collect(),
            cancelled,
            bound,
        })
    }

    /// What is known where nothing is proved: of proofs that share no tie each needs a tie of its own.
    fn bound(&self) -> RemedyBound {
        if !self.sound {
            return RemedyBound::BestFound { at_least: 1 };
        }
        let mut met = BTreeSet::new();
        let mut proofs: Vec<&Vec<usize>> =
            self.demands.iter().map(|demand| &demand.take).filter(|take| !take.is_empty()).collect();
        proofs.sort_by_key(|proof| proof.len());
        let mut at_least = 0;
        for proof in proofs {
            if proof.iter().all(|tie| !met.contains(tie)) {
                met.extend(proof.iter().copied());
                at_least += 1;
            }
        }
        RemedyBound::BestFound { at_least }
    }

    /// The picture as if the holdings of the cut were cancelled: what the others hold is rescaled to the whole.
    fn cancelled(&self, cut: &BTreeSet<TieId>) -> Lens<'a> {
        let picture = self.session.picture();
        let mut lens = self.lens().gone(cut.iter().cloned());
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

    /// How far the holdings of a remedy have to be sold: as little as makes the grade better, then as little as makes it
    /// better still, until it is as good as if they had ended.
    ///
    /// What is kept of one holding is found by bisection, the others being sold whole until it is their turn. Each answer
    /// of the rules is asked for, so what is told leads where it says, also where a sale calms no rule or wakes one.
    fn sales(&self, remedy: &Remedy, time: &mut Patience<'_>) -> Result<Vec<SaleRemedy>, JudgeError> {
        let picture = self.session.picture();
        let divisible = |id: &TieId| {
            let TieKind::Holds(holding) = picture.tie(id)?.tie.kind else { return None };
            let most = u32::try_from(most(&holding)?.basis_points_ceil()).ok()?;
            is_divisible(&holding).then(|| (id.clone(), most))
        };
        let holdings: Vec<(TieId, u32)> = remedy.end.iter().filter_map(divisible).collect();
        let mut found: Vec<SaleRemedy> = Vec::new();
        let mut worse = self.worse;
        while !holdings.is_empty() && worse > remedy.leaves && !time.is_over() {
            let Some(sale) = self.sale(remedy, &holdings, worse, time)? else { break };
            worse = sale.leaves;
            found.push(sale);
        }
        Ok(found)
    }

    /// The least sale that leads below a grade; `None` if nothing of any holding may be kept.
    fn sale(
        &self,
        remedy: &Remedy,
        holdings: &[(TieId, u32)],
        worse: Grade,
        time: &mut Patience<'_>,
    ) -> Result<Option<SaleRemedy>, JudgeError> {
        let mut kept: BTreeMap<TieId, u32> = BTreeMap::new();
        let mut least = true;
        for (tie, most) in holdings {
            // INVARIANT: `enough` leads below the grade, and `too_much` does not, or is more than there is.
            let (mut enough, mut too_much) = (0, most + 1);
            while too_much - enough > 1 {
                if time.is_over() {
                    least = false;
                    break;
                }
                let middle = enough.midpoint(too_much);
                kept.insert(tie.clone(), middle);
                if self.verdict(&self.selling_down(&remedy.end, &kept))?.grade < worse {
                    enough = middle;
                } else {
                    too_much = middle;
                }
            }
            if enough == 0 {
                kept.remove(tie)
            } else {
                kept.insert(tie.clone(), enough)
            };
        }
        let after = self.verdict(&self.selling_down(&remedy.end, &kept))?;
        if kept.is_empty() || after.grade >= worse {
            return Ok(None);
        }
        let parts = holdings.iter().filter_map(|(tie, most)| {
            let (keep, text) = (*kept.get(tie)?, self.session.tie_text(tie));
            (keep < *most).then(|| Sale { tie: tie.clone(), text, keep, sell: most - keep })
        });
        Ok(Some(SaleRemedy {
            sell: parts.collect(),
            end: remedy.end.iter().filter(|tie| !kept.contains_key(*tie)).cloned().collect(),
            leaves: after.grade,
            still: after.rules.into_iter().collect(),
            in_its_hand: remedy.in_its_hand,
            least,
        }))
    }

    /// The picture as if some ties had ended, and of these holdings no more than so many basis points been kept.
    fn selling_down(&self, end: &BTreeSet<TieId>, kept: &BTreeMap<TieId, u32>) -> Lens<'a> {
        let ended = end.iter().filter(|tie| !kept.contains_key(*tie)).cloned();
        let kept = kept.iter().map(|(tie, points)| (tie.clone(), Fraction::basis_points(*points)));
        self.lens().without(ended).selling_down(kept)
    }

    /// Instruments that would suffice, with the ties of the proofs that they have to cover.
    fn instruments(
        &self,
        decision: &Decision,
        time: &mut Patience<'_>,
    ) -> Result<Vec<InstrumentRemedy>, JudgeError> {
        let proved = decision.ties(self.worse);
        let mut found = Vec::new();
        for kind in self.session.instrument_kinds() {
            if time.is_over() {
                break;
            }
            let acts =
                |id: &&TieId| self.session.picture().tie(id).is_some_and(|known| acts_on(kind, &known.tie));
            let mut covers: BTreeSet<TieId> = proved.iter().filter(acts).cloned().collect();
            let leaves = self.grade_under(kind, &covers)?;
            if leaves >= self.worse {
                continue;
            }
            if covers.len() <= SHRUNK_MAX {
                let mut order: Vec<TieId> = covers.iter().cloned().collect();
                let mut piece = order.len().div_ceil(2);
                while piece > 0 && !time.is_over() {
                    for part in order.chunks(piece) {
                        if time.is_over() {
                            break;
                        }
                        let fewer = covers.iter().filter(|tie| !part.contains(tie)).cloned().collect();
                        if self.grade_under(kind, &fewer)? <= leaves {
                            covers = fewer;
                        }
                    }
                    order.retain(|tie| covers.contains(tie));
                    piece = if piece == 1 { 0 } else { piece.div_ceil(2).min(order.len()) };
                }
            }
            let text = covers.iter().map(|tie| self.session.tie_text(tie)).collect();
            found.push(InstrumentRemedy { instrument: kind.kind.clone(), covers, text, leaves });
        }
        Ok(found)
    }

    /// The grade if an instrument of a kind were signed that covers some ties.
    fn grade_under(&self, kind: &InstrumentKind, covers: &BTreeSet<TieId>) -> Result<Grade, JudgeError> {
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
        Ok(self.session.verdict(&party, self.tier, &self.session.values(&party))?.grade)
    }
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
