//! The page for a person who was led to a safe address.
//!
//! Each category of listed names has a safe address of its own, so the address that a connection came to says why it came.
//! What the visitor asked for (host, path, cookies, a form that a fooled program sends) is not looked at and not kept: of a
//! visit only the category is told to [`Visits`]. On the port of HTTPS nothing is said: a certificate for a name that is not
//! ours would be forged.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, VARY,
};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::forward::accept_connections;

/// Visitors at a time.
const CONNECTIONS_MAX: usize = 256;
/// How long a visitor may take altogether.
const VISIT_MAX: Duration = Duration::from_secs(10);

/// What a visitor reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What kind of threat the name is listed for, in words for a person.
    pub category: String,
    /// The programme that lists it.
    pub programme: String,
    /// Whom to ask, or to tell of a mistake: an address, a telephone number.
    pub contact: String,
}

/// The pages, by the safe address that the visitor came to; can be replaced at any time.
pub type Pages = Arc<RwLock<BTreeMap<IpAddr, Page>>>;

/// Is told that somebody came. The time is the teller's.
pub trait Visits: Send + Sync {
    /// A visitor came to the page of `category`.
    fn visit(&self, category: &str);
}

/// Shows the pages over HTTP until it is dropped.
///
/// # Errors
///
/// Never by itself; a connection that fails ends alone.
pub async fn serve(listener: TcpListener, pages: Pages, visits: Arc<dyn Visits>) -> io::Result<()> {
    accept_connections(listener, CONNECTIONS_MAX, move |stream, _visitor| {
        let (pages, visits) = (Arc::clone(&pages), Arc::clone(&visits));
        async move {
            let here = stream.local_addr()?.ip().to_canonical();
            let page = pages.read().unwrap_or_else(PoisonError::into_inner).get(&here).cloned();
            let service = service_fn(move |request: Request<Incoming>| {
                let accepts_html = request
                    .headers()
                    .get_all(http::header::ACCEPT)
                    .iter()
                    .any(|accept| accept.as_bytes().windows(9).any(|part| part == b"text/html"));
                if let Some(page) = &page {
                    visits.visit(&page.category);
                }
                let response = respond(page.as_ref(), accepts_html);
                async move { Ok::<_, Infallible>(response) }
            });
            let mut server = http1::Builder::new();
            server
                .timer(TokioTimer::new())
                .header_read_timeout(VISIT_MAX)
                .keep_alive(false)
                .max_buf_size(16 << 10);
            timeout(VISIT_MAX, server.serve_connection(TokioIo::new(stream), service))
                .await?
                .map_err(io::Error::other)
        }
    })
    .await
}

fn respond(page: Option<&Page>, html: bool) -> Response<Full<Bytes>> {
    // 403: the request was understood and will not be fulfilled. Nothing that follows a link takes this page for the site's.
    let (status, body) = match page {
        Some(page) if html => (StatusCode::FORBIDDEN, as_html(page)),
        Some(page) => (StatusCode::FORBIDDEN, as_text(page)),
        None => (StatusCode::NOT_FOUND, String::new()),
    };
    let media = if html { "text/html; charset=utf-8" } else { "text/plain; charset=utf-8" };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers: [(HeaderName, &'static str); 6] = [
        (CONTENT_TYPE, media),
        (CACHE_CONTROL, "no-store"),
        (VARY, "accept"),
        (CONNECTION, "close"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn as_text(page: &Page) -> String {
    format!(
        "This address was blocked.\n\nThe name that you, or a program on your machine, asked for is on the list of {}:\n{}.\n\n\
         Nothing that was sent has been kept. If you believe that this is a mistake, or for help: {}\n",
        page.programme, page.category, page.contact
    )
}

fn as_html(page: &Page) -> String {
    let [programme, category, contact] =
        [&page.programme, &page.category, &page.contact].map(|text| escape(text));
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Blocked</title><style>body{{font:1.1rem/1.5 sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}}\
         </style><h1>This address was blocked</h1><p>The name that you, or a program on your machine, asked for is on the \
         list of {programme}:</p><p><strong>{category}</strong></p><p>Nothing that was sent has been kept. If you believe \
         that this is a mistake, or for help: {contact}</p></html>\n"
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' | '>' | '&' | '"' | '\'' => {
                write!(escaped, "&#{};", u32::from(character)).expect("a string takes everything");
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[derive(Default)]
    struct Seen(Mutex<Vec<String>>);

    impl Visits for Seen {
        fn visit(&self, category: &str) {
            self.0.lock().unwrap().push(category.to_owned());
        }
    }

    async fn ask(address: std::net::SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // A connection that is closed at once may be reset.
        let _end = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn a_visitor_is_told_why_and_only_the_category_is_kept() {
        let page = Page {
            category: "command & control".to_owned(),
            programme: "the <programme>".to_owned(),
            contact: "soc@example.org".to_owned(),
        };
        let pages: Pages = Arc::new(RwLock::new(BTreeMap::from([(Ipv4Addr::LOCALHOST.into(), page)])));
        let seen = Arc::new(Seen::default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::clone(&pages), Arc::clone(&seen) as _));

        let browser = "GET /secret?user=42 HTTP/1.1\r\nHost: bad.example\r\nAccept: text/html\r\n\r\n";
        let html = ask(address, browser).await;
        assert!(html.starts_with("HTTP/1.1 403 ") && html.contains("command &#38; control"), "{html}");
        assert!(html.contains("the &#60;programme&#62;") && html.contains("soc@example.org"), "{html}");
        assert!(!html.contains("secret") && !html.contains("bad.example"), "{html}");
        let program = "POST /gate.php HTTP/1.1\r\nHost: bad.example\r\nContent-Length: 3\r\n\r\nabc";
        assert!(ask(address, program).await.contains("command & control"));
        assert_eq!(*seen.0.lock().unwrap(), ["command & control"; 2]);

        pages.write().unwrap().clear();
        assert!(ask(address, browser).await.starts_with("HTTP/1.1 404 "));
        assert_eq!(seen.0.lock().unwrap().len(), 2);
    }
}
