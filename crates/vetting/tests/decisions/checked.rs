//! Decisions, and decisions that were tampered with, before the checker.

use std::collections::BTreeSet;

use model::{Tier, Timestamp};
use serde_json::{Value as Json, json};
use ties::{AsOf, Evidence};
use vetting::{Party, Session};

use crate::check::check;
use crate::random::{Random, Wild, world};
use crate::{cleared, day, judge, member, registry_of, with_lists};

#[test]
fn the_checker_agrees_with_every_case_of_the_template() {
    // Nominees, pacts and shells, which the checker does not read; brute force in `ties` has their arithmetic.
    const NOT_READ: &str = "cases/ways-round.toml";
    let judge = judge();
    let (mut checked, mut left_out) = (0, Vec::new());
    for file in judge.programme().vetting_cases() {
        if file.file == NOT_READ {
            left_out.push(file.file.as_str());
            continue;
        }
        let statements = with_lists(&judge, file.statements.clone());
        let registry = registry_of(&statements);
        for case in &file.cases {
            // What instruments make of ties is not in the statements.
            if file.instruments.iter().any(|signed| signed.entity == case.entity) {
                continue;
            }
            let known = case.known.unwrap_or(Timestamp::MAX);
            let picture = registry.picture(AsOf { day: case.on, known });
            let party = Party { applicant: case.applicant, ..Party::new(case.entity.clone()) };
            let session = Session::new(&judge, &picture, case.packs.clone());
            let decision = session.decide(&party, &case.tier).unwrap();
            let wrong = check(&json!(decision), &statements, judge.programme(), case.packs.as_ref());
            assert!(wrong.is_empty(), "{}: {}\n{}", case.id, wrong.join("\n"), decision.describe(None));
            checked += 1;
        }
    }
    assert!(checked >= 35, "{checked} cases");
    assert_eq!(left_out, [NOT_READ]);
}

#[test]
fn the_checker_agrees_with_decisions_in_random_worlds() {
    let judge = judge();
    let mut random = Random(1);
    let (mut findings, mut perhaps, mut near) = (0, 0, 0);
    let mut faults = Vec::new();
    for round in 0..1_200 {
        let wild = Wild { contradictions: round % 3 == 0, restricted: false };
        let statements = with_lists(&judge, world(&mut random, wild));
        let registry = registry_of(&statements);
        let picture = registry.picture(day());
        let session = Session::new(&judge, &picture, None);
        let tier: Tier = ["open", "programme", "cleared"][round % 3].parse().unwrap();
        let decision = session.decide(&member(), &tier).unwrap();
        findings += decision.findings.len();
        perhaps += decision.perhaps.len();
        near += decision.near.len();
        let wrong = check(&json!(decision), &statements, judge.programme(), None);
        if !wrong.is_empty() {
            faults.push(format!("round {round}: {}\n{}", wrong.join("\n"), decision.describe(None)));
        }
    }
    let few = faults.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("\n\n");
    assert!(faults.is_empty(), "{} decisions are wrong:\n{few}", faults.len());
    assert!(findings > 2_000 && perhaps > 1_000 && near > 500, "{findings} {perhaps} {near}");
}

/// A change of a decision that makes it false; whether it found something to change.
type Tampering = (&'static str, fn(&mut Json) -> bool);

const TAMPERINGS: &[Tampering] = &[
    ("a finding is left out", |decision| {
        let findings = decision["findings"].as_array_mut().unwrap();
        let found = findings.first().is_some_and(|finding| finding["rule"] != "R21-aggregate");
        if found {
            findings.remove(0);
        }
        found
    }),
    ("the grade is better", |decision| {
        let bad = decision["grade"] != "clear";
        decision["grade"] = json!("clear");
        bad
    }),
    ("a rule says something else", |decision| {
        decision["findings"].get_mut(0).is_some_and(|finding| {
            finding["text"] = json!("All is well.");
            true
        })
    }),
    ("a fact is larger", |decision| {
        first_line(decision, &|line| line["claim"]["points"].is_u64()).is_some_and(|line| {
            line["claim"]["points"] = json!(line["claim"]["points"].as_u64().unwrap() + 300);
            true
        })
    }),
    ("a tie is another's", |decision| {
        first_line(decision, &|line| line["claim"]["claim"] == "tie").is_some_and(|line| {
            line["claim"]["from"] = json!("e99");
            true
        })
    }),
    ("a tie is made up", |decision| {
        first_line(decision, &|line| line["claim"]["claim"] == "tie").is_some_and(|line| {
            line["claim"]["tie"] = json!("t-99-0");
            true
        })
    }),
    ("another statement is named", |decision| {
        first_line(decision, &|line| line["claim"]["claim"] == "tie").is_some_and(|line| {
            line["statements"] = json!(["about-0"]);
            true
        })
    }),
    ("a sum is larger", |decision| {
        first_line(decision, &|line| line["claim"]["claim"] == "holds").is_some_and(|line| {
            line["claim"]["held"] = json!("99.5%");
            true
        })
    }),
    ("the line is lower", |decision| {
        first_line(decision, &|line| line["claim"]["line"].is_object()).is_some_and(|line| {
            line["claim"]["line"]["at"] = json!("25%");
            true
        })
    }),
    ("a listing is made up", |decision| {
        first_line(decision, &|line| line["claim"]["claim"] == "named").is_some_and(|line| {
            line["claim"]["list"] = json!("un-sc");
            true
        })
    }),
    ("a country is another", |decision| {
        first_line(decision, &|line| line["claim"]["claim"] == "belongs").is_some_and(|line| {
            line["claim"]["countries"] = json!(["KP"]);
            true
        })
    }),
    ("possible is told as certain", |decision| {
        first_line(decision, &|line| line["claim"]["certain"] == json!(false)).is_some_and(|line| {
            line["claim"]["certain"] = json!(true);
            // Nothing undisclosed is certain in less than it is possible, so that claim stays true.
            line["claim"]["claim"] != "undisclosed" && line["claim"]["claim"] != "sum"
        })
    }),
    ("a line of a proof is left out", |decision| {
        first_line(decision, &|line| line["claim"]["claim"] == "controls" && line["because"].is_array())
            .is_some_and(|line| {
                let lines = line["because"].as_array_mut().unwrap();
                let before = lines.len();
                lines
                    .retain(|line| !["holds", "directs"].contains(&line["claim"]["claim"].as_str().unwrap()));
                lines.len() < before
            })
    }),
    ("somebody else is named as in control", |decision| {
        first_line(decision, &|line| line["claim"]["claim"] == "controls").is_some_and(|line| {
            line["claim"]["controller"] = json!("e99");
            true
        })
    }),
    ("the best group is farther off", |decision| {
        decision["near"].get_mut(0).is_some_and(|near| {
            near["missing"] = json!(near["missing"].as_u64().unwrap() + 200);
            true
        })
    }),
];

fn first_line<'d>(decision: &'d mut Json, wanted: &dyn Fn(&Json) -> bool) -> Option<&'d mut Json> {
    let findings = decision["findings"].as_array_mut().unwrap().len();
    let mut paths: Vec<String> = Vec::new();
    for finding in 0..findings {
        let facts = decision["findings"][finding]["because"].as_array().map_or(0, Vec::len);
        for fact in 0..facts {
            let proof = format!("/findings/{finding}/because/{fact}/proof");
            let steps = decision.pointer(&proof).and_then(Json::as_array).map_or(0, Vec::len);
            paths.extend((0..steps).rev().map(|step| format!("{proof}/{step}")));
        }
    }
    while let Some(path) = paths.pop() {
        let line = decision.pointer(&path)?;
        if wanted(line) {
            return decision.pointer_mut(&path);
        }
        let below = line["because"].as_array().map_or(0, Vec::len);
        paths.extend((0..below).rev().map(|step| format!("{path}/because/{step}")));
    }
    None
}

#[test]
fn the_checker_notices_what_was_tampered_with() {
    let judge = judge();
    let tier = cleared();
    let mut noticed = vec![0; TAMPERINGS.len()];
    let mut random = Random(2);
    for _ in 0..150 {
        let statements = with_lists(&judge, world(&mut random, Wild::default()));
        let registry = registry_of(&statements);
        let picture = registry.picture(day());
        let decision = Session::new(&judge, &picture, None).decide(&member(), &tier);
        let decision = json!(decision.unwrap());
        for (place, (what, tamper)) in TAMPERINGS.iter().enumerate() {
            let mut changed = decision.clone();
            if tamper(&mut changed) && changed != decision {
                noticed[place] += 1;
                let wrong = check(&changed, &statements, judge.programme(), None);
                assert!(!wrong.is_empty(), "nobody noticed that {what}: {changed:#}");
            }
        }
    }
    for ((what, _), times) in TAMPERINGS.iter().zip(noticed) {
        assert!(times >= 5, "{what}: only {times} times");
    }
}

#[test]
fn no_reader_sees_more_than_it_may_and_no_grade_changes_by_it() {
    let judge = judge();
    let tier = cleared();
    let mut random = Random(3);
    let (mut withheld, mut spared) = (0, 0);
    for _ in 0..600 {
        let wild = Wild { contradictions: false, restricted: true };
        let statements = with_lists(&judge, world(&mut random, wild));
        let registry = registry_of(&statements);
        let picture = registry.picture(day());
        let party = member();
        let officer = Session::new(&judge, &picture, None).decide(&party, &tier).unwrap();
        for may_see in [Evidence::Public, Evidence::Concerned] {
            let session = Session::new(&judge, &picture, None).for_reader(may_see);
            let seen = session.decide(&party, &tier).unwrap();
            assert_eq!((seen.grade, seen.possible), (officer.grade, officer.possible));
            let rules = |decision: &vetting::Decision| -> Vec<(String, Vec<vetting::Value>)> {
                let findings = decision.findings.iter().chain(&decision.perhaps);
                let values = |finding: &vetting::Finding| {
                    finding.because.iter().map(|fact| fact.certain.clone()).collect::<Vec<_>>()
                };
                findings.map(|finding| (finding.rule.clone(), values(finding))).collect()
            };
            assert_eq!(rules(&seen), rules(&officer));
            let hidden: BTreeSet<&str> = statements
                .iter()
                .filter(|statement| statement.source.evidence > may_see)
                .map(|statement| statement.id.as_str())
                .collect();
            let told = json!(seen).to_string();
            for id in hidden {
                assert!(
                    !told.contains(&format!("\"{id}\"")) && !told.contains(&format!("[{id}]")),
                    "{id}: {told}"
                );
            }
            withheld += told.matches("evidence withheld").count();
            spared += usize::from(!told.contains("evidence withheld") && json!(officer) != json!(seen));
        }
    }
    assert!(withheld > 200 && spared > 20, "{withheld} withheld, {spared} shown another way");
}
