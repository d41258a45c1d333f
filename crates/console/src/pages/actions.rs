//! What people do about a member. Each is one call of the exchange, which asks again whether the caller may.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect};
use exchange::{Bound, Exchange, Moved, Stepped};
use http::StatusCode;
use model::{Caller, MemberId, Standing, Tier};
use programme::Instrument;
use ties::{EntityId, PartialDate, Period, TieId};

use crate::asked::Posted;
use crate::console::Console;
use crate::pages::id;
use crate::pipeline::refused;
use crate::problem::{Answer, Problem};
use crate::words;

/// Does something about a member, and goes back to its page with what became of it.
async fn act(
    console: &Console,
    posted: &Posted,
    member: &str,
    work: impl FnOnce(&Exchange, &Caller, &MemberId) -> Result<String, Problem> + Send + 'static,
) -> Answer {
    let member: MemberId = id(member)?;
    let page = format!("/members/{member}");
    let to = posted.back_to(&page).to_owned();
    let caller = posted.caller();
    match console.decide(move |exchange| work(exchange, &caller, &member)).await {
        Ok(text) => posted.done(text, &to),
        // What the procedure has no place for is said where it was asked.
        Err(problem) if matches!(problem.status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) => {
            posted.asked.session.say(refused(&problem));
            Ok(Redirect::to(&to).into_response())
        }
        Err(problem) => Err(problem),
    }
}

/// Who moved, after what was done.
pub(crate) fn with_moves(done: &str, moved: &[Moved]) -> String {
    let steps = moved.iter().filter(|moved| moved.from != moved.to);
    let told: Vec<String> = steps
        .map(|moved| format!("{} is now {} on {}", moved.name, words::standing(moved.to), moved.tier))
        .collect();
    if told.is_empty() {
        format!("{done}. No standing changed by it.")
    } else {
        format!("{done}. {}.", told.join("; "))
    }
}

/// Takes `POST /members/{member}/standing`: a step, or agreement to one that waits.
pub(crate) async fn standing(
    State(console): State<Console>,
    Path(member): Path<String>,
    posted: Posted,
) -> Answer {
    let (tier, to): (Tier, Standing) = (posted.read("tier")?, posted.read("to")?);
    let reason = posted.field("reason")?.to_owned();
    act(&console, &posted, &member, move |exchange, caller, member| {
        Ok(match exchange.set_standing(caller, member, &tier, to, &reason)? {
            Stepped::Changed(change) => {
                format!(
                    "It is now {} on {}, from the next request on.",
                    words::standing(change.to),
                    change.tier
                )
            }
            Stepped::Proposed(proposal) => format!(
                "Proposed: {} on {}. {} of {} agreed; another person has to.",
                words::standing(proposal.to),
                proposal.tier,
                proposal.agreed.len(),
                proposal.needs
            ),
        })
    })
    .await
}

/// Takes `POST /members/{member}/withdraw`: a step, or another entity, that waits.
pub(crate) async fn withdraw(
    State(console): State<Console>,
    Path(member): Path<String>,
    posted: Posted,
) -> Answer {
    let tier = posted.fields.get("tier").map(id::<Tier>).transpose()?;
    act(&console, &posted, &member, move |exchange, caller, member| {
        if let Some(tier) = tier {
            let proposal = exchange.withdraw_proposal(caller, member, &tier)?;
            return Ok(format!("Withdrawn: {} on {tier}.", words::standing(proposal.to)));
        }
        let rebinding = exchange.withdraw_rebinding(caller, member)?;
        Ok(format!("Withdrawn: it stays the entity {}.", rebinding.bound))
    })
    .await
}

/// Takes `POST /members/{member}/review`: the finding of an open review.
pub(crate) async fn review(
    State(console): State<Console>,
    Path(member): Path<String>,
    posted: Posted,
) -> Answer {
    let tier: Tier = posted.read("tier")?;
    let finding = posted.field("text")?.to_owned();
    act(&console, &posted, &member, move |exchange, caller, member| {
        let moved = exchange.conclude_review(caller, member, &tier, &finding)?;
        Ok(with_moves("The review is concluded", &moved))
    })
    .await
}

/// Takes `POST /members/{member}/appeal`: the answer to its oldest open appeal on a tier.
pub(crate) async fn answer_appeal(
    State(console): State<Console>,
    Path(member): Path<String>,
    posted: Posted,
) -> Answer {
    let tier: Tier = posted.read("tier")?;
    let text = posted.field("text")?.to_owned();
    act(&console, &posted, &member, move |exchange, caller, member| {
        let moved = exchange.answer_appeal(caller, member, &tier, &text)?;
        Ok(with_moves("The appeal is answered", &moved))
    })
    .await
}

/// Takes `POST /members/{member}/negotiation`: time for a mitigation.
pub(crate) async fn negotiate(
    State(console): State<Console>,
    Path(member): Path<String>,
    posted: Posted,
) -> Answer {
    let reason = posted.field("text")?.to_owned();
    act(&console, &posted, &member, move |exchange, caller, member| {
        let moved = exchange.begin_negotiation(caller, member, &reason)?;
        Ok(with_moves("The time for negotiation has begun", &moved))
    })
    .await
}

/// Takes `POST /members/{member}/entity`: which entity it is.
pub(crate) async fn bind(
    State(console): State<Console>,
    Path(member): Path<String>,
    posted: Posted,
) -> Answer {
    let entity: EntityId = posted.read("entity")?;
    act(&console, &posted, &member, move |exchange, caller, member| {
        Ok(match exchange.bind_entity(caller, member, &entity)? {
            Bound::Changed(moved) => with_moves("From now on the rules decide on it by its ties", &moved),
            Bound::Proposed(rebinding) => format!(
                "Proposed: it is the entity {}. {} of {} agreed; another person has to.",
                rebinding.entity,
                rebinding.agreed.len(),
                rebinding.needs
            ),
        })
    })
    .await
}

/// Takes `POST /members/{member}/duty`: that a duty was done, with what is certified.
pub(crate) async fn fulfil(
    State(console): State<Console>,
    Path(member): Path<String>,
    posted: Posted,
) -> Answer {
    let duty = posted.field("duty")?.to_owned();
    let certificate = posted.field("text")?.to_owned();
    act(&console, &posted, &member, move |exchange, caller, member| {
        let moved = exchange.fulfil(caller, member, &duty, &certificate)?;
        Ok(with_moves("The duty is done, and its certificate is in the ledger", &moved))
    })
    .await
}

/// Takes `POST /members/{member}/instrument`: that an instrument was signed.
pub(crate) async fn sign(
    State(console): State<Console>,
    Path(member): Path<String>,
    posted: Posted,
) -> Answer {
    let wrong = |name: &str, error: &dyn std::fmt::Display| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("`{name}`: {error}"))
    };
    let covers = posted.fields.all("covers").flat_map(str::split_whitespace).map(str::parse).collect();
    let covers: Result<BTreeSet<TieId>, _> = covers;
    let from = posted.fields.get("from").map(str::parse::<PartialDate>).transpose();
    let instrument = Instrument {
        id: posted.field("instrument")?.to_owned(),
        kind: posted.field("kind")?.to_owned(),
        // Whose it is and when it was learned are the exchange's to say.
        entity: "-".parse().expect("a dash is a word"),
        covers: covers.map_err(|error| wrong("covers", &error))?,
        valid: Period { from: from.map_err(|error| wrong("from", &error))?, to: None },
        recorded: None,
        source: posted.fields.get("source").unwrap_or_default().to_owned(),
    };
    act(&console, &posted, &member, move |exchange, caller, member| {
        let moved = exchange.sign_instrument(caller, member, instrument)?;
        Ok(with_moves("The instrument is in force, and its duties are owed", &moved))
    })
    .await
}

/// Takes `POST /members/{member}/instrument/end`: that one ended on a day.
pub(crate) async fn end_instrument(
    State(console): State<Console>,
    Path(member): Path<String>,
    posted: Posted,
) -> Answer {
    let instrument = posted.field("instrument")?.to_owned();
    let on: PartialDate = posted.read("on")?;
    act(&console, &posted, &member, move |exchange, caller, member| {
        let moved = exchange.end_instrument(caller, member, &instrument, on)?;
        Ok(with_moves("The instrument's end is recorded", &moved))
    })
    .await
}
