//! Macros: the server's own words for things, sent before the command that they belong to.

/// The most bytes of macros that one connection may have us keep; Postfix sends a few hundred.
const MACRO_BYTES_MAX: usize = 64 * 1024;

/// A macro's name, and what it stands for.
type Pair = (Vec<u8>, Vec<u8>);

/// The macros that hold now, by the command that they came before.
#[derive(Debug, Default)]
pub struct Macros {
    by_command: Vec<(u8, Vec<Pair>)>,
    bytes: usize,
}

impl Macros {
    /// The value of a macro, without braces around its name: `i`, `auth_authen`. The latest word counts.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        let pairs = self.by_command.iter().rev().flat_map(|(_, pairs)| pairs);
        pairs.into_iter().find(|(known, _)| known == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// Takes the macros of a command instead of its earlier ones. Beyond the limit they are left out.
    pub(crate) fn set(&mut self, command: u8, pairs: &[(&[u8], &[u8])]) {
        self.forget(|known| known == command);
        let mut kept = Vec::with_capacity(pairs.len().min(64));
        for (name, value) in pairs {
            // Each costs some memory of its own, however short it is.
            let cost = name.len() + value.len() + 64;
            if self.bytes + cost > MACRO_BYTES_MAX {
                break;
            }
            self.bytes += cost;
            kept.push((bare(name).to_vec(), value.to_vec()));
        }
        self.by_command.push((command, kept));
    }

    /// What was said of a message is over with it; what was said of the connection stays.
    pub(crate) fn end_message(&mut self) {
        self.forget(|command| !matches!(command, b'C' | b'H'));
    }

    pub(crate) fn end_connection(&mut self) {
        *self = Self::default();
    }

    fn forget(&mut self, is_over: impl Fn(u8) -> bool) {
        self.by_command.retain(|(command, _)| !is_over(*command));
        let kept = self.by_command.iter().flat_map(|(_, pairs)| pairs);
        self.bytes = kept.map(|(name, value)| name.len() + value.len() + 64).sum();
    }
}

/// A long name stands in braces.
fn bare(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_messages_macros_end_with_it() {
        let mut macros = Macros::default();
        macros.set(b'C', &[(b"j", b"mx.example"), (b"{daemon_name}", b"smtpd")]);
        macros.set(b'M', &[(b"i", b"4Fx")]);
        assert_eq!(macros.value("i"), Some(&b"4Fx"[..]));
        assert_eq!(macros.value("daemon_name"), Some(&b"smtpd"[..]));
        macros.set(b'E', &[(b"i", b"5Gy")]);
        assert_eq!(macros.value("i"), Some(&b"5Gy"[..]), "the latest counts");
        macros.end_message();
        assert_eq!(macros.value("i"), None);
        assert_eq!(macros.value("j"), Some(&b"mx.example"[..]));
    }

    #[test]
    fn macros_without_end_are_not_kept() {
        let mut macros = Macros::default();
        let value = vec![b'x'; 40_000];
        for command in 0..=255 {
            macros.set(command, &[(b"a", &value), (b"b", &value)]);
        }
        assert!(macros.bytes <= MACRO_BYTES_MAX);
        assert_eq!(macros.value("b"), None, "two do not fit");
    }
}
