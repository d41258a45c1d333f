//! Kept mail: whole, sealed, explained, and there after a crash.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod common;

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::key;
use model::Timestamp;
use quarantine::store::{About, Act, Draft, MailId, Reason, SmtpTarget, State, Store, StoreError, StoreKey};

const REASON: Reason<'_> = Reason { who: "alice", why: "the sender called" };

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn about(day: &str) -> About {
    About {
        at: at(day),
        queue_id: "4FxYz".to_owned(),
        listener: "mx".to_owned(),
        peer: Some("192.0.2.7".parse().unwrap()),
        sender: "secret-sender@a.example".to_owned(),
        recipients: vec!["bob@b.example".to_owned()],
        subject: "secret subject".to_owned(),
        references: vec!["rf-0004".to_owned()],
        bytes: 0,
    }
}

fn store(folder: &Path) -> Store {
    Store::open_to_write(folder, key(), 1 << 30).unwrap()
}

fn keep(store: &Store, mail: &[u8], day: &str) -> MailId {
    let mut draft = store.draft().unwrap();
    mail.chunks(1_000).for_each(|piece| draft.write(piece).unwrap());
    draft.keep(&about(day)).unwrap()
}

fn read(store: &Store, id: &MailId) -> io::Result<Vec<u8>> {
    let mut mail = Vec::new();
    store.read(id).unwrap().unwrap().read_to_end(&mut mail)?;
    Ok(mail)
}

fn mail_of(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[test]
fn mail_comes_back_byte_for_byte_and_lies_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    for size in [0, 1, 65_535, 65_536, 65_537, 131_072, 1_000_000] {
        let mail = mail_of(size);
        let id = keep(&store, &mail, "2026-01-01");
        assert_eq!(read(&store, &id).unwrap(), mail, "{size} bytes");
        let shown = store.show(&id).unwrap().unwrap();
        assert_eq!((shown.state, shown.about), (State::Held, about("2026-01-01")));
    }
    store.delete(&store.list().unwrap().0[0].id, REASON, at("2026-01-02")).unwrap().unwrap();
    let letter = b"Subject: secret subject\r\n\r\nsecret body\r\n";
    keep(&store, letter, "2026-01-01");
    for entry in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        for secret in ["secret", "bob@b.example", "alice", "called"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
        }
    }
}

#[test]
fn a_changed_file_is_told_from_a_kept_mail() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let mail = mail_of(200_000);
    let (id, other) = (keep(&store, &mail, "2026-01-01"), keep(&store, &mail, "2026-01-01"));
    let path = |id: &MailId| folder.path().join(format!("{id}.held"));
    let whole = fs::read(path(&id)).unwrap();
    let chunk = 64 * 1024 + 16;
    let swapped = {
        let mut bytes = whole.clone();
        let (one, two) = bytes[23..].split_at_mut(chunk);
        one.swap_with_slice(&mut two[..chunk]);
        bytes
    };
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let length = whole.len();
    let cases = [
        ("the mail", flipped(30)),
        ("its last chunk", flipped(length - 800)),
        ("what is known of it", flipped(length - 20)),
        ("the foot", flipped(length - 3)),
        ("chunks changed places", swapped),
        ("it breaks off", whole[..length - 1].to_vec()),
        ("a chunk is gone", [&whole[..23 + chunk], &whole[23 + 2 * chunk..]].concat()),
        ("another mail's", fs::read(path(&other)).unwrap()),
        ("nothing", Vec::new()),
    ];
    for (name, bytes) in cases {
        fs::write(path(&id), bytes).unwrap();
        let opened = store.read(&id).map(|mail| mail.unwrap().read_to_end(&mut Vec::new()));
        let shown = store.show(&id);
        assert!(!matches!((&opened, &shown), (Ok(Ok(_)), Ok(_))), "{name}");
        // One bad file hides none of the others.
        assert!(store.list().unwrap().0.iter().any(|kept| kept.id == other), "{name}");
    }
    fs::write(path(&id), whole).unwrap();
    assert_eq!(read(&store, &id).unwrap(), mail);
    let stranger = StoreKey::new([8; 32], Arc::new(|buffer: &mut [u8]| buffer.fill(1)));
    let stranger = Store::open(folder.path(), stranger, 1 << 30).unwrap();
    assert_eq!(stranger.list().unwrap().1.len(), 2, "another key opens nothing, and says so");
}

#[test]
fn a_crash_leaves_whole_mail_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let first = store(folder.path());
    let kept = keep(&first, &mail_of(100_000), "2026-01-01");
    let mut draft: Draft = first.draft().unwrap();
    draft.write(&mail_of(300_000)).unwrap();
    // As after a crash: nobody cleans up, and the lock is gone with its holder.
    std::mem::forget(draft);
    drop(first);
    let reader = Store::open(folder.path(), key(), 1 << 30).unwrap();
    assert_eq!(drafts(folder.path()), 1, "who only reads removes nothing");
    assert_eq!(reader.list().unwrap().0.len(), 1);
    let again = store(folder.path());
    assert_eq!(drafts(folder.path()), 0);
    assert_eq!(read(&again, &kept).unwrap(), mail_of(100_000));
    let second = Store::open_to_write(folder.path(), key(), 1 << 30);
    assert!(matches!(second, Err(StoreError::Taken { .. })));
}

fn drafts(folder: &Path) -> usize {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.extension().is_some_and(|suffix| suffix == "draft")).count()
}

#[test]
fn a_draft_that_is_given_up_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_to_write(folder.path(), key(), 1_000_000).unwrap();
    let mut draft = store.draft().unwrap();
    draft.write(&mail_of(900_000)).unwrap();
    assert!(matches!(draft.write(&mail_of(200_000)), Err(StoreError::Full { .. })));
    drop(draft);
    assert_eq!(drafts(folder.path()), 0);
    keep(&store, &mail_of(900_000), "2026-01-01"); // there is room again
}

#[test]
fn release_and_deletion_need_a_name_and_a_reason_and_are_logged() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let mail = mail_of(150_000);
    let (one, two) = (keep(&store, &mail, "2026-01-01"), keep(&store, &mail, "2026-01-01"));
    let now = at("2026-01-03");
    for reason in [Reason { who: "", why: "x" }, Reason { who: "alice", why: " " }] {
        assert!(matches!(store.delete(&one, reason, now), Err(StoreError::Unexplained)));
        assert!(matches!(store.release_to(&one, reason, &mut io::sink(), now), Err(StoreError::Unexplained)));
    }
    let mut out = Vec::new();
    store.release_to(&one, REASON, &mut out, now).unwrap().unwrap();
    assert_eq!(out, mail);
    assert_eq!(store.show(&one).unwrap().unwrap().state, State::Released);
    store.delete(&two, REASON, now).unwrap().unwrap();
    assert_eq!(store.show(&two).unwrap(), None);
    assert_eq!(store.delete(&two, REASON, now).unwrap(), None);
    let journal = store.journal().unwrap();
    let acts: Vec<_> =
        journal.iter().map(|entry| (entry.act, entry.id.as_str(), entry.who.as_str())).collect();
    let want = [(Act::ReleaseAsked, &one), (Act::Released, &one), (Act::Deleted, &two)];
    assert_eq!(acts, want.map(|(act, id)| (act, id.as_str(), "alice")));
    // A record that a crash cut off is no hindrance.
    let path = folder.path().join("journal");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    assert_eq!(store.journal().unwrap().len(), 2);
    let three = keep(&store, &mail, "2026-01-01");
    store.delete(&three, REASON, now).unwrap().unwrap();
    assert_eq!(store.journal().unwrap()[2].id, three.as_str());
}

#[test]
fn mail_expires_by_age_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let old = keep(&store, &mail_of(10), "2026-01-01");
    let young = keep(&store, &mail_of(10), "2026-01-02");
    let month = Duration::from_hours(30 * 24);
    assert_eq!(store.expire(month, at("2026-01-31")).unwrap(), 0, "its last instant counts");
    assert_eq!(store.expire(month, at("2026-01-31T00:00:00.000001Z")).unwrap(), 1);
    let left: Vec<_> = store.list().unwrap().0.into_iter().map(|kept| kept.id).collect();
    assert_eq!(left, [young]);
    let last = store.journal().unwrap().pop().unwrap();
    assert_eq!((last.act, last.id.as_str()), (Act::Expired, old.as_str()));
}

#[test]
fn a_key_is_made_once_and_kept_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.key");
    let random: quarantine::store::Random = Arc::new(|buffer: &mut [u8]| buffer.fill(0xab));
    StoreKey::of_file(&path, Arc::clone(&random)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().trim(), "ab".repeat(32));
    StoreKey::of_file(&path, Arc::clone(&random)).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let error = StoreKey::of_file(&path, Arc::clone(&random)).unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fs::write(&path, "short").unwrap();
    assert!(StoreKey::of_file(&path, random).is_err());
}

#[test]
fn an_address_of_an_envelope_is_no_command() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let target = SmtpTarget { address: "127.0.0.1:9".parse().unwrap(), helo: "guard.example".to_owned() };
    for sender in ["a@b.example>\r\nRSET", "\"a\"@b.example>\r\nRSET", "a b@c.example"] {
        let mut draft = store.draft().unwrap();
        draft.write(b"Subject: x\r\n\r\nx\r\n").unwrap();
        let id = draft.keep(&About { sender: sender.to_owned(), ..about("2026-01-01") }).unwrap();
        let error = store.release(&id, REASON, &target, at("2026-01-02")).unwrap_err();
        assert!(error.to_string().contains("cannot be written"), "{sender}: {error}");
        assert_eq!(store.show(&id).unwrap().unwrap().state, State::Held);
        assert_eq!(store.journal().unwrap().last().unwrap().act, Act::ReleaseFailed);
    }
}
