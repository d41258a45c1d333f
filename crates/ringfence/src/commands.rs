//! The commands, one to a file.

pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod findings;
pub(crate) mod guard;
pub(crate) mod held;
pub(crate) mod hub;
pub(crate) mod init;
pub(crate) mod ledger;
pub(crate) mod man;
pub(crate) mod match_files;
pub(crate) mod member;
pub(crate) mod publish;
pub(crate) mod pull;
pub(crate) mod recall;
pub(crate) mod restore;
pub(crate) mod status;
pub(crate) mod ties;
pub(crate) mod token;
pub(crate) mod vet;
