//! The hub that is measured: the released binary, on the template programme with collections of the bench's own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::http::{Body, Connection, TAXII_TYPE, basic, request, taxii_get};
use crate::objects;
use crate::process::{Process, free_port};

/// The collections that the measures fill, each for one purpose. All are of the tier `programme`.
const COLLECTIONS: [&str; 5] = [BULK, SPARSE, FEW, LABELS_FEW, LABELS_MANY];
/// A million objects that every listed member may read.
pub(crate) const BULK: &str = "bench-bulk";
/// As many, of which one member may read one in a thousand.
pub(crate) const SPARSE: &str = "bench-sparse";
/// Only as many as that member may read.
pub(crate) const FEW: &str = "bench-few";
/// Objects of ten labels.
pub(crate) const LABELS_FEW: &str = "bench-labels-few";
/// As many objects, of ten thousand labels.
pub(crate) const LABELS_MANY: &str = "bench-labels-many";

/// A running hub, with the operator's credential.
pub(crate) struct Hub {
    pub(crate) process: Process,
    pub(crate) port: u16,
    pub(crate) operator: String,
    binary: PathBuf,
    home: PathBuf,
    root: String,
}

/// A member with its HTTP Basic credential.
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) authorization: String,
}

impl Hub {
    /// Makes a programme and an empty data directory below `home`, and starts a hub on them.
    pub(crate) fn start(binary: &Path, home: &Path) -> Result<Self> {
        ensure!(
            binary.exists(),
            "there is no hub at `{}`; build it with `cargo build --release`",
            binary.display()
        );
        if home.exists() {
            fs::remove_dir_all(home)?;
        }
        fs::create_dir_all(home)?;
        let programme = home.join("programme");
        let made = Command::new(binary).arg("init").arg(&programme).output()?;
        ensure!(made.status.success(), "`ringfence init` failed: {}", String::from_utf8_lossy(&made.stderr));
        let settings = programme.join("programme.toml");
        // Who agrees to a step is not what is measured.
        let mut text = fs::read_to_string(&settings)?.replace("\nquorum = 2\n", "\nquorum = 1\n");
        for (number, alias) in COLLECTIONS.iter().enumerate() {
            let _ = write!(
                text,
                "\n[[collection]]\nid = \"00000000-0000-4000-8000-00000000000{number}\"\nalias = \"{alias}\"\n\
                 title = \"{alias}\"\ntier = \"programme\"\npublishers = [\"operator\"]\n"
            );
        }
        fs::write(&settings, text)?;
        let (process, port) = run(binary, home)?;
        let token =
            fs::read_to_string(home.join("data/operator.token")).context("reading the operator's token")?;
        Ok(Self {
            process,
            port,
            operator: format!("Bearer {}", token.trim()),
            binary: binary.to_owned(),
            home: home.to_owned(),
            root: "/jcsp".to_owned(),
        })
    }

    /// Stops the hub and starts it on the same data.
    pub(crate) fn restart(self) -> Result<Self> {
        let Self { process, operator, binary, home, root, .. } = self;
        drop(process);
        let (process, port) = run(&binary, &home)?;
        Ok(Self { process, port, operator, binary, home, root })
    }

    /// Asks the administration API as the operator.
    pub(crate) fn api(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        Connection::new(self.port).json(method, path, &self.operator, Some(body))
    }

    /// Admits a member, on the list of the tier `programme`, and gives it a credential.
    pub(crate) fn admit(&self, name: &str) -> Result<Member> {
        self.admit_as(name, name)
    }

    /// The same with a login of another name.
    pub(crate) fn admit_as(&self, name: &str, login: &str) -> Result<Member> {
        let new = json!({"name": name, "kind": "provider", "listed": ["programme"]});
        let member = self.api("POST", "/api/members", &new)?;
        let id = member["id"].as_str().context("a new member has no id")?.to_owned();
        let issued = self.api("POST", "/api/credentials", &json!({"member": id, "login": login}))?;
        let secret = issued["secret"].as_str().context("a new credential has no secret")?;
        Ok(Member { id, authorization: basic(login, secret) })
    }

    /// Sets a member's standing on the tier of the bench's collections.
    pub(crate) fn set_standing(&self, member: &Member, to: &str) -> Result<()> {
        let step = json!({"tier": "programme", "to": to, "reason": "measured"});
        self.api("POST", &format!("/api/members/{}/standing", member.id), &step).map(drop)
    }

    /// The path of a collection, with what comes after it.
    pub(crate) fn path(&self, alias: &str, rest: &str) -> String {
        format!("{}/collections/{alias}/{rest}", self.root)
    }

    /// A read of a page.
    pub(crate) fn page(&self, alias: &str, limit: u64, after: Option<&str>, reader: &str) -> Vec<u8> {
        let after = after.map(|after| format!("&added_after={after}")).unwrap_or_default();
        taxii_get(&self.path(alias, &format!("objects/?limit={limit}{after}")), reader)
    }

    /// A submission, with further properties of the envelope, each ending in a comma.
    pub(crate) fn submission(&self, alias: &str, first: u64, count: u64, properties: &str) -> Vec<u8> {
        let body = objects::envelope(first, count, properties);
        request("POST", &self.path(alias, "objects/"), &self.operator, TAXII_TYPE, &body)
    }

    /// Follows a collection to its end as a client does that keeps the date of the last object; gives the cursor before
    /// each page, and how many objects there were.
    pub(crate) fn walk(&self, alias: &str, reader: &str) -> Result<(Vec<Option<String>>, u64)> {
        let mut connection = Connection::new(self.port);
        let (mut cursors, mut after, mut objects) = (Vec::new(), None::<String>, 0);
        loop {
            let reply = connection.ask(&self.page(alias, 1_000, after.as_deref(), reader), Body::Keep)?;
            if reply.status != 200 {
                bail!("a page answered {}: {}", reply.status, String::from_utf8_lossy(&connection.body));
            }
            let count = count_objects(&connection.body);
            objects += count;
            let last = connection.header("x-taxii-date-added-last").map(str::to_owned);
            let more = connection.body.starts_with(b"{\"more\":true");
            if count > 0 {
                cursors.push(std::mem::replace(&mut after, last));
            }
            if !more {
                return Ok((cursors, objects));
            }
        }
    }
}

/// How many of the bench's objects an envelope has.
pub(crate) fn count_objects(body: &[u8]) -> u64 {
    let count = memchr::memmem::find_iter(body, b"\"id\":\"indicator--").count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn run(binary: &Path, home: &Path) -> Result<(Process, u16)> {
    let port = free_port()?;
    let mut command = Command::new(binary);
    command.arg("hub").arg("--programme").arg(home.join("programme")).arg("--data").arg(home.join("data"));
    command.arg("--listen").arg(format!("127.0.0.1:{port}"));
    let mut process = Process::start("the hub", &mut command, &home.join("hub.log"))?;
    process.wait_for(port)?;
    Ok((process, port))
}
