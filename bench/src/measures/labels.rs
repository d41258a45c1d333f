//! Pages of a collection with very many labels.
//!
//! A label is what the hub decides by; here each comes from an end of release of its own, in the far future. Objects are
//! submitted one by one and the labels take turns, so a page is made of as many pieces as it can be.

use anyhow::{Result, ensure};

use crate::hub::{Hub, LABELS_FEW, LABELS_MANY, Member};
use crate::load::post_all;
use crate::measures::Extent;
use crate::measures::poll::compared;
use crate::report::{Bound, Row};
use crate::units::{float, short};

const FEW: u64 = 10;
const CONNECTIONS: usize = 16;

pub(crate) fn measure(extent: &Extent, hub: &Hub, reader: &Member) -> Result<Vec<Row>> {
    let mut rates = Vec::new();
    for (alias, labels, from) in [(LABELS_FEW, FEW, 5_000_000), (LABELS_MANY, extent.labels, 6_000_000)] {
        let requests: Vec<_> = (0..extent.labelled)
            .map(|number| {
                let until = number % labels;
                let (hour, minute, second) = (until / 3_600, until / 60 % 60, until % 60);
                let until = format!(
                    "\"x_ringfence_release_until\":\"2099-01-01T{hour:02}:{minute:02}:{second:02}Z\","
                );
                hub.submission(alias, from + number, 1, &until)
            })
            .collect();
        let load = post_all(&hub.process, hub.port, CONNECTIONS, &requests)?;
        rates.push(load.requests_per_second());
        let (_, seen) = hub.walk(alias, &reader.authorization)?;
        ensure!(seen == extent.labelled, "the reader should see {} objects and sees {seen}", extent.labelled);
    }
    let name = format!("page with {} labels in the collection", short(float(extent.labels)));
    let many = hub.page(LABELS_MANY, 1_000, None, &reader.authorization);
    let few = hub.page(LABELS_FEW, 1_000, None, &reader.authorization);
    let page = compared(hub.port, (&name, &many), ("the page with 10", &few), Bound::AtMost(3.0))?;
    let told = Row::told(
        &format!(
            "submissions of one object, {CONNECTIONS} connections, each label new until there are {}",
            extent.labels
        ),
        format!("{} /s", short(rates[1])),
        format!("with {FEW} labels: {} /s", short(rates[0])),
    );
    Ok(vec![page, told])
}
