//! Files that people publish: bundles, MISP events, tables, lists, packed or not.
//!
//! The first byte chooses the name under which the rest is read.
#![no_main]

use std::ops::ControlFlow;

use intake::{Item, Limits, Options, read_reader};
use libfuzzer_sys::fuzz_target;
use stix::{ValidateOptions, validate};

const NAMES: [&str; 8] = ["x.json", "x.csv", "x.tsv", "x.txt", "x.tar", "x.json.gz", "x.txt.zst", "x"];
const CREATOR: &str = "identity--b3f1c9d2-4a75-4c1e-9a37-6f0d2c85e101";

fuzz_target!(|data: &[u8]| {
    let Some((choice, content)) = data.split_first() else { return };
    let name = NAMES[usize::from(*choice) % NAMES.len()];
    let mut options = Options::new(CREATOR, "2026-01-10T00:00:00Z").expect("the choices are sound");
    options.convert_2_0 = choice & 0x40 != 0;
    options.all_attributes = choice & 0x80 != 0;
    options.limits = Limits {
        decompressed_max_bytes: 1 << 20,
        member_max_bytes: 1 << 18,
        member_count_max: 16,
        decompressor_max_bytes: 16 << 20,
        ..Limits::default()
    };
    let mut objects = 0_u64;
    let summary = read_reader(name, content, &options, &mut |item| {
        if let Item::Object { bytes, .. } = item {
            objects += 1;
            // What was made here, rather than received, is valid.
            let is_ours = bytes.windows(CREATOR.len()).any(|window| window == CREATOR.as_bytes());
            if is_ours && !content.windows(CREATOR.len()).any(|window| window == CREATOR.as_bytes()) {
                let options = ValidateOptions { warnings: false, ..ValidateOptions::default() };
                let report = validate(&bytes, &options);
                assert!(report.is_accepted(), "{report:?}: {}", String::from_utf8_lossy(&bytes));
            }
        }
        ControlFlow::Continue(())
    });
    assert_eq!(summary.objects, objects, "the summary counts what was handed out");
});
