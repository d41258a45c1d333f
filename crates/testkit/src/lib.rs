//! What the tests of several crates share: a hub in memory, a clock that is moved, objects to publish.

#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

pub mod certificates;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exchange::{Exchange, Keys, NewMember, Options, PublishOptions, Submission};
use model::{
    Action, Caller, Clock, CredentialId, ManualClock, Member, MemberKind, Principal, Role, Subject, Tier,
    Timestamp,
};
use programme::Programme;
use store::{MemoryStore, Store};

/// Where the clocks of tests begin.
pub const START: &str = "2012-03-28T00:00:00Z";

/// A hub, its clock and its operator.
pub struct World {
    /// The exchange.
    pub exchange: Exchange,
    /// Its clock, which stands still until it is moved.
    pub clock: Arc<ManualClock>,
    /// A caller that may do everything an operator may.
    pub operator: Caller,
    /// What the hub is opened with, to open it again.
    pub store: Arc<dyn Store>,
}

impl World {
    /// A hub in memory with the template programme. Equal seeds make equal hubs.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::over(Arc::new(MemoryStore::new()), &one_person_programme(), seed)
    }

    /// A hub over a given store with given programme files.
    #[must_use]
    pub fn over(store: Arc<dyn Store>, files: &BTreeMap<String, Vec<u8>>, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(START.parse().expect("START is a date")));
        let exchange = open(&store, files, Arc::clone(&clock) as Arc<dyn Clock>, seed);
        Self { exchange, clock, operator: caller_of(Principal::Role(Role::Operator)), store }
    }

    /// Opens the hub's store anew, as after a restart.
    pub fn reopen(&mut self, files: &BTreeMap<String, Vec<u8>>, seed: u64) {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        self.reopen_with(clock, files, seed);
    }

    /// Opens it anew with a clock that does not stand still.
    pub fn reopen_with(&mut self, clock: Arc<dyn Clock>, files: &BTreeMap<String, Vec<u8>>, seed: u64) {
        self.exchange = open(&self.store, files, clock, seed);
    }

    /// Moves the clock on.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Admits a member to some tiers.
    #[must_use]
    pub fn member(&self, name: &str, tiers: &[&str]) -> (Member, Caller) {
        let new = NewMember {
            name: name.to_owned(),
            kind: MemberKind::Provider,
            identity: None,
            subject: Subject { clearance: 3, ..Subject::default() },
            listed: tiers.iter().map(|tier| self::tier(tier)).collect::<BTreeSet<_>>(),
        };
        let member = self.exchange.add_member(&self.operator, new).expect("a member can be added");
        let caller = caller_of(Principal::Member(member.id.clone()));
        (member, caller)
    }

    /// Publishes objects as the operator.
    #[must_use]
    pub fn publish(&self, collection: &str, objects: &[Vec<u8>]) -> Submission {
        let options = PublishOptions::default();
        self.exchange
            .publish(&self.operator, collection, envelope(objects), options)
            .expect("the operator can publish")
    }
}

fn open(
    store: &Arc<dyn Store>,
    files: &BTreeMap<String, Vec<u8>>,
    clock: Arc<dyn Clock>,
    seed: u64,
) -> Exchange {
    let programme = Arc::new(Programme::from_files(files).expect("the programme is valid"));
    let chance = Mutex::new(Chance(seed));
    let options = Options {
        clock,
        random: Arc::new(move |bytes: &mut [u8]| {
            let mut chance = chance.lock().expect("no test panics while it draws");
            for byte in bytes {
                *byte = chance.next();
            }
        }),
        keys: Keys {
            origin: "test.example/jcsp".to_owned(),
            ledger: [1; 32],
            cursor: [2; 32],
            credentials: [3; 32],
        },
    };
    Exchange::open(Arc::clone(store), &programme, options).expect("the hub opens")
}

/// The template programme, with a quorum of one: for tests in which who agrees to a step is beside the point.
#[must_use]
pub fn one_person_programme() -> BTreeMap<String, Vec<u8>> {
    let mut files = programme::template();
    let text = files.remove("programme.toml").expect("the template has its settings");
    let text =
        String::from_utf8(text).expect("the template is text").replace("\nquorum = 2\n", "\nquorum = 1\n");
    files.insert("programme.toml".to_owned(), text.into_bytes());
    files
}

/// A tier by name.
#[must_use]
pub fn tier(name: &str) -> Tier {
    name.parse().expect("a tier's name")
}

/// A caller for a principal, with every right that a credential can carry.
#[must_use]
pub fn caller_of(principal: Principal) -> Caller {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Caller {
        principal,
        credential: CredentialId::from_bits(NEXT.fetch_add(1, Ordering::Relaxed)),
        actions: [Action::Read, Action::Publish, Action::Administer].into(),
        collections: None,
    }
}

/// The name of a person of its own for a credential of the programme's people; those of members name nobody.
#[must_use]
pub fn person_for(principal: &Principal) -> Option<String> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let is_of_people = matches!(principal, Principal::Role(_));
    is_of_people.then(|| format!("Person {}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// TLP 2.0 markings by level: 0 CLEAR, 1 GREEN, 2 AMBER, 3 AMBER+STRICT, 4 RED (domain note 6.3).
pub const TLP: [&str; 5] = [
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
];

/// The id of indicator number `n`.
#[must_use]
pub fn indicator_id(n: u64) -> String {
    format!("indicator--00000000-0000-4000-8000-{n:012x}")
}

/// Indicator number `n` in its version `version`, with these markings.
#[must_use]
pub fn indicator(n: u64, version: u32, markings: &[&str]) -> Vec<u8> {
    let refs: Vec<String> = markings.iter().map(|id| format!("\"{id}\"")).collect();
    let marked = if refs.is_empty() {
        String::new()
    } else {
        format!(r#","object_marking_refs":[{}]"#, refs.join(","))
    };
    format!(
        r#"{{"type":"indicator","spec_version":"2.1","id":"{id}","created":"2012-01-13T00:00:00.000Z","modified":"2012-01-13T00:00:{version:02}.000Z","pattern":"[domain-name:value = 'host-{n}.example']","pattern_type":"stix","valid_from":"2012-01-13T00:00:00Z"{marked}}}"#,
        id = indicator_id(n),
    )
    .into_bytes()
}

/// A relationship number `n` between two objects.
#[must_use]
pub fn relationship(n: u64, source: &str, target: &str, markings: &[&str]) -> Vec<u8> {
    let refs: Vec<String> = markings.iter().map(|id| format!("\"{id}\"")).collect();
    let marked = if refs.is_empty() {
        String::new()
    } else {
        format!(r#","object_marking_refs":[{}]"#, refs.join(","))
    };
    format!(
        r#"{{"type":"relationship","spec_version":"2.1","id":"relationship--00000000-0000-4000-8000-{n:012x}","created":"2012-01-13T00:00:00.000Z","modified":"2012-01-13T00:00:00.000Z","relationship_type":"related-to","source_ref":"{source}","target_ref":"{target}"{marked}}}"#
    )
    .into_bytes()
}

/// An envelope of objects.
#[must_use]
pub fn envelope(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"{\"objects\":[".to_vec();
    bytes.extend(objects.join(&b','));
    bytes.extend(b"]}");
    bytes
}

/// A small generator of chance for tests, so that equal seeds make equal runs (`SplitMix64`).
pub struct Chance(pub u64);

impl Chance {
    fn next(&mut self) -> u8 {
        self.below(256).to_le_bytes()[0]
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// One in `n`.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// An instant from text.
#[must_use]
pub fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}
