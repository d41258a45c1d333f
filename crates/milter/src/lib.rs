//! The milter protocol: how a mail server asks a filter what to do with a message, as bytes.
//!
//! A *milter* is a program that a mail server (Postfix, Sendmail) connects to while somebody hands it a message over SMTP.
//! The server tells the filter everything that it hears, step by step, and at the end of the message waits for a word:
//!
//! ```text
//! server: O  I speak version 6; you may ask me for these actions, and to leave out these steps
//! filter: O  version 6; I want to add headers and to hold; do not wait for me before the end
//! server: C  mail.example.net [192.0.2.7]        connect
//!         M  <alice@example.net>                 MAIL FROM
//!         R  <bob@example.com>                   RCPT TO
//!         L  Subject: hello                      one frame for each header
//!         N  B  B  B                             end of headers, the body in pieces
//!         E                                      end of the message: well?
//! filter: q  (reason)  a                         put it on hold, and say to the sender that it was taken
//! ```
//!
//! A frame is a length of four bytes, big end first, one letter, and what belongs to the letter; the length counts the letter.
//! Before a command the server may send `D`, *macros*: its own words for things, such as `i` for the queue's identifier.
//!
//! There is no specification but the source of Sendmail; the protocol is the same since its version 8.14 (protocol version 6).
//!
//! # What is here
//!
//! [`Session`] is one connection, without a socket: bytes go in, [`Event`]s and bytes come out. Its owner is asked once, at
//! [`Event::EndOfMessage`], and answers with a [`Decision`]. [`Command`] and [`Response`] are the two directions, to be read and
//! written, so that a test can be a mail server.
//!
//! # What cannot be said
//!
//! The protocol lets a filter ask for quarantine and then refuse with a text of its own. Servers do not agree on what that means,
//! and the message is let through or lost. A [`Decision`] is one of its variants: [`Hold`](Decision::Hold) has no text for the sender
//! and [`Reject`](Decision::Reject) has no quarantine. Texts are of types that hold no line break and no format character.
//!
//! # What is not here
//!
//! No socket, no clock, no reading of what a message says. Of what a filter may change in a message, [`Decision`] has the headers
//! only; [`Response`] can write the rest.

#![warn(missing_docs)]

mod command;
mod flags;
mod frame;
mod macros;
mod response;
mod session;
mod text;

pub use command::{Command, Malformed, Peer};
pub use flags::{Actions, Negotiation, Steps, VERSION};
pub use frame::{FrameError, Frames, write_frame};
pub use macros::Macros;
pub use response::Response;
pub use session::{Change, Decision, Event, NotAgreed, Session, Violation, Wishes};
pub use text::{HeaderName, InvalidText, Line};
