//! The page that a person sees who was led to a safe address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use sinkhole::landing::{Page, Pages, Visits, serve};
use tokio::net::TcpListener;
use tracing::info;

use super::works::Works;
use crate::config::Config;

/// Writes down that somebody came, and nothing else.
struct Told(Arc<Works>);

impl Visits for Told {
    fn visit(&self, category: &str) {
        self.0.visited(category);
        info!(category, "somebody was led to the landing page");
    }
}

/// The pages of a configuration, by the address that leads to them; `programme` is what the programme calls itself, once it has.
#[must_use]
pub fn pages(config: &Config, programme: Option<&str>) -> BTreeMap<IpAddr, Page> {
    let Some(landing) = &config.sinkhole.landing else { return BTreeMap::new() };
    let mut pages = BTreeMap::new();
    let page = |category: &str| Page {
        category: if category.is_empty() { "listed".to_owned() } else { category.to_owned() },
        programme: programme.unwrap_or("the programme that protects this network").to_owned(),
        contact: landing.contact.clone(),
    };
    for (category, addresses) in &config.sinkhole.addresses {
        pages.extend(addresses.iter().map(|address| (*address, page(category))));
    }
    for address in &landing.listen {
        // Behind a load balancer the connection comes to another address than the safe one.
        pages.entry(address.ip()).or_insert_with(|| page(""));
    }
    pages
}

/// Shows the pages to whoever comes to a socket.
///
/// # Errors
///
/// Fails if the socket does.
pub async fn show(listener: TcpListener, pages: Pages, works: Arc<Works>) -> Result<(), String> {
    let served = serve(listener, pages, Arc::new(Told(works))).await;
    served.map_err(|error| format!("the landing page: {error}"))
}
