//! What a mail server, or somebody who says to be one, sends to the filter; and what a filter sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milter::{Command, Decision, Event, Frames, Response, Session, Wishes};

/// All events as text, with every decision the same one; the stream comes in pieces of `step` bytes.
fn events(data: &[u8], step: usize) -> (Vec<String>, Vec<u8>) {
    let mut session = Session::new(Wishes { frame_bytes_max: 4_096, ..Wishes::default() });
    let (mut seen, mut out) = (Vec::new(), Vec::new());
    for piece in data.chunks(step) {
        session.feed(piece);
        loop {
            match session.next_event(&mut out) {
                Ok(Some(Event::EndOfMessage)) => {
                    seen.push("end".to_owned());
                    session.decide(&Decision::Discard, &mut out).expect("it needs nothing of the server");
                }
                Ok(Some(event)) => seen.push(format!("{event:?}")),
                Ok(None) => break,
                Err(violation) => {
                    seen.push(violation.to_string());
                    return (seen, out);
                }
            }
        }
    }
    (seen, out)
}

fuzz_target!(|data: &[u8]| {
    let whole = events(data, data.len().max(1));
    assert_eq!(events(data, 1), whole, "a stream means the same however it is cut");
    let mut frames = Frames::new(1 << 20);
    frames.feed(&whole.1);
    while let Some((letter, payload)) = frames.take().expect("we write frames") {
        Response::decode(letter, payload).expect("we write what can be read");
    }
    if let Some((letter, payload)) = data.split_first() {
        if let Ok(command) = Command::decode(*letter, payload) {
            let mut written = Vec::new();
            command.encode(&mut written);
            let mut frames = Frames::new(1 << 20);
            frames.feed(&written);
            let (letter, payload) = frames.take().expect("a frame").expect("a whole one");
            assert_eq!(Command::decode(letter, payload), Ok(command));
        }
    }
});
