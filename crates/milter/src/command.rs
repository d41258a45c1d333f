//! What a server says.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str;

use thiserror::Error;

use crate::flags::Negotiation;
use crate::frame::write_frame;

/// A command whose payload is not what its letter promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// No command has this letter.
    #[error("no command has the letter 0x{letter:02x}")]
    Unknown {
        /// The letter.
        letter: u8,
    },
    /// The payload does not fit its command.
    #[error("the payload of command `{letter}` is not one")]
    Payload {
        /// The command.
        letter: char,
    },
}

/// Who connected to the mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer<'a> {
    /// The server does not know, or has no word for it.
    Unknown,
    /// Over the Internet Protocol.
    Inet(SocketAddr),
    /// Over a socket of the machine.
    Unix(&'a [u8]),
}

/// One command of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `O`: what the server can do.
    Negotiate(Negotiation),
    /// `D`: macros for the command that comes next.
    Macros {
        /// The letter of that command.
        command: u8,
        /// Names and values.
        pairs: Vec<(&'a [u8], &'a [u8])>,
    },
    /// `C`: somebody connected.
    Connect {
        /// The client's name, or its address in brackets.
        host: &'a [u8],
        /// Where it is.
        peer: Peer<'a>,
    },
    /// `H`: how the client greets.
    Helo(&'a [u8]),
    /// `M`: the sender with its angle brackets, then ESMTP parameters.
    Mail(Vec<&'a [u8]>),
    /// `R`: a recipient with its angle brackets, then ESMTP parameters.
    Recipient(Vec<&'a [u8]>),
    /// `T`: the message begins.
    Data,
    /// `L`: a header.
    Header {
        /// Its name, without the colon.
        name: &'a [u8],
        /// All that follows the colon; lines are parted by a line feed alone.
        value: &'a [u8],
    },
    /// `N`: that was the last header.
    EndOfHeaders,
    /// `B`: a piece of the body.
    Body(&'a [u8]),
    /// `E`: the end of the message, with a last piece of its body.
    EndOfMessage(&'a [u8]),
    /// `A`: the message is given up; the connection goes on.
    Abort,
    /// `Q`: the end.
    Quit,
    /// `K`: the client is gone; another one follows on this connection.
    QuitClient,
    /// `U`: an SMTP command that the server does not know.
    Unknown(&'a [u8]),
}

impl<'a> Command<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    ///
    /// Fails for letters without a meaning, and for payloads that break off.
    pub fn decode(letter: u8, payload: &'a [u8]) -> Result<Self, Malformed> {
        let broken = Malformed::Payload { letter: char::from(letter) };
        Ok(match letter {
            b'O' => Self::Negotiate(Negotiation::decode(payload).ok_or(broken)?),
            b'D' => {
                let (command, rest) = payload.split_first().ok_or(broken)?;
                let words = words(rest).ok_or(broken)?;
                // Names and values take turns. A name without a value is left out, as libmilter does.
                let pairs = words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
                Self::Macros { command: *command, pairs }
            }
            b'C' => {
                let (host, rest) = word(payload).ok_or(broken)?;
                Self::Connect { host, peer: peer(rest).ok_or(broken)? }
            }
            b'H' => Self::Helo(only_word(payload)),
            b'M' => Self::Mail(words(payload).filter(|words| !words.is_empty()).ok_or(broken)?),
            b'R' => Self::Recipient(words(payload).filter(|words| !words.is_empty()).ok_or(broken)?),
            b'T' => Self::Data,
            b'L' => {
                let (name, rest) = word(payload).ok_or(broken)?;
                Self::Header { name, value: only_word(rest) }
            }
            b'N' => Self::EndOfHeaders,
            b'B' => Self::Body(payload),
            b'E' => Self::EndOfMessage(payload),
            b'A' => Self::Abort,
            b'Q' => Self::Quit,
            b'K' => Self::QuitClient,
            b'U' => Self::Unknown(only_word(payload)),
            letter => return Err(Malformed::Unknown { letter }),
        })
    }

    /// Writes the command as a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Negotiate(offer) => write_frame(out, b'O', |out| offer.encode(out)),
            Self::Macros { command, pairs } => write_frame(out, b'D', |out| {
                out.push(*command);
                pairs.iter().flat_map(|(name, value)| [name, value]).for_each(|word| put(out, word));
            }),
            Self::Connect { host, peer } => write_frame(out, b'C', |out| {
                put(out, host);
                put_peer(out, peer);
            }),
            Self::Helo(name) => write_frame(out, b'H', |out| put(out, name)),
            Self::Mail(words) => write_frame(out, b'M', |out| words.iter().for_each(|word| put(out, word))),
            Self::Recipient(words) => {
                write_frame(out, b'R', |out| words.iter().for_each(|word| put(out, word)));
            }
            Self::Data => write_frame(out, b'T', |_| ()),
            Self::Header { name, value } => write_frame(out, b'L', |out| {
                put(out, name);
                put(out, value);
            }),
            Self::EndOfHeaders => write_frame(out, b'N', |_| ()),
            Self::Body(piece) => write_frame(out, b'B', |out| out.extend_from_slice(piece)),
            Self::EndOfMessage(piece) => write_frame(out, b'E', |out| out.extend_from_slice(piece)),
            Self::Abort => write_frame(out, b'A', |_| ()),
            Self::Quit => write_frame(out, b'Q', |_| ()),
            Self::QuitClient => write_frame(out, b'K', |_| ()),
            Self::Unknown(line) => write_frame(out, b'U', |out| put(out, line)),
        }
    }
}

/// What stands before the next zero byte, and what after it.
fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// A payload of one word. Its zero byte may be missing, and a header's value may hold more of them.
fn only_word(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\0").unwrap_or(bytes)
}

fn words(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut words = Vec::new();
    while !bytes.is_empty() {
        let (word, rest) = word(bytes)?;
        words.push(word);
        bytes = rest;
    }
    Some(words)
}

fn put(out: &mut Vec<u8>, word: &[u8]) {
    out.extend_from_slice(word);
    out.push(0);
}

/// A letter for the family, then port and address. An address that is none is as good as an unknown one.
fn peer(bytes: &[u8]) -> Option<Peer<'_>> {
    let Some((family, rest)) = bytes.split_first() else { return Some(Peer::Unknown) };
    if !matches!(family, b'4' | b'6' | b'L') {
        return Some(Peer::Unknown);
    }
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let address = only_word(rest);
    if *family == b'L' {
        return Some(Peer::Unix(address));
    }
    let text = str::from_utf8(address).unwrap_or_default();
    // Sendmail writes `IPv6:` before the address, Postfix does not.
    let bare = text.strip_prefix("IPv6:").unwrap_or(text);
    let ip = bare.parse::<IpAddr>().or_else(|_| bare.parse::<Ipv6Addr>().map(IpAddr::V6));
    Some(ip.map_or(Peer::Unknown, |ip| Peer::Inet(SocketAddr::new(ip, u16::from_be_bytes(*port)))))
}

fn put_peer(out: &mut Vec<u8>, peer: &Peer<'_>) {
    match peer {
        Peer::Unknown => out.push(b'U'),
        Peer::Inet(address) => {
            out.push(if address.is_ipv4() { b'4' } else { b'6' });
            out.extend_from_slice(&address.port().to_be_bytes());
            put(out, address.ip().to_string().as_bytes());
        }
        Peer::Unix(path) => {
            out.extend_from_slice(b"L\0\0");
            put(out, path);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Frames;

    #[test]
    fn payloads_of_real_servers_are_read() {
        let cases: &[(u8, &[u8], Option<Command<'_>>)] = &[
            (
                b'C',
                b"localhost\x004\xd4\x31127.0.0.1\0",
                Some(Command::Connect {
                    host: b"localhost",
                    peer: Peer::Inet("127.0.0.1:54321".parse().unwrap()),
                }),
            ),
            (
                b'C',
                b"[::1]\x006\0\x19IPv6:::1\0",
                Some(Command::Connect { host: b"[::1]", peer: Peer::Inet("[::1]:25".parse().unwrap()) }),
            ),
            (b'C', b"unknown\0U", Some(Command::Connect { host: b"unknown", peer: Peer::Unknown })),
            (b'C', b"x\x004\0\0not an address\0", Some(Command::Connect { host: b"x", peer: Peer::Unknown })),
            (b'C', b"no end", None),
            (b'C', b"x\x004\0", None),
            (b'M', b"<a@b.example>\0SIZE=12\0", Some(Command::Mail(vec![b"<a@b.example>", b"SIZE=12"]))),
            (b'M', b"", None),
            (b'M', b"<a@b.example>", None),
            (b'L', b"Subject\0 hi\0", Some(Command::Header { name: b"Subject", value: b" hi" })),
            (b'L', b"Subject\0\0", Some(Command::Header { name: b"Subject", value: b"" })),
            (b'L', b"Subject", None),
            (b'D', b"Ci\0abc\0{x}\0", Some(Command::Macros { command: b'C', pairs: vec![(b"i", b"abc")] })),
            (b'D', b"", None),
            (b'O', b"\0\0\0\x06", None),
            (b'?', b"", None),
        ];
        for (letter, payload, want) in cases {
            assert_eq!(Command::decode(*letter, payload).ok(), *want, "{payload:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_read_is_written_alike(letter in any::<u8>(), payload in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(command) = Command::decode(letter, &payload) {
                let mut bytes = Vec::new();
                command.encode(&mut bytes);
                let mut frames = Frames::new(1_024);
                frames.feed(&bytes);
                let (letter, payload) = frames.take().unwrap().unwrap();
                prop_assert_eq!(Command::decode(letter, payload), Ok(command));
            }
        }
    }
}
