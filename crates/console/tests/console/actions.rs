//! Every action says how it is taken back, or warns before: the whole table stands in `actions.txt`.

use std::collections::BTreeMap;

const TABLE: &str = include_str!("actions.txt");
const ROUTES: &str = include_str!("routes.txt");
const OPERATIONS: &str = include_str!("../../../hub/src/api/openapi.json");

/// The template's forms that send to this path, each with what stands around it in its section.
fn forms(template: &str, path: &str) -> Vec<String> {
    let file = format!("{}/templates/{template}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap();
    // `/members/{member}/duty` is `/members/{{ id }}/duty` there, and a page may know its own path.
    let end = path.rsplit('/').next().filter(|end| !end.starts_with('{')).unwrap_or_default();
    let mut found = Vec::new();
    for section in text.split("<section") {
        let mut rest = section;
        while let Some((_, form)) = rest.split_once("<form method=\"post\" action=\"") {
            let (action, after) = form.split_once('"').unwrap();
            let is_it = if end.is_empty() { action.starts_with("{{") } else { action.ends_with(end) };
            if is_it {
                let (form, _) = after.split_once("</form>").unwrap();
                // A note in the form itself, or where the section has this form alone, in the section.
                let alone = section.matches("<form method=\"post\"").count() == 1;
                found.push(if alone { section.to_owned() } else { form.to_owned() });
            }
            rest = after;
        }
    }
    found
}

#[test]
fn every_action_has_an_undo_or_warns() {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let table: BTreeMap<&str, &str> =
        lines.map(|line| line.split_once(' ').map(|(path, undo)| (path, undo.trim())).unwrap()).collect();
    // Whatever takes a form from anybody, by the table of all routes: the columns behind nobody and a stranger. Signing in
    // and out refuse forms that are not of a page, as that table sends them.
    let takes = |line: &&str| line.split(' ').skip(4).any(|status| !matches!(status, "403" | "405" | "in"));
    let actions = ROUTES.lines().filter(|line| line.starts_with("POST ")).filter(takes);
    let mut wanted: Vec<&str> = actions.filter_map(|line| line.split(' ').nth(1)).collect();
    wanted.retain(|path| !path.starts_with("/sign-in/"));
    wanted.extend(["/sign-in", "/sign-out"]);
    wanted.sort_unstable();
    let told: Vec<&str> = table.keys().copied().collect();
    assert_eq!(told, wanted, "each action has one line");
    let operations: serde_json::Value = serde_json::from_str(OPERATIONS).unwrap();
    for (path, undo) in &table {
        let (how, what) = undo.split_once(' ').unwrap_or((undo, ""));
        match how {
            "nothing" => assert_eq!(what, "", "{path}"),
            "undo" => assert!(table.contains_key(what), "{path}: there is no action {what}"),
            "api" => {
                let (method, of) = what.split_once(' ').unwrap();
                let operation = &operations["paths"][of][method.to_lowercase()];
                assert!(operation.is_object(), "{path}: there is no operation {what}");
            }
            "warns" => {
                let (template, words) = what.split_once(": ").unwrap();
                let forms = forms(template, path);
                assert!(!forms.is_empty(), "{path}: {template} has no such form");
                for form in forms {
                    assert!(form.contains(words), "{path}: `{words}` does not stand beside it: {form}");
                }
            }
            other => panic!("{path}: `{other}` is no way to take something back"),
        }
    }
}
