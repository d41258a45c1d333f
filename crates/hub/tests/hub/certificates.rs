//! Clients' certificates over TLS: which are let in, as whom, and until when. Every certificate is made here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use exchange::{CertificateBinding, CredentialRecord, NewCredential};
use hub::{Reloaded, ServeOptions, Tls, TlsFiles, certificate_in_pem};
use model::{Action, Principal};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use testkit::certificates::{Authority, Identity, Wanted};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::server::Live;
use crate::{Face, Login, indicators};

const OBJECTS: &str = "/jcsp/collections/indicators/objects/";

/// A hub that trusts one authority of clients.
struct Site {
    dir: tempfile::TempDir,
    servers: Authority,
    clients: Authority,
    tls: Tls,
    live: Live,
}

/// A connection over TLS that stays open between requests.
struct Open(TlsStream<TcpStream>);

impl Site {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (servers, clients) = (Authority::new("Servers"), Authority::new("Sector CA"));
        let files = place(dir.path(), &servers.issue(&Wanted::server("hub")), &clients.certificate);
        let tls = Tls::from_files(files).unwrap();
        let live = Live::with(ServeOptions { tls: Some(tls.clone()), ..ServeOptions::default() }).await;
        Self { dir, servers, clients, tls, live }
    }

    /// Makes a certificate a credential.
    fn bind(&self, principal: &Principal, actions: &[Action], identity: &Identity) -> CredentialRecord {
        let sha256 = certificate_in_pem(identity.certificate.as_bytes()).unwrap().sha256;
        let binding = CertificateBinding::Fingerprint { sha256 };
        let new = new(principal.clone(), actions);
        self.live.exchange.bind_certificate(&self.live.operator, new, binding).unwrap()
    }

    async fn connect(&self, identity: Option<&Identity>) -> std::io::Result<Open> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.servers.certificate.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain.collect::<Result<_, _>>().unwrap(), key).unwrap()
            }
        };
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = TcpStream::connect(self.live.address).await?;
        Ok(Open(connector.connect("localhost".try_into().unwrap(), stream).await?))
    }

    /// The status that one request on a new connection gets; none if the handshake fails.
    async fn status(&self, identity: Option<&Identity>, login: Option<&Login>, path: &str) -> Option<u16> {
        self.connect(identity).await.ok()?.get(login, path).await
    }
}

impl Open {
    async fn get(&mut self, login: Option<&Login>, path: &str) -> Option<u16> {
        Some(self.ask("GET", login, path, b"").await?.0)
    }

    /// The status and the head of an answer; none if the connection is not there any more. In TLS 1.3 a client learns only
    /// with the first answer that its certificate was refused.
    async fn ask(
        &mut self,
        method: &str,
        login: Option<&Login>,
        path: &str,
        body: &[u8],
    ) -> Option<(u16, String)> {
        let authorization =
            login.map(|login| format!("Authorization: {}\r\n", login.basic())).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}Content-Type: application/taxii+json;version=2.1\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.0.write_all(head.as_bytes()).await.ok()?;
        self.0.write_all(body).await.ok()?;
        let mut answer = Vec::new();
        let head = loop {
            let read = timeout(Duration::from_mins(1), self.0.read_buf(&mut answer)).await.unwrap().ok()?;
            if read == 0 {
                return None;
            }
            if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
                break String::from_utf8(answer.drain(..end + 4).collect()).unwrap().to_lowercase();
            }
        };
        let length: usize =
            head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        while answer.len() < length {
            assert!(
                timeout(Duration::from_mins(1), self.0.read_buf(&mut answer)).await.unwrap().unwrap() > 0
            );
        }
        Some((head.split(' ').nth(1).unwrap().parse().unwrap(), head))
    }
}

fn place(dir: &Path, server: &Identity, authorities: &str) -> TlsFiles {
    let write = |name: &str, text: &str| -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    TlsFiles {
        certificate: write("hub.crt", &server.certificate),
        key: write("hub.key", &server.key),
        client_authorities: Some(write("clients.crt", authorities)),
    }
}

fn new(principal: Principal, actions: &[Action]) -> NewCredential {
    NewCredential {
        principal,
        login: None,
        actions: actions.iter().copied().collect(),
        collections: None,
        expires: None,
        note: String::new(),
        person: None,
        password: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_good_certificate_of_the_authority_is_let_in() {
    let site = Site::start().await;
    let (member, login) = site.live.member("Alpha", &["programme"]);
    let principal = Principal::Member(member.id);
    let good = Wanted::new("alpha");
    let below = site.clients.below("Issuing CA", true);
    let may_not_sign = site.clients.below("Issuing CA 2", false);
    let with_chain = |authority: &Authority| {
        let issued = authority.issue(&good);
        Identity { certificate: issued.certificate + &authority.certificate, key: issued.key }
    };
    let cases = [
        ("good", site.clients.issue(&good), Some(200)),
        ("of an authority below", with_chain(&below), Some(200)),
        ("of an authority below that may not sign", with_chain(&may_not_sign), None),
        ("expired", site.clients.issue(&Wanted { years: (2000, 2001), ..Wanted::new("alpha") }), None),
        ("not yet good", site.clients.issue(&Wanted { years: (2098, 2099), ..Wanted::new("alpha") }), None),
        ("of another authority of that name", Authority::new("Sector CA").issue(&good), None),
        ("a server's", site.clients.issue(&Wanted::server("alpha")), None),
    ];
    for (name, identity, want) in &cases {
        site.bind(&principal, &[Action::Read], identity);
        assert_eq!(site.status(Some(identity), None, OBJECTS).await, *want, "{name}");
    }
    // Without a certificate the other credentials are as they were.
    assert_eq!(site.status(None, Some(&login), OBJECTS).await, Some(200));
    let (status, head) = site.connect(None).await.unwrap().ask("GET", None, OBJECTS, b"").await.unwrap();
    assert!(
        status == 401 && head.contains("www-authenticate: basic") && head.contains("taxii+json"),
        "{head}"
    );
    site.live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_whom_it_is_bound_to_and_may_what_the_binding_says() {
    let site = Site::start().await;
    let (alpha, of_alpha) = site.live.member("Alpha", &["programme"]);
    let (_, of_beta) = site.live.member("Beta", &["programme"]);
    let stranger = site.clients.issue(&Wanted::new("nobody"));
    let (status, head) =
        site.connect(Some(&stranger)).await.unwrap().ask("GET", None, OBJECTS, b"").await.unwrap();
    assert!(status == 401 && head.contains("www-authenticate"), "bound to nobody: {head}");
    assert_eq!(
        site.status(Some(&stranger), Some(&of_beta), OBJECTS).await,
        Some(200),
        "the token stands alone"
    );

    let identity = site.clients.issue(&Wanted::new("alpha"));
    let record = site.bind(&Principal::Member(alpha.id), &[Action::Read], &identity);
    let mut open = site.connect(Some(&identity)).await.unwrap();
    assert_eq!(open.get(None, OBJECTS).await, Some(200));
    let body = testkit::envelope(&indicators(1..3));
    assert_eq!(open.ask("POST", None, OBJECTS, &body).await.unwrap().0, 403, "it is for reading");
    assert_eq!(open.get(None, "/jcsp/collections/hidden/objects/").await, Some(404));
    assert_eq!(open.get(Some(&of_alpha), OBJECTS).await, Some(200), "both are Alpha's");
    assert_eq!(open.get(Some(&of_beta), OBJECTS).await, Some(401), "of two members");
    let wrong = Login { secret: "wrong".to_owned(), ..of_alpha };
    assert_eq!(open.get(Some(&wrong), OBJECTS).await, Some(401), "a wrong secret is one, certificate or not");

    site.live.exchange.revoke_credential(&site.live.operator, &record.id).unwrap();
    assert_eq!(open.get(None, OBJECTS).await, Some(401), "the next request, on the same connection");
    assert_eq!(site.status(Some(&identity), None, OBJECTS).await, Some(401));
    site.live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_read_again_and_no_connection_is_dropped() {
    let site = Site::start().await;
    let (alpha, _) = site.live.member("Alpha", &["programme"]);
    let identity = site.clients.issue(&Wanted::new("alpha"));
    site.bind(&Principal::Member(alpha.id), &[Action::Read], &identity);
    let mut open = site.connect(Some(&identity)).await.unwrap();
    let certificate_of = |open: &Open| open.0.get_ref().1.peer_certificates().unwrap()[0].clone();
    let first = certificate_of(&open);
    assert_eq!(site.tls.reload().unwrap(), Reloaded::Same);

    // The certificate alone is replaced first, as a tool does it that copies file by file.
    let renewed = site.servers.issue(&Wanted::server("hub"));
    std::fs::write(site.dir.path().join("hub.crt"), &renewed.certificate).unwrap();
    assert!(site.tls.reload().unwrap_err().to_string().contains("cannot be used"));
    assert!(site.tls.reload().is_err(), "it is said as long as it is so");
    assert_eq!(certificate_of(&site.connect(None).await.unwrap()), first, "the old one is in force");
    std::fs::write(site.dir.path().join("hub.key"), &renewed.key).unwrap();
    assert_eq!(site.tls.reload().unwrap(), Reloaded::Changed);
    assert_ne!(certificate_of(&site.connect(None).await.unwrap()), first);
    assert_eq!(open.get(None, OBJECTS).await, Some(200), "the open connection goes on");

    // An authority that is taken away is not believed on the open connection either; the connection stays.
    let clients = site.dir.path().join("clients.crt");
    std::fs::write(&clients, Authority::new("Other CA").certificate).unwrap();
    assert_eq!(site.tls.reload().unwrap(), Reloaded::Changed);
    assert_eq!(open.get(None, OBJECTS).await, Some(401));
    assert_eq!(site.status(Some(&identity), None, OBJECTS).await, None);
    std::fs::write(&clients, Authority::new("Third CA").certificate + &site.clients.certificate).unwrap();
    assert_eq!(site.tls.reload().unwrap(), Reloaded::Changed);
    assert_eq!(open.get(None, OBJECTS).await, Some(200));
    site.live.stop().await;
}

#[test]
fn authorities_that_may_not_sign_certificates_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let server = Authority::new("Servers").issue(&Wanted::server("hub"));
    let good = Authority::new("Good").certificate;
    let cases = [
        (
            good.clone() + &Authority::that_may_not_sign("Lists only").certificate,
            "certificate 2 has a key that may not",
        ),
        (good + &Authority::that_is_none("Nobody").certificate, "certificate 2 is not that of an authority"),
        (String::new(), "there is no certificate in it"),
    ];
    for (authorities, want) in cases {
        let error = Tls::from_files(place(dir.path(), &server, &authorities)).unwrap_err().to_string();
        assert!(error.contains("clients.crt") && error.contains(want), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_is_issued_listed_and_revoked_as_other_credentials_are() {
    let face = Face::new();
    let (member, login) = face.member("Alpha", &["programme"]);
    let binding = json!({"issuer": "CN=Sector CA", "subject": "CN=alpha"});
    let wanted = json!({"member": member.id, "certificate": binding, "actions": ["read"]});
    let issued =
        face.api(&face.operator, "POST", "/api/credentials", wanted.clone()).await.expect(201).json();
    assert!(issued.get("secret").is_none() && issued.get("token").is_none(), "{issued}");
    assert_eq!(issued["credential"]["certificate"], binding);
    let again = face.api(&face.operator, "POST", "/api/credentials", wanted.clone()).await;
    assert!(again.status.is_client_error(), "it is a credential already: {}", again.status);
    for own in ["login", "password"] {
        let mut with = wanted.clone();
        with[own] = json!("something-long-enough");
        assert!(face.api(&face.operator, "POST", "/api/credentials", with).await.status.is_client_error());
    }
    face.api(&login, "POST", "/api/credentials", wanted.clone()).await.expect(403);

    let id = issued["credential"]["id"].as_str().unwrap();
    let own = face.get(&login, "/api/me/credentials").await.expect(200).json();
    let shown = own.as_array().unwrap().iter().find(|one| one["id"] == id).unwrap();
    assert_eq!(shown["certificate"], binding, "the member sees it too");
    face.ask("DELETE", &format!("/api/credentials/{id}")).login(&face.operator).send().await.expect(200);
    face.api(&face.operator, "POST", "/api/credentials", wanted).await.expect(201);
}
