//! `/account`: the password and the second factor of whoever is signed in.

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Redirect};
use exchange::{Account, Attempt, SecondFactorOffer};

use crate::asked::{Asked, Posted};
use crate::console::Console;
use crate::frame::Frame;
use crate::pipeline::{Arrived, refused};
use crate::problem::{Answer, Problem, page};
use crate::words::moment;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    account: Account,
    second_factor_since: Option<String>,
    /// A second factor that could be added, with what makes it this one.
    offer: Option<(SecondFactorOffer, String)>,
}

/// Answers `GET /account`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    let account = console.exchange.account(&caller).ok_or_else(Problem::not_found)?;
    let offer = if account.has_password && account.second_factor_since.is_none() {
        let nonce = console.random_token();
        Some((console.exchange.offer_second_factor(&caller, &nonce)?, nonce))
    } else {
        None
    };
    let second_factor_since = account.second_factor_since.map(moment);
    page(&AccountPage { frame: asked.frame("Your account"), account, second_factor_since, offer })
}

/// Takes `POST /account/password`. All sessions of the account end by it, this one too.
pub(crate) async fn password(
    State(console): State<Console>,
    Extension(arrived): Extension<Arrived>,
    posted: Posted,
) -> Answer {
    let caller = posted.caller();
    let (old, new) = (posted.field("old")?.to_owned(), posted.field("new")?.to_owned());
    let code = posted.fields.get("code").map(str::to_owned);
    let peer = arrived.peer.counted_for;
    let credential = caller.credential.clone();
    let changed = console.verify(move |exchange| {
        let account = exchange.account(&caller).ok_or_else(Problem::not_found)?;
        exchange.sign_in(&Attempt::Basic { login: &account.login, secret: &old }, code.as_deref(), &peer)?;
        exchange.change_password(&caller, &new).map_err(Problem::from)
    });
    match changed.await {
        Ok(()) => {
            console.sessions.end_all(&credential);
            Ok(Redirect::to("/sign-in?next=/account").into_response())
        }
        Err(problem) => back(&posted, problem),
    }
}

/// Takes `POST /account/second-factor`.
pub(crate) async fn second_factor(State(console): State<Console>, posted: Posted) -> Answer {
    let caller = posted.caller();
    let (nonce, code) = (posted.field("nonce")?.to_owned(), posted.field("code")?.to_owned());
    match console.decide(move |exchange| exchange.add_second_factor(&caller, &nonce, &code)).await {
        Ok(()) => posted.done("From now on signing in takes a code of your second factor.", "/account"),
        Err(problem) => back(&posted, problem),
    }
}

fn back(posted: &Posted, problem: Problem) -> Answer {
    if !problem.status.is_client_error() {
        return Err(problem);
    }
    posted.asked.session.say(refused(&problem));
    Ok(Redirect::to("/account").into_response())
}
