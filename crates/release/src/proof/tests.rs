//! The template is proved; what breaks it is found, and what was found is asked of the real policies.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::Subject;
use programme::Programme;

use super::space::markings;
use super::*;
use crate::acs::{AcsEffect, AcsFurtherSharing, AcsPrivilege, AcsScope};
use crate::{AcsAction, AcsLabel};

fn policy_with(edit: impl Fn(String) -> String) -> Policy {
    let mut files = programme::template();
    let text = String::from_utf8(files["release.cedar"].clone()).unwrap();
    files.insert("release.cedar".to_owned(), edit(text).into_bytes());
    Policy::new(Arc::new(Programme::from_files(&files).expect("the folder loads"))).unwrap()
}

fn replaced(from: &'static str, to: &'static str) -> impl Fn(String) -> String {
    move |text| {
        assert!(text.contains(from), "the template has no `{from}`");
        text.replacen(from, to, 1)
    }
}

fn added(rule: &str) -> impl Fn(String) -> String {
    let rule = format!("\n@id(\"added\")\n@text(\"For a test.\")\n@source(\"a test\")\n{rule}\n");
    move |text| text + &rule
}

/// Every claim that `proof` refutes, with the policy that breaks it.
fn broken(policy: &Policy, proof: &Proof) -> BTreeSet<(Claim, String)> {
    for one in &proof.counterexamples {
        assert!(one.holds_against(policy), "{one:?}");
        let asked = policy.judge(Reader::Member(&one.member)).may(one.action, &one.label);
        assert_eq!(asked, one.verdict, "what is told is what the policies answer");
        let sentence = one.sentence(policy.programme().settings());
        assert!(sentence.contains(one.action.as_str()), "{sentence}");
    }
    proof.counterexamples.iter().map(|one| (one.claim, one.policy.clone())).collect()
}

#[test]
fn the_template_is_proved() {
    let policy = policy_with(|text| text);
    let proof = prove(&policy);
    let told: Vec<_> =
        proof.counterexamples.iter().map(|one| one.sentence(policy.programme().settings())).collect();
    assert!(proof.is_whole(), "{told:?} {:?}", proof.gaps);
    assert!(proof.labels > 100_000 && proof.readers >= 16, "{proof:?}");
    assert!(proof.questions > 100, "{proof:?}");
}

#[test]
fn an_edit_that_breaks_a_claim_is_shown() {
    use Claim::{NothingWithoutStanding, SuspensionTakesAway, TierTakesItsStanding};
    const LISTED: &str = "when { principal.listed.contains(resource.tier) };";
    let own = "permit (principal is Member, action == Action::\"read\", resource is Label) \
               when { resource has creator && resource.creator == principal };";
    let away = "permit (principal is Member, action == Action::\"enforce\", resource is Label) \
                when { !principal.listed.contains(\"cleared\") && principal.listed.contains(\"open\") };";
    let conditions = "forbid (principal is Member, action in Action::\"content\", resource is Label) \
                      when { principal.conditions.contains(\"cleared\") && resource.tier == \"open\" };";
    let other_tier = "permit (principal is Member, action == Action::\"read\", resource is Label) \
                      when { principal.listed.contains(\"programme\") };";
    let cleared = "permit (principal is Member, action == Action::\"read\", resource is Label) \
                   when { resource.tier == \"cleared\" && principal.clearance >= 3 && principal.accesses.contains(\"TK\") };";
    let one_member = "permit (principal == Member::\"member:00000000000000aa\", action, resource is Label);";
    let sees = "permit (principal is Member, action == Action::\"list\", resource is Collection) \
                when { resource.alias == \"cleared\" };";
    let publish = "permit (principal is Member, action == Action::\"publish\", resource is Collection) \
                   when { resource.alias == \"submissions\" };";
    let table: Vec<(Policy, &str, &[Claim])> = vec![
        // the programme, the policy that breaks it, what it breaks
        (
            policy_with(replaced(LISTED, ";")),
            "member-on-the-list",
            &[NothingWithoutStanding, TierTakesItsStanding],
        ),
        (policy_with(added(own)), "added", &[NothingWithoutStanding, TierTakesItsStanding]),
        (policy_with(added(cleared)), "added", &[NothingWithoutStanding, TierTakesItsStanding]),
        (policy_with(added(one_member)), "added", &[NothingWithoutStanding, TierTakesItsStanding]),
        (policy_with(added(sees)), "added", &[NothingWithoutStanding, TierTakesItsStanding]),
        (policy_with(added(other_tier)), "added", &[TierTakesItsStanding]),
        (policy_with(added(away)), "added", &[TierTakesItsStanding, SuspensionTakesAway]),
        (policy_with(added(conditions)), "added", &[SuspensionTakesAway]),
        (policy_with(added(publish)), "", &[]),
    ];
    for (policy, id, claims) in table {
        let proof = prove(&policy);
        assert_eq!(proof.gaps, [""; 0], "{id} {claims:?}");
        let want: BTreeSet<_> = claims.iter().map(|claim| (*claim, id.to_owned())).collect();
        assert_eq!(broken(&policy, &proof), want);
    }
}

/// Where a `forbid` is all that stands between, the programme is as good; without it, it is not.
#[test]
fn a_forbid_may_carry_the_claim_and_must_not_be_removed() {
    let forbid = "forbid (principal is Member, action, resource is Label) \
                  unless { principal.listed.contains(resource.tier) };";
    let open = replaced("when { principal.listed.contains(resource.tier) };", ";");
    let with = policy_with(|text| added(forbid)(open(text)));
    let proof = prove(&with);
    assert!(proof.is_whole(), "{:?}", proof.gaps);
    let without = policy_with(open);
    let found = broken(&without, &prove(&without));
    assert!(found.contains(&(Claim::NothingWithoutStanding, "member-on-the-list".to_owned())), "{found:?}");
}

#[test]
fn what_cannot_be_walked_is_said() {
    let table = [
        ("principal has identity && principal.identity like \"identity--*\"", "wildcards"),
        ("principal.communities.containsAny(principal.accesses)", "compares with each other"),
        (
            "principal.accesses.containsAny([\"A\", \"B\", \"C\", \"D\", \"E\", \"F\", \"G\"])",
            "tokens of `accesses`",
        ),
    ];
    for (condition, want) in table {
        let rule = format!(
            "forbid (principal is Member, action == Action::\"read\", resource is Label) when {{ {condition} }};"
        );
        let proof = prove(&policy_with(added(&rule)));
        assert!(proof.counterexamples.is_empty(), "{condition}");
        assert!(proof.gaps.iter().any(|gap| gap.contains(want)), "{condition}: {:?}", proof.gaps);
        assert!(!proof.is_whole());
    }
}

/// What the hub tells Cedar of a standing is one of three classes; the walk takes one standing of each.
#[test]
fn standings_of_a_class_are_answered_alike() {
    let policy = policy_with(|text| text);
    let space = Space::new(&policy, &[]);
    let place: Place = vec![Some(0); space.len()];
    let told = |standing| {
        let mut member = space.member(&place, Some(standing));
        member.standings.insert("cleared".parse().unwrap(), standing);
        format!("{:?}", policy.judge(Reader::Member(&member)))
    };
    for standing in Standing::ALL {
        let of_its_class = match (standing.is_on_the_list(), standing == Standing::ListedWithConditions) {
            (false, _) => Standing::Suspended,
            (true, false) => Standing::Listed,
            (true, true) => Standing::ListedWithConditions,
        };
        // The entities are kept in no order.
        let sorted = |text: String| {
            let mut letters: Vec<char> = text.chars().collect();
            letters.sort_unstable();
            letters
        };
        assert_eq!(sorted(told(standing)), sorted(told(of_its_class)), "{standing}");
    }
}

/// The markings of the walk give different answers, and no other marking gives one that they do not give.
#[test]
fn the_markings_are_all_that_markings_can_answer() {
    let subject = Subject { organisations: BTreeSet::from(["USA.DHS".to_owned()]), ..Subject::default() };
    let answers = |markings: &BTreeSet<AcsLabel>| {
        let all = |admits: &dyn Fn(&AcsLabel) -> bool| markings.iter().all(admits);
        [
            all(&|marking| marking.may_hold(&subject).is_ok()),
            all(&|marking| marking.may(&subject, AcsAction::Dsply)),
            all(&|marking| marking.may(&subject, AcsAction::Netdef)),
            all(&|marking| marking.may_pass_to(&subject)),
            all(&AcsLabel::may_pass_to_anyone),
        ]
    };
    let walked: BTreeSet<_> = markings().iter().map(answers).collect();
    assert_eq!((walked.len(), markings().len()), (14, 14));

    let effects = [AcsEffect::Permit, AcsEffect::Deny];
    let scopes = ["ALL", "USA", "FRA"].map(|token| BTreeSet::from([token.to_owned()]));
    let mut many = Vec::new();
    for (default, sharing) in effects.iter().flat_map(|one| effects.map(|other| (*one, other))) {
        for held in [false, true] {
            for (effect, scope) in effects.iter().flat_map(|one| scopes.clone().map(|scope| (*one, scope))) {
                for action in [AcsAction::Dsply, AcsAction::Netdef, AcsAction::All] {
                    let named = AcsScope { permitted_organizations: scope.clone(), ..AcsScope::default() };
                    let mut marking = AcsLabel::unclassified(default, sharing);
                    marking.access_privilege.insert(AcsPrivilege { action, effect, scope: named });
                    marking.further_sharing.insert(AcsFurtherSharing { effect, scope: scope.clone() });
                    if !held {
                        marking.sensitivity.insert("PCII".to_owned());
                    }
                    many.push(marking);
                }
            }
        }
    }
    for (number, one) in many.iter().enumerate() {
        for other in many.iter().skip(number) {
            let pair = BTreeSet::from([one.clone(), other.clone()]);
            assert!(walked.contains(&answers(&pair)), "{pair:?}");
        }
    }
}
