//! What the tests share: a judge with a short list, and archives made by hand.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use model::{Clock, SystemClock};
use quarantine::inspect::{Limits, Mail, Report, inspect};
use quarantine::judge::{Action, Algorithm, Client, Finding, Hit, Judge, Observable, Sink};
use quarantine::server::{Parts, Quarantine};
use quarantine::settings::Settings;
use quarantine::store::{Store, StoreKey};

/// Listed: one host for each action, and whatever a test adds.
#[derive(Debug, Default)]
pub struct Listed {
    /// Everything that was asked about, as text.
    pub seen: Mutex<BTreeSet<String>>,
    /// SHA-256 of listed files, in hexadecimal digits.
    pub files: Vec<String>,
}

pub const SLOTS: [(u32, &str, Action); 5] = [
    (1, "monitor.evil.example", Action::Monitor),
    (2, "tag.evil.example", Action::Tag),
    (3, "hold.evil.example", Action::Hold),
    (4, "store.evil.example", Action::Store),
    (5, "reject.evil.example", Action::Reject),
];

pub fn written(observable: &Observable<'_>) -> String {
    match observable {
        Observable::Mailbox(role, address) => format!("mailbox {role:?} {address}"),
        Observable::SenderName(name) => format!("sender-name {name}"),
        Observable::Subject(subject) => format!("subject {subject}"),
        Observable::Url(url) => format!("url {url}"),
        Observable::Name(name) => format!("name {name}"),
        Observable::FileName(name) => format!("file {name}"),
        Observable::Hash(Algorithm::Sha256, bytes) => format!("sha256 {}", hex::encode(bytes)),
        Observable::Hash(Algorithm::Sha1, bytes) => format!("sha1 {}", hex::encode(bytes)),
        Observable::Hash(Algorithm::Md5, bytes) => format!("md5 {}", hex::encode(bytes)),
        Observable::Address(address) => format!("address {address}"),
        Observable::Text(text) => format!("text {}", text.chars().take(200).collect::<String>()),
    }
}

impl Judge for Listed {
    fn judge(&self, _client: &Client<'_>, observable: &Observable<'_>, findings: &mut Vec<Finding>) {
        {
            let mut seen = self.seen.lock().unwrap();
            if seen.len() < 10_000 {
                seen.insert(written(observable));
            }
        }
        if let Observable::Name(name) = observable {
            let listed = SLOTS.iter().filter(|(_, listed, _)| listed == name);
            findings.extend(listed.map(|(slot, _, action)| Finding { slot: *slot, action: *action }));
        }
        if let Observable::Hash(Algorithm::Sha256, bytes) = observable
            && self.files.contains(&hex::encode(bytes))
        {
            findings.push(Finding { slot: 6, action: Action::Store });
        }
    }

    fn reference(&self, slot: u32) -> String {
        format!("rf-{slot:04}")
    }
}

#[derive(Debug, Default)]
pub struct Hits(pub Mutex<Vec<Hit>>);

impl Sink for Hits {
    fn hit(&self, hit: Hit) {
        self.0.lock().unwrap().push(hit);
    }
}

pub fn key() -> StoreKey {
    StoreKey::new([7; 32], Arc::new(|buffer: &mut [u8]| getrandom::fill(buffer).unwrap()))
}

pub fn quarantine(folder: &Path, settings: Settings) -> (Arc<Quarantine>, Arc<Hits>) {
    with_store(settings, Store::open_to_write(folder, key(), 1 << 34).unwrap())
}

pub fn with_store(settings: Settings, store: Store) -> (Arc<Quarantine>, Arc<Hits>) {
    let hits = Arc::new(Hits::default());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let (judge, sink) = (Arc::new(Listed::default()), hits.clone());
    let parts = Parts { judge, sink, site_log: None, store: Arc::new(store), clock };
    (Quarantine::new(settings, parts), hits)
}

/// Looks at a mail; gives the report and everything that was asked about.
pub fn look(bytes: &[u8], limits: &Limits) -> (Report, BTreeSet<String>) {
    let judge = Listed::default();
    let client = Client { listener: "test", peer: None, recipients: &[] };
    let report = inspect(&Mail { client, sender: "", bytes, is_cut: false }, &judge, limits);
    (report, judge.seen.into_inner().unwrap())
}

/// How a file lies in a zip archive made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Stored,
    Deflated,
    /// Marked as encrypted; the content is not.
    Encrypted,
    /// The sizes lie.
    Lying,
}

pub fn zip(files: &[(&str, &[u8], Packing)]) -> Vec<u8> {
    let (mut out, mut central) = (Vec::new(), Vec::new());
    for (name, content, packing) in files {
        let packed = if *packing == Packing::Stored { content.to_vec() } else { deflate(content) };
        let method: u16 = if *packing == Packing::Stored { 0 } else { 8 };
        let flags: u16 = (*packing == Packing::Encrypted).into();
        let lie = if *packing == Packing::Lying { 0x7fff_ffff } else { 0 };
        let offset = u32::try_from(out.len()).unwrap();
        let mut common = Vec::new();
        for word in [20, flags, method, 0, 0] {
            common.extend_from_slice(&word.to_le_bytes());
        }
        for word in
            [0, u32::try_from(packed.len()).unwrap() + lie, u32::try_from(content.len()).unwrap() ^ lie]
        {
            common.extend_from_slice(&word.to_le_bytes());
        }
        common.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend_from_slice(&0_u16.to_le_bytes());
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&common);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&packed);
        central.extend_from_slice(b"PK\x01\x02\x14\x00");
        central.extend_from_slice(&common);
        central.extend_from_slice(&[0; 10]);
        central.extend_from_slice(&offset.to_le_bytes());
        central.extend_from_slice(name.as_bytes());
    }
    let (begin, count) = (u32::try_from(out.len()).unwrap(), u16::try_from(files.len()).unwrap());
    out.extend_from_slice(&central);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&u32::try_from(central.len()).unwrap().to_le_bytes());
    out.extend_from_slice(&begin.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out
}

pub fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub fn tarball(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

pub fn base64(bytes: &[u8]) -> String {
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

/// A mail with one attached file.
pub fn with_attachment(name: &str, content: &[u8]) -> Vec<u8> {
    format!(
        "From: a@b.example\r\nSubject: file\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"cut here\"\r\n\r\n\
         --cut here\r\n\r\nsee the file\r\n\
         --cut here\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n{}\r\n--cut here--\r\n",
        base64(content)
    )
    .into_bytes()
}
