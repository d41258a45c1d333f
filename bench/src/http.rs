//! An HTTP/1.1 client that does as little as it can, so that what is measured is the server.
//!
//! One connection, one request at a time, kept alive; the body is read and, unless it is asked for, dropped. Requests
//! are built beforehand as the bytes that go on the wire. Every server here is measured with this same client.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const BUFFER_BYTES: usize = 256 * 1024;
/// The slow peers take minutes for a page of a large collection; nothing here asks them for one.
const PATIENCE: Duration = Duration::from_mins(2);

/// What TAXII 2.1 clients accept and send.
pub(crate) const TAXII_TYPE: &str = "application/taxii+json;version=2.1";

/// Whether the body of an answer is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Keep,
    Drop,
}

/// A connection to a server on this machine.
pub(crate) struct Connection {
    port: u16,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    head: Vec<u8>,
    /// The body of the last answer, if it was kept.
    pub(crate) body: Vec<u8>,
}

/// The outline of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The size of the body.
    pub(crate) bytes: u64,
}

impl Connection {
    pub(crate) fn new(port: u16) -> Self {
        Self { port, stream: None, buffer: vec![0; BUFFER_BYTES], head: Vec::new(), body: Vec::new() }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(&mut self, request: &[u8], body: Body) -> Result<Reply> {
        self.send(request)?;
        self.receive(body)
    }

    /// Sends a request; connects first if need be.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                none.insert(stream)
            }
        };
        Ok(stream.write_all(request)?)
    }

    /// Reads the answer to the request that was sent.
    pub(crate) fn receive(&mut self, keep: Body) -> Result<Reply> {
        let stream = self.stream.as_mut().context("nothing was sent")?;
        let mut filled = 0;
        let head_end = loop {
            let count = read(stream, &mut self.buffer[filled..])?;
            if count == 0 {
                bail!("the server closed the connection before it answered");
            }
            // The end of the head may lie across two reads.
            let from = filled.saturating_sub(3);
            filled += count;
            let end = self.buffer[from..filled].windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = end {
                break from + end + 4;
            }
            if filled == self.buffer.len() {
                bail!("the head of the answer has no end");
            }
        };
        self.head.clear();
        self.head.extend_from_slice(&self.buffer[..head_end]);
        self.body.clear();
        let status = std::str::from_utf8(self.head.get(9..12).unwrap_or_default())?.parse()?;
        let closes = self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if self.header("transfer-encoding").is_some() {
            bail!("the answer is in chunks, which this client does not read");
        }
        let announced = self.header("content-length").map(str::parse::<usize>).transpose()?;
        let Self { stream: Some(stream), buffer, body, .. } = self else { bail!("nothing was sent") };
        let mut count = filled - head_end;
        if keep == Body::Keep {
            body.extend_from_slice(&buffer[head_end..filled]);
        }
        let length = announced.unwrap_or(if closes { usize::MAX } else { 0 });
        while count < length {
            let room = (length - count).min(buffer.len());
            let got = read(stream, &mut buffer[..room])?;
            if got == 0 {
                if announced.is_some() {
                    bail!("the answer ended early");
                }
                break;
            }
            if keep == Body::Keep {
                body.extend_from_slice(&buffer[..got]);
            }
            count += got;
        }
        if closes {
            self.stream = None;
        }
        Ok(Reply { status, bytes: u64::try_from(count)? })
    }

    /// A header of the last answer.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
            let (found, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b":")?;
            if !found.eq_ignore_ascii_case(name.as_bytes()) {
                return None;
            }
            std::str::from_utf8(value).ok().map(str::trim)
        })
    }

    /// Sends JSON and reads JSON.
    pub(crate) fn json(
        &mut self,
        method: &str,
        path: &str,
        authorization: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let text = body.map(ToString::to_string).unwrap_or_default();
        let reply =
            self.ask(&request(method, path, authorization, "application/json", text.as_bytes()), Body::Keep)?;
        if reply.status >= 300 {
            bail!("{method} {path} answered {}: {}", reply.status, String::from_utf8_lossy(&self.body));
        }
        serde_json::from_slice(&self.body).with_context(|| format!("reading the answer to {method} {path}"))
    }
}

fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return Ok(other?),
        }
    }
}

/// A request as it goes on the wire.
pub(crate) fn request(
    method: &str,
    path: &str,
    authorization: &str,
    media_type: &str,
    body: &[u8],
) -> Vec<u8> {
    let mut bytes =
        format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {media_type}\r\n").into_bytes();
    if !authorization.is_empty() {
        bytes.extend_from_slice(format!("Authorization: {authorization}\r\n").as_bytes());
    }
    if method != "GET" {
        let head = format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n", body.len());
        bytes.extend_from_slice(head.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// A TAXII read.
pub(crate) fn taxii_get(path: &str, authorization: &str) -> Vec<u8> {
    request("GET", path, authorization, TAXII_TYPE, b"")
}

/// HTTP Basic.
pub(crate) fn basic(login: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{login}:{secret}")))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server that gives these answers, each to one request, on one connection.
    fn serve(answers: Vec<Vec<u8>>) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for answer in answers {
                let mut seen = Vec::new();
                let mut byte = [0];
                while !seen.ends_with(b"\r\n\r\n") {
                    stream.read_exact(&mut byte).unwrap();
                    seen.push(byte[0]);
                }
                for part in answer.chunks(7) {
                    stream.write_all(part).unwrap();
                }
            }
        });
        port
    }

    #[test]
    fn answers_are_read_to_their_end() {
        let long = "x".repeat(300_000);
        let port = serve(vec![
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nX-One: 1\r\n\r\n{long}", long.len())
                .into_bytes(),
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno".to_vec(),
            b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nto the end".to_vec(),
        ]);
        let mut connection = Connection::new(port);
        let get = taxii_get("/", "");
        let first = connection.ask(&get, Body::Drop).unwrap();
        assert_eq!((first.status, first.bytes), (200, 300_000));
        assert_eq!(connection.header("x-one"), Some("1"));
        let second = connection.ask(&get, Body::Keep).unwrap();
        assert_eq!((second.status, connection.body.as_slice()), (404, b"no".as_slice()));
        assert_eq!(connection.header("x-one"), None);
        let third = connection.ask(&get, Body::Keep).unwrap();
        assert_eq!((third.bytes, connection.body.as_slice()), (10, b"to the end".as_slice()));
    }

    #[test]
    fn an_answer_that_ends_early_is_an_error() {
        let port = serve(vec![b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nno".to_vec()]);
        assert!(Connection::new(port).ask(&taxii_get("/", ""), Body::Drop).is_err());
    }
}
