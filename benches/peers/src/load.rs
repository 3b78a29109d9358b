//! The load of the machine by other processes, which makes figures unreliable.

use std::time::Instant;

/// Processor time is counted in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// The state of the machine when measuring began.
pub struct Load {
    start: Instant,
    others: Option<u64>,
}

impl Load {
    /// Starts to measure.
    pub fn watch() -> Self {
        Self { start: Instant::now(), others: others() }
    }

    /// The average number of cores used by other processes since then, or `None` on systems without
    /// this figure.
    pub fn of_others(&self) -> Option<f64> {
        let ticks = others()?.saturating_sub(self.others?);
        Some(ticks as f64 / TICKS_PER_SECOND / self.start.elapsed().as_secs_f64())
    }
}

/// The processor time of all processes but this one and its children.
fn others() -> Option<u64> {
    all()?.checked_sub(own()?)
}

fn all() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let fields = stat.lines().next()?.split_whitespace().skip(1);
    let [user, nice, system, ..] = numbers(fields)[..] else { return None };
    Some(user + nice + system)
}

/// Fields 14 to 17 of the line are the user and system time of this process and of its ended children.
/// The second field is the name, which may contain any character.
fn own() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let times = numbers(after_name.split_whitespace().skip(11).take(4));
    Some(times.iter().sum())
}

fn numbers<'a>(fields: impl Iterator<Item = &'a str>) -> Vec<u64> {
    fields.map_while(|field| field.parse().ok()).collect()
}
