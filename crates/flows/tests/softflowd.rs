//! `softflowd` reads a capture that is made here and exports it as NetFlow v5, v9 and IPFIX: alerts are those that the capture asks for,
//! no more and no fewer.
//!
//! What is missing is told by name, and fails where `RINGFENCE_REQUIRE_PEERS=1`. Nothing is said of times: `softflowd` shifts them when
//! it reads a file.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod common;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use common::{Hits, Listed};
use flows::{Alert, Collector, Direction, Kind, Settings, listen};
use model::{Clock, ManualClock};
use peers::capture::{Talk, softflowd, write_capture};
use peers::{eventually, has};
use tokio::sync::{mpsc, watch};

/// 600 flows over the old protocol and 60 over the new one; some talk to what is listed.
fn talks() -> Vec<Talk> {
    let inside =
        |n: usize| IpAddr::from([10, 0, u8::try_from(n / 200).unwrap(), u8::try_from(n % 200 + 1).unwrap()]);
    let mut talks = Vec::new();
    for n in 0..600 {
        let outside = match n % 100 {
            10 => [198, 51, 100, 7],
            20 => [198, 51, 100, 8],
            30 => [198, 51, 100, 9],
            last => [203, 0, 113, u8::try_from(last).unwrap()],
        };
        let to = if n % 200 == 30 { 53 } else { 443 };
        let port = 20_000 + u16::try_from(n).unwrap();
        let packets = u8::try_from(n % 3 + 1).unwrap();
        // One in two hundred comes from outside.
        if n % 200 == 20 {
            talks.push((outside.into(), inside(n), to, port, packets));
        } else {
            talks.push((inside(n), outside.into(), port, to, packets));
        }
    }
    for n in 0..60_u16 {
        let outside = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, if n % 20 == 5 { 7 } else { 0x100 + n });
        let inside = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n + 1);
        talks.push((inside.into(), outside.into(), 30_000 + n, 443, 2));
    }
    talks
}

fn listed() -> Listed {
    let address = |last| IpAddr::from([198, 51, 100, last]);
    Listed {
        addresses: [(address(7), 1), (address(8), 2), ("2001:db8::7".parse().unwrap(), 4)].into(),
        endpoints: [((address(9), 53), 3)].into(),
    }
}

/// What a direct reading of the capture gives: flows for each reference and direction.
fn wanted(talks: &[Talk]) -> BTreeMap<(String, Direction), u64> {
    let listed = listed();
    let mut wanted = BTreeMap::new();
    for (source, destination, from, to, _) in talks {
        for (end, port, direction) in
            [(source, from, Direction::FromListed), (destination, to, Direction::ToListed)]
        {
            let slots = listed.addresses.get(end).into_iter().chain(listed.endpoints.get(&(*end, *port)));
            for slot in slots {
                *wanted.entry((format!("rf-{slot:04}"), direction)).or_insert(0) += 1;
            }
        }
    }
    wanted
}

/// Runs `softflowd` over a capture and gives all alerts.
fn export(folder: &Path, capture: &Path, version: u8, flows: u64) -> Vec<Alert> {
    let (sender, mut alerts) = mpsc::channel(1_000);
    let collector =
        Collector::new(Settings::default(), Arc::new(listed()), Arc::new(Hits::default()), sender).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at("2026-01-01T10:30:00Z".parse().unwrap()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let socket = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let serving = Arc::clone(&collector);
        let served = tokio::spawn(async move { serving.serve(socket, "lan", clock, stopped).await });
        let (folder, capture) = (folder.to_owned(), capture.to_owned());
        let counting = Arc::clone(&collector);
        let run = move || {
            let ran = softflowd(&folder, &capture, version, address);
            assert!(ran.status.success(), "{ran:?}");
            eventually("all flows have come", || counting.counts().flows >= flows);
        };
        tokio::task::spawn_blocking(run).await.unwrap();
        stop.send(true).unwrap();
        served.await.unwrap();
    });
    let counts = collector.counts();
    assert_eq!((counts.flows, counts.broken, counts.dropped), (flows, 0, 0), "v{version}: {counts:?}");
    std::iter::from_fn(|| alerts.try_recv().ok()).collect()
}

#[test]
fn alerts_are_those_that_the_capture_asks_for() {
    if !has("exported flows", &["softflowd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let talks = talks();
    let old: Vec<Talk> = talks.iter().filter(|talk| talk.0.is_ipv4()).copied().collect();
    for (version, talks) in [(5, &old), (9, &talks), (10, &talks)] {
        let capture = folder.path().join(format!("{version}.pcap"));
        write_capture(&capture, talks);
        let alerts = export(folder.path(), &capture, version, talks.len() as u64);
        // The first flow of each is told by itself; where there were more, the hour tells of all.
        let mut first = BTreeMap::new();
        let mut told = BTreeMap::new();
        for alert in alerts {
            let heading = (alert.reference, alert.direction);
            match alert.kind {
                Kind::First => *first.entry(heading.clone()).or_insert(0) += 1,
                Kind::Hour => (),
            }
            let flows = told.entry(heading).or_insert(0);
            *flows = alert.flows.max(*flows);
        }
        let want = wanted(talks);
        assert_eq!(told, want, "v{version}");
        assert!(
            want.len() >= 4 && first.values().all(|times| *times == 1) && first.len() == want.len(),
            "v{version}"
        );
    }
}
