//! Receipts: the proof that an entry is in the log, with its opening.
#![no_main]

use ledger::{NoteSigner, TlogProof, Trust};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(proof) = text.parse::<TlogProof>() else { return };
    assert_eq!(proof.to_string().parse().as_ref(), Ok(&proof), "what was read is written back");
    let key = NoteSigner::from_seed("hub.example/jcsp".parse().expect("a key's name"), &[7; 32]).verifier();
    let trust = Trust::in_key(key).expect("a key's name is an origin");
    assert!(proof.verify_opening(&trust).is_err(), "nobody guesses a signature");
    // The hashes alone, against a root that anybody could claim.
    let claimed = ledger::tree::leaf_hash(text.as_bytes());
    let size = proof.index.saturating_add(1);
    let verified = ledger::tree::verify_inclusion(&proof.hashes, proof.index, claimed, size, claimed);
    assert!(verified.is_err() || proof.hashes.is_empty(), "no hash is its own parent");
    let verified = ledger::tree::verify_consistency(&proof.hashes, proof.index, claimed, size, claimed);
    assert!(verified.is_err() || proof.index == 0, "two sizes of a log have two roots");
});
