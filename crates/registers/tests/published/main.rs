//! Published files, and files made by hand in their formats, through the public door.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
#![expect(clippy::needless_pass_by_value, reason = "helpers take what `json!` makes")]

mod bods;
mod formats;
mod ftm;
mod plain;
mod psc;
mod support;
