//! Style sheets, scripts and pictures, which are part of the binary.
//!
//! They lie under a path with a hash of all of them, so that a browser may keep them for ever: other contents have
//! another path.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest as _, Sha256};

use crate::console::Console;
use crate::problem::{Answer, Problem};

/// Name, media type, contents.
type Asset = (&'static str, &'static str, &'static [u8]);

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const ASSETS: &[Asset] = &[
    ("console.css", CSS, include_bytes!("../assets/console.css")),
    ("console.js", SCRIPT, include_bytes!("../assets/console.js")),
    ("clocks.js", SCRIPT, include_bytes!("../assets/clocks.js")),
    ("graph.js", SCRIPT, include_bytes!("../assets/graph.js")),
    ("ledger.js", SCRIPT, include_bytes!("../assets/ledger.js")),
    ("live.js", SCRIPT, include_bytes!("../assets/live.js")),
    ("proofs.js", SCRIPT, include_bytes!("../assets/proofs.js")),
    ("search.js", SCRIPT, include_bytes!("../assets/search.js")),
    ("tables.js", SCRIPT, include_bytes!("../assets/tables.js")),
    ("mark.svg", SVG, include_bytes!("../assets/mark.svg")),
];

/// The assets and where they lie.
pub(crate) struct Assets {
    hash: String,
}

impl Assets {
    pub(crate) fn new() -> Self {
        let mut hash = Sha256::new();
        for (name, _, contents) in ASSETS {
            hash.update(name);
            hash.update(Sha256::digest(contents));
        }
        Self { hash: hex::encode(&hash.finalize()[..8]) }
    }

    /// The path under which all of them lie, without a slash at its end.
    pub(crate) fn base(&self) -> String {
        format!("/assets/{}", self.hash)
    }
}

/// Answers `GET /assets/{hash}/{name}`.
pub(crate) async fn get(
    State(console): State<Console>,
    Path((hash, name)): Path<(String, String)>,
) -> Answer {
    let found = ASSETS.iter().find(|(known, ..)| *known == name && hash == console.assets.hash);
    let (_, media_type, contents) = found.ok_or_else(Problem::not_found)?;
    let response = Response::builder()
        .header(CONTENT_TYPE, *media_type)
        .header(CACHE_CONTROL, "public, max-age=31536000, immutable")
        .body(Body::from(*contents));
    response.map_err(Problem::internal)
}
