//! The machine and the versions that were measured.

use crate::load::Load;
use crate::runtime::WORKERS;

/// The lockfile, with the exact versions of the compared crates.
const LOCKFILE: &str = include_str!("../../Cargo.lock");

/// The compared crates, and those that contenders use.
const CRATES: [&str; 6] = ["async_dag", "dagrs", "dagx", "operese-dagx", "rayon", "tokio"];

/// A list of all conditions.
pub(super) fn describe(samples: usize, load: &Load, command: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d");
    let versions: Vec<_> = CRATES.iter().filter_map(|name| version(name)).collect();
    format!(
        "- Medians of {samples} samples, taken in turns; {WORKERS} workers; all values checked\n\
         - {}, {cores} cores{}, {}, {}\n\
         - {}\n\
         - {date}, repeated in `benches/peers` by `{command}`\n",
        cpu(),
        busy(load),
        system(),
        env!("PEERS_RUSTC"),
        versions.join(", "),
    )
}

fn busy(load: &Load) -> String {
    let busy = load.of_others();
    busy.map_or_else(String::new, |busy| format!(" ({busy:.2} of them busy with other things)"))
}

fn version(name: &str) -> Option<String> {
    let entry = LOCKFILE.split_once(&format!("name = \"{name}\"\nversion = \""))?.1;
    let version = entry.split('"').next()?;
    Some(format!("{name} {version}"))
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(':'));
    model.map_or_else(|| "unknown processor".into(), |(_, model)| model.trim().into())
}

fn system() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = format!("{} {}", std::env::consts::OS, release.trim());
    format!("{} {}", system.trim_end(), std::env::consts::ARCH)
}
