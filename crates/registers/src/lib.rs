//! Public registers and lists, read into statements about ties.
//!
//! Each format is a function that reads a file once, from front to back, in bounded memory, and hands out a
//! [`Statement`](ties::Statement) for each thing that the file says. What it could not read it refuses record by
//! record, with the place and a stable [`Reason`]; a bad record never stops a file. The [`Report`] tells what was
//! read, what was refused, and what was noticed on the way.
//!
//! ```text
//! one line of the UK register:  {"company_number":"01234567","data":{"name":"Ann","natures_of_control":[..]}}
//! becomes                       GB-COH:01234567 is an organisation
//!                               uk-psc:01234567/individual/abc is a person named Ann
//!                               tie: Ann holds (25%,50%] of the shares of GB-COH:01234567 since 2016-04-06
//! ```
//!
//! Two rules make files agree with each other and with themselves:
//!
//! - An entity goes by the best exact identifier that its record has: the LEI, else a number in a register with the
//!   register's code, else an identifier of the source's own. Where a record has several, each further one is said to
//!   be the same ([`Said::Same`](ties::Said::Same)), which can be taken back.
//! - A statement's identifier is derived from what it says, so reading a file again says nothing new.
//!
//! What a format leaves open stays open: a share that is not stated is unknown, never zero.

pub mod bods;
mod countries;
pub mod csl;
pub mod denied;
mod format;
pub mod ftm;
pub mod gleif;
mod gleif_entities;
mod gleif_parents;
pub mod ofac;
mod ofac_links;
mod ofac_remarks;
pub mod ofac_xml;
mod party;
pub mod plain;
pub mod psc;
mod reading;
mod tree;
pub mod un_list;
mod xml;

pub use format::{Format, closes_missing, detect, needs_name, read};
pub use reading::{Importing, RECORD_BYTES_MAX, REFUSALS_KEPT, Reason, Refusal, Report, record_of};
