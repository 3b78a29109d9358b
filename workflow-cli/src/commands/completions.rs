//! `completions`: prints a completion script for a shell.

use clap::Args;
use clap_complete::Shell;

use crate::failure::{Failure, Outcome};
use crate::output;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArguments {
    /// Shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  workflow completions bash > ~/.local/share/bash-completion/completions/workflow
  workflow completions zsh > ~/.zfunc/_workflow
  workflow completions fish > ~/.config/fish/completions/workflow.fish";

pub(crate) fn completions(
    args: &CompletionsArguments,
    program: &str,
    mut command: clap::Command,
) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, program, &mut script);
    output::print(|out| out.write_all(&script))?;
    Ok(Outcome::Success)
}
