//! Benchmarks of the library: the registry, small runs, and the memory of waiting runs. The comparison
//! with other engines is a separate package, `peers`, whose dependencies stay out of this workspace.
//! Results: `RESULTS.md`.
