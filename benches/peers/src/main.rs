//! Runs the same graphs through several engines and prints a comparison.

mod args;
mod cases;
mod contender;
mod contenders;
mod derive;
mod load;
mod measure;
mod memory;
mod plan;
mod report;
mod runtime;
mod shapes;
mod spin;

use std::process::ExitCode;

use args::Args;
use cases::{Case, RANDOM};
use contender::Contender;
use report::Report;

fn main() -> ExitCode {
    match Args::parse().map_err(|error| error.to_string()).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), String> {
    if args.help {
        print!("{}", args::HELP);
        return Ok(());
    }
    if let Some(name) = &args.memory_of {
        return report_memory(name);
    }
    let markdown = measure_all(&args).to_markdown(&args.command());
    println!("{markdown}");
    match &args.write {
        Some(file) => report::section::write(file, &markdown).map_err(|error| error.to_string()),
        None => Ok(()),
    }
}

fn measure_all(args: &Args) -> Report {
    let contenders = contenders::ALL.iter().copied();
    let contenders: Vec<_> = contenders.filter(|c| args.wants_contender(c.name())).collect();
    let mut report = Report::new(args.samples);
    for case in cases::ALL.iter().filter(|case| args.wants_case(case.name)) {
        eprintln!("measuring {} ...", case.name);
        let measured = measure::measure(case, &contenders, args.samples);
        report.add_case(case, measured);
        if case.name == RANDOM {
            eprintln!("measuring memory ...");
            report.add_peaks(&contenders, |contender| memory::peak(contender));
        }
    }
    report
}

fn report_memory(name: &str) -> Result<(), String> {
    let contender = contenders::ALL.iter().find(|c| c.name() == name);
    let contender: &dyn Contender = *contender.ok_or("no contender of that name")?;
    let case: Option<&Case> = cases::ALL.iter().find(|case| case.name == RANDOM);
    memory::report(contender, case.ok_or("no such graph")?);
    Ok(())
}
