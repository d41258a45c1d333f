//! Mail, looked at for mail servers.
//!
//! A mail is for its recipients' customers: those whose domain a recipient's is, and for all other recipients the customer that
//! names the listener, or the only one there is. One mail can be for several of them, and it is held or refused as a whole. So it gets the
//! hardest action that is right for all: each customer's hardest is found, and the mildest of these is done. Whoever only monitors, has not
//! subscribed, or is no customer at all thereby keeps the mail from being held for the others; their hits count as *would have hit*.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use matcher::{Algorithm, Kind};
use model::Clock;
use quarantine::judge::{
    Action as MailAct, Algorithm as MailAlgorithm, Client, Finding, Hit, Judge as MailJudge, Observable,
    Role, Sink, SiteEntry, SiteLog, Whole,
};
use quarantine::server::{Choices, Listener, Parts, Quarantine};
use quarantine::settings::{Otherwise, Settings};
use quarantine::store::{Store, StoreKey};
use tracing::info;

use crate::config::{Config, MailAction, Milter, Mode, OnFailure, Quarantine as Settled, Service};
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

/// What a site has chosen, and may choose anew.
#[derive(Clone, Copy, Debug)]
struct Chosen {
    action: MailAct,
    log_victims: bool,
}

/// A mail server's view of the judge.
struct MailFace {
    judge: Arc<Judge>,
    chosen: RwLock<Chosen>,
}

impl MailFace {
    fn chosen(&self) -> Chosen {
        *self.chosen.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn whose(&self, client: &Client<'_>) -> Vec<Option<CustomerId>> {
        self.judge.customers().of_mail(client.listener, client.recipients)
    }

    fn one_mail(&self, client: &Client<'_>) -> MailOf {
        let whose = self.whose(client);
        let worst = Mutex::new(vec![None; whose.len()]);
        MailOf { judge: Arc::clone(&self.judge), action: self.chosen().action, whose, worst }
    }
}

impl MailJudge for MailFace {
    fn judge(&self, client: &Client<'_>, observable: &Observable<'_>, findings: &mut Vec<Finding>) {
        self.one_mail(client).judge(client, observable, findings);
    }

    fn wants_whole(&self) -> bool {
        self.judge.wants(SightKind::Mail)
    }

    fn judge_whole(&self, client: &Client<'_>, whole: &Whole, findings: &mut Vec<Finding>) {
        self.one_mail(client).judge_whole(client, whole, findings);
    }

    fn for_mail(&self, client: &Client<'_>) -> Option<Box<dyn MailJudge>> {
        Some(Box::new(self.one_mail(client)))
    }

    fn reference(&self, slot: u32) -> String {
        self.judge.reference(slot)
    }
}

impl Sink for MailFace {
    /// Counted where it is known whose mail it was.
    fn hit(&self, _hit: Hit) {}

    fn hit_of(&self, client: &Client<'_>, hit: Hit) {
        let Some(feed) = self.judge.set().record(hit.slot).map(|record| record.feed) else { return };
        let customers = self.judge.customers();
        for customer in self.whose(client).into_iter().flatten() {
            let action = match customers.mode(customer, feed, Service::Quarantine) {
                Some(Mode::Enforce) if hit.action != MailAct::Monitor => Action::Enforced,
                Some(_) => Action::Monitored,
                None => continue,
            };
            self.judge.hit(customer, Service::Quarantine, hit.slot, action);
        }
    }
}

/// The look at one mail, for all whose it is.
struct MailOf {
    judge: Arc<Judge>,
    action: MailAct,
    whose: Vec<Option<CustomerId>>,
    /// What each of them wants done, as far as the mail was looked at.
    worst: Mutex<Vec<Option<MailAct>>>,
}

impl MailOf {
    fn find(&self, at: usize, decided: Option<Decided>, findings: &mut Vec<Finding>) {
        let Some(decided) = decided else { return };
        let action = match decided.mode {
            Mode::Enforce => self.action,
            Mode::Monitor => MailAct::Monitor,
        };
        let mut worst = self.worst.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = worst.get_mut(at) {
            *place = (*place).max(Some(action));
        }
        findings.push(Finding { slot: decided.slot, action });
    }

    fn judge_for(
        &self,
        (at, who): (usize, CustomerId),
        observable: &Observable<'_>,
        findings: &mut Vec<Finding>,
    ) {
        let (judge, service) = (&self.judge, Service::Quarantine);
        let decided = match observable {
            Observable::Mailbox(_, text) => {
                let host = text.rsplit_once('@').map_or("", |(_, host)| host);
                self.find(at, judge.name(who, service, host), findings);
                judge.text_of(who, service, Kind::Email, text)
            }
            Observable::Subject(text) => {
                judge
                    .scan(who, service, text.as_bytes(), |decided, _| self.find(at, Some(decided), findings));
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
                judge
                    .scan(who, service, text.as_bytes(), |decided, _| self.find(at, Some(decided), findings));
                None
            }
        };
        self.find(at, decided, findings);
    }
}

impl MailJudge for MailOf {
    fn judge(&self, _client: &Client<'_>, observable: &Observable<'_>, findings: &mut Vec<Finding>) {
        for (at, who) in self.whose.iter().enumerate() {
            if let Some(who) = who {
                self.judge_for((at, *who), observable, findings);
            }
        }
    }

    fn settle(&self, findings: &mut BTreeMap<u32, MailAct>) {
        let worst = self.worst.lock().unwrap_or_else(PoisonError::into_inner);
        let right_for_all = worst.iter().map(|one| one.unwrap_or(MailAct::Monitor)).min();
        for action in findings.values_mut() {
            *action = (*action).min(right_for_all.unwrap_or(MailAct::Monitor));
        }
    }

    fn wants_whole(&self) -> bool {
        self.judge.wants(SightKind::Mail)
    }

    fn judge_whole(&self, _client: &Client<'_>, whole: &Whole, findings: &mut Vec<Finding>) {
        let sight = sight_of(whole, Some(instant(self.judge.clock().now())));
        for (at, who) in self.whose.iter().enumerate() {
            if let Some(who) = who {
                let sight = sight.clone();
                self.judge
                    .met(*who, Service::Quarantine, sight, |decided| self.find(at, Some(decided), findings));
            }
        }
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

/// The site's own log, with whom it concerned: only if the site asked for it.
struct Logged(Arc<MailFace>);

impl SiteLog for Logged {
    fn is_on(&self) -> bool {
        self.0.chosen().log_victims
    }

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

/// Mail servers' side of a guard: one store and one view, however many listeners there are.
pub struct Mail {
    face: Arc<MailFace>,
    quarantine: Arc<Quarantine>,
}

impl Mail {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be opened.
    pub fn open(
        config: &Config,
        settled: &Settled,
        judge: &Arc<Judge>,
        secrets: &Secrets,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let face = Arc::new(MailFace {
            judge: Arc::clone(judge),
            chosen: RwLock::new(Chosen { action: act(settled.action), log_victims: config.log_victims }),
        });
        let parts = Parts {
            judge: Arc::clone(&face) as Arc<dyn MailJudge>,
            sink: Arc::clone(&face) as Arc<dyn Sink>,
            site_log: Some(Arc::new(Logged(Arc::clone(&face)))),
            store: Arc::new(store(config, secrets, true)?),
            clock: Arc::clone(clock),
        };
        let Choices { on_failure, keep } = choices(settled);
        let settings = Settings { on_failure, keep, ..Settings::default() };
        Ok(Self { face, quarantine: Quarantine::new(settings, parts) })
    }

    /// What serves listeners.
    #[must_use]
    pub fn quarantine(&self) -> &Arc<Quarantine> {
        &self.quarantine
    }

    /// Takes what a site has chosen anew, from the next mail on.
    pub fn reload(&self, config: &Config, settled: &Settled) {
        *self.face.chosen.write().unwrap_or_else(PoisonError::into_inner) =
            Chosen { action: act(settled.action), log_victims: config.log_victims };
        self.quarantine.reload(choices(settled));
    }
}

fn choices(settled: &Settled) -> Choices {
    let on_failure = match settled.on_failure {
        OnFailure::Tempfail => Otherwise::TempFail,
        OnFailure::Accept => Otherwise::Pass,
    };
    Choices { on_failure, keep: settled.keep }
}

/// What a listener is called.
#[must_use]
pub fn name_of(milter: &Milter) -> String {
    match milter {
        Milter::Tcp(address) => address.to_string(),
        Milter::Unix(path) => path.display().to_string(),
    }
}

/// Whether the mail that comes to a listener is somebody's.
///
/// # Errors
///
/// Fails if it is nobody's.
pub fn check(milter: &Milter, config: &Config) -> Result<(), StartError> {
    let name = name_of(milter);
    let has = |customer: &crate::config::Customer| {
        customer.listeners.contains(&name) || !customer.domains.is_empty()
    };
    if config.customers.len() == 1 || config.customers.iter().any(has) {
        return Ok(());
    }
    let reason = "is nobody's listener; name it in one customer's `listeners`, or name customers' `domains`";
    Err(StartError::File { path: name, reason: reason.to_owned() })
}

/// Opens a listener.
///
/// # Errors
///
/// Fails if the socket cannot be had.
pub async fn listen(milter: &Milter) -> Result<Listener, StartError> {
    let listener = match milter {
        Milter::Tcp(address) => Listener::tcp(*address).await,
        Milter::Unix(path) => Listener::unix(path, SOCKET_MODE).await,
    };
    listener.map_err(|source| StartError::Listen { address: name_of(milter), source })
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
    use crate::allow::Allowed;
    use crate::customers::Customers;
    use crate::indicator::{Indicator, Rights};
    use crate::judge::Hit as Counted;
    use crate::set::Set;
    use model::ManualClock;
    use std::path::Path;
    use std::sync::mpsc::{Receiver, sync_channel};
    use stix_pattern::{BUDGET, Instant, Pattern, Verdict};
    use uuid::Uuid;

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

    const TEXT: &str = r#"
data = "state"
[hub]
url = "https://hub.example"
token_file = "token"
[[feed]]
collection = "one"
mode = "enforce"
[[feed]]
collection = "two"
mode = "enforce"
[[customer]]
name = "both"
domains = ["both.example"]
[[customer]]
name = "first"
domains = ["first.example"]
feeds = { one = "enforce" }
[[customer]]
name = "watching"
domains = ["Watching.example"]
feeds = { one = "monitor" }
[[customer]]
name = "no-mail"
domains = ["dns.example"]
services = ["sinkhole"]
[quarantine]
listen = ["127.0.0.1:0"]
action = "store"
"#;

    fn face() -> (MailFace, Receiver<Counted>) {
        let config = Config::parse("guard.toml", TEXT, Path::new(".")).unwrap();
        let set = Arc::new(Set::new([1; 32], Allowed::new([3; 32]), config.feeds.clone()));
        let now = "2026-01-15".parse().unwrap();
        for (feed, id, value) in [(0, 1_u128, "evil.example"), (1, 2, "bad.example")] {
            let pattern = format!("[domain-name:value = '{value}']");
            let indicator = Indicator { pattern, ..Indicator::empty(Uuid::from_u128(id)) };
            let entering = set.enter(feed, &indicator, Rights::ALL).into_iter().collect();
            set.commit(set.coming(feed, entering, now));
        }
        let (sender, hits) = sync_channel(100);
        let judge = Judge::new(set, Customers::new(&config), [5; 16], Arc::new(ManualClock::at(now)), sender);
        judge.set_idle(false);
        let chosen = RwLock::new(Chosen { action: MailAct::Store, log_victims: false });
        (MailFace { judge: Arc::new(judge), chosen }, hits)
    }

    /// Customer, slot, and what was counted.
    type Counts = Vec<(String, u32, Action)>;
    /// Recipients, names, what is done, and what is counted.
    type Case<'c> = (&'c [&'c str], &'c [&'c str], Option<MailAct>, Counts);

    /// What becomes of a mail with these names in it, and whose hits are counted how.
    fn outcome(recipients: &[&str], names: &[&str]) -> (Option<MailAct>, Counts) {
        let (face, hits) = face();
        let recipients: Vec<String> = recipients.iter().map(ToString::to_string).collect();
        let client = Client { listener: "127.0.0.1:0", peer: None, recipients: &recipients };
        let judge = face.for_mail(&client).unwrap();
        let mut found = Vec::new();
        for name in names {
            judge.judge(&client, &Observable::Name(name), &mut found);
        }
        let mut findings: BTreeMap<u32, MailAct> = BTreeMap::new();
        for one in found {
            let place = findings.entry(one.slot).or_insert(one.action);
            *place = (*place).max(one.action);
        }
        judge.settle(&mut findings);
        for (slot, action) in &findings {
            face.hit_of(&client, Hit { slot: *slot, action: *action, at: face_now() });
        }
        let customers = face.judge.customers();
        let counted =
            hits.try_iter().map(|hit| (customers.name(hit.customer).to_owned(), hit.slot, hit.action));
        (findings.values().max().copied(), counted.collect())
    }

    fn face_now() -> model::Timestamp {
        "2026-01-15".parse().unwrap()
    }

    #[test]
    fn a_mail_gets_the_hardest_action_that_is_right_for_all() {
        use Action::{Enforced, Monitored};
        let hit = |name: &str, slot, action| (name.to_owned(), slot, action);
        let (store, monitor) = (Some(MailAct::Store), Some(MailAct::Monitor));
        let cases: [Case<'_>; 9] = [
            (&["a@both.example"], &["evil.example"], store, vec![hit("both", 0, Enforced)]),
            (
                &["a@both.example", "b@mail.first.example", "c@FIRST.example"],
                &["evil.example"],
                store,
                vec![hit("both", 0, Enforced), hit("first", 0, Enforced)],
            ),
            // Each wants it held, for reasons of its own.
            (
                &["a@both.example", "b@first.example"],
                &["bad.example", "evil.example"],
                store,
                vec![hit("both", 0, Enforced), hit("first", 0, Enforced), hit("both", 1, Enforced)],
            ),
            // Who has not subscribed to the feed keeps it from being held for the other.
            (
                &["a@both.example", "b@first.example"],
                &["bad.example"],
                monitor,
                vec![hit("both", 1, Monitored)],
            ),
            (
                &["a@both.example", "b@watching.example"],
                &["evil.example"],
                monitor,
                vec![hit("both", 0, Monitored), hit("watching", 0, Monitored)],
            ),
            (&["a@watching.example"], &["evil.example"], monitor, vec![hit("watching", 0, Monitored)]),
            (
                &["a@both.example", "b@dns.example"],
                &["evil.example"],
                monitor,
                vec![hit("both", 0, Monitored)],
            ),
            (
                &["a@both.example", "b@elsewhere.example"],
                &["evil.example"],
                monitor,
                vec![hit("both", 0, Monitored)],
            ),
            (&["a@elsewhere.example"], &["evil.example"], None, vec![]),
        ];
        for (recipients, names, action, counted) in cases {
            assert_eq!(outcome(recipients, names), (action, counted), "{recipients:?} {names:?}");
        }
    }
}
