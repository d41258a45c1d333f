//! A provider of OpenID Connect, as the standards describe it, over HTTP on loopback. It can be told to lie.
//!
//! It signs everybody in at once, as whoever it was told. Numbers of sections are those of OpenID Connect Core 1.0.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::Mac as _;
use model::Clock as _;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const CLIENT: (&str, &str) = ("hub", "s3cret&with=signs%");
const RSA: &[u8] = include_bytes!("rsa-of-the-tests.pk8");

/// What a token is signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    Es256,
    Rs256,
    /// Not at all (§3.1.3.7: refused).
    None,
    /// With the public key as a shared secret: whoever takes the header's word for what a key is believes it.
    Hs256,
    /// With a key of somebody else, under the name of the provider's.
    Stranger,
    /// With the key that the provider had before.
    Former,
}

/// What it says and does.
pub(crate) struct State {
    pub(crate) claims: Value,
    /// What every token has other than it should.
    pub(crate) lie: Value,
    pub(crate) signing: Signing,
    /// What the description has other than it should.
    pub(crate) description: Value,
    /// The number of the key of now.
    pub(crate) key: usize,
    /// Answers instead of the right ones: a path, a head, a body.
    pub(crate) instead: Option<(&'static str, String, Vec<u8>)>,
    /// What was asked for, by path.
    pub(crate) asked: BTreeMap<String, usize>,
    codes: BTreeMap<String, Code>,
}

struct Code {
    query: BTreeMap<String, String>,
    is_used: bool,
}

pub(crate) struct TestProvider {
    pub(crate) url: String,
    pub(crate) state: Mutex<State>,
    clock: Arc<model::ManualClock>,
    pairs: Vec<EcdsaKeyPair>,
    rsa: RsaKeyPair,
    random: SystemRandom,
}

impl TestProvider {
    /// Listens until the tests end.
    pub(crate) fn start(clock: Arc<model::ManualClock>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let random = SystemRandom::new();
        let pair = |_| {
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap()
        };
        let state = State {
            claims: json!({"sub": "7f3", "name": "A. Ash", "groups": ["staff", "csirt-officers"]}),
            lie: json!({}),
            signing: Signing::Es256,
            description: json!({}),
            key: 1,
            instead: None,
            asked: BTreeMap::new(),
            codes: BTreeMap::new(),
        };
        let provider = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            state: Mutex::new(state),
            clock,
            pairs: (0..4).map(pair).collect(),
            rsa: RsaKeyPair::from_pkcs8(RSA).unwrap(),
            random: SystemRandom::new(),
        });
        let serving = Arc::clone(&provider);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                // A client that hangs up is not the provider's concern.
                drop(serving.answer(connection.unwrap()));
            }
        });
        provider
    }

    /// What is agreed with it.
    pub(crate) fn settings(&self) -> oidc::Settings {
        oidc::Settings {
            issuer: oidc::Issuer::parse(&self.url).unwrap(),
            client_id: CLIENT.0.to_owned(),
            client_secret: Some(CLIENT.1.to_owned()),
            redirect_uri: "https://hub.example/sign-in/provider/back".to_owned(),
            scopes: vec!["profile".to_owned(), "groups".to_owned()],
        }
    }

    /// A browser goes where it was sent; where it is sent from there.
    pub(crate) fn visit(&self, url: &str) -> String {
        let path = url.strip_prefix(&self.url).unwrap_or_else(|| panic!("{url} is not the provider's"));
        let mut connection = TcpStream::connect(self.url.trim_start_matches("http://")).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
        location.unwrap_or_else(|| panic!("{url}: {answer}")).to_owned()
    }

    fn answer(&self, mut connection: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(connection.try_clone()?);
        let (mut line, mut length, mut authorization) = (String::new(), 0, String::new());
        reader.read_line(&mut line)?;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "authorization" => value.trim().clone_into(&mut authorization),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let target = line.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (head, answer) = self.reply(path, query, &String::from_utf8(body).unwrap(), &authorization);
        write!(
            connection,
            "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        )?;
        connection.write_all(&answer)
    }

    fn reply(&self, path: &str, query: &str, body: &str, authorization: &str) -> (String, Vec<u8>) {
        let mut state = self.state.lock().unwrap();
        *state.asked.entry(path.to_owned()).or_default() += 1;
        if let Some((_, head, body)) = state.instead.as_ref().filter(|(at, _, _)| *at == path) {
            return (head.clone(), body.clone());
        }
        let said = |status: &str, value: &Value| {
            (format!("{status}\r\ncontent-type: application/json"), value.to_string().into_bytes())
        };
        match path {
            "/.well-known/openid-configuration" => said("200 OK", &self.description(&state)),
            "/keys" => said("200 OK", &self.keys(&state)),
            "/authorize" => {
                let query = fields(query);
                let location = authorize(&mut state, query, &self.url);
                (format!("302 Found\r\nlocation: {location}"), Vec::new())
            }
            "/token" => match self.token(&mut state, &fields(body), authorization) {
                Some(token) => said(
                    "200 OK",
                    &json!({"access_token": "none of ours", "token_type": "Bearer", "id_token": token}),
                ),
                None => {
                    said("400 Bad Request", &json!({"error": "invalid_grant", "error_description": "no"}))
                }
            },
            _ => ("404 Not Found".to_owned(), Vec::new()),
        }
    }

    fn description(&self, state: &State) -> Value {
        let at = |path: &str| format!("{}{path}", self.url);
        let said = json!({
            "issuer": self.url,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"),
            "end_session_endpoint": at("/end"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "RS256"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        });
        over(said, &state.description)
    }

    /// The key of now, the key for RS256, and others that are passed over.
    fn keys(&self, state: &State) -> Value {
        let point = self.pairs[state.key].public_key().as_ref().to_vec();
        let rsa = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [
            {"kty": "EC", "use": "sig", "crv": "P-256", "kid": format!("ec-{}", state.key),
             "x": text(&point[1..33]), "y": text(&point[33..])},
            {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa", "n": text(&rsa.n), "e": text(&rsa.e)},
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": text(&[1; 32])},
        ]})
    }

    /// §3.1.3: a code once, for the client that it was given to, with the secret whose hash was shown (RFC 7636 §4.6).
    fn token(
        &self,
        state: &mut State,
        form: &BTreeMap<String, String>,
        authorization: &str,
    ) -> Option<String> {
        let pair = STANDARD.decode(authorization.strip_prefix("Basic ")?).ok()?;
        let pair = String::from_utf8(pair).ok()?;
        let (id, secret) = pair.split_once(':')?;
        let is_client = (decoded(id).as_str(), decoded(secret).as_str()) == CLIENT;
        let code = state.codes.get_mut(form.get("code")?)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form.get("code_verifier")?));
        let fits = is_client
            && !code.is_used
            && form.get("grant_type")? == "authorization_code"
            && form.get("redirect_uri") == code.query.get("redirect_uri")
            && code.query.get("code_challenge") == Some(&challenge);
        if !fits {
            return None;
        }
        code.is_used = true;
        let now = self.clock.now().as_micros() / 1_000_000;
        let mut claims = state.claims.clone();
        let own = json!({
            "iss": self.url, "aud": CLIENT.0, "iat": now, "exp": now + 300, "nonce": code.query.get("nonce"),
        });
        claims = over(claims, &own);
        Some(self.sign(state, &over(claims, &state.lie)))
    }

    fn sign(&self, state: &State, claims: &Value) -> String {
        let key = match state.signing {
            Signing::Former => state.key - 1,
            Signing::Es256 | Signing::Rs256 | Signing::None | Signing::Hs256 | Signing::Stranger => state.key,
        };
        let (algorithm, kid) = match state.signing {
            Signing::Rs256 => ("RS256", "rsa".to_owned()),
            Signing::None => ("none", format!("ec-{key}")),
            Signing::Hs256 => ("HS256", format!("ec-{key}")),
            Signing::Es256 | Signing::Stranger | Signing::Former => ("ES256", format!("ec-{key}")),
        };
        let header = json!({"alg": algorithm, "kid": kid, "typ": "JWT"});
        let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let message = signed.as_bytes();
        let with = |pair: &EcdsaKeyPair| pair.sign(&self.random, message).unwrap().as_ref().to_vec();
        let signature = match state.signing {
            Signing::Es256 | Signing::Former => with(&self.pairs[key]),
            Signing::Stranger => with(&self.pairs[3]),
            Signing::None => Vec::new(),
            Signing::Hs256 => {
                let public = self.pairs[key].public_key().as_ref();
                let mut mac = hmac::Hmac::<Sha256>::new_from_slice(public).unwrap();
                mac.update(message);
                mac.finalize().into_bytes().to_vec()
            }
            Signing::Rs256 => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature).unwrap();
                signature
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// §3.1.2: what has to be in a question is in it, and the answer goes where the client is registered.
fn authorize(state: &mut State, query: BTreeMap<String, String>, issuer: &str) -> String {
    let is =
        |name: &str, want: &str| assert_eq!(query.get(name).map(String::as_str), Some(want), "{query:?}");
    is("response_type", "code");
    is("client_id", CLIENT.0);
    is("redirect_uri", "https://hub.example/sign-in/provider/back");
    is("scope", "openid profile groups");
    is("code_challenge_method", "S256");
    assert!(["state", "nonce", "code_challenge"].iter().all(|name| query[*name].len() == 43), "{query:?}");
    let code = format!("code-{}", state.codes.len());
    let back = format!("/sign-in/provider/back?code={code}&state={}&iss={issuer}", query["state"]);
    state.codes.insert(code, Code { query, is_used: false });
    back
}

fn over(mut said: Value, other: &Value) -> Value {
    for (name, value) in other.as_object().unwrap() {
        said[name] = value.clone();
    }
    said
}

fn fields(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}
