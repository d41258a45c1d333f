//! The page that a person sees who was led to a safe address.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use sinkhole::landing::{Page, Pages, Visits, serve};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::info;

use crate::config::Config;
use crate::run::StartError;

/// Writes down that somebody came, and nothing else.
struct Told;

impl Visits for Told {
    fn visit(&self, category: &str) {
        info!(category, "somebody was led to the landing page");
    }
}

/// Opens the sockets of a configuration, and serves the pages.
///
/// # Errors
///
/// Fails if a socket cannot be opened.
pub async fn open(config: &Config, faces: &mut JoinSet<Result<(), String>>) -> Result<(), StartError> {
    let Some(landing) = &config.sinkhole.landing else { return Ok(()) };
    let mut pages = BTreeMap::new();
    let page = |category: &str| Page {
        category: if category.is_empty() { "listed".to_owned() } else { category.to_owned() },
        programme: "the programme that protects this network".to_owned(),
        contact: landing.contact.clone(),
    };
    for (category, addresses) in &config.sinkhole.addresses {
        pages.extend(addresses.iter().map(|address| (*address, page(category))));
    }
    for address in &landing.listen {
        // Behind a load balancer the connection comes to another address than the safe one.
        pages.entry(address.ip()).or_insert_with(|| page(""));
    }
    let pages: Pages = Arc::new(RwLock::new(pages));
    for address in &landing.listen {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| StartError::Listen { address: address.to_string(), source })?;
        info!(%address, "the landing page is served");
        let pages = Arc::clone(&pages);
        faces.spawn(async move {
            let served = serve(listener, pages, Arc::new(Told)).await;
            served.map_err(|error| format!("the landing page: {error}"))
        });
    }
    Ok(())
}
