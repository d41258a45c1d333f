//! TLS through the real binary: commands and members over it, members by certificate, and certificates that are replaced
//! while somebody is connected. And that secrets stay where they belong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Hub, hub_command, member, programme, ringfence, text};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use testkit::certificates::{Authority, Identity, Wanted};

/// Longer than anything takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(2);

/// A hub that speaks TLS, and what it says.
struct Site {
    hub: Hub,
    servers: Authority,
    clients: Authority,
    said: Arc<Mutex<Vec<String>>>,
}

struct Open(StreamOwned<ClientConnection, TcpStream>);

impl Site {
    fn start(dir: &Path) -> Self {
        let (servers, clients) = (Authority::new("Servers"), Authority::new("Sector CA"));
        put(dir, &servers.issue(&Wanted::server("hub")));
        std::fs::write(dir.join("clients.crt"), &clients.certificate).unwrap();
        std::fs::write(dir.join("servers.crt"), &servers.certificate).unwrap();
        let mut command = hub_command(dir);
        for (flag, file) in
            [("--tls-cert", "hub.crt"), ("--tls-key", "hub.key"), ("--client-ca", "clients.crt")]
        {
            command.arg(flag).arg(dir.join(file));
        }
        command.stderr(Stdio::piped());
        let mut hub = Hub::from_command(dir, command, Some(dir.join("servers.crt")));
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let (lines, keep) = (BufReader::new(hub.stderr()).lines(), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                keep.lock().unwrap().push(line);
            }
        });
        Self { hub, servers, clients, said }
    }

    fn connect(&self, identity: Option<&Identity>) -> Open {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.servers.certificate.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let address = self.hub.url.strip_prefix("https://").expect("the hub speaks TLS");
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        Open(StreamOwned::new(connection, stream))
    }

    /// The certificate that a new connection gets.
    fn shown(&self) -> CertificateDer<'static> {
        let mut open = self.connect(None);
        assert_eq!(open.status("/healthz"), 200);
        open.0.conn.peer_certificates().unwrap()[0].clone()
    }

    fn has_said(&self, what: &str) -> bool {
        self.said.lock().unwrap().iter().any(|line| line.contains(what))
    }
}

impl Open {
    fn status(&mut self, path: &str) -> u16 {
        write!(self.0, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        self.0.read_exact(&mut vec![0; length]).unwrap();
        head.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

fn put(dir: &Path, server: &Identity) {
    std::fs::write(dir.join("hub.crt"), &server.certificate).unwrap();
    std::fs::write(dir.join("hub.key"), &server.key).unwrap();
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_member_polls_by_certificate_and_certificates_are_replaced_meanwhile() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let site = Site::start(dir);
    let tiers = ["--tier", "open", "--tier", "programme"];
    site.hub.json(&[&["member", "add", "Alpha", "--kind", "provider"], &tiers[..]].concat());
    let identity = site.clients.issue(&Wanted::new("alpha"));
    let file = dir.join("alpha.crt");
    std::fs::write(&file, &identity.certificate).unwrap();
    let add = |known_by: &str| {
        let file = file.to_str().unwrap();
        site.hub.run(&["token", "add", "--member", "Alpha", "--certificate", file, "--known-by", known_by])
    };
    let refused = add("alternative-name");
    assert!(
        !refused.status.success() && text(&refused).contains("no alternative name"),
        "{}",
        text(&refused)
    );
    let issued = add("subject");
    assert!(issued.status.success() && text(&issued).contains("certificate of CN=alpha by CN=Sector CA"));
    let listed = site.hub.json(&["token", "list"]);
    let of_alpha = listed.as_array().unwrap().iter().find(|one| one.get("certificate").is_some()).unwrap();

    let poll = "/jcsp/collections/indicators/objects/";
    let mut open = site.connect(Some(&identity));
    assert_eq!(open.status(poll), 200);
    assert_eq!(site.connect(None).status(poll), 401);
    // A renewed certificate of that name is the same credential.
    assert_eq!(site.connect(Some(&site.clients.issue(&Wanted::new("alpha")))).status(poll), 200);

    // Replaced files are noticed without being told.
    let first = site.shown();
    put(dir, &site.servers.issue(&Wanted::server("hub")));
    wait_until("the new certificate is in force", || site.shown() != first);
    assert_eq!(open.status(poll), 200, "the open connection went on");
    // What cannot be used is told, and changes nothing; SIGHUP asks again.
    let second = site.shown();
    std::fs::write(dir.join("hub.crt"), "no certificate").unwrap();
    site.hub.hang_up();
    wait_until("it is said", || site.has_said("the certificates stay as they were"));
    assert_eq!(site.shown(), second);
    put(dir, &site.servers.issue(&Wanted::server("hub")));
    site.hub.hang_up();
    wait_until("the third certificate is in force", || site.shown() != second);
    assert_eq!(open.status(poll), 200);

    site.hub.json(&["token", "revoke", of_alpha["id"].as_str().unwrap()]);
    assert_eq!(open.status(poll), 401, "the next request, on the connection that was always open");
    assert!(!site.has_said("PRIVATE"), "no key is in the log");
    site.hub.stop();
}

/// Every file below a directory.
fn files_below(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn no_secret_is_in_the_log_the_process_list_the_store_or_a_backup() {
    const CHOSEN: &str = "correct horse battery staple";
    let root = tempfile::tempdir().unwrap();
    let (dir, data) = (root.path(), root.path().join("data"));
    let mut command = ringfence();
    command.args(["hub", "--json", "--listen", "127.0.0.1:0", "--log", "trace", "--programme"]);
    command.arg(programme(dir)).arg("--data").arg(&data).stderr(Stdio::piped());
    let mut hub = Hub::from_command(dir, command, None);
    let mut stderr = hub.stderr();
    let log = std::thread::spawn(move || {
        let mut log = Vec::new();
        stderr.read_to_end(&mut log).unwrap();
        log
    });
    let (_, user, password) = member(&hub, "Alpha");
    hub.collection(&user, &password, "indicators");
    let account = ["token", "add", "--role", "officer", "--login", "ada", "--password-stdin"];
    let added = hub.run_with(&account, CHOSEN);
    assert!(added.status.success(), "{}", text(&added));
    hub.collection("ada", CHOSEN, "indicators");
    hub.json(&["backup", "copy"]);

    let keys = std::fs::read_to_string(data.join("keys.toml")).unwrap();
    let of_the_hub = keys.lines().filter(|line| !line.starts_with('#') && !line.starts_with("origin"));
    let mut secrets: Vec<String> =
        of_the_hub.filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect();
    assert_eq!(secrets.len(), 3, "the keys of ledger, cursor and credentials");
    secrets.extend([hub.token.clone(), password, CHOSEN.to_owned()]);
    let mut places = vec![("process list".to_owned(), "cmdline"), ("environment".to_owned(), "environ")]
        .into_iter()
        .map(|(name, file)| (name, std::fs::read(format!("/proc/{}/{file}", hub.pid())).unwrap()))
        .collect::<Vec<_>>();
    hub.stop();
    let log = log.join().unwrap();
    assert!(String::from_utf8_lossy(&log).contains("answered"), "the log has everything");
    places.push(("log".to_owned(), log));
    for file in files_below(&data) {
        // These two are the secrets' own, and nobody else's to read.
        if !["keys.toml", "operator.token"].contains(&file.file_name().unwrap().to_str().unwrap()) {
            places.push((file.display().to_string(), std::fs::read(&file).unwrap()));
        }
    }
    assert!(places.iter().any(|(name, _)| name.contains("backups/copy")), "the copy was looked at");
    for (place, bytes) in &places {
        for (number, secret) in secrets.iter().enumerate() {
            let is_there = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!is_there, "secret {number} is in `{place}`");
        }
    }
}
