//! The forwarder over all its transports, with an upstream that we write ourselves.

#![expect(clippy::unwrap_used, reason = "a step that cannot be taken fails the test, as it should")]

mod support;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peers::{dig, has};
use sinkhole::WireName;
use sinkhole::forward::{
    Action, Answer, Cause, Forwarder, Judge, Rate, Reason, Settings, Sink, StreamLimits, UdpServer, Verdict,
    serve_https, serve_tcp, serve_tls, serve_udp,
};
use support::random;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

/// Lists by words in the name: `blocked`, `gone`, `empty`, `watched`, `allowed`; and one address.
struct Words;

fn block(slot: u32, answer: Answer) -> Verdict {
    let reason = Reason { cause: Cause::Blocked, text: "feed-a".into() };
    Verdict::Block { slot, answer, reason }
}

impl Judge for Words {
    fn judge(&self, name: WireName<'_>, _qtype: u16, _client: IpAddr) -> Verdict {
        let safe = Answer::Address {
            v4: Some(Ipv4Addr::new(192, 0, 2, 80)),
            v6: Some("2001:db8::80".parse().unwrap()),
        };
        match name.labels().next() {
            Some(b"blocked") => block(1, safe),
            Some(b"gone") => block(2, Answer::NxDomain),
            Some(b"empty") => block(3, Answer::NoData),
            Some(b"watched") => Verdict::Monitor { slot: 4 },
            Some(b"allowed") => Verdict::Allow,
            _ => Verdict::Pass,
        }
    }

    fn judges_addresses(&self) -> bool {
        true
    }

    fn judge_address(&self, address: IpAddr, _client: IpAddr) -> Verdict {
        if address == IpAddr::from([203, 0, 113, 66]) { block(5, Answer::NxDomain) } else { Verdict::Pass }
    }
}

#[derive(Default)]
struct Hits(Mutex<Vec<(u32, Action)>>);

impl Sink for Hits {
    fn hit(&self, slot: u32, action: Action) {
        self.0.lock().unwrap().push((slot, action));
    }
}

/// What the upstream does, by the first label; and how often it was asked.
struct Upstream {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    last: Arc<Mutex<Vec<u8>>>,
}

const A: u16 = 1;
const AAAA: u16 = 28;
const HTTPS: u16 = 65;

fn query(name: &str, qtype: u16) -> Vec<u8> {
    let mut bytes = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    bytes.extend_from_slice(support::name(name).as_wire().as_bytes());
    bytes.extend_from_slice(&qtype.to_be_bytes());
    bytes.extend_from_slice(&[0, 1]);
    bytes
}

/// As `query`, with an OPT record that asks for DNSSEC data.
fn query_edns(name: &str, qtype: u16) -> Vec<u8> {
    let mut bytes = query(name, qtype);
    bytes[11] = 1;
    bytes.extend_from_slice(&[0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 0]);
    bytes
}

/// An answer without OPT to `query` with these records after the question.
fn answer(query: &[u8], records: &[&[u8]]) -> Vec<u8> {
    let mut end = 12;
    while query[end] != 0 {
        end += usize::from(query[end]) + 1;
    }
    let count = u8::try_from(records.len()).unwrap();
    let mut answer = vec![query[0], query[1], 0x81, 0xa0, 0, 1, 0, count, 0, 0, 0, 0];
    answer.extend_from_slice(&query[12..end + 5]);
    answer.extend(records.iter().copied().flatten());
    answer
}

fn address_record(ttl: u8, address: [u8; 4]) -> Vec<u8> {
    [&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, ttl, 0, 4][..], &address].concat()
}

fn alias_record(target: &str) -> Vec<u8> {
    let target = support::name(target);
    let target = target.as_wire().as_bytes();
    [&[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, u8::try_from(target.len()).unwrap()][..], target].concat()
}

fn reply(query: &[u8]) -> Vec<Vec<u8>> {
    let label = query[13..13 + usize::from(query[12])].to_ascii_lowercase();
    let good = answer(query, &[&address_record(60, [198, 51, 100, 7])]);
    match &label[..] {
        b"silent" => vec![],
        b"brief" => vec![answer(query, &[&address_record(0, [198, 51, 100, 7])])],
        b"alias" | b"allowed" => {
            vec![answer(
                query,
                &[&alias_record("blocked.example.net"), &address_record(60, [198, 51, 100, 7])],
            )]
        }
        b"leads" => vec![answer(query, &[&address_record(60, [203, 0, 113, 66])])],
        b"long" => {
            let mut cut = answer(query, &[]);
            cut[2] |= 2;
            vec![cut]
        }
        b"forged" => {
            // Somebody guesses: another identifier, another question; then the truth.
            let mut id = answer(query, &[&address_record(60, [203, 0, 113, 1])]);
            id[0] ^= 1;
            let mut question = answer(query, &[&address_record(60, [203, 0, 113, 1])]);
            question[14] ^= 1;
            vec![id, question, good]
        }
        b"broken" => {
            // A name that points at itself.
            vec![answer(query, &[&[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 48]])]
        }
        b"failing" => {
            let mut failed = answer(query, &[]);
            failed[3] |= 2;
            vec![failed]
        }
        _ => vec![good],
    }
}

impl Upstream {
    async fn start() -> Self {
        // One port for both.
        let (socket, listener) = loop {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            if let Ok(listener) = TcpListener::bind(socket.local_addr().unwrap()).await {
                break (socket, listener);
            }
        };
        let address = socket.local_addr().unwrap();
        let (asked, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counted, kept) = (Arc::clone(&asked), Arc::clone(&last));
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                counted.fetch_add(1, Ordering::SeqCst);
                kept.lock().unwrap().clear();
                kept.lock().unwrap().extend_from_slice(&buffer[..length]);
                for message in reply(&buffer[..length]) {
                    socket.send_to(&message, peer).await.unwrap();
                }
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let length = stream.read_u16().await.unwrap();
                let mut query = vec![0; usize::from(length)];
                stream.read_exact(&mut query).await.unwrap();
                let records: Vec<Vec<u8>> = (0..100).map(|n| address_record(60, [198, 51, 100, n])).collect();
                let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
                let message = answer(&query, &records);
                stream.write_u16(u16::try_from(message.len()).unwrap()).await.unwrap();
                stream.write_all(&message).await.unwrap();
            }
        });
        Self { address, asked, last }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

struct Scene {
    forwarder: Arc<Forwarder>,
    hits: Arc<Hits>,
    upstream: Upstream,
    udp: UdpServer,
    tcp: SocketAddr,
}

fn settings(upstreams: Vec<SocketAddr>, hits: &Arc<Hits>) -> Settings {
    let base = Settings::new(upstreams, Arc::new(Words), Arc::clone(hits) as _);
    Settings {
        // An upstream of ours that is late is late because the machine is busy.
        patience: Duration::from_secs(20),
        tries: 2,
        rate: Rate { per_second: 0, burst: 0 },
        ..base
    }
}

impl Scene {
    async fn open() -> Self {
        let (upstream, hits) = (Upstream::start().await, Arc::new(Hits::default()));
        let forwarder = Arc::new(Forwarder::new(settings(vec![upstream.address], &hits), 1 << 20, random()));
        let any = (Ipv4Addr::LOCALHOST, 0);
        let udp = serve_udp(&forwarder, any.into(), 2, &tokio::runtime::Handle::current()).unwrap();
        let listener = TcpListener::bind(any).await.unwrap();
        let tcp = listener.local_addr().unwrap();
        tokio::spawn(serve_tcp(Arc::clone(&forwarder), listener, StreamLimits::default()));
        Self { forwarder, hits, upstream, udp, tcp }
    }

    async fn ask(&self, query: &[u8]) -> Option<Vec<u8>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.send_to(query, self.udp.local_addr()).await.unwrap();
        let mut buffer = vec![0; 4096];
        let length = timeout(Duration::from_mins(1), socket.recv(&mut buffer)).await.ok()?.unwrap();
        buffer.truncate(length);
        Some(buffer)
    }

    async fn ask_tcp(&self, query: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.tcp).await.unwrap();
        stream.write_u16(u16::try_from(query.len()).unwrap()).await.unwrap();
        stream.write_all(query).await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await.unwrap();
        answer
    }

    fn hits(&self) -> Vec<(u32, Action)> {
        std::mem::take(&mut self.hits.0.lock().unwrap())
    }
}

fn counts(message: &[u8]) -> [u8; 4] {
    [5, 7, 9, 11].map(|at| message[at])
}

fn ends_with(message: &[u8], end: &[u8]) -> bool {
    message.windows(end.len()).any(|part| part == end)
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_names_are_answered_here() {
    let scene = Scene::open().await;
    let message = scene.ask(&query("blocked.example.com", A)).await.unwrap();
    assert_eq!((message[0], message[1], message[3] & 0x2f, counts(&message)), (0xab, 0xcd, 0, [1, 1, 0, 0]));
    assert!(message.ends_with(&[0, 0, 0, 30, 0, 4, 192, 0, 2, 80]), "the safe address, for 30 s");
    let message = scene.ask(&query("blocked.example.com", AAAA)).await.unwrap();
    assert!(message.ends_with(&"2001:db8::80".parse::<std::net::Ipv6Addr>().unwrap().octets()));
    for qtype in [HTTPS, 64, 15, 16] {
        let message = scene.ask(&query("blocked.example.com", qtype)).await.unwrap();
        assert_eq!((message[3] & 0x0f, counts(&message)), (0, [1, 0, 1, 0]), "no data of type {qtype}");
    }
    let gone = scene.ask(&query_edns("gone.example.com", A)).await.unwrap();
    assert_eq!((gone[3] & 0x2f, counts(&gone)), (3, [1, 0, 1, 1]), "no such name, not authentic");
    // Option 15, 8 bytes, code 15.
    assert!(ends_with(&gone, b"\x00\x0f\x00\x08\x00\x0ffeed-a"), "{gone:?}");
    let hits = scene.hits();
    assert_eq!(hits.len(), 7);
    assert!(hits.iter().all(|(slot, action)| [1, 2].contains(slot) && *action == Action::Blocked));
    assert_eq!(scene.upstream.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_is_forwarded_kept_and_aged() {
    let scene = Scene::open().await;
    let first = scene.ask(&query_edns("good.example.com", A)).await.unwrap();
    assert!(ends_with(&first, &[198, 51, 100, 7]) && first[3] & 0x20 != 0, "authentic data stay so");
    let sent = scene.upstream.last.lock().unwrap().clone();
    assert!(sent[sent.len() - 4] == 0x80, "the wish for DNSSEC data is passed on");
    // The letters are the client's, the answer is the same, and nobody is asked again.
    let mut shouted = query_edns("good.example.com", A);
    shouted[13..17].make_ascii_uppercase();
    let second = scene.ask(&shouted).await.unwrap();
    assert_eq!(second[13..17], *b"GOOD");
    assert_eq!(scene.upstream.asked(), 1);
    // Another type, other bits: other answers.
    scene.ask(&query("good.example.com", A)).await.unwrap();
    assert_eq!(scene.upstream.asked(), 2);
    scene.ask(&query("brief.example.com", A)).await.unwrap();
    scene.ask(&query("brief.example.com", A)).await.unwrap();
    assert_eq!(scene.upstream.asked(), 4, "what has no time is not kept");
    assert_eq!(scene.hits(), []);
    scene.ask(&query("watched.example.com", A)).await.unwrap();
    assert_eq!(scene.hits(), [(4, Action::Monitored)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_an_answer_leads_is_judged_too() {
    let scene = Scene::open().await;
    for _cached in 0..2 {
        let message = scene.ask(&query("alias.example.com", A)).await.unwrap();
        assert!(message.ends_with(&[192, 0, 2, 80]), "an alias for a listed name");
        assert_eq!(scene.hits(), [(1, Action::Blocked)]);
    }
    let message = scene.ask(&query("allowed.example.com", A)).await.unwrap();
    assert!(message.ends_with(&[198, 51, 100, 7]), "an allowed name leads where it wants");
    let message = scene.ask(&query("leads.example.com", A)).await.unwrap();
    assert_eq!(message[3] & 0x0f, 3, "a listed address");
    assert_eq!(scene.hits(), [(5, Action::Blocked)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_to_match_their_questions() {
    let scene = Scene::open().await;
    let message = scene.ask(&query("forged.example.com", A)).await.unwrap();
    assert!(message.ends_with(&[198, 51, 100, 7]));
    let message = scene.ask(&query_edns("failing.example.com", A)).await.unwrap();
    assert_eq!(message[3] & 0x0f, 2);
    let brief = Duration::from_millis(100);
    scene
        .forwarder
        .reload(Settings { patience: brief, ..settings(vec![scene.upstream.address], &scene.hits) });
    for silent in ["silent.example.com", "broken.example.com"] {
        let asked = scene.upstream.asked();
        let message = scene.ask(&query_edns(silent, A)).await.unwrap();
        assert_eq!(message[3] & 0x0f, 2, "{silent} fails");
        assert!(ends_with(&message, &[0, 15, 0, 2, 0, 22]), "and says that nobody answered");
        assert_eq!(scene.upstream.asked(), asked + 2);
    }
    // With letters of random case the answers still match.
    let hits = Arc::clone(&scene.hits);
    let varied = Settings { randomise_case: true, ..settings(vec![scene.upstream.address], &hits) };
    scene.forwarder.reload(varied);
    let message = scene.ask(&query("lettersofrandomcase.example.com", A)).await.unwrap();
    assert!(message.ends_with(&[198, 51, 100, 7]) && message[13..32] == *b"lettersofrandomcase");
    let sent = scene.upstream.last.lock().unwrap().clone();
    assert!(sent[12..40].iter().any(u8::is_ascii_uppercase), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_come_over_tcp() {
    let scene = Scene::open().await;
    let short = scene.ask(&query_edns("long.example.com", A)).await.unwrap();
    assert!(short[2] & 2 != 0 && short.len() < 60, "{short:?}");
    let long = scene.ask_tcp(&query_edns("long.example.com", A)).await;
    assert_eq!(counts(&long), [1, 100, 0, 1]);
    let any = scene.ask(&query("good.example.com", 255)).await.unwrap();
    assert!(any[2] & 2 != 0, "everything is only told over TCP");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_the_same_cost_one_question() {
    let scene = Scene::open().await;
    let patience = Duration::from_secs(2);
    scene.forwarder.reload(Settings { patience, ..settings(vec![scene.upstream.address], &scene.hits) });
    let scene = Arc::new(scene);
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { scene.ask(&query("silent.example.com", A)).await })
        })
        .collect();
    for one in asking {
        assert_eq!(one.await.unwrap().unwrap()[3] & 0x0f, 2);
    }
    // Two tries; perhaps somebody asked after the first had ended.
    assert!(scene.upstream.asked() <= 4, "{}", scene.upstream.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_upstream_rests_and_a_reload_loses_nothing() {
    let scene = Scene::open().await;
    let dead = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let both = vec![dead.local_addr().unwrap(), scene.upstream.address];
    let dead_asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&dead_asked);
    tokio::spawn(async move {
        while dead.recv(&mut [0; 2048]).await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let patience = Duration::from_millis(100);
    scene.forwarder.reload(Settings { patience, tries: 6, ..settings(both, &scene.hits) });
    for number in 0..60 {
        let message = scene.ask(&query(&format!("n{number}.example.com"), A)).await.unwrap();
        assert!(message.ends_with(&[198, 51, 100, 7]), "{number}");
    }
    let asked = dead_asked.load(Ordering::SeqCst);
    assert!((3..60).contains(&asked), "after three failures it is not asked first: {asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_asks_too_much_is_sent_to_tcp() {
    let scene = Scene::open().await;
    let limited = Settings { rate: Rate { per_second: 1, burst: 10 }, ..settings(vec![], &scene.hits) };
    scene.forwarder.reload(limited);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    for _ in 0..30 {
        socket.send_to(&query("blocked.example.com", A), scene.udp.local_addr()).await.unwrap();
    }
    let (mut answered, mut cut) = (0, 0);
    let mut buffer = [0; 2048];
    // Twenty answers come however slow the asking: each second question over the limit has one.
    while answered + cut < 20 {
        let length = timeout(Duration::from_mins(1), socket.recv(&mut buffer)).await.unwrap().unwrap();
        if buffer[2] & 2 == 0 {
            answered += 1;
        } else {
            cut += 1;
        }
        assert!(length < 100);
    }
    assert!(answered >= 10 && cut >= 1, "{answered} {cut}");
    assert!(scene.ask_tcp(&query("blocked.example.com", A)).await.ends_with(&[192, 0, 2, 80]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_nothing_over_https_makes_room() {
    let scene = Scene::open().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = StreamLimits { idle: Duration::from_millis(300), ..StreamLimits::default() };
    tokio::spawn(serve_https(Arc::clone(&scene.forwarder), listener, None, limits));
    // Nothing; what may become either version; the greeting of HTTP/2 alone; a question, and then nothing.
    let asked = b"GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n";
    let beginnings: [(&[u8], bool); 4] = [
        (b"", false),
        (b"P", false),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", true),
        (asked, true),
    ];
    for (beginning, is_answered) in beginnings {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        let mut answer = Vec::new();
        // How it is closed is no matter.
        let _closed = timeout(Duration::from_mins(1), stream.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(!answer.is_empty(), is_answered, "{}: {answer:?}", beginning.escape_ascii());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn https_takes_get_and_post() {
    let scene = Scene::open().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_https(Arc::clone(&scene.forwarder), listener, None, StreamLimits::default()));
    let ask = async |request: &[u8]| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    };
    // The example of RFC 8484 §4.1.1: www.example.com, A.
    let encoded = "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";
    let get = format!("GET /dns-query?dns={encoded} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answer = ask(get.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(&[198, 51, 100, 7]));
    assert!(ends_with(&answer, b"max-age=60"), "{}", String::from_utf8_lossy(&answer));
    let post = |media: &str, body: &[u8]| {
        let length = body.len();
        let head = format!(
            "POST /dns-query HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {media}\r\nContent-Length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    };
    let body = query("blocked.example.com", A);
    assert!(ask(&post("application/dns-message", &body)).await.ends_with(&[192, 0, 2, 80]));
    let cases: [(&str, Vec<u8>, &[u8]); 5] = [
        ("another media type", post("text/plain", &body), b"HTTP/1.1 415 "),
        ("too long", post("application/dns-message", &[0; 5000]), b"HTTP/1.1 413 "),
        ("no query", post("application/dns-message", b"abc"), b"HTTP/1.1 400 "),
        (
            "another path",
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_vec(),
            b"HTTP/1.1 404 ",
        ),
        (
            "another method",
            b"PUT /dns-query HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_vec(),
            b"HTTP/1.1 405 ",
        ),
    ];
    for (what, request, want) in cases {
        assert!(ask(&request).await.starts_with(want), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_pipeline_and_lies_end_them() {
    let scene = Scene::open().await;
    let mut stream = TcpStream::connect(scene.tcp).await.unwrap();
    let mut all = Vec::new();
    for number in 0..40_u8 {
        let mut one = query(if number % 2 == 0 { "blocked.example.com" } else { "good.example.com" }, A);
        one[1] = number;
        all.extend_from_slice(&u16::try_from(one.len()).unwrap().to_be_bytes());
        all.extend_from_slice(&one);
    }
    stream.write_all(&all).await.unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let length = stream.read_u16().await.unwrap();
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await.unwrap();
        let end: &[u8] = if answer[1] % 2 == 0 { &[192, 0, 2, 80] } else { &[198, 51, 100, 7] };
        assert!(answer.ends_with(end));
        seen.insert(answer[1]);
    }
    assert_eq!(seen.len(), 40, "each is answered, in whatever order");
    stream.write_u16(60_000).await.unwrap();
    assert_eq!(stream.read(&mut [0; 10]).await.unwrap(), 0, "a length that no query has");
}

#[tokio::test(flavor = "multi_thread")]
async fn dig_sees_the_reason() {
    if !has("a reason that dig sees", &["dig"]) {
        return;
    }
    let scene = Scene::open().await;
    let port = scene.udp.local_addr().port();
    let said = tokio::task::spawn_blocking(move || dig(port, &["A", "blocked.example.com"])).await.unwrap();
    assert!(
        said.contains("EDE: 15 (Blocked)") && said.contains("feed-a") && said.contains("192.0.2.80"),
        "{said}"
    );
    assert!(!said.contains("MALFORMED") && !said.contains("WARNING"), "{said}");
}

/// A certificate for loopback, and its key.
fn tls(folder: &std::path::Path) -> sinkhole::forward::SharedTls {
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let [certificate, key] = ["certificate.pem", "key.pem"].map(|file| folder.join(file));
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "1",
        ])
        .args(["-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let chain = vec![CertificateDer::from_pem_file(&certificate).unwrap()];
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(&key).unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"dot".to_vec()];
    Arc::new(std::sync::RwLock::new(Arc::new(config)))
}

#[tokio::test(flavor = "multi_thread")]
async fn kdig_asks_over_tls_and_https() {
    if !has("questions over TLS", &["kdig", "openssl"]) {
        return;
    }
    let scene = Scene::open().await;
    let folder = tempfile::tempdir().unwrap();
    let tls = tls(folder.path());
    let (over_tls, over_https) = (
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(),
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(),
    );
    let ports = [&over_tls, &over_https].map(|listener| listener.local_addr().unwrap().port().to_string());
    tokio::spawn(serve_tls(
        Arc::clone(&scene.forwarder),
        over_tls,
        Arc::clone(&tls),
        StreamLimits::default(),
    ));
    tokio::spawn(serve_https(Arc::clone(&scene.forwarder), over_https, Some(tls), StreamLimits::default()));
    for (way, port) in ["+tls", "+https"].into_iter().zip(ports) {
        for (name, want) in [("blocked.example.com", "192.0.2.80"), ("good.example.com", "198.51.100.7")] {
            let port = port.clone();
            let said = tokio::task::spawn_blocking(move || {
                let said =
                    std::process::Command::new("kdig").args(["@127.0.0.1", "-p", &port, way, name]).output();
                String::from_utf8_lossy(&said.unwrap().stdout).into_owned()
            });
            let said = said.await.unwrap();
            assert!(said.contains(want) && said.contains("TLS session"), "{way} {name}: {said}");
        }
    }
}
