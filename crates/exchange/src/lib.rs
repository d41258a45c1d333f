//! The operations of the exchange, each in one transaction.
//!
//! [`Exchange`] is what a face (TAXII, the API, the command line) talks to. It holds no protocol and no policy: it
//! asks `release` who may have what, `store` for the objects, and records in the ledger what was decided and what
//! left. Every function takes an authenticated [`Caller`](model::Caller), except those that make one.
//!
//! # One writer
//!
//! Everything that changes anything goes through one thread ([`writer`]), which gathers what is waiting into one
//! transaction: objects, registry changes, the ledger entries that explain them. A disclosure is such a change, so
//! it has its place in the same order as a suspension: if the suspension came first, the disclosure is refused, the
//! read starts again with the new view, and not one byte leaves under the old one. That is the whole argument for
//! "from the next request on".
//!
//! # What is acknowledged is due
//!
//! Instants are handed out by the writer, and a reader's horizon is the present. A reader waits for a transaction
//! in flight whose instants may lie before its horizon, and a publisher or officer gets the answer when the last
//! date that the change handed out has come. So whoever polls after an acknowledgement sees what was acknowledged, and
//! a client that goes by its own clock misses nothing.

mod accounts;
mod alerts;
mod around;
mod audit;
mod beside;
mod binding;
mod blinded;
mod certificates;
mod concern;
mod content;
mod credentials;
mod cursor;
mod decided;
mod deciding;
mod dossier;
mod duties;
mod editions;
mod entities;
mod error;
mod evaluate;
mod exchange;
mod false_positives;
mod guards;
mod health;
mod impact;
mod judgements;
mod keeping;
mod labelling;
mod matches;
mod members;
mod notice;
mod occurrences;
mod order;
mod past;
mod people;
mod portal;
mod procedure;
mod publish;
mod published;
mod queue;
mod reach;
mod read;
mod recall;
mod recorded;
mod registry;
mod releases;
mod remembered;
mod reporting;
mod rotation;
mod second_factor;
mod sight;
mod ties;
mod uses;
mod versions;
mod vouched;
mod webhooks;
mod writer;

pub use accounts::{Account, SecondFactorOffer};
pub use alerts::{ALERTS_MAX, Alert, Unseen};
pub use around::{AROUND_MAX, Around, Neighbour};
pub use audit::{
    Change, ENTRIES_MAX, EntriesPage, Growth, HeldObject, HoldsReport, LedgerHead, OpenedEntry, Receiver,
    Sought, Watched, WhoReport,
};
pub use binding::{Bound, Waiting};
pub use blinded::{BlindedAnswer, BlindedEntry};
pub use certificates::{CertificateBinding, PresentedCertificate};
pub use content::{ContentPage, ContentSearch, FoundObject};
pub use credentials::{Attempt, CredentialRecord, CredentialSecret, NewCredential};
pub use decided::DecisionsPage;
pub use dossier::{
    Agreement, Answer, AnswerDiff, Appeal, Attestation, Concluded, Decided, Done, Dossier, Duty, DutyOf,
    Override, Proposal, Rebinding, Review, Values,
};
pub use duties::Attested;
pub use editions::{Import, Part, TiesState};
pub use entities::{
    ENTITIES_FOUND_MAX, EntitiesFound, EntityFound, EntityView, ListView, Named, NearMember, Unsettled,
    UnsettledBy,
};
pub use error::{AdminError, AuthenticationError, OpenError, PublishError, ReadError, WriteError};
pub use evaluate::Moved;
pub use exchange::{Exchange, Keys, Options, Random};
pub use false_positives::{Doubt, FALSE_POSITIVES_MAX, FalsePositive, Settled, State};
pub use guards::{GuardState, GuardView};
pub use health::{HeldSubmissions, LedgerCheck};
pub use impact::{FeedChange, FeedMove};
pub use keeping::KeptCheckpoint;
pub use labelling::Finding;
pub use matches::{Answered, Compared, Match, MatchAnswer, MatchPage, MatchSide, MatchState};
pub use members::{MemberChange, NewMember, Stepped};
pub use notice::ClosedTier;
pub use occurrences::{
    COUNT_BUCKETS, DayHits, Giving, IndicatorHits, OCCURRENCE_EXTENSION, OWN_MAX, OwnObject, REPORT_MAX,
    RefusedFact, Reported,
};
pub use portal::OwnRights;
pub use publish::{ItemFate, PatternJudgement, PublishOptions, Submission, judge_pattern};
pub use read::{
    CollectionView, ObjectsAnswer, RecordsAnswer, Served, StatusView, StreamBatch, Streamed, Unless,
};
pub use recall::{Reached, RecallAction, RecallReport};
pub use releases::{
    LabelView, MatrixAsked, MemberRelease, ObjectPlace, ObjectRelease, ReleaseCell, ReleaseMatrix,
};
pub use ties::{IMPORT_MAX, Imported, Question, Rehearsal};
pub use uses::Uses;
pub use versions::{CaseFailed, CasesRun, Comparison, ReleaseMove, VersionView};
pub use vetting::Move;
pub use vouched::Vouched;
pub use webhooks::{DueAlerts, HookState, WebhookView};
