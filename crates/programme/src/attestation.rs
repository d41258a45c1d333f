//! The questionnaire that members answer about themselves: `attestation.toml`.
//!
//! Its questions are the programme's. The template asks what the SF 328 asks. An answer is yes or no, with what the
//! question wants listed if it is yes; "it depends" is not offered.

use std::collections::{BTreeMap, BTreeSet};

use model::Problem;
use serde::Deserialize;
use toml::Spanned;

use crate::read;

const FILE: &str = "attestation.toml";

/// The questionnaire.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Questionnaire {
    /// Its name for people.
    pub title: String,
    /// Its version, which an attestation repeats.
    pub version: String,
    /// Where it comes from.
    pub source: String,
    /// The questions, in order.
    pub questions: Vec<Question>,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its number: `1a`.
    pub id: String,
    /// What is asked.
    pub text: String,
    /// What to list if the answer is yes.
    pub list: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    title: String,
    version: String,
    source: String,
    question: Vec<RawQuestion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuestion {
    id: Spanned<String>,
    text: String,
    list: String,
}

/// Reads the questionnaire, if the programme has one.
pub(crate) fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Option<Questionnaire>, Vec<Problem>> {
    if !files.contains_key(FILE) {
        return Ok(None);
    }
    let text = read::text(files, FILE).map_err(|problem| vec![problem])?;
    let raw = read::toml::<Raw>(FILE, text).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    let mut questions = Vec::new();
    for question in raw.question {
        if !seen.insert(question.id.get_ref().clone()) {
            let message = format!("two questions have the number `{}`", question.id.get_ref());
            let problem = Problem::new(FILE, message, "give each its own");
            problems.push(problem.at(text, question.id.span().start));
        }
        questions.push(Question { id: question.id.into_inner(), text: question.text, list: question.list });
    }
    if problems.is_empty() {
        Ok(Some(Questionnaire { title: raw.title, version: raw.version, source: raw.source, questions }))
    } else {
        Err(problems)
    }
}
