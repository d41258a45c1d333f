//! Statements: who said what about whom, for which time, and when we learned it.
//!
//! The registry never holds "the truth", only what was said. A [`Statement`] is kept for ever as it came. Ties are
//! what the statements known by an instant amount to: statements with the same [`TieId`] are about one tie, and the
//! one recorded last speaks for it. So a correction changes what we say today about last year, and does not change
//! what we knew last year.
//!
//! ```text
//! recorded 2011-11-15  tie stake-1: symantec holds 49 % of the venture since 2008-02
//! recorded 2011-11-15  tie sale-1:  huawei plans to buy it, signed          (a tie of its own; clears nothing)
//! recorded 2012-03-30  end of stake-1 on 2012-03-30, completed              (now it is over)
//! ```
//!
//! In every tie influence runs `from` -> `to`: from the holder to the company, the lender to the borrower, the
//! licensor to the licensee, the maker to the user, the state to whoever lives under its law.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Entity, EntityId, ListId, PartialDate, Period, Share, StatementId, TieId};

/// One thing that one source said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Its name, unique in the registry. Importers derive it from the record, so that a re-import is recognised.
    pub id: StatementId,
    /// What is said.
    pub said: Said,
    /// By whom, and where.
    pub source: Source,
    /// When the registry learned it: the second clock.
    pub recorded: Timestamp,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Said {
    /// What an entity is. The latest statement of each source counts; the ones of several sources are put together.
    Entity(Entity),
    /// That a tie holds.
    Tie(Tie),
    /// That a tie ended.
    End(End),
    /// That a list names an entity.
    Listing(Listing),
    /// That two identifiers are one entity. Reversed by retracting this.
    Same {
        /// The identifier that stays.
        kept: EntityId,
        /// The identifier that from now on means `kept`.
        merged: EntityId,
        /// Why, in words: which identifier agrees, or who compared.
        because: String,
    },
    /// That an earlier statement should never have been made. What it said stops counting from this one's recording.
    Retraction {
        /// The statement.
        of: StatementId,
        /// Why.
        because: String,
    },
}

/// Where a statement comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The document or data set: `gleif-rr`, `uk-psc`, `nyt-2012-03-26`. Statements of one document about one
    /// holding add up; those of different documents are different accounts of the same thing.
    pub document: String,
    /// The document in whose edition it came, where it names a source of its own: a table of decisions is one document, and
    /// each row says which gazette has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition_of: Option<String>,
    /// Where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// Who put it into the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asserted_by: Option<String>,
    /// Under which licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// When it was fetched, or dated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrieved: Option<PartialDate>,
    /// The document's SHA-256, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How far it is believed.
    #[serde(default)]
    pub confidence: Confidence,
    /// Who may see it as evidence.
    #[serde(default)]
    pub evidence: Evidence,
}

impl Source {
    /// The document whose new edition ends the statement by leaving it out.
    #[must_use]
    pub fn edition(&self) -> &str {
        self.edition_of.as_deref().unwrap_or(&self.document)
    }
}

/// How far a source is believed. A statement of low confidence makes a tie possible, never certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Rumour, or an inference.
    Low,
    /// A press report, or a declaration by the party itself.
    Medium,
    /// A register, a filing, a published list.
    #[default]
    High,
}

/// Who may see a statement as evidence. To anybody else a proof shows another way, or "evidence withheld".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Everyone.
    #[default]
    Public,
    /// The member concerned, and the programme's people.
    Concerned,
    /// The programme's people.
    Programme,
}

/// One tie: from whom, to whom, what, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tie {
    /// Which tie.
    pub id: TieId,
    /// Who has influence: the holder, lender, licensor, maker, director, state.
    pub from: EntityId,
    /// Upon whom: the company, borrower, licensee, user, citizen.
    pub to: EntityId,
    /// What kind of influence.
    pub kind: TieKind,
    /// From when to when.
    #[serde(default, skip_serializing_if = "is_always")]
    pub valid: Period,
}

fn is_always(period: &Period) -> bool {
    *period == Period::ALWAYS
}

/// The kinds of ties, each with what is particular to it (notes on FOCI: SF 328, 32 CFR 117.11; BODS interest types).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum TieKind {
    /// Holds shares. Votes and money are two different numbers.
    Holds(Holding),
    /// May come to hold shares, by an option, a convertible or a call.
    MayAcquire {
        /// The votes that it would hold then.
        votes: Share,
        /// When it may exercise.
        #[serde(default, skip_serializing_if = "is_always")]
        window: Period,
    },
    /// May appoint to the board.
    Appoints(Appointment),
    /// Directs by other means than votes.
    Directs {
        /// Which.
        by: Direction,
    },
    /// Consolidates the other in its accounts (GLEIF level 2): control is presumed, a share is not stated.
    Consolidates {
        /// Whether it is the ultimate parent. Then it sums up a chain, and is not one more link of it.
        ultimate: bool,
    },
    /// Is one of the parents of a joint venture. The stakes are ties of their own.
    Venture,
    /// Is a party to an arrangement: a trust, a nomination, a joint holding, a concert.
    PartyTo {
        /// In which role.
        role: PartyRole,
    },
    /// Sits on the board, runs it, advises it.
    Serves {
        /// As what.
        post: Post,
    },
    /// Sends staff.
    Seconds,
    /// Grants a licence to use what it owns.
    Licenses {
        /// For what.
        #[serde(default)]
        subject: String,
        /// Whether it is for technology, not for a name or a text.
        #[serde(default)]
        technology: bool,
        /// Whether it is paid for as it is used.
        #[serde(default)]
        royalty: bool,
    },
    /// Has a contract with it.
    Contracts {
        /// About what.
        #[serde(default)]
        subject: String,
        /// Which part of `to`'s income it makes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        income: Option<Share>,
    },
    /// Supplies it.
    Supplies {
        /// With what.
        #[serde(default)]
        subject: String,
    },
    /// Lends to it, or guarantees its debt.
    Lends {
        /// The debt, as a part of `to`'s net worth.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of_net_worth: Option<Share>,
        /// Whether voting stock is the security, or covenants let the lender direct the management.
        #[serde(default)]
        directs: bool,
    },
    /// Makes a part of its revenue or net income.
    Pays {
        /// Which part.
        revenue: Share,
    },
    /// Gives it a grant, gift or endowment.
    Grants {
        /// For what.
        #[serde(default)]
        subject: String,
    },
    /// Made equipment or a service that it uses.
    Equips {
        /// Whether as an essential part.
        #[serde(default)]
        essential: bool,
    },
    /// Its law reaches it: incorporation, seat, citizenship.
    Governs {
        /// Why.
        by: Jurisdiction,
    },
    /// Belongs to the same family.
    Family,
    /// Is linked to it in a way that the source does not tell.
    Associates {
        /// The source's word.
        #[serde(default)]
        relation: String,
    },
    /// Follows it as its successor.
    Succeeds,
    /// Means to acquire, found or sell something: a change that has not happened. It ends no tie and begins none.
    Plans(Plan),
}

/// Shares that are held.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holding {
    /// Part of the votes. Left out: as the money, where that is stated; else unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub votes: Option<Share>,
    /// Part of the capital or the profit. Left out: unknown; never taken from the votes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Share>,
    /// The class of shares. Holdings of different classes by one holder add up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// For whom it is held, if in name only. The votes are that one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nominator: Option<EntityId>,
    /// Whether it sums up a chain of other holdings. Then it counts only where the chain is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub indirect: bool,
    /// The ties that it sums up, where the source names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<TieId>,
}

/// A right to appoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Appointment {
    /// How many seats. Left out: some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<u32>,
    /// Of how many. Left out: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u32>,
    /// Whether it is a majority, where the source says so without numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub majority: Option<bool>,
    /// Whether those appointed only watch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observer: bool,
    /// Whether it comes with a veto or a special share.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub veto: bool,
}

/// How one directs another without votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// By contract.
    Contract,
    /// By its articles or rules.
    Articles,
    /// By law.
    Law,
    /// In fact: it is run as the other wishes.
    Fact,
    /// By a minority that nobody outvotes.
    DominantMinority,
    /// Some significant influence, and no more is said. It makes control possible, not certain.
    Influence,
}

/// The part that somebody plays in an arrangement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartyRole {
    /// Gave the assets.
    Settlor,
    /// Holds and votes them.
    Trustee,
    /// Watches the trustees.
    Protector,
    /// Benefits.
    Beneficiary,
    /// Holds in its name.
    Nominee,
    /// For whom it is held.
    Nominator,
    /// Holds or votes together with the others.
    Party,
}

/// What somebody is to an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Post {
    /// Chairs the board.
    Chair,
    /// Sits on the board.
    Director,
    /// Runs it.
    Officer,
    /// Is a general partner.
    Partner,
    /// Advises it.
    Consultant,
    /// Is lent to it.
    Secondee,
    /// Is employed or a member.
    Member,
}

/// Why a state's law reaches an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Jurisdiction {
    /// It was formed there.
    Incorporation,
    /// It is run from there.
    Headquarters,
    /// It is a citizen.
    Citizenship,
    /// It lives there.
    Residence,
}

/// A change that somebody means to bring about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// How far it has come.
    pub stage: Stage,
    /// The ties that would end with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<TieId>,
    /// The votes that `from` would hold in `to` then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub votes: Option<Share>,
}

/// How far a planned change has come. Signed is not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// They talk.
    Negotiating,
    /// They said so.
    Announced,
    /// They signed.
    Signed,
}

/// The end of a tie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Which tie.
    pub tie: TieId,
    /// The day on which it is over.
    pub on: PartialDate,
    /// What shows it.
    pub by: Ending,
}

/// What shows that a tie ended. Only a completion ends it (R23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It is done, and the source of the statement shows it.
    Completed,
    /// It was announced for that day.
    Announced,
}

/// That a list names an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Which listing; statements about one listing carry the same, and the one recorded last speaks for it.
    pub id: TieId,
    /// On which list.
    pub list: ListId,
    /// Whom.
    pub entity: EntityId,
    /// Under which programme, entry or article.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// From when to when.
    #[serde(default, skip_serializing_if = "is_always")]
    pub valid: Period,
    /// Whether the list says that it reaches subsidiaries ("and any subsidiary thereof").
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_subsidiaries: bool,
}
