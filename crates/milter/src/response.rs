//! What a filter says.

use crate::command::Malformed;
use crate::flags::Negotiation;
use crate::frame::write_frame;

/// One frame of a filter.
///
/// Here stands the whole language, whatever sense it makes; a filter that is built on [`Session`](crate::Session) says what a
/// [`Decision`](crate::Decision) can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// `O`: what the filter wants.
    Negotiate(Negotiation),
    /// `c`: go on.
    Continue,
    /// `a`: take the message, and tell me no more of it.
    Accept,
    /// `d`: say that it was taken, and throw it away.
    Discard,
    /// `r`: refuse it for good.
    Reject,
    /// `t`: refuse it for now.
    TempFail,
    /// `y`: refuse it with this code and text.
    Reply(Vec<u8>),
    /// `q`: put it on hold, for this reason; then comes another word.
    Quarantine(Vec<u8>),
    /// `p`: I am still at it.
    Progress,
    /// `s`: I need no more of the body.
    Skip,
    /// `4`: answer 421 and close.
    Shutdown,
    /// `f`: fail the connection.
    ConnectionFailed,
    /// `h`: add a header at the end.
    AddHeader(Vec<u8>, Vec<u8>),
    /// `i`: insert a header at a place.
    InsertHeader(u32, Vec<u8>, Vec<u8>),
    /// `m`: change the header of this name at this place among its like, from 1; an empty value removes it.
    ChangeHeader(u32, Vec<u8>, Vec<u8>),
    /// `b`: a piece of a new body.
    ReplaceBody(Vec<u8>),
    /// `+`: add a recipient.
    AddRecipient(Vec<u8>),
    /// `2`: add a recipient with parameters.
    AddRecipientWithParameters(Vec<u8>),
    /// `-`: remove a recipient.
    DeleteRecipient(Vec<u8>),
    /// `e`: change the sender, and its parameters.
    ChangeSender(Vec<u8>),
    /// `l`: the macros wanted at a stage.
    SetSymbols(Vec<u8>),
}

impl Response {
    /// Writes the response as a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Negotiate(offer) => write_frame(out, b'O', |out| offer.encode(out)),
            Self::Continue => write_frame(out, b'c', |_| ()),
            Self::Accept => write_frame(out, b'a', |_| ()),
            Self::Discard => write_frame(out, b'd', |_| ()),
            Self::Reject => write_frame(out, b'r', |_| ()),
            Self::TempFail => write_frame(out, b't', |_| ()),
            Self::Progress => write_frame(out, b'p', |_| ()),
            Self::Skip => write_frame(out, b's', |_| ()),
            Self::Shutdown => write_frame(out, b'4', |_| ()),
            Self::ConnectionFailed => write_frame(out, b'f', |_| ()),
            Self::Reply(text) => write_words(out, b'y', &[text]),
            Self::Quarantine(reason) => write_words(out, b'q', &[reason]),
            Self::AddHeader(name, value) => write_words(out, b'h', &[name, value]),
            Self::InsertHeader(place, name, value) => write_placed(out, b'i', *place, name, value),
            Self::ChangeHeader(place, name, value) => write_placed(out, b'm', *place, name, value),
            Self::ReplaceBody(piece) => write_frame(out, b'b', |out| out.extend_from_slice(piece)),
            Self::AddRecipient(address) => write_words(out, b'+', &[address]),
            Self::AddRecipientWithParameters(payload) => {
                write_frame(out, b'2', |out| out.extend_from_slice(payload));
            }
            Self::DeleteRecipient(address) => write_words(out, b'-', &[address]),
            Self::ChangeSender(payload) => write_frame(out, b'e', |out| out.extend_from_slice(payload)),
            Self::SetSymbols(payload) => write_frame(out, b'l', |out| out.extend_from_slice(payload)),
        }
    }

    /// Reads a frame, as a server does.
    ///
    /// # Errors
    ///
    /// Fails for letters without a meaning, and for payloads that break off.
    pub fn decode(letter: u8, payload: &[u8]) -> Result<Self, Malformed> {
        let broken = Malformed::Payload { letter: char::from(letter) };
        let text = || payload.strip_suffix(b"\0").map(<[u8]>::to_vec).ok_or(broken);
        Ok(match letter {
            b'O' => Self::Negotiate(Negotiation::decode(payload).ok_or(broken)?),
            b'c' => Self::Continue,
            b'a' => Self::Accept,
            b'd' => Self::Discard,
            b'r' => Self::Reject,
            b't' => Self::TempFail,
            b'p' => Self::Progress,
            b's' => Self::Skip,
            b'4' => Self::Shutdown,
            b'f' => Self::ConnectionFailed,
            b'y' => Self::Reply(text()?),
            b'q' => Self::Quarantine(text()?),
            b'h' => {
                let (name, value) = pair(payload).ok_or(broken)?;
                Self::AddHeader(name, value)
            }
            b'i' | b'm' => {
                let (place, rest) = payload.split_first_chunk::<4>().ok_or(broken)?;
                let place = u32::from_be_bytes(*place);
                let (name, value) = pair(rest).ok_or(broken)?;
                if letter == b'i' {
                    Self::InsertHeader(place, name, value)
                } else {
                    Self::ChangeHeader(place, name, value)
                }
            }
            b'b' => Self::ReplaceBody(payload.to_vec()),
            b'+' => Self::AddRecipient(text()?),
            b'2' => Self::AddRecipientWithParameters(payload.to_vec()),
            b'-' => Self::DeleteRecipient(text()?),
            b'e' => Self::ChangeSender(payload.to_vec()),
            b'l' => Self::SetSymbols(payload.to_vec()),
            letter => return Err(Malformed::Unknown { letter }),
        })
    }
}

fn write_words(out: &mut Vec<u8>, letter: u8, words: &[&[u8]]) {
    write_frame(out, letter, |out| {
        for word in words {
            out.extend_from_slice(word);
            out.push(0);
        }
    });
}

fn write_placed(out: &mut Vec<u8>, letter: u8, place: u32, name: &[u8], value: &[u8]) {
    write_frame(out, letter, |out| {
        out.extend_from_slice(&place.to_be_bytes());
        for word in [name, value] {
            out.extend_from_slice(word);
            out.push(0);
        }
    });
}

fn pair(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let value = bytes[end + 1..].strip_suffix(b"\0")?;
    Some((bytes[..end].to_vec(), value.to_vec()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Frames;

    proptest! {
        #[test]
        fn what_was_read_is_written_alike(letter in any::<u8>(), payload in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(response) = Response::decode(letter, &payload) {
                let mut bytes = Vec::new();
                response.encode(&mut bytes);
                let mut frames = Frames::new(1_024);
                frames.feed(&bytes);
                let (letter, payload) = frames.take().unwrap().unwrap();
                prop_assert_eq!(Response::decode(letter, payload), Ok(response));
            }
        }
    }
}
