//! Reading: full pages and the collection resource beside nginx, and what a page costs depending on where it lies and on
//! what its reader may not see.

use anyhow::{Context as _, Result, ensure};

use crate::http::{Body, Connection, taxii_get};
use crate::hub::{BULK, FEW, Hub, Member, SPARSE, count_objects};
use crate::load::{Load, Shape, in_turn, latencies, repeat};
use crate::measures::Extent;
use crate::peers::Nginx;
use crate::report::{Bound, Row};
use crate::units::{float, millis, short};

const ROUNDS: usize = 3;
/// How many different pages are asked for, spread over the whole collection.
const PAGES: usize = 200;
const LATENCIES: usize = 200;

/// Full pages from 8 connections, beside nginx with the same bytes as files.
pub(crate) fn pages(extent: &Extent, hub: &Hub, nginx: &Nginx, reader: &Member) -> Result<Vec<Row>> {
    let (cursors, objects) = hub.walk(BULK, &reader.authorization)?;
    ensure!(
        objects == extent.objects,
        "the collection has {} objects and a walk finds {objects}",
        extent.objects
    );
    let step = (cursors.len() / PAGES).max(1);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut connection = Connection::new(hub.port);
    let (mut size, mut count) = (0, 0);
    for (number, after) in cursors.iter().step_by(step).enumerate() {
        let request = hub.page(BULK, 1_000, after.as_deref(), &reader.authorization);
        size += connection.ask(&request, Body::Keep)?.bytes;
        count += count_objects(&connection.body);
        theirs.push(nginx.file(&format!("page-{number}"), &connection.body)?);
        ours.push(request);
    }
    let pages = u64::try_from(ours.len())?;
    let shape = Shape { threads: 8, connections_per_thread: 1 };
    let (hubs, files) = in_turn(
        ROUNDS,
        || repeat(&hub.process, hub.port, shape, &ours, extent.round),
        || repeat(&nginx.process, nginx.port, shape, &theirs, extent.round),
    )?;
    let objects = hubs.requests_per_second() * float(count) / float(pages);
    Ok(vec![
        Row::told(
            "poll, full pages, 8 connections",
            format!("{}; {} objects/s", told(&hubs), short(objects)),
            format!(
                "nginx, the same {pages} pages of {} kB as files: {}",
                size / pages / 1_000,
                told(&files)
            ),
        )
        .judged(
            hubs.requests_per_second() / files.requests_per_second(),
            Bound::AtLeast(0.3),
            Some(Bound::AtLeast(0.6)),
        ),
    ])
}

/// The collection resource with HTTP Basic from 64 connections, beside nginx with the same bytes as a file.
pub(crate) fn collection(
    extent: &Extent,
    hub: &Hub,
    nginx: &Nginx,
    reader: &Member,
) -> Result<(Vec<Row>, f64)> {
    let ours = taxii_get(&hub.path(BULK, ""), &reader.authorization);
    let mut connection = Connection::new(hub.port);
    let reply = connection.ask(&ours, Body::Keep)?;
    ensure!(reply.status == 200, "the collection answers {}", reply.status);
    let theirs = nginx.file("collection", &connection.body)?;
    let shape = Shape { threads: 2, connections_per_thread: 32 };
    let (ours, theirs) = ([ours], [theirs]);
    let (hubs, files) = in_turn(
        ROUNDS,
        || repeat(&hub.process, hub.port, shape, &ours, extent.round),
        || repeat(&nginx.process, nginx.port, shape, &theirs, extent.round),
    )?;
    let rate = hubs.requests_per_second();
    let row = Row::told(
        "collection resource with Basic, 64 connections",
        told(&hubs),
        format!("nginx, the same {} bytes as a file: {}", reply.bytes, told(&files)),
    )
    .judged(rate / files.requests_per_second(), Bound::AtLeast(0.2), Some(Bound::AtLeast(0.5)));
    Ok((vec![row], rate))
}

/// A page near the end of the main collection, beside its first.
pub(crate) fn depth(hub: &Hub, reader: &Member) -> Result<Vec<Row>> {
    let (cursors, _) = hub.walk(BULK, &reader.authorization)?;
    let deep = cursors
        .len()
        .checked_sub(2)
        .and_then(|place| cursors.get(place))
        .context("there is one page only")?;
    let first = hub.page(BULK, 1_000, None, &reader.authorization);
    let deep = hub.page(BULK, 1_000, deep.as_deref(), &reader.authorization);
    let row =
        compared(hub.port, ("page at a deep cursor", &deep), ("the first page", &first), Bound::AtMost(1.2))?;
    Ok(vec![row])
}

/// The page of a member that may read one object in a thousand, beside a collection that holds only these.
pub(crate) fn sparse(hub: &Hub, few: &Member) -> Result<Vec<Row>> {
    let sparse = hub.page(SPARSE, 1_000, None, &few.authorization);
    let alone = hub.page(FEW, 1_000, None, &few.authorization);
    let row = compared(
        hub.port,
        ("page for a member that may read 0.1 %", &sparse),
        ("a collection that holds only those", &alone),
        Bound::AtMost(2.0),
    )?;
    Ok(vec![row])
}

/// Two pages, asked in turn on one connection, by their median times.
pub(crate) fn compared(port: u16, one: (&str, &[u8]), other: (&str, &[u8]), least: Bound) -> Result<Row> {
    let mut counts = Vec::new();
    let mut connection = Connection::new(port);
    for request in [one.1, other.1] {
        connection.ask(request, Body::Keep)?;
        counts.push(count_objects(&connection.body));
    }
    ensure!(
        counts[0] == counts[1] && counts[0] > 0,
        "the pages have {} and {} objects",
        counts[0],
        counts[1]
    );
    let taken = latencies(port, &[one.1, other.1], LATENCIES)?;
    let beside = format!("{}: {}", other.0, millis(taken[1]));
    Ok(Row::told(one.0, format!("{} ({} objects)", millis(taken[0]), counts[0]), beside).judged(
        taken[0].as_secs_f64() / taken[1].as_secs_f64(),
        least,
        None,
    ))
}

fn told(load: &Load) -> String {
    format!(
        "{} requests/s, {} MB/s, {:.3} ms of CPU each",
        short(load.requests_per_second()),
        short(load.bytes_per_second() / 1e6),
        load.cpu_millis_per_request()
    )
}
