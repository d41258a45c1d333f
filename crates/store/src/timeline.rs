//! A reader's order of objects: member time, back-fill and pages, over any store.
//!
//! # Member time
//!
//! A reader's `date_added` for an object is the moment at which the object became visible *to that reader*
//! (DESIGN.md 3.1). For each label the reader's grant is a list of intervals, so every object falls in one of two
//! places of the reader's timeline:
//!
//! - *direct*: its commit's instant lies in an interval; the reader could see it at once;
//! - *back-fill*: its commit lies before an interval and after the one before that; it became visible when the
//!   interval began. All that one instant opened makes one [`Block`].
//!
//! ```text
//! label A   ----[=========)..........[======        = open     . closed
//! objects     1   2    3    4   5     6             2, 3 and 6 are direct,
//!                                                   1 is the block of the first interval, 4 and 5 of the second
//! ```
//!
//! # Dates
//!
//! TAXII clients continue with the last date they saw, so no two objects of a reader may share one, and a block of
//! a million objects has to be spread. And dates must not betray what a reader may not see: if every object took
//! the next microsecond of its collection, a gap of three would say that two are withheld. So a date is counted
//! among what the reader may see, never among what there is:
//!
//! - direct: the commit's instant (always even) plus two microseconds for each object of the same commit that was
//!   open to the reader then and comes before it;
//! - back-fill: the block's start (always odd) plus two microseconds for each object before it in the block, whose
//!   order is label by label. A block that would run into the next one of the same reader pushes it back.
//!
//! Even and odd never meet, the writer leaves room for a whole commit before the next instant, and what counted
//! once goes on counting (even when its label has closed or the object was deleted). So dates are distinct, follow
//! the order of pages, and never move, and each of the three kinds of client (follows `next`; follows the date
//! header; uses its own clock) receives everything once.
//!
//! # Cost
//!
//! A page seeks to its first object in O(labels) and then reads only segments that the reader may read. With few
//! open labels it merges their runs; with many it walks the commits and skips what is closed, which costs eight
//! bytes a closed label.

mod block;
mod chosen;
mod direct;
mod page;

pub use block::{Block, BlockCache};
pub use chosen::{RECEIVED, SHADOW, VersionChoice, chosen_copies, received_key};
pub use page::{Dated, Page, Piece, Query, Sieve, end_of_back_fill, objects_with_id, page};
