//! What loads, what does not, and what is said about it.

use std::path::Path;

use model::MemberKind;

use super::*;

fn edited(file: &str, from: &str, to: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = template();
    let text = String::from_utf8(files[file].clone()).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    files.insert(file.to_owned(), text.replacen(from, to, 1).into_bytes());
    files
}

fn line_of(file: &str, needle: &str) -> usize {
    let text = String::from_utf8(template()[file].clone()).unwrap();
    1 + text.lines().position(|line| line.contains(needle)).unwrap()
}

#[test]
fn the_template_is_a_programme() {
    let programme = Programme::from_files(&template()).unwrap();
    let settings = programme.settings();
    assert_eq!(settings.name.as_str(), "jcsp");
    assert_eq!(settings.unmarked_tlp, 1);
    let tiers: Vec<_> = settings.tiers.iter().map(|tier| (tier.name.as_str(), tier.redaction)).collect();
    assert_eq!(tiers, [("open", true), ("programme", true), ("cleared", false)]);
    let aliases: Vec<_> = settings.collections.iter().map(|c| (c.alias.as_str(), c.shared)).collect();
    assert_eq!(aliases, [("open", true), ("indicators", true), ("cleared", true), ("submissions", false)]);
    assert_eq!(settings.limits, Limits::default(), "the template states the defaults");
    assert_eq!(settings.guard, GuardSettings::default(), "and these");
    assert!(programme.policies().rules().iter().any(|rule| rule.id == "tlp-red" && rule.forbids));
    assert!(!programme.cases()[0].cases.is_empty());
}

/// What is looked at in the folder is what `ringfence init` writes.
#[test]
fn the_template_is_the_whole_folder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../programmes/jcsp");
    let mut found = BTreeMap::new();
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
                continue;
            }
            let name = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            found.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    assert_eq!(found.keys().collect::<Vec<_>>(), template().keys().collect::<Vec<_>>());
    assert!(found == template());
}

#[test]
fn a_collection_is_found_by_id_and_by_alias() {
    let programme = Programme::from_files(&template()).unwrap();
    let indicators = programme.find_collection("indicators").unwrap();
    assert_eq!(programme.find_collection(&indicators.id.to_string()), Some(indicators));
    assert_eq!(programme.collection(&indicators.id), Some(indicators));
    assert_eq!(programme.find_collection("Indicators"), None);
    assert!(indicators.publishers.has_kind(MemberKind::Provider));
    assert!(!indicators.publishers.has_kind(MemberKind::Participant));
}

#[test]
fn a_folder_is_what_its_files_are() {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in template() {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    std::fs::write(dir.path().join(".gitignore"), "x").unwrap();
    std::fs::write(dir.path().join("release.cedar~"), "x").unwrap();
    let loaded = Programme::load(dir.path()).unwrap();
    assert_eq!(loaded.files(), &template());
    let again = Programme::from_files(loaded.files()).unwrap();
    assert_eq!(loaded.digest(), again.digest());
    assert_eq!(loaded.digest().len(), 64);
    std::fs::create_dir(dir.path().join("rulez")).unwrap();
    assert!(Programme::load(dir.path()).unwrap_err().to_string().contains("rulez: the folder is no part"));
    assert!(Programme::load(&dir.path().join("absent")).is_err());
}

#[test]
fn the_digest_covers_every_byte_and_name() {
    let original = Programme::from_files(&template()).unwrap();
    let changed = Programme::from_files(&edited("README.md", "fictional", "invented")).unwrap();
    assert_ne!(original.digest(), changed.digest());
    let mut renamed = template();
    let cases = renamed.remove("cases/release.toml").unwrap();
    renamed.insert("cases/others.toml".to_owned(), cases);
    assert_ne!(original.digest(), Programme::from_files(&renamed).unwrap().digest());
}

#[test]
fn a_fault_is_named_with_file_line_and_remedy() {
    let toml = "programme.toml";
    let cedar = "release.cedar";
    let cases = "cases/release.toml";
    let table = [
        // file, what is replaced, by what, what the message has, where the line is
        (toml, "contact =", "kontact =", "unknown field `kontact`", "contact ="),
        (toml, "title = \"Joint", "title = Joint", "", "title = \"Joint"),
        (toml, "name = \"jcsp\"", "name = \"JCSP\"", "`JCSP` is not a programme name", "name = \"jcsp\""),
        (toml, "unmarked_tlp = \"green\"", "unmarked_tlp = \"white\"", "`white`", "unmarked_tlp ="),
        (toml, "\"identity--b3f1", "\"identity--B3F1", "not the id of a STIX identity", "id = \"identity--"),
        (toml, "created = \"2012", "created = \"12", "is not a date", "created ="),
        (toml, "tier = \"cleared\"", "tier = \"secret\"", "there is no tier `secret`", "tier = \"cleared\""),
        (toml, "name = \"cleared\"", "name = \"open\"", "two tiers `open`", "name = \"cleared\""),
        (toml, "6f0d2c85e101", "6f0d2c85e10g", "not the id of a STIX identity", "id = \"identity--"),
        (toml, "0f6d3f1b6002", "0f6d3f1b6001", "two collections have the id", "0f6d3f1b6002"),
        (
            toml,
            "alias = \"cleared\"",
            "alias = \"open\"",
            "two collections have the alias",
            "alias = \"cleared\"",
        ),
        (toml, "\"providers\"]", "\"vendors\"]", "`vendors` is no publisher", "\"providers\"]"),
        (toml, "retention_hours = 24", "retention_hours = 23", "use 24 to 8760", "status_retention_hours ="),
        (
            toml,
            "page_objects_max = 1_000",
            "page_objects_max = 500",
            "more than `page_objects_max`",
            "page_objects_default =",
        ),
        (toml, "lease_hours = 24", "lease_hours = 0", "`lease_hours` is 0; use 1 to 720", "lease_hours ="),
        (
            toml,
            "occurrence_members_min = 3",
            "occurrence_members_min = 1",
            "`occurrence_members_min` is 1",
            "occurrence_members_min =",
        ),
        (toml, "[guard]", "[guards]", "unknown field `guards`", "[guard]"),
        (toml, "nesting_depth_max = 100", "nesting_depth_max = -1", "", "nesting_depth_max ="),
        (cedar, "@id(\"tlp-red\")\n", "", "no `@id`; give it a name", "@id(\"tlp-red\")"),
        (
            cedar,
            "@id(\"tlp-amber\")",
            "@id(\"tlp-red\")",
            "two policies have the @id `tlp-red`",
            "@id(\"tlp-amber\")",
        ),
        (cedar, "resource.tlp >= 4", "resource.tlp >= \"red\"", "`tlp-red`", "resource.tlp >= 4"),
        (cedar, "resource.tlp >= 4", "resource.tpl >= 4", "tpl", "resource.tlp >= 4"),
        (cedar, "resource.tlp >= 4", "resource.tlp >= ", "", "unless {\n"),
        (cases, "who = \"northwind\"", "who = \"southwind\"", "no member `southwind`", "who = \"northwind\""),
        (
            cases,
            "collection = \"cleared\"",
            "collection = \"closed\"",
            "no collection `closed`",
            "collection = \"cleared\"",
        ),
        (cases, "tlp = \"red\"", "tlp = \"white\"", "`white` is no level", "tlp = \"red\""),
        (cases, "expect = \"withheld\"", "expect = \"refused\"", "refused", "expect = \"withheld\""),
    ];
    for (file, from, to, message, line) in table {
        let error = Programme::from_files(&edited(file, from, to)).unwrap_err();
        let problem = &error.as_slice()[0];
        let said = error.to_string();
        assert_eq!(problem.file, file, "{said}");
        assert!(said.contains(message), "{to}: {said}");
        assert!(!problem.remedy.is_empty(), "{said}");
        if line != "unless {\n" {
            assert_eq!(problem.line, Some(line_of(file, line)), "{to}: {said}");
        }
    }
}

#[test]
fn all_faults_are_named_at_once() {
    let mut files = edited("programme.toml", "unmarked_tlp = \"green\"", "unmarked_tlp = \"white\"");
    files.remove("schema.cedarschema");
    files.insert("release.ceder".to_owned(), Vec::new());
    files.insert("cases/deep/case.toml".to_owned(), Vec::new());
    let error = Programme::from_files(&files).unwrap_err();
    let found: Vec<_> = error.as_slice().iter().map(|problem| problem.file.as_str()).collect();
    assert_eq!(found, ["cases/deep/case.toml", "programme.toml", "release.ceder", "schema.cedarschema"]);
}

#[test]
fn a_policy_with_a_slot_is_refused() {
    let files = edited(
        "release.cedar",
        "permit (\n    principal is Member,\n    action in",
        "permit (\n    principal == ?principal,\n    action in",
    );
    let error = Programme::from_files(&files).unwrap_err();
    assert!(error.to_string().contains("?principal"), "{error}");
}

#[test]
fn a_policy_that_can_never_apply_is_refused() {
    let files = edited("release.cedar", "resource.tlp >= 4", "resource is Member");
    let error = Programme::from_files(&files).unwrap_err();
    assert_eq!(error.as_slice()[0].file, "release.cedar", "{error}");
}

#[test]
fn vetting_is_optional_and_its_files_are_named() {
    let mut files = template();
    for name in
        ["README.md", "cases/release.toml", "instruments.toml", "attestation.toml", "lists/concern.csv"]
    {
        files.remove(name);
    }
    let programme = Programme::from_files(&files).unwrap();
    assert!(programme.questionnaire().is_none() && programme.instruments().is_empty());
    files.insert("rules/ownership.cedar".to_owned(), Vec::new());
    let error = Programme::from_files(&files).unwrap_err();
    assert!(error.to_string().contains("no [[pack]] for this file"), "{error}");
    files.remove("rules/ownership.cedar");
    files.remove("rules/bis.cedar");
    let error = Programme::from_files(&files).unwrap_err();
    assert_eq!(error.as_slice()[0].file, "rules/bis.cedar", "{error}");
}

#[test]
fn a_rule_counts_on_its_tiers_and_in_its_time() {
    let programme = Programme::from_files(&template()).unwrap();
    let rule = |id: &str| {
        let mut rules = programme.packs().iter().flat_map(|pack| &pack.rules);
        rules.find(|rule| rule.id == id).unwrap()
    };
    let day = |text: &str| text.parse::<ties::Day>().unwrap();
    let (open, cleared) = ("open".parse().unwrap(), "cleared".parse().unwrap());
    let cases = [
        // rule         tier      on            known on      counts?
        ("R8-venture", &cleared, "2008-03-01", "2008-03-01", true),
        ("R8-venture", &open, "2008-03-01", "2008-03-01", false),
        ("BIS-50", &open, "2025-09-28", "2026-11-23", false),
        ("BIS-50", &open, "2025-09-29", "2025-09-29", true),
        ("BIS-50", &open, "2025-09-29", "2025-09-28", false),
        ("BIS-50", &open, "2025-11-10", "2026-11-23", false),
        ("BIS-50", &open, "2026-11-10", "2026-11-23", true),
        ("SF-7b-30", &cleared, "2025-05-11", "2026-11-23", true),
        ("SF-7b-30", &cleared, "2025-05-12", "2026-11-23", false),
        ("SF-7b-15", &cleared, "2025-05-12", "2026-11-23", true),
    ];
    for (id, tier, on, known, want) in cases {
        assert_eq!(
            rule(id).counts(tier, day(on), day(known).end()),
            want,
            "{id} on {on} as known on {known}"
        );
    }
    assert_eq!(rule("R8-venture").grade, model::Grade::Suspend);
    assert_eq!(rule("R8-venture").policy.id().to_string(), "R8-venture");
}

#[test]
fn a_rule_that_would_silently_not_count_is_refused() {
    let cases = [
        ("@grade(\"condition\")", "@grade(\"conditions\")", "`conditions` is not a grade"),
        ("@grade(\"condition\")", "@grade(\"clear\")", "finds nothing"),
        ("@id(\"R4-board-seat\")", "@id(\"R5-control\")", "two rules have the @id"),
        ("@tier(\"cleared\")", "@tier(\"clear\")", "there is no tier `clear`"),
        ("@effective_from(\"2020-08-13\")", "@effective_from(\"13.08.2020\")", "is not a date"),
        (
            "forbid (principal, action == Action::\"vet\"",
            "permit (principal, action == Action::\"vet\"",
            "permits",
        ),
        (
            "forbid (principal, action == Action::\"vet\"",
            "forbid (principal, action == Action::\"read\"",
            "vet",
        ),
        ("context.foreign_appoints", "context.foreign_appoint", "foreign_appoint"),
        ("@source(\"SF 328 question 1a, note", "@sources(\"SF 328 question 1a, note", "no `@source`"),
    ];
    for (from, to, want) in cases {
        let error = Programme::from_files(&edited("rules/strict.cedar", from, to)).unwrap_err();
        let told =
            error.as_slice().iter().any(|p| p.file == "rules/strict.cedar" && p.message.contains(want));
        assert!(told, "{to}: {error}");
    }
}

#[test]
fn what_vetting_means_is_checked() {
    let cases = [
        ("home = [\"US\"]", "home = [\"usa\"]", "`usa` is no country"),
        ("name = \"uk\"", "name = \"ofac\"", "two packs `ofac`"),
        ("name = \"uk\"", "name = \"../uk\"", "no name of a pack"),
    ];
    for (from, to, want) in cases {
        let error = Programme::from_files(&edited("programme.toml", from, to)).unwrap_err();
        assert!(error.to_string().contains(want), "{to}: {error}");
    }
    let error =
        Programme::from_files(&edited("instruments.toml", "every_days = 365", "every_days = 0")).unwrap_err();
    assert!(error.to_string().contains("every 0 days"), "{error}");
    let error =
        Programme::from_files(&edited("instruments.toml", "[\"cleared\"]", "[\"secret\"]")).unwrap_err();
    assert!(error.to_string().contains("no tier `secret`"), "{error}");
    let error = Programme::from_files(&edited("attestation.toml", "id = \"1b\"", "id = \"1a\"")).unwrap_err();
    assert_eq!(error.as_slice()[0].line, Some(line_of("attestation.toml", "id = \"1b\"")), "{error}");
}

#[test]
fn limits_are_checked_on_both_sides() {
    for (value, fine) in [("24", true), ("23", false), ("8_760", true), ("8_761", false)] {
        let (from, to) = ("status_retention_hours = 24", format!("status_retention_hours = {value}"));
        let files = edited("programme.toml", from, &to);
        assert_eq!(Programme::from_files(&files).is_ok(), fine, "{value}");
    }
    let files = edited("programme.toml", "[limits]", "[limits]\n#");
    let none = String::from_utf8(files["programme.toml"].clone()).unwrap();
    let without = none.split("[limits]").next().unwrap().to_owned();
    let mut files = template();
    files.insert("programme.toml".to_owned(), without.into_bytes());
    assert_eq!(Programme::from_files(&files).unwrap().settings().limits, Limits::default());
}
