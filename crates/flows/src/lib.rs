//! Flow alerts: routers and switches tell who talked to whom; whoever talked to something listed is told of.
//!
//! A *flow* is what an *exporter* says of the packets that went from one address and port to another: how many, how many
//! bytes, when. Exporters send flows over UDP as NetFlow v5, v9 or IPFIX; or they send samples, as [sFlow](sflow) does. This is the third countermeasure of the successor of the
//! pilot: passive, it blocks nothing.
//!
//! ```text
//! exporter ── UDP ──> Decoder ── flow ──> Judge: is either end listed? ──> one alert an hour ──> JSON lines, syslog
//!                                                                    └──> Sink: slot, instant, how many
//! ```
//!
//! **Times.** Exporters' clocks are often wrong, and NetFlow v5 counts from when the device was started. A hit is dated by when its packet
//! came.
//!
//! **Nothing of the victim leaves.** The [`Sink`] learns slots. Alerts are for the site itself; they hold references, and the ends
//! of a flow only if the site [wants](Shown) that, and the listed end only if the indicator [may be shown](Judge::may_show).
//!
//! What this crate is not: it keeps no flows.

mod alerts;
mod collector;
mod decode;
mod flow;
mod judge;
pub mod packet;
mod sflow;
mod writers;
mod written;

pub use alerts::{Alert, AlertLimits, Detail, Direction, Kind};
pub use collector::{Collector, Counts, Settings, Shown, listen};
pub use decode::{BadLimits, DecodeLimits, Decoded, Decoder, Waiting};
pub use flow::{Exporter, Flow};
pub use judge::{Client, Hit, Judge, Sink};
pub use writers::{Target, hand_out, write};
pub use written::{Origin, framed, json_line, syslog_message};
