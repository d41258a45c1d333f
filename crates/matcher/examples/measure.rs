//! What a million names cost: `cargo run --release -p matcher --example measure [NAMES]`.
//!
//! Names are made up, with the lengths and numbers of labels that published lists have. `bench` measures the same beside its peers.

use std::hint::black_box;
use std::time::Instant;

/// The time that this process has had of a processor, in seconds: other work on the machine does not count. Linux only.
fn processor() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

use matcher::{BlindKey, Key, Matcher, Scope};

/// A generator for measuring (Marsaglia's xorshift), always the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn word(&mut self, shortest: u64, spread: u64) -> String {
        let length = shortest + self.below(spread);
        (0..length)
            .map(|_| {
                char::from(
                    b"abcdefghijklmnopqrstuvwxyz0123456789"[usize::try_from(self.below(36)).unwrap_or(0)],
                )
            })
            .collect()
    }

    fn name(&mut self) -> String {
        let ends = ["com", "net", "org", "info", "ru", "top", "xyz", "de"];
        let end = ends[usize::try_from(self.below(8)).unwrap_or(0)];
        let before = if self.below(10) < 4 { format!("{}.", self.word(2, 6)) } else { String::new() };
        format!("{before}{}.{end}", self.word(8, 14))
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn per(begun: f64, count: usize) -> f64 {
    (processor() - begun) * 1e9 / count as f64
}

fn main() {
    let count: u32 = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    let mut secret = [0; 32];
    secret.fill_with(|| u8::try_from(numbers.below(256)).unwrap_or(0));
    let names: Vec<String> = (0..count).map(|_| numbers.name()).collect();
    let letters: usize = names.iter().map(String::len).sum();
    println!("{count} names, {} letters each", letters / names.len());

    let begun = processor();
    let keys: Vec<Key> = names.iter().filter_map(|name| Key::name(name, Scope::Subdomains).ok()).collect();
    println!("normalise: {:.0} ns a name", per(begun, keys.len()));
    let mut matcher = Matcher::new(secret);
    let (begun, mut longest) = (processor(), 0.0f64);
    for (slot, key) in (0..).zip(&keys) {
        let one = Instant::now();
        matcher.insert(key, slot);
        longest = longest.max(one.elapsed().as_secs_f64() * 1e3);
    }
    println!("insert: {:.0} ns a name, the longest {longest:.2} ms", per(begun, keys.len()));
    let extent = matcher.extent();
    println!(
        "memory: {:.1} B a name",
        f64::from(u32::try_from(extent.names_bytes).unwrap_or(0)) / f64::from(count)
    );

    let asked: Vec<&String> = (0..1_000_000)
        .map(|_| &names[usize::try_from(numbers.below(u64::from(count))).unwrap_or(0)])
        .collect();
    let misses: Vec<String> = (0..1_000_000).map(|_| numbers.name()).collect();
    let wire = |name: &str| {
        let mut wire = Vec::new();
        name.split('.').for_each(|label| {
            wire.push(u8::try_from(label.len()).unwrap_or(0));
            wire.extend_from_slice(label.as_bytes());
        });
        wire.push(0);
        wire
    };
    let wires: Vec<Vec<u8>> = asked.iter().map(|name| wire(name)).collect();
    let mut hits = 0;
    let begun = processor();
    asked.iter().for_each(|name| matcher.names(name, |_| hits += 1));
    println!("look-up, listed: {:.0} ns ({hits} hits)", per(begun, asked.len()));
    let begun = processor();
    misses.iter().for_each(|name| matcher.names(name, |_| hits += 1));
    println!("look-up, not listed: {:.0} ns", per(begun, misses.len()));
    let begun = processor();
    wires.iter().for_each(|wire| matcher.names_wire(wire, |_| hits += 1));
    println!("look-up, listed, on the wire: {:.0} ns", per(begun, wires.len()));

    let mut text = String::new();
    let mut planted = 0;
    while text.len() < 64 << 20 {
        for _ in 0..12 {
            text.push_str(&numbers.word(2, 9));
            text.push(' ');
        }
        match numbers.below(400) {
            0 => {
                text.push_str(&names[usize::try_from(numbers.below(u64::from(count))).unwrap_or(0)]);
                planted += 1;
            }
            1..100 => text.push_str(&format!(
                "https://www.{}/{}?id={}",
                numbers.name(),
                numbers.word(3, 9),
                numbers.word(8, 20)
            )),
            100..140 => text.push_str(&format!("{}@{}", numbers.word(3, 8), numbers.name())),
            140..160 => text.push_str(
                "Received: from mx.example ([192.0.2.44]) by mail; Mon, 23 Nov 2026 11:00:00 +0000",
            ),
            _ => text.push('.'),
        }
        text.push('\n');
    }
    let scan = |what: &str, matcher: &Matcher| {
        let (begun, mut found) = (processor(), 0);
        matcher.scan(text.as_bytes(), |met| {
            black_box(met);
            found += 1;
        });
        #[expect(clippy::cast_precision_loss, reason = "shown in whole megabytes")]
        let rate = text.len() as f64 / (processor() - begun) / 1e6;
        println!("scan, {what}: {rate:.0} MB/s, {found} met, {planted} planted");
    };
    scan("names", &matcher);
    for i in 0..100_000u32 {
        let key =
            Key::address(std::net::Ipv4Addr::from(u32::try_from(numbers.below(1 << 32)).unwrap_or(0)).into());
        matcher.insert(&key, i);
        if let Ok(key) = Key::digest(matcher::Algorithm::Md5, &u128::from(numbers.next()).to_le_bytes()) {
            matcher.insert(&key, i);
        }
        if let Ok(key) = Key::url(&format!("http://{}/{}", numbers.name(), numbers.word(3, 9))) {
            matcher.insert(&key, i);
        }
        if let Ok(key) = Key::email(&format!("{}@{}", numbers.word(3, 9), numbers.name())) {
            matcher.insert(&key, i);
        }
    }
    scan("names, addresses, hashes, URLs, e-mail addresses", &matcher);
    for i in 0..10_000u32 {
        if let Ok(key) =
            Key::text(&format!("{} {} {}", numbers.word(5, 5), numbers.word(5, 5), numbers.word(5, 5)))
        {
            matcher.insert(&key, i);
        }
    }
    scan("all those and strings", &matcher);
    let key = BlindKey::new(&secret);
    let set = matcher.add_blind_set(key.clone());
    for (slot, name) in (0..).zip(&keys[..1000.min(keys.len())]) {
        matcher.insert_blinded(set, &key.blind(name), slot);
    }
    let begun = processor();
    misses.iter().for_each(|name| matcher.names(name, |_| hits += 1));
    println!("look-up, not listed, with blinded names: {:.0} ns", per(begun, misses.len()));
    scan("all those and blinded names", &matcher);

    let begun = processor();
    let list = matcher.name_list(|_| true);
    println!("names in order: {:.0} ms", per(begun, 1_000_000));
    let begun = processor();
    println!("not subsumed: {}, {:.0} ms", list.unsubsumed().count(), per(begun, 1_000_000));
    let begun = processor();
    let mut below = 0;
    matcher.below(&["com"], |_| below += 1);
    println!("below one parent: {below}, {:.0} ms", per(begun, 1_000_000));
}
