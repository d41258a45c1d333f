//! The commands, end to end through the real binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use common::{Hub, hub_command, indicator, member, programme, ringfence, text};
use serde_json::{Value, json};
use taxii_client::{Collection, PullState, Query};

fn all(collection: &Collection, state: &mut PullState) -> Result<Vec<Vec<u8>>, taxii_client::Error> {
    let mut objects = Vec::new();
    for page in collection.objects(&Query::default(), state.clone()) {
        let page = page?;
        objects.extend(page.items().map(<[u8]>::to_vec));
        *state = page.state().clone();
    }
    Ok(objects)
}

fn bundle(objects: &[Vec<u8>]) -> String {
    let objects: Vec<_> = objects.iter().map(|object| String::from_utf8_lossy(object)).collect();
    format!(
        r#"{{"type":"bundle","id":"bundle--6b2f1c9d-0000-4000-8000-000000000001","objects":[{}]}}"#,
        objects.join(",\n")
    )
}

fn failed(output: &Output, code: i32, words: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{}", text(output));
    assert!(stderr.contains(words), "`{words}` is not in: {}", text(output));
    assert_eq!(stderr.trim_end().lines().count(), 1, "an error is one line: {}", text(output));
}

#[test]
fn the_demo_holds() {
    let told = ringfence().args(["demo", "--once", "--volume", "1500"]).output().unwrap();
    assert!(told.status.success(), "{}", text(&told));
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let told = ringfence()
        .args(["demo", "--once", "--volume", "10", "--json", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", text(&told));
    for line in String::from_utf8_lossy(&told.stdout).lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    // What it leaves behind answers for any day of the story.
    let vet = |more: &[&str]| {
        let line = ["vet", "symantec", "--tier", "cleared", "--as-of", "2012-03-28"];
        let vetted = ringfence().args(line).args(more).arg("--data").arg(&data).output().unwrap();
        assert!(vetted.status.success(), "{}", text(&vetted));
        String::from_utf8(vetted.stdout).unwrap()
    };
    let words = vet(&[]);
    for part in ["suspend", "R8", "49 %", "51 %", "stake-symantec"] {
        assert!(words.contains(part), "no `{part}` in {words}");
    }
    let whole: Value = serde_json::from_str(&vet(&["--json"])).unwrap();
    let decision = &whole[0]["decision"];
    assert_eq!((&decision["grade"], &decision["tier"]), (&json!("suspend"), &json!("cleared")), "{whole}");
    let remedy = &whole[0]["remedies"]["ties"][0];
    assert_eq!(
        (&remedy["end"], &remedy["leaves"]),
        (&json!(["stake-symantec"]), &json!("condition")),
        "{whole}"
    );
    let proof = decision.to_string();
    for tie in ["stake-symantec", "stake-huawei"] {
        assert!(proof.contains(tie), "the tie `{tie}` is not in the proof: {decision}");
    }
}

#[test]
fn the_template_passes_its_own_check_and_a_broken_one_is_explained() {
    let root = tempfile::tempdir().unwrap();
    let dir = programme(root.path());
    let checked = ringfence().arg("check").arg(&dir).arg("--json").output().unwrap();
    assert!(checked.status.success(), "{}", text(&checked));
    let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(report["ok"], true);
    assert!(report["cases"].as_u64().unwrap() > 10, "{report}");
    assert_eq!(report["proof"]["whole"], true, "{report}");
    failed(&ringfence().arg("init").arg(&dir).output().unwrap(), 1, "is not empty");

    let file = dir.join("release.cedar");
    let rules = fs::read_to_string(&file).unwrap();
    fs::write(&file, rules.replace("resource.tlp >= 4", "resource.tlp >= 5")).unwrap();
    let checked = ringfence().arg("check").arg(&dir).output().unwrap();
    assert_eq!(checked.status.code(), Some(4), "{}", text(&checked));
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(said.contains("cases/release.toml:"), "the failing case has a place: {said}");
    let everyone = rules.replace(
        "when { principal.listed.contains(resource.tier) };\n\n@id(\"member-sees",
        ";\n\n@id(\"member-sees",
    );
    assert_ne!(everyone, rules);
    fs::write(&file, everyone).unwrap();
    let checked = ringfence().arg("check").arg(&dir).arg("--json").output().unwrap();
    assert_eq!(checked.status.code(), Some(4), "{}", text(&checked));
    let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let shown = &report["proof"]["counterexamples"][0];
    assert_eq!(shown["policy"], "member-on-the-list", "{report}");
    assert_eq!(shown["member"]["standings"], serde_json::json!({}), "{shown}");
    fs::write(&file, "permit (").unwrap();
    failed(&hub_command(root.path()).output().unwrap(), 1, "release.cedar");
}

#[test]
fn what_is_not_there_yet_says_so() {
    let root = tempfile::tempdir().unwrap();
    let with = |args: &[&str]| {
        let mut command = ringfence();
        command
            .arg("hub")
            .arg("--programme")
            .arg(programme(root.path()))
            .arg("--data")
            .arg(root.path().join("data"));
        command.args(args).output().unwrap()
    };
    failed(&with(&["--store", "postgres://localhost/x"]), 1, "not available yet");
    failed(&with(&["--tls-cert", "a", "--tls-key", "b", "--client-ca", "c"]), 1, "`a` cannot be used as");
    failed(&with(&["--oidc", "absent.toml"]), 1, "absent.toml");
    failed(&with(&["--listen", "0.0.0.0:0"]), 1, "listens on loopback only");
    let far = ["status", "--hub", "http://hub.example", "--token", "rf_x_y"];
    failed(&ringfence().args(far).output().unwrap(), 1, "plain HTTP to another machine");
    assert!(!root.path().join("data").exists(), "a refusal leaves nothing behind");
}

#[test]
fn a_pull_goes_on_where_it_stopped() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (Hub::start(there.path()), Hub::start(here.path()));
    let (_, user, password) = member(&from, "Puller");
    let (_, own_user, own_password) = member(&to, "Reader");
    let file = |name: &str| here.path().join(name).display().to_string();
    fs::write(file("password"), format!("{password}\n")).unwrap();
    let pull = |code: i32, from_url: &str| {
        let password_file = file("password");
        let state = file("state");
        let args = [
            "pull",
            "--json",
            "--from",
            from_url,
            "--from-user",
            &user,
            "--from-password-file",
            &password_file,
            "--collection",
            "indicators",
            "--to",
            "indicators",
            "--state",
            &state,
            "--page",
            "4",
        ];
        let output = to.run(&args);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()["collections"][0].clone()
    };
    let publish = |numbers: std::ops::RangeInclusive<u32>| {
        fs::write(file("bundle"), bundle(&numbers.map(indicator).collect::<Vec<_>>())).unwrap();
        from.json(&["publish", "--to", "indicators", &file("bundle")]);
    };
    publish(1..=10);
    let first = pull(0, &from.url);
    assert_eq!(
        (&first["received"], &first["accepted"], &first["pages"]),
        (&json!(10), &json!(10), &json!(3)),
        "{first}"
    );
    assert_eq!(pull(0, &from.url)["received"], 0, "nothing is asked for twice");
    // As if it had been killed after a page was published and before that was written down.
    let before = fs::read_to_string(file("state")).unwrap();
    publish(11..=17);
    assert_eq!(pull(0, &from.url)["received"], 7);
    fs::write(file("state"), before).unwrap();
    let again = pull(0, &from.url);
    assert_eq!(
        (&again["received"], &again["accepted"]),
        (&json!(7), &json!(7)),
        "what is there already is no failure"
    );
    let other = pull(1, "http://127.0.0.1:9/");
    assert!(other.is_null(), "a state belongs to one pull: {other}");
    let reader = to.collection(&own_user, &own_password, "indicators");
    let received = all(&reader, &mut PullState::default()).unwrap();
    assert_eq!(received, (1..=17).map(indicator).collect::<Vec<_>>());
}

#[test]
fn a_member_is_suspended_and_reinstated_from_the_command_line() {
    let root = tempfile::tempdir().unwrap();
    let hub = Hub::start(root.path());
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(root.path().join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("data"), mode("data/keys.toml"), mode("data/operator.token")), (0o700, 0o600, 0o600));
    let (id, user, password) = member(&hub, "Northlight Networks");
    let collection = hub.collection(&user, &password, "indicators");
    let (first, second) =
        ((1..=30).map(indicator).collect::<Vec<_>>(), (31..=40).map(indicator).collect::<Vec<_>>());
    let file = root.path().join("bundle.json");

    fs::write(&file, bundle(&first)).unwrap();
    let published = hub.json(&["publish", "--to", "indicators", file.to_str().unwrap(), "--batch", "7"]);
    assert_eq!((&published["accepted"], &published["refused"]), (&json!(30), &json!(0)), "{published}");
    let again = hub.json(&["publish", "--to", "indicators", file.to_str().unwrap()]);
    assert_eq!(again["accepted"], 30, "what is there already is no failure: {again}");
    let mut state = PullState::default();
    let mut received = all(&collection, &mut state).unwrap();
    assert_eq!(received, first);
    let kept = root.path().join("kept");
    hub.json(&["ledger", "verify", "--keep", kept.to_str().unwrap()]);

    let reason = ["--tier", "programme", "--reason", "a tie came to light"];
    hub.json(&[&["member", "suspend", "northlight networks"], &reason[..]].concat());
    fs::write(&file, bundle(&second)).unwrap();
    hub.json(&["publish", "--to", "indicators", file.to_str().unwrap()]);
    let refused = all(&collection, &mut state.clone()).unwrap_err();
    assert!(matches!(refused, taxii_client::Error::Refused { status: 404, .. }), "{refused}");
    failed(&hub.run(&[&["member", "reinstate", &id], &reason[..]].concat()), 1, "--person NAME");
    assert_eq!(hub.json(&["member", "proposals"]), json!([]), "the operator's token names nobody");
    let officers = ["A. Ash", "B. Birch"].map(|person| officer(&hub, root.path(), person));
    let reinstate = |officer: &str| {
        hub.json(&[&["member", "reinstate", &id, "--token-file", officer], &reason[..]].concat())
    };
    let proposed = reinstate(&officers[0]);
    assert_eq!((&proposed[0]["to"], &proposed[0]["needs"]), (&json!("listed"), &json!(2)), "{proposed}");
    assert_eq!(hub.json(&["member", "proposals"]).as_array().unwrap().len(), 1);
    assert!(all(&collection, &mut state.clone()).is_err(), "one person alone opens nothing");
    let agreed = reinstate(&officers[1]);
    let by = agreed[0]["by"].as_str().unwrap();
    assert!(by.starts_with("role:officer (") && by.contains(" and role:officer ("), "{agreed}");
    received.extend(all(&collection, &mut state).unwrap());
    assert_eq!(received, [first, second].concat(), "it ends complete, without touching its cursor");

    let verified = hub.json(&["ledger", "verify", "--older", kept.to_str().unwrap()]);
    assert_eq!(verified["ok"], true);
    assert!(verified["log"]["continues"].as_u64() < verified["log"]["size"].as_u64(), "{verified}");
    let holds = hub.json(&["ledger", "holds", "Northlight Networks"]);
    assert_eq!(holds["objects"].as_array().unwrap().len(), 40);
    let object = "indicator--00000023-0000-4000-8000-000000000000";
    let who = hub.json(&["ledger", "who", object]);
    assert_eq!(who["receivers"][0]["member"], id.as_str());
    receipt_of(&hub, root.path(), &who["receivers"][0]["entry"]);

    let recalled = hub.json(&["recall", object, "--withdraw", "--reason", "wrong"]);
    assert_eq!(recalled["receivers"][0]["member"], id.as_str(), "{recalled}");
    let notice = all(&collection, &mut state).unwrap();
    assert!(notice.iter().any(|note| String::from_utf8_lossy(note).contains(object)), "{notice:?}");
    hub.stop();
    offline(root.path(), &id);
}

/// The file with an officer's token.
fn officer(hub: &Hub, dir: &Path, person: &str) -> String {
    let issued = hub.json(&["token", "add", "--role", "officer", "--person", person]);
    let file = dir.join(format!("{person}.token"));
    fs::write(&file, issued["token"].as_str().unwrap()).unwrap();
    file.to_str().unwrap().to_owned()
}

/// The table that `ties import` reads, as docs/registers.md has it, with a venture of two parents.
const VENTURE: &str = "\
id,from,to,kind,votes,money,from_date,source\n\
stake-a,northlight,joint-labs,holds,49%,49%,2025-01-01,a register\n\
stake-b,redstone,joint-labs,holds,51%,51%,2025-01-01,a register\n";
const CONCERN: &str = "list,entity,name,from,source\nconcern,redstone,Redstone Group,2024-01-01,a decision\n";

#[test]
fn a_file_of_ties_suspends_and_vet_says_why() {
    let root = tempfile::tempdir().unwrap();
    let hub = Hub::start(root.path());
    let (id, user, password) = member(&hub, "Northlight");
    let collection = hub.collection(&user, &password, "cleared");
    hub.json(&["member", "bind", "northlight", "northlight"]);
    let statements = root.path().join("about.json");
    fs::write(
        &statements,
        r#"[{"id":"a#1","said":{"entity":{"id":"joint-labs","kind":"organisation","sectors":["security"]}},
            "source":{"document":"a register"},"recorded":"2025-01-01T00:00:00Z"},
            {"id":"a#2","said":{"entity":{"id":"northlight","kind":"organisation","countries":["US"],
            "publicly_listed":true}},"source":{"document":"a register"},"recorded":"2025-01-01T00:00:00Z"}]"#,
    )
    .unwrap();
    let (ties, lists) = (root.path().join("ties.csv"), root.path().join("lists.csv"));
    fs::write(&ties, VENTURE).unwrap();
    fs::write(&lists, CONCERN).unwrap();
    let files = [&statements, &ties, &lists].map(|path| path.to_str().unwrap());
    let preview = hub.json(&[&["ties", "import", "--preview"], &files[..]].concat());
    let told = |key: &str| preview["answer"][key].as_array().unwrap().clone();
    assert!(told("moves").iter().any(|moved| moved["tier"] == "cleared"), "{preview}");
    let step = told("standings").into_iter().find(|moved| moved["tier"] == "cleared").unwrap();
    assert_eq!((&step["from"], &step["to"]), (&json!("listed"), &json!("suspended")), "{preview}");
    let words = hub.run(&[&["ties", "import", "--preview"], &files[..]].concat());
    for part in ["nothing was recorded", "listed -> suspended", "the feed `cleared` stops"] {
        assert!(text(&words).contains(part), "no `{part}` in {}", text(&words));
    }
    assert!(all(&collection, &mut PullState::default()).is_ok(), "a preview changes nothing");

    let imported = hub.json(&[&["ties", "import"], &files[..]].concat());
    let moved = imported["answer"]["moved"].as_array().unwrap();
    let cleared = moved.iter().find(|moved| moved["tier"] == "cleared").unwrap();
    assert_eq!((&cleared["from"], &cleared["to"]), (&json!("listed"), &json!("suspended")), "{imported}");
    let refused = all(&collection, &mut PullState::default()).unwrap_err();
    assert!(matches!(refused, taxii_client::Error::Refused { status: 404, .. }), "{refused}");

    let vetted = hub.json(&["vet", "northlight", "--tier", "cleared"]);
    let text = vetted[0]["text"].as_str().unwrap();
    for part in
        ["Northlight: suspended on cleared", "49 %", "51 %", "R8-venture", "end stake-a (least, proved"]
    {
        let part = part.replace("Northlight:", "northlight:");
        assert!(text.to_lowercase().contains(&part.to_lowercase()), "no `{part}` in {text}");
    }
    let ended = hub.json(&["vet", "northlight", "--tier", "cleared", "--end", "stake-a"]);
    assert_eq!(ended[0]["decision"]["grade"], "clear", "{ended}");
    let shown = hub.json(&["ties", "show", "joint-labs"]);
    assert_eq!(shown.as_array().unwrap().len(), 2, "{shown}");
    assert_eq!(hub.json(&["ties", "history", "stake-a"]).as_array().unwrap().len(), 1);
    hub.stop();

    let data = root.path().join("data");
    let offline =
        ringfence().args(["vet", &id, "--tier", "cleared", "--json", "--data"]).arg(&data).output().unwrap();
    assert!(offline.status.success(), "{}", common::text(&offline));
    let offline: Value = serde_json::from_slice(&offline.stdout).unwrap();
    assert_eq!(offline[0]["decision"]["grade"], "suspend", "{offline}");
}

#[test]
fn a_file_goes_in_by_parts_and_its_next_edition_ends_what_it_leaves_out() {
    let root = tempfile::tempdir().unwrap();
    let hub = Hub::start(root.path());
    let file = root.path().join("lists.csv");
    let edition = |numbers: std::ops::Range<u32>| {
        let row = |number| format!("watched,e-{number},Party Number {number},2024-01-01\n");
        fs::write(&file, format!("list,entity,name,from\n{}", numbers.map(row).collect::<String>())).unwrap();
    };
    let path = file.to_str().unwrap();
    let import = |more: &[&str]| hub.json(&[&["ties", "import", path], more].concat())["answer"].clone();
    // Without a name it is an edition of nothing.
    edition(0..2);
    import(&[]);
    edition(1..2);
    let told = hub.run(&["ties", "import", path]);
    assert!(text(&told).contains("--document"), "{}", text(&told));
    assert_eq!(import(&[])["ended"], 0);

    let import = |more: &[&str]| import(&[&["--document", "watched"], more].concat());
    let tiny = ["--part-bytes", "1000"];
    edition(0..40);
    let first = import(&tiny);
    assert!(first["parts"].as_u64().unwrap() > 10, "{first}");
    assert_eq!((&first["new"], &first["ended"]), (&json!(80), &json!(0)), "{first}");
    // The whole in one request says the same.
    let again = import(&[]);
    let counts = ["parts", "new", "known_already", "ended"].map(|name| again[name].as_u64().unwrap());
    assert_eq!(counts, [1, 0, 80, 0], "{again}");
    edition(3..41);
    let next = import(&tiny);
    assert_eq!((&next["new"], &next["ended"]), (&json!(5), &json!(3)), "{next}");
    assert_eq!(import(&tiny)["new"], 0);
    // A file that was not read whole ends nothing.
    fs::write(&file, "list,entity,name,from\nwatched,e-3,Three,2024-01-01\nwatched,,,never\n").unwrap();
    let output = hub.run(&["ties", "import", path, "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["answer"]["ended"], 0, "{told}");
    edition(3..10);
    assert_eq!(import(&["--keep-missing"])["ended"], 0);
    assert_eq!(import(&[])["ended"], 31);
    hub.stop();
}

#[test]
fn files_that_quote_one_source_do_not_end_each_others_entries() {
    let root = tempfile::tempdir().unwrap();
    let hub = Hub::start(root.path());
    let import = |document: &str, table: &str| {
        let file = root.path().join("list.csv");
        fs::write(&file, table).unwrap();
        let file = file.to_str().unwrap();
        let told = hub.json(&["ties", "import", file, "--document", document]);
        told["answer"]["ended"].as_u64().unwrap()
    };
    // The example of the documentation, whose rows name a gazette each.
    let text = include_str!("../../../docs/registers.md");
    let example = text.split("```csv\n").find(|block| block.starts_with("list,entity")).unwrap();
    let example = example.split("```").next().unwrap();
    assert_eq!(import("decisions", example), 0);
    let other = "list,entity,source\nconcern,other,gazette-2011-10-11\nconcern,huawei,gazette-2011-10-11\n";
    assert_eq!(import("others", other), 0, "another file, with a source of the first");
    let one_row = example.lines().take(2).collect::<Vec<_>>().join("\n");
    // The entry that is left out had ended by its own dates; it says so no longer.
    let open = example.replace("2018-07-13", "");
    assert_eq!(import("decisions", &open), 0);
    assert_eq!(import("decisions", &one_row), 1, "and only the second row of the example");
    assert_eq!(import("others", "list,entity,source\nconcern,other,gazette-2011-10-11\n"), 1);
    // Each file has an entry of its own of a party that both name.
    assert_eq!(import("decisions", "list,entity\nconcern,new\n"), 1);
    // A table of ties may go by the name of a list.
    assert_eq!(import("decisions", "id,from,to,kind\nt-1,new,venture,holds\n"), 0);
    assert_eq!(import("decisions", "list,entity\nconcern,newer\n"), 1);
    assert_eq!(hub.json(&["ties", "show", "venture"]).as_array().unwrap().len(), 1, "the tie holds");
    hub.stop();
}

#[test]
fn names_that_may_be_the_same_wait_for_a_person() {
    let root = tempfile::tempdir().unwrap();
    let hub = Hub::start(root.path());
    let (lists, ties) = (root.path().join("lists.csv"), root.path().join("ties.csv"));
    fs::write(&lists, "list,entity,name\nconcern,d-1,\"Red Dragon Technologies Co., Ltd.\"\n").unwrap();
    fs::write(&ties, "id,from,to,kind,from_name,to_name\ns,r-1,v,holds,RED DRAGON TECHNOLOGIES,Venture\n")
        .unwrap();
    for file in [&lists, &ties] {
        hub.json(&["ties", "import", file.to_str().unwrap()]);
    }
    let begun = Instant::now();
    let page = loop {
        // The hub may be comparing by itself at the moment.
        let page = hub.json(&["ties", "matches"]);
        if page["open"] != 0 || begun.elapsed() > Duration::from_secs(20) {
            break page;
        }
    };
    assert_eq!(page["open"], 1, "{page}");
    let number = page["matches"][0]["number"].to_string();
    let listed = hub.run(&["ties", "matches"]);
    for part in ["Red Dragon Technologies Co., Ltd.", "RED DRAGON TECHNOLOGIES", "on concern", "score"] {
        assert!(text(&listed).contains(part), "no `{part}` in {}", text(&listed));
    }
    let accepted = hub.json(&["ties", "matches", "--accept", &number, "--reason", "one address"]);
    assert_eq!(accepted["imported"]["new"], 1, "{accepted}");
    failed(&hub.run(&["ties", "matches", "--reject", &number]), 1, "was answered");
    failed(&hub.run(&["ties", "matches", "--accept", "77"]), 1, "no proposed match 77");
    assert_eq!(hub.json(&["ties", "matches"])["open"], 0);
    assert_eq!(hub.json(&["ties", "matches", "--state", "accepted"])["matches"].as_array().unwrap().len(), 1);
    hub.stop();
}

#[test]
fn a_format_that_cannot_be_told_can_be_said() {
    let root = tempfile::tempdir().unwrap();
    let hub = Hub::start(root.path());
    let write = |name: &str, text: &str| {
        let file = root.path().join(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    // An edition without a change, and a record of a kind that is not known.
    let (empty, unknown) =
        (write("entities.delta.json", ""), write("psc.json", r#"{"data":{"kind":"new"}}"#));
    failed(&hub.run(&["ties", "import", &empty]), 1, "say it with --format");
    failed(&hub.run(&["ties", "import", &unknown]), 1, "uk-psc");
    assert_eq!(hub.json(&["ties", "import", &empty, "--format", "ftm"])["answer"]["new"], 0);
    let output = hub.run(&["ties", "import", &unknown, "--format", "uk-psc", "--json"]);
    assert_eq!(output.status.code(), Some(3), "the record is refused, and counted: {}", text(&output));
    // A file of changes is no edition: what it does not speak of stays.
    let listing = |id: &str| {
        format!(
            r#"{{"id":"{id}","schema":"Company","properties":{{"name":["{id}"],"topics":["sanction"]}},"datasets":["d"]}}"#
        )
    };
    let full = write("full.json", &format!("{}\n{}\n", listing("a"), listing("b")));
    hub.json(&["ties", "import", &full]);
    let delta = write("delta.json", &format!("{{\"op\":\"ADD\",\"entity\":{}}}\n", listing("c")));
    let added = hub.json(&["ties", "import", &delta]);
    assert_eq!(added["answer"]["ended"], 0, "{added}");
    assert!(added["answer"]["new"].as_u64().unwrap() > 0, "{added}");
    hub.stop();
}

/// A receipt is proof of its entry, offline, and of no other.
fn receipt_of(hub: &Hub, dir: &Path, entry: &Value) {
    let file = dir.join("receipt");
    let number = entry.to_string();
    hub.json(&["ledger", "receipt", &number, "--out", file.to_str().unwrap()]);
    let key = hub.json(&["status"])["ledger"]["vkey"].as_str().unwrap().to_owned();
    let alone = |key: &str| {
        ringfence()
            .args(["ledger", "verify", "--json", "--vkey", key, "--receipt"])
            .arg(&file)
            .output()
            .unwrap()
    };
    let proved = alone(&key);
    assert!(proved.status.success(), "{}", text(&proved));
    let proved: Value = serde_json::from_slice(&proved.stdout).unwrap();
    assert_eq!(proved["entry"]["body"]["kind"], "disclosure", "{proved}");
    hub.json(&["ledger", "verify", "--entry", &number, "--receipt", file.to_str().unwrap()]);
    let whole = fs::read_to_string(&file).unwrap();
    let index = format!("index {number}\n");
    assert!(whole.contains(&index));
    fs::write(&file, whole.replace(&index, "index 1\n")).unwrap();
    assert_eq!(alone(&key).status.code(), Some(4), "a receipt with another number proves nothing");
}

/// The same answers from the data directory, once no hub has it open; and a backup that can be restored.
fn offline(dir: &Path, member: &str) {
    let data = dir.join("data");
    let json = |args: &[&str], path: &Path| -> Value {
        let output = ringfence().args(args).arg(path).arg("--json").output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let holds = json(&["ledger", "holds", member, "--data"], &data);
    assert_eq!(holds["objects"].as_array().unwrap().len(), 41, "the notice too");
    let size = json(&["ledger", "verify", "--data"], &data)["log"]["size"].clone();
    let backup = dir.join("backup");
    json(&["backup", backup.to_str().unwrap(), "--with-keys", "--data"], &data);
    let restored = dir.join("restored");
    json(&["restore", backup.to_str().unwrap()], &restored);
    assert_eq!(json(&["ledger", "verify", "--data"], &restored)["log"]["size"], size);
    let issued = json(&["token", "add", "--role", "overseer", "--data"], &restored);
    assert!(issued["token"].as_str().unwrap().starts_with("rf_"));
}

#[test]
fn lists_terms_refusals_and_credentials() {
    let root = tempfile::tempdir().unwrap();
    let hub = Hub::start(root.path());
    let (near, user, password) = member(&hub, "Near");
    let (_, other_user, other_password) = member(&hub, "Other");
    let list = "# seen in mail\nhxxp://evil[.]example/gate\n198.51.100.7\nnothing to see here\n";
    let creator = "identity--b3f1c9d2-4a75-4c1e-9a37-6f0d2c85e101";
    let args = [
        "publish",
        "--json",
        "--to",
        "indicators",
        "-",
        "--creator",
        creator,
        "--tlp",
        "red",
        "--audience",
        "near",
    ];
    let output = hub.run_with(&args, list);
    assert_eq!(output.status.code(), Some(3), "one line gave nothing: {}", text(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["accepted"], &report["not_read"][0]["count"]), (&json!(2), &json!(1)), "{report}");
    let mine = all(&hub.collection(&user, &password, "indicators"), &mut PullState::default()).unwrap();
    assert_eq!(mine.len(), 2);
    let others = hub.collection(&other_user, &other_password, "indicators");
    assert_eq!(all(&others, &mut PullState::default()).unwrap().len(), 0, "named recipients only");

    let bad = String::from_utf8(indicator(1)).unwrap().replace("\"pattern_type\":\"stix\",", "");
    let output = hub.run_with(&["publish", "--json", "--to", "indicators", "-"], &bad);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["accepted"], &report["refused"]), (&json!(0), &json!(1)), "{report}");
    let absent = hub.run_with(&["publish", "--to", "nowhere", "-"], &bad);
    failed(&absent, 1, "nowhere");
    let issued = hub.json(&["token", "add", "--member", &near, "--read-only", "--collection", "open"]);
    let credential = issued["credential"]["id"].as_str().unwrap();
    let listed = hub.json(&["token", "list"]);
    assert!(listed.as_array().unwrap().iter().any(|one| one["id"] == credential));
    assert!(!listed.to_string().contains(issued["secret"].as_str().unwrap()), "a secret is shown once");
    hub.json(&["token", "revoke", credential]);
    let left = hub.json(&["token", "list"]);
    assert!(left.as_array().unwrap().iter().all(|one| one["id"] != credential));
}

#[test]
fn real_bundles_come_back_byte_for_byte() {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/stix/bundles");
    if !data.is_dir() {
        eprintln!("skipped: there are no real bundles at {}", data.display());
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let hub = Hub::start(root.path());
    let (_, user, password) = member(&hub, "Reader");
    let attack = fs::read_dir(data.join("attack")).unwrap().map(|entry| entry.unwrap().path());
    let attack = attack.filter(|path| path.to_string_lossy().contains("enterprise")).max().unwrap();
    for (collection, path) in [("indicators", attack), ("open", data.join("amnesty-investigations.tar.xz"))] {
        let sent = objects_in(&path);
        let output = hub.run(&["publish", "--json", "--to", collection, path.to_str().unwrap()]);
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
        eprintln!(
            "{}: {} different objects, {} accepted, {} refused: {}",
            path.display(),
            sent.len(),
            report["accepted"],
            report["refused"],
            report["reasons"]
        );
        let received = all(&hub.collection(&user, &password, collection), &mut PullState::default()).unwrap();
        let came: BTreeSet<&[u8]> = received.iter().map(Vec::as_slice).collect();
        assert_eq!(came.len(), received.len(), "nothing twice");
        // The archive has lists too; what the programme made of them has no bytes to be compared with.
        let is_made = |object: &[u8]| String::from_utf8_lossy(object).contains(PROGRAMME_IDENTITY);
        let came: BTreeSet<&[u8]> = came.into_iter().filter(|object| !is_made(object)).collect();
        assert!(
            came.iter().all(|object| sent.contains(*object)),
            "everything that came was sent, byte for byte"
        );
        let refused = usize::try_from(report["refused"].as_u64().unwrap()).unwrap();
        assert!(came.len() + refused >= sent.len(), "{} of {} came", came.len(), sent.len());
        assert!(came.len() > 100);
    }
}

/// The identity of the template programme.
const PROGRAMME_IDENTITY: &str = "identity--b3f1c9d2-4a75-4c1e-9a37-6f0d2c85e101";

/// The different objects of a file of bundles, as they stand in it.
fn objects_in(path: &Path) -> BTreeSet<Vec<u8>> {
    let options = intake::Options::new(PROGRAMME_IDENTITY, "2026-01-10T00:00:00Z").unwrap();
    let mut objects = BTreeSet::new();
    let mut take = |item| {
        if let intake::Item::Object { bytes, .. } = item {
            // What is made from lists carries the time of its making and is not compared here.
            if !String::from_utf8_lossy(&bytes).contains("2026-01-10T00:00:00") {
                objects.insert(bytes);
            }
        }
        std::ops::ControlFlow::Continue(())
    };
    intake::read(path, &options, &mut take).unwrap();
    objects
}
