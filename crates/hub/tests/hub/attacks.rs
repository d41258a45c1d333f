//! Rude bytes on a socket: what two servers could read in two ways, heads without end, and thousands of connections that ask
//! nothing.

use std::time::Duration;

use hub::ServeOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::server::Live;

const PATIENCE: Duration = Duration::from_mins(2);
/// What an attacker wants to be taken for a request of its own.
const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n";

/// Everything that the hub answers to these bytes until it ends the connection.
async fn answers(live: &Live, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(live.address).await.unwrap();
    // The hub may end the connection while this is still being written.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection is ended");
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.1 ").skip(1).map(|rest| &rest[..3]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_read_out_of_another() {
    let live = Live::start().await;
    let body = format!("0\r\n\r\n{SMUGGLED}");
    let length = body.len();
    let chunked = "Transfer-Encoding: chunked";
    // The headers of one POST and what follows them; whether it is refused for its form.
    let cases = [
        ("a length, then chunked", format!("Content-Length: {length}\r\n{chunked}"), body.clone(), false),
        ("chunked, then a length", format!("{chunked}\r\nContent-Length: {length}"), body.clone(), false),
        ("chunked, and no length", chunked.to_owned(), body.clone(), false),
        ("two lengths", format!("Content-Length: {length}\r\nContent-Length: 0"), SMUGGLED.to_owned(), true),
        ("two lengths in one", "Content-Length: 0, 5".to_owned(), SMUGGLED.to_owned(), true),
        ("a length with a sign", "Content-Length: +0".to_owned(), SMUGGLED.to_owned(), true),
        ("a length that is none", "Content-Length: 0x0".to_owned(), SMUGGLED.to_owned(), true),
        ("a space before the colon", "Content-Length : 0".to_owned(), SMUGGLED.to_owned(), true),
        ("a folded header", "X-Folded: a\r\n Content-Length: 0".to_owned(), SMUGGLED.to_owned(), true),
        ("a header of nothing but a fold", "X-Folded:\r\n\tb".to_owned(), SMUGGLED.to_owned(), true),
        ("a coding behind chunked", format!("{chunked}, identity"), body.clone(), true),
        ("a coding that is not chunked", "Transfer-Encoding: xchunked".to_owned(), body.clone(), true),
        ("a control character", "Transfer-Encoding: \u{b}chunked".to_owned(), body.clone(), true),
        ("a bare CR", "X-Bare: a\rContent-Length: 0".to_owned(), SMUGGLED.to_owned(), true),
        ("a chunk's length ended by a bare LF", chunked.to_owned(), format!("0\n\n{SMUGGLED}"), false),
        (
            "a chunk's length that is too large",
            chunked.to_owned(),
            format!("fffffffffffffffff\r\n{SMUGGLED}"),
            false,
        ),
    ];
    for (name, headers, after, is_malformed) in cases {
        let request = format!("POST /api/members HTTP/1.1\r\nHost: hub\r\n{headers}\r\n\r\n{after}");
        let answers = answers(&live, request.as_bytes()).await;
        let statuses = statuses(&answers);
        assert!(statuses.len() <= 1, "{name}: {answers}");
        if is_malformed {
            assert_eq!(statuses, ["400"], "{name}: {answers}");
        }
        assert!(!answers.contains("200 OK"), "{name}: {answers}");
    }
    // HTTP/1.0 knows no chunks.
    let old = format!("POST /api/members HTTP/1.0\r\n{chunked}\r\n\r\n{body}");
    let answers = answers(&live, old.as_bytes()).await;
    assert!(!answers.contains("200 OK") && statuses(&answers).len() <= 1, "{answers}");
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_end_is_refused_and_costs_its_limit() {
    let live = Live::start().await;
    let (_, login) = live.member("Alpha", &["programme"]);
    let large = format!("X-Large: {}\r\n", "a".repeat(300_000));
    let many = (0..500).map(|n| format!("X-{n}: a")).collect::<Vec<_>>().join("\r\n") + "\r\n";
    let uri = "a".repeat(300_000);
    for (name, request) in [
        ("a large header", format!("GET /healthz HTTP/1.1\r\nHost: hub\r\n{large}\r\n")),
        ("many headers", format!("GET /healthz HTTP/1.1\r\nHost: hub\r\n{many}\r\n")),
        ("a long path", format!("GET /{uri} HTTP/1.1\r\nHost: hub\r\n\r\n")),
    ] {
        let answers = answers(&live, request.as_bytes()).await;
        let statuses = statuses(&answers);
        // A client that still writes may find the connection reset before it has read the answer.
        assert!(statuses.is_empty() || ["431", "414", "400"].contains(&statuses[0]), "{name}: {answers}");
        assert!(
            live.request(&login, "GET", "/taxii2/", &[], b"").await.starts_with("HTTP/1.1 200"),
            "{name}"
        );
    }
    live.stop().await;
}

/// The memory that this process has, in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_of_one_address_leave_room_for_others() {
    const ATTEMPTS: usize = 10_000;
    const MOST: usize = 200;
    const GROWTH_MAX: usize = 128 << 20;
    let serving = ServeOptions { connections_per_address_max: MOST, ..ServeOptions::default() };
    let live = Live::with(serving).await;
    let (_, login) = live.member("Alpha", &["programme"]);
    let before = resident();
    let mut held = Vec::new();
    let mut attempts = 0;
    while attempts < ATTEMPTS {
        let mut batch = Vec::new();
        for _ in 0..100 {
            batch.push(TcpStream::connect(live.address).await.unwrap());
            attempts += 1;
        }
        for stream in batch {
            // The hub ends what is too many at once; what it keeps says nothing.
            let mut byte = [0];
            if held.len() >= MOST {
                let ended = timeout(PATIENCE, stream.peek(&mut byte)).await.expect("it is ended");
                assert!(ended.is_err() || ended.is_ok_and(|read| read == 0));
            } else {
                held.push(stream);
            }
        }
    }
    // Another address is served while they are all there.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(live.address).await.unwrap();
    let asked = format!(
        "GET /taxii2/ HTTP/1.1\r\nHost: hub\r\nAuthorization: {}\r\nConnection: close\r\n\r\n",
        login.basic()
    );
    other.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, other.read_to_end(&mut answer)).await.expect("it is answered").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    // Other tests of this process have memory too, for a while; what the connections take they go on taking.
    let grown = || resident().saturating_sub(before);
    let settled = timeout(PATIENCE, async {
        while grown() >= GROWTH_MAX {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(settled.await.is_ok(), "{} bytes for {} connections", grown(), held.len());
    drop(held);
    live.stop().await;
}
