//! Busy work of a known length that reads no clock.

use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::derive;

/// Rounds of the busy loop in a millisecond, measured once.
static PER_MILLI: LazyLock<u64> = LazyLock::new(calibrate);

/// The number of rounds that take `micros` microseconds.
pub fn rounds(micros: u32) -> u64 {
    (*PER_MILLI * u64::from(micros) / 1000).max(1)
}

/// Keeps a core busy for `rounds`.
#[inline(never)]
pub fn spin(rounds: u64) -> u64 {
    (0..rounds).fold(0, |value, round| derive::derive(round, [value]))
}

fn calibrate() -> u64 {
    const ROUNDS: u64 = 1_000_000;
    let fastest = (0..20).map(|_| time(ROUNDS)).min().unwrap_or_default();
    (ROUNDS * 1_000_000) / fastest.as_nanos().max(1) as u64
}

fn time(rounds: u64) -> Duration {
    let start = Instant::now();
    black_box(spin(black_box(rounds)));
    start.elapsed()
}
