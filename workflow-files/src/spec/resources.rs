//! Resource requirements of jobs.

use super::{Memory, Text, Time};
use crate::document::{Ignored, Spanned, record};

record! {
    /// The resources that a job needs.
    pub(crate) struct ResourceSpec, "resource requirements" {
        /// The name by which jobs refer to this entry.
        name: Text,
        /// The number of processors. Default: 1.
        num_cpus: Option<Spanned<u32>>,
        /// The number of GPUs. Default: 0.
        num_gpus: Option<u32>,
        /// The number of machines; more than one needs a cluster. Default: 1.
        num_nodes: Option<u32>,
        /// The amount of memory: `512m`, `2g`. Units are powers of 1,024.
        memory: Option<Spanned<Memory>>,
        /// The longest duration of the job, in ISO 8601: `PT30M`.
        runtime: Option<Spanned<Time>>,
        /// Slurm: accepted, not used.
        step_nodes: Option<Ignored<true>>,
    }
}
