//! Postfix with a guard as its milter, and the letters that are sent.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::thread::{self, JoinHandle};

use peers::postfix::{Postfix, Sender, as_sent};

use crate::site::Guard;

/// A mail server in front of a guard.
pub(crate) struct Post(Postfix);

impl Post {
    /// Starts one that asks the guard for what comes in, and takes back what the guard releases.
    pub(crate) fn start(folder: &Path, guard: &Guard) -> Self {
        let milter = SocketAddr::from((Ipv4Addr::LOCALHOST, guard.port("milter")));
        Self(Postfix::start(folder, Some(guard.port("back")), milter))
    }

    /// Sends a mail as it is from Alice to Bob; gives whether it was taken, and what was said.
    pub(crate) fn send(&self, mail: &[u8]) -> (bool, String) {
        send(&self.0.sender(), mail)
    }

    /// The same without waiting for the end.
    pub(crate) fn sending(&self, mail: &[u8]) -> JoinHandle<(bool, String)> {
        let (sender, mail) = (self.0.sender(), mail.to_vec());
        thread::spawn(move || send(&sender, &mail))
    }

    /// The mails that were delivered and have a mark, as they were sent.
    pub(crate) fn delivered(&self, mark: &str) -> Vec<Vec<u8>> {
        self.0.delivered(mark).iter().map(|mail| as_sent(mail, FIRST)).collect()
    }
}

fn send(sender: &Sender, mail: &[u8]) -> (bool, String) {
    sender.send("alice@sender.example", "bob@victim.example", mail)
}

/// The first header of every letter; what stands before it, mail servers wrote.
const FIRST: &str = "X-First: letter";

/// A mail with what a careless hand would change, a body and an attachment.
pub(crate) fn letter(subject: &str, body: &str, attached: &[u8]) -> Vec<u8> {
    format!(
        "{FIRST}\r\nFrom: Alice  <alice@sender.example>\r\nTo: bob@victim.example\r\nSubject: {subject}\r\nX-Empty:\r\n\
         Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n\
         preamble\r\n--b\r\n\r\n.dot\r\n..dots\r\nFrom the start\r\n{body}\r\n  trailing \t\r\n--b\r\n\
         Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"a.bin\"\r\n\r\n{}\r\n--b--\r\nepilogue\r\n",
        base64(attached)
    )
    .into_bytes()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for (at, chunk) in bytes.chunks(3).enumerate() {
        if at > 0 && at % 19 == 0 {
            out.push_str("\r\n");
        }
        let word = chunk.iter().fold(0_usize, |word, byte| word << 8 | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = char::from(LETTERS[word >> (18 - 6 * place) & 63]);
            out.push(if place > chunk.len() { '=' } else { letter });
        }
    }
    out
}
