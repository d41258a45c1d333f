//! The command line.
//!
//! Every command is a struct with its arguments in a file of its own below `commands/`; here they are put together.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::commands;
use crate::output::{Exit, Output};

const ABOUT: &str = "An exchange for cyber-threat intelligence between a programme and the members it vets";

const AFTER_HELP: &str = "\
Commands that talk to a hub read RINGFENCE_HUB and RINGFENCE_TOKEN, or --hub and --token.

Exit codes:
  0  done
  1  it failed; one line on stderr says why
  2  the command line is wrong
  3  done in part: some objects were refused, and the summary names them
  4  checked, and found wrong
`ringfence match` has its own: 0 nothing was found, 1 something was, 2 something could not be looked at.
`ringfence doctor` has its own: 0 all is well, 1 something needs attention, 2 something is at fault.";

/// Everything that was said on the command line.
#[derive(Debug, Parser)]
#[command(name = "ringfence", version, about = ABOUT, after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct Cli {
    /// Answer in JSON instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole story on this machine: publish, poll, suspend, reinstate, verify
    Demo(commands::demo::Demo),
    /// Write the template programme into a new folder
    Init(commands::init::Init),
    /// Validate a programme's folder, run its cases, and prove that standing decides
    Check(commands::check::Check),
    /// Run a hub
    Hub(commands::hub::Hub),
    /// Protect customers with what a hub shares
    Guard(commands::guard::Guard),
    /// Look for indicators in logs, mails, captures and flows at rest
    Match(commands::match_files::Match),
    /// List, show, release and delete the mail that a guard keeps
    Held(commands::held::Held),
    /// Add and list members, and change their standing
    Member(commands::member::Member),
    /// Decide on a member by its ties, and say why and what would help
    Vet(commands::vet::Vet),
    /// Import and show ties: who owns, controls and supplies whom
    Ties(commands::ties::Ties),
    /// Issue, list and revoke credentials
    Token(commands::token::Token),
    /// Publish files: STIX, MISP events, lists of indicators
    Publish(commands::publish::Publish),
    /// Bring in what another TAXII 2.1 server has
    Pull(commands::pull::Pull),
    /// Withdraw or re-label an object that was handed out
    Recall(commands::recall::Recall),
    /// Verify the ledger, and ask it who holds what
    Ledger(commands::ledger::Ledger),
    /// Copy a hub's data while it runs
    Backup(commands::backup::Backup),
    /// Check a backup and copy it into a new data directory
    Restore(commands::restore::Restore),
    /// Show what the programme's people should look at
    Findings(commands::findings::Findings),
    /// Show what a hub holds and where its ledger stands
    Status(commands::status::Status),
    /// Look over a data directory or a guard: what is well, what is not, what to do
    Doctor(commands::doctor::Doctor),
    /// Print what completes this program's commands in a shell
    Completions(commands::completions::Completions),
    /// Write the manual pages
    Man(commands::man::Man),
}

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        match self {
            Self::Demo(command) => command.run(output),
            Self::Init(command) => command.run(output),
            Self::Check(command) => command.run(output),
            Self::Hub(command) => command.run(output),
            Self::Guard(command) => command.run(output),
            Self::Match(command) => Ok(command.run(output)),
            Self::Held(command) => command.run(output),
            Self::Member(command) => command.run(output),
            Self::Vet(command) => command.run(output),
            Self::Ties(command) => command.run(output),
            Self::Token(command) => command.run(output),
            Self::Publish(command) => command.run(output),
            Self::Pull(command) => command.run(output),
            Self::Recall(command) => command.run(output),
            Self::Ledger(command) => command.run(output),
            Self::Backup(command) => command.run(output),
            Self::Restore(command) => command.run(output),
            Self::Findings(command) => command.run(output),
            Self::Status(command) => command.run(output),
            Self::Doctor(command) => command.run(output),
            Self::Completions(command) => command.run(),
            Self::Man(command) => command.run(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_defined() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_option_has_help() {
        fn look(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "`{path}` has no help");
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty(), "`{path}`: `{}` has no help", argument.get_id());
            }
            command.get_subcommands().for_each(|below| look(below, &path));
        }
        look(&Cli::command(), "");
    }

    #[test]
    fn every_command_takes_json_after_its_name() {
        for command in Cli::command().get_subcommands().filter(|command| !command.has_subcommands()) {
            let required: Vec<String> = command
                .get_arguments()
                .filter(|argument| argument.is_required_set())
                .flat_map(|argument| {
                    let flag = argument.get_long().map(|long| format!("--{long}"));
                    flag.into_iter().chain(["x".to_owned()]).collect::<Vec<_>>()
                })
                .collect();
            if matches!(command.get_name(), "recall" | "match" | "doctor" | "completions") {
                continue; // one of its flags is required, whichever, or its argument is one of a few words
            }
            let mut line = vec!["ringfence".to_owned(), command.get_name().to_owned(), "--json".to_owned()];
            line.extend(required);
            let parsed = Cli::try_parse_from(&line);
            assert!(parsed.is_ok_and(|cli| cli.json), "{line:?}");
        }
    }
}
