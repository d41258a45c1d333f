//! A mail put together again, for indicators that ask for several things of it at once.

use crate::judge::{Observable, Whole, WholeFile};

/// So much of a mail's text is kept; indicators about texts alone see all of it anyway.
const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// So many things of each sort are kept.
const EACH_MAX: usize = 2_000;

impl Whole {
    /// Takes down what is looked at, in its order.
    pub(super) fn note(&mut self, observable: &Observable<'_>) {
        match observable {
            Observable::Mailbox(role, text) => add(&mut self.mailboxes, (*role, (*text).to_owned(), None)),
            // It comes right behind its address.
            Observable::SenderName(text) => {
                if let Some((_, _, name)) = self.mailboxes.last_mut() {
                    *name = Some((*text).to_owned());
                }
            }
            Observable::Subject(text) => {
                if self.subject.is_empty() {
                    (*text).clone_into(&mut self.subject);
                }
            }
            Observable::Url(text) => add(&mut self.urls, (*text).to_owned()),
            Observable::Name(text) => add(&mut self.names, (*text).to_owned()),
            Observable::Address(address) => add(&mut self.addresses, *address),
            Observable::FileName(name) => self.file_name(name),
            Observable::Hash(algorithm, digest) => {
                if let Some(file) = self.files.last_mut() {
                    file.hashes.push((*algorithm, digest.to_vec()));
                }
            }
            Observable::Text(text) => {
                let room = TEXT_BYTES_MAX.saturating_sub(self.text.len());
                self.text.push_str(&text[..text.floor_char_boundary(room)]);
                if room > 0 {
                    self.text.push('\n');
                }
            }
        }
    }

    /// The content of a file, before its digests are told. It belongs to the last name that has none yet.
    pub(super) fn file(&mut self, size: usize) {
        match self.files.last_mut() {
            Some(file) if file.size.is_none() => file.size = Some(size),
            // A second way to read the same file, as with its line ends changed, or one without a name.
            Some(_) | None => add(&mut self.files, WholeFile { size: Some(size), ..WholeFile::default() }),
        }
    }

    fn file_name(&mut self, name: &str) {
        // A name with its folder comes right behind the name alone.
        let is_said = |file: &WholeFile| {
            file.size.is_none()
                && file.name.as_deref().is_some_and(|known| name.len() > known.len() && name.ends_with(known))
        };
        if !self.files.last().is_some_and(is_said) {
            add(&mut self.files, WholeFile { name: Some(name.to_owned()), ..WholeFile::default() });
        }
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if list.len() < EACH_MAX {
        list.push(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Algorithm;

    #[test]
    fn digests_go_with_their_names() {
        let mut whole = Whole::default();
        whole.note(&Observable::FileName("a.exe"));
        whole.note(&Observable::FileName("folder/a.exe"));
        whole.file(3);
        whole.note(&Observable::Hash(Algorithm::Md5, b"one"));
        whole.note(&Observable::FileName("locked.doc"));
        whole.note(&Observable::FileName("b.doc"));
        whole.file(4);
        whole.note(&Observable::Hash(Algorithm::Md5, b"two"));
        whole.file(5);
        let told: Vec<_> =
            whole.files.iter().map(|file| (file.name.as_deref(), file.size, file.hashes.len())).collect();
        assert_eq!(
            told,
            [
                (Some("a.exe"), Some(3), 1),
                (Some("locked.doc"), None, 0),
                (Some("b.doc"), Some(4), 1),
                (None, Some(5), 0)
            ]
        );
    }
}
