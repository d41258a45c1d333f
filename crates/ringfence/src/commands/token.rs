//! `ringfence token`: credentials, for members and for the programme's people.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{fs, io};

use anyhow::{Context as _, Result, bail};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use exchange::{CertificateBinding, NewCredential, PresentedCertificate};
use model::{Action, Caller, CollectionId, CredentialId, Principal, Role, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client::{Api, segment};
use crate::commands::member;
use crate::connection::Connection;
use crate::data_dir::DataDir;
use crate::output::{Exit, Output, add, listed, table};

/// Issue, list and revoke credentials.
#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Issue a credential; its secret is shown once
    Add(Add),
    /// List the credentials, without their secrets
    List(List),
    /// Issue the successor of a credential with a random secret; for a while both are accepted
    Rotate(Rotate),
    /// Revoke a credential; it is refused from the next request on
    Revoke(Revoke),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whose").required(true).args(["member", "role"]))]
struct Add {
    /// For this member, by id or name
    #[arg(long, value_name = "MEMBER")]
    member: Option<String>,
    /// For one of the programme's people: operator, officer, reviewer, overseer
    #[arg(long, value_name = "ROLE")]
    role: Option<Role>,
    /// The user name; a random one if left out
    #[arg(long)]
    login: Option<String>,
    /// From when on it is no longer accepted, such as 2027-01-01
    #[arg(long, value_name = "DATE")]
    expires: Option<Timestamp>,
    /// Only for this collection, by id or alias; may be given several times
    #[arg(long = "collection", value_name = "COLLECTION")]
    collections: Vec<String>,
    /// Only for reading
    #[arg(long)]
    read_only: bool,
    /// What people call it
    #[arg(long, default_value = "")]
    note: String,
    /// The person who has it: all credentials of one person count as one where different people are needed
    #[arg(long, value_name = "NAME", requires = "role")]
    person: Option<String>,
    /// Read a password from stdin instead of making a random secret
    #[arg(long)]
    password_stdin: bool,
    /// Take the certificate in this PEM file as the credential, instead of a secret
    #[arg(long, value_name = "FILE", conflicts_with_all = ["login", "password_stdin", "data"])]
    certificate: Option<PathBuf>,
    /// By what the certificate is known
    #[arg(long, default_value = "fingerprint", requires = "certificate", value_name = "HOW")]
    known_by: KnownBy,
    /// Issue it directly in a data directory that no hub has open: the way back in when every token is lost
    #[arg(long, value_name = "DIR", requires = "role")]
    data: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KnownBy {
    /// This certificate and no other
    Fingerprint,
    /// Its issuer and subject, so that a renewed one is the same credential
    Subject,
    /// Its issuer and its one alternative name, likewise
    AlternativeName,
}

impl KnownBy {
    fn binding(self, of: PresentedCertificate) -> Result<CertificateBinding> {
        let PresentedCertificate { sha256, issuer, subject, mut alternative_names, .. } = of;
        Ok(match self {
            Self::Fingerprint => CertificateBinding::Fingerprint { sha256 },
            Self::Subject => CertificateBinding::Subject { issuer, subject },
            Self::AlternativeName => match (alternative_names.pop(), alternative_names.as_slice()) {
                (Some(alternative_name), []) => {
                    CertificateBinding::AlternativeName { issuer, alternative_name }
                }
                (None, _) => bail!("the certificate has no alternative name; choose another --known-by"),
                (Some(_), _) => bail!(
                    "the certificate has several alternative names; name one by POST /api/credentials, or choose another \
                     --known-by"
                ),
            },
        })
    }
}

#[derive(Debug, Args)]
struct List {
    /// The revoked and expired ones too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct Rotate {
    /// Its id, as `ringfence token list` shows it
    id: CredentialId,
    /// For how long the old one is accepted beside its successor
    #[arg(long, default_value_t = 24, value_name = "HOURS")]
    overlap_hours: u32,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct Revoke {
    /// Its id, as `ringfence token list` shows it
    id: CredentialId,
    #[command(flatten)]
    connection: Connection,
}

/// A credential as the hub shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Credential {
    pub(crate) id: CredentialId,
    pub(crate) login: String,
    principal: Principal,
    actions: BTreeSet<Action>,
    collections: Option<BTreeSet<CollectionId>>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    person: Option<String>,
    created: Timestamp,
    expires: Option<Timestamp>,
    revoked: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateBinding>,
    /// Since the hub started.
    #[serde(default)]
    last_used: Option<Timestamp>,
}

/// A certificate that became a credential.
#[derive(Serialize, Deserialize)]
struct Bound {
    credential: Credential,
}

impl Credential {
    /// With what it is presented: a user name, or a certificate.
    fn presented(&self) -> String {
        self.certificate.as_ref().map_or_else(|| self.login.clone(), ToString::to_string)
    }

    fn told_as_certificate(&self) -> String {
        format!("Issued {} for {}: the {}.", self.id, self.principal, self.presented())
    }
}

/// A new credential with its secret.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Issued {
    pub(crate) credential: Credential,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

impl Token {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        match self.command {
            Command::Add(add) => add.run(output),
            Command::List(list) => list.run(output),
            Command::Rotate(rotate) => rotate.run(output),
            Command::Revoke(revoke) => revoke.run(output),
        }
    }
}

impl Add {
    fn run(mut self, output: Output) -> Result<Exit> {
        let password = if self.password_stdin { Some(password()?) } else { None };
        if let (Some(data), Some(role)) = (self.data.take(), self.role) {
            return self.in_data_directory(&DataDir::new(data), role, password, output);
        }
        let api = self.connection.api()?;
        let mut body = Map::new();
        match (&self.member, self.role) {
            (Some(member), _) => body.insert("member".to_owned(), json!(member::find(&api, member)?.id)),
            (None, role) => body.insert("role".to_owned(), json!(role)),
        };
        if !self.collections.is_empty() {
            let ids: BTreeSet<CollectionId> =
                self.collections.iter().map(|text| collection_id(&api, text)).collect::<Result<_>>()?;
            body.insert("collections".to_owned(), json!(ids));
        }
        if self.read_only {
            body.insert("actions".to_owned(), json!([Action::Read]));
        }
        if let Some(file) = &self.certificate {
            let pem = fs::read(file).with_context(|| format!("reading `{}`", file.display()))?;
            let read = hub::certificate_in_pem(&pem);
            let read = read.with_context(|| format!("`{}` is no certificate", file.display()))?;
            body.insert("certificate".to_owned(), json!(self.known_by.binding(read)?));
        }
        let said = [
            ("login", json!(self.login)),
            ("expires", json!(self.expires)),
            ("note", json!(Some(self.note).filter(|note| !note.is_empty()))),
            ("person", json!(self.person)),
            ("password", json!(password)),
        ];
        body.extend(
            said.into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.to_owned(), value)),
        );
        let body = Value::Object(body);
        if self.certificate.is_some() {
            let bound: Bound = api.post("/api/credentials", &body)?;
            output.result(&bound, || bound.credential.told_as_certificate())?;
            return Ok(Exit::Done);
        }
        let issued: Issued = api.post("/api/credentials", &body)?;
        show(&issued, output)
    }

    fn in_data_directory(
        self,
        data: &DataDir,
        role: Role,
        password: Option<String>,
        output: Output,
    ) -> Result<Exit> {
        let exchange = data.write_offline()?;
        let programme = exchange.programme();
        let ids = self.collections.iter().map(|text| {
            let found = programme.find_collection(text).map(|collection| collection.id);
            found.with_context(|| format!("there is no collection `{text}`"))
        });
        let ids: BTreeSet<CollectionId> = ids.collect::<Result<_>>()?;
        let everything = [Action::Read, Action::Publish, Action::Administer];
        let new = NewCredential {
            principal: Principal::Role(role),
            login: self.login,
            actions: if self.read_only { [Action::Read].into() } else { everything.into() },
            collections: (!ids.is_empty()).then_some(ids),
            expires: self.expires,
            note: self.note,
            person: self.person,
            password,
        };
        // Whoever may write to the data directory owns the hub.
        let owner = Caller {
            principal: Principal::Role(Role::Operator),
            credential: CredentialId::from_bits(0),
            actions: everything.into(),
            collections: None,
        };
        let issued = exchange.issue_credential(&owner, new)?;
        let record = serde_json::to_value(&issued.record)?;
        let credential = serde_json::from_value(record)?;
        show(&Issued { credential, secret: issued.secret, token: issued.token }, output)
    }
}

fn show(issued: &Issued, output: Output) -> Result<Exit> {
    output.result(issued, || {
        let Issued { credential, secret, token } = issued;
        let mut text = format!("Issued {} for {}.\n", credential.id, credential.principal);
        add!(text, "  user      {}\n", credential.login);
        match token {
            Some(token) => {
                add!(text, "  password  {secret}\n  token     {token}\n");
                text.push_str(
                    "\nUser and password are for HTTP Basic, the token for Bearer. They are shown only now.",
                );
            }
            // The password is known to whoever typed it.
            None => text.push_str("  password  as given\n"),
        }
        text
    })?;
    Ok(Exit::Done)
}

impl List {
    fn run(self, output: Output) -> Result<Exit> {
        let api = self.connection.api()?;
        let mut credentials: Vec<Credential> =
            api.list("/api/credentials", |credential: &Credential| credential.id.to_string())?;
        let now = now();
        let state = |credential: &Credential| match (credential.revoked, credential.expires) {
            (Some(_), _) => "revoked",
            (None, Some(expires)) if expires <= now => "expired",
            (None, _) => "current",
        };
        if !self.all {
            credentials.retain(|credential| state(credential) == "current");
        }
        output.result(&credentials, || {
            let rows: Vec<[String; 8]> = credentials
                .iter()
                .map(|credential| {
                    [
                        credential.id.to_string(),
                        credential.principal.to_string(),
                        credential.person.clone().unwrap_or_default(),
                        credential.presented(),
                        listed(credential.actions.iter().map(|action| format!("{action:?}").to_lowercase())),
                        state(credential).to_owned(),
                        credential.last_used.map_or_else(String::new, |at| at.to_string()),
                        credential.note.clone(),
                    ]
                })
                .collect();
            table(["CREDENTIAL", "FOR", "PERSON", "USER", "MAY", "STATE", "LAST USED", "NOTE"], &rows)
        })?;
        Ok(Exit::Done)
    }
}

impl Rotate {
    fn run(self, output: Output) -> Result<Exit> {
        let path = format!("/api/credentials/{}/rotation", segment(&self.id));
        let body = json!({"overlap_hours": self.overlap_hours});
        let issued: Issued = self.connection.api()?.post(&path, &body)?;
        show(&issued, output)
    }
}

impl Revoke {
    fn run(self, output: Output) -> Result<Exit> {
        let api = self.connection.api()?;
        let credential: Credential = api.delete(&format!("/api/credentials/{}", segment(&self.id)))?;
        output.result(&credential, || {
            format!(
                "Revoked {} of {}; it is refused from the next request on.",
                credential.id, credential.principal
            )
        })?;
        Ok(Exit::Done)
    }
}

fn now() -> Timestamp {
    model::Clock::now(&model::SystemClock::default())
}

fn password() -> Result<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).context("reading the password from stdin")?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        bail!("there was no password on stdin");
    }
    Ok(password)
}

/// A collection's id, by its id or alias.
pub(crate) fn collection_id(api: &Api, id_or_alias: &str) -> Result<CollectionId> {
    if let Ok(id) = id_or_alias.parse() {
        return Ok(id);
    }
    let collections = api.taxii()?.default_root()?.collections()?;
    let found = collections.iter().find(|collection| collection.alias.as_deref() == Some(id_or_alias));
    match found {
        Some(collection) => Ok(collection.id.parse()?),
        None => bail!("there is no collection `{id_or_alias}`, or these credentials may not know of it"),
    }
}
