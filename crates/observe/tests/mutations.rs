//! Files that were written wrongly, by accident or on purpose: whatever they say, they are read to their end, and what is said of
//! them holds.

use std::collections::BTreeSet;

use observe::{Limits, Place, Seen, Unit, read, time_of_line, words};

/// A sequence of numbers that is the same in every run (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap_or(0) % end
    }
}

const SEEDS: [&[u8]; 6] = [
    include_bytes!("../../../fuzz/seeds/observe_file/log"),
    include_bytes!("../../../fuzz/seeds/observe_file/mbox"),
    include_bytes!("../../../fuzz/seeds/observe_file/pcap"),
    include_bytes!("../../../fuzz/seeds/observe_file/flows"),
    include_bytes!("../../../fuzz/seeds/observe_file/stix"),
    include_bytes!("../../../fuzz/seeds/observe_file/gzip"),
];

fn mutated(chance: &mut Chance) -> Vec<u8> {
    let mut bytes = SEEDS[chance.below(SEEDS.len())].to_vec();
    for _ in 0..=chance.below(3) {
        let at = chance.below(bytes.len().max(1));
        let value = [0, 1, 5, 9, 10, 0x7f, 0x80, 0xff][chance.below(8)];
        match chance.below(5) {
            0 => bytes.truncate(at),
            2 => bytes.extend_from_slice(SEEDS[chance.below(SEEDS.len())]),
            _ if bytes.is_empty() => bytes.push(value),
            1 => bytes.insert(at, value),
            _ => bytes[at] = value,
        }
    }
    bytes
}

#[test]
fn whatever_a_file_says_it_is_read_to_its_end() {
    let limits = Limits {
        chunk_bytes: 64,
        mail_bytes_max: 100,
        stix_bytes_max: 1_000,
        ratio_from_bytes: 1 << 16,
        connections_max: 4,
        ..Limits::default()
    };
    let mut chance = Chance(3);
    let mut formats = BTreeSet::new();
    let (mut pieces, mut troubled) = (0, 0);
    for _ in 0..20_000 {
        let bytes = mutated(&mut chance);
        let mut line = 0;
        let summary = read("f", bytes.as_slice(), &limits, &mut |place: &Place, seen: Seen<'_>| {
            pieces += 1;
            match seen {
                Seen::Lines(chunk) => {
                    assert!(!chunk.bytes.is_empty() && chunk.first >= line, "{bytes:?}");
                    assert_eq!(place.unit, Unit::Line(chunk.first));
                    line = chunk.first;
                    for text in chunk.bytes.split(|byte| *byte == b'\n') {
                        let text = String::from_utf8_lossy(text);
                        let _read = (time_of_line(&text), words(&text).count());
                    }
                }
                Seen::Mail { bytes: mail, .. } => assert!(mail.len() <= limits.mail_bytes_max),
                Seen::Name { name, .. } => assert!(name.is_ascii(), "{name}"),
                Seen::Url { url, .. } => assert!(url.contains("://"), "{url}"),
                Seen::Connection { .. } | Seen::Flow { .. } | Seen::Observed { .. } => {}
            }
        });
        formats.extend(summary.format);
        troubled += usize::from(!summary.is_whole());
        assert!(summary.troubles.values().all(|troubles| troubles.count > 0 && !troubles.first.is_empty()));
    }
    assert!(formats.len() >= 6 && pieces > 10_000 && troubled > 1_000, "{formats:?} {pieces} {troubled}");
}
