//! From the list of endpoints to a router.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse as _;
use axum::routing::any;
use exchange::Exchange;
use thiserror::Error;

use crate::endpoints::{ENDPOINTS, RESERVED};
use crate::hub::Hub;
use crate::options::HubOptions;
use crate::pipeline::{self, EndpointIndex};
use crate::refusal::Refusal;

/// A programme's name that would hide a part of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a programme cannot be called `{0}`: the hub answers at `/{0}` itself; rename it in programme.toml")]
pub struct ReservedName(String);

/// Marks the answer to a request for which there is no route, so that another face can give one of its own.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

/// The hub's routes, each with and without a slash at its end, none by a redirect.
///
/// # Errors
///
/// Refuses a programme whose name is the first part of one of the hub's own paths.
pub fn router(exchange: Exchange, options: HubOptions) -> Result<Router, ReservedName> {
    let root = exchange.programme().settings().name.to_string();
    if RESERVED.contains(&root.as_str()) {
        return Err(ReservedName(root));
    }
    let hub = Hub::new(exchange, options, ENDPOINTS.iter().map(|endpoint| endpoint.path));
    let mut router = Router::new();
    for (index, endpoint) in ENDPOINTS.iter().enumerate() {
        let layer = from_fn_with_state((hub.clone(), EndpointIndex(index)), pipeline::run);
        let handlers = (endpoint.handlers)().layer(layer);
        for path in endpoint.spellings(&root) {
            router = router.route(&path, handlers.clone());
        }
    }
    let layer = from_fn_with_state((hub.clone(), EndpointIndex(ENDPOINTS.len())), pipeline::run);
    let nowhere = any(|| async {
        let mut response = Refusal::not_found().into_response();
        response.extensions_mut().insert(Nowhere);
        response
    });
    let nowhere = nowhere.layer(layer);
    Ok(router.with_state(hub).fallback_service(nowhere))
}
