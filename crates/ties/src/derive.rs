//! From ties to holdings: what a picture says, as graphs that the [`kernel`](crate::kernel) can count on.
//!
//! A tie is what somebody said; the kernel wants shares between numbered nodes. Between the two lies what holdings
//! *mean*: that a nominee's votes are the nominator's, that two documents about one holder tell one story and must not
//! be added, that an indirect holding repeats a chain, that a right to appoint the board beats votes. The modules tell
//! it in two steps: `register` makes of a company's ties its register, and `lay` makes of the register nodes and edges.
//!
//! Worked example. N holds 60 % of A as a nominee of X; the yearbook says that Y holds 30 %, the register 25 %; D directs
//! A by contract. In the graph of control A is a joint node: D holds it by right, and beside D stands the node
//! of A's votes, in which X has 60 % and Y anything from 25 % to 30 %, told as disputed. In the graph of money X and Y
//! have the same, and D has nothing.
//!
//! Ask one of two things:
//!
//! - [`Cone::upstream`]: everything upstream of one entity, with the ties behind each edge, for a decision and its
//!   proof. It walks a [`Picture`](crate::Picture), so it works on what-if pictures as well. [`Registers`] make many cones
//!   of one picture.
//! - [`Whole::build`]: everything in a registry, for questions about everybody. Both say the same of an entity.

mod cone;
mod graph;
mod lay;
mod register;
mod registers;
mod sums;
mod whole;

pub use self::cone::{Cone, Edge, Irregularity};
pub use self::graph::{About, Outlook};
pub use self::lay::{Basis, Measure};
pub use self::register::What;
pub use self::registers::Registers;
pub use self::whole::Whole;

/// How ties are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// Whether what may be acquired counts.
    pub outlook: Outlook,
    /// How joint holdings count.
    pub joint: Joint,
    /// How far a cone reaches.
    pub limits: Limits,
}

/// How the parties of a joint holding count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Joint {
    /// Each as if it held the whole (the United Kingdom's reading, and the careful one).
    #[default]
    EachWhole,
    /// Each with its own share, so that of two halves nobody has a majority.
    AsStated,
}

/// How far a cone reaches. Where it ends early, it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entities whose holders are looked at.
    pub entities: usize,
    /// Ties.
    pub ties: usize,
}

/// The largest cone of a national register has some 25,000 ties; a hub of 100,000 holders must still be seen whole.
const ENTITIES_MAX: usize = 200_000;

/// A few for each entity.
const TIES_MAX: usize = 1_000_000;

impl Default for Limits {
    fn default() -> Self {
        Self { entities: ENTITIES_MAX, ties: TIES_MAX }
    }
}
