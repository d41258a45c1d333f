//! Random schedules of publish, re-label, suspend, reinstate and late join, against a model that is a few sets.
//!
//! Four kinds of client poll all the while: one follows `next` and may leave a chain half way while the world goes on,
//! one follows `next` to the end each time, one follows only the date header, one goes by its own clock. Whatever
//! the schedule: nothing early (no object before the model says that it is visible), nothing twice, and in the end
//! everything.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use exchange::{PublishOptions, ReadError, RecallAction};
use model::{Caller, MemberId, Principal, Standing};
use taxii::{Endpoint, ObjectFilter};
use testkit::{Chance, World, caller_of, envelope, indicator, indicator_id, tier};

/// Without optimisation a schedule takes seven times as long.
const SCHEDULES: u64 = if cfg!(debug_assertions) { 40 } else { 400 };
const STEPS: u64 = 60;
const COLLECTION: &str = "indicators";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Paused,
    Next,
    DateHeader,
    OwnClock,
}

struct Client {
    kind: Kind,
    limit: u64,
    after: Option<String>,
    next: Option<String>,
    chain_began: Option<String>,
    caller: Caller,
    got: BTreeMap<String, u32>,
}

impl Client {
    /// Each client has a credential of its own.
    fn new(kind: Kind, limit: u64, caller: Caller) -> Self {
        Self { kind, limit, after: None, next: None, chain_began: None, caller, got: BTreeMap::new() }
    }

    /// One request; whether the client would ask on at once.
    fn request(&mut self, world: &World, visible: &BTreeSet<String>) -> bool {
        let mut query = format!("limit={}", self.limit);
        if let Some(after) = &self.after {
            query = format!("{query}&added_after={after}");
        }
        if let Some(next) = &self.next {
            query = format!("{query}&next={next}");
        }
        let began = world.clock_now();
        let filter = ObjectFilter::parse(Endpoint::Objects, &query).unwrap();
        let answer = match world.exchange.objects(&self.caller, COLLECTION, &filter) {
            Ok(answer) => answer,
            Err(ReadError::NoSuchCollection(_)) => return false,
            Err(error) => panic!("{error}"),
        };
        let mut last_id = None;
        for object in &stix::split(&answer.body, &stix::Limits::default()).unwrap() {
            let id = stix::Head::parse(object).unwrap().id.into_owned();
            assert!(
                id.starts_with("note--") || visible.contains(&id),
                "{:?} got {id} too early or too late",
                self.kind
            );
            *self.got.entry(id.clone()).or_default() += 1;
            last_id = Some(id);
        }
        assert_eq!(last_id.is_some(), answer.served.last.is_some());
        let last = answer.served.last.map(|date| date.to_string());
        match self.kind {
            Kind::DateHeader => {
                self.after = last.or(self.after.take());
                answer.served.more
            }
            Kind::OwnClock => {
                self.chain_began.get_or_insert(began);
                self.next = answer.served.next;
                if self.next.is_none() {
                    self.after = self.chain_began.take();
                }
                self.next.is_some()
            }
            Kind::Next | Kind::Paused => {
                self.chain_began = last.or(self.chain_began.take());
                self.next = answer.served.next;
                if self.next.is_none() {
                    self.after = self.chain_began.take().or(self.after.take());
                }
                self.next.is_some() && self.kind == Kind::Next
            }
        }
    }

    fn poll(&mut self, world: &World, visible: &BTreeSet<String>) {
        for _ in 0..10_000 {
            if !self.request(world, visible) {
                return;
            }
        }
        panic!("the client never came to an end");
    }
}

trait Now {
    fn clock_now(&self) -> String;
}

impl Now for World {
    fn clock_now(&self) -> String {
        self.exchange.now().to_string()
    }
}

struct Reader {
    id: MemberId,
    listed: bool,
    clients: Vec<Client>,
}

/// Who may have each object; `None` is everyone on the list.
type Audiences = BTreeMap<String, Option<BTreeSet<MemberId>>>;

fn visible(reader: &Reader, audiences: &Audiences) -> BTreeSet<String> {
    let may = |audience: &Option<BTreeSet<MemberId>>| {
        audience.as_ref().is_none_or(|named| named.contains(&reader.id))
    };
    audiences
        .iter()
        .filter(|(_, audience)| reader.listed && may(audience))
        .map(|(id, _)| id.clone())
        .collect()
}

fn join(world: &World, chance: &mut Chance, readers: &mut Vec<Reader>) {
    let (member, _) = world.member(&format!("member {}", readers.len()), &["programme"]);
    let clients = [Kind::Paused, Kind::Next, Kind::DateHeader, Kind::OwnClock]
        .map(|kind| Client::new(kind, 1 + chance.below(7), caller_of(Principal::Member(member.id.clone()))))
        .into();
    readers.push(Reader { id: member.id, listed: true, clients });
}

fn some_members(chance: &mut Chance, readers: &[Reader]) -> BTreeSet<MemberId> {
    readers.iter().filter(|_| chance.one_in(2)).map(|reader| reader.id.clone()).collect()
}

fn run(seed: u64) {
    let world = World::new(seed);
    let mut chance = Chance(seed);
    let mut readers = Vec::new();
    let mut audiences = Audiences::new();
    let mut published = 0;
    join(&world, &mut chance, &mut readers);
    for _ in 0..STEPS {
        // Often no time passes at all, so that instants crowd.
        if chance.one_in(3) {
            world.pass(Duration::from_micros(chance.below(5_000)));
        }
        match chance.below(10) {
            0..=2 => {
                let count = 1 + chance.below(12);
                let audience = chance.one_in(2).then(|| some_members(&mut chance, &readers));
                let objects: Vec<_> = (published..published + count).map(|n| indicator(n, 0, &[])).collect();
                let options = PublishOptions { audience: audience.clone(), ..PublishOptions::default() };
                world.exchange.publish(&world.operator, COLLECTION, envelope(&objects), options).unwrap();
                audiences.extend((published..published + count).map(|n| (indicator_id(n), audience.clone())));
                published += count;
            }
            3 if published > 0 => {
                let object = indicator_id(chance.below(published));
                let audience = some_members(&mut chance, &readers);
                let action = RecallAction::Relabel { audience: Some(audience.clone()), tlp: None };
                world.exchange.recall(&world.operator, &object, action, "tightened").unwrap();
                audiences.insert(object, Some(audience));
            }
            4 | 5 => {
                let place = usize::try_from(chance.below(readers.len() as u64)).unwrap();
                let reader = &mut readers[place];
                let to = if reader.listed { Standing::Suspended } else { Standing::Listed };
                world
                    .exchange
                    .set_standing(&world.operator, &reader.id, &tier("programme"), to, "a tie")
                    .unwrap();
                reader.listed = !reader.listed;
            }
            6 if readers.len() < 4 => join(&world, &mut chance, &mut readers),
            _ => {
                let place = usize::try_from(chance.below(readers.len() as u64)).unwrap();
                let may = visible(&readers[place], &audiences);
                let reader = &mut readers[place];
                for client in &mut reader.clients {
                    if chance.one_in(2) {
                        client.poll(&world, &may);
                    }
                }
            }
        }
    }
    for reader in &mut readers {
        if !reader.listed {
            world
                .exchange
                .set_standing(&world.operator, &reader.id, &tier("programme"), Standing::Listed, "over")
                .unwrap();
            reader.listed = true;
        }
    }
    world.pass(Duration::from_secs(1));
    for reader in &mut readers {
        let may = visible(reader, &audiences);
        for client in &mut reader.clients {
            // A chain that was begun long ago ends at its own horizon; the polls after it bring the rest.
            for _ in 0..200 {
                client.poll(&world, &may);
            }
            for id in &may {
                assert!(client.got.contains_key(id), "seed {seed}: {:?} never got {id}", client.kind);
            }
            for (id, times) in &client.got {
                assert_eq!(*times, 1, "seed {seed}: {:?} got {id} more than once", client.kind);
            }
        }
    }
}

#[test]
fn every_client_gets_everything_once_and_nothing_early() {
    for seed in 0..SCHEDULES {
        run(seed);
    }
}
