//! Mail quarantine: what is looked at in a mail, what becomes of it, and where held mail lies.
//!
//! A mail server asks a filter about each mail, over the [`milter`] protocol. The [server](server) takes the mail in, never more
//! than a part of it in memory; [`inspect`] walks through it and asks a [`Judge`](judge::Judge) about everything that an indicator may
//! be about; the hardest [`Action`](judge::Action) of what it hit is what happens:
//!
//! | action | what the sender hears | where the mail is |
//! |---|---|---|
//! | monitor, tag | taken | delivered; tagged with a header that names the indicator's opaque reference |
//! | hold | taken | in the mail server's hold queue |
//! | store | taken | sealed in the [`store`] here |
//! | reject | refused, with the opaque reference | at the sender's |
//!
//! **Never lost.** A mail leaves the mail server's hands only by `store`, and only after it is on the disk here. Whatever fails
//! before that leaves it there: the sender tries again, or the mail passes, as the site [chose](settings::Settings::on_failure). The
//! choice for the time when nobody answers at all is the mail server's (`milter_default_action`).
//!
//! **Nothing of the victim leaves.** The [`Sink`](judge::Sink) learns a slot, an action and an instant. Senders, recipients and subjects are
//! in the sealed store, and in a [`SiteLog`](judge::SiteLog) if the site wants one.
//!
//! What this crate is not: it does not know what is listed, follows no link, opens no program, and reads no encrypted archive.

pub mod inspect;
pub mod judge;
pub mod server;
pub mod settings;
pub mod store;
