//! One connection of a mail server, as a machine of states.

use thiserror::Error;

use crate::command::{Command, Malformed, Peer};
use crate::flags::{Actions, Negotiation, Steps, VERSION};
use crate::frame::{FrameError, Frames};
use crate::macros::Macros;
use crate::response::Response;
use crate::text::{HeaderName, Line};

/// The longest frame: pieces of a body have at most 64 KiB, one header may have as much as the server lets it (Postfix: 100 KiB).
const FRAME_BYTES_MAX: usize = 1024 * 1024 + 4096;

/// What a filter asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// What it may want to do; what the server does not offer, it cannot.
    pub actions: Actions,
    /// The longest frame that it is willing to hold, in bytes.
    pub frame_bytes_max: usize,
}

impl Default for Wishes {
    fn default() -> Self {
        let actions = Actions::ADD_HEADERS | Actions::CHANGE_HEADERS | Actions::QUARANTINE;
        Self { actions, frame_bytes_max: FRAME_BYTES_MAX }
    }
}

/// A step of a message, as told to the session's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Somebody connected to the server. May be left out by a server.
    Connected {
        /// The client's name, as the server knows it.
        host: &'a [u8],
        /// Where it is.
        peer: Peer<'a>,
    },
    /// How the client greets.
    Helo(&'a [u8]),
    /// A message begins: the sender with its angle brackets, and ESMTP parameters.
    Sender(Vec<&'a [u8]>),
    /// One more recipient, with its angle brackets, and ESMTP parameters.
    Recipient(Vec<&'a [u8]>),
    /// One more header.
    Header {
        /// Its name, without the colon.
        name: &'a [u8],
        /// All that follows the colon, its leading space too if the server [agreed](Session::keeps_leading_space).
        value: &'a [u8],
    },
    /// The headers are over.
    EndOfHeaders,
    /// A piece of the body.
    Body(&'a [u8]),
    /// The message is over: the server waits for [`Session::decide`].
    EndOfMessage,
    /// The message is given up; another may follow.
    Aborted,
    /// The client is gone; another may follow.
    ClientGone,
    /// The server is gone; nothing follows.
    Quit,
}

/// What is to become of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Take it, with these changes.
    Accept(Vec<Change>),
    /// Take it into the server's hold queue, for this reason, with these changes.
    Hold(Line, Vec<Change>),
    /// Say that it was taken, and throw it away: somebody else keeps it.
    Discard,
    /// Refuse it for good, with 550 5.7.1 and a text.
    Reject(Line),
    /// Refuse it for now, with 451 4.7.1 and a text: the sender will try again.
    TempFail(Line),
}

/// A change to a message's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Add a header behind the others.
    AddHeader(HeaderName, Line),
    /// Remove the header of this name at this place among its like, counted from 1.
    RemoveHeader(HeaderName, u32),
}

/// What the server did not offer, and the decision needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the mail server did not offer what the decision needs (actions 0x{:02x})", .missing.bits())]
pub struct NotAgreed {
    /// The actions.
    pub missing: Actions,
}

/// Why a session cannot go on. The owner closes the connection; the server then does what it is told to do without its filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// The stream is not one of frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame is not a command.
    #[error(transparent)]
    Command(#[from] Malformed),
    /// A command where it has no place.
    #[error("command `{letter}` has no place here")]
    OutOfOrder {
        /// The command.
        letter: char,
    },
    /// A protocol older than what Sendmail spoke in 2000.
    #[error("version {version} of the protocol")]
    Version {
        /// The server's version.
        version: u32,
    },
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before the negotiation.
    Greeting,
    /// Between messages.
    Idle,
    /// Sender and recipients.
    Envelope,
    /// Headers and body.
    Content,
    /// The server waits for a decision.
    Deciding,
    /// The server is gone.
    Over,
}

/// One connection of a mail server.
///
/// Feed it what came, then take events until there is none; send what it wrote. Between [`Event::EndOfMessage`] and
/// [`decide`](Self::decide) it gives no event.
#[derive(Debug)]
pub struct Session {
    wishes: Wishes,
    frames: Frames,
    stage: Stage,
    actions: Actions,
    steps: Steps,
    macros: Macros,
    /// A last piece of the body came with the end: the end is told next.
    end_is_due: bool,
}

impl Session {
    /// A connection that was just opened.
    #[must_use]
    pub fn new(wishes: Wishes) -> Self {
        Self {
            wishes,
            frames: Frames::new(wishes.frame_bytes_max),
            stage: Stage::Greeting,
            actions: Actions::NONE,
            steps: Steps::NONE,
            macros: Macros::default(),
            end_is_due: false,
        }
    }

    /// Takes what came.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.frames.feed(bytes);
    }

    /// The server's words for things, as of the last event; see [`Macros::value`].
    #[must_use]
    pub fn macros(&self) -> &Macros {
        &self.macros
    }

    /// What the server lets this filter do.
    #[must_use]
    pub fn actions(&self) -> Actions {
        self.actions
    }

    /// Whether the values of headers come with the space behind the colon.
    #[must_use]
    pub fn keeps_leading_space(&self) -> bool {
        self.steps.has(Steps::LEADING_SPACE)
    }

    /// Whether the server waits for a decision.
    #[must_use]
    pub fn is_deciding(&self) -> bool {
        self.stage == Stage::Deciding
    }

    /// The next event, if its frame is here whole. Answers that need no thought are appended to `out`.
    ///
    /// # Errors
    ///
    /// Fails for good if the server does not keep to the protocol.
    pub fn next_event(&mut self, out: &mut Vec<u8>) -> Result<Option<Event<'_>>, Violation> {
        if self.end_is_due {
            self.end_is_due = false;
            self.stage = Stage::Deciding;
            return Ok(Some(Event::EndOfMessage));
        }
        let (letter, payload) = loop {
            if matches!(self.stage, Stage::Deciding | Stage::Over) {
                return Ok(None);
            }
            let Some((letter, payload)) = self.frames.advance()? else { return Ok(None) };
            match Command::decode(letter, self.frames.bytes(payload.clone()))? {
                Command::Negotiate(offer) => {
                    self.expect(letter, &[Stage::Greeting])?;
                    self.negotiate(&offer, out)?;
                }
                // They are no step of their own: nobody answers them.
                Command::Macros { command, pairs } => self.macros.set(command, &pairs),
                Command::Unknown(_) => self.go_on(Steps::NO_REPLY_UNKNOWN, out),
                Command::Data => {
                    self.expect(letter, &[Stage::Envelope])?;
                    self.go_on(Steps::NO_REPLY_DATA, out);
                }
                Command::Connect { .. }
                | Command::Helo(_)
                | Command::Mail(_)
                | Command::Recipient(_)
                | Command::Header { .. }
                | Command::EndOfHeaders
                | Command::Body(_)
                | Command::EndOfMessage(_)
                | Command::Abort
                | Command::Quit
                | Command::QuitClient => break (letter, payload),
            }
        };
        self.advance(letter, out)?;
        let bytes = self.frames.bytes(payload);
        Ok(match Command::decode(letter, bytes)? {
            Command::Connect { host, peer } => Some(Event::Connected { host, peer }),
            Command::Helo(name) => Some(Event::Helo(name)),
            Command::Mail(words) => Some(Event::Sender(words)),
            Command::Recipient(words) => Some(Event::Recipient(words)),
            Command::Header { name, value } => Some(Event::Header { name, value }),
            Command::EndOfHeaders => Some(Event::EndOfHeaders),
            Command::Body(piece) => Some(Event::Body(piece)),
            Command::EndOfMessage([]) => {
                self.stage = Stage::Deciding;
                Some(Event::EndOfMessage)
            }
            Command::EndOfMessage(piece) => {
                self.end_is_due = true;
                Some(Event::Body(piece))
            }
            Command::Abort => Some(Event::Aborted),
            Command::QuitClient => Some(Event::ClientGone),
            Command::Quit => Some(Event::Quit),
            // The loop above kept these.
            Command::Negotiate(_) | Command::Macros { .. } | Command::Unknown(_) | Command::Data => None,
        })
    }

    /// Moves to where a command leads, and answers it unless the server does not wait.
    fn advance(&mut self, letter: u8, out: &mut Vec<u8>) -> Result<(), Violation> {
        let (from, to, silence): (&[Stage], Stage, Steps) = match letter {
            b'C' => (&[Stage::Idle], Stage::Idle, Steps::NO_REPLY_CONNECT),
            // A client may greet again, and ends a message by it.
            b'H' => (&[Stage::Idle, Stage::Envelope], Stage::Idle, Steps::NO_REPLY_HELO),
            b'M' => (&[Stage::Idle, Stage::Envelope], Stage::Envelope, Steps::NO_REPLY_MAIL),
            b'R' => (&[Stage::Envelope], Stage::Envelope, Steps::NO_REPLY_RECIPIENT),
            b'L' => (&[Stage::Envelope, Stage::Content], Stage::Content, Steps::NO_REPLY_HEADER),
            b'N' => (&[Stage::Envelope, Stage::Content], Stage::Content, Steps::NO_REPLY_END_OF_HEADERS),
            b'B' => (&[Stage::Envelope, Stage::Content], Stage::Content, Steps::NO_REPLY_BODY),
            b'E' => {
                self.expect(letter, &[Stage::Envelope, Stage::Content])?;
                self.stage = Stage::Content;
                return Ok(());
            }
            b'A' => {
                self.expect(letter, &[Stage::Idle, Stage::Envelope, Stage::Content])?;
                self.end_message();
                return Ok(());
            }
            b'K' => {
                self.end_message();
                self.macros.end_connection();
                return Ok(());
            }
            _ => {
                self.stage = Stage::Over;
                return Ok(());
            }
        };
        self.expect(letter, from)?;
        self.stage = to;
        self.go_on(silence, out);
        Ok(())
    }

    fn expect(&self, letter: u8, stages: &[Stage]) -> Result<(), Violation> {
        if stages.contains(&self.stage) {
            return Ok(());
        }
        Err(Violation::OutOfOrder { letter: char::from(letter) })
    }

    fn go_on(&self, silence: Steps, out: &mut Vec<u8>) {
        if !self.steps.has(silence) {
            Response::Continue.encode(out);
        }
    }

    fn end_message(&mut self) {
        self.macros.end_message();
        self.stage = Stage::Idle;
    }

    /// Agrees on the most that both want: all steps told, none of them waited after but the last.
    fn negotiate(&mut self, offer: &Negotiation, out: &mut Vec<u8>) -> Result<(), Violation> {
        if offer.version < 2 {
            return Err(Violation::Version { version: offer.version });
        }
        let silent = Steps::NO_REPLY_CONNECT
            | Steps::NO_REPLY_HELO
            | Steps::NO_REPLY_MAIL
            | Steps::NO_REPLY_RECIPIENT
            | Steps::NO_REPLY_DATA
            | Steps::NO_REPLY_UNKNOWN
            | Steps::NO_REPLY_HEADER
            | Steps::NO_REPLY_END_OF_HEADERS
            | Steps::NO_REPLY_BODY;
        self.steps = offer.steps.common(silent | Steps::LEADING_SPACE | Steps::NO_UNKNOWN);
        self.actions = offer.actions.common(self.wishes.actions);
        self.stage = Stage::Idle;
        let (actions, steps) = (self.actions, self.steps);
        let version = offer.version.min(VERSION);
        Response::Negotiate(Negotiation { version, actions, steps, symbols: Vec::new() }).encode(out);
        Ok(())
    }

    /// Tells the server that the decision takes longer, so that it waits on.
    pub fn progress(&self, out: &mut Vec<u8>) {
        if self.is_deciding() {
            Response::Progress.encode(out);
        }
    }

    /// Answers the end of a message.
    ///
    /// # Errors
    ///
    /// Fails, and leaves the server waiting, if it did not offer what the decision needs; another decision may follow.
    ///
    /// # Panics
    ///
    /// Panics if the server does not wait for a decision.
    pub fn decide(&mut self, decision: &Decision, out: &mut Vec<u8>) -> Result<(), NotAgreed> {
        assert!(self.is_deciding(), "a decision belongs to the end of a message");
        let missing = Actions::from_bits(decision.needs().bits() & !self.actions.bits());
        if missing != Actions::NONE {
            return Err(NotAgreed { missing });
        }
        decision.encode(self.keeps_leading_space(), out);
        self.end_message();
        Ok(())
    }
}

impl Decision {
    /// What the server must have offered.
    #[must_use]
    pub fn needs(&self) -> Actions {
        let (own, changes) = match self {
            Self::Accept(changes) => (Actions::NONE, changes.as_slice()),
            Self::Hold(_, changes) => (Actions::QUARANTINE, changes.as_slice()),
            Self::Discard | Self::Reject(_) | Self::TempFail(_) => (Actions::NONE, &[][..]),
        };
        changes.iter().fold(own, |needs, change| match change {
            Change::AddHeader(..) => needs | Actions::ADD_HEADERS,
            Change::RemoveHeader(..) => needs | Actions::CHANGE_HEADERS,
        })
    }

    fn encode(&self, leading_space: bool, out: &mut Vec<u8>) {
        match self {
            Self::Accept(changes) => {
                encode_changes(changes, leading_space, out);
                // At the end of a message it means: taken, as far as I am concerned.
                Response::Continue.encode(out);
            }
            Self::Hold(reason, changes) => {
                encode_changes(changes, leading_space, out);
                Response::Quarantine(reason.as_str().into()).encode(out);
                Response::Continue.encode(out);
            }
            Self::Discard => Response::Discard.encode(out),
            Self::Reject(text) => Response::Reply(format!("550 5.7.1 {text}").into()).encode(out),
            Self::TempFail(text) => Response::Reply(format!("451 4.7.1 {text}").into()).encode(out),
        }
    }
}

/// Where values keep their leading space, the server adds none of its own to a new one.
fn encode_changes(changes: &[Change], leading_space: bool, out: &mut Vec<u8>) {
    let space = if leading_space { " " } else { "" };
    for change in changes {
        match change {
            Change::AddHeader(name, value) => {
                Response::AddHeader(name.as_str().into(), format!("{space}{value}").into()).encode(out);
            }
            Change::RemoveHeader(name, place) => {
                Response::ChangeHeader(*place, name.as_str().into(), Vec::new()).encode(out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: u32 = 0x1f_ffff;

    fn offer(actions: u32, steps: u32) -> Command<'static> {
        let (actions, steps) = (Actions::from_bits(actions), Steps::from_bits(steps));
        Command::Negotiate(Negotiation { version: 6, actions, steps, symbols: Vec::new() })
    }

    fn message() -> Vec<Command<'static>> {
        vec![
            Command::Macros { command: b'C', pairs: vec![(b"j", b"mx.example")] },
            Command::Connect { host: b"a.example", peer: Peer::Inet("192.0.2.7:4711".parse().unwrap()) },
            Command::Helo(b"a.example"),
            Command::Macros { command: b'M', pairs: vec![(b"i", b"4Fx")] },
            Command::Mail(vec![b"<alice@a.example>"]),
            Command::Recipient(vec![b"<bob@b.example>"]),
            Command::Data,
            Command::Header { name: b"Subject", value: b" hi" },
            Command::EndOfHeaders,
            Command::Body(b"one "),
            Command::EndOfMessage(b"two"),
        ]
    }

    /// Feeds commands in pieces of `step` bytes, and gives the letters of events and of responses.
    fn run(
        session: &mut Session,
        commands: &[Command<'_>],
        step: usize,
    ) -> Result<(String, String), Violation> {
        let (mut bytes, mut out, mut events) = (Vec::new(), Vec::new(), String::new());
        for command in commands {
            command.encode(&mut bytes);
        }
        for piece in bytes.chunks(step) {
            session.feed(piece);
            while let Some(event) = session.next_event(&mut out)? {
                events.push(match event {
                    Event::Connected { .. } => 'C',
                    Event::Helo(_) => 'H',
                    Event::Sender(_) => 'M',
                    Event::Recipient(_) => 'R',
                    Event::Header { .. } => 'L',
                    Event::EndOfHeaders => 'N',
                    Event::Body(_) => 'B',
                    Event::EndOfMessage => 'E',
                    Event::Aborted => 'A',
                    Event::ClientGone => 'K',
                    Event::Quit => 'Q',
                });
            }
        }
        Ok((events, responses(&out)))
    }

    fn responses(out: &[u8]) -> String {
        let mut frames = Frames::new(4096);
        frames.feed(out);
        std::iter::from_fn(|| frames.take().unwrap().map(|(letter, _)| char::from(letter))).collect()
    }

    #[test]
    fn a_server_waits_only_where_it_must() {
        let cases = [
            // what the server can leave out, responses before the decision
            (OFFERED, "O"),
            (0, "Occccccccc"),        // C H M R T L N B, and the piece that came with the end
            (0x8_0000, "Occccccc"),   // but for the body's
            (0xff << 12 | 0x80, "O"), // all of them
        ];
        for (steps, want) in cases {
            for step in [1, 7, 10_000] {
                let mut session = Session::new(Wishes::default());
                let commands: Vec<_> = [offer(0x1ff, steps)].into_iter().chain(message()).collect();
                let (events, answers) = run(&mut session, &commands, step).unwrap();
                assert_eq!(events, "CHMRLNBBE", "steps 0x{steps:x}");
                let answers = if steps == 0 { answers + "c" } else { answers };
                assert_eq!(answers, want, "steps 0x{steps:x}");
                assert!(session.is_deciding());
                assert_eq!(session.macros().value("i"), Some(&b"4Fx"[..]));
            }
        }
    }

    #[test]
    fn a_decision_is_one_word() {
        let line = |text: &str| Line::new(text).unwrap();
        let name = || HeaderName::new("X-Ringfence").unwrap();
        let tag = || vec![Change::RemoveHeader(name(), 1), Change::AddHeader(name(), line("ref"))];
        let cases = [
            (Decision::Accept(Vec::new()), "c"),
            (Decision::Accept(tag()), "mhc"),
            (Decision::Hold(line("ref"), tag()), "mhqc"),
            (Decision::Discard, "d"),
            (Decision::Reject(line("refused (ref 7f)")), "y"),
            (Decision::TempFail(line("try again")), "y"),
        ];
        for (decision, want) in cases {
            let mut session = Session::new(Wishes::default());
            let commands: Vec<_> = [offer(0x1ff, OFFERED)].into_iter().chain(message()).collect();
            run(&mut session, &commands, 100).unwrap();
            let mut out = Vec::new();
            session.decide(&decision, &mut out).unwrap();
            assert_eq!(responses(&out), want, "{decision:?}");
            // The next message on the same connection.
            let (events, _) = run(&mut session, &message()[3..], 100).unwrap();
            assert_eq!(events, "MRLNBBE");
        }
    }

    #[test]
    fn what_the_server_does_not_offer_cannot_be_decided() {
        let mut session = Session::new(Wishes::default());
        let commands: Vec<_> = [offer(0x01, OFFERED)].into_iter().chain(message()).collect();
        run(&mut session, &commands, 100).unwrap();
        let mut out = Vec::new();
        let hold = Decision::Hold(Line::new("ref").unwrap(), Vec::new());
        assert_eq!(session.decide(&hold, &mut out), Err(NotAgreed { missing: Actions::QUARANTINE }));
        assert_eq!(out, b"", "nothing was said");
        session.decide(&Decision::TempFail(Line::new("no hold queue").unwrap()), &mut out).unwrap();
        assert_eq!(out, b"\0\0\0\x19y451 4.7.1 no hold queue\0");
    }

    #[test]
    fn commands_have_their_place() {
        let begin = || vec![offer(0x1ff, OFFERED)];
        let cases: [(Vec<Command<'_>>, Result<&str, char>); 8] = [
            (message(), Err('C')),
            ([begin(), begin()].concat(), Err('O')),
            ([begin(), vec![Command::Body(b"x")]].concat(), Err('B')),
            ([begin(), vec![Command::Recipient(vec![b"<a@b>"])]].concat(), Err('R')),
            ([begin(), vec![Command::EndOfMessage(b"")]].concat(), Err('E')),
            (
                [begin(), message()[..8].to_vec(), vec![Command::Abort], message()[3..5].to_vec()].concat(),
                Ok("CHMRLAM"),
            ),
            (
                [begin(), message()[..6].to_vec(), vec![Command::QuitClient], message()[..3].to_vec()]
                    .concat(),
                Ok("CHMRKCH"),
            ),
            (
                [begin(), vec![Command::Unknown(b"VRFY"), Command::Quit, Command::Body(b"x")]].concat(),
                Ok("Q"),
            ),
        ];
        for (commands, want) in cases {
            let got = run(&mut Session::new(Wishes::default()), &commands, 64);
            match want {
                Ok(events) => assert_eq!(got.unwrap().0, events, "{commands:?}"),
                Err(letter) => assert_eq!(got, Err(Violation::OutOfOrder { letter }), "{commands:?}"),
            }
        }
    }

    #[test]
    fn what_waits_behind_a_message_waits_for_its_decision() {
        let mut session = Session::new(Wishes::default());
        let commands = [vec![offer(0x1ff, OFFERED)], message(), message()[3..].to_vec()].concat();
        let (events, _) = run(&mut session, &commands, 10_000).unwrap();
        assert_eq!(events, "CHMRLNBBE");
        session.decide(&Decision::Discard, &mut Vec::new()).unwrap();
        let (events, _) = run(&mut session, &[], 1).unwrap_or_default();
        assert_eq!(events, "", "nothing new came");
        let mut out = Vec::new();
        assert!(matches!(session.next_event(&mut out), Ok(Some(Event::Sender(_)))));
    }
}
