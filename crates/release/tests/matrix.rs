//! The release matrix: what the template's policy says to marking x standing x audience x action, as text.
//!
//! `matrix.txt` is there to be read: a change of the policy shows in it as a change of lines. If this test fails because the
//! change is meant, copy the file that it names over `tests/matrix.txt`, and look at the difference before you commit it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use model::{Member, MemberId, MemberKind, Principal, Role, Standing, Subject, Tier, Timestamp};
use programme::Programme;
use release::{AcsEffect, AcsLabel, Audience, Demands, Label, Policy, Reader, Verdict};

const COLLECTIONS: [&str; 4] = ["open", "indicators", "cleared", "submissions"];

fn tlp(level: u8) -> Demands {
    Demands { tlp: Some(level), ..Demands::default() }
}

/// What an object is marked with, by the name that the table gives it.
fn markings() -> Vec<(&'static str, Demands)> {
    let pap = |level| Demands { pap: Some(level), ..tlp(1) };
    let acs = |default, sharing| Demands { acs: [AcsLabel::unclassified(default, sharing)].into(), ..tlp(1) };
    let unknown = BTreeSet::from(["marking-definition--00000000-0000-4000-8000-0000000000bb".to_owned()]);
    vec![
        ("unmarked", Demands::default()),
        ("clear", tlp(0)),
        ("green", tlp(1)),
        ("amber", tlp(2)),
        ("amber+strict", tlp(3)),
        ("red", tlp(4)),
        ("pap amber", pap(2)),
        ("pap red", pap(3)),
        ("acs public", acs(AcsEffect::Permit, AcsEffect::Permit)),
        ("acs closed", acs(AcsEffect::Deny, AcsEffect::Deny)),
        ("unknown", Demands { unknown, ..tlp(1) }),
    ]
}

fn member(standing: Standing, kind: MemberKind) -> Member {
    let tier = |name: &str| name.parse::<Tier>().unwrap();
    Member {
        id: MemberId::from_bits(1),
        name: "the reader".to_owned(),
        kind,
        identity: None,
        subject: Subject::default(),
        standings: ["open", "programme", "cleared"].map(|name| (tier(name), standing)).into(),
        since: Timestamp::EPOCH,
    }
}

/// Who reads: every standing of a provider, a participant on the list, and the programme's people.
fn readers() -> Vec<(String, Option<Member>, Role)> {
    let provider = |standing: Standing| {
        (standing.to_string(), Some(member(standing, MemberKind::Provider)), Role::Operator)
    };
    let mut readers: Vec<_> = Standing::ALL.into_iter().map(provider).collect();
    let participant = member(Standing::Listed, MemberKind::Participant);
    readers.push(("listed participant".to_owned(), Some(participant), Role::Operator));
    readers.extend(Role::ALL.into_iter().map(|role| (role.to_string(), None, role)));
    readers
}

/// Whom the publisher named, and who that was.
fn audiences(reader: &MemberId) -> [(&'static str, Audience, Principal); 5] {
    let operator = Principal::Role(Role::Operator);
    let named = |ids: &[&MemberId]| Audience::Named(ids.iter().map(|id| (*id).clone()).collect());
    [
        ("everyone", Audience::Everyone, operator.clone()),
        ("the reader", named(&[reader]), operator.clone()),
        ("another", named(&[&MemberId::from_bits(2)]), operator.clone()),
        ("nobody", named(&[]), operator),
        ("nobody, its own", named(&[]), Principal::Member(reader.clone())),
    ]
}

fn letter(verdict: &Verdict, letter: char) -> char {
    assert!(verdict.errors.is_empty(), "{:?}", verdict.errors);
    if verdict.permitted { letter } else { '-' }
}

/// What the reader may do with objects of this label: read, display, enforce, redistribute.
fn content(policy: &Policy, reader: Reader<'_>, label: &Label) -> String {
    [
        letter(&policy.may_read(reader, label), 'r'),
        letter(&policy.may_display(reader, label), 'd'),
        letter(&policy.may_enforce(reader, label), 'e'),
        letter(&policy.may_redistribute(reader, label), 'p'),
    ]
    .into_iter()
    .collect()
}

/// The whole table. Readers that have the same answers everywhere share a block.
fn matrix(policy: &Policy) -> String {
    let mut text = String::from(
        "The release matrix of the template. Written by tests/matrix.rs; see there how it is brought up to date.\n\n\
         r read, d display, e enforce, p pass on (redistribute); l see the collection, w publish to it; - no\n",
    );
    for alias in COLLECTIONS {
        let mut blocks: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut order = Vec::new();
        for (name, member, role) in readers() {
            let reader = member.as_ref().map_or(Reader::Role(role), Reader::Member);
            let block = block(policy, alias, reader);
            let names = blocks.entry(block.clone()).or_default();
            if names.is_empty() {
                order.push(block);
            }
            names.push(name);
        }
        for block in order {
            write!(text, "\n{alias}: {}\n{block}", blocks[&block].join(", ")).unwrap();
        }
    }
    text
}

fn block(policy: &Policy, alias: &str, reader: Reader<'_>) -> String {
    let collection = policy.programme().find_collection(alias).unwrap();
    let mut text = String::from("  collection       ");
    text.push(letter(&policy.may_list(reader, &collection.id), 'l'));
    text.push(letter(&policy.may_publish(reader, &collection.id), 'w'));
    text.push('\n');
    let audiences = audiences(&MemberId::from_bits(1));
    let names: Vec<String> = audiences.iter().map(|(name, ..)| format!("{name:<16}")).collect();
    writeln!(text, "  marking          {}", names.join("").trim_end()).unwrap();
    for (marking, demands) in markings() {
        let cells = audiences.iter().map(|(_, audience, creator)| {
            let label = Label {
                collection: collection.id,
                tier: collection.tier.clone(),
                demands: demands.clone(),
                creator: creator.clone(),
                audience: audience.clone(),
                release_at: None,
                release_until: None,
                ends: BTreeSet::new(),
                unless: None,
            };
            format!("{:<16}", content(policy, reader, &label))
        });
        let cells: String = cells.collect();
        writeln!(text, "  {marking:<17}{}", cells.trim_end()).unwrap();
    }
    text
}

#[test]
fn the_matrix_is_as_it_is_written() {
    let programme = Programme::from_files(&programme::template()).unwrap();
    let found = matrix(&Policy::new(Arc::new(programme)).unwrap());
    let written = include_str!("matrix.txt");
    if found == written {
        return;
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("matrix.txt");
    std::fs::write(&path, &found).unwrap();
    let lines = found.lines().zip(written.lines());
    let first = lines.enumerate().find(|(_, (found, written))| found != written);
    panic!("tests/matrix.txt differs, first at {first:?}; what was found is in {}", path.display());
}

#[test]
fn nobody_off_the_list_has_anything_of_any_tier() {
    let policy = Policy::new(Arc::new(Programme::from_files(&programme::template()).unwrap())).unwrap();
    let off = [
        Standing::Applicant,
        Standing::UnderReview,
        Standing::Suspended,
        Standing::Removed,
        Standing::Reinstating,
    ];
    for standing in off {
        let member = member(standing, MemberKind::Provider);
        for alias in COLLECTIONS {
            let text = block(&policy, alias, Reader::Member(&member));
            assert!(text.lines().next().unwrap().ends_with("--"), "{standing} {alias}");
            let cells = text.lines().skip(2).map(|line| line[19..].split_whitespace());
            assert!(cells.flatten().all(|cell| cell == "----"), "{standing} {alias}\n{text}");
        }
    }
}
