//! Reading what people have, and giving it as STIX 2.1 objects.
//!
//! Threat intelligence lies about as STIX bundles, as MISP events, as tables, and most of all as plain
//! lists with one value a line; alone, compressed, in archives, in directories of all of these. [`read`]
//! walks through it and hands each object to a receiver as bytes, together with the [`Place`] where it
//! stood. What is STIX already is handed on byte for byte, for only its creator may change it. Everything
//! else becomes one indicator a value.
//!
//! Formats and containers are told by content, never by a file's name. Nothing stops a run but its
//! receiver: a bad record is one [`Item::Refused`], a bad file another, and the [`Summary`] says at the
//! end what was refused and why. Every [limit](Limits) has a name, which the refusal mentions.
//!
//! The same input with the same [`Options`] gives the same bytes. An indicator's identifier is derived
//! (`UUIDv5`) from its creator and from what it says: the event's and the attribute's UUID for MISP, the
//! kind and the value for a list. Reading a list twice gives two versions of the same indicators, not
//! twice as many.
//!
//! It does not validate STIX: it looks no further than it must to tell one object from the next. It knows
//! no hub and no member.
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! let creator = "identity--f690c992-8e7d-4b9a-9303-3312616c0220";
//! let options = intake::Options::new(creator, "2026-01-10T00:00:00Z").unwrap();
//! let list = "# seen in mail\nhxxp://evil[.]example/gate\nnothing to see\n";
//! let mut objects = Vec::new();
//! let summary = intake::read_reader("list.txt", list.as_bytes(), &options, &mut |item| {
//!     if let intake::Item::Object { bytes, .. } = item {
//!         objects.push(String::from_utf8(bytes).unwrap());
//!     }
//!     ControlFlow::Continue(())
//! });
//! assert!(objects[0].contains("[url:value = 'http://evil.example/gate']"));
//! assert_eq!((summary.objects, summary.refused_count()), (1, 1));
//! ```
#![warn(missing_docs)]

mod container;
mod indicator;
mod json;
mod kind;
mod list;
mod marking;
mod misp;
mod names;
mod options;
mod place;
mod run;
mod table;
mod value;
mod walk;

pub use options::{Limits, Options, OptionsError};
pub use place::{Item, PLACES_KEPT, Place, REASONS_KEPT, Reason, Refusals, Summary};
pub use walk::{IntakeError, bytes_on_disk, read, read_reader};
