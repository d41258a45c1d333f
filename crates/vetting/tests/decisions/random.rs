//! Small random worlds: a member, who stands behind it, lists and countries.

use model::Timestamp;
use ties::{
    Appointment, Confidence, Direction, Entity, EntityId, EntityKind, Evidence, Holding, Listing, Name,
    Period, Said, Share, Source, Statement, Tie, TieKind,
};

/// `SplitMix64` (Steele, Lea and Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let place = self.below(choices.len() as u64);
        &choices[usize::try_from(place).unwrap()]
    }
}

/// How wild a world is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wild {
    /// Sources that contradict each other, and registers that hold too much.
    pub(crate) contradictions: bool,
    /// Some evidence is restricted.
    pub(crate) restricted: bool,
}

fn source(document: &str) -> Source {
    Source { document: document.to_owned(), ..Source::default() }
}

fn statement(id: &str, said: Said, source: Source) -> Statement {
    Statement {
        id: id.parse().unwrap(),
        said,
        source,
        recorded: "2020-01-01T00:00:00Z".parse::<Timestamp>().unwrap(),
    }
}

/// A world in which `e0` is the member.
pub(crate) fn world(random: &mut Random, wild: Wild) -> Vec<Statement> {
    let count = 3 + random.below(4);
    let name = |number: u64| -> EntityId { format!("e{number}").parse().unwrap() };
    let mut statements = Vec::new();
    for number in 0..count {
        let kinds =
            [EntityKind::Organisation, EntityKind::Organisation, EntityKind::Person, EntityKind::StateBody];
        let kind = if number == 0 { EntityKind::Organisation } else { *random.of(&kinds) };
        let mut entity = Entity::new(name(number), kind);
        entity.names = vec![Name { text: format!("Company {number}"), alias: false }];
        let countries: &[&[&str]] = &[&["US"], &["US"], &["DE"], &["CN"], &["GB"], &[], &["US", "CN"]];
        entity.countries = random.of(countries).iter().map(|code| (*code).to_owned()).collect();
        entity.register_complete = random.chance(25).then_some(true);
        entity.publicly_listed = random.chance(20).then_some(true);
        entity.sectors = random.chance(40).then(|| "security".to_owned()).into_iter().collect();
        statements.push(statement(&format!("about-{number}"), Said::Entity(entity), source("register")));
    }
    for number in 0..count {
        stakes(random, wild, number, count, &mut statements);
    }
    let lists = ["concern", "ofac-sdn", "us-el", "uk-ofsi", "eu-fsf"];
    for number in 0..count {
        if random.chance(if number == 0 { 4 } else { 25 }) {
            let list = *random.of(&lists);
            let id = format!("listing-{number}");
            let listing = Listing {
                id: id.parse().unwrap(),
                list: list.parse().unwrap(),
                entity: name(number),
                entry: None,
                valid: Period::ALWAYS,
                with_subsidiaries: false,
            };
            statements.push(statement(&id, Said::Listing(listing), said_by(random, wild, list)));
        }
    }
    statements
}

/// The holders of one company. Without contradictions they stay within the whole.
fn stakes(random: &mut Random, wild: Wild, company: u64, count: u64, statements: &mut Vec<Statement>) {
    let mut room = 100;
    for holder in 0..count {
        if holder == company || !random.chance(if holder == 0 { 15 } else { 55 }) {
            continue;
        }
        let mut tie = |kind: TieKind, suffix: &str, source: Source| {
            let id = format!("t-{holder}-{company}{suffix}");
            let (from, to) = (format!("e{holder}").parse().unwrap(), format!("e{company}").parse().unwrap());
            let tie = Tie { id: id.parse().unwrap(), from, to, kind, valid: Period::ALWAYS };
            statements.push(statement(&id, Said::Tie(tie), source));
        };
        match random.below(20) {
            0 => tie(
                TieKind::Directs { by: Direction::Contract },
                "-directs",
                said_by(random, wild, "contract"),
            ),
            1 => {
                let right = Appointment { seats: Some(3), of: Some(5), ..Appointment::default() };
                tie(TieKind::Appoints(right), "-appoints", said_by(random, wild, "articles"));
            }
            2 => {
                let licence = TieKind::Licenses { subject: String::new(), technology: true, royalty: true };
                tie(licence, "-licence", said_by(random, wild, "contract"));
            }
            _ => {
                let most = if wild.contradictions { 80 } else { room };
                let (share, least) = share(random, most);
                room -= least.min(room);
                let other = random.chance(20).then(|| share_below(random, share));
                let holding =
                    Holding { votes: Some(other.unwrap_or(share)), money: Some(share), ..Holding::default() };
                tie(TieKind::Holds(holding), "", said_by(random, wild, "register"));
                if wild.contradictions && random.chance(25) {
                    let (again, _) = self::share(random, 80);
                    let holding = Holding { votes: Some(again), money: Some(again), ..Holding::default() };
                    tie(TieKind::Holds(holding), "-again", said_by(random, wild, "yearbook"));
                }
            }
        }
    }
}

fn said_by(random: &mut Random, wild: Wild, document: &str) -> Source {
    let confidence = if random.chance(8) { Confidence::Low } else { Confidence::High };
    let evidence = match random.below(4) {
        0 if wild.restricted => Evidence::Programme,
        1 if wild.restricted => Evidence::Concerned,
        _ => Evidence::Public,
    };
    Source { confidence, evidence, ..source(document) }
}

/// A share whose least is at most `most` per cent; and that least.
fn share(random: &mut Random, most: u64) -> (Share, u64) {
    let least = random.below(most / 5 + 1) * 5;
    let text = match random.below(8) {
        0 => format!("({least}%,{}%]", (least + 25).min(100).max(least + 1)),
        1 => format!("[{least}%,{}%)", (least + 30).min(100).max(least + 1)),
        2 => return (Share::UNKNOWN, 0),
        _ => format!("{least}%"),
    };
    (text.parse().unwrap_or(Share::NOTHING), least)
}

fn share_below(random: &mut Random, share: Share) -> Share {
    let least = u64::from(share.basis_points_floor() / 100);
    Share::exact(ties::Fraction::percent(u32::try_from(random.below(least + 1)).unwrap())).unwrap()
}
