//! Giving a kept mail back: to a mail server over SMTP, or to a writer.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use thiserror::Error;

use super::About;

/// RFC 5321 §4.5.3.2 asks for five minutes after most commands, and ten after the end of a mail.
const REPLY_TIMEOUT: Duration = Duration::from_mins(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The most lines of one reply; real ones have twenty.
const REPLY_LINES_MAX: usize = 200;

/// Where released mail goes: a mail server's address that does not ask this filter again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpTarget {
    /// Where it listens.
    pub address: SocketAddr,
    /// The name to greet with.
    pub helo: String,
}

/// A mail that was taken by the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Where it went.
    pub to: SocketAddr,
    /// The recipients that it took.
    pub taken: Vec<String>,
    /// The recipients that it refused, with its words.
    pub refused: Vec<(String, String)>,
    /// What it said last.
    pub reply: String,
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delivered to {} recipients by {}: {}", self.taken.len(), self.to, self.reply)?;
        self.refused
            .iter()
            .take(20)
            .try_for_each(|(recipient, why)| write!(f, "; not to <{recipient}>: {why}"))
    }
}

/// Why a mail was not taken.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// The connection failed.
    #[error("{to}: {source}")]
    Connection {
        /// Where to.
        to: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The other side said no.
    #[error("{to} answers {command} with `{reply}`")]
    Refused {
        /// Where to.
        to: SocketAddr,
        /// What was asked.
        command: &'static str,
        /// Its words.
        reply: String,
    },
    /// An address of the mail's envelope cannot be written in a command.
    #[error("the envelope holds an address that cannot be written")]
    Envelope,
}

/// Whether an address can stand between `<` and `>` in a command. Those signs and spaces may stand in a quoted local part
/// (RFC 5321 §4.1.2); what would end the line may nowhere.
fn is_writable(address: &str) -> bool {
    !address.contains(['\r', '\n', '\0']) && (address.contains('"') || !address.contains(['<', '>', ' ']))
}

/// Hands a mail over, as it came.
pub(super) fn deliver(
    target: &SmtpTarget,
    about: &About,
    mail: &mut dyn Read,
) -> Result<Delivery, ReleaseError> {
    if !about.recipients.iter().chain([&about.sender]).all(|address| is_writable(address)) {
        return Err(ReleaseError::Envelope);
    }
    let to = target.address;
    let failed = |source| ReleaseError::Connection { to, source };
    let stream = TcpStream::connect_timeout(&to, CONNECT_TIMEOUT).map_err(failed)?;
    stream.set_read_timeout(Some(REPLY_TIMEOUT)).map_err(failed)?;
    stream.set_write_timeout(Some(REPLY_TIMEOUT)).map_err(failed)?;
    let mut talk = Talk { to, input: BufReader::new(stream.try_clone().map_err(failed)?), output: stream };
    talk.expect("the connection", b'2')?;
    let offers = talk.ask("EHLO", &format!("EHLO {}", target.helo), b'2')?;
    let offers = |name: &str| {
        offers.lines().any(|line| line.get(4..).is_some_and(|word| word.eq_ignore_ascii_case(name)))
    };
    let eight_bits = if offers("8BITMIME") { " BODY=8BITMIME" } else { "" };
    let is_ascii = about.recipients.iter().chain([&about.sender]).all(|address| address.is_ascii());
    let utf8 = if !is_ascii && offers("SMTPUTF8") { " SMTPUTF8" } else { "" };
    talk.ask("MAIL", &format!("MAIL FROM:<{}>{eight_bits}{utf8}", about.sender), b'2')?;
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for recipient in &about.recipients {
        match talk.ask("RCPT", &format!("RCPT TO:<{recipient}>"), b'2') {
            Ok(_) => taken.push(recipient.clone()),
            Err(ReleaseError::Refused { reply, .. }) => refused.push((recipient.clone(), reply)),
            Err(error) => return Err(error),
        }
    }
    if taken.is_empty() {
        let reply = refused.pop().map_or_else(|| "no recipients".to_owned(), |(_, reply)| reply);
        return Err(ReleaseError::Refused { to, command: "RCPT", reply });
    }
    talk.ask("DATA", "DATA", b'3')?;
    write_stuffed(mail, &mut talk.output).map_err(failed)?;
    let reply = talk.expect("the mail", b'2')?;
    // It has the mail; whether it says goodbye is nothing to us.
    let _ = talk.ask("QUIT", "QUIT", b'2');
    Ok(Delivery { to, taken, refused, reply })
}

/// A conversation with a mail server.
struct Talk {
    to: SocketAddr,
    input: BufReader<TcpStream>,
    output: TcpStream,
}

impl Talk {
    fn ask(&mut self, command: &'static str, line: &str, class: u8) -> Result<String, ReleaseError> {
        let to = self.to;
        let line = format!("{line}\r\n");
        self.output.write_all(line.as_bytes()).map_err(|source| ReleaseError::Connection { to, source })?;
        self.expect(command, class)
    }

    /// Reads a reply of one or more lines (RFC 5321 §4.2.1).
    fn expect(&mut self, command: &'static str, class: u8) -> Result<String, ReleaseError> {
        let to = self.to;
        let failed = |source| ReleaseError::Connection { to, source };
        let mut reply = String::new();
        for _ in 0..REPLY_LINES_MAX {
            let mut line = Vec::new();
            (&mut self.input).take(2_048).read_until(b'\n', &mut line).map_err(failed)?;
            if line.last() != Some(&b'\n') {
                return Err(failed(io::ErrorKind::UnexpectedEof.into()));
            }
            let line = String::from_utf8_lossy(&line);
            reply.push_str(line.trim_end());
            if line.as_bytes().get(3) != Some(&b'-') {
                if reply.as_bytes().first() == Some(&class) {
                    return Ok(reply);
                }
                return Err(ReleaseError::Refused { to, command, reply });
            }
            reply.push('\n');
        }
        Err(failed(io::ErrorKind::InvalidData.into()))
    }
}

/// Writes a mail with a second dot before each line that begins with one, and the dot that ends it (RFC 5321 §4.5.2).
fn write_stuffed(mail: &mut dyn Read, out: &mut dyn Write) -> io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    let mut stuffed = Vec::with_capacity(piece.len() + 1024);
    let mut before = [b'\r', b'\n'];
    loop {
        let read = mail.read(&mut piece)?;
        if read == 0 {
            break;
        }
        stuffed.clear();
        for byte in &piece[..read] {
            if *byte == b'.' && before[1] == b'\n' {
                stuffed.push(b'.');
            }
            stuffed.push(*byte);
            before = [before[1], *byte];
        }
        out.write_all(&stuffed)?;
    }
    out.write_all(if before == *b"\r\n" { b".\r\n" } else { b"\r\n.\r\n" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_doubled_where_a_line_begins() {
        let cases: [(&[u8], &[u8]); 5] = [
            (b"a\r\n.b\r\n..\r\n", b"a\r\n..b\r\n...\r\n.\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b"", b".\r\n"),
            (b"a\n.b\r\n", b"a\n..b\r\n.\r\n"),
            (b"no end", b"no end\r\n.\r\n"),
        ];
        for (mail, want) in cases {
            let mut out = Vec::new();
            write_stuffed(&mut { mail }, &mut out).unwrap();
            assert_eq!(out, want, "{mail:?}");
        }
    }
}
