//! `ringfence ties matches`: names that may be the same, for a person to say.

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::output::{Exit, Output, add};

#[derive(Debug, Args)]
pub(super) struct Matches {
    /// Say that the two of this match are one; everything follows that follows from a tie
    #[arg(long, value_name = "NUMBER", conflicts_with = "reject")]
    accept: Option<u64>,
    /// Say that the two of this match are two; the pair is not proposed again
    #[arg(long, value_name = "NUMBER")]
    reject: Option<u64>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Which to list
    #[arg(long, value_enum, default_value = "open")]
    state: State,
    /// List those after this one
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
    /// List at most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Open,
    Accepted,
    Rejected,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

impl Matches {
    pub(super) fn run(self, output: Output) -> Result<Exit> {
        let answer = self.accept.map(|number| (number, "accept"));
        let answer = answer.or(self.reject.map(|number| (number, "reject")));
        let api = self.connection.api()?;
        let Some((number, answer)) = answer else {
            let (state, after, limit) = (self.state.word(), self.after, self.limit);
            let page: Value =
                api.get(&format!("/api/ties/matches?state={state}&after={after}&limit={limit}"))?;
            output.result(&page, || listed(&page))?;
            return Ok(Exit::Done);
        };
        let body = json!({"answer": answer, "reason": self.reason});
        let done: Value = api.post(&format!("/api/ties/matches/{number}"), &body)?;
        output.result(&done, || answered(&done, answer))?;
        Ok(Exit::Done)
    }
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn words(value: &Value) -> String {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// One of the two, in a line.
fn side(side: &Value) -> String {
    let mut text = format!("{} `{}` ({}", word(&side["name"]), word(&side["entity"]), word(&side["kind"]));
    for name in ["countries", "documents"] {
        let told = words(&side[name]);
        if !told.is_empty() {
            add!(text, "; {told}");
        }
    }
    text.push(')');
    if side["member"].is_string() {
        add!(text, ", {}", word(&side["member"]));
    }
    let lists = words(&side["lists"]);
    if !lists.is_empty() {
        add!(text, ", on {lists}");
    }
    text
}

fn listed(page: &Value) -> String {
    let mut text = String::new();
    for one in page["matches"].as_array().into_iter().flatten() {
        add!(text, "{}  score {}: {}\n", one["number"], one["score"], words(&one["because"]));
        add!(text, "    {}\n    {}\n", side(&one["left"]), side(&one["right"]));
        for (name, told) in [("agree", "both have"), ("contradict", "against it:")] {
            let identifiers = words(&one[name]);
            if !identifiers.is_empty() {
                add!(text, "    {told} {identifiers}\n");
            }
        }
        if one["answered"].is_object() {
            let by = word(&one["answered"]["by"]);
            add!(text, "    answered by {by}: {}\n", word(&one["answered"]["reason"]));
        }
    }
    if text.is_empty() {
        text.push_str("There is none.\n");
    }
    if let Some(next) = page["next"].as_u64() {
        add!(text, "There are more: --after {next}\n");
    }
    text
}

fn answered(done: &Value, answer: &str) -> String {
    let of = &done["match"];
    let (left, right) = (word(&of["left"]["entity"]), word(&of["right"]["entity"]));
    let mut text = match answer {
        "accept" => format!("`{left}` and `{right}` are one from now on.\n"),
        _ => format!("`{left}` and `{right}` are two, and are not proposed again.\n"),
    };
    for moved in done["imported"]["moved"].as_array().into_iter().flatten() {
        let (name, tier, grade) = (word(&moved["name"]), word(&moved["tier"]), word(&moved["grade"]));
        add!(text, "  {name} on {tier}: grade {grade}, {} -> {}\n", word(&moved["from"]), word(&moved["to"]));
    }
    for finding in done["imported"]["findings"].as_array().into_iter().flatten() {
        add!(text, "  {}\n", word(finding));
    }
    text
}
