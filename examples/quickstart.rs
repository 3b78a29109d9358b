//! A report on a `Cargo.lock`: a registered workflow with real input and live progress.
//!
//! One job reads the file, one parses it, three analyse the crates in parallel, and one writes the
//! result as Markdown. Run it on this workspace, or on your own lockfile:
//!
//! ```sh
//! cargo run --example quickstart
//! cargo run --example quickstart -- ../other/Cargo.lock
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use futures::StreamExt as _;
use serde::Deserialize;
use workflow_core::prelude::*;

#[derive(Deserialize)]
struct Lockfile {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    /// Each is a `name`, or a `name version` if the name is ambiguous.
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Package {
    fn key(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

// A plain `fn` may block or compute, since it runs on its own thread.
#[job]
fn read_lockfile(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

#[job]
async fn parse(path: &str, text: &str) -> anyhow::Result<Vec<Package>> {
    let lockfile: Lockfile =
        toml::from_str(text).with_context(|| format!("{path} is no lockfile"))?;
    Ok(lockfile.package)
}

#[job]
fn several_versions(packages: &[Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    versions.iter().map(|(name, versions)| format!("{name} ({})", versions.join(", "))).collect()
}

/// The longest chain of dependencies. Dev-dependencies may form cycles, so an edge back to a crate
/// that is still being visited is ignored.
#[job]
fn longest_chain(packages: &[Package]) -> Vec<String> {
    let numbers: HashMap<String, usize> = (0..)
        .zip(packages)
        .flat_map(|(at, package)| [package.name.clone(), package.key()].map(|key| (key, at)))
        .collect();
    let needs = |at: usize| packages[at].dependencies.iter().filter_map(|key| numbers.get(key));
    // For each finished crate: the length of its chain, and the next crate in it.
    let mut chains: Vec<Option<(usize, Option<usize>)>> = vec![None; packages.len()];
    let mut seen = vec![false; packages.len()];
    let mut stack: Vec<_> = (0..packages.len()).rev().map(|at| (at, false)).collect();
    while let Some((at, left)) = stack.pop() {
        if left {
            let next = needs(at).filter_map(|need| Some((chains[*need]?.0, *need))).max();
            chains[at] = Some((next.map_or(1, |(length, _)| length + 1), next.map(|next| next.1)));
        } else if !std::mem::replace(&mut seen[at], true) {
            stack.push((at, true));
            stack.extend(needs(at).map(|need| (*need, false)));
        }
    }
    let first = (0..packages.len()).max_by_key(|at| chains[*at]);
    let chain = std::iter::successors(first, |at| chains[*at].and_then(|(_, next)| next));
    chain.map(|at| packages[at].key()).collect()
}

#[job]
fn most_used(packages: &[Package]) -> Vec<String> {
    let mut users: BTreeMap<&str, usize> = BTreeMap::new();
    for name in packages.iter().flat_map(|package| &package.dependencies) {
        *users.entry(name.split(' ').next().unwrap_or(name)).or_default() += 1;
    }
    let mut users: Vec<_> = users.into_iter().collect();
    users.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    users.iter().take(5).map(|(name, count)| format!("{name} (by {count})")).collect()
}

#[job]
fn write_report(versions: &[String], chain: &[String], used: &[String]) -> anyhow::Result<PathBuf> {
    let mut text = String::from("# Crates\n");
    let parts = [("In several versions", versions), ("Longest chain", chain), ("Most used", used)];
    for (title, lines) in parts {
        text += &format!("\n## {title}\n\n- {}\n", lines.join("\n- "));
    }
    let file = std::env::temp_dir().join("lockfile_report.md");
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

#[register_workflow(name = "lockfile_report", metadata = {
    "description": "Looks for weight in a Cargo.lock", "tags": ["example", "dependencies"],
})]
fn lockfile_report(flow: &mut Flow, path: Handle<String>) -> Handle<PathBuf> {
    let text = flow.job(read_lockfile(path));
    let packages = flow.job(parse(path, text));
    let versions = flow.job(several_versions(packages));
    let chain = flow.job(longest_chain(packages));
    let used = flow.job(most_used(packages));
    flow.job(write_report(versions, chain, used))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock").to_owned();
    let path = std::env::args().nth(1).unwrap_or(own);
    let run = registry::run("lockfile_report").input(&path).start()?;
    let mut events = run.events();
    let watcher = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            println!("  {:>2}  {}", event.sequence, event.kind);
        }
    });
    let outcome = run.outcome().await;
    watcher.await?;
    let report = outcome?;

    println!("\n{report}\n{}\n{}", report.graph().tree(), report.graph().mermaid());
    let packages = report.output_of::<Vec<Package>>("parse")?.len();
    let chain = report.output_of::<Vec<String>>("longest_chain")?;
    let file = report.output_ref::<PathBuf>()?;
    println!("{packages} packages, {} deep; {} says:\n", chain.len(), file.display());
    println!("{}", fs::read_to_string(file)?);
    assert!((1..=packages).contains(&chain.len()));
    Ok(())
}
