//! How many evaluations a second of CPU time: `cargo run --release -p stix-pattern --example rate`.

use std::hint::black_box;

use serde_json::json;
use stix_pattern::{BUDGET, Instant, Observation, Pattern, Verdict};

/// CPU seconds of this process, which other work on the machine does not lengthen.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux tells the CPU time");
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.expect("a number of nanoseconds") * 1e-9
}

/// Seconds for each of so many rounds.
fn each(rounds: u32, mut work: impl FnMut()) -> f64 {
    let start = cpu_seconds();
    for _ in 0..rounds {
        work();
    }
    (cpu_seconds() - start) / f64::from(rounds)
}

fn main() {
    let objects = [
        json!({"type": "file", "id": "f", "name": "foo.dll", "size": 4096, "mime_type": "application/x-dll",
            "hashes": {"MD5": "d41d8cd98f00b204e9800998ecf8427e",
                "SHA-256": "aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f"},
            "parent_directory_ref": "d"}),
        json!({"type": "directory", "id": "d", "path": "C:\\Windows\\System32"}),
        json!({"type": "network-traffic", "id": "n", "protocols": ["ipv4", "tcp"], "dst_port": 443, "dst_ref": "i"}),
        json!({"type": "ipv4-addr", "id": "i", "value": "198.51.100.7"}),
        json!({"type": "domain-name", "id": "w", "value": "www.example.com", "resolves_to_refs": ["i"]}),
    ];
    let one = [Observation::at(Instant::from_unix(0, 0), &objects[4..])];
    let five = [Observation::at(Instant::from_unix(0, 0), &objects)];
    let patterns = [
        ("one object, equal", &one, "[domain-name:value = 'www.example.com']"),
        ("one object, unequal", &one, "[domain-name:value = 'www.example.net']"),
        ("one object, other type", &one, "[url:value = 'x']"),
        ("five objects, equal", &five, "[domain-name:value = 'www.example.com']"),
        (
            "hash",
            &five,
            "[file:hashes.'SHA-256' = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f']",
        ),
        ("reference", &five, "[network-traffic:dst_ref.value = '198.51.100.7']"),
        ("wildcard", &five, "[network-traffic:protocols[*] = 'tcp']"),
        ("subset", &five, "[ipv4-addr:value ISSUBSET '198.51.100.0/24']"),
        ("LIKE", &five, "[file:name LIKE '%.dll']"),
        ("MATCHES", &five, "[file:name MATCHES '^f.+dll$']"),
        (
            "two joined by AND",
            &five,
            "[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port = 443]",
        ),
        ("two observations", &five, "[file:name = 'foo.dll'] AND [file:size = 4096]"),
    ];
    for (name, observations, text) in patterns {
        let compiled = Pattern::parse(text).expect("a pattern").compile();
        let mut matched = 0_u32;
        let each = each(2_000_000, || {
            matched +=
                u32::from(black_box(&compiled).evaluate(black_box(observations), BUDGET) == Verdict::Match);
        });
        println!("{name:24} {:7.1} ns {:6.1} M/s  matched {}", each * 1e9, 1e-6 / each, matched > 0);
    }
    let text = "[file:hashes.'SHA-256' = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f' AND file:name = 'a']";
    let pattern = Pattern::parse(text).expect("a pattern");
    let parse = each(300_000, || drop(black_box(Pattern::parse(black_box(text)))));
    let short = "[domain-name:value = 'www.example.com']";
    let parse_short = each(300_000, || drop(black_box(Pattern::parse(black_box(short)))));
    let compile = each(300_000, || drop(black_box(black_box(&pattern).compile())));
    for (name, each) in
        [("parse, one equality", parse_short), ("parse, two", parse), ("compile, two", compile)]
    {
        println!("{name:24} {:7.1} ns {:6.2} M/s", each * 1e9, 1e-6 / each);
    }
}
