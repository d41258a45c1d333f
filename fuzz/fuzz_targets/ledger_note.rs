//! Signed notes, checkpoints, keys.
#![no_main]

use ledger::note::SignedNote;
use ledger::{Checkpoint, NoteSigner, NoteVerifier, Trust};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let key = NoteSigner::from_seed("hub.example/jcsp".parse().expect("a key's name"), &[7; 32]).verifier();
    let trust = Trust::in_key(key).expect("a key's name is an origin");
    assert!(trust.open(data).is_err(), "nobody guesses a signature");
    if let Ok(note) = SignedNote::parse(data) {
        let written = note.to_string();
        assert_eq!(
            SignedNote::parse(written.as_bytes()).as_ref(),
            Ok(&note),
            "what was read is written back"
        );
        assert!(note.text().ends_with('\n'));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(checkpoint) = text.parse::<Checkpoint>() {
        assert_eq!(checkpoint.to_string(), text, "a checkpoint has one spelling");
        let signer = NoteSigner::from_seed("other.example".parse().expect("a key's name"), &[8; 32]);
        let signed = checkpoint.sign(&[&signer]).to_string();
        assert!(SignedNote::parse(signed.as_bytes()).is_ok(), "what is signed is a note");
    }
    if let Ok(key) = text.parse::<NoteVerifier>() {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
});
