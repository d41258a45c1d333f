//! From a mail that came whole to what the mail server hears.
//!
//! This is the one place where a mail may be taken away from the mail server, so the order is told here: look, decide, and for
//! [`Store`](Action::Store) write, sync and rename *before* the answer. Whatever fails on the way ends in what the site chose for failures.

use std::net::IpAddr;
use std::sync::Arc;

use milter::{Actions, Change, Decision, Line};
use model::Timestamp;

use super::Quarantine;
use super::counts::Failure;
use super::spool::Spool;
use crate::inspect::{Mail, Report, inspect};
use crate::judge::{Action, Client, Hit, SiteEntry};
use crate::settings::Otherwise;
use crate::store::About;

/// References that a header or a reply has room for.
const REFERENCES_TOLD_MAX: usize = 3;

/// A mail that came whole.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) listener: Arc<str>,
    pub(super) peer: Option<IpAddr>,
    pub(super) sender: String,
    pub(super) recipients: Vec<String>,
    pub(super) queue_id: String,
    pub(super) spool: Spool,
    /// How many headers of the tag's name it brought.
    pub(super) forged_tags: u32,
    /// What the mail server lets us do.
    pub(super) actions: Actions,
    /// What went wrong while it came.
    pub(super) failure: Option<Failure>,
}

/// What the mail server hears, and the word for it in the counts.
pub(super) struct Verdict {
    pub(super) decision: Decision,
    pub(super) word: &'static str,
}

fn line(text: &str) -> Line {
    let safe: String =
        text.chars().map(|c| if matches!(c, ' '..='~') && c != '%' { c } else { '?' }).take(400).collect();
    Line::new(safe).unwrap_or_else(|_| Line::new("-").expect("a hyphen is printable"))
}

impl Quarantine {
    /// Looks at a mail and says what becomes of it. It reads and writes files: call it from a thread that may.
    pub(super) fn settle(&self, mut mail: Incoming, now: Timestamp) -> Verdict {
        if let Some(failure) = mail.failure {
            return self.failed(failure, &mail_changes(self, &mail));
        }
        let (bytes, is_cut) = match mail.spool.beginning(self.settings.inspected_bytes_max) {
            Ok(beginning) => beginning,
            Err(error) => {
                tracing::error!(error = %error, "a mail could not be spooled");
                return self.failed(Failure::Spool, &mail_changes(self, &mail));
            }
        };
        let client = Client { listener: &mail.listener, peer: mail.peer, recipients: &mail.recipients };
        let looked_at = Mail { client, sender: &mail.sender, bytes: &bytes, is_cut };
        let own = self.judge.for_mail(&client);
        let judge = own.as_deref().unwrap_or(self.judge.as_ref());
        let mut report = inspect(&looked_at, judge, &self.settings.limits);
        judge.settle(&mut report.findings);
        drop(bytes);
        self.count(|counts| {
            for (reason, times) in &report.unexamined {
                *counts.unexamined.entry(*reason).or_insert(0) += times;
            }
        });
        self.enforce(mail, &report, now)
    }

    fn enforce(&self, mail: Incoming, report: &Report, now: Timestamp) -> Verdict {
        let worst = report.worst();
        let blames = report.findings.iter().filter(|(_, action)| Some(**action) == worst);
        let references: Vec<String> = blames.map(|(slot, _)| self.judge.reference(*slot)).collect();
        let told = line(&references[..references.len().min(REFERENCES_TOLD_MAX)].join(", "));
        let site_log = self.site_log.as_ref().filter(|log| log.is_on());
        let (queue_id, sender) = match site_log {
            Some(_) => (mail.queue_id.clone(), mail.sender.clone()),
            None => Default::default(),
        };
        let (listener, peer, recipients) = (Arc::clone(&mail.listener), mail.peer, mail.recipients.clone());
        let actions = mail.actions;
        let mut changes = mail_changes(self, &mail);
        let decision = match worst {
            None if !report.unexamined.is_empty() && self.settings.on_unexamined == Otherwise::TempFail => {
                Ok((Decision::TempFail(line("the message cannot be examined")), "tempfail"))
            }
            None | Some(Action::Monitor) => Ok((Decision::Accept(changes.clone()), "pass")),
            Some(Action::Tag) => {
                changes.push(Change::AddHeader(self.settings.tag_header.clone(), told));
                Ok((Decision::Accept(changes.clone()), "tag"))
            }
            Some(Action::Hold) => {
                let reason = line(&format!("ringfence {told}"));
                Ok((Decision::Hold(reason, changes.clone()), "hold"))
            }
            Some(Action::Store) => keep(mail, report, references.clone(), now),
            Some(Action::Reject) => Ok((
                Decision::Reject(line(&format!("message refused by policy (reference {told})"))),
                "reject",
            )),
        };
        let (decision, word) = match decision {
            Ok(decided) if actions.has(decided.0.needs()) => decided,
            Ok(_) => return self.failed(Failure::NotOffered, &[]),
            Err(failure) => return self.failed(failure, &changes),
        };
        // Counted only now: a mail that was sent away for a failure comes again, and hits again.
        for (slot, action) in &report.findings {
            let client = Client { listener: &listener, peer, recipients: &recipients };
            self.sink.hit_of(&client, Hit { slot: *slot, action: *action, at: now });
        }
        if let (Some(log), Some(action)) = (site_log, worst) {
            let entry = SiteEntry {
                at: now,
                action,
                references: &references,
                queue_id: &queue_id,
                sender: &sender,
                recipients: &recipients,
                subject: &report.subject,
            };
            log.entry(&entry);
        }
        Verdict { decision, word }
    }

    /// What a failure costs, by the site's choice.
    pub(super) fn failed(&self, failure: Failure, changes: &[Change]) -> Verdict {
        self.count(|counts| *counts.failures.entry(failure).or_insert(0) += 1);
        match self.choices().on_failure {
            Otherwise::TempFail => {
                let text = line("the message cannot be examined now, try again later");
                Verdict { decision: Decision::TempFail(text), word: "tempfail" }
            }
            Otherwise::Pass => Verdict { decision: Decision::Accept(changes.to_vec()), word: "pass" },
        }
    }
}

/// Keeps a mail, and only then says that it was taken.
fn keep(
    mail: Incoming,
    report: &Report,
    references: Vec<String>,
    now: Timestamp,
) -> Result<(Decision, &'static str), Failure> {
    let about = About {
        at: now,
        queue_id: mail.queue_id,
        listener: mail.listener.to_string(),
        peer: mail.peer,
        sender: mail.sender,
        recipients: mail.recipients,
        subject: report.subject.clone(),
        references,
        bytes: mail.spool.bytes,
    };
    match mail.spool.keep(&about) {
        Ok(id) => {
            tracing::info!(mail.id = %id, "a mail was stored");
            Ok((Decision::Discard, "store"))
        }
        Err(error) => {
            tracing::error!(error = %error, "a mail could not be stored");
            Err(Failure::Store)
        }
    }
}

/// A tag is ours: those that came with the mail go, the last first so that the others keep their places.
fn mail_changes(quarantine: &Quarantine, mail: &Incoming) -> Vec<Change> {
    if !mail.actions.has(Actions::CHANGE_HEADERS) {
        return Vec::new();
    }
    let name = &quarantine.settings.tag_header;
    (1..=mail.forged_tags).rev().map(|place| Change::RemoveHeader(name.clone(), place)).collect()
}
