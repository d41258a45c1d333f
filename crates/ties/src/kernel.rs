//! The arithmetic of holdings, on numbered nodes.
//!
//! Three tests read the same ties and are different functions; they are never mixed:
//!
//! | question | arithmetic | here |
//! |---|---|---|
//! | who controls whom | more than half of the votes, counting with one's own what one controls | [`Forest`], [`Closure`] |
//! | who is blocked | half or more held by the blocked set together, nothing multiplied | [`Closure`] |
//! | how much is looked through to | percentages multiplied along chains, chains added, cycles solved | [`through`] |
//!
//! X holds 60 % of A, A holds 60 % of B: X controls B, B is blocked if X is, and X looks through to 36 % of B.
//!
//! Votes and money are different [`Holdings`]: control reads votes, the blocking rules read ownership.
//!
//! What the storey above makes of the law's other notions:
//!
//! - *Acting in concert*: their votes count together. Ask for the closure of all of them at once, or give their stakes to
//!   a node of their own, which then has its place in the forest.
//! - *Joint holding*, where each is treated as having the whole: a node with [`Terms::each_whole`].
//! - *Board and contract*: the right to appoint a majority controls without votes, beside whoever has those. Let the
//!   company be a node with [`Terms::each_whole`] whose holders are the right's owner and a node for the votes.
//!
//! | module | what |
//! |---|---|
//! | [`holdings`] | ties and registers, built once and changed one by one; what is wrong with them |
//! | [`line`](mod@line) | thresholds, and the least and most that a group can hold |
//! | [`closure`] | sets that grow: control from one source, the 50 % rules |
//!
//! | [`forest`] | control of all by all, kept up to date |
//! | [`pairs`] | control of all by all, listed once |
//! | [`through`] | look-through |
//! | [`proof`] | why something holds, and how far it is from holding |
//! | [`cut`] | the least set of ties to end |
//! | [`cone`] | what lies upstream of one company |
//!
//! A closure of some hundred seeds over millions of ties takes well under a millisecond, so closures are not kept up to date: grow
//! them again.
//!
//! What this module does *not* know: names, dates, sources, laws. It never recurses, so no depth of pyramid
//! overflows its stack, and it asks no clock; what can take long takes a `deadline` to ask.

pub mod closure;
pub mod cone;
mod cover;
pub mod cut;
pub mod forest;
pub mod holdings;
pub mod line;
mod lists;
mod marks;
pub mod order;
pub mod pairs;
pub mod proof;
mod scale;
mod solve;
mod table;
pub mod through;

pub use closure::Closure;
pub use cone::Cone;
pub use cut::{Cut, Ending, Least, Remedy, Task};
pub use forest::{Forest, Moved};
pub use holdings::{Builder, Finding, Holding, Holdings, Node, Terms, UnknownNode};
pub use line::{Certainty, Line};
pub use order::Order;
pub use proof::{Nearness, Proof, Step};
pub use through::{Inside, Part, Side, Through};
