//! Patterns as the standard explains them, on observations that do and do not match.

#![expect(clippy::unwrap_used, reason = "a test's data that cannot be read fails it, as it should")]

use serde_json::{Value, json};
use stix_pattern::{BUDGET, Instant, Observation, Pattern, Undecidable, Verdict};

fn verdict(pattern: &str, observations: &[Observation]) -> Verdict {
    let parsed = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    parsed.compile().evaluate(observations, BUDGET)
}

fn matches(pattern: &str, observations: &[Observation]) -> bool {
    match verdict(pattern, observations) {
        Verdict::Match => true,
        Verdict::NoMatch => false,
        Verdict::Undecided(why) => panic!("{pattern}: {why}"),
    }
}

/// Observations of these objects at one instant.
fn seen(objects: &[Value]) -> [Observation; 1] {
    [Observation::at(Instant::parse("2020-01-01T00:00:00Z").unwrap(), objects)]
}

fn check(observations: &[Observation], cases: &[(&str, bool)]) {
    for (pattern, want) in cases {
        assert_eq!(matches(pattern, observations), *want, "{pattern}");
    }
}

#[test]
fn the_examples_of_the_standard_match_what_they_describe() {
    let cases = [
        (
            r"[file:hashes.'SHA-256' = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f']",
            json!([{"type": "file", "hashes": {"SHA-256": "aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f"}}]),
        ),
        (
            "[email-message:from_ref.value MATCHES '.+\\\\@example\\\\.com$' AND email-message:body_multipart[*].body_raw_ref.name MATCHES '^Final Report.+\\\\.exe$']",
            json!([
                {"type": "email-message", "id": "e", "from_ref": "a", "body_multipart": [
                    {"body": "text"}, {"body_raw_ref": "f"}]},
                {"type": "email-addr", "id": "a", "value": "x@example.com"},
                {"type": "file", "id": "f", "name": "Final Report 3.exe"},
            ]),
        ),
        (
            "[file:mime_type = 'image/bmp' AND file:magic_number_hex = h'ffd8']",
            json!([{"type": "file", "mime_type": "image/bmp", "magic_number_hex": "FFD8"}]),
        ),
        (
            "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '203.0.113.33/32']",
            json!([
                {"type": "network-traffic", "id": "n", "dst_ref": "i"},
                {"type": "ipv4-addr", "id": "i", "value": "203.0.113.33/32"},
            ]),
        ),
        (
            "[domain-name:value = 'www.5z8.info' AND domain-name:resolves_to_refs[*].value = '192.0.2.1/32']",
            json!([
                {"type": "domain-name", "value": "www.5z8.info", "resolves_to_refs": ["x", "i"]},
                {"type": "ipv4-addr", "id": "i", "value": "192.0.2.1/32"},
            ]),
        ),
        (
            "[file:extensions.'windows-pebinary-ext'.sections[*].entropy > 7.0]",
            json!([{"type": "file", "extensions": {"windows-pebinary-ext": {"sections": [{"entropy": 1}, {"entropy": 7.25}]}}}]),
        ),
        (
            "[windows-registry-key:key = 'HKEY_CURRENT_USER\\\\Software\\\\Foo\\\\Bar' OR windows-registry-key:key LIKE '%\\\\Baz']",
            json!([{"type": "windows-registry-key", "key": "HKLM\\Baz"}]),
        ),
        (
            "[x509-certificate:issuer = 'CN=WEBMAIL' AND x509-certificate:serial_number = '4c:0b:1d:19']",
            json!([{"type": "x509-certificate", "issuer": "CN=WEBMAIL", "serial_number": "4c:0b:1d:19"}]),
        ),
        (
            "[ipv4-addr:value ISSUBSET '198.51.100.0/24']",
            json!([{"type": "ipv4-addr", "value": "198.51.100.27"}]),
        ),
        (
            "[file:parent_directory_ref.path LIKE 'C:\\\\Windows\\\\%' AND file:name = 'foo.dll']",
            json!([
                {"type": "file", "name": "foo.dll", "parent_directory_ref": "d"},
                {"type": "directory", "id": "d", "path": "C:\\Windows\\System32"},
            ]),
        ),
        (
            "[artifact:mime_type = 'application/vnd.tcpdump.pcap' AND artifact:payload_bin MATCHES '\\\\xd4\\\\xc3\\\\xb2\\\\xa1']",
            json!([{"type": "artifact", "mime_type": "application/vnd.tcpdump.pcap", "payload_bin": "1MOyoQ=="}]),
        ),
        (
            "[software:name = 'Word' AND NOT EXISTS software:vendor AND EXISTS software:version]",
            json!([{"type": "software", "name": "Word", "version": "1"}]),
        ),
        (
            "[user-account:account_type = 'unix' AND user-account:user_id IN ('1007', '1008')]",
            json!([{"type": "user-account", "account_type": "unix", "user_id": "1008"}]),
        ),
    ];
    for (pattern, objects) in &cases {
        let objects = objects.as_array().unwrap();
        assert!(matches(pattern, &seen(objects)), "{pattern}");
        // None of them describes what another one does.
        for (other, _) in cases.iter().filter(|(other, _)| other != pattern) {
            assert!(!matches(other, &seen(objects)), "{other} on {objects:?}");
        }
    }
}

#[test]
fn values_are_compared_by_their_types() {
    let object = json!({"type": "x-t", "int": 5, "big": 9_007_199_254_740_993_i64, "float": 12.5, "whole": 12.0, "yes": true,
        "text": "hello", "time": "2010-05-21T13:21:43.5Z", "none": null, "list": [1, "b", [3]], "map": {"k": "v"},
        "name_hex": "616c696365", "name_bin": "YWxpY2U=", "high_hex": "e9ff", "wrong_bin": "*", "wide": "\u{103}lice",
        "nfd": "e\u{301}", "hashes": {"md5": "D41D8CD98F00B204E9800998ECF8427E"}});
    check(
        &seen(&[object]),
        &[
            ("[x-t:int = 5]", true),
            ("[x-t:int = 5.0]", true),
            ("[x-t:int > 4.9 AND x-t:int < 5.1 AND x-t:int >= 5 AND x-t:int <= 5]", true),
            ("[x-t:int = true]", false),
            ("[x-t:int != true]", true),
            ("[x-t:int = '5']", false),
            ("[x-t:int != '5']", true),
            ("[x-t:int NOT = '5']", true),
            ("[x-t:int NOT != 5]", true),
            ("[x-t:int < 'a']", false),
            ("[x-t:int NOT IN (4, 6)]", true),
            ("[x-t:int IN (4, 5.0)]", true),
            ("[x-t:int LIKE '5']", false),
            ("[x-t:int NOT MATCHES '5']", true),
            ("[x-t:big = 9007199254740993]", true),
            ("[x-t:big = 9007199254740992.0]", false),
            ("[x-t:big > 9007199254740992.0]", true),
            ("[x-t:whole = 12]", true),
            ("[x-t:yes = true]", true),
            ("[x-t:yes = 1]", false),
            ("[x-t:yes <= true]", false),
            ("[x-t:text > 'hell' AND x-t:text < 'help']", true),
            ("[x-t:text = h'68656c6c6f']", true),
            ("[x-t:text > b'YQ==']", true),
            ("[x-t:wide != h'616c696365']", true),
            ("[x-t:wide < h'616c696365' OR x-t:wide > h'616c696365']", false),
            ("[x-t:time = t'2010-05-21T13:21:43.500Z']", true),
            ("[x-t:time > t'2010-05-21T13:21:43Z']", true),
            ("[x-t:time = '2010-05-21T13:21:43.500Z']", false),
            ("[x-t:text = t'2010-05-21T13:21:43Z']", false),
            ("[x-t:text != t'2010-05-21T13:21:43Z']", true),
            ("[x-t:none = 'a']", false),
            ("[x-t:none != 'a']", true),
            ("[EXISTS x-t:none]", true),
            ("[x-t:missing != 'a']", false),
            ("[x-t:missing NOT = 'a']", false),
            ("[NOT EXISTS x-t:missing]", true),
            ("[NOT EXISTS y-t:int]", false),
            ("[x-t:list[*] = 1 AND x-t:list[*] = 'b']", true),
            ("[x-t:list[1] = 'b']", true),
            ("[x-t:list[-1] = 'b']", false),
            ("[x-t:list[3] != 'b']", false),
            ("[x-t:list[2][0] = 3]", true),
            ("[x-t:list[*][*] = 3]", true),
            ("[x-t:list = 1]", false),
            ("[x-t:list != 1]", true),
            ("[x-t:map.k = 'v']", true),
            ("[x-t:map.k.l = 'v']", false),
            ("[x-t:map = 'v']", false),
            ("[x-t:name_hex = 'alice' AND x-t:name_bin = 'alice' AND x-t:name_bin = h'616c696365']", true),
            ("[x-t:name_hex > 'aardvark' AND x-t:name_hex < 'bob']", true),
            ("[x-t:name_hex = '\u{103}lice']", false),
            ("[x-t:name_bin MATCHES '\\\\x61li[c\\\\x01]e']", true),
            ("[x-t:name_bin MATCHES '\u{103}']", false),
            ("[x-t:name_bin NOT MATCHES '\u{103}']", true),
            ("[x-t:name_bin LIKE '%lic_']", true),
            ("[x-t:name_bin IN ('bob', 'alice')]", true),
            ("[x-t:high_hex MATCHES '^\u{e9}[\u{fe}-\u{ff}]$']", true),
            ("[x-t:high_hex LIKE '\u{e9}_']", true),
            ("[x-t:wrong_bin = '*']", true),
            ("[x-t:nfd = '\u{e9}']", false),
            ("[x-t:nfd LIKE '\u{e9}' AND x-t:nfd MATCHES '^\u{e9}$']", true),
            ("[x-t:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']", true),
            ("[x-t:hashes.MD5 IN ('x', 'd41d8cd98f00b204e9800998ecf8427e')]", true),
            ("[x-t:hashes.MD5 != 'd41d8cd98f00b204e9800998ecf8427e']", false),
            ("[x-t:text MATCHES 'l+o$' AND x-t:text NOT MATCHES '^l']", true),
            ("[x-t:text ISSUBSET '10.0.0.0/8']", false),
            ("[x-t:text NOT ISSUBSET '10.0.0.0/8']", true),
        ],
    );
}

#[test]
fn and_is_about_one_object_and_or_about_any() {
    let people = [
        json!({"type": "x-p", "id": "1", "name": "alice", "age": 10, "knows_ref": "2"}),
        json!({"type": "x-p", "id": "2", "name": "bob", "age": 15, "knows_refs": ["1", "3", "gone"]}),
        json!({"type": "x-p", "id": "3", "name": "carol", "age": 20, "knows_refs": ["1", "2", "3"]}),
        json!({"type": "x-q", "id": "4", "name": "dave"}),
    ];
    check(
        &seen(&people),
        &[
            ("[x-p:name = 'alice' AND x-p:age < 15]", true),
            ("[x-p:name = 'alice' AND x-p:age > 10]", false),
            ("[x-p:name = 'zoe' OR x-q:name = 'dave']", true),
            ("[x-p:name = 'alice' AND x-q:name = 'dave']", false),
            ("[(x-p:name = 'carol' OR x-p:name = 'bob') AND x-p:age = 15]", true),
            ("[x-p:name = 'alice' OR x-p:age > 99 AND x-p:age < 0]", true),
            ("[x-p:knows_ref.name = 'bob']", true),
            ("[x-p:knows_ref.name = 'erin']", false),
            ("[x-p:knows_ref = '2']", true),
            ("[x-p:knows_refs[*].name = 'carol' AND x-p:knows_refs[*].name = 'bob']", true),
            ("[x-p:knows_refs[*].knows_refs[*].name = 'alice']", true),
            ("[x-p:knows_ref.knows_refs[1].knows_refs[2].name = 'carol']", true),
            ("[x-p:knows_refs[2].name = 'x']", false),
        ],
    );
}

/// Observations of people, each `(name, first, last, number)`, in seconds after midnight.
fn people(of: &[(&str, u32, u32, u32)]) -> Vec<Observation> {
    let instant = |second: u32| Instant::parse(&format!("2020-01-01T00:00:{second:02}Z")).unwrap();
    let one = |(name, first, last, count): &(&str, u32, u32, u32)| {
        let object = json!({"type": "x-p", "name": name});
        Observation::new(instant(*first), instant(*last), *count, [("0", &object)])
    };
    of.iter().map(one).collect()
}

#[test]
fn observations_are_all_different() {
    let three = people(&[("alice", 0, 0, 1), ("bob", 5, 5, 1), ("carol", 10, 10, 2)]);
    check(
        &three,
        &[
            ("[x-p:name = 'alice'] AND [x-p:name = 'bob']", true),
            ("[x-p:name = 'alice'] AND [x-p:name < 'b']", false),
            ("[x-p:name < 'c'] AND [x-p:name = 'alice']", true),
            ("[x-p:name < 'c'] AND [x-p:name = 'alice'] AND [x-p:name = 'bob']", false),
            ("[x-p:name = 'carol'] AND [x-p:name = 'carol']", true),
            ("[x-p:name = 'carol'] REPEATS 2 TIMES", true),
            ("[x-p:name = 'carol'] REPEATS 3 TIMES", false),
            ("[x-p:name > 'a'] REPEATS 4 TIMES", true),
            ("[x-p:name > 'a'] REPEATS 5 TIMES", false),
            ("[x-p:name > 'a'] REPEATS 2 TIMES REPEATS 2 TIMES", true),
            ("[x-p:name > 'a'] REPEATS 2 TIMES REPEATS 3 TIMES", false),
            ("[x-p:name > 'a'] REPEATS 3 TIMES AND [x-p:name = 'alice']", true),
            ("[x-p:name > 'a'] REPEATS 4 TIMES AND [x-p:name = 'alice']", false),
            ("[x-p:name = 'zoe'] OR [x-p:name = 'alice'] AND [x-p:name = 'zoe']", false),
            ("[x-p:name = 'alice'] OR [x-p:name = 'alice'] AND [x-p:name = 'zoe']", true),
            ("([x-p:name = 'alice'] OR [x-p:name = 'carol']) REPEATS 3 TIMES", true),
            ("([x-p:name = 'alice'] OR [x-p:name = 'carol']) REPEATS 4 TIMES", false),
        ],
    );
}

#[test]
fn order_and_times_are_what_can_have_been() {
    let three = people(&[("alice", 0, 0, 1), ("bob", 5, 5, 1), ("carol", 8, 12, 1)]);
    let at = |second: u32| format!("t'2020-01-01T00:00:{second:02}Z'");
    let between =
        |start, stop| format!("[x-p:name > 'a'] REPEATS 2 TIMES START {} STOP {}", at(start), at(stop));
    check(
        &three,
        &[
            ("[x-p:name = 'alice'] FOLLOWEDBY [x-p:name = 'bob']", true),
            ("[x-p:name = 'bob'] FOLLOWEDBY [x-p:name = 'alice']", false),
            ("[x-p:name = 'alice'] FOLLOWEDBY [x-p:name = 'alice']", false),
            ("[x-p:name = 'alice'] FOLLOWEDBY [x-p:name = 'bob'] FOLLOWEDBY [x-p:name = 'carol']", true),
            ("[x-p:name = 'alice'] FOLLOWEDBY [x-p:name = 'carol'] FOLLOWEDBY [x-p:name = 'bob']", false),
            ("([x-p:name = 'alice'] AND [x-p:name = 'carol']) FOLLOWEDBY [x-p:name = 'bob']", false),
            ("[x-p:name = 'bob'] FOLLOWEDBY [x-p:name = 'alice'] OR [x-p:name = 'carol']", true),
            ("[x-p:name = 'bob'] WITHIN 1 SECONDS", true),
            ("([x-p:name = 'alice'] AND [x-p:name = 'bob']) WITHIN 5 SECONDS", true),
            ("([x-p:name = 'alice'] AND [x-p:name = 'bob']) WITHIN 4.9999 SECONDS", false),
            ("[x-p:name = 'alice'] AND [x-p:name = 'bob'] WITHIN 1 SECONDS", true),
            ("([x-p:name = 'bob'] AND [x-p:name = 'carol']) WITHIN 3 SECONDS", true),
            ("([x-p:name = 'bob'] AND [x-p:name = 'carol']) WITHIN 2.5 SECONDS", false),
            ("[x-p:name > 'a'] REPEATS 3 TIMES WITHIN 8 SECONDS", true),
            ("[x-p:name > 'a'] REPEATS 3 TIMES WITHIN 7 SECONDS", false),
            ("[x-p:name > 'a'] REPEATS 2 TIMES WITHIN 3 SECONDS", true),
            (&between(0, 6), true),
            (&between(0, 5), false),
            (&between(5, 8), false),
            (&between(5, 9), true),
            (&between(12, 20), false),
            (&format!("[x-p:name = 'carol'] START {} STOP {}", at(12), at(20)), true),
            (&format!("[x-p:name = 'carol'] START {} STOP {}", at(13), at(20)), false),
            (&format!("[x-p:name = 'bob'] START {} STOP {}", at(5), at(5)), false),
            (&format!("[x-p:name = 'bob'] START {} STOP {}", at(6), at(5)), false),
        ],
    );
}

#[test]
fn what_is_undecidable_says_so_only_where_it_matters() {
    let observations = people(&[("alice", 0, 0, 1), ("bob", 1, 1, 1)]);
    let unusable = "x-p:name MATCHES '(?=a)'";
    let undecided = |pattern: &str| match verdict(pattern, &observations) {
        Verdict::Undecided(Undecidable::Regex { regex, .. }) => regex == "(?=a)",
        Verdict::Match | Verdict::NoMatch | Verdict::Undecided(_) => false,
    };
    assert!(undecided(&format!("[{unusable}]")));
    assert!(undecided("[x-p:name NOT MATCHES '(?=a)']"));
    assert!(undecided(&format!("[{unusable} AND x-p:name = 'alice'] AND [x-p:name = 'bob']")));
    let decided = [
        (format!("[{unusable} OR x-p:name = 'alice']"), true),
        (format!("[{unusable} AND x-p:name = 'zoe']"), false),
        (format!("[{unusable}] OR [x-p:name = 'bob']"), true),
        (format!("[{unusable}] AND [x-p:name = 'zoe']"), false),
        (format!("[{unusable}] REPEATS 3 TIMES"), false),
        // Whichever of the two it is true of, the other is needed as well.
        ("[x-p:name = 'alice'] FOLLOWEDBY [x-p:name = 'bob' AND x-p:name NOT MATCHES 'a']".to_owned(), true),
    ];
    for (pattern, want) in decided {
        assert_eq!(matches(&pattern, &observations), want, "{pattern}");
    }
}

#[test]
fn a_budget_that_is_used_up_is_an_answer() {
    let many: Vec<(String, u32)> = (0..40).map(|n| (format!("n{n}"), n)).collect();
    let many: Vec<(&str, u32, u32, u32)> =
        many.iter().map(|(name, at)| (name.as_str(), *at, *at, 1)).collect();
    let many = people(&many);
    let hard = "([x-p:name LIKE 'n%'] FOLLOWEDBY [x-p:name LIKE 'n_%']) WITHIN 1 SECONDS REPEATS 18 TIMES \
                AND ([x-p:name = 'n7'] FOLLOWEDBY [x-p:name = 'n8']) AND [x-p:name = 'n10'] AND [x-p:name LIKE '%9']";
    let compiled = Pattern::parse(hard).unwrap().compile();
    assert_eq!(compiled.evaluate(&many, 5_000), Verdict::Undecided(Undecidable::Budget { budget: 5_000 }));
    // Chains through objects that refer to each other grow without end, too.
    let friends: Vec<serde_json::Value> = (0..30)
        .map(|n| json!({"type": "x-p", "id": n.to_string(), "x_refs": (0..30).map(|n| n.to_string()).collect::<Vec<_>>()}))
        .collect();
    let path = "x_refs[*].".repeat(40);
    let compiled = Pattern::parse(&format!("[x-p:{path}name = 'x']")).unwrap().compile();
    let observation = seen(&friends);
    assert_eq!(
        compiled.evaluate(&observation, BUDGET),
        Verdict::Undecided(Undecidable::Budget { budget: BUDGET })
    );
}

#[test]
fn more_choices_than_are_followed_are_an_answer() {
    let many: Vec<u32> = (0..900).collect();
    let instant = |n: u32| Instant::from_unix(i64::from(n), 0);
    let object = json!({"type": "x-p", "name": "a"});
    let many: Vec<Observation> = many.iter().map(|n| Observation::at(instant(*n), [&object])).collect();
    let pairs = |n: u32| format!("([x-p:name = 'a'] FOLLOWEDBY [x-p:name < 'b']) REPEATS {n} TIMES");
    assert_eq!(verdict(&pairs(20), &many), Verdict::Match);
    assert!(matches!(verdict(&pairs(450), &many), Verdict::Undecided(_)));
    assert_eq!(verdict(&pairs(451), &many), Verdict::NoMatch);
}

#[test]
fn what_brings_others_down_is_answered() {
    // Twenty observations, ten parts: every combination would be 184 756 and more.
    let many: Vec<(String, u32)> = (0..20).map(|n| (format!("n{n:02}"), n)).collect();
    let many: Vec<(&str, u32, u32, u32)> =
        many.iter().map(|(name, at)| (name.as_str(), *at, *at, 1)).collect();
    let many = people(&many);
    let any = "[x-p:name > 'n']";
    check(
        &many,
        &[
            (&format!("{any} REPEATS 10 TIMES"), true),
            (&format!("{any} REPEATS 10 TIMES WITHIN 9 SECONDS"), true),
            (&format!("{any} REPEATS 10 TIMES WITHIN 8 SECONDS"), false),
            (&format!("{any} REPEATS 10 TIMES FOLLOWEDBY {any}"), true),
            (&format!("{any} REPEATS 20 TIMES FOLLOWEDBY {any}"), false),
            (&format!("({any} FOLLOWEDBY [x-p:name > 'n05']) REPEATS 10 TIMES"), true),
            (&format!("({any} FOLLOWEDBY [x-p:name > 'n05']) REPEATS 11 TIMES"), false),
            (&vec![any; 20].join(" AND "), true),
            (&vec![any; 21].join(" AND "), false),
            (&vec![any; 20].join(" FOLLOWEDBY "), true),
        ],
    );
    let one = people(&[("a", 0, 0, 999_999_999)]);
    check(
        &one,
        &[
            ("[x-p:name = 'a'] REPEATS 999999999 TIMES", true),
            ("[x-p:name = 'a'] REPEATS 1000000000 TIMES", false),
            ("([x-p:name = 'a'] AND [x-p:name < 'b']) REPEATS 499999999 TIMES", true),
            ("([x-p:name = 'a'] FOLLOWEDBY [x-p:name < 'b']) REPEATS 499999999 TIMES", true),
            ("([x-p:name = 'a'] FOLLOWEDBY [x-p:name < 'b']) REPEATS 500000000 TIMES", false),
            (
                "[x-p:name = 'a'] REPEATS 4294967295 TIMES REPEATS 4294967295 TIMES REPEATS 4294967295 TIMES",
                false,
            ),
        ],
    );
    let long = vec!["[x-p:name = 'a']"; 2_000].join(" AND ");
    assert!(matches(&long, &one));
}
