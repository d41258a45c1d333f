//! Looking at a picture as if some ties were different.
//!
//! Instruments, remedies and questions of what would be are all the same thing: the picture with some ties taken out
//! or changed. A [`Lens`] is that, without copying the picture.
//!
//! A holding that ends is *sold*: somebody eligible, an outsider of whom nothing else is known, holds it from then on,
//! and the others keep their parts. If it were only left out, a register that names all holders would have a gap,
//! and the gap would be somebody's. Ties of other kinds are just gone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use programme::{Instrument, InstrumentKind, Transform};
use ties::{
    AsOf, Bound, Entity, EntityId, EntityKind, Fraction, Holding, KnownListing, KnownTie, ListId, Name,
    Picture, Share, Source, StatementId, Tie, TieId, TieKind, Truth,
};

/// A picture with some ties ended, changed or added.
pub struct Lens<'p> {
    under: &'p dyn Picture,
    ended: Ended<'p>,
    /// Ties that are gone, and nobody has what they carried.
    gone: BTreeSet<TieId>,
    /// Holdings of which so much is kept at most, and the rest sold.
    kept: BTreeMap<TieId, Fraction>,
    /// Ties that are as if they were these.
    changed: BTreeMap<TieId, Tie>,
    /// Ties that are as if they had been stated.
    added: Vec<(Tie, StatementId, Source)>,
    /// Where outsiders belong, so that they are eligible.
    home: BTreeSet<String>,
}

/// Which ties are as if they had ended.
enum Ended<'p> {
    These(BTreeSet<TieId>),
    /// All that can be ended but these.
    AllBut(Cow<'p, BTreeSet<TieId>>),
}

/// What an outsider's identifier begins with; the tie that it bought follows.
const OUTSIDER: &str = "outsider:";
/// What the identifier of the part of a holding begins with that was sold; the holding's follows.
const SOLD: &str = "sold:";

impl<'p> Lens<'p> {
    /// The picture as it is.
    #[must_use]
    pub fn new(under: &'p dyn Picture) -> Self {
        Self {
            under,
            ended: Ended::These(BTreeSet::new()),
            gone: BTreeSet::new(),
            kept: BTreeMap::new(),
            changed: BTreeMap::new(),
            added: Vec::new(),
            home: BTreeSet::new(),
        }
    }

    /// Those who buy what is sold belong to these countries; left out, nobody knows where they belong.
    #[must_use]
    pub fn with_buyers_of(mut self, home: &BTreeSet<String>) -> Self {
        self.home.clone_from(home);
        self
    }

    /// As if these ties had ended by sale to somebody eligible: the other holders keep their parts.
    #[must_use]
    pub fn without(mut self, ties: impl IntoIterator<Item = TieId>) -> Self {
        match &mut self.ended {
            Ended::These(ended) => ended.extend(ties),
            Ended::AllBut(kept) => {
                for tie in ties {
                    kept.to_mut().remove(&tie);
                }
            }
        }
        self
    }

    /// As if of each of these holdings no more than this part of the company had been kept, and the rest been sold to
    /// somebody eligible.
    #[must_use]
    pub fn selling_down(mut self, kept: impl IntoIterator<Item = (TieId, Fraction)>) -> Self {
        self.kept.extend(kept);
        self
    }

    /// As if every tie that can be ended had ended, but these.
    #[must_use]
    pub(crate) fn only(mut self, ties: &'p BTreeSet<TieId>) -> Self {
        self.ended = Ended::AllBut(Cow::Borrowed(ties));
        self
    }

    /// As if these ties had never been, and nobody had what they carried.
    #[must_use]
    pub fn gone(mut self, ties: impl IntoIterator<Item = TieId>) -> Self {
        self.gone.extend(ties);
        self
    }

    /// As if these ties were stated.
    #[must_use]
    pub fn with(mut self, ties: impl IntoIterator<Item = (Tie, StatementId, Source)>) -> Self {
        self.added.extend(ties);
        self
    }

    /// As if `tie` were this.
    #[must_use]
    pub fn changed(mut self, tie: Tie) -> Self {
        self.changed.insert(tie.id.clone(), tie);
        self
    }

    /// With what instruments make of the ties that they cover.
    #[must_use]
    pub fn under_instruments<'i>(
        mut self,
        instruments: impl IntoIterator<Item = (&'i Instrument, &'i InstrumentKind)>,
    ) -> Self {
        for (instrument, kind) in instruments {
            for id in &instrument.covers {
                let tie = self.changed.get(id).cloned().or_else(|| self.under.tie(id).map(|known| known.tie));
                let Some(tie) = tie else { continue };
                match transformed(tie, &kind.transforms) {
                    Some(tie) => drop(self.changed.insert(id.clone(), tie)),
                    None => drop(self.gone.insert(id.clone())),
                }
            }
        }
        self
    }

    fn has_ended(&self, tie: &Tie) -> bool {
        match &self.ended {
            Ended::These(ended) => ended.contains(&tie.id),
            Ended::AllBut(kept) => can_end(&tie.kind) && !kept.contains(&tie.id),
        }
    }

    fn seen(&self, mut known: KnownTie) -> Option<KnownTie> {
        if self.gone.contains(&known.tie.id) {
            return None;
        }
        if let Some(changed) = self.changed.get(&known.tie.id) {
            known.tie = changed.clone();
        }
        if self.has_ended(&known.tie) {
            let TieKind::Holds(holding) = &mut known.tie.kind else { return None };
            // What sums up a chain ends with the chain.
            if holding.indirect || !holding.components.is_empty() {
                return None;
            }
            holding.nominator = None;
            known.tie.from = outsider(&known.tie.id)?;
        } else if let Some((kept, _)) = self.divided(&known.tie) {
            known.tie.kind = TieKind::Holds(kept);
        }
        Some(known)
    }

    /// What is kept of a holding that is sold down, and what is sold.
    fn divided(&self, tie: &Tie) -> Option<(Holding, Holding)> {
        let kept = self.kept.get(&tie.id)?;
        let TieKind::Holds(holding) = &tie.kind else { return None };
        is_divisible(holding).then(|| divided(holding, *kept)).flatten()
    }

    /// The part of a holding that somebody eligible bought.
    fn sold(&self, mut known: KnownTie) -> Option<KnownTie> {
        if self.gone.contains(&known.tie.id) || self.has_ended(&known.tie) {
            return None;
        }
        if let Some(changed) = self.changed.get(&known.tie.id) {
            known.tie = changed.clone();
        }
        let (_, sold) = self.divided(&known.tie)?;
        known.tie.from = outsider(&known.tie.id)?;
        known.tie.id = format!("{SOLD}{}", known.tie.id).parse().ok()?;
        known.tie.kind = TieKind::Holds(sold);
        Some(known)
    }

    fn additions(&self) -> impl Iterator<Item = KnownTie> {
        let day = self.under.as_of().day;
        let added = self.added.iter().filter_map(move |(tie, statement, source)| {
            let truth = tie.valid.holds(day);
            (truth != Truth::No).then(|| KnownTie {
                tie: tie.clone(),
                statement: statement.clone(),
                source: Arc::new(source.clone()),
                truth,
                announced_end: None,
                disputed_end: None,
            })
        });
        added.filter_map(|known| self.seen(known))
    }

    /// The tie that an outsider bought.
    fn bought_by(&self, id: &EntityId) -> Option<KnownTie> {
        let tie = id.as_str().strip_prefix(OUTSIDER)?.parse().ok()?;
        if self.kept.contains_key(&tie) {
            return self.under.tie(&tie).and_then(|known| self.sold(known));
        }
        self.tie(&tie).filter(|known| known.tie.from == *id)
    }
}

/// Who buys a tie. `None` where the identifier would be too long; then nobody is told to hold it.
fn outsider(tie: &TieId) -> Option<EntityId> {
    format!("{OUTSIDER}{tie}").parse().ok()
}

/// Whether anybody can end a tie of this kind.
pub(crate) fn can_end(kind: &TieKind) -> bool {
    !matches!(kind, TieKind::Governs { .. } | TieKind::Family | TieKind::Succeeds)
}

/// Whether a part of a holding can be sold: what sums up a chain is sold where the chain is.
pub(crate) fn is_divisible(holding: &Holding) -> bool {
    !holding.indirect && holding.components.is_empty()
}

/// The most that a holding can be, by the measure of which it is more.
pub(crate) fn most(holding: &Holding) -> Option<Fraction> {
    [holding.votes, holding.money].into_iter().flatten().map(|share| share.hi().at).max()
}

/// A holding of which at most `kept` of the company is kept, and what is sold of it. Votes and money are sold in the
/// proportion in which they are held; of a range whatever exceeds the part that is kept is sold. `None` where digits do
/// not suffice.
fn divided(holding: &Holding, kept: Fraction) -> Option<(Holding, Holding)> {
    let most = most(holding).filter(|most| *most > Fraction::ZERO)?;
    let part = kept.checked_div(most).map_or(Fraction::ONE, |part| part.min(Fraction::ONE));
    let divide = |share: Option<Share>| -> Option<(Option<Share>, Option<Share>)> {
        let Some(share) = share else { return Some((None, None)) };
        let (lo, hi) = (share.lo(), share.hi());
        let cap = hi.at.checked_mul(part)?;
        let least = if lo.at < cap { lo } else { Bound::closed(cap) };
        let upper = if cap < hi.at { Bound::closed(cap) } else { hi };
        let over = |bound: Bound| match bound.at.checked_sub(cap) {
            Some(at) if at > Fraction::ZERO => Bound { at, open: bound.open },
            Some(_) | None => Bound::closed(Fraction::ZERO),
        };
        let kept = Share::between(least, upper).ok()?;
        Some((Some(kept), Some(Share::between(over(lo), over(hi)).ok()?)))
    };
    let ((kept_votes, sold_votes), (kept_money, sold_money)) =
        (divide(holding.votes)?, divide(holding.money)?);
    let kept = Holding { votes: kept_votes, money: kept_money, ..holding.clone() };
    let sold = Holding { votes: sold_votes, money: sold_money, nominator: None, ..holding.clone() };
    Some((kept, sold))
}

/// Whether an instrument of a kind makes anything of a tie that it covers.
#[must_use]
pub fn acts_on(kind: &InstrumentKind, tie: &Tie) -> bool {
    transformed(tie.clone(), &kind.transforms).as_ref() != Some(tie)
}

/// What is left of a tie under an instrument; `None` if nothing.
pub(crate) fn transformed(mut tie: Tie, transforms: &BTreeSet<Transform>) -> Option<Tie> {
    let has = |transform| transforms.contains(&transform);
    match &mut tie.kind {
        TieKind::Holds(holding) if has(Transform::NoVotes) => {
            holding.money = holding.money.or(holding.votes);
            holding.votes = Some(ties::Share::NOTHING);
        }
        TieKind::Appoints(_) if has(Transform::NoAppointments) => {
            return None;
        }
        TieKind::Directs { .. } | TieKind::Consolidates { .. } if has(Transform::NoDirection) => return None,
        TieKind::MayAcquire { .. } if has(Transform::NoProspects) => return None,
        TieKind::Serves { .. } | TieKind::Seconds if has(Transform::Recusal) => return None,
        TieKind::Holds(_)
        | TieKind::MayAcquire { .. }
        | TieKind::Appoints(_)
        | TieKind::Directs { .. }
        | TieKind::Consolidates { .. }
        | TieKind::Serves { .. }
        | TieKind::Seconds => {}
        TieKind::Venture
        | TieKind::PartyTo { .. }
        | TieKind::Licenses { .. }
        | TieKind::Contracts { .. }
        | TieKind::Supplies { .. }
        | TieKind::Lends { .. }
        | TieKind::Pays { .. }
        | TieKind::Grants { .. }
        | TieKind::Equips { .. }
        | TieKind::Governs { .. }
        | TieKind::Family
        | TieKind::Associates { .. }
        | TieKind::Succeeds
        | TieKind::Plans(_) => {
            if has(Transform::Accepted) {
                return None;
            }
        }
    }
    Some(tie)
}

impl Picture for Lens<'_> {
    fn as_of(&self) -> AsOf {
        self.under.as_of()
    }

    fn canonical(&self, id: &EntityId) -> EntityId {
        self.under.canonical(id)
    }

    fn entity(&self, id: &EntityId) -> Option<Entity> {
        if id.as_str().starts_with(OUTSIDER) && self.bought_by(id).is_some() {
            let mut buyer = Entity::new(id.clone(), EntityKind::Organisation);
            buyer.names = vec![Name { text: "somebody eligible".to_owned(), alias: false }];
            buyer.countries = self.home.iter().take(1).cloned().collect();
            // Nobody has to ask who stands behind an eligible buyer.
            buyer.publicly_listed = Some(true);
            return Some(buyer);
        }
        self.under.entity(id)
    }

    fn ties_into(&self, id: &EntityId) -> Vec<KnownTie> {
        let here = self.under.canonical(id);
        let added = self.additions().filter(|known| self.under.canonical(&known.tie.to) == here);
        let under = self.under.ties_into(id);
        let is_sold = |known: &&KnownTie| self.kept.contains_key(&known.tie.id);
        let sold: Vec<KnownTie> =
            under.iter().filter(is_sold).filter_map(|known| self.sold(known.clone())).collect();
        under.into_iter().filter_map(|known| self.seen(known)).chain(added).chain(sold).collect()
    }

    fn ties_out_of(&self, id: &EntityId) -> Vec<KnownTie> {
        if id.as_str().starts_with(OUTSIDER) {
            return self.bought_by(id).into_iter().collect();
        }
        let here = self.under.canonical(id);
        let is_here = |known: &KnownTie| self.under.canonical(&known.tie.from) == here;
        let seen = self.under.ties_out_of(id).into_iter().filter_map(|known| self.seen(known));
        seen.chain(self.additions()).filter(is_here).collect()
    }

    fn arrangements(&self, id: &EntityId) -> Vec<KnownTie> {
        let here = self.under.canonical(id);
        let is_here = |known: &KnownTie| {
            matches!(known.tie.kind, TieKind::PartyTo { .. }) && self.under.canonical(&known.tie.from) == here
        };
        let seen = self.under.arrangements(id).into_iter().filter_map(|known| self.seen(known));
        seen.chain(self.additions()).filter(is_here).collect()
    }

    fn tie(&self, id: &TieId) -> Option<KnownTie> {
        let whole = id.as_str().strip_prefix(SOLD).and_then(|whole| whole.parse::<TieId>().ok());
        if let Some(whole) = whole.filter(|whole| self.kept.contains_key(whole)) {
            return self.under.tie(&whole).and_then(|known| self.sold(known));
        }
        match self.under.tie(id) {
            Some(known) => self.seen(known),
            None => self.additions().find(|known| known.tie.id == *id),
        }
    }

    fn listings(&self, id: &EntityId) -> Vec<KnownListing> {
        self.under.listings(id)
    }

    fn listed_on(&self, list: &ListId) -> Vec<KnownListing> {
        self.under.listed_on(list)
    }

    fn lists(&self) -> Vec<ListId> {
        self.under.lists()
    }
}
