//! Every page. The router, the pipeline and the tests read this one list.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};

use crate::assets;
use crate::console::Console;
use crate::pages::portal::{attestation, credentials, feed, guard};
use crate::pages::{
    account, actions, alerts, content, first_run, hits, ledger, live, member, members, programme, release,
    sign_in, tie, ties, today,
};
use crate::pipeline::{self, PageIndex};
use crate::provider::Provider;

/// Who is let through to the handler; what comes after that is the exchange's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Anyone,
    SignedIn,
    /// The programme's people, and no member.
    People,
}

/// One path.
pub(crate) struct Page {
    pub(crate) path: &'static str,
    pub(crate) who: Who,
    pub(crate) handlers: fn() -> MethodRouter<Console>,
}

const fn page(who: Who, path: &'static str, handlers: fn() -> MethodRouter<Console>) -> Page {
    Page { path, who, handlers }
}

/// Every page.
pub(crate) const PAGES: &[Page] = &[
    page(Who::Anyone, "/assets/{hash}/{name}", || get(assets::get)),
    page(Who::Anyone, "/sign-in", || get(sign_in::get).post(sign_in::post)),
    page(Who::Anyone, "/sign-in/once/{token}", || get(sign_in::once)),
    page(Who::Anyone, "/sign-in/provider", || get(sign_in::provider::leave)),
    page(Who::Anyone, Provider::BACK, || get(sign_in::provider::back)),
    page(Who::SignedIn, "/sign-out", || post(sign_in::out)),
    page(Who::SignedIn, "/account", || get(account::get)),
    page(Who::SignedIn, "/account/password", || post(account::password)),
    page(Who::SignedIn, "/account/second-factor", || post(account::second_factor)),
    page(Who::SignedIn, "/", || get(today::get)),
    page(Who::SignedIn, live::PATH, || get(live::get)),
    page(Who::People, "/alerts", || get(alerts::get)),
    page(Who::People, "/alerts/seen", || post(alerts::see)),
    page(Who::SignedIn, "/me", || get(member::own)),
    page(Who::People, "/members", || get(members::get).post(members::admit)),
    page(Who::SignedIn, "/members/{member}", || get(member::get)),
    page(Who::People, "/members/{member}/standing", || post(actions::standing)),
    page(Who::People, "/members/{member}/withdraw", || post(actions::withdraw)),
    page(Who::People, "/members/{member}/review", || post(actions::review)),
    page(Who::People, "/members/{member}/appeal", || post(actions::answer_appeal)),
    page(Who::People, "/members/{member}/negotiation", || post(actions::negotiate)),
    page(Who::People, "/members/{member}/entity", || post(actions::bind)),
    page(Who::SignedIn, "/members/{member}/duty", || post(actions::fulfil)),
    page(Who::People, "/members/{member}/instrument", || post(actions::sign)),
    page(Who::People, "/members/{member}/instrument/end", || post(actions::end_instrument)),
    page(Who::SignedIn, "/members/{member}/holds", || get(member::holds::get)),
    page(Who::People, "/content", || get(content::get)),
    page(Who::People, "/content/{object}", || get(content::object::get)),
    page(Who::People, "/content/{object}/recall", || post(content::object::recall)),
    page(Who::People, "/release", || get(release::get)),
    page(Who::People, "/release/as/{member}", || get(release::as_member)),
    page(Who::People, "/entities/{entity}", || get(ties::entity::get)),
    page(Who::People, "/ties", || get(ties::get)),
    page(Who::People, "/ties/import", || get(ties::import::get).post(ties::import::preview)),
    page(Who::People, "/ties/import/{preview}", || get(ties::import::look).post(ties::import::confirm)),
    page(Who::People, "/ties/import/{preview}/again", || post(ties::import::again)),
    page(Who::People, "/ties/lists", || get(ties::lists::get)),
    page(Who::People, "/ties/matches", || get(ties::matches::get)),
    page(Who::People, "/ties/matches/{number}", || post(ties::matches::answer)),
    page(Who::People, "/ties/matches/{number}/reopen", || post(ties::matches::reopen)),
    page(Who::People, "/ties/unsettled", || get(ties::unsettled::get)),
    page(Who::People, "/ties/at/{tie}", || get(tie::get)),
    page(Who::SignedIn, "/me/feed", || get(feed::get)),
    page(Who::SignedIn, "/me/contributions", || get(feed::contributions)),
    page(Who::SignedIn, "/me/credentials", || get(credentials::get)),
    page(Who::SignedIn, "/me/guard", || get(guard::get)),
    page(Who::SignedIn, "/me/attestation", || get(attestation::get).post(attestation::post)),
    page(Who::SignedIn, "/me/appeals", || post(attestation::appeal)),
    page(Who::People, "/first-run", || get(first_run::get)),
    page(Who::People, "/first-run/account", || post(first_run::account)),
    page(Who::People, "/first-run/member", || post(first_run::member)),
    page(Who::People, "/first-run/credential", || post(first_run::credential)),
    page(Who::People, "/hits", || get(hits::get)),
    page(Who::People, "/hits/false-positives/{object}", || post(hits::decide)),
    page(Who::People, "/programme", || get(programme::get)),
    page(Who::People, "/programme/compare", || get(programme::compare::get).post(programme::compare::post)),
    page(Who::SignedIn, "/ledger", || get(ledger::get)),
    page(Who::SignedIn, "/ledger/certificates", || get(ledger::certificates_file)),
    page(Who::SignedIn, "/ledger/growth", || get(ledger::growth)),
    page(Who::SignedIn, "/ledger/entries/{index}", || get(ledger::entry)),
    page(Who::SignedIn, "/ledger/entries/{index}/receipt", || get(ledger::receipt)),
];

/// The paths of all pages, for whoever puts them beside others.
#[must_use]
pub fn paths() -> Vec<&'static str> {
    PAGES.iter().map(|page| page.path).collect()
}

/// The pages as a router without a fallback, to be merged with others.
pub fn router(console: &Console) -> Router {
    let mut router = Router::new();
    for (index, page) in PAGES.iter().enumerate() {
        let layer = from_fn_with_state((console.clone(), PageIndex(index)), pipeline::run);
        router = router.route(page.path, (page.handlers)().layer(layer));
    }
    router.with_state(console.clone())
}
