//! What stands behind one entity: its holders, their holders, and so on, as numbers for the kernel.
//!
//! A [`Ground`] is the cone of ties upstream of one entity at a scene's two clocks. It turns typed ties into two
//! measures, votes and money, by these readings:
//!
//! - votes that are not stated are as the money, money that is not stated is unknown;
//! - several ties in one document add up (classes of shares); several documents are several accounts of one thing:
//!   what all of them allow counts, and if nothing does, all of it is possible and the company is conflicted;
//! - shares held in name only are the nominator's; trustees vote a trust; a joint holding is each party's as a whole;
//!   a concert holds what its parties hold;
//! - a right to appoint the majority, a contract to direct, and consolidation in accounts control as votes do; they are
//!   another way beside the votes and are not added to them;
//! - a holding that sums up a chain counts only where the chain is not known.

use std::collections::{BTreeMap, HashMap};

use ties::kernel::{Builder, Certainty, Closure, Finding as Short, Holdings, Line, Node, Terms};
use ties::{
    Bound, Direction, EntityId, EntityKind, Fraction, Holding, KnownTie, PartyRole, Picture, Share, TieId,
    TieKind, Truth,
};

use crate::scene::{Scene, edge_steps};
use crate::step::{Claim, Step};
use crate::wording;

/// How many entities a cone may have. A national register's largest has some five thousand; beyond this a question
/// about one entity is answered "not resolved".
const ENTITIES_MAX: usize = 50_000;

/// Votes, or money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Measure {
    Votes,
    Money,
}

impl Measure {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Votes => "votes",
            Self::Money => "money",
        }
    }
}

/// One way in which somebody counts as holding a company.
#[derive(Clone, Debug)]
struct Edge {
    holder: Node,
    votes: Share,
    money: Share,
    tie: TieId,
    document: String,
    indirect: bool,
    components: Vec<TieId>,
    /// Direction by other means than votes: a way beside the register, not a part of it.
    beside: bool,
}

/// The cone of ties upstream of one entity.
#[derive(Debug)]
pub(crate) struct Ground {
    entities: Vec<EntityId>,
    numbers: HashMap<EntityId, Node>,
    votes: Holdings,
    money: Holdings,
    /// Company and holder -> the ties behind the edge.
    carriers: BTreeMap<(Node, Node), Vec<TieId>>,
    /// The register of a company that is also directed in other ways.
    registers: HashMap<Node, Node>,
    /// Companies whose sources exclude each other.
    pub(crate) conflicts: Vec<(EntityId, Vec<TieId>)>,
    /// Whether the cone was too large to be walked to its end.
    pub(crate) cut_short: bool,
}

impl Ground {
    /// Walks up from `entity`, which is node 0.
    pub(crate) fn upstream(picture: &dyn Picture, entity: &EntityId) -> Self {
        let mut walk = Walk::new(picture);
        walk.number(entity);
        let mut next = 0;
        while next < walk.entities.len() && !walk.cut_short {
            walk.look_at(next);
            next += 1;
        }
        walk.finish()
    }

    pub(crate) fn entities(&self) -> &[EntityId] {
        &self.entities
    }

    pub(crate) fn node(&self, id: &EntityId) -> Option<Node> {
        self.numbers.get(id).copied()
    }

    pub(crate) fn holdings(&self, measure: Measure) -> &Holdings {
        match measure {
            Measure::Votes => &self.votes,
            Measure::Money => &self.money,
        }
    }

    /// Whether `node` controls the entity.
    pub(crate) fn controls(&self, node: Node, certainty: Certainty) -> bool {
        node != 0 && self.votes.closure(&[node], Line::MAJORITY, certainty).contains(0)
    }

    /// Whoever controls the entity, certainly or possibly, in order.
    pub(crate) fn controllers(&self) -> Vec<(EntityId, Truth)> {
        let nodes = 1..u32::try_from(self.entities.len()).unwrap_or(u32::MAX);
        let mut found: Vec<_> = nodes
            .filter_map(|node| {
                let truth = self.control(node);
                (truth != Truth::No).then(|| (self.entities[node as usize].clone(), truth))
            })
            .collect();
        found.sort();
        found
    }

    pub(crate) fn control(&self, node: Node) -> Truth {
        if self.controls(node, Certainty::Certain) {
            Truth::Certain
        } else if self.controls(node, Certainty::Possible) {
            Truth::Possible
        } else {
            Truth::No
        }
    }

    /// The step that `controller` controls the entity.
    pub(crate) fn control_step(&self, scene: &Scene<'_>, controller: &EntityId, truth: Truth) -> Step {
        let certainty = if truth == Truth::Certain { Certainty::Certain } else { Certainty::Possible };
        let Some(node) = self.node(controller) else {
            return Step::new(format!("{controller} does not stand behind it"), Claim::Other);
        };
        let closure = self.votes.closure(&[node], Line::MAJORITY, certainty);
        let because = self.closure_steps(scene, &closure, Measure::Votes, 0);
        let verb = if certainty == Certainty::Certain { "controls" } else { "may control" };
        let company = &self.entities[0];
        let text = format!("{} {verb} {}", scene.name(controller), scene.name(company));
        Step::new(text, Claim::Controls { controller: controller.clone(), company: company.clone() })
            .because(because)
    }

    /// Why `company` is in the closure: for each company on the way the fewest largest holders that carry it, each
    /// company once, without circles. One sufficient set of ties, none superfluous.
    pub(crate) fn closure_steps(
        &self,
        scene: &Scene<'_>,
        closure: &Closure,
        measure: Measure,
        company: Node,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut open = vec![company];
        let mut told = std::collections::BTreeSet::new();
        while let Some(company) = open.pop() {
            if closure.seeds().contains(&company) || !told.insert(company) {
                continue;
            }
            let group = self.sufficient(closure, measure, company);
            if let Some(step) = self.group_step(scene, closure, measure, company, &group) {
                steps.push(step);
            }
            open.extend(group);
        }
        steps
    }

    /// Members of the closure that joined before `company` and carry it, with none superfluous.
    fn sufficient(&self, closure: &Closure, measure: Measure, company: Node) -> Vec<Node> {
        let holdings = self.holdings(measure);
        let rank = closure.rank(company).unwrap_or(u32::MAX);
        let mut group: Vec<(Fraction, Node)> = holdings
            .holdings_of(company)
            .filter(|holding| closure.rank(holding.holder).is_some_and(|theirs| theirs < rank))
            .map(|holding| {
                let weight =
                    if closure.certainty == Certainty::Certain { holding.lo.at } else { holding.hi.at };
                (weight, holding.holder)
            })
            .collect();
        group.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let carries = |members: &[Node]| {
            let admit = |holder: Node, held: Node| held == company && members.contains(&holder);
            holdings.closure_where(members, closure.line, closure.certainty, &admit).contains(company)
        };
        let mut members: Vec<Node> = Vec::new();
        for (_, holder) in group {
            members.push(holder);
            if carries(&members) {
                break;
            }
        }
        for holder in members.clone() {
            let fewer: Vec<_> = members.iter().copied().filter(|other| *other != holder).collect();
            if carries(&fewer) {
                members = fewer;
            }
        }
        members
    }

    fn group_step(
        &self,
        scene: &Scene<'_>,
        closure: &Closure,
        measure: Measure,
        company: Node,
        group: &[Node],
    ) -> Option<Step> {
        let named: Vec<EntityId> = group.iter().filter_map(|node| self.entity_of(*node)).cloned().collect();
        let held = self.entity_of(company)?.clone();
        let because: Vec<Step> =
            group.iter().flat_map(|holder| edge_steps(scene, self.ties(*holder, company))).collect();
        if named.iter().all(|holder| *holder == held) {
            // A register beside other ways to direct is no party; what stands behind it is told by its own step.
            return None;
        }
        let (least, most) = self.sum(measure, company, group);
        let names = named.iter().map(|id| scene.name(id)).collect::<Vec<_>>().join(" and ");
        let what = if measure == Measure::Votes { "votes of " } else { "" };
        let line = closure.line.at.basis_points_floor();
        let over = if closure.line.strict { "more than" } else { "at least" };
        let together = if named.len() > 1 { " together" } else { "" };
        let text = if self.holdings(measure).terms(company).each_whole {
            format!("{names} may direct {} by other means than votes", scene.name(&held))
        } else {
            format!(
                "{names}{together} hold {} of the {what}{}; the line is {over} {}",
                wording::range(least, most),
                scene.name(&held),
                wording::part(u32::try_from(line).unwrap_or(u32::MAX)),
            )
        };
        let line = Some((u32::try_from(line).unwrap_or(u32::MAX), closure.line.strict));
        let claim =
            Claim::Holds { group: named, company: held, measure: measure.as_str(), least, most, line };
        Some(Step::new(text, claim).because(because))
    }

    /// What a group holds of a company by simple addition, in basis points.
    pub(crate) fn sum(&self, measure: Measure, company: Node, group: &[Node]) -> (u32, u32) {
        let holdings = self.holdings(measure);
        let parts = group.iter().filter_map(|holder| holdings.holding(*holder, company));
        let (mut least, mut most) = (Fraction::ZERO, Fraction::ZERO);
        for part in parts {
            least = least.checked_add(part.lo.at).unwrap_or(least);
            most = most.checked_add(part.hi.at).unwrap_or(Fraction::ONE);
        }
        let points = |fraction: u64| u32::try_from(fraction).unwrap_or(u32::MAX).min(10_000);
        (points(least.basis_points_floor()), points(most.basis_points_ceil()))
    }

    /// The entity of a node; of a register, the company whose it is.
    pub(crate) fn entity_of(&self, node: Node) -> Option<&EntityId> {
        let company =
            self.registers.iter().find(|(_, register)| **register == node).map(|(company, _)| *company);
        self.entities.get(company.unwrap_or(node) as usize)
    }

    /// The ties behind an edge.
    pub(crate) fn ties(&self, holder: Node, company: Node) -> &[TieId] {
        let company =
            self.registers.iter().find(|(_, register)| **register == company).map_or(company, |(c, _)| *c);
        self.carriers.get(&(company, holder)).map_or(&[], Vec::as_slice)
    }

    /// The node whose holders are the entity's own register.
    pub(crate) fn register(&self, measure: Measure, company: Node) -> Node {
        match measure {
            Measure::Votes => self.registers.get(&company).copied().unwrap_or(company),
            Measure::Money => company,
        }
    }
}

struct Walk<'p> {
    picture: &'p dyn Picture,
    entities: Vec<EntityId>,
    numbers: HashMap<EntityId, Node>,
    edges: Vec<Vec<Edge>>,
    terms: Vec<Terms>,
    cut_short: bool,
}

impl<'p> Walk<'p> {
    fn new(picture: &'p dyn Picture) -> Self {
        Self {
            picture,
            entities: Vec::new(),
            numbers: HashMap::new(),
            edges: Vec::new(),
            terms: Vec::new(),
            cut_short: false,
        }
    }

    fn number(&mut self, id: &EntityId) -> Node {
        let id = self.picture.canonical(id);
        if let Some(known) = self.numbers.get(&id) {
            return *known;
        }
        let node = u32::try_from(self.entities.len()).unwrap_or(u32::MAX);
        self.cut_short |= self.entities.len() >= ENTITIES_MAX;
        self.entities.push(id.clone());
        self.numbers.insert(id, node);
        node
    }

    fn look_at(&mut self, index: usize) {
        let id = self.entities[index].clone();
        let about = self.picture.entity(&id);
        let kind = about.as_ref().map_or(EntityKind::Unknown, |entity| entity.kind);
        let known = self.picture.ties_into(&id);
        let has_direct = known.iter().any(|known| match &known.tie.kind {
            TieKind::Consolidates { ultimate } => !ultimate,
            TieKind::Holds(holding) => !holding.indirect,
            _ => false,
        });
        let mut edges = Vec::new();
        for tie in &known {
            if self.is_gone(&tie.tie.from) {
                continue;
            }
            self.edges_of(tie, kind, has_direct, &mut edges);
        }
        let shared = matches!(kind, EntityKind::JointHolding | EntityKind::Concert | EntityKind::Trust);
        self.terms.push(Terms {
            complete: about.as_ref().and_then(|entity| entity.register_complete).unwrap_or(false),
            own_shares_vote: about.as_ref().and_then(|entity| entity.own_shares_vote).unwrap_or(true),
            each_whole: shared,
        });
        self.edges.push(edges);
    }

    /// A dissolved company holds nothing any more.
    fn is_gone(&self, holder: &EntityId) -> bool {
        let dissolved = self.picture.entity(holder).and_then(|entity| entity.dissolved);
        dissolved.is_some_and(|date| date.has_come(self.picture.as_of().day) == Truth::Certain)
    }

    fn edges_of(&mut self, known: &KnownTie, kind: EntityKind, has_direct: bool, edges: &mut Vec<Edge>) {
        let tie = &known.tie;
        let beside = |share| Some((share, Share::NOTHING, true));
        let read = match &tie.kind {
            TieKind::Holds(holding) => return self.holding(known, holding, edges),
            TieKind::Appoints(right) if !right.observer => {
                let majority = match (right.majority, right.seats, right.of) {
                    (Some(majority), ..) => Some(majority),
                    (None, Some(seats), Some(of)) => Some(u64::from(seats) * 2 > u64::from(of)),
                    (None, ..) => None,
                };
                match majority {
                    Some(true) => beside(Share::WHOLE),
                    Some(false) => None,
                    None => beside(Share::UNKNOWN),
                }
            }
            TieKind::Directs { by: Direction::Influence } => beside(Share::UNKNOWN),
            TieKind::Directs { .. } => beside(Share::WHOLE),
            TieKind::Lends { directs: true, .. } => beside(Share::UNKNOWN),
            TieKind::Consolidates { ultimate } if !ultimate || !has_direct => beside(Share::WHOLE),
            TieKind::PartyTo { role } => match (kind, role) {
                (EntityKind::Trust, PartyRole::Trustee) => Some((Share::WHOLE, Share::NOTHING, false)),
                (EntityKind::Trust, PartyRole::Beneficiary | PartyRole::Settlor) => {
                    Some((Share::NOTHING, Share::UNKNOWN, false))
                }
                (EntityKind::Nomination, PartyRole::Nominator)
                | (EntityKind::JointHolding | EntityKind::Concert, PartyRole::Party) => {
                    Some((Share::WHOLE, Share::WHOLE, false))
                }
                _ => None,
            },
            _ => None,
        };
        if let Some((votes, money, beside)) = read {
            let holder = self.number(&tie.from);
            edges.push(edge(known, holder, votes, money, beside));
        }
    }

    fn holding(&mut self, known: &KnownTie, holding: &Holding, edges: &mut Vec<Edge>) {
        let tie = &known.tie;
        let holder_is_concert =
            self.picture.entity(&tie.from).is_some_and(|entity| entity.kind == EntityKind::Concert);
        if holder_is_concert && holding.votes.is_none() && holding.money.is_none() {
            return self.concert(known, edges);
        }
        let holder = self.number(holding.nominator.as_ref().unwrap_or(&tie.from));
        let votes = holding.votes.or(holding.money).unwrap_or(Share::UNKNOWN);
        let money = holding.money.unwrap_or(Share::UNKNOWN);
        let mut edge = edge(known, holder, votes, money, false);
        edge.indirect = holding.indirect;
        edge.components.clone_from(&holding.components);
        edges.push(edge);
    }

    /// A concert holds what its parties hold: their stakes in the company become its own.
    fn concert(&mut self, known: &KnownTie, edges: &mut Vec<Edge>) {
        let node = self.number(&known.tie.from);
        let parties: Vec<_> = self
            .picture
            .ties_into(&known.tie.from)
            .into_iter()
            .filter(|tie| matches!(tie.tie.kind, TieKind::PartyTo { role: PartyRole::Party }))
            .map(|tie| tie.tie.from)
            .collect();
        for tie in self.picture.ties_into(&known.tie.to) {
            if let TieKind::Holds(holding) = &tie.tie.kind
                && parties.contains(&tie.tie.from)
            {
                let votes = holding.votes.or(holding.money).unwrap_or(Share::UNKNOWN);
                let mut pooled = edge(&tie, node, votes, Share::NOTHING, false);
                // Each party's stake is an account of its own, and all of them add up.
                pooled.document.clear();
                edges.push(pooled);
            }
        }
        // What the concert holds, its parties do not hold beside it.
        let numbers: Vec<_> = parties.iter().map(|party| self.number(party)).collect();
        edges.retain(|edge| !numbers.contains(&edge.holder) || edge.beside);
    }

    fn finish(self) -> Ground {
        let Self { entities, numbers, edges, terms, cut_short, .. } = self;
        let count = entities.len();
        let mut made = Made::new(count, &terms);
        for (company, edges) in edges.iter().enumerate() {
            made.company(company, edges.iter().filter(|edge| !edge.indirect).collect());
        }
        // A sum of a chain counts where no chain is known.
        let reach = made.reach();
        for (company, edges) in edges.iter().enumerate() {
            let sums = edges.iter().filter(|edge| edge.indirect);
            let unknown = sums.filter(|edge| !reach.contains(&(edge.holder, company)));
            made.company(company, unknown.collect());
        }
        made.build(entities, numbers, cut_short)
    }
}

fn edge(known: &KnownTie, holder: Node, votes: Share, money: Share, beside: bool) -> Edge {
    let doubtful = |share: Share| if known.truth == Truth::Certain { share } else { down_to_nothing(share) };
    Edge {
        holder,
        votes: doubtful(votes),
        money: doubtful(money),
        tie: known.tie.id.clone(),
        document: known.source.document.clone(),
        indirect: false,
        components: Vec::new(),
        beside,
    }
}

/// The share, or less: what a tie carries that may not hold.
fn down_to_nothing(share: Share) -> Share {
    Share::between(Bound::closed(Fraction::ZERO), share.hi()).unwrap_or(Share::UNKNOWN)
}

/// The edges of one company, put together.
struct Made {
    count: usize,
    terms: Vec<Terms>,
    ties: Vec<(Node, Node, Share, Share)>,
    beside: Vec<(Node, Node, Share)>,
    carriers: BTreeMap<(Node, Node), Vec<TieId>>,
    conflicts: Vec<(Node, Vec<TieId>)>,
}

impl Made {
    fn new(count: usize, terms: &[Terms]) -> Self {
        let mut terms = terms.to_vec();
        terms.resize(count, Terms::default());
        Self {
            count,
            terms,
            ties: Vec::new(),
            beside: Vec::new(),
            carriers: BTreeMap::new(),
            conflicts: Vec::new(),
        }
    }

    fn company(&mut self, company: usize, edges: Vec<&Edge>) {
        let company = u32::try_from(company).unwrap_or(u32::MAX);
        let mut by_holder: BTreeMap<Node, Vec<&Edge>> = BTreeMap::new();
        for edge in edges {
            self.carriers.entry((company, edge.holder)).or_default().push(edge.tie.clone());
            if edge.beside {
                self.beside.push((edge.holder, company, edge.votes));
            } else {
                by_holder.entry(edge.holder).or_default().push(edge);
            }
        }
        for (holder, edges) in by_holder {
            let (votes, agree) = account(&edges, |edge| edge.votes);
            let (money, agree_too) = account(&edges, |edge| edge.money);
            if !(agree && agree_too) {
                self.conflicts.push((company, edges.iter().map(|edge| edge.tie.clone()).collect()));
            }
            self.ties.push((holder, company, votes, money));
        }
    }

    /// Who reaches whom through what is known: (holder, company).
    fn reach(&self) -> std::collections::HashSet<(Node, usize)> {
        let mut above: Vec<Vec<Node>> = vec![Vec::new(); self.count];
        for (holder, company, ..) in &self.ties {
            above[*company as usize].push(*holder);
        }
        let mut reach = std::collections::HashSet::new();
        // Only what stands behind the entity itself is asked about often; walk up from every company that has holders.
        for company in 0..self.count.min(1_000) {
            let mut open = above[company].clone();
            while let Some(holder) = open.pop() {
                if reach.insert((holder, company)) {
                    open.extend(&above[holder as usize]);
                }
            }
        }
        reach
    }

    fn build(self, entities: Vec<EntityId>, numbers: HashMap<EntityId, Node>, cut_short: bool) -> Ground {
        let mut registers = HashMap::new();
        let mut next = u32::try_from(self.count).unwrap_or(u32::MAX);
        for (_, company, _) in &self.beside {
            registers.entry(*company).or_insert_with(|| {
                next += 1;
                next - 1
            });
        }
        let (mut votes, mut money) =
            (Builder::new(next), Builder::new(u32::try_from(self.count).unwrap_or(u32::MAX)));
        let fine = "every node was numbered by this walk";
        for (company, terms) in self.terms.iter().enumerate() {
            let company = u32::try_from(company).unwrap_or(u32::MAX);
            money.terms(company, *terms).expect(fine);
            match registers.get(&company) {
                Some(register) => {
                    votes.terms(*register, *terms).expect(fine);
                    votes.terms(company, Terms { each_whole: true, ..Terms::default() }).expect(fine);
                    votes.tie(*register, company, Share::WHOLE).expect(fine);
                }
                None => votes.terms(company, *terms).expect(fine),
            }
        }
        for (holder, company, by_votes, by_money) in &self.ties {
            let register = registers.get(company).unwrap_or(company);
            votes.tie(*holder, *register, *by_votes).expect(fine);
            money.tie(*holder, *company, *by_money).expect(fine);
        }
        for (holder, company, share) in &self.beside {
            votes.tie(*holder, *company, *share).expect(fine);
        }
        let (votes, money) = (votes.build(), money.build());
        let mut conflicts: Vec<(EntityId, Vec<TieId>)> = Vec::new();
        // A register that falls short is read as incomplete, and what is missing as unknown.
        let contradicts = |(node, finding)| (finding != Short::ShortRegister).then_some(node);
        let over_full = votes.findings().chain(money.findings()).filter_map(contradicts);
        for node in over_full {
            let company = registers.iter().find(|(_, register)| **register == node).map_or(node, |(c, _)| *c);
            let ties =
                self.carriers.range((company, 0)..=(company, Node::MAX)).flat_map(|(_, ties)| ties.clone());
            if let Some(id) = entities.get(company as usize) {
                conflicts.push((id.clone(), ties.collect()));
            }
        }
        for (company, ties) in self.conflicts {
            conflicts.push((entities[company as usize].clone(), ties));
        }
        conflicts.sort();
        conflicts.dedup_by(|a, b| a.0 == b.0);
        Ground { entities, numbers, votes, money, carriers: self.carriers, registers, conflicts, cut_short }
    }
}

/// What the documents amount to, and whether they agree: ties of one document add up, documents are accounts of one
/// thing.
fn account(edges: &[&Edge], share: impl Fn(&Edge) -> Share) -> (Share, bool) {
    let mut documents: BTreeMap<&str, (Fraction, bool, Fraction, bool)> = BTreeMap::new();
    for edge in edges {
        let share = share(edge);
        let (lo, hi) = (share.lo(), share.hi());
        documents
            .entry(&edge.document)
            .and_modify(|sum| {
                sum.0 = capped(sum.0.checked_add(lo.at));
                sum.1 |= lo.open;
                sum.2 = capped(sum.2.checked_add(hi.at));
                sum.3 |= hi.open;
            })
            .or_insert((lo.at, lo.open, hi.at, hi.open));
    }
    let mut accounts = documents.into_values().map(|(lo, lo_open, hi, hi_open)| {
        let lo = Bound { at: lo, open: lo_open && lo < Fraction::ONE };
        let hi = Bound { at: hi, open: hi_open && hi > Fraction::ZERO };
        Share::between(lo, hi).unwrap_or(Share::UNKNOWN)
    });
    let first = accounts.next().unwrap_or(Share::UNKNOWN);
    accounts.fold((first, true), |(so_far, agree), other| match meet(so_far, other) {
        Some(both) => (both, agree),
        None => (hull(so_far, other), false),
    })
}

fn capped(sum: Option<Fraction>) -> Fraction {
    sum.map_or(Fraction::ONE, |sum| sum.min(Fraction::ONE))
}

fn meet(a: Share, b: Share) -> Option<Share> {
    let lower = |a: Bound, b: Bound| (a.at, a.open) >= (b.at, b.open);
    let lo = if lower(a.lo(), b.lo()) { a.lo() } else { b.lo() };
    let upper = |a: Bound, b: Bound| (a.at, !a.open) <= (b.at, !b.open);
    let hi = if upper(a.hi(), b.hi()) { a.hi() } else { b.hi() };
    Share::between(lo, hi).ok()
}

fn hull(a: Share, b: Share) -> Share {
    let lo = if (a.lo().at, a.lo().open) <= (b.lo().at, b.lo().open) { a.lo() } else { b.lo() };
    let hi = if (a.hi().at, !a.hi().open) >= (b.hi().at, !b.hi().open) { a.hi() } else { b.hi() };
    Share::between(lo, hi).unwrap_or(Share::UNKNOWN)
}
