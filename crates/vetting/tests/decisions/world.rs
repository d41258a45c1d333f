//! What statements amount to, read the plain way: every question scans every statement. It shares with the code under
//! test the statements themselves and the dates, and nothing that computes.

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;
use ties::{
    Confidence, Day, Ending, Entity, EntityId, Holding, Jurisdiction, Listing, Said, Share, Statement,
    StatementId, Tie, TieId, TieKind, Truth,
};

/// Parts of a whole, in so many; odd numbers lie between, where an end does not belong.
const UNIT: i64 = 20_000_000;
/// All of a company.
pub(crate) const WHOLE: i64 = UNIT;
/// Half of it.
pub(crate) const HALF: i64 = UNIT / 2;

/// An end of a range, as a whole number: `more than 25 %` is one more than 25 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) lo: i64,
    pub(crate) hi: i64,
}

impl Range {
    const NOTHING: Self = Self { lo: 0, hi: 0 };

    #[expect(clippy::cast_possible_truncation, reason = "the test's shares have few digits")]
    fn of(share: Share) -> Self {
        let end = |at: ties::Fraction| (at.to_f64() * 10_000_000.0).round() as i64 * 2;
        let (lo, hi) = (share.lo(), share.hi());
        Self { lo: end(lo.at) + i64::from(lo.open), hi: end(hi.at) - i64::from(hi.open) }
    }

    fn plus(self, other: Self) -> Self {
        Self { lo: self.lo + other.lo, hi: (self.hi + other.hi).min(WHOLE) }
    }
}

/// A share in what the checker weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Of {
    Votes,
    Money,
}

/// A company's holders.
#[derive(Clone, Debug, Default)]
pub(crate) struct Register {
    pub(crate) stakes: BTreeMap<EntityId, (Range, Range)>,
    /// By right, and whether certainly.
    pub(crate) rights: BTreeMap<EntityId, bool>,
    pub(crate) complete: bool,
    /// Whether two documents exclude each other.
    pub(crate) disputed: bool,
}

impl Register {
    pub(crate) fn range(&self, holder: &EntityId, of: Of) -> Range {
        let stake = self.stakes.get(holder);
        stake.map_or(Range::NOTHING, |(votes, money)| if of == Of::Votes { *votes } else { *money })
    }

    fn totals(&self, of: Of) -> (i64, i64) {
        let ranges = self.stakes.keys().map(|holder| self.range(holder, of));
        ranges.fold((0, 0), |(lo, hi), range| (lo + range.lo, hi + range.hi))
    }

    pub(crate) fn is_over_full(&self, of: Of) -> bool {
        self.totals(of).0 > WHOLE
    }

    /// All of it is held by those who are named.
    fn is_closed(&self, of: Of) -> bool {
        self.complete && self.totals(of).1 >= WHOLE
    }

    /// The least and the most that a group can hold.
    pub(crate) fn held(&self, group: &dyn Fn(&EntityId) -> bool, of: Of) -> (i64, i64) {
        let (mut inside, mut outside) = ((0, 0), (0, 0));
        for holder in self.stakes.keys() {
            let range = self.range(holder, of);
            let sum = if group(holder) { &mut inside } else { &mut outside };
            *sum = (sum.0 + range.lo, sum.1 + range.hi);
        }
        if self.is_over_full(of) {
            return (0, inside.1.min(WHOLE));
        }
        let least = if self.is_closed(of) { inside.0.max(WHOLE - outside.1) } else { inside.0 };
        (least, inside.1.min(WHOLE - outside.0))
    }

    /// What one holder passes on to those behind it, at one end of the ranges.
    #[expect(clippy::cast_precision_loss, reason = "looking through is compared in basis points")]
    fn flow(&self, holder: &EntityId, of: Of, certain: bool) -> f64 {
        let (least, most) = self.held(&|id| id == holder, of);
        let whole = |end: i64| (end + end.rem_euclid(2)) as f64 / WHOLE as f64;
        // An end that does not belong is as good as one that does, in a sum of parts.
        if certain { whole(least - least.rem_euclid(2)) } else { whole(most).min(1.0) }
    }
}

fn tie_of(statement: &Statement) -> Option<&Tie> {
    if let Said::Tie(tie) = &statement.said { Some(tie) } else { None }
}

/// Statements on a day, as known at an instant.
pub(crate) struct World<'s> {
    pub(crate) statements: Vec<&'s Statement>,
    pub(crate) day: Day,
    registers: std::cell::RefCell<BTreeMap<EntityId, Register>>,
}

impl<'s> World<'s> {
    pub(crate) fn new(statements: &'s [Statement], day: Day, known: Timestamp) -> Self {
        let retracted: BTreeSet<&StatementId> = statements
            .iter()
            .filter(|statement| statement.recorded <= known)
            .filter_map(
                |statement| if let Said::Retraction { of, .. } = &statement.said { Some(of) } else { None },
            )
            .collect();
        let counts =
            |statement: &&Statement| statement.recorded <= known && !retracted.contains(&statement.id);
        let mut statements: Vec<_> = statements.iter().filter(counts).collect();
        statements.sort_by_key(|statement| (statement.recorded, statement.id.clone()));
        Self { statements, day, registers: std::cell::RefCell::default() }
    }

    pub(crate) fn statement(&self, id: &str) -> Option<&'s Statement> {
        self.statements.iter().copied().find(|statement| statement.id.as_str() == id)
    }

    pub(crate) fn entity(&self, id: &EntityId) -> Option<&'s Entity> {
        let entity = |said: &'s Said| if let Said::Entity(entity) = said { Some(entity) } else { None };
        let all = self.statements.iter().rev().filter_map(|statement| entity(&statement.said));
        all.into_iter().find(|entity| entity.id == *id)
    }

    /// Whether what a statement says holds by itself, and has not ended. Of rumours and of days to come nothing ends.
    fn truth_of(&self, id: &TieId, speaker: &Statement, valid: ties::Period) -> Truth {
        let doubted = |statement: &Statement| statement.source.confidence == Confidence::Low;
        let coming = |on: ties::PartialDate, said: &Statement| on.earliest() > Day::of(said.recorded);
        let is_listing = matches!(speaker.said, Said::Listing(_));
        let is_plan = tie_of(speaker).is_some_and(|tie| matches!(tie.kind, TieKind::Plans(_)));
        let counts = |to: &ties::PartialDate| is_listing || is_plan || !coming(*to, speaker);
        let mut truth = valid.from.map_or(Truth::Certain, |from| from.has_come(self.day));
        if valid.to.filter(counts).is_some_and(|to| self.day >= to.settled()) {
            truth = Truth::No;
        }
        for statement in &self.statements {
            if let Said::End(end) = &statement.said
                && end.tie == *id
                && end.by == Ending::Completed
                && !doubted(statement)
                && !coming(end.on, statement)
                && statement.recorded >= speaker.recorded
                && self.day >= end.on.settled()
            {
                truth = Truth::No;
            }
        }
        if doubted(speaker) { truth.min(Truth::Possible) } else { truth }
    }

    /// Who speaks of several statements about one thing: the last that is no rumour; a newer rumour, where that one
    /// says that nothing holds.
    fn speaks(
        &self,
        about: &[&'s Statement],
        truth: &dyn Fn(&'s Statement) -> Truth,
        id: &TieId,
    ) -> Option<(&'s Statement, Truth)> {
        let is_rumour = |said: &Statement| said.source.confidence == Confidence::Low;
        let sound = about.iter().rev().find(|said| !is_rumour(said)).copied();
        let rumour = about.iter().rev().find(|said| is_rumour(said)).copied();
        let Some(sound) = sound else { return rumour.map(|said| (said, truth(said))) };
        let last_end = self.statements.iter().filter(|statement| {
            matches!(&statement.said, Said::End(end) if end.tie == *id
                && end.by == Ending::Completed
                && end.on.earliest() <= Day::of(statement.recorded))
                && !is_rumour(statement)
        });
        let last = last_end.map(|end| end.recorded).max().into_iter().chain([sound.recorded]).max();
        match rumour.filter(|rumour| Some(rumour.recorded) > last) {
            Some(rumour) if truth(sound) == Truth::No => Some((rumour, truth(rumour))),
            Some(_) | None => Some((sound, truth(sound))),
        }
    }

    /// A tie that holds or may hold, with the statement that speaks for it.
    pub(crate) fn tie(&self, id: &str) -> Option<(&'s Tie, &'s Statement, Truth)> {
        let about = |said: &&Statement| tie_of(said).is_some_and(|tie| tie.id.as_str() == id);
        let about: Vec<&Statement> = self.statements.iter().copied().filter(about).collect();
        let id: TieId = id.parse().unwrap();
        let truth =
            |said: &'s Statement| tie_of(said).map_or(Truth::No, |tie| self.truth_of(&id, said, tie.valid));
        let (said, truth) = self.speaks(&about, &truth, &id)?;
        (truth != Truth::No).then_some((tie_of(said)?, said, truth))
    }

    pub(crate) fn ties(&self) -> Vec<(&'s Tie, &'s Statement, Truth)> {
        let ids: BTreeSet<&str> =
            self.statements.iter().filter_map(|statement| Some(tie_of(statement)?.id.as_str())).collect();
        ids.into_iter().filter_map(|id| self.tie(id)).collect()
    }

    pub(crate) fn listings(&self) -> Vec<(&'s Listing, &'s Statement, Truth)> {
        let mut about: BTreeMap<&TieId, Vec<&'s Statement>> = BTreeMap::new();
        for statement in &self.statements {
            if let Said::Listing(listing) = &statement.said {
                about.entry(&listing.id).or_default().push(statement);
            }
        }
        let listing =
            |said: &'s Statement| if let Said::Listing(listing) = &said.said { Some(listing) } else { None };
        let held = about.into_iter().filter_map(|(id, about)| {
            let truth = |said: &'s Statement| {
                listing(said).map_or(Truth::No, |listing| self.truth_of(id, said, listing.valid))
            };
            let (said, truth) = self.speaks(&about, &truth, id)?;
            Some((listing(said)?, said, truth))
        });
        held.filter(|(.., truth)| *truth != Truth::No).collect()
    }

    pub(crate) fn countries(&self, id: &EntityId) -> BTreeSet<String> {
        let mut countries: BTreeSet<String> =
            self.entity(id).map(|entity| entity.countries.iter().cloned().collect()).unwrap_or_default();
        countries.extend(id.as_str().strip_prefix("state:").map(ToOwned::to_owned));
        for (tie, _, truth) in self.ties() {
            if let TieKind::Governs { by } = &tie.kind
                && tie.to == *id
                && truth == Truth::Certain
                && *by != Jurisdiction::Residence
            {
                countries.extend(tie.from.as_str().strip_prefix("state:").map(ToOwned::to_owned));
            }
        }
        countries
    }

    /// Everybody of whom anything is said.
    pub(crate) fn everybody(&self) -> BTreeSet<EntityId> {
        let mut all = BTreeSet::new();
        for statement in &self.statements {
            match &statement.said {
                Said::Entity(entity) => drop(all.insert(entity.id.clone())),
                Said::Tie(tie) => all.extend([tie.from.clone(), tie.to.clone()]),
                Said::Listing(listing) => drop(all.insert(listing.entity.clone())),
                Said::End(_) | Said::Same { .. } | Said::Retraction { .. } => {}
            }
        }
        all
    }

    pub(crate) fn register(&self, company: &EntityId) -> Register {
        if let Some(known) = self.registers.borrow().get(company) {
            return known.clone();
        }
        let register = self.read_register(company, &|_| true);
        self.registers.borrow_mut().insert(company.clone(), register.clone());
        register
    }

    /// A company's register, from those of its ties that `admit` lets through. Only the kinds of ties that the tests
    /// use are read; another one ends the test.
    pub(crate) fn read_register(&self, company: &EntityId, admit: &dyn Fn(&TieId) -> bool) -> Register {
        let mut register = Register {
            complete: self.entity(company).and_then(|entity| entity.register_complete) == Some(true),
            ..Register::default()
        };
        let mut said: BTreeMap<EntityId, BTreeMap<&str, (Range, Range, Truth)>> = BTreeMap::new();
        for (tie, statement, truth) in self.ties() {
            if tie.to != *company || !admit(&tie.id) {
                continue;
            }
            let right = match &tie.kind {
                TieKind::Holds(holding) => {
                    assert!(!holding.indirect, "the checker does not read sums of chains");
                    let holder = holding.nominator.clone().unwrap_or(tie.from.clone());
                    let (votes, money) = shares(holding, truth);
                    let account = said.entry(holder).or_default().entry(&statement.source.document);
                    account
                        .and_modify(|sum| *sum = (sum.0.plus(votes), sum.1.plus(money), sum.2.max(truth)))
                        .or_insert((votes, money, truth));
                    continue;
                }
                TieKind::Appoints(right) => {
                    let most = right.seats.zip(right.of).is_some_and(|(seats, of)| 2 * seats > of);
                    !right.observer && right.majority.unwrap_or(most)
                }
                TieKind::Directs { by } => *by != ties::Direction::Influence,
                TieKind::PartyTo { .. } | TieKind::Consolidates { .. } => {
                    panic!("the checker does not read {:?}", tie.kind)
                }
                TieKind::MayAcquire { .. }
                | TieKind::Venture
                | TieKind::Serves { .. }
                | TieKind::Seconds
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
                | TieKind::Plans(_) => false,
            };
            if right {
                let certain = register.rights.entry(tie.from.clone()).or_insert(false);
                *certain |= truth == Truth::Certain;
            }
        }
        for (holder, accounts) in said {
            let votes =
                agreed(accounts.values().map(|account| (account.0, account.2)), &mut register.disputed);
            let money =
                agreed(accounts.values().map(|account| (account.1, account.2)), &mut register.disputed);
            register.stakes.insert(holder, (votes, money));
        }
        register
    }

    /// Whoever has any part of a company through any chain, itself included.
    pub(crate) fn upstream(&self, company: &EntityId) -> BTreeSet<EntityId> {
        let mut all = BTreeSet::from([company.clone()]);
        let mut open = vec![company.clone()];
        while let Some(next) = open.pop() {
            let register = self.register(&next);
            let holds = |(_, (votes, money)): &(_, &(Range, Range))| votes.hi > 0 || money.hi > 0;
            let holders = register.stakes.iter().filter(holds).map(|(holder, _)| holder);
            for holder in holders.chain(register.rights.keys()) {
                if all.insert(holder.clone()) {
                    open.push(holder.clone());
                }
            }
        }
        all
    }

    /// The least set that contains the seeds and whatever its members carry, by asking everybody until nothing moves.
    pub(crate) fn closure(
        &self,
        seeds: &BTreeSet<EntityId>,
        test: Test,
        certain: bool,
    ) -> BTreeSet<EntityId> {
        self.closure_by(seeds, test, certain, &|company| self.register(company))
    }

    pub(crate) fn closure_by(
        &self,
        seeds: &BTreeSet<EntityId>,
        test: Test,
        certain: bool,
        register: &dyn Fn(&EntityId) -> Register,
    ) -> BTreeSet<EntityId> {
        let everybody: Vec<(EntityId, Register)> =
            self.everybody().into_iter().map(|id| (id.clone(), register(&id))).collect();
        let mut set = seeds.clone();
        loop {
            let before = set.len();
            for (company, register) in &everybody {
                if !set.contains(company) && carries(register, &set, test, certain) {
                    set.insert(company.clone());
                }
            }
            if set.len() == before {
                return set;
            }
        }
    }

    /// What sources look through to in a company, by passing parts on until they stand still.
    pub(crate) fn part(
        &self,
        sources: &BTreeSet<EntityId>,
        company: &EntityId,
        of: Of,
        certain: bool,
    ) -> f64 {
        let registers: Vec<(EntityId, Register)> =
            self.upstream(company).into_iter().map(|id| (id.clone(), self.register(&id))).collect();
        let mut parts: BTreeMap<&EntityId, f64> = registers.iter().map(|(id, _)| (id, 0.0)).collect();
        for _ in 0..2_000 {
            let next: BTreeMap<&EntityId, f64> = registers
                .iter()
                .map(|(id, register)| {
                    if sources.contains(id) {
                        return (id, 1.0);
                    }
                    let flows = register.stakes.keys().map(|holder| {
                        register.flow(holder, of, certain) * parts.get(holder).copied().unwrap_or(0.0)
                    });
                    (id, flows.sum::<f64>().min(1.0))
                })
                .collect();
            let moved = next.iter().any(|(id, part)| (part - parts[id]).abs() > 1e-13);
            parts = next;
            if !moved {
                break;
            }
        }
        parts.get(company).copied().unwrap_or(0.0)
    }
}

/// What a closure asks of each company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// More than half of the votes, or a right.
    Control,
    /// More than half of this, and no rights.
    Majority(Of),
    /// Half of the capital or more.
    Half,
}

fn carries(register: &Register, set: &BTreeSet<EntityId>, test: Test, certain: bool) -> bool {
    let inside = |id: &EntityId| set.contains(id);
    let by_right = register.rights.iter().any(|(id, sure)| set.contains(id) && (*sure || !certain));
    let held = |of| {
        if !register.stakes.keys().any(inside) {
            return 0;
        }
        let (least, most) = register.held(&inside, of);
        if certain { least } else { most }
    };
    match test {
        Test::Control => by_right || held(Of::Votes) > HALF,
        Test::Majority(of) => held(of) > HALF,
        Test::Half => held(Of::Money) >= HALF,
    }
}

fn shares(holding: &Holding, truth: Truth) -> (Range, Range) {
    let range = |share: Share| {
        let range = Range::of(share);
        if truth == Truth::Certain { range } else { Range { lo: 0, hi: range.hi } }
    };
    let votes = holding.votes.or(holding.money).unwrap_or(Share::UNKNOWN);
    (range(votes), range(holding.money.unwrap_or(Share::UNKNOWN)))
}

/// Several documents' accounts of one holding: what all certain ones allow, or all between them if nothing does; the
/// doubtful only raise the most.
fn agreed(accounts: impl Iterator<Item = (Range, Truth)> + Clone, disputed: &mut bool) -> Range {
    let certain = accounts.clone().filter(|(_, truth)| *truth == Truth::Certain).map(|(range, _)| range);
    let met = certain.clone().reduce(|a, b| Range { lo: a.lo.max(b.lo), hi: a.hi.min(b.hi) });
    let hull = certain.reduce(|a, b| Range { lo: a.lo.min(b.lo), hi: a.hi.max(b.hi) });
    let mut range = match (met, hull) {
        (Some(met), _) if met.lo <= met.hi => met,
        (_, Some(hull)) => {
            *disputed = true;
            hull
        }
        (_, None) => Range::NOTHING,
    };
    for (doubtful, _) in accounts.filter(|(_, truth)| *truth != Truth::Certain) {
        range.hi = range.hi.max(doubtful.hi);
    }
    range
}
