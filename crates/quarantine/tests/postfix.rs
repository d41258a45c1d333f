//! Postfix asks the filter, `swaks` sends: what is listed is held or stored, comes back byte for byte, and nothing is lost when
//! the filter is killed.
//!
//! Needs Postfix, `swaks` and root, since Postfix does. What is missing is told by name, and fails where `RINGFENCE_REQUIRE_PEERS=1`.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod common;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{base64, key, with_attachment};
use model::Timestamp;
use quarantine::server::Listener;
use quarantine::settings::Settings;
use quarantine::store::{Reason, SmtpTarget, State, Store};
use tokio::sync::watch;

/// Tells the test's own program to be the filter: its folder and its address.
const FILTER: &str = "RINGFENCE_TEST_FILTER";
const REASON: Reason<'_> = Reason { who: "alice", why: "the sender called" };

/// Postfix's tools, if all are here.
fn peers() -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let found = |tool: &str| Command::new("sh").args(["-c", &format!("command -v {tool}")]).output();
    let missing = ["postfix", "postsuper", "swaks"]
        .into_iter()
        .filter(|tool| !found(tool).is_ok_and(|found| found.status.success()))
        .chain((!is_root).then_some("root"))
        .collect::<Vec<_>>();
    if missing.is_empty() {
        return true;
    }
    let why = format!("skipped: postfix: {} is missing", missing.join(", "));
    assert!(env::var_os("RINGFENCE_REQUIRE_PEERS") != Some(OsString::from("1")), "{why}");
    eprintln!("{why}");
    false
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for(what: &str, mut is_done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_done() {
        assert!(began.elapsed() < Duration::from_mins(1), "waited too long for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

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

/// A Postfix of its own, with folders of its own, and a filter.
struct Site {
    folder: tempfile::TempDir,
    filter: Child,
    filter_address: SocketAddr,
    smtp: u16,
    /// A second door, without the filter.
    back: u16,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let filter_address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let filter = start_filter(&folder.path().join("held"), filter_address);
        let site = Self { smtp: free_port(), back: free_port(), folder, filter, filter_address };
        site.configure();
        let started = site.postfix("start");
        assert!(started.status.success(), "{started:?}");
        for port in [site.smtp, site.back, filter_address.port()] {
            wait_for("a listener", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self) {
        let root = self.folder.path().display();
        for (name, mode) in
            [("etc", 0o755), ("data", 0o700), ("spool", 0o755), ("mail", 0o700), ("log", 0o755)]
        {
            fs::create_dir(self.path(name)).unwrap();
            fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        for name in ["data", "mail"] {
            let owned = Command::new("chown").args(["-R", "postfix"]).arg(self.path(name)).status().unwrap();
            assert!(owned.success());
        }
        let id = Command::new("id").args(["-u", "postfix"]).output().unwrap();
        let id = String::from_utf8(id.stdout).unwrap();
        let id = id.trim();
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {root}/spool\ndata_directory = {root}/data\n\
             maillog_file = {root}/log/mail.log\nmaillog_file_prefixes = {root}\n\
             myhostname = mx.victim.example\nmydestination =\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
             mynetworks = 127.0.0.0/8\nsmtpd_relay_restrictions = permit_mynetworks, reject\n\
             message_size_limit = 100000000\nvirtual_mailbox_limit = 0\nmailbox_size_limit = 0\nalias_maps =\nalias_database =\n\
             virtual_mailbox_domains = victim.example\nvirtual_mailbox_base = {root}/mail\n\
             virtual_mailbox_maps = static:box/\nvirtual_uid_maps = static:{id}\nvirtual_gid_maps = static:{id}\n\
             virtual_minimum_uid = 1\nmilter_default_action = tempfail\nmilter_protocol = 6\n\
             smtpd_banner = mx.victim.example ESMTP\n"
        );
        fs::write(self.path("etc/main.cf"), main).unwrap();
        let services = "pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\nrewrite unix - - n - - trivial-rewrite\n\
             bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
             verify unix - - n - 1 verify\nflush unix n - n 1000? 0 flush\nproxymap unix - - n - - proxymap\n\
             smtp unix - - n - - smtp\nshowq unix n - n - - showq\nerror unix - - n - - error\nretry unix - - n - - error\n\
             virtual unix - n n - - virtual\nanvil unix - - n - 1 anvil\npostlog unix-dgram n - n - 1 postlogd\n";
        let master = format!(
            "127.0.0.1:{} inet n - n - - smtpd\n  -o smtpd_milters=inet:{}\n127.0.0.1:{} inet n - n - - smtpd\n{services}",
            self.smtp, self.filter_address, self.back
        );
        fs::write(self.path("etc/master.cf"), master).unwrap();
    }

    fn postfix(&self, command: &str) -> Output {
        Command::new("postfix")
            .arg("-c")
            .arg(self.path("etc"))
            .arg(command)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log/mail.log")).unwrap_or_default()
    }

    /// Sends a mail as it is; gives the exit status and what was said.
    fn send(&self, mail: &[u8]) -> (bool, String) {
        let file = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        fs::write(file.path(), stuffed(mail)).unwrap();
        send(self.smtp, file.path())
    }

    /// The mails that were delivered, as they lie in the mailbox.
    fn delivered(&self) -> Vec<Vec<u8>> {
        let Ok(folder) = fs::read_dir(self.path("mail/box/new")) else { return Vec::new() };
        folder.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
    }

    fn delivered_with(&self, mark: &str) -> Vec<Vec<u8>> {
        let has = |mail: &Vec<u8>| mail.windows(mark.len()).any(|window| window == mark.as_bytes());
        self.delivered().into_iter().filter(has).collect()
    }

    /// The identifiers of what Postfix holds.
    fn hold_queue(&self) -> Vec<String> {
        let Ok(folder) = fs::read_dir(self.path("spool/hold")) else { return Vec::new() };
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn store(&self) -> Store {
        Store::open(&self.path("held"), key(), u64::MAX).unwrap()
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
        self.filter.kill().unwrap();
        self.filter.wait().unwrap();
    }

    fn start_filter(&mut self) {
        self.filter = start_filter(&self.path("held"), self.filter_address);
        let address = self.filter_address;
        wait_for("the filter", || TcpStream::connect(address).is_ok());
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.filter.kill();
        let _ = self.filter.wait();
        let stopped = self.postfix("stop");
        if thread::panicking() {
            eprintln!("{stopped:?}\n{}", self.log());
        }
    }
}

fn start_filter(folder: &Path, address: SocketAddr) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "filter_process", "--nocapture"])
        .env(FILTER, format!("{}@{address}", folder.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// A mail as it goes over the wire (RFC 5321 §4.5.2): `swaks` sends the file as it is.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in mail.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    out.extend_from_slice(b".\r\n");
    out
}

fn send(port: u16, file: &Path) -> (bool, String) {
    let sent = Command::new("swaks")
        .args(["--server", "127.0.0.1", "--port", &port.to_string(), "--timeout", "60"])
        .args(["--from", "alice@a.example", "--to", "bob@victim.example,carol@victim.example"])
        .args(["--suppress-data", "--no-data-fixup", "--data"])
        .arg(format!("@{}", file.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (sent.status.success(), String::from_utf8_lossy(&sent.stdout).into_owned())
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

/// A delivered mail, without what mail servers write before it, with the line breaks of the wire.
fn as_sent(delivered: &[u8], first_header: &str) -> Vec<u8> {
    let at =
        delivered.windows(first_header.len()).position(|window| window == first_header.as_bytes()).unwrap();
    let mut out = Vec::new();
    for line in delivered[at..].split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[track_caller]
fn assert_same(got: &[u8], want: &[u8]) {
    assert!(got == want, "{}\n--- is not ---\n{}", got.escape_ascii(), want.escape_ascii());
}

#[test]
fn postfix_delivers_holds_stores_and_refuses() {
    if !peers() {
        return;
    }
    let site = Site::new();
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let first = "Received: from elsewhere";

    let clean = letter("good.example", "mark-clean");
    let (taken, said) = site.send(&clean);
    assert!(taken, "{said}");
    wait_for("the clean mail", || site.delivered_with("mark-clean").len() == 2);
    assert_same(&as_sent(&site.delivered_with("mark-clean")[0], first), &clean);

    let (taken, said) = site.send(&letter("reject.evil.example", "mark-reject"));
    assert!(!taken && said.contains("550 5.7.1 message refused by policy (reference rf-0005)"), "{said}");

    let tagged = [b"X-Ringfence: trusted\r\n".as_slice(), &letter("tag.evil.example", "mark-tag")].concat();
    assert!(site.send(&tagged).0);
    wait_for("the tagged mail", || site.delivered_with("mark-tag").len() == 2);
    let mail = String::from_utf8_lossy(&site.delivered_with("mark-tag")[0]).into_owned();
    assert!(mail.contains("\nX-Ringfence: rf-0002\n") && !mail.contains("trusted"), "{mail}");

    let held = letter("hold.evil.example", "mark-hold");
    let (taken, said) = site.send(&held);
    assert!(taken, "{said}");
    wait_for("the hold queue", || site.hold_queue().len() == 1);
    assert!(site.delivered_with("mark-hold").is_empty());
    let etc = site.path("etc");
    let queue_id = site.hold_queue().remove(0);
    let freed = Command::new("postsuper").arg("-c").arg(&etc).args(["-H", &queue_id]).output().unwrap();
    assert!(freed.status.success(), "{freed:?}");
    assert!(site.postfix("flush").status.success());
    wait_for("the freed mail", || site.delivered_with("mark-hold").len() == 2);
    assert_same(&as_sent(&site.delivered_with("mark-hold")[0], first), &held);

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
    assert!(site.delivered_with("mark-store").is_empty());

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
    let delivery = site.store().release(&kept[0].id, REASON, &target(site.back), now).unwrap().unwrap();
    assert_eq!((delivery.taken.len(), delivery.refused.len()), (2, 0));
    wait_for("the released mail", || site.delivered_with("mark-store").len() == 2);
    for mail in site.delivered_with("mark-store") {
        assert_same(&as_sent(&mail, first), &stored);
    }
    assert_eq!(site.store().show(&kept[0].id).unwrap().unwrap().state, State::Released);
    let journal = site.store().journal().unwrap();
    assert!(journal.iter().all(|entry| entry.who == "alice") && journal.len() == 4, "{journal:?}");
}

#[test]
fn nothing_is_lost_when_the_filter_is_killed() {
    if !peers() {
        return;
    }
    let mut site = Site::new();

    // In the middle of a large mail.
    let large = with_attachment("large.bin", &vec![0x5a; 20_000_000]);
    let file = site.path("large.eml");
    fs::write(&file, stuffed(&large)).unwrap();
    let smtp = site.smtp;
    let held = site.path("held");
    let has_draft = || {
        let mut names = fs::read_dir(&held).unwrap().map(|entry| entry.unwrap().path());
        names.any(|path| path.extension().is_some_and(|suffix| suffix == "draft"))
    };
    // A mail may have passed before the filter is dead; then another is sent.
    let said = (0..50).find_map(|_| {
        let file = file.clone();
        let sending = thread::spawn(move || send(smtp, &file));
        wait_for("the mail to come", || has_draft() || sending.is_finished());
        site.kill_filter();
        let was_amid = has_draft();
        site.start_filter();
        let (taken, said) = sending.join().unwrap();
        assert!(taken || said.contains(" 451 4.7.1 "), "{said}");
        (!taken && was_amid).then_some(said)
    });
    assert!(said.is_some(), "no mail was met in its middle");
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
    let (folder, address) = (site.path("held"), site.filter_address);
    let filter = &mut site.filter;
    let sender = (smtp, site.folder.path());
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                wait_for("the filter", || TcpStream::connect(address).is_ok());
                let killed = u64::from(kills.load(Ordering::Relaxed));
                thread::sleep(Duration::from_millis(130 + 70 * (killed % 5)));
                filter.kill().unwrap();
                filter.wait().unwrap();
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
            let file = sender.1.join(&mark);
            fs::write(&file, stuffed(&letter(host, &mark))).unwrap();
            let (is_taken, said) = send(sender.0, &file);
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
            wait_for(&mark, || site.delivered_with(&mark).len() == 2);
        }
    }
}
