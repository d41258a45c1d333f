//! What `stix` alone costs: one thread, its CPU time, nothing stored, nothing sent.

use std::hint::black_box;
use std::time::Duration;

use anyhow::Result;
use stix::{Document, Head, Limits, ValidateOptions, split, validate_document};

use crate::objects;
use crate::process::own_cpu;
use crate::report::{Bound, Row};
use crate::units::{per_second, short};

const OBJECTS: u64 = 50_000;
const ROUNDS: usize = 5;

pub(crate) fn measure() -> Result<Vec<Row>> {
    let bytes = objects::envelope(0, OBJECTS, "");
    let limits = Limits { object_count_max: usize::MAX, ..Limits::default() };
    let heads = best(|| {
        let mut references = 0;
        for object in split(&bytes, &limits)? {
            references += Head::parse(object)?.refs.len();
        }
        Ok(references)
    })?;
    let options = ValidateOptions { warnings: true, ..ValidateOptions::default() };
    let checks = best(|| {
        let mut seen = 0;
        for object in split(&bytes, &limits)? {
            let document = Document::parse(object, &limits)?;
            seen += Head::of(&document)?.refs.len() + validate_document(&document, &options).findings.len();
        }
        Ok(seen)
    })?;
    let megabytes = per_second(u64::try_from(bytes.len())?, heads) / 1e6;
    let checked = per_second(OBJECTS, checks);
    Ok(vec![
        Row::told("`stix` alone: split and head, MB a CPU-s", format!("{} MB/s", short(megabytes)), "")
            .judged(megabytes, Bound::AtLeast(300.0), None),
        Row::told(
            "`stix` alone: full validation, objects a CPU-s",
            format!("{} objects/s", short(checked)),
            "",
        )
        .judged(checked, Bound::AtLeast(100_000.0), None),
    ])
}

fn best(run: impl Fn() -> Result<usize>) -> Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let begun = own_cpu()?;
        black_box(run()?);
        best = best.min(own_cpu()?.saturating_sub(begun));
    }
    Ok(best)
}
