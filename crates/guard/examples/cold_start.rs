//! How long a guard takes from its start to its first sinkholed answer, with a million indicators in its store.
//!
//! `cargo run --release -p guard --example cold_start [INDICATORS] [FOLDER] [rpz]` fills a store (kept in FOLDER, if one is
//! named), then starts on it in a fresh process, asks over UDP for the last name, and tells seconds and memory.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made fails")]
#![expect(clippy::print_stdout, reason = "what was measured is printed")]

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use guard::config::Config;
use guard::hold::{Frame, Hold, Kept};
use guard::indicator::{Object, Rights, read};
use guard::run::Guard;
use guard::secrets::Secrets;
use model::{Clock, SystemClock};
use serde_json::json;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PER_FRAME: usize = 2_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("--start") {
        let folder = PathBuf::from(arguments.next().unwrap());
        return start(&folder, arguments.next().as_deref() == Some("rpz"));
    }
    let indicators: usize = first.map_or(1_000_000, |text| text.parse().unwrap());
    let kept = tempfile::tempdir().unwrap();
    let folder = arguments.next().map_or_else(|| kept.path().to_owned(), PathBuf::from);
    let rpz = arguments.next().unwrap_or_default();
    if !folder.join("data/indicators.hold").exists() {
        fill(&folder, indicators);
    }
    let port = peers::free_port();
    fs::write(folder.join("port"), port.to_string()).unwrap();
    let began = Instant::now();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--start", folder.to_str().unwrap(), &rpz])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let took = first_answer(port, &name_of(indicators - 1), began);
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let kib = |field: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let (resident, most) = (kib("VmRSS:"), kib("VmHWM:"));
    println!(
        "{indicators} indicators: first sinkholed answer after {:.2} s; resident {} MiB (at most {} MiB), {} bytes an indicator",
        took.as_secs_f64(),
        resident / 1024,
        most / 1024,
        resident * 1024 / u64::try_from(indicators).unwrap(),
    );
    drop(child.stdin.take());
    let _ended = child.wait();
}

fn name_of(number: usize) -> String {
    // Scattered as real names are, and no two alike.
    let scattered = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "h{scattered:016x}.{}-site{}.com",
        ["cdn", "mail", "login", "update"][number % 4],
        number % 500_000
    )
}

fn object(number: usize) -> Vec<u8> {
    let pattern = match number % 20 {
        1 => format!(
            "[ipv4-addr:value = '{}']",
            std::net::Ipv4Addr::from(0x0b00_0000 + u32::try_from(number).unwrap())
        ),
        2 => format!("[file:hashes.'SHA-256' = '{number:064x}']"),
        3 => format!("[url:value = 'http://{}/gate.php?id={number}']", name_of(number)),
        _ => format!("[domain-name:value = '{}']", name_of(number)),
    };
    let id = uuid::Uuid::from_u128(0x8e2e_2d2b_17d4_4cbf_938f_0000_0000_0000 + number as u128);
    let object = json!({
        "type": "indicator", "spec_version": "2.1", "id": format!("indicator--{id}"),
        "created_by_ref": "identity--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "valid_from": "2026-01-01T00:00:00Z", "valid_until": format!("2099-{:02}-{:02}T{:02}:{:02}:00Z", 1 + number % 12, 1 + number % 28, number % 24, number % 60),
        "indicator_types": ["malicious-activity"], "confidence": 70, "pattern_type": "stix", "pattern": pattern,
        "object_marking_refs": ["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"],
    });
    object.to_string().into_bytes()
}

fn fill(folder: &Path, indicators: usize) {
    let data = folder.join("data");
    fs::create_dir_all(&data).unwrap();
    let secrets = Secrets::load_or_make(&data.join("guard.key"), [7; 32]).unwrap();
    let mut hold = Hold::open(&data, secrets.hold_key(), [9; 16], |_| ()).unwrap();
    let clock = SystemClock::default();
    for from in (0..indicators).step_by(PER_FRAME) {
        let objects: Vec<Vec<u8>> = (from..indicators.min(from + PER_FRAME)).map(object).collect();
        let put = objects.iter().map(|bytes| match read(bytes, None).unwrap() {
            Object::Indicator(indicator) => {
                Kept { rights: Rights::ALL.bits(), object: Object::Indicator(indicator) }
            }
            Object::Recall(_) | Object::FalsePositive { .. } | Object::Pap { .. } | Object::Other => {
                panic!("it is no indicator")
            }
        });
        let frame = Frame {
            feed: "indicators".to_owned(),
            cursor: Some("{}".to_owned()),
            heard: clock.now().as_micros(),
            put: put.collect(),
            ..Frame::default()
        };
        hold.append(&frame, &objects).unwrap();
    }
    println!("the store has {} MiB", hold.bytes() >> 20);
}

fn start(folder: &Path, rpz: bool) {
    let port = fs::read_to_string(folder.join("port")).unwrap();
    let mut text = format!(
        "data = \"data\"\n[hub]\nurl = \"http://127.0.0.1:9/taxii2/\"\ntoken_file = \"token\"\n[[feed]]\ncollection = \"indicators\"\nmode = \"enforce\"\n\
         [sinkhole]\naddresses = {{ \"\" = [\"192.0.2.53\"] }}\n[sinkhole.forwarder]\nplain = [\"127.0.0.1:{port}\"]\nupstreams = [\"127.0.0.1:9\"]\n"
    );
    if rpz {
        text.push_str("[sinkhole.rpz]\nlisten = [\"127.0.0.1:0\"]\norigin = \"rpz.example\"\nunsigned = [\"127.0.0.1\"]\n");
    }
    fs::write(folder.join("token"), "x").unwrap();
    let began = Instant::now();
    let config = Config::parse("guard.toml", &text, folder).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let guard = Arc::new(Guard::start(config, &clock).unwrap());
    println!("started after {:.2} s", began.elapsed().as_secs_f64());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let ends = tokio::task::spawn_blocking(move || {
            // Whoever started it lets go of its input.
            let _end = std::io::stdin().read_line(&mut String::new());
            stop.send(true)
        });
        let (_reload, reloads) = tokio::sync::mpsc::channel(1);
        guard::faces::serve(guard, stopped, reloads, || {
            println!("up after {:.2} s", began.elapsed().as_secs_f64());
        })
        .await
        .unwrap();
        ends.await.unwrap().unwrap();
    });
    std::process::exit(0);
}

fn first_answer(port: u16, name: &str, began: Instant) -> Duration {
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).unwrap());
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let mut answer = [0; 1500];
    loop {
        assert!(began.elapsed() < Duration::from_mins(5), "no answer");
        let _refused = socket.send_to(&query, SocketAddr::from(([127, 0, 0, 1], port)));
        if let Ok(length) = socket.recv(&mut answer)
            && answer[..length].windows(4).any(|bytes| bytes == [192, 0, 2, 53])
        {
            return began.elapsed();
        }
    }
}
