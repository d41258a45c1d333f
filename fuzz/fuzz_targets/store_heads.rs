//! The heads of a segment, as they may come from a damaged disk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use store::Heads;

fuzz_target!(|data: &[u8]| {
    let Ok(heads) = Heads::decode(data.to_vec()) else { return };
    assert_eq!(heads.as_bytes(), data);
    assert!(heads.count() as usize * 8 <= data.len());
    let mut records = Vec::new();
    let mut ends = Vec::new();
    for index in 0..heads.count() {
        let (Some(record), Some(end)) = (heads.record(index), heads.end(index)) else { return };
        assert!(record.id.starts_with(record.object_type()));
        records.push(record);
        ends.push(end);
    }
    assert!(heads.record(heads.count()).is_none() && heads.end(heads.count()).is_none());
    // Overlapping records can say more than there are bytes; those that say less can be written anew.
    if records.iter().map(|record| record.id.len()).sum::<usize>() <= data.len() {
        let again = Heads::encode(&records, &ends);
        for (index, record) in (0..).zip(&records) {
            assert_eq!(again.record(index).as_ref(), Some(record));
        }
    }
});
