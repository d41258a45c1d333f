//! Every page. The router, the pipeline and the tests read this one list.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};

use crate::assets;
use crate::console::Console;
use crate::pages::{account, actions, member, members, sign_in, tie, today};
use crate::pipeline::{self, PageIndex};

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
    page(Who::SignedIn, "/sign-out", || post(sign_in::out)),
    page(Who::SignedIn, "/account", || get(account::get)),
    page(Who::SignedIn, "/account/password", || post(account::password)),
    page(Who::SignedIn, "/account/second-factor", || post(account::second_factor)),
    page(Who::SignedIn, "/", || get(today::get)),
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
    page(Who::People, "/ties/{tie}", || get(tie::get)),
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
