//! The template's cases, and what holds whatever a programme's policies say.

use std::collections::{BTreeMap, BTreeSet};

use model::{Action, CredentialId, MemberId, MemberKind, Principal, Standing, Tier, Timestamp};

use super::*;
use crate::{Audience, Demands, run_cases};

fn policy_of(files: &BTreeMap<String, Vec<u8>>) -> Result<Policy, PolicyError> {
    Policy::new(Arc::new(Programme::from_files(files).expect("the folder loads")))
}

fn edited(edits: &[(&str, &str, &str)]) -> BTreeMap<String, Vec<u8>> {
    let mut files = programme::template();
    for (file, from, to) in edits {
        let text = String::from_utf8(files[*file].clone()).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        files.insert((*file).to_owned(), text.replacen(from, to, 1).into_bytes());
    }
    files
}

fn template() -> Policy {
    policy_of(&programme::template()).unwrap()
}

fn tier(name: &str) -> Tier {
    name.parse().unwrap()
}

fn member(number: u64, standing: Standing) -> Member {
    Member {
        id: MemberId::from_bits(number),
        name: format!("member {number}"),
        kind: MemberKind::Provider,
        identity: None,
        subject: Subject::default(),
        standings: ["open", "programme", "cleared"].map(|name| (tier(name), standing)).into(),
        since: Timestamp::EPOCH,
    }
}

fn label(policy: &Policy, alias: &str, demands: Demands) -> Label {
    let collection = policy.programme().find_collection(alias).unwrap();
    Label {
        collection: collection.id,
        tier: collection.tier.clone(),
        demands,
        creator: Principal::Role(Role::Operator),
        audience: Audience::Everyone,
        release_at: None,
        release_until: None,
        ends: BTreeSet::new(),
        unless: None,
    }
}

#[test]
fn the_templates_cases_pass() {
    let report = run_cases(&template());
    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert!(report.passed(), "{}", failures.join("\n"));
    assert!(report.run >= 45, "{} cases", report.run);
}

/// Each rule of the template matters: without it some case fails.
#[test]
fn no_rule_of_the_template_goes_untested() {
    let template = programme::template();
    let text = String::from_utf8(template["release.cedar"].clone()).unwrap();
    let programme = Programme::from_files(&template).unwrap();
    let mut untested = Vec::new();
    for rule in programme.policies().rules() {
        let from = text.find(&format!("@id(\"{}\")", rule.id)).unwrap();
        let to = from + text[from..].find(";\n").unwrap() + 2;
        let mut files = template.clone();
        files.insert("release.cedar".to_owned(), format!("{}{}", &text[..from], &text[to..]).into_bytes());
        if run_cases(&policy_of(&files).unwrap()).passed() {
            untested.push(rule.id.as_str());
        }
    }
    assert_eq!(untested, [""; 0], "no case fails without these");
}

#[test]
fn a_case_that_fails_says_where_and_why() {
    let policy = policy_of(&edited(&[("release.cedar", "resource.tlp >= 4", "resource.tlp >= 5")])).unwrap();
    let report = run_cases(&policy);
    let said: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    let red = said.iter().find(|line| line.contains("case `red-unnamed-is-withheld`")).unwrap();
    assert!(red.starts_with("cases/release.toml:"), "{red}");
    assert!(red.contains("it is permitted, decided by member-on-the-list"), "{red}");
    assert!(red.ends_with("expected because TLP:RED goes to named recipients, and none was named"), "{red}");
}

#[test]
fn a_case_with_a_marking_that_cannot_be_read_fails() {
    let policy = policy_of(&edited(&[("cases/release.toml", "privdefault = ", "privdefolt = ")])).unwrap();
    let report = run_cases(&policy);
    assert_eq!(report.failures.len(), 1);
    assert!(report.failures[0].message.contains("`acs` cannot be read"), "{:?}", report.failures);
}

#[test]
fn only_those_on_the_list_read_whatever_the_marking() {
    let policy = template();
    for standing in Standing::ALL {
        for tlp in [None, Some(0), Some(1), Some(2), Some(3)] {
            let reader = member(1, standing);
            let mut label = label(&policy, "cleared", Demands { tlp, ..Demands::default() });
            label.creator = Principal::Member(reader.id.clone());
            let verdict = policy.may_read(Reader::Member(&reader), &label);
            assert_eq!(verdict.permitted, standing.is_on_the_list(), "{standing} {tlp:?}: {verdict:?}");
            assert_eq!(verdict.errors, [""; 0]);
            let sees = policy.may_see_collection(Reader::Member(&reader), &label.collection);
            assert_eq!(sees, standing.is_on_the_list(), "{standing}");
        }
    }
}

#[test]
fn red_reaches_the_named_and_the_submitter() {
    let policy = template();
    let reader = member(1, Standing::Listed);
    let other = MemberId::from_bits(2);
    let of = |ids: &[&MemberId]| Audience::Named(ids.iter().map(|id| (*id).clone()).collect());
    let cases = [
        // creator, audience, is it handed out?
        (Principal::Role(Role::Operator), Audience::Everyone, false),
        (Principal::Role(Role::Operator), of(&[]), false),
        (Principal::Role(Role::Operator), of(&[&other]), false),
        (Principal::Role(Role::Operator), of(&[&reader.id]), true),
        (Principal::Role(Role::Operator), of(&[&reader.id, &other]), true),
        (Principal::Member(other.clone()), of(&[&reader.id]), true),
        (Principal::Member(other.clone()), Audience::Everyone, false),
        (Principal::Member(reader.id.clone()), Audience::Everyone, true),
        (Principal::Member(reader.id.clone()), of(&[&other]), true),
    ];
    for (creator, audience, want) in cases {
        let demands = Demands { tlp: Some(4), ..Demands::default() };
        let label = Label { creator, audience, ..label(&policy, "indicators", demands) };
        let verdict = policy.may_read(Reader::Member(&reader), &label);
        assert_eq!(verdict.permitted, want, "{label:?}: {verdict:?}");
    }
}

#[test]
fn an_unmarked_object_counts_as_the_programme_says() {
    for (word, passed_on) in [("clear", true), ("green", true), ("amber+strict", false), ("red", false)] {
        let to = format!("unmarked_tlp = \"{word}\"");
        let policy = policy_of(&edited(&[("programme.toml", "unmarked_tlp = \"green\"", &to)])).unwrap();
        let reader = member(1, Standing::Listed);
        let label = label(&policy, "indicators", Demands::default());
        let verdict = policy.may_redistribute(Reader::Member(&reader), &label);
        assert_eq!(verdict.permitted, passed_on, "{word}: {verdict:?}");
    }
}

/// Cedar leaves a policy out that fails; a `forbid` that is left out must not open anything.
#[test]
fn a_policy_that_fails_closes() {
    let overflow = "resource.tlp * 9223372036854775807 >= 36893488147419103228";
    assert!(Programme::from_files(&edited(&[("release.cedar", "resource.tlp >= 4", overflow)])).is_err());
    let overflow = "resource.tlp * 9223372036854775807 == 1";
    let policy = policy_of(&edited(&[("release.cedar", "resource.tlp >= 4", overflow)])).unwrap();
    let reader = member(1, Standing::Listed);
    let read = |tlp| {
        let label = label(&policy, "indicators", Demands { tlp: Some(tlp), ..Demands::default() });
        policy.may_read(Reader::Member(&reader), &label)
    };
    assert!(read(0).permitted);
    let verdict = read(3);
    assert!(!verdict.permitted && verdict.errors.len() == 1, "{verdict:?}");
}

#[test]
fn a_label_of_a_collection_that_is_gone_stays_in() {
    let policy = template();
    let mut label = label(&policy, "indicators", Demands::default());
    label.collection = "00000000-0000-4000-8000-00000000dead".parse().unwrap();
    let reader = member(1, Standing::Listed);
    let verdict = policy.may_read(Reader::Member(&reader), &label);
    assert!(!verdict.permitted && !verdict.errors.is_empty(), "{verdict:?}");
    for reader in [Reader::Member(&reader), Reader::Role(Role::Operator)] {
        assert!(!policy.may_see_collection(reader, &label.collection));
        assert!(!policy.may_publish(reader, &label.collection).permitted);
    }
}

#[test]
fn publishers_are_those_that_the_collection_names() {
    let one = "publishers = [\"overseer\", \"participants\", \"member:0000000000000007\"]";
    let policy = policy_of(&edited(&[("programme.toml", "publishers = [\"operator\", \"providers\"]", one)]));
    let policy = policy.unwrap();
    let id = policy.programme().find_collection("indicators").unwrap().id;
    let participant = Member { kind: MemberKind::Participant, ..member(1, Standing::Listed) };
    let suspended = Member { kind: MemberKind::Participant, ..member(1, Standing::Suspended) };
    let (provider, named) = (member(1, Standing::Listed), member(7, Standing::ListedWithConditions));
    let cases = [
        (Reader::Member(&participant), true),
        (Reader::Member(&suspended), false),
        (Reader::Member(&provider), false),
        (Reader::Member(&named), true),
        (Reader::Role(Role::Overseer), true),
        (Reader::Role(Role::Operator), false),
    ];
    for (reader, want) in cases {
        assert_eq!(policy.may_publish(reader, &id).permitted, want, "{reader:?}");
    }
}

#[test]
fn a_schema_that_does_not_fit_is_refused_at_the_start() {
    let cases = [
        ("    identity?: String,", "", "members"),
        ("    clearance: Long,", "    clearance: String,", "members"),
        ("    conditions: Set<String>,", "    conditions: Set<String>,\n    turnover: Long,", "members"),
        ("    marked: Bool,", "", "labels"),
        ("    alias: String,", "    alias: Long,", "collections"),
        ("action list, publish", "action list, submit", ""),
    ];
    for (from, to, subject) in cases {
        let files = edited(&[("schema.cedarschema", from, to)]);
        match Programme::from_files(&files) {
            // The policies of the template ask for what is gone.
            Err(error) => assert!(subject.is_empty(), "{error}"),
            Ok(programme) => {
                let error = Policy::new(Arc::new(programme)).unwrap_err().to_string();
                assert!(error.contains(&format!("says about {subject}")), "{from}: {error}");
            }
        }
    }
}

#[test]
fn a_verdict_names_the_policies_that_decided() {
    let policy = template();
    let reader = member(1, Standing::Listed);
    let label = Label {
        audience: Audience::Named(BTreeSet::new()),
        ..label(&policy, "indicators", Demands { tlp: Some(4), ..Demands::default() })
    };
    let verdict = policy.may_read(Reader::Member(&reader), &label);
    assert_eq!(verdict.policies, ["named-recipients-only", "tlp-red"]);
    let stranger = member(1, Standing::Applicant);
    let label = Label { audience: Audience::Everyone, demands: Demands::default(), ..label };
    assert_eq!(policy.may_read(Reader::Member(&stranger), &label), Verdict::default(), "no policy permits");
}

#[test]
fn a_view_says_what_its_grants_say() {
    let policy = template();
    let caller = Caller {
        principal: Principal::Role(Role::Operator),
        credential: CredentialId::from_bits(1),
        actions: BTreeSet::from([Action::Read]),
        collections: None,
    };
    let view = policy.view(caller.clone(), Epoch::new(3), Arc::new(Grants::default()));
    assert_eq!((view.caller(), view.epoch()), (&caller, Epoch::new(3)));
    assert!(view.intervals(model::LabelId::new(0)).as_slice().is_empty());
}

#[test]
fn a_blinded_view_has_what_may_be_enforced_and_not_read_and_nothing_else() {
    use crate::{AcsEffect, AcsLabel, LabelFacts};
    let policy = template();
    let acs = |actions: &[&str]| {
        let privileges: Vec<_> = actions
            .iter()
            .map(|action| serde_json::json!({"action": action, "effect": "permit", "scope": {"entity": ["ALL"]}}))
            .collect();
        let mut marking =
            serde_json::to_value(AcsLabel::unclassified(AcsEffect::Deny, AcsEffect::Permit)).unwrap();
        marking["access_privilege"] = serde_json::json!(privileges);
        let marking: AcsLabel = serde_json::from_value(marking).unwrap();
        label(&policy, "indicators", Demands { acs: [marking].into(), ..Demands::default() })
    };
    let at = |micros: i64| Timestamp::from_micros(micros);
    let embargoed = Label { release_at: Some(at(50)), ..acs(&["NETDEF"]) };
    let over = Label { release_until: Some(at(50)), ..acs(&["NETDEF"]) };
    let own = Label { creator: Principal::Member(MemberId::from_bits(1)), ..acs(&["NETDEF"]) };
    let unmarked = label(&policy, "indicators", Demands::default());
    let table = [
        // label, open at 10, open at 100
        (acs(&["NETDEF"]), true, true),
        (acs(&["NETDEF", "DSPLY"]), false, false),
        (acs(&["DSPLY"]), false, false),
        (acs(&[]), false, false),
        (unmarked.clone(), false, false),
        (embargoed, false, true),
        (over, true, false),
        (own, false, false),
        (Label { ends: [model::LabelId::new(4)].into(), ..acs(&["NETDEF"]) }, false, false),
    ];
    let labels: Vec<LabelFacts> = table
        .iter()
        .map(|(label, ..)| LabelFacts { label: Arc::new(label.clone()), created: at(5) })
        .collect();
    let caller = |principal: Principal| Caller {
        principal,
        credential: CredentialId::from_bits(1),
        actions: [Action::Read].into(),
        collections: None,
    };
    let view_of = |standing: Option<Standing>| {
        let member = standing.map(|standing| member(1, standing));
        let reader = member.as_ref().map(Reader::Member);
        let principal = Principal::Member(MemberId::from_bits(1));
        policy.blinded_view(caller(principal), Epoch::default(), reader, &labels, Label::clone)
    };
    let view = view_of(Some(Standing::Listed));
    for (number, (label, early, late)) in (0..).zip(&table) {
        let intervals = view.intervals(model::LabelId::new(number));
        assert_eq!((intervals.is_open(at(10)), intervals.is_open(at(100))), (*early, *late), "{label:?}");
    }
    for standing in [Some(Standing::Suspended), None] {
        let view = view_of(standing);
        assert!((0..9).all(|n| view.intervals(model::LabelId::new(n)).as_slice().is_empty()), "{standing:?}");
    }
    let role = Reader::Role(Role::Operator);
    let caller = caller(Principal::Role(Role::Operator));
    let view = policy.blinded_view(caller, Epoch::default(), Some(role), &labels, Label::clone);
    assert!((0..9).all(|n| view.intervals(model::LabelId::new(n)).as_slice().is_empty()));
}
