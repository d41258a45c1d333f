//! Queries over HTTPS (RFC 8484), by GET and POST, HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::Forwarder;
use super::stream::{QUERY_BYTES_MAX, SharedTls, StreamLimits, accept, acceptor};

/// Where queries are taken.
pub const DOH_PATH: &str = "/dns-query";
const MEDIA_TYPE: &str = "application/dns-message";

/// RFC 8484 §6: no padding; some clients send it all the same.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Answers queries over HTTP until it is dropped: over TLS, or in the clear behind a proxy that ends it.
///
/// # Errors
///
/// Never by itself; a connection that fails ends alone.
pub async fn serve_https(
    forwarder: Arc<Forwarder>,
    listener: TcpListener,
    tls: Option<SharedTls>,
    limits: StreamLimits,
) -> io::Result<()> {
    accept(listener, limits.connections, move |stream, client| {
        let (forwarder, acceptor) = (Arc::clone(&forwarder), tls.as_ref().map(acceptor));
        async move {
            match acceptor {
                Some(acceptor) => {
                    let stream = timeout(limits.idle, acceptor.accept(stream)).await??;
                    serve_connection(forwarder, stream, client, limits).await
                }
                None => serve_connection(forwarder, stream, client, limits).await,
            }
        }
    })
    .await
}

async fn serve_connection<S>(
    forwarder: Arc<Forwarder>,
    stream: S,
    client: IpAddr,
    limits: StreamLimits,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    let streams = u32::try_from(limits.under_way).unwrap_or(u32::MAX);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(16 << 10);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).max_concurrent_streams(streams).max_header_list_size(16 << 10);
    http2.keep_alive_interval(limits.idle).keep_alive_timeout(limits.idle);
    let asked = Arc::new(Notify::new());
    let telling = Arc::clone(&asked);
    let service = service_fn(move |request| {
        telling.notify_one();
        let forwarder = Arc::clone(&forwarder);
        async move {
            // A body that does not come is no reason to wait.
            let answered = timeout(limits.idle, answer(&forwarder, request, client)).await;
            Ok::<_, Infallible>(answered.unwrap_or_else(|_| plain(StatusCode::REQUEST_TIMEOUT)))
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // Whoever asks nothing for so long, and be it that the first bytes do not come, makes room for others.
    loop {
        tokio::select! {
            ended = &mut connection => return ended.map_err(io::Error::other),
            more = timeout(limits.idle, asked.notified()) => if more.is_err() { break },
        }
    }
    connection.as_mut().graceful_shutdown();
    timeout(limits.idle, connection).await?.map_err(io::Error::other)
}

async fn answer(
    forwarder: &Arc<Forwarder>,
    request: Request<Incoming>,
    client: IpAddr,
) -> Response<Full<Bytes>> {
    if request.uri().path() != DOH_PATH {
        return plain(StatusCode::NOT_FOUND);
    }
    let query = match *request.method() {
        Method::GET => {
            let mut pairs = request.uri().query().unwrap_or_default().split('&');
            let encoded = pairs.find_map(|pair| pair.strip_prefix("dns=")).unwrap_or_default();
            match BASE64.decode(encoded) {
                Ok(query) if query.len() <= QUERY_BYTES_MAX => query,
                _ => return plain(StatusCode::BAD_REQUEST),
            }
        }
        Method::POST => {
            let media = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            if media.map(|media| media.split(';').next().unwrap_or_default().trim()) != Some(MEDIA_TYPE) {
                return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            }
            match Limited::new(request.into_body(), QUERY_BYTES_MAX).collect().await {
                Ok(body) => body.to_bytes().to_vec(),
                Err(_) => return plain(StatusCode::PAYLOAD_TOO_LARGE),
            }
        }
        _ => {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
            return response;
        }
    };
    let Some((message, ttl)) = forwarder.answer(&query, client).await else {
        return plain(StatusCode::BAD_REQUEST);
    };
    let mut response = Response::new(Full::new(Bytes::from(message)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    // RFC 8484 §5.1: no longer than the least of the answer's times.
    let age = HeaderValue::from_str(&format!("private, max-age={ttl}"));
    response.headers_mut().insert(CACHE_CONTROL, age.unwrap_or(HeaderValue::from_static("no-store")));
    response
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
