//! The tasks of this workspace. `cargo xtask` lists them.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "people read what it does")]

use std::process::ExitCode;

mod checks;
mod shell;
mod tools;

use shell::{Failure, Shell};

const HELP: &str = "\
Usage: cargo xtask <TASK>

Tasks:
  setup           Install what the other tasks need, with PostgreSQL in the target folder
  ci [CHECK..]    Run every check that must pass before a change is merged, or the named ones
  test [ARGS..]   Run all tests; arguments are those of `cargo test`
  bench [ARGS..]  Run the benches; arguments are those of `cargo bench`
  bench peers     Compare the benches with other engines, and write benches/RESULTS.md
  page            Build the page, test it in a browser, and compare it with the committed build
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Failure> {
    let shell = Shell::new();
    match arguments {
        [] | ["help" | "-h" | "--help"] => {
            println!("{HELP}\nChecks of `ci`: {}", checks::names());
            Ok(())
        }
        ["setup"] => tools::setup(&shell),
        ["ci", names @ ..] => checks::run(&shell.without_debug_info(), names),
        ["test", arguments @ ..] => checks::test(&shell, arguments),
        ["bench", "peers"] => {
            let peers = shell.within("benches/peers");
            peers.run("cargo", &["run", "--release", "--", "--write", "../RESULTS.md"])
        }
        ["bench", arguments @ ..] => {
            shell.run("cargo", &[&["bench", "-p", "workflow-benches"], arguments].concat())
        }
        ["page"] => checks::page(&shell),
        [task, ..] => Err(Failure(format!(
            "no task `{task}` with these arguments; `cargo xtask` lists the tasks"
        ))),
    }
}
