//! A blocking TAXII 2.1 client.
//!
//! A server has *API roots*, a root has *collections*, a collection has objects. Objects are read
//! in pages, oldest first by the time at which the server added them, and a pull can be taken up
//! again wherever it stopped: each [`Page`] carries the [`PullState`] that comes after it.
//!
//! ```no_run
//! use taxii_client::{Client, Options, PullState, Query};
//!
//! let client = Client::new("https://taxii.example/taxii2/", &Options::default())?;
//! let root = client.default_root()?;
//! let collection = root.collection("91a7b528-80eb-42ed-a74d-c6fbd5a26116")?;
//! let mut state = PullState::default(); // or the one that was saved last time
//! for page in collection.objects(&Query::default(), state.clone()) {
//!     let page = page?;
//!     for object in page.items() {
//!         // the object's bytes, as the server sent them
//! #       let _: &[u8] = object;
//!     }
//!     state = page.state().clone(); // save it once the objects are safe
//! }
//! # Ok::<(), taxii_client::Error>(())
//! ```
//!
//! Servers differ, and some are wrong. The client follows `next` where there is one and the date
//! of the last object where there is none. A server that says *more* and repeats itself is an
//! error, not a loop. Credentials go to the origin (scheme, host and port) that the client was made for,
//! and nowhere else, even if discovery names an API root on another machine. Every answer is bounded in
//! size and in time.
//!
//! What this crate is *not*: it keeps no state between runs, it does not look into objects, and it does
//! not retry: whoever owns the loop decides when.

#![warn(missing_docs)]

mod address;
mod client;
mod error;
mod pages;
mod transport;

pub use client::{ApiRoot, Client, Collection, Patience, envelope_of};
pub use error::{Error, Fault};
pub use pages::{Page, Pages, PullState, Query};
pub use transport::Options;
