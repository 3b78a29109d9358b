//! The value of a job: a cheap mix of its number and the values it depends on.
//!
//! Inputs are scrambled and then added up, so that their order does not matter and a long list can be
//! folded in parts. Some engines pass inputs in any order, and others limit their number.

/// Scrambles one input.
#[inline]
fn absorb(input: u64) -> u64 {
    (input ^ (input >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Folds inputs (or a part of them) into one number.
#[inline]
pub fn fold(inputs: impl IntoIterator<Item = u64>) -> u64 {
    merge(inputs.into_iter().map(absorb))
}

/// Combines parts that were folded separately.
#[inline]
pub fn merge(parts: impl IntoIterator<Item = u64>) -> u64 {
    parts.into_iter().fold(0, u64::wrapping_add)
}

/// Turns folded inputs into the value of `job`.
#[inline]
pub fn seal(job: u64, folded: u64) -> u64 {
    let mixed = folded.wrapping_add(job.wrapping_mul(0xd1b5_4a32_d192_ed03));
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// The value of `job`, given the values it depends on.
#[inline]
pub fn derive(job: u64, inputs: impl IntoIterator<Item = u64>) -> u64 {
    seal(job, fold(inputs))
}
