//! The client against a server on loopback that says what a test tells it to, right or wrong.

#![expect(clippy::unwrap_used, reason = "where the set-up breaks, the test should stop")]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    num::NonZeroU32,
    thread::{self, JoinHandle},
    time::Duration,
};

use taxii::{Credentials, MEDIA_TYPE, ManifestRecord, Secret, StatusState};
use taxii_client::{
    Client, Collection, Error, Fault, Options, Page, Patience, PullState, Query, envelope_of,
};

const D1: &str = "2026-01-01T00:00:00.000001Z";
const D2: &str = "2026-01-02T00:00:00.000002Z";
const COLLECTION: &str = "91a7b528-80eb-42ed-a74d-c6fbd5a26116";

/// An answer to give.
struct Canned {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn taxii(body: &str) -> Canned {
    Canned {
        status: "200 OK",
        headers: vec![("Content-Type", MEDIA_TYPE.to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

impl Canned {
    fn status(self, status: &'static str) -> Self {
        Self { status, ..self }
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn added(self, first: &str, last: &str) -> Self {
        self.header("X-TAXII-Date-Added-First", first).header("X-TAXII-Date-Added-Last", last)
    }

    fn send(&self, stream: &mut TcpStream) {
        let headers: String =
            self.headers.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect();
        let length = self.body.len();
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n",
            self.status
        );
        // A client that has seen enough may hang up.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&self.body));
    }
}

/// A request as it came: its first line, then its headers in lower case, and its body.
struct Seen {
    line: String,
    headers: String,
    body: Vec<u8>,
}

fn receive(stream: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let (line, headers) = head.split_once("\r\n").unwrap();
            let headers = headers.to_ascii_lowercase();
            let length = headers.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Seen { line: line.to_owned(), headers, body: bytes[end + 4..].to_vec() };
            }
        }
        let count = stream.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "the request ends early");
        bytes.extend_from_slice(&buffer[..count]);
    }
}

/// Answers as many requests as there are answers; gives its URL and, in the end, what it was asked.
fn serve(answers: Vec<Canned>) -> (String, JoinHandle<Vec<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let answer = |canned: Canned| {
            let (mut stream, _) = listener.accept().unwrap();
            let seen = receive(&mut stream);
            canned.send(&mut stream);
            seen
        };
        answers.into_iter().map(answer).collect()
    });
    (url, server)
}

fn client(url: &str) -> Client {
    let options = Options { timeout: Duration::from_mins(1), ..Options::default() };
    Client::new(url, &options).unwrap()
}

fn collection(url: &str) -> Collection {
    client(url).api_root("/root/").unwrap().collection(COLLECTION).unwrap()
}

fn lines(server: JoinHandle<Vec<Seen>>) -> Vec<String> {
    let path = format!("/root/collections/{COLLECTION}");
    server
        .join()
        .unwrap()
        .into_iter()
        .map(|seen| seen.line.replace(&path, "{c}").replace(" HTTP/1.1", ""))
        .collect()
}

fn fault(error: &Error) -> Option<Fault> {
    if let Error::NotAdvancing { fault, .. } = error { Some(*fault) } else { None }
}

#[test]
fn roots_may_be_absolute_or_relative() {
    for reference in ["/root/", "/root", "{origin}/root/"] {
        let (url, server) = serve(vec![taxii(r#"{"title":"r","max_content_length":9,"versions":[]}"#)]);
        let reference = reference.replace("{origin}", url.trim_end_matches('/'));
        let root = client(&url).api_root(&reference).unwrap();
        assert_eq!(root.information().unwrap().max_content_length, 9);
        assert_eq!(lines(server), ["GET /root/"], "{reference}");
    }
}

#[test]
fn the_default_root_is_found_by_discovery() {
    for (discovery, want) in [
        (r#"{"title":"t","default":"/b/","api_roots":["/a/","/b/"]}"#, Some("b/")),
        (r#"{"title":"t","api_roots":["/a/","/b/"]}"#, Some("a/")),
        (r#"{"title":"t","api_roots":["c"]}"#, Some("taxii2/c/")),
        (r#"{"title":"t"}"#, None),
    ] {
        let (url, server) = serve(vec![taxii(discovery)]);
        let root = client(&url).default_root();
        match want {
            Some(path) => assert_eq!(root.unwrap().url(), format!("{url}{path}"), "{discovery}"),
            None => assert!(matches!(root, Err(Error::NoApiRoot { .. })), "{discovery}"),
        }
        assert_eq!(lines(server), ["GET /taxii2/"]);
    }
}

#[test]
fn collections_are_listed() {
    let one = format!(r#"{{"id":"{COLLECTION}","title":"t","can_read":true,"can_write":false,"x_a":1}}"#);
    let (url, server) =
        serve(vec![taxii(&format!(r#"{{"collections":[{one}]}}"#)), taxii(&one), taxii("{}")]);
    let root = client(&url).api_root("/root/").unwrap();
    let listed = root.collections().unwrap();
    assert!(listed[0].can_read && listed[0].custom["x_a"] == 1);
    assert_eq!(root.collection(COLLECTION).unwrap().information().unwrap(), listed[0]);
    assert_eq!(root.collections().unwrap(), []);
    assert_eq!(lines(server), ["GET /root/collections/", "GET {c}/", "GET /root/collections/"]);
}

#[test]
fn credentials_are_shown_to_their_own_origin_only() {
    let basic = Credentials::Basic { user: "ada".to_owned(), password: Secret::new("sesame".to_owned()) };
    let bearer = Credentials::Bearer { token: Secret::new("token".to_owned()) };
    for (credentials, want) in [
        (Some(basic), Some("authorization: basic ywrhonnlc2ftzq==")),
        (Some(bearer), Some("authorization: bearer token")),
        (None, None),
    ] {
        let (home, at_home) = serve(vec![taxii(r#"{"title":"t"}"#)]);
        let (abroad, far_away) = serve(vec![taxii("{}")]);
        let client = Client::new(&home, &Options { credentials, ..Options::default() }).unwrap();
        client.discovery().unwrap();
        client.api_root(&format!("{abroad}root/")).unwrap().collections().unwrap();
        let headers = at_home.join().unwrap().remove(0).headers;
        assert_eq!(headers.lines().find(|line| line.starts_with("authorization")), want);
        assert!(headers.contains(&format!("accept: {MEDIA_TYPE}")), "{headers}");
        assert!(!far_away.join().unwrap()[0].headers.contains("authorization"));
    }
}

#[test]
fn pages_follow_next_and_repeat_the_query() {
    let objects = ["{ \"id\": \"a--1\", \"n\" : 1.0 }", "{\"id\":\"a--2\"}", "{\"id\":\"a--3\"}"];
    let (url, server) = serve(vec![
        taxii(&format!(r#"{{"more":true,"next":"n/1","objects":[{},{}]}}"#, objects[0], objects[1]))
            .added(D1, D1),
        taxii(&format!(r#"{{"more":false,"objects":[{}]}}"#, objects[2])).added(D2, D2),
    ]);
    let query = Query::default().with_limit(NonZeroU32::new(2).unwrap()).matching("type", ["a", "b"]);
    let start = "2025-12-31T00:00:00Z";
    let collection = collection(&url);
    let pages: Vec<_> = collection.objects(&query, PullState::after(start)).map(Result::unwrap).collect();
    let items: Vec<&[u8]> = pages.iter().flat_map(Page::items).collect();
    assert_eq!(items, objects.map(str::as_bytes));
    assert_eq!((pages[0].date_added_last(), pages[1].date_added_first()), (Some(D1), Some(D2)));
    assert_eq!((pages[0].is_last(), pages[1].is_last()), (false, true));
    let middle =
        PullState { next: Some("n/1".to_owned()), reached: Some(D1.to_owned()), ..PullState::after(start) };
    assert_eq!(*pages[0].state(), middle);
    assert_eq!(*pages[1].state(), PullState { reached: Some(D2.to_owned()), ..PullState::after(D2) });
    let asked = "GET {c}/objects/?added_after=2025-12-31T00%3A00%3A00Z&limit=2&match%5Btype%5D=a%2Cb";
    assert_eq!(lines(server), [asked.to_owned(), format!("{asked}&next=n%2F1")]);
}

#[test]
fn a_pull_is_taken_up_where_it_stopped() {
    let (url, server) = serve(vec![
        taxii(r#"{"more":true,"next":"n1","objects":[{"id":"a--1"}]}"#).added(D1, D1),
        taxii(r#"{"more":false,"objects":[{"id":"a--2"}]}"#).added(D2, D2),
        taxii(r#"{"more":false}"#),
    ]);
    let collection = collection(&url);
    let first = collection.objects(&Query::default(), PullState::default()).next().unwrap().unwrap();
    let saved = serde_json::to_string(first.state()).unwrap();
    // Another run.
    let state: PullState = serde_json::from_str(&saved).unwrap();
    let second = collection.objects(&Query::default(), state).next().unwrap().unwrap();
    assert_eq!(second.items().collect::<Vec<_>>(), [b"{\"id\":\"a--2\"}"]);
    // And one that finds nothing new.
    let third = collection.objects(&Query::default(), second.state().clone()).next().unwrap().unwrap();
    assert_eq!((third.items().len(), third.state()), (0, second.state()));
    let want = [
        "GET {c}/objects/",
        "GET {c}/objects/?next=n1",
        &format!("GET {{c}}/objects/?added_after={}", D2.replace(':', "%3A")),
    ];
    assert_eq!(lines(server), want);
}

#[test]
fn without_next_the_date_leads_on() {
    let record = |id: &str| format!(r#"{{"id":"{id}","date_added":"{D1}","version":"{D1}"}}"#);
    let (url, server) = serve(vec![
        taxii(&format!(r#"{{"more":true,"objects":[{}]}}"#, record("a--1"))).added(D1, D1),
        taxii(&format!(r#"{{"objects":[{}]}}"#, record("a--2"))).added(D2, D2),
    ]);
    let collection = collection(&url);
    let pages = collection.manifest(&Query::default(), PullState::default());
    let records: Vec<ManifestRecord> = pages.flat_map(|page| page.unwrap().read().unwrap()).collect();
    assert_eq!(records.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["a--1", "a--2"]);
    let second = format!("GET {{c}}/manifest/?added_after={}", D1.replace(':', "%3A"));
    assert_eq!(lines(server), ["GET {c}/manifest/".to_owned(), second]);
}

#[test]
fn an_endless_manifest_is_an_error() {
    // More, no next, and the same page whatever the date.
    let page = || taxii(r#"{"more":true,"objects":[{"id":"a--1"}]}"#).added(D1, D1);
    let (url, server) = serve(vec![page(), page()]);
    let collection = collection(&url);
    let pages: Vec<_> = collection.manifest(&Query::default(), PullState::default()).collect();
    assert_eq!(pages.len(), 2);
    assert!(pages[0].is_ok());
    let error = pages[1].as_ref().unwrap_err();
    assert_eq!(fault(error), Some(Fault::DateStands));
    assert!(error.to_string().contains("not later than `added_after`"), "{error}");
    server.join().unwrap();
}

#[test]
fn servers_that_repeat_themselves_are_noticed() {
    type Nth = fn(usize) -> Canned;
    let cases: [(Nth, Fault); 4] = [
        // next is not heeded, and always the same
        (
            |_| taxii(r#"{"more":true,"next":"n","objects":[{"id":"a--1"}]}"#).added(D1, D1),
            Fault::RepeatedPage,
        ),
        // next is not heeded, and always new
        (
            |nth| taxii(&format!(r#"{{"more":true,"next":"n{nth}","objects":[1]}}"#)).added(D1, D1),
            Fault::RepeatedPage,
        ),
        // three pages in a circle
        (|nth| taxii(&format!(r#"{{"more":true,"next":"n","objects":[{}]}}"#, nth % 3)), Fault::RepeatedPage),
        // neither next nor date
        (|nth| taxii(&format!(r#"{{"more":true,"objects":[{nth}]}}"#)), Fault::NoWayOn),
    ];
    for (answer, want) in cases {
        let (url, _server) = serve((0..20).map(answer).collect());
        let collection = collection(&url);
        let last = collection.objects(&Query::default(), PullState::default()).take(20).last().unwrap();
        assert_eq!(last.as_ref().err().and_then(fault), Some(want), "{last:?}");
    }
}

#[test]
fn a_next_that_stays_the_same_is_followed_while_pages_differ() {
    let (url, _server) = serve(vec![
        taxii(r#"{"more":true,"next":"cursor","objects":[{"id":"a--1"}]}"#).added(D1, D1),
        taxii(r#"{"more":true,"next":"cursor","objects":[{"id":"a--2"}]}"#).added(D1, D1),
        taxii(r#"{"more":false,"objects":[{"id":"a--3"}]}"#).added(D2, D2),
    ]);
    let collection = collection(&url);
    let pages: Result<Vec<_>, _> = collection.objects(&Query::default(), PullState::default()).collect();
    assert_eq!(pages.unwrap().len(), 3);
}

#[test]
fn an_empty_page_with_a_date_that_is_none_changes_nothing() {
    let (url, _server) = serve(vec![taxii(r#"{"more":false}"#).added("undefined", "undefined")]);
    let collection = collection(&url);
    let page = collection.objects(&Query::default(), PullState::after(D1)).next().unwrap().unwrap();
    assert_eq!((page.date_added_last(), page.state()), (None, &PullState::after(D1)));
}

#[test]
fn one_object_and_its_versions() {
    let (url, server) = serve(vec![
        taxii(r#"{"objects":[{"id":"a--1","v":1},{"id":"a--1","v":2}]}"#).added(D1, D2),
        taxii(r#"{"more":true,"next":"n","versions":["2026-01-01T00:00:00.000Z"]}"#).added(D1, D1),
        taxii(r#"{"versions":["2026-01-02T00:00:00.000Z"]}"#).added(D2, D2),
    ]);
    let collection = collection(&url);
    let all = Query::default().matching("version", ["all"]);
    let page = collection.object("a--1", &all, PullState::default()).unwrap().next().unwrap().unwrap();
    assert_eq!(page.items().len(), 2);
    let versions = collection.versions("a--1", &Query::default(), PullState::default()).unwrap();
    let versions: Vec<String> = versions.flat_map(|page| page.unwrap().read().unwrap()).collect();
    assert_eq!(versions, ["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"]);
    let want = [
        "GET {c}/objects/a--1/?match%5Bversion%5D=all",
        "GET {c}/objects/a--1/versions/",
        "GET {c}/objects/a--1/versions/?next=n",
    ];
    assert_eq!(lines(server), want);
}

fn status(state: &str) -> String {
    let (done, left) = if state == "complete" { (1, 0) } else { (0, 1) };
    format!(
        r#"{{"id":"s-1","status":"{state}","total_count":1,"success_count":{done},"failure_count":0,"pending_count":{left}}}"#
    )
}

#[test]
fn objects_are_posted_and_waited_for() {
    let (url, server) = serve(vec![
        taxii(&status("pending")).status("202 Accepted"),
        taxii(&status("pending")),
        taxii(&status("complete")),
    ]);
    let envelope = envelope_of([&b"{\"id\":\"a--1\"}"[..], b"{ }"]);
    assert_eq!(envelope, b"{\"objects\":[{\"id\":\"a--1\"},{ }]}");
    let patience = Patience { pause: Duration::ZERO, polls_max: 2 };
    let done = collection(&url).post_and_wait(&envelope, patience).unwrap();
    assert_eq!((done.status, done.success_count), (StatusState::Complete, 1));
    let seen = server.join().unwrap();
    assert!(seen[0].headers.contains(&format!("content-type: {MEDIA_TYPE}")), "{}", seen[0].headers);
    assert_eq!(seen[0].body, envelope);
    assert!(seen[0].line.starts_with("POST ") && seen[2].line.starts_with("GET /root/status/s-1/ "));
}

#[test]
fn patience_ends() {
    let (url, _server) = serve(vec![taxii(&status("pending")), taxii(&status("pending"))]);
    let patience = Patience { pause: Duration::ZERO, polls_max: 1 };
    let error = collection(&url).post_and_wait(b"{}", patience).unwrap_err();
    assert!(matches!(&error, Error::StillPending { status } if status.id == "s-1"), "{error}");
}

#[test]
fn objects_are_deleted() {
    let (url, server) = serve(vec![taxii("")]);
    let query = Query::default().matching("version", ["first"]);
    collection(&url).delete("a--1", &query).unwrap();
    assert_eq!(lines(server), ["DELETE {c}/objects/a--1/?match%5Bversion%5D=first"]);
    assert!(matches!(collection(&url).delete("..", &query), Err(Error::Url { .. })));
}

#[test]
fn a_body_is_not_sent_elsewhere() {
    let (url, _server) =
        serve(vec![taxii("").status("307 Temporary Redirect").header("Location", "/elsewhere/")]);
    let error = collection(&url).post(b"{}").unwrap_err();
    assert!(matches!(error, Error::Refused { status: 307, .. }), "{error}");
}

#[test]
fn credentials_do_not_follow_a_redirect_abroad() {
    let (abroad, far_away) = serve(vec![taxii(r#"{"title":"t"}"#)]);
    let abroad = abroad.replace("127.0.0.1", "localhost");
    let (home, at_home) = serve(vec![taxii("").status("302 Found").header("Location", &abroad)]);
    let credentials = Some(Credentials::Bearer { token: Secret::new("token".to_owned()) });
    let options = Options { credentials, timeout: Duration::from_mins(1), ..Options::default() };
    assert_eq!(Client::new(&home, &options).unwrap().discovery().unwrap().title, "t");
    assert!(at_home.join().unwrap()[0].headers.contains("authorization"));
    assert!(!far_away.join().unwrap()[0].headers.contains("authorization"));
}

#[test]
fn refusals_carry_what_the_server_says() {
    let error = r#"{"title":"no such\u001b[31m thing","description":"look elsewhere","http_status":"404"}"#;
    let cases = [
        (taxii(error).status("404 Not Found"), "status 404: no such[31m thing: look elsewhere"),
        (taxii(error).status("406 Not Acceptable"), "status 406: no such[31m thing"),
        (taxii("<html>").status("502 Bad Gateway").header("Content-Type", "text/html"), "status 502"),
        (taxii("").status("429 Too Many Requests").header("Retry-After", "7"), "status 429"),
        (
            taxii(error).status("401 Unauthorized").header("WWW-Authenticate", "Basic realm=\"r\""),
            "wants other credentials (it offers: Basic realm=\"r\"): no such[31m thing",
        ),
        (taxii("").status("401 Unauthorized"), "(it offers: nothing)"),
        (
            taxii("<html>").header("Content-Type", "text/html"),
            "answered with `text/html` instead of TAXII 2.1",
        ),
        (
            taxii("{}").header("Content-Type", "application/vnd.oasis.taxii+json; version=2.0"),
            "answered with `application/vnd.oasis.taxii+json; version=2.0` instead of TAXII 2.1",
        ),
        (taxii("{}"), "did not answer with the resource"),
        (taxii("{\"title\":"), "did not answer with the resource"),
    ];
    for (answer, want) in cases {
        let (url, _server) = serve(vec![answer]);
        let error = client(&url).discovery().unwrap_err();
        assert!(error.to_string().contains(want), "{want}: {error}");
        if let Error::Refused { status: 429, retry_after_seconds, .. } = error {
            assert_eq!(retry_after_seconds, Some(7));
        }
    }
}

#[test]
fn types_that_servers_really_send_are_read() {
    for content_type in ["application/taxii+json", "application/taxii+json; version=2.1", "application/json"]
    {
        let (url, _server) = serve(vec![taxii(r#"{"title":"t"}"#).header("Content-Type", content_type)]);
        assert_eq!(client(&url).discovery().unwrap().title, "t", "{content_type}");
    }
}

#[test]
fn answers_are_bounded_compressed_or_not() {
    const LIMIT: usize = 10_000;
    let body_of = |bytes: usize| format!(r#"{{"title":"{}"}}"#, "t".repeat(bytes - 12));
    for (bytes, is_read) in [(LIMIT, true), (LIMIT + 1, false), (100 * LIMIT, false)] {
        let plain = taxii(&body_of(bytes));
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&plain.body).unwrap();
        let packed =
            Canned { body: encoder.finish().unwrap(), ..taxii("") }.header("Content-Encoding", "gzip");
        assert!(packed.body.len() < LIMIT);
        for answer in [plain, packed] {
            let (url, _server) = serve(vec![answer]);
            let options = Options { body_size_max_bytes: LIMIT as u64, ..Options::default() };
            let result = Client::new(&url, &options).unwrap().discovery();
            match result {
                Ok(discovery) => assert!(is_read && discovery.title.len() == bytes - 12),
                Err(error) => assert!(!is_read && matches!(error, Error::TooLarge { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let options = Options { timeout: Duration::from_millis(100), ..Options::default() };
    let error = Client::new(&url, &options).unwrap().discovery().unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error}");
}

#[test]
fn bad_options_are_named() {
    let no_certificate =
        Options { trusted_certificates_pem: Some(b"nothing".to_vec()), ..Options::default() };
    let no_proxy = Options { proxy: Some("://".to_owned()), ..Options::default() };
    for (options, want) in [(no_certificate, "`trusted_certificates_pem`"), (no_proxy, "`proxy`")] {
        let error = Client::new("https://a.example", &options).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}
