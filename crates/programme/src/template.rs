//! The template programme, compiled in.

use std::collections::BTreeMap;

macro_rules! template_files {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_bytes!(concat!("../../../programmes/jcsp/", $name)).as_slice())),+]
    };
}

/// The files of `programmes/jcsp`, which `ringfence init` writes.
#[must_use]
pub fn template() -> BTreeMap<String, Vec<u8>> {
    template_files!(
        "README.md",
        "attestation.toml",
        "cases/fictional.toml",
        "cases/release.toml",
        "cases/symantec.toml",
        "cases/variants.toml",
        "cases/ways-round.toml",
        "instruments.toml",
        "lists/adversaries.csv",
        "lists/concern.csv",
        "programme.toml",
        "release.cedar",
        "rules/bis.cedar",
        "rules/eu-amlr.cedar",
        "rules/ofac.cedar",
        "rules/sf328.cedar",
        "rules/strict.cedar",
        "rules/uk.cedar",
        "schema.cedarschema"
    )
    .into_iter()
    .map(|(name, content)| (name.to_owned(), content.to_vec()))
    .collect()
}
