//! The cost of the server: lists of workflows, run requests, and events to many listeners. This process
//! sends HTTP requests to a server in another process. SQLite, `normal`.
//!
//! `workflow_http [--rounds N] [--seconds N] [--folder FOLDER] [list|runs|killed|events ..]`
//!
//! A given folder is preserved with its workflows, and used again.

mod child;
mod client;
mod events;
mod killed;
mod list;
mod load;
mod runs;
#[path = "../durable/table.rs"]
mod table;
mod workflows;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use workflow_benches::{finish, print};

use table::Row;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The arguments.
struct Options {
    rounds: usize,
    time: Duration,
    folder: Option<PathBuf>,
    sections: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [word, file] if word == child::WORD => child::serve(Path::new(file)),
        _ => options(arguments).and_then(|options| prepare(&options)),
    };
    finish(done)
}

fn options(arguments: Vec<String>) -> Result<Options, Failure> {
    let time = Duration::from_secs(5);
    let mut options = Options { rounds: 5, time, folder: None, sections: Vec::new() };
    let mut arguments = arguments.into_iter();
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{name} wants a value"));
        match name.as_str() {
            "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
            "--seconds" => options.time = Duration::from_secs(value()?.parse::<u64>()?.max(1)),
            "--folder" => options.folder = Some(value()?.into()),
            "list" | "runs" | "killed" | "events" => options.sections.push(name),
            _ => return Err(format!("unknown argument {name}; see the head of main.rs").into()),
        }
    }
    Ok(options)
}

fn prepare(options: &Options) -> Result<(), Failure> {
    client::allow_many_connections()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(folder) = &options.folder {
        std::fs::create_dir_all(folder)?;
        return runtime.block_on(report(options, folder));
    }
    let folder = tempfile::tempdir()?;
    runtime.block_on(report(options, folder.path()))
}

async fn report(options: &Options, folder: &Path) -> Result<(), Failure> {
    let wants = |section: &str| {
        options.sections.is_empty() || options.sections.iter().any(|one| one == section)
    };
    print(&format!("load before: {}", load()?));
    print(table::HEAD);
    let show = |rows: Vec<Row>| rows.iter().for_each(|row| print(&row.to_string()));
    if wants("list") {
        show(list::measure(folder, options).await?);
    }
    if wants("runs") {
        show(runs::measure(folder, options).await?);
    }
    if wants("killed") {
        show(killed::measure(folder, options).await?);
    }
    if wants("events") {
        show(events::measure(folder, options).await?);
    }
    print(&format!("load after: {}", load()?));
    Ok(())
}

/// The load averages of 1, 5 and 15 minutes.
fn load() -> Result<String, Failure> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}

/// A new file for a round.
fn fresh(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let folder = folder.join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join("workflows.db"))
}
