//! Openings: what an entry of the ledger says.
#![no_main]

use ledger::Opening;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(opening) = Opening::from_bytes(data) else { return };
    assert_eq!(opening.to_bytes(), data);
    // The body of most inputs is no JSON; put some behind a salt of its own, too.
    for opening in [opening, Opening { salt: [0; 32], body: data.to_vec() }] {
        let Ok(body) = opening.read() else { continue };
        assert_eq!(body.to_bytes(), opening.body, "a body has one spelling");
        drop((body.at().to_owned(), body.member().map(str::to_owned)));
    }
});
