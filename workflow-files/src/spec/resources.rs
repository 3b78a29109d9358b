//! What a job needs of the machine, as it is written.

use super::{Memory, Text, Time};
use crate::document::{Ignored, Spanned, record};

record! {
    /// What a job needs of the machine.
    pub(crate) struct ResourceSpec, "resource requirements" {
        /// The name by which jobs ask for this.
        name: Text,
        /// How many processors. Default: 1.
        num_cpus: Option<Spanned<u32>>,
        /// How many graphics processors. Default: 0.
        num_gpus: Option<u32>,
        /// How many machines; more than one needs a cluster. Default: 1.
        num_nodes: Option<u32>,
        /// How much memory: `512m`, `2g`. Units are powers of 1,024.
        memory: Option<Spanned<Memory>>,
        /// The longest that the job may take, as an ISO 8601 duration: `PT30M`.
        runtime: Option<Spanned<Time>>,
        /// Slurm: kept, not used.
        step_nodes: Option<Ignored<true>>,
    }
}
