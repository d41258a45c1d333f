//! A file of the folder as text and as TOML, or the problem with its line.

use model::Problem;

/// The file's text, or the problem that there is none.
pub(crate) fn text<'a>(
    files: &'a std::collections::BTreeMap<String, Vec<u8>>,
    name: &str,
) -> Result<&'a str, Problem> {
    let bytes = files.get(name).ok_or_else(|| {
        Problem::new(name, "the file is missing", "`ringfence init DIR` writes a folder that has it")
    })?;
    std::str::from_utf8(bytes).map_err(|error| {
        Problem::new(name, format!("byte {} is not UTF-8", error.valid_up_to()), "save the file as UTF-8")
    })
}

/// Reads TOML into `T`, and turns a fault into a problem with its line.
pub(crate) fn toml<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, Problem> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().trim_end().replace('\n', ", ");
        let problem = Problem::new(name, message, "see the same file in the template for what belongs here");
        match error.span() {
            Some(span) => problem.at(text, span.start),
            None => problem,
        }
    })
}
