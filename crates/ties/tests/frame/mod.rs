//! Statements for the tests of the registry, in few words.

#![expect(clippy::unwrap_used, reason = "a test states what it expects")]
#![allow(dead_code, reason = "each test file uses its own part of the frame")]

use model::Timestamp;
use ties::{
    Appointment, AsOf, Confidence, Day, Direction, End, Ending, Entity, EntityKind, Evidence, ExternalId,
    Holding, Jurisdiction, Listing, Name, PartyRole, Period, Plan, Post, Said, Share, Source, Stage,
    Statement, Tie, TieKind,
};

pub(crate) fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// On a day, as known at the end of another.
pub(crate) fn as_of(on: &str, known: &str) -> AsOf {
    AsOf { day: day(on), known: day(known).end() }
}

pub(crate) fn statement(id: &str, said: Said) -> Statement {
    let source = Source { document: "register".to_owned(), ..Source::default() };
    Statement { id: id.parse().unwrap(), said, source, recorded: Timestamp::EPOCH }
}

pub(crate) trait Edit {
    fn recorded(self, on: &str) -> Self;
    fn by(self, document: &str) -> Self;
    fn doubtful(self) -> Self;
    fn valid(&mut self, period: Period);
}

impl Edit for Statement {
    fn recorded(mut self, on: &str) -> Self {
        self.recorded = day(on).start();
        self
    }

    fn by(mut self, document: &str) -> Self {
        document.clone_into(&mut self.source.document);
        self
    }

    fn doubtful(mut self) -> Self {
        self.source.confidence = Confidence::Low;
        self
    }

    fn valid(&mut self, period: Period) {
        match &mut self.said {
            Said::Tie(tie) => tie.valid = period,
            Said::Listing(listing) => listing.valid = period,
            Said::Entity(_) | Said::End(_) | Said::Same { .. } | Said::Retraction { .. } => {}
        }
    }
}

pub(crate) fn link(id: &str, tie: &str, from: &str, to: &str, kind: TieKind) -> Statement {
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    statement(id, Said::Tie(Tie { id: tie.parse().unwrap(), from, to, kind, valid: Period::ALWAYS }))
}

/// A holding of votes; what it is in money is not said.
pub(crate) fn stake(id: &str, tie: &str, from: &str, to: &str, votes: &str) -> Statement {
    let holding = Holding { votes: Some(votes.parse().unwrap()), ..Holding::default() };
    link(id, tie, from, to, TieKind::Holds(holding))
}

/// Changes the holding of a statement.
pub(crate) fn tie(statement: &mut Statement, edit: impl FnOnce(&mut Holding)) {
    if let Said::Tie(Tie { kind: TieKind::Holds(holding), .. }) = &mut statement.said {
        edit(holding);
    }
}

pub(crate) fn end(id: &str, tie: &str, on: &str, by: Ending) -> Statement {
    statement(id, Said::End(End { tie: tie.parse().unwrap(), on: on.parse().unwrap(), by }))
}

pub(crate) fn entity(id: &str, name: &str, kind: EntityKind) -> Statement {
    statement(id, Said::Entity(Entity::new(name.parse().unwrap(), kind)))
}

pub(crate) fn listing(id: &str, tie: &str, list: &str, entity: &str) -> Statement {
    let (list, entity) = (list.parse().unwrap(), entity.parse().unwrap());
    statement(
        id,
        Said::Listing(Listing {
            id: tie.parse().unwrap(),
            list,
            entity,
            entry: None,
            valid: Period::ALWAYS,
            with_subsidiaries: false,
        }),
    )
}

pub(crate) fn same(id: &str, kept: &str, merged: &str) -> Statement {
    let (kept, merged) = (kept.parse().unwrap(), merged.parse().unwrap());
    statement(id, Said::Same { kept, merged, because: "one registry number".to_owned() })
}

pub(crate) fn retraction(id: &str, of: &str) -> Statement {
    statement(id, Said::Retraction { of: of.parse().unwrap(), because: "it was wrong".to_owned() })
}

/// A statement of every kind, with every field filled.
pub(crate) fn one_of_each() -> Vec<Statement> {
    let share = |text: &str| -> Share { text.parse().unwrap() };
    let holding = Holding {
        votes: Some(share("(25%,50%]")),
        money: Some(share("1/3")),
        class: Some("B".to_owned()),
        nominator: Some("X".parse().unwrap()),
        indirect: true,
        components: vec!["t-2".parse().unwrap(), "t-3".parse().unwrap()],
    };
    let subject = || "größer".to_owned();
    let window = Period { from: Some("2020".parse().unwrap()), to: Some("2021-02".parse().unwrap()) };
    let kinds = vec![
        TieKind::Holds(holding),
        TieKind::Holds(Holding::default()),
        TieKind::Holds(Holding { votes: Some(Share::UNKNOWN), ..Holding::default() }),
        TieKind::MayAcquire { votes: share("[50%,75%)"), window },
        TieKind::Appoints(Appointment {
            seats: Some(3),
            of: Some(5),
            majority: Some(true),
            observer: true,
            veto: true,
        }),
        TieKind::Directs { by: Direction::Influence },
        TieKind::Consolidates { ultimate: true },
        TieKind::Venture,
        TieKind::PartyTo { role: PartyRole::Party },
        TieKind::Serves { post: Post::Member },
        TieKind::Seconds,
        TieKind::Licenses { subject: subject(), technology: true, royalty: false },
        TieKind::Contracts { subject: subject(), income: Some(share("12.5%")) },
        TieKind::Supplies { subject: subject() },
        TieKind::Lends { of_net_worth: Some(share("[0%,10%)")), directs: true },
        TieKind::Pays { revenue: share("5%") },
        TieKind::Grants { subject: String::new() },
        TieKind::Equips { essential: true },
        TieKind::Governs { by: Jurisdiction::Residence },
        TieKind::Family,
        TieKind::Associates { relation: "cousin of".to_owned() },
        TieKind::Succeeds,
        TieKind::Plans(Plan {
            stage: Stage::Signed,
            ends: vec!["t-1".parse().unwrap()],
            votes: Some(share("100%")),
        }),
    ];
    let mut statements: Vec<Statement> = kinds
        .into_iter()
        .enumerate()
        .map(|(n, kind)| link(&format!("s-{n}"), &format!("t-{n}"), "X", "Ä", kind).recorded("2020-01-01"))
        .collect();
    let mut described = entity("e-1", "X", EntityKind::Unknown).recorded("1969-12-31");
    if let Said::Entity(entity) = &mut described.said {
        entity.names = vec![Name { text: "Ümlaut & Co".to_owned(), alias: true }];
        entity.countries = vec!["DE".to_owned()];
        entity.identifiers = vec![ExternalId { scheme: "XI-LEI".to_owned(), value: "5067".to_owned() }];
        entity.sectors = vec!["security".to_owned()];
        entity.founded = Some("1999".parse().unwrap());
        entity.dissolved = Some("2020-02-29".parse().unwrap());
        entity.register_complete = Some(true);
        entity.own_shares_vote = Some(false);
    }
    let mut listed = listing("l-1", "entry-1", "sdn", "X").recorded("9999-12-31");
    if let Said::Listing(listing) = &mut listed.said {
        listing.entry = Some("IRAN".to_owned());
        listing.with_subsidiaries = true;
        listing.valid = window;
    }
    listed.source = Source {
        document: "ofac-sdn".to_owned(),
        edition_of: Some("a list".to_owned()),
        url: Some("https://example.org/sdn".to_owned()),
        publisher: Some("OFAC".to_owned()),
        asserted_by: Some("officer".to_owned()),
        licence: Some("public".to_owned()),
        retrieved: Some("2020-01".parse().unwrap()),
        sha256: Some("00ff".to_owned()),
        confidence: Confidence::Medium,
        evidence: Evidence::Programme,
    };
    statements.extend([
        described,
        listed,
        end("end-1", "t-1", "2020-03", Ending::Announced),
        same("m-1", "X", "Z"),
        retraction("r-1", "s-3"),
    ]);
    statements
}
