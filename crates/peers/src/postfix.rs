//! Postfix with a milter, as `docs/mail.md` sets it up, and `swaks` to send.
//!
//! It has folders of its own, delivers everything for `victim.example` into one mailbox, and runs as root, as Postfix does.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use crate::docs::snippet;
use crate::{eventually, free_port, program};

/// What has to be installed, and who has to be.
pub const PROGRAMS: [&str; 4] = ["postfix", "postsuper", "swaks", "root"];

const PAGE: &str = "mail.md";
/// The milter on the page.
const MILTER: &str = "inet:127.0.0.1:8891";

const SERVICES: &str = "pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n\
    rewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\n\
    trace unix - - n - 0 bounce\nverify unix - - n - 1 verify\nflush unix n - n 1000? 0 flush\n\
    proxymap unix - - n - - proxymap\nsmtp unix - - n - - smtp\nshowq unix n - n - - showq\nerror unix - - n - - error\n\
    retry unix - - n - - error\nvirtual unix - n n - - virtual\nanvil unix - - n - 1 anvil\n\
    postlog unix-dgram n - n - 1 postlogd\n";

/// A Postfix of its own.
#[derive(Debug)]
pub struct Postfix {
    folder: PathBuf,
    smtp: u16,
    back: u16,
}

impl Postfix {
    /// Starts one that asks the milter for what [comes in](Self::sender), and nobody for what comes [back](Self::back), to the port `back` if
    /// that is given.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be started.
    #[must_use]
    pub fn start(folder: &Path, back: Option<u16>, milter: SocketAddr) -> Self {
        fs::create_dir_all(folder).unwrap();
        // Postfix reads as somebody else.
        for above in [Some(folder), folder.parent()].into_iter().flatten() {
            if above != std::env::temp_dir() {
                fs::set_permissions(above, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        let (smtp, back) = (free_port(), back.unwrap_or_else(free_port));
        let postfix = Self { folder: folder.to_owned(), smtp, back };
        postfix.configure(milter);
        let started = postfix.command("start");
        assert!(started.status.success(), "{started:?}\n{}", postfix.log());
        for port in [smtp, back] {
            eventually("Postfix listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        }
        postfix
    }

    fn configure(&self, milter: SocketAddr) {
        let folders = [("etc", 0o755), ("data", 0o700), ("spool", 0o755), ("mail", 0o700), ("log", 0o755)];
        for (name, mode) in folders {
            fs::create_dir(self.path(name)).unwrap();
            fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        for name in ["data", "mail"] {
            let owned = Command::new("chown").args(["-R", "postfix"]).arg(self.path(name)).status().unwrap();
            assert!(owned.success());
        }
        let id = Command::new("id").args(["-u", "postfix"]).output().unwrap();
        let id = String::from_utf8(id.stdout).unwrap();
        let told = snippet(PAGE, "Postfix");
        let documented = told.replace(MILTER, &format!("inet:{milter}"));
        assert!(documented != told, "docs/{PAGE} names no milter {MILTER}:\n{told}");
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {root}/spool\ndata_directory = {root}/data\n\
             maillog_file = {root}/log/mail.log\nmaillog_file_prefixes = {root}\n\
             myhostname = mx.victim.example\nmydestination =\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
             mynetworks = 127.0.0.0/8\nsmtpd_relay_restrictions = permit_mynetworks, reject\n\
             message_size_limit = 100000000\nvirtual_mailbox_limit = 0\nmailbox_size_limit = 0\nalias_maps =\n\
             alias_database =\nvirtual_mailbox_domains = victim.example\nvirtual_mailbox_base = {root}/mail\n\
             virtual_mailbox_maps = static:box/\nvirtual_uid_maps = static:{id}\nvirtual_gid_maps = static:{id}\n\
             virtual_minimum_uid = 1\nsmtpd_banner = mx.victim.example ESMTP\n{documented}",
            root = self.folder.display(),
            id = id.trim(),
        );
        fs::write(self.path("etc/main.cf"), main).unwrap();
        let master = format!(
            "127.0.0.1:{} inet n - n - - smtpd\n127.0.0.1:{} inet n - n - - smtpd\n  -o smtpd_milters=\n{SERVICES}",
            self.smtp, self.back
        );
        fs::write(self.path("etc/master.cf"), master).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn command(&self, command: &str) -> Output {
        program("postfix").arg("-c").arg(self.path("etc")).arg(command).output().unwrap()
    }

    /// Where mail comes in that nobody is asked about.
    #[must_use]
    pub fn back(&self) -> u16 {
        self.back
    }

    /// Who sends from elsewhere.
    #[must_use]
    pub fn sender(&self) -> Sender {
        Sender::new(&self.folder, self.smtp)
    }

    /// What it wrote down.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log/mail.log")).unwrap_or_default()
    }

    /// The mails that were delivered and have a mark, as they lie in the mailbox.
    ///
    /// # Panics
    ///
    /// Panics if they cannot be read.
    #[must_use]
    pub fn delivered(&self, mark: &str) -> Vec<Vec<u8>> {
        let mails = files(&self.path("mail/box/new")).into_iter().map(|path| fs::read(path).unwrap());
        mails.filter(|mail| mail.windows(mark.len()).any(|window| window == mark.as_bytes())).collect()
    }

    /// The identifiers of what is in the hold queue.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be read.
    #[must_use]
    pub fn held(&self) -> Vec<String> {
        let names = files(&self.path("spool/hold")).into_iter();
        names.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    /// Lets go of what is in the hold queue.
    ///
    /// # Panics
    ///
    /// Panics if it cannot.
    pub fn release(&self, queue_id: &str) {
        let freed =
            program("postsuper").arg("-c").arg(self.path("etc")).args(["-H", queue_id]).output().unwrap();
        assert!(freed.status.success(), "{freed:?}");
        let flushed = self.command("flush");
        assert!(flushed.status.success(), "{flushed:?}");
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let stopped = self.command("stop");
        if thread::panicking() {
            eprintln!("{stopped:?}\n{}", self.log());
        }
    }
}

/// Somebody who sends mail to a server.
#[derive(Clone, Debug)]
pub struct Sender {
    folder: PathBuf,
    smtp: u16,
}

impl Sender {
    /// One whose files lie in `folder`, and who sends to a port on loopback.
    pub(crate) fn new(folder: &Path, smtp: u16) -> Self {
        Self { folder: folder.to_owned(), smtp }
    }

    /// Sends a mail as it is; recipients are separated by commas. Gives whether it was taken, and what was said.
    ///
    /// # Panics
    ///
    /// Panics if `swaks` cannot be run.
    #[must_use]
    pub fn send(&self, from: &str, to: &str, mail: &[u8]) -> (bool, String) {
        let file = tempfile::NamedTempFile::new_in(&self.folder).unwrap();
        fs::write(file.path(), stuffed(mail)).unwrap();
        let sent = program("swaks")
            .args(["--server", "127.0.0.1", "--port", &self.smtp.to_string(), "--timeout", "60"])
            .args(["--helo", "pc7.victim.example", "--from", from, "--to", to])
            .args(["--suppress-data", "--no-data-fixup", "--data"])
            .arg(format!("@{}", file.path().display()))
            .output()
            .unwrap();
        (sent.status.success(), String::from_utf8_lossy(&sent.stdout).into_owned())
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => panic!("{}: {error}", folder.display()),
    }
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

/// A delivered mail as it was sent: from its first header on, without what mail servers write before it, with the line breaks
/// of the wire.
///
/// # Panics
///
/// Panics if the mail has no such header.
#[must_use]
pub fn as_sent(delivered: &[u8], first_header: &str) -> Vec<u8> {
    let begins = |window: &[u8]| window == first_header.as_bytes();
    let at = delivered.windows(first_header.len()).position(begins).expect("the mail has its first header");
    let mut out = Vec::new();
    for line in delivered[at..].split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        out.extend_from_slice(b"\r\n");
    }
    out
}
