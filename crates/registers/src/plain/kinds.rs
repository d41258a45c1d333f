//! Kinds of ties, spread over columns.
//!
//! A kind is a word, with what it needs to be complete behind a colon: `holds`, `directs:contract`, `serves:director`.
//! What else is particular to it stands in columns of its own; yes-or-no properties share the column `flags`.

use serde::Serialize;
use ties::{Appointment, Holding, Plan, Share, TieKind};

use super::columns::{Row, Wrong};
use crate::reading::Reason;

/// The flags that some kind has.
const FLAGS: [&str; 7] = ["indirect", "observer", "veto", "technology", "royalty", "directs", "essential"];

/// The kind that a row tells.
pub(super) fn kind(row: &Row<'_>) -> Result<TieKind, Wrong> {
    let code = row.get("kind").unwrap_or_default();
    let (word, detail) = code.split_once(':').unwrap_or((code, ""));
    if let Some(unknown) =
        row.get("flags").unwrap_or_default().split_whitespace().find(|flag| !FLAGS.contains(flag))
    {
        return Err(Row::bad("flags", format!("`{unknown}` is none of {}", FLAGS.join(", "))));
    }
    let subject = row.get("subject").unwrap_or_default().to_owned();
    let missing =
        |column| Wrong { column, reason: Reason::Incomplete, message: format!("`{word}` needs it") };
    Ok(match (word, detail) {
        ("holds", "") => TieKind::Holds(Holding {
            votes: row.share("votes")?,
            money: row.share("money")?,
            class: row.optional("class")?,
            nominator: row.optional("nominator")?,
            indirect: row.has_flag("indirect"),
            components: row.several("components")?,
        }),
        ("may-acquire", "") => TieKind::MayAcquire {
            votes: row.share("votes")?.unwrap_or(Share::UNKNOWN),
            window: row.period("window_from", "window_to")?,
        },
        ("appoints", "") => TieKind::Appoints(Appointment {
            seats: row.optional("seats")?,
            of: row.optional("of")?,
            majority: row.yes_or_no("majority")?,
            observer: row.has_flag("observer"),
            veto: row.has_flag("veto"),
        }),
        ("directs", by) => TieKind::Directs { by: Row::as_word("kind", by)? },
        ("consolidates", "" | "ultimate") => TieKind::Consolidates { ultimate: detail == "ultimate" },
        ("venture", "") => TieKind::Venture,
        ("party-to", role) => TieKind::PartyTo { role: Row::as_word("kind", role)? },
        ("serves", post) => TieKind::Serves { post: Row::as_word("kind", post)? },
        ("seconds", "") => TieKind::Seconds,
        ("licenses", "") => TieKind::Licenses {
            subject,
            technology: row.has_flag("technology"),
            royalty: row.has_flag("royalty"),
        },
        ("contracts", "") => TieKind::Contracts { subject, income: row.share("share")? },
        ("supplies", "") => TieKind::Supplies { subject },
        ("lends", "") => {
            TieKind::Lends { of_net_worth: row.share("share")?, directs: row.has_flag("directs") }
        }
        ("pays", "") => TieKind::Pays { revenue: row.share("share")?.ok_or_else(|| missing("share"))? },
        ("grants", "") => TieKind::Grants { subject },
        ("equips", "") => TieKind::Equips { essential: row.has_flag("essential") },
        ("governs", by) => TieKind::Governs { by: Row::as_word("kind", by)? },
        ("family", "") => TieKind::Family,
        ("associates", "") => TieKind::Associates { relation: subject },
        ("succeeds", "") => TieKind::Succeeds,
        ("plans", "") => TieKind::Plans(Plan {
            stage: row.word("stage")?.ok_or_else(|| missing("stage"))?,
            ends: row.several("ends")?,
            votes: row.share("votes")?,
        }),
        _ => return Err(Row::bad("kind", format!("`{code}` is no kind of tie"))),
    })
}

/// The cells that tell a kind; the first is `kind` itself.
pub(super) fn cells(kind: &TieKind) -> Vec<(&'static str, String)> {
    let mut out = Cells(Vec::new());
    match kind {
        TieKind::Holds(holding) => {
            out.word("holds", &"");
            out.share("votes", holding.votes);
            out.share("money", holding.money);
            out.text("class", holding.class.as_deref().unwrap_or_default());
            out.text("nominator", holding.nominator.as_ref().map_or("", |id| id.as_str()));
            out.text("components", &joined(&holding.components));
            out.flags(&[("indirect", holding.indirect)]);
        }
        TieKind::MayAcquire { votes, window } => {
            out.word("may-acquire", &"");
            out.share("votes", Some(*votes));
            out.text("window_from", &window.from.map_or(String::new(), |date| date.to_string()));
            out.text("window_to", &window.to.map_or(String::new(), |date| date.to_string()));
        }
        TieKind::Appoints(appointment) => {
            out.word("appoints", &"");
            out.text("seats", &appointment.seats.map_or(String::new(), |seats| seats.to_string()));
            out.text("of", &appointment.of.map_or(String::new(), |of| of.to_string()));
            out.text(
                "majority",
                appointment.majority.map_or("", |majority| if majority { "yes" } else { "no" }),
            );
            out.flags(&[("observer", appointment.observer), ("veto", appointment.veto)]);
        }
        TieKind::Directs { by } => out.word("directs", by),
        TieKind::Consolidates { ultimate } => {
            out.word("consolidates", &if *ultimate { "ultimate" } else { "" });
        }
        TieKind::Venture => out.word("venture", &""),
        TieKind::PartyTo { role } => out.word("party-to", role),
        TieKind::Serves { post } => out.word("serves", post),
        TieKind::Seconds => out.word("seconds", &""),
        TieKind::Licenses { subject, technology, royalty } => {
            out.word("licenses", &"");
            out.text("subject", subject);
            out.flags(&[("technology", *technology), ("royalty", *royalty)]);
        }
        TieKind::Contracts { subject, income } => {
            out.word("contracts", &"");
            out.text("subject", subject);
            out.share("share", *income);
        }
        TieKind::Supplies { subject } => {
            out.word("supplies", &"");
            out.text("subject", subject);
        }
        TieKind::Lends { of_net_worth, directs } => {
            out.word("lends", &"");
            out.share("share", *of_net_worth);
            out.flags(&[("directs", *directs)]);
        }
        TieKind::Pays { revenue } => {
            out.word("pays", &"");
            out.share("share", Some(*revenue));
        }
        TieKind::Grants { subject } => {
            out.word("grants", &"");
            out.text("subject", subject);
        }
        TieKind::Equips { essential } => {
            out.word("equips", &"");
            out.flags(&[("essential", *essential)]);
        }
        TieKind::Governs { by } => out.word("governs", by),
        TieKind::Family => out.word("family", &""),
        TieKind::Associates { relation } => {
            out.word("associates", &"");
            out.text("subject", relation);
        }
        TieKind::Succeeds => out.word("succeeds", &""),
        TieKind::Plans(plan) => {
            out.word("plans", &"");
            out.text("stage", &spelled(&plan.stage));
            out.text("ends", &joined(&plan.ends));
            out.share("votes", plan.votes);
        }
    }
    out.0
}

struct Cells(Vec<(&'static str, String)>);

impl Cells {
    fn word(&mut self, word: &str, detail: &impl Serialize) {
        let detail = spelled(detail);
        self.text("kind", &if detail.is_empty() { word.to_owned() } else { format!("{word}:{detail}") });
    }

    fn text(&mut self, column: &'static str, text: &str) {
        if !text.is_empty() {
            self.0.push((column, text.to_owned()));
        }
    }

    fn share(&mut self, column: &'static str, share: Option<Share>) {
        self.text(column, &share.map_or(String::new(), |share| share.to_string()));
    }

    fn flags(&mut self, flags: &[(&str, bool)]) {
        let set: Vec<&str> = flags.iter().filter(|(_, set)| *set).map(|(flag, _)| *flag).collect();
        self.text("flags", &set.join(" "));
    }
}

fn joined(ids: &[ties::TieId]) -> String {
    ids.iter().map(ties::TieId::as_str).collect::<Vec<_>>().join(" ")
}

/// A word of ours, as it is written in JSON.
pub(super) fn spelled(word: &impl Serialize) -> String {
    match serde_json::to_value(word) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(_) | Err(_) => String::new(),
    }
}
