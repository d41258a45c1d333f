//! Mails: one in a file, or many in a mailbox.
//!
//! In a mailbox (RFC 4155) each mail begins with a line `From ` behind an empty one. Writers escape such lines within mails, or
//! are taken at their word.

use crate::place::{Reason, Summary, Unit};
use crate::source::Source;
use crate::{Limits, Seen, Watcher};

const STEP_BYTES: usize = 256 * 1024;

pub(crate) fn mail(
    source: &mut Source<'_>,
    limits: &Limits,
    summary: &mut Summary,
    watcher: &mut dyn Watcher,
) {
    let bytes = source.want(limits.mail_bytes_max.saturating_add(1));
    let is_cut = bytes.len() > limits.mail_bytes_max;
    let bytes = &bytes[..bytes.len().min(limits.mail_bytes_max)];
    give(bytes, 1, is_cut, summary, watcher);
    let taken = bytes.len();
    source.consume(taken);
}

fn give(bytes: &[u8], number: u64, is_cut: bool, summary: &mut Summary, watcher: &mut dyn Watcher) {
    let place = summary.place(Unit::Mail(number));
    watcher.see(&place, Seen::Mail { bytes, is_cut });
    summary.pieces += 1;
    if is_cut {
        summary.trouble(Reason::TooLarge, Unit::Mail(number), "only its beginning was looked at");
    }
}

pub(crate) fn mbox(
    source: &mut Source<'_>,
    limits: &Limits,
    summary: &mut Summary,
    watcher: &mut dyn Watcher,
) {
    let (mut mail, mut number, mut is_cut) = (Vec::new(), 0, false);
    let mut follows_empty = true;
    loop {
        let bytes = source.want(STEP_BYTES);
        if bytes.is_empty() {
            break;
        }
        // A line longer than a step is no line that a mail begins with.
        let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
        let line = &bytes[..end];
        if follows_empty && line.starts_with(b"From ") {
            if number > 0 {
                give(&mail, number, is_cut, summary, watcher);
            }
            number += 1;
            mail.clear();
            is_cut = false;
        } else {
            let room = limits.mail_bytes_max.saturating_sub(mail.len());
            mail.extend_from_slice(&line[..line.len().min(room)]);
            is_cut |= line.len() > room;
        }
        follows_empty = line == b"\n" || line == b"\r\n";
        source.consume(end);
    }
    if number > 0 {
        give(&mail, number, is_cut, summary, watcher);
    }
}

#[cfg(test)]
mod tests {
    use crate::{Limits, Place, Seen, read};

    #[test]
    fn mails_of_a_mailbox_are_told_apart() {
        let text = "From a Thu Jan  1\nSubject: one\n\nbody\nFrom here on\n\nFrom b Thu\nSubject: two\n\nlonger body\n";
        let mut mails = Vec::new();
        let limits = Limits { mail_bytes_max: 32, ..Limits::default() };
        let summary = read("box", text.as_bytes(), &limits, &mut |place: &Place, seen: Seen<'_>| {
            let Seen::Mail { bytes, is_cut } = seen else { panic!("no mail") };
            mails.push((place.to_string(), String::from_utf8_lossy(bytes).into_owned(), is_cut));
        });
        let want = [
            ("box: mail 1".to_owned(), "Subject: one\n\nbody\nFrom here on\n".to_owned(), true),
            ("box: mail 2".to_owned(), "Subject: two\n\nlonger body\n".to_owned(), false),
        ];
        assert_eq!(mails[0].1[..], want[0].1[..mails[0].1.len()]);
        assert_eq!((&mails[1], mails[0].2), (&want[1], true));
        assert_eq!(summary.troubles.len(), 1);
    }
}
