//! Server-sent events, read on a thread of their own so that a silent hub keeps nobody waiting.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Hub, HubError, Received};
use crate::indicator::Rights;

/// How many events may wait to be taken.
const WAITING_MAX: usize = 4_096;
/// The longest line: the largest object with what is around it.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// What a stream says.
#[derive(Debug)]
pub(super) enum Event {
    /// An object and its date.
    Object { received: Received, date: String },
    /// Something that this reader had is gone, at an instant; the manifest says what is left.
    Resync(String),
    /// The hub is there.
    Alive,
    /// The stream is over; with a reason if it should not be.
    End(Option<String>),
}

/// An open stream.
pub(super) struct Events {
    receiver: Receiver<Event>,
    /// One event that was looked at.
    ahead: Option<Event>,
}

impl Events {
    /// Opens a stream behind `after`, or one that `ends` when it has said what there is.
    pub(super) fn open(
        hub: &Hub,
        collection: &str,
        after: Option<&str>,
        ends: bool,
    ) -> Result<Self, HubError> {
        let collection = taxii::encode_component(collection);
        let path = format!("/api/stream?collection={collection}{}", if ends { "&poll" } else { "" });
        let reader = hub.stream(&path, after)?;
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let spawned =
            thread::Builder::new().name("guard-stream".to_owned()).spawn(move || read(reader, &sender));
        spawned.map_err(|error| HubError::Failed(format!("no thread for the stream: {error}")))?;
        Ok(Self { receiver, ahead: None })
    }

    /// The next event, if one comes in time.
    pub(super) fn next(&mut self, patience: Duration) -> Option<Event> {
        if let Some(event) = self.ahead.take() {
            return Some(event);
        }
        match self.receiver.recv_timeout(patience) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Event::End(None)),
        }
    }

    /// Whether another event is there already.
    pub(super) fn has_more(&mut self) -> bool {
        if self.ahead.is_none() {
            self.ahead = self.receiver.try_recv().ok();
        }
        self.ahead.is_some()
    }
}

/// How many events a stream's bytes say, and whether it ended well.
#[must_use]
pub fn events_in(bytes: &[u8]) -> (usize, bool) {
    let (mut events, mut ended_well) = (0, false);
    lines(bytes, &mut |event| {
        ended_well = matches!(event, Event::End(None));
        events += 1;
        true
    });
    (events, ended_well)
}

fn read(reader: impl Read, sender: &SyncSender<Event>) {
    lines(reader, &mut |event| sender.send(event).is_ok());
}

/// Gives each event to `take`, until it wants no more or the stream ends.
fn lines(reader: impl Read, take: &mut dyn FnMut(Event) -> bool) {
    let mut reader = BufReader::with_capacity(1 << 16, reader);
    let mut message = Message::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let end = match reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            // The time for one connection is over, or the connection is; the cursor knows where to go on.
            Ok(0) | Err(_) => Event::End(None),
            Ok(_) if line.last() != Some(&b'\n') => {
                Event::End(Some("a line of the stream is too long or cut".to_owned()))
            }
            Ok(_) => {
                let event = message.line(trimmed(&line));
                if event.is_some_and(|event| !take(event)) {
                    return;
                }
                continue;
            }
        };
        let _ended = take(end);
        return;
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// An event as its lines come.
#[derive(Default)]
struct Message {
    id: String,
    kind: String,
    data: Vec<u8>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(default)]
    date_added: Option<String>,
    #[serde(borrow, default)]
    rights: Option<Vec<&'a str>>,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Default, Deserialize)]
struct Departed {
    #[serde(default)]
    at: String,
}

impl Message {
    fn line(&mut self, line: &[u8]) -> Option<Event> {
        if line.is_empty() {
            return self.finish();
        }
        if line.first() == Some(&b':') {
            return Some(Event::Alive);
        }
        let (name, value) = match line.iter().position(|byte| *byte == b':') {
            Some(at) => (&line[..at], line[at + 1..].strip_prefix(b" ").unwrap_or(&line[at + 1..])),
            None => (line, &b""[..]),
        };
        match name {
            b"id" => self.id = String::from_utf8_lossy(value).into_owned(),
            b"event" => self.kind = String::from_utf8_lossy(value).into_owned(),
            b"data" => {
                if !self.data.is_empty() {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            _ => {}
        }
        None
    }

    fn finish(&mut self) -> Option<Event> {
        let message = std::mem::take(self);
        match message.kind.as_str() {
            "resync" => {
                let departed = serde_json::from_slice::<Departed>(&message.data).unwrap_or_default();
                Some(Event::Resync(departed.at))
            }
            "object" => {
                let Ok(data) = serde_json::from_slice::<Data<'_>>(&message.data) else {
                    return Some(Event::End(Some("the stream sent what is no event".to_owned())));
                };
                let rights = data.rights.map_or(Rights::ALL, Rights::of_words);
                let received = Received { object: data.object.get().as_bytes().to_vec(), rights };
                Some(Event::Object { received, date: data.date_added.unwrap_or(message.id) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<Event> {
        let (sender, receiver) = sync_channel(100);
        read(text.as_bytes(), &sender);
        receiver.try_iter().collect()
    }

    #[test]
    fn objects_come_with_their_date_and_rights() {
        let text = ": open\n\nid: 2026-01-10T12:34:56.000001Z\nevent: object\ndata: {\"collection\":\"c\",\"date_added\":\"2026-01-10T12:34:56.000001Z\",\"rights\":[\"display\"],\ndata: \"object\":{\"a\":1}}\n\nevent: resync\ndata: {\"at\":\"x\"}\n\n";
        let events = events(text);
        assert!(matches!(events[0], Event::Alive));
        let Event::Object { received, date } = &events[1] else { panic!("{events:?}") };
        assert_eq!(received.object, b"{\"a\":1}");
        assert!(received.rights.may_display() && !received.rights.may_enforce());
        assert_eq!(date, "2026-01-10T12:34:56.000001Z");
        assert!(matches!(&events[2], Event::Resync(at) if at == "x"), "{events:?}");
        assert!(matches!(events[3], Event::End(None)));
    }

    #[test]
    fn what_is_cut_or_no_event_ends_the_stream_with_a_reason() {
        assert_eq!(events_in(b": open\n\nevent: resync\ndata: {}\n\n"), (3, true));
        assert!(matches!(events("id: 1\nevent: obj").last(), Some(Event::End(Some(_)))));
        assert!(matches!(events("event: object\ndata: {}\n\n")[0], Event::End(Some(_))));
    }
}
