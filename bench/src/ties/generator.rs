//! Makes graphs of ties in the shape of a national register.
//!
//! *National*: companies come one after another, 2.95 ties to a company. Of the companies 36 % have a single holder; the
//! others one more than a power law says (exponent 2.22, at most 5,000). Somewhat more than half join a *group*: an anchor
//! is drawn among the earlier companies, half of the time by its size and half of the time among the newest. The first
//! holder is then the anchor itself (a pyramid) or one of the anchor's holders; the others are co-holders of the anchor,
//! sisters of the first holder's companies, hubs such as the state or a fund, anybody, or new persons. Shares are equal,
//! dominated by the first holder, or random; one company in eight discloses a part alone. Some hold a share of themselves,
//! and some of a company above them, as far as its undisclosed part allows: no company is held to more than the whole.
//!
//! *Core* adds 1,318 companies that hold up to 2 % of each other, 20 stakes each, as the largest component of the world's
//! transnationals does (Vitali, Glattfelder and Battiston 2011). *Deep* is 500 pyramids of 400 levels: the worst case of
//! whatever walks up or down.
//!
//! Everything is drawn from one seed, and what comes out is integers.

use anyhow::Result;

use super::graph::{Graph, HALF, Tie, WHOLE};
use super::random::{PowerLaw, SplitMix};

/// Ties to a company in the national graph.
const TIES_A_HUNDRED_COMPANIES: u32 = 295;
/// State, funds, fiduciaries.
const HUBS: u32 = 2_000;
/// From here on a company is widely held, mostly by persons who hold others, too.
const WIDELY_HELD: u32 = 25;
/// Companies of the mutual core, and the stakes that each has in others.
const CORE: (u32, u32) = (1_318, 20);
/// Levels of a pyramid, and holders of a company in it.
const DEEP: (u32, u32) = (400, 5);
/// No node, or no tie.
const NONE: u32 = u32::MAX;

/// What shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Preset {
    National,
    Core,
    Deep,
}

/// Makes a graph of about so many ties.
pub(crate) fn generate(preset: Preset, ties: u32, seed: u64) -> Result<Graph> {
    let ties = match preset {
        Preset::National => Growth::new(ties, seed).national(),
        Preset::Core => {
            let mut growth = Growth::new(ties, seed);
            let mut grown = growth.national();
            growth.core(&mut grown);
            grown
        }
        Preset::Deep => deep(ties, seed),
    };
    Graph::new(ties)
}

/// A national graph while it grows.
struct Growth {
    random: SplitMix,
    companies: u32,
    /// The next person's node.
    person: u32,
    sizes: PowerLaw,
    hubs: PowerLaw,
    /// In the order of the companies.
    ties: Vec<Tie>,
    /// Where each company's ties begin, up to the newest company.
    starts: Vec<u32>,
    /// The newest tie of each node as a holder.
    newest: Vec<u32>,
    /// Of each tie, the one before by the same holder.
    before: Vec<u32>,
    /// The last company that each node was taken for as a holder.
    taken: Vec<u32>,
    /// What is undisclosed of each company.
    free: Vec<u32>,
}

impl Growth {
    fn new(ties: u32, seed: u64) -> Self {
        let companies =
            u32::try_from(u64::from(ties) * 100 / u64::from(TIES_A_HUNDRED_COMPANIES)).unwrap_or(NONE);
        let nodes = (companies + HUBS) as usize;
        Self {
            random: SplitMix::new(seed),
            companies,
            person: companies + HUBS,
            sizes: PowerLaw::new(2.22, 4_999),
            hubs: PowerLaw::new(1.05, HUBS),
            ties: Vec::with_capacity(ties as usize + ties as usize / 16),
            starts: Vec::with_capacity(companies as usize),
            newest: vec![NONE; nodes],
            before: Vec::new(),
            taken: vec![NONE; nodes],
            free: Vec::with_capacity(companies as usize),
        }
    }

    fn national(&mut self) -> Vec<Tie> {
        let (mut holders, mut shares) = (Vec::new(), Vec::new());
        for company in 0..self.companies {
            self.draw_holders(company, &mut holders);
            let disclosed =
                if self.random.chance(880_000) { WHOLE } else { self.random.between(4_000, WHOLE - 1) };
            // A company of very many holders must have a point for each.
            let disclosed = disclosed.max(count(holders.len()));
            self.draw_shares(holders.len(), disclosed, &mut shares);
            self.free.push(WHOLE - disclosed);
            self.starts.push(count(self.ties.len()));
            for (holder, points) in holders.iter().zip(&shares) {
                self.before.push(self.newest[*holder as usize]);
                self.newest[*holder as usize] = count(self.ties.len());
                self.ties.push(Tie { holder: *holder, company, points: *points });
            }
        }
        let mut ties = std::mem::take(&mut self.ties);
        self.loops(&mut ties);
        ties
    }

    fn draw_holders(&mut self, company: u32, holders: &mut Vec<u32>) {
        holders.clear();
        // Nobody is drawn as a holder of itself here.
        self.taken[company as usize] = company;
        let wanted = if self.random.chance(360_000) { 1 } else { 1 + self.sizes.draw(&mut self.random) };
        let anchor = (company > 0 && self.random.chance(540_000)).then(|| self.draw_anchor(company));
        let first = match anchor {
            Some(anchor) if self.random.chance(360_000) => anchor,
            Some(anchor) => self.holder_of(anchor),
            None => self.new_person(),
        };
        self.take(first, company, holders);
        for _ in 1..wanted {
            let drawn = self.draw_further(company, wanted, anchor, first);
            if !self.take(drawn, company, holders) {
                // Taken already: somebody new instead.
                let person = self.new_person();
                self.take(person, company, holders);
            }
        }
    }

    /// An earlier company: one of the four newest, or by its number of holders.
    fn draw_anchor(&mut self, company: u32) -> u32 {
        if self.random.chance(500_000) {
            return company - 1 - self.random.below(company.min(4));
        }
        self.any_tie().company
    }

    fn draw_further(&mut self, company: u32, wanted: u32, anchor: Option<u32>, first: u32) -> u32 {
        if wanted > WIDELY_HELD && company > 0 && self.random.chance(750_000) {
            return self.any_person();
        }
        let place = self.random.below(1_000);
        match (place, anchor) {
            (0..500, Some(anchor)) => self.holder_of(anchor),
            (500..600, _) => self.sister(first).unwrap_or_else(|| self.new_person()),
            (600..624, _) => self.companies + self.hubs.draw(&mut self.random) - 1,
            (624..640, _) if company > 0 => {
                if self.random.chance(500_000) {
                    self.random.below(company)
                } else {
                    self.any_tie().holder
                }
            }
            _ => self.new_person(),
        }
    }

    fn any_tie(&mut self) -> Tie {
        self.ties[self.random.below(count(self.ties.len())) as usize]
    }

    /// A person or hub that holds already, by how much it holds.
    fn any_person(&mut self) -> u32 {
        loop {
            let holder = self.any_tie().holder;
            // The first company is held by a new person, so there is one.
            if holder >= self.companies {
                return holder;
            }
        }
    }

    fn holder_of(&mut self, company: u32) -> u32 {
        let start = self.starts[company as usize];
        let end = self.starts.get(company as usize + 1).copied().unwrap_or_else(|| count(self.ties.len()));
        self.ties[self.random.between(start, end - 1) as usize].holder
    }

    /// Another company of the same holder, one of its eight newest.
    fn sister(&mut self, holder: u32) -> Option<u32> {
        let mut tie = self.newest[holder as usize];
        for _ in 0..self.random.below(8) {
            match self.before.get(tie as usize) {
                Some(before) if *before != NONE => tie = *before,
                _ => break,
            }
        }
        self.ties.get(tie as usize).map(|tie| tie.company)
    }

    fn new_person(&mut self) -> u32 {
        self.newest.push(NONE);
        self.taken.push(NONE);
        self.person += 1;
        self.person - 1
    }

    fn take(&mut self, holder: u32, company: u32, holders: &mut Vec<u32>) -> bool {
        let taken = &mut self.taken[holder as usize];
        let is_new = *taken != company;
        if is_new {
            *taken = company;
            holders.push(holder);
        }
        is_new
    }

    /// Equal, or dominated by the first holder, or random; each holder has a point at least.
    fn draw_shares(&mut self, holders: usize, disclosed: u32, shares: &mut Vec<u32>) {
        shares.clear();
        let holders = count(holders);
        let place = self.random.below(100);
        if place < 30 {
            shares.extend(
                (0..holders).map(|index| disclosed / holders + u32::from(index < disclosed % holders)),
            );
        } else if place < 78 && holders > 1 {
            let dominant = self.random.between(HALF + 100, WHOLE - 100).min(disclosed - (holders - 1));
            shares.push(dominant);
            self.split(disclosed - dominant, holders - 1, shares);
        } else {
            self.split(disclosed, holders, shares);
        }
    }

    /// So many points among so many, a point each and the rest by random weights; what rounding leaves goes to one.
    fn split(&mut self, points: u32, among: u32, shares: &mut Vec<u32>) {
        let begin = shares.len();
        shares.extend((0..among).map(|_| self.random.between(1, 1 << 16)));
        let all: u64 = shares[begin..].iter().map(|weight| u64::from(*weight)).sum();
        let spread = u64::from(points - among);
        let mut left = points;
        for share in &mut shares[begin..] {
            *share = 1 + u32::try_from(u64::from(*share) * spread / all).unwrap_or(0);
            left -= *share;
        }
        if let Some(share) = shares.last_mut() {
            *share += left;
        }
    }

    /// Companies that hold of themselves, and of a company above them, out of the undisclosed part.
    fn loops(&mut self, ties: &mut Vec<Tie>) {
        let grown = ties.clone();
        for company in 0..self.companies {
            // A part of the register's one in eight: about 3,000 in four million ties.
            if self.free[company as usize] > 0 && self.random.chance(20_000) {
                self.stake(company, company, WHOLE / 10, ties);
            }
            if self.random.chance(1_600) {
                let above = self.climb(company, &grown);
                if above != company
                    && !grown[self.range(above, &grown)].iter().any(|tie| tie.holder == company)
                {
                    self.stake(company, above, WHOLE / 4, ties);
                }
            }
        }
    }

    /// Up to fourteen steps up, by the first holder that is a company.
    fn climb(&mut self, company: u32, grown: &[Tie]) -> u32 {
        let mut at = company;
        for _ in 0..self.random.between(1, 14) {
            let above = grown[self.range(at, grown)].iter().find(|tie| tie.holder < self.companies);
            match above {
                Some(tie) => at = tie.holder,
                None => break,
            }
        }
        at
    }

    fn range(&self, company: u32, grown: &[Tie]) -> std::ops::Range<usize> {
        let end = self.starts.get(company as usize + 1).map_or(grown.len(), |end| *end as usize);
        self.starts[company as usize] as usize..end
    }

    fn stake(&mut self, holder: u32, company: u32, most: u32, ties: &mut Vec<Tie>) {
        let free = self.free[company as usize];
        if free > 0 {
            let points = self.random.between(1, most).min(free);
            self.free[company as usize] = free - points;
            ties.push(Tie { holder, company, points });
        }
    }

    /// Adds the mutual core; each of its companies also has a holder outside, and a stake in what is free of another.
    fn core(&mut self, ties: &mut Vec<Tie>) {
        let (companies, stakes) = CORE;
        let first = self.person;
        for number in 0..companies {
            let company = first + number;
            for stake in 0..stakes {
                // Neighbours at distances that share no divisor with 1,318 = 2 x 659: no stake comes twice.
                let holder = first + (number + 1 + stake * 61) % companies;
                ties.push(Tie { holder, company, points: self.random.between(1, 200) });
            }
            let outside = self.random.below(self.companies);
            ties.push(Tie { holder: outside, company, points: self.random.between(3_000, 6_000) });
            let below = self.random.below(self.companies);
            self.stake(company, below, WHOLE, ties);
        }
        self.person += companies;
    }
}

/// Pyramids: a company is held to more than half by the one above it; each fourth by the two above together.
fn deep(ties: u32, seed: u64) -> Vec<Tie> {
    let (levels, holders) = DEEP;
    let mut random = SplitMix::new(seed);
    let pyramids = (ties / (levels * holders)).max(1);
    let mut person = pyramids * levels;
    let mut found = Vec::with_capacity(ties as usize);
    for pyramid in 0..pyramids {
        for level in 0..levels {
            let company = pyramid * levels + level;
            let mut left = WHOLE;
            let mut held_by = |holder, points| {
                left -= points;
                found.push(Tie { holder, company, points });
            };
            let persons = match level {
                0 => holders,
                _ if level % 4 == 3 => {
                    held_by(company - 1, random.between(2_600, 3_500));
                    held_by(company - 2, random.between(2_600, 3_500));
                    holders - 2
                }
                _ => {
                    held_by(company - 1, random.between(HALF + 100, 7_000));
                    holders - 1
                }
            };
            for number in 0..persons {
                let points = left / (persons - number);
                left -= points;
                found.push(Tie { holder: person + number, company, points });
            }
            person += persons;
        }
    }
    found
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_company_is_held_to_more_than_the_whole() {
        for (preset, ties) in [(Preset::National, 50_000), (Preset::Core, 50_000), (Preset::Deep, 20_000)] {
            let graph = generate(preset, ties, 7).unwrap();
            let mut held = vec![0; graph.nodes as usize];
            for tie in &graph.ties {
                assert!(tie.points > 0, "{preset:?}: {tie:?}");
                held[tie.company as usize] += tie.points;
            }
            assert!(held.iter().all(|points| *points <= WHOLE), "{preset:?}");
            let made = count(graph.ties.len());
            assert!(made.abs_diff(ties) < ties / 10 + 30_000, "{preset:?}: {made}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_graph_again() {
        let made = |seed| generate(Preset::Core, 20_000, seed).unwrap().ties;
        assert_eq!(made(7), made(7));
        assert_ne!(made(7), made(8));
    }
}
