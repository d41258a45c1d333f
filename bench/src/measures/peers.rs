//! The same questions put to the TAXII servers of the Python index, on as few objects as they can carry.

use std::slice;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::http::{Body, Connection};
use crate::load::{Load, post_all};
use crate::measures::Extent;
use crate::peers::Peer;
use crate::report::{Bound, Row};
use crate::units::{float, millis, per_second, short};

/// Objects in an envelope.
const ENVELOPE: u64 = 1_000;
/// Objects in the one page that is asked for.
const PAGE: u64 = 100;
/// How often the collection is asked for.
const QUESTIONS: u64 = 20;

/// What a peer must store safely for its rate to be one of durable publishing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    Yes,
    No,
}

/// A peer's lines, beside ours: objects published a second and collections read a second.
pub(crate) fn measure(
    extent: &Extent,
    peer: Result<Peer>,
    durable: Durable,
    published: Option<f64>,
    collections: Option<f64>,
) -> Result<Vec<Row>> {
    let peer = peer?;
    let ours = |rate: Option<f64>, unit: &str| {
        rate.map_or("not measured".to_owned(), |rate| format!("{} {unit}/s", short(rate)))
    };
    let requests: Vec<_> = (0..extent.peer_objects)
        .step_by(usize::try_from(ENVELOPE)?)
        .map(|first| peer.submission(first, ENVELOPE))
        .collect();
    let (first, rest) = requests.split_at_checked(1).context("there is nothing to publish")?;
    let mut connection = Connection::new(peer.port);
    // One connection: medallion's memory backend has no lock, and SQLite has one writer.
    let begun = post_all(&peer.process, peer.port, 1, first)?;
    // Now, while the collection is small: what a page costs there grows with the square of what is stored.
    let page = asked(&peer, &mut connection, &peer.page(PAGE), 1)?;
    let mut last = begun;
    let mut took = begun.took;
    for request in rest {
        last = post_all(&peer.process, peer.port, 1, slice::from_ref(request))?;
        took += last.took;
    }
    let rate = per_second(extent.peer_objects, took);
    let last = per_second(ENVELOPE, last.took);
    let safe = match durable {
        Durable::Yes => "durable",
        Durable::No => "in memory only, lost at its end",
    };
    let mut publish = Row::told(
        &format!("publish, beside {}", peer.name),
        ours(published, "objects"),
        format!(
            "{}, {} objects, {safe}: {} objects/s, the last thousand {} objects/s",
            peer.name,
            short(float(extent.peer_objects)),
            short(rate),
            short(last)
        ),
    );
    match (published, durable) {
        (Some(published), Durable::Yes) => {
            publish = publish.judged(published / rate, Bound::AtLeast(50.0), None);
        }
        // Nothing durable to compare with.
        (_, Durable::No) | (None, Durable::Yes) => {}
    }
    let question = peer.collection();
    let load = asked(&peer, &mut connection, &question, QUESTIONS)?;
    let collection = Row::told(
        &format!("collection resource, beside {}", peer.name),
        ours(collections, "requests"),
        format!("{}, one connection: {} requests/s", peer.name, short(load.requests_per_second())),
    );
    let read = Row::told(
        &format!("page, beside {}", peer.name),
        "",
        format!("{}, {PAGE} of {ENVELOPE} objects: {}", peer.name, millis(page.took)),
    );
    Ok(vec![publish, collection, read])
}

fn asked(peer: &Peer, connection: &mut Connection, request: &[u8], times: u64) -> Result<Load> {
    let (cpu, begun) = (peer.process.cpu_seconds(), Instant::now());
    let mut bytes = 0;
    for _ in 0..times {
        let reply = connection.ask(request, Body::Drop).with_context(|| format!("asking {}", peer.name))?;
        ensure!(reply.status == 200, "{} answered {}", peer.name, reply.status);
        bytes += reply.bytes;
    }
    Ok(Load { requests: times, bytes, took: begun.elapsed(), cpu_seconds: peer.process.cpu_seconds() - cpu })
}
