//! How many evaluations a second: `cargo run --release -p stix-pattern --example rate`.

use std::hint::black_box;
use std::time::Instant as Clock;

use serde_json::json;
use stix_pattern::{BUDGET, Instant, Observation, Pattern, Verdict};

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
        let rounds = 2_000_000_u32;
        let start = Clock::now();
        let mut matched = 0_u32;
        for _ in 0..rounds {
            matched +=
                u32::from(black_box(&compiled).evaluate(black_box(observations), BUDGET) == Verdict::Match);
        }
        let each = start.elapsed().as_secs_f64() / f64::from(rounds);
        println!("{name:24} {:7.1} ns {:6.1} M/s  matched {}", each * 1e9, 1e-6 / each, matched > 0);
    }
    let text = "[file:hashes.'SHA-256' = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f' AND file:name = 'a']";
    let rounds = 300_000_u32;
    let start = Clock::now();
    for _ in 0..rounds {
        black_box(Pattern::parse(black_box(text)).expect("a pattern"));
    }
    let each = start.elapsed().as_secs_f64() / f64::from(rounds);
    println!("{:24} {:7.1} ns {:6.2} M/s", "parse", each * 1e9, 1e-6 / each);
    let pattern = Pattern::parse(text).expect("a pattern");
    let start = Clock::now();
    for _ in 0..rounds {
        black_box(black_box(&pattern).compile());
    }
    let each = start.elapsed().as_secs_f64() / f64::from(rounds);
    println!("{:24} {:7.1} ns {:6.2} M/s", "compile", each * 1e9, 1e-6 / each);
}
