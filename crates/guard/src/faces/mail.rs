//! Mail, looked at for mail servers.
//!
//! Each listener is somebody's: the customer that names it, or the only one there is. What a mail is judged by follows from
//! that, and so does whether its hits may be reported.

use std::sync::Arc;

use matcher::{Algorithm, Kind};
use model::Clock;
use quarantine::judge::{
    Action as MailAct, Algorithm as MailAlgorithm, Client, Finding, Hit, Judge as MailJudge, Observable,
    Role, Sink, SiteEntry, SiteLog, Whole,
};
use quarantine::server::{Listener, Parts, Quarantine};
use quarantine::settings::{Otherwise, Settings};
use quarantine::store::{Store, StoreKey};
use tracing::info;

use crate::config::{Config, MailAction, Milter, Mode, OnFailure, Service};
use crate::customers::CustomerId;
use crate::judge::{Decided, Judge};
use crate::occurrence::Action;
use crate::run::StartError;
use crate::secrets::Secrets;
use crate::sight::{Kind as SightKind, SeenFile, Sight, instant};

/// The most that held mail may take on the disk.
const STORE_BYTES_MAX: u64 = 10 << 30;
/// Who may connect to a socket in the file system: its owner and group.
const SOCKET_MODE: u32 = 0o660;

/// A mail server's view of the judge.
struct MailFace {
    judge: Arc<Judge>,
    customer: CustomerId,
    action: MailAct,
}

impl MailFace {
    fn find(&self, decided: Option<Decided>, findings: &mut Vec<Finding>) {
        if let Some(decided) = decided {
            let action = match decided.mode {
                Mode::Enforce => self.action,
                Mode::Monitor => MailAct::Monitor,
            };
            findings.push(Finding { slot: decided.slot, action });
        }
    }
}

impl MailJudge for MailFace {
    fn judge(&self, _client: &Client<'_>, observable: &Observable<'_>, findings: &mut Vec<Finding>) {
        let (judge, who, service) = (&self.judge, self.customer, Service::Quarantine);
        let decided = match observable {
            Observable::Mailbox(_, text) => {
                let host = text.rsplit_once('@').map_or("", |(_, host)| host);
                self.find(judge.name(who, service, host), findings);
                judge.text_of(who, service, Kind::Email, text)
            }
            Observable::Subject(text) => {
                judge.scan(who, service, text.as_bytes(), |decided, _| self.find(Some(decided), findings));
                judge.text_of(who, service, Kind::Subject, text)
            }
            Observable::Url(text) => judge.text_of(who, service, Kind::Url, text),
            Observable::Name(text) => judge.name(who, service, text),
            Observable::FileName(text) => judge.text_of(who, service, Kind::FileName, text),
            Observable::Hash(algorithm, bytes) => {
                let algorithm = match algorithm {
                    MailAlgorithm::Md5 => Algorithm::Md5,
                    MailAlgorithm::Sha1 => Algorithm::Sha1,
                    MailAlgorithm::Sha256 => Algorithm::Sha256,
                };
                judge.hash(who, service, algorithm, bytes)
            }
            Observable::Address(address) => judge.address(who, service, *address),
            Observable::Text(text) | Observable::SenderName(text) => {
                judge.scan(who, service, text.as_bytes(), |decided, _| self.find(Some(decided), findings));
                None
            }
        };
        self.find(decided, findings);
    }

    fn wants_whole(&self) -> bool {
        self.judge.wants(SightKind::Mail)
    }

    fn judge_whole(&self, _client: &Client<'_>, whole: &Whole, findings: &mut Vec<Finding>) {
        let sight = sight_of(whole, Some(instant(self.judge.clock().now())));
        self.judge
            .met(self.customer, Service::Quarantine, sight, |decided| self.find(Some(decided), findings));
    }

    fn reference(&self, slot: u32) -> String {
        self.judge.reference(slot)
    }
}

/// A mail in the words of the standard.
#[must_use]
pub fn sight_of(whole: &Whole, at: Option<stix_pattern::Instant>) -> Sight {
    let mut sight = Sight::new(SightKind::Mail, at);
    let mut message =
        serde_json::json!({"type": "email-message", "subject": whole.subject, "body": whole.text});
    let mut to = Vec::new();
    for (role, address, name) in &whole.mailboxes {
        let id = sight.mailbox(address);
        if let Some(name) = name {
            sight.describe(&id, "display_name", name);
        }
        match role {
            Role::From if message.get("from_ref").is_none() => message["from_ref"] = id.into(),
            Role::Sender if message.get("sender_ref").is_none() => message["sender_ref"] = id.into(),
            Role::Recipient => to.push(serde_json::Value::from(id)),
            Role::From | Role::Sender | Role::EnvelopeSender | Role::ReplyTo => {}
        }
    }
    message["to_refs"] = to.into();
    sight.add(message);
    for file in &whole.files {
        let name = |algorithm: &MailAlgorithm| match algorithm {
            MailAlgorithm::Md5 => "MD5",
            MailAlgorithm::Sha1 => "SHA-1",
            MailAlgorithm::Sha256 => "SHA-256",
        };
        let hashes = file.hashes.iter().map(|(algorithm, digest)| (name(algorithm), hex::encode(digest)));
        let size = file.size.and_then(|size| u64::try_from(size).ok());
        sight.file(&SeenFile { name: file.name.as_deref(), size, hashes: hashes.collect() });
    }
    whole.urls.iter().for_each(|url| drop(sight.url(url)));
    whole.names.iter().for_each(|name| drop(sight.name(name)));
    whole.addresses.iter().for_each(|address| drop(sight.address(*address)));
    sight
}

impl Sink for MailFace {
    fn hit(&self, hit: Hit) {
        let action = if hit.action == MailAct::Monitor { Action::Monitored } else { Action::Enforced };
        self.judge.hit(self.customer, Service::Quarantine, hit.slot, action);
    }
}

/// The site's own log, with whom it concerned: only if the site asked for it.
struct Logged;

impl SiteLog for Logged {
    fn entry(&self, entry: &SiteEntry<'_>) {
        info!(
            queue_id = entry.queue_id,
            action = entry.action.as_str(),
            references = entry.references.join(" "),
            sender = entry.sender,
            recipients = entry.recipients.join(" "),
            subject = entry.subject,
            "a mail was hit"
        );
    }
}

/// The store of held mail; opened to write by the guard that runs, and without by commands beside it.
///
/// # Errors
///
/// Fails if the folder cannot be used.
///
/// # Panics
///
/// Panics if the system gives no random numbers, which it does once it is up.
pub fn store(config: &Config, secrets: &Secrets, to_write: bool) -> Result<Store, StartError> {
    let folder = config.data.join("mail");
    let random = Arc::new(|bytes: &mut [u8]| {
        getrandom::fill(bytes).expect("the system's generator works once it is up");
    });
    let key = StoreKey::new(secrets.mail_key(), random);
    let open = if to_write { Store::open_to_write } else { Store::open };
    open(&folder, key, STORE_BYTES_MAX)
        .map_err(|error| StartError::File { path: folder.display().to_string(), reason: error.to_string() })
}

/// The listeners of a configuration, each with its quarantine and its name.
///
/// # Errors
///
/// Fails if a socket or the store cannot be opened.
pub async fn open(
    config: &Config,
    judge: &Arc<Judge>,
    secrets: &Secrets,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<(Arc<Quarantine>, Listener, String)>, StartError> {
    let Some(settings) = &config.quarantine else { return Ok(Vec::new()) };
    let store = Arc::new(store(config, secrets, true)?);
    let mut opened = Vec::new();
    for milter in &settings.listen {
        let (name, listener) = match milter {
            Milter::Tcp(address) => (address.to_string(), Listener::tcp(*address).await),
            Milter::Unix(path) => (path.display().to_string(), Listener::unix(path, SOCKET_MODE).await),
        };
        let listener = listener.map_err(|source| StartError::Listen { address: name.clone(), source })?;
        let Some(customer) = judge.customers().of_listener(&name).or_else(|| judge.customers().only()) else {
            return Err(StartError::File {
                path: name,
                reason: "is nobody's listener; name it in one customer's `listeners`".to_owned(),
            });
        };
        let face = Arc::new(MailFace { judge: Arc::clone(judge), customer, action: act(settings.action) });
        let on_failure = match settings.on_failure {
            OnFailure::Tempfail => Otherwise::TempFail,
            OnFailure::Accept => Otherwise::Pass,
        };
        let parts = Parts {
            judge: Arc::clone(&face) as Arc<dyn MailJudge>,
            sink: face,
            site_log: config.log_victims.then(|| Arc::new(Logged) as Arc<dyn SiteLog>),
            store: Arc::clone(&store),
            clock: Arc::clone(clock),
        };
        let settings = Settings { on_failure, keep: settings.keep, ..Settings::default() };
        opened.push((Quarantine::new(settings, parts), listener, name));
    }
    Ok(opened)
}

fn act(action: MailAction) -> MailAct {
    match action {
        MailAction::Monitor => MailAct::Monitor,
        MailAction::Tag => MailAct::Tag,
        MailAction::Hold => MailAct::Hold,
        MailAction::Store => MailAct::Store,
        MailAction::Reject => MailAct::Reject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stix_pattern::{BUDGET, Instant, Pattern, Verdict};

    /// Takes the mail as a whole, and nothing else.
    struct Taker(std::sync::Mutex<Option<Whole>>);

    impl MailJudge for Taker {
        fn judge(&self, _client: &Client<'_>, _observable: &Observable<'_>, _findings: &mut Vec<Finding>) {}

        fn wants_whole(&self) -> bool {
            true
        }

        fn judge_whole(&self, _client: &Client<'_>, whole: &Whole, findings: &mut Vec<Finding>) {
            *self.0.lock().unwrap() = Some(whole.clone());
            findings.push(Finding { slot: 7, action: MailAct::Hold });
        }

        fn reference(&self, _slot: u32) -> String {
            String::new()
        }
    }

    #[test]
    fn a_mail_is_told_in_the_words_of_the_standard() {
        let mail = b"From: \"Billing\" <Billing@shop.example>\r\nSender: desk@other.example\r\n\
            To: <me@victim.example>\r\nSubject: Your invoice\r\n\
            Content-Type: multipart/mixed; boundary=x\r\n\r\n\
            --x\r\nContent-Type: text/plain\r\n\r\nsee http://pay.example/gate.php?id=3 now\r\n\
            --x\r\nContent-Type: application/octet-stream; name=\"invoice.scr\"\r\n\r\nMZ-not-really\r\n--x--\r\n";
        let client = Client { listener: "test", peer: Some([192, 0, 2, 7].into()), recipients: &[] };
        let taker = Taker(std::sync::Mutex::default());
        let mail =
            quarantine::inspect::Mail { client, sender: "bounce@shop.example", bytes: mail, is_cut: false };
        let report = quarantine::inspect::inspect(&mail, &taker, &quarantine::inspect::Limits::default());
        assert_eq!(report.findings.keys().copied().collect::<Vec<_>>(), [7]);
        let whole = taker.0.lock().unwrap().take().unwrap();
        let observation = sight_of(&whole, Some(Instant::from_unix(0, 0))).observation();
        for (pattern, want) in [
            (
                "[email-message:from_ref.value = 'Billing@shop.example' AND email-message:subject LIKE '%invoice%']",
                true,
            ),
            ("[email-message:from_ref.display_name = 'Billing']", true),
            ("[email-message:sender_ref.value = 'desk@other.example']", true),
            ("[email-message:to_refs[*].value LIKE '%@victim.example']", true),
            ("[email-message:body MATCHES 'gate\\\\.php']", true),
            ("[url:value MATCHES '^http://pay\\\\.example/gate\\\\.php\\\\?id=[0-9]+$']", true),
            ("[file:name LIKE '%.scr' AND file:size = 13]", true),
            ("[file:name LIKE '%.scr' AND file:size = 14]", false),
            ("[file:name LIKE '%.scr' AND file:hashes.MD5 = '00000000000000000000000000000000']", false),
            ("[domain-name:value = 'pay.example']", true),
            ("[ipv4-addr:value = '192.0.2.7']", true),
        ] {
            let found = Pattern::parse(pattern).unwrap().compile().evaluate([&observation], BUDGET);
            assert_eq!(found == Verdict::Match, want, "{pattern}: {whole:?}");
        }
    }
}
