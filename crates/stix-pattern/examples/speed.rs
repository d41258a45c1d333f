//! What it costs to read a pattern, and to evaluate one: `cargo run --release -p stix-pattern --example speed`.

use std::hint::black_box;
use std::time::Instant as Clock;

use serde_json::json;
use stix_pattern::{BUDGET, Instant, Observation, Pattern, plain};

const ROUNDS: u32 = 300_000;

fn main() {
    let digest = "aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f";
    let patterns = [
        "[domain-name:value = 'host-12345.example']".to_owned(),
        format!("[file:hashes.'SHA-256' = '{digest}']"),
        "[url:value = 'http://host-12345.example/gate.php?id=3']".to_owned(),
        "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = 8443] FOLLOWEDBY \
         [domain-name:value LIKE '%.example'] WITHIN 300 SECONDS"
            .to_owned(),
    ];
    let seen = json!({"type": "domain-name", "value": "host-12345.example"});
    let observation = [Observation::at(Instant::from_unix(0, 0), [&seen])];
    for pattern in &patterns {
        let began = Clock::now();
        for _ in 0..ROUNDS {
            black_box(Pattern::parse(black_box(pattern)).is_ok());
        }
        let read = began.elapsed() / ROUNDS;
        let began = Clock::now();
        for _ in 0..ROUNDS {
            black_box(plain(black_box(pattern)).is_some());
        }
        let told = began.elapsed() / ROUNDS;
        let Ok(parsed) = Pattern::parse(pattern) else { continue };
        let compiled = parsed.compile();
        let began = Clock::now();
        for _ in 0..ROUNDS {
            black_box(compiled.evaluate(black_box(&observation), BUDGET));
        }
        println!(
            "{read:>8?} read, {told:>8?} told if plain, {:>8?} evaluated: {pattern}",
            began.elapsed() / ROUNDS
        );
    }
}
