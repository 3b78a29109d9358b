//! Replacement of jobs by closures, for tests.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::AttemptIo;

/// A closure that an engine calls in place of a job's function.
///
/// Create it with `job::replaced_by(..)` and pass it to
/// [`EngineBuilder::replace`](crate::engine::EngineBuilder::replace), which shows an example.
#[derive(Clone)]
pub struct Replacement {
    job: TypeId,
    name: &'static str,
    closure: Arc<dyn Any + Send + Sync>,
}

impl Replacement {
    /// Replaces the job that `J` stands for.
    #[doc(hidden)]
    pub fn new<J: 'static, F: Send + Sync + 'static>(name: &'static str, closure: F) -> Self {
        Self { job: TypeId::of::<J>(), name, closure: Arc::new(closure) }
    }
}

impl fmt::Debug for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replacement({})", self.name)
    }
}

/// The replacements of an engine, by job.
#[derive(Clone, Default)]
pub(crate) struct Replacements(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Replacements {
    pub(crate) fn insert(&mut self, replacement: Replacement) {
        self.0.insert(replacement.job, replacement.closure);
    }

    pub(crate) fn has(&self, job: TypeId) -> bool {
        self.0.contains_key(&job)
    }
}

impl AttemptIo {
    /// The closure that replaces the job that `J` stands for.
    #[inline]
    pub fn replacement<J: 'static, F: 'static>(&self) -> Option<&F> {
        if self.replaces_nothing() {
            return None;
        }
        self.find_replacement(TypeId::of::<J>())?.downcast_ref()
    }

    #[cold]
    fn find_replacement(&self, job: TypeId) -> Option<&(dyn Any + Send + Sync)> {
        self.replaced()?.0.get(&job).map(|closure| &**closure)
    }
}
