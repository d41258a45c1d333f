//! What the exchange holds in memory: everything that is asked at every request and changes rarely.
//!
//! A registry is a value. The writer changes a copy and publishes it when the transaction that holds the same change
//! is durable; readers take the current one and never see half a change.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{
    Caller, CollectionId, CredentialId, Epoch, LabelId, Member, MemberId, Principal, Tier, Timestamp,
};
use programme::Programme;
use release::{Audience, Demands, Grants, Label, LabelFacts, Policy, Reader, Transition};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Record, Snapshot, StoreError};

use vetting::Judge;

use crate::certificates::{self, Bindings};
use crate::credentials::CredentialRecord;
use crate::dossier::Dossier;
use crate::error::OpenError;
use crate::sight::Departures;
use crate::webhooks::HookState;

/// Kinds of records.
pub(crate) const MEMBER: &str = "member";
pub(crate) const CREDENTIAL: &str = "credential";
pub(crate) const LABEL: &str = "label";
pub(crate) const TRANSITION: &str = "transition";
pub(crate) const PROGRAMME: &str = "programme";
pub(crate) const MARKING: &str = "marking";
pub(crate) const STATUS: &str = "status";
pub(crate) const FINDING: &str = "finding";
pub(crate) const STATEMENTS: &str = "statements";
pub(crate) const DOSSIER: &str = "dossier";
pub(crate) const PAST: &str = "past";
pub(crate) const DECISION: &str = "decision";
pub(crate) const ALERT: &str = "alert";
pub(crate) const WEBHOOK: &str = "webhook";
pub(crate) const SEEN: &str = "seen";
pub(crate) const MATCH: &str = "match";
pub(crate) const MATCHED: &str = "matched";
pub(crate) const DEPARTED: &str = "departed";

/// The key under which the programme that is in force is kept.
pub(crate) const IN_FORCE: &str = "in-force";

/// The labels of a hub.
#[derive(Clone, Default)]
pub(crate) struct Labels {
    pub(crate) facts: Vec<LabelFacts>,
    /// By the SHA-256 of the canonical bytes.
    by_digest: HashMap<[u8; 32], LabelId>,
    by_collection: HashMap<CollectionId, Vec<LabelId>>,
}

impl Labels {
    pub(crate) fn find(&self, label: &Label) -> Option<LabelId> {
        self.by_digest.get(&digest(label)).copied()
    }

    pub(crate) fn label(&self, id: LabelId) -> Option<&Label> {
        self.facts.get(id.index()).map(|facts| facts.label.as_ref())
    }

    /// The collection's labels, in order of their numbers.
    pub(crate) fn of(&self, collection: CollectionId) -> &[LabelId] {
        self.by_collection.get(&collection).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn add(&mut self, label: Label, created: Timestamp) -> LabelId {
        let id = LabelId::new(u32::try_from(self.facts.len()).unwrap_or(u32::MAX));
        self.by_digest.insert(digest(&label), id);
        self.by_collection.entry(label.collection).or_default().push(id);
        self.facts.push(LabelFacts { label: Arc::new(label), created });
        id
    }
}

fn digest(label: &Label) -> [u8; 32] {
    Sha256::digest(label.canonical()).into()
}

/// Who is alike to the policies. Members that differ in nothing that a policy asks about fare alike with every label that
/// names no member, as long as no policy names one.
#[derive(Clone, Copy)]
pub(crate) struct Profiles {
    is_nameless: bool,
    asks_for_identity: bool,
}

impl Profiles {
    pub(crate) fn new(registry: &Registry) -> Self {
        let is_cedar =
            |name: &str| std::path::Path::new(name).extension().is_some_and(|extension| extension == "cedar");
        let files = registry.programme().files().iter().filter(|(name, _)| is_cedar(name));
        let bare = |text: &[u8]| -> Vec<u8> {
            text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
        };
        let texts: Vec<Vec<u8>> = files.map(|(_, text)| bare(text)).collect();
        let say = |what: &str| texts.iter().any(|text| memchr::memmem::find(text, what.as_bytes()).is_some());
        Self { is_nameless: !say("Member::\""), asks_for_identity: say("identity") }
    }

    /// What a principal has in common with all that are like it; nothing, if it has to be judged by itself.
    pub(crate) fn of(self, registry: &Registry, principal: &Principal) -> Option<Vec<u8>> {
        let Principal::Member(member) = principal else { return None };
        let member = registry.members.get(member).filter(|_| self.is_nameless)?;
        let identity = member.identity.as_ref().filter(|_| self.asks_for_identity);
        serde_json::to_vec(&(member.kind, identity, &member.subject, &member.standings)).ok()
    }
}

/// Whether a label is the same to everybody who is alike.
fn names_nobody(label: &Label, principal: &Principal) -> bool {
    label.audience == Audience::Everyone && label.creator != *principal
}

/// What was already decided while many readers are judged at once.
pub(crate) struct Verdicts {
    by_profile: HashMap<Vec<u8>, HashMap<LabelId, bool>>,
    profiles: Profiles,
}

impl Verdicts {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self { by_profile: HashMap::new(), profiles: Profiles::new(registry) }
    }

    /// The verdict on a label for a principal, asked of `judge` unless one like it was judged before.
    pub(crate) fn of(
        &mut self,
        registry: &Registry,
        principal: &Principal,
        id: LabelId,
        label: &Label,
        judge: impl FnOnce() -> bool,
    ) -> bool {
        if !names_nobody(label, principal) {
            return judge();
        }
        let Some(profile) = self.profiles.of(registry, principal) else { return judge() };
        *self.by_profile.entry(profile).or_default().entry(id).or_insert_with(judge)
    }
}

/// A label as it is recorded.
#[derive(Serialize, Deserialize)]
pub(crate) struct LabelRecord {
    pub(crate) label: Label,
    pub(crate) created: Timestamp,
}

/// The key of a label's record; keys sort as the numbers do.
pub(crate) fn label_key(label: LabelId) -> String {
    format!("{:08}", label.number())
}

/// The key prefix of a reader's transitions.
pub(crate) fn transition_prefix(principal: &Principal) -> String {
    format!("{principal}/")
}

/// The key of a batch of statements; keys sort as the numbers do.
pub(crate) fn batch_key(batch: u64) -> String {
    format!("{batch:012}")
}

/// The key of one transition; keys sort as the instants do, and at one instant as the labels did.
pub(crate) fn transition_key(principal: &Principal, transition: &Transition) -> String {
    format!("{principal}/{:020}-{:08}", transition.at.as_micros(), transition.labels)
}

/// What the exchange knows at one epoch.
#[derive(Clone)]
pub(crate) struct Registry {
    pub(crate) epoch: Epoch,
    pub(crate) policy: Arc<Policy>,
    pub(crate) members: Arc<BTreeMap<MemberId, Member>>,
    pub(crate) credentials: Arc<BTreeMap<CredentialId, CredentialRecord>>,
    pub(crate) logins: Arc<HashMap<String, CredentialId>>,
    /// Which credentials are certificates.
    pub(crate) certificates: Arc<Bindings>,
    pub(crate) labels: Arc<Labels>,
    pub(crate) markings: Arc<HashMap<String, Demands>>,
    /// STIX identities and whose they are; `None` is the programme's own.
    pub(crate) identities: Arc<HashMap<String, Option<MemberId>>>,
    /// The rules about ties.
    pub(crate) judge: Arc<Judge>,
    /// What is kept about each member's vetting. Of a copy of the registry, all are shared but those that change.
    pub(crate) dossiers: Arc<BTreeMap<MemberId, Arc<Dossier>>>,
    /// What left which label when.
    pub(crate) departures: Arc<Departures>,
    /// How many alerts there have been, and batches of statements.
    pub(crate) alerts: u64,
    pub(crate) batches: u64,
    /// How far each webhook has come, by its name.
    pub(crate) hooks: Arc<BTreeMap<String, HookState>>,
}

impl Registry {
    /// Whether the caller's credential still holds at `now`; it may have been revoked since the request began.
    pub(crate) fn accepts(&self, caller: &Caller, now: Timestamp) -> bool {
        self.credentials.get(&caller.credential).is_none_or(|credential| credential.is_current(now))
    }

    /// The label with the markings resolved that were unknown when it was made and are known now.
    pub(crate) fn resolved<'l>(&self, label: &'l Label) -> Cow<'l, Label> {
        if !label.demands.unknown.iter().any(|id| self.markings.contains_key(id)) {
            return Cow::Borrowed(label);
        }
        let mut resolved = label.clone();
        for id in &label.demands.unknown {
            if let Some(demands) = self.markings.get(id) {
                resolved.demands.unknown.remove(id);
                resolved.demands = resolved.demands.and(demands);
            }
        }
        Cow::Owned(resolved)
    }

    /// Reads the identities off the members and the programme, after either changed.
    pub(crate) fn refresh_identities(&mut self) {
        let own = (self.programme().settings().identity.id.clone(), None);
        let of_members = self
            .members
            .values()
            .filter_map(|member| Some((member.identity.clone()?, Some(member.id.clone()))));
        self.identities = Arc::new(of_members.chain([own]).collect());
    }

    pub(crate) fn programme(&self) -> &Programme {
        self.policy.programme()
    }

    /// The programme's tiers, in its order.
    pub(crate) fn tiers(&self) -> Vec<Tier> {
        self.programme().settings().tiers.iter().map(|tier| tier.name.clone()).collect()
    }

    /// A member's dossier, to be changed; a new one, if none is kept yet.
    pub(crate) fn dossier(&self, member: &MemberId) -> Dossier {
        self.dossiers.get(member).map(|dossier| Dossier::clone(dossier)).unwrap_or_default()
    }

    /// The principal as the policy knows it; `None` for a member that is gone.
    pub(crate) fn reader<'r>(&'r self, principal: &Principal) -> Option<Reader<'r>> {
        match principal {
            Principal::Member(id) => self.members.get(id).map(Reader::Member),
            Principal::Role(role) => Some(Reader::Role(*role)),
        }
    }

    /// Reads a registry back from a store.
    pub(crate) fn load(snapshot: &dyn Snapshot, policy: Arc<Policy>) -> Result<Self, OpenError> {
        let mut labels = Labels::default();
        for record in snapshot.list(LABEL, "")? {
            let LabelRecord { label, created } = parse(&record)?;
            labels.add(label, created);
        }
        let mut members = BTreeMap::new();
        for record in snapshot.list(MEMBER, "")? {
            let member: Member = parse(&record)?;
            members.insert(member.id.clone(), member);
        }
        let (mut credentials, mut logins) = (BTreeMap::new(), HashMap::new());
        let mut bindings = Arc::default();
        for record in snapshot.list(CREDENTIAL, "")? {
            let credential: CredentialRecord = parse(&record)?;
            logins.insert(credential.login.clone(), credential.id.clone());
            certificates::note(&mut bindings, &credential);
            credentials.insert(credential.id.clone(), credential);
        }
        let mut dossiers = BTreeMap::new();
        for record in snapshot.list(DOSSIER, "")? {
            let member = record.key.parse().map_err(|error| OpenError::Record {
                kind: DOSSIER.to_owned(),
                key: record.key.clone(),
                reason: format!("{error}"),
            })?;
            dossiers.insert(member, Arc::new(parse(&record)?));
        }
        let count = |kind: &str| -> Result<u64, OpenError> {
            let last = snapshot.last_key(kind)?.and_then(|key| key.parse::<u64>().ok());
            Ok(last.map_or(0, |last| last + 1))
        };
        let (alerts, batches) = (count(ALERT)?, count(STATEMENTS)?);
        let judge = Arc::new(Judge::new(Arc::clone(policy.programme()))?);
        let mut markings = HashMap::new();
        for record in snapshot.list(MARKING, "")? {
            markings.insert(record.key.clone(), parse(&record)?);
        }
        let mut hooks = BTreeMap::new();
        for record in snapshot.list(WEBHOOK, "")? {
            hooks.insert(record.key.clone(), parse(&record)?);
        }
        let mut departures = Departures::default();
        for record in snapshot.list(DEPARTED, "")? {
            if let Some((from, to)) = Departures::labels_of(&record.key) {
                departures.note(from, to, parse(&record)?);
            }
        }
        let mut registry = Self {
            epoch: snapshot.horizon().epoch,
            policy,
            members: Arc::new(members),
            credentials: Arc::new(credentials),
            logins: Arc::new(logins),
            certificates: bindings,
            labels: Arc::new(labels),
            markings: Arc::new(markings),
            identities: Arc::default(),
            judge,
            dossiers: Arc::new(dossiers),
            departures: Arc::new(departures),
            alerts,
            batches,
            hooks: Arc::new(hooks),
        };
        registry.refresh_identities();
        Ok(registry)
    }
}

/// Reads a record's document.
pub(crate) fn parse<T: DeserializeOwned>(record: &Record) -> Result<T, OpenError> {
    serde_json::from_slice(&record.value).map_err(|error| OpenError::Record {
        kind: record.kind.clone(),
        key: record.key.clone(),
        reason: error.to_string(),
    })
}

/// A reader's grants, and how many labels its recorded transitions already speak of.
#[derive(Clone, Debug)]
pub(crate) struct ReaderGrants {
    pub(crate) grants: Arc<Grants>,
    pub(crate) recorded: u32,
}

impl ReaderGrants {
    /// Replays a reader's transitions from the store.
    pub(crate) fn load(
        snapshot: &dyn Snapshot,
        principal: &Principal,
        labels: &Labels,
    ) -> Result<Self, StoreError> {
        let mut transitions: Vec<Transition> = Vec::new();
        for record in snapshot.list(TRANSITION, &transition_prefix(principal))? {
            let transition = serde_json::from_slice(&record.value)
                .map_err(|error| StoreError::Damaged(format!("transition `{}`: {error}", record.key)))?;
            transitions.push(transition);
        }
        let recorded = transitions.last().map_or(0, |transition| transition.labels);
        Ok(Self {
            grants: Arc::new(Grants::replay_for(principal.clone(), &transitions, &labels.facts)),
            recorded,
        })
    }

    /// The same, with every label judged that is news to it.
    #[must_use]
    pub(crate) fn brought_up(&self, registry: &Registry, principal: &Principal) -> Self {
        let judge = registry.reader(principal).map(|reader| registry.policy.judge(reader));
        self.brought_up_by(&registry.labels.facts, |label| {
            judge.as_ref().is_some_and(|judge| judge.may_read(&registry.resolved(label)).permitted)
        })
    }

    /// The same, with each label that is news to it judged by `permits`.
    #[must_use]
    pub(crate) fn brought_up_by(&self, facts: &[LabelFacts], permits: impl Fn(&Arc<Label>) -> bool) -> Self {
        let known = self.grants.judged();
        if known >= facts.len() {
            return self.clone();
        }
        let mut grants = Grants::clone(&self.grants);
        let mut news = facts[known..].iter();
        grants.judge_new(facts, |_| news.next().is_some_and(|facts| permits(&facts.label)));
        Self { grants: Arc::new(grants), recorded: self.recorded }
    }
}
