//! Every path that the hub answers at. The router, the metrics, the API's description and the tests read this one list.

use axum::routing::{MethodRouter, delete, get, post};

use crate::hub::Hub;
use crate::{api, ledger_files, operations, taxii21};

/// First parts of paths that no programme can have: the hub's own, and those of the console's pages beside it.
pub const RESERVED: &[&str] = &[
    "taxii2",
    "api",
    "ledger",
    "healthz",
    "readyz",
    "metrics",
    "console",
    "account",
    "alerts",
    "assets",
    "content",
    "entities",
    "first-run",
    "hits",
    "live",
    "me",
    "members",
    "programme",
    "release",
    "sign-in",
    "sign-out",
    "ties",
];

/// In which form an endpoint speaks, above all of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// TAXII 2.1: one media type for everything.
    Taxii,
    /// JSON, or whatever the endpoint has.
    Plain,
}

impl Face {
    /// The face that a path belongs to at which nothing is.
    pub(crate) fn of_path(path: &str) -> Self {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        if first != "taxii2" && RESERVED.contains(&first) { Self::Plain } else { Self::Taxii }
    }
}

/// Who is let through to the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody; the handler may ask for more.
    Anyone,
    /// Whoever has accepted credentials; what these allow is the exchange's to say.
    Caller,
}

/// One path.
pub(crate) struct Endpoint {
    /// The path, with `{root}` for the programme's name.
    pub(crate) path: &'static str,
    pub(crate) face: Face,
    pub(crate) access: Access,
    pub(crate) handlers: fn() -> MethodRouter<Hub>,
}

impl Endpoint {
    /// The path as it is routed: with and without a slash at its end.
    pub(crate) fn spellings(&self, root: &str) -> Vec<String> {
        let path = self.path.replace("{root}", root);
        let bare = path.trim_end_matches('/');
        if bare.contains("{*") { vec![path] } else { vec![format!("{bare}/"), bare.to_owned()] }
    }
}

const fn taxii(path: &'static str, handlers: fn() -> MethodRouter<Hub>) -> Endpoint {
    Endpoint { path, face: Face::Taxii, access: Access::Caller, handlers }
}

const fn plain(access: Access, path: &'static str, handlers: fn() -> MethodRouter<Hub>) -> Endpoint {
    Endpoint { path, face: Face::Plain, access, handlers }
}

/// Every path.
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    taxii("/taxii2/", || get(taxii21::discovery::get)),
    taxii("/{root}/", || get(taxii21::api_root::get)),
    taxii("/{root}/status/{id}/", || get(taxii21::status::get)),
    taxii("/{root}/collections/", || get(taxii21::collections::get)),
    taxii("/{root}/collections/{collection}/", || get(taxii21::collection::get)),
    taxii("/{root}/collections/{collection}/manifest/", || get(taxii21::manifest::get)),
    taxii("/{root}/collections/{collection}/objects/", || {
        get(taxii21::objects::get).post(taxii21::objects::post)
    }),
    taxii("/{root}/collections/{collection}/objects/{object}/", || {
        get(taxii21::object::get).delete(taxii21::object::delete)
    }),
    taxii("/{root}/collections/{collection}/objects/{object}/versions/", || get(taxii21::versions::get)),
    plain(Access::Anyone, "/api/openapi.json", || get(api::openapi::get)),
    plain(Access::Caller, "/api/status", || get(api::status::get)),
    plain(Access::Caller, "/api/me", || get(api::me::get)),
    plain(Access::Caller, "/api/me/account", || get(api::own::account)),
    plain(Access::Caller, "/api/me/rights", || get(api::own::rights)),
    plain(Access::Caller, "/api/me/contributions", || get(api::own::contributions)),
    plain(Access::Caller, "/api/me/credentials", || get(api::own::credentials)),
    plain(Access::Caller, "/api/me/questionnaire", || get(api::own::questionnaire)),
    plain(Access::Caller, "/api/content", || get(api::content::search)),
    plain(Access::Caller, "/api/ledger/entries", || get(api::ledger::entries)),
    plain(Access::Caller, "/api/programme", || get(api::programme::get)),
    plain(Access::Caller, "/api/programme/cases", || get(api::programme::cases)),
    plain(Access::Caller, "/api/programme/versions", || get(api::programme::versions)),
    plain(Access::Caller, "/api/programme/versions/{sha256}", || get(api::programme::version)),
    plain(Access::Caller, "/api/programme/compare", || post(api::programme::compare)),
    plain(Access::Caller, "/api/members", || get(api::members::list).post(api::members::add)),
    plain(Access::Caller, "/api/members/{id}", || get(api::member::get).patch(api::member::change)),
    plain(Access::Caller, "/api/members/{id}/standing", || post(api::standing::set)),
    plain(Access::Caller, "/api/members/{id}/holds", || get(api::holds::get)),
    plain(Access::Caller, "/api/members/{id}/decisions", || get(api::vetting::decisions::of_member)),
    plain(Access::Caller, "/api/members/{id}/dossier", || get(api::vetting::dossier::get)),
    plain(Access::Caller, "/api/members/{id}/entity", || {
        post(api::vetting::dossier::bind).delete(api::vetting::proposals::withdraw_rebinding)
    }),
    plain(Access::Caller, "/api/members/{id}/instruments", || post(api::vetting::dossier::sign)),
    plain(Access::Caller, "/api/members/{id}/instruments/{instrument}/end", || {
        post(api::vetting::dossier::end)
    }),
    plain(Access::Caller, "/api/members/{id}/duties/{duty}", || post(api::vetting::dossier::fulfil)),
    plain(Access::Caller, "/api/members/{id}/negotiation", || post(api::vetting::dossier::negotiate)),
    plain(Access::Caller, "/api/members/{id}/reviews/{tier}", || post(api::vetting::dossier::review)),
    plain(Access::Caller, "/api/members/{id}/appeals/{tier}", || post(api::vetting::dossier::answer)),
    plain(Access::Caller, "/api/members/{id}/proposals/{tier}", || delete(api::vetting::proposals::withdraw)),
    plain(Access::Caller, "/api/me/appeals/{tier}", || post(api::vetting::dossier::appeal)),
    plain(Access::Caller, "/api/me/disposals", || post(api::vetting::dossier::dispose)),
    plain(Access::Caller, "/api/me/attestations", || post(api::vetting::dossier::attest)),
    plain(Access::Caller, "/api/ties", || get(api::vetting::ties::get).post(api::vetting::ties::post)),
    plain(Access::Caller, "/api/ties/preview", || post(api::vetting::ties::preview)),
    plain(Access::Caller, "/api/ties/matches", || get(api::vetting::matches::list)),
    plain(Access::Caller, "/api/ties/matches/{number}", || post(api::vetting::matches::answer)),
    plain(Access::Caller, "/api/ties/matches/{number}/reopen", || post(api::vetting::matches::reopen)),
    plain(Access::Caller, "/api/entities", || get(api::vetting::entities::find)),
    plain(Access::Caller, "/api/entities/{entity}", || get(api::vetting::entities::get)),
    plain(Access::Caller, "/api/lists/{list}", || get(api::vetting::entities::list)),
    plain(Access::Caller, "/api/lists", || get(api::vetting::entities::lists)),
    plain(Access::Caller, "/api/unsettled", || get(api::vetting::entities::unsettled)),
    plain(Access::Caller, "/api/ties/at/{tie}", || get(api::vetting::ties::history)),
    plain(Access::Caller, "/api/statements", || get(api::vetting::ties::statements)),
    plain(Access::Caller, "/api/decisions", || post(api::vetting::decisions::ask)),
    plain(Access::Caller, "/api/proposals", || get(api::vetting::proposals::list)),
    plain(Access::Caller, "/api/alerts", || get(api::vetting::alerts::get)),
    plain(Access::Caller, "/api/webhooks", || get(api::webhooks::get)),
    plain(Access::Caller, "/api/occurrences", || get(api::occurrences::list).post(api::occurrences::post)),
    plain(Access::Caller, "/api/guards", || get(api::guards::list)),
    plain(Access::Caller, "/api/me/occurrences", || get(api::occurrences::own)),
    plain(Access::Caller, "/api/false-positives", || {
        get(api::false_positives::list).post(api::false_positives::report)
    }),
    plain(Access::Caller, "/api/false-positives/{object}/confirm", || post(api::false_positives::confirm)),
    plain(Access::Caller, "/api/false-positives/{object}/dismiss", || post(api::false_positives::dismiss)),
    plain(Access::Caller, "/api/credentials", || get(api::credentials::list).post(api::credentials::issue)),
    plain(Access::Caller, "/api/credentials/{id}", || delete(api::credentials::revoke)),
    plain(Access::Caller, "/api/credentials/{id}/rotation", || post(api::credentials::rotate)),
    plain(Access::Caller, "/api/credentials/{id}/second-factor", || {
        delete(api::credentials::remove_second_factor)
    }),
    plain(Access::Caller, "/api/collections/{collection}/objects", || post(api::publish::post)),
    plain(Access::Caller, "/api/recall", || post(api::recall::post)),
    plain(Access::Caller, "/api/objects/{object}/receivers", || get(api::receivers::get)),
    plain(Access::Caller, "/api/objects/{object}/release", || get(api::release::of_object)),
    plain(Access::Caller, "/api/release/as/{member}", || get(api::release::as_member)),
    plain(Access::Caller, "/api/release", || get(api::release::matrix)),
    plain(Access::Caller, "/api/findings", || get(api::findings::get)),
    plain(Access::Caller, "/api/stream", || get(api::stream::get)),
    plain(Access::Caller, "/api/allow", || get(api::allow::get)),
    plain(Access::Caller, "/api/blinded", || get(api::blinded::get)),
    plain(Access::Caller, "/api/backup", || post(api::backup::post)),
    plain(Access::Anyone, "/ledger/checkpoint", || get(ledger_files::checkpoint)),
    plain(Access::Anyone, "/ledger/vkey", || get(ledger_files::vkey)),
    plain(Access::Anyone, "/ledger/tile/{*path}", || get(ledger_files::tile)),
    plain(Access::Caller, "/ledger/receipt/{index}", || get(ledger_files::receipt)),
    plain(Access::Anyone, "/healthz", || get(operations::health)),
    plain(Access::Anyone, "/readyz", || get(operations::readiness)),
    plain(Access::Anyone, "/metrics", || get(operations::metrics)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_of_every_path_of_ours_is_reserved() {
        for endpoint in ENDPOINTS {
            let first = endpoint.path.split('/').nth(1).unwrap();
            assert!(first == "{root}" || RESERVED.contains(&first), "{}", endpoint.path);
        }
    }

    #[test]
    fn paths_without_an_endpoint_belong_to_a_face() {
        for path in ["/", "/nowhere/", "/taxii2/x", "/apis/", "/jcsp/collections/x/y"] {
            assert_eq!(Face::of_path(path), Face::Taxii, "{path}");
        }
        for path in ["/api", "/api/nothing", "/ledger/x", "/metrics/x"] {
            assert_eq!(Face::of_path(path), Face::Plain, "{path}");
        }
    }
}
