//! An entry of the ledger in a line of words.

use model::Standing;
use programme::Programme;
use serde_json::Value;

use crate::words::standing;

/// How much of a digest is told in a line.
const DIGEST_SHOWN: usize = 12;

/// What an entry says. What it says that is not known here is told by its name.
pub(super) fn what(programme: &Programme, body: &Value) -> String {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| body[name].as_u64().unwrap_or_default();
    let digest = |name: &str| text(name).chars().take(DIGEST_SHOWN).collect::<String>();
    let by = format!("by {}", text("by"));
    match body["kind"].as_str().unwrap_or_default() {
        "genesis" => format!("the log of {} began", text("origin")),
        "key" => format!("key {}: {}", text("action"), text("vkey")),
        "policy" => format!("programme {} in force from epoch {}, {by}", digest("sha256"), number("epoch")),
        "membership" => format!("{}, {by}", text("action")),
        "credential" => format!("credential {}: {}, {by}", text("credential"), text("action")),
        "decision" => {
            let (from, to) = (standing_of(&text("from")), standing_of(&text("to")));
            format!("on {}: from {from} to {to}, {by}: {}", text("tier"), text("reason"))
        }
        "vetting" => format!("{}: {}, {by}", text("action"), text("subject")),
        "publication" => {
            format!("{} into {}, {by}", objects(number("count")), collection(programme, &text("collection")))
        }
        "recall" => format!("{} of {}, {by}: {}", text("action"), text("object"), text("reason")),
        "report" => {
            let object = body["object"].as_str().map(|object| format!(" of {object}")).unwrap_or_default();
            format!("{}{object} ({}), {by}", text("action"), number("count"))
        }
        "disclosure" => {
            let from = collection(programme, &text("collection"));
            format!(
                "was handed {} of {from} ({}) at epoch {}",
                objects(number("count")),
                text("resource"),
                number("epoch")
            )
        }
        other => other.to_owned(),
    }
}

fn objects(count: u64) -> String {
    if count == 1 { "1 object".to_owned() } else { format!("{count} objects") }
}

fn standing_of(word: &str) -> String {
    word.parse::<Standing>().map_or_else(|_| word.to_owned(), |known| standing(known).to_owned())
}

/// A collection's title, where the programme of today has it.
fn collection(programme: &Programme, id: &str) -> String {
    let mut known = programme.settings().collections.iter();
    let found = known.find(|known| known.id.to_string() == id || known.alias == id);
    found.map_or_else(|| id.to_owned(), |known| known.title.clone())
}
