//! The cost of workflow files: reading large files, and running many small commands compared with
//! `xargs`.
//!
//! Each figure is measured in a separate process, so that its peak memory is separate.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use workflow_benches::{finish, peak_memory, print};
use workflow_core::Engine;
use workflow_files::WorkflowFile;

type Failure = Box<dyn std::error::Error>;

const JOBS: usize = 100_000;
const COMMANDS: usize = 1_000;
const ROUNDS: usize = 5;

/// One regular expression per stage, which matches all jobs of the previous stage.
const STAGES: &str = "
name: stages
jobs:
  - { name: 'first_{i}', command: 'true', parameters: { i: '1:1000' } }
  - { name: 'second_{i}', command: 'true', parameters: { i: '1:1000' }, depends_on_regexes: ['^first_'] }
  - { name: 'third_{i}', command: 'true', parameters: { i: '1:104' }, depends_on_regexes: ['^second_'] }
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["load", file] => load(Path::new(file)),
        ["run", file] => run(Path::new(file)),
        _ => report(),
    };
    finish(done.map(|text| print(&text)))
}

fn load(file: &Path) -> Result<String, Failure> {
    let begun = Instant::now();
    let file = WorkflowFile::load(file)?;
    Ok(format!("{} {} {}", begun.elapsed().as_nanos(), file.graph().len(), peak_memory()?))
}

fn run(file: &Path) -> Result<String, Failure> {
    let begun = Instant::now();
    let runs = file.with_extension("runs");
    let report = Engine::default().run(WorkflowFile::load(file)?.runs_dir(&runs)).wait()?;
    let took = begun.elapsed().as_nanos();
    std::fs::remove_dir_all(&runs)?;
    Ok(format!("{took} {} {}", report.jobs().len(), peak_memory()?))
}

fn report() -> Result<String, Failure> {
    let folder = std::env::temp_dir().join(format!("workflow-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let table = table(&folder);
    std::fs::remove_dir_all(&folder)?;
    table
}

fn table(folder: &Path) -> Result<String, Failure> {
    let mut table = String::from("| | median | peak memory |\n|---|--:|--:|\n");
    for (name, text) in [("plain", plain()), ("one entry with a parameter", parameterised())] {
        let file = write(folder, "large.yaml", &text)?;
        let (took, memory) = ours("load", &file)?;
        let each = memory / JOBS as u64;
        writeln!(
            table,
            "| read, check and plan {JOBS} jobs, {name} | {took:.1?} | {each} bytes a job |"
        )?;
    }
    let file = write(folder, "stages.yaml", STAGES)?;
    let (took, _) = ours("load", &file)?;
    writeln!(table, "| read, check and plan three all-to-all stages, 2104 jobs | {took:.1?} | |")?;
    let file = write(folder, "small.yaml", &commands())?;
    let (took, memory) = ours("run", &file)?;
    let mib = memory >> 20;
    writeln!(
        table,
        "| run {COMMANDS} commands `true`, two at a time, logs kept | {took:.1?} | {mib} MiB |"
    )?;
    for shell in ["sh", "bash"] {
        let took = median((0..ROUNDS).map(|_| xargs(shell)).collect::<Result<_, _>>()?);
        writeln!(table, "| `xargs -P2` with `{shell} -c true` | {took:.1?} | |")?;
    }
    writeln!(table, "| {} | |", torc(folder)?)?;
    let file = write(folder, "one.yaml", "name: one\njobs:\n  - name: one\n    command: 'true'\n")?;
    let whole = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        child("run", &file).map(|_| begun.elapsed())
    });
    let took = median(whole.collect::<Result<_, _>>()?);
    writeln!(table, "| a file with one job, the whole process | {took:.1?} | |")?;
    Ok(table)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf, Failure> {
    let file = folder.join(name);
    std::fs::write(&file, text)?;
    Ok(file)
}

fn plain() -> String {
    let mut text = String::from("name: plain\njobs:\n");
    for job in 0..JOBS {
        let _ = write!(text, "  - name: job_{job:06}\n    command: echo hello {job}\n");
        if job > 0 {
            let _ = writeln!(text, "    depends_on: [job_{:06}]", job / 2);
        }
    }
    text
}

fn parameterised() -> String {
    format!(
        "name: swept\njobs:\n  - name: job_{{i:06d}}\n    command: echo hello {{i}}\n    \
         parameters: {{ i: '1:{JOBS}' }}\n"
    )
}

fn commands() -> String {
    format!(
        "name: small\nmax_parallel: 2\njobs:\n  - name: job_{{i}}\n    command: 'true'\n    \
         parameters: {{ i: '1:{COMMANDS}' }}\n"
    )
}

/// The median time and memory of several rounds in separate processes.
fn ours(what: &str, file: &Path) -> Result<(Duration, u64), Failure> {
    let rounds: Vec<_> = (0..ROUNDS).map(|_| child(what, file)).collect::<Result<_, _>>()?;
    let mut memory: Vec<u64> = rounds.iter().map(|(_, memory)| *memory).collect();
    memory.sort_unstable();
    Ok((median(rounds.into_iter().map(|(took, _)| took).collect()), memory[ROUNDS / 2]))
}

fn child(what: &str, file: &Path) -> Result<(Duration, u64), Failure> {
    let output = Command::new(std::env::current_exe()?).arg(what).arg(file).output()?;
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|one| one.parse().ok()).collect();
    match numbers.as_slice() {
        [took, _, memory] => Ok((Duration::from_nanos(*took), *memory)),
        _ => Err(text.into()),
    }
}

fn xargs(shell: &str) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let script = format!("seq {COMMANDS} | xargs -P2 -I{{}} {shell} -c true");
    let status = Command::new("sh").arg("-c").arg(script).status()?;
    if status.success() { Ok(begun.elapsed()) } else { Err("xargs failed".into()) }
}

/// One run of the same commands in the standalone mode of torc, if it is installed.
fn torc(folder: &Path) -> Result<String, Failure> {
    let name = "torc 1.0, `torc -s run --max-parallel-jobs 2`";
    let mut text = String::from("name: small\njobs:\n");
    for job in 0..COMMANDS {
        let _ = write!(text, "  - name: job_{job}\n    command: 'true'\n");
    }
    let file = write(folder, "torc.yaml", &text)?;
    let begun = Instant::now();
    let run = Command::new("torc")
        .args(["-s", "run", "--max-parallel-jobs", "2", "--poll-interval", "1"])
        .arg(&file)
        .current_dir(folder)
        .output();
    match run {
        Ok(output) if output.status.success() => Ok(format!("{name} | {:.1?}", begun.elapsed())),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        Err(_) => Ok(format!("{name} | not installed")),
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
