//! Identifiers, dates and words of the domain, as they stand in paths, flags and files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::{CollectionId, CredentialId, MemberId, MemberKind, Role, Standing, Tier, Timestamp};

macro_rules! one_spelling {
    ($text:ident: $($word:ty),+ $(,)?) => {$(
        if let Ok(word) = $text.parse::<$word>() {
            assert_eq!(word.to_string(), $text);
        }
    )+};
}

fuzz_target!(|text: &str| {
    one_spelling!(text: MemberId, CredentialId, Tier, MemberKind, Role, Standing);
    if let Ok(id) = text.parse::<CollectionId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        assert_eq!(time.to_string().parse(), Ok(time));
    }
});
