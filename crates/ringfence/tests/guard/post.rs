//! Postfix with a guard as its milter, and `swaks` to send.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::peers::program;
use crate::site::{eventually, has};

const SERVICES: &str = "pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n\
    rewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\n\
    trace unix - - n - 0 bounce\nverify unix - - n - 1 verify\nflush unix n - n 1000? 0 flush\n\
    proxymap unix - - n - - proxymap\nsmtp unix - - n - - smtp\nshowq unix n - n - - showq\nerror unix - - n - - error\n\
    retry unix - - n - - error\nvirtual unix - n n - - virtual\nanvil unix - - n - 1 anvil\n\
    postlog unix-dgram n - n - 1 postlogd\n";

/// A Postfix of its own, with folders of its own.
pub(crate) struct Postfix {
    folder: PathBuf,
    smtp: u16,
}

impl Postfix {
    /// Starts one that asks the milter for what comes to `smtp`, and nobody for what comes to `back`.
    pub(crate) fn start(folder: &Path, smtp: u16, back: u16, milter: u16) -> Self {
        fs::create_dir_all(folder).unwrap();
        // Postfix reads as somebody else.
        for above in [folder, folder.parent().unwrap()] {
            fs::set_permissions(above, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let postfix = Self { folder: folder.to_owned(), smtp };
        postfix.configure(smtp, back, milter);
        let started = postfix.command("start");
        assert!(started.status.success(), "{started:?}");
        for port in [smtp, back] {
            eventually("Postfix listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        }
        postfix
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn configure(&self, smtp: u16, back: u16, milter: u16) {
        let root = self.folder.display();
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
             message_size_limit = 100000000\nvirtual_mailbox_limit = 0\nmailbox_size_limit = 0\nalias_maps =\n\
             alias_database =\nvirtual_mailbox_domains = victim.example\nvirtual_mailbox_base = {root}/mail\n\
             virtual_mailbox_maps = static:box/\nvirtual_uid_maps = static:{id}\nvirtual_gid_maps = static:{id}\n\
             virtual_minimum_uid = 1\nmilter_default_action = tempfail\nmilter_protocol = 6\n\
             smtpd_banner = mx.victim.example ESMTP\n"
        );
        fs::write(self.path("etc/main.cf"), main).unwrap();
        let master = format!(
            "127.0.0.1:{smtp} inet n - n - - smtpd\n  -o smtpd_milters=inet:127.0.0.1:{milter}\n\
             127.0.0.1:{back} inet n - n - - smtpd\n{SERVICES}"
        );
        fs::write(self.path("etc/master.cf"), master).unwrap();
    }

    fn command(&self, command: &str) -> Output {
        let mut postfix = program("postfix");
        postfix.arg("-c").arg(self.path("etc")).arg(command).stdin(Stdio::null()).output().unwrap()
    }

    /// Sends a mail as it is from Alice to Bob; gives whether it was taken, and what was said.
    pub(crate) fn send(&self, mail: &[u8]) -> (bool, String) {
        let file = tempfile::NamedTempFile::new_in(&self.folder).unwrap();
        fs::write(file.path(), stuffed(mail)).unwrap();
        send(self.smtp, file.path())
    }

    /// The same without waiting for the end.
    pub(crate) fn sending(&self, mail: &[u8]) -> std::thread::JoinHandle<(bool, String)> {
        let (smtp, file) = (self.smtp, self.path("sending.eml"));
        fs::write(&file, stuffed(mail)).unwrap();
        std::thread::spawn(move || send(smtp, &file))
    }

    /// The mails that were delivered and have a mark, as they were sent: from their first header on, with the line breaks of
    /// the wire.
    pub(crate) fn delivered(&self, mark: &str) -> Vec<Vec<u8>> {
        let Ok(folder) = fs::read_dir(self.path("mail/box/new")) else { return Vec::new() };
        let mails = folder.map(|entry| fs::read(entry.unwrap().path()).unwrap());
        mails.filter(|mail| has(mail, mark)).map(|mail| as_sent(&mail)).collect()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let stopped = self.command("stop");
        if std::thread::panicking() {
            let log = fs::read_to_string(self.path("log/mail.log")).unwrap_or_default();
            eprintln!("{stopped:?}\n{log}");
        }
    }
}

fn send(port: u16, file: &Path) -> (bool, String) {
    let sent = Command::new("swaks")
        .args(["--server", "127.0.0.1", "--port", &port.to_string(), "--timeout", "60"])
        .args([
            "--helo",
            "pc7.victim.example",
            "--from",
            "alice@sender.example",
            "--to",
            "bob@victim.example",
        ])
        .args(["--suppress-data", "--no-data-fixup", "--data"])
        .arg(format!("@{}", file.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (sent.status.success(), String::from_utf8_lossy(&sent.stdout).into_owned())
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

/// The first header of every letter; what stands before it, mail servers wrote.
const FIRST: &str = "X-First: letter";

fn as_sent(delivered: &[u8]) -> Vec<u8> {
    let at = delivered.windows(FIRST.len()).position(|window| window == FIRST.as_bytes()).unwrap();
    let mut out = Vec::new();
    for line in delivered[at..].split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        out.extend_from_slice(b"\r\n");
    }
    out
}

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
