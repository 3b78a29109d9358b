//! The job of engines that pass inputs as separate arguments.

use crate::plan::Plan;
use crate::shapes::narrow::Step;

/// One node of a narrowed graph.
#[derive(Clone, Copy)]
pub(super) struct Body {
    pub(super) plan: &'static Plan,
    pub(super) step: Step,
}

impl Body {
    /// Runs the node.
    pub(super) async fn run<const N: usize>(self, inputs: [u64; N]) -> u64 {
        let value = self.plan.step(self.step, inputs);
        self.plan.pause().await;
        value
    }
}
