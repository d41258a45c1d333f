//! What the two sides agree on before the first message.

use std::ops::BitOr;

/// The version of the protocol spoken here, that of Sendmail 8.14 and of Postfix since 2.6.
pub const VERSION: u32 = 6;

macro_rules! flags {
    ($(#[$doc:meta])* $name:ident { $($(#[$flag_doc:meta])* $flag:ident = $bit:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name(u32);

        impl $name {
            $($(#[$flag_doc])* pub const $flag: Self = Self($bit);)+

            /// None of them.
            pub const NONE: Self = Self(0);

            /// The flags of a frame; those that have no name here are kept.
            #[must_use]
            pub const fn from_bits(bits: u32) -> Self {
                Self(bits)
            }

            /// As a frame has them.
            #[must_use]
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// Whether all of `other` are among them.
            #[must_use]
            pub const fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Those that are in both.
            #[must_use]
            pub const fn common(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        impl BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }
    };
}

flags! {
    /// What a filter may do at the end of a message.
    Actions {
        /// Add headers.
        ADD_HEADERS = 0x01,
        /// Replace the body.
        CHANGE_BODY = 0x02,
        /// Add recipients.
        ADD_RECIPIENTS = 0x04,
        /// Remove recipients.
        DELETE_RECIPIENTS = 0x08,
        /// Change or remove headers.
        CHANGE_HEADERS = 0x10,
        /// Put the message on hold.
        QUARANTINE = 0x20,
        /// Change the sender.
        CHANGE_SENDER = 0x40,
        /// Add recipients with ESMTP parameters.
        ADD_RECIPIENTS_WITH_PARAMETERS = 0x80,
        /// Name the macros that it wants.
        SET_SYMBOLS = 0x100,
    }
}

flags! {
    /// Which steps the server leaves out, which it does not wait after, and how it writes.
    Steps {
        /// Leave out the connection.
        NO_CONNECT = 0x01,
        /// Leave out HELO.
        NO_HELO = 0x02,
        /// Leave out the sender.
        NO_MAIL = 0x04,
        /// Leave out the recipients.
        NO_RECIPIENT = 0x08,
        /// Leave out the body.
        NO_BODY = 0x10,
        /// Leave out the headers.
        NO_HEADERS = 0x20,
        /// Leave out the end of headers.
        NO_END_OF_HEADERS = 0x40,
        /// Do not wait after a header.
        NO_REPLY_HEADER = 0x80,
        /// Leave out commands that the server does not know.
        NO_UNKNOWN = 0x100,
        /// Leave out DATA.
        NO_DATA = 0x200,
        /// The filter may say that it needs no more of the body.
        SKIP = 0x400,
        /// Tell of recipients that the server itself refused, too.
        REJECTED_RECIPIENTS = 0x800,
        /// Do not wait after the connection.
        NO_REPLY_CONNECT = 0x1000,
        /// Do not wait after HELO.
        NO_REPLY_HELO = 0x2000,
        /// Do not wait after the sender.
        NO_REPLY_MAIL = 0x4000,
        /// Do not wait after a recipient.
        NO_REPLY_RECIPIENT = 0x8000,
        /// Do not wait after DATA.
        NO_REPLY_DATA = 0x1_0000,
        /// Do not wait after a command that the server does not know.
        NO_REPLY_UNKNOWN = 0x2_0000,
        /// Do not wait after the end of headers.
        NO_REPLY_END_OF_HEADERS = 0x4_0000,
        /// Do not wait after a piece of the body.
        NO_REPLY_BODY = 0x8_0000,
        /// Leave the space before a header's value where it is.
        LEADING_SPACE = 0x10_0000,
        /// Pieces of up to 256 KiB.
        PIECES_256_KIB = 0x1000_0000,
        /// Pieces of up to 1 MiB.
        PIECES_1_MIB = 0x2000_0000,
    }
}

/// One side's offer: the payload of an `O` frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiation {
    /// The version of the protocol.
    pub version: u32,
    /// What the filter may do, or wants to.
    pub actions: Actions,
    /// What the server can leave out, or shall.
    pub steps: Steps,
    /// The macros that a filter asks for, as a stage's number and names between spaces. A server sends none.
    pub symbols: Vec<(u32, Vec<u8>)>,
}

impl Negotiation {
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let (version, rest) = word(payload)?;
        let (actions, rest) = word(rest)?;
        let (steps, mut rest) = word(rest)?;
        let mut symbols = Vec::new();
        while !rest.is_empty() {
            let (stage, after) = word(rest)?;
            let end = after.iter().position(|byte| *byte == 0)?;
            symbols.push((stage, after[..end].to_vec()));
            rest = &after[end + 1..];
        }
        Some(Self { version, actions: Actions::from_bits(actions), steps: Steps::from_bits(steps), symbols })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for word in [self.version, self.actions.bits(), self.steps.bits()] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        for (stage, names) in &self.symbols {
            out.extend_from_slice(&stage.to_be_bytes());
            out.extend_from_slice(names);
            out.push(0);
        }
    }
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*head), rest))
}
