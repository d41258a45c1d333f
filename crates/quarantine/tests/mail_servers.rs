//! Postfix and Sendmail ask the filter, `swaks` sends: what is listed is held or stored, comes back byte for byte, and nothing is lost when
//! the filter is killed.
//!
//! Needs `swaks` and root, since mail servers do. What is missing is told by name, and fails where `RINGFENCE_REQUIRE_PEERS=1`.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod common;

use std::env;
use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use common::{base64, key, with_attachment};
use model::Timestamp;
use peers::postfix::{PROGRAMS, Postfix, Sender, as_sent};
use peers::sendmail::{self, Sendmail};
use peers::{eventually, free_port, has};
use quarantine::server::Listener;
use quarantine::settings::Settings;
use quarantine::store::{Reason, SmtpTarget, State, Store};
use tokio::sync::watch;

/// Tells the test's own program to be the filter: its folder and its address.
const FILTER: &str = "RINGFENCE_TEST_FILTER";
const REASON: Reason<'_> = Reason { who: "alice", why: "the sender called" };

/// Not a test of its own: the filter that the others start, and kill, as a process.
#[test]
fn filter_process() {
    let Some(told) = env::var_os(FILTER) else { return };
    let told = told.into_string().unwrap();
    let (folder, address) = told.split_once('@').unwrap();
    // The one before may have been killed a moment ago.
    let mut store = Store::open_to_write(Path::new(folder), key(), 1 << 34);
    while store.is_err() {
        thread::sleep(Duration::from_millis(5));
        store = Store::open_to_write(Path::new(folder), key(), 1 << 34);
    }
    let settings = Settings { memory_bytes_max: 100_000, ..Settings::default() };
    let (quarantine, _) = common::with_store(settings, store.unwrap());
    let (_stop, stopped) = watch::channel(false);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let listener = Listener::tcp(address.parse().unwrap()).await.unwrap();
        quarantine.serve(listener, "mx", stopped).await;
    });
}

/// A Postfix and a filter.
struct Site {
    postfix: Postfix,
    filter: Filter,
    filter_address: SocketAddr,
    // The last to go: the others' files lie in it.
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let filter_address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let filter = start_filter(&folder.path().join("held"), filter_address);
        let postfix = Postfix::start(&folder.path().join("postfix"), None, filter_address);
        let site = Self { postfix, filter, filter_address, folder };
        site.wait_for_filter();
        site
    }

    fn wait_for_filter(&self) {
        eventually("the filter listens", || TcpStream::connect(self.filter_address).is_ok());
    }

    fn held(&self) -> PathBuf {
        self.folder.path().join("held")
    }

    fn send(&self, mail: &[u8]) -> (bool, String) {
        send(&self.postfix.sender(), mail)
    }

    fn store(&self) -> Store {
        Store::open(&self.held(), key(), u64::MAX).unwrap()
    }

    fn stored(&self) -> Vec<Vec<u8>> {
        let store = self.store();
        let (kept, broken) = store.list().unwrap();
        assert!(broken.is_empty(), "{broken:?}");
        let read = |id| {
            let mut mail = Vec::new();
            store.read(id).unwrap().unwrap().read_to_end(&mut mail).unwrap();
            mail
        };
        kept.iter().map(|kept| read(&kept.id)).collect()
    }

    fn kill_filter(&mut self) {
        self.filter.kill();
    }

    fn start_filter(&mut self) {
        self.filter = start_filter(&self.held(), self.filter_address);
        self.wait_for_filter();
    }
}

/// A mail from Alice to Bob and Carol.
fn send(sender: &Sender, mail: &[u8]) -> (bool, String) {
    sender.send("alice@a.example", "bob@victim.example,carol@victim.example", mail)
}

fn start_filter(folder: &Path, address: SocketAddr) -> Filter {
    let started = Command::new(env::current_exe().unwrap())
        .args(["--exact", "filter_process", "--nocapture"])
        .env(FILTER, format!("{}@{address}", folder.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    Filter(started.unwrap())
}

/// A filter that ends with the test.
struct Filter(Child);

impl Filter {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A mail with everything that a careless hand would change.
fn letter(host: &str, mark: &str) -> Vec<u8> {
    let html = format!("<a href=\"http://{host}/\">{mark}</a>");
    format!(
        "Received: from elsewhere.example ([192.0.2.66]) by a.example; Mon, 23 Nov 2026 10:00:00 +0000\r\n\
         From: Alice  <alice@a.example>\r\nTo: bob@victim.example\r\nSubject:  two spaces\r\n\tand a fold {mark} \r\n\
         X-Empty:\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{mark}@a.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\npreamble\r\n--b\r\n\
         Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b\r\n\r\n\
         .dot\r\n..dots\r\nFrom the start\r\n{}\r\n  trailing \t\r\n--b--\r\nepilogue\r\n",
        base64(html.as_bytes()),
        "x".repeat(900)
    )
    .into_bytes()
}

#[track_caller]
fn assert_same(got: &[u8], want: &[u8]) {
    assert!(got == want, "{}\n--- is not ---\n{}", got.escape_ascii(), want.escape_ascii());
}

#[test]
fn postfix_delivers_holds_stores_and_refuses() {
    if !has("Postfix", &PROGRAMS) {
        return;
    }
    let site = Site::new();
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let first = "Received: from elsewhere";

    let clean = letter("good.example", "mark-clean");
    let (taken, said) = site.send(&clean);
    assert!(taken, "{said}");
    eventually("the clean mail", || site.postfix.delivered("mark-clean").len() == 2);
    assert_same(&as_sent(&site.postfix.delivered("mark-clean")[0], first), &clean);

    let (taken, said) = site.send(&letter("reject.evil.example", "mark-reject"));
    assert!(!taken && said.contains("550 5.7.1 message refused by policy (reference rf-0005)"), "{said}");

    let tagged = [b"X-Ringfence: trusted\r\n".as_slice(), &letter("tag.evil.example", "mark-tag")].concat();
    assert!(site.send(&tagged).0);
    eventually("the tagged mail", || site.postfix.delivered("mark-tag").len() == 2);
    let mail = String::from_utf8_lossy(&site.postfix.delivered("mark-tag")[0]).into_owned();
    assert!(mail.contains("\nX-Ringfence: rf-0002\n") && !mail.contains("trusted"), "{mail}");

    let held = letter("hold.evil.example", "mark-hold");
    let (taken, said) = site.send(&held);
    assert!(taken, "{said}");
    eventually("the hold queue", || site.postfix.held().len() == 1);
    assert!(site.postfix.delivered("mark-hold").is_empty());
    site.postfix.release(&site.postfix.held()[0]);
    eventually("the freed mail", || site.postfix.delivered("mark-hold").len() == 2);
    assert_same(&as_sent(&site.postfix.delivered("mark-hold")[0], first), &held);

    let stored = letter("store.evil.example", "mark-store");
    let (taken, said) = site.send(&stored);
    assert!(taken, "{said}");
    let (kept, _) = site.store().list().unwrap();
    assert_eq!(kept.len(), 1, "Postfix said yes, so it is there");
    assert_eq!(kept[0].about.sender, "alice@a.example");
    assert_eq!(kept[0].about.recipients, ["bob@victim.example", "carol@victim.example"]);
    assert_eq!(kept[0].about.peer, Some("127.0.0.1".parse().unwrap()));
    assert!(!kept[0].about.queue_id.is_empty());
    assert_same(&site.stored()[0], &stored);
    thread::sleep(Duration::from_millis(500));
    assert!(site.postfix.delivered("mark-store").is_empty());

    let target = |port| SmtpTarget {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        helo: "guard.example".to_owned(),
    };
    let nobody = site.store().release(&kept[0].id, REASON, &target(free_port()), now);
    assert!(nobody.is_err(), "{nobody:?}");
    assert_eq!(
        site.store().show(&kept[0].id).unwrap().unwrap().state,
        State::Held,
        "it stays when nobody takes it"
    );
    let delivery =
        site.store().release(&kept[0].id, REASON, &target(site.postfix.back()), now).unwrap().unwrap();
    assert_eq!((delivery.taken.len(), delivery.refused.len()), (2, 0));
    eventually("the released mail", || site.postfix.delivered("mark-store").len() == 2);
    for mail in site.postfix.delivered("mark-store") {
        assert_same(&as_sent(&mail, first), &stored);
    }
    assert_eq!(site.store().show(&kept[0].id).unwrap().unwrap().state, State::Released);
    let journal = site.store().journal().unwrap();
    assert!(journal.iter().all(|entry| entry.who == "alice") && journal.len() == 4, "{journal:?}");
}

#[test]
fn nothing_is_lost_when_the_filter_is_killed() {
    if !has("Postfix", &PROGRAMS) {
        return;
    }
    let mut site = Site::new();

    // In the middle of a large mail.
    let large = with_attachment("large.bin", &vec![0x5a; 20_000_000]);
    let held = site.held();
    let has_draft = || {
        let mut names = fs::read_dir(&held).unwrap().map(|entry| entry.unwrap().path());
        names.any(|path| path.extension().is_some_and(|suffix| suffix == "draft"))
    };
    // A mail may have passed before the filter is dead; then another is sent.
    let met = (0..50).any(|_| {
        let (sender, large) = (site.postfix.sender(), large.clone());
        let sending = thread::spawn(move || send(&sender, &large));
        eventually("the mail to come", || has_draft() || sending.is_finished());
        site.kill_filter();
        let was_amid = has_draft();
        site.start_filter();
        let (taken, said) = sending.join().unwrap();
        assert!(taken || said.contains(" 451 4.7.1 "), "{said}");
        !taken && was_amid
    });
    assert!(met, "no mail was met in its middle");
    assert!(!has_draft(), "half a mail is gone at the next start");
    assert!(site.stored().is_empty());

    // Nobody answers.
    site.kill_filter();
    let (taken, said) = site.send(&letter("good.example", "mark-down"));
    assert!(!taken && said.contains(" 451 4.7.1 "), "{said}");
    site.start_filter();

    // Over and over, at any moment: what was taken is there, and what was not, the sender has.
    let (over, kills) = (AtomicBool::new(false), AtomicU32::new(0));
    let mut taken = Vec::new();
    let (folder, address) = (site.held(), site.filter_address);
    let (filter, sender) = (&mut site.filter, site.postfix.sender());
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                eventually("the filter listens", || TcpStream::connect(address).is_ok());
                let killed = u64::from(kills.load(Ordering::Relaxed));
                thread::sleep(Duration::from_millis(130 + 70 * (killed % 5)));
                filter.kill();
                *filter = start_filter(&folder, address);
                kills.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut numbers = 0..400;
        while let Some(number) = numbers.next()
            && (number < 40 || taken.is_empty() || kills.load(Ordering::Relaxed) < 4)
        {
            let mark = format!("mark-killed-{number:02}");
            let host = if number % 2 == 0 { "store.evil.example" } else { "good.example" };
            let (is_taken, said) = send(&sender, &letter(host, &mark));
            assert!(is_taken || said.contains(" 451 4.7.1 "), "neither taken nor sent back: {said}");
            if is_taken {
                taken.push((number, mark));
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    let kills = kills.into_inner();
    eprintln!("killed {kills} times, {} mails were taken", taken.len());
    assert!(kills > 3);
    assert!(!taken.is_empty(), "the filter was never there");
    let stored: Vec<Vec<u8>> = site.stored();
    for (number, mark) in taken {
        if number % 2 == 0 {
            let mail = letter("store.evil.example", &mark);
            assert!(stored.contains(&mail), "{mark} was taken, and is not there byte for byte");
        } else {
            eventually(&mark, || site.postfix.delivered(&mark).len() == 2);
        }
    }
}

#[test]
fn sendmail_queues_holds_stores_and_refuses() {
    if !has("Sendmail", &sendmail::PROGRAMS) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let held = folder.path().join("held");
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut filter = start_filter(&held, address);
    eventually("the filter listens", || TcpStream::connect(address).is_ok());
    let server = Sendmail::start(&folder.path().join("sendmail"), address);
    let send = |host: &str| send(&server.sender(), &letter(host, "mark"));

    let (taken, said) = send("good.example");
    assert!(taken && server.queued().len() == 1, "{said}");
    let (taken, said) = send("reject.evil.example");
    assert!(!taken && said.contains("550 5.7.1 message refused by policy (reference rf-0005)"), "{said}");
    let (taken, said) = send("store.evil.example");
    assert!(taken && server.queued().len() == 1 && server.held().is_empty(), "the guard has it: {said}");
    let store = Store::open(&held, key(), u64::MAX).unwrap();
    let (kept, _) = store.list().unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].about.recipients, ["bob@victim.example", "carol@victim.example"]);
    let mut mail = Vec::new();
    store.read(&kept[0].id).unwrap().unwrap().read_to_end(&mut mail).unwrap();
    assert_same(&mail, &letter("store.evil.example", "mark"));

    let (taken, said) = send("hold.evil.example");
    assert!(taken && server.held().len() == 1 && server.queued().len() == 1, "{said}");
    let released = server.release(&server.held()[0]);
    assert!(server.held().is_empty() && server.queued().len() == 2, "{released:?}");

    filter.kill();
    let (taken, said) = send("good.example");
    assert!(!taken && said.contains(" 451 4.3.2 "), "{said}");
}
