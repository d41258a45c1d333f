//! What a hub is held to when it starts.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::{Arc, Mutex};

use exchange::{Exchange, KeptCheckpoint, Keys, OpenError, Options, PublishOptions};
use model::{ManualClock, Principal, Role};
use programme::Programme;
use store::{MemoryStore, Record, Store};
use testkit::{START, caller_of, envelope, indicator};

/// A checkpoint that is kept in memory.
#[derive(Default)]
struct Kept(Mutex<Option<Vec<u8>>>);

impl KeptCheckpoint for Kept {
    fn place(&self) -> String {
        "the place".to_owned()
    }

    fn read(&self) -> std::io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn write(&self, checkpoint: &[u8]) -> std::io::Result<()> {
        *self.0.lock().unwrap() = Some(checkpoint.to_vec());
        Ok(())
    }
}

/// Opens a hub whose chance is `chance`, and whose ledger's key is made from `key`.
fn open(store: &Arc<dyn Store>, kept: &Arc<Kept>, chance: u8, key: u8) -> Result<Exchange, OpenError> {
    let programme = Arc::new(Programme::from_files(&programme::template()).unwrap());
    let options = Options {
        clock: Arc::new(ManualClock::at(START.parse().unwrap())),
        random: Arc::new(move |bytes: &mut [u8]| bytes.fill(chance)),
        keys: Keys {
            origin: "test.example/jcsp".to_owned(),
            ledger: [key; 32],
            cursor: [2; 32],
            credentials: [3; 32],
        },
    };
    let kept = Arc::clone(kept) as Arc<dyn KeptCheckpoint>;
    Exchange::open_held_to(kept, Arc::clone(store), &programme, options)
}

fn empty() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

fn publish(exchange: &Exchange, n: u64) {
    let operator = caller_of(Principal::Role(Role::Operator));
    let body = envelope(&[indicator(n, 0, &[])]);
    exchange.publish(&operator, "indicators", body, PublishOptions::default()).unwrap();
}

#[test]
fn a_store_that_lost_its_end_is_found_and_not_served() {
    let (whole, kept) = (empty(), Arc::new(Kept::default()));
    let exchange = open(&whole, &kept, 7, 1).unwrap();
    // More than a tile, so that the past is read from tiles too.
    for n in 0..300 {
        publish(&exchange, n);
    }
    let size = exchange.ledger_head().size;
    // The last checkpoint is kept when the hub ends.
    drop(exchange);
    assert!(
        String::from_utf8(kept.0.lock().unwrap().clone().unwrap()).unwrap().contains(&format!("\n{size}\n"))
    );

    // The same hub as it was earlier: what it has is right, and the end is missing.
    let earlier = empty();
    let exchange = open(&earlier, &Arc::new(Kept::default()), 7, 1).unwrap();
    publish(&exchange, 0);
    let left = exchange.ledger_head().size;
    drop(exchange);
    for (store, found) in [(&earlier, left), (&empty(), 0)] {
        let refused = open(store, &kept, 7, 1).err().unwrap();
        let matches =
            matches!(&refused, OpenError::EndLost { found: f, signed, .. } if (*f, *signed) == (found, size));
        assert!(matches, "{refused}");
        let text = refused.to_string();
        assert!(text.contains("ringfence restore") && text.contains("the place"), "{text}");
    }
    assert!(open(&whole, &kept, 7, 1).is_ok(), "the store that has it all is served");
}

#[test]
fn a_log_that_has_grown_since_is_the_usual_case() {
    let (store, kept) = (empty(), Arc::new(Kept::default()));
    publish(&open(&store, &kept, 7, 1).unwrap(), 0);
    let before = kept.0.lock().unwrap().clone();
    publish(&open(&store, &kept, 7, 1).unwrap(), 1);
    // As if the hub had been killed before it kept the last one.
    *kept.0.lock().unwrap() = before;
    assert!(open(&store, &kept, 7, 1).is_ok());
}

#[test]
fn another_past_or_another_hubs_checkpoint_is_refused() {
    let (store, kept) = (empty(), Arc::new(Kept::default()));
    drop(open(&store, &kept, 7, 1).unwrap());
    let other = empty();
    let exchange = open(&other, &Arc::new(Kept::default()), 8, 1).unwrap();
    publish(&exchange, 0);
    drop(exchange);
    let refused = open(&other, &kept, 8, 1).err().unwrap();
    assert!(matches!(refused, OpenError::OtherPast { .. }), "{refused}");
    let keys = Arc::new(Kept::default());
    drop(open(&empty(), &keys, 7, 2).unwrap());
    for bytes in [keys.0.lock().unwrap().clone().unwrap(), b"nonsense".to_vec()] {
        let foreign = Arc::new(Kept(Mutex::new(Some(bytes))));
        let refused = open(&store, &foreign, 7, 1).err().unwrap();
        assert!(matches!(refused, OpenError::Kept { .. }), "{refused}");
    }
}

#[test]
fn a_damaged_batch_of_statements_is_named_and_not_served() {
    let (store, kept) = (empty(), Arc::default());
    let operator = caller_of(Principal::Role(Role::Operator));
    let exchange = open(&store, &kept, 1, 1).unwrap();
    let own = exchange.programme().lists().len();
    let mut number = 0;
    let mut import = || {
        let text = format!(
            r#"{{"id":"s-{number}","recorded":"{START}","source":{{"document":"d"}},
               "said":{{"entity":{{"id":"e-{number}","kind":"organisation"}}}}}}"#
        );
        number += 1;
        let statement = serde_json::from_str(&text).unwrap();
        assert_eq!(exchange.import_ties(&operator, vec![statement], "a batch").unwrap().new, 1);
    };
    for _ in 0..5 {
        import();
    }
    drop(exchange);
    let exchange = open(&store, &kept, 2, 1).unwrap();
    let ids = exchange.statements(&operator, own, 10).unwrap();
    let ids: Vec<_> = ids.iter().map(|statement| statement.id.to_string()).collect();
    assert_eq!(ids, ["s-0", "s-1", "s-2", "s-3", "s-4"], "in the order of their arrival");
    drop(exchange);
    // A batch before the last, while others are read ahead.
    let mut transaction = store.begin().unwrap();
    let (kind, key) = ("statements".to_owned(), format!("{:012}", 1));
    transaction.put(Record { kind, key, value: b"TIES\x01nothing".to_vec() }).unwrap();
    transaction.commit().unwrap();
    let error = open(&store, &kept, 3, 1).map(drop).unwrap_err();
    assert!(error.to_string().contains("statements `000000000001`"), "{error}");
}

#[test]
fn every_version_is_found_however_much_the_ledger_tells_since() {
    let (store, kept) = (empty(), Arc::new(Kept::default()));
    let exchange = open(&store, &kept, 3, 1).unwrap();
    let operator = caller_of(Principal::Role(Role::Operator));
    let first = exchange.programme();
    let mut files = programme::template();
    files.insert("README.md".to_owned(), b"Another version.\n".to_vec());
    let second = Arc::new(Programme::from_files(&files).unwrap());
    exchange.put_in_force(&second, "a test").unwrap();
    publish(&exchange, 1);
    let begun = exchange.ledger_head().size;
    // More entries than one answer about the ledger looks through: each poll is one.
    while exchange.ledger_head().size < begun + 8_200 {
        exchange.objects(&operator, "indicators", &taxii::ObjectFilter::default()).unwrap();
    }
    let told = |exchange: &Exchange, limit| {
        let versions = exchange.programme_versions(&operator, limit).unwrap();
        versions.into_iter().map(|one| (one.sha256, one.is_in_force, one.is_kept)).collect::<Vec<_>>()
    };
    let wanted = [(second.digest().to_owned(), true, true), (first.digest().to_owned(), false, true)];
    assert_eq!(told(&exchange, 10), wanted);
    assert_eq!(told(&exchange, 1), wanted[..1]);
    drop(exchange);
    // A store of a build that kept no places: they are found at the next start, which then puts the template in force.
    let mut transaction = store.begin().unwrap();
    for record in store.snapshot().unwrap().list("programme", "").unwrap() {
        if record.key == "places-known" || record.key.starts_with("entry/") {
            transaction.remove("programme", &record.key).unwrap();
        }
    }
    transaction.commit().unwrap();
    let exchange = open(&store, &kept, 4, 1).unwrap();
    let (first, second) = (first.digest().to_owned(), second.digest().to_owned());
    let wanted = [(first.clone(), true, true), (second, false, true), (first, true, true)];
    assert_eq!(told(&exchange, 10), wanted);
}
