//! Whatever a page shows or does, the API shows or does with the same rights: both ask the same function of the exchange.
//! Here every page names its counterpart, or why it has none; a new page fails this test until it does.

use std::collections::BTreeSet;

use serde_json::Value;

/// What a page's counterpart in the API is.
enum Counterpart {
    /// These operations; together they tell and do what the page does.
    Operations(&'static [&'static str]),
    /// None, and why.
    None(&'static str),
}

use Counterpart::{None as Nothing, Operations};

/// Every page.
const PAGES: &[(&str, Counterpart)] = &[
    ("/assets/{hash}/{name}", Nothing("files of the pages")),
    ("/sign-in", Nothing("the API takes credentials with each request")),
    ("/sign-in/once/{token}", Nothing("a link for a browser")),
    ("/sign-in/provider", Nothing("it sends a browser to the people's own provider")),
    ("/sign-in/provider/back", Nothing("where that provider sends the browser back to")),
    ("/sign-out", Nothing("the API has no sessions")),
    ("/account", Operations(&["GET /api/me", "GET /api/me/account"])),
    ("/account/password", Nothing("the console ends the sessions that the old one opened")),
    ("/account/second-factor", Nothing("it is asked for where people sign in; programs have tokens")),
    (
        "/",
        Operations(&[
            "GET /api/status",
            "GET /api/alerts",
            "GET /api/proposals",
            "GET /api/ties/matches",
            "GET /api/findings",
            "GET /api/members/{id}/dossier",
            "GET /healthz",
        ]),
    ),
    ("/live", Operations(&["GET /api/stream"])),
    ("/alerts", Operations(&["GET /api/alerts"])),
    (
        "/alerts/seen",
        Nothing("what somebody has read; a program asks for the alerts after the last that it had"),
    ),
    ("/me", Operations(&["GET /api/me", "GET /api/members/{id}"])),
    ("/members", Operations(&["GET /api/members", "POST /api/members"])),
    (
        "/members/{member}",
        Operations(&[
            "GET /api/members/{id}",
            "GET /api/members/{id}/dossier",
            "GET /api/members/{id}/decisions",
            "POST /api/decisions",
            "GET /api/entities/{entity}",
        ]),
    ),
    ("/members/{member}/standing", Operations(&["POST /api/members/{id}/standing"])),
    (
        "/members/{member}/withdraw",
        Operations(&["DELETE /api/members/{id}/proposals/{tier}", "DELETE /api/members/{id}/entity"]),
    ),
    ("/members/{member}/review", Operations(&["POST /api/members/{id}/reviews/{tier}"])),
    ("/members/{member}/appeal", Operations(&["POST /api/members/{id}/appeals/{tier}"])),
    ("/members/{member}/negotiation", Operations(&["POST /api/members/{id}/negotiation"])),
    ("/members/{member}/entity", Operations(&["POST /api/members/{id}/entity"])),
    ("/members/{member}/duty", Operations(&["POST /api/members/{id}/duties/{duty}"])),
    ("/members/{member}/instrument", Operations(&["POST /api/members/{id}/instruments"])),
    (
        "/members/{member}/instrument/end",
        Operations(&["POST /api/members/{id}/instruments/{instrument}/end"]),
    ),
    ("/members/{member}/holds", Operations(&["GET /api/members/{id}/holds"])),
    ("/content", Operations(&["GET /api/content"])),
    (
        "/content/{object}",
        Operations(&["GET /api/objects/{object}/release", "GET /api/objects/{object}/receivers"]),
    ),
    ("/content/{object}/recall", Operations(&["POST /api/recall"])),
    ("/release", Operations(&["GET /api/release"])),
    ("/release/as/{member}", Operations(&["GET /api/release/as/{member}"])),
    ("/entities/{entity}", Operations(&["GET /api/entities/{entity}"])),
    ("/ties", Operations(&["GET /api/entities"])),
    ("/ties/import", Operations(&["POST /api/ties/preview"])),
    ("/ties/import/{preview}", Operations(&["POST /api/ties"])),
    ("/ties/import/{preview}/again", Operations(&["POST /api/ties/preview"])),
    ("/ties/lists", Operations(&["GET /api/lists", "GET /api/lists/{list}"])),
    ("/ties/matches", Operations(&["GET /api/ties/matches"])),
    ("/ties/matches/{number}", Operations(&["POST /api/ties/matches/{number}"])),
    ("/ties/matches/{number}/reopen", Operations(&["POST /api/ties/matches/{number}/reopen"])),
    ("/ties/unsettled", Operations(&["GET /api/unsettled"])),
    ("/ties/at/{tie}", Operations(&["GET /api/ties/at/{tie}"])),
    ("/me/feed", Operations(&["GET /api/me/rights"])),
    ("/me/contributions", Operations(&["GET /api/me/contributions", "GET /api/me/occurrences"])),
    ("/me/credentials", Operations(&["GET /api/me/credentials"])),
    ("/me/guard", Nothing("the page writes a file about what `GET /api/me/rights` tells")),
    (
        "/me/attestation",
        Operations(&[
            "GET /api/me/questionnaire",
            "POST /api/me/attestations",
            "GET /api/members/{id}/dossier",
        ]),
    ),
    ("/me/appeals", Operations(&["POST /api/me/appeals/{tier}"])),
    ("/first-run", Operations(&["GET /api/members", "GET /api/credentials", "GET /api/ledger/entries"])),
    ("/first-run/account", Operations(&["POST /api/credentials"])),
    ("/first-run/member", Operations(&["POST /api/members"])),
    ("/first-run/credential", Operations(&["POST /api/credentials"])),
    ("/hits", Operations(&["GET /api/occurrences", "GET /api/false-positives"])),
    (
        "/hits/false-positives/{object}",
        Operations(&[
            "POST /api/false-positives/{object}/confirm",
            "POST /api/false-positives/{object}/dismiss",
        ]),
    ),
    (
        "/programme",
        Operations(&["GET /api/programme", "GET /api/programme/cases", "GET /api/programme/versions"]),
    ),
    (
        "/programme/compare",
        Operations(&["POST /api/programme/compare", "GET /api/programme/versions/{sha256}"]),
    ),
    ("/ledger", Operations(&["GET /api/ledger/entries", "GET /ledger/checkpoint", "GET /ledger/vkey"])),
    ("/ledger/certificates", Operations(&["GET /api/ledger/entries"])),
    ("/ledger/growth", Operations(&["GET /ledger/tile/{path}"])),
    ("/ledger/entries/{index}", Operations(&["GET /api/ledger/entries"])),
    ("/ledger/entries/{index}/receipt", Operations(&["GET /ledger/receipt/{index}"])),
];

#[test]
fn every_page_has_a_counterpart_in_the_api_or_says_why_not() {
    let pages: BTreeSet<&str> = console::paths().into_iter().collect();
    let told: BTreeSet<&str> = PAGES.iter().map(|(page, _)| *page).collect();
    assert_eq!(pages, told, "each page is told here once, and none that there is not");
    assert_eq!(told.len(), PAGES.len());
    let document: Value = serde_json::from_str(include_str!("../../hub/src/api/openapi.json")).expect("JSON");
    for (page, counterpart) in PAGES {
        match counterpart {
            Operations(operations) => {
                assert!(!operations.is_empty(), "{page}");
                for operation in *operations {
                    let (method, path) = operation.split_once(' ').expect("a method and a path");
                    let described = &document["paths"][path][method.to_lowercase()];
                    assert!(described.is_object(), "{page}: `{operation}` is not described");
                }
            }
            Nothing(why) => assert!(!why.is_empty(), "{page}"),
        }
    }
}
