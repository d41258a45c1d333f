//! Every option that the file may have, by its section, and what of a file is none.
//!
//! A parser stops at the first word that it does not know. Whoever comes from another version, or has misspelt two, wants to hear of all of
//! them at once; so when the parser has found one, all are looked for, by this table.

use toml::de::{DeTable, DeValue};

/// Sections, each with its options. What a section has for names of the site's own (`customer.feeds`, `sinkhole.addresses`) is none.
pub(crate) const OPTIONS: [(&str, &[&str]); 16] = [
    (
        "",
        &[
            "data",
            "key_file",
            "expose",
            "log_victims",
            "hub",
            "feed",
            "customer",
            "allow",
            "frequency",
            "sinkhole",
            "quarantine",
            "flows",
            "export",
            "status",
        ],
    ),
    ("hub", &["url", "token_file", "trust", "poll_seconds", "lease_hours", "lease_seconds"]),
    ("feed", &["collection", "alias", "mode", "days_max", "confidence_min", "cause"]),
    ("customer", &["name", "networks", "keys", "listeners", "domains", "feeds", "services", "report"]),
    ("allow", &["values", "files", "warning_lists"]),
    ("frequency", &["hits_min", "factor"]),
    ("sinkhole", &["addresses", "ttl_seconds", "rpz", "forwarder", "landing"]),
    (
        "sinkhole.rpz",
        &["listen", "origin", "action", "key", "unsigned", "notify", "addresses", "watch", "logs"],
    ),
    ("sinkhole.rpz.key", &["name", "algorithm", "secret_file"]),
    ("sinkhole.rpz.notify", &["address", "key"]),
    (
        "sinkhole.forwarder",
        &[
            "plain",
            "dot",
            "doh",
            "upstreams",
            "tls_cert",
            "tls_key",
            "cache_entries_max",
            "queries_per_second",
        ],
    ),
    ("sinkhole.landing", &["listen", "contact"]),
    ("quarantine", &["listen", "action", "on_failure", "release_to", "keep_days"]),
    ("flows", &["listen", "exporters", "alerts_file", "syslog"]),
    ("export", &["format", "feeds", "path", "serve"]),
    ("status", &["listen"]),
];

/// The options of a section, if it is one.
fn options(section: &str) -> Option<&'static [&'static str]> {
    OPTIONS.iter().find(|(known, _)| *known == section).map(|(_, options)| *options)
}

/// What a file has that is no option: where it begins, what it is, and what would be one there.
pub(super) fn unknown(text: &str) -> Vec<(usize, String, &'static [&'static str])> {
    let mut found = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        look(table.get_ref(), "", &mut found);
    }
    found
}

fn look(table: &DeTable<'_>, section: &str, found: &mut Vec<(usize, String, &'static [&'static str])>) {
    let Some(known) = options(section) else { return };
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let whole = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
        if !known.contains(&name) {
            found.push((key.span().start, whole, known));
            continue;
        }
        match value.get_ref() {
            DeValue::Table(table) => look(table, &whole, found),
            DeValue::Array(items) => {
                for item in items {
                    if let DeValue::Table(table) = item.get_ref() {
                        look(table, &whole, found);
                    }
                }
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// What the parser itself takes in a section, by what it says of something else.
    fn taken(section: &str) -> BTreeSet<String> {
        let tables = ["feed", "customer", "export", "sinkhole.rpz.key", "sinkhole.rpz.notify"];
        let head = match section {
            "" => String::new(),
            section if tables.contains(&section) => format!("[[{section}]]\n"),
            section => format!("[{section}]\n"),
        };
        let error = toml::from_str::<super::super::Written>(&format!("{head}nonsense = 1\n")).unwrap_err();
        let (said, expected) = error.message().split_once(", expected ").unwrap();
        assert!(said.starts_with("unknown field `nonsense`"), "{section}: {said}");
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_table_has_what_the_parser_takes() {
        for (section, options) in OPTIONS {
            let options: BTreeSet<String> = options.iter().map(|option| (*option).to_owned()).collect();
            assert_eq!(options, taken(section), "[{section}]");
        }
    }

    #[test]
    fn the_page_has_every_option_and_no_other() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guard.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (_, list) = page.split_once("## Every option").unwrap();
        let list = list.split("\n## ").next().unwrap();
        let rows = list.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let told: BTreeSet<String> = rows.map(|(option, _)| option.to_owned()).collect();
        let sections: BTreeSet<&str> = OPTIONS.iter().map(|(section, _)| *section).collect();
        let each = OPTIONS.iter().flat_map(|(section, options)| {
            options.iter().map(move |option| match *section {
                "" => (*option).to_owned(),
                section => format!("{section}.{option}"),
            })
        });
        let there: BTreeSet<String> = each.filter(|option| !sections.contains(option.as_str())).collect();
        assert_eq!(told, there);
    }

    #[test]
    fn all_unknown_words_are_told_at_once_with_their_lines() {
        let text = "data = \"state\"\ndat = 1\n[hub]\nurl = \"https://hub.example\"\ntokenfile = \"t\"\n[[feed]]\ncollection = \"a\"\nmod = \"enforce\"\n\
                    [sinkhole.rpz]\nlisten = []\norigin = \"r\"\nnotify = [{ addres = \"127.0.0.1:53\" }]\n[sinkhol]\nx = 1\n[sinkhole.addresses]\nc2 = [\"192.0.2.1\"]\n";
        let problems = Config::parse("guard.toml", text, Path::new(".")).unwrap_err();
        let told: Vec<_> = problems.as_slice().iter().map(|problem| problem.line).collect();
        assert_eq!(told, [2, 5, 8, 12, 13].map(Some), "{problems}");
        let told = problems.to_string();
        assert!(
            told.contains("guard.toml:5: `hub.tokenfile` is no option; `hub` takes url, token_file,"),
            "{told}"
        );
    }
}
