//! Durable publishing, beside the same rows in `SQLite` alone; and the memory that a full hub has.

use anyhow::{Result, ensure};

use crate::hub::{BULK, FEW, Hub, Member, SPARSE};
use crate::load::post_all;
use crate::measures::Extent;
use crate::report::{Bound, Row};
use crate::sqlite;
use crate::units::{float, per_second, short};

/// Objects in an envelope.
const ENVELOPE: u64 = 1_000;
const CONNECTIONS: usize = 4;

/// Fills the main collection; gives objects a second.
pub(crate) fn measure(extent: &Extent, hub: &Hub) -> Result<(Vec<Row>, f64)> {
    let (took, alone_cpu) = sqlite::ingest(&extent.work.join("sqlite-alone"), extent.objects)?;
    let (alone, alone_cpu) = (per_second(extent.objects, took), per_second(extent.objects, alone_cpu));
    let requests: Vec<_> = (0..extent.objects)
        .step_by(usize::try_from(ENVELOPE)?)
        .map(|first| hub.submission(BULK, first, ENVELOPE, ""))
        .collect();
    let load = post_all(&hub.process, hub.port, CONNECTIONS, &requests)?;
    let objects = per_second(extent.objects, load.took);
    let cpu = float(extent.objects) / load.cpu_seconds.max(1e-9);
    let (now, most) = hub.process.resident_megabytes();
    let bound = (Bound::AtLeast(40_000.0), Some(Bound::AtLeast(120_000.0)));
    let rows = vec![
        Row::told(
            "durable publish, objects/s",
            format!("{} objects/s ({} a CPU-s, {CONNECTIONS} connections)", short(objects), short(cpu)),
            "",
        )
        .judged(objects, bound.0, bound.1),
        Row::told(
            "durable publish, beside SQLite alone",
            format!("{} objects/s", short(objects)),
            format!(
                "SQLite alone, the same rows, three indexes: {} objects/s ({} a CPU-s)",
                short(alone),
                short(alone_cpu)
            ),
        )
        .judged(objects / alone, Bound::AtLeast(0.7), None),
        Row::told(
            "memory after publishing, MB resident",
            format!("{} MB (most so far: {} MB)", short(now), short(most)),
            "",
        )
        .judged(now, Bound::AtMost(200.0), None),
    ];
    Ok((rows, objects))
}

/// Fills the collection of which `few` may read one object in a thousand and `wide` everything, and the one that holds
/// only these few; every object of `few` comes in a submission of its own in both.
pub(crate) fn fill_sparse(extent: &Extent, hub: &Hub, wide: &Member, few: &Member) -> Result<()> {
    let for_wide = format!("\"x_ringfence_audience\":[\"{}\"],", wide.id);
    let for_both = format!("\"x_ringfence_audience\":[\"{}\",\"{}\"],", wide.id, few.id);
    let (mut sparse, mut alone) = (Vec::new(), Vec::new());
    for number in 0..extent.objects / ENVELOPE {
        let first = 2_000_000 + number * ENVELOPE;
        sparse.push(hub.submission(SPARSE, first, ENVELOPE - 1, &for_wide));
        sparse.push(hub.submission(SPARSE, first + ENVELOPE - 1, 1, &for_both));
        alone.push(hub.submission(FEW, 4_000_000 + number, 1, &for_both));
    }
    post_all(&hub.process, hub.port, CONNECTIONS, &sparse)?;
    post_all(&hub.process, hub.port, CONNECTIONS, &alone)?;
    let (_, seen) = hub.walk(SPARSE, &few.authorization)?;
    ensure!(
        seen == extent.objects / ENVELOPE,
        "the member should see {} objects and sees {seen}",
        extent.objects / ENVELOPE
    );
    Ok(())
}
