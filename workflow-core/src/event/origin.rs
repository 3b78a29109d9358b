//! Where a job comes from that is not in the workflow's graph.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Which job started another, and what for: how a run that is taken up again tells what it is
/// asked for from what it has on record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum JobOrigin {
    /// A function ran a job with `ctx.run`.
    #[serde(rename = "called")]
    Called {
        /// The job whose function it is.
        by: String,
        /// In which of its attempts, from 1.
        attempt: u32,
        /// What it called: the job's name before a number was added to it.
        job: String,
        /// With which input.
        input: Json,
    },
    /// A map runs a job for an element of its list.
    #[serde(rename = "element")]
    Element {
        /// The map's name.
        of: String,
        /// The element's place in the list, from 0.
        index: u32,
    },
    /// The work of a job is taken back.
    #[serde(rename = "undo")]
    Compensation {
        /// The job's name.
        of: String,
    },
}

impl JobOrigin {
    /// The job that started the other, or whose work the other takes back.
    pub fn parent(&self) -> &str {
        match self {
            Self::Called { by, .. } => by,
            Self::Element { of, .. } | Self::Compensation { of } => of,
        }
    }
}
