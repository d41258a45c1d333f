//! Who counts as a different person.
//!
//! The hub knows credentials. A credential of one of the programme's people can name the person who has it, and then all
//! credentials with that name are one person's: an officer with a token for the office and one for the road agrees to
//! a step once. A credential that names nobody agrees to nothing that takes more than one person: whoever issues two of
//! them would be two.
//!
//! ```text
//! credential:a  person "A. Ash"     agrees      1 of 2
//! credential:b  person "a.  ash"    is refused: the same person
//! credential:c                      is refused: nobody's
//! credential:d  person "B. Birch"   agrees      2 of 2
//! ```
//!
//! That the names are true is for whoever issues credentials; each is an entry of the ledger, with its author.

use model::{Caller, CredentialId, Timestamp};

use crate::dossier::Agreement;
use crate::error::AdminError;
use crate::exchange::name_of;
use crate::registry::Registry;

/// The longest name of a person, in bytes.
const NAME_LENGTH_MAX: usize = 200;

/// A person's name as it is kept: one space between its words, none around them.
pub(crate) fn name(text: &str) -> Result<String, AdminError> {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() || words.len() > NAME_LENGTH_MAX || words.chars().any(char::is_control) {
        let message = format!("a person's name is 1 to {NAME_LENGTH_MAX} bytes of text");
        return Err(AdminError::Invalid(message));
    }
    Ok(words)
}

/// What is compared: small and capital letters are one.
fn person_of(registry: &Registry, credential: &CredentialId) -> String {
    let known = registry.credentials.get(credential).and_then(|record| record.person.as_deref());
    known.map_or_else(|| credential.to_string(), str::to_lowercase)
}

/// Whether a credential of this hub names nobody.
fn is_nobodys(registry: &Registry, credential: &CredentialId) -> bool {
    registry.credentials.get(credential).is_some_and(|known| known.person.is_none())
}

/// Adds the caller's agreement to those that still count.
///
/// # Errors
///
/// Refuses a person who agreed already, by this credential or another, and, where it takes several, a credential that
/// names nobody.
pub(crate) fn agree(
    registry: &Registry,
    agreed: &mut Vec<Agreement>,
    needs: u32,
    caller: &Caller,
    now: Timestamp,
) -> Result<(), AdminError> {
    if needs > 1 {
        check_named(registry, caller)?;
    }
    // Whose credential was revoked may never have been who agreed.
    let is_revoked = |agreement: &Agreement| {
        registry.credentials.get(&agreement.credential).is_some_and(|known| known.revoked.is_some())
    };
    let is_nobodys = |agreement: &Agreement| needs > 1 && is_nobodys(registry, &agreement.credential);
    agreed.retain(|agreement| !is_revoked(agreement) && !is_nobodys(agreement));
    let person = person_of(registry, &caller.credential);
    if agreed.iter().any(|agreement| person_of(registry, &agreement.credential) == person) {
        let message = "you agreed to this step already; another person has to".to_owned();
        return Err(AdminError::Invalid(message));
    }
    agreed.push(agreement(caller, now));
    Ok(())
}

/// The caller's agreement.
pub(crate) fn agreement(caller: &Caller, now: Timestamp) -> Agreement {
    let credential = caller.credential.clone();
    let by = format!("{} ({credential})", name_of(caller));
    Agreement { credential, by, at: now }
}

/// Checks that the caller is somebody else than who agreed `last`, whatever has become of that one's credential.
///
/// # Errors
///
/// Refuses the same person, and a credential that names nobody.
pub(crate) fn check_another(
    registry: &Registry,
    last: &Agreement,
    caller: &Caller,
) -> Result<(), AdminError> {
    check_named(registry, caller)?;
    if person_of(registry, &last.credential) == person_of(registry, &caller.credential) {
        let message = format!("you said so last, on {}; another person has to say it again", last.at);
        return Err(AdminError::Invalid(message));
    }
    Ok(())
}

fn check_named(registry: &Registry, caller: &Caller) -> Result<(), AdminError> {
    if is_nobodys(registry, &caller.credential) {
        let message = "this takes different people, and your credential does not say whose it is: have an operator \
                       issue one that does (`ringfence token add --role officer --person NAME`), and use that";
        return Err(AdminError::Invalid(message.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_of_some_length() {
        let cases = [
            ("A. Ash", Some("A. Ash")),
            ("  A.   Ash ", Some("A. Ash")),
            ("", None),
            (" \t", None),
            ("A\u{0}sh", None),
            (&"x".repeat(NAME_LENGTH_MAX), Some(&*"x".repeat(NAME_LENGTH_MAX))),
            (&"x".repeat(NAME_LENGTH_MAX + 1), None),
        ];
        for (text, want) in cases {
            assert_eq!(name(text).ok().as_deref(), want, "{text:?}");
        }
    }
}
