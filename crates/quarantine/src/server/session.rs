//! One connection of a mail server: bytes in, events to a mail, a verdict out.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use milter::{Event, Peer, Session, Wishes};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::{task, time};

use super::Quarantine;
use super::counts::Failure;
use super::spool::Spool;
use super::verdict::{Incoming, Verdict};

const READ_BYTES: usize = 64 * 1024;
/// Postfix waits 300 s for the word at the end of a message (`milter_content_timeout`), Sendmail 300 s, too.
const PROGRESS_EVERY: Duration = Duration::from_secs(20);
/// The most tags that are removed from a mail, one frame each.
const FORGED_TAGS_MAX: u32 = 1_000;

/// Why a connection ended before the mail server wanted it to.
#[derive(Debug, Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Violation(#[from] milter::Violation),
    #[error("the mail server was silent too long")]
    Silence,
    #[error(transparent)]
    Connection(#[from] io::Error),
}

/// The mail that is coming in, if one is.
struct Current {
    mail: Option<Incoming>,
    headers_ended: bool,
    peer: Option<IpAddr>,
}

/// What an event asks for that needs the connection.
enum Step {
    GoOn,
    Decide,
    Over,
}

pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    quarantine: &Arc<Quarantine>,
    listener: &Arc<str>,
    stream: &mut S,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Ended> {
    let mut session = Session::new(Wishes::default());
    let mut current = Current { mail: None, headers_ended: false, peer: None };
    let mut out = Vec::new();
    let mut input = vec![0; READ_BYTES];
    loop {
        loop {
            let leading_space = session.keeps_leading_space();
            let asked = match session.next_event(&mut out)? {
                None => break,
                Some(event) => current.take(quarantine, listener, leading_space, event),
            };
            match asked {
                Step::GoOn => (),
                Step::Over => return Ok(stream.flush().await?),
                Step::Decide => {
                    if let Some(mut mail) = current.mail.take() {
                        let queue_id = session.macros().value("i").unwrap_or_default();
                        mail.queue_id = String::from_utf8_lossy(queue_id).into_owned();
                        mail.actions = session.actions();
                        decide(quarantine, &mut session, mail, stream, &mut out).await?;
                    }
                }
            }
            if let Some(mail) = current.mail.take_if(|mail| mail.spool.is_heavy()) {
                current.mail = Some(Incoming { spool: mail.spool.relieve().await, ..mail });
            }
        }
        if !out.is_empty() {
            stream.write_all(&out).await?;
            out.clear();
        }
        // Between two mails a mail server can do without us at once; within one it would have to ask the sender again.
        let is_stopping = *stop.borrow();
        if is_stopping && current.mail.is_none() {
            return Ok(());
        }
        let read = tokio::select! {
            read = time::timeout(quarantine.settings.idle_max, stream.read(&mut input)) => read,
            _ = stop.changed(), if !is_stopping => continue,
        };
        match read {
            Err(_) => return Err(Ended::Silence),
            Ok(Ok(0)) => return Ok(()),
            Ok(Ok(bytes)) => session.feed(&input[..bytes]),
            Ok(Err(error)) => return Err(error.into()),
        }
    }
}

impl Current {
    fn take(
        &mut self,
        quarantine: &Quarantine,
        listener: &Arc<str>,
        leading_space: bool,
        event: Event<'_>,
    ) -> Step {
        match event {
            Event::Connected { peer, .. } => {
                self.peer = match peer {
                    Peer::Inet(address) => Some(address.ip()),
                    Peer::Unix(_) | Peer::Unknown => None,
                };
            }
            Event::Sender(words) => {
                self.headers_ended = false;
                self.mail = Some(Incoming {
                    listener: Arc::clone(listener),
                    peer: self.peer,
                    sender: bare(words.first().copied().unwrap_or_default()),
                    recipients: Vec::new(),
                    queue_id: String::new(),
                    spool: Spool::new(Arc::clone(&quarantine.store), quarantine.settings.memory_bytes_max),
                    forged_tags: 0,
                    actions: milter::Actions::NONE,
                    failure: None,
                });
            }
            Event::Aborted | Event::ClientGone => self.mail = None,
            Event::Quit => return Step::Over,
            Event::EndOfMessage => {
                self.end_headers();
                return Step::Decide;
            }
            Event::EndOfHeaders => self.end_headers(),
            Event::Body(piece) => {
                self.end_headers();
                if let Some(mail) = &mut self.mail {
                    mail.spool.push(piece);
                }
            }
            Event::Recipient(words) => {
                if let Some(mail) = &mut self.mail {
                    if mail.recipients.len() < quarantine.settings.recipients_max {
                        mail.recipients.push(bare(words.first().copied().unwrap_or_default()));
                    } else {
                        mail.failure = Some(Failure::Recipients);
                    }
                }
            }
            Event::Header { name, value } => {
                if let Some(mail) = &mut self.mail {
                    if name.eq_ignore_ascii_case(quarantine.settings.tag_header.as_str().as_bytes()) {
                        mail.forged_tags = (mail.forged_tags + 1).min(FORGED_TAGS_MAX);
                    }
                    push_header(&mut mail.spool, name, value, leading_space);
                }
            }
            Event::Helo(_) => (),
        }
        Step::GoOn
    }

    fn end_headers(&mut self) {
        if let Some(mail) = self.mail.as_mut().filter(|_| !self.headers_ended) {
            mail.spool.push(b"\r\n");
            self.headers_ended = true;
        }
    }
}

/// Writes a header as it came over SMTP: the server hands it over with line feeds alone.
fn push_header(spool: &mut Spool, name: &[u8], value: &[u8], leading_space: bool) {
    spool.push(name);
    spool.push(if leading_space { b":" } else { b": " });
    for (at, line) in value.split(|byte| *byte == b'\n').enumerate() {
        if at > 0 {
            spool.push(b"\r\n");
        }
        spool.push(line.strip_suffix(b"\r").unwrap_or(line));
    }
    spool.push(b"\r\n");
}

fn bare(address: &[u8]) -> String {
    let address = String::from_utf8_lossy(address);
    let address = address.trim();
    address.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(address).to_owned()
}

/// Asks for a verdict, tells the server to wait as long as that takes, and answers.
async fn decide<S: AsyncRead + AsyncWrite + Unpin>(
    quarantine: &Arc<Quarantine>,
    session: &mut Session,
    mail: Incoming,
    stream: &mut S,
    out: &mut Vec<u8>,
) -> Result<(), Ended> {
    quarantine.count(|counts| {
        counts.mails += 1;
        counts.bytes += mail.spool.bytes;
    });
    let mut verdict = pin!(verdict(quarantine, mail));
    let verdict = loop {
        tokio::select! {
            verdict = &mut verdict => break verdict,
            () = time::sleep(PROGRESS_EVERY) => {
                session.progress(out);
                stream.write_all(out).await?;
                out.clear();
            }
        }
    };
    let mut word = verdict.word;
    if session.decide(&verdict.decision, out).is_err() {
        // `failed` asks for nothing that a server could not offer.
        let verdict = quarantine.failed(Failure::NotOffered, &[]);
        word = verdict.word;
        session.decide(&verdict.decision, out).map_err(io::Error::other)?;
    }
    quarantine.count(|counts| *counts.decisions.entry(word).or_insert(0) += 1);
    stream.write_all(out).await?;
    out.clear();
    Ok(())
}

async fn verdict(quarantine: &Arc<Quarantine>, mail: Incoming) -> Verdict {
    // The semaphore is never closed.
    let permit = quarantine.inspections.acquire().await;
    let now = quarantine.clock.now();
    let worker = Arc::clone(quarantine);
    let settled = task::spawn_blocking(move || worker.settle(mail, now)).await;
    drop(permit);
    settled.unwrap_or_else(|error| {
        tracing::error!(error = %error, "the look at a mail failed");
        quarantine.failed(Failure::Inspection, &[])
    })
}
