//! A workflow with the metadata that its host gives it.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::definition::Metadata;
use crate::id::WorkflowName;
use crate::value::Type;
use crate::workflow::{Plan, PlanError, Workflow, WorkflowAsset};

pub(super) struct Described {
    pub(super) workflow: Arc<dyn Workflow>,
    pub(super) metadata: Metadata,
}

impl Workflow for Described {
    fn name(&self) -> &WorkflowName {
        self.workflow.name()
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn input(&self) -> Option<Type> {
        self.workflow.input()
    }

    fn output(&self) -> Option<Type> {
        self.workflow.output()
    }

    fn source(&self) -> Option<Arc<Json>> {
        self.workflow.source()
    }

    fn runs_dir(&self) -> Option<&Path> {
        self.workflow.runs_dir()
    }

    fn ready(&self) -> Result<(), String> {
        self.workflow.ready()
    }

    fn assets(&self) -> &[WorkflowAsset] {
        self.workflow.assets()
    }

    fn plan(&self, input: Option<&(dyn Any + Send + Sync)>) -> Result<Arc<Plan>, PlanError> {
        self.workflow.plan(input)
    }
}
