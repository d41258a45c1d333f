//! What a provider's neighbours say to its guard: a client over DNS, a mail server over the milter protocol, and a resolver
//! that tells one truth.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use milter::{Actions, Command, Frames, Negotiation, Peer, Response, Steps, VERSION};

use crate::output::add;

/// What every name leads to in truth.
pub(super) const TRUTH: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest packet of DNS here.
const PACKET_BYTES_MAX: usize = 2_048;
/// The largest frame of the milter protocol here.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// Every action, and every step that may be left out.
const ANY_ACTION: u32 = 0x1ff;
const ANY_STEP: u32 = 0x1f_ffff;

/// An address on loopback that nobody has at the moment, over UDP and TCP.
pub(super) fn free_address() -> Result<SocketAddr> {
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("asking for a free port")?;
    let address = tcp.local_addr()?;
    UdpSocket::bind(address).with_context(|| format!("listening on {address}"))?;
    Ok(address)
}

/// A resolver for the guard to ask; it ends with the process.
pub(super) fn world() -> Result<SocketAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("listening on loopback")?;
    let address = socket.local_addr()?;
    let answers = move || {
        let mut packet = [0; PACKET_BYTES_MAX];
        while let Ok((length, peer)) = socket.recv_from(&mut packet) {
            if let Some(answer) = packet.get(..length).and_then(answer) {
                // Lost as packets are; it is asked again.
                let _lost = socket.send_to(&answer, peer);
            }
        }
    };
    thread::Builder::new().name("world".to_owned()).spawn(answers).context("starting a thread")?;
    Ok(address)
}

/// The answer to a question (RFC 1035 §4): [`TRUTH`] for A, no data for all else.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let end = name_end(query, 12)?;
    let question = query.get(12..end + 4)?;
    let is_a = question.ends_with(&[0, 1, 0, 1]);
    let mut answer = query.get(..2)?.to_vec();
    answer.extend([0x84 | (query.get(2)? & 1), 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    answer.extend(question);
    if is_a {
        // The question's name, A, IN, one second, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend(TRUTH.octets());
    }
    Some(answer)
}

/// Where a name that is written out ends.
fn name_end(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *packet.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += usize::from(length) + 1,
            64.. => return None,
        }
    }
}

/// Asks for the address of a name, as a client does.
pub(super) fn ask(server: SocketAddr, name: &str) -> Result<Ipv4Addr> {
    let mut query = vec![0x52, 0x46, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).context("a label has at most 63 bytes")?);
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(&query, server)?;
    let mut packet = [0; PACKET_BYTES_MAX];
    let length = socket.recv(&mut packet).with_context(|| format!("asking {server} for `{name}`"))?;
    let packet = packet.get(..length).unwrap_or_default();
    address(packet).with_context(|| format!("the answer for `{name}` has no address"))
}

/// The first address in the answer to one question.
fn address(packet: &[u8]) -> Option<Ipv4Addr> {
    let count = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]);
    if count == 0 {
        return None;
    }
    let mut at = name_end(packet, 12)? + 4;
    // The owner is written out, or points to where it is.
    at = if packet.get(at)? & 0xc0 == 0xc0 { at + 2 } else { name_end(packet, at)? };
    let record = packet.get(at..at + 14)?;
    let is_a = record.starts_with(&[0, 1, 0, 1]) && record.get(8..10)? == [0, 4];
    is_a.then(|| Ipv4Addr::new(record[10], record[11], record[12], record[13]))
}

/// A short mail.
pub(super) struct Letter {
    headers: Vec<(&'static str, String)>,
    body: String,
}

pub(super) fn letter(subject: &str, text: &str) -> Letter {
    let headers = vec![
        ("From", " ann@example.net".to_owned()),
        ("To", " bob@example.org".to_owned()),
        ("Subject", format!(" {subject}")),
    ];
    Letter { headers, body: format!("{text}\r\n") }
}

impl Letter {
    /// As it goes over the wire.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut text = String::new();
        for (name, value) in &self.headers {
            add!(text, "{name}:{value}\r\n");
        }
        add!(text, "\r\n{}", self.body);
        text.into_bytes()
    }
}

/// What becomes of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mail {
    /// The mail server delivers it.
    Passes,
    /// The guard has it, and the mail server forgets it.
    Taken,
    /// Something else.
    Other,
}

/// Asks a guard about a mail, as a mail server does.
pub(super) fn send(socket: &Path, letter: &Letter) -> Result<Mail> {
    let stream =
        UnixStream::connect(socket).with_context(|| format!("connecting to {}", socket.display()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut server = Server { stream, frames: Frames::new(FRAME_BYTES_MAX) };
    let (actions, steps) = (Actions::from_bits(ANY_ACTION), Steps::from_bits(ANY_STEP));
    let offer = Negotiation { version: VERSION, actions, steps, symbols: Vec::new() };
    server.say(&[Command::Negotiate(offer)])?;
    ensure!(matches!(server.hear()?, Response::Negotiate(_)), "the guard did not agree");
    let mut said = vec![
        Command::Connect { host: b"client.example.net", peer: Peer::Inet("192.0.2.7:4711".parse()?) },
        Command::Helo(b"client.example.net"),
        Command::Macros { command: b'M', pairs: vec![(b"i", b"4FxYz")] },
        Command::Mail(vec![b"<ann@example.net>"]),
        Command::Recipient(vec![b"<bob@example.org>"]),
        Command::Data,
    ];
    for (name, value) in &letter.headers {
        said.push(Command::Header { name: name.as_bytes(), value: value.as_bytes() });
    }
    said.extend([Command::EndOfHeaders, Command::Body(letter.body.as_bytes()), Command::EndOfMessage(b"")]);
    server.say(&said)?;
    let mut last = server.hear()?;
    while last == Response::Progress {
        last = server.hear()?;
    }
    let fate = if last == Response::Discard {
        Mail::Taken
    } else if matches!(last, Response::Continue | Response::Accept) {
        Mail::Passes
    } else {
        Mail::Other
    };
    server.say(&[Command::Quit])?;
    Ok(fate)
}

struct Server {
    stream: UnixStream,
    frames: Frames,
}

impl Server {
    fn say(&mut self, commands: &[Command<'_>]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for command in commands {
            command.encode(&mut bytes);
        }
        self.stream.write_all(&bytes)
    }

    fn hear(&mut self) -> Result<Response> {
        let mut bytes = [0; 4_096];
        loop {
            if let Some((letter, payload)) = self.frames.take()? {
                return Ok(Response::decode(letter, payload)?);
            }
            let length = self.stream.read(&mut bytes)?;
            ensure!(length > 0, "the guard has closed the connection");
            self.frames.feed(bytes.get(..length).unwrap_or_default());
        }
    }
}
