//! One company: from the ties that run to it to its register of holders.
//!
//! What several ties say is put together in this order.
//!
//! 1. **Holders.** A nominee's shares are the nominator's; of a trust the trustees vote and the beneficiaries have
//!    the money; who was dissolved holds nothing.
//! 2. **Accounts.** What one document says of one holder adds up (classes of shares). What several documents say are
//!    accounts of the same thing: their shares meet, and if they do not, the holder has anything from the least to the
//!    most, and the contradiction is told. A doubtful account (a rumour, a time of doubt) widens the range upwards
//!    and makes nothing certain; it takes no certainty away.
//! 3. **Summaries.** An indirect holding counts only where no chain of other ties leads to the same holder, since
//!    it would count twice. One that would fill the register beyond the whole is taken as possible.
//! 4. **Prospects.** If asked for, who may acquire holds it, and the others have what is left.

use std::collections::BTreeSet;
use std::rc::Rc;

use serde::Serialize;
use smallvec::SmallVec;

use super::graph::{About, Graph, In, Link};
use super::sums::{Sum, beside, hull, is_majority, larger, meet, possibly, raised, squeezed};
use crate::{EntityKind, PartyRole, Share, TieId, Truth};

/// How many entities are looked at above a company to find the chain that an indirect holding sums up. A longer chain
/// is taken as unknown, and the holding counts as possible or in full; both err towards showing a holder.
const CHAIN_LOOKED_AT_MAX: usize = 256;

/// Numbers of ties; most edges have one.
pub(super) type Ties = SmallVec<[u32; 2]>;

/// A holder of a company.
#[derive(Clone, Debug)]
pub(super) struct Stake {
    pub(super) holder: u32,
    pub(super) votes: Share,
    pub(super) money: Share,
    pub(super) ties: Ties,
}

/// One who controls by right.
#[derive(Clone, Debug)]
pub(super) struct Right {
    pub(super) holder: u32,
    pub(super) truth: Truth,
    pub(super) ties: Ties,
}

/// What a company's ties amount to.
#[derive(Clone, Debug)]
pub(super) struct Register {
    pub(super) stakes: Vec<Stake>,
    /// By right: each of them controls, if it is certain.
    pub(super) rights: Vec<Right>,
    /// Whether the stakes are all that there are.
    pub(super) complete: bool,
    pub(super) own_shares_vote: bool,
    /// Whether it is a joint holding, of which each holder counts as holding the whole.
    pub(super) joint: bool,
    pub(super) notes: Vec<Note>,
}

/// Something irregular, by number.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) what: What,
    pub(super) holder: u32,
    pub(super) ties: Ties,
}

/// What can be irregular about a register, or about what is said of one holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The holders certainly hold more than the whole of the votes. Nothing is certain, and nothing is left out.
    VotesOverFull,
    /// The holders certainly hold more than the whole of the money.
    MoneyOverFull,
    /// The register is said to be complete, and the holders cannot come to the whole. It is read as incomplete.
    ShortRegister,
    /// Shares too fine to be added exactly. The register is read as one that contradicts itself.
    TooFine,
    /// Several documents contradict each other about its votes.
    VotesDisputed,
    /// Several documents contradict each other about its money.
    MoneyDisputed,
    /// One document gives it more than the whole, or shares too fine to be added. They are taken as unknown.
    TooMuch,
    /// An indirect holding was left out, since the chain that it sums up is known.
    SummaryLeftOut,
    /// An indirect holding was taken as possible only, since with it the register would hold more than the whole.
    SummaryDoubted,
}

/// The register of `company`.
pub(super) fn register(graph: &mut impl Graph, company: u32, each_whole: bool) -> Register {
    let about = graph.about(company);
    let mut ins = graph.ins(company);
    drop_what_plans_end(&mut ins);
    let dropped = drop_dissolved(graph, &mut ins);
    let mut register = Register {
        stakes: Vec::new(),
        rights: Vec::new(),
        complete: about.register_complete && !dropped,
        own_shares_vote: about.own_shares_vote,
        joint: each_whole && about.kind == EntityKind::JointHolding,
        notes: Vec::new(),
    };
    ins.sort_by_key(|tie| (tie.holder, tie.document, tie.tie));
    for group in ins.chunk_by(|a, b| a.holder == b.holder) {
        register.stake(group);
        register.right(group);
    }
    register.parties(&ins, about);
    if ins.iter().any(|tie| matches!(tie.link, Link::Summary { .. } | Link::Ultimate)) {
        register.summaries(graph, company, &ins);
    }
    if ins.iter().any(|tie| matches!(tie.link, Link::Prospect { .. })) {
        register.prospects(&ins);
    }
    register
}

/// Whether the tie is a link that a summary above it may sum up, and whether it is one of control by itself.
fn as_link(tie: &In) -> Option<bool> {
    match &tie.link {
        Link::Shares { votes, .. } => Some(is_majority(*votes)),
        Link::Right | Link::Party(PartyRole::Trustee | PartyRole::Nominator | PartyRole::Party) => Some(true),
        Link::Party(PartyRole::Beneficiary) => Some(false),
        Link::Party(PartyRole::Settlor | PartyRole::Protector | PartyRole::Nominee)
        | Link::Summary { .. }
        | Link::Influence
        | Link::Ultimate
        | Link::Prospect { .. } => None,
    }
}

/// Ties that would end with a plan that counts as carried out.
fn drop_what_plans_end(ins: &mut Vec<In>) {
    let ended: BTreeSet<TieId> =
        ins.iter().filter_map(|tie| tie.prospect()).flat_map(|(_, ends)| ends).cloned().collect();
    if !ended.is_empty() {
        ins.retain(|tie| tie.name.as_ref().is_none_or(|name| !ended.contains(name)));
    }
}

/// Takes out what the dissolved would hold, and tells whether there was any.
fn drop_dissolved(graph: &mut impl Graph, ins: &mut Vec<In>) -> bool {
    let before = ins.len();
    ins.retain_mut(|tie| match graph.about(tie.holder).dissolved {
        Truth::Certain => false,
        Truth::Possible => {
            tie.truth = tie.truth.min(Truth::Possible);
            true
        }
        Truth::No => true,
    });
    ins.len() < before
}

/// What one document says of one holder.
struct Account {
    votes: Sum,
    money: Sum,
    certain: bool,
}

fn accounts(shares: &[(&In, Share, Share)]) -> impl Iterator<Item = Account> {
    shares.chunk_by(|a, b| a.0.document == b.0.document).map(|ties| {
        let mut account = Account { votes: Sum::NOTHING, money: Sum::NOTHING, certain: false };
        for (tie, votes, money) in ties {
            if tie.truth == Truth::Certain {
                account.votes = account.votes.plus(*votes);
                account.money = account.money.plus(*money);
                account.certain = true;
            } else {
                account.votes = account.votes.plus_possible(*votes);
                account.money = account.money.plus_possible(*money);
            }
        }
        account
    })
}

/// Puts the accounts of one measure together; and whether they contradict each other, or are too much.
fn agreed(accounts: &[Account], measure: impl Fn(&Account) -> Sum) -> (Share, bool, bool) {
    let (mut share, mut disputed, mut too_much): (Option<Share>, _, _) = (None, false, false);
    let mut of = |account: &Account| {
        measure(account).share().unwrap_or_else(|| {
            too_much = true;
            Share::UNKNOWN
        })
    };
    for account in accounts.iter().filter(|account| account.certain) {
        let new = of(account);
        share = Some(match share {
            None => new,
            Some(so_far) => meet(so_far, new).unwrap_or_else(|| {
                disputed = true;
                hull(so_far, new)
            }),
        });
    }
    let mut share = share.unwrap_or(Share::NOTHING);
    for account in accounts.iter().filter(|account| !account.certain) {
        share = raised(share, of(account).hi());
    }
    (share, disputed, too_much)
}

impl Register {
    fn note(&mut self, what: What, holder: u32, ties: impl IntoIterator<Item = u32>) {
        self.notes.push(Note { what, holder, ties: ties.into_iter().collect() });
    }

    /// Adds what one holder holds in shares, from its ties.
    fn stake(&mut self, group: &[In]) {
        // Nearly every holder has one tie, and nothing to put together.
        if let [tie] = group {
            if let Link::Shares { votes, money } = tie.link {
                let seen = |share| if tie.truth == Truth::Certain { share } else { possibly(share) };
                let (votes, money) = (seen(votes), seen(money));
                self.stakes.push(Stake {
                    holder: tie.holder,
                    votes,
                    money,
                    ties: Ties::from_slice(&[tie.tie]),
                });
            }
            return;
        }
        let shares: Vec<_> = group.iter().filter_map(In::shares).collect();
        let stake = self.put_together(&shares);
        self.stakes.extend(stake);
    }

    fn put_together(&mut self, shares: &[(&In, Share, Share)]) -> Option<Stake> {
        let holder = shares.first()?.0.holder;
        let ties: Ties = shares.iter().map(|(tie, ..)| tie.tie).collect();
        let accounts: Vec<Account> = accounts(shares).collect();
        let (votes, votes_disputed, too_many) = agreed(&accounts, |account| account.votes);
        let (money, money_disputed, too_much) = agreed(&accounts, |account| account.money);
        for (what, is_so) in [
            (What::VotesDisputed, votes_disputed),
            (What::MoneyDisputed, money_disputed),
            (What::TooMuch, too_many || too_much),
        ] {
            if is_so {
                self.note(what, holder, ties.iter().copied());
            }
        }
        Some(Stake { holder, votes, money, ties })
    }

    /// Adds what one holder may do by right.
    fn right(&mut self, group: &[In]) {
        for tie in group {
            if let Some(truth) = tie.right() {
                self.add_right(tie, truth);
            }
        }
    }

    fn add_right(&mut self, tie: &In, truth: Truth) {
        let place = self.rights.iter().position(|right| right.holder == tie.holder);
        let place = place.unwrap_or_else(|| {
            self.rights.push(Right { holder: tie.holder, truth, ties: Ties::new() });
            self.rights.len() - 1
        });
        let right = &mut self.rights[place];
        right.truth = right.truth.max(truth);
        right.ties.push(tie.tie);
    }

    /// Adds the parties of an arrangement, where the entity is one.
    fn parties(&mut self, ins: &[In], about: About) {
        let of =
            |role: PartyRole| ins.iter().filter(move |tie| matches!(tie.link, Link::Party(r) if r == role));
        for (voters, earners) in [
            (PartyRole::Trustee, Some(PartyRole::Beneficiary)),
            (PartyRole::Nominator, Some(PartyRole::Nominator)),
            (PartyRole::Party, None),
        ] {
            let (votes, money): (Vec<&In>, Vec<&In>) =
                (of(voters).collect(), earners.into_iter().flat_map(of).collect());
            // Of a concert nobody has the whole alone; of several trustees or nominators nobody is known to.
            let sole = |parties: &[&In]| parties.len() == 1 && about.kind != EntityKind::Concert;
            let part = |parties: &[&In]| if sole(parties) { Share::WHOLE } else { Share::UNKNOWN };
            let (votes_each, money_each) = (part(&votes), part(&money));
            let both = votes.iter().map(|tie| (tie, true)).chain(money.iter().map(|tie| (tie, false)));
            for (tie, is_vote) in both {
                let share = if is_vote { votes_each } else { money_each };
                let share = if tie.truth == Truth::Certain { share } else { possibly(share) };
                let stake = self.stake_of(tie.holder, tie.tie);
                let measure = if is_vote { &mut stake.votes } else { &mut stake.money };
                if *measure == Share::NOTHING {
                    *measure = share;
                }
            }
            // Somebody votes what an arrangement holds, and the parties are all there are.
            self.complete |= !votes.is_empty();
        }
    }

    fn stake_of(&mut self, holder: u32, tie: u32) -> &mut Stake {
        let place = self.stakes.iter().position(|stake| stake.holder == holder).unwrap_or_else(|| {
            let nothing = Share::NOTHING;
            self.stakes.push(Stake { holder, votes: nothing, money: nothing, ties: Ties::new() });
            self.stakes.len() - 1
        });
        let stake = &mut self.stakes[place];
        if !stake.ties.contains(&tie) {
            stake.ties.push(tie);
        }
        stake
    }

    /// Adds the indirect holdings and ultimate parents whose chains are not known.
    fn summaries(&mut self, graph: &mut impl Graph, company: u32, ins: &[In]) {
        let above = Above::of(graph, company, ins);
        let mut counted = Vec::new();
        for group in ins.chunk_by(|a, b| a.holder == b.holder) {
            let mut shares = Vec::new();
            for tie in group {
                match &tie.link {
                    Link::Summary { votes, money, components } => {
                        let named = !components.is_empty() && components.iter().all(|tie| graph.holds(tie));
                        if named || above.far.contains(&tie.holder) {
                            self.note(What::SummaryLeftOut, tie.holder, [tie.tie]);
                        } else {
                            shares.push((tie, *votes, *money));
                        }
                    }
                    Link::Ultimate if above.parents.contains(&tie.holder) => {
                        self.note(What::SummaryLeftOut, tie.holder, [tie.tie]);
                    }
                    Link::Ultimate => self.add_right(tie, tie.truth),
                    Link::Shares { .. }
                    | Link::Right
                    | Link::Influence
                    | Link::Party(_)
                    | Link::Prospect { .. } => {}
                }
            }
            counted.extend(self.put_together(&shares));
        }
        // Whom the register has no room for is asked of each first, and then of all together: which of several was told
        // first says nothing.
        let (fits, mut doubted): (Vec<Stake>, Vec<Stake>) =
            counted.into_iter().partition(|stake| self.has_room(std::slice::from_ref(stake)));
        let (certain, more) = if self.has_room(&fits) { (fits, Vec::new()) } else { (Vec::new(), fits) };
        doubted.extend(more);
        for (stakes, doubted) in [(certain, false), (doubted, true)] {
            for stake in &stakes {
                self.add_summary(stake, doubted);
            }
        }
    }

    /// Whether so much may be held beside what the register has already.
    fn has_room(&self, more: &[Stake]) -> bool {
        let total = |measure: fn(&Stake) -> Share| {
            let all = self.stakes.iter().chain(more);
            all.fold(Sum::NOTHING, |sum, stake| sum.plus(measure(stake))).share()
        };
        total(|stake| stake.votes).is_some() && total(|stake| stake.money).is_some()
    }

    fn add_summary(&mut self, stake: &Stake, doubted: bool) {
        if doubted {
            self.note(What::SummaryDoubted, stake.holder, stake.ties.iter().copied());
        }
        let own = self.stake_of(stake.holder, stake.ties[0]);
        for (own, more) in [(&mut own.votes, stake.votes), (&mut own.money, stake.money)] {
            let sum = Sum::NOTHING.plus(*own);
            let sum = if doubted { sum.plus_possible(more) } else { sum.plus(more) };
            *own = sum.share().unwrap_or(Share::UNKNOWN);
        }
        for &tie in &stake.ties {
            self.stake_of(stake.holder, tie);
        }
    }

    /// Lets those who may acquire acquire. Of several nobody is known to be first, so each may and none must.
    fn prospects(&mut self, ins: &[In]) {
        let mut acquired: Vec<(u32, Share, u32)> = ins
            .iter()
            .filter_map(|tie| tie.prospect().map(|(votes, _)| (tie.holder, votes, tie.tie)))
            .collect();
        acquired.sort_by_key(|&(holder, _, tie)| (holder, tie));
        let alone = acquired.first().map(|first| first.0) == acquired.last().map(|last| last.0);
        let mut room = None;
        for &(holder, votes, tie) in &acquired {
            let stake = self.stake_of(holder, tie);
            stake.votes = if alone { larger(stake.votes, votes) } else { raised(stake.votes, votes.hi()) };
            room = Some(beside(stake.votes.lo()));
        }
        let Some(room) = room else { return };
        let acquirers: BTreeSet<u32> = acquired.iter().map(|&(holder, ..)| holder).collect();
        let total = self.stakes.iter().fold(Sum::NOTHING, |sum, stake| sum.plus(stake.votes)).share();
        for stake in self.stakes.iter_mut().filter(|stake| !acquirers.contains(&stake.holder)) {
            if total.is_none() || !alone {
                // Somebody sells, and nobody knows who.
                stake.votes = if alone { squeezed(stake.votes, room) } else { possibly(stake.votes) };
            }
        }
    }
}

/// Who is above a company, by links that no summary is.
struct Above {
    /// By a chain of two links or more.
    far: BTreeSet<u32>,
    /// By links each of which certainly controls by itself.
    parents: BTreeSet<u32>,
}

impl Above {
    fn of(graph: &mut impl Graph, company: u32, ins: &[In]) -> Self {
        let any = |tie: &In| as_link(tie).is_some();
        let controls = |tie: &In| as_link(tie) == Some(true) && tie.truth == Truth::Certain;
        let has = |what: fn(&Link) -> bool| ins.iter().any(|tie| what(&tie.link));
        let mut above = Self { far: BTreeSet::new(), parents: BTreeSet::new() };
        if has(|link| matches!(link, Link::Summary { .. })) {
            walk(graph, company, ins, any, |holder, depth| {
                if depth > 1 {
                    above.far.insert(holder);
                }
            });
        }
        if has(|link| matches!(link, Link::Ultimate)) {
            walk(graph, company, ins, controls, |holder, _| {
                above.parents.insert(holder);
            });
        }
        above
    }
}

/// Walks up from a company along the links that `follow` admits, and tells who holds by each, and how far up.
fn walk(
    graph: &mut impl Graph,
    company: u32,
    ins: &[In],
    follow: impl Fn(&In) -> bool,
    mut tell: impl FnMut(u32, u32),
) {
    let mut seen = BTreeSet::from([company]);
    let mut open = vec![(company, 0)];
    let mut next = 0;
    while let Some(&(entity, depth)) = open.get(next).filter(|_| next < CHAIN_LOOKED_AT_MAX) {
        let above = if next == 0 { Rc::from([]) } else { graph.ins_again(entity) };
        next += 1;
        for tie in if depth == 0 { ins } else { &above }.iter().filter(|tie| follow(tie)) {
            tell(tie.holder, depth + 1);
            if seen.insert(tie.holder) {
                open.push((tie.holder, depth + 1));
            }
        }
    }
}
