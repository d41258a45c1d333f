//! Which files belong to a programme, and reading them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use model::{Problem, Problems};

/// A programme is text that people write; a file above this is there by mistake.
const FILE_SIZE_MAX_BYTES: u64 = 16 * 1024 * 1024;

const FILES: [&str; 6] = [
    "README.md",
    "attestation.toml",
    "instruments.toml",
    "programme.toml",
    "release.cedar",
    "schema.cedarschema",
];
const FOLDERS: [(&str, &str); 3] = [("cases", "toml"), ("lists", "csv"), ("rules", "cedar")];

fn belongs(name: &str) -> bool {
    let in_folder = |(folder, extension): (&str, &str)| {
        name.strip_prefix(folder)
            .and_then(|rest| rest.strip_prefix('/'))
            .and_then(|rest| rest.strip_suffix(extension))
            .and_then(|rest| rest.strip_suffix('.'))
            .is_some_and(|stem| !stem.is_empty() && !stem.contains('/'))
    };
    FILES.contains(&name) || name == crate::allow::FILE || FOLDERS.into_iter().any(in_folder)
}

/// The files that have no place in a programme: most likely a misspelt name, whose rules would silently not count.
pub(crate) fn misplaced(files: &BTreeMap<String, Vec<u8>>) -> Vec<Problem> {
    files
        .keys()
        .filter(|name| !belongs(name))
        .map(|name| {
            Problem::new(
                name,
                "the file is no part of a programme",
                "rename or remove it; there are README.md, programme.toml, schema.cedarschema, release.cedar, \
                 attestation.toml, instruments.toml, rules/*.cedar, lists/*.csv, lists/allow.txt and cases/*.toml",
            )
        })
        .collect()
}

/// Reads the folder's files. Names that begin with a dot or end in `~` are passed over: they are a version
/// control's or an editor's.
pub(crate) fn read(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>, Problems> {
    let mut files = BTreeMap::new();
    let mut problems = Vec::new();
    read_into(dir, "", &mut files, &mut problems);
    if problems.is_empty() { Ok(files) } else { Err(Problems::new(problems)) }
}

fn read_into(dir: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>, problems: &mut Vec<Problem>) {
    let fail = |name: &str, error: &io::Error| {
        let name = if name.is_empty() { dir.display().to_string() } else { name.to_owned() };
        Problem::new(&name, format!("it cannot be read ({error})"), "name a folder that you may read")
    };
    let entries = match fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(error) => return problems.push(fail(prefix.trim_end_matches('/'), &error)),
    };
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let path = format!("{prefix}{name}");
        match fs::metadata(entry.path()) {
            Ok(about)
                if about.is_dir() && prefix.is_empty() && FOLDERS.iter().any(|(known, _)| *known == name) =>
            {
                read_into(&entry.path(), &format!("{name}/"), files, problems);
            }
            Ok(about) if about.is_dir() => problems.push(Problem::new(
                &path,
                "the folder is no part of a programme",
                "rename or remove it; there are rules, lists and cases",
            )),
            Ok(about) if about.len() > FILE_SIZE_MAX_BYTES => problems.push(Problem::new(
                &path,
                format!("the file is larger than {FILE_SIZE_MAX_BYTES} bytes"),
                "split it or remove it",
            )),
            Ok(_) => match fs::read(entry.path()) {
                Ok(content) => {
                    files.insert(path, content);
                }
                Err(error) => problems.push(fail(&path, &error)),
            },
            Err(error) => problems.push(fail(&path, &error)),
        }
    }
}
