//! The console's pages beside the hub's own paths.

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use common::Hub;

/// What a browser says that it would like when it opens a page.
const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

/// A programme's name is the first part of its TAXII root's path, so it may be that of no page.
#[test]
fn no_programme_can_hide_a_page() {
    for path in console::paths() {
        let first = path.split('/').nth(1).unwrap_or_default();
        assert!(first.is_empty() || hub::RESERVED.contains(&first), "`{first}` of `{path}` is not reserved");
    }
}

/// People who mistype an address get a page, programs what they always got.
#[test]
fn a_path_that_there_is_not_has_a_page_for_people_only() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let ask = |method: &str, path: &str, accept: &str| {
        let mut stream = TcpStream::connect(hub.url.strip_prefix("http://").unwrap()).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: hub\r\naccept: {accept}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    for path in ["/nothing-here", "/members/", "/members/some-member/", "/hits/2"] {
        let page = ask("GET", path, BROWSER);
        assert!(page.starts_with("HTTP/1.1 404 "), "{path}: {page}");
        assert!(page.contains("<h1>") && page.contains("Go to the first page"), "{path}: {page}");
        assert!(page.contains("content-security-policy: default-src 'self'"), "{path}: {page}");
        for (method, accept) in
            [("GET", "*/*"), ("GET", "application/taxii+json;version=2.1"), ("POST", BROWSER)]
        {
            let plain = ask(method, path, accept);
            assert!(plain.starts_with("HTTP/1.1 404 "), "{method} {path}: {plain}");
            assert!(!plain.contains("<h1>"), "{method} {path}: {plain}");
        }
    }
    // A resource of the hub that there is not answers programs, whoever asks.
    let api = ask("GET", "/api/members/nobody", BROWSER);
    assert!(!api.contains("<h1>"), "{api}");
    hub.stop();
}
