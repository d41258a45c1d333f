//! What resolvers write down when a policy zone of ours decides an answer, counted as the hits that it is.
//!
//! A resolver that blocks by a zone, or lets pass by a zone that only watches, tells nobody but its log: who asked, for what, and which
//! entry decided. The guard reads that, by a file that grows or by syslog, finds the indicator behind the entry and the customer behind the
//! client, counts a hit, and keeps nothing else. Lines about anything else are passed over.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sinkhole::rpz::told::{Applied, LINE_BYTES_MAX, read};
use tokio::net::UnixDatagram;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::warn;

use super::rpz::{ADDRESSES_LABEL, ALLOW_LABEL, WATCH_LABEL};
use super::works::Works;
use crate::config::{Config, ResolverLog, Service};
use crate::judge::Judge;
use crate::occurrence::Action;
use crate::run::StartError;

/// How often it is looked whether a file has grown.
const LOOK: Duration = Duration::from_millis(250);
/// Who may write to a socket: its owner and group.
const SOCKET_MODE: u32 = 0o660;
/// How much of a file is read at once.
const PIECE_BYTES: usize = 64 << 10;

/// Which zone an entry stands in.
#[derive(Debug, PartialEq, Eq)]
enum Of<'l> {
    /// Of what is allowed.
    Allowed,
    /// Of a feed, by its alias.
    Feed(&'l str),
    /// Of addresses, which the line names otherwise.
    Addresses,
    /// It is none of ours.
    Another,
}

/// Counts what lines tell.
pub struct Reader {
    judge: Arc<Judge>,
    works: Arc<Works>,
    origin: String,
    aliases: Vec<String>,
}

impl Reader {
    /// For the zones of a configuration.
    #[must_use]
    pub fn new(config: &Config, judge: &Arc<Judge>, works: &Arc<Works>) -> Self {
        let origin = config.sinkhole.rpz.as_ref().map_or("", |rpz| rpz.origin.as_str());
        Self {
            judge: Arc::clone(judge),
            works: Arc::clone(works),
            origin: format!(".{origin}"),
            aliases: config.feeds.iter().map(|feed| feed.alias.to_ascii_lowercase()).collect(),
        }
    }

    /// Counts what a line tells, if it tells of a zone of ours.
    pub fn line(&self, line: &[u8]) {
        let Some(applied) = read(line) else { return };
        let plain = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
        let (trigger, zone) = (plain(applied.trigger), applied.zone.map(plain));
        let (listed, of) = match &zone {
            Some(zone) => (trigger.as_str(), self.zone(zone)),
            // BIND writes the name that was asked for and the zone as one name.
            None => self.apart(&trigger),
        };
        let feed = match of {
            Of::Feed(alias) => self.aliases.iter().position(|known| known == alias),
            Of::Addresses => return self.works.not_heard("addresses"),
            // A zone that has no name in the log, or one of somebody else's.
            Of::Another if zone.is_none() && listed == trigger => None,
            Of::Allowed | Of::Another => return,
        };
        self.hit(&applied, listed.strip_prefix("*.").unwrap_or(listed), feed);
    }

    fn hit(&self, applied: &Applied<'_>, listed: &str, feed: Option<usize>) {
        let feed = feed.and_then(|feed| u16::try_from(feed).ok());
        let Some((slot, feed)) = self.judge.listed(listed, feed) else {
            // It has gone since, or the zone is another's.
            return self.works.not_heard("unknown");
        };
        let customers = self.judge.customers();
        let client: IpAddr = applied.client;
        let customer = customers.of_address(client);
        let Some(customer) = customer.filter(|id| customers.mode(*id, feed, Service::Sinkhole).is_some())
        else {
            return self.works.not_heard("strangers");
        };
        let action = if applied.passed { Action::Monitored } else { Action::Enforced };
        self.works.heard(if applied.passed { "passed" } else { "blocked" });
        self.judge.hit(customer, Service::Sinkhole, slot, action);
    }

    /// What a zone of this name is of.
    fn zone<'l>(&self, zone: &'l str) -> Of<'l> {
        let Some(label) = zone.strip_suffix(self.origin.as_str()) else { return Of::Another };
        let alias = match label.rsplit_once('.') {
            Some((_, last)) if last == ADDRESSES_LABEL => return Of::Addresses,
            Some((alias, last)) if last == WATCH_LABEL => alias,
            Some(_) => return Of::Another,
            None => label,
        };
        if alias == ALLOW_LABEL { Of::Allowed } else { Of::Feed(alias) }
    }

    /// An entry's name and its zone, which stand behind each other.
    fn apart<'l>(&self, name: &'l str) -> (&'l str, Of<'l>) {
        let Some(entry) = name.strip_suffix(self.origin.as_str()) else { return (name, Of::Another) };
        let (entry, kind) = match entry.rsplit_once('.') {
            Some((rest, last)) if last == WATCH_LABEL || last == ADDRESSES_LABEL => (rest, Some(last)),
            Some(_) | None => (entry, None),
        };
        match entry.rsplit_once('.') {
            Some(_) if kind == Some(ADDRESSES_LABEL) => (entry, Of::Addresses),
            Some((listed, label)) if label == ALLOW_LABEL => (listed, Of::Allowed),
            Some((listed, label)) => (listed, Of::Feed(label)),
            None => (name, Of::Another),
        }
    }
}

/// A log that is open.
pub enum Opened {
    /// A file, which may not be there yet.
    File(PathBuf, Option<(File, u64)>),
    /// A socket.
    Socket(UnixDatagram),
}

/// What a log is called.
#[must_use]
pub fn name_of(log: &ResolverLog) -> String {
    match log {
        ResolverLog::File(path) | ResolverLog::Socket(path) => path.display().to_string(),
    }
}

/// Opens a log. Of a file that is there, what was written before is passed over: it was counted then, or nobody asked for it.
///
/// # Errors
///
/// Fails if the file cannot be read, or the socket cannot be had.
pub fn open(log: &ResolverLog) -> Result<Opened, StartError> {
    let fail = |source| StartError::Listen { address: name_of(log), source };
    match log {
        ResolverLog::File(path) => {
            if !path.exists() {
                return Ok(Opened::File(path.clone(), None));
            }
            let mut file = File::open(path).map_err(fail)?;
            let at = file.seek(SeekFrom::End(0)).map_err(fail)?;
            Ok(Opened::File(path.clone(), Some((file, at))))
        }
        ResolverLog::Socket(path) => {
            // One that an earlier run has left is in the way; anything else is somebody's.
            if path.symlink_metadata().is_ok_and(|there| there.file_type().is_socket()) {
                fs::remove_file(path).map_err(fail)?;
            }
            let socket = UnixDatagram::bind(path).map_err(fail)?;
            fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE)).map_err(fail)?;
            Ok(Opened::Socket(socket))
        }
    }
}

/// Reads a log until it is dropped.
///
/// # Errors
///
/// Fails if the socket does. A file that cannot be read for a while is tried again.
pub async fn follow(opened: Opened, reader: Reader) -> Result<(), String> {
    match opened {
        Opened::Socket(socket) => {
            let mut datagram = vec![0; LINE_BYTES_MAX + 1];
            loop {
                let length = socket.recv(&mut datagram).await.map_err(|error| format!("a log: {error}"))?;
                datagram
                    .get(..length)
                    .unwrap_or_default()
                    .split(|byte| *byte == b'\n')
                    .for_each(|line| reader.line(line));
            }
        }
        Opened::File(path, open) => {
            let mut tail = Tail { path, open, line: Vec::new(), is_long: false };
            let reader = Arc::new(reader);
            let mut was_well = true;
            loop {
                let (path, counting) = (tail.path.clone(), Arc::clone(&reader));
                let read = spawn_blocking(move || {
                    let read = tail.read(&counting);
                    (tail, read)
                });
                let (after, read) =
                    read.await.map_err(|_| format!("`{}` ends its reader", path.display()))?;
                if let (Err(error), true) = (&read, was_well) {
                    warn!(path = %path.display(), "a resolver's log cannot be read: {error}");
                }
                (tail, was_well) = (after, read.is_ok());
                sleep(LOOK).await;
            }
        }
    }
}

/// A file that grows, and that somebody may put another in the place of.
struct Tail {
    path: PathBuf,
    /// The file, and how much of it was read.
    open: Option<(File, u64)>,
    /// The beginning of a line.
    line: Vec<u8>,
    /// The line is longer than any that is read.
    is_long: bool,
}

impl Tail {
    /// Reads what has come.
    fn read(&mut self, reader: &Reader) -> io::Result<()> {
        if self.open.is_none() {
            if !self.path.exists() {
                return Ok(());
            }
            self.open = Some((File::open(&self.path)?, 0));
        }
        // What the old file still got before another took its place is read first.
        self.drain(reader)?;
        if self.was_replaced() {
            self.drain(reader)?;
            self.open = None;
            self.line.clear();
        }
        Ok(())
    }

    fn drain(&mut self, reader: &Reader) -> io::Result<()> {
        let Some((file, at)) = &mut self.open else { return Ok(()) };
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let length = file.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            *at += u64::try_from(length).unwrap_or(0);
            for part in piece.get(..length).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
                self.is_long |= self.line.len() + part.len() > LINE_BYTES_MAX;
                if !self.is_long {
                    self.line.extend_from_slice(part);
                }
                if part.ends_with(b"\n") {
                    if !self.is_long {
                        reader.line(&self.line);
                    }
                    self.line.clear();
                    self.is_long = false;
                }
            }
        }
    }

    /// Whether the path leads to another file by now, or to this one cut short.
    fn was_replaced(&self) -> bool {
        let Some((file, at)) = &self.open else { return false };
        let (Ok(own), Ok(there)) = (file.metadata(), fs::metadata(&self.path)) else { return false };
        (own.dev(), own.ino()) != (there.dev(), there.ino()) || there.len() < *at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::judged;

    const TEXT: &str = r#"
data = "state"
[hub]
url = "https://hub.example"
token_file = "token"
[[feed]]
collection = "quiet"
[[feed]]
collection = "loud"
mode = "enforce"
[[customer]]
name = "acme"
networks = ["10.0.0.0/8"]
feeds = { quiet = "monitor", loud = "enforce" }
[sinkhole.rpz]
listen = []
origin = "rpz.example"
unsigned = ["127.0.0.1"]
watch = true
"#;

    #[test]
    fn a_line_is_a_hit_of_the_entry_s_indicator_and_the_client_s_customer() {
        let (config, judge, hits) = judged(
            TEXT,
            &[(0, "[domain-name:value = 'q.example']"), (1, "[domain-name:value = 'l.example']")],
        );
        let works = Arc::new(Works::default());
        let reader = Reader::new(&config, &judge, &works);
        let unbound = |zone: &str, trigger: &str, action: &str, client: &str| {
            reader.line(
                format!("info: rpz: applied [{zone}] {trigger} {action} {client}@5 x. A IN\n").as_bytes(),
            );
        };
        let bind = |trigger: &str, policy: &str| {
            reader.line(
                format!("client @0x7 10.0.0.1#5 (x): rpz QNAME {policy} rewrite x/A/IN via {trigger}")
                    .as_bytes(),
            );
        };
        let took = || hits.try_iter().map(|hit| (hit.slot, hit.action)).collect::<Vec<_>>();
        unbound("quiet.watch.rpz.example.", "q.example.", "rpz-passthru", "10.0.0.1");
        unbound("loud.rpz.example", "*.L.example.", "rpz-local-data", "10.0.0.1");
        assert_eq!(took(), [(0, Action::Monitored), (1, Action::Enforced)]);
        bind("a.b.q.example.quiet.watch.rpz.example", "PASSTHRU");
        bind("l.example.loud.rpz.example", "Local-Data");
        assert_eq!(took(), [(0, Action::Monitored), (1, Action::Enforced)]);
        reader.line(b"rpz: applied l.example. rpz-nxdomain 10.9.9.9@1 l.example. A IN");
        assert_eq!(took(), [(1, Action::Enforced)], "the zone has no name in this log");
        // Of what is allowed, of others' zones, of clients of nobody, of names that are listed no more, of other feeds.
        unbound("allow.rpz.example", "q.example.", "rpz-passthru", "10.0.0.1");
        unbound("theirs.example", "q.example.", "rpz-nxdomain", "10.0.0.1");
        bind("q.example.theirs", "NXDOMAIN");
        unbound("loud.rpz.example", "l.example.", "rpz-local-data", "192.0.2.1");
        unbound("loud.rpz.example", "q.example.", "rpz-local-data", "10.0.0.1");
        unbound("loud.ip.rpz.example", "l.example.", "rpz-local-data", "10.0.0.1");
        reader.line(b"something else");
        assert!(took().is_empty());
        let did = works.did(&[], &crate::rules::Shortfalls::default());
        let told = |lines: &[super::super::works::Line]| {
            let lines = lines.iter().filter(|line| line.face == "resolver");
            lines.map(|line| (line.what.clone(), line.count)).collect::<Vec<_>>()
        };
        assert_eq!(told(&did.done), [("blocked".to_owned(), 3), ("passed".to_owned(), 2)]);
        let not = [("addresses", 1), ("strangers", 1), ("unknown", 2)];
        assert_eq!(told(&did.shortfalls), not.map(|(why, count)| (why.to_owned(), count)));
    }

    #[test]
    fn a_file_is_read_from_where_it_ends_over_rotation_and_truncation() {
        let (config, judge, hits) = judged(TEXT, &[(0, "[domain-name:value = 'q.example']")]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let line =
            "rpz: applied [quiet.watch.rpz.example] q.example. rpz-passthru 10.0.0.1@5 q.example. A IN\n";
        let add = |text: &str| {
            let mut file = std::fs::File::options().create(true).append(true).open(&path).unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        };
        add(line);
        let reader = Reader::new(&config, &judge, &Arc::default());
        let Opened::File(path_of, open) = open(&ResolverLog::File(path.clone())).unwrap() else {
            panic!("it is a file")
        };
        let mut tail = Tail { path: path_of, open, line: Vec::new(), is_long: false };
        tail.read(&reader).unwrap();
        assert_eq!(hits.try_iter().count(), 0, "what was there before is not counted");
        add(&line[..20]);
        tail.read(&reader).unwrap();
        add(&line[20..]);
        add(&"x".repeat(LINE_BYTES_MAX + 9));
        add(&format!("{line}{line}"));
        tail.read(&reader).unwrap();
        assert_eq!(
            hits.try_iter().count(),
            2,
            "a line in two pieces, and one behind a line that is too long"
        );
        add(line);
        std::fs::rename(&path, folder.path().join("log.1")).unwrap();
        add(line);
        tail.read(&reader).unwrap();
        tail.read(&reader).unwrap();
        assert_eq!(hits.try_iter().count(), 2, "the end of the old file and the beginning of the new one");
        std::fs::write(&path, "").unwrap();
        tail.read(&reader).unwrap();
        add(line);
        tail.read(&reader).unwrap();
        assert_eq!(hits.try_iter().count(), 1);
    }
}
