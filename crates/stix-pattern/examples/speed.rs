//! What it costs to read a pattern, and to evaluate one: `cargo run --release -p stix-pattern --example speed`.
//!
//! Of many short batches the fastest counts, so that other work on the machine does not.

use std::hint::black_box;
use std::time::{Duration, Instant as Clock};

use serde_json::json;
use stix_pattern::{BUDGET, Instant, Observation, Pattern, plain};

const BATCHES: usize = 400;
const ROUNDS: u32 = 1_000;

/// What one round takes, in the fastest batch.
fn fastest(mut round: impl FnMut()) -> Duration {
    let batch = |_| {
        let began = Clock::now();
        (0..ROUNDS).for_each(|_| round());
        began.elapsed() / ROUNDS
    };
    (0..BATCHES).map(batch).min().unwrap_or_default()
}

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
        let Ok(parsed) = Pattern::parse(pattern) else { continue };
        let read = fastest(|| {
            black_box(Pattern::parse(black_box(pattern)).is_ok());
        });
        let told = fastest(|| {
            black_box(plain(black_box(pattern)).is_some());
        });
        let compiled = parsed.compile();
        let evaluated = fastest(|| {
            black_box(compiled.evaluate(black_box(&observation), BUDGET));
        });
        println!("{read:>8?} read, {told:>8?} told if plain, {evaluated:>8?} evaluated: {pattern}");
    }
}
