//! The cost of durable runs, compared with bare SQLite commits in the same folder and with other
//! engines, in interleaved rounds.
//!
//! `workflow_durable [--postgres URL] [--peers PROGRAM] [--rounds N] [alone|together|large|recovery ..]`
//!
//! PROGRAM is built by `cargo build --release` in `benches/peers-durable`. Figures that require a
//! missing program or URL are marked in the table.

mod alone;
mod bare;
mod large;
mod peers;
mod recovery;
mod table;
mod together;
mod wal;
mod workflows;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use workflow_benches::{finish, print};

use table::Row;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The arguments.
struct Options {
    postgres: Option<String>,
    peers: PathBuf,
    rounds: usize,
    sections: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [word, file] if word == recovery::CHILD => recovery::leave_unfinished(Path::new(file)),
        _ => options(arguments).and_then(|options| report(&options)),
    };
    finish(done)
}

fn options(arguments: Vec<String>) -> Result<Options, Failure> {
    let peers = concat!(env!("CARGO_MANIFEST_DIR"), "/peers-durable/target/release/peers-durable");
    let mut options =
        Options { postgres: None, peers: peers.into(), rounds: 7, sections: Vec::new() };
    let mut arguments = arguments.into_iter();
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{name} wants a value"));
        match name.as_str() {
            "--postgres" => options.postgres = Some(value()?),
            "--peers" => options.peers = value()?.into(),
            "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
            "alone" | "together" | "large" | "recovery" => options.sections.push(name),
            _ => return Err(format!("unknown argument {name}; see the head of main.rs").into()),
        }
    }
    Ok(options)
}

fn report(options: &Options) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let wants = |section: &str| {
        options.sections.is_empty() || options.sections.iter().any(|one| one == section)
    };
    print(&format!("load before: {}", load()?));
    print(table::HEAD);
    let show = |rows: Vec<Row>| rows.iter().for_each(|row| print(&row.to_string()));
    if wants("alone") {
        show(alone::measure(&folder.join("alone"), options.rounds)?);
    }
    if wants("together") {
        show(together::sqlite(&folder.join("together"), options)?);
        show(together::postgres(options)?);
    }
    if wants("large") {
        show(large::measure(&folder.join("large"), options.rounds)?);
    }
    if wants("recovery") {
        show(recovery::measure(&folder.join("recovery"), options.rounds.min(3))?);
    }
    print(&format!("load after: {}", load()?));
    Ok(())
}

/// The load averages of 1, 5 and 15 minutes.
fn load() -> Result<String, Failure> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}
