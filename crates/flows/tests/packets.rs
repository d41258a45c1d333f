//! Packets made by hand: flows in them, templates of several exporters, lies; alerts as they arrive.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod common;

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use common::{FIELDS, FIELDS_TURNED, Hits, Listed, Record, ipfix, records, template, v5, v9};
use flows::{
    Alert, Collector, DecodeLimits, Decoder, Direction, Exporter, Flow, Kind, Origin, Settings, Shown,
    Target, hand_out, listen, write,
};
use model::{Clock, ManualClock, Timestamp};
use tokio::sync::{mpsc, watch};

const RECORD: Record = ([10, 0, 0, 5], [198, 51, 100, 7], 40_000, 443);

fn from(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 2_055))
}

fn flow((source, destination, source_port, destination_port): Record, bytes: u64) -> Flow {
    let (source, destination) = (Ipv4Addr::from(source).into(), Ipv4Addr::from(destination).into());
    Flow { source, destination, source_port, destination_port, protocol: 6, packets: 3, bytes }
}

fn decode(decoder: &mut Decoder, from: SocketAddr, packet: &[u8]) -> (Vec<(Exporter, Flow)>, flows::Decoded) {
    let mut flows = Vec::new();
    let told_of = decoder.decode(from, packet, &mut |exporter, flow| flows.push((exporter, *flow)));
    (flows, told_of)
}

#[test]
fn each_version_tells_the_same() {
    let mut decoder = Decoder::new(&DecodeLimits::default()).unwrap();
    let exporter = |domain| Exporter { address: from(1).ip(), domain };
    let (flows, told_of) = decode(&mut decoder, from(1), &v5(&[RECORD, RECORD]));
    assert_eq!(flows, [(exporter(7), flow(RECORD, 180)); 2]);
    assert_eq!((told_of.flows, told_of.is_broken), (2, false));
    let nobody = ([0; 4], [0; 4], 1, 2);
    assert_eq!(decode(&mut decoder, from(1), &v5(&[nobody])).0, [], "it does not say who talked to whom");
    let unsaid = [(0, template(256, &FIELDS)), (256, records(&[nobody], false))];
    assert_eq!(decode(&mut decoder, from(1), &v9(9, &unsaid)).0, []);
    let sets = |of: u16| vec![(of, template(256, &FIELDS)), (256, records(&[RECORD], false))];
    assert_eq!(decode(&mut decoder, from(1), &v9(9, &sets(0))).0, [(exporter(9), flow(RECORD, 3))]);
    assert_eq!(decode(&mut decoder, from(1), &ipfix(10, &sets(2))).0, [(exporter(10), flow(RECORD, 3))]);
}

#[test]
fn addresses_of_version_6_are_read() {
    let mut decoder = Decoder::new(&DecodeLimits::default()).unwrap();
    let fields = [(27, 16), (28, 16), (8, 4), (7, 2), (11, 2), (4, 1)];
    let (one, two) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    let octets = |address: IpAddr| match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(_) => unreachable!(),
    };
    // The empty address of the other version says nothing.
    let body = [&octets(one)[..], &octets(two), &[0; 4], &[0, 1], &[1, 187], &[17], &[0; 3]].concat();
    let (flows, _) = decode(&mut decoder, from(1), &ipfix(0, &[(2, template(300, &fields)), (300, body)]));
    let [(_, flow)] = flows[..] else { panic!("one flow, not {flows:?}") };
    assert_eq!((flow.source, flow.destination, flow.destination_port, flow.protocol), (one, two, 443, 17));
}

#[test]
fn templates_belong_to_their_exporter_and_domain() {
    let mut decoder = Decoder::new(&DecodeLimits::default()).unwrap();
    // The same number, three meanings.
    decode(&mut decoder, from(1), &v9(1, &[(0, template(256, &FIELDS))]));
    decode(&mut decoder, from(1), &v9(2, &[(0, template(256, &FIELDS_TURNED))]));
    decode(&mut decoder, from(2), &v9(1, &[(0, template(256, &FIELDS_TURNED))]));
    let data = |domain, is_turned| v9(domain, &[(256, records(&[RECORD], is_turned))]);
    for (from, domain, is_turned) in [(from(1), 1, false), (from(1), 2, true), (from(2), 1, true)] {
        let (flows, _) = decode(&mut decoder, from, &data(domain, is_turned));
        assert_eq!(flows, [(Exporter { address: from.ip(), domain }, flow(RECORD, 3))]);
    }
}

#[test]
fn records_wait_for_their_template_and_are_counted() {
    let limits = DecodeLimits { waiting_max: 2, ..DecodeLimits::default() };
    let mut decoder = Decoder::new(&limits).unwrap();
    for without_room in [0, 0, 1] {
        let (flows, told_of) = decode(&mut decoder, from(1), &v9(1, &[(256, records(&[RECORD], false))]));
        assert_eq!((flows.len(), told_of.without_template, told_of.is_broken), (0, without_room, false));
    }
    assert_eq!(decoder.waiting().now, 2);
    assert_eq!(
        decode(&mut decoder, from(2), &v9(1, &[(0, template(256, &FIELDS))])).0,
        [],
        "another exporter's"
    );
    let (flows, told_of) = decode(&mut decoder, from(1), &v9(1, &[(0, template(256, &FIELDS))]));
    assert_eq!((flows.len(), told_of.flows), (2, 2));
    let waiting = decoder.waiting();
    assert_eq!((waiting.now, waiting.found, waiting.lost), (0, 2, 1));
}

#[test]
fn what_lies_is_counted_and_hurts_nobody_else() {
    let limits =
        DecodeLimits { exporters_max: 8, templates_max: 4, fields_max: 32, ..DecodeLimits::default() };
    let mut decoder = Decoder::new(&limits).unwrap();
    decode(&mut decoder, from(1), &v9(1, &[(0, template(256, &FIELDS))]));
    let mut long = v5(&[RECORD]);
    long[3] = 200;
    let mut set_lies = v9(1, &[(256, records(&[RECORD], false))]);
    set_lies[22..24].copy_from_slice(&[0xff, 0xff]);
    let mut message_lies = ipfix(1, &[(2, template(256, &FIELDS))]);
    message_lies[2..4].copy_from_slice(&[0xff, 0xff]);
    let wide: Vec<_> = (1..200).map(|field| (field, 4)).collect();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("one byte", vec![0]),
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("more records than there are", long),
        ("a set longer than its packet", set_lies),
        ("a message longer than its packet", message_lies),
        ("half a header", v9(1, &[])[..12].to_vec()),
    ];
    for (name, packet) in cases {
        let (flows, told_of) = decode(&mut decoder, from(1), &packet);
        assert!(told_of.is_broken, "{name}: {told_of:?}");
        assert!(flows.len() <= 1, "{name}");
    }
    for (name, fields) in
        [("no fields", Vec::new()), ("fields of no size", vec![(8, 0); 4]), ("many fields", wide)]
    {
        let sets = [(0, template(257, &fields)), (257, vec![1; 64])];
        let (flows, _) = decode(&mut decoder, from(1), &v9(3, &sets));
        assert_eq!(flows, [], "{name}");
    }
    for id in 300..400 {
        decode(&mut decoder, from(1), &v9(3, &[(0, template(id, &FIELDS))]));
    }
    // Noise comes from everywhere, and is no exporter.
    for last in 10..200 {
        decode(&mut decoder, from(last), b"\x00\x09noise");
    }
    let (flows, _) = decode(&mut decoder, from(1), &v9(1, &[(256, records(&[RECORD], false))]));
    assert_eq!(flows.len(), 1, "the first exporter's template is still there");
}

fn listed() -> Arc<Listed> {
    let address = |last| IpAddr::from([198, 51, 100, last]);
    Arc::new(Listed {
        addresses: [(address(7), 2), (address(8), 3)].into(),
        endpoints: [((address(7), 443), 4), ((address(9), 53), 5)].into(),
    })
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn told(alerts: &[Alert]) -> Vec<(Kind, &str, Direction, u64)> {
    alerts.iter().map(|alert| (alert.kind, alert.reference.as_str(), alert.direction, alert.flows)).collect()
}

fn drain(alerts: &mut mpsc::Receiver<Alert>) -> Vec<Alert> {
    std::iter::from_fn(|| alerts.try_recv().ok()).collect()
}

#[test]
fn either_end_may_be_listed_and_is_told_once_an_hour() {
    let (sender, mut alerts) = mpsc::channel(100);
    let hits = Arc::new(Hits::default());
    let settings = Settings { shown: Shown::Ends, ..Settings::default() };
    let collector = Collector::new(settings, listed(), hits.clone(), sender).unwrap();
    let inside = [10, 0, 0, 5];
    let packet = v5(&[
        RECORD,                                  // the address, and the address with its port
        (inside, [198, 51, 100, 7], 40_000, 80), // the address again
        ([198, 51, 100, 8], inside, 25, 40_000), // the other way round
        (inside, [198, 51, 100, 9], 40_000, 54), // a port that is not listed
        (inside, [203, 0, 113, 1], 40_000, 443), // nothing
    ]);
    collector.packet("lan", from(1), &packet, at("2026-01-01T10:30:00Z"));
    let first = drain(&mut alerts);
    let want = [
        (Kind::First, "rf-0002", Direction::ToListed, 1),
        (Kind::First, "rf-0004", Direction::ToListed, 1),
        (Kind::First, "rf-0003", Direction::FromListed, 1),
    ];
    assert_eq!(told(&first), want);
    let detail = first[0].detail.unwrap();
    assert_eq!((detail.inside, detail.inside_port), (inside.into(), 40_000));
    assert_eq!((detail.listed, detail.listed_port), (Some([198, 51, 100, 7].into()), Some(443)));
    let hidden = first[2].detail.unwrap();
    assert_eq!(
        (hidden.inside, hidden.listed, hidden.listed_port),
        (inside.into(), None, None),
        "not to be shown"
    );
    collector.packet("lan", from(1), &packet, at("2026-01-01T10:59:59Z"));
    assert_eq!(drain(&mut alerts), []);
    collector.close(at("2026-01-01T11:00:00Z"), false);
    let want = [
        (Kind::Hour, "rf-0002", Direction::ToListed, 4),
        (Kind::Hour, "rf-0003", Direction::FromListed, 2),
        (Kind::Hour, "rf-0004", Direction::ToListed, 2),
    ];
    assert_eq!(told(&drain(&mut alerts)), want);
    let counts = collector.counts();
    assert_eq!((counts.packets, counts.flows, counts.hits, counts.alerts), (2, 10, 8, 6));
    let summed: u64 = hits.0.lock().unwrap().iter().map(|hit| hit.flows).sum();
    assert_eq!(summed, counts.hits, "the sink hears of each hit once");
}

/// Lists flows from a low port to a high one, which no table holds, and nothing else.
struct Upwards;

impl flows::Judge for Upwards {
    fn address(&self, _: &flows::Client<'_>, _: IpAddr, _: &mut Vec<u32>) {}

    fn endpoint(&self, _: &flows::Client<'_>, _: IpAddr, _: u16, _: &mut Vec<u32>) {}

    fn flow(&self, _: &flows::Client<'_>, flow: &Flow, slots: &mut Vec<u32>) {
        slots.extend((flow.source_port < 1_024 && flow.destination_port > 1_024).then_some(6));
    }

    fn reference(&self, slot: u32) -> String {
        format!("rf-{slot:04}")
    }

    fn may_show(&self, _: u32) -> bool {
        true
    }
}

#[test]
fn a_flow_may_be_listed_as_a_whole() {
    let (sender, mut alerts) = mpsc::channel(100);
    let collector =
        Collector::new(Settings::default(), Arc::new(Upwards), Arc::new(Hits::default()), sender).unwrap();
    let (inside, outside) = ([10, 0, 0, 5], [203, 0, 113, 1]);
    let packet = v5(&[(inside, outside, 40_000, 80), (outside, inside, 80, 40_000)]);
    collector.packet("lan", from(1), &packet, at("2026-01-01T10:30:00Z"));
    assert_eq!(told(&drain(&mut alerts)), [(Kind::First, "rf-0006", Direction::ToListed, 1)]);
}

#[test]
fn strangers_are_not_read() {
    let (sender, mut alerts) = mpsc::channel(100);
    let exporters = Some(BTreeSet::from([from(1).ip()]));
    let settings = Settings { exporters, ..Settings::default() };
    let collector = Collector::new(settings, listed(), Arc::new(Hits::default()), sender).unwrap();
    let now = at("2026-01-01T10:30:00Z");
    collector.packet("lan", from(2), &v5(&[RECORD]), now);
    assert_eq!((collector.counts().strangers, drain(&mut alerts)), (1, Vec::new()));
    // A socket of both families names the old one in the new one's way.
    let mapped = SocketAddr::new("::ffff:192.0.2.1".parse().unwrap(), 2_055);
    collector.packet("lan", mapped, &v5(&[RECORD]), now);
    let alerts = drain(&mut alerts);
    assert_eq!(alerts.len(), 2);
    assert!(
        alerts.iter().all(|alert| alert.detail.is_none()),
        "who took part is told only where that is wanted"
    );
}

#[test]
fn alerts_that_nobody_takes_are_counted() {
    let (sender, mut alerts) = mpsc::channel(1);
    let collector = Collector::new(Settings::default(), listed(), Arc::new(Hits::default()), sender).unwrap();
    collector.packet("lan", from(1), &v5(&[RECORD]), at("2026-01-01T10:30:00Z"));
    assert_eq!((collector.counts().alerts, collector.counts().dropped), (1, 1));
    assert_eq!(drain(&mut alerts).len(), 1);
}

#[test]
fn alerts_arrive_as_json_lines_and_as_syslog() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alerts.jsonl");
    let stream = TcpListener::bind("127.0.0.1:0").unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    datagrams.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let origin =
        Origin { hostname: "guard.example".to_owned(), app_name: "ringfence".to_owned(), facility: 4 };
    let targets = [
        Target::JsonLines(file.clone()),
        Target::SyslogTcp(stream.local_addr().unwrap(), origin.clone()),
        Target::SyslogUdp(datagrams.local_addr().unwrap(), origin),
    ];
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(at("2026-01-01T10:30:00Z")));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (sender, mut alerts) = mpsc::channel(100);
        let collector =
            Collector::new(Settings::default(), listed(), Arc::new(Hits::default()), sender).unwrap();
        let socket = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let serving = Arc::clone(&collector);
        let served = tokio::spawn(async move { serving.serve(socket, "lan", clock, stopped).await });
        let (queues, writers): (Vec<_>, Vec<_>) = targets
            .into_iter()
            .map(|target| {
                let (queue, alerts) = mpsc::channel(100);
                (queue, tokio::spawn(write(target, alerts)))
            })
            .unzip();
        let exporter = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        exporter.send_to(&v5(&[RECORD, RECORD]), address).await.unwrap();
        let mut received = Vec::new();
        while received.len() < 2 {
            received
                .push(tokio::time::timeout(Duration::from_secs(30), alerts.recv()).await.unwrap().unwrap());
        }
        stop.send(true).unwrap();
        served.await.unwrap();
        received.extend(drain(&mut alerts));
        assert_eq!(received.len(), 4, "at the end the hour is told as it stands");
        assert_eq!(received.iter().map(|alert| hand_out(alert, &queues)).sum::<usize>(), 0);
        drop(queues);
        for writer in writers {
            writer.await.unwrap();
        }
    });
    let lines = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> =
        lines.iter().map(|line| (line["kind"].as_str().unwrap(), line["flows"].as_u64().unwrap())).collect();
    assert_eq!(kinds, [("first", 1), ("first", 1), ("hour", 2), ("hour", 2)]);
    let mut text = String::new();
    stream.accept().unwrap().0.read_to_string(&mut text).unwrap();
    let mut messages = Vec::new();
    let mut rest = text.as_str();
    while let Some((length, behind)) = rest.split_once(' ') {
        let (message, behind) = behind.split_at(length.parse().unwrap());
        messages.push(message.to_owned());
        rest = behind;
    }
    assert_eq!((messages.len(), rest), (4, ""));
    assert!(
        messages[0].starts_with(
            "<36>1 2026-01-01T10:30:00.000000Z guard.example ringfence - flow-alert [flow@32473 "
        )
    );
    let mut datagram = [0; 2_048];
    for message in &messages {
        let length = datagrams.recv(&mut datagram).unwrap();
        assert_eq!(std::str::from_utf8(&datagram[..length]).unwrap(), message);
    }
}
