//! `ringfence completions`: what a shell needs to complete this program's commands and options.

use std::io::{self, Write as _};

use anyhow::Result;
use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::shells;

use crate::cli::Cli;
use crate::output::Exit;

/// Print what completes this program's commands in a shell.
///
/// For bash, for one: `ringfence completions bash > /etc/bash_completion.d/ringfence`
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    /// The GNU Bourne-Again Shell
    Bash,
    /// The Z shell
    Zsh,
    /// The friendly interactive shell
    Fish,
}

impl Completions {
    pub(crate) fn run(self) -> Result<Exit> {
        let mut text = Vec::new();
        let (command, name) = (&mut Cli::command(), "ringfence");
        match self.shell {
            Shell::Bash => clap_complete::generate(shells::Bash, command, name, &mut text),
            Shell::Zsh => clap_complete::generate(shells::Zsh, command, name, &mut text),
            Shell::Fish => clap_complete::generate(shells::Fish, command, name, &mut text),
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(&text)?;
        stdout.flush()?;
        Ok(Exit::Done)
    }
}
