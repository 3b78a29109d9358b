//! What the library costs: benches of the registry and of small runs, and the memory of runs that
//! wait. The comparison with other engines is a package of its own, `peers`, whose dependencies
//! stay out of this workspace. Results: `RESULTS.md`.
