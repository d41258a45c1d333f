//! Sendmail with a milter, as `docs/mail.md` sets it up.
//!
//! Debian's package cannot be installed beside Postfix. It need not be: unpacked (`dpkg -x`) into [`UNPACKED`], it runs from there with a
//! configuration made by `m4`, in namespaces of its own in which the machine has the name that Sendmail insists on. What it takes it queues, and
//! delivers nothing. However busy the machine is, it listens.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use crate::docs::snippet;
use crate::postfix::Sender;
use crate::{Process, eventually, free_port, program};

/// What has to be installed, or unpacked, and who has to be.
pub const PROGRAMS: [&str; 6] = ["sendmail", "m4", "unshare", "mount", "swaks", "root"];
/// Where Debian's `sendmail-bin` and `sendmail-cf` are unpacked if they are not installed.
pub const UNPACKED: &str = "/opt/sendmail";

const PAGE: &str = "mail.md";
/// The milter on the page.
const MILTER: &str = "inet:8891@127.0.0.1";
const BINARY: &str = "usr/libexec/sendmail/sendmail";

/// The folder below which Sendmail lies; `/usr/sbin/sendmail` may be Postfix'.
pub(crate) fn root() -> Option<&'static Path> {
    ["/", UNPACKED].into_iter().map(Path::new).find(|root| root.join(BINARY).is_file())
}

/// A Sendmail of its own.
#[derive(Debug)]
pub struct Sendmail {
    folder: PathBuf,
    root: &'static Path,
    smtp: u16,
    _process: Process,
}

impl Sendmail {
    /// Starts one that asks the milter.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be started.
    #[must_use]
    pub fn start(folder: &Path, milter: SocketAddr) -> Self {
        let root = root().expect("whoever starts Sendmail asked whether it is here");
        let smtp = free_port();
        for name in ["queue", "queue/df", "queue/qf", "queue/xf"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        configure(root, folder, smtp, milter);
        let mut command = inside(root, folder);
        let process = Process::start(command.arg("-bD"), &folder.join("log"));
        eventually("Sendmail listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, smtp)).is_ok());
        Self { folder: folder.to_owned(), root, smtp, _process: process }
    }

    /// Who sends from elsewhere.
    #[must_use]
    pub fn sender(&self) -> Sender {
        Sender::new(&self.folder, self.smtp)
    }

    /// The identifiers of what is queued to be delivered.
    ///
    /// # Panics
    ///
    /// Panics if the queue cannot be read.
    #[must_use]
    pub fn queued(&self) -> Vec<String> {
        self.files("qf")
    }

    /// The identifiers of what is in quarantine.
    ///
    /// # Panics
    ///
    /// Panics if the queue cannot be read.
    #[must_use]
    pub fn held(&self) -> Vec<String> {
        self.files("hf")
    }

    /// Queue files begin with what they are: `qf` and `hf` have the envelope of a mail that is to be delivered, or held.
    fn files(&self, kind: &str) -> Vec<String> {
        let names = fs::read_dir(self.folder.join("queue/qf")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter_map(|name| Some(name.strip_prefix(kind)?.to_owned())).collect()
    }

    /// Runs what the page says to let go of a mail in quarantine.
    ///
    /// # Panics
    ///
    /// Panics if the page does not say it.
    #[must_use]
    pub fn release(&self, id: &str) -> Output {
        let told = snippet(PAGE, "What Sendmail holds");
        let line = told.lines().find(|line| line.contains("-Q ")).expect("the page says how to release");
        let words = line.split('#').next().unwrap_or_default().replace("ID", id);
        inside(self.root, &self.folder).args(words.split_whitespace().skip(1)).output().unwrap()
    }
}

impl Drop for Sendmail {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
        }
    }
}

fn configure(root: &Path, folder: &Path, smtp: u16, milter: SocketAddr) {
    let told = snippet(PAGE, "Sendmail");
    let documented = told.replace(MILTER, &format!("inet:{}@{}", milter.port(), milter.ip()));
    assert!(documented != told, "docs/{PAGE} names no milter {MILTER}:\n{told}");
    let cf = root.join("usr/share/sendmail/cf");
    let source = format!(
        "include(`{cf}/m4/cf.m4')dnl\nOSTYPE(`linux')dnl\ndefine(`confDOMAIN_NAME', `mx.victim.example')dnl\n\
         define(`QUEUE_DIR', `{dir}/queue')dnl\ndefine(`confPID_FILE', `{dir}/pid')dnl\ndefine(`ALIAS_FILE', `')dnl\n\
         define(`confCW_FILE', `')dnl\ndefine(`confDONT_PROBE_INTERFACES', `True')dnl\ndefine(`confDELIVERY_MODE', `queueonly')dnl\n\
         define(`STATUS_FILE', `{dir}/statistics')dnl\ndefine(`confREFUSE_LA', `1000000')dnl\n\
         define(`confQUEUE_LA', `1000000')dnl\nFEATURE(`no_default_msa')dnl\nFEATURE(`accept_unresolvable_domains')dnl\n\
         DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port={smtp}')dnl\nLOCAL_DOMAIN(`victim.example')dnl\n\
         {documented}MAILER(`local')dnl\nMAILER(`smtp')dnl\n",
        cf = cf.display(),
        dir = folder.display(),
    );
    let path = folder.join("sendmail.mc");
    fs::write(&path, source).unwrap();
    let made = program("m4").arg(format!("-D_CF_DIR_={}/", cf.display())).arg(path).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    fs::write(folder.join("sendmail.cf"), made.stdout).unwrap();
    fs::write(folder.join("hosts"), "127.0.0.1 mx.victim.example localhost\n").unwrap();
}

/// Sendmail with the configuration in a folder, on a machine with another name: without a name of several labels, which it can look up,
/// it waits for a minute.
fn inside(root: &Path, folder: &Path) -> Command {
    let script = "mount --bind \"$0\" /etc/hosts && hostname mx.victim.example && exec \"$@\"";
    let mut command = program("unshare");
    command.args(["--uts", "--mount", "sh", "-c", script]).arg(folder.join("hosts"));
    command.arg(root.join(BINARY)).arg("-C").arg(folder.join("sendmail.cf"));
    command
}
