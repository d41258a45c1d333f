//! The server, asked by a mail server of the tests' own.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod common;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Hits, key, quarantine, with_store};
use milter::{Actions, Command, Frames, Negotiation, Peer, Response, Steps};
use quarantine::inspect::Unexamined;
use quarantine::judge::Action;
use quarantine::server::{Failure, Listener, Quarantine};
use quarantine::settings::{Otherwise, Settings};
use quarantine::store::Store;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A running server; it stops when this is dropped.
struct Served {
    runtime: Option<Runtime>,
    stop: watch::Sender<bool>,
    address: SocketAddr,
    quarantine: Arc<Quarantine>,
    hits: Arc<Hits>,
}

impl Served {
    fn new((quarantine, hits): (Arc<Quarantine>, Arc<Hits>)) -> Self {
        let runtime = Runtime::new().unwrap();
        let (stop, stopped) = watch::channel(false);
        let listener = runtime.block_on(Listener::tcp("127.0.0.1:0".parse().unwrap())).unwrap();
        let address = listener.address().unwrap();
        let served = Arc::clone(&quarantine);
        runtime.spawn(async move { served.serve(listener, "mx", stopped).await });
        Self { runtime: Some(runtime), stop, address, quarantine, hits }
    }

    fn server(&self) -> Server {
        Server::connect(self.address, 0x1ff, Steps::from_bits(0x1f_ffff))
    }

    fn hits(&self) -> Vec<(u32, Action)> {
        self.hits.0.lock().unwrap().iter().map(|hit| (hit.slot, hit.action)).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

/// A mail server, as the filter sees it.
struct Server {
    stream: TcpStream,
    frames: Frames,
}

impl Server {
    fn connect(address: SocketAddr, actions: u32, steps: Steps) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let mut server = Self { stream, frames: Frames::new(1 << 20) };
        let (version, actions) = (6, Actions::from_bits(actions));
        server
            .say(&[Command::Negotiate(Negotiation { version, actions, steps, symbols: Vec::new() })])
            .unwrap();
        assert!(matches!(server.hear().unwrap(), Response::Negotiate(_)));
        server
    }

    fn say(&mut self, commands: &[Command<'_>]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for command in commands {
            command.encode(&mut bytes);
        }
        self.stream.write_all(&bytes)
    }

    fn hear(&mut self) -> io::Result<Response> {
        let mut bytes = [0; 4096];
        loop {
            if let Some((letter, payload)) = self.frames.take().unwrap() {
                return Ok(Response::decode(letter, payload).unwrap());
            }
            let read = self.stream.read(&mut bytes)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.frames.feed(&bytes[..read]);
        }
    }

    fn begin(&mut self) {
        self.say(&[
            Command::Connect { host: b"client", peer: Peer::Inet("192.0.2.7:4711".parse().unwrap()) },
            Command::Helo(b"client"),
            Command::Macros { command: b'M', pairs: vec![(b"i", b"4FxYz")] },
            Command::Mail(vec![b"<alice@a.example>", b"BODY=8BITMIME"]),
            Command::Recipient(vec![b"<bob@b.example>"]),
            Command::Recipient(vec![b"<carol@b.example>"]),
            Command::Data,
        ])
        .unwrap();
    }

    /// Sends a mail and gives all that the filter says to it.
    fn send(&mut self, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Vec<Response>> {
        self.begin();
        for (name, value) in headers {
            self.say(&[Command::Header { name: name.as_bytes(), value: value.as_bytes() }])?;
        }
        self.say(&[Command::EndOfHeaders])?;
        for piece in body.chunks(65_535) {
            self.say(&[Command::Body(piece)])?;
        }
        self.end()
    }

    fn end(&mut self) -> io::Result<Vec<Response>> {
        self.say(&[Command::EndOfMessage(b"")])?;
        let mut heard = Vec::new();
        loop {
            let response = self.hear()?;
            let is_last = matches!(
                response,
                Response::Continue
                    | Response::Accept
                    | Response::Discard
                    | Response::Reply(_)
                    | Response::TempFail
            );
            if response != Response::Progress {
                heard.push(response);
            }
            if is_last {
                return Ok(heard);
            }
        }
    }
}

fn settings() -> Settings {
    Settings { grace: Duration::from_mins(1), ..Settings::default() }
}

fn kept(folder: &Path) -> Vec<(Vec<u8>, Vec<String>)> {
    let store = Store::open(folder, key(), u64::MAX).unwrap();
    let (kept, broken) = store.list().unwrap();
    assert!(broken.is_empty(), "{broken:?}");
    let read = |id| {
        let mut mail = Vec::new();
        store.read(id).unwrap().unwrap().read_to_end(&mut mail).unwrap();
        mail
    };
    kept.iter().map(|kept| (read(&kept.id), kept.about.references.clone())).collect()
}

fn reply(text: &str) -> Response {
    Response::Reply(text.as_bytes().to_vec())
}

#[test]
fn each_action_is_one_answer() {
    let folder = tempfile::tempdir().unwrap();
    let site = Served::new(quarantine(folder.path(), settings()));
    let mut server = site.server();
    let tag = |value: &str| Response::AddHeader(b"X-Ringfence".to_vec(), format!(" {value}").into_bytes());
    let gone = |place| Response::ChangeHeader(place, b"X-Ringfence".to_vec(), Vec::new());
    let cases: Vec<(&str, Vec<Response>)> = vec![
        ("nothing", vec![Response::Continue]),
        ("http://monitor.evil.example/", vec![Response::Continue]),
        ("http://tag.evil.example/", vec![tag("rf-0002"), Response::Continue]),
        (
            "http://hold.evil.example/",
            vec![Response::Quarantine(b"ringfence rf-0003".to_vec()), Response::Continue],
        ),
        ("http://store.evil.example/", vec![Response::Discard]),
        (
            "http://reject.evil.example/",
            vec![reply("550 5.7.1 message refused by policy (reference rf-0005)")],
        ),
        (
            "http://tag.evil.example/ http://hold.evil.example/ http://monitor.evil.example/",
            vec![Response::Quarantine(b"ringfence rf-0003".to_vec()), Response::Continue],
        ),
    ];
    for (body, want) in &cases {
        assert_eq!(server.send(&[("Subject", " hi")], body.as_bytes()).unwrap(), *want, "{body}");
    }
    // A tag that came with the mail is not ours.
    let forged = [("x-ringfence", " trusted"), ("Subject", " hi"), ("X-RINGFENCE", " clean")];
    assert_eq!(server.send(&forged, b"").unwrap(), [gone(2), gone(1), Response::Continue]);
    let want =
        [(1, Action::Monitor), (2, Action::Tag), (3, Action::Hold), (4, Action::Store), (5, Action::Reject)];
    assert_eq!(site.hits()[..5], want);
    assert_eq!(kept(folder.path()).len(), 1);
    let counts = site.quarantine.counts();
    let decisions: Vec<_> = counts.decisions.into_iter().collect();
    assert_eq!(decisions, [("hold", 2), ("pass", 3), ("reject", 1), ("store", 1), ("tag", 1)]);
    assert_eq!((counts.mails, counts.sessions), (8, 1));
}

#[test]
fn a_stored_mail_is_the_mail_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let site = Served::new(quarantine(folder.path(), settings()));
    let headers = [
        ("Subject", "  two spaces \n\tfolded"),
        ("X-Empty", ""),
        ("X-Eight", " bücher"),
        ("From", "a@b.example"),
    ];
    let body = b"http://store.evil.example/\r\n.\r\nno end \0 \xff".to_vec();
    assert_eq!(site.server().send(&headers, &body).unwrap(), [Response::Discard]);
    let mut want =
        "Subject:  two spaces \r\n\tfolded\r\nX-Empty:\r\nX-Eight: bücher\r\nFrom:a@b.example\r\n\r\n"
            .as_bytes()
            .to_vec();
    want.extend_from_slice(&body);
    assert_eq!(kept(folder.path()), [(want, vec!["rf-0004".to_owned()])]);
    // A server that takes the leading space away, and waits after each step.
    let mut server = Server::connect(site.address, 0x1ff, Steps::NONE);
    let mut answers = Vec::new();
    server.begin();
    server.say(&[Command::Header { name: b"Subject", value: b"x" }, Command::EndOfHeaders]).unwrap();
    server.say(&[Command::Body(b"http://store.evil.example/")]).unwrap();
    for _ in 0..9 {
        answers.push(server.hear().unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == Response::Continue), "{answers:?}");
    assert_eq!(server.end().unwrap(), [Response::Discard]);
    let mails: Vec<_> = kept(folder.path()).into_iter().map(|(mail, _)| mail).collect();
    assert!(mails.contains(&b"Subject: x\r\n\r\nhttp://store.evil.example/".to_vec()));
}

#[test]
fn a_large_mail_is_not_in_memory_and_is_kept_whole() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { memory_bytes_max: 100_000, inspected_bytes_max: 1 << 20, ..settings() };
    let site = Served::new(quarantine(folder.path(), settings));
    let mut body = b"http://store.evil.example/\r\n".to_vec();
    (0..6_u32 << 20).for_each(|at| body.push(at.wrapping_mul(2_654_435_761).to_be_bytes()[0]));
    assert_eq!(site.server().send(&[("Subject", " large")], &body).unwrap(), [Response::Discard]);
    let [(mail, _)] = <[_; 1]>::try_from(kept(folder.path())).unwrap();
    assert!(mail == [b"Subject: large\r\n\r\n".as_slice(), &body].concat(), "{} bytes came back", mail.len());
    let counts = site.quarantine.counts();
    assert_eq!(counts.unexamined.into_keys().map(Unexamined::as_str).collect::<Vec<_>>(), ["mail_too_large"]);
    // A large mail that hits nothing leaves nothing behind.
    assert_eq!(site.server().send(&[], &body[40..]).unwrap(), [Response::Continue]);
    assert_eq!(kept(folder.path()).len(), 1);
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 2, "the mail and the lock");
}

#[test]
fn what_fails_ends_as_the_site_chose() {
    let later = "451 4.7.1 the message cannot be examined now, try again later";
    for (on_failure, want) in [(Otherwise::TempFail, reply(later)), (Otherwise::Pass, Response::Continue)] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_to_write(folder.path(), key(), 50_000).unwrap();
        let settings = Settings { on_failure, memory_bytes_max: 20_000, recipients_max: 2, ..settings() };
        let site = Served::new(with_store(settings, store));
        let mut server = site.server();
        let listed = [b"http://store.evil.example/ ".as_slice(), &vec![b'x'; 60_000]].concat();
        assert_eq!(
            server.send(&[], &listed).unwrap(),
            std::slice::from_ref(&want),
            "the store is full, though there is a hit"
        );
        assert_eq!(site.hits(), [], "a mail that comes again is counted then");
        server.begin();
        server.say(&[Command::Recipient(vec![b"<third@b.example>"])]).unwrap();
        assert_eq!(server.end().unwrap(), std::slice::from_ref(&want), "too many recipients");
        let mut poor = Server::connect(site.address, 0, Steps::from_bits(0x1f_ffff));
        assert_eq!(
            poor.send(&[], b"http://hold.evil.example/").unwrap(),
            std::slice::from_ref(&want),
            "no hold queue"
        );
        let failures = site.quarantine.counts().failures;
        let kinds: Vec<_> = failures.into_iter().collect();
        assert_eq!(kinds, [(Failure::Spool, 1), (Failure::NotOffered, 1), (Failure::Recipients, 1)]);
        assert_eq!(kept(folder.path()), []);
        // It goes on.
        assert_eq!(server.send(&[], b"http://store.evil.example/").unwrap(), [Response::Discard]);
    }
}

#[test]
fn what_was_not_looked_at_ends_as_the_site_chose() {
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(1_000);
    let headers = [("Content-Type", " message/rfc822")];
    let cases = [
        (Otherwise::Pass, Response::Continue),
        (Otherwise::TempFail, reply("451 4.7.1 the message cannot be examined")),
    ];
    for (on_unexamined, want) in cases {
        let folder = tempfile::tempdir().unwrap();
        let site = Served::new(quarantine(folder.path(), Settings { on_unexamined, ..settings() }));
        assert_eq!(site.server().send(&headers, nested.as_bytes()).unwrap(), [want]);
        assert_eq!(site.quarantine.counts().unexamined.len(), 1);
    }
}

#[test]
fn a_connection_that_breaks_off_takes_nothing_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let site = Served::new(quarantine(folder.path(), Settings { memory_bytes_max: 1_000, ..settings() }));
    let mut server = site.server();
    server.begin();
    server.say(&[Command::EndOfHeaders, Command::Body(&vec![b'x'; 60_000])]).unwrap();
    drop(server);
    let mut server = site.server();
    server.begin();
    server.say(&[Command::EndOfHeaders, Command::Body(&vec![b'x'; 60_000]), Command::Abort]).unwrap();
    assert_eq!(server.send(&[], b"clean").unwrap(), [Response::Continue]);
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0\0", b"\xff\xff\xff\xffO", b"\0\0\0\x01B"] {
        let mut stream = TcpStream::connect(site.address).unwrap();
        stream.write_all(garbage).unwrap();
        assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0, "{garbage:?}");
    }
    assert_eq!(site.quarantine.counts().violations, 4);
    assert_eq!(site.hits(), []);
    drop(server);
    drop(site);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the lock alone");
}

#[test]
fn sessions_have_a_limit_and_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let site = Served::new(quarantine(folder.path(), Settings { sessions_max: 1, ..settings() }));
    let first = site.server();
    let mut second = TcpStream::connect(site.address).unwrap();
    assert_eq!(second.read(&mut [0; 16]).unwrap_or(0), 0, "closed at once");
    assert_eq!(site.quarantine.counts().sessions_refused, 1);
    drop(first);

    let folder = tempfile::tempdir().unwrap();
    let idle_max = Duration::from_millis(300);
    let site = Served::new(quarantine(folder.path(), Settings { idle_max, ..settings() }));
    let mut silent = TcpStream::connect(site.address).unwrap();
    assert_eq!(silent.read(&mut [0; 16]).unwrap_or(0), 0, "silent too long");
    assert_eq!(site.quarantine.counts().silences, 1);
}

#[test]
fn at_the_end_a_mail_that_is_coming_is_served_first() {
    let folder = tempfile::tempdir().unwrap();
    let site = Served::new(quarantine(folder.path(), settings()));
    let mut idle = site.server();
    assert_eq!(idle.send(&[], b"clean").unwrap(), [Response::Continue]);
    // Answered after each step: what was answered came before the end.
    let mut busy = Server::connect(site.address, 0x1ff, Steps::NONE);
    busy.begin();
    busy.say(&[Command::EndOfHeaders]).unwrap();
    for _ in 0..7 {
        assert_eq!(busy.hear().unwrap(), Response::Continue);
    }
    site.stop.send(true).unwrap();
    assert!(idle.hear().is_err(), "an idle connection is let go");
    busy.say(&[Command::Body(b"http://store.evil.example/")]).unwrap();
    assert_eq!(busy.hear().unwrap(), Response::Continue);
    assert_eq!(busy.end().unwrap(), [Response::Discard]);
    assert!(busy.hear().is_err(), "and this one after its mail");
    assert_eq!(kept(folder.path()).len(), 1);
}
