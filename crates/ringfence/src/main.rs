//! The program: command line, configuration, wiring, shutdown.
//!
//! It decides nothing that `exchange` should decide and speaks no protocol of its own. It has three kinds of commands:
//!
//! - those that *are* a hub (`hub`, `demo`), which name the back end and wire it to its faces ([`serving`]);
//! - those that *talk* to a hub over its administration API ([`client`]), such as `member`, `publish` or `recall`;
//! - those that *read* files and need no hub: `init`, `check`, `ledger verify`, `restore`.
//!
//! This is the only crate that reads environment variables (through the command line's definition in [`cli`]), the
//! only one that names `SQLite`, and the only one that ends the process. A failure is one line on stderr.

mod cli;
mod client;
mod commands;
mod connection;
mod data_dir;
mod demo;
mod logs;
mod oidc_file;
mod output;
mod serving;
mod upload;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::output::Output;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.json);
    match cli.command.run(output) {
        Ok(exit) => exit.into(),
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringfence: {}", output::one_line(&error));
            output::Exit::Failed.into()
        }
    }
}
