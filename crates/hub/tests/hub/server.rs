//! The server over sockets: slow and rude clients, many connections, TLS, shutdown.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exchange::{Exchange, Keys, NewMember, Options, PublishOptions};
use hub::{HubOptions, ServeOptions, Tls, TlsFiles, router, serve};
use model::{Caller, Member, MemberKind, Principal, Role, Subject, SystemClock};
use programme::Programme;
use testkit::{Chance, caller_of, envelope, tier};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::{Login, indicators, template_with};

/// A hub on loopback, with the machine's clock.
pub(crate) struct Live {
    pub(crate) exchange: Exchange,
    pub(crate) operator: Caller,
    pub(crate) address: SocketAddr,
    end: Mutex<Option<(oneshot::Sender<()>, JoinHandle<usize>)>>,
}

/// What a hub grants to a test that says nothing else.
pub(crate) fn limits() -> HubOptions {
    HubOptions { streams_max: 8, heartbeat: Duration::from_millis(100), ..HubOptions::new([9; 32]) }
}

/// One end of a connection, reading lines.
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    is_chunked: bool,
}

impl Client {
    /// The next line that is not the framing of a chunk; `None` at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            let read = timeout(Duration::from_secs(30), self.reader.read_line(&mut line))
                .await
                .expect("a line comes");
            if read.unwrap_or(0) == 0 {
                return None;
            }
            let line = line.trim_end();
            let is_frame = self.is_chunked && !line.is_empty() && u64::from_str_radix(line, 16).is_ok();
            if !is_frame && !line.is_empty() {
                return Some(line.to_owned());
            }
        }
    }

    /// Waits, reading nothing, until the hub has given the connection up: then it resets what else it is sent.
    async fn is_given_up(&mut self) {
        let all = async {
            while self.reader.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(Duration::from_mins(1), all).await.expect("the connection is given up");
    }

    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = self.reader.read_to_end(&mut rest).await;
        String::from_utf8_lossy(&rest).into_owned()
    }
}

impl Live {
    pub(crate) async fn start() -> Self {
        Self::with(ServeOptions::default()).await
    }

    pub(crate) async fn with(serving: ServeOptions) -> Self {
        Self::over(&programme::template(), serving, limits()).await
    }

    pub(crate) async fn limited(limits: HubOptions) -> Self {
        Self::over(&programme::template(), ServeOptions::default(), limits).await
    }

    async fn over(files: &BTreeMap<String, Vec<u8>>, serving: ServeOptions, limits: HubOptions) -> Self {
        let programme = Arc::new(Programme::from_files(files).unwrap());
        let chance = Mutex::new(Chance(5));
        let random = Arc::new(move |bytes: &mut [u8]| {
            let mut chance = chance.lock().unwrap();
            for byte in bytes {
                *byte = chance.below(256).to_le_bytes()[0];
            }
        });
        let keys = Keys {
            origin: "test.example/jcsp".to_owned(),
            ledger: [1; 32],
            cursor: [2; 32],
            credentials: [3; 32],
        };
        let options = Options { clock: Arc::new(SystemClock::default()), random, keys };
        let exchange = Exchange::open(Arc::new(store::MemoryStore::new()), &programme, options).unwrap();
        let router = router(exchange.clone(), limits).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let shutdown = async move { drop(ended.await) };
        let task = tokio::spawn(serve(vec![listener], router, serving, shutdown));
        let operator = caller_of(Principal::Role(Role::Operator));
        Self { exchange, operator, address, end: Mutex::new(Some((end, task))) }
    }

    /// Shuts the hub down; returns how many connections had to be dropped.
    pub(crate) async fn stop(&self) -> usize {
        let (end, task) = self.end.lock().unwrap().take().unwrap();
        end.send(()).unwrap();
        timeout(Duration::from_mins(1), task).await.expect("the hub ends").unwrap()
    }

    pub(crate) fn member(&self, name: &str, tiers: &[&str]) -> (Member, Login) {
        let new = NewMember {
            name: name.to_owned(),
            kind: MemberKind::Provider,
            identity: None,
            subject: Subject::default(),
            listed: tiers.iter().map(|name| tier(name)).collect(),
        };
        let member = self.exchange.add_member(&self.operator, new).unwrap();
        let login = self.issue(Principal::Member(member.id.clone()));
        (member, login)
    }

    pub(crate) fn issue(&self, principal: Principal) -> Login {
        let person = testkit::person_for(&principal);
        let new = exchange::NewCredential {
            principal,
            login: None,
            actions: self.operator.actions.clone(),
            collections: None,
            expires: None,
            note: String::new(),
            person,
            password: None,
        };
        self.exchange.issue_credential(&self.operator, new).unwrap().into()
    }

    pub(crate) fn publish(&self, collection: &str, objects: &[Vec<u8>]) {
        self.exchange
            .publish(&self.operator, collection, envelope(objects), PublishOptions::default())
            .unwrap();
    }

    /// Sends a request and reads the head of the answer.
    pub(crate) async fn open(&self, login: &Login, path: &str, headers: &[(&str, &str)]) -> (Client, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut text = format!(
            "GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nAuthorization: {}\r\n",
            login.basic()
        );
        for (name, value) in headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.push_str("\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = timeout(Duration::from_secs(30), reader.read_line(&mut head)).await.unwrap().unwrap();
            assert!(read > 0, "the connection ended in the head: {head}");
        }
        (Client { reader, is_chunked: head.contains("transfer-encoding: chunked") }, head)
    }

    pub(crate) async fn stream(&self, login: &Login, query: &str, headers: &[(&str, &str)]) -> Client {
        let (client, head) = self.open(login, &format!("/api/stream?{query}"), headers).await;
        assert!(
            head.starts_with("HTTP/1.1 200") && head.contains("content-type: text/event-stream"),
            "{head}"
        );
        client
    }

    /// A whole request; a whole answer.
    pub(crate) async fn request(
        &self,
        login: &Login,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nAuthorization: {}\r\nContent-Length: {}\r\n",
            login.basic(),
            body.len()
        );
        for header in headers {
            text.extend([header, "\r\n"]);
        }
        text.push_str("\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        let _ =
            timeout(Duration::from_mins(1), stream.read_to_end(&mut answer)).await.expect("an answer comes");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

const OBJECTS: &str = "/jcsp/collections/indicators/objects/";
const TYPE: &str = "Content-Type: application/taxii+json;version=2.1";

#[tokio::test(flavor = "multi_thread")]
async fn publish_and_poll_over_a_socket() {
    let live = Live::start().await;
    let (_, login) = live.member("Alpha", &["programme"]);
    let body = envelope(&indicators(1..100));
    let posted = live.request(&login, "POST", OBJECTS, &[TYPE], &body).await;
    assert!(posted.starts_with("HTTP/1.1 202"), "{posted}");
    // What was acknowledged is due: the very next poll has it.
    let page = live.request(&login, "GET", OBJECTS, &[], b"").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("x-taxii-date-added-last: "), "{page}");
    assert_eq!(page.matches("\"type\":\"indicator\"").count(), 99);
    assert_eq!(live.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_about_the_length_are_noticed() {
    let live = Live::limited(HubOptions { body_pause_max: Duration::from_millis(300), ..limits() }).await;
    let (_, login) = live.member("Alpha", &["programme"]);
    // More announced than the limit: refused before a byte of it is sent.
    let mut stream = TcpStream::connect(live.address).await.unwrap();
    let head = format!(
        "POST {OBJECTS} HTTP/1.1\r\nHost: hub\r\n{TYPE}\r\nAuthorization: {}\r\nContent-Length: 99999999999\r\n\r\n",
        login.basic()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    timeout(Duration::from_secs(30), stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    // More announced than sent: the hub waits so long and no longer, and publishes nothing.
    let mut stream = TcpStream::connect(live.address).await.unwrap();
    let body = envelope(&indicators(1..2));
    let head = format!(
        "POST {OBJECTS} HTTP/1.1\r\nHost: hub\r\n{TYPE}\r\nAuthorization: {}\r\nContent-Length: {}\r\n\r\n",
        login.basic(),
        body.len() + 1
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    timeout(Duration::from_secs(30), stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    let page = live.request(&login, "GET", OBJECTS, &[], b"").await;
    assert!(page.ends_with("{\"more\":false}"), "{page}");
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_too_much_reads_why_it_is_refused() {
    // What is refused is read for a second at most, so it is no more than any machine reads in that time.
    let files = template_with(&[("body_size_max_bytes", 1_000_000)]);
    let live = Live::over(&files, ServeOptions::default(), limits()).await;
    let (_, login) = live.member("Alpha", &["programme"]);
    let body = vec![b' '; 2_000_000];
    let refused = live.request(&login, "POST", OBJECTS, &[TYPE], &body).await;
    assert!(refused.starts_with("HTTP/1.1 413") && refused.contains("\"http_status\":\"413\""), "{refused}");
    let refused = live.request(&login, "POST", OBJECTS, &["Content-Type: text/plain"], &body).await;
    assert!(refused.starts_with("HTTP/1.1 415"), "{refused}");
    let stranger = Login { secret: "wrong".to_owned(), ..login };
    let refused = live.request(&stranger, "POST", OBJECTS, &[TYPE], &body).await;
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_lose_their_connection_and_nobody_else_does() {
    let serving = ServeOptions { head_max: Duration::from_secs(2), ..ServeOptions::default() };
    let live = Live::with(serving).await;
    let (_, login) = live.member("Alpha", &["programme"]);
    let mut slow = TcpStream::connect(live.address).await.unwrap();
    slow.write_all(b"GET /taxii2/ HTTP/1.1\r\nHost:").await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(Duration::from_secs(30), slow.read_to_end(&mut rest))
        .await
        .expect("the connection is closed");
    assert!(!String::from_utf8_lossy(&rest).starts_with("HTTP/1.1 200"));
    assert!(live.request(&login, "GET", "/taxii2/", &[], b"").await.starts_with("HTTP/1.1 200"));
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_ask_nothing_are_closed_whatever_they_speak() {
    let serving = ServeOptions { head_max: Duration::from_secs(1), ..ServeOptions::default() };
    let live = Live::with(serving).await;
    // An empty SETTINGS frame, and a PING.
    let settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let ping = b"\0\0\x08\x06\0\0\0\0\0\0\0\0\0\0\0\0\0";
    for first in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", settings] {
        let stream = TcpStream::connect(live.address).await.unwrap();
        let (mut reading, mut writing) = stream.into_split();
        writing.write_all(first).await.unwrap();
        let is_http2 = first.len() == settings.len();
        let pinging = tokio::spawn(async move {
            // A client of HTTP/2 that is alive, and asks nothing.
            while is_http2 && writing.write_all(ping).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            std::future::pending::<()>().await;
        });
        let mut rest = Vec::new();
        let closed = timeout(Duration::from_secs(30), reading.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "{:?} is closed", String::from_utf8_lossy(first));
        pinging.abort();
    }
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stands_still_loses_its_connection_and_a_silent_stream_does_not() {
    let serving = ServeOptions { head_max: Duration::from_secs(3), ..ServeOptions::default() };
    let live = Live::with(serving).await;
    let (_, login) = live.member("Alpha", &["programme", "open"]);
    let objects: Vec<Vec<u8>> = indicators(1..25)
        .into_iter()
        .map(|object| {
            let object = String::from_utf8(object).unwrap();
            object.replacen('{', &format!("{{\"x_text\":\"{}\",", "a".repeat(600_000)), 1).into_bytes()
        })
        .collect();
    live.publish("indicators", &objects);
    let mut silent = live.stream(&login, "collection=open", &[]).await;
    let mut still = live.open(&login, OBJECTS, &[]).await.0;
    still.is_given_up().await;
    let read = timeout(Duration::from_secs(30), still.rest()).await.expect("the connection is closed");
    assert!(!read.ends_with('}'), "{} bytes were read to the end", read.len());
    // The same to a client that reads.
    let whole = live.open(&login, OBJECTS, &[]).await.0.rest().await;
    assert!(whole.ends_with('}') && whole.len() > read.len());
    live.publish("open", &indicators(30..31));
    while !silent.line().await.expect("the stream is open").starts_with("data: ") {}
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_leaves_places_to_others_and_a_proxy_has_all() {
    for (trusted_proxies, is_answered) in [(vec![], false), (vec!["127.0.0.1".parse().unwrap()], true)] {
        let serving =
            ServeOptions { connections_per_address_max: 1, trusted_proxies, ..ServeOptions::default() };
        let live = Live::with(serving).await;
        let (_, login) = live.member("Alpha", &["programme"]);
        let first = TcpStream::connect(live.address).await.unwrap();
        let mut second = TcpStream::connect(live.address).await.unwrap();
        let head = format!(
            "GET /taxii2/ HTTP/1.1\r\nHost: hub\r\nAuthorization: {}\r\nConnection: close\r\n\r\n",
            login.basic()
        );
        let _ = second.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = second.read_to_end(&mut answer).await;
        assert_eq!(answer.starts_with(b"HTTP/1.1 200"), is_answered);
        drop(first);
        live.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let serving = ServeOptions { connections_max: 2, ..ServeOptions::default() };
    let live = Live::with(serving).await;
    let (_, login) = live.member("Alpha", &["programme"]);
    let idle =
        (TcpStream::connect(live.address).await.unwrap(), TcpStream::connect(live.address).await.unwrap());
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (address, header) = (live.address, login.basic());
    let waiting = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET /taxii2/ HTTP/1.1\r\nHost: hub\r\nAuthorization: {header}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished(), "there is no place");
    drop(idle);
    let answer = timeout(Duration::from_secs(30), waiting).await.expect("a place became free").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    live.stop().await;
}

/// A client that sends its body when the hub asks for it: from then on the request runs.
const ASKING: &str = "Expect: 100-continue";

async fn goes_on(stream: &mut TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut answer = [0; ANSWER.len()];
    timeout(Duration::from_secs(30), stream.read_exact(&mut answer))
        .await
        .expect("the hub asks for it")
        .unwrap();
    assert_eq!(answer, ANSWER);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_at_shutdown_is_answered_and_nothing_more_is_accepted() {
    let live = Live::with(ServeOptions { grace: Duration::from_secs(40), ..ServeOptions::default() }).await;
    let (_, login) = live.member("Alpha", &["programme"]);
    let body = envelope(&indicators(1..3));
    let mut stream = TcpStream::connect(live.address).await.unwrap();
    let head = format!(
        "POST {OBJECTS} HTTP/1.1\r\nHost: hub\r\n{TYPE}\r\nAuthorization: {}\r\nContent-Length: {}\r\n{ASKING}\r\n\r\n",
        login.basic(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    goes_on(&mut stream).await;
    stream.write_all(&body[..10]).await.unwrap();
    let finish = async {
        let refused = async { while TcpStream::connect(live.address).await.is_ok() {} };
        timeout(Duration::from_secs(20), refused).await.expect("nobody listens any more");
        stream.write_all(&body[10..]).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    };
    let (left, answer) = tokio::join!(live.stop(), finish);
    assert_eq!(left, 0);
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_is_dropped_when_the_grace_is_over() {
    let serving = ServeOptions { grace: Duration::from_millis(100), ..ServeOptions::default() };
    let live = Live::with(serving).await;
    let (_, login) = live.member("Alpha", &["programme"]);
    let mut stream = TcpStream::connect(live.address).await.unwrap();
    let head = format!(
        "POST {OBJECTS} HTTP/1.1\r\nHost: hub\r\n{TYPE}\r\nAuthorization: {}\r\nContent-Length: 5000\r\n{ASKING}\r\n\r\n",
        login.basic()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    goes_on(&mut stream).await;
    stream.write_all(b"{").await.unwrap();
    assert_eq!(live.stop().await, 1);
}

/// A certificate for `localhost`, made for these tests and good for nothing else.
fn certificate() -> (std::path::PathBuf, std::path::PathBuf) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hub");
    (folder.join("localhost.crt"), folder.join("localhost.key"))
}

fn files(certificate: &std::path::Path, key: &std::path::Path) -> TlsFiles {
    TlsFiles { certificate: certificate.to_owned(), key: key.to_owned(), client_authorities: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_with_the_certificate_that_was_given() {
    use rustls_pki_types::pem::PemObject as _;
    let (certificate, key) = certificate();
    let tls = Tls::from_files(files(&certificate, &key)).unwrap();
    let live = Live::with(ServeOptions { tls: Some(tls), ..ServeOptions::default() }).await;
    let (_, login) = live.member("Alpha", &["programme"]);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls_pki_types::CertificateDer::from_pem_file(&certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(live.address).await.unwrap();
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let head = format!(
        "GET /taxii2/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nConnection: close\r\n\r\n",
        login.basic()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age="), "{answer}");
    // Plain HTTP to the same port gets nothing.
    let plain = live.request(&login, "GET", "/taxii2/", &[], b"").await;
    assert!(!plain.starts_with("HTTP/1.1 200"), "{plain}");
    live.stop().await;
}

#[test]
fn files_that_are_no_certificate_or_key_are_named() {
    let (certificate, key) = certificate();
    for (certificate, key, named) in [
        (certificate.as_path(), certificate.as_path(), "localhost.crt"),
        (key.as_path(), key.as_path(), "localhost.key"),
        (std::path::Path::new("/nowhere.pem"), key.as_path(), "/nowhere.pem"),
    ] {
        let error = Tls::from_files(files(certificate, key)).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_at_once_are_all_answered() {
    let live = Arc::new(Live::start().await);
    let (_, login) = live.member("Alpha", &["programme"]);
    live.publish("indicators", &indicators(1..50));
    let answered = Arc::new(AtomicU64::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (live, login, answered) = (Arc::clone(&live), login.clone(), Arc::clone(&answered));
        clients.spawn(async move {
            let page = live.request(&login, "GET", OBJECTS, &[], b"").await;
            assert_eq!(page.matches("\"type\":\"indicator\"").count(), 49);
            answered.fetch_add(1, Ordering::Relaxed);
        });
    }
    clients.join_all().await;
    assert_eq!(answered.load(Ordering::Relaxed), 50);
    live.stop().await;
}
